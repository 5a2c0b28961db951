//! A run of credits takes from its sources in order, and never beyond a budget without somebody's word.

#![allow(clippy::unwrap_in_result, reason = "a failed unwrap is the test's failure")]

use super::money_in::{budget, contribute, order, source};
use super::world::{World, at, cents, household};
use crate::store::{
    BudgetRefusal, CorrectionOrder, FindingKind, ImportPlan, PaceBy, RunOrder, STEP_HOUSEHOLDS_MAX, StoreError,
};

pub(super) fn run_as(world: &mut World, order: RunOrder<'_>) -> Result<u64, BudgetRefusal> {
    let mut booked = 0;
    loop {
        let result = world.db.write(|tx| tx.credit_run(&order, at(1)));
        if let Err(StoreError::Budget(refusal)) = result {
            return Err(refusal);
        }
        let step = result.unwrap();
        booked += step.cents.get();
        if !step.more {
            return Ok(booked);
        }
    }
}

pub(super) fn run(world: &mut World, period: &str, sources: &[&str]) -> Result<u64, BudgetRefusal> {
    run_as(world, RunOrder { period: period.parse().unwrap(), sources, over: None, extra: false })
}

/// So many more households of one person, `M100` and so on.
pub(super) fn many(world: &mut World, count: u32) {
    let add = format!(
        "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < {})
         INSERT INTO households SELECT i, 'M' || i, 1, 0, NULL, 0, NULL FROM n;
         INSERT INTO purses (ref, household) SELECT unhex(format('%016x', number)), number FROM households
         WHERE number >= 100",
        99 + count
    );
    world.db.conn.execute_batch(&add).unwrap();
}

#[test]
fn a_run_takes_contributions_first_and_each_household_whole() {
    let mut world = World::new();
    contribute(&mut world, &order("H1", 40_000, None));
    let sources = ["Contributions", "Ville de Lyon"];
    let plan = world.db.read(|tx| tx.credit_plan("2026-11".parse().unwrap(), &sources)).unwrap();
    let from: Vec<_> = plan.lines.iter().map(|line| line.source.clone().unwrap()).collect();
    assert_eq!(from, ["Contributions", "Contributions", "Ville de Lyon"]);
    assert_eq!(
        plan.sources,
        [("Contributions".to_owned(), cents(30_000)), ("Ville de Lyon".to_owned(), cents(15_000))]
    );
    assert_eq!(run(&mut world, "2026-11", &sources), Ok(45_000));
    assert_eq!(run(&mut world, "2026-11", &sources), Ok(0), "once, whoever of them paid");
    assert_eq!(source(&mut world, "Contributions").left, Some(cents(10_000)));
    assert_eq!(source(&mut world, "Ville de Lyon").credited, cents(15_000));
    world.audit();
}

#[test]
fn a_budget_is_never_exceeded_by_a_run_and_nothing_is_booked_of_one_that_would() {
    let mut world = World::new();
    budget(&mut world, "Ville de Lyon", 2026, 44_999);
    let short = BudgetRefusal::TooLittle {
        period: "2026-11".parse().unwrap(),
        missing: cents(15_000),
        over: cents(15_000),
        households: 1,
    };
    let plan = world.db.read(|tx| tx.credit_plan("2026-11".parse().unwrap(), &["Ville de Lyon"])).unwrap();
    assert_eq!(plan.missing, cents(15_000), "a preview says so before");
    assert_eq!(run(&mut world, "2026-11", &["Ville de Lyon"]), Err(short));
    assert_eq!(world.number::<i64>("SELECT count(*) FROM transfers"), 0);
    budget(&mut world, "Ville de Lyon", 2026, 45_000);
    assert_eq!(run(&mut world, "2026-11", &["Ville de Lyon"]), Ok(45_000));
    let view = source(&mut world, "Ville de Lyon");
    assert_eq!((view.budget, view.credited, view.left), (Some(cents(45_000)), cents(45_000), Some(cents(0))));
    assert!(run(&mut world, "2026-12", &["Ville de Lyon"]).is_err());
    assert_eq!(run(&mut world, "2027-01", &["Ville de Lyon"]), Ok(45_000), "no budget was set for 2027");
    world.audit();
}

