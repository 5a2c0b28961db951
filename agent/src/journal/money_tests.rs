//! Money that comes back: reversals, refunds, recalls, parts, in any order and over any restart.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    clippy::too_many_lines,
    reason = "a failed unwrap is the test's failure"
)]
use super::*;
use crate::core::authorize::{DeclineReason, TerminalState};
use crate::core::objects::Alarm;
use crate::core::split::AskedLine;
use crate::core::undo::{REVERSAL_S_MAX, UndoRefusal};
use crate::fixture::{Fund, HUB_TIME, ask, cents, moment, purse, request};
use cabas_protocol::objects::{Category, Grid};
use cabas_protocol::row::{ClosePeriod, Line, Origin, RefundRequest, Return, Reversal};
use cabas_protocol::sync::{RefundDecision, Standing};
use cabas_protocol::{CategoryId, Cents, Epoch, PurseRef, Seq, Version};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn assert_sound(folder: &Path, fund: &Fund) -> verify::Report {
    let report = verify::verify(&folder.join(FILE), Some(*fund.root.public())).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    report
}

fn sell(journal: &mut Journal, at: u64, number: u64, amount: u64) -> SaleRecord {
    match journal.sell(moment(1, at), &ask(number, 1, amount)).unwrap() {
        Sold::Accepted(record) => record,
        other => panic!("{other:?}"),
    }
}

fn by(number: u64) -> SaleRef {
    SaleRef::Request(request(number))
}

fn done<T: std::fmt::Debug>(undone: Undone<T>) -> T {
    match undone {
        Undone::Done(record) => record,
        other => panic!("{other:?}"),
    }
}

fn refused<T: std::fmt::Debug>(undone: Undone<T>) -> UndoRefusal {
    match undone {
        Undone::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

fn available(journal: &mut Journal, card: u8) -> u64 {
    match journal.view_card(moment(1, 5), crate::fixture::presented(card)).unwrap() {
        CardView::Usable { available } => available.get(),
        CardView::Declined(declined) => panic!("{declined:?}"),
    }
}

fn refund(number: u64, sale: u64, lines: &[(u16, u64)]) -> RefundAsk {
    let asked =
        |&(category, amount): &(u16, u64)| AskedLine { category: CategoryId::new(category), requested: cents(amount) };
    RefundAsk { request: request(number), sale: by(sale), lines: Some(lines.iter().map(asked).collect()) }
}

/// The counters as they are stored.
fn stored(journal: &Journal) -> BTreeMap<PurseRef, (u64, u64)> {
    let mut select = journal.db.prepare("SELECT purse, spent_cents, reversed_cents FROM counters").unwrap();
    let rows = select.query_map([], |row| Ok((PurseRef::new(row.get(0)?), (row.get(1)?, row.get(2)?)))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_reversal_gives_the_money_back_at_once_and_once() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 1000);
    let sale = sell(&mut journal, 5, 1, 1000);
    let commits = journal.commits;
    let reversal = done(journal.reverse(moment(1, 6), by(1), request(2)).unwrap());
    assert_eq!(journal.commits, commits + 1, "one commit");
    assert_eq!((reversal.reversal.sale, reversal.reversal.cents), (sale.seq, cents(1000)));
    assert_eq!((reversal.reversal.reversed_after, reversal.reversal.stan.get()), (cents(1000), 2));
    assert_eq!(journal.reverse(moment(1, 7), by(1), request(2)).unwrap(), Undone::Known(reversal.clone()));
    assert_eq!(refused(journal.reverse(moment(1, 7), by(1), request(3)).unwrap()), UndoRefusal::Reversed);
    drop(journal);
    let mut journal = fund.open(folder.path(), moment(1, 8));
    assert_eq!(journal.reverse(moment(1, 9), by(1), request(2)).unwrap(), Undone::Known(reversal));
    assert_eq!(available(&mut journal, 1), 1000);
    let again = sell(&mut journal, 10, 4, 1000);
    assert_eq!(again.sale.spent_after, cents(2000), "counters only grow");
    assert_eq!(available(&mut journal, 1), 0);
    let close = journal.close(moment(1, 20), ClosePeriod::Day).unwrap().asked.close;
    assert_eq!((close.sales, close.fund, close.reversed, close.perpetual), (2, cents(2000), cents(1000), cents(2000)));
    assert_sound(folder.path(), &fund);
}

#[test]
fn a_reversal_gives_the_days_limit_of_plain_cards_back_too() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 200_000);
    for number in 1..=2 {
        sell(&mut journal, number, number, 20_000);
    }
    sell(&mut journal, 3, 3, 10_000);
    done(journal.reverse(moment(1, 4), by(3), request(9)).unwrap());
    sell(&mut journal, 5, 4, 10_000);
    assert_sound(folder.path(), &fund);
}

