//! A copy of the whole file, made while the hub works, and read through before it counts.

use std::fs::File;
use std::path::{Path, PathBuf};

use cabas_protocol::Timestamp;
use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags, params};

use super::db::{Db, create_private};
use super::error::StoreError;
use super::ledger::newest_transfer;
use super::model::BackupReport;
use super::sql::{Sql, col};
use crate::core::ledger::EpochNo;

/// What the file is called until it is complete.
const UNFINISHED: &str = "unfinished";

impl Db {
    /// Writes a copy to a path where no file is, makes it durable, reads it through, and only then marks the rows in it
    /// as backed up. An unfinished copy has another name, and is removed where the backup fails.
    ///
    /// # Errors
    /// [`StoreError::BackupExists`], [`StoreError::BadCopy`], [`StoreError::Io`], [`StoreError::Sqlite`].
    pub fn backup(&mut self, path: &Path, now: Timestamp) -> Result<BackupReport, StoreError> {
        if path.exists() {
            return Err(StoreError::BackupExists);
        }
        let unfinished = beside(path, UNFINISHED);
        let marks = match self.copy(&unfinished) {
            Ok(marks) => marks,
            Err(error) => {
                // What went wrong first is what the admin must hear; the name alone says that the copy is not complete.
                drop(std::fs::remove_file(&unfinished));
                return Err(error);
            }
        };
        std::fs::rename(&unfinished, path)?;
        sync_folder(path)?;
        let bytes = std::fs::metadata(path)?.len();
        let epochs_marked = self.mark(&marks, now)?;
        Ok(BackupReport { bytes, epochs_marked })
    }

    /// Copies the file in one step: the copy is of one moment, and in WAL mode nobody waits for it.
    pub(super) fn copy(&self, to: &Path) -> Result<Marks, StoreError> {
        // A file left over from a backup that was cut off holds nothing that is needed.
        if to.exists() {
            std::fs::remove_file(to)?;
        }
        create_private(to)?;
        let mut copy = Connection::open(to)?;
        Backup::new(&self.conn, &mut copy)?.step(-1)?;
        // One file is the whole backup: without this a log would lie beside it.
        copy.query_row("PRAGMA journal_mode = delete", [], |_| Ok(()))?;
        drop(copy);
        File::open(to)?.sync_all()?;
        read_through(to)
    }

    fn mark(&mut self, marks: &Marks, now: Timestamp) -> Result<u64, StoreError> {
        self.write(|tx| {
            let mut marked = 0_u64;
            for (epoch, acked) in &marks.acked {
                let raised = tx
                    .conn
                    .prepare_cached("UPDATE epochs SET backed_up_seq = ?2 WHERE number = ?1 AND backed_up_seq < ?2")?
                    .execute(params![Sql(*epoch), Sql(*acked)])?;
                marked = marked.saturating_add(u64::try_from(raised).unwrap_or(0));
            }
            tx.conn.execute(
                "INSERT INTO backups (made_at, newest_change, transfers) VALUES (?1, ?2, ?3)",
                params![Sql(now), Sql(marks.change), Sql(marks.transfers)],
            )?;
            Ok(marked)
        })
    }
}

/// What a copy holds.
pub(super) struct Marks {
    acked: Vec<(EpochNo, u64)>,
    change: u64,
    transfers: u64,
}

/// Opens the finished copy anew and reads every page of it.
fn read_through(copy: &Path) -> Result<Marks, StoreError> {
    let conn = Connection::open_with_flags(copy, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let verdict: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(StoreError::BadCopy(verdict));
    }
    let mut read = conn.prepare("SELECT number, acked_seq FROM epochs WHERE acked_seq > 0")?;
    let acked = read.query_map([], |row| Ok((col(row, 0)?, col(row, 1)?)))?.collect::<Result<_, _>>()?;
    let change = conn.query_row("SELECT ifnull(max(change), 0) FROM fund", [], |row| col(row, 0))?;
    Ok(Marks { acked, change, transfers: newest_transfer(&conn)? })
}

/// The same name with something behind it.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

/// Makes the new name durable.
pub(super) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    Ok(File::open(folder)?.sync_all()?)
}
