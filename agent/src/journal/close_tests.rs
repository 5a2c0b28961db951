//! Closings over any order of sales, restarts and clocks; what `journal verify` finds of wrong ones; the history.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::too_many_lines,
    reason = "a failed unwrap is the test's failure"
)]
use super::*;
use crate::clock;
use crate::core::closing::SlipLine;
use crate::core::receipt::Language;
use crate::core::split::AskedLine;
use crate::fixture::{Fund, HUB_TIME, ask, cents, moment, request};
use crate::service::closing_slip::{About, slip};
use crate::service::closings::Figures;
use crate::texts::Texts;
use cabas_protocol::objects::{Category, Grid};
use cabas_protocol::row::{CashierChange, Close, ClosePeriod};
use cabas_protocol::{CategoryId, Cents, Seq, Stan, Timestamp, Version};
use proptest::prelude::*;
use std::collections::BTreeMap;

const DAY_S: u64 = 86_400;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// A terminal with two categories: the fund pays all of the first and 70 % of the second.
fn ready(fund: &Fund, folder: &Path) -> Journal {
    let mut journal = fund.ready(folder, 1_000_000);
    let category = |id, share_percent, label: &str| Category {
        id: CategoryId::new(id),
        share_percent,
        label_fr: format!("{label} fr"),
        label_en: format!("{label} en"),
    };
    let grid = Grid {
        head: fund.context().head(cabas_protocol::head::ObjectType::Grid),
        terminal: fund.terminal,
        version: Version::new(1),
        valid_from_day: 0,
        categories: vec![category(1, 100, "Légumes"), category(2, 70, "Épicerie")],
    };
    fund.give(&mut journal, vec![fund.hub.sign(&grid).into_bytes()]);
    journal
}

fn sell(journal: &mut Journal, now: Moment, number: u64, lines: &[(u16, u64)]) -> SaleRecord {
    let lines = lines
        .iter()
        .map(|&(category, amount)| AskedLine { category: CategoryId::new(category), requested: cents(amount) });
    let asked = SaleAsk { lines: lines.collect(), ..ask(number, 1, 1) };
    match journal.sell(now, &asked).unwrap() {
        Sold::Accepted(record) => record,
        other => panic!("{other:?}"),
    }
}

fn problems(folder: &Path, fund: &Fund) -> Vec<String> {
    verify::verify(&folder.join(FILE), Some(*fund.root.public())).unwrap().problems
}

fn sums(journal: &mut Journal, from: Seq, upto: Seq) -> Sums {
    let mut sums = journal.sums(from, upto).unwrap();
    while !sums.is_done() {
        sums = journal.sum_on(sums).unwrap();
    }
    sums
}

fn kinds(closed: &Closed) -> Vec<(ClosePeriod, u32)> {
    closed.added.iter().map(|closing| (closing.close.period, closing.close.number)).collect()
}

#[test]
fn a_year_closes_its_open_month_and_a_month_its_open_day() {
    use ClosePeriod::{Day, Month, Year};
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = ready(&fund, folder.path());
    sell(&mut journal, moment(1, 1), 1, &[(1, 100)]);
    let commits = journal.commits;
    let year = journal.close(moment(1, 2), Year).unwrap();
    assert_eq!(journal.commits, commits + 1, "all of them or none");
    assert_eq!(kinds(&year), [(Day, 1), (Month, 1), (Year, 1)]);
    assert!(year.added.iter().all(|closing| closing.close.fund == cents(100) && closing.close.from == Seq::FIRST));
    // Nothing was sold since: each is the one that stands there, after a restart too.
    for period in [Year, Month, Day] {
        let again = journal.close(moment(1, 3), period).unwrap();
        assert!(!again.is_new && again.added.is_empty());
        assert!(year.added.contains(&again.asked));
        journal = fund.open(folder.path(), moment(2, 3));
    }
    sell(&mut journal, moment(2, 4), 2, &[(1, 50)]);
    assert_eq!(kinds(&journal.close(moment(2, 5), Day).unwrap()), [(Day, 2)]);
    let month = journal.close(moment(2, 6), Month).unwrap();
    assert_eq!(kinds(&month), [(Month, 2)], "the day was closed");
    assert_eq!((month.asked.close.fund, month.asked.close.perpetual), (cents(50), cents(150)));
    let listed = journal.closings(None, 10).unwrap();
    let listed: Vec<_> = listed.iter().map(|closing| (closing.close.period, closing.close.number)).collect();
    assert_eq!(listed, [(Month, 2), (Day, 2), (Year, 1), (Month, 1), (Day, 1)]);
    assert_eq!(journal.closings(Some(month.asked.seq), 1).unwrap()[0].close.period, Day);
    assert_eq!(journal.closing(Seq::FIRST).unwrap(), None);
    assert_eq!(problems(folder.path(), &fund), Vec::<String>::new());
}

