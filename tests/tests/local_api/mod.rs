//! The agent's local API against what a browser, a till or a careless program may send.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::unwrap_in_result,
    clippy::print_stdout,
    reason = "test code"
)]

mod abuse;
mod browser;
mod chance;
mod described;
mod document;
mod shell;

use cabas_tests::example::Cards;
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::shop::Shop;
use document::Document;
use serde_json::{Value, json};

struct World {
    hub: Hub,
    shop: Shop,
    http: reqwest::Client,
    document: Document,
    _dir: tempfile::TempDir,
}

async fn world() -> World {
    world_with(Vec::new()).await
}

async fn world_with(environment: Vec<(String, String)>) -> World {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::with_example_fund(&dir.path().join("hub")).unwrap();
    hub.credit("2026-11").unwrap();
    let http = http_client().unwrap();
    let folder = dir.path().join("shop");
    let shop = Shop::enrolled_with(&folder, &http, &hub, "biocoop-platanes", environment).await.unwrap();
    let document = Document::new(shop.get("/api/openapi.json").await.unwrap());
    World { hub, shop, http, document, _dir: dir }
}

impl World {
    /// Posts a sale with headers of a test's own; gives status and body.
    async fn raw(&self, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
        let mut request = self.http.post(format!("{}/api/sales", self.shop.url())).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.checked(request, "POST", "/api/sales").await
    }

