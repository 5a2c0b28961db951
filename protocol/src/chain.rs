//! The hash chain of a journal: each row names the hash of the row before, so the newest signature vouches for all.

use crate::codec::CodecError;
use crate::ids::{Epoch, FundId, Hash, Seq, TerminalId};
use crate::row::Row;
use crate::sign::{PublicKey, SignError, Signed, Verified, sha256};

/// Domain of the genesis hash.
const GENESIS: &[u8] = b"cabas journal 1";

/// The newest row of a chain: what the next one builds on.
#[derive(Clone, Copy, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(array)]
pub struct ChainHead {
    /// The row's place; 0 before the first.
    #[n(0)]
    pub seq: Seq,
    /// SHA-256 of the row's envelope; the genesis hash before the first.
    #[n(1)]
    pub hash: Hash,
}

/// Whose chain it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChainId {
    /// The fund.
    pub fund: FundId,
    /// The terminal.
    pub terminal: TerminalId,
    /// Its enrolment.
    pub epoch: Epoch,
}

impl ChainId {
    /// What the first row of the chain builds on: a hash of whose chain it is and of the key that signs it.
    #[must_use]
    pub fn genesis(self, key: &PublicKey) -> ChainHead {
        let hash = sha256(&[
            GENESIS,
            &self.fund.get().to_be_bytes(),
            &self.terminal.get().to_be_bytes(),
            &self.epoch.get().to_be_bytes(),
            key.as_bytes(),
        ]);
        ChainHead { seq: Seq::NONE, hash }
    }
}

/// Why rows do not continue a chain.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// A row is not what it should be by itself.
    #[error("row {at} of the batch: {source}")]
    Row {
        /// Its index in the batch.
        at: usize,
        /// What is wrong.
        #[source]
        source: SignError,
    },
    /// A row of another terminal or epoch.
    #[error("row {at} of the batch belongs to terminal {terminal}, epoch {epoch}")]
    Foreign {
        /// Its index in the batch.
        at: usize,
        /// Whose it is.
        terminal: TerminalId,
        /// Of which enrolment.
        epoch: Epoch,
    },
    /// Rows are missing before this one, or it was there before.
    #[error("row {at} of the batch has seq {found}, {expected} comes next")]
    Gap {
        /// Its index in the batch.
        at: usize,
        /// What comes next.
        expected: Seq,
        /// What came.
        found: Seq,
    },
    /// The row builds on another past.
    #[error("row {at} of the batch (seq {seq}) builds on another past")]
    Fork {
        /// Its index in the batch.
        at: usize,
        /// Its seq.
        seq: Seq,
    },
}

/// Checks that `row` is the next one of the chain; its signature is the caller's affair.
///
/// # Errors
/// [`ChainError`], with index `at`.
pub fn check_next(id: ChainId, head: ChainHead, row: &Row, at: usize) -> Result<(), ChainError> {
    if (row.terminal, row.epoch) != (id.terminal, id.epoch) {
        return Err(ChainError::Foreign { at, terminal: row.terminal, epoch: row.epoch });
    }
    match head.seq.next() {
        Some(expected) if expected == row.seq => {}
        expected => return Err(ChainError::Gap { at, expected: expected.unwrap_or(head.seq), found: row.seq }),
    }
    if row.prev == head.hash { Ok(()) } else { Err(ChainError::Fork { at, seq: row.seq }) }
}

/// Checks a batch that continues the chain: every hash, and the signature of the newest row, which vouches for the rest.
///
/// # Errors
/// [`ChainError`] names the first row that does not fit.
pub fn verify_batch(
    id: ChainId,
    key: &PublicKey,
    mut head: ChainHead,
    rows: &[Signed<Row>],
) -> Result<Vec<Verified<Row>>, ChainError> {
    let mut verified = Vec::with_capacity(rows.len());
    let newest = rows.len().checked_sub(1);
    for (at, signed) in rows.iter().enumerate() {
        let fail = |source| ChainError::Row { at, source };
        let kid = signed.kid().map_err(fail)?;
        if kid != key.id() {
            return Err(fail(SignError::UnknownKey(kid)));
        }
        let row = if newest == Some(at) { signed.verify(key, id.fund) } else { signed.read_trusted(id.fund) };
        let row = row.map_err(fail)?;
        check_next(id, head, row.payload(), at)?;
        head = ChainHead { seq: row.payload().seq, hash: row.hash() };
        verified.push(row);
    }
    Ok(verified)
}

impl From<CodecError> for ChainError {
    fn from(error: CodecError) -> Self {
        Self::Row { at: 0, source: error.into() }
    }
}
