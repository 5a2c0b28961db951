//! What the pages show, as JSON, for programs with a token.

use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use super::super::html;
use super::super::overview::{self, Overview, TerminalLine, terminal_line};
use super::super::visit::{Visit, Wrong};
use super::{audit as log, shop as own};

const JSON: &str = "application/json";
/// What the routes give, for programs and their authors; a test holds it against the routes.
const DOCUMENT: &str = include_str!("../../../openapi.json");

fn json(value: &impl Serialize) -> Result<Response, Wrong> {
    let text = serde_json::to_string(value).map_err(|error| Wrong::Work(error.to_string()))?;
    Ok(html::response(StatusCode::OK, JSON, text))
}

pub(super) async fn document() -> Response {
    html::response(StatusCode::OK, JSON, DOCUMENT.to_owned())
}

#[derive(Serialize)]
struct WithExposure {
    exposure_cents: u64,
    #[serde(flatten)]
    overview: Overview,
}

pub(super) async fn overview(visit: Visit) -> Result<Response, Wrong> {
    let now = visit.now;
    let read = visit.store(move |tx| Ok((tx.exposure(now)?.total()?, overview::read(tx)?)));
    let (exposure, overview) = read.await?;
    json(&WithExposure { exposure_cents: exposure.get(), overview })
}

#[derive(Serialize)]
struct Terminals {
    terminals: Vec<TerminalLine>,
}

pub(super) async fn terminals(visit: Visit) -> Result<Response, Wrong> {
    let views = visit.store(|tx| tx.terminals()).await?;
    json(&Terminals { terminals: views.into_iter().map(terminal_line).collect() })
}

#[derive(Serialize)]
struct Log {
    newest: u64,
    newest_hash: String,
    entries: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    seq: u64,
    at: u64,
    who: String,
    what: String,
    subject: String,
    detail: String,
}

pub(super) async fn audit(visit: Visit, Query(asked): Query<log::Asked>) -> Result<Response, Wrong> {
    let (entries, newest, newest_hash) = log::page_of(&visit, &asked).await?;
    let entries = entries.into_iter().map(|entry| Entry {
        seq: entry.seq,
        at: entry.at.get(),
        who: entry.who,
        what: entry.what,
        subject: entry.subject,
        detail: entry.detail,
    });
    json(&Log { newest, newest_hash, entries: entries.collect() })
}

pub(super) async fn shop(visit: Visit) -> Result<Response, Wrong> {
    json(&own::own(&visit).await?)
}
