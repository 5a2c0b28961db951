//! What the bank took and no payout explains, a fee for one: set aside with a reason, and taken up again in the same way. No
//! money of the ledger moves by it.

use cabas_protocol::Timestamp;
use rusqlite::{OptionalExtension as _, params};

use super::bank_refusal::BankRefusal;
use super::closing::person;
use super::error::StoreError;
use super::fund::name;
use super::sql::{Sql, col};
use super::tx::Tx;
use crate::core::bank_text::BankKeys;

/// The state of an entry that was set aside.
const SET_ASIDE: u8 = 3;

/// That an entry was set aside, or taken up again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SetAside {
    /// True where it was set aside.
    pub is_aside: bool,
    /// Why.
    pub reason: String,
    /// Who said so.
    pub said_by: String,
    /// When.
    pub said_at: Timestamp,
}

impl Tx<'_> {
    /// Sets an open debit entry aside that is no payout, or takes it up again.
    ///
    /// # Errors
    /// [`BankRefusal`]: it came in, it names a payout, it is explained, it was not set aside; [`StoreError::Text`].
    pub fn bank_set_aside(
        &mut self,
        entry: u64,
        is_aside: bool,
        (reason, by): (&str, &str),
        (keys, now): (&dyn BankKeys, Timestamp),
    ) -> Result<(), StoreError> {
        let by = person(by)?;
        let reason = reason.trim();
        name("reason", reason)?;
        let read = "SELECT is_credit, state FROM bank_entries WHERE id = ?1";
        let found = self.conn.query_row(read, [Sql(entry)], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let (is_credit, state): (bool, u8) = found.ok_or(BankRefusal::NoEntry(entry))?;
        let (from, to) = if is_aside { (0, SET_ASIDE) } else { (SET_ASIDE, 0) };
        if state != from {
            return Err(if is_aside { BankRefusal::EntryExplained(entry) } else { BankRefusal::NotAside(entry) }.into());
        }
        if is_credit {
            return Err(BankRefusal::NotADebit(entry).into());
        }
        if is_aside && self.names_a_payout(keys, entry)? {
            return Err(BankRefusal::NamesPayout(entry).into());
        }
        self.conn.execute(
            "INSERT INTO set_asides (entry, is_aside, reason, said_by, said_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![Sql(entry), is_aside, reason, by, Sql(now)],
        )?;
        self.conn.execute("UPDATE bank_entries SET state = ?2 WHERE id = ?1", params![Sql(entry), to])?;
        Ok(())
    }

    /// What was said of an entry, newest first.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn set_asides_of(&self, entry: u64, limit: u32) -> Result<Vec<SetAside>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT is_aside, reason, said_by, said_at FROM set_asides WHERE entry = ?1 ORDER BY id DESC LIMIT ?2",
        )?;
        let said = read.query_map(params![Sql(entry), limit], |row| {
            Ok(SetAside { is_aside: row.get(0)?, reason: row.get(1)?, said_by: row.get(2)?, said_at: col(row, 3)? })
        })?;
        Ok(said.collect::<Result<_, _>>()?)
    }
}
