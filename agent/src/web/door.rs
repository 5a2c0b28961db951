//! The telephones' door: TLS on one address of the shop's own network, HTTP/1.1 inside.
//!
//! It shares a thread with the counter, so nothing here waits without an end, and everything that a stranger on the network
//! can open is counted. The page on this machine has a door of its own, which none of it reaches.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::{App, LAST_WORDS, LISTENERS_MAX, guard::Names, phone_router};
use crate::phones::Phones;
use crate::service::Service;

/// Open connections: four telephones, and what browsers open beside.
const CONNECTIONS_MAX: usize = 32;
/// Open connections of one address: a browser has six, and asks for more now and then.
const CONNECTIONS_PER_ADDRESS_MAX: usize = 10;
/// How long TLS may take to come about.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request's head may take, and how long a connection may lie unused.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long the other side may leave what was sent unread: a telephone that has gone out of reach.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause between two tries to open the door.
const TRY_AGAIN: Duration = Duration::from_secs(10);
/// Pause where the system gives no connection.
const NO_CONNECTION_PAUSE: Duration = Duration::from_secs(1);

/// How many connections each address has.
type Counted = Arc<Mutex<BTreeMap<IpAddr, usize>>>;

/// A connection that is counted.
struct Place {
    counted: Counted,
    address: IpAddr,
}

impl Place {
    /// Nothing where there are enough.
    fn take(counted: &Counted, address: IpAddr) -> Option<Self> {
        let mut open = counted.lock().unwrap_or_else(PoisonError::into_inner);
        let all = open.values().fold(0_usize, |sum, count| sum.saturating_add(*count));
        let mine = open.get(&address).copied().unwrap_or(0);
        if all >= CONNECTIONS_MAX || mine >= CONNECTIONS_PER_ADDRESS_MAX {
            return None;
        }
        open.insert(address, mine.saturating_add(1));
        Some(Self { counted: Arc::clone(counted), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let left = open.get(&self.address).map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            open.remove(&self.address);
        } else {
            open.insert(self.address, left);
        }
    }
}

/// Lets telephones in until `stop` says so. An address that is not there yet is tried again: sales do not wait for it.
pub async fn serve_phones(phones: Arc<Phones>, service: Arc<Service>, stop: watch::Receiver<bool>) {
    let app = App {
        service,
        names: Arc::new(Names::of_phones(phones.address(), phones.name())),
        stop: stop.clone(),
        listeners: Arc::new(Semaphore::new(LISTENERS_MAX)),
        phones: Some(Arc::clone(&phones)),
        is_this_machine: false,
    };
    let router = phone_router(app);
    let mut stopping = stop.clone();
    let mut connections = JoinSet::new();
    tokio::select! {
        () = open_and_accept(&phones, router, &stop, &mut connections) => {}
        _ = stopping.wait_for(|stop| *stop) => {}
    }
    phones.set_listening(false);
    let last = async { while connections.join_next().await.is_some() {} };
    // What is left is dropped with the set.
    drop(tokio::time::timeout(LAST_WORDS, last).await);
}

async fn open_and_accept(phones: &Phones, router: Router, stop: &watch::Receiver<bool>, connections: &mut JoinSet<()>) {
    let listener = open(phones.address()).await;
    phones.set_listening(true);
    tracing::info!(address = %phones.address(), "telephones may come in");
    let acceptor = TlsAcceptor::from(Arc::clone(&phones.certificate().tls));
    let counted = Counted::default();
    loop {
        while connections.try_join_next().is_some() {}
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a telephone's connection was not taken");
                tokio::time::sleep(NO_CONNECTION_PAUSE).await;
                continue;
            }
        };
        // Too many: this one is closed, and nothing is said about it, for it may be one of many.
        let Some(place) = Place::take(&counted, peer.ip().to_canonical()) else { continue };
        let (acceptor, router, stop) = (acceptor.clone(), router.clone(), stop.clone());
        connections.spawn(async move {
            talk(stream, &acceptor, router, stop).await;
            drop(place);
        });
    }
}

async fn open(address: SocketAddr) -> TcpListener {
    let mut was_told = false;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) if was_told => tracing::debug!(%error, "the telephones' address is not there"),
            Err(error) => {
                tracing::warn!(%address, %error, "the telephones' address is not there; it is tried again");
                was_told = true;
            }
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}

async fn talk(stream: TcpStream, acceptor: &TlsAcceptor, router: Router, mut stop: watch::Receiver<bool>) {
    let unread_ms = u32::try_from(UNREAD_TIMEOUT.as_millis()).unwrap_or(u32::MAX);
    let set = rustix::net::sockopt::set_tcp_user_timeout(&stream, unread_ms).map_err(std::io::Error::from);
    if let Err(error) = set.and_then(|()| stream.set_nodelay(true)) {
        tracing::debug!(%error, "a telephone's connection cannot be set up");
        return;
    }
    // Plain HTTP on this port is no handshake and ends here.
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await else { return };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ended = connection.as_mut() => return,
        _ = stop.wait_for(|stop| *stop) => {}
    }
    connection.as_mut().graceful_shutdown();
    drop(connection.await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_by_address_and_in_all() {
        let counted = Counted::default();
        let address = |last| IpAddr::from([10, 0, 0, last]);
        let mine: Vec<_> =
            (0..=CONNECTIONS_PER_ADDRESS_MAX).filter_map(|_| Place::take(&counted, address(1))).collect();
        assert_eq!(mine.len(), CONNECTIONS_PER_ADDRESS_MAX);
        let others: Vec<_> = (2..100).filter_map(|last| Place::take(&counted, address(last))).collect();
        assert_eq!(mine.len() + others.len(), CONNECTIONS_MAX);
        drop(mine);
        assert!(Place::take(&counted, address(1)).is_some());
        drop(others);
        assert!(counted.lock().is_ok_and(|open| open.is_empty()));
    }
}
