//! What takes long to read: figures of all transfers, for the dashboard and for the pages of figures.
//!
//! It is read on a connection of its own, so that the ledger's thread goes on with sales, and one reading at a time: who
//! asks meanwhile waits for it. What took less than [`SLOW`] is read anew each time. What took longer is kept for
//! [`KEPT_TIMES`] as long as it took, at the most [`KEPT_MAX`], so that pages that are looked at often cannot take more
//! than a twentieth of a core; whatever is done on the site itself makes it read anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cabas_protocol::Timestamp;
use tokio::sync::Mutex;

use super::actions::{self, Action, Patience};
use super::figures::{MonthsShown, ThresholdsShown};
use super::overview::{self, Overview};
use crate::app::{App, TURN_TIMEOUT};
use crate::calendar::Calendar;
use crate::clock::Stopwatch;
use crate::core::evaluation::Evaluation;
use crate::store::{Db, Exposure, OpenMode, StoreError, Tx};

/// A reading that takes so long is kept.
pub const SLOW: Duration = Duration::from_millis(250);
/// For so many times as long as it took.
pub const KEPT_TIMES: u32 = 20;
/// And no longer than this.
pub const KEPT_MAX: Duration = Duration::from_secs(60);

/// The fund as who watches it sees it, all of one moment.
#[derive(Debug)]
pub struct Watched {
    /// The moment.
    pub at: Timestamp,
    /// Figures by month, of all months.
    pub months: MonthsShown,
    /// The legal thresholds.
    pub thresholds: ThresholdsShown,
    /// What is to be done.
    pub actions: Vec<Action>,
    /// What may still be lost.
    pub exposure: Exposure,
    /// Sums and terminals.
    pub overview: Overview,
}

/// Purchases of all months, for an evaluation.
#[derive(Debug)]
pub struct Evaluated {
    /// Them.
    pub evaluation: Evaluation,
    /// Every kind of shop that there is.
    pub kinds: std::collections::BTreeSet<String>,
}

/// What is read beside the ledger's thread.
#[derive(Debug, Default)]
pub struct Watch {
    board: Arc<Mutex<Option<Kept<Watched>>>>,
    evaluated: Arc<Mutex<Option<Kept<Evaluated>>>>,
    /// How often something was done on the site.
    deeds: AtomicU64,
}

/// A reading that was slow.
#[derive(Debug)]
struct Kept<T> {
    value: Arc<T>,
    since: Stopwatch,
    keep: Duration,
    deeds: u64,
}

impl<T> Kept<T> {
    fn is_good(&self, deeds: u64) -> bool {
        self.deeds == deeds && self.since.elapsed() < self.keep
    }
}

/// For how long a reading is kept.
fn keep(took: Duration) -> Duration {
    if took < SLOW { Duration::ZERO } else { took.saturating_mul(KEPT_TIMES).min(KEPT_MAX) }
}

impl Watch {
    /// Something was done: what was read before is old.
    pub fn forget(&self) {
        self.deeds.fetch_add(1, Ordering::Relaxed);
    }

    /// The fund as who watches it sees it.
    ///
    /// # Errors
    /// [`StoreError::Busy`] where others read for too long, and what reading gives.
    pub async fn board(&self, app: &Arc<App>) -> Result<Arc<Watched>, StoreError> {
        self.get(app, &self.board, |tx, calendar, now| {
            let thresholds = ThresholdsShown::read(tx, calendar, now)?;
            Ok(Watched {
                at: now,
                months: MonthsShown::read(tx, calendar)?,
                actions: actions::read_beside(tx, Patience::default(), thresholds.alert_percent, now)?,
                exposure: tx.exposure(now)?,
                overview: overview::read(tx)?,
                thresholds,
            })
        })
        .await
    }

    /// Purchases of all months.
    ///
    /// # Errors
    /// As [`Watch::board`].
    pub async fn evaluated(&self, app: &Arc<App>) -> Result<Arc<Evaluated>, StoreError> {
        self.get(app, &self.evaluated, |tx, calendar, _| {
            let (evaluation, kinds) = tx.evaluation(calendar)?;
            Ok(Evaluated { evaluation, kinds })
        })
        .await
    }

    async fn get<T: Send + Sync + 'static>(
        &self,
        app: &Arc<App>,
        held: &Arc<Mutex<Option<Kept<T>>>>,
        read: fn(&Tx<'_>, &Calendar, Timestamp) -> Result<T, StoreError>,
    ) -> Result<Arc<T>, StoreError> {
        let turn = tokio::time::timeout(TURN_TIMEOUT, Arc::clone(held).lock_owned()).await;
        let mut held = turn.map_err(|_| StoreError::Busy)?;
        let deeds = self.deeds.load(Ordering::Relaxed);
        if let Some(kept) = held.as_ref().filter(|kept| kept.is_good(deeds)) {
            return Ok(Arc::clone(&kept.value));
        }
        let app = Arc::clone(app);
        // The turn goes with the reading: a browser that hangs up makes no room for a second one.
        let reading = tokio::task::spawn_blocking(move || {
            let watch = Stopwatch::start();
            *held = None;
            let (calendar, now) = (Calendar::system(), app.clock.now());
            let mut db = Db::open(&app.database, OpenMode::ReadOnly)?;
            let value = Arc::new(db.read(|tx| read(tx, &calendar, now))?);
            let keep = keep(watch.elapsed());
            if keep > Duration::ZERO {
                *held = Some(Kept { value: Arc::clone(&value), since: Stopwatch::start(), keep, deeds });
            }
            Ok(value)
        });
        reading.await.map_err(|_| StoreError::Damaged("a reading ended without a result"))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_slow_is_kept_and_never_for_more_than_a_minute() {
        for (took_ms, kept_ms) in [(0, 0), (249, 0), (250, 5_000), (1_000, 20_000), (3_000, 60_000), (90_000, 60_000)] {
            assert_eq!(keep(Duration::from_millis(took_ms)), Duration::from_millis(kept_ms), "{took_ms}");
        }
    }

    #[test]
    fn what_was_read_before_a_deed_or_long_ago_is_not_shown() {
        let kept = |keep| Kept { value: Arc::new(()), since: Stopwatch::start(), keep, deeds: 7 };
        assert!(kept(KEPT_MAX).is_good(7));
        assert!(!kept(KEPT_MAX).is_good(8), "something was done since");
        assert!(!kept(Duration::ZERO).is_good(7));
    }
}
