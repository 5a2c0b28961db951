//! Double entry: every movement takes from one account and gives to another, so that the sums always agree.
//!
//! An account has two totals, `debits` (all that was ever taken from it) and `credits` (all that was ever given to it);
//! both only grow. Never here: an account that pays out what it was not given, where its kind forbids that.

use std::collections::BTreeMap;

use cabas_protocol::{Cents, MoneyError};

pub use super::accounts::{AccountId, AccountKind, EpochNo, PurseNo, RowKey, ShopNo};

/// Why money moved. The number is stored and never used again for another.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum TransferKind {
    /// A funder's money for a household: source to purse. Cause: the booking.
    Credit,
    /// Money is reserved for a terminal: purse to slice. Cause: the serial.
    Raise,
    /// A sale is settled: slice to payable. Cause: the row.
    Sale,
    /// Money is handed back: slice to purse. Cause: the row.
    Return,
    /// A shop is paid: payable to transit. Cause: the settlement.
    Settlement,
    /// A sale is undone at once: payable to slice, what of it was settled. Cause: the row that undoes it.
    Reversal,
    /// A refund is granted: payable to purse. Cause: the row that asked.
    Refund,
    /// Money expires: withheld to expired. Cause: the expiry.
    Expire,
    /// A household is given more: source to purse. Cause: the correction.
    CorrectUp,
    /// A household is given less: withheld to source. Cause: the correction.
    CorrectDown,
    /// A purse card is given money: purse to card. Cause: the serial.
    Load,
    /// A sale of a purse card is settled: card to payable. Cause: the row.
    CardSale,
    /// The money of a lost or retired purse card goes back: card to purse. Cause: the release.
    Unload,
    /// An epoch was closed: slice to purse, what was not claimed. Cause: the closing.
    Void,
    /// A balance that was handed back after a restore allows more than there is free: restored to slice. Cause: the serial.
    Recover,
    /// What a restore left missing is paid back: purse to restored. Cause: the transfer that brought the money.
    Repay,
    /// Goodwill is advanced: goodwill to purse. Cause: the advance.
    Advance,
    /// Goodwill is paid back: purse to goodwill. Cause: the transfer that brought the money.
    Regain,
    /// What is to be withheld is: purse to withheld. Cause: the transfer that brought the money, or that withholds.
    Withhold,
    /// A purse card's balance that was handed back after a restore allows more than there is free: restored to card.
    /// Cause: the serial.
    CardRecover,
    /// A sale of a purse card that its terminal will not tell of is settled: card to payable. Cause: the booking.
    CarriedSale,
    /// What a card counted as spent without goods goes back: card to purse. Cause: the repayment.
    CardRepay,
    /// The bank confirms a payout: transit to bank. Cause: the confirmation.
    PayoutPaid,
    /// The bank did not make a payout: transit to payable. Cause: its place among those that came back.
    PayoutRejected,
    /// The bank gives a payout back: bank to payable. Cause: its place among those that came back.
    PayoutReturned,
    /// A household or a funder paid: incoming to source. Cause: the money in.
    MoneyIn,
    /// What was paid in is taken back by a counter-entry: source to incoming. Cause: the counter-entry.
    MoneyBack,
    /// The bank confirms money in: bank to incoming. Cause: the money in.
    Banked,
    /// The bank gave money back that was taken back here: incoming to bank. Cause: the counter-entry.
    Unbanked,
}

