//! How long the money lasts, month by month: what comes in, what is credited, what is left to credit.
//!
//! What households contribute is kept until it is credited. The budget of a year is for the months of that year: what is
//! left of it on 31 December is nobody's.

use std::collections::BTreeMap;

use cabas_protocol::{Cents, MoneyError};

use super::period::Period;

/// Whole months whose mean is a pace.
pub const PACE_MONTHS: u32 = 3;
/// Months that are looked ahead, at the most.
pub const HORIZON_MONTHS: u32 = 36;
/// Households that may be asked about, at the most.
pub const HOUSEHOLDS_MAX: u32 = 1_000_000;

/// What happens in a month.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Pace {
    /// What households pay in.
    pub money_in: Cents,
    /// What households are credited.
    pub credited: Cents,
    /// What households spend in shops.
    pub spent: Cents,
}

/// What there is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Means {
    /// The month that runs.
    pub from: Period,
    /// What of that month has happened already.
    pub done: Pace,
    /// Contributions that are not credited yet.
    pub contributions: Cents,
    /// What is left of the budgets, by year.
    pub budgets: BTreeMap<u16, Cents>,
}

/// A month to come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Month {
    /// Which.
    pub period: Period,
    /// What is still to be paid in, credited and spent in it.
    pub pace: Pace,
    /// What is then left to credit, of contributions and of the budget of its year.
    pub left: Cents,
    /// What is missing for all households.
    pub missing: Cents,
}

/// What is to be expected.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Forecast {
    /// Month by month, up to the first in which something is missing, or to the horizon.
    pub months: Vec<Month>,
    /// The last month that can be credited whole; none where the first cannot.
    pub lasts_until: Option<Period>,
    /// The first month that cannot; none up to the horizon.
    pub short_in: Option<Period>,
}

/// The mean of months: what comes in is rounded down, what goes out is rounded up.
///
/// # Errors
/// [`MoneyError`] where a sum cannot be held.
pub fn mean(months: &[Pace]) -> Result<Option<Pace>, MoneyError> {
    let count = u64::try_from(months.len()).unwrap_or(u64::MAX);
    let sum = |of: fn(&Pace) -> Cents| Cents::sum(months.iter().map(of));
    let (money_in, credited, spent) = (sum(|pace| pace.money_in)?, sum(|pace| pace.credited)?, sum(|pace| pace.spent)?);
    let up = |cents: Cents| cents.get().div_ceil(count);
    let Some(down) = money_in.get().checked_div(count) else { return Ok(None) };
    Ok(Some(Pace { money_in: Cents::new(down)?, credited: Cents::new(up(credited))?, spent: Cents::new(up(spent))? }))
}

/// The pace of another number of households: each of them like the mean of those that are there. Nothing where none are.
///
/// # Errors
/// [`MoneyError`] where an amount cannot be held.
pub fn scaled(pace: Pace, there: u32, asked: u32) -> Result<Option<Pace>, MoneyError> {
    let times = |cents: Cents| u128::from(cents.get()).saturating_mul(u128::from(asked));
    let cents = |number: u128| Cents::new(u64::try_from(number).unwrap_or(u64::MAX));
    let Some(down) = times(pace.money_in).checked_div(u128::from(there)) else { return Ok(None) };
    let up = |amount: Cents| cents(times(amount).div_ceil(u128::from(there)));
    Ok(Some(Pace { money_in: cents(down)?, credited: up(pace.credited)?, spent: up(pace.spent)? }))
}