#[test]
fn what_goes_beyond_a_budget_is_agreed_to_by_amount_and_name() {
    let mut world = World::new();
    budget(&mut world, "Ville de Lyon", 2026, 20_000);
    contribute(&mut world, &order("H1", 15_000, None));
    let period = "2026-11".parse().unwrap();
    let over = |sources: &'static [&'static str], amount| RunOrder {
        period,
        sources,
        over: Some((cents(amount), "Bo")),
        extra: false,
    };
    let short = BudgetRefusal::TooLittle { period, missing: cents(15_000), over: cents(15_000), households: 1 };
    let sources = &["Contributions", "Ville de Lyon"];
    assert_eq!(run_as(&mut world, over(sources, 14_999)), Err(short), "not to so much");
    let wrong_way = over(&["Ville de Lyon", "Contributions"], 15_000);
    assert_eq!(run_as(&mut world, wrong_way), Err(BudgetRefusal::OverOfContributions));
    assert_eq!(
        world.number::<i64>("SELECT count(*) FROM credits") + world.number::<i64>("SELECT count(*) FROM overruns"),
        0
    );
    assert_eq!(run_as(&mut world, over(sources, 99_999)), Ok(45_000));
    assert_eq!(run_as(&mut world, over(sources, 99_999)), Ok(0), "agreed to once");
    let view = source(&mut world, "Ville de Lyon");
    assert_eq!((view.agreed_over, view.left, view.over), (cents(15_000), Some(cents(5_000)), cents(0)));
    assert_eq!(world.number::<i64>("SELECT sum(cents) FROM overruns"), 15_000, "just what was missing");
    assert!(run(&mut world, "2026-12", sources).is_err(), "for one run, not for the next");
    world.audit();
}

#[test]
fn a_long_run_that_was_agreed_to_goes_on_after_a_crash_without_a_second_agreement() {
    let mut world = World::new();
    many(&mut world, 1_002);
    // 1,005 households of 150.00: a budget for 500 of them, contributions for one, 504 beyond.
    budget(&mut world, "Ville de Lyon", 2026, 500 * 15_000);
    contribute(&mut world, &order("H1", 15_000, None));
    let (period, sources) = ("2026-11".parse().unwrap(), &["Contributions", "Ville de Lyon"]);
    let agreed = RunOrder { period, sources, over: Some((cents(504 * 15_000), "Bo")), extra: false };
    let step = world.db.write(|tx| tx.credit_run(&agreed, at(1))).unwrap();
    assert_eq!((step.households, step.more), (STEP_HOUSEHOLDS_MAX, true));
    let rest = u64::from(1_005 - STEP_HOUSEHOLDS_MAX) * 15_000;
    assert_eq!(run(&mut world, "2026-11", sources), Ok(rest), "whoever calls next goes on");
    let view = source(&mut world, "Ville de Lyon");
    assert_eq!((view.agreed_over, view.left, view.over), (cents(504 * 15_000), Some(cents(0)), cents(0)));
    world.audit();
}

#[test]
fn a_misspelt_source_credits_nobody_a_second_time() {
    let mut world = World::new();
    budget(&mut world, "Ville de Lyon", 2026, 90_000);
    run(&mut world, "2026-11", &["Ville de Lyon"]).unwrap();
    let unknown = BudgetRefusal::NoBudget { source_name: "Vile de Lyon".to_owned(), year: 2026 };
    assert_eq!(run(&mut world, "2026-11", &["Vile de Lyon"]), Err(unknown));
    assert_eq!(run(&mut world, "2026-11", &[]), Err(BudgetRefusal::Sources));
    assert_eq!(run(&mut world, "2026-11", &["Contributions", "contributions"]), Err(BudgetRefusal::Sources));
    assert_eq!(run(&mut world, "2026-11", &["a"; 9]), Err(BudgetRefusal::Sources));
    assert_eq!(world.number::<i64>("SELECT count(*) FROM credits"), 3);
    assert_eq!(world.number::<i64>("SELECT count(*) FROM sources"), 1, "a refused source is not made");
}

