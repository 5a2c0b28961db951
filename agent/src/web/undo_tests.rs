//! Reversal, refund, part payment and reprint as a till sees them: real routes, a card of the test's own.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a failed unwrap is the test's failure"
)]

use super::serve;
use crate::card::{CardEvent, PresentedCard, ReaderState, Uid};
use crate::clock::Clock;
use crate::core::ages::Moment;
use crate::core::receipt::Language;
use crate::fixture::{CARD_KEY, Fund, HUB_TIME, cents, moment};
use crate::journal::{self, Journal, JournalHandle};
use crate::printer::{self, PrinterConfig};
use crate::service::counter::Alive;
use crate::service::{Parts, Place, Service, Settings};
use crate::sync::{HubClient, HubLink, Network};
use cabas_protocol::Seq;
use cabas_protocol::keys::CardKey;
use cabas_protocol::row::Tier;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

pub(super) const UID: [u8; 7] = [4, 1, 2, 3, 4, 5, 6];
const OTHER_UID: [u8; 7] = [4, 9, 9, 9, 9, 9, 9];

pub(super) struct Shop {
    fund: Fund,
    url: String,
    http: reqwest::Client,
    cards: mpsc::Sender<CardEvent>,
    pub(super) clock: Arc<Mutex<Moment>>,
    journal: JournalHandle,
    network: watch::Sender<Network>,
    _stop: watch::Sender<bool>,
    _folder: tempfile::TempDir,
}

/// A shop whose card has so much, and whose hub is away.
async fn shop(allowed: u64, parts: bool, timeout: Duration) -> Shop {
    shop_with(allowed, parts, timeout, PrinterConfig::default()).await
}

