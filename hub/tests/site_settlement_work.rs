//! Settlements as long work: killed at any moment they are done once; who asked is who did it; what waits is listed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed unwrap is the test's failure")]

use crate::common;

use std::process::{Child, Stdio};
use std::time::Duration;

use cabas_hub::config::Config;
use cabas_hub::store::{Db, OpenMode};
use cabas_hub::works::Job;
use cabas_protocol::Timestamp;
use common::bank::{SHOPS, sell, sold};
use common::http::Answer;
use common::site::{Client, Person};
use common::terminal::Terminal;
use common::{Fund, Hub, binary};

/// How long the hub lives after a settlement was asked for, in milliseconds.
const LIVES_MS: [u64; 5] = [0, 2, 8, 20, 60];

/// A hidden field of the page's first form that has it.
fn hidden(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

fn approve(client: &mut Client) -> Answer {
    let page = client.get("/settlements/next/approve").text();
    let (settlement, preparation) = (hidden(&page, "settlement"), hidden(&page, "preparation"));
    client.post("/settlements/next/approve", &[("settlement", &settlement), ("preparation", &preparation)])
}

/// The real program on the fund's folder, killed when dropped.
struct Served(Child);

impl Served {
    fn start(fund: &Fund) -> Self {
        Self(binary(fund.dir.path()).arg("serve").stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Asks on a hub that ends at once, so that nobody does the work.
fn asked(fund: &Fund, ask: impl FnOnce(&Hub) -> Answer) -> Answer {
    let hub = fund.serve();
    ask(&hub)
}

#[test]
fn a_settlement_that_is_killed_while_it_is_worked_on_is_prepared_and_booked_once() {
    let fund = Fund::example();
    let hub = fund.serve();
    sold(&fund, &hub);
    let (_, claire) = Person::add(&fund, &hub, "claire", "admin", None);
    let (_, denis) = Person::add(&fund, &hub, "denis", "treasurer", None);
    drop(hub);
    let again = |hub: &Hub, client: &Client| Client { cookies: client.cookies.clone(), ..Client::new(hub) };
    for (step, name) in [(0, "préparé"), (1, "approuvé")] {
        let answer = asked(&fund, |hub| {
            let mut client = again(hub, if step == 0 { &claire } else { &denis });
            client.get("/settlements/next");
            if step == 0 { client.post("/settlements/next", &[]) } else { approve(&mut client) }
        });
        assert_eq!(answer.status, 303, "{}", answer.text());
        for lives in LIVES_MS {
            let served = Served::start(&fund);
            std::thread::sleep(Duration::from_millis(lives));
            drop(served);
            fund.json(&["verify"]);
        }
        let hub = fund.serve();
        let mut claire = again(&hub, &claire);
        claire.get("/works");
        let page = claire.ended(&answer);
        assert!(page.contains("1,40\u{a0}€"), "{page}");
        let log = claire.get("/audit").text();
        assert_eq!(log.matches(&format!("<td>règlement {name}</td>")).count(), 1, "{log}");
    }
    let list = fund.json(&["settlement", "list"]);
    assert_eq!(list["settlements"].as_array().unwrap().len(), 1);
    fund.json(&["verify"]);
}

#[test]
fn a_settlement_that_waits_is_listed_for_the_other_person_who_goes_on_to_every_line_of_it() {
    let fund = Fund::example();
    let hub = fund.serve();
    sold(&fund, &hub);
    let (_, mut claire) = Person::add(&fund, &hub, "claire", "admin", None);
    let (_, mut denis) = Person::add(&fund, &hub, "denis", "treasurer", None);
    claire.get("/settlements/next");
    let prepared = claire.post("/settlements/next", &[]);
    claire.ended(&prepared);
    let own = claire.get("/approvals").text();
    assert!(own.contains("Règlement 1") && own.contains("1,40\u{a0}€"), "{own}");
    assert!(own.contains("href=\"/settlements/next\"") && !own.contains("/settlements/next/approve"), "{own}");
    let theirs = denis.get("/approvals").text();
    assert!(theirs.contains("href=\"/settlements/next/approve\""), "{theirs}");
    let approved = approve(&mut denis);
    denis.ended(&approved);
    assert!(denis.get("/approvals").text().contains("Rien n’attend"));
    let log = claire.get("/audit").text();
    for entry in ["<td>claire</td><td>règlement préparé</td>", "<td>denis</td><td>règlement approuvé</td>"] {
        assert_eq!(log.matches(entry).count(), 1, "{entry}: {log}");
    }
    fund.json(&["verify"]);
}

#[test]
fn what_is_asked_while_a_settlement_is_worked_on_is_told_so_and_a_work_that_is_refused_says_why() {
    let fund = Fund::example();
    let hub = fund.serve();
    sold(&fund, &hub);
    let (_, mut claire) = Person::add(&fund, &hub, "claire", "admin", None);
    claire.get("/settlements/next");
    let prepared = claire.post("/settlements/next", &[]);
    // Whether the first has ended or not, a second one changes nothing.
    let second = claire.post("/settlements/next", &[]);
    assert_eq!(second.status, 409, "{}", second.text());
    claire.ended(&prepared);
    fund.json(&["settlement", "withdraw", "1", "--by", "Bo"]);
    fund.json(&["settlement", "close", "--by", "Ada", "--approved-by", "Bo"]);
    assert!(claire.get("/settlements/next").text().contains("rien de nouveau"));
    assert_eq!(claire.post("/settlements/next", &[]).status, 409, "nothing arrived");
    // A terminal that only tells its list brings rows, and nothing to settle: the work finds it out.
    let mut terminal = Terminal::enrol(&hub, &fund.code(SHOPS[1].0), 8);
    terminal.write_list_applied();
    terminal.sync(&hub, 0);
    let empty = claire.post("/settlements/next", &[]);
    let page = claire.ended(&empty);
    assert!(page.contains("refusé") && page.contains("Il n’y a rien de nouveau à régler"), "{page}");
    sell(&fund, &hub, SHOPS[0].0, 9, 25);
    claire.get("/settlements/next");
    let next = claire.post("/settlements/next", &[]);
    let page = claire.ended(&next);
    assert!(page.contains("0,25\u{a0}€") && page.contains("href=\"/settlements/next\""), "{page}");
    fund.json(&["verify"]);
}

/// Asked for and not begun; by then claire is shut out.
fn asked_and_shut_out(fund: &Fund, job: &Job) {
    let config = Config { data_dir: fund.data_dir(), ..Config::default() };
    let mut db = Db::open(&config.database(), OpenMode::Existing).unwrap();
    db.write(|tx| tx.work_add(&job.written().unwrap(), None, "claire", Timestamp::new(1_800_000_000))).unwrap();
    drop(db);
    fund.json(&["user", "disable", "claire"]);
}

#[test]
fn a_settlement_that_somebody_asked_for_who_was_shut_out_meanwhile_is_neither_prepared_nor_booked() {
    for is_prepared in [false, true] {
        let fund = Fund::example();
        let hub = fund.serve();
        sold(&fund, &hub);
        Person::add(&fund, &hub, "claire", "admin", None);
        let (_, mut denis) = Person::add(&fund, &hub, "denis", "admin", None);
        let mut job = Job::SettlementPrepare;
        if is_prepared {
            denis.get("/settlements/next");
            let prepared = denis.post("/settlements/next", &[]);
            denis.ended(&prepared);
            let page = denis.get("/settlements/next").text();
            assert!(page.contains("1,40\u{a0}€"), "{page}");
            job = Job::SettlementApprove { settlement: 1, preparation: 1 };
        }
        drop(hub);
        asked_and_shut_out(&fund, &job);
        let hub = fund.serve();
        let mut denis = Client { cookies: denis.cookies.clone(), ..Client::new(&hub) };
        let number = if is_prepared { 2 } else { 1 };
        let page = denis.work_ended(&format!("/works/{number}"));
        assert!(page.contains("refusé") && page.contains("Ce compte est fermé"), "{page}");
        assert_eq!(fund.json(&["settlement", "list"])["settlements"].as_array().unwrap().len(), 0);
        let log = denis.get("/audit").text();
        assert!(!log.contains("<td>claire</td><td>règlement"), "{log}");
        assert_eq!(log.matches("<td>règlement préparé</td>").count(), usize::from(is_prepared), "{log}");
        fund.json(&["verify"]);
    }
}
