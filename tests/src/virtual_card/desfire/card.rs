//! The card: what it keeps, what it forgets, and how a frame becomes a command.

use super::access::{Grant, Rights, granted};
use super::file::{Contents, File};
use super::memory::{Application, KeySlot, Memory};
use super::transaction::Transaction;
use super::transaction_mac::MacForm;
use super::{Edition, version};
use crate::virtual_card::ev2::crypto::Key;
use crate::virtual_card::ev2::fields::Fields;
use crate::virtual_card::ev2::messaging::{CommMode, Session};
use crate::virtual_card::ev2::native::{Dialogue, Frame, Native};
use crate::virtual_card::ev2::pending::{Pending, frames};
use crate::virtual_card::ev2::random::Random;
use crate::virtual_card::ev2::status::Status;
use crate::virtual_card::tear::Silicon;

/// The name under which ISO SELECT finds the card itself.
const CARD_NAME: [u8; 7] = [0xd2, 0x76, 0, 0, 0x85, 1, 0];
/// What a frame of an answer holds where the answer may come in several.
const FRAME_BYTES: usize = 59;
/// What a short APDU's answer can hold.
const ANSWER_BYTES_MAX: usize = 256;

/// A card.
#[derive(Clone)]
pub(super) struct Card {
    pub(super) uid: [u8; 7],
    pub(super) edition: Edition,
    pub(super) mac_form: MacForm,
    // Kept without power.
    pub(super) memory: Memory,
    random: Random,
    // Lost with it.
    pub(super) selected: Option<u32>,
    pub(super) transaction: Transaction,
    pub(super) dialogue: Dialogue,
}

/// How a command travels.
struct Plan {
    /// How many of its first bytes are never encrypted.
    header: usize,
    mode: CommMode,
    /// How long its data are, where its header says so.
    data: Option<usize>,
}

impl Silicon for Card {
    fn uid(&self) -> &[u8] {
        &self.uid
    }

    fn reset(&mut self) {
        self.select(None);
    }

    fn answer(&mut self, apdu: &[u8]) -> Vec<u8> {
        self.answer_apdu(apdu)
    }
}

impl Native for Card {
    fn dialogue(&mut self) -> &mut Dialogue {
        &mut self.dialogue
    }

    fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// What was not committed never was.
    fn end_session(&mut self) {
        self.dialogue = Dialogue::default();
        self.transaction = Transaction::default();
    }

    fn select_name(&mut self, name: &[u8]) -> bool {
        if name == CARD_NAME {
            self.select(None);
        }
        name == CARD_NAME
    }

    fn key(&self, number: u8) -> Option<Key> {
        self.keys().ok()?.get(usize::from(number)).map(|slot| slot.key)
    }

    /// Runs a command as soon as all of it is there.
    fn command(&mut self, instruction: u8, bytes: Vec<u8>) -> Frame {
        let plan = self.plan(instruction, &bytes)?;
        let mode = if self.session().is_some() { plan.mode } else { CommMode::Plain };
        if let Some(data) = plan.data {
            let expected = mode.command_bytes(plan.header, data);
            // Only the older two of the four writing commands go on in another frame.
            if bytes.len() < expected && matches!(instruction, 0x3b | 0x3d) {
                self.dialogue.pending = Pending::Command { instruction, bytes };
                return Ok((Status::MORE, Vec::new()));
            }
            if bytes.len() != expected {
                return Err(Status::LENGTH);
            }
        }
        let parameters = match self.session() {
            // Its last command would run and could not be answered.
            Some(session) if session.commands == u16::MAX => return Err(Status::PERMISSION_DENIED),
            Some(session) => session.open(instruction, &bytes, plan.header, mode)?,
            None => bytes,
        };
        let answer = self.execute(instruction, &parameters)?;
        // A command may have ended the session: then nothing seals its answer.
        let answer = match &mut self.dialogue.session {
            Some(session) => session.seal(answer, mode)?,
            None => answer,
        };
        match instruction {
            0x60 => Ok(self.send(version::frames(&answer))),
            0xbd | 0xbb | 0x6a => Ok(self.send(frames(&answer, FRAME_BYTES))),
            _ if answer.len() > ANSWER_BYTES_MAX => Err(Status::LENGTH),
            _ => Ok((Status::OK, answer)),
        }
    }
}

impl Card {
    pub(super) fn new(uid: [u8; 7], edition: Edition, seed: u64) -> Self {
        Self {
            uid,
            edition,
            mac_form: MacForm::default(),
            memory: Memory::new(edition.memory_bytes()),
            random: Random::new(seed),
            selected: None,
            transaction: Transaction::default(),
            dialogue: Dialogue::default(),
        }
    }

    /// Selects an application, or the card itself.
    pub(super) fn select(&mut self, id: Option<u32>) {
        self.end_session();
        self.selected = id;
    }

    pub(super) fn session(&self) -> Option<&Session> {
        self.dialogue.session.as_ref()
    }

    pub(super) fn key_no(&self) -> Option<u8> {
        self.session().map(|session| session.key_no)
    }

    /// The selected application.
    pub(super) fn application(&self) -> Result<&Application, Status> {
        let id = self.selected.ok_or(Status::PERMISSION_DENIED)?;
        self.memory.applications.get(&id).ok_or(Status::APPLICATION_NOT_FOUND)
    }

    pub(super) fn application_mut(&mut self) -> Result<&mut Application, Status> {
        let id = self.selected.ok_or(Status::PERMISSION_DENIED)?;
        self.memory.applications.get_mut(&id).ok_or(Status::APPLICATION_NOT_FOUND)
    }

