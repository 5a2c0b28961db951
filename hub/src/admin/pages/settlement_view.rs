//! What is shown of settlements, on the pages of the office and on a shop's own.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64ct::{Base64, Encoding as _};
use cabas_protocol::sign::sha256;
use cabas_protocol::statement::{LineKind, SettlementStatement, StatementLine};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::html;
use super::super::visit::{Visit, Wrong};
use crate::core::ledger::OverRight;
use crate::store::{Settlement, ShopStatement, StoreError};

/// Settlements that a list shows.
pub(super) const LISTED_MAX: u32 = 120;
/// Lines of a statement on one page.
pub(super) const LINES_SHOWN_MAX: usize = 2_000;

/// What a settlement comes to for one shop.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct ShopSums {
    /// The shop's code.
    pub(super) shop: String,
    pub(super) shop_name: String,
    pub(super) sales: u32,
    pub(super) settled_cents: u64,
    /// Sales that happened before the settlement before was closed.
    pub(super) late_sales: u32,
    pub(super) late_cents: u64,
    /// Outside what was allowed: not paid.
    pub(super) over_right_sales: u32,
    pub(super) over_right_cents: u64,
    /// Rows that do not fit their journal: not paid.
    pub(super) disputed_sales: u32,
    pub(super) disputed_cents: u64,
    pub(super) reversals: u32,
    pub(super) reversed_cents: u64,
    pub(super) refunds: u32,
    pub(super) refunded_cents: u64,
    /// Payouts of settlements before that came back, or were never made: paid here.
    pub(super) returned_payouts: u32,
    pub(super) returned_cents: u64,
    /// Paid without the terminal's own row: only cards told of them.
    pub(super) brought_by_card_sales: u32,
    pub(super) brought_by_card_cents: u64,
    /// Taken off from the settlement before.
    pub(super) carried_cents: u64,
    /// To be taken off in the next one.
    pub(super) carry_on_cents: u64,
    pub(super) payout_cents: u64,
}

impl From<ShopStatement> for ShopSums {
    fn from(shop: ShopStatement) -> Self {
        let sums = shop.sums;
        Self {
            shop: shop.shop_code,
            shop_name: shop.shop_name,
            sales: sums.sales,
            settled_cents: sums.settled.get(),
            late_sales: sums.late_sales,
            late_cents: sums.late.get(),
            over_right_sales: sums.over_right_sales,
            over_right_cents: sums.over_right.get(),
            disputed_sales: sums.disputed_sales,
            disputed_cents: sums.disputed.get(),
            reversals: sums.reversals,
            reversed_cents: sums.reversed.get(),
            refunds: sums.refunds,
            refunded_cents: sums.refunded.get(),
            returned_payouts: sums.returns,
            returned_cents: sums.returned.get(),
            brought_by_card_sales: sums.brought_sales,
            brought_by_card_cents: sums.brought.get(),
            carried_cents: shop.carried.get(),
            carry_on_cents: shop.carry_on.get(),
            payout_cents: shop.payout.get(),
        }
    }
}

impl ShopSums {
    /// What was taken back of sales.
    pub(super) const fn back_cents(&self) -> u64 {
        self.reversed_cents.saturating_add(self.refunded_cents)
    }

    /// What is not paid.
    pub(super) const fn unpaid_cents(&self) -> u64 {
        self.over_right_cents.saturating_add(self.disputed_cents)
    }
}

/// A settlement that is not closed: what it would pay, or will.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct Draft {
    pub(super) settlement: u32,
    pub(super) payout_cents: u64,
    pub(super) shops: Vec<ShopSums>,
}

impl From<Settlement> for Draft {
    fn from(settlement: Settlement) -> Self {
        Self {
            settlement: settlement.number,
            payout_cents: settlement.payout.get(),
            shops: settlement.shops.into_iter().map(ShopSums::from).collect(),
        }
    }
}

/// A shop's statement, line by line.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct Statement {
    pub(super) settlement: u32,
    pub(super) closed_at: u64,
    /// When the settlement before was closed, where there is one.
    pub(super) closed_before: Option<u64>,
    pub(super) sums: ShopSums,
    /// `due`, `ordered`, `paid` or `back`; nothing where nothing is paid.
    pub(super) state: Option<String>,
    /// Up to which row of each terminal.
    pub(super) parts: Vec<Part>,
    /// How many lines there are.
    pub(super) lines_total: usize,
    /// The place of the first line that is shown, from 0.
    pub(super) from: usize,
    pub(super) lines: Vec<Line>,
    /// Where the next lines begin.
    pub(super) next: Option<usize>,
}

