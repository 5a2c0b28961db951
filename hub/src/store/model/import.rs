//! What an import takes and tells.

use cabas_protocol::row::Tier;
use cabas_protocol::sign::sha256;
use cabas_protocol::{CardRef, Cents, Hash};

use crate::core::household_rules::Household;

/// Changes of an import that are kept for whoever looks at them; what comes after them is only counted.
pub const CHANGES_SHOWN_MAX: usize = 1_000;

/// Households, cards and shops as an admin's files name them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ImportPlan {
    /// Households.
    pub households: Vec<ImportHousehold>,
    /// Cards.
    pub cards: Vec<ImportCard>,
    /// Shops.
    pub shops: Vec<ImportShop>,
    /// Members of households.
    pub members: Vec<ImportMember>,
}

/// A member of an import.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ImportMember {
    /// The household's code.
    pub household: String,
    /// The name, sealed; the same name of the same household is sealed the same.
    pub sealed: Vec<u8>,
}

/// A household of an import.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ImportHousehold {
    /// Its code in the fund's files.
    pub code: String,
    /// How many people, and how many of them under 14.
    pub people: Household,
    /// What it contributes each month, if that was agreed.
    pub contribution: Option<Cents>,
}

/// A card of an import.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ImportCard {
    /// The number printed on it.
    pub number: u32,
    /// Its reference.
    pub card: CardRef,
    /// Its tier.
    pub tier: Tier,
    /// The household's code.
    pub household: String,
}

/// A shop of an import.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ImportShop {
    /// Its code in the fund's files.
    pub code: String,
    /// Its name, as on receipts.
    pub name: String,
    /// What kind of shop it is.
    pub kind: String,
    /// Its expected share of all purchases, in thousandths.
    pub weight_permille: u32,
}

/// What an import did, or would do.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ImportReport {
    /// Households.
    pub households: ImportCount,
    /// Cards.
    pub cards: ImportCount,
    /// Shops.
    pub shops: ImportCount,
    /// Members of households.
    pub members: ImportCount,
    /// What cannot be: with one of these nothing at all is changed.
    pub conflicts: Vec<ImportConflict>,
    /// Where each stands in the plan, among what is of its kind.
    pub conflict_places: Vec<usize>,
    /// What is added or changed, the first [`CHANGES_SHOWN_MAX`] of it.
    pub changes: Vec<ImportChange>,
    /// A hash over all that is added or changed, in order; none where nothing is.
    pub changes_hash: Option<Hash>,
    /// True where it was done.
    pub applied: bool,
}

impl ImportReport {
    /// Notes something that is added or changed.
    pub(crate) fn changes(&mut self, change: ImportChange) {
        let before = self.changes_hash.unwrap_or(Hash::new([0; Hash::LEN]));
        self.changes_hash = Some(sha256(&[b"cabas import 1", before.as_bytes(), change.to_string().as_bytes()]));
        if self.changes.len() < CHANGES_SHOWN_MAX {
            self.changes.push(change);
        }
    }

    /// Says where what was refused last stands in the plan.
    pub(crate) fn placed(&mut self, place: usize) {
        self.conflict_places.resize(self.conflicts.len(), place);
    }
}

/// Something that an import adds or changes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ImportChange {
    /// A household.
    Household {
        /// What was there; nothing for a new one.
        before: Option<ImportHousehold>,
        /// What is there then.
        after: ImportHousehold,
    },
    /// A card is added.
    Card {
        /// Its number.
        number: u32,
        /// Its household.
        household: String,
    },
    /// A shop.
    Shop {
        /// What was there; nothing for a new one.
        before: Option<ImportShop>,
        /// What is there then.
        after: ImportShop,
    },
    /// A member is added, whose name is sealed.
    Member {
        /// The household.
        household: String,
    },
}

/// For the hash: every value, no name of a member.
impl std::fmt::Display for ImportChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Household { before, after } => write!(f, "household {before:?} {after:?}"),
            Self::Card { number, household } => write!(f, "card {number} {household:?}"),
            Self::Shop { before, after } => write!(f, "shop {before:?} {after:?}"),
            Self::Member { household } => write!(f, "member {household:?}"),
        }
    }
}

/// What an import does to one kind of thing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ImportCount {
    /// Added.
    pub added: u32,
    /// Already there, with other contents.
    pub changed: u32,
    /// Already there, the same.
    pub same: u32,
}

/// Why an import cannot be done.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ImportConflict {
    /// A card names a household that is neither in the file nor known.
    #[error("card {number} names household `{household}`, which does not exist")]
    NoSuchHousehold {
        /// The card's number.
        number: u32,
        /// The household.
        household: String,
    },
    /// A household whose personal data were erased gets none any more.
    #[error("household `{household}` was erased; take a new code for it")]
    Erased {
        /// The household.
        household: String,
    },
    /// A member of a household that is neither in the file nor known.
    #[error("a member names household `{household}`, which does not exist")]
    MemberOfNoHousehold {
        /// The household.
        household: String,
    },
    /// A shop that is proposed opens by the steps that the members agreed on.
    #[error("shop `{shop}` is on its way to the fund and not open yet; see cabas-hub joining show {shop}")]
    ShopIsJoining {
        /// The shop.
        shop: String,
    },
    /// A card never changes purse.
    #[error("card {number} already belongs to another household than `{household}`; issue a new card")]
    CardOfAnotherHousehold {
        /// The card's number.
        number: u32,
        /// The household that the file names.
        household: String,
    },
    /// One number, two cards.
    #[error("card {number} is already another card; give this one a number of its own")]
    NumberTaken {
        /// The number.
        number: u32,
    },
    /// One card, two numbers.
    #[error("card {number} is the same card as number {known}")]
    CardTaken {
        /// The number in the file.
        number: u32,
        /// The number it is known by.
        known: u32,
    },
    /// The tier of a bound card does not change.
    #[error("card {number} is bound with another tier; issue a new card")]
    OtherTier {
        /// The card's number.
        number: u32,
    },
}
