//! `journal verify`: recomputes everything from the signed rows, with nothing but the file and the fund's root key.

use super::close::period_number;
use super::error::JournalError;
use super::load::{self, documents, totals_of};
use super::state::{Identity, Totals};
use super::verify_cards::Cards;
use super::verify_money::Money;
use super::{log, schema};
use cabas_protocol::chain::{self, ChainHead};
use cabas_protocol::enrol::{EnrolAnswer, EnrolRequest};
use cabas_protocol::keys::{HubKeys, KeyCert};
use cabas_protocol::row::{Close, RowBody};
use cabas_protocol::sign::{SignError, sha256};
use cabas_protocol::{FundId, PublicKey, RequestId, Row, Seq, Signed, Stan};
use rusqlite::Connection;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Problems that are listed; a damaged file may have one in each row.
const PROBLEMS_MAX: usize = 100;

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// True where nothing is wrong.
    pub sound: bool,
    /// The fund.
    pub fund: u32,
    /// The terminal.
    pub terminal: u32,
    /// Its enrolment.
    pub epoch: u32,
    /// The root key that vouches for all of it, in hexadecimal.
    pub root: String,
    /// True where the root key was given from outside; otherwise the file vouches for itself.
    pub root_given: bool,
    /// Rows.
    pub rows: u32,
    /// The newest row's hash: what the hub must name as well.
    pub newest_hash: String,
    /// Sales.
    pub sales: u32,
    /// The fund's part of all sales.
    pub fund_cents: u64,
    /// The member's part of all sales.
    pub member_cents: u64,
    /// Debits of cards of which no end is known: open, and nothing wrong.
    pub doubts: u32,
    /// What is wrong.
    pub problems: Vec<String>,
}

/// Checks a journal.
///
/// # Errors
/// [`JournalError`] where the file cannot be read at all; what is wrong in it stands in the report.
pub fn verify(path: &Path, root: Option<PublicKey>) -> Result<Report, JournalError> {
    log::check_in_use(path)?;
    let db = schema::open_read_only(path)?;
    // One moment of a file that a running agent goes on writing to.
    let db = db.unchecked_transaction()?;
    let (id, certs) = load::load_identity(&db)?;
    let mut check = Check::new(&id);
    check.enrolment(&db, &id, &certs, root)?;
    check.rows(&db, &id)?;
    check.counters(&db)?;
    check.undone(&db)?;
    check.closes(&db)?;
    check.intents(&db)?;
    check.balances(&db)?;
    Ok(Report {
        sound: check.problems.is_empty(),
        fund: id.fund.get(),
        terminal: id.terminal.get(),
        epoch: id.epoch.get(),
        root: hex(root.unwrap_or(id.root).as_bytes()),
        root_given: root.is_some(),
        rows: check.head.seq.get(),
        newest_hash: check.head.hash.to_string(),
        sales: check.totals.sales,
        fund_cents: check.totals.fund.get(),
        member_cents: check.totals.member.get(),
        doubts: u32::try_from(check.cards.open()).unwrap_or(u32::MAX),
        problems: check.problems,
    })
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _written = write!(text, "{byte:02x}");
        text
    })
}

/// The columns beside a row's bytes.
struct Columns {
    seq: u32,
    hash: [u8; 32],
    kind: u16,
    stan: u32,
    totals: Totals,
    request: Option<[u8; 8]>,
    bytes: Vec<u8>,
}

pub(super) struct Check {
    pub(super) fund: FundId,
    head: ChainHead,
    pub(super) totals: Totals,
    pub(super) stan: Option<Stan>,
    pub(super) money: Money,
    pub(super) cards: Cards,
    /// By period: the number of the newest closing, its row, and the totals there.
    closings: BTreeMap<u8, (u32, Seq, Totals)>,
    problems: Vec<String>,
}

