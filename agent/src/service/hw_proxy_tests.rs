//! Points of sale by hw_proxy at a counter with a real journal: real sockets, cards that a test presents.

use super::till_double::{Till, free_address, opened};
use super::*;
use crate::till::Choice;
use crate::till::hw_proxy::server::{Door, serve};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const ORIGIN: &str = "https://odoo.example";
const START: &str = "payment_terminal_transaction_start";
const WAIT: &str = "payment_terminal_transaction_start_with_return";
const KEY: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

async fn till_at(shop: Shop) -> Till {
    let address = free_address();
    let door = Door { address, peers: [address.ip()].into(), origins: [ORIGIN.to_owned()].into() };
    shop.service.till.opens(crate::till::hw_proxy::server::WAY, &address.to_string(), "");
    tokio::spawn(serve(door, Arc::clone(&shop.service), shop.stop.subscribe()));
    opened(shop, address).await
}

/// A browser's connection.
struct Page {
    stream: TcpStream,
    address: SocketAddr,
}

impl Page {
    async fn send(&mut self, verb: &str, params: &Value) {
        let body = json!({ "jsonrpc": "2.0", "method": "call", "params": params, "id": 7 }).to_string();
        let (address, length) = (self.address, body.len());
        let head = format!(
            "POST /hw_proxy/{verb} HTTP/1.1\r\nhost: {address}\r\norigin: {ORIGIN}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        self.stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    }

    async fn answer(&mut self) -> Value {
        let answer = read(&mut self.stream).await;
        assert!(answer.contains(&format!("access-control-allow-origin: {ORIGIN}\r\n")), "{answer}");
        let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!((body["jsonrpc"].as_str(), body["id"].as_u64()), (Some("2.0"), Some(7)));
        body["result"].clone()
    }

    async fn call(&mut self, verb: &str, params: &Value) -> Value {
        self.send(verb, params).await;
        self.answer().await
    }

    async fn state(&mut self, id: &Value) -> Value {
        self.call("status_json", &json!({})).await["cabas"]["transactions"][id.to_string()].clone()
    }

    /// As a page does: asks for the state until the end.
    async fn ends(&mut self, id: &Value) -> Value {
        for _ in 0..500 {
            let state = self.state(id).await;
            if !state["success"].is_null() {
                return state;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it never ended")
    }
}

/// One whole answer: head, and as many bytes as it says.
async fn read(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut more = [0; 4096];
        let count = stream.read(&mut more).await.unwrap_or(0);
        bytes.extend_from_slice(more.get(..count).unwrap());
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let length = text.split_once("\r\n\r\n").and_then(|(head, body)| {
            let named = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            named.map_or(Some(0), |length| length.parse::<usize>().ok()).map(|length| body.len() >= length)
        });
        if count == 0 || length == Some(true) {
            return text;
        }
    }
}

fn payment(cents: u64, key: &str) -> Value {
    payment_of("ORDER000120030001", cents, key)
}

fn payment_of(order: &str, cents: u64, key: &str) -> Value {
    let digits = format!("{cents:03}");
    let (euros, cents) = digits.split_at(digits.len().saturating_sub(2));
    let amount: serde_json::Number = serde_json::from_str(&format!("{euros}.{cents}")).unwrap();
    let info = json!({ "amount": amount, "currency_iso": "EUR", "currency_decimals": 2, "payment_mode": "card",
        "payment_id": key, "order_id": order });
    json!({ "payment_info": info.to_string() })
}

impl Till {
    async fn page(&self) -> Page {
        Page { stream: TcpStream::connect(self.address).await.unwrap(), address: self.address }
    }
}

#[tokio::test]
async fn a_payment_is_paid_once_by_its_key_and_stays_unconfirmed_until_its_page_has_read_the_end() {
    let till = till_at(shop(10_000, settings())).await;
    let mut page = till.page().await;
    assert_eq!(page.call("handshake", &json!({})).await, true);
    let begun = page.call(START, &payment(1245, KEY)).await;
    assert_eq!((begun["success"].is_null(), begun["transaction_id"].is_u64()), (true, true));
    let id = begun["transaction_id"].clone();
    till.waits().await;
    // Pressed twice: the same payment; another amount or another payment meanwhile: none.
    assert_eq!(page.call(START, &payment(1245, KEY)).await["transaction_id"], id);
    assert_eq!(page.call(START, &payment(1300, KEY)).await, false);
    let other = page.call(START, &payment(500, "0f8fad5b-d9cb-469f-a165-000000000001")).await["transaction_id"].clone();
    assert_eq!(page.ends(&other).await["success"], false);
    till.shop.present(&OURS).await;
    till.until(|status| status["sale"].is_null()).await;
    till.unconfirmed(1).await;
    // Another page of another browser reads it too: that is not the one that asked.
    let mut stranger = TcpStream::connect(till.address).await.unwrap();
    let body = r#"{"params":{}}"#;
    for _ in 0..2 {
        let request = format!(
            "POST /hw_proxy/status_json HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            till.address,
            body.len()
        );
        stranger.write_all(request.as_bytes()).await.unwrap();
        assert!(read(&mut stranger).await.contains("\"success\":true"));
    }
    till.unconfirmed(1).await;
    let state = page.ends(&id).await;
    assert_eq!((state["success"].as_bool(), state["reference"].as_str()), (Some(true), Some("000001")));
    till.unconfirmed(1).await;
    page.state(&id).await;
    till.unconfirmed(0).await;
    // The same key again, days later or by mistake: told, never paid again; with another amount it is refused.
    page.call(START, &payment(1245, KEY)).await;
    assert_eq!(page.ends(&id).await["reference"], "000001");
    page.call(START, &payment(1300, KEY)).await;
    assert_eq!(page.ends(&id).await["success"], false);
    // What was refused may be asked again under its key.
    page.call(START, &payment(9999, "0f8fad5b-d9cb-469f-a165-000000000002")).await;
    let id = till.waits().await;
    till.shop.present(&OURS).await;
    till.until(|status| status["sale"].is_null()).await;
    assert_eq!(till.shop.service.sale(id).await.unwrap()["state"], "declined");
    let again = page.call(START, &payment(300, "0f8fad5b-d9cb-469f-a165-000000000002")).await["transaction_id"].clone();
    till.waits().await;
    till.shop.present(&OURS).await;
    assert_eq!(page.ends(&again).await["success"], true);
    assert_eq!(till.shop.service.last_sale().await.unwrap()["till_ref"], "ORDER000120030001");
    assert_eq!(till.closed().await, (2, 1545));
}

#[tokio::test]
async fn after_a_start_the_page_that_was_asking_finds_the_end_and_the_key_is_known() {
    let till = till_at(shop(10_000, settings())).await;
    let mut page = till.page().await;
    let id = page.call(START, &payment(1245, KEY)).await["transaction_id"].clone();
    till.waits().await;
    till.shop.present(&OURS).await;
    till.until(|status| status["sale"].is_null()).await;
    let folder = till.shop.close().await;
    let till = till_at(open(folder, settings())).await;
    till.unconfirmed(1).await;
    let mut page = till.page().await;
    assert_eq!(page.state(&id).await["success"], true);
    page.call(START, &payment(1245, KEY)).await;
    assert_eq!(page.ends(&id).await["reference"], "000001");
    page.state(&id).await;
    till.unconfirmed(0).await;
    assert_eq!(till.closed().await, (1, 1245));
}

#[tokio::test]
async fn a_line_that_was_taken_off_the_order_and_put_there_again_is_asked_about_before_it_is_paid_again() {
    let till = till_at(shop(10_000, settings())).await;
    let mut page = till.page().await;
    page.call(START, &payment(1245, KEY)).await;
    till.waits().await;
    till.shop.present(&OURS).await;
    till.unconfirmed(1).await;
    // Its end was never read; the cashier made the line anew: another key, the same order and amount.
    let id = page.call(START, &payment(1245, "0f8fad5b-d9cb-469f-a165-000000000003")).await["transaction_id"].clone();
    let asked = till.until(|status| status["till"]["question"].is_object()).await;
    let question = asked["till"]["question"]["question"].as_u64().unwrap();
    assert!(till.shop.service.till.answer(question, Choice::Resend));
    assert_eq!(page.ends(&id).await["reference"], "000001");
    page.state(&id).await;
    till.unconfirmed(0).await;
    // Told, and asked for once more under either key: told again, and not paid again, over a restart too.
    let till = till_at(open(till.shop.close().await, settings())).await;
    let mut page = till.page().await;
    for key in ["0f8fad5b-d9cb-469f-a165-000000000003", KEY] {
        let id = page.call(START, &payment(1245, key)).await["transaction_id"].clone();
        assert_eq!(page.ends(&id).await["reference"], "000001", "{key}");
    }
    // Another line of the same order is another member's.
    page.call(START, &payment(1245, "0f8fad5b-d9cb-469f-a165-000000000004")).await;
    till.waits().await;
    till.shop.present(&OURS).await;
    till.until(|status| status["sale"].is_null()).await;
    assert_eq!(till.closed().await, (2, 2490));
}

#[tokio::test]
async fn where_the_journal_cannot_say_how_it_ended_the_page_is_told_nothing_and_the_cashier_that_nobody_knows() {
    let till = till_at(shop(10_000, settings())).await;
    let mut page = till.page().await;
    let id = page.call(START, &payment(1245, KEY)).await["transaction_id"].clone();
    till.waits().await;
    let db = rusqlite::Connection::open(till.shop.folder.path().join(FILE)).unwrap();
    db.execute_batch("ALTER TABLE till_requests RENAME TO out_of_reach").unwrap();
    till.shop.present(&OURS).await;
    let status = till.until(|status| status["till"]["blind"][0]["state"] == "unknown").await;
    assert_eq!(status["till"]["blind"][0]["cents"], 1245);
    assert_eq!(page.state(&id).await["success"], Value::Null);
    db.execute_batch("ALTER TABLE out_of_reach RENAME TO till_requests").unwrap();
    // What was paid stands: the same key is told, not paid again.
    till.unconfirmed(1).await;
    assert_eq!(till.closed().await, (1, 1245));
}

#[tokio::test]
async fn a_till_that_waits_for_the_end_is_paid_the_part_that_the_member_takes() {
    let folder = shop(1000, settings()).close().await;
    let fund = Fund::default();
    let mut journal = fund.open(folder.path(), moment(1, 6));
    fund.give(&mut journal, vec![fund.policy_with_parts(2).into_bytes()]);
    drop(journal);
    let till = till_at(open(folder, settings())).await;
    let mut page = till.page().await;
    page.send(WAIT, &payment(1500, KEY)).await;
    let id = till.waits().await;
    till.shop.present(&OURS).await;
    till.until(|status| status["sale"]["state"] == "offer").await;
    till.shop.service.take_part(id).await.unwrap();
    till.shop.present(&OURS).await;
    let paid = page.answer().await;
    assert_eq!((paid["transaction_result"].as_u64(), paid["amount_msg"].as_u64()), (Some(0), Some(1000)), "{paid}");
    till.unconfirmed(1).await;
    assert_eq!(page.call("handshake", &json!({})).await, true);
    till.unconfirmed(0).await;
    // One that only knows the whole is not told of the part as if it were all.
    let id = page.call(START, &payment(1500, KEY)).await["transaction_id"].clone();
    assert_eq!(page.ends(&id).await["success"], false);
    // Nothing is left: refused, and no amount that could be taken for one.
    page.send(WAIT, &payment(700, "0f8fad5b-d9cb-469f-a165-000000000001")).await;
    till.waits().await;
    till.shop.present(&OURS).await;
    let refused = page.answer().await;
    assert_eq!((refused["transaction_result"].as_u64(), refused["amount_msg"].as_u64()), (Some(7), Some(0)));
    // Its browser closes as it waits: the sale ends.
    page.send(WAIT, &payment(200, "0f8fad5b-d9cb-469f-a165-000000000002")).await;
    let id = till.waits().await;
    drop(page);
    till.until(|status| status["sale"].is_null()).await;
    assert_eq!(till.shop.service.sale(id).await.unwrap()["state"], "cancelled");
    assert_eq!(till.closed().await, (1, 1000));
}

#[tokio::test]
async fn pages_of_other_origins_other_hosts_and_what_is_no_call_are_refused() {
    let till = till_at(shop(1000, settings())).await;
    let address = till.address;
    let body = json!({ "params": payment(300, KEY) }).to_string();
    let json = "content-type: application/json\r\n";
    let own = format!("host: {address}\r\norigin: {ORIGIN}\r\n");
    for (head, expected) in [
        (format!("host: {address}\r\norigin: https://evil.example\r\n{json}"), "403"),
        (format!("host: {address}\r\norigin: null\r\n{json}"), "403"),
        (format!("host: {address}\r\nsec-fetch-site: cross-site\r\n{json}"), "403"),
        (format!("host: {address}\r\norigin: {ORIGIN}\r\norigin: {ORIGIN}\r\n{json}"), "403"),
        (format!("host: evil.example\r\norigin: {ORIGIN}\r\n{json}"), "421"),
        (format!("{own}content-type: text/plain\r\n"), "415"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let length = body.len();
        let sent = format!("POST /hw_proxy/{START} HTTP/1.1\r\n{head}content-length: {length}\r\n\r\n{body}");
        stream.write_all(sent.as_bytes()).await.unwrap();
        let answer = read(&mut stream).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected}")), "{head}: {answer}");
        assert_eq!(answer.contains("access-control-allow-origin"), expected == "415", "{answer}");
    }
    let ask = async |line: &str, head: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("{line} HTTP/1.1\r\n{head}\r\n").as_bytes()).await.unwrap();
        read(&mut stream).await
    };
    let private = "access-control-request-private-network: true\r\n";
    let allowed = ask("OPTIONS /hw_proxy/hello", &format!("{own}{private}")).await;
    assert!(allowed.starts_with("HTTP/1.1 204"), "{allowed}");
    assert!(allowed.contains("access-control-allow-private-network: true"), "{allowed}");
    let evil = format!("host: {address}\r\norigin: https://evil.example\r\n{private}");
    assert!(!ask("OPTIONS /hw_proxy/hello", &evil).await.contains("access-control"));
    assert!(ask("GET /hw_proxy/hello", &own).await.ends_with("ping"));
    assert!(ask("GET /hw_proxy/handshake", &own).await.starts_with("HTTP/1.1 405"));
    assert!(ask("GET /", &own).await.starts_with("HTTP/1.1 404"));
    assert!(till.shop.service.status()["sale"].is_null());
    assert_eq!(till.closed().await, (0, 0));
}

#[tokio::test]
async fn ten_thousand_requests_of_nonsense_sell_nothing_and_stop_nothing() {
    let till = till_at(shop(1000, settings())).await;
    let body = json!({ "jsonrpc": "2.0", "params": payment(300, KEY), "id": 1 }).to_string();
    let head = format!(
        "POST /hw_proxy/{START} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        till.address,
        body.len()
    );
    let mut state = 0x1234_5678_9abc_def1_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    for number in 0..10_000 {
        let (mut one, mut two) = (head.clone().into_bytes(), body.clone().into_bytes());
        match random(4) {
            0 => one = (0..random(200)).map(|_| u8::try_from(random(256)).unwrap()).collect(),
            // The amount of no payment: every byte of the body may be another one but those that make it whole.
            1 => two.iter_mut().filter(|byte| byte.is_ascii_digit()).for_each(|byte| *byte = b'0'),
            2 => two.truncate(random(two.len())),
            _ => two.reverse(),
        }
        let mut bytes = one;
        bytes.extend_from_slice(&two);
        let cut = random(bytes.len());
        let Ok(mut stream) = TcpStream::connect(till.address).await else { panic!("{number}: nobody is there") };
        drop(stream.write_all(bytes.get(..cut).unwrap()).await);
        drop(stream.write_all(bytes.get(cut..).unwrap()).await);
    }
    // Nobody waits for the places of those that went.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(till.shop.service.status()["sale"].is_null());
    let mut page = till.page().await;
    let id = page.call(START, &payment(300, KEY)).await["transaction_id"].clone();
    till.waits().await;
    till.shop.present(&OURS).await;
    assert_eq!(page.ends(&id).await["success"], true);
    assert_eq!(till.closed().await, (1, 300));
}

#[tokio::test]
async fn a_connection_cut_at_any_byte_is_one_debit_or_none_and_the_key_tells_which() {
    let till = till_at(shop(100_000, settings())).await;
    // Each of an order of its own.
    let payment =
        |number: usize| payment_of(&number.to_string(), 101, &format!("0f8fad5b-d9cb-469f-a165-{number:012}"));
    // The answer of the call that waits for the end, cut at every byte; the request cut before its end is no request.
    let (mut end, mut lost) = (0, 0);
    loop {
        let mut page = till.page().await;
        page.send(WAIT, &payment(end)).await;
        till.waits().await;
        till.shop.present(&OURS).await;
        let mut bytes = vec![0; end];
        if end > 0 {
            page.stream.read_exact(&mut bytes).await.unwrap();
        } else {
            page.stream.readable().await.unwrap();
        }
        drop(page);
        till.until(|status| status["sale"].is_null()).await;
        lost += 1;
        if bytes.ends_with(b"}}") {
            break;
        }
        end += 1;
    }
    let mut body = json!({ "params": payment(9_999) }).to_string();
    let head = format!(
        "POST /hw_proxy/{WAIT} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        till.address,
        body.len()
    );
    body.insert_str(0, &head);
    for end in 0..body.len() {
        let mut stream = TcpStream::connect(till.address).await.unwrap();
        stream.write_all(body.get(..end).unwrap().as_bytes()).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(till.shop.service.status()["sale"].is_null());
    assert_eq!(till.shop.service.till_unconfirmed_all().await, lost, "nobody read an answer and asked on");
    // Asked again, each is told and none is paid again.
    let mut page = till.page().await;
    for number in [0, 100, end] {
        assert_eq!(page.call(WAIT, &payment(number)).await["amount_msg"], 101);
    }
    assert_eq!(page.call("handshake", &json!({})).await, true);
    assert_eq!(till.shop.service.till_unconfirmed_all().await, lost - 3);
    assert!(lost > 300, "{lost}");
    assert_eq!(till.closed().await, (u32::try_from(lost).unwrap(), 101 * u64::try_from(lost).unwrap()));
}
