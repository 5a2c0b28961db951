//! Connections: how many at once, and how long one that takes nothing is kept.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

/// Connections at once: a waiting poll of each of 10,000 terminals, and room.
pub const CONNECTIONS_MAX: usize = 12_288;
/// How long a client may take nothing of an answer before it is given up.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Accepts connections up to a limit; one over it is closed at once.
#[derive(Clone, Debug)]
pub struct BoundedAcceptor {
    free: Arc<Semaphore>,
}

impl BoundedAcceptor {
    /// As many at once.
    #[must_use]
    pub fn new(connections_max: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(connections_max)) }
    }

    fn admit(&self, stream: TcpStream) -> io::Result<Connection> {
        let permit = Arc::clone(&self.free).try_acquire_owned();
        let permit = permit.map_err(|_| io::Error::new(io::ErrorKind::ConnectionRefused, "too many connections"))?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, stalled: None, _permit: permit })
    }
}

impl<S> Accept<TcpStream, S> for BoundedAcceptor {
    type Stream = Connection;
    type Service = S;
    type Future = std::future::Ready<io::Result<(Connection, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        std::future::ready(self.admit(stream).map(|connection| (connection, service)))
    }
}

/// A connection that counts against the limit as long as it lives.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// Runs while the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    /// Gives up a client that has taken nothing for [`WRITE_TIMEOUT`].
    fn watch<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(WRITE_TIMEOUT)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.watch(cx, written)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_connection_over_the_limit_is_closed_and_one_that_ends_leaves_its_place() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = BoundedAcceptor::new(1);
        let accept = async || {
            let client = TcpStream::connect(address).await.unwrap();
            let accepted = acceptor.accept(listener.accept().await.unwrap().0, ()).await;
            (client, accepted)
        };
        let (_client, first) = accept().await;
        assert!(first.is_ok());
        let (_client, second) = accept().await;
        assert_eq!(second.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        drop(first);
        assert!(accept().await.1.is_ok());
    }
}
