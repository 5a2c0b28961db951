//! Settlements: cut by row, closed once.

use cabas_protocol::Cents;
use cabas_protocol::row::ClockQuality;

use super::world::{NOW, World, at, cents};
use crate::store::{Settlement, SettlementCut};

fn cut(world: &mut World) -> SettlementCut {
    world.db.read(|tx| tx.settlement_cut()).unwrap()
}

fn close(world: &mut World, cut: &SettlementCut) -> Option<Settlement> {
    world.db.write(|tx| tx.settlement_close(cut, at(1_000))).unwrap()
}

#[test]
fn a_shop_is_owed_exactly_what_was_settled_there() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    terminal.sale(1, 1_250, 1_250, 1);
    terminal.sale(2, 9_500, 9_500, 1);
    world.sync(&mut terminal);
    let now = cut(&mut world);
    let preview = world.db.read(|tx| tx.settlement_preview(&now)).unwrap().unwrap();
    assert_eq!(world.owed(), (Cents::ZERO, cents(10_250)), "a preview books nothing");
    let settlement = close(&mut world, &now).unwrap();
    assert_eq!(Settlement { closed_at: None, ..settlement.clone() }, preview);
    assert_eq!((settlement.number, settlement.payout), (1, cents(10_250)));
    let [shop] = settlement.shops.as_slice() else { panic!("{settlement:?}") };
    assert_eq!((shop.shop_code.as_str(), shop.sums.sales, shop.sums.settled), ("A", 2, cents(10_250)));
    assert_eq!((shop.sums.over_right_sales, shop.sums.over_right), (1, cents(500)));
    assert_eq!(world.owed(), (cents(10_250), cents(10_250)));
    assert_eq!(world.db.read(|tx| tx.settlements(5)).unwrap(), [settlement]);
    world.audit();
}

#[test]
fn closing_twice_closes_once() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    terminal.sale(1, 100, 100, 1);
    world.sync(&mut terminal);
    let first = cut(&mut world);
    assert!(close(&mut world, &first).is_some());
    assert_eq!(close(&mut world, &first), None, "the same cut again");
    let second = cut(&mut world);
    assert_eq!(close(&mut world, &second), None, "nothing new");
    terminal.start();
    world.sync(&mut terminal);
    let third = cut(&mut world);
    assert_eq!(close(&mut world, &third), None, "new rows, but no sale");
    assert_eq!(world.owed(), (cents(100), cents(100)));
    world.audit();
}

#[test]
fn what_was_worked_out_before_another_settlement_pays_nothing_twice() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    terminal.sale(1, 100, 100, 1);
    world.sync(&mut terminal);
    let first = cut(&mut world);
    let mut heard = Vec::new();
    let worked = world.db.read(|tx| tx.settlement_work_out(&first, &mut |done, total| heard.push((done, total))));
    let worked = worked.unwrap();
    assert_eq!(heard, [(1, 1)]);
    // More is sold meanwhile: what was worked out holds, and goes up to its own cut.
    terminal.sale(1, 50, 150, 1);
    world.sync(&mut terminal);
    let prepared = world.db.write(|tx| tx.settlement_prepare_worked(&worked, "Ada", at(900))).unwrap().unwrap();
    assert_eq!(prepared.settlement.payout, cents(100));
    // What somebody worked out of another cut is not what was prepared: the rows are read again.
    let newer = cut(&mut world);
    let other = world.db.read(|tx| tx.settlement_work_out(&newer, &mut |_, _| {})).unwrap();
    let meant = (1, Some(prepared.id));
    let booked = world.db.write(|tx| tx.settlement_approve_worked(meant, &other, "Bo", at(1_000))).unwrap();
    assert_eq!(booked.payout, cents(100));
    // Both were worked out before settlement 1, so neither counts its rows again.
    assert_eq!(world.db.write(|tx| tx.settlement_prepare_worked(&worked, "Ada", at(1_100))).unwrap(), None);
    let next = world.db.write(|tx| tx.settlement_prepare_worked(&other, "Ada", at(1_100))).unwrap().unwrap();
    assert_eq!((next.settlement.number, next.settlement.payout), (2, cents(50)));
    world.audit();
}

#[test]
fn a_row_after_the_cut_belongs_to_the_next_settlement() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    terminal.sale(1, 100, 100, 1);
    world.sync(&mut terminal);
    let cut_before = cut(&mut world);
    terminal.sale(1, 50, 150, 1);
    world.sync(&mut terminal);
    assert_eq!(close(&mut world, &cut_before).unwrap().payout, cents(100));
    let cut_after = cut(&mut world);
    let next = close(&mut world, &cut_after).unwrap();
    assert_eq!((next.number, next.payout), (2, cents(50)));
    world.audit();
}

#[test]
fn a_sale_from_before_the_last_closing_is_late_and_paid() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    terminal.sale(1, 100, 100, 1);
    world.sync(&mut terminal);
    let first = cut(&mut world);
    close(&mut world, &first).unwrap();
    for (clock, amount, spent) in [
        ((at(500), ClockQuality::Synced), 10, 110),
        ((at(1_500), ClockQuality::Synced), 20, 130),
        ((at(500), ClockQuality::Unknown), 40, 170),
    ] {
        terminal.clock = clock;
        terminal.sale(1, amount, spent, 1);
    }
    world.sync(&mut terminal);
    let second = cut(&mut world);
    let settlement = close(&mut world, &second).unwrap();
    assert_eq!(settlement.payout, cents(70));
    assert_eq!((settlement.shops[0].sums.late_sales, settlement.shops[0].sums.late), (1, cents(10)));
    world.audit();
}

#[test]
fn disputed_rows_are_shown_once_and_not_paid() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    let mut thief = terminal.clone();
    terminal.sale(1, 100, 100, 1);
    world.sync(&mut terminal);
    thief.sale(1, 3_000, 3_000, 1);
    world.ingest(&thief.upload());
    let first = cut(&mut world);
    let settlement = close(&mut world, &first).unwrap();
    let sums = settlement.shops[0].sums;
    assert_eq!((settlement.payout, sums.disputed_sales, sums.disputed), (cents(100), 1, cents(3_000)));
    terminal.sale(1, 100, 200, 1);
    world.sync(&mut terminal);
    let second = cut(&mut world);
    assert_eq!(close(&mut world, &second).unwrap().shops[0].sums.disputed_sales, 0);
    world.audit();
}

#[test]
fn every_shop_has_a_statement_of_its_own() {
    let mut world = World::credited();
    let (mut a, mut b) = (world.terminal("A"), world.terminal("B"));
    world.extend(&b, 1, 1_000);
    a.sale(1, 100, 100, 1);
    b.sale(1, 250, 250, 1);
    world.sync(&mut a);
    world.sync(&mut b);
    let now = cut(&mut world);
    let settlement = close(&mut world, &now).unwrap();
    let paid: Vec<_> = settlement.shops.iter().map(|shop| (shop.shop_code.as_str(), shop.payout.get())).collect();
    assert_eq!(paid, [("A", 100), ("B", 250)]);
    world.audit();
}

#[test]
fn a_fund_without_sales_has_nothing_to_settle() {
    let mut world = World::credited();
    let now = cut(&mut world);
    assert_eq!(world.db.read(|tx| tx.settlement_preview(&now)).unwrap(), None);
    assert_eq!(world.db.write(|tx| tx.settlement_close(&now, NOW)).unwrap(), None);
}
