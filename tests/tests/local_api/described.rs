//! Every route of the local API, once well and with whatever it refuses, held against its document.

use std::collections::BTreeSet;
use std::time::Duration;

use cabas_tests::counter::FOREIGN;
use cabas_tests::example::Cards;
use cabas_tests::ports::free_port;
use reqwest::Method;
use serde_json::{Value, json};

use super::{JSON, World, world_with};

/// Codes that other tests bring about, for they need a fault, a clock, a crowd or a purse card.
const ELSEWHERE: [&str; 27] = [
    // Faults of the disk, of randomness and of our own.
    "journal_disk_full",
    "journal_read_only",
    "journal_io_error",
    "journal_corrupt",
    "journal_other",
    "error_receipt",
    "error_phones_write",
    "error_phones_random",
    "error_phones_not_there",
    "error_no_reader",
    "error_printer_busy",
    // A crowd, a full list, a body that creeps (the telephones' door).
    "error_overloaded",
    "error_phones_full",
    "error_too_slow",
    "error_pair_spent",
    // A minute without a card, another configuration.
    "error_no_card",
    "error_phones_off",
    "error_printer_off",
    // What only another day, another enrolment or a purse card's count brings.
    "undo_terminal",
    "undo_too_late",
    "undo_card_counts",
    "undo_nothing_paid",
    "undo_too_large",
    "sale_nothing_covered",
    "sale_too_large",
    "error_paused",
    "error_in_doubt",
];

/// Bodies that are asked for without a body of their own.
fn body(text: &Value) -> Option<&Value> {
    (!text.is_null()).then_some(text)
}

struct Caller<'w> {
    world: &'w World,
}

impl Caller<'_> {
    async fn ask(&self, method: &str, path: &str, sent: Value) -> (u16, Value) {
        let method: Method = method.parse().unwrap();
        let mut request = self.world.http.request(method.clone(), format!("{}{path}", self.world.shop.url()));
        if method == Method::POST {
            request = request.header(JSON.0, JSON.1);
        }
        if let Some(sent) = body(&sent) {
            request = request.body(sent.to_string());
        }
        self.world.checked(request.timeout(Duration::from_secs(20)), method.as_str(), path).await
    }

    async fn is(&self, (method, path): (&str, &str), sent: Value, expected: (u16, &str)) -> Value {
        let (status, value) = self.ask(method, path, sent).await;
        let code = value["error"]["code"].as_str().unwrap_or_default();
        assert_eq!((status, code), expected, "{method} {path}: {value}");
        value
    }

    async fn refused(&self, cases: &[(&str, &str, Value, u16, &str)]) {
        for (method, path, sent, status, code) in cases {
            self.is((method, path), sent.clone(), (*status, code)).await;
        }
    }

    async fn file(&self, path: &str) {
        self.ask("GET", path, Value::Null).await;
    }
}

fn sale(cents: u64, id: &str) -> Value {
    json!({ "lines": [{ "category": "0", "cents": cents }], "request_id": id })
}

fn played(id: &str) -> Value {
    json!({ "lines": [{ "category": "0", "cents": 500 }], "request_id": id, "training": true })
}

#[tokio::test]
async fn the_documents_own_examples_are_of_the_form_that_it_describes() {
    let world = world_with(vec![("CABAS_AGENT_PRINTER".to_owned(), String::new())]).await;
    let caller = Caller { world: &world };
    caller.is(("POST", "/api/printer/test"), json!({}), (503, "error_printer_off")).await;
    caller.is(("POST", "/api/phones/code"), json!({}), (404, "error_phones_off")).await;
    let mut examples = 0;
    for (path, method, operation) in world.document.operations() {
        let responses = operation["responses"].as_object().unwrap().values().map(|one| world.document.response(one));
        for holder in responses.chain([operation["requestBody"].clone()]) {
            let content = &holder["content"]["application/json"];
            if !content["example"].is_null() {
                examples += 1;
                let wrong = world.document.errors(&content["schema"], &content["example"]);
                assert!(wrong.is_empty(), "{method} {path}: {wrong:?}");
            }
        }
    }
    assert!(examples > 10, "{examples}");
    let wrong = json!({ "lines": [{ "cents": 1.5 }], "request_id": "x" });
    let form = json!({ "$ref": "#/components/schemas/SaleRequest" });
    assert_eq!(world.document.errors(&form, &wrong).len(), 1, "the forms refuse something");
}

