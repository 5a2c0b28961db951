//! Settlements: what each shop is owed, closed up to a row of each terminal.

use cabas_protocol::Timestamp;

use super::error::StoreError;
use super::model::{Settlement, SettlementCut};
use super::tx::Tx;

impl Tx<'_> {
    /// The cut that a settlement closed at this moment would have: every row that the hub has.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn settlement_cut(&self) -> Result<SettlementCut, StoreError> {
        unimplemented!()
    }

    /// What closing at the cut would pay; nothing where there is nothing new.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Money`].
    pub fn settlement_preview(&self, cut: &SettlementCut) -> Result<Option<Settlement>, StoreError> {
        unimplemented!("{cut:?}")
    }

    /// Closes a settlement at the cut and books what each shop is owed as under way; nothing where there is nothing
    /// new, so closing twice closes once.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Money`], [`StoreError::Ledger`].
    pub fn settlement_close(&mut self, cut: &SettlementCut, now: Timestamp) -> Result<Option<Settlement>, StoreError> {
        unimplemented!("{cut:?} {now}")
    }

    /// The settlements, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn settlements(&self, limit: u32) -> Result<Vec<Settlement>, StoreError> {
        unimplemented!("{limit}")
    }
}
