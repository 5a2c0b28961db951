//! The certificate that telephones see: made once, signed by itself, kept beside the journal.
//!
//! No authority names an address of a shop's own network. A person compares the fingerprint instead, once a telephone.

use crate::journal::keyfile::{KeyFileError, read_private_up_to, write_private};
use cabas_protocol::codec;
use cabas_protocol::sign::sha256;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file in the data folder.
pub const FILE: &str = "phone.key";
/// Bytes of the file.
const FILE_BYTES_MAX: u64 = 8 * 1024;
/// Years in which it is valid: a board without a clock of its own may not know the year. RFC 5280 §4.1.2.5.1 ends at 2049.
const YEARS: (i32, i32) = (2020, 2049);

/// What the file holds.
#[derive(minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
struct Kept {
    /// The names that it is for, in order.
    #[n(0)]
    names: Vec<String>,
    #[cbor(n(1), with = "minicbor::bytes")]
    key: Vec<u8>,
    #[cbor(n(2), with = "minicbor::bytes")]
    certificate: Vec<u8>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.key);
    }
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The file.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// It is not what this program writes.
    #[error("{} holds no certificate; move it away, and a new one is made with a new fingerprint", .0.display())]
    Malformed(PathBuf),
    /// It could not be made.
    #[error("no certificate can be made: {0}")]
    Made(#[from] rcgen::Error),
    /// TLS does not take it.
    #[error("the certificate cannot be used: {0}")]
    Tls(#[from] rustls::Error),
}

/// A certificate in use.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// What a connection is opened with.
    pub tls: Arc<rustls::ServerConfig>,
    /// SHA-256 of the certificate, as browsers show it.
    pub fingerprint: String,
}

impl Certificate {
    /// Reads the certificate for these names, or makes one where there is none or where it is for others.
    ///
    /// # Errors
    /// [`CertificateError`]. A file that is damaged is never replaced unasked: its fingerprint is what people compare.
    pub fn open(path: &Path, names: Vec<String>) -> Result<Self, CertificateError> {
        let kept = match read_private_up_to(path, FILE_BYTES_MAX) {
            Ok(bytes) => {
                let kept: Result<Kept, _> = codec::decode(&bytes, bytes.len());
                Some(kept.map_err(|_| CertificateError::Malformed(path.to_owned()))?)
            }
            Err(KeyFileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        match kept {
            Some(kept) if kept.names == names => Self::of(&kept),
            Some(_) | None => {
                let kept = make(names)?;
                write_private(path, &zeroize::Zeroizing::new(codec::encode(&kept)))?;
                Self::of(&kept)
            }
        }
    }

    fn of(kept: &Kept) -> Result<Self, CertificateError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(kept.key.clone()));
        let mut tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(vec![CertificateDer::from(kept.certificate.clone())], key)?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let hash = sha256(&[&kept.certificate]);
        let pairs: Vec<_> = hash.as_bytes().iter().map(|byte| format!("{byte:02X}")).collect();
        Ok(Self { tls: Arc::new(tls), fingerprint: pairs.join(":") })
    }
}

fn make(names: Vec<String>) -> Result<Kept, rcgen::Error> {
    let mut params = rcgen::CertificateParams::new(names.clone())?;
    params.not_before = rcgen::date_time_ymd(YEARS.0, 1, 1);
    params.not_after = rcgen::date_time_ymd(YEARS.1, 12, 31);
    params.distinguished_name.push(rcgen::DnType::CommonName, "Cabas");
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let key = rcgen::KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok(Kept { names, key: key.serialize_der(), certificate: certificate.der().to_vec() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn names(address: &str) -> Vec<String> {
        vec![address.to_owned()]
    }

    #[test]
    fn the_certificate_is_made_once_and_again_for_another_address() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let first = Certificate::open(&path, names("192.168.4.1")).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!((first.fingerprint.len(), first.fingerprint.matches(':').count()), (95, 31));
        assert_eq!(Certificate::open(&path, names("192.168.4.1")).unwrap().fingerprint, first.fingerprint);
        assert_ne!(Certificate::open(&path, names("10.0.0.1")).unwrap().fingerprint, first.fingerprint);
    }

    #[test]
    fn a_file_that_others_read_or_that_is_damaged_is_not_used_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        write_private(&path, b"no certificate").unwrap();
        assert!(matches!(Certificate::open(&path, names("10.0.0.1")), Err(CertificateError::Malformed(_))));
        assert_eq!(std::fs::read(&path).unwrap(), b"no certificate");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Certificate::open(&path, names("10.0.0.1")), Err(CertificateError::File(_))));
    }
}
