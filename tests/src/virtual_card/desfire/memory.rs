//! What the card keeps without power: its keys, its applications, their keys and files.

use super::access::Settings;
use super::file::{Contents, File};
use super::transaction_mac::TransactionMacFile;
use crate::virtual_card::ev2::crypto::Key;
use crate::virtual_card::ev2::status::Status;
use std::collections::BTreeMap;

pub(super) const APPLICATIONS_MAX: usize = 28;
pub(super) const KEYS_MAX: usize = 14;
const FILES: u8 = 32;
const APPLICATION_BYTES: usize = 64;
const KEY_BYTES: usize = 32;

/// A key and its version.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct KeySlot {
    pub(super) key: Key,
    pub(super) version: u8,
}

/// The whole memory.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    pub(super) bytes_max: usize,
    pub(super) master: KeySlot,
    pub(super) settings: Settings,
    pub(super) applications: BTreeMap<u32, Application>,
}

/// An application.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Application {
    pub(super) settings: Settings,
    /// Whether its files may have ISO identifiers.
    pub(super) with_iso_ids: bool,
    pub(super) keys: Vec<KeySlot>,
    pub(super) files: BTreeMap<u8, File>,
}

impl Memory {
    pub(super) fn new(bytes_max: usize) -> Self {
        let master = KeySlot::default();
        Self { bytes_max, master, settings: Settings::FACTORY, applications: BTreeMap::new() }
    }

    pub(super) fn free_bytes(&self) -> usize {
        let used: usize = self.applications.values().map(Application::memory_bytes).sum();
        self.bytes_max.saturating_sub(used)
    }

    pub(super) fn add(&mut self, id: u32, application: Application) -> Result<(), Status> {
        if self.applications.contains_key(&id) {
            return Err(Status::DUPLICATE);
        }
        if self.applications.len() >= APPLICATIONS_MAX {
            return Err(Status::TOO_MANY_APPLICATIONS);
        }
        if application.memory_bytes() > self.free_bytes() {
            return Err(Status::OUT_OF_MEMORY);
        }
        self.applications.insert(id, application);
        Ok(())
    }

    /// Adds a file to an application.
    pub(super) fn add_file(&mut self, id: u32, number: u8, file: File) -> Result<(), Status> {
        let free_bytes = self.free_bytes();
        let application = self.applications.get_mut(&id).ok_or(Status::APPLICATION_NOT_FOUND)?;
        if number >= FILES || !file.rights.fit(application.keys.len()) {
            return Err(Status::PARAMETER);
        }
        let is_mac = matches!(file.contents, Contents::TransactionMac(_));
        if application.files.contains_key(&number) || (is_mac && application.transaction_mac().is_some()) {
            return Err(Status::DUPLICATE);
        }
        if file.iso_id.is_some() && application.files.values().any(|other| other.iso_id == file.iso_id) {
            return Err(Status::DUPLICATE);
        }
        if file.memory_bytes() > free_bytes {
            return Err(Status::OUT_OF_MEMORY);
        }
        application.files.insert(number, file);
        Ok(())
    }
}

impl Application {
    fn memory_bytes(&self) -> usize {
        let files: usize = self.files.values().map(File::memory_bytes).sum();
        APPLICATION_BYTES.saturating_add(self.keys.len().saturating_mul(KEY_BYTES)).saturating_add(files)
    }

    pub(super) fn file(&self, number: u8) -> Result<&File, Status> {
        self.files.get(&number).ok_or(Status::FILE_NOT_FOUND)
    }

    /// Its transaction MAC file, where it has one.
    pub(super) fn transaction_mac(&self) -> Option<&TransactionMacFile> {
        self.files.values().find_map(|file| match &file.contents {
            Contents::TransactionMac(file) => Some(file),
            Contents::Standard(_) | Contents::Backup(_) | Contents::Value(_) | Contents::Records(_) => None,
        })
    }
}
