//! Slices: allocation, extension, conservation.

use cabas_protocol::sync::Standing;
use cabas_protocol::{Scope, Serial};

use super::world::{NOW, World, at, cents, purse_ref};
use crate::store::{Deliverable, StoreError};

fn balances(world: &mut World, terminal: &super::world::Terminal, cursor: u64) -> Vec<(u64, u32)> {
    let news = world.news(terminal, cursor);
    let balances = news.into_iter().filter_map(|item| {
        if let Deliverable::Balance(balance) = item {
            Some((balance.allowed.get(), balance.serial.get()))
        } else {
            None
        }
    });
    balances.collect()
}

#[test]
fn a_credit_leaves_four_tenths_free_and_divides_the_rest_by_weight() {
    let mut world = World::new();
    let (a, b) = (world.terminal("A"), world.terminal("B"));
    world.credit("2026-11");
    assert_eq!(balances(&mut world, &a, 0), [(4_500, 1); 3]);
    assert_eq!(balances(&mut world, &b, 0), [(4_500, 1); 3]);
    let view = world.db.read(|tx| tx.household_money("H1")).unwrap().unwrap();
    assert_eq!((view.credited, view.free, view.slices.len()), (cents(15_000), cents(6_000), 2));
    world.audit();
}

#[test]
fn an_enrolment_after_the_credit_gets_slices_too() {
    let mut world = World::credited();
    let a = world.terminal("A");
    assert_eq!(balances(&mut world, &a, 0), [(9_000, 1); 3]);
    let b = world.terminal("B");
    assert_eq!(balances(&mut world, &b, 0), [], "slices only grow: what lies at the first stays there");
    world.audit();
}

#[test]
fn an_extension_is_a_level_and_a_repeated_one_raises_no_more() {
    let mut world = World::credited();
    let terminal = world.terminal("A");
    let balance = world.extend(&terminal, 1, 10_000).unwrap();
    assert_eq!((balance.allowed, balance.serial), (cents(10_000), Serial::new(2)));
    assert_eq!(balance.scope, Scope::Terminal(terminal.id, terminal.epoch));
    assert_eq!(world.extend(&terminal, 1, 10_000).unwrap(), balance);
    assert_eq!(world.extend(&terminal, 1, 500).unwrap(), balance);
    world.audit();
}

#[test]
fn an_extension_goes_as_far_as_the_money_goes() {
    let mut world = World::credited();
    let terminal = world.terminal("A");
    let all = world.extend(&terminal, 1, 999_999).unwrap();
    assert_eq!(all.allowed, cents(15_000));
    assert_eq!(world.extend(&terminal, 1, 999_999).unwrap(), all);
    let other = world.terminal("B");
    assert_eq!(world.extend(&other, 1, 1), None, "no money, no balance");
    world.audit();
}

#[test]
fn an_extension_for_an_unknown_purse_is_refused() {
    let mut world = World::credited();
    let terminal = world.terminal("A");
    assert!(matches!(world.try_extend(&terminal, 99, 1).unwrap_err(), StoreError::UnknownPurse));
}

#[test]
fn only_the_newest_enrolment_of_a_terminal_is_raised() {
    let mut world = World::credited();
    let old = world.terminal("A");
    let new = world.enrol_again(old.id);
    assert_eq!(world.extend(&old, 1, 12_000).unwrap().allowed, cents(9_000));
    assert_eq!(world.extend(&new, 1, 12_000).unwrap().allowed, cents(6_000));
    world.audit();
}

#[test]
fn a_quarantined_or_revoked_terminal_is_never_raised() {
    let mut world = World::new();
    let (mut forked, revoked) = (world.terminal("A"), world.terminal("B"));
    let mut copy = forked.clone();
    forked.start();
    world.sync(&mut forked);
    copy.start();
    copy.sale(1, 5, 5, 1);
    copy.acked = forked.acked;
    copy.journal.remove(0);
    assert_eq!(world.ingest(&copy.upload_of(copy.acked, &copy.journal)).standing, Standing::Live);
    let mut fork = forked.clone();
    fork.head = fork.head_at(0);
    fork.sale(1, 5, 5, 1);
    assert_eq!(world.ingest(&fork.upload_of(fork.head_at(0), &fork.journal[1..])).standing, Standing::Quarantined);
    world.db.write(|tx| tx.terminal_revoke(revoked.id, NOW)).unwrap();
    world.credit("2026-11");
    assert_eq!(world.number::<i64>("SELECT count(*) FROM slices"), 0);
    for (terminal, standing) in [(&forked, Standing::Quarantined), (&revoked, Standing::Revoked)] {
        let error = world.try_extend(terminal, 1, 5).unwrap_err();
        assert!(matches!(error, StoreError::NotLive(found) if found == standing), "{error}");
    }
    world.audit();
}

#[test]
fn a_pending_allocation_survives_a_restart() {
    let mut world = World::credited();
    world.db.conn.execute_batch("UPDATE fund SET allocate_from = 0").unwrap();
    let path = world.path();
    drop(std::mem::replace(&mut world.db, crate::store::Db::open(&path, crate::store::OpenMode::Existing).unwrap()));
    let step = world.db.write(|tx| tx.allocate_pending(NOW)).unwrap();
    assert_eq!((step.purses, step.more), (3, false));
    assert_eq!(world.db.write(|tx| tx.allocate_pending(NOW)).unwrap().purses, 0, "nothing is pending");
}

#[test]
fn a_balance_that_grows_old_is_made_anew_with_the_same_money() {
    let mut world = World::credited();
    let terminal = world.terminal("A");
    let cursor = world.db.read(|tx| tx.fund()).unwrap().change;
    let month = 30 * 86_400;
    let (id, epoch) = (terminal.id, terminal.epoch);
    assert!(!world.db.read(|tx| tx.has_news(id, epoch, cursor, at(month - 1))).unwrap());
    assert!(world.db.read(|tx| tx.has_news(id, epoch, cursor, at(month))).unwrap());
    let news = world.db.write(|tx| tx.news(id, epoch, cursor, super::world::ALL_NEWS, at(month))).unwrap();
    assert_eq!(news.items.len(), 3);
    for item in &news.items {
        let Deliverable::Balance(balance) = item else { panic!("{item:?}") };
        let got = (balance.allowed, balance.serial, balance.issued_at);
        assert_eq!(got, (cents(9_000), Serial::new(2), at(month)));
    }
    assert!(!world.db.read(|tx| tx.has_news(id, epoch, news.cursor, at(month))).unwrap());
    world.audit();
}

#[test]
fn slices_never_hold_more_than_was_credited() {
    let mut world = World::credited();
    let (a, b) = (world.terminal("A"), world.terminal("B"));
    for level in [100, 5_000, 20_000] {
        world.extend(&a, 2, level);
        world.extend(&b, 2, level);
    }
    let view = world.db.read(|tx| tx.household_money("H2")).unwrap().unwrap();
    assert_eq!(view.purse, purse_ref(2));
    let allowed: u64 = view.slices.iter().map(|slice| slice.allowed.get()).sum();
    assert_eq!(allowed + view.free.get(), 15_000);
    world.audit();
}
