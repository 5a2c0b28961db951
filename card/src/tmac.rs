//! The transaction MAC: what the card says of a committed transaction to the one who holds its key, the hub alone.
//!
//! Everything that was done inside the transaction enters it, in order, reads included (NXP AN12343 §7). Published and
//! proven is the input of writing a record; that of values and reads follows the same rule and waits for a real card
//! (`selftest`). The layout has a number, so that the other form can be taken in where silicon says otherwise.

use crate::crypto::{BLOCK, Block, Key};

/// The form of the input below.
pub const INPUT_LAYOUT: u8 = 1;
/// Bytes of a card's UID: the UID of a DESFire has always 7.
pub const UID_BYTES: usize = 7;

/// What was done in a transaction, as the card adds it up.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TransactionInput(Vec<u8>);

impl TransactionInput {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Bytes that were put together elsewhere.
    pub(crate) const fn of(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// GetValue, Debit, Credit: code, file, and the four bytes of the value, padded with zeros.
    pub fn value(&mut self, code: u8, file: u8, value: u32) {
        let [a, b, c, d] = value.to_le_bytes();
        self.padded(&[code, file, a, b, c, d]);
    }

    /// Reading and writing of data and records: code and header padded, then the data padded, readable however it
    /// travelled.
    pub fn data(&mut self, code: u8, header: &[u8; 7], data: &[u8]) {
        let [file, rest @ ..] = header;
        let [o0, o1, o2, l0, l1, l2] = rest;
        self.padded(&[code, *file, *o0, *o1, *o2, *l0, *l1, *l2]);
        self.padded(data);
    }

    fn padded(&mut self, part: &[u8]) {
        self.0.extend_from_slice(part);
        while !self.0.len().is_multiple_of(BLOCK) {
            self.0.push(0);
        }
    }

    /// The bytes, as they are.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The MAC of a transaction, by the card's transaction key: `counter` is the one after the commit.
#[must_use]
pub fn transaction_mac(key: &Key, uid: &[u8; UID_BYTES], counter: u32, input: &TransactionInput) -> [u8; 8] {
    session_key(key, 0x5a, uid, counter).short_mac(&[&input.0])
}

/// The key of one transaction, for MACs (`5A`) or encryption (`A5`).
fn session_key(key: &Key, label: u8, uid: &[u8; UID_BYTES], counter: u32) -> Key {
    let block: Block = key.cmac(&[&[label, 0x00, 0x01, 0x00, 0x80], &counter.to_le_bytes(), uid]);
    Key::new(block)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use crate::vectors::{all, block, hex};

    fn uid_and_counter(vector: &serde_json::Value) -> ([u8; 7], u32) {
        (hex(&vector["uid"]).try_into().unwrap(), u32::try_from(vector["tmc"].as_u64().unwrap()).unwrap())
    }

    #[test]
    fn the_keys_of_a_transaction_come_out_as_published() {
        for vector in all("tmkeys") {
            let ((uid, counter), key) = (uid_and_counter(&vector), Key::new(block(&vector["tmkey"])));
            assert_eq!(session_key(&key, 0x5a, &uid, counter).expose(), &block(&vector["macKey"]), "{vector}");
            assert_eq!(session_key(&key, 0xa5, &uid, counter).expose(), &block(&vector["encKey"]), "{vector}");
        }
    }

    #[test]
    fn the_published_transaction_mac_comes_out_byte_for_byte() {
        for vector in all("tmac") {
            let ((uid, counter), key) = (uid_and_counter(&vector), Key::new(block(&vector["tmkey"])));
            let mut input = TransactionInput::new();
            let record = all("cmd").into_iter().find(|cmd| cmd["id"] == "writerecord-full-an12343-t32").unwrap();
            let header: [u8; 7] = hex(&record["hdr"]).try_into().unwrap();
            input.data(hex(&record["ins"])[0], &header, &hex(&record["data"]));
            // The reader's name was committed as well, which cards of ours do not ask for.
            input.padded(&[&[0xc8][..], &hex(&vector["tmriprev"]), &hex(&vector["enctmri"])].concat());
            assert_eq!(input.bytes(), hex(&vector["tmi"]));
            assert_eq!(transaction_mac(&key, &uid, counter, &input).to_vec(), hex(&vector["tmv"]));
            let mut name = block(&vector["tmriprev"]);
            session_key(&key, 0xa5, &uid, counter).encrypt([0; 16], &mut name);
            assert_eq!(name.to_vec(), hex(&vector["enctmri"]));
        }
    }
}
