//! The card and its reader: who was presented, and nothing else. No money is decided here.
//!
//! A card is spoken to through [`Card`] only, so that a chip of another make is an upgrade, not a rewrite. The reader
//! has a thread of its own; it never waits busily, survives the PC/SC service going away, and ends a session by
//! leaving the card as it is.

use cabas_protocol::row::Tier;
use std::fmt;

mod field;
mod once;
mod plain;
pub mod purse;
mod reader;
mod session;
mod uid;

pub use once::{NoCard, look, with_card};
pub use plain::read_uid;
pub use reader::{ReaderHandle, start};
pub use uid::{Uid, UidClass, UidError};

/// A card in the field, or in process: bytes in, bytes out.
pub trait Card {
    /// Sends one short APDU and gives the card's answer.
    ///
    /// # Errors
    /// [`CardError`]: after [`CardError::LinkLost`] it is unknown whether the card did what it was asked to.
    fn transmit(&mut self, apdu: &[u8]) -> Result<Answer, CardError>;
}

impl<C: Card + ?Sized> Card for &mut C {
    fn transmit(&mut self, apdu: &[u8]) -> Result<Answer, CardError> {
        (**self).transmit(apdu)
    }
}

/// What a card answered: data and the two status bytes (ISO 7816-4).
#[derive(Clone, Eq, PartialEq)]
pub struct Answer {
    /// The data, without the status.
    pub data: zeroize::Zeroizing<Vec<u8>>,
    /// The status: `0x9000` is success.
    pub status: u16,
}

impl Answer {
    /// Splits off the status.
    ///
    /// # Errors
    /// [`CardError::LinkLost`] for fewer bytes than a status has: some readers report a card that left like this.
    pub fn parse(bytes: &[u8]) -> Result<Self, CardError> {
        let (data, status) = bytes.split_last_chunk::<2>().ok_or(CardError::LinkLost)?;
        Ok(Self { data: zeroize::Zeroizing::new(data.to_vec()), status: u16::from_be_bytes(*status) })
    }
}

/// The data may be a UID: only its length is shown.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({} bytes, {:04X})", self.data.len(), self.status)
    }
}

/// Why a card could not be spoken to, by whose fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CardError {
    /// The card or its reader went away: the outcome of the last command is unknown.
    #[error("the card left before it answered")]
    LinkLost,
    /// The card said no: the command had no effect.
    #[error("the card refused: status {0:04X}")]
    Refused(u16),
    /// What is in the field does not speak as a card of ours does.
    #[error("not a card of this kind")]
    Foreign,
}

/// What was presented and can be taken for a card. `Debug` hides the UID.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PresentedCard {
    /// Its UID, wiped from memory when dropped.
    pub uid: Uid,
    /// What the card proved.
    pub tier: Tier,
    /// The number of the tap since the start, from 1: one tap, one event.
    pub tap: u64,
    /// The way to the card, where its UID is as long as that of a card that counts for itself.
    pub link: Option<purse::CardLink>,
}

/// What was presented and cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ForeignCard {
    /// A UID that changes at each tap: a telephone or a bank card.
    RandomUid,
    /// A UID that many cards share.
    NonUniqueUid,
    /// A card with contacts.
    Contact,
    /// The card or its reader gives no UID.
    NoUid {
        /// Its status bytes.
        status: u16,
    },
    /// The UID has a length that no card has.
    BadUid {
        /// Its length in bytes.
        len: usize,
    },
    /// A card that does not answer the reader.
    Mute,
    /// It left before it could be read: it may be presented again.
    Left,
    /// Another program holds the card.
    InUse,
}

/// How the reader is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ReaderState {
    /// The PC/SC service does not answer. Tried again by itself.
    NoService,
    /// The service runs; no reader that fits is connected.
    NoReader,
    /// A reader waits for cards.
    Ready {
        /// Its name, as PC/SC gives it.
        name: String,
    },
    /// The reader was there and went away.
    Lost,
}

/// What happened at the reader.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CardEvent {
    /// The reader's state changed.
    Reader(ReaderState),
    /// A card was presented: once per tap.
    Presented(PresentedCard),
    /// The field is empty again.
    Removed,
    /// Something else was presented.
    Foreign(ForeignCard),
    /// More than one card is in the field: none is read until all have left.
    Several,
}

/// Which reader is used.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ReaderConfig {
    /// A part of the reader's name, as in `PICC`; all readers fit where it is empty. Slots for security modules
    /// (`SAM`) never fit. The whole name is never asked for: its end differs from one start to the next.
    pub name_contains: String,
}
