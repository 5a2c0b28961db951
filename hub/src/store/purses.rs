//! Purses by their references and their households. A household's first purse is the shared one: its plain and identity
//! cards use it, credits come into it, and what it owes is owed by it. Each purse card has a purse of its own besides.

use cabas_protocol::PurseRef;
use rusqlite::OptionalExtension as _;

use super::error::StoreError;
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;
use crate::core::ledger::PurseNo;

impl Tx<'_> {
    pub(super) fn purse_no(&self, purse: PurseRef) -> Result<Option<PurseNo>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT number FROM purses WHERE ref = ?1")?;
        Ok(read.query_row([Sql(purse)], |row| col(row, 0)).optional()?)
    }

    /// The shared purse of the household that a purse belongs to.
    pub(super) fn shared_purse(&self, purse: PurseNo) -> Result<PurseNo, StoreError> {
        self.find_shared_purse(purse)?.ok_or(StoreError::Damaged("a purse without a household"))
    }

    /// The same where the purse may not be there.
    pub(super) fn find_shared_purse(&self, purse: PurseNo) -> Result<Option<PurseNo>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT min(number) FROM purses WHERE household = (SELECT household FROM purses WHERE number = ?1)",
        )?;
        Ok(read.query_row([Sql(purse)], |row| col_opt(row, 0))?)
    }

    /// Every purse of the household that a purse belongs to.
    pub(super) fn purses_beside(&self, purse: PurseNo) -> Result<Vec<PurseRef>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT ref FROM purses WHERE household = (SELECT household FROM purses WHERE number = ?1) ORDER BY number",
        )?;
        Ok(read.query_map([Sql(purse)], |row| col(row, 0))?.collect::<Result<_, _>>()?)
    }
}
