//! Commands about the card, its applications, keys and files, not about what is in the files.

use super::access::{Rights, Settings};
use super::card::Card;
use super::file::File;
use super::memory::{Application, KEYS_MAX, KeySlot};
use crate::virtual_card::ev2::crypto::{Key, crc32, xor};
use crate::virtual_card::ev2::fields::{Fields, size_bytes};
use crate::virtual_card::ev2::native::Native as _;
use crate::virtual_card::ev2::status::Status;
use std::collections::BTreeMap;

type Answer = Result<Vec<u8>, Status>;

const AES: u8 = 0b1000_0000;
const WITH_ISO_IDS: u8 = 0b0010_0000;
const WITH_THIRD_SETTINGS: u8 = 0b0001_0000;
const DONE: Vec<u8> = Vec::new();
/// In the option of ChangeFileSettings: a count of further sets of rights, and they, follow.
const MORE_RIGHTS: u8 = 0b1000_0000;
const MORE_RIGHTS_MAX: usize = 7;

impl Card {
    pub(super) fn select_application(&mut self, mut fields: Fields<'_>) -> Answer {
        let id = fields.u24()?;
        fields.end()?;
        if id != 0 && !self.memory.applications.contains_key(&id) {
            return Err(Status::APPLICATION_NOT_FOUND);
        }
        self.select((id != 0).then_some(id));
        Ok(DONE)
    }

    pub(super) fn free_memory(&self) -> Vec<u8> {
        size_bytes(self.memory.free_bytes()).to_vec()
    }

    pub(super) fn card_uid(&self, fields: Fields<'_>) -> Answer {
        fields.end()?;
        if self.session().is_none() {
            return Err(Status::AUTHENTICATION);
        }
        Ok(self.uid.to_vec())
    }

    pub(super) fn application_ids(&self, fields: Fields<'_>) -> Answer {
        fields.end()?;
        self.card_level()?;
        self.may_list()?;
        Ok(self.memory.applications.keys().flat_map(|id| id.to_le_bytes().into_iter().take(3)).collect())
    }

    pub(super) fn create_application(&mut self, mut fields: Fields<'_>) -> Answer {
        self.card_level()?;
        let (id, settings, keys) = (fields.u24()?, Settings(fields.byte()?), fields.byte()?);
        if !self.memory.settings.may_create_freely() {
            self.need_master()?;
        }
        // Neither key sets nor other extensions.
        if keys & WITH_THIRD_SETTINGS != 0 && fields.byte()? != 0 {
            return Err(Status::PARAMETER);
        }
        let with_iso_ids = keys & WITH_ISO_IDS != 0;
        // An ISO identifier of its own may be given; the card is never asked for it, so it is not kept.
        if with_iso_ids && !fields.0.is_empty() {
            fields.u16()?;
        }
        fields.end()?;
        let count = usize::from(keys & 0x0f);
        if id == 0 || keys & 0b1100_0000 != AES || !(1..=KEYS_MAX).contains(&count) {
            return Err(Status::PARAMETER);
        }
        let keys = vec![KeySlot::default(); count];
        self.memory.add(id, Application { settings, with_iso_ids, keys, files: BTreeMap::new() })?;
        Ok(DONE)
    }

    /// The card's master may delete any application, an application's master its own where the card allows it.
    pub(super) fn delete_application(&mut self, mut fields: Fields<'_>) -> Answer {
        let id = fields.u24()?;
        fields.end()?;
        if self.selected.is_some() && (self.selected != Some(id) || !self.memory.settings.may_create_freely()) {
            return Err(Status::PERMISSION_DENIED);
        }
        self.need_master()?;
        self.memory.applications.remove(&id).ok_or(Status::APPLICATION_NOT_FOUND)?;
        if self.selected == Some(id) {
            self.select(None);
        }
        Ok(DONE)
    }

    pub(super) fn format(&mut self, fields: Fields<'_>) -> Answer {
        fields.end()?;
        self.card_level()?;
        self.need_master()?;
        self.memory.applications.clear();
        Ok(DONE)
    }

    pub(super) fn key_settings(&self, fields: Fields<'_>) -> Answer {
        fields.end()?;
        self.may_list()?;
        let count = u8::try_from(self.keys()?.len()).map_err(|_| Status::PARAMETER)?;
        let iso = if self.selected.is_some() && self.application()?.with_iso_ids { WITH_ISO_IDS } else { 0 };
        Ok(vec![self.settings()?.0, AES | iso | count])
    }

    pub(super) fn change_key_settings(&mut self, mut fields: Fields<'_>) -> Answer {
        let settings = Settings(fields.byte()?);
        fields.end()?;
        self.need_master()?;
        if !self.settings()?.may_change() {
            return Err(Status::PERMISSION_DENIED);
        }
        match self.selected {
            None => self.memory.settings = settings,
            Some(_) => self.application_mut()?.settings = settings,
        }
        Ok(DONE)
    }

