//! The pages of cashier and member, and the local API: on loopback, and by a door of their own for telephones that are let in.
//!
//! | route | |
//! | --- | --- |
//! | `GET /`, `GET /customer`, `GET /help` | the cashier's page, the member's display, the guide of one page (`?lang=fr`, `en`) |
//! | `GET /health`, `GET /api/status`, `GET /metrics` | how the terminal is |
//! | `POST /api/sales` `{"lines": [{"category", "cents" or "amount"}], "till_ref"?, "request_id"}` | 201 a new sale, 200 a known one |
//! | `GET /api/sales/{id}`, `DELETE /api/sales/{id}` | a sale; cancel it before the card. In state `in_doubt` nobody knows whether its card has paid, and it waits for that same card: `DELETE` answers 409 and leaves it for later; the card's next tap settles it, whatever that is for |
//! | `GET /api/sales/last` | the newest accepted sale |
//! | `GET /api/sales/{id}/member-side` | why it was declined, on request only; of a sale in state `offer`: `{"offer_cents", "rest_cents"}` |
//! | `POST /api/sales/{id}/accept-part` | the member takes the part offered: 200 the sale, which waits for the same card or is done; `DELETE` declines it |
//! | `POST /api/sales/{id}/reversal` `{"request_id"}` | 201 undoes, whole, a sale just made; 200 done before: `{"kind": "reversal", "seq", "stan", "at", "cents", "fund_cents", "member_cents", "lines", "sale_id", "sale_seq", "till_ref", "message_fr", "message_en"}` |
//! | `POST /api/refunds` `{"sale": id or {"terminal", "epoch", "seq"}, "lines"?: [{"category", "cents" or "amount"}], "request_id"}` | 201 asks for a refund, of all that is left without `lines`; 200 asked before: as a reversal, with `"kind": "refund"`, `"id"` and `"state"`: `unsent`, `received`, `credited`, `refused` |
//! | `GET /api/refunds/{id}` | the same, as it stands |
//! | `GET /api/today` | `{"entries": [...]}`: the day's sales (with `"reversed"`, `"refunded_cents"`), reversals and refunds, newest first |
//! | `POST /api/today/{seq}/receipt` `{"language"?}` | 202: the receipt of that row, `{"job", "duplicate"}` |
//! | `GET /api/today/{seq}/e-receipt` | the receipt without paper of that row: `{"url", "valid", "svg"}`; 404 where it has none |
//! | `GET /api/today/{seq}/e-receipt.svg` | the address as a QR code |
//! | `POST /api/printer/kept` `{"action": "print" or "discard"}` | receipts that could not be begun: `{"printed"}`; `GET /api/status` counts them in `printer.kept` |
//! | `POST /api/sales/{id}/receipt` `{"language"?}` | 202: the receipt is in the printer's queue |
//! | `POST /api/balance` `{}` | waits for a card: `{"available_cents", "age_s"}` |
//! | `POST /api/day-close` `{"period"?}` | closes a `day` (or `month` with its open day, `year` with its open month): its totals, `by_category`, `cashiers`, and in `closed` each closing that was added; without sales since the newest one that is given again, `"is_new": false` |
//! | `GET /api/day` | the same sums since the newest closing of a day, `since_seq`: nothing is written |
//! | `POST /api/day/receipt` `{"language"?}` | 202: they are printed, marked as no closing |
//! | `GET /api/closings?limit=50&before=SEQ` | `{"closings": [...]}`, newest first: `seq`, `period`, `number`, `from`, `at`, `from_seq`, totals, `perpetual_cents`, `hash` |
//! | `POST /api/closings/{seq}/receipt` `{"language"?}` | 202: its paper, `{"job", "duplicate"}` |
//! | `GET /api/history?day=2026-11-28&before=SEQ` or `?stan=000123` | a day's entries as `/api/today` gives them, with `"day"` and `"truncated"` where there are older ones; or what a receipt's number stands for |
//! | `POST /api/cashier` `{"code"}`, `DELETE /api/cashier` | `{"number", "label"}` a cashier unlocks, where codes are set up; 403 a wrong code, 429 with `wait_s` after five; lock at once. While `locked` in `/api/status` what is begun at the counter answers 423 `error_locked`; a sale under way goes on |
//! | `POST /api/training` `{"on"}` | the training mode: sales are played, and have `"training": true`; 409 while a sale is under way, and for what is real |
//! | `POST /api/sales/{id}/play` `{"outcome"}` | plays the tap of a played sale: `accepted`, `not_proven`, `declined`, `offer`, `in_doubt`; a real card plays `accepted` |
//! | `POST /api/printer/test` `{}` | 202 a test page: `{"job"}` |
//! | `POST /api/reader/test` `{}` | waits 30 s for a card: `{"tier": "purse", "identity", "plain" or "unknown", "message_fr", "message_en"}` |
//! | `POST /api/till/answer` `{"question", "answer"}` | whether a request that a till sent again is the one that was done: `resend`, `new`, `cancel`; `till.question` in `/api/status` asks, 404 where it does no longer |
//! | `DELETE /api/till/unconfirmed/{id}` | a person has seen to what a till may not know: it is told no longer |
//! | `GET /api/phones` | `{"on", "listening", "url", "fingerprint", "phones": [{"id", "name", "paired_at", "seen_at"}]}`: telephones that are let in |
//! | `POST /api/phones/code` `{}` | a code that lets one in: `{"code", "valid_s", "url", "fingerprint", "svg"}` |
//! | `GET /api/phones/code.svg?n=N` | address and code as a QR code, while it is good |
//! | `DELETE /api/phones/{id}` | shuts one out, at once |
//! | `GET /pair`, `POST /api/pair` `{"code", "name"?}` | at the telephones' door only, and all that is told there without a token; 403 a wrong code, 429 the fifth wrong one. The door has no `/health`, `/metrics`, `/api/phones` |
//! | `GET /api/events` | server-sent events: `sale` with the sale, `status` without contents |
//!
//! `GET /api/openapi.json` is all of it for programs, with the form of every body and answer.
//!
//! What is refused is `{"error": {"code", "message_fr", "message_en"}}` with a status of 4xx or 5xx.