#[test]
fn who_was_credited_by_another_source_is_credited_again_only_where_somebody_says_so() {
    let mut world = World::new();
    contribute(&mut world, &order("H1", 15_000, None));
    assert_eq!(run(&mut world, "2026-11", &["Contributions", "Ville de Lyon"]), Ok(45_000));
    let period = "2026-11".parse().unwrap();
    let elsewhere = BudgetRefusal::CreditedElsewhere { period, households: 1, credited: cents(15_000) };
    assert_eq!(run(&mut world, "2026-11", &["Ville de Lyon"]), Err(elsewhere));
    let plan = world.db.read(|tx| tx.credit_plan(period, &["Ville de Lyon"])).unwrap();
    assert_eq!((plan.elsewhere, plan.to_book), (cents(15_000), cents(15_000)), "a preview says so before");
    let extra = RunOrder { period, sources: &["Ville de Lyon"], over: None, extra: true };
    assert_eq!(run_as(&mut world, extra), Ok(15_000));
    world.audit();
}

#[test]
fn a_household_that_joins_is_paid_by_what_is_left() {
    let mut world = World::new();
    budget(&mut world, "Ville de Lyon", 2026, 60_000);
    run(&mut world, "2026-11", &["Ville de Lyon"]).unwrap();
    world.import(&ImportPlan { households: vec![household(7, 2, 0)], ..ImportPlan::default() });
    assert!(run(&mut world, "2026-11", &["Ville de Lyon"]).is_err(), "225.00 where 150.00 are left");
    contribute(&mut world, &order("H1", 22_500, None));
    assert_eq!(run(&mut world, "2026-11", &["Ville de Lyon", "Contributions"]), Ok(22_500));
    assert_eq!(source(&mut world, "Contributions").left, Some(cents(0)));
    world.audit();
}

#[test]
fn a_contribution_that_bounced_after_it_was_credited_is_shown() {
    let mut world = World::new();
    let id = contribute(&mut world, &order("H1", 45_000, None));
    run(&mut world, "2026-11", &["Contributions"]).unwrap();
    world.db.write(|tx| tx.money_in_take_back(id, "returned by the bank", "Ada", at(1))).unwrap();
    let view = source(&mut world, "Contributions");
    assert_eq!((view.left, view.over), (Some(cents(0)), cents(45_000)));
    world.audit();
}

#[test]
fn a_correction_counts_in_the_budget_of_its_source() {
    let mut world = World::new();
    budget(&mut world, "Ville de Lyon", 2027, 60_000);
    run(&mut world, "2027-01", &["Ville de Lyon"]).unwrap();
    for (is_up, amount, left) in [(true, 5_000, 10_000), (false, 3_000, 13_000)] {
        let order = CorrectionOrder {
            household: "H1".to_owned(),
            source: "Ville de Lyon".to_owned(),
            cents: cents(amount),
            is_up,
            reason: "a child came".to_owned(),
            by: "Ada".to_owned(),
        };
        let id = world.db.write(|tx| tx.correction_propose(&order, at(1))).unwrap();
        world.db.write(|tx| tx.correction_end(id, "Bo", true, at(1))).unwrap();
        let view = world.db.read(|tx| tx.sources(2027)).unwrap().remove(0);
        assert_eq!(view.left, Some(cents(left)));
    }
    world.audit();
}

