//! The transaction MAC: what the card's own word for a transaction is computed from, and how.
//!
//! The input (TMI) is the concatenation, in the order of execution, of what each command of the transaction adds; a host
//! must add the same. Source: data sheet MF2DL(H)x0 (DESFire Light) section 10.3.4.2; DESFire EV2's own data sheet is
//! not public. `pad` fills with zeros up to a multiple of 16 bytes, and adds nothing where there is none missing. All
//! data are in plain, whatever the communication mode; frames and their 0xAF do not show; numbers are as on the wire,
//! least significant byte first.
//!
//! | command | adds |
//! | --- | --- |
//! | ReadData BD/AD | Cmd, FileNo, Offset (3), Length (3), pad, data read, pad; a Length of 0 is replaced by that of the data |
//! | WriteData 3D/8D | Cmd, FileNo, Offset (3), Length (3), pad, data, pad |
//! | GetValue 6C | Cmd, FileNo, value read (4), pad |
//! | Credit 0C, Debit DC, LimitedCredit 1C | Cmd, FileNo, amount (4), pad |
//! | ReadRecords BB/AB | Cmd, FileNo, RecNo (3), RecCount (3), pad, records read, pad; a RecCount of 0 is replaced by their number |
//! | WriteRecord 3B/8B | Cmd, FileNo, Offset (3), Length (3), pad, data, pad |
//! | ClearRecordFile EB | Cmd, FileNo, pad |
//! | CommitReaderID C8 | Cmd, reader's id (16), `EncTMRI` (16, only within a session), pad |
//!
//! Cmd is the instruction byte really used. Standard data files count like all others; reading the transaction MAC file
//! itself does not. Nothing else is added: neither the selection, nor authentication, nor the commit.

use super::access::Rights;
use crate::virtual_card::ev2::crypto::{Key, cmac, encrypt, short_cmac, zero_padded};
use crate::virtual_card::ev2::fields::Fields;
use crate::virtual_card::ev2::status::Status;

const AES: u8 = 0x02;
const NEVER: u8 = 0xf;

/// The transaction MAC file: its key, and what the last commit left.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct TransactionMacFile {
    pub(super) key: Key,
    pub(super) key_version: u8,
    /// How many transactions were committed.
    pub(super) counter: u32,
    pub(super) value: [u8; 8],
    /// The id of the reader of the last transaction that named one.
    pub(super) last_reader: [u8; 16],
    /// Whether a transaction must name its reader.
    pub(super) names_readers: bool,
}

impl TransactionMacFile {
    pub(super) fn create(rights: Rights, fields: &mut Fields<'_>) -> Result<Self, Status> {
        let (key_kind, key, key_version) = (fields.byte()?, fields.array()?, fields.byte()?);
        // Nobody writes this file but the card.
        if key_kind != AES || rights.write() != NEVER {
            return Err(Status::PARAMETER);
        }
        let names_readers = rights.read_write() != NEVER;
        Ok(Self { key, key_version, counter: 0, value: [0; 8], last_reader: [0; 16], names_readers })
    }

    pub(super) fn settings(&self) -> [u8; 2] {
        [AES, self.key_version]
    }

    /// What ReadData gives: counter and value.
    pub(super) fn read(&self) -> Vec<u8> {
        [&self.counter.to_le_bytes()[..], &self.value].concat()
    }

    /// The session keys of the next transaction, that of its MAC first.
    fn next_keys(&self, uid: &[u8; 7]) -> Option<(u32, Key, Key)> {
        let counter = self.counter.checked_add(1)?;
        let context = [&[0, 1, 0, 0x80][..], &counter.to_le_bytes(), uid].concat();
        Some((counter, cmac(&self.key, &[&[0x5a], &context]), cmac(&self.key, &[&[0xa5], &context])))
    }

    /// The id of the reader of the last transaction, for the reader of this one to carry to the hub.
    pub(super) fn encrypted_last_reader(&self, uid: &[u8; 7]) -> Result<[u8; 16], Status> {
        let (_, _, encryption) = self.next_keys(uid).ok_or(Status::PERMISSION_DENIED)?;
        encrypt(&encryption, [0; 16], &self.last_reader).try_into().map_err(|_| Status::INTEGRITY)
    }

    /// The file as a commit leaves it.
    pub(super) fn committed(&self, uid: &[u8; 7], input: &Input) -> Result<Self, Status> {
        let (counter, mac, _) = self.next_keys(uid).ok_or(Status::PERMISSION_DENIED)?;
        let value = short_cmac(&mac, &[&input.bytes]);
        Ok(Self { counter, value, last_reader: input.reader.unwrap_or(self.last_reader), ..self.clone() })
    }
}

