//! The evaluation's table: households, purchases and cents by month, kind of shop and size of household, with what fewer
//! than five households did hidden. No name, no code.

use std::collections::{BTreeMap, BTreeSet};

use cabas_protocol::{Cents, MoneyError};

use super::period::Period;
use super::suppression::{HouseholdNo, Place, hidden};

/// Months of one export, at the most.
pub const EVALUATION_MONTHS_MAX: usize = 120;

/// Households by their number of people.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum SizeClass {
    /// One person.
    One,
    /// Two.
    Two,
    /// Three.
    Three,
    /// Four.
    Four,
    /// Five or more.
    FiveOrMore,
}

impl SizeClass {
    /// Every class.
    pub const ALL: [Self; 5] = [Self::One, Self::Two, Self::Three, Self::Four, Self::FiveOrMore];

    /// The class of a household.
    #[must_use]
    pub const fn of(size: u32) -> Self {
        match size {
            0 | 1 => Self::One,
            2 => Self::Two,
            3 => Self::Three,
            4 => Self::Four,
            _ => Self::FiveOrMore,
        }
    }

    /// How it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::One => "1",
            Self::Two => "2",
            Self::Three => "3",
            Self::Four => "4",
            Self::FiveOrMore => "5+",
        }
    }
}

/// One purchase.
#[derive(Clone, Copy, Debug)]
pub struct Purchase<'k> {
    /// The month in which the hub booked it.
    pub period: Period,
    /// The kind of shop.
    pub kind: &'k str,
    /// Who bought.
    pub household: HouseholdNo,
    /// Its size when the hub booked it.
    pub size: u32,
    /// What the fund paid of it.
    pub cents: Cents,
}

/// What households did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Told {
    /// How many households bought something.
    pub households: u64,
    /// How many purchases.
    pub purchases: u64,
    /// What the fund paid of them.
    pub cents: Cents,
}

/// A line of the export.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Line {
    /// The month.
    pub period: Period,
    /// The kind of shop; none for all together.
    pub kind: Option<String>,
    /// The size of household; none for all together.
    pub class: Option<SizeClass>,
    /// What is told; nothing where it is hidden.
    pub told: Option<Told>,
}

#[derive(Clone, Debug, Default)]
struct Cell {
    households: BTreeSet<HouseholdNo>,
    purchases: u64,
    cents: Cents,
}

#[derive(Debug, Default)]
struct MonthCells {
    /// The class that a household has for the whole month, so that it stands in one column.
    classes: BTreeMap<HouseholdNo, SizeClass>,
    cells: BTreeMap<(String, SizeClass), Cell>,
}

/// Adds purchases up.
#[derive(Debug, Default)]
pub struct Evaluation {
    months: BTreeMap<Period, MonthCells>,
}

impl Evaluation {
    /// Counts a purchase.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn add(&mut self, purchase: Purchase<'_>) -> Result<(), MoneyError> {
        let month = self.months.entry(purchase.period).or_default();
        let class = *month.classes.entry(purchase.household).or_insert(SizeClass::of(purchase.size));
        let cell = month.cells.entry((purchase.kind.to_owned(), class)).or_default();
        cell.households.insert(purchase.household);
        cell.purchases = cell.purchases.saturating_add(1);
        cell.cents = cell.cents.plus(purchase.cents)?;
        Ok(())
    }

    /// The lines of these months: each kind and size, and the sums of both.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn lines(&self, months: &[Period], kinds: &BTreeSet<String>) -> Result<Vec<Line>, MoneyError> {
        let nothing = MonthCells::default();
        let mut lines = Vec::new();
        for period in months {
            lines.extend(month_lines(*period, self.months.get(period).unwrap_or(&nothing), kinds)?);
        }
        Ok(lines)
    }
}

fn month_lines(period: Period, month: &MonthCells, kinds: &BTreeSet<String>) -> Result<Vec<Line>, MoneyError> {
    // A kind that no shop has any more is shown as long as somebody bought there.
    let kinds: BTreeSet<&String> = kinds.iter().chain(month.cells.keys().map(|(kind, _)| kind)).collect();
    let cell = |kind: &String, class| month.cells.get(&(kind.clone(), class)).cloned().unwrap_or_default();
    let cells: Vec<Vec<Cell>> =
        kinds.iter().map(|kind| SizeClass::ALL.iter().map(|class| cell(kind, *class)).collect()).collect();
    let table = cells.iter().map(|row| row.iter().map(|cell| cell.households.clone()).collect()).collect();
    let hidden = hidden(&table);
    let mut lines = Vec::new();
    for (row, kind) in kinds.iter().map(Some).chain([None]).enumerate() {
        for (column, class) in SizeClass::ALL.iter().map(Some).chain([None]).enumerate() {
            let told = if hidden.contains(&(row, column)) { None } else { Some(told(&cells, (row, column))?) };
            lines.push(Line { period, kind: kind.map(|kind| (*kind).clone()), class: class.copied(), told });
        }
    }
    Ok(lines)
}

