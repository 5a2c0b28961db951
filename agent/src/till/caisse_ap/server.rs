//! The address where tills come in by Caisse-AP. It shares a thread with the counter, so nothing here waits without an end,
//! and what a stranger on the network can open is counted.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use cabas_protocol::RequestId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::message::{ACK, Action, CAN, Cause, MESSAGE_BYTES_MAX, Message, Proof, Request, Scan, scan};
use crate::journal::{TillAction, TillAsk, TillDone};
use crate::service::Service;
use crate::till::desk::blind_of;
use crate::till::gate::Gate;
use crate::till::{Ended, Left, Manner, Why, operate, operate_as};

/// The desk's name of this way in.
pub const WAY: &str = "caisse_ap";
/// Connections at once: one sale, and who is told that it is busy.
const CONNECTIONS_MAX: usize = 8;
/// How long a request may take to come.
const READ_TIMEOUT: Duration = Duration::from_secs(3);
/// The silence behind a whole chain that ends it: nothing in it does.
pub const SILENCE: Duration = Duration::from_millis(250);
/// How long an answer may take to be sent.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the till may take to read its answer and to close: some wait for seconds of silence first.
const READ_BACK_TIMEOUT: Duration = Duration::from_secs(10);
/// How long after the till has closed its system may say that it closed without reading.
const RESET_AFTER: Duration = Duration::from_millis(150);
/// How long open requests may go on after the stop.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Who may come in, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Door {
    /// The address.
    pub address: SocketAddr,
    /// The machines that tills are on.
    pub peers: BTreeSet<IpAddr>,
    /// The silence that ends a request.
    pub silence: Duration,
}

/// Lets tills in until `stop` says so. An address that is not there yet is tried again: sales do not wait for it.
pub async fn serve(door: Door, service: Arc<Service>, stop: watch::Receiver<bool>) {
    let (mut stopping, mut connections) = (stop.clone(), JoinSet::new());
    tokio::select! {
        () = open_and_accept(&door, &service, &mut connections) => {}
        _ = stopping.wait_for(|stop| *stop) => {}
    }
    service.till.set_open(WAY, false);
    let last = async { while connections.join_next().await.is_some() {} };
    // What is left is dropped with the set: the till is told nothing, and what was paid stays unconfirmed.
    drop(tokio::time::timeout(LAST_WORDS, last).await);
}

async fn open_and_accept(door: &Door, service: &Arc<Service>, connections: &mut JoinSet<()>) {
    let mut gate = Gate::open(door.address, "Caisse-AP", CONNECTIONS_MAX).await;
    service.till.set_open(WAY, true);
    service.till_changed();
    loop {
        let (stream, peer, place) = gate.next(&door.peers, "till_caisse_ap_peers", connections).await;
        let (service, silence) = (Arc::clone(service), door.silence);
        connections.spawn(async move {
            talk(stream, &peer.to_string(), &service, silence).await;
            drop(place);
        });
    }
}

/// One connection: one request, one answer.
async fn talk(mut stream: TcpStream, peer: &str, service: &Service, silence: Duration) {
    // An answer in two segments is read as none.
    drop(stream.set_nodelay(true));
    let (mut from, mut to) = stream.split();
    let Some(bytes) = read(&mut from, silence).await else { return };
    let (message, form) = Message::read(&bytes);
    let request = match form.and_then(|()| message.request()) {
        Ok(request) => request,
        Err(cause) => return answer(&mut from, &mut to, &message.refused(cause)).await,
    };
    let action = match request.action {
        Action::Identify => return answer(&mut from, &mut to, &message.present()).await,
        Action::Debit => TillAction::Debit,
        Action::Credit => TillAction::Refund,
        Action::Cancel => TillAction::Cancel,
    };
    let Request { cents, till, reference, at_once, takes_part, .. } = request;
    let ask = TillAsk { peer: peer.to_owned(), till, action, cents, reference };
    let manner = Manner { takes_part, ..Manner::of(&ask) };
    if at_once {
        return at_once_then(&message, ask, (&mut from, &mut to), service).await;
    }
    let ended = operate_as(service, ask, manner, gone(&mut from)).await;
    match ended {
        Ended::Done(done, left) => {
            // Written before, so that it is never paid and forgotten; told after, so that it is never told and unread.
            let telling = Telling::of(service, done.request);
            let told = left != Some(Left::Closed) && tell(&mut from, &mut to, &message.done(&proof(&done))).await;
            if told {
                if let Err(refusal) = service.till_told(done.request, false).await {
                    tracing::error!(%refusal, "that a till knows of a payment could not be written down");
                }
            } else {
                tracing::warn!(till.stan = %done.stan, "a till may not know that this was done");
            }
            drop(telling);
        }
        Ended::Not(Why::Left(Left::Closed)) | Ended::Unknown => {}
        Ended::Not(why) => answer(&mut from, &mut to, &message.refused(cause_of(why))).await,
    }
}

