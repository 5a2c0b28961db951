//! Lines that tills speak Concert on. They share a thread with the counter, so nothing here waits without an end but a read.

use std::collections::BTreeSet;
use std::future::pending;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use cabas_protocol::{Cents, RequestId};
use rustix::net::sockopt::{set_socket_keepalive, set_tcp_keepidle};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::line::{Line, LineSettings};
use super::message::{Action, Request, Status};
use super::session::{Out, Session};
use crate::core::amount;
use crate::journal::{TillAction, TillAsk, TillDone};
use crate::service::Service;
use crate::till::desk::{Blind, blind_of};
use crate::till::gate::Gate;
use crate::till::{Ended, Left, operate};

/// Connections at once; each is one till's line.
const CONNECTIONS_MAX: usize = 8;
/// Pause between two tries to open a device: one that was unplugged is back within it.
const TRY_AGAIN: Duration = Duration::from_secs(3);
/// A connection whose machine is gone is noticed after this and the system's own tries.
const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(60);
/// How long open requests may go on after the stop.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// The desk's name of the device.
pub const DEVICE: &str = "concert";
/// The desk's name of the address.
pub const ADDRESS: &str = "concert_tcp";

/// A serial port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Device {
    /// Its file.
    pub path: PathBuf,
    /// How the line is set.
    pub settings: LineSettings,
}

/// Who may come in, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Door {
    /// The address.
    pub address: SocketAddr,
    /// The machines that tills are on.
    pub peers: BTreeSet<IpAddr>,
}

/// Listens to the till at a device until `stop` says so. One that is unplugged is opened again when it is back.
pub async fn serve_device(device: Device, service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let work = async {
        let mut is_told = false;
        loop {
            match Line::open(&device.path, device.settings) {
                Ok(line) => {
                    is_told = false;
                    service.till.set_open(DEVICE, true);
                    service.till_changed();
                    tracing::info!(device = %device.path.display(), "a till's line is open");
                    talk(&line, DEVICE, &service).await;
                    service.till.set_open(DEVICE, false);
                    service.till_changed();
                    tracing::warn!(device = %device.path.display(), "a till's line is gone");
                }
                Err(error) if !is_told => {
                    is_told = true;
                    tracing::error!(%error, device = %device.path.display(), "a till's line cannot be opened; it is tried again");
                }
                Err(_) => {}
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    };
    tokio::select! {
        () = work => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    service.till.set_open(DEVICE, false);
}

/// Lets tills in by TCP until `stop` says so.
pub async fn serve_address(door: Door, service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    tokio::select! {
        () = open_and_accept(&door, &service, &mut connections) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    service.till.set_open(ADDRESS, false);
    let last = async { while connections.join_next().await.is_some() {} };
    drop(tokio::time::timeout(LAST_WORDS, last).await);
}

async fn open_and_accept(door: &Door, service: &Arc<Service>, connections: &mut JoinSet<()>) {
    let mut gate = Gate::open(door.address, "Concert", CONNECTIONS_MAX).await;
    service.till.set_open(ADDRESS, true);
    service.till_changed();
    loop {
        let (stream, peer, place) = gate.next(&door.peers, "till_concert_peers", connections).await;
        drop(stream.set_nodelay(true));
        let kept = set_socket_keepalive(&stream, true).and_then(|()| set_tcp_keepidle(&stream, KEEP_ALIVE_AFTER));
        if let Err(error) = kept {
            tracing::warn!(%error, "whether a till's machine is still there is not looked at");
        }
        let Ok(line) = Line::of_connection(stream) else { continue };
        let service = Arc::clone(service);
        connections.spawn(async move {
            talk(&line, &format!("{DEVICE} {peer}"), &service).await;
            drop(place);
        });
    }
}

/// What is under way for a till.
type Work<'s> = Pin<Box<dyn Future<Output = Ended> + Send + 's>>;

/// What the till of this line asked for last.
struct Asked {
    ask: TillAsk,
    /// It was told at once that it was heard, and is told no end.
    at_once: bool,
    /// What it is being told was done.
    done: Option<Box<TillDone>>,
    /// Its number at the desk, where the till is told no end.
    blind: Option<u64>,
}

struct Talk<'s> {
    service: &'s Service,
    peer: &'s str,
    session: Session,
    began: Instant,
    asked: Option<Asked>,
    work: Option<Work<'s>>,
    /// Dropped where the till's side is gone.
    still_there: Option<oneshot::Sender<()>>,
    telling: Option<Telling<'s>>,
}

/// Until it is known whether a till read its answer, however the line ends.
struct Telling<'s>(&'s Service, RequestId);

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        self.0.till.tells(self.1, false);
    }
}

