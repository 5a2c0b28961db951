//! The lives of epochs, of the hub and of its keys, through the real hub process and its command line.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "test code")]

use std::process::Command;

use cabas_protocol::sync::Standing;
use cabas_protocol::{Cents, PurseRef, RefusalCode, Version};
use cabas_tests::example::Cards;
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::program::{Said, binary, run};
use cabas_tests::shop::Shop;
use cabas_tests::terminal::{Answer, Terminal};
use serde_json::Value;

const SHOP: &str = "biocoop-platanes";
const OTHER_SHOP: &str = "biocoop-bachut";

struct Fund {
    hub: Hub,
    http: reqwest::Client,
    dir: tempfile::TempDir,
}

async fn fund() -> Fund {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::with_example_fund(dir.path()).unwrap();
    Fund { hub, http: http_client().unwrap(), dir }
}

impl Fund {
    fn refused(&self, arguments: &[&str]) -> String {
        let Said { code, err, .. } = self.hub.said(arguments).unwrap();
        assert_eq!(code, Some(1), "{arguments:?}: {err}");
        err
    }

    fn backup(&self, name: &str) -> String {
        let file = self.dir.path().join(name).display().to_string();
        self.hub.ok(&["backup", &file]).unwrap();
        file
    }

    fn close_by_two(&self, terminal: u32) -> Value {
        let number = terminal.to_string();
        assert_eq!(self.hub.ok(&["terminal", "close", &number, "--by", "Ada"]).unwrap()["state"], "proposed");
        self.hub.ok(&["terminal", "close", &number, "--by", "Bo"]).unwrap()
    }
}

/// A terminal that holds its balances; the fund is credited.
async fn credited(fund: &Fund, shop: &str) -> Terminal {
    let mut terminal = fund.hub.bare_terminal(&fund.http, shop).await.unwrap();
    terminal.keep_journal();
    terminal.start().unwrap();
    fund.hub.credit("2026-11").unwrap();
    terminal.wait_for_balances().await.unwrap();
    terminal
}

fn richest(terminal: &Terminal) -> (PurseRef, Cents) {
    let purses = terminal.balances.keys();
    purses.map(|purse| (*purse, terminal.available(*purse))).max_by_key(|(_, cents)| *cents).unwrap()
}

fn cents(cents: u64) -> Cents {
    Cents::new(cents).unwrap()
}

#[tokio::test]
async fn two_people_close_a_dead_terminal_and_its_money_is_spent_elsewhere() {
    let fund = fund().await;
    let mut dead = credited(&fund, SHOP).await;
    let (purse, _) = richest(&dead);
    dead.sell(purse, cents(1_000)).unwrap();
    dead.sync().await.unwrap();
    dead.sell(purse, cents(500)).unwrap();
    let number = dead.id.get().to_string();
    fund.hub.ok(&["terminal", "close", &number, "--by", "Ada"]).unwrap();
    assert!(fund.refused(&["terminal", "close", &number, "--by", "ADA"]).contains("another person"));
    let other_row = ["terminal", "close", &number, "--by", "Bo", "--at-seq", "9", "--at-hash", &"0".repeat(64)];
    let refused = fund.refused(&other_row);
    assert!(refused.contains("row 2 ") && refused.contains("row 9 "), "{refused}");
    let closed = fund.hub.ok(&["terminal", "close", &number, "--by", "Bo"]).unwrap();
    assert_eq!(
        (&closed["state"], &closed["proposed_by"], &closed["closed_by"]),
        (&"closed".into(), &"Ada".into(), &"Bo".into())
    );
    assert!(closed["voided_cents"].as_u64().unwrap() > 0);
    assert_eq!(fund.hub.ok(&["status"]).unwrap()["totals"]["reserved_cents"], 0);
    // The late row is kept and not paid, and says so to the terminal.
    let answer = dead.sync().await.unwrap();
    assert_eq!((answer.standing, answer.acked), (Standing::Closed, dead.head));
    assert_eq!(fund.hub.owed(SHOP).unwrap(), 1_000);
    let asked = dead.extend_request(purse, cents(99_000)).unwrap();
    let refused: Answer<cabas_protocol::extend::ExtendAnswer> = dead.send("/v1/extend", asked).await.unwrap();
    assert!(matches!(refused, Answer::No(RefusalCode::EpochClosed, _)), "{refused:?}");
    // Enrolled again it is another epoch, with the money.
    let added = fund.hub.ok(&["terminal", "add", "--terminal", &number]).unwrap();
    let mut again = Terminal::enrol(fund.http.clone(), &fund.hub.url(), added["code"].as_str().unwrap()).await.unwrap();
    assert_eq!((again.id, again.epoch.get()), (dead.id, 2));
    again.start().unwrap();
    again.wait_for_balances().await.unwrap();
    again.sell(purse, again.available(purse)).unwrap();
    again.sync().await.unwrap();
    assert!(fund.hub.owed(SHOP).unwrap() > 1_000);
    fund.hub.verify().unwrap();
}

