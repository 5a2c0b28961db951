//! The signed balance: the hub's word on how much may ever be spent under one counter.

use crate::cents::Cents;
use crate::head::{Head, ObjectType};
use crate::ids::{Epoch, PolicyId, PurseRef, Serial, TerminalId, Timestamp};
use crate::sign::Payload;

/// Who counts `spent` under a balance.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Scope {
    /// The chip of a purse card.
    Card,
    /// The journal of one enrolment of one terminal.
    Terminal(TerminalId, Epoch),
}

impl<C> minicbor::Encode<C> for Scope {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        match self {
            Self::Card => e.array(1)?.u8(0)?.ok(),
            Self::Terminal(terminal, epoch) => e.array(3)?.u8(1)?.u32(terminal.get())?.u32(epoch.get())?.ok(),
        }
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Scope {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let position = d.position();
        match (d.array()?, d.u8()?) {
            (Some(1), 0) => Ok(Self::Card),
            (Some(3), 1) => Ok(Self::Terminal(TerminalId::new(d.u32()?), Epoch::new(d.u32()?))),
            _ => Err(minicbor::decode::Error::message("not a scope").at(position)),
        }
    }
}

/// How much may ever be spent under one counter. `available = allowed - spent`; an old copy allows less, never more.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct SignedBalance {
    /// What, whose, of which life of the hub.
    #[n(0)]
    pub head: Head,
    /// The purse whose money it is.
    #[n(1)]
    pub purse: PurseRef,
    /// Who counts `spent`.
    #[n(2)]
    pub scope: Scope,
    /// Its number within the scope.
    #[n(3)]
    pub serial: Serial,
    /// The total that may ever be spent under the scope. Only grows.
    #[n(4)]
    pub allowed: Cents,
    /// The limits that hold.
    #[n(5)]
    pub policy: PolicyId,
    /// When the hub made it.
    #[n(6)]
    pub issued_at: Timestamp,
    /// How long after `issued_at` it is honoured, in seconds. It forces renewal; it never frees money.
    #[n(7)]
    pub valid_for_s: u32,
}

impl Payload for SignedBalance {
    const TYPE: ObjectType = ObjectType::Balance;
    const MAX_BYTES: usize = 256;

    fn head(&self) -> &Head {
        &self.head
    }
}
