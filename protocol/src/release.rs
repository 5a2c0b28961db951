//! Programs of terminals: what the fund's release key signs, and the calls by which a terminal learns of a release and
//! takes it, piece by piece.
//!
//! The release key is neither the root nor the hub's: who breaks into the hub can withhold a program, and make none. A
//! release belongs to no fund ([`Release::NO_FUND`]); the key that a terminal pinned at its installation decides.

use std::fmt;
use std::str::FromStr;

use crate::codec::{self, CodecError};
use crate::head::{Head, ObjectType};
use crate::ids::{Epoch, FundId, Hash, RequestId, TerminalId, Timestamp};
use crate::sign::Payload;
use minicbor::bytes::ByteVec;

/// The largest program that is taken.
pub const PROGRAM_BYTES_MAX: u32 = 64 * 1024 * 1024;
/// Bytes in one piece.
pub const PIECE_BYTES_MAX: u32 = 64 * 1024;
/// Bytes of a version.
pub const VERSION_BYTES_MAX: usize = 32;
/// Bytes of the name of the machines that a program runs on.
pub const TARGET_BYTES_MAX: usize = 48;
/// Capabilities that are told.
pub const CAPABILITIES_MAX: usize = 64;
/// Bytes of what a terminal says about an upgrade.
pub const NOTE_BYTES_MAX: usize = 160;
/// Troubles that are told.
pub const TROUBLES_MAX: usize = 16;

/// What does not work at a terminal, and keeps or will keep it from selling as it should. A number that is not known is
/// kept as it came.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Trouble(u16);

impl Trouble {
    /// The disk has not much room.
    pub const DISK_LOW: Self = Self(1);
    /// The disk is full.
    pub const DISK_FULL: Self = Self(2);
    /// The journal cannot be written: nothing is sold.
    pub const JOURNAL: Self = Self(3);
    /// There is no card reader: nothing is sold.
    pub const READER: Self = Self(4);
    /// The printer does not print.
    pub const PRINTER: Self = Self(5);
    /// The journal's second copy is not made.
    pub const SECOND_COPY: Self = Self(6);

    /// Takes a number from the wire.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }
}

/// What one side can do beyond the first form of the protocol. A number is never used again; one that is not known says
/// nothing.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Capability(u16);

impl Capability {
    /// Releases are offered and taken: `/v1/about` names one, `/v1/program` gives its pieces.
    pub const RELEASES: Self = Self(1);
    /// A terminal's troubles: [`AboutRequest::troubles`].
    pub const TROUBLES: Self = Self(2);
    /// After a restore the hot list is handed back too: [`crate::sync::SyncAnswer::want_list`].
    pub const HELD_LISTS: Self = Self(3);

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }
}

/// What this program can do, in ascending order.
pub const CAPABILITIES: &[Capability] = &[Capability::RELEASES, Capability::TROUBLES, Capability::HELD_LISTS];

/// The numbers of what this program can do.
#[must_use]
pub fn own_capabilities() -> Vec<u16> {
    CAPABILITIES.iter().map(|capability| capability.number()).collect()
}

/// A program's version: three numbers. What is not of this form is no release.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ProgramVersion([u16; 3]);

/// Not three numbers with points between them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a version: three numbers with points between, such as 0.2.0")]
pub struct BadVersion;

impl FromStr for ProgramVersion {
    type Err = BadVersion;