#[tokio::test]
#[allow(clippy::too_many_lines, reason = "a story, one step after the other")]
async fn a_hub_restored_from_yesterdays_backup_ends_with_the_same_sums() {
    let mut fund = fund().await;
    let mut first = credited(&fund, SHOP).await;
    let mut second = fund.hub.bare_terminal(&fund.http, OTHER_SHOP).await.unwrap();
    second.keep_journal();
    second.start().unwrap();
    second.sync().await.unwrap();
    let (purse, available) = richest(&first);
    first.sell(purse, cents(100)).unwrap();
    first.sync().await.unwrap();
    let backup = fund.backup("yesterday.db");
    assert!(first.sync().await.unwrap().backed_up.get() >= 2);

    // After the backup: sales that the hub has and sales that it has not, a larger slice, a credit.
    first.sell(purse, cents(available.get() - 100)).unwrap();
    first.sync().await.unwrap();
    fund.hub.credit("2026-12").unwrap();
    first.sync().await.unwrap();
    let raised = first.available(purse);
    assert!(raised > Cents::ZERO);
    first.sell(purse, raised).unwrap();
    let sold = available.plus(raised).unwrap().get();
    let credited = fund.hub.ok(&["status"]).unwrap()["totals"]["credited_cents"].as_u64().unwrap();

    assert!(fund.refused(&["restore", &backup, "--move-away"]).contains("stop it first"));
    fund.hub.stop().unwrap();
    assert!(fund.refused(&["restore", &backup]).contains("--move-away"));
    let restored = fund.hub.ok(&["restore", &backup, "--move-away"]).unwrap();
    assert_eq!((&restored["incarnation"], restored["waiting_for"].as_array().unwrap().len()), (&2.into(), 2));
    assert!(std::path::Path::new(restored["moved_to"].as_str().unwrap()).is_file());
    fund.hub.start().unwrap();
    fund.hub.verify().unwrap();

    for terminal in [&mut first, &mut second] {
        terminal.reconnect(http_client().unwrap());
    }

    // One terminal has called and is silent about what it holds: nothing is settled, credited or signed.
    first.hands_back = false;
    let answer = first.sync().await.unwrap();
    assert!(answer.want_held && answer.backed_up.get() == 0);
    assert_eq!(first.incarnation().get(), 2);
    let refused = fund.refused(&["settlement", "close", "--by", "Ada", "--approved-by", "Bo"]);
    assert!(refused.contains("terminal 1 epoch 1") && refused.contains("terminal 2 epoch 1"), "{refused}");
    assert!(
        fund.refused(&["credit", "run", "--period", "2026-12", "--source", "ville", "--book"]).contains("restored")
    );
    let asked = first.extend_request(purse, cents(99_000)).unwrap();
    let refused: Answer<cabas_protocol::extend::ExtendAnswer> = first.send("/v1/extend", asked).await.unwrap();
    assert!(matches!(refused, Answer::No(RefusalCode::Restoring, _)), "{refused:?}");

    first.hands_back = true;
    first.sync().await.unwrap();
    assert!(
        fund.refused(&["settlement", "close", "--by", "Ada", "--approved-by", "Bo"])
            .contains("waits for terminal 2 epoch 1;")
    );
    let missing = fund.hub.ok(&["status"]).unwrap()["restore"]["missing_cents"].as_u64().unwrap();
    assert!(missing > 0, "the slices were raised by a credit that the backup lacks");
    fund.hub.verify().unwrap();
    second.sync().await.unwrap();
    let restore = fund.hub.ok(&["status"]).unwrap()["restore"].clone();
    assert!(restore["ended_at"].is_u64() && restore["waiting_for"].as_array().unwrap().is_empty(), "{restore}");

    // The rows that were lost are there again, each once; so is the credit.
    first.sync().await.unwrap();
    assert_eq!(fund.hub.owed(SHOP).unwrap(), sold);
    fund.hub.credit("2026-12").unwrap();
    let status = fund.hub.ok(&["status"]).unwrap();
    assert_eq!(status["restore"]["missing_cents"], 0);
    let total = |name: &str| status["totals"][name].as_u64().unwrap();
    assert_eq!(total("credited_cents"), credited);
    assert_eq!(total("free_cents") + total("reserved_cents") + total("spent_cents"), credited);
    assert!(
        fund.refused(&["settlement", "close", "--by", "Ada", "--approved-by", "Bo"]).contains("--payments-checked")
    );
    let closed =
        fund.hub.ok(&["settlement", "close", "--by", "Ada", "--approved-by", "Bo", "--payments-checked"]).unwrap();
    assert_eq!(closed["settlement"]["payout_cents"], sold);
    first.sync().await.unwrap();
    assert!(first.available(purse) <= cents(credited));
    fund.hub.verify().unwrap();
}