#[tokio::test]
async fn every_answer_of_every_route_is_of_the_form_that_the_document_describes() {
    let door = free_port().unwrap();
    let world = world_with(vec![("CABAS_AGENT_PHONE_LISTEN".to_owned(), format!("127.0.0.1:{door}"))]).await;
    let caller = Caller { world: &world };
    for path in ["/", "/customer", "/help", "/help?lang=en", "/assets/app.js", "/assets/style.css", "/metrics"] {
        caller.file(path).await;
    }
    for path in ["/health", "/api/openapi.json", "/api/status", "/api/texts", "/api/today", "/api/day", "/api/closings"]
    {
        caller.is(("GET", path), Value::Null, (200, "")).await;
    }
    refusals(&caller).await;
    sales(&caller).await;
    undoing(&caller).await;
    papers(&caller).await;
    training(&caller).await;
    phones(&caller, door).await;
    cashiers(&caller).await;
    everything_was_seen(&world);
}

async fn refusals(caller: &Caller<'_>) {
    let none = Value::Null;
    let amount = |text: &str| json!({ "lines": [{ "amount": text }], "request_id": "bad" });
    let lines = |lines: Value| json!({ "lines": lines, "request_id": "bad" });
    caller
        .refused(&[
            ("GET", "/nowhere", none.clone(), 404, "error_unknown_path"),
            ("GET", "/assets/x.js", none.clone(), 404, "error_unknown_path"),
            ("PUT", "/api/status", none.clone(), 405, "error_method"),
            ("GET", "/api/sales/last", none.clone(), 404, "error_not_found"),
            ("GET", "/api/sales/unknown", none.clone(), 404, "error_not_found"),
            ("GET", "/api/sales/%ff", none.clone(), 400, "error_bad_path"),
            ("DELETE", "/api/sales/unknown", none.clone(), 404, "error_not_found"),
            ("GET", "/api/sales/unknown/member-side", none.clone(), 404, "error_not_found"),
            ("POST", "/api/sales/unknown/receipt", json!({}), 404, "error_not_found"),
            ("POST", "/api/sales/unknown/receipt", json!({ "language": "de" }), 400, "error_bad_json"),
            ("POST", "/api/sales/unknown/accept-part", json!({}), 404, "error_not_found"),
            ("POST", "/api/sales/unknown/reversal", json!({ "request_id": "r" }), 404, "undo_unknown_sale"),
            ("POST", "/api/sales/unknown/play", json!({ "outcome": "accepted" }), 409, "error_not_training"),
            ("GET", "/api/refunds/unknown", none.clone(), 404, "error_not_found"),
            ("POST", "/api/refunds", json!({ "sale": "x", "request_id": "r" }), 404, "undo_unknown_sale"),
            ("POST", "/api/today/x/receipt", json!({}), 400, "error_bad_path"),
            ("POST", "/api/today/4000000000/receipt", json!({}), 404, "error_not_found"),
            ("GET", "/api/today/4000000000/e-receipt", none.clone(), 404, "error_not_found"),
            ("GET", "/api/today/4000000000/e-receipt.svg", none.clone(), 404, "error_not_found"),
            ("POST", "/api/closings/4000000000/receipt", json!({}), 404, "error_no_closing"),
            ("GET", "/api/closings?limit=x", none.clone(), 400, "error_bad_query"),
            ("GET", "/api/history?day=x", none.clone(), 400, "error_bad_day"),
            ("GET", "/api/history?stan=x", none.clone(), 400, "error_bad_number"),
            ("GET", "/api/history?day=x&stan=1", none.clone(), 400, "error_bad_query"),
            ("POST", "/api/printer/kept", json!({ "action": "x" }), 400, "error_bad_json"),
            ("POST", "/api/cashier", json!({ "code": "1" }), 409, "error_no_cashiers"),
            ("DELETE", "/api/cashier", none.clone(), 409, "error_no_cashiers"),
            ("POST", "/api/training", json!({ "on": 1 }), 400, "error_bad_json"),
            ("POST", "/api/day-close", json!({ "period": "week" }), 400, "error_bad_json"),
            ("POST", "/api/sales", amount(""), 422, "amount_empty"),
            ("POST", "/api/sales", amount("١٢"), 422, "amount_foreign_digits"),
            ("POST", "/api/sales", amount("1e9"), 422, "amount_not_a_number"),
            ("POST", "/api/sales", amount("-5"), 422, "amount_negative"),
            ("POST", "/api/sales", amount("1,555"), 422, "amount_too_many_decimals"),
            ("POST", "/api/sales", amount("0"), 422, "amount_zero"),
            ("POST", "/api/sales", amount("99999999"), 422, "amount_over_limit"),
            ("POST", "/api/sales", lines(json!([])), 422, "sale_empty"),
            ("POST", "/api/sales", lines(json!(vec![json!({ "cents": 1 }); 17])), 422, "sale_too_many_lines"),
            ("POST", "/api/sales", lines(json!([{ "category": "77", "cents": 1 }])), 422, "sale_unknown_category"),
            ("POST", "/api/sales", sale(1, &"x".repeat(20_000)), 413, "error_body_too_large"),
            ("DELETE", "/api/phones/99", none.clone(), 404, "error_phone_unknown"),
            ("GET", "/api/phones/code.svg?n=99", none, 404, "error_pair_code"),
        ])
        .await;
    for (header, value, status, code) in [
        ("host", "evil.example", 421, "error_host"),
        ("origin", "null", 403, "error_origin"),
        ("content-type", "text/plain", 415, "error_content_type"),
    ] {
        for (path, method, _) in caller.world.document.operations() {
            if code == "error_content_type" && method != "post" || path.contains("pair") {
                continue;
            }
            let path = path.replace("{id}", "1").replace("{seq}", "1").replace("{name}", "app.js");
            let url = format!("{}{path}", caller.world.shop.url());
            let method: Method = method.to_uppercase().parse().unwrap();
            let request = caller.world.http.request(method.clone(), url).header(header, value).body("{}");
            let (got, body) = caller.world.checked(request, method.as_str(), &path).await;
            assert_eq!((got, body["error"]["code"].as_str()), (status, Some(code)), "{method} {path}");
        }
    }
}

