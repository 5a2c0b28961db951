//! A settlement's statement beside the terminal's own rows: which are paid, which are not and why, and where both differ.

use std::collections::BTreeMap;

use cabas_protocol::statement::{LineKind, SettlementStatement, StatementLine};
use cabas_protocol::{Cents, Epoch, Hash, Seq, TerminalId};

/// Whose rows they are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Own {
    /// The terminal.
    pub terminal: TerminalId,
    /// Its enrolment.
    pub epoch: Epoch,
}

/// A row of one's own that a statement may name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OwnRow {
    /// What it is: a sale, a reversal, or a refund that was asked for.
    pub kind: LineKind,
    /// The fund's part of it.
    pub fund: Cents,
}

/// How one row stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The statement has it with the same amount, and all of it counts.
    Same,
    /// The statement has it with the same amount; not all of it counts, for the reason of this number.
    Unpaid(u16),
    /// The row lies in what the settlement counts, and the statement does not have it.
    Missing,
    /// The statement has it with another amount, or as something else.
    Differs,
    /// The statement names a row of this enrolment that is not in this journal.
    Unknown,
    /// A row that does not fit this journal: a copy's, or a forgery. It is not paid.
    Disputed,
    /// Only a card told of it; it is paid where the row is not in the journal any more.
    Brought,
}

impl Verdict {
    /// True where statement and journal contradict each other.
    #[must_use]
    pub const fn is_wrong(self) -> bool {
        match self {
            Self::Missing | Self::Differs | Self::Unknown => true,
            Self::Same | Self::Unpaid(_) | Self::Disputed | Self::Brought => false,
        }
    }
}

/// One row, beside the statement's line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Compared {
    /// The row.
    pub seq: Seq,
    /// What it is.
    pub kind: LineKind,
    /// What the journal says; nothing where it has no such row.
    pub own: Option<Cents>,
    /// What counts by the statement.
    pub settled: Cents,
    /// What does not.
    pub unpaid: Cents,
    /// How it stands.
    pub verdict: Verdict,
}

/// What a comparison found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Comparison {
    /// Each row of one's own in what the settlement counts, and each line that names this enrolment, by kind and row.
    pub rows: Vec<Compared>,
    /// Lines of other enrolments of the shop: theirs to check.
    pub lines_of_others: usize,
    /// The hub counted other rows than this journal has: its hash at the cut is another one, or there is none.
    pub other_past: Option<Seq>,
    /// Sales of this journal above the cut: for a later settlement.
    pub later_sales: usize,
    /// What they come to, as far as it can be held.
    pub later: Cents,
    /// Payout and what is carried on follow from the lines.
    pub adds_up: bool,
}

impl Comparison {
    /// True where the statement is what this journal says.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.adds_up && self.other_past.is_none() && !self.rows.iter().any(|row| row.verdict.is_wrong())
    }
}

/// Compares a statement with the rows of one enrolment. `hash_at` gives the hash of an own row.
#[must_use]
pub fn compare(
    own: Own,
    rows: &BTreeMap<Seq, OwnRow>,
    hash_at: impl Fn(Seq) -> Option<Hash>,
    statement: &SettlementStatement,
) -> Comparison {
    let part = statement.parts.iter().find(|part| (part.terminal, part.epoch) == (own.terminal, own.epoch));
    let is_mine = |line: &&StatementLine| (line.origin.terminal, line.origin.epoch) == (own.terminal, own.epoch);
    let mine: Vec<&StatementLine> = statement.lines.iter().filter(is_mine).collect();
    let mut found = Comparison {
        lines_of_others: statement.lines.len().saturating_sub(mine.len()),
        other_past: part.filter(|part| hash_at(part.upto) != Some(part.hash)).map(|part| part.upto),
        adds_up: statement.adds_up() == Ok(true),
        ..Comparison::default()
    };
    let is_cut = |seq: Seq| part.is_some_and(|part| part.after < seq && seq <= part.upto);
    let mut told = BTreeMap::new();
    for line in mine {
        let row = rows.get(&line.origin.seq).copied();
        let again = told.insert((line.kind, line.origin.seq), ()).is_some();
        let verdict = if again { Verdict::Differs } else { judge(line, row, is_cut(line.origin.seq)) };
        let own = row.filter(|row| row.kind == line.kind).map(|row| row.fund);
        let (seq, kind, settled, unpaid) = (line.origin.seq, line.kind, line.settled, line.unpaid);
        found.rows.push(Compared { seq, kind, own, settled, unpaid, verdict });
    }
    for (seq, row) in rows {
        let counts = matches!(row.kind, LineKind::Sale | LineKind::Reversal);
        if counts && is_cut(*seq) && !told.contains_key(&(row.kind, *seq)) {
            found.rows.push(Compared {
                seq: *seq,
                kind: row.kind,
                own: Some(row.fund),
                settled: Cents::ZERO,
                unpaid: Cents::ZERO,
                verdict: Verdict::Missing,
            });
        }
        if row.kind == LineKind::Sale && part.is_none_or(|part| *seq > part.upto) {
            found.later_sales = found.later_sales.saturating_add(1);
            found.later = found.later.plus(row.fund).unwrap_or(found.later);
        }
    }
    found.rows.sort_by_key(|row| (row.kind, row.seq));
    found
}

fn judge(line: &StatementLine, own: Option<OwnRow>, is_cut: bool) -> Verdict {
    match line.kind {
        LineKind::Disputed => return Verdict::Disputed,
        LineKind::Brought => return Verdict::Brought,
        LineKind::Sale | LineKind::Reversal | LineKind::Refund => {}
    }
    let Some(own) = own else { return Verdict::Unknown };
    // A refund counts where it was granted, which may be long after its row.
    let in_place = is_cut || line.kind == LineKind::Refund;
    let amount = match line.kind {
        // A reversal takes back what was settled of its sale: of one that was not paid, nothing.
        LineKind::Reversal => line.settled <= own.fund,
        LineKind::Sale | LineKind::Refund | LineKind::Disputed | LineKind::Brought => {
            line.settled.plus(line.unpaid) == Ok(own.fund)
        }
    };
    if own.kind != line.kind || !in_place || !amount {
        Verdict::Differs
    } else if line.unpaid.is_zero() {
        Verdict::Same
    } else {
        Verdict::Unpaid(line.why)
    }
}

/// Why a row is not paid, in words (`hub/ledger.md`).
#[must_use]
pub const fn reason(why: u16) -> &'static str {
    match why {
        1 => "above what the signed balance allowed",
        2 => "claimed before by another row",
        3 => "a purse that the hub does not know",
        4 => "no balance of this purse at this terminal",
        5 => "a balance that was never signed",
        6 => "it came after the enrolment was closed",
        7 => "it does not fit the journal",
        9 => "no such sale to undo",
        10 => "its sale was undone before",
        13 => "its sale was refunded before",
        14 => "the card's money had gone back to the household",
        15 => "the card did not prove it",
        _ => "a reason that this program does not know; ask the fund",
    }
}

#[cfg(test)]
#[path = "statement_tests.rs"]
mod tests;
