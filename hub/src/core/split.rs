//! Whether a sale was split as the shop's grid says: the terminal splits, the hub looks at it.

use cabas_protocol::CategoryId;
use cabas_protocol::row::Line;

/// True where each line's fund part is its category's share, half a cent up; of a part payment it is no more than that.
#[must_use]
pub fn is_by_grid(lines: &[Line], shares: &[(CategoryId, u8)], is_part: bool) -> bool {
    lines.iter().all(|line| {
        let share = shares.iter().find(|(category, _)| *category == line.category);
        let Some(due) = share.and_then(|(_, percent)| line.requested.share(*percent).ok()) else { return false };
        let is_whole = line.fund.plus(line.member).is_ok_and(|whole| whole == line.requested);
        is_whole && if is_part { line.fund <= due } else { line.fund == due }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a failed unwrap is the test's failure")]
    use cabas_protocol::Cents;

    use super::*;

    #[test]
    fn a_line_is_split_by_its_category_to_the_cent() {
        let shares = [(CategoryId::new(1), 100), (CategoryId::new(2), 70)];
        let line = |category, requested, fund| {
            let cents = |cents| Cents::new(cents).unwrap();
            let (requested, fund, member) = (cents(requested), cents(fund), cents(requested - fund));
            [Line { category: CategoryId::new(category), requested, fund, member }]
        };
        for (lines, is_part, fits) in [
            (line(1, 500, 500), false, true),
            (line(2, 1_005, 704), false, true),
            (line(2, 1_005, 703), false, false),
            (line(2, 1_005, 705), false, false),
            (line(2, 1_005, 703), true, true),
            (line(2, 1_005, 705), true, false),
            (line(3, 500, 500), false, false),
        ] {
            assert_eq!(is_by_grid(&lines, &shares, is_part), fits, "{lines:?}");
        }
        let [line] = line(1, 500, 500);
        assert!(!is_by_grid(&[Line { member: Cents::new(1).unwrap(), ..line }], &shares, false), "more than was asked");
    }
}