async fn sales(caller: &Caller<'_>) {
    let world = caller.world;
    let begun = caller.is(("POST", "/api/sales"), sale(1250, "one"), (201, "")).await;
    let path = format!("/api/sales/{}", begun["id"].as_str().unwrap());
    caller.is(("POST", "/api/sales"), sale(1250, "one"), (200, "")).await;
    caller.is(("POST", "/api/sales"), sale(1251, "one"), (409, "error_request_conflict")).await;
    for (path, sent) in [("/api/sales", sale(1, "two")), ("/api/balance", json!({})), ("/api/reader/test", json!({}))] {
        caller.is(("POST", path), sent, (409, "error_busy")).await;
    }
    caller.is(("POST", "/api/training"), json!({ "on": true }), (409, "error_busy")).await;
    caller.is(("POST", &format!("{path}/accept-part")), json!({}), (409, "error_no_offer")).await;
    caller.is(("DELETE", &path), Value::Null, (200, "")).await;
    caller.is(("POST", &format!("{path}/receipt")), json!({}), (409, "error_not_accepted")).await;
    let declined = world.shop.sell(100, &FOREIGN, "foreign").await.unwrap();
    assert_eq!(declined["state"], "declined");
    let path = format!("/api/sales/{}", declined["id"].as_str().unwrap());
    caller.is(("GET", &path), Value::Null, (200, "")).await;
    caller.is(("GET", &format!("{path}/member-side")), Value::Null, (200, "")).await;
    let cards = Cards::read().unwrap();
    for id in ["first", "second"] {
        let sold = world.shop.sell(1250, cards.uid(1), id).await.unwrap();
        assert_eq!(sold["state"], "accepted", "{sold}");
    }
    for path in ["/api/sales/last", "/api/sales/first", "/api/today", "/api/history", "/api/history?stan=1", "/api/day"]
    {
        caller.is(("GET", path), Value::Null, (200, "")).await;
    }
    caller.is(("DELETE", "/api/sales/first"), Value::Null, (409, "error_too_late")).await;
    for (path, uid, expected) in [
        ("/api/balance", cards.uid(1), (200, "")),
        ("/api/balance", FOREIGN.as_slice(), (422, "decline_unknown_card")),
        ("/api/reader/test", FOREIGN.as_slice(), (200, "")),
    ] {
        let asked = caller.is(("POST", path), json!({}), expected);
        let tapped = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let card = world.shop.tap(uid).unwrap();
            tokio::time::sleep(Duration::from_millis(1500)).await;
            card.remove();
        };
        tokio::join!(asked, tapped);
        world.shop.wait("no card", |status| (status["reader"]["card_present"] != true).then_some(())).await.unwrap();
    }
}