    fn from_str(text: &str) -> Result<Self, BadVersion> {
        let mut parts = text.split('.');
        let mut next = || {
            let part = parts.next().ok_or(BadVersion)?;
            let is_plain = part.bytes().all(|byte| byte.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
            if is_plain { part.parse().map_err(|_| BadVersion) } else { Err(BadVersion) }
        };
        let numbers = [next()?, next()?, next()?];
        if parts.next().is_some() { Err(BadVersion) } else { Ok(Self(numbers)) }
    }
}

impl fmt::Display for ProgramVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

/// What the release key says of one program.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct Release {
    /// What it is; of fund [`Self::NO_FUND`].
    #[n(0)]
    pub head: Head,
    /// Its version, a [`ProgramVersion`].
    #[n(1)]
    pub version: String,
    /// The machines that it runs on, such as `x86_64-linux-gnu`.
    #[n(2)]
    pub target: String,
    /// The program's length.
    #[n(3)]
    pub size: u32,
    /// SHA-256 of the program.
    #[n(4)]
    pub hash: Hash,
    /// The form of the journal that it writes.
    #[n(5)]
    pub journal_form: u16,
    /// What it can do: numbers of [`Capability`].
    #[n(6)]
    pub capabilities: Vec<u16>,
    /// When it was signed.
    #[n(7)]
    pub signed_at: Timestamp,
}

impl Release {
    /// What stands in the head of a release, which no fund owns.
    pub const NO_FUND: FundId = FundId::new(0);

    /// Its version, read.
    ///
    /// # Errors
    /// [`BadVersion`].
    pub fn version(&self) -> Result<ProgramVersion, BadVersion> {
        self.version.parse()
    }
}

impl Payload for Release {
    const TYPE: ObjectType = ObjectType::Release;
    const MAX_BYTES: usize = 512;

    fn head(&self) -> &Head {
        &self.head
    }

    fn check(&self) -> Result<(), CodecError> {
        codec::text("version", &self.version, VERSION_BYTES_MAX)?;
        self.version().map_err(|_| CodecError::Limit("version"))?;
        codec::text("target", &self.target, TARGET_BYTES_MAX)?;
        check_capabilities(&self.capabilities)?;
        if self.size == 0 || self.size > PROGRAM_BYTES_MAX { Err(CodecError::Limit("size")) } else { Ok(()) }
    }
}

fn check_capabilities(numbers: &[u16]) -> Result<(), CodecError> {
    codec::at_most("capabilities", numbers.len(), CAPABILITIES_MAX)?;
    if numbers.is_sorted_by(|a, b| a < b) { Ok(()) } else { Err(CodecError::Limit("capabilities")) }
}

/// How far a terminal is with the release that it was offered.
#[derive(Clone, Copy, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum UpgradePhase {
    /// None was offered, or it runs.
    #[n(0)]
    None,
    /// Its pieces are being fetched.
    #[n(1)]
    Loading,
    /// It is whole and tried on a copy of the journal.
    #[n(2)]
    Testing,
    /// It passed, and starts when nobody is served.
    #[n(3)]
    Ready,
    /// It runs, and has to show that it works.
    #[n(4)]
    Trial,
    /// It was not taken; the note says why.
    #[n(5)]
    Refused,
    /// It ran, did not work, and the one before runs again.
    #[n(6)]
    RolledBack,
    /// The terminal has no release key, so it takes none.
    #[n(7)]
    NoKey,
}

/// A terminal tells what it is and asks what the hub is: `POST /v1/about`.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct AboutRequest {
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
    /// The version of the program that runs.
    #[n(4)]
    pub program: String,
    /// The machine that it runs on.
    #[n(5)]
    pub target: String,
    /// What it can do.
    #[n(6)]
    pub capabilities: Vec<u16>,
    /// How far it is with an upgrade.
    #[n(7)]
    pub phase: UpgradePhase,
    /// The release that the phase is about: the hash of its envelope.
    #[n(8)]
    pub release: Option<Hash>,
    /// What there is to say about it, in English, for the admin.
    #[n(9)]
    pub note: String,
    /// Numbers of [`Trouble`], ascending; nothing where the hub is not known to take them.
    #[n(10)]
    pub troubles: Option<Vec<u16>>,
}

impl Payload for AboutRequest {
    const TYPE: ObjectType = ObjectType::AboutRequest;
    const MAX_BYTES: usize = 768;

    fn head(&self) -> &Head {
        &self.head
    }

