//! Alerts to a program: a POST with JSON.

use std::path::PathBuf;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};

use super::{DELIVERY_TIMEOUT, Letter, Undelivered, is_here, secret};
use crate::config::Config;

/// Where alerts are posted.
#[derive(Clone)]
pub struct Webhook {
    address: Address,
    token: Option<PathBuf>,
}

#[derive(Clone)]
enum Address {
    Named(String),
    InFile(PathBuf),
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Webhook([REDACTED])")
    }
}

impl Webhook {
    /// What the configuration says; none where it names no address.
    ///
    /// # Errors
    /// What cannot be, and what to do.
    pub fn of(config: &Config) -> Result<Option<Self>, &'static str> {
        let address = match (&config.alert_webhook, &config.alert_webhook_file) {
            (None, None) if config.alert_webhook_token_file.is_some() => {
                return Err("alert_webhook_token_file without alert_webhook reaches nobody; set the address");
            }
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => return Err("set one of alert_webhook and alert_webhook_file"),
            (Some(address), None) if is_private(address) => Address::Named(address.clone()),
            (Some(_), None) => return Err("alert_webhook is an https address, or http on this machine"),
            (None, Some(file)) => Address::InFile(file.clone()),
        };
        Ok(Some(Self { address, token: config.alert_webhook_token_file.clone() }))
    }

    /// Posts it.
    ///
    /// # Errors
    /// [`Undelivered`].
    pub async fn send(&self, letter: &Letter) -> Result<(), Undelivered> {
        let address = match &self.address {
            Address::Named(address) => address.clone(),
            Address::InFile(file) => secret(file)?.to_string(),
        };
        if !is_private(&address) {
            return Err(Undelivered::Address);
        }
        // A second installation finds the first, which is the same.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder()
            .user_agent(concat!("cabas-hub/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .timeout(DELIVERY_TIMEOUT)
            .build()
            .map_err(|error| Undelivered::Unreached(error.without_url()))?;
        let mut request = client.post(&address).header(CONTENT_TYPE, "application/json").body(letter.json.to_string());
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {}", secret(token)?.as_str()));
        }
        let answer = request.send().await.map_err(|error| Undelivered::Unreached(error.without_url()))?;
        let status = answer.status();
        if status.is_success() { Ok(()) } else { Err(Undelivered::Answered(status.as_u16())) }
    }
}

/// True for an address to which nobody listens in.
fn is_private(address: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(address) else { return false };
    match url.scheme() {
        "https" => true,
        "http" => url.host_str().is_some_and(is_here),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_private_by_its_host_and_not_by_how_it_begins() {
        for address in ["https://a.example/x", "http://localhost/x", "http://127.0.0.1:9/x", "http://[::1]:9/x"] {
            assert!(is_private(address), "{address}");
        }
        for address in [
            "http://a.example/x",
            "http://localhost:x@a.example/",
            "http://localhost@a.example/",
            "http://localhost.a.example/",
            "http://a.example?localhost:1",
            "ftp://localhost/",
            "https://",
            "localhost",
        ] {
            assert!(!is_private(address), "{address}");
        }
    }
}
