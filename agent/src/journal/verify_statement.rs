//! `journal verify --settlement`: a statement that the hub signed, line by line beside the rows of this journal.

use super::error::JournalError;
use super::load::{documents, load_identity};
use super::schema;
use crate::core::statement::{Compared, Own, OwnRow, Verdict, compare, reason};
use cabas_protocol::keys::HubKeys;
use cabas_protocol::row::RowBody;
use cabas_protocol::sign::{ENVELOPE_BYTES_MAX, Payload as _, SignError};
use cabas_protocol::statement::{LineKind, SettlementStatement};
use cabas_protocol::{Cents, Hash, MoneyError, PublicKey, Row, Seq, Signed};
use rusqlite::Connection;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Bytes of a statement's file.
pub const FILE_BYTES_MAX: usize = SettlementStatement::MAX_BYTES + ENVELOPE_BYTES_MAX;

/// Why a statement cannot be compared at all.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// The journal.
    #[error("the journal: {0}")]
    Journal(#[from] JournalError),
    /// Not a statement of this fund's hub, or not a statement at all.
    #[error("it is not a statement that this fund's hub signed: {0}")]
    Signature(#[from] SignError),
    /// The rows cannot be added up.
    #[error("the journal's rows: {0}")]
    Money(#[from] MoneyError),
}

impl From<rusqlite::Error> for StatementError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Journal(error.into())
    }
}

/// One row beside the statement.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// The row.
    pub seq: u32,
    /// `sale`, `reversal`, `refund`, `disputed` or `brought`.
    pub kind: &'static str,
    /// `same`, `unpaid`, `missing`, `differs`, `unknown`, `disputed` or `brought`.
    pub verdict: &'static str,
    /// What the journal says.
    pub own_cents: Option<u64>,
    /// What counts by the statement.
    pub settled_cents: u64,
    /// What does not.
    pub unpaid_cents: u64,
    /// Why not.
    pub why: Option<&'static str>,
}

/// What a comparison found.
#[derive(Clone, Debug, Serialize)]
pub struct Compare {
    /// True where the statement is what the journal says; what is not paid for a reason stands in it, too.
    pub agrees: bool,
    /// The settlement.
    pub settlement: u32,
    /// The shop's code.
    pub shop: String,
    /// When it was closed.
    pub closed_at: u64,
    /// What is paid for all terminals of the shop.
    pub payout_cents: u64,
    /// False where payout and lines contradict each other.
    pub adds_up: bool,
    /// The row at which the hub has another journal than this one.
    pub other_past_at: Option<u32>,
    /// Every row of this journal in what the settlement counts.
    pub rows: Vec<Line>,
    /// Lines of other terminals or enrolments.
    pub lines_of_others: usize,
    /// Sales that came after the cut.
    pub later_sales: usize,
    /// What they come to.
    pub later_cents: u64,
}

/// Compares a statement with a journal. Rows are believed here; `verify` checks them.
///
/// # Errors
/// [`StatementError`] where there is nothing to compare.
pub fn check_statement(path: &Path, root: Option<PublicKey>, bytes: Vec<u8>) -> Result<Compare, StatementError> {
    let db = schema::open_read_only(path)?;
    let db = db.unchecked_transaction()?;
    let (id, certs) = load_identity(&db)?;
    let mut keys = HubKeys::new(id.fund, root.unwrap_or(id.root));
    for cert in certs.into_iter().chain(documents(&db)?) {
        keys.certify(&cert)?;
    }
    let signed = Signed::<SettlementStatement>::from_bytes(bytes).map_err(SignError::from)?;
    let statement = keys.verify(&signed)?.into_payload();
    let (rows, hashes) = own_rows(&db, id.fund)?;
    let own = Own { terminal: id.terminal, epoch: id.epoch };
    let found = compare(own, &rows, |seq| hashes.get(&seq).copied(), &statement);
    Ok(Compare {
        agrees: found.agrees(),
        settlement: statement.settlement,
        shop: statement.shop,
        closed_at: statement.closed_at.get(),
        payout_cents: statement.payout.get(),
        adds_up: found.adds_up,
        other_past_at: found.other_past.map(Seq::get),
        rows: found.rows.iter().map(line).collect(),
        lines_of_others: found.lines_of_others,
        later_sales: found.later_sales,
        later_cents: found.later.get(),
    })
}

type OwnRows = (BTreeMap<Seq, OwnRow>, BTreeMap<Seq, Hash>);

fn own_rows(db: &Connection, fund: cabas_protocol::FundId) -> Result<OwnRows, StatementError> {
    let mut select = db.prepare("SELECT bytes FROM rows ORDER BY seq")?;
    let (mut rows, mut hashes) = (BTreeMap::new(), BTreeMap::new());
    for bytes in select.query_map([], |row| row.get::<_, Vec<u8>>(0))? {
        let signed = Signed::<Row>::from_bytes(bytes?).map_err(SignError::from)?;
        let row = signed.read_trusted(fund)?;
        hashes.insert(row.payload().seq, row.hash());
        if let Some(own) = own_row(&row.payload().body)? {
            rows.insert(row.payload().seq, own);
        }
    }
    Ok((rows, hashes))
}

fn own_row(body: &RowBody) -> Result<Option<OwnRow>, MoneyError> {
    let (kind, fund) = match body {
        RowBody::Sale(sale) => (LineKind::Sale, sale.fund_cents()?),
        RowBody::Reversal(reversal) => (LineKind::Reversal, reversal.cents),
        RowBody::RefundRequest(refund) => (LineKind::Refund, Cents::sum(refund.lines.iter().map(|line| line.fund))?),
        RowBody::Start(_)
        | RowBody::Return(_)
        | RowBody::ListApplied(_)
        | RowBody::Intent(_)
        | RowBody::InDoubt(_)
        | RowBody::DoubtResolved(_)
        | RowBody::Courier(_)
        | RowBody::Close(_)
        | RowBody::CashierChange(_)
        | RowBody::Training(_)
        | RowBody::ClockSet(_)
        | RowBody::Configured(_)
        | RowBody::CardWritten(_)
        | RowBody::Unknown { .. } => return Ok(None),
    };
    Ok(Some(OwnRow { kind, fund }))
}

fn line(row: &Compared) -> Line {
    let (verdict, why) = match row.verdict {
        Verdict::Same => ("same", None),
        Verdict::Unpaid(why) => ("unpaid", Some(reason(why))),
        Verdict::Missing => ("missing", None),
        Verdict::Differs => ("differs", None),
        Verdict::Unknown => ("unknown", None),
        Verdict::Disputed => ("disputed", Some(reason(7))),
        Verdict::Brought => ("brought", None),
    };
    let kind = match row.kind {
        LineKind::Sale => "sale",
        LineKind::Reversal => "reversal",
        LineKind::Refund => "refund",
        LineKind::Disputed => "disputed",
        LineKind::Brought => "brought",
    };
    Line {
        seq: row.seq.get(),
        kind,
        verdict,
        own_cents: row.own.map(Cents::get),
        settled_cents: row.settled.get(),
        unpaid_cents: row.unpaid.get(),
        why,
    }
}