/// The same with a printer.
pub(super) async fn shop_with(allowed: u64, parts: bool, timeout: Duration, printer: PrinterConfig) -> Shop {
    drop(rustls::crypto::ring::default_provider().install_default());
    let (folder, fund) = (tempfile::tempdir().unwrap(), Fund::default());
    let mut file: Journal = fund.ready(folder.path(), allowed);
    let card_key = CardKey::new(CARD_KEY);
    fund.give(
        &mut file,
        vec![
            fund.binding(card_key.card_ref(&UID), 1, 1).into_bytes(),
            fund.binding(card_key.card_ref(&OTHER_UID), 1, 1).into_bytes(),
        ],
    );
    if parts {
        fund.give(&mut file, vec![fund.policy_with_parts(2).into_bytes()]);
    }
    let (journal, _thread) = journal::handle::start(file).unwrap();
    let now = Arc::new(Mutex::new(moment(1, 5)));
    let clock = Clock::Set(Arc::clone(&now));
    let client = HubClient::new("http://127.0.0.1:1", None).unwrap();
    let link = Arc::new(HubLink::new(client, fund.signer(), journal.clone(), clock.clone()));
    let (network, seen) = watch::channel(Network::default());
    let settings = Settings {
        sale_max: cents(100_000),
        timeout,
        extend_timeout: Duration::from_millis(200),
        auto_print: false,
        language: Language::French,
        sealed_by: crate::journal::seal::SealedBy::KeyFile,
    };
    let printer = printer::start(printer).unwrap();
    let place = Place::default();
    let parts = Parts { settings, clock, journal: journal.clone(), link, network: seen, printer, place };
    let (service, counter) = Service::new(parts, card_key);
    let (cards, taken) = mpsc::channel(8);
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(counter.run(taken, stopped.clone(), Alive { every: None, call: || () }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve(listener, service, stopped));
    cards.send(CardEvent::Reader(ReaderState::Ready { name: String::from("test") })).await.unwrap();
    let http = reqwest::Client::builder().tls_certs_only([]).build().unwrap();
    Shop { fund, url, http, cards, clock: now, journal, network, _stop: stop, _folder: folder }
}

impl Shop {
    pub(super) async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.http.request(method, format!("{}{path}", self.url));
        let answer = request.header("content-type", "application/json").body(body.to_string()).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null))
    }

    async fn begin(&self, id: &str, amount: u64) -> (u16, Value) {
        let body = json!({ "lines": [{ "category": "0", "cents": amount }], "till_ref": "T-1", "request_id": id });
        self.call("POST", "/api/sales", body).await
    }

    async fn tap(&self, uid: [u8; 7]) {
        let card = PresentedCard { uid: Uid::new(&uid).unwrap(), tier: Tier::Plain, tap: 1, link: None };
        self.cards.send(CardEvent::Presented(card)).await.unwrap();
    }

    async fn remove(&self) {
        self.cards.send(CardEvent::Removed).await.unwrap();
    }

    /// The sale once it is in one of these states.
    async fn until(&self, id: &str, states: &[&str]) -> Value {
        for _ in 0..400 {
            let (_, sale) = self.call("GET", &format!("/api/sales/{id}"), json!({})).await;
            if states.iter().any(|state| sale["state"] == *state) {
                return sale;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{id} never became {states:?}");
    }

    pub(super) async fn sell(&self, id: &str, amount: u64) -> Value {
        assert_eq!(self.begin(id, amount).await.0, 201);
        self.tap(UID).await;
        let sale = self.until(id, &["accepted", "declined"]).await;
        self.remove().await;
        sale
    }

    async fn side(&self, id: &str) -> Value {
        self.call("GET", &format!("/api/sales/{id}/member-side"), json!({})).await.1
    }

    pub(super) async fn give(&self, objects: Vec<Vec<u8>>) {
        let fund = Fund::default();
        self.journal.sync(move |journal| Ok(fund.give(journal, objects))).await.unwrap();
    }
}

pub(super) fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_sale_is_reversed_once_and_its_money_sells_again() {
    let shop = shop(1000, false, Duration::from_secs(60)).await;
    assert_eq!(shop.sell("a", 1000).await["state"], "accepted");
    let reverse = async |sale: &str, id: &str| {
        shop.call("POST", &format!("/api/sales/{sale}/reversal"), json!({ "request_id": id })).await
    };
    let done = reverse("a", "r1").await;
    assert_eq!(
        (done.0, &done.1["kind"], &done.1["fund_cents"], &done.1["till_ref"]),
        (201, &json!("reversal"), &json!(1000), &json!("T-1"))
    );
    let again = reverse("a", "r1").await;
    assert_eq!((again.0, &again.1), (200, &done.1));
    assert_eq!(code(&reverse("a", "r2").await), (409, "undo_reversed"));
    assert_eq!(code(&reverse("b", "r3").await), (404, "undo_unknown_sale"));
    assert_eq!(shop.until("a", &["accepted"]).await["reversed"], true);
    assert_eq!(shop.sell("b", 1000).await["state"], "accepted");
    assert_eq!(code(&reverse("b", "r1").await), (409, "undo_request_taken"));
    assert_eq!(code(&reverse("b", "").await), (400, "error_bad_json"));
    let refund = shop.call("POST", "/api/refunds", json!({ "sale": "a", "request_id": "f" })).await;
    assert_eq!(code(&refund), (409, "undo_reversed"));
    *shop.clock.lock().unwrap() = moment(1, 2 * 86_400);
    assert_eq!(code(&reverse("b", "r4").await), (409, "undo_too_late"));
}

#[tokio::test]
async fn refunds_are_asked_for_in_parts_and_followed_until_they_are_credited() {
    let shop = shop(5000, false, Duration::from_secs(60)).await;
    shop.sell("a", 1000).await;
    let refund = async |body: Value| shop.call("POST", "/api/refunds", body).await;
    let part = |amount: Value| json!({ "sale": "a", "lines": [amount], "request_id": "f1" });
    let first = refund(part(json!({ "category": "0", "cents": 400 }))).await;
    assert_eq!((first.0, &first.1["state"], &first.1["cents"]), (201, &json!("unsent"), &json!(400)));
    assert!(first.1["message_fr"].as_str().unwrap().contains("dès que le réseau revient"), "{}", first.1);
    assert_eq!(refund(part(json!({ "amount": "9,99" }))).await.0, 200, "the same operation");
    let too_much = refund(json!({ "sale": "a", "lines": [{ "amount": "6,01" }], "request_id": "f2" })).await;
    assert_eq!(code(&too_much), (422, "undo_too_much"));
    assert!(too_much.1["error"]["message_fr"].as_str().unwrap().contains("6,00"), "{}", too_much.1);
    for (body, expected) in [
        (json!({ "sale": "nobody", "request_id": "f3" }), (404, "undo_unknown_sale")),
        (json!({ "sale": { "terminal": 7, "epoch": 9, "seq": 4 }, "request_id": "f3" }), (404, "undo_unknown_sale")),
        (json!({ "sale": "a", "lines": [], "request_id": "f3" }), (422, "undo_lines")),
        (
            json!({ "sale": "a", "lines": [{ "category": "5", "cents": 1 }], "request_id": "f3" }),
            (422, "undo_unknown_category"),
        ),
        (json!({ "sale": "a", "lines": [{ "cents": -1 }], "request_id": "f3" }), (422, "amount_negative")),
        (json!({ "sale": "a", "request_id": "a" }), (409, "undo_request_taken")),
        (json!({ "sale": 5, "request_id": "f3" }), (400, "error_bad_json")),
        (json!({ "request_id": "f3" }), (400, "error_bad_json")),
    ] {
        assert_eq!(code(&refund(body.clone()).await), expected, "{body}");
    }
    let seq = shop.until("a", &["accepted"]).await["seq"].clone();
    let rest = refund(json!({ "sale": { "terminal": 7, "epoch": 1, "seq": seq }, "request_id": "f4" })).await;
    assert_eq!((rest.0, &rest.1["cents"]), (201, &json!(600)));
    assert_eq!(shop.until("a", &["accepted"]).await["refunded_cents"], 1000);
    shop.network.send_replace(Network { state: crate::sync::NetworkState::Online, ..Network::default() });
    let state = async || shop.call("GET", "/api/refunds/f1", json!({})).await.1;
    assert!(state().await["message_en"].as_str().unwrap().contains("The fund decides"));
    let raised = shop.fund.refund_decision(Seq::new(u32::try_from(first.1["seq"].as_u64().unwrap()).unwrap()), true);
    let raised = raised.into_bytes();
    let fund = Fund::default();
    let acked = shop.journal.published().state.newest.chain;
    let apply = move |journal: &mut Journal| {
        let cursor = journal.state().hub.cursor;
        journal.apply(moment(1, 9), &fund.inbound(cursor, &fund.answer(acked, vec![raised], HUB_TIME, cursor)))
    };
    shop.journal.sync(apply).await.unwrap();
    assert_eq!(
        (&state().await["state"], &state().await["message_fr"]),
        (&json!("credited"), &json!("Remboursement crédité."))
    );
    assert_eq!(shop.call("GET", "/api/refunds/none", json!({})).await.0, 404);
}

#[tokio::test]
async fn a_part_is_the_members_to_see_and_to_take_with_the_same_card() {
    let shop = shop(500, true, Duration::from_secs(60)).await;
    assert_eq!(shop.begin("a", 800).await.0, 201);
    shop.tap(UID).await;
    let offered = shop.until("a", &["offer"]).await;
    assert_eq!(
        (&offered["fund_cents"], &offered["member_cents"]),
        (&json!(800), &json!(0)),
        "the cashier's side is neutral"
    );
    assert!(!offered.to_string().contains("500"), "{offered}");
    let side = shop.side("a").await;
    assert_eq!((&side["offer_cents"], &side["rest_cents"]), (&json!(500), &json!(300)));
    shop.remove().await;
    // A tap is no yes.
    shop.tap(UID).await;
    shop.remove().await;
    assert_eq!(shop.until("a", &["offer"]).await["state"], "offer");
    let (status, taken) = shop.call("POST", "/api/sales/a/accept-part", json!({})).await;
    assert_eq!(
        (status, &taken["state"], &taken["fund_cents"], &taken["member_cents"]),
        (200, &json!("waiting"), &json!(500), &json!(300))
    );
    shop.tap(OTHER_UID).await;
    let other = shop.until("a", &["waiting"]).await;
    shop.remove().await;
    assert_eq!(other["state"], "waiting");
    shop.tap(UID).await;
    let done = shop.until("a", &["accepted", "declined", "offer"]).await;
    assert_eq!(
        (&done["state"], &done["fund_cents"], &done["member_cents"]),
        (&json!("accepted"), &json!(500), &json!(300))
    );
    assert_eq!(shop.call("POST", "/api/sales/a/accept-part", json!({})).await.0, 200, "said twice");
    let last = shop.journal.customer(Journal::last_sale).await.unwrap().unwrap();
    assert_eq!(last.sale.asked, Some(cents(800)));
}

#[tokio::test]
async fn a_part_is_taken_at_once_by_a_card_that_still_lies_there_and_offered_anew_where_less_is_left() {
    let shop = shop(500, true, Duration::from_secs(60)).await;
    shop.begin("a", 800).await;
    shop.tap(UID).await;
    shop.until("a", &["offer"]).await;
    // A recall may not take what is offered.
    shop.give(vec![shop.fund.recall(70, 1, 0).into_bytes()]).await;
    // Another commit of the household takes a part of it.
    let other = crate::fixture::ask(99, 1, 120);
    shop.journal.customer(move |journal| journal.sell(moment(1, 6), &other)).await.unwrap();
    let (_, again) = shop.call("POST", "/api/sales/a/accept-part", json!({})).await;
    assert_eq!(again["state"], "offer", "{again}");
    assert_eq!(shop.side("a").await["offer_cents"], 380);
    let (status, done) = shop.call("POST", "/api/sales/a/accept-part", json!({})).await;
    assert_eq!((status, &done["state"], &done["fund_cents"]), (200, &json!("accepted"), &json!(380)));
    assert_eq!(shop.call("POST", "/api/sales/b/accept-part", json!({})).await.0, 404);
}

#[tokio::test]
async fn declining_a_part_or_waiting_too_long_leaves_nothing() {
    let shop = shop(500, true, Duration::from_millis(600)).await;
    let rows = shop.journal.published().state.newest.chain.seq;
    shop.begin("a", 800).await;
    shop.tap(UID).await;
    shop.until("a", &["offer"]).await;
    assert_eq!(shop.call("DELETE", "/api/sales/a", json!({})).await.1["state"], "cancelled");
    assert_eq!(code(&shop.call("POST", "/api/sales/a/accept-part", json!({})).await), (409, "error_no_offer"));
    shop.remove().await;
    shop.begin("b", 800).await;
    shop.tap(UID).await;
    shop.until("b", &["offer"]).await;
    shop.until("b", &["timed_out"]).await;
    let state = shop.journal.customer(|journal| Ok(journal.state())).await.unwrap();
    assert_eq!((state.newest.chain.seq, state.reserved), (rows, None));
}

#[tokio::test]
async fn no_part_is_offered_where_the_limits_allow_none() {
    let shop = shop(500, false, Duration::from_secs(60)).await;
    assert_eq!(shop.sell("a", 800).await["state"], "declined");
    assert_eq!(shop.journal.published().state.reserved, None, "what was declined reserves nothing");
}

#[tokio::test]
async fn a_paused_fund_starts_no_sale_and_still_undoes() {
    let shop = shop(500, false, Duration::from_secs(60)).await;
    shop.sell("a", 100).await;
    let mut paused = shop.fund.config(2).peek().unwrap();
    paused.paused = true;
    shop.give(vec![shop.fund.hub.sign(&paused).into_bytes()]).await;
    let refused = shop.begin("b", 100).await;
    assert_eq!(code(&refused), (409, "error_paused"));
    assert_eq!(shop.begin("a", 100).await.0, 200, "what was done is told");
    let done = shop.call("POST", "/api/sales/a/reversal", json!({ "request_id": "r" })).await;
    assert_eq!(done.0, 201);
    let (_, status) = shop.call("GET", "/api/status", json!({})).await;
    assert!(status["message_fr"].as_str().unwrap().contains("autre moyen"), "{status}");
}

#[tokio::test]
async fn the_days_list_has_what_can_be_printed_again() {
    let shop = shop(5000, false, Duration::from_secs(60)).await;
    for (id, amount) in [("a", 100), ("b", 200), ("c", 300)] {
        shop.sell(id, amount).await;
    }
    shop.call("POST", "/api/sales/c/reversal", json!({ "request_id": "r" })).await;
    shop.call("POST", "/api/refunds", json!({ "sale": "b", "lines": [{ "cents": 50 }], "request_id": "f" })).await;
    let (status, today) = shop.call("GET", "/api/today", json!({})).await;
    let entries = today["entries"].as_array().unwrap();
    let shown: Vec<_> =
        entries.iter().map(|entry| (entry["kind"].as_str().unwrap(), entry["cents"].as_u64().unwrap())).collect();
    assert_eq!(status, 200);
    assert_eq!(shown, [("refund", 50), ("reversal", 300), ("sale", 300), ("sale", 200), ("sale", 100)]);
    assert_eq!((&entries[2]["reversed"], &entries[3]["refunded_cents"]), (&json!(true), &json!(50)));
    let path = format!("/api/today/{}/receipt", entries[0]["seq"]);
    assert_eq!(code(&shop.call("POST", &path, json!({})).await), (503, "error_printer_off"));
    assert_eq!(shop.call("POST", "/api/today/1/receipt", json!({})).await.0, 404, "a start has no receipt");
    assert_eq!(
        code(&shop.call("POST", "/api/printer/kept", json!({ "action": "print" })).await),
        (503, "error_printer_off")
    );
    assert_eq!(shop.call("POST", "/api/printer/kept", json!({ "action": "discard" })).await.0, 200);
    assert_eq!(shop.call("POST", "/api/printer/kept", json!({ "action": "burn" })).await.0, 400);
    assert_eq!(shop.call("GET", "/api/status", json!({})).await.1["printer"]["kept"], 0);
}

#[path = "e_receipt_tests.rs"]
mod e_receipts;
