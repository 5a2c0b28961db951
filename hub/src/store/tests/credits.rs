//! The monthly credit.

use super::world::{NOW, World, cents, household};
use crate::store::{ImportPlan, STEP_HOUSEHOLDS_MAX};

#[test]
fn a_credit_is_booked_once_per_household_period_and_source() {
    let mut world = World::credited();
    let before = world.number::<i64>("SELECT count(*) FROM transfers");
    world.credit("2026-11");
    assert_eq!(world.number::<i64>("SELECT count(*) FROM transfers"), before);
    world.credit("2026-12");
    assert_eq!(world.number::<i64>("SELECT sum(cents) FROM credits"), 6 * 15_000);
    let period = "2026-11".parse().unwrap();
    world.db.write(|tx| tx.credit_book(period, "Métropole", NOW)).unwrap();
    assert_eq!(world.number::<i64>("SELECT sum(cents) FROM credits"), 9 * 15_000);
    world.audit();
}

#[test]
fn a_second_run_books_only_those_who_are_missing() {
    let mut world = World::credited();
    world.import(&ImportPlan { households: vec![household(7, 4, 2)], ..ImportPlan::default() });
    let period = "2026-11".parse().unwrap();
    let plan = world.db.read(|tx| tx.credit_plan(period, &["Ville de Lyon"])).unwrap();
    assert_eq!((plan.to_book, plan.booked), (cents(30_500), cents(45_000)));
    let missing: Vec<_> =
        plan.lines.iter().filter(|line| line.booked.is_none()).map(|line| line.household.as_str()).collect();
    assert_eq!(missing, ["H7"]);
    let report = world.db.write(|tx| tx.credit_book(period, "Ville de Lyon", NOW)).unwrap();
    assert_eq!((report.households, report.cents, report.more), (1, cents(30_500), false));
    world.audit();
}

#[test]
fn a_preview_books_nothing_and_says_what_the_run_does() {
    let mut world = World::new();
    let period = "2026-11".parse().unwrap();
    let plan = world.db.read(|tx| tx.credit_plan(period, &["Ville de Lyon"])).unwrap();
    assert_eq!(world.number::<i64>("SELECT count(*) FROM transfers"), 0);
    let report = world.db.write(|tx| tx.credit_book(period, "Ville de Lyon", NOW)).unwrap();
    assert_eq!(report.cents, plan.to_book);
}

#[test]
fn a_run_cut_off_between_two_steps_goes_on_where_it_was() {
    let mut world = World::new();
    let many = STEP_HOUSEHOLDS_MAX + 5;
    world
        .db
        .conn
        .execute_batch(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < {})
             INSERT INTO households SELECT i, 'M' || i, 1, 0, NULL, 0, NULL FROM n;
             INSERT INTO purses (ref, household) SELECT unhex(format('%016x', number)), number FROM households
             WHERE number >= 100",
            99 + many
        ))
        .unwrap();
    let period = "2026-11".parse().unwrap();
    let step = world.db.write(|tx| tx.credit_book(period, "Ville de Lyon", NOW)).unwrap();
    assert_eq!((step.households, step.more), (STEP_HOUSEHOLDS_MAX, true));
    // Nothing of the run is in memory: whoever calls next goes on.
    let rest = world.db.write(|tx| tx.credit_book(period, "Ville de Lyon", NOW)).unwrap();
    assert_eq!((rest.households, rest.more), (8, false));
    assert_eq!(world.number::<i64>("SELECT count(*) FROM credits"), i64::from(many) + 3);
    world.audit();
}
