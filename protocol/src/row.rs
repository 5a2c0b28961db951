//! A journal row: what happened at a terminal, signed, chained, and never changed again.
//!
//! A row that uses money *claims* an interval of its scope's counter: `(spent_after - amount, spent_after]`.

use crate::cents::{Cents, MoneyError};
use crate::codec::{self, CodecError, RawItem};
use crate::head::{Head, ObjectType};
use crate::ids::{
    BootId, CardRef, CategoryId, Epoch, Hash, PolicyId, PurseRef, RequestId, Seq, Serial, Stan, TerminalId, Timestamp,
    Version,
};
use crate::sign::Payload;
use minicbor::bytes::ByteVec;

/// Lines (categories) of one sale at the most.
pub const LINES_MAX: usize = 16;
/// Bytes of a record that a card carries.
pub const CARD_RECORD_BYTES_MAX: usize = 64;
/// Bytes of a card's MAC.
pub const CARD_MAC_BYTES_MAX: usize = 16;
/// Bytes of a program version.
pub const PROGRAM_VERSION_BYTES_MAX: usize = 32;

/// How far a terminal trusts its wall clock.
#[derive(Clone, Copy, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum ClockQuality {
    /// Nothing is known: never compared with hub time, or impossible (1970, 2099).
    #[n(0)]
    Unknown,
    /// Compared with hub time in an earlier run of the system, and plausible since.
    #[n(1)]
    Carried,
    /// Compared with hub time in this run.
    #[n(2)]
    Synced,
}

/// When something happened, as far as the terminal can tell.
#[derive(Clone, Copy, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(array)]
pub struct RowTime {
    /// The run of the operating system.
    #[n(0)]
    pub boot: BootId,
    /// Milliseconds since it started, sleep included.
    #[n(1)]
    pub monotonic_ms: u64,
    /// What the wall clock said.
    #[n(2)]
    pub wall: Timestamp,
    /// How far it is to be trusted.
    #[n(3)]
    pub quality: ClockQuality,
}

/// A row of a terminal, by its key.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, minicbor::Encode, minicbor::Decode)]
#[cbor(array)]
pub struct Origin {
    /// The terminal.
    #[n(0)]
    pub terminal: TerminalId,
    /// Its enrolment.
    #[n(1)]
    pub epoch: Epoch,
    /// The row.
    #[n(2)]
    pub seq: Seq,
}

/// A card's tier.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum Tier {
    /// T3: a UID that anybody can copy.
    #[n(3)]
    Plain,
    /// T2: an authenticated identity.
    #[n(2)]
    Identity,
    /// T1: a purse that counts by itself.
    #[n(1)]
    Purse,
}

/// The part of a sale in one category.
#[derive(Clone, Copy, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(array)]
pub struct Line {
    /// The category in the shop's grid.
    #[n(0)]
    pub category: CategoryId,
    /// What the goods cost.
    #[n(1)]
    pub requested: Cents,
    /// What the fund pays: the only part that uses the balance.
    #[n(2)]
    pub fund: Cents,
    /// What the member pays by other means.
    #[n(3)]
    pub member: Cents,
}

/// A sale under a balance. Made offline it is an advice (ISO 8583): it may be classified, never refused.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct Sale {
    /// The number on the receipt.
    #[n(0)]
    pub stan: Stan,
    /// The card.
    #[n(1)]
    pub card: CardRef,
    /// The tier that was proven.
    #[n(2)]
    pub tier: Tier,
    /// The purse whose money is used.
    #[n(3)]
    pub purse: PurseRef,
    /// The scope's counter after this sale.
    #[n(4)]
    pub spent_after: Cents,
    /// The balance that allowed it.
    #[n(5)]
    pub serial: Serial,
    /// The amounts by category, at least one.
    #[n(6)]
    pub lines: Vec<Line>,
    /// The hot list that was held.
    #[n(7)]
    pub hot_list: Version,
    /// The grid by which the lines were split.
    #[n(8)]
    pub grid: Version,
    /// The limits that held.
    #[n(9)]
    pub policy: PolicyId,
    /// The request that asked for it.
    #[n(10)]
    pub request: Option<RequestId>,
    /// What was asked for where only a part was taken.
    #[n(11)]
    pub asked: Option<Cents>,
    /// The intent row that came before (T1).
    #[n(12)]
    pub intent: Option<Seq>,
    /// The card's transaction counter (T1, T2).
    #[n(13)]
    pub card_counter: Option<u32>,
    /// The card's MAC over the transaction (T1).
    #[n(14)]
    pub card_mac: Option<ByteVec>,
}

