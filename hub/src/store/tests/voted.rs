//! What the members vote: rules, expiry, corrections, households that leave, grids.

use cabas_protocol::objects::Category;
use cabas_protocol::row::Line;
use cabas_protocol::{CategoryId, Cents, RowBody, Timestamp, Version};

use super::world::{NOW, Terminal, World, at, cents, household, sale};
use crate::core::household_rules::{Household, Rule};
use crate::core::period::Period;
use crate::store::{
    AlarmKind, Contact, CorrectionOrder, CorrectionRefusal, Deliverable, GoodwillRule, ImportPlan, RuleRefusal,
    StoreError,
};

fn period(text: &str) -> Period {
    text.parse().unwrap()
}

pub(super) fn rule(from: &str, first: u64, expire_months: Option<u32>) -> Rule {
    let (first_person, other) = (cents(first), Cents::ZERO);
    Rule { from: period(from), first_person, further_person: other, child_under_14: other, expire_months }
}

fn set(world: &mut World, rule: Rule) -> Result<(), StoreError> {
    world.db.write(|tx| tx.rule_set(rule, "the assembly", NOW))
}

fn order(amount: u64, is_up: bool) -> CorrectionOrder {
    CorrectionOrder {
        household: "H1".to_owned(),
        cents: cents(amount),
        is_up,
        source: "Ville de Lyon".to_owned(),
        reason: "a birth".to_owned(),
        by: "Ada".to_owned(),
    }
}

fn correct(world: &mut World, amount: u64, is_up: bool) {
    let id = world.db.write(|tx| tx.correction_propose(&order(amount, is_up), NOW)).unwrap();
    world.db.write(|tx| tx.correction_end(id, "Bo", true, NOW)).unwrap();
}

/// Free at the hub, left at terminals, and still to be withheld.
fn money(world: &mut World, household: &str) -> (u64, u64, u64) {
    let view = world.db.read(|tx| tx.household_money(household)).unwrap().unwrap();
    let left = view.slices.iter().map(|slice| slice.allowed.minus(slice.claimed).unwrap().get()).sum();
    (view.free.get(), left, view.withheld.get())
}

/// A call of a terminal that has sent everything.
fn heard(world: &mut World, terminal: &Terminal, now: Timestamp) {
    let contact = Contact { terminal: terminal.id, epoch: terminal.epoch, status: terminal.status(), cursor: 0 };
    world.db.write(|tx| tx.contact(&contact, now)).unwrap();
}

fn expire(world: &mut World, month: &str, now: Timestamp) -> Result<u64, StoreError> {
    let preview = world.db.read(|tx| tx.expiry_preview(period(month), now))?;
    let (booked, more) = world.db.write(|tx| tx.expiry_book(period(month), 0, now))?;
    assert_eq!((Cents::sum(preview.iter().map(|line| line.cents))?, more), (booked, None));
    Ok(booked.get())
}

#[test]
fn a_rule_holds_from_a_month_that_was_not_booked_and_is_never_changed() {
    let mut world = World::credited();
    let refusal = |result: Result<(), StoreError>| {
        let error = result.unwrap_err();
        if let StoreError::Voted(refusal) = error { refusal } else { panic!("{error}") }
    };
    let (november, december) = (period("2026-11"), period("2026-12"));
    assert_eq!(
        refusal(set(&mut world, rule("2026-11", 1, None))),
        RuleRefusal::Credited { from: november, newest: november }
    );
    assert_eq!(refusal(set(&mut world, rule("2026-12", 0, None))), RuleRefusal::Nothing);
    set(&mut world, rule("2026-12", 10_000, None)).unwrap();
    assert_eq!(refusal(set(&mut world, rule("2026-12", 1, None))), RuleRefusal::Taken(december));
    assert!(world.db.conn.execute("UPDATE credit_rules SET first_person = 1", []).is_err());
    world.credit("2026-11");
    world.credit("2026-12");
    let view = world.db.read(|tx| tx.household_money("H1")).unwrap().unwrap();
    assert_eq!(view.credited, cents(25_000));
    world.audit();
    world.tamper("UPDATE credit_rules SET first_person = 10001 WHERE from_period = '2026-12'");
    assert!(world.verify().found > 0, "credits are held against the rule of their time");
}

