//! Sync and extend over HTTP: rows go up, objects come down, polls wait.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a failed unwrap is the test's failure"
)]

use crate::common;

use std::time::Duration;

use cabas_hub::clock::Stopwatch;
use cabas_protocol::head::ObjectType;
use cabas_protocol::hot_list::HotList;
use cabas_protocol::keys::KeyCert;
use cabas_protocol::objects::{Binding, Grid, Policy, TerminalConfig};
use cabas_protocol::second;
use cabas_protocol::sign::peek_type;
use cabas_protocol::sync::{OBJECTS_MAX, Standing};
use cabas_protocol::{Incarnation, PurseRef, RefusalCode, Scope, Seq, Signed, SignedBalance};
use common::terminal::Terminal;
use common::{Fund, Hub};

/// The first card of the example fund.
const UID: &str = "04856e8a295022";

/// A fund that was credited, with one enrolled terminal that has all its objects.
fn ready() -> (Fund, Hub, Terminal, Vec<Vec<u8>>) {
    let fund = Fund::example();
    fund.json(&["credit", "run", "--period", "2026-11", "--source", "ville", "--book"]);
    let code = fund.code("biocoop-bachut");
    let hub = fund.serve();
    let mut terminal = Terminal::enrol(&hub, &code, 1);
    let mut objects = Vec::new();
    // Money is reserved step by step after the enrolment; the poll is woken when it is.
    while terminal.of_type::<SignedBalance>(&objects).len() < 108 {
        let answer = terminal.sync(&hub, 5_000);
        assert!(!answer.objects.is_empty(), "no balances came");
        objects.extend(answer.objects.iter().map(|object| object.to_vec()));
    }
    (fund, hub, terminal, objects)
}

fn balance_of(fund: &Fund, terminal: &Terminal, objects: &[Vec<u8>]) -> SignedBalance {
    let card = fund.card(UID);
    let binding = terminal.of_type::<Binding>(objects).into_iter().find(|binding| binding.card == card).unwrap();
    let balances = terminal.of_type::<SignedBalance>(objects).into_iter();
    balances.filter(|balance| balance.purse == binding.purse).max_by_key(|balance| balance.serial).unwrap()
}

#[test]
fn a_new_terminal_gets_everything_it_needs_and_then_nothing() {
    let (_fund, hub, mut terminal, objects) = ready();
    assert_eq!(terminal.of_type::<Binding>(&objects).len(), 152);
    assert!(!terminal.of_type::<Policy>(&objects).is_empty());
    let certs: Vec<_> = objects.iter().filter(|object| peek_type(object).unwrap() == ObjectType::KeyCert).collect();
    assert!(!certs.is_empty());
    for cert in certs {
        terminal.keys.certify(&Signed::<KeyCert>::from_bytes(cert.clone()).unwrap()).unwrap();
    }
    assert!(!terminal.of_type::<HotList>(&objects).is_empty());
    let grids = terminal.of_type::<Grid>(&objects);
    assert_eq!(grids[0].terminal, terminal.terminal);
    let config = &terminal.of_type::<TerminalConfig>(&objects)[0];
    assert_eq!((config.shop_name.as_str(), config.fund_name.as_str()), ("Biocoop du Bachut", "Fonds <b>d'essai</b>"));
    let scope = Scope::Terminal(terminal.terminal, terminal.epoch);
    assert!(terminal.of_type::<SignedBalance>(&objects).iter().all(|balance| balance.scope == scope));

    let answer = terminal.sync(&hub, 0);
    assert!(answer.objects.is_empty() && !answer.more);
    assert_eq!(answer.standing, Standing::Live);
    assert!(objects.len() <= OBJECTS_MAX * 4, "each object comes about once");
}

#[test]
fn another_life_of_the_hub_starts_from_the_beginning() {
    let (_fund, hub, mut terminal, _) = ready();
    let mut request = terminal.sync_request(0);
    request.head.incarnation = Incarnation::new(99);
    let answer: cabas_protocol::sync::SyncAnswer = terminal.call(&hub, "/v1/sync", &request).unwrap();
    assert!(!answer.objects.is_empty());
}

