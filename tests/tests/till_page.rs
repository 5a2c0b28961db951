//! Points of sale in a browser at the real agent, by hw_proxy: the unmodified JavaScript of `deploy/tills.txt` in node, a page
//! of another origin in Chromium, and what the screens show of a till's amount.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cabas_tests::browser::Browser;
use cabas_tests::counter::{Counter, FOREIGN, Screens};
use cabas_tests::ports::free_port;
use cabas_tests::tills::Asking;
use serde_json::{Value, json};

/// The addons' own files.
const ADDONS: [(&str, &str); 2] =
    [("14.0.2.1.0", "static/src/js/payment_terminal.js"), ("18.0.1.0.0.4", "static/src/app/payment_terminal.esm.js")];

async fn counter(more: Vec<(String, String)>) -> (Counter, u16) {
    let port = free_port().unwrap();
    let name = |name: &str| format!("CABAS_AGENT_TILL_HW_PROXY_{name}");
    let mut set =
        vec![(name("LISTEN"), format!("127.0.0.1:{port}")), (name("ORIGINS"), String::from("https://odoo.example"))];
    set.extend(more);
    let counter = Counter::open(set).await.unwrap();
    let there = |status: &Value| (status["till"]["listening"] == true).then_some(());
    counter.shop.wait("the tills' door", there).await.unwrap();
    (counter, port)
}

fn ask((version, file): (&str, &str), port: u16, euros: &str, key: &str) -> Asking {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder: PathBuf = root.join("../target/tills").join(version).join("x/odoo/addons/pos_payment_terminal");
    assert!(folder.exists(), "run deploy/test once: it puts the tills' programs into target/tills");
    let mut command = Command::new("node");
    command.arg(root.join("till/odoo_js.mjs")).arg(folder.join(file)).arg(port.to_string()).args([
        euros,
        key,
        "Order 00012-003-0001",
    ]);
    Asking(command.stdout(Stdio::piped()).spawn().unwrap())
}

#[tokio::test]
async fn unmodified_odoo_pages_are_told_what_was_paid_and_why_not() {
    let (counter, port) = counter(Vec::new()).await;
    for (at, addon) in ADDONS.into_iter().enumerate() {
        let key = |number: u8| {
            if at == 0 { format!("c{number}") } else { format!("0f8fad5b-d9cb-469f-a165-0000000000{number:02}") }
        };
        let asking = ask(addon, port, "68.32000000000001", &key(1));
        counter.shop.till_sale().await.unwrap();
        let card = counter.tap(1).unwrap();
        let told = asking.told().await.unwrap();
        counter.take_away(card).await.unwrap();
        assert_eq!((told["paid"].as_bool(), told["forced"].as_bool()), (Some(true), Some(false)), "{told}");
        let last = counter.shop.get("/api/sales/last").await.unwrap();
        assert_eq!(last["cents"], 6832);
        assert!(last["till_ref"].as_str().unwrap().to_uppercase().starts_with("ORDER"), "{last}");
        counter.shop.till_unconfirmed(0).await.unwrap();
        // Refused: the words reach the cashier, and never the member's reason.
        let asking = ask(addon, port, "2.00", &key(2));
        let id = counter.shop.till_sale().await.unwrap();
        let card = counter.shop.tap(&FOREIGN).unwrap();
        let told = asking.told().await.unwrap();
        counter.take_away(card).await.unwrap();
        assert_eq!((told["paid"].as_bool(), told["forced"].as_bool()), (Some(false), Some(false)), "{told}");
        assert!(told["status"].as_str().unwrap().contains("non abouti"), "{told}");
        assert_eq!(counter.shop.sale_over(&id).await.unwrap()["state"], "declined");
        // Busy, and taken back by the cashier.
        let asking = ask(addon, port, "3.00", &key(3));
        let id = counter.shop.till_sale().await.unwrap();
        let told = ask(addon, port, "4.00", &key(4)).told().await.unwrap();
        assert_eq!(told["paid"], false, "{told}");
        assert_eq!(counter.shop.delete(&format!("/api/sales/{id}")).await.unwrap(), 200);
        assert_eq!(asking.told().await.unwrap()["paid"], false);
        // An amount that the addon itself does not send.
        let told = ask(addon, port, "-2.00", &key(5)).told().await.unwrap();
        assert_eq!(told["dialogs"].as_array().unwrap().len(), 1, "{told}");
    }
    // The same payment once more: told, and not paid again.
    let told = ask(ADDONS[1], port, "68.32", "0f8fad5b-d9cb-469f-a165-000000000001").told().await.unwrap();
    assert_eq!(told["paid"], true, "{told}");
    assert_eq!(counter.sales().await.unwrap(), 2);
}

