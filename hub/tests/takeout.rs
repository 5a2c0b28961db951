//! `export all`: who leaves this software takes everything along, and it adds up without it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a failed unwrap is the test's failure"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use cabas_hub::store::{TABLES, Table};

use crate::common;
use crate::common::bank::paid;
use crate::common::{Fund, write};

type Line = BTreeMap<String, String>;

/// The lines of a table, by the names of its columns; read by another reader than what wrote it.
fn table(folder: &Path, name: &str) -> Vec<Line> {
    let mut reader = csv::Reader::from_path(folder.join(format!("{name}.csv"))).unwrap();
    reader.deserialize().collect::<Result<_, _>>().unwrap()
}

fn cents(line: &Line, column: &str) -> u64 {
    line[column].parse().unwrap()
}

fn sum(lines: &[Line], column: &str) -> u64 {
    lines.iter().map(|line| cents(line, column)).sum()
}

/// A fund that credited, sold, settled and was paid, with a member's name and a document.
fn fund() -> Fund {
    let fund = Fund::example();
    let folder = fund.dir.path();
    write(&folder.join("members.csv"), "household,member\nF001,Zoé Martin\nF002,\"Bo, dit \"\"le grand\"\"\"\n");
    fund.json(&["import", &folder.join("members.csv").display().to_string()]);
    write(&folder.join("charter.txt"), "Charte signée\n");
    let document = folder.join("charter.txt").display().to_string();
    let propose = ["joining", "propose", "four", "--name", "Le Four", "--kind", "bakery", "--grid", "shop"];
    fund.json(&[propose.as_slice(), &["--by", "Ada", "--document", &document]].concat());
    let hub = fund.serve();
    paid(&fund, &hub);
    fund
}

#[test]
fn what_is_taken_along_is_all_there_is_and_adds_up_by_itself() {
    let fund = fund();
    let folder = fund.dir.path().join("leaving");
    let out = folder.display().to_string();
    let done = fund.json(&["export", "all", "--out", &out, "--names"]);
    assert_eq!((&done["documents"], &done["names"]), (&1.into(), &true.into()));

    // Movements alone make the accounts, and no cent is made or lost.
    let (movements, accounts) = (table(&folder, "movements"), table(&folder, "accounts"));
    let mut made: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for movement in &movements {
        made.entry(&movement["from_account"]).or_default().0 += cents(movement, "cents");
        made.entry(&movement["to_account"]).or_default().1 += cents(movement, "cents");
    }
    for account in &accounts {
        let found = made.get(account["account"].as_str()).copied().unwrap_or_default();
        assert_eq!(found, (cents(account, "debits_cents"), cents(account, "credits_cents")), "{account:?}");
        assert!(!account["name"].is_empty(), "{account:?}");
    }
    assert_eq!(sum(&accounts, "debits_cents"), sum(&accounts, "credits_cents"));

    // What was bought is what the shops were paid, line by line and in all.
    let (purchases, lines) = (table(&folder, "purchases"), table(&folder, "purchase_lines"));
    assert_eq!(
        (sum(&purchases, "settled_cents"), sum(&purchases, "fund_cents"), sum(&lines, "fund_cents")),
        (140, 140, 140)
    );
    assert_eq!(sum(&table(&folder, "settlements"), "payout_cents"), 140);
    assert_eq!(sum(&table(&folder, "payouts"), "cents"), 140);
    let sold: Vec<_> = movements.iter().filter(|movement| movement["kind"] == "Sale").cloned().collect();
    assert_eq!(sum(&sold, "cents"), 140);
    for purchase in &purchases {
        let whose = (purchase["household"].as_str(), purchase["card_number"].as_str(), purchase["settlement"].as_str());
        assert_eq!(whose, ("F001", "1", "1"), "{purchase:?}");
    }
    let credited: Vec<_> = movements.iter().filter(|movement| movement["kind"] == "Credit").cloned().collect();
    assert_eq!(sum(&table(&folder, "credits"), "cents"), sum(&credited, "cents"));
    let names: Vec<_> = table(&folder, "members").iter().map(|line| line["member"].clone()).collect();
    assert_eq!(names, ["Zoé Martin", "Bo, dit \"le grand\""]);

    // Every file is named with its checksum, and a plain tool agrees.
    let checked = Command::new("sha256sum").args(["--check", "--quiet", "SHA256SUMS"]).current_dir(&folder).status();
    assert!(checked.unwrap().success());
    let sums = std::fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    let readme = std::fs::read_to_string(folder.join("README.txt")).unwrap();
    for Table { name, .. } in TABLES {
        assert!(sums.contains(&format!("  {name}.csv\n")) && readme.contains(&format!("{name}.csv (")), "{name}");
    }
    assert!(sums.contains("  documents/") && sums.contains("  hub.db\n") && !sums.contains(".part"), "{sums}");
}

#[test]
fn another_fund_takes_over_people_and_shops_as_they_were_exported() {
    let fund = fund();
    let folder = fund.dir.path().join("leaving");
    fund.json(&["export", "all", "--out", &folder.display().to_string(), "--names"]);

    let dir = tempfile::tempdir().unwrap();
    common::json(&common::command(dir.path(), &["--json", "init", "--name", "Une autre caisse"]));
    let files = ["households.csv", "shops.csv", "members.csv"].map(|file| folder.join(file).display().to_string());
    let import: Vec<&str> = ["--json", "import"].into_iter().chain(files.iter().map(String::as_str)).collect();
    common::json(&common::command(dir.path(), &import));
    let of = |dir: &Path, what: &[&str]| common::json(&common::command(dir, &[&["--json"], what].concat()));
    for list in [["household", "list"], ["shop", "list"]] {
        let (before, after) = (of(fund.dir.path(), &list), of(dir.path(), &list));
        assert_eq!(before.as_array().unwrap().len(), after.as_array().unwrap().len(), "{list:?}");
        for (before, after) in before.as_array().unwrap().iter().zip(after.as_array().unwrap()) {
            for same in ["code", "size", "children_under_14", "name", "kind", "contribution_cents"] {
                assert_eq!(before[same], after[same], "{before} {after}");
            }
        }
    }
    // The ledger that was taken along is one that a hub reads, and finds right.
    let moved = tempfile::tempdir().unwrap();
    std::fs::create_dir(moved.path().join("data")).unwrap();
    std::fs::copy(folder.join("hub.db"), moved.path().join("data/hub.db")).unwrap();
    let verified = common::json(&common::command(moved.path(), &["--json", "verify"]));
    assert_eq!(verified["found"], 0, "{verified}");
}

#[test]
fn names_are_written_only_where_they_are_asked_for_and_nothing_is_written_over() {
    use std::os::unix::fs::PermissionsExt as _;
    let fund = fund();
    let folder = fund.dir.path().join("leaving");
    let out = folder.display().to_string();
    fund.json(&["export", "all", "--out", &out]);
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} is for its owner alone", path.display());
        let bytes = if path.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
        for name in ["Martin", "le grand"] {
            assert!(!bytes.windows(name.len()).any(|part| part == name.as_bytes()), "{name} in {}", path.display());
        }
    }
    let again = fund.run(&["export", "all", "--out", &out]);
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(!again.status.success() && said.contains("writes over nothing: name a new folder"), "{said}");
    let nowhere = fund.run(&["export", "all", "--out", "/proc/leaving"]);
    let said = String::from_utf8(nowhere.stderr).unwrap();
    assert!(!nowhere.status.success() && said.contains("the export /proc/leaving: "), "{said}");
}
