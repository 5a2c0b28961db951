//! What terminals may send that no agent would: the hub settles each cent once and never more than was allowed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "test code")]

use cabas_protocol::sync::{Standing, SyncAnswer};
use cabas_protocol::{Cents, PurseRef, RefusalCode};
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::terminal::{Answer, Terminal, post};

const SHOP: &str = "biocoop-platanes";
const OTHER_SHOP: &str = "biocoop-bachut";

struct Fund {
    hub: Hub,
    http: reqwest::Client,
    _dir: tempfile::TempDir,
}

async fn fund() -> Fund {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::with_example_fund(dir.path()).unwrap();
    Fund { hub, http: http_client().unwrap(), _dir: dir }
}

/// A terminal at a shop that holds its balances; the fund is credited.
async fn credited(fund: &Fund, shop: &str) -> Terminal {
    let mut terminal = fund.hub.bare_terminal(&fund.http, shop).await.unwrap();
    terminal.start().unwrap();
    fund.hub.credit("2026-11").unwrap();
    terminal.wait_for_balances().await.unwrap();
    terminal
}

/// The purse with the most money at a terminal, and how much that is.
fn richest(terminal: &Terminal) -> (PurseRef, Cents) {
    let purses = terminal.balances.keys();
    purses.map(|purse| (*purse, terminal.available(*purse))).max_by_key(|(_, cents)| *cents).unwrap()
}

fn cents(cents: u64) -> Cents {
    Cents::new(cents).unwrap()
}

#[tokio::test]
async fn the_same_bytes_sent_many_times_count_once() {
    let fund = fund().await;
    let mut terminal = credited(&fund, SHOP).await;
    let (purse, _) = richest(&terminal);
    terminal.sell(purse, cents(700)).unwrap();
    terminal.sell(purse, cents(55)).unwrap();
    let request = terminal.request(terminal.acked, &terminal.unsent, 0).unwrap();
    for _ in 0..20 {
        let answer: Answer<SyncAnswer> = terminal.send("/v1/sync", request.clone()).await.unwrap();
        assert_eq!(answer.yes().unwrap().acked, terminal.head);
    }
    // The same rows in requests of their own, from every base that ever was.
    let rows = terminal.unsent.clone();
    for from in 0..rows.len() {
        let request = terminal.request(terminal.acked, &rows[from..], 0).unwrap();
        let answer: SyncAnswer = terminal.send("/v1/sync", request).await.unwrap().yes().unwrap();
        assert_eq!((answer.acked, answer.standing), (terminal.head, Standing::Live));
    }
    assert_eq!(fund.hub.owed(SHOP).unwrap(), 755);
    fund.hub.verify().unwrap();
}

#[tokio::test]
async fn what_a_balance_does_not_allow_is_kept_and_not_paid() {
    let fund = fund().await;
    let mut terminal = credited(&fund, SHOP).await;
    let (purse, available) = richest(&terminal);
    terminal.sell(purse, cents(available.get() - 100)).unwrap();
    terminal.sell(purse, cents(1000)).unwrap();
    terminal.sell(PurseRef::new([9; 8]), cents(5000)).unwrap();
    let answer = terminal.sync().await.unwrap();
    assert_eq!(answer.acked, terminal.head, "an authentic row is never refused");
    assert_eq!(
        fund.hub.owed(SHOP).unwrap(),
        available.get(),
        "900 of the second sale and all of the third are over-right"
    );
    fund.hub.verify().unwrap();
}

#[tokio::test]
async fn a_copied_journal_that_runs_twice_is_quarantined_and_settles_no_cent_twice() {
    let fund = fund().await;
    let mut original = credited(&fund, SHOP).await;
    let (purse, available) = richest(&original);
    original.sell(purse, cents(300)).unwrap();
    original.sync().await.unwrap();
    let mut copy = original.cloned().unwrap();
    original.sell(purse, cents(available.get() - 300)).unwrap();
    copy.sell(purse, cents(available.get() - 301)).unwrap();
    copy.sell(purse, cents(1)).unwrap();
    assert_eq!(original.sync().await.unwrap().standing, Standing::Live);
    let answer = copy.sync().await.unwrap();
    assert_eq!(answer.standing, Standing::Quarantined);
    assert_eq!(answer.acked, original.head, "the hub stays with the past that it knows");
    assert_eq!(fund.hub.owed(SHOP).unwrap(), available.get());
    let terminals = fund.hub.ok(&["terminal", "list"]).unwrap();
    assert!(terminals.to_string().contains("quarantined"), "{terminals}");
    // Nothing is lost: the other past is kept as evidence.
    let status = fund.hub.ok(&["status"]).unwrap();
    assert!(status.to_string().contains("disputed"), "{status}");
    fund.hub.verify().unwrap();
}

