//! A month of the fund.

use std::fmt;
use std::str::FromStr;

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

    /// Makes a month.
    #[must_use]
    pub const fn new(year: u16, month: u8) -> Option<Self> {
        if year < Self::YEAR_MIN || year > Self::YEAR_MAX || month == 0 || month > 12 {
            None
        } else {
            Some(Self { year, month })
        }
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
    fn months_are_ordered() {
        assert!(Period::new(2026, 12) < Period::new(2027, 1));
    }
}
