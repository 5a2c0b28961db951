//! Closings of days, months and years: the totals of the period, and the one that is never reset.
//!
//! What a closing covers is said by the numbers of rows and by no clock: a sale after a closing belongs to the next one,
//! whatever time it was.

use super::Journal;
use super::append::Writer;
use super::error::JournalError;
use super::load::totals_at;
use super::state::{State, Totals};
use crate::core::ages::Moment;
use cabas_protocol::row::{Close, ClosePeriod, RowBody};
use cabas_protocol::sign::SignError;
use cabas_protocol::{Hash, Row, Seq, Signed, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

/// Closings of one list.
pub const CLOSINGS_MAX: u32 = 200;
/// Kinds of rows that closings count: sales, refunds that are asked for, reversals.
pub(super) const CLOSED_KINDS: [u16; 3] = [2, 3, 4];

/// A closing as it was written down.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Closing {
    /// Its row.
    pub seq: Seq,
    /// The row's hash.
    pub hash: Hash,
    /// When, in hub time.
    pub at: Timestamp,
    /// When the first row that it covers was written.
    pub opened_at: Timestamp,
    /// Its contents.
    pub close: Close,
}

/// What became of a closing that was asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Closed {
    /// The closing of the period that was asked for.
    pub asked: Closing,
    /// False where nothing that counts had been written since it, and so none was added.
    pub is_new: bool,
    /// Every closing that was added: the day before its month, the month before its year.
    pub added: Vec<Closing>,
}

/// How far a kind of period is closed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Period {
    /// The number of its newest closing; 0 where there is none.
    pub number: u32,
    /// Its row.
    pub closed: Seq,
    /// When that was written.
    pub closed_at: Option<Timestamp>,
    /// The sums up to there.
    pub totals: Totals,
    /// When the first row that counts was written since; nothing where there is none.
    pub since: Option<Timestamp>,
}

/// How far days, months and years are closed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Periods {
    /// The day.
    pub day: Period,
    /// The month.
    pub month: Period,
    /// The year.
    pub year: Period,
}

impl Periods {
    /// One of them.
    #[must_use]
    pub const fn get(&self, period: ClosePeriod) -> Period {
        match period {
            ClosePeriod::Day => self.day,
            ClosePeriod::Month => self.month,
            ClosePeriod::Year => self.year,
        }
    }

    const fn get_mut(&mut self, period: ClosePeriod) -> &mut Period {
        match period {
            ClosePeriod::Day => &mut self.day,
            ClosePeriod::Month => &mut self.month,
            ClosePeriod::Year => &mut self.year,
        }
    }

    /// A row that counts was written.
    pub(super) fn note(&mut self, at: Timestamp) {
        for period in [&mut self.day, &mut self.month, &mut self.year] {
            period.since.get_or_insert(at);
        }
    }
}

/// Reads how far everything is closed; bounded by the rows between the newest closing and the first sale after it.
pub(super) fn load_periods(db: &Connection, newest: Totals) -> Result<Periods, JournalError> {
    let mut periods = Periods::default();
    for period in [ClosePeriod::Day, ClosePeriod::Month, ClosePeriod::Year] {
        let mut select = db.prepare_cached(
            "SELECT number, closes.seq, at FROM closes JOIN rows ON rows.seq = closes.seq WHERE period = ?1",
        )?;
        let last = select.query_row([period_number(period)], |row| {
            Ok((row.get(0)?, Seq::new(row.get(1)?), Some(Timestamp::new(row.get(2)?))))
        });
        let (number, closed, closed_at) = last.optional()?.unwrap_or((0, Seq::NONE, None));
        let totals = totals_at(db, closed)?;
        // Where the sums stand still there is no such row, and none is looked for.
        let since = if totals == newest { None } else { first_since(db, closed)? };
        *periods.get_mut(period) = Period { number, closed, closed_at, totals, since };
    }
    Ok(periods)
}

fn first_since(db: &Connection, closed: Seq) -> Result<Option<Timestamp>, JournalError> {
    let mut select =
        db.prepare_cached("SELECT at FROM rows WHERE seq > ?1 AND +kind IN (2, 3, 4) ORDER BY seq LIMIT 1")?;
    Ok(select.query_row([closed.get()], |row| Ok(Timestamp::new(row.get(0)?))).optional()?)
}

