//! Sales that their own terminal undoes.

use cabas_protocol::Cents;

use super::world::{Terminal, World, at, cents};
use crate::core::ledger::OverRight;
use crate::store::{AlarmKind, Settlement};

/// A world, and a terminal of shop `A` that may spend all of purse 1 under serial 2.
fn world() -> (World, Terminal) {
    let mut world = World::credited();
    let terminal = world.terminal("A");
    let balance = world.extend(&terminal, 1, 15_000).unwrap();
    assert_eq!((balance.allowed, balance.serial.get()), (cents(15_000), 2));
    (world, terminal)
}

fn why(world: &World, seq: u32) -> Option<OverRight> {
    OverRight::of_number(world.number(&format!("SELECT why FROM rows WHERE key & 0xffffffff = {seq}")))
}

/// What the shops were given and what was taken from them.
fn owed(world: &mut World) -> (u64, u64) {
    let (taken, given) = world.owed();
    (given.get(), taken.get())
}

fn settle(world: &mut World) -> Option<Settlement> {
    let cut = world.db.read(|tx| tx.settlement_cut()).unwrap();
    world.db.write(|tx| tx.settlement_close(&cut, at(1_000))).unwrap()
}

#[test]
fn a_sale_that_was_undone_can_be_spent_again_once_and_the_shop_is_owed_nothing_for_it() {
    let (mut world, mut terminal) = world();
    terminal.sale(1, 15_000, 15_000, 2);
    terminal.reversal(1, 1, 15_000, 15_000);
    let outcome = world.sync(&mut terminal);
    assert_eq!((outcome.settled, outcome.over_right), (cents(15_000), Cents::ZERO));
    assert_eq!(owed(&mut world), (15_000, 15_000));
    world.audit();
    terminal.sale(1, 15_000, 30_000, 2);
    terminal.sale(1, 100, 30_100, 2);
    let outcome = world.sync(&mut terminal);
    assert_eq!((outcome.settled, outcome.over_right), (cents(15_000), cents(100)));
    assert_eq!(owed(&mut world), (30_000, 15_000));
    let balance = world.extend(&terminal, 1, 30_000).unwrap();
    assert_eq!(balance.allowed, cents(15_000), "what is allowed stays what was reserved");
    world.audit();
    let before = world.number::<i64>("SELECT count(*) FROM transfers");
    let again = world.ingest(&terminal.upload_of(terminal.head_at(0), &terminal.journal.clone()));
    assert_eq!((again.new_rows, again.known_rows, again.alarms), (0, 4, Vec::new()));
    assert_eq!(world.number::<i64>("SELECT count(*) FROM transfers"), before);
    world.audit();
}

#[test]
fn what_was_undone_is_shown_as_not_spent() {
    let (mut world, mut terminal) = world();
    terminal.sale(1, 4_000, 4_000, 2);
    terminal.sale(1, 1_000, 5_000, 2);
    terminal.reversal(1, 2, 1_000, 1_000);
    world.sync(&mut terminal);
    let view = world.db.read(|tx| tx.household_money("H1")).unwrap().unwrap();
    let slice = view.slices.first().unwrap();
    assert_eq!((slice.allowed, slice.claimed), (cents(15_000), cents(4_000)));
    world.audit();
}

#[test]
fn a_reversal_that_undoes_no_sale_of_its_purse_and_amount_moves_nothing() {
    let (mut world, mut terminal) = world();
    terminal.start();
    terminal.sale(1, 1_000, 1_000, 2);
    let refused = [
        (1, 1, 1_000, 1_000, OverRight::NothingToUndo, "a start is no sale"),
        (1, 9, 1_000, 1_000, OverRight::NothingToUndo, "a later row"),
        (1, 0, 1_000, 1_000, OverRight::NothingToUndo, "no row"),
        (1, 2, 999, 999, OverRight::NothingToUndo, "too little"),
        (1, 2, 1_001, 1_001, OverRight::NothingToUndo, "too much"),
        (2, 2, 1_000, 1_000, OverRight::NothingToUndo, "another purse"),
        (9, 2, 1_000, 1_000, OverRight::UnknownPurse, "an unknown purse"),
    ];
    for (purse, sale, amount, after, _, _) in refused {
        terminal.reversal(purse, sale, amount, after);
    }
    let outcome = world.sync(&mut terminal);
    for (seq, (.., reason, what)) in (3..).zip(refused) {
        assert_eq!(why(&world, seq), Some(reason), "{what}");
    }
    assert_eq!((outcome.over_right, outcome.alarms), (Cents::ZERO, vec![AlarmKind::OverRight]));
    assert_eq!(owed(&mut world), (1_000, 0));
    world.audit();
}

#[test]
fn a_sale_is_undone_once_and_the_reversed_counter_counts_once() {
    let (mut world, mut terminal) = world();
    terminal.sale(1, 1_000, 1_000, 2);
    terminal.sale(1, 1_000, 2_000, 2);
    terminal.reversal(1, 1, 1_000, 1_000);
    terminal.reversal(1, 1, 1_000, 2_000);
    terminal.reversal(1, 2, 1_000, 1_000);
    terminal.reversal(1, 2, 1_000, 1_999);
    terminal.reversal(1, 2, 1_000, 2_000);
    world.sync(&mut terminal);
    let reasons: Vec<_> = (3..=7).map(|seq| why(&world, seq)).collect();
    let twice = Some(OverRight::AlreadyClaimed);
    assert_eq!(reasons, [None, Some(OverRight::UndoneBefore), twice, twice, None]);
    assert_eq!(owed(&mut world), (2_000, 2_000));
    world.audit();
}

