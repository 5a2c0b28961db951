//! An NTAG 424 DNA made of software: AES authentication with five keys, and three files.
//!
//! What it is for: to be the card of a person where there is no purse, and to prove the EV2 messaging it shares with the
//! [`DesfireChip`](super::desfire::DesfireChip) against an independent host. Of secure dynamic messaging it has the
//! counter alone; it has no LRP, and its files cannot be reached by ISO file commands.

mod file;

use super::ev2::crypto::{Key, crc32, xor};
use super::ev2::fields::Fields;
use super::ev2::messaging::{CommMode, Session};
use super::ev2::native::{Dialogue, Frame, Native};
use super::ev2::random::Random;
use super::ev2::status::Status;
use super::tear::{Held, Silicon};
use super::{InField, Reaction, Tear};
use file::{FREE, TagFile};
use std::fmt;

const NAME: [u8; 7] = [0xd2, 0x76, 0, 0, 0x85, 1, 1];
const KEYS: usize = 5;
const PART_BYTES: usize = 7;

type Answer = Result<Vec<u8>, Status>;

/// A card. Its clones are the same card.
#[derive(Clone)]
pub struct Ntag424Chip(Held<Tag>);

impl fmt::Debug for Ntag424Chip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ntag424Chip").field("uid", &self.uid()).finish_non_exhaustive()
    }
}

impl Ntag424Chip {
    /// A card as it leaves the factory, its keys all zeros. The same seed gives the same challenges.
    #[must_use]
    pub fn new(uid: [u8; 7], seed: u64) -> Self {
        Self(Held::new(Tag::new(uid, seed)))
    }

    /// Another card with the same files and keys: what a clone is not.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self(self.0.apart())
    }

    /// Its UID.
    #[must_use]
    pub fn uid(&self) -> [u8; 7] {
        self.0.body().silicon.uid
    }

    /// Takes an APDU.
    pub fn react(&mut self, apdu: &[u8]) -> Reaction {
        self.0.react(apdu)
    }

    /// Takes the card out of the field and puts it back: it keeps its files and keys, and nothing else.
    pub fn power_off(&mut self) {
        self.0.reset();
    }

    /// Lets something go wrong, once, with the APDU of this number, counted anew from 1.
    pub fn tear_at(&mut self, number: usize, tear: Tear) {
        self.0.tear_at(number, tear);
    }

    /// How many APDUs came since something was last to go wrong.
    #[must_use]
    pub fn apdus(&self) -> usize {
        self.0.apdus()
    }

    /// Sets how often a file was read, where that is counted: what no chip does.
    pub fn set_reads(&mut self, file: u8, reads: u32) {
        let mut body = self.0.body();
        body.silicon.files.iter_mut().filter(|other| other.number == file).for_each(|file| file.set_reads(reads));
    }

    /// Looks into a file.
    #[must_use]
    pub fn data(&self, file: u8) -> Option<Vec<u8>> {
        self.0.body().silicon.files.iter().find(|other| other.number == file).map(|file| file.data.clone())
    }
}

impl InField for Ntag424Chip {
    fn reset(&mut self) {
        self.0.reset();
    }

    fn react(&mut self, apdu: &[u8]) -> Reaction {
        Self::react(self, apdu)
    }
}

#[derive(Clone)]
struct Tag {
    uid: [u8; 7],
    keys: [(Key, u8); KEYS],
    files: [TagFile; 3],
    random: Random,
    selected: bool,
    dialogue: Dialogue,
}

impl Silicon for Tag {
    fn uid(&self) -> &[u8] {
        &self.uid
    }

    fn reset(&mut self) {
        self.selected = false;
        self.end_session();
    }

    fn answer(&mut self, apdu: &[u8]) -> Vec<u8> {
        self.answer_apdu(apdu)
    }
}

impl Native for Tag {
    fn dialogue(&mut self) -> &mut Dialogue {
        &mut self.dialogue
    }

    fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    fn end_session(&mut self) {
        self.dialogue = Dialogue::default();
    }

    fn select_name(&mut self, name: &[u8]) -> bool {
        if name == NAME {
            self.end_session();
            self.selected = true;
        }
        name == NAME
    }

    /// The keys are the application's: before it is selected there are none.
    fn key(&self, number: u8) -> Option<Key> {
        self.keys.get(usize::from(number)).filter(|_| self.selected).map(|(key, _)| *key)
    }

    fn command(&mut self, instruction: u8, bytes: Vec<u8>) -> Frame {
        if !self.selected && instruction != 0x60 {
            return Err(Status::PERMISSION_DENIED);
        }
        let key_no = self.session().map(|session| session.key_no);
        let (header, mode) = match instruction {
            0x60 | 0x64 | 0xf5 => (0, CommMode::Mac),
            0x51 => (0, CommMode::Full),
            0xc4 => (1, CommMode::Full),
            0xad => {
                let file = self.file(Fields(&bytes).byte()?)?;
                (7, file.mode(&[file.read, file.both], key_no)?)
            }
            0x8d => {
                let file = self.file(Fields(&bytes).byte()?)?;
                (7, file.mode(&[file.write, file.both], key_no)?)
            }
            0x5f => {
                let file = self.file(Fields(&bytes).byte()?)?;
                let is_allowed = key_no.is_some_and(|key| file.change == key);
                (1, if is_allowed { CommMode::Full } else { return Err(Status::AUTHENTICATION) })
            }
            0xf6 => {
                // Who proved nothing is told nothing.
                key_no.ok_or(Status::AUTHENTICATION)?;
                (1, self.file(Fields(&bytes).byte()?)?.counter_mode(key_no)?)
            }
            _ => return Err(Status::ILLEGAL_COMMAND),
        };
        let parameters = match self.session() {
            Some(session) => session.open(instruction, &bytes, header, mode)?,
            None => bytes,
        };
        let fields = Fields(&parameters);
        let number = Fields(&parameters).byte();
        for file in &mut self.files {
            file.note(instruction == 0xad && number == Ok(file.number), key_no.is_some())?;
        }
        let answer = match instruction {
            0x60 => fields.end().map(|()| self.version()),
            0x64 => self.key_version(fields),
            0xf5 => self.file_settings(fields),
            0x51 => self.card_uid(fields),
            0xc4 => self.change_key(fields),
            0xad => self.read(fields),
            0x5f => self.change_file(fields),
            0xf6 => self.file_counter(fields),
            _ => self.write(fields),
        }?;
        let answer = match &mut self.dialogue.session {
            Some(session) => session.seal(answer, mode)?,
            None => answer,
        };
        if instruction == 0x60 {
            let (hardware, rest) = answer.split_at(PART_BYTES.min(answer.len()));
            let (software, production) = rest.split_at(PART_BYTES.min(rest.len()));
            return Ok(self.send([hardware, software, production].map(<[u8]>::to_vec).into()));
        }
        if answer.len() > 256 { Err(Status::LENGTH) } else { Ok((Status::OK, answer)) }
    }
}

