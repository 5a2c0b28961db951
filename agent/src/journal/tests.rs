#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "a failed unwrap is the test's failure"
)]
use super::*;
use crate::core::authorize::DeclineReason;
use crate::core::objects::Alarm;
use crate::fixture::{Fund, HUB_TIME, ask, card, cents, lines, moment, request};
use cabas_protocol::chain::ChainHead;
use cabas_protocol::row::{ClockQuality, ClosePeriod, Tier};
use cabas_protocol::sync::Standing;
use cabas_protocol::{Hash, Row, Seq, Signed, Stan, TimeEpoch, Timestamp, Version};
use proptest::prelude::*;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn accepted(sold: Sold) -> SaleRecord {
    match sold {
        Sold::Accepted(record) => record,
        other => panic!("not accepted: {other:?}"),
    }
}

fn reason(sold: Sold) -> DeclineReason {
    match sold {
        Sold::Declined(declined) => declined.reason,
        other => panic!("not declined: {other:?}"),
    }
}

fn bodies(journal: &Journal) -> Vec<String> {
    let mut select = journal.db.prepare("SELECT bytes FROM rows ORDER BY seq").unwrap();
    let rows = select.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    rows.map(|bytes| Signed::<Row>::from_bytes(bytes.unwrap()).unwrap().peek().unwrap().body.name().to_owned())
        .collect()
}

fn assert_sound(folder: &Path, fund: &Fund) -> verify::Report {
    let report = verify::verify(&folder.join(FILE), Some(*fund.root.public())).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    assert!(report.sound && report.root_given);
    report
}

#[test]
fn a_sale_is_one_signed_row_and_raises_the_counter() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 10_000);
    let commits = journal.commits;
    let first = accepted(journal.sell(moment(1, 5), &ask(1, 1, 1250)).unwrap());
    assert_eq!(journal.commits, commits + 1, "one commit");
    assert_eq!((first.sale.spent_after, first.sale.stan, first.sale.tier), (cents(1250), Stan::FIRST, Tier::Plain));
    let second = accepted(journal.sell(moment(1, 6), &ask(2, 1, 8750)).unwrap());
    assert_eq!((second.sale.spent_after, second.sale.stan.get()), (cents(10_000), 2));
    assert_eq!(reason(journal.sell(moment(1, 7), &ask(3, 1, 1)).unwrap()), DeclineReason::InsufficientFunds);
    let state = journal.state();
    assert_eq!((state.unsent().sales, state.unsent().fund), (2, cents(10_000)));
    assert_eq!(bodies(&journal), ["Start", "ListApplied", "Configured", "Sale", "Sale"]);
    let report = assert_sound(folder.path(), &fund);
    assert_eq!((report.sales, report.fund_cents), (2, 10_000));
}

#[test]
fn the_same_request_is_never_done_twice_before_or_after_a_restart() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 10_000);
    let done = accepted(journal.sell(moment(1, 5), &ask(1, 1, 1250)).unwrap());
    assert_eq!(journal.sell(moment(1, 6), &ask(1, 1, 1250)).unwrap(), Sold::Known(done.clone()));
    // With another amount or card it is still the same operation.
    assert_eq!(journal.sell(moment(1, 6), &ask(1, 2, 99)).unwrap(), Sold::Known(done.clone()));
    drop(journal);
    let mut journal = fund.open(folder.path(), moment(1, 60));
    assert_eq!(journal.sell(moment(1, 61), &ask(1, 1, 1250)).unwrap(), Sold::Known(done.clone()));
    assert_eq!(journal.find_sale(request(1)).unwrap(), Some(done.clone()));
    assert_eq!(journal.last_sale().unwrap(), Some(done.clone()));
    assert_eq!(journal.find_sale(request(2)).unwrap(), None);
    assert!(done.is_of(&lines(1250)) && !done.is_of(&lines(1251)));
    assert_eq!(assert_sound(folder.path(), &fund).sales, 1);
}

