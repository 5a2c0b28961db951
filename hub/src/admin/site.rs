//! Who may ask for what. Every route of the site is made here with its [`Access`]: there is no other way to add one.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Redirect, Response};
use cabas_protocol::Hash;
use cabas_protocol::sign::sha256;
use cookie::{Cookie, SameSite};
use subtle::ConstantTimeEq as _;

pub use super::route::{Access, Group, MenuEntry, Route, Takes, with_twins};
use super::sent::Upload;
use super::tries::Tries;
use super::visit::{Standing, Step, Visit, Wrong};
use super::watch::Watch;
use super::words::{Lang, Words};
use super::{frame, guard, html, pages, secret};
use crate::app::App;
use crate::config::{Config, Site as Served};
use crate::core::roles::Role;
use crate::store::{Lane, SessionView, StoreError, UserRefusal};

/// A form's body.
pub const FORM_BYTES_MAX: usize = 64 * 1024;
/// The body of a form that only asks something.
pub const QUESTION_BYTES_MAX: usize = 4 * 1024;
/// A form's body with a file in it.
pub const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Where somebody proves who they are.
pub const LOGIN: &str = "/login";
const LANG_COOKIE: &str = "cabas-lang";
const TOKEN_CHARS: usize = 64;
const YEAR_S: i64 = 365 * 86_400;

/// What the site holds beside the ledger.
#[derive(Debug)]
pub struct Site {
    /// Who reaches it at all.
    pub served: Served,
    /// True where browsers come by HTTPS: the cookie goes nowhere else.
    pub is_secure: bool,
    /// The words.
    pub words: Words,
    /// Slows down who guesses.
    pub tries: Tries,
    /// Slows down who checks receipts without end.
    pub receipts: Tries,
    /// The menu.
    pub menu: Vec<MenuEntry>,
    /// What takes long to read.
    pub watch: Watch,
    /// Who may open which page.
    open: Vec<(Cow<'static, str>, &'static [Role])>,
    /// The fund's name.
    pub fund: String,
}

impl Site {
    /// The site of a fund.
    #[must_use]
    pub fn new(config: &Config, fund: String) -> Self {
        let entries = pages::routes().into_iter().filter_map(|route| match (route.menu, route.access) {
            (Some((group, text)), Access::Roles(roles)) => {
                // What lies below a page whose path has a part that changes is told by what is before that part.
                let path = route.path.split("/{").next().unwrap_or_default().to_owned();
                Some(MenuEntry { path, group, text, roles })
            }
            (Some(_) | None, _) => None,
        });
        let open = pages::routes().into_iter().filter_map(|route| match route.access {
            Access::Roles(roles) if route.method == Method::GET => Some((route.path, roles)),
            Access::Anyone | Access::Step(_) | Access::Own | Access::Roles(_) | Access::Token(_) => None,
        });
        Self {
            served: config.site,
            is_secure: config.tls_certificate.is_some() || config.behind_tls_proxy,
            words: Words::default(),
            tries: Tries::default(),
            receipts: Tries::default(),
            menu: entries.collect(),
            watch: Watch::default(),
            open: open.collect(),
            fund,
        }
    }

    /// True where the site has this page, and the role may open it.
    #[must_use]
    pub fn may_open(&self, path: &str, role: Role) -> bool {
        self.open.iter().any(|(open, roles)| open == path && roles.contains(&role))
    }

    /// The name of the cookie that a session is known by.
    #[must_use]
    pub const fn cookie_name(&self) -> &'static str {
        if self.is_secure { "__Host-cabas" } else { "cabas" }
    }

    /// The cookie that begins or, with an empty token, ends a session.
    #[must_use]
    pub fn cookie(&self, token: &str) -> String {
        let mut cookie = Cookie::new(self.cookie_name(), token);
        cookie.set_path("/");
        cookie.set_http_only(true);
        cookie.set_same_site(SameSite::Strict);
        cookie.set_secure(self.is_secure);
        if token.is_empty() {
            cookie.set_max_age(cookie::time::Duration::ZERO);
        }
        cookie.to_string()
    }

    fn lang_cookie(&self, lang: Lang) -> String {
        let mut cookie = Cookie::new(LANG_COOKIE, lang.code());
        cookie.set_path("/");
        cookie.set_same_site(SameSite::Strict);
        cookie.set_secure(self.is_secure);
        cookie.set_max_age(cookie::time::Duration::seconds(YEAR_S));
        cookie.to_string()
    }
}

