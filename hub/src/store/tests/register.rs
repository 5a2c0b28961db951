//! Households, names and cards one by one; what a household spent; files that wait for a yes.

use cabas_protocol::sync::Standing;

use super::world::{NOW, World, at, card_ref, cents, purse_ref};
use crate::core::household_rules::Household;
use crate::store::{
    CardName, CorrectionRefusal, ErasureRefusal, HouseholdFilter, ImportMember, MEMBERS_MAX, RegisterRefusal,
    StoreError, UPLOAD_WAITS_S, UPLOADS_WAITING_MAX, UploadState,
};

fn codes(world: &mut World, filter: HouseholdFilter, part: &str, after: &str) -> Vec<String> {
    let (lines, more) = world.db.read(|tx| tx.household_lines(filter, part, after)).unwrap();
    assert!(!more);
    lines.into_iter().map(|line| line.code).collect()
}

fn spent(world: &mut World, code: &str, since: u64) -> u64 {
    let read = |tx: &crate::store::Tx<'_>| tx.household_spent(&tx.household_money(code)?.unwrap(), at(since));
    world.db.read(read).unwrap().get()
}

#[test]
fn the_list_tells_who_is_there_who_left_and_who_has_no_card_to_use() {
    let mut world = World::credited();
    assert_eq!(codes(&mut world, HouseholdFilter::There, "", ""), ["H1", "H2", "H3"]);
    assert_eq!(codes(&mut world, HouseholdFilter::There, "h", "H1"), ["H2", "H3"]);
    assert_eq!(codes(&mut world, HouseholdFilter::There, "%", ""), Vec::<String>::new(), "a part, not a pattern");
    world.db.write(|tx| tx.card_block(CardName::Number(2), at(1))).unwrap();
    world.db.write(|tx| tx.household_leave("H3", at(1))).unwrap();
    assert_eq!(codes(&mut world, HouseholdFilter::WithoutCard, "", ""), ["H2"]);
    assert_eq!(codes(&mut world, HouseholdFilter::Left, "", ""), ["H3"]);
}

#[test]
fn a_household_is_added_with_a_purse_and_changed_within_what_can_be() {
    let mut world = World::credited();
    let people = |size| Household::new(size, 0).unwrap();
    let mut add = |code: &str, contribution| {
        world.db.write(|tx| tx.household_add(code, people(2), contribution, purse_ref(50), NOW))
    };
    for code in ["", "H 9", "é", &"x".repeat(33)] {
        assert!(matches!(add(code, None), Err(StoreError::Register(RegisterRefusal::Code))), "{code:?}");
    }
    assert!(matches!(add("H1", None), Err(StoreError::Register(RegisterRefusal::Taken))));
    assert!(matches!(add("H9", Some(cents(199))), Err(StoreError::Register(RegisterRefusal::Contribution))));
    add("H9", Some(cents(200))).unwrap();
    world.credit("2026-12");
    assert_eq!(world.db.read(|tx| tx.household_money("H9")).unwrap().unwrap().credited, cents(22_500));
    let mut amend = |code: &str, size, contribution| {
        world.db.write(|tx| tx.household_amend(code, (people(size), contribution), None, "", NOW))
    };
    assert!(matches!(amend("H9", 3, Some(cents(299))), Err(StoreError::Register(RegisterRefusal::Contribution))));
    assert!(matches!(amend("H8", 3, None), Err(StoreError::Correction(CorrectionRefusal::NoHousehold))));
    amend("H9", 3, None).unwrap();
    let figures = world.db.read(|tx| tx.household_for_treasurer("H9")).unwrap();
    assert_eq!((figures.people.size(), figures.contribution), (3, None));
    world.db.write(|tx| tx.household_leave("H9", at(1))).unwrap();
    world.db.write(|tx| tx.household_erase("H9", "Ada", at(2))).unwrap();
    let again = world.db.write(|tx| tx.household_amend("H9", (people(3), Some(cents(300))), None, "", at(3)));
    assert!(matches!(again, Err(StoreError::Erasure(ErasureRefusal::Erased))));
    world.audit();
}

#[test]
fn names_are_added_up_to_a_limit_and_what_is_taken_out_is_written_over() {
    let mut world = World::credited();
    let member = |household: &str, seal: u8| ImportMember { household: household.to_owned(), sealed: vec![seal; 92] };
    for seal in 1..=u8::try_from(MEMBERS_MAX).unwrap() {
        world.db.write(|tx| tx.member_add(&member("H1", seal))).unwrap();
    }
    let full = world.db.write(|tx| tx.member_add(&member("H1", 99)));
    assert!(matches!(full, Err(StoreError::Register(RegisterRefusal::TooManyMembers))));
    world.db.write(|tx| tx.member_add(&member("H2", 0xaa))).unwrap();
    let known = world.db.write(|tx| tx.member_add(&member("H2", 0xaa)));
    assert!(matches!(known, Err(StoreError::Register(RegisterRefusal::MemberKnown))));
    let (id, _) = world.db.read(|tx| tx.members("H2")).unwrap()[0];
    let other = world.db.write(|tx| tx.member_remove("H1", id));
    assert!(matches!(other, Err(StoreError::Register(RegisterRefusal::NoMember))), "another household's");
    world.db.write(|tx| tx.member_remove("H2", id)).unwrap();
    world.db.conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let bytes = std::fs::read(world.path()).unwrap();
    assert!(!bytes.windows(60).any(|window| window.iter().all(|byte| *byte == 0xaa)));
    world.audit();
}

