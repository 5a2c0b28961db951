//! Money in: noted once, taken back by a counter-entry, reported by month.

use super::world::{World, at, cents};
use crate::core::ledger::AccountId;
use crate::store::{FindingKind, MoneyInOrder, MoneyInRefusal, Payer, SourceView, StoreError};

/// 2026-11-03; the world's clock (2027-01-15) has passed it.
pub(super) const DAY: u32 = 20_760;

pub(super) fn order(household: &str, amount: u64, reference: Option<&str>) -> MoneyInOrder {
    MoneyInOrder {
        payer: Payer::Household(household.to_owned()),
        cents: cents(amount),
        day: DAY,
        reference: reference.map(str::to_owned),
        by: "Ada".to_owned(),
        again: false,
    }
}

pub(super) fn contribute(world: &mut World, order: &MoneyInOrder) -> u64 {
    world.db.write(|tx| tx.money_in_add(order, at(0))).unwrap().id
}

pub(super) fn budget(world: &mut World, source: &str, year: u16, amount: u64) {
    world.db.write(|tx| tx.budget_set(source, year, cents(amount), "Ada", at(0))).unwrap();
}

pub(super) fn refused(result: Result<impl std::fmt::Debug, StoreError>) -> MoneyInRefusal {
    let Err(StoreError::MoneyIn(refusal)) = result else { panic!("{result:?}") };
    refusal
}

pub(super) fn source(world: &mut World, name: &str) -> SourceView {
    let sources = world.db.read(|tx| tx.sources(2026)).unwrap();
    sources.into_iter().find(|source| source.name == name).unwrap()
}

#[test]
fn a_contribution_goes_to_the_source_of_contributions_and_waits_for_the_bank() {
    let mut world = World::new();
    contribute(&mut world, &order("H1", 2_500, None));
    contribute(&mut world, &order("H2", 400, Some("bank 1")));
    let source = source(&mut world, "Contributions");
    assert_eq!((source.left, source.credited, source.is_contributions), (Some(cents(2_900)), cents(0), true));
    let waits = world.db.read(|tx| tx.account(AccountId::INCOMING)).unwrap();
    assert_eq!((waits.debits, waits.credits), (cents(2_900), cents(0)));
    world.audit();
}

#[test]
fn a_funder_pays_into_its_own_source_and_contributions_are_not_a_funder() {
    let mut world = World::new();
    budget(&mut world, "Ville de Lyon", 2026, 100_000);
    let paid = |name: &str| MoneyInOrder { payer: Payer::Source(name.to_owned()), ..order("", 60_000, None) };
    contribute(&mut world, &paid("Ville de Lyon"));
    let view = source(&mut world, "Ville de Lyon");
    assert_eq!((view.paid_in, view.left), (cents(60_000), Some(cents(100_000))), "a budget is what was promised");
    for (name, why) in [
        ("Vile de Lyon", MoneyInRefusal::NoSource),
        ("Contributions", MoneyInRefusal::OfHouseholds),
        (" contributions ", MoneyInRefusal::OfHouseholds),
    ] {
        assert_eq!(refused(world.db.write(|tx| tx.money_in_add(&paid(name), at(0)))), why, "{name}");
    }
    assert!(world.db.write(|tx| tx.budget_set("contributions", 2026, cents(1), "Ada", at(0))).is_err());
    let report = world.db.read(|tx| tx.contribution_report(2026)).unwrap();
    assert_eq!(report.received, cents(0), "a funder's payment is no contribution");
    world.audit();
}

#[test]
fn a_payment_is_booked_once_however_often_it_is_told() {
    let mut world = World::new();
    let first = order("H1", 2_500, Some("bank 7"));
    let id = contribute(&mut world, &first);
    let again = world.db.write(|tx| tx.money_in_add(&first, at(5))).unwrap();
    assert_eq!((again.id, again.before), (id, true));
    let other = order("H2", 2_500, Some("bank 7"));
    assert_eq!(refused(world.db.write(|tx| tx.money_in_add(&other, at(0)))), MoneyInRefusal::ReferenceTaken(id));
    let nameless = order("H1", 2_500, None);
    assert_eq!(refused(world.db.write(|tx| tx.money_in_add(&nameless, at(0)))), MoneyInRefusal::Alike(id));
    let said = MoneyInOrder { again: true, ..nameless };
    assert!(!world.db.write(|tx| tx.money_in_add(&said, at(0))).unwrap().before, "somebody says it is another one");
    assert_eq!(world.number::<i64>("SELECT count(*) FROM transfers WHERE kind = 40"), 2);
    world.audit();
}

