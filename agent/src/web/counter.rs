//! Cashiers, lock, training and the tests of devices: bodies are checked here.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::App;
use super::api::{answer_of, id_of, read};
use super::error::wrong;
use crate::service::training::Outcome;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeBody {
    code: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TrainingBody {
    on: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlayBody {
    outcome: String,
}

pub(super) async fn log_in(State(app): State<App>, body: Result<Bytes, BytesRejection>) -> Response {
    match read::<CodeBody>(&app, &body) {
        Ok(asked) => answer_of(&app, 200, app.service.log_in(&asked.code).await),
        Err(response) => *response,
    }
}

pub(super) async fn log_out(State(app): State<App>) -> Response {
    answer_of(&app, 200, app.service.log_out().await)
}

pub(super) async fn train(State(app): State<App>, body: Result<Bytes, BytesRejection>) -> Response {
    match read::<TrainingBody>(&app, &body) {
        Ok(asked) => answer_of(&app, 200, app.service.train(asked.on).await),
        Err(response) => *response,
    }
}

pub(super) async fn play(
    State(app): State<App>,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let asked: PlayBody = match read(&app, &body) {
        Ok(asked) => asked,
        Err(response) => return *response,
    };
    match Outcome::of(&asked.outcome) {
        Some(outcome) => answer_of(&app, 200, app.service.play(id_of(&id), outcome).await),
        None => wrong(400, "error-bad-json", app.service.texts()),
    }
}

pub(super) async fn test_printer(State(app): State<App>) -> Response {
    answer_of(&app, 202, app.service.test_printer().map(|job| json!({ "job": job.get() })))
}

pub(super) async fn test_reader(State(app): State<App>) -> Response {
    answer_of(&app, 200, app.service.test_reader().await)
}