impl Journal {
    /// Closes a period, and before it those that lie in it and are open: of a year its month, of a month its day. Where
    /// nothing that counts was written since the newest closing of that period, that one is given again.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn close(&mut self, now: Moment, period: ClosePeriod) -> Result<Closed, JournalError> {
        self.write(now, |writer| writer.close(period))
    }

    /// Closings before a row, newest first, [`CLOSINGS_MAX`] at the most.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn closings(&mut self, before: Option<Seq>, limit: u32) -> Result<Vec<Closing>, JournalError> {
        self.read(|db, state| {
            let mut select = db.prepare_cached(
                "SELECT seq FROM rows INDEXED BY rows_of_closings WHERE kind = 11 AND seq < ?1 ORDER BY seq DESC LIMIT ?2",
            )?;
            let before = before.map_or(i64::MAX, |before| before.get().into());
            let found = select
                .query_map(params![before, limit.min(CLOSINGS_MAX)], |row| Ok(Seq::new(row.get(0)?)))?
                .collect::<Result<Vec<_>, _>>()?;
            found.into_iter().map(|seq| closing_at(db, state, seq)?.ok_or(NOT_A_CLOSING)).collect()
        })
    }

    /// The closing of a row; nothing where the row is none.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn closing(&mut self, seq: Seq) -> Result<Option<Closing>, JournalError> {
        self.read(|db, state| closing_at(db, state, seq))
    }
}

const NOT_A_CLOSING: JournalError = JournalError::Inconsistent("a closing is not a closing");

impl Writer<'_> {
    fn close(&mut self, period: ClosePeriod) -> Result<Closed, JournalError> {
        let mut added = Vec::new();
        for part in parts(period) {
            if self.state.periods.get(*part).since.is_some() {
                added.push(self.add_closing(*part)?);
            }
        }
        let last = self.state.periods.get(period);
        if last.number > 0 && last.since.is_none() {
            let asked = closing_at(self.tx, self.state, last.closed)?.ok_or(NOT_A_CLOSING)?;
            return Ok(Closed { asked, is_new: false, added });
        }
        let asked = self.add_closing(period)?;
        added.push(asked);
        Ok(Closed { asked, is_new: true, added })
    }

    fn add_closing(&mut self, period: ClosePeriod) -> Result<Closing, JournalError> {
        let Period { number, closed, totals, .. } = self.state.periods.get(period);
        let newest = self.state.newest.totals;
        let Totals { sales, fund, member, reversed, refunds } = newest.since(totals)?;
        let number = number.checked_add(1).ok_or(JournalError::Full)?;
        let from = closed.next().ok_or(JournalError::Full)?;
        let close = Close { period, number, from, sales, fund, member, reversed, refunds, perpetual: newest.fund };
        let seq = self.append(RowBody::Close(close), None)?;
        self.tx.execute(
            "INSERT INTO closes (period, number, seq) VALUES (?1, ?2, ?3) \
             ON CONFLICT (period) DO UPDATE SET number = ?2, seq = ?3",
            params![period_number(period), number, seq.get()],
        )?;
        let closed_at = Some(self.state.hub.anchor.time(self.now));
        *self.state.periods.get_mut(period) = Period { number, closed: seq, closed_at, totals: newest, since: None };
        closing_at(self.tx, self.state, seq)?.ok_or(NOT_A_CLOSING)
    }
}

/// What lies in a period and is closed before it.
const fn parts(period: ClosePeriod) -> &'static [ClosePeriod] {
    match period {
        ClosePeriod::Day => &[],
        ClosePeriod::Month => &[ClosePeriod::Day],
        ClosePeriod::Year => &[ClosePeriod::Day, ClosePeriod::Month],
    }
}

fn closing_at(db: &Connection, state: &State, seq: Seq) -> Result<Option<Closing>, JournalError> {
    let mut select = db.prepare_cached("SELECT at, hash, bytes FROM rows WHERE seq = ?1 AND +kind = 11")?;
    let found = select.query_row([seq.get()], |row| {
        Ok((Timestamp::new(row.get(0)?), Hash::new(row.get(1)?), row.get::<_, Vec<u8>>(2)?))
    });
    let Some((at, hash, bytes)) = found.optional()? else { return Ok(None) };
    let signed = Signed::<Row>::from_bytes(bytes).map_err(SignError::from)?;
    let RowBody::Close(close) = signed.read_trusted(state.id.fund)?.into_payload().body else {
        return Err(NOT_A_CLOSING);
    };
    let mut select = db.prepare_cached("SELECT at FROM rows WHERE seq = ?1")?;
    let opened_at = select.query_row([close.from.get()], |row| Ok(Timestamp::new(row.get(0)?))).optional()?;
    Ok(Some(Closing { seq, hash, at, opened_at: opened_at.unwrap_or(at), close }))
}

/// The number of a period in the row.
pub(super) const fn period_number(period: ClosePeriod) -> u8 {
    match period {
        ClosePeriod::Day => 1,
        ClosePeriod::Month => 2,
        ClosePeriod::Year => 3,
    }
}

/// The name of a period in the local API and in exports.
#[must_use]
pub const fn period_name(period: ClosePeriod) -> &'static str {
    match period {
        ClosePeriod::Day => "day",
        ClosePeriod::Month => "month",
        ClosePeriod::Year => "year",
    }
}
