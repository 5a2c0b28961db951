//! A shop's statement has every line of its settlement, and comes to what was closed.

use cabas_protocol::statement::{LineKind, SettlementStatement};

use super::world::{World, at, cents};
use crate::store::StoreError;

fn close(world: &mut World) -> u32 {
    let cut = world.db.read(|tx| tx.settlement_cut()).unwrap();
    world.db.write(|tx| tx.settlement_close(&cut, at(10))).unwrap().unwrap().number
}

fn statement(world: &mut World, number: u32, shop: &str) -> SettlementStatement {
    world.db.read(|tx| tx.settlement_statement(number, shop)).unwrap()
}

fn lines(statement: &SettlementStatement) -> Vec<(LineKind, u32, u32, u64, u64, u16)> {
    let line = |line: &cabas_protocol::statement::StatementLine| {
        let (terminal, seq) = (line.origin.terminal.get(), line.origin.seq.get());
        (line.kind, terminal, seq, line.settled.get(), line.unpaid.get(), line.why)
    };
    statement.lines.iter().map(line).collect()
}

#[test]
fn sales_reversals_refunds_and_disputes_stand_in_the_settlement_that_counts_them() {
    let mut world = World::credited();
    let (mut a, mut b) = (world.terminal("A"), world.terminal("B"));
    world.extend(&b, 2, 1_000);
    let mut thief = a.clone();
    a.sale(1, 1_250, 1_250, 1);
    a.sale(2, 9_500, 9_500, 1);
    a.sale(3, 200, 200, 1);
    a.reversal(3, 3, 200, 200);
    b.sale(2, 300, 300, 1);
    world.sync(&mut a);
    world.sync(&mut b);
    thief.sale(1, 3_000, 3_000, 1);
    world.ingest(&thief.upload());
    let first = close(&mut world);
    let found = statement(&mut world, first, "A");
    let (sale, back) = (LineKind::Sale, LineKind::Reversal);
    let expected = [
        (sale, 1, 1, 1_250, 0, 0),
        (sale, 1, 2, 9_000, 500, 1),
        (sale, 1, 3, 200, 0, 0),
        (back, 1, 4, 200, 0, 0),
        (LineKind::Disputed, 1, 1, 0, 3_000, 7),
    ];
    assert_eq!(lines(&found), expected);
    assert_eq!((found.payout, found.carry_on), (cents(10_250), cents(0)));
    let [part] = found.parts.as_slice() else { panic!("{:?}", found.parts) };
    assert_eq!((part.after.get(), part.upto.get(), part.hash), (0, 4, a.head.hash));
    assert_eq!(lines(&statement(&mut world, first, "B")), [(sale, 2, 1, 300, 0, 0)]);

    // What comes after the cut, and a refund that is granted, stand in the next one; the first stays as it was.
    let of = a.place(1);
    a.refund(1, of, 50, 1);
    a.sale(1, 10, 1_260, 1);
    world.sync(&mut a);
    let second = close(&mut world);
    let next = statement(&mut world, second, "A");
    assert_eq!(lines(&next), [(sale, 1, 6, 10, 0, 0), (LineKind::Refund, 1, 5, 50, 0, 0)]);
    assert_eq!((next.payout, next.carry_on), (cents(0), cents(40)));
    assert_eq!(statement(&mut world, first, "A"), found);
    for (number, shop) in [(second, "B"), (9, "A")] {
        let none = world.db.read(|tx| tx.settlement_statement(number, shop));
        assert!(matches!(none, Err(StoreError::NoStatement { .. })), "{none:?}");
    }
    world.audit();
}

#[test]
fn a_statement_that_would_not_come_to_what_was_closed_is_not_given_out() {
    let mut world = World::credited();
    let mut a = world.terminal("A");
    a.sale(1, 100, 100, 1);
    world.sync(&mut a);
    let number = close(&mut world);
    world.tamper("UPDATE settlement_shops SET payout = payout + 1");
    let found = world.db.read(|tx| tx.settlement_statement(number, "A"));
    assert!(matches!(found, Err(StoreError::Damaged(_))), "{found:?}");
}
