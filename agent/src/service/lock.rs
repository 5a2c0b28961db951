//! Who is at the counter, and the lock. Whether a person may do something is asked in one place, [`Service::may`]; a sale
//! under way, the member's display and whoever only looks ask nothing.

use super::counter::Counter;
use super::{Command, Event, Refusal, Service};
use crate::cashiers::{Cashiers, OnRoll};
use crate::clock::Clock;
use crate::core::cashier::{Code, Tries};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// No timer of the lock is shorter.
const TIMER_MIN: Duration = Duration::from_secs(1);

/// On whose behalf something is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum By {
    /// Whoever stands at the counter.
    Person,
    /// A till or another program, which has its own cashiers: it is never locked.
    Program,
}

/// What the counter is told of its surroundings.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// Where the cashiers' file lies, and whose disk is watched; nothing for neither.
    pub data_dir: Option<PathBuf>,
    /// After how long without work the counter is locked; nothing for never.
    pub lock_after: Option<Duration>,
}

/// The lock's own memory; what must outlive the program stands in the journal.
#[derive(Debug)]
pub(super) struct Lock {
    pub(super) cashiers: Cashiers,
    lock_after: Option<Duration>,
    /// When somebody last did something, in milliseconds of this run of the system.
    active_ms: AtomicU64,
    /// Locked by hand, by time or by the start, whether the journal could be written or not.
    forced: AtomicBool,
    tries: tokio::sync::Mutex<Tries>,
}

/// Who is at the counter.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct AtCounter {
    /// The cashier, where one has typed a code.
    pub(super) cashier: Option<(u16, String)>,
    /// True where codes are set up.
    pub(super) is_set: bool,
    /// True where the file of the cashiers cannot be read.
    pub(super) is_broken: bool,
}

impl AtCounter {
    pub(super) const fn is_locked(&self) -> bool {
        self.is_set && self.cashier.is_none()
    }
}

impl Lock {
    pub(super) fn new(place: &Place, clock: &Clock) -> Self {
        Self {
            cashiers: place.data_dir.as_deref().map(Cashiers::of).unwrap_or_default(),
            lock_after: place.lock_after,
            active_ms: AtomicU64::new(clock.now().monotonic_ms),
            // How long the machine was off nobody knows: where time locks, it starts locked.
            forced: AtomicBool::new(place.lock_after.is_some()),
            tries: tokio::sync::Mutex::default(),
        }
    }
}

impl Service {
    /// Who is at the counter: computed when asked, so that no timer is late.
    pub(super) fn at_counter(&self) -> AtCounter {
        let on_roll = self.lock.cashiers.now();
        let (is_set, is_broken) = (on_roll.is_set(), on_roll.is_broken);
        let cashier = if self.was_left(&on_roll) || self.idle_left() == Some(Duration::ZERO) {
            None
        } else {
            let number = self.journal.published().state.cashier;
            on_roll.find(number).map(|cashier| (cashier.number, cashier.label.clone()))
        };
        AtCounter { cashier, is_set, is_broken }
    }

    /// True where nobody has typed a code that still counts.
    fn was_left(&self, on_roll: &OnRoll) -> bool {
        self.lock.forced.load(Ordering::Acquire) || on_roll.find(self.journal.published().state.cashier).is_none()
    }

    /// How long until nobody has done anything for so long that the counter locks; nothing where it does not, or while
    /// something is under way.
    fn idle_left(&self) -> Option<Duration> {
        let lock_after = self.lock.lock_after?;
        if self.board().is_busy() {
            return None;
        }
        let active = self.lock.active_ms.load(Ordering::Acquire);
        let idle = Duration::from_millis(self.clock.now().monotonic_ms.saturating_sub(active));
        Some(lock_after.saturating_sub(idle))
    }

    /// When the counter has to be looked at: not before, and never more often than once a second.
    pub(super) fn locks_in(&self) -> Option<Duration> {
        let left = self.idle_left()?;
        let on_roll = self.lock.cashiers.now();
        (on_roll.is_set() && !self.was_left(&on_roll)).then_some(left.max(TIMER_MIN))
    }

