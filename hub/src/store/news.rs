//! What a terminal does not have yet.

use cabas_protocol::{Epoch, TerminalId, Timestamp};

use super::error::StoreError;
use super::model::{News, NewsLimits};
use super::tx::Tx;

impl Tx<'_> {
    /// What changed since the cursor, oldest change first; 0 for all. A cursor that the hub never gave counts as 0.
    /// Balances that grow old are made anew here.
    ///
    /// # Errors
    /// [`StoreError::UnknownTerminal`] or [`StoreError::UnknownEpoch`].
    pub fn news(
        &mut self,
        terminal: TerminalId,
        epoch: Epoch,
        cursor: u64,
        limits: NewsLimits,
        now: Timestamp,
    ) -> Result<News, StoreError> {
        unimplemented!("{terminal} {epoch} {cursor} {limits:?} {now}")
    }

    /// True where [`Tx::news`] would give something: two look-ups.
    ///
    /// # Errors
    /// [`StoreError::UnknownTerminal`] or [`StoreError::UnknownEpoch`].
    pub fn has_news(
        &self,
        terminal: TerminalId,
        epoch: Epoch,
        cursor: u64,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        unimplemented!("{terminal} {epoch} {cursor} {now}")
    }
}
