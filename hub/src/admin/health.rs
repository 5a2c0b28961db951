//! `/health` for what watches the hub, `/metrics` for what draws its curves.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Serialize;

use super::overview::{STANDINGS, TerminalLine, terminal_line};
use super::{guard, html};
use crate::app::App;
use crate::config::AdminPage;
use crate::core::checks::checks;
use crate::metrics::Money;
use crate::store::Lane;

/// How long the store may take before the hub counts as ill.
pub const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);
/// How long `/metrics` waits for a look: less than Prometheus waits.
pub const METRICS_LOOK_TIMEOUT: Duration = Duration::from_secs(5);
const JSON: &str = "application/json";
/// What Prometheus asks for.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Serialize)]
struct Health {
    ok: bool,
    /// True where a write transaction could be begun and ended.
    database_writable: bool,
    version: &'static str,
}

/// Tells whether the hub can do its work: 200, or 503 where the ledger cannot be written.
pub async fn health(State(app): State<Arc<App>>) -> Response {
    let probe = app.store.call(Lane::Sync, |tx| tx.data_version());
    let writable = matches!(tokio::time::timeout(HEALTH_TIMEOUT, probe).await, Ok(Ok(_)));
    let health = Health { ok: writable, database_writable: writable, version: env!("CARGO_PKG_VERSION") };
    let status = if writable { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    html::response(status, JSON, serde_json::to_string(&health).unwrap_or_default())
}

/// Tells the counters, to this machine.
pub async fn metrics(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    if app.metrics_page == AdminPage::Off || !guard::is_loopback(peer, &headers) {
        return html::not_here();
    }
    let now = app.clock.now();
    let read = move |tx: &mut crate::store::Tx<'_>| {
        let exposure = tx.exposure(now)?;
        Ok((tx.terminals()?, exposure.total()?, exposure.goodwill))
    };
    match app.store.call(Lane::Sync, read).await {
        Ok((terminals, exposure, goodwill)) => {
            app.metrics.exposure_cents.set(exposure.get());
            app.metrics.goodwill_cents.set(goodwill.get());
            let lines: Vec<_> = terminals.into_iter().map(terminal_line).collect();
            gauges(&app, &lines, now.get());
        }
        Err(error) => {
            tracing::error!(%error, "the terminals cannot be read for the metrics");
            return html::response(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "the store failed\n".to_owned());
        }
    }
    let (checkup, shown) = (app.checkup.clone(), Arc::clone(&app.metrics));
    // Where a disk hangs, what was seen last is shown; a look that ends later is seen the next time.
    let looked = app.looks.take(METRICS_LOOK_TIMEOUT, move || {
        let (seen, money) = checkup.see(now, Money::read);
        shown.watched(&seen, &checks(&seen), money);
    });
    if looked.await.is_none() {
        tracing::warn!("a look did not end in time; the metrics show the one before");
    }
    html::response(StatusCode::OK, OPEN_METRICS, app.metrics.encode().unwrap_or_default())
}

fn gauges(app: &App, terminals: &[TerminalLine], now: u64) {
    for standing in STANDINGS {
        let count = terminals.iter().filter(|line| line.standing == standing).count();
        app.metrics.terminals(standing, u64::try_from(count).unwrap_or(u64::MAX));
    }
    let live = || terminals.iter().filter(|line| line.standing == "live");
    let silent = live().filter_map(|line| line.last_contact_at).map(|at| now.saturating_sub(at)).max();
    app.metrics.oldest_contact_s.set(silent.unwrap_or(0));
    let refused = live().filter_map(|line| line.refused_unfunded).map(u64::from).fold(0, u64::saturating_add);
    app.metrics.refused_unasked.set(refused);
    app.metrics.waiting_polls.set(u64::try_from(app.waiting.count()).unwrap_or(u64::MAX));
}
