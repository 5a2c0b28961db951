//! What the cashier says of tills: whether a request that came again is the one that was paid, and what is settled by hand.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;

use super::App;
use super::api::{answer_of, id_of, read};
use super::error::wrong;
use crate::till::Choice;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerBody {
    question: u64,
    answer: String,
}

pub(super) async fn answer(State(app): State<App>, body: Result<Bytes, BytesRejection>) -> Response {
    let asked: AnswerBody = match read(&app, &body) {
        Ok(asked) => asked,
        Err(response) => return *response,
    };
    match Choice::of(&asked.answer) {
        Some(choice) => answer_of(&app, 200, app.service.till_answer(asked.question, choice)),
        None => wrong(400, "error-bad-json", app.service.texts()),
    }
}

pub(super) async fn settled(State(app): State<App>, Path(id): Path<String>) -> Response {
    answer_of(&app, 200, app.service.till_settled(id_of(&id)).await)
}
