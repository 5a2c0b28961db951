//! What may still go wrong with money that is out of the hub's hands.

use cabas_protocol::row::Tier;
use cabas_protocol::{Cents, MoneyError};

const DAY_S: u32 = 86_400;

/// The limits that bound a blocked card where its blocking is not known yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PlainLimits {
    /// One purse's sales with plain cards at one terminal in one day.
    pub day_cents_max: Cents,
    /// The age of its list past which a terminal refuses plain cards, in seconds.
    pub list_age_s_max: u32,
}

/// The most that a blocked card can still spend at a terminal that has not applied the list: what lies there, and for a
/// plain card no more than its limit of a day on each day that a terminal may go on without a newer list, begun days
/// counted whole.
///
/// # Errors
/// [`MoneyError::TooLarge`].
pub fn still_spendable(left: Cents, tier: Tier, limits: PlainLimits) -> Result<Cents, MoneyError> {
    let days = limits.list_age_s_max.div_ceil(DAY_S).saturating_add(1);
    match tier {
        Tier::Plain => {
            let all_days = limits.day_cents_max.get().saturating_mul(u64::from(days)).min(left.get());
            Cents::new(all_days)
        }
        Tier::Identity | Tier::Purse => Ok(left),
    }
}

/// What of a household's money at silent terminals is advanced: within its own limit and that of the whole fund, what was
/// advanced before taken off.
#[must_use]
pub fn advance(locked: Cents, advanced: Cents, household_max: Cents, fund_left: Cents) -> Cents {
    locked.min(household_max).minus_or_zero(advanced).min(fund_left)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    fn cents(cents: u64) -> Cents {
        Cents::new(cents).unwrap()
    }

    #[test]
    fn a_plain_card_is_bounded_by_its_days_and_by_what_lies_there() {
        for (left, tier, day, age_s, expected) in [
            (9_000, Tier::Plain, 2_000, 86_400, 4_000),
            (9_000, Tier::Plain, 2_000, 86_401, 6_000),
            (9_000, Tier::Plain, 2_000, 0, 2_000),
            (3_000, Tier::Plain, 2_000, 86_400, 3_000),
            (9_000, Tier::Identity, 2_000, 86_400, 9_000),
            (0, Tier::Plain, 2_000, 86_400, 0),
        ] {
            let limits = PlainLimits { day_cents_max: cents(day), list_age_s_max: age_s };
            assert_eq!(
                still_spendable(cents(left), tier, limits),
                Ok(cents(expected)),
                "{left} {tier:?} {day} {age_s}"
            );
        }
    }

    #[test]
    fn an_advance_keeps_every_limit() {
        for (locked, advanced, household, fund, expected) in [
            (9_000, 0, 5_000, 99_000, 5_000),
            (3_000, 0, 5_000, 99_000, 3_000),
            (9_000, 2_000, 5_000, 99_000, 3_000),
            (9_000, 5_000, 5_000, 99_000, 0),
            (9_000, 6_000, 5_000, 99_000, 0),
            (9_000, 0, 5_000, 1_000, 1_000),
            (0, 0, 5_000, 99_000, 0),
        ] {
            let given = advance(cents(locked), cents(advanced), cents(household), cents(fund));
            assert_eq!(given, cents(expected), "{locked} {advanced} {household} {fund}");
        }
    }
}
