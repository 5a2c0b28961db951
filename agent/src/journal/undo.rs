//! Reversals and refund requests in the journal: the sale they name, the decision, the row, in one transaction.

use super::Journal;
use super::append::Writer;
use super::error::JournalError;
use super::sales::{SaleRecord, counters_of, record, sale_columns};
use super::state::State;
use crate::clock;
use crate::core::ages::Moment;
use crate::core::objects::{Alarm, Verdict};
use crate::core::split::AskedLine;
use crate::core::undo::{SaleFacts, UndoRefusal, check_reversal, may_undo, refund_lines};
use cabas_protocol::row::{Line, Origin, RefundRequest, Reversal, RowBody, Tier};
use cabas_protocol::sign::SignError;
use cabas_protocol::sync::RefundDecision;
use cabas_protocol::{RequestId, Row, Seq, Signed, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

/// Which sale.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SaleRef {
    /// By the request that asked for it.
    Request(RequestId),
    /// By its row.
    Origin(Origin),
}

/// A refund that is asked for.
#[derive(Clone, Debug)]
pub struct RefundAsk {
    /// The operation: the same one is never done twice.
    pub request: RequestId,
    /// The sale.
    pub sale: SaleRef,
    /// What goes back, by category; nothing for all that is left.
    pub lines: Option<Vec<AskedLine>>,
}

/// A reversal as it was written down.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReversalRecord {
    /// Its row.
    pub seq: Seq,
    /// Its contents.
    pub reversal: Reversal,
    /// The sale that it undoes.
    pub sale: SaleRecord,
    /// When, in hub time as well as it was known.
    pub at: Timestamp,
}

/// How far a refund has come.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum RefundProgress {
    /// The hub has not seen it.
    Unsent,
    /// The hub has it and decides.
    Received,
    /// The hub has given the money back to the household.
    Credited,
    /// The hub has refused it.
    Refused,
}

impl RefundProgress {
    /// Its name in the local API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unsent => "unsent",
            Self::Received => "received",
            Self::Credited => "credited",
            Self::Refused => "refused",
        }
    }
}

/// A refund request as it was written down.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RefundRecord {
    /// Its row.
    pub seq: Seq,
    /// Its contents.
    pub refund: RefundRequest,
    /// The sale that it names.
    pub sale: SaleRecord,
    /// When, in hub time as well as it was known.
    pub at: Timestamp,
    /// How far it has come.
    pub progress: RefundProgress,
}

/// What became of an operation that undoes something.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Undone<T> {
    /// It is written down: the commit has returned.
    Done(T),
    /// The request was done before: this is its row.
    Known(T),
    /// It may not be; nothing was written.
    Refused(UndoRefusal),
}

impl Journal {
    /// Reverses a sale that was just made. Where this returns [`Undone::Done`] the row is durable, and the money is
    /// usable again.
    ///
    /// # Errors
    /// [`JournalError`]: whether the row is in the file is unknown then; the same request tells.
    pub fn reverse(
        &mut self,
        now: Moment,
        sale: SaleRef,
        request: RequestId,
    ) -> Result<Undone<ReversalRecord>, JournalError> {
        self.write(now, |writer| writer.reverse(sale, request))
    }

    /// Asks the hub to give back what a sale paid, or a part of it.
    ///
    /// # Errors
    /// As [`Journal::reverse`].
    pub fn refund(&mut self, now: Moment, ask: &RefundAsk) -> Result<Undone<RefundRecord>, JournalError> {
        self.write(now, |writer| writer.refund(ask))
    }

    /// The reversal of a sale.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn reversal_of(&mut self, sale: Seq) -> Result<Option<ReversalRecord>, JournalError> {
        self.read(|db, state| reversal_of(db, state, sale))
    }

    /// The refund of a request.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn find_refund(&mut self, request: RequestId) -> Result<Option<RefundRecord>, JournalError> {
        self.read(|db, state| find_refund(db, state, request))
    }
}

