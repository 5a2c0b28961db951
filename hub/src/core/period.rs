//! A month of the fund.

use std::fmt;
use std::str::FromStr;

use cabas_protocol::Timestamp;

/// A calendar month, written `2026-11`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Period {
    year: u16,
    month: u8,
}

/// A text that is no month.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a month: write it like 2026-11")]
pub struct BadPeriod;

impl Period {
    /// The first year that is taken.
    pub const YEAR_MIN: u16 = 2020;
    /// The last year that is taken.
    pub const YEAR_MAX: u16 = 2999;
    /// The first month that there is.
    pub const FIRST: Self = Self { year: Self::YEAR_MIN, month: 1 };
    /// The last one.
    pub const LAST: Self = Self { year: Self::YEAR_MAX, month: 12 };

    /// Makes a month.
    #[must_use]
    pub const fn new(year: u16, month: u8) -> Option<Self> {
        if year < Self::YEAR_MIN || year > Self::YEAR_MAX || month == 0 || month > 12 {
            None
        } else {
            Some(Self { year, month })
        }
    }

    /// So many months before or after it; nothing where there is no such month.
    #[must_use]
    pub fn plus(self, months: i64) -> Option<Self> {
        let all = i64::from(self.year)
            .checked_mul(12)?
            .checked_add(i64::from(self.month))?
            .checked_sub(1)?
            .checked_add(months)?;
        let (year, month) = (all.checked_div_euclid(12)?, all.checked_rem_euclid(12)?.checked_add(1)?);
        Self::new(u16::try_from(year).ok()?, u8::try_from(month).ok()?)
    }

    /// The months from one to another; nothing where there are none, or more than `max`.
    #[must_use]
    pub fn months_to(self, last: Self, max: usize) -> Option<Vec<Self>> {
        let mut months = vec![self];
        while let Some(next) = months.last()?.plus(1).filter(|next| *next <= last) {
            months.push(next);
            if months.len() > max {
                return None;
            }
        }
        (self <= last).then_some(months)
    }

    /// Its first second, in UTC: days by the civil calendar, with the year beginning in March.
    #[must_use]
    pub fn start(self) -> Timestamp {
        let (year, month) = (u64::from(self.year), u64::from(self.month));
        let year = if month <= 2 { year.saturating_sub(1) } else { year };
        let from_march = if month > 2 { month.saturating_sub(3) } else { month.saturating_add(9) };
        let div = |number: u64, by: u64| number.checked_div(by).unwrap_or(0);
        let leaps = div(year, 4).saturating_sub(div(year, 100)).saturating_add(div(year, 400));
        let days_before = div(from_march.saturating_mul(153).saturating_add(2), 5);
        // 719 468 days lie between 0000-03-01 and 1970-01-01.
        let days = year.saturating_mul(365).saturating_add(leaps).saturating_add(days_before).saturating_sub(719_468);
        Timestamp::new(days.saturating_mul(86_400))
    }

    /// The month of a moment, in UTC; nothing outside the years that are taken.
    #[must_use]
    pub fn of(moment: Timestamp) -> Option<Self> {
        // No month is longer than 31 days, so the search begins at or before the month, and is short.
        let months = moment.get().checked_div(31 * 86_400)?.saturating_sub(50 * 12);
        let mut found = Self::new(Self::YEAR_MIN, 1)?.plus(i64::try_from(months).ok()?)?;
        if moment < found.start() {
            return None;
        }
        while let Some(next) = found.plus(1).filter(|next| next.start() <= moment) {
            found = next;
        }
        Some(found)
    }

    /// Its year.
    #[must_use]
    pub const fn year(self) -> u16 {
        self.year
    }

    /// Its month, from 1.
    #[must_use]
    pub const fn month(self) -> u8 {
        self.month
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Period {
    type Err = BadPeriod;

    fn from_str(text: &str) -> Result<Self, BadPeriod> {
        let (year, month) = text.split_once('-').ok_or(BadPeriod)?;
        let digits = |text: &str, len| text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(year, 4) || !digits(month, 2) {
            return Err(BadPeriod);
        }
        let year = year.parse().map_err(|_| BadPeriod)?;
        let month = month.parse().map_err(|_| BadPeriod)?;
        Self::new(year, month).ok_or(BadPeriod)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    #[test]
    fn a_month_has_one_spelling() {
        let period: Period = "2026-11".parse().unwrap();
        assert_eq!(period.to_string(), "2026-11");
        for bad in [
            "",
            "2026",
            "2026-13",
            "2026-00",
            "2026-1",
            "26-11",
            "2026-+1",
            "+026-11",
            "2026-11-01",
            "1999-01",
            "２０２６-11",
        ] {
            assert_eq!(bad.parse::<Period>(), Err(BadPeriod), "{bad}");
        }
    }

    #[test]
    fn months_are_counted_over_years() {
        let period = |text: &str| text.parse::<Period>().unwrap();
        assert_eq!(period("2026-11").plus(2), Some(period("2027-01")));
        assert_eq!(period("2026-01").plus(-1), Some(period("2025-12")));
        assert_eq!(period("2020-01").plus(-1), None);
        assert_eq!(period("2999-12").plus(1), None);
        assert_eq!(period("2026-05").plus(i64::MAX), None);
    }

    #[test]
    fn months_go_from_one_to_another() {
        let month = |text: &str| text.parse::<Period>().unwrap();
        let texts = |from: &str, to: &str| {
            month(from).months_to(month(to), 12).map(|found| found.iter().map(Period::to_string).collect::<Vec<_>>())
        };
        assert_eq!(texts("2026-11", "2027-01"), Some(vec!["2026-11".into(), "2026-12".into(), "2027-01".into()]));
        assert_eq!(texts("2026-11", "2026-11"), Some(vec!["2026-11".into()]));
        assert_eq!(texts("2026-01", "2026-12").map(|months| months.len()), Some(12));
        assert_eq!(texts("2026-01", "2027-01"), None);
        assert_eq!(texts("2026-11", "2026-10"), None);
        assert_eq!(Period::FIRST.months_to(Period::LAST, 120), None);
    }

    #[test]
    fn a_month_begins_with_its_first_second() {
        for (text, start) in [
            ("2026-11", 1_793_491_200),
            ("2024-02", 1_706_745_600),
            ("2024-03", 1_709_251_200),
            ("2027-01", 1_798_761_600),
            ("2100-03", 4_107_542_400),
        ] {
            assert_eq!(text.parse::<Period>().unwrap().start().get(), start, "{text}");
        }
    }

    #[test]
    fn a_moment_lies_in_one_month() {
        for (moment, text) in [
            (1_577_836_800, Some("2020-01")),
            (1_577_836_799, None),
            (1_793_491_199, Some("2026-10")),
            (1_793_491_200, Some("2026-11")),
            (4_107_542_399, Some("2100-02")),
            (u64::MAX, None),
        ] {
            assert_eq!(
                Period::of(Timestamp::new(moment)).map(|period| period.to_string()).as_deref(),
                text,
                "{moment}"
            );
        }
    }

    #[test]
    fn months_are_ordered() {
        assert!(Period::new(2026, 12) < Period::new(2027, 1));
    }
}
