//! The configuration: flat TOML keys, each overridable as `CABAS_AGENT_<KEY>`; a key that is not known is an error.

mod tills;

use crate::card::ReaderConfig;
use crate::core::receipt::Language;
use crate::printer::{CodePage, PaperWidth, PrinterConfig, PrinterTarget};
use cabas_protocol::sync::WAIT_MS_MAX;
use cabas_protocol::{Cents, PublicKey};
use serde::Deserialize;
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
    /// The public half of the fund's release key, 64 hexadecimal digits: only programs that it signed are taken from the hub;
    /// empty for none.
    pub release_key: String,
    /// How often the hub is asked for a newer program, in seconds.
    pub upgrade_check_s: u32,
    /// How long nobody must have been served before a newer program is started, in seconds.
    pub upgrade_quiet_s: u32,
    /// How long a newer program must work before it stays, in seconds.
    pub upgrade_trial_s: u32,
    /// A folder of a second medium, such as `/media/cabas/journal`, to which every row is copied; empty for none.
    pub second_journal: String,
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
            release_key: String::new(),
            upgrade_check_s: 600,
            upgrade_quiet_s: 60,
            upgrade_trial_s: 15,
            second_journal: String::new(),
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
#[path = "config/tests.rs"]
mod tests;
