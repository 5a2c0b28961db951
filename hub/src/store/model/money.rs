//! What is told of money: credits, settlements, accounts.

use cabas_protocol::objects::Category;
use cabas_protocol::sync::Standing;
use cabas_protocol::{Cents, Epoch, PurseRef, Seq, Serial, TerminalId, Timestamp, Version};

use crate::core::household_rules::Household;
use crate::core::ledger::{AccountKind, EpochNo, OverRight};
use crate::core::period::Period;
use crate::core::settlement::Sums;

/// What a credit run does, or would do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CreditPlan {
    /// The month.
    pub period: Period,
    /// Who gives the money, in the order in which it is taken, and how much of what is to be booked.
    pub sources: Vec<(String, Cents)>,
    /// One entry a household, by code.
    pub lines: Vec<CreditLine>,
    /// To book.
    pub to_book: Cents,
    /// Booked before.
    pub booked: Cents,
    /// What the sources have too little.
    pub missing: Cents,
    /// How much beyond the budget somebody must agree to for the month: what is missing and what was taken before.
    pub over: Cents,
    /// What these households were credited for this month by sources that are not named.
    pub elsewhere: Cents,
}

/// A household in a credit run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CreditLine {
    /// The household's code.
    pub household: String,
    /// Its people.
    pub people: Household,
    /// By the rule of the period.
    pub cents: Cents,
    /// What was booked before for this period and these sources.
    pub booked: Option<Cents>,
    /// The source that pays what is to be booked; none where none has enough, and for what was booked.
    pub source: Option<String>,
}

/// What one step of a credit run did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CreditReport {
    /// Households credited in this step.
    pub households: u32,
    /// Cents credited in this step.
    pub cents: Cents,
    /// True where households remain: call again.
    pub more: bool,
}

/// Up to which rows a settlement goes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SettlementCut {
    /// For each terminal epoch the last row that belongs to it.
    pub(crate) rows: Vec<(EpochNo, Seq)>,
    /// The last disputed row that it shows.
    pub(crate) disputed: u64,
    /// The last refund that it takes off.
    pub(crate) refunded: u64,
    /// The last sale that only cards told of that it pays.
    pub(crate) brought: u64,
    /// The last payout that came back and that it pays again.
    pub(crate) returned: u64,
}

/// A settlement, or what it would be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settlement {
    /// Its number, dense from 1.
    pub number: u32,
    /// When it was closed; none in a preview.
    pub closed_at: Option<Timestamp>,
    /// One statement a shop with anything in it, by shop code.
    pub shops: Vec<ShopStatement>,
    /// The sum of all payouts.
    pub payout: Cents,
}

/// What a shop is owed, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ShopStatement {
    /// The shop's code.
    pub shop_code: String,
    /// Its name.
    pub shop_name: String,
    /// Sales and cents in it.
    pub sums: Sums,
    /// Below nothing from before: taken off here.
    pub carried: Cents,
    /// Below nothing after: taken off next time.
    pub carry_on: Cents,
    /// What is paid out.
    pub payout: Cents,
}

/// The sum of one kind of account.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TrialLine {
    /// The kind.
    pub kind: AccountKind,
    /// How many accounts.
    pub accounts: u64,
    /// All that was taken.
    pub debits: Cents,
    /// All that was given.
    pub credits: Cents,
}

/// A household's money at one glance.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PurseView {
    /// The household's code.
    pub household: String,
    /// The purse.
    pub purse: PurseRef,
    /// All that was credited.
    pub credited: Cents,
    /// What lies free at the hub.
    pub free: Cents,
    /// Goodwill that is not paid back.
    pub goodwill: Cents,
    /// What a restore left missing.
    pub missing: Cents,
    /// What is still to be withheld from it.
    pub withheld: Cents,
    /// One entry a slice.
    pub slices: Vec<SliceView>,
    /// One entry a purse card.
    pub cards: Vec<PurseCardView>,
}

