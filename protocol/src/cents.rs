//! Money: whole euro cents, never negative, never silently wrong.

use std::fmt;

/// An amount in euro cents, never negative. The ceiling is ISO 8583 field 4 (n12).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Cents(u64);

/// Why an amount cannot be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MoneyError {
    /// The result would pass [`Cents::MAX`].
    #[error("an amount over {} cents cannot be held", Cents::MAX)]
    TooLarge,
    /// The result would be below zero.
    #[error("an amount cannot be negative")]
    Negative,
    /// A covered share over 100 %.
    #[error("a share of {0} % is over 100 %")]
    ShareOver100(u8),
}

impl Cents {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// Twelve digits of cents.
    pub const MAX: u64 = 999_999_999_999;

    /// Makes an amount.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`] over [`Cents::MAX`].
    pub const fn new(cents: u64) -> Result<Self, MoneyError> {
        if cents > Self::MAX { Err(MoneyError::TooLarge) } else { Ok(Self(cents)) }
    }

    /// The number of cents.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// True for nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`] over [`Cents::MAX`].
    pub const fn plus(self, other: Self) -> Result<Self, MoneyError> {
        match self.0.checked_add(other.0) {
            Some(sum) => Self::new(sum),
            None => Err(MoneyError::TooLarge),
        }
    }

    /// The difference.
    ///
    /// # Errors
    /// [`MoneyError::Negative`] where `other` is the larger.
    pub const fn minus(self, other: Self) -> Result<Self, MoneyError> {
        match self.0.checked_sub(other.0) {
            Some(rest) => Ok(Self(rest)),
            None => Err(MoneyError::Negative),
        }
    }

    /// The difference, or nothing where `other` is the larger: what is left of a limit.
    #[must_use]
    pub const fn minus_or_zero(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// `share_percent` of this amount, half a cent up.
    ///
    /// # Errors
    /// [`MoneyError::ShareOver100`] for a share that is none.
    #[expect(clippy::arithmetic_side_effects, clippy::integer_division, reason = "12 digits times 100 fits in u64")]
    pub const fn share(self, share_percent: u8) -> Result<Self, MoneyError> {
        if share_percent > 100 {
            return Err(MoneyError::ShareOver100(share_percent));
        }
        #[expect(clippy::as_conversions, reason = "u8 into u64 in a const fn loses nothing")]
        let share = share_percent as u64;
        Ok(Self((self.0 * share + 50) / 100))
    }

    /// The sum of many.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`] over [`Cents::MAX`].
    pub fn sum(amounts: impl IntoIterator<Item = Self>) -> Result<Self, MoneyError> {
        amounts.into_iter().try_fold(Self::ZERO, Self::plus)
    }
}

/// Euros with two decimals, as programs read it: `12.50`.
impl fmt::Display for Cents {
    #[expect(clippy::integer_division, reason = "euros and cents are a quotient and a rest")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl<C> minicbor::Encode<C> for Cents {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.u64(self.0)?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Cents {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let position = d.position();
        Self::new(d.u64()?).map_err(|e| minicbor::decode::Error::custom(e).at(position))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_ceiling_is_twelve_digits() {
        assert!(Cents::new(Cents::MAX).is_ok());
        assert_eq!(Cents::new(Cents::MAX + 1), Err(MoneyError::TooLarge));
        assert_eq!(Cents(Cents::MAX).plus(Cents(1)), Err(MoneyError::TooLarge));
        assert_eq!(Cents(u64::MAX).plus(Cents(1)), Err(MoneyError::TooLarge));
        assert_eq!(Cents(1).minus(Cents(2)), Err(MoneyError::Negative));
    }

    #[test]
    fn a_share_rounds_half_a_cent_up() {
        for (cents, share, fund) in
            [(1250, 100, 1250), (1, 50, 1), (3, 50, 2), (1001, 70, 701), (5, 30, 2), (4, 30, 1), (999, 0, 0)]
        {
            assert_eq!(Cents(cents).share(share).unwrap(), Cents(fund), "{share} % of {cents}");
        }
        assert_eq!(Cents(1).share(101), Err(MoneyError::ShareOver100(101)));
    }

    #[test]
    fn what_is_left_of_a_limit_is_never_below_nothing() {
        for (limit, used, left) in [(5, 3, 2), (5, 5, 0), (5, 6, 0), (0, u64::MAX, 0)] {
            assert_eq!(Cents(limit).minus_or_zero(Cents(used)), Cents(left));
            assert_eq!(Cents(limit).minus_or_zero(Cents(used)).is_zero(), left == 0);
        }
    }

    #[test]
    fn programs_read_two_decimals() {
        assert_eq!(Cents(5).to_string(), "0.05");
        assert_eq!(Cents(123_450).to_string(), "1234.50");
    }

    #[test]
    fn on_the_wire_an_amount_is_a_number_up_to_the_ceiling() {
        assert_eq!(minicbor::to_vec(Cents(1_250)).unwrap(), [0x19, 0x04, 0xe2]);
        assert_eq!(minicbor::decode::<Cents>(&[0x19, 0x04, 0xe2]).unwrap(), Cents(1_250));
        let too_large = minicbor::to_vec(Cents::MAX + 1).unwrap();
        assert!(minicbor::decode::<Cents>(&too_large).is_err());
    }

    proptest! {
        #[test]
        fn the_parts_of_an_amount_add_up_to_it(cents in 0..=Cents::MAX, share in 0u8..=100) {
            let amount = Cents(cents);
            let fund = amount.share(share).unwrap();
            let member = amount.minus(fund).unwrap();
            prop_assert_eq!(fund.plus(member).unwrap(), amount);
        }

        #[test]
        fn a_share_is_the_nearest_cent_and_of_two_the_upper(cents in 0..=Cents::MAX, share in 0u8..=100) {
            let (exact, fund) = (i128::from(cents) * i128::from(share), Cents(cents).share(share).unwrap());
            let over = i128::from(fund.get()) * 100 - exact;
            prop_assert!(-50 < over && over <= 50, "{over} hundredths of a cent too much");
        }

        #[test]
        fn a_sum_is_all_of_it_or_an_error(amounts in prop::collection::vec(0..=Cents::MAX, 0..8)) {
            let exact: u128 = amounts.iter().copied().map(u128::from).sum();
            match Cents::sum(amounts.iter().copied().map(Cents)) {
                Ok(sum) => prop_assert_eq!(u128::from(sum.get()), exact),
                Err(error) => prop_assert!(error == MoneyError::TooLarge && exact > u128::from(Cents::MAX)),
            }
        }

        #[test]
        fn minus_undoes_plus(a in 0..=Cents::MAX, b in 0..=Cents::MAX) {
            if let Ok(sum) = Cents(a).plus(Cents(b)) {
                prop_assert_eq!(sum.minus(Cents(b)).unwrap(), Cents(a));
            } else {
                prop_assert!(a + b > Cents::MAX);
            }
        }
    }
}
