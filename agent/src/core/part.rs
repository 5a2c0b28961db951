//! Part payment: where only the money is short, the fund pays what there is and the member the rest.

use cabas_protocol::row::Line;
use cabas_protocol::{Cents, MoneyError};

/// The lines where the fund pays `most` at the most: in their order, each no more than its own fund part.
///
/// # Errors
/// [`MoneyError`] for lines whose parts do not add up.
pub fn part_of(lines: &[Line], most: Cents) -> Result<Vec<Line>, MoneyError> {
    let mut left = most;
    let mut parts = Vec::with_capacity(lines.len());
    for line in lines {
        let fund = line.fund.min(left);
        left = left.minus(fund)?;
        parts.push(Line { fund, member: line.requested.minus(fund)?, ..*line });
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::arithmetic_side_effects,
        clippy::integer_division,
        clippy::type_complexity,
        reason = "a failed unwrap is the test's failure"
    )]
    use super::*;
    use cabas_protocol::CategoryId;
    use proptest::prelude::*;

    fn line(category: u16, requested: u64, fund: u64) -> Line {
        let cents = |cents| Cents::new(cents).unwrap();
        let member = cents(requested - fund);
        Line { category: CategoryId::new(category), requested: cents(requested), fund: cents(fund), member }
    }

    #[test]
    fn the_fund_pays_line_by_line_until_nothing_is_left() {
        let lines = [line(1, 1000, 1000), line(2, 1000, 700), line(3, 100, 30)];
        for (most, parts) in [
            (0, [(0, 1000), (0, 1000), (0, 100)]),
            (999, [(999, 1), (0, 1000), (0, 100)]),
            (1000, [(1000, 0), (0, 1000), (0, 100)]),
            (1250, [(1000, 0), (250, 750), (0, 100)]),
            (1729, [(1000, 0), (700, 300), (29, 71)]),
            (1730, [(1000, 0), (700, 300), (30, 70)]),
            (9999, [(1000, 0), (700, 300), (30, 70)]),
        ] {
            let given = part_of(&lines, Cents::new(most).unwrap()).unwrap();
            let given: Vec<_> = given.iter().map(|line| (line.fund.get(), line.member.get())).collect();
            assert_eq!(given, parts, "{most}");
        }
    }

    proptest! {
        #[test]
        fn a_part_is_never_larger_and_always_adds_up(
            amounts in prop::collection::vec((1u64..10_000, 0u64..=100), 1..8), most in 0u64..100_000,
        ) {
            let lines: Vec<_> = amounts.iter().map(|(requested, share)| line(1, *requested, requested * share / 100)).collect();
            let parts = part_of(&lines, Cents::new(most).unwrap()).unwrap();
            let whole: u64 = lines.iter().map(|line| line.fund.get()).sum();
            prop_assert_eq!(parts.iter().map(|line| line.fund.get()).sum::<u64>(), whole.min(most));
            for (part, line) in parts.iter().zip(&lines) {
                prop_assert!(part.fund <= line.fund && part.requested == line.requested);
                prop_assert_eq!(part.fund.plus(part.member).unwrap(), part.requested);
            }
        }
    }
}
