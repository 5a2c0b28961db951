//! The certificate by which terminals know the hub's name. Money does not rest on it: what is signed is checked apart.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

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

/// Reads certificate chain and key.
///
/// # Errors
/// [`TlsError`] names the file.
pub fn load(certificate: &Path, key: &Path) -> Result<RustlsConfig, TlsError> {
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
    Ok(RustlsConfig::from_config(Arc::new(config)))
}
