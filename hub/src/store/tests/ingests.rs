//! Rows: known, new, forked, missing, forged; and what each has a right to.

use cabas_protocol::row::{Reversal, Tier};
use cabas_protocol::sync::Standing;
use cabas_protocol::{Cents, Epoch, Incarnation, RowBody, Seq, Signed, Stan};

use super::world::{NO_HASH, NOW, World, cents, purse_ref, sale};
use crate::core::card_proof::NoWitness;
use crate::core::ingest::{PrepareError, prepare};
use crate::core::ledger::OverRight;
use crate::store::{AlarmKind, Quarantine, StoreError};

/// A fund with a terminal whose slice of purse 1 allows 90.00 under serial 1.
fn world() -> (World, super::world::Terminal) {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    terminal.start();
    (world, terminal)
}

fn why(world: &World, seq: u32) -> Option<OverRight> {
    let newest = "SELECT why FROM rows WHERE key & 0xffffffff";
    OverRight::of_number(world.number(&format!("{newest} = {seq} ORDER BY key DESC LIMIT 1")))
}

#[test]
fn a_sale_is_settled_from_its_slice_to_the_shop() {
    let (mut world, mut terminal) = world();
    terminal.sale(1, 1_250, 1_250, 1);
    terminal.sale(1, 750, 2_000, 1);
    let outcome = world.sync(&mut terminal);
    assert_eq!((outcome.new_rows, outcome.settled, outcome.over_right), (3, cents(2_000), Cents::ZERO));
    assert_eq!(outcome.acked, terminal.head);
    assert_eq!((outcome.standing, outcome.alarms), (Standing::Live, vec![]));
    assert_eq!(world.owed(), (Cents::ZERO, cents(2_000)));
    world.audit();
}

#[test]
fn the_same_upload_again_changes_nothing() {
    let (mut world, mut terminal) = world();
    terminal.sale(1, 1_250, 1_250, 1);
    let upload = terminal.upload();
    world.sync(&mut terminal);
    for _ in 0..3 {
        let outcome = world.ingest(&upload);
        assert_eq!((outcome.new_rows, outcome.known_rows, outcome.acked), (0, 2, terminal.head));
        assert_eq!(outcome.standing, Standing::Live);
    }
    assert_eq!(world.owed(), (Cents::ZERO, cents(1_250)));
    world.audit();
}

#[test]
fn an_upload_that_overlaps_adds_what_is_new() {
    let (mut world, mut terminal) = world();
    terminal.sale(1, 100, 100, 1);
    world.ingest(&terminal.upload());
    terminal.sale(1, 100, 200, 1);
    // The answer got lost: the terminal sends from the start again, with one row more.
    let outcome = world.sync(&mut terminal);
    assert_eq!((outcome.new_rows, outcome.known_rows), (1, 2));
    assert_eq!(world.owed(), (Cents::ZERO, cents(200)));
    world.audit();
}

#[test]
fn a_request_without_rows_tells_a_terminal_that_is_behind_where_the_hub_is() {
    let (mut world, mut terminal) = world();
    let nothing = terminal.upload_of(terminal.acked, &[]);
    world.sync(&mut terminal);
    let outcome = world.ingest(&nothing);
    assert_eq!((outcome.acked, outcome.standing), (terminal.head, Standing::Live));
}

#[test]
fn what_lies_above_the_named_serial_is_kept_and_not_paid() {
    let (mut world, mut terminal) = world();
    terminal.sale(1, 10_000, 10_000, 1);
    let outcome = world.sync(&mut terminal);
    assert_eq!((outcome.settled, outcome.over_right), (cents(9_000), cents(1_000)));
    assert_eq!(outcome.alarms, [AlarmKind::OverRight]);
    assert_eq!(why(&world, 2), Some(OverRight::AboveAllowed));
    assert_eq!(world.owed(), (Cents::ZERO, cents(9_000)));
    world.audit();
}

#[test]
fn a_row_is_judged_by_the_serial_that_it_names_not_by_the_newest() {
    let (mut world, mut terminal) = world();
    world.extend(&terminal, 1, 12_000).unwrap();
    terminal.sale(1, 10_000, 10_000, 1);
    terminal.sale(1, 2_000, 12_000, 2);
    let outcome = world.sync(&mut terminal);
    assert_eq!((outcome.settled, outcome.over_right), (cents(11_000), cents(1_000)));
    world.audit();
}

