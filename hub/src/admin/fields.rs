//! What people type into forms, and how days, months and addresses are written back.

use cabas_protocol::{Cents, Timestamp};
use jiff::Span;
use jiff::civil::Date;

use super::frame::Frame;
use super::words::Lang;
use crate::core::period::Period;

/// Letters of an amount or a day; more is none.
const TYPED_CHARS_MAX: usize = 32;
const EPOCH: Date = Date::constant(1970, 1, 1);

/// An amount as people type it: `12,5`, `12.50 €`, `1 234,50`; nothing where it is none.
#[must_use]
pub fn cents(text: &str) -> Option<Cents> {
    let text = text.trim();
    if text.chars().count() > TYPED_CHARS_MAX {
        return None;
    }
    let plain: String = text.chars().filter(|c| !c.is_whitespace() && *c != '€').collect();
    let (euros, rest) = plain.split_once([',', '.']).unwrap_or((&plain, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if euros.is_empty() || rest.len() > 2 || !is_number(euros) || !is_number(rest) {
        return None;
    }
    let (euros, rest): (u64, u64) = (euros.parse().ok()?, format!("{rest:0<2}").parse().ok()?);
    Cents::new(euros.checked_mul(100)?.checked_add(rest)?).ok()
}

/// The same amount as a form shows it: `1234,50`.
#[must_use]
#[expect(clippy::integer_division, reason = "euros and cents are a quotient and a rest")]
pub fn typed(cents: u64) -> String {
    format!("{},{:02}", cents / 100, cents % 100)
}

/// A day as browsers send it (`2026-12-01`) or people type it (`01/12/2026`), in days since 1970-01-01; nothing where it is
/// none.
#[must_use]
pub fn day(text: &str) -> Option<u32> {
    let text = text.trim();
    if text.len() > TYPED_CHARS_MAX {
        return None;
    }
    let form = if text.contains('/') { "%d/%m/%Y" } else { "%Y-%m-%d" };
    let date = Date::strptime(form, text).ok()?;
    number(date)
}

fn number(date: Date) -> Option<u32> {
    u32::try_from(date.since(EPOCH).ok()?.get_days()).ok()
}

fn date(days: u32) -> Option<Date> {
    EPOCH.checked_add(Span::new().try_days(days).ok()?).ok()
}

/// A day as forms and programs have it: `2026-12-01`.
#[must_use]
pub fn day_text(days: u32) -> String {
    date(days).map(|date| date.to_string()).unwrap_or_default()
}

/// The day that it is, on the machine's calendar.
#[must_use]
pub fn today(now: Timestamp) -> u32 {
    let at = i64::try_from(now.get()).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    let date = at.map(|at| at.to_zoned(jiff::tz::TimeZone::system()).date());
    date.and_then(number).unwrap_or(0)
}

/// A part of a path: whatever is no letter, digit, `-`, `_` or `.` is escaped.
#[must_use]
pub fn segment(text: &str) -> String {
    let escaped = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escaped).collect()
}

impl Frame {
    /// A day, as people write it.
    #[must_use]
    pub fn day(&self, days: &u32) -> String {
        let form = if self.lang() == "fr" { "%d/%m/%Y" } else { "%Y-%m-%d" };
        date(*days).map(|date| date.strftime(form).to_string()).unwrap_or_default()
    }

    /// A part of a path.
    #[must_use]
    pub fn segment(&self, text: &str) -> String {
        segment(text)
    }
}

/// The same in the form of that language.
#[must_use]
pub fn typed_in(lang: Lang, cents: u64) -> String {
    match lang {
        Lang::French => typed(cents),
        Lang::English => typed(cents).replace(',', "."),
    }
}

/// The month that it is, on the machine's calendar.
#[must_use]
pub fn this_month(now: Timestamp) -> Option<Period> {
    let at = i64::try_from(now.get()).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())?;
    let date = at.to_zoned(jiff::tz::TimeZone::system()).date();
    Period::new(u16::try_from(date.year()).ok()?, u8::try_from(date.month()).ok()?)
}

impl Frame {
    /// A month, as people write it: `novembre 2026`.
    #[must_use]
    pub fn month(&self, period: &str) -> String {
        let Ok(period) = period.parse::<Period>() else { return period.to_owned() };
        let name = MONTHS.get(usize::from(period.month()).saturating_sub(1)).copied().unwrap_or_default();
        format!("{} {}", self.t(name), period.year())
    }
}

/// The words of the months.
const MONTHS: [&str; 12] = [
    "month-january",
    "month-february",
    "month-march",
    "month-april",
    "month-may",
    "month-june",
    "month-july",
    "month-august",
    "month-september",
    "month-october",
    "month-november",
    "month-december",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_people_type_them_and_nothing_else_is() {
        for (text, read) in [
            ("12,5", Some(1_250)),
            ("12.50 €", Some(1_250)),
            ("1 234,50\u{a0}€", Some(123_450)),
            ("0", Some(0)),
            ("20", Some(2_000)),
            ("007,00", Some(700)),
            ("12,505", None),
            ("1,234.50", None),
            ("-1", None),
            ("+1", None),
            ("", None),
            (",50", None),
            ("€", None),
            ("1e3", None),
            ("١٢", None),
            ("99999999999999999999", None),
            ("184467440737095516,15", None),
        ] {
            assert_eq!(cents(text).map(Cents::get), read, "{text}");
        }
        for lang in [Lang::French, Lang::English] {
            assert_eq!(cents(&typed_in(lang, 123_405)).map(Cents::get), Some(123_405));
        }
        assert_eq!((typed_in(Lang::French, 5), typed_in(Lang::English, 5)), ("0,05".to_owned(), "0.05".to_owned()));
    }

    #[test]
    fn days_are_read_as_browsers_and_people_write_them() {
        for (text, read) in [
            ("1970-01-01", Some(0)),
            ("2026-12-01", Some(20_788)),
            (" 01/12/2026 ", Some(20_788)),
            ("1/12/2026", Some(20_788)),
            ("2028-02-29", Some(21_243)),
            ("2027-02-29", None),
            ("1969-12-31", None),
            ("12/31/2026", None),
            ("2026-12", None),
            ("2026-12-01T00:00", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(day(text), read, "{text}");
        }
        assert_eq!((day_text(20_788), day_text(u32::MAX)), ("2026-12-01".to_owned(), String::new()));
    }

    #[test]
    fn what_stands_in_a_path_is_escaped() {
        assert_eq!(segment("a/b?é..x"), "a%2Fb%3F%C3%A9..x");
    }
}
