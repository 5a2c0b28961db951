//! Who may stand at the counter: numbers, labels and hashed codes, in a small file of their own beside the journal.
//!
//! Labels stay at the shop. The file is written by `cabas-agent cashier` alone and read anew by the running program when it
//! has changed; it outlives an enrolment. A code keeps a counter from hands that pass by. It does not keep a disk: whoever
//! copies the file finds a code of four digits within the hour.

use crate::core::cashier::{Code, LABEL_CHARS_MAX};
use crate::journal::keyfile::{KeyFileError, read_private_up_to, write_private};
use ring::pbkdf2;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use std::io;
use std::num::NonZeroU32;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The file in the data folder.
pub const FILE: &str = "cashiers.json";
/// Cashiers of one shop.
pub const CASHIERS_MAX: usize = 32;
/// The highest number of a cashier.
pub const NUMBER_MAX: u16 = 999;
/// Bytes of the file.
const FILE_BYTES_MAX: u64 = 32 * 1024;
/// Rounds of PBKDF2-HMAC-SHA256: a tenth of a second here, half a second on a small board.
const ROUNDS: NonZeroU32 = NonZeroU32::new(200_000).expect("it is not zero");
/// More rounds than anybody would wait for.
const ROUNDS_MAX: u32 = 5_000_000;

/// A cashier, with the hash of the code.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cashier {
    /// The number that stands in the journal.
    pub number: u16,
    /// What the shop calls the cashier; perhaps nothing.
    pub label: String,
    code: [u8; 16],
}

/// All cashiers of a shop. One salt for all, so that a code is hashed once however many there are.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Roll {
    form: u32,
    salt: [u8; 16],
    rounds: NonZeroU32,
    cashiers: Vec<Cashier>,
}

/// Why the cashiers are not read, or not changed.
#[derive(Debug, thiserror::Error)]
pub enum RollError {
    /// The file.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// It is not what this program writes.
    #[error("{} is not a list of cashiers; move it away and add the cashiers again", .0.display())]
    Malformed(PathBuf),
    /// The number.
    #[error("a cashier's number is 1 to {NUMBER_MAX}")]
    Number,
    /// The number is given out.
    #[error("there is a cashier {0}; take another number, or `cabas-agent cashier remove {0}` first")]
    Taken(u16),
    /// The code is given out: the code alone says who it is.
    #[error("another cashier has this code; take another one")]
    CodeTaken,
    /// The label.
    #[error("a label is one line of at most {LABEL_CHARS_MAX} characters")]
    Label,
    /// No more fit.
    #[error("there are {CASHIERS_MAX} cashiers already; remove one first")]
    Full,
    /// No such cashier.
    #[error("there is no cashier {0}; `cabas-agent cashier list` shows them")]
    Unknown(u16),
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    NoRandomness,
}

