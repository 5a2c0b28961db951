//! What the pages of shops and terminals read: all enrolments of a terminal, what lies there, the hot list's age, documents.

use cabas_protocol::{Cents, Epoch, Hash, TerminalId, Timestamp, Version};
use rusqlite::OptionalExtension as _;

use super::error::StoreError;
use super::joinings::JoiningDocument;
use super::model::{EnrolmentView, TerminalView};
use super::sql::{Sql, col};
use super::tx::Tx;
use crate::core::ledger::EpochNo;

/// A terminal with all that it ever was.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TerminalFile {
    /// As it stands.
    pub view: TerminalView,
    /// Its enrolments, newest first, and what lies by each of them.
    pub enrolments: Vec<(EnrolmentView, Cents)>,
}

impl Tx<'_> {
    /// A terminal.
    ///
    /// # Errors
    /// [`StoreError::UnknownTerminal`], [`StoreError::Damaged`].
    pub fn terminal_file(&self, terminal: TerminalId) -> Result<TerminalFile, StoreError> {
        let mut views = self.terminals()?.into_iter();
        let view = views.find(|view| view.terminal == terminal).ok_or(StoreError::UnknownTerminal(terminal))?;
        let mut read =
            self.conn.prepare_cached("SELECT epoch, number FROM epochs WHERE terminal = ?1 ORDER BY 1 DESC")?;
        let epochs = read
            .query_map([Sql(terminal)], |row| Ok((col(row, 0)?, col(row, 1)?)))?
            .collect::<Result<Vec<(Epoch, EpochNo)>, _>>()?;
        let enrolments = epochs
            .into_iter()
            .map(|(epoch, number)| Ok((self.enrolment_view(terminal, epoch)?, self.left_at(number)?)))
            .collect::<Result<_, StoreError>>()?;
        Ok(TerminalFile { view, enrolments })
    }

    /// What lies at each terminal that was ever enrolled, by all of its enrolments.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Money`].
    pub fn lying(&self) -> Result<Vec<(TerminalId, Cents)>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT terminal, number FROM epochs ORDER BY terminal")?;
        let epochs = read
            .query_map([], |row| Ok((col(row, 0)?, col(row, 1)?)))?
            .collect::<Result<Vec<(TerminalId, EpochNo)>, _>>()?;
        let mut lying: Vec<(TerminalId, Cents)> = Vec::new();
        for (terminal, epoch) in epochs {
            let cents = self.left_at(epoch)?;
            match lying.last_mut() {
                Some((last, sum)) if *last == terminal => *sum = sum.plus(cents)?,
                Some(_) | None => lying.push((terminal, cents)),
            }
        }
        Ok(lying)
    }

    /// The newest hot list, and since when there is one.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn hot_list_head(&self) -> Result<(Version, Timestamp), StoreError> {
        let read = "SELECT version, issued_at FROM hot_list";
        Ok(self.conn.query_row(read, [], |row| Ok((col(row, 0)?, col(row, 1)?)))?)
    }

    /// A document that a step of a shop names.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn joining_document(&self, hash: Hash) -> Result<Option<JoiningDocument>, StoreError> {
        let mut read = self
            .conn
            .prepare_cached("SELECT name, type, bytes FROM joining_documents WHERE hash = ?1 ORDER BY step LIMIT 1")?;
        let document = read.query_row([Sql(hash)], |row| {
            Ok(JoiningDocument { hash, name: row.get(0)?, media_type: row.get(1)?, bytes: col(row, 2)? })
        });
        Ok(document.optional()?)
    }
}