/// Whoever holds the terminal's key could write such a row; it is found from the rows alone.
#[test]
fn a_wrong_closing_is_found() {
    let changes: [fn(&mut Close); 8] = [
        |close| close.number += 1,
        |close| close.from = Seq::new(close.from.get() + 1),
        |close| close.sales -= 1,
        |close| close.fund = cents(close.fund.get() - 1),
        |close| close.member = cents(close.member.get() + 1),
        |close| close.reversed = cents(1),
        |close| close.refunds = cents(1),
        |close| close.perpetual = cents(close.perpetual.get() - 1),
    ];
    for period in [ClosePeriod::Day, ClosePeriod::Month, ClosePeriod::Year] {
        for (index, change) in changes.iter().enumerate() {
            let (folder, fund) = (folder(), Fund::default());
            let mut journal = ready(&fund, folder.path());
            sell(&mut journal, moment(1, 1), 1, &[(2, 100)]);
            journal.close(moment(1, 2), ClosePeriod::Year).unwrap();
            sell(&mut journal, moment(1, 3), 2, &[(2, 200)]);
            let totals = journal.state().newest.totals;
            let last = journal.state().periods.get(period);
            let mut close = Close {
                period,
                number: 2,
                from: last.closed.next().unwrap(),
                sales: 1,
                fund: cents(140),
                member: cents(60),
                reversed: Cents::ZERO,
                refunds: Cents::ZERO,
                perpetual: totals.fund,
            };
            let right = close;
            change(&mut close);
            assert_ne!(close, right);
            let seq = journal.write(moment(1, 4), |writer| writer.append(RowBody::Close(close), None)).unwrap();
            let found = problems(folder.path(), &fund);
            let said = format!("row {seq}: the closing's totals are not those of its rows");
            assert!(found.contains(&said), "{period:?} {index}: {found:?}");
        }
    }
}

#[test]
fn what_is_kept_of_closings_is_held_against_the_rows() {
    let kept = "what is kept of closings is not what the rows say";
    for sql in ["DELETE FROM closes WHERE period = 2", "UPDATE closes SET number = 9", "UPDATE closes SET seq = 1"] {
        let (folder, fund) = (folder(), Fund::default());
        let mut journal = ready(&fund, folder.path());
        sell(&mut journal, moment(1, 1), 1, &[(1, 100)]);
        journal.close(moment(1, 2), ClosePeriod::Month).unwrap();
        assert_eq!(problems(folder.path(), &fund), Vec::<String>::new());
        journal.db.execute(sql, []).unwrap();
        assert_eq!(problems(folder.path(), &fund), [kept], "{sql}");
    }
}

