//! The configuration: flat TOML keys, each overridable as `CABAS_HUB_<KEY>`; a key that is not known is an error.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::core::slices::{FREE_SHARE_PERCENT, STEADY_PERCENT, Shares};

/// Where the configuration lies unless `--config` says otherwise.
pub const DEFAULT_FILE: &str = "/etc/cabas/hub.toml";
/// How long an enrolment code may live, in hours.
pub const CODE_VALID_HOURS_MAX: u32 = 24 * 14;

/// The silence of a terminal that is told unless the configuration says otherwise, in hours: a long weekend.
pub const ALERT_SILENT_HOURS: u32 = 96;

/// The hub's configuration.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where database and keys lie.
    pub data_dir: PathBuf,
    /// Where terminals and the admin reach the hub.
    pub listen: SocketAddr,
    /// The server's certificate chain, PEM. With `tls_key`.
    pub tls_certificate: Option<PathBuf>,
    /// The key of the certificate, PEM.
    pub tls_key: Option<PathBuf>,
    /// Serve plain HTTP to other machines: only behind a proxy that does TLS.
    pub allow_plain_http: bool,
    /// Who reaches the web site.
    pub site: Site,
    /// True where a proxy in front of the hub does TLS for browsers: the site's cookie goes by HTTPS only.
    pub behind_tls_proxy: bool,
    /// Who reads `/metrics`.
    pub metrics: AdminPage,
    /// What is logged, as `tracing` filters are written: `info`, `cabas_hub=debug,warn`, ….
    pub log: String,
    /// How long an enrolment code lives.
    pub code_valid_hours: u32,
    /// The fund's SIREN, nine digits: names its accounting export.
    pub siren: Option<String>,
    /// What of a household's money stays free at the hub, in percent.
    pub slices_free_percent: u8,
    /// What a terminal with a steady network gets of its part, in percent.
    pub slices_steady_percent: u8,
    /// Where `deploy/backup` puts its copies; `backups` in the data folder unless it is said.
    pub backup_dir: Option<PathBuf>,
    /// The mail server that takes alerts, as `host` or `host:port`.
    pub alert_mail_server: Option<String>,
    /// How it is spoken to.
    pub alert_mail_tls: MailTls,
    /// Whom alerts come from.
    pub alert_mail_from: Option<String>,
    /// Whom they go to, separated by commas.
    pub alert_mail_to: Option<String>,
    /// The login at the mail server. With `alert_mail_password_file`.
    pub alert_mail_user: Option<String>,
    /// The file with its password.
    pub alert_mail_password_file: Option<PathBuf>,
    /// A certificate (PEM) that is trusted beside the system's, for a mail server of the association's own.
    pub alert_mail_ca: Option<PathBuf>,
    /// Where alerts are posted as JSON.
    pub alert_webhook: Option<String>,
    /// The file with the address, where the address is a secret itself.
    pub alert_webhook_file: Option<PathBuf>,
    /// The file with the token that goes with it.
    pub alert_webhook_token_file: Option<PathBuf>,
    /// The silence of a terminal that is told, in hours.
    pub alert_silent_hours: u32,
    /// The site's address, for the links in alerts.
    pub alert_site: Option<String>,
}

/// How a mail server is spoken to.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// TLS after a plain greeting, and nothing without it: port 587.
    Starttls,
    /// TLS from the first byte: port 465.
    Tls,
    /// None: to a server on this machine alone, port 25.
    None,
}

/// Who reaches the web site; whoever does must log in.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Site {
    /// Who reaches the port.
    On,
    /// Who asks from this machine, under a name of this machine.
    Loopback,
    /// Nobody.
    Off,
}

/// Who sees a page.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum AdminPage {
    /// Who asks from this machine, under a name of this machine.
    Loopback,
    /// Nobody.
    Off,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("/var/lib/cabas-hub"),
            listen: SocketAddr::from(([127, 0, 0, 1], 7400)),
            tls_certificate: None,
            tls_key: None,
            allow_plain_http: false,
            site: Site::On,
            behind_tls_proxy: false,
            metrics: AdminPage::Loopback,
            log: String::from("info"),
            code_valid_hours: 24,
            siren: None,
            slices_free_percent: FREE_SHARE_PERCENT,
            slices_steady_percent: STEADY_PERCENT,
            backup_dir: None,
            alert_mail_server: None,
            alert_mail_tls: MailTls::Starttls,
            alert_mail_from: None,
            alert_mail_to: None,
            alert_mail_user: None,
            alert_mail_password_file: None,
            alert_mail_ca: None,
            alert_webhook: None,
            alert_webhook_file: None,
            alert_webhook_token_file: None,
            alert_silent_hours: ALERT_SILENT_HOURS,
            alert_site: None,
        }
    }
}

/// Why a configuration is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there, is not TOML, or has a key or a value that is not known.
    #[error("configuration {file}: {source}; correct the file or the CABAS_HUB_ variable", file = file.display())]
    Read {
        /// Which file.
        file: PathBuf,
        /// What is wrong.
        #[source]
        source: Box<config::ConfigError>,
    },
    /// One of certificate and key without the other.
    #[error("configuration: tls_certificate and tls_key belong together; set both or neither")]
    HalfTls,
    /// Plain HTTP where others could listen.
    #[error(
        "configuration: listen = {0} without TLS would be read by others; set tls_certificate and tls_key, or \
         allow_plain_http = true behind a proxy that does TLS"
    )]
    PlainHttp(SocketAddr),
    /// A code that lives for ever, or not at all.
    #[error("configuration: code_valid_hours = {0} is not between 1 and {CODE_VALID_HOURS_MAX}")]
    CodeHours(u32),
    /// Not a SIREN.
    #[error("configuration: siren is not a SIREN: nine digits, the last of which checks the others; copy it again")]
    Siren,
    /// Alerts that could go nowhere, or in the open.
    #[error("configuration: {0}")]
    Alerts(&'static str),
    /// More than all.
    #[error("configuration: {key} = {value} is no share; set it between 0 and 100")]
    Percent {
        /// Which key.
        key: &'static str,
        /// What it says.
        value: u8,
    },
}

