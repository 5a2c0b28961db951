//! Every route of the hub: those of terminals and of what watches it; those of people stand in `admin/pages/mod.rs`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use cabas_protocol::RefusalCode;

use crate::admin::{health, site};
use crate::api::{about, card_session, enrol, extend, message, sync};
use crate::app::App;
use crate::error::Refused;

/// All routes.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/v1/enrol", post(enrol::enrol).fallback(not_post))
        .route("/v1/sync", post(sync::sync).fallback(not_post))
        .route("/v1/extend", post(extend::extend).fallback(not_post))
        .route("/v1/card-session", post(card_session::card_session).fallback(not_post))
        .route("/v1/about", post(about::about).fallback(not_post))
        .route("/v1/program", post(about::program).fallback(not_post))
        .route("/v1/{*rest}", axum::routing::any(no_such_call))
        .route("/health", get(health::health))
        .route("/metrics", get(health::metrics))
        .merge(site::router(&app))
        .fallback(site::not_found)
        .with_state(app)
}

async fn not_post(State(app): State<Arc<App>>) -> Response {
    let refused = Refused::new(RefusalCode::Malformed, "this call is a POST");
    let mut response = message::refusal(&app, message::NOT_READ, &refused);
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    response
}

async fn no_such_call(State(app): State<Arc<App>>) -> Response {
    message::refusal(&app, message::NOT_READ, &RefusalCode::NotSupported.into())
}
