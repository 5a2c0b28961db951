//! Terminals that wait for news: how many at once, and who is woken.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cabas_protocol::TerminalId;
use tokio::sync::Notify;

/// Polls that wait at once; one over it is answered at once, which is always right.
pub const WAITING_POLLS_MAX: usize = 10_240;
/// Polls of one terminal that wait at once: one, and some that its router forgot to end.
pub const POLLS_PER_TERMINAL_MAX: usize = 4;

/// All polls that wait.
#[derive(Debug, Default)]
pub struct Waiting {
    polls: Mutex<Polls>,
}

#[derive(Debug, Default)]
struct Polls {
    next: u64,
    closed: bool,
    waiting: BTreeMap<(TerminalId, u64), Arc<Notify>>,
}

/// One poll that waits. It is enlisted before it looks for news, so none is missed.
#[derive(Debug)]
pub struct Poll {
    waiting: Arc<Waiting>,
    key: (TerminalId, u64),
    woken: Arc<Notify>,
}

impl Waiting {
    /// Enlists a poll, or tells that it must be answered at once.
    #[must_use]
    pub fn enlist(self: &Arc<Self>, terminal: TerminalId) -> Option<Poll> {
        let mut polls = self.lock();
        let full = polls.waiting.len() >= WAITING_POLLS_MAX;
        if polls.closed || full || polls.of(terminal).count() >= POLLS_PER_TERMINAL_MAX {
            return None;
        }
        let key = (terminal, polls.next);
        polls.next = polls.next.wrapping_add(1);
        let woken = Arc::new(Notify::new());
        polls.waiting.insert(key, Arc::clone(&woken));
        drop(polls);
        Some(Poll { waiting: Arc::clone(self), key, woken })
    }

    /// Wakes one terminal.
    pub fn wake(&self, terminal: TerminalId) {
        let polls = self.lock();
        polls.of(terminal).for_each(|woken| woken.notify_one());
    }

    /// Wakes all.
    pub fn wake_all(&self) {
        self.lock().waiting.values().for_each(|woken| woken.notify_one());
    }

    /// Wakes all, and lets nobody wait any more: the hub stops.
    pub fn close(&self) {
        self.lock().closed = true;
        self.wake_all();
    }

    /// True once [`Self::close`] was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// The terminals that wait: they answer within a round trip.
    #[must_use]
    pub fn terminals(&self) -> Vec<TerminalId> {
        let mut terminals: Vec<_> = self.lock().waiting.keys().map(|(terminal, _)| *terminal).collect();
        terminals.dedup();
        terminals
    }

    /// How many wait.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().waiting.len()
    }

    fn lock(&self) -> MutexGuard<'_, Polls> {
        // No holder of the lock can leave the map half changed.
        self.polls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Polls {
    fn of(&self, terminal: TerminalId) -> impl Iterator<Item = &Arc<Notify>> {
        self.waiting.range((terminal, 0)..=(terminal, u64::MAX)).map(|(_, woken)| woken)
    }
}

impl Poll {
    /// Waits until it is woken; at once where it was woken since it was enlisted.
    pub async fn woken(&self) {
        self.woken.notified().await;
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        self.waiting.lock().waiting.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use futures_util::FutureExt as _;

    const ONE: TerminalId = TerminalId::new(1);
    const TWO: TerminalId = TerminalId::new(2);

    fn is_woken(poll: &Poll) -> bool {
        poll.woken().now_or_never().is_some()
    }

    #[test]
    fn a_wake_reaches_the_terminal_that_it_is_for() {
        let waiting = Arc::new(Waiting::default());
        let (one, again, two) =
            (waiting.enlist(ONE).unwrap(), waiting.enlist(ONE).unwrap(), waiting.enlist(TWO).unwrap());
        waiting.wake(ONE);
        assert!(is_woken(&one) && is_woken(&again) && !is_woken(&two));
        waiting.wake_all();
        assert!(is_woken(&one) && is_woken(&two));
        assert!(!is_woken(&one), "a wake is used once");
        assert_eq!(waiting.terminals(), [ONE, TWO]);
    }

    #[test]
    fn a_poll_that_ends_leaves_its_place() {
        let waiting = Arc::new(Waiting::default());
        let terminals = (0..u32::MAX).map(TerminalId::new);
        let polls: Vec<_> = terminals.map_while(|terminal| waiting.enlist(terminal)).collect();
        assert_eq!((polls.len(), waiting.count()), (WAITING_POLLS_MAX, WAITING_POLLS_MAX));
        drop(polls);
        assert_eq!(waiting.count(), 0);
        assert!(waiting.enlist(TWO).is_some());
    }

    #[test]
    fn one_terminal_takes_no_more_than_its_places() {
        let waiting = Arc::new(Waiting::default());
        let polls: Vec<_> = (0..9).filter_map(|_| waiting.enlist(ONE)).collect();
        assert_eq!(polls.len(), POLLS_PER_TERMINAL_MAX);
        assert!(waiting.enlist(TWO).is_some());
    }

    #[test]
    fn nobody_waits_at_a_hub_that_stops() {
        let waiting = Arc::new(Waiting::default());
        let poll = waiting.enlist(ONE).unwrap();
        waiting.close();
        assert!(is_woken(&poll));
        assert!(waiting.enlist(ONE).is_none());
    }
}
