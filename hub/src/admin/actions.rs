//! The short list of things that a person must do: what, how many, since when, where, and by which command. It is made
//! from what the store's lists say, and names no person, no purse and no household.
//!
//! Most things leave the list when they are done. Evidence that nobody can take back (rows that do not fit, cards that did
//! not prove, copies, purchases that are not paid) stays for some days after the last of it came, and in its own list for good.

use std::collections::{BTreeMap, BTreeSet};

use cabas_protocol::sync::Standing;
use cabas_protocol::{TerminalId, Timestamp};
use serde::Serialize;

use super::figures::ThresholdsShown;
use super::overview::{STALE_S, standing_name};
use crate::calendar::Calendar;
use crate::core::card_proof::Proof;
use crate::core::ledger::OverRight;
use crate::store::{
    AlarmKind, CardFlag, ClosingView, CopiedTap, CorrectionView, Exposure, FlaggedRow, OpenSum, OpenWork, Quarantine,
    RepaymentView, RestoreView, StoreError, TerminalView, Tx,
};

/// Lines that are looked through, newest first; a list that is longer counts as this many.
pub const LOOKED_AT_MAX: u32 = 10_000;
/// Days for which evidence stays in the list.
pub const EVIDENCE_DAYS: u32 = 30;
/// Days after which something that waits for another person is in the list.
pub const WAITING_DAYS: u32 = 7;

const DAY_S: u64 = 86_400;

/// Everything that may be in the list, by its word.
pub const KINDS: [&str; 26] = [
    "restore_waits",
    "payments_unchecked",
    "fork",
    "gap",
    "revoked_with_money",
    "disputed_rows",
    "over_right_rows",
    "wrong_card_proof",
    "missing_card_proof",
    "copied_card",
    "late_sales",
    "future_incarnation",
    "not_authentic",
    "not_split_by_the_grid",
    "stale_terminal",
    "settlement_waits",
    "closing_waits",
    "correction_waits",
    "repayment_waits",
    "login_waits",
    "payout_due",
    "payout_unconfirmed",
    "bank_entry_open",
    "legal_threshold_50",
    "legal_threshold_80",
    "legal_threshold_100",
];

/// The pages to which the list leads.
pub const TERMINALS: &str = "/terminals";
/// The page of what does not fit.
pub const EVIDENCE: &str = "/evidence";
/// The page of who may log in.
pub const USERS: &str = "/users";
/// The page for what has none of its own.
pub const OVERVIEW: &str = "/dashboard";

/// When something is in the list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Patience {
    /// Days for which evidence stays.
    pub evidence_days: u32,
    /// Days for which another person may be waited for.
    pub waiting_days: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self { evidence_days: EVIDENCE_DAYS, waiting_days: WAITING_DAYS }
    }
}

/// Something to do.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Action {
    /// What it is, in one word.
    pub kind: &'static str,
    /// The same in a sentence.
    pub what: &'static str,
    /// How many.
    pub count: u64,
    /// Since when the oldest is, in seconds since 1970; none where that is not known.
    pub since: Option<u64>,
    /// The terminals that it is about; none where it is about none.
    pub terminals: Vec<u32>,
    /// The page where it is seen to.
    pub path: &'static str,
    /// The command that shows it, or does it.
    pub command: &'static str,
}

/// What the store's lists say.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Every terminal.
    pub terminals: Vec<TerminalView>,
    /// Rows that are not paid whole, or do not fit.
    pub flagged: Vec<FlaggedRow>,
    /// Rows that purse cards did not prove.
    pub proofs: Vec<CardFlag>,
    /// Taps that say that there is a copy.
    pub taps: Vec<CopiedTap>,
    /// Closings of enrolments.
    pub closings: Vec<ClosingView>,
    /// Corrections.
    pub corrections: Vec<CorrectionView>,
    /// Repayments of what cards counted.
    pub repayments: Vec<RepaymentView>,
    /// When logins were given that somebody else has still to confirm.
    pub logins: Vec<Timestamp>,
    /// When the settlement that waits for approval was prepared.
    pub prepared_at: Option<Timestamp>,
    /// Late sales in the next settlement.
    pub late_sales: u64,
    /// What is open at the bank.
    pub open: OpenWork,
    /// What may still go wrong.
    pub exposure: Exposure,
    /// The newest restore.
    pub restore: Option<RestoreView>,
    /// The highest alert of the legal thresholds; 0 where none.
    pub alert_percent: u8,
}

