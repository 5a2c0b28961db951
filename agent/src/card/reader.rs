//! The PC/SC reader on a thread of its own: waits for cards and readers, reads a UID, and tells the rest.

use super::field::{Change, Field, Seen};
use super::session::{NoSession, OnReader, Session};
use super::{CardEvent, ForeignCard, PresentedCard, ReaderConfig, ReaderState, Uid, plain};
use cabas_card::tmac::UID_BYTES;
use cabas_protocol::row::Tier;
use pcsc::{Context, Error, PNP_NOTIFICATION, Scope, State};
use std::ffi::{CStr, CString};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tracing::{debug, info, warn};

/// Readers at the most; pcsc-lite has as many.
const READERS_MAX: usize = 16;
/// Between two tries to reach the PC/SC service, from the first to the last.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// A reader that came between the listing and the wait is seen after this time at the latest.
const LIST_EVERY: Duration = Duration::from_secs(30);
/// The same where the service does not tell that readers come and go.
const LIST_EVERY_WITHOUT_PNP: Duration = Duration::from_secs(1);
/// So many times in a row "unknown reader" means that the service does not know the notification itself.
const UNKNOWN_MAX: u8 = 3;
/// Tries to read a card that is still there.
const READ_TRIES: usize = 3;
/// Between two such tries, and between two tries to hand over an event to a receiver that is full.
const RETRY_AFTER: Duration = Duration::from_millis(20);
/// How often, every [`RETRY_AFTER`], the thread is asked to end before it is left behind.
const STOP_TRIES: usize = 100;

/// Ends the reader's thread when dropped.
#[derive(Debug)]
pub struct ReaderHandle {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the reader's thread. It ends with the handle, or when nobody listens any more.
///
/// # Errors
/// An [`std::io::Error`] where the system gives no thread.
pub fn start(config: ReaderConfig, events: mpsc::Sender<CardEvent>) -> std::io::Result<ReaderHandle> {
    let shared = Arc::new(Shared::default());
    let reader = Reader::new(Arc::clone(&shared), events, config);
    let thread = thread::Builder::new().name("cabas-reader".to_owned()).spawn(move || {
        let end = Finished(Arc::clone(&reader.shared));
        reader.run();
        drop(end);
    })?;
    Ok(ReaderHandle { shared, thread: Some(thread) })
}

impl ReaderHandle {
    /// What tells whether the thread still works.
    pub fn alive(&self) -> impl Fn() -> bool + Send + Sync + 'static {
        let shared = Arc::clone(&self.shared);
        move || !shared.lock().finished
    }
}

impl Drop for ReaderHandle {
    fn drop(&mut self) {
        let mut control = self.shared.lock();
        control.stopping = true;
        self.shared.changed.notify_all();
        for _ in 0..STOP_TRIES {
            if control.finished {
                break;
            }
            // A cancel that comes just before the wait begins is lost: it is sent until it works.
            if let Some(context) = control.context.clone() {
                drop(control);
                if let Err(error) = context.cancel() {
                    debug!(%error, "the reader's wait cannot be cancelled");
                }
                control = self.shared.lock();
            }
            control = self.shared.wait(control, RETRY_AFTER, |control| !control.finished);
        }
        let finished = control.finished;
        drop(control);
        match self.thread.take() {
            Some(thread) if finished => drop(thread.join()),
            _ => warn!("the reader's thread hangs in the PC/SC service and is left behind"),
        }
    }
}

#[derive(Debug, Default)]
struct Shared {
    control: Mutex<Control>,
    changed: Condvar,
}

#[derive(Default)]
struct Control {
    stopping: bool,
    finished: bool,
    context: Option<Context>,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").field("stopping", &self.stopping).field("finished", &self.finished).finish()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while `waiting` holds, for `timeout` at the most.
    fn wait<'a>(
        &self,
        control: MutexGuard<'a, Control>,
        timeout: Duration,
        waiting: impl Fn(&Control) -> bool,
    ) -> MutexGuard<'a, Control> {
        let (control, _) = self
            .changed
            .wait_timeout_while(control, timeout, |control| waiting(control))
            .unwrap_or_else(PoisonError::into_inner);
        control
    }

    /// Pauses; false where the thread is to end.
    fn pause(&self, timeout: Duration) -> bool {
        !self.wait(self.lock(), timeout, |control| !control.stopping).stopping
    }
}

