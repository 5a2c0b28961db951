//! What can go wrong in the store, by whose fault it is.

use cabas_protocol::sync::Standing;
use cabas_protocol::{Epoch, MoneyError, TerminalId, Timestamp};

use super::bank_refusal::BankRefusal;
use super::closing::ClosingRefusal;
use super::joinings::JoiningRefusal;
use super::money_in::MoneyInRefusal;
use super::people::ErasureRefusal;
use super::releases::ReleaseRefusal;
use super::restore::Missing;
use super::sources::BudgetRefusal;
use crate::core::household_rules::RuleError;
use crate::core::ledger::LedgerError;
use crate::core::period::Period;

/// Why the store did not do it. Nothing of the work was kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite failed: disk full, an I/O error, a constraint.
    #[error("the database failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A file could not be read or written.
    #[error("the file system failed: {0}")]
    Io(#[from] std::io::Error),
    /// A pragma did not take.
    #[error("SQLite did not take `PRAGMA {name}`: it says {found}")]
    Pragma {
        /// Which one.
        name: &'static str,
        /// What it says instead.
        found: String,
    },
    /// The file was written by a newer program.
    #[error("the database has form {found}, this program knows up to {known}; update the program")]
    Newer {
        /// Its form.
        found: i64,
        /// The newest form known here.
        known: i64,
    },
    /// A release of programs for terminals.
    #[error(transparent)]
    Release(#[from] ReleaseRefusal),
    /// Another program's file.
    #[error("this file is not a Cabas hub's database")]
    Foreign,
    /// The fund was not made yet.
    #[error("there is no fund in this database; run `cabas-hub init`")]
    NoFund,
    /// The fund was made before.
    #[error("this database has a fund already")]
    FundExists,
    /// A stored value is not one that this program ever writes.
    #[error("the database is damaged: {0}; run `cabas-hub verify`")]
    Damaged(&'static str),
    /// Too much waits already.
    #[error("the hub is busy; try again")]
    Busy,
    /// The store's thread has ended.
    #[error("the store has stopped")]
    Stopped,
    /// The transaction in which the work stood was not committed.
    #[error("the work was not committed: {0}")]
    NotCommitted(String),
    /// An amount cannot be held.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// A movement of money that the ledger does not allow.
    #[error("the ledger refuses: {0}")]
    Ledger(#[from] LedgerError),
    /// The hub knows no such purse.
    #[error("the hub does not know this purse")]
    UnknownPurse,
    /// The hub knows no such card.
    #[error("the hub does not know this card")]
    UnknownCard,
    /// The new card is not new.
    #[error("this number or this card is known already, as card {known}; name another")]
    CardTaken {
        /// The number by which it is known.
        known: u32,
    },
    /// The card's money went back to its household: spent again it would be paid twice.
    #[error("this card's money went back to its household; it stays blocked, issue a new card")]
    CardReleased,
    /// The hub knows no such shop.
    #[error("the hub does not know this shop")]
    UnknownShop,
    /// The hub knows no such terminal, or no such epoch of it.
    #[error("the hub does not know terminal {0}")]
    UnknownTerminal(TerminalId),
    /// The terminal has no such epoch.
    #[error("terminal {terminal} has no epoch {epoch}")]
    UnknownEpoch {
        /// The terminal.
        terminal: TerminalId,
        /// The epoch.
        epoch: Epoch,
    },
    /// The enrolment does not sell.
    #[error("the enrolment is not live: {0:?}")]
    NotLive(Standing),
    /// An enrolment is refused.
    #[error(transparent)]
    Enrol(#[from] EnrolRefusal),
    /// The machine of an enrolment was said to be gone, and called since.
    #[error("terminal {0} has called since the restore, so its machine is not gone: let it hand back what it holds")]
    NotGone(TerminalId),
    /// The hot list has no room.
    #[error("the hot list is full ({max} cards)", max = cabas_protocol::hot_list::ENTRIES_MAX)]
    HotListFull,
    /// The name of a new code is in use.
    #[error("this code's name is in use; make another code")]
    LocatorTaken,
    /// No rule for the month.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The root did not sign a certificate.
    #[error("the certificate of the signing key does not fit the root key: {0}")]
    BadCert(#[source] cabas_protocol::sign::SignError),
    /// A name or label that terminals would refuse.
    #[error("`{0}` is too long, empty, or has control characters")]
    Text(&'static str),
    /// Numbers of one kind are used up.
    #[error("no {0} is left")]
    Exhausted(&'static str),
    /// A file stands where the backup goes.
    #[error("a file stands where the backup goes; name another")]
    BackupExists,
    /// An epoch is not closed.
    #[error(transparent)]
    Closing(#[from] ClosingRefusal),
    /// Something between settlements and the bank.
    #[error(transparent)]
    Bank(#[from] BankRefusal),
    /// A rule is not taken.
    #[error(transparent)]
    Voted(#[from] RuleRefusal),
    /// Goodwill is not switched.
    #[error(transparent)]
    Goodwill(#[from] super::goodwill_votes::GoodwillRefusal),
    /// A card session is not allowed.
    #[error(transparent)]
    CardSession(#[from] CardSessionRefusal),
    /// Terminals keep no more keys of a card than so many.
    #[error(
        "{cards} cards have a key of slot {slot} so old that terminals would not keep it beside a newer one; renew these \
         cards (cabas-agent card renew), or block them, then make the new key"
    )]
    KeysBehind {
        /// The slot.
        slot: u8,
        /// How many cards.
        cards: u32,
    },
    /// A household, a name or an upload is not changed.
    #[error(transparent)]
    Register(#[from] super::register::RegisterRefusal),
    /// A household is not erased.
    #[error(transparent)]
    Erasure(#[from] ErasureRefusal),
    /// A correction is not taken.
    #[error(transparent)]
    Correction(#[from] CorrectionRefusal),
    /// A change of users is not taken.
    #[error(transparent)]
    User(#[from] super::users::UserRefusal),
    /// Money in is not taken.
    #[error(transparent)]
    MoneyIn(#[from] MoneyInRefusal),
    /// A run of credits does not fit its sources.
    #[error(transparent)]
    Budget(#[from] BudgetRefusal),
    /// A repayment is not taken.
    #[error(transparent)]
    Repayment(#[from] RepaymentRefusal),
    /// The hub was restored, and epochs have not handed back what they hold.
    #[error(
        "the hub was restored and waits for {0}; connect these terminals, or close their epochs by two people \
         (cabas-hub terminal close)"
    )]
    Restoring(Missing),
    /// The hub was restored, and nobody has said what was paid after the backup.
    #[error(
        "the hub was restored at {restored_at} from a backup that ends with settlement {settlement}; make sure at the \
         bank that no later settlement was paid, then run settlement close --payments-checked"
    )]
    PaymentsUnknown {
        /// When it was restored.
        restored_at: Timestamp,
        /// The newest settlement in the backup.
        settlement: u32,
    },
    /// A shop cannot do this step, or is not open.
    #[error(transparent)]
    Joining(#[from] JoiningRefusal),
    /// A shop has nothing in a settlement, or there is no such settlement.
    #[error("this shop has no statement in settlement {settlement}; see cabas-hub settlement list")]
    NoStatement {
        /// The settlement.
        settlement: u32,
    },
    /// A completed copy does not read well.
    #[error("the copy is damaged: {0}")]
    BadCopy(String),
}

/// Why a rule is not taken, or lets nothing expire.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RuleRefusal {
    /// Months were credited or expired by the rule before.
    #[error("{newest} was booked already; the new rule can begin after it, not in {from}")]
    Credited {
        /// When it was to begin.
        from: Period,
        /// The newest month that was booked.
        newest: Period,
    },
    /// Somebody would be credited nothing.
    #[error("a household of one person would be credited nothing; name an amount for the first person")]
    Nothing,
    /// A rule begins in that month.
    #[error("a rule begins in {0} already, and rules are never changed; name another month")]
    Taken(Period),
    /// The rule of the month lets nothing expire.
    #[error("by the rule of {0} nothing expires; see cabas-hub rule list")]
    NothingExpires(Period),
    /// The month goes on.
    #[error("{0} is not over")]
    NotOver(Period),
    /// What would be booked is not what was shown.
    #[error("what would be booked for {0} has changed since it was shown; look at it again")]
    PlanChanged(Period),
    /// Everything is booked.
    #[error("nothing is left to book for {0}")]
    NothingToBook(Period),
}

/// Why a card at a terminal is not touched.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CardSessionRefusal {
    /// No admin allowed it, or too long ago.
    #[error("nobody allowed this for card {0} here; run cabas-hub card grant, then try again")]
    NotGranted(u32),
    /// To issue a card its household must be named.
    #[error("name the household that the card is for")]
    NoHousehold,
    /// The number is not that card's.
    #[error("the card on the reader is not card {0}")]
    OtherCard(u32),
    /// A card that may spend nothing needs nothing.
    #[error("card {0} is blocked; take it off the hot list first (cabas-hub card unblock), or retire it")]
    Blocked(u32),
    /// It was issued as something else.
    #[error("card {0} is bound as another kind of card, and a card never changes its kind; take a new one")]
    OtherTier(u32),
}

/// Why a correction is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CorrectionRefusal {
    /// There is no such household.
    #[error("no household has this code; see cabas-hub household list")]
    NoHousehold,
    /// Nothing is to be corrected.
    #[error("a correction of nothing; name an amount")]
    Nothing,
    /// There is no such correction.
    #[error("there is no correction {0}; see cabas-hub correction list")]
    Unknown(u64),
    /// It was booked or taken back.
    #[error("correction {0} was booked or taken back before")]
    Ended(u64),
    /// Two people are needed.
    #[error("another person than the one who proposed it books a correction")]
    SamePerson,
    /// A run of credits is under way.
    #[error("correction {0} is of a credit that is not booked yet; book it when the run of credits has ended")]
    NotCredited(u64),
}

/// Why money that a card counted as spent is not given back.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RepaymentRefusal {
    /// There is no such card.
    #[error("card {0} is no purse card; see cabas-hub card list")]
    NoCard(u32),
    /// A shop claims it, or the card has not counted so far.
    #[error("not all of it was counted by the card and claimed by nobody; see cabas-hub card unclaimed")]
    Claimed,
    /// The card's money went back already.
    #[error("what was left of this card went back to its household when it was released")]
    Released,
    /// There is no such repayment.
    #[error("there is no repayment {0}; see cabas-hub repayment list")]
    Unknown(u64),
    /// It was booked or taken back.
    #[error("repayment {0} was booked or taken back before")]
    Ended(u64),
    /// Two people are needed.
    #[error("another person than the one who proposed it books a repayment")]
    SamePerson,
}

/// Why an enrolment is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EnrolRefusal {
    /// There is no such code.
    #[error("the enrolment code is wrong")]
    WrongCode,
    /// It was used by another key, tried wrongly too often, or replaced.
    #[error("the enrolment code is void")]
    CodeVoid,
    /// It is too old.
    #[error("the enrolment code has expired")]
    CodeExpired,
}