#[tokio::test]
async fn till_test_pays_once_as_a_page_does_and_says_what_that_page_would_see() {
    let (counter, _) = counter(Vec::new()).await;
    let test = |more: &[&str]| counter.shop.command(&[&["till", "test", "--by", "hw-proxy", "--json"], more].concat());
    let said = test(&[]).unwrap().output().unwrap();
    assert!(said.status.success(), "{said:?}");
    let shown: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!((&shown["probe"]["done"], &shown["origin"]), (&json!(true), &json!("https://odoo.example")));
    let asking = test(&["--amount", "1245"]).unwrap().stdout(Stdio::piped()).spawn().unwrap();
    counter.shop.till_sale().await.unwrap();
    let card = counter.tap(1).unwrap();
    let told = Asking(asking).told().await.unwrap();
    counter.take_away(card).await.unwrap();
    assert_eq!(
        (&told["debit"]["done"], &told["debit"]["answer"]["amount_msg"]),
        (&json!(true), &json!(1245)),
        "{told}"
    );
    counter.shop.till_unconfirmed(0).await.unwrap();
    // A sale is under way at the counter: the page would be refused.
    let id = counter.shop.begin_sale(300, "typed").await.unwrap();
    assert_eq!(test(&["--amount", "200"]).unwrap().output().unwrap().status.code(), Some(1));
    assert_eq!(counter.shop.delete(&format!("/api/sales/{id}")).await.unwrap(), 200);
    let said = counter.shop.said(&["till", "test", "--by", "concert"]).unwrap();
    assert!(said.code == Some(1) && said.err.contains("no till is let in so"), "{said:?}");
    assert_eq!(counter.sales().await.unwrap(), 1);
}

/// A page of another origin: it asks in every way that a page has, and says how it went.
const HOSTILE: &str = r#"<!doctype html><title>Hostile</title><p id="end"></p><script type="module">
const port = PORT, url = (verb) => `http://127.0.0.1:${port}/hw_proxy/${verb}`;
const info = JSON.stringify({ amount: 1, currency_iso: "EUR", currency_decimals: 2, payment_mode: "card", payment_id: crypto.randomUUID?.() || "x", order_id: "EVIL" });
const body = JSON.stringify({ jsonrpc: "2.0", params: { payment_info: info }, id: 1 });
const verbs = ["payment_terminal_transaction_start", "payment_terminal_transaction_start_with_return"];
const tries = [];
for (const verb of verbs) for (const type of ["application/json", "text/plain", "application/x-www-form-urlencoded"]) for (const mode of ["cors", "no-cors"])
  tries.push(fetch(url(verb), { method: "POST", mode, body, headers: { "content-type": type } }));
tries.push(fetch(url("status_json"), { method: "POST", body: "{}", headers: { "content-type": "application/json" } }), fetch(url("hello")));
for (const verb of verbs) { navigator.sendBeacon(url(verb), new Blob([body], { type: "text/plain" })); }
const ends = await Promise.all(tries.map((one) => one.then((answer) => answer.type === "opaque" ? "opaque" : "READ", () => "refused")));
document.getElementById("end").textContent = "tried " + ends.length + " " + (ends.includes("READ") ? "READ" : "nothing read");
</script>"#;

