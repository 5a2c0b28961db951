//! A shop checks what it is paid against its own signed journal, through the real programs.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::integer_division,
    clippy::arithmetic_side_effects,
    reason = "test code"
)]

use std::path::Path;

use cabas_tests::example::Cards;
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::shop::Shop;
use serde_json::{Value, json};

const SHOP: &str = "biocoop-platanes";
const OTHER_SHOP: &str = "biocoop-bachut";

fn checked(shop: &Shop, file: &Path) -> (Option<i32>, Value, String) {
    let file = file.display().to_string();
    let said = shop.said(&["journal", "verify", "--settlement", &file, "--json"]).unwrap();
    (said.code, serde_json::from_str(&said.out).unwrap_or_default(), said.err)
}

#[tokio::test]
async fn a_shop_checks_its_statement_line_by_line_and_notices_another_journals() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::with_example_fund(&dir.path().join("hub")).unwrap();
    hub.credit("2026-11").unwrap();
    let (http, cards) = (http_client().unwrap(), Cards::read().unwrap());
    let shop = Shop::enrolled(&dir.path().join("shop"), &http, &hub, SHOP).await.unwrap();
    // A second terminal of the same shop, and a sale of it: a line that is not the first one's to check.
    let second = Shop::enrolled(&dir.path().join("second"), &http, &hub, SHOP).await.unwrap();
    for (cents, card, request) in [(1_250, 1, "one"), (835, 2, "two")] {
        assert_eq!(shop.sell(cents, cards.uid(card), request).await.unwrap()["state"], "accepted");
    }
    assert_eq!(second.sell(400, cards.uid(3), "three").await.unwrap()["state"], "accepted");
    shop.wait_until_synced().await.unwrap();
    second.wait_until_synced().await.unwrap();
    hub.ok(&["settlement", "close", "--by", "Ada", "--approved-by", "Bo"]).unwrap();
    assert_eq!(shop.sell(60, cards.uid(1), "after the cut").await.unwrap()["state"], "accepted");
    shop.wait_until_synced().await.unwrap();

    let file = dir.path().join("statement.cose");
    let path = file.display().to_string();
    let written = hub.ok(&["settlement", "statement", "1", "--shop", SHOP, "--out", &path]).unwrap();
    assert_eq!((&written["lines"], &written["payout_cents"]), (&json!(3), &json!(2_485)), "{written}");
    let again = hub.said(&["settlement", "statement", "1", "--shop", SHOP, "--out", &path]).unwrap();
    assert_eq!(again.code, Some(1), "a file that is there is not written over");
    for (number, code, says) in [("1", OTHER_SHOP, "no statement"), ("7", SHOP, "no statement"), ("1", "x", "shop")] {
        let other = dir.path().join("none").display().to_string();
        let said = hub.said(&["settlement", "statement", number, "--shop", code, "--out", &other]).unwrap();
        assert!(said.code == Some(1) && said.err.contains(says), "{said:?}");
    }

    let (code, found, err) = checked(&shop, &file);
    let found = &found["settlement"];
    assert_eq!((code, &found["agrees"]), (Some(0), &json!(true)), "{found} {err}");
    let rows = found["rows"].as_array().unwrap();
    assert_eq!(rows.iter().map(|row| row["settled_cents"].as_u64().unwrap()).collect::<Vec<_>>(), [1_250, 835]);
    assert!(rows.iter().all(|row| row["verdict"] == "same" && row["own_cents"] == row["settled_cents"]), "{rows:?}");
    assert_eq!((&found["lines_of_others"], &found["later_sales"]), (&json!(1), &json!(1)), "{found}");
    assert_eq!(found["later_cents"], 60);
    assert_eq!(checked(&second, &file).0, Some(0));

    // One flipped byte, a file of another kind, none at all: said, and never taken for a statement.
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() >> 1;
    bytes[middle] ^= 1;
    let bent = dir.path().join("bent.cose");
    std::io::Write::write_all(&mut std::fs::File::create(&bent).unwrap(), &bytes).unwrap();
    for file in [bent.as_path(), Path::new("/dev/null"), &dir.path().join("missing")] {
        let (code, _, err) = checked(&shop, file);
        assert!(code == Some(1) && err.contains("statement"), "{file:?}: {err}");
    }
    hub.verify().unwrap();
}
