#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
use super::super::{SaleRef, Undone};
use super::*;
use crate::fixture::{Fund, ask, cents, moment, request};

fn till_ask(amount: u64) -> TillAsk {
    TillAsk {
        peer: String::from("127.0.0.1"),
        till: String::from("01"),
        action: TillAction::Debit,
        cents: cents(amount),
        reference: String::new(),
    }
}

/// A sale for a till, told or not.
fn sell(journal: &mut Journal, at: u64, number: u64, amount: u64, is_told: bool) {
    journal.till_asks(moment(1, at), request(number), &till_ask(amount)).unwrap();
    journal.sell(moment(1, at), &ask(number, 1, amount)).unwrap();
    if is_told {
        assert!(journal.till_told(moment(1, at), request(number), false).unwrap());
    }
}

fn unconfirmed(journal: &mut Journal, at: u64) -> Vec<RequestId> {
    journal.till_unconfirmed(moment(1, at)).unwrap().iter().map(|done| done.request).collect()
}

#[test]
fn a_sale_whose_answer_was_never_recorded_as_read_is_unconfirmed_after_any_restart() {
    let (folder, fund) = (tempfile::tempdir().unwrap(), Fund::default());
    let mut journal = fund.ready(folder.path(), 10_000);
    sell(&mut journal, 5, 1, 100, true);
    sell(&mut journal, 6, 2, 200, false);
    // Asked for, and never sold.
    journal.till_asks(moment(1, 7), request(3), &till_ask(300)).unwrap();
    drop(journal);
    let mut journal = fund.open(folder.path(), moment(1, 8));
    assert_eq!(unconfirmed(&mut journal, 9), [request(2)]);
    assert!(journal.till_told(moment(1, 10), request(2), true).unwrap());
    assert_eq!(unconfirmed(&mut journal, 11), []);
    assert!(!journal.till_told(moment(1, 12), request(9), true).unwrap());
}

#[test]
fn only_the_very_same_request_of_late_that_nobody_confirmed_is_one_again() {
    let (folder, fund) = (tempfile::tempdir().unwrap(), Fund::default());
    let mut journal = fund.ready(folder.path(), 10_000);
    sell(&mut journal, 5, 1, 100, true);
    sell(&mut journal, 6, 2, 200, false);
    let mut again =
        |at, ask: &TillAsk| journal.till_same_again(moment(1, at), ask, None).unwrap().map(|done| done.request);
    assert_eq!(again(50, &till_ask(200)), Some(request(2)));
    assert_eq!(again(50, &till_ask(100)), None, "the till knows of it: this is another customer");
    for other in [
        TillAsk { peer: String::from("10.0.0.2"), ..till_ask(200) },
        TillAsk { till: String::from("02"), ..till_ask(200) },
        TillAsk { action: TillAction::Refund, ..till_ask(200) },
        TillAsk { reference: String::from("ORDER2"), ..till_ask(200) },
        till_ask(201),
    ] {
        assert_eq!(again(50, &other), None, "{other:?}");
    }
    assert_eq!(again(6 + SAME_AGAIN_S, &till_ask(200)), Some(request(2)));
    assert_eq!(again(7 + SAME_AGAIN_S, &till_ask(200)), None);
}

#[test]
fn what_was_undone_since_is_neither_unconfirmed_nor_the_same_again() {
    let (folder, fund) = (tempfile::tempdir().unwrap(), Fund::default());
    let mut journal = fund.ready(folder.path(), 10_000);
    sell(&mut journal, 6, 2, 200, false);
    let undone = journal.reverse(moment(1, 7), SaleRef::Request(request(2)), request(5)).unwrap();
    assert!(matches!(undone, Undone::Done(_)));
    assert_eq!(unconfirmed(&mut journal, 9), []);
    assert_eq!(journal.till_same_again(moment(1, 9), &till_ask(200), None).unwrap(), None);
}

#[test]
fn the_day_of_a_till_lists_its_own_newest_first_and_a_cancellation_too() {
    let (folder, fund) = (tempfile::tempdir().unwrap(), Fund::default());
    let mut journal = fund.ready(folder.path(), 10_000);
    sell(&mut journal, 5, 1, 100, true);
    sell(&mut journal, 5, 2, 200, true);
    let cancel = TillAsk { action: TillAction::Cancel, ..till_ask(200) };
    journal.till_asks(moment(1, 6), request(3), &cancel).unwrap();
    assert!(matches!(
        journal.reverse(moment(1, 6), SaleRef::Request(request(2)), request(3)).unwrap(),
        Undone::Done(_)
    ));
    let today = journal.till_today(moment(1, 7), "127.0.0.1", "01").unwrap();
    let listed: Vec<_> = today.iter().map(|(done, _)| (done.request, done.action, done.is_undone)).collect();
    assert_eq!(
        listed,
        [
            (request(3), TillAction::Cancel, true),
            (request(2), TillAction::Debit, true),
            (request(1), TillAction::Debit, false)
        ]
    );
    assert_eq!(journal.till_today(moment(1, 7), "127.0.0.1", "02").unwrap(), []);
}
