//! The hub's refusals: numbered for good, signed, and bound to the request.

use crate::codec::{self, CodecError};
use crate::head::{Head, ObjectType};
use crate::ids::Hash;
use crate::sign::Payload;

/// Bytes of a refusal's detail.
pub const DETAIL_BYTES_MAX: usize = 200;

macro_rules! refusal_codes {
    ($($(#[$doc:meta])* $number:literal $name:ident $status:literal $text:literal,)*) => {
        /// Why the hub refuses a request. A number is never used again; one that is not known here is kept.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum RefusalCode {
            $($(#[$doc])* $name,)*
            /// A number of a newer hub.
            Unknown(u16),
        }

        impl RefusalCode {
            /// Every code of this version.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its number.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self {
                    $(Self::$name => $number,)*
                    Self::Unknown(number) => number,
                }
            }

            /// The code of a number.
            #[must_use]
            pub const fn of_number(number: u16) -> Self {
                match number {
                    $($number => Self::$name,)*
                    _ => Self::Unknown(number),
                }
            }

            /// The HTTP status beside it.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self {
                    $(Self::$name => $status,)*
                    Self::Unknown(_) => 400,
                }
            }

            /// What it means, and what to do.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Unknown(_) => "refused for a reason that this version does not know; update the agent",
                }
            }
        }
    };
}

refusal_codes! {
    /// The bytes are not what the form says.
    1 Malformed 400 "the request is malformed",
    /// Longer than its limit.
    2 TooLarge 413 "the request is too large",
    /// The signature does not fit.
    3 BadSignature 401 "the signature does not fit",
    /// No such terminal, or no such epoch of it.
    4 UnknownTerminal 404 "the hub does not know this terminal; enrol it",
    /// The terminal was revoked.
    5 Revoked 403 "this terminal was revoked; enrol it again with a new code",
    /// The terminal's epoch is closed.
    6 EpochClosed 409 "this enrolment is closed; enrol again with a new code",
    /// The code does not fit.
    7 WrongCode 403 "the enrolment code is wrong; read it again",
    /// The code was used, or tried wrongly too often.
    8 CodeVoid 410 "the enrolment code is void; ask the fund for a new one",
    /// The code is too old.
    9 CodeExpired 410 "the enrolment code has expired; ask the fund for a new one",
    /// The key is one that every signature fits.
    10 WeakKey 400 "the terminal's key is weak; enrol again to make another",
    /// Of another fund.
    11 WrongFund 409 "this is the hub of another fund",
    /// A form version that the hub does not know.
    12 UnsupportedVersion 400 "the hub does not know this form version; update one of the two",
    /// Too much at once.
    13 Busy 503 "the hub is busy; it will be tried again",
    /// The hub failed.
    14 Internal 500 "the hub failed; it will be tried again",
    /// The hub was restored and is not ready to sign.
    15 Restoring 503 "the hub was restored and is not ready yet; it will be tried again",
    /// The terminal is quarantined.
    16 Quarantined 409 "this terminal is quarantined; enrol it again with a new code",
    /// The hub does not know the purse or card.
    17 NotFound 404 "the hub does not know this purse",
    /// The hub does not do this.
    18 NotSupported 501 "the hub does not support this",
}

/// Where a failed call leaves the operation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The hub said no: nothing was done.
    Refused,
    /// It never left: nothing was done.
    NotSent,
    /// It may have been done: what it reserved stays reserved.
    Unknown,
}

impl RefusalCode {
    /// Where it leaves the operation.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Internal | Self::Unknown(_) => Outcome::Unknown,
            Self::Malformed
            | Self::TooLarge
            | Self::BadSignature
            | Self::UnknownTerminal
            | Self::Revoked
            | Self::EpochClosed
            | Self::WrongCode
            | Self::CodeVoid
            | Self::CodeExpired
            | Self::WeakKey
            | Self::WrongFund
            | Self::UnsupportedVersion
            | Self::Busy
            | Self::Restoring
            | Self::Quarantined
            | Self::NotFound
            | Self::NotSupported => Outcome::Refused,
        }
    }
}

impl<C> minicbor::Encode<C> for RefusalCode {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.u16(self.number())?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for RefusalCode {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Ok(Self::of_number(d.u16()?))
    }
}

/// The hub refuses a request: the body of every answer that is not 200.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct Refusal {
    /// What, whose, of which life of the hub.
    #[n(0)]
    pub head: Head,
    /// The hash of the request's body.
    #[n(1)]
    pub request: Hash,
    /// Why.
    #[n(2)]
    pub code: RefusalCode,
    /// What exactly, in English, for the log.
    #[n(3)]
    pub detail: String,
}

impl Payload for Refusal {
    const TYPE: ObjectType = ObjectType::Refusal;
    const MAX_BYTES: usize = 512;

    fn head(&self) -> &Head {
        &self.head
    }

    fn check(&self) -> Result<(), CodecError> {
        codec::text("detail", &self.detail, DETAIL_BYTES_MAX)
    }
}
