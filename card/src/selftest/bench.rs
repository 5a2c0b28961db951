//! The card of a run, its throw-away keys, and what was found of it so far.

use super::forms::{Done, Form};
use super::{Counted, Found, Step, Unlike};
use crate::commands::{Committed, GET_VALUE, READ_DATA, WRITE_DATA, WRITE_RECORD, extent, select};
use crate::crypto::{Block, Key};
use crate::exchange::CardError;
use crate::issue::{self, CardKeys, State};
use crate::layout::{
    APPLICATION, BALANCE_BYTES, BALANCE_FILE, RECORD_BYTES, RECORD_FILE, Record, SLOTS, SPENT_FILE, VALUE_START,
};
use crate::purse::balance_file;
use crate::session::Session;
use crate::tmac::UID_BYTES;

/// What stands for a signed balance: as long as one.
pub(super) const BALANCE: [u8; 150] = [0x5a; 150];
/// Its successor.
pub(super) const NEWER: [u8; 140] = [0xa5; 140];

/// The card of a run.
pub(super) struct Bench<'c> {
    pub(super) card: Counted<'c>,
    pub(super) random: &'c mut dyn FnMut() -> Block,
    uid: [u8; UID_BYTES],
    keys: CardKeys,
    record_key: Key,
    /// The transaction of the making.
    first: Option<Committed>,
    /// The counter of the last transaction.
    counter: Option<u32>,
    /// What was spent so far, and by how many purchases.
    pub(super) spent: u32,
    pub(super) bought: u32,
    pub(super) records: Option<usize>,
    /// The transactions so far, and what each did.
    transactions: Vec<(Committed, Vec<Done>)>,
    pub(super) steps: Vec<Step>,
    /// True where the card left.
    pub(super) is_gone: bool,
}

impl<'c> Bench<'c> {
    pub(super) fn new(card: Counted<'c>, uid: [u8; UID_BYTES], random: &'c mut dyn FnMut() -> Block) -> Self {
        let keys = CardKeys {
            // The factory's, so that what is left behind is known.
            hub: (Key::FACTORY, 1),
            slots: SLOTS.map(|_| (Key::new(random()), 1)).collect(),
            transaction_mac: (Key::new(random()), 1),
        };
        let record_key = Key::new(random());
        Self {
            card,
            random,
            uid,
            keys,
            record_key,
            first: None,
            counter: None,
            spent: 0,
            bought: 0,
            records: None,
            transactions: Vec::new(),
            steps: Vec::new(),
            is_gone: false,
        }
    }

    /// Takes a step and notes it; true where the card does as is expected.
    pub(super) fn step(&mut self, name: &'static str, take: fn(&mut Self) -> Found) -> bool {
        let first_apdu = self.card.apdus;
        let found = take(self);
        let apdus = self.card.apdus.saturating_sub(first_apdu);
        self.is_gone = matches!(found, Err(Unlike::Card(CardError::Link(_))));
        let (is_as_expected, found) = match found {
            Ok(found) => (true, found),
            Err(Unlike::Card(error)) => (false, error.to_string()),
            Err(Unlike::Found(found)) => (false, found),
        };
        self.steps.push(Step { name, is_as_expected, found, first_apdu, apdus });
        is_as_expected
    }

    /// What the card is to us, whatever key a member's has: no key of ours opens it.
    fn state(&mut self) -> Result<State, CardError> {
        let nobodys = Key::new((self.random)());
        issue::state(&mut self.card, &nobodys, self.random)
    }

    /// Only an application that was never issued is taken away.
    pub(super) fn made_blank(&mut self) -> Found {
        match self.state()? {
            State::Blank => Ok(String::from("yes")),
            State::Begun => {
                issue::retire(&mut self.card, &Key::FACTORY, self.random)?;
                Ok(String::from("an application that was left unfinished was taken away first"))
            }
            State::Issued | State::Strange => {
                Err(Unlike::Found(String::from("it is issued, a member's card perhaps: it was not touched")))
            }
        }
    }

    pub(super) fn made(&mut self) -> Found {
        self.first = Some(issue::issue(&mut self.card, &self.keys, &BALANCE, self.random)?);
        Ok(String::from("files, rights, keys, and a first balance"))
    }

    /// The transaction of the making.
    pub(super) fn first_balance(&mut self) -> Found {
        let first = self.first.ok_or_else(|| Unlike::Found(String::from("nothing was written")))?;
        let written = self.written(WRITE_DATA, BALANCE_FILE, &balance_file(&BALANCE)?)?;
        self.fit(&first, &[written])
    }

