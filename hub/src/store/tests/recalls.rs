//! Money that is asked back, and where it goes.

use cabas_protocol::TerminalId;
use cabas_protocol::sync::Recall;

use super::world::{NOW, Terminal, World, at, cents, purse_ref};
use crate::core::card_proof::NoWitness;
use crate::store::{Deliverable, Shortfall, Wake};

fn recalls(world: &mut World, terminal: &Terminal) -> Vec<Recall> {
    let news = world.news(terminal, 0);
    news.into_iter()
        .filter_map(|item| if let Deliverable::Recall(recall) = item { Some(recall) } else { None })
        .collect()
}

fn keeps(world: &mut World, terminal: &Terminal) -> Vec<u64> {
    recalls(world, terminal).iter().map(|recall| recall.keep.get()).collect()
}

/// What a household has free, and what is left to it at each terminal.
fn money(world: &mut World, household: &str) -> (u64, Vec<u64>) {
    let view = world.db.read(|tx| tx.household_money(household)).unwrap().unwrap();
    let left = view.slices.iter().map(|slice| slice.allowed.minus(slice.claimed).unwrap().get());
    (view.free.get(), left.collect())
}

fn recall_for(world: &mut World, terminal: &Terminal, level: u64, connected: &[TerminalId]) -> Shortfall {
    let (id, epoch) = (terminal.id, terminal.epoch);
    world.extend(terminal, 1, level);
    world.db.write(|tx| tx.recall_for(id, epoch, purse_ref(1), cents(level), connected, NOW)).unwrap()
}

#[test]
fn whoever_is_enrolled_later_gets_its_part_from_whoever_came_first() {
    let mut world = World::credited();
    let mut first = world.terminal("A");
    world.allocate();
    assert_eq!(money(&mut world, "H1"), (6_000, vec![9_000]));
    let second = world.terminal("B");
    world.allocate();
    assert_eq!(keeps(&mut world, &first), [4_500; 3]);
    let recall = recalls(&mut world, &first)[0].clone();
    // Meanwhile it sold some: it hands back what is above the level.
    first.sale(1, 1_000, 1_000, 1);
    first.answer(&recall, 3_500, 4_500, 1);
    world.sync(&mut first);
    assert_eq!(keeps(&mut world, &first).len(), 2, "an answered recall is not sent again");
    assert_eq!(money(&mut world, "H1"), (5_600, vec![4_500, 3_900]));
    assert_eq!(recalls(&mut world, &second), []);
    world.audit();
}

#[test]
fn what_a_sale_lacks_is_asked_from_those_who_are_connected() {
    let mut world = World::new();
    let (mut a, b) = (world.terminal("A"), world.terminal("B"));
    world.credit("2026-11");
    assert_eq!(money(&mut world, "H1"), (6_000, vec![4_500, 4_500]));
    let short = Shortfall { short: cents(1_500), is_funded: true, recalled: 0 };
    assert_eq!(recall_for(&mut world, &b, 12_000, &[b.id]), short, "the other one is not there");
    assert_eq!(recalls(&mut world, &a), []);
    world.db.take_wakes();
    assert_eq!(recall_for(&mut world, &b, 12_000, &[a.id, b.id]), Shortfall { recalled: 1, ..short });
    assert_eq!(world.db.take_wakes(), [Wake::Terminal(a.id), Wake::Terminal(b.id)]);
    let [recall] = <[Recall; 1]>::try_from(recalls(&mut world, &a)).unwrap();
    assert_eq!(recall.keep, cents(3_000));
    a.answer(&recall, 1_500, 1_500, 1);
    world.sync(&mut a);
    assert!(world.db.take_wakes().contains(&Wake::Freed(purse_ref(1))));
    assert_eq!(recall_for(&mut world, &b, 12_000, &[a.id]), Shortfall::default());
    assert_eq!(money(&mut world, "H1"), (0, vec![3_000, 12_000]));
    let too_much = recall_for(&mut world, &b, 15_001, &[a.id]);
    assert_eq!(too_much, Shortfall { short: cents(3_001), is_funded: false, recalled: 1 }, "nobody has that much");
    world.audit();
}

#[test]
fn two_sales_that_ask_for_the_same_money_both_hear_when_it_comes() {
    let mut world = World::new();
    let (mut a, b) = (world.terminal("A"), world.terminal("B"));
    world.credit("2026-11");
    recall_for(&mut world, &b, 11_000, &[a.id]);
    let first = recalls(&mut world, &a).pop().unwrap();
    recall_for(&mut world, &b, 12_000, &[a.id]);
    assert_ne!(recalls(&mut world, &a).pop().unwrap().request, first.request, "written over by the next");
    a.answer(&first, 500, 500, 1);
    world.db.take_wakes();
    world.sync(&mut a);
    assert!(world.db.take_wakes().contains(&Wake::Freed(purse_ref(1))));
    world.audit();
}

#[test]
fn a_recall_that_nobody_answers_is_asked_again() {
    let mut world = World::credited();
    let first = world.terminal("A");
    world.allocate();
    let _second = world.terminal("B");
    world.allocate();
    let asked = |world: &mut World| recalls(world, &first)[0].request;
    let divide = |world: &mut World, now| {
        world.db.write(|tx| tx.allocate_all()).unwrap();
        world.db.write(|tx| tx.allocate_pending(now)).unwrap();
    };
    let before = asked(&mut world);
    divide(&mut world, at(3_599));
    assert_eq!(asked(&mut world), before);
    divide(&mut world, at(3_600));
    assert_ne!(asked(&mut world), before);
    world.audit();
}

