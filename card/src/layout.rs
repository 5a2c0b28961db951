//! What lies where on a card of ours (layout 1, `card.md`), and who may touch it.
//!
//! One application with 14 AES keys: key 0 is the hub's, keys 1 to 8 are the shops' slots, the others are not used. Of
//! each file the access rights stand once for each slot (EV2: up to eight sets a file).
//!
//! | file | kind | a slot may | nobody may |
//! | --- | --- | --- | --- |
//! | 1 balance | backup data, 160 B | read, write | |
//! | 2 spent | value, counted down from 2³¹ − 1 | read, debit | credit |
//! | 3 records | cyclic, 48 B each | read, write | |
//! | 4 transaction MAC | | | write |
//!
//! Nobody may credit the value, the hub neither: a balance only rises by a newer signed one.

use crate::crypto::Key;
use crate::exchange::CardError;
use crate::tmac::UID_BYTES;

/// The number of this layout: it stands in every record.
pub const LAYOUT: u8 = 1;
/// The application, least significant byte first.
pub const APPLICATION: [u8; 3] = [0x01, 0xab, 0xca];
/// Keys of the application.
pub const KEYS: u8 = 14;
/// The hub's own key.
pub const HUB_KEY: u8 = 0;
/// The slots that shops share.
pub const SLOTS: std::ops::RangeInclusive<u8> = 1..=8;
/// The newest signed balance: a length of two bytes, most significant first, then so many bytes.
pub const BALANCE_FILE: u8 = 1;
/// Bytes of that file.
pub const BALANCE_BYTES: usize = 160;
/// What was spent.
pub const SPENT_FILE: u8 = 2;
/// Where the value starts: it is only taken from.
pub const VALUE_START: u32 = 0x7fff_ffff;
/// The newest purchases.
pub const RECORD_FILE: u8 = 3;
/// Bytes of a record.
pub const RECORD_BYTES: usize = 48;
/// Places of the record file.
pub const RECORD_PLACES: u8 = 16;
/// Records that a card keeps: one place is for the next.
pub const RECORDS_KEPT: u8 = RECORD_PLACES - 1;
/// The transaction MAC.
pub const MAC_FILE: u8 = 4;

/// What a key is for: part of what it is diversified by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// A key of the application, by its number.
    Application(u8),
    /// The transaction MAC.
    TransactionMac,
}

/// The key of one card for one purpose, from the hub's master of that purpose (AN10922: UID, application, purpose,
/// version).
///
/// # Errors
/// [`CardError::Range`] for a key that there is not.
pub fn card_key(master: &Key, uid: &[u8; UID_BYTES], purpose: Purpose, version: u8) -> Result<Key, CardError> {
    let number = match purpose {
        Purpose::Application(number) if number < KEYS => number,
        Purpose::Application(_) => return Err(CardError::Range("the key's number")),
        Purpose::TransactionMac => 0xff,
    };
    let input = [uid.as_slice(), &APPLICATION, &[number, version]].concat();
    master.diversified(&input).ok_or(CardError::Range("the key's input"))
}

/// What was spent, from the value on the card.
///
/// # Errors
/// [`CardError::Foreign`] for a value over where it starts.
pub fn spent_of(value: u32) -> Result<u32, CardError> {
    VALUE_START.checked_sub(value).ok_or(CardError::Foreign("a value over its start"))
}

/// A purchase, as it stands on the card: 32 bytes and a MAC by the terminal's record key, which the hub knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Record {
    /// The terminal that sold.
    pub terminal: u32,
    /// Its enrolment.
    pub epoch: u32,
    /// The row of its journal that announced the debit.
    pub seq: u32,
    /// When, in seconds since 1970-01-01 UTC.
    pub time_s: u32,
    /// What was debited, in cents.
    pub cents: u32,
    /// The counter after it.
    pub spent_after: u32,
    /// The balance that allowed it.
    pub serial: u32,
}

/// Bytes of a record before its MAC.
const BODY: usize = 32;

impl Record {
    /// The bytes of a record: numbers most significant byte first, the layout, three bytes that are zero, the MAC.
    #[must_use]
    pub fn to_bytes(self, record_key: &Key, uid: &[u8; UID_BYTES]) -> [u8; RECORD_BYTES] {
        let mut out = [0; RECORD_BYTES];
        let Self { terminal, epoch, seq, time_s, cents, spent_after, serial } = self;
        let numbers = [terminal, epoch, seq, time_s, cents, spent_after, serial].map(u32::to_be_bytes);
        let body = numbers.into_iter().flatten().chain([LAYOUT, 0, 0, 0]);
        for (to, from) in out.iter_mut().zip(body) {
            *to = from;
        }
        let mac = mac_of(&out, record_key, uid);
        for (to, from) in out.iter_mut().skip(BODY).zip(mac) {
            *to = from;
        }
        out
    }

