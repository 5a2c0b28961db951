//! `POST /v1/card-session`: the relay of APDUs for cards with keys.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use cabas_protocol::card_session::{CardSessionAnswer, CardSessionRequest};
use cabas_protocol::{RefusalCode, Signed};

use super::{message, terminal};
use crate::app::App;
use crate::error::Refused;

/// Refuses, once it is known who asks: plain cards need no session.
pub async fn card_session(State(app): State<Arc<App>>, request: Request) -> Response {
    message::answer(&app, request, refuse).await
}

async fn refuse(app: Arc<App>, request: Signed<CardSessionRequest>) -> Result<Signed<CardSessionAnswer>, Refused> {
    let refuse = |_, _| Err(Refused::new(RefusalCode::NotSupported, "this hub issues no cards with keys"));
    terminal::verified(&app, request, |asked| (asked.terminal, asked.epoch), refuse).await
}