#[test]
fn what_is_not_known_is_declined_and_writes_nothing() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.enrolled(folder.path());
    assert_eq!(reason(journal.sell(moment(1, 1), &ask(1, 1, 100)).unwrap()), DeclineReason::NoPolicy);
    fund.give(&mut journal, fund.first_objects(100));
    let rows = journal.state().newest.chain.seq;
    assert_eq!(reason(journal.sell(moment(1, 1), &ask(2, 9, 100)).unwrap()), DeclineReason::UnknownCard);
    fund.give(&mut journal, vec![fund.binding(card(9), 9, 1).into_bytes()]);
    let Sold::Declined(declined) = journal.sell(moment(1, 1), &ask(3, 9, 100)).unwrap() else { panic!("sold") };
    assert_eq!((declined.reason, declined.allowed_at_least), (DeclineReason::NoBalance, Some(cents(100))));
    fund.give(&mut journal, vec![fund.hot_list(2, 1, &[1]).into_bytes()]);
    assert_eq!(reason(journal.sell(moment(1, 1), &ask(4, 1, 100)).unwrap()), DeclineReason::Blocked);
    assert_eq!(journal.state().newest.chain.seq.get(), rows.get() + 1, "the list's row and no other");
}

#[test]
fn limits_per_sale_day_and_age_hold_in_the_journal() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 200_000);
    let noon = 43_200;
    assert_eq!(reason(journal.sell(moment(1, noon), &ask(1, 1, 50_001)).unwrap()), DeclineReason::AboveSaleLimit);
    assert_eq!(reason(journal.sell(moment(1, noon), &ask(1, 1, 20_001)).unwrap()), DeclineReason::AbovePlainSaleLimit);
    for (number, amount) in [(1, 20_000), (2, 20_000), (3, 10_000)] {
        accepted(journal.sell(moment(1, noon), &ask(number, 1, amount)).unwrap());
    }
    assert_eq!(reason(journal.sell(moment(1, noon + 1), &ask(4, 1, 1)).unwrap()), DeclineReason::AbovePlainDayLimit);
    accepted(journal.sell(moment(1, noon + 86_400), &ask(4, 1, 1)).unwrap());
    let week = 7 * 86_400;
    accepted(journal.sell(moment(1, week), &ask(5, 1, 1)).unwrap());
    assert_eq!(reason(journal.sell(moment(1, week + 1), &ask(6, 1, 1)).unwrap()), DeclineReason::ListTooOld);
    let expiry = 35 * 86_400;
    assert_eq!(reason(journal.sell(moment(1, expiry + 1), &ask(6, 1, 1)).unwrap()), DeclineReason::BalanceExpired);
    assert_sound(folder.path(), &fund);
}

#[test]
fn a_wrong_wall_clock_neither_blocks_a_sale_nor_frees_money() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 1000);
    let mut number = 0;
    let mut clock = |seconds, wall: u64| {
        number += 1;
        (Moment { wall: Timestamp::new(wall), ..moment(1, seconds) }, ask(number, 1, 100))
    };
    for (seconds, wall) in [(10, 0), (20, 4_070_908_800), (30, HUB_TIME - 31_536_000), (40, HUB_TIME + 40)] {
        let (now, ask) = clock(seconds, wall);
        accepted(journal.sell(now, &ask).unwrap());
    }
    drop(journal);
    for (boot, wall) in [(2, 0), (3, 4_070_908_800), (4, HUB_TIME - 31_536_000)] {
        let now = Moment { wall: Timestamp::new(wall), ..moment(boot, 5) };
        let mut journal = fund.open(folder.path(), now);
        assert_eq!(journal.state().hub.anchor.quality(now), ClockQuality::Unknown, "wall {wall}");
        accepted(journal.sell(now, &ask(100 + u64::from(boot), 1, 100)).unwrap());
    }
    let now = moment(5, 100_000);
    let mut journal = fund.open(folder.path(), now);
    assert_eq!(reason(journal.sell(now, &ask(200, 1, 301)).unwrap()), DeclineReason::InsufficientFunds);
    let set = bodies(&journal).iter().filter(|name| *name == "ClockSet").count();
    assert_eq!(set, 6, "each time that the clock was set is a row");
    assert_sound(folder.path(), &fund);
}