#[test]
fn only_what_was_settled_of_a_sale_goes_back() {
    let (mut world, mut terminal) = world();
    terminal.sale(1, 16_000, 16_000, 2);
    terminal.reversal(1, 1, 16_000, 16_000);
    // Serial 7 was never made.
    terminal.sale(1, 500, 16_500, 7);
    terminal.reversal(1, 3, 500, 16_500);
    terminal.sale(1, 14_000, 30_000, 2);
    terminal.sale(1, 1, 30_001, 2);
    let outcome = world.sync(&mut terminal);
    assert_eq!((outcome.settled, outcome.over_right), (cents(29_000), cents(1_501)));
    assert_eq!((why(&world, 2), why(&world, 4)), (None, None));
    assert_eq!(owed(&mut world), (29_000, 15_000));
    world.audit();
}

#[test]
fn a_sale_that_was_paid_already_is_taken_off_the_next_settlement() {
    let (mut world, mut terminal) = world();
    terminal.sale(1, 5_000, 5_000, 2);
    world.sync(&mut terminal);
    assert_eq!(settle(&mut world).unwrap().payout, cents(5_000));
    terminal.reversal(1, 1, 5_000, 5_000);
    terminal.sale(1, 2_000, 7_000, 2);
    world.sync(&mut terminal);
    let second = settle(&mut world).unwrap();
    let [shop] = second.shops.as_slice() else { panic!("{second:?}") };
    assert_eq!((shop.sums.reversals, shop.sums.reversed), (1, cents(5_000)));
    assert_eq!((second.payout, shop.carry_on), (Cents::ZERO, cents(3_000)));
    world.audit();
    terminal.sale(1, 4_000, 11_000, 2);
    world.sync(&mut terminal);
    let third = settle(&mut world).unwrap();
    assert_eq!((third.payout, third.shops[0].carried), (cents(1_000), cents(3_000)));
    assert_eq!(owed(&mut world), (11_000, 11_000));
    assert_eq!(world.db.read(|tx| tx.settlements(2)).unwrap(), [third, second]);
    world.audit();
}

#[test]
fn a_reversal_that_comes_after_the_cut_is_taken_off_the_next_settlement() {
    let (mut world, mut terminal) = world();
    terminal.sale(1, 5_000, 5_000, 2);
    world.sync(&mut terminal);
    let cut = world.db.read(|tx| tx.settlement_cut()).unwrap();
    terminal.reversal(1, 1, 5_000, 5_000);
    world.sync(&mut terminal);
    let first = world.db.write(|tx| tx.settlement_close(&cut, at(1_000))).unwrap().unwrap();
    assert_eq!(first.payout, cents(5_000));
    world.audit();
    let second = settle(&mut world).unwrap();
    assert_eq!((second.payout, second.shops[0].carry_on), (Cents::ZERO, cents(5_000)));
    world.audit();
}

#[test]
fn a_closed_epoch_gives_back_what_was_undone_and_undoes_no_more() {
    let (mut world, mut terminal) = world();
    terminal.sale(1, 5_000, 5_000, 2);
    terminal.sale(1, 1_000, 6_000, 2);
    terminal.reversal(1, 2, 1_000, 1_000);
    world.sync(&mut terminal);
    world.close(&terminal, "one", "two");
    assert_eq!(world.db.read(|tx| tx.household_money("H1")).unwrap().unwrap().free, cents(10_000));
    terminal.reversal(1, 1, 5_000, 6_000);
    world.sync(&mut terminal);
    assert_eq!(why(&world, 4), Some(OverRight::EpochClosed));
    assert_eq!(owed(&mut world), (6_000, 1_000));
    world.audit();
}

#[test]
fn verification_finds_each_fault_in_a_reversal() {
    let faults = [
        "UPDATE slices SET reversed_cents = reversed_cents + 1, reversed_to = reversed_to + 1
             WHERE id = (5 << 56) + (1 << 32) + 1",
        "UPDATE slices SET reversed_cents = 99999999, reversed_to = 99999999 WHERE id = (5 << 56) + (1 << 32) + 1",
        "UPDATE slices SET reversed_to = reversed_to + 1 WHERE id = (5 << 56) + (1 << 32) + 1",
        "DROP TRIGGER undone_remain; DELETE FROM reversals",
        "DROP TRIGGER undone_stay; UPDATE reversals SET sale = (1 << 32) + 2",
        "INSERT INTO reversals VALUES ((1 << 32) + 2, (1 << 32) + 9)",
        "UPDATE rows SET settled = settled - 1 WHERE kind = 4 AND settled > 0",
        "UPDATE rows SET settled = 1000 WHERE key & 0xffffffff = 5",
        "UPDATE transfers SET cents = cents - 1 WHERE kind = 6",
        "UPDATE transfers SET cause = cause + 1 WHERE kind = 6",
        "UPDATE transfers SET kind = 3 WHERE kind = 6",
        "DELETE FROM transfers WHERE kind = 6",
        "UPDATE settlement_shops SET reversed = reversed - 1",
        "UPDATE settlement_shops SET reversals = 0",
    ];
    for fault in faults {
        let (mut world, mut terminal) = world();
        terminal.sale(1, 2_000, 2_000, 2);
        terminal.sale(1, 1_000, 3_000, 2);
        terminal.reversal(1, 1, 2_000, 2_000);
        terminal.sale(1, 1_500, 4_500, 2);
        terminal.reversal(1, 1, 2_000, 4_000);
        world.sync(&mut terminal);
        settle(&mut world).unwrap();
        world.audit();
        world.tamper(fault);
        assert!(world.verify().found > 0, "not found: {fault}");
    }
}
