//! Refunds: what the fund paid of a sale goes back to its purse once, at the expense of the shop that sold it.

use cabas_protocol::{Cents, TerminalId};

use super::world::{Terminal, World, at, cents};
use crate::core::ledger::OverRight;
use crate::store::{AlarmKind, Deliverable, Settlement, Wake};

/// A world, and a terminal of shop `A` that may spend 100 € of purse 1 under serial 2.
fn world() -> (World, Terminal) {
    let mut world = World::credited();
    let terminal = world.terminal("A");
    world.extend(&terminal, 1, 10_000).unwrap();
    (world, terminal)
}

/// What became of the requests, in the order of their rows: granted, waiting, or why not.
fn states(world: &World) -> Vec<String> {
    let mut read = world.db.conn.prepare("SELECT state, why FROM refunds ORDER BY row").unwrap();
    let states = read.query_map([], |row| {
        Ok(match (row.get::<_, u8>(0)?, row.get(1)?) {
            (0, _) => "waits".to_owned(),
            (1, _) => "granted".to_owned(),
            (_, why) => format!("{:?}", OverRight::of_number(why).unwrap()),
        })
    });
    states.unwrap().collect::<Result<_, _>>().unwrap()
}

/// What the shops were given and what was taken from them.
fn owed(world: &mut World) -> (u64, u64) {
    let (taken, given) = world.owed();
    (given.get(), taken.get())
}

/// What a purse has at no terminal, and what it may still spend at a terminal.
fn money(world: &mut World) -> (u64, u64) {
    let view = world.db.read(|tx| tx.household_money("H1")).unwrap().unwrap();
    let held = view.slices.iter().map(|slice| slice.allowed.minus(slice.claimed).unwrap());
    (view.free.get(), Cents::sum(held).unwrap().get())
}

fn settle(world: &mut World) -> Option<Settlement> {
    let cut = world.db.read(|tx| tx.settlement_cut()).unwrap();
    world.db.write(|tx| tx.settlement_close(&cut, at(1_000))).unwrap()
}

#[test]
fn part_of_a_sale_goes_back_to_the_household_where_it_asked_and_the_shop_pays() {
    let (mut world, mut terminal) = world();
    terminal.sale(1, 4_000, 4_000, 2);
    world.sync(&mut terminal);
    let before = money(&mut world);
    terminal.refund(1, terminal.place(1), 1_500, 1);
    let outcome = world.sync(&mut terminal);
    assert_eq!((outcome.alarms, outcome.over_right), (Vec::new(), Cents::ZERO));
    assert_eq!(states(&world), ["granted"]);
    assert_eq!(owed(&mut world), (4_000, 1_500));
    assert_eq!(money(&mut world), (before.0, before.1 + 1_500), "it can be spent right there");
    world.audit();
    let again = world.ingest(&terminal.upload_of(terminal.head_at(0), &terminal.journal.clone()));
    assert_eq!((again.new_rows, owed(&mut world)), (0, (4_000, 1_500)));
    terminal.refund(1, terminal.place(1), 2_500, 2);
    terminal.refund(1, terminal.place(1), 1, 3);
    let outcome = world.sync(&mut terminal);
    assert_eq!(states(&world), ["granted", "granted", "MoreThanPaid"]);
    assert_eq!(outcome.alarms, [AlarmKind::OverRight]);
    assert_eq!(owed(&mut world), (4_000, 4_000));
    world.audit();
}

#[test]
fn what_is_no_sale_of_the_same_shop_and_purse_is_refused() {
    let (mut world, mut terminal) = world();
    terminal.start();
    terminal.sale(1, 1_000, 1_000, 2);
    world.sync(&mut terminal);
    let mut other = world.terminal("B");
    let sale = terminal.place(2);
    other.refund(1, sale, 100, 1);
    world.sync(&mut other);
    let stranger = TerminalId::new(99);
    terminal.refund(2, sale, 100, 2);
    terminal.refund(9, sale, 100, 3);
    terminal.refund(1, terminal.place(1), 100, 4);
    terminal.refund(1, terminal.place(60), 100, 5);
    terminal.refund(1, (stranger, terminal.epoch, 1), 100, 6);
    terminal.refund(1, sale, 1_001, 7);
    terminal.refund(1, sale, 100, 8);
    terminal.refund(1, sale, 100, 8);
    world.sync(&mut terminal);
    let expected = [
        "NothingToRefund",
        "UnknownPurse",
        "NothingToRefund",
        "NothingToRefund",
        "NothingToRefund",
        "MoreThanPaid",
        "granted",
        "AlreadyClaimed",
        "NothingToRefund",
    ];
    assert_eq!(states(&world), expected, "the other shop's stands last");
    assert_eq!(owed(&mut world), (1_000, 100));
    world.audit();
}