#[test]
fn a_slice_that_is_raised_may_keep_what_it_has() {
    let mut world = World::new();
    let (mut a, b) = (world.terminal("A"), world.terminal("B"));
    world.credit("2026-11");
    recall_for(&mut world, &b, 12_000, &[a.id]);
    let late = recalls(&mut world, &a).pop().unwrap();
    world.credit("2026-12");
    assert_eq!(recalls(&mut world, &a), []);
    // It answers all the same what it heard before: a return like any other.
    let before = money(&mut world, "H1").0;
    a.answer(&late, 1_500, 1_500, 1);
    world.sync(&mut a);
    assert_eq!(money(&mut world, "H1").0, before + 1_500);
    world.audit();
}

#[test]
fn a_person_asks_a_households_money_back() {
    let mut world = World::new();
    let (mut a, b) = (world.terminal("A"), world.terminal("B"));
    world.credit("2026-11");
    let by_hand = |world: &mut World, terminal: Option<TerminalId>, keep| {
        world.db.write(|tx| tx.recall_by_hand(purse_ref(1), terminal, cents(keep), NOW)).unwrap()
    };
    assert_eq!(by_hand(&mut world, Some(a.id), 500), 1);
    assert_eq!(by_hand(&mut world, None, 4_500), 0, "nobody has more");
    assert_eq!((keeps(&mut world, &a), keeps(&mut world, &b)), (vec![500], vec![]));
    assert_eq!(by_hand(&mut world, None, 0), 2);
    assert_eq!((keeps(&mut world, &a), keeps(&mut world, &b)), (vec![0], vec![0]));
    let recall = recalls(&mut world, &a).pop().unwrap();
    a.answer(&recall, 4_500, 4_500, 1);
    world.sync(&mut a);
    let view = world.db.read(|tx| tx.household_money("H1")).unwrap().unwrap();
    let answered: Vec<_> = view.slices.iter().map(|slice| slice.recall.map(|recall| recall.answered_at)).collect();
    assert_eq!(answered, [Some(Some(NOW)), Some(None)]);
    assert_eq!(view.free, cents(10_500));
    world.audit();
}

#[test]
fn a_household_finds_its_money_where_it_buys() {
    let mut world = World::new();
    let (mut a, _b) = (world.terminal("A"), world.terminal("B"));
    world.credit("2026-11");
    a.sale(1, 4_500, 4_500, 1);
    a.hand_back(2, 4_500, 4_500, 1);
    world.sync(&mut a);
    world.credit("2026-12");
    let (_, bought) = money(&mut world, "H1");
    let (_, handed_back) = money(&mut world, "H2");
    assert!(bought[0] > bought[1], "{bought:?}");
    assert_eq!(handed_back[0], handed_back[1], "what came back was not bought");
    world.audit();
}

#[test]
fn a_stall_finds_its_floor_before_its_market_day_once_a_day() {
    let mut world = World::credited();
    let (_a, mut stall) = (world.terminal("A"), world.terminal("B"));
    stall.start();
    world.sync(&mut stall);
    world.allocate();
    // 2027-01-15, now, is a Friday.
    let lay = |world: &mut World, day: u64| {
        let laid = world.db.write(|tx| tx.lay_floors(at(day * 86_400))).unwrap();
        while world.db.write(|tx| tx.allocate_pending(at(day * 86_400))).unwrap().more {}
        laid
    };
    assert!(!lay(&mut world, 0), "no shop has a floor");
    world.db.write(|tx| tx.shop_floor("B", cents(2_000), 0b000_0010)).unwrap();
    world.allocate();
    assert!(!lay(&mut world, 0), "Tuesday is far");
    assert_eq!(money(&mut world, "H1"), (6_000, vec![9_000]));
    assert!(lay(&mut world, 3), "the day before");
    assert!(!lay(&mut world, 3), "once");
    assert_eq!(money(&mut world, "H1"), (4_000, vec![9_000, 2_000]));
    assert!(lay(&mut world, 4));
    assert_eq!(money(&mut world, "H1"), (4_000, vec![9_000, 2_000]));
    assert!(!lay(&mut world, 5));
    world.audit();
}

#[test]
fn a_terminal_whose_sales_come_at_once_needs_little() {
    let mut world = World::new();
    let (mut steady, mut late) = (world.terminal("A"), world.terminal("B"));
    let day = |days: u64| at(days * 86_400);
    for (terminal, made) in [(&mut steady, day(15)), (&mut late, day(14))] {
        terminal.clock.0 = made;
        terminal.sale(1, 1, 1, 1);
        let upload = terminal.upload();
        world.db.write(|tx| tx.ingest(&upload, &NoWitness, day(15))).unwrap();
        let contact = crate::store::Contact {
            terminal: terminal.id,
            epoch: terminal.epoch,
            status: terminal.status(),
            cursor: 0,
        };
        world.db.write(|tx| tx.contact(&contact, day(15))).unwrap();
    }
    let period = "2026-11".parse().unwrap();
    while world.db.write(|tx| tx.credit_book(period, "Ville", day(15))).unwrap().more {}
    let (free, left) = money(&mut world, "H1");
    assert_eq!((free, left), (9_375, vec![1_125, 4_500]));
    world.audit();
}
