//! What watches: the names in deploy/watch against a hub and a terminal that run, logs that name nobody, `doctor` beside a
//! terminal and without one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "test code")]

use std::collections::BTreeSet;
use std::path::Path;

use cabas_tests::example::Cards;
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::shop::Shop;
use serde_json::{Value, json};

const SHOP: &str = "biocoop-platanes";

struct World {
    hub: Hub,
    shop: Shop,
    cards: Cards,
    dir: tempfile::TempDir,
}

async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::with_example_fund(&dir.path().join("hub")).unwrap();
    hub.credit("2026-11").unwrap();
    let shop = Shop::enrolled(&dir.path().join("shop"), &http_client().unwrap(), &hub, SHOP).await.unwrap();
    World { hub, shop, cards: Cards::read().unwrap(), dir }
}

fn repository(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

async fn metrics(url: &str) -> String {
    http_client().unwrap().get(format!("{url}/metrics")).send().await.unwrap().text().await.unwrap()
}

/// The names of figures in a text: `cabas_…`, to the first sign that no name has.
fn names(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let mut found = BTreeSet::new();
    for part in text.split("cabas_").skip(1) {
        let end = part.find(|c| !is_name(c)).unwrap_or(part.len());
        found.insert(format!("cabas_{}", &part[..end]));
    }
    found
}

/// The names of labels: what stands before `="`.
fn labels(metrics: &str) -> BTreeSet<String> {
    let lines = metrics.lines().filter(|line| !line.starts_with('#'));
    let inside = lines.filter_map(|line| Some(line.split_once('{')?.1.rsplit_once('}')?.0.to_owned()));
    let all = inside.flat_map(|inside| {
        inside.split(',').map(|label| label.split_once('=').unwrap().0.to_owned()).collect::<Vec<_>>()
    });
    all.collect()
}

#[tokio::test]
async fn rules_and_dashboard_name_only_what_hub_and_terminal_tell_and_no_label_is_a_person() {
    let world = world().await;
    let sale = world.shop.sell(1250, world.cards.uid(1), "one").await.unwrap();
    assert_eq!(sale["state"], "accepted", "{sale}");
    world.shop.wait_until_synced().await.unwrap();
    // One request that is none: refusals are told once there was one.
    let nonsense = http_client().unwrap().post(format!("{}/v1/sync", world.hub.url())).body("nonsense").send().await;
    assert!(nonsense.unwrap().status().is_client_error());
    let (hub, agent) = (metrics(&world.hub.url()).await, metrics(&world.shop.url()).await);
    let told: BTreeSet<String> = names(&hub).union(&names(&agent)).cloned().collect();
    for file in ["prometheus-rules.yml", "rules-test.yml", "grafana-dashboard.json"] {
        let used = names(&repository(&format!("deploy/watch/{file}")));
        assert!(used.len() > 10, "{file}: {used:?}");
        let unknown: Vec<_> = used.difference(&told).collect();
        assert!(unknown.is_empty(), "{file} names what nobody tells: {unknown:?}\n{hub}\n{agent}");
    }
    // What a rule asks of a check by its word is one of them.
    for part in repository("deploy/watch/prometheus-rules.yml").split("cabas_hub_check{code=\"").skip(1) {
        let code = part.split('"').next().unwrap();
        assert!(cabas_hub::core::checks::CODES.contains(&code), "{code}");
    }
    let known = ["code", "le", "outcome", "reason", "standing", "terminal"].map(str::to_owned);
    let labels: BTreeSet<String> = labels(&hub).union(&labels(&agent)).cloned().collect();
    assert!(labels.is_subset(&BTreeSet::from(known)), "{labels:?}");
    for line in ["cabas_hub_terminal_contact_age_seconds{terminal=\"1\"} ", "cabas_hub_check{code=\"backup\"} 0"] {
        assert!(hub.contains(line), "{line} is missing in\n{hub}");
    }
    for line in ["cabas_journal_ok 1", "cabas_reader_ready 1", "cabas_sells 1", "cabas_clock_trusted 1"] {
        assert!(agent.lines().any(|found| found == line), "{line} is missing in\n{agent}");
    }
    let rules = repository("deploy/watch/prometheus-rules.yml");
    let alerts = rules.matches("- alert: ").count();
    for annotation in ["summary_fr: ", "todo_fr: ", "summary_en: ", "todo_en: "] {
        assert_eq!(rules.matches(annotation).count(), alerts, "{annotation}");
    }
    let manual = repository("deploy/operating.md");
    for part in rules.split("- alert: ").skip(1) {
        let alert = part.split_whitespace().next().unwrap();
        assert!(manual.contains(alert), "the manual says nothing about {alert}");
    }
}

#[tokio::test]
async fn logs_name_no_household_no_card_no_key_and_no_account() {
    let mut world = world().await;
    let iban = "FR1420041010050500013M02606";
    world.hub.ok(&["bank", "account", "--iban", iban, "--name", "Caisse Quelconque", "--by", "Ada"]).unwrap();
    let members = world.dir.path().join("members.csv");
    std::io::Write::write_all(
        &mut std::fs::File::create(&members).unwrap(),
        "household,member\nF001,Zoé Dupré-Quelconque\n".as_bytes(),
    )
    .unwrap();
    world.hub.ok(&["import", &members.display().to_string()]).unwrap();
    world.hub.stop().unwrap();
    world.shop.stop().unwrap();
    for environment in [&mut world.hub.environment, &mut world.shop.environment] {
        for program in ["HUB", "AGENT"] {
            environment.push((format!("CABAS_{program}_LOG"), "cabas_hub=trace,cabas_agent=trace,info".to_owned()));
        }
    }
    world.hub.start().unwrap();
    world.shop.start().await.unwrap();
    world.shop.wait_for_reader().await.unwrap();
    // Accepted, too large, blocked, a card that nobody knows, off line.
    for (cents, card, request) in [(1250, 1, "a"), (900_000, 2, "b")] {
        drop(world.shop.sell(cents, world.cards.uid(card), request).await);
    }
    world.hub.ok(&["card", "block", "--card-number", "3"]).unwrap();
    drop(world.shop.sell(100, world.cards.uid(3), "c").await.unwrap());
    drop(world.shop.sell(100, &[0x04, 0xde, 0xad, 0xbe, 0xef, 0x99, 0x80], "d").await.unwrap());
    world.hub.kill_9().unwrap();
    drop(world.shop.sell(200, world.cards.uid(1), "e").await.unwrap());
    world.hub.start().unwrap();
    world.shop.wait_until_synced().await.unwrap();
    world.hub.ok(&["credit", "run", "--period", "2026-12", "--source", "ville", "--book"]).ok();
    let logs = [("hub", world.hub.log()), ("agent", world.shop.log())];
    let mut secrets = vec![iban.to_owned(), "Quelconque".to_owned(), "Dupré".to_owned()];
    for uid in [world.cards.uid(1), world.cards.uid(2), world.cards.uid(3), &[0x04, 0xde, 0xad, 0xbe, 0xef, 0x99, 0x80]]
    {
        let hex = |separator: &str| uid.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(separator);
        secrets.extend([hex(""), hex(":"), hex(" "), hex("").to_uppercase(), format!("{uid:?}")]);
    }
    for file in std::fs::read_dir(world.hub.data_dir().join("keys")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "key") {
            secrets.push(std::fs::read_to_string(path).unwrap().trim().to_owned());
        }
    }
    for line in repository("deploy/example-fund/households.csv").lines().skip(1).take(20) {
        secrets.push(format!("\"{}\"", line.split(',').next().unwrap()));
        secrets.push(format!(" {} ", line.split(',').next().unwrap()));
    }
    for (program, log) in &logs {
        assert!(log.lines().count() > 3, "{program} logged nothing:\n{log}");
        for secret in &secrets {
            assert!(!log.contains(secret), "{secret} stands in the log of the {program}:\n{log}");
        }
    }
}