#[test]
fn sums_are_by_the_cashier_who_was_there() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = ready(&fund, folder.path());
    sell(&mut journal, moment(1, 1), 1, &[(1, 100)]);
    let state = journal.state();
    assert!(sums(&mut journal, Seq::FIRST, state.newest.chain.seq).cashiers.is_empty(), "nobody was named");
    let change = |journal: &mut Journal, cashier| {
        let body = RowBody::CashierChange(CashierChange { cashier });
        journal.write(moment(1, 2), |writer| writer.append(body, None)).unwrap();
    };
    change(&mut journal, 3);
    sell(&mut journal, moment(1, 3), 2, &[(1, 20)]);
    let first = journal.close(moment(1, 4), ClosePeriod::Day).unwrap().asked;
    // Who sells at the beginning of a period is known from before it.
    sell(&mut journal, moment(1, 5), 3, &[(1, 7), (2, 10)]);
    change(&mut journal, 4);
    sell(&mut journal, moment(1, 6), 4, &[(2, 10), (2, 10)]);
    let second = journal.close(moment(1, 7), ClosePeriod::Day).unwrap().asked;
    let by = |sums: &Sums| -> Vec<_> {
        sums.cashiers.iter().map(|(number, sum)| (*number, sum.sales, sum.fund.get())).collect()
    };
    assert_eq!(by(&sums(&mut journal, first.close.from, first.seq)), [(0, 1, 100), (3, 1, 20)]);
    let second = sums(&mut journal, second.close.from, second.seq);
    assert_eq!(by(&second), [(3, 1, 14), (4, 1, 14)]);
    let of = |id| second.categories[&CategoryId::new(id)];
    assert_eq!(of(1), CategorySum { sales: 1, fund: cents(7), member: Cents::ZERO });
    assert_eq!(
        of(2),
        CategorySum { sales: 2, fund: cents(21), member: cents(9) },
        "two lines of one sale are one sale"
    );
}

#[test]
fn the_sums_of_the_open_day_read_only_what_is_new_and_are_what_a_whole_reading_gives() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = ready(&fund, folder.path());
    let ask = |journal: &mut Journal| {
        let state = journal.state();
        let (from, upto) = (state.periods.day.closed.next().unwrap(), state.newest.chain.seq);
        let before = journal.rows_summed;
        let told = sums(journal, from, upto);
        let read = journal.rows_summed - before;
        // What nobody has read before is read from the first row.
        let kept = journal.day_sums.take();
        let whole = sums(journal, from, upto);
        assert_eq!((&told.categories, &told.cashiers), (&whole.categories, &whole.cashiers));
        journal.day_sums = kept;
        read
    };
    for number in 1..=5 {
        sell(&mut journal, moment(1, number), number, &[(1, 10), (2, 20)]);
    }
    assert_eq!(ask(&mut journal), 5);
    assert_eq!(ask(&mut journal), 0, "nothing is new");
    sell(&mut journal, moment(1, 6), 6, &[(1, 10)]);
    assert_eq!(ask(&mut journal), 1);
    // The first cashier of all is named: what was sold before is still there, under nobody.
    let body = RowBody::CashierChange(CashierChange { cashier: 3 });
    journal.write(moment(1, 7), |writer| writer.append(body, None)).unwrap();
    sell(&mut journal, moment(1, 8), 7, &[(2, 10)]);
    assert_eq!(ask(&mut journal), 2);
    let kept = journal.day_sums.clone().unwrap();
    assert_eq!(kept.cashiers.iter().map(|(number, sum)| (*number, sum.sales)).collect::<Vec<_>>(), [(0, 6), (3, 1)]);
    // A stretch that ends before what was read is read by itself.
    let state = journal.state();
    let (first, upto) = (state.periods.day.closed.next().unwrap(), state.newest.chain.seq.get());
    let early = sums(&mut journal, first, Seq::new(upto - 1));
    assert_eq!(early.categories[&CategoryId::new(2)].sales, 5);
    // A new day begins with nothing, and its cashier is known.
    journal.close(moment(1, 9), ClosePeriod::Day).unwrap();
    assert_eq!(ask(&mut journal), 0);
    sell(&mut journal, moment(1, 10), 8, &[(1, 10)]);
    assert_eq!(ask(&mut journal), 1);
    assert_eq!(journal.day_sums.as_ref().unwrap().cashiers.keys().collect::<Vec<_>>(), [&3]);
}