/// What is looked at before a route's own work.
#[derive(Clone, Copy, Debug)]
struct Rule {
    access: Access,
    takes: Takes,
    needs_vouched: bool,
}

/// The routes of the site, each behind its own check.
pub fn router(app: &Arc<App>) -> Router<Arc<App>> {
    pages::routes().into_iter().fold(Router::new(), |router, route| {
        let rule = Rule { access: route.access, takes: route.takes, needs_vouched: route.needs_vouched };
        let check = from_fn_with_state((Arc::clone(app), rule), check);
        router.route(&route.path, route.handler.layer(DefaultBodyLimit::disable()).route_layer(check))
    })
}

/// What is not there, in the visitor's language.
pub async fn not_found(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    if !is_served(&app, peer, request.headers()) {
        return html::not_here();
    }
    let visit = Visit::new(&app, &request, address(peer, request.headers()), lang(&request).0, String::new());
    html::secured(frame::wrong(&visit, StatusCode::NOT_FOUND, "wrong-not-found"))
}

fn is_served(app: &App, peer: SocketAddr, headers: &HeaderMap) -> bool {
    match app.site.served {
        Served::On => true,
        Served::Loopback => guard::is_loopback(peer, headers),
        Served::Off => false,
    }
}

/// Lets through who may ask, and puts the policy on every answer.
async fn check(
    State((app, rule)): State<(Arc<App>, Rule)>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    if !is_served(&app, peer, request.headers()) {
        return html::not_here();
    }
    let (lang, is_chosen) = lang(&request);
    let token = cookie(request.headers(), app.site.cookie_name()).filter(|token| is_token(token));
    let mut visit = Visit::new(&app, &request, address(peer, request.headers()), lang, token.unwrap_or_default());
    let mut response = match let_through(&mut visit, rule, request).await {
        Ok(request) => next.run(request).await,
        Err(response) => response,
    };
    if let Some(wrong) = response.extensions_mut().remove::<Wrong>() {
        response = wrong.shown(&visit);
    }
    if is_chosen && let Ok(value) = app.site.lang_cookie(lang).parse() {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    html::secured(response)
}

/// The request with the visit in it, or what is answered instead.
async fn let_through(visit: &mut Visit, rule: Rule, mut request: Request) -> Result<Request, Response> {
    let Rule { access, takes, needs_vouched } = rule;
    let store_failed = |visit: &Visit, error: StoreError| Wrong::from(error).shown(visit);
    if let Access::Token(roles) = access {
        visit.standing = of_program(visit, request.headers()).await.map_err(|error| store_failed(visit, error))?;
        let refusal = |status, text: &str| html::api_refusal(status, &visit.app.site.words.get(Lang::English, text));
        let role = visit.standing.role().ok_or_else(|| refusal(StatusCode::UNAUTHORIZED, "wrong-token"))?;
        if !roles.contains(&role) {
            return Err(refusal(StatusCode::FORBIDDEN, "wrong-role"));
        }
    } else {
        visit.standing = of_browser(visit).await.map_err(|error| store_failed(visit, error))?;
        if let Some(answer) = admit(visit, access) {
            return Err(answer);
        }
    }
    if request.method() == Method::POST {
        request = check_sent(visit, takes, request).await?;
    }
    visit.needs_vouched = needs_vouched;
    if needs_vouched && visit.standing.waits() {
        return Err(Wrong::from(StoreError::from(UserRefusal::Waits)).shown(visit));
    }
    request.extensions_mut().insert(visit.clone());
    Ok(request)
}

/// What is answered instead of the page; nothing where it may be seen.
fn admit(visit: &Visit, access: Access) -> Option<Response> {
    let step = visit.standing.step();
    let next = match step {
        None => LOGIN,
        Some(step) => step.path(),
    };
    let elsewhere = || Some(Redirect::to(next).into_response());
    match access {
        Access::Anyone => None,
        Access::Step(wanted) if step == Some(wanted) => None,
        Access::Own if matches!(step, Some(Step::Password | Step::Done)) => None,
        Access::Step(_) | Access::Own => elsewhere(),
        Access::Roles(roles) | Access::Token(roles) => match (step, visit.standing.role()) {
            (Some(Step::Done), Some(role)) if roles.contains(&role) => None,
            (Some(Step::Done), _) => Some(frame::wrong(visit, StatusCode::FORBIDDEN, "wrong-role")),
            (Some(_) | None, _) => elsewhere(),
        },
    }
}

async fn of_browser(visit: &Visit) -> Result<Standing, StoreError> {
    if visit.token.is_empty() {
        return Ok(Standing::Nobody);
    }
    let (hash, now) = (secret::token_hash(&visit.token), visit.now);
    let session: Option<SessionView> = visit.app.store.call(Lane::Sync, move |tx| tx.session(hash, now)).await?;
    Ok(session.map_or(Standing::Nobody, |session| Standing::User(Arc::new(session))))
}

async fn of_program(visit: &Visit, headers: &HeaderMap) -> Result<Standing, StoreError> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let Some(token) = bearer.filter(|token| is_token(token)) else { return Ok(Standing::Nobody) };
    let hash = secret::token_hash(token);
    let found = visit.app.store.call(Lane::Sync, move |tx| tx.token(hash)).await?;
    Ok(found.map_or(Standing::Nobody, |token| Standing::Program(Arc::new(token))))
}

