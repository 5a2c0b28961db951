//! What banks and accountants take and give: payment files out (pain.001), statements in (camt.053), the accounting
//! export (FEC). Values in, values out: no clock, no file, no SQL.

mod camt053;
mod fec;
mod pain001;

pub use camt053::{Entry, Part, STATEMENT_BYTES_MAX, Statement, StatementError, Statements, read};
pub use fec::{CONTRIBUTIONS_ACCOUNT, Ecriture, FecAccount, FecWriter, account_of};
pub use pain001::{Head, Payment, pain001};

/// The day that a text says, in days since 1970-01-01.
#[must_use]
pub fn day_of(text: &str) -> Option<u32> {
    sepa::IsoDate::parse(text).ok().and_then(|date| u32::try_from(date.epoch_days()).ok())
}

/// A day as people and banks write it: `2026-11-30`; nothing where it is none.
#[must_use]
pub fn day(days: u32) -> String {
    sepa::IsoDate::from_epoch_days(i64::from(days)).map_or_else(|_| String::new(), |date| date.to_string())
}
