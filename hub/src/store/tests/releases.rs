//! Programs for terminals: who is offered which, and what terminals say of themselves.

use cabas_protocol::head::{HeadContext, ObjectType};
use cabas_protocol::release::{AboutRequest, Release, UpgradePhase, own_capabilities};
use cabas_protocol::{Epoch, Hash, Incarnation, RequestId, Signed, TerminalId, TimeEpoch, Verified};

use super::world::{CONTEXT, NOW, World, at, signer};
use crate::store::releases::RELEASES_MAX;
use crate::store::{ReleaseRefusal, StoreError};

const TARGET: &str = "x86_64-linux-gnu";

fn release(version: &str, target: &str, program: u8) -> (Signed<Release>, Verified<Release>) {
    let none = HeadContext { fund: Release::NO_FUND, incarnation: Incarnation::new(0), time_epoch: TimeEpoch::new(0) };
    let key = signer(77);
    let signed = key.sign(&Release {
        head: none.head(ObjectType::Release),
        version: version.to_owned(),
        target: target.to_owned(),
        size: 100,
        hash: Hash::new([program; 32]),
        journal_form: 8,
        capabilities: vec![1],
        signed_at: NOW,
    });
    let verified = signed.verify(key.public(), Release::NO_FUND).unwrap();
    (signed, verified)
}

pub(super) fn about(terminal: TerminalId, program: &str) -> AboutRequest {
    AboutRequest {
        head: CONTEXT.head(ObjectType::AboutRequest),
        terminal,
        epoch: Epoch::new(1),
        nonce: RequestId::new([1; 8]),
        program: program.to_owned(),
        target: TARGET.to_owned(),
        capabilities: own_capabilities(),
        phase: UpgradePhase::None,
        release: None,
        note: String::new(),
        troubles: None,
    }
}

impl World {
    fn add(&mut self, version: &str, target: &str, program: u8) -> Hash {
        let (signed, verified) = release(version, target, program);
        self.db.write(|tx| tx.release_add(&signed, &verified, NOW)).unwrap();
        verified.hash()
    }

    fn offered(&mut self, about: &AboutRequest) -> Option<Hash> {
        let bytes = self.db.write(|tx| tx.about(about, NOW)).unwrap()?;
        Some(Signed::<Release>::from_bytes(bytes).unwrap().hash())
    }
}

#[test]
fn a_terminal_is_offered_the_newest_release_for_its_machine_that_was_offered_to_it() {
    let mut world = World::new();
    let (first, second) = (world.terminal("A").id, world.terminal("B").id);
    let (old, new) = (world.add("0.2.0", TARGET, 1), world.add("0.10.0", TARGET, 2));
    world.add("0.10.0", "aarch64-linux-gnu", 3);
    assert_eq!(world.offered(&about(first, "0.1.0")), None, "added is not offered");
    world.db.write(|tx| tx.release_offer("0.10.0", Some(&[first]), NOW)).unwrap();
    world.db.write(|tx| tx.release_offer("0.2.0", None, NOW)).unwrap();
    assert_eq!(world.offered(&about(first, "0.1.0")), Some(new));
    assert_eq!(world.offered(&about(second, "0.1.0")), Some(old));
    assert_eq!(world.offered(&about(first, "0.10.0")), None, "it runs");
    assert_eq!(world.offered(&about(first, "0.11.0")), None, "never an older one");
    assert_eq!(world.offered(&about(first, "of our own making")), None);
    let program = |world: &mut World, terminal, release| {
        world.db.read(|tx| tx.offered_program(terminal, Epoch::new(1), release)).unwrap().is_some()
    };
    assert!(program(&mut world, first, new) && program(&mut world, second, old));
    assert!(!program(&mut world, second, new), "what is not offered is not given");
    world.db.write(|tx| tx.release_withdraw("0.10.0", NOW)).unwrap();
    assert_eq!(world.offered(&about(first, "0.1.0")), Some(old));
    assert!(!program(&mut world, first, new));
}

#[test]
fn a_version_is_one_program_and_what_is_not_there_cannot_be_offered() {
    let mut world = World::new();
    let terminal = world.terminal("A").id;
    world.add("0.2.0", TARGET, 1);
    world.add("0.2.0", TARGET, 1);
    let (signed, verified) = release("0.2.0", TARGET, 2);
    let taken = world.db.write(|tx| tx.release_add(&signed, &verified, NOW));
    assert!(matches!(taken, Err(StoreError::Release(ReleaseRefusal::VersionTaken))), "{taken:?}");
    let unknown = world.db.write(|tx| tx.release_offer("0.3.0", None, NOW));
    assert!(matches!(unknown, Err(StoreError::Release(ReleaseRefusal::Unknown))), "{unknown:?}");
    let nobody = world.db.write(|tx| tx.release_offer("0.2.0", Some(&[TerminalId::new(99)]), NOW));
    assert!(matches!(nobody, Err(StoreError::UnknownTerminal(_))), "{nobody:?}");
    world.db.write(|tx| tx.release_withdraw("0.2.0", NOW)).unwrap();
    let again = world.db.write(|tx| tx.release_offer("0.2.0", Some(&[terminal]), NOW));
    assert!(matches!(again, Err(StoreError::Release(ReleaseRefusal::Unknown))), "{again:?}");
    // Another program of that version may come once the first is withdrawn.
    world.db.write(|tx| tx.release_add(&signed, &verified, NOW)).unwrap();
}