#[test]
fn the_forecast_goes_on_at_the_pace_of_the_last_months() {
    let mut world = World::new();
    let none = world.db.read(|tx| tx.money_forecast(None, None, at(0))).unwrap_err();
    assert!(matches!(none, StoreError::Budget(BudgetRefusal::NoBudgetOfYear(2027))), "{none}");
    budget(&mut world, "Ville de Lyon", 2026, 150_000);
    budget(&mut world, "Ville de Lyon", 2027, 170_000);
    let by_rule = world.db.read(|tx| tx.money_forecast(None, None, at(0))).unwrap();
    assert_eq!((by_rule.by, by_rule.pace.credited, by_rule.pace.money_in), (PaceBy::Rule, cents(45_000), cents(300)));
    for period in ["2026-10", "2026-11", "2026-12"] {
        run(&mut world, period, &["Ville de Lyon"]).unwrap();
    }
    contribute(&mut world, &order("H1", 15_000, None));
    run(&mut world, "2027-01", &["Contributions", "Ville de Lyon"]).unwrap();
    let found = world.db.read(|tx| tx.money_forecast(None, None, at(0))).unwrap();
    let past: Vec<_> = found.past.iter().map(|(month, pace, left)| (month.to_string(), pace.credited, *left)).collect();
    let whole = cents(45_000);
    let month = |text: &str, left| (text.to_owned(), whole, cents(left));
    assert_eq!(past, [month("2026-10", 105_000), month("2026-11", 75_000), month("2026-12", 30_000)]);
    assert_eq!((found.by, found.pace.credited, found.pace.money_in), (PaceBy::Mean, whole, cents(5_000)));
    assert_eq!((found.means.contributions, found.means.budgets[&2027]), (cents(0), cents(140_000)));
    // January is credited; 5.00 × 10 a month come in: 140 000 last for three months more, and 20 000 + 5 000 are left.
    assert_eq!(found.forecast.lasts_until, Some("2027-04".parse().unwrap()));
    let twice = world.db.read(|tx| tx.money_forecast(None, Some(6), at(0))).unwrap();
    assert_eq!((twice.there, twice.asked, twice.pace.credited), (3, 6, cents(90_000)));
    assert_eq!(twice.forecast.lasts_until, Some("2027-02".parse().unwrap()));
    let rule = world.db.read(|tx| tx.money_forecast(Some(PaceBy::Rule), None, at(0))).unwrap();
    assert_eq!(rule.by, PaceBy::Rule);
}

/// What is wrong, and how it was done: a year of three credits from a budget of 450.00 and an agreement of 450.00.
const FAULTS: [(&str, &str); 5] = [
    ("credit", "DELETE FROM overruns"),
    ("credit", "UPDATE overruns SET cents = cents - 1"),
    ("credit", "UPDATE budgets SET cents = cents - 1"),
    ("agreement 1", "UPDATE overruns SET source = (SELECT number FROM sources WHERE name = 'Contributions')"),
    ("credit", "UPDATE credits SET source = (SELECT number FROM sources WHERE name = 'Contributions')"),
];

#[test]
fn each_planted_fault_is_found_and_named() {
    for (subject, sql) in FAULTS {
        let mut world = World::new();
        budget(&mut world, "Ville de Lyon", 2026, 45_000);
        contribute(&mut world, &order("H1", 100, None));
        run(&mut world, "2026-11", &["Ville de Lyon"]).unwrap();
        let (period, sources) = ("2026-12".parse().unwrap(), &["Contributions", "Ville de Lyon"]);
        run_as(&mut world, RunOrder { period, sources, over: Some((cents(45_000), "Bo")), extra: false }).unwrap();
        world.audit();
        world.tamper(sql);
        let report = world.verify();
        let found = |finding: &crate::store::Finding| {
            finding.kind == FindingKind::Budget && finding.subject.starts_with(subject)
        };
        let all: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
        assert!(report.findings.iter().any(found), "{subject} by {sql}\nfound: {all:#?}");
    }
}
