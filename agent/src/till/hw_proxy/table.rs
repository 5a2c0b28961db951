//! The payments of late, as a point of sale asks for them: until it has read how one ended, and some more.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cabas_protocol::{Cents, RequestId};
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

use super::message::Payment;
use crate::clock::Stopwatch;

/// Payments that are kept.
const KEPT_MAX: usize = 20;

/// A page that was told that a payment is under way asks every second, and one that has none every five. What is not asked for
/// at that pace is not read by the page that waits for it: another one of the same browser looks at the same list.
const PACE: Duration = Duration::from_secs(3);

/// Who asks: a machine, and the origin of its page; none for a program. Two pages of one browser look alike.
pub(super) type Client = (IpAddr, Option<String>);

/// How a payment stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum State {
    Running,
    /// Durable: the operation, what was paid, the number of its receipt.
    Done {
        request: RequestId,
        paid: Cents,
        stan: String,
    },
    /// Nothing was paid; what the cashier reads.
    Not(String),
    /// The journal cannot be read: nobody may say how it ended.
    Unknown,
}

#[derive(Debug)]
struct Transaction {
    id: u64,
    cents: Cents,
    /// Nobody before the start is known.
    client: Option<Client>,
    /// The terminal's name that its page gave it, and gives again as it asks for the end; may be empty.
    terminal: String,
    /// Its end is the answer to the call itself: who asks for the state of all does not wait for it.
    is_waited_for: bool,
    seen: Stopwatch,
    state: State,
    is_told: bool,
}

impl Transaction {
    fn json(&self) -> Value {
        let (success, status, reference) = match &self.state {
            State::Running | State::Unknown => (None, None, None),
            State::Done { stan, .. } => (Some(true), None, Some(stan)),
            State::Not(words) => (Some(false), Some(words), None),
        };
        json!({
            "transaction_id": self.id, "success": success, "status": status, "status_details": null, "reference": reference,
        })
    }
}

/// What a call for a payment is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Begun {
    /// New, or once more.
    New,
    /// Under way already: its end is waited for.
    Joined,
    /// Under way with another amount, or for another client: one debit is told to one till.
    Conflict,
}

/// The payments of late.
#[derive(Debug)]
pub(super) struct Table {
    payments: Mutex<VecDeque<Transaction>>,
    pace: Duration,
    /// Something ended.
    pub(super) ended: Notify,
}

