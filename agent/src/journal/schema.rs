//! The file: opened with settings that are read back, and brought to the newest form.

use super::error::JournalError;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use std::path::Path;
use std::time::Duration;

/// Each brings the file from the form before to its own; none is ever edited.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_journal.sql"),
    include_str!("../../migrations/0002_undoing.sql"),
    include_str!("../../migrations/0003_refund_decisions.sql"),
    include_str!("../../migrations/0004_purse_cards.sql"),
    include_str!("../../migrations/0005_identity_cards.sql"),
    include_str!("../../migrations/0006_closings.sql"),
    include_str!("../../migrations/0007_counter.sql"),
    include_str!("../../migrations/0008_till.sql"),
    include_str!("../../migrations/0009_void_words.sql"),
];
/// The form that this program writes.
pub const FORM: u32 = 9;
/// "CABA": the file is one of ours.
const APPLICATION_ID: u32 = 0x4341_4241;
/// How long a reader in another process (`journal verify`) may hold up a write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a start waits for such a reader to empty the log.
const READERS_WAIT: Duration = Duration::from_millis(200);
/// Pages of the write-ahead log after which SQLite itself carries them over. The journal's thread does it earlier, when
/// nobody waits.
const CHECKPOINT_PAGES: u32 = 10_000;

/// Opens the file for writing, in the newest form. Makes it where `create` is true.
pub(super) fn open(path: &Path, create: bool) -> Result<Connection, JournalError> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if create {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    } else if !path.exists() {
        return Err(JournalError::NotEnrolled(path.to_owned()));
    }
    let mut db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    check_form(&db, path)?;
    set(&db, "journal_mode", "wal", "wal")?;
    set(&db, "synchronous", "FULL", "2")?;
    set(&db, "foreign_keys", "ON", "1")?;
    set(&db, "trusted_schema", "OFF", "0")?;
    set(&db, "wal_autocheckpoint", &CHECKPOINT_PAGES.to_string(), &CHECKPOINT_PAGES.to_string())?;
    set(&db, "cache_size", "-1024", "-1024")?;
    empty_log(&db)?;
    migrate(&mut db, path)?;
    db.set_prepared_statement_cache_capacity(32);
    Ok(db)
}

/// A log that was cut off is carried over and emptied, so that no torn end stands in a log that goes on, before anything is
/// written. To begin it anew is not enough: where its first commit was torn, SQLite takes the same salts again.
fn empty_log(db: &Connection) -> Result<(), JournalError> {
    db.busy_timeout(READERS_WAIT)?;
    match super::checkpoint(db, "TRUNCATE") {
        Ok(true) => {}
        Ok(false) => tracing::warn!("somebody reads the journal: its log is not emptied before the next start"),
        Err(error) => tracing::warn!(%error, "the log cannot be carried over yet"),
    }
    Ok(db.busy_timeout(BUSY_TIMEOUT)?)
}

/// Opens a file for reading only: a running agent's, or a copy.
pub(super) fn open_read_only(path: &Path) -> Result<Connection, JournalError> {
    if !path.exists() {
        return Err(JournalError::NotEnrolled(path.to_owned()));
    }
    let wal = path.with_file_name(format!("{}-wal", path.file_name().unwrap_or_default().to_string_lossy()));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let text = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    // A copy without a log may lie where nothing can be written, not even the file that readers share.
    let uri = if wal.exists() { format!("file:{text}") } else { format!("file:{text}?immutable=1") };
    let db = Connection::open_with_flags(uri, flags)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    let form = check_form(&db, path)?;
    if form == 0 { Err(JournalError::NotAJournal(path.to_owned())) } else { Ok(db) }
}

/// What `user_version` says, where it and the file are ours.
fn check_form(db: &Connection, path: &Path) -> Result<u32, JournalError> {
    let found: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let id: u32 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: u32 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if id != APPLICATION_ID && (id != 0 || found != 0 || tables != 0) {
        return Err(JournalError::NotAJournal(path.to_owned()));
    }
    let known = FORM;
    if found > known && opens_from(db, found)?.is_none_or(|oldest| oldest > known) {
        return Err(JournalError::Newer { path: path.to_owned(), found, known });
    }
    Ok(found)
}

/// The oldest form whose programs can use a file of this newer one: a migration that only adds what they may leave alone says
/// so of its own form, in a table for it; one that says nothing shuts them out. A release by which a terminal upgrades itself
/// can be undone only so.
fn opens_from(db: &Connection, form: u32) -> Result<Option<u32>, JournalError> {
    if !db.table_exists(None, "opens_from")? {
        return Ok(None);
    }
    let select = "SELECT oldest FROM opens_from WHERE form = ?1";
    Ok(db.query_row(select, [form], |row| row.get(0)).optional()?)
}

/// Sets a pragma and reads it back: SQLite ignores those that it does not know.
fn set(db: &Connection, pragma: &'static str, value: &str, expected: &str) -> Result<(), JournalError> {
    db.execute_batch(&format!("PRAGMA {pragma} = {value}"))?;
    let found: rusqlite::types::Value = db.pragma_query_value(None, pragma, |row| row.get(0))?;
    let found = match found {
        rusqlite::types::Value::Integer(number) => number.to_string(),
        rusqlite::types::Value::Text(text) => text,
        other @ (rusqlite::types::Value::Null | rusqlite::types::Value::Real(_) | rusqlite::types::Value::Blob(_)) => {
            format!("{other:?}")
        }
    };
    if found == expected { Ok(()) } else { Err(JournalError::Pragma { pragma, expected: expected.to_owned(), found }) }
}

fn migrate(db: &mut Connection, path: &Path) -> Result<(), JournalError> {
    let form = usize::try_from(check_form(db, path)?).unwrap_or(usize::MAX);
    for (index, sql) in MIGRATIONS.iter().enumerate().skip(form) {
        let tx = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        tx.execute_batch(sql)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", index.saturating_add(1))?;
        tx.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    #[test]
    fn the_form_counts_the_migrations() {
        assert_eq!(usize::try_from(FORM).unwrap(), MIGRATIONS.len());
    }

    #[test]
    fn a_file_of_a_newer_form_opens_only_where_it_says_that_it_may() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.db");
        drop(open(&path, true).unwrap());
        let newer = |sql: &str| {
            Connection::open(&path).unwrap().execute_batch(sql).unwrap();
            open(&path, false).map(drop)
        };
        assert!(matches!(newer("PRAGMA user_version = 10"), Err(JournalError::Newer { found: 10, known: FORM, .. })));
        assert!(newer("INSERT INTO opens_from VALUES (10, 10)").is_err());
        newer("UPDATE opens_from SET oldest = 9 WHERE form = 10").unwrap();
        assert_eq!(
            open_read_only(&path).map(|db| check_form(&db, &path).unwrap()).unwrap(),
            10,
            "and it stays as it is"
        );
        assert!(newer("DELETE FROM opens_from WHERE form = 10").is_err());
    }
}
