//! The telephones that are let in, in a small file beside the journal: the running program alone writes it.
//!
//! Of a token only the hash is kept: who reads the file cannot stand in for a telephone.

use crate::journal::keyfile::{KeyFileError, read_private_up_to, write_private};
use cabas_protocol::Timestamp;
use cabas_protocol::sign::sha256;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// The file in the data folder.
pub const FILE: &str = "phones.json";
/// Telephones of one terminal.
pub const PHONES_MAX: usize = 4;
/// Seconds without use after which a telephone has to be let in anew: 30 days.
pub const UNUSED_S_MAX: u64 = 30 * 86_400;
/// Seconds after which a use is written down again: a day, so that the disk is left alone.
const SEEN_STEP_S: u64 = 86_400;
/// Bytes of the file.
const FILE_BYTES_MAX: u64 = 16 * 1024;
/// Letters of a token: 256 bits.
pub const TOKEN_LETTERS: usize = 64;

/// A telephone.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Phone {
    /// Its number here; none is given twice.
    pub id: u32,
    /// What it is called.
    pub name: String,
    token: [u8; 32],
    /// When it was let in.
    pub paired_at: u64,
    /// When it was used last, within a day.
    pub seen_at: u64,
}

/// All of them.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Roll {
    form: u32,
    last_id: u32,
    phones: Vec<Phone>,
}

impl Default for Roll {
    fn default() -> Self {
        Self { form: 1, last_id: 0, phones: Vec::new() }
    }
}

/// Why the telephones are not known.
#[derive(Debug, thiserror::Error)]
pub enum PhonesError {
    /// The file.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// It is not what this program writes.
    #[error("{} is not a list of telephones; move it away and let them in again", .0.display())]
    Malformed(PathBuf),
    /// The certificate.
    #[error(transparent)]
    Certificate(#[from] super::certificate::CertificateError),
}

impl Roll {
    /// Reads the file; where there is none, nobody is on it.
    ///
    /// # Errors
    /// [`PhonesError`].
    pub fn read(path: &Path) -> Result<Self, PhonesError> {
        let bytes = match read_private_up_to(path, FILE_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(KeyFileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(error.into()),
        };
        Self::of_bytes(&bytes).ok_or_else(|| PhonesError::Malformed(path.to_owned()))
    }

    /// Reads the file's bytes; nothing where this program did not write them.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let roll: Self = serde_json::from_slice(bytes).ok()?;
        let fits = roll.form == 1
            && roll.phones.len() <= PHONES_MAX
            && roll.phones.iter().all(|phone| phone.id <= roll.last_id);
        fits.then_some(roll)
    }

    /// Writes the file, durably.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn write(&self, path: &Path) -> Result<(), KeyFileError> {
        let fail = |error: serde_json::Error| KeyFileError::Io { path: path.to_owned(), source: error.into() };
        write_private(path, &serde_json::to_vec(self).map_err(fail)?)
    }

    /// Those that may come in at `now`.
    pub fn live(&self, now: Timestamp) -> impl Iterator<Item = &Phone> {
        self.phones.iter().filter(move |phone| is_live(phone, now))
    }

    /// True where no other fits.
    #[must_use]
    pub fn is_full(&self, now: Timestamp) -> bool {
        self.live(now).count() >= PHONES_MAX
    }

    /// Lets a telephone in; nothing where no other fits.
    pub fn add(&mut self, name: String, token: &str, now: Timestamp) -> Option<u32> {
        self.phones.retain(|phone| is_live(phone, now));
        if self.phones.len() >= PHONES_MAX {
            return None;
        }
        let id = self.last_id.checked_add(1)?;
        self.last_id = id;
        self.phones.push(Phone { id, name, token: hash(token), paired_at: now.get(), seen_at: now.get() });
        Some(id)
    }

    /// Shuts one out: true where there was one.
    pub fn remove(&mut self, id: u32) -> bool {
        let before = self.phones.len();
        self.phones.retain(|phone| phone.id != id);
        before != self.phones.len()
    }

