//! The second copy has every row, whatever becomes of the medium, and a sale never needs it.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a failed unwrap is the test's failure"
)]
use super::*;
use crate::fixture::{Fund, ask, moment};
use crate::journal::{FILE, Journal};
use std::os::unix::fs::PermissionsExt as _;

struct Stall {
    data: tempfile::TempDir,
    stick: tempfile::TempDir,
    journal: Journal,
    sold: u64,
}

impl Stall {
    fn new() -> Self {
        let (data, stick) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let journal = Fund::default().ready(data.path(), 1_000_000);
        Self { data, stick, journal, sold: 0 }
    }

    fn sell(&mut self, times: u64) {
        for _ in 0..times {
            self.sold += 1;
            self.journal.sell(moment(1, 5 + self.sold), &ask(self.sold, 1, 100)).unwrap();
        }
    }

    fn copy(&self) -> Copy {
        Copy::new(&self.data.path().join(FILE), self.stick.path()).unwrap()
    }

    fn file(&self) -> PathBuf {
        self.stick.path().join("cabas-69-7-1.rows")
    }

    fn rows(&self) -> u32 {
        self.journal.state().newest.chain.seq.get()
    }

    /// How many whole rows the copy has, each compared with the journal's own.
    fn copied(&self) -> u32 {
        let bytes = fs::read(self.file()).unwrap();
        let mut from = bytes.as_slice();
        assert!(second::read_head(&mut from).unwrap());
        let mut count = 0;
        while let Frame::Row(row) = second::read(&mut from).unwrap() {
            count += 1;
            let own: Vec<u8> =
                self.journal.db.query_row("SELECT bytes FROM rows WHERE seq = ?1", [count], |row| row.get(0)).unwrap();
            assert_eq!(row, own, "row {count}");
        }
        count
    }
}

fn put(file: &Path, bytes: &[u8]) {
    File::create(file).unwrap().write_all(bytes).unwrap();
}

#[test]
fn every_row_is_on_the_medium_and_an_absent_one_catches_up_when_it_is_back() {
    let mut stall = Stall::new();
    stall.sell(2);
    let mut copy = stall.copy();
    copy.bring().unwrap();
    assert_eq!(stall.copied(), stall.rows());
    // Pulled out: sales go on, and the journal's folder gets nothing of it.
    let (here, away) = (stall.stick.path().to_owned(), stall.data.path().join("away"));
    fs::rename(&here, &away).unwrap();
    stall.sell(u64::from(ROWS_MAX) + 3);
    assert_eq!(copy.bring().unwrap_err().seen(), Second::Absent);
    assert!(!here.exists());
    fs::rename(&away, &here).unwrap();
    copy.bring().unwrap();
    assert_eq!(stall.copied(), stall.rows());
}

#[test]
fn a_copy_that_was_cut_off_at_any_byte_is_whole_again() {
    let mut stall = Stall::new();
    stall.sell(1);
    stall.copy().bring().unwrap();
    let before = fs::read(stall.file()).unwrap();
    stall.sell(1);
    stall.copy().bring().unwrap();
    let whole = fs::read(stall.file()).unwrap();
    assert!(whole.starts_with(&before) && whole.len() > before.len());
    let from_the_head = (0..=second::HEAD.len()).chain(before.len()..whole.len());
    for length in from_the_head {
        put(&stall.file(), &whole[..length]);
        stall.copy().bring().unwrap();
        assert_eq!(fs::read(stall.file()).unwrap(), whole, "{length}");
        // As a file system leaves it that had grown the file and not yet written it.
        let mut zeroes = whole[..length].to_vec();
        zeroes.resize(whole.len() + 4096, 0);
        put(&stall.file(), &zeroes);
        stall.copy().bring().unwrap();
        assert_eq!(stall.copied(), stall.rows(), "{length}");
    }
}