    /// The keys of what is selected.
    pub(super) fn keys(&self) -> Result<&[KeySlot], Status> {
        match self.selected {
            None => Ok(std::slice::from_ref(&self.memory.master)),
            Some(_) => self.application().map(|application| application.keys.as_slice()),
        }
    }

    fn plan(&self, instruction: u8, bytes: &[u8]) -> Result<Plan, Status> {
        let plan = |header: usize, mode: CommMode| Ok(Plan { header, mode, data: None });
        match instruction {
            0x5a => plan(0, CommMode::Plain),
            0x45 | 0x60 | 0x64 | 0x6a | 0x6e | 0x6f | 0xa7 | 0xc0 | 0xc1 | 0xc7 | 0xc8 | 0xca | 0xcb | 0xcc | 0xcd
            | 0xda | 0xdf | 0xf5 | 0xfc => plan(0, CommMode::Mac),
            0x51 | 0x54 => plan(0, CommMode::Full),
            0xc4 => plan(1, CommMode::Full),
            0xc6 => plan(2, CommMode::Full),
            0xce => plan(5, CommMode::Full),
            0x5f => {
                let file = self.application()?.file(Fields(bytes).byte()?)?;
                let free = granted(&[file.rights.change()], self.key_no())? == Grant::Free;
                plan(1, if free { CommMode::Plain } else { CommMode::Full })
            }
            0x0c | 0x1c | 0x6c | 0xdc | 0xeb => plan(1, self.file_mode(instruction, bytes)?),
            0xab | 0xad | 0xbb | 0xbd => plan(7, self.file_mode(instruction, bytes)?),
            0x3b | 0x3d | 0x8b | 0x8d => {
                let mode = self.file_mode(instruction, bytes)?;
                let mut fields = Fields(bytes);
                let (_number, _offset, length) = (fields.byte()?, fields.u24()?, fields.size()?);
                Ok(Plan { header: 7, mode, data: Some(length) })
            }
            _ => Err(Status::ILLEGAL_COMMAND),
        }
    }

    /// How a command on a file travels, where it is granted.
    fn file_mode(&self, instruction: u8, bytes: &[u8]) -> Result<CommMode, Status> {
        let file = self.application()?.file(Fields(bytes).byte()?)?;
        Ok(match self.grant(instruction, file)? {
            Grant::Key => file.mode(),
            Grant::Free => CommMode::Plain,
        })
    }

    /// Whether a command on a file is granted (AN12343 table 10).
    fn grant(&self, instruction: u8, file: &File) -> Result<Grant, Status> {
        let (read, write, both) = (file.all(Rights::read), file.all(Rights::write), file.all(Rights::read_write));
        let by = |rights: &[&[u8]]| granted(&rights.concat(), self.key_no());
        match (instruction, &file.contents) {
            // The other rights of this file are not about reading it.
            (0xad | 0xbd, Contents::TransactionMac(_)) => by(&[&read]),
            (0xad | 0xbd, Contents::Standard(_) | Contents::Backup(_)) => by(&[&read, &both]),
            (0xab | 0xbb, Contents::Records(_)) => by(&[&read, &both]),
            (0x3d | 0x8d, Contents::Standard(_) | Contents::Backup(_)) => by(&[&write, &both]),
            (0x3b | 0x8b, Contents::Records(_)) => by(&[&write, &both]),
            (0xeb, Contents::Records(_)) | (0x0c, Contents::Value(_)) => by(&[&both]),
            (0x6c, Contents::Value(value)) => match by(&[&read, &write, &both]) {
                Err(_) if value.get_value_is_free() => Ok(Grant::Free),
                other => other,
            },
            (0xdc, Contents::Value(_)) => by(&[&read, &write, &both]),
            (0x1c, Contents::Value(_)) => by(&[&write, &both]),
            _ => Err(Status::PERMISSION_DENIED),
        }
    }

    fn execute(&mut self, instruction: u8, parameters: &[u8]) -> Result<Vec<u8>, Status> {
        let mut fields = Fields(parameters);
        match instruction {
            0x5a => self.select_application(fields),
            0x60 => fields.end().map(|()| version::bytes(self.edition, self.uid)),
            0x6e => fields.end().map(|()| self.free_memory()),
            0x51 => self.card_uid(fields),
            0x6a => self.application_ids(fields),
            0xca => self.create_application(fields),
            0xda => self.delete_application(fields),
            0xfc => self.format(fields),
            0x45 => self.key_settings(fields),
            0x54 => self.change_key_settings(fields),
            0x64 => self.key_version(fields),
            0xc4 => self.change_key(fields),
            0xc6 if fields.byte()? == 0 => self.change_key(fields),
            0xc0 | 0xc1 | 0xcb | 0xcc | 0xcd | 0xce => self.create_file(instruction, fields),
            0xdf => self.delete_file(fields),
            0x6f => self.file_ids(fields),
            0xf5 => self.file_settings(fields),
            0x5f => self.change_file_settings(fields),
            0xad | 0xbd => self.read_data(instruction, fields),
            0x3d | 0x8d => self.write_data(instruction, fields),
            0x6c => self.get_value(instruction, fields),
            0x0c | 0x1c | 0xdc => self.change_value(instruction, fields),
            0xab | 0xbb => self.read_records(instruction, fields),
            0x3b | 0x8b => self.write_record(instruction, fields),
            0xeb => self.clear_records(instruction, fields),
            0xc8 => self.commit_reader_id(instruction, fields),
            0xc7 => self.commit(fields),
            0xa7 => self.abort(fields),
            _ => Err(Status::PARAMETER),
        }
    }
}