#[test]
fn a_claim_without_a_right_is_kept_with_its_reason() {
    let (mut world, mut terminal) = world();
    terminal.sale(99, 100, 100, 1);
    terminal.sale(1, 100, 100, 7);
    let other = world.terminal("B");
    terminal.sale(1, 100, 100, 1);
    terminal.sale(1, 100, 100, 1);
    terminal.write(RowBody::Sale(cabas_protocol::row::Sale { tier: Tier::Purse, ..sale(1, 50, 50, 1) }));
    let outcome = world.sync(&mut terminal);
    assert_eq!((outcome.settled, outcome.over_right), (cents(100), cents(350)));
    let expected = [
        (2, Some(OverRight::UnknownPurse)),
        (3, Some(OverRight::UnknownSerial)),
        (4, None),
        (5, Some(OverRight::AlreadyClaimed)),
        (6, Some(OverRight::UnknownSlice)),
    ];
    for (seq, reason) in expected {
        assert_eq!(why(&world, seq), reason, "row {seq}");
    }
    let mut other = other;
    other.sale(1, 100, 100, 1);
    assert_eq!(world.sync(&mut other).over_right, cents(100));
    assert_eq!(why(&world, 1), Some(OverRight::UnknownSlice));
    world.audit();
}

#[test]
fn rows_of_a_closed_epoch_are_kept_and_over_right() {
    let (mut world, mut terminal) = world();
    world.sync(&mut terminal);
    world.close(&terminal, "Ada", "Bo");
    terminal.sale(1, 100, 100, 1);
    let outcome = world.sync(&mut terminal);
    assert_eq!((outcome.standing, outcome.over_right), (Standing::Closed, cents(100)));
    assert_eq!(outcome.acked, terminal.head);
    assert_eq!(why(&world, 2), Some(OverRight::EpochClosed));
    world.audit();
}

#[test]
fn a_return_frees_the_money_at_the_hub() {
    let (mut world, mut terminal) = world();
    terminal.sale(1, 1_000, 1_000, 1);
    terminal.hand_back(1, 8_000, 9_000, 1);
    assert_eq!(world.sync(&mut terminal).settled, cents(9_000));
    let view = world.db.read(|tx| tx.household_money("H1")).unwrap().unwrap();
    assert_eq!(view.free, cents(14_000));
    assert_eq!(world.owed(), (Cents::ZERO, cents(1_000)));
    assert_eq!(world.extend(&terminal, 1, 999_999).unwrap().allowed, cents(23_000));
    world.audit();
}

#[test]
fn money_handed_back_cannot_be_spent_as_well() {
    let (mut world, mut terminal) = world();
    terminal.hand_back(1, 9_000, 9_000, 1);
    terminal.sale(1, 500, 500, 1);
    let outcome = world.sync(&mut terminal);
    assert_eq!((outcome.settled, outcome.over_right), (cents(9_000), cents(500)));
    assert_eq!(world.owed(), (Cents::ZERO, Cents::ZERO));
    world.audit();
}

#[test]
fn rows_that_move_no_money_here_are_kept_as_they_came() {
    let (mut world, mut terminal) = world();
    terminal.write(RowBody::Reversal(Reversal {
        stan: Stan::FIRST,
        sale: Seq::new(1),
        purse: purse_ref(1),
        cents: cents(5),
        reversed_after: cents(5),
    }));
    terminal.write(RowBody::Unknown { kind: 999, body: cabas_protocol::codec::RawItem::of(&7_u32) });
    let outcome = world.sync(&mut terminal);
    assert_eq!((outcome.new_rows, outcome.settled, outcome.over_right), (3, Cents::ZERO, Cents::ZERO));
    assert_eq!(why(&world, 2), Some(OverRight::NothingToUndo));
    assert_eq!(world.number::<i64>("SELECT kind FROM rows WHERE key & 0xffffffff = 3"), 999);
    world.audit();
}

#[test]
fn a_fork_quarantines_and_loses_nothing() {
    let (mut world, mut terminal) = world();
    let mut thief = terminal.clone();
    terminal.sale(1, 1_000, 1_000, 1);
    world.sync(&mut terminal);
    thief.sale(1, 3_000, 3_000, 1);
    let outcome = world.ingest(&thief.upload());
    assert_eq!((outcome.new_rows, outcome.disputed_rows, outcome.known_rows), (0, 1, 1));
    assert_eq!((outcome.standing, outcome.alarms), (Standing::Quarantined, vec![AlarmKind::Fork]));
    assert_eq!(outcome.acked, terminal.head, "the first future stays");
    assert_eq!(world.owed(), (Cents::ZERO, cents(1_000)));
    let again = world.ingest(&thief.upload());
    assert_eq!((again.disputed_rows, again.alarms), (0, vec![]), "evidence is kept once");
    let view = world.db.read(|tx| tx.terminals()).unwrap().remove(0).enrolment.unwrap();
    assert_eq!((view.quarantine, view.alarms.len()), (Some(Quarantine::Fork), 1));
    let flagged = world.db.read(|tx| tx.flagged_rows(10)).unwrap();
    assert_eq!((flagged[0].why, flagged[0].claimed), (OverRight::Disputed, cents(3_000)));
    world.audit();
}

