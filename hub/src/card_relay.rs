//! A card at the far end: the hub speaks with it, a terminal carries the bytes. No master key leaves the hub.
//!
//! A dialogue is written as if the card lay here, and runs in a thread of its own that waits for each answer. The calls of
//! the terminal come one after another, each with the answer to the APDU before; the same call again gets the same APDU.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use cabas_card::{Answer, Exchange, LinkLost};
use cabas_protocol::{RequestId, TerminalId};
use tokio::sync::mpsc;

/// Dialogues at once: they are for the admin's reader, not for the counter.
pub const SESSIONS_MAX: usize = 8;
/// How long the thread waits for an answer of the card before it takes the card for gone.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// What comes next in a dialogue.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Next<R> {
    /// This is for the card.
    Apdu(Vec<u8>),
    /// It is over.
    Done(R),
}

/// Why a call is no part of a dialogue.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RelayError {
    /// There is no such dialogue, or it is over.
    #[error("there is no such card session, or it is over; begin a new one")]
    Unknown,
    /// The step is neither the next nor the last one again.
    #[error("the step of a card session is out of order")]
    OutOfOrder,
    /// There are as many as there may be.
    #[error("too many card sessions at once")]
    Busy,
    /// The thread ended without a result.
    #[error("a card session failed")]
    Failed,
}

type Sessions<R> = BTreeMap<(TerminalId, RequestId), Arc<tokio::sync::Mutex<Session<R>>>>;

/// All dialogues.
#[derive(Debug)]
pub struct Relay<R> {
    sessions: Mutex<Sessions<R>>,
}

#[derive(Debug)]
struct Session<R> {
    /// The step that comes next, and what the one before was answered with.
    step: u32,
    last: Vec<u8>,
    apdus: mpsc::Receiver<Vec<u8>>,
    answers: SyncSender<Vec<u8>>,
    thread: Option<JoinHandle<R>>,
}

/// The card as the thread sees it.
struct Far {
    apdus: mpsc::Sender<Vec<u8>>,
    answers: Receiver<Vec<u8>>,
}

impl Exchange for Far {
    fn exchange(&mut self, apdu: &[u8]) -> Result<Answer, LinkLost> {
        self.apdus.blocking_send(apdu.to_vec()).map_err(|_| LinkLost)?;
        Answer::parse(&self.answers.recv_timeout(ANSWER_TIMEOUT).map_err(|_| LinkLost)?)
    }
}

impl<R> Default for Relay<R> {
    fn default() -> Self {
        Self { sessions: Mutex::new(BTreeMap::new()) }
    }
}

