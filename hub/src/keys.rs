//! The fund's keys on disk: one file a key, 64 hexadecimal digits, readable by the owner alone.
//!
//! - `root.key` certifies the signing keys. It is used by `init` alone, so it may be moved to a safe place afterwards.
//! - `signing.key` signs everything that terminals get.
//! - `card.key` turns UIDs into card references.
//! - `record.key` is the master of the keys by which terminals mark card records.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use cabas_protocol::enrol::TerminalSecrets;
use cabas_protocol::keys::CardKey;
use cabas_protocol::{Epoch, Signer, TerminalId};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

/// The root key's file.
pub const ROOT: &str = "root.key";
const SIGNING: &str = "signing.key";
const CARD: &str = "card.key";
const RECORD: &str = "record.key";
/// A key file is 64 digits and a line end; what is longer is none.
const FILE_BYTES_MAX: u64 = 128;

type Secret = Zeroizing<[u8; 32]>;

/// Why a key is not had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("key file {file}: {source}; check that it is there and belongs to the user that runs the hub", file = file.display())]
    Io {
        /// Which file.
        file: PathBuf,
        /// What failed.
        #[source]
        source: std::io::Error,
    },
    /// Others may read it.
    #[error("key file {file} can be read by others (mode {mode:03o}); run chmod 600 on it", file = file.display())]
    Mode {
        /// Which file.
        file: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It holds no key.
    #[error("key file {file} does not hold 64 hexadecimal digits; restore it from the copy made at init", file = file.display())]
    Form {
        /// Which file.
        file: PathBuf,
    },
    /// The operating system gives no randomness.
    #[error("the operating system gives no random bytes; nothing was made")]
    NoRandom,
}

/// The master of the record keys.
#[derive(Clone)]
struct RecordMaster(Secret);

/// What the running hub holds.
pub struct HubSecrets {
    /// Signs what terminals get.
    pub signer: Signer,
    /// Turns UIDs into card references.
    pub card_key: CardKey,
    record_master: RecordMaster,
}

impl std::fmt::Debug for HubSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HubSecrets([REDACTED])")
    }
}

impl HubSecrets {
    /// Reads them.
    ///
    /// # Errors
    /// [`KeyError`] names the file.
    pub fn load(dir: &Path) -> Result<Self, KeyError> {
        let signing = dir.join(SIGNING);
        Ok(Self {
            signer: signer_of(&read(&signing)?, &signing)?,
            card_key: load_card_key(dir)?,
            record_master: RecordMaster(read(&dir.join(RECORD))?),
        })
    }

    /// What only one enrolment of one terminal and the hub know. The same each time it is asked.
    #[must_use]
    pub fn of_terminal(&self, terminal: TerminalId, epoch: Epoch) -> TerminalSecrets {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.record_master.0.as_ref());
        let mut context = hmac::Context::with_key(&key);
        context.update(&terminal.get().to_be_bytes());
        context.update(&epoch.get().to_be_bytes());
        let mut record_key = [0; 16];
        for (to, from) in record_key.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        TerminalSecrets { card_key: *self.card_key.expose(), record_key }
    }
}

/// Reads the card key alone: an import needs no other.
///
/// # Errors
/// [`KeyError`].
pub fn load_card_key(dir: &Path) -> Result<CardKey, KeyError> {
    Ok(CardKey::new(*read(&dir.join(CARD))?))
}

/// Makes all keys of a new fund in a new folder, each file durable and never written over.
///
/// # Errors
/// [`KeyError`] names the file, one that is there already among them.
pub fn create(dir: &Path) -> Result<(Signer, Signer), KeyError> {
    let io = |file: &Path| {
        let file = file.to_owned();
        move |source| KeyError::Io { file, source }
    };
    std::fs::DirBuilder::new().mode(0o700).create(dir).map_err(io(dir))?;
    let root = write_new(&dir.join(ROOT))?;
    let signing = write_new(&dir.join(SIGNING))?;
    write_new(&dir.join(CARD))?;
    write_new(&dir.join(RECORD))?;
    File::open(dir).and_then(|folder| folder.sync_all()).map_err(io(dir))?;
    Ok((signer_of(&root, &dir.join(ROOT))?, signer_of(&signing, &dir.join(SIGNING))?))
}