#[tokio::test]
async fn slices_of_two_terminals_never_add_up_to_more_than_the_credit() {
    let fund = fund().await;
    let mut second = fund.hub.bare_terminal(&fund.http, OTHER_SHOP).await.unwrap();
    let mut first = credited(&fund, SHOP).await;
    second.start().unwrap();
    second.wait_for_balances().await.unwrap();
    let (purse, _) = richest(&first);
    // Both off line, the same card at both, each to its last cent.
    let (here, there) = (first.available(purse), second.available(purse));
    assert!(here > Cents::ZERO && there > Cents::ZERO);
    first.sell(purse, here).unwrap();
    second.sell(purse, there).unwrap();
    first.sync().await.unwrap();
    second.sync().await.unwrap();
    let credited = 15_000 + 5 * 7_500;
    assert_eq!(fund.hub.owed(SHOP).unwrap() + fund.hub.owed(OTHER_SHOP).unwrap(), here.get() + there.get());
    assert!(here.get() + there.get() <= credited);
    fund.hub.verify().unwrap();
}

#[tokio::test]
async fn a_hole_in_a_journal_is_noticed_and_the_rows_are_kept() {
    let fund = fund().await;
    let mut terminal = credited(&fund, SHOP).await;
    let (purse, _) = richest(&terminal);
    terminal.sell(purse, cents(100)).unwrap();
    terminal.sell(purse, cents(200)).unwrap();
    let behind_the_hole = terminal.unsent[1..].to_vec();
    let request = terminal.request(terminal.acked, &behind_the_hole, 0).unwrap();
    let answer: Answer<SyncAnswer> = terminal.send("/v1/sync", request).await.unwrap();
    let answer = answer.yes().unwrap();
    assert_eq!(answer.acked, terminal.acked, "what is missing is asked for again");
    // The terminal still has the row: it goes on from what the hub acknowledged, and all is well.
    terminal.sync().await.unwrap();
    assert_eq!(fund.hub.owed(SHOP).unwrap(), 300);
    fund.hub.verify().unwrap();
}

#[tokio::test]
async fn a_hub_that_loses_its_power_settles_the_same() {
    let fund = &mut fund().await;
    let mut terminal = credited(fund, SHOP).await;
    let (purse, available) = richest(&terminal);
    let mut sold = 0;
    for round in 0..8 {
        for _ in 0..40 {
            if terminal.available(purse) >= cents(3) && sold + 3 <= available.get() {
                terminal.sell(purse, cents(3)).unwrap();
                sold += 3;
            }
        }
        // The power goes while the upload is under way, at another moment each time.
        let request = terminal.request(terminal.acked, &terminal.unsent, 0).unwrap();
        let url = format!("{}/v1/sync", fund.hub.url());
        let upload = tokio::spawn({
            let http = fund.http.clone();
            async move { post(&http, &url, request.into_bytes()).await }
        });
        tokio::time::sleep(std::time::Duration::from_millis(round)).await;
        fund.hub.kill_9().unwrap();
        drop(upload.await);
        fund.hub.start().unwrap();
        // The connections of before are dead: a terminal tries again.
        terminal.reconnect(http_client().unwrap());
        terminal.sync().await.unwrap();
        assert_eq!(fund.hub.owed(SHOP).unwrap(), sold);
    }
    fund.hub.verify().unwrap();
}

#[tokio::test]
async fn a_code_is_void_after_five_wrong_tries_and_works_once() {
    let fund = fund().await;
    let (_, code) = fund.hub.add_terminal(SHOP).unwrap();
    let locator = &code[..4];
    for left in (0..5).rev() {
        let wrong = format!("{locator}-0000-000{left}");
        let refused = Terminal::enrol(fund.http.clone(), &fund.hub.url(), &wrong).await.map(drop).unwrap_err();
        assert!(refused.to_string().contains("WrongCode"), "{refused}");
    }
    let refused = Terminal::enrol(fund.http.clone(), &fund.hub.url(), &code).await.map(drop).unwrap_err();
    assert!(refused.to_string().contains("CodeVoid"), "{refused}");

    let (_, code) = fund.hub.add_terminal(SHOP).unwrap();
    Terminal::enrol(fund.http.clone(), &fund.hub.url(), &code).await.unwrap();
    let refused = Terminal::enrol(fund.http.clone(), &fund.hub.url(), &code).await.map(drop).unwrap_err();
    assert!(refused.to_string().contains("CodeVoid"), "another key cannot use it again: {refused}");
}

