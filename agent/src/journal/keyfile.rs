//! The terminal's secrets: a file that only the agent may read, beside the journal and never in it.

use cabas_protocol::Signer;
use cabas_protocol::codec;
use cabas_protocol::enrol::TerminalSecrets;
use cabas_protocol::keys::CardKey;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::{Zeroize as _, Zeroizing};

/// What the file can hold.
const FILE_BYTES_MAX: u64 = 1024;

/// What only this terminal has: the seed of its key, and what the hub gave it at enrolment.
#[derive(Clone, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct TerminalKeys {
    #[cbor(n(0), with = "minicbor::bytes")]
    seed: [u8; 32],
    #[n(1)]
    secrets: TerminalSecrets,
}

impl Drop for TerminalKeys {
    fn drop(&mut self) {
        self.seed.zeroize();
    }
}

impl std::fmt::Debug for TerminalKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TerminalKeys([REDACTED])")
    }
}

/// Why the secrets cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others may read it.
    #[error("{} may be read by others (mode {mode:o}); chmod 600 it, and enrol again if somebody may have", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is not such a file.
    #[error("{} does not hold this terminal's keys; enrol again", .0.display())]
    Malformed(PathBuf),
}

impl TerminalKeys {
    /// Takes the parts.
    #[must_use]
    pub fn new(seed: &[u8; 32], secrets: TerminalSecrets) -> Self {
        Self { seed: *seed, secrets }
    }

    /// The terminal's signing key; nothing where the seed makes none.
    #[must_use]
    pub fn signer(&self) -> Option<Signer> {
        Signer::from_seed(&self.seed).ok()
    }

    /// The fund's card key.
    #[must_use]
    pub fn card_key(&self) -> CardKey {
        CardKey::new(self.secrets.card_key)
    }

    /// The key of the MACs in the records that this terminal writes to cards.
    #[must_use]
    pub fn record_key(&self) -> cabas_card::Key {
        cabas_card::Key::new(self.secrets.record_key)
    }

    /// A secret for one purpose, from the seed: HMAC-SHA-256, so that it says nothing of the seed.
    pub(super) fn derived(&self, purpose: &[u8]) -> Zeroizing<[u8; 32]> {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &self.seed);
        let mut out = Zeroizing::new([0; 32]);
        for (to, from) in out.iter_mut().zip(ring::hmac::sign(&key, purpose).as_ref()) {
            *to = *from;
        }
        out
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let bytes = read_private(path)?;
        codec::decode(&bytes, bytes.len()).map_err(|_| KeyFileError::Malformed(path.to_owned()))
    }

    /// Writes the file, durably; it stands there whole or not at all.
    ///
    /// # Errors
    /// [`KeyFileError::Io`].
    pub fn write(&self, path: &Path) -> Result<(), KeyFileError> {
        write_private(path, &Zeroizing::new(codec::encode(self)))
    }
}

/// Reads a small file that nobody else may read.
///
/// # Errors
/// [`KeyFileError`].
pub fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    read_private_up_to(path, FILE_BYTES_MAX)
}

/// The same with another limit; what lies past it is not read.
///
/// # Errors
/// [`KeyFileError`].
pub fn read_private_up_to(path: &Path, bytes_max: u64) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let fail = |source| KeyFileError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(fail)?;
    let mode = file.metadata().map_err(fail)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Open { path: path.to_owned(), mode });
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(bytes_max).read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}

/// Writes a file that nobody else may read, durably; it stands there whole or not at all.
///
/// # Errors
/// [`KeyFileError::Io`].
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), KeyFileError> {
    let fail = |source| KeyFileError::Io { path: path.to_owned(), source };
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fail(error)),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).map_err(fail)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(fail)?;
    std::fs::rename(&new, path).and_then(|()| sync_folder(path)).map_err(fail)
}

/// Makes a folder for its owner alone, and those above it that are missing, durably: a folder's name is so once the one
/// above it is synced. An earlier try that was cut off may have made it, so one is synced in any case.
///
/// # Errors
/// An [`io::Error`].
pub fn make_folder(path: &Path) -> io::Result<()> {
    let missing = path.ancestors().take_while(|above| !above.exists()).count();
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    for made in path.ancestors().take(missing.max(1)) {
        match sync_folder(made) {
            // Who may not read a folder cannot sync it.
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Makes a change of names in a file's folder durable.
///
/// # Errors
/// An [`io::Error`].
pub fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder)?.sync_all()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    fn keys() -> TerminalKeys {
        TerminalKeys::new(&[7; 32], TerminalSecrets { card_key: [8; 32], record_key: [9; 16] })
    }

    #[test]
    fn keys_are_read_back_from_a_file_that_only_the_owner_reads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("terminal.key");
        keys().write(&path).unwrap();
        keys().write(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(TerminalKeys::read(&path).unwrap(), keys());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(TerminalKeys::read(&path), Err(KeyFileError::Open { mode: 0o640, .. })));
    }

    #[test]
    fn a_file_of_anything_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("terminal.key");
        write_private(&path, b"hello").unwrap();
        assert!(matches!(TerminalKeys::read(&path), Err(KeyFileError::Malformed(_))));
        assert!(matches!(TerminalKeys::read(&folder.path().join("none")), Err(KeyFileError::Io { .. })));
    }

    #[test]
    fn keys_are_never_shown() {
        assert_eq!(format!("{:?}", keys()), "TerminalKeys([REDACTED])");
    }
}