/// Says that the thread is through, even where it panics.
struct Finished(Arc<Shared>);

impl Drop for Finished {
    fn drop(&mut self) {
        let mut control = self.0.lock();
        control.finished = true;
        control.context = None;
        self.0.changed.notify_all();
    }
}

/// Why the thread stops doing what it did.
enum Break {
    /// It is to end.
    Stop,
    /// The PC/SC service is gone.
    Service,
}

struct Reader {
    shared: Arc<Shared>,
    events: mpsc::Sender<CardEvent>,
    config: ReaderConfig,
    state: Option<ReaderState>,
    field: Field,
    taps: u64,
    /// True where something was told of what is in the field, so that its leaving is told too.
    told: bool,
}

impl Reader {
    fn new(shared: Arc<Shared>, events: mpsc::Sender<CardEvent>, config: ReaderConfig) -> Self {
        Self { shared, events, config, state: None, field: Field::default(), taps: 0, told: false }
    }

    fn run(mut self) {
        let mut back_off = BACK_OFF.0;
        loop {
            match Context::establish(Scope::User) {
                Ok(context) => {
                    self.shared.lock().context = Some(context.clone());
                    let end = self.watch(&context, &mut back_off);
                    self.shared.lock().context = None;
                    if matches!(end, Err(Break::Stop)) {
                        return;
                    }
                }
                Err(error) => debug!(%error, "no PC/SC service"),
            }
            let gone = self.look(&[]).map(|_| ()).and_then(|()| self.enter(ReaderState::NoService));
            if gone.is_err() || !self.shared.pause(back_off) {
                return;
            }
            back_off = back_off.saturating_mul(2).min(BACK_OFF.1);
        }
    }

    /// Watches readers and cards until the service goes away or the thread is to end.
    fn watch(&mut self, context: &Context, back_off: &mut Duration) -> Result<(), Break> {
        let mut states = vec![pcsc::ReaderState::new(PNP_NOTIFICATION(), State::UNAWARE)];
        let mut unknown = 0;
        loop {
            let names = self.list(context)?;
            *back_off = BACK_OFF.0;
            let pnp = unknown < UNKNOWN_MAX;
            states.retain(
                |state| {
                    if is_pnp(state) { pnp } else { names.iter().any(|name| name.as_c_str() == state.name()) }
                },
            );
            for name in &names {
                if !states.iter().any(|state| state.name() == name.as_c_str()) {
                    states.push(pcsc::ReaderState::new(name.clone(), State::UNAWARE));
                }
            }
            self.found(&names)?;
            if states.is_empty() {
                self.pause(LIST_EVERY_WITHOUT_PNP)?;
                continue;
            }
            match context.get_status_change(if pnp { LIST_EVERY } else { LIST_EVERY_WITHOUT_PNP }, &mut states) {
                Ok(()) => {}
                Err(Error::Timeout) => continue,
                Err(Error::UnknownReader) => {
                    unknown = UNKNOWN_MAX.min(unknown.saturating_add(1));
                    self.pause(RETRY_AFTER)?;
                    continue;
                }
                Err(Error::Cancelled) => {
                    self.pause(Duration::ZERO)?;
                    continue;
                }
                Err(error) => {
                    info!(%error, "the PC/SC service went away");
                    return Err(Break::Service);
                }
            }
            unknown = if states.iter().any(|s| is_pnp(s) && s.event_state().contains(State::UNKNOWN)) {
                UNKNOWN_MAX
            } else if pnp {
                0
            } else {
                unknown
            };
            for state in &mut states {
                state.sync_current_state();
            }
            self.cards(context, &states)?;
        }
    }

    /// The readers that fit.
    fn list(&self, context: &Context) -> Result<Vec<CString>, Break> {
        match context.list_readers_owned() {
            Ok(mut names) => {
                names.retain(|name| fits(&name.to_string_lossy(), &self.config.name_contains));
                names.truncate(READERS_MAX);
                Ok(names)
            }
            Err(Error::NoReadersAvailable) => Ok(Vec::new()),
            Err(error) => {
                info!(%error, "the PC/SC service went away");
                Err(Break::Service)
            }
        }
    }

