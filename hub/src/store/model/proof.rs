//! What is told of purse cards: what they proved, what they carried, what was given back.

use cabas_protocol::{Cents, Epoch, MoneyError, Seq, TerminalId, Timestamp};

use crate::core::card_proof::Proof;
use crate::core::claims::Stretch;

/// A card's transactions, as far as rows tell of them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CardProofs {
    /// The highest counter that was told of.
    pub counter: u32,
    /// Counters below it that nobody told of: rows that are still to come, or transactions that nobody learned the end of.
    pub unheard: u32,
    /// Sales whose answer never came.
    pub without_answer: u32,
    /// Rows that the card refutes.
    pub refuted: u32,
}

/// A row whose card did not prove what it says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CardFlag {
    /// The number printed on the card.
    pub card: u32,
    /// The terminal whose row it is.
    pub terminal: TerminalId,
    /// Its epoch.
    pub epoch: Epoch,
    /// The row.
    pub seq: Seq,
    /// What it claims.
    pub cents: Cents,
    /// What of it is paid.
    pub settled: Cents,
    /// The card's counter that it names.
    pub counter: Option<u32>,
    /// What is wrong.
    pub proof: Proof,
    /// When it came.
    pub received_at: Timestamp,
}

/// What cards told of a terminal's sales.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CarriedReport {
    /// The terminal.
    pub terminal: TerminalId,
    /// Every record, by epoch and row.
    pub records: Vec<CarriedView>,
    /// Records that its own rows tell of too.
    pub told: u32,
    /// Their sum.
    pub told_cents: Cents,
    /// Records that wait for its rows, or for the closing of its epoch.
    pub provisional: u32,
    /// Their sum.
    pub provisional_cents: Cents,
    /// Records that were booked without its rows.
    pub booked: u32,
    /// What of them was paid.
    pub booked_cents: Cents,
    /// Records that it did not make.
    pub refuted: u32,
    /// What all cards counted and nobody told of: its sales may be among them.
    pub unclaimed: Cents,
    /// Of so many cards.
    pub unclaimed_cards: u32,
    /// Cards that no other terminal has seen since it called last: they may still bring records of it.
    pub unseen_cards: u32,
}

/// A record that a card brought.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CarriedView {
    /// The epoch of the terminal that sold.
    pub epoch: Epoch,
    /// The row that announced the debit.
    pub seq: Seq,
    /// The number printed on the card.
    pub card: u32,
    /// What was debited.
    pub cents: Cents,
    /// The card's counter after it.
    pub spent_after: Cents,
    /// When, by the terminal's clock.
    pub sold_at: Timestamp,
    /// Whether the terminal made it.
    pub proof: Proof,
    /// What of it was paid without the terminal's row; none where it was not booked.
    pub booked: Option<Cents>,
    /// True where the terminal's own row has come.
    pub is_told: bool,
}

impl CarriedReport {
    /// Adds a record.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn add(&mut self, view: CarriedView) -> Result<(), MoneyError> {
        let (count, sum, cents) = match (view.proof.is_flagged(), view.booked, view.is_told) {
            (true, ..) => (&mut self.refuted, None, Cents::ZERO),
            (false, Some(settled), _) => (&mut self.booked, Some(&mut self.booked_cents), settled),
            (false, None, true) => (&mut self.told, Some(&mut self.told_cents), view.cents),
            (false, None, false) => (&mut self.provisional, Some(&mut self.provisional_cents), view.cents),
        };
        *count = count.saturating_add(1);
        if let Some(sum) = sum {
            *sum = sum.plus(cents)?;
        }
        self.records.push(view);
        Ok(())
    }
}

/// What a card counted as spent and no shop claims.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnclaimedView {
    /// Above this cent of its counter.
    pub from: Cents,
    /// Up to this one.
    pub to: Cents,
    /// Records that reach into it: terminal, epoch, row, cents.
    pub told: Vec<(TerminalId, Epoch, Seq, Cents)>,
}

/// A repayment as one person proposes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RepaymentOrder {
    /// The number printed on the card.
    pub card: u32,
    /// The stretch of its counter.
    pub stretch: Stretch,
    /// Why.
    pub reason: String,
    /// Who says so.
    pub by: String,
}

/// A repayment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RepaymentView {
    /// Its number.
    pub id: u64,
    /// The number printed on the card.
    pub card: u32,
    /// Above this cent of its counter.
    pub from: Cents,
    /// Up to this one.
    pub to: Cents,
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
