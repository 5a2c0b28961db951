//! Files of households, cards and shops.

use cabas_protocol::row::Tier;

use super::world::{NOW, World, card, card_ref, household, plan, purse_ref, shop};
use crate::store::{Deliverable, ImportCard, ImportConflict, ImportCount, ImportPlan, ImportReport, Wake};

fn import(world: &mut World, plan: &ImportPlan, dry_run: bool) -> ImportReport {
    let mut next = 100;
    let mut random = || {
        next += 1;
        purse_ref(next)
    };
    world.db.write(|tx| tx.import(plan, &mut random, dry_run, NOW)).unwrap()
}

#[test]
fn the_same_files_change_nothing_the_second_time() {
    let mut world = World::new();
    let before = world.db.read(|tx| tx.fund()).unwrap().change;
    let report = import(&mut world, &plan(), false);
    let same = |same| ImportCount { same, ..ImportCount::default() };
    assert_eq!((report.households, report.cards, report.shops), (same(3), same(3), same(2)));
    assert_eq!(world.db.read(|tx| tx.fund()).unwrap().change, before);
}

#[test]
fn a_dry_run_says_what_it_would_do_and_does_not() {
    let mut world = World::new();
    let plan = ImportPlan {
        households: vec![household(1, 4, 2), household(9, 2, 0)],
        cards: vec![card(9, 9)],
        shops: vec![shop("A", 700), shop("C", 10)],
        members: Vec::new(),
    };
    let dry = import(&mut world, &plan, true);
    assert!(!dry.applied);
    assert_eq!(dry.households, ImportCount { added: 1, changed: 1, same: 0 });
    assert_eq!(dry.shops, ImportCount { added: 1, changed: 1, same: 0 });
    assert_eq!(dry.cards, ImportCount { added: 1, changed: 0, same: 0 });
    assert_eq!(world.number::<i64>("SELECT count(*) FROM households"), 3);
    let done = import(&mut world, &plan, false);
    assert_eq!(done, ImportReport { applied: true, ..dry });
    assert_eq!(world.number::<i64>("SELECT count(*) FROM households"), 4);
    assert_eq!(world.number::<i64>("SELECT size FROM households WHERE code = 'H1'"), 4);
}

#[test]
fn a_conflict_leaves_everything_as_it_was() {
    let known = ImportCard { card: card_ref(1), ..card(1, 1) };
    for (cards, conflict) in [
        (vec![card(9, 8)], ImportConflict::NoSuchHousehold { number: 9, household: "H8".to_owned() }),
        (vec![card(1, 2)], ImportConflict::CardOfAnotherHousehold { number: 1, household: "H2".to_owned() }),
        (vec![ImportCard { card: card_ref(9), ..known.clone() }], ImportConflict::NumberTaken { number: 1 }),
        (vec![ImportCard { number: 9, ..known.clone() }], ImportConflict::CardTaken { number: 9, known: 1 }),
        (vec![ImportCard { tier: Tier::Purse, ..known.clone() }], ImportConflict::OtherTier { number: 1 }),
        (vec![card(9, 1), card(9, 1)], ImportConflict::NumberTaken { number: 9 }),
        (vec![card(9, 1), ImportCard { number: 10, ..card(9, 1) }], ImportConflict::CardTaken { number: 10, known: 9 }),
    ] {
        let mut world = World::new();
        let plan = ImportPlan { cards, shops: vec![shop("Z", 1)], ..ImportPlan::default() };
        let report = import(&mut world, &plan, false);
        assert_eq!(report.conflicts, [conflict]);
        assert!(!report.applied);
        assert_eq!(world.number::<i64>("SELECT count(*) FROM shops"), 2, "{:?}", report.conflicts);
        assert_eq!(world.number::<i64>("SELECT count(*) FROM cards"), 3);
    }
}

#[test]
fn a_household_has_one_purse_and_all_its_cards_share_it() {
    let mut world = World::new();
    import(&mut world, &ImportPlan { cards: vec![card(4, 1)], ..ImportPlan::default() }, false);
    let terminal = world.terminal("A");
    let purses: Vec<_> = world
        .news(&terminal, 0)
        .into_iter()
        .filter_map(
            |item| if let Deliverable::Binding(binding) = item { Some((binding.card, binding.purse)) } else { None },
        )
        .collect();
    assert_eq!(purses.len(), 4);
    assert_eq!(purses[0], (card_ref(1), purse_ref(1)));
    assert_eq!(purses[3], (card_ref(4), purse_ref(1)));
}

#[test]
fn a_new_name_of_a_shop_reaches_its_terminals_alone() {
    let mut world = World::new();
    let (a, b) = (world.terminal("A"), world.terminal("B"));
    let cursor = world.db.read(|tx| tx.fund()).unwrap().change;
    world.db.take_wakes();
    let mut renamed = shop("A", 500);
    renamed.name = "Biocoop".to_owned();
    import(&mut world, &ImportPlan { shops: vec![renamed], ..ImportPlan::default() }, false);
    assert_eq!(world.db.take_wakes(), [Wake::Terminal(a.id)]);
    let news = world.news(&a, cursor);
    let [Deliverable::TerminalConfig(config)] = news.as_slice() else { panic!("{news:?}") };
    assert_eq!((config.shop_name.as_str(), config.version.get()), ("Biocoop", 2));
    assert_eq!(world.news(&b, cursor), []);
}
