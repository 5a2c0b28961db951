//! Answers with the headers that keep a page to itself.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use super::document::{Refused, RefusedField};
use super::visit::Wrong;

const JSON: &str = "application/json";

/// Nothing inline, no other origins, no frames: what a page needs, the hub serves as a file.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// A response with the headers that every page has.
#[must_use]
pub fn response(status: StatusCode, media_type: &'static str, body: String) -> Response {
    let mut response = (status, body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    secured(response)
}

/// A page.
#[must_use]
pub fn page(status: StatusCode, body: String) -> Response {
    response(status, "text/html; charset=utf-8", body)
}

/// The headers that every answer has; only files that are the same for everybody are kept by a browser.
#[must_use]
pub fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// For whom a page is not: it says no more than a page that does not exist.
#[must_use]
pub fn not_here() -> Response {
    response(StatusCode::NOT_FOUND, "text/plain", "not found\n".to_owned())
}

/// What a program gets.
///
/// # Errors
/// [`Wrong::Work`] where it cannot be written.
pub fn json(value: &impl Serialize) -> Result<Response, Wrong> {
    let text = serde_json::to_string(value).map_err(|error| Wrong::Work(error.to_string()))?;
    Ok(response(StatusCode::OK, JSON, text))
}

/// Why a program is not answered.
#[must_use]
pub fn api_refusal(status: StatusCode, reason: &str) -> Response {
    refused(status, reason, Vec::new())
}

/// The same, with the fields that are to be corrected.
#[must_use]
pub fn refused(status: StatusCode, reason: &str, fields: Vec<RefusedField>) -> Response {
    let error = status.canonical_reason().unwrap_or_default().to_owned();
    let refused = Refused { error, reason: reason.to_owned(), fields };
    let mut response = response(status, JSON, serde_json::to_string(&refused).unwrap_or_default());
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