impl Sale {
    /// The fund's part: what the sale claims.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn fund_cents(&self) -> Result<Cents, MoneyError> {
        Cents::sum(self.lines.iter().map(|line| line.fund))
    }

    /// The member's part.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn member_cents(&self) -> Result<Cents, MoneyError> {
        Cents::sum(self.lines.iter().map(|line| line.member))
    }

    fn check(&self) -> Result<(), CodecError> {
        check_lines(&self.lines)?;
        if self.spent_after < self.fund_cents().map_err(|_| CodecError::Limit("lines"))? {
            return Err(CodecError::Limit("spent_after"));
        }
        let mac_len = self.card_mac.as_ref().map_or(0, |mac| mac.len());
        codec::at_most("card_mac", mac_len, CARD_MAC_BYTES_MAX)
    }
}

fn check_lines(lines: &[Line]) -> Result<(), CodecError> {
    codec::at_most("lines", lines.len(), LINES_MAX)?;
    let sums_fit = lines.iter().all(|line| line.fund.plus(line.member) == Ok(line.requested));
    let fund = Cents::sum(lines.iter().map(|line| line.fund)).map_err(|_| CodecError::Limit("lines"))?;
    if lines.is_empty() || !sums_fit || fund.is_zero() { Err(CodecError::Limit("lines")) } else { Ok(()) }
}

/// Asks the hub to raise `allowed` by what a settled sale paid.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct RefundRequest {
    /// The number on the receipt.
    #[n(0)]
    pub stan: Stan,
    /// The sale.
    #[n(1)]
    pub original: Origin,
    /// The purse that paid it.
    #[n(2)]
    pub purse: PurseRef,
    /// What goes back, by category.
    #[n(3)]
    pub lines: Vec<Line>,
    /// The operation.
    #[n(4)]
    pub request: RequestId,
}

/// Undoes a terminal-scope sale at once, whole: raises the scope's *reversed* counter.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct Reversal {
    /// The number on the receipt.
    #[n(0)]
    pub stan: Stan,
    /// The sale.
    #[n(1)]
    pub sale: Seq,
    /// The purse.
    #[n(2)]
    pub purse: PurseRef,
    /// What is usable again.
    #[n(3)]
    pub cents: Cents,
    /// The scope's reversed counter after this row.
    #[n(4)]
    pub reversed_after: Cents,
}

/// Hands money back to the hub: a debit like any other.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct Return {
    /// The purse.
    #[n(0)]
    pub purse: PurseRef,
    /// What is handed back.
    #[n(1)]
    pub cents: Cents,
    /// The scope's counter after this row.
    #[n(2)]
    pub spent_after: Cents,
    /// The balance under which it stood.
    #[n(3)]
    pub serial: Serial,
    /// The recall that asked for it.
    #[n(4)]
    pub request: Option<RequestId>,
}

/// A debit was sent to a card and no answer came (T1), or is about to be sent: the intent.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct CardDebit {
    /// The number on the receipt.
    #[n(0)]
    pub stan: Stan,
    /// The card.
    #[n(1)]
    pub card: CardRef,
    /// Its purse.
    #[n(2)]
    pub purse: PurseRef,
    /// What the debit takes.
    #[n(3)]
    pub cents: Cents,
    /// The card's counter before it.
    #[n(4)]
    pub spent_before: Cents,
    /// The card's transaction counter before it.
    #[n(5)]
    pub card_counter: u32,
}

/// A doubt is settled: the debit happened, or it did not.
#[derive(Clone, Copy, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct DoubtResolved {
    /// The doubt's row.
    #[n(0)]
    pub doubt: Origin,
    /// True where the card was debited.
    #[n(1)]
    pub debited: bool,
}

/// A record that a card brought from another terminal.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct Courier {
    /// The row that the record tells of.
    #[n(0)]
    pub origin: Origin,
    /// The card that brought it.
    #[n(1)]
    pub card: CardRef,
    /// Its purse.
    #[n(2)]
    pub purse: PurseRef,
    /// The record as it stands on the card.
    #[n(3)]
    pub record: ByteVec,
}

