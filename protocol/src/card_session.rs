//! `POST /v1/card-session`: the hub speaks with a card, the agent carries the bytes. No master key leaves the hub.

use crate::codec::{self, CodecError};
use crate::head::{Head, ObjectType};
use crate::ids::{Epoch, Hash, RequestId, TerminalId};
use crate::sign::Payload;
use minicbor::bytes::ByteVec;

/// APDUs in one message.
pub const APDUS_MAX: usize = 8;
/// Bytes of one APDU, answer included: short APDUs only (ISO 7816-4).
pub const APDU_BYTES_MAX: usize = 261;
/// What the note of a session that failed begins with.
pub const FAILED: &str = "failed: ";
/// Bytes of the note at the end.
pub const NOTE_BYTES_MAX: usize = 240;

/// The agent brings what the card answered.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct CardSessionRequest {
    /// What, whose, of which life of the hub.
    #[n(0)]
    pub head: Head,
    /// The terminal.
    #[n(1)]
    pub terminal: TerminalId,
    /// Its enrolment.
    #[n(2)]
    pub epoch: Epoch,
    /// The session: random, made once.
    #[n(3)]
    pub session: RequestId,
    /// The step in the session, dense from 0.
    #[n(4)]
    pub step: u32,
    /// The card's answer to the APDU of the step before, empty where the card left; at step 0 the UID and the command.
    #[n(5)]
    pub answers: Vec<ByteVec>,
}

impl Payload for CardSessionRequest {
    const TYPE: ObjectType = ObjectType::CardSessionRequest;
    const MAX_BYTES: usize = 4 * 1024;

    fn head(&self) -> &Head {
        &self.head
    }

    fn check(&self) -> Result<(), CodecError> {
        check_apdus(&self.answers)
    }
}

/// The hub gives the next APDUs.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct CardSessionAnswer {
    /// What, whose, of which life of the hub.
    #[n(0)]
    pub head: Head,
    /// The hash of the request's envelope.
    #[n(1)]
    pub request: Hash,
    /// The session.
    #[n(2)]
    pub session: RequestId,
    /// The step.
    #[n(3)]
    pub step: u32,
    /// The next APDU for the card; none where the session is over.
    #[n(4)]
    pub apdus: Vec<ByteVec>,
    /// True where the session is over.
    #[n(5)]
    pub done: bool,
    /// What it came to, for whoever holds the card: set where it is over.
    #[n(6)]
    pub note: Option<String>,
}

impl Payload for CardSessionAnswer {
    const TYPE: ObjectType = ObjectType::CardSessionAnswer;
    const MAX_BYTES: usize = 4 * 1024;

    fn head(&self) -> &Head {
        &self.head
    }

    fn check(&self) -> Result<(), CodecError> {
        codec::text("note", self.note.as_deref().unwrap_or("-"), NOTE_BYTES_MAX)?;
        check_apdus(&self.apdus)
    }
}

fn check_apdus(apdus: &[ByteVec]) -> Result<(), CodecError> {
    codec::at_most("apdus", apdus.len(), APDUS_MAX)?;
    apdus.iter().try_for_each(|apdu| codec::at_most("apdu", apdu.len(), APDU_BYTES_MAX))
}
