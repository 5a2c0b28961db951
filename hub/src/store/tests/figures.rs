//! Figures by month, thresholds, the evaluation: what they say, and that they agree with the accounts.

use std::collections::BTreeMap;

use cabas_protocol::Cents;
use jiff::tz::TimeZone;

use super::card_proofs::Witness;
use super::world::{NOW, Terminal, World, at, card, cents, household};
use crate::admin::actions::{Patience, read};
use crate::admin::figures::{MonthsShown, ShopsShown};
use crate::calendar::Calendar;
use crate::core::evaluation::{SizeClass, Told};
use crate::core::figures::{Given, ShopSums};
use crate::core::ledger::AccountKind;
use crate::store::sql::col;
use crate::store::{ImportPlan, ImportShop};

const DAY: u64 = 86_400;

fn calendar() -> Calendar {
    Calendar::of(TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap())
}

/// Whatever happened: the figures come to what the accounts say, source by source and kind by kind.
pub(super) fn agree(world: &mut World) {
    let months = world.db.read(|tx| tx.months(&calendar())).unwrap();
    let mut sources: BTreeMap<String, Given> = BTreeMap::new();
    let mut kinds: BTreeMap<String, ShopSums> = BTreeMap::new();
    let (mut expired, mut paid) = (Cents::ZERO, Cents::ZERO);
    for month in &months {
        month.sources.iter().for_each(|(name, given)| sources.entry(name.clone()).or_default().add(given).unwrap());
        month.kinds.iter().for_each(|(name, kind)| kinds.entry(name.clone()).or_default().add(&kind.sums).unwrap());
        (expired, paid) = (expired.plus(month.expired).unwrap(), paid.plus(month.paid).unwrap());
    }
    let rows = |sql: &str| -> Vec<(String, u64, u64)> {
        let mut read = world.db.conn.prepare(sql).unwrap();
        let rows = read.query_map([], |row| Ok((row.get(0)?, col(row, 1)?, col(row, 2)?))).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    };
    let of_accounts = rows(
        "SELECT name, debits, credits FROM accounts JOIN sources ON accounts.id = (2 << 56) | sources.number ORDER BY 1",
    );
    let moved = |given: &Given| {
        (given.credited.plus(given.paid_back).unwrap().get(), given.taken_back.plus(given.paid_in).unwrap().get())
    };
    let shown: Vec<_> = sources.iter().map(|(name, given)| (name.clone(), moved(given).0, moved(given).1)).collect();
    assert_eq!(shown, of_accounts, "sources");
    let of_accounts = rows(
        "SELECT kind, sum(debits), sum(credits) FROM accounts JOIN shops ON accounts.id = (6 << 56) | shops.number
         GROUP BY 1 ORDER BY 1",
    );
    let moved = |sums: &ShopSums| {
        let taken = Cents::sum([sums.undone, sums.refunded, sums.settled]).unwrap().get();
        (taken, sums.spent.plus(sums.came_back).unwrap().get())
    };
    let shown: Vec<_> = kinds
        .iter()
        .map(|(name, sums)| (name.clone(), moved(sums).0, moved(sums).1))
        .filter(|(_, taken, given)| taken + given > 0)
        .collect();
    assert_eq!(shown, of_accounts, "shops");
    let of_accounts = rows(
        "SELECT kind, sum(max(0, credits - debits)), sum(max(0, debits - credits)) FROM accounts
         JOIN shops ON accounts.id = (6 << 56) | shops.number GROUP BY 1 ORDER BY 1",
    );
    for (kind, owed, overpaid) in of_accounts {
        let last = &months.last().unwrap().kinds[&kind];
        assert_eq!((last.owed.get(), last.overpaid.get()), (owed, overpaid), "what {kind} is owed");
    }
    // What the bank gave back to who had paid it in is no payout.
    let unbanked = rows("SELECT '', ifnull(sum(cents), 0), 0 FROM transfers WHERE kind = 43").remove(0).1;
    let lines = world.db.read(|tx| tx.trial_balance()).unwrap();
    let credits = |kind| lines.iter().find(|line| line.kind == kind).map_or(Cents::ZERO, |line| line.credits);
    assert_eq!(paid.get() + unbanked, credits(AccountKind::Bank).get(), "paid");
    assert_eq!(expired, credits(AccountKind::Expired), "expired");
    // The other lists never fail either.
    world.db.read(|tx| read(tx, &calendar(), Patience::default(), at(0))).unwrap();
}

