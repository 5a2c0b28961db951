//! Slices: what of a purse's money is reserved for which terminal.

use cabas_protocol::{Cents, Epoch, PurseRef, SignedBalance, TerminalId, Timestamp};

use super::error::StoreError;
use super::tx::Tx;
pub use crate::core::slices::FREE_SHARE_PERCENT;

/// What one step of an allocation did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct AllocationStep {
    /// Purses looked at.
    pub purses: u32,
    /// Slices raised.
    pub raised: u32,
    /// True where purses remain: call again.
    pub more: bool,
}

impl Tx<'_> {
    /// Raises the slice of a purse at a terminal from the purse's free money until it allows at least the level, or as
    /// far as the money goes; gives the newest balance, or nothing where there is none. Repeated it raises no more.
    ///
    /// # Errors
    /// [`StoreError::UnknownPurse`], [`StoreError::UnknownTerminal`], [`StoreError::UnknownEpoch`],
    /// [`StoreError::NotLive`].
    pub fn extend(
        &mut self,
        terminal: TerminalId,
        epoch: Epoch,
        purse: PurseRef,
        allowed_at_least: Cents,
        now: Timestamp,
    ) -> Result<Option<SignedBalance>, StoreError> {
        unimplemented!("{terminal} {epoch} {purse} {allowed_at_least} {now}")
    }

    /// Does a step of the allocation that an enrolment or an import made necessary. The rest of it is remembered in the
    /// file: a job calls this until [`AllocationStep::more`] is false, at the start and after each enrolment.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Ledger`].
    pub fn allocate_pending(&mut self, now: Timestamp) -> Result<AllocationStep, StoreError> {
        unimplemented!("{now}")
    }
}
