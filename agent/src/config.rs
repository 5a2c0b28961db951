//! The configuration: flat TOML keys, each overridable as `CABAS_AGENT_<KEY>`; a key that is not known is an error.

use crate::card::ReaderConfig;
use crate::core::receipt::Language;
use crate::printer::{CodePage, PaperWidth, PrinterConfig, PrinterTarget};
use crate::till::caisse_ap::server::{Door, SILENCE};
use crate::till::concert::server as concert;
use crate::till::hw_proxy::server as hw_proxy;
use cabas_protocol::sync::WAIT_MS_MAX;
use cabas_protocol::{Cents, PublicKey};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// Where the configuration lies unless `--config` says otherwise.
pub const DEFAULT_FILE: &str = "/etc/cabas/agent.toml";

/// The agent's configuration.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where journal and keys lie.
    pub data_dir: PathBuf,
    /// Where the hub is; `enrol` writes it down, so that it can be left out here.
    pub hub_url: Option<String>,
    /// The certificate of an authority of one's own that the hub's certificate comes from, PEM.
    pub hub_ca: Option<PathBuf>,
    /// Where the cashier's page and the local API answer.
    pub listen: SocketAddr,
    /// Where telephones come in as the cashier's screen, such as `192.168.4.1:7411`; empty for nowhere.
    pub phone_listen: String,
    /// A name for that address beside itself, such as `caisse.local`; empty for none.
    pub phone_name: String,
    /// The language of receipts and of the cashier's page: `fr` or `en`.
    pub language: String,
    /// A part of the reader's name; empty for any.
    pub reader_match: String,
    /// `off`, `tcp://HOST:PORT`, `serial:/dev/ttyUSB0:9600` or the path of a device file.
    pub printer: String,
    /// The paper's width in millimetres: 58 or 80.
    pub printer_width_mm: u32,
    /// The number of the printer's table of characters (`ESC t`): 16 or 19.
    pub printer_code_page: u32,
    /// Print each receipt without being asked: French shops may not (code de l'environnement, D541-370).
    pub auto_print: bool,
    /// How long a sale waits for a card.
    pub sale_timeout_s: u32,
    /// The largest amount of one sale that is taken at the counter, in cents.
    pub sale_cents_max: u64,
    /// Seconds without work after which the counter is locked, where cashiers have codes; 0 for never.
    pub lock_after_s: u32,
    /// How long a purchase waits for the hub where the balance here is too small.
    pub extend_timeout_ms: u32,
    /// How long a sync waits at the hub for news.
    pub sync_wait_ms: u32,
    /// The longest pause between two tries to reach the hub.
    pub sync_pause_ms_max: u32,
    /// Where tills come in by Caisse-AP, such as `127.0.0.1:8888`; empty for nowhere. The protocol has no password and no
    /// encryption: what can connect there from an allowed machine can ask for a sale, and for money back for one of its own.
    pub till_caisse_ap_listen: String,
    /// The machines that tills are on, by IP address, with commas between. Each one named beside this machine lets whoever
    /// holds that address on the network act as the till; a name or a range is not taken, for both are easier to steal.
    pub till_caisse_ap_peers: String,
    /// The serial port, or USB as one, on which a till speaks Concert, such as `/dev/ttyUSB0`; empty for none.
    pub till_concert_device: String,
    /// How that line is set: speed, and `8N1` (USB) or `7E1` (RS-232).
    pub till_concert_line: String,
    /// Where tills come in by Concert over TCP, such as `127.0.0.1:9999`; empty for nowhere. No password, no encryption, as
    /// with Caisse-AP.
    pub till_concert_listen: String,
    /// The machines that those tills are on, by IP address, with commas between; at the same risk.
    pub till_concert_peers: String,
    /// Where points of sale in a browser come in by hw_proxy, such as `127.0.0.1:8069`; empty for nowhere.
    pub till_hw_proxy_listen: String,
    /// The origins of their pages, such as `https://odoo.example.org`, with commas between; pages of no other one are heard.
    pub till_hw_proxy_origins: String,
    /// The machines that their browsers are on, by IP address, with commas between.
    pub till_hw_proxy_peers: String,
    /// The category that tills' amounts fall in, by number or name; empty for the shop's first. A till names none: goods of
    /// another category that are rung up there are paid as if they were of this one.
    pub till_category: String,
    /// A folder of a second medium, such as `/media/cabas/journal`, to which every row is copied; empty for none.
    pub second_journal: String,
    /// The public half of the fund's release key, 64 hexadecimal digits: only programs that it signed are taken from the hub;
    /// empty for none.
    pub release_key: String,
    /// How often the hub is asked for a newer program, in seconds.
    pub upgrade_check_s: u32,
    /// How long nobody must have been served before a newer program is started, in seconds.
    pub upgrade_quiet_s: u32,
    /// How long a newer program must work before it stays, in seconds.
    pub upgrade_trial_s: u32,
    /// What is logged, as `tracing` filters are written: `info`, `cabas_agent=debug,warn`, ….
    pub log: String,
}

