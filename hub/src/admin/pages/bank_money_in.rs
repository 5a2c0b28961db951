//! Open bank entries that may be money in: whose payment each may be, one click a proposal. Who paid is not told by name.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::frame::{Fault, Frame, answer};
use super::super::sent::Sent;
use super::super::visit::{Done, Visit, Wrong};
use super::money::{fault, optional};
use crate::bank;
use crate::core::audit::Deed;
use crate::store::{BankEntryView, BankRefusal, MoneyInProposal, MoneyInRef, MoneyInRefusal, Payer, StoreError};

/// Open entries that are looked at.
const LOOKED_MAX: u32 = 500;
/// Entries that are listed.
const LISTED_MAX: usize = 100;

/// Open entries.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Open {
    /// Newest first.
    entries: Vec<Entry>,
    /// True where more are open than are listed: what is said of these brings the next.
    more: bool,
}

/// An open entry.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Entry {
    entry: u64,
    /// `in` or `out`: what went out may be a contribution that was given back.
    direction: &'static str,
    cents: u64,
    /// YYYY-MM-DD.
    booked_on: Option<String>,
    /// Whose payment it may be, the likeliest first.
    proposals: Vec<Proposal>,
    #[serde(skip)]
    day: Option<u32>,
}

/// Whose payment an entry may be: of its household, its source, or noted before.
#[derive(Debug, JsonSchema, Serialize)]
struct Proposal {
    household: Option<String>,
    source: Option<String>,
    noted: Option<u64>,
    /// `code and amount`, `code`, `sender`, `noted`, `funder` or `amount`.
    why: &'static str,
}

impl Proposal {
    fn of(proposal: MoneyInProposal) -> Self {
        let mut shown = Self { household: None, source: None, noted: None, why: proposal.why };
        match proposal.meant {
            MoneyInRef::New(Payer::Household(code)) => shown.household = Some(code),
            MoneyInRef::New(Payer::Source(name)) => shown.source = Some(name),
            MoneyInRef::Noted(ids) => shown.noted = ids.first().copied(),
        }
        shown
    }

    fn text(&self) -> &'static str {
        match self.why {
            "code and amount" => "bank-in-why-code-and-amount",
            "code" => "bank-in-why-code",
            "sender" => "bank-in-why-sender",
            "noted" => "bank-in-why-noted",
            "funder" => "bank-in-why-funder",
            _ => "bank-in-why-amount",
        }
    }
}

impl Entry {
    fn of(view: BankEntryView) -> Self {
        Self {
            entry: view.id,
            direction: if view.is_credit { "in" } else { "out" },
            cents: view.cents.get(),
            booked_on: view.booked_on.map(bank::day),
            proposals: view.money_in.into_iter().map(Proposal::of).collect(),
            day: view.booked_on,
        }
    }
}

/// What an entry is; one of the three.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(super) struct Meant {
    /// The household whose contribution it is.
    #[serde(default)]
    household: String,
    /// The funder whose payment it is.
    #[serde(default)]
    source: String,
    /// What was noted before, by number; several, with a space between, where the bank booked them as one.
    #[serde(default)]
    noted: String,
    /// True for another payment, though one of the same payer and amount waits for the bank.
    #[serde(default)]
    again: bool,
}

/// What was said.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct Said {
    entry: u64,
    /// The money in that it confirms, by number.
    money_in: Vec<u64>,
}

#[derive(Template)]
#[template(path = "bank_money_in.html")]
struct ListPage {
    f: Frame,
    data: Open,
}

#[derive(Template)]
#[template(path = "bank_money_in_one.html")]
struct OnePage {
    f: Frame,
    data: Entry,
    typed: Meant,
}

pub(super) async fn list(visit: Visit) -> Result<Response, Wrong> {
    show_list(&visit, Vec::new()).await
}

async fn show_list(visit: &Visit, faults: Vec<Fault>) -> Result<Response, Wrong> {
    let app = std::sync::Arc::clone(&visit.app);
    let views = visit.read_beside(move |tx| tx.bank_entries(&app.secrets, true, LOOKED_MAX)).await?;
    let mut entries: Vec<_> = views.into_iter().filter(is_money_in).map(Entry::of).collect();
    let more = entries.len() > LISTED_MAX;
    entries.truncate(LISTED_MAX);
    answer(visit, "bank-in-title", faults, Open { entries, more }, |f, data| ListPage { f, data })
}

