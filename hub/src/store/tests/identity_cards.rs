//! Identity cards at the hub: issued to the shared purse, keyed by shop, and their counts of taps watched.
#![allow(clippy::wildcard_enum_match_arm, reason = "news that are no keys")]

use cabas_card::issue::Renewed;
use cabas_protocol::RowBody;
use cabas_protocol::row::{Sale, Tier};

use super::world::{NOW, Terminal, World, at, card_ref, cents, purse_ref, sale};
use crate::store::{
    AlarmKind, CardPlan, CardSessionRefusal, CardVerb, Deliverable, FindingKind, SlotKeyOrder, StoreError, TapFault,
};

const NUMBER: u8 = 61;

impl World {
    fn grant(&mut self, terminal: &Terminal, verb: CardVerb, tier: Tier) {
        let (id, card) = (terminal.id, (NUMBER.into(), tier));
        self.db.write(|tx| tx.card_grant(id, verb, card, Some("H1"), at(900))).unwrap();
    }

    fn plan(&mut self, terminal: &Terminal, verb: CardVerb) -> Result<CardPlan, StoreError> {
        let asked = (terminal.id, verb, NUMBER.into());
        self.db.write(|tx| tx.card_plan(asked, card_ref(NUMBER), purse_ref(99), NOW))
    }

    fn done(&mut self, terminal: &Terminal, verb: CardVerb, versions: &[(u8, u8)]) {
        let done = (terminal.id, verb, NUMBER.into());
        let renewed = Renewed { committed: None, versions: versions.to_vec() };
        self.db.write(|tx| tx.card_done(done, b"sealed", &renewed, NOW)).unwrap();
    }

    fn slot_keys(&mut self, terminal: &Terminal) -> Vec<SlotKeyOrder> {
        let keys = self.news(terminal, 0).into_iter().filter_map(|item| match item {
            Deliverable::SlotKey(order) => Some(order),
            _ => None,
        });
        keys.collect()
    }
}

impl Terminal {
    fn identity_sale(&mut self, amount: u64, spent_after: u64, counter: Option<u32>) {
        let plain = sale(1, amount, spent_after, 1);
        let sale = Sale { tier: Tier::Identity, card: card_ref(NUMBER), card_counter: counter, ..plain };
        self.write(RowBody::Sale(sale));
    }
}

/// Household 1 with identity card 61 beside its plain one, and a terminal of each shop.
fn world() -> (World, Terminal, Terminal) {
    let mut world = World::credited();
    let (a, b) = (world.terminal("A"), world.terminal("B"));
    world.grant(&a, CardVerb::Issue, Tier::Identity);
    let plan = world.plan(&a, CardVerb::Issue).unwrap();
    world.done(&a, CardVerb::Issue, &plan.due);
    (world, a, b)
}

#[test]
fn an_identity_card_is_bound_to_the_shared_purse_and_each_shop_gets_its_key() {
    let (mut world, a, b) = world();
    assert_eq!(world.number::<u32>("SELECT purse FROM cards WHERE number = 61 AND tier = 2"), 1);
    for (terminal, slot) in [(&a, 1), (&b, 2)] {
        let keys = world.slot_keys(terminal);
        let key = keys.first().unwrap();
        assert_eq!((keys.len(), key.tier, key.slot, key.version), (1, Tier::Identity, slot, 1));
    }
    // A shop whose slot shares the key of another's.
    world.tamper("UPDATE shops SET slot = 7 WHERE code = 'B'");
    assert_eq!(world.slot_keys(&b)[0].slot, 3);
    world.audit();
}

#[test]
fn a_shared_key_is_renewed_with_each_slot_that_shares_it() {
    let (mut world, a, b) = world();
    world.db.write(|tx| tx.slot_renew("A")).unwrap();
    // The next key comes ahead of the card, to the shops that share it and to no other.
    let keys = |world: &mut World, terminal: &Terminal| {
        let keys = world.slot_keys(terminal);
        keys.iter().map(|key| (key.slot, key.version, key.oldest)).collect::<Vec<_>>()
    };
    assert_eq!((keys(&mut world, &a), keys(&mut world, &b)), (vec![(1, 1, 1), (1, 2, 1)], vec![(2, 1, 1)]));
    world.grant(&b, CardVerb::Renew, Tier::Purse);
    let due = world.plan(&b, CardVerb::Renew).unwrap().due;
    world.done(&b, CardVerb::Renew, &due);
    assert_eq!(keys(&mut world, &a), [(1, 2, 2)]);
    world.tamper("UPDATE slots SET version = 3 WHERE slot IN (5, 8)");
    world.grant(&a, CardVerb::Renew, Tier::Purse);
    let plan = world.plan(&a, CardVerb::Renew).unwrap();
    assert_eq!((plan.tier, plan.balance), (Tier::Identity, None));
    assert_eq!(plan.due, vec![(1, 4), (2, 1), (3, 1), (4, 3)]);
    world.tamper("UPDATE slots SET version = 255 WHERE slot IN (1, 5)");
    assert!(matches!(world.plan(&a, CardVerb::Renew), Err(StoreError::Exhausted(_))));
}

