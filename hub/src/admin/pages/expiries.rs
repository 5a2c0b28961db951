//! What expires of unspent money at the end of a month, by the rule of that month; otherwise it is carried over.

use std::sync::Arc;

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use cabas_protocol::Cents;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::fields::this_month;
use super::super::frame::{Fault, Frame, answer};
use super::super::sent::Sent;
use super::super::visit::{Done, Visit, Wrong};
use super::credit_view::Month;
use super::works;
use crate::core::audit::Deed;
use crate::core::household_rules::{RuleError, rule_of};
use crate::core::period::Period;
use crate::store::{ExpiryLine, RuleRefusal, StoreError};
use crate::works::Job;

/// Months that are listed.
const MONTHS_SHOWN_MAX: u32 = 36;

/// Which month.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub(super) struct Asked {
    /// The month, like `2026-11`; the last one that is over where it is missing.
    #[serde(default)]
    period: String,
}

/// What is to expire, as it was shown.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(super) struct Book {
    /// The month.
    period: String,
    /// `to_book_cents` of the preview: another sum is refused.
    cents: u64,
}

/// What expires at the end of a month.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Expiries {
    /// The month.
    period: String,
    /// After how many months unspent money expires by the rule of that month; none where it is carried over.
    expire_months: Option<u32>,
    /// False while the month goes on: then nothing is to be booked.
    is_over: bool,
    /// How much would expire.
    to_book_cents: u64,
    /// Booked before.
    booked_before_cents: u64,
    /// By code, those of whom something expires.
    lines: Vec<Line>,
    /// The work that books this very month, while it is under way.
    work: Option<u32>,
    /// What expired by month, newest first.
    booked: Vec<Month>,
}

/// A household of which something expires.
#[derive(Debug, JsonSchema, Serialize)]
struct Line {
    household: String,
    cents: u64,
    booked_before_cents: Option<u64>,
}

#[derive(Template)]
#[template(path = "expiries.html")]
struct ExpiriesPage {
    f: Frame,
    data: Expiries,
}

pub(super) async fn page(visit: Visit, Query(asked): Query<Asked>) -> Result<Response, Wrong> {
    let typed = asked.period.trim();
    show(&visit, typed.parse().ok(), typed.is_empty()).await
}

/// The month, or the last one that is over; `may_be_missing` where nobody typed one.
async fn show(visit: &Visit, typed: Option<Period>, may_be_missing: bool) -> Result<Response, Wrong> {
    let last = this_month(visit.now).and_then(|month| month.plus(-1));
    let mut faults = Vec::new();
    if typed.is_none() && !may_be_missing {
        faults.push(Fault { field: "period", text: "voted-month-wrong" });
    }
    let (period, now) = (typed.or(last).ok_or(Wrong::NotFound)?, visit.now);
    let data = visit.store(move |tx| {
        let rule = match rule_of(&tx.rules()?, period) {
            Err(RuleError::NoRule(_)) => None,
            rule => Some(rule.map_err(StoreError::from)?),
        };
        let (is_over, lines) = match tx.expiry_preview(period, now) {
            Err(StoreError::Voted(RuleRefusal::NotOver(_))) => (false, Vec::new()),
            Err(StoreError::Voted(RuleRefusal::NothingExpires(_)) | StoreError::Rule(RuleError::NoRule(_))) => {
                (true, Vec::new())
            }
            lines => (true, lines?),
        };
        let sum = |cents: fn(&ExpiryLine) -> Cents| Cents::sum(lines.iter().map(cents));
        let booked = tx.expiries_booked(MONTHS_SHOWN_MAX)?.into_iter().map(Month::of).collect();
        Ok(Expiries {
            period: period.to_string(),
            expire_months: rule.and_then(|rule| rule.expire_months),
            is_over,
            to_book_cents: sum(|line| line.cents)?.get(),
            booked_before_cents: sum(|line| line.booked.unwrap_or(Cents::ZERO))?.get(),
            work: tx.work_open_for(&job(period).written()?)?,
            booked,
            lines: lines
                .into_iter()
                .map(|line| Line {
                    household: line.household,
                    cents: line.cents.get(),
                    booked_before_cents: line.booked.map(Cents::get),
                })
                .collect(),
        })
    });
    let data = data.await?;
    answer(visit, "expiries-title", faults, data, |f, data| ExpiriesPage { f, data })
}

fn job(period: Period) -> Job {
    Job::Expiry { period: period.to_string() }
}

pub(super) async fn book(visit: Visit, Sent(sent): Sent<Book>) -> Result<Response, Wrong> {
    let Ok(period) = sent.period.trim().parse::<Period>() else {
        return show(&visit, None, false).await;
    };
    let app = Arc::clone(&visit.app);
    let asked = visit.deed(Deed::ExpiryAsked, move |tx, by| {
        let job = job(period);
        let work = if let Some(work) = tx.work_open_for(&job.written()?)? {
            work
        } else {
            let lines = tx.expiry_preview(period, by.now)?;
            let to_book = Cents::sum(lines.iter().map(|line| line.cents))?;
            if to_book.is_zero() {
                return Err(RuleRefusal::NothingToBook(period).into());
            }
            if to_book.get() != sent.cents {
                return Err(RuleRefusal::PlanChanged(period).into());
            }
            job.ask(&app, tx, None, by)?
        };
        let detail = format!("{period}, cents {}", sent.cents);
        Ok(Done { given: works::Asked { work }, subject: format!("work {work}"), detail })
    });
    let asked: works::Asked = asked.await?;
    visit.done(&asked, &asked.path())
}