    /// Tells which reader is used; a card goes with its reader.
    fn found(&mut self, names: &[CString]) -> Result<(), Break> {
        if let Some(name) = names.first() {
            return self.enter(ReaderState::Ready { name: printable(&name.to_string_lossy()) });
        }
        self.look(&[])?;
        let was_there = matches!(self.state, Some(ReaderState::Ready { .. } | ReaderState::Lost));
        self.enter(if was_there { ReaderState::Lost } else { ReaderState::NoReader })
    }

    fn cards(&mut self, context: &Context, states: &[pcsc::ReaderState]) -> Result<(), Break> {
        let present: Vec<&pcsc::ReaderState> =
            states.iter().filter(|state| state.event_state().contains(State::PRESENT)).collect();
        let seen: Vec<Seen> = present
            .iter()
            .map(|state| Seen { reader: state.name().to_string_lossy().into_owned(), count: state.event_count() })
            .collect();
        if self.look(&seen)?
            && let Some(state) = present.first()
        {
            let event = self.read(context, state)?;
            self.tell(event)?;
        }
        Ok(())
    }

    /// Takes over what is in the field; true where a card is to be read.
    fn look(&mut self, seen: &[Seen]) -> Result<bool, Break> {
        match self.field.look(seen) {
            Change::Same => Ok(false),
            Change::Came => Ok(true),
            Change::Emptied => self.removed().map(|()| false),
            Change::Replaced => self.removed().map(|()| true),
            Change::Several => self.tell(CardEvent::Several).map(|()| false),
        }
    }

    fn removed(&mut self) -> Result<(), Break> {
        if std::mem::take(&mut self.told) { self.send(CardEvent::Removed) } else { Ok(()) }
    }

    /// Reads the one card that came.
    fn read(&mut self, context: &Context, state: &pcsc::ReaderState) -> Result<CardEvent, Break> {
        let mut foreign = ForeignCard::Mute;
        for _ in 0..READ_TRIES {
            match read_once(context, state.name()) {
                Ok(uid) => {
                    self.taps = self.taps.saturating_add(1);
                    let link = (uid.as_bytes().len() == UID_BYTES).then(|| OnReader::link(state.name()));
                    return Ok(CardEvent::Presented(PresentedCard { uid, tier: Tier::Plain, tap: self.taps, link }));
                }
                Err(NoSession::Service) => return Err(Break::Service),
                Err(NoSession::Card(ForeignCard::NoUid { .. })) if !is_contactless(state.atr()) => {
                    return Ok(CardEvent::Foreign(ForeignCard::Contact));
                }
                // These may be a card that moves at the edge of the field, or another program that looks at it first.
                Err(NoSession::Card(again @ (ForeignCard::Left | ForeignCard::Mute | ForeignCard::InUse))) => {
                    foreign = again;
                    self.pause(RETRY_AFTER)?;
                }
                Err(NoSession::Card(
                    other @ (ForeignCard::RandomUid
                    | ForeignCard::NonUniqueUid
                    | ForeignCard::Contact
                    | ForeignCard::NoUid { .. }
                    | ForeignCard::BadUid { .. }),
                )) => return Ok(CardEvent::Foreign(other)),
            }
        }
        Ok(CardEvent::Foreign(foreign))
    }

    fn enter(&mut self, state: ReaderState) -> Result<(), Break> {
        if self.state.as_ref() == Some(&state) {
            return Ok(());
        }
        info!(reader.state = ?state, "the card reader changed");
        self.state = Some(state.clone());
        self.send(CardEvent::Reader(state))
    }

    fn tell(&mut self, event: CardEvent) -> Result<(), Break> {
        self.told = true;
        self.send(event)
    }

    /// Hands over an event. A receiver that is full is waited for, so that none is lost and none is out of order.
    fn send(&self, mut event: CardEvent) -> Result<(), Break> {
        loop {
            match self.events.try_send(event) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Closed(_)) => return Err(Break::Stop),
                Err(TrySendError::Full(back)) => event = back,
            }
            self.pause(RETRY_AFTER)?;
        }
    }

    fn pause(&self, timeout: Duration) -> Result<(), Break> {
        if self.shared.pause(timeout) { Ok(()) } else { Err(Break::Stop) }
    }
}