/// Goes on at a pace until something is missing. Contributions are credited first, then the budget of the year.
///
/// # Errors
/// [`MoneyError`] where a sum cannot be held.
pub fn forecast(means: &Means, pace: Pace) -> Result<Forecast, MoneyError> {
    let (mut contributions, mut budgets) = (means.contributions, means.budgets.clone());
    let (mut months, mut lasts_until, mut short_in) = (Vec::new(), None, None);
    for ahead in 0..HORIZON_MONTHS {
        let Some(period) = means.from.plus(i64::from(ahead)) else { break };
        let done = if ahead == 0 { means.done } else { Pace::default() };
        let due = Pace {
            money_in: pace.money_in.minus_or_zero(done.money_in),
            credited: pace.credited.minus_or_zero(done.credited),
            spent: pace.spent.minus_or_zero(done.spent),
        };
        contributions = contributions.plus(due.money_in)?;
        let budget = budgets.entry(period.year()).or_insert(Cents::ZERO);
        let of_contributions = due.credited.min(contributions);
        let of_budget = due.credited.minus(of_contributions)?.min(*budget);
        contributions = contributions.minus(of_contributions)?;
        *budget = budget.minus(of_budget)?;
        let credited = of_contributions.plus(of_budget)?;
        let missing = due.credited.minus(credited)?;
        let left = contributions.plus(*budget)?;
        months.push(Month { period, pace: Pace { credited, ..due }, left, missing });
        if !missing.is_zero() {
            short_in = Some(period);
            break;
        }
        lasts_until = Some(period);
    }
    Ok(Forecast { months, lasts_until, short_in })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a failed unwrap is the test's failure")]
    use proptest::prelude::*;

    use super::*;

    fn cents(cents: u64) -> Cents {
        Cents::new(cents).unwrap()
    }

    fn pace(money_in: u64, credited: u64, spent: u64) -> Pace {
        Pace { money_in: cents(money_in), credited: cents(credited), spent: cents(spent) }
    }

    fn period(text: &str) -> Period {
        text.parse().unwrap()
    }

    fn means(from: &str, contributions: u64, budgets: &[(u16, u64)]) -> Means {
        let budgets = budgets.iter().map(|(year, left)| (*year, cents(*left))).collect();
        Means { from: period(from), done: Pace::default(), contributions: cents(contributions), budgets }
    }

    #[test]
    fn the_money_lasts_until_the_last_month_that_can_be_credited_whole() {
        for (contributions, budgets, until, short) in [
            (0, vec![], None, Some("2026-10")),
            (0, vec![(2026, 99)], None, Some("2026-10")),
            (0, vec![(2026, 100)], Some("2026-10"), Some("2026-11")),
            (50, vec![(2026, 250)], Some("2026-12"), Some("2027-01")),
            (0, vec![(2026, 5_000)], Some("2026-12"), Some("2027-01")),
            // Contributions go first: 150 of the budget are left on 31 December, and lapse.
            (150, vec![(2026, 300)], Some("2026-12"), Some("2027-01")),
            (0, vec![(2026, 300), (2027, 1_200), (2028, 1_200), (2029, 1_200)], Some("2029-09"), None),
        ] {
            let found = forecast(&means("2026-10", contributions, &budgets), pace(0, 100, 0)).unwrap();
            assert_eq!(found.lasts_until, until.map(period), "{contributions} {budgets:?}");
            assert_eq!(found.short_in, short.map(period), "{contributions} {budgets:?}");
        }
    }

    #[test]
    fn what_comes_in_is_credited_first_and_kept_over_the_year() {
        let found = forecast(&means("2026-11", 10, &[(2026, 200), (2027, 75)]), pace(30, 100, 80)).unwrap();
        let months: Vec<_> = found.months.iter().map(|month| (month.left.get(), month.missing.get())).collect();
        // November: 10 + 30 in, 60 of the budget. December: 30 in, 70 of it; its last 70 lapse. January: 30 in, 70 of 75.
        assert_eq!(months, [(140, 0), (70, 0), (5, 0), (0, 65)]);
        assert_eq!(found.months.first().unwrap().pace, pace(30, 100, 80));
        assert_eq!(found.months.last().unwrap().pace, pace(30, 35, 80));
    }

    #[test]
    fn what_of_the_month_is_done_is_not_counted_again() {
        let mut means = means("2026-11", 0, &[(2026, 150)]);
        means.done = pace(20, 100, 10);
        let found = forecast(&means, pace(30, 100, 80)).unwrap();
        assert_eq!(found.months.first().unwrap().pace, pace(10, 0, 70));
        assert_eq!(found.lasts_until, Some(period("2026-12")));
    }

    #[test]
    fn a_mean_is_rounded_to_the_careful_side() {
        let months = [pace(10, 10, 10), pace(10, 10, 10), pace(11, 11, 12)];
        assert_eq!(mean(&months).unwrap(), Some(pace(10, 11, 11)));
        assert_eq!(mean(&[]).unwrap(), None);
    }

    #[test]
    fn other_households_are_like_the_mean_of_those_that_are_there() {
        assert_eq!(scaled(pace(100, 100, 100), 3, 4).unwrap(), Some(pace(133, 134, 134)));
        assert_eq!(scaled(pace(100, 100, 100), 3, 0).unwrap(), Some(pace(0, 0, 0)));
        assert_eq!(scaled(pace(100, 100, 100), 0, 4).unwrap(), None);
        assert!(scaled(Pace { money_in: cents(999_999_999_999), ..Pace::default() }, 1, 2).is_err());
    }

    proptest! {
        #[test]
        fn no_cent_is_made_and_none_is_lost(
            contributions in 0_u64..10_000, now in 0_u64..50_000, next in 0_u64..50_000,
            money_in in 0_u64..500, credited in 0_u64..5_000,
        ) {
            let means = means("2026-07", contributions, &[(2026, now), (2027, next)]);
            let found = forecast(&means, pace(money_in, credited, 0)).unwrap();
            let mut has = contributions + now;
            for month in &found.months {
                prop_assert_eq!(month.pace.credited.get() + month.missing.get(), credited);
                if month.period == period("2027-01") {
                    // What was left of contributions is kept; what was left of the old year's budget is not.
                    let kept = month.left.get() + month.pace.credited.get() - money_in - next;
                    prop_assert!(kept <= has);
                    has = kept + next;
                } else if month.period == period("2028-01") {
                    break;
                }
                has = has + money_in - month.pace.credited.get();
                prop_assert_eq!(month.left.get(), has);
            }
        }

        #[test]
        fn more_households_never_last_longer_and_more_money_never_shorter(
            contributions in 0_u64..10_000, budget in 0_u64..50_000, more in 0_u64..50_000,
            money_in in 0_u64..500, credited in 0_u64..5_000, there in 1_u32..200, extra in 0_u32..200,
        ) {
            // Without what they pay in: a household that pays more than it is credited makes the fund last.
            let until = |budget: u64, money_in: u64, asked: u32| {
                let pace = Pace { money_in: cents(money_in), ..scaled(pace(0, credited, 0), there, asked).unwrap().unwrap() };
                forecast(&means("2026-07", contributions, &[(2026, budget), (2027, budget)]), pace).unwrap().lasts_until
            };
            let base = until(budget, money_in, there);
            prop_assert!(until(budget, money_in, there + extra) <= base);
            prop_assert!(until(budget + more, money_in, there) >= base);
        }
    }
}
