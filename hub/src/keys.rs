//! The fund's keys on disk: one file a key, 64 hexadecimal digits, readable by the owner alone.
//!
//! - `root.key` certifies the signing keys. No running hub needs it, so it may be moved to a safe place; `key rotate` and
//!   `key revoke` ask for it.
//! - `signing.key` and `signing-….key` sign everything that terminals get.
//! - `….cert` are certificates of signing keys, no secret: what the root said stays said when a backup is restored.
//! - `life` is the number of the hub's newest life, no secret: a restore begins one that never was.
//! - `card.key` turns UIDs into card references.
//! - `record.key` is the master of the keys by which terminals mark card records.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use cabas_card::Key;
use cabas_card::tmac::UID_BYTES;
use cabas_protocol::enrol::TerminalSecrets;
use cabas_protocol::keys::{CardKey, KeyCert};
use cabas_protocol::objects::NAME_BYTES_MAX;
use cabas_protocol::{Epoch, Hash, Incarnation, KeyId, PublicKey, Signed, Signer, TerminalId};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use crate::signers::Signers;

/// The root key's file.
pub const ROOT: &str = "root.key";
const SIGNING: &str = "signing.key";
const CERT: &str = "cert";
const LIFE: &str = "life";
/// A certificate in hexadecimal is not longer.
const CERT_BYTES_MAX: u64 = 1_024;
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
    /// The root key is kept elsewhere.
    #[error(
        "this needs the fund's root key, and {file} is not there; bring it from where it is kept (--root-key FILE), and \
         take it away again afterwards", file = file.display()
    )]
    NoRoot {
        /// Where it was looked for.
        file: PathBuf,
    },
    /// It is another fund's root key.
    #[error("{file} is not the root key of this fund; bring the one that was made by init", file = file.display())]
    OtherRoot {
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

impl RecordMaster {
    /// A secret of its own for each label.
    fn labelled(&self, label: &[u8]) -> hmac::Tag {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, self.0.as_ref()), label)
    }
}

