//! What a run is to book is fixed when it begins: whatever changes meanwhile, just that is booked, or it stops.

use super::money_in::{budget, contribute, order, source};
use super::money_run::{many, run, run_as};
use super::voted::rule;
use super::world::{World, at, cents, household};
use crate::core::household_rules::Household;
use crate::core::period::Period;
use crate::store::{
    BudgetRefusal, CorrectionRefusal, FindingKind, ImportPlan, RuleRefusal, RunOrder, RunView, STEP_HOUSEHOLDS_MAX,
    StoreError,
};

const SOURCES: &[&str] = &["Contributions", "Ville de Lyon"];

fn november() -> Period {
    "2026-11".parse().unwrap()
}

/// 123 households of 150.00: contributions for one, a budget for 100, 22 beyond it.
fn begun() -> (World, u32) {
    let mut world = World::new();
    many(&mut world, 120);
    contribute(&mut world, &order("H1", 15_000, None));
    budget(&mut world, "Ville de Lyon", 2026, 100 * 15_000);
    let over = Some((cents(22 * 15_000), "Bo"));
    let order = RunOrder { period: november(), sources: SOURCES, over, extra: false };
    let run = world.db.write(|tx| tx.credit_begin(&order, at(1))).unwrap().unwrap();
    (world, run)
}

fn step(world: &mut World, run: u32) -> Result<bool, StoreError> {
    world.db.write(|tx| tx.credit_step(run, at(1))).map(|report| report.more)
}

fn view(world: &mut World, run: u32) -> RunView {
    world.db.read(|tx| tx.credit_run_view(run)).unwrap()
}

fn finish(world: &mut World, run: u32) {
    while step(world, run).unwrap() {}
}

#[test]
fn a_run_books_just_what_was_fixed_whatever_changes_between_its_steps() {
    let (mut world, run) = begun();
    let fixed = view(&mut world, run);
    assert_eq!((fixed.households, fixed.cents, fixed.over), (123, cents(123 * 15_000), cents(22 * 15_000)));
    assert!(step(&mut world, run).unwrap());
    world.audit();
    // A rule, a household that grows, one that joins, a budget that falls, money that would be spent twice.
    let dear = rule("2026-11", 99_900, None);
    let refused = world.db.write(|tx| tx.rule_set(dear, "Ada", at(1))).unwrap_err();
    assert!(matches!(refused, StoreError::Voted(RuleRefusal::Credited { .. })), "{refused}");
    let grown = Household::new(5, 1).unwrap();
    world.db.write(|tx| tx.household_change("M219", grown, None, "Ada", at(1))).unwrap();
    world.import(&ImportPlan { households: vec![household(7, 2, 0)], ..ImportPlan::default() });
    budget(&mut world, "Ville de Lyon", 2026, 1);
    let plan = world.db.read(|tx| tx.credit_plan(november(), SOURCES)).unwrap();
    let waiting = u64::from(123 - STEP_HOUSEHOLDS_MAX);
    assert_eq!((plan.to_book, plan.missing), (cents(waiting * 15_000), cents(0)), "the preview says what is to come");
    finish(&mut world, run);
    assert_eq!(world.number::<i64>("SELECT count(*) FROM credits WHERE cents = 15000"), 123);
    assert_eq!(world.number::<i64>("SELECT sum(cents) FROM overruns"), 22 * 15_000);
    assert_eq!(world.number::<i64>("SELECT count(*) FROM credits WHERE household = 7"), 0, "it was not shown");
    assert_eq!(source(&mut world, "Contributions").left, Some(cents(0)));
    world.audit();
}

#[test]
fn a_rule_waits_for_the_month_of_a_run_from_the_moment_it_was_fixed() {
    let (mut world, run) = begun();
    let dear = rule("2026-11", 99_900, None);
    assert!(world.db.write(|tx| tx.rule_set(dear, "Ada", at(1))).is_err(), "nothing is booked, but all is fixed");
    finish(&mut world, run);
    assert_eq!(view(&mut world, run).waiting, 0);
    world.audit();
}

