//! The signing keys at hand, and which of them signs for whom.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use cabas_protocol::{KeyId, RefusalCode, Signer};

use crate::core::signing::{SigningKey, choose};
use crate::error::Refused;
use crate::keys::{self, KeyError};

/// The signing keys. A key that was made beside the running hub is read when the ledger first names it.
pub struct Signers {
    dir: PathBuf,
    at_hand: RwLock<BTreeMap<KeyId, Arc<Signer>>>,
    /// As the ledger said last, for what is signed without looking there.
    known: RwLock<Vec<SigningKey>>,
}

impl std::fmt::Debug for Signers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signers([REDACTED])")
    }
}

impl Signers {
    /// Reads the keys of a folder.
    ///
    /// # Errors
    /// [`KeyError`] names the file.
    pub fn load(dir: &Path) -> Result<Self, KeyError> {
        let at_hand = RwLock::new(read(dir)?);
        Ok(Self { dir: dir.to_owned(), at_hand, known: RwLock::default() })
    }

    /// Takes over what the ledger says of the keys.
    pub fn update(&self, keys: &[SigningKey]) {
        if *self.known.read().unwrap_or_else(PoisonError::into_inner) == keys {
            return;
        }
        if keys.iter().any(|key| !key.revoked && !self.has(key.id)) {
            match read(&self.dir) {
                Ok(found) => *self.at_hand.write().unwrap_or_else(PoisonError::into_inner) = found,
                Err(error) => tracing::error!(%error, "the signing keys cannot be read again"),
            }
        }
        keys.clone_into(&mut self.known.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// The key for a terminal that has every certificate up to a change.
    ///
    /// # Errors
    /// [`RefusalCode::Internal`] where no key is left.
    pub fn of_terminal(&self, confirmed: u64) -> Result<Arc<Signer>, Refused> {
        let id = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            choose(&known, confirmed, |id| self.has(id))
        };
        let signer = id.and_then(|id| self.at_hand.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned());
        signer.ok_or_else(|| {
            tracing::error!(
                "no signing key is left that was not taken back and lies in keys/: run cabas-hub key rotate"
            );
            RefusalCode::Internal.into()
        })
    }

    /// The key that most terminals know, for whoever asks.
    ///
    /// # Errors
    /// As [`Self::of_terminal`].
    pub fn of_anybody(&self) -> Result<Arc<Signer>, Refused> {
        self.of_terminal(0)
    }

    fn has(&self, id: KeyId) -> bool {
        self.at_hand.read().unwrap_or_else(PoisonError::into_inner).contains_key(&id)
    }
}

fn read(dir: &Path) -> Result<BTreeMap<KeyId, Arc<Signer>>, KeyError> {
    let signers = keys::load_signers(dir)?;
    Ok(signers.into_iter().map(|signer| (signer.public().id(), Arc::new(signer))).collect())
}
