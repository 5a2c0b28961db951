//! `card proofs`, `card unclaimed`, `terminal carried`, `repayment`: what purse cards prove, what they carried, and what is
//! given back of what they counted.

use std::fmt::Write as _;

use cabas_protocol::{Cents, TerminalId, Timestamp};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use super::fund::euros;
use super::two_people::{self, End};
use crate::core::claims::Stretch;
use crate::out::{plain, print};
use crate::store::{
    CardFlag, CarriedReport, OpenMode, RepaymentOrder, RepaymentRefusal, RepaymentView, StoreError, UnclaimedView,
};

/// Lines that a list shows.
const LISTED_MAX: u32 = 1_000;

#[derive(Serialize)]
struct FlagLine {
    card_number: u32,
    terminal: u32,
    epoch: u32,
    seq: u32,
    cents: u64,
    /// What of it is paid.
    settled_cents: u64,
    card_counter: Option<u32>,
    /// `missing`: the answer never came, and it is paid. `wrong`, `repeated`: it is not paid.
    proof: &'static str,
    received_at: u64,
}

pub(super) fn proofs(context: &Context) -> Result<(), Failure> {
    let flags = context.open(OpenMode::Existing)?.read(|tx| tx.card_flags(LISTED_MAX))?;
    let line = |flag: CardFlag| FlagLine {
        card_number: flag.card,
        terminal: flag.terminal.get(),
        epoch: flag.epoch.get(),
        seq: flag.seq.get(),
        cents: flag.cents.get(),
        settled_cents: flag.settled.get(),
        card_counter: flag.counter,
        proof: flag.proof.name(),
        received_at: flag.received_at.get(),
    };
    let lines: Vec<_> = flags.into_iter().map(line).collect();
    print(context.format, &lines, |lines| flags_text(lines).unwrap_or_default()).map_err(Failure::Print)
}

fn flags_text(lines: &[FlagLine]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    if lines.is_empty() {
        text.push_str("Every purse card proved every row of it.\n");
    }
    for line in lines {
        let FlagLine { card_number: card, terminal, epoch, seq, .. } = line;
        let (cents, settled) = (euros(line.cents), euros(line.settled_cents));
        let counter = line.card_counter.map_or_else(String::new, |counter| format!(", counter {counter}"));
        let proof = line.proof;
        writeln!(
            text,
            "card {card} at terminal {terminal}, epoch {epoch}, row {seq}: {cents} €, {settled} € of it paid; proof {proof}{counter}"
        )?;
    }
    Ok(text)
}

#[derive(Serialize)]
struct StretchLine {
    from_cents: u64,
    to_cents: u64,
    cents: u64,
    /// Records of cards that reach into it.
    told: Vec<ToldLine>,
}

#[derive(Serialize)]
struct ToldLine {
    terminal: u32,
    epoch: u32,
    seq: u32,
    cents: u64,
}

pub(super) fn unclaimed(context: &Context, card: u32) -> Result<(), Failure> {
    let found = context.open(OpenMode::Existing)?.read(|tx| tx.unclaimed(card))?;
    let line = |view: UnclaimedView| StretchLine {
        from_cents: view.from.get(),
        to_cents: view.to.get(),
        cents: view.to.minus_or_zero(view.from).get(),
        told: view
            .told
            .into_iter()
            .map(|(terminal, epoch, seq, cents)| ToldLine {
                terminal: terminal.get(),
                epoch: epoch.get(),
                seq: seq.get(),
                cents: cents.get(),
            })
            .collect(),
    };
    let lines: Vec<_> = found.into_iter().map(line).collect();
    print(context.format, &lines, |lines| unclaimed_text(lines, card).unwrap_or_default()).map_err(Failure::Print)
}