fn sync_at(world: &mut World, terminal: &mut Terminal, seconds: u64) {
    let upload = terminal.upload();
    let outcome = world.db.write(|tx| tx.ingest(&upload, &Witness, at(seconds))).unwrap();
    terminal.acked = outcome.acked;
}

/// Six more households of one person, and a market beside the two groceries.
fn town() -> World {
    let mut world = World::new();
    world.import(&ImportPlan {
        households: (4..=9).map(|number| household(number, 1, 0)).collect(),
        cards: (4..=9).map(|number| card(number, number)).collect(),
        shops: vec![ImportShop {
            code: "M".to_owned(),
            name: "Market".to_owned(),
            kind: "market".to_owned(),
            weight_permille: 200,
        }],
        members: Vec::new(),
    });
    world.credit("2027-01");
    world
}

#[test]
fn a_month_is_told_by_kind_of_shop_and_what_is_owed_goes_over_into_the_next() {
    let mut world = town();
    let (mut grocery, mut market) = (world.terminal("A"), world.terminal("M"));
    world.extend(&market, 1, 1_000).unwrap();
    for (terminal, amount) in [(&mut grocery, 1_000), (&mut market, 300)] {
        terminal.sale(1, amount, amount, 1);
        sync_at(&mut world, terminal, 0);
    }
    // NOW is the 15th of January 2027; 20 days later it is February.
    grocery.sale(2, 500, 500, 1);
    grocery.reversal(2, 2, 500, 500);
    grocery.refund(1, grocery.place(1), 250, 1);
    sync_at(&mut world, &mut grocery, 20 * DAY);
    let cut = world.db.read(|tx| tx.settlement_cut()).unwrap();
    world.db.write(|tx| tx.settlement_close(&cut, at(21 * DAY))).unwrap().unwrap();
    world.audit();
    let shown = world.db.read(|tx| MonthsShown::read(tx, &calendar())).unwrap();
    let names: Vec<_> = shown.months.iter().map(|month| month.month.as_str()).collect();
    assert_eq!(names, ["2027-01", "2027-02"]);
    let [january, february] = shown.months.as_slice() else { panic!("{shown:?}") };
    assert_eq!((january.given.credited_cents, february.given.credited_cents), (9 * 15_000, 0));
    assert_eq!(january.sources["Ville de Lyon"].credited_cents, 9 * 15_000);
    let none = ShopsShown::default();
    let expected = ShopsShown { purchases: 1, spent_cents: 1_000, owed_cents: 1_000, ..none };
    assert_eq!(january.kinds["grocery"], expected);
    assert_eq!(january.kinds["market"], ShopsShown { purchases: 1, spent_cents: 300, owed_cents: 300, ..none });
    let moved = ShopsShown {
        purchases: 1,
        spent_cents: 500,
        undone_cents: 500,
        refunded_cents: 250,
        settled_cents: 750,
        ..none
    };
    assert_eq!(february.kinds["grocery"], moved);
    assert_eq!(february.kinds["market"], ShopsShown { settled_cents: 300, ..none });
    assert_eq!((shown.total.shops.spent_cents, shown.total.shops.owed_cents), (1_800, 0));
    // A day's end in another zone is another month's beginning.
    let utc = world.db.read(|tx| tx.months(&Calendar::of(TimeZone::UTC))).unwrap();
    assert_eq!(utc.len(), 2);
}

