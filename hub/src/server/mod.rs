//! The listening side: the port, TLS, slow clients, the end.

pub mod connection;
pub mod run;
pub mod tls;

pub use tls::{Certificate, TlsError};

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use axum::Router;
use axum_server::tls_rustls::RustlsAcceptor;
use axum_server::{Handle, Server};

use tokio::signal::unix::{SignalKind, signal};

use connection::{BoundedAcceptor, CONNECTIONS_MAX};

/// How long a client may take for the head of a request, and how long an unused connection is kept.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may take for a TLS handshake.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a request's head, at the most.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;
/// How long requests under way may take once the hub is told to stop.
pub const GRACE: Duration = Duration::from_secs(10);

/// A port that is open, and what will answer there.
#[derive(Debug)]
pub struct Listening {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Certificate>,
}

impl Listening {
    /// Opens the port; 0 takes a free one.
    ///
    /// # Errors
    /// The port is taken, or not this user's.
    pub fn open(address: SocketAddr, tls: Option<Certificate>) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, tls })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `handle` is told to stop, with renewed certificates as they come.
    ///
    /// # Errors
    /// The port, or the signal by which a renewal is told.
    pub async fn serve(self, app: Router, handle: Handle<SocketAddr>) -> io::Result<()> {
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        let bounded = BoundedAcceptor::new(CONNECTIONS_MAX);
        let server = axum_server::from_tcp(self.listener)?;
        let tls = self.tls.as_ref().map(Certificate::served);
        let renewing = tls::renew(self.tls, signal(SignalKind::hangup())?);
        let serving = async {
            match tls {
                None => limited(server.acceptor(bounded), handle).serve(service).await,
                Some(tls) => {
                    let acceptor = RustlsAcceptor::new(tls).handshake_timeout(HANDSHAKE_TIMEOUT).acceptor(bounded);
                    limited(server.acceptor(acceptor), handle).serve(service).await
                }
            }
        };
        tokio::select! {
            served = serving => served,
            () = renewing => Ok(()),
        }
    }
}

fn limited<A>(server: Server<SocketAddr, A>, handle: Handle<SocketAddr>) -> Server<SocketAddr, A> {
    // Who it was is nobody's business here; that it happens is worth a line when somebody looks for it.
    let not_accepted =
        |_: Option<&SocketAddr>, error: &io::Error| tracing::debug!(%error, "a connection was not taken");
    let server = server.accept_error_handler(not_accepted);
    let mut server = server.http1_only().first_request_timeout(HEAD_TIMEOUT).handle(handle);
    server.http_builder().http1().header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_BYTES_MAX);
    server
}