fn unclaimed_text(lines: &[StretchLine], card: u32) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    if lines.is_empty() {
        writeln!(text, "Every cent that card {card} is known to have spent is claimed by a shop.")?;
    }
    for line in lines {
        let (from, to) = (line.from_cents, line.to_cents);
        writeln!(text, "{} € from cent {from} to cent {to}: no shop claims it", euros(line.cents))?;
        for told in &line.told {
            let ToldLine { terminal, epoch, seq, cents } = told;
            writeln!(text, "  a record says: {} € at terminal {terminal}, epoch {epoch}, row {seq}", euros(*cents))?;
        }
    }
    if !lines.is_empty() {
        text.push_str(
            "A shop that is still off line may claim it. Once none can, two people give it back: cabas-hub repayment propose\n",
        );
    }
    Ok(text)
}

#[derive(Serialize)]
struct Report {
    terminal: u32,
    /// Told of by its own rows too.
    told: u32,
    told_cents: u64,
    /// Waiting for its rows, or for the closing of its epoch.
    provisional: u32,
    provisional_cents: u64,
    /// Booked without its rows, after the closing.
    booked: u32,
    booked_cents: u64,
    /// Not made by it.
    refuted: u32,
    /// What all cards counted and nobody told of.
    unclaimed_cents: u64,
    unclaimed_cards: u32,
    /// Cards that no other terminal has seen since this one called last.
    unseen_cards: u32,
    records: Vec<RecordLine>,
}

#[derive(Serialize)]
struct RecordLine {
    epoch: u32,
    seq: u32,
    card_number: u32,
    cents: u64,
    spent_after_cents: u64,
    sold_at: u64,
    /// `told`, `provisional`, `booked` or `refuted`.
    state: &'static str,
}

pub(super) fn carried(context: &Context, terminal: u32) -> Result<(), Failure> {
    let report = context.open(OpenMode::Existing)?.read(|tx| tx.carried_report(TerminalId::new(terminal)))?;
    print(context.format, &shown(report), |report| report_text(report).unwrap_or_default()).map_err(Failure::Print)
}

fn shown(report: CarriedReport) -> Report {
    let records = report.records.iter().map(|view| RecordLine {
        epoch: view.epoch.get(),
        seq: view.seq.get(),
        card_number: view.card,
        cents: view.cents.get(),
        spent_after_cents: view.spent_after.get(),
        sold_at: view.sold_at.get(),
        state: match (view.proof.is_flagged(), view.booked, view.is_told) {
            (true, ..) => "refuted",
            (false, Some(_), _) => "booked",
            (false, None, true) => "told",
            (false, None, false) => "provisional",
        },
    });
    Report {
        terminal: report.terminal.get(),
        told: report.told,
        told_cents: report.told_cents.get(),
        provisional: report.provisional,
        provisional_cents: report.provisional_cents.get(),
        booked: report.booked,
        booked_cents: report.booked_cents.get(),
        refuted: report.refuted,
        unclaimed_cents: report.unclaimed.get(),
        unclaimed_cards: report.unclaimed_cards,
        unseen_cards: report.unseen_cards,
        records: records.collect(),
    }
}

fn report_text(report: &Report) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "Sales of terminal {} that cards told of:", report.terminal)?;
    for (what, count, cents) in [
        ("told of by its own rows too", report.told, report.told_cents),
        ("provisional, until its rows come or its epoch is closed", report.provisional, report.provisional_cents),
        ("booked by the records alone", report.booked, report.booked_cents),
    ] {
        writeln!(text, "  {count:>5} {what}: {} €", euros(cents))?;
    }
    if report.refuted > 0 {
        writeln!(text, "  {:>5} that it did not make: somebody forged them", report.refuted)?;
    }
    writeln!(
        text,
        "What may be missing: {} € that {} cards counted and nobody told of; {} cards were not seen elsewhere since it called.",
        euros(report.unclaimed_cents),
        report.unclaimed_cards,
        report.unseen_cards
    )?;
    for line in &report.records {
        let RecordLine { epoch, seq, card_number, state, .. } = line;
        writeln!(text, "  epoch {epoch} row {seq}: card {card_number}, {} €, {state}", euros(line.cents))?;
    }
    Ok(text)
}

