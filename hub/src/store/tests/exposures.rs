//! Money that is out of the hub's hands, by examples worked out by hand. 150.00 a household; at the only terminal lie
//! 90.00 of each. A plain card spends at most 200.00 a day, and the list may be a day old: two days.

use cabas_protocol::RowBody;
use cabas_protocol::row::ListApplied;
use cabas_protocol::sync::Standing;
use cabas_protocol::{Cents, Version};

use super::restores::signed;
use super::world::{NOW, Terminal, World, at, card_ref, cents};
use crate::store::{CardName, Contact, Exposure, GoodwillRule, StoreError};

const DAY: u64 = 86_400;

impl World {
    fn exposure(&mut self, days: u64) -> Exposure {
        self.db.read(|tx| tx.exposure(at(days * DAY))).unwrap()
    }

    fn block(&mut self, number: u32) -> Version {
        self.db.write(|tx| tx.card_block(CardName::Number(number), NOW)).unwrap()
    }

    pub(super) fn calls(&mut self, terminal: &Terminal, days: u64) {
        let contact = Contact { terminal: terminal.id, epoch: terminal.epoch, status: terminal.status(), cursor: 0 };
        self.db.write(|tx| tx.contact(&contact, at(days * DAY))).unwrap();
    }

    fn goodwill(&mut self, per_household: u64, total: u64, days: u64) -> Cents {
        let (per_household, total) = (cents(per_household), cents(total));
        let rule = GoodwillRule { is_on: true, per_household, total, silent_days: 7 };
        self.db
            .write(|tx| {
                tx.goodwill_set(rule)?;
                tx.goodwill_advance(at(days * DAY))
            })
            .unwrap()
    }
}

#[test]
fn a_blocked_card_is_exposed_until_the_terminal_has_journaled_the_list() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    assert_eq!(world.exposure(0), Exposure::default());
    let version = world.block(1);
    let exposure = world.exposure(0);
    assert_eq!((exposure.blocked_cards, exposure.total().unwrap()), (cents(9_000), cents(9_000)));
    assert_eq!((exposure.cards[0].number, exposure.cards[0].terminals), (1, 1));
    // What it tells of itself is not its word in the journal.
    world.calls(&terminal, 0);
    assert_eq!(world.exposure(0).blocked_cards, cents(9_000));
    terminal.sale(1, 1_000, 1_000, 1);
    terminal.write(RowBody::ListApplied(ListApplied { version }));
    world.ingest(&terminal.upload_of(terminal.head_at(0), &terminal.journal[..1]));
    assert_eq!(world.exposure(0).blocked_cards, cents(8_000), "its sales before come before");
    world.sync(&mut terminal);
    assert_eq!(world.exposure(0), Exposure::default());
    // An older list in a later row takes nothing back.
    terminal.write(RowBody::ListApplied(ListApplied { version: Version::new(1) }));
    world.sync(&mut terminal);
    assert_eq!(world.exposure(0), Exposure::default());
    world.audit();
}

#[test]
fn limits_of_plain_cards_bound_what_is_exposed() {
    let mut world = World::credited();
    let terminal = world.terminal("A");
    let limits = crate::store::PolicyLimits {
        plain_day_cents_max: cents(2_000),
        plain_list_age_s_max: 86_400,
        ..super::world::limits()
    };
    world.db.write(|tx| tx.policy_set(limits, NOW)).unwrap();
    world.block(1);
    world.block(2);
    let exposure = world.exposure(0);
    assert_eq!(exposure.blocked_cards, cents(4_000 + 4_000));
    let new = card_ref(77);
    world.db.write(|tx| tx.card_replace(3, 33, new, NOW)).unwrap();
    world.block(33);
    let exposure = world.exposure(0);
    assert_eq!(exposure.cards.len(), 4);
    assert_eq!(exposure.blocked_cards, cents(12_000), "two cards of one purse spend the same money");
    world.close(&terminal, "Ada", "Bo");
    assert_eq!(world.exposure(0).total().unwrap(), Cents::ZERO);
}

#[test]
fn money_at_terminals_that_do_not_answer_is_locked() {
    let mut world = World::credited();
    let (a, b) = (world.terminal("A"), world.terminal("B"));
    world.extend(&b, 1, 2_500);
    world.calls(&b, 6);
    world.block(1);
    assert_eq!(world.exposure(6).locked, Cents::ZERO);
    // After the seventh day A is silent; the card is then counted at B alone.
    let exposure = world.exposure(8);
    assert_eq!((exposure.locked, exposure.blocked_cards), (cents(27_000), cents(2_500)));
    assert_eq!((exposure.epochs[0].terminal, exposure.epochs[0].standing), (a.id, Standing::Live));
    world.db.write(|tx| tx.terminal_revoke(b.id, NOW)).unwrap();
    let exposure = world.exposure(8);
    assert_eq!((exposure.locked, exposure.blocked_cards), (cents(29_500), Cents::ZERO));
    world.close(&a, "Ada", "Bo");
    assert_eq!(world.exposure(8).total().unwrap(), cents(2_500));
}

