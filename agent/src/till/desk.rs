//! What the screens know of tills: whether they are let in, what is asked about one, and what they may not know.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cabas_protocol::{Cents, RequestId, Timestamp};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::Ended;
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

/// What only a person at the counter can say.
#[derive(Debug)]
enum Asks {
    /// Whether a request is the one that was done before.
    Again(TillDone),
    /// Money is asked back that a card has to name; a person can only take it back.
    Card(Cents),
}

#[derive(Debug)]
struct Question {
    id: u64,
    asks: Asks,
    reply: oneshot::Sender<Choice>,
}

impl Question {
    fn json(&self, texts: &Texts, now: Timestamp) -> Value {
        let (kind, name, mut view) = match &self.asks {
            Asks::Again(done) => {
                let name = match done.action {
                    TillAction::Debit => "till-again",
                    TillAction::Refund | TillAction::Cancel => "till-again-back",
                };
                ("again", name, done_json(done, now))
            }
            Asks::Card(cents) => {
                ("card", "till-refund-card", json!({ "action": TillAction::Refund.name(), "cents": cents.get() }))
            }
        };
        let words = texts.both(name);
        if let Value::Object(view) = &mut view {
            view.insert(String::from("question"), json!(self.id));
            view.insert(String::from("kind"), json!(kind));
            view.insert(String::from("message_fr"), json!(words.message_fr));
            view.insert(String::from("message_en"), json!(words.message_en));
        }
        view
    }
}

/// How an operation goes whose till is told no end: the screen alone says it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Blind {
    /// It waits for its card.
    Asked,
    /// It is paid.
    Paid,
    /// It is not, and the till may take it for paid.
    NotPaid,
    /// The journal cannot say.
    Unknown,
}

/// What the screens say of an operation that is over, whose till is told no end.
pub(super) const fn blind_of(ended: &Ended) -> Blind {
    match ended {
        Ended::Done(..) => Blind::Paid,
        Ended::Not(_) => Blind::NotPaid,
        Ended::Unknown => Blind::Unknown,
    }
}

impl Blind {
    /// Its name in the local API, and for how long the screens say it.
    const fn shown(self) -> (&'static str, u64) {
        match self {
            Self::Asked => ("asked", u64::MAX),
            Self::Paid => ("paid", BLIND_PAID_S),
            Self::NotPaid => ("not_paid", BLIND_NOT_PAID_S),
            Self::Unknown => ("unknown", BLIND_NOT_PAID_S),
        }
    }
}

/// For how long the screens say that something is paid.
const BLIND_PAID_S: u64 = 60;
/// For how long they say that it is not.
const BLIND_NOT_PAID_S: u64 = 300;
/// How many of them.
const BLIND_MAX: usize = 8;

/// A way by which tills come in.
#[derive(Debug, Default)]
struct Way {
    address: String,
    is_open: bool,
}

#[derive(Debug, Default)]
struct Inner {
    /// How tills come in, by protocol, where any may.
    ways: BTreeMap<&'static str, Way>,
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
    /// What tills are told no end of, by number: how much, how it goes, since when.
    blind: BTreeMap<u64, (Cents, Blind, Timestamp)>,
    blinds: u64,
}

impl Inner {
    fn is_listening(&self) -> bool {
        self.ways.values().all(|way| way.is_open)
    }
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

    /// Tills are to come in by a protocol at an address or a device; their amounts fall in a category.
    pub fn opens(&self, way: &'static str, address: &str, category: &str) {
        let mut inner = self.lock();
        inner.ways.insert(way, Way { address: address.to_owned(), is_open: false });
        category.clone_into(&mut inner.category);
    }

    /// Whether tills can come in by a protocol.
    pub fn set_open(&self, way: &'static str, is_open: bool) {
        if let Some(way) = self.lock().ways.get_mut(way) {
            way.is_open = is_open;
        }
    }

    /// Something is asked for by a till that is told no end; its number.
    pub(super) fn blind_begins(&self, cents: Cents, now: Timestamp) -> u64 {
        let mut inner = self.lock();
        inner.blinds = inner.blinds.saturating_add(1);
        let number = inner.blinds;
        inner.blind.insert(number, (cents, Blind::Asked, now));
        while inner.blind.len() > BLIND_MAX {
            let _oldest = inner.blind.pop_first();
        }
        number
    }

    /// How it ended.
    pub(super) fn blind_ends(&self, number: u64, end: Blind, now: Timestamp) {
        if let Some((_, state, at)) = self.lock().blind.get_mut(&number) {
            (*state, *at) = (end, now);
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
        self.put(Asks::Again(done))
    }

    /// Asks for the card that paid what is to be given back; nothing where something is asked already.
    pub(super) fn ask_card(&self, cents: Cents) -> Option<(u64, oneshot::Receiver<Choice>)> {
        self.put(Asks::Card(cents))
    }

    fn put(&self, asks: Asks) -> Option<(u64, oneshot::Receiver<Choice>)> {
        let mut inner = self.lock();
        if inner.question.is_some() {
            return None;
        }
        inner.questions = inner.questions.saturating_add(1);
        let (id, (reply, answer)) = (inner.questions, oneshot::channel());
        inner.question = Some(Question { id, asks, reply });
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

    /// The cashier answers; false where this is asked no longer, or is no answer to it.
    pub(crate) fn answer(&self, id: u64, choice: Choice) -> bool {
        let fits = |asks: &Asks| choice == Choice::Cancel || matches!(asks, Asks::Again(_));
        let asked = self.lock().question.take_if(|question| question.id == id && fits(&question.asks));
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
        Seen {
            is_shut: !inner.is_listening(),
            has_no_category: inner.ways.values().any(|way| way.is_open) && !inner.has_category,
            unconfirmed: inner.unconfirmed.len(),
        }
    }

    /// For the local API; null where no till is let in.
    pub(crate) fn json(&self, texts: &Texts, now: Timestamp) -> Value {
        let inner = self.lock();
        if inner.ways.is_empty() {
            return Value::Null;
        }
        let address = inner.ways.values().map(|way| way.address.as_str()).collect::<Vec<_>>().join(", ");
        let blind = inner.blind.iter().filter_map(|(number, (cents, state, at))| {
            let (name, shown_s) = state.shown();
            let is_fresh = now.since_s(*at) <= shown_s;
            is_fresh.then(|| json!({ "number": number, "cents": cents.get(), "state": name }))
        });
        let question = inner.question.as_ref().map(|question| question.json(texts, now));
        json!({
            "address": address,
            "listening": inner.is_listening(),
            "blind": blind.collect::<Vec<_>>(),
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