/// A purse card's money.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PurseCardView {
    /// The number printed on it.
    pub number: u32,
    /// Its own purse.
    pub purse: PurseRef,
    /// The newest serial; 0 before the first load.
    pub serial: Serial,
    /// When its balance was made.
    pub issued_at: Timestamp,
    /// What it may ever spend.
    pub allowed: Cents,
    /// What rows of all terminals settled.
    pub spent: Cents,
    /// What it may still spend, as far as the hub has heard.
    pub left: Cents,
    /// What it counted and no row told of: it is part of `left`, and nobody can spend it.
    pub unclaimed: Cents,
    /// What it proved.
    pub proofs: super::CardProofs,
    /// True where it is on the hot list.
    pub is_blocked: bool,
    /// What went back from it, once it was lost or retired; then it never spends again.
    pub released: Option<Cents>,
}

/// A slice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SliceView {
    /// The terminal.
    pub terminal: TerminalId,
    /// Its enrolment.
    pub epoch: Epoch,
    /// What may ever be spent there.
    pub allowed: Cents,
    /// What was claimed and settled there, or went back when the epoch was closed.
    pub claimed: Cents,
    /// What of that went back when the epoch was closed.
    pub voided: Cents,
    /// What of that went back at all.
    pub returned: Cents,
    /// The newest serial.
    pub serial: Serial,
    /// When its balance was made.
    pub issued_at: Timestamp,
    /// How the enrolment stands.
    pub standing: Standing,
    /// When the terminal called last.
    pub contact_at: Option<Timestamp>,
    /// What was asked back of it last.
    pub recall: Option<RecallView>,
}

/// A row with an over-right part, or a disputed one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FlaggedRow {
    /// The terminal.
    pub terminal: TerminalId,
    /// Its enrolment.
    pub epoch: Epoch,
    /// The row.
    pub seq: Seq,
    /// What it claims.
    pub claimed: Cents,
    /// What of it was settled.
    pub settled: Cents,
    /// Why not all of it.
    pub why: OverRight,
    /// When it came.
    pub received_at: Timestamp,
}

/// What a slice lacks for a sale after free money ran out.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Shortfall {
    /// How much.
    pub short: Cents,
    /// True where the household has it, at other terminals.
    pub is_funded: bool,
    /// How many terminals were asked for it.
    pub recalled: u32,
}

/// The newest recall of a slice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RecallView {
    /// What may stay.
    pub keep: Cents,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// When the terminal's row came.
    pub answered_at: Option<Timestamp>,
}

/// A shop.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ShopView {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// What kind of shop.
    pub kind: String,
    /// Its share of all purchases, as the fund expects it.
    pub weight_permille: u32,
    /// What each household is to find there on market days.
    pub floor: Cents,
    /// A bit a weekday, Monday first.
    pub market_days: u8,
    /// How many terminals it has.
    pub terminals: u32,
    /// Its key slot on purse cards, and the newest version of its key.
    pub slot: Option<(u8, u8)>,
}

/// A correction as one person proposes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CorrectionOrder {
    /// Whose money.
    pub household: String,
    /// How much.
    pub cents: Cents,
    /// True where the household gets more.
    pub is_up: bool,
    /// Whose money is given or saved.
    pub source: String,
    /// Why.
    pub reason: String,
    /// Who says so.
    pub by: String,
}

/// A correction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CorrectionView {
    /// Its number.
    pub id: u64,
    /// Whose money.
    pub household: String,
    /// How much.
    pub cents: Cents,
    /// True where the household gets more.
    pub is_up: bool,
    /// Whose money is given or saved.
    pub source: String,
    /// Why.
    pub reason: String,
    /// Who proposed it.
    pub proposed_by: String,
    /// When.
    pub proposed_at: Timestamp,
    /// True where it was booked; otherwise it waits, or was taken back where somebody ended it.
    pub is_booked: bool,
    /// Who booked it or took it back.
    pub ended_by: Option<String>,
    /// When.
    pub ended_at: Option<Timestamp>,
}

/// What expires of a household.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExpiryLine {
    /// The household.
    pub household: String,
    /// To book.
    pub cents: Cents,
    /// What was booked for that month before.
    pub booked: Option<Cents>,
}

/// A household.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HouseholdView {
    /// Its code.
    pub code: String,
    /// Its people.
    pub people: Household,
    /// Since when it is gone.
    pub left_at: Option<Timestamp>,
}

/// A grid.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GridView {
    /// Its number.
    pub version: Version,
    /// The first business day on which it holds, in days since 1970-01-01.
    pub valid_from_day: u32,
    /// Whose it is; everybody's without.
    pub shop: Option<String>,
    /// In the order in which they are shown; the first is the default.
    pub categories: Vec<Category>,
}