/// What the running hub holds.
pub struct HubSecrets {
    /// Sign what terminals get.
    pub signers: Signers,
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
        Ok(Self {
            signers: Signers::load(dir)?,
            card_key: load_card_key(dir)?,
            record_master: RecordMaster(read(&dir.join(RECORD))?),
        })
    }

    /// The master of the keys on purse cards: it is the hub's alone, so it is made from the record master.
    #[must_use]
    pub fn purse_master(&self) -> Key {
        let mut master = [0; 16];
        for (to, from) in master.iter_mut().zip(self.record_master.labelled(b"cabas purse cards 1").as_ref()) {
            *to = *from;
        }
        Key::new(master)
    }

    /// A card's UID as the ledger keeps it: nobody reads it there without the hub's keys.
    ///
    /// # Errors
    /// [`KeyError::NoRandom`].
    pub fn seal_uid(&self, uid: &[u8; UID_BYTES]) -> Result<Vec<u8>, KeyError> {
        let nonce = random::<NONCE_LEN>()?;
        let mut sealed = uid.to_vec();
        let (unique, key) = (Nonce::assume_unique_for_key(*nonce), self.uid_key().ok_or(KeyError::NoRandom)?);
        key.seal_in_place_append_tag(unique, Aad::empty(), &mut sealed).map_err(|_| KeyError::NoRandom)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// A UID out of the ledger; nothing where it was sealed by another hub.
    #[must_use]
    pub fn open_uid(&self, sealed: &[u8]) -> Option<[u8; UID_BYTES]> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let opened = self.uid_key()?.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::empty(), &mut sealed);
        <[u8; UID_BYTES]>::try_from(&*opened.ok()?).ok()
    }

    /// Seals what the file keeps and nobody may read there without the hub's keys. What is sealed for one purpose, or bound
    /// to one owner, opens for no other.
    ///
    /// # Errors
    /// [`KeyError::NoRandom`].
    pub fn seal(&self, purpose: &[u8], owner: &[u8], plain: &[u8]) -> Result<Vec<u8>, KeyError> {
        let nonce = random::<NONCE_LEN>()?;
        let mut sealed = plain.to_vec();
        let key = self.sealing_key(purpose).ok_or(KeyError::NoRandom)?;
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(*nonce), Aad::from(owner), &mut sealed)
            .map_err(|_| KeyError::NoRandom)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what was sealed; nothing where it was sealed by another hub, for another purpose or owner.
    #[must_use]
    pub fn open(&self, purpose: &[u8], owner: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.sealing_key(purpose)?.open_in_place(nonce, Aad::from(owner), &mut sealed).ok()?;
        Some(Zeroizing::new(opened.to_vec()))
    }

    /// A member's name as the ledger's file keeps it, bound to its household. The same name of the same household is sealed
    /// the same, so that an import twice adds nobody; its length does not show. Nothing for a name that is too long.
    #[must_use]
    pub fn seal_name(&self, household: &str, name: &str) -> Option<Vec<u8>> {
        let mut sealed = Zeroizing::new(name.as_bytes().to_vec());
        if name.is_empty() || sealed.len() > NAME_BYTES_MAX || sealed.contains(&0) {
            return None;
        }
        sealed.resize(NAME_BYTES_MAX, 0);
        // The nonce is made from all that is sealed: it repeats only where everything does.
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.record_master.labelled(b"cabas names nonce 1").as_ref());
        let mut context = hmac::Context::with_key(&key);
        context.update(household.as_bytes());
        context.update(&[0]);
        context.update(&sealed);
        let nonce = *context.sign().as_ref().first_chunk::<NONCE_LEN>()?;
        let (unique, aad) = (Nonce::assume_unique_for_key(nonce), Aad::from(household.as_bytes()));
        self.sealing_key(b"cabas names 1")?.seal_in_place_append_tag(unique, aad, &mut *sealed).ok()?;
        Some([nonce.as_slice(), &sealed].concat())
    }

    /// A name out of the ledger's file; nothing where another hub sealed it, or for another household.
    #[must_use]
    pub fn open_name(&self, household: &str, sealed: &[u8]) -> Option<Zeroizing<String>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let (unique, aad) = (Nonce::assume_unique_for_key(*nonce), Aad::from(household.as_bytes()));
        let opened = self.sealing_key(b"cabas names 1")?.open_in_place(unique, aad, &mut sealed).ok()?;
        Some(Zeroizing::new(std::str::from_utf8(opened).ok()?.trim_end_matches('\0').to_owned()))
    }

    /// A mark of what is known again by it, and that nobody makes or guesses from without the hub's keys.
    #[must_use]
    pub fn mark(&self, purpose: &[u8], of: &[u8]) -> Option<Hash> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.record_master.labelled(purpose).as_ref());
        hmac::sign(&key, of).as_ref().try_into().ok().map(Hash::new)
    }

    fn sealing_key(&self, purpose: &[u8]) -> Option<LessSafeKey> {
        let key = self.record_master.labelled(purpose);
        UnboundKey::new(&CHACHA20_POLY1305, key.as_ref()).ok().map(LessSafeKey::new)
    }

    fn uid_key(&self) -> Option<LessSafeKey> {
        let key = self.record_master.labelled(b"cabas card uids 1");
        UnboundKey::new(&CHACHA20_POLY1305, key.as_ref()).ok().map(LessSafeKey::new)
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

/// Reads every signing key of the folder.
///
/// # Errors
/// [`KeyError`]; there must be one at the least.
pub(crate) fn load_signers(dir: &Path) -> Result<Vec<Signer>, KeyError> {
    let mut files = files_in(dir, |name| name.starts_with("signing-") && name.ends_with(".key"))?;
    let first = dir.join(SIGNING);
    if first.exists() || files.is_empty() {
        files.push(first);
    }
    files.iter().map(|file| signer_of(&read(file)?, file)).collect()
}

/// Makes a signing key in a file of its own.
///
/// # Errors
/// [`KeyError`].
pub fn create_signing(dir: &Path) -> Result<Signer, KeyError> {
    let secret = random::<32>()?;
    let signer = signer_of(&secret, dir)?;
    let file = dir.join(format!("signing-{}.key", signer.public().id()));
    write_secret(&file, &secret)?;
    sync_dir(dir)?;
    Ok(signer)
}

/// Reads the root key, which must be the fund's.
///
/// # Errors
/// [`KeyError::NoRoot`] where it is kept elsewhere, [`KeyError::OtherRoot`].
pub fn load_root(file: &Path, fund_root: &PublicKey) -> Result<Signer, KeyError> {
    if !file.exists() {
        return Err(KeyError::NoRoot { file: file.to_owned() });
    }
    let root = signer_of(&read(file)?, file)?;
    if root.public() == fund_root { Ok(root) } else { Err(KeyError::OtherRoot { file: file.to_owned() }) }
}

/// Makes a release key in a new file; it belongs off the hub.
///
/// # Errors
/// [`KeyError`].
pub fn create_release(file: &Path) -> Result<Signer, KeyError> {
    signer_of(&write_new(file)?, file)
}

/// Reads a release key.
///
/// # Errors
/// [`KeyError`].
pub fn load_release(file: &Path) -> Result<Signer, KeyError> {
    signer_of(&read(file)?, file)
}

/// Keeps a certificate beside the keys, in the place of an older one of the same key.
///
/// # Errors
/// [`KeyError`].
pub fn keep_cert(dir: &Path, key: KeyId, cert: &Signed<KeyCert>) -> Result<(), KeyError> {
    let digits: String = cert.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    replace(dir, &format!("{key}.{CERT}"), &digits)
}

/// Reads the certificates that lie beside the keys.
///
/// # Errors
/// [`KeyError`].
pub fn load_certs(dir: &Path) -> Result<Vec<Signed<KeyCert>>, KeyError> {
    let files = files_in(dir, |name| name.ends_with(&format!(".{CERT}")))?;
    files.iter().map(|file| cert_of(file).ok_or_else(|| KeyError::Form { file: file.clone() })).collect()
}

fn cert_of(file: &Path) -> Option<Signed<KeyCert>> {
    let mut digits = String::new();
    File::open(file).ok()?.take(CERT_BYTES_MAX).read_to_string(&mut digits).ok()?;
    let digits = digits.trim_end();
    let pairs = digits.as_bytes().chunks_exact(2);
    let whole = pairs.remainder().is_empty();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = pairs.map(byte).collect();
    Signed::from_bytes(bytes.filter(|_| whole)?).ok()
}

/// The newest life of the hub that was begun with these keys; none where it was never restored.
///
/// # Errors
/// [`KeyError`].
pub fn load_life(dir: &Path) -> Result<Incarnation, KeyError> {
    let file = dir.join(LIFE);
    let mut digits = String::new();
    match File::open(&file) {
        Ok(opened) => opened.take(FILE_BYTES_MAX).read_to_string(&mut digits),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Incarnation::new(0)),
        Err(error) => Err(error),
    }
    .map_err(|source| KeyError::Io { file: file.clone(), source })?;
    digits.trim_end().parse().map(Incarnation::new).map_err(|_| KeyError::Form { file })
}