#[test]
fn a_receipts_number_finds_its_row_over_the_wrap() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = ready(&fund, folder.path());
    assert_eq!(journal.by_stan(Stan::FIRST).unwrap(), None);
    std::sync::Arc::make_mut(&mut journal.state).newest.stan = Stan::new(Stan::MAX - 2);
    let mut seqs = BTreeMap::new();
    for number in 1..=5 {
        let sale = sell(&mut journal, moment(1, number), number, &[(1, 100)]);
        seqs.insert(sale.sale.stan, sale.seq);
        journal.close(moment(1, number), ClosePeriod::Day).unwrap();
    }
    let refund = RefundAsk { request: request(9), sale: SaleRef::Request(request(1)), lines: None };
    let Undone::Done(refund) = journal.refund(moment(1, 9), &refund).unwrap() else { panic!("refused") };
    seqs.insert(refund.refund.stan, refund.seq);
    assert_eq!(seqs.keys().map(|stan| stan.get()).collect::<Vec<_>>(), [1, 2, 3, 4, 999_998, 999_999]);
    for (stan, seq) in &seqs {
        assert_eq!(journal.by_stan(*stan).unwrap().map(|entry| entry.seq()), Some(*seq), "{stan}");
    }
    for unknown in [5, 6, 500_000, 999_997] {
        assert_eq!(journal.by_stan(Stan::new(unknown).unwrap()).unwrap(), None, "{unknown}");
    }
}

#[test]
fn a_days_history_is_complete_though_the_clock_was_set_back() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = ready(&fund, folder.path());
    let noon = HUB_TIME - HUB_TIME % DAY_S + 43_200;
    let day = clock::business_day(Timestamp::new(noon));
    let at = |journal: &mut Journal, time: u64| {
        let now = moment(1, 1);
        let anchor = crate::core::ages::Anchor { at: now, time: Timestamp::new(time), synced: true };
        std::sync::Arc::make_mut(&mut journal.state).hub.anchor = anchor;
        now
    };
    let mut sold = BTreeMap::<u32, Vec<Seq>>::new();
    // The day before, the next, back again.
    for (number, days) in [(1, 0), (2, 1), (3, 2), (4, 0), (5, 1), (6, 0)] {
        let now = at(&mut journal, noon + days * DAY_S);
        let sale = sell(&mut journal, now, number, &[(1, 1)]);
        sold.entry(day + u32::try_from(days).unwrap()).or_default().insert(0, sale.seq);
    }
    for (day, seqs) in &sold {
        let found = journal.history(clock::day_span(*day), None).unwrap();
        assert_eq!(found.entries.iter().map(Entry::seq).collect::<Vec<_>>(), *seqs);
        assert!(!found.is_truncated);
        let older = journal.history(clock::day_span(*day), Some(seqs[0])).unwrap();
        assert_eq!(older.entries.iter().map(Entry::seq).collect::<Vec<_>>(), seqs[1..]);
    }
    assert!(journal.history(clock::day_span(day + 3), None).unwrap().entries.is_empty());
    assert!(journal.history(clock::day_span(u32::MAX), None).unwrap().entries.is_empty());
    for number in 10..=10 + u64::from(HISTORY_ENTRIES_MAX) {
        let now = at(&mut journal, noon + 5 * DAY_S);
        sell(&mut journal, now, number, &[(1, 1)]);
    }
    let long = journal.history(clock::day_span(day + 5), None).unwrap();
    assert!(long.is_truncated && long.entries.len() == HISTORY_ENTRIES_MAX as usize);
    let rest = journal.history(clock::day_span(day + 5), long.entries.last().map(Entry::seq)).unwrap();
    assert!(!rest.is_truncated && rest.entries.len() == 1);
}

