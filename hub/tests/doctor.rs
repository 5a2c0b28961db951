//! `doctor`: what it says, in both languages, and that it changes nothing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed unwrap is the test's failure")]

use crate::common;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use common::{Fund, binary};
use serde_json::Value;

fn doctor(fund: &Fund, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = binary(fund.dir.path());
    command.args(["doctor"]).args(arguments).envs(environment.iter().copied()).output().unwrap()
}

fn verdicts(output: &Output) -> BTreeMap<String, (String, Option<String>)> {
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let checks = report["checks"].as_array().unwrap().iter();
    checks
        .map(|check| (text(&check["code"]).unwrap(), (text(&check["verdict"]).unwrap(), text(&check["says"]))))
        .collect()
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let files = files.filter(|path| path.is_file());
    // Readers of a log share memory by a file of their own.
    let files = files.filter(|path| !path.to_string_lossy().ends_with("-shm"));
    files
        .map(|path| (path.display().to_string(), std::fs::read(&path).unwrap()))
        .filter(|file| !file.1.is_empty())
        .collect()
}

#[test]
fn a_fund_that_nobody_serves_is_told_so_in_both_languages_and_nothing_is_changed() {
    let fund = Fund::example();
    let before = contents(&fund.data_dir());
    let output = doctor(&fund, &["--json"], &[]);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    let found = verdicts(&output);
    let is = |code: &str, verdict: &str, says: Option<&str>| {
        assert_eq!(found.get(code), Some(&(verdict.to_owned(), says.map(str::to_owned))), "{code}");
    };
    is("serving", "wrong", Some("serving_not"));
    is("alerts", "look", Some("alerts_off"));
    for code in ["keys", "database", "ledger", "backup", "drill", "forks", "silent", "list_old"] {
        is(code, "fine", None);
    }
    assert!(!found.contains_key("certificate"), "TLS is not served");
    let french = doctor(&fund, &[], &[]);
    let said = String::from_utf8(french.stdout).unwrap();
    assert!(said.contains("[bon] Les clés du fonds") && said.contains("→ systemctl start cabas-hub, puis"), "{said}");
    for english in [doctor(&fund, &["--lang", "en"], &[]), doctor(&fund, &[], &[("LANG", "en_GB.UTF-8")])] {
        let said = String::from_utf8(english.stdout).unwrap();
        assert!(
            said.contains("[fine] The fund’s keys") && said.contains("→ systemctl start cabas-hub, then"),
            "{said}"
        );
    }
    assert_eq!(contents(&fund.data_dir()), before);
}

#[test]
fn a_hub_that_runs_is_seen_without_its_lock_being_taken() {
    let fund = Fund::empty();
    let held = std::fs::File::create(fund.data_dir().join("serve.lock")).unwrap();
    held.try_lock().unwrap();
    let output = doctor(&fund, &["--json"], &[]);
    assert_eq!(verdicts(&output)["serving"].0, "fine");
    assert_eq!(output.status.code(), Some(1), "alerts go nowhere");
}

#[test]
fn what_is_wrong_with_keys_and_database_is_said_and_not_mended() {
    let fund = Fund::empty();
    let says = |code: &str| verdicts(&doctor(&fund, &["--json"], &[]))[code].1.clone().unwrap();
    let key = fund.data_dir().join("keys/card.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(says("keys"), "keys_open");
    std::fs::remove_file(&key).unwrap();
    assert_eq!(says("keys"), "keys_missing");
    let database = fund.data_dir().join("hub.db");
    let set = |version: i64| {
        let db = rusqlite::Connection::open(&database).unwrap();
        db.execute_batch(&format!("PRAGMA user_version = {version}")).unwrap();
    };
    set(99);
    assert_eq!(says("database"), "database_newer");
    set(1);
    assert_eq!(says("database"), "database_older");
    let version: i64 =
        rusqlite::Connection::open(&database).unwrap().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, 1, "it is not brought to the newest form by who looks");
    common::write(&database, "no database, but long enough to be looked at as one, and then some more");
    assert_eq!(says("database"), "database_damaged");
    std::fs::remove_file(&database).unwrap();
    assert_eq!(says("database"), "database_missing");
    assert_eq!(doctor(&fund, &[], &[]).status.code(), Some(2));
}

#[test]
fn a_ledger_whose_sums_are_wrong_is_told_and_deep_finds_what_the_sums_hide() {
    let fund = Fund::example();
    fund.json(&["source", "set", "--name", "ville", "--year", "2026", "--budget-cents", "100000000", "--by", "ADA"]);
    fund.json(&["credit", "run", "--period", "2026-11", "--source", "ville", "--book"]);
    let database = fund.data_dir().join("hub.db");
    let ledger = |arguments: &[&str]| verdicts(&doctor(&fund, arguments, &[]))["ledger"].clone();
    assert_eq!(ledger(&["--json", "--deep"]).0, "fine");
    // A planted fault that keeps the sums: an amount on both sides.
    let db = rusqlite::Connection::open(&database).unwrap();
    let mut triggers =
        db.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'transfers'").unwrap();
    let names: Vec<String> = triggers.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    drop(triggers);
    for name in names {
        db.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    let changed = db.execute("UPDATE transfers SET cents = cents + 1 WHERE id = (SELECT min(id) FROM transfers)", []);
    assert_eq!(changed, Ok(1));
    drop(db);
    assert_eq!(ledger(&["--json", "--deep"]), ("wrong".to_owned(), Some("ledger_wrong".to_owned())));
}