/// Reads what there is to do.
///
/// # Errors
/// [`StoreError`].
pub fn read(tx: &Tx<'_>, calendar: &Calendar, patience: Patience, now: Timestamp) -> Result<Vec<Action>, StoreError> {
    read_beside(tx, patience, ThresholdsShown::read(tx, calendar, now)?.alert_percent, now)
}

/// The same where somebody knows the highest alert of the legal thresholds: reading them takes the longest.
///
/// # Errors
/// [`StoreError`].
pub fn read_beside(
    tx: &Tx<'_>,
    patience: Patience,
    alert_percent: u8,
    now: Timestamp,
) -> Result<Vec<Action>, StoreError> {
    let preview = tx.settlement_preview(&tx.settlement_cut()?)?;
    let late = preview.iter().flat_map(|settlement| &settlement.shops).map(|shop| u64::from(shop.sums.late_sales));
    let found = Found {
        terminals: tx.terminals()?,
        flagged: tx.flagged_rows(LOOKED_AT_MAX)?,
        proofs: tx.card_flags(LOOKED_AT_MAX)?,
        taps: tx.copied_taps(LOOKED_AT_MAX)?,
        closings: tx.closings(LOOKED_AT_MAX)?,
        corrections: tx.corrections(LOOKED_AT_MAX)?,
        repayments: tx.repayments(LOOKED_AT_MAX)?,
        logins: tx.logins_waiting()?,
        prepared_at: tx.settlement_open()?.map(|open| open.at),
        late_sales: late.sum(),
        open: tx.open_work()?,
        exposure: tx.exposure(now)?,
        restore: tx.restore_view()?,
        alert_percent,
    };
    Ok(actions(&found, patience, now))
}

/// What is to be done, what costs money first.
#[must_use]
pub fn actions(found: &Found, patience: Patience, now: Timestamp) -> Vec<Action> {
    let mut list = List::default();
    restore(&mut list, found);
    quarantines(&mut list, found);
    let recent = |at: Timestamp| now.since_s(at) < days(patience.evidence_days);
    evidence(&mut list, found, recent);
    alarms(&mut list, found, recent);
    silent(&mut list, found, now);
    waiting(&mut list, found, |at| now.since_s(at) >= days(patience.waiting_days));
    bank(&mut list, found);
    list.0
}

fn days(days: u32) -> u64 {
    u64::from(days).saturating_mul(DAY_S)
}

/// What it is, in a word and in a sentence, where, and by which command.
type What = (&'static str, &'static str, &'static str, &'static str);

#[derive(Default)]
struct List(Vec<Action>);

impl List {
    fn add(
        &mut self,
        what: What,
        count: u64,
        since: Option<Timestamp>,
        terminals: impl IntoIterator<Item = TerminalId>,
    ) {
        if count > 0 {
            let (kind, what, path, command) = what;
            let terminals: BTreeSet<u32> = terminals.into_iter().map(TerminalId::get).collect();
            let (since, terminals) = (since.map(Timestamp::get), terminals.into_iter().collect());
            self.0.push(Action { kind, what, count, since, terminals, path, command });
        }
    }

    /// One thing a line, each with its moment and perhaps its terminal.
    fn add_each(&mut self, what: What, each: impl IntoIterator<Item = (Timestamp, Option<TerminalId>)>) {
        let (times, terminals): (Vec<_>, Vec<_>) = each.into_iter().unzip();
        let count = u64::try_from(times.len()).unwrap_or(u64::MAX);
        self.add(what, count, times.into_iter().min(), terminals.into_iter().flatten());
    }

    fn add_sum(&mut self, what: What, sum: OpenSum) {
        self.add(what, sum.count, sum.since, []);
    }
}

fn restore(list: &mut List, found: &Found) {
    let Some(restore) = &found.restore else { return };
    let waits = "terminals have not handed back what they hold since the restore";
    let terminals = restore.missing.0.iter().map(|(terminal, _)| *terminal);
    let missing = u64::try_from(restore.missing.0.len()).unwrap_or(u64::MAX);
    list.add(("restore_waits", waits, TERMINALS, "cabas-hub status"), missing, Some(restore.restored_at), terminals);
    let unchecked = "nobody has said since the restore that no later settlement was paid";
    let command = "cabas-hub settlement prepare --payments-checked";
    let count = u64::from(!restore.payments_checked);
    list.add(("payments_unchecked", unchecked, OVERVIEW, command), count, Some(restore.restored_at), []);
}