impl Writer<'_> {
    /// True where an operation of this journal has the id.
    pub(super) fn is_taken(&self, request: RequestId) -> Result<bool, JournalError> {
        let mut select = self.tx.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM rows WHERE request = ?1) OR EXISTS (SELECT 1 FROM reversals WHERE request = ?1) \
             OR EXISTS (SELECT 1 FROM intents WHERE request = ?1 AND ended IS NULL)",
        )?;
        Ok(select.query_row([request.as_bytes()], |row| row.get(0))?)
    }

    fn reverse(&mut self, sale: SaleRef, request: RequestId) -> Result<Undone<ReversalRecord>, JournalError> {
        let Some(sale) = find(self.tx, self.state, sale)? else {
            return Ok(Undone::Refused(UndoRefusal::UnknownSale));
        };
        let mut select = self.tx.prepare_cached("SELECT sale FROM reversals WHERE request = ?1")?;
        let done = select.query_row([request.as_bytes()], |row| Ok(Seq::new(row.get(0)?))).optional()?;
        if done == Some(sale.seq)
            && let Some(reversal) = reversal_of(self.tx, self.state, sale.seq)?
        {
            return Ok(Undone::Known(reversal));
        }
        if self.is_taken(request)? {
            return Ok(Undone::Refused(UndoRefusal::RequestTaken));
        }
        if sale.sale.tier == Tier::Purse {
            return Ok(Undone::Refused(UndoRefusal::CardCounts));
        }
        let purse = sale.sale.purse;
        let (spent, reversed, _) =
            counters_of(self.tx, purse)?.ok_or(JournalError::Inconsistent("a sale raised no counter"))?;
        let time = self.state.hub.anchor.time(self.now);
        let day = clock::business_day(sale.at);
        let facts = SaleFacts {
            terminal: self.state.terminal_state(),
            is_reversed: reversal_of(self.tx, self.state, sale.seq)?.is_some(),
            is_refunded: !refunded_lines(self.tx, self.state, sale.seq)?.is_empty(),
            is_today: day == clock::business_day(time),
            is_newest: spent == sale.sale.spent_after,
            age_s: time.since_s(sale.at),
        };
        if let Err(refusal) = check_reversal(facts) {
            return Ok(Undone::Refused(refusal));
        }
        let cents = sale.sale.fund_cents()?;
        let reversed_after = reversed.plus(cents)?;
        let reversal = Reversal { stan: self.next_stan(), sale: sale.seq, purse, cents, reversed_after };
        let seq = self.append(RowBody::Reversal(reversal.clone()), None)?;
        let mut raise = self.tx.prepare_cached(
            "UPDATE counters SET reversed_cents = ?2, \
             plain_day_cents = iif(?3 AND plain_day = ?4, max(plain_day_cents - ?5, 0), plain_day_cents) \
             WHERE purse = ?1 AND scope = 1",
        )?;
        let plain = sale.sale.tier == Tier::Plain;
        raise.execute(params![purse.as_bytes(), reversed_after.get(), plain, day, cents.get()])?;
        let mut insert = self.tx.prepare_cached("INSERT INTO reversals (sale, seq, request) VALUES (?1, ?2, ?3)")?;
        insert.execute(params![sale.seq.get(), seq.get(), request.as_bytes()])?;
        Ok(Undone::Done(ReversalRecord { seq, reversal, sale, at: time }))
    }

    fn refund(&mut self, ask: &RefundAsk) -> Result<Undone<RefundRecord>, JournalError> {
        if let Some(known) = find_refund(self.tx, self.state, ask.request)? {
            return Ok(Undone::Known(known));
        }
        match self.decide_refund(ask)? {
            Ok((sale, lines)) => self.write_refund(ask.request, sale, lines).map(Undone::Done),
            Err(refusal) => Ok(Undone::Refused(refusal)),
        }
    }

    fn decide_refund(&self, ask: &RefundAsk) -> Result<Result<(SaleRecord, Vec<Line>), UndoRefusal>, JournalError> {
        if self.is_taken(ask.request)? {
            return Ok(Err(UndoRefusal::RequestTaken));
        }
        if let Err(refusal) = may_undo(self.state.terminal_state()) {
            return Ok(Err(refusal));
        }
        let Some(sale) = find(self.tx, self.state, ask.sale)? else { return Ok(Err(UndoRefusal::UnknownSale)) };
        if reversal_of(self.tx, self.state, sale.seq)?.is_some() {
            return Ok(Err(UndoRefusal::Reversed));
        }
        let before = refunded_lines(self.tx, self.state, sale.seq)?;
        Ok(refund_lines(&sale.sale.lines, &before, ask.lines.as_deref()).map(|lines| (sale, lines)))
    }

    fn write_refund(
        &mut self,
        request: RequestId,
        sale: SaleRecord,
        lines: Vec<Line>,
    ) -> Result<RefundRecord, JournalError> {
        let (purse, me) = (sale.sale.purse, self.state.id.me());
        let original = Origin { terminal: me.terminal, epoch: me.epoch, seq: sale.seq };
        let refund = RefundRequest { stan: self.next_stan(), original, purse, lines, request };
        let seq = self.append(RowBody::RefundRequest(refund.clone()), sale.till_ref.as_deref())?;
        let mut insert = self.tx.prepare_cached("INSERT INTO refunds (seq, sale) VALUES (?1, ?2)")?;
        insert.execute(params![seq.get(), sale.seq.get()])?;
        let at = self.state.hub.anchor.time(self.now);
        Ok(RefundRecord { seq, refund, sale, at, progress: RefundProgress::Unsent })
    }

    /// Notes what the hub decided: its newest word counts.
    pub(super) fn take_refund(&mut self, decision: &RefundDecision) -> Result<Verdict, JournalError> {
        let me = self.state.id.me();
        if (decision.terminal, decision.epoch) != (me.terminal, me.epoch) {
            return Ok(Verdict::Reject(Alarm::Misaddressed { what: "a refund's decision" }));
        }
        let mut upsert = self.tx.prepare_cached(
            "INSERT INTO refund_decisions (seq, is_granted) SELECT seq, ?2 FROM refunds WHERE seq = ?1 \
             ON CONFLICT (seq) DO UPDATE SET is_granted = ?2 WHERE is_granted <> ?2",
        )?;
        let changed = upsert.execute(params![decision.seq.get(), decision.granted])?;
        Ok(if changed > 0 { Verdict::Take } else { Verdict::Ignore })
    }
}

