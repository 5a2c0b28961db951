//! A receipt without paper: what one row says that a member may keep and show, signed by the terminal that wrote it.
//!
//! It names no card, no purse and no household: who finds one learns what was paid where, and nothing about who paid. It is
//! a function of its row alone, so that the hub makes it again from the row that it has and compares.

use base64ct::{Base64UrlUnpadded, Encoding as _};

use crate::cents::{Cents, MoneyError};
use crate::codec::CodecError;
use crate::head::{Head, ObjectType};
use crate::ids::{CategoryId, Epoch, Seq, Stan, TerminalId, Timestamp};
use crate::row::{LINES_MAX, Line, Origin, Row, RowBody};
use crate::sign::{ENVELOPE_BYTES_MAX, Payload, Signed};

/// Characters of a receipt's text.
pub const TEXT_CHARS_MAX: usize = 800;

/// What a receipt is of.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum EReceiptKind {
    /// A sale.
    #[n(1)]
    Sale,
    /// A sale that was undone at once.
    #[n(2)]
    Reversal,
    /// A refund that was asked for.
    #[n(3)]
    Refund,
}

impl EReceiptKind {
    /// Its name for programs, as in the agent's local API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Reversal => "reversal",
            Self::Refund => "refund",
        }
    }
}

/// The amounts of one category; what the goods cost is their sum.
#[derive(Clone, Copy, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(array)]
pub struct EReceiptLine {
    /// The category.
    #[n(0)]
    pub category: CategoryId,
    /// What the fund pays.
    #[n(1)]
    pub fund: Cents,
    /// What the member pays by other means.
    #[n(2)]
    pub member: Cents,
}

/// A receipt without paper.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct EReceipt {
    /// What, whose, of which life of the hub: as in the row.
    #[n(0)]
    pub head: Head,
    /// The terminal.
    #[n(1)]
    pub terminal: TerminalId,
    /// Its enrolment.
    #[n(2)]
    pub epoch: Epoch,
    /// The row.
    #[n(3)]
    pub seq: Seq,
    /// The number for people.
    #[n(4)]
    pub stan: Stan,
    /// What it is of.
    #[n(5)]
    pub kind: EReceiptKind,
    /// When, as the row says.
    #[n(6)]
    pub at: Timestamp,
    /// The amounts by category, at least one.
    #[n(7)]
    pub lines: Vec<EReceiptLine>,
}

impl Payload for EReceipt {
    const TYPE: ObjectType = ObjectType::EReceipt;
    const MAX_BYTES: usize = 480;

    fn head(&self) -> &Head {
        &self.head
    }

    fn check(&self) -> Result<(), CodecError> {
        let sums = self.fund().and_then(|fund| fund.plus(self.member()?));
        if self.lines.is_empty() || self.lines.len() > LINES_MAX || sums.is_err() {
            return Err(CodecError::Limit("lines"));
        }
        Ok(())
    }
}

impl EReceipt {
    /// The receipt of a row; nothing where a row of that kind has none. A reversal takes its amounts from the sale that it
    /// undoes: `undoes` is that sale's row, and is looked at for nothing else.
    #[must_use]
    pub fn of_row(row: &Row, undoes: Option<&Row>) -> Option<Self> {
        let (kind, stan, lines) = match &row.body {
            RowBody::Sale(sale) => (EReceiptKind::Sale, sale.stan, &sale.lines),
            RowBody::RefundRequest(refund) => (EReceiptKind::Refund, refund.stan, &refund.lines),
            RowBody::Reversal(reversal) => match undoes {
                Some(Row { seq, body: RowBody::Sale(sale), .. }) if *seq == reversal.sale => {
                    (EReceiptKind::Reversal, reversal.stan, &sale.lines)
                }
                Some(_) | None => return None,
            },
            RowBody::Start(_)
            | RowBody::Return(_)
            | RowBody::ListApplied(_)
            | RowBody::Intent(_)
            | RowBody::InDoubt(_)
            | RowBody::DoubtResolved(_)
            | RowBody::Courier(_)
            | RowBody::Close(_)
            | RowBody::CashierChange(_)
            | RowBody::Training(_)
            | RowBody::ClockSet(_)
            | RowBody::Configured(_)
            | RowBody::CardWritten(_)
            | RowBody::Unknown { .. } => return None,
        };
        let line = |line: &Line| EReceiptLine { category: line.category, fund: line.fund, member: line.member };
        Some(Self {
            head: Head { object_type: Self::TYPE, ..row.head },
            terminal: row.terminal,
            epoch: row.epoch,
            seq: row.seq,
            stan,
            kind,
            at: row.time.wall,
            lines: lines.iter().map(line).collect(),
        })
    }

    /// The row that it is of.
    #[must_use]
    pub const fn origin(&self) -> Origin {
        Origin { terminal: self.terminal, epoch: self.epoch, seq: self.seq }
    }

    /// The fund's part.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn fund(&self) -> Result<Cents, MoneyError> {
        Cents::sum(self.lines.iter().map(|line| line.fund))
    }

    /// The member's part.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn member(&self) -> Result<Cents, MoneyError> {
        Cents::sum(self.lines.iter().map(|line| line.member))
    }
}

/// Why a text is no receipt.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// Too long, or with characters that none has.
    #[error("no receipt is written like that")]
    Characters,
    /// The bytes are too many.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// A receipt as text: base64url (RFC 4648 §5) without padding.
#[must_use]
pub fn to_text(receipt: &Signed<EReceipt>) -> String {
    Base64UrlUnpadded::encode_string(receipt.as_bytes())
}

/// Reads what a person pasted: the text, or the whole address with it behind its `#`. White space is passed over.
///
/// # Errors
/// [`TextError`].
pub fn of_text(pasted: &str) -> Result<Signed<EReceipt>, TextError> {
    let text = pasted.rsplit_once('#').map_or(pasted, |(_, text)| text);
    let mut letters = String::new();
    for letter in text.chars().filter(|letter| !letter.is_whitespace()) {
        if letters.len() >= TEXT_CHARS_MAX || !letter.is_ascii() {
            return Err(TextError::Characters);
        }
        letters.push(letter);
    }
    let bytes = Base64UrlUnpadded::decode_vec(&letters).map_err(|_| TextError::Characters)?;
    Ok(Signed::from_bytes(bytes)?)
}

const _: () =
    assert!(TEXT_CHARS_MAX * 3 >= (EReceipt::MAX_BYTES + ENVELOPE_BYTES_MAX) * 4, "the longest receipt is read");
