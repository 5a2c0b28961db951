//! Telephones: letting one in and shutting one out at this machine; at their own door, nothing without a token.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse as _, Response};
use futures_util::stream::StreamExt as _;
use qrcode::render::svg::Color;
use qrcode::{EcLevel, QrCode};
use serde::Deserialize;
use serde_json::json;

use super::api::{answer_of, read};
use super::error::{answer, wrong};
use super::{App, BODY_BYTES_MAX};
use crate::phones::{CODE_VALID_S, PairError, Phones};
use crate::service::By;

/// The cookie with the token. The prefix binds it to this address and to TLS (RFC 6265bis §4.1.3.2).
const COOKIE: &str = "__Host-cabas";
/// How long a browser keeps it, 400 days: the most that browsers take. When it ends is for the list to say.
const COOKIE_KEPT_S: u32 = 400 * 86_400;
/// How long a request's body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Pixels of one module of the picture.
const MODULE_PIXELS: u32 = 4;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PairBody {
    code: String,
    #[serde(default)]
    name: String,
}

/// Which code the picture is of.
#[derive(Deserialize)]
pub(super) struct Pictured {
    n: u32,
}

fn off(app: &App) -> Response {
    wrong(404, "error-phones-off", app.service.texts())
}

fn failed(error: PairError, app: &App) -> Response {
    let (status, id) = match error {
        PairError::Name => (400, "error-phone-name"),
        PairError::Code => (403, "error-pair-code"),
        PairError::Spent => (429, "error-pair-spent"),
        PairError::Full => (409, "error-phones-full"),
        PairError::NotWritten => (503, "error-phones-write"),
        PairError::NoRandomness => (503, "error-phones-random"),
        PairError::Unknown => (404, "error-phone-unknown"),
    };
    wrong(status, id, app.service.texts())
}

/// Who is let in, at this machine.
pub(super) async fn list(State(app): State<App>) -> Response {
    let Some(phones) = &app.phones else { return answer(200, &json!({ "on": false, "phones": [] })) };
    let listed = phones.list().into_iter().map(
        |phone| json!({ "id": phone.id, "name": phone.name, "paired_at": phone.paired_at, "seen_at": phone.seen_at }),
    );
    let body = json!({
        "on": true,
        "listening": phones.is_listening(),
        "url": phones.url(),
        "fingerprint": phones.certificate().fingerprint,
        "phones": listed.collect::<Vec<_>>(),
    });
    answer(200, &body)
}

/// A code for one telephone; where the counter is locked, a cashier types theirs first.
pub(super) async fn code(State(app): State<App>) -> Response {
    let Some(phones) = &app.phones else { return off(&app) };
    if let Err(refusal) = app.service.may(By::Person) {
        return answer_of(&app, 200, Err(refusal));
    }
    if !phones.is_listening() {
        return wrong(503, "error-phones-not-there", app.service.texts());
    }
    match phones.offer() {
        Ok((code, number)) => {
            let body = json!({
                "code": *code,
                "valid_s": CODE_VALID_S,
                "url": phones.url(),
                "fingerprint": phones.certificate().fingerprint,
                "svg": format!("/api/phones/code.svg?n={number}"),
            });
            answer(200, &body)
        }
        Err(error) => failed(error, &app),
    }
}

/// Address and code as a picture for the telephone's camera.
pub(super) async fn picture(State(app): State<App>, asked: Result<Query<Pictured>, QueryRejection>) -> Response {
    let shown = app.phones.as_ref().zip(asked.ok()).and_then(|(phones, Query(asked))| phones.offered(asked.n));
    let picture = shown.and_then(|url| QrCode::with_error_correction_level(url.as_bytes(), EcLevel::M).ok());
    let Some(picture) = picture else { return wrong(404, "error-pair-code", app.service.texts()) };
    let drawn = picture.render::<Color<'_>>().quiet_zone(true).module_dimensions(MODULE_PIXELS, MODULE_PIXELS).build();
    ([(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "no-store")], drawn).into_response()
}

