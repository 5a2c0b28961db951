//! A shop's statement of one settlement, signed by the hub: every line that was counted, and what it comes to. A shop checks
//! it line by line against the journals that its own terminals signed.

use crate::cents::{Cents, MoneyError};
use crate::codec::{self, CodecError};
use crate::head::{Head, ObjectType};
use crate::ids::{Epoch, Hash, Seq, TerminalId, Timestamp};
use crate::objects::NAME_BYTES_MAX;
use crate::row::Origin;
use crate::sign::Payload;

/// Enrolments of one shop in one settlement.
pub const PARTS_MAX: usize = 1_024;
/// Lines of one statement.
pub const LINES_MAX: usize = 100_000;

/// The rows of one enrolment that the settlement counts: above `after`, up to and with `upto`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(array)]
pub struct Part {
    /// The terminal.
    #[n(0)]
    pub terminal: TerminalId,
    /// Its enrolment.
    #[n(1)]
    pub epoch: Epoch,
    /// The last row of the settlement before.
    #[n(2)]
    pub after: Seq,
    /// The last row of this one.
    #[n(3)]
    pub upto: Seq,
    /// The hash of that row as the hub has it: by the chain it vouches for every row below it.
    #[n(4)]
    pub hash: Hash,
}

/// What a line tells of.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum LineKind {
    /// A sale: what of it is settled is earned.
    #[n(1)]
    Sale,
    /// A sale that its terminal undid at once: what was settled of it is taken back.
    #[n(2)]
    Reversal,
    /// A refund that was granted: taken back. The row is the one that asked.
    #[n(3)]
    Refund,
    /// A sale that does not fit its journal: shown, not paid.
    #[n(4)]
    Disputed,
    /// A sale that only the card told of: what of it is settled is earned.
    #[n(5)]
    Brought,
}

/// One line: a row, what of its amount counts, and what does not, with the reason.
#[derive(Clone, Copy, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(array)]
pub struct StatementLine {
    /// What it tells of.
    #[n(0)]
    pub kind: LineKind,
    /// The row.
    #[n(1)]
    pub origin: Origin,
    /// What of it is settled.
    #[n(2)]
    pub settled: Cents,
    /// What of it is not: over-right, or disputed.
    #[n(3)]
    pub unpaid: Cents,
    /// Why not, by the numbers of wire.md §4; 0 where all of it is settled.
    #[n(4)]
    pub why: u16,
}

/// What a settlement pays a shop, and why.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct SettlementStatement {
    /// What, whose, of which life of the hub.
    #[n(0)]
    pub head: Head,
    /// The settlement's number.
    #[n(1)]
    pub settlement: u32,
    /// When it was closed.
    #[n(2)]
    pub closed_at: Timestamp,
    /// The shop's code in the fund's files.
    #[n(3)]
    pub shop: String,
    /// Which rows it counts, by terminal and enrolment.
    #[n(4)]
    pub parts: Vec<Part>,
    /// Every line, by kind and row.
    #[n(5)]
    pub lines: Vec<StatementLine>,
    /// What the settlement before left to take off.
    #[n(6)]
    pub carried: Cents,
    /// What is left to take off at the next one.
    #[n(7)]
    pub carry_on: Cents,
    /// What is paid.
    #[n(8)]
    pub payout: Cents,
    /// Payouts of before that the bank brought back: paid again here.
    #[n(9)]
    pub returned: Cents,
}

/// What the lines of a statement add up to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Totals {
    /// Settled sales, those that only cards told of among them.
    pub earned: Cents,
    /// Reversals and refunds.
    pub taken_back: Cents,
    /// What is shown and not paid.
    pub unpaid: Cents,
}

impl SettlementStatement {
    /// Adds up the lines.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn totals(&self) -> Result<Totals, MoneyError> {
        let mut totals = Totals::default();
        for line in &self.lines {
            match line.kind {
                LineKind::Sale | LineKind::Brought => {
                    totals.earned = totals.earned.plus(line.settled)?;
                    totals.unpaid = totals.unpaid.plus(line.unpaid)?;
                }
                LineKind::Reversal | LineKind::Refund => totals.taken_back = totals.taken_back.plus(line.settled)?,
                LineKind::Disputed => totals.unpaid = totals.unpaid.plus(line.unpaid)?,
            }
        }
        Ok(totals)
    }

    /// True where payout and what is carried on follow from the lines.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn adds_up(&self) -> Result<bool, MoneyError> {
        let totals = self.totals()?;
        let off = totals.taken_back.plus(self.carried)?;
        let earned = totals.earned.plus(self.returned)?;
        let expected = (earned.minus_or_zero(off), off.minus_or_zero(earned));
        Ok((self.payout, self.carry_on) == expected)
    }
}

impl Payload for SettlementStatement {
    const TYPE: ObjectType = ObjectType::SettlementStatement;
    const MAX_BYTES: usize = 4 * 1024 * 1024;

    fn head(&self) -> &Head {
        &self.head
    }

    fn check(&self) -> Result<(), CodecError> {
        codec::text("shop", &self.shop, NAME_BYTES_MAX)?;
        codec::at_most("parts", self.parts.len(), PARTS_MAX)?;
        codec::at_most("lines", self.lines.len(), LINES_MAX)?;
        if self.parts.iter().any(|part| part.after >= part.upto) { Err(CodecError::Limit("parts")) } else { Ok(()) }
    }
}