mod api;
mod assets;
mod closings;
#[cfg(test)]
mod closings_tests;
mod counter;
mod door;
mod e_receipt;
mod error;
mod events;
mod guard;
mod phones;
mod routes;
mod till;
mod undo;
#[cfg(test)]
mod undo_tests;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::phones::Phones;
use crate::service::Service;
pub use door::serve_phones;
use guard::Names;

/// A request of the local API is short.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// Pages that follow the events at once.
const LISTENERS_MAX: usize = 16;
/// How long open connections may go on after the stop.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What every route knows.
#[derive(Clone, Debug)]
struct App {
    service: Arc<Service>,
    names: Arc<Names>,
    stop: watch::Receiver<bool>,
    listeners: Arc<Semaphore>,
    phones: Option<Arc<Phones>>,
    /// False at the telephones' door.
    is_this_machine: bool,
}

/// Serves pages and API until `stop` says so.
pub async fn serve(listener: TcpListener, service: Arc<Service>, stop: watch::Receiver<bool>) {
    serve_with(listener, service, None, stop).await;
}

/// The same where telephones may be let in; they come by [`serve_phones`].
pub async fn serve_with(
    listener: TcpListener,
    service: Arc<Service>,
    phones: Option<Arc<Phones>>,
    stop: watch::Receiver<bool>,
) {
    let Ok(address) = listener.local_addr() else {
        tracing::error!("the page's address is not known");
        return;
    };
    let listeners = Arc::new(Semaphore::new(LISTENERS_MAX));
    let app = App {
        service,
        names: Arc::new(Names::of(address)),
        stop: stop.clone(),
        listeners,
        phones,
        is_this_machine: true,
    };
    let mut stopping = stop.clone();
    let stopped = async move { drop(stopping.wait_for(|stop| *stop).await) };
    let served = axum::serve(listener, router(app)).with_graceful_shutdown(stopped);
    let mut stop = stop;
    let too_long = async move {
        drop(stop.wait_for(|stop| *stop).await);
        tokio::time::sleep(LAST_WORDS).await;
    };
    tokio::select! {
        served = async { served.await } => {
            if let Err(error) = served {
                tracing::error!(%error, "the page is served no more");
            }
        }
        () = too_long => tracing::warn!("a connection stayed open past the stop"),
    }
}

/// What programs and pages of this machine may ask.
fn router(app: App) -> Router {
    ended(routes::of_counter().merge(routes::of_this_machine()))
        .layer(from_fn_with_state(app.clone(), guard::check))
        .with_state(app)
}

/// What telephones may ask: who they are is seen to before.
fn phone_router(app: App) -> Router {
    let routes =
        ended(routes::of_counter().merge(routes::of_phones())).layer(from_fn_with_state(app.clone(), phones::admit));
    routes.layer(from_fn_with_state(app.clone(), guard::check)).with_state(app)
}

/// What is none of the routes before it, and how long a body may be.
fn ended(routes: Router<App>) -> Router<App> {
    routes.fallback(not_found).method_not_allowed_fallback(not_allowed).layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

async fn not_found(axum::extract::State(app): axum::extract::State<App>) -> Response {
    error::wrong(404, "error-unknown-path", app.service.texts())
}

async fn not_allowed(axum::extract::State(app): axum::extract::State<App>) -> Response {
    error::wrong(405, "error-method", app.service.texts())
}