async fn undoing(caller: &Caller<'_>) {
    let undo = |id: &str| json!({ "request_id": id });
    caller.is(("POST", "/api/sales/second/reversal"), undo("u"), (201, "")).await;
    caller.is(("POST", "/api/sales/second/reversal"), undo("u"), (200, "")).await;
    caller.is(("POST", "/api/sales/second/reversal"), undo("v"), (409, "undo_reversed")).await;
    caller.is(("POST", "/api/sales/first/reversal"), undo("u"), (409, "undo_request_taken")).await;
    let refund = |lines: Value, id: &str| json!({ "sale": "first", "lines": lines, "request_id": id });
    caller
        .refused(&[
            ("POST", "/api/refunds", refund(json!([]), "a"), 422, "undo_lines"),
            (
                "POST",
                "/api/refunds",
                refund(json!([{ "category": "9", "cents": 1 }]), "a"),
                422,
                "undo_unknown_category",
            ),
            ("POST", "/api/refunds", refund(json!([{ "cents": 9999 }]), "a"), 422, "undo_too_much"),
            ("POST", "/api/refunds", refund(json!([{ "cents": 250 }]), "back"), 201, ""),
            ("POST", "/api/refunds", refund(json!([{ "cents": 250 }]), "back"), 200, ""),
            ("GET", "/api/refunds/back", Value::Null, 200, ""),
            ("POST", "/api/sales/first/reversal", undo("w"), 409, "undo_refunded"),
            ("GET", "/api/sales/first", Value::Null, 200, ""),
            ("GET", "/api/today", Value::Null, 200, ""),
        ])
        .await;
}

async fn papers(caller: &Caller<'_>) {
    let first = caller.is(("GET", "/api/sales/first"), Value::Null, (200, "")).await;
    let seq = first["seq"].as_u64().unwrap();
    let closed = caller.is(("POST", "/api/day-close"), json!({ "period": "year" }), (200, "")).await;
    assert_eq!(closed["closed"].as_array().unwrap().len(), 3, "{closed}");
    caller.is(("POST", "/api/day-close"), json!({}), (200, "")).await;
    caller.is(("GET", "/api/closings?limit=2"), Value::Null, (200, "")).await;
    for (path, sent) in [
        ("/api/sales/first/receipt".to_owned(), json!({ "language": "en" })),
        (format!("/api/today/{seq}/receipt"), json!({})),
        (format!("/api/closings/{}/receipt", closed["seq"]), json!({})),
        ("/api/day/receipt".to_owned(), json!({})),
        ("/api/printer/test".to_owned(), json!({})),
        ("/api/printer/kept".to_owned(), json!({ "action": "print" })),
    ] {
        caller.is(("POST", &path), sent, (202, "")).await;
    }
    caller.is(("POST", "/api/printer/kept"), json!({ "action": "discard" }), (200, "")).await;
    caller.is(("GET", &format!("/api/today/{seq}/e-receipt")), Value::Null, (200, "")).await;
    caller.file(&format!("/api/today/{seq}/e-receipt.svg")).await;
}

async fn training(caller: &Caller<'_>) {
    caller.is(("POST", "/api/training"), json!({ "on": true }), (200, "")).await;
    for (path, sent) in [
        ("/api/balance", json!({})),
        ("/api/day-close", json!({})),
        ("/api/sales/first/reversal", json!({ "request_id": "t" })),
        ("/api/refunds", json!({ "sale": "first", "request_id": "t" })),
    ] {
        caller.is(("POST", path), sent, (409, "error_training")).await;
    }
    for outcome in ["accepted", "not_proven", "declined", "offer", "in_doubt"] {
        let begun = caller.is(("POST", "/api/sales"), played(outcome), (201, "")).await;
        let path = format!("/api/sales/{}", begun["id"].as_str().unwrap());
        caller.is(("POST", &format!("{path}/play")), json!({ "outcome": outcome }), (200, "")).await;
        caller.is(("GET", &path), Value::Null, (200, "")).await;
        match outcome {
            "declined" => {
                caller.is(("POST", &format!("{path}/receipt")), json!({}), (409, "error_not_accepted")).await;
                caller
                    .is(("POST", &format!("{path}/play")), json!({ "outcome": outcome }), (409, "error_too_late"))
                    .await;
            }
            "offer" => {
                caller.is(("GET", &format!("{path}/member-side")), Value::Null, (200, "")).await;
                caller.is(("POST", &format!("{path}/accept-part")), json!({}), (200, "")).await;
            }
            "in_doubt" => {
                caller.is(("DELETE", &path), Value::Null, (409, "error_in_doubt")).await;
            }
            _ => {}
        }
    }
    caller.is(("POST", "/api/training"), json!({ "on": false }), (200, "")).await;
}

