//! What seals the keys of cards: the terminal's key file, and where systemd gives one, a credential that lies on the disk
//! only encrypted to this machine (`systemd-creds`). A copied disk then opens no card.
//!
//! Keys that were sealed before there was a credential are sealed again at the next start. Keys that nothing opens any
//! more are fetched from the hub anew.

use super::append::Writer;
use super::error::JournalError;
use super::load;
use super::secrets::{CardSecrets, Name};
use super::{Journal, checkpoint};
use crate::core::ages::Moment;
use cabas_protocol::CardRef;
use rusqlite::{Connection, params};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// What systemd calls the credential.
pub const CREDENTIAL: &str = "cabas-agent.seal";
/// Fewer bytes are no secret.
const CREDENTIAL_BYTES_MIN: usize = 32;
/// What a credential can hold.
const CREDENTIAL_BYTES_MAX: u64 = 4096;
/// Nonce, key and tag.
const SEALED_BYTES: usize = 12 + 16 + 16;
/// Stands before what is sealed by a credential too.
const BY_CREDENTIAL: u8 = 2;

/// What keys of cards are sealed by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SealedBy {
    /// The terminal's key file alone.
    KeyFile,
    /// The key file and systemd's credential.
    Credential,
}

impl SealedBy {
    /// Its name in the local API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::KeyFile => "key_file",
            Self::Credential => "credential",
        }
    }

    pub(super) const fn mark(self) -> &'static [u8] {
        match self {
            Self::KeyFile => &[],
            Self::Credential => &[BY_CREDENTIAL],
        }
    }

    /// What a sealed key was sealed by, and the rest of it.
    pub(super) fn of(sealed: &[u8]) -> Option<(Self, &[u8])> {
        match sealed {
            [BY_CREDENTIAL, rest @ ..] if rest.len() == SEALED_BYTES => Some((Self::Credential, rest)),
            _ if sealed.len() == SEALED_BYTES => Some((Self::KeyFile, sealed)),
            _ => None,
        }
    }
}

/// Why a credential cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is too short to keep anything.
    #[error("{} has fewer than {CREDENTIAL_BYTES_MIN} bytes; make a new one of random bytes", .0.display())]
    Short(PathBuf),
}

/// A secret that systemd gives to the unit, decrypted for this run alone.
pub struct SealCredential(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for SealCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealCredential([REDACTED])")
    }
}

impl SealCredential {
    /// Reads the credential from the folder that systemd names; nothing where there is none.
    ///
    /// # Errors
    /// [`CredentialError`].
    pub fn read(folder: Option<&Path>) -> Result<Option<Self>, CredentialError> {
        let Some(path) = folder.map(|folder| folder.join(CREDENTIAL)) else { return Ok(None) };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(CredentialError::Io { path, source }),
        };
        let mut bytes = Zeroizing::new(Vec::new());
        match file.take(CREDENTIAL_BYTES_MAX).read_to_end(&mut bytes) {
            Err(source) => Err(CredentialError::Io { path, source }),
            Ok(_) if bytes.len() < CREDENTIAL_BYTES_MIN => Err(CredentialError::Short(path)),
            Ok(_) => Ok(Some(Self(bytes))),
        }
    }

    /// One secret of both: HMAC-SHA-256, so that neither is enough.
    pub(super) fn mixed_with(&self, of_file: &[u8; 32]) -> Zeroizing<[u8; 32]> {
        let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, of_file), &self.0);
        let mut mixed = Zeroizing::new([0; 32]);
        for (to, from) in mixed.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        mixed
    }
}

/// Refuses a file whose keys only a credential opens, where there is none: nothing is written then.
pub(super) fn check(db: &Connection, credential: Option<&SealCredential>) -> Result<(), JournalError> {
    let needs_one: bool = db.query_row(
        "SELECT EXISTS (SELECT 1 FROM slot_keys WHERE length(sealed) = ?1)",
        [SEALED_BYTES.saturating_add(1)],
        |row| row.get(0),
    )?;
    if needs_one && credential.is_none() { Err(JournalError::NoCredential) } else { Ok(()) }
}