#[test]
fn another_terminal_of_the_shop_may_ask_and_waits_for_the_sale() {
    let (mut world, mut terminal) = world();
    let mut second = world.terminal("A");
    terminal.sale(1, 1_000, 1_000, 2);
    second.refund(1, terminal.place(1), 600, 1);
    let outcome = world.sync(&mut second);
    assert_eq!((states(&world), outcome.alarms), (vec!["waits".to_owned()], Vec::new()));
    world.audit();
    let cursor =
        world.db.write(|tx| tx.news(second.id, second.epoch, 0, super::world::ALL_NEWS, at(0))).unwrap().cursor;
    let before = money(&mut world);
    world.db.take_wakes();
    world.sync(&mut terminal);
    assert_eq!((states(&world), owed(&mut world)), (vec!["granted".to_owned()], (1_000, 600)));
    assert_eq!(money(&mut world), (before.0, before.1 - 1_000 + 600), "it lies where it was asked for");
    assert!(world.db.take_wakes().contains(&Wake::Terminal(second.id)), "who asked is told at once");
    let told = world.news(&second, cursor);
    assert!(told.iter().any(|item| matches!(item, Deliverable::Refund(decision) if decision.granted)), "{told:?}");
    assert_eq!(told.iter().filter(|item| matches!(item, Deliverable::Balance(_))).count(), 1);
    world.audit();
}

#[test]
fn what_waits_for_a_sale_of_an_epoch_that_is_closed_is_refused() {
    let (mut world, mut terminal) = world();
    let mut second = world.terminal("A");
    terminal.sale(1, 1_000, 1_000, 2);
    second.refund(1, terminal.place(1), 600, 1);
    world.sync(&mut second);
    world.close(&terminal, "one", "two");
    assert_eq!(states(&world), ["EpochClosed"]);
    let told = world.news(&second, 0);
    assert!(told.iter().any(|item| matches!(item, Deliverable::Refund(decision) if !decision.granted)), "{told:?}");
    world.sync(&mut terminal);
    second.refund(1, terminal.place(1), 600, 2);
    world.sync(&mut second);
    assert_eq!(states(&world), ["EpochClosed", "MoreThanPaid"], "a late sale was never paid");
    second.sale(1, 1, 1, 1);
    world.close(&second, "one", "two");
    second.refund(1, terminal.place(1), 600, 3);
    world.sync(&mut second);
    assert_eq!(states(&world), ["EpochClosed", "MoreThanPaid", "EpochClosed"]);
    assert_eq!(owed(&mut world), (0, 0));
    world.audit();
}

#[test]
fn what_a_closed_epoch_asked_for_and_what_turns_out_to_be_no_sale_is_refused() {
    let (mut world, mut terminal) = world();
    let (mut second, mut third) = (world.terminal("A"), world.terminal("A"));
    second.refund(1, terminal.place(1), 600, 1);
    second.refund(1, terminal.place(2), 600, 2);
    third.refund(1, terminal.place(1), 700, 3);
    world.sync(&mut second);
    world.sync(&mut third);
    world.close(&second, "one", "two");
    assert_eq!(states(&world), ["EpochClosed", "EpochClosed", "waits"]);
    terminal.start();
    terminal.sale(1, 1_000, 1_000, 2);
    world.sync(&mut terminal);
    assert_eq!(states(&world), ["EpochClosed", "EpochClosed", "NothingToRefund"]);
    let alarmed: u32 = world.number("SELECT max(epoch) FROM alarms WHERE kind = 3");
    assert_eq!(alarmed, 3, "who asked is the one to look at");
    world.audit();
}

#[test]
fn what_a_closed_terminal_asked_for_is_refused_though_the_sale_comes_late_from_a_replaced_one() {
    let (mut world, mut sold) = world();
    let (closed, mut asks) = (world.terminal("B"), world.terminal("A"));
    world.close(&closed, "one", "two");
    asks.start();
    world.sync(&mut asks);
    sold.start();
    world.sync(&mut sold);
    // A cent is sold off line; the terminal's place is taken by a new enrolment, and another one of the shop asks for the
    // cent back, twice.
    sold.sale(1, 1, 1, 2);
    let mut again = world.enrol_again(sold.id);
    world.allocate();
    asks.refund(1, sold.place(2), 1, 1);
    let first = asks.upload();
    asks.refund(1, sold.place(2), 1, 2);
    asks.acked = world.ingest(&first).acked;
    assert_eq!(states(&world), ["waits"]);
    world.audit();
    world.close(&asks, "one", "two");
    assert_eq!(states(&world), ["EpochClosed"]);
    world.audit();
    let before = money(&mut world);
    let outcome = world.ingest(&sold.upload_of(sold.head_at(0), &sold.journal.clone()));
    assert_eq!((outcome.known_rows, outcome.new_rows, outcome.over_right), (1, 1, Cents::ZERO));
    assert_eq!((states(&world), owed(&mut world)), (vec!["EpochClosed".to_owned()], (1, 0)));
    assert_eq!(money(&mut world), (before.0, before.1 - 1), "the sale stands");
    world.audit();
    world.sync(&mut asks);
    assert_eq!(states(&world), ["EpochClosed", "EpochClosed"]);
    // Nothing is lost: a terminal that is not closed may ask once more, under the same number.
    again.refund(1, sold.place(2), 1, 1);
    world.sync(&mut again);
    assert_eq!(states(&world), ["EpochClosed", "EpochClosed", "granted"]);
    assert_eq!(owed(&mut world), (1, 1));
    let after = money(&mut world);
    assert_eq!(after.0 + after.1, before.0 + before.1);
    world.audit();
}