#[test]
fn what_cannot_be_is_refused_and_books_nothing() {
    let mut world = World::new();
    let add = |world: &mut World, order: MoneyInOrder| refused(world.db.write(|tx| tx.money_in_add(&order, at(0))));
    assert_eq!(add(&mut world, order("H9", 100, None)), MoneyInRefusal::NoHousehold);
    assert_eq!(add(&mut world, order("H1", 0, None)), MoneyInRefusal::Nothing);
    for day in [0, 18_261, 20_834, u32::MAX] {
        assert_eq!(add(&mut world, MoneyInOrder { day, ..order("H1", 1, None) }), MoneyInRefusal::Day(day));
    }
    for reference in ["", " ", "a\nb", &"x".repeat(65)] {
        let order = order("H1", 100, Some(reference));
        let error = world.db.write(|tx| tx.money_in_add(&order, at(0))).unwrap_err();
        assert!(matches!(error, StoreError::Text("reference")), "{reference:?}: {error}");
    }
    assert_eq!(world.number::<i64>("SELECT count(*) FROM transfers"), 0);
    assert_eq!(world.number::<i64>("SELECT count(*) FROM money_in"), 0);
    assert_eq!(world.number::<i64>("SELECT count(*) FROM sources"), 0, "a refused payment makes no source");
}

#[test]
fn a_contribution_is_corrected_by_a_counter_entry_and_never_changed() {
    let mut world = World::new();
    let id = contribute(&mut world, &order("H1", 2_500, Some("bank 1")));
    let back = |world: &mut World, id| world.db.write(|tx| tx.money_in_take_back(id, "wrong household", "Bo", at(1)));
    let counter = back(&mut world, id).unwrap();
    assert_eq!(refused(back(&mut world, id)), MoneyInRefusal::TakenBackBefore(id));
    assert_eq!(refused(back(&mut world, counter)), MoneyInRefusal::CounterEntry(counter));
    assert_eq!(refused(back(&mut world, 99)), MoneyInRefusal::Unknown(99));
    let order = order("H1", 2_500, Some("bank 1"));
    let again = world.db.write(|tx| tx.money_in_add(&order, at(2)));
    assert_eq!(refused(again), MoneyInRefusal::ReferenceTakenBack(id));
    assert!(world.db.write(|tx| tx.money_in_take_back(id, " ", "Bo", at(1))).is_err(), "a reason is needed");
    assert_eq!(source(&mut world, "Contributions").left, Some(cents(0)));
    assert!(world.db.conn.execute("UPDATE money_in SET cents = 1", []).is_err());
    assert!(world.db.conn.execute("DELETE FROM money_in", []).is_err());
    let list = world.db.read(|tx| tx.money_in_list(true, Some(2026))).unwrap();
    let list: Vec<_> = list.into_iter().map(|view| (view.id, view.takes_back, view.taken_back_by)).collect();
    assert_eq!(list, [(counter, Some(id), None), (id, None, Some(counter))]);
    world.audit();
}

#[test]
fn an_import_books_all_or_nothing_and_a_second_time_nothing() {
    let mut world = World::new();
    let good = [order("H1", 100, Some("a")), order("H2", 200, Some("b"))];
    let bad = [good[0].clone(), order("H9", 300, Some("c")), order("H2", 1, Some("a"))];
    let import = |world: &mut World, orders: &[MoneyInOrder], dry| {
        world.db.write(|tx| tx.money_in_import(orders, dry, at(0))).unwrap()
    };
    let refused = import(&mut world, &bad, false).refused;
    assert_eq!(refused, [(1, MoneyInRefusal::NoHousehold), (2, MoneyInRefusal::ReferenceTaken(1))]);
    assert_eq!(import(&mut world, &good, true).added, 2);
    assert_eq!(world.number::<i64>("SELECT count(*) FROM transfers"), 0);
    let booked = import(&mut world, &good, false);
    assert_eq!((booked.added, booked.added_cents, booked.before), (2, cents(300), 0));
    let again = import(&mut world, &good, false);
    assert_eq!((again.added, again.before), (0, 2));
    assert_eq!(world.number::<i64>("SELECT count(*) FROM transfers"), 2);
    world.audit();
}