#[derive(Clone, Debug)]
enum Step {
    Sell {
        first: u64,
        second: u64,
    },
    Reverse,
    Refund,
    Close(ClosePeriod),
    Cashier(u16),
    /// Another run of the system, whose wall clock says this.
    Boot {
        wall: u64,
    },
    /// The wall clock is set.
    Wall {
        wall: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let wall = || prop_oneof![Just(0), Just(HUB_TIME - 400 * DAY_S), Just(HUB_TIME + 5 * DAY_S), Just(4_070_908_800)];
    let period = prop_oneof![Just(ClosePeriod::Day), Just(ClosePeriod::Month), Just(ClosePeriod::Year)];
    prop_oneof![
        6 => (0u64..300, 0u64..300).prop_map(|(first, second)| Step::Sell { first, second }),
        1 => Just(Step::Reverse),
        1 => Just(Step::Refund),
        3 => period.prop_map(Step::Close),
        1 => (0u16..3).prop_map(Step::Cashier),
        1 => wall().prop_map(|wall| Step::Boot { wall }),
        1 => wall().prop_map(|wall| Step::Wall { wall }),
    ]
}

/// What the model knows of a row that counts.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    sales: u32,
    fund: u64,
    member: u64,
    reversed: u64,
    refunds: u64,
    first_category: u64,
    cashier: u16,
}