fn find(db: &Connection, state: &State, sale: SaleRef) -> Result<Option<SaleRecord>, JournalError> {
    match sale {
        SaleRef::Request(request) => super::sales::find_sale(db, state, request),
        SaleRef::Origin(Origin { terminal, epoch, seq }) => {
            let me = state.id.me();
            if (terminal, epoch) == (me.terminal, me.epoch) { sale_at(db, state, seq) } else { Ok(None) }
        }
    }
}

fn sale_at(db: &Connection, state: &State, seq: Seq) -> Result<Option<SaleRecord>, JournalError> {
    let mut select = db.prepare_cached("SELECT seq, at, till_ref, bytes FROM rows WHERE seq = ?1 AND kind = 2")?;
    let found = select.query_row([seq.get()], sale_columns).optional()?;
    found.map(|columns| record(state, columns)).transpose()
}

/// The body of a stored row.
pub(super) fn body(state: &State, bytes: Vec<u8>) -> Result<RowBody, JournalError> {
    let signed = Signed::<Row>::from_bytes(bytes).map_err(SignError::from)?;
    Ok(signed.read_trusted(state.id.fund)?.into_payload().body)
}

pub(super) fn reversal_of(db: &Connection, state: &State, sale: Seq) -> Result<Option<ReversalRecord>, JournalError> {
    let mut select = db.prepare_cached(
        "SELECT rows.seq, rows.at, rows.bytes FROM reversals JOIN rows ON rows.seq = reversals.seq \
         WHERE reversals.sale = ?1",
    )?;
    let found = select.query_row([sale.get()], |row| {
        Ok((Seq::new(row.get(0)?), Timestamp::new(row.get(1)?), row.get::<_, Vec<u8>>(2)?))
    });
    let Some((seq, at, bytes)) = found.optional()? else { return Ok(None) };
    let (RowBody::Reversal(reversal), Some(sale)) = (body(state, bytes)?, sale_at(db, state, sale)?) else {
        return Err(JournalError::Inconsistent("a reversal names no sale"));
    };
    Ok(Some(ReversalRecord { seq, reversal, sale, at }))
}

