//! What the web site shows of what is voted: who noted a rule, what months were booked, whom a run leaves out.

use cabas_protocol::sync::Standing;
use cabas_protocol::{Cents, ChainHead, Epoch, TerminalId, Timestamp};
use rusqlite::params;

use super::error::StoreError;
use super::rules::period;
use super::sql::{Sql, col, col_opt};
use super::terminals::standing_number;
use super::tx::Tx;
use crate::core::period::Period;

/// Who noted a rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RuleNote {
    /// The month from which it holds.
    pub from: Period,
    /// Who.
    pub set_by: String,
    /// When; none for the rule that a fund is made with.
    pub set_at: Option<Timestamp>,
}

/// What was booked for a month.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MonthBooked {
    /// The month.
    pub period: Period,
    /// Who gave it; empty for money that expired.
    pub source: String,
    /// How many households.
    pub households: u32,
    /// How much.
    pub cents: Cents,
}

/// Why a household is worth a look before a month is credited.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exception {
    /// It left: it gets nothing.
    Left,
    /// Another source credited it for the month: it gets both.
    OtherSource,
    /// It has no card that it could spend with.
    NoCard,
    /// What it still owes is withheld from what it gets.
    Owes,
}

impl Exception {
    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::OtherSource => "other-source",
            Self::NoCard => "no-card",
            Self::Owes => "owes",
        }
    }
}

/// A household that is worth a look.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExceptionLine {
    /// Its code.
    pub household: String,
    /// Why.
    pub why: Exception,
    /// How much: what another source gave, or what is withheld.
    pub cents: Option<Cents>,
}

/// An enrolment that may be closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ClosableView {
    /// Its epoch.
    pub epoch: Epoch,
    /// How it stands.
    pub standing: Standing,
    /// The newest row that the hub has.
    pub at: ChainHead,
    /// What lies there and was not claimed.
    pub left: Cents,
    /// When it called last.
    pub contact_at: Option<Timestamp>,
    /// True where a closing waits for another person.
    pub is_proposed: bool,
}