async fn phones(caller: &Caller<'_>, door: u16) {
    let world = caller.world;
    let list = caller.is(("GET", "/api/phones"), Value::Null, (200, "")).await;
    assert_eq!(list["on"], true, "{list}");
    let code = caller.is(("POST", "/api/phones/code"), json!({}), (200, "")).await;
    caller.file(code["svg"].as_str().unwrap()).await;
    // The door is TLS with a certificate of its own; the test of telephones compares it.
    let http = reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).build().unwrap();
    let url = format!("https://127.0.0.1:{door}");
    let ask = async |method: Method, path: &str, sent: Value, cookie: &str| {
        let request = http.request(method.clone(), format!("{url}{path}")).header(JSON.0, JSON.1);
        let request = request.header("cookie", cookie).body(sent.to_string());
        world.checked(request, method.as_str(), path).await
    };
    for path in ["/pair", "/assets/pair.js"] {
        assert_eq!(ask(Method::GET, path, Value::Null, "").await.0, 200, "{path}");
    }
    assert_eq!(ask(Method::GET, "/api/status", Value::Null, "").await.0, 401);
    for (sent, status, error) in [
        (json!({ "code": "x" }), 403, "error_pair_code"),
        (json!({ "code": code["code"], "name": "x".repeat(90) }), 400, "error_phone_name"),
        (json!({}), 400, "error_bad_json"),
    ] {
        let (got, body) = ask(Method::POST, "/api/pair", sent, "").await;
        assert_eq!((got, body["error"]["code"].as_str()), (status, Some(error)));
    }
    assert_eq!(ask(Method::POST, "/api/pair", json!({ "code": code["code"], "name": "Stall" }), "").await.0, 200);
    let list = caller.is(("GET", "/api/phones"), Value::Null, (200, "")).await;
    let id = &list["phones"][0]["id"];
    caller.is(("DELETE", &format!("/api/phones/{id}")), Value::Null, (200, "")).await;
}

async fn cashiers(caller: &Caller<'_>) {
    let mut add = caller.world.shop.command(&["cashier", "add", "3", "--label", "Léa", "--code-stdin"]).unwrap();
    let mut child = add.stdin(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"1234\n").unwrap();
    assert!(child.wait().unwrap().success());
    for (path, sent) in [
        ("/api/sales", sale(100, "locked")),
        ("/api/refunds", json!({ "sale": "first", "request_id": "l" })),
        ("/api/sales/first/reversal", json!({ "request_id": "l" })),
        ("/api/balance", json!({})),
        ("/api/day-close", json!({})),
        ("/api/training", json!({ "on": true })),
        ("/api/printer/test", json!({})),
        ("/api/reader/test", json!({})),
        ("/api/phones/code", json!({})),
        ("/api/till/answer", json!({ "question": 1, "answer": "new" })),
    ] {
        caller.is(("POST", path), sent, (423, "error_locked")).await;
    }
    caller.is(("POST", "/api/cashier"), json!({ "code": "1234" }), (200, "")).await;
    caller.is(("GET", "/api/status"), Value::Null, (200, "")).await;
    caller.is(("DELETE", "/api/cashier"), Value::Null, (200, "")).await;
    let mut last = (0, String::new());
    for _ in 0..6 {
        let (status, body) = caller.ask("POST", "/api/cashier", json!({ "code": "9999" })).await;
        last = (status, body["error"]["code"].as_str().unwrap().to_owned());
    }
    assert_eq!(last, (429, "error_code_wait".to_owned()));
}

/// Each route was seen done, and each code of the document somewhere, but for those that other tests bring about.
fn everything_was_seen(world: &World) {
    let seen = world.document.seen();
    let mut unseen = Vec::new();
    let mut codes = BTreeSet::new();
    for (path, method, operation) in world.document.operations() {
        // A stream has no end: the tests of events read it. What needs a till's connection is done by the tests of tills.
        let is_seen = seen.iter().any(|(p, m, status, _)| *p == path && *m == method && *status < 300);
        if !is_seen && path != "/api/events" && !path.starts_with("/api/till/") {
            unseen.push(format!("{method} {path}"));
        }
        for response in operation["responses"].as_object().unwrap().values() {
            let response = world.document.response(response);
            codes.extend(
                response["x-codes"].as_array().into_iter().flatten().map(|code| code.as_str().unwrap().to_owned()),
            );
        }
    }
    assert_eq!(unseen, Vec::<String>::new(), "not seen done");
    let brought: BTreeSet<_> = seen.iter().map(|(.., code)| code.as_str()).chain(ELSEWHERE).collect();
    // Of what a card can be declined for, the decision's own tests have every line.
    let missing: Vec<_> =
        codes.iter().filter(|code| !code.starts_with("decline_") && !brought.contains(code.as_str())).collect();
    assert_eq!(missing, Vec::<&String>::new(), "codes that nothing brings about");
}
