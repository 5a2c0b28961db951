//! What was done on a business day, for the list from which receipts are printed again.

use super::Journal;
use super::error::JournalError;
use super::sales::{SaleRecord, record};
use super::undo::{RefundRecord, ReversalRecord, refund_at, refunded_lines, reversal_of};
use crate::clock;
use crate::core::ages::Moment;
use cabas_protocol::{Cents, Seq};
use rusqlite::OptionalExtension as _;

/// Entries of one list.
pub const DAY_ENTRIES_MAX: u32 = 200;

/// One thing that was done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Entry {
    /// A sale.
    Sale {
        /// It.
        record: SaleRecord,
        /// True where it was reversed.
        is_reversed: bool,
        /// What was asked back of it, both parts together.
        refunded: Cents,
    },
    /// A reversal.
    Reversal(ReversalRecord),
    /// A refund request.
    Refund(RefundRecord),
}

impl Entry {
    /// Its row.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        match self {
            Self::Sale { record, .. } => record.seq,
            Self::Reversal(record) => record.seq,
            Self::Refund(record) => record.seq,
        }
    }
}

impl Journal {
    /// What was done today, newest first.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn today(&mut self, now: Moment) -> Result<Vec<Entry>, JournalError> {
        self.read(|db, state| {
            let today = clock::business_day(state.hub.anchor.time(now));
            let mut select =
                db.prepare_cached("SELECT seq, at, kind FROM rows WHERE kind IN (2, 3, 4) ORDER BY seq DESC LIMIT ?1")?;
            let found = select.query_map([DAY_ENTRIES_MAX], |row| {
                Ok((Seq::new(row.get(0)?), cabas_protocol::Timestamp::new(row.get(1)?)))
            })?;
            let found = found.collect::<Result<Vec<_>, _>>()?;
            let today = found.into_iter().take_while(|(_, at)| clock::business_day(*at) >= today);
            today.filter_map(|(seq, _)| entry(db, state, seq).transpose()).collect()
        })
    }

    /// The entry of a row; nothing where it has no receipt.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn entry(&mut self, seq: Seq) -> Result<Option<Entry>, JournalError> {
        self.read(|db, state| entry(db, state, seq))
    }
}

pub(super) fn entry(db: &rusqlite::Connection, state: &super::State, seq: Seq) -> Result<Option<Entry>, JournalError> {
    let mut select = db.prepare_cached("SELECT seq, at, till_ref, bytes, kind FROM rows WHERE seq = ?1")?;
    let found = select.query_row([seq.get()], |row| Ok((super::sales::sale_columns(row)?, row.get::<_, u16>(4)?)));
    let Some((columns, kind)) = found.optional()? else { return Ok(None) };
    Ok(match kind {
        2 => {
            let record = record(state, columns)?;
            let is_reversed = reversal_of(db, state, seq)?.is_some();
            let lines = refunded_lines(db, state, seq)?;
            let refunded = Cents::sum(lines.iter().map(|line| line.requested))?;
            Some(Entry::Sale { record, is_reversed, refunded })
        }
        3 => refund_at(db, state, seq)?.map(Entry::Refund),
        4 => {
            let mut select = db.prepare_cached("SELECT sale FROM reversals WHERE seq = ?1")?;
            let sale = select.query_row([seq.get()], |row| Ok(Seq::new(row.get(0)?))).optional()?;
            let reversal = sale.map(|sale| reversal_of(db, state, sale)).transpose()?;
            reversal.flatten().map(Entry::Reversal)
        }
        _ => None,
    })
}
