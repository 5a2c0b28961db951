//! The monthly credit: what a run would book and whom it leaves out, then booked once, as long work.

use std::sync::Arc;

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use cabas_protocol::objects::NAME_BYTES_MAX;
use cabas_protocol::{Cents, codec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::fields::{cents, this_month};
use super::super::frame::{Fault, Frame, answer};
use super::super::refusals::refusal;
use super::super::sent::Sent;
use super::super::visit::{Done, Visit, Wrong};
use super::credit_view::{Credits, Month, Open, Plan};
use super::works;
use crate::core::audit::Deed;
use crate::core::period::Period;
use crate::store::{BudgetRefusal, RuleRefusal, RunOrder, RunView, StoreError};
use crate::works::Job;

/// Months that are listed.
const MONTHS_SHOWN_MAX: u32 = 36;
/// Givers that are proposed.
const SOURCES_SHOWN_MAX: u32 = 50;

/// The fields of those who give, in the order in which is taken from them.
pub(super) const SOURCE_FIELDS: [&str; 5] = ["source", "source2", "source3", "source4", "source5"];

/// Which run.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub(super) struct Asked {
    /// The month, like `2026-11`.
    #[serde(default)]
    pub(super) period: String,
    /// Who gives the money.
    #[serde(default)]
    source: String,
    /// Who pays the households for whom that one has not enough, and so on. Empty ones are left out.
    #[serde(default)]
    source2: String,
    #[serde(default)]
    source3: String,
    #[serde(default)]
    source4: String,
    #[serde(default)]
    source5: String,
}

/// A run that is to be booked, as it was shown.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(super) struct Book {
    /// The month.
    period: String,
    /// Who gives the money.
    source: String,
    /// Who pays the households for whom that one has not enough, and so on. Empty ones are left out.
    #[serde(default)]
    source2: String,
    #[serde(default)]
    source3: String,
    #[serde(default)]
    source4: String,
    #[serde(default)]
    source5: String,
    /// `to_book_cents` of the preview: another sum is refused.
    cents: u64,
    /// `households` of the preview: where it is given, another count is refused.
    #[serde(default)]
    households: Option<u64>,
    /// How much beyond the budget of the last giver is agreed to for the month, in euros as people type it: at least
    /// `over_cents` of the preview. Who asks is who agrees.
    #[serde(default)]
    over: String,
    /// The same in cents, for programs.
    #[serde(default)]
    over_cents: Option<u64>,
    /// Households that other givers credited for the month are to be credited once more.
    #[serde(default)]
    extra: bool,
}

impl Asked {
    fn fields(&self) -> [&str; 5] {
        [&self.source, &self.source2, &self.source3, &self.source4, &self.source5].map(|name| name.trim())
    }

    /// Each field of a giver, with its number, its name and what stands in it.
    pub(super) fn givers(&self) -> impl Iterator<Item = (usize, &'static str, &str)> {
        (1..).zip(SOURCE_FIELDS).zip(self.fields()).map(|((number, field), source)| (number, field, source))
    }

