//! How long to wait before the hub is tried again.

use std::time::Duration;

/// The first pause.
const FIRST_MS: u64 = 1000;

/// Doubles with each failure, with chance in it, so that all shops of a town do not come back at once.
#[derive(Clone, Copy, Debug)]
pub struct Pause {
    failures: u32,
    max_ms: u64,
}

impl Pause {
    /// Starts with none.
    #[must_use]
    pub const fn new(max_ms: u64) -> Self {
        Self { failures: 0, max_ms }
    }

    /// The hub answered.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }

    /// The pause after one more failure: between half and the whole of what it doubled to, never under a second.
    pub fn after_failure(&mut self, chance: u8) -> Duration {
        let doubled = FIRST_MS.saturating_mul(1_u64.checked_shl(self.failures).unwrap_or(u64::MAX));
        self.failures = self.failures.saturating_add(1).min(30);
        let whole = doubled.min(self.max_ms.max(FIRST_MS));
        let half = whole.checked_div(2).unwrap_or(0);
        let part = half.saturating_mul(u64::from(chance)).checked_div(u64::from(u8::MAX)).unwrap_or(0);
        Duration::from_millis(half.saturating_add(part).max(FIRST_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_start_again() {
        let mut pause = Pause::new(30_000);
        let pauses: Vec<_> = (0..8).map(|_| pause.after_failure(255).as_millis()).collect();
        assert_eq!(pauses, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
        pause.reset();
        assert_eq!(pause.after_failure(255).as_millis(), 1000);
    }

    #[test]
    fn chance_makes_a_pause_shorter_but_never_under_a_second() {
        let mut pause = Pause::new(30_000);
        let pauses: Vec<_> = (0..40).map(|_| pause.after_failure(0).as_millis()).collect();
        assert_eq!(pauses.get(..6), Some([1000, 1000, 2000, 4000, 8000, 15_000].as_slice()));
        assert!(pauses.iter().all(|pause| (1000..=15_000).contains(pause)));
    }
}