impl Tx<'_> {
    /// Enrolments of a terminal that are not closed, newest first, with what lies there.
    ///
    /// # Errors
    /// [`StoreError::UnknownTerminal`], [`StoreError::Sqlite`].
    pub fn closable(&self, terminal: TerminalId) -> Result<Vec<ClosableView>, StoreError> {
        self.terminal_shop(terminal)?;
        let open = self
            .conn
            .prepare_cached("SELECT epoch FROM epochs WHERE terminal = ?1 AND standing <> ?2 ORDER BY epoch DESC")?
            .query_map(params![Sql(terminal), standing_number(Standing::Closed)], |row| col(row, 0))?
            .collect::<Result<Vec<Epoch>, _>>()?;
        let mut read = self.conn.prepare_cached(
            "SELECT (SELECT ifnull(sum(credits - debits), 0) FROM slices JOIN accounts ON accounts.id = slices.id
                 WHERE slices.epoch = ?1), (SELECT contact_at FROM contacts WHERE epoch = ?1),
                EXISTS (SELECT 1 FROM closings WHERE epoch = ?1 AND state = 0)",
        )?;
        let mut views = Vec::new();
        for epoch in open {
            let record = self.epoch(terminal, epoch)?;
            let view = read.query_row([Sql(record.number)], |row| {
                let (left, contact_at, is_proposed) = (col(row, 0)?, col_opt(row, 1)?, row.get(2)?);
                let (standing, at) = (record.standing, record.acked);
                Ok(ClosableView { epoch, standing, at, left, contact_at, is_proposed })
            });
            views.push(view?);
        }
        Ok(views)
    }

    /// Who noted each rule, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Damaged`].
    pub fn rule_notes(&self) -> Result<Vec<RuleNote>, StoreError> {
        let mut read =
            self.conn.prepare("SELECT from_period, set_by, set_at FROM credit_rules ORDER BY from_period")?;
        let mut rows = read.query([])?;
        let mut notes = Vec::new();
        while let Some(row) = rows.next()? {
            let set_at: Timestamp = col(row, 2)?;
            let set_at = Some(set_at).filter(|at| at.get() > 0);
            notes.push(RuleNote { from: period(row.get(0)?)?, set_by: row.get(1)?, set_at });
        }
        Ok(notes)
    }

    /// The months that were credited, newest first, at most `limit` lines.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Damaged`].
    pub fn credits_booked(&self, limit: u32) -> Result<Vec<MonthBooked>, StoreError> {
        let read = "SELECT period, sources.name, count(*), sum(cents) FROM credits
             JOIN sources ON sources.number = credits.source GROUP BY period, source
             ORDER BY period DESC, sources.name LIMIT ?1";
        self.booked(read, limit)
    }

    /// The months at whose end money expired, newest first, at most `limit` lines.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Damaged`].
    pub fn expiries_booked(&self, limit: u32) -> Result<Vec<MonthBooked>, StoreError> {
        let read = "SELECT period, '', count(*), sum(cents) FROM expiries WHERE period IS NOT NULL GROUP BY period
             ORDER BY period DESC LIMIT ?1";
        self.booked(read, limit)
    }

    fn booked(&self, read: &str, limit: u32) -> Result<Vec<MonthBooked>, StoreError> {
        let mut read = self.conn.prepare(read)?;
        let mut rows = read.query([limit])?;
        let mut months = Vec::new();
        while let Some(row) = rows.next()? {
            let (period, source) = (period(row.get(0)?)?, row.get(1)?);
            months.push(MonthBooked { period, source, households: row.get(2)?, cents: col(row, 3)? });
        }
        Ok(months)
    }

    /// The names of those who give money, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn source_names(&self, limit: u32) -> Result<Vec<String>, StoreError> {
        let mut read = self.conn.prepare("SELECT name FROM sources ORDER BY number DESC LIMIT ?1")?;
        Ok(read.query_map([limit], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// Households that a run leaves out, or that are worth a look before it, by code.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn credit_exceptions(&self, month: Period, sources: &[String]) -> Result<Vec<ExceptionLine>, StoreError> {
        let named = serde_json::to_string(sources).map_err(|_| StoreError::Damaged("names of sources"))?;
        let mut read = self.conn.prepare(
            "WITH named AS (SELECT number FROM sources WHERE name IN (SELECT value FROM json_each(?2)))
             SELECT code, left_at IS NOT NULL,
                (SELECT sum(cents) FROM credits WHERE period = ?1 AND credits.household = households.number
                 AND source NOT IN named),
                EXISTS (SELECT 1 FROM cards JOIN purses ON purses.number = cards.purse
                 WHERE purses.household = households.number AND blocked_at IS NULL),
                (SELECT nullif(debits - credits, 0) FROM accounts
                 WHERE id = (11 << 56) | (SELECT min(number) FROM purses WHERE purses.household = households.number))
             FROM households WHERE NOT EXISTS (SELECT 1 FROM credits WHERE period = ?1
                AND credits.household = households.number AND source IN named) ORDER BY code",
        )?;
        let mut rows = read.query(params![month.to_string(), named])?;
        let mut lines = Vec::new();
        while let Some(row) = rows.next()? {
            let (household, has_left): (String, bool) = (row.get(0)?, row.get(1)?);
            let mut add = |why, cents| lines.push(ExceptionLine { household: household.clone(), why, cents });
            if has_left {
                add(Exception::Left, None);
                continue;
            }
            if let Some(cents) = col_opt(row, 2)? {
                add(Exception::OtherSource, Some(cents));
            }
            if !row.get::<_, bool>(3)? {
                add(Exception::NoCard, None);
            }
            if let Some(cents) = col_opt(row, 4)? {
                add(Exception::Owes, Some(cents));
            }
        }
        Ok(lines)
    }

    /// The number of work that waits or is under way, is for the same and was asked for already.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn work_open_for(&self, job: &str) -> Result<Option<u32>, StoreError> {
        let mut read =
            self.conn.prepare("SELECT number FROM works WHERE state = 0 AND job = ?1 ORDER BY number LIMIT 1")?;
        let mut rows = read.query([job])?;
        Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
    }

    /// The number of work that waits or is under way and books a run of credits.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn work_of_run(&self, run: u32) -> Result<Option<u32>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT min(number) FROM works WHERE state = 0 AND json_extract(job, '$.kind') = 'credit'
             AND json_extract(job, '$.run') = ?1",
        )?;
        Ok(read.query_row([run], |row| row.get(0))?)
    }

    /// The highest number of a purse.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn newest_purse(&self) -> Result<Option<u32>, StoreError> {
        Ok(self.conn.query_row("SELECT max(number) FROM purses", [], |row| row.get(0))?)
    }

    /// How many deeds wait for a second person.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn waiting_count(&self, now: Timestamp) -> Result<u64, StoreError> {
        let oldest = Timestamp::new(now.get().saturating_sub(super::goodwill_votes::PROPOSAL_VALID_S));
        let read = "SELECT (SELECT count(*) FROM corrections WHERE state = 0)
                + (SELECT count(*) FROM card_repayments WHERE state = 0) + (SELECT count(*) FROM closings WHERE state = 0)
                + (SELECT count(*) FROM goodwill_proposals WHERE state = 0 AND proposed_at > ?1)";
        Ok(self.conn.query_row(read, [Sql(oldest)], |row| col(row, 0))?)
    }
}
