//! What the hub tells its terminals beside balances: whose card it is, which limits hold, what a category covers.

use crate::cents::Cents;
use crate::codec::{self, CodecError};
use crate::head::{Head, ObjectType};
use crate::ids::{CardRef, CategoryId, Epoch, PolicyId, PurseRef, TerminalId, Version};
use crate::row::Tier;
use crate::sign::Payload;

/// Categories in one grid.
pub const CATEGORIES_MAX: usize = 16;
/// Bytes of a name or label that goes on a receipt.
pub const NAME_BYTES_MAX: usize = 64;

/// Ties a card to its tier and purse. A card never changes purse; a lower tier than bound is never accepted.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct Binding {
    /// What, whose, of which life of the hub.
    #[n(0)]
    pub head: Head,
    /// The card.
    #[n(1)]
    pub card: CardRef,
    /// The tier that it must prove.
    #[n(2)]
    pub tier: Tier,
    /// Its purse.
    #[n(3)]
    pub purse: PurseRef,
    /// The binding's version; a lower one than held is ignored.
    #[n(4)]
    pub version: Version,
}

impl Payload for Binding {
    const TYPE: ObjectType = ObjectType::Binding;
    const MAX_BYTES: usize = 128;

    fn head(&self) -> &Head {
        &self.head
    }
}

/// The limits under which a terminal authorizes by itself.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct Policy {
    /// What, whose, of which life of the hub.
    #[n(0)]
    pub head: Head,
    /// Its number; a higher one replaces a lower one.
    #[n(1)]
    pub id: PolicyId,
    /// The fund's part of one sale, at the most.
    #[n(2)]
    pub sale_cents_max: Cents,
    /// The fund's part of one sale with a plain card, at the most.
    #[n(3)]
    pub plain_sale_cents_max: Cents,
    /// The fund's part of one purse's sales with plain cards at one terminal in one business day, at the most.
    #[n(4)]
    pub plain_day_cents_max: Cents,
    /// The age of the hot list past which plain cards are refused, in seconds.
    #[n(5)]
    pub plain_list_age_s_max: u32,
    /// True where a part of the amount may be offered.
    #[n(6)]
    pub part_payment: bool,
}

impl Payload for Policy {
    const TYPE: ObjectType = ObjectType::Policy;
    const MAX_BYTES: usize = 128;

    fn head(&self) -> &Head {
        &self.head
    }
}

/// A category of goods and the share of it that the fund covers.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(array)]
pub struct Category {
    /// Its number.
    #[n(0)]
    pub id: CategoryId,
    /// What the fund covers, in percent.
    #[n(1)]
    pub share_percent: u8,
    /// Its name in French.
    #[n(2)]
    pub label_fr: String,
    /// Its name in English.
    #[n(3)]
    pub label_en: String,
}

/// The categories of a terminal's shop.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct Grid {
    /// What, whose, of which life of the hub.
    #[n(0)]
    pub head: Head,
    /// The terminal that it is made for.
    #[n(1)]
    pub terminal: TerminalId,
    /// Its version.
    #[n(2)]
    pub version: Version,
    /// The first business day on which it holds, in days since 1970-01-01.
    #[n(3)]
    pub valid_from_day: u32,
    /// At least one; the first is the default.
    #[n(4)]
    pub categories: Vec<Category>,
}

impl Payload for Grid {
    const TYPE: ObjectType = ObjectType::Grid;
    const MAX_BYTES: usize = 4 * 1024;

    fn head(&self) -> &Head {
        &self.head
    }

    fn check(&self) -> Result<(), CodecError> {
        codec::at_most("categories", self.categories.len(), CATEGORIES_MAX)?;
        if self.categories.is_empty() || self.categories.iter().any(|category| category.share_percent > 100) {
            return Err(CodecError::Limit("categories"));
        }
        for category in &self.categories {
            codec::text("label_fr", &category.label_fr, NAME_BYTES_MAX)?;
            codec::text("label_en", &category.label_en, NAME_BYTES_MAX)?;
        }
        Ok(())
    }
}

/// What a terminal prints and shows of its shop and fund, and whether it may sell.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct TerminalConfig {
    /// What, whose, of which life of the hub.
    #[n(0)]
    pub head: Head,
    /// The terminal.
    #[n(1)]
    pub terminal: TerminalId,
    /// Its enrolment.
    #[n(2)]
    pub epoch: Epoch,
    /// Its version.
    #[n(3)]
    pub version: Version,
    /// The shop's name.
    #[n(4)]
    pub shop_name: String,
    /// The fund's name.
    #[n(5)]
    pub fund_name: String,
    /// Whom to call.
    #[n(6)]
    pub helpline: String,
    /// True where the fund pauses all sales here.
    #[n(7)]
    pub paused: bool,
}

impl Payload for TerminalConfig {
    const TYPE: ObjectType = ObjectType::TerminalConfig;
    const MAX_BYTES: usize = 512;

    fn head(&self) -> &Head {
        &self.head
    }

    fn check(&self) -> Result<(), CodecError> {
        codec::text("shop_name", &self.shop_name, NAME_BYTES_MAX)?;
        codec::text("fund_name", &self.fund_name, NAME_BYTES_MAX)?;
        codec::text("helpline", &self.helpline, NAME_BYTES_MAX)
    }
}