#[test]
fn only_a_fresh_sale_is_reversed() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 100_000);
    sell(&mut journal, 10, 1, 100);
    sell(&mut journal, 20, 2, 100);
    let late = 10 + REVERSAL_S_MAX;
    let reverse =
        |journal: &mut Journal, at, sale, number| journal.reverse(moment(1, at), by(sale), request(number)).unwrap();
    assert_eq!(refused(reverse(&mut journal, late + 1, 1, 50)), UndoRefusal::TooLate);
    done(reverse(&mut journal, late, 1, 50));
    assert_eq!(refused(reverse(&mut journal, 10 + 2 * 86_400, 2, 51)), UndoRefusal::TooLate);
    done(reverse(&mut journal, late + 5000, 2, 51));
    assert_eq!(refused(reverse(&mut journal, 30, 9, 52)), UndoRefusal::UnknownSale);
    sell(&mut journal, 40, 3, 100);
    assert_eq!(refused(reverse(&mut journal, 41, 3, 1)), UndoRefusal::RequestTaken, "a sale has that id");
    assert_eq!(refused(reverse(&mut journal, 41, 3, 50)), UndoRefusal::RequestTaken, "another reversal has it");
    let error = journal.sell(moment(1, 42), &ask(50, 1, 5)).unwrap_err();
    assert!(matches!(error, JournalError::RequestTaken) && journal.trouble().is_none(), "{error}");
    assert_sound(folder.path(), &fund);
}

#[test]
fn a_terminal_that_may_not_write_undoes_nothing_and_a_paused_one_does() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 1000);
    sell(&mut journal, 1, 1, 100);
    sell(&mut journal, 1, 2, 100);
    for (standing, state) in [
        (Standing::Revoked, TerminalState::Revoked),
        (Standing::Closed, TerminalState::Closed),
        (Standing::Quarantined, TerminalState::Quarantined),
    ] {
        journal.set_standing(moment(1, 2), standing).unwrap();
        let refusal = UndoRefusal::Terminal(state);
        assert_eq!(refused(journal.reverse(moment(1, 3), by(1), request(9)).unwrap()), refusal);
        assert_eq!(refused(journal.refund(moment(1, 3), &refund(9, 1, &[(0, 1)])).unwrap()), refusal);
    }
    journal.set_standing(moment(1, 4), Standing::Live).unwrap();
    let mut paused = fund.config(2).read_trusted(fund.id).unwrap().into_payload();
    paused.paused = true;
    fund.give(&mut journal, vec![fund.hub.sign(&paused).into_bytes()]);
    assert!(
        matches!(journal.sell(moment(1, 5), &ask(3, 1, 1)).unwrap(), Sold::Declined(declined) if declined.reason == DeclineReason::Paused)
    );
    done(journal.reverse(moment(1, 5), by(1), request(9)).unwrap());
    done(journal.refund(moment(1, 5), &refund(10, 2, &[(0, 1)])).unwrap());
}

