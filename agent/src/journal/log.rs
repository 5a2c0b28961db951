//! Looks whether the write-ahead log was damaged since it was written. SQLite reads it up to the first frame whose sum does
//! not hold and takes no note of what is behind: after a power cut that is a commit that was never acknowledged, and at
//! most one. More than that, or a head that does not hold, is damage, and acknowledged rows would be gone without a word.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::JournalError;

/// The head of a log and of each frame in it (<https://sqlite.org/fileformat2.html#walformat>).
const HEAD: usize = 32;
const FRAME: usize = 24;
/// The magic number; its last bit says how the sums read words.
const MAGIC: u32 = 0x377f_0682;
/// Largest page of a database.
const PAGE_MAX: u32 = 65_536;
/// Commits behind the last whole one that a power cut can leave.
const TORN_MAX: u64 = 1;

/// How often a log in use is looked at before it counts as damaged, and how long in between.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(50);

/// The log of a database.
pub(super) fn path_of(journal: &Path) -> PathBuf {
    let mut log = journal.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

/// Fails where commits stand in the log that cannot be read any more. Reads it only.
///
/// # Errors
/// [`JournalError::DamagedLog`], or the file cannot be read.
pub(super) fn check(journal: &Path) -> Result<(), JournalError> {
    let log = path_of(journal);
    match unreadable(&log) {
        Ok(commits) if commits <= TORN_MAX => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Ok(_) => Err(JournalError::DamagedLog { log, source: None }),
        Err(source) => Err(JournalError::DamagedLog { log, source: Some(source) }),
    }
}

/// The same where a running agent may write at the same time: damage stays, what is half written does not.
///
/// # Errors
/// As [`check`].
pub(super) fn check_in_use(journal: &Path) -> Result<(), JournalError> {
    for _ in 1..TRIES {
        match check(journal) {
            Err(JournalError::DamagedLog { .. }) => std::thread::sleep(PAUSE),
            done => return done,
        }
    }
    check(journal)
}

/// The sum over words in pairs.
#[derive(Clone, Copy)]
struct Sum {
    is_big_endian: bool,
    sums: [u32; 2],
}

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        let word =
            |bytes: [u8; 4]| if self.is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
        let [mut first, mut second] = self.sums;
        for pair in bytes.as_chunks::<8>().0 {
            let [a, b, c, d, e, f, g, h] = *pair;
            first = first.wrapping_add(word([a, b, c, d])).wrapping_add(second);
            second = second.wrapping_add(word([e, f, g, h])).wrapping_add(first);
        }
        self.sums = [first, second];
    }
}

/// The big-endian words of a head.
fn words<const N: usize>(head: &[u8]) -> [u32; N] {
    let mut words = [0; N];
    for (word, bytes) in words.iter_mut().zip(head.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    words
}

/// How many commits stand in the log behind the last frame whose sum holds.
pub(super) fn unreadable(log: &Path) -> io::Result<u64> {
    let file = File::open(log)?;
    let size = file.metadata()?.len();
    let (mut file, mut head) = (BufReader::new(file), [0; HEAD]);
    if size <= u64::try_from(HEAD).unwrap_or(u64::MAX) {
        return Ok(0);
    }
    file.read_exact(&mut head)?;
    let [magic, _, page, _, salt, salt_more, first, second] = words(&head);
    let mut sum = Sum { is_big_endian: magic & 1 == 1, sums: [0; 2] };
    sum.add(head.get(..FRAME).unwrap_or(&[]));
    if magic & !1 != MAGIC || sum.sums != [first, second] || page > PAGE_MAX {
        return Ok(u64::MAX);
    }
    let mut frame = [0; FRAME];
    let mut contents = vec![0; usize::try_from(page).unwrap_or(0)];
    let (mut holds, mut commits) = (true, 0_u64);
    loop {
        let read = file.read_exact(&mut frame).and_then(|()| file.read_exact(&mut contents));
        match read {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(commits),
            read => read?,
        }
        let [_, pages, its_salt, its_salt_more, first, second] = words(&frame);
        let is_of_now = [its_salt, its_salt_more] == [salt, salt_more];
        sum.add(frame.get(..8).unwrap_or(&[]));
        sum.add(&contents);
        holds = holds && is_of_now && sum.sums == [first, second];
        if !holds && is_of_now && pages != 0 {
            commits = commits.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]
    use super::*;

    #[test]
    fn a_log_is_whole_torn_at_its_end_or_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("own.db");
        check(&path).unwrap();
        let db = rusqlite::Connection::open(&path).unwrap();
        db.execute_batch(
            "PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)",
        )
        .unwrap();
        check(&path).unwrap();
        let whole = std::fs::read(path_of(&path)).unwrap();
        let damage = |at: usize| {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            let copy = dir.path().join("copy.db");
            io::Write::write_all(&mut File::create(path_of(&copy)).unwrap(), &bytes).unwrap();
            check(&copy)
        };
        for at in 0..HEAD {
            assert!(matches!(damage(at), Err(JournalError::DamagedLog { .. })), "byte {at} of the head");
        }
        assert!(damage(HEAD + FRAME + 1).is_err(), "the first of several commits");
        damage(whole.len() - 1).unwrap();
    }
}