#[test]
fn two_people_give_a_household_more_or_less_and_less_is_withheld_from_what_comes() {
    let mut world = World::credited();
    let terminal = world.terminal("A");
    assert_eq!(money(&mut world, "H1"), (6_000, 9_000, 0));
    let id = world.db.write(|tx| tx.correction_propose(&order(2_000, true), NOW)).unwrap();
    let end = |world: &mut World, id, by: &str, books| world.db.write(|tx| tx.correction_end(id, by, books, NOW));
    let refused = |result: Result<(), StoreError>| {
        let error = result.unwrap_err();
        if let StoreError::Correction(refusal) = error { refusal } else { panic!("{error}") }
    };
    assert_eq!(refused(end(&mut world, id, " ADA ", true)), CorrectionRefusal::SamePerson);
    assert_eq!(refused(end(&mut world, 9, "Bo", true)), CorrectionRefusal::Unknown(9));
    assert_eq!(money(&mut world, "H1"), (6_000, 9_000, 0), "nothing moves before two said so");
    end(&mut world, id, "Bo", true).unwrap();
    assert_eq!(refused(end(&mut world, id, "Cy", true)), CorrectionRefusal::Ended(id));
    assert_eq!(money(&mut world, "H1"), (6_800, 10_200, 0), "what is given is divided");
    world.audit();
    correct(&mut world, 10_000, false);
    assert_eq!(money(&mut world, "H1"), (0, 10_200, 3_200));
    world.audit();
    let back = world.db.write(|tx| tx.correction_propose(&order(1, true), NOW)).unwrap();
    end(&mut world, back, "Ada", false).unwrap();
    world.credit("2026-12");
    assert_eq!(money(&mut world, "H1").2, 0);
    let all = money(&mut world, "H1");
    assert_eq!(all.0 + all.1, 15_000 + 2_000 - 10_000 + 15_000);
    assert_eq!(world.extend(&terminal, 1, 99_999).unwrap().allowed, cents(22_000), "never less than before");
    world.audit();
    let listed = world.db.read(|tx| tx.corrections(9)).unwrap();
    let states: Vec<_> = listed.iter().map(|view| (view.is_booked, view.ended_by.as_deref())).collect();
    assert_eq!(states, [(false, Some("Ada")), (true, Some("Bo")), (true, Some("Bo"))]);
}

#[test]
fn what_is_withheld_comes_from_what_is_handed_back_too() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    correct(&mut world, 8_000, false);
    assert_eq!(money(&mut world, "H1"), (0, 9_000, 2_000));
    terminal.hand_back(1, 5_000, 5_000, 1);
    world.sync(&mut terminal);
    assert_eq!(money(&mut world, "H1"), (3_000, 4_000, 0));
    world.audit();
}

