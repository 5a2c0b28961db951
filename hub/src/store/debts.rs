//! What a purse owes the fund: money that a restore left missing, what is to be withheld, and goodwill. It is paid back before the household has
//! more to spend.

use cabas_protocol::{Cents, MoneyError};

use super::error::StoreError;
use super::ledger::Books;
use super::tx::Tx;
use crate::core::ledger::{Account, AccountId, Entry, PurseNo, TransferKind};

/// Money that a transfer brought into a purse.
#[derive(Clone, Copy, Debug)]
pub(super) struct Brought {
    /// The transfer.
    pub(super) transfer: u64,
    /// How much.
    pub(super) cents: Cents,
    /// True where it had been reserved and came back: goodwill was advanced for such money. A credit is new.
    pub(super) came_back: bool,
}

/// What is owed by an account from which more was taken than given.
///
/// # Errors
/// [`MoneyError::Negative`] where more was given back than taken.
pub(super) const fn owed(account: Account) -> Result<Cents, MoneyError> {
    account.debits.minus(account.credits)
}

impl Tx<'_> {
    /// Pays back from what was brought.
    pub(super) fn pay_back(&self, books: &mut Books<'_>, purse: PurseNo, brought: Brought) -> Result<(), StoreError> {
        let mut left = brought.cents;
        let debts = [
            (AccountId::restored(purse), TransferKind::Repay, true),
            (AccountId::withheld(purse), TransferKind::Withhold, true),
            (AccountId::goodwill(purse), TransferKind::Regain, brought.came_back),
        ];
        for (credit, kind, applies) in debts {
            let cents = owed(books.account(credit)?)?.min(left);
            if applies && !cents.is_zero() {
                books.post(Entry { debit: AccountId::purse(purse), credit, cents, kind, cause: brought.transfer })?;
                left = left.minus(cents)?;
            }
        }
        Ok(())
    }
}
