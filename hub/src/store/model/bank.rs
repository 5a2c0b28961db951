//! What is told of the bank: accounts, payment files, statements, what was paid and what came back.

use cabas_protocol::{Cents, Timestamp};

/// The version of pain.001 that a bank takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PainVersion {
    /// pain.001.001.03, the one before 2023.
    V03,
    /// pain.001.001.09.
    V09,
}

impl PainVersion {
    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::V03 => 3,
            Self::V09 => 9,
        }
    }
}

/// The fund's account at its bank.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FundAccount {
    /// Its number among all that the fund had.
    pub id: u64,
    /// The name that the bank knows.
    pub name: String,
    /// Checked.
    pub iban: String,
    /// Checked; not needed within SEPA.
    pub bic: Option<String>,
    /// What the bank takes.
    pub pain: PainVersion,
    /// Who said so.
    pub set_by: String,
    /// When.
    pub set_at: Timestamp,
}

/// What somebody says of the fund's account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FundAccountOrder {
    /// The name that the bank knows.
    pub name: String,
    /// As it was typed.
    pub iban: String,
    /// As it was typed.
    pub bic: Option<String>,
    /// What the bank takes.
    pub pain: PainVersion,
    /// Who says so.
    pub by: String,
}

/// What somebody says of a shop's account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ShopAccountOrder {
    /// The shop's code.
    pub shop: String,
    /// Its legal name, as its bank knows it.
    pub name: String,
    /// As it was typed.
    pub iban: String,
    /// Who says so.
    pub by: String,
}

/// An account that a shop has or had.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ShopAccount {
    /// Its number among all accounts of shops.
    pub id: u64,
    /// The legal name.
    pub name: String,
    /// Checked.
    pub iban: String,
    /// Who said so.
    pub set_by: String,
    /// When.
    pub set_at: Timestamp,
}

/// A settlement that waits for a second person.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Prepared {
    /// Which preparation it is: who approves it has seen this one.
    pub id: u64,
    /// Who prepared it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What it will be.
    pub settlement: super::Settlement,
}

/// What somebody orders of a payment file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PaymentOrder {
    /// The settlement.
    pub settlement: u32,
    /// The day on which the bank is to pay, in days since 1970-01-01; without it the day of making.
    pub execute_on: Option<u32>,
    /// Who makes it.
    pub by: String,
}

/// A payment file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PaymentFile {
    /// The settlement.
    pub settlement: u32,
    /// `MsgId` and `PmtInfId`.
    pub message: String,
    /// The day on which the bank is to pay, in days since 1970-01-01.
    pub execute_on: u32,
    /// Who made it.
    pub made_by: String,
    /// When.
    pub made_at: Timestamp,
    /// How many payments.
    pub payments: u32,
    /// Their sum.
    pub total: Cents,
    /// False where it was made before, and these are the same bytes again.
    pub is_new: bool,
    /// pain.001.
    pub bytes: Vec<u8>,
}

/// What came of importing a statement file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct StatementReport {
    /// Statements in the file.
    pub statements: u32,
    /// Statements that were imported before, byte by byte.
    pub repeated: u32,
    /// Statements that do not begin where one before ended: a statement may be missing.
    pub gaps: u32,
    /// Entries that are new.
    pub added: u32,
    /// Entries that were known.
    pub known: u32,
    /// Entries that are not booked yet: they come again.
    pub pending: u32,
    /// Payouts that these entries confirm.
    pub paid: u32,
    /// Their sum.
    pub paid_cents: Cents,
    /// Payouts that came back.
    pub back: u32,
    /// Their sum.
    pub back_cents: Cents,
    /// Entries of any statement that are still open.
    pub open: u64,
    /// Open ones whose text does not open: nothing is read from it, and people say what they are.
    pub unreadable: u32,
}

/// What the bank booked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BankEntryView {
    /// Its number.
    pub id: u64,
    /// True where money came in.
    pub is_credit: bool,
    /// How much.
    pub cents: Cents,
    /// When, in days since 1970-01-01.
    pub booked_on: Option<u32>,
    /// 0 open, 1 payouts, 2 contributions or funds, 3 set aside.
    pub state: u8,
    /// What of it may be meant.
    pub proposals: Vec<PayoutRef>,
    /// What money in it may be.
    pub money_in: Vec<super::MoneyInProposal>,
}

/// A payout, or all that are open of a settlement.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PayoutRef {
    /// The settlement.
    pub settlement: u32,
    /// The shop's code; all of them without.
    pub shop: Option<String>,
}

/// How a payout stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PayoutView {
    /// The settlement.
    pub settlement: u32,
    /// The shop's code.
    pub shop: String,
    /// How much.
    pub cents: Cents,
    /// `due`, `ordered`, `paid` or `back`.
    pub state: &'static str,
}