#[test]
fn a_higher_serial_that_allows_less_is_an_alarm_and_changes_nothing() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 1000);
    let applied = fund.give(&mut journal, vec![fund.balance(1, 2, 999).into_bytes()]);
    assert!(matches!(applied.alarms.as_slice(), [Alarm::LowerAllowed { .. }]), "{applied:?}");
    assert_eq!(journal.state().alarms.len(), 1);
    let applied =
        fund.give(&mut journal, vec![fund.balance(1, 3, 1500).into_bytes(), fund.balance(1, 2, 1400).into_bytes()]);
    assert_eq!((applied.taken, applied.alarms.len()), (1, 0));
    accepted(journal.sell(moment(1, 1), &ask(1, 1, 1500)).unwrap());
    drop(journal);
    let journal = fund.open(folder.path(), moment(1, 2));
    assert_eq!(journal.state().alarms.len(), 1, "an alarm outlives a restart");
    assert_sound(folder.path(), &fund);
}

#[test]
fn a_word_of_a_key_that_was_taken_back_is_spent_until_the_next_which_may_allow_less() {
    let (folder, mut fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 1000);
    accepted(journal.sell(moment(1, 1), &ask(1, 1, 600)).unwrap());
    let (old, new) = (*fund.hub.public(), Signer::from_seed(&[7; 32]).unwrap());
    let cert = |key, revoked| {
        let head = fund.context().head(cabas_protocol::ObjectType::KeyCert);
        fund.root
            .sign(&cabas_protocol::keys::KeyCert { head, key, issued_at: Timestamp::new(HUB_TIME), revoked })
            .into_bytes()
    };
    let (made, taken_back) = (cert(*new.public(), false), cert(old, true));
    fund.give(&mut journal, vec![made, taken_back]);
    // It is spent as before, and a restored hub that would not believe it is not handed it.
    accepted(journal.sell(moment(1, 2), &ask(2, 1, 100)).unwrap());
    assert!(journal.held_after(None).unwrap().balances.is_empty());
    fund.hub = new;
    let applied = fund.give(&mut journal, vec![fund.balance(1, 1001, 650).into_bytes()]);
    assert_eq!((applied.taken, applied.alarms.len()), (1, 0), "{applied:?}");
    let declined = journal.sell(moment(1, 3), &ask(3, 1, 1)).unwrap();
    assert!(matches!(declined, Sold::Declined(_)), "700 are spent of 650: {declined:?}");
    assert_eq!(journal.held_after(None).unwrap().balances.len(), 1);
    // The new word binds as every word does.
    let applied = fund.give(&mut journal, vec![fund.balance(1, 1002, 649).into_bytes()]);
    assert!(matches!(applied.alarms.as_slice(), [Alarm::LowerAllowed { .. }]), "{applied:?}");
    drop(journal);
    assert_sound(folder.path(), &fund);
}

/// SQLite begins a log anew under the same salts where a power cut tore its very first commit: what is left behind it would
/// count as a second torn commit at the next cut.
#[test]
fn a_torn_commit_leaves_nothing_behind_the_next_start() {
    let (folder, fund, torn) = (folder(), Fund::default(), self::folder());
    let mut journal = fund.ready(folder.path(), 5000);
    checkpoint(&journal.db, "PASSIVE").unwrap();
    accepted(journal.sell(moment(1, 1), &ask(1, 1, 600)).unwrap());
    for entry in std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()) {
        if !entry.to_string_lossy().ends_with("-shm") {
            std::fs::copy(&entry, torn.path().join(entry.file_name().unwrap())).unwrap();
        }
    }
    let log = log::path_of(&torn.path().join(FILE));
    let mut bytes = std::fs::read(&log).unwrap();
    bytes[100] ^= 1;
    std::io::Write::write_all(&mut std::fs::File::create(&log).unwrap(), &bytes).unwrap();
    assert_eq!(log::unreadable(&log).unwrap(), 1);
    let _journal = fund.open(torn.path(), moment(2, 1));
    assert_eq!(log::unreadable(&log).unwrap(), 0);
}

