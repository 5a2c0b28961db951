//! A figure by month as a chart with the table behind it: by source what was paid in and credited, by kind
//! of shop everything else.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::chart::{Chart, Series, svg};
use super::figures::{GivenShown, MonthShown, MonthsShown, ShopsShown};
use super::frame::Frame;

/// What is drawn.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum What {
    /// Contributed by households and paid by funders, by source.
    PaidIn,
    /// Given to households, by source.
    Credited,
    /// Purchases.
    Spent,
    /// What of them was refunded.
    Refunded,
    /// What settlements took to pay it out.
    Settled,
    /// What shops were owed at the end of the month.
    Owed,
}

impl What {
    /// Everything that can be drawn.
    pub const ALL: [Self; 6] = [Self::PaidIn, Self::Credited, Self::Spent, Self::Refunded, Self::Settled, Self::Owed];

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PaidIn => "paid-in",
            Self::Credited => "credited",
            Self::Spent => "spent",
            Self::Refunded => "refunded",
            Self::Settled => "settled",
            Self::Owed => "owed",
        }
    }

    /// What is called so.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|what| what.name() == name)
    }

    /// True where the columns are sources, and not kinds of shops.
    const fn is_by_source(self) -> bool {
        matches!(self, Self::PaidIn | Self::Credited)
    }

    /// True where months can be added up.
    const fn is_sum(self) -> bool {
        !matches!(self, Self::Owed)
    }

    /// The cents of a month, by source or kind.
    fn parts(self, month: &MonthShown) -> BTreeMap<String, u64> {
        let by_kind =
            |of: fn(&ShopsShown) -> u64| month.kinds.iter().map(|(name, kind)| (name.clone(), of(kind))).collect();
        let by_source =
            |of: fn(&GivenShown) -> u64| month.sources.iter().map(|(name, given)| (name.clone(), of(given))).collect();
        match self {
            Self::PaidIn => by_source(|given| given.paid_in_cents),
            Self::Credited => by_source(|given| given.credited_cents),
            Self::Spent => by_kind(|kind| kind.spent_cents),
            Self::Refunded => by_kind(|kind| kind.refunded_cents),
            Self::Settled => by_kind(|kind| kind.settled_cents),
            Self::Owed => by_kind(|kind| kind.owed_cents),
        }
    }
}

/// A line of the table.
#[derive(Debug, Eq, PartialEq)]
pub struct PlotLine {
    /// The month.
    pub name: String,
    /// One entry a column.
    pub cents: Vec<u64>,
    /// All of them.
    pub total: u64,
}

/// A chart, and the table behind it.
#[derive(Debug)]
pub struct Plot {
    /// Its word.
    pub name: &'static str,
    /// The picture; empty where there is nothing to draw.
    pub svg: String,
    /// The sources or kinds, the largest first.
    pub columns: Vec<String>,
    /// The months, newest first: it is looked for most.
    pub lines: Vec<PlotLine>,
    /// All months together; none where they cannot be added up.
    pub sum: Option<PlotLine>,
}

/// The numbers of a plot: names, and one line a month, oldest first.
struct Numbers {
    names: Vec<String>,
    lines: Vec<(String, Vec<u64>)>,
}

fn numbers(shown: &MonthsShown, what: What) -> Numbers {
    let parts: Vec<_> = shown.months.iter().map(|month| (month.month.clone(), what.parts(month))).collect();
    let mut sums: BTreeMap<&String, u64> = BTreeMap::new();
    for (name, cents) in parts.iter().flat_map(|(_, parts)| parts) {
        let sum = sums.entry(name).or_default();
        *sum = sum.saturating_add(*cents);
    }
    // The largest lie lowest and keep their own name where there are too many; what is nothing all along is left out.
    let mut names: Vec<_> = sums.into_iter().filter(|(_, sum)| *sum > 0).collect();
    names.sort_by_key(|(name, sum)| (Reverse(*sum), *name));
    let names: Vec<String> = names.into_iter().map(|(name, _)| name.clone()).collect();
    let cents =
        |parts: &BTreeMap<String, u64>| names.iter().map(|name| parts.get(name).copied().unwrap_or(0)).collect();
    let lines = parts.iter().map(|(month, parts)| (month.clone(), cents(parts))).collect();
    Numbers { lines, names }
}