#[test]
fn a_replaced_card_is_blocked_and_the_new_one_has_the_same_purse() {
    let mut world = World::credited();
    let new = card_ref(50);
    let version = world.db.write(|tx| tx.card_replace(1, 50, new, NOW)).unwrap();
    let purse = |number: u32| world.number::<u32>(&format!("SELECT purse FROM cards WHERE number = {number}"));
    assert_eq!(purse(1), purse(50));
    assert_eq!(world.number::<u32>("SELECT blocked_in FROM cards WHERE number = 1"), version.get());
    assert_eq!(world.number::<u32>("SELECT count(*) FROM cards WHERE number = 50 AND blocked_at IS NULL"), 1);
    // What cannot be leaves the old card as it was.
    for (number, card) in [(2, card_ref(60)), (60, card_ref(2)), (60, card_ref(3))] {
        let error = world.db.write(|tx| tx.card_replace(3, number, card, NOW)).unwrap_err();
        assert!(matches!(error, StoreError::CardTaken { .. }), "{error}");
    }
    assert_eq!(world.number::<u32>("SELECT count(*) FROM cards WHERE blocked_at IS NOT NULL"), 1);
    // Off the list again is a newer list, never an older one.
    let next = world.db.write(|tx| tx.card_unblock(CardName::Number(1), NOW)).unwrap();
    assert!(next > version);
    world.audit();
}

#[test]
fn goodwill_is_off_until_it_is_set_and_then_keeps_its_limits() {
    let mut world = World::credited();
    let terminal = world.terminal("A");
    assert_eq!(world.db.write(|tx| tx.goodwill_advance(at(99 * DAY))).unwrap(), Cents::ZERO);
    assert_eq!(world.goodwill(5_000, 12_000, 6), Cents::ZERO, "the terminal is not silent yet");
    assert_eq!(world.goodwill(5_000, 12_000, 8), cents(5_000 + 5_000 + 2_000));
    assert_eq!(world.goodwill(5_000, 12_000, 8), Cents::ZERO, "once");
    let view = world.db.read(|tx| tx.household_money("H1")).unwrap().unwrap();
    assert_eq!((view.free, view.goodwill), (cents(11_000), cents(5_000)));
    let exposure = world.exposure(8);
    assert_eq!((exposure.locked, exposure.goodwill), (cents(27_000), cents(12_000)));
    world.audit();
    // A credit is new money: it pays nothing back.
    world.calls(&terminal, 9);
    world.credit("2026-12");
    assert_eq!(world.exposure(9).goodwill, cents(12_000));
    world.audit();
}

#[test]
fn goodwill_is_paid_back_first_when_the_money_comes_back() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    world.goodwill(5_000, 99_000, 8);
    // Household 1 returns 30.00, which all goes to the fund; then the rest is voided.
    terminal.hand_back(1, 3_000, 3_000, 1);
    world.sync(&mut terminal);
    let view = world.db.read(|tx| tx.household_money("H1")).unwrap().unwrap();
    assert_eq!((view.free, view.goodwill), (cents(11_000), cents(2_000)));
    world.audit();
    world.close(&terminal, "Ada", "Bo");
    let view = world.db.read(|tx| tx.household_money("H1")).unwrap().unwrap();
    assert_eq!((view.free, view.goodwill), (cents(15_000), Cents::ZERO), "its own money, to the cent");
    assert_eq!(world.exposure(8), Exposure::default());
    world.audit();
}

#[test]
fn what_was_advanced_and_spent_at_the_silent_terminal_too_stays_counted() {
    let mut world = World::credited();
    let mut silent = world.terminal("A");
    let mut other = world.terminal("B");
    world.goodwill(9_000, 99_000, 8);
    let balance = world.extend(&other, 1, 15_000).unwrap();
    other.sale(1, 15_000, 15_000, balance.serial.get());
    world.sync(&mut other);
    silent.sale(1, 9_000, 9_000, 1);
    world.sync(&mut silent);
    let view = world.db.read(|tx| tx.household_money("H1")).unwrap().unwrap();
    assert_eq!((view.free, view.goodwill), (Cents::ZERO, cents(9_000)), "what the fund paid beyond its credit");
    assert_eq!(world.owed().1, cents(24_000));
    world.audit();
}

#[test]
fn goodwill_that_a_restore_forgot_is_not_advanced_on_top_of_what_it_left_missing() {
    let mut world = World::credited();
    let (silent, other) = (world.terminal("A"), world.terminal("B"));
    let backup = world.backup("before.db");
    assert_eq!(world.goodwill(5_000, 99_000, 8), cents(15_000));
    // Household 1 takes what is free with it: it lies at the other terminal, and the backup knows nothing of it.
    world.extend(&other, 1, 11_000).unwrap();
    let held = [&silent, &other].map(|terminal| signed(&world.all_balances(terminal)));
    world.restore(&backup);
    for (terminal, held) in [&silent, &other].into_iter().zip(held) {
        world.hand_back(terminal, held, true);
    }
    world.calls(&other, 8);
    assert_eq!(world.goodwill(5_000, 99_000, 8), cents(10_000), "the two others' only");
    assert_eq!(world.goodwill(5_000, 16_000, 8), Cents::ZERO);
    let view = world.db.read(|tx| tx.household_money("H1")).unwrap().unwrap();
    assert_eq!((view.free, view.goodwill), (Cents::ZERO, Cents::ZERO));
    world.audit();
}

#[test]
fn a_pause_reaches_every_open_enrolment_and_ends() {
    let mut world = World::credited();
    let terminal = world.terminal("A");
    let cursor = world.db.read(|tx| tx.fund()).unwrap().change;
    let config = |world: &mut World, cursor| {
        let news = world.news(&terminal, cursor);
        let [crate::store::Deliverable::TerminalConfig(config)] = news.as_slice() else { panic!("{news:?}") };
        (config.paused, config.version.get())
    };
    assert!(world.db.write(|tx| tx.pause(true)).unwrap());
    assert_eq!(config(&mut world, cursor), (true, 2));
    assert!(!world.db.write(|tx| tx.pause(true)).unwrap(), "once");
    world.db.write(|tx| tx.pause(false)).unwrap();
    assert_eq!(config(&mut world, cursor), (false, 3));
}
