//! Who gives the money: budgets by year, what was credited and is left, what funders paid.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::fields::{cents, day, day_text};
use super::super::frame::{Fault, Frame, answer};
use super::super::sent::Sent;
use super::super::visit::{Done, Visit, Wrong};
use super::money::{Line, Noted, fault, optional, today, year};
use crate::core::audit::Deed;
use crate::core::period::Period;
use crate::store::{MoneyInOrder, Payer, SourceView};

/// Which year.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(super) struct Asked {
    /// Like `2026`; this one where nothing is said.
    #[serde(default)]
    pub(super) year: String,
}

/// A funder's budget.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(super) struct NewBudget {
    /// The funder.
    #[serde(default)]
    name: String,
    /// The calendar year.
    year: u16,
    /// The whole budget of the year, in euros: `1234,50`.
    #[serde(default)]
    budget: String,
}

/// What a funder paid.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(super) struct NewPayment {
    /// The funder.
    #[serde(default)]
    source: String,
    /// In euros: `1234,50`.
    #[serde(default)]
    amount: String,
    /// The day of the payment, YYYY-MM-DD.
    #[serde(default)]
    paid_on: String,
    /// The payment's own name: by it it is booked once.
    #[serde(default)]
    reference: String,
    /// True for another one, though one of the same funder, day and amount is noted.
    #[serde(default)]
    again: bool,
}

/// Who gives money.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Sources {
    year: u16,
    /// By name.
    sources: Vec<Source>,
    /// What funders paid in the year, newest first.
    payments: Vec<Line>,
}

/// A source and its year.
#[derive(Debug, JsonSchema, Serialize)]
struct Source {
    source: String,
    /// True for what households contribute: it has what came in, and no budget.
    is_contributions: bool,
    budget_cents: Option<u64>,
    /// What was agreed to be credited beyond the budget.
    agreed_over_cents: u64,
    credited_cents: u64,
    /// None where nothing limits it.
    left_cents: Option<u64>,
    /// What was credited beyond what it has.
    over_cents: u64,
    paid_in_cents: u64,
}

impl Source {
    fn of(view: SourceView) -> Self {
        Self {
            source: view.name,
            is_contributions: view.is_contributions,
            budget_cents: view.budget.map(cabas_protocol::Cents::get),
            agreed_over_cents: view.agreed_over.get(),
            credited_cents: view.credited.get(),
            left_cents: view.left.map(cabas_protocol::Cents::get),
            over_cents: view.over.get(),
            paid_in_cents: view.paid_in.get(),
        }
    }
}

/// A budget that holds from now on.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct BudgetSet {
    source: String,
    year: u16,
    budget_cents: u64,
}

/// What was typed into the two forms.
#[derive(Default)]
struct Typed {
    name: String,
    budget: String,
    payment: NewPayment,
}

#[derive(Template)]
#[template(path = "sources.html")]
struct SourcesPage {
    f: Frame,
    data: Sources,
    typed: Typed,
}

impl SourcesPage {
    fn before(&self) -> u16 {
        self.data.year.saturating_sub(1)
    }

    fn after(&self) -> u16 {
        self.data.year.saturating_add(1)
    }

    /// Who may be paid for: everybody but the households.
    fn funders(&self) -> Vec<&Source> {
        self.data.sources.iter().filter(|source| !source.is_contributions).collect()
    }
}

pub(super) async fn page(visit: Visit, Query(asked): Query<Asked>) -> Result<Response, Wrong> {
    let (year, faults) = year(&asked.year, visit.now);
    show(&visit, year, Typed::default(), faults).await
}

async fn show(visit: &Visit, year: u16, mut typed: Typed, faults: Vec<Fault>) -> Result<Response, Wrong> {
    let (sources, payments) =
        visit.store(move |tx| Ok((tx.sources(year)?, tx.money_in_list(false, Some(year))?))).await?;
    let data = Sources {
        year,
        sources: sources.into_iter().map(Source::of).collect(),
        payments: payments.into_iter().map(Line::of).collect(),
    };
    if typed.payment.paid_on.is_empty() {
        typed.payment.paid_on = day_text(today(visit.now));
    }
    answer(visit, "sources-title", faults, data, |f, data| SourcesPage { f, data, typed })
}

pub(super) async fn set_budget(visit: Visit, Sent(sent): Sent<NewBudget>) -> Result<Response, Wrong> {
    let (name, year) = (sent.name.trim().to_owned(), sent.year);
    let typed = Typed { name: sent.name, budget: sent.budget.clone(), payment: NewPayment::default() };
    let mut faults = Vec::new();
    if Period::new(year, 1).is_none() {
        return Err(Wrong::Unread("year".to_owned()));
    }
    if name.is_empty() {
        faults.push(Fault { field: "name", text: "refusal-name" });
    }
    let Some(budget) = cents(&sent.budget).filter(|_| faults.is_empty()) else {
        if cents(&sent.budget).is_none() {
            faults.push(Fault { field: "budget", text: "money-amount-wrong" });
        }
        return show(&visit, year, typed, faults).await;
    };
    let done = visit.deed(Deed::BudgetSet, move |tx, by| {
        tx.budget_set(&name, year, budget, &by.who, by.now)?;
        let detail = format!("{year}, cents {}", budget.get());
        let subject = format!("source {name}");
        Ok(Done { given: BudgetSet { source: name, year, budget_cents: budget.get() }, subject, detail })
    });
    match done.await {
        Ok(given) => visit.done(&given, &format!("/sources?year={year}")),
        Err(error) => match fault(&error, "source") {
            Some(fault) => show(&visit, year, typed, vec![fault]).await,
            None => Err(error.into()),
        },
    }
}

pub(super) async fn pay(visit: Visit, Sent(sent): Sent<NewPayment>) -> Result<Response, Wrong> {
    let (amount, on) = (cents(&sent.amount), day(&sent.paid_on));
    let typed = Typed { payment: sent.clone(), ..Typed::default() };
    let (this, _) = year("", visit.now);
    let Some((cents, day)) = amount.zip(on) else {
        let mut faults = Vec::new();
        if amount.is_none() {
            faults.push(Fault { field: "amount", text: "money-amount-wrong" });
        }
        if on.is_none() {
            faults.push(Fault { field: "paid_on", text: "money-day-wrong" });
        }
        return show(&visit, this, typed, faults).await;
    };
    let (payer, reference) = (Payer::Source(sent.source.trim().to_owned()), optional(&sent.reference));
    let again = sent.again;
    let done = visit.deed(Deed::MoneyInNoted, move |tx, by| {
        let by_whom = by.who.clone();
        let done = tx.money_in_add(&MoneyInOrder { payer, cents, day, reference, by: by_whom, again }, by.now)?;
        let (subject, detail) = (format!("money in {}", done.id), format!("funder, cents {}", cents.get()));
        Ok(Done { given: Noted { number: done.id, before: done.before }, subject, detail })
    });
    match done.await {
        Ok(given) => {
            let year = day_text(day);
            visit.done(&given, &format!("/sources?year={}", year.get(..4).unwrap_or_default()))
        }
        Err(error) => match fault(&error, "source") {
            Some(fault) => show(&visit, this, typed, vec![fault]).await,
            None => Err(error.into()),
        },
    }
}
