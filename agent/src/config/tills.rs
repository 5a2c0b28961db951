//! How tills come in: addresses, devices, and who may.

use super::{Config, ConfigError, is_own_network};
use crate::till::caisse_ap::server::{Door, SILENCE};
use crate::till::concert::server as concert;
use crate::till::hw_proxy::server as hw_proxy;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

impl Config {
    /// Where tills come in by Caisse-AP, and from where, where they do.
    ///
    /// # Errors
    /// [`ConfigError::Value`].
    pub fn caisse_ap(&self) -> Result<Option<Door>, ConfigError> {
        let peers = peers("till_caisse_ap_peers", &self.till_caisse_ap_peers)?;
        let address = self.till_address("till_caisse_ap_listen", &self.till_caisse_ap_listen)?;
        Ok(address.map(|address| Door { address, peers, silence: SILENCE }))
    }

    /// Where tills come in by Concert over TCP, and from where, where they do.
    ///
    /// # Errors
    /// [`ConfigError::Value`].
    pub fn concert(&self) -> Result<Option<concert::Door>, ConfigError> {
        let peers = peers("till_concert_peers", &self.till_concert_peers)?;
        let address = self.till_address("till_concert_listen", &self.till_concert_listen)?;
        port_of_its_own("till_concert_listen", &self.till_concert_listen, &[&self.till_caisse_ap_listen])?;
        Ok(address.map(|address| concert::Door { address, peers }))
    }

    /// The serial port of a till that speaks Concert, where there is one.
    ///
    /// # Errors
    /// [`ConfigError::Value`].
    pub fn concert_device(&self) -> Result<Option<concert::Device>, ConfigError> {
        let (device, line) = (&self.till_concert_device, &self.till_concert_line);
        let settings = line.parse().map_err(|_| ConfigError::Value {
            key: "till_concert_line",
            value: line.clone(),
            expected: "9600 8N1 or 9600 7E1, with a speed of 1200 to 115200",
        })?;
        if device.is_empty() {
            return Ok(None);
        }
        if !device.starts_with('/') {
            let expected = "the path of a device file such as /dev/serial/by-id/…";
            return Err(ConfigError::Value { key: "till_concert_device", value: device.clone(), expected });
        }
        Ok(Some(concert::Device { path: PathBuf::from(device), settings }))
    }

    /// Where points of sale come in by hw_proxy, from where and from which pages, where they do.
    ///
    /// # Errors
    /// [`ConfigError::Value`].
    pub fn hw_proxy(&self) -> Result<Option<hw_proxy::Door>, ConfigError> {
        let peers = peers("till_hw_proxy_peers", &self.till_hw_proxy_peers)?;
        let (key, text) = ("till_hw_proxy_origins", &self.till_hw_proxy_origins);
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let origins: BTreeSet<String> = names.map(str::to_owned).collect();
        if let Some(value) = origins.iter().find(|origin| !is_origin(origin)) {
            let expected = "origins such as https://odoo.example.org with commas between, as the browser writes them: no path, \
                            no capitals, a port only where it is not the usual one";
            return Err(ConfigError::Value { key, value: value.clone(), expected });
        }
        let address = self.till_address("till_hw_proxy_listen", &self.till_hw_proxy_listen)?;
        let others = [&self.till_caisse_ap_listen, &self.till_concert_listen];
        port_of_its_own("till_hw_proxy_listen", &self.till_hw_proxy_listen, &others)?;
        Ok(address.map(|address| hw_proxy::Door { address, peers, origins }))
    }

    /// An address where tills come in.
    fn till_address(&self, key: &'static str, text: &str) -> Result<Option<SocketAddr>, ConfigError> {
        if text.is_empty() {
            return Ok(None);
        }
        let wrong = |expected| ConfigError::Value { key, value: text.to_owned(), expected };
        let address: SocketAddr = text.parse().map_err(|_| wrong("an address and a port such as 127.0.0.1:8888"))?;
        if address.ip().is_unspecified() || !is_own_network(address.ip()) {
            return Err(wrong("one private address of this machine, such as 127.0.0.1:8888, never all of them"));
        }
        if address.port() == 0 || address.port() == self.listen.port() {
            return Err(wrong("a port of its own, such as 8888"));
        }
        Ok(Some(address))
    }
}

/// Machines by IP address.
fn peers(key: &'static str, text: &str) -> Result<BTreeSet<IpAddr>, ConfigError> {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    let peers = names.map(|name| name.parse::<IpAddr>().map(|address| address.to_canonical()));
    let wrong = || ConfigError::Value { key, value: text.to_owned(), expected: "IP addresses with commas between" };
    peers.collect::<Result<_, _>>().map_err(|_| wrong())
}

/// Two protocols cannot share an address.
fn port_of_its_own(key: &'static str, listen: &str, others: &[&String]) -> Result<(), ConfigError> {
    if !listen.is_empty() && others.iter().any(|other| *other == listen) {
        let expected = "another port: a port of its own for each kind of till";
        return Err(ConfigError::Value { key, value: listen.to_owned(), expected });
    }
    Ok(())
}

/// An origin as browsers write it (RFC 6454 §6.2).
fn is_origin(text: &str) -> bool {
    reqwest::Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text)
}
