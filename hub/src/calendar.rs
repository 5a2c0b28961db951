//! The fund's calendar: in which month a moment lies, by its own time zone. Whoever starts the program says which zone.

use cabas_protocol::Timestamp;
use jiff::tz::TimeZone;
use jiff::{Span, Zoned};

use crate::core::period::Period;

/// A time zone, and the months of it.
#[derive(Clone, Debug)]
pub struct Calendar(TimeZone);

impl Calendar {
    /// The calendar of the machine's time zone, which is the fund's.
    #[must_use]
    pub fn system() -> Self {
        Self(TimeZone::system())
    }

    /// The calendar of a time zone.
    #[must_use]
    pub const fn of(zone: TimeZone) -> Self {
        Self(zone)
    }

    /// The month of a moment; one before the first or after the last month that there is counts as that one.
    #[must_use]
    pub fn month_of(&self, at: Timestamp) -> Period {
        let found = self.zoned(at).and_then(|zoned| {
            let (year, month) = (u16::try_from(zoned.year()).ok()?, u8::try_from(zoned.month()).ok()?);
            if year < Period::YEAR_MIN { Some(Period::FIRST) } else { Period::new(year, month) }
        });
        found.unwrap_or(Period::LAST)
    }

    /// The same moment so many months before; 1970 where there is none.
    #[must_use]
    pub fn months_before(&self, at: Timestamp, months: u8) -> Timestamp {
        let before = self.zoned(at).and_then(|zoned| zoned.checked_sub(Span::new().months(months)).ok());
        let seconds = before.and_then(|before| u64::try_from(before.timestamp().as_second()).ok());
        Timestamp::new(seconds.unwrap_or(0))
    }

    fn zoned(&self, at: Timestamp) -> Option<Zoned> {
        let seconds = i64::try_from(at.get()).ok()?;
        Some(jiff::Timestamp::from_second(seconds).ok()?.to_zoned(self.0.clone()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    fn paris() -> Calendar {
        Calendar::of(TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap())
    }

    fn second(text: &str) -> Timestamp {
        let at: jiff::Timestamp = text.parse().unwrap();
        Timestamp::new(u64::try_from(at.as_second()).unwrap())
    }

    #[test]
    fn a_month_begins_at_midnight_where_the_fund_is() {
        for (at, month) in [
            ("2026-10-31T22:59:59Z", "2026-10"),
            ("2026-10-31T23:00:00Z", "2026-11"),
            ("2026-06-30T21:59:59Z", "2026-06"),
            ("2026-06-30T22:00:00Z", "2026-07"),
            ("2026-12-31T23:00:00Z", "2027-01"),
        ] {
            assert_eq!(paris().month_of(second(at)).to_string(), month, "{at}");
        }
    }

    #[test]
    fn a_clock_that_is_far_off_names_the_first_or_the_last_month() {
        assert_eq!(paris().month_of(Timestamp::new(0)), Period::FIRST);
        assert_eq!(paris().month_of(second("3000-01-01T00:00:00Z")), Period::LAST);
        assert_eq!(paris().month_of(Timestamp::new(u64::MAX)), Period::LAST);
        assert_eq!(paris().months_before(Timestamp::new(5), 12), Timestamp::new(0));
        assert_eq!(paris().months_before(Timestamp::new(u64::MAX), 12), Timestamp::new(0));
    }

    #[test]
    fn twelve_months_before_is_the_same_day_of_the_year_before() {
        let before = paris().months_before(second("2026-11-28T10:00:00Z"), 12);
        assert_eq!(before, second("2025-11-28T10:00:00Z"));
        let leap = paris().months_before(second("2028-02-29T10:00:00Z"), 12);
        assert_eq!(leap, second("2027-02-28T10:00:00Z"));
    }
}
