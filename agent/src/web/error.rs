//! A refusal as an HTTP answer: `{"error": {"code", "message_fr", "message_en"}}`.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::service::Refusal;
use crate::texts::{Both, Texts};

/// A JSON answer that no cache keeps.
pub(super) fn answer(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], body.to_string())
        .into_response()
}

/// What the counter does not do.
pub(super) fn refused(refusal: &Refusal, texts: &Texts) -> Response {
    let Refusal::CodeWait { wait_s } = refusal else {
        return error(refusal.status(), refusal.message_id(), refusal.words(texts));
    };
    let mut body = error_body(refusal.message_id(), refusal.words(texts));
    if let Some(Value::Object(error)) = body.get_mut("error") {
        error.insert(String::from("wait_s"), json!(wait_s));
    }
    answer(refusal.status(), &body)
}

/// What is no request of this API.
pub(super) fn wrong(status: u16, id: &str, texts: &Texts) -> Response {
    error(status, id, texts.both(id))
}

fn error(status: u16, id: &str, words: Both) -> Response {
    answer(status, &error_body(id, words))
}

fn error_body(id: &str, words: Both) -> Value {
    let Both { message_fr, message_en } = words;
    let code = id.replace('-', "_");
    json!({ "error": { "code": code, "message_fr": message_fr, "message_en": message_en } })
}
