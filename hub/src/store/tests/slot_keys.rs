//! The keys of slots after a theft, by examples worked out by hand. Shop A has slot 1 and shop B slot 2; household 1 has a
//! half of its 150.00 on purse card 51, household 2 on 52.
#![allow(clippy::wildcard_enum_match_arm, reason = "news that are no keys")]

use cabas_card::issue::Renewed;
use cabas_protocol::sync::Standing;
use cabas_protocol::{Cents, TerminalId};

use cabas_protocol::row::Tier;

use super::card_proofs::Chip;
use super::world::{ALL_NEWS, NOW, Terminal, World, at, card_ref, cents, purse_ref};
use crate::store::{
    CardName, CardSessionRefusal, CardVerb, Deliverable, Exposure, KeyExposure, NewsLimits, StoreError,
};

const DAY: u64 = 86_400;

/// What a terminal took: version and oldest of each key, by card, oldest change first; and where it goes on.
type Keys = (Vec<(u8, u8, u8)>, u64);

impl World {
    /// An admin's reader issues or renews a card; `versions` are those that it has then.
    fn has_keys(&mut self, admin: &Terminal, verb: CardVerb, number: u8, versions: &[(u8, u8)]) {
        let renewed = Renewed { committed: None, versions: versions.to_vec() };
        let asked = (admin.id, verb, u32::from(number));
        self.db.write(|tx| tx.card_grant(admin.id, verb, (number.into(), Tier::Purse), Some("H1"), at(60))).unwrap();
        self.db
            .write(|tx| {
                tx.card_plan(asked, card_ref(number), purse_ref(number), NOW)?;
                tx.card_done(asked, &[number], &renewed, NOW)
            })
            .unwrap();
    }

    fn issued_with(&mut self, admin: &Terminal, number: u8, slot: u8, version: u8) {
        self.has_keys(admin, CardVerb::Issue, number, &[(slot, version), (8, 1)]);
    }

    fn renew(&mut self, admin: &Terminal, number: u8, slot: u8, version: u8) {
        self.has_keys(admin, CardVerb::Renew, number, &[(slot, version), (8, 1)]);
    }

    fn renew_slot(&mut self) -> Result<(u8, u8), StoreError> {
        self.db.write(|tx| tx.slot_renew("A"))
    }

    fn keys(&mut self, terminal: &Terminal, cursor: u64) -> Keys {
        let news = self.db.write(|tx| tx.news(terminal.id, terminal.epoch, cursor, ALL_NEWS, NOW)).unwrap();
        let keys = news.items.into_iter().filter_map(|item| match item {
            Deliverable::SlotKey(key) => Some((key.card.as_bytes()[7], key.version, key.oldest)),
            _ => None,
        });
        (keys.collect(), news.cursor)
    }

    fn takes_news(&mut self, terminal: &Terminal) {
        let (_, cursor) = self.keys(terminal, 0);
        self.db.write(|tx| tx.keys_confirmed(terminal.id, terminal.epoch, cursor)).unwrap();
    }

    fn revoke(&mut self, terminal: TerminalId) {
        self.db.write(|tx| tx.terminal_revoke(terminal, NOW)).unwrap();
    }

    fn exposed(&mut self) -> Exposure {
        self.db.read(|tx| tx.exposure(NOW)).unwrap()
    }
}

/// Two purse cards that are issued, and three terminals of shop A.
fn world() -> (World, [Terminal; 3]) {
    let mut world = World::credited();
    world.purse_card(51, 1);
    world.purse_card(52, 2);
    let terminals = ["A", "A", "A"].map(|shop| world.terminal(shop));
    for card in [51, 52] {
        world.issued_with(&terminals[2], card, 1, 1);
    }
    (world, terminals)
}