    fn check(&self) -> Result<(), CodecError> {
        codec::text("program", &self.program, VERSION_BYTES_MAX)?;
        codec::text("target", &self.target, TARGET_BYTES_MAX)?;
        codec::text("note", &self.note, NOTE_BYTES_MAX)?;
        let troubles = self.troubles.as_deref().unwrap_or_default();
        codec::at_most("troubles", troubles.len(), TROUBLES_MAX)?;
        if !troubles.is_sorted_by(|a, b| a < b) || troubles.first() == Some(&0) {
            return Err(CodecError::Limit("troubles"));
        }
        check_capabilities(&self.capabilities)
    }
}

/// The hub's answer.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct AboutAnswer {
    /// What, whose, of which life of the hub.
    #[n(0)]
    pub head: Head,
    /// The hash of the request's envelope.
    #[n(1)]
    pub request: Hash,
    /// Hub time.
    #[n(2)]
    pub time: Timestamp,
    /// The version of the hub's program.
    #[n(3)]
    pub program: String,
    /// What the hub can do.
    #[n(4)]
    pub capabilities: Vec<u16>,
    /// The [`Release`] that this terminal is offered, as the release key signed it.
    #[n(5)]
    pub release: Option<ByteVec>,
}

impl Payload for AboutAnswer {
    const TYPE: ObjectType = ObjectType::AboutAnswer;
    const MAX_BYTES: usize = 1024;

    fn head(&self) -> &Head {
        &self.head
    }

    fn check(&self) -> Result<(), CodecError> {
        codec::text("program", &self.program, VERSION_BYTES_MAX)?;
        check_capabilities(&self.capabilities)
    }
}

/// A terminal asks for a piece of the program that it is offered: `POST /v1/program`.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct PieceRequest {
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
    /// The release: the hash of its envelope.
    #[n(4)]
    pub release: Hash,
    /// The piece's first byte.
    #[n(5)]
    pub from: u32,
    /// How many bytes are wanted, from 1 to [`PIECE_BYTES_MAX`].
    #[n(6)]
    pub length: u32,
}

impl Payload for PieceRequest {
    const TYPE: ObjectType = ObjectType::PieceRequest;
    const MAX_BYTES: usize = 192;

    fn head(&self) -> &Head {
        &self.head
    }

    fn check(&self) -> Result<(), CodecError> {
        if self.length == 0 || self.length > PIECE_BYTES_MAX { Err(CodecError::Limit("length")) } else { Ok(()) }
    }
}

/// The piece: fewer bytes than were asked for at the program's end only.
#[derive(Clone, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct PieceAnswer {
    /// What, whose, of which life of the hub.
    #[n(0)]
    pub head: Head,
    /// The hash of the request's envelope.
    #[n(1)]
    pub request: Hash,
    /// The bytes.
    #[n(2)]
    pub bytes: ByteVec,
}

/// The bytes are not shown.
impl fmt::Debug for PieceAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PieceAnswer({} bytes)", self.bytes.len())
    }
}

impl Payload for PieceAnswer {
    const TYPE: ObjectType = ObjectType::PieceAnswer;
    const MAX_BYTES: usize = 64 * 1024 + 128;

    fn head(&self) -> &Head {
        &self.head
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    #[test]
    fn versions_are_three_numbers_and_in_order() {
        let read = |text: &str| text.parse::<ProgramVersion>();
        for text in
            ["", "1", "1.2", "1.2.3.4", "1.2.x", "01.2.3", "1.2.+3", "1.2.-3", "1.2.65536", "1.2.3-rc1", " 1.2.3"]
        {
            assert_eq!(read(text), Err(BadVersion), "{text:?}");
        }
        assert_eq!(read("0.10.7").unwrap().to_string(), "0.10.7");
        assert!(read("0.10.0").unwrap() > read("0.9.9").unwrap());
        assert!(read("1.0.0").unwrap() > read("0.65535.65535").unwrap());
    }
}