/// The rows of one enrolment that are counted: above `after`, up to and with `upto`.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct Part {
    pub(super) terminal: u32,
    pub(super) epoch: u32,
    pub(super) after: u32,
    pub(super) upto: u32,
}

/// One line.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct Line {
    /// `sale`, `reversal`, `refund`, `disputed` or `brought`.
    pub(super) kind: &'static str,
    pub(super) terminal: u32,
    pub(super) epoch: u32,
    pub(super) seq: u32,
    /// Where the row says so.
    pub(super) happened_at: Option<u64>,
    pub(super) settled_cents: u64,
    pub(super) unpaid_cents: u64,
    /// Why not, where something is not paid: a number of wire.md §4.
    pub(super) why: u16,
}

/// What kinds of lines are called.
#[cfg(test)]
pub(crate) const LINE_KINDS: [&str; 5] = ["sale", "reversal", "refund", "disputed", "brought"];
/// How payouts stand.
#[cfg(test)]
pub(crate) const PAYOUT_STATES: [&str; 4] = ["due", "ordered", "paid", "back"];

impl Line {
    /// True for what is taken off.
    pub(super) fn is_back(&self) -> bool {
        matches!(self.kind, "reversal" | "refund")
    }

    /// The words that say why something is not paid.
    pub(super) fn why_text(&self) -> Option<&'static str> {
        let why = OverRight::ALL.into_iter().find(|why| u16::from(why.number()) == self.why)?;
        Some(why_text(why))
    }
}

const fn why_text(why: OverRight) -> &'static str {
    match why {
        OverRight::AboveAllowed => "why-above-allowed",
        OverRight::AlreadyClaimed => "why-already-claimed",
        OverRight::UnknownPurse => "why-unknown-purse",
        OverRight::UnknownSlice => "why-unknown-slice",
        OverRight::UnknownSerial => "why-unknown-serial",
        OverRight::EpochClosed => "why-epoch-closed",
        OverRight::Disputed => "why-disputed",
        OverRight::NotBooked => "why-not-booked",
        OverRight::NothingToUndo => "why-nothing-to-undo",
        OverRight::UndoneBefore => "why-undone-before",
        OverRight::NothingToRefund => "why-nothing-to-refund",
        OverRight::MoreThanPaid => "why-more-than-paid",
        OverRight::RefundedBefore => "why-refunded-before",
        OverRight::CardReleased => "why-card-released",
        OverRight::CardProof => "why-card-proof",
    }
}

const fn kind(kind: LineKind) -> &'static str {
    match kind {
        LineKind::Sale => "sale",
        LineKind::Reversal => "reversal",
        LineKind::Refund => "refund",
        LineKind::Disputed => "disputed",
        LineKind::Brought => "brought",
    }
}

/// Which lines are asked for.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
pub(super) struct Asked {
    /// The place of the first line, from 0.
    #[serde(default)]
    pub(super) from: usize,
}

/// A shop's statement, from its line `from` on.
pub(super) async fn statement(visit: &Visit, number: u32, shop: String, from: usize) -> Result<Statement, Wrong> {
    let read = visit.read_beside(move |tx| {
        let signed = tx.settlement_statement(number, &shop)?;
        let sums = tx.settlement(number)?.shops.into_iter().find(|sums| sums.shop_code == shop);
        let sums = sums.ok_or(StoreError::NoStatement { settlement: number })?;
        let state = tx.payouts(number)?.into_iter().find(|view| view.shop == shop).map(|view| view.state);
        let lines: Vec<StatementLine> = signed.lines.iter().skip(from).take(LINES_SHOWN_MAX).copied().collect();
        let times = tx.times_of(&signed, &lines)?;
        let before = match number.checked_sub(1).filter(|before| *before > 0) {
            Some(before) => tx.settlement(before)?.closed_at,
            None => None,
        };
        Ok((signed, sums, (state, before), lines, times))
    });
    let (signed, sums, (state, before), lines, times) = read.await?;
    let next = from.saturating_add(LINES_SHOWN_MAX);
    Ok(Statement {
        settlement: number,
        closed_at: signed.closed_at.get(),
        closed_before: before.map(cabas_protocol::Timestamp::get),
        sums: sums.into(),
        state: state.map(str::to_owned),
        lines_total: signed.lines.len(),
        from,
        next: (next < signed.lines.len()).then_some(next),
        parts: parts(&signed),
        lines: lines.iter().zip(times).map(|(line, at)| shown(line, at.map(cabas_protocol::Timestamp::get))).collect(),
    })
}

