//! A card that only proves who it is (tier T2): NTAG 424 DNA. It counts its taps; what it spends its terminal counts.
//!
//! Five keys: 0 is the hub's, 1 to 4 are shared by the shops' slots. The counter is the chip's own, of reads of its public
//! file by anybody who proved nothing: no key lowers it, a shop's or a thief's neither. It is read in a session, so what
//! is told of it is the card's own word.

use crate::commands::{WRONG_KEY, extent, plain};
use crate::crypto::{Block, Key};
use crate::exchange::{CardError, Exchange};
use crate::issue::{State, Versioned};
use crate::session::{Comm, Command, Session};
use crate::tmac::UID_BYTES;

/// Stands for this kind of card in what its keys are diversified by; no application of this number is on it.
pub const SYSTEM: [u8; 3] = [0x02, 0xab, 0xca];
/// The hub's own key.
pub const HUB_KEY: u8 = 0;
/// The keys that the slots share.
pub const SHARED_KEYS: std::ops::RangeInclusive<u8> = 1..=4;
/// The public file, whose reads are counted.
pub const PUBLIC_FILE: u8 = 2;
/// The other one: nothing lies in it.
const CLOSED_FILE: u8 = 3;
/// SELECT by the application's name, without an answer (ISO 7816-4).
const SELECT: [u8; 13] = [0x00, 0xa4, 0x04, 0x0c, 0x07, 0xd2, 0x76, 0x00, 0x00, 0x85, 0x01, 0x01, 0x00];
const SELECTED: u16 = 0x9000;
const READ_DATA: u8 = 0xad;
const FILE_SETTINGS: u8 = 0xf5;
/// Reads are counted, plainly; rights: all may read, the rest is the hub's. The counter is not shown in the file
/// (offset `FFFFFF`), and is told to whoever has a session.
const PUBLIC_SETTINGS: [u8; 9] = [0x40, 0x00, 0xe0, 0x41, 0xfe, 0xef, 0xff, 0xff, 0xff];
/// Encrypted, and the hub's alone.
const CLOSED_SETTINGS: [u8; 3] = [0x03, 0x00, 0x00];
/// Option and rights: in what a file tells of itself its size (3) follows.
const HEAD_BYTES: usize = 3;
const SIZE_BYTES: usize = 3;

/// What a card has proven.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Proven {
    /// The UID that it was made with, told in the session.
    pub uid: [u8; UID_BYTES],
    /// How often it was tapped in its life: never the same twice.
    pub counter: u32,
}

/// The UID is hidden.
impl std::fmt::Debug for Proven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Proven(tap {})", self.counter)
    }
}

/// The key that a shop's slot shares with others.
#[must_use]
pub const fn shared_key(slot: u8) -> Option<u8> {
    match slot {
        1 | 5 => Some(1),
        2 | 6 => Some(2),
        3 | 7 => Some(3),
        4 | 8 => Some(4),
        _ => None,
    }
}

/// The key of one card, from the hub's master (AN10922: UID, [`SYSTEM`], number, version).
///
/// # Errors
/// [`CardError::Range`] for a key that there is not.
pub fn card_key(master: &Key, uid: &[u8; UID_BYTES], number: u8, version: u8) -> Result<Key, CardError> {
    if number != HUB_KEY && !SHARED_KEYS.contains(&number) {
        return Err(CardError::Range("the key's number"));
    }
    let input = [uid.as_slice(), &SYSTEM, &[number, version]].concat();
    master.diversified(&input).ok_or(CardError::Range("the key's input"))
}

/// Lets the card count the tap, and prove by a shared key who it is: six APDUs. `random` must be new each time and
/// unpredictable.
///
/// # Errors
/// [`CardError`]: refused, or not authentic, by what is no card of ours.
pub fn prove(card: &mut dyn Exchange, number: u8, key: &Key, random: Block) -> Result<Proven, CardError> {
    select(card)?;
    // Only a read by somebody who proved nothing is counted, so it stands before the session.
    plain(card, "count the tap", READ_DATA, &extent(PUBLIC_FILE, 1)?)?;
    let mut session = Session::authenticate(card, number, key, random)?;
    let counter = counter(card, &mut session)?;
    let command = Command { name: "get the UID", code: 0x51, header: &[], data: &[] };
    let uid = session.command(card, command, Comm::Full)?;
    let uid = <[u8; UID_BYTES]>::try_from(uid.as_slice()).map_err(|_| CardError::Foreign("a UID of another length"))?;
    Ok(Proven { uid, counter })
}

