//! A settlement: what each shop is owed up to a row, and why.

use cabas_protocol::{Cents, MoneyError, Timestamp};

/// What the rows of one shop come to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sums {
    /// Sales of which at least a part is settled.
    pub sales: u32,
    /// What of them is settled.
    pub settled: Cents,
    /// Those of them that happened before the settlement before this one was closed.
    pub late_sales: u32,
    /// What of these is settled.
    pub late: Cents,
    /// Sales with an over-right part.
    pub over_right_sales: u32,
    /// What of them is over the right: not paid.
    pub over_right: Cents,
    /// Sales that do not fit their journal's chain: not paid.
    pub disputed_sales: u32,
    /// What they claim.
    pub disputed: Cents,
    /// Sales that were undone.
    pub reversals: u32,
    /// What was settled of them: taken back.
    pub reversed: Cents,
    /// Refunds that were granted.
    pub refunds: u32,
    /// What they come to: taken back.
    pub refunded: Cents,
    /// Sales that only cards told of, of which at least a part is paid.
    pub brought_sales: u32,
    /// What of them is paid.
    pub brought: Cents,
    /// Payouts of settlements before that came back, or were never made.
    pub returns: u32,
    /// What they come to: paid here.
    pub returned: Cents,
}

/// One sale of a shop.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SettledRow {
    /// What of it is settled.
    pub settled: Cents,
    /// What of it is over the right.
    pub over_right: Cents,
    /// When it happened, where the terminal's clock could be believed.
    pub happened_at: Option<Timestamp>,
}

impl Sums {
    /// Adds a sale. It is late where it happened before `closed_before`, the moment of the settlement before this one.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn add(&mut self, row: SettledRow, closed_before: Option<Timestamp>) -> Result<(), MoneyError> {
        if !row.settled.is_zero() {
            self.sales = self.sales.saturating_add(1);
            self.settled = self.settled.plus(row.settled)?;
            if matches!((row.happened_at, closed_before), (Some(at), Some(closed)) if at < closed) {
                self.late_sales = self.late_sales.saturating_add(1);
                self.late = self.late.plus(row.settled)?;
            }
        }
        if !row.over_right.is_zero() {
            self.over_right_sales = self.over_right_sales.saturating_add(1);
            self.over_right = self.over_right.plus(row.over_right)?;
        }
        Ok(())
    }

    /// Adds a sale that does not fit its journal's chain.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn add_disputed(&mut self, claimed: Cents) -> Result<(), MoneyError> {
        self.disputed_sales = self.disputed_sales.saturating_add(1);
        self.disputed = self.disputed.plus(claimed)?;
        Ok(())
    }

    /// Adds a reversal and what it took back.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn add_reversal(&mut self, taken_back: Cents) -> Result<(), MoneyError> {
        if !taken_back.is_zero() {
            self.reversals = self.reversals.saturating_add(1);
            self.reversed = self.reversed.plus(taken_back)?;
        }
        Ok(())
    }

    /// Adds a refund that was granted.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn add_refund(&mut self, cents: Cents) -> Result<(), MoneyError> {
        self.refunds = self.refunds.saturating_add(1);
        self.refunded = self.refunded.plus(cents)?;
        Ok(())
    }

    /// Adds a sale that only a card told of.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn add_brought(&mut self, settled: Cents, over_right: Cents) -> Result<(), MoneyError> {
        if !settled.is_zero() {
            self.brought_sales = self.brought_sales.saturating_add(1);
            self.brought = self.brought.plus(settled)?;
        }
        if !over_right.is_zero() {
            self.over_right_sales = self.over_right_sales.saturating_add(1);
            self.over_right = self.over_right.plus(over_right)?;
        }
        Ok(())
    }

    /// Adds a payout that came back.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn add_returned(&mut self, cents: Cents) -> Result<(), MoneyError> {
        self.returns = self.returns.saturating_add(1);
        self.returned = self.returned.plus(cents)?;
        Ok(())
    }

    /// What is paid for, and what was paid before and came back.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn earned(&self) -> Result<Cents, MoneyError> {
        self.settled.plus(self.brought)?.plus(self.returned)
    }

    /// What reversals and refunds take back.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub const fn taken_back(&self) -> Result<Cents, MoneyError> {
        self.reversed.plus(self.refunded)
    }

    /// True where there is nothing to tell the shop.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is paid out, and what is carried to the next settlement because it is below nothing.