impl TransferKind {
    /// Every kind.
    pub const ALL: [Self; 29] = [
        Self::Credit,
        Self::Raise,
        Self::Sale,
        Self::Return,
        Self::Settlement,
        Self::Reversal,
        Self::Refund,
        Self::Expire,
        Self::CorrectUp,
        Self::CorrectDown,
        Self::Load,
        Self::CardSale,
        Self::Unload,
        Self::Void,
        Self::Recover,
        Self::Repay,
        Self::Advance,
        Self::Regain,
        Self::Withhold,
        Self::CardRecover,
        Self::CarriedSale,
        Self::CardRepay,
        Self::PayoutPaid,
        Self::PayoutRejected,
        Self::PayoutReturned,
        Self::MoneyIn,
        Self::MoneyBack,
        Self::Banked,
        Self::Unbanked,
    ];

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Credit => 1,
            Self::Raise => 2,
            Self::Sale => 3,
            Self::Return => 4,
            Self::Settlement => 5,
            Self::Reversal => 6,
            Self::Refund => 7,
            Self::Expire => 8,
            Self::CorrectUp => 9,
            Self::CorrectDown => 10,
            Self::Load => 11,
            Self::CardSale => 12,
            Self::Unload => 13,
            Self::CarriedSale => 14,
            Self::CardRepay => 15,
            Self::Void => 20,
            Self::Recover => 21,
            Self::Repay => 22,
            Self::Advance => 23,
            Self::Regain => 24,
            Self::Withhold => 25,
            Self::CardRecover => 26,
            Self::PayoutPaid => 30,
            Self::PayoutRejected => 31,
            Self::PayoutReturned => 32,
            Self::MoneyIn => 40,
            Self::MoneyBack => 41,
            Self::Banked => 42,
            Self::Unbanked => 43,
        }
    }

    /// The kind of a number.
    #[must_use]
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// What it takes from and what it gives to.
    #[must_use]
    pub const fn between(self) -> (AccountKind, AccountKind) {
        match self {
            Self::Credit => (AccountKind::Source, AccountKind::Purse),
            Self::Raise => (AccountKind::Purse, AccountKind::Slice),
            Self::Sale => (AccountKind::Slice, AccountKind::Payable),
            Self::Return => (AccountKind::Slice, AccountKind::Purse),
            Self::Settlement => (AccountKind::Payable, AccountKind::Transit),
            Self::Reversal => (AccountKind::Payable, AccountKind::Slice),
            Self::Refund => (AccountKind::Payable, AccountKind::Purse),
            Self::Expire => (AccountKind::Withheld, AccountKind::Expired),
            Self::CorrectUp => (AccountKind::Source, AccountKind::Purse),
            Self::CorrectDown => (AccountKind::Withheld, AccountKind::Source),
            Self::Load => (AccountKind::Purse, AccountKind::Card),
            Self::CardSale => (AccountKind::Card, AccountKind::Payable),
            Self::Unload => (AccountKind::Card, AccountKind::Purse),
            Self::Void => (AccountKind::Slice, AccountKind::Purse),
            Self::Recover => (AccountKind::Restored, AccountKind::Slice),
            Self::Repay => (AccountKind::Purse, AccountKind::Restored),
            Self::Advance => (AccountKind::Goodwill, AccountKind::Purse),
            Self::Regain => (AccountKind::Purse, AccountKind::Goodwill),
            Self::Withhold => (AccountKind::Purse, AccountKind::Withheld),
            Self::CardRecover => (AccountKind::Restored, AccountKind::Card),
            Self::CarriedSale => (AccountKind::Card, AccountKind::Payable),
            Self::CardRepay => (AccountKind::Card, AccountKind::Purse),
            Self::PayoutPaid => (AccountKind::Transit, AccountKind::Bank),
            Self::PayoutRejected => (AccountKind::Transit, AccountKind::Payable),
            Self::PayoutReturned => (AccountKind::Bank, AccountKind::Payable),
            Self::MoneyIn => (AccountKind::Incoming, AccountKind::Source),
            Self::MoneyBack => (AccountKind::Source, AccountKind::Incoming),
            Self::Banked => (AccountKind::Bank, AccountKind::Incoming),
            Self::Unbanked => (AccountKind::Incoming, AccountKind::Bank),
        }
    }
}