#[test]
fn rows_are_acknowledged_once_and_for_all() {
    let (fund, hub, mut terminal, objects) = ready();
    let balance = balance_of(&fund, &terminal, &objects);
    terminal.write_list_applied();
    terminal.write_sale(fund.card(UID), &balance, 1250, 1250);
    terminal.write_sale(fund.card(UID), &balance, 250, 1500);
    let request = terminal.sync_request(60_000);
    let started = Stopwatch::start();
    let answer = terminal.sync(&hub, 60_000);
    assert!(started.elapsed() < Duration::from_secs(20), "a sync with rows is answered at once");
    assert_eq!((answer.acked, answer.standing), (terminal.head, Standing::Live));
    // The same bytes, sent again by a proxy or after a torn answer.
    for _ in 0..3 {
        let again: cabas_protocol::sync::SyncAnswer = terminal.call(&hub, "/v1/sync", &request).unwrap();
        assert_eq!(again.acked, terminal.head);
    }
    let status = fund.json(&["status"]);
    assert_eq!(status["totals"]["spent_cents"], 1500);
    assert_eq!(status["totals"]["owed_cents"], 1500);
    let text = common::http::get(hub.address, "/metrics", "localhost").text();
    assert!(text.contains("cabas_hub_rows_ingested_total 3\n"), "{text}");
}

#[test]
fn the_second_copy_of_a_dead_terminals_journal_is_taken_once_and_foreign_files_are_not() {
    let (fund, hub, mut terminal, objects) = ready();
    let balance = balance_of(&fund, &terminal, &objects);
    terminal.write_list_applied();
    terminal.write_sale(fund.card(UID), &balance, 1250, 1250);
    terminal.sync(&hub, 0);
    // These three were sold off line, and then the terminal fell into the river.
    for (cents, after) in [(250, 1500), (100, 1600), (50, 1650)] {
        terminal.write_sale(fund.card(UID), &balance, cents, after);
    }
    let mut copy = second::HEAD.to_vec();
    for row in &terminal.rows {
        assert!(second::put(row.as_bytes(), &mut copy));
    }
    let file = fund.dir.path().join("cabas.rows");
    let ingest = |bytes: &[u8]| {
        std::io::Write::write_all(&mut std::fs::File::create(&file).unwrap(), bytes).unwrap();
        fund.run(&["terminal", "ingest", file.to_str().unwrap(), "--json"])
    };
    let field = |output: &std::process::Output, name: &str| common::json(output)[name].as_u64().unwrap();

    // The stick was pulled out in the middle of the newest row: what is whole is taken.
    let torn = ingest(&copy[..copy.len() - 10]);
    assert_eq!((field(&torn, "new_rows"), field(&torn, "settled_cents")), (2, 350));
    assert_eq!(common::json(&torn)["torn"], true);
    let whole = ingest(&copy);
    let rows = u64::try_from(terminal.rows.len()).unwrap();
    assert_eq!((field(&whole, "new_rows"), field(&whole, "known_rows"), field(&whole, "rows")), (1, rows - 1, rows));
    let again = ingest(&copy);
    assert_eq!((field(&again, "new_rows"), field(&again, "settled_cents")), (0, 0));
    fund.json(&["verify"]);

    // A bit of an amount changed, a row left out: nothing is booked that was not signed, and nothing twice.
    let mut bent = copy.clone();
    let at = bent.len() - 100;
    bent[at] ^= 1;
    let bent = ingest(&bent);
    assert_eq!((field(&bent, "new_rows"), field(&bent, "not_authentic_rows")), (0, 1));
    for foreign in [&b"CABASJ1\n\x00\x04rows"[..], b"a holiday picture", b""] {
        let refused = ingest(foreign);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1));
        assert!(said.contains("is no second copy"), "{said}");
    }
    fund.json(&["verify"]);
    assert_eq!(terminal.sync(&hub, 0).standing, Standing::Live);
}