    pub(super) fn taken_away(&mut self) -> Found {
        match self.state()? {
            State::Blank => {}
            State::Begun => issue::retire(&mut self.card, &Key::FACTORY, self.random)?,
            State::Issued | State::Strange => {
                return Err(Unlike::Found(String::from("its hub key is not the factory's any more")));
            }
        }
        Ok(String::from("the card is blank"))
    }

    pub(super) const fn hub_key() -> Key {
        Key::FACTORY
    }

    pub(super) fn slot_key(&self, slot: u8) -> Result<Key, CardError> {
        let index = usize::from(slot).checked_sub(1);
        let key = index.and_then(|index| self.keys.slots.get(index)).map(|(key, _)| key.clone());
        key.ok_or(CardError::Range("the slot"))
    }

    /// A session by a slot's key, or the hub's.
    pub(super) fn open(&mut self, number: u8) -> Result<Session, CardError> {
        let key = if SLOTS.contains(&number) { self.slot_key(number)? } else { Self::hub_key() };
        select(&mut self.card, APPLICATION)?;
        Session::authenticate(&mut self.card, number, &key, (self.random)())
    }

    /// The record of the next purchase.
    pub(super) fn record(&self, cents: u32) -> [u8; RECORD_BYTES] {
        let (seq, spent_after) = (self.bought.saturating_add(1), self.spent.saturating_add(cents));
        let record = Record { terminal: 1, epoch: 1, seq, time_s: 0, cents, spent_after, serial: 1 };
        record.to_bytes(&self.record_key, &self.uid)
    }

    /// A purchase was committed.
    pub(super) fn count(&mut self, cents: u32) {
        self.spent = self.spent.saturating_add(cents);
        self.bought = self.bought.saturating_add(1);
    }

    pub(super) fn value(&self) -> u32 {
        VALUE_START.saturating_sub(self.spent)
    }

    pub(super) fn read_value(&self) -> Done {
        Done::Value { code: GET_VALUE, file: SPENT_FILE, value: self.value(), is_read: true }
    }

    pub(super) fn read_balance(balance: &[u8]) -> Result<Done, CardError> {
        let (header, data) = (extent(BALANCE_FILE, BALANCE_BYTES)?, balance_file(balance)?.to_vec());
        Ok(Done::Data { code: READ_DATA, header, data, is_read: true })
    }

    pub(super) fn written_record(&self, record: &[u8; RECORD_BYTES]) -> Result<Done, CardError> {
        self.written(WRITE_RECORD, RECORD_FILE, record)
    }

    pub(super) fn written(&self, code: u8, file: u8, data: &[u8]) -> Result<Done, CardError> {
        Ok(Done::Data { code, header: extent(file, data.len())?, data: data.to_vec(), is_read: false })
    }

    fn fits(&self, form: &Form, (committed, done): &(Committed, Vec<Done>)) -> bool {
        let (mac_key, _) = &self.keys.transaction_mac;
        form.fits(mac_key, &self.uid, committed, done)
    }

    /// The forms that fit every transaction, layout 1 first where it does.
    pub(super) fn forms(&self) -> Vec<Form> {
        let fits = |form: &Form| self.transactions.iter().all(|transaction| self.fits(form, transaction));
        if self.transactions.is_empty() {
            Vec::new()
        } else if fits(&Form::LAYOUT_1) {
            vec![Form::LAYOUT_1]
        } else {
            Form::all().into_iter().filter(fits).collect()
        }
    }

    /// Compares the card's MAC of a transaction with ours, and where it is another one, with those of all other forms.
    pub(super) fn fit(&mut self, committed: &Committed, done: &[Done]) -> Found {
        let transaction = (*committed, done.to_vec());
        let fitting = if self.fits(&Form::LAYOUT_1, &transaction) {
            Some(Form::LAYOUT_1)
        } else {
            Form::all().into_iter().find(|form| self.fits(form, &transaction))
        };
        self.transactions.push(transaction);
        let is_next = self.counter.is_none_or(|before| before.checked_add(1) == Some(committed.counter));
        self.counter = Some(committed.counter);
        let Some(least) = fitting else {
            return Err(Unlike::Found(String::from("its transaction MAC fits no form that is known here")));
        };
        let differences = least.differences();
        if !differences.is_empty() {
            return Err(Unlike::Found(format!("its transaction MAC fits another form: {}", differences.join("; "))));
        }
        if !is_next {
            return Err(Unlike::Found(format!("transaction {} does not follow the one before", committed.counter)));
        }
        Ok(format!("the MAC of transaction {} is ours", committed.counter))
    }
}