#[test]
fn alarms_on_the_screen_are_bounded() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 1000);
    for serial in 2..=u32::from(u8::MAX) {
        fund.give(&mut journal, vec![fund.balance(1, serial, 5).into_bytes()]);
    }
    assert_eq!(journal.state().alarms.len(), 50);
    let stored: u32 = journal.db.query_row("SELECT count(*) FROM alarms", [], |row| row.get(0)).unwrap();
    assert_eq!(stored, 50);
}

#[test]
fn a_hot_list_is_replaced_stepped_and_never_older() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 1000);
    let hot =
        |journal: &Journal| -> u32 { journal.db.query_row("SELECT count(*) FROM hot", [], |row| row.get(0)).unwrap() };
    fund.give(&mut journal, vec![fund.hot_list(4, 1, &[1, 2]).into_bytes()]);
    assert_eq!((journal.state().hub.hot_list, hot(&journal)), (Version::new(4), 2));
    fund.give(&mut journal, vec![fund.hot_list(3, 0, &[]).into_bytes()]);
    assert_eq!((journal.state().hub.hot_list, hot(&journal)), (Version::new(4), 2), "an older one is ignored");
    let applied = fund.give(&mut journal, vec![fund.hot_list(9, 8, &[3]).into_bytes()]);
    assert!(matches!(applied.alarms.as_slice(), [Alarm::ListGap { .. }]));
    assert_eq!((hot(&journal), journal.state().hub.cursor), (2, 0), "everything is asked for again");
    fund.give(&mut journal, vec![fund.hot_list(9, 0, &[3]).into_bytes()]);
    assert_eq!((journal.state().hub.hot_list, hot(&journal), journal.state().hub.cursor), (Version::new(9), 1, 1));
    assert_eq!(reason(journal.sell(moment(1, 1), &ask(1, 3, 1)).unwrap()), DeclineReason::UnknownCard);
    accepted(journal.sell(moment(1, 1), &ask(2, 1, 1)).unwrap());
    assert_eq!(bodies(&journal), ["Start", "ListApplied", "Configured", "ListApplied", "ListApplied", "Sale"]);
}

#[test]
fn rows_are_resent_from_what_the_hub_has_whatever_that_is() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 100_000);
    for number in 1..=100 {
        accepted(journal.sell(moment(1, number), &ask(number, 1, 10)).unwrap());
    }
    let first = journal.unsent().unwrap();
    assert_eq!((first.base.seq, first.rows.len()), (Seq::NONE, 64));
    let hash = |seq: u32| {
        let hash = journal.db.query_row("SELECT hash FROM rows WHERE seq = ?1", [seq], |row| row.get(0)).unwrap();
        ChainHead { seq: Seq::new(seq), hash: Hash::new(hash) }
    };
    let (at_64, at_10, at_103) = (hash(64), hash(10), hash(103));
    let mut ack = |acked| {
        let state = journal.state();
        let answer = fund.answer(acked, vec![], HUB_TIME, state.hub.cursor);
        journal.apply(moment(1, 200), &fund.inbound(state.hub.cursor, &answer)).unwrap();
        (journal.unsent().unwrap().rows.len(), journal.state().unsent_rows(), journal.state().unsent().fund)
    };
    assert_eq!(ack(at_64), (39, 39, cents(390)));
    assert_eq!(ack(at_103), (0, 0, cents(0)));
    assert_eq!(ack(at_10), (64, 93, cents(930)), "a hub that was put back gets everything again");
    assert_eq!(journal.state().terminal_state(), crate::core::authorize::TerminalState::Live);
}

