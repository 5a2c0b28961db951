//! What the pages of money in share: a line of what was paid, and how it is taken back.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};
use cabas_protocol::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::document::Told;
use super::super::fields::day_text;
use super::super::frame::{Fault, Frame, answer};
use super::super::refusals;
use super::super::sent::Sent;
use super::super::site::Group::Money;
use super::super::site::{Access, Route};
use super::super::visit::{Done, Visit, Wrong};
use super::{FIGURES, OFFICE, bank_money_in, contributions, contributions_file, forecast, sources};
use crate::core::audit::Deed;
use crate::core::period::Period;
use crate::store::{BudgetRefusal, MoneyInRefusal, MoneyInView, StoreError};

const SECONDS_OF_A_DAY: u64 = 86_400;

/// Money in: who gives it, what households pay, what the bank says of it, how long it lasts.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/sources", OFFICE, get(sources::page)).menu(Money, "menu-sources").api(
            Told::of::<sources::Sources>("Who gives money: budgets, what is left, what was paid.")
                .taking::<sources::Asked>(),
        ),
        Route::post("/sources/budgets", OFFICE, post(sources::set_budget)).api(
            Told::of::<sources::BudgetSet>("Sets a funder's budget of a calendar year.").taking::<sources::NewBudget>(),
        ),
        Route::post("/sources/payments", OFFICE, post(sources::pay))
            .api(Told::of::<Noted>("Notes what a funder paid.").taking::<sources::NewPayment>()),
        Route::get("/sources/payments/{money}/take-back", OFFICE, get(ask_take_back)),
        Route::post("/sources/payments/{money}/take-back", OFFICE, post(take_back))
            .api(Told::of::<TakenBack>("Takes a payment back by a counter-entry.").taking::<Reason>()),
        Route::get("/contributions", OFFICE, get(contributions::page)).menu(Money, "menu-contributions").api(
            Told::of::<contributions::Contributions>("What households paid in a month, newest first.")
                .taking::<contributions::Asked>(),
        ),
        Route::post("/contributions", OFFICE, post(contributions::add))
            .api(Told::of::<Noted>("Notes what a household paid.").taking::<contributions::New>()),
        Route::get("/contributions/{money}/take-back", OFFICE, get(ask_take_back)),
        Route::post("/contributions/{money}/take-back", OFFICE, post(take_back))
            .api(Told::of::<TakenBack>("Takes a contribution back by a counter-entry.").taking::<Reason>()),
        Route::get("/contributions/report", OFFICE, get(contributions::report)).api(
            Told::of::<contributions::Report>("What was agreed and what came, by month, and the share of the budgets.")
                .taking::<sources::Asked>(),
        ),
        Route::post("/contributions/plan", OFFICE, post(contributions::plan)).api(
            Told::of::<contributions::Plan>("Sets the share of the budgets that contributions are to reach.")
                .taking::<contributions::Plan>(),
        ),
        Route::get("/contributions/file", OFFICE, get(contributions_file::form)),
        Route::post("/contributions/file", OFFICE, post(contributions_file::preview)).file().api(Told::of::<
            contributions_file::Preview,
        >(
            "What a CSV file of contributions would book, and each bad line; books nothing.",
        )),
        Route::post("/contributions/file/book", OFFICE, post(contributions_file::book)).file().api(Told::of::<
            contributions_file::Booked,
        >(
            "Books a CSV file of contributions as it was shown: say `proof` of the preview in the query.",
        )),
        Route::get("/bank/money-in", OFFICE, get(bank_money_in::list))
            .menu(Money, "menu-bank-money-in")
            .api(Told::of::<bank_money_in::Open>("Open bank entries that may be money in, and whose it may be.")),
        Route::get("/bank/money-in/{entry}", OFFICE, get(bank_money_in::one))
            .api(Told::of::<bank_money_in::Entry>("An open bank entry, and whose payment it may be.")),
        Route::post("/bank/money-in/{entry}", OFFICE, post(bank_money_in::say)).api(
            Told::of::<bank_money_in::Said>("Says which payment an open bank entry is.")
                .taking::<bank_money_in::Meant>(),
        ),
        Route::get("/forecast", Access::Roles(FIGURES), get(forecast::page)).menu(Money, "menu-forecast").api(
            Told::of::<forecast::Forecast>("How long the money lasts, month by month.").taking::<forecast::Asked>(),
        ),
    ]
}

/// What was paid in, or a counter-entry.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Line {
    pub(super) number: u64,
    /// The household that paid; none where a funder did.
    pub(super) household: Option<String>,
    /// The source that has it.
    pub(super) source: String,
    pub(super) cents: u64,
    /// YYYY-MM-DD.
    pub(super) paid_on: String,
    /// The payment's own name.
    pub(super) reference: Option<String>,
    /// What it takes back, where it is a counter-entry.
    pub(super) takes_back: Option<u64>,
    /// Why.
    pub(super) reason: Option<String>,
    /// The counter-entry that takes it back.
    pub(super) taken_back_by: Option<u64>,
    /// The bank's entry that confirms it.
    pub(super) bank_entry: Option<u64>,
    pub(super) by: String,
    pub(super) at: u64,
    /// Days since 1970-01-01.
    #[serde(skip)]
    pub(super) day: u32,
}

impl Line {
    pub(super) fn of(view: MoneyInView) -> Self {
        Self {
            number: view.id,
            household: view.household,
            source: view.source,
            cents: view.cents.get(),
            paid_on: day_text(view.day),
            reference: view.reference,
            takes_back: view.takes_back,
            reason: view.reason,
            taken_back_by: view.taken_back_by,
            bank_entry: view.entry,
            by: view.said_by,
            at: view.said_at.get(),
            day: view.day,
        }
    }