#[test]
fn the_oldest_money_expires_once_by_the_rule_of_its_month() {
    let mut world = World::new();
    set(&mut world, rule("2026-08", 10_000, Some(2))).unwrap();
    let mut terminal = world.terminal("A");
    for month in ["2026-08", "2026-09", "2026-10", "2026-11"] {
        world.credit(month);
    }
    terminal.start();
    world.sync(&mut terminal);
    let (november_end, later) = (period("2026-12").start(), period("2026-12").start().after_s(5));
    let refused = |result: Result<u64, StoreError>| {
        let error = result.unwrap_err();
        if let StoreError::Voted(refusal) = error { refusal } else { panic!("{error}") }
    };
    let early = Timestamp::new(november_end.get() - 1);
    assert_eq!(refused(expire(&mut world, "2026-11", early)), RuleRefusal::NotOver(period("2026-11")));
    assert_eq!(refused(expire(&mut world, "2026-07", later)), RuleRefusal::NothingExpires(period("2026-07")));
    // The terminal was not heard since: what lies there may be spent.
    heard(&mut world, &terminal, early);
    let (free, left, _) = money(&mut world, "H1");
    assert_eq!(free + left, 40_000);
    assert_eq!(world.db.read(|tx| tx.expiry_preview(period("2026-11"), later)).unwrap(), []);
    terminal.sale(1, 5_000, 5_000, 4);
    heard(&mut world, &terminal, later);
    assert_eq!(world.db.read(|tx| tx.expiry_preview(period("2026-11"), later)).unwrap(), [], "a row is not here yet");
    world.sync(&mut terminal);
    heard(&mut world, &terminal, later);
    assert_eq!(expire(&mut world, "2026-11", later).unwrap(), 15_000 + 20_000 + 20_000);
    let (free, left, withheld) = money(&mut world, "H1");
    assert_eq!(free + left - withheld, 20_000, "the money of two months stays");
    assert_eq!(expire(&mut world, "2026-11", later).unwrap(), 0, "once");
    world.audit();
    world.credit("2026-12");
    assert_eq!(money(&mut world, "H1").2, 0);
    world.audit();
}

#[test]
fn a_household_that_grows_or_shrinks_is_corrected_by_two_people() {
    let mut world = World::credited();
    world.credit("2026-12");
    let change = |world: &mut World, size, since: Option<&str>| {
        let people = Household::new(size, 0).unwrap();
        world.db.write(|tx| tx.household_change("H1", people, since.map(period), "Ada", NOW)).unwrap()
    };
    assert_eq!(change(&mut world, 2, None), [0; 0], "from the next credit on");
    let proposed = change(&mut world, 3, Some("2026-12"));
    assert_eq!(proposed.len(), 1);
    world.db.write(|tx| tx.correction_end(proposed[0], "Bo", true, NOW)).unwrap();
    assert_eq!(money(&mut world, "H1"), (30_000 + 15_000, 0, 0));
    world.credit("2027-01");
    assert_eq!(money(&mut world, "H1"), (45_000 + 30_000, 0, 0));
    assert_eq!(change(&mut world, 3, Some("2026-12")), [0; 0], "that was corrected already");
    let november = change(&mut world, 3, Some("2026-11"));
    assert_eq!(november.len(), 1);
    assert_eq!(change(&mut world, 3, Some("2026-11")), [0; 0], "that is proposed already");
    world.db.write(|tx| tx.correction_end(november[0], "Ada", false, NOW)).unwrap();
    let shrunk = change(&mut world, 1, Some("2027-01"));
    world.db.write(|tx| tx.correction_end(shrunk[0], "Bo", true, NOW)).unwrap();
    assert_eq!(money(&mut world, "H1"), (60_000, 0, 0));
    world.audit();
    let unknown = world.db.write(|tx| tx.household_change("H9", Household::new(1, 0).unwrap(), None, "", NOW));
    assert!(matches!(unknown, Err(StoreError::Correction(CorrectionRefusal::NoHousehold))));
}

#[test]
fn a_household_that_leaves_spends_no_more_and_what_comes_back_expires() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    terminal.sale(1, 1_000, 1_000, 1);
    let expired = world.db.write(|tx| tx.household_leave("H1", NOW)).unwrap();
    assert_eq!(expired, cents(6_000));
    assert_eq!(world.db.write(|tx| tx.household_leave("H1", at(5))).unwrap(), Cents::ZERO, "once");
    let news = world.news(&terminal, 0);
    let recall = news.iter().find_map(|item| if let Deliverable::Recall(recall) = item { Some(recall) } else { None });
    let recall = recall.unwrap().clone();
    assert!(news.iter().any(|item| matches!(item, Deliverable::HotList(list) if list.cards.len() == 1)));
    terminal.answer(&recall, 8_000, 9_000, 1);
    let outcome = world.sync(&mut terminal);
    assert_eq!((outcome.settled, outcome.over_right), (cents(9_000), Cents::ZERO), "what was sold before is paid");
    assert_eq!(world.db.write(|tx| tx.expire_left(at(9))).unwrap(), cents(8_000));
    assert_eq!(money(&mut world, "H1"), (0, 0, 0));
    world.credit("2026-12");
    assert_eq!(money(&mut world, "H1"), (0, 0, 0), "it is credited no more");
    assert_eq!(world.extend(&terminal, 1, 5_000).unwrap().allowed, cents(9_000));
    terminal.refund(1, terminal.place(1), 400, 1);
    world.sync(&mut terminal);
    assert_eq!(money(&mut world, "H1"), (400, 0, 0), "a refund is not laid where nobody spends it");
    assert_eq!(world.db.write(|tx| tx.expire_left(at(9))).unwrap(), cents(400));
    world.audit();
    world.db.write(|tx| tx.household_return("H1")).unwrap();
    world.credit("2026-12");
    assert_eq!(money(&mut world, "H1"), (6_000, 9_000, 0));
    let views = world.db.read(|tx| tx.households()).unwrap();
    assert!(views.iter().all(|view| view.left_at.is_none()) && views.len() == 3);
    world.audit();
}

