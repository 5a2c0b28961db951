//! Alerts that are open, and the messages about them until they are delivered.

use cabas_protocol::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};

use super::error::StoreError;
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;
use crate::core::alerts::{Alerts, Key, Line, Open, step};
use crate::core::checks::Check;

/// Messages that are kept; of more that nobody can be told the oldest go.
pub const ALERT_MESSAGES_MAX: u32 = 500;
/// How long a message is kept that was delivered.
pub const ALERT_MESSAGE_KEPT_S: u64 = 30 * 86_400;
/// Deliveries that are tried at once.
pub const ALERT_DELIVERIES_MAX: u32 = 16;
/// The first pause after a delivery that failed; each next one is twice as long.
pub const ALERT_RETRY_S: u64 = 60;
/// The longest pause.
pub const ALERT_RETRY_S_MAX: u64 = 3600;

/// How a message goes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Way {
    /// By mail.
    Mail,
    /// To a program.
    Webhook,
}

impl Way {
    /// Every way.
    pub const ALL: [Self; 2] = [Self::Mail, Self::Webhook];

    /// Its word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Webhook => "webhook",
        }
    }

    const fn number(self) -> u8 {
        match self {
            Self::Mail => 1,
            Self::Webhook => 2,
        }
    }
}

/// A message that is to go one way.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Delivery {
    /// The message's number: the same however often it is tried.
    pub message: u64,
    /// When it was made.
    pub made_at: Timestamp,
    /// The way.
    pub way: Way,
    /// How often it was tried.
    pub tries: u32,
    /// What it tells.
    pub lines: Vec<Line>,
}

