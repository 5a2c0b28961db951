//! `rule`, `expiry`, `grid`: what the members voted.

use std::fmt::Write as _;
use std::str::FromStr;

use cabas_protocol::objects::Category;
use cabas_protocol::{CategoryId, Cents};
use clap::Subcommand;
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use super::fund::euros;
use crate::core::household_rules::Rule as Voted;
use crate::core::period::Period;
use crate::out::{plain, print};
use crate::store::{GridView, OpenMode, StoreError};

#[derive(Debug, Subcommand)]
pub(super) enum Rule {
    /// List every rule there ever was
    List,
    /// Note a rule that was voted: it holds from a month on that was not credited yet
    Set {
        /// The first month
        #[arg(long, value_name = "YYYY-MM")]
        from: Period,
        /// For the first person of a household
        #[arg(long, value_name = "CENTS")]
        first_cents: u64,
        /// For each further person of 14 or more
        #[arg(long, value_name = "CENTS")]
        further_cents: u64,
        /// For each child under 14
        #[arg(long, value_name = "CENTS")]
        child_cents: u64,
        /// Money expires that was not spent after so many months; without it nothing expires
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=120))]
        expire_months: Option<u32>,
        /// Who notes it
        #[arg(long, value_name = "NAME")]
        by: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Expiry {
    /// What expires at the end of a month: shown only, unless --book is given; booked once, however often it is run
    Run {
        /// The month, which must be over
        #[arg(long, value_name = "YYYY-MM")]
        period: Period,
        /// Book it
        #[arg(long)]
        book: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Grid {
    /// List every grid, newest first: of those that hold on a day the newest counts
    List,
    /// Set what part of which goods the fund covers, at one shop or at all, from a day on
    Set {
        /// One shop; without it all
        #[arg(long, value_name = "CODE")]
        shop: Option<String>,
        /// The first day
        #[arg(long, value_name = "YYYY-MM-DD")]
        from: Day,
        /// A category, such as `2:70:Épicerie:Groceries`: number, covered share in percent, French and English name; the
        /// first is the default
        #[arg(long = "category", value_name = "ID:PERCENT:FR:EN", required = true)]
        categories: Vec<Given>,
    },
}

/// A day, in days since 1970-01-01.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Day(pub(super) u32);

impl FromStr for Day {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const BAD: &str = "not a day: write it like 2026-12-01";
        let (month, day) = text.rsplit_once('-').filter(|(_, day)| day.len() == 2).ok_or(BAD)?;
        let (period, day) = (month.parse::<Period>().map_err(|_| BAD)?, day.parse::<u32>().map_err(|_| BAD)?);
        let day_of = |period: Period| u32::try_from(period.start().get().checked_div(86_400).unwrap_or(0)).unwrap_or(0);
        let (first, next) = (day_of(period), period.plus(1).map_or(u32::MAX, day_of));
        let found = first.saturating_add(day).checked_sub(1).filter(|found| (first..next).contains(found));
        found.map(Self).ok_or(BAD)
    }
}

/// A category as the command line gives it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Given(Category);

impl FromStr for Given {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const BAD: &str = "not a category: write it like 2:70:Épicerie:Groceries";
        let mut parts = text.splitn(4, ':');
        let mut next = || parts.next().map(str::trim).filter(|part| !part.is_empty()).ok_or(BAD);
        let (id, percent) = (next()?.parse().map_err(|_| BAD)?, next()?.parse::<u8>().map_err(|_| BAD)?);
        if percent > 100 {
            return Err("a share is 0 to 100 percent");
        }
        let (label_fr, label_en) = (next()?.to_owned(), next()?.to_owned());
        Ok(Self(Category { id: CategoryId::new(id), share_percent: percent, label_fr, label_en }))
    }
}

#[derive(Serialize)]
struct RuleLine {
    from: String,
    first_cents: u64,
    further_cents: u64,
    child_cents: u64,
    expire_months: Option<u32>,
}

pub(super) fn rule(context: &Context, command: &Rule) -> Result<(), Failure> {
    let mut db = context.open(OpenMode::Existing)?;
    if let Rule::Set { from, first_cents, further_cents, child_cents, expire_months, by } = command {
        let now = context.clock.now();
        db.write(|tx| {
            let rule = Voted {
                from: *from,
                first_person: Cents::new(*first_cents)?,
                further_person: Cents::new(*further_cents)?,
                child_under_14: Cents::new(*child_cents)?,
                expire_months: *expire_months,
            };
            tx.rule_set(rule, by, now)
        })?;
    }
    let line = |rule: &Voted| RuleLine {
        from: rule.from.to_string(),
        first_cents: rule.first_person.get(),
        further_cents: rule.further_person.get(),
        child_cents: rule.child_under_14.get(),
        expire_months: rule.expire_months,
    };
    let lines: Vec<_> = db.read(|tx| tx.rules())?.iter().map(line).collect();
    print(context.format, &lines, |lines| rules_text(lines).unwrap_or_default()).map_err(Failure::Print)
}

fn rules_text(lines: &[RuleLine]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for line in lines {
        let (first, further, child) = (euros(line.first_cents), euros(line.further_cents), euros(line.child_cents));
        write!(
            text,
            "from {}: {first} € the first person, {further} € each further one, {child} € each child; ",
            line.from
        )?;
        match line.expire_months {
            Some(months) => writeln!(text, "unspent money expires after {months} months")?,
            None => writeln!(text, "nothing expires")?,
        }
    }
    Ok(text)
}

