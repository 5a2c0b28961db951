//! Codes, keys, epochs.

use cabas_protocol::sync::Standing;
use cabas_protocol::{Epoch, PublicKey, Seq, TerminalId};

use super::world::{NOW, World, at, signer};
use crate::store::{Contact, EnrolRefusal, Enrolled, NewCode, StoreError};

fn enrol(world: &mut World, code: &NewCode, key: &PublicKey, seconds: u64) -> Result<Enrolled, EnrolRefusal> {
    match world.db.write(|tx| tx.enrol(&code.locator, key, at(seconds))) {
        Ok(enrolled) => Ok(enrolled),
        Err(StoreError::Enrol(refusal)) => Err(refusal),
        Err(error) => panic!("{error}"),
    }
}

fn added() -> (World, TerminalId, NewCode) {
    let mut world = World::new();
    let code = world.code();
    let terminal = world.db.write(|tx| tx.terminal_add("A", &code, NOW)).unwrap();
    (world, terminal, code)
}

#[test]
fn a_code_enrols_one_key_and_that_key_again_however_late() {
    let (mut world, terminal, code) = added();
    let first = enrol(&mut world, &code, signer(10).public(), 0).unwrap();
    assert_eq!(first, Enrolled { terminal, epoch: Epoch::new(1) });
    assert_eq!(enrol(&mut world, &code, signer(10).public(), 1_000_000), Ok(first));
    assert_eq!(enrol(&mut world, &code, signer(11).public(), 0), Err(EnrolRefusal::CodeVoid));
    assert_eq!(world.number::<i64>("SELECT count(*) FROM epochs"), 1);
}

#[test]
fn a_code_expires() {
    let (mut world, _, code) = added();
    assert_eq!(enrol(&mut world, &code, signer(10).public(), 3600), Err(EnrolRefusal::CodeExpired));
    assert!(enrol(&mut world, &code, signer(10).public(), 3599).is_ok());
}

#[test]
fn five_wrong_tries_void_a_code_for_good() {
    let (mut world, _, code) = added();
    for left in (0..5).rev() {
        assert_eq!(world.db.write(|tx| tx.enrolment_try_failed(&code.locator)).unwrap(), left);
    }
    assert_eq!(world.db.write(|tx| tx.enrolment_try_failed(&code.locator)).unwrap(), 0);
    let path = world.path();
    let folder = world.folder;
    drop(world.db);
    let mut db = crate::store::Db::open(&path, crate::store::OpenMode::Existing).unwrap();
    let error = db.write(|tx| tx.enrol(&code.locator, signer(10).public(), NOW)).unwrap_err();
    assert!(matches!(error, StoreError::Enrol(EnrolRefusal::CodeVoid)), "{error}");
    drop(folder);
}

#[test]
fn wrong_tries_after_its_use_end_a_code_too() {
    let (mut world, _, code) = added();
    enrol(&mut world, &code, signer(10).public(), 0).unwrap();
    for _ in 0..5 {
        world.db.write(|tx| tx.enrolment_try_failed(&code.locator)).unwrap();
    }
    assert_eq!(enrol(&mut world, &code, signer(10).public(), 0), Err(EnrolRefusal::CodeVoid));
}

#[test]
fn an_unknown_code_is_a_wrong_code() {
    let (mut world, _, _) = added();
    let unknown = NewCode { locator: "ZZZZ".to_owned(), ..world.code() };
    assert_eq!(enrol(&mut world, &unknown, signer(10).public(), 0), Err(EnrolRefusal::WrongCode));
    assert!(world.db.write(|tx| tx.enrolment_try_failed("ZZZZ")).is_err());
    assert!(world.db.read(|tx| tx.enrolment_lookup("ZZZZ")).unwrap().is_none());
}

