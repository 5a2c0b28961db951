//! A household leaves, comes back, and is forgotten.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::households::{Household, read};
use super::{Named, path_of};
use crate::admin::frame::{Frame, page};
use crate::admin::visit::{Done, Visit, Wrong};
use crate::core::audit::Deed;

/// A household left.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct Left {
    household: String,
    /// What expired at once; what comes back later expires, too.
    expired_cents: u64,
}

/// A household was erased.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct Erased {
    household: String,
    /// Names that were erased.
    names: u32,
}

#[derive(Template)]
#[template(path = "household_leave.html")]
struct LeavePage {
    f: Frame,
    data: Household,
    path: String,
}

#[derive(Template)]
#[template(path = "household_erase.html")]
struct ErasePage {
    f: Frame,
    data: Household,
    path: String,
}

pub(super) async fn ask_leave(visit: Visit, Path(code): Path<String>) -> Result<Response, Wrong> {
    let path = path_of(&code);
    let data = read(&visit, code).await?;
    page(StatusCode::OK, &LeavePage { f: Frame::new(&visit, "household-leave-title"), data, path })
}

pub(super) async fn leave(visit: Visit, Path(code): Path<String>) -> Result<Response, Wrong> {
    let left = visit.deed(Deed::HouseholdLeft, move |tx, by| {
        let expired = tx.household_leave(&code, by.now)?;
        let subject = format!("household {code}");
        let given = Left { household: code, expired_cents: expired.get() };
        Ok(Done { given, subject, detail: format!("expired cents: {}", expired.get()) })
    });
    let left = left.await?;
    visit.done(&left, &path_of(&left.household))
}

pub(super) async fn back(visit: Visit, Path(code): Path<String>) -> Result<Response, Wrong> {
    let named = visit.deed(Deed::HouseholdReturned, move |tx, _| {
        tx.household_return(&code)?;
        let subject = format!("household {code}");
        Ok(Done { given: Named { household: code }, subject, detail: String::new() })
    });
    let named = named.await?;
    visit.done(&named, &path_of(&named.household))
}

pub(super) async fn ask_erase(visit: Visit, Path(code): Path<String>) -> Result<Response, Wrong> {
    let path = path_of(&code);
    let data = read(&visit, code).await?;
    page(StatusCode::OK, &ErasePage { f: Frame::new(&visit, "household-erase-title"), data, path })
}

pub(super) async fn erase(visit: Visit, Path(code): Path<String>) -> Result<Response, Wrong> {
    let erased = visit.deed(Deed::HouseholdErased, move |tx, by| {
        let names = tx.household_erase(&code, &by.who, by.now)?;
        let subject = format!("household {code}");
        Ok(Done { given: Erased { household: code, names }, subject, detail: format!("names: {names}") })
    });
    let erased = erased.await?;
    visit.done(&erased, &path_of(&erased.household))
}