impl Default for Table {
    fn default() -> Self {
        Self { payments: Mutex::default(), pace: PACE, ended: Notify::default() }
    }
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Transaction>> {
        self.payments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A payment is asked for.
    pub(super) fn begin(&self, id: u64, payment: &Payment, client: Client, is_waited_for: bool) -> Begun {
        let cents = payment.cents;
        let mut table = self.lock();
        if let Some(known) = table.iter_mut().find(|known| known.id == id && known.state == State::Running) {
            if known.cents != cents || known.client.as_ref() != Some(&client) {
                return Begun::Conflict;
            }
            (known.client, known.is_waited_for, known.seen) = (Some(client), is_waited_for, Stopwatch::start());
            return Begun::Joined;
        }
        put(
            &mut table,
            Transaction {
                id,
                cents,
                client: Some(client),
                terminal: payment.terminal.clone(),
                is_waited_for,
                seen: Stopwatch::start(),
                state: State::Running,
                is_told: false,
            },
        );
        Begun::New
    }

    /// One that was done before the start.
    pub(super) fn restore(&self, id: u64, cents: Cents, state: State) {
        let seen = Stopwatch::start();
        let (client, terminal, is_waited_for, is_told) = (None, String::new(), false, false);
        put(&mut self.lock(), Transaction { id, cents, client, terminal, is_waited_for, seen, state, is_told });
    }

    pub(super) fn end(&self, id: u64, state: State) {
        if let Some(known) = self.lock().iter_mut().find(|known| known.id == id) {
            known.state = state;
        }
        self.ended.notify_waiters();
    }

    /// How one stands, which is waited for.
    pub(super) fn wait(&self, id: u64) -> Option<State> {
        let mut table = self.lock();
        let known = table.iter_mut().find(|known| known.id == id)?;
        known.seen = Stopwatch::start();
        Some(known.state.clone())
    }

    /// For how long nobody asked for a payment.
    pub(super) fn unseen(&self, id: u64) -> (Duration, bool) {
        let table = self.lock();
        let known = table.iter().find(|known| known.id == id);
        known.map_or((Duration::MAX, false), |known| (known.seen.elapsed(), known.is_waited_for))
    }

    /// One payment, for who began it.
    pub(super) fn json_of(&self, id: u64) -> Value {
        self.lock().iter().find(|known| known.id == id).map_or(Value::Bool(false), Transaction::json)
    }

    /// All of them, for a client and the terminal that it names; and which of its own it reads of as done, and was not known to
    /// have read.
    pub(super) fn json(&self, client: &Client, terminal: &str) -> (Value, Vec<RequestId>) {
        let (mut view, mut carried) = (Map::new(), Vec::new());
        for known in self.lock().iter_mut() {
            let is_its = known.client.as_ref() == Some(client);
            let is_its_terminal = known.terminal == terminal;
            let is_waiting_page = is_its_terminal && known.seen.elapsed() <= self.pace;
            if is_its && is_its_terminal && !known.is_waited_for {
                known.seen = Stopwatch::start();
            }
            if let State::Done { request, .. } = &known.state
                && is_its
                && is_waiting_page
                // Where the call itself waits for the end, a page that looks at the list has not read it.
                && !known.is_waited_for
                && !known.is_told
            {
                carried.push(*request);
            }
            view.insert(known.id.to_string(), known.json());
        }
        (Value::Object(view), carried)
    }

    pub(super) fn told(&self, request: RequestId) {
        for known in self.lock().iter_mut() {
            known.is_told |= matches!(&known.state, State::Done { request: done, .. } if *done == request);
        }
    }
}

/// In place of one of the same number; the oldest that is over goes.
fn put(table: &mut VecDeque<Transaction>, transaction: Transaction) {
    table.retain(|known| known.id != transaction.id);
    table.push_back(transaction);
    if table.len() > KEPT_MAX
        && let Some(oldest) = table.iter().position(|known| known.state != State::Running)
    {
        table.remove(oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn client(last: u8) -> Client {
        (IpAddr::from(Ipv4Addr::new(192, 168, 1, last)), None)
    }

    fn cents(count: u64) -> Cents {
        Cents::new(count).unwrap()
    }

    fn payment(count: u64, terminal: &str) -> Payment {
        let (reference, terminal) = (String::from("1"), terminal.to_owned());
        Payment { cents: cents(count), reference, is_keyed: false, order: None, terminal }
    }

    fn done() -> State {
        State::Done { request: RequestId::new([7; 8]), paid: cents(700), stan: "000001".into() }
    }

    #[test]
    fn a_look_at_the_list_reads_what_is_polled_for_and_never_what_a_call_waits_for() {
        for (is_waited_for, read) in [(false, 1), (true, 0)] {
            let table = Table::default();
            assert_eq!(table.begin(1, &payment(700, ""), client(1), is_waited_for), Begun::New);
            table.end(1, done());
            assert_eq!(table.json(&client(1), "").1.len(), read);
            assert_eq!(table.json(&client(2), "").1.len(), 0);
        }
    }

    #[test]
    fn another_page_of_the_same_browser_does_not_read_what_one_waits_for() {
        // It names no terminal as it looks at the list, or another one.
        let table = Table::default();
        assert_eq!(table.begin(1, &payment(700, "food"), client(1), false), Begun::New);
        table.end(1, done());
        for (terminal, read) in [("", 0), ("bank", 0), ("food", 1)] {
            assert_eq!(table.json(&client(1), terminal).1.len(), read, "{terminal}");
        }
        // It names the same or none, and asks as slowly as a page that waits for nothing.
        let table = Table { pace: Duration::ZERO, ..Table::default() };
        assert_eq!(table.begin(1, &payment(700, ""), client(1), false), Begun::New);
        table.end(1, done());
        std::thread::sleep(Duration::from_millis(1));
        assert_eq!(table.json(&client(1), "").1.len(), 0);
    }

    #[test]
    fn one_debit_is_told_to_one_till() {
        let table = Table::default();
        assert_eq!(table.begin(1, &payment(700, ""), client(1), false), Begun::New);
        assert_eq!(table.begin(1, &payment(700, ""), client(1), true), Begun::Joined);
        assert_eq!(table.begin(1, &payment(700, ""), client(2), false), Begun::Conflict);
        assert_eq!(table.begin(1, &payment(701, ""), client(1), false), Begun::Conflict);
    }
}