fn read_once(context: &Context, reader: &CStr) -> Result<Uid, NoSession> {
    let mut session = Session::connect(context, reader)?;
    plain::read_uid(&mut session).map_err(NoSession::Card)
}

fn is_pnp(state: &pcsc::ReaderState) -> bool {
    state.name() == PNP_NOTIFICATION()
}

/// True for a reader that may be used: its name has the part asked for, and it is no slot for a security module.
pub(super) fn fits(name: &str, part: &str) -> bool {
    !name.contains("SAM") && name.to_lowercase().contains(&part.to_lowercase())
}

/// True for the ATR that a reader makes up for a contactless card (PC/SC part 3, §3.1.3.2.3).
fn is_contactless(atr: &[u8]) -> bool {
    matches!(atr, [0x3b, t0, 0x80, 0x01, ..] if t0 & 0xf0 == 0x80)
}

/// A reader's name comes from outside: nothing in it may steer a terminal.
fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_chosen_by_a_part_of_its_name_and_never_a_sam_slot() {
        for (name, part, fit) in [
            ("ACS ACR1252 1S CL Reader [ACR1252 Reader PICC] 00 00", "PICC", true),
            ("ACS ACR1252 1S CL Reader [ACR1252 Reader PICC] 01 00", "picc", true),
            ("ACS ACR1252 1S CL Reader [ACR1252 Reader SAM] 00 01", "", false),
            ("ACS ACR1252 1S CL Reader [ACR1252 Reader SAM] 00 01", "ACR1252", false),
            ("Virtual PCD 00 00", "", true),
            ("Virtual PCD 00 00", "PICC", false),
        ] {
            assert_eq!(fits(name, part), fit, "{name} / {part}");
        }
    }

    #[test]
    fn readers_that_come_and_go_are_told_and_take_their_card_along() {
        let (sender, mut events) = mpsc::channel(8);
        let shared = Arc::new(Shared::default());
        let mut reader = Reader::new(shared, sender, ReaderConfig::default());
        let ready = |name: &str| CardEvent::Reader(ReaderState::Ready { name: name.to_owned() });
        for (names, told, event) in [
            (&[][..], false, Some(CardEvent::Reader(ReaderState::NoReader))),
            (&[c"A"][..], false, Some(ready("A"))),
            (&[c"A"], false, None),
            (&[c"B", c"A"], false, Some(ready("B"))),
            (&[], false, Some(CardEvent::Reader(ReaderState::Lost))),
            (&[], false, None),
            (&[c"A"], true, Some(ready("A"))),
            (&[], false, Some(CardEvent::Removed)),
        ] {
            let names: Vec<CString> = names.iter().map(|name| CString::from(*name)).collect();
            assert!(reader.found(&names).is_ok());
            assert_eq!(events.try_recv().ok(), event, "{names:?}");
            if told {
                let seen = Seen { reader: "A".to_owned(), count: 1 };
                assert!(matches!(reader.look(&[seen]), Ok(true)));
                reader.told = true;
            }
        }
        assert_eq!(events.try_recv().ok(), Some(CardEvent::Reader(ReaderState::Lost)));
    }

    #[test]
    fn a_contactless_card_is_told_by_its_atr() {
        for (atr, contactless) in [
            (&[0x3b, 0x81, 0x80, 0x01, 0x80, 0x80][..], true),
            (&[0x3b, 0x8f, 0x80, 0x01, 0x80, 0x4f, 0x0c], true),
            (&[0x3b, 0x80, 0x80, 0x01, 0x01], true),
            (&[0x3b, 0x6e, 0, 0], false),
            (&[0x3b, 0x65, 0x80, 0x01, 0x80, 0x80], false),
            (&[0x3b], false),
            (&[], false),
        ] {
            assert_eq!(is_contactless(atr), contactless, "{atr:02x?}");
        }
    }

    #[test]
    fn a_readers_name_cannot_steer_a_terminal() {
        assert_eq!(printable("A\u{1b}[31m\r\nB\u{9b}"), "A [31m  B ");
    }
}