#[test]
fn what_was_agreed_stands_beside_what_came_and_beside_the_plan() {
    let mut world = World::new();
    world.tamper("UPDATE households SET created_at = 1793491200, left_at = iif(code = 'H3', 1795000000, NULL)");
    budget(&mut world, "Ville de Lyon", 2026, 8_000);
    budget(&mut world, "Ville de Lyon", 2026, 10_000);
    budget(&mut world, "Région", 2026, 2_000);
    budget(&mut world, "Région", 2027, 5_000);
    contribute(&mut world, &order("H1", 2_500, None));
    contribute(&mut world, &order("H1", 500, None));
    let bounced = contribute(&mut world, &order("H2", 100, None));
    world.db.write(|tx| tx.money_in_take_back(bounced, "bounced", "Ada", at(0))).unwrap();
    contribute(&mut world, &MoneyInOrder { day: DAY + 30, ..order("H2", 0, None) }.cents(7));
    let report = world.db.read(|tx| tx.contribution_report(2026)).unwrap();
    let months: Vec<_> = report.months.iter().map(|month| (month.expected, month.received, month.payers)).collect();
    let none = (cents(0), cents(0), 0);
    assert_eq!(months[..10], [none; 10]);
    assert_eq!(months[10..], [(cents(300), cents(3_000), 1), (cents(200), cents(7), 1)]);
    assert_eq!((report.budgets, report.received_permille, report.planned_percent), (cents(12_000), Some(250), 30));
    world.db.write(|tx| tx.share_plan_set(25, "Ada", at(0))).unwrap();
    assert_eq!(world.db.read(|tx| tx.contribution_report(2026)).unwrap().planned_percent, 25);
    assert_eq!(world.db.read(|tx| tx.contribution_report(2025)).unwrap().received_permille, None);
    assert!(world.db.write(|tx| tx.share_plan_set(101, "Ada", at(0))).is_err());
}

impl MoneyInOrder {
    fn cents(self, amount: u64) -> Self {
        Self { cents: cents(amount), ..self }
    }
}

#[test]
fn no_shop_and_no_terminal_is_told_what_a_household_contributes() {
    let mut world = World::credited();
    let terminal = world.terminal("A");
    let news = |world: &mut World| format!("{:?}", world.news(&terminal, 0));
    let before = news(&mut world);
    contribute(&mut world, &order("H1", 12_345, Some("bank 1")));
    assert_eq!(news(&mut world), before);
}

/// What is wrong, where it shows, and how it was done.
const FAULTS: [(FindingKind, &str, &str); 10] = [
    (FindingKind::Transfer, "transfer 1", "UPDATE money_in SET cents = cents + 1 WHERE id = 1"),
    (FindingKind::Transfer, "transfer 1", "UPDATE money_in SET source = 2 WHERE id = 1"),
    (FindingKind::MoneyIn, "money in 3", "UPDATE money_in SET cents = cents - 1 WHERE id = 3"),
    (FindingKind::MoneyIn, "money in 3", "UPDATE money_in SET takes_back = 1 WHERE id = 3"),
    (FindingKind::MoneyIn, "money in 3", "DELETE FROM money_in WHERE id = 2"),
    (FindingKind::MoneyIn, "money in 3", "UPDATE money_in SET household = 1 WHERE id = 3"),
    (FindingKind::MoneyIn, "money in 1", "UPDATE money_in SET household = NULL WHERE id = 1"),
    (
        FindingKind::MoneyIn,
        "all money in",
        "INSERT INTO money_in (id, household, source, cents, day, said_by, said_at) VALUES (4, 1, 1, 5, 20000, 'x', 0)",
    ),
    (FindingKind::Account, "incoming", "UPDATE accounts SET debits = debits + 1 WHERE id = (3 << 56)"),
    (FindingKind::MoneyIn, "money in 1", "UPDATE sources SET name = 'Contribution' WHERE name = 'Contributions'"),
];

#[test]
fn each_planted_fault_is_found_and_named() {
    for (kind, subject, sql) in FAULTS {
        let mut world = World::new();
        contribute(&mut world, &order("H1", 2_500, None));
        let id = contribute(&mut world, &order("H2", 400, None));
        world.db.write(|tx| tx.money_in_take_back(id, "wrong", "Ada", at(1))).unwrap();
        budget(&mut world, "Ville de Lyon", 2026, 1);
        world.audit();
        world.tamper(sql);
        let report = world.verify();
        let found = report.findings.iter().any(|finding| finding.kind == kind && finding.subject.starts_with(subject));
        let all: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
        assert!(found, "{kind:?} of {subject} by {sql}\nfound: {all:#?}");
    }
}