impl Roll {
    /// Reads the file; where there is none, nobody is on it.
    ///
    /// # Errors
    /// [`RollError`].
    pub fn read(path: &Path) -> Result<Option<Self>, RollError> {
        let bytes = match read_private_up_to(path, FILE_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(KeyFileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Self::of_bytes(&bytes).map(Some).ok_or_else(|| RollError::Malformed(path.to_owned()))
    }

    /// Reads the file's bytes; nothing where this program did not write them.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let roll: Self = serde_json::from_slice(bytes).ok()?;
        let fits = roll.form == 1
            && roll.rounds.get() <= ROUNDS_MAX
            && roll.cashiers.len() <= CASHIERS_MAX
            && roll.cashiers.iter().all(|cashier| (1..=NUMBER_MAX).contains(&cashier.number));
        fits.then_some(roll)
    }

    /// A list with nobody on it, and a salt of its own.
    ///
    /// # Errors
    /// [`RollError::NoRandomness`].
    pub fn empty() -> Result<Self, RollError> {
        let mut salt = [0; 16];
        SystemRandom::new().fill(&mut salt).map_err(|_| RollError::NoRandomness)?;
        Ok(Self { form: 1, salt, rounds: ROUNDS, cashiers: Vec::new() })
    }

    /// Writes the file, durably and for the folder's owner alone: who runs the command may be another.
    ///
    /// # Errors
    /// [`RollError::File`].
    pub fn write(&self, path: &Path) -> Result<(), RollError> {
        let fail = |source| KeyFileError::Io { path: path.to_owned(), source };
        let text = serde_json::to_vec(self).map_err(io::Error::from).map_err(fail)?;
        write_private(path, &text)?;
        let owner = path.parent().map(std::fs::metadata).transpose().map_err(fail)?;
        let file = std::fs::metadata(path).map_err(fail)?;
        if let Some(owner) = owner.filter(|owner| owner.uid() != file.uid()) {
            std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid())).map_err(fail)?;
        }
        Ok(())
    }

    /// Those on it, by number.
    #[must_use]
    pub fn cashiers(&self) -> &[Cashier] {
        &self.cashiers
    }

    /// The cashier of a number.
    #[must_use]
    pub fn find(&self, number: u16) -> Option<&Cashier> {
        self.cashiers.iter().find(|cashier| cashier.number == number)
    }

    /// The cashier whose code it is. It takes a tenth of a second and more.
    #[must_use]
    pub fn of_code(&self, code: &Code) -> Option<&Cashier> {
        let hash = self.hash(code);
        self.cashiers.iter().find(|cashier| cashier.code == hash)
    }

    /// Puts a cashier on it.
    ///
    /// # Errors
    /// [`RollError`] says what does not fit.
    pub fn add(&mut self, number: u16, label: &str, code: &Code) -> Result<(), RollError> {
        if !(1..=NUMBER_MAX).contains(&number) {
            return Err(RollError::Number);
        }
        let label = crate::core::cashier::label(label).ok_or(RollError::Label)?;
        if self.find(number).is_some() {
            return Err(RollError::Taken(number));
        }
        if self.cashiers.len() >= CASHIERS_MAX {
            return Err(RollError::Full);
        }
        let hash = self.hash(code);
        if self.cashiers.iter().any(|cashier| cashier.code == hash) {
            return Err(RollError::CodeTaken);
        }
        self.cashiers.push(Cashier { number, label, code: hash });
        self.cashiers.sort_unstable_by_key(|cashier| cashier.number);
        Ok(())
    }

    /// Takes a cashier off it.
    ///
    /// # Errors
    /// [`RollError::Unknown`].
    pub fn remove(&mut self, number: u16) -> Result<(), RollError> {
        self.find(number).ok_or(RollError::Unknown(number))?;
        self.cashiers.retain(|cashier| cashier.number != number);
        Ok(())
    }

    fn hash(&self, code: &Code) -> [u8; 16] {
        let mut hash = [0; 16];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, self.rounds, &self.salt, code.digits().as_bytes(), &mut hash);
        hash
    }

    #[cfg(test)]
    pub(crate) fn quick(mut self) -> Self {
        self.rounds = NonZeroU32::MIN;
        self
    }
}

/// What tells one state of the file from another: it is replaced whole.
type Stamp = (u64, i64, i64, u64);

#[derive(Debug, Default)]
struct Seen {
    stamp: Option<Stamp>,
    roll: Option<Arc<Roll>>,
    is_broken: bool,
}

/// The file, as the running program sees it.
#[derive(Debug, Default)]
pub struct Cashiers {
    path: Option<PathBuf>,
    seen: Mutex<Seen>,
}

/// Who may stand at the counter, at one moment.
#[derive(Clone, Debug)]
pub struct OnRoll {
    /// The cashiers, where there are any.
    pub roll: Option<Arc<Roll>>,
    /// True where the file is there and cannot be read: those of before hold.
    pub is_broken: bool,
}

impl OnRoll {
    /// True where codes are set up: a file that cannot be read opens nothing.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.is_broken || self.roll.as_ref().is_some_and(|roll| !roll.cashiers.is_empty())
    }

    /// The cashier of a number.
    #[must_use]
    pub fn find(&self, number: u16) -> Option<&Cashier> {
        self.roll.as_ref().and_then(|roll| roll.find(number))
    }
}

