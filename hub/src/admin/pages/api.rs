//! What the pages show, as JSON, for programs with a token.

use axum::extract::Query;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::overview::{self, Overview};
use super::super::visit::{Visit, Wrong};
use super::super::{document as told, html};
use super::{audit as log, shop as own};

pub(super) async fn document() -> Result<Response, Wrong> {
    html::json(&told::document(&super::routes()))
}

#[derive(JsonSchema, Serialize)]
pub(super) struct WithExposure {
    exposure_cents: u64,
    #[serde(flatten)]
    overview: Overview,
}

pub(super) async fn overview(visit: Visit) -> Result<Response, Wrong> {
    let now = visit.now;
    let read = visit.store(move |tx| Ok((tx.exposure(now)?.total()?, overview::read(tx)?)));
    let (exposure, overview) = read.await?;
    html::json(&WithExposure { exposure_cents: exposure.get(), overview })
}

#[derive(JsonSchema, Serialize)]
pub(super) struct Log {
    newest: u64,
    newest_hash: String,
    entries: Vec<Entry>,
}

#[derive(JsonSchema, Serialize)]
pub(super) struct Entry {
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
    html::json(&Log { newest, newest_hash, entries: entries.collect() })
}

pub(super) async fn shop(visit: Visit) -> Result<Response, Wrong> {
    html::json(&own::own(&visit).await?)
}
