//! What every request handler holds.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cabas_protocol::head::HeadContext;
use cabas_protocol::{PublicKey, RefusalCode, Timestamp};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::admin::site::Site;
use crate::alerts::{Sent, Ways};
use crate::api::card_session::CardOutcome;
use crate::api::terminal::KnownKeys;
use crate::api::waiting::Waiting;
use crate::card_relay::Relay;
use crate::checkup::{Checkup, Looks};
use crate::clock::Clock;
use crate::config::AdminPage;
use crate::error::Refused;
use crate::keys::HubSecrets;
use crate::metrics::Metrics;
use crate::store::{Lane, Store, StoreError, Tx};

/// Requests whose signatures are checked or made at once, or stand in line for it.
pub const WORK_MAX: usize = 1024;
/// Calls of terminals that are with the ledger's thread at once: fewer than its lane holds, so that a command or a job
/// always finds room, and a crowd of woken polls waits here and is not refused.
pub const LEDGER_CALLS_MAX: usize = 512;
/// How long a request waits for its turn before it is told to come again.
pub const TURN_TIMEOUT: Duration = Duration::from_secs(15);
/// Bodies over [`SMALL_BODY_BYTES_MAX`] that are held at once.
pub const LARGE_BODIES_MAX: usize = 256;
/// What a body may have without being counted as large.
pub const SMALL_BODY_BYTES_MAX: usize = 32 * 1024;
/// Calls with an enrolment code that the hub does not know, in one minute and from everywhere.
pub const UNKNOWN_CODES_PER_MINUTE_MAX: u32 = 30;

/// What every request handler holds.
#[derive(Debug)]
pub struct App {
    /// The ledger's thread.
    pub store: Store,
    /// Turns of terminals at it.
    pub turns: Arc<Semaphore>,
    /// Room for large bodies.
    pub large_bodies: Arc<Semaphore>,
    /// The keys.
    pub secrets: HubSecrets,
    /// What the hub's objects start with.
    pub context: HeadContext,
    /// The fund's root key.
    pub root: PublicKey,
    /// Tells the time.
    pub clock: Clock,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Polls that wait for news.
    pub waiting: Arc<Waiting>,
    /// Where signatures are checked and made.
    pub workers: Workers,
    /// Keys of enrolments at hand.
    pub keys: KnownKeys,
    /// Dialogues with cards that lie at terminals.
    pub cards: Relay<CardOutcome>,
    /// Wakes the job that reserves money for terminals.
    pub allocate: Notify,
    /// Wakes the job that does long work.
    pub works: Notify,
    /// The ledger's file, for what reads it beside the thread.
    pub database: PathBuf,
    /// Where documents lie, each under its hash.
    pub documents: PathBuf,
    /// Where programs for terminals lie, each under its hash.
    pub releases: PathBuf,
    /// Slows down who guesses codes.
    pub unknown_codes: PerMinute,
    /// The web site.
    pub site: Site,
    /// How long an enrolment code lives.
    pub code_valid_hours: u32,
    /// The fund's SIREN: its accounting export is named by it.
    pub siren: Option<String>,
    /// Who reads the metrics.
    pub metrics_page: AdminPage,
    /// Looks at the machine.
    pub checkup: Checkup,
    /// One look at a time.
    pub looks: Looks,
    /// Where alerts go.
    pub ways: Ways,
    /// Alerts that went.
    pub sent: Sent,
}

impl App {
    /// Does work of a terminal on the ledger's thread, in its turn.
    ///
    /// # Errors
    /// [`RefusalCode::Busy`] where the turn does not come, and what becomes of the store's errors.
    pub async fn ledger<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, Refused> {
        let _turn = turn(&self.turns).await?;
        Ok(self.store.call(Lane::Sync, work).await?)
    }
}

/// A bounded queue in front of the threads that do the cryptography.
#[derive(Debug)]
pub struct Workers {
    turns: Arc<Semaphore>,
}

impl Default for Workers {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(WORK_MAX)) }
    }
}

impl Workers {
    /// Does work beside the threads that serve connections.
    ///
    /// # Errors
    /// [`RefusalCode::Busy`] where the turn does not come, and what `work` refuses.
    pub async fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<R, Refused> + Send + 'static,
    ) -> Result<R, Refused> {
        let turn = turn(&self.turns).await?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        done.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a request's work ended without a result");
            Err(RefusalCode::Internal.into())
        })
    }
}

async fn turn(turns: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Refused> {
    let turn = tokio::time::timeout(TURN_TIMEOUT, Arc::clone(turns).acquire_owned()).await;
    turn.ok().and_then(Result::ok).ok_or_else(|| RefusalCode::Busy.into())
}

/// At most so many in one minute.
#[derive(Debug)]
pub struct PerMinute {
    max: u32,
    window: Mutex<(Timestamp, u32)>,
}

impl PerMinute {
    /// At most `max`.
    #[must_use]
    pub const fn new(max: u32) -> Self {
        Self { max, window: Mutex::new((Timestamp::new(0), 0)) }
    }

    /// Counts one; false where it is one too many.
    pub fn take(&self, now: Timestamp) -> bool {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let (start, count) = *window;
        // A clock that was set back starts a new minute too: nobody is shut out for ever.
        if now < start || now.since_s(start) >= 60 {
            *window = (now, 1);
            return true;
        }
        *window = (start, count.saturating_add(1));
        count < self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_lets_through_what_it_may() {
        let limit = PerMinute::new(2);
        let take = |second| limit.take(Timestamp::new(second));
        assert!(take(1000) && take(1001));
        assert!(!take(1002) && !take(1059));
        assert!(take(1060), "a new minute");
        assert!(take(5), "the clock was set back");
    }
}
