//! Identity cards in the journal: each count of taps sells once, over any restart.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed unwrap is the test's failure"
)]
use super::*;
use crate::card::UidClass;
use crate::core::authorize::DeclineReason;
use crate::core::objects::CopySign;
use crate::fixture::{Fund, card, cents, lines, moment, request};
use cabas_protocol::row::Tier;

const NUMBER: u8 = 6;

fn by(counter: u32) -> PresentedBy {
    PresentedBy { card: card(NUMBER), proven: Tier::Plain, uid: UidClass::Unique, counter: None }.identified(counter)
}

fn wish(number: u64, amount: u64, by: PresentedBy) -> SaleAsk {
    SaleAsk { request: request(number), till_ref: None, lines: lines(amount), card: by }
}

/// A terminal with 1000 cents for purse 1, to which identity card 6 is bound.
fn ready(fund: &Fund, folder: &Path) -> Journal {
    let mut journal = fund.ready(folder, 1000);
    let binding = fund.binding_as(Tier::Identity, card(NUMBER), 1, 1).into_bytes();
    let applied = fund.give(&mut journal, vec![binding, fund.slot_key(card(NUMBER), 1, [1; 16]).into_bytes()]);
    assert_eq!((applied.taken, applied.alarms), (2, vec![]));
    journal
}

fn refused(sold: Sold) -> DeclineReason {
    let Sold::Declined(declined) = sold else { panic!("{sold:?}") };
    declined.reason
}

fn alarms(journal: &Journal) -> Vec<String> {
    journal.state().alarms.iter().map(|alarm| alarm.text.clone()).collect()
}

#[test]
fn a_proven_card_sells_from_the_slice_and_its_row_has_its_count_of_taps() {
    let (folder, fund) = (tempfile::tempdir().unwrap(), Fund::default());
    let mut journal = ready(&fund, folder.path());
    let now = moment(1, 20);
    let IdentityStart::Go(keys) = journal.identity_start(now, by(0), Some(request(1))).unwrap() else { panic!() };
    assert_eq!(keys.len(), 1);
    let Sold::Accepted(record) = journal.sell(now, &wish(1, 400, by(7))).unwrap() else { panic!() };
    assert_eq!((record.sale.tier, record.sale.card_counter), (Tier::Identity, Some(7)));
    assert!(matches!(journal.identity_start(now, by(0), Some(request(1))).unwrap(), IdentityStart::Known(_)));
    // The limits of plain cards are not asked: more than one sale of a plain card may be.
    assert_eq!(journal.view_identity(now, by(8)).unwrap(), CardView::Usable { available: cents(600) });
    let report = verify::verify(&folder.path().join(FILE), Some(*fund.root.public())).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
}

#[test]
fn a_count_that_repeats_or_falls_is_declined_and_told_over_a_restart_too() {
    let (folder, fund) = (tempfile::tempdir().unwrap(), Fund::default());
    let mut journal = ready(&fund, folder.path());
    assert!(matches!(journal.sell(moment(1, 20), &wish(1, 100, by(7))).unwrap(), Sold::Accepted(_)));
    drop(journal);
    let mut journal = fund.open(folder.path(), moment(1, 30));
    for (number, counter) in [(2, 7), (3, 6), (4, 0)] {
        let sold = journal.sell(moment(1, 30), &wish(number, 100, by(counter))).unwrap();
        assert_eq!(refused(sold), DeclineReason::TierTooLow, "{counter}");
    }
    assert_eq!(journal.view_identity(moment(1, 30), by(7)).unwrap(), {
        let Sold::Declined(declined) = journal.sell(moment(1, 30), &wish(5, 0x10, by(7))).unwrap() else { panic!() };
        CardView::Declined(Declined { allowed_at_least: Some(cents(100)), ..declined })
    });
    let told = alarms(&journal);
    assert_eq!(told.len(), 3, "the same once: {told:?}");
    assert!(told.iter().all(|text| text.contains("taps, and 7 before")), "{told:?}");
    assert!(matches!(journal.sell(moment(1, 30), &wish(6, 100, by(8))).unwrap(), Sold::Accepted(_)));
}

