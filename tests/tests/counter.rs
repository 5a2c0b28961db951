//! Who is at the counter, and training, through the real programs: a code, a lock, played sales with real cards, a power cut,
//! and a hub that hears of it and owes nothing for it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use cabas_tests::purse_shop::{PurseShop, SHOP};
use cabas_tests::shop::Shop;
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::Stdio;

/// Adds a cashier as an administrator does, the code on standard input; gives exit code and what was complained of.
fn add_cashier(shop: &Shop, number: &str, label: &str, code: &str) -> (Option<i32>, String) {
    let mut command = shop.command(&["cashier", "add", number, "--label", label, "--code-stdin"]).unwrap();
    let streams = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = streams.spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{code}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

async fn post(shop: &Shop, path: &str, body: Value) -> (u16, Value) {
    shop.post(path, &body).await.unwrap()
}

/// Who does not know that the terminal trains is told so, and of no sale; the shell too.
async fn who_does_not_know_is_told(shop: &Shop) {
    let sale = json!({ "lines": [{ "category": "0", "cents": 1250 }], "request_id": "unaware" });
    let (status, refused) = post(shop, "/api/sales", sale).await;
    assert_eq!((status, &refused["error"]["code"]), (409, &json!("error_training")));
    let sold = shop.said(&["sell", "--cents", "1250"]).unwrap();
    assert!(sold.code == Some(1) && sold.err.contains("formation") && !sold.out.contains("accepted"), "{sold:?}");
}

#[tokio::test]
async fn a_cashier_unlocks_trains_with_a_real_card_and_the_hub_hears_that_nothing_was_sold() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = PurseShop::open(dir.path(), vec![]).await.unwrap();
    let shop = &world.shop;
    assert_eq!(shop.get("/api/status").await.unwrap()["locked"], false);
    let (code, said) = add_cashier(shop, "3", "Léa", "12");
    assert!(code == Some(1) && said.contains("4 to 8 digits"), "{said}");
    assert_eq!(add_cashier(shop, "3", "Léa", "1234").0, Some(0));
    let (code, said) = add_cashier(shop, "4", "", "1234");
    assert!(code == Some(1) && said.contains("another cashier has this code"), "{said}");
    let listed = shop.said(&["--json", "cashier", "list"]).unwrap();
    let list: Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!(list, json!({ "cashiers": [{ "number": 3, "label": "Léa" }] }));

    // The running program locks, for people and for the shell.
    assert_eq!(shop.get("/api/status").await.unwrap()["locked"], true);
    let sale = json!({ "lines": [{ "category": "0", "cents": 100 }], "request_id": "locked" });
    let (status, refused) = post(shop, "/api/sales", sale).await;
    assert_eq!((status, &refused["error"]["code"]), (423, &json!("error_locked")));
    let sold = shop.said(&["sell", "--cents", "100"]).unwrap();
    assert!(sold.code == Some(1) && sold.err.contains("423"), "{sold:?}");
    let (status, wrong) = post(shop, "/api/cashier", json!({ "code": "4321" })).await;
    assert_eq!((status, &wrong["error"]["code"]), (403, &json!("error_code_wrong")));
    let (status, cashier) = post(shop, "/api/cashier", json!({ "code": "1234" })).await;
    assert_eq!((status, cashier), (200, json!({ "number": 3, "label": "Léa" })));

    // A real card in training is not written to, and the paper says that it has no value.
    let spent = world.spent().unwrap();
    assert_eq!(post(shop, "/api/training", json!({ "on": true })).await, (200, json!({ "training": true })));
    who_does_not_know_is_told(shop).await;
    let id = shop.begin_played(1250, "played").await.unwrap();
    let played = shop.hold_until_over(&id, &world.chip).await.unwrap();
    assert_eq!((&played["state"], &played["training"]), (&json!("accepted"), &json!(true)), "{played}");
    assert_eq!(world.spent().unwrap(), spent);
    let id = played["id"].as_str().unwrap();
    let (status, printed) = post(shop, &format!("/api/sales/{id}/receipt"), json!({})).await;
    assert_eq!(status, 202, "{printed}");
    let text = shop.printer.wait_for_receipts(1).unwrap()[0].text();
    assert_eq!(text.matches("FORMATION – SANS VALEUR").count(), 2, "{text}");
    let id = shop.begin_played(500, "doubted").await.unwrap();
    let (status, doubted) = post(shop, &format!("/api/sales/{id}/play"), json!({ "outcome": "in_doubt" })).await;
    assert_eq!((status, &doubted["state"]), (200, &json!("in_doubt")));

    // A power cut in the middle of it.
    world.shop.kill_9().unwrap();
    world.shop.start().await.unwrap();
    let shop = &world.shop;
    let status = shop.get("/api/status").await.unwrap();
    assert_eq!((&status["cashier"]["number"], &status["training"]), (&json!(3), &json!(true)), "{status}");
    assert_eq!(
        (&status["locked"], &status["doubts"], &status["unsynced"]["count"]),
        (&json!(false), &json!([]), &json!(0))
    );
    assert_eq!(post(shop, "/api/training", json!({ "on": false })).await.0, 200);

    let played = shop.said(&["sell", "--cents", "700", "--training"]).unwrap();
    assert!(played.code == Some(1) && played.err.contains("409"), "nothing is played any more: {played:?}");

    // What is real afterwards is sold, once.
    let id = shop.begin_sale(700, "real").await.unwrap();
    let real = world.present_until_accepted(&id).await.unwrap();
    assert_eq!(real["training"], Value::Null);
    assert_eq!(world.spent().unwrap(), spent.checked_add(700).unwrap());
    assert_eq!(shop.delete("/api/cashier").await.unwrap(), 200);
    shop.wait_until_synced().await.unwrap();
    assert_eq!(world.hub.owed(SHOP).unwrap(), 700);
    world.hub.verify().unwrap();
    world.shop.stop().unwrap();
    let verified = world.shop.said(&["journal", "verify"]).unwrap();
    assert_eq!(verified.code, Some(0), "{verified:?}");
    let exported = world.shop.said(&["--json", "journal", "export"]).unwrap();
    for (kind, times) in [("\"Training\"", 2), ("\"CashierChange\"", 2), ("\"Sale\"", 1)] {
        assert_eq!(exported.out.matches(kind).count(), times, "{kind} in {}", exported.out);
    }
    assert!(
        !exported.out.contains("Léa") && !world.shop.log().contains("1234"),
        "labels and codes stay where they are"
    );
    world.shop.start().await.unwrap();
    assert_eq!(world.shop.get("/api/status").await.unwrap()["locked"], true, "as it was left");
}
