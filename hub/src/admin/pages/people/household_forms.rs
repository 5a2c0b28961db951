//! A household comes, or has other people.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use cabas_protocol::{Cents, PurseRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Named, path_of, typed};
use crate::admin::fields;
use crate::admin::frame::{Fault, Frame, page, refused_fields};
use crate::admin::sent::Sent;
use crate::admin::visit::{Done, Visit, Wrong};
use crate::core::audit::Deed;
use crate::core::household_rules::Household as People;
use crate::core::period::Period;
use crate::keys::random;
use crate::store::{RegisterRefusal, StoreError};

/// A new household.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(super) struct New {
    /// Its code: 1 to 32 of A-Z a-z 0-9 . _ -
    #[serde(default)]
    household: String,
    /// Who belongs to it.
    #[serde(flatten)]
    people: Sizes,
}

/// How many people, and what they contribute.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(super) struct Sizes {
    /// People, children included.
    #[serde(default, deserialize_with = "typed")]
    #[schemars(with = "u32")]
    size: String,
    /// Those of them under 14; none where it is missing.
    #[serde(default, deserialize_with = "typed")]
    #[schemars(with = "Option<u32>")]
    children_under_14: String,
    /// What it contributes each month, as people write it (`12,50`).
    #[serde(default)]
    contribution: String,
    /// The same in cents; without either nothing was agreed.
    #[serde(default)]
    contribution_cents: Option<u64>,
}

/// What changes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(super) struct Change {
    /// Who belongs to it then.
    #[serde(flatten)]
    people: Sizes,
    /// The first month (`2026-11`) that was credited otherwise than it should have been: corrections are proposed, which
    /// another person books.
    #[serde(default)]
    since: String,
}

/// What was changed.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct Changed {
    household: String,
    /// Corrections that wait for another person.
    proposed: Vec<u64>,
}

#[derive(Template)]
#[template(path = "household_new.html")]
struct NewPage {
    f: Frame,
    sent: New,
}

#[derive(Template)]
#[template(path = "household_change.html")]
struct ChangePage {
    f: Frame,
    household: String,
    path: String,
    sent: Change,
}

impl Sizes {
    /// What was typed, or what is to be corrected.
    fn read(&self) -> Result<(People, Option<Cents>), Vec<Fault>> {
        let number = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u32>().ok() };
        let mut faults = Vec::new();
        let people = match (number(&self.size), number(&self.children_under_14)) {
            (Some(size), Some(children)) => People::new(size, children).ok(),
            (None, _) | (_, None) => None,
        };
        if people.is_none() {
            faults.push(Fault { field: "size", text: "household-size-wrong" });
        }
        let typed = self.contribution.trim();
        let contribution = match self.contribution_cents {
            Some(cents) => Cents::new(cents).ok().map(Some),
            None if typed.is_empty() => Some(None),
            None => fields::cents(typed).map(Some),
        };
        match (people, contribution) {
            (Some(people), Some(contribution)) => Ok((people, contribution)),
            (_, contribution) => {
                if contribution.is_none() {
                    faults.push(Fault { field: "contribution", text: "household-contribution-wrong" });
                }
                Err(faults)
            }
        }
    }
}

/// Where a refusal of the store belongs in the form.
#[expect(clippy::wildcard_enum_match_arm, reason = "what is not named here belongs to no field")]
const fn fault(error: &StoreError) -> Option<Fault> {
    match error {
        StoreError::Register(RegisterRefusal::Taken) => {
            Some(Fault { field: "household", text: "refusal-household-taken" })
        }
        StoreError::Register(RegisterRefusal::Code) => {
            Some(Fault { field: "household", text: "refusal-household-code" })
        }
        StoreError::Register(RegisterRefusal::Contribution) => {
            Some(Fault { field: "contribution", text: "refusal-contribution" })
        }
        _ => None,
    }
}

pub(super) async fn new(visit: Visit) -> Result<Response, Wrong> {
    page(StatusCode::OK, &NewPage { f: Frame::new(&visit, "household-new-title"), sent: New::default() })
}

