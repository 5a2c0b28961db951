//! The fields of one line, each read strictly.

use cabas_protocol::objects::NAME_BYTES_MAX;
use cabas_protocol::{Cents, MoneyError};
use zeroize::Zeroizing;

use crate::bank;
use crate::store::{MONEY_IN_LINES_MAX, MoneyInRefusal, REFERENCE_BYTES_MAX};

use super::table::{FIELD_BYTES_MAX, FILE_BYTES_MAX, Kind, ROWS_MAX};

/// Characters of a code, at the most.
pub(super) const CODE_CHARS_MAX: usize = 32;
/// The UID that cheap copies carry.
const NOT_UNIQUE: [u8; 4] = [1, 2, 3, 4];
/// The first byte of a UID that changes with every tap (AN10927).
const RANDOM_FIRST_BYTE: u8 = 0x08;
/// The first byte that announces a longer UID: the rest is missing (ISO/IEC 14443-3).
const CASCADE_TAG: u8 = 0x88;

/// What is wrong with a line or a file.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Wrong {
    /// Over [`FILE_BYTES_MAX`].
    #[error("the file is over {FILE_BYTES_MAX} bytes; split it")]
    FileTooLarge,
    /// Over [`ROWS_MAX`].
    #[error("more than {ROWS_MAX} rows; split the file")]
    TooManyRows,
    /// A header alone.
    #[error("there is no row under the header")]
    NoRows,
    /// The header names no kind.
    #[error(
        "the header fits none of `{}`, `{}`, `{}`, `{}`",
        Kind::Households.columns().join(","), Kind::Cards.columns().join(","), Kind::Shops.columns().join(","),
        Kind::Members.columns().join(",")
    )]
    UnknownHeader,
    /// Contributions among what is imported.
    #[error("contributions are imported by cabas-hub contribution import")]
    Contributions,
    /// Something else where contributions belong.
    #[error("the header is not `{}`", Kind::Contributions.columns().join(","))]
    NotContributions,
    /// More lines than one import of contributions takes.
    #[error("more than {MONEY_IN_LINES_MAX} contributions; split the file")]
    TooManyContributions,
    /// Not a day.
    #[error("`{0}` must be a day like 2026-11-03")]
    Day(&'static str),
    /// Not a payment's name.
    #[error("`{0}` must be 1 to {REFERENCE_BYTES_MAX} bytes of text: by it a payment is booked once")]
    Reference(&'static str),
    /// The same payment twice in a file.
    #[error("the reference stands in line {0} too; a payment has one line")]
    ReferenceTwice(u64),
    /// The ledger does not take it.
    #[error(transparent)]
    Refused(#[from] MoneyInRefusal),
    /// Two files of one kind.
    #[error("a second file of {}; put them into one", .0.name())]
    SecondFile(Kind),
    /// Quotes that never close, and the like.
    #[error("this is not a line of CSV")]
    NotCsv,
    /// A field too many or too few.
    #[error("{found} fields where the header has {expected}")]
    FieldCount {
        /// What came.
        found: usize,
        /// What belongs here.
        expected: usize,
    },
    /// Another encoding.
    #[error("`{0}` is not UTF-8; save the file as CSV UTF-8")]
    NotUtf8(&'static str),
    /// Too long, or with control characters.
    #[error("`{0}` is over {FIELD_BYTES_MAX} bytes or has control characters")]
    FieldText(&'static str),
    /// Not a code.
    #[error("`{0}` must be 1 to {CODE_CHARS_MAX} characters of A-Z a-z 0-9 . _ -")]
    Code(&'static str),
    /// Not a name.
    #[error("`{0}` must be 1 to {NAME_BYTES_MAX} bytes of text")]
    Name(&'static str),
    /// Not a whole number in range.
    #[error("`{field}` must be a whole number from {min} to {max}, in digits 0-9")]
    Number {
        /// Which field.
        field: &'static str,
        /// The least.
        min: u32,
        /// The most.
        max: u32,
    },
    /// Not an amount.
    #[error("`{0}` must be a whole number of cents, in digits 0-9 (12,50 € is 1250)")]
    Cents(&'static str),
    /// Nobody of 14 or more.
    #[error("{children} children under 14 in a household of {size}: at least one person must be 14 or more")]
    OnlyChildren {
        /// People.
        size: u32,
        /// Children among them.
        children: u32,
    },
    /// Under 1 € a person.
    #[error("a contribution of {cents} cents is under 1 € a person ({least} cents)")]
    ContributionTooLow {
        /// What came.
        cents: u64,
        /// What is the least.
        least: u64,
    },
    /// Not a UID.
    #[error("`{0}` must be a UID of 4, 7 or 10 bytes in hexadecimal (8, 14 or 20 digits)")]
    Uid(&'static str),
    /// A phone, or a card that hides its UID.
    #[error("this UID is random (08…): it changes with every tap; another card is needed")]
    RandomUid,
    /// A UID that many cards have.
    #[error("this UID is not unique (copies and blanks carry it); another card is needed")]
    NotUniqueUid,
    /// The first half of a longer UID.
    #[error("this UID begins with the cascade tag 88: it is only the first part of a longer one; read the whole UID")]
    CascadeTag,
    /// The same thing twice.
    #[error("the same `{field}` as in {file}, line {line}")]
    Twice {
        /// Which field.
        field: &'static str,
        /// Where it stood first.
        file: String,
        /// On which line.
        line: u64,
    },
    /// Names cannot be kept without the hub's keys.
    #[error("a name cannot be sealed; check the files in keys/")]
    NotSealed,
    /// Shares that are more than the whole.
    #[error("the expected shares come to {0} thousandths by this line; they are at most 1000 in all")]
    SharesOver1000(u64),
}

impl Wrong {
    /// The column that it is about; nothing where it is about the whole line or file.
    #[must_use]
    pub const fn column(&self) -> Option<&'static str> {
        match self {
            Self::NotUtf8(column)
            | Self::FieldText(column)
            | Self::Code(column)
            | Self::Name(column)
            | Self::Cents(column)
            | Self::Uid(column)
            | Self::Day(column)
            | Self::Reference(column)
            | Self::Number { field: column, .. }
            | Self::Twice { field: column, .. } => Some(column),
            Self::OnlyChildren { .. } => Some("children_under_14"),
            Self::ContributionTooLow { .. } => Some("contribution_cents"),
            Self::RandomUid | Self::NotUniqueUid | Self::CascadeTag => Some("uid_hex"),
            Self::SharesOver1000(_) => Some("expected_share_permille"),
            Self::ReferenceTwice(_) => Some("reference"),
            Self::FileTooLarge
            | Self::Contributions
            | Self::NotContributions
            | Self::TooManyContributions
            | Self::Refused(_)
            | Self::TooManyRows
            | Self::NoRows
            | Self::UnknownHeader
            | Self::SecondFile(_)
            | Self::NotCsv
            | Self::FieldCount { .. }
            | Self::NotSealed => None,
        }
    }
}

/// The fields of one line, by column.
pub(super) struct Fields(pub(super) Vec<(&'static str, String)>);

impl Fields {
    fn get(&self, name: &'static str) -> &str {
        self.0.iter().find(|(column, _)| *column == name).map_or("", |(_, text)| text)
    }

    pub(super) fn code(&self, name: &'static str) -> Result<String, Wrong> {
        let text = self.get(name);
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if text.is_empty() || text.len() > CODE_CHARS_MAX || !text.chars().all(known) {
            return Err(Wrong::Code(name));
        }
        Ok(text.to_owned())
    }

    pub(super) fn name(&self, name: &'static str) -> Result<String, Wrong> {
        let text = self.get(name);
        if text.is_empty() || text.len() > NAME_BYTES_MAX { Err(Wrong::Name(name)) } else { Ok(text.to_owned()) }
    }

    pub(super) fn number(&self, field: &'static str, min: u32, max: u32) -> Result<u32, Wrong> {
        let number = digits(self.get(field)).and_then(|number| u32::try_from(number).ok());
        number.filter(|number| (min..=max).contains(number)).ok_or(Wrong::Number { field, min, max })
    }

    pub(super) fn cents(&self, field: &'static str) -> Result<Cents, Wrong> {
        let cents = digits(self.get(field)).ok_or(Wrong::Cents(field))?;
        Cents::new(cents).map_err(|_: MoneyError| Wrong::Cents(field))
    }

    /// A day, in days since 1970-01-01.
    pub(super) fn day(&self, field: &'static str) -> Result<u32, Wrong> {
        bank::day_of(self.get(field)).ok_or(Wrong::Day(field))
    }

    /// A payment's own name.
    pub(super) fn reference(&self, field: &'static str) -> Result<String, Wrong> {
        let text = self.get(field);
        let fits = !text.is_empty() && text.len() <= REFERENCE_BYTES_MAX;
        if fits { Ok(text.to_owned()) } else { Err(Wrong::Reference(field)) }
    }

    /// A UID that names one card.
    pub(super) fn uid(&self, field: &'static str) -> Result<Zeroizing<Vec<u8>>, Wrong> {
        card_uid(field, self.get(field))
    }
}

/// A UID that names one card. Colons and spaces between its bytes are taken, as readers write them.
///
/// # Errors
/// [`Wrong`] for what is no UID, and for one that many cards share or that changes.
pub fn card_uid(field: &'static str, text: &str) -> Result<Zeroizing<Vec<u8>>, Wrong> {
    let digits: Zeroizing<String> = Zeroizing::new(text.chars().filter(|c| !matches!(c, ':' | ' ')).collect());
    if !matches!(digits.len(), 8 | 14 | 20) || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Wrong::Uid(field));
    }
    let pairs = digits.as_bytes().chunks_exact(2);
    let bytes = pairs.map(|pair| std::str::from_utf8(pair).ok().and_then(|two| u8::from_str_radix(two, 16).ok()));
    let uid = Zeroizing::new(bytes.collect::<Option<Vec<u8>>>().ok_or(Wrong::Uid(field))?);
    match uid.as_slice() {
        [RANDOM_FIRST_BYTE, _, _, _] => Err(Wrong::RandomUid),
        [CASCADE_TAG, _, _, _] => Err(Wrong::CascadeTag),
        // As a terminal has it: what one of the two takes and the other does not is a card that never pays.
        [first, rest @ ..] if *uid == NOT_UNIQUE || rest.iter().all(|byte| byte == first) => Err(Wrong::NotUniqueUid),
        _ => Ok(uid),
    }
}

/// ASCII digits and nothing else: no sign, no separator, no exponent, no digits of other scripts.
fn digits(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}