fn is_money_in(view: &BankEntryView) -> bool {
    view.is_credit || !view.money_in.is_empty()
}

pub(super) async fn one(visit: Visit, Path(entry): Path<u64>) -> Result<Response, Wrong> {
    show(&visit, entry, Meant::default(), Vec::new()).await
}

async fn show(visit: &Visit, entry: u64, typed: Meant, faults: Vec<Fault>) -> Result<Response, Wrong> {
    let app = std::sync::Arc::clone(&visit.app);
    let read = visit.read_beside(move |tx| Ok(tx.bank_entry_open(&app.secrets, entry)));
    let view = read.await?.map_err(wrong)?;
    answer(visit, "bank-in-one-title", faults, Entry::of(view), |f, data| OnePage { f, data, typed })
}

fn wrong(error: StoreError) -> Wrong {
    let is_gone = matches!(error, StoreError::Bank(BankRefusal::NoEntry(_) | BankRefusal::EntryExplained(_)));
    if is_gone { Wrong::NotFound } else { error.into() }
}

/// What a form says an entry is; nothing where it says nothing, or more than one thing.
fn meant(sent: &Meant) -> Option<MoneyInRef> {
    match (optional(&sent.household), optional(&sent.source), optional(&sent.noted)) {
        (Some(code), None, None) => Some(MoneyInRef::New(Payer::Household(code))),
        (None, Some(name), None) => Some(MoneyInRef::New(Payer::Source(name))),
        (None, None, Some(noted)) => {
            let numbers = noted.split([' ', ',', ';']).filter(|part| !part.is_empty()).map(|part| part.parse().ok());
            let numbers: Option<Vec<u64>> = numbers.collect();
            numbers.filter(|numbers| !numbers.is_empty()).map(MoneyInRef::Noted)
        }
        _ => None,
    }
}

pub(super) async fn say(visit: Visit, Path(entry): Path<u64>, Sent(sent): Sent<Meant>) -> Result<Response, Wrong> {
    let Some(meant) = meant(&sent) else {
        let fault = Fault { field: "household", text: "bank-in-which" };
        return show(&visit, entry, sent, vec![fault]).await;
    };
    let (again, payer) = (sent.again, if sent.source.trim().is_empty() { "household" } else { "source" });
    let done = visit.deed(Deed::MoneyInMatched, move |tx, by| {
        let money_in = tx.bank_match_money_in(entry, &meant, (&by.who, again), by.now)?;
        let numbers: Vec<_> = money_in.iter().map(u64::to_string).collect();
        let detail = format!("money in {}", numbers.join(", "));
        Ok(Done { given: Said { entry, money_in }, subject: format!("bank entry {entry}"), detail })
    });
    match done.await {
        Ok(given) => visit.done(&given, "/bank/money-in"),
        Err(StoreError::Bank(BankRefusal::EntryExplained(_))) => {
            show_list(&visit, vec![Fault { field: "entries", text: "bank-in-explained" }]).await
        }
        Err(error) => match said_wrong(&error, payer) {
            Some(fault) => show(&visit, entry, sent, vec![fault]).await,
            None => Err(wrong(error)),
        },
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what is not named here has fields of its own, or none")]
fn said_wrong(error: &StoreError, payer: &'static str) -> Option<Fault> {
    let of_number = |text| Some(Fault { field: "noted", text });
    match error {
        StoreError::MoneyIn(MoneyInRefusal::Unknown(_)) => of_number("bank-in-no-number"),
        StoreError::MoneyIn(
            refusal @ (MoneyInRefusal::BankedBefore(_)
            | MoneyInRefusal::NotForEntry(_)
            | MoneyInRefusal::EntryIsDebit(_)
            | MoneyInRefusal::OtherSum { .. }),
        ) => of_number(super::super::refusals::money_in(refusal)),
        error => fault(error, payer),
    }
}
