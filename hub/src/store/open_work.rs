//! What waits for the fund's people, as far as no other list of the store says it: payouts and bank entries that are open.

use cabas_protocol::{Cents, Timestamp};

use super::error::StoreError;
use super::sql::{col, col_opt};
use super::tx::Tx;

/// Things that are open: how many, what they come to, and since when the oldest is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OpenSum {
    /// How many.
    pub count: u64,
    /// What they come to.
    pub cents: Cents,
    /// Since when; none where there are none.
    pub since: Option<Timestamp>,
}

/// What is open between the fund and its bank.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OpenWork {
    /// Payouts that no payment file orders, by the closing of their settlements.
    pub payouts_due: OpenSum,
    /// Payouts that a payment file orders and the bank has not confirmed, by the making of the file.
    pub payouts_ordered: OpenSum,
    /// Entries of the bank that nobody explained, by their import.
    pub entries: OpenSum,
}

impl Tx<'_> {
    /// What is open between the fund and its bank.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn open_work(&self) -> Result<OpenWork, StoreError> {
        let payouts = "FROM settlement_shops AS s JOIN settlements ON settlements.number = s.settlement
             LEFT JOIN payments AS o ON o.settlement = s.settlement AND o.shop = s.shop
             LEFT JOIN payment_files AS f ON f.settlement = o.settlement
             WHERE s.payout > 0
                AND NOT EXISTS (SELECT 1 FROM payouts_paid p WHERE p.settlement = s.settlement AND p.shop = s.shop)
                AND NOT EXISTS (SELECT 1 FROM payouts_back b WHERE b.settlement = s.settlement AND b.shop = s.shop)";
        let sums = "SELECT count(*), ifnull(sum(s.payout), 0)";
        Ok(OpenWork {
            payouts_due: self.open_sum(&format!("{sums}, min(closed_at) {payouts} AND o.cents IS NULL"))?,
            payouts_ordered: self.open_sum(&format!("{sums}, min(made_at) {payouts} AND o.cents IS NOT NULL"))?,
            entries: self.open_sum(
                "SELECT count(*), ifnull(sum(cents), 0), min((SELECT min(imported_at) FROM statements
                    JOIN statement_entries ON statement = statements.id WHERE entry = bank_entries.id))
                 FROM bank_entries WHERE state = 0",
            )?,
        })
    }

    fn open_sum(&self, read: &str) -> Result<OpenSum, StoreError> {
        let sum = self
            .conn
            .prepare_cached(read)?
            .query_row([], |row| Ok(OpenSum { count: col(row, 0)?, cents: col(row, 1)?, since: col_opt(row, 2)? }))?;
        Ok(sum)
    }
}
