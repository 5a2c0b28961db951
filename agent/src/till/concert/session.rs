//! The dialogue on one line, pure: bytes and time go in, bytes and questions to the desk come out.
//!
//! The till calls (ENQ), is answered (ACK), sends its request, hears that it was read (ACK) and frees the line (EOT). Then
//! the terminal calls, at the end or at once, and sends its answer the same way. A request counts once its EOT is there; an
//! answer counts as read once its ACK is there.

use cabas_protocol::Cents;

use super::message::{ACK, ENQ, EOT, ETX, NAK, REQUEST_E_PLUS, Request, STX, Status, lrc};

/// Milliseconds between two bytes after which the till begins anew, and for which each of its signals is waited for.
pub const SIGNAL_MS: u64 = 3000;
/// How often the terminal calls before it gives up.
pub const CALLS_MAX: u32 = 3;
/// How often a message is sent, or read, that the other side could not read.
pub const TRIES_MAX: u32 = 3;

/// What is to be done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Out {
    /// These bytes are sent.
    Send(Vec<u8>),
    /// A whole request stands; whoever does it says its end with [`Session::answer`] or [`Session::give_up`].
    Asked(Request),
    /// Whether the till has read the answer.
    Answered(bool),
    /// A till that wants no end heard that its request was read, and never freed the line: nothing is done.
    Abandoned(Cents),
}

#[derive(Debug)]
enum State {
    /// Nobody called.
    Idle,
    /// The till called, and may send its request.
    Called { tries: u32 },
    /// Its request was read; the line is not free yet.
    Read(Request),
    /// What was asked is being done.
    Working(Request),
    /// The terminal calls.
    Calling { message: Vec<u8>, calls: u32 },
    /// The terminal has sent its answer.
    Telling { message: Vec<u8>, tries: u32 },
}

/// A message that is coming in.
#[derive(Debug, Default)]
struct Incoming {
    body: Vec<u8>,
    /// Its end was there; one byte is missing.
    has_end: bool,
}

enum Taken {
    More,
    Whole(Option<Request>),
}

impl Incoming {
    fn take(&mut self, byte: u8) -> Taken {
        if self.has_end {
            let is_good = byte == lrc(&self.body);
            return Taken::Whole(is_good.then(|| Request::read(&self.body)).flatten());
        }
        if byte == ETX {
            self.has_end = true;
        } else if self.body.len() <= REQUEST_E_PLUS {
            // What is longer than any request is no request, and takes no room.
            self.body.push(byte);
        }
        Taken::More
    }
}

/// One line's dialogue.
#[derive(Debug)]
pub struct Session {
    state: State,
    incoming: Option<Incoming>,
    /// When the state gives up waiting.
    deadline_ms: Option<u64>,
    /// When a message that is coming in is taken for broken off.
    incoming_ms: u64,
    /// Something else is under way: no till is listened to.
    is_busy: bool,
}

impl Default for Session {
    fn default() -> Self {
        Self { state: State::Idle, incoming: None, deadline_ms: None, incoming_ms: 0, is_busy: false }
    }
}

impl Session {
    /// When [`Session::time`] has something to do.
    #[must_use]
    pub fn deadline_ms(&self) -> Option<u64> {
        let incoming = self.incoming.as_ref().map(|_| self.incoming_ms);
        [self.deadline_ms, incoming].into_iter().flatten().min()
    }

    /// Whether something else is under way: then a till that calls is told that it is busy.
    pub fn set_busy(&mut self, is_busy: bool) {
        self.is_busy = is_busy;
    }

    /// Bytes came.
    pub fn bytes(&mut self, now_ms: u64, bytes: &[u8]) -> Vec<Out> {
        let mut out = Vec::new();
        for byte in bytes {
            self.byte(now_ms, *byte, &mut out);
        }
        out
    }

    /// Time went by.
    pub fn time(&mut self, now_ms: u64) -> Vec<Out> {
        let mut out = Vec::new();
        if self.incoming.is_some() && now_ms >= self.incoming_ms {
            self.incoming = None;
            if matches!(self.state, State::Called { .. }) {
                self.rest();
            }
        }
        if self.deadline_ms.is_some_and(|deadline| now_ms >= deadline) {
            self.out_of_time(now_ms, &mut out);
        }
        out
    }

    /// What became of the request, for the till.
    pub fn answer(&mut self, now_ms: u64, status: Status) -> Vec<Out> {
        let State::Working(request) = &self.state else { return Vec::new() };
        let message = request.answer(status);
        let mut out = Vec::new();
        self.call(now_ms, message, 1, &mut out);
        out
    }

