//! Rows come in: each authentic one is kept, and settled as far as it has a right.

use cabas_protocol::Timestamp;

use super::error::StoreError;
use super::model::IngestOutcome;
use super::tx::Tx;
use crate::core::ingest::Upload;

impl Tx<'_> {
    /// Takes an upload: known rows are compared, rows that fit the chain are booked, all others are kept as disputed.
    /// The same upload again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::UnknownTerminal`], [`StoreError::UnknownEpoch`], or the store's own failures: no row is refused.
    pub fn ingest(&mut self, upload: &Upload, now: Timestamp) -> Result<IngestOutcome, StoreError> {
        unimplemented!("{upload:?} {now}")
    }
}
