//! Receipts without paper.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use cabas_protocol::Seq;

use super::App;
use super::api::answer_of;
use super::error::refused;

pub(super) async fn e_receipt(State(app): State<App>, Path(seq): Path<u32>) -> Response {
    answer_of(&app, 200, app.service.e_receipt(Seq::new(seq)).await)
}

pub(super) async fn svg(State(app): State<App>, Path(seq): Path<u32>) -> Response {
    match app.service.e_receipt_svg(Seq::new(seq)).await {
        Ok(svg) => {
            ([(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "no-store")], svg).into_response()
        }
        Err(refusal) => refused(&refusal, app.service.texts()),
    }
}