    /// The telephone of a token, and whether its use has to be written down.
    pub fn admit(&mut self, token: &str, now: Timestamp) -> Option<(u32, bool)> {
        if token.len() != TOKEN_LETTERS {
            return None;
        }
        let token = hash(token);
        let phone = self.phones.iter_mut().find(|phone| phone.token == token && is_live(phone, now))?;
        let is_news = now.get().saturating_sub(phone.seen_at) >= SEEN_STEP_S;
        if is_news {
            phone.seen_at = now.get();
        }
        Some((phone.id, is_news))
    }

    /// True where the telephone is on it.
    #[must_use]
    pub fn has(&self, id: u32) -> bool {
        self.phones.iter().any(|phone| phone.id == id)
    }
}

/// A clock that went back makes no telephone older.
const fn is_live(phone: &Phone, now: Timestamp) -> bool {
    now.get().saturating_sub(phone.seen_at) < UNUSED_S_MAX
}

fn hash(token: &str) -> [u8; 32] {
    *sha256(&[token.as_bytes()]).as_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    fn token(letter: char) -> String {
        String::from(letter).repeat(TOKEN_LETTERS)
    }

    const NOW: Timestamp = Timestamp::new(1_800_000_000);

    #[test]
    fn a_token_admits_until_it_is_taken_back_or_long_unused() {
        let mut roll = Roll::default();
        let id = roll.add(String::from("Léa"), &token('a'), NOW).unwrap();
        assert_eq!(roll.admit(&token('a'), NOW), Some((id, false)));
        for wrong in [token('b'), String::new(), token('a').to_uppercase(), format!("{}a", token('a'))] {
            assert_eq!(roll.admit(&wrong, NOW), None);
        }
        assert_eq!(roll.admit(&token('a'), NOW.after_s(29 * 86_400)), Some((id, true)), "used, so it goes on");
        assert_eq!(roll.admit(&token('a'), NOW.after_s(58 * 86_400)), Some((id, true)));
        assert_eq!(roll.admit(&token('a'), NOW), Some((id, false)), "a clock that went back");
        assert_eq!(roll.admit(&token('a'), NOW.after_s(88 * 86_400)), None);
        assert_eq!(roll.live(NOW.after_s(88 * 86_400)).count(), 0);
        assert!(roll.remove(id) && !roll.remove(id));
        assert_eq!(roll.admit(&token('a'), NOW), None);
    }

    #[test]
    fn four_fit_and_no_number_is_given_twice() {
        let mut roll = Roll::default();
        let ids: Vec<_> = "abcd".chars().map(|c| roll.add(String::new(), &token(c), NOW).unwrap()).collect();
        assert_eq!(ids, [1, 2, 3, 4]);
        assert!(roll.is_full(NOW) && roll.add(String::new(), &token('e'), NOW).is_none());
        roll.remove(4);
        assert_eq!(roll.add(String::new(), &token('e'), NOW), Some(5));
        assert_eq!(roll.add(String::new(), &token('f'), NOW.after_s(UNUSED_S_MAX)), Some(6), "the unused make room");
    }

    #[test]
    fn the_file_holds_no_token_and_what_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        assert_eq!(Roll::read(&path).unwrap(), Roll::default());
        let mut roll = Roll::default();
        roll.add(String::from("Léa"), &token('a'), NOW);
        roll.write(&path).unwrap();
        assert_eq!(Roll::read(&path).unwrap(), roll);
        assert!(!std::fs::read_to_string(&path).unwrap().contains("aaaa"));
        for wrong in ["", "{}", r#"{"form":2,"last_id":0,"phones":[]}"#] {
            write_private(&path, wrong.as_bytes()).unwrap();
            assert!(matches!(Roll::read(&path), Err(PhonesError::Malformed(_))), "{wrong}");
        }
    }
}