/// How a card sums a transaction up. No published vector settles it for values and reads, so silicon may do otherwise than
/// the documents say.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum MacForm {
    /// As above.
    #[default]
    Documented,
    /// `GetValue` adds nothing.
    WithoutGetValue,
    /// Reads add nothing.
    WithoutReads,
    /// A value has a block of its own.
    ValuesApart,
    /// Commands count by the code of their older form: 3B for 8B.
    OlderCodes,
    /// In a way that nobody has thought of.
    Unheard,
}

impl MacForm {
    /// What a command really adds.
    fn of(self, added: &[u8]) -> Vec<u8> {
        let [instruction, rest @ ..] = added else { return Vec::new() };
        match (self, instruction) {
            (Self::WithoutGetValue, 0x6c) | (Self::WithoutReads, 0x6c | 0xad | 0xbd) => Vec::new(),
            (Self::ValuesApart, 0x6c | 0xdc) => {
                let (head, value) = added.split_at(2.min(added.len()));
                [zero_padded(head.to_vec()), zero_padded(value.iter().take(4).copied().collect())].concat()
            }
            (Self::OlderCodes, 0x8b) => [&[0x3b], rest].concat(),
            (Self::OlderCodes, 0x8d) => [&[0x3d], rest].concat(),
            (Self::OlderCodes, 0xad) => [&[0xbd], rest].concat(),
            (Self::Unheard, _) => added.iter().rev().copied().collect(),
            _ => added.to_vec(),
        }
    }
}

/// The transaction MAC input so far.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Input {
    bytes: Vec<u8>,
    /// Who the reader said it is.
    pub(super) reader: Option<[u8; 16]>,
}

impl Input {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Adds as a card of this form does.
    pub(super) fn add_as(&mut self, form: MacForm, add: impl FnOnce(&mut Self)) {
        let before = self.bytes.len();
        add(self);
        let added = self.bytes.split_off(before.min(self.bytes.len()));
        self.bytes.extend(form.of(&added));
    }

    /// A command with data: its parameters fill whole blocks, then its data.
    pub(super) fn add(&mut self, instruction: u8, parameters: &[u8], data: &[u8]) {
        self.bytes.extend(zero_padded([&[instruction], parameters].concat()));
        self.bytes.extend(zero_padded(data.to_vec()));
    }

    /// A command whose value follows its parameters at once.
    pub(super) fn add_together(&mut self, instruction: u8, parameters: &[u8], value: &[u8]) {
        self.bytes.extend(zero_padded([&[instruction], parameters, value].concat()));
    }

    /// The reader says who it is.
    pub(super) fn add_reader(&mut self, instruction: u8, reader: [u8; 16], answer: &[u8]) {
        self.add_together(instruction, &reader, answer);
        self.reader = Some(reader);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::virtual_card::ev2::vectors::{array, bytes, of_type};
    use serde_json::Value;

    fn file(vector: &Value, last_reader: [u8; 16]) -> TransactionMacFile {
        let counter = u32::try_from(vector["tmc"].as_u64().unwrap()).unwrap().checked_sub(1).unwrap();
        let key = array(vector, "tmkey");
        TransactionMacFile { key, key_version: 0, counter, value: [0; 8], last_reader, names_readers: true }
    }

    #[test]
    fn session_keys_come_out_as_published() {
        for vector in of_type("tmkeys").into_iter().chain(of_type("tmac")) {
            let (_, mac, encryption) = file(&vector, [0; 16]).next_keys(&array(&vector, "uid")).unwrap();
            assert_eq!((mac, encryption), (array(&vector, "macKey"), array(&vector, "encKey")), "{vector}");
        }
    }

    #[test]
    fn the_published_transaction_has_its_published_mac() {
        for vector in of_type("tmac") {
            let (uid, reader) = (array(&vector, "uid"), array(&vector, "tmriprev"));
            let file = file(&vector, reader);
            let answer = file.encrypted_last_reader(&uid).unwrap();
            assert_eq!(answer, array(&vector, "enctmri"));
            let mut input = Input::default();
            let record = [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66];
            input.add(0x8b, &[1, 0, 0, 0, 0x10, 0, 0], &record);
            input.add_reader(0xc8, reader, &answer);
            assert_eq!(input.bytes, bytes(&vector, "tmi"));
            let committed = file.committed(&uid, &input).unwrap();
            assert_eq!((committed.counter, committed.value), (4, array(&vector, "tmv")));
        }
    }

    #[test]
    fn the_counter_has_an_end() {
        let mut file = file(&of_type("tmac").remove(0), [0; 16]);
        file.counter = u32::MAX;
        assert_eq!(file.committed(&[0; 7], &Input::default()), Err(Status::PERMISSION_DENIED));
    }
}
