//! Cards and the hot list.

use cabas_protocol::{Timestamp, Version};

use super::error::StoreError;
use super::model::CardName;
use super::tx::Tx;

impl Tx<'_> {
    /// Puts a card on the hot list and says the list's version. A card that is on it already changes nothing.
    ///
    /// # Errors
    /// [`StoreError::UnknownCard`], [`StoreError::HotListFull`].
    pub fn card_block(&mut self, card: CardName, now: Timestamp) -> Result<Version, StoreError> {
        unimplemented!("{card:?} {now}")
    }

    /// Takes a card off the hot list and says the list's version.
    ///
    /// # Errors
    /// [`StoreError::UnknownCard`].
    pub fn card_unblock(&mut self, card: CardName, now: Timestamp) -> Result<Version, StoreError> {
        unimplemented!("{card:?} {now}")
    }
}