#[tokio::test]
async fn a_drill_tells_a_good_backup_from_a_bad_one_and_leaves_nothing() {
    let fund = fund().await;
    let mut terminal = credited(&fund, SHOP).await;
    terminal.sell(richest(&terminal).0, cents(100)).unwrap();
    terminal.sync().await.unwrap();
    let good = fund.backup("good.db");
    let bad = fund.dir.path().join("bad.db");
    let bytes = std::fs::read(&good).unwrap();
    #[expect(clippy::disallowed_methods, reason = "a damaged file is made on purpose")]
    std::fs::write(&bad, &bytes[..bytes.len() - 50_000]).unwrap();
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/restore");
    let temporary = fund.dir.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let drill = |file: &str| {
        let mut command = Command::new(&script);
        command.arg("--drill").arg(file).env("TMPDIR", &temporary);
        run(command.env("CABAS_HUB", binary("cabas-hub").unwrap()).env("CABAS_HUB_DATA_DIR", fund.hub.data_dir()))
            .unwrap()
    };
    let said = drill(&good);
    assert_eq!(said.code, Some(0), "{} {}", said.out, said.err);
    assert!(said.out.contains("All right: 2 rows") && said.out.contains("The backup is good"), "{}", said.out);
    let said = drill(&bad.display().to_string());
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(said.err.contains("CANNOT be restored"), "{}", said.err);
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0, "no key is left behind");
    assert_eq!(fund.hub.ok(&["status"]).unwrap()["incarnation"], 1);
}

