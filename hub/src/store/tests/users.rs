//! Users, sessions, tokens and the audit log; faults planted in the log.

use cabas_protocol::Hash;

use super::world::{NOW, World, at};
use crate::core::audit::Deed;
use crate::core::roles::Role;
use crate::store::{
    FAILURES_MAX, FindingKind, Giver, LOCK_S, NewUser, Note, SESSIONS_PER_USER_MAX, StoreError, UserRefusal, UserView,
};

fn hash(number: u8) -> Hash {
    Hash::new([number; 32])
}

fn new(name: &str, role: Role) -> NewUser {
    NewUser { name: name.into(), role, shop: None, password: "hash".into(), given_by: None }
}

fn add(world: &mut World, name: &str, role: Role) -> UserView {
    world.db.write(|tx| tx.user_add(&new(name, role), NOW)).unwrap()
}

fn refused<T: std::fmt::Debug>(result: Result<T, StoreError>) -> UserRefusal {
    match result {
        Err(StoreError::User(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

fn noted(world: &mut World) {
    for number in 0..3 {
        let subject = format!("terminal {number}");
        let note = Note { who: "claire", deed: Deed::TerminalRevoked, subject: &subject, detail: "" };
        world.db.write(|tx| tx.note(note, at(number))).unwrap();
    }
}

#[test]
fn names_are_taken_once_and_a_role_has_its_shop_or_none() {
    let mut world = World::new();
    add(&mut world, "claire", Role::Admin);
    let mut try_add = |name: &str, role, shop: Option<&str>| {
        let new = NewUser { shop: shop.map(str::to_owned), ..new(name, role) };
        world.db.write(|tx| tx.user_add(&new, NOW))
    };
    assert_eq!(refused(try_add("claire", Role::Admin, None)), UserRefusal::Taken);
    assert_eq!(refused(try_add("x", Role::Shop, None)), UserRefusal::ShopAndRole);
    assert_eq!(refused(try_add("x", Role::Evaluator, Some("A"))), UserRefusal::ShopAndRole);
    assert!(matches!(try_add("x", Role::Shop, Some("none")), Err(StoreError::UnknownShop)));
    for name in ["", " x", "x\n", &"x".repeat(65)] {
        assert!(matches!(try_add(name, Role::Admin, None), Err(StoreError::Text("name"))), "{name:?}");
    }
    assert_eq!(try_add("shop a", Role::Shop, Some("A")).unwrap().shop.as_deref(), Some("A"));
}

#[test]
fn the_last_admin_stays_and_another_one_recovers() {
    let mut world = World::new();
    let (claire, paul) = (add(&mut world, "claire", Role::Admin), add(&mut world, "paul", Role::Treasurer));
    assert_eq!(refused(world.db.write(|tx| tx.user_disable(claire.number, NOW))), UserRefusal::LastAdmin);
    let denis = add(&mut world, "denis", Role::Admin);
    world.db.write(|tx| tx.user_disable(denis.number, NOW)).unwrap();
    for by in ["claire", "paul", "denis", "nobody"] {
        let recovered = world.db.write(|tx| tx.user_recover(claire.number, Giver::Login(by), "new", NOW));
        assert_eq!(refused(recovered), UserRefusal::NotAnotherAdmin, "{by}");
    }
    world.db.write(|tx| tx.user_totp(paul.number, b"sealed", 7, &[hash(1)])).unwrap();
    world.db.write(|tx| tx.user_recover(paul.number, Giver::Login("claire"), "new", NOW)).unwrap();
    let paul = world.db.read(|tx| tx.user_of(paul.number)).unwrap();
    assert_eq!((paul.totp, paul.recovery_left, paul.password.as_str()), (None, 0, "new"));
    assert_eq!(paul.totp_step, 7, "a code that was used stays used");
}

#[test]
fn an_account_rests_after_so_many_wrong_tries_and_only_then() {
    let mut world = World::new();
    let number = add(&mut world, "claire", Role::Admin).number;
    for wrong in 1..=FAILURES_MAX {
        let locks = world.db.write(|tx| tx.user_failed(number, NOW)).unwrap();
        assert_eq!(locks, wrong == FAILURES_MAX);
    }
    let user = world.db.read(|tx| tx.user_of(number)).unwrap();
    assert_eq!((user.locked_until, user.failures), (at(LOCK_S), 0));
    world.db.write(|tx| tx.user_succeeded(number)).unwrap();
    assert!(world.db.read(|tx| tx.user_of(number)).unwrap().locked_until < NOW);
}

#[test]
fn steps_and_recovery_codes_are_used_once() {
    let mut world = World::new();
    let number = add(&mut world, "claire", Role::Admin).number;
    world.db.write(|tx| tx.user_totp(number, b"sealed", 10, &[hash(1), hash(2)])).unwrap();
    let uses: Vec<bool> =
        [10, 9, 11, 11].into_iter().map(|step| world.db.write(|tx| tx.totp_use(number, step)).unwrap()).collect();
    assert_eq!(uses, [false, false, true, false]);
    let mut recover = |code| world.db.write(|tx| tx.recovery_use(number, code, NOW)).unwrap();
    assert_eq!([recover(hash(1)), recover(hash(1)), recover(hash(3))], [true, false, false]);
    assert_eq!(world.db.read(|tx| tx.user_of(number)).unwrap().recovery_left, 1);
}

#[test]
fn sessions_of_one_user_are_bounded_and_the_oldest_goes() {
    let mut world = World::new();
    let number = add(&mut world, "claire", Role::Admin).number;
    for session in 0..=u8::try_from(SESSIONS_PER_USER_MAX).unwrap() {
        world.db.write(|tx| tx.session_begin(number, hash(session), true, at(session.into()))).unwrap();
    }
    let mut holds = |session| world.db.write(|tx| tx.session(hash(session), at(20))).unwrap().is_some();
    assert!(!holds(0) && holds(1) && holds(8));
}

#[test]
fn the_log_is_paged_and_what_could_be_more_than_text_is_taken_out() {
    let mut world = World::new();
    noted(&mut world);
    let note = Note { who: "a\u{1b}b", deed: Deed::Locked, subject: &"é".repeat(500), detail: "" };
    world.db.write(|tx| tx.note(note, NOW)).unwrap();
    let page = world.db.read(|tx| tx.audit_page(None)).unwrap();
    assert_eq!(page.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [4, 3, 2, 1]);
    assert_eq!((page[0].who.as_str(), page[0].subject.len()), ("a?b", 400));
    let older = world.db.read(|tx| tx.audit_page(Some(3))).unwrap();
    assert_eq!(older.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [2, 1]);
    world.audit();
}

#[test]
fn an_entry_that_was_changed_taken_out_or_put_in_is_found() {
    for (subject, sql) in [
        ("audit entry 2", "UPDATE audit SET who = 'denis' WHERE seq = 2"),
        ("audit entry 2", "UPDATE audit SET at = at + 1 WHERE seq = 2"),
        ("audit entry 3", "DELETE FROM audit WHERE seq = 2"),
        ("audit entry 2", "DELETE FROM audit WHERE seq = 1"),
        ("audit log", "DELETE FROM audit WHERE seq = 3"),
        (
            "audit log",
            "INSERT INTO audit SELECT 4, at, who, what, subject, detail, hash, hash FROM audit WHERE seq = 3",
        ),
        ("audit entry 3", "UPDATE audit SET prev = zeroblob(32) WHERE seq = 3"),
        ("audit entry 2", "UPDATE audit SET hash = zeroblob(32) WHERE seq = 2"),
    ] {
        let mut world = World::new();
        noted(&mut world);
        world.audit();
        let conn = rusqlite::Connection::open(world.path()).unwrap();
        conn.execute_batch("DROP TRIGGER audit_stays; DROP TRIGGER audit_remains").unwrap();
        conn.execute_batch(sql).unwrap();
        let report = world.verify();
        let found =
            report.findings.iter().any(|finding| finding.kind == FindingKind::Audit && finding.subject == subject);
        assert!(found, "{sql}: {:?}", report.findings);
    }
}

#[test]
fn an_audit_entry_is_never_changed_by_sql() {
    let mut world = World::new();
    noted(&mut world);
    let conn = rusqlite::Connection::open(world.path()).unwrap();
    assert!(conn.execute_batch("UPDATE audit SET who = 'x'").is_err());
    assert!(conn.execute_batch("DELETE FROM audit").is_err());
}
