//! Free ports of this machine.

use std::net::TcpListener;

/// A loopback port that nobody listens on at this moment.
///
/// # Errors
/// Where the system has none left.
pub fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
