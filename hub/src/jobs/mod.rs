//! What the hub does by itself: it wakes polls, reserves money, and tells systemd that it lives.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::app::App;
use crate::store::{Lane, StoreError, Tx, Wake};
use crate::works;

/// How often commands beside the hub are looked for: somebody may wait, and a signing key may have been taken back.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often terminals are looked for that have become silent, and markets that are near.
pub const LOOK_HOURLY: Duration = Duration::from_secs(3_600);
/// How long the reservation of money rests after a failure.
pub const REST: Duration = Duration::from_secs(10);

/// Starts every job; they end with the set.
#[must_use]
pub fn start(app: &Arc<App>) -> JoinSet<()> {
    let mut jobs = JoinSet::new();
    jobs.spawn(wake_polls(Arc::clone(app)));
    jobs.spawn(look_beside(Arc::clone(app)));
    jobs.spawn(allocate(Arc::clone(app)));
    jobs.spawn(look_hourly(Arc::clone(app)));
    jobs.spawn(do_works(Arc::clone(app)));
    jobs.spawn(crate::alerts::run(Arc::clone(app)));
    if let Some(every) = sd_notify::watchdog_enabled() {
        jobs.spawn(watchdog(Arc::clone(app), every));
    }
    jobs
}

/// Hands the store's wakes to the polls that wait.
async fn wake_polls(app: Arc<App>) {
    let mut wakes = app.store.wakes();
    loop {
        match wakes.recv().await {
            Ok(Wake::Terminal(terminal)) => app.waiting.wake(terminal),
            Ok(Wake::Freed(_)) => {}
            // Who lags has missed some, and cannot say whose.
            Ok(Wake::All) | Err(RecvError::Lagged(_)) => app.waiting.wake_all(),
            Err(RecvError::Closed) => return,
        }
    }
}

/// Wakes all polls after a command beside this program has changed something.
async fn look_beside(app: Arc<App>) {
    let mut every = tokio::time::interval(LOOK_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = None;
    loop {
        every.tick().await;
        match app.store.call(Lane::Sync, |tx| Ok((tx.data_version()?, tx.signing_keys()?))).await {
            Ok((version, keys)) => {
                app.secrets.signers.update(&keys);
                if seen.replace(version) != Some(version) {
                    app.waiting.wake_all();
                    app.allocate.notify_one();
                }
            }
            Err(error) => tracing::warn!(%error, "the database cannot be looked at"),
        }
    }
}

/// Reserves money for terminals, step by step, at the start and whenever there may be something to do.
async fn allocate(app: Arc<App>) {
    loop {
        match allocate_all(&app).await {
            Ok(()) => app.allocate.notified().await,
            Err(error) => {
                tracing::error!(%error, "money could not be reserved for terminals; it is tried again");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

async fn allocate_all(app: &App) -> Result<(), StoreError> {
    loop {
        let now = app.clock.now();
        if !app.store.call(Lane::Sync, move |tx| tx.allocate_pending(now)).await?.more {
            return Ok(());
        }
    }
}

/// Does long work, step by step: what was under way at the last stop first, then whatever is asked for.
async fn do_works(app: Arc<App>) {
    loop {
        match works::further(&app).await {
            Ok(true) => {}
            Ok(false) => app.works.notified().await,
            Err(error) => {
                tracing::error!(%error, "a work could not go on; it is tried again");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

/// Advances goodwill where the fund has switched it on, lays floors before market days, and looks after purse cards.
async fn look_hourly(app: Arc<App>) {
    let mut every = tokio::time::interval(LOOK_HOURLY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let now = app.clock.now();
        let work = move |tx: &mut Tx<'_>| {
            tx.release_cards(now)?;
            tx.expire_left(now)?;
            tx.uploads_forget(now)?;
            Ok((tx.goodwill_advance(now)?, tx.lay_floors(now)?))
        };
        match app.store.call(Lane::Sync, work).await {
            Ok((advanced, laid)) if advanced.is_zero() && !laid => {}
            Ok(_) => app.allocate.notify_one(),
            Err(error) => tracing::error!(%error, "goodwill and floors could not be looked at; it is tried again"),
        }
        if let Err(error) = renew_cards(&app).await {
            tracing::error!(%error, "balances of purse cards could not be made anew; it is tried again");
        }
    }
}

async fn renew_cards(app: &App) -> Result<(), StoreError> {
    loop {
        let now = app.clock.now();
        if !app.store.call(Lane::Sync, move |tx| tx.renew_cards(now)).await? {
            return Ok(());
        }
    }
}

/// Tells systemd that the thread which owns the ledger answers.
async fn watchdog(app: Arc<App>, timeout: Duration) {
    // Half of it, as sd_watchdog_enabled(3) advises.
    let mut every = tokio::time::interval(timeout.checked_div(2).unwrap_or(timeout));
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        match app.store.call(Lane::Sync, |tx| tx.data_version()).await {
            Ok(_) => tell(sd_notify::NotifyState::Watchdog),
            Err(error) => tracing::error!(%error, "the ledger's thread does not answer"),
        }
    }
}

/// Tells systemd; where there is none, nobody hears it.
pub fn tell(state: sd_notify::NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd cannot be told");
    }
}
