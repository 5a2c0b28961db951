//! What a row does with money, by what it says; whether it has the right to is for the claim rule.

use cabas_protocol::row::{Sale, Tier};
use cabas_protocol::{Cents, PurseRef, RowBody, Seq, Serial};

use super::claims::Stretch;
use super::ledger::{OverRight, TransferKind};

/// What a row claims of a slice, or of a purse card.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Claim {
    /// Whose money.
    pub purse: PurseRef,
    /// The balance that it names.
    pub serial: Serial,
    /// The stretch of its counter.
    pub stretch: Stretch,
    /// Where the money goes; a [`TransferKind::CardSale`] claims of the card, the others of the terminal's slice.
    pub kind: TransferKind,
}

/// A sale that a row undoes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Undo {
    /// Whose money.
    pub purse: PurseRef,
    /// The sale's row in the same journal.
    pub sale: Seq,
    /// The stretch of the reversed counter.
    pub stretch: Stretch,
}

/// What is known of a sale that a row would undo.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SaleFacts {
    /// Whose money.
    pub purse: PurseRef,
    /// The fund's part.
    pub cents: Cents,
    /// What of it was settled.
    pub settled: Cents,
    /// True where it was undone before.
    pub is_undone: bool,
}

impl Undo {
    /// What goes back from the shop: the settled part of the sale, for the rest was never paid. `counter` is how far
    /// earlier reversals took the reversed counter.
    ///
    /// # Errors
    /// Why the row undoes nothing.
    pub fn judge(&self, sale: Option<SaleFacts>, counter: Cents) -> Result<Cents, OverRight> {
        let sale = sale.filter(|sale| (sale.purse, sale.cents) == (self.purse, self.stretch.cents()));
        match sale {
            None => Err(OverRight::NothingToUndo),
            Some(sale) if sale.is_undone => Err(OverRight::UndoneBefore),
            Some(_) if self.stretch.from() < counter => Err(OverRight::AlreadyClaimed),
            Some(sale) => Ok(sale.settled),
        }
    }
}

/// What a row does with money.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    /// Nothing.
    None,
    /// It claims a stretch of a slice or of a purse card.
    Claim(Claim),
    /// It undoes a sale.
    Undo(Undo),
    /// It asks for a refund, which is decided apart: the row itself moves nothing.
    Ask,
    /// It claims what no counter can give it.
    Over(Cents, OverRight),
}

/// What a row does with money.
#[must_use]
pub fn effect(body: &RowBody) -> Effect {
    match body {
        RowBody::Sale(sale) => sale_effect(sale),
        RowBody::Return(returned) => match Stretch::ending_at(returned.spent_after, returned.cents) {
            Ok(_) if returned.cents.is_zero() => Effect::None,
            Ok(stretch) => Effect::Claim(Claim {
                purse: returned.purse,
                serial: returned.serial,
                stretch,
                kind: TransferKind::Return,
            }),
            Err(_) => Effect::Over(returned.cents, OverRight::AboveAllowed),
        },
        RowBody::Reversal(reversal) => match Stretch::ending_at(reversal.reversed_after, reversal.cents) {
            Ok(stretch) => Effect::Undo(Undo { purse: reversal.purse, sale: reversal.sale, stretch }),
            Err(_) => Effect::Over(Cents::ZERO, OverRight::NothingToUndo),
        },
        RowBody::RefundRequest(_) => Effect::Ask,
        RowBody::Start(_)
        | RowBody::ListApplied(_)
        | RowBody::Intent(_)
        | RowBody::InDoubt(_)
        | RowBody::DoubtResolved(_)
        | RowBody::Courier(_)
        | RowBody::Close(_)
        | RowBody::CashierChange(_)
        | RowBody::Training(_)
        | RowBody::ClockSet(_)
        | RowBody::Configured(_)
        | RowBody::CardWritten(_)
        | RowBody::Unknown { .. } => Effect::None,
    }
}

fn sale_effect(sale: &Sale) -> Effect {
    let cents = sale.fund_cents().unwrap_or(Cents::ZERO);
    let kind = match sale.tier {
        // A purse card counts by itself: its balance has the scope of the card, and no slice has a part in it.
        Tier::Purse => TransferKind::CardSale,
        Tier::Identity | Tier::Plain => TransferKind::Sale,
    };
    match Stretch::ending_at(sale.spent_after, cents) {
        Ok(stretch) => Effect::Claim(Claim { purse: sale.purse, serial: sale.serial, stretch, kind }),
        Err(_) => Effect::Over(cents, OverRight::AboveAllowed),
    }
}

/// What a row claims, whether it has a right to it or not.
#[must_use]
pub fn claimed(body: &RowBody) -> Cents {
    match effect(body) {
        Effect::Claim(claim) => claim.stretch.cents(),
        Effect::Over(cents, _) => cents,
        Effect::Undo(_) | Effect::Ask | Effect::None => Cents::ZERO,
    }
}