#[test]
fn a_journal_that_was_put_back_sells_no_more() {
    let fund = Fund::default();
    for other_row in [false, true] {
        let folder = folder();
        let mut journal = fund.ready(folder.path(), 1000);
        let seq = if other_row { 2 } else { 99 };
        let acked = ChainHead { seq: Seq::new(seq), hash: Hash::new([5; 32]) };
        let state = journal.state();
        let answer = fund.answer(acked, vec![], HUB_TIME, state.hub.cursor);
        let applied = journal.apply(moment(1, 9), &fund.inbound(state.hub.cursor, &answer)).unwrap();
        assert_eq!(applied.alarms.len(), 1, "{applied:?}");
        assert_eq!(journal.state().hub.standing, Standing::Quarantined);
        assert_eq!(reason(journal.sell(moment(1, 10), &ask(1, 1, 1)).unwrap()), DeclineReason::Quarantined);
    }
}

#[test]
fn hub_time_is_a_ratchet_and_an_older_life_of_the_hub_is_not_believed() {
    let (folder, mut fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 1000);
    let mut answer = |fund: &Fund, time| {
        let state = journal.state();
        let answer = fund.answer(state.hub.acked, vec![fund.config(time).into_bytes()], u64::from(time), 5);
        let believed = journal.apply(moment(1, 1), &fund.inbound(state.hub.cursor, &answer)).unwrap().believed;
        (believed, journal.state().hub.ratchet.get(), journal.state().hub.life.time_epoch)
    };
    let (later, epoch) = (u32::try_from(HUB_TIME).unwrap() + 1000, TimeEpoch::new);
    assert_eq!(answer(&fund, later), (true, u64::from(later), epoch(1)));
    assert_eq!(answer(&fund, later - 500), (true, u64::from(later), epoch(1)));
    fund.time_epoch = epoch(2);
    assert_eq!(answer(&fund, later - 900), (true, u64::from(later) - 900, epoch(2)));
    fund.time_epoch = epoch(1);
    assert_eq!(answer(&fund, later + 900), (false, u64::from(later) - 900, epoch(2)));
}

#[test]
fn a_closing_has_the_totals_of_its_rows_and_the_perpetual_one() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 100_000);
    for number in 1..=3 {
        accepted(journal.sell(moment(1, number), &ask(number, 1, 100)).unwrap());
    }
    let first = journal.close(moment(1, 10), ClosePeriod::Day).unwrap().asked;
    assert_eq!((first.close.number, first.close.sales, first.close.fund), (1, 3, cents(300)));
    assert_eq!(
        journal.close(moment(1, 11), ClosePeriod::Day).unwrap(),
        Closed { asked: first, is_new: false, added: vec![] }
    );
    accepted(journal.sell(moment(1, 12), &ask(4, 1, 50)).unwrap());
    let second = journal.close(moment(1, 13), ClosePeriod::Day).unwrap().asked.close;
    assert_eq!((second.number, second.sales, second.fund, second.perpetual), (2, 1, cents(50), cents(350)));
    let month = journal.close(moment(1, 14), ClosePeriod::Month).unwrap().asked.close;
    assert_eq!((month.number, month.sales, month.from, month.fund), (1, 4, Seq::FIRST, cents(350)));
    assert_sound(folder.path(), &fund);
}

#[test]
fn the_stan_wraps() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 1000);
    Arc::make_mut(&mut journal.state).newest.stan = Stan::new(Stan::MAX);
    assert_eq!(accepted(journal.sell(moment(1, 1), &ask(1, 1, 1)).unwrap()).sale.stan, Stan::FIRST);
}