/// Notes the newest life of the hub.
///
/// # Errors
/// [`KeyError`].
pub fn keep_life(dir: &Path, life: Incarnation) -> Result<(), KeyError> {
    replace(dir, LIFE, &life.to_string())
}

/// Writes a small file whole or not at all.
fn replace(dir: &Path, name: &str, text: &str) -> Result<(), KeyError> {
    let (file, new) = (dir.join(name), dir.join(format!("{name}.new")));
    let written =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new).and_then(|mut to| {
            writeln!(to, "{text}")?;
            to.sync_all()
        });
    written.and_then(|()| std::fs::rename(&new, &file)).map_err(|source| KeyError::Io { file, source })?;
    sync_dir(dir)
}

fn sync_dir(dir: &Path) -> Result<(), KeyError> {
    let synced = File::open(dir).and_then(|folder| folder.sync_all());
    synced.map_err(|source| KeyError::Io { file: dir.to_owned(), source })
}

/// The files of the folder whose names fit, by name.
fn files_in(dir: &Path, fits: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, KeyError> {
    let failed = |source| KeyError::Io { file: dir.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().to_str().is_some_and(&fits) {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
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
    write_secret(file, &secret)?;
    Ok(secret)
}

fn write_secret(file: &Path, secret: &Secret) -> Result<(), KeyError> {
    let mut digits = Zeroizing::new(String::with_capacity(65));
    for byte in secret.iter() {
        digits.push_str(&Zeroizing::new(format!("{byte:02x}")));
    }
    digits.push('\n');
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).and_then(|mut file| {
        file.write_all(digits.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|source| KeyError::Io { file: file.to_owned(), source })
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

    fn only_signer(dir: &Path) -> PublicKey {
        let signers = load_signers(dir).unwrap();
        assert_eq!(signers.len(), 1);
        *signers[0].public()
    }

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
        assert_eq!(only_signer(&dir), *signing.public());
        drop(secrets);
        assert!(matches!(create(&dir), Err(KeyError::Io { .. })));
        assert_eq!(only_signer(&dir), *signing.public());
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

    #[test]
    fn a_name_is_sealed_the_same_for_its_household_alone_and_its_length_does_not_show() {
        let parent = tempfile::tempdir().unwrap();
        let (mine, other) = (parent.path().join("mine"), parent.path().join("other"));
        create(&mine).unwrap();
        create(&other).unwrap();
        let (mine, other) = (HubSecrets::load(&mine).unwrap(), HubSecrets::load(&other).unwrap());
        let sealed = mine.seal_name("F1", "Zoé Dupré").unwrap();
        assert_eq!(mine.seal_name("F1", "Zoé Dupré").unwrap(), sealed, "an import twice adds nobody");
        assert_eq!(mine.seal_name("F1", "Al").unwrap().len(), sealed.len());
        assert_ne!(mine.seal_name("F2", "Zoé Dupré").unwrap(), sealed, "nobody sees who shares a name");
        assert!(!sealed.windows(4).any(|part| part == b"Dupr"));
        assert_eq!(mine.open_name("F1", &sealed).unwrap().as_str(), "Zoé Dupré");
        assert!(mine.open_name("F2", &sealed).is_none(), "moved to another household");
        assert!(other.open_name("F1", &sealed).is_none());
        let mut bent = sealed.clone();
        bent[20] ^= 1;
        assert!(mine.open_name("F1", &bent).is_none() && mine.open_name("F1", &[]).is_none());
        for bad in ["", "a\0b", &"é".repeat(33)] {
            assert!(mine.seal_name("F1", bad).is_none(), "{bad:?}");
        }
    }
}