fn quarantines(list: &mut List, found: &Found) {
    let enrolments = || {
        found.terminals.iter().filter_map(|view| view.enrolment.as_ref().map(|enrolment| (view.terminal, enrolment)))
    };
    let close = "cabas-hub terminal close";
    for (quarantine, kind, what) in [
        (Quarantine::Fork, "fork", "terminals are quarantined: their journals have two futures"),
        (Quarantine::Gap, "gap", "terminals are quarantined: rows are missing in their journals"),
    ] {
        let stand = enrolments().filter(|(_, enrolment)| {
            enrolment.standing == Standing::Quarantined && enrolment.quarantine == Some(quarantine)
        });
        let since = stand.map(|(terminal, enrolment)| {
            let alarm = match quarantine {
                Quarantine::Fork => AlarmKind::Fork,
                Quarantine::Gap => AlarmKind::Gap,
            };
            let first = enrolment.alarms.iter().find(|found| found.kind == alarm).map(|found| found.first_at);
            (first.unwrap_or(enrolment.opened_at), Some(terminal))
        });
        list.add_each((kind, what, TERMINALS, close), since);
    }
    let revoked = found.exposure.epochs.iter().filter(|epoch| standing_name(epoch.standing) == "revoked");
    let revoked: Vec<_> = revoked.map(|epoch| epoch.terminal).collect();
    let count = u64::try_from(revoked.len()).unwrap_or(u64::MAX);
    list.add(
        ("revoked_with_money", "revoked enrolments still hold households' money", TERMINALS, close),
        count,
        None,
        revoked,
    );
}

fn evidence(list: &mut List, found: &Found, recent: impl Fn(Timestamp) -> bool) {
    let rows = |is_disputed: bool| {
        let of_kind = move |row: &&FlaggedRow| (row.why == OverRight::Disputed) == is_disputed;
        found.flagged.iter().filter(of_kind).map(|row| (row.received_at, Some(row.terminal)))
    };
    let list_rows = "cabas-hub report rows";
    let recent = |(at, _): &(Timestamp, Option<TerminalId>)| recent(*at);
    let disputed = ("disputed_rows", "rows do not fit their journals and are not paid", EVIDENCE, list_rows);
    list.add_each(disputed, rows(true).filter(recent));
    let over =
        ("over_right_rows", "rows are not paid, or not whole: they claim more than was allowed", EVIDENCE, list_rows);
    list.add_each(over, rows(false).filter(recent));
    let proofs = |is_missing: bool| {
        let of_kind = move |flag: &&CardFlag| (flag.proof == Proof::Missing) == is_missing;
        found.proofs.iter().filter(of_kind).map(|flag| (flag.received_at, Some(flag.terminal)))
    };
    let command = "cabas-hub card proofs";
    let wrong = ("wrong_card_proof", "sales carry a transaction MAC that the card did not make", EVIDENCE, command);
    list.add_each(wrong, proofs(false).filter(recent));
    let missing = ("missing_card_proof", "sales are paid though the card's answer never came", EVIDENCE, command);
    list.add_each(missing, proofs(true).filter(recent));
    let copies =
        ("copied_card", "taps say that identity cards were copied: block them", EVIDENCE, "cabas-hub card copies");
    list.add_each(copies, found.taps.iter().map(|tap| (tap.received_at, Some(tap.terminal))).filter(recent));
    let late = ("late_sales", "late sales are in the next settlement", OVERVIEW, "cabas-hub settlement preview");
    list.add(late, found.late_sales, None, []);
}

