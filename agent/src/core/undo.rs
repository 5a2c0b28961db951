//! Undoing a sale: a *reversal* takes back, whole and at once, one that was just made; a *refund* asks the fund to give
//! back all or part of one that stood. A sale has either, never both.

use crate::core::authorize::TerminalState;
use crate::core::split::AskedLine;
use cabas_protocol::row::{LINES_MAX, Line};
use cabas_protocol::{CategoryId, Cents, MoneyError};
use std::collections::BTreeMap;

/// How long after a sale it can be reversed though the purse has paid again since; until the end of its business day
/// where it is the purse's newest.
pub const REVERSAL_S_MAX: u64 = 30 * 60;

/// Why a sale is not undone.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UndoRefusal {
    /// This journal has no such sale.
    #[error("this terminal made no such sale in its present enrolment; undo it where it was made, or call the fund")]
    UnknownSale,
    /// The request's id was used for something else.
    #[error("the request_id was used for another operation")]
    RequestTaken,
    /// What is written here does not reach the fund's books.
    #[error("this terminal may not write; call the fund")]
    Terminal(TerminalState),
    /// It was reversed.
    #[error("the sale was reversed already")]
    Reversed,
    /// A refund was asked for.
    #[error("a refund of the sale was asked for already")]
    Refunded,
    /// It is too long ago.
    #[error("the sale is too long ago to be reversed; ask for a refund")]
    TooLate,
    /// The card itself counted it, and cannot go back.
    #[error("the card itself has counted this sale and cannot go back; ask for a refund")]
    CardCounts,
    /// More than the limit of lines, or none.
    #[error("a refund has 1 to {LINES_MAX} lines")]
    Lines,
    /// The sale has nothing in this category.
    #[error("the sale has nothing in category {0}")]
    UnknownCategory(CategoryId),
    /// More than is left.
    #[error("category {category}: {left} at the most can still be refunded")]
    TooMuch {
        /// The category.
        category: CategoryId,
        /// What is left of it, both parts together.
        left: Cents,
    },
    /// The fund paid nothing of it.
    #[error("the fund paid nothing of that; there is nothing to give back to it")]
    NothingPaid,
    /// A sum is too large.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl UndoRefusal {
    /// The name of the message in `agent/locales`, and the code in the local API.
    #[must_use]
    pub const fn message_id(self) -> &'static str {
        match self {
            Self::UnknownSale => "undo-unknown-sale",
            Self::RequestTaken => "undo-request-taken",
            Self::Terminal(_) => "undo-terminal",
            Self::Reversed => "undo-reversed",
            Self::Refunded => "undo-refunded",
            Self::TooLate => "undo-too-late",
            Self::CardCounts => "undo-card-counts",
            Self::Lines => "undo-lines",
            Self::UnknownCategory(_) => "undo-unknown-category",
            Self::TooMuch { .. } => "undo-too-much",
            Self::NothingPaid => "undo-nothing-paid",
            Self::Money(_) => "undo-too-large",
        }
    }
}

/// What a reversal is decided on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SaleFacts {
    /// The terminal.
    pub terminal: TerminalState,
    /// A reversal names it.
    pub is_reversed: bool,
    /// A refund request names it.
    pub is_refunded: bool,
    /// It was made on this business day.
    pub is_today: bool,
    /// Nothing was debited from the purse since.
    pub is_newest: bool,
    /// Seconds since.
    pub age_s: u64,
}

/// Whether the terminal may write rows that undo something: a pause stops sales, not this.
///
/// # Errors
/// [`UndoRefusal::Terminal`].
pub const fn may_undo(terminal: TerminalState) -> Result<(), UndoRefusal> {
    match terminal {
        TerminalState::Live | TerminalState::Paused => Ok(()),
        TerminalState::NotEnrolled | TerminalState::Revoked | TerminalState::Closed | TerminalState::Quarantined => {
            Err(UndoRefusal::Terminal(terminal))
        }
    }
}