    /// Sends a request; its answer has to be of the form that the document describes.
    async fn checked(&self, request: reqwest::RequestBuilder, method: &str, path: &str) -> (u16, Value) {
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let kind = answer.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        let body = answer.bytes().await.unwrap();
        (status, self.document.check(method, path, status, &kind.unwrap_or_default(), &body))
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn another_name_another_origin_and_a_form_of_a_browser_are_refused() {
    let world = world().await;
    let sale = json!({"lines": [{"category": "0", "cents": 100}], "request_id": "x"}).to_string();
    let own = world.shop.url();
    for (headers, expected) in [
        (vec![JSON, ("host", "evil.example")], 421),
        (vec![JSON, ("host", "evil.example:7410")], 421),
        (vec![JSON, ("origin", "https://evil.example")], 403),
        (vec![JSON, ("origin", "null")], 403),
        (vec![("content-type", "text/plain")], 415),
        (vec![("content-type", "application/x-www-form-urlencoded")], 415),
        (vec![], 415),
        (vec![JSON, ("origin", own.as_str())], 201),
    ] {
        let (status, body) = world.raw(&headers, &sale).await;
        assert_eq!(status, expected, "{headers:?}: {body}");
        if expected != 201 {
            assert!(body["error"]["message_fr"].is_string() && body["error"]["message_en"].is_string(), "{body}");
        }
    }
    // The policy stands on every answer, and on the page itself.
    for path in ["/", "/customer", "/api/status", "/nowhere"] {
        let answer = world.http.get(format!("{own}{path}")).send().await.unwrap();
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
    }
}

#[tokio::test]
async fn an_amount_that_is_none_gets_its_reason_in_both_languages() {
    let world = world().await;
    for (amount, code) in [
        (json!({"cents": 0}), "zero"),
        (json!({"cents": -5}), "negative"),
        (json!({"cents": 1.5}), ""),
        (json!({"cents": 1e9}), ""),
        (json!({"cents": 999_999_999_999_u64}), "limit"),
        (json!({"amount": "0"}), "zero"),
        (json!({"amount": "-5"}), "negative"),
        (json!({"amount": "1e9"}), ""),
        (json!({"amount": "١٢"}), "digits"),
        (json!({"amount": "1,555"}), "decimals"),
        (json!({"amount": ""}), "empty"),
        (json!({"amount": "99999999"}), "limit"),
    ] {
        let body = json!({"lines": [amount], "request_id": "bad-amount"}).to_string();
        let (status, answer) = world.raw(&[JSON], &body).await;
        assert_eq!(status, 422, "{amount}: {answer}");
        let error = &answer["error"];
        assert!(error["code"].as_str().unwrap().contains(code), "{amount}: {error}");
        assert!(!error["message_fr"].as_str().unwrap().is_empty() && error["message_fr"] != error["message_en"]);
    }
    for (amount, cents) in [("12,5", 1250), ("1.5", 150), ("7", 700)] {
        let body = json!({"lines": [{"amount": amount}], "request_id": amount}).to_string();
        let (status, sale) = world.raw(&[JSON], &body).await;
        assert_eq!((status, sale["cents"].as_u64()), (201, Some(cents)), "{sale}");
        assert_eq!(world.shop.delete(&format!("/api/sales/{}", sale["id"].as_str().unwrap())).await.unwrap(), 200);
    }
}

#[tokio::test]
async fn a_body_that_is_no_sale_is_refused_and_the_till_goes_on() {
    let world = world().await;
    let long = format!("{{\"lines\": [], \"request_id\": \"{}\"}}", "x".repeat(20_000));
    for (body, expected) in [
        ("", 400),
        ("<html>", 400),
        ("[]", 400),
        ("{}", 400),
        (r#"{"lines":[{"category":"0","cents":100}]}"#, 400),
        (r#"{"lines":[{"category":"0","cents":100}],"request_id":""}"#, 400),
        (r#"{"lines":[{"category":"0","cents":100,"iban":"x"}],"request_id":"x"}"#, 400),
        (r#"{"lines":[{"category":"77","cents":100}],"request_id":"x"}"#, 422),
        (r#"{"lines":[],"request_id":"x"}"#, 422),
        (long.as_str(), 413),
    ] {
        let (status, answer) = world.raw(&[JSON], body).await;
        assert_eq!(status, expected, "{body:.60}: {answer}");
    }
    assert_eq!(world.shop.get("/api/sales/unknown").await.unwrap()["error"]["code"], "error_not_found");
    let sale = world.shop.sell(100, Cards::read().unwrap().uid(1), "good").await.unwrap();
    assert_eq!(sale["state"], "accepted", "{sale}");
}

#[tokio::test]
async fn one_sale_at_a_time_and_the_same_request_is_the_same_sale() {
    let world = world().await;
    let first = world.shop.begin_sale(500, "first").await.unwrap();
    assert_eq!(world.shop.begin_sale(500, "first").await.unwrap(), first, "pressed twice");
    let body =
        |cents: u64, id: &str| json!({"lines": [{"category": "0", "cents": cents}], "request_id": id}).to_string();
    assert_eq!(world.raw(&[JSON], &body(700, "second")).await.0, 409, "another sale while one waits");
    assert_eq!(world.raw(&[JSON], &body(501, "first")).await.0, 409, "the same request with another amount");
    assert_eq!(world.shop.delete(&format!("/api/sales/{first}")).await.unwrap(), 200);
    let sale = world.shop.sell(700, Cards::read().unwrap().uid(1), "second").await.unwrap();
    assert_eq!(sale["state"], "accepted", "{sale}");
    let id = sale["id"].as_str().unwrap();
    assert_eq!(world.shop.delete(&format!("/api/sales/{id}")).await.unwrap(), 409, "too late to cancel");
    world.shop.wait_until_synced().await.unwrap();
    assert_eq!(world.hub.owed("biocoop-platanes").unwrap(), 700);
}

#[tokio::test]
async fn the_command_line_sells_and_tells_how_the_terminal_is() {
    let world = world().await;
    let mut sell = world.shop.command(&["sell", "--cents", "300", "--json"]).unwrap();
    let selling = std::thread::spawn(move || cabas_tests::program::run(&mut sell).unwrap());
    world.shop.wait("the sale", |status| status["sale"]["id"].as_str().map(str::to_owned)).await.unwrap();
    let card = world.shop.tap(Cards::read().unwrap().uid(1)).unwrap();
    let said = selling.join().unwrap();
    card.remove();
    assert_eq!(said.json().unwrap()["state"], "accepted", "{said:?}");
    let status = world.shop.said(&["status"]).unwrap();
    assert!(status.out.contains("Biocoop des Platanes"), "{status:?}");
    let test_page = world.shop.said(&["printer", "test"]).unwrap();
    assert_eq!(test_page.code, Some(0), "{test_page:?}");
    let printed = world.shop.printer.wait_for_receipts(1).unwrap();
    assert!(printed[0].text().contains("é è à ç œ €"), "{}", printed[0].text());
    let close = world.shop.post("/api/day-close", &json!({})).await.unwrap();
    assert_eq!((close.0, &close.1["sales"], &close.1["fund_cents"]), (200, &json!(1), &json!(300)), "{}", close.1);
    let again = world.shop.said(&["close", "year"]).unwrap();
    assert_eq!(again.out.lines().count(), 2, "the day was closed: {again:?}");
    let closings = world.shop.said(&["--json", "closings"]).unwrap().json().unwrap();
    assert_eq!(closings["closings"][0]["perpetual_cents"], 300, "{closings}");
    let history = world.shop.said(&["history", "--number", "1"]).unwrap();
    assert!(history.code == Some(0) && history.out.contains("sale 000001"), "{history:?}");
    assert_eq!(world.shop.said(&["history", "--day", "x&stan=1"]).unwrap().code, Some(1));
    let export = world.shop.said(&["journal", "export", "--csv"]).unwrap();
    assert!(export.code == Some(0) && export.out.contains("Sale"), "{export:?}");
    assert_eq!(world.shop.said(&["sell", "--cents", "0"]).unwrap().code, Some(1));
    assert_eq!(world.shop.said(&["sell"]).unwrap().code, Some(2));
    assert_eq!(world.shop.said(&["journal", "verify", "--root", "00"]).unwrap().code, Some(1));
}
