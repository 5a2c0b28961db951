//! Closings of days, months and years: the totals of the period, and the one that is never reset.

use super::Journal;
use super::append::Writer;
use super::error::JournalError;
use super::load::totals_at;
use super::state::Totals;
use crate::core::ages::Moment;
use cabas_protocol::row::{Close, ClosePeriod, RowBody};
use cabas_protocol::sign::SignError;
use cabas_protocol::{Row, Seq, Signed, Timestamp};
use rusqlite::{OptionalExtension as _, params};

/// A closing as it was written down.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Closing {
    /// Its row.
    pub seq: Seq,
    /// When, in hub time.
    pub at: Timestamp,
    /// Its contents.
    pub close: Close,
    /// False where nothing had been written since this closing, and so none was added.
    pub is_new: bool,
}

impl Journal {
    /// Closes a period. Where the newest row is a closing of that period already, it is given again.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn close(&mut self, now: Moment, period: ClosePeriod) -> Result<Closing, JournalError> {
        self.write(now, |writer| writer.close(period))
    }
}

impl Writer<'_> {
    fn close(&mut self, period: ClosePeriod) -> Result<Closing, JournalError> {
        let mut select = self.tx.prepare_cached("SELECT number, seq FROM closes WHERE period = ?1")?;
        let last = select.query_row([period_number(period)], |row| Ok((row.get::<_, u32>(0)?, Seq::new(row.get(1)?))));
        let (count, last_seq) = last.optional()?.unwrap_or((0, Seq::NONE));
        let newest = self.state.newest;
        if last_seq != Seq::NONE && last_seq == newest.chain.seq {
            return self.written(last_seq);
        }
        let Totals { sales, fund, member, reversed, refunds } = newest.totals.since(totals_at(self.tx, last_seq)?)?;
        let close = Close {
            period,
            number: count.saturating_add(1),
            from: last_seq.next().ok_or(JournalError::Full)?,
            sales,
            fund,
            member,
            reversed,
            refunds,
            perpetual: newest.totals.fund,
        };
        let seq = self.append(RowBody::Close(close), None)?;
        self.tx.execute(
            "INSERT INTO closes (period, number, seq) VALUES (?1, ?2, ?3) \
             ON CONFLICT (period) DO UPDATE SET number = ?2, seq = ?3",
            params![period_number(period), close.number, seq.get()],
        )?;
        Ok(Closing { seq, at: self.state.hub.anchor.time(self.now), close, is_new: true })
    }

    fn written(&self, seq: Seq) -> Result<Closing, JournalError> {
        let (at, bytes) = self.tx.query_row("SELECT at, bytes FROM rows WHERE seq = ?1", [seq.get()], |row| {
            Ok((Timestamp::new(row.get(0)?), row.get::<_, Vec<u8>>(1)?))
        })?;
        let signed = Signed::<Row>::from_bytes(bytes).map_err(SignError::from)?;
        let RowBody::Close(close) = signed.read_trusted(self.state.id.fund)?.into_payload().body else {
            return Err(JournalError::Inconsistent("a closing is not a closing"));
        };
        Ok(Closing { seq, at, close, is_new: false })
    }
}

/// The number of a period in the row.
const fn period_number(period: ClosePeriod) -> u8 {
    match period {
        ClosePeriod::Day => 1,
        ClosePeriod::Month => 2,
        ClosePeriod::Year => 3,
    }
}
