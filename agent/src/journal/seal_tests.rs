//! What seals the keys of cards changes, and nothing that worked stops working.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
use super::*;
use crate::core::ages::Moment;
use crate::fixture::{Fund, card, moment};
use crate::journal::{FILE, SlotSecret};
use cabas_protocol::Seq;

fn credential(byte: u8) -> SealCredential {
    SealCredential(Zeroizing::new(vec![byte; 32]))
}

fn open(fund: &Fund, folder: &Path, now: Moment, credential: Option<&SealCredential>) -> Result<Journal, JournalError> {
    Journal::open_with(&folder.join(FILE), (fund.signer(), &fund.terminal_keys(), credential), now, "0.1.0")
}

fn keys(journal: &mut Journal) -> Vec<u8> {
    let held = journal.keys_of_card(card(5)).unwrap();
    held.iter().map(|SlotSecret { key, .. }| key.expose()[0]).collect()
}

fn sealed(folder: &Path) -> Vec<Vec<u8>> {
    let db = Connection::open(folder.join(FILE)).unwrap();
    let mut select = db.prepare("SELECT sealed FROM slot_keys ORDER BY id").unwrap();
    select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Two keys of one card, sealed by the key file alone.
fn with_keys(fund: &Fund, folder: &Path) {
    let mut journal = fund.ready(folder, 1000);
    let given = vec![fund.slot_key(card(5), 0, [1; 16]).into_bytes(), fund.slot_key(card(5), 1, [2; 16]).into_bytes()];
    assert_eq!(fund.give(&mut journal, given).taken, 2);
}

#[test]
fn keys_are_sealed_again_once_there_is_a_credential_and_nothing_sealed_by_the_file_alone_is_left() {
    let (folder, fund) = (tempfile::tempdir().unwrap(), Fund::default());
    with_keys(&fund, folder.path());
    let before = sealed(folder.path());
    assert!(before.iter().all(|sealed| SealedBy::of(sealed).unwrap().0 == SealedBy::KeyFile));
    let mut journal = open(&fund, folder.path(), moment(2, 1), Some(&credential(7))).unwrap();
    assert_eq!(keys(&mut journal), [2, 1]);
    assert_ne!(journal.state().hub.cursor, 0, "nothing has to be fetched");
    let newer = fund.slot_key(card(5), 2, [3; 16]).into_bytes();
    assert_eq!(fund.give(&mut journal, vec![newer]).taken, 1);
    drop(journal);
    let after = sealed(folder.path());
    assert!(after.iter().all(|sealed| SealedBy::of(sealed).unwrap().0 == SealedBy::Credential), "{after:?}");
    // What is left of it on the disk opens nothing either.
    for file in [FILE, "journal.db-wal"] {
        let bytes = std::fs::read(folder.path().join(file)).unwrap_or_default();
        for sealed in &before {
            assert!(!bytes.windows(sealed.len()).any(|part| part == sealed), "{file} still has it");
        }
    }
    let mut journal = open(&fund, folder.path(), moment(3, 1), Some(&credential(7))).unwrap();
    assert_eq!(keys(&mut journal), [3, 2, 1]);
}

#[test]
fn without_its_credential_the_journal_is_not_opened_and_nothing_is_written() {
    let (folder, fund) = (tempfile::tempdir().unwrap(), Fund::default());
    with_keys(&fund, folder.path());
    let rows = open(&fund, folder.path(), moment(2, 1), Some(&credential(7))).unwrap().state().newest.chain.seq;
    for restart in 3..6 {
        let missing = open(&fund, folder.path(), moment(restart, 1), None);
        assert!(matches!(&missing, Err(JournalError::NoCredential)), "{missing:?}");
        let said = missing.unwrap_err().to_string();
        assert!(said.contains("cabas-agent.seal") && said.contains("LoadCredentialEncrypted="), "{said}");
    }
    let journal = open(&fund, folder.path(), moment(6, 1), Some(&credential(7))).unwrap();
    assert_eq!(journal.state().newest.chain.seq, Seq::new(rows.get() + 1), "one more start, and no more");
    // A copy of the disk, key file and all, has no key that opens a card.
    drop(journal);
    let secrets = CardSecrets::new(&fund.terminal_keys(), None);
    for (version, sealed) in [0, 1].into_iter().zip(sealed(folder.path())) {
        assert!(secrets.open((card(5), 0, version), &sealed).is_none());
        assert!(secrets.open((card(5), 3, version), &sealed).is_none());
    }
}

#[test]
fn with_another_credential_the_keys_are_fetched_anew() {
    let (folder, fund) = (tempfile::tempdir().unwrap(), Fund::default());
    with_keys(&fund, folder.path());
    drop(open(&fund, folder.path(), moment(2, 1), Some(&credential(7))).unwrap());
    let mut journal = open(&fund, folder.path(), moment(3, 1), Some(&credential(8))).unwrap();
    assert_eq!((keys(&mut journal), journal.state().hub.cursor), (vec![], 0), "everything is asked for");
    let again = vec![fund.slot_key(card(5), 0, [1; 16]).into_bytes(), fund.slot_key(card(5), 1, [2; 16]).into_bytes()];
    let applied = fund.give(&mut journal, again);
    assert_eq!((applied.taken, applied.alarms.len(), keys(&mut journal)), (2, 0, vec![2, 1]));
}

#[test]
fn a_credential_is_read_where_systemd_puts_it_and_a_short_one_is_none() {
    let folder = tempfile::tempdir().unwrap();
    assert!(SealCredential::read(None).unwrap().is_none());
    assert!(SealCredential::read(Some(folder.path())).unwrap().is_none());
    let path = folder.path().join(CREDENTIAL);
    crate::journal::keyfile::write_private(&path, &[7; 31]).unwrap();
    assert!(matches!(SealCredential::read(Some(folder.path())), Err(CredentialError::Short(_))));
    crate::journal::keyfile::write_private(&path, &[7; 32]).unwrap();
    let read = SealCredential::read(Some(folder.path())).unwrap().unwrap();
    assert_eq!(*read.0, vec![7; 32]);
    assert_eq!(format!("{read:?}"), "SealCredential([REDACTED])");
}