impl Config {
    /// Reads the configuration: `file`, or [`DEFAULT_FILE`] where it exists, then the environment.
    ///
    /// # Errors
    /// [`ConfigError`] says what is wrong and where.
    pub fn read(file: Option<&Path>) -> Result<Self, ConfigError> {
        let environment = config::Environment::with_prefix("CABAS_HUB").prefix_separator("_").try_parsing(true);
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

    /// Checks what one key alone does not tell.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.tls_certificate.is_some() != self.tls_key.is_some() {
            return Err(ConfigError::HalfTls);
        }
        if self.tls_certificate.is_none() && !self.listen.ip().is_loopback() && !self.allow_plain_http {
            return Err(ConfigError::PlainHttp(self.listen));
        }
        if !(1..=CODE_VALID_HOURS_MAX).contains(&self.code_valid_hours) {
            return Err(ConfigError::CodeHours(self.code_valid_hours));
        }
        if self.siren.as_deref().is_some_and(|siren| !is_siren(siren)) {
            return Err(ConfigError::Siren);
        }
        crate::alerts::Ways::of(self).map_err(ConfigError::Alerts)?;
        let Shares { free_percent, steady_percent } = self.shares();
        for (key, value) in [("slices_free_percent", free_percent), ("slices_steady_percent", steady_percent)] {
            if value > 100 {
                return Err(ConfigError::Percent { key, value });
            }
        }
        Ok(())
    }

    /// How money is to lie.
    #[must_use]
    pub const fn shares(&self) -> Shares {
        Shares { free_percent: self.slices_free_percent, steady_percent: self.slices_steady_percent }
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.data_dir.join("hub.db")
    }

    /// Where documents lie, each under its hash.
    #[must_use]
    pub fn documents_dir(&self) -> PathBuf {
        self.data_dir.join("documents")
    }

    /// Where the nightly copies lie.
    #[must_use]
    pub fn backups_dir(&self) -> PathBuf {
        self.backup_dir.clone().unwrap_or_else(|| self.data_dir.join("backups"))
    }

    /// The folder of the keys.
    #[must_use]
    pub fn keys_dir(&self) -> PathBuf {
        self.data_dir.join("keys")
    }
}

/// Nine digits with a Luhn check digit.
fn is_siren(text: &str) -> bool {
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(10)).collect();
    let sum = |digits: Vec<u32>| {
        let doubled = |digit: u32| digit.saturating_mul(2).checked_rem(9).filter(|_| digit < 9).unwrap_or(9);
        let weigh = |(at, digit): (usize, u32)| if at.is_multiple_of(2) { digit } else { doubled(digit) };
        digits.into_iter().rev().enumerate().map(weigh).fold(0_u32, u32::saturating_add)
    };
    text.len() == 9 && digits.is_some_and(|digits| sum(digits).is_multiple_of(10))
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
    fn an_empty_file_is_the_default() {
        assert_eq!(read("").unwrap(), Config::default());
    }

    #[test]
    fn every_key_is_read() {
        let config = read(
            "data_dir = '/d'\nlisten = '[::1]:1'\ntls_certificate = 'c'\ntls_key = 'k'\nallow_plain_http = true\n\
             site = 'loopback'\nbehind_tls_proxy = true\nmetrics = 'off'\nlog = 'warn'\ncode_valid_hours = 2\nsiren = '732829320'\n\
             slices_free_percent = 30\nslices_steady_percent = 50\n",
        );
        let expected = Config {
            data_dir: "/d".into(),
            listen: "[::1]:1".parse().unwrap(),
            tls_certificate: Some("c".into()),
            tls_key: Some("k".into()),
            allow_plain_http: true,
            site: Site::Loopback,
            behind_tls_proxy: true,
            metrics: AdminPage::Off,
            log: "warn".into(),
            code_valid_hours: 2,
            siren: Some("732829320".to_owned()),
            slices_free_percent: 30,
            slices_steady_percent: 50,
            ..Config::default()
        };
        assert_eq!(config.unwrap(), expected);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (toml, said) in [
            ("lisen = '127.0.0.1:1'", "lisen"),
            ("listen = 'here'", "listen"),
            ("[server]\nlisten = '127.0.0.1:1'", "server"),
            ("listen = ", "TOML"),
            ("site = 'everybody'", "everybody"),
            ("tls_key = 'k'", "tls_certificate"),
            ("listen = '0.0.0.0:7400'", "allow_plain_http"),
            ("code_valid_hours = 0", "code_valid_hours"),
            ("siren = '732829321'", "siren"),
            ("siren = '73282932'", "siren"),
            ("slices_free_percent = 101", "slices_free_percent"),
            ("slices_steady_percent = 101", "slices_steady_percent"),
        ] {
            let error = read(toml).unwrap_err().to_string();
            assert!(error.contains(said), "{toml}: {error}");
        }
    }

    #[test]
    fn plain_http_to_others_is_a_decision() {
        assert!(read("listen = '0.0.0.0:7400'\nallow_plain_http = true").is_ok());
    }

    #[test]
    fn a_named_file_must_be_there() {
        let error = Config::read(Some(Path::new("/nowhere/hub.toml"))).unwrap_err();
        assert!(error.to_string().contains("/nowhere/hub.toml"), "{error}");
    }
}
