//! What the screens know of tills: whether they are let in, what is asked about one, and what they may not know.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cabas_protocol::{RequestId, Timestamp};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::journal::{TillAction, TillDone};
use crate::texts::Texts;

/// What a cashier says of a request that a till sends again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Choice {
    /// It is the one that was done: the till is told again.
    Resend,
    /// It is another one.
    New,
    /// Neither.
    Cancel,
}

impl Choice {
    /// The choice of a name in the local API.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "resend" => Some(Self::Resend),
            "new" => Some(Self::New),
            "cancel" => Some(Self::Cancel),
            _ => None,
        }
    }
}

#[derive(Debug)]
struct Question {
    id: u64,
    done: TillDone,
    reply: oneshot::Sender<Choice>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Where tills come in, where any may, and whether they can.
    doors: BTreeMap<String, bool>,
    /// Where their amounts fall; empty for the shop's first category.
    category: String,
    has_category: bool,
    questions: u64,
    question: Option<Question>,
    unconfirmed: Vec<TillDone>,
    /// How long a cashier's answer is waited for, where a test does not wait so long.
    #[cfg(test)]
    answer_within: Option<std::time::Duration>,
    /// What a till is being told at this moment.
    telling: BTreeSet<RequestId>,
}

/// What advice is made of.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Seen {
    /// Tills are to be let in, and cannot.
    pub is_shut: bool,
    /// The shop has no such category, or the fund pays only a part in it.
    pub has_no_category: bool,
    /// Operations that a till may not know of.
    pub unconfirmed: usize,
}

/// What the screens know of tills.
#[derive(Debug, Default)]
pub struct Desk(Mutex<Inner>);

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tills are to come in at an address; their amounts fall in a category.
    pub fn opens(&self, address: &str, category: &str) {
        let mut inner = self.lock();
        inner.doors.insert(address.to_owned(), false);
        category.clone_into(&mut inner.category);
    }

    /// Whether tills can come in at an address.
    pub fn set_listening(&self, address: &str, is_listening: bool) {
        if let Some(door) = self.lock().doors.get_mut(address) {
            *door = is_listening;
        }
    }

    pub(crate) fn category(&self) -> String {
        self.lock().category.clone()
    }

    pub(crate) fn took(&self, unconfirmed: Vec<TillDone>, has_category: bool) {
        let mut inner = self.lock();
        inner.unconfirmed = unconfirmed;
        inner.has_category = has_category;
    }

    /// Asks the cashier about something that was done before; nothing where something is asked already.
    pub(super) fn ask(&self, done: TillDone) -> Option<(u64, oneshot::Receiver<Choice>)> {
        let mut inner = self.lock();
        if inner.question.is_some() {
            return None;
        }
        inner.questions = inner.questions.saturating_add(1);
        let (id, (reply, answer)) = (inner.questions, oneshot::channel());
        inner.question = Some(Question { id, done, reply });
        Some((id, answer))
    }

    /// How long a cashier's answer is waited for.
    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "tests wait less")]
    pub(crate) const fn answer_within(&self) -> std::time::Duration {
        super::ANSWER_WITHIN
    }

    #[cfg(test)]
    pub(crate) fn answer_within(&self) -> std::time::Duration {
        self.lock().answer_within.unwrap_or(super::ANSWER_WITHIN)
    }

    #[cfg(test)]
    pub(crate) fn set_answer_within(&self, within: std::time::Duration) {
        self.lock().answer_within = Some(within);
    }

    /// Nobody waits for an answer any more.
    pub(super) fn withdraw(&self, id: u64) {
        drop(self.lock().question.take_if(|question| question.id == id));
    }

    /// The cashier answers; false where this is asked no longer.
    pub(crate) fn answer(&self, id: u64, choice: Choice) -> bool {
        let asked = self.lock().question.take_if(|question| question.id == id);
        asked.is_some_and(|question| question.reply.send(choice).is_ok())
    }

    /// A till is being told of an operation, or was.
    pub(super) fn tells(&self, request: RequestId, is_being_told: bool) {
        let telling = &mut self.lock().telling;
        let _changed = if is_being_told { telling.insert(request) } else { telling.remove(&request) };
    }

    /// True while it is not known yet whether a till read what it was told.
    pub(super) fn is_telling(&self, request: RequestId) -> bool {
        self.lock().telling.contains(&request)
    }

    /// True while the cashier is asked.
    pub(crate) fn is_asking(&self) -> bool {
        self.lock().question.is_some()
    }

    /// What advice is made of.
    pub(crate) fn seen(&self) -> Seen {
        let inner = self.lock();
        let is_shut = inner.doors.values().any(|is_listening| !is_listening);
        Seen {
            is_shut,
            has_no_category: !inner.doors.is_empty() && !is_shut && !inner.has_category,
            unconfirmed: inner.unconfirmed.len(),
        }
    }

    /// For the local API; null where no till is let in.
    pub(crate) fn json(&self, texts: &Texts, now: Timestamp) -> Value {
        let inner = self.lock();
        if inner.doors.is_empty() {
            return Value::Null;
        }
        let addresses: Vec<_> = inner.doors.keys().map(String::as_str).collect();
        let question = inner.question.as_ref().map(|question| {
            let words = texts.both(match question.done.action {
                TillAction::Debit => "till-again",
                TillAction::Refund | TillAction::Cancel => "till-again-back",
            });
            let mut view = done_json(&question.done, now);
            if let Value::Object(view) = &mut view {
                view.insert(String::from("question"), json!(question.id));
                view.insert(String::from("message_fr"), json!(words.message_fr));
                view.insert(String::from("message_en"), json!(words.message_en));
            }
            view
        });
        json!({
            "address": addresses.join(", "),
            "listening": inner.doors.values().all(|is_listening| *is_listening),
            "question": question,
            "unconfirmed": inner.unconfirmed.iter().map(|done| done_json(done, now)).collect::<Vec<_>>(),
        })
    }
}

fn done_json(done: &TillDone, now: Timestamp) -> Value {
    json!({
        "id": done.request.to_string(),
        "action": done.action.name(),
        "cents": done.cents.get(),
        "stan": done.stan.to_string(),
        "ago_s": now.since_s(done.at),
    })
}
