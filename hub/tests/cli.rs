//! The command line, by the real binary.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed unwrap is the test's failure")]

use crate::common;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Output, Stdio};

use common::{Fund, binary, command, example_dir, write};
use serde_json::{Value, json};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A failure: 1, nothing on standard output, and one line on standard error that says it.
fn failed(output: &Output, said: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.starts_with("cabas-hub: ") && error.contains(said), "{said}: {error}");
    assert!(output.stdout.is_empty());
}

#[test]
fn init_makes_a_fund_for_the_owner_alone_and_writes_over_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let made: Value = common::json(&command(dir.path(), &["init", "--name", "Fonds", "--fund-id", "7", "--json"]));
    assert_eq!((&made["fund_id"], &made["name"]), (&json!(7), &json!("Fonds")));
    assert_eq!(made["root_key"].as_str().unwrap().len(), 64);
    assert_eq!(mode(&data), 0o700);
    for key in ["root.key", "signing.key", "card.key", "record.key"] {
        assert_eq!(mode(&data.join("keys").join(key)), 0o600);
    }
    assert_eq!(mode(&data.join("hub.db")), 0o600);
    let root = std::fs::read(data.join("keys/root.key")).unwrap();
    failed(&command(dir.path(), &["init", "--name", "Autre"]), "has something in it");
    assert_eq!(std::fs::read(data.join("keys/root.key")).unwrap(), root);
    let shown = command(dir.path(), &["status"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("Fund 7 \"Fonds\""));
}

#[test]
fn a_refused_init_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    failed(&command(dir.path(), &["init", "--name", ""]), "--name");
    failed(&command(dir.path(), &["init", "--name", "a\nb"]), "--name");
    failed(&command(dir.path(), &["init", "--name", "F", "--sale-cents-max", "1000000000000"]), "cents");
    assert!(!dir.path().join("data").exists());
    assert!(command(dir.path(), &["init", "--name", "F"]).status.success());
}

#[test]
fn wrong_usage_is_2_and_help_explains_every_option() {
    let dir = tempfile::tempdir().unwrap();
    for wrong in [
        vec![],
        vec!["frobnicate"],
        vec!["init"],
        vec!["init", "--name", "F", "--fund-id", "0"],
        vec!["terminal", "add"],
        vec!["card", "block", "--card-number", "one"],
        vec!["credit", "run", "--source", "s"],
        vec!["credit", "run", "--source", "s", "--period", "2026-13"],
        vec!["import"],
    ] {
        assert_eq!(command(dir.path(), &wrong).status.code(), Some(2), "{wrong:?}");
    }
    let help = String::from_utf8(command(dir.path(), &["init", "--help"]).stdout).unwrap();
    for option in ["--name", "--fund-id", "--helpline", "--config", "--json"] {
        assert!(help.contains(option), "{help}");
    }
}

#[test]
fn the_environment_overrides_and_an_unknown_key_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("elsewhere");
    let with = |name: &str, value: &str, arguments: &[&str]| {
        binary(dir.path()).env(name, value).args(arguments).output().unwrap()
    };
    let made = with("CABAS_HUB_DATA_DIR", &other.display().to_string(), &["init", "--name", "F"]);
    assert!(made.status.success());
    assert!(other.join("hub.db").exists());
    failed(&with("CABAS_HUB_DATADIR", "/x", &["status"]), "datadir");
    failed(&with("CABAS_HUB_LISTEN", "here", &["status"]), "listen");
    failed(&with("CABAS_HUB_LISTEN", "0.0.0.0:7400", &["serve"]), "allow_plain_http");
    failed(&command(dir.path(), &["status"]), "cabas-hub init");
}

#[test]
fn an_import_is_all_or_nothing_and_the_same_the_second_time() {
    let fund = Fund::empty();
    let example = example_dir().display().to_string();
    let counts = |value: &Value| ["households", "cards", "shops"].map(|kind| value[kind]["added"].as_u64().unwrap());
    let preview = fund.json(&["import", "--dry-run", &example]);
    assert_eq!((&preview["applied"], counts(&preview)), (&json!(false), [108, 152, 19]));
    let first = fund.json(&["import", &example]);
    assert_eq!((&first["applied"], counts(&first)), (&json!(true), [108, 152, 19]));
    let again = fund.json(&["import", &example]);
    assert_eq!(counts(&again), [0, 0, 0]);
    assert_eq!(again["households"]["same"], 108);
    assert_eq!(first["files"][0]["kind"], "cards");
}