#[test]
fn a_tap_that_sold_nothing_counts_and_a_second_try_of_the_same_tap_does_not() {
    let (folder, fund) = (tempfile::tempdir().unwrap(), Fund::default());
    let mut journal = ready(&fund, folder.path());
    let now = moment(1, 20);
    // The counter asks the hub for more between two tries of one tap.
    for _ in 0..2 {
        let sold = journal.sell(now, &wish(1, 5_000, by(7))).unwrap();
        assert_eq!(refused(sold), DeclineReason::InsufficientFunds);
    }
    journal.tapped(now, by(7)).unwrap();
    assert_eq!(refused(journal.sell(now, &wish(2, 100, by(7))).unwrap()), DeclineReason::TierTooLow);
    journal.view_identity(now, by(9)).unwrap();
    assert_eq!(refused(journal.sell(now, &wish(3, 100, by(9))).unwrap()), DeclineReason::TierTooLow);
}

#[test]
fn a_card_that_proved_less_than_its_binding_sells_nothing() {
    let (folder, fund) = (tempfile::tempdir().unwrap(), Fund::default());
    let mut journal = ready(&fund, folder.path());
    let now = moment(1, 20);
    let plain = PresentedBy { proven: Tier::Plain, counter: None, ..by(7) };
    let untold = PresentedBy { counter: None, ..by(7) };
    for (number, by) in [(1, plain), (2, untold)] {
        assert_eq!(refused(journal.sell(now, &wish(number, 100, by)).unwrap()), DeclineReason::TierTooLow);
    }
    let declined = journal.not_proven(now, card(NUMBER), CopySign::NoKey).unwrap();
    assert_eq!(declined.reason, DeclineReason::TierTooLow);
    assert!(alarms(&journal)[0].contains("did not prove that it has its key"), "{:?}", alarms(&journal));
    // A blocked card is not even asked.
    fund.give(&mut journal, vec![fund.hot_list(9, 0, &[NUMBER]).into_bytes()]);
    let IdentityStart::Declined(declined) = journal.identity_start(now, by(0), None).unwrap() else { panic!() };
    assert_eq!(declined.reason, DeclineReason::Blocked);
}

#[test]
fn a_card_whose_key_is_not_here_is_not_asked() {
    let (folder, fund) = (tempfile::tempdir().unwrap(), Fund::default());
    let mut journal = fund.ready(folder.path(), 1000);
    fund.give(&mut journal, vec![fund.binding_as(Tier::Identity, card(NUMBER), 1, 1).into_bytes()]);
    let IdentityStart::Declined(declined) = journal.identity_start(moment(1, 20), by(0), None).unwrap() else {
        panic!()
    };
    assert_eq!(declined.reason, DeclineReason::NoBalance);
}

#[test]
fn verify_tells_a_sale_whose_count_of_taps_does_not_rise() {
    for counter in [Some(7), Some(6), None] {
        let (folder, fund) = (tempfile::tempdir().unwrap(), Fund::default());
        let mut journal = ready(&fund, folder.path());
        let Sold::Accepted(record) = journal.sell(moment(1, 20), &wish(1, 400, by(7))).unwrap() else { panic!() };
        let again = cabas_protocol::row::Sale {
            stan: record.sale.stan.next(),
            spent_after: cents(800),
            card_counter: counter,
            request: None,
            ..record.sale
        };
        journal.write(moment(1, 21), |writer| writer.append(RowBody::Sale(again), None)).unwrap();
        let report = verify::verify(&folder.path().join(FILE), Some(*fund.root.public())).unwrap();
        assert!(report.problems.iter().any(|problem| problem.contains("does not rise")), "{counter:?}: {report:?}");
    }
}

#[test]
fn a_count_that_a_copy_drove_up_does_not_hold_once_the_card_has_a_newer_key() {
    let (folder, fund) = (tempfile::tempdir().unwrap(), Fund::default());
    let mut journal = ready(&fund, folder.path());
    journal.view_identity(moment(1, 20), by(u32::MAX)).unwrap();
    let next = fund.slot_key_since(card(NUMBER), (1, 2), [2; 16]).into_bytes();
    assert_eq!(fund.give(&mut journal, vec![next]).taken, 1);
    assert_eq!(refused(journal.sell(moment(1, 21), &wish(1, 100, by(8))).unwrap()), DeclineReason::TierTooLow);
    // The card was renewed: the key that the copy has is dropped.
    let renewed = fund.slot_key_since(card(NUMBER), (2, 2), [2; 16]).into_bytes();
    fund.give(&mut journal, vec![renewed]);
    assert!(matches!(journal.sell(moment(1, 22), &wish(2, 100, by(8))).unwrap(), Sold::Accepted(_)));
    assert_eq!(refused(journal.sell(moment(1, 23), &wish(3, 100, by(8))).unwrap()), DeclineReason::TierTooLow);
}