    pub(super) fn sources(&self) -> Vec<String> {
        self.fields().into_iter().filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    /// What was asked for, or what is to be corrected.
    fn read(&self) -> Result<(Period, Vec<String>), Vec<Fault>> {
        let (period, sources) = (self.period.trim().parse().ok(), self.sources());
        let mut faults = Vec::new();
        if period.is_none() {
            faults.push(Fault { field: "period", text: "voted-month-wrong" });
        }
        if sources.is_empty() {
            faults.push(Fault { field: "source", text: "credits-source-wrong" });
        }
        for (_, field, name) in self.givers() {
            if codec::text("source", name, NAME_BYTES_MAX).is_err() {
                faults.push(Fault { field, text: "credits-source-wrong" });
            }
        }
        period.filter(|_| faults.is_empty()).map(|period| (period, sources)).ok_or(faults)
    }
}

/// What was typed into the form that books.
#[derive(Debug, Default)]
struct Typed {
    over: String,
    extra: bool,
}

#[derive(Template)]
#[template(path = "credits.html")]
struct CreditsPage {
    f: Frame,
    data: Credits,
    typed: Typed,
}

pub(super) async fn page(visit: Visit, Query(asked): Query<Asked>) -> Result<Response, Wrong> {
    let is_asked = !asked.period.is_empty() || !asked.sources().is_empty();
    let (run, faults) = match asked.read() {
        Ok(run) => (Some(run), Vec::new()),
        Err(faults) => (None, if is_asked { faults } else { Vec::new() }),
    };
    show(&visit, asked, run, Typed::default(), faults).await
}

async fn show(
    visit: &Visit,
    asked: Asked,
    run: Option<(Period, Vec<String>)>,
    typed: Typed,
    mut faults: Vec<Fault>,
) -> Result<Response, Wrong> {
    let month = this_month(visit.now);
    let read = visit.store(move |tx| {
        let sources = tx.source_names(SOURCES_SHOWN_MAX)?;
        let booked = tx.credits_booked(MONTHS_SHOWN_MAX)?.into_iter().map(Month::of).collect();
        let mut data = Credits { asked, plan: None, open: None, work: None, booked, sources };
        let mut refused = None;
        if let Some((period, named)) = run {
            let names: Vec<_> = named.iter().map(String::as_str).collect();
            match tx.credit_plan(period, &names) {
                Ok(plan) => {
                    let names: Vec<_> = plan.sources.iter().map(|(name, _)| name.clone()).collect();
                    let is_new = names.iter().any(|name| !data.sources.contains(name));
                    if let Some(open) = tx.credit_run_open(period)? {
                        data.work = tx.work_of_run(open.number)?;
                        data.open = Some(Open::of(open, &names));
                    }
                    data.plan = Some(Plan::of(&plan, tx.credit_exceptions(period, &names)?, is_new));
                }
                Err(error) => refused = Some(refusal(&error).ok_or(error)?),
            }
        } else {
            if data.asked.period.is_empty() {
                data.asked.period = month.map(|month| month.to_string()).unwrap_or_default();
            }
            if data.asked.sources().is_empty() {
                data.asked.source = data.sources.first().cloned().unwrap_or_default();
            }
        }
        Ok((data, refused))
    });
    let (data, refused) = read.await?;
    faults.extend(refused.map(|text| Fault { field: "source", text }));
    answer(visit, "credits-title", faults, data, |f, data| CreditsPage { f, data, typed })
}

/// What of the form is to be corrected where a run does not go.
fn fault(error: &StoreError) -> Option<Fault> {
    let StoreError::Budget(why) = error else { return None };
    let field = match why {
        BudgetRefusal::TooLittle { .. } | BudgetRefusal::OverOfContributions => "over",
        BudgetRefusal::CreditedElsewhere { .. } => "extra",
        BudgetRefusal::Sources | BudgetRefusal::NoBudget { .. } => "source",
        BudgetRefusal::RunOpen { .. }
        | BudgetRefusal::ContributionsBudget
        | BudgetRefusal::NoBudgetOfYear(_)
        | BudgetRefusal::NoHouseholds => return None,
    };
    refusal(error).map(|text| Fault { field, text })
}

/// Books a month's credit. One person's word is enough, beyond a budget too: it is noted with the sum, as by command.
pub(super) async fn book(visit: Visit, Sent(sent): Sent<Book>) -> Result<Response, Wrong> {
    let Book { period, source, source2, source3, source4, source5, .. } = sent;
    let asked = Asked { period, source, source2, source3, source4, source5 };
    let typed = Typed { over: sent.over, extra: sent.extra };
    let (period, sources) = match asked.read() {
        Ok(run) => run,
        Err(faults) => return show(&visit, asked, None, typed, faults).await,
    };
    let over = match (typed.over.trim(), sent.over_cents) {
        ("", None) => Ok(None),
        ("", Some(over)) => Cents::new(over).map(Some).map_err(drop),
        (text, _) => cents(text).map(Some).ok_or(()),
    };
    let run = Some((period, sources.clone()));
    let Ok(over) = over else {
        let fault = Fault { field: "over", text: "voted-amount-wrong" };
        return show(&visit, asked, run, typed, vec![fault]).await;
    };
    let (app, shown) = (Arc::clone(&visit.app), Shown { cents: sent.cents, households: sent.households });
    let extra = sent.extra;
    let work = visit.deed(Deed::CreditAsked, move |tx, by| {
        let names: Vec<_> = sources.iter().map(String::as_str).collect();
        let over = over.map(|cents| (cents, by.who.as_str()));
        let begun = tx.credit_begin(&RunOrder { period, sources: &names, over, extra }, by.now)?;
        let run = tx.credit_run_view(begun.ok_or(RuleRefusal::NothingToBook(period))?)?;
        if !shown.is(run.households, run.cents) && !shown.is(run.waiting, run.waiting_cents) {
            return Err(RuleRefusal::PlanChanged(period).into());
        }
        let work = match tx.work_of_run(run.number)? {
            Some(work) => work,
            None => Job::credit(&run).ask(&app, tx, None, by)?,
        };
        Ok(Done { given: works::Asked { work }, subject: format!("work {work}"), detail: told(&run, extra) })
    });
    match work.await {
        Ok(work) => visit.done(&work, &work.path()),
        Err(error) => match fault(&error) {
            Some(fault) => show(&visit, asked, run, typed, vec![fault]).await,
            None => Err(error.into()),
        },
    }
}

/// What somebody saw before asking for a run.
struct Shown {
    cents: u64,
    households: Option<u64>,
}

impl Shown {
    fn is(&self, households: u64, cents: Cents) -> bool {
        self.cents == cents.get() && self.households.is_none_or(|shown| shown == households)
    }
}

/// A run, for the audit log.
fn told(run: &RunView, extra: bool) -> String {
    let RunView { period, cents, households, .. } = run;
    let over = if run.over.is_zero() { String::new() } else { format!(", beyond the budget {}", run.over.get()) };
    let extra = if extra { ", once more" } else { "" };
    format!("{period}, cents {}, households {households}{over}{extra}, {}", cents.get(), run.sources.join(", "))
}
