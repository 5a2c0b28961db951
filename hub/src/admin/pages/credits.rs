//! The monthly credit: what a run would book and whom it leaves out, then booked once, as long work.

use std::sync::Arc;

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use cabas_protocol::objects::NAME_BYTES_MAX;
use cabas_protocol::{Cents, codec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::fields::this_month;
use super::super::frame::{Fault, Frame, answer};
use super::super::refusals::refusal;
use super::super::sent::Sent;
use super::super::visit::{Done, Visit, Wrong};
use super::works;
use crate::core::audit::Deed;
use crate::core::period::Period;
use crate::store::{BudgetRefusal, CreditPlan, ExceptionLine, MonthBooked, RuleRefusal, RunOrder};
use crate::works::Job;

/// Months that are listed.
const MONTHS_SHOWN_MAX: u32 = 36;
/// Givers that are proposed.
const SOURCES_SHOWN_MAX: u32 = 50;
/// Households that the page lists; a program gets all.
const LINES_SHOWN_MAX: usize = 1_000;

/// Which run.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub(super) struct Asked {
    /// The month, like `2026-11`.
    #[serde(default)]
    period: String,
    /// Who gives the money.
    #[serde(default)]
    source: String,
}

/// A run that is to be booked, as it was shown.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(super) struct Book {
    /// The month.
    period: String,
    /// Who gives the money.
    source: String,
    /// `to_book_cents` of the preview: another sum is refused.
    cents: u64,
}

/// The monthly credit.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Credits {
    /// The month that was asked for.
    period: String,
    /// Who gives the money.
    source: String,
    /// What a run would book; none where no month or no giver was named.
    plan: Option<Plan>,
    /// The work that books this very run, while it is under way.
    work: Option<u32>,
    /// What was booked by month and giver, newest first.
    booked: Vec<Month>,
    /// Who gave before, newest first.
    sources: Vec<String>,
}

/// What a run would book.
#[derive(Debug, JsonSchema, Serialize)]
struct Plan {
    /// Households that would be credited.
    households: u64,
    /// How much.
    to_book_cents: u64,
    /// Booked before.
    booked_before_cents: u64,
    /// What the giver has too little: then nothing is booked here.
    missing_cents: u64,
    /// What other givers credited these households for the month: then nothing is booked here.
    elsewhere_cents: u64,
    /// True where this giver never gave: a new name, or one that is mistyped.
    is_new_source: bool,
    /// By code.
    lines: Vec<Line>,
    /// Who gets nothing or is worth a look, and why, by code.
    exceptions: Vec<Exception>,
}

/// A household in a run.
#[derive(Debug, JsonSchema, Serialize)]
struct Line {
    household: String,
    size: u32,
    children_under_14: u32,
    /// By the rule of the month.
    cents: u64,
    /// Booked before for this month and giver.
    booked_before_cents: Option<u64>,
}

/// A household that is worth a look.
#[derive(Debug, JsonSchema, Serialize)]
struct Exception {
    household: String,
    /// `left`: it gets nothing. `other-source`: another giver credited it for the month. `no-card`: it has no
    /// card to spend with. `owes`: so much is withheld from what it gets.
    why: &'static str,
    cents: Option<u64>,
}

/// What was booked for a month.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Month {
    /// The month.
    pub(super) period: String,
    /// Who gave it; empty for money that expired.
    pub(super) source: String,
    /// How many households.
    pub(super) households: u32,
    /// How much.
    pub(super) cents: u64,
}

impl Month {
    pub(super) fn of(booked: MonthBooked) -> Self {
        let MonthBooked { period, source, households, cents } = booked;
        Self { period: period.to_string(), source, households, cents: cents.get() }
    }
}

impl Plan {
    fn of(plan: &CreditPlan, exceptions: Vec<ExceptionLine>, is_new_source: bool) -> Self {
        let lines = plan.lines.iter().map(|line| Line {
            household: line.household.clone(),
            size: line.people.size(),
            children_under_14: line.people.children_under_14(),
            cents: line.cents.get(),
            booked_before_cents: line.booked.map(Cents::get),
        });
        let waiting = plan.lines.iter().filter(|line| line.booked.is_none()).count();
        let exceptions = exceptions.into_iter().map(|line| Exception {
            household: line.household,
            why: line.why.name(),
            cents: line.cents.map(Cents::get),
        });
        Self {
            households: u64::try_from(waiting).unwrap_or(u64::MAX),
            to_book_cents: plan.to_book.get(),
            booked_before_cents: plan.booked.get(),
            missing_cents: plan.missing.get(),
            elsewhere_cents: plan.elsewhere.get(),
            is_new_source,
            lines: lines.collect(),
            exceptions: exceptions.collect(),
        }
    }

    fn shown(&self) -> &[Line] {
        self.lines.get(..LINES_SHOWN_MAX).unwrap_or(&self.lines)
    }

