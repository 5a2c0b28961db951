//! From the bytes of a sync request to rows that are known to be the terminal's own.

use cabas_protocol::chain::{ChainId, verify_batch};
use cabas_protocol::row::Row;
use cabas_protocol::sign::{SignError, Signed, Verified};
use cabas_protocol::sync::SyncRequest;
use cabas_protocol::{ChainHead, Hash, Incarnation, PublicKey, Seq};
use minicbor::bytes::ByteVec;

/// Rows of one terminal's epoch, each known to be authentic. Only [`prepare`] makes one.
#[derive(Clone, Debug)]
pub struct Upload {
    chain: ChainId,
    incarnation: Incarnation,
    base: ChainHead,
    rows: Vec<UploadRow>,
    not_authentic: usize,
}

/// One authentic row and the bytes it came in.
#[derive(Clone, Debug)]
pub struct UploadRow {
    row: Row,
    hash: Hash,
    envelope: Vec<u8>,
}

/// Why a whole upload is refused: the sender's fault, and nothing of it is authentic.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// Not one row is the terminal's own.
    #[error("no row of the upload is authentic; the first: {0}")]
    NothingAuthentic(#[source] SignError),
}

impl Upload {
    /// Whose rows they are.
    #[must_use]
    pub const fn chain(&self) -> ChainId {
        self.chain
    }

    /// The life of the hub that the terminal knows.
    #[must_use]
    pub const fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// What the terminal believes to be acknowledged.
    #[must_use]
    pub const fn base(&self) -> ChainHead {
        self.base
    }

    /// The rows, in the order in which they came.
    #[must_use]
    pub fn rows(&self) -> &[UploadRow] {
        &self.rows
    }

    /// Rows that came and are not the terminal's own: kept nowhere, counted as an alarm.
    #[must_use]
    pub const fn not_authentic(&self) -> usize {
        self.not_authentic
    }
}

impl UploadRow {
    /// The row.
    #[must_use]
    pub const fn row(&self) -> &Row {
        &self.row
    }

    /// Its place.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        self.row.seq
    }

    /// SHA-256 of its envelope.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        self.hash
    }

    /// The bytes, signature included.
    #[must_use]
    pub fn envelope(&self) -> &[u8] {
        &self.envelope
    }
}

/// Checks the rows of a request, whose own signature was checked before.
///
/// Where they continue the chain from the request's base, the newest signature vouches for all. Where they do not, each
/// row's own signature is checked: what is authentic is taken, for the ledger to fit in or to keep as disputed.
///
/// # Errors
/// [`PrepareError`] where rows came and not one is authentic.
pub fn prepare(
    chain: ChainId,
    key: &PublicKey,
    incarnation: Incarnation,
    request: SyncRequest,
) -> Result<Upload, PrepareError> {
    let base = request.base;
    let (signed, first_error) = of_bytes(request.rows);
    let upload = |rows, not_authentic| Upload { chain, incarnation, base, rows, not_authentic };
    // Where a row is not even of the right length the chain is broken there.
    let first_error = match first_error {
        None => match verify_batch(chain, key, base, &signed.rows) {
            Ok(verified) => return Ok(upload(verified.into_iter().zip(signed.rows).map(of_verified).collect(), 0)),
            Err(_) => None,
        },
        Some(error) => Some(error),
    };
    let (rows, refused) = one_by_one(chain, key, signed.rows);
    match first_error.or(refused) {
        Some(error) if rows.is_empty() => Err(PrepareError::NothingAuthentic(error)),
        Some(_) | None => {
            let not_authentic = signed.came.saturating_sub(rows.len());
            Ok(upload(rows, not_authentic))
        }
    }
}

/// Checks the rows of a journal's second copy, each by its own signature: nobody signed a request for them. `base` is what
/// the ledger has, so that a copy never says of a terminal what that did not say itself.
#[must_use]
pub fn of_second_copy(
    (chain, incarnation): (ChainId, Incarnation),
    key: &PublicKey,
    base: ChainHead,
    rows: Vec<Vec<u8>>,
) -> Upload {
    let (signed, _) = of_bytes(rows.into_iter().map(ByteVec::from).collect());
    let came = signed.came;
    let (rows, _) = one_by_one(chain, key, signed.rows);
    let not_authentic = came.saturating_sub(rows.len());
    Upload { chain, incarnation, base, rows, not_authentic }
}

/// The rows of a request that have the length of a row.
struct OfLength {
    rows: Vec<Signed<Row>>,
    came: usize,
}

fn of_bytes(rows: Vec<ByteVec>) -> (OfLength, Option<SignError>) {
    let came = rows.len();
    let mut first_error = None;
    let mut signed = Vec::with_capacity(came);
    for bytes in rows {
        match Signed::from_bytes(bytes.into()) {
            Ok(row) => signed.push(row),
            Err(error) => drop(first_error.get_or_insert(SignError::from(error))),
        }
    }
    (OfLength { rows: signed, came }, first_error)
}

fn of_verified((verified, signed): (Verified<Row>, Signed<Row>)) -> UploadRow {
    let hash = verified.hash();
    UploadRow { row: verified.into_payload(), hash, envelope: signed.into_bytes() }
}

fn one_by_one(chain: ChainId, key: &PublicKey, signed: Vec<Signed<Row>>) -> (Vec<UploadRow>, Option<SignError>) {
    let mut rows = Vec::with_capacity(signed.len());
    let mut first_error = None;
    for signed in signed {
        match signed.verify(key, chain.fund) {
            Ok(verified)
                if (verified.payload().terminal, verified.payload().epoch) == (chain.terminal, chain.epoch) =>
            {
                rows.push(of_verified((verified, signed)));
            }
            Ok(_) => drop(first_error.get_or_insert(SignError::BadSignature)),
            Err(error) => drop(first_error.get_or_insert(error)),
        }
    }
    (rows, first_error)
}

#[cfg(test)]
#[path = "ingest_tests.rs"]
mod tests;
