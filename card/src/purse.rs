//! A purchase with the card as purse: eight APDUs. The debit is the chip's; what was decided before it and what is shown
//! after it is the terminal's.

use crate::commands::{Committed, DEBIT, GET_VALUE, READ_DATA, WRITE_DATA, WRITE_RECORD, extent, select};
use crate::crypto::{Block, Key};
use crate::exchange::{CardError, Exchange};
use crate::layout::{
    APPLICATION, BALANCE_BYTES, BALANCE_FILE, RECORD_BYTES, RECORD_FILE, SPENT_FILE, VALUE_START, spent_of,
};
use crate::session::Session;
use crate::tmac::TransactionInput;

/// A card that is open for one purchase. Three APDUs were exchanged.
pub struct Purse<'c> {
    card: &'c mut dyn Exchange,
    session: Session,
    input: TransactionInput,
}

/// How a debit ended, where it did not end well.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DebitError {
    /// The card was not debited, and will not be: nothing was committed.
    #[error("the card was not debited: {0}")]
    NotDebited(#[source] CardError),
    /// The commit was sent, and no answer came that can be believed: the card was debited, or it was not.
    #[error("it is not known whether the card was debited: {0}")]
    InDoubt(#[source] CardError),
}

impl<'c> Purse<'c> {
    /// Selects the application and authenticates by a slot's key. `random` must be new each time and unpredictable.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn open(card: &'c mut dyn Exchange, slot: u8, key: &Key, random: Block) -> Result<Self, CardError> {
        select(card, APPLICATION)?;
        let session = Session::authenticate(card, slot, key, random)?;
        Ok(Self { card, session, input: TransactionInput::new() })
    }

    /// The signed balance that the card carries; empty where none was written; the whole file where it is anything else.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn balance(&mut self) -> Result<Vec<u8>, CardError> {
        let file = self.session.read_data(self.card, BALANCE_FILE, BALANCE_BYTES)?;
        self.input.data(READ_DATA, &extent(BALANCE_FILE, BALANCE_BYTES)?, &file);
        balance_in(&file)
    }

    /// What was spent.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn spent(&mut self) -> Result<u32, CardError> {
        let value = self.session.value(self.card, SPENT_FILE)?;
        self.input.value(GET_VALUE, SPENT_FILE, value);
        spent_of(value)
    }

    /// Debits and writes the record, both or neither.
    ///
    /// # Errors
    /// [`DebitError`].
    pub fn debit(&mut self, cents: u32, record: &[u8; RECORD_BYTES]) -> Result<Committed, DebitError> {
        if cents == 0 || cents > VALUE_START {
            return Err(DebitError::NotDebited(CardError::Range("the amount")));
        }
        self.prepare(cents, record).map_err(DebitError::NotDebited)?;
        // From here on the card may have done it, whatever comes back: a refusal carries no proof either.
        let committed = self.session.commit(self.card).map_err(DebitError::InDoubt)?;
        self.input = TransactionInput::new();
        Ok(committed)
    }

    fn prepare(&mut self, cents: u32, record: &[u8; RECORD_BYTES]) -> Result<(), CardError> {
        self.session.debit(self.card, SPENT_FILE, cents)?;
        self.input.value(DEBIT, SPENT_FILE, cents);
        self.session.write_record(self.card, RECORD_FILE, record)?;
        self.input.data(WRITE_RECORD, &extent(RECORD_FILE, RECORD_BYTES)?, record);
        Ok(())
    }

    /// Writes a newer balance to the card, after the purchase: it may be cut off, and then the card has the old one.
    ///
    /// # Errors
    /// [`CardError`]; after [`CardError::Link`] either of the two may be on the card.
    pub fn write_balance(&mut self, balance: &[u8]) -> Result<Committed, CardError> {
        let file = balance_file(balance)?;
        self.session.write_data(self.card, BALANCE_FILE, &file)?;
        self.input.data(WRITE_DATA, &extent(BALANCE_FILE, BALANCE_BYTES)?, &file);
        let committed = self.session.commit(self.card)?;
        self.input = TransactionInput::new();
        Ok(committed)
    }

    /// The newest records, oldest first: what other terminals sold to this card.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn records(&mut self) -> Result<Vec<[u8; RECORD_BYTES]>, CardError> {
        self.session.records(self.card, RECORD_FILE)
    }

    /// What is done so far in the open transaction, as the card adds it up.
    #[must_use]
    pub const fn input(&self) -> &TransactionInput {
        &self.input
    }
}

/// What a purchase puts into the transaction MAC: the balance file as it was read, if it was, the value before, the debit
/// and the record. The hub computes it from the row.
///
/// # Errors
/// [`CardError::Range`] for a counter that a card cannot have.
pub fn purchase_input(
    read: Option<&[u8]>,
    spent_before: u32,
    cents: u32,
    record: &[u8; RECORD_BYTES],
) -> Result<TransactionInput, CardError> {
    let mut input = TransactionInput::new();
    if let Some(balance) = read {
        input.data(READ_DATA, &extent(BALANCE_FILE, BALANCE_BYTES)?, &balance_file(balance)?);
    }
    let value = VALUE_START.checked_sub(spent_before).ok_or(CardError::Range("the counter"))?;
    input.value(GET_VALUE, SPENT_FILE, value);
    input.value(DEBIT, SPENT_FILE, cents);
    input.data(WRITE_RECORD, &extent(RECORD_FILE, RECORD_BYTES)?, record);
    Ok(input)
}

/// What the writing of a balance puts into it.
///
/// # Errors
/// [`CardError::Range`] for a balance that has no room.
pub fn written_input(balance: &[u8]) -> Result<TransactionInput, CardError> {
    let mut input = TransactionInput::new();
    input.data(WRITE_DATA, &extent(BALANCE_FILE, BALANCE_BYTES)?, &balance_file(balance)?);
    Ok(input)
}

/// The file of a balance: its length, its bytes, zeros.
pub(crate) fn balance_file(balance: &[u8]) -> Result<[u8; BALANCE_BYTES], CardError> {
    let mut file = [0; BALANCE_BYTES];
    let len = u16::try_from(balance.len()).map_err(|_| CardError::Range("the balance"))?;
    let (head, body) = file.split_at_mut(2);
    head.copy_from_slice(&len.to_be_bytes());
    body.get_mut(..balance.len()).ok_or(CardError::Range("the balance"))?.copy_from_slice(balance);
    Ok(file)
}

/// A file that is not exactly one of a balance comes back whole, so that nobody takes it for one: it enters the
/// transaction MAC as it is.
fn balance_in(file: &[u8]) -> Result<Vec<u8>, CardError> {
    let (len, body) = file.split_first_chunk::<2>().ok_or(CardError::Foreign("a balance file"))?;
    let balance = body.get(..usize::from(u16::from_be_bytes(*len))).unwrap_or(file);
    let is_whole = balance_file(balance).is_ok_and(|whole| whole == file);
    Ok(if is_whole { balance.to_vec() } else { file.to_vec() })
}
