//! How a purse's money is divided between the hub and the terminals: so that most purchases find money where the
//! network fails, and the rest can go wherever it is asked for.

use cabas_protocol::{Cents, MoneyError};

/// The share of a purse's unspent money that stays free at the hub, in percent, where the fund says nothing else.
pub const FREE_SHARE_PERCENT: u8 = 40;
/// Terminals at which one purse has a slice by allocation: those where the most is expected to be bought.
pub const SLICES_PER_PURSE_MAX: usize = 8;
/// A raise of less is not worth a signature.
pub const RAISE_CENTS_MIN: Cents = match Cents::new(100) {
    Ok(cents) => cents,
    Err(_) => Cents::ZERO,
};

/// What a terminal whose network is steady needs of its part, in percent, where the fund says nothing else: it is given
/// more when a sale asks for it.
pub const STEADY_PERCENT: u8 = 25;
/// A sale that came later than this was made without a network.
pub const LATE_S: u64 = 300;
/// A network is steady where no sale was late for so long, counted from the enrolment, in seconds.
pub const STEADY_AFTER_S: u64 = 14 * 86_400;
/// A terminal that was not heard for so long is not steady, whatever it was before, in seconds.
pub const SILENT_AFTER_S: u64 = 3 * 86_400;
/// Money is asked back only from a slice that has so much more than its part.
pub const RECALL_CENTS_MIN: Cents = match Cents::new(500) {
    Ok(cents) => cents,
    Err(_) => Cents::ZERO,
};
/// What the shops' weights stand for until a household has a history of its own: so many cents of purchases.
const PRIOR_CENTS: u64 = 10_000;

/// How the fund wants its money to lie.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shares {
    /// What stays free at the hub, in percent.
    pub free_percent: u8,
    /// What a terminal with a steady network gets of its part, in percent.
    pub steady_percent: u8,
}

impl Default for Shares {
    fn default() -> Self {
        Self { free_percent: FREE_SHARE_PERCENT, steady_percent: STEADY_PERCENT }
    }
}

/// A terminal that can be given a slice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Target {
    /// What share of the household's purchases is expected there, against the others.
    pub weight: u64,
    /// What the purse's slice there still has.
    pub unspent: Cents,
    /// What it is to have at least.
    pub floor: Cents,
    /// True where the network is steady.
    pub is_steady: bool,
}

/// How a purse's money is to move, in the order of the targets.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Division {
    /// By how much each slice is raised.
    pub raises: Vec<Cents>,
    /// What each slice that has too much is to keep, where others lack it.
    pub keeps: Vec<Option<Cents>>,
}

/// What is expected to be bought at a terminal: the shop's share of all purchases, and what this household bought there,
/// divided among the shop's terminals.
#[must_use]
pub fn weight(permille: u32, bought: Cents, terminals: u64) -> u64 {
    let prior = u64::from(permille).saturating_mul(PRIOR_CENTS).checked_div(1_000).unwrap_or(0);
    // A thousandth of a cent, so that small shops with many terminals do not vanish.
    prior.saturating_add(bought.get()).saturating_mul(1_000).checked_div(terminals.max(1)).unwrap_or(0)
}

/// True where a network can be trusted, as times in seconds: enrolled, last heard, last late sale, now.
#[must_use]
pub fn is_steady(opened: u64, heard: u64, late: Option<u64>, now: u64) -> bool {
    let quiet_since = late.map_or(opened, |late| late.max(opened));
    now.saturating_sub(quiet_since) >= STEADY_AFTER_S && now.saturating_sub(heard) < SILENT_AFTER_S
}

/// True on a market day and on the day before it: `days` has a bit a weekday, Monday first; days begin at midnight UTC.
#[must_use]
pub fn is_near_market(days: u8, now_s: u64) -> bool {
    // 1970-01-01 was a Thursday.
    let today = now_s.checked_div(86_400).unwrap_or(0).saturating_add(3);
    [today, today.saturating_add(1)].iter().any(|day| {
        let weekday = u32::try_from(day.checked_rem(7).unwrap_or(0)).unwrap_or(0);
        u32::from(days).checked_shr(weekday).unwrap_or(0) & 1 == 1
    })
}

