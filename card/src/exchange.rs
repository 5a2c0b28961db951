//! One APDU there and back.

use zeroize::Zeroizing;

/// A card in a field, in process, or at the other end of a relay: bytes in, bytes out.
pub trait Exchange {
    /// Sends one short APDU and gives the card's answer.
    ///
    /// # Errors
    /// [`LinkLost`]: whether the card did what it was asked to is unknown.
    fn exchange(&mut self, apdu: &[u8]) -> Result<Answer, LinkLost>;
}

/// The card or its reader went away, or said nothing that is an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the card left before it answered")]
pub struct LinkLost;

/// What a card answered: data and the two status bytes (ISO 7816-4).
#[derive(Clone, Eq, PartialEq)]
pub struct Answer {
    /// The data, without the status.
    pub data: Zeroizing<Vec<u8>>,
    /// The status: `0x9100` is success.
    pub status: u16,
}

impl Answer {
    /// Splits off the status.
    ///
    /// # Errors
    /// [`LinkLost`] for fewer bytes than a status has: some readers report a card that left like this.
    pub fn parse(bytes: &[u8]) -> Result<Self, LinkLost> {
        let (data, status) = bytes.split_last_chunk::<2>().ok_or(LinkLost)?;
        Ok(Self { data: Zeroizing::new(data.to_vec()), status: u16::from_be_bytes(*status) })
    }
}

/// Only the length is shown.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Answer({} bytes, {:04X})", self.data.len(), self.status)
    }
}

/// Why a dialogue with a card ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CardError {
    /// The card went away: the outcome of the last command is unknown.
    #[error(transparent)]
    Link(#[from] LinkLost),
    /// The card said no, with this status: the command had no effect, and an open transaction is gone.
    #[error("the card refused {command}: status {status:04X}")]
    Refused {
        /// The command.
        command: &'static str,
        /// The status.
        status: u16,
    },
    /// What answered does not know the key, or what it answered was changed on the way.
    #[error("not authentic: {0}")]
    NotAuthentic(&'static str),
    /// It answers in a form that no card of ours does.
    #[error("an answer of another form: {0}")]
    Foreign(&'static str),
    /// It cannot be asked so.
    #[error("{0} is out of range")]
    Range(&'static str),
}