impl<R: Send + 'static> Relay<R> {
    /// Begins a dialogue: gives the first APDU. One that the same terminal had open is dropped: its card is gone.
    ///
    /// # Errors
    /// [`RelayError`].
    pub async fn begin(
        &self,
        key: (TerminalId, RequestId),
        dialogue: impl FnOnce(&mut dyn Exchange) -> R + Send + 'static,
    ) -> Result<Next<R>, RelayError> {
        let (apdus_in, apdus) = mpsc::channel(1);
        let (answers, answers_out) = sync_channel(1);
        let talk = move || dialogue(&mut Far { apdus: apdus_in, answers: answers_out });
        let thread = std::thread::Builder::new().name("card-session".to_owned()).spawn(talk);
        let thread = Some(thread.map_err(|_| RelayError::Busy)?);
        let session = Session { step: 1, last: Vec::new(), apdus, answers, thread };
        let session = Arc::new(tokio::sync::Mutex::new(session));
        {
            let mut sessions = self.lock();
            // Those that nobody went on with ended by themselves.
            sessions.retain(|(terminal, _), session| {
                *terminal != key.0 && session.try_lock().map_or(true, |it| it.is_on())
            });
            if sessions.len() >= SESSIONS_MAX {
                return Err(RelayError::Busy);
            }
            sessions.insert(key, Arc::clone(&session));
        }
        let next = session.lock().await.next().await;
        self.unless_over(key, next)
    }

    /// Goes on with a dialogue: `step` counts from 1, `answer` is what the card said to the APDU before.
    ///
    /// # Errors
    /// [`RelayError`].
    pub async fn go_on(&self, key: (TerminalId, RequestId), step: u32, answer: Vec<u8>) -> Result<Next<R>, RelayError> {
        let session = self.lock().get(&key).cloned().ok_or(RelayError::Unknown)?;
        let mut session = session.lock().await;
        if step.checked_add(1) == Some(session.step) {
            return Ok(Next::Apdu(session.last.clone()));
        }
        if step != session.step {
            return Err(RelayError::OutOfOrder);
        }
        session.step = step.checked_add(1).ok_or(RelayError::OutOfOrder)?;
        // A thread that has ended takes no answer: what it came to is asked for below.
        drop(session.answers.try_send(answer));
        let next = session.next().await;
        drop(session);
        self.unless_over(key, next)
    }

    fn unless_over(
        &self,
        key: (TerminalId, RequestId),
        next: Result<Next<R>, RelayError>,
    ) -> Result<Next<R>, RelayError> {
        if !matches!(next, Ok(Next::Apdu(_))) {
            self.lock().remove(&key);
        }
        next
    }

    fn lock(&self) -> MutexGuard<'_, Sessions<R>> {
        // No holder of the lock can leave the map half changed.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Send + 'static> Session<R> {
    fn is_on(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    async fn next(&mut self) -> Result<Next<R>, RelayError> {
        if let Some(apdu) = self.apdus.recv().await {
            self.last.clone_from(&apdu);
            return Ok(Next::Apdu(apdu));
        }
        let thread = self.thread.take().ok_or(RelayError::Unknown)?;
        let joined = tokio::task::spawn_blocking(move || thread.join());
        joined.await.ok().and_then(Result::ok).map(Next::Done).ok_or(RelayError::Failed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is the test's failure")]
    use super::*;

    const KEY: (TerminalId, RequestId) = (TerminalId::new(7), RequestId::new([1; 8]));

    /// A dialogue of two APDUs that gives what the card said.
    fn two(card: &mut dyn Exchange) -> Result<Vec<u16>, LinkLost> {
        Ok(vec![card.exchange(&[1])?.status, card.exchange(&[2])?.status])
    }

    #[tokio::test]
    async fn a_dialogue_goes_step_by_step_and_the_same_step_again_gives_the_same() {
        let relay = Relay::default();
        assert_eq!(relay.begin(KEY, two).await, Ok(Next::Apdu(vec![1])));
        assert_eq!(relay.go_on(KEY, 1, vec![0x91, 0]).await, Ok(Next::Apdu(vec![2])));
        assert_eq!(relay.go_on(KEY, 1, vec![0x91, 0xaf]).await, Ok(Next::Apdu(vec![2])), "the answer was lost");
        assert_eq!(relay.go_on(KEY, 3, vec![]).await, Err(RelayError::OutOfOrder));
        assert_eq!(relay.go_on(KEY, 2, vec![0x90, 0]).await, Ok(Next::Done(Ok(vec![0x9100, 0x9000]))));
        assert_eq!(relay.go_on(KEY, 3, vec![]).await, Err(RelayError::Unknown));
    }

    #[tokio::test]
    async fn a_card_that_left_ends_the_dialogue() {
        let relay = Relay::default();
        relay.begin(KEY, two).await.unwrap();
        assert_eq!(relay.go_on(KEY, 1, Vec::new()).await, Ok(Next::Done(Err(LinkLost))));
    }

    #[tokio::test]
    async fn a_terminal_has_one_dialogue_and_the_hub_a_few() {
        let relay = Relay::default();
        let key = |terminal, session| (TerminalId::new(terminal), RequestId::new([session; 8]));
        for terminal in 1..=8 {
            relay.begin(key(terminal, 1), two).await.unwrap();
        }
        assert_eq!(relay.begin(key(9, 1), two).await, Err(RelayError::Busy));
        assert_eq!(relay.begin(key(8, 2), two).await, Ok(Next::Apdu(vec![1])), "a new one takes the old one's place");
        assert_eq!(relay.go_on(key(8, 1), 1, vec![0x91, 0]).await, Err(RelayError::Unknown));
    }

    #[tokio::test]
    async fn a_dialogue_that_panics_is_told_as_failed() {
        let relay: Relay<()> = Relay::default();
        let failed = relay.begin(KEY, |_| panic!("as a defect would")).await;
        assert_eq!(failed, Err(RelayError::Failed));
    }
}