impl Check {
    fn new(id: &Identity) -> Self {
        Self {
            fund: id.fund,
            head: id.genesis(),
            totals: Totals::default(),
            stan: None,
            money: Money::default(),
            cards: Cards::default(),
            closings: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    pub(super) fn problem(&mut self, problem: impl Into<String>) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem.into());
        }
    }

    pub(super) fn expect(&mut self, holds: bool, problem: impl FnOnce() -> String) {
        if !holds {
            self.problem(problem());
        }
    }

    /// The root certifies the hub's key, which signed the answer, which names the request, which names the terminal's key.
    fn enrolment(
        &mut self,
        db: &Connection,
        id: &Identity,
        certs: &[Signed<KeyCert>],
        root: Option<PublicKey>,
    ) -> Result<(), JournalError> {
        if let Some(root) = root {
            self.expect(root == id.root, || String::from("the file names another root key than the one given"));
        }
        let mut keys = HubKeys::new(id.fund, root.unwrap_or(id.root));
        for cert in certs {
            self.certify(&mut keys, cert);
        }
        let enrolled_with = keys.clone();
        for cert in documents::<KeyCert>(db)? {
            self.certify(&mut keys, &cert);
        }
        let columns: (Vec<u8>, Vec<u8>) =
            db.query_row("SELECT enrol_request, enrol_answer FROM identity", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let request = Signed::<EnrolRequest>::from_bytes(columns.0).map_err(SignError::from)?;
        let answer = Signed::<EnrolAnswer>::from_bytes(columns.1).map_err(SignError::from)?;
        match enrolled_with.verify(&answer) {
            Ok(answer) => self.expect(answer.payload().request == sha256(&[request.as_bytes()]), || {
                String::from("the enrolment's answer is to another request")
            }),
            Err(error) => self.problem(format!("the enrolment's answer: {error}")),
        }
        if let Err(error) = request.verify(&id.key, EnrolRequest::NO_FUND) {
            self.problem(format!("the enrolment's request: {error}"));
        }
        Ok(())
    }

    fn certify(&mut self, keys: &mut HubKeys, cert: &Signed<KeyCert>) {
        match keys.certify(cert) {
            Ok(cert) => self.money.vouch(cert.payload()),
            Err(error) => self.problem(format!("a key certificate: {error}")),
        }
    }

    fn rows(&mut self, db: &Connection, id: &Identity) -> Result<(), JournalError> {
        let mut select = db.prepare(
            "SELECT seq, hash, kind, stan, sales, fund_cents, member_cents, reversed_cents, refund_cents, request, bytes \
             FROM rows ORDER BY seq",
        )?;
        let rows = select.query_map([], |row| {
            Ok(Columns {
                seq: row.get(0)?,
                hash: row.get(1)?,
                kind: row.get(2)?,
                stan: row.get(3)?,
                totals: totals_of(row, 4)?,
                request: row.get(9)?,
                bytes: row.get(10)?,
            })
        })?;
        for columns in rows {
            self.row(id, columns?);
        }
        Ok(())
    }

    fn row(&mut self, id: &Identity, columns: Columns) {
        let seq = columns.seq;
        let verified = Signed::<Row>::from_bytes(columns.bytes)
            .map_err(SignError::from)
            .and_then(|signed| signed.verify(&id.key, id.fund));
        let row = match verified {
            Ok(row) => row,
            Err(error) => return self.problem(format!("row {seq}: {error}")),
        };
        let hash = row.hash();
        self.expect(*hash.as_bytes() == columns.hash, || format!("row {seq}: its hash is not the one beside it"));
        let row = row.into_payload();
        if let Err(error) = chain::check_next(id.chain(), self.head, &row, 0) {
            self.problem(format!("row {seq}: {error}"));
        }
        self.head = ChainHead { seq: row.seq, hash };
        let request = match &row.body {
            RowBody::Sale(sale) => {
                self.sale(row.seq, sale);
                sale.request
            }
            RowBody::Close(close) => {
                self.close(row.seq, *close);
                None
            }
            RowBody::RefundRequest(refund) => {
                self.refund(id, row.seq, refund);
                Some(refund.request)
            }
            RowBody::Reversal(reversal) => {
                self.reversal(row.seq, reversal);
                None
            }
            RowBody::Return(returned) => {
                self.returned(row.seq, returned);
                None
            }
            RowBody::Intent(intent) => {
                self.intent(row.seq, intent);
                None
            }
            RowBody::InDoubt(doubt) => {
                self.in_doubt(row.seq, doubt);
                None
            }
            RowBody::DoubtResolved(resolved) => {
                self.resolved(id, row.seq, resolved);
                None
            }
            RowBody::Start(_)
            | RowBody::ListApplied(_)
            | RowBody::Courier(_)
            | RowBody::CashierChange(_)
            | RowBody::Training(_)
            | RowBody::ClockSet(_)
            | RowBody::Configured(_)
            | RowBody::CardWritten(_)
            | RowBody::Unknown { .. } => None,
        };
        let beside = (columns.kind, columns.stan, columns.totals, columns.request.map(RequestId::new), seq);
        let expected = (row.body.kind(), self.stan.map_or(0, Stan::get), self.totals, request, row.seq.get());
        self.expect(beside == expected, || format!("row {seq}: the columns beside it say something else than the row"));
    }

    fn close(&mut self, seq: Seq, close: Close) {
        let period = period_number(close.period);
        let (count, last, before) = self.closings.get(&period).copied().unwrap_or_default();
        let sums = self.totals.since(before).unwrap_or_default();
        let expected = Close {
            number: count.saturating_add(1),
            from: last.next().unwrap_or(last),
            sales: sums.sales,
            fund: sums.fund,
            member: sums.member,
            reversed: sums.reversed,
            refunds: sums.refunds,
            perpetual: self.totals.fund,
            ..close
        };
        self.expect(close == expected, || format!("row {seq}: the closing's totals are not those of its rows"));
        self.closings.insert(period, (close.number, seq, self.totals));
    }

    /// The newest closings that are kept beside the rows are those of the rows.
    fn closes(&mut self, db: &Connection) -> Result<(), JournalError> {
        let mut select = db.prepare("SELECT period, number, seq FROM closes ORDER BY period")?;
        let kept =
            select.query_map([], |row| Ok((row.get::<_, u8>(0)?, row.get::<_, u32>(1)?, row.get::<_, u32>(2)?)))?;
        let kept: Vec<_> = kept.collect::<Result<_, _>>()?;
        let written: Vec<_> =
            self.closings.iter().map(|(period, (number, seq, _))| (*period, *number, seq.get())).collect();
        self.expect(kept == written, || String::from("what is kept of closings is not what the rows say"));
        Ok(())
    }
}