#[test]
fn a_sale_ends_in_a_settlement_of_its_shop_to_the_cent() {
    let (fund, hub, mut terminal, objects) = ready();
    let balance = balance_of(&fund, &terminal, &objects);
    terminal.write_sale(fund.card(UID), &balance, 1250, 1250);
    // More than the balance allows: kept, shown, not paid.
    let allowed = balance.allowed.get();
    terminal.write_sale(fund.card(UID), &balance, allowed, 1250 + allowed);
    terminal.sync(&hub, 0);
    let preview = fund.json(&["settlement", "preview"]);
    let closed = fund.json(&["settlement", "close", "--by", "Ada", "--approved-by", "Bo"]);
    assert_eq!(preview["settlement"]["shops"], closed["settlement"]["shops"]);
    assert_eq!((&preview["closed"], &closed["closed"]), (&serde_json::json!(false), &serde_json::json!(true)));
    let shop = &closed["settlement"]["shops"][0];
    assert_eq!(shop["shop"], "biocoop-bachut");
    assert_eq!((shop["payout_cents"].as_u64(), shop["over_right_cents"].as_u64()), (Some(allowed), Some(1250)));
    assert_eq!(
        fund.json(&["settlement", "close", "--by", "Ada", "--approved-by", "Bo"])["settlement"],
        serde_json::Value::Null,
        "nothing is new"
    );
    assert_eq!(fund.json(&["settlement", "list"])["settlements"][0]["payout_cents"], allowed);
    let status = fund.json(&["status"]);
    assert_eq!((status["totals"]["owed_cents"].as_u64(), status["over_right_cents"].as_u64()), (Some(0), Some(1250)));
    assert_eq!(status["totals"]["in_transit_cents"], allowed);
    let metrics = common::http::get(hub.address, "/metrics", "localhost").text();
    assert!(metrics.contains("cabas_hub_over_right_cents_total 1250\n"), "{metrics}");
    assert_eq!(fund.json(&["verify"])["rows"], 2);
}

#[test]
fn a_batch_of_the_largest_size_is_taken() {
    let (fund, hub, mut terminal, objects) = ready();
    let balance = balance_of(&fund, &terminal, &objects);
    for number in 1..=64 {
        terminal.write_sale(fund.card(UID), &balance, 1, number);
    }
    assert_eq!(terminal.sync(&hub, 0).acked.seq, Seq::new(64));
}

#[test]
fn a_fork_is_quarantined_and_shown() {
    let (fund, hub, mut terminal, objects) = ready();
    let balance = balance_of(&fund, &terminal, &objects);
    let mut copy = Terminal::enrol(&hub, &fund.code("biocoop-bachut"), 3);
    copy.sync_all(&hub);
    terminal.write_sale(fund.card(UID), &balance, 100, 100);
    let before = (terminal.head, terminal.acked, terminal.rows.clone());
    assert_eq!(terminal.sync(&hub, 0).standing, Standing::Live);
    // A copied disk: the same terminal goes on from an older state.
    (terminal.head, terminal.acked, terminal.rows) = before;
    terminal.head = terminal.acked;
    terminal.rows.clear();
    terminal.write_sale(fund.card(UID), &balance, 300, 300);
    assert_eq!(terminal.sync(&hub, 0).standing, Standing::Quarantined);
    let line = &fund.json(&["terminal", "list"])["terminals"][0];
    assert_eq!(line["standing"], "quarantined");
    assert!(line["quarantine"].as_str().unwrap().contains("fork"), "{line}");
    let purse = balance.purse;
    assert_eq!(terminal.extend(&hub, purse, 1).unwrap_err(), RefusalCode::Quarantined);
    let (_, mut admin) = common::site::Person::add(&fund, &hub, "claire", "admin", None);
    for path in ["/dashboard", "/terminals"] {
        let page = admin.get(path).text();
        assert!(page.contains("en quarantaine") && page.contains("deux suites"), "{page}");
    }
    assert!(common::http::get(hub.address, "/metrics", "localhost").text().contains("{standing=\"quarantined\"} 1"));
}

