//! Logins that one admin alone gave: who may confirm them, what they may not do before, and what the log says of it.

use super::world::{NOW, World, at};
use crate::core::audit::{COMMAND_LINE, Deed};
use crate::core::roles::Role;
use crate::store::{FindingKind, Giver, NewUser, Note, StoreError, UserRefusal};

fn refused<T: std::fmt::Debug>(result: Result<T, StoreError>) -> UserRefusal {
    match result {
        Err(StoreError::User(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

/// Adds a user as site or server do, with the entry in the log.
fn add(world: &mut World, name: &str, role: Role, by: Option<&str>) -> Result<u32, StoreError> {
    let new = NewUser { name: name.into(), role, shop: None, password: "hash".into(), given_by: by.map(str::to_owned) };
    world.db.write(|tx| {
        let number = tx.user_add(&new, NOW)?.number;
        tx.note(Note { who: by.unwrap_or(COMMAND_LINE), deed: Deed::UserAdded, subject: name, detail: "" }, NOW)?;
        Ok(number)
    })
}

/// The person logs in for the first time.
fn take(world: &mut World, number: u32) {
    world.db.write(|tx| tx.user_totp(number, b"sealed", 1, &[])).unwrap();
    world.db.write(|tx| tx.user_password(number, "own")).unwrap();
}

fn confirm(world: &mut World, number: u32, by: Option<&str>) -> Result<(), StoreError> {
    world.db.write(|tx| {
        let name = tx.user_confirm(number, by, at(5))?.name;
        tx.note(Note { who: by.unwrap_or(COMMAND_LINE), deed: Deed::UserConfirmed, subject: &name, detail: "" }, at(5))
    })
}

/// Claire and Bo were added on the server; Paul by Claire alone, and he has logged in.
fn fund() -> (World, u32) {
    let mut world = World::new();
    add(&mut world, "claire", Role::Admin, None).unwrap();
    add(&mut world, "bo", Role::Admin, None).unwrap();
    let paul = add(&mut world, "paul", Role::Admin, Some("claire")).unwrap();
    take(&mut world, paul);
    (world, paul)
}

#[test]
fn a_login_that_one_admin_gave_waits_until_another_one_has_confirmed_it() {
    let (mut world, paul) = fund();
    let waits = |world: &mut World, name: &str| world.db.read(|tx| tx.check_vouched(name));
    assert!(waits(&mut world, "claire").is_ok(), "given on the server");
    assert_eq!(refused(waits(&mut world, "paul")), UserRefusal::Waits);
    assert_eq!(refused(waits(&mut world, "nobody")), UserRefusal::Unknown);
    assert_eq!(refused(confirm(&mut world, paul, Some("claire"))), UserRefusal::GaveIt);
    assert_eq!(refused(confirm(&mut world, paul, Some("paul"))), UserRefusal::Waits);
    add(&mut world, "eva", Role::Treasurer, None).unwrap();
    for by in ["eva", "nobody"] {
        assert_eq!(refused(confirm(&mut world, paul, Some(by))), UserRefusal::NotAnotherAdmin, "{by}");
    }
    assert_eq!(world.db.read(|tx| tx.logins_waiting()).unwrap(), [NOW]);
    confirm(&mut world, paul, Some("bo")).unwrap();
    assert!(waits(&mut world, "paul").is_ok());
    assert_eq!(refused(confirm(&mut world, paul, Some("bo"))), UserRefusal::NotWaiting);
    assert_eq!(world.db.read(|tx| tx.logins_waiting()).unwrap(), []);
    world.db.write(|tx| tx.user_password(paul, "another")).unwrap();
    assert!(waits(&mut world, "paul").is_ok(), "a change of one's own password does not touch it");
    world.audit();
}

#[test]
fn nobody_confirms_a_login_that_what_was_given_still_opens() {
    let mut world = World::new();
    add(&mut world, "claire", Role::Admin, None).unwrap();
    let paul = add(&mut world, "paul", Role::Treasurer, Some("claire")).unwrap();
    for by in [Some("bo"), None] {
        if by.is_some() {
            add(&mut world, "bo", Role::Admin, None).unwrap();
        }
        assert_eq!(refused(confirm(&mut world, paul, by)), UserRefusal::NotHeld);
    }
    world.db.write(|tx| tx.user_totp(paul, b"sealed", 1, &[])).unwrap();
    assert_eq!(refused(confirm(&mut world, paul, None)), UserRefusal::NotHeld, "the password is still the given one");
    take(&mut world, paul);
    world.db.write(|tx| tx.user_disable(paul, NOW)).unwrap();
    assert_eq!(refused(confirm(&mut world, paul, None)), UserRefusal::Disabled);
}

#[test]
fn a_login_that_waits_neither_adds_nor_recovers_nor_confirms_nor_shuts_out() {
    let (mut world, paul) = fund();
    assert_eq!(refused(add(&mut world, "eva", Role::Treasurer, Some("paul"))), UserRefusal::Waits);
    assert_eq!(refused(world.db.write(|tx| tx.check_other_admin(1, "paul"))), UserRefusal::Waits);
    for by in [Giver::Login("paul"), Giver::Server("paul")] {
        assert_eq!(refused(world.db.write(|tx| tx.user_recover(1, by, "new", NOW))), UserRefusal::Waits);
    }
    let eva = add(&mut world, "eva", Role::Treasurer, Some("claire")).unwrap();
    take(&mut world, eva);
    assert_eq!(refused(confirm(&mut world, eva, Some("paul"))), UserRefusal::Waits);
    confirm(&mut world, paul, None).unwrap();
    confirm(&mut world, eva, Some("paul")).unwrap();
    world.audit();
}

#[test]
fn a_recovery_on_the_site_makes_a_login_wait_again_and_one_on_the_server_does_not() {
    let (mut world, paul) = fund();
    confirm(&mut world, paul, Some("bo")).unwrap();
    let recover = |world: &mut World, by: Giver<'_>| {
        let (who, detail) = match by {
            Giver::Login(who) => (who, ""),
            Giver::Server(who) => (who, COMMAND_LINE),
        };
        let done = world.db.write(|tx| {
            tx.user_recover(paul, by, "new", at(9))?;
            tx.note(Note { who, deed: Deed::UserRecovered, subject: "paul", detail }, at(9))
        });
        done.unwrap();
        take(world, paul);
        world.db.read(|tx| tx.user_of(paul)).unwrap()
    };
    let user = recover(&mut world, Giver::Login("bo"));
    assert!(user.waits() && user.was_given_by(" BO ") && user.vouched_at.is_none());
    assert_eq!(refused(confirm(&mut world, paul, Some("bo"))), UserRefusal::GaveIt);
    confirm(&mut world, paul, Some("claire")).unwrap();
    world.audit();
    assert!(recover(&mut world, Giver::Login("claire")).waits());
    assert!(!recover(&mut world, Giver::Server("claire")).waits());
    world.audit();
}

#[test]
fn an_admin_stays_who_can_confirm_and_nobody_is_called_like_the_server() {
    let mut world = World::new();
    let claire = add(&mut world, "claire", Role::Admin, None).unwrap();
    let paul = add(&mut world, "paul", Role::Admin, Some("claire")).unwrap();
    assert_eq!(refused(world.db.write(|tx| tx.user_disable(claire, NOW))), UserRefusal::LastAdmin);
    take(&mut world, paul);
    confirm(&mut world, paul, None).unwrap();
    world.db.write(|tx| tx.user_disable(claire, NOW)).unwrap();
    for name in ["command line", "Command  Line"] {
        assert!(matches!(add(&mut world, name, Role::Admin, None), Err(StoreError::Text("name"))), "{name}");
    }
}

#[test]
fn logins_of_before_stand_as_they_did() {
    let mut world = World::new();
    add(&mut world, "claire", Role::Admin, None).unwrap();
    add(&mut world, "paul", Role::Admin, None).unwrap();
    let note = Note { who: "claire", deed: Deed::UserRecovered, subject: "paul", detail: "" };
    world.db.write(|tx| tx.note(note, NOW)).unwrap();
    assert_eq!(
        found(&mut world),
        [("user 2".to_owned(), "given or confirmed otherwise than the audit log says".into())]
    );
    let migration = include_str!("../../../migrations/0023_vouching.sql");
    let from = migration.lines().find(|line| line.starts_with("UPDATE audit_head")).unwrap();
    world.tamper(from);
    world.audit();
}

fn found(world: &mut World) -> Vec<(String, String)> {
    let findings = world.verify().findings.into_iter().filter(|finding| finding.kind == FindingKind::Login);
    findings.map(|finding| (finding.subject, finding.detail)).collect()
}

#[test]
fn a_work_goes_on_in_the_name_of_who_is_neither_shut_out_nor_waits() {
    let (mut world, paul) = fund();
    let works = |world: &mut World, name: &str| world.db.read(|tx| tx.check_still_works(name));
    assert_eq!(refused(works(&mut world, "paul")), UserRefusal::Waits);
    confirm(&mut world, paul, Some("bo")).unwrap();
    assert!(works(&mut world, "paul").is_ok());
    world.db.write(|tx| tx.user_disable(paul, at(6))).unwrap();
    assert_eq!(refused(works(&mut world, "paul")), UserRefusal::Disabled);
}

#[test]
fn what_was_changed_in_the_file_is_found() {
    for (is_confirmed, sql) in [
        (false, "UPDATE users SET given_by = NULL WHERE name = 'paul'"),
        (false, "UPDATE users SET given_by = 'bo' WHERE name = 'paul'"),
        (false, "UPDATE users SET vouched_by = 'bo', vouched_at = 7 WHERE name = 'paul'"),
        (false, "UPDATE users SET vouched_at = 7 WHERE name = 'paul'"),
        (true, "UPDATE users SET vouched_by = 'claire' WHERE name = 'paul'"),
        (true, "UPDATE users SET vouched_by = NULL WHERE name = 'paul'"),
        (true, "UPDATE users SET vouched_at = NULL, vouched_by = NULL WHERE name = 'paul'"),
    ] {
        let (mut world, paul) = fund();
        if is_confirmed {
            confirm(&mut world, paul, Some("bo")).unwrap();
        }
        world.audit();
        world.tamper(sql);
        assert_eq!(found(&mut world).first().map(|found| found.0.clone()), Some(format!("user {paul}")), "{sql}");
    }
}

#[test]
fn a_part_of_what_two_people_decide_by_a_login_that_waited_is_found() {
    for deed in Deed::OF_VOUCHED {
        let (mut world, _) = fund();
        world.db.write(|tx| tx.note(Note { who: "paul", deed: *deed, subject: "x", detail: "" }, NOW)).unwrap();
        let found = found(&mut world);
        assert!(found.iter().any(|(_, detail)| detail == "by a login that waited for a confirmation"), "{deed:?}");
    }
    // What two people do about settlements and what the bank brought back is among it from its first step on.
    for name in
        ["settlement-prepare-asked", "settlement-approve-asked", "return-proposed", "return-booked", "return-withdrawn"]
    {
        assert!(Deed::OF_VOUCHED.iter().any(|deed| deed.name() == name), "{name}");
    }
    let (mut world, _) = fund();
    for who in ["claire", "bo", "bo"] {
        let note = Note { who, deed: Deed::UserConfirmed, subject: "paul", detail: "" };
        world.db.write(|tx| tx.note(note, NOW)).unwrap();
    }
    let details: Vec<_> = found(&mut world).into_iter().map(|found| found.1).collect();
    assert_eq!(
        details,
        [
            "by the login that gave it",
            "of a login that waited for nobody",
            "given or confirmed otherwise than the audit log says"
        ]
    );
}