#[test]
fn a_quarantined_terminals_true_rows_are_still_settled() {
    let (mut world, mut terminal) = world();
    let mut thief = terminal.clone();
    terminal.sale(1, 1_000, 1_000, 1);
    world.sync(&mut terminal);
    thief.sale(1, 3_000, 3_000, 1);
    world.ingest(&thief.upload());
    terminal.sale(1, 500, 1_500, 1);
    let outcome = world.sync(&mut terminal);
    assert_eq!((outcome.standing, outcome.settled), (Standing::Quarantined, cents(500)));
    world.audit();
}

#[test]
fn a_row_on_another_past_is_a_fork() {
    let (mut world, mut terminal) = world();
    world.sync(&mut terminal);
    let mut other = terminal.clone();
    other.head.hash = NO_HASH;
    other.sale(1, 100, 100, 1);
    let outcome = world.ingest(&other.upload_of(other.acked, &other.journal[1..]));
    assert_eq!((outcome.disputed_rows, outcome.standing), (1, Standing::Quarantined));
    assert_eq!(outcome.acked, terminal.head);
    world.audit();
}

#[test]
fn a_gap_quarantines_and_keeps_what_came() {
    let (mut world, mut terminal) = world();
    terminal.sale(1, 100, 100, 1);
    terminal.sale(1, 100, 200, 1);
    let skipped = [terminal.journal[0].clone(), terminal.journal[2].clone()];
    let outcome = world.ingest(&terminal.upload_of(terminal.acked, &skipped));
    assert_eq!((outcome.new_rows, outcome.disputed_rows), (1, 1));
    assert_eq!((outcome.standing, outcome.alarms), (Standing::Quarantined, vec![AlarmKind::Gap]));
    assert_eq!(outcome.acked, terminal.head_at(1));
    terminal.acked = outcome.acked;
    let outcome = world.sync(&mut terminal);
    assert_eq!((outcome.new_rows, outcome.settled), (2, cents(200)), "the rows themselves are settled when they fit");
    world.audit();
}

#[test]
fn a_base_that_the_hub_never_had_quarantines() {
    let (mut world, mut terminal) = world();
    let upload = terminal.upload_of(terminal.head_at(1), &[]);
    assert_eq!(world.ingest(&upload).alarms, [AlarmKind::Gap]);
    let mut world = World::credited();
    terminal = world.terminal("A");
    let elsewhere = cabas_protocol::ChainHead { hash: NO_HASH, ..terminal.acked };
    let outcome = world.ingest(&terminal.upload_of(elsewhere, &[]));
    assert_eq!((outcome.standing, outcome.alarms), (Standing::Quarantined, vec![AlarmKind::Fork]));
    world.audit();
}

#[test]
fn a_restored_hub_takes_again_what_it_lost_and_blames_nobody() {
    let (mut world, mut terminal) = world();
    terminal.sale(1, 100, 100, 1);
    // The hub came back from a backup without these rows; the terminal, of the life before, believes they are safe.
    world.db.conn.execute_batch("UPDATE fund SET incarnation = 2").unwrap();
    let ahead = terminal.head;
    terminal.sale(1, 100, 200, 1);
    let outcome = world.ingest(&terminal.upload_of(ahead, &terminal.journal[2..]));
    assert_eq!((outcome.standing, outcome.acked.seq, outcome.alarms), (Standing::Live, Seq::NONE, vec![]));
    assert_eq!(world.sync(&mut terminal).settled, cents(200));
    world.audit();
}

#[test]
fn a_row_of_a_later_life_of_the_hub_raises_an_alarm_and_is_kept() {
    let (mut world, mut terminal) = world();
    terminal.incarnation = Incarnation::new(2);
    terminal.sale(1, 100, 100, 1);
    let outcome = world.sync(&mut terminal);
    assert_eq!((outcome.settled, outcome.alarms), (cents(100), vec![AlarmKind::FutureIncarnation]));
    world.audit();
}

