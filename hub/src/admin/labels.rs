//! How months, parts and kinds of shops are written for people.

use super::frame::Frame;
use super::words::Lang;
use crate::core::period::Period;

/// Kinds of shops that have words in both languages; another one is shown as it was entered.
pub const KINDS: [&str; 10] = [
    "amap",
    "bakery",
    "butcher",
    "cheese-maker",
    "fishmonger",
    "market-gardener",
    "meat-producer",
    "organic-store",
    "restaurant",
    "solidarity-grocery",
];

impl Frame {
    /// A month in figures: `11/2026`.
    #[must_use]
    pub fn month_number(&self, month: &str) -> String {
        month_number(month)
    }

    /// A kind of shop.
    #[must_use]
    pub fn kind_name(&self, kind: &str) -> String {
        if KINDS.contains(&kind) { self.named("shop-kind-", kind) } else { kind.to_owned() }
    }

    /// Thousandths as a percentage with one place.
    #[must_use]
    pub fn percent(&self, permille: &u64) -> String {
        percent(if self.lang() == Lang::French.code() { Lang::French } else { Lang::English }, *permille)
    }
}

fn month_number(month: &str) -> String {
    match month.split_once('-') {
        Some((year, month)) => format!("{month}/{year}"),
        None => month.to_owned(),
    }
}

#[expect(clippy::integer_division, reason = "whole and tenth are a quotient and a rest")]
fn percent(lang: Lang, permille: u64) -> String {
    let (whole, tenth) = (permille / 10, permille % 10);
    match lang {
        Lang::French => format!("{whole},{tenth}\u{a0}%"),
        Lang::English => format!("{whole}.{tenth}%"),
    }
}

/// A month as browsers send it, `2026-11`, or as people type it where the browser has no field for months, `11/2026`.
#[must_use]
pub fn month_typed(text: &str) -> Option<Period> {
    let text = text.trim();
    match text.split_once('/') {
        Some((month, year)) => format!("{year}-{month:0>2}").parse().ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_read_as_browsers_send_and_people_type_them() {
        let november = Period::new(2026, 11);
        for text in ["2026-11", " 2026-11 ", "11/2026"] {
            assert_eq!(month_typed(text), november, "{text}");
        }
        assert_eq!(month_typed("1/2027"), Period::new(2027, 1));
        for text in ["", "11", "2026/11", "13/2026", "/2026", "novembre 2026", "2026-11-01"] {
            assert_eq!(month_typed(text), None, "{text}");
        }
        assert_eq!(month_number("2026-11"), "11/2026");
    }

    #[test]
    fn parts_are_written_as_people_read_them() {
        assert_eq!(percent(Lang::French, 1_234), "123,4\u{a0}%");
        assert_eq!(percent(Lang::English, 9), "0.9%");
    }
}
