//! Purse cards, by examples worked out by hand. Household 1 has 150.00, plain card 1 and purse card 51, whose own purse is
//! number 4: a half each.
#![allow(clippy::wildcard_enum_match_arm, reason = "news that are no balances")]

use cabas_protocol::row::{ListApplied, Tier};
use cabas_protocol::{Cents, RowBody, Scope, SignedBalance, Version};

use super::restores::signed;
use super::world::{NOW, Terminal, World, at, card_ref, cents, purse_ref, sale};
use crate::core::ledger::OverRight;
use crate::core::period::Period;
use crate::store::{
    CardName, Contact, CorrectionRefusal, Deliverable, FindingKind, IngestOutcome, NewsLimits, PurseCardView,
    PurseView, RESTORE_GAP, StoreError, Wake,
};

impl World {
    pub(super) fn try_purse_card(&mut self, number: u8, household: u8) -> Result<(), StoreError> {
        let household = format!("H{household}");
        let (card, purse) = (card_ref(number), purse_ref(number));
        self.db.write(|tx| tx.purse_card_add(number.into(), card, &household, purse, NOW))
    }

    pub(super) fn purse_card(&mut self, number: u8, household: u8) {
        self.try_purse_card(number, household).unwrap();
    }

    fn view(&mut self, household: u8) -> PurseView {
        self.db.read(|tx| tx.household_money(&format!("H{household}"))).unwrap().unwrap()
    }

    pub(super) fn card(&mut self, household: u8) -> PurseCardView {
        self.view(household).cards[0]
    }

    fn lose(&mut self, number: u32) -> Version {
        self.db.write(|tx| tx.card_block(CardName::Number(number), NOW)).unwrap()
    }

    fn release(&mut self) -> u32 {
        self.db.write(|tx| tx.release_cards(NOW)).unwrap()
    }

