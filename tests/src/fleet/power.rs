//! Disks: what a copy of one holds, and what one holds after the power went.
//!
//! What is modelled: a commit that returned has synced its log (`synchronous=FULL`), so everything before it is there. Of
//! what was written since, each sector of 512 bytes is there or not, whatever the order in which it was written. What is
//! not modelled: a disk that says it has synced and has not.
use std::fs;
use std::io;
use std::path::Path;

use cabas_agent::journal::keyfile::write_private;
use cabas_agent::journal::{FILE, KEY_FILE};
use fastrand::Rng;

/// What a disk writes as one.
const SECTOR_BYTES: usize = 512;
/// The journal's write-ahead log.
const LOG: &str = "journal.db-wal";
const INDEX: &str = "journal.db-shm";

/// What the disk of a terminal holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Disk {
    journal: Vec<u8>,
    log: Vec<u8>,
    keys: Vec<u8>,
}

impl Disk {
    /// Reads it.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub fn read(dir: &Path) -> io::Result<Self> {
        let log = dir.join(LOG);
        Ok(Self {
            journal: fs::read(dir.join(FILE))?,
            log: if log.exists() { fs::read(log)? } else { Vec::new() },
            keys: fs::read(dir.join(KEY_FILE))?,
        })
    }

    /// Puts it in the place of what is there; nobody may have the journal open.
    ///
    /// # Errors
    /// Where a file cannot be written.
    #[expect(
        clippy::disallowed_methods,
        reason = "a disk in a test: what is lost with the power is drawn, not left to chance"
    )]
    pub fn put(&self, dir: &Path) -> io::Result<()> {
        let index = dir.join(INDEX);
        if index.exists() {
            fs::remove_file(index)?;
        }
        fs::write(dir.join(FILE), &self.journal)?;
        fs::write(dir.join(LOG), &self.log)?;
        write_private(&dir.join(KEY_FILE), &self.keys).map_err(io::Error::other)
    }

    /// What is there where the power went while `after` was being made of this.
    #[must_use]
    pub fn cut_off(&self, after: &Self, sectors: u64) -> Self {
        let mut rng = Rng::with_seed(sectors);
        // All, nothing, or each sector for itself.
        let kept = match rng.u8(0..4) {
            0 => 0,
            1 => 100,
            _ => rng.u8(0..=100),
        };
        let mut mixed = |old: &[u8], new: &[u8]| {
            let mut mixed = new.to_vec();
            for (place, sector) in mixed.chunks_mut(SECTOR_BYTES).enumerate() {
                if rng.u8(0..100) >= kept {
                    let before = old.iter().skip(place.saturating_mul(SECTOR_BYTES)).chain(std::iter::repeat(&0));
                    sector.iter_mut().zip(before).for_each(|(byte, before)| *byte = *before);
                }
            }
            mixed
        };
        let (journal, log) = (mixed(&self.journal, &after.journal), mixed(&self.log, &after.log));
        Self { journal, log, keys: after.keys.clone() }
    }
}