/// What is read of a configuration that a newer program may have been given.
#[derive(Deserialize)]
#[serde(default)]
struct DataDir {
    data_dir: PathBuf,
}

impl Default for DataDir {
    fn default() -> Self {
        Self { data_dir: Config::default().data_dir }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("/var/lib/cabas-agent"),
            hub_url: None,
            hub_ca: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 7410)),
            phone_listen: String::new(),
            phone_name: String::new(),
            language: String::from("fr"),
            reader_match: String::new(),
            printer: String::from("off"),
            printer_width_mm: 80,
            printer_code_page: 16,
            auto_print: false,
            sale_timeout_s: 120,
            sale_cents_max: 100_000,
            lock_after_s: 0,
            extend_timeout_ms: 1500,
            sync_wait_ms: 25_000,
            sync_pause_ms_max: 30_000,
            till_caisse_ap_listen: String::new(),
            till_caisse_ap_peers: String::from("127.0.0.1,::1"),
            till_concert_device: String::new(),
            till_concert_line: String::from("9600 8N1"),
            till_concert_listen: String::new(),
            till_concert_peers: String::from("127.0.0.1,::1"),
            till_hw_proxy_listen: String::new(),
            till_hw_proxy_origins: String::new(),
            till_hw_proxy_peers: String::from("127.0.0.1,::1"),
            till_category: String::new(),
            second_journal: String::new(),
            release_key: String::new(),
            upgrade_check_s: 600,
            upgrade_quiet_s: 60,
            upgrade_trial_s: 15,
            log: String::from("info"),
        }
    }
}

/// Why a configuration is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there, is not TOML, or has a key or a value that is not known.
    #[error("configuration {file}: {source}; correct the file or the CABAS_AGENT_ variable", file = file.display())]
    Read {
        /// Which file.
        file: PathBuf,
        /// What is wrong.
        #[source]
        source: Box<config::ConfigError>,
    },
    /// A value that makes no sense.
    #[error("configuration: {key} = {value}: {expected}")]
    Value {
        /// The key.
        key: &'static str,
        /// What stands there.
        value: String,
        /// What may.
        expected: &'static str,
    },
}

impl Config {
    /// Reads the configuration: `file`, or [`DEFAULT_FILE`] where it exists, then the environment.
    ///
    /// # Errors
    /// [`ConfigError`] says what is wrong and where.
    pub fn read(file: Option<&Path>) -> Result<Self, ConfigError> {
        let environment = config::Environment::with_prefix("CABAS_AGENT").prefix_separator("_").try_parsing(true);
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        let source = config::File::from(path).format(config::FileFormat::Toml).required(file.is_some());
        Self::built(path, config::Config::builder().add_source(source).add_source(environment).build())
    }