#[test]
fn what_was_agreed_beyond_a_budget_is_for_the_month_and_not_again_for_each_run() {
    let (mut world, number) = begun();
    finish(&mut world, number);
    world.import(&ImportPlan { households: vec![household(7, 1, 0)], ..ImportPlan::default() });
    let with = |over| RunOrder { period: november(), sources: SOURCES, over: Some((cents(over), "Bo")), extra: false };
    let (before, all) = (22 * 15_000, 23 * 15_000);
    let short =
        BudgetRefusal::TooLittle { period: november(), missing: cents(15_000), over: cents(all), households: 1 };
    for agreed in [15_000, before, all - 1] {
        assert_eq!(run_as(&mut world, with(agreed)), Err(short.clone()), "{agreed}");
    }
    let plan = world.db.read(|tx| tx.credit_plan(november(), SOURCES)).unwrap();
    assert_eq!((plan.missing, plan.over), (cents(15_000), cents(all)));
    assert_eq!(world.number::<i64>("SELECT sum(cents) FROM overruns"), i64::try_from(before).unwrap());
    assert_eq!(run_as(&mut world, with(all)), Ok(15_000));
    assert_eq!(world.number::<i64>("SELECT sum(cents) FROM overruns"), i64::try_from(all).unwrap());
    world.audit();
}

#[test]
fn a_household_that_leaves_stops_the_run_and_another_one_credits_the_rest() {
    let (mut world, number) = begun();
    assert!(step(&mut world, number).unwrap());
    world.db.write(|tx| tx.household_leave("M219", at(1))).unwrap();
    let stopped = step(&mut world, number).unwrap_err();
    assert!(matches!(stopped, StoreError::Voted(RuleRefusal::PlanChanged(_))), "{stopped}");
    assert!(view(&mut world, number).is_stopped);
    assert_eq!(world.number::<i64>("SELECT count(*) FROM credits"), i64::from(STEP_HOUSEHOLDS_MAX));
    world.audit();
    // Of what was agreed only what was taken counts; 21 households are beyond the budget without the one that left.
    let over = Some((cents(21 * 15_000), "Bo"));
    let rest = RunOrder { period: november(), sources: SOURCES, over, extra: false };
    assert_eq!(run_as(&mut world, rest), Ok(u64::from(122 - STEP_HOUSEHOLDS_MAX) * 15_000));
    assert_eq!(world.number::<i64>("SELECT count(*) FROM credits"), 122);
    assert_eq!(world.number::<i64>("SELECT sum(cents) FROM overruns"), 21 * 15_000);
    world.audit();
}

#[test]
fn a_household_that_was_credited_may_leave_while_the_run_goes_on() {
    let (mut world, number) = begun();
    assert!(step(&mut world, number).unwrap());
    world.db.write(|tx| tx.household_leave("H1", at(1))).unwrap();
    finish(&mut world, number);
    assert_eq!(world.number::<i64>("SELECT count(*) FROM credits"), 123);
    world.audit();
}

#[test]
fn one_run_of_a_month_goes_at_a_time() {
    let (mut world, number) = begun();
    assert!(step(&mut world, number).unwrap());
    let open = BudgetRefusal::RunOpen { period: november(), sources: SOURCES.join(", ") };
    for others in [&["Ville de Lyon"][..], &["Ville de Lyon", "Contributions"]] {
        assert_eq!(run(&mut world, "2026-11", others), Err(open.clone()));
    }
    let again = RunOrder { period: november(), sources: &["contributions ", "Ville de Lyon"], over: None, extra: true };
    let again = world.db.write(|tx| tx.credit_begin(&again, at(2))).unwrap();
    assert_eq!(again, Some(number), "it is gone on with, as it was fixed");
    finish(&mut world, number);
    assert_eq!(run(&mut world, "2026-11", SOURCES), Ok(0));
    world.audit();
}

