//! Closings, where the day stands, and the history: queries and bodies are checked here.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::Response;
use cabas_protocol::Seq;
use cabas_protocol::row::ClosePeriod;
use serde::Deserialize;
use serde_json::json;

use super::App;
use super::api::{ReceiptBody, answer_of, language_of, read};
use super::error::wrong;

/// Closings of a list where it is not said how many.
const CLOSINGS_SHOWN: u32 = 50;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CloseBody {
    #[serde(default)]
    period: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClosingsQuery {
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    before: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryQuery {
    #[serde(default)]
    day: Option<String>,
    #[serde(default)]
    stan: Option<String>,
    #[serde(default)]
    before: Option<u32>,
}

pub(super) async fn close(State(app): State<App>, body: Result<Bytes, BytesRejection>) -> Response {
    let asked: CloseBody = match read(&app, &body) {
        Ok(asked) => asked,
        Err(response) => return *response,
    };
    let period = match asked.period.as_deref() {
        None | Some("day") => ClosePeriod::Day,
        Some("month") => ClosePeriod::Month,
        Some("year") => ClosePeriod::Year,
        Some(_) => return wrong(400, "error-bad-json", app.service.texts()),
    };
    answer_of(&app, 200, app.service.close(period).await)
}

pub(super) async fn day(State(app): State<App>) -> Response {
    answer_of(&app, 200, app.service.day().await)
}

pub(super) async fn print_day(State(app): State<App>, body: Result<Bytes, BytesRejection>) -> Response {
    match read(&app, &body).and_then(|body: ReceiptBody| language_of(&app, &body)) {
        Ok(language) => {
            let printed = app.service.print_day(language).await;
            answer_of(&app, 202, printed.map(|job| json!({ "job": job.get() })))
        }
        Err(response) => *response,
    }
}

pub(super) async fn closings(State(app): State<App>, query: Result<Query<ClosingsQuery>, QueryRejection>) -> Response {
    let Ok(Query(ClosingsQuery { limit, before })) = query else {
        return wrong(400, "error-bad-query", app.service.texts());
    };
    let found = app.service.closings(before.map(Seq::new), limit.unwrap_or(CLOSINGS_SHOWN)).await;
    answer_of(&app, 200, found)
}

pub(super) async fn receipt(
    State(app): State<App>,
    Path(seq): Path<u32>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    match read(&app, &body).and_then(|body: ReceiptBody| language_of(&app, &body)) {
        Ok(language) => {
            let printed = app.service.print_closing(Seq::new(seq), language).await;
            answer_of(&app, 202, printed.map(|(job, copies)| json!({ "job": job.get(), "duplicate": copies })))
        }
        Err(response) => *response,
    }
}

pub(super) async fn history(State(app): State<App>, query: Result<Query<HistoryQuery>, QueryRejection>) -> Response {
    let found = match query {
        Ok(Query(HistoryQuery { day, stan: None, before })) => {
            app.service.history(day.as_deref(), before.map(Seq::new)).await
        }
        Ok(Query(HistoryQuery { day: None, stan: Some(stan), before: None })) => app.service.history_of(&stan).await,
        Ok(_) | Err(_) => return wrong(400, "error-bad-query", app.service.texts()),
    };
    answer_of(&app, 200, found)
}