#[test]
fn what_was_written_cannot_be_changed_by_sql() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 1000);
    accepted(journal.sell(moment(1, 1), &ask(1, 1, 500)).unwrap());
    for (sql, said) in [
        ("UPDATE rows SET fund_cents = 0", "a row is never changed"),
        ("DELETE FROM rows", "a row is never removed"),
        ("UPDATE identity SET hub_url = ''", "an enrolment is never changed"),
        ("DELETE FROM identity", "an enrolment is never removed"),
        ("UPDATE counters SET spent_cents = spent_cents - 1", "a counter never goes down"),
        ("DELETE FROM counters", "a counter is never removed"),
        ("UPDATE balances SET allowed_cents = allowed_cents - 1", "what is allowed never goes down"),
        ("UPDATE balances SET serial = 0", "what is allowed never goes down"),
        ("DELETE FROM balances", "a balance is never removed"),
        ("UPDATE hub SET hot_list = 0", "the version of the hot list never goes down"),
    ] {
        let error = journal.db.execute(sql, []).unwrap_err().to_string();
        assert!(error.contains(said), "{sql}: {error}");
    }
}

#[test]
fn a_change_behind_the_triggers_is_found() {
    let fund = Fund::default();
    for (sql, said) in [
        ("UPDATE rows SET bytes = zeroblob(100) WHERE seq = 4", "row 4"),
        ("UPDATE rows SET hash = zeroblob(32) WHERE seq = 4", "its hash is not the one"),
        ("UPDATE rows SET fund_cents = 7 WHERE seq = 4", "columns beside it"),
        ("UPDATE rows SET request = zeroblob(8) WHERE seq = 4", "columns beside it"),
        ("DELETE FROM rows WHERE seq = 4", "comes next"),
        ("DELETE FROM rows WHERE seq = 5", "counters are not what"),
        ("UPDATE counters SET spent_cents = 0", "counters are not what"),
        ("UPDATE balances SET bytes = zeroblob(9)", "a balance"),
        ("UPDATE identity SET enrol_request = enrol_answer", "another type"),
    ] {
        let folder = folder();
        let mut journal = fund.ready(folder.path(), 1000);
        for number in 1..=2 {
            accepted(journal.sell(moment(1, number), &ask(number, 1, 500)).unwrap());
        }
        drop(journal);
        let db = Connection::open(folder.path().join(FILE)).unwrap();
        db.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        let triggers: Vec<String> = db
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        for trigger in triggers {
            db.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
        }
        db.execute(sql, []).unwrap();
        drop(db);
        let found = match verify::verify(&folder.path().join(FILE), Some(*fund.root.public())) {
            Ok(report) => report.problems.join("; "),
            Err(error) => error.to_string(),
        };
        assert!(found.contains(said) || (said == "another type" && !found.is_empty()), "{sql}: {found}");
    }
}

#[test]
fn another_root_key_does_not_vouch_for_a_journal() {
    let (folder, fund) = (folder(), Fund::default());
    drop(fund.ready(folder.path(), 1000));
    let other = Signer::from_seed(&[77; 32]).unwrap();
    let report = verify::verify(&folder.path().join(FILE), Some(*other.public())).unwrap();
    assert!(!report.sound && report.problems.len() >= 2, "{:?}", report.problems);
    let own = verify::verify(&folder.path().join(FILE), None).unwrap();
    assert!(own.sound && !own.root_given);
}

