//! A second copy of the rows, on a medium that may be pulled out at any time: what a stall sold outlives its disk.
//!
//! Rows are brought there after they are in the journal, by a thread of their own that reads the file beside the one
//! that writes it: no sale waits for the medium. Rows hold pseudonyms and amounts, no key and no name, and each is signed:
//! the copy needs no secret to be read, and nothing in it can be changed unseen.

use super::handle::Published;
use super::load::load_identity;
use super::{Identity, JournalError, schema};
use cabas_protocol::chain::ChainHead;
use cabas_protocol::second::{self, Frame};
use cabas_protocol::{Hash, Row, Seq, Signed};
use rusqlite::{Connection, OptionalExtension as _};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, TrySendError};
use std::thread;
use std::time::Duration;
use tokio::sync::watch;

/// Rows that are written and synced together.
pub const ROWS_MAX: u32 = 256;
/// Damaged copies that are kept.
const DAMAGED_MAX: u8 = 9;
/// How often the medium is looked for where no row comes.
pub const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How the copy stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Second {
    /// Every row is there.
    InStep,
    /// Not looked at yet.
    Unknown,
    /// The folder is not there: the medium is pulled out.
    Absent,
    /// It takes no more.
    Full,
    /// It cannot be written: read-only, broken, pulled out while it was mounted.
    Failing,
    /// What lies there is no copy of this journal as it is, such as a longer one: nothing there is touched.
    Other,
}

impl Second {
    /// Its name in the local API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InStep => "in_step",
            Self::Unknown => "unknown",
            Self::Absent => "absent",
            Self::Full => "full",
            Self::Failing => "failing",
            Self::Other => "other",
        }
    }
}

/// Why rows did not get there.
#[derive(Debug, thiserror::Error)]
pub enum SecondError {
    /// The folder is not there.
    #[error("{} is not there", .0.display())]
    Absent(PathBuf),
    /// The medium failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The copy goes on where the journal does not.
    #[error("{} is no copy of this journal as it is", .0.display())]
    Other(PathBuf),
}

impl SecondError {
    fn seen(&self) -> Second {
        match self {
            Self::Absent(_) => Second::Absent,
            Self::Io(error) if error.kind() == io::ErrorKind::StorageFull => Second::Full,
            Self::Io(_) | Self::Journal(_) => Second::Failing,
            Self::Other(_) => Second::Other,
        }
    }
}

/// How far the copy goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Place {
    bytes: u64,
    chain: ChainHead,
}

/// The copy of one journal in a folder of the medium.
#[derive(Debug)]
pub struct Copy {
    folder: PathBuf,
    file: PathBuf,
    journal: Connection,
    id: Identity,
    /// As it was after the last rows; nothing where it is to be read anew.
    at: Option<Place>,
}