/// Shuts a telephone out.
pub(super) async fn remove(State(app): State<App>, Path(id): Path<String>) -> Response {
    let Some(phones) = &app.phones else { return off(&app) };
    if let Err(refusal) = app.service.may(By::Person) {
        return answer_of(&app, 200, Err(refusal));
    }
    let removed = match id.parse() {
        Ok(id) => phones.remove(id).await,
        Err(_) => Err(PairError::Unknown),
    };
    match removed {
        Ok(()) => answer(200, &json!({ "removed": true })),
        Err(error) => failed(error, &app),
    }
}

/// The page where a telephone's code is typed.
pub(super) async fn page() -> Html<&'static str> {
    Html(include_str!("assets/pair.html"))
}

pub(super) async fn script() -> Response {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("assets/pair.js")).into_response()
}

/// Lets a telephone in.
pub(super) async fn pair(State(app): State<App>, body: Result<Bytes, BytesRejection>) -> Response {
    let Some(phones) = &app.phones else { return off(&app) };
    let asked: PairBody = match read(&app, &body) {
        Ok(asked) => asked,
        Err(response) => return *response,
    };
    let token = match phones.pair(&asked.code, &asked.name).await {
        Ok(token) => token,
        Err(error) => return failed(error, &app),
    };
    let cookie = format!("{COOKIE}={}; Path=/; Max-Age={COOKIE_KEPT_S}; Secure; HttpOnly; SameSite=Strict", *token);
    let mut response = answer(200, &json!({ "paired": true }));
    match header::HeaderValue::try_from(cookie) {
        Ok(mut cookie) => {
            cookie.set_sensitive(true);
            response.headers_mut().insert(header::SET_COOKIE, cookie);
            response
        }
        Err(_) => failed(PairError::NoRandomness, &app),
    }
}

/// What is told without a token: the page that asks for the code, and what it is made of.
fn is_open(method: &Method, path: &str) -> bool {
    match *method {
        Method::GET => matches!(path, "/pair" | "/assets/pair.js" | "/assets/style.css"),
        Method::POST => path == "/api/pair",
        _ => false,
    }
}

/// The telephone that a request comes from.
fn phone_of(phones: &Arc<Phones>, headers: &HeaderMap) -> Option<u32> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let token = pairs.filter(|(name, _)| *name == COOKIE).map(|(_, token)| token).next()?;
    phones.admit(token)
}

/// Lets through who was let in, and ends what a telephone waits for when it is shut out.
pub(super) async fn admit(State(app): State<App>, request: Request, next: Next) -> Response {
    let texts = app.service.texts();
    let shut_out = || wrong(401, "error-pair-first", texts);
    let Some(phones) = &app.phones else { return shut_out() };
    let (parts, body) = request.into_parts();
    let phone = phone_of(phones, &parts.headers);
    if phone.is_none() && !is_open(&parts.method, parts.uri.path()) {
        let is_page = parts.method == Method::GET && matches!(parts.uri.path(), "/" | "/customer" | "/help");
        return if is_page {
            (StatusCode::SEE_OTHER, [(header::LOCATION, "/pair"), (header::CACHE_CONTROL, "no-store")]).into_response()
        } else {
            shut_out()
        };
    }
    let body = match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, BODY_BYTES_MAX)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return wrong(413, "error-body-too-large", texts),
        Err(_) => return wrong(408, "error-too-slow", texts),
    };
    let answering = next.run(Request::from_parts(parts, Body::from(body)));
    let Some(phone) = phone else { return answering.await };
    let response = tokio::select! {
        response = answering => response,
        () = phones.gone(phone) => return shut_out(),
    };
    let is_stream = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
    if !is_stream {
        return response;
    }
    let phones = Arc::clone(phones);
    let gone = Box::pin(async move { phones.gone(phone).await });
    response.map(|body| Body::from_stream(body.into_data_stream().take_until(gone)))
}
