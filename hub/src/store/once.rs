//! What is done once, however often it is sent: a button pressed twice, a program that asks again after a lost answer.

use cabas_protocol::{Hash, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::error::StoreError;
use super::sql::Sql;
use super::tx::Tx;

/// How long an answer is kept for who asks again.
pub const ONCE_KEPT_S: u64 = 30 * 86_400;

impl Tx<'_> {
    /// What was answered under this key, if it was done.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn done_before(&self, key: Hash) -> Result<Option<String>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT given FROM once WHERE key = ?1")?;
        Ok(read.query_row([Sql(key)], |row| row.get(0)).optional()?)
    }

    /// Keeps the answer, with the work or not at all.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn done_once(&mut self, key: Hash, given: &str, now: Timestamp) -> Result<(), StoreError> {
        let oldest = Timestamp::new(now.get().saturating_sub(ONCE_KEPT_S));
        self.conn.execute("DELETE FROM once WHERE at < ?1", [Sql(oldest)])?;
        self.conn
            .execute("INSERT INTO once (key, at, given) VALUES (?1, ?2, ?3)", params![Sql(key), Sql(now), given])?;
        Ok(())
    }
}
