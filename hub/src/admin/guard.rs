//! Who may see a page that is for this machine alone.
//!
//! The peer's address is not enough: a web page that another site opened in the admin's browser calls from this machine
//! too, under a name of its own choice (DNS rebinding), and so does a proxy. The name in `Host` tells them apart.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, header};

/// True where the request comes from this machine, was addressed to this machine, and no proxy says it carried it.
#[must_use]
pub fn is_loopback(peer: SocketAddr, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let forwarded = headers.contains_key(header::FORWARDED) || headers.contains_key("x-forwarded-for");
    peer.ip().to_canonical().is_loopback() && !forwarded && host.to_str().is_ok_and(is_loopback_name)
}

fn is_loopback_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((name, port)) if is_port(port) => name,
            Some(_) | None => return false,
        },
        None => match host.split_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            Some(_) => return false,
            None => host,
        },
    };
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    fn allowed(peer: &str, headers: &[(&'static str, &str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        is_loopback(SocketAddr::new(peer.parse().unwrap(), 1), &map)
    }

    #[test]
    fn this_machine_under_its_own_name() {
        for (peer, host) in [
            ("127.0.0.1", "127.0.0.1:7400"),
            ("127.0.0.1", "localhost"),
            ("127.0.0.1", "LOCALHOST:7400"),
            ("::1", "[::1]:7400"),
            ("::1", "[::1]"),
            ("::ffff:127.0.0.1", "127.0.0.1"),
        ] {
            assert!(allowed(peer, &[("host", host)]), "{peer} {host}");
        }
    }

    #[test]
    fn nobody_else() {
        let names = [
            "hub.example.org",
            "127.0.0.1.example.org",
            "localhost.example.org",
            "192.0.2.1",
            "localhost:x",
            "[::1]x",
            "[::1",
            "::1",
            "",
            "a@localhost",
        ];
        for host in names {
            assert!(!allowed("127.0.0.1", &[("host", host)]), "{host}");
        }
        assert!(!allowed("192.0.2.1", &[("host", "localhost")]));
        assert!(!allowed("127.0.0.1", &[]));
        assert!(!allowed("127.0.0.1", &[("host", "localhost"), ("host", "localhost")]));
        assert!(!allowed("127.0.0.1", &[("host", "localhost"), ("x-forwarded-for", "192.0.2.1")]));
        assert!(!allowed("127.0.0.1", &[("host", "localhost"), ("forwarded", "for=192.0.2.1")]));
    }
}