#[test]
fn the_terminals_of_a_slot_get_the_next_key_of_every_card_ahead_of_the_card() {
    let (mut world, [thief, shop, admin]) = world();
    let other = world.terminal("B");
    let (keys, cursor) = world.keys(&shop, 0);
    assert_eq!(keys, [(51, 1, 1), (52, 1, 1)]);
    world.revoke(thief.id);
    assert_eq!(world.renew_slot().unwrap(), (1, 2));
    let (keys, ahead) = world.keys(&shop, cursor);
    assert_eq!(keys, [(51, 2, 1), (52, 2, 1)], "the cards have the old one");
    assert!(world.db.read(|tx| tx.has_news(shop.id, shop.epoch, cursor, NOW)).unwrap());
    assert_eq!(world.keys(&shop, ahead).0, [], "once");
    assert_eq!(world.keys(&other, cursor).0, [], "another slot's are not its own");
    assert_eq!(world.keys(&thief, cursor).0, [], "who is revoked gets none");
    // A card comes by.
    world.renew(&admin, 51, 1, 2);
    assert_eq!(world.keys(&shop, ahead).0, [(51, 2, 2)], "the old one opens it no more");
    assert_eq!(world.keys(&shop, cursor).0, [(52, 2, 1), (51, 2, 2)], "who was away meanwhile");
    // A terminal that is new gets the key that a card has, and the next one after it; a card that is new has one.
    world.issued_with(&admin, 53, 1, 2);
    let new = world.terminal("A");
    assert_eq!(world.keys(&new, 0).0, [(52, 1, 1), (52, 2, 1), (51, 2, 2), (53, 2, 2)]);
    world.audit();
}

#[test]
fn a_terminal_that_is_new_gets_the_keys_between_too_for_a_card_that_left_may_have_one() {
    let (mut world, [thief, shop, admin]) = world();
    let (_, cursor) = world.keys(&shop, 0);
    world.revoke(thief.id);
    world.renew_slot().unwrap();
    // Card 51 may have been given version 2 now: the reader never heard of it.
    world.renew_slot().unwrap();
    assert_eq!(world.keys(&shop, cursor).0, [(51, 2, 1), (52, 2, 1), (51, 3, 1), (52, 3, 1)]);
    let new = world.terminal("A");
    let all = |card| (1..=3).map(move |version| (card, version, 1));
    let mut keys = world.keys(&new, 0).0;
    keys.sort_unstable();
    assert_eq!(keys, all(51).chain(all(52)).collect::<Vec<_>>());
    world.renew(&admin, 51, 1, 3);
    let newer = world.terminal("A");
    let mut keys = world.keys(&newer, 0).0;
    keys.sort_unstable();
    assert_eq!(keys, std::iter::once((51, 3, 3)).chain(all(52)).collect::<Vec<_>>());
    world.audit();
}

#[test]
fn keys_come_in_pages_and_none_is_left_out() {
    let (mut world, [thief, shop, _]) = world();
    world.revoke(thief.id);
    world.renew_slot().unwrap();
    let (mut found, mut cursor) = (Vec::new(), 0);
    loop {
        let limits = NewsLimits { objects_max: 2, bytes_max: 200_000 };
        let page = world.db.write(|tx| tx.news(shop.id, shop.epoch, cursor, limits, NOW)).unwrap();
        cursor = page.cursor;
        found.extend(page.items.into_iter().filter(|item| matches!(item, Deliverable::SlotKey(_))));
        if !page.more {
            break;
        }
    }
    assert_eq!(found.len(), 4, "{found:?}");
}

#[test]
fn an_enrolment_that_was_replaced_gets_no_new_keys() {
    let (mut world, [old, ..]) = world();
    let cursor = world.keys(&old, 0).1;
    let new = world.enrol_again(old.id);
    world.renew_slot().unwrap();
    assert_eq!((world.keys(&old, cursor).0.len(), world.keys(&new, cursor).0.len()), (0, 2));
}

#[test]
fn a_slot_is_not_renewed_beyond_what_terminals_keep_of_a_card() {
    let (mut world, [_, _, admin]) = world();
    assert_eq!((world.renew_slot().unwrap(), world.renew_slot().unwrap()), ((1, 2), (1, 3)));
    assert!(matches!(world.renew_slot(), Err(StoreError::KeysBehind { slot: 1, cards: 2 })));
    world.renew(&admin, 51, 1, 3);
    assert!(matches!(world.renew_slot(), Err(StoreError::KeysBehind { slot: 1, cards: 1 })));
    world.db.write(|tx| tx.card_block(CardName::Number(52), NOW)).unwrap();
    assert_eq!(world.renew_slot().unwrap(), (1, 4));
}