#[test]
fn refunds_are_rows_that_never_come_to_more_than_the_sale() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 10_000);
    let category = |id, share_percent| Category {
        id: CategoryId::new(id),
        share_percent,
        label_fr: String::from("Légumes"),
        label_en: String::from("Vegetables"),
    };
    let grid = |version, share| Grid {
        head: fund.context().head(cabas_protocol::head::ObjectType::Grid),
        terminal: fund.terminal,
        version: Version::new(version),
        valid_from_day: 0,
        categories: vec![category(1, 100), category(2, share)],
    };
    fund.give(&mut journal, vec![fund.hub.sign(&grid(1, 70)).into_bytes()]);
    let line = |category, amount| AskedLine { category: CategoryId::new(category), requested: cents(amount) };
    let asked =
        SaleAsk { lines: vec![line(1, 500), line(2, 1001)], till_ref: Some(String::from("T-7")), ..ask(1, 1, 1) };
    assert!(matches!(journal.sell(moment(1, 5), &asked).unwrap(), Sold::Accepted(_)));
    // Another share holds today; what was paid counts.
    fund.give(&mut journal, vec![fund.hub.sign(&grid(2, 30)).into_bytes()]);
    let first = done(journal.refund(moment(1, 6), &refund(2, 1, &[(2, 500)])).unwrap());
    assert_eq!((first.refund.lines.clone(), first.sale.till_ref.as_deref()), (vec![parts(2, 500, 350)], Some("T-7")));
    assert_eq!(first.progress, RefundProgress::Unsent);
    assert_eq!(journal.refund(moment(1, 6), &refund(2, 1, &[(1, 9)])).unwrap(), Undone::Known(first.clone()));
    let too_much = UndoRefusal::TooMuch { category: CategoryId::new(2), left: cents(501) };
    assert_eq!(refused(journal.refund(moment(1, 7), &refund(3, 1, &[(2, 502)])).unwrap()), too_much);
    assert_eq!(refused(journal.reverse(moment(1, 7), by(1), request(3)).unwrap()), UndoRefusal::Refunded);
    let rest = RefundAsk { request: request(4), sale: by(1), lines: None };
    let rest = done(journal.refund(moment(1, 8), &rest).unwrap());
    assert_eq!(rest.refund.lines, [parts(1, 500, 500), parts(2, 501, 351)]);
    let elsewhere = Origin { terminal: fund.terminal, epoch: Epoch::new(9), seq: first.refund.original.seq };
    let elsewhere = RefundAsk { sale: SaleRef::Origin(elsewhere), ..refund(5, 1, &[(1, 1)]) };
    assert_eq!(refused(journal.refund(moment(1, 8), &elsewhere).unwrap()), UndoRefusal::UnknownSale);
    let here = RefundAsk { sale: SaleRef::Origin(first.refund.original), ..refund(5, 1, &[(1, 1)]) };
    assert!(matches!(refused(journal.refund(moment(1, 8), &here).unwrap()), UndoRefusal::TooMuch { .. }));
    assert_eq!(refused(journal.refund(moment(1, 8), &refund(1, 1, &[(1, 1)])).unwrap()), UndoRefusal::RequestTaken);
    assert_eq!(available(&mut journal, 1), 10_000 - 1201, "only the hub gives a refund");
    let close = journal.close(moment(1, 9), ClosePeriod::Day).unwrap().asked.close;
    assert_eq!((close.fund, close.refunds, close.reversed), (cents(1201), cents(1201), Cents::ZERO));
    drop(journal);
    let mut journal = fund.open(folder.path(), moment(1, 10));
    assert_eq!(journal.find_refund(request(2)).unwrap(), Some(first));
    assert_sound(folder.path(), &fund);
}

fn parts(category: u16, requested: u64, fund: u64) -> Line {
    let category = CategoryId::new(category);
    Line { category, requested: cents(requested), fund: cents(fund), member: cents(requested - fund) }
}

#[test]
fn a_refund_is_done_once_the_hub_says_so() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 1000);
    sell(&mut journal, 1, 1, 500);
    let seq = done(journal.refund(moment(1, 2), &refund(2, 1, &[(0, 200)])).unwrap()).seq;
    let progress = |journal: &mut Journal| journal.find_refund(request(2)).unwrap().unwrap().progress;
    assert_eq!(progress(&mut journal), RefundProgress::Unsent);
    let acked = journal.state().newest.chain;
    let answer = fund.answer(acked, vec![], HUB_TIME, journal.state().hub.cursor);
    journal.apply(moment(1, 3), &fund.inbound(journal.state().hub.cursor, &answer)).unwrap();
    assert_eq!(progress(&mut journal), RefundProgress::Received);
    fund.give(&mut journal, vec![fund.balance(1, 2, 1200).into_bytes()]);
    assert_eq!(progress(&mut journal), RefundProgress::Received, "more money is not an answer");
    let say = |journal: &mut Journal, seq, granted| {
        let applied = fund.give(journal, vec![fund.refund_decision(seq, granted).into_bytes()]);
        (applied.taken, applied.alarms.len(), progress(journal))
    };
    assert_eq!(say(&mut journal, seq, false), (1, 0, RefundProgress::Refused));
    assert_eq!(say(&mut journal, seq, true), (1, 0, RefundProgress::Credited), "a restored hub decided again");
    assert_eq!(say(&mut journal, seq, true), (0, 0, RefundProgress::Credited));
    assert_eq!(say(&mut journal, Seq::new(1), false), (0, 0, RefundProgress::Credited), "no refund of ours");
    let stranger = RefundDecision { epoch: Epoch::new(9), ..fund.refund_decision(seq, false).peek().unwrap() };
    let applied = fund.give(&mut journal, vec![fund.hub.sign(&stranger).into_bytes()]);
    assert_eq!((applied.alarms.len(), progress(&mut journal)), (1, RefundProgress::Credited));
    assert_eq!(available(&mut journal, 1), 700);
    assert_sound(folder.path(), &fund);
}