#[tokio::test]
async fn a_hostile_page_begins_nothing_and_reads_nothing() {
    let (counter, port) = counter(Vec::new()).await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut head = [0; 4096];
            drop(stream.read(&mut head));
            let page = HOSTILE.replace("PORT", &port.to_string());
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                page.len()
            );
            drop(stream.write_all(format!("{head}{page}").as_bytes()));
        }
    });
    let page = Browser::open(800, 480).await.unwrap();
    page.goto(&url).await.unwrap();
    page.wait_for_text("tried 14").await.unwrap();
    assert!(page.text("#end").await.unwrap().contains("nothing read"));
    page.close().await.unwrap();
    assert!(counter.shop.get("/api/status").await.unwrap()["sale"].is_null());
    assert_eq!(counter.sales().await.unwrap(), 0);
}

#[tokio::test]
async fn the_tills_amount_and_its_question_are_clear_at_every_size() {
    let door = free_port().unwrap();
    let till = (String::from("CABAS_AGENT_TILL_CAISSE_AP_LISTEN"), format!("127.0.0.1:{door}"));
    let (counter, port) = counter(vec![till]).await;
    let screens = Screens::open(&counter.shop.url()).await.unwrap();
    let display = Screens::open(&format!("{}/customer", counter.shop.url())).await.unwrap();
    let asking = ask(ADDONS[1], port, "12.45", "0f8fad5b-d9cb-469f-a165-000000000001");
    counter.shop.till_sale().await.unwrap();
    screens.look("till-amount", "Montant de la caisse").await.unwrap();
    display.look("till-member", "12,45").await.unwrap();
    let card = counter.tap(1).unwrap();
    assert_eq!(asking.told().await.unwrap()["paid"], true);
    counter.take_away(card).await.unwrap();
    // A till that goes before it reads, and asks again.
    let send = || {
        let mut till = std::net::TcpStream::connect(("127.0.0.1", door)).unwrap();
        till.write_all(b"CZ0040300CA00201CD0010CB003700").unwrap();
        till
    };
    let till = send();
    let id = counter.shop.till_sale().await.unwrap();
    let card = counter.tap(1).unwrap();
    assert_eq!(counter.shop.sale_over(&id).await.unwrap()["state"], "accepted");
    drop(till);
    counter.take_away(card).await.unwrap();
    counter.shop.till_unconfirmed(1).await.unwrap();
    screens.look("till-unconfirmed", "Pas confirmé par la caisse").await.unwrap();
    let mut till = send();
    screens.look("till-question", "Est-ce la même").await.unwrap();
    display.look("till-question-member", "").await.unwrap();
    screens.windows()[0].1.click("#tills button.main").await.unwrap();
    let mut answer = [0; 1024];
    let count = till.read(&mut answer).unwrap();
    assert!(String::from_utf8_lossy(&answer[..count]).contains("AE00210"));
    drop(till);
    counter.shop.till_unconfirmed(0).await.unwrap();
    assert_eq!(counter.shop.get("/api/today").await.unwrap()["entries"].as_array().map(Vec::len), Some(2));
    assert_eq!(json!(counter.sales().await.unwrap()), 2);
    // Money back: both screens ask for the card that paid, and the page can take it back.
    let mut till = std::net::TcpStream::connect(("127.0.0.1", door)).unwrap();
    till.write_all(b"CZ0040300CA00201CD0011CB003700").unwrap();
    screens.look("till-refund", "présentez la carte").await.unwrap();
    display.look("till-refund-member", "présentez la carte").await.unwrap();
    screens.windows()[0].1.click("#tills button").await.unwrap();
    let count = till.read(&mut answer).unwrap();
    assert!(String::from_utf8_lossy(&answer[..count]).contains("AE00201AF00211"));
    screens.close().await.unwrap();
    display.close().await.unwrap();
}
