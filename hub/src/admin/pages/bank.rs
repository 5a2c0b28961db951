//! The bank's statements: imported once, matched with payouts, and what is left open. Who paid in is not told here: it may
//! be a household.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::frame::{Fault, Frame, answer, page};
use super::super::sent::Upload;
use super::super::visit::{Done, Visit, Wrong};
use super::super::words::Lang;
use super::super::{document, html};
use crate::bank::{self, StatementError};
use crate::core::audit::Deed;
use crate::core::roles::Role;
use crate::store::{BankEntryDetail, BankRefusal, PayoutRef, StatementKept, StatementReport, StoreError, Tx};

/// Entries on one page.
const ENTRIES_SHOWN_MAX: u32 = 100;
/// Statements that are shown.
const STATEMENTS_SHOWN_MAX: u32 = 24;

/// What the bank booked.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Bank {
    /// True where only what is open is told.
    only_open: bool,
    /// Newest first.
    entries: Vec<Entry>,
    /// Where older ones begin: ask with it as `before`.
    before: Option<u64>,
    /// The newest ones.
    statements: Vec<Imported>,
    /// False where nothing can be imported: the fund's own account is not known.
    has_own_account: bool,
}

/// Something that the bank booked.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Entry {
    entry: u64,
    /// `in` or `out`.
    direction: &'static str,
    cents: u64,
    /// YYYY-MM-DD.
    booked_on: Option<String>,
    /// `open`, `payouts`, `money-in` or `set-aside`.
    state: &'static str,
    /// The payouts that it paid or brought back.
    payouts: Vec<Payout>,
    /// What may be meant, by its amount.
    proposals: Vec<Payout>,
    /// What it consists of; only where one is asked for.
    parts: Vec<Part>,
    /// That it was set aside or taken up again, newest first; only where one is asked for.
    asides: Vec<super::bank_asides::Aside>,
    /// What one person said that it brought back: another one agrees. Only where one is asked for.
    waiting: Option<Payout>,
}

/// A payout, or all that are open of a settlement.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Payout {
    settlement: u32,
    /// None for all of them.
    shop: Option<String>,
    shop_name: Option<String>,
}

impl Payout {
    /// As a form sends it.
    fn named(&self) -> String {
        let shop = self.shop.as_ref().map(|shop| format!("/{shop}")).unwrap_or_default();
        format!("{}{shop}", self.settlement)
    }
}

/// A part of an entry.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Part {
    cents: Option<u64>,
    end_to_end: Option<String>,
    return_code: Option<String>,
    /// Of what went out.
    counterparty: Option<String>,
    /// Of what went out.
    remittance: Option<String>,
}

/// A statement that was imported.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Imported {
    statement: u64,
    name: String,
    /// In cents; may be below nothing.
    opening_cents: i64,
    closing_cents: i64,
    entries: u32,
    /// What of it is open.
    open: u32,
    imported_by: String,
    imported_at: u64,
}

/// What states of entries are called.
#[cfg(test)]
pub(crate) const ENTRY_STATES: [&str; 4] = ["open", "payouts", "money-in", "set-aside"];

/// What came of a file.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct Report {
    statements: u32,
    /// Statements that were imported before, byte by byte: they changed nothing.
    repeated: u32,
    /// Statements that do not begin where one before ended: one may be missing.
    gaps: u32,
    entries_added: u32,
    entries_known: u32,
    /// Not booked by the bank yet: they come again.
    entries_pending: u32,
    payouts_paid: u32,
    payouts_paid_cents: u64,
    payouts_back: u32,
    payouts_back_cents: u64,
    /// Of any statement.
    entries_open: u64,
    /// Open ones whose text cannot be read any more.
    entries_unreadable: u32,
}

#[derive(Template)]
#[template(path = "bank.html")]
struct BankPage {
    f: Frame,
    data: Bank,
    /// Why a file was refused, and where.
    refused: Option<String>,
}

#[derive(Template)]
#[template(path = "bank_imported.html")]
struct ImportedPage {
    f: Frame,
    report: Report,
}

#[derive(Template)]
#[template(path = "bank_entry.html")]
struct EntryPage {
    f: Frame,
    data: Entry,
    typed: Typed,
}

/// What was typed about an entry.
#[derive(Debug, Default)]
pub(super) struct Typed {
    pub(super) payout: String,
    pub(super) reason: String,
}