/// While it is not known whether a till read its answer: until this is dropped, however the connection ends.
struct Telling<'s> {
    service: &'s Service,
    request: RequestId,
}

impl<'s> Telling<'s> {
    fn of(service: &'s Service, request: RequestId) -> Self {
        service.till.tells(request, true);
        Self { service, request }
    }
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        self.service.till.tells(self.request, false);
    }
}

/// BA=1: the till is told that it was asked. How it ends the screens say, also where not even a sale comes of it.
async fn at_once_then(
    message: &Message,
    ask: TillAsk,
    (from, to): (&mut ReadHalf<'_>, &mut WriteHalf<'_>),
    service: &Service,
) {
    if service.till_is_busy() {
        return answer(from, to, &message.refused(Cause::Operator)).await;
    }
    answer(from, to, &message.taken()).await;
    let (desk, cents) = (&service.till, ask.cents);
    let number = desk.blind_begins(cents, service.till_now());
    service.till_changed();
    let ended = operate(service, ask, std::future::pending()).await;
    if let Ended::Done(done, _) = &ended {
        // It did not want to know: nothing is left to be confirmed.
        drop(service.till_told(done.request, false).await);
    }
    desk.blind_ends(number, blind_of(&ended), service.till_now());
    service.till_changed();
}

/// The bytes of one request; nothing where the till went first.
async fn read(from: &mut ReadHalf<'_>, silence: Duration) -> Option<Vec<u8>> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; MESSAGE_BYTES_MAX]);
    let mut over = Box::pin(tokio::time::sleep(READ_TIMEOUT));
    loop {
        let is_complete = || Message::read(&bytes).0.request() != Err(Cause::Format);
        let patience = match scan(&bytes) {
            Scan::Whole => return Some(bytes),
            Scan::Unfinished => READ_TIMEOUT,
            Scan::MayBeWhole if !is_complete() => READ_TIMEOUT,
            // What follows nonsense is read too: bytes left unread would take the answer away.
            Scan::MayBeWhole | Scan::Malformed => silence,
        };
        tokio::select! {
            read = from.read(&mut buffer) => match read {
                Ok(0) | Err(_) => return None,
                Ok(count) if bytes.len() <= MESSAGE_BYTES_MAX => {
                    bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
                }
                Ok(_) => {}
            },
            () = tokio::time::sleep(patience) => return (!bytes.is_empty()).then_some(bytes),
            () = &mut over => return (!bytes.is_empty()).then_some(bytes),
        }
    }
}

/// Returns when the till waits no longer.
async fn gone(from: &mut ReadHalf<'_>) -> Left {
    let mut buffer = [0; 64];
    match from.read(&mut buffer).await {
        Ok(0) | Err(_) => Left::Closed,
        Ok(_) if buffer.first() == Some(&CAN) => Left::TookBack,
        Ok(_) => Left::Garbled,
    }
}

/// Answers where nothing depends on its being read.
async fn answer(from: &mut ReadHalf<'_>, to: &mut WriteHalf<'_>, bytes: &[u8]) {
    let _was_read: bool = tell(from, to, bytes).await;
}

/// Answers, and waits until it was read: true where nothing speaks against it.
///
/// A till that closes with an unread answer in its system makes that system refuse it (RST). One that closed before the
/// answer was sent is found by looking first.
async fn tell(from: &mut ReadHalf<'_>, to: &mut WriteHalf<'_>, bytes: &[u8]) -> bool {
    let mut buffer = [0; 64];
    match from.try_read(&mut buffer) {
        Ok(0) => return false,
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
        Err(_) => return false,
    }
    match tokio::time::timeout(WRITE_TIMEOUT, to.write_all(bytes)).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) | Err(_) => return false,
    }
    let read_back = async {
        loop {
            match from.read(&mut buffer).await {
                Ok(0) => return true,
                Ok(_) if buffer.first() == Some(&ACK) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    };
    if !tokio::time::timeout(READ_BACK_TIMEOUT, read_back).await.unwrap_or(false) {
        return false;
    }
    tokio::time::sleep(RESET_AFTER).await;
    matches!(from.as_ref().take_error(), Ok(None))
}

fn proof(done: &TillDone) -> Proof {
    let [a, b, ..] = *done.sale.sale.card.as_bytes();
    let digits = u16::from_be_bytes([a, b]).checked_rem(10_000).unwrap_or_default();
    let paid = (done.paid() != done.cents).then(|| done.paid());
    Proof { stan: done.stan.to_string(), card_digits: format!("{digits:04}"), paid }
}

const fn cause_of(why: Why) -> Cause {
    match why {
        Why::Refused => Cause::Refused,
        Why::Forbidden => Cause::Forbidden,
        Why::Operator => Cause::Operator,
        Why::TimedOut => Cause::TimedOut,
        Why::Selection => Cause::Selection,
        Why::Left(Left::Garbled) => Cause::Format,
        Why::Left(Left::Closed | Left::TookBack) => Cause::Abandoned,
        Why::NotCompleted => Cause::NotCompleted,
    }
}