/// A release whose program is its number; those from 201 on have one in common.
fn numbered(number: u32) -> (Signed<Release>, Verified<Release>) {
    release(&format!("1.{number}.0"), TARGET, u8::try_from(number.min(201)).unwrap())
}

#[test]
fn of_too_many_releases_the_oldest_goes_that_was_withdrawn_or_followed_and_that_nobody_runs() {
    let mut world = World::new();
    let terminal = world.terminal("A").id;
    let add = |world: &mut World, number: u32| {
        let (signed, verified) = numbered(number);
        world.db.write(|tx| tx.release_add(&signed, &verified, at(u64::from(number))))
    };
    for number in 0..RELEASES_MAX {
        assert_eq!(add(&mut world, number).unwrap(), None);
    }
    // None was offered yet: somebody may be about to.
    let full = add(&mut world, RELEASES_MAX);
    assert!(matches!(full, Err(StoreError::Release(ReleaseRefusal::TooMany))), "{full:?}");
    assert_eq!(add(&mut world, 3).unwrap(), None, "what is there may come again");
    // The terminal runs the first, and the one after the fourth is offered to all: the second goes, then the third.
    world.offered(&about(terminal, "1.0.0"));
    world.db.write(|tx| tx.release_offer("1.4.0", None, NOW)).unwrap();
    assert_eq!(add(&mut world, RELEASES_MAX).unwrap(), Some(Hash::new([1; 32])));
    world.db.write(|tx| tx.release_withdraw("1.200.0", NOW)).unwrap();
    let left = |world: &mut World| -> Vec<String> {
        world.db.read(|tx| tx.releases()).unwrap().into_iter().rev().take(3).map(|view| view.version).collect()
    };
    assert_eq!(left(&mut world), ["1.0.0", "1.2.0", "1.3.0"]);
    for (number, gone) in [(1_u32, 2_u8), (2, 3), (3, 200)] {
        let number = RELEASES_MAX.saturating_add(number);
        assert_eq!(add(&mut world, number).unwrap(), Some(Hash::new([gone; 32])), "{number}");
    }
    let full = add(&mut world, RELEASES_MAX.saturating_add(4));
    assert!(matches!(full, Err(StoreError::Release(ReleaseRefusal::TooMany))), "{full:?}");
    assert_eq!(left(&mut world), ["1.0.0", "1.4.0", "1.5.0"]);
}

#[test]
fn a_trouble_is_known_since_it_was_told_first_and_until_it_is_told_no_more() {
    let mut world = World::new();
    let terminal = world.terminal("A").id;
    let mut tell = |troubles: Option<Vec<u16>>, capabilities: Vec<u16>, now: u64| {
        let said = AboutRequest { troubles, capabilities, ..about(terminal, "0.1.0") };
        world.db.write(|tx| tx.about(&said, at(now))).unwrap();
        let view = world.db.read(|tx| tx.terminals()).unwrap().remove(0).enrolment.unwrap();
        view.troubles.iter().map(|known| (known.trouble.number(), known.since)).collect::<Vec<_>>()
    };
    let can = own_capabilities;
    assert_eq!(tell(None, can(), 5), []);
    assert_eq!(tell(Some(vec![4, 5]), can(), 10), [(4, at(10)), (5, at(10))]);
    assert_eq!(tell(Some(vec![4, 9000]), can(), 20), [(4, at(10)), (9000, at(20))], "each has its own time");
    assert_eq!(
        tell(None, can(), 30),
        [(4, at(10)), (9000, at(20))],
        "a program that just started knows not who listens"
    );
    assert_eq!(tell(None, vec![1], 40), [], "an older program would never say that it is over");
    assert_eq!(tell(Some(vec![4]), can(), 50), [(4, at(50))]);
    assert_eq!(tell(Some(Vec::new()), can(), 60), []);
}

#[test]
fn what_a_terminal_says_of_itself_is_kept() {
    let mut world = World::new();
    let terminal = world.terminal("A").id;
    assert_eq!(world.db.read(|tx| tx.about_view(terminal)).unwrap(), None);
    let release = world.add("0.2.0", TARGET, 1);
    let note = String::from("0.2.0: it did not become healthy");
    let said = AboutRequest {
        phase: UpgradePhase::RolledBack,
        release: Some(release),
        note: note.clone(),
        ..about(terminal, "0.1.0")
    };
    world.db.write(|tx| tx.about(&said, at(5))).unwrap();
    let view = world.db.read(|tx| tx.about_view(terminal)).unwrap().unwrap();
    assert_eq!((view.phase, view.version.as_deref(), view.note), (UpgradePhase::RolledBack, Some("0.2.0"), note));
    assert_eq!((view.capabilities, view.at), (own_capabilities(), at(5)));
    // The same again is not written each time.
    world.db.write(|tx| tx.about(&said, at(30))).unwrap();
    assert_eq!(world.db.read(|tx| tx.about_view(terminal)).unwrap().unwrap().at, at(5));
    world.db.write(|tx| tx.about(&said, at(90))).unwrap();
    assert_eq!(world.db.read(|tx| tx.about_view(terminal)).unwrap().unwrap().at, at(90));
}
