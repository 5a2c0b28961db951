//! Who may ask: programs and pages of this machine, by its own name, from its own pages. A page of another origin, or a
//! name that somebody pointed at this address, is refused before anything is read.

use std::net::SocketAddr;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;

use super::App;
use super::error::wrong;

/// Everything comes from here, nothing is framed, nothing runs that is not a file of ours.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Names under which this terminal may be asked.
#[derive(Clone, Debug)]
pub(super) struct Names(Vec<String>);

impl Names {
    /// The names of an address: itself, and for the loopback its usual ones.
    pub(super) fn of(listen: SocketAddr) -> Self {
        let port = listen.port();
        let mut names = vec![listen.to_string()];
        if listen.ip().is_loopback() || listen.ip().is_unspecified() {
            names.extend(["127.0.0.1", "localhost", "[::1]"].map(|host| format!("{host}:{port}")));
        }
        Self(names)
    }

    fn has(&self, host: &str) -> bool {
        self.0.iter().any(|name| name.eq_ignore_ascii_case(host))
    }

    fn allows_host(&self, headers: &HeaderMap) -> bool {
        one(headers, header::HOST).is_some_and(|host| self.has(host))
    }

    fn allows_origin(&self, headers: &HeaderMap) -> bool {
        if !headers.contains_key(header::ORIGIN) {
            return true;
        }
        one(headers, header::ORIGIN)
            .and_then(|origin| origin.strip_prefix("http://"))
            .is_some_and(|host| self.has(host))
    }
}

/// A header that stands once.
fn one(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(first)
}

/// Lets through who may ask, and puts the policy on every answer.
pub(super) async fn check(
    axum::extract::State(app): axum::extract::State<App>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    let json = one(headers, header::CONTENT_TYPE).is_some_and(|kind| {
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
    });
    let texts = app.service.texts();
    let mut response = if !app.names.allows_host(headers) {
        wrong(421, "error-host", texts)
    } else if !app.names.allows_origin(headers) {
        wrong(403, "error-origin", texts)
    } else if changes && *request.method() == Method::POST && !json {
        wrong(415, "error-content-type", texts)
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