#[test]
fn a_forged_row_is_kept_out_and_the_others_are_not() {
    let (mut world, mut terminal) = world();
    let mut bytes = terminal.next_row(RowBody::Sale(sale(1, 100, 100, 1))).into_bytes();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let forged = Signed::from_bytes(bytes).unwrap();
    let rows = [terminal.journal[0].clone(), forged.clone()];
    let outcome = world.ingest(&terminal.upload_of(terminal.acked, &rows));
    assert_eq!((outcome.new_rows, outcome.alarms), (1, vec![AlarmKind::NotAuthentic]));
    assert_eq!(world.owed(), (Cents::ZERO, Cents::ZERO));
    let request = terminal.request(terminal.acked, &[forged]);
    let refused = prepare(terminal.chain(), terminal.signer().public(), Incarnation::new(1), request).unwrap_err();
    assert!(matches!(refused, PrepareError::NothingAuthentic(_)), "{refused}");
    terminal.acked = outcome.acked;
    world.audit();
}

#[test]
fn a_row_that_is_too_long_does_not_keep_out_those_beside_it() {
    let (mut world, mut terminal) = world();
    terminal.sale(1, 100, 100, 1);
    let mut request = terminal.request(terminal.acked, &terminal.journal);
    request.rows.push(vec![0; 5_000].into());
    let upload = prepare(terminal.chain(), terminal.signer().public(), Incarnation::new(1), request).unwrap();
    let outcome = world.ingest(&upload);
    assert_eq!((outcome.new_rows, outcome.alarms), (2, vec![AlarmKind::NotAuthentic]));
    assert_eq!((outcome.standing, outcome.acked), (Standing::Live, terminal.head));
    world.audit();
}

#[test]
fn a_row_of_another_terminal_is_not_this_ones() {
    let (mut world, terminal) = world();
    let mut other = world.terminal("B");
    other.start();
    let rows = [other.journal[0].clone()];
    let request = terminal.request(terminal.acked, &rows);
    let refused = prepare(terminal.chain(), terminal.signer().public(), Incarnation::new(1), request).unwrap_err();
    assert!(matches!(refused, PrepareError::NothingAuthentic(_)), "{refused}");
    // The right key under the wrong name: a row that says it is of another epoch.
    let mut liar = terminal.clone();
    liar.epoch = Epoch::new(9);
    let row = liar.next_row(RowBody::Sale(sale(1, 5, 5, 1)));
    let request = terminal.request(terminal.acked, &[row]);
    assert!(prepare(terminal.chain(), terminal.signer().public(), Incarnation::new(1), request).is_err());
}

#[test]
fn an_upload_for_an_unknown_epoch_is_refused() {
    let (mut world, terminal) = world();
    let mut stranger = terminal;
    stranger.epoch = Epoch::new(2);
    let error = world.db.write(|tx| tx.ingest(&stranger.upload_of(stranger.acked, &[]), &NoWitness, NOW)).unwrap_err();
    assert!(matches!(error, StoreError::UnknownEpoch { .. }), "{error}");
}

#[test]
fn two_terminals_offline_with_the_same_card_never_spend_more_than_was_credited() {
    let mut world = World::credited();
    let (mut a, mut b) = (world.terminal("A"), world.terminal("B"));
    world.extend(&b, 1, 999_999);
    for terminal in [&mut a, &mut b] {
        // Both sell as if all 150 € were theirs.
        for step in 1..=15 {
            terminal.sale(1, 1_000, step * 1_000, 1);
        }
    }
    let outcomes = [world.sync(&mut a), world.sync(&mut b)];
    let settled: u64 = outcomes.iter().map(|outcome| outcome.settled.get()).sum();
    assert_eq!(settled, 15_000);
    assert_eq!(world.owed(), (Cents::ZERO, cents(15_000)));
    world.audit();
}

#[test]
fn a_copied_journal_file_run_twice_settles_once() {
    let (mut world, mut terminal) = world();
    terminal.sale(1, 1_000, 1_000, 1);
    world.sync(&mut terminal);
    let mut copy = terminal.clone();
    for step in 2..=9 {
        terminal.sale(1, 1_000, step * 1_000, 1);
        copy.sale(1, 900, 1_000 + (step - 1) * 900, 1);
    }
    world.sync(&mut terminal);
    world.ingest(&copy.upload());
    assert_eq!(world.owed(), (Cents::ZERO, cents(9_000)));
    world.audit();
}
