//! What an admin and the metrics look at.

use super::error::StoreError;
use super::model::{FlaggedRow, PurseView, StoreFigures, TrialLine};
use super::tx::Tx;

impl Tx<'_> {
    /// The sums of each kind of account: all debits are all credits.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn trial_balance(&self) -> Result<Vec<TrialLine>, StoreError> {
        unimplemented!()
    }

    /// Numbers for `/metrics`.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn figures(&self) -> Result<StoreFigures, StoreError> {
        unimplemented!()
    }

    /// Rows with an over-right part, and disputed ones, newest first, at most `limit` of each.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn flagged_rows(&self, limit: u32) -> Result<Vec<FlaggedRow>, StoreError> {
        unimplemented!("{limit}")
    }

    /// A household's money, by the household's code; nothing where there is none.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn household_money(&self, code: &str) -> Result<Option<PurseView>, StoreError> {
        unimplemented!("{code}")
    }
}