/// Alarms that stand in no list of their own.
fn alarms(list: &mut List, found: &Found, recent: impl Fn(Timestamp) -> bool) {
    let mut sums: BTreeMap<AlarmKind, (u64, Timestamp, Vec<TerminalId>)> = BTreeMap::new();
    for view in &found.terminals {
        let alarms = view.enrolment.iter().flat_map(|enrolment| &enrolment.alarms);
        for alarm in alarms.filter(|alarm| recent(alarm.last_at)) {
            let sum = sums.entry(alarm.kind).or_insert_with(|| (0, alarm.first_at, Vec::new()));
            sum.0 = sum.0.saturating_add(alarm.count);
            sum.1 = sum.1.min(alarm.first_at);
            sum.2.push(view.terminal);
        }
    }
    let command = "cabas-hub terminal list";
    for (alarm, (count, since, terminals)) in sums {
        let (kind, what) = match alarm {
            AlarmKind::FutureIncarnation => ("future_incarnation", "rows name a life of the hub that is still to come"),
            AlarmKind::NotAuthentic => ("not_authentic", "rows of a journal are not signed by its terminal"),
            AlarmKind::Split => ("not_split_by_the_grid", "sales are not split as their grid says"),
            // They stand in lists of their own.
            AlarmKind::Fork | AlarmKind::Gap | AlarmKind::OverRight | AlarmKind::CardProof | AlarmKind::CopiedCard => {
                continue;
            }
        };
        list.add((kind, what, TERMINALS, command), count, Some(since), terminals);
    }
}

fn silent(list: &mut List, found: &Found, now: Timestamp) {
    let live = found.terminals.iter().filter_map(|view| {
        let enrolment = view.enrolment.as_ref().filter(|enrolment| enrolment.standing == Standing::Live)?;
        Some((enrolment.last_contact_at.unwrap_or(enrolment.opened_at), Some(view.terminal)))
    });
    let stale = ("stale_terminal", "terminals have not called for a day or more", TERMINALS, "cabas-hub terminal list");
    list.add_each(stale, live.filter(|(at, _)| now.since_s(*at) >= STALE_S));
}

fn waiting(list: &mut List, found: &Found, too_long: impl Fn(Timestamp) -> bool) {
    let long = |(at, _): &(Timestamp, Option<TerminalId>)| too_long(*at);
    let approve = "cabas-hub settlement approve";
    list.add_each(
        ("settlement_waits", "a settlement waits for another person's approval", OVERVIEW, approve),
        found.prepared_at.map(|at| (at, None)).filter(long),
    );
    let closings = found.closings.iter().filter(|view| view.state == "proposed");
    list.add_each(
        ("closing_waits", "closings of enrolments wait for another person", TERMINALS, "cabas-hub terminal close"),
        closings.map(|view| (view.proposed_at, Some(view.terminal))).filter(long),
    );
    let corrections = found.corrections.iter().filter(|view| !view.is_booked && view.ended_by.is_none());
    list.add_each(
        ("correction_waits", "corrections wait for another person", OVERVIEW, "cabas-hub correction list"),
        corrections.map(|view| (view.proposed_at, None)).filter(long),
    );
    let repayments = found.repayments.iter().filter(|view| !view.is_booked && view.ended_by.is_none());
    list.add_each(
        ("repayment_waits", "repayments of purse cards wait for another person", OVERVIEW, "cabas-hub repayment list"),
        repayments.map(|view| (view.proposed_at, None)).filter(long),
    );
    list.add_each(
        ("login_waits", "logins wait until another admin confirms them", USERS, "cabas-hub user confirm"),
        found.logins.iter().map(|at| (*at, None)),
    );
}

fn bank(list: &mut List, found: &Found) {
    let due = ("payout_due", "payouts stand in no payment file", OVERVIEW, "cabas-hub settlement payment-file");
    list.add_sum(due, found.open.payouts_due);
    let ordered = "payouts were ordered and no bank statement confirms them";
    list.add_sum(("payout_unconfirmed", ordered, OVERVIEW, "cabas-hub bank import"), found.open.payouts_ordered);
    let entries =
        ("bank_entry_open", "entries of the bank are not explained", OVERVIEW, "cabas-hub bank list --unmatched");
    list.add_sum(entries, found.open.entries);
    let near = match found.alert_percent {
        0 => return,
        1..80 => ("legal_threshold_50", "half of a legal threshold is reached"),
        80..100 => ("legal_threshold_80", "80 % of a legal threshold are reached: prepare the declaration"),
        100.. => ("legal_threshold_100", "a legal threshold is reached: declare the fund to the ACPR"),
    };
    list.add((near.0, near.1, OVERVIEW, "cabas-hub report thresholds"), 1, None, []);
}

#[cfg(test)]
mod tests;
