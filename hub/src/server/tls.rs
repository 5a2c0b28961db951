//! The certificate by which terminals know the hub's name. Money does not rest on it: what is signed is checked apart.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum_server::tls_rustls::RustlsConfig;
use ring::digest;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::signal::unix::Signal;
use tokio::time::MissedTickBehavior;

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds no PEM of its kind.
    #[error("{key} = {file}: {source}; it must be a PEM file that the hub's user can read", file = file.display())]
    Pem {
        /// The configuration's key.
        key: &'static str,
        /// Which file.
        file: PathBuf,
        /// What is wrong.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// Certificate and key do not fit, or are of a kind that is not served.
    #[error("tls_certificate {certificate} and tls_key {key}: {source}", certificate = certificate.display(), key = key.display())]
    Unfit {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        #[source]
        source: rustls::Error,
    },
}

/// How often the files are looked at, where nobody says that they are new (SIGHUP does).
pub const LOOK_EVERY: Duration = Duration::from_secs(60);

/// A certificate in service, and the files that a renewed one appears in.
#[derive(Debug)]
pub struct Certificate {
    certificate: PathBuf,
    key: PathBuf,
    served: RustlsConfig,
    /// Of both files as they were last looked at; none where one could not be read.
    seen: Option<digest::Digest>,
}

impl Certificate {
    /// Reads certificate chain and key.
    ///
    /// # Errors
    /// [`TlsError`] names the file.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        // Before the files are read: one that changes meanwhile is looked at again.
        let seen = fingerprint(certificate, key);
        let served = RustlsConfig::from_config(read(certificate, key)?);
        Ok(Self { certificate: certificate.to_owned(), key: key.to_owned(), served, seen })
    }

    /// What a listener takes: handshakes that begin after a renewal get the new certificate, connections that are open stay.
    #[must_use]
    pub fn served(&self) -> RustlsConfig {
        self.served.clone()
    }

    /// Takes up what lies in the files, where it is another than at the last look; says whether there was anything.
    ///
    /// # Errors
    /// What lies there cannot be served: the one of before stays in service.
    pub fn look(&mut self) -> Result<bool, TlsError> {
        let found = fingerprint(&self.certificate, &self.key);
        if seen_alike(self.seen.as_ref(), found.as_ref()) {
            return Ok(false);
        }
        self.seen = found;
        self.served.reload_from_config(read(&self.certificate, &self.key)?);
        Ok(true)
    }
}

/// Takes renewed certificates up for ever: each minute, and at SIGHUP. Without TLS it only keeps SIGHUP from ending the hub.
pub async fn renew(mut certificate: Option<Certificate>, mut told: Signal) {
    let mut every = tokio::time::interval(LOOK_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = told.recv() => {}
        }
        match certificate.as_mut().map(Certificate::look) {
            None | Some(Ok(false)) => {}
            Some(Ok(true)) => tracing::info!("the renewed certificate is in service"),
            Some(Err(error)) => {
                tracing::error!(%error, "the new certificate is not taken, the one of before stays in service");
            }
        }
    }
}

fn fingerprint(certificate: &Path, key: &Path) -> Option<digest::Digest> {
    let mut both = digest::Context::new(&digest::SHA256);
    for file in [certificate, key] {
        both.update(digest::digest(&digest::SHA256, &std::fs::read(file).ok()?).as_ref());
    }
    Some(both.finish())
}

fn seen_alike(before: Option<&digest::Digest>, now: Option<&digest::Digest>) -> bool {
    before.map(AsRef::as_ref) == now.map(AsRef::<[u8]>::as_ref)
}

fn read(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let bad_certificate = |source| TlsError::Pem { key: "tls_certificate", file: certificate.to_owned(), source };
    let chain = CertificateDer::pem_file_iter(certificate)
        .map_err(bad_certificate)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(bad_certificate)?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|source| TlsError::Pem {
        key: "tls_key",
        file: key.to_owned(),
        source,
    })?;
    let unfit = |source| TlsError::Unfit { certificate: certificate.to_owned(), key: key.to_owned(), source };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unfit)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(unfit)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
