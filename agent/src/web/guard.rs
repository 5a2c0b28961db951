//! Who may ask: programs and pages of this machine, by its own name, from its own pages. A page of another origin, or a
//! name that somebody pointed at this address, is refused before anything is read.

use std::net::{IpAddr, SocketAddr};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;

use super::App;
use super::error::wrong;
use crate::texts::Texts;

/// Everything comes from here, nothing is framed, nothing runs that is not a file of ours.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTTPS_PORT: u16 = 443;
/// Where a browser says that a request comes from, and what it is for.
const SITE: header::HeaderName = header::HeaderName::from_static("sec-fetch-site");
const MODE: header::HeaderName = header::HeaderName::from_static("sec-fetch-mode");
const DEST: header::HeaderName = header::HeaderName::from_static("sec-fetch-dest");
/// No page of another origin has an answer in it.
const RESOURCE_POLICY: header::HeaderName = header::HeaderName::from_static("cross-origin-resource-policy");

/// Names under which this terminal may be asked.
#[derive(Clone, Debug)]
pub(super) struct Names {
    scheme: &'static str,
    hosts: Vec<String>,
}

impl Names {
    /// The names of an address: itself, and for the loopback its usual ones.
    pub(super) fn of(listen: SocketAddr) -> Self {
        let port = listen.port();
        let mut names = vec![listen.to_string()];
        if listen.ip().is_loopback() {
            names.extend(["127.0.0.1", "localhost", "[::1]"].map(|host| format!("{host}:{port}")));
        }
        Self { scheme: "http://", hosts: names }
    }

    /// The names of the telephones' door: its address, and the name that it was given. Browsers leave out port 443.
    pub(super) fn of_phones(listen: SocketAddr, name: Option<&str>) -> Self {
        let address = match listen.ip() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        let bare: Vec<_> = std::iter::once(address).chain(name.map(str::to_owned)).collect();
        let mut hosts: Vec<_> = bare.iter().map(|host| format!("{host}:{}", listen.port())).collect();
        if listen.port() == HTTPS_PORT {
            hosts.extend(bare);
        }
        Self { scheme: "https://", hosts }
    }

    fn has(&self, host: &str) -> bool {
        self.hosts.iter().any(|name| name.eq_ignore_ascii_case(host))
    }

    fn allows_host(&self, headers: &HeaderMap) -> bool {
        one(headers, header::HOST).is_some_and(|host| self.has(host))
    }

    fn allows_origin(&self, headers: &HeaderMap) -> bool {
        if !headers.contains_key(header::ORIGIN) {
            return true;
        }
        one(headers, header::ORIGIN)
            .and_then(|origin| origin.strip_prefix(self.scheme))
            .is_some_and(|host| self.has(host))
    }
}

/// False for what a page of another origin fetches, also where it may not read it: an image, a script, a frame (Fetch
/// Metadata). A person may follow a link to the terminal's pages.
fn is_of_own_page(method: &Method, headers: &HeaderMap) -> bool {
    if !headers.contains_key(SITE) {
        return true;
    }
    let is_link = *method == Method::GET
        && one(headers, MODE).is_some_and(|mode| mode == "navigate")
        && one(headers, DEST).is_some_and(|dest| dest == "document");
    is_link || matches!(one(headers, SITE), Some("same-origin" | "none"))
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
    // Where the address stands whole in the request's line, it counts beside the header (RFC 9112 §3.2.2).
    let is_named = request.uri().authority().is_none_or(|authority| app.names.has(authority.as_str()));
    let mut response = if !is_named || !app.names.allows_host(headers) {
        wrong(421, "error-host", texts)
    } else if !app.names.allows_origin(headers) || !is_of_own_page(request.method(), headers) {
        wrong(403, "error-origin", texts)
    } else if changes && *request.method() == Method::POST && !json {
        wrong(415, "error-content-type", texts)
    } else {
        in_words(next.run(request).await, texts)
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// A path or query that is of no known form is refused before it comes to the route, in words of the library: ours instead.
fn in_words(response: Response, texts: &Texts) -> Response {
    let is_ours = one(response.headers(), header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if response.status().is_client_error() && !is_ours {
        wrong(response.status().as_u16(), "error-bad-path", texts)
    } else {
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_has_its_own_names_and_no_other() {
        let of = |listen: &str, name| {
            Names::of_phones(SocketAddr::from(([192, 168, 4, 1], listen.parse().unwrap_or(0))), name)
        };
        let names = of("7411", Some("caisse.local"));
        for (host, is_known) in [
            ("192.168.4.1:7411", true),
            ("CAISSE.local:7411", true),
            ("192.168.4.1", false),
            ("192.168.4.1:7410", false),
            ("localhost:7411", false),
            ("evil.example:7411", false),
        ] {
            assert_eq!(names.has(host), is_known, "{host}");
        }
        assert!(of("443", None).has("192.168.4.1") && of("443", None).has("192.168.4.1:443"));
        assert!(!Names::of(SocketAddr::from(([0, 0, 0, 0], 7410))).has("localhost:7410"));
    }
}
