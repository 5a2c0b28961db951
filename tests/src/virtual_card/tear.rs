//! A card with a memory: shared between who holds it and the reader it lies in, and torn away where a test says so.

use super::Reaction;
use super::ev2::apdu::GET_UID;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What goes wrong with one APDU.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tear {
    /// The card leaves before it runs the command.
    BeforeItRan,
    /// The card runs the command and leaves before it answers.
    AnswerLost,
    /// The card runs the command; one bit of its answer arrives wrong, of the data where there are data.
    Garbled,
    /// The card runs the command; its answer arrives with more bytes than a short answer may have.
    TooLong,
    /// The field breaks down and comes back unnoticed: the command meets a card that has forgotten the session.
    PowerOff,
    /// The card asks for more time for ever, and does not run the command.
    EndlessWait,
}

/// What a chip does, whoever holds it.
pub(super) trait Silicon: Send + 'static {
    fn uid(&self) -> &[u8];
    /// Loses what it does not keep without power.
    fn reset(&mut self);
    fn answer(&mut self, apdu: &[u8]) -> Vec<u8>;
}

/// One chip and all who hold it.
#[derive(Debug)]
pub(super) struct Held<S>(Arc<Mutex<Body<S>>>);

impl<S> Clone for Held<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[derive(Debug)]
pub(super) struct Body<S> {
    pub(super) silicon: S,
    apdus: usize,
    tear: Option<(usize, Tear)>,
}

impl<S: Silicon> Held<S> {
    pub(super) fn new(silicon: S) -> Self {
        Self(Arc::new(Mutex::new(Body { silicon, apdus: 0, tear: None })))
    }

    /// A test that failed with the card in its hand does not spoil it for others.
    pub(super) fn body(&self) -> MutexGuard<'_, Body<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another chip with the same memory.
    pub(super) fn apart(&self) -> Self
    where
        S: Clone,
    {
        Self::new(self.body().silicon.clone())
    }

    pub(super) fn reset(&self) {
        self.body().silicon.reset();
    }

    pub(super) fn tear_at(&self, number: usize, tear: Tear) {
        let mut body = self.body();
        body.apdus = 0;
        body.tear = Some((number, tear));
    }

    pub(super) fn apdus(&self) -> usize {
        self.body().apdus
    }

    pub(super) fn react(&self, apdu: &[u8]) -> Reaction {
        let mut body = self.body();
        if apdu == GET_UID {
            // The reader's own answer, not the card's: it is not counted.
            return Reaction::Answer([body.silicon.uid(), &[0x90, 0x00]].concat());
        }
        body.apdus = body.apdus.saturating_add(1);
        let due = body.apdus;
        let tear = body.tear.take_if(|(number, _)| *number == due).map(|(_, tear)| tear);
        match tear {
            None => Reaction::Answer(body.silicon.answer(apdu)),
            Some(Tear::BeforeItRan) => {
                body.silicon.reset();
                Reaction::Leave
            }
            Some(Tear::AnswerLost) => {
                drop(body.silicon.answer(apdu));
                body.silicon.reset();
                Reaction::Leave
            }
            Some(Tear::Garbled) => {
                let mut answer = body.silicon.answer(apdu);
                if let Some(byte) = answer.first_mut() {
                    *byte ^= 0x01;
                }
                Reaction::Answer(answer)
            }
            Some(Tear::TooLong) => {
                let answer = body.silicon.answer(apdu);
                let (data, status) = answer.split_at(answer.len().saturating_sub(2));
                Reaction::Answer([data, &[0x42; 300], status].concat())
            }
            Some(Tear::PowerOff) => {
                body.silicon.reset();
                Reaction::Answer(body.silicon.answer(apdu))
            }
            Some(Tear::EndlessWait) => {
                body.silicon.reset();
                Reaction::Silence
            }
        }
    }
}
