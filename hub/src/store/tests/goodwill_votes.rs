//! Goodwill by two people, whom a credit run leaves out, and what waits for a second person.

use super::world::{NOW, World, at, cents, household};
use crate::store::{
    CorrectionOrder, Exception, FindingKind, GoodwillRefusal, GoodwillRule, ImportPlan, PROPOSAL_VALID_S,
    ProposalState, StoreError,
};

fn rule(household: u64, total: u64, silent_days: u32) -> GoodwillRule {
    GoodwillRule { is_on: true, per_household: cents(household), total: cents(total), silent_days }
}

fn propose(world: &mut World, rule: GoodwillRule, now: u64) -> Result<u64, StoreError> {
    world.db.write(|tx| tx.goodwill_propose(rule, "Ada", at(now)))
}

fn refused<T: std::fmt::Debug>(result: Result<T, StoreError>) -> GoodwillRefusal {
    let error = result.unwrap_err();
    if let StoreError::Goodwill(refusal) = error { refusal } else { panic!("{error}") }
}

#[test]
fn goodwill_stands_as_two_people_say_and_advances_what_lies_at_silent_terminals() {
    let mut world = World::credited();
    world.terminal("A");
    for (wrong, days) in [((0, 1), 1), ((1, 0), 1), ((1, 1), 0), ((1, 1), 366)] {
        assert_eq!(refused(propose(&mut world, rule(wrong.0, wrong.1, days), 0)), GoodwillRefusal::Limits);
    }
    let id = propose(&mut world, rule(1_000, 1_500, 1), 0).unwrap();
    assert_eq!(refused(propose(&mut world, rule(1, 1, 1), 5)), GoodwillRefusal::Waits(id));
    let approve = |world: &mut World, id, by: &str, now| world.db.write(|tx| tx.goodwill_approve(id, by, at(now)));
    assert_eq!(refused(approve(&mut world, id, " ADA ", 5)), GoodwillRefusal::SamePerson);
    assert_eq!(refused(approve(&mut world, 9, "Bo", 5)), GoodwillRefusal::Unknown(9));
    assert!(!world.db.read(|tx| tx.goodwill_rule()).unwrap().is_on, "nothing is switched before two said so");
    let day = 86_400;
    assert_eq!(approve(&mut world, id, "Bo", 2 * day).unwrap(), cents(1_500), "within the limit of the fund");
    assert_eq!(refused(approve(&mut world, id, "Cy", 2 * day)), GoodwillRefusal::Ended(id));
    assert_eq!(world.db.read(|tx| tx.goodwill_rule()).unwrap(), rule(1_000, 1_500, 1));
    world.audit();
}

#[test]
fn a_proposal_that_nobody_approved_in_thirty_days_makes_place() {
    let mut world = World::credited();
    let id = propose(&mut world, rule(1_000, 1_500, 1), 0).unwrap();
    let (last, late) = (PROPOSAL_VALID_S - 1, PROPOSAL_VALID_S);
    assert_eq!(refused(propose(&mut world, rule(1, 1, 1), last)), GoodwillRefusal::Waits(id));
    let waiting = |world: &mut World, now| world.db.read(|tx| tx.waiting_count(at(now))).unwrap();
    assert_eq!((waiting(&mut world, last), waiting(&mut world, late)), (1, 0));
    let late_by = world.db.write(|tx| tx.goodwill_approve(id, "Bo", at(late)));
    assert_eq!(refused(late_by), GoodwillRefusal::TooOld(id));
    assert!(world.db.read(|tx| tx.goodwill_open(at(late))).unwrap().is_none());
    let next = propose(&mut world, rule(2_000, 2_500, 7), late).unwrap();
    world.db.write(|tx| tx.goodwill_withdraw(next, "Ada", at(late))).unwrap();
    let listed = world.db.read(|tx| tx.goodwill_proposals(9, at(late))).unwrap();
    let states: Vec<_> = listed.iter().map(|proposal| proposal.state).collect();
    assert_eq!(states, [ProposalState::Withdrawn, ProposalState::Expired]);
    world.audit();
}

#[test]
fn goodwill_that_was_not_switched_by_two_people_in_time_is_found() {
    for fault in [
        "UPDATE goodwill_proposals SET ended_by = ' ADA' WHERE id = 1",
        "UPDATE goodwill_proposals SET ended_at = ended_at + 2592000 WHERE id = 1",
    ] {
        let mut world = World::credited();
        let id = propose(&mut world, rule(1_000, 1_500, 1), 0).unwrap();
        world.db.write(|tx| tx.goodwill_approve(id, "Bo", at(1))).unwrap();
        world.audit();
        world.tamper(fault);
        let found = world.verify().findings;
        let named = found.iter().any(|one| one.kind == FindingKind::Goodwill && one.subject == "proposal 1");
        assert!(named, "{fault}: {found:?}");
    }
}

#[test]
fn a_run_tells_whom_it_leaves_out_and_who_is_worth_a_look() {
    let mut world = World::new();
    let period = "2026-11".parse().unwrap();
    let exceptions = |world: &mut World| {
        let lines = world.db.read(|tx| tx.credit_exceptions(period, &["Ville de Lyon".to_owned()])).unwrap();
        lines.iter().map(|line| (line.household.clone(), line.why, line.cents)).collect::<Vec<_>>()
    };
    let code = |number: u8| format!("H{number}");
    assert_eq!(exceptions(&mut world), []);
    world.import(&ImportPlan { households: vec![household(7, 4, 2)], ..ImportPlan::default() });
    world.db.write(|tx| tx.household_leave("H3", NOW)).unwrap();
    world.db.write(|tx| tx.credit_book(period, "Métropole", NOW)).unwrap();
    let order = CorrectionOrder {
        household: code(1),
        cents: cents(20_000),
        is_up: false,
        source: "Métropole".to_owned(),
        reason: "twice".to_owned(),
        by: "Ada".to_owned(),
    };
    let id = world.db.write(|tx| tx.correction_propose(&order, NOW)).unwrap();
    assert_eq!(world.db.read(|tx| tx.waiting_count(NOW)).unwrap(), 1);
    world.db.write(|tx| tx.correction_end(id, "Bo", true, NOW)).unwrap();
    let other = |cents_of| (Exception::OtherSource, Some(cents(cents_of)));
    let seen = exceptions(&mut world);
    let expected = [
        (1, other(15_000)),
        (1, (Exception::Owes, Some(cents(5_000)))),
        (2, other(15_000)),
        (3, (Exception::Left, None)),
        (7, other(30_500)),
        (7, (Exception::NoCard, None)),
    ];
    assert_eq!(seen, expected.map(|(number, (why, cents))| (code(number), why, cents)));
    world.credit("2026-11");
    assert_eq!(exceptions(&mut world), [(code(3), Exception::Left, None)], "who was credited is no exception");
    world.audit();
}
