//! The books: accounts and transfers in the file.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::StoreError;
use super::sql::{Sql, col};
use super::tx::Tx;
use crate::core::ledger::{self, Account, AccountId, Entry, LedgerError};

/// The books while one piece of work writes in them: accounts are read once, and written back once at the end.
pub(super) struct Books<'c> {
    conn: &'c Connection,
    accounts: BTreeMap<AccountId, Account>,
    read: BTreeMap<AccountId, Account>,
    newest: u64,
}

impl Tx<'_> {
    /// Writes in the books. Where the work fails, the caller's transaction takes back what was written.
    pub(super) fn with_books<R>(
        &self,
        work: impl FnOnce(&mut Books<'_>) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let newest = newest_transfer(self.conn)?;
        let mut books = Books { conn: self.conn, accounts: BTreeMap::new(), read: BTreeMap::new(), newest };
        let result = work(&mut books)?;
        books.write_back()?;
        Ok(result)
    }

    /// An account as it stands.
    pub(super) fn account(&self, id: AccountId) -> Result<Account, StoreError> {
        read_account(self.conn, id)
    }
}

impl Books<'_> {
    /// An account as it stands, what this work booked included.
    pub(super) fn account(&mut self, id: AccountId) -> Result<Account, StoreError> {
        if let Some(account) = self.accounts.get(&id) {
            return Ok(*account);
        }
        let account = read_account(self.conn, id)?;
        self.accounts.insert(id, account);
        self.read.insert(id, account);
        Ok(account)
    }

    /// Books one movement and gives its number.
    pub(super) fn post(&mut self, entry: Entry) -> Result<u64, StoreError> {
        self.account(entry.debit)?;
        self.account(entry.credit)?;
        let id = self.newest.checked_add(1).ok_or(LedgerError::Exhausted)?;
        let transfer = ledger::post(&mut self.accounts, id, entry)?;
        let mut insert = self.conn.prepare_cached(
            "INSERT INTO transfers (id, debit, credit, cents, kind, cause, debit_prev, credit_prev)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        insert.execute(params![
            Sql(id),
            Sql(transfer.debit),
            Sql(transfer.credit),
            Sql(transfer.cents),
            transfer.kind.number(),
            Sql(transfer.cause),
            Sql(transfer.debit_prev),
            Sql(transfer.credit_prev),
        ])?;
        self.newest = id;
        Ok(id)
    }

    fn write_back(&self) -> Result<(), StoreError> {
        let mut write = self.conn.prepare_cached(
            "INSERT INTO accounts (id, debits, credits, newest) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (id) DO UPDATE SET debits = ?2, credits = ?3, newest = ?4",
        )?;
        for (id, account) in &self.accounts {
            if self.read.get(id) != Some(account) {
                write.execute(params![Sql(*id), Sql(account.debits), Sql(account.credits), Sql(account.newest)])?;
            }
        }
        Ok(())
    }
}

/// The number of the newest transfer; 0 before the first.
pub(super) fn newest_transfer(conn: &Connection) -> Result<u64, StoreError> {
    let mut newest = conn.prepare_cached("SELECT ifnull(max(id), 0) FROM transfers")?;
    Ok(newest.query_row([], |row| col(row, 0))?)
}

fn read_account(conn: &Connection, id: AccountId) -> Result<Account, StoreError> {
    let mut read = conn.prepare_cached("SELECT debits, credits, newest FROM accounts WHERE id = ?1")?;
    let account = read
        .query_row([Sql(id)], |row| Ok(Account { debits: col(row, 0)?, credits: col(row, 1)?, newest: col(row, 2)? }))
        .optional()?;
    Ok(account.unwrap_or_default())
}