/// Which entries are asked for.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(super) struct Asked {
    /// `all` for those that are explained too.
    #[serde(default)]
    show: String,
    /// Only entries below this number.
    #[serde(default)]
    before: Option<u64>,
}

/// What shops are called, by code.
type Names = BTreeMap<String, String>;

fn names(tx: &Tx<'_>) -> Result<Names, StoreError> {
    Ok(tx.shops()?.into_iter().map(|shop| (shop.code, shop.name)).collect())
}

fn payout(meant: PayoutRef, names: &Names) -> Payout {
    let shop_name = meant.shop.as_ref().and_then(|code| names.get(code).cloned());
    Payout { settlement: meant.settlement, shop: meant.shop, shop_name }
}

fn entry(view: BankEntryDetail, names: &Names) -> Entry {
    let parts = view.parts.into_iter().map(|part| Part {
        cents: part.cents.map(cabas_protocol::Cents::get),
        end_to_end: part.end_to_end,
        return_code: part.return_code,
        counterparty: part.counterparty,
        remittance: part.remittance,
    });
    Entry {
        entry: view.id,
        direction: if view.is_credit { "in" } else { "out" },
        cents: view.cents.get(),
        booked_on: view.booked_on.map(bank::day),
        state: match view.state {
            0 => "open",
            1 => "payouts",
            2 => "money-in",
            _ => "set-aside",
        },
        payouts: view.explained.into_iter().map(|meant| payout(meant, names)).collect(),
        proposals: view.proposals.into_iter().map(|meant| payout(meant, names)).collect(),
        parts: parts.collect(),
        asides: view.asides.into_iter().map(super::bank_asides::aside).collect(),
        waiting: view.waiting.map(|waiting| payout(waiting.meant, names)),
    }
}

fn imported(kept: StatementKept) -> Imported {
    Imported {
        statement: kept.id,
        name: kept.name,
        opening_cents: kept.opening,
        closing_cents: kept.closing,
        entries: kept.entries,
        open: kept.open,
        imported_by: kept.imported_by,
        imported_at: kept.imported_at.get(),
    }
}

async fn read(visit: &Visit, asked: Asked) -> Result<Bank, Wrong> {
    let only_open = asked.show != "all";
    let read = visit.store(move |tx| {
        let entries = tx.bank_entries_below(only_open, asked.before, ENTRIES_SHOWN_MAX)?;
        Ok((entries, tx.statements_kept(STATEMENTS_SHOWN_MAX)?, tx.fund_account()?.is_some(), names(tx)?))
    });
    let (entries, statements, has_own_account, names) = read.await?;
    let is_full = u32::try_from(entries.len()).is_ok_and(|count| count == ENTRIES_SHOWN_MAX);
    Ok(Bank {
        only_open,
        before: entries.last().map(|entry| entry.id).filter(|_| is_full),
        entries: entries.into_iter().map(|view| entry(view, &names)).collect(),
        statements: statements.into_iter().map(imported).collect(),
        has_own_account,
    })
}

pub(super) async fn list(visit: Visit, Query(asked): Query<Asked>) -> Result<Response, Wrong> {
    let data = read(&visit, asked).await?;
    answer(&visit, "bank-title", Vec::new(), data, |f, data| BankPage { f, data, refused: None })
}

/// Imports a statement. It is read whole or refused whole; imported again it changes nothing.
pub(super) async fn import(visit: Visit, upload: Upload) -> Result<Response, Wrong> {
    let bytes = upload.bytes;
    // A large file takes a while: not on the ledger's thread.
    let file = match visit.app.workers.run(move || Ok(bank::read(&bytes))).await? {
        Ok(file) => file,
        Err(error) => return refused(&visit, &statement_words(&error)).await,
    };
    let app = Arc::clone(&visit.app);
    let done = visit.deed(Deed::StatementImported, move |tx, by| {
        let report = report(&tx.bank_import(&file, &by.who, (&app.secrets, by.now))?);
        let Report { entries_added, payouts_paid, payouts_back, .. } = report;
        let detail = format!("entries: {entries_added} new, payouts: {payouts_paid} paid, {payouts_back} back");
        Ok(Done { given: report, subject: format!("file {}", file.sha256), detail })
    });
    match done.await {
        Ok(report) if visit.is_program() => html::json(&report),
        Ok(report) => page(StatusCode::OK, &ImportedPage { f: Frame::new(&visit, "bank-imported-title"), report }),
        Err(StoreError::Bank(BankRefusal::OtherAccount(place))) => {
            refused(&visit, &("statement-other-account", vec![("place", place.to_string())])).await
        }
        Err(StoreError::Bank(BankRefusal::NoOwnAccount)) => {
            refused(&visit, &("refusal-no-own-account", Vec::new())).await
        }
        Err(error) => Err(error.into()),
    }
}

