//! Answers with the headers that keep a page to itself.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

/// Nothing inline, no other origins, no frames: what a page needs, the hub serves as a file.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; \
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

/// Why a program is not answered.
#[must_use]
pub fn api_refusal(status: StatusCode) -> Response {
    let told = status.canonical_reason().unwrap_or_default();
    let mut response = response(status, "application/json", serde_json::json!({ "error": told }).to_string());
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
