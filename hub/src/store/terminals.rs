//! Terminals and how their enrolments stand.

use cabas_protocol::{Epoch, TerminalId, Timestamp};

use super::error::StoreError;
use super::model::{Contact, TerminalKey, TerminalView};
use super::tx::Tx;

impl Tx<'_> {
    /// The key that signs a terminal's requests in an epoch, and how it stands.
    ///
    /// # Errors
    /// [`StoreError::UnknownTerminal`] or [`StoreError::UnknownEpoch`].
    pub fn terminal_key(&self, terminal: TerminalId, epoch: Epoch) -> Result<TerminalKey, StoreError> {
        unimplemented!("{terminal} {epoch}")
    }

    /// Takes a terminal's right to sell: its open epochs are revoked, its codes void. Its rows are still taken.
    /// Says how many epochs that were.
    ///
    /// # Errors
    /// [`StoreError::UnknownTerminal`].
    pub fn terminal_revoke(&mut self, terminal: TerminalId, now: Timestamp) -> Result<u32, StoreError> {
        unimplemented!("{terminal} {now}")
    }

    /// Every terminal, by number.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn terminals(&self) -> Result<Vec<TerminalView>, StoreError> {
        unimplemented!()
    }

    /// Notes that a terminal called. Written at most once a minute, unless something about it changed.
    ///
    /// # Errors
    /// [`StoreError::UnknownTerminal`] or [`StoreError::UnknownEpoch`].
    pub fn contact(&mut self, contact: &Contact, now: Timestamp) -> Result<(), StoreError> {
        unimplemented!("{contact:?} {now}")
    }
}