#[test]
fn verification_finds_a_request_that_waits_or_was_decided_against_a_closing() {
    let faults = [
        ("UPDATE refunds SET state = 0, why = 0 WHERE request = x'0101010101010101'", "closed the epoch"),
        ("UPDATE refunds SET state = 0, why = 0 WHERE request = x'0202020202020202'", "sale that is here"),
        ("UPDATE refunds SET why = 6 WHERE request = x'0202020202020202'", "none is closed"),
        ("UPDATE closings SET at_seq = 0", "after its epoch was closed"),
    ];
    for (fault, says) in faults {
        let (mut world, mut terminal) = world();
        let (mut closed, mut open) = (world.terminal("A"), world.terminal("A"));
        terminal.sale(1, 1_000, 1_000, 2);
        world.sync(&mut terminal);
        closed.refund(1, terminal.place(1), 100, 3);
        closed.refund(1, terminal.place(2), 100, 1);
        open.refund(1, terminal.place(1), 1_001, 2);
        world.sync(&mut closed);
        world.sync(&mut open);
        world.close(&closed, "one", "two");
        assert_eq!(states(&world), ["granted", "EpochClosed", "MoreThanPaid"]);
        world.audit();
        world.tamper(fault);
        let report = world.verify();
        assert!(report.findings.iter().any(|finding| finding.detail.contains(says)), "{fault}: {report:?}");
    }
}

#[test]
fn a_sale_goes_back_once_undone_or_refunded() {
    let (mut world, mut terminal) = world();
    terminal.sale(1, 1_000, 1_000, 2);
    terminal.sale(1, 1_000, 2_000, 2);
    terminal.reversal(1, 1, 1_000, 1_000);
    terminal.refund(1, terminal.place(1), 1_000, 1);
    terminal.refund(1, terminal.place(2), 400, 2);
    terminal.reversal(1, 2, 1_000, 2_000);
    world.sync(&mut terminal);
    assert_eq!(states(&world), ["UndoneBefore", "granted"]);
    let why: u8 = world.number("SELECT why FROM rows WHERE key & 0xffffffff = 6");
    assert_eq!(OverRight::of_number(why), Some(OverRight::RefundedBefore));
    assert_eq!(owed(&mut world), (2_000, 1_400));
    world.audit();
}

#[test]
fn only_what_was_settled_can_go_back() {
    let (mut world, mut terminal) = world();
    terminal.sale(1, 10_500, 10_500, 2);
    terminal.refund(1, terminal.place(1), 10_001, 1);
    terminal.refund(1, terminal.place(1), 10_000, 2);
    world.sync(&mut terminal);
    assert_eq!(states(&world), ["MoreThanPaid", "granted"]);
    assert_eq!(owed(&mut world), (10_000, 10_000));
    world.audit();
}

#[test]
fn what_a_shop_was_paid_already_is_taken_off_its_next_settlement() {
    let (mut world, mut terminal) = world();
    terminal.sale(1, 5_000, 5_000, 2);
    world.sync(&mut terminal);
    assert_eq!(settle(&mut world).unwrap().payout, cents(5_000));
    let cut = world.db.read(|tx| tx.settlement_cut()).unwrap();
    terminal.refund(1, terminal.place(1), 3_000, 1);
    terminal.sale(1, 1_000, 6_000, 2);
    world.sync(&mut terminal);
    let early = world.db.write(|tx| tx.settlement_close(&cut, at(1_000))).unwrap();
    assert_eq!(early, None, "the cut was before both");
    let second = settle(&mut world).unwrap();
    let [shop] = second.shops.as_slice() else { panic!("{second:?}") };
    assert_eq!((shop.sums.refunds, shop.sums.refunded), (1, cents(3_000)));
    assert_eq!((second.payout, shop.carry_on), (Cents::ZERO, cents(2_000)));
    let exposure = world.db.read(|tx| tx.exposure(at(0))).unwrap();
    assert_eq!(exposure.overpaid, cents(2_000), "until its next sales the shop owes it");
    world.audit();
    terminal.sale(1, 2_500, 8_500, 2);
    world.sync(&mut terminal);
    let third = settle(&mut world).unwrap();
    assert_eq!((third.payout, third.shops[0].carried), (cents(500), cents(2_000)));
    assert_eq!(owed(&mut world), (8_500, 8_500));
    assert_eq!(world.db.read(|tx| tx.settlements(2)).unwrap(), [third, second]);
    world.audit();
}

