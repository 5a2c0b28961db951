//! A month credited from two sources and beyond a budget by the real hub: `kill -9` in the middle of its run, again and again,
//! while households and budgets change; in the end each household has just what was shown, once.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use cabas_tests::hub::{Hub, http_client};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

const CITY: &str = "Ville de Lyon";
/// Households beside those of the example, so that a run has many steps.
const MORE: u32 = 500;
const MONTHS: [&str; 3] = ["2026-10", "2026-11", "2026-12"];
/// Households that are credited when the power goes, of each life of the hub.
const CUTS_AT: [u64; 3] = [1, 150, 350];

fn ledger(hub: &Hub) -> Connection {
    Connection::open_with_flags(hub.data_dir().join("hub.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

fn number(hub: &Hub, read: &str, period: &str) -> u64 {
    ledger(hub).query_row(read, [period], |row| row.get::<_, i64>(0)).unwrap().try_into().unwrap()
}

fn count(hub: &Hub, period: &str) -> u64 {
    number(hub, "SELECT count(*) FROM credits WHERE period = ?1", period)
}

fn run(hub: &Hub, period: &str) -> Value {
    hub.ok(&["credit", "run", "--period", period, "--source", "Contributions", "--source", CITY]).unwrap()
}

/// By household: cents, and who pays where a source has enough.
fn shown(run: &Value) -> BTreeMap<String, (u64, Option<String>)> {
    let line = |line: &Value| {
        let (code, source) = (line["household"].as_str().unwrap().to_owned(), line["source"].as_str());
        (code, (line["cents"].as_u64().unwrap(), source.map(str::to_owned)))
    };
    run["lines"].as_array().unwrap().iter().map(line).collect()
}

/// Every credit of a month is just what was shown; what no source had enough for came from the city.
fn is_as_shown(hub: &Hub, period: &str, run: &Value) {
    let ledger = ledger(hub);
    let mut read = ledger
        .prepare(
            "SELECT code, cents, name FROM credits JOIN households ON households.number = credits.household
             JOIN sources ON sources.number = credits.source WHERE period = ?1",
        )
        .unwrap();
    let booked = read.query_map([period], |row| Ok((row.get(0)?, (row.get::<_, i64>(1)?, row.get(2)?)))).unwrap();
    let booked: Vec<(String, (i64, String))> = booked.collect::<Result<_, _>>().unwrap();
    let mut shown = shown(run);
    for (code, (cents, source)) in booked {
        let line = shown.remove(&code).map(|(cents, source)| (cents, source.unwrap_or_else(|| CITY.to_owned())));
        assert_eq!(line, Some((cents.try_into().unwrap(), source)), "{code}, once and as it was shown");
    }
    assert!(shown.is_empty(), "{} were not credited", shown.len());
    let over = number(hub, "SELECT sum(cents) FROM overruns WHERE period = ?1", period);
    assert_eq!(over, run["missing_cents"].as_u64().unwrap(), "no more beyond the budget than was agreed to");
}

async fn until(hub: &Hub, period: &str, households: u64) {
    for _ in 0..20_000 {
        if count(hub, period) >= households {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    unreachable!("{} households of {period} were credited: {}", count(hub, period), hub.log());
}

#[tokio::test]
async fn each_household_is_credited_once_and_as_shown_though_the_power_goes_in_the_middle_of_a_run_beyond_a_budget() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = Hub::with_example_fund(dir.path()).unwrap();
    hub.kill_9().unwrap();
    let (mut file, folder) =
        ("household,size,children_under_14,contribution_cents\n".to_owned(), dir.path().join("more"));
    for number in 0..MORE {
        writeln!(file, "X{number:03},{},{},1000", 2 + number % 4, number % 2).unwrap();
    }
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("households.csv"), file).unwrap();
    hub.ok(&["import", folder.to_str().unwrap()]).unwrap();
    hub.start().unwrap();
    let token = hub.ok(&["token", "add", "--name", "office", "--role", "treasurer"]).unwrap();
    let token = token["token"].as_str().unwrap().to_owned();
    let budget = |hub: &Hub, cents: u64| {
        let cents = cents.to_string();
        hub.ok(&["source", "set", "--name", CITY, "--year", "2026", "--budget-cents", &cents, "--by", "Ada"]).unwrap();
    };
    let mut in_the_middle = 0;
    for (period, paid) in MONTHS.into_iter().zip(["100001", "200000", "77700"]) {
        hub.ok(&[
            "contribution",
            "add",
            "--household",
            "X001",
            "--cents",
            paid,
            "--on",
            "2024-03-05",
            "--by",
            "Ada",
            "--again",
        ])
        .unwrap();
        let used = "SELECT ifnull(sum(cents), 0) - (SELECT ifnull(sum(cents), 0) FROM overruns) FROM credits
             JOIN sources ON sources.number = credits.source WHERE period < ?1 AND name <> 'Contributions'";
        budget(&hub, number(&hub, used, period) + 5_000_000);
        let told = run(&hub, period);
        let all = told["households"].as_u64().unwrap();
        assert!(told["missing_cents"].as_u64().unwrap() > 0 && told["sources"][0]["cents"].as_u64().unwrap() > 0);
        let body = json!({ "period": period, "source": "Contributions", "source2": CITY, "cents": told["cents"],
            "households": told["households"], "over_cents": told["over_cents"] });
        let ask = |url: String| {
            // A new connection: the one before may have ended with the hub.
            let asked = http_client().unwrap().post(format!("{url}/api/credits")).bearer_auth(&token);
            asked.header("content-type", "application/json").body(body.to_string()).send()
        };
        let asked = ask(hub.url()).await.unwrap();
        assert_eq!(asked.status(), 200, "{}", asked.text().await.unwrap());
        for (life, at) in (1_u64..).zip(CUTS_AT) {
            until(&hub, period, at).await;
            hub.kill_9().unwrap();
            let booked = count(&hub, period);
            in_the_middle += u32::from(booked > 0 && booked < all);
            hub.verify().unwrap();
            // While it is off: a household that may not have been credited grows.
            hub.ok(&["household", "change", "X499", "--size", &(4 + life).to_string(), "--children-under-14", "0"])
                .unwrap();
            hub.start().unwrap();
            let again = ask(hub.url()).await.unwrap();
            assert!([200, 409].contains(&again.status().as_u16()), "it is the same work, or all is booked: {again:?}");
        }
        until(&hub, period, all).await;
        is_as_shown(&hub, period, &told);
        assert_eq!(number(&hub, "SELECT count(*) FROM credit_runs WHERE state = 1 AND period = ?1", period), 1);
        hub.ok(&["household", "change", "X499", "--size", "2", "--children-under-14", "0"]).unwrap();
        assert_eq!(run(&hub, period)["households"], 0);
        hub.verify().unwrap();
    }
    assert!(in_the_middle >= 6, "only {in_the_middle} of 9 cuts fell into a run");
    hub.stop().unwrap();
}
