//! What terminals are told.

use super::world::{ALL_NEWS, NOW, World, card, card_ref, household};
use crate::store::{CardName, Deliverable, ImportPlan, News, NewsLimits, StoreError, Wake};

fn news(world: &mut World, terminal: &super::world::Terminal, cursor: u64, limits: NewsLimits) -> News {
    world.db.write(|tx| tx.news(terminal.id, terminal.epoch, cursor, limits, NOW)).unwrap()
}

fn names(items: &[Deliverable]) -> Vec<&'static str> {
    items
        .iter()
        .map(|item| match item {
            Deliverable::KeyCert(_) => "key",
            Deliverable::Binding(_) => "binding",
            Deliverable::HotList(_) => "hot list",
            Deliverable::Policy(_) => "policy",
            Deliverable::Grid(_) => "grid",
            Deliverable::TerminalConfig(_) => "config",
            Deliverable::Balance(_) => "balance",
            Deliverable::Recall(_) => "recall",
            Deliverable::Refund(_) => "refund",
            Deliverable::SlotKey(_) => "slot key",
        })
        .collect()
}

#[test]
fn a_new_terminal_gets_everything_in_the_order_in_which_it_came() {
    let mut world = World::credited();
    let terminal = world.terminal("A");
    let all = news(&mut world, &terminal, 0, ALL_NEWS);
    let expected = [
        "key", "policy", "grid", "hot list", "binding", "binding", "binding", "config", "balance", "balance", "balance",
    ];
    assert_eq!(names(&all.items), expected);
    assert!(!all.more);
    let nothing = news(&mut world, &terminal, all.cursor, ALL_NEWS);
    assert_eq!(nothing, News { items: Vec::new(), cursor: all.cursor, more: false });
}

#[test]
fn pages_lose_nothing_and_repeat_nothing() {
    let mut world = World::credited();
    let terminal = world.terminal("A");
    let all = news(&mut world, &terminal, 0, ALL_NEWS).items;
    for limits in [
        NewsLimits { objects_max: 1, bytes_max: 200_000 },
        NewsLimits { objects_max: 4, bytes_max: 200_000 },
        NewsLimits { objects_max: 256, bytes_max: 600 },
        NewsLimits { objects_max: 256, bytes_max: 1 },
    ] {
        let (mut pages, mut cursor) = (Vec::new(), 0);
        loop {
            let page = news(&mut world, &terminal, cursor, limits);
            assert!(page.items.len() <= limits.objects_max && !page.items.is_empty());
            assert!(page.cursor > cursor);
            cursor = page.cursor;
            pages.extend(page.items);
            if !page.more {
                break;
            }
        }
        assert_eq!(pages, all, "{limits:?}");
    }
}

#[test]
fn a_cursor_the_hub_never_gave_counts_as_none() {
    let mut world = World::credited();
    let terminal = world.terminal("A");
    let all = news(&mut world, &terminal, 0, ALL_NEWS);
    assert_eq!(news(&mut world, &terminal, u64::MAX, ALL_NEWS), all);
    assert_eq!(news(&mut world, &terminal, all.cursor + 1, ALL_NEWS), all);
}

#[test]
fn a_blocked_card_makes_a_new_whole_list() {
    let mut world = World::new();
    let terminal = world.terminal("A");
    let cursor = world.db.read(|tx| tx.fund()).unwrap().change;
    world.db.take_wakes();
    assert_eq!(world.db.write(|tx| tx.card_block(CardName::Number(2), NOW)).unwrap().get(), 2);
    assert_eq!(world.db.take_wakes(), [Wake::All]);
    assert_eq!(world.db.write(|tx| tx.card_block(CardName::Ref(card_ref(2)), NOW)).unwrap().get(), 2);
    assert_eq!(world.db.write(|tx| tx.card_block(CardName::Ref(card_ref(1)), NOW)).unwrap().get(), 3);
    let items = news(&mut world, &terminal, cursor, ALL_NEWS).items;
    let [Deliverable::HotList(list)] = items.as_slice() else { panic!("{items:?}") };
    assert_eq!((list.version.get(), list.base.get()), (3, 0));
    assert_eq!(list.cards, [card_ref(1), card_ref(2)]);
    assert_eq!(world.db.write(|tx| tx.card_unblock(CardName::Number(2), NOW)).unwrap().get(), 4);
    assert!(matches!(
        world.db.write(|tx| tx.card_block(CardName::Number(99), NOW)).unwrap_err(),
        StoreError::UnknownCard
    ));
}

#[test]
fn a_full_hot_list_says_so() {
    let mut world = World::new();
    world
        .db
        .conn
        .execute_batch(
            "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 2147)
             INSERT INTO cards (number, ref, tier, purse, version, blocked_at, change)
             SELECT i, unhex(format('%016x', i)), 3, 1, 1, 1, 0 FROM n",
        )
        .unwrap();
    let error = world.db.write(|tx| tx.card_block(CardName::Number(1), NOW)).unwrap_err();
    assert!(matches!(error, StoreError::HotListFull), "{error}");
}

#[test]
fn new_cards_reach_terminals_that_are_up_to_date() {
    let mut world = World::new();
    let terminal = world.terminal("A");
    let cursor = world.db.read(|tx| tx.fund()).unwrap().change;
    let has = |world: &mut World| world.db.read(|tx| tx.has_news(terminal.id, terminal.epoch, cursor, NOW)).unwrap();
    assert!(!has(&mut world));
    world.import(&ImportPlan {
        households: vec![household(1, 1, 0)],
        cards: vec![card(9, 1)],
        ..ImportPlan::default()
    });
    assert!(has(&mut world));
    assert_eq!(names(&news(&mut world, &terminal, cursor, ALL_NEWS).items), ["binding"]);
}

#[test]
fn a_revoked_terminal_hears_of_no_card_and_no_money() {
    let mut world = World::credited();
    let terminal = world.terminal("A");
    world.db.write(|tx| tx.terminal_revoke(terminal.id, NOW)).unwrap();
    let items = news(&mut world, &terminal, 0, ALL_NEWS).items;
    assert_eq!(names(&items), ["key", "policy", "grid", "hot list", "config"]);
}

#[test]
fn another_terminals_balance_is_no_news() {
    let mut world = World::credited();
    let (a, b) = (world.terminal("A"), world.terminal("B"));
    let cursor = world.db.read(|tx| tx.fund()).unwrap().change;
    world.extend(&b, 1, 2_000);
    assert!(!world.db.read(|tx| tx.has_news(a.id, a.epoch, cursor, NOW)).unwrap());
    assert_eq!(names(&news(&mut world, &b, cursor, ALL_NEWS).items), ["balance"]);
}