#[test]
fn a_recall_is_answered_once_by_a_row_of_what_is_free() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 1000);
    sell(&mut journal, 1, 1, 300);
    let recall = |journal: &mut Journal, number, of, keep| {
        let applied = fund.give(journal, vec![fund.recall(number, of, keep).into_bytes()]);
        assert_eq!(applied.alarms, []);
        applied.taken
    };
    let seq = journal.state().newest.chain.seq;
    assert_eq!((recall(&mut journal, 50, 1, 700), recall(&mut journal, 50, 2, 0)), (0, 0), "nothing is above it");
    assert_eq!(journal.state().newest.chain.seq, seq);
    assert_eq!(recall(&mut journal, 51, 1, 200), 1);
    assert_eq!((available(&mut journal, 1), stored(&journal)[&purse(1)]), (200, (800, 0)));
    assert_eq!(recall(&mut journal, 51, 1, 200), 0, "the same again");
    assert_eq!(recall(&mut journal, 51, 1, 0), 0, "the same with another level");
    drop(journal);
    let mut journal = fund.open(folder.path(), moment(1, 2));
    assert_eq!(recall(&mut journal, 51, 1, 0), 0, "after a restart");
    // A reversal after a return is above the level again, and a further recall takes it.
    done(journal.reverse(moment(1, 3), by(1), request(9)).unwrap());
    assert_eq!(available(&mut journal, 1), 500);
    assert_eq!(recall(&mut journal, 52, 1, 0), 1);
    assert_eq!((available(&mut journal, 1), stored(&journal)[&purse(1)]), (0, (1300, 300)));
    fund.give(&mut journal, vec![fund.balance(2, 1, 400).into_bytes()]);
    assert_eq!(recall(&mut journal, 52, 2, 0), 1, "one recall may name many purses; this one never paid");
    assert_eq!(stored(&journal)[&purse(2)], (400, 0));
    assert_sound(folder.path(), &fund);
}

#[test]
fn a_recall_leaves_an_open_sale_alone() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 500);
    let give_back =
        |journal: &mut Journal, number| fund.give(journal, vec![fund.recall(number, 1, 0).into_bytes()]).taken;
    // The sale waits for a larger balance: what is here is a part of what it needs.
    assert!(matches!(journal.sell(moment(1, 1), &ask(1, 1, 800)).unwrap(), Sold::Declined(_)));
    assert_eq!(journal.state().reserved, Some(Reserved { request: request(1), purse: purse(1), cents: cents(800) }));
    assert_eq!(give_back(&mut journal, 50), 0);
    fund.give(&mut journal, vec![fund.balance(1, 2, 900).into_bytes()]);
    assert_eq!((give_back(&mut journal, 51), available(&mut journal, 1)), (1, 800), "what it does not need goes");
    sell(&mut journal, 2, 1, 800);
    assert_eq!(journal.state().reserved, None);
    fund.give(&mut journal, vec![fund.balance(1, 3, 1400).into_bytes()]);
    assert!(matches!(journal.sell(moment(1, 3), &ask(2, 1, 600)).unwrap(), Sold::Declined(_)));
    journal.release(request(7));
    assert!(journal.state().reserved.is_some(), "another sale's end frees nothing");
    journal.release(request(2));
    assert_eq!((give_back(&mut journal, 52), available(&mut journal, 1)), (1, 0));
    assert_sound(folder.path(), &fund);
}

#[test]
fn a_recall_for_another_or_to_a_closed_journal_returns_nothing() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 500);
    let other = Fund { epoch: Epoch::new(2), ..Fund::default() };
    let applied = fund.give(&mut journal, vec![other.recall(1, 1, 0).into_bytes()]);
    assert_eq!(applied.alarms, [Alarm::Misaddressed { what: "a recall" }]);
    for standing in [Standing::Closed, Standing::Quarantined, Standing::Revoked] {
        let state = journal.state();
        let mut answer = fund.answer(state.hub.acked, vec![], HUB_TIME, state.hub.cursor);
        answer.standing = standing;
        journal.apply(moment(1, 1), &fund.inbound(state.hub.cursor, &answer)).unwrap();
        answer.objects = vec![fund.recall(2, 1, 0).into_bytes().into()];
        journal.apply(moment(1, 1), &fund.inbound(state.hub.cursor, &answer)).unwrap();
        assert_eq!(stored(&journal).contains_key(&purse(1)), standing == Standing::Revoked, "{standing:?}");
    }
    assert_sound(folder.path(), &fund);
}