#[tokio::test]
async fn a_revoked_terminal_gets_no_money_and_loses_no_sale() {
    let fund = fund().await;
    let mut terminal = credited(&fund, SHOP).await;
    let (purse, _) = richest(&terminal);
    let before = terminal.balances.clone();
    terminal.sell(purse, cents(400)).unwrap();
    fund.hub.ok(&["terminal", "revoke", &terminal.id.to_string()]).unwrap();
    fund.hub.credit("2026-12").unwrap();
    let answer = terminal.sync().await.unwrap();
    assert_eq!((answer.standing, answer.acked), (Standing::Revoked, terminal.head));
    assert_eq!(fund.hub.owed(SHOP).unwrap(), 400);
    assert_eq!(terminal.balances, before, "its balances are raised no more");
    fund.hub.verify().unwrap();
}

#[tokio::test]
async fn what_is_no_request_gets_a_signed_no() {
    let fund = fund().await;
    let terminal = credited(&fund, SHOP).await;
    let url = format!("{}/v1/sync", fund.hub.url());
    for (body, status) in [(b"<html>".to_vec(), 400), (vec![], 400), (vec![0xd2; 300 * 1024], 413)] {
        let (answered, _) = post(&fund.http, &url, body).await.unwrap();
        assert_eq!(answered, status);
    }
    // A terminal of another fund's hub, with a key that this hub never saw.
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Hub::with_example_fund(elsewhere.path()).unwrap();
    let stranger = other.bare_terminal(&fund.http, SHOP).await.unwrap();
    let request = stranger.request(stranger.acked, &[], 0).unwrap();
    let (status, body) = post(&fund.http, &url, request.into_bytes()).await.unwrap();
    assert_ne!(status, 200);
    drop(body);
    // The right terminal asks for a purse that nobody has.
    let request = terminal.extend_request(PurseRef::new([9; 8]), cents(1)).unwrap();
    match terminal.send::<_, cabas_protocol::extend::ExtendAnswer>("/v1/extend", request).await.unwrap() {
        Answer::No(code, _) => assert_eq!(code, RefusalCode::NotFound),
        Answer::Yes(answer) => assert_eq!(answer.balance, None),
    }
}

#[tokio::test]
async fn a_body_of_a_hundred_megabytes_is_refused_early() {
    let fund = fund().await;
    let started = fund.hub.rss_bytes().unwrap();
    let url = format!("{}/v1/sync", fund.hub.url());
    // The hub may answer and hang up before it was all sent: both are a clear no.
    match post(&fund.http, &url, vec![0; 100 << 20]).await {
        Ok((status, _)) => assert_eq!(status, 413),
        Err(error) => assert!(error.to_string().contains("sending request"), "{error}"),
    }
    assert!(fund.hub.rss_bytes().unwrap() < started + (20 << 20), "the body was kept in memory");
    assert!(credited(&fund, SHOP).await.balances.len() == 108, "and the hub goes on");
}

#[tokio::test]
async fn a_credit_is_booked_once_whatever_happens() {
    let fund = fund().await;
    let booked = fund.hub.credit("2026-11").unwrap();
    let again = fund.hub.credit("2026-11").unwrap();
    assert_ne!(booked, again, "the second run says that there was nothing to book");
    let commands = (0..4).map(|_| {
        let mut command =
            fund.hub.command(&["credit", "run", "--period", "2026-12", "--source", "ville", "--book"]).unwrap();
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap()
    });
    for mut child in commands.collect::<Vec<_>>() {
        child.wait().unwrap();
    }
    let status = fund.hub.ok(&["status"]).unwrap();
    let expected = expected_monthly_credit() * 2;
    assert_eq!(status["totals"]["credited_cents"].as_u64(), Some(expected), "{status}");
    fund.hub.verify().unwrap();
}

/// 150 € for the first person, 75 € for each further one of 14 or more, 40 € for each child.
fn expected_monthly_credit() -> u64 {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/example-fund/households.csv");
    let text = std::fs::read_to_string(file).unwrap();
    let household = |line: &str| {
        let fields: Vec<u64> = line.split(',').skip(1).take(2).map(|field| field.parse().unwrap()).collect();
        let (people, children) = (fields[0], fields[1]);
        15_000 + (people - 1 - children) * 7_500 + children * 4_000
    };
    text.lines().skip(1).map(household).sum()
}