    /// How many the page does not list.
    fn more(&self) -> usize {
        self.lines.len().saturating_sub(LINES_SHOWN_MAX)
    }
}

impl Exception {
    fn text(&self) -> &'static str {
        match self.why {
            "left" => "credits-why-left",
            "other-source" => "credits-why-other-source",
            "no-card" => "credits-why-no-card",
            _ => "credits-why-owes",
        }
    }
}

#[derive(Template)]
#[template(path = "credits.html")]
struct CreditsPage {
    f: Frame,
    data: Credits,
}

pub(super) async fn page(visit: Visit, Query(asked): Query<Asked>) -> Result<Response, Wrong> {
    let (faults, period, source) = read(&asked);
    let is_asked = !asked.period.is_empty() || !asked.source.is_empty();
    show(&visit, asked, period.zip(source), if is_asked { faults } else { Vec::new() }).await
}

/// What was asked for, or what is to be corrected.
fn read(asked: &Asked) -> (Vec<Fault>, Option<Period>, Option<String>) {
    let (period, source) = (asked.period.trim().parse().ok(), asked.source.trim().to_owned());
    let source = Some(source).filter(|name| !name.is_empty() && codec::text("source", name, NAME_BYTES_MAX).is_ok());
    let mut faults = Vec::new();
    if period.is_none() {
        faults.push(Fault { field: "period", text: "voted-month-wrong" });
    }
    if source.is_none() {
        faults.push(Fault { field: "source", text: "credits-source-wrong" });
    }
    (faults, period, source)
}

async fn show(
    visit: &Visit,
    asked: Asked,
    run: Option<(Period, String)>,
    mut faults: Vec<Fault>,
) -> Result<Response, Wrong> {
    let month = this_month(visit.now);
    let read = visit.store(move |tx| {
        let sources = tx.source_names(SOURCES_SHOWN_MAX)?;
        let booked = tx.credits_booked(MONTHS_SHOWN_MAX)?.into_iter().map(Month::of).collect();
        let (mut plan, mut work, mut refused) = (None, None, None);
        if let Some((period, source)) = &run {
            let exceptions = tx.credit_exceptions(*period, source)?;
            match tx.credit_plan(*period, &[source]) {
                Ok(found) => plan = Some(Plan::of(&found, exceptions, !sources.contains(source))),
                Err(error) => refused = Some(refusal(&error).ok_or(error)?),
            }
            work = tx.work_open_for(&job(*period, source).written()?)?;
        }
        let Asked { mut period, mut source } = asked;
        if run.is_none() && period.is_empty() {
            period = month.map(|month| month.to_string()).unwrap_or_default();
        }
        if run.is_none() && source.is_empty() {
            source = sources.first().cloned().unwrap_or_default();
        }
        Ok((Credits { period, source, plan, work, booked, sources }, refused))
    });
    let (data, refused) = read.await?;
    faults.extend(refused.map(|text| Fault { field: "source", text }));
    answer(visit, "credits-title", faults, data, |f, data| CreditsPage { f, data })
}

fn job(period: Period, source: &str) -> Job {
    Job::credit(&RunOrder { period, sources: &[source], over: None, extra: false })
}

pub(super) async fn book(visit: Visit, Sent(sent): Sent<Book>) -> Result<Response, Wrong> {
    let asked = Asked { period: sent.period, source: sent.source };
    let (faults, period, source) = read(&asked);
    let Some((period, source)) = period.zip(source) else { return show(&visit, asked, None, faults).await };
    let app = Arc::clone(&visit.app);
    let asked = visit.deed(Deed::CreditAsked, move |tx, by| {
        let job = job(period, &source);
        let work = if let Some(work) = tx.work_open_for(&job.written()?)? {
            work
        } else {
            let plan = tx.credit_plan(period, &[&source])?;
            let (to_book, missing, credited) = (plan.to_book, plan.missing, plan.elsewhere);
            if to_book.is_zero() {
                return Err(RuleRefusal::NothingToBook(period).into());
            }
            if to_book.get() != sent.cents {
                return Err(RuleRefusal::PlanChanged(period).into());
            }
            let households = u64::try_from(plan.lines.len()).unwrap_or(u64::MAX);
            if !credited.is_zero() {
                return Err(BudgetRefusal::CreditedElsewhere { period, households, credited }.into());
            }
            if !missing.is_zero() {
                return Err(BudgetRefusal::TooLittle { period, missing, households }.into());
            }
            job.ask(&app, tx, None, by)?
        };
        let detail = format!("{period}, {source}, cents {}", sent.cents);
        Ok(Done { given: works::Asked { work }, subject: format!("work {work}"), detail })
    });
    let asked: works::Asked = asked.await?;
    visit.done(&asked, &asked.path())
}
