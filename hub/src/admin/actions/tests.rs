//! What is in the list, and when it is not.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed unwrap is the test's failure")]

use cabas_protocol::{Cents, ChainHead, Epoch, Hash, Seq};

use super::super::pages::routes;
use super::*;
use crate::store::{AlarmView, EnrolmentView, EpochExposure, Missing, TapFault};

const NOW: Timestamp = Timestamp::new(2_000_000_000);

fn ago(days: u64) -> Timestamp {
    Timestamp::new(NOW.get().checked_sub(days.checked_mul(DAY_S).unwrap()).unwrap())
}

fn terminal(number: u32, standing: Standing, last_contact_at: Option<Timestamp>) -> TerminalView {
    let enrolment = EnrolmentView {
        epoch: Epoch::new(1),
        standing,
        quarantine: None,
        opened_at: ago(50),
        acked: Seq::new(1),
        backed_up: Seq::new(0),
        status: None,
        last_contact_at,
        current_at: None,
        alarms: Vec::new(),
        troubles: Vec::new(),
        told_at: None,
    };
    TerminalView {
        terminal: TerminalId::new(number),
        shop_code: "A".to_owned(),
        shop_name: "Shop A".to_owned(),
        enrolment: Some(enrolment),
        code_expires_at: None,
    }
}

fn alarmed(mut view: TerminalView, kind: AlarmKind, last_at: Timestamp) -> TerminalView {
    let alarm = AlarmView { kind, count: 3, first_at: ago(40), last_at, seq: Seq::new(1) };
    let enrolment = view.enrolment.as_mut().unwrap();
    enrolment.alarms.push(alarm);
    if enrolment.standing == Standing::Quarantined {
        enrolment.quarantine = Some(if kind == AlarmKind::Gap { Quarantine::Gap } else { Quarantine::Fork });
    }
    view
}

fn row(why: OverRight, received_at: Timestamp) -> FlaggedRow {
    FlaggedRow {
        terminal: TerminalId::new(4),
        epoch: Epoch::new(1),
        seq: Seq::new(1),
        claimed: Cents::ZERO,
        settled: Cents::ZERO,
        why,
        received_at,
    }
}

fn flag(proof: Proof, received_at: Timestamp) -> CardFlag {
    CardFlag {
        card: 51,
        terminal: TerminalId::new(5),
        epoch: Epoch::new(1),
        seq: Seq::new(1),
        cents: Cents::ZERO,
        settled: Cents::ZERO,
        counter: None,
        proof,
        received_at,
    }
}

fn tap(received_at: Timestamp) -> CopiedTap {
    CopiedTap {
        card_number: Some(7),
        terminal: TerminalId::new(6),
        epoch: Epoch::new(1),
        seq: Seq::new(1),
        counter: Some(1),
        cents: Cents::ZERO,
        why: TapFault::Fell,
        received_at,
        other: None,
    }
}

fn closing(proposed_at: Timestamp, state: &'static str) -> ClosingView {
    let at = ChainHead { seq: Seq::new(1), hash: Hash::new([0; 32]) };
    ClosingView {
        id: 1,
        terminal: TerminalId::new(2),
        epoch: Epoch::new(1),
        at,
        proposed_by: "Ada".to_owned(),
        proposed_at,
        state,
        ended: None,
    }
}

fn sum(count: u64, days: u64) -> OpenSum {
    OpenSum { count, cents: Cents::ZERO, since: Some(ago(days)) }
}

fn list(found: &Found) -> Vec<(&'static str, u64, Option<u64>, Vec<u32>)> {
    let days = |since: u64| NOW.get().checked_sub(since).and_then(|seconds| seconds.checked_div(DAY_S)).unwrap();
    actions(found, Patience::default(), NOW)
        .into_iter()
        .map(|action| (action.kind, action.count, action.since.map(days), action.terminals))
        .collect()
}

#[test]
fn a_fund_where_all_is_well_has_nothing_to_do() {
    let mut found = Found::default();
    found.terminals.push(terminal(1, Standing::Live, Some(Timestamp::new(NOW.get().checked_sub(60).unwrap()))));
    found.terminals.push(terminal(2, Standing::Closed, Some(ago(90))));
    assert_eq!(list(&found), []);
}

