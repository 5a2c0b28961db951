//! `report forecast`: how long the money lasts.

use std::fmt::Write as _;

use cabas_protocol::Cents;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use super::fund::euros;
use crate::core::forecast::HOUSEHOLDS_MAX;
use crate::core::period::Period;
use crate::out::print;
use crate::store::{MoneyForecast, OpenMode, PaceBy};

#[derive(Args, Debug)]
pub(super) struct Forecast {
    /// What if there were so many households, each like the mean of those that are there
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=i64::from(HOUSEHOLDS_MAX)))]
    households: Option<u32>,
    /// The mean of the last 3 whole months, or the rule in force [default: mean where each of the 3 was credited]
    #[arg(long, value_enum)]
    pace: Option<PaceFrom>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum PaceFrom {
    /// The mean of the last 3 whole months
    Mean,
    /// What the rule in force credits the households that are there, and what they agreed to contribute
    Rule,
}

#[derive(Serialize)]
struct Shown {
    /// `mean` or `rule`.
    pace: &'static str,
    households_there: u32,
    households: u32,
    /// Each month.
    money_in_cents: u64,
    credited_cents: u64,
    spent_cents: u64,
    /// What there is: contributions that are not credited yet, and what is left of this year's budgets.
    contributions_left_cents: u64,
    budgets_left_cents: u64,
    /// The last month that can be credited whole; none where this one cannot.
    lasts_until: Option<String>,
    /// The first month that cannot; none within three years.
    short_in: Option<String>,
    past: Vec<Month>,
    months: Vec<Month>,
}

#[derive(Serialize)]
struct Month {
    month: String,
    money_in_cents: u64,
    credited_cents: u64,
    spent_cents: u64,
    left_cents: u64,
    missing_cents: u64,
}

pub(super) fn run(context: &Context, asked: &Forecast) -> Result<(), Failure> {
    let Forecast { households, pace } = asked;
    let by = pace.map(|pace| match pace {
        PaceFrom::Mean => PaceBy::Mean,
        PaceFrom::Rule => PaceBy::Rule,
    });
    let now = context.clock.now();
    let found = context.open(OpenMode::Existing)?.read(|tx| tx.money_forecast(by, *households, now))?;
    print(context.format, &shown(&found), |shown| text(shown).unwrap_or_default()).map_err(Failure::Print)
}

fn shown(found: &MoneyForecast) -> Shown {
    let (means, pace) = (&found.means, found.pace);
    let this_year = means.budgets.get(&means.from.year()).copied().unwrap_or(Cents::ZERO);
    let past = found.past.iter().map(|(period, pace, left)| Month {
        month: period.to_string(),
        money_in_cents: pace.money_in.get(),
        credited_cents: pace.credited.get(),
        spent_cents: pace.spent.get(),
        left_cents: left.get(),
        missing_cents: 0,
    });
    let months = found.forecast.months.iter().map(|month| Month {
        month: month.period.to_string(),
        money_in_cents: month.pace.money_in.get(),
        credited_cents: month.pace.credited.get(),
        spent_cents: month.pace.spent.get(),
        left_cents: month.left.get(),
        missing_cents: month.missing.get(),
    });
    Shown {
        pace: match found.by {
            PaceBy::Mean => "mean",
            PaceBy::Rule => "rule",
        },
        households_there: found.there,
        households: found.asked,
        money_in_cents: pace.money_in.get(),
        credited_cents: pace.credited.get(),
        spent_cents: pace.spent.get(),
        contributions_left_cents: means.contributions.get(),
        budgets_left_cents: this_year.get(),
        lasts_until: found.forecast.lasts_until.map(|period: Period| period.to_string()),
        short_in: found.forecast.short_in.map(|period: Period| period.to_string()),
        past: past.collect(),
        months: months.collect(),
    }
}

fn text(shown: &Shown) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "month      money in     credited        spent         left to credit")?;
    for month in shown.past.iter().chain(&shown.months) {
        let [money_in, credited, spent, left] =
            [month.money_in_cents, month.credited_cents, month.spent_cents, month.left_cents].map(euros);
        write!(text, "{} {money_in:>12} {credited:>12} {spent:>12} {left:>12} €", month.month)?;
        if month.missing_cents > 0 {
            write!(text, "  {} € are missing", euros(month.missing_cents))?;
        }
        text.push('\n');
    }
    let from = if shown.pace == "mean" { "the mean of the last 3 whole months" } else { "the rule in force" };
    writeln!(text, "By {from}, with {} households ({} are there):", shown.households, shown.households_there)?;
    match (&shown.lasts_until, &shown.short_in) {
        (_, None) => writeln!(text, "the fund lasts for three years and more.")?,
        (Some(until), Some(_)) => writeln!(text, "the fund lasts until the end of {until}.")?,
        (None, Some(short)) => writeln!(text, "the fund does not last for {short}.")?,
    }
    Ok(text)
}
