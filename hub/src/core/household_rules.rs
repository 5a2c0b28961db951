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

/// A rule: cents by person, and when money expires.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rule {
    /// The first month in which it holds.
    pub from: Period,
    /// The first person.
    pub first_person: Cents,
    /// Each further person of 14 or more.
    pub further_person: Cents,
    /// Each child under 14.
    pub child_under_14: Cents,
    /// After how many months money expires that was not spent; never where it is missing.
    pub expire_months: Option<u32>,
}

/// What cannot be computed for a month.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RuleError {
    /// No rule held in that month.
    #[error("no rule says what a household is credited in {0}")]
    NoRule(Period),
    /// The amount cannot be held.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

/// The rule that holds in a month: the newest that had begun.
///
/// # Errors
/// [`RuleError::NoRule`].
pub fn rule_of(rules: &[Rule], period: Period) -> Result<Rule, RuleError> {
    let held = rules.iter().filter(|rule| rule.from <= period).max_by_key(|rule| rule.from);
    held.copied().ok_or(RuleError::NoRule(period))
}

/// What a household is credited in a month.
///
/// # Errors
/// [`RuleError`].
pub fn monthly_credit(rules: &[Rule], period: Period, household: Household) -> Result<Cents, RuleError> {
    let rule = rule_of(rules, period)?;
    let further = household.size.saturating_sub(household.children_under_14).saturating_sub(1);
    let times = |people: u32, cents: Cents| Cents::new(u64::from(people).saturating_mul(cents.get()));
    Ok(Cents::sum([
        rule.first_person,
        times(further, rule.further_person)?,
        times(household.children_under_14, rule.child_under_14)?,
    ])?)
}

/// What expires of a purse: what is unspent beyond what was credited lately. The oldest money is spent first.
#[must_use]
pub fn expires(unspent: Cents, credited_lately: Cents) -> Cents {
    unspent.minus_or_zero(credited_lately)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    fn cents(cents: u64) -> Cents {
        Cents::new(cents).unwrap()
    }

    fn rule(from: &str, first: u64, further: u64, child: u64) -> Rule {
        let (first_person, further_person, child_under_14) = (cents(first), cents(further), cents(child));
        Rule { from: from.parse().unwrap(), first_person, further_person, child_under_14, expire_months: None }
    }

    #[test]
    fn each_month_is_credited_by_the_rule_of_its_time() {
        let rules = [rule("2027-01", 10_000, 0, 0), rule("2026-03", 15_000, 7_500, 4_000), rule("2026-06", 1, 2, 3)];
        let one = Household::new(1, 0).unwrap();
        for (period, credited) in
            [("2026-03", 15_000), ("2026-05", 15_000), ("2026-06", 1), ("2026-12", 1), ("2031-01", 10_000)]
        {
            assert_eq!(monthly_credit(&rules, period.parse().unwrap(), one), Ok(cents(credited)), "{period}");
        }
        let early = "2026-02".parse().unwrap();
        assert_eq!(monthly_credit(&rules, early, one), Err(RuleError::NoRule(early)));
    }

    #[test]
    fn the_oldest_money_is_spent_first_and_expires_first() {
        for (unspent, lately, expired) in [(500, 300, 200), (300, 300, 0), (100, 300, 0), (0, 0, 0)] {
            assert_eq!(expires(cents(unspent), cents(lately)), cents(expired));
        }
    }

    #[test]
    fn a_household_is_credited_by_its_people_and_their_ages() {
        let (rules, november) = ([rule("2020-01", 15_000, 7_500, 4_000)], Period::new(2026, 11).unwrap());
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
            assert_eq!(
                monthly_credit(&rules, november, household).unwrap().get(),
                cents,
                "{size} people, {children} children"
            );
        }
    }

    #[test]
    fn a_household_has_someone_of_14_or_more() {
        for (size, children) in [(0, 0), (1, 1), (2, 3), (31, 0), (u32::MAX, u32::MAX)] {
            assert_eq!(Household::new(size, children), Err(ImpossibleHousehold), "{size} people, {children} children");
        }
    }
}
