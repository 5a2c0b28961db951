//! One connection to the hub's file: how it is opened, brought to the newest form, and worked on.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::error::StoreError;
use super::model::Wake;
use super::tx::{Tx, Wakes};
use crate::core::slices::Shares;

/// How long a connection waits for another one's transaction, in milliseconds.
const BUSY_TIMEOUT_MS: i64 = 10_000;
/// Pages in the write-ahead log before they go into the file.
const CHECKPOINT_PAGES: i64 = 10_000;
/// What the write-ahead log is cut to after a checkpoint, in bytes.
const WAL_BYTES_MAX: i64 = 64 * 1024 * 1024;
/// Page cache, in KiB (SQLite takes a negative number for that unit).
const CACHE_KIB: i64 = -64 * 1024;
/// Prepared statements that are kept.
const STATEMENTS_KEPT: usize = 128;
/// "Caba": tells this file from another program's.
pub(super) const APPLICATION_ID: i64 = 0x4361_6261;

/// Every migration, oldest first; never edited, only added to.
pub(super) const MIGRATIONS: [&str; 28] = [
    include_str!("../../migrations/0001_ledger.sql"),
    include_str!("../../migrations/0002_lifecycle.sql"),
    include_str!("../../migrations/0003_undo.sql"),
    include_str!("../../migrations/0004_refunds.sql"),
    include_str!("../../migrations/0005_slices.sql"),
    include_str!("../../migrations/0006_rules.sql"),
    include_str!("../../migrations/0007_purse_cards.sql"),
    include_str!("../../migrations/0008_card_sessions.sql"),
    include_str!("../../migrations/0009_card_proofs.sql"),
    include_str!("../../migrations/0010_slot_keys.sql"),
    include_str!("../../migrations/0011_identity_cards.sql"),
    include_str!("../../migrations/0012_bank.sql"),
    include_str!("../../migrations/0013_users.sql"),
    include_str!("../../migrations/0015_joining.sql"),
    include_str!("../../migrations/0016_people.sql"),
    include_str!("../../migrations/0017_site_work.sql"),
    include_str!("../../migrations/0018_money.sql"),
    include_str!("../../migrations/0020_people_site.sql"),
    include_str!("../../migrations/0021_voted_site.sql"),
    include_str!("../../migrations/0022_bank_site.sql"),
    include_str!("../../migrations/0023_vouching.sql"),
    include_str!("../../migrations/0024_bank_end.sql"),
    include_str!("../../migrations/0025_credit_runs.sql"),
    include_str!("../../migrations/0026_releases.sql"),
    include_str!("../../migrations/0027_alerts.sql"),
    include_str!("../../migrations/0028_serial_jumps.sql"),
    include_str!("../../migrations/0029_lists_troubles_keys.sql"),
    include_str!("../../migrations/0030_list_asks.sql"),
];
/// The form that this program writes.
pub const SCHEMA_VERSION: i64 = 28;

/// What may be done with the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OpenMode {
    /// Makes it where it is missing.
    Create,
    /// It must be there.
    Existing,
    /// It must be there, and is only read.
    ReadOnly,
}

/// One connection to the hub's file.
#[derive(Debug)]
pub struct Db {
    pub(super) conn: Connection,
    wakes: Wakes,
}

impl Db {
    /// Opens the file, sets and reads back the pragmas, and brings it to the newest form.
    ///
    /// # Errors
    /// [`StoreError::Newer`] for a file of a newer program, [`StoreError::Foreign`] for another program's,
    /// [`StoreError::Pragma`] where SQLite does not do what durability needs.
    pub fn open(path: &Path, mode: OpenMode) -> Result<Self, StoreError> {
        let access = match mode {
            OpenMode::Create => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
            OpenMode::Existing => OpenFlags::SQLITE_OPEN_READ_WRITE,
            OpenMode::ReadOnly => OpenFlags::SQLITE_OPEN_READ_ONLY,
        };
        if mode == OpenMode::Create {
            create_private(path)?;
        }
        let conn = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        Self::of_connection(conn, mode)
    }