impl Journal {
    /// Takes the terminal's secrets and systemd's credential, and seals by both what was sealed by the key file alone. Keys
    /// that were sealed by another credential are forgotten, and the hub is asked for everything anew.
    ///
    /// # Errors
    /// [`JournalError`].
    pub(super) fn unsealed(mut self, now: Moment, secrets: CardSecrets) -> Result<Self, JournalError> {
        let secrets = Arc::new(secrets);
        self.secrets = Some(Arc::clone(&secrets));
        if self.read(|db, _| is_in_order(db, &secrets))? {
            return Ok(self);
        }
        // What was sealed before is not to be found in free pages either.
        self.db.pragma_update(None, "secure_delete", true)?;
        let (again, lost) = self.write(now, |writer| writer.seal_again(&secrets))?;
        self.make_durable()?;
        if !checkpoint(&self.db, "TRUNCATE")? {
            tracing::warn!("the journal's log was not emptied: keys may lie in it as they were sealed before");
        }
        tracing::info!(again, lost, sealed_by = secrets.sealed_by.name(), "the keys of cards were sealed anew");
        if lost > 0 {
            tracing::error!(lost, "keys of cards could not be opened: another credential? They are fetched anew");
        }
        Ok(self)
    }
}

/// True where nothing is sealed otherwise than it should be; of the keys the newest stands for all.
fn is_in_order(db: &Connection, secrets: &CardSecrets) -> Result<bool, JournalError> {
    let mut select = db.prepare("SELECT card, slot, version, sealed FROM slot_keys ORDER BY id DESC")?;
    let mut rows = select.query([])?;
    let mut is_first = true;
    while let Some(row) = rows.next()? {
        let sealed: Vec<u8> = row.get(3)?;
        let is_so = SealedBy::of(&sealed).is_some_and(|(by, _)| by == secrets.sealed_by);
        if !is_so || (is_first && secrets.open(name_in(row)?, &sealed).is_none()) {
            return Ok(false);
        }
        is_first = false;
    }
    Ok(true)
}

fn name_in(row: &rusqlite::Row<'_>) -> rusqlite::Result<Name> {
    Ok((CardRef::new(row.get(0)?), row.get(1)?, row.get(2)?))
}

impl Writer<'_> {
    /// Seals all that can be opened; gives how many were sealed again, and how many were forgotten.
    fn seal_again(&mut self, secrets: &CardSecrets) -> Result<(usize, usize), JournalError> {
        let mut select = self.tx.prepare("SELECT card, slot, version, sealed, id FROM slot_keys ORDER BY id")?;
        let held = select.query_map([], |row| Ok((name_in(row)?, row.get::<_, Vec<u8>>(3)?, row.get::<_, i64>(4)?)))?;
        let held = held.collect::<Result<Vec<_>, _>>()?;
        let (mut again, mut lost) = (0_usize, 0_usize);
        for (name, sealed, id) in held {
            let by_both = SealedBy::of(&sealed).is_some_and(|(by, _)| by == secrets.sealed_by);
            match secrets.open(name, &sealed) {
                Some(_) if by_both => {}
                Some(key) => {
                    let sealed = secrets.seal(name, key.expose());
                    let sealed = sealed.ok_or(JournalError::Inconsistent("a key of a card cannot be sealed"))?;
                    self.tx.execute("UPDATE slot_keys SET sealed = ?2 WHERE id = ?1", params![id, sealed])?;
                    again = again.saturating_add(1);
                }
                None => {
                    self.tx.execute("DELETE FROM slot_keys WHERE id = ?1", [id])?;
                    lost = lost.saturating_add(1);
                }
            }
        }
        if lost > 0 {
            self.state.hub.cursor = 0;
            load::store_hub(self.tx, &self.state.hub)?;
        }
        Ok((again, lost))
    }
}

#[cfg(test)]
#[path = "seal_tests.rs"]
mod tests;