#[test]
fn an_import_with_a_bad_line_books_nothing_and_names_each() {
    let fund = Fund::empty();
    let file = fund.dir.path().join("h.csv");
    write(&file, "household;size;children_under_14;contribution_cents\nF1;2;0;200\nF2;0;0;200\nF3;2;0;1,5\n");
    let path = file.display().to_string();
    let output = fund.run(&["import", &path]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(lines.len(), 3, "{error}");
    assert!(lines[0].contains("h.csv, line 3: `size`"), "{error}");
    assert!(lines[1].contains("h.csv, line 4: `contribution_cents`"), "{error}");
    assert!(lines[2].contains("nothing was imported"), "{error}");

    let output = fund.run(&["--json", "import", &path]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["applied"], told["problems"].as_array().unwrap().len()), (&json!(false), 2));
    assert_eq!(told["problems"][0]["line"], 3);

    write(&file, "household;size;children_under_14;contribution_cents\nF1;2;0;200\n");
    assert_eq!(fund.json(&["import", &path])["households"]["added"], 1, "F1 was not booked before");
}

#[test]
fn an_import_that_contradicts_the_fund_is_refused() {
    let fund = Fund::example();
    let file = fund.dir.path().join("c.csv");
    write(&file, "card_number,uid_hex,household\n999,04000000000001,F999\n1,04000000000002,F001\n");
    let output = fund.run(&["import", &file.display().to_string()]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("F999") && error.contains("card 1 "), "{error}");
}

#[test]
fn import_says_what_is_wrong_with_a_path() {
    let fund = Fund::empty();
    failed(&fund.run(&["import", "/nowhere/x.csv"]), "/nowhere/x.csv");
    let empty = tempfile::tempdir().unwrap();
    failed(&fund.run(&["import", &empty.path().display().to_string()]), "no CSV file");
}

#[test]
fn no_uid_is_kept() {
    let fund = Fund::example();
    let uid: Vec<u8> = vec![0x04, 0x85, 0x6e, 0x8a, 0x29, 0x50, 0x22];
    let mut searched = 0;
    for entry in std::fs::read_dir(fund.data_dir()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(uid.len()).any(|window| window == uid), "{}", path.display());
            let text = b"04856e8a295022";
            assert!(!bytes.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text)), "{}", path.display());
            searched += 1;
        }
    }
    assert!(searched >= 1);
}

#[test]
fn a_code_is_shown_once_and_kept_nowhere() {
    let fund = Fund::example();
    let added = fund.json(&["terminal", "add", "--shop", "biocoop-bachut"]);
    assert_eq!(added["terminal"], 1);
    let code = added["code"].as_str().unwrap();
    assert_eq!((code.len(), code.matches('-').count()), (14, 2));
    let listed = fund.json(&["terminal", "list"]);
    let line = &listed["terminals"][0];
    assert_eq!((&line["standing"], &line["shop"]), (&json!("new"), &json!("biocoop-bachut")));
    assert_eq!(line["code_expires_at"], added["expires_at"]);
    assert!(!listed.to_string().contains(&code[5..]));
    failed(&fund.run(&["terminal", "add", "--shop", "nowhere"]), "shop");
    failed(&fund.run(&["terminal", "add", "--terminal", "9"]), "terminal 9");
    failed(&fund.run(&["terminal", "revoke", "9"]), "terminal 9");
    let again = |shop| fund.run(&["terminal", "add", "--shop", shop, "--terminal", "1"]);
    failed(&again("amap-transvaal"), "belongs to shop biocoop-bachut");
    assert!(again("biocoop-bachut").status.success());
    assert_eq!(fund.json(&["terminal", "revoke", "1"])["epochs_revoked"], 0);
}

#[test]
fn a_card_is_blocked_by_its_number() {
    let fund = Fund::example();
    let blocked = fund.json(&["card", "block", "--card-number", "1"]);
    assert_eq!((&blocked["card_number"], &blocked["blocked"]), (&json!(1), &json!(true)));
    let version = blocked["hot_list_version"].as_u64().unwrap();
    assert_eq!(fund.json(&["card", "block", "--card-number", "1"])["hot_list_version"], version);
    assert!(fund.json(&["card", "unblock", "--card-number", "1"])["hot_list_version"].as_u64().unwrap() > version);
    failed(&fund.run(&["card", "block", "--card-number", "4000"]), "card");
}

