//! What households contribute: noted one by one, listed by month, against what was agreed and what is planned.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::chart::{self, Chart, Series};
use super::super::fields::{cents, day, day_text};
use super::super::frame::{Fault, Frame, answer};
use super::super::sent::Sent;
use super::super::visit::{Done, Visit, Wrong};
use super::money::{Line, Noted, days, fault, optional, today, year};
use super::sources;
use crate::core::audit::Deed;
use crate::core::period::Period;
use crate::store::{ContributionReport, MONEY_IN_LISTED_MAX, MoneyInOrder, Payer};

/// Which month.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(super) struct Asked {
    /// Like `2026-11`; this one where nothing is said.
    #[serde(default)]
    month: String,
    /// The number of what was just noted.
    #[serde(default)]
    noted: String,
    /// Its day, to go on with.
    #[serde(default)]
    on: String,
}

/// What a household paid.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(super) struct New {
    /// Its code.
    #[serde(default)]
    household: String,
    /// In euros: `12,50`.
    #[serde(default)]
    amount: String,
    /// The day of the payment, YYYY-MM-DD.
    #[serde(default)]
    paid_on: String,
    /// The payment's own name, no name of a person: by it it is booked once.
    #[serde(default)]
    reference: String,
    /// True for another one, though one of the same household, day and amount is noted.
    #[serde(default)]
    again: bool,
}

/// What households paid in a month.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Contributions {
    month: String,
    /// What was paid less what was taken back, of those that are listed.
    cents: u64,
    /// Newest first.
    contributions: Vec<Line>,
    /// True where the oldest of them are not listed.
    more: bool,
}

#[derive(Template)]
#[template(path = "contributions.html")]
struct ListPage {
    f: Frame,
    data: Contributions,
    typed: New,
    noted: Option<u64>,
    before: String,
    after: String,
}

/// What was agreed and what came.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Report {
    year: u16,
    months: Vec<Month>,
    expected_cents: u64,
    received_cents: u64,
    budgets_cents: u64,
    /// In thousandths of the budgets; none without a budget.
    received_permille: Option<u64>,
    planned_percent: u32,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Month {
    month: String,
    /// What the households that were there have agreed on, as it stands today.
    expected_cents: u64,
    received_cents: u64,
    /// How many households paid.
    payers: u32,
}

#[derive(Template)]
#[template(path = "contributions_report.html")]
struct ReportPage {
    f: Frame,
    data: Report,
    typed: String,
}

/// The share of the budgets that contributions are to reach.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct Plan {
    /// From `0` to `100`.
    #[serde(default)]
    percent: String,
}

impl Report {
    pub(super) fn of(report: ContributionReport) -> Self {
        let months = report.months.into_iter().map(|month| Month {
            month: month.period.to_string(),
            expected_cents: month.expected.get(),
            received_cents: month.received.get(),
            payers: month.payers,
        });
        Self {
            year: report.year,
            months: months.collect(),
            expected_cents: report.expected.get(),
            received_cents: report.received.get(),
            budgets_cents: report.budgets.get(),
            received_permille: report.received_permille,
            planned_percent: report.planned_percent,
        }
    }
}

impl ReportPage {
    fn before(&self) -> u16 {
        self.data.year.saturating_sub(1)
    }

    fn after(&self) -> u16 {
        self.data.year.saturating_add(1)
    }

    fn chart(&self) -> Result<String, askama::Error> {
        let (f, months) = (&self.f, &self.data.months);
        let missing = |month: &Month| month.expected_cents.saturating_sub(month.received_cents);
        let series = [
            (f.t("contributions-received"), months.iter().map(|month| month.received_cents).collect()),
            (f.t("contributions-missing"), months.iter().map(missing).collect()),
        ];
        let drawn = Chart {
            id: "by-month".to_owned(),
            title: f.t("contributions-chart"),
            desc: f.t("contributions-chart-desc"),
            columns: months.iter().map(|month| f.month_number(&month.month)).collect(),
            series: series.into_iter().map(|(name, cents)| Series { name, cents }).collect(),
            rest: String::new(),
        };
        chart::svg(&drawn, |cents| f.euros(&cents))
    }
}

pub(super) async fn page(visit: Visit, Query(asked): Query<Asked>) -> Result<Response, Wrong> {
    let month = asked.month.trim();
    let (period, mut faults) = (month.parse::<Period>().ok(), Vec::new());
    if period.is_none() && !month.is_empty() {
        faults.push(Fault { field: "month", text: "money-month-wrong" });
    }
    let paid_on = day(&asked.on).map(day_text).unwrap_or_default();
    show(&visit, period, New { paid_on, ..New::default() }, asked.noted.parse().ok(), faults).await
}