/// The reversal of a request.
pub(super) fn reversal_by(
    db: &Connection,
    state: &State,
    request: RequestId,
) -> Result<Option<ReversalRecord>, JournalError> {
    let mut select = db.prepare_cached("SELECT sale FROM reversals WHERE request = ?1")?;
    let sale = select.query_row([request.as_bytes()], |row| Ok(Seq::new(row.get(0)?))).optional()?;
    sale.map_or(Ok(None), |sale| reversal_of(db, state, sale))
}

/// The lines of all refunds of a sale.
pub(super) fn refunded_lines(db: &Connection, state: &State, sale: Seq) -> Result<Vec<Line>, JournalError> {
    let mut select = db
        .prepare_cached("SELECT rows.bytes FROM refunds JOIN rows ON rows.seq = refunds.seq WHERE refunds.sale = ?1")?;
    let mut lines = Vec::new();
    for bytes in select.query_map([sale.get()], |row| row.get::<_, Vec<u8>>(0))? {
        let RowBody::RefundRequest(refund) = body(state, bytes?)? else {
            return Err(JournalError::Inconsistent("a refund is not a refund"));
        };
        lines.extend(refund.lines);
    }
    Ok(lines)
}

const REFUND_COLUMNS: &str = "SELECT rows.seq, rows.at, rows.bytes, is_granted FROM rows \
                              JOIN refunds ON refunds.seq = rows.seq \
                              LEFT JOIN refund_decisions ON refund_decisions.seq = rows.seq";

pub(super) fn find_refund(
    db: &Connection,
    state: &State,
    request: RequestId,
) -> Result<Option<RefundRecord>, JournalError> {
    let mut select = db.prepare_cached(&format!("{REFUND_COLUMNS} WHERE rows.request = ?1"))?;
    let found = select.query_row([request.as_bytes()], refund_columns).optional()?;
    found.map(|columns| refund_record(db, state, columns)).transpose()
}

pub(super) fn refund_at(db: &Connection, state: &State, seq: Seq) -> Result<Option<RefundRecord>, JournalError> {
    let mut select = db.prepare_cached(&format!("{REFUND_COLUMNS} WHERE rows.seq = ?1"))?;
    let found = select.query_row([seq.get()], refund_columns).optional()?;
    found.map(|columns| refund_record(db, state, columns)).transpose()
}

type RefundColumns = (u32, u64, Vec<u8>, Option<bool>);

fn refund_columns(row: &rusqlite::Row<'_>) -> rusqlite::Result<RefundColumns> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn refund_record(
    db: &Connection,
    state: &State,
    (seq, at, bytes, is_granted): RefundColumns,
) -> Result<RefundRecord, JournalError> {
    let seq = Seq::new(seq);
    let RowBody::RefundRequest(refund) = body(state, bytes)? else {
        return Err(JournalError::Inconsistent("a refund is not a refund"));
    };
    let progress = match is_granted {
        Some(true) => RefundProgress::Credited,
        Some(false) => RefundProgress::Refused,
        None if seq > state.hub.acked.seq => RefundProgress::Unsent,
        None => RefundProgress::Received,
    };
    let sale = sale_at(db, state, refund.original.seq)?;
    let sale = sale.ok_or(JournalError::Inconsistent("a refund names no sale"))?;
    Ok(RefundRecord { seq, refund, sale, at: Timestamp::new(at), progress })
}
