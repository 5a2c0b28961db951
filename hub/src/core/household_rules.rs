//! What a household is credited each month. The members vote the rules, so each holds from a month on and stays here.

use cabas_protocol::{Cents, MoneyError};

use super::period::Period;

/// People in one household, at the most.
pub const PEOPLE_MAX: u32 = 30;

/// The people of a household; at least one of them is 14 or older.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Household {
    size: u32,
    children_under_14: u32,
}

/// A household that cannot be.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a household has 1 to {PEOPLE_MAX} people, and at least one of them is 14 or older")]
pub struct ImpossibleHousehold;

impl Household {
    /// Takes the number of people, children included.
    ///
    /// # Errors
    /// [`ImpossibleHousehold`].
    pub const fn new(size: u32, children_under_14: u32) -> Result<Self, ImpossibleHousehold> {
        if size == 0 || size > PEOPLE_MAX || children_under_14 >= size {
            Err(ImpossibleHousehold)
        } else {
            Ok(Self { size, children_under_14 })
        }
    }

    /// People, children included.
    #[must_use]
    pub const fn size(self) -> u32 {
        self.size
    }

    /// Those of them who are under 14.
    #[must_use]
    pub const fn children_under_14(self) -> u32 {
        self.children_under_14
    }
}

/// A rule: cents by person.
struct Rule {
    /// The first month in which it holds.
    from: (u16, u8),
    first_person: u64,
    further_person: u64,
    child_under_14: u64,
}

/// Every rule there ever was, oldest first. Past months are computed again by the rule of their time, so an entry is
/// never changed.
const RULES: [Rule; 1] = [
    // Lyon 8e: 150 € for the first person, 75 € for each further one of 14 or more, 40 € for each child.
    Rule { from: (Period::YEAR_MIN, 1), first_person: 15_000, further_person: 7_500, child_under_14: 4_000 },
];

/// A month before the first rule.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RuleError {
    /// No rule held in that month.
    #[error("no rule says what a household is credited in {0}")]
    NoRule(Period),
    /// The amount cannot be held.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

/// What a household is credited in a month.
///
/// # Errors
/// [`RuleError`].
pub fn monthly_credit(period: Period, household: Household) -> Result<Cents, RuleError> {
    let held = |rule: &&Rule| rule.from <= (period.year(), period.month());
    let rule = RULES.iter().rev().find(held).ok_or(RuleError::NoRule(period))?;
    let further = household.size.saturating_sub(household.children_under_14).saturating_sub(1);
    let times = |people: u32, cents: u64| Cents::new(u64::from(people).saturating_mul(cents));
    let first = Cents::new(rule.first_person)?;
    Ok(Cents::sum([
        first,
        times(further, rule.further_person)?,
        times(household.children_under_14, rule.child_under_14)?,
    ])?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    #[test]
    fn a_household_is_credited_by_its_people_and_their_ages() {
        let november = Period::new(2026, 11).unwrap();
        for (size, children, cents) in [
            (1, 0, 15_000),
            (2, 0, 22_500),
            (2, 1, 19_000),
            (3, 1, 26_500),
            (4, 2, 30_500),
            (4, 3, 27_000),
            (6, 4, 38_500),
            (30, 0, 232_500),
        ] {
            let household = Household::new(size, children).unwrap();
            assert_eq!(monthly_credit(november, household).unwrap().get(), cents, "{size} people, {children} children");
        }
    }

    #[test]
    fn a_household_has_someone_of_14_or_more() {
        for (size, children) in [(0, 0), (1, 1), (2, 3), (31, 0), (u32::MAX, u32::MAX)] {
            assert_eq!(Household::new(size, children), Err(ImpossibleHousehold), "{size} people, {children} children");
        }
    }
}
