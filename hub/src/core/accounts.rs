//! The chart of accounts, and the numbers by which the ledger knows what they belong to.

use std::fmt;

use cabas_protocol::Seq;

/// A (terminal, epoch) as the store numbers it: 24 bits, so that it fits into keys beside 32 more.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EpochNo(u32);

impl EpochNo {
    /// The highest number.
    pub const MAX: u32 = 0x00ff_ffff;

    /// Makes a number in range.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        if number == 0 || number > Self::MAX { None } else { Some(Self(number)) }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// A purse as the store numbers it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PurseNo(u32);

impl PurseNo {
    /// Makes the number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// A shop as the store numbers it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ShopNo(u32);

impl ShopNo {
    /// Makes the number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// A row by its place in the store: epoch and seq in one number, so that a terminal's rows lie side by side.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RowKey(u64);

impl RowKey {
    /// The key of a row.
    #[must_use]
    pub fn new(epoch: EpochNo, seq: Seq) -> Self {
        Self((u64::from(epoch.0) << 32) | u64::from(seq.get()))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The enrolment whose row it is.
    #[must_use]
    pub fn epoch(self) -> EpochNo {
        EpochNo(u32::try_from(self.0 >> 32).unwrap_or(u32::MAX))
    }

    /// Its place in that enrolment's journal.
    #[must_use]
    pub fn seq(self) -> Seq {
        Seq::new(u32::try_from(self.0 & u64::from(u32::MAX)).unwrap_or(u32::MAX))
    }

    /// The row of a number; nothing where it is no enrolment's.
    #[must_use]
    pub fn of_number(number: u64) -> Option<Self> {
        u32::try_from(number >> 32).ok().and_then(EpochNo::new).map(|_| Self(number))
    }
}

/// What an account is for. The number is part of the account's id and never used again for another.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum AccountKind {
    /// The fund's bank account.
    Bank,
    /// A funder: what it gave.
    Source,
    /// What was paid in and the bank did not confirm yet: debits less credits.
    Incoming,
    /// A household's money that lies free at the hub.
    Purse,
    /// A household's money that is reserved for one terminal: `credits` is `allowed`, `debits` is what was claimed.
    Slice,
    /// What a shop is owed.
    Payable,
    /// Payouts that are under way.
    Transit,
    /// What the fund gives beyond right.
    Goodwill,
    /// What expired.
    Expired,
    /// A household's money that a terminal proved after a restore and that the ledger has no credit for yet: what was
    /// taken is missing until it is given back.
    Restored,
    /// What is to be withheld from a household, by expiry or a correction downward: what was taken is owed until it is
    /// given back.
    Withheld,
    /// What a purse card may spend by itself: `credits` is `allowed`, `debits` is what rows of all terminals settled, and
    /// what went back when the card was lost or retired.
    Card,
}

impl AccountKind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Bank,
        Self::Source,
        Self::Incoming,
        Self::Purse,
        Self::Slice,
        Self::Payable,
        Self::Transit,
        Self::Goodwill,
        Self::Expired,
        Self::Restored,
        Self::Withheld,
        Self::Card,
    ];

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Bank => 1,
            Self::Source => 2,
            Self::Incoming => 3,
            Self::Purse => 4,
            Self::Slice => 5,
            Self::Payable => 6,
            Self::Transit => 7,
            Self::Goodwill => 8,
            Self::Expired => 9,
            Self::Restored => 10,
            Self::Withheld => 11,
            Self::Card => 12,
        }
    }

    /// The kind of a number.
    #[must_use]
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// True where more can never be taken than was given.
    #[must_use]
    pub const fn never_overdrawn(self) -> bool {
        match self {
            Self::Purse | Self::Slice | Self::Card => true,
            Self::Bank
            | Self::Source
            | Self::Incoming
            | Self::Payable
            | Self::Transit
            | Self::Goodwill
            | Self::Expired
            | Self::Restored
            | Self::Withheld => false,
        }
    }

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bank => "bank",
            Self::Source => "source",
            Self::Incoming => "incoming",
            Self::Purse => "purse",
            Self::Slice => "slice",
            Self::Payable => "payable",
            Self::Transit => "transit",
            Self::Goodwill => "goodwill",
            Self::Expired => "expired",
            Self::Restored => "restored",
            Self::Withheld => "withheld",
            Self::Card => "card",
        }
    }
}

/// An account: its kind in the top byte, what it belongs to in the other seven.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct AccountId(u64);