#[test]
fn a_quarantined_terminal_gets_no_more_but_the_household_does() {
    let (mut world, mut terminal) = world();
    terminal.sale(1, 1_000, 1_000, 2);
    world.sync(&mut terminal);
    let mut copy = terminal.clone();
    copy.sale(1, 200, 1_200, 2);
    terminal.start();
    world.sync(&mut terminal);
    world.ingest(&copy.upload());
    let before = money(&mut world);
    terminal.refund(1, terminal.place(1), 700, 1);
    world.sync(&mut terminal);
    assert_eq!(states(&world), ["granted"]);
    assert_eq!(money(&mut world), (before.0 + 700, before.1));
    world.audit();
}

#[test]
fn a_restored_hub_decides_again_what_its_backup_did_not_know() {
    let (mut world, mut terminal) = world();
    terminal.sale(1, 5_000, 5_000, 2);
    terminal.sale(1, 1_000, 6_000, 2);
    world.sync(&mut terminal);
    let backup = world.backup("backup.db");
    let acked = terminal.acked;
    terminal.reversal(1, 2, 1_000, 1_000);
    terminal.refund(1, terminal.place(1), 2_000, 1);
    world.sync(&mut terminal);
    assert_eq!(owed(&mut world), (6_000, 3_000));
    let balance = world.extend(&terminal, 1, 14_000).unwrap();
    world.restore(&backup);
    terminal.acked = acked;
    terminal.sale(1, 2_000, 8_000, balance.serial.get());
    world.hand_back(&terminal, super::restores::signed(&[balance]), true);
    let outcome = world.sync(&mut terminal);
    assert_eq!(outcome.over_right, Cents::ZERO);
    assert_eq!((states(&world), owed(&mut world)), (vec!["granted".to_owned()], (8_000, 3_000)));
    world.audit();
}

#[test]
fn verification_finds_each_fault_in_a_refund() {
    let faults = [
        "UPDATE refunds SET cents = cents + 1 WHERE state = 1",
        "UPDATE refunds SET purse = 2 WHERE state = 1",
        "UPDATE refunds SET sale = sale + 2 WHERE state = 1",
        "UPDATE refunds SET sale = NULL WHERE state = 1",
        "UPDATE refunds SET request = x'0909090909090909' WHERE state = 1",
        "UPDATE refunds SET place = 5 WHERE place = 2",
        "UPDATE refunds SET state = 2, why = 1, place = NULL, transfer = NULL WHERE place = 2",
        "UPDATE refunds SET state = 1, why = 0, place = 3, transfer = 1 WHERE state = 2",
        "UPDATE refunds SET transfer = 1 WHERE place = 1",
        "DELETE FROM refunds WHERE state = 1",
        "DELETE FROM refunds WHERE state = 2",
        "DROP TRIGGER undone_stay; UPDATE reversals SET sale = (1 << 32) + 1",
        "UPDATE rows SET settled = settled - 1 WHERE kind = 2 AND settled = 2000",
        "UPDATE transfers SET cents = cents - 1 WHERE kind = 7",
        "UPDATE transfers SET cause = cause + 1 WHERE kind = 7",
        "UPDATE transfers SET kind = 6 WHERE kind = 7",
        "DELETE FROM transfers WHERE kind = 7",
        "UPDATE settlement_shops SET refunded = refunded - 1",
        "UPDATE settlement_shops SET refunds = 0",
        "UPDATE settlements SET refunded_upto = 1",
    ];
    for fault in faults {
        let (mut world, mut terminal) = world();
        terminal.sale(1, 2_000, 2_000, 2);
        terminal.sale(1, 1_000, 3_000, 2);
        terminal.refund(1, terminal.place(1), 1_500, 1);
        terminal.refund(1, terminal.place(1), 500, 2);
        terminal.refund(1, terminal.place(2), 1_001, 3);
        terminal.reversal(1, 2, 1_000, 1_000);
        world.sync(&mut terminal);
        assert_eq!(states(&world), ["granted", "granted", "MoreThanPaid"]);
        settle(&mut world);
        world.audit();
        world.tamper(fault);
        assert!(world.verify().found > 0, "not found: {fault}");
    }
}