#[test]
fn the_volume_is_of_twelve_months_and_what_is_not_spent_is_outstanding() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    terminal.sale(1, 1_000, 1_000, 1);
    sync_at(&mut world, &mut terminal, 0);
    terminal.sale(2, 400, 400, 1);
    sync_at(&mut world, &mut terminal, 100 * DAY);
    let volume = |world: &mut World, days: u64| {
        let found = world.db.read(|tx| tx.thresholds(&calendar(), at(days * DAY))).unwrap();
        (found.volume.cents.get(), found.outstanding.cents.get(), found.since)
    };
    let outstanding = 3 * 15_000 - 1_400;
    assert_eq!(volume(&mut world, 100).0, 1_400);
    assert_eq!(volume(&mut world, 364).0, 1_400);
    assert_eq!(volume(&mut world, 365), (400, outstanding, NOW), "the same second a year before is not in it");
    assert_eq!(volume(&mut world, 500).0, 0);
}

#[test]
fn an_evaluation_counts_purchases_that_stood_by_the_size_that_households_had() {
    let mut world = town();
    let mut terminal = world.terminal("A");
    for purse in 1..=6 {
        terminal.sale(purse, 100, 100, 1);
    }
    // Undone at once: it is no purchase. Refunded later: it is one.
    terminal.sale(7, 100, 100, 1);
    terminal.reversal(7, 7, 100, 100);
    terminal.refund(1, terminal.place(1), 50, 1);
    sync_at(&mut world, &mut terminal, 0);
    world.audit();
    // What households are now does not count, only what they were when they were credited.
    world.tamper("UPDATE households SET size = 4");
    let (evaluation, kinds) = world.db.read(|tx| tx.evaluation(&calendar())).unwrap();
    assert_eq!(kinds.iter().map(String::as_str).collect::<Vec<_>>(), ["grocery", "market"]);
    let month = "2027-01".parse().unwrap();
    let lines = evaluation.lines(&[month], &kinds).unwrap();
    let shown: Vec<_> = lines.iter().filter(|line| line.told.is_some()).collect();
    let all = Told { households: 6, purchases: 6, cents: cents(600) };
    assert!(!shown.is_empty() && shown.iter().all(|line| line.told == Some(all)), "{shown:?}");
    assert!(lines.iter().any(|line| line.kind.is_none() && line.class.is_none() && line.told == Some(all)));
    let four = lines.iter().filter(|line| line.class == Some(SizeClass::Four));
    assert!(four.clone().count() > 0 && four.into_iter().all(|line| line.told.is_none()));
}

#[test]
fn the_list_of_things_to_do_is_made_from_what_happened() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    let mut thief = terminal.clone();
    terminal.sale(1, 100, 100, 1);
    terminal.sale(2, 15_000, 15_000, 1);
    world.sync(&mut terminal);
    thief.sale(1, 3_000, 3_000, 1);
    world.ingest(&thief.upload());
    let kinds = |world: &mut World, seconds: u64| {
        let found = world.db.read(|tx| read(tx, &calendar(), Patience::default(), at(seconds))).unwrap();
        found.into_iter().map(|action| (action.kind, action.count)).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&mut world, 10), [("fork", 1), ("disputed_rows", 1), ("over_right_rows", 1)]);
    let cut = world.db.read(|tx| tx.settlement_cut()).unwrap();
    world.db.write(|tx| tx.settlement_prepare(&cut, "Ada", at(10))).unwrap().unwrap();
    world.propose(&terminal, "Ada").unwrap();
    let expected =
        [("fork", 1), ("disputed_rows", 1), ("over_right_rows", 1), ("settlement_waits", 1), ("closing_waits", 1)];
    assert_eq!(kinds(&mut world, 8 * DAY), expected);
    world.db.write(|tx| tx.settlement_approve(1, "Bo", at(9 * DAY))).unwrap();
    world.propose(&terminal, "Bo").unwrap();
    assert_eq!(kinds(&mut world, 31 * DAY), [("payout_due", 1)]);
}