#[test]
fn a_card_never_changes_its_kind() {
    let (mut world, a, _) = world();
    world.grant(&a, CardVerb::Issue, Tier::Purse);
    let refused = world.plan(&a, CardVerb::Issue);
    assert!(matches!(refused, Err(StoreError::CardSession(CardSessionRefusal::OtherTier(61)))), "{refused:?}");
    world.grant(&a, CardVerb::Issue, Tier::Identity);
    assert_eq!(world.plan(&a, CardVerb::Issue).unwrap().tier, Tier::Identity);
    world.done(&a, CardVerb::Issue, &[]);
    world.grant(&a, CardVerb::Retire, Tier::Purse);
    world.plan(&a, CardVerb::Retire).unwrap();
    world.done(&a, CardVerb::Retire, &[]);
    assert!(world.number::<bool>("SELECT blocked_at IS NOT NULL FROM cards WHERE number = 61"));
}

#[test]
fn a_count_that_repeats_or_falls_is_told_and_its_sale_is_settled_all_the_same() {
    let (mut world, mut a, mut b) = world();
    assert!(world.extend(&b, 1, 1_000).is_some(), "each terminal has a slice");
    // What comes late from another terminal is no fall, what repeats there is; within one journal both are.
    let taps: [(bool, Option<u32>, Option<TapFault>); 8] = [
        (true, Some(10), None),
        (false, Some(7), None),
        (false, Some(12), None),
        (true, Some(11), None),
        (true, Some(8), Some(TapFault::Fell)),
        (true, Some(12), Some(TapFault::Repeats)),
        (false, Some(10), Some(TapFault::Repeats)),
        (true, None, Some(TapFault::Untold)),
    ];
    let (mut spent, mut told) = ([0, 0], 0);
    for (is_a, counter, fault) in taps {
        let (terminal, spent) = if is_a { (&mut a, &mut spent[0]) } else { (&mut b, &mut spent[1]) };
        *spent += 100;
        terminal.identity_sale(100, *spent, counter);
        let outcome = world.sync(terminal);
        assert_eq!((outcome.settled, outcome.over_right), (cents(100), cents(0)), "{counter:?}");
        let alarms: Vec<_> = fault.map(|_| AlarmKind::CopiedCard).into_iter().collect();
        assert_eq!(outcome.alarms, alarms, "{counter:?} {fault:?}");
        told += alarms.len();
    }
    let copies = world.db.read(|tx| tx.copied_taps(100)).unwrap();
    assert_eq!(copies.len(), told);
    let repeated = copies.iter().find(|copy| copy.counter == Some(10)).unwrap();
    assert_eq!((repeated.card_number, repeated.terminal, repeated.cents), (Some(61), b.id, cents(100)));
    assert_eq!(repeated.other.map(|(terminal, _)| terminal), Some(a.id));
    world.audit();
}

#[test]
fn the_same_rows_again_are_no_copy_and_plain_cards_have_no_taps() {
    let (mut world, mut a, _) = world();
    a.identity_sale(100, 100, Some(3));
    a.sale(1, 100, 200, 1);
    let upload = a.upload();
    for _ in 0..3 {
        assert_eq!(world.ingest(&upload).alarms, []);
    }
    assert_eq!(world.number::<u32>("SELECT count(*) FROM identity_taps"), 1);
    assert_eq!(world.db.read(|tx| tx.copied_taps(100)).unwrap(), []);
}

#[test]
fn a_tap_that_is_kept_otherwise_than_its_row_says_is_found() {
    for sql in [
        "DELETE FROM identity_taps WHERE counter = 5",
        "UPDATE identity_taps SET counter = 6 WHERE counter = 5",
        "UPDATE identity_taps SET cents = 1 WHERE counter = 5",
        "UPDATE identity_taps SET card = x'cc00000000000001' WHERE counter = 5",
        "UPDATE identity_taps SET why = 0 WHERE why = 1",
        "UPDATE identity_taps SET why = 0 WHERE why = 2",
        "UPDATE identity_taps SET why = 0 WHERE why = 3",
    ] {
        let (mut world, mut a, mut b) = world();
        for (number, counter) in [(1, Some(5)), (2, Some(9)), (3, Some(8)), (4, None)] {
            a.identity_sale(100, number * 100, counter);
        }
        world.sync(&mut a);
        b.identity_sale(100, 100, Some(9));
        world.sync(&mut b);
        world.audit();
        world.tamper(sql);
        let findings = world.verify().findings;
        assert!(findings.iter().any(|finding| finding.kind == FindingKind::Card), "{sql}: {findings:?}");
    }
}
