//! The fund itself, its keys, its limits and its grid.

use cabas_protocol::{Signed, Timestamp, keys::KeyCert};

use super::error::StoreError;
use super::model::{FundInfo, InitFund};
use super::tx::Tx;

impl Tx<'_> {
    /// Makes the fund.
    ///
    /// # Errors
    /// [`StoreError::FundExists`], [`StoreError::Text`].
    pub fn init_fund(&mut self, init: &InitFund, now: Timestamp) -> Result<(), StoreError> {
        unimplemented!("{init:?} {now}")
    }

    /// The fund.
    ///
    /// # Errors
    /// [`StoreError::NoFund`].
    pub fn fund(&self) -> Result<FundInfo, StoreError> {
        unimplemented!()
    }

    /// The certificates of the signing keys, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn key_certs(&self) -> Result<Vec<Signed<KeyCert>>, StoreError> {
        unimplemented!()
    }
}