    /// Whether something may be done on behalf of `by`. The one place where the lock is asked.
    ///
    /// # Errors
    /// [`Refusal::Locked`].
    pub fn may(&self, by: By) -> Result<(), Refusal> {
        match by {
            By::Program => Ok(()),
            By::Person if self.at_counter().is_locked() => Err(Refusal::Locked),
            By::Person => {
                self.touch();
                Ok(())
            }
        }
    }

    /// The same for what is not done while the terminal trains, because it is real.
    pub(super) fn may_really(&self, by: By) -> Result<(), Refusal> {
        self.may(by)?;
        if self.journal.published().state.training { Err(Refusal::Training) } else { Ok(()) }
    }

    /// Somebody is there.
    fn touch(&self) {
        self.lock.active_ms.store(self.clock.now().monotonic_ms, Ordering::Release);
    }

    /// Somebody works on, where nobody was locked out meanwhile.
    pub(super) fn works(&self) {
        if !self.at_counter().is_locked() {
            self.touch();
        }
    }

    /// A cashier types a code: it unlocks, and says who is there from here on.
    ///
    /// # Errors
    /// [`Refusal::CodeWrong`], [`Refusal::CodeWait`] after too many of them, [`Refusal::NoCashiers`], or the journal's.
    pub async fn log_in(&self, text: &str) -> Result<Value, Refusal> {
        let on_roll = self.lock.cashiers.now();
        if !on_roll.is_set() {
            return Err(Refusal::NoCashiers);
        }
        // One at a time: many guesses at once count one after the other.
        let mut tries = self.lock.tries.lock().await;
        let wait_s = tries.wait_s(self.clock.now());
        if wait_s > 0 {
            return Err(Refusal::CodeWait { wait_s });
        }
        let code = Code::new(text);
        let find = move || Some(on_roll.roll?.of_code(&code?)?.clone());
        let found = tokio::task::spawn_blocking(find).await.map_err(|_| Refusal::Overloaded)?;
        let Some(cashier) = found else {
            *tries = tries.wrong(self.clock.now());
            tracing::info!("a cashier's code was wrong");
            return Err(Refusal::CodeWrong);
        };
        drop(tries);
        let number = cashier.number;
        self.ask(|reply| Command::Cashier { number, reply }).await?;
        Ok(json!({ "number": number, "label": cashier.label }))
    }

    /// Locks the counter at once; a sale under way goes on.
    ///
    /// # Errors
    /// [`Refusal::NoCashiers`] where no code would open it again.
    pub async fn log_out(&self) -> Result<Value, Refusal> {
        if !self.lock.cashiers.now().is_set() {
            return Err(Refusal::NoCashiers);
        }
        self.lock.forced.store(true, Ordering::Release);
        self.tell(Event::Status);
        // Locked in any case; the row makes it last over a restart.
        if let Err(refusal) = self.ask(|reply| Command::Cashier { number: 0, reply }).await {
            tracing::error!(%refusal, "that the counter is locked could not be written down");
        }
        Ok(json!({ "locked": true }))
    }
}

impl Counter {
    /// Writes down who is at the counter from here on; 0 for nobody.
    pub(super) async fn change_cashier(&self, number: u16) -> Result<(), Refusal> {
        let now = self.service.clock.now();
        self.service.journal.customer(move |journal| journal.change_cashier(now, number)).await?;
        if number != 0 {
            self.service.touch();
            self.service.lock.forced.store(false, Ordering::Release);
            tracing::info!(cashier = number, "a cashier took over");
        }
        self.service.tell(Event::Status);
        Ok(())
    }

    /// The time without work is over, perhaps: the counter is locked, and stays so over a restart.
    pub(super) async fn left_alone(&self) {
        if !self.service.at_counter().is_locked() {
            return;
        }
        self.service.lock.forced.store(true, Ordering::Release);
        tracing::info!("the counter was left alone and is locked");
        if let Err(refusal) = self.change_cashier(0).await {
            tracing::error!(%refusal, "that the counter is locked could not be written down");
            self.service.tell(Event::Status);
        }
    }
}
