//! A recall: the hub asks for money back as a level, and the terminal hands back what is free above it.

use cabas_protocol::{Cents, MoneyError};

/// What lies here of a purse.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Held {
    /// What the balance leaves.
    pub available: Cents,
    /// The counter.
    pub spent: Cents,
    /// What an open sale is about to take.
    pub reserved: Cents,
}

/// A return: a debit like any other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HandedBack {
    /// What goes back.
    pub cents: Cents,
    /// The counter after it.
    pub spent_after: Cents,
}

/// What goes back when at most `keep` may stay, an open sale left alone; nothing where no more than that is here.
///
/// # Errors
/// [`MoneyError`] where the counter cannot hold it.
pub fn hand_back(held: Held, keep: Cents) -> Result<Option<HandedBack>, MoneyError> {
    let cents = held.available.minus_or_zero(held.reserved).minus_or_zero(keep);
    if cents.is_zero() {
        return Ok(None);
    }
    Ok(Some(HandedBack { cents, spent_after: held.spent.plus(cents)? }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use proptest::prelude::*;

    fn held(available: u64, spent: u64, reserved: u64) -> Held {
        let cents = |cents| Cents::new(cents).unwrap();
        Held { available: cents(available), spent: cents(spent), reserved: cents(reserved) }
    }

    #[test]
    fn what_is_above_the_level_and_not_reserved_goes_back() {
        for (available, reserved, keep, back) in [
            (500, 0, 0, Some(500)),
            (500, 0, 200, Some(300)),
            (500, 0, 500, None),
            (500, 0, 501, None),
            (500, 300, 0, Some(200)),
            (500, 300, 100, Some(100)),
            (500, 300, 200, None),
            (500, 900, 0, None),
            (0, 0, 0, None),
        ] {
            let decided = hand_back(held(available, 700, reserved), Cents::new(keep).unwrap()).unwrap();
            let expected = back.map(|back| (back, 700 + back));
            assert_eq!(decided.map(|back| (back.cents.get(), back.spent_after.get())), expected, "{available} {keep}");
        }
    }

    proptest! {
        #[test]
        fn what_stays_is_the_level_and_what_is_reserved(
            available in 0u64..1_000_000, reserved in 0u64..1_000_000, keep in 0u64..1_000_000,
        ) {
            let back = hand_back(held(available, 5, reserved), Cents::new(keep).unwrap()).unwrap();
            let stays = available - back.map_or(0, |back| back.cents.get());
            prop_assert_eq!(stays, available.min(reserved + keep));
        }
    }
}