/// Divides a purse's money. Floors come first: whoever stands at a stall without a network can reach no other money. Then
/// the hub keeps its share, and what is left goes by weight; a steady terminal gets a part of its part. Never more is
/// raised than is free. Where it does not suffice, slices that have more than their part are to give it back.
///
/// # Errors
/// [`MoneyError::TooLarge`].
pub fn divide(shares: Shares, free: Cents, targets: &[Target]) -> Result<Division, MoneyError> {
    let all = Cents::sum(targets.iter().map(|target| target.unspent))?.plus(free)?;
    let kept = all.share(shares.free_percent)?;
    let pool = all.minus_or_zero(kept);
    let weights = weights(targets);
    let weight_of_all = weights.iter().copied().fold(0_u64, u64::saturating_add);
    let levels = targets
        .iter()
        .zip(&weights)
        .map(|(target, weight)| {
            let part = proportion(pool, *weight, weight_of_all)?;
            let part = if target.is_steady { part.share(shares.steady_percent)? } else { part };
            Ok(part.max(target.floor))
        })
        .collect::<Result<Vec<_>, MoneyError>>()?;
    let floors = within(free, targets.iter().map(|target| target.floor.minus_or_zero(target.unspent)).collect())?;
    let spare = free.minus(Cents::sum(floors.iter().copied())?)?.minus_or_zero(kept);
    let mut wanted = Vec::with_capacity(targets.len());
    for ((target, level), floor) in targets.iter().zip(&levels).zip(&floors) {
        let want = level.minus_or_zero(target.unspent).minus_or_zero(*floor);
        wanted.push(if want < RAISE_CENTS_MIN { Cents::ZERO } else { want });
    }
    let is_short = Cents::sum(wanted.iter().copied())? > spare
        || targets
            .iter()
            .zip(&floors)
            .any(|(target, floor)| target.unspent.plus(*floor).is_ok_and(|has| has < target.floor));
    let raises = within(spare, wanted)?
        .into_iter()
        .zip(floors)
        .map(|(raise, floor)| raise.plus(floor))
        .collect::<Result<Vec<_>, _>>()?;
    let keeps = targets
        .iter()
        .zip(levels)
        .map(|(target, level)| (is_short && target.unspent.minus_or_zero(level) >= RECALL_CENTS_MIN).then_some(level))
        .collect();
    Ok(Division { raises, keeps })
}

/// What is wanted, or in proportion where there is less.
pub(super) fn within(limit: Cents, wanted: Vec<Cents>) -> Result<Vec<Cents>, MoneyError> {
    let all = Cents::sum(wanted.iter().copied())?;
    if all <= limit {
        return Ok(wanted);
    }
    wanted.into_iter().map(|want| proportion(limit, want.get(), all.get())).collect()
}

