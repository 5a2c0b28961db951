//! A file that was uploaded: sealed while it waits, opened to look at it and to import it.

use cabas_protocol::sign::sha256;
use cabas_protocol::{Hash, PurseRef, Timestamp};

use super::{FileRead, Input, Problems, read_sealing};
use crate::keys::{HubSecrets, KeyError, random};
use crate::store::{ImportPlan, ImportReport, StoreError, Tx};

/// The purpose under which uploads are sealed.
const PURPOSE: &[u8] = b"cabas upload 1";
/// What a file is called where somebody is told of it: its own name may be a person's.
const NAME: &str = "file";

/// A file without a bad line.
#[derive(Debug)]
pub struct Ready {
    /// What it says.
    pub plan: ImportPlan,
    /// What it holds.
    pub file: FileRead,
    /// Its hash.
    hash: Hash,
}

/// Seals a file.
///
/// # Errors
/// [`KeyError::NoRandom`].
pub fn seal(secrets: &HubSecrets, bytes: &[u8]) -> Result<Vec<u8>, KeyError> {
    secrets.seal(PURPOSE, &[], bytes)
}

impl Ready {
    /// Reads a file.
    ///
    /// # Errors
    /// Every line that is not good.
    pub fn read(secrets: &HubSecrets, bytes: &[u8]) -> Result<Self, Problems> {
        let hash = sha256(&[bytes]);
        let inputs = [Input { name: NAME.to_owned(), bytes: bytes.to_vec() }];
        let seal = |code: &str, name: &str| secrets.seal_name(code, name);
        let (plan, files) = read_sealing(&inputs, &secrets.card_key, &seal)?;
        let file = files.into_iter().next().ok_or_else(Problems::default)?;
        Ok(Self { plan, file, hash })
    }

    /// Opens a file that was read before it was sealed.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where other keys sealed it.
    pub fn open(secrets: &HubSecrets, sealed: &[u8]) -> Result<Self, StoreError> {
        let damaged = || StoreError::Damaged("an uploaded file was sealed by other keys");
        let bytes = secrets.open(PURPOSE, &[], sealed).ok_or_else(damaged)?;
        Self::read(secrets, &bytes).map_err(|_: Problems| damaged())
    }

    /// Imports it, or says what that would do.
    ///
    /// # Errors
    /// As [`Tx::import`]; [`StoreError::Exhausted`] where the system gives no random bytes.
    pub fn import(&self, tx: &mut Tx<'_>, dry_run: bool, now: Timestamp) -> Result<ImportReport, StoreError> {
        let mut failed = false;
        let mut purse = || match random() {
            Ok(bytes) => PurseRef::new(*bytes),
            Err(_) => {
                failed = true;
                PurseRef::new([0; PurseRef::LEN])
            }
        };
        let report = tx.import(&self.plan, &mut purse, dry_run, now)?;
        if failed { Err(StoreError::Exhausted("random purse reference")) } else { Ok(report) }
    }

    /// Which line of the file each conflict is about.
    pub fn conflict_lines(&self, report: &ImportReport) -> Vec<u64> {
        let line = |place: &usize| self.file.lines.get(*place).copied().unwrap_or_default();
        report.conflict_places.iter().map(line).collect()
    }
}

/// What is confirmed: this file, with just this outcome.
#[must_use]
pub fn fingerprint(ready: &Ready, report: &ImportReport) -> String {
    let changes = report.changes_hash.unwrap_or(Hash::new([0; Hash::LEN]));
    let counts = [report.households, report.cards, report.shops, report.members];
    let counts: Vec<u8> =
        counts.iter().flat_map(|count| [count.added, count.changed, count.same]).flat_map(u32::to_be_bytes).collect();
    sha256(&[b"cabas import 2", ready.hash.as_bytes(), changes.as_bytes(), &counts]).to_string()
}