#[tokio::test]
async fn signing_keys_are_rotated_and_taken_back_while_terminals_are_off_line() {
    let fund = fund().await;
    let mut away = credited(&fund, SHOP).await;
    let mut here = fund.hub.bare_terminal(&fund.http, OTHER_SHOP).await.unwrap();
    here.start().unwrap();
    here.sync().await.unwrap();
    let first = fund.hub.ok(&["key", "list"]).unwrap()["keys"][0]["kid"].as_str().unwrap().to_owned();
    assert!(fund.refused(&["key", "revoke", &first]).contains("last signing key"));
    let second = fund.hub.ok(&["key", "rotate"]).unwrap()["kid"].as_str().unwrap().to_owned();

    // The one that is here takes the certificate and is answered with the new key from then on.
    let signed_by = async |terminal: &Terminal| {
        let request = terminal.request(terminal.acked, &[], 0).unwrap();
        let body = post_sync(&fund, request.into_bytes()).await;
        cabas_protocol::Signed::<cabas_protocol::sync::SyncAnswer>::from_bytes(body).unwrap().kid().unwrap().to_string()
    };
    here.sync().await.unwrap();
    assert_eq!(signed_by(&here).await, second);
    assert_eq!(signed_by(&away).await, first, "who has not heard of the new key can still check the old one");
    let keys = fund.hub.ok(&["key", "list"]).unwrap();
    assert_eq!((&keys["keys"][0]["confirmed_by"], &keys["keys"][1]["confirmed_by"]), (&2.into(), &1.into()));

    // The first key is stolen. The one that was away knows no other, and learns it from the root's certificates.
    fund.hub.ok(&["key", "revoke", &first]).unwrap();
    assert_eq!(signed_by(&away).await, second);
    away.sell(richest(&away).0, cents(100)).unwrap();
    let answer = away.sync().await.unwrap();
    assert_eq!(answer.acked, away.head);
    assert_eq!(fund.hub.owed(SHOP).unwrap(), 100);

    // The root key is kept elsewhere: who needs it says so.
    let root = fund.hub.data_dir().join("keys/root.key");
    let vault = fund.dir.path().join("vault.key");
    let bytes = std::fs::read_to_string(&root).unwrap();
    std::fs::rename(&root, &vault).unwrap();
    let refused = fund.refused(&["key", "rotate"]);
    assert!(refused.contains("root key") && refused.contains("--root-key"), "{refused}");
    let third = fund.hub.said(&["key", "rotate", "--root-key", &vault.display().to_string()]).unwrap();
    assert_eq!(third.code, Some(0), "{}", third.err);
    for said in [third.out, third.err, fund.hub.log(), fund.hub.ok(&["key", "list"]).unwrap().to_string()] {
        assert!(!said.contains(bytes.trim()), "no byte of a private key is ever shown");
    }
    fund.hub.verify().unwrap();
}

async fn post_sync(fund: &Fund, body: Vec<u8>) -> Vec<u8> {
    cabas_tests::terminal::post(&fund.http, &format!("{}/v1/sync", fund.hub.url()), body).await.unwrap().1
}

