//! From sales to the bank and back by the real binary, held against schemas and readers that are not ours
//! (`tests/bank/check.py`, run by the Python that `deploy/test` installs into `target/venv`).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed unwrap is the test's failure")]

use crate::common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::Fund;
use common::bank::{SHOPS, sell};
use serde_json::json;

const BY: [&str; 2] = ["--by", "Ada"];

/// What the Python beside this file says.
fn check(arguments: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("../target/venv/bin/python");
    assert!(python.exists(), "run deploy/test once: it installs the Python tools into target/venv");
    let output = Command::new(python).arg(root.join("tests/bank/check.py")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Two shops sold, have accounts, and a settlement was closed by two people.
fn settled() -> Fund {
    let fund = Fund::example();
    fund.json(&["credit", "run", "--period", "2026-11", "--source", "Ville de Lyon €", "--book"]);
    let hub = fund.serve();
    for ((shop, iban, cents), seed) in SHOPS.into_iter().zip(1..) {
        sell(&fund, &hub, shop, seed, cents);
        fund.json(&["shop", "account", shop, "--iban", iban, "--name", "Ferme d'Été & Cie", "--by", "Ada"]);
    }
    fund.json(&["settlement", "prepare", "--by", "Ada"]);
    assert_eq!(fund.json(&["settlement", "approve", "1", "--by", "Bo"])["settlement"]["payout_cents"], 140);
    fund
}

fn own_account(fund: &Fund, pain: &str) {
    let iban = "FR76 3000 6000 0112 3456 7890 189";
    let command = ["bank", "account", "--iban", iban, "--name", "Caisse d'œuvre", "--pain", pain];
    fund.json(&[command.as_slice(), BY.as_slice()].concat());
}

fn pay(fund: &Fund, name: &str) -> PathBuf {
    let file = fund.dir.path().join(name);
    let out = file.display().to_string();
    fund.json(&["settlement", "payment-file", "1", "--out", &out, "--by", "Bo"]);
    file
}

#[test]
fn a_payment_file_is_valid_and_read_back_by_others_in_both_versions() {
    for pain in ["09", "03"] {
        let fund = settled();
        own_account(&fund, pain);
        let file = pay(&fund, "pay.xml");
        check(&["pain", &file.display().to_string(), pain, SHOPS[0].1, SHOPS[1].1]);
        assert_eq!(std::fs::read(pay(&fund, "again.xml")).unwrap(), std::fs::read(file).unwrap());
    }
}

#[test]
fn statements_of_several_banks_settle_what_was_paid_and_the_books_are_exported() {
    for style in ["batch", "each", "parts", "prefixed"] {
        let fund = settled();
        own_account(&fund, "09");
        let (file, statement) = (pay(&fund, "pay.xml").display().to_string(), fund.dir.path().join("camt.xml"));
        let statement = statement.display().to_string();
        check(&["statement", style, &file, &statement]);
        let report = fund.json(&["bank", "import", &statement, "--by", "Bo"]);
        assert_eq!((&report["payouts_paid_cents"], &report["entries_open"]), (&json!(140), &json!(1)), "{style}");
        let again = fund.json(&["bank", "import", &statement, "--by", "Bo"]);
        assert_eq!((&again["entries_added"], &again["payouts_paid"]), (&json!(0), &json!(0)));
        let states = fund.json(&["settlement", "payouts", "1"]);
        assert!(states.as_array().unwrap().iter().all(|payout| payout["state"] == "paid"), "{states}");
        let shown = String::from_utf8(fund.run(&["bank", "list", "--unmatched"]).stdout).unwrap();
        assert!(shown.contains("15.00") && !shown.contains("Cotisation"), "{shown}");
        assert!(fund.run(&["verify"]).status.success());

        let folder = fund.dir.path().display().to_string();
        assert!(!fund.run(&["export", "fec", "--year", "2026", "--out", &folder]).status.success(), "no SIREN");
        let year = year();
        let export = common::binary(fund.dir.path())
            .env("CABAS_HUB_SIREN", "732829320")
            .args(["export", "fec", "--year", &year, "--out", &folder])
            .output()
            .unwrap();
        assert!(export.status.success(), "{}", String::from_utf8_lossy(&export.stderr));
        check(&["fec", &fund.dir.path().join(format!("732829320FEC{year}1231.txt")).display().to_string()]);
    }
}

/// Of this machine's clock, by which commands book.
fn year() -> String {
    let days = i64::try_from(cabas_hub::clock::Clock::System.now().get()).unwrap().div_euclid(86_400);
    sepa::IsoDate::from_epoch_days(days).unwrap().year().to_string()
}

#[test]
fn what_is_wrong_is_said_in_one_line_and_books_nothing() {
    let fund = settled();
    own_account(&fund, "09");
    let file = fund.dir.path().join("bad.xml");
    let path = file.display().to_string();
    let refused = |arguments: &[&str], said: &str| {
        let output = fund.run(arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), error.lines().count()), (Some(1), 1), "{error}");
        assert!(error.contains(said), "{said}: {error}");
    };
    refused(&["settlement", "approve", "1", "--by", "Cy"], "approved by Bo before");
    refused(
        &["shop", "account", SHOPS[0].0, "--iban", "FR1420041010050500013M02607", "--name", "A", "--by", "B"],
        "IBAN",
    );
    common::write(&file, "<Document");
    refused(&["bank", "import", &path, "--by", "Bo"], "cannot be read as camt.053");
    std::fs::File::create(&file).unwrap().set_len(100 << 20).unwrap();
    refused(&["bank", "import", &path, "--by", "Bo"], "over 16777216 bytes");
    refused(&["bank", "match", "1", "--settlement", "1", "--by", "Bo"], "no bank entry 1");
    assert!(fund.run(&["verify"]).status.success());
}