/// One line, until the till's side is gone and what it asked for is over.
async fn talk(line: &Line, peer: &str, service: &Service) {
    let mut talk = Talk {
        service,
        peer,
        session: Session::default(),
        began: Instant::now(),
        asked: None,
        work: None,
        still_there: None,
        telling: None,
    };
    let mut buffer = [0; 256];
    loop {
        let deadline = talk.session.deadline_ms().and_then(|ms| talk.began.checked_add(Duration::from_millis(ms)));
        let out = tokio::select! {
            count = line.read(&mut buffer) => {
                let Some(count) = count else { break };
                let now = talk.now_ms();
                talk.session.set_busy(talk.work.is_some() || service.till_is_busy());
                talk.session.bytes(now, buffer.get(..count).unwrap_or_default())
            }
            () = async { match deadline { Some(at) => sleep_until(at).await, None => pending().await } } => {
                let now = talk.now_ms();
                talk.session.time(now)
            }
            ended = async { match &mut talk.work { Some(work) => work.await, None => pending().await } } => {
                talk.work = None;
                talk.ended(ended)
            }
        };
        if !talk.does(line, out).await {
            break;
        }
    }
    talk.is_cut().await;
}

impl Talk<'_> {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Does what the dialogue says; false where the line does not take it.
    async fn does(&mut self, line: &Line, mut out: Vec<Out>) -> bool {
        while !out.is_empty() {
            let mut next = Vec::new();
            for one in out {
                match one {
                    Out::Send(bytes) if !line.write(&bytes).await => return false,
                    Out::Send(_) => {}
                    Out::Asked(request) => next.extend(self.asks(&request)),
                    Out::Answered(was_read) => self.answered(was_read).await,
                    Out::Abandoned(cents) => self.blind(None, cents, Blind::NotPaid),
                }
            }
            out = next;
        }
        true
    }

    /// A request stands. What cannot even begin is refused whatever the moment of answer is.
    fn asks(&mut self, request: &Request) -> Vec<Out> {
        let now = self.now_ms();
        let service = self.service;
        let action = request.action.map(|action| match action {
            Action::Debit => TillAction::Debit,
            Action::Credit => TillAction::Refund,
            Action::Cancel => TillAction::Cancel,
        });
        let reference = request.private.trim().to_owned();
        let (till, cents) = (request.till.clone(), request.cents);
        let what = action.unwrap_or(TillAction::Debit);
        let ask = TillAsk { peer: self.peer.to_owned(), till, action: what, cents, reference };
        let can_begin =
            amount::check(request.cents.get(), service.settings().sale_max).is_ok() && !service.till_is_busy();
        if self.work.is_some() {
            // A till that did not wait for the end of the one before: that one stays as it is.
            if request.at_once {
                self.blind(None, cents, Blind::NotPaid);
            }
            return self.session.answer(now, Status::NotAccepted);
        }
        if action.is_none() || !can_begin {
            // One that never reads how it ended takes it for paid.
            if request.at_once {
                self.blind(None, cents, Blind::NotPaid);
            } else {
                self.asked = Some(Asked { ask, at_once: false, done: None, blind: None });
            }
            return self.session.answer(now, Status::NotAccepted);
        }
        self.asked = Some(Asked { ask: ask.clone(), at_once: request.at_once, done: None, blind: None });
        if request.at_once {
            return self.session.answer(now, Status::Taken);
        }
        let (still_there, mut gone) = oneshot::channel::<()>();
        self.still_there = Some(still_there);
        self.work = Some(Box::pin(async move {
            // Nothing is ever sent: it ends when the other half is dropped.
            let gone = async move {
                let _cut = (&mut gone).await;
                Left::Closed
            };
            operate(service, ask, gone).await
        }));
        Vec::new()
    }

    /// What was asked for is over.
    fn ended(&mut self, ended: Ended) -> Vec<Out> {
        let now = self.now_ms();
        self.still_there = None;
        let Some(asked) = &mut self.asked else { return Vec::new() };
        if asked.at_once {
            let (cents, number) = (asked.ask.cents, asked.blind);
            self.asked = None;
            self.blind(number, cents, blind_of(&ended));
            return Vec::new();
        }
        match ended {
            Ended::Done(done, _) => {
                self.service.till.tells(done.request, true);
                self.telling = Some(Telling(self.service, done.request));
                asked.done = Some(done);
                self.session.answer(now, Status::Accepted)
            }
            Ended::Not(_) => self.session.answer(now, Status::NotAccepted),
            Ended::Unknown => {
                let cents = asked.ask.cents;
                self.asked = None;
                self.blind(None, cents, Blind::Unknown);
                self.session.give_up();
                Vec::new()
            }
        }
    }

    /// What only the cashier's screen says.
    fn blind(&self, number: Option<u64>, cents: Cents, end: Blind) {
        let (desk, now) = (&self.service.till, self.service.till_now());
        desk.blind_ends(number.unwrap_or_else(|| desk.blind_begins(cents, now)), end, now);
        self.service.till_changed();
    }

    /// The till has read its answer, or has not.
    async fn answered(&mut self, was_read: bool) {
        if self.work.is_some() {
            return;
        }
        let Some(mut asked) = self.asked.take() else { return };
        let (service, cents) = (self.service, asked.ask.cents);
        if asked.at_once {
            if was_read {
                asked.blind = Some(service.till.blind_begins(cents, service.till_now()));
                service.till_changed();
                let ask = asked.ask.clone();
                self.asked = Some(asked);
                self.work = Some(Box::pin(async move {
                    let ended = operate(service, ask, pending()).await;
                    if let Ended::Done(done, _) = &ended {
                        // It did not want to know: nothing is left to be confirmed.
                        drop(service.till_told(done.request, false).await);
                    }
                    ended
                }));
            } else {
                self.blind(None, cents, Blind::NotPaid);
            }
            return;
        }
        match asked.done.take() {
            Some(done) if was_read => {
                if let Err(refusal) = service.till_told(done.request, false).await {
                    tracing::error!(%refusal, "that a till knows of a payment could not be written down");
                }
            }
            Some(done) => tracing::warn!(till.stan = %done.stan, "a till may not know that this was done"),
            // It may take for paid what is not.
            None if !was_read => self.blind(None, cents, Blind::NotPaid),
            None => {}
        }
        self.telling = None;
    }

    /// The line is gone: what was asked is taken back where no card came, and else stands as not confirmed.
    async fn is_cut(&mut self) {
        self.still_there = None;
        if let Some(cents) = self.session.cut() {
            self.blind(None, cents, Blind::NotPaid);
        }
        let Some(asked) = self.asked.take() else { return };
        let cents = asked.ask.cents;
        match self.work.take() {
            Some(work) => {
                let ended = work.await;
                if asked.at_once || !matches!(ended, Ended::Done(..)) {
                    self.blind(asked.blind, cents, blind_of(&ended));
                }
            }
            None if asked.done.is_none() => self.blind(None, cents, Blind::NotPaid),
            None => {}
        }
    }
}