/// A newer balance was written to a card: a transaction of its own, so that no counter of the card is missing.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct CardWritten {
    /// The card.
    #[n(0)]
    pub card: CardRef,
    /// Its purse.
    #[n(1)]
    pub purse: PurseRef,
    /// The balance that was written.
    #[n(2)]
    pub serial: Serial,
    /// The card's transaction counter after it.
    #[n(3)]
    pub card_counter: u32,
    /// The card's MAC over the transaction.
    #[n(4)]
    pub card_mac: ByteVec,
}

/// What a closing covers.
#[derive(Clone, Copy, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum ClosePeriod {
    /// A business day.
    #[n(1)]
    Day,
    /// A month.
    #[n(2)]
    Month,
    /// A year.
    #[n(3)]
    Year,
}

/// A closing with its totals, the perpetual one among them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct Close {
    /// What it covers.
    #[n(0)]
    pub period: ClosePeriod,
    /// The closing's number within its kind, dense from 1.
    #[n(1)]
    pub number: u32,
    /// The first row that it covers.
    #[n(2)]
    pub from: Seq,
    /// Sales in the period.
    #[n(3)]
    pub sales: u32,
    /// The fund's part of them.
    #[n(4)]
    pub fund: Cents,
    /// The member's part of them.
    #[n(5)]
    pub member: Cents,
    /// Reversed in the period.
    #[n(6)]
    pub reversed: Cents,
    /// Refunds asked for in the period.
    #[n(7)]
    pub refunds: Cents,
    /// Everything that the fund's part ever came to in this epoch, reversals not taken off. Never reset.
    #[n(8)]
    pub perpetual: Cents,
}

/// Why the wall clock was set.
#[derive(Clone, Copy, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct ClockSet {
    /// What it said.
    #[n(0)]
    pub before: Timestamp,
    /// What it says.
    #[n(1)]
    pub after: Timestamp,
}

/// The program started.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct Start {
    /// Its version.
    #[n(0)]
    pub program: String,
}

/// A configuration, a grid or a policy was taken over.
#[derive(Clone, Copy, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct Configured {
    /// The terminal's configuration.
    #[n(0)]
    pub config: Version,
    /// The grid.
    #[n(1)]
    pub grid: Version,
    /// The limits.
    #[n(2)]
    pub policy: PolicyId,
}

/// A hot list was taken over: earlier rows were written without it, later ones with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct ListApplied {
    /// The list.
    #[n(0)]
    pub version: Version,
}

/// Another cashier took over.
#[derive(Clone, Copy, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct CashierChange {
    /// The cashier's number at this shop; 0 for none.
    #[n(0)]
    pub cashier: u16,
}

/// The training mode went on or off.
#[derive(Clone, Copy, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct Training {
    /// What it is from here on.
    #[n(0)]
    pub on: bool,
}