impl Copy {
    /// Reads whose journal it is; nothing is written yet.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn new(journal: &Path, folder: &Path) -> Result<Self, JournalError> {
        let journal = schema::open_read_only(journal)?;
        let (id, _) = load_identity(&journal)?;
        let name = format!("cabas-{}-{}-{}.rows", id.fund.get(), id.terminal.get(), id.epoch.get());
        Ok(Self { folder: folder.to_owned(), file: folder.join(name), journal, id, at: None })
    }

    /// Brings every row there that is not yet; each is on the medium when this returns.
    ///
    /// # Errors
    /// [`SecondError`]; what was brought stays, and the next call goes on from there.
    pub fn bring(&mut self) -> Result<(), SecondError> {
        let before = self.at.take();
        if !self.folder.is_dir() {
            return Err(SecondError::Absent(self.folder.clone()));
        }
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&self.file)?;
        let length = file.metadata()?.len();
        let known = before.filter(|place| place.bytes == length);
        let mut place = match known {
            Some(place) => place,
            None => self.settle(&mut file, length)?,
        };
        loop {
            let (bytes, chain) = self.rows_after(place.chain)?;
            if chain == place.chain {
                break;
            }
            file.seek(SeekFrom::Start(place.bytes))?;
            file.write_all(&bytes)?;
            file.sync_data()?;
            let more = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            place = Place { bytes: place.bytes.saturating_add(more), chain };
        }
        self.at = Some(place);
        Ok(())
    }

    /// Finds how far the copy goes, and makes it end there: behind its last whole row, or behind the head of a new file.
    fn settle(&self, file: &mut File, length: u64) -> Result<Place, SecondError> {
        let (place, torn) = self.scan(file)?;
        if torn > u64::from(u16::MAX) {
            // More than a torn row: it is kept for whoever wants to look, and a new copy is made.
            fs::rename(&self.file, self.aside())?;
            let fresh = OpenOptions::new().read(true).write(true).create_new(true).open(&self.file)?;
            *file = fresh;
            return self.begin(file);
        }
        if place.bytes == 0 {
            return self.begin(file);
        }
        if length > place.bytes {
            file.set_len(place.bytes)?;
            file.sync_data()?;
        }
        Ok(place)
    }

    /// Where a damaged copy is kept; the last name is used again once all of them are.
    fn aside(&self) -> PathBuf {
        let names = (1..=DAMAGED_MAX).map(|number| self.file.with_extension(format!("damaged-{number}")));
        names.clone().find(|name| !name.exists()).or_else(|| names.last()).unwrap_or_else(|| self.file.clone())
    }

    fn begin(&self, file: &mut File) -> Result<Place, SecondError> {
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(second::HEAD)?;
        file.sync_all()?;
        File::open(&self.folder)?.sync_all()?;
        let bytes = u64::try_from(second::HEAD.len()).unwrap_or(u64::MAX);
        Ok(Place { bytes, chain: self.id.genesis() })
    }

    /// Reads the copy from its beginning as far as it is a chain of this enrolment; and how much lies behind that.
    fn scan(&self, file: &mut File) -> Result<(Place, u64), SecondError> {
        let length = file.metadata()?.len();
        let mut from = BufReader::new(&*file);
        if !second::read_head(&mut from)? {
            // Nothing, or a part of the head; anything else is not ours to touch.
            let head_bytes = u64::try_from(second::HEAD.len()).unwrap_or(u64::MAX);
            if length > head_bytes {
                return Ok((Place { bytes: 0, chain: self.id.genesis() }, u64::MAX));
            }
            return Ok((Place { bytes: 0, chain: self.id.genesis() }, 0));
        }
        let mut place =
            Place { bytes: u64::try_from(second::HEAD.len()).unwrap_or(u64::MAX), chain: self.id.genesis() };
        loop {
            let frame = second::read(&mut from)?;
            let taken = u64::try_from(frame.length()).unwrap_or(u64::MAX);
            let Frame::Row(bytes) = frame else { break };
            let Some(chain) = self.next(place.chain, bytes)? else {
                // At the end it is a row that was torn off and filled up; rows behind it may be all that is left of them.
                let is_last = place.bytes.saturating_add(taken) >= length;
                return Ok((place, if is_last { length.saturating_sub(place.bytes) } else { u64::MAX }));
            };
            place = Place { bytes: place.bytes.saturating_add(taken), chain };
        }
        Ok((place, length.saturating_sub(place.bytes)))
    }

    /// The chain with one row more, where the journal has that row; nothing where it is no whole row of this enrolment. A
    /// row that was torn off may be filled up with anything and still be read, so only one that is signed counts as another.
    fn next(&self, chain: ChainHead, bytes: Vec<u8>) -> Result<Option<ChainHead>, SecondError> {
        let Ok(signed) = Signed::<Row>::from_bytes(bytes) else { return Ok(None) };
        let Ok(row) = signed.read_trusted(self.id.fund) else { return Ok(None) };
        let (row, hash) = (row.into_payload(), signed.hash());
        let fits = (row.terminal, row.epoch) == (self.id.terminal, self.id.epoch)
            && Some(row.seq) == chain.seq.next()
            && row.prev == chain.hash;
        if !fits {
            return Ok(None);
        }
        if self.hash_of(row.seq)? == Some(hash) {
            return Ok(Some(ChainHead { seq: row.seq, hash }));
        }
        match signed.verify(&self.id.key, self.id.fund) {
            Ok(_) => Err(SecondError::Other(self.file.clone())),
            Err(_) => Ok(None),
        }
    }

    fn hash_of(&self, seq: Seq) -> Result<Option<Hash>, JournalError> {
        let read = |row: &rusqlite::Row<'_>| row.get::<_, [u8; 32]>(0);
        let mut select = self.journal.prepare_cached("SELECT hash FROM rows WHERE seq = ?1")?;
        let found = select.query_row([seq.get()], read).optional()?;
        Ok(found.map(Hash::new))
    }

    /// The next rows as they stand in the copy, and the chain behind them.
    fn rows_after(&self, chain: ChainHead) -> Result<(Vec<u8>, ChainHead), SecondError> {
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, u32>(0)?, row.get::<_, [u8; 32]>(1)?, row.get(2)?));
        let sql = "SELECT seq, hash, bytes FROM rows WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        let mut select = self.journal.prepare_cached(sql).map_err(JournalError::from)?;
        let (mut bytes, mut newest) = (Vec::new(), chain);
        let rows = select.query_map((chain.seq.get(), ROWS_MAX), read).map_err(JournalError::from)?;
        for row in rows {
            let (seq, hash, row): (u32, [u8; 32], Vec<u8>) = row.map_err(JournalError::from)?;
            if !second::put(&row, &mut bytes) {
                return Err(JournalError::Inconsistent("a row is longer than a row can be").into());
            }
            newest = ChainHead { seq: Seq::new(seq), hash: Hash::new(hash) };
        }
        Ok((bytes, newest))
    }
}

/// Starts bringing rows there, for as long as the journal lives. The thread is never waited for: a medium that hangs keeps
/// nobody from ending.
///
/// # Errors
/// An [`io::Error`] where the system gives no thread.
pub fn start(mut copy: Copy, mut journal: watch::Receiver<Published>) -> io::Result<watch::Receiver<Second>> {
    let (tell, seen) = watch::channel(Second::Unknown);
    // One ring is enough: it says that there is something, not what.
    let (bell, rung) = mpsc::sync_channel::<()>(1);
    tokio::spawn(async move {
        while journal.changed().await.is_ok() {
            match bell.try_send(()) {
                Ok(()) | Err(TrySendError::Full(())) => {}
                Err(TrySendError::Disconnected(())) => return,
            }
        }
    });
    let work = move || {
        loop {
            let now = brought(&mut copy, *tell.borrow());
            tell.send_if_modified(|seen| std::mem::replace(seen, now) != now);
            match rung.recv_timeout(LOOK_EVERY) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    };
    thread::Builder::new().name(String::from("cabas-second")).spawn(work)?;
    Ok(seen)
}

/// One round; a change is logged once.
fn brought(copy: &mut Copy, before: Second) -> Second {
    match copy.bring() {
        Ok(()) => {
            if before != Second::InStep {
                tracing::info!("the second copy of the journal has every row");
            }
            Second::InStep
        }
        Err(error) => {
            let now = error.seen();
            if now != before {
                tracing::warn!(%error, "the second copy of the journal falls behind; it is tried again");
            }
            now
        }
    }
}

#[cfg(test)]
#[path = "second_tests.rs"]
mod tests;
