//! The address where points of sale come in by hw_proxy. It shares a thread with the counter, so nothing here waits without an
//! end, and what a stranger can open is counted.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use cabas_protocol::{Cents, RequestId};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::message::{Payment, answer, call, fault, terminal_of, transaction_of, words_of};
use super::table::{Begun, Client, State, Table};
use crate::journal::{TillAction, TillAsk, TillDone};
use crate::service::Service;
use crate::till::desk::Blind;
use crate::till::gate::Gate;
use crate::till::{Ended, Left, Manner, operate_as};

/// Connections at once: some windows of a browser, each with a few.
const CONNECTIONS_MAX: usize = 16;
/// Bytes of a request.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long a request's head may take, and how long a connection may lie unused.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a request's body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// A page that asks for no state for so long has gone: it asks every second, and every five while nothing is under way.
const PAGE_GONE: Duration = Duration::from_secs(20);
/// The same of a call that is answered at the end, once its connection is closed.
const CALL_GONE: Duration = Duration::from_secs(2);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(200);
/// For how long a browser keeps what it was allowed.
const ALLOWED_FOR_S: &str = "600";
/// The machine's name in the journal: the key tells payments apart.
const PEER: &str = "hw_proxy";
/// The desk's name of this way in.
pub const WAY: &str = "hw_proxy";
/// This terminal's name among a point of sale's devices.
const DRIVER: &str = "cabas";

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// A page of a public address asks for a private one (Private Network Access).
const NETWORK_ASKED: HeaderName = HeaderName::from_static("access-control-request-private-network");
const NETWORK_ALLOWED: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// Who may come in, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Door {
    /// The address.
    pub address: SocketAddr,
    /// The machines that browsers are on.
    pub peers: BTreeSet<IpAddr>,
    /// The origins of their pages.
    pub origins: BTreeSet<String>,
}

impl Door {
    fn has(&self, host: &str) -> bool {
        let port = self.address.port();
        let names = ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}"));
        let is_usual = self.address.ip().is_loopback() && names.iter().any(|name| name.eq_ignore_ascii_case(host));
        is_usual || self.address.to_string() == host
    }

    /// The origin that asks, where it may; none for a program, which sends none. A browser sends one with all but links.
    fn admits(&self, headers: &HeaderMap) -> Result<Option<String>, StatusCode> {
        if !one(headers, header::HOST).is_some_and(|host| self.has(host)) {
            return Err(StatusCode::MISDIRECTED_REQUEST);
        }
        if !headers.contains_key(header::ORIGIN) {
            return if headers.contains_key(SITE) { Err(StatusCode::FORBIDDEN) } else { Ok(None) };
        }
        let origin = one(headers, header::ORIGIN).filter(|origin| self.origins.contains(*origin));
        origin.map(|origin| Some(origin.to_owned())).ok_or(StatusCode::FORBIDDEN)
    }
}

/// A header that stands once.
fn one(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(first)
}

struct Proxy {
    door: Door,
    service: Arc<Service>,
    table: Table,
    working: Mutex<JoinSet<()>>,
}