impl Tag {
    /// Files and rights of the factory: the capability container, an NDEF file for all, and a file for who has a key.
    fn new(uid: [u8; 7], seed: u64) -> Self {
        Self {
            uid,
            keys: [([0; 16], 0); KEYS],
            files: [
                TagFile::new(1, 0, [FREE, 0, 0, 0], 32),
                TagFile::new(2, 0, [FREE, FREE, FREE, 0], 256),
                TagFile::new(3, 3, [2, 3, 3, 0], 128),
            ],
            random: Random::new(seed),
            selected: false,
            dialogue: Dialogue::default(),
        }
    }

    fn session(&self) -> Option<&Session> {
        self.dialogue.session.as_ref()
    }

    fn version(&self) -> Vec<u8> {
        let hardware = [0x04, 0x04, 0x02, 0x30, 0x00, 0x11, 0x05];
        let software = [0x04, 0x04, 0x02, 0x01, 0x02, 0x11, 0x05];
        [&hardware[..], &software, &self.uid, &[0xba, 0x5e, 0xba, 0x11, 0x00], &[0x48, 0x26]].concat()
    }

    fn file(&self, number: u8) -> Result<&TagFile, Status> {
        self.files.iter().find(|file| file.number == number).ok_or(Status::FILE_NOT_FOUND)
    }

    fn card_uid(&self, fields: Fields<'_>) -> Answer {
        fields.end()?;
        self.session().map(|_| self.uid.to_vec()).ok_or(Status::AUTHENTICATION)
    }

    fn key_version(&self, mut fields: Fields<'_>) -> Answer {
        let key_no = fields.byte()?;
        fields.end()?;
        self.keys.get(usize::from(key_no)).map(|(_, version)| vec![*version]).ok_or(Status::NO_SUCH_KEY)
    }

    fn file_settings(&self, mut fields: Fields<'_>) -> Answer {
        let number = fields.byte()?;
        fields.end()?;
        Ok(self.file(number)?.settings())
    }

    fn change_file(&mut self, mut fields: Fields<'_>) -> Answer {
        let number = fields.byte()?;
        let file = self.files.iter_mut().find(|file| file.number == number).ok_or(Status::FILE_NOT_FOUND)?;
        file.change(fields).map(|()| Vec::new())
    }

    fn file_counter(&self, mut fields: Fields<'_>) -> Answer {
        let number = fields.byte()?;
        fields.end()?;
        self.file(number)?.counter()
    }

    /// All keys are changed by key 0.
    fn change_key(&mut self, mut fields: Fields<'_>) -> Answer {
        let authenticated = self.session().map(|session| session.key_no);
        if authenticated != Some(0) {
            return Err(Status::AUTHENTICATION);
        }
        let number = fields.byte()?;
        let slot = self.keys.get_mut(usize::from(number)).ok_or(Status::NO_SUCH_KEY)?;
        let (sent, version): (Key, u8) = (fields.array()?, fields.byte()?);
        let key = if number == 0 { sent } else { xor(&sent, &slot.0).try_into().map_err(|_| Status::LENGTH)? };
        let right = number == 0 || fields.array()? == crc32(&key);
        fields.end()?;
        if !right {
            return Err(Status::INTEGRITY);
        }
        *slot = (key, version);
        if number == 0 {
            self.end_session();
        }
        Ok(Vec::new())
    }

    fn read(&self, mut fields: Fields<'_>) -> Answer {
        let (number, offset, length) = (fields.byte()?, fields.size()?, fields.size()?);
        fields.end()?;
        let rest = self.file(number)?.data.get(offset..).filter(|rest| !rest.is_empty()).ok_or(Status::BOUNDARY)?;
        let length = if length == 0 { rest.len() } else { length };
        rest.get(..length).map(<[u8]>::to_vec).ok_or(Status::BOUNDARY)
    }

    fn write(&mut self, mut fields: Fields<'_>) -> Answer {
        let (number, offset, length) = (fields.byte()?, fields.size()?, fields.size()?);
        let data = fields.rest();
        if data.len() != length || data.is_empty() {
            return Err(Status::LENGTH);
        }
        let file = self.files.iter_mut().find(|file| file.number == number).ok_or(Status::FILE_NOT_FOUND)?;
        let rest = file.data.get_mut(offset..).ok_or(Status::BOUNDARY)?;
        rest.get_mut(..length).ok_or(Status::BOUNDARY)?.copy_from_slice(data);
        Ok(Vec::new())
    }
}