fn category(id: u16, share_percent: u8) -> Category {
    Category { id: CategoryId::new(id), share_percent, label_fr: "Fruits".to_owned(), label_en: "Fruit".to_owned() }
}

#[test]
fn a_shop_has_its_own_grid_from_a_day_on() {
    let mut world = World::credited();
    let (a, b) = (world.terminal("A"), world.terminal("B"));
    let set = |world: &mut World, shop, categories: &[Category]| {
        world.db.write(|tx| tx.grid_set(shop, categories, 20_000, NOW))
    };
    assert_eq!(set(&mut world, Some("B"), &[category(1, 70), category(2, 30)]).unwrap(), Version::new(2));
    assert!(matches!(set(&mut world, Some("Z"), &[category(1, 70)]), Err(StoreError::UnknownShop)));
    assert!(matches!(set(&mut world, None, &[category(1, 70), category(1, 30)]), Err(StoreError::Text("categories"))));
    let grids = |world: &mut World, terminal: &Terminal| {
        let news = world.news(terminal, 0);
        let versions = news.into_iter().filter_map(|item| {
            if let Deliverable::Grid(grid) = item { Some((grid.version.get(), grid.terminal)) } else { None }
        });
        versions.collect::<Vec<_>>()
    };
    assert_eq!(grids(&mut world, &a), [(1, a.id)]);
    assert_eq!(grids(&mut world, &b), [(1, b.id), (2, b.id)]);
    // At its own shop a grid is right; another shop's, and none, are not.
    for (shop, grid, alarms) in [("B", 2, 0), ("A", 2, 1), ("A", 0, 1), ("A", 1, 1)] {
        let mut terminal = world.terminal(shop);
        let line = Line { category: CategoryId::new(1), requested: cents(100), fund: cents(70), member: cents(30) };
        let sold = sale(1, 70, 70, 1);
        terminal.write(RowBody::Sale(cabas_protocol::row::Sale {
            lines: vec![line],
            grid: Version::new(grid),
            ..sold
        }));
        let split = world.sync(&mut terminal).alarms.iter().filter(|alarm| **alarm == AlarmKind::Split).count();
        assert_eq!(split, alarms, "{shop} {grid}");
    }
    let views = world.db.read(|tx| tx.grids()).unwrap();
    let shown: Vec<_> = views.iter().map(|grid| (grid.version.get(), grid.shop.as_deref())).collect();
    assert_eq!(shown, [(2, Some("B")), (1, None)]);
}