/// What is sent must be a form of a page of ours that carries what only that page knows, or come from a program.
async fn check_sent(visit: &mut Visit, takes: Takes, request: Request) -> Result<Request, Response> {
    let refuse = |visit: &Visit, status, text| match visit.standing {
        Standing::Program(_) => html::api_refusal(status, &visit.app.site.words.get(Lang::English, text)),
        Standing::Nobody | Standing::User(_) => frame::wrong(visit, status, text),
    };
    let (mut parts, body) = request.into_parts();
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (kind, named) = (text("content-type").to_owned(), text("idempotency-key").to_owned());
    let is_program = visit.is_program();
    if !is_program && !is_same_site(&parts.headers) {
        return Err(refuse(visit, StatusCode::FORBIDDEN, "wrong-origin"));
    }
    let is_kind = match (is_program, takes) {
        (true, Takes::Form) => kind.starts_with("application/json"),
        (true, Takes::File) => true,
        (true, Takes::Question) => false,
        (false, Takes::Form | Takes::Question) => kind.starts_with("application/x-www-form-urlencoded"),
        (false, Takes::File) => kind.starts_with("multipart/form-data"),
    };
    if !is_kind {
        return Err(refuse(visit, StatusCode::UNSUPPORTED_MEDIA_TYPE, "wrong-form"));
    }
    let bytes_max = match takes {
        Takes::File => FILE_BYTES_MAX,
        Takes::Form => FORM_BYTES_MAX,
        Takes::Question => QUESTION_BYTES_MAX,
    };
    let body: Bytes = axum::body::to_bytes(body, bytes_max)
        .await
        .map_err(|_| refuse(visit, StatusCode::PAYLOAD_TOO_LARGE, "wrong-large"))?;
    let (csrf, mut once) = match takes {
        Takes::Question => return Ok(Request::from_parts(parts, Body::from(body))),
        Takes::Form => (form_field(&body, b"csrf="), form_field(&body, b"once=")),
        Takes::File => {
            let upload = if is_program {
                Upload::of_program(&visit.query, body.clone())
            } else {
                Upload::of_form(Request::from_parts(parts.clone(), Body::from(body.clone()))).await
            };
            let upload = upload.map_err(|_| refuse(visit, StatusCode::BAD_REQUEST, "wrong-form"))?;
            let fields = (upload.field("csrf").to_owned(), upload.field("once").to_owned());
            parts.extensions.insert(upload);
            fields
        }
    };
    if is_program {
        once = named;
    } else {
        let fits = bool::from(csrf.as_bytes().ct_eq(secret::form_token(&visit.token).as_bytes()));
        if visit.token.is_empty() || !fits {
            return Err(refuse(visit, StatusCode::FORBIDDEN, "wrong-stale"));
        }
    }
    if !once.is_empty() {
        visit.once = Some(once_key(visit, &once, &parts, &body));
    }
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// A field of a form, as it was sent.
fn form_field(body: &[u8], name: &[u8]) -> String {
    let sent = body.split(|byte| *byte == b'&').find_map(|field| field.strip_prefix(name));
    String::from_utf8_lossy(sent.unwrap_or_default()).into_owned()
}

/// The same only for the same words and files of the same sender to the same address. A form with a file has another
/// boundary each time, so its parts count.
fn once_key(visit: &Visit, once: &str, parts: &Parts, body: &[u8]) -> Hash {
    let said = parts.extensions.get::<Upload>().map_or_else(|| sha256(&[body]), Upload::digest);
    let (who, path) = (sha256(&[visit.standing.name().as_bytes()]), sha256(&[visit.path.as_bytes()]));
    let is_program = [u8::from(visit.is_program())];
    sha256(&[b"cabas once 1", &is_program, who.as_bytes(), path.as_bytes(), said.as_bytes(), once.as_bytes()])
}

/// Browsers say where a form comes from; one that says nothing is refused.
fn is_same_site(headers: &HeaderMap) -> bool {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST);
    let origin = text(header::ORIGIN).map(|origin| origin.split_once("://").map(|(_, rest)| rest));
    let fetch = headers.get("sec-fetch-site").map(|value| value.as_bytes() == b"same-origin");
    match (origin, fetch) {
        (_, Some(false)) | (None, None) => false,
        (None, Some(true)) => true,
        (Some(origin), _) => origin.is_some() && origin == host,
    }
}