#[test]
fn a_copy_can_be_verified_where_nothing_can_be_written() {
    let (folder, fund, copies) = (folder(), Fund::default(), self::folder());
    drop(fund.ready(folder.path(), 1000));
    let copy = copies.path().join("100% #copy?.db");
    std::fs::copy(folder.path().join(FILE), &copy).unwrap();
    std::fs::set_permissions(copies.path(), std::fs::Permissions::from_mode(0o500)).unwrap();
    assert!(verify::verify(&copy, None).unwrap().sound);
    std::fs::set_permissions(copies.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let older = "DROP TRIGGER allowed_never_goes_down; DROP TABLE void_words; PRAGMA user_version = 8";
    Connection::open(&copy).unwrap().execute_batch(older).unwrap();
    assert!(verify::verify(&copy, None).unwrap().sound, "of an older program's form");
}

#[test]
fn a_file_of_a_newer_program_or_of_something_else_stops_the_start() {
    let (folder, fund) = (folder(), Fund::default());
    let path = folder.path().join(FILE);
    let open = || Journal::open(&path, fund.signer(), moment(1, 1), "0.1.0").unwrap_err();
    assert!(matches!(open(), JournalError::NotEnrolled(_)));
    drop(fund.ready(folder.path(), 1000));
    let db = Connection::open(&path).unwrap();
    db.execute_batch("PRAGMA user_version = 99").unwrap();
    let error = open();
    assert!(matches!(error, JournalError::Newer { found: 99, known: FORM, .. }), "{error}");
    assert!(error.to_string().contains("install the newer program"));
    db.execute_batch("PRAGMA user_version = 3; PRAGMA application_id = 5").unwrap();
    assert!(matches!(open(), JournalError::NotAJournal(_)));
    drop(db);
    std::fs::remove_file(&path).unwrap();
    let mut text = std::fs::File::create(&path).unwrap();
    std::io::Write::write_all(&mut text, &[b'x'; 9000]).unwrap();
    assert_eq!(open().trouble(), Some(Trouble::Corrupt));
}

#[test]
fn another_terminals_key_does_not_open_a_journal() {
    let (folder, fund) = (folder(), Fund::default());
    drop(fund.ready(folder.path(), 1000));
    let other = Signer::from_seed(&[99; 32]).unwrap();
    let error = Journal::open(&folder.path().join(FILE), other, moment(1, 1), "0.1.0").unwrap_err();
    assert!(matches!(error, JournalError::Inconsistent(_)), "{error}");
}

#[test]
fn a_full_disk_stops_sales_in_words_and_space_lets_them_go_on() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 1_000_000);
    journal.limit_pages(Some(1));
    let mut number = 0;
    let error = loop {
        number += 1;
        match journal.sell(moment(1, 1), &ask(number, 1, 1)) {
            Ok(Sold::Accepted(_)) if number < 5000 => {}
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert_eq!((error.trouble(), journal.trouble()), (Some(Trouble::DiskFull), Some(Trouble::DiskFull)), "{error}");
    assert!(journal.sell(moment(1, 1), &ask(number, 1, 1)).is_err(), "and again");
    assert_eq!(journal.find_sale(request(number)).unwrap(), None, "the sale that failed was not written");
    journal.limit_pages(None);
    journal.probe(moment(1, 2)).unwrap();
    assert_eq!(journal.trouble(), None);
    accepted(journal.sell(moment(1, 2), &ask(number, 1, 1)).unwrap());
    assert_eq!(u64::from(assert_sound(folder.path(), &fund).sales), number);
}

#[test]
fn a_journal_that_may_not_be_written_says_so() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 1000);
    journal.db.pragma_update(None, "query_only", true).unwrap();
    let error = journal.sell(moment(1, 1), &ask(1, 1, 1)).unwrap_err();
    assert_eq!(error.trouble(), Some(Trouble::ReadOnly), "{error}");
    // The next use opens the file again.
    accepted(journal.sell(moment(1, 1), &ask(1, 1, 1)).unwrap());
}

#[test]
fn a_new_enrolment_keeps_the_old_journal_whole() {
    let (folder, mut fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 1000);
    accepted(journal.sell(moment(1, 1), &ask(1, 1, 400)).unwrap());
    drop(journal);
    fund.epoch = cabas_protocol::Epoch::new(2);
    fund.terminal_seed = [4; 32];
    let journal = fund.ready(folder.path(), 600);
    assert_eq!((journal.state().id.epoch, journal.state().newest.totals.sales), (fund.epoch, 0));
    let old = folder.path().join("earlier-enrolments/terminal-7-epoch-1");
    assert_eq!(assert_sound(&old, &fund).sales, 1);
    assert!(old.join(KEY_FILE).exists() == folder.path().join(KEY_FILE).exists());
}

#[test]
fn a_print_is_counted_before_it_is_made() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 1000);
    let seq = accepted(journal.sell(moment(1, 1), &ask(1, 1, 400)).unwrap()).seq;
    assert_eq!(journal.count_print(moment(1, 2), seq).unwrap(), 0);
    assert_eq!(journal.count_print(moment(1, 3), seq).unwrap(), 1);
    assert!(journal.count_print(moment(1, 3), Seq::new(999)).is_err(), "no such row");
}

