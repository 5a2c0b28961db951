//! A person's word that an open entry of the bank is a payout: paid, or brought back.

use cabas_protocol::{Cents, Timestamp};
use rusqlite::OptionalExtension as _;

use super::bank_refusal::BankRefusal;
use super::closing::person;
use super::error::StoreError;
use super::model::PayoutRef;
use super::sql::{Sql, col};
use super::statements::{Payout, return_reason};
use super::tx::Tx;
use crate::core::bank_text::BankKeys;

impl Tx<'_> {
    /// A person says what an open entry is: a payout, or all that are open of a settlement, paid or brought back. What was
    /// brought back is agreed to by another person, unless the bank says so itself.
    ///
    /// # Errors
    /// [`BankRefusal`] says what does not fit.
    pub fn bank_match(
        &mut self,
        entry: u64,
        meant: &PayoutRef,
        (by, other): (&str, Option<&str>),
        (keys, now): (&dyn BankKeys, Timestamp),
    ) -> Result<(), StoreError> {
        let by = person(by)?;
        let (is_credit, _, payouts) = self.meant_payouts(entry, meant)?;
        let other = if is_credit { self.second_for_return(keys, entry, &payouts, (by, other))? } else { None };
        let texts = self.texts(keys, entry)?;
        for payout in payouts {
            self.book_match(entry, payout, (is_credit, return_reason(&texts)), (Some(by), other), now)?;
        }
        self.explained(entry)
    }

    /// What an open entry is said to be, as far as it fits: whether it came in, its amount, the payouts.
    pub(super) fn meant_payouts(
        &self,
        entry: u64,
        meant: &PayoutRef,
    ) -> Result<(bool, Cents, Vec<Payout>), StoreError> {
        let read = "SELECT is_credit, cents, state FROM bank_entries WHERE id = ?1";
        let found = self.conn.query_row(read, [Sql(entry)], |row| Ok((row.get(0)?, col(row, 1)?, row.get(2)?)));
        let found: Option<(bool, Cents, u8)> = found.optional()?;
        let (is_credit, cents, state) = found.ok_or(BankRefusal::NoEntry(entry))?;
        if state != 0 {
            return Err(BankRefusal::EntryExplained(entry).into());
        }
        let shop = meant.shop.as_deref().map(|code| self.shop_no(code)).transpose()?;
        let payouts = self.payouts_of(meant.settlement)?;
        let payouts: Vec<_> = match shop {
            Some(shop) => payouts.into_iter().filter(|payout| payout.shop == shop).collect(),
            None => payouts.into_iter().filter(|payout| !payout.back && payout.paid == is_credit).collect(),
        };
        if payouts.is_empty() {
            return Err(BankRefusal::NoPayout(meant.settlement).into());
        }
        for payout in &payouts {
            self.fits(*payout, is_credit)?;
        }
        let sum = Cents::sum(payouts.iter().map(|payout| payout.cents))?;
        if sum != cents {
            return Err(BankRefusal::OtherAmount { entry: cents, payouts: sum }.into());
        }
        Ok((is_credit, cents, payouts))
    }
}