fn lang(request: &Request) -> (Lang, bool) {
    let query = request.uri().query().unwrap_or_default();
    let asked = query.split('&').find_map(|part| Lang::of_code(part.strip_prefix("lang=")?));
    let kept = cookie(request.headers(), LANG_COOKIE).and_then(|code| Lang::of_code(&code));
    (asked.or(kept).unwrap_or_default(), asked.is_some())
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = texts.flat_map(Cookie::split_parse).filter_map(Result::ok);
    cookies.find(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned())
}

fn is_token(text: &str) -> bool {
    text.len() == TOKEN_CHARS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whose tries are counted together: what a proxy on this machine says came last, else the peer.
fn address(peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
    let peer = peer.ip().to_canonical();
    let carried = headers.get_all("x-forwarded-for").iter().next_back();
    let last = carried.and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
    if peer.is_loopback() { last.unwrap_or(peer) } else { peer }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(*name, value.parse().unwrap());
        }
        map
    }

    #[test]
    fn a_form_of_another_site_is_told_from_one_of_ours() {
        let host = ("host", "hub.example");
        for (fields, is_ours) in [
            (vec![host, ("origin", "https://hub.example")], true),
            (vec![host, ("sec-fetch-site", "same-origin")], true),
            (vec![host, ("origin", "https://hub.example"), ("sec-fetch-site", "same-origin")], true),
            (vec![host], false),
            (vec![host, ("origin", "null")], false),
            (vec![host, ("origin", "https://evil.example")], false),
            (vec![host, ("origin", "https://hub.example.evil.example")], false),
            (vec![host, ("origin", "https://hub.example"), ("sec-fetch-site", "cross-site")], false),
            (vec![host, ("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")], false),
            (vec![host, ("sec-fetch-site", "same-site")], false),
            (vec![host, ("sec-fetch-site", "none")], false),
            (vec![("origin", "https://hub.example")], false),
        ] {
            assert_eq!(is_same_site(&headers(&fields)), is_ours, "{fields:?}");
        }
    }

    #[test]
    fn only_a_proxy_on_this_machine_says_for_whom_it_asks() {
        let fields = headers(&[("x-forwarded-for", "192.0.2.7, 198.51.100.9")]);
        assert_eq!(address("127.0.0.1:1".parse().unwrap(), &fields).to_string(), "198.51.100.9");
        assert_eq!(address("203.0.113.5:1".parse().unwrap(), &fields).to_string(), "203.0.113.5");
        assert_eq!(address("127.0.0.1:1".parse().unwrap(), &headers(&[])).to_string(), "127.0.0.1");
    }

    #[test]
    fn no_route_stands_twice() {
        let mut seen = std::collections::BTreeSet::new();
        for route in pages::routes() {
            assert!(seen.insert((route.method.to_string(), route.path.clone())), "{} {}", route.method, route.path);
        }
    }
}
