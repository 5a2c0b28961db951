//! Names come sealed, go when a household is erased, and the books stay provable.

use super::world::{NOW, World, at, cents};
use crate::store::{
    CardName, CorrectionRefusal, ErasureRefusal, ImportConflict, ImportMember, ImportPlan, ImportReport, StoreError,
};

fn members(list: &[(&str, u8)]) -> ImportPlan {
    let member =
        |(household, seal): &(&str, u8)| ImportMember { household: (*household).to_owned(), sealed: vec![*seal; 92] };
    ImportPlan { members: list.iter().map(member).collect(), ..ImportPlan::default() }
}

fn import(world: &mut World, plan: &ImportPlan, dry_run: bool) -> ImportReport {
    world.db.write(|tx| tx.import(plan, &mut || super::world::purse_ref(200), dry_run, NOW)).unwrap()
}

fn erase(world: &mut World, code: &str) -> Result<u32, StoreError> {
    world.db.write(|tx| tx.household_erase(code, "Ada", at(100)))
}

#[test]
fn members_are_imported_once_and_a_preview_keeps_nothing() {
    let mut world = World::credited();
    let plan = members(&[("H1", 0xaa), ("H1", 0xab), ("H2", 0xaa)]);
    let preview = import(&mut world, &plan, true);
    assert_eq!((preview.members.added, preview.applied), (3, false));
    assert_eq!(world.number::<i64>("SELECT count(*) FROM members"), 0);
    assert_eq!(import(&mut world, &plan, false).members.added, 3);
    let again = import(&mut world, &plan, false).members;
    assert_eq!((again.added, again.same), (0, 3));
    let file = world.db.read(|tx| tx.household_for_admin("H1")).unwrap();
    assert_eq!(file.sealed_names, [vec![0xaa; 92], vec![0xab; 92]]);
    let report = import(&mut world, &members(&[("H9", 1)]), false);
    assert_eq!(report.conflicts, [ImportConflict::MemberOfNoHousehold { household: "H9".to_owned() }]);
    world.audit();
}

#[test]
fn an_erased_household_has_no_name_left_in_the_file_and_the_books_stay_provable() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    terminal.sale(1, 1_000, 1_000, 1);
    world.sync(&mut terminal);
    import(&mut world, &members(&[("H1", 0xaa), ("H1", 0xab), ("H2", 0xac)]), false);
    assert!(matches!(erase(&mut world, "H1"), Err(StoreError::Erasure(ErasureRefusal::NotLeft))));
    assert!(matches!(erase(&mut world, "H9"), Err(StoreError::Correction(CorrectionRefusal::NoHousehold))));
    world.db.write(|tx| tx.household_leave("H1", at(50))).unwrap();
    assert!(matches!(world.db.write(|tx| tx.household_erase("H1", " ", at(60))), Err(StoreError::Text("by"))));
    assert_eq!(erase(&mut world, "H1").unwrap(), 2);
    assert!(matches!(erase(&mut world, "H1"), Err(StoreError::Erasure(ErasureRefusal::Erased))));
    let file = world.db.read(|tx| tx.household_for_admin("H1")).unwrap();
    assert_eq!((file.sealed_names.len(), file.figures.contribution, file.figures.erased_at), (0, None, Some(at(100))));
    assert_eq!(world.db.read(|tx| tx.household_for_admin("H2")).unwrap().sealed_names.len(), 1);
    // Nothing personal comes back to it, and it does not come back.
    let mut plan = members(&[("H1", 0xad)]);
    plan.households = vec![super::world::household(1, 2, 0)];
    let erased = || ImportConflict::Erased { household: "H1".to_owned() };
    assert_eq!(import(&mut world, &plan, false).conflicts, [erased(), erased()]);
    assert!(matches!(world.db.write(|tx| tx.household_return("H1")), Err(StoreError::Erasure(ErasureRefusal::Erased))));
    // Not a byte of a name is left, in the file or in its log.
    let bytes = world.bytes();
    let has = |seal: u8| bytes.windows(60).any(|window| window.iter().all(|byte| *byte == seal));
    assert_eq!((has(0xaa), has(0xab), has(0xac)), (false, false, true));
    world.audit();
}

#[test]
fn what_happened_to_a_household_is_one_list_newest_first() {
    let mut world = World::credited();
    world.db.write(|tx| tx.card_block(CardName::Number(1), at(20))).unwrap();
    world.db.write(|tx| tx.household_leave("H1", at(30))).unwrap();
    erase(&mut world, "H1").unwrap();
    let history = world.db.read(|tx| tx.household_for_treasurer("H1")).unwrap().history;
    let told: Vec<_> = history.iter().map(|event| (event.what.as_str(), event.card, event.cents)).collect();
    for event in [("credited", None, Some(cents(15_000))), ("card blocked", Some(1), None), ("came", None, None)] {
        assert!(told.contains(&event), "{event:?} in {told:?}");
    }
    assert_eq!(told[0], ("erased", None, None));
    assert!(history.windows(2).all(|pair| pair[0].at >= pair[1].at), "{told:?}");
    let other = world.db.read(|tx| tx.household_for_treasurer("H2")).unwrap().history;
    assert!(other.iter().all(|event| event.card.is_none()), "another household's card is not told of");
}

#[test]
fn a_name_beside_an_erasure_is_found() {
    for sql in [
        "INSERT INTO members (household, name_sealed) VALUES (1, x'00')",
        "UPDATE households SET contribution_cents = 100 WHERE number = 1",
        "UPDATE households SET left_at = NULL WHERE number = 1",
    ] {
        let mut world = World::credited();
        world.db.write(|tx| tx.household_leave("H1", at(50))).unwrap();
        erase(&mut world, "H1").unwrap();
        world.audit();
        world.tamper(&format!("DROP TRIGGER erased_members; {sql}"));
        let found = world.verify().findings;
        assert!(
            found.iter().any(|finding| finding.to_string().starts_with("erasure: household H1")),
            "{sql}: {found:?}"
        );
    }
}