#[test]
fn a_part_is_offered_only_where_money_alone_is_short_and_never_grows() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 500);
    let now = moment(1, 5);
    let wanted = ask(1, 1, 800);
    assert!(matches!(journal.sell(now, &wanted).unwrap(), Sold::Declined(_)));
    assert_eq!(journal.offer(now, &wanted, None).unwrap(), None, "the limits allow no parts");
    fund.give(&mut journal, vec![fund.policy_with_parts(2).into_bytes()]);
    assert_eq!(journal.offer(now, &wanted, None).unwrap(), Some(cents(500)));
    assert_eq!(journal.offer(now, &ask(1, 1, 20_001), None).unwrap(), None, "over a limit");
    assert_eq!(journal.offer(now, &ask(1, 9, 800), None).unwrap(), None, "an unknown card");
    assert_eq!(journal.offer(now, &ask(1, 1, 500), None).unwrap(), None, "there is enough");
    // In the meantime another card of the household pays; the offer is made anew, and smaller.
    sell(&mut journal, 6, 2, 100);
    assert!(matches!(journal.sell_part(now, &wanted, cents(500)).unwrap(), Sold::Declined(_)));
    assert_eq!(journal.offer(now, &wanted, Some(cents(500))).unwrap(), Some(cents(400)));
    assert_eq!(journal.offer(now, &wanted, Some(cents(399))).unwrap(), Some(cents(399)), "never more than before");
    // More has come: not more than offered is taken.
    fund.give(&mut journal, vec![fund.balance(1, 2, 2000).into_bytes()]);
    assert!(matches!(journal.sell_part(now, &wanted, Cents::ZERO).unwrap(), Sold::Declined(_)), "nothing is no part");
    let Sold::Accepted(record) = journal.sell_part(now, &wanted, cents(400)).unwrap() else { panic!("declined") };
    assert_eq!((record.sale.lines.clone(), record.sale.asked), (vec![parts(0, 800, 400)], Some(cents(800))));
    assert_eq!(journal.sell_part(now, &wanted, cents(400)).unwrap(), Sold::Known(record.clone()));
    assert_eq!(journal.sell(now, &wanted).unwrap(), Sold::Known(record));
    assert_eq!(sell(&mut journal, 8, 3, 10).sale.asked, None);
    done(journal.refund(moment(1, 9), &refund(4, 1, &[(0, 400)])).unwrap());
    assert_eq!(journal.find_refund(request(4)).unwrap().unwrap().refund.lines, [parts(0, 400, 200)]);
    assert_sound(folder.path(), &fund);
}

#[test]
fn the_day_lists_what_has_a_receipt() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 10_000);
    sell(&mut journal, 1, 1, 100);
    let day = 86_400;
    for number in 2..=4 {
        sell(&mut journal, day + number, number, 100);
    }
    let reversal = done(journal.reverse(moment(1, day + 10), by(4), request(5)).unwrap());
    let refund = done(journal.refund(moment(1, day + 11), &refund(6, 3, &[(0, 40)])).unwrap());
    let today = journal.today(moment(1, day + 20)).unwrap();
    let shown: Vec<_> = today
        .iter()
        .map(|entry| match entry {
            Entry::Sale { record, is_reversed, refunded } => (record.sale.stan.get(), *is_reversed, refunded.get()),
            Entry::Reversal(record) => (record.reversal.stan.get(), true, 0),
            Entry::Refund(record) => (record.refund.stan.get(), false, 0),
        })
        .collect();
    assert_eq!(shown, [(6, false, 0), (5, true, 0), (4, true, 0), (3, false, 40), (2, false, 0)]);
    assert_eq!(today.first(), Some(&Entry::Refund(refund)));
    assert_eq!(journal.entry(reversal.seq).unwrap(), Some(Entry::Reversal(reversal)));
    assert_eq!(journal.entry(Seq::FIRST).unwrap(), None, "a start has no receipt");
    assert_eq!(journal.entry(Seq::new(999)).unwrap(), None);
}