#[derive(Serialize)]
struct ExpiryRun {
    period: String,
    booked: bool,
    /// Expired by this run; in a preview what would.
    cents: u64,
    /// What had been booked for this month before this run.
    booked_before_cents: u64,
    lines: Vec<ExpiryShown>,
}

#[derive(Serialize)]
struct ExpiryShown {
    household: String,
    cents: u64,
    booked_before_cents: Option<u64>,
}

pub(super) fn expiry(context: &Context, command: &Expiry) -> Result<(), Failure> {
    let Expiry::Run { period, book } = command;
    let now = context.clock.now();
    let mut db = context.open(OpenMode::Existing)?;
    let lines = db.read(|tx| tx.expiry_preview(*period, now))?;
    let sum = |cents: &mut dyn Iterator<Item = Cents>| Cents::sum(cents).map_err(StoreError::from);
    let mut run = ExpiryRun {
        period: period.to_string(),
        booked: *book,
        cents: sum(&mut lines.iter().map(|line| line.cents))?.get(),
        booked_before_cents: sum(&mut lines.iter().filter_map(|line| line.booked))?.get(),
        lines: lines
            .into_iter()
            .map(|line| ExpiryShown {
                household: line.household,
                cents: line.cents.get(),
                booked_before_cents: line.booked.map(Cents::get),
            })
            .collect(),
    };
    if *book {
        let (mut from, mut expired) = (Some(0), Cents::ZERO);
        while let Some(purse) = from {
            let (cents, next) = db.write(|tx| tx.expiry_book(*period, purse, now))?;
            expired = expired.plus(cents).map_err(StoreError::from)?;
            from = next;
        }
        run.cents = expired.get();
    }
    print(context.format, &run, |run| expiry_text(run).unwrap_or_default()).map_err(Failure::Print)
}

fn expiry_text(run: &ExpiryRun) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for line in run.lines.iter().filter(|_| !run.booked) {
        let before = if line.booked_before_cents.is_some() { "  (booked before)" } else { "" };
        writeln!(text, "{:<12} {:>10} €{before}", plain(&line.household), euros(line.cents))?;
    }
    let (cents, before) = (euros(run.cents), euros(run.booked_before_cents));
    let (verb, hint) =
        if run.booked { ("Expired", "") } else { ("To expire", " Nothing was booked; to book it, add --book.") };
    writeln!(text, "{verb} for {}: {cents} €; {before} € had been.{hint}", run.period)?;
    Ok(text)
}

#[derive(Serialize)]
struct GridLine {
    version: u32,
    shop: Option<String>,
    /// Days since 1970-01-01.
    from_day: u32,
    categories: Vec<CategoryLine>,
}

#[derive(Serialize)]
struct CategoryLine {
    category: u16,
    share_percent: u8,
    label_fr: String,
    label_en: String,
}

pub(super) fn grid(context: &Context, command: &Grid) -> Result<(), Failure> {
    let mut db = context.open(OpenMode::Existing)?;
    if let Grid::Set { shop, from, categories } = command {
        let now = context.clock.now();
        let categories: Vec<_> = categories.iter().map(|given| given.0.clone()).collect();
        db.write(|tx| tx.grid_set(shop.as_deref(), &categories, from.0, now))?;
    }
    let lines: Vec<_> = db.read(|tx| tx.grids())?.into_iter().map(grid_line).collect();
    print(context.format, &lines, |lines| grids_text(lines).unwrap_or_default()).map_err(Failure::Print)
}

fn grid_line(view: GridView) -> GridLine {
    let category = |category: Category| CategoryLine {
        category: category.id.get(),
        share_percent: category.share_percent,
        label_fr: category.label_fr,
        label_en: category.label_en,
    };
    GridLine {
        version: view.version.get(),
        shop: view.shop,
        from_day: view.valid_from_day,
        categories: view.categories.into_iter().map(category).collect(),
    }
}

fn grids_text(lines: &[GridLine]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for line in lines {
        let shop = line.shop.as_deref().map_or_else(|| "all shops".to_owned(), plain);
        writeln!(text, "grid {} of {shop}, from day {} on:", line.version, line.from_day)?;
        for category in &line.categories {
            let (fr, en) = (plain(&category.label_fr), plain(&category.label_en));
            writeln!(text, "  {:>5} {:>3} % {fr} / {en}", category.category, category.share_percent)?;
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    #[test]
    fn a_day_is_one_of_its_month() {
        assert_eq!("1970-01-01".parse::<Day>(), Err("not a day: write it like 2026-12-01"), "before there was a fund");
        assert_eq!("2026-12-01".parse(), Ok(Day(20_788)));
        assert_eq!("2028-02-29".parse(), Ok(Day(21_243)));
        for bad in ["2027-02-29", "2026-12-00", "2026-12-32", "2026-12-1", "2026-12", "12-01", ""] {
            assert!(bad.parse::<Day>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_category_is_given_in_four_parts() {
        let given: Given = "2:70:Épicerie : bio:Groceries".parse().unwrap();
        assert_eq!((given.0.id.get(), given.0.share_percent, given.0.label_fr.as_str()), (2, 70, "Épicerie"));
        for bad in ["2:70:Épicerie", "2:101:a:b", "x:70:a:b", "2:-1:a:b", "70000:1:a:b", "2:70::b"] {
            assert!(bad.parse::<Given>().is_err(), "{bad}");
        }
    }
}
