//! Rows of cashiers and of training: what they say holds after a restart, and they touch no sum.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

use super::schema::open;
use super::*;
use crate::fixture::{Fund, ask, moment};

#[test]
fn cashier_and_training_are_what_the_newest_rows_say_also_after_a_restart() {
    let (folder, fund) = (tempfile::tempdir().unwrap(), Fund::default());
    let mut journal = fund.ready(folder.path(), 1000);
    assert_eq!((journal.state().cashier, journal.state().training), (0, false));
    journal.change_cashier(moment(1, 1), 3).unwrap();
    journal.train(moment(1, 2), true).unwrap();
    journal.train(moment(1, 3), false).unwrap();
    journal.change_cashier(moment(1, 4), 5).unwrap();
    journal.train(moment(1, 5), true).unwrap();
    let rows = journal.state().newest.chain.seq;
    journal.change_cashier(moment(1, 6), 5).unwrap();
    journal.train(moment(1, 7), true).unwrap();
    assert_eq!(journal.state().newest.chain.seq, rows, "the same again is no row");
    // As a power cut leaves it: nothing is closed.
    std::mem::forget(journal);
    let journal = fund.open(folder.path(), moment(2, 0));
    assert_eq!((journal.state().cashier, journal.state().training), (5, true));
}

#[test]
fn they_change_no_sum_and_no_number() {
    let (folder, fund) = (tempfile::tempdir().unwrap(), Fund::default());
    let mut journal = fund.ready(folder.path(), 1000);
    journal.sell(moment(1, 1), &ask(1, 1, 400)).unwrap();
    let before = journal.state();
    journal.change_cashier(moment(1, 2), 1).unwrap();
    journal.train(moment(1, 3), true).unwrap();
    let after = journal.state();
    assert_eq!((after.newest.totals, after.newest.stan), (before.newest.totals, before.newest.stan));
    assert_eq!(after.unsent().sales, before.unsent().sales);
    drop(journal);
    let report = verify::verify(&folder.path().join(FILE), None).unwrap();
    assert_eq!((report.problems, report.sales, report.fund_cents), (vec![], 1, 400));
}

#[test]
fn the_newest_is_found_without_a_scan() {
    let (folder, fund) = (tempfile::tempdir().unwrap(), Fund::default());
    drop(fund.ready(folder.path(), 1000));
    let db = open(&folder.path().join(FILE), false).unwrap();
    for (kind, index) in [(12, "rows_of_cashiers"), (13, "rows_of_training")] {
        let explain =
            format!("EXPLAIN QUERY PLAN SELECT bytes FROM rows WHERE kind = {kind} ORDER BY seq DESC LIMIT 1");
        let plan: String = db.query_row(&explain, [], |row| row.get(3)).unwrap();
        assert!(plan.contains(index), "{plan}");
    }
}