#[tokio::test]
async fn a_lost_card_is_exposed_until_every_live_terminal_has_the_list() {
    let fund = fund().await;
    let mut terminal = credited(&fund, SHOP).await;
    let exposure = || fund.hub.ok(&["exposure"]).unwrap()["exposure_cents"].as_u64().unwrap();
    assert_eq!(exposure(), 0);
    let replace = ["card", "replace", "--card-number", "1", "--new-card-number", "9001", "--uid", "04A1B2C3D4E5F6"];
    let list = fund.hub.ok(&replace).unwrap()["hot_list_version"].as_u64().unwrap();
    assert!(exposure() > 0);
    terminal.apply_list(Version::new(u32::try_from(list).unwrap())).unwrap();
    terminal.sync().await.unwrap();
    assert_eq!(exposure(), 0);
    let random = ["card", "replace", "--card-number", "2", "--new-card-number", "9002", "--uid", "08A1B2C3"];
    assert!(fund.refused(&random).contains("UID"));
    // A household's table of slices: what is free, what lies where.
    let status = fund.hub.ok(&["status"]).unwrap();
    let listing = std::fs::read_to_string(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/example-fund/households.csv"),
    )
    .unwrap();
    let code = listing.lines().nth(1).unwrap().split([',', ';']).next().unwrap();
    let purse = fund.hub.ok(&["purse", "show", "--household", code]).unwrap();
    let slice = &purse["slices"][0];
    assert_eq!((&slice["standing"], &slice["shop"]), (&"live".into(), &SHOP.into()), "{purse}");
    let left = slice["left_cents"].as_u64().unwrap() + purse["free_cents"].as_u64().unwrap();
    assert_eq!(left, purse["credited_cents"].as_u64().unwrap());
    assert!(status["totals"]["reserved_cents"].as_u64().unwrap() >= slice["left_cents"].as_u64().unwrap());
    // A revoked terminal locks what lies there, until two people close its epoch.
    fund.hub.ok(&["terminal", "revoke", &terminal.id.get().to_string()]).unwrap();
    assert_eq!(exposure(), status["totals"]["reserved_cents"].as_u64().unwrap());
    fund.close_by_two(terminal.id.get());
    assert_eq!(exposure(), 0);
    fund.hub.verify().unwrap();
}

#[tokio::test]
async fn a_pause_of_the_fund_reaches_the_terminals() {
    let fund = fund().await;
    let terminal = credited(&fund, SHOP).await;
    let request = terminal.request(terminal.acked, &[], 20_000).unwrap();
    let poll = tokio::spawn({
        let (http, url) = (fund.http.clone(), format!("{}/v1/sync", fund.hub.url()));
        async move { cabas_tests::terminal::post(&http, &url, request.into_bytes()).await.unwrap().1 }
    });
    fund.hub.ok(&["fund", "pause", "--reason", "general meeting"]).unwrap();
    let answer = cabas_protocol::Signed::<cabas_protocol::sync::SyncAnswer>::from_bytes(poll.await.unwrap()).unwrap();
    let objects = answer.peek().unwrap().objects;
    let config = cabas_protocol::Signed::<cabas_protocol::objects::TerminalConfig>::from_bytes(objects[0].to_vec());
    assert!(config.unwrap().peek().unwrap().paused);
    // Credits and settlements go on.
    fund.hub.credit("2026-12").unwrap();
    fund.hub.ok(&["settlement", "close", "--by", "Ada", "--approved-by", "Bo"]).unwrap();
    assert_eq!(fund.hub.ok(&["fund", "resume"]).unwrap()["changed"], true);
    let goodwill = fund.hub.ok(&["goodwill", "show"]).unwrap();
    assert_eq!((&goodwill["on"], &goodwill["outstanding_cents"]), (&false.into(), &0.into()));
}

