//! What is told of money that comes in: budgets, payments of households and funders, what the bank says of them.

use cabas_protocol::{Cents, Timestamp};

use crate::core::period::Period;
use crate::store::MoneyInRefusal;

/// Who paid.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Payer {
    /// A household, by its code: a contribution.
    Household(String),
    /// A funder, by its name.
    Source(String),
}

/// What somebody says was paid in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MoneyInOrder {
    /// Who paid.
    pub payer: Payer,
    /// How much.
    pub cents: Cents,
    /// On which day, in days since 1970-01-01.
    pub day: u32,
    /// The payment's own name: by it a payment is booked once.
    pub reference: Option<String>,
    /// Who says so.
    pub by: String,
    /// It is another one, though it looks like one that is known.
    pub again: bool,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MoneyInDone {
    /// Its number.
    pub id: u64,
    /// True where it was booked before, and nothing was done.
    pub before: bool,
}

/// Money that was paid in, or a counter-entry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MoneyInView {
    /// Its number.
    pub id: u64,
    /// The household that paid; none where a funder did.
    pub household: Option<String>,
    /// The source that has it.
    pub source: String,
    /// How much.
    pub cents: Cents,
    /// The day of the payment, in days since 1970-01-01.
    pub day: u32,
    /// The payment's own name.
    pub reference: Option<String>,
    /// What it takes back, where it is a counter-entry.
    pub takes_back: Option<u64>,
    /// Why.
    pub reason: Option<String>,
    /// The counter-entry that takes it back.
    pub taken_back_by: Option<u64>,
    /// The bank's entry that confirms it.
    pub entry: Option<u64>,
    /// Who said so.
    pub said_by: String,
    /// When.
    pub said_at: Timestamp,
}

/// What came of an import of contributions: all of it is booked, or nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MoneyInImport {
    /// New.
    pub added: u32,
    /// Their sum.
    pub added_cents: Cents,
    /// Booked before.
    pub before: u32,
    /// What is not taken, by its place in what was given.
    pub refused: Vec<(usize, MoneyInRefusal)>,
}

/// What a bank entry is, if it is money in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MoneyInRef {
    /// A payment that was not noted yet.
    New(Payer),
    /// Money in, or counter-entries, that were noted before, by number.
    Noted(Vec<u64>),
}

/// What a bank entry may be, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MoneyInProposal {
    /// What.
    pub meant: MoneyInRef,
    /// `code and amount`, `code`, `sender`, `noted`, `funder` or `amount`.
    pub why: &'static str,
}

/// A source and its year.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SourceView {
    /// Its name.
    pub name: String,
    /// True for what the households contribute: it has what was paid in, and no budget.
    pub is_contributions: bool,
    /// Its budget of the year.
    pub budget: Option<Cents>,
    /// What was agreed to be credited beyond it.
    pub agreed_over: Cents,
    /// What households were credited from it for months of the year, corrections included.
    pub credited: Cents,
    /// What may still be credited from it; none where nothing limits it.
    pub left: Option<Cents>,
    /// What was credited beyond what it has.
    pub over: Cents,
    /// What was paid in by it in the year.
    pub paid_in: Cents,
}

/// What the households contributed in a month.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ContributionMonth {
    /// The month.
    pub period: Period,
    /// What the households that were there have agreed on, as it stands today.
    pub expected: Cents,
    /// What was paid, less what was taken back.
    pub received: Cents,
    /// How many households paid.
    pub payers: u32,
}

/// What the households contributed in a year, and what part of the budgets that is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ContributionReport {
    /// The year.
    pub year: u16,
    /// Its months.
    pub months: Vec<ContributionMonth>,
    /// The sum of what was expected.
    pub expected: Cents,
    /// The sum of what was received.
    pub received: Cents,
    /// The sum of the year's budgets.
    pub budgets: Cents,
    /// What was received, in thousandths of the budgets; none without a budget.
    pub received_permille: Option<u64>,
    /// The share of the budgets that contributions are to reach.
    pub planned_percent: u32,
}