#[test]
fn a_dialogue_that_ends_after_another_theft_leaves_the_next_key_last() {
    let (mut world, [_, shop, admin]) = world();
    world.renew_slot().unwrap();
    world.renew_slot().unwrap();
    // It was planned for version 2.
    world.renew(&admin, 51, 1, 2);
    assert_eq!(world.keys(&shop, 0).0, [(52, 1, 1), (52, 2, 1), (52, 3, 1), (51, 2, 2), (51, 3, 2)]);
}

#[test]
fn a_card_that_is_ahead_of_a_restored_hub_takes_the_slot_along() {
    let (mut world, [_, shop, admin]) = world();
    world.renew(&admin, 51, 1, 3);
    let slots = world.db.read(|tx| tx.shops()).unwrap();
    assert_eq!(slots[0].slot, Some((1, 3)));
    assert_eq!(world.keys(&shop, 0).0, [(52, 1, 1), (51, 3, 3), (52, 2, 1), (52, 3, 1)]);
}

#[test]
fn a_blocked_card_is_not_renewed() {
    let (mut world, [_, _, admin]) = world();
    world.db.write(|tx| tx.card_block(CardName::Number(51), NOW)).unwrap();
    world.db.write(|tx| tx.card_grant(admin.id, CardVerb::Renew, (51, Tier::Purse), None, at(60))).unwrap();
    let plan = |world: &mut World, card| {
        world.db.write(|tx| tx.card_plan((admin.id, CardVerb::Renew, 51), card_ref(card), purse_ref(9), NOW))
    };
    assert!(matches!(plan(&mut world, 51), Err(StoreError::CardSession(CardSessionRefusal::Blocked(51)))));
    world.db.write(|tx| tx.card_unblock(CardName::Number(51), NOW)).unwrap();
    assert!(matches!(plan(&mut world, 52), Err(StoreError::CardSession(CardSessionRefusal::OtherCard(51)))));
    let plan = plan(&mut world, 51).unwrap();
    assert_eq!((plan.balance.unwrap().allowed, plan.due.len()), (cents(7_500), 8));
}

#[test]
fn stolen_keys_are_exposed_until_every_card_is_renewed_and_every_terminal_has_heard_of_it() {
    let (mut world, [thief, shop, admin]) = world();
    assert_eq!(world.exposed().total().unwrap(), Cents::ZERO, "all in good hands");
    let locked = world.exposed().locked;
    world.revoke(thief.id);
    let exposure = world.exposed();
    let entry = KeyExposure {
        terminal: thief.id,
        epoch: thief.epoch,
        standing: Standing::Revoked,
        slot: 1,
        version: 1,
        cards: 2,
        terminals: 2,
        cents: cents(15_000),
    };
    assert_eq!((exposure.lost_keys, exposure.keys.as_slice()), (cents(15_000), [entry].as_slice()));
    assert_eq!(exposure.total().unwrap(), exposure.locked.plus(cents(15_000)).unwrap());
    assert!(exposure.locked > locked, "what lies at the stolen terminal is counted apart");
    // A new key alone changes nothing: the cards have the old one.
    world.renew_slot().unwrap();
    assert_eq!(world.exposed().keys, [entry]);
    // What was spent cannot be lost any more.
    let mut seller = world.terminal("B");
    let mut chip = Chip { number: 51, balance: Vec::new(), spent: 0, counter: 0, records: Vec::new() };
    chip.pay(&mut seller, 1_000, 1);
    world.sync(&mut seller);
    assert_eq!(world.exposed().lost_keys, cents(14_000));
    // A renewed card counts until those that still take its old key have dropped it.
    world.renew(&admin, 51, 1, 2);
    world.takes_news(&admin);
    assert_eq!(world.exposed().lost_keys, cents(14_000), "one has not heard of it");
    world.takes_news(&shop);
    assert_eq!(world.exposed().keys, [KeyExposure { cards: 1, cents: cents(7_500), ..entry }]);
    // A card that was issued later never had a key that the thief knows.
    world.issued_with(&admin, 53, 1, 2);
    assert_eq!(world.exposed().keys[0].cards, 1);
    world.renew(&admin, 52, 1, 2);
    for terminal in [&shop, &admin] {
        world.takes_news(terminal);
    }
    assert_eq!((world.exposed().lost_keys, world.exposed().keys), (Cents::ZERO, Vec::new()));
    world.audit();
}