fn parts(signed: &SettlementStatement) -> Vec<Part> {
    let parts = signed.parts.iter().map(|part| Part {
        terminal: part.terminal.get(),
        epoch: part.epoch.get(),
        after: part.after.get(),
        upto: part.upto.get(),
    });
    parts.collect()
}

fn shown(line: &StatementLine, happened_at: Option<u64>) -> Line {
    Line {
        kind: kind(line.kind),
        terminal: line.origin.terminal.get(),
        epoch: line.origin.epoch.get(),
        seq: line.origin.seq.get(),
        happened_at,
        settled_cents: line.settled.get(),
        unpaid_cents: line.unpaid.get(),
        why: line.why,
    }
}

/// The statement as the signed file that a shop checks against its own journals.
pub(super) async fn signed_file(visit: &Visit, number: u32, shop: String) -> Result<Response, Wrong> {
    let name = format!("reglement-{number}-{shop}.cose");
    let read = visit.read_beside(move |tx| tx.settlement_statement(number, &shop));
    let (statement, app) = (read.await?, std::sync::Arc::clone(&visit.app));
    let sign = move || Ok(app.secrets.signers.of_anybody()?.sign(&statement).into_bytes());
    let bytes = visit.app.workers.run(sign).await?;
    file(visit, &name, "application/cose", &bytes)
}

/// A file.
#[derive(JsonSchema, Serialize)]
pub(super) struct FileGiven {
    /// What it is called.
    name: String,
    media_type: String,
    /// Of its bytes, in hexadecimal.
    sha256: String,
    /// Its bytes.
    base64: String,
}

/// A file to keep: a browser gets it as it is, a program in JSON.
pub(super) fn file(visit: &Visit, name: &str, media_type: &'static str, bytes: &[u8]) -> Result<Response, Wrong> {
    if visit.is_program() {
        let sha256 = sha256(&[bytes]).to_string();
        let given = FileGiven {
            name: name.to_owned(),
            media_type: media_type.to_owned(),
            sha256,
            base64: Base64::encode_string(bytes),
        };
        return html::json(&given);
    }
    let mut response = (StatusCode::OK, bytes.to_vec()).into_response();
    let named = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    let named = named.map_err(|error| Wrong::Work(error.to_string()))?;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(header::CONTENT_DISPOSITION, named);
    Ok(html::secured(response))
}

/// A day as people of that language write it.
pub(super) fn day(lang: &str, iso: &str) -> String {
    match (lang, iso.split('-').collect::<Vec<_>>().as_slice()) {
        ("fr", [year, month, day]) => format!("{day}/{month}/{year}"),
        (_, _) => iso.to_owned(),
    }
}

/// A day as people type it, `2026-12-01` or `01/12/2026`, in days since 1970-01-01.
pub(super) fn day_typed(text: &str) -> Option<u32> {
    let iso = match text.trim().split('/').collect::<Vec<_>>().as_slice() {
        [day, month, year] => format!("{year}-{month:0>2}-{day:0>2}"),
        [iso] => (*iso).to_owned(),
        _ => return None,
    };
    sepa::IsoDate::parse(&iso).ok().and_then(|date| u32::try_from(date.epoch_days()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_as_people_type_them_and_written_as_they_read_them() {
        let day_one = day_typed("2026-12-01");
        assert!(day_one.is_some());
        for text in ["01/12/2026", "1/12/2026", " 2026-12-01 "] {
            assert_eq!(day_typed(text), day_one, "{text}");
        }
        for text in ["", "2026-13-01", "31/02/2026", "demain", "1/2", "2026/12/01"] {
            assert_eq!(day_typed(text), None, "{text}");
        }
        assert_eq!((day("fr", "2026-12-01"), day("en", "2026-12-01")), ("01/12/2026".into(), "2026-12-01".into()));
    }
}