#[test]
fn a_credit_is_shown_then_booked_once() {
    let fund = Fund::example();
    let run = ["credit", "run", "--period", "2026-11", "--source", "ville"];
    let book = [run.as_slice(), &["--book"]].concat();
    let preview = fund.json(&run);
    let due = preview["cents"].as_u64().unwrap();
    assert_eq!((&preview["booked"], &preview["households"]), (&json!(false), &json!(108)));
    // 108 first persons at 150 €, 83 children at 40 €, 302 - 108 - 83 others at 75 €.
    assert_eq!(due, 108 * 15_000 + 83 * 4_000 + 111 * 7_500);
    assert_eq!(fund.json(&["status"])["totals"]["credited_cents"], 0);
    let booked = fund.json(&book);
    assert_eq!((&booked["booked"], &booked["cents"], &booked["households"]), (&json!(true), &json!(due), &json!(108)));
    let again = fund.json(&book);
    assert_eq!(
        (&again["cents"], &again["households"], &again["booked_before_cents"]),
        (&json!(0), &json!(0), &json!(due))
    );
    assert_eq!(fund.json(&["status"])["totals"]["credited_cents"], due);
    let other = [&["credit", "run", "--period", "2026-12", "--source", "ville"], ["--book"].as_slice()].concat();
    assert_eq!(fund.json(&other)["cents"], due);
}

#[test]
fn a_voted_rule_holds_from_its_month_on() {
    let fund = Fund::example();
    let credit = |period: &str| fund.json(&["credit", "run", "--period", period, "--source", "ville", "--book"]);
    let before = credit("2026-11")["cents"].as_u64().unwrap();
    let vote = |from: &'static str| {
        ["rule", "set", "--from", from, "--first-cents", "10000", "--further-cents", "5000", "--child-cents", "2500"]
    };
    let by = ["--by", "Ada", "--expire-months", "3"];
    failed(&fund.run(&[vote("2026-11").as_slice(), &by].concat()), "2026-11 was booked already");
    let rules = fund.json(&[vote("2026-12").as_slice(), &by].concat());
    assert_eq!((&rules[1]["from"], &rules[1]["expire_months"]), (&json!("2026-12"), &json!(3)));
    let after = credit("2026-12")["cents"].as_u64().unwrap();
    assert_eq!((before, after), (108 * 15_000 + 83 * 4_000 + 111 * 7_500, 108 * 10_000 + 83 * 2_500 + 111 * 5_000));
    let november = ["expiry", "run", "--period", "2026-11"];
    failed(&fund.run(&november), "nothing expires");
    failed(&fund.run(&["expiry", "run", "--period", "2999-11"]), "is not over");
}

#[test]
fn a_correction_needs_two_people_and_a_leaving_household_gives_its_money_back() {
    let fund = Fund::example();
    fund.json(&["credit", "run", "--period", "2026-11", "--source", "ville", "--book"]);
    let free =
        |household: &str| fund.json(&["purse", "show", "--household", household])["free_cents"].as_u64().unwrap();
    let before = free("F001");
    let propose = ["correction", "propose", "--household", "F001", "--more-cents", "2500", "--source", "ville"];
    let reason = ["--reason", "Une naissance", "--by", "Ada"];
    let proposed = fund.json(&[propose.as_slice(), &reason].concat());
    assert_eq!((&proposed[0]["state"], &proposed[0]["correction"]), (&json!("proposed"), &json!(1)));
    failed(&fund.run(&["correction", "book", "1", "--by", "ada"]), "another person");
    assert_eq!(fund.json(&["correction", "book", "1", "--by", "Bo"])[0]["state"], "booked");
    assert_eq!(free("F001"), before + 2500);
    let left = fund.json(&["household", "leave", "F001"]);
    assert_eq!((&left["expired_cents"], free("F001")), (&json!(before + 2500), 0));
    let gone = fund.json(&["household", "list"]);
    assert!(gone[0]["left_at"].is_u64() && gone[1]["left_at"].is_null(), "{gone}");
    fund.json(&["household", "return", "F001"]);
    let grown = ["household", "change", "F001", "--size", "4", "--since", "2026-11", "--by", "Ada"];
    assert_eq!(fund.json(&grown)["proposed"], json!([2]));
    failed(&fund.run(&["household", "change", "F001", "--size", "0"]), "1 to 30 people");
    failed(&fund.run(&["household", "leave", "F999"]), "household list");
    fund.json(&["verify"]);
}

