//! Epochs that are closed by two people.

use cabas_protocol::sync::Standing;
use cabas_protocol::{Cents, ChainHead, Epoch, Seq};

use super::world::{NO_HASH, NOW, Terminal, World, at, cents};
use crate::core::ledger::OverRight;
use crate::store::{CloseOrder, Closing, ClosingRefusal, StoreError};

fn refusal(result: Result<Closing, StoreError>) -> ClosingRefusal {
    let error = result.unwrap_err();
    let StoreError::Closing(refusal) = error else { panic!("{error}") };
    refusal
}

fn order(terminal: &Terminal, at: Option<ChainHead>, by: &str) -> CloseOrder {
    CloseOrder { terminal: terminal.id, epoch: Some(terminal.epoch), at, by: by.to_owned() }
}

/// What a household has: free at the hub, and left at terminals.
fn money(world: &mut World, household: &str) -> (u64, u64) {
    let view = world.db.read(|tx| tx.household_money(household)).unwrap().unwrap();
    let left = view.slices.iter().map(|slice| slice.allowed.get() - slice.claimed.get()).sum();
    (view.free.get(), left)
}

#[test]
fn one_person_is_not_two() {
    let mut world = World::credited();
    let terminal = world.terminal("A");
    assert_eq!(world.propose(&terminal, "Ada Byron").unwrap().closed_by, None);
    for same in ["Ada Byron", " ada  BYRON "] {
        assert_eq!(
            refusal(world.propose(&terminal, same)),
            ClosingRefusal::SamePerson("Ada Byron".to_owned()),
            "{same}"
        );
    }
    assert_eq!(world.number::<u8>("SELECT standing FROM epochs"), 0);
    assert!(matches!(world.propose(&terminal, "  ").unwrap_err(), StoreError::Text("name")));
    assert_eq!(world.propose(&terminal, "Bo").unwrap().closed_by.as_deref(), Some("Bo"));
    assert_eq!(refusal(world.propose(&terminal, "Bo")), ClosingRefusal::Closed(terminal.epoch));
    world.audit();
}

#[test]
fn two_people_must_mean_the_same_row() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    terminal.start();
    world.sync(&mut terminal);
    let first = terminal.head;
    let named = ChainHead { seq: Seq::new(9), hash: NO_HASH };
    let not_there = world.db.write(|tx| tx.terminal_close(&order(&terminal, Some(named), "Ada"), NOW));
    assert_eq!(refusal(not_there), ClosingRefusal::NotTheNewest { named, acked: first });
    world.propose(&terminal, "Ada").unwrap();
    let other = world.db.write(|tx| tx.terminal_close(&order(&terminal, Some(named), "Bo"), NOW));
    let text = other.as_ref().unwrap_err().to_string();
    assert!(text.contains("row 1 ") && text.contains("row 9 ") && text.contains(&first.hash.to_string()), "{text}");
    // A row that came since is something that the first one did not see.
    terminal.sale(1, 100, 100, 1);
    world.sync(&mut terminal);
    let proposed_by = "Ada".to_owned();
    let expected = ClosingRefusal::OtherRow { proposed_by, proposed: first, named: terminal.head };
    assert_eq!(refusal(world.propose(&terminal, "Bo")), expected);
    let stale = world.db.write(|tx| tx.terminal_close(&order(&terminal, Some(first), "Bo"), NOW));
    assert_eq!(refusal(stale), ClosingRefusal::NotTheNewest { named: first, acked: terminal.head });
    world.db.write(|tx| tx.terminal_close_withdraw(&order(&terminal, None, "Bo"), NOW)).unwrap();
    world.close(&terminal, "Bo", "Ada");
    let closings = world.db.read(|tx| tx.closings(9)).unwrap();
    assert_eq!(closings.iter().map(|closing| closing.state).collect::<Vec<_>>(), ["closed", "withdrawn"]);
    assert_eq!((closings[0].proposed_by.as_str(), closings[0].at), ("Bo", terminal.head));
    assert_eq!(closings[0].ended, Some(("Ada".to_owned(), NOW)));
    world.audit();
}