fn line(name: String, cents: Vec<u64>) -> PlotLine {
    let total = cents.iter().fold(0_u64, |sum, cents| sum.saturating_add(*cents));
    PlotLine { name, cents, total }
}

impl Plot {
    /// The plot of a figure, in the reader's language.
    #[must_use]
    pub fn of(f: &Frame, shown: &MonthsShown, what: What) -> Self {
        let Numbers { names, lines } = numbers(shown, what);
        let column = |place: usize| lines.iter().map(|(_, cents)| cents.get(place).copied().unwrap_or(0)).collect();
        let columns: Vec<String> =
            names.iter().map(|name| if what.is_by_source() { name.clone() } else { f.kind_name(name) }).collect();
        let series: Vec<_> = columns
            .iter()
            .enumerate()
            .map(|(place, name)| Series { name: name.clone(), cents: column(place) })
            .collect();
        let months: Vec<_> = lines.iter().map(|(month, _)| f.month_number(month)).collect();
        let chart = Chart {
            id: format!("plot-{}", what.name()),
            title: f.named("plot-", what.name()),
            desc: match (months.first(), months.last()) {
                (Some(first), Some(last)) => f.tv("plot-desc", "span", format!("{first} – {last}")),
                (_, _) => String::new(),
            },
            columns: months,
            rest: f.t("plot-rest"),
            series,
        };
        let sums = (0..columns.len())
            .map(|place| column(place).iter().fold(0_u64, |sum, cents: &u64| sum.saturating_add(*cents)));
        let sum = what.is_sum().then(|| line(f.t("plot-sum"), sums.collect()));
        let svg =
            if columns.is_empty() { String::new() } else { svg(&chart, |cents| f.euros(&cents)).unwrap_or_default() };
        let lines = lines.iter().rev().map(|(month, cents)| line(f.month_number(month), cents.clone())).collect();
        Self { name: what.name(), svg, columns, lines, sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(month: &str, kinds: &[(&str, u64, u64)]) -> MonthShown {
        let kind = |(name, spent_cents, owed_cents): &(&str, u64, u64)| {
            (
                (*name).to_owned(),
                ShopsShown { spent_cents: *spent_cents, owed_cents: *owed_cents, ..ShopsShown::default() },
            )
        };
        MonthShown { month: month.to_owned(), kinds: kinds.iter().map(kind).collect(), ..MonthShown::default() }
    }

    #[test]
    fn a_plot_begins_with_the_largest_kind_and_has_every_month() {
        let shown = MonthsShown {
            months: vec![
                month("2026-11", &[("grocery", 100, 100), ("market", 700, 0), ("bakery", 0, 0)]),
                month("2026-12", &[("grocery", 300, 400), ("market", 0, 0), ("bakery", 0, 0)]),
            ],
            total: MonthShown::default(),
        };
        let spent = numbers(&shown, What::Spent);
        assert_eq!(spent.names, ["market", "grocery"]);
        let lines = |numbers: Numbers| numbers.lines;
        assert_eq!(lines(spent), [("2026-11".to_owned(), vec![700, 100]), ("2026-12".to_owned(), vec![0, 300])]);
        let owed = numbers(&shown, What::Owed);
        assert_eq!(owed.names, ["grocery"]);
        assert_eq!(lines(owed), [("2026-11".to_owned(), vec![100]), ("2026-12".to_owned(), vec![400])]);
        assert!(numbers(&shown, What::Credited).names.is_empty());
    }

    #[test]
    fn what_can_be_drawn_is_known_by_its_word_and_by_no_other() {
        for what in What::ALL {
            assert_eq!(What::of_name(what.name()), Some(what));
        }
        assert_eq!(What::of_name("profit"), None);
    }
}