    /// Reads the text of a configuration file, without the environment.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn of_text(toml: &str) -> Result<Self, ConfigError> {
        let source = config::File::from_str(toml, config::FileFormat::Toml);
        Self::built(Path::new(DEFAULT_FILE), config::Config::builder().add_source(source).build())
    }

    fn built(path: &Path, read: Result<config::Config, config::ConfigError>) -> Result<Self, ConfigError> {
        let config: Self = read
            .and_then(config::Config::try_deserialize)
            .map_err(|source| ConfigError::Read { file: path.to_owned(), source: Box::new(source) })?;
        config.check()?;
        Ok(config)
    }

    /// Checks the values.
    ///
    /// # Errors
    /// [`ConfigError::Value`].
    pub fn check(&self) -> Result<(), ConfigError> {
        fn in_range(
            key: &'static str,
            value: u32,
            min: u32,
            max: u32,
            expected: &'static str,
        ) -> Result<(), ConfigError> {
            let wrong = || ConfigError::Value { key, value: value.to_string(), expected };
            if (min..=max).contains(&value) { Ok(()) } else { Err(wrong()) }
        }
        if !self.listen.ip().is_loopback() {
            let value = self.listen.to_string();
            let expected = "an address of this machine, such as 127.0.0.1:7410; other machines are never let in there, \
                            telephones by phone_listen";
            return Err(ConfigError::Value { key: "listen", value, expected });
        }
        if !(self.second_journal.is_empty() || self.second_journal.starts_with('/')) {
            let (value, expected) =
                (self.second_journal.clone(), "a folder's whole path, such as /media/cabas/journal");
            return Err(ConfigError::Value { key: "second_journal", value, expected });
        }
        self.phone_address()?;
        self.caisse_ap()?;
        self.concert()?;
        self.concert_device()?;
        self.hw_proxy()?;
        self.language()?;
        self.printer()?;
        self.sale_max()?;
        if let Some(url) = &self.hub_url {
            hub_url("hub_url", url)?;
        }
        in_range("sale_timeout_s", self.sale_timeout_s, 5, 900, "between 5 and 900")?;
        if self.lock_after_s != 0 {
            in_range("lock_after_s", self.lock_after_s, 30, 86_400, "0 for never, or between 30 and 86400")?;
        }
        self.release_key()?;
        in_range("upgrade_check_s", self.upgrade_check_s, 1, 86_400, "between 1 and 86400")?;
        in_range("upgrade_quiet_s", self.upgrade_quiet_s, 1, 3600, "between 1 and 3600")?;
        in_range("upgrade_trial_s", self.upgrade_trial_s, 1, 600, "between 1 and 600")?;
        in_range("extend_timeout_ms", self.extend_timeout_ms, 0, 10_000, "between 0 and 10000")?;
        in_range("sync_wait_ms", self.sync_wait_ms, 1000, WAIT_MS_MAX, "between 1000 and 60000")?;
        in_range("sync_pause_ms_max", self.sync_pause_ms_max, 1000, 600_000, "between 1000 and 600000")
    }

    /// The data folder alone: what a newer program may have set beside it does not matter to who starts that program.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn data_dir(file: Option<&Path>) -> Result<PathBuf, ConfigError> {
        let environment = config::Environment::with_prefix("CABAS_AGENT").prefix_separator("_").try_parsing(true);
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        let source = config::File::from(path).format(config::FileFormat::Toml).required(file.is_some());
        let read = config::Config::builder().add_source(source).add_source(environment).build();
        let wrong = |source| ConfigError::Read { file: path.to_owned(), source: Box::new(source) };
        let read: DataDir = read.and_then(config::Config::try_deserialize).map_err(wrong)?;
        Ok(read.data_dir)
    }

    /// The fund's release key, where one is set.
    ///
    /// # Errors
    /// [`ConfigError::Value`].
    pub fn release_key(&self) -> Result<Option<PublicKey>, ConfigError> {
        let text = &self.release_key;
        if text.is_empty() {
            return Ok(None);
        }
        let expected = "the public half of a release key, 64 hexadecimal digits, as cabas-hub release key shows it";
        let wrong = || ConfigError::Value { key: "release_key", value: text.clone(), expected };
        PublicKey::from_hex(text).map(Some).ok_or_else(wrong)
    }

    /// Where telephones come in, where they do.
    ///
    /// # Errors
    /// [`ConfigError::Value`].
    pub fn phone_address(&self) -> Result<Option<SocketAddr>, ConfigError> {
        let name = &self.phone_name;
        if !name.is_empty() && !is_host_name(name) {
            let expected = "a name such as caisse.local: small letters, digits, hyphens, dots";
            return Err(ConfigError::Value { key: "phone_name", value: name.clone(), expected });
        }
        if self.phone_listen.is_empty() {
            return Ok(None);
        }
        let wrong = |expected| ConfigError::Value { key: "phone_listen", value: self.phone_listen.clone(), expected };
        let address: SocketAddr =
            self.phone_listen.parse().map_err(|_| wrong("an address and a port such as 192.168.4.1:7411"))?;
        if address.ip().is_unspecified() {
            return Err(wrong("one address of this machine, such as 192.168.4.1:7411, never all of them"));
        }
        if !is_own_network(address.ip()) {
            return Err(wrong("a private address (10.…, 172.16.… to 172.31.…, 192.168.…, 169.254.…, fd…:)"));
        }
        if address.port() == 0 || address.port() == self.listen.port() {
            return Err(wrong("a port of its own, such as 7411"));
        }
        Ok(Some(address))
    }

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

    /// The language of receipts and page.
    ///
    /// # Errors
    /// [`ConfigError::Value`].
    pub fn language(&self) -> Result<Language, ConfigError> {
        match self.language.as_str() {
            "fr" => Ok(Language::French),
            "en" => Ok(Language::English),
            other => Err(ConfigError::Value { key: "language", value: other.to_owned(), expected: "fr or en" }),
        }
    }

    /// The largest amount of one sale.
    ///
    /// # Errors
    /// [`ConfigError::Value`].
    pub fn sale_max(&self) -> Result<Cents, ConfigError> {
        let value = self.sale_cents_max;
        let wrong = || ConfigError::Value {
            key: "sale_cents_max",
            value: value.to_string(),
            expected: "a number of cents over 0 of at most twelve digits",
        };
        Cents::new(value).ok().filter(|max| !max.is_zero()).ok_or_else(wrong)
    }

    /// The reader.
    #[must_use]
    pub fn reader(&self) -> ReaderConfig {
        ReaderConfig { name_contains: self.reader_match.clone() }
    }

    /// The printer.
    ///
    /// # Errors
    /// [`ConfigError::Value`].
    pub fn printer(&self) -> Result<PrinterConfig, ConfigError> {
        let target: PrinterTarget = self.printer.parse().map_err(|_| ConfigError::Value {
            key: "printer",
            value: self.printer.clone(),
            expected: "off, tcp://HOST:PORT, serial:/dev/ttyUSB0:9600 or the path of a device file",
        })?;
        let width = PaperWidth::from_mm(self.printer_width_mm).ok_or_else(|| ConfigError::Value {
            key: "printer_width_mm",
            value: self.printer_width_mm.to_string(),
            expected: "58 or 80",
        })?;
        let code_page = CodePage::from_number(self.printer_code_page).ok_or_else(|| ConfigError::Value {
            key: "printer_code_page",
            value: self.printer_code_page.to_string(),
            expected: "16 (Windows-1252) or 19 (PC858)",
        })?;
        Ok(PrinterConfig { target, width, code_page })
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

/// True for addresses that no router carries to the world. IPv6 link-local ones (`fe80:`) have no name in a browser.
const fn is_own_network(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local() || v4.is_loopback(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_loopback(),
    }
}

/// A name as it stands in a certificate (RFC 1123 §2.1), never a bare number.
fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(fits) && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label) && name.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// Checks the address of a hub: `https://…`, or `http://` on this machine.
///
/// # Errors
/// [`ConfigError::Value`].
pub fn hub_url(key: &'static str, text: &str) -> Result<reqwest::Url, ConfigError> {
    let wrong = |expected| ConfigError::Value { key, value: text.to_owned(), expected };
    let url = reqwest::Url::parse(text).map_err(|_| wrong("an address like https://hub.example.org"))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let loopback = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        "http" => return Err(wrong("http:// is for a hub on this machine only; write https://")),
        _ => return Err(wrong("an address that starts with https://")),
    }
    if host.is_empty() || !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err(wrong("an address without user, password or query"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::unwrap_in_result, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use std::io::Write as _;

    fn read(toml: &str) -> Result<Config, ConfigError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(toml.as_bytes()).unwrap();
        Config::read(Some(file.path()))
    }

    #[test]
    fn an_empty_file_is_the_default_and_the_default_is_valid() {
        assert_eq!(read("").unwrap(), Config::default());
        assert_eq!(Config::default().printer().unwrap().target, PrinterTarget::Off);
        assert!(!Config::default().auto_print);
    }

    #[test]
    fn every_key_is_read() {
        let config = read(
            "data_dir = '/d'\nhub_url = 'https://h.example'\nhub_ca = 'ca'\nlisten = '[::1]:1'\nphone_listen = '10.0.0.1:2'\nphone_name = 'a.local'\nlanguage = 'en'\n\
             reader_match = 'PICC'\nprinter = 'tcp://p:9'\nprinter_width_mm = 58\nprinter_code_page = 19\n\
             auto_print = true\nsale_timeout_s = 60\nsale_cents_max = 5\nlock_after_s = 300\nextend_timeout_ms = 1\nsync_wait_ms = 2000\n\
             sync_pause_ms_max = 3000\ntill_caisse_ap_listen = '10.0.0.1:8888'\ntill_caisse_ap_peers = '10.0.0.9'\n\
             till_hw_proxy_listen = '127.0.0.1:8069'\ntill_hw_proxy_origins = 'https://o.example'\n\
             till_hw_proxy_peers = '::1'\n\
             till_concert_device = '/dev/ttyS0'\ntill_concert_line = '1200 7E1'\ntill_concert_listen = '10.0.0.1:9999'\n\
             till_concert_peers = '10.0.0.9'\ntill_category = '3'\nlog = 'warn'\n\
             second_journal = '/media/x'\n\
             release_key = '3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29'\n\
             upgrade_check_s = 60\nupgrade_quiet_s = 5\nupgrade_trial_s = 30\n",
        )
        .unwrap();
        let expected = Config {
            data_dir: "/d".into(),
            hub_url: Some("https://h.example".into()),
            hub_ca: Some("ca".into()),
            listen: "[::1]:1".parse().unwrap(),
            phone_listen: "10.0.0.1:2".into(),
            phone_name: "a.local".into(),
            language: "en".into(),
            reader_match: "PICC".into(),
            printer: "tcp://p:9".into(),
            printer_width_mm: 58,
            printer_code_page: 19,
            auto_print: true,
            sale_timeout_s: 60,
            sale_cents_max: 5,
            lock_after_s: 300,
            extend_timeout_ms: 1,
            sync_wait_ms: 2000,
            sync_pause_ms_max: 3000,
            till_caisse_ap_listen: "10.0.0.1:8888".into(),
            till_caisse_ap_peers: "10.0.0.9".into(),
            till_hw_proxy_listen: "127.0.0.1:8069".into(),
            till_hw_proxy_origins: "https://o.example".into(),
            till_hw_proxy_peers: "::1".into(),
            till_concert_device: "/dev/ttyS0".into(),
            till_concert_line: "1200 7E1".into(),
            till_concert_listen: "10.0.0.1:9999".into(),
            till_concert_peers: "10.0.0.9".into(),
            till_category: "3".into(),
            second_journal: "/media/x".into(),
            release_key: "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29".into(),
            upgrade_check_s: 60,
            upgrade_quiet_s: 5,
            upgrade_trial_s: 30,
            log: "warn".into(),
        };
        assert_eq!(config, expected);
        assert_eq!(config.language().unwrap(), Language::English);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (toml, said) in [
            ("lisen = '127.0.0.1:1'", "lisen"),
            ("listen = 'here'", "listen"),
            ("second_journal = 'stick'", "whole path"),
            ("listen = ", "TOML"),
            ("release_key = 'abc'", "release_key"),
            ("upgrade_trial_s = 0", "upgrade_trial_s"),
            ("listen = '0.0.0.0:7410'", "phone_listen"),
            ("listen = '192.168.4.1:7410'", "phone_listen"),
            ("phone_listen = '0.0.0.0:7411'", "never all of them"),
            ("till_caisse_ap_listen = '0.0.0.0:8888'", "never all of them"),
            ("till_caisse_ap_listen = '8.8.8.8:8888'", "private"),
            ("till_caisse_ap_listen = '127.0.0.1:7410'", "port of its own"),
            ("till_caisse_ap_listen = 'here'", "8888"),
            ("till_caisse_ap_peers = '192.168.1.0/24'", "IP addresses"),
            ("till_hw_proxy_listen = '0.0.0.0:8069'", "never all of them"),
            ("till_hw_proxy_listen = '8.8.8.8:8069'", "private"),
            ("till_hw_proxy_listen = '127.0.0.1:8888'\ntill_caisse_ap_listen = '127.0.0.1:8888'", "port of its own"),
            ("till_hw_proxy_origins = '*'", "no path"),
            ("till_hw_proxy_origins = 'https://o.example/'", "no path"),
            ("till_hw_proxy_origins = 'https://O.example'", "no capitals"),
            ("till_hw_proxy_origins = 'null'", "no path"),
            ("till_hw_proxy_peers = 'a'", "IP addresses"),
            ("till_caisse_ap_peers = 'till.local'", "IP addresses"),
            ("till_concert_device = 'ttyUSB0'", "device file"),
            ("till_concert_line = '9600 8E1'", "7E1"),
            ("till_concert_listen = '0.0.0.0:9999'", "never all of them"),
            ("till_concert_listen = '127.0.0.1:8888'\ntill_caisse_ap_listen = '127.0.0.1:8888'", "another port"),
            ("till_concert_peers = 'till.local'", "IP addresses"),
            ("phone_listen = '[::]:7411'", "never all of them"),
            ("phone_listen = '8.8.8.8:7411'", "private"),
            ("phone_listen = '192.0.2.1:7411'", "private"),
            ("phone_listen = '[2001:db8::1]:7411'", "private"),
            ("phone_listen = '[fe80::1]:7411'", "private"),
            ("phone_listen = '[::ffff:8.8.8.8]:7411'", "private"),
            ("phone_listen = '192.168.4.1'", "a port"),
            ("phone_listen = '192.168.4.1:0'", "7411"),
            ("phone_listen = '192.168.4.1:7410'", "port of its own"),
            ("phone_listen = 'caisse.local:7411'", "an address"),
            ("phone_name = 'Caisse'", "small letters"),
            ("phone_name = 'a b'", "small letters"),
            ("phone_name = '10.0.0.1'", "small letters"),
            ("phone_name = 'a..b'", "small letters"),
            ("language = 'de'", "fr or en"),
            ("printer = 'usb'", "printer"),
            ("printer_width_mm = 70", "58 or 80"),
            ("printer_code_page = 1", "16"),
            ("sale_timeout_s = 0", "sale_timeout_s"),
            ("sale_cents_max = 0", "sale_cents_max"),
            ("lock_after_s = 5", "lock_after_s"),
            ("sync_wait_ms = 60001", "sync_wait_ms"),
            ("hub_url = 'hub'", "hub_url"),
            ("hub_url = 'http://hub.example.org'", "https://"),
            ("hub_url = 'ftp://hub.example.org'", "https://"),
            ("hub_url = 'https://a:b@hub.example.org'", "password"),
        ] {
            let error = read(toml).unwrap_err().to_string();
            assert!(error.contains(said), "{toml}: {error}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine() {
        for url in ["http://127.0.0.1:7400", "http://localhost:1", "http://[::1]:1", "https://hub.example.org/fund"] {
            assert!(hub_url("hub_url", url).is_ok(), "{url}");
        }
        assert!(hub_url("hub_url", "http://127.0.0.1.example.org").is_err());
    }

    #[test]
    fn a_named_file_must_be_there() {
        let error = Config::read(Some(Path::new("/nowhere/agent.toml"))).unwrap_err();
        assert!(error.to_string().contains("/nowhere/agent.toml"), "{error}");
    }
}
