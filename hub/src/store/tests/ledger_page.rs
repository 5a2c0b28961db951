//! What `hub/ledger.md` says is true: its queries run, and its example comes out as written.

use cabas_protocol::row::ClockQuality;

use super::world::{NOW, World, at, cents};

const PAGE: &str = include_str!("../../../ledger.md");

/// The statements of the page's block of SQL.
fn statements() -> Vec<&'static str> {
    let (_, rest) = PAGE.split_once("```sql").unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    block.split(';').map(str::trim).filter(|statement| statement.contains("SELECT")).collect()
}

/// The example of the page: purse 1 at a terminal of shop A.
fn example() -> World {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    terminal.clock = (NOW, ClockQuality::Synced);
    terminal.start();
    for (serial, amount, spent_after) in [(1, 1_000, 1_000), (1, 8_500, 9_500), (2, 1_000, 11_000), (2, 2_000, 11_000)]
    {
        if serial == 2 {
            assert_eq!(world.extend(&terminal, 1, 12_000).unwrap().allowed, cents(12_000));
        }
        terminal.sale(1, amount, spent_after, serial);
        world.sync(&mut terminal);
    }
    world
}

#[test]
fn the_example_of_the_claim_rule_comes_out_as_written() {
    let world = example();
    let mut read =
        world.db.conn.prepare("SELECT settled, over_right, why FROM rows WHERE kind = 2 ORDER BY key").unwrap();
    let rows: Vec<(i64, i64, i64)> = read
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(rows, [(1_000, 0, 0), (8_000, 500, 1), (1_000, 0, 0), (1_000, 1_000, 2)]);
    let money = world.number::<String>(
        "SELECT (SELECT credits FROM accounts WHERE id >> 56 = 6) || ' ' ||
                (SELECT credits - debits FROM accounts WHERE id = (5 << 56) | (1 << 32) | 1) || ' ' ||
                (SELECT credits - debits FROM accounts WHERE id = (4 << 56) | 1)",
    );
    assert_eq!(money, "11000 1000 3000", "owed to the shop, left in the slice, free in the purse");
}

#[test]
fn the_questions_of_an_accountant_have_answers() {
    let mut world = example();
    let cut = world.db.read(|tx| tx.settlement_cut()).unwrap();
    world.db.write(|tx| tx.settlement_close(&cut, at(1))).unwrap().unwrap();
    super::money_in::contribute(&mut world, &super::money_in::order("H1", 100, None));
    let statements = statements();
    assert_eq!(statements.len(), 8);
    for statement in statements {
        let mut query = world.db.conn.prepare(statement).unwrap();
        for (name, value) in [(":code", "H1"), (":number", "1"), (":shop", "1")] {
            if let Some(index) = query.parameter_index(name).unwrap() {
                match value.parse::<i64>() {
                    Ok(number) => query.raw_bind_parameter(index, number).unwrap(),
                    Err(_) => query.raw_bind_parameter(index, value).unwrap(),
                }
            }
        }
        let mut rows = query.raw_query();
        let mut count = 0;
        while rows.next().unwrap().is_some() {
            count += 1;
        }
        assert!(count > 0, "no answer to: {statement}");
    }
}