#[test]
fn a_sale_that_was_not_split_by_its_grid_is_settled_and_raises_an_alarm() {
    let mut world = World::credited();
    world.db.write(|tx| tx.grid_set(None, &[category(1, 70)], 0, NOW)).unwrap();
    let mut terminal = world.terminal("A");
    let split = |fund: u64, asked: Option<u64>| {
        let line = Line {
            category: CategoryId::new(1),
            requested: cents(1_000),
            fund: cents(fund),
            member: cents(1_000 - fund),
        };
        let asked = asked.map(cents);
        cabas_protocol::row::Sale { lines: vec![line], grid: Version::new(2), asked, ..sale(1, fund, 0, 1) }
    };
    let mut spent = 0;
    for (fund, asked, alarms) in [
        (700, None, vec![]),
        (500, Some(700), vec![]),
        (800, None, vec![AlarmKind::Split]),
        (701, Some(701), vec![AlarmKind::Split]),
    ] {
        spent += fund;
        terminal.write(RowBody::Sale(cabas_protocol::row::Sale { spent_after: cents(spent), ..split(fund, asked) }));
        let outcome = world.sync(&mut terminal);
        assert_eq!((outcome.alarms, outcome.settled), (alarms, cents(fund)), "{fund}");
    }
    world.audit();
}

#[test]
fn verification_finds_each_fault_in_corrections_and_expiries() {
    let faults = [
        "UPDATE corrections SET cents = cents + 1 WHERE id = 1",
        "UPDATE corrections SET is_up = 1 WHERE id = 2",
        "UPDATE corrections SET purse = 2 WHERE id = 1",
        "UPDATE corrections SET ended_by = 'ada' WHERE id = 1",
        "UPDATE corrections SET state = 0, ended_by = NULL, ended_at = NULL WHERE id = 2",
        "DELETE FROM corrections WHERE id = 2",
        "UPDATE corrections SET state = 1 WHERE id = 3",
        "UPDATE expiries SET cents = cents - 1",
        "UPDATE expiries SET purse = 2",
        "DELETE FROM expiries",
        "INSERT INTO expiries VALUES (77, 2, 5, NULL, 0)",
        "UPDATE transfers SET cents = cents + 1 WHERE kind = 25",
        "UPDATE transfers SET cause = 1 WHERE kind = 25",
        "DELETE FROM transfers WHERE kind = 8",
        "UPDATE transfers SET kind = 10 WHERE kind = 8",
        "UPDATE accounts SET debits = debits + 1, credits = credits + 1 WHERE id >> 56 = 11",
    ];
    for fault in faults {
        let mut world = World::credited();
        let _terminal = world.terminal("A");
        correct(&mut world, 500, true);
        correct(&mut world, 7_000, false);
        let withdrawn = world.db.write(|tx| tx.correction_propose(&order(5, true), NOW)).unwrap();
        world.db.write(|tx| tx.correction_end(withdrawn, "Bo", false, NOW)).unwrap();
        world.db.write(|tx| tx.household_leave("H3", NOW)).unwrap();
        world.audit();
        world.tamper(fault);
        assert!(world.verify().found > 0, "not found: {fault}");
    }
}

#[test]
fn an_import_changes_people_for_the_next_credit() {
    let mut world = World::credited();
    world.import(&ImportPlan {
        households: vec![household(1, 3, 1)],
        cards: Vec::new(),
        shops: Vec::new(),
        members: Vec::new(),
    });
    world.credit("2026-12");
    let view = world.db.read(|tx| tx.household_money("H1")).unwrap().unwrap();
    assert_eq!(view.credited, cents(15_000 + 26_500));
    world.audit();
}

#[test]
fn nothing_is_advanced_of_what_is_to_be_withheld_or_to_who_is_gone() {
    let mut world = World::credited();
    let terminal = world.terminal("A");
    let rule = GoodwillRule { is_on: true, per_household: cents(9_000), total: cents(90_000), silent_days: 7 };
    world.db.write(|tx| tx.goodwill_set(rule)).unwrap();
    heard(&mut world, &terminal, NOW);
    correct(&mut world, 6_000 + 5_000, false);
    world.db.write(|tx| tx.household_leave("H2", NOW)).unwrap();
    // H1 has 90 there, of which 50 are to be withheld; H2 is gone; H3 has 90.
    let advanced = world.db.write(|tx| tx.goodwill_advance(at(8 * 86_400))).unwrap();
    assert_eq!(advanced, cents(4_000 + 9_000));
    world.audit();
}