/// Why a row's claim was not settled whole. The number is stored and never used again for another.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, thiserror::Error)]
pub enum OverRight {
    /// More than the balance that it names allowed.
    #[error("more than the balance it names allowed")]
    AboveAllowed,
    /// Another row claimed it before.
    #[error("claimed before by another row")]
    AlreadyClaimed,
    /// The hub knows no such purse.
    #[error("an unknown purse")]
    UnknownPurse,
    /// The hub never gave this terminal money of this purse; or a purse card's sale, and the purse is no such card's.
    #[error("this terminal, or this card, was never given money of this purse")]
    UnknownSlice,
    /// The hub never signed that serial.
    #[error("a serial that was never signed")]
    UnknownSerial,
    /// The epoch was closed before.
    #[error("the epoch was closed before it came")]
    EpochClosed,
    /// It does not fit the journal's chain.
    #[error("it does not fit the journal's chain")]
    Disputed,
    /// A kind of row whose money this version does not move.
    #[error("a kind of row that moves no money here")]
    NotBooked,
    /// It undoes what is no earlier sale of this journal, or another purse's, or another amount.
    #[error("no earlier sale of this purse and amount to undo")]
    NothingToUndo,
    /// The sale was undone before.
    #[error("its sale was undone before")]
    UndoneBefore,
    /// A refund of what is no sale of this shop and purse, or of nothing.
    #[error("no sale of this shop and purse to refund")]
    NothingToRefund,
    /// A refund of more than what the fund paid of the sale and did not get back.
    #[error("more than what the fund paid of the sale")]
    MoreThanPaid,
    /// A reversal of a sale of which a refund was granted.
    #[error("its sale was refunded before")]
    RefundedBefore,
    /// The purse card's money was released before: what it still spent is not paid twice.
    #[error("the card's money was released before it came")]
    CardReleased,
    /// The card's transaction MAC is not that of this sale, or was used before.
    #[error("the card did not prove it")]
    CardProof,
}

impl OverRight {
    /// Every reason.
    pub const ALL: [Self; 15] = [
        Self::AboveAllowed,
        Self::AlreadyClaimed,
        Self::UnknownPurse,
        Self::UnknownSlice,
        Self::UnknownSerial,
        Self::EpochClosed,
        Self::Disputed,
        Self::NotBooked,
        Self::NothingToUndo,
        Self::UndoneBefore,
        Self::NothingToRefund,
        Self::MoreThanPaid,
        Self::RefundedBefore,
        Self::CardReleased,
        Self::CardProof,
    ];

    /// Its number; 0 is "settled whole".
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::AboveAllowed => 1,
            Self::AlreadyClaimed => 2,
            Self::UnknownPurse => 3,
            Self::UnknownSlice => 4,
            Self::UnknownSerial => 5,
            Self::EpochClosed => 6,
            Self::Disputed => 7,
            Self::NotBooked => 8,
            Self::NothingToUndo => 9,
            Self::UndoneBefore => 10,
            Self::NothingToRefund => 11,
            Self::MoreThanPaid => 12,
            Self::RefundedBefore => 13,
            Self::CardReleased => 14,
            Self::CardProof => 15,
        }
    }

    /// The reason of a number.
    #[must_use]
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|why| why.number() == number)
    }
}

/// An account's totals and its newest transfer (0: none yet).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Account {
    /// All that was taken from it.
    pub debits: Cents,
    /// All that was given to it.
    pub credits: Cents,
    /// Its newest transfer.
    pub newest: u64,
}

impl Account {
    /// What is left of what was given.
    ///
    /// # Errors
    /// [`MoneyError::Negative`] where more was taken than given.
    pub const fn left(self) -> Result<Cents, MoneyError> {
        self.credits.minus(self.debits)
    }
}

/// One movement of money.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Transfer {
    /// Its number, dense from 1 in the order of booking.
    pub id: u64,
    /// Where it comes from.
    pub debit: AccountId,
    /// Where it goes.
    pub credit: AccountId,
    /// How much: more than nothing.
    pub cents: Cents,
    /// Why.
    pub kind: TransferKind,
    /// What caused it; its meaning follows from `kind`.
    pub cause: u64,
    /// The transfer before it in the account it comes from.
    pub debit_prev: u64,
    /// The transfer before it in the account it goes to.
    pub credit_prev: u64,
}