fn report(shop: &Shop, arguments: &[&str]) -> (Option<i32>, Value) {
    let said = shop.said(arguments).unwrap();
    (said.code, serde_json::from_str(&said.out).unwrap_or_else(|error| unreachable!("{error}: {said:?}")))
}

fn verdict<'v>(report: &'v Value, code: &str) -> Option<&'v str> {
    let checks = report["checks"].as_array()?;
    checks.iter().find(|check| check["code"] == code)?["verdict"].as_str()
}

#[tokio::test]
async fn doctor_speaks_beside_a_terminal_that_runs_and_where_none_does_and_changes_nothing() {
    let mut world = world().await;
    world.shop.wait_until_synced().await.unwrap();
    let (code, found) = report(&world.shop, &["--json", "doctor"]);
    for check in ["settings", "folder", "enrolled", "keys", "journal", "serving", "others", "hub"] {
        assert_eq!(verdict(&found, check), Some("fine"), "{check}: {found}");
    }
    // A machine whose clock follows none says so; everything else is fine.
    assert!(code == Some(0) || (code == Some(1) && verdict(&found, "synchronized") == Some("look")), "{found}");
    assert_eq!((&found["terminal"], &found["unsent_rows"]), (&json!(1), &json!(0)));

    world.hub.kill_9().unwrap();
    world.shop.stop().unwrap();
    let journal = world.shop.data_dir().join("journal.db");
    let before = std::fs::read(&journal).unwrap();
    let (code, found) = report(&world.shop, &["--json", "doctor", "--deep"]);
    assert_eq!(code, Some(2), "{found}");
    assert_eq!((verdict(&found, "serving"), verdict(&found, "journal")), (Some("wrong"), Some("fine")), "{found}");
    assert_eq!(verdict(&found, "hub"), Some("look"));
    assert_eq!(std::fs::read(&journal).unwrap(), before);
    let said = world.shop.said(&["doctor", "--lang", "en"]).unwrap();
    assert!(said.out.contains("→ systemctl start cabas-agent") && said.out.contains("[fine] The journal"), "{said:?}");

    // A copy of another terminal's keys, rights for others, a newer journal, settings that are none.
    let keys = world.shop.data_dir().join(cabas_agent::journal::KEY_FILE);
    std::fs::set_permissions(&keys, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(verdict(&report(&world.shop, &["--json", "doctor"]).1, "keys"), Some("wrong"));
    let db = rusqlite::Connection::open(&journal).unwrap();
    db.execute_batch("PRAGMA user_version = 99").unwrap();
    drop(db);
    let (_, found) = report(&world.shop, &["--json", "doctor"]);
    let newer = found["checks"].as_array().unwrap().iter().find(|check| check["code"] == "journal").unwrap();
    assert!(newer["message_en"].as_str().unwrap().contains("newer version"), "{newer}");
    world.shop.environment.push(("CABAS_AGENT_LISTEN".to_owned(), "nowhere".to_owned()));
    let (code, found) = report(&world.shop, &["--json", "doctor"]);
    assert_eq!((code, verdict(&found, "settings")), (Some(2), Some("wrong")), "{found}");
}

#[tokio::test]
async fn a_terminal_tells_the_fund_what_does_not_work_there_until_it_does() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::with_example_fund(&dir.path().join("hub")).unwrap();
    hub.credit("2026-11").unwrap();
    let stick = dir.path().join("stick");
    let environment = vec![
        ("CABAS_AGENT_UPGRADE_CHECK_S".to_owned(), "1".to_owned()),
        ("CABAS_AGENT_SECOND_JOURNAL".to_owned(), stick.display().to_string()),
    ];
    let http = http_client().unwrap();
    let shop = Shop::enrolled_with(&dir.path().join("shop"), &http, &hub, SHOP, environment).await.unwrap();
    let told = || -> Vec<String> {
        let status = hub.ok(&["status"]).unwrap();
        let troubles = status["terminals"][0]["troubles"].as_array().unwrap().clone();
        troubles.iter().map(|trouble| trouble["kind"].as_str().unwrap().to_owned()).collect()
    };
    let until = async |wanted: &[&str]| {
        for _ in 0..100 {
            if told() == wanted {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
        panic!("the hub is told {:?}, not {wanted:?}", told());
    };
    until(&["second_copy"]).await;
    let shown = hub.said(&["status"]).unwrap().out;
    assert!(shown.contains("second_copy since "), "{shown}");

    // Nobody is called for what has just begun; a day later somebody is.
    let of = |code: &str| {
        let report: Value = serde_json::from_str(&hub.said(&["doctor", "--json"]).unwrap().out).unwrap();
        verdict(&report, code).unwrap().to_owned()
    };
    assert_eq!(of("terminal_copy"), "fine");
    let ledger = rusqlite::Connection::open(hub.data_dir().join("hub.db")).unwrap();
    ledger.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    ledger.execute("UPDATE troubles SET since = since - 2 * 86400", []).unwrap();
    assert_eq!((of("terminal_copy").as_str(), of("terminal_reader").as_str()), ("look", "fine"));

    std::fs::create_dir(&stick).unwrap();
    until(&[]).await;
    assert_eq!(of("terminal_copy"), "fine");
    drop(shop);
}
