//! Money in by the real binary: budgets, contributions, the bank's word, a forecast.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed unwrap is the test's failure")]

use crate::common;

use std::process::Output;

use common::money::statement;
use common::{Fund, write};
use serde_json::{Value, json};

/// A month of the example fund by its rule.
const MONTH_CENTS: u64 = 108 * 15_000 + 83 * 4_000 + 111 * 7_500;

fn failed(output: &Output, said: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains(said), "{said}: {error}");
    assert!(output.stdout.is_empty());
}

fn year() -> String {
    let days = i64::try_from(cabas_hub::clock::Clock::System.now().get()).unwrap().div_euclid(86_400);
    sepa::IsoDate::from_epoch_days(days).unwrap().year().to_string()
}

fn set(fund: &Fund, year: &str, cents: &str) -> Value {
    let set = ["source", "set", "--name", "Ville de Lyon", "--year", year, "--budget-cents", cents, "--by", "Ada"];
    fund.json(&set)
}

#[test]
fn a_run_beyond_the_budget_says_by_how_much_and_is_booked_only_where_somebody_agrees() {
    let fund = Fund::example();
    set(&fund, "2026", &(MONTH_CENTS - 1_000).to_string());
    let run = ["credit", "run", "--period", "2026-11", "--source", "Contributions", "--source", "Ville de Lyon"];
    let preview = fund.json(&run);
    let missing = preview["missing_cents"].as_u64().unwrap();
    assert!(missing >= 1_000 && preview["cents"] == MONTH_CENTS, "{preview}");
    let text = String::from_utf8(fund.run(&run).stdout).unwrap();
    let agree = missing.to_string();
    assert!(text.contains("too little") && text.contains(&format!("--over-budget-cents {agree}")), "{text}");
    let book = [run.as_slice(), &["--book"]].concat();
    failed(&fund.run(&book), "too little");
    assert_eq!(fund.json(&["status"])["totals"]["credited_cents"], 0);
    let less = (missing - 1).to_string();
    failed(&fund.run(&[book.as_slice(), &["--over-budget-cents", &less, "--by", "Bo"]].concat()), "too little");
    let nobody = fund.run(&[book.as_slice(), &["--over-budget-cents", &agree]].concat());
    assert_eq!(nobody.status.code(), Some(2), "an agreement has a name");
    let booked = fund.json(&[book.as_slice(), &["--over-budget-cents", &agree, "--by", "Bo"]].concat());
    assert_eq!(booked["cents"], MONTH_CENTS);
    let sources = fund.json(&["source", "list", "--year", "2026"]);
    let city = sources.as_array().unwrap().iter().find(|source| source["source"] == "Ville de Lyon").unwrap();
    assert_eq!((&city["agreed_over_cents"], &city["over_cents"]), (&json!(missing), &json!(0)), "{city}");
    failed(&fund.run(&["credit", "run", "--period", "2026-11", "--source", "Vile de Lyon", "--book"]), "no budget");
    assert!(fund.run(&["verify"]).status.success());
}

#[test]
fn contributions_are_added_imported_taken_back_and_reported() {
    let fund = Fund::example();
    let add = ["contribution", "add", "--household", "F001", "--cents", "2500", "--on", "2024-03-05", "--by", "Ada"];
    assert_eq!(fund.json(&add), json!({ "number": 1, "before": false }));
    failed(&fund.run(&add), "noted as number 1");
    let file = fund.dir.path().join("c.csv");
    let path = file.display().to_string();
    let import = ["contribution", "import", &path, "--by", "Ada"];
    write(&file, "household,paid_on,cents,reference\nF002,2024-03-06,1000,R1\nNOBODY,2024-03-07,1000,R2\n");
    failed(&fund.run(&import), "line 3: there is no household of this code");
    let said: Value = serde_json::from_slice(&fund.run(&[import.as_slice(), &["--json"]].concat()).stdout).unwrap();
    assert_eq!((&said["applied"], &said["problems"][0]["line"]), (&json!(false), &json!(3)));
    write(&file, "household,paid_on,cents,reference\nF002,2024-03-06,1000,R1\nF003,2024-04-07,700,R2\n");
    assert_eq!(fund.json(&[import.as_slice(), &["--dry-run"]].concat())["added"], 2);
    let done = fund.json(&import);
    assert_eq!((&done["added"], &done["added_cents"], &done["before"]), (&json!(2), &json!(1_700), &json!(0)));
    assert_eq!(fund.json(&import)["before"], 2, "a second time nothing");
    let back = ["contribution", "take-back", "2", "--reason", "typed wrongly", "--by", "Bo"];
    assert_eq!(fund.json(&back), json!({ "number": 4, "takes_back": 2 }));
    failed(&fund.run(&back), "taken back before");
    set(&fund, "2024", "10000");
    let report = fund.json(&["contribution", "report", "--year", "2024"]);
    let received: Vec<_> = report["months"].as_array().unwrap().iter().map(|month| &month["received_cents"]).collect();
    assert_eq!((received[2], received[3], &report["received_cents"]), (&json!(2_500), &json!(700), &json!(3_200)));
    assert_eq!((&report["received_permille"], &report["planned_percent"]), (&json!(320), &json!(30)));
    let text = String::from_utf8(fund.run(&["contribution", "report", "--year", "2024"]).stdout).unwrap();
    assert!(text.contains("32.0 % of the year's budgets") && text.contains("30 % are planned"), "{text}");
    let list = fund.json(&["contribution", "list", "--year", "2024"]);
    assert_eq!(list.as_array().unwrap().len(), 4);
    assert_eq!(fund.run(&[&add[..6], &["--on", "2024-02-30", "--by", "Ada"]].concat()).status.code(), Some(2));
    assert!(fund.run(&["verify"]).status.success());
}