async fn show(
    visit: &Visit,
    period: Option<Period>,
    mut typed: New,
    noted: Option<u64>,
    faults: Vec<Fault>,
) -> Result<Response, Wrong> {
    let period = period.or_else(|| Period::of(visit.now)).unwrap_or(Period::FIRST);
    let views = visit.store(move |tx| tx.money_in_between(true, days(period))).await?;
    let more = u32::try_from(views.len()).is_ok_and(|count| count >= MONEY_IN_LISTED_MAX);
    let contributions: Vec<_> = views.into_iter().map(Line::of).collect();
    let sum = |is_back: bool| {
        let of = contributions.iter().filter(|line| line.takes_back.is_some() == is_back);
        of.fold(0_u64, |sum, line| sum.saturating_add(line.cents))
    };
    let cents = sum(false).saturating_sub(sum(true));
    let data = Contributions { month: period.to_string(), cents, contributions, more };
    if typed.paid_on.is_empty() {
        typed.paid_on = day_text(today(visit.now));
    }
    let other = |months| period.plus(months).unwrap_or(period).to_string();
    let (before, after) = (other(-1), other(1));
    answer(visit, "contributions-title", faults, data, |f, data| ListPage { f, data, typed, noted, before, after })
}

pub(super) async fn add(visit: Visit, Sent(sent): Sent<New>) -> Result<Response, Wrong> {
    let (amount, on) = (cents(&sent.amount), day(&sent.paid_on));
    let month = day_text(on.unwrap_or_default()).get(..7).unwrap_or_default().to_owned();
    let period = on.and_then(|_| month.parse().ok());
    let Some((cents, day)) = amount.zip(on) else {
        let mut faults = Vec::new();
        if amount.is_none() {
            faults.push(Fault { field: "amount", text: "money-amount-wrong" });
        }
        if on.is_none() {
            faults.push(Fault { field: "paid_on", text: "money-day-wrong" });
        }
        return show(&visit, period, sent, None, faults).await;
    };
    let (payer, reference) = (Payer::Household(sent.household.trim().to_owned()), optional(&sent.reference));
    let again = sent.again;
    let done = visit.deed(Deed::MoneyInNoted, move |tx, by| {
        let by_whom = by.who.clone();
        let done = tx.money_in_add(&MoneyInOrder { payer, cents, day, reference, by: by_whom, again }, by.now)?;
        let (subject, detail) = (format!("money in {}", done.id), format!("contribution, cents {}", cents.get()));
        Ok(Done { given: Noted { number: done.id, before: done.before }, subject, detail })
    });
    match done.await {
        Ok(given) => {
            let to = format!("/contributions?month={month}&noted={}&on={}", given.number, day_text(day));
            visit.done(&given, &to)
        }
        Err(error) => match fault(&error, "household") {
            Some(fault) => show(&visit, period, sent, None, vec![fault]).await,
            None => Err(error.into()),
        },
    }
}

pub(super) async fn report(visit: Visit, Query(asked): Query<sources::Asked>) -> Result<Response, Wrong> {
    let (year, faults) = year(&asked.year, visit.now);
    show_report(&visit, year, None, faults).await
}

async fn show_report(visit: &Visit, year: u16, typed: Option<String>, faults: Vec<Fault>) -> Result<Response, Wrong> {
    let data = Report::of(visit.store(move |tx| tx.contribution_report(year)).await?);
    let typed = typed.unwrap_or_else(|| data.planned_percent.to_string());
    answer(visit, "contributions-report-title", faults, data, |f, data| ReportPage { f, data, typed })
}

pub(super) async fn plan(visit: Visit, Sent(sent): Sent<Plan>) -> Result<Response, Wrong> {
    let percent = sent.percent.trim().trim_end_matches('%').trim_end().parse::<u32>().ok();
    let Some(percent) = percent.filter(|percent| *percent <= 100) else {
        let fault = Fault { field: "percent", text: "contributions-percent-wrong" };
        return show_report(&visit, year("", visit.now).0, Some(sent.percent), vec![fault]).await;
    };
    let done = visit.deed(Deed::SharePlanSet, move |tx, by| {
        tx.share_plan_set(percent, &by.who, by.now)?;
        let (given, detail) = (Plan { percent: percent.to_string() }, format!("{percent} %"));
        Ok(Done { given, subject: "contributions".to_owned(), detail })
    });
    let given = done.await?;
    visit.done(&given, "/contributions/report")
}
