//! How long the money lasts, month by month, and with how many households.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::chart::{self, COLUMNS_MAX, Chart, Series};
use super::super::frame::{Fault, Frame, answer};
use super::super::visit::{Visit, Wrong};
use super::money::year;
use crate::core::forecast::HOUSEHOLDS_MAX;
use crate::store::{BudgetRefusal, MoneyForecast, PaceBy, StoreError};

/// What is asked.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(super) struct Asked {
    /// With how many households; those that are there where nothing is said.
    #[serde(default)]
    households: String,
    /// `mean` of the last whole months, or the `rule` in force; whichever can be told where nothing is said.
    #[serde(default)]
    pace: String,
}

/// How long the money lasts.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Forecast {
    /// Nothing where it cannot be told: see `lacking`.
    found: Option<Found>,
    /// `budget` of this year, `rule`, or `households`.
    lacking: Option<&'static str>,
    /// The year whose share is told.
    year: u16,
    /// What households contributed in the year, in thousandths of the budgets; none without a budget.
    received_permille: Option<u64>,
    /// The share of the budgets that contributions are to reach.
    planned_percent: u32,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Found {
    /// `mean` or `rule`.
    pace: &'static str,
    /// Households that are there.
    households_there: u32,
    /// Households that were asked about.
    households: u32,
    /// By month.
    money_in_cents: u64,
    credited_cents: u64,
    spent_cents: u64,
    contributions_left_cents: u64,
    /// Of this year's budgets.
    budgets_left_cents: u64,
    /// The last month that can be credited whole; none where the first cannot.
    lasts_until: Option<String>,
    /// The first month that cannot; none up to the horizon.
    short_in: Option<String>,
    /// The last whole months.
    past: Vec<Month>,
    months: Vec<Month>,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Month {
    month: String,
    money_in_cents: u64,
    credited_cents: u64,
    spent_cents: u64,
    /// What is then left to credit.
    left_cents: u64,
    /// What is missing for all households.
    missing_cents: u64,
}

#[derive(Template)]
#[template(path = "forecast.html")]
struct ForecastPage {
    f: Frame,
    data: Forecast,
    households: String,
    pace: String,
}

impl ForecastPage {
    fn chart(&self, found: &Found) -> Result<String, askama::Error> {
        let f = &self.f;
        let months: Vec<&Month> = found.past.iter().chain(&found.months).take(COLUMNS_MAX).collect();
        let left = months.iter().map(|month| month.left_cents).collect();
        let missing = months.iter().map(|month| month.missing_cents).collect();
        let drawn = Chart {
            id: "left".to_owned(),
            title: f.t("forecast-chart"),
            desc: f.t("forecast-chart-desc"),
            columns: months.iter().map(|month| f.month_number(&month.month)).collect(),
            series: vec![
                Series { name: f.t("forecast-left"), cents: left },
                Series { name: f.t("forecast-missing"), cents: missing },
            ],
            rest: String::new(),
        };
        chart::svg(&drawn, |cents| f.euros(&cents))
    }
}

fn shown(found: &MoneyForecast) -> Found {
    let (means, pace) = (&found.means, found.pace);
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
    Found {
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
        budgets_left_cents: means.budgets.get(&means.from.year()).map_or(0, |cents| cents.get()),
        lasts_until: found.forecast.lasts_until.map(|period| period.to_string()),
        short_in: found.forecast.short_in.map(|period| period.to_string()),
        past: past.collect(),
        months: months.collect(),
    }
}

pub(super) async fn page(visit: Visit, Query(asked): Query<Asked>) -> Result<Response, Wrong> {
    let mut faults = Vec::new();
    let typed = asked.households.trim();
    let households = typed.parse::<u32>().ok().filter(|households| (1..=HOUSEHOLDS_MAX).contains(households));
    if households.is_none() && !typed.is_empty() {
        faults.push(Fault { field: "households", text: "forecast-households-wrong" });
    }
    let by = match asked.pace.as_str() {
        "mean" => Some(PaceBy::Mean),
        "rule" => Some(PaceBy::Rule),
        _ => None,
    };
    let (now, (year, _)) = (visit.now, year("", visit.now));
    let read = visit.store(move |tx| {
        let found = match tx.money_forecast(by, households, now) {
            Ok(found) => Ok(found),
            Err(StoreError::Budget(BudgetRefusal::NoBudgetOfYear(_))) => Err("budget"),
            Err(StoreError::Budget(BudgetRefusal::NoHouseholds)) => Err("households"),
            Err(StoreError::Rule(_)) => Err("rule"),
            Err(error) => return Err(error),
        };
        Ok((found, tx.contribution_report(year)?))
    });
    let (found, report) = read.await?;
    let data = Forecast {
        lacking: found.as_ref().err().copied(),
        found: found.ok().as_ref().map(shown),
        year,
        received_permille: report.received_permille,
        planned_percent: report.planned_percent,
    };
    let Asked { households, pace } = asked;
    answer(&visit, "forecast-title", faults, data, |f, data| ForecastPage { f, data, households, pace })
}
