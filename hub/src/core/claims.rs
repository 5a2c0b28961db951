//! The claim rule: each cent of a counter, a slice's or a purse card's, is settled once, and only up to what the named
//! serial allowed.
//!
//! A row claims a stretch of the counter. What of it was claimed before, or lies above what was allowed, is over-right.
//! A counter that jumps leaves a hole below it, which stays claimable, once.

use cabas_protocol::{Cents, MoneyError};

use super::ledger::OverRight;

/// Holes of one slice that stay claimable. An honest journal makes none, for it is dense; past the limit the lowest is
/// given up: what is claimed in it later is over-right.
pub const HOLES_MAX: usize = 256;

/// A stretch of a counter: above `from`, up to and with `to`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Stretch {
    from: Cents,
    to: Cents,
}

impl Stretch {
    /// The stretch that ends at `spent_after`.
    ///
    /// # Errors
    /// [`MoneyError::Negative`] where the counter would have started below nothing.
    pub fn ending_at(spent_after: Cents, cents: Cents) -> Result<Self, MoneyError> {
        Ok(Self { from: spent_after.minus(cents)?, to: spent_after })
    }

    /// A stretch of its two ends; nothing where it would be empty.
    #[must_use]
    pub fn between(from: Cents, to: Cents) -> Option<Self> {
        (from < to).then_some(Self { from, to })
    }

    /// Where it starts.
    #[must_use]
    pub const fn from(self) -> Cents {
        self.from
    }

    /// Where it ends.
    #[must_use]
    pub const fn to(self) -> Cents {
        self.to
    }

    /// How long it is.
    #[must_use]
    pub const fn cents(self) -> Cents {
        self.to.minus_or_zero(self.from)
    }

    fn common(self, other: Self) -> Option<Self> {
        Self::between(self.from.max(other.from), self.to.min(other.to))
    }
}

/// What of a slice's counter was claimed: everything up to `to` but the holes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Claimed {
    to: Cents,
    holes: Vec<Stretch>,
}

/// What became of a claim. The three add up to it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Judgement {
    /// Settled.
    pub settled: Cents,
    /// Claimed before by another row.
    pub claimed_before: Cents,
    /// Above what the serial allowed.
    pub above_allowed: Cents,
}

impl Judgement {
    /// What is not settled.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub const fn over_right(self) -> Result<Cents, MoneyError> {
        self.claimed_before.plus(self.above_allowed)
    }

    /// Why not all of it is settled.
    #[must_use]
    pub const fn why(self) -> Option<OverRight> {
        if !self.claimed_before.is_zero() {
            Some(OverRight::AlreadyClaimed)
        } else if !self.above_allowed.is_zero() {
            Some(OverRight::AboveAllowed)
        } else {
            None
        }
    }
}

impl Claimed {
    /// What was stored: `holes` lie below `to`, in ascending order, apart from each other.
    #[must_use]
    pub const fn new(to: Cents, holes: Vec<Stretch>) -> Self {
        Self { to, holes }
    }

    /// The highest cent that was claimed.
    #[must_use]
    pub const fn to(&self) -> Cents {
        self.to
    }

    /// What stays claimable below it.
    #[must_use]
    pub fn holes(&self) -> &[Stretch] {
        &self.holes
    }

    /// Claims a stretch under a serial that allowed `allowed`.
    ///
    /// # Errors
    /// [`MoneyError`] where the amounts cannot be held; then nothing is claimed.
    pub fn claim(&mut self, stretch: Stretch, allowed: Cents) -> Result<Judgement, MoneyError> {
        let Some(right) = Stretch::between(stretch.from, stretch.to.min(allowed)) else {
            return Ok(Judgement { above_allowed: stretch.cents(), ..Judgement::default() });
        };
        let (mut settled, mut holes) = fill(&self.holes, right)?;
        let mut to = self.to;
        if let Some(new) = Stretch::between(right.from.max(to), right.to) {
            holes.extend(Stretch::between(to, right.from));
            settled = settled.plus(new.cents())?;
            to = right.to;
        }
        let too_many = holes.len().saturating_sub(HOLES_MAX);
        holes.drain(..too_many);
        (self.to, self.holes) = (to, holes);
        Ok(Judgement {
            settled,
            claimed_before: right.cents().minus(settled)?,
            above_allowed: stretch.cents().minus(right.cents())?,
        })
    }
}