/// The counter of taps, with a MAC. Chips encrypt the answer where a key is asked for, and need not where none is.
fn counter(card: &mut dyn Exchange, session: &mut Session) -> Result<u32, CardError> {
    const BYTES: usize = 5;
    let command = Command { name: "get the counter", code: 0xf6, header: &[PUBLIC_FILE], data: &[] };
    let data = session.command_told(card, command, BYTES)?;
    match data.as_slice() {
        [a, b, c, 0, 0] => Ok(u32::from_le_bytes([*a, *b, *c, 0])),
        _ => Err(CardError::Foreign("a counter of another form")),
    }
}

fn select(card: &mut dyn Exchange) -> Result<(), CardError> {
    match card.exchange(&SELECT)?.status {
        SELECTED => Ok(()),
        status => Err(CardError::Refused { command: "select", status }),
    }
}

/// Looks what a card is. One that was begun is told as blank: to issue it is the same.
///
/// # Errors
/// [`CardError`]; refused by what is no NTAG 424 DNA.
pub fn state(card: &mut dyn Exchange, hub: &Key, random: &mut dyn FnMut() -> Block) -> Result<State, CardError> {
    Ok(match open(card, hub, random)? {
        Some(_) => State::Issued,
        None if open(card, &Key::FACTORY, random)?.is_some() => State::Blank,
        None => State::Strange,
    })
}

