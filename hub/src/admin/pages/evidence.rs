//! What does not fit: rows that are not paid whole, sales that cards did not prove, taps that say that there is a copy.
//! Terminals, rows and the numbers printed on cards; no person, no purse.

use askama::Template;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::frame::{Frame, answer};
use super::super::visit::{Visit, Wrong};
use crate::core::ledger::OverRight;
use crate::store::{CardFlag, CopiedTap, FlaggedRow};

/// Lines of each list: the newest. The command line shows more.
const LISTED_MAX: u32 = 200;

/// What does not fit, newest first.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Evidence {
    /// Rows that are not paid whole, or do not fit their journals.
    rows: Vec<Line>,
    /// Sales that purse cards did not prove.
    proofs: Vec<Line>,
    /// Sales with identity cards whose counters say that there is a copy.
    copies: Vec<Line>,
}

/// A row of a journal.
#[derive(Debug, JsonSchema, Serialize)]
pub(in crate::admin) struct Line {
    /// The terminal.
    terminal: u32,
    /// Its enrolment.
    epoch: u32,
    /// The row.
    seq: u32,
    /// The number printed on the card, where the list is about cards and the hub knows it.
    card_number: Option<u32>,
    /// What the row claims.
    claimed_cents: u64,
    /// What of it is paid; nothing where the list does not say.
    settled_cents: Option<u64>,
    /// What is wrong, in one word.
    why: &'static str,
    /// When it came.
    received_at: u64,
}

/// A list as the page shows it.
struct List<'e> {
    id: &'static str,
    /// The words of its title and of its being empty.
    title: &'static str,
    none: &'static str,
    /// What the words of the reasons begin with.
    why: &'static str,
    has_cards: bool,
    lines: &'e [Line],
}

#[derive(Template)]
#[template(path = "evidence.html")]
struct EvidencePage {
    f: Frame,
    data: Evidence,
}

impl EvidencePage {
    fn lists(&self) -> [List<'_>; 3] {
        let list = |id, title, none, why, has_cards, lines| List { id, title, none, why, has_cards, lines };
        let Evidence { rows, proofs, copies } = &self.data;
        [
            list("rows", "evidence-rows", "evidence-no-row", "row-", false, rows),
            list("proofs", "evidence-proofs", "evidence-no-proof", "proof-", true, proofs),
            list("copies", "evidence-copies", "evidence-no-copy", "tap-", true, copies),
        ]
    }
}

/// Why a row is not paid whole, in one word.
pub(in crate::admin) const fn why_name(why: OverRight) -> &'static str {
    match why {
        OverRight::AboveAllowed => "above_allowed",
        OverRight::AlreadyClaimed => "already_claimed",
        OverRight::UnknownPurse => "unknown_purse",
        OverRight::UnknownSlice => "unknown_slice",
        OverRight::UnknownSerial => "unknown_serial",
        OverRight::EpochClosed => "epoch_closed",
        OverRight::Disputed => "disputed",
        OverRight::NotBooked => "not_booked",
        OverRight::NothingToUndo => "nothing_to_undo",
        OverRight::UndoneBefore => "undone_before",
        OverRight::NothingToRefund => "nothing_to_refund",
        OverRight::MoreThanPaid => "more_than_paid",
        OverRight::RefundedBefore => "refunded_before",
        OverRight::CardReleased => "card_released",
        OverRight::CardProof => "card_proof",
    }
}

fn row(row: FlaggedRow) -> Line {
    Line {
        terminal: row.terminal.get(),
        epoch: row.epoch.get(),
        seq: row.seq.get(),
        card_number: None,
        claimed_cents: row.claimed.get(),
        settled_cents: Some(row.settled.get()),
        why: why_name(row.why),
        received_at: row.received_at.get(),
    }
}

fn proof(flag: CardFlag) -> Line {
    Line {
        terminal: flag.terminal.get(),
        epoch: flag.epoch.get(),
        seq: flag.seq.get(),
        card_number: Some(flag.card),
        claimed_cents: flag.cents.get(),
        settled_cents: Some(flag.settled.get()),
        why: flag.proof.name(),
        received_at: flag.received_at.get(),
    }
}

fn copy(tap: CopiedTap) -> Line {
    Line {
        terminal: tap.terminal.get(),
        epoch: tap.epoch.get(),
        seq: tap.seq.get(),
        card_number: tap.card_number,
        claimed_cents: tap.cents.get(),
        settled_cents: None,
        why: tap.why.name(),
        received_at: tap.received_at.get(),
    }
}

pub(super) async fn page(visit: Visit) -> Result<Response, Wrong> {
    let read =
        visit.store(|tx| Ok((tx.flagged_rows(LISTED_MAX)?, tx.card_flags(LISTED_MAX)?, tx.copied_taps(LISTED_MAX)?)));
    let (rows, proofs, copies) = read.await?;
    let data = Evidence {
        rows: rows.into_iter().map(row).collect(),
        proofs: proofs.into_iter().map(proof).collect(),
        copies: copies.into_iter().map(copy).collect(),
    };
    answer(&visit, "evidence-title", Vec::new(), data, |f, data| EvidencePage { f, data })
}