/// What to ask back so that so much is found: from the largest slice first, as the level that each is to keep. Gives the
/// place of each in `left`.
///
/// # Errors
/// None where `left` are amounts.
pub fn recalls(mut short: Cents, left: &[Cents]) -> Result<Vec<(usize, Cents)>, MoneyError> {
    let mut places: Vec<usize> = (0..left.len()).collect();
    let has = |place: usize| left.get(place).copied().unwrap_or(Cents::ZERO);
    places.sort_by_key(|place| std::cmp::Reverse(has(*place)));
    let mut asked = Vec::new();
    for place in places {
        let cents = short.min(has(place));
        if cents.is_zero() {
            break;
        }
        asked.push((place, has(place).minus(cents)?));
        short = short.minus(cents)?;
    }
    Ok(asked)
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

    fn target(weight: u64, unspent: u64) -> Target {
        Target { weight, unspent: cents(unspent), floor: Cents::ZERO, is_steady: false }
    }

    fn raised(free: u64, targets: &[Target]) -> Vec<u64> {
        divide(Shares::default(), cents(free), targets).unwrap().raises.iter().map(|raise| raise.get()).collect()
    }

    fn kept(free: u64, targets: &[Target]) -> Vec<Option<u64>> {
        divide(Shares::default(), cents(free), targets).unwrap().keeps.iter().map(|keep| keep.map(Cents::get)).collect()
    }

    #[test]
    fn four_tenths_stay_at_the_hub_and_the_rest_goes_by_weight() {
        assert_eq!(raised(10_000, &[target(1, 0)]), [6_000]);
        assert_eq!(raised(10_000, &[target(3, 0), target(1, 0)]), [4_500, 1_500]);
        assert_eq!(raised(10_000, &[target(0, 0), target(0, 0)]), [3_000, 3_000]);
        assert_eq!(raised(10_000, &[]), [0; 0]);
    }

    #[test]
    fn a_slice_that_has_its_part_is_not_raised() {
        assert_eq!(raised(4_000, &[target(1, 6_000)]), [0]);
        assert_eq!(raised(10_000, &[target(1, 6_000), target(1, 0)]), [0, 3_600]);
        assert_eq!(raised(0, &[target(1, 100), target(1, 0)]), [0, 0]);
    }

    #[test]
    fn a_raise_of_less_than_a_euro_is_left() {
        assert_eq!(raised(330, &[target(1, 0), target(1, 0)]), [0, 0]);
        assert_eq!(raised(340, &[target(1, 0), target(1, 0)]), [102, 102]);
        assert_eq!(raised(167, &[target(1, 0)]), [100], "a euro is worth it");
    }

    #[test]
    fn a_steady_terminal_gets_a_quarter_of_its_part_and_the_rest_stays_free() {
        let steady = Target { is_steady: true, ..target(1, 0) };
        assert_eq!(raised(10_000, &[steady, target(1, 0)]), [750, 3_000]);
    }

    #[test]
    fn floors_come_before_the_share_of_the_hub_and_are_divided_where_there_is_too_little() {
        let stall = |unspent| Target { floor: cents(2_000), ..target(0, unspent) };
        assert_eq!(raised(1_500, &[stall(0)]), [1_500]);
        assert_eq!(raised(3_000, &[stall(0), stall(500)]), [1_714, 1_285]);
        assert_eq!(raised(10_000, &[stall(0), target(1, 0)]), [2_000, 4_000]);
        assert_eq!(raised(10_000, &[stall(2_500), target(1, 0)]), [0, 5_000]);
    }

    #[test]
    fn money_is_asked_back_only_where_others_lack_it() {
        // The first was enrolled alone and has everything; the second comes.
        assert_eq!(kept(4_000, &[target(1, 6_000), target(1, 0)]), [Some(3_000), None]);
        assert_eq!(kept(4_000, &[target(1, 6_000)]), [None]);
        assert_eq!(kept(0, &[target(1, 3_400), target(1, 3_000)]), [None, None], "nobody lacks more than a little");
        let stall = Target { floor: cents(2_000), ..target(0, 0) };
        assert_eq!(kept(500, &[target(1, 6_000), stall]), [Some(3_900), None]);
        // A floor that lacks less than a raise is worth lacks it all the same; one that is reached does not.
        assert_eq!(kept(1_950, &[target(1, 6_000), stall]), [Some(4_770), None]);
        assert_eq!(kept(2_000, &[target(1, 6_000), stall]), [None, None]);
    }

    #[test]
    fn what_is_short_is_asked_from_the_largest_first() {
        let left = [cents(300), cents(1_000), Cents::ZERO, cents(500)];
        assert_eq!(recalls(cents(1_200), &left).unwrap(), [(1, Cents::ZERO), (3, cents(300))]);
        assert_eq!(recalls(cents(400), &left).unwrap(), [(1, cents(600))]);
        assert_eq!(recalls(cents(9_000), &left).unwrap().len(), 3);
        assert_eq!(recalls(Cents::ZERO, &left).unwrap(), []);
    }

    #[test]
    fn a_households_own_purchases_come_to_count_more_than_the_shares_of_the_shops() {
        assert_eq!(weight(830, Cents::ZERO, 2), 4_150_000);
        assert!(weight(10, cents(9_000), 1) > weight(830, Cents::ZERO, 1));
        assert!(weight(10, cents(7_000), 1) < weight(830, Cents::ZERO, 1));
    }

    #[test]
    fn a_network_is_steady_after_two_weeks_without_a_late_sale() {
        const DAY: u64 = 86_400;
        for (opened, heard, late, now, steady) in [
            (0, 14 * DAY, None, 14 * DAY, true),
            (0, 13 * DAY, None, 13 * DAY, false),
            (0, 30 * DAY, Some(20 * DAY), 30 * DAY, false),
            (0, 40 * DAY, Some(20 * DAY), 40 * DAY, true),
            (0, 37 * DAY, None, 40 * DAY, false),
            (0, 37 * DAY + 1, None, 40 * DAY, true),
        ] {
            assert_eq!(is_steady(opened, heard, late, now), steady, "{opened} {heard} {late:?} {now}");
        }
    }

    #[test]
    fn a_market_is_near_on_its_day_and_the_day_before() {
        // 2027-01-15 is a Friday.
        let friday = 1_800_000_000;
        for (days, near) in
            [(0b000_0001, false), (0b001_0000, true), (0b010_0000, true), (0b100_0000, false), (0, false)]
        {
            assert_eq!(is_near_market(days, friday), near, "{days:07b}");
        }
        assert!(is_near_market(0b000_0001, friday + 2 * 86_400), "Sunday, before Monday");
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
        fn a_division_never_gives_more_than_is_free(
            free in 0u64..=10_000_000,
            targets in prop::collection::vec(
                (0u64..=1_000_000, 0u64..=10_000_000, 0u64..=5_000, any::<bool>()), 0..10,
            ),
        ) {
            let targets: Vec<_> = targets
                .iter()
                .map(|(weight, unspent, floor, is_steady)| Target {
                    floor: cents(*floor), is_steady: *is_steady, ..target(*weight, *unspent)
                })
                .collect();
            let division = divide(Shares::default(), cents(free), &targets).unwrap();
            prop_assert_eq!((division.raises.len(), division.keeps.len()), (targets.len(), targets.len()));
            let given = Cents::sum(division.raises.iter().copied()).unwrap();
            prop_assert!(given <= cents(free));
            for ((target, raise), keep) in targets.iter().zip(&division.raises).zip(&division.keeps) {
                prop_assert!(keep.is_none_or(|keep| keep < target.unspent && keep >= target.floor && raise.is_zero()));
            }
            // Without floors the hub keeps its share.
            let all = Cents::sum(targets.iter().map(|target| target.unspent)).unwrap().plus(cents(free)).unwrap();
            if targets.iter().all(|target| target.floor.is_zero()) {
                prop_assert!(given <= cents(free).minus_or_zero(all.share(FREE_SHARE_PERCENT).unwrap()));
            }
        }
    }
}