/// A session by the hub's key; nothing where it is another one.
fn open(card: &mut dyn Exchange, key: &Key, random: &mut dyn FnMut() -> Block) -> Result<Option<Session>, CardError> {
    select(card)?;
    match Session::authenticate(card, HUB_KEY, key, random()) {
        Ok(session) => Ok(Some(session)),
        Err(CardError::Refused { status: WRONG_KEY, .. } | CardError::NotAuthentic(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The keys of one card by number and version.
pub type Keys<'k> = &'k dyn Fn(u8, u8) -> Result<Key, CardError>;

/// Issues a blank card: files, shared keys, and the hub's key last. Repeated after an interruption it goes on from there; a
/// card that is issued, or is another hub's, is left as it is.
///
/// # Errors
/// [`CardError`]; [`CardError::Range`] for a card that is issued or strange.
pub fn issue(
    card: &mut dyn Exchange,
    keys: Keys<'_>,
    due: &[(u8, u8)],
    (hub, version): &Versioned,
    random: &mut dyn FnMut() -> Block,
) -> Result<Vec<(u8, u8)>, CardError> {
    if due.iter().map(|(number, _)| *number).ne(SHARED_KEYS) {
        return Err(CardError::Range("the number of keys"));
    }
    match state(card, hub, random)? {
        State::Blank | State::Begun => {}
        State::Issued => return Err(CardError::Range("a card that is issued already")),
        State::Strange => return Err(CardError::Range("another hub's card")),
    }
    let mut session = open(card, &Key::FACTORY, random)?.ok_or(CardError::NotAuthentic("the factory's key"))?;
    set_file(card, &mut session, CLOSED_FILE, &CLOSED_SETTINGS)?;
    set_file(card, &mut session, PUBLIC_FILE, &PUBLIC_SETTINGS)?;
    let versions = raise_keys(card, &mut session, keys, due)?;
    session.change_own_key(card, HUB_KEY, (hub, *version))?;
    // The answer to the last change proves nothing: the new key does.
    open(card, hub, random)?.ok_or(CardError::NotAuthentic("the hub's key"))?;
    Ok(versions)
}

/// Gives a card the keys that are due, and says which it has then: a newer one stays, for it was given before the hub was
/// restored, and whoever knew the older one may be a thief.
///
/// # Errors
/// [`CardError`].
pub fn rekey(
    card: &mut dyn Exchange,
    keys: Keys<'_>,
    due: &[(u8, u8)],
    hub: &Key,
    random: &mut dyn FnMut() -> Block,
) -> Result<Vec<(u8, u8)>, CardError> {
    let mut session = open(card, hub, random)?.ok_or(CardError::Range("a card that is not issued"))?;
    raise_keys(card, &mut session, keys, due)
}

/// Changes those keys that are older than the ones due; gives the versions that the card has then.
fn raise_keys(
    card: &mut dyn Exchange,
    session: &mut Session,
    keys: Keys<'_>,
    due: &[(u8, u8)],
) -> Result<Vec<(u8, u8)>, CardError> {
    let mut versions = Vec::with_capacity(due.len());
    for (number, version) in due {
        let has = session.key_version(card, *number)?;
        versions.push((*number, has.max(*version)));
    }
    change_keys(card, session, keys, &versions)?;
    Ok(versions)
}

/// Gives a card the factory's keys back. What counts its taps stays: a card that is issued again counts on.
///
/// # Errors
/// [`CardError`].
pub fn retire(
    card: &mut dyn Exchange,
    keys: Keys<'_>,
    hub: &Key,
    random: &mut dyn FnMut() -> Block,
) -> Result<(), CardError> {
    let mut session = open(card, hub, random)?.ok_or(CardError::Range("a card that is not issued"))?;
    change_keys(card, &mut session, keys, &SHARED_KEYS.map(|number| (number, 0)).collect::<Vec<_>>())?;
    session.change_own_key(card, HUB_KEY, (&Key::FACTORY, 0))?;
    open(card, &Key::FACTORY, random)?.map(drop).ok_or(CardError::NotAuthentic("the factory's key"))
}

/// Changes those keys whose version is another one; version 0 is the factory's key.
fn change_keys(
    card: &mut dyn Exchange,
    session: &mut Session,
    keys: Keys<'_>,
    due: &[(u8, u8)],
) -> Result<(), CardError> {
    let key = |number, version| if version == 0 { Ok(Key::FACTORY) } else { keys(number, version) };
    for (number, version) in due {
        let has = session.key_version(card, *number)?;
        if has != *version {
            let (old, new) = (key(*number, has)?, key(*number, *version)?);
            session.change_other_key(card, *number, &old, (&new, *version))?;
        }
    }
    Ok(())
}

/// Changes a file's settings, unless they are what they should be: to switch the counting on again would begin at 0.
fn set_file(card: &mut dyn Exchange, session: &mut Session, file: u8, settings: &[u8]) -> Result<(), CardError> {
    let command = Command { name: "get file settings", code: FILE_SETTINGS, header: &[file], data: &[] };
    let told = session.command(card, command, Comm::Mac)?;
    let (_kind, told) = told.split_first().ok_or(CardError::Foreign("a file's settings"))?;
    let (head, rest) = settings.split_at(HEAD_BYTES.min(settings.len()));
    if told.starts_with(head) && told.get(HEAD_BYTES.saturating_add(SIZE_BYTES)..) == Some(rest) {
        return Ok(());
    }
    session.done(card, Command { name: "change a file", code: 0x5f, header: &[file], data: settings }, Comm::Full)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use crate::crypto::BLOCK;
    use crate::layout::{Purpose, SLOTS, card_key as purse_key};

    const UID: [u8; 7] = [4, 1, 2, 3, 4, 5, 6];

    #[test]
    fn every_slot_has_one_shared_key_and_no_other_number_has() {
        let shared: Vec<_> = SLOTS.map(|slot| shared_key(slot).unwrap()).collect();
        assert_eq!(shared, [1, 2, 3, 4, 1, 2, 3, 4]);
        assert_eq!((shared_key(0), shared_key(9), shared_key(255)), (None, None, None));
    }

    #[test]
    fn each_card_number_and_version_has_a_key_of_its_own_and_none_is_a_purse_cards() {
        let master = Key::new([3; BLOCK]);
        let key = |uid, number, version| *card_key(&master, uid, number, version).unwrap().expose();
        let mut all = vec![
            key(&UID, 0, 1),
            key(&UID, 1, 1),
            key(&UID, 1, 2),
            key(&UID, 2, 1),
            key(&[4, 1, 2, 3, 4, 5, 7], 1, 1),
            *purse_key(&master, &UID, Purpose::Application(1), 1).unwrap().expose(),
        ];
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 6);
        assert!(card_key(&master, &UID, 5, 1).is_err());
    }

    #[test]
    fn a_uid_is_never_shown() {
        assert_eq!(format!("{:?}", Proven { uid: UID, counter: 7 }), "Proven(tap 7)");
    }
}
