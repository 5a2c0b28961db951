//! The members' cards.

use cabas_agent::card::{Answer, Card, CardError};
use cabas_card::layout::{APPLICATION, SPENT_FILE, VALUE_START};
use cabas_protocol::row::Tier;

use super::event::Mishap;
use crate::virtual_card::desfire::{DesfireChip, Edition};
use crate::virtual_card::ntag424::Ntag424Chip;
use crate::virtual_card::{Reaction, Tear};

/// Bytes that a short answer has room for, its status included.
const ANSWER_BYTES_MAX: usize = 258;

/// What a card is made of.
#[derive(Clone, Debug)]
pub enum Chip {
    /// A UID and nothing else.
    Plain,
    /// Proves who it is.
    Identity(Ntag424Chip),
    /// Counts for itself.
    Purse(DesfireChip),
}

/// A card.
#[derive(Clone, Debug)]
pub struct MemberCard {
    /// The number printed on it.
    pub number: u32,
    /// Its UID.
    pub uid: [u8; 7],
    /// Its household.
    pub household: u16,
    /// Its chip.
    pub chip: Chip,
}

impl MemberCard {
    /// A card as it leaves the factory.
    #[must_use]
    pub fn new(number: u32, household: u16, tier: Tier) -> Self {
        let [a, b, c, d] = number.to_be_bytes();
        let uid = [0x04, 0xca, a, b, c, d, 0x80];
        let chip = match tier {
            Tier::Plain => Chip::Plain,
            Tier::Identity => Chip::Identity(Ntag424Chip::new(uid, number.into())),
            Tier::Purse => Chip::Purse(DesfireChip::new(uid, Edition::Ev2K4, number.into())),
        };
        Self { number, uid, household, chip }
    }

    /// Another card with the same past: what happens to the one does not happen to the other.
    #[must_use]
    pub fn apart(&self) -> Self {
        let chip = match &self.chip {
            Chip::Plain => Chip::Plain,
            Chip::Identity(chip) => Chip::Identity(chip.apart()),
            Chip::Purse(chip) => Chip::Purse(chip.apart()),
        };
        Self { chip, ..self.clone() }
    }

    /// Its tier.
    #[must_use]
    pub const fn tier(&self) -> Tier {
        match self.chip {
            Chip::Plain => Tier::Plain,
            Chip::Identity(_) => Tier::Identity,
            Chip::Purse(_) => Tier::Purse,
        }
    }

    /// What a purse card's chip has counted, in cents; nothing for others.
    #[must_use]
    pub fn spent(&self) -> Option<u64> {
        let Chip::Purse(chip) = &self.chip else { return None };
        let [a, b, c] = APPLICATION;
        let value = chip.value(u32::from_le_bytes([a, b, c, 0]), SPENT_FILE)?;
        u64::try_from(i64::from(VALUE_START).checked_sub(value.into())?).ok()
    }

    /// Holds it to a reader.
    #[must_use]
    pub fn tap(&self, mishap: Mishap) -> Held {
        let mut chip = self.chip.clone();
        let tear = match mishap {
            Mishap::Torn { apdu, has_run } => {
                Some((usize::from(apdu), if has_run { Tear::AnswerLost } else { Tear::BeforeItRan }))
            }
            Mishap::None | Mishap::Cut { .. } => None,
        };
        // A tear that did not come in one tap does not wait for the next.
        let (number, tear) = tear.unwrap_or((usize::MAX, Tear::BeforeItRan));
        match &mut chip {
            Chip::Plain => {}
            Chip::Identity(chip) => {
                chip.power_off();
                chip.tear_at(number, tear);
            }
            Chip::Purse(chip) => {
                chip.power_off();
                chip.tear_at(number, tear);
            }
        }
        Held { chip, is_gone: false }
    }
}

/// A card held to a reader, for one tap. What left does not come back before the next.
#[derive(Debug)]
pub struct Held {
    chip: Chip,
    is_gone: bool,
}

impl Card for Held {
    fn transmit(&mut self, apdu: &[u8]) -> Result<Answer, CardError> {
        if self.is_gone {
            return Err(CardError::LinkLost);
        }
        let reaction = match &mut self.chip {
            Chip::Plain => Reaction::Leave,
            Chip::Identity(chip) => chip.react(apdu),
            Chip::Purse(chip) => chip.react(apdu),
        };
        match reaction {
            Reaction::Answer(answer) if answer.len() <= ANSWER_BYTES_MAX => Answer::parse(&answer),
            Reaction::Answer(_) | Reaction::Leave | Reaction::Silence => {
                self.is_gone = true;
                Err(CardError::LinkLost)
            }
        }
    }
}