#[test]
fn what_was_undone_cannot_be_changed_and_a_change_behind_the_triggers_is_found() {
    let fund = Fund::default();
    for (sql, said) in [
        ("UPDATE reversals SET sale = 5", "a reversal is never changed"),
        ("DELETE FROM reversals", "a reversal is never removed"),
        ("UPDATE refunds SET sale = 4", "a refund is never changed"),
        ("DELETE FROM refunds", "a refund is never removed"),
        ("UPDATE returns SET request = zeroblob(8)", "a return is never changed"),
        ("DELETE FROM returns", "a return is never removed"),
    ] {
        let folder = folder();
        let mut journal = fund.ready(folder.path(), 1000);
        sell(&mut journal, 1, 1, 300);
        sell(&mut journal, 1, 2, 200);
        done(journal.reverse(moment(1, 2), by(1), request(3)).unwrap());
        done(journal.refund(moment(1, 2), &refund(4, 2, &[(0, 50)])).unwrap());
        fund.give(&mut journal, vec![fund.recall(50, 1, 0).into_bytes()]);
        assert_sound(folder.path(), &fund);
        let error = journal.db.execute(sql, []).unwrap_err().to_string();
        assert!(error.contains(said), "{sql}: {error}");
        drop(journal);
        let db = Connection::open(folder.path().join(FILE)).unwrap();
        let (table, kind) = sql.split_once(' ').unwrap();
        let trigger =
            format!("DROP TRIGGER {}", said.replace(' ', "_").replacen("a_", "", 1).replacen("_is", "s_are", 1));
        db.execute_batch(&trigger).unwrap();
        db.execute(sql, []).unwrap();
        drop(db);
        let report = verify::verify(&folder.path().join(FILE), None).unwrap();
        let said = "what is kept of reversals, refunds and returns";
        assert!(report.problems.iter().any(|problem| problem.contains(said)), "{table} {kind}: {report:?}");
    }
}

#[test]
fn rows_that_undo_what_they_may_not_are_found_though_the_terminal_signed_them() {
    let fund = Fund::default();
    let origin = |seq| Origin { terminal: fund.terminal, epoch: fund.epoch, seq };
    let reversal = |sale, amount, after| {
        RowBody::Reversal(Reversal {
            stan: cabas_protocol::Stan::new(5).unwrap(),
            sale,
            purse: purse(1),
            cents: cents(amount),
            reversed_after: cents(after),
        })
    };
    let refund = |original, lines| {
        RowBody::RefundRequest(RefundRequest {
            stan: cabas_protocol::Stan::new(5).unwrap(),
            original,
            purse: purse(1),
            lines,
            request: request(77),
        })
    };
    let returned = |amount, after| {
        RowBody::Return(Return {
            purse: purse(1),
            cents: cents(amount),
            spent_after: cents(after),
            serial: cabas_protocol::Serial::new(1),
            request: None,
        })
    };
    // The journal: sale 1 of 300, reversed; sale 2 of 200, of which 50 were refunded.
    type Forge<'a> = &'a dyn Fn(Seq, Seq) -> RowBody;
    let forged: [(Forge<'_>, &str); 8] = [
        (&|first, _| reversal(first, 300, 600), "no such sale"),
        (&|_, second| reversal(second, 200, 500), "no such sale"),
        (&|_, _| reversal(Seq::FIRST, 1, 301), "no such sale"),
        (&|_, _| reversal(Seq::FIRST, 1, 700), "that stood at"),
        (&|first, _| refund(origin(first), vec![parts(0, 1, 1)]), "did not pay"),
        (&|_, second| refund(origin(second), vec![parts(0, 151, 151)]), "did not pay"),
        (&|_, second| refund(Origin { epoch: Epoch::new(9), ..origin(second) }, vec![parts(0, 1, 1)]), "did not pay"),
        (&|_, _| returned(100, 650), "the purse's counter stood at"),
    ];
    for (number, (forge, said)) in forged.iter().enumerate() {
        let folder = folder();
        let mut journal = fund.ready(folder.path(), 1000);
        let first = sell(&mut journal, 1, 1, 300).seq;
        let second = sell(&mut journal, 1, 2, 200).seq;
        done(journal.reverse(moment(1, 2), by(1), request(3)).unwrap());
        done(journal.refund(moment(1, 2), &refund_ask(4, 2, 50)).unwrap());
        assert_sound(folder.path(), &fund);
        journal.write(moment(1, 3), |writer| writer.append(forge(first, second), None)).unwrap();
        let report = verify::verify(&folder.path().join(FILE), None).unwrap();
        assert!(report.problems.iter().any(|problem| problem.contains(said)), "{number}: {report:?}");
    }
}

fn refund_ask(number: u64, sale: u64, amount: u64) -> RefundAsk {
    refund(number, sale, &[(0, amount)])
}

#[test]
fn a_balance_of_a_key_that_was_taken_back_stays_a_counter() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = fund.ready(folder.path(), 1000);
    let mut cert = fund.cert(&fund.hub).read_trusted(fund.id).unwrap().into_payload();
    cert.revoked = true;
    fund.give(&mut journal, vec![fund.root.sign(&cert).into_bytes()]);
    sell(&mut journal, 1, 1, 400);
    drop(journal);
    let mut journal = fund.open(folder.path(), moment(1, 2));
    assert!(journal.state().keys.verify(&fund.balance(1, 2, 5000)).is_err(), "a new one is refused");
    sell(&mut journal, 3, 2, 600);
    assert_sound(folder.path(), &fund);
}

