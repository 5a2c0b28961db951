//! A copy of the whole file, made while the hub works, and read through before it counts.

use std::path::Path;

use cabas_protocol::Timestamp;

use super::db::Db;
use super::error::StoreError;
use super::model::BackupReport;

impl Db {
    /// Writes a copy to a path where no file is, makes it durable, reads it through, and only then marks the rows in it
    /// as backed up.
    ///
    /// # Errors
    /// [`StoreError::BackupExists`], [`StoreError::BadCopy`], [`StoreError::Io`], [`StoreError::Sqlite`].
    pub fn backup(&mut self, path: &Path, now: Timestamp) -> Result<BackupReport, StoreError> {
        unimplemented!("{path:?} {now}")
    }
}