    /// True for a payment that stands: it may be taken back.
    pub(super) const fn stands(&self) -> bool {
        self.takes_back.is_none() && self.taken_back_by.is_none()
    }

    /// Where it is listed.
    fn list(&self) -> String {
        let month = self.paid_on.get(..7).unwrap_or_default();
        match self.household {
            Some(_) => format!("/contributions?month={month}"),
            None => format!("/sources?year={}", month.get(..4).unwrap_or_default()),
        }
    }

    /// Where it is taken back.
    pub(super) fn take_back(&self) -> String {
        let of = if self.household.is_some() { "/contributions" } else { "/sources/payments" };
        format!("{of}/{}/take-back", self.number)
    }
}

/// What was noted.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct Noted {
    pub(super) number: u64,
    /// True where it was noted before, and nothing was done.
    pub(super) before: bool,
}

/// What was taken back.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct TakenBack {
    /// The counter-entry.
    number: u64,
    takes_back: u64,
}

/// Why something is taken back.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(super) struct Reason {
    /// In a few words, without a person's name.
    #[serde(default)]
    reason: String,
}

#[derive(Template)]
#[template(path = "money_take_back.html")]
struct AskPage {
    f: Frame,
    line: Line,
    reason: String,
}

impl AskPage {
    fn back(&self) -> String {
        self.line.list()
    }
}

pub(super) async fn ask_take_back(visit: Visit, Path(number): Path<u64>) -> Result<Response, Wrong> {
    ask(&visit, number, String::new(), Vec::new()).await
}

async fn ask(visit: &Visit, number: u64, reason: String, faults: Vec<Fault>) -> Result<Response, Wrong> {
    let line = Line::of(visit.store(move |tx| tx.money_in_of(number)).await?);
    answer(visit, "money-take-back-title", faults, line, |f, line| AskPage { f, line, reason })
}

pub(super) async fn take_back(
    visit: Visit,
    Path(number): Path<u64>,
    Sent(sent): Sent<Reason>,
) -> Result<Response, Wrong> {
    let reason = sent.reason.trim().to_owned();
    let said = reason.clone();
    let done = visit.deed(Deed::MoneyInTakenBack, move |tx, by| {
        let counter = tx.money_in_take_back(number, &said, &by.who, by.now)?;
        let given = TakenBack { number: counter, takes_back: number };
        Ok(Done { given, subject: format!("money in {number}"), detail: format!("counter-entry {counter}") })
    });
    match done.await {
        Ok(given) => {
            let line = Line::of(visit.store(move |tx| tx.money_in_of(number)).await?);
            visit.done(&given, &line.list())
        }
        Err(error) => match fault(&error, "household") {
            Some(fault) => ask(&visit, number, sent.reason, vec![fault]).await,
            None => Err(error.into()),
        },
    }
}

/// What is to be corrected in the form; nothing where no field is to blame. `payer` is the field that says who paid.
#[expect(clippy::wildcard_enum_match_arm, reason = "what no field is to blame for is told as a whole")]
pub(super) fn fault(error: &StoreError, payer: &'static str) -> Option<Fault> {
    let fault = |field, text| Some(Fault { field, text });
    let refusal = match error {
        StoreError::Text("reason") => return fault("reason", "money-reason-wrong"),
        StoreError::Text("reference") => return fault("reference", "money-reference-wrong"),
        StoreError::Text("name") => return fault("name", "refusal-name"),
        StoreError::Budget(BudgetRefusal::ContributionsBudget) => return fault("name", "sources-contributions-budget"),
        StoreError::MoneyIn(refusal) => refusal,
        _ => return None,
    };
    let text = refusals::money_in(refusal);
    match refusal {
        MoneyInRefusal::NoHousehold | MoneyInRefusal::NoSource | MoneyInRefusal::OfHouseholds => fault(payer, text),
        MoneyInRefusal::Nothing => fault("amount", text),
        MoneyInRefusal::Day(_) => fault("paid_on", text),
        MoneyInRefusal::ReferenceTaken(_) | MoneyInRefusal::ReferenceTakenBack(_) => fault("reference", text),
        MoneyInRefusal::Alike(_) | MoneyInRefusal::WaitsForBank(_) => fault("again", text),
        _ => None,
    }
}

/// The day that it is, as the ledger counts days.
pub(super) fn today(now: Timestamp) -> u32 {
    let days = now.get().checked_div(SECONDS_OF_A_DAY).and_then(|days| u32::try_from(days).ok());
    days.unwrap_or_default()
}

/// A month's days: from its first on up to before the next month's.
pub(super) fn days(period: Period) -> (u32, u32) {
    (today(period.start()), period.plus(1).map_or(u32::MAX, |next| today(next.start())))
}

/// The year that is asked for, or this one.
pub(super) fn year(asked: &str, now: Timestamp) -> (u16, Vec<Fault>) {
    let this = Period::of(now).map_or(Period::YEAR_MIN, Period::year);
    if asked.trim().is_empty() {
        return (this, Vec::new());
    }
    let year = asked.trim().parse().ok().filter(|year| Period::new(*year, 1).is_some());
    let fault = || vec![Fault { field: "year", text: "money-year-wrong" }];
    year.map_or_else(|| (this, fault()), |year| (year, Vec::new()))
}

/// A text that may be left away.
pub(super) fn optional(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
