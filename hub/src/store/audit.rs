//! The audit log: who did what, each entry chained to the one before.

use cabas_protocol::{Hash, Timestamp};
use rusqlite::{OptionalExtension as _, Row, params};

use super::error::StoreError;
use super::sql::{Sql, col};
use super::tx::Tx;
use crate::core::audit::{AuditEntry, Deed, GENESIS};

/// Entries on one page of the log.
pub const AUDIT_PAGE_MAX: u32 = 100;
/// The longest text of one field of an entry, in bytes; what is over it is cut.
pub const AUDIT_TEXT_BYTES_MAX: usize = 400;

/// What is written into the log.
#[derive(Clone, Copy, Debug)]
pub struct Note<'n> {
    /// Who did it.
    pub who: &'n str,
    /// What it was.
    pub deed: Deed,
    /// To whom or what.
    pub subject: &'n str,
    /// What else is to be known: no name of a member, no secret.
    pub detail: &'n str,
}

impl Tx<'_> {
    /// Writes an entry; it is kept with the work of this transaction, or neither is.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn note(&mut self, note: Note<'_>, now: Timestamp) -> Result<(), StoreError> {
        let (newest, prev) = self.audit_head()?;
        let seq = newest.checked_add(1).ok_or(StoreError::Exhausted("audit entry"))?;
        let entry = AuditEntry {
            seq,
            at: now,
            who: cut(note.who),
            what: note.deed.name().to_owned(),
            subject: cut(note.subject),
            detail: cut(note.detail),
        };
        let hash = entry.hash(&prev);
        self.conn.execute(
            "INSERT INTO audit (seq, at, who, what, subject, detail, prev, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                Sql(seq),
                Sql(now),
                entry.who,
                entry.what,
                entry.subject,
                entry.detail,
                Sql(prev),
                Sql(hash)
            ],
        )?;
        self.conn.execute("UPDATE audit_head SET seq = ?1", [Sql(seq)])?;
        Ok(())
    }

    /// Number and hash of the newest entry: whoever notes them sees later whether the log was rewritten.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn audit_head(&self) -> Result<(u64, Hash), StoreError> {
        let mut read = self.conn.prepare_cached("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")?;
        let newest = read.query_row([], |row| Ok((col(row, 0)?, col(row, 1)?))).optional()?;
        Ok(newest.unwrap_or((0, GENESIS)))
    }

    /// Entries before a number, newest first, at most [`AUDIT_PAGE_MAX`].
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn audit_page(&self, before: Option<u64>) -> Result<Vec<AuditEntry>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT seq, at, who, what, subject, detail FROM audit WHERE ?1 IS NULL OR seq < ?1 ORDER BY seq DESC LIMIT ?2",
        )?;
        let entries = read.query_map(params![before.map(Sql), AUDIT_PAGE_MAX], entry)?;
        Ok(entries.collect::<Result<_, _>>()?)
    }
}

/// An entry from the six columns that it is made of.
pub(super) fn entry(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    Ok(AuditEntry {
        seq: col(row, 0)?,
        at: col(row, 1)?,
        who: row.get(2)?,
        what: row.get(3)?,
        subject: row.get(4)?,
        detail: row.get(5)?,
    })
}

/// Cut at a character, and without what a terminal or a page could take for more than text.
fn cut(text: &str) -> String {
    let mut kept = String::with_capacity(text.len().min(AUDIT_TEXT_BYTES_MAX));
    for character in text.chars() {
        let shown = if character.is_control() { '?' } else { character };
        if kept.len().saturating_add(shown.len_utf8()) > AUDIT_TEXT_BYTES_MAX {
            break;
        }
        kept.push(shown);
    }
    kept
}