fn amount_of(lines: &[SlipLine], label: &str) -> u64 {
    let value = lines.iter().find_map(|line| match line {
        SlipLine::Row { label: found, value, .. } if found == label => Some(value.clone()),
        _ => None,
    });
    value.unwrap().chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn every_row_counts_in_exactly_one_closing_of_each_kind_whatever_the_clock_says(
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let (folder, fund) = (folder(), Fund::default());
        let mut journal = ready(&fund, folder.path());
        let mut rows = BTreeMap::<Seq, Counted>::new();
        let mut now = moment(1, 10);
        let (mut cashier, mut number, mut boot, mut last) = (0, 0, 1, None);
        for step in steps {
            number += 1;
            now.monotonic_ms += 1000;
            match step {
                Step::Sell { first, second } => {
                    let lines: Vec<_> = [(1, first), (2, second)].into_iter().filter(|(_, amount)| *amount > 1).collect();
                    if lines.is_empty() {
                        continue;
                    }
                    let sold = sell(&mut journal, now, number, &lines);
                    let (fund, member) = (sold.sale.fund_cents().unwrap().get(), sold.sale.member_cents().unwrap().get());
                    let first_category = if first > 1 { first } else { 0 };
                    rows.insert(sold.seq, Counted { sales: 1, fund, member, first_category, cashier, ..Counted::default() });
                    last = Some(number);
                }
                Step::Reverse => {
                    let Some(sale) = last.take() else { continue };
                    if let Undone::Done(done) = journal.reverse(now, SaleRef::Request(request(sale)), request(number)).unwrap() {
                        rows.insert(done.seq, Counted { reversed: done.reversal.cents.get(), ..Counted::default() });
                    }
                }
                Step::Refund => {
                    let Some(sale) = last.take() else { continue };
                    let ask = RefundAsk { request: request(number), sale: SaleRef::Request(request(sale)), lines: None };
                    if let Undone::Done(done) = journal.refund(now, &ask).unwrap() {
                        let refunds = done.refund.lines.iter().map(|line| line.fund.get()).sum();
                        rows.insert(done.seq, Counted { refunds, ..Counted::default() });
                    }
                }
                Step::Close(period) => {
                    let closed = journal.close(now, period).unwrap();
                    let sales: u32 = rows.values().map(|row| row.sales).sum();
                    prop_assert!(closed.is_new || closed.added.is_empty() || period != ClosePeriod::Day);
                    prop_assert!(sales > 0 || closed.asked.close.fund == Cents::ZERO);
                }
                Step::Cashier(who) => {
                    let body = RowBody::CashierChange(CashierChange { cashier: who });
                    journal.write(now, |writer| writer.append(body, None)).unwrap();
                    cashier = who;
                }
                Step::Boot { wall } => {
                    boot += 1;
                    now = Moment { wall: Timestamp::new(wall), ..moment(boot, 1) };
                    let before = journal.state().periods;
                    drop(journal);
                    journal = fund.open(folder.path(), now);
                    prop_assert_eq!(journal.state().periods, before, "what is closed is read from the file as it was");
                }
                Step::Wall { wall } => now.wall = Timestamp::new(wall),
            }
        }
        let texts = Texts::default();
        let closings = journal.closings(None, CLOSINGS_MAX).unwrap();
        for period in [ClosePeriod::Day, ClosePeriod::Month, ClosePeriod::Year] {
            let mut covered = Seq::NONE;
            let of_kind = closings.iter().rev().filter(|closing| closing.close.period == period);
            for (index, closing) in of_kind.enumerate() {
                let close = closing.close;
                prop_assert_eq!(close.number as usize, index + 1, "dense");
                prop_assert_eq!(Some(close.from), covered.next(), "no row between two, none in both");
                covered = closing.seq;
                let mine: Vec<Counted> = rows.range(close.from..=closing.seq).map(|(_, row)| *row).collect();
                let sum = |of: fn(&Counted) -> u64| mine.iter().map(of).sum::<u64>();
                let model = (
                    mine.iter().map(|row| row.sales).sum::<u32>(), sum(|row| row.fund), sum(|row| row.member),
                    sum(|row| row.reversed), sum(|row| row.refunds),
                );
                prop_assert_eq!(
                    (close.sales, close.fund.get(), close.member.get(), close.reversed.get(), close.refunds.get()), model
                );
                let perpetual = rows.range(..=closing.seq).map(|(_, row)| row.fund).sum::<u64>();
                prop_assert_eq!(close.perpetual.get(), perpetual, "never reset");
                let sums = sums(&mut journal, close.from, closing.seq);
                let of_first = sums.categories.get(&CategoryId::new(1)).map_or(0, |sum| sum.fund.get());
                prop_assert_eq!(of_first, sum(|row| row.first_category));
                for (who, by) in &sums.cashiers {
                    let fund: u64 = mine.iter().filter(|row| row.cashier == *who).map(|row| row.fund).sum();
                    prop_assert_eq!(by.fund.get(), fund);
                }
                // What is printed is what the rows say.
                let totals = Totals {
                    sales: close.sales, fund: close.fund, member: close.member,
                    reversed: close.reversed, refunds: close.refunds,
                };
                let figures =
                    Figures { from: close.from, upto: closing.seq, totals, perpetual: close.perpetual, sums };
                let about = About {
                    closing: Some(closing), figures: &figures, opened_at: None, at: closing.at, copies: 0,
                };
                let paper = slip(&journal.state(), &texts, Language::English, &about).unwrap();
                let printed = ["Sales", "Fund's part", "Members' part", "Reversals", "Refunds asked for", "Perpetual total"]
                    .map(|label| amount_of(paper.lines(), label));
                prop_assert_eq!(printed, [u64::from(model.0), model.1, model.2, model.3, model.4, perpetual]);
            }
            // What no closing covers is what is called open.
            let open = journal.state().periods.get(period);
            prop_assert_eq!(open.since.is_some(), rows.range(covered.next().unwrap()..).next().is_some());
            prop_assert_eq!(open.totals.fund.get(), rows.range(..=covered).map(|(_, row)| row.fund).sum::<u64>());
        }
        drop(journal);
        prop_assert_eq!(problems(folder.path(), &fund), Vec::<String>::new());
    }
}
