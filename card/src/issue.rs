//! Issuing a card: the hub makes the application, its files and keys, and writes the first balance.
//!
//! The hub's own key is set last. Until then the application still has the factory's, so whatever was interrupted is
//! taken away and begun anew; after it the card is issued. There is nothing between.

use crate::commands::{Committed, NO_APPLICATION, WRONG_KEY, plain, select};
use crate::crypto::{Block, Key};
use crate::exchange::{CardError, Exchange};
use crate::layout::{
    APPLICATION, BALANCE_BYTES, BALANCE_FILE, HUB_KEY, KEYS, MAC_FILE, RECORD_BYTES, RECORD_FILE, RECORD_PLACES, SLOTS,
    SPENT_FILE, VALUE_START,
};
use crate::purse::{balance_file, written_input};
use crate::session::{Comm, Command, Session};
use crate::tmac::{UID_BYTES, transaction_mac};

/// The application's master key may change keys and settings; listing files is free, making them is not.
const KEY_SETTINGS: u8 = 0b0000_1011;
/// AES keys.
const AES_KEYS: u8 = 0x80;
/// Nobody, in access rights.
const NEVER: u8 = 0xf;
/// Answers and commands of a file carry a MAC.
const FILE_MAC: u8 = 0x01;
/// More sets of access rights follow.
const MORE_RIGHTS: u8 = 0x80;

/// A key and its version.
pub type Versioned = (Key, u8);

/// The keys of one card.
#[derive(Clone, Debug)]
pub struct CardKeys {
    /// The hub's.
    pub hub: Versioned,
    /// The slots', from 1.
    pub slots: Vec<Versioned>,
    /// The transaction MAC's.
    pub transaction_mac: Versioned,
}

/// What a card is to us.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// It has no application of ours.
    Blank,
    /// It has one that is not finished.
    Begun,
    /// It is issued, by this hub.
    Issued,
    /// It has one whose key is another hub's.
    Strange,
}

/// Looks what a card is.
///
/// # Errors
/// [`CardError`].
pub fn state(card: &mut dyn Exchange, hub: &Key, random: &mut dyn FnMut() -> Block) -> Result<State, CardError> {
    match select(card, APPLICATION) {
        Ok(()) => {}
        Err(CardError::Refused { status: NO_APPLICATION, .. }) => return Ok(State::Blank),
        Err(error) => return Err(error),
    }
    if knows(card, hub, random)? {
        return Ok(State::Issued);
    }
    select(card, APPLICATION)?;
    Ok(if knows(card, &Key::FACTORY, random)? { State::Begun } else { State::Strange })
}