#[test]
fn a_bit_that_flipped_far_from_the_end_is_kept_aside_and_a_new_copy_made() {
    let mut stall = Stall::new();
    stall.sell(400);
    stall.copy().bring().unwrap();
    let mut bytes = fs::read(stall.file()).unwrap();
    bytes[200] ^= 1;
    put(&stall.file(), &bytes);
    stall.copy().bring().unwrap();
    assert_eq!(stall.copied(), stall.rows());
    assert_eq!(fs::read(stall.file().with_extension("damaged-1")).unwrap(), bytes);
}

#[test]
fn a_copy_that_knows_more_than_the_journal_is_never_touched() {
    let mut stall = Stall::new();
    stall.sell(3);
    // The disk is put back as it was: its journal has forgotten what was sold.
    let old = tempfile::tempdir().unwrap();
    Fund::default().ready(old.path(), 1_000_000);
    stall.copy().bring().unwrap();
    let longer = fs::read(stall.file()).unwrap();
    let mut forgetful = Copy::new(&old.path().join(FILE), stall.stick.path()).unwrap();
    assert_eq!(forgetful.bring().unwrap_err().seen(), Second::Other);
    assert_eq!(fs::read(stall.file()).unwrap(), longer);
}

#[test]
fn sticks_of_several_terminals_lie_beside_each_other() {
    let mut stall = Stall::new();
    stall.sell(1);
    let other = tempfile::tempdir().unwrap();
    let fund = Fund { terminal: cabas_protocol::TerminalId::new(8), ..Fund::default() };
    fund.ready(other.path(), 1_000_000);
    Copy::new(&other.path().join(FILE), stall.stick.path()).unwrap().bring().unwrap();
    stall.copy().bring().unwrap();
    assert_eq!(stall.copied(), stall.rows());
    assert!(stall.stick.path().join("cabas-69-8-1.rows").exists());
}

#[test]
fn a_medium_that_takes_nothing_is_told_and_caught_up_with() {
    let mut stall = Stall::new();
    let mut copy = stall.copy();
    copy.bring().unwrap();
    // Root may write where nobody may: a file that is a folder cannot be written by anybody.
    let whole = fs::read(stall.file()).unwrap();
    fs::remove_file(stall.file()).unwrap();
    fs::create_dir(stall.file()).unwrap();
    stall.sell(1);
    assert_eq!(copy.bring().unwrap_err().seen(), Second::Failing);
    fs::remove_dir(stall.file()).unwrap();
    put(&stall.file(), &whole);
    copy.bring().unwrap();
    assert_eq!(stall.copied(), stall.rows());
    let full = SecondError::Io(io::Error::from_raw_os_error(28));
    assert_eq!(full.seen(), Second::Full);
}

#[test]
fn nothing_on_the_medium_is_a_secret() {
    let mut stall = Stall::new();
    stall.sell(2);
    stall.copy().bring().unwrap();
    let bytes = fs::read(stall.file()).unwrap();
    let fund = Fund::default();
    for secret in [&fund.terminal_seed[..], &crate::fixture::CARD_KEY, &crate::fixture::RECORD_KEY] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    }
    assert_eq!(fs::metadata(stall.file()).unwrap().permissions().mode() & 0o7111, 0);
}

#[tokio::test]
async fn rows_follow_by_themselves() {
    let stall = Stall::new();
    let copy = stall.copy();
    let Stall { journal, stick, data: _data, .. } = stall;
    let (handle, thread) = crate::journal::handle::start(journal).unwrap();
    let mut seen = start(copy, handle.watch()).unwrap();
    seen.wait_for(|seen| *seen == Second::InStep).await.unwrap();
    let file = stick.path().join("cabas-69-7-1.rows");
    let before = fs::metadata(&file).unwrap().len();
    handle.customer(|journal| journal.sell(moment(1, 9), &ask(1, 1, 100))).await.unwrap();
    let grown = async {
        while fs::metadata(&file).unwrap().len() == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), grown).await.unwrap();
    drop(handle);
    thread.finish();
}
