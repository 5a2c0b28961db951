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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use cabas_protocol::row::{Return, Reversal};

    use super::*;

    fn cents(cents: u64) -> Cents {
        Cents::new(cents).unwrap()
    }

    fn purse(number: u8) -> PurseRef {
        PurseRef::new([number; 8])
    }

    #[test]
    fn a_reversal_takes_back_what_was_settled_of_its_own_sale_once() {
        let stretch = Stretch::between(cents(100), cents(400)).unwrap();
        let undo = Undo { purse: purse(1), sale: Seq::new(7), stretch };
        let sale = SaleFacts { purse: purse(1), cents: cents(300), settled: cents(250), is_undone: false };
        for (sale, counter, expected) in [
            (Some(sale), 0, Ok(cents(250))),
            (Some(sale), 99, Ok(cents(250))),
            (Some(sale), 100, Ok(cents(250))),
            (Some(sale), 101, Err(OverRight::AlreadyClaimed)),
            (Some(SaleFacts { is_undone: true, ..sale }), 0, Err(OverRight::UndoneBefore)),
            (Some(SaleFacts { purse: purse(2), ..sale }), 0, Err(OverRight::NothingToUndo)),
            (Some(SaleFacts { cents: cents(299), ..sale }), 0, Err(OverRight::NothingToUndo)),
            (None, 0, Err(OverRight::NothingToUndo)),
        ] {
            assert_eq!(undo.judge(sale, cents(counter)), expected, "{sale:?} {counter}");
        }
    }

    #[test]
    fn a_return_of_nothing_claims_nothing_and_one_of_more_than_was_counted_is_over_the_right() {
        let returned = |amount, spent_after| {
            RowBody::Return(Return {
                purse: purse(1),
                cents: cents(amount),
                spent_after: cents(spent_after),
                serial: Serial::new(3),
                request: None,
            })
        };
        assert_eq!(effect(&returned(0, 500)), Effect::None);
        let stretch = Stretch::between(cents(300), cents(500)).unwrap();
        let claim = Claim { purse: purse(1), serial: Serial::new(3), stretch, kind: TransferKind::Return };
        assert_eq!(effect(&returned(200, 500)), Effect::Claim(claim));
        assert_eq!(effect(&returned(501, 500)), Effect::Over(cents(501), OverRight::AboveAllowed));
        assert_eq!(claimed(&returned(200, 500)), cents(200));
        assert_eq!(claimed(&returned(501, 500)), cents(501));
        let reversal = Reversal {
            stan: cabas_protocol::Stan::new(1).unwrap(),
            sale: Seq::new(7),
            purse: purse(1),
            cents: cents(20),
            reversed_after: cents(20),
        };
        assert_eq!(claimed(&RowBody::Reversal(reversal)), Cents::ZERO, "it gives back");
    }
}