#[test]
fn what_a_run_has_still_to_take_is_not_there_for_another_month() {
    let mut world = World::new();
    many(&mut world, 120);
    budget(&mut world, "Ville de Lyon", 2026, 200 * 15_000);
    let order = RunOrder { period: november(), sources: &["Ville de Lyon"], over: None, extra: false };
    let number = world.db.write(|tx| tx.credit_begin(&order, at(1))).unwrap().unwrap();
    assert!(step(&mut world, number).unwrap());
    let short = BudgetRefusal::TooLittle {
        period: "2026-12".parse().unwrap(),
        missing: cents(46 * 15_000),
        over: cents(46 * 15_000),
        households: 46,
    };
    assert_eq!(run(&mut world, "2026-12", &["Ville de Lyon"]), Err(short), "200 - 123 are left for 123");
    finish(&mut world, number);
    world.audit();
}

#[test]
fn a_household_that_changed_before_its_line_was_booked_gets_a_correction_for_the_month() {
    let (mut world, number) = begun();
    assert!(step(&mut world, number).unwrap());
    let grown = Household::new(2, 0).unwrap();
    for proposed in [1, 0] {
        let since = Some(november());
        let ids = world.db.write(|tx| tx.household_change("M219", grown, since, "Ada", at(1))).unwrap();
        assert_eq!(ids.len(), proposed, "it is proposed once");
    }
    finish(&mut world, number);
    let ids = world.db.write(|tx| tx.household_change("M219", grown, Some(november()), "Ada", at(1))).unwrap();
    assert_eq!(ids.len(), 0, "nor again once it is booked");
    assert_eq!(world.number::<i64>("SELECT sum(cents) FROM corrections WHERE is_up"), 7_500);
    world.audit();
}

#[test]
fn a_correction_of_a_credit_is_booked_after_it_and_withdrawn_where_the_run_is_stopped() {
    let (mut world, number) = begun();
    assert!(step(&mut world, number).unwrap());
    let grown = Household::new(2, 0).unwrap();
    let mut change =
        |code: &str| world.db.write(|tx| tx.household_change(code, grown, Some(november()), "Ada", at(1))).unwrap();
    // The first was credited, the second was not yet.
    let (of_credited, of_waiting) = (change("H1")[0], change("M218")[0]);
    let early = world.db.write(|tx| tx.correction_end(of_waiting, "Bo", true, at(2))).unwrap_err();
    assert!(matches!(early, StoreError::Correction(CorrectionRefusal::NotCredited(id)) if id == of_waiting), "{early}");
    world.db.write(|tx| tx.household_leave("M219", at(3))).unwrap();
    let open = world.db.read(|tx| tx.corrections_waiting(9)).unwrap();
    assert_eq!(open.iter().map(|view| view.id).collect::<Vec<_>>(), [of_credited]);
    let noted = world.db.read(|tx| tx.audit_page(None)).unwrap();
    let noted: Vec<_> =
        noted.iter().map(|entry| (&*entry.who, &*entry.what, &*entry.subject, &*entry.detail)).collect();
    let subject = format!("correction {of_waiting}");
    assert_eq!(noted, [("cabas-hub", "correction-withdrawn", &*subject, "credit run 1 was stopped")]);
    world.db.write(|tx| tx.correction_end(of_credited, "Bo", true, at(4))).unwrap();
    // The next run credits both of them by two people, and nothing beside it.
    let rest = RunOrder { period: november(), sources: SOURCES, over: Some((cents(99 * 15_000), "Bo")), extra: false };
    run_as(&mut world, rest).unwrap();
    assert_eq!(world.number::<i64>("SELECT cents FROM credits WHERE household = 218"), 22_500);
    assert_eq!(world.number::<i64>("SELECT sum(cents) FROM corrections WHERE state = 1"), 7_500);
    world.audit();
}