/// What a cell, or the sum of a row, a column or all of them, comes to.
fn told(cells: &[Vec<Cell>], (row, column): Place) -> Result<Told, MoneyError> {
    let is_row = |at: usize| row >= cells.len() || at == row;
    let is_column = |at: usize| column >= SizeClass::ALL.len() || at == column;
    let rows = cells.iter().enumerate().filter(|(at, _)| is_row(*at));
    let found: Vec<&Cell> = rows
        .flat_map(|(_, row)| row.iter().enumerate().filter(|(at, _)| is_column(*at)).map(|(_, cell)| cell))
        .collect();
    let households: BTreeSet<_> = found.iter().flat_map(|cell| &cell.households).collect();
    Ok(Told {
        households: u64::try_from(households.len()).unwrap_or(u64::MAX),
        purchases: found.iter().fold(0, |sum, cell| cell.purchases.saturating_add(sum)),
        cents: Cents::sum(found.iter().map(|cell| cell.cents))?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    fn month(text: &str) -> Period {
        text.parse().unwrap()
    }

    /// Households `from..to` of a size buy once each, 1.00 €.
    fn buy(evaluation: &mut Evaluation, kind: &str, size: u32, households: std::ops::Range<u64>) {
        for household in households {
            let cents = Cents::new(100).unwrap();
            evaluation.add(Purchase { period: month("2026-11"), kind, household, size, cents }).unwrap();
        }
    }

    fn find<'l>(lines: &'l [Line], kind: Option<&str>, class: Option<SizeClass>) -> &'l Line {
        lines.iter().find(|line| line.kind.as_deref() == kind && line.class == class).unwrap()
    }

    #[test]
    fn what_four_households_did_is_hidden_and_what_five_did_is_not() {
        let mut evaluation = Evaluation::default();
        for (size, first) in [(1, 0), (2, 100), (3, 200), (4, 300), (5, 400)] {
            buy(&mut evaluation, "grocery", size, first..first + 20);
            buy(&mut evaluation, "market", size, first + 5..first + if size == 2 { 9 } else { 10 });
        }
        let kinds = ["grocery", "market"].map(str::to_owned).into();
        let lines = evaluation.lines(&[month("2026-11")], &kinds).unwrap();
        assert_eq!(lines.len(), 3 * 6);
        assert_eq!(find(&lines, Some("market"), Some(SizeClass::Two)).told, None);
        let others: Vec<_> = SizeClass::ALL
            .into_iter()
            .filter(|class| find(&lines, Some("market"), Some(*class)).told.is_none())
            .collect();
        assert_eq!(others.len(), 2, "one more is hidden with it");
        // Who bought at both is one household in the sum.
        let all = Told { households: 20, purchases: 24, cents: Cents::new(2_400).unwrap() };
        assert_eq!(find(&lines, None, Some(SizeClass::Two)).told, Some(all));
        let all = Told { households: 100, purchases: 124, cents: Cents::new(12_400).unwrap() };
        assert_eq!(find(&lines, None, None).told, Some(all));
    }

    #[test]
    fn a_household_that_grows_stays_in_its_column_until_the_month_ends() {
        let mut evaluation = Evaluation::default();
        buy(&mut evaluation, "grocery", 1, 0..20);
        buy(&mut evaluation, "grocery", 2, 0..6);
        let lines = evaluation.lines(&[month("2026-11")], &BTreeSet::new()).unwrap();
        let told = find(&lines, None, None).told.unwrap();
        assert_eq!((told.households, told.purchases), (20, 26));
        assert_eq!(find(&lines, Some("grocery"), Some(SizeClass::Two)).told, None, "nobody is in it");
    }

    #[test]
    fn a_month_in_which_nobody_bought_says_nothing() {
        let lines = Evaluation::default().lines(&[month("2026-11")], &["grocery".to_owned()].into()).unwrap();
        assert_eq!(lines.len(), 2 * 6);
        assert!(lines.iter().all(|line| line.told.is_none()));
    }

    #[test]
    fn a_month_of_a_fund_of_the_examples_size_is_still_worth_reading() {
        // Sizes of 108 households, and what part of 3 000 purchases each kind of shop has, in thousandths.
        let sizes = [(1, 22), (2, 30), (3, 22), (4, 20), (5, 10), (6, 4)];
        let sizes: Vec<u32> = sizes.iter().flat_map(|(size, count)| vec![*size; *count]).collect();
        let kinds = [
            ("organic-store", 830),
            ("solidarity-grocery", 44),
            ("market-gardener", 52),
            ("bakery", 20),
            ("amap", 19),
            ("butcher", 9),
            ("cheese-maker", 8),
            ("fishmonger", 7),
            ("meat-producer", 6),
            ("restaurant", 5),
        ];
        let mut seed = 1_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33).checked_rem(below).unwrap()
        };
        let mut evaluation = Evaluation::default();
        for _ in 0..3_000 {
            let (household, mut place) = (random(108), random(1_000));
            let kind = kinds.iter().find(|(_, share)| place.checked_sub(*share).map(|rest| place = rest).is_none());
            let size = *sizes.get(usize::try_from(household).unwrap()).unwrap();
            let (period, cents) = (month("2026-11"), Cents::new(1_000).unwrap());
            evaluation.add(Purchase { period, kind: kind.unwrap().0, household, size, cents }).unwrap();
        }
        let lines = evaluation.lines(&[month("2026-11")], &BTreeSet::new()).unwrap();
        assert!(lines.iter().all(|line| line.told.is_some() || line.class.is_some()), "every sum by kind is told");
        assert!(lines.iter().all(|line| line.told.is_some() || line.kind.is_some()), "every sum by size is told");
        let told = lines.iter().filter(|line| line.told.is_some()).count();
        assert!(told >= 45, "{told} of {} lines are told", lines.len());
    }
}
