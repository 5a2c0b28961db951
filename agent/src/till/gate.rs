//! How tills come in by TCP, whatever they speak: an address that is tried until it is there, the machines that may, and no
//! more connections at once than can be served.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

/// Pause between two tries to open the address, and after a connection that could not be taken.
const TRY_AGAIN: Duration = Duration::from_secs(10);
/// Machines turned away that are told of in the log, each once: one may come again and again.
const STRANGERS_MAX: usize = 8;

/// An open address.
pub(super) struct Gate {
    listener: TcpListener,
    places: Arc<Semaphore>,
    strangers: BTreeSet<IpAddr>,
}

impl Gate {
    /// Opens an address. One that is not there yet is tried again: sales do not wait for it.
    pub(super) async fn open(address: SocketAddr, protocol: &str, connections_max: usize) -> Self {
        let mut is_told = false;
        let listener = loop {
            match TcpListener::bind(address).await {
                Ok(listener) => break listener,
                Err(error) if !is_told => {
                    is_told = true;
                    tracing::error!(%error, %address, protocol, "tills cannot come in; it is tried again");
                }
                Err(_) => {}
            }
            tokio::time::sleep(TRY_AGAIN).await;
        };
        tracing::info!(%address, protocol, "tills may come in");
        Self { listener, places: Arc::new(Semaphore::new(connections_max)), strangers: BTreeSet::new() }
    }

    /// The next connection from one of `peers`, which the setting `key` names; its place is free again once it is dropped.
    /// What has ended among `connections` is forgotten meanwhile.
    pub(super) async fn next(
        &mut self,
        peers: &BTreeSet<IpAddr>,
        key: &str,
        connections: &mut JoinSet<()>,
    ) -> (TcpStream, IpAddr, OwnedSemaphorePermit) {
        loop {
            while connections.try_join_next().is_some() {}
            let (stream, peer) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a till's connection was not taken");
                    tokio::time::sleep(TRY_AGAIN).await;
                    continue;
                }
            };
            let peer = peer.ip().to_canonical();
            if !peers.contains(&peer) {
                if self.strangers.len() < STRANGERS_MAX && self.strangers.insert(peer) {
                    tracing::warn!(%peer, "a machine that is not in {key} was turned away");
                }
                continue;
            }
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                return (stream, peer, place);
            }
        }
    }
}