#[test]
fn a_purse_card_is_bound_shown_and_blocked() {
    let fund = Fund::example();
    fund.json(&["credit", "run", "--period", "2026-11", "--source", "ville", "--book"]);
    let free = |fund: &Fund| fund.json(&["purse", "show", "--household", "F001"])["free_cents"].as_u64().unwrap();
    let before = free(&fund);
    let add = ["card", "add-purse", "--card-number", "5001", "--uid", "04A1B2C3D4E5F6", "--household", "F001"];
    let added = fund.json(&add);
    let half = added["left_cents"].as_u64().unwrap();
    assert_eq!(half + free(&fund), before);
    assert!(half > 0 && half.abs_diff(free(&fund)) <= 1, "a half each: {half} of {before}");
    let card = &fund.json(&["purse", "show", "--household", "F001"])["cards"][0];
    assert_eq!((&card["card_number"], &card["serial"], &card["blocked"]), (&json!(5001), &json!(1), &json!(false)));
    assert_eq!((&card["allowed_cents"], &card["spent_cents"]), (&json!(half), &json!(0)));
    failed(&fund.run(&add), "known already");
    let nobody = ["card", "add-purse", "--card-number", "5002", "--uid", "04A1B2C3D4E5F7", "--household", "F999"];
    failed(&fund.run(&nobody), "household list");
    fund.json(&["card", "block", "--card-number", "5001"]);
    let shown = fund.run(&["purse", "show", "--household", "F001"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("purse card 5001"), "{shown:?}");
    fund.json(&["verify"]);
}

#[test]
fn a_grid_and_a_floor_are_set_for_a_shop() {
    let fund = Fund::example();
    let grid = ["grid", "set", "--shop", "maraicher-combe", "--from", "2026-12-01"];
    let categories = ["--category", "1:100:Légumes:Vegetables", "--category", "2:30:Épicerie:Groceries"];
    let grids = fund.json(&[grid.as_slice(), &categories].concat());
    assert_eq!((&grids[0]["shop"], &grids[0]["from_day"]), (&json!("maraicher-combe"), &json!(20_788)));
    assert_eq!(grids[0]["categories"][1]["share_percent"], 30);
    let shops = fund.json(&["shop", "floor", "maraicher-combe", "--cents", "2000", "--days", "tue,sat"]);
    let shop = shops.as_array().unwrap().iter().find(|shop| shop["code"] == "maraicher-combe").unwrap();
    assert_eq!((&shop["floor_cents"], &shop["market_days"]), (&json!(2000), &json!(["tue", "sat"])));
    failed(&fund.run(&["shop", "floor", "nowhere", "--cents", "1"]), "does not know this shop");
}

#[test]
fn an_empty_settlement_closes_nothing() {
    let fund = Fund::example();
    for command in
        [vec!["preview"], vec!["close", "--by", "Ada", "--approved-by", "Bo"], vec!["prepare", "--by", "Ada"]]
    {
        let shown = fund.json(&[&["settlement"], command.as_slice()].concat());
        assert_eq!((&shown["closed"], &shown["settlement"]), (&json!(false), &Value::Null));
    }
    assert_eq!(fund.json(&["settlement", "list"])["settlements"], json!([]));
}

#[test]
fn a_sound_fund_is_verified_and_a_damaged_one_is_not() {
    let fund = Fund::example();
    fund.json(&["credit", "run", "--period", "2026-11", "--source", "ville", "--book"]);
    let verified = fund.json(&["verify"]);
    assert_eq!((&verified["ok"], &verified["found"]), (&json!(true), &json!(0)));
    assert!(verified["transfers"].as_u64().unwrap() >= 108);

    let db = rusqlite::Connection::open(fund.data_dir().join("hub.db")).unwrap();
    // One cent more than was ever credited, in the first account that has any.
    let raised =
        "UPDATE accounts SET credits = credits + 1 WHERE rowid = (SELECT min(rowid) FROM accounts WHERE credits > 0)";
    assert_eq!(db.execute(raised, []).unwrap(), 1);
    drop(db);
    let output = fund.run(&["--json", "verify"]);
    assert_eq!(output.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["ok"], false);
    assert!(!told["findings"].as_array().unwrap().is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("cabas-hub: verify found "));
}

#[test]
fn a_backup_is_a_whole_fund_and_writes_over_nothing() {
    let fund = Fund::example();
    let file = fund.dir.path().join("copy.db");
    let path = file.display().to_string();
    assert!(fund.json(&["backup", &path])["bytes"].as_u64().unwrap() > 0);
    assert_eq!(mode(&file), 0o600);
    failed(&fund.run(&["backup", &path]), "name another");
    // Put in the place of the database, it serves.
    let status = fund.json(&["status"]);
    std::fs::copy(&file, fund.data_dir().join("hub.db")).unwrap();
    assert_eq!(fund.json(&["status"])["totals"], status["totals"]);
}

#[test]
fn a_database_of_a_newer_program_is_left_alone() {
    let fund = Fund::empty();
    let db = rusqlite::Connection::open(fund.data_dir().join("hub.db")).unwrap();
    db.execute_batch("PRAGMA user_version = 99").unwrap();
    drop(db);
    for arguments in [["status"].as_slice(), &["serve"], &["verify"], &["terminal", "list"]] {
        failed(&fund.run(arguments), "update the program");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let fund = Fund::example();
    let mut child = binary(fund.dir.path())
        .args(["--json", "credit", "run", "--period", "2026-11", "--source", "ville"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