#[test]
fn a_blocked_card_is_counted_once_and_two_thieves_lose_no_cent_twice() {
    let (mut world, [one, two, _]) = world();
    world.revoke(one.id);
    world.revoke(two.id);
    let exposure = world.exposed();
    assert_eq!((exposure.lost_keys, exposure.keys.len()), (cents(15_000), 2));
    assert_eq!(exposure.keys.iter().map(|key| key.cents.get()).sum::<u64>(), 30_000, "each of them could");
    world.db.write(|tx| tx.card_block(CardName::Number(51), NOW)).unwrap();
    let exposure = world.exposed();
    // Card 51 is a lost card: nobody has applied the list.
    assert_eq!((exposure.lost_keys, exposure.blocked_cards), (cents(7_500), cents(7_500)));
}

#[test]
fn keys_are_lost_with_terminals_that_are_silent_or_copied_and_with_stolen_ones_that_are_closed() {
    let (mut world, [silent, copied, _]) = world();
    let standings = |world: &mut World, days| {
        let exposure = world.db.read(|tx| tx.exposure(at(days * DAY))).unwrap();
        exposure.keys.iter().map(|key| (key.terminal, key.standing, key.version)).collect::<Vec<_>>()
    };
    world.calls(&copied, 7);
    let admin = world.terminal("A");
    world.calls(&admin, 7);
    // The third one is silent as well.
    assert_eq!(standings(&mut world, 8).len(), 2);
    assert_eq!(standings(&mut world, 8)[0], (silent.id, Standing::Live, 1));
    // Who only does not answer gets the new keys when it calls: it is to be revoked first.
    world.renew_slot().unwrap();
    assert_eq!(standings(&mut world, 8)[0], (silent.id, Standing::Live, 2));
    let third = TerminalId::new(3);
    for terminal in [silent.id, third] {
        world.revoke(terminal);
    }
    assert_eq!(standings(&mut world, 0), [(silent.id, Standing::Revoked, 2), (third, Standing::Revoked, 2)]);
    // Closing pays nothing more by its rows; its keys are where they were.
    world.close(&silent, "Ada", "Bo");
    assert_eq!(standings(&mut world, 0)[0], (silent.id, Standing::Closed, 2));
    // One that was in order and will not come back took no keys along.
    world.close(&admin, "Ada", "Bo");
    assert!(standings(&mut world, 0).iter().all(|(terminal, ..)| *terminal != admin.id));
    // Nobody is left to whom a card could be played.
    world.close(&copied, "Ada", "Bo");
    assert_eq!(standings(&mut world, 0), []);
}

#[test]
fn a_slot_that_is_renewed_while_a_card_is_issued_gets_its_next_key_ahead_too() {
    let (mut world, [_, shop, admin]) = world();
    world.renew_slot().unwrap();
    // Its dialogue had begun before.
    world.issued_with(&admin, 53, 1, 1);
    let (keys, _) = world.keys(&shop, 0);
    assert!(keys.contains(&(53, 1, 1)) && keys.contains(&(53, 2, 1)), "{keys:?}");
    world.audit();
}

#[test]
fn looking_for_new_keys_searches_an_index_and_sorts_nothing() {
    let (world, _) = world();
    for query in super::super::slot_keys::KEY_QUERIES {
        let mut plan = world.db.conn.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
        let steps = plan.query_map([1, 0, 10], |row| row.get::<_, String>(3)).unwrap().map(Result::unwrap);
        let bad: Vec<_> = steps.filter(|step| step.starts_with("SCAN") || step.contains("TEMP B-TREE")).collect();
        assert_eq!(bad, Vec::<String>::new(), "{query}");
    }
}
