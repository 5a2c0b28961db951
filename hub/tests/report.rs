//! Figures, thresholds, things to do and the evaluation's export, by the real binary.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed unwrap is the test's failure")]

use crate::common;

use cabas_protocol::SignedBalance;
use cabas_protocol::objects::Binding;
use common::terminal::Terminal;
use common::{Fund, Hub};
use serde_json::json;

/// The first card of the example fund.
const UID: &str = "04856e8a295022";

fn sell(fund: &Fund, hub: &Hub, shop: &str, cents: u64) {
    let mut terminal = Terminal::enrol(hub, &fund.code(shop), 1);
    let (card, mut objects, mut found) = (fund.card(UID), Vec::new(), None);
    for _ in 0..20 {
        objects.extend(terminal.sync(hub, 1_000).objects.iter().map(|object| object.to_vec()));
        let binding = terminal.of_type::<Binding>(&objects).into_iter().find(|binding| binding.card == card);
        let balances = terminal.of_type::<SignedBalance>(&objects).into_iter();
        found = binding.and_then(|binding| {
            balances.filter(|balance| balance.purse == binding.purse).max_by_key(|balance| balance.serial)
        });
        if found.as_ref().is_some_and(|balance| balance.allowed.get() >= cents) {
            break;
        }
    }
    terminal.write_sale(card, &found.unwrap(), cents, cents);
    terminal.sync(hub, 0);
}

#[test]
fn a_months_figures_are_told_in_cents_and_nobody_is_named() {
    let fund = Fund::example();
    assert_eq!(fund.json(&["report", "months"])["months"], json!([]));
    assert_eq!(fund.json(&["report", "actions"]), json!([]));
    fund.json(&["credit", "run", "--period", "2026-11", "--source", "Ville de Lyon €", "--book"]);
    let hub = fund.serve();
    sell(&fund, &hub, "biocoop-bachut", 1_250);
    let shown = fund.json(&["report", "months"]);
    let total = &shown["total"];
    let credited = fund.json(&["status"])["totals"]["credited_cents"].clone();
    assert_eq!(total["sources"]["Ville de Lyon €"]["credited_cents"], credited);
    assert_eq!((&total["shops"]["spent_cents"], &total["shops"]["owed_cents"]), (&json!(1_250), &json!(1_250)));
    let spent: Vec<u64> =
        total["kinds"].as_object().unwrap().values().map(|kind| kind["spent_cents"].as_u64().unwrap()).collect();
    assert_eq!((spent.len() > 1, spent.iter().sum::<u64>()), (true, 1_250), "{total}");
    let near = fund.json(&["report", "thresholds"]);
    assert_eq!((&near["volume"]["cents"], &near["limit_cents"]), (&json!(1_250), &json!(100_000_000)));
    assert_eq!(near["outstanding"]["cents"], credited.as_u64().unwrap().checked_sub(1_250).unwrap());
    assert_eq!(near["alert_percent"], 0);
    assert_eq!(fund.json(&["report", "rows"]), json!([]));
    for (report, said) in [
        ("months", "1 purchases, spent 12.50 €"),
        ("thresholds", "12.50 €"),
        ("actions", "There is nothing to do."),
        ("rows", "Every row is paid whole."),
    ] {
        let output = fund.run(&["report", report]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.contains(said), "{text}");
        assert!(!text.contains("F001"), "{text}");
    }
}

#[test]
fn an_evaluation_is_of_months_that_are_over_and_shows_nothing_of_few() {
    let fund = Fund::example();
    let out = fund.dir.path().join("evaluation.csv");
    let file = out.display().to_string();
    let export = |from: &str, to: &str| fund.run(&["export", "evaluation", "--from", from, "--to", to, "--out", &file]);
    for (from, to, said) in [
        ("2026-01", "2999-12", "no months in a row, or more than 120"),
        ("2026-02", "2026-01", "no months in a row"),
        ("2998-12", "2999-12", "2999-12 is not over"),
    ] {
        let output = export(from, to);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && error.contains(said), "{error}");
        assert!(!out.exists());
    }
    assert_eq!(export("2026-13", "2026-12").status.code(), Some(2));
    let done = fund.json(&["export", "evaluation", "--from", "2025-01", "--to", "2025-12", "--out", &file]);
    assert_eq!((&done["months"], &done["lines"]), (&json!(12), &done["hidden"]));
    let text = std::fs::read_to_string(&out).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("month;shop_kind;household_size;households;purchases;cents;hidden"));
    assert!(lines.clone().count() > 12 && lines.all(|line| line.ends_with(";;;;yes")), "{text}");
}