#[test]
fn each_thing_is_in_the_list_with_its_number_and_since_when() {
    let (terminal_9, epoch) = (TerminalId::new(9), Epoch::new(1));
    let epochs = [Standing::Revoked, Standing::Live, Standing::Quarantined].map(|standing| EpochExposure {
        terminal: terminal_9,
        epoch,
        standing,
        cents: Cents::ZERO,
    });
    let found = Found {
        terminals: vec![
            alarmed(terminal(1, Standing::Quarantined, Some(ago(3))), AlarmKind::Fork, ago(3)),
            alarmed(terminal(2, Standing::Quarantined, Some(ago(3))), AlarmKind::Gap, ago(3)),
            alarmed(terminal(3, Standing::Live, Some(ago(2))), AlarmKind::Split, ago(2)),
            terminal(8, Standing::Live, None),
        ],
        flagged: vec![
            row(OverRight::Disputed, ago(1)),
            row(OverRight::AboveAllowed, ago(2)),
            row(OverRight::CardProof, ago(9)),
        ],
        proofs: vec![flag(Proof::Wrong, ago(1)), flag(Proof::Repeated, ago(2)), flag(Proof::Missing, ago(3))],
        taps: vec![tap(ago(5))],
        late_sales: 12,
        closings: vec![closing(ago(8), "proposed"), closing(ago(6), "proposed"), closing(ago(8), "closed")],
        prepared_at: Some(ago(9)),
        open: OpenWork { payouts_due: sum(2, 4), payouts_ordered: sum(3, 5), entries: sum(1, 6) },
        exposure: Exposure { epochs: epochs.to_vec(), ..Exposure::default() },
        alert_percent: 80,
        ..Found::default()
    };
    let expected = [
        ("fork", 1, Some(40), vec![1]),
        ("gap", 1, Some(40), vec![2]),
        ("revoked_with_money", 1, None, vec![9]),
        ("disputed_rows", 1, Some(1), vec![4]),
        ("over_right_rows", 2, Some(9), vec![4]),
        ("wrong_card_proof", 2, Some(2), vec![5]),
        ("missing_card_proof", 1, Some(3), vec![5]),
        ("copied_card", 1, Some(5), vec![6]),
        ("late_sales", 12, None, vec![]),
        ("not_split_by_the_grid", 3, Some(40), vec![3]),
        ("stale_terminal", 2, Some(50), vec![3, 8]),
        ("settlement_waits", 1, Some(9), vec![]),
        ("closing_waits", 1, Some(8), vec![2]),
        ("payout_due", 2, Some(4), vec![]),
        ("payout_unconfirmed", 3, Some(5), vec![]),
        ("bank_entry_open", 1, Some(6), vec![]),
        ("legal_threshold_80", 1, None, vec![]),
    ];
    assert_eq!(list(&found), expected);
    assert!(expected.iter().all(|(kind, ..)| KINDS.contains(kind)));
}

#[test]
fn every_kind_of_the_code_has_its_word_in_the_list_of_kinds() {
    let code = include_str!("../actions.rs");
    let (_, code) = code.split_once("/// What is to be done, what costs money first.").unwrap();
    let mut words = KINDS.iter().filter(|kind| !code.contains(&format!("\"{kind}\"")));
    assert_eq!(words.next(), None, "nothing makes it");
    let added = code.split("(\"").skip(1).filter_map(|part| part.split_once("\", "));
    let unknown: Vec<_> = added.map(|(word, _)| word).filter(|word| !KINDS.contains(word)).collect();
    assert_eq!(unknown, Vec::<&str>::new());
}

#[test]
fn evidence_leaves_the_list_after_some_days_and_quarantine_does_not() {
    let mut found = Found {
        flagged: vec![row(OverRight::Disputed, ago(30)), row(OverRight::AboveAllowed, ago(31))],
        proofs: vec![flag(Proof::Wrong, ago(30))],
        taps: vec![tap(ago(300))],
        ..Found::default()
    };
    let old = alarmed(terminal(1, Standing::Live, Some(NOW)), AlarmKind::NotAuthentic, ago(30));
    found.terminals.push(old);
    assert_eq!(list(&found), []);
    let patient = Patience { evidence_days: 31, ..Patience::default() };
    let kinds: Vec<_> = actions(&found, patient, NOW).into_iter().map(|action| action.kind).collect();
    assert_eq!(kinds, ["disputed_rows", "wrong_card_proof", "not_authentic"]);
    found.terminals = vec![alarmed(terminal(1, Standing::Quarantined, Some(ago(400))), AlarmKind::Fork, ago(400))];
    assert_eq!(list(&found), [("fork", 1, Some(40), vec![1])]);
}

#[test]
fn what_waits_for_another_person_is_in_the_list_after_some_days() {
    let found = Found { prepared_at: Some(ago(6)), closings: vec![closing(ago(6), "proposed")], ..Found::default() };
    assert_eq!(list(&found), []);
    let impatient = Patience { waiting_days: 6, ..Patience::default() };
    assert_eq!(actions(&found, impatient, NOW).len(), 2);
}

#[test]
fn a_restore_that_has_not_ended_comes_first() {
    let found = Found {
        restore: Some(RestoreView {
            incarnation: cabas_protocol::Incarnation::new(2),
            restored_at: ago(1),
            ended_at: None,
            missing: Missing(vec![(TerminalId::new(3), Epoch::new(1))]),
            settlement: 4,
            payments_checked: false,
            unplaced: 0,
            blocked_again: Vec::new(),
            blocked_unknown: 0,
            lists_unheard: Vec::new(),
        }),
        alert_percent: 100,
        ..Found::default()
    };
    let expected = [
        ("restore_waits", 1, Some(1), vec![3]),
        ("payments_unchecked", 1, Some(1), vec![]),
        ("legal_threshold_100", 1, None, vec![]),
    ];
    assert_eq!(list(&found), expected);
}

#[test]
fn every_path_of_the_list_is_a_page() {
    let pages: Vec<_> = routes().into_iter().map(|route| route.path).collect();
    for path in [TERMINALS, EVIDENCE, OVERVIEW] {
        assert!(pages.iter().any(|page| page == path), "{path}");
    }
}
