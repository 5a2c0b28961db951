//! A card that has keys, step by step (`card/card.md`): one that counts for itself, or one that proves who it is. What is decided between the steps is not decided here.

use super::{Answer, Card, CardError as LinkError};
use cabas_card::commands::Committed;
use cabas_card::crypto::{BLOCK, Block};
use cabas_card::identity::{self, Proven};
use cabas_card::layout::RECORD_BYTES;
use cabas_card::purse::{DebitError, Purse};
use cabas_card::{CardError, Exchange, Key, LinkLost};
use ring::rand::{SecureRandom as _, SystemRandom};
use std::fmt;
use std::sync::Arc;

/// A card on a reader, to be opened for a purchase or asked who it is.
pub trait PurseCard {
    /// Opens a session by the key of a slot: afterwards card and terminal have proven themselves to each other. What a
    /// session before it had not committed is gone.
    ///
    /// # Errors
    /// [`CardError`].
    fn open(&mut self, slot: u8, key: &Key) -> Result<Box<dyn OpenPurse + '_>, CardError>;

    /// Lets a card that only proves who it is do so, by the key with this number, and count the tap.
    ///
    /// # Errors
    /// [`CardError`].
    fn prove(&mut self, number: u8, key: &Key) -> Result<Proven, CardError>;
}

/// A card in a session. The order of calls is that of `card/card.md`: balance, counter, debit; then what may be cut off.
pub trait OpenPurse {
    /// The signed balance that the card carries; empty where it has none.
    ///
    /// # Errors
    /// [`CardError`].
    fn balance(&mut self) -> Result<Vec<u8>, CardError>;

    /// What was spent, in cents.
    ///
    /// # Errors
    /// [`CardError`].
    fn spent(&mut self) -> Result<u32, CardError>;

    /// Debits and writes the record, both or neither.
    ///
    /// # Errors
    /// [`DebitError`] says whether the card may have done it.
    fn debit(&mut self, cents: u32, record: &[u8; RECORD_BYTES]) -> Result<Committed, DebitError>;

    /// Writes a newer balance to the card.
    ///
    /// # Errors
    /// [`CardError`]; the card has the old one or the new one then.
    fn write_balance(&mut self, balance: &[u8]) -> Result<Committed, CardError>;

    /// The newest records, oldest first.
    ///
    /// # Errors
    /// [`CardError`].
    fn records(&mut self) -> Result<Vec<[u8; RECORD_BYTES]>, CardError>;
}

impl OpenPurse for Purse<'_> {
    fn balance(&mut self) -> Result<Vec<u8>, CardError> {
        Purse::balance(self)
    }

    fn spent(&mut self) -> Result<u32, CardError> {
        Purse::spent(self)
    }

    fn debit(&mut self, cents: u32, record: &[u8; RECORD_BYTES]) -> Result<Committed, DebitError> {
        Purse::debit(self, cents, record)
    }

    fn write_balance(&mut self, balance: &[u8]) -> Result<Committed, CardError> {
        Purse::write_balance(self, balance)
    }

    fn records(&mut self) -> Result<Vec<[u8; RECORD_BYTES]>, CardError> {
        Purse::records(self)
    }
}

/// Any [`Exchange`] as a card to be opened.
#[derive(Debug)]
pub struct Spoken<E>(pub E);

impl<E: Exchange> PurseCard for Spoken<E> {
    fn open(&mut self, slot: u8, key: &Key) -> Result<Box<dyn OpenPurse + '_>, CardError> {
        Ok(Box::new(Purse::open(&mut self.0, slot, key, random()?)?))
    }

    fn prove(&mut self, number: u8, key: &Key) -> Result<Proven, CardError> {
        identity::prove(&mut self.0, number, key, random()?)
    }
}

fn random() -> Result<Block, CardError> {
    let mut random: Block = [0; BLOCK];
    SystemRandom::new().fill(&mut random).map_err(|_| CardError::Range("the system's randomness"))?;
    Ok(random)
}

/// A [`Card`] of this program as the card's host speaks with it.
pub(super) struct Wire<C>(pub(super) C);

impl<C: Card> Exchange for Wire<C> {
    fn exchange(&mut self, apdu: &[u8]) -> Result<cabas_card::Answer, LinkLost> {
        match self.0.transmit(apdu) {
            Ok(Answer { data, status }) => Ok(cabas_card::Answer { data, status }),
            // Whether the card did what it was asked to is unknown.
            Err(LinkError::LinkLost | LinkError::Refused(_) | LinkError::Foreign) => Err(LinkLost),
        }
    }
}

/// A [`Card`] of this program, to be opened.
pub fn over(card: &mut dyn Card) -> impl PurseCard + '_ {
    Spoken(Wire(card))
}

/// A [`Card`] of this program, as the card's host speaks with it.
pub fn exchange_over(card: &mut dyn Card) -> impl Exchange + '_ {
    Wire(card)
}

/// How a card on a reader is reached by the one who speaks with it, on a thread of one's own.
pub trait Connect: Send + Sync {
    /// Connects to what lies on the reader.
    ///
    /// # Errors
    /// [`LinkLost`] where nothing does any more.
    fn connect(&self) -> Result<Box<dyn PurseCard>, LinkLost>;
}

/// The way to the card of one tap, handed over by the reader's thread.
#[derive(Clone)]
pub struct CardLink(Arc<dyn Connect>);

impl CardLink {
    /// Takes the way.
    #[must_use]
    pub fn new(way: impl Connect + 'static) -> Self {
        Self(Arc::new(way))
    }

    /// Connects.
    ///
    /// # Errors
    /// As [`Connect::connect`].
    pub fn connect(&self) -> Result<Box<dyn PurseCard>, LinkLost> {
        self.0.connect()
    }
}

impl fmt::Debug for CardLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardLink")
    }
}

/// The same way, not another one to the same card.
impl PartialEq for CardLink {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for CardLink {}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(Result<Answer, LinkError>);

    impl Card for Fixed {
        fn transmit(&mut self, _: &[u8]) -> Result<Answer, LinkError> {
            self.0.clone()
        }
    }

    #[test]
    fn whatever_is_no_answer_is_a_lost_link() {
        let answered = Answer::parse(&[1, 0x91, 0]);
        assert!(matches!(Wire(Fixed(answered)).exchange(&[]), Ok(answer) if answer.status == 0x9100));
        for error in [LinkError::LinkLost, LinkError::Refused(0x6982), LinkError::Foreign] {
            assert_eq!(Wire(Fixed(Err(error))).exchange(&[]), Err(LinkLost));
        }
        assert!(matches!(
            Spoken(Wire(Fixed(Err(LinkError::LinkLost)))).open(1, &Key::FACTORY),
            Err(CardError::Link(_))
        ));
    }
}