impl Cashiers {
    /// The file of a data folder.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        Self { path: Some(folder.join(FILE)), seen: Mutex::default() }
    }

    /// Who may stand at the counter: the file is read where it has changed.
    #[must_use]
    pub fn now(&self) -> OnRoll {
        let Some(path) = &self.path else { return OnRoll { roll: None, is_broken: false } };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let meta = std::fs::metadata(path);
        let stamp = meta.ok().map(|meta| (meta.ino(), meta.mtime(), meta.mtime_nsec(), meta.len()));
        // What is broken is tried again: its owner or its rights may be put right without another stamp.
        if stamp != seen.stamp || seen.is_broken {
            match Roll::read(path) {
                Ok(roll) => {
                    seen.roll = roll.map(Arc::new);
                    seen.is_broken = false;
                }
                Err(error) => {
                    if !seen.is_broken {
                        tracing::error!(%error, "the list of cashiers cannot be read; the one of before holds");
                    }
                    seen.is_broken = true;
                }
            }
            seen.stamp = stamp;
        }
        OnRoll { roll: seen.roll.clone(), is_broken: seen.is_broken }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn code(text: &str) -> Code {
        Code::new(text).unwrap()
    }

    fn roll() -> Roll {
        let mut roll = Roll::empty().unwrap().quick();
        roll.add(3, "Léa", &code("1234")).unwrap();
        roll.add(1, "", &code("98765432")).unwrap();
        roll
    }

    #[test]
    fn the_code_alone_says_who_it_is() {
        let roll = roll();
        assert_eq!(roll.cashiers().iter().map(|cashier| cashier.number).collect::<Vec<_>>(), [1, 3]);
        for (text, found) in [("1234", Some(3)), ("98765432", Some(1)), ("1235", None), ("12340", None)] {
            assert_eq!(roll.of_code(&code(text)).map(|cashier| cashier.number), found, "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named_and_changes_nothing() {
        let mut roll = roll();
        let before = roll.clone();
        for (number, label, digits, said) in [
            (3, "", "5555", "cashier 3"),
            (4, "", "1234", "code"),
            (0, "", "5555", "1 to 999"),
            (1000, "", "5555", "1 to 999"),
            (4, "a label that is longer than it may be", "5555", "24"),
        ] {
            let error = roll.add(number, label, &code(digits)).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        assert!(matches!(roll.remove(9), Err(RollError::Unknown(9))));
        assert_eq!(roll, before);
        for number in 10..40 {
            roll.add(number, "", &code(&format!("10{number}"))).unwrap();
        }
        assert!(matches!(roll.add(50, "", &code("5555")), Err(RollError::Full)));
        roll.remove(3).unwrap();
        assert!(roll.of_code(&code("1234")).is_none());
    }

    #[test]
    fn the_file_holds_no_code_and_is_read_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let cashiers = Cashiers::of(folder.path());
        assert!(!cashiers.now().is_set(), "no file, no codes");
        let mut roll = roll();
        roll.write(&path).unwrap();
        let written = std::fs::read_to_string(&path).unwrap();
        assert!(!written.contains("98765432"), "{written}");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(cashiers.now().is_set());
        assert_eq!(cashiers.now().find(3).unwrap().label, "Léa");
        roll.remove(3).unwrap();
        roll.write(&path).unwrap();
        assert!(cashiers.now().find(3).is_none() && cashiers.now().find(1).is_some());
        std::fs::remove_file(&path).unwrap();
        assert!(!cashiers.now().is_set());
    }

    #[test]
    fn a_file_that_cannot_be_read_opens_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        write_private(&path, b"{}").unwrap();
        let cashiers = Cashiers::of(folder.path());
        assert!(cashiers.now().is_set() && cashiers.now().is_broken && cashiers.now().find(3).is_none());
        assert!(matches!(Roll::read(&path), Err(RollError::Malformed(_))));
        roll().write(&path).unwrap();
        assert!(!cashiers.now().is_broken && cashiers.now().find(3).is_some());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        write_private(&path, b"not json").unwrap();
        assert!(cashiers.now().is_broken && cashiers.now().find(3).is_some(), "those of before hold");
        for wrong in [r#"{"form":2,"salt":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"rounds":1,"cashiers":[]}"#, "[]", ""] {
            write_private(&path, wrong.as_bytes()).unwrap();
            assert!(Roll::read(&path).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_code_costs_what_a_guess_should() {
        assert!(Roll::empty().unwrap().rounds.get() >= 200_000);
    }
}