/// Bits below the kind.
const KIND_SHIFT: u32 = 56;

impl AccountId {
    const fn of(kind: AccountKind, owner: u64) -> Self {
        #[expect(clippy::as_conversions, reason = "u8 into u64 in a const fn loses nothing")]
        let kind = kind.number() as u64;
        Self((kind << KIND_SHIFT) | owner)
    }

    /// The fund's bank account.
    pub const BANK: Self = Self::of(AccountKind::Bank, 0);
    /// What was paid in and the bank did not confirm yet.
    pub const INCOMING: Self = Self::of(AccountKind::Incoming, 0);
    /// Payouts under way.
    pub const TRANSIT: Self = Self::of(AccountKind::Transit, 0);
    /// Goodwill.
    pub const GOODWILL: Self = Self::of(AccountKind::Goodwill, 0);
    /// Expired.
    pub const EXPIRED: Self = Self::of(AccountKind::Expired, 0);

    /// A funder's account.
    #[must_use]
    pub fn source(number: u32) -> Self {
        Self::of(AccountKind::Source, u64::from(number))
    }

    /// A purse's free money.
    #[must_use]
    pub fn purse(purse: PurseNo) -> Self {
        Self::of(AccountKind::Purse, u64::from(purse.0))
    }

    /// A purse's money at one terminal epoch.
    #[must_use]
    pub fn slice(epoch: EpochNo, purse: PurseNo) -> Self {
        Self::of(AccountKind::Slice, (u64::from(epoch.0) << 32) | u64::from(purse.0))
    }

    /// What a shop is owed.
    #[must_use]
    pub fn payable(shop: ShopNo) -> Self {
        Self::of(AccountKind::Payable, u64::from(shop.0))
    }

    /// What the fund advanced to a household: debits less credits are outstanding.
    #[must_use]
    pub fn goodwill(purse: PurseNo) -> Self {
        Self::of(AccountKind::Goodwill, u64::from(purse.0))
    }

    /// What a household's terminals proved after a restore: debits less credits are missing.
    #[must_use]
    pub fn restored(purse: PurseNo) -> Self {
        Self::of(AccountKind::Restored, u64::from(purse.0))
    }

    /// What is to be withheld from a household: debits less credits are still to come.
    #[must_use]
    pub fn withheld(purse: PurseNo) -> Self {
        Self::of(AccountKind::Withheld, u64::from(purse.0))
    }

    /// What a purse card may spend, by the card's own purse.
    #[must_use]
    pub fn card(purse: PurseNo) -> Self {
        Self::of(AccountKind::Card, u64::from(purse.0))
    }

    /// The account of a number, where it is one.
    #[must_use]
    pub fn of_number(number: u64) -> Option<Self> {
        let kind = u8::try_from(number >> KIND_SHIFT).ok()?;
        AccountKind::of_number(kind).map(|_| Self(number))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Its kind.
    #[must_use]
    pub fn kind(self) -> AccountKind {
        let number = u8::try_from(self.0 >> KIND_SHIFT).unwrap_or(0);
        AccountKind::of_number(number).unwrap_or(AccountKind::Bank)
    }

    /// The purse of an account that belongs to one.
    #[must_use]
    pub fn purse_no(self) -> Option<PurseNo> {
        let low = u32::try_from(self.0 & u64::from(u32::MAX)).ok()?;
        match self.kind() {
            AccountKind::Purse
            | AccountKind::Slice
            | AccountKind::Goodwill
            | AccountKind::Restored
            | AccountKind::Withheld
            | AccountKind::Card => Some(PurseNo(low)),
            AccountKind::Bank
            | AccountKind::Source
            | AccountKind::Incoming
            | AccountKind::Payable
            | AccountKind::Transit
            | AccountKind::Expired => None,
        }
    }

    /// The terminal epoch of a slice account.
    #[must_use]
    pub fn epoch_no(self) -> Option<EpochNo> {
        let number = u32::try_from((self.0 >> 32) & u64::from(EpochNo::MAX)).ok()?;
        if self.kind() == AccountKind::Slice { EpochNo::new(number) } else { None }
    }
}

/// `slice 12/7`: epoch and purse by number, no pseudonym among them.
impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let low = self.0 & u64::from(u32::MAX);
        match self.epoch_no() {
            Some(epoch) => write!(f, "{} {}/{low}", self.kind().name(), epoch.0),
            None => write!(f, "{} {low}", self.kind().name()),
        }
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountId({self})")
    }
}