macro_rules! row_bodies {
    ($($(#[$doc:meta])* $kind:literal $variant:ident($body:ty),)*) => {
        /// What happened. A kind's number is never used again.
        #[derive(Clone, Debug, Eq, PartialEq)]
        pub enum RowBody {
            $($(#[$doc])* $variant($body),)*
            /// A kind that this program does not know: kept as it came.
            Unknown {
                /// Its number.
                kind: u16,
                /// Its body.
                body: RawItem,
            },
        }

        impl RowBody {
            /// The number of its kind.
            #[must_use]
            pub const fn kind(&self) -> u16 {
                match self {
                    $(Self::$variant(_) => $kind,)*
                    Self::Unknown { kind, .. } => *kind,
                }
            }

            /// The name of its kind, for logs and exports.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => stringify!($variant),)*
                    Self::Unknown { .. } => "Unknown",
                }
            }

            fn to_raw(&self) -> RawItem {
                match self {
                    $(Self::$variant(body) => RawItem::of(body),)*
                    Self::Unknown { body, .. } => body.clone(),
                }
            }

            fn of_raw(kind: u16, body: RawItem) -> Result<Self, minicbor::decode::Error> {
                Ok(match kind {
                    $($kind => Self::$variant(minicbor::decode(body.as_bytes())?),)*
                    _ => Self::Unknown { kind, body },
                })
            }
        }
    };
}

row_bodies! {
    /// The program started.
    1 Start(Start),
    /// A purse was debited.
    2 Sale(Sale),
    /// A refund is asked for.
    3 RefundRequest(RefundRequest),
    /// A sale was undone at once.
    4 Reversal(Reversal),
    /// Money was handed back.
    5 Return(Return),
    /// A hot list was taken over.
    6 ListApplied(ListApplied),
    /// A debit is about to be sent to a card.
    7 Intent(CardDebit),
    /// A debit was sent to a card, and no answer came.
    8 InDoubt(CardDebit),
    /// A doubt was settled.
    9 DoubtResolved(DoubtResolved),
    /// A card brought a record of another terminal.
    10 Courier(Courier),
    /// A day, month or year was closed.
    11 Close(Close),
    /// Another cashier.
    12 CashierChange(CashierChange),
    /// Training mode on or off.
    13 Training(Training),
    /// The wall clock was set.
    14 ClockSet(ClockSet),
    /// Configuration, grid or limits were taken over.
    15 Configured(Configured),
    /// A newer balance was written to a card.
    16 CardWritten(CardWritten),
}

/// One row of a terminal's journal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    /// What, whose, of which life of the hub.
    pub head: Head,
    /// The terminal.
    pub terminal: TerminalId,
    /// Its enrolment.
    pub epoch: Epoch,
    /// Its place, dense from 1.
    pub seq: Seq,
    /// The hash of the row before.
    pub prev: Hash,
    /// When.
    pub time: RowTime,
    /// What happened.
    pub body: RowBody,
}

/// A row as it is written: the body's form follows from `kind`.
#[derive(minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
struct RowWire {
    #[n(0)]
    head: Head,
    #[n(1)]
    terminal: TerminalId,
    #[n(2)]
    epoch: Epoch,
    #[n(3)]
    seq: Seq,
    #[n(4)]
    prev: Hash,
    #[n(5)]
    time: RowTime,
    #[n(6)]
    kind: u16,
    #[n(7)]
    body: RawItem,
}

impl Row {
    /// The row by its key.
    #[must_use]
    pub const fn origin(&self) -> Origin {
        Origin { terminal: self.terminal, epoch: self.epoch, seq: self.seq }
    }
}

impl<C> minicbor::Encode<C> for Row {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        let Self { head, terminal, epoch, seq, prev, time, ref body } = *self;
        e.encode(RowWire { head, terminal, epoch, seq, prev, time, kind: body.kind(), body: body.to_raw() })?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Row {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let RowWire { head, terminal, epoch, seq, prev, time, kind, body } = d.decode()?;
        Ok(Self { head, terminal, epoch, seq, prev, time, body: RowBody::of_raw(kind, body)? })
    }
}

impl Payload for Row {
    const TYPE: ObjectType = ObjectType::Row;
    const MAX_BYTES: usize = 1024;

    fn head(&self) -> &Head {
        &self.head
    }

    fn check(&self) -> Result<(), CodecError> {
        match &self.body {
            RowBody::Sale(sale) => sale.check(),
            RowBody::RefundRequest(refund) => check_lines(&refund.lines),
            RowBody::CardWritten(written) => codec::at_most("card_mac", written.card_mac.len(), CARD_MAC_BYTES_MAX),
            RowBody::Courier(courier) => codec::at_most("record", courier.record.len(), CARD_RECORD_BYTES_MAX),
            RowBody::Start(start) => codec::text("program", &start.program, PROGRAM_VERSION_BYTES_MAX),
            RowBody::Return(returned) if returned.spent_after < returned.cents => Err(CodecError::Limit("spent_after")),
            RowBody::Reversal(reversal) if reversal.reversed_after < reversal.cents => {
                Err(CodecError::Limit("reversed_after"))
            }
            RowBody::Return(_)
            | RowBody::Reversal(_)
            | RowBody::ListApplied(_)
            | RowBody::Intent(_)
            | RowBody::InDoubt(_)
            | RowBody::DoubtResolved(_)
            | RowBody::Close(_)
            | RowBody::CashierChange(_)
            | RowBody::Training(_)
            | RowBody::ClockSet(_)
            | RowBody::Configured(_)
            | RowBody::Unknown { .. } => Ok(()),
        }
    }
}
