//! Long work: what was asked for, how far it is, what came of it. It is done step by step, each step and its progress in
//! one transaction, so that a restart goes on where it stood.

use cabas_protocol::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};

use super::error::StoreError;
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;

/// Works that are shown, newest first.
pub const WORKS_SHOWN_MAX: u32 = 100;

/// Work that somebody asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WorkView {
    /// Its number.
    pub number: u32,
    /// What is to be done, as JSON.
    pub job: String,
    /// Who asked.
    pub who: String,
    /// When.
    pub asked_at: Timestamp,
    /// How it stands.
    pub state: WorkState,
    /// Steps done.
    pub done: u64,
    /// Of so many, where that is known.
    pub total: Option<u64>,
    /// What came of it, as JSON, once it has ended.
    pub result: Option<String>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// How work stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WorkState {
    /// It waits or is under way.
    Open,
    /// It was done.
    Done,
    /// It was refused or failed; nothing of its last step was kept.
    Failed,
}

impl WorkState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Open, Self::Done, Self::Failed];

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    const fn number(self) -> u8 {
        match self {
            Self::Open => 0,
            Self::Done => 1,
            Self::Failed => 2,
        }
    }
}

const COLUMNS: &str = "number, job, who, asked_at, state, done, total, result, ended_at";

impl Tx<'_> {
    /// Asks for work; gives its number. `file` is sealed by the caller.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn work_add(&mut self, job: &str, file: Option<&[u8]>, who: &str, now: Timestamp) -> Result<u32, StoreError> {
        let add = "INSERT INTO works (job, file, who, asked_at) VALUES (?1, ?2, ?3, ?4) RETURNING number";
        Ok(self.conn.query_row(add, params![job, file, who, Sql(now)], |row| row.get(0))?)
    }

    /// The oldest work that has not ended.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Damaged`].
    pub fn work_next(&self) -> Result<Option<WorkView>, StoreError> {
        let read = format!("SELECT {COLUMNS} FROM works WHERE state = 0 ORDER BY number LIMIT 1");
        Ok(self.conn.prepare_cached(&read)?.query_row([], view).optional()?)
    }

    /// The works that have not ended, oldest first, at most [`WORKS_SHOWN_MAX`].
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Damaged`].
    pub fn works_open(&self) -> Result<Vec<WorkView>, StoreError> {
        let read = format!("SELECT {COLUMNS} FROM works WHERE state = 0 ORDER BY number LIMIT ?1");
        let mut read = self.conn.prepare_cached(&read)?;
        Ok(read.query_map([WORKS_SHOWN_MAX], view)?.collect::<Result<_, _>>()?)
    }

    /// Work of a number.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Damaged`].
    pub fn work(&self, number: u32) -> Result<Option<WorkView>, StoreError> {
        let read = format!("SELECT {COLUMNS} FROM works WHERE number = ?1");
        Ok(self.conn.prepare_cached(&read)?.query_row([number], view).optional()?)
    }

    /// The newest works, at most [`WORKS_SHOWN_MAX`].
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Damaged`].
    pub fn works(&self) -> Result<Vec<WorkView>, StoreError> {
        let read = format!("SELECT {COLUMNS} FROM works ORDER BY number DESC LIMIT ?1");
        let mut read = self.conn.prepare_cached(&read)?;
        Ok(read.query_map([WORKS_SHOWN_MAX], view)?.collect::<Result<_, _>>()?)
    }

    /// The file that was uploaded for work that has not ended, sealed.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn work_file(&self, number: u32) -> Result<Option<Vec<u8>>, StoreError> {
        let read = "SELECT file FROM works WHERE number = ?1 AND file IS NOT NULL";
        Ok(self.conn.query_row(read, [number], |row| row.get(0)).optional()?)
    }

    /// Notes how far it is.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn work_progress(&mut self, number: u32, done: u64, total: Option<u64>) -> Result<(), StoreError> {
        let set = "UPDATE works SET done = ?2, total = ?3 WHERE number = ?1 AND state = 0";
        self.conn.execute(set, params![number, Sql(done), total.map(Sql)])?;
        Ok(())
    }

    /// Ends it; what was uploaded for it goes, and is written over in the file.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn work_end(&mut self, number: u32, state: WorkState, result: &str, now: Timestamp) -> Result<(), StoreError> {
        self.conn.execute_batch("PRAGMA secure_delete = ON")?;
        let set =
            "UPDATE works SET state = ?2, result = ?3, ended_at = ?4, file = NULL WHERE number = ?1 AND state = 0";
        self.conn.execute(set, params![number, state.number(), result, Sql(now)])?;
        self.erased();
        Ok(())
    }
}

fn view(row: &Row<'_>) -> rusqlite::Result<WorkView> {
    let state: u8 = row.get(4)?;
    let state = WorkState::ALL.into_iter().find(|known| known.number() == state);
    Ok(WorkView {
        number: row.get(0)?,
        job: row.get(1)?,
        who: row.get(2)?,
        asked_at: col(row, 3)?,
        state: state.ok_or(rusqlite::Error::IntegralValueOutOfRange(4, 0))?,
        done: col(row, 5)?,
        total: col_opt(row, 6)?,
        result: row.get(7)?,
        ended_at: col_opt(row, 8)?,
    })
}
