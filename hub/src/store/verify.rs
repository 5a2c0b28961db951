//! Recomputes everything from what was signed, and says what is wrong.

use super::db::Db;
use super::error::StoreError;

/// Findings that are kept; what comes after them is only counted.
pub const FINDINGS_MAX: usize = 1_000;

/// Something that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// Where: an account, a row, a settlement, by number.
    pub subject: String,
    /// What was expected, and what is there.
    pub detail: String,
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum FindingKind {
    /// The file itself.
    File,
}

/// What a verification read and found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct VerifyReport {
    /// Rows read, each with its own signature checked.
    pub rows: u64,
    /// Transfers read.
    pub transfers: u64,
    /// Accounts recomputed.
    pub accounts: u64,
    /// What is wrong, at most [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// How many findings there were in all.
    pub found: u64,
}

impl Db {
    /// Reads everything and recomputes it: the ledger, every chain, every signature, every claimed interval, every
    /// settlement.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`] where the file cannot be read at all.
    pub fn verify(&mut self) -> Result<VerifyReport, StoreError> {
        unimplemented!()
    }
}