/// A household as a page of arithmetic.
#[derive(Clone, Copy, Default)]
struct Model {
    allowed: u64,
    serial: u32,
    spent: u64,
    reversed: u64,
}

impl Model {
    fn available(self) -> u64 {
        self.allowed + self.reversed - self.spent
    }
}

#[derive(Clone, Debug)]
enum Step {
    Sell { card: u8, amount: u64 },
    Part { card: u8, amount: u64, most: u64 },
    Reverse { sale: usize, again: bool },
    Refund { sale: usize, amount: u64, again: bool },
    Recall { card: u8, keep: u64, again: bool },
    Raise { card: u8, by: u64 },
    OldBalance { card: u8 },
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    let card = 1u8..=2;
    prop_oneof![
        4 => (card.clone(), 1u64..400).prop_map(|(card, amount)| Step::Sell { card, amount }),
        1 => (card.clone(), 1u64..400, 0u64..300).prop_map(|(card, amount, most)| Step::Part { card, amount, most }),
        2 => (0usize..12, any::<bool>()).prop_map(|(sale, again)| Step::Reverse { sale, again }),
        2 => (0usize..12, 1u64..300, any::<bool>()).prop_map(|(sale, amount, again)| Step::Refund { sale, amount, again }),
        2 => (card.clone(), 0u64..300, any::<bool>()).prop_map(|(card, keep, again)| Step::Recall { card, keep, again }),
        2 => (card.clone(), 0u64..500).prop_map(|(card, by)| Step::Raise { card, by }),
        1 => card.prop_map(|card| Step::OldBalance { card }),
        1 => Just(Step::Close),
    ]
}