    /// Settled, over-right and why of each sale, in the order of the journals.
    fn verdicts(&self) -> Vec<(u64, u64, Option<OverRight>)> {
        let mut read =
            self.db.conn.prepare("SELECT settled, over_right, why FROM rows WHERE kind = 2 ORDER BY key").unwrap();
        let rows = read.query_map([], |row| {
            Ok((row.get::<_, u32>(0)?.into(), row.get::<_, u32>(1)?.into(), OverRight::of_number(row.get(2)?)))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    fn card_balances(&mut self, terminal: &Terminal, cursor: u64) -> Vec<SignedBalance> {
        let news = self.news(terminal, cursor);
        let balances = news.into_iter().filter_map(|item| match item {
            Deliverable::Balance(balance) if balance.scope == Scope::Card => Some(balance),
            _ => None,
        });
        balances.collect()
    }
}

impl Terminal {
    /// A sale of a purse card whose chip stands at `spent_after` then.
    pub(super) fn tap(&mut self, card: u8, amount: u64, spent_after: u64, serial: u32) {
        self.write(RowBody::Sale(cabas_protocol::row::Sale {
            tier: Tier::Purse,
            ..sale(card, amount, spent_after, serial)
        }));
    }

    fn apply(&mut self, version: Version) {
        self.write(RowBody::ListApplied(ListApplied { version }));
    }
}

/// The world of the module's first lines, and a terminal of each shop.
fn world() -> (World, Terminal, Terminal) {
    let mut world = World::credited();
    world.purse_card(51, 1);
    let (a, b) = (world.terminal("A"), world.terminal("B"));
    (world, a, b)
}

fn owed(world: &World, shop: u32) -> u64 {
    world
        .number::<u32>(&format!("SELECT ifnull(sum(credits - debits), 0) FROM accounts WHERE id = (6 << 56) | {shop}"))
        .into()
}

#[test]
fn a_purse_card_has_a_purse_of_its_own_and_its_part_of_the_households_money() {
    let mut world = World::credited();
    world.purse_card(51, 1);
    let view = world.view(1);
    assert_eq!((view.purse, view.credited, view.free), (purse_ref(1), cents(15_000), cents(7_500)));
    let expected = PurseCardView {
        number: 51,
        purse: purse_ref(51),
        serial: cabas_protocol::Serial::new(1),
        issued_at: NOW,
        allowed: cents(7_500),
        spent: Cents::ZERO,
        left: cents(7_500),
        unclaimed: Cents::ZERO,
        proofs: crate::store::CardProofs::default(),
        is_blocked: false,
        released: None,
    };
    assert_eq!(view.cards, [expected]);
    assert_eq!(world.number::<u32>("SELECT purse FROM cards WHERE number = 51"), 4);
    // The household's own purse stays the one that is credited, and that others share.
    world.credit("2026-12");
    assert_eq!(world.number::<u32>("SELECT max(purse) FROM credits"), 3);
    let view = world.view(1);
    assert_eq!((view.free, view.cards[0].allowed), (cents(15_000), cents(15_000)));
    world.db.write(|tx| tx.card_replace(51, 60, card_ref(60), NOW)).unwrap();
    assert_eq!(world.number::<u32>("SELECT purse FROM cards WHERE number = 60"), 1, "a plain card shares");
    world.audit();
}

#[test]
fn a_purse_card_is_bound_once_and_to_a_household_that_is_there() {
    let mut world = World::credited();
    world.purse_card(51, 1);
    assert!(matches!(world.try_purse_card(51, 2), Err(StoreError::CardTaken { known: 51 })));
    assert!(matches!(world.try_purse_card(1, 2), Err(StoreError::CardTaken { known: 1 })));
    let none = world.try_purse_card(52, 9).unwrap_err();
    assert!(matches!(none, StoreError::Correction(CorrectionRefusal::NoHousehold)), "{none}");
    assert_eq!(world.number::<u32>("SELECT count(*) FROM purses"), 4);
    world.audit();
}

#[test]
fn the_money_is_divided_among_cards_that_may_spend_before_terminals_get_theirs() {
    let (mut world, _, _) = world();
    // 75.00 on the card; of the other half 40 % stay free.
    let view = world.view(1);
    assert_eq!((view.free, view.cards[0].left), (cents(3_000), cents(7_500)));
    assert_eq!(view.slices.iter().map(|slice| slice.allowed.get()).sum::<u64>(), 4_500);
    // A second one: 50.00 would be its part, and 30.00 are free.
    world.purse_card(52, 1);
    let view = world.view(1);
    assert_eq!((view.free, view.cards[1].left), (Cents::ZERO, cents(3_000)));
    world.credit("2026-12");
    let view = world.view(1);
    assert_eq!(view.cards.iter().map(|card| card.left.get()).collect::<Vec<_>>(), [10_000, 10_000]);
    assert_eq!(view.free.get() + view.slices.iter().map(|slice| slice.allowed.get()).sum::<u64>(), 10_000);
    // Without its plain card there are two parts; a blocked purse card gets none.
    world.lose(1);
    world.credit("2027-01");
    let left = |world: &mut World| world.view(1).cards.iter().map(|card| card.left.get()).collect::<Vec<_>>();
    assert_eq!(left(&mut world)[0], left(&mut world)[1]);
    assert!(left(&mut world)[0] > 18_000, "{:?}", left(&mut world));
    let before = left(&mut world);
    world.lose(51);
    world.credit("2027-02");
    assert_eq!(left(&mut world)[0], before[0]);
    assert!(left(&mut world)[1] >= before[1] + 14_900, "{:?}", left(&mut world));
    world.audit();
}

#[test]
fn its_balance_goes_to_every_terminal_and_again_when_it_changes() {
    let (mut world, a, b) = world();
    for terminal in [&a, &b] {
        let [balance] = world.card_balances(terminal, 0).try_into().unwrap();
        assert_eq!((balance.purse, balance.allowed, balance.serial.get()), (purse_ref(51), cents(7_500), 1));
        assert!(world.news(terminal, 0).iter().any(
            |item| matches!(item, Deliverable::Binding(card) if (card.card, card.tier, card.purse) == (card_ref(51), Tier::Purse, purse_ref(51)))
        ));
    }
    let cursor = world.db.read(|tx| tx.fund()).unwrap().change;
    assert_eq!(world.card_balances(&a, cursor), []);
    world.credit("2026-12");
    assert!(world.db.read(|tx| tx.has_news(b.id, b.epoch, cursor, NOW)).unwrap());
    for terminal in [&a, &b] {
        let [balance] = world.card_balances(terminal, cursor).try_into().unwrap();
        assert_eq!((balance.allowed, balance.serial.get()), (cents(15_000), 2));
    }
    // In pages, none is left out.
    let limits = NewsLimits { objects_max: 1, bytes_max: 200_000 };
    let (mut from, mut seen) = (0, 0);
    loop {
        let page = world.db.write(|tx| tx.news(a.id, a.epoch, from, limits, NOW)).unwrap();
        seen += page
            .items
            .iter()
            .filter(|item| matches!(item, Deliverable::Balance(balance) if balance.scope == Scope::Card))
            .count();
        from = page.cursor;
        if !page.more {
            break;
        }
    }
    assert_eq!(seen, 1);
}

#[test]
fn two_terminals_that_sell_in_turn_off_line_settle_exactly_in_whatever_order_they_sync() {
    for order in [[0, 0, 0, 1, 1], [1, 1, 0, 0, 0], [0, 1, 0, 1, 0], [1, 0, 0, 0, 1]] {
        let (mut world, mut a, mut b) = world();
        for (place, (amount, after)) in
            [(1_000, 1_000), (500, 1_500), (2_500, 4_000), (3_000, 7_000), (500, 7_500)].into_iter().enumerate()
        {
            let terminal = if place % 2 == 0 { &mut a } else { &mut b };
            terminal.tap(51, amount, after, 1);
        }
        let mut sent = [0, 0];
        for who in order {
            let terminal = if who == 0 { &a } else { &b };
            let row = &terminal.journal[sent[who]..=sent[who]];
            let outcome = world.ingest(&terminal.upload_of(terminal.head_at(sent[who]), row));
            assert_eq!((outcome.new_rows, outcome.over_right), (1, Cents::ZERO), "{order:?}");
            sent[who] += 1;
            world.audit();
        }
        assert_eq!((owed(&world, 1), owed(&world, 2)), (4_000, 3_500), "{order:?}");
        let card = world.card(1);
        assert_eq!((card.allowed, card.spent, card.left), (cents(7_500), cents(7_500), Cents::ZERO));
        assert_eq!(world.number::<u32>("SELECT count(*) FROM holes"), 0);
        // The same bytes again change nothing.
        assert_eq!(world.sync(&mut a).known_rows, 3);
        assert_eq!((owed(&world, 1), owed(&world, 2)), (4_000, 3_500));
    }
}

#[test]
fn a_stretch_that_two_terminals_claim_is_paid_once() {
    let (mut world, mut a, mut b) = world();
    a.tap(51, 2_000, 2_000, 1);
    b.tap(51, 2_500, 2_500, 1);
    world.sync(&mut b);
    let outcome = world.sync(&mut a);
    assert_eq!((outcome.settled, outcome.over_right), (Cents::ZERO, cents(2_000)));
    assert_eq!(world.verdicts(), [(0, 2_000, Some(OverRight::AlreadyClaimed)), (2_500, 0, None)]);
    assert_eq!((owed(&world, 1), owed(&world, 2)), (0, 2_500));
    world.audit();
}

#[test]
fn what_lies_above_the_named_serial_or_names_none_is_not_paid() {
    let (mut world, mut a, mut b) = world();
    a.tap(51, 7_000, 7_000, 1);
    a.tap(51, 1_000, 8_000, 1);
    a.tap(51, 100, 100, 7);
    // Not a purse card's purse; unknown; and its own purse named as a plain card's.
    a.tap(1, 100, 100, 1);
    a.tap(99, 100, 100, 1);
    a.sale(51, 100, 100, 1);
    world.sync(&mut a);
    assert_eq!(
        world.verdicts(),
        [
            (7_000, 0, None),
            (500, 500, Some(OverRight::AboveAllowed)),
            (0, 100, Some(OverRight::UnknownSerial)),
            (0, 100, Some(OverRight::UnknownSlice)),
            (0, 100, Some(OverRight::UnknownPurse)),
            (0, 100, Some(OverRight::UnknownSlice)),
        ]
    );
    // A return of it is none, and a closed epoch's rows are paid nothing.
    a.hand_back(51, 100, 100, 1);
    assert_eq!(world.sync(&mut a).over_right, cents(100));
    world.audit();
    world.credit("2026-12");
    b.start();
    world.sync(&mut b);
    world.close(&b, "Ada", "Bo");
    b.tap(51, 500, 8_500, 2);
    world.sync(&mut b);
    assert_eq!(world.verdicts().last(), Some(&(0, 500, Some(OverRight::EpochClosed))));
    // What it claimed was not settled: the card's counter keeps a hole there.
    a.tap(51, 500, 9_000, 2);
    assert_eq!(world.sync(&mut a).settled, cents(500));
    assert_eq!(world.number::<String>("SELECT from_cents || ' ' || to_cents FROM holes"), "7500 8500");
    world.audit();
}

#[test]
fn a_purse_cards_sale_is_not_reversed_and_its_refund_goes_to_the_household() {
    let (mut world, mut a, mut b) = world();
    a.tap(51, 4_000, 4_000, 1);
    a.reversal(51, 1, 4_000, 4_000);
    world.sync(&mut a);
    assert_eq!(owed(&world, 1), 4_000);
    let before = world.view(1);
    let total = |view: &PurseView| {
        let slices: u64 = view.slices.iter().map(|slice| slice.allowed.get() - slice.claimed.get()).sum();
        view.free.get() + slices + view.cards[0].left.get()
    };
    // Another purse, another shop, more than was paid; then it is granted.
    a.refund(1, a.place(1), 1_500, 1);
    b.refund(51, a.place(1), 1_500, 2);
    a.refund(51, a.place(1), 4_001, 3);
    a.refund(51, a.place(1), 1_500, 4);
    world.sync(&mut a);
    world.sync(&mut b);
    let states = "SELECT group_concat(state || ' ' || why, ', ' ORDER BY row) FROM refunds";
    assert_eq!(world.number::<String>(states), "2 11, 2 12, 1 0, 2 11");
    let view = world.view(1);
    assert_eq!((owed(&world, 1), total(&view)), (2_500, total(&before) + 1_500));
    assert_eq!(world.number::<u32>("SELECT credit & 4294967295 FROM transfers WHERE kind = 7"), 1);
    // It can be spent by the card again, as far as it lacks its part.
    assert!(view.cards[0].left > before.cards[0].left, "{view:?}");
    world.audit();
    // A card that was lost in between matters nothing.
    world.lose(51);
    a.refund(51, a.place(1), 2_500, 5);
    world.sync(&mut a);
    assert_eq!((owed(&world, 1), total(&world.view(1))), (0, total(&before) + 4_000));
    world.audit();
}

#[test]
fn an_extension_for_a_card_is_a_level_of_its_balance() {
    let (mut world, mut a, b) = world();
    let cursor = world.db.read(|tx| tx.fund()).unwrap().change;
    let balance = world.extend(&a, 51, 9_000).unwrap();
    assert_eq!((balance.scope, balance.allowed, balance.serial.get()), (Scope::Card, cents(9_000), 2));
    assert_eq!(world.extend(&a, 51, 9_000).unwrap(), balance);
    assert_eq!(world.extend(&b, 51, 100).unwrap(), balance);
    assert_eq!(world.card_balances(&b, cursor), [balance]);
    let all = world.extend(&b, 51, 99_999).unwrap();
    assert_eq!((all.allowed, all.serial.get()), (cents(10_500), 3), "as far as free money goes");
    // The rest lies in slices: the terminal that is connected is asked for it, and who waits is told.
    let connected = [a.id];
    let asked = |world: &mut World| {
        world.db.write(|tx| tx.recall_for(b.id, b.epoch, purse_ref(51), cents(12_000), &connected, NOW)).unwrap()
    };
    let short = asked(&mut world);
    assert_eq!((short.short, short.is_funded, short.recalled), (cents(1_500), true, 1));
    let recall = world.news(&a, cursor).into_iter().find_map(|item| match item {
        Deliverable::Recall(recall) => Some(recall),
        _ => None,
    });
    a.answer(&recall.unwrap(), 1_500, 1_500, 1);
    world.db.take_wakes();
    assert_eq!(world.sync(&mut a).settled, cents(1_500));
    assert!(world.db.take_wakes().contains(&Wake::Freed(purse_ref(51))));
    assert_eq!(world.extend(&b, 51, 12_000).unwrap().allowed, cents(12_000));
    world.audit();
    // A blocked card is given no more, and nobody is asked for it.
    world.credit("2026-12");
    world.lose(51);
    let before = world.card(1).allowed;
    assert_eq!(world.extend(&b, 51, 30_000).unwrap().allowed, before);
    assert_eq!(asked(&mut world).recalled, 0);
    world.audit();
}

#[test]
fn a_lost_cards_money_goes_back_once_when_every_live_terminal_has_journaled_the_list() {
    let (mut world, mut a, mut b) = world();
    a.tap(51, 1_000, 1_000, 1);
    world.sync(&mut a);
    let version = world.lose(51);
    let exposure = |world: &mut World| {
        let exposure = world.db.read(|tx| tx.exposure(NOW)).unwrap();
        (exposure.blocked_cards.get(), exposure.cards.first().map_or(0, |card| card.terminals))
    };
    assert_eq!((exposure(&mut world), world.release()), ((6_500, 2), 0));
    // What b sold before it heard of the list comes before its word.
    b.tap(51, 500, 1_500, 1);
    b.apply(version);
    world.sync(&mut b);
    assert_eq!((exposure(&mut world), world.card(1).released), ((6_000, 1), None));
    a.tap(51, 2_000, 3_500, 1);
    a.apply(version);
    let free = world.view(1).free;
    world.sync(&mut a);
    let card = world.card(1);
    assert_eq!((card.released, card.spent, card.left), (Some(cents(4_000)), cents(3_500), Cents::ZERO));
    assert_eq!((exposure(&mut world), world.release()), ((0, 0), 0), "once");
    let view = world.view(1);
    let at_terminals: u64 = view.slices.iter().map(|slice| slice.allowed.get()).sum();
    assert_eq!(view.free.get() + at_terminals, free.get() + 4_500 + 4_000);
    world.audit();
    // It never spends again, nor is it taken off the list, nor given more.
    b.tap(51, 1_000, 4_500, 1);
    world.sync(&mut b);
    assert_eq!(world.verdicts().last(), Some(&(0, 1_000, Some(OverRight::CardReleased))));
    let error = world.db.write(|tx| tx.card_unblock(CardName::Number(51), NOW)).unwrap_err();
    assert!(matches!(error, StoreError::CardReleased), "{error}");
    world.credit("2026-12");
    assert_eq!((world.card(1).allowed, world.card_balances(&a, 0)), (cents(7_500), Vec::new()));
    world.audit();
}

#[test]
fn a_terminal_that_does_not_answer_holds_a_lost_cards_money_until_its_epoch_is_closed() {
    let (mut world, mut a, mut b) = world();
    b.tap(51, 1_000, 1_000, 1);
    let version = world.lose(51);
    a.apply(version);
    world.sync(&mut a);
    assert_eq!(world.release(), 0);
    world.db.write(|tx| tx.terminal_revoke(b.id, NOW)).unwrap();
    assert_eq!(world.release(), 0, "its rows are still taken");
    let spendable = |world: &mut World, days: u64| {
        let contact = Contact { terminal: a.id, epoch: a.epoch, status: a.status(), cursor: 0 };
        world.db.write(|tx| tx.contact(&contact, at(days * 86_400))).unwrap();
        world.db.read(|tx| tx.exposure(at(days * 86_400))).unwrap().blocked_cards
    };
    assert_eq!(spendable(&mut world, 30), cents(7_500), "a silent terminal may have taken it");
    world.close(&b, "Ada", "Bo");
    assert_eq!((world.card(1).released, spendable(&mut world, 31)), (Some(cents(7_500)), Cents::ZERO));
    world.sync(&mut b);
    assert_eq!(world.verdicts(), [(0, 1_000, Some(OverRight::EpochClosed))]);
    world.audit();
}

#[test]
fn a_card_that_is_found_before_its_money_went_back_spends_on() {
    let (mut world, mut a, b) = world();
    let version = world.lose(51);
    a.apply(version);
    world.sync(&mut a);
    world.db.write(|tx| tx.card_unblock(CardName::Number(51), NOW)).unwrap();
    world.close(&b, "Ada", "Bo");
    assert_eq!((world.release(), world.card(1).is_blocked), (0, false));
    a.tap(51, 7_500, 7_500, 1);
    assert_eq!(world.sync(&mut a).settled, cents(7_500));
    // Lost again, the list that named it first counts no more; what is spent to the last cent leaves nothing to release.
    let version = world.lose(51);
    assert_eq!(world.release(), 0);
    a.apply(version);
    world.sync(&mut a);
    assert_eq!((world.card(1).released, world.card(1).spent), (Some(Cents::ZERO), cents(7_500)));
    world.audit();
}

#[test]
fn a_household_that_leaves_gets_nothing_back_on_a_card_and_what_comes_back_expires() {
    let (mut world, mut a, mut b) = world();
    world.db.write(|tx| tx.household_leave("H1", NOW)).unwrap();
    let card = world.card(1);
    assert!(card.is_blocked);
    assert_eq!((card.left, world.view(1).free), (cents(7_500), Cents::ZERO));
    let version = Version::new(world.number("SELECT version FROM hot_list"));
    for terminal in [&mut a, &mut b] {
        terminal.apply(version);
        world.sync(terminal);
    }
    assert_eq!((world.card(1).released, world.view(1).free), (Some(cents(7_500)), cents(7_500)));
    assert_eq!(world.db.write(|tx| tx.expire_left(NOW)).unwrap(), cents(7_500));
    assert_eq!(world.view(1).free, Cents::ZERO);
    world.audit();
}

#[test]
fn unspent_money_of_a_card_counts_as_spent_where_money_expires() {
    let mut world = World::credited();
    world.purse_card(51, 1);
    let from: Period = "2026-12".parse().unwrap();
    let (first_person, other) = (cents(15_000), Cents::ZERO);
    let rule = crate::core::household_rules::Rule {
        from,
        first_person,
        further_person: other,
        child_under_14: other,
        expire_months: Some(1),
    };
    world.db.write(|tx| tx.rule_set(rule, "the assembly", NOW)).unwrap();
    // Of 150.00 a half is on the card: what lies free expires, and no cent of the card.
    let after = at(60 * 86_400);
    let lines = world.db.read(|tx| tx.expiry_preview(from, after)).unwrap();
    let of = |code: &str| lines.iter().filter(|line| line.household == code).map(|line| line.cents.get()).sum::<u64>();
    assert_eq!((of("H1"), of("H2")), (7_500, 15_000));
    world.db.write(|tx| tx.expiry_book(from, 0, after)).unwrap();
    assert_eq!((world.card(1).left, world.view(1).free), (cents(7_500), Cents::ZERO));
    world.audit();
}

#[test]
fn old_balances_of_cards_are_made_anew_and_allow_no_more() {
    const DAY: u64 = 86_400;
    let (mut world, a, _) = world();
    world.purse_card(52, 2);
    world.lose(52);
    let renew = |world: &mut World, days: u64| world.db.write(|tx| tx.renew_cards(at(days * DAY))).unwrap();
    let cursor = world.db.read(|tx| tx.fund()).unwrap().change;
    assert!(!renew(&mut world, 29));
    assert_eq!(world.card_balances(&a, cursor), []);
    assert!(!renew(&mut world, 30));
    let [balance] = world.card_balances(&a, cursor).try_into().unwrap();
    assert_eq!((balance.allowed, balance.serial.get(), balance.issued_at), (cents(7_500), 2, at(30 * DAY)));
    renew(&mut world, 31);
    assert_eq!(world.card(1).serial.get(), 2);
    assert_eq!(world.card(2).serial.get(), 1, "a blocked card's balance is left to grow old");
    // A key was taken back: no day has passed, and terminals do not believe what they hold.
    assert!(!world.db.write(|tx| tx.balances_anew(at(30 * DAY + 1))).unwrap());
    assert_eq!((world.card(1).serial.get(), world.card(1).allowed), (3, cents(7_500)));
    world.audit();
}

/// A card that was loaded and tapped at both terminals after the backup.
fn yesterday() -> (World, Terminal, Terminal, std::path::PathBuf, Vec<SignedBalance>) {
    let (mut world, mut a, mut b) = world();
    for terminal in [&mut a, &mut b] {
        terminal.start();
        world.sync(terminal);
    }
    let backup = world.backup("yesterday.db");
    world.credit("2026-12");
    let held = world.card_balances(&b, 0);
    assert_eq!((held[0].allowed, held[0].serial.get()), (cents(15_000), 2));
    a.tap(51, 9_000, 9_000, 2);
    b.tap(51, 6_000, 15_000, 2);
    (world, a, b, backup, held)
}

#[test]
fn after_a_restore_any_terminal_hands_back_a_cards_balance_and_its_sales_wait_for_all() {
    let (mut world, mut a, mut b, backup, held) = yesterday();
    world.restore(&backup);
    for terminal in [&mut a, &mut b] {
        terminal.acked = terminal.head_at(1);
    }
    // a holds an older balance only; its sale names one that b knows.
    world.hand_back(&a, Vec::new(), true);
    let outcome = world.sync(&mut a);
    assert_eq!((outcome.new_rows, outcome.acked, outcome.disputed_rows), (0, a.head_at(1), 0));
    world.hand_back(&b, signed(&held), false);
    world.hand_back(&b, signed(&held), true);
    let card = world.card(1);
    assert_eq!((card.allowed, card.serial.get()), (cents(15_000), 2 + RESTORE_GAP));
    let view = world.view(1);
    assert_eq!((view.free, view.missing), (Cents::ZERO, cents(4_500)), "3 000 were free");
    for terminal in [&mut a, &mut b] {
        let outcome = world.sync(terminal);
        assert_eq!((outcome.new_rows, outcome.over_right), (1, Cents::ZERO));
    }
    assert_eq!((owed(&world, 1), owed(&world, 2)), (9_000, 6_000));
    // Everybody gets it anew, and the credit that is booked again pays what was missing.
    assert_eq!(world.card_balances(&a, 0), world.card_balances(&b, 0));
    assert_eq!(world.card_balances(&a, 0).len(), 1);
    world.audit();
    world.credit("2026-12");
    assert_eq!(world.view(1).missing, Cents::ZERO);
    world.audit();
}

#[test]
fn a_balance_of_a_card_that_the_backup_lacks_is_kept_as_evidence() {
    let mut world = World::credited();
    let a = world.terminal("A");
    let backup = world.backup("b.db");
    world.purse_card(51, 1);
    let held = world.card_balances(&a, 0);
    world.restore(&backup);
    world.hand_back(&a, signed(&held), true);
    assert_eq!(world.db.read(|tx| tx.restore_view()).unwrap().unwrap().unplaced, 1);
    world.audit();
}

/// A fund in which everything has happened to purse cards once: 51 spent, jumped and was released, 52 spends on, 53 was
/// found again after a restore.
fn lived_in() -> World {
    let (mut world, mut a, mut b, backup, held) = yesterday();
    world.restore(&backup);
    for terminal in [&mut a, &mut b] {
        terminal.acked = terminal.head_at(1);
        world.hand_back(terminal, signed(&held), true);
    }
    world.sync(&mut a);
    world.sync(&mut b);
    world.purse_card(52, 2);
    a.tap(52, 1_000, 2_000, 1);
    b.tap(52, 500, 500, 1);
    b.tap(52, 900, 2_300, 1);
    world.sync(&mut a);
    world.sync(&mut b);
    world.purse_card(53, 3);
    a.tap(53, 700, 700, 1);
    world.sync(&mut a);
    a.refund(52, a.place(3), 400, 1);
    let version = world.lose(53);
    for terminal in [&mut a, &mut b] {
        terminal.apply(version);
        world.sync(terminal);
    }
    b.tap(53, 100, 800, 1);
    world.sync(&mut b);
    assert_eq!(world.card(3).released, Some(cents(world.card(3).allowed.get() - 700)));
    world.audit();
    world
}

/// What is wrong, where it shows, and how it was done.
const FAULTS: [(FindingKind, &str, &str); 23] = [
    (FindingKind::Account, "card 5", "UPDATE accounts SET credits = credits + 1 WHERE id = (12 << 56) | 5"),
    (FindingKind::Serial, "card 5", "UPDATE accounts SET credits = credits + 1 WHERE id = (12 << 56) | 5"),
    (FindingKind::Overdrawn, "card 5", "UPDATE accounts SET debits = 999999 WHERE id = (12 << 56) | 5"),
    (
        FindingKind::Transfer,
        "transfer 4",
        "UPDATE serials SET allowed = 7400 WHERE slice = (12 << 56) | 4 AND serial = 1",
    ),
    (FindingKind::Serial, "card 5", "UPDATE card_balances SET serial = serial + 1 WHERE card = 52"),
    (FindingKind::Transfer, "transfer", "UPDATE transfers SET cents = cents - 1 WHERE kind = 11"),
    (
        FindingKind::Transfer,
        "transfer",
        "UPDATE transfers SET debit = (4 << 56) | 2 WHERE kind = 11 AND credit & 15 = 4",
    ),
    (FindingKind::Transfer, "transfer", "UPDATE transfers SET kind = 21 WHERE kind = 26"),
    (
        FindingKind::Held,
        "card 4 serial 2",
        "DROP TRIGGER held_stay; UPDATE held_balances SET envelope = x'00' WHERE slice = (12 << 56) | 4",
    ),
    (
        FindingKind::Transfer,
        "transfer",
        "UPDATE transfers SET credit = (6 << 56) | 2 WHERE kind = 12 AND credit = (6 << 56) | 1",
    ),
    (FindingKind::Transfer, "transfer", "UPDATE transfers SET cause = cause + 1 WHERE kind = 13"),
    (FindingKind::Transfer, "transfer", "UPDATE transfers SET credit = (4 << 56) | 1 WHERE kind = 13"),
    (FindingKind::Claim, "card 5 claim 5", "UPDATE rows SET settled = 900, over_right = 0, why = 0 WHERE why = 2"),
    (FindingKind::Claim, "card 6 claim 7", "UPDATE rows SET settled = 100, over_right = 0, why = 0 WHERE why = 14"),
    (FindingKind::Claim, "card 5 claim 5", "UPDATE rows SET settled = 0, over_right = 900, why = 5 WHERE why = 2"),
    (FindingKind::Claim, "card 5", "DELETE FROM holes"),
    (FindingKind::Claim, "card 5", "UPDATE card_balances SET unclaimed_cents = 0 WHERE card = 52"),
    (FindingKind::Claim, "all purse cards", "DELETE FROM card_claims WHERE id = 4"),
    (
        FindingKind::Claim,
        "all purse cards",
        "INSERT INTO card_claims (account, row) SELECT account, row FROM card_claims WHERE id = 1",
    ),
    (
        // The row that came first is said to have come last: it would have found its stretch claimed.
        FindingKind::Claim,
        "card 5 claim 5",
        "UPDATE card_claims SET row = (SELECT sum(row) FROM card_claims WHERE id IN (3, 5)) - row WHERE id IN (3, 5)",
    ),
    (FindingKind::Card, "card 5", "UPDATE cards SET purse = 5 WHERE number = 2"),
    (FindingKind::Card, "card 6", "UPDATE cards SET blocked_at = NULL, blocked_in = NULL WHERE number = 53"),
    (
        FindingKind::Card,
        "card 6",
        "UPDATE epochs SET list_applied = 0 WHERE number = 1; UPDATE card_releases SET released_at = released_at + 1",
    ),
];

#[test]
fn each_planted_fault_is_found_and_named() {
    let mut missed = Vec::new();
    for (kind, subject, sql) in FAULTS {
        let mut world = lived_in();
        world.tamper(sql);
        let report = world.verify();
        let found = report.findings.iter().any(|finding| finding.kind == kind && finding.subject.starts_with(subject));
        if !found {
            let all: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
            missed.push(format!("{kind:?} of {subject} by {sql}, found: {all:#?}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn a_card_sale_booked_twice_is_found() {
    let mut world = lived_in();
    world.tamper(
        "INSERT INTO transfers SELECT (SELECT max(id) + 1 FROM transfers), debit, credit, cents, kind, cause,
            (SELECT newest FROM accounts WHERE id = debit), (SELECT newest FROM accounts WHERE id = credit)
            FROM transfers WHERE kind = 12 AND cents = 500 LIMIT 1;
         UPDATE accounts SET debits = debits + 500, newest = (SELECT max(id) FROM transfers)
            WHERE id = (SELECT debit FROM transfers ORDER BY id DESC LIMIT 1);
         UPDATE accounts SET credits = credits + 500, newest = (SELECT max(id) FROM transfers)
            WHERE id = (SELECT credit FROM transfers ORDER BY id DESC LIMIT 1);",
    );
    let texts: Vec<_> = world.verify().findings.iter().map(ToString::to_string).collect();
    assert!(texts.iter().any(|text| text.starts_with("claim: card 5: ")), "{texts:#?}");
}

#[test]
fn what_a_household_may_spend_over_all_its_purses_is_no_more_than_it_was_credited() {
    let mut world = World::credited();
    world.purse_card(51, 1);
    world.tamper("UPDATE credits SET cents = 7499 WHERE id = 1");
    let report = world.verify();
    let found = |kind| report.findings.iter().any(|finding| finding.kind == kind && finding.subject == "purse 1");
    assert!(found(FindingKind::Conservation), "{:?}", report.findings);
}

#[test]
fn the_example_of_the_ledgers_page_comes_out_as_written() {
    let (mut world, mut a, mut b) = world();
    let mut left = Vec::new();
    a.tap(51, 1_000, 1_000, 1);
    for row in [(500, 1_500), (1_000, 1_500)] {
        b.tap(51, row.0, row.1, 1);
        world.sync(&mut b);
        left.push(world.card(1).left.get());
    }
    world.sync(&mut a);
    left.push(world.card(1).left.get());
    let version = world.lose(51);
    for terminal in [&mut a, &mut b] {
        terminal.apply(version);
        world.sync(terminal);
    }
    assert_eq!(left, [7_000, 6_500, 6_000]);
    assert_eq!(world.card(1).released, Some(cents(6_000)));
    let twice = Some(OverRight::AlreadyClaimed);
    assert_eq!(world.verdicts(), [(500, 500, twice), (500, 0, None), (500, 500, twice)]);
    world.audit();
}

#[test]
fn an_upload_says_what_became_of_a_cards_sale() {
    let (mut world, mut a, _) = world();
    a.tap(51, 8_000, 8_000, 1);
    let IngestOutcome { settled, over_right, .. } = world.sync(&mut a);
    assert_eq!((settled, over_right), (cents(7_500), cents(500)));
    // It stands on the shop's statement like any other sale.
    let cut = world.db.read(|tx| tx.settlement_cut()).unwrap();
    let closed = world.db.write(|tx| tx.settlement_close(&cut, at(10))).unwrap().unwrap();
    assert_eq!((closed.payout, closed.shops[0].sums.over_right), (cents(7_500), cents(500)));
    world.audit();
}
