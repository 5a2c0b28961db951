//! How a purse's money is divided between the hub and the terminals: so that most purchases find money where the
//! network fails, and the rest can go wherever it is asked for.

use cabas_protocol::{Cents, MoneyError};

/// The share of a purse's unspent money that stays free at the hub, in percent.
pub const FREE_SHARE_PERCENT: u8 = 40;
/// Terminals at which one purse has a slice by allocation: those where the most is expected to be bought.
pub const SLICES_PER_PURSE_MAX: usize = 8;
/// A raise of less is not worth a signature.
pub const RAISE_CENTS_MIN: Cents = match Cents::new(100) {
    Ok(cents) => cents,
    Err(_) => Cents::ZERO,
};

/// A terminal that can be given a slice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Target {
    /// What share of all purchases is expected there, against the others.
    pub weight: u64,
    /// What the purse's slice there still has.
    pub unspent: Cents,
}

/// By how much each slice is to be raised, in the order of `targets`. Never more in all than what is free above the
/// hub's share; a slice that has more than its part keeps it.
///
/// # Errors
/// [`MoneyError::TooLarge`].
pub fn raises(free: Cents, targets: &[Target]) -> Result<Vec<Cents>, MoneyError> {
    let all = Cents::sum(targets.iter().map(|target| target.unspent))?.plus(free)?;
    let kept = all.share(FREE_SHARE_PERCENT)?;
    let (pool, spare) = (all.minus_or_zero(kept), free.minus_or_zero(kept));
    let weights = weights(targets);
    let weight_of_all = weights.iter().copied().fold(0_u64, u64::saturating_add);
    let mut wanted = Vec::with_capacity(targets.len());
    for (target, weight) in targets.iter().zip(&weights) {
        let part = proportion(pool, *weight, weight_of_all)?;
        let want = part.minus_or_zero(target.unspent);
        wanted.push(if want < RAISE_CENTS_MIN { Cents::ZERO } else { want });
    }
    let wanted_in_all = Cents::sum(wanted.iter().copied())?;
    if wanted_in_all <= spare {
        return Ok(wanted);
    }
    wanted.into_iter().map(|want| proportion(spare, want.get(), wanted_in_all.get())).collect()
}

/// The weights; where nothing is expected anywhere, each terminal counts the same.
fn weights(targets: &[Target]) -> Vec<u64> {
    if targets.iter().all(|target| target.weight == 0) {
        targets.iter().map(|_| 1).collect()
    } else {
        targets.iter().map(|target| target.weight).collect()
    }
}

/// `cents * part / whole`, rounded down.
fn proportion(cents: Cents, part: u64, whole: u64) -> Result<Cents, MoneyError> {
    let product = u128::from(cents.get()).saturating_mul(u128::from(part));
    let quotient = product.checked_div(u128::from(whole)).unwrap_or(0);
    Cents::new(u64::try_from(quotient).map_err(|_| MoneyError::TooLarge)?)
}

/// By how much a slice is raised so that it allows at least `level`: as far as the free money goes, and not at all where
/// it allows that much already.
#[must_use]
pub fn raise_to_level(allowed: Cents, level: Cents, free: Cents) -> Cents {
    level.minus_or_zero(allowed).min(free)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a failed unwrap is the test's failure")]
    use proptest::prelude::*;

    use super::*;

    fn cents(cents: u64) -> Cents {
        Cents::new(cents).unwrap()
    }

    fn check(free: u64, targets: &[(u64, u64)], expected: &[u64]) {
        let targets: Vec<_> =
            targets.iter().map(|(weight, unspent)| Target { weight: *weight, unspent: cents(*unspent) }).collect();
        let expected: Vec<_> = expected.iter().map(|raise| cents(*raise)).collect();
        assert_eq!(raises(cents(free), &targets).unwrap(), expected, "{free} {targets:?}");
    }

    #[test]
    fn four_tenths_stay_at_the_hub_and_the_rest_goes_by_weight() {
        check(10_000, &[(1, 0)], &[6_000]);
        check(10_000, &[(3, 0), (1, 0)], &[4_500, 1_500]);
        check(10_000, &[(0, 0), (0, 0)], &[3_000, 3_000]);
        check(10_000, &[], &[]);
    }

    #[test]
    fn a_slice_that_has_its_part_is_not_raised() {
        check(4_000, &[(1, 6_000)], &[0]);
        check(10_000, &[(1, 6_000), (1, 0)], &[0, 3_600]);
        check(0, &[(1, 100), (1, 0)], &[0, 0]);
    }

    #[test]
    fn a_raise_of_less_than_a_euro_is_left() {
        check(330, &[(1, 0), (1, 0)], &[0, 0]);
        check(340, &[(1, 0), (1, 0)], &[102, 102]);
    }

    #[test]
    fn a_level_is_reached_once_and_only_with_free_money() {
        for (allowed, level, free, raise) in
            [(0, 100, 500, 100), (100, 100, 500, 0), (200, 100, 500, 0), (0, 100, 30, 30), (0, 100, 0, 0)]
        {
            assert_eq!(
                raise_to_level(cents(allowed), cents(level), cents(free)),
                cents(raise),
                "{allowed} {level} {free}"
            );
        }
    }

    proptest! {
        #[test]
        fn an_allocation_never_gives_more_than_is_free(
            free in 0u64..=10_000_000,
            targets in prop::collection::vec((0u64..=1_000_000, 0u64..=10_000_000), 0..10),
        ) {
            let targets: Vec<_> =
                targets.iter().map(|(weight, unspent)| Target { weight: *weight, unspent: cents(*unspent) }).collect();
            let raised = raises(cents(free), &targets).unwrap();
            prop_assert_eq!(raised.len(), targets.len());
            let given = Cents::sum(raised.iter().copied()).unwrap();
            let all = Cents::sum(targets.iter().map(|target| target.unspent)).unwrap().plus(cents(free)).unwrap();
            prop_assert!(given <= cents(free).minus_or_zero(all.share(FREE_SHARE_PERCENT).unwrap()));
            // Doing it again with the raises done changes little: what is wanted is a level.
            let after: Vec<_> = targets
                .iter()
                .zip(&raised)
                .map(|(target, raise)| Target { unspent: target.unspent.plus(*raise).unwrap(), ..*target })
                .collect();
            let again = raises(cents(free).minus(given).unwrap(), &after).unwrap();
            prop_assert!(Cents::sum(again).unwrap() <= cents(free).minus(given).unwrap());
        }
    }
}