/// What a sale of the model was, and what became of it.
struct Sold1 {
    number: u64,
    card: u8,
    amount: u64,
    fund: u64,
    reversal: Option<u64>,
    refunded: u64,
    refunded_fund: u64,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_in_whatever_order_the_counters_are_those_of_the_model(
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let (folder, fund) = (folder(), Fund::default());
        let mut journal = fund.ready(folder.path(), 500);
        let second = [fund.binding(crate::fixture::card(2), 2, 1).into_bytes(), fund.balance(2, 1, 300).into_bytes()];
        fund.give(&mut journal, second.to_vec());
        let mut model = BTreeMap::from([
            (1, Model { allowed: 500, serial: 1, ..Model::default() }),
            (2, Model { allowed: 300, serial: 1, ..Model::default() }),
        ]);
        let mut sales: Vec<Sold1> = Vec::new();
        let mut refunds: Vec<u64> = Vec::new();
        let mut recalls: Vec<(u64, u8)> = Vec::new();
        let (mut number, mut fund_total, mut refund_total, mut reversed_total) = (0u64, 0, 0, 0);
        let now = moment(1, 10);
        for step in steps {
            number += 1;
            let before = stored(&journal);
            match step {
                Step::Sell { card, amount } | Step::Part { card, amount, most: _ } => {
                    let most = if let Step::Part { most, .. } = step { most.min(amount) } else { amount };
                    let sold = if most == amount {
                        journal.sell(now, &ask(number, card, amount))
                    } else {
                        journal.sell_part(now, &ask(number, card, amount), cents(most))
                    };
                    let of = model.get_mut(&card).unwrap();
                    match sold.unwrap() {
                        Sold::Accepted(record) => {
                            prop_assert!(most <= of.available() && most > 0);
                            of.spent += most;
                            prop_assert_eq!(record.sale.spent_after.get(), of.spent);
                            fund_total += most;
                            sales.push(Sold1 { number, card, amount, fund: most, reversal: None, refunded: 0, refunded_fund: 0 });
                        }
                        Sold::Declined(_) => prop_assert!(most > of.available() || most == 0),
                        other => prop_assert!(false, "{:?}", other),
                    }
                    journal.release(request(number));
                }
                Step::Reverse { sale, again } => {
                    let at = sale.checked_rem(sales.len()).unwrap_or(0);
                    let Some(sale) = sales.get_mut(at) else { continue };
                    let id = sale.reversal.filter(|_| again).unwrap_or(number);
                    match journal.reverse(now, by(sale.number), request(id)).unwrap() {
                        Undone::Done(record) => {
                            prop_assert!(sale.reversal.is_none() && sale.refunded == 0);
                            let of = model.get_mut(&sale.card).unwrap();
                            of.reversed += sale.fund;
                            reversed_total += sale.fund;
                            prop_assert_eq!(record.reversal.reversed_after.get(), of.reversed);
                            sale.reversal = Some(id);
                        }
                        Undone::Known(_) => prop_assert_eq!(sale.reversal, Some(id)),
                        Undone::Refused(UndoRefusal::Reversed) => prop_assert!(sale.reversal.is_some()),
                        Undone::Refused(UndoRefusal::Refunded) => prop_assert!(sale.refunded > 0),
                        Undone::Refused(other) => prop_assert!(false, "{:?}", other),
                    }
                }
                Step::Refund { sale, amount, again } => {
                    let at = sale.checked_rem(sales.len()).unwrap_or(0);
                    let Some(sale) = sales.get_mut(at) else { continue };
                    let known = refunds.last().copied().filter(|_| again);
                    let id = known.unwrap_or(number);
                    match journal.refund(now, &refund(id, sale.number, &[(0, amount)])).unwrap() {
                        Undone::Done(record) => {
                            let back = record.refund.lines.iter().map(|line| line.fund.get()).sum::<u64>();
                            sale.refunded += amount;
                            sale.refunded_fund += back;
                            refund_total += back;
                            prop_assert!(sale.refunded <= sale.amount && sale.refunded_fund <= sale.fund);
                            prop_assert!(sale.refunded < sale.amount || sale.refunded_fund == sale.fund);
                            prop_assert!(sale.reversal.is_none() && known.is_none());
                            refunds.push(id);
                        }
                        Undone::Known(_) => prop_assert!(known.is_some()),
                        Undone::Refused(UndoRefusal::Reversed) => prop_assert!(sale.reversal.is_some()),
                        Undone::Refused(UndoRefusal::TooMuch { left, .. }) => {
                            prop_assert_eq!(left.get(), sale.amount - sale.refunded);
                        }
                        Undone::Refused(UndoRefusal::NothingPaid) => prop_assert!(sale.fund < sale.amount),
                        Undone::Refused(other) => prop_assert!(false, "{:?}", other),
                    }
                }
                Step::Recall { card, keep, again } => {
                    let known = recalls.last().copied().filter(|_| again);
                    let (id, card) = known.unwrap_or((number + 1_000_000, card));
                    let taken = fund.give(&mut journal, vec![fund.recall(id, card, keep).into_bytes()]).taken;
                    let of = model.get_mut(&card).unwrap();
                    let free = of.available().saturating_sub(keep);
                    if known.is_some() || free == 0 {
                        prop_assert_eq!(taken, 0);
                    } else {
                        prop_assert_eq!(taken, 1);
                        of.spent += free;
                        recalls.push((id, card));
                    }
                }
                Step::Raise { card, by } => {
                    let of = model.get_mut(&card).unwrap();
                    (of.allowed, of.serial) = (of.allowed + by, of.serial + 1);
                    fund.give(&mut journal, vec![fund.balance(card, of.serial, of.allowed).into_bytes()]);
                }
                Step::OldBalance { card } => {
                    let of = model[&card];
                    let old = vec![fund.balance(card, 1, 1).into_bytes(), fund.balance(card, of.serial + 1, 0).into_bytes()];
                    if of.allowed > 0 {
                        fund.give(&mut journal, old);
                    }
                }
                Step::Close => {
                    let close = journal.close(now, ClosePeriod::Day).unwrap().asked.close;
                    prop_assert_eq!(close.perpetual.get(), fund_total);
                }
            }
            // The program dies after each commit.
            drop(journal);
            journal = fund.open(folder.path(), now);
            let after = stored(&journal);
            for (card, of) in &model {
                prop_assert!(of.spent - of.reversed <= of.allowed);
                let counted = after.get(&purse(*card)).copied().unwrap_or_default();
                prop_assert_eq!(counted, (of.spent, of.reversed));
                prop_assert_eq!(available(&mut journal, *card), of.available());
                let was = before.get(&purse(*card)).copied().unwrap_or_default();
                prop_assert!(was.0 <= counted.0 && was.1 <= counted.1, "a counter fell");
            }
        }
        let totals = journal.state().newest.totals;
        prop_assert_eq!(totals.fund.get(), fund_total);
        prop_assert_eq!((totals.refunds.get(), totals.reversed.get()), (refund_total, reversed_total));
        drop(journal);
        // From the rows alone the same counters, totals and tables are computed again.
        let report = verify::verify(&folder.path().join(FILE), Some(*fund.root.public())).unwrap();
        prop_assert_eq!(report.problems, Vec::<String>::new());
    }
}