pub(super) async fn add(visit: Visit, Sent(sent): Sent<New>) -> Result<Response, Wrong> {
    let (people, contribution) = match sent.people.read() {
        Ok(read) => read,
        Err(faults) => return new_again(&visit, sent, faults),
    };
    let (code, purse) = (sent.household.trim().to_owned(), PurseRef::new(*random()?));
    let added = visit.deed(Deed::HouseholdAdded, move |tx, by| {
        tx.household_add(&code, people, contribution, purse, by.now)?;
        Ok(Done { subject: format!("household {code}"), detail: detail(people), given: Named { household: code } })
    });
    match added.await {
        Ok(named) => visit.done(&named, &path_of(&named.household)),
        Err(error) => match fault(&error) {
            Some(fault) => new_again(&visit, sent, vec![fault]),
            None => Err(error.into()),
        },
    }
}

fn detail(people: People) -> String {
    format!("{} people, {} under 14", people.size(), people.children_under_14())
}

fn new_again(visit: &Visit, sent: New, faults: Vec<Fault>) -> Result<Response, Wrong> {
    if visit.is_program() {
        return refused_fields(visit, &faults);
    }
    let f = Frame::new(visit, "household-new-title").with_faults(faults);
    page(StatusCode::UNPROCESSABLE_ENTITY, &NewPage { f, sent })
}

pub(super) async fn ask_change(visit: Visit, Path(code): Path<String>) -> Result<Response, Wrong> {
    let asked = code.clone();
    let figures = visit.store(move |tx| tx.household_for_treasurer(&asked)).await?;
    let people = Sizes {
        size: figures.people.size().to_string(),
        children_under_14: figures.people.children_under_14().to_string(),
        contribution: figures.contribution.map(|cents| fields::typed(cents.get())).unwrap_or_default(),
        contribution_cents: None,
    };
    let sent = Change { people, since: String::new() };
    change_page(&visit, StatusCode::OK, (code, sent), Vec::new())
}

pub(super) async fn change(
    visit: Visit,
    Path(code): Path<String>,
    Sent(sent): Sent<Change>,
) -> Result<Response, Wrong> {
    let since = match sent.since.trim() {
        "" => Ok(None),
        month => month.parse::<Period>().map(Some),
    };
    let (read, since) = match (sent.people.read(), since) {
        (Ok(read), Ok(since)) => (read, since),
        (read, since) => {
            let mut faults = read.err().unwrap_or_default();
            if since.is_err() {
                faults.push(Fault { field: "since", text: "household-since-wrong" });
            }
            return change_again(&visit, (code, sent), faults);
        }
    };
    let asked = code.clone();
    let changed = visit.deed(Deed::HouseholdChanged, move |tx, by| {
        let proposed = tx.household_amend(&asked, read, since, &by.who, by.now)?;
        let since = since.map_or_else(String::new, |since| format!(", since {since}, {} proposed", proposed.len()));
        Ok(Done {
            subject: format!("household {asked}"),
            detail: format!("{}{since}", detail(read.0)),
            given: Changed { household: asked, proposed },
        })
    });
    match changed.await {
        Ok(changed) => visit.done(&changed, &path_of(&code)),
        Err(error) => match fault(&error) {
            Some(fault) => change_again(&visit, (code, sent), vec![fault]),
            None => Err(error.into()),
        },
    }
}

fn change_again(visit: &Visit, typed: (String, Change), faults: Vec<Fault>) -> Result<Response, Wrong> {
    if visit.is_program() {
        return refused_fields(visit, &faults);
    }
    change_page(visit, StatusCode::UNPROCESSABLE_ENTITY, typed, faults)
}

fn change_page(
    visit: &Visit,
    status: StatusCode,
    (household, sent): (String, Change),
    faults: Vec<Fault>,
) -> Result<Response, Wrong> {
    let f = Frame::new(visit, "household-change-title").with_faults(faults);
    page(status, &ChangePage { f, path: path_of(&household), household, sent })
}
