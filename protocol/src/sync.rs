//! `POST /v1/sync`: rows go up from where the hub acknowledged, objects come down since a cursor, and the call waits
//! for news where there is none.

use crate::cents::Cents;
use crate::chain::ChainHead;
use crate::codec::{self, CodecError};
use crate::head::{Head, ObjectType};
use crate::hot_list::ENTRIES_MAX;
use crate::ids::{CardRef, Epoch, Hash, PurseRef, RequestId, Seq, TerminalId, Timestamp, Version};
use crate::row::{ClockQuality, PROGRAM_VERSION_BYTES_MAX};
use crate::sign::Payload;
use minicbor::bytes::ByteVec;

/// Rows in one request.
pub const ROWS_MAX: usize = 64;
/// Objects in one answer, and in what a terminal hands back.
pub const OBJECTS_MAX: usize = 256;
/// How long a terminal may ask the hub to wait for news.
pub const WAIT_MS_MAX: u32 = 60_000;

/// What a terminal tells of itself: for the admin's eyes, never a reason to refuse a row.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct TerminalStatus {
    /// The agent's version.
    #[n(0)]
    pub program: String,
    /// Its wall clock.
    #[n(1)]
    pub wall: Timestamp,
    /// How far it trusts it.
    #[n(2)]
    pub clock: ClockQuality,
    /// The hot list that it holds.
    #[n(3)]
    pub hot_list: Version,
    /// The newest row it has.
    #[n(4)]
    pub newest: Seq,
    /// Sales refused though they may have been funded, since the program started.
    #[n(5)]
    pub refused_unfunded: u32,
}

/// A terminal pushes rows and asks for news.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct SyncRequest {
    /// What, whose, of which life of the hub.
    #[n(0)]
    pub head: Head,
    /// The terminal.
    #[n(1)]
    pub terminal: TerminalId,
    /// Its enrolment.
    #[n(2)]
    pub epoch: Epoch,
    /// Random, new each time.
    #[n(3)]
    pub nonce: RequestId,
    /// What the hub acknowledged last: the rows build on it.
    #[n(4)]
    pub base: ChainHead,
    /// Signed [`crate::Row`]s, dense and in order.
    #[n(5)]
    pub rows: Vec<ByteVec>,
    /// News since here, as the last answer gave it; 0 for all.
    #[n(6)]
    pub cursor: u64,
    /// How long to wait for news, in milliseconds.
    #[n(7)]
    pub wait_ms: u32,
    /// What the terminal tells of itself.
    #[n(8)]
    pub status: TerminalStatus,
    /// Hub-signed balances handed back after the hub asked for them ([`SyncAnswer::want_held`]), page by page.
    #[n(9)]
    pub held: Vec<ByteVec>,
    /// True with the last page of what was asked for, be it empty: the hub has then seen all of it.
    #[n(10)]
    pub held_end: bool,
    /// With the last page, where the hub asked for it: what the terminal knows as blocked ([`SyncAnswer::want_list`]).
    #[n(11)]
    pub held_list: Option<HeldList>,
}

/// The hot list as a terminal holds it: its own word, for it keeps no envelope.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct HeldList {
    /// The list's version.
    #[n(0)]
    pub version: Version,
    /// Cards that buy nothing.
    #[n(1)]
    pub cards: Vec<CardRef>,
}

impl Payload for SyncRequest {
    const TYPE: ObjectType = ObjectType::SyncRequest;
    const MAX_BYTES: usize = 256 * 1024;

    fn head(&self) -> &Head {
        &self.head
    }

    fn check(&self) -> Result<(), CodecError> {
        codec::at_most("rows", self.rows.len(), ROWS_MAX)?;
        codec::at_most("held", self.held.len(), OBJECTS_MAX)?;
        codec::at_most("held_list", self.held_list.as_ref().map_or(0, |list| list.cards.len()), ENTRIES_MAX)?;
        codec::text("program", &self.status.program, PROGRAM_VERSION_BYTES_MAX)?;
        if self.wait_ms > WAIT_MS_MAX { Err(CodecError::Limit("wait_ms")) } else { Ok(()) }
    }
}

/// How a terminal's enrolment stands at the hub.
#[derive(Clone, Copy, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum Standing {
    /// It sells.
    #[n(0)]
    Live,
    /// Its journal has two futures or a hole: it sells no more, and loses nothing. The way out is a new enrolment.
    #[n(1)]
    Quarantined,
    /// The admin took its right to sell. Its rows are still taken.
    #[n(2)]
    Revoked,
    /// Its epoch is closed: later rows are over-right.
    #[n(3)]
    Closed,
}

/// The hub's answer.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct SyncAnswer {
    /// What, whose, of which life of the hub.
    #[n(0)]
    pub head: Head,
    /// The hash of the request's envelope.
    #[n(1)]
    pub request: Hash,
    /// Hub time.
    #[n(2)]
    pub time: Timestamp,
    /// How the enrolment stands.
    #[n(3)]
    pub standing: Standing,
    /// The newest row that the hub has: the terminal goes on from here.
    #[n(4)]
    pub acked: ChainHead,
    /// The newest row that is safe in a backup: only rows up to here may leave the terminal.
    #[n(5)]
    pub backed_up: Seq,
    /// Where the next request asks from.
    #[n(6)]
    pub cursor: u64,
    /// True where more objects wait.
    #[n(7)]
    pub more: bool,
    /// Signed objects of the types that a terminal takes.
    #[n(8)]
    pub objects: Vec<ByteVec>,
    /// True where the hub asks for the hub-signed balances that the terminal holds.
    #[n(9)]
    pub want_held: bool,
    /// True where it asks for the hot list as well; left out where not, and where the terminal did not say that it can.
    #[n(10)]
    pub want_list: Option<bool>,
}

impl Payload for SyncAnswer {
    const TYPE: ObjectType = ObjectType::SyncAnswer;
    const MAX_BYTES: usize = 256 * 1024;

    fn head(&self) -> &Head {
        &self.head
    }

    fn check(&self) -> Result<(), CodecError> {
        codec::at_most("objects", self.objects.len(), OBJECTS_MAX)
    }
}

/// The hub asks for money back, as a level: "keep at most `keep`". Late or repeated it is harmless.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct Recall {
    /// What, whose, of which life of the hub.
    #[n(0)]
    pub head: Head,
    /// The terminal.
    #[n(1)]
    pub terminal: TerminalId,
    /// Its enrolment.
    #[n(2)]
    pub epoch: Epoch,
    /// The purse.
    #[n(3)]
    pub purse: PurseRef,
    /// What it may keep.
    #[n(4)]
    pub keep: Cents,
    /// The operation.
    #[n(5)]
    pub request: RequestId,
}

impl Payload for Recall {
    const TYPE: ObjectType = ObjectType::Recall;
    const MAX_BYTES: usize = 128;

    fn head(&self) -> &Head {
        &self.head
    }
}

/// What became of a terminal's refund request.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct RefundDecision {
    /// What, whose, of which life of the hub.
    #[n(0)]
    pub head: Head,
    /// The terminal.
    #[n(1)]
    pub terminal: TerminalId,
    /// Its enrolment.
    #[n(2)]
    pub epoch: Epoch,
    /// The row that asked.
    #[n(3)]
    pub seq: Seq,
    /// True where the money went back to the household.
    #[n(4)]
    pub granted: bool,
}

impl Payload for RefundDecision {
    const TYPE: ObjectType = ObjectType::RefundDecision;
    const MAX_BYTES: usize = 128;

    fn head(&self) -> &Head {
        &self.head
    }
}
