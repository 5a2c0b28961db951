//! Copies that can be relied on.

use cabas_protocol::Seq;

use super::world::{NOW, World};
use crate::core::card_proof::NoWitness;
use crate::store::{Db, OpenMode, StoreError};

#[test]
fn rows_count_as_backed_up_only_after_a_completed_copy() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    terminal.start();
    assert_eq!(world.sync(&mut terminal).backed_up, Seq::NONE);
    let path = world.folder.path().join("copy.db");
    let report = world.db.backup(&path, NOW).unwrap();
    assert_eq!(report.epochs_marked, 1);
    assert!(report.bytes > 4096);
    terminal.sale(1, 100, 100, 1);
    let outcome = world.sync(&mut terminal);
    assert_eq!((outcome.acked.seq, outcome.backed_up), (Seq::new(2), Seq::new(1)));
    let mut copy = Db::open(&path, OpenMode::Existing).unwrap();
    assert_eq!(copy.verify(&NoWitness).unwrap().findings, []);
    assert_eq!(copy.read(|tx| tx.terminal_key(terminal.id, terminal.epoch)).unwrap().acked.seq, Seq::new(1));
    world.audit();
}

#[test]
fn a_backup_is_one_file_and_never_writes_over_another() {
    let mut world = World::credited();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.db");
    world.db.backup(&path, NOW).unwrap();
    let names = || {
        let mut names: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(), ["copy.db"]);
    assert!(matches!(world.db.backup(&path, NOW).unwrap_err(), StoreError::BackupExists));
}

#[test]
fn a_backup_that_cannot_be_written_marks_nothing() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    terminal.start();
    world.sync(&mut terminal);
    let missing = world.folder.path().join("no such folder").join("copy.db");
    assert!(matches!(world.db.backup(&missing, NOW).unwrap_err(), StoreError::Io(_)));
    assert_eq!(world.number::<i64>("SELECT max(backed_up_seq) FROM epochs"), 0);
}

#[test]
fn a_copy_that_was_cut_off_is_no_backup() {
    let mut world = World::credited();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.db");
    // What a power cut in the middle of an earlier backup leaves.
    let left_over = folder.path().join("copy.db.unfinished");
    std::fs::copy(world.path(), &left_over).unwrap();
    world.db.backup(&path, NOW).unwrap();
    assert!(!left_over.exists());
    assert_eq!(Db::open(&path, OpenMode::Existing).unwrap().verify(&NoWitness).unwrap().findings, []);
}

#[test]
fn a_copy_that_does_not_read_well_is_no_backup() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    terminal.start();
    world.sync(&mut terminal);
    // An index that does not agree with its table: it is copied as it is, and found when the copy is read.
    world.tamper(
        "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = 'CREATE INDEX cards_by_change ON cards (tier)' WHERE name = 'cards_by_change'",
    );
    let folder = tempfile::tempdir().unwrap();
    let error = world.db.backup(&folder.path().join("copy.db"), NOW).unwrap_err();
    assert!(matches!(error, StoreError::BadCopy(_)), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left that looks like a backup");
    assert_eq!(world.number::<i64>("SELECT max(backed_up_seq) FROM epochs"), 0);
}

#[test]
fn a_backup_runs_beside_a_writer() {
    let mut world = World::credited();
    let path = world.path();
    let copy = world.folder.path().join("copy.db");
    let mut beside = Db::open(&path, OpenMode::Existing).unwrap();
    beside.backup(&copy, NOW).unwrap();
    world.credit("2026-12");
    assert_eq!(Db::open(&copy, OpenMode::Existing).unwrap().verify(&NoWitness).unwrap().findings, []);
    world.audit();
}