#[tokio::test]
async fn a_card_that_was_blocked_after_the_backup_is_blocked_again_by_what_a_terminal_knows() {
    let mut fund = fund().await;
    fund.hub.credit("2026-11").unwrap();
    let shop = Shop::enrolled(&fund.dir.path().join("shop"), &fund.http, &fund.hub, SHOP).await.unwrap();
    let cards = Cards::read().unwrap();
    // It has said what it can: that is asked once, at its start.
    let told = "SELECT count(*) FROM abouts";
    let count = |fund: &Fund| -> u64 {
        let conn = rusqlite::Connection::open(fund.hub.data_dir().join("hub.db")).unwrap();
        conn.query_row(told, [], |row| row.get(0)).unwrap()
    };
    let mut tries = 0;
    while count(&fund) == 0 {
        assert!(tries < 100, "the terminal does not say what it is");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        tries += 1;
    }
    let backup = fund.backup("yesterday.db");
    let version = fund.hub.ok(&["card", "block", "--card-number", "1"]).unwrap()["hot_list_version"].as_u64().unwrap();
    shop.wait("the list", |status| (status["hot_list"]["version"].as_u64()? >= version).then_some(())).await.unwrap();
    let thief = shop.sell(500, cards.uid(1), "thief").await.unwrap();
    assert_eq!(thief["state"], "declined", "{thief}");

    fund.hub.stop().unwrap();
    fund.hub.ok(&["restore", &backup, "--move-away"]).unwrap();
    fund.hub.start().unwrap();
    shop.wait_until_synced().await.unwrap();
    let mut tries = 0;
    let restore = loop {
        let restore = fund.hub.ok(&["status"]).unwrap()["restore"].clone();
        if restore["ended_at"].is_u64() || tries == 200 {
            break restore;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        tries += 1;
    };
    assert!(restore["ended_at"].is_u64() && restore["blocked_again"][0]["card_number"] == 1, "{restore}");
    // A terminal that was never there before knows it too.
    let other = Shop::enrolled(&fund.dir.path().join("other"), &fund.http, &fund.hub, OTHER_SHOP).await.unwrap();
    let thief = other.sell(500, cards.uid(1), "thief").await.unwrap();
    assert_eq!(thief["state"], "declined", "{thief}");
    let honest = other.sell(500, cards.uid(2), "honest").await.unwrap();
    assert_eq!(honest["state"], "accepted", "{honest}");
    fund.hub.verify().unwrap();
}

#[tokio::test]
async fn what_a_dead_terminals_stick_has_is_paid_though_the_hub_was_restored() {
    let mut fund = fund().await;
    fund.hub.credit("2026-11").unwrap();
    let stick = tempfile::tempdir().unwrap();
    let setting = ("CABAS_AGENT_SECOND_JOURNAL".to_owned(), stick.path().display().to_string());
    let dir = fund.dir.path().join("shop");
    let mut shop = Shop::enrolled_with(&dir, &fund.http, &fund.hub, SHOP, vec![setting]).await.unwrap();
    let cards = Cards::read().unwrap();
    let backup = fund.backup("yesterday.db");
    assert_eq!(shop.sell(1_000, cards.uid(1), "after the backup").await.unwrap()["state"], "accepted");
    shop.wait_until_synced().await.unwrap();
    fund.hub.stop().unwrap();
    assert_eq!(shop.sell(700, cards.uid(1), "never sent").await.unwrap()["state"], "accepted");
    shop.stop().unwrap();
    let copies = std::fs::read_dir(stick.path()).unwrap().map(|entry| entry.unwrap().path());
    let copy = copies.into_iter().find(|path| path.extension().is_some_and(|end| end == "rows")).unwrap();
    let copy = copy.display().to_string();
    fund.hub.ok(&["restore", &backup, "--move-away"]).unwrap();
    fund.hub.start().unwrap();

    let refused = fund.refused(&["terminal", "ingest", &copy]);
    assert!(refused.contains("nothing was taken") && refused.contains("--dead"), "{refused}");
    assert_eq!(fund.hub.owed(SHOP).unwrap(), 0);
    let brought = fund.hub.ok(&["terminal", "ingest", &copy, "--dead"]).unwrap();
    assert_eq!((&brought["settled_cents"], &brought["over_right_cents"]), (&1_700.into(), &0.into()), "{brought}");
    assert!(fund.hub.ok(&["status"]).unwrap()["restore"]["ended_at"].is_u64(), "nobody else is missing");
    let again = fund.hub.ok(&["terminal", "ingest", &copy, "--dead"]).unwrap();
    assert_eq!(again["new_rows"], 0, "{again}");
    // It turns up after all.
    shop.start().await.unwrap();
    shop.wait("the revocation", |status| (status["standing"] == "revoked").then_some(())).await.unwrap();
    assert_eq!(shop.sell(300, cards.uid(1), "after all").await.unwrap()["state"], "declined");
    assert_eq!(fund.hub.owed(SHOP).unwrap(), 1_700);
    fund.hub.verify().unwrap();
}
