//! The only reader of time in this program: everything else is given `now`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cabas_protocol::Timestamp;

/// What tells the time.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// A time that its owner sets, in seconds since 1970: how a test reaches tomorrow.
    Set(Arc<AtomicU64>),
}

impl Clock {
    /// The wall clock; 1970 where it stands before.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place where it is read")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                Timestamp::new(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
            }
            Self::Set(seconds) => Timestamp::new(seconds.load(Ordering::Relaxed)),
        }
    }
}

/// Measures a duration.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts it.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place where it is read")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The moment that lies `duration` after the start.
    #[must_use]
    pub fn after(self, duration: Duration) -> Instant {
        self.0.checked_add(duration).unwrap_or(self.0)
    }

    /// What has passed.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