/// Fills a buffer with random bytes.
///
/// # Errors
/// [`KeyError::NoRandom`].
pub fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, KeyError> {
    let mut bytes = Zeroizing::new([0; N]);
    SystemRandom::new().fill(bytes.as_mut()).map_err(|_| KeyError::NoRandom)?;
    Ok(bytes)
}

fn signer_of(seed: &Secret, file: &Path) -> Result<Signer, KeyError> {
    Signer::from_seed(seed).map_err(|_| KeyError::Form { file: file.to_owned() })
}

fn write_new(file: &Path) -> Result<Secret, KeyError> {
    let secret = random::<32>()?;
    let mut digits = Zeroizing::new(String::with_capacity(65));
    for byte in secret.iter() {
        digits.push_str(&Zeroizing::new(format!("{byte:02x}")));
    }
    digits.push('\n');
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).and_then(|mut file| {
        file.write_all(digits.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|source| KeyError::Io { file: file.to_owned(), source })?;
    Ok(secret)
}

fn read(file: &Path) -> Result<Secret, KeyError> {
    let io = |source| KeyError::Io { file: file.to_owned(), source };
    let opened = File::open(file).map_err(io)?;
    let mode = opened.metadata().map_err(io)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Mode { file: file.to_owned(), mode });
    }
    let mut digits = Zeroizing::new(String::with_capacity(65));
    opened.take(FILE_BYTES_MAX).read_to_string(&mut digits).map_err(io)?;
    let hash = cabas_protocol::Hash::from_hex(digits.trim_end());
    let bytes = hash.ok_or_else(|| KeyError::Form { file: file.to_owned() })?;
    Ok(Zeroizing::new(*bytes.as_bytes()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn keys_are_made_once_for_the_owner_alone_and_read_again() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("keys");
        let (root, signing) = create(&dir).unwrap();
        assert_ne!(root.public(), signing.public());
        assert_eq!(mode(&dir), 0o700);
        for file in [ROOT, SIGNING, CARD, RECORD] {
            assert_eq!(mode(&dir.join(file)), 0o600);
        }
        let secrets = HubSecrets::load(&dir).unwrap();
        assert_eq!(secrets.signer.public(), signing.public());
        assert!(matches!(create(&dir), Err(KeyError::Io { .. })));
        assert_eq!(HubSecrets::load(&dir).unwrap().signer.public(), signing.public());
    }

    #[test]
    fn the_running_hub_needs_no_root_key() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("keys");
        create(&dir).unwrap();
        std::fs::remove_file(dir.join(ROOT)).unwrap();
        assert!(HubSecrets::load(&dir).is_ok());
    }

    #[test]
    fn each_enrolment_has_its_own_record_key_and_it_stays() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("keys");
        create(&dir).unwrap();
        let secrets = HubSecrets::load(&dir).unwrap();
        let of = |terminal, epoch| secrets.of_terminal(TerminalId::new(terminal), Epoch::new(epoch)).record_key;
        assert_eq!(of(1, 1), of(1, 1));
        assert_ne!(of(1, 1), of(1, 2));
        assert_ne!(of(1, 2), of(2, 1));
    }

    #[test]
    fn a_bad_key_file_is_named() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("keys");
        create(&dir).unwrap();
        let card = dir.join(CARD);
        let set = |mode| std::fs::set_permissions(&card, std::fs::Permissions::from_mode(mode)).unwrap();
        set(0o640);
        assert!(matches!(load_card_key(&dir), Err(KeyError::Mode { mode: 0o640, .. })));
        set(0o600);
        for content in ["", "00", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64), &"0".repeat(1000)] {
            OpenOptions::new().write(true).truncate(true).open(&card).unwrap().write_all(content.as_bytes()).unwrap();
            assert!(matches!(load_card_key(&dir), Err(KeyError::Form { .. })), "{content}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("keys");
        create(&dir).unwrap();
        let shown = format!("{:?}", HubSecrets::load(&dir).unwrap());
        assert_eq!(shown, "HubSecrets([REDACTED])");
    }
}