#[test]
fn an_epoch_that_is_not_named_must_be_the_only_open_one() {
    let mut world = World::credited();
    let first = world.terminal("A");
    let second = world.enrol_again(first.id);
    let any = CloseOrder { terminal: first.id, epoch: None, at: None, by: "Ada".to_owned() };
    let close = |world: &mut World, by: &str| {
        let order = CloseOrder { by: by.to_owned(), ..any.clone() };
        world.db.write(|tx| tx.terminal_close(&order, NOW))
    };
    assert_eq!(refusal(close(&mut world, "Ada")), ClosingRefusal::WhichEpoch(first.id));
    world.close(&first, "Ada", "Bo");
    close(&mut world, "Ada").unwrap();
    assert_eq!(close(&mut world, "Bo").unwrap().epoch, second.epoch);
    assert_eq!(refusal(close(&mut world, "Ada")), ClosingRefusal::NothingOpen(first.id));
}

#[test]
fn money_that_was_not_claimed_goes_back_and_is_spent_once() {
    let mut world = World::credited();
    let mut dead = world.terminal("A");
    dead.sale(1, 1_250, 1_250, 1);
    world.sync(&mut dead);
    assert_eq!(money(&mut world, "H1"), (6_000, 7_750));
    let closing = world.close(&dead, "Ada", "Bo");
    assert_eq!((closing.voided, closing.purses), (cents(7_750 + 9_000 + 9_000), 3));
    assert_eq!(money(&mut world, "H1"), (13_750, 0));
    world.audit();
    // All of it is spent at another terminal, and not a cent more.
    let mut other = world.terminal("B");
    let allowed = world.extend(&other, 1, 999_999).unwrap().allowed;
    assert_eq!(allowed, cents(13_750));
    other.sale(1, 13_751, 13_751, 9);
    let serial = world.extend(&other, 1, 999_999).unwrap().serial.get();
    other.sale(1, 13_751, 13_751, serial);
    world.sync(&mut other);
    assert_eq!(world.owed(), (Cents::ZERO, cents(15_000)), "what was credited, to the cent");
    assert_eq!(money(&mut world, "H1"), (0, 0));
    world.audit();
}

#[test]
fn late_rows_are_kept_as_over_right_and_paid_nothing() {
    let mut world = World::credited();
    let mut dead = world.terminal("A");
    dead.sale(1, 1_000, 1_000, 1);
    world.sync(&mut dead);
    dead.sale(1, 500, 1_500, 1);
    dead.hand_back(2, 300, 300, 1);
    world.close(&dead, "Ada", "Bo");
    let outcome = world.sync(&mut dead);
    assert_eq!((outcome.standing, outcome.acked), (Standing::Closed, dead.head), "nothing is refused or dropped");
    assert_eq!((outcome.settled, outcome.over_right), (Cents::ZERO, cents(800)));
    let flagged = world.db.read(|tx| tx.flagged_rows(9)).unwrap();
    assert!(flagged.iter().all(|row| row.why == OverRight::EpochClosed && row.settled.is_zero()), "{flagged:?}");
    assert_eq!((flagged.len(), world.owed().1), (2, cents(1_000)));
    let cut = world.db.read(|tx| tx.settlement_cut()).unwrap();
    let settlement = world.db.write(|tx| tx.settlement_close(&cut, NOW)).unwrap().unwrap();
    assert_eq!((settlement.payout, settlement.shops[0].sums.over_right), (cents(1_000), cents(500)));
    world.audit();
}

