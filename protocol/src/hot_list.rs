//! The hot list: cards and purses to refuse, signed and versioned. Its version never goes down.

use crate::codec::{self, CodecError};
use crate::head::{Head, ObjectType};
use crate::ids::{CardRef, PurseRef, Timestamp, Version};
use crate::sign::Payload;

/// Entries in one list of each kind.
pub const ENTRIES_MAX: usize = 2048;

/// A hot list, or the step from one to the next.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct HotList {
    /// What, whose, of which life of the hub.
    #[n(0)]
    pub head: Head,
    /// Its version.
    #[n(1)]
    pub version: Version,
    /// The version that it is a step from; 0 where it is the whole list.
    #[n(2)]
    pub base: Version,
    /// When the hub made it.
    #[n(3)]
    pub issued_at: Timestamp,
    /// Cards to refuse: added, or all.
    #[n(4)]
    pub cards: Vec<CardRef>,
    /// Purses to refuse: added, or all.
    #[n(5)]
    pub purses: Vec<PurseRef>,
    /// Cards of `base` that are refused no more.
    #[n(6)]
    pub cards_removed: Vec<CardRef>,
    /// Purses of `base` that are refused no more.
    #[n(7)]
    pub purses_removed: Vec<PurseRef>,
}

impl Payload for HotList {
    const TYPE: ObjectType = ObjectType::HotList;
    const MAX_BYTES: usize = 80 * 1024;

    fn head(&self) -> &Head {
        &self.head
    }

    fn check(&self) -> Result<(), CodecError> {
        codec::at_most("cards", self.cards.len(), ENTRIES_MAX)?;
        codec::at_most("purses", self.purses.len(), ENTRIES_MAX)?;
        codec::at_most("cards_removed", self.cards_removed.len(), ENTRIES_MAX)?;
        codec::at_most("purses_removed", self.purses_removed.len(), ENTRIES_MAX)?;
        if self.base < self.version { Ok(()) } else { Err(CodecError::Limit("base")) }
    }
}