#[test]
fn a_new_code_voids_the_one_before_and_opens_the_next_epoch() {
    let (mut world, terminal, old) = added();
    let new = world.code();
    world.db.write(|tx| tx.terminal_code(terminal, &new, NOW)).unwrap();
    assert_eq!(enrol(&mut world, &old, signer(10).public(), 0), Err(EnrolRefusal::CodeVoid));
    assert_eq!(enrol(&mut world, &new, signer(10).public(), 0).unwrap().epoch, Epoch::new(1));
    let next = world.code();
    world.db.write(|tx| tx.terminal_code(terminal, &next, NOW)).unwrap();
    assert_eq!(enrol(&mut world, &next, signer(11).public(), 0).unwrap().epoch, Epoch::new(2));
    let key = world.db.read(|tx| tx.terminal_key(terminal, Epoch::new(1))).unwrap();
    assert_eq!((key.standing, key.key), (Standing::Live, *signer(10).public()), "the old epoch is not closed by it");
}

#[test]
fn a_code_name_in_use_is_not_given_twice() {
    let (mut world, terminal, code) = added();
    let error = world.db.write(|tx| tx.terminal_code(terminal, &code, NOW)).unwrap_err();
    assert!(matches!(error, StoreError::LocatorTaken), "{error}");
    assert!(enrol(&mut world, &code, signer(10).public(), 0).is_ok(), "the failed call voided nothing");
    let other = world.code();
    assert!(matches!(world.db.write(|tx| tx.terminal_add("X", &other, NOW)).unwrap_err(), StoreError::UnknownShop));
}

#[test]
fn a_revoked_terminal_keeps_its_journal_and_its_rows_are_still_taken() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    world.extend(&terminal, 1, 5_000).unwrap();
    assert_eq!(world.db.write(|tx| tx.terminal_revoke(terminal.id, NOW)).unwrap(), 1);
    assert_eq!(world.db.write(|tx| tx.terminal_revoke(terminal.id, NOW)).unwrap(), 0);
    terminal.sale(1, 300, 300, 1);
    let outcome = world.sync(&mut terminal);
    assert_eq!((outcome.standing, outcome.settled.get()), (Standing::Revoked, 300));
    let error = world.try_extend(&terminal, 1, 9_000).unwrap_err();
    assert!(matches!(error, StoreError::NotLive(Standing::Revoked)), "{error}");
    world.audit();
}

#[test]
fn an_unknown_terminal_or_epoch_is_told_apart() {
    let mut world = World::new();
    let terminal = world.terminal("A");
    let lookup = |world: &mut World, terminal, epoch| {
        world.db.read(|tx| tx.terminal_key(TerminalId::new(terminal), Epoch::new(epoch))).unwrap_err()
    };
    assert!(matches!(lookup(&mut world, 77, 1), StoreError::UnknownTerminal(_)));
    assert!(matches!(lookup(&mut world, terminal.id.get(), 2), StoreError::UnknownEpoch { .. }));
}

#[test]
fn a_contact_that_says_nothing_new_is_not_written_again() {
    let mut world = World::new();
    let terminal = world.terminal("A");
    let cursor = world.db.read(|tx| tx.fund()).unwrap().change;
    let mut contact = Contact { terminal: terminal.id, epoch: terminal.epoch, status: terminal.status(), cursor };
    let mut call = |contact: &Contact, seconds| {
        world.db.write(|tx| tx.contact(contact, at(seconds))).unwrap();
        let view = world.db.read(|tx| tx.terminals()).unwrap().remove(0).enrolment.unwrap();
        (view.last_contact_at.unwrap(), view.current_at, view.status.unwrap().newest)
    };
    assert_eq!(call(&contact, 10), (at(10), Some(at(10)), Seq::NONE));
    assert_eq!(call(&contact, 30).0, at(10), "within the minute");
    assert_eq!(call(&contact, 70).0, at(70), "after a minute");
    contact.status.newest = Seq::new(5);
    assert_eq!(call(&contact, 75), (at(75), Some(at(75)), Seq::new(5)), "it says something new");
    contact.cursor = 0;
    assert_eq!(call(&contact, 200), (at(200), Some(at(75)), Seq::new(5)), "it has not everything");
}