#[test]
fn a_closed_epoch_is_given_nothing_more() {
    let mut world = World::credited();
    let dead = world.terminal("A");
    let cursor = world.db.read(|tx| tx.fund()).unwrap().change;
    world.close(&dead, "Ada", "Bo");
    world.allocate();
    let error = world.try_extend(&dead, 1, 99_999).unwrap_err();
    assert!(matches!(error, StoreError::NotLive(Standing::Closed)), "{error}");
    world.credit("2026-12");
    assert_eq!(world.news(&dead, cursor), []);
    world.audit();
}

#[test]
fn closing_is_the_way_out_of_quarantine() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    terminal.sale(1, 700, 700, 1);
    let mut thief = terminal.clone();
    world.sync(&mut terminal);
    thief.sale(1, 99, 799, 1);
    terminal.start();
    world.sync(&mut terminal);
    assert_eq!(world.sync(&mut thief).standing, Standing::Quarantined);
    world.close(&terminal, "Ada", "Bo");
    let mut again = world.enrol_again(terminal.id);
    assert_eq!(again.epoch, Epoch::new(2));
    world.allocate();
    let balance = world.extend(&again, 1, 1).unwrap();
    again.sale(1, 300, 300, balance.serial.get());
    assert_eq!(world.sync(&mut again).settled, cents(300));
    // The other past remains as evidence.
    assert_eq!(world.number::<u32>("SELECT count(*) FROM disputed"), 1);
    thief.sale(1, 50, 850, 1);
    assert_eq!(world.ingest(&thief.upload()).settled, Cents::ZERO);
    assert_eq!(world.owed().1, cents(1_000));
    world.audit();
}

#[test]
fn the_old_epoch_of_a_replaced_terminal_settles_until_it_is_closed() {
    let mut world = World::credited();
    let mut broken = world.terminal("A");
    broken.sale(1, 400, 400, 1);
    broken.sale(1, 600, 1_000, 1);
    let replacement = world.enrol_again(broken.id);
    assert_eq!(replacement.epoch, Epoch::new(2));
    // Half of the old disk could be read.
    let half = broken.upload_of(broken.head_at(0), &broken.journal[..1]);
    assert_eq!(world.ingest(&half).settled, cents(400));
    world.close(&broken, "Ada", "Bo");
    let rest = broken.upload_of(broken.head_at(1), &broken.journal[1..]);
    let outcome = world.ingest(&rest);
    assert_eq!((outcome.settled, outcome.over_right), (Cents::ZERO, cents(600)));
    assert_eq!(
        world.db.read(|tx| tx.terminal_key(replacement.id, replacement.epoch)).unwrap().standing,
        Standing::Live
    );
    world.audit();
}

#[test]
fn the_auditor_sees_a_closing_by_one_person_and_a_late_row_that_was_paid() {
    use crate::store::FindingKind;
    let mut world = World::credited();
    let mut dead = world.terminal("A");
    dead.start();
    world.sync(&mut dead);
    world.close(&dead, "Ada", "Bo");
    world.tamper("PRAGMA ignore_check_constraints = ON; UPDATE closings SET ended_by = proposed_by");
    assert!(world.verify().findings.iter().any(|finding| finding.kind == FindingKind::Closing));
    world.tamper("UPDATE closings SET ended_by = 'Bo'");
    world.audit();
    world.tamper(
        "DROP TRIGGER voids_stay; UPDATE voids SET cents = cents + 1 WHERE slice = (SELECT min(slice) FROM voids)",
    );
    assert!(world.verify().findings.iter().any(|finding| finding.kind == FindingKind::Transfer));
}

#[test]
fn a_closing_is_dated() {
    let mut world = World::credited();
    let terminal = world.terminal("A");
    world.propose(&terminal, "Ada").unwrap();
    world.db.write(|tx| tx.terminal_close(&order(&terminal, None, "Bo"), at(60))).unwrap();
    let closings = world.db.read(|tx| tx.closings(9)).unwrap();
    assert_eq!((closings[0].proposed_at, closings[0].ended.clone().unwrap().1), (NOW, at(60)));
}
