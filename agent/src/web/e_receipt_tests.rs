//! Receipts without paper, as the page asks for them.
#![allow(clippy::arithmetic_side_effects, reason = "places in a picture of the test's own")]

use super::*;
use cabas_protocol::FundId;
use cabas_protocol::e_receipt::{EReceipt, EReceiptKind, of_text};

fn fund_of(shop: &Shop) -> FundId {
    shop.fund.context().fund
}

/// The receipt of a row, its signature checked; and its address.
async fn receipt(shop: &Shop, seq: &Value) -> (EReceipt, String) {
    let (status, told) = shop.call("GET", &format!("/api/today/{seq}/e-receipt"), json!({})).await;
    assert_eq!((status, &told["valid"]), (200, &json!(true)), "{told}");
    let url = told["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with("http://127.0.0.1:1/r#"), "{url}");
    let signed = of_text(&url).unwrap();
    (signed.verify(shop.fund.signer().public(), fund_of(shop)).unwrap().into_payload(), url)
}

#[tokio::test]
async fn sale_reversal_and_refund_have_a_signed_receipt_and_nothing_else_has() {
    let shop = shop(5000, false, Duration::from_secs(60)).await;
    let sale = shop.sell("a", 1000).await;
    let (told, url) = receipt(&shop, &sale["seq"]).await;
    assert_eq!((told.kind, told.stan.to_string()), (EReceiptKind::Sale, sale["stan"].as_str().unwrap().to_owned()));
    assert_eq!((told.fund().unwrap(), u64::from(told.seq.get())), (cents(1000), sale["seq"].as_u64().unwrap()));
    *shop.clock.lock().unwrap() = moment(1, 60);
    assert_eq!(receipt(&shop, &sale["seq"]).await.1, url, "the same for ever");

    let refund = json!({ "sale": "a", "lines": [{ "cents": 300 }], "request_id": "f" });
    let refund = shop.call("POST", "/api/refunds", refund).await.1;
    let (told, _) = receipt(&shop, &refund["seq"]).await;
    assert_eq!((told.kind, told.fund().unwrap()), (EReceiptKind::Refund, cents(300)));

    shop.sell("b", 700).await;
    let undone = shop.call("POST", "/api/sales/b/reversal", json!({ "request_id": "r" })).await.1;
    let (told, _) = receipt(&shop, &undone["seq"]).await;
    assert_eq!((told.kind, told.fund().unwrap()), (EReceiptKind::Reversal, cents(700)));

    for seq in [1, 9999] {
        for path in [format!("/api/today/{seq}/e-receipt"), format!("/api/today/{seq}/e-receipt.svg")] {
            assert_eq!(code(&shop.call("GET", &path, json!({})).await), (404, "error_not_found"), "{path}");
        }
    }
    for path in ["/api/today/x/e-receipt", "/api/today/-1/e-receipt.svg"] {
        assert_eq!(shop.call("GET", path, json!({})).await.0, 400, "{path}");
    }
}

#[tokio::test]
async fn the_code_is_a_picture_with_a_quiet_zone_that_no_cache_keeps() {
    let shop = shop(5000, false, Duration::from_secs(60)).await;
    let sale = shop.sell("a", 1000).await;
    let told = shop.call("GET", &format!("/api/today/{}/e-receipt", sale["seq"]), json!({})).await.1;
    let url = format!("{}{}", shop.url, told["svg"].as_str().unwrap());
    let answer = shop.http.get(url).send().await.unwrap();
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((header("content-type"), header("cache-control")), ("image/svg+xml".into(), "no-store".into()));
    let svg = answer.text().await.unwrap();
    assert!(svg.contains("<svg") && svg.contains("#fff") && !svg.contains("href"), "{svg}");
    // Four light modules of four pixels before the first dark one.
    assert!(svg.contains("M16 16"), "{svg}");
}

/// The modules of a code, drawn: `qrcode` writes each run of dark ones as a rectangle of one path.
fn drawn(svg: &str) -> (usize, Vec<bool>) {
    let number = |text: &str| text.parse::<usize>().unwrap();
    let (_, rest) = svg.split_once("width=\"").unwrap();
    let side = number(rest.split('"').next().unwrap());
    let mut dark = vec![false; side * side];
    let (_, rest) = svg.rsplit_once(" d=\"").unwrap();
    for part in rest.split('"').next().unwrap().split('M').skip(1) {
        let (at, rest) = part.split_once('h').unwrap();
        let (x, y) = at.split_once(' ').unwrap();
        let (width, rest) = rest.split_once('v').unwrap();
        let height = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap();
        for row in number(y)..number(y) + number(height) {
            for column in number(x)..number(x) + number(width) {
                dark[row * side + column] = true;
            }
        }
    }
    (side, dark)
}

#[tokio::test]
async fn another_decoder_reads_the_address_from_the_picture() {
    let shop = shop(5000, false, Duration::from_secs(60)).await;
    let sale = shop.sell("a", 1000).await;
    let told = shop.call("GET", &format!("/api/today/{}/e-receipt", sale["seq"]), json!({})).await.1;
    let svg = shop.http.get(format!("{}{}", shop.url, told["svg"].as_str().unwrap())).send().await.unwrap();
    let (side, dark) = drawn(&svg.text().await.unwrap());
    let shade = |x: usize, y: usize| if dark[y * side + x] { 0 } else { 255 };
    let mut picture = rqrr::PreparedImage::prepare_from_greyscale(side, side, shade);
    let codes = picture.detect_grids();
    assert_eq!(codes.len(), 1);
    assert_eq!(codes[0].decode().unwrap().1, told["url"].as_str().unwrap());
}