const CHILD: &str = "CABAS_TEST_JOURNAL";

/// Not a test by itself: what the test below starts and kills.
#[test]
fn child_that_sells_until_it_is_killed() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let mut journal = Fund::default().open(Path::new(&folder), moment(1, 1));
    for number in 1.. {
        accepted(journal.sell(moment(1, 1), &ask(number, 1, 1)).unwrap());
        println!("accepted {number}");
    }
}

#[test]
fn a_killed_process_loses_no_accepted_sale_and_makes_none_twice() {
    let (folder, fund) = (folder(), Fund::default());
    drop(fund.ready(folder.path(), 50_000));
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "journal::tests::child_that_sells_until_it_is_killed", "--nocapture"])
        .env(CHILD, folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let shown = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut shown =
        shown.filter_map(|line| line.strip_prefix("accepted ").and_then(|number| number.parse::<u64>().ok()));
    let _first = shown.by_ref().nth(40).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let last = shown.last().unwrap_or(41);
    let mut journal = fund.open(folder.path(), moment(1, 2));
    for number in 1..=last {
        assert!(journal.find_sale(request(number)).unwrap().is_some(), "sale {number} was shown as accepted");
    }
    let sales = u64::from(assert_sound(folder.path(), &fund).sales);
    assert!(sales == last || sales == last + 1, "{sales} written, {last} shown");
    let again = journal.sell(moment(1, 2), &ask(last, 1, 1)).unwrap();
    assert!(matches!(again, Sold::Known(_)), "{again:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn whatever_is_asked_and_raised_spent_stays_within_allowed(
        steps in prop::collection::vec((0u8..4, 1u64..=400, 0u64..20), 1..60),
    ) {
        let (folder, fund) = (folder(), Fund::default());
        let mut journal = fund.ready(folder.path(), 500);
        let (mut allowed, mut serial, mut spent) = (500, 1, 0);
        let mut seen = std::collections::BTreeSet::new();
        for (step, amount, number) in steps {
            match step {
                0 => {
                    (allowed, serial) = (allowed + amount, serial + 1);
                    fund.give(&mut journal, vec![fund.balance(1, serial, allowed).into_bytes()]);
                }
                1 => {
                    // An old balance, a lower one and a restart change nothing.
                    fund.give(&mut journal, vec![fund.balance(1, 1, 500).into_bytes(), fund.balance(1, serial + 1, 1).into_bytes()]);
                    drop(journal);
                    journal = fund.open(folder.path(), moment(1, 1));
                }
                _ => match journal.sell(moment(1, 1), &ask(number, 1, amount)).unwrap() {
                    Sold::Accepted(record) => {
                        spent += amount;
                        prop_assert!(seen.insert(number), "request {} was done twice", number);
                        prop_assert_eq!(record.sale.spent_after.get(), spent);
                    }
                    Sold::Known(_) => prop_assert!(seen.contains(&number)),
                    Sold::Declined(_) => prop_assert!(spent + amount > allowed),
                    Sold::NotSplit(error) => prop_assert!(false, "{}", error),
                },
            }
            prop_assert!(spent <= allowed);
        }
        prop_assert_eq!(assert_sound(folder.path(), &fund).fund_cents, spent);
    }
}

#[test]
fn verification_sees_one_moment_of_a_journal_that_is_written_to() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 50_000);
    let path = folder.path().join(FILE);
    let writes = std::thread::spawn(move || {
        for number in 1..=300 {
            assert!(matches!(journal.sell(moment(1, 5), &ask(number, 1, 1)).unwrap(), Sold::Accepted(_)));
        }
    });
    let mut looks = 0_u32;
    while !writes.is_finished() || looks == 0 {
        let report = verify::verify(&path, None).unwrap();
        assert_eq!(report.problems, Vec::<String>::new(), "after {} sales", report.sales);
        looks += 1;
    }
    writes.join().unwrap();
}