/// Lets points of sale in until `stop` says so. An address that is not there yet is tried again: sales do not wait for it.
pub async fn serve(door: Door, service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let proxy = Arc::new(Proxy { door, service, table: Table::default(), working: Mutex::default() });
    let mut connections = JoinSet::new();
    tokio::select! {
        () = open_and_accept(&proxy, &mut connections) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    proxy.service.till.set_open(WAY, false);
    connections.shutdown().await;
    // What was paid meanwhile stands unconfirmed.
    let mut working = std::mem::take(&mut *proxy.working.lock().unwrap_or_else(PoisonError::into_inner));
    working.shutdown().await;
}

async fn open_and_accept(proxy: &Arc<Proxy>, connections: &mut JoinSet<()>) {
    let mut gate = Gate::open(proxy.door.address, "hw_proxy", CONNECTIONS_MAX).await;
    proxy.restore().await;
    proxy.service.till.set_open(WAY, true);
    proxy.service.till_changed();
    loop {
        let (stream, peer, place) = gate.next(&proxy.door.peers, "till_hw_proxy_peers", connections).await;
        let proxy = Arc::clone(proxy);
        connections.spawn(async move {
            talk(stream, peer, proxy).await;
            drop(place);
        });
    }
}

async fn talk(stream: TcpStream, peer: IpAddr, proxy: Arc<Proxy>) {
    drop(stream.set_nodelay(true));
    let read_of = Arc::new(Mutex::new(Vec::new()));
    let service = service_fn(move |request| {
        let (proxy, read_of) = (Arc::clone(&proxy), Arc::clone(&read_of));
        async move { Ok::<_, Infallible>(proxy.respond(peer, request, &read_of).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a point of sale's connection broke");
    }
}

/// What the last answer on a connection said is done: its next request proves that the answer was read.
type ReadOf = Mutex<Vec<RequestId>>;

impl Proxy {
    async fn respond(self: &Arc<Self>, peer: IpAddr, request: Request<Incoming>, read_of: &ReadOf) -> Response<Body> {
        let origin = match self.door.admits(request.headers()) {
            Ok(origin) => origin,
            Err(status) => {
                tracing::debug!(%peer, %status, "a page that is not in till_hw_proxy_origins was turned away");
                return with_body(status, "text/plain", String::from("not an origin of this terminal"));
            }
        };
        let read: Vec<_> = std::mem::take(&mut *read_of.lock().unwrap_or_else(PoisonError::into_inner));
        for request in read {
            self.confirm(request).await;
        }
        let asks_network = request.headers().contains_key(NETWORK_ASKED);
        let mut response = if request.method() == Method::OPTIONS {
            let mut response = with_body(StatusCode::NO_CONTENT, "text/plain", String::new());
            let headers = response.headers_mut();
            let put =
                |headers: &mut HeaderMap, name, value| drop(headers.insert(name, HeaderValue::from_static(value)));
            put(headers, header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS");
            put(headers, header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type, x-requested-with, x-debug-mode");
            put(headers, header::ACCESS_CONTROL_MAX_AGE, ALLOWED_FOR_S);
            if asks_network {
                put(headers, NETWORK_ALLOWED, "true");
            }
            response
        } else {
            self.answer((peer, origin.clone()), request, read_of).await
        };
        let headers = response.headers_mut();
        if let Some(Ok(origin)) = origin.map(|origin| HeaderValue::from_str(&origin)) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
        headers.insert(header::VARY, HeaderValue::from_static("origin"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    async fn answer(self: &Arc<Self>, client: Client, request: Request<Incoming>, read_of: &ReadOf) -> Response<Body> {
        let (head, body) = request.into_parts();
        let Some(verb) = head.uri.path().strip_prefix("/hw_proxy/").map(str::to_owned) else {
            return json_body(StatusCode::NOT_FOUND, &fault(-32601, "only /hw_proxy/ is here"));
        };
        if verb == "hello" && head.method == Method::GET {
            return with_body(StatusCode::OK, "text/plain", String::from("ping"));
        }
        if head.method != Method::POST {
            return json_body(StatusCode::METHOD_NOT_ALLOWED, &fault(-32600, "POST is asked for"));
        }
        let kind = one(&head.headers, header::CONTENT_TYPE).and_then(|kind| kind.split(';').next()).map(str::trim);
        if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
            return json_body(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                &fault(-32600, "content-type is not application/json"),
            );
        }
        let body = tokio::time::timeout(BODY_TIMEOUT, to_bytes(Body::new(body), BODY_BYTES_MAX)).await;
        let Ok(Ok(body)) = body else {
            return json_body(StatusCode::BAD_REQUEST, &fault(-32600, "the body is too long or too slow"));
        };
        let Some((id, params)) = call(&body) else {
            return json_body(StatusCode::BAD_REQUEST, &fault(-32700, "the body is no JSON-RPC call"));
        };
        let result = match verb.as_str() {
            "handshake" => Value::Bool(true),
            "status_json" => {
                let (transactions, carried) = self.table.json(&client, &terminal_of(&params));
                reads(read_of, carried);
                json!({ DRIVER: { "status": "connected", "messages": [], "is_terminal": true, "transactions": transactions } })
            }
            "payment_terminal_transaction_start" => self.start(client, &params),
            "payment_terminal_transaction_start_with_return" => self.start_and_wait(client, &params, read_of).await,
            _ => return json_body(StatusCode::NOT_FOUND, &fault(-32601, "no such device is here")),
        };
        json_body(StatusCode::OK, &answer(&id, &result))
    }

    /// The payment's number, under which its end is asked for; false for what is no payment.
    fn start(self: &Arc<Self>, client: Client, params: &Value) -> Value {
        match self.begin(client, params, false) {
            Some((id, _)) => self.table.json_of(id),
            None => Value::Bool(false),
        }
    }

    /// The payment's end, and how much was paid: this till takes a part.
    async fn start_and_wait(self: &Arc<Self>, client: Client, params: &Value, read_of: &ReadOf) -> Value {
        let Some((id, _)) = self.begin(client, params, true) else { return Value::Bool(false) };
        loop {
            let ended = self.table.ended.notified();
            match self.table.wait(id) {
                Some(State::Running) => drop(tokio::time::timeout(LOOK, ended).await),
                Some(State::Done { request, paid, stan }) => {
                    reads(read_of, vec![request]);
                    return returned(0, paid, &json!({ "has_succeeded": true, "transaction_id": stan }));
                }
                Some(State::Not(words)) => {
                    return returned(7, Cents::ZERO, &json!({ "has_succeeded": false, "message": words }));
                }
                Some(State::Unknown) | None => return Value::Bool(false),
            }
        }
    }

    fn begin(self: &Arc<Self>, client: Client, params: &Value, is_waited_for: bool) -> Option<(u64, Payment)> {
        let payment = Payment::read(params)
            .inspect_err(|error| tracing::warn!(%error, "what a point of sale asked for is no payment"))
            .ok()?;
        let id = payment.transaction();
        match self.table.begin(id, &payment, client, is_waited_for) {
            Begun::Joined => {}
            Begun::Conflict => return None,
            Begun::New => {
                let (proxy, payment) = (Arc::clone(self), payment.clone());
                let mut working = self.working.lock().unwrap_or_else(PoisonError::into_inner);
                while working.try_join_next().is_some() {}
                working.spawn(async move { proxy.pay(id, payment, is_waited_for).await });
            }
        }
        Some((id, payment))
    }

    async fn pay(&self, id: u64, payment: Payment, takes_part: bool) {
        let Payment { cents, reference, is_keyed, order, terminal: _ } = payment;
        let (peer, till) = (PEER.to_owned(), String::new());
        let ask = TillAsk { peer, till, action: TillAction::Debit, cents, reference };
        let manner = Manner { till_ref: order, takes_part, is_keyed };
        let gone = async {
            loop {
                tokio::time::sleep(LOOK).await;
                let (unseen, is_waited_for) = self.table.unseen(id);
                if unseen > if is_waited_for { CALL_GONE } else { PAGE_GONE } {
                    return Left::Closed;
                }
            }
        };
        let state = match operate_as(&self.service, ask, manner, gone).await {
            Ended::Done(done, _) => done_of(&done),
            Ended::Not(why) => State::Not(self.service.texts().both(words_of(why)).message_fr),
            Ended::Unknown => {
                // The page may be told neither yes nor no: the cashier looks at the day's list.
                let (till, now) = (&self.service.till, self.service.till_now());
                till.blind_ends(till.blind_begins(cents, now), Blind::Unknown, now);
                self.service.till_changed();
                State::Unknown
            }
        };
        self.table.end(id, state);
    }

    /// Its answer was read.
    async fn confirm(&self, request: RequestId) {
        match self.service.till_told(request, false).await {
            Ok(_) => self.table.told(request),
            Err(refusal) => tracing::error!(%refusal, "that a till knows of a payment could not be written down"),
        }
    }

    /// What was done today: a page that was asking as this program stopped finds the end of its payment.
    async fn restore(&self) {
        let (peer, reference) = (PEER.to_owned(), String::new());
        let ask = TillAsk { peer, till: String::new(), action: TillAction::Debit, cents: Cents::ZERO, reference };
        match self.service.till_today(ask).await {
            Ok(today) => {
                for (done, reference) in today.iter().rev().filter(|(done, _)| !done.is_undone) {
                    for key in reference.lines() {
                        self.table.restore(transaction_of(key), done.cents, done_of(done));
                    }
                }
            }
            Err(refusal) => tracing::warn!(%refusal, "what points of sale asked for today could not be read"),
        }
    }
}

fn done_of(done: &TillDone) -> State {
    State::Done { request: done.request, paid: done.paid(), stan: done.stan.to_string() }
}

fn reads(read_of: &ReadOf, carried: Vec<RequestId>) {
    *read_of.lock().unwrap_or_else(PoisonError::into_inner) = carried;
}

fn returned(result: u8, paid: Cents, message: &Value) -> Value {
    json!({
        "pos_number": "01", "transaction_result": result, "amount_msg": paid.get(), "payment_mode": "1",
        "payment_terminal_return_message": message,
    })
}

fn json_body(status: StatusCode, value: &Value) -> Response<Body> {
    with_body(status, "application/json", value.to_string())
}

fn with_body(status: StatusCode, kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
