//! Who is at the counter, and whether it trains: rows, and nothing beside them.

use super::Journal;
use super::error::JournalError;
use crate::core::ages::Moment;
use cabas_protocol::row::{CashierChange, RowBody, Training};
use cabas_protocol::sign::SignError;
use cabas_protocol::{FundId, Row, Signed};
use rusqlite::{Connection, OptionalExtension as _};

impl Journal {
    /// Writes down that another cashier took over, 0 for none; no row where it is the same one.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn change_cashier(&mut self, now: Moment, cashier: u16) -> Result<(), JournalError> {
        if self.state.cashier == cashier && !self.stale {
            return Ok(());
        }
        self.write(now, |writer| {
            if writer.state.cashier != cashier {
                writer.append(RowBody::CashierChange(CashierChange { cashier }), None)?;
                writer.state.cashier = cashier;
            }
            Ok(())
        })
    }

    /// Writes down that the training mode goes on or off; no row where it is so already.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn train(&mut self, now: Moment, on: bool) -> Result<(), JournalError> {
        if self.state.training == on && !self.stale {
            return Ok(());
        }
        self.write(now, |writer| {
            if writer.state.training != on {
                writer.append(RowBody::Training(Training { on }), None)?;
                writer.state.training = on;
            }
            Ok(())
        })
    }
}

/// The cashier by the newest row that says so.
pub(super) fn load_cashier(db: &Connection, fund: FundId) -> Result<u16, JournalError> {
    // The kind stands in the text, so that the index of these rows is used.
    let newest = newest(db, fund, "SELECT bytes FROM rows WHERE kind = 12 ORDER BY seq DESC LIMIT 1")?;
    match newest {
        None => Ok(0),
        Some(RowBody::CashierChange(change)) => Ok(change.cashier),
        Some(_) => Err(JournalError::Inconsistent("a row is not of the kind that it is filed under")),
    }
}

/// The training mode by the newest row that says so.
pub(super) fn load_training(db: &Connection, fund: FundId) -> Result<bool, JournalError> {
    let newest = newest(db, fund, "SELECT bytes FROM rows WHERE kind = 13 ORDER BY seq DESC LIMIT 1")?;
    match newest {
        None => Ok(false),
        Some(RowBody::Training(training)) => Ok(training.on),
        Some(_) => Err(JournalError::Inconsistent("a row is not of the kind that it is filed under")),
    }
}

fn newest(db: &Connection, fund: FundId, select: &str) -> Result<Option<RowBody>, JournalError> {
    let bytes = db.query_row(select, [], |row| row.get::<_, Vec<u8>>(0)).optional()?;
    let Some(bytes) = bytes else { return Ok(None) };
    let signed = Signed::<Row>::from_bytes(bytes).map_err(SignError::from)?;
    Ok(Some(signed.read_trusted(fund)?.into_payload().body))
}