#[derive(Debug, Subcommand)]
pub(super) enum Repayment {
    /// List repayments, newest first
    List,
    /// Propose to give back what a card counted as spent and no shop claims; another person books it
    Propose(Propose),
    /// Book what another person proposed: the money goes to the household, and its cards get their parts of it
    Book(End),
    /// Take a proposal back
    Withdraw(End),
}

#[derive(Args, Debug)]
pub(super) struct Propose {
    /// The number printed on the card
    #[arg(long, value_name = "N")]
    card_number: u32,
    /// Where it begins, as `card unclaimed` shows it
    #[arg(long, value_name = "CENTS")]
    from_cents: u64,
    /// Where it ends
    #[arg(long, value_name = "CENTS")]
    to_cents: u64,
    /// Why; it is kept
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who proposes it
    #[arg(long, value_name = "NAME")]
    by: String,
}

#[derive(Serialize)]
struct RepaymentLine {
    repayment: u64,
    card_number: u32,
    from_cents: u64,
    to_cents: u64,
    cents: u64,
    reason: String,
    /// `proposed`, `booked` or `withdrawn`.
    state: &'static str,
    proposed_by: String,
    proposed_at: u64,
    ended_by: Option<String>,
    ended_at: Option<u64>,
}

pub(super) fn repayment(context: &Context, command: &Repayment) -> Result<(), Failure> {
    let now = context.clock.now();
    let mut db = context.open(OpenMode::Existing)?;
    let only = match command {
        Repayment::List => None,
        Repayment::Propose(propose) => Some(db.write(|tx| tx.repayment_propose(&order(propose)?, now))?),
        Repayment::Book(end) => {
            db.write(|tx| tx.repayment_end(end.id, &end.by, true, now))?;
            while db.write(|tx| tx.allocate_pending(now))?.more {}
            Some(end.id)
        }
        Repayment::Withdraw(end) => {
            db.write(|tx| tx.repayment_end(end.id, &end.by, false, now))?;
            Some(end.id)
        }
    };
    let views = db.read(|tx| tx.repayments(if only.is_some() { u32::MAX } else { LISTED_MAX }))?;
    let lines: Vec<_> =
        views.iter().filter(|view| only.is_none_or(|only| only == view.id)).map(repayment_line).collect();
    print(context.format, &lines, |lines| repayments_text(lines).unwrap_or_default()).map_err(Failure::Print)
}

fn order(propose: &Propose) -> Result<RepaymentOrder, StoreError> {
    let (from, to) = (Cents::new(propose.from_cents)?, Cents::new(propose.to_cents)?);
    Ok(RepaymentOrder {
        card: propose.card_number,
        stretch: Stretch::between(from, to).ok_or(RepaymentRefusal::Claimed)?,
        reason: propose.reason.clone(),
        by: propose.by.clone(),
    })
}

fn repayment_line(view: &RepaymentView) -> RepaymentLine {
    RepaymentLine {
        repayment: view.id,
        card_number: view.card,
        from_cents: view.from.get(),
        to_cents: view.to.get(),
        cents: view.to.minus_or_zero(view.from).get(),
        reason: view.reason.clone(),
        state: two_people::state(view.is_booked, view.ended_by.as_deref()),
        proposed_by: view.proposed_by.clone(),
        proposed_at: view.proposed_at.get(),
        ended_by: view.ended_by.clone(),
        ended_at: view.ended_at.map(Timestamp::get),
    }
}

fn repayments_text(lines: &[RepaymentLine]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for line in lines {
        let (id, card, cents) = (line.repayment, line.card_number, euros(line.cents));
        let (reason, by) = (plain(&line.reason), plain(&line.proposed_by));
        write!(text, "{id} card {card} {cents} € ({reason}), proposed by {by}: ")?;
        two_people::write_end(&mut text, line.state, line.ended_by.as_deref())?;
    }
    Ok(text)
}