impl Tx<'_> {
    /// What is open.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn alerts_open(&self) -> Result<Alerts, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT code, terminal, is_wrong, says, value, began_at, told_at, reminded_at, fine_since FROM alerts",
        )?;
        Ok(read.query_map([], open)?.collect::<Result<_, _>>()?)
    }

    /// Takes a look: what is open from here on, and the message about it, which is to go every way, in one transaction.
    /// Says whether there is one.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn alerts_look(&mut self, checks: &[Check], ways: &[Way], now: Timestamp) -> Result<bool, StoreError> {
        let before = self.alerts_open()?;
        let step = step(&before, checks, now);
        if step.open != before {
            self.conn.execute("DELETE FROM alerts", [])?;
            for (key, alert) in &step.open {
                self.alert_keep(key, alert)?;
            }
        }
        self.alerts_forget(ways, now)?;
        if step.lines.is_empty() || ways.is_empty() {
            return Ok(false);
        }
        let lines = serde_json::to_string(&step.lines).map_err(|_| StoreError::Damaged("an alert has no form"))?;
        let add = "INSERT INTO alert_messages (made_at, lines) VALUES (?1, ?2) RETURNING number";
        let number: u64 = self.conn.query_row(add, params![Sql(now), lines], |row| col(row, 0))?;
        for way in ways {
            let add = "INSERT INTO alert_deliveries (message, way, next_at) VALUES (?1, ?2, ?3)";
            self.conn.execute(add, params![Sql(number), way.number(), Sql(now)])?;
        }
        Ok(true)
    }

    fn alert_keep(&self, key: &Key, alert: &Open) -> Result<(), StoreError> {
        let mut keep = self.conn.prepare_cached("INSERT INTO alerts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
        keep.execute(params![
            key.code,
            key.terminal,
            alert.is_wrong,
            alert.says,
            alert.value.map(Sql),
            Sql(alert.began_at),
            Sql(alert.told_at),
            alert.reminded_at.map(Sql),
            alert.fine_since.map(Sql)
        ])?;
        Ok(())
    }

    /// Ways that are no more are not waited for; what was delivered long ago goes, and what is too much.
    fn alerts_forget(&self, ways: &[Way], now: Timestamp) -> Result<(), StoreError> {
        for way in Way::ALL.into_iter().filter(|way| !ways.contains(way)) {
            let end = "DELETE FROM alert_deliveries WHERE way = ?1 AND delivered_at IS NULL";
            self.conn.execute(end, [way.number()])?;
        }
        let old = now.get().saturating_sub(ALERT_MESSAGE_KEPT_S);
        self.conn.execute(
            "DELETE FROM alert_messages WHERE made_at < ?1 AND NOT EXISTS
                (SELECT 1 FROM alert_deliveries WHERE message = number AND delivered_at IS NULL)",
            [Sql(old)],
        )?;
        let too_many = self.conn.execute(
            "DELETE FROM alert_messages WHERE number NOT IN
                (SELECT number FROM alert_messages ORDER BY number DESC LIMIT ?1)",
            [ALERT_MESSAGES_MAX],
        )?;
        if too_many > 0 {
            tracing::error!(
                messages.count = too_many,
                "alerts could not be delivered for very long: the oldest are dropped"
            );
        }
        Ok(())
    }

    /// What is to be tried now: what was tried least first, so that a way that takes nothing starves nobody. What was put off
    /// further than the longest pause was put off by a clock that ran ahead, and is tried.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Damaged`].
    pub fn alerts_due(&self, now: Timestamp) -> Result<Vec<Delivery>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT number, made_at, way, tries, lines FROM alert_deliveries JOIN alert_messages ON number = message
             WHERE delivered_at IS NULL AND (next_at <= ?1 OR next_at > ?2) ORDER BY tries, number, way LIMIT ?3",
        )?;
        let latest = now.after_s(ALERT_RETRY_S_MAX);
        let mut rows = read.query(params![Sql(now), Sql(latest), ALERT_DELIVERIES_MAX])?;
        let mut due = Vec::new();
        while let Some(row) = rows.next()? {
            let (way, lines): (u8, String) = (row.get(2)?, row.get(4)?);
            let way = Way::ALL.into_iter().find(|known| known.number() == way);
            due.push(Delivery {
                message: col(row, 0)?,
                made_at: col(row, 1)?,
                way: way.ok_or(StoreError::Damaged("an alert goes a way that is not known"))?,
                tries: row.get(3)?,
                lines: serde_json::from_str(&lines).map_err(|_| StoreError::Damaged("an alert cannot be read"))?,
            });
        }
        Ok(due)
    }

    /// It was delivered.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn alert_delivered(&mut self, message: u64, way: Way, now: Timestamp) -> Result<(), StoreError> {
        let set = "UPDATE alert_deliveries SET delivered_at = ?3, tries = tries + 1 WHERE message = ?1 AND way = ?2";
        self.conn.execute(set, params![Sql(message), way.number(), Sql(now)])?;
        Ok(())
    }

    /// It was not, or nobody knows; it is tried again.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn alert_failed(&mut self, delivery: &Delivery, now: Timestamp) -> Result<(), StoreError> {
        let pause = 1_u64.checked_shl(delivery.tries).unwrap_or(u64::MAX).saturating_mul(ALERT_RETRY_S);
        let next_at = now.after_s(pause.min(ALERT_RETRY_S_MAX));
        let set = "UPDATE alert_deliveries SET next_at = ?3, tries = tries + 1 WHERE message = ?1 AND way = ?2";
        self.conn.execute(set, params![Sql(delivery.message), delivery.way.number(), Sql(next_at)])?;
        Ok(())
    }

    /// When the oldest message was made that waits to be delivered.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn alerts_undelivered_since(&self) -> Result<Option<Timestamp>, StoreError> {
        let read = "SELECT min(made_at) FROM alert_messages JOIN alert_deliveries ON message = number
             WHERE delivered_at IS NULL";
        Ok(self.conn.prepare_cached(read)?.query_row([], |row| col_opt(row, 0))?)
    }

    /// The age of the hot list past which terminals refuse plain cards, by the policy that holds.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn plain_list_age_s_max(&self) -> Result<u64, StoreError> {
        let read = "SELECT plain_list_age_s_max FROM policies ORDER BY id DESC LIMIT 1";
        Ok(self.conn.prepare_cached(read)?.query_row([], |row| col(row, 0)).optional()?.unwrap_or(u64::MAX))
    }

    /// How many things were wrong when the books were last recomputed on the site; none where they never were.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn verification_found(&self) -> Result<Option<u64>, StoreError> {
        let read = "SELECT json_extract(result, '$.found') FROM works
             WHERE json_extract(job, '$.kind') = 'verify' AND state = 1 ORDER BY number DESC LIMIT 1";
        Ok(self.conn.prepare_cached(read)?.query_row([], |row| col_opt(row, 0)).optional()?.flatten())
    }

    /// When the newest run of credits ended; none where there was none.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn credited_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let read = "SELECT max(ended_at) FROM credit_runs WHERE state = 1";
        Ok(self.conn.prepare_cached(read)?.query_row([], |row| col_opt(row, 0))?)
    }

    /// When a settlement was last closed; none where none was.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn settled_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let read = "SELECT max(closed_at) FROM settlements";
        Ok(self.conn.prepare_cached(read)?.query_row([], |row| col_opt(row, 0))?)
    }
}

fn open(row: &Row<'_>) -> rusqlite::Result<(Key, Open)> {
    let key = Key { code: row.get(0)?, terminal: row.get(1)? };
    let alert = Open {
        is_wrong: row.get(2)?,
        says: row.get(3)?,
        value: col_opt(row, 4)?,
        began_at: col(row, 5)?,
        told_at: col(row, 6)?,
        reminded_at: col_opt(row, 7)?,
        fine_since: col_opt(row, 8)?,
    };
    Ok((key, alert))
}
