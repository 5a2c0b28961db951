//! `POST /v1/extend`: a slice is too small and the hub is there: it signs a larger one, and the terminal decides as
//! always. A level ("`allowed` at least X"), never a difference, so a repeated one is harmless.

use crate::cents::Cents;
use crate::head::{Head, ObjectType};
use crate::ids::{Epoch, Hash, PurseRef, RequestId, TerminalId, Timestamp};
use crate::sign::Payload;
use minicbor::bytes::ByteVec;

/// A terminal asks for a larger slice.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct ExtendRequest {
    /// What, whose, of which life of the hub.
    #[n(0)]
    pub head: Head,
    /// The terminal.
    #[n(1)]
    pub terminal: TerminalId,
    /// Its enrolment.
    #[n(2)]
    pub epoch: Epoch,
    /// The operation.
    #[n(3)]
    pub request: RequestId,
    /// The purse.
    #[n(4)]
    pub purse: PurseRef,
    /// The least `allowed` that would do.
    #[n(5)]
    pub allowed_at_least: Cents,
}

impl Payload for ExtendRequest {
    const TYPE: ObjectType = ObjectType::ExtendRequest;
    const MAX_BYTES: usize = 128;

    fn head(&self) -> &Head {
        &self.head
    }
}

/// The hub's answer: the newest balance of the scope, raised as far as it can be, or nothing where there is none.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct ExtendAnswer {
    /// What, whose, of which life of the hub.
    #[n(0)]
    pub head: Head,
    /// The hash of the request's envelope.
    #[n(1)]
    pub request: Hash,
    /// Hub time.
    #[n(2)]
    pub time: Timestamp,
    /// A [`crate::SignedBalance`].
    #[n(3)]
    pub balance: Option<ByteVec>,
}

impl Payload for ExtendAnswer {
    const TYPE: ObjectType = ObjectType::ExtendAnswer;
    const MAX_BYTES: usize = 512;

    fn head(&self) -> &Head {
        &self.head
    }
}