    pub(super) fn key_version(&self, mut fields: Fields<'_>) -> Answer {
        let key_no = fields.byte()?;
        fields.end()?;
        let slot = self.keys()?.get(usize::from(key_no)).ok_or(Status::NO_SUCH_KEY)?;
        Ok(vec![slot.version])
    }

    /// The own key comes as it is, another one XORed with what it replaces and with a checksum.
    pub(super) fn change_key(&mut self, mut fields: Fields<'_>) -> Answer {
        let authenticated = self.key_no().ok_or(Status::AUTHENTICATION)?;
        let number = fields.byte()?;
        // On the card's own level the number also says what kind of key follows.
        let number = if self.selected.is_none() { number ^ AES } else { number };
        let old = self.keys()?.get(usize::from(number)).ok_or(Status::NO_SUCH_KEY)?.key;
        self.settings()?.may_change_key(authenticated, number)?;
        let (sent, version): (Key, u8) = (fields.array()?, fields.byte()?);
        let is_own = authenticated == number;
        let key = if is_own { sent } else { xor(&sent, &old).try_into().map_err(|_| Status::LENGTH)? };
        let right = is_own || fields.array()? == crc32(&key);
        fields.end()?;
        if !right {
            return Err(Status::INTEGRITY);
        }
        let slot = match self.selected {
            None => &mut self.memory.master,
            Some(_) => self.application_mut()?.keys.get_mut(usize::from(number)).ok_or(Status::NO_SUCH_KEY)?,
        };
        *slot = KeySlot { key, version };
        if is_own {
            self.end_session();
        }
        Ok(DONE)
    }

    pub(super) fn create_file(&mut self, instruction: u8, mut fields: Fields<'_>) -> Answer {
        let id = self.selected.ok_or(Status::PERMISSION_DENIED)?;
        self.may_create()?;
        let number = fields.byte()?;
        let file = File::create(instruction, &mut fields, self.application()?.with_iso_ids)?;
        fields.end()?;
        self.memory.add_file(id, number, file)?;
        Ok(DONE)
    }

    pub(super) fn delete_file(&mut self, mut fields: Fields<'_>) -> Answer {
        let number = fields.byte()?;
        fields.end()?;
        self.application()?.file(number)?;
        self.may_create()?;
        self.application_mut()?.files.remove(&number);
        self.transaction.changes.remove(&number);
        Ok(DONE)
    }

    pub(super) fn file_ids(&self, fields: Fields<'_>) -> Answer {
        fields.end()?;
        self.may_list()?;
        Ok(self.application()?.files.keys().copied().collect())
    }

    pub(super) fn file_settings(&self, mut fields: Fields<'_>) -> Answer {
        let number = fields.byte()?;
        fields.end()?;
        let settings = self.application()?.file(number)?.settings();
        self.may_list()?;
        Ok(settings)
    }

    /// Whether it is granted was decided when it was opened.
    pub(super) fn change_file_settings(&mut self, mut fields: Fields<'_>) -> Answer {
        let (number, option, rights) = (fields.byte()?, fields.byte()?, Rights(fields.u16()?));
        let count = if option & MORE_RIGHTS == 0 { 0 } else { fields.byte()? };
        let more = (0..count).map(|_| fields.u16().map(Rights)).collect::<Result<Vec<_>, _>>()?;
        fields.end()?;
        let application = self.application_mut()?;
        let fits = |rights: &Rights| rights.fit(application.keys.len());
        if !fits(&rights) || !more.iter().all(fits) || more.len() > MORE_RIGHTS_MAX {
            return Err(Status::PARAMETER);
        }
        let file = application.files.get_mut(&number).ok_or(Status::FILE_NOT_FOUND)?;
        if let super::file::Contents::TransactionMac(mac) = &mut file.contents {
            if rights.write() != 0xf {
                return Err(Status::PARAMETER);
            }
            mac.names_readers = rights.read_write() != 0xf;
        }
        (file.option, file.rights, file.more_rights) = (option & !MORE_RIGHTS, rights, more);
        Ok(DONE)
    }

    fn settings(&self) -> Result<Settings, Status> {
        match self.selected {
            None => Ok(self.memory.settings),
            Some(_) => Ok(self.application()?.settings),
        }
    }

    fn card_level(&self) -> Result<(), Status> {
        if self.selected.is_none() { Ok(()) } else { Err(Status::PERMISSION_DENIED) }
    }

    fn need_master(&self) -> Result<(), Status> {
        if self.key_no() == Some(0) { Ok(()) } else { Err(Status::AUTHENTICATION) }
    }

    fn may_list(&self) -> Result<(), Status> {
        if self.settings()?.may_list_freely() { Ok(()) } else { self.need_master() }
    }

    fn may_create(&self) -> Result<(), Status> {
        if self.settings()?.may_create_freely() { Ok(()) } else { self.need_master() }
    }
}