///
/// # Errors
/// [`MoneyError::TooLarge`].
pub fn payout(earned: Cents, taken_back: Cents, carried: Cents) -> Result<(Cents, Cents), MoneyError> {
    let off = taken_back.plus(carried)?;
    Ok((earned.minus_or_zero(off), off.minus_or_zero(earned)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    fn cents(cents: u64) -> Cents {
        Cents::new(cents).unwrap()
    }

    #[test]
    fn a_sale_before_the_last_closing_is_late_and_paid_all_the_same() {
        let closed = Some(Timestamp::new(1_000));
        for (happened_at, closed, late) in
            [(Some(999), closed, 1), (Some(1_000), closed, 0), (None, closed, 0), (Some(999), None, 0)]
        {
            let mut sums = Sums::default();
            let happened_at = happened_at.map(Timestamp::new);
            sums.add(SettledRow { settled: cents(50), over_right: Cents::ZERO, happened_at }, closed).unwrap();
            assert_eq!((sums.sales, sums.settled, sums.late_sales), (1, cents(50), late), "{happened_at:?} {closed:?}");
        }
    }

    #[test]
    fn a_sale_may_be_settled_in_part() {
        let mut sums = Sums::default();
        let row = SettledRow { settled: cents(30), over_right: cents(20), happened_at: None };
        sums.add(row, None).unwrap();
        assert_eq!((sums.sales, sums.settled), (1, cents(30)));
        assert_eq!((sums.over_right_sales, sums.over_right), (1, cents(20)));
    }

    #[test]
    fn each_kind_of_row_is_counted_where_it_belongs_and_moves_what_is_owed() {
        let owed = |sums: &Sums| (sums.earned().unwrap().get(), sums.taken_back().unwrap().get());
        type Add = fn(&mut Sums);
        let disputed: Add = |sums| sums.add_disputed(cents(70)).unwrap();
        let cases: [(Add, Sums, (u64, u64)); 6] = [
            (disputed, Sums { disputed_sales: 1, disputed: cents(70), ..Sums::default() }, (0, 0)),
            (
                |sums| sums.add_reversal(cents(40)).unwrap(),
                Sums { reversals: 1, reversed: cents(40), ..Sums::default() },
                (0, 40),
            ),
            (
                |sums| sums.add_refund(cents(30)).unwrap(),
                Sums { refunds: 1, refunded: cents(30), ..Sums::default() },
                (0, 30),
            ),
            (
                |sums| sums.add_brought(cents(60), Cents::ZERO).unwrap(),
                Sums { brought_sales: 1, brought: cents(60), ..Sums::default() },
                (60, 0),
            ),
            (
                |sums| sums.add_brought(Cents::ZERO, cents(5)).unwrap(),
                Sums { over_right_sales: 1, over_right: cents(5), ..Sums::default() },
                (0, 0),
            ),
            (
                |sums| sums.add_returned(cents(90)).unwrap(),
                Sums { returns: 1, returned: cents(90), ..Sums::default() },
                (90, 0),
            ),
        ];
        for (add, expected, moved) in cases {
            let mut sums = Sums::default();
            add(&mut sums);
            assert_eq!((sums, owed(&sums), sums.is_empty()), (expected, moved, false));
        }
        let mut nothing = Sums::default();
        nothing.add_reversal(Cents::ZERO).unwrap();
        nothing.add_brought(Cents::ZERO, Cents::ZERO).unwrap();
        assert!(nothing.is_empty(), "what moves nothing is not told");
    }

    #[test]
    fn what_is_below_nothing_is_carried() {
        for (settled, taken_back, carried, expected) in [
            (100, 0, 0, (100, 0)),
            (100, 30, 20, (50, 0)),
            (100, 90, 20, (0, 10)),
            (0, 0, 10, (0, 10)),
            (0, 0, 0, (0, 0)),
        ] {
            let (paid, on) = payout(cents(settled), cents(taken_back), cents(carried)).unwrap();
            assert_eq!((paid.get(), on.get()), expected, "{settled} - {taken_back} - {carried}");
        }
    }
}
