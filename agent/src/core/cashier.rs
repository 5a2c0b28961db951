//! Codes of cashiers: what one looks like, and how often it may be guessed.

use crate::core::ages::Moment;
use std::fmt;

/// Digits of a code, from the shortest to the longest.
pub const CODE_DIGITS: std::ops::RangeInclusive<usize> = 4..=8;
/// Characters of a label.
pub const LABEL_CHARS_MAX: usize = 24;
/// Wrong codes before nothing is heard for a while.
pub const WRONG_MAX: u32 = 5;
/// The first of these whiles; each further wrong code doubles it.
pub const WAIT_S: u64 = 30;
/// The longest of them.
pub const WAIT_S_MAX: u64 = 900;
/// How long it takes until one wrong code is forgotten: never shorter than a while, so that waiting wins nothing.
pub const FORGOTTEN_S: u64 = WAIT_S_MAX;

/// What a cashier types. `Debug` hides it, and it is wiped from memory.
#[derive(Clone, Eq, PartialEq)]
pub struct Code(zeroize::Zeroizing<String>);

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code([REDACTED])")
    }
}

impl Code {
    /// A code of 4 to 8 digits; nothing for anything else.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = CODE_DIGITS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| Self(zeroize::Zeroizing::new(text.to_owned())))
    }

    /// Its digits.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.0
    }
}

/// A label as it is kept: one short line, or nothing.
#[must_use]
pub fn label(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = text.chars().count() <= LABEL_CHARS_MAX && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

/// Wrong codes, whoever typed them. Time alone forgets them: a cashier who guesses another's code cannot do so with the own.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tries {
    wrong: u32,
    last: Option<Moment>,
    /// Seconds that passed before `last` towards forgetting the next one.
    passed_s: u64,
}

impl Tries {
    /// Seconds in which no code is looked at; 0 where one may be given.
    #[must_use]
    pub fn wait_s(self, now: Moment) -> u64 {
        let over = self.wrong.saturating_sub(WRONG_MAX);
        let Some(last) = self.last.filter(|_| self.wrong >= WRONG_MAX) else { return 0 };
        let whole = WAIT_S.saturating_mul(2_u64.saturating_pow(over)).min(WAIT_S_MAX);
        whole.saturating_sub(now.elapsed_s(last).unwrap_or(0))
    }

    /// After a wrong code.
    #[must_use]
    pub fn wrong(self, now: Moment) -> Self {
        let since_s = self.last.and_then(|last| now.elapsed_s(last)).unwrap_or(0);
        let passed_s = self.passed_s.saturating_add(since_s);
        let forgotten = passed_s.checked_div(FORGOTTEN_S).unwrap_or(0);
        let left = self.wrong.saturating_sub(u32::try_from(forgotten).unwrap_or(u32::MAX));
        let passed_s = if left == 0 { 0 } else { passed_s.checked_rem(FORGOTTEN_S).unwrap_or(0) };
        Self { wrong: left.saturating_add(1), last: Some(now), passed_s }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use crate::fixture::moment;

    #[test]
    fn a_code_has_four_to_eight_digits_and_is_never_shown() {
        for (text, fits) in [
            ("1234", true),
            ("12345678", true),
            ("123", false),
            ("123456789", false),
            ("12a4", false),
            ("١٢٣٤", false),
            (" 1234", false),
            ("", false),
        ] {
            assert_eq!(Code::new(text).is_some(), fits, "{text}");
        }
        assert_eq!(format!("{:?}", Code::new("1234").unwrap()), "Code([REDACTED])");
    }

    #[test]
    fn a_label_is_one_short_line() {
        assert_eq!(label(" Léa "), Some(String::from("Léa")));
        assert_eq!(label(&"é".repeat(24)), Some("é".repeat(24)));
        assert_eq!(label(&"é".repeat(25)), None);
        assert_eq!(label("a\u{1b}[2J"), None);
    }

    #[test]
    fn after_five_wrong_codes_nothing_is_heard_for_a_while_that_doubles() {
        let mut tries = Tries::default();
        for second in 0..4 {
            tries = tries.wrong(moment(1, second));
            assert_eq!(tries.wait_s(moment(1, second)), 0);
        }
        tries = tries.wrong(moment(1, 10));
        assert_eq!((tries.wait_s(moment(1, 10)), tries.wait_s(moment(1, 39)), tries.wait_s(moment(1, 40))), (30, 1, 0));
        tries = tries.wrong(moment(1, 50));
        assert_eq!(tries.wait_s(moment(1, 50)), 60);
        for _ in 0..100 {
            tries = tries.wrong(moment(1, 60));
        }
        assert_eq!(tries.wait_s(moment(1, 60)), WAIT_S_MAX);
    }

    #[test]
    fn time_alone_forgets_wrong_codes_and_one_by_one() {
        let five = (0..5).fold(Tries::default(), |tries, _| tries.wrong(moment(1, 0)));
        assert_eq!(five.wrong(moment(1, FORGOTTEN_S - 1)).wait_s(moment(1, FORGOTTEN_S - 1)), 60);
        assert_eq!(
            five.wrong(moment(1, FORGOTTEN_S)).wait_s(moment(1, FORGOTTEN_S)),
            30,
            "four are left, and this one"
        );
        assert_eq!(five.wrong(moment(1, 2 * FORGOTTEN_S)).wait_s(moment(1, 2 * FORGOTTEN_S)), 0);
        // A slip of the finger now and then closes no counter.
        let hours = 1..=20;
        let slips = hours.fold(Tries::default(), |tries, turn| tries.wrong(moment(1, turn * (FORGOTTEN_S - 60))));
        assert_eq!(slips.wait_s(moment(1, 20 * (FORGOTTEN_S - 60))), 0);
    }
}
