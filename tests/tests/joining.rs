//! A shop joins, stops and leaves, through the real programs.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use std::path::Path;

use cabas_tests::example::Cards;
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::shop::Shop;
use serde_json::json;

fn write(file: &Path, bytes: &[u8]) -> String {
    std::io::Write::write_all(&mut std::fs::File::create(file).unwrap(), bytes).unwrap();
    file.display().to_string()
}

#[tokio::test]
async fn a_shop_joins_sells_pauses_and_hands_its_money_back() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::with_example_fund(&dir.path().join("hub")).unwrap();
    hub.credit("2026-11").unwrap();
    let joining = |arguments: &[&str]| hub.ok(&[&["joining"], arguments].concat()).unwrap()["stage"].clone();
    let refused = |arguments: &[&str], says: &str| {
        let said = hub.said(arguments).unwrap();
        assert!(said.code == Some(1) && said.err.contains(says), "{arguments:?}: {said:?}");
    };
    let proposal =
        ["propose", "ferme", "--name", "Ferme des Œillets", "--kind", "market-gardener", "--grid", "producer"];
    assert_eq!(joining(&[&proposal[..], &["--by", "Ada"]].concat()), "proposed");
    refused(&["terminal", "add", "--shop", "ferme"], "only an open shop has terminals");
    refused(&["joining", "open", "ferme", "--by", "Ada"], "next may be: paired, closed");
    refused(&["joining", "pair", "ferme", "--by", "Ada", "--member", "Bo", "--member", "bo "], "two or three");
    assert_eq!(joining(&["pair", "ferme", "--by", "Ada", "--member", "Bo", "--member", "Cy"]), "paired");
    let pdf = write(&dir.path().join("visite.pdf"), b"%PDF-1.7\nquestionnaire");
    let elf = write(&dir.path().join("visite.png"), b"\x7fELF\x02\x01\x01\0");
    let empty = write(&dir.path().join("empty.pdf"), b"");
    refused(&["joining", "visit", "ferme", "--by", "Bo"], "--document");
    refused(&["joining", "visit", "ferme", "--by", "Bo", "--document", &elf], "none of PDF");
    refused(&["joining", "visit", "ferme", "--by", "Bo", "--document", &empty], "empty");
    refused(&["joining", "visit", "ferme", "--by", "Bo", "--document", &pdf, "--on", "2021-01-01"], "before the step");
    assert_eq!(joining(&["visit", "ferme", "--by", "Bo", "--document", &pdf]), "visited");
    assert_eq!(joining(&["present", "ferme", "--by", "Cy"]), "presented");
    let decide = ["decide", "ferme", "--by", "Session", "--how"];
    assert_eq!(joining(&[&decide[..], &["objection", "--words", "trop loin"]].concat()), "objected");
    assert_eq!(joining(&["present", "ferme", "--by", "Cy"]), "presented");
    assert_eq!(joining(&[&decide[..], &["amendment", "--words", "un an à l'essai"]].concat()), "presented");
    assert_eq!(joining(&[&decide[..], &["consent"]].concat()), "accepted");
    assert_eq!(joining(&["sign", "ferme", "--by", "Ada", "--words", "classeur 3"]), "signed");
    assert_eq!(joining(&["open", "ferme", "--by", "Ada"]), "open");

    let shown = hub.ok(&["joining", "show", "ferme"]).unwrap();
    let steps = shown["steps"].as_array().unwrap();
    assert_eq!((steps.len(), &steps[2]["documents"][0]["is_kept"]), (10, &json!(true)), "{shown}");
    let kept = hub.data_dir().join("documents").join(steps[2]["documents"][0]["hash"].as_str().unwrap());
    assert_eq!(std::fs::read(&kept).unwrap(), std::fs::read(&pdf).unwrap());

    let shop = Shop::enrolled(&dir.path().join("shop"), &http_client().unwrap(), &hub, "ferme").await.unwrap();
    let cards = Cards::read().unwrap();
    assert_eq!(shop.sell(700, cards.uid(1), "open").await.unwrap()["state"], "accepted");
    assert_eq!(joining(&["suspend", "ferme", "--by", "Ada", "--words", "travaux"]), "suspended");
    let reserved = || {
        let shown = hub.ok(&["purse", "show", "--household", "F001"]).unwrap();
        let slices = shown["slices"].as_array().unwrap().clone();
        slices.iter().map(|slice| slice["left_cents"].as_u64().unwrap()).sum::<u64>()
    };
    cabas_tests::program::wait_for("the money to come back", || Ok((reserved() == 0).then_some(()))).unwrap();
    let sale = json!({ "lines": [{ "category": "0", "cents": 100 }], "request_id": "paused" });
    assert_eq!(shop.post("/api/sales", &sale).await.unwrap().0, 409, "its terminal pauses");
    assert_eq!(hub.owed("ferme").unwrap(), 700, "what was sold is owed");
    refused(&["terminal", "add", "--shop", "ferme"], "suspended");
    hub.verify().unwrap();
    assert_eq!(joining(&["open", "ferme", "--by", "Ada"]), "open");
    while shop.post("/api/sales", &sale).await.unwrap().0 == 409 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let open = shop.begin_sale(100, "paused").await.unwrap();
    assert!(shop.delete(&format!("/api/sales/{open}")).await.unwrap() < 300);
    assert_eq!(shop.sell(300, cards.uid(1), "again").await.unwrap()["state"], "accepted");
    shop.wait_until_synced().await.unwrap();
    assert_eq!(joining(&["close", "ferme", "--by", "Ada", "--words", "fini"]), "closed");
    refused(&["joining", "open", "ferme", "--by", "Ada"], "cannot be opened");
    assert_eq!(hub.owed("ferme").unwrap(), 1_000);
    hub.verify().unwrap();
}