    /// Reads a record; its MAC is for the hub to check.
    ///
    /// # Errors
    /// [`CardError::Foreign`] for bytes of another layout.
    pub fn parse(bytes: &[u8; RECORD_BYTES]) -> Result<Self, CardError> {
        let mut numbers =
            bytes.chunks_exact(4).map(|four| four.iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte)));
        let mut next = || numbers.next().unwrap_or_default();
        let record = Self {
            terminal: next(),
            epoch: next(),
            seq: next(),
            time_s: next(),
            cents: next(),
            spent_after: next(),
            serial: next(),
        };
        let is_ours = next() == u32::from(LAYOUT) << 24 && record.cents > 0 && record.spent_after >= record.cents;
        if is_ours { Ok(record) } else { Err(CardError::Foreign("a record of another layout")) }
    }

    /// True where the terminal that the record names made it for this card.
    #[must_use]
    pub fn is_authentic(bytes: &[u8; RECORD_BYTES], record_key: &Key, uid: &[u8; UID_BYTES]) -> bool {
        let mac = bytes.get(BODY..).unwrap_or_default();
        bool::from(subtle::ConstantTimeEq::ct_eq(mac, mac_of(bytes, record_key, uid).as_slice()))
    }
}

fn mac_of(bytes: &[u8; RECORD_BYTES], record_key: &Key, uid: &[u8; UID_BYTES]) -> [u8; 16] {
    record_key.cmac(&[b"cabas record 1", uid, bytes.get(..BODY).unwrap_or_default()])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed unwrap is the test's failure")]
    use super::*;

    const UID: [u8; 7] = [4, 1, 2, 3, 4, 5, 6];
    const RECORD: Record =
        Record { terminal: 7, epoch: 2, seq: 99, time_s: 1_800_000_000, cents: 1_250, spent_after: 5_875, serial: 12 };

    #[test]
    fn a_record_is_read_as_it_was_written_and_belongs_to_one_card_and_terminal() {
        let key = Key::new([9; 16]);
        let bytes = RECORD.to_bytes(&key, &UID);
        assert_eq!(
            bytes[..32],
            *b"\0\0\0\x07\0\0\0\x02\0\0\0\x63\x6b\x49\xd2\0\0\0\x04\xe2\0\0\x16\xf3\0\0\0\x0c\x01\0\0\0"
        );
        assert_eq!(Record::parse(&bytes), Ok(RECORD));
        assert!(Record::is_authentic(&bytes, &key, &UID));
        assert!(!Record::is_authentic(&bytes, &Key::new([8; 16]), &UID));
        assert!(!Record::is_authentic(&bytes, &key, &[4, 1, 2, 3, 4, 5, 7]));
        for place in 0..RECORD_BYTES {
            let mut changed = bytes;
            changed[place] ^= 1;
            assert!(!Record::is_authentic(&changed, &key, &UID), "byte {place}");
        }
    }

    #[test]
    fn what_is_no_record_is_not_read() {
        assert!(Record::parse(&[0; RECORD_BYTES]).is_err(), "a record that was never written");
        let other = Record { spent_after: 1, ..RECORD }.to_bytes(&Key::FACTORY, &UID);
        assert!(Record::parse(&other).is_err(), "more than was ever spent");
    }

    #[test]
    fn each_card_slot_and_version_has_a_key_of_its_own() {
        let master = Key::new([3; 16]);
        let key = |uid: &[u8; 7], purpose, version| *card_key(&master, uid, purpose, version).unwrap().expose();
        let all = [
            key(&UID, Purpose::Application(1), 0),
            key(&UID, Purpose::Application(2), 0),
            key(&UID, Purpose::Application(1), 1),
            key(&UID, Purpose::TransactionMac, 0),
            key(&[4, 1, 2, 3, 4, 5, 7], Purpose::Application(1), 0),
        ];
        for (place, one) in all.iter().enumerate() {
            assert!(all[place + 1..].iter().all(|other| other != one));
        }
        assert!(card_key(&master, &UID, Purpose::Application(14), 0).is_err());
    }

    #[test]
    fn what_was_spent_is_what_the_value_lacks() {
        assert_eq!((spent_of(VALUE_START), spent_of(VALUE_START - 5)), (Ok(0), Ok(5)));
        assert!(spent_of(VALUE_START + 1).is_err());
    }
}
