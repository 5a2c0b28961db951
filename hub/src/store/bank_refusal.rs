//! Why something between a settlement and the bank is refused. No name of a person and no IBAN is repeated but those of
//! who prepared or approved.

use cabas_protocol::Cents;
use sepa::validate::BuildError;
use sepa::{BicError, IbanError};

/// Why it is refused. Nothing was booked.
#[derive(Debug, thiserror::Error)]
pub enum BankRefusal {
    /// Not an IBAN.
    #[error("the IBAN cannot be taken: {0}; compare it with the bank's document")]
    Iban(#[source] Box<IbanError>),
    /// Not a BIC.
    #[error("the BIC cannot be taken: {0}; leave it away or compare it with the bank's document")]
    Bic(#[source] Box<BicError>),
    /// No SEPA there.
    #[error("accounts in {0} cannot be paid by SEPA transfer")]
    NotSepa(String),
    /// Two people are needed.
    #[error("another person {0}; name somebody else")]
    SamePerson(&'static str),
    /// One at a time.
    #[error(
        "settlement {number} was prepared by {by} and waits for another person: cabas-hub settlement approve {number}, or \
         withdraw it first"
    )]
    PreparedBefore {
        /// Its number.
        number: u32,
        /// Who prepared it.
        by: String,
    },
    /// Nothing to settle.
    #[error("nothing new is to be settled")]
    NothingNew,
    /// Nothing waits under that number.
    #[error("settlement {0} is not prepared; see cabas-hub settlement preview")]
    NotPrepared(u32),
    /// It was approved.
    #[error("settlement {number} was approved by {by} before, and is booked once")]
    Approved {
        /// Its number.
        number: u32,
        /// Who approved it.
        by: String,
    },
    /// Somebody asked for the same work, and it has not ended.
    #[error("work {0} on this settlement is under way; look at what comes of it")]
    UnderWay(u32),
    /// It was withdrawn and prepared again.
    #[error("settlement {0} was withdrawn and prepared again since it was looked at; look at it again")]
    Outdated(u32),
    /// Somebody said that the bank did not make a payment of it, and nobody approved or withdrew that yet.
    #[error("somebody said that the bank did not pay {1} of settlement {0}; approve or withdraw that first")]
    RefusalOpen(u32, String),
    /// Who set an account after the settlement was approved pays to it.
    #[error(
        "{by} set the account of {shop} after the settlement was approved; another person must make the payment file"
    )]
    OwnAccountChange {
        /// The shop's code.
        shop: String,
        /// Who set it.
        by: String,
    },
    /// There is none.
    #[error("there is no settlement {0}; see cabas-hub settlement list")]
    NoSettlement(u32),
    /// Nothing is open.
    #[error("nothing of settlement {0} is to be paid")]
    NothingToPay(u32),
    /// The fund's own account is not known.
    #[error("the fund's own account is not known; set it with cabas-hub bank account --iban … --name … --by …")]
    NoOwnAccount,
    /// Shops cannot be paid.
    #[error("these shops have no account: {0}; set each with cabas-hub shop account CODE --iban … --name … --by …")]
    NoAccount(String),
    /// It was made with another day.
    #[error("the payment file of settlement {0} was made before, with another day; a settlement has one file only")]
    FileMade(u32),
    /// The scheme does not allow it.
    #[error("the payment file cannot be made: {0}")]
    Build(#[source] Box<BuildError>),
    /// Not the fund's.
    #[error("statement {0} of the file is of another account than the fund's; nothing of the file was imported")]
    OtherAccount(u32),
    /// There is none.
    #[error("there is no bank entry {0}; see cabas-hub bank list")]
    NoEntry(u64),
    /// It is explained.
    #[error("bank entry {0} is explained already")]
    EntryExplained(u64),
    /// There is none.
    #[error("settlement {0} has no such payout that is open; see cabas-hub settlement payouts")]
    NoPayout(u32),
    /// Paid twice is impossible.
    #[error("this payout of settlement {0} was paid by another bank entry before")]
    PaidBefore(u32),
    /// What was not paid cannot come back.
    #[error("this payout of settlement {0} was not paid, so it cannot have come back; match its debit first")]
    NotPaid(u32),
    /// Once only.
    #[error("this payout of settlement {0} came back before, and a later settlement pays it")]
    CameBack(u32),
    /// One at a time.
    #[error(
        "{by} said before that the bank did not pay this payout of settlement {settlement}; another person approves it"
    )]
    SaidBefore {
        /// The settlement.
        settlement: u32,
        /// Who said so.
        by: String,
    },
    /// Nothing waits.
    #[error("nobody said that the bank did not pay this payout of settlement {0}, or it was taken back")]
    NotSaid(u32),
    /// It does not fit.
    #[error("the bank entry is of {entry} €, the payouts come to {payouts} €; they must be the same")]
    OtherAmount {
        /// The entry's.
        entry: Cents,
        /// The payouts'.
        payouts: Cents,
    },
    /// One person alone does not say it.
    #[error(
        "bank entry {0} does not say that it is this payout that came back: it may be a gift of the same amount; another \
         person must agree (--approved-by NAME, or on the site)"
    )]
    NotSaidByBank(u64),
    /// One at a time.
    #[error("{by} said before which payout bank entry {entry} brought back; another person agrees or refuses it first")]
    ReturnSaid {
        /// The entry.
        entry: u64,
        /// Who said so.
        by: String,
    },
    /// Nothing waits.
    #[error("return {0} does not wait any more, or there is none of that number")]
    ReturnEnded(u64),
    /// Only what came in brings something back.
    #[error("bank entry {0} did not come in: it brings nothing back")]
    NotACredit(u64),
    /// Only what went out is set aside.
    #[error("bank entry {0} came in: say whose money it is, it cannot be set aside")]
    NotADebit(u64),
    /// It is a payout.
    #[error("bank entry {0} names a payout of ours: say which, it cannot be set aside")]
    NamesPayout(u64),
    /// It is not.
    #[error("bank entry {0} is not set aside")]
    NotAside(u64),
    /// A program does not say that something came back.
    #[error("bank entry {0} came in: a person says on the site which payout it brought back, no program does")]
    NotByProgram(u64),
}