/// Why a movement cannot be booked.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LedgerError {
    /// Nothing moves.
    #[error("a transfer of nothing")]
    Nothing,
    /// The kinds of account do not go with the kind of transfer.
    #[error("a {kind:?} from {debit} to {credit}")]
    WrongAccounts {
        /// Why money would move.
        kind: TransferKind,
        /// Where it would come from.
        debit: AccountId,
        /// Where it would go.
        credit: AccountId,
    },
    /// More than the account has.
    #[error("{account} does not have {cents}")]
    Overdrawn {
        /// The account.
        account: AccountId,
        /// What was to be taken.
        cents: Cents,
    },
    /// The numbers of transfers are used up.
    #[error("no transfer number is left")]
    Exhausted,
    /// A total that cannot be held.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

/// Books one transfer into two accounts that are held in memory.
///
/// # Errors
/// [`LedgerError`]; then nothing has changed.
pub fn post(accounts: &mut BTreeMap<AccountId, Account>, id: u64, entry: Entry) -> Result<Transfer, LedgerError> {
    let Entry { debit, credit, cents, kind, cause } = entry;
    if cents.is_zero() {
        return Err(LedgerError::Nothing);
    }
    if kind.between() != (debit.kind(), credit.kind()) {
        return Err(LedgerError::WrongAccounts { kind, debit, credit });
    }
    let mut from = accounts.get(&debit).copied().unwrap_or_default();
    let mut to = accounts.get(&credit).copied().unwrap_or_default();
    let transfer = Transfer { id, debit, credit, cents, kind, cause, debit_prev: from.newest, credit_prev: to.newest };
    from.debits = from.debits.plus(cents)?;
    to.credits = to.credits.plus(cents)?;
    if debit.kind().never_overdrawn() && from.left().is_err() {
        return Err(LedgerError::Overdrawn { account: debit, cents });
    }
    (from.newest, to.newest) = (id, id);
    accounts.insert(debit, from);
    accounts.insert(credit, to);
    Ok(transfer)
}