/// A text and its values.
type Said = (&'static str, Vec<(&'static str, String)>);

async fn refused(visit: &Visit, (text, values): &Said) -> Result<Response, Wrong> {
    let values: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let words = |lang| visit.app.site.words.with(lang, text, &values);
    if visit.is_program() {
        let reason = words(Lang::English);
        let field = document::RefusedField { field: "file".to_owned(), reason: reason.clone() };
        return Ok(html::refused(StatusCode::UNPROCESSABLE_ENTITY, &reason, vec![field]));
    }
    let data = read(visit, Asked::default()).await?;
    let faults = vec![Fault { field: "file", text: "bank-file-refused" }];
    let refused = Some(words(visit.lang));
    answer(visit, "bank-title", faults, data, |f, data| BankPage { f, data, refused })
}

fn statement_words(error: &StatementError) -> Said {
    let place = |place: &usize| ("place", place.to_string());
    match error {
        StatementError::TooLarge => ("statement-too-large", Vec::new()),
        StatementError::NotText => ("statement-not-text", Vec::new()),
        StatementError::Xml(_) => ("statement-not-camt", Vec::new()),
        StatementError::Empty => ("statement-empty", Vec::new()),
        StatementError::NoAccount { place: at } => ("statement-no-account", vec![place(at)]),
        StatementError::NoBalance { place: at, .. } => ("statement-no-balance", vec![place(at)]),
        StatementError::Currency { place: at, what, number } => {
            let text = if *what == "entry" { "statement-entry-currency" } else { "statement-currency" };
            (text, vec![place(at), ("number", number.to_string())])
        }
        StatementError::Amount { place: at, what, number } => {
            let text = if *what == "entry" { "statement-entry-amount" } else { "statement-amount" };
            (text, vec![place(at), ("number", number.to_string())])
        }
        StatementError::Sum { place: at, opening, moved, closing } => {
            let missing = closing.saturating_sub(*opening).saturating_sub(*moved);
            ("statement-sum", vec![place(at), ("missing", signed_euros(missing))])
        }
    }
}

/// An amount that may be below nothing, with a point before the cents: the same in both languages.
#[expect(clippy::integer_division, reason = "euros and cents are a quotient and a rest")]
fn signed_euros(cents: i64) -> String {
    let (sign, whole) = (if cents < 0 { "-" } else { "" }, cents.unsigned_abs());
    format!("{sign}{}.{:02} €", whole / 100, whole % 100)
}

fn report(report: &StatementReport) -> Report {
    Report {
        statements: report.statements,
        repeated: report.repeated,
        gaps: report.gaps,
        entries_added: report.added,
        entries_known: report.known,
        entries_pending: report.pending,
        payouts_paid: report.paid,
        payouts_paid_cents: report.paid_cents.get(),
        payouts_back: report.back,
        payouts_back_cents: report.back_cents.get(),
        entries_open: report.open,
        entries_unreadable: report.unreadable,
    }
}

pub(super) async fn one(visit: Visit, Path(number): Path<u64>) -> Result<Response, Wrong> {
    show_entry(&visit, number, Typed::default(), Vec::new()).await
}

pub(super) async fn show_entry(
    visit: &Visit,
    number: u64,
    typed: Typed,
    faults: Vec<Fault>,
) -> Result<Response, Wrong> {
    let app = Arc::clone(&visit.app);
    let (mut view, names) = visit.store(move |tx| Ok((tx.bank_entry(&app.secrets, number)?, names(tx)?))).await?;
    // Money in that was given back names a household: names are for the admin.
    if view.state == 2 && visit.standing.role() != Some(Role::Admin) {
        for part in &mut view.parts {
            (part.counterparty, part.remittance) = (None, None);
        }
    }
    let data = entry(view, &names);
    answer(visit, "bank-entry-title", faults, data, |f, data| EntryPage { f, data, typed })
}
