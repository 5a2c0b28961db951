//! How a household's money is divided between its purse cards and the purse that its other cards share.

use cabas_protocol::{Cents, MoneyError};

use super::slices::{RAISE_CENTS_MIN, within};

/// A household whose money is divided.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Household<'c> {
    /// What lies free at the hub.
    pub free: Cents,
    /// What lies at terminals, for the cards that share.
    pub at_terminals: Cents,
    /// What each purse card that may spend still has.
    pub cards: &'c [Cents],
    /// True where it has a card that shares, and may spend.
    pub has_shared: bool,
}

/// By how much each purse card is loaded, in the order of the cards: up to one part of everything unspent, where the cards
/// that share are one part more. Never more is loaded than is free, and what a card has too much stays on it.
///
/// # Errors
/// [`MoneyError::TooLarge`].
pub fn loads(household: Household<'_>) -> Result<Vec<Cents>, MoneyError> {
    let Household { free, at_terminals, cards, has_shared } = household;
    let unspent = Cents::sum(cards.iter().copied())?.plus(free)?.plus(at_terminals)?;
    let parts = u64::try_from(cards.len()).unwrap_or(u64::MAX).saturating_add(u64::from(has_shared));
    let part = Cents::new(unspent.get().checked_div(parts).unwrap_or(0))?;
    let worth_it = |load: Cents| if load < RAISE_CENTS_MIN { Cents::ZERO } else { load };
    let wants = cards.iter().map(|left| worth_it(part.minus_or_zero(*left))).collect();
    Ok(within(free, wants)?.into_iter().map(worth_it).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a failed unwrap is the test's failure")]
    use proptest::prelude::*;

    use super::*;

    fn cents(cents: u64) -> Cents {
        Cents::new(cents).unwrap()
    }

    fn loaded(free: u64, at_terminals: u64, cards: &[u64], has_shared: bool) -> Vec<u64> {
        let cards: Vec<_> = cards.iter().map(|left| cents(*left)).collect();
        let household = Household { free: cents(free), at_terminals: cents(at_terminals), cards: &cards, has_shared };
        loads(household).unwrap().iter().map(|load| load.get()).collect()
    }

    #[test]
    fn each_purse_card_is_loaded_up_to_its_part() {
        for (free, at_terminals, cards, has_shared, expected) in [
            // One card and the shared purse: a half each.
            (15_000, 0, &[0][..], true, &[7_500][..]),
            // Two cards alone: everything; three parts with the shared purse.
            (15_000, 0, &[0, 0], false, &[7_500, 7_500]),
            (15_000, 0, &[0, 0], true, &[5_000, 5_000]),
            // What lies at terminals is a part of what is divided.
            (6_000, 9_000, &[0], true, &[6_000]),
            (9_000, 6_000, &[0], true, &[7_500]),
            // A card that has its part, or more, is not loaded; the other one is, as far as the money goes.
            (7_500, 0, &[7_500], true, &[0]),
            (3_000, 0, &[9_000, 1_000], false, &[0, 3_000]),
            // Too little for all: in proportion to what each lacks, and no load of less than a euro.
            (600, 30_000, &[0, 5_000], true, &[380, 219]),
            (300, 30_000, &[0, 5_000], true, &[190, 109]),
            (200, 30_000, &[0, 5_000], true, &[127, 0]),
            // Less than a euro is left.
            (198, 0, &[0], true, &[0]),
            (200, 0, &[0], true, &[100]),
            (0, 0, &[0, 0], true, &[0, 0]),
            (15_000, 0, &[], true, &[]),
        ] {
            assert_eq!(loaded(free, at_terminals, cards, has_shared), expected, "{free} {at_terminals} {cards:?}");
        }
    }

    proptest! {
        #[test]
        fn no_more_is_loaded_than_is_free_nor_above_a_part(
            free in 0..1_000_000_u64,
            at_terminals in 0..1_000_000_u64,
            cards in prop::collection::vec(0..500_000_u64, 0..6),
            has_shared in any::<bool>(),
        ) {
            let first = loaded(free, at_terminals, &cards, has_shared);
            prop_assert_eq!(first.len(), cards.len());
            let all: u64 = first.iter().sum();
            prop_assert!(all <= free);
            let after: Vec<_> = cards.iter().zip(&first).map(|(left, load)| left + load).collect();
            let unspent = free + at_terminals + cards.iter().sum::<u64>();
            let parts = u64::try_from(cards.len()).unwrap() + u64::from(has_shared);
            for (left, load) in after.iter().zip(&first) {
                prop_assert!(*load == 0 || (*left * parts <= unspent && *load >= 100));
            }
        }
    }
}