/// Whether a sale may be reversed.
///
/// # Errors
/// The first [`UndoRefusal`] that applies.
pub fn check_reversal(sale: SaleFacts) -> Result<(), UndoRefusal> {
    may_undo(sale.terminal)?;
    if sale.is_reversed {
        return Err(UndoRefusal::Reversed);
    }
    if sale.is_refunded {
        return Err(UndoRefusal::Refunded);
    }
    let in_time = sale.is_today && (sale.is_newest || sale.age_s <= REVERSAL_S_MAX);
    if in_time { Ok(()) } else { Err(UndoRefusal::TooLate) }
}

#[derive(Clone, Copy, Default)]
struct Sum {
    requested: Cents,
    fund: Cents,
}

type Sums = BTreeMap<CategoryId, Sum>;

/// The lines of a refund: what is asked for by category, or all that is left.
///
/// The fund's part is what the sale's own parts say, not the grid's share of today: of what was refunded so far it is
/// always `fund × refunded / requested` of the category, half a cent up, so that the parts of a whole refund are those
/// of the sale.
///
/// # Errors
/// [`UndoRefusal`].
pub fn refund_lines(sale: &[Line], before: &[Line], asked: Option<&[AskedLine]>) -> Result<Vec<Line>, UndoRefusal> {
    let (paid, before) = (sums(sale)?, sums(before)?);
    let left = |category: CategoryId| {
        let back = before.get(&category).copied().unwrap_or_default();
        paid.get(&category).map(|paid| paid.requested.minus_or_zero(back.requested))
    };
    let mut wanted: BTreeMap<CategoryId, Cents> = BTreeMap::new();
    match asked {
        None => wanted.extend(paid.keys().filter_map(|category| Some((*category, left(*category)?)))),
        Some(lines) if lines.is_empty() || lines.len() > LINES_MAX => return Err(UndoRefusal::Lines),
        Some(lines) => {
            for line in lines {
                let sum = wanted.entry(line.category).or_default();
                *sum = sum.plus(line.requested)?;
            }
        }
    }
    let mut lines = Vec::with_capacity(wanted.len());
    for (category, requested) in wanted.into_iter().filter(|(_, requested)| !requested.is_zero()) {
        let left = left(category).ok_or(UndoRefusal::UnknownCategory(category))?;
        if requested > left {
            return Err(UndoRefusal::TooMuch { category, left });
        }
        let whole = paid.get(&category).copied().unwrap_or_default();
        let back = before.get(&category).copied().unwrap_or_default();
        let fund = fund_part(whole, back.requested.plus(requested)?)?.minus_or_zero(back.fund).min(requested);
        lines.push(Line { category, requested, fund, member: requested.minus(fund)? });
    }
    let fund = Cents::sum(lines.iter().map(|line| line.fund))?;
    if fund.is_zero() { Err(UndoRefusal::NothingPaid) } else { Ok(lines) }
}

fn sums(lines: &[Line]) -> Result<Sums, MoneyError> {
    let mut sums = Sums::new();
    for line in lines {
        let sum = sums.entry(line.category).or_default();
        sum.requested = sum.requested.plus(line.requested)?;
        sum.fund = sum.fund.plus(line.fund)?;
    }
    Ok(sums)
}

/// The fund's part of the first `refunded` cents of a category, half a cent up.
fn fund_part(whole: Sum, refunded: Cents) -> Result<Cents, MoneyError> {
    let (fund, refunded, requested) =
        (u128::from(whole.fund.get()), u128::from(refunded.get()), u128::from(whole.requested.get()));
    let twice = fund.saturating_mul(refunded).saturating_mul(2).saturating_add(requested);
    let part = twice.checked_div(requested.saturating_mul(2)).unwrap_or(0);
    Cents::new(u64::try_from(part).map_err(|_| MoneyError::TooLarge)?)
}

#[cfg(test)]
#[path = "undo_tests.rs"]
mod tests;