    pub(super) fn of_connection(mut conn: Connection, mode: OpenMode) -> Result<Self, StoreError> {
        conn.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        set(&conn, "busy_timeout", BUSY_TIMEOUT_MS)?;
        check_owner(&conn)?;
        if mode != OpenMode::ReadOnly {
            set_text(&conn, "journal_mode", "wal")?;
            set(&conn, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
            set(&conn, "journal_size_limit", WAL_BYTES_MAX)?;
        }
        set(&conn, "synchronous", 2)?;
        set(&conn, "foreign_keys", 1)?;
        // What is erased is written over in its page; `empty_log` takes it out of the write-ahead log too.
        set(&conn, "secure_delete", 1)?;
        set(&conn, "cache_size", CACHE_KIB)?;
        if mode == OpenMode::ReadOnly {
            check_form(&conn)?
        } else {
            migrate(&mut conn)?
        }
        Ok(Self { conn, wakes: Wakes::default() })
    }

    /// The same with money that lies as the fund wants it.
    #[must_use]
    pub const fn with_shares(mut self, shares: Shares) -> Self {
        self.wakes.shares = shares;
        self
    }

    /// Does work in one transaction and commits it. Nothing is kept where the work fails.
    ///
    /// # Errors
    /// What the work gives, or [`StoreError::Sqlite`].
    pub fn write<R>(&mut self, work: impl FnOnce(&mut Tx<'_>) -> Result<R, StoreError>) -> Result<R, StoreError> {
        let transaction = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let result = work(&mut Tx::new(&transaction, &mut self.wakes));
        match result {
            Ok(value) => {
                transaction.commit()?;
                if self.wakes.take_erased() {
                    self.empty_log();
                }
                Ok(value)
            }
            Err(error) => {
                self.wakes.take();
                Err(error)
            }
        }
    }

    /// Reads in one transaction, so that all of it is of one moment.
    ///
    /// # Errors
    /// What the work gives, or [`StoreError::Sqlite`].
    pub fn read<R>(&mut self, work: impl FnOnce(&Tx<'_>) -> Result<R, StoreError>) -> Result<R, StoreError> {
        let transaction = self.conn.transaction_with_behavior(TransactionBehavior::Deferred)?;
        work(&Tx::new(&transaction, &mut self.wakes))
    }

    /// Carries the write-ahead log into the file and cuts it to nothing, so that what was erased is nowhere any more. Where
    /// somebody reads beside for long it stays for the next time.
    pub fn empty_log(&mut self) {
        match empty_log(&self.conn, BUSY_TIMEOUT_MS) {
            Ok(true) => {}
            Ok(false) => tracing::warn!("what was erased stays in the write-ahead log: somebody reads beside"),
            Err(error) => tracing::warn!(%error, "what was erased stays in the write-ahead log"),
        }
    }

    /// Whom the committed work has news for since the last call.
    pub fn take_wakes(&mut self) -> Vec<Wake> {
        self.wakes.take()
    }

    pub(super) fn parts(&mut self) -> (&Connection, &mut Wakes) {
        (&self.conn, &mut self.wakes)
    }
}

/// Carries the write-ahead log into the file and cuts it to nothing; false where somebody reads or writes beside for longer
/// than that. To be called outside of a transaction.
pub(super) fn empty_log(conn: &Connection, wait_ms: i64) -> Result<bool, StoreError> {
    set(conn, "busy_timeout", wait_ms)?;
    let busy = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    set(conn, "busy_timeout", BUSY_TIMEOUT_MS)?;
    Ok(busy? == 0)
}

/// Makes the file where it is missing, for its owner only; SQLite gives its log the same rights.
pub(super) fn create_private(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error.into()),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Sets a pragma and reads it back: SQLite ignores what it does not know.
fn set(conn: &Connection, name: &'static str, value: i64) -> Result<(), StoreError> {
    conn.execute_batch(&format!("PRAGMA {name} = {value}"))?;
    let found: i64 = conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))?;
    if found == value { Ok(()) } else { Err(StoreError::Pragma { name, found: found.to_string() }) }
}

fn set_text(conn: &Connection, name: &'static str, value: &str) -> Result<(), StoreError> {
    conn.query_row(&format!("PRAGMA {name} = {value}"), [], |_| Ok(()))?;
    let found: String = conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))?;
    if found == value { Ok(()) } else { Err(StoreError::Pragma { name, found }) }
}

fn number(conn: &Connection, pragma: &str) -> Result<i64, StoreError> {
    Ok(conn.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))?)
}

/// A file with tables in it must be one of ours, before anything is changed in it.
fn check_owner(conn: &Connection) -> Result<(), StoreError> {
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let found = number(conn, "user_version")?;
    if number(conn, "application_id")? != APPLICATION_ID && (tables > 0 || found != 0) {
        return Err(StoreError::Foreign);
    }
    if found > SCHEMA_VERSION { Err(StoreError::Newer { found, known: SCHEMA_VERSION }) } else { Ok(()) }
}

fn check_form(conn: &Connection) -> Result<(), StoreError> {
    let found = number(conn, "user_version")?;
    if found == SCHEMA_VERSION { Ok(()) } else { Err(StoreError::NoFund) }
}

/// Brings the file to the newest form, in one transaction; two programs that start at once do it once.
fn migrate(conn: &mut Connection) -> Result<(), StoreError> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    check_owner(&transaction)?;
    let found = usize::try_from(number(&transaction, "user_version")?).map_err(|_| StoreError::Foreign)?;
    for migration in MIGRATIONS.iter().skip(found) {
        transaction.execute_batch(migration)?;
    }
    transaction.execute_batch(&format!("PRAGMA application_id = {APPLICATION_ID}"))?;
    transaction.execute_batch(&format!("PRAGMA user_version = {SCHEMA_VERSION}"))?;
    Ok(transaction.commit()?)
}