#[test]
fn a_bank_entry_is_matched_with_a_contribution_or_a_funder_once() {
    let fund = Fund::example();
    let iban = "FR7630006000011234567890189";
    fund.json(&["bank", "account", "--iban", iban, "--name", "Caisse", "--by", "Ada"]);
    set(&fund, "2024", "100000");
    let file = fund.dir.path().join("camt.xml");
    write(&file, &statement());
    fund.json(&["bank", "import", &file.display().to_string(), "--by", "Ada"]);
    let list = fund.json(&["bank", "list", "--unmatched"]);
    let proposal = |list: &Value, entry: u64| {
        let line = list.as_array().unwrap().iter().find(|line| line["entry"] == entry).cloned().unwrap();
        line["money_in"][0].clone()
    };
    assert_eq!(proposal(&list, 1)["contribution"], "F007");
    assert_eq!(proposal(&list, 2)["source"], "Ville de Lyon");
    let text = String::from_utf8(fund.run(&["bank", "list", "--unmatched"]).stdout).unwrap();
    assert!(
        text.contains("cabas-hub bank match 1 --contribution F007 --by NAME") && !text.contains("Dupont"),
        "{text}"
    );
    assert_eq!(fund.run(&["bank", "match", "1", "--by", "Ada"]).status.code(), Some(2), "what it is must be said");
    let two = ["bank", "match", "1", "--contribution", "F007", "--source", "Ville de Lyon", "--by", "Ada"];
    assert_eq!(fund.run(&two).status.code(), Some(2));
    fund.json(&["bank", "match", "1", "--contribution", "F007", "--by", "Ada"]);
    failed(&fund.run(&["bank", "match", "1", "--contribution", "F008", "--by", "Bo"]), "explained already");
    let left = fund.json(&["bank", "match", "2", "--source", "Ville de Lyon", "--by", "Ada"]);
    assert_eq!(left, json!([]), "nothing is open");
    let payments = fund.json(&["source", "payments"]);
    assert_eq!((&payments[0]["cents"], &payments[0]["bank_entry"]), (&json!(50_000), &json!(2)));
    let paid = fund.json(&["contribution", "list"]);
    assert_eq!((&paid[0]["household"], &paid[0]["paid_on"]), (&json!("F007"), &json!("2024-03-05")));
    assert!(fund.run(&["verify"]).status.success());
}

#[test]
fn a_forecast_says_until_when_the_fund_lasts_and_with_how_many_households() {
    let fund = Fund::example();
    failed(&fund.run(&["report", "forecast"]), "no budget is set");
    let year = year();
    set(&fund, &year, &(MONTH_CENTS * 12).to_string());
    let paid = ["source", "paid", "--name", "Ville de Lyon", "--cents", "100", "--on", "2024-01-02", "--by", "Ada"];
    fund.json(&paid);
    failed(&fund.run(&paid), "noted as number 1");
    let forecast = fund.json(&["report", "forecast"]);
    assert_eq!((&forecast["pace"], &forecast["credited_cents"]), (&json!("rule"), &json!(MONTH_CENTS)));
    assert_eq!(forecast["households"], 108);
    assert_eq!(forecast["lasts_until"], format!("{year}-12"), "a year's budget is for its months");
    let more = fund.json(&["report", "forecast", "--households", "10000"]);
    assert_eq!(more["lasts_until"], Value::Null);
    assert!(more["months"][0]["missing_cents"].as_u64().unwrap() > 0, "{more}");
    let text = String::from_utf8(fund.run(&["report", "forecast"]).stdout).unwrap();
    assert!(text.contains(&format!("lasts until the end of {year}-12")), "{text}");
}