/// What is to be booked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Where it comes from.
    pub debit: AccountId,
    /// Where it goes.
    pub credit: AccountId,
    /// How much.
    pub cents: Cents,
    /// Why.
    pub kind: TransferKind,
    /// What caused it.
    pub cause: u64,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use cabas_protocol::Seq;
    use proptest::prelude::*;

    fn cents(cents: u64) -> Cents {
        Cents::new(cents).unwrap()
    }

    fn slice() -> AccountId {
        AccountId::slice(EpochNo::new(3).unwrap(), PurseNo::new(9))
    }

    fn raise(amount: u64) -> Entry {
        let debit = AccountId::purse(PurseNo::new(9));
        Entry { debit, credit: slice(), cents: cents(amount), kind: TransferKind::Raise, cause: 1 }
    }

    fn card(kind: TransferKind, amount: u64) -> Entry {
        let (purse, card) = (AccountId::purse(PurseNo::new(9)), AccountId::card(PurseNo::new(10)));
        let (debit, credit) =
            if kind == TransferKind::Load { (purse, card) } else { (card, AccountId::payable(ShopNo::new(1))) };
        Entry { debit, credit, cents: cents(amount), kind, cause: 1 }
    }

    fn credit(amount: u64) -> Entry {
        let credit = AccountId::purse(PurseNo::new(9));
        Entry { debit: AccountId::source(1), credit, cents: cents(amount), kind: TransferKind::Credit, cause: 1 }
    }

    #[test]
    fn numbers_are_what_they_were_made_of() {
        let id = AccountId::slice(EpochNo::new(EpochNo::MAX).unwrap(), PurseNo::new(u32::MAX));
        assert_eq!(AccountId::of_number(id.get()), Some(id));
        assert_eq!(id.epoch_no().unwrap().get(), EpochNo::MAX);
        assert_eq!(id.purse_no().unwrap().get(), u32::MAX);
        assert!(i64::try_from(id.get()).is_ok(), "SQLite has signed numbers");
        assert_eq!(slice().to_string(), "slice 3/9");
        assert_eq!(AccountId::of_number(0), None);
        assert_eq!(EpochNo::new(EpochNo::MAX + 1), None);
        for kind in AccountKind::ALL {
            assert_eq!(AccountKind::of_number(kind.number()), Some(kind));
        }
        for kind in TransferKind::ALL {
            assert_eq!(TransferKind::of_number(kind.number()), Some(kind));
        }
        for why in OverRight::ALL {
            assert_eq!(OverRight::of_number(why.number()), Some(why));
        }
    }

    #[test]
    fn a_row_is_found_by_its_epoch_and_place() {
        let (epoch, seq) = (EpochNo::new(0x00ab_cdef).unwrap(), Seq::new(0x1234_5678));
        let key = RowKey::new(epoch, seq);
        assert_eq!((key.get(), key.epoch(), key.seq()), (0x00ab_cdef_1234_5678, epoch, seq));
        assert_eq!(RowKey::of_number(key.get()), Some(key));
        assert_eq!(RowKey::of_number(7), None, "no enrolment has the number 0");
        assert_eq!(RowKey::of_number(u64::MAX), None);
        assert_eq!(ShopNo::new(7).get(), 7);
        assert_eq!(format!("{:?}", slice()), "AccountId(slice 3/9)");
    }

    #[test]
    fn a_purse_and_a_slice_never_give_what_they_do_not_have() {
        let mut accounts = BTreeMap::new();
        assert!(matches!(post(&mut accounts, 1, raise(1)), Err(LedgerError::Overdrawn { .. })));
        post(&mut accounts, 1, credit(100)).unwrap();
        assert!(matches!(post(&mut accounts, 2, raise(101)), Err(LedgerError::Overdrawn { .. })));
        post(&mut accounts, 2, raise(100)).unwrap();
        assert!(matches!(post(&mut accounts, 3, raise(1)), Err(LedgerError::Overdrawn { .. })));
    }

    #[test]
    fn a_card_never_gives_what_it_was_not_loaded_with() {
        let mut accounts = BTreeMap::new();
        post(&mut accounts, 1, credit(100)).unwrap();
        post(&mut accounts, 2, card(TransferKind::Load, 60)).unwrap();
        assert!(matches!(post(&mut accounts, 3, card(TransferKind::CardSale, 61)), Err(LedgerError::Overdrawn { .. })));
        post(&mut accounts, 3, card(TransferKind::CardSale, 60)).unwrap();
        assert_eq!(AccountId::card(PurseNo::new(10)).to_string(), "card 10");
        assert_eq!(AccountId::card(PurseNo::new(10)).purse_no(), Some(PurseNo::new(10)));
    }

    #[test]
    fn a_kind_of_transfer_joins_two_kinds_of_account() {
        let mut accounts = BTreeMap::new();
        let wrong = Entry { kind: TransferKind::Sale, ..credit(5) };
        assert!(matches!(post(&mut accounts, 1, wrong), Err(LedgerError::WrongAccounts { .. })));
        assert_eq!(post(&mut accounts, 1, credit(0)), Err(LedgerError::Nothing));
        assert!(accounts.is_empty());
    }

    proptest! {
        #[test]
        fn what_is_taken_is_given(amounts in prop::collection::vec((any::<bool>(), 0u64..1000), 0..60)) {
            let mut accounts = BTreeMap::new();
            let mut transfers = Vec::new();
            for (is_credit, amount) in amounts {
                let entry = if is_credit { credit(amount) } else { raise(amount) };
                let id = u64::try_from(transfers.len()).unwrap() + 1;
                let before = accounts.clone();
                match post(&mut accounts, id, entry) {
                    Ok(transfer) => transfers.push(transfer),
                    Err(_) => prop_assert_eq!(&before, &accounts),
                }
            }
            let debits = Cents::sum(accounts.values().map(|account| account.debits)).unwrap();
            let credits = Cents::sum(accounts.values().map(|account| account.credits)).unwrap();
            prop_assert_eq!(debits, credits);
            prop_assert_eq!(debits, Cents::sum(transfers.iter().map(|transfer| transfer.cents)).unwrap());
            for (id, account) in &accounts {
                if id.kind().never_overdrawn() {
                    prop_assert!(account.left().is_ok());
                }
            }
        }
    }
}