#[test]
fn what_was_spent_since_a_moment_is_sales_less_what_was_undone() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    world.extend(&terminal, 1, 9_000);
    terminal.sale(1, 1_000, 1_000, 1);
    terminal.sale(1, 500, 1_500, 1);
    world.sync(&mut terminal);
    assert_eq!((spent(&mut world, "H1", 0), spent(&mut world, "H2", 0)), (1_500, 0));
    assert_eq!(spent(&mut world, "H1", 1_000_000), 0, "in a month to come nothing was spent");
    terminal.reversal(1, 2, 500, 500);
    world.sync(&mut terminal);
    assert_eq!(spent(&mut world, "H1", 0), 1_000);
    world.audit();
}

#[test]
fn a_lost_card_says_where_it_is_not_refused_yet_and_what_can_be_spent_there() {
    let mut world = World::credited();
    let terminal = world.terminal("A");
    world.extend(&terminal, 1, 5_000);
    let file = |world: &mut World| world.db.read(|tx| tx.card_file(1, at(1))).unwrap();
    let before = file(&mut world);
    assert!(before.unaware.is_empty() && before.can_spend.is_zero() && before.held.is_none());
    world.db.write(|tx| tx.card_block(CardName::Number(1), at(1))).unwrap();
    let lost = file(&mut world);
    assert_eq!((lost.household.as_str(), lost.unaware.len(), lost.unaware[0].standing), ("H1", 1, Standing::Live));
    let told = world.db.read(|tx| tx.exposure(at(1))).unwrap().cards;
    assert!(!lost.can_spend.is_zero() && told[0].cents == lost.can_spend);
    world.close(&terminal, "Ada", "Bo");
    assert!(file(&mut world).unaware.is_empty(), "a closed enrolment sells no more");
    assert!(matches!(world.db.read(|tx| tx.card_file(99, NOW)), Err(StoreError::UnknownCard)));
}

#[test]
fn a_plain_card_is_given_once_under_a_number_of_its_own() {
    let mut world = World::credited();
    let mut add =
        |number, card, household: &str| world.db.write(|tx| tx.plain_card_add(number, card_ref(card), household));
    assert!(matches!(add(1, 50, "H1"), Err(StoreError::CardTaken { known: 1 })), "the number");
    assert!(matches!(add(50, 1, "H1"), Err(StoreError::CardTaken { known: 1 })), "the card");
    assert!(matches!(add(50, 50, "H9"), Err(StoreError::Correction(CorrectionRefusal::NoHousehold))));
    add(50, 50, "H2").unwrap();
    assert_eq!(world.db.read(|tx| tx.household_of_card(50)).unwrap().as_deref(), Some("H2"));
    world.audit();
}

#[test]
fn a_file_waits_ends_once_and_leaves_nothing() {
    let mut world = World::new();
    let mut add = |seal: u8| world.db.write(|tx| tx.upload_add(("cards", 3), &[seal; 90], "ada", NOW));
    let first = add(0xbb).unwrap();
    for _ in 1..UPLOADS_WAITING_MAX {
        add(0xbc).unwrap();
    }
    assert!(matches!(add(0xbd), Err(StoreError::Register(RegisterRefusal::TooManyUploads))));
    let end = |world: &mut World| world.db.write(|tx| tx.upload_end(first, UploadState::PutAway, at(1)));
    end(&mut world).unwrap();
    assert!(matches!(end(&mut world), Err(StoreError::Register(RegisterRefusal::UploadEnded))));
    let (view, file) = world.db.read(|tx| tx.upload(first)).unwrap().unwrap();
    assert_eq!((view.state, view.ended_at, file), (UploadState::PutAway, Some(at(1)), None));
    world.db.write(|tx| tx.uploads_forget(at(UPLOAD_WAITS_S))).unwrap();
    assert_eq!(world.number::<u32>("SELECT count(*) FROM uploads WHERE state = 0"), UPLOADS_WAITING_MAX - 1);
    world.db.conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let bytes = std::fs::read(world.path()).unwrap();
    let has = |seal: u8| bytes.windows(60).any(|window| window.iter().all(|byte| *byte == seal));
    assert_eq!((has(0xbb), has(0xbc)), (false, true));
    world.db.write(|tx| tx.uploads_forget(at(UPLOAD_WAITS_S + 1))).unwrap();
    assert_eq!(world.number::<u32>("SELECT count(*) FROM uploads WHERE file IS NOT NULL"), 0, "nobody wanted them");
}