#[test]
fn an_extension_raises_the_level_as_far_as_the_money_goes() {
    let (fund, hub, mut terminal, objects) = ready();
    let balance = balance_of(&fund, &terminal, &objects);
    let level = balance.allowed.get() + 100;
    let raised = |answer: cabas_protocol::extend::ExtendAnswer, terminal: &Terminal| {
        let object = answer.balance.unwrap().to_vec();
        terminal.of_type::<SignedBalance>(&[object]).remove(0)
    };
    let first = raised(terminal.extend(&hub, balance.purse, level).unwrap(), &terminal);
    assert!(first.allowed.get() >= level && first.serial > balance.serial);
    let again = raised(terminal.extend(&hub, balance.purse, level).unwrap(), &terminal);
    assert_eq!((again.allowed, again.serial), (first.allowed, first.serial), "a level is reached once");
    let most = raised(terminal.extend(&hub, balance.purse, 999_999).unwrap(), &terminal);
    assert!(most.allowed < cabas_protocol::Cents::new(999_999).unwrap());
    assert_eq!(terminal.extend(&hub, PurseRef::new([0; 8]), 1).unwrap_err(), RefusalCode::NotFound);
}

#[test]
fn a_revoked_terminal_is_told_and_its_rows_are_still_taken() {
    let (fund, hub, mut terminal, objects) = ready();
    let balance = balance_of(&fund, &terminal, &objects);
    let revoked = fund.json(&["terminal", "revoke", "1"]);
    assert_eq!(revoked["epochs_revoked"], 1);
    terminal.write_sale(fund.card(UID), &balance, 100, 100);
    let answer = terminal.sync(&hub, 0);
    assert_eq!((answer.standing, answer.acked), (Standing::Revoked, terminal.head));
    assert_eq!(terminal.extend(&hub, balance.purse, 1).unwrap_err(), RefusalCode::Revoked);
}

#[test]
fn a_poll_waits_its_time_and_is_woken_by_a_command_beside_the_hub() {
    let (fund, hub, mut terminal, _) = ready();
    let started = Stopwatch::start();
    assert!(terminal.sync(&hub, 300).objects.is_empty());
    assert!(started.elapsed() >= Duration::from_millis(300));

    std::thread::scope(|scope| {
        let started = Stopwatch::start();
        let poll = scope.spawn(|| terminal.sync(&hub, 60_000));
        while hub.app.waiting.count() == 0 {
            std::thread::yield_now();
        }
        fund.json(&["card", "block", "--card-number", "1"]);
        let answer = poll.join().unwrap();
        assert!(started.elapsed() < Duration::from_secs(20));
        assert_eq!(answer.objects.len(), 1);
    });
}

#[test]
fn a_poll_is_woken_when_its_terminal_is_revoked() {
    let (fund, hub, mut terminal, _) = ready();
    std::thread::scope(|scope| {
        let poll = scope.spawn(|| terminal.sync(&hub, 60_000));
        while hub.app.waiting.count() == 0 {
            std::thread::yield_now();
        }
        fund.json(&["terminal", "revoke", "1"]);
        assert_eq!(poll.join().unwrap().standing, Standing::Revoked);
    });
}

#[test]
fn a_hub_that_stops_answers_those_who_wait() {
    let (_fund, mut hub, mut terminal, _) = ready();
    let app = std::sync::Arc::clone(&hub.app);
    let address = hub.address;
    std::thread::scope(|scope| {
        let request = terminal.signed_sync(60_000);
        let poll = scope.spawn(move || common::http::post(address, "/v1/sync", &request));
        while app.waiting.count() == 0 {
            std::thread::yield_now();
        }
        hub.stop();
        assert_eq!(poll.join().unwrap().status, 200);
    });
}
