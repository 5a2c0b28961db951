//! A MIFARE DESFire EV2 made of software: files, atomic transactions, transaction MACs and EV2 secure messaging.
//!
//! What it is for: to be the card of a purse in tests, in process or in a virtual reader, torn away at any APDU. It is
//! written from NXP's public documents alone (AN12343, AN12196, data sheet MF2DL(H)x0), because no real card was at hand:
//! it proves that a host agrees with these documents, not with silicon.
//!
//! Where it differs from a card out of the factory: the card's own master key is an AES key (a real one must first be
//! changed from 2TDEA), there is neither D40, EV1 nor LRP messaging, no second application, no key sets, no delegated
//! applications, no ISO file commands, no originality keys, and how much memory an application takes is a guess.
//!
//! Every status but 00 and AF ends the session and the transaction, "no changes" (0C) too. Which status a refusal has
//! where the documents leave it open is a guess: 9D where no key would help, AE where another key would. Within a
//! session each command counts, also one in plain. A first authentication aborts the transaction, a further one
//! (NonFirst) goes on with it.
//!
//! Data that are read with 0xBD and 0xBB come in frames of 59 bytes with status 0xAF between them, as from silicon; 0xAD
//! and 0xAB answer in one APDU or not at all.

mod access;
mod card;
mod data;
mod file;
mod management;
mod memory;
#[cfg(test)]
mod tests;
mod transaction;
mod transaction_mac;
mod version;

use self::card::Card;
use self::file::{Contents, File};
pub use self::transaction_mac::MacForm;
use super::tear::Held;
use super::{InField, Reaction, Tear};
use std::fmt;

/// Which card: they differ by their memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Edition {
    /// 2 KiB.
    Ev2K2,
    /// 4 KiB.
    Ev2K4,
}

impl Edition {
    fn memory_bytes(self) -> usize {
        match self {
            Self::Ev2K2 => 2048,
            Self::Ev2K4 => 4096,
        }
    }

    /// Twice the exponent of two.
    fn size_byte(self) -> u8 {
        match self {
            Self::Ev2K2 => 0x16,
            Self::Ev2K4 => 0x18,
        }
    }
}

/// A card. Its clones are the same card: one may lie in a reader while another is looked into.
#[derive(Clone)]
pub struct DesfireChip(Held<Card>);

impl fmt::Debug for DesfireChip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DesfireChip").field("uid", &self.uid()).finish_non_exhaustive()
    }
}

impl DesfireChip {
    /// An empty card with a master key of zeros. The same seed gives the same challenges.
    #[must_use]
    pub fn new(uid: [u8; 7], edition: Edition, seed: u64) -> Self {
        Self(Held::new(Card::new(uid, edition, seed)))
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

    /// Sums transactions up in another form from here on.
    pub fn sum_up(&self, form: MacForm) {
        self.0.body().silicon.mac_form = form;
    }

    /// Takes an APDU.
    pub fn react(&mut self, apdu: &[u8]) -> Reaction {
        self.0.react(apdu)
    }

    /// Takes the card out of the field and puts it back: it keeps its files and keys, and nothing else.
    pub fn power_off(&mut self) {
        self.0.reset();
    }

    /// Lets something go wrong, once, with the APDU of this number, counted anew from 1. The reader's own command "give
    /// the UID" is not counted.
    pub fn tear_at(&mut self, number: usize, tear: Tear) {
        self.0.tear_at(number, tear);
    }

    /// How many APDUs came since the last `tear_at`, or since the card was made.
    #[must_use]
    pub fn apdus(&self) -> usize {
        self.0.apdus()
    }

    /// Looks into a value file.
    #[must_use]
    pub fn value(&self, application: u32, file: u8) -> Option<i32> {
        self.look(application, file, |file| match &file.contents {
            Contents::Value(value) => Some(value.value),
            Contents::Standard(_) | Contents::Backup(_) | Contents::Records(_) | Contents::TransactionMac(_) => None,
        })
    }

    /// Writes into a data file, as one who has a slot's key could.
    pub fn deface(&self, application: u32, file: u8, bytes: &[u8]) {
        let mut body = self.0.body();
        let of = body.silicon.memory.applications.get_mut(&application).and_then(|all| all.files.get_mut(&file));
        if let Some(Contents::Standard(data) | Contents::Backup(data)) = of.map(|file| &mut file.contents) {
            data.clear();
            data.extend_from_slice(bytes);
        }
    }

    /// Looks into a data file, of either kind.
    #[must_use]
    pub fn data(&self, application: u32, file: u8) -> Option<Vec<u8>> {
        self.look(application, file, |file| match &file.contents {
            Contents::Standard(data) | Contents::Backup(data) => Some(data.clone()),
            Contents::Value(_) | Contents::Records(_) | Contents::TransactionMac(_) => None,
        })
    }

    /// Looks into a record file; the oldest record comes first.
    #[must_use]
    pub fn records(&self, application: u32, file: u8) -> Option<Vec<Vec<u8>>> {
        self.look(application, file, |file| match &file.contents {
            Contents::Records(file) => Some(file.records.iter().cloned().collect()),
            Contents::Standard(_) | Contents::Backup(_) | Contents::Value(_) | Contents::TransactionMac(_) => None,
        })
    }

    /// The counter and the value of the last transaction MAC.
    #[must_use]
    pub fn transaction_mac(&self, application: u32) -> Option<(u32, [u8; 8])> {
        let body = self.0.body();
        let file = body.silicon.memory.applications.get(&application)?.transaction_mac()?;
        Some((file.counter, file.value))
    }

    fn look<T>(&self, application: u32, file: u8, take: impl FnOnce(&File) -> Option<T>) -> Option<T> {
        take(self.0.body().silicon.memory.applications.get(&application)?.files.get(&file)?)
    }
}

impl InField for DesfireChip {
    fn reset(&mut self) {
        self.0.reset();
    }

    fn react(&mut self, apdu: &[u8]) -> Reaction {
        Self::react(self, apdu)
    }
}