fn knows(card: &mut dyn Exchange, key: &Key, random: &mut dyn FnMut() -> Block) -> Result<bool, CardError> {
    match Session::authenticate(card, HUB_KEY, key, random()) {
        Ok(_) => Ok(true),
        Err(CardError::Refused { status: WRONG_KEY, .. } | CardError::NotAuthentic(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Issues a card that is blank or was begun, with a first balance: gives what the card said of that transaction. Repeated
/// after an interruption it begins anew; a card that is issued, or is another hub's, is left as it is.
///
/// # Errors
/// [`CardError`]; [`CardError::Range`] for a card that is issued or strange.
pub fn issue(
    card: &mut dyn Exchange,
    keys: &CardKeys,
    balance: &[u8],
    random: &mut dyn FnMut() -> Block,
) -> Result<Committed, CardError> {
    let slots = usize::from(*SLOTS.end());
    if keys.slots.len() != slots {
        return Err(CardError::Range("the number of slots"));
    }
    match state(card, &keys.hub.0, random)? {
        State::Blank => {}
        State::Begun => take_away(card, random)?,
        State::Issued => return Err(CardError::Range("a card that is issued already")),
        State::Strange => return Err(CardError::Range("another hub's card")),
    }
    select(card, [0; 3])?;
    let [a, b, c] = APPLICATION;
    plain(card, "create application", 0xca, &[a, b, c, KEY_SETTINGS, AES_KEYS | KEYS])?;
    select(card, APPLICATION)?;
    let mut session = Session::authenticate(card, HUB_KEY, &Key::FACTORY, random())?;
    make_files(card, &mut session, &keys.transaction_mac)?;
    session.write_data(card, BALANCE_FILE, &balance_file(balance)?)?;
    let committed = session.commit(card)?;
    for (number, (key, version)) in SLOTS.zip(&keys.slots) {
        session.change_other_key(card, number, &Key::FACTORY, (key, *version))?;
    }
    let (hub, version) = &keys.hub;
    session.change_own_key(card, HUB_KEY, (hub, *version))?;
    // The answer to the last change proves nothing: the new key does.
    select(card, APPLICATION)?;
    Session::authenticate(card, HUB_KEY, hub, random())?;
    Ok(committed)
}

/// Takes away an application that was begun.
fn take_away(card: &mut dyn Exchange, random: &mut dyn FnMut() -> Block) -> Result<(), CardError> {
    select(card, APPLICATION)?;
    let session = Session::authenticate(card, HUB_KEY, &Key::FACTORY, random())?;
    delete_application(card, session)
}

/// Takes away the application of a card that is retired: it is blank again.
///
/// # Errors
/// [`CardError`].
pub fn retire(card: &mut dyn Exchange, hub: &Key, random: &mut dyn FnMut() -> Block) -> Result<(), CardError> {
    select(card, APPLICATION)?;
    let session = Session::authenticate(card, HUB_KEY, hub, random())?;
    delete_application(card, session)
}

/// It ends the session: whether it was done is seen by selecting it.
fn delete_application(card: &mut dyn Exchange, session: Session) -> Result<(), CardError> {
    let command = Command { name: "delete application", code: 0xda, header: &APPLICATION, data: &[] };
    session.last(card, command, Comm::Mac)?;
    match select(card, APPLICATION) {
        Err(CardError::Refused { status: NO_APPLICATION, .. }) => Ok(()),
        Ok(()) => Err(CardError::Foreign("an application that stays")),
        Err(error) => Err(error),
    }
}

/// Access rights as the card takes them.
const fn rights(read: u8, write: u8, read_write: u8) -> [u8; 2] {
    [(read_write << 4) | HUB_KEY, (read << 4) | write]
}

fn make_files(card: &mut dyn Exchange, session: &mut Session, mac_key: &Versioned) -> Result<(), CardError> {
    let three = |number: usize| {
        let [a, b, c, ..] = number.to_le_bytes();
        [a, b, c]
    };
    let first = *SLOTS.start();
    let shared = rights(first, first, HUB_KEY);
    let create = |session: &mut Session, card: &mut dyn Exchange, name, code, parts: &[&[u8]]| {
        session.done(card, Command { name, code, header: &parts.concat(), data: &[] }, Comm::Mac)
    };
    let head = |file| [file, FILE_MAC];
    create(session, card, "create the balance file", 0xcb, &[&head(BALANCE_FILE), &shared, &three(BALANCE_BYTES)])?;
    let (lower, value) = (0_u32.to_le_bytes(), VALUE_START.to_le_bytes());
    let spent = [&head(SPENT_FILE)[..], &rights(first, NEVER, NEVER), &lower, &value, &value, &[0]];
    create(session, card, "create the value file", 0xcc, &spent)?;
    let places = three(usize::from(RECORD_PLACES));
    let records = [&head(RECORD_FILE)[..], &shared, &three(RECORD_BYTES), &places];
    create(session, card, "create the record file", 0xc0, &records)?;
    for (file, write, read_write) in
        [(BALANCE_FILE, true, HUB_KEY), (SPENT_FILE, false, NEVER), (RECORD_FILE, true, HUB_KEY)]
    {
        share(card, session, file, write, read_write)?;
    }
    let (key, version) = mac_key;
    let aes = 0x02;
    let [r0, r1] = rights(HUB_KEY, NEVER, NEVER);
    let header = [MAC_FILE, FILE_MAC, r0, r1, aes];
    let data = zeroize::Zeroizing::new([key.expose().as_slice(), &[*version]].concat());
    session.done(card, Command { name: "create the MAC file", code: 0xce, header: &header, data: &data }, Comm::Full)
}

/// Gives each slot its rights on a file.
fn share(
    card: &mut dyn Exchange,
    session: &mut Session,
    file: u8,
    write: bool,
    read_write: u8,
) -> Result<(), CardError> {
    let mut sets = SLOTS.map(|slot| rights(slot, if write { slot } else { NEVER }, read_write));
    let own = sets.next().ok_or(CardError::Range("the number of slots"))?;
    let others: Vec<[u8; 2]> = sets.collect();
    let count = u8::try_from(others.len()).map_err(|_| CardError::Range("the number of slots"))?;
    let data = [&[FILE_MAC | MORE_RIGHTS][..], &own, &[count], others.as_flattened()].concat();
    session.done(card, Command { name: "share a file", code: 0x5f, header: &[file], data: &data }, Comm::Full)
}

/// What a card is to have.
#[derive(Clone, Copy, Debug)]
pub struct Renewal<'a> {
    /// The card's UID.
    pub uid: &'a [u8; UID_BYTES],
    /// The hub's key of the card.
    pub hub: &'a Key,
    /// The transaction MAC's key of the card.
    pub transaction_mac: &'a Key,
    /// The newest balance; nothing where none was made yet.
    pub balance: Option<&'a [u8]>,
    /// Slot and version of each key that is due.
    pub due: &'a [(u8, u8)],
}

/// What became of a renewal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Renewed {
    /// What the card said of the transaction that wrote the balance, told again where its answer had been lost; nothing
    /// where the card carried the balance before, and was used since.
    pub committed: Option<Committed>,
    /// Slot and version of each key that the card has.
    pub versions: Vec<(u8, u8)>,
}

/// Makes an issued card good again: writes the newest balance where it has another one, then gives each slot whose key
/// is older the key that is due; a newer one stays. Which key a slot has, the card says, so that the whole can be
/// repeated after any interruption, whatever was noted of it. `key` gives the card's key of a slot and version.
///
/// # Errors
/// [`CardError`].
pub fn renew(
    card: &mut dyn Exchange,
    with: &Renewal<'_>,
    key: &dyn Fn(u8, u8) -> Result<Key, CardError>,
    random: &mut dyn FnMut() -> Block,
) -> Result<Renewed, CardError> {
    let committed = with.balance.map(|balance| renew_balance(card, with, balance, random)).transpose()?.flatten();
    select(card, APPLICATION)?;
    let mut session = Session::authenticate(card, HUB_KEY, with.hub, random())?;
    let mut versions = Vec::with_capacity(with.due.len());
    for (slot, due) in with.due {
        if !SLOTS.contains(slot) {
            return Err(CardError::Range("the slot"));
        }
        let has = session.key_version(card, *slot)?;
        if has < *due {
            session.change_other_key(card, *slot, &key(*slot, has)?, (&key(*slot, *due)?, *due))?;
        }
        versions.push((*slot, has.max(*due)));
    }
    Ok(Renewed { committed, versions })
}

fn renew_balance(
    card: &mut dyn Exchange,
    with: &Renewal<'_>,
    balance: &[u8],
    random: &mut dyn FnMut() -> Block,
) -> Result<Option<Committed>, CardError> {
    let file = balance_file(balance)?;
    select(card, APPLICATION)?;
    let mut session = Session::authenticate(card, HUB_KEY, with.hub, random())?;
    let last = session.last_committed(card)?;
    if session.read_data(card, BALANCE_FILE, BALANCE_BYTES)?.as_slice() == file {
        let mac = transaction_mac(with.transaction_mac, with.uid, last.counter, &written_input(balance)?);
        return Ok((mac == last.mac).then_some(last));
    }
    // A session of its own: what was read in the one before is no part of this transaction.
    select(card, APPLICATION)?;
    let mut session = Session::authenticate(card, HUB_KEY, with.hub, random())?;
    session.write_data(card, BALANCE_FILE, &file)?;
    session.commit(card).map(Some)
}
