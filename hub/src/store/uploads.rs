//! Files that were uploaded for an import and wait for a yes. They are sealed by the caller: nothing of them stands here in
//! clear, and what was imported or put away is written over.

use cabas_protocol::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};

use super::error::StoreError;
use super::register::RegisterRefusal;
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;

/// Files that wait at once.
pub const UPLOADS_WAITING_MAX: u32 = 16;
/// How long a file waits before it is put away by itself: names are in it.
pub const UPLOAD_WAITS_S: u64 = 7 * 86_400;
/// Files that are shown, newest first.
pub const UPLOADS_SHOWN_MAX: u32 = 50;

/// A file, without what is in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UploadView {
    /// Its number.
    pub number: u32,
    /// What it holds: `households`, `cards`, `shops` or `members`.
    pub kind: String,
    /// Its rows.
    pub rows: u64,
    /// Who uploaded it.
    pub who: String,
    /// When.
    pub added_at: Timestamp,
    /// How it stands.
    pub state: UploadState,
    /// When it was imported or put away.
    pub ended_at: Option<Timestamp>,
}

/// How a file stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UploadState {
    /// It waits for a yes.
    Waits,
    /// It was imported.
    Imported,
    /// It was put away.
    PutAway,
}

impl UploadState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Waits, Self::Imported, Self::PutAway];

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waits => "waits",
            Self::Imported => "imported",
            Self::PutAway => "put-away",
        }
    }

    const fn number(self) -> u8 {
        match self {
            Self::Waits => 0,
            Self::Imported => 1,
            Self::PutAway => 2,
        }
    }
}

/// A file as it was sealed; none where it waits no more.
pub type SealedFile = Option<Vec<u8>>;

const COLUMNS: &str = "number, kind, rows, who, added_at, state, ended_at";

impl Tx<'_> {
    /// Keeps a file; gives its number.
    ///
    /// # Errors
    /// [`RegisterRefusal::TooManyUploads`].
    pub fn upload_add(
        &mut self,
        (kind, rows): (&str, u64),
        sealed: &[u8],
        who: &str,
        now: Timestamp,
    ) -> Result<u32, StoreError> {
        let waiting: u32 = self.conn.query_row("SELECT count(*) FROM uploads WHERE state = 0", [], |row| row.get(0))?;
        if waiting >= UPLOADS_WAITING_MAX {
            return Err(RegisterRefusal::TooManyUploads.into());
        }
        let add = "INSERT INTO uploads (kind, rows, file, who, added_at) VALUES (?1, ?2, ?3, ?4, ?5) RETURNING number";
        Ok(self.conn.query_row(add, params![kind, Sql(rows), sealed, who, Sql(now)], |row| row.get(0))?)
    }

    /// The newest files, at most [`UPLOADS_SHOWN_MAX`].
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Damaged`].
    pub fn uploads(&self) -> Result<Vec<UploadView>, StoreError> {
        let mut read = self.conn.prepare(&format!("SELECT {COLUMNS} FROM uploads ORDER BY number DESC LIMIT ?1"))?;
        Ok(read.query_map([UPLOADS_SHOWN_MAX], view)?.collect::<Result<_, _>>()?)
    }

    /// A file of a number; sealed, where it still waits.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Damaged`].
    pub fn upload(&self, number: u32) -> Result<Option<(UploadView, SealedFile)>, StoreError> {
        let read = format!("SELECT {COLUMNS}, file FROM uploads WHERE number = ?1");
        Ok(self.conn.query_row(&read, [number], |row| Ok((view(row)?, row.get(7)?))).optional()?)
    }

    /// Ends a file that waits: nothing of it stays.
    ///
    /// # Errors
    /// [`RegisterRefusal::UploadEnded`].
    pub fn upload_end(&mut self, number: u32, state: UploadState, now: Timestamp) -> Result<(), StoreError> {
        self.conn.execute_batch("PRAGMA secure_delete = ON")?;
        let set = "UPDATE uploads SET state = ?2, ended_at = ?3, file = NULL WHERE number = ?1 AND state = 0";
        if self.conn.execute(set, params![number, state.number(), Sql(now)])? == 0 {
            return Err(RegisterRefusal::UploadEnded.into());
        }
        self.erased();
        Ok(())
    }

    /// Puts away files that waited too long.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn uploads_forget(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let oldest = Timestamp::new(now.get().saturating_sub(UPLOAD_WAITS_S));
        let mut read = self.conn.prepare_cached("SELECT number FROM uploads WHERE state = 0 AND added_at < ?1")?;
        let old = read.query_map([Sql(oldest)], |row| row.get(0))?.collect::<Result<Vec<u32>, _>>()?;
        drop(read);
        old.into_iter().try_for_each(|number| self.upload_end(number, UploadState::PutAway, now))
    }
}

fn view(row: &Row<'_>) -> rusqlite::Result<UploadView> {
    let state: u8 = row.get(5)?;
    let state = UploadState::ALL.into_iter().find(|known| known.number() == state);
    Ok(UploadView {
        number: row.get(0)?,
        kind: row.get(1)?,
        rows: col(row, 2)?,
        who: row.get(3)?,
        added_at: col(row, 4)?,
        state: state.ok_or(rusqlite::Error::IntegralValueOutOfRange(5, 0))?,
        ended_at: col_opt(row, 6)?,
    })
}