/// Takes out of the holes what a stretch covers: how much that was, and the holes that remain.
fn fill(holes: &[Stretch], stretch: Stretch) -> Result<(Cents, Vec<Stretch>), MoneyError> {
    let mut filled = Cents::ZERO;
    let mut rest = Vec::with_capacity(holes.len().saturating_add(1));
    for hole in holes {
        match hole.common(stretch) {
            Some(common) => {
                filled = filled.plus(common.cents())?;
                rest.extend(Stretch::between(hole.from, common.from));
                rest.extend(Stretch::between(common.to, hole.to));
            }
            None => rest.push(*hole),
        }
    }
    Ok((filled, rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a failed unwrap is the test's failure")]
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn cents(cents: u64) -> Cents {
        Cents::new(cents).unwrap()
    }

    fn stretch(from: u64, to: u64) -> Stretch {
        Stretch::between(cents(from), cents(to)).unwrap()
    }

    /// From, to, allowed.
    type Asked = (u64, u64, u64);
    /// Settled, claimed before, above allowed.
    type Got = (u64, u64, u64);

    /// Claims one after the other.
    fn check(claims: &[(Asked, Got)]) -> Claimed {
        let mut claimed = Claimed::default();
        for ((from, to, allowed), (settled, claimed_before, above_allowed)) in claims {
            let expected = Judgement {
                settled: cents(*settled),
                claimed_before: cents(*claimed_before),
                above_allowed: cents(*above_allowed),
            };
            assert_eq!(claimed.claim(stretch(*from, *to), cents(*allowed)).unwrap(), expected, "({from}, {to}]");
        }
        claimed
    }

    #[test]
    fn a_counter_that_rises_by_what_is_sold_settles_all_of_it() {
        let claimed = check(&[((0, 30, 100), (30, 0, 0)), ((30, 100, 100), (70, 0, 0))]);
        assert_eq!(claimed, Claimed::new(cents(100), vec![]));
    }

    #[test]
    fn no_cent_is_settled_twice() {
        check(&[((0, 30, 100), (30, 0, 0)), ((0, 30, 100), (0, 30, 0)), ((20, 50, 100), (20, 10, 0))]);
    }

    #[test]
    fn what_lies_above_the_named_serial_is_over_right() {
        check(&[((0, 30, 20), (20, 0, 10)), ((30, 40, 20), (0, 0, 10)), ((10, 30, 20), (0, 10, 10))]);
    }

    #[test]
    fn over_right_cents_stay_claimable_under_a_higher_serial() {
        let claimed = check(&[((0, 30, 20), (20, 0, 10)), ((30, 50, 60), (20, 0, 0)), ((20, 30, 60), (10, 0, 0))]);
        assert_eq!(claimed, Claimed::new(cents(50), vec![]));
    }

    #[test]
    fn a_hole_is_claimable_once() {
        let claimed = check(&[
            ((50, 60, 100), (10, 0, 0)),
            ((10, 20, 100), (10, 0, 0)),
            ((0, 30, 100), (20, 10, 0)),
            ((0, 60, 100), (20, 40, 0)),
            ((0, 60, 100), (0, 60, 0)),
        ]);
        assert_eq!(claimed.holes(), []);
    }

    #[test]
    fn past_the_limit_the_lowest_hole_is_given_up() {
        let mut claimed = Claimed::default();
        for step in 0..=u64::try_from(HOLES_MAX).unwrap() {
            claimed.claim(stretch(step * 10 + 5, step * 10 + 10), cents(1_000_000)).unwrap();
        }
        assert_eq!(claimed.holes().len(), HOLES_MAX);
        assert_eq!(claimed.claim(stretch(0, 5), cents(1_000_000)).unwrap().settled, Cents::ZERO);
        assert_eq!(claimed.claim(stretch(10, 15), cents(1_000_000)).unwrap().settled, cents(5));
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_set_of_single_cents(
            claims in prop::collection::vec((0u64..120, 1u64..40, 0u64..140), 0..40),
        ) {
            let mut claimed = Claimed::default();
            let mut single = BTreeSet::new();
            for (from, length, allowed) in claims {
                let before = single.len();
                let mut over = 0;
                for cent in from + 1..=from + length {
                    over += u64::from(cent > allowed || !single.insert(cent));
                }
                let judgement = claimed.claim(stretch(from, from + length), cents(allowed)).unwrap();
                prop_assert_eq!(judgement.settled, cents(u64::try_from(single.len() - before).unwrap()));
                prop_assert_eq!(judgement.over_right().unwrap(), cents(over));
                prop_assert_eq!(judgement.why().is_none(), over == 0);
                let holes = Cents::sum(claimed.holes().iter().map(|hole| hole.cents())).unwrap();
                let settled = u64::try_from(single.len()).unwrap();
                prop_assert_eq!(claimed.to(), cents(settled).plus(holes).unwrap());
            }
        }

        #[test]
        fn what_is_settled_never_passes_what_was_allowed(
            claims in prop::collection::vec((any::<u32>(), 1u64..1_000_000, 0u64..2_000_000), 0..60),
        ) {
            let mut claimed = Claimed::default();
            let (mut settled, mut most) = (0, 0);
            for (from, length, allowed) in claims {
                let from = u64::from(from) % 2_000_000;
                settled += claimed.claim(stretch(from, from + length), cents(allowed)).unwrap().settled.get();
                most = most.max(allowed);
                prop_assert!(settled <= most);
            }
        }
    }
}
