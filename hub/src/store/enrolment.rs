//! Terminals come, prove a code, and get an epoch.

use cabas_protocol::enrol::CodeKeys;
use cabas_protocol::{PublicKey, TerminalId, Timestamp};

use super::error::StoreError;
use super::model::{Enrolled, EnrolmentCode};
use super::tx::Tx;

/// A new code for a terminal.
#[derive(Clone, Debug)]
pub struct NewCode {
    /// The part that names the enrolment.
    pub locator: String,
    /// The keys of the code.
    pub keys: CodeKeys,
    /// When it expires.
    pub expires_at: Timestamp,
}

impl Tx<'_> {
    /// Makes a terminal for a shop, with a code for its first epoch.
    ///
    /// # Errors
    /// [`StoreError::UnknownShop`]; [`StoreError::Sqlite`] where the locator is taken (make another code).
    pub fn terminal_add(&mut self, shop_code: &str, code: &NewCode, now: Timestamp) -> Result<TerminalId, StoreError> {
        unimplemented!("{shop_code} {code:?} {now}")
    }

    /// Gives a terminal a code for its next epoch; its older unused codes are void.
    ///
    /// # Errors
    /// [`StoreError::UnknownTerminal`].
    pub fn terminal_code(&mut self, terminal: TerminalId, code: &NewCode, now: Timestamp) -> Result<(), StoreError> {
        unimplemented!("{terminal} {code:?} {now}")
    }

    /// What the hub keeps of a code. The caller checks tries, age and proof by [`EnrolmentCode::usable`].
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn enrolment_lookup(&self, locator: &str) -> Result<Option<EnrolmentCode>, StoreError> {
        unimplemented!("{locator}")
    }

    /// Counts a wrong proof and says how many tries are left; at 0 the code is void.
    ///
    /// # Errors
    /// [`StoreError::Enrol`] where there is no such code.
    pub fn enrolment_try_failed(&mut self, locator: &str) -> Result<u32, StoreError> {
        unimplemented!("{locator}")
    }

    /// Opens the next epoch of the code's terminal for a key whose proof fits. Repeated with the same code and key it
    /// gives the same epoch, however late. Nothing is closed by it.
    ///
    /// # Errors
    /// [`StoreError::Enrol`].
    pub fn enrol(&mut self, locator: &str, key: &PublicKey, now: Timestamp) -> Result<Enrolled, StoreError> {
        unimplemented!("{locator} {key:?} {now}")
    }
}