    /// The line is gone: the amount of a request as in [`Out::Abandoned`].
    pub fn cut(&mut self) -> Option<Cents> {
        let State::Read(request) = std::mem::replace(&mut self.state, State::Idle) else { return None };
        request.at_once.then_some(request.cents)
    }

    /// The till is not answered.
    pub fn give_up(&mut self) {
        if matches!(self.state, State::Working(_)) {
            self.rest();
        }
    }

    fn rest(&mut self) {
        self.go(State::Idle, None);
    }

    fn go(&mut self, state: State, deadline_ms: Option<u64>) {
        self.state = state;
        self.deadline_ms = deadline_ms;
    }

    fn call(&mut self, now_ms: u64, message: Vec<u8>, calls: u32, out: &mut Vec<Out>) {
        out.push(Out::Send(vec![ENQ]));
        self.go(State::Calling { message, calls }, Some(now_ms.saturating_add(SIGNAL_MS)));
    }

    fn byte(&mut self, now_ms: u64, byte: u8, out: &mut Vec<Out>) {
        if let Some(incoming) = &mut self.incoming {
            self.incoming_ms = now_ms.saturating_add(SIGNAL_MS);
            if let Taken::Whole(request) = incoming.take(byte) {
                self.incoming = None;
                self.whole(now_ms, request, out);
            }
            return;
        }
        if byte == STX {
            self.incoming = Some(Incoming::default());
            self.incoming_ms = now_ms.saturating_add(SIGNAL_MS);
            if matches!(self.state, State::Called { .. }) {
                self.deadline_ms = None;
            }
            return;
        }
        self.signal(now_ms, byte, out);
    }

    /// A message is there: one that nobody waits for is passed over.
    fn whole(&mut self, now_ms: u64, request: Option<Request>, out: &mut Vec<Out>) {
        let State::Called { tries } = self.state else { return };
        let deadline = Some(now_ms.saturating_add(SIGNAL_MS));
        match request {
            Some(request) => {
                out.push(Out::Send(vec![ACK]));
                self.go(State::Read(request), deadline);
            }
            None => {
                out.push(Out::Send(vec![NAK]));
                let tries = tries.saturating_add(1);
                if tries < TRIES_MAX { self.go(State::Called { tries }, deadline) } else { self.rest() }
            }
        }
    }

    /// A control byte outside of any message; others are noise.
    fn signal(&mut self, now_ms: u64, byte: u8, out: &mut Vec<Out>) {
        let deadline = Some(now_ms.saturating_add(SIGNAL_MS));
        match (std::mem::replace(&mut self.state, State::Idle), byte) {
            (State::Idle | State::Called { .. } | State::Read(_), ENQ) if self.is_busy => {
                out.push(Out::Send(vec![NAK]));
                self.rest();
            }
            // A till that begins anew before its line was free asked for nothing yet.
            (State::Idle | State::Called { .. } | State::Read(_), ENQ) => {
                out.push(Out::Send(vec![ACK]));
                self.go(State::Called { tries: 0 }, deadline);
            }
            (State::Called { .. }, EOT) => self.rest(),
            (State::Read(request), EOT) => {
                self.go(State::Working(request.clone()), None);
                out.push(Out::Asked(request));
            }
            (busy @ (State::Working(_) | State::Calling { .. } | State::Telling { .. }), ENQ) => {
                out.push(Out::Send(vec![NAK]));
                self.state = busy;
            }
            (State::Calling { message, .. }, ACK) => {
                out.push(Out::Send(message.clone()));
                self.go(State::Telling { message, tries: 1 }, deadline);
            }
            (State::Telling { .. }, ACK) => self.over(true, out),
            (State::Telling { message, tries }, NAK) if tries < TRIES_MAX => {
                out.push(Out::Send(message.clone()));
                self.go(State::Telling { message, tries: tries.saturating_add(1) }, deadline);
            }
            (State::Telling { .. }, NAK) => self.over(false, out),
            (same, _) => self.state = same,
        }
    }

    fn out_of_time(&mut self, now_ms: u64, out: &mut Vec<Out>) {
        self.deadline_ms = None;
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Read(request) if request.at_once => out.push(Out::Abandoned(request.cents)),
            State::Idle | State::Called { .. } | State::Read(_) => {}
            working @ State::Working(_) => self.state = working,
            State::Calling { message, calls } if calls < CALLS_MAX => {
                self.call(now_ms, message, calls.saturating_add(1), out);
            }
            State::Calling { .. } | State::Telling { .. } => self.over(false, out),
        }
    }

    /// The terminal frees the line.
    fn over(&mut self, was_read: bool, out: &mut Vec<Out>) {
        out.extend([Out::Send(vec![EOT]), Out::Answered(was_read)]);
        self.rest();
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