/// A run of two steps, of whom one is booked; then a budget of next to nothing is the year's first.
fn half_booked_before_a_budget(agreed_before: bool) -> World {
    let mut world = World::new();
    many(&mut world, 120);
    if agreed_before {
        contribute(&mut world, &order("H1", 1, None));
        budget(&mut world, "Ville de Lyon", 2026, 123 * 15_000);
    }
    let order = RunOrder { period: november(), sources: &["Ville de Lyon"], over: None, extra: false };
    let number = world.db.write(|tx| tx.credit_begin(&order, at(1))).unwrap().unwrap();
    assert!(step(&mut world, number).unwrap());
    if !agreed_before {
        world.db.write(|tx| tx.budget_set("Ville de Lyon", 2026, cents(1), "Ada", at(2))).unwrap();
    }
    while world.db.write(|tx| tx.credit_step(number, at(3))).unwrap().more {}
    world
}

#[test]
fn a_run_is_held_against_the_budgets_of_when_it_was_fixed_and_no_later_ones() {
    let mut world = half_booked_before_a_budget(false);
    world.audit();
    let wrong = |world: &mut World| {
        let found = world.verify().findings;
        found.iter().filter(|finding| finding.to_string().contains("went beyond what its source had")).count()
    };
    // Begun after the budget, the same is wrong; and so is a run that had less than it gave.
    world.tamper("UPDATE credit_runs SET begun_at = (SELECT set_at + 1 FROM budgets)");
    assert_eq!(wrong(&mut world), 1);
    let mut world = half_booked_before_a_budget(true);
    world.audit();
    world.tamper("UPDATE budgets SET cents = cents - 1");
    assert_eq!(wrong(&mut world), 1);
}

/// What is wrong, and how it was done: a run that went to its end, 22 households beyond a budget.
const FAULTS: [(FindingKind, &str, &str); 10] = [
    (FindingKind::Credit, "run 1", "UPDATE credit_runs SET cents = cents + 1"),
    (FindingKind::Credit, "run 1", "UPDATE credit_runs SET households = households - 1"),
    (FindingKind::Credit, "run 1", "UPDATE credit_runs SET state = 0, ended_at = NULL"),
    (FindingKind::Credit, "run 1", "UPDATE credit_run_lines SET credit = NULL WHERE household = 2"),
    (FindingKind::Credit, "run 1", "UPDATE credit_run_lines SET cents = cents + 1 WHERE household = 2"),
    (FindingKind::Credit, "run 1", "UPDATE credit_run_lines SET size = 2 WHERE household = 2"),
    (FindingKind::Credit, "credit 2", "DELETE FROM credit_run_lines WHERE household = 2"),
    (FindingKind::Budget, "run 1", "UPDATE overruns SET cents = cents - 1 WHERE id = 1"),
    (FindingKind::Budget, "run 1", "UPDATE overruns SET run = NULL WHERE id = 1"),
    (FindingKind::Budget, "run 1", "UPDATE credit_runs SET agreed_cents = agreed_cents - 1"),
];

#[test]
fn each_planted_fault_is_found_and_named() {
    for (kind, subject, sql) in FAULTS {
        let (mut world, number) = begun();
        finish(&mut world, number);
        world.tamper(sql);
        let report = world.verify();
        let found = report.findings.iter().any(|finding| finding.kind == kind && finding.subject == subject);
        let all: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
        assert!(found, "{subject} by {sql}\nfound: {all:#?}");
    }
}

#[test]
fn the_file_itself_keeps_what_a_run_is_to_book() {
    let (mut world, number) = begun();
    assert!(step(&mut world, number).unwrap());
    for sql in [
        "UPDATE credit_runs SET cents = cents + 1",
        "UPDATE credit_runs SET agreed_cents = agreed_cents + 1",
        "UPDATE credit_run_lines SET cents = cents + 1 WHERE household = 219",
        "UPDATE credit_run_lines SET credit = NULL WHERE household = 1",
        "DELETE FROM credit_run_lines WHERE household = 219",
        "DELETE FROM credit_runs",
    ] {
        assert!(world.db.conn.execute_batch(sql).is_err(), "{sql}");
    }
}
