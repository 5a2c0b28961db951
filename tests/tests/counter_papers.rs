//! Papers of closings as pictures, printed by the real agent on both widths, and the hub's page that checks a receipt without
//! paper. The pictures lie beside the others, to be looked at.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use cabas_tests::browser::Browser;
use cabas_tests::counter::{Counter, Screens};
use cabas_tests::example::Cards;
use cabas_tests::program::pictures;
use cabas_tests::site::{AXE, axe};
use cabas_tests::virtual_printer::DecodedReceipt;
use cabas_tests::virtual_printer::picture::{html, sticking_out};
use serde_json::json;

/// A shop with paper of one width sells, closes the month and prints everything in French, then in English.
async fn printed(width_mm: &str) -> Vec<DecodedReceipt> {
    let width = vec![("CABAS_AGENT_PRINTER_WIDTH_MM".to_owned(), width_mm.to_owned())];
    let counter = Counter::open(width).await.unwrap();
    let shop = &counter.shop;
    let cards = Cards::read().unwrap();
    for (cents, request) in [(1250, "one"), (730, "two")] {
        assert_eq!(shop.sell(cents, cards.uid(1), request).await.unwrap()["state"], "accepted");
    }
    for language in ["fr", "en"] {
        let body = json!({ "language": language });
        assert_eq!(shop.post("/api/day/receipt", &body).await.unwrap().0, 202);
    }
    let (status, closed) = shop.post("/api/day-close", &json!({ "period": "month" })).await.unwrap();
    assert_eq!(status, 200, "{closed}");
    let closed = closed["closed"].as_array().unwrap().clone();
    assert_eq!(closed.iter().map(|one| one["period"].clone()).collect::<Vec<_>>(), ["day", "month"]);
    for one in &closed {
        for language in ["fr", "en"] {
            let path = format!("/api/closings/{}/receipt", one["seq"]);
            assert_eq!(shop.post(&path, &json!({ "language": language })).await.unwrap().0, 202);
        }
    }
    shop.printer.wait_for_receipts(6).unwrap()
}

#[tokio::test]
async fn papers_of_closings_are_drawn_as_the_printer_would_and_nothing_sticks_out() {
    let mut papers = Vec::new();
    for (width_mm, columns) in [("58", 32), ("80", 48)] {
        papers.push((printed(width_mm).await, columns));
    }
    let folder = pictures().unwrap();
    let browser = Browser::open(1_020, 1_400).await.unwrap();
    browser.goto("data:text/html,<title>closing</title>").await.unwrap();
    let titles =
        ["ÉTAT EN COURS", "RUNNING TOTALS", "CLÔTURE DU JOUR", "DAY CLOSING", "CLÔTURE DU MOIS", "MONTH CLOSING"];
    for (at, title) in titles.into_iter().enumerate() {
        let mut drawn = String::new();
        for (out, columns) in &papers {
            let out = &out[at];
            let text = out.text().replace('\u{a0}', " ");
            assert!(text.contains(title), "{title} in\n{text}");
            let sum = if at % 2 == 0 { "19,80 €" } else { "€19.80" };
            assert!(out.lines.iter().any(|line| line.text.replace('\u{a0}', " ").ends_with(sum)), "{sum} in\n{text}");
            let not_a_closing = text.contains("ne vaut pas clôture") || text.contains("not a closing");
            assert_eq!(not_a_closing, at < 2, "{text}");
            // The second paper of one closing says so.
            assert_eq!(text.contains("DUPLICATA") || text.contains("DUPLICATE"), at == 3 || at == 5, "{text}");
            for line in &out.lines {
                assert!(line.text.chars().count() <= *columns && !line.wide, "{line:?}");
            }
            assert_eq!((out.unknown.as_slice(), out.cuts), (&[][..], 1));
            drawn.push_str(&html(out, *columns));
        }
        let sticking_out = sticking_out(&browser, &drawn).await.unwrap();
        assert_eq!(sticking_out, json!([]), "{title}");
        let name = title.replace(' ', "-").to_lowercase();
        browser.screenshot(&folder.join(format!("closing-{name}.png"))).await.unwrap();
    }
    browser.close().await.unwrap();
}

#[tokio::test]
async fn who_scans_a_receipt_without_paper_sees_on_any_screen_that_it_is_authentic() {
    let counter = Counter::open(Vec::new()).await.unwrap();
    let sold = counter.shop.sell(1250, Cards::read().unwrap().uid(1), "scanned").await.unwrap();
    counter.shop.wait_until_synced().await.unwrap();
    let told = counter.shop.get(&format!("/api/today/{}/e-receipt", sold["seq"])).await.unwrap();
    let screens = Screens::open(told["url"].as_str().unwrap()).await.unwrap();
    let axe = axe().unwrap();
    for (size, window) in screens.windows() {
        window.wait_for_text("Authentique").await.unwrap();
        window.wait_for_text("12,50").await.unwrap();
        window.screenshot(&pictures().unwrap().join(format!("e-receipt-{size}.png"))).await.unwrap();
        window.script(&axe).await.unwrap();
        assert_eq!(window.script(AXE).await.unwrap(), json!([]), "{size}");
        let wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert_eq!(window.script(wide).await.unwrap(), json!(0), "{size}: no scroll to the side");
        // What was asked about stands in no address.
        assert_eq!(window.script("return location.hash").await.unwrap(), json!(""), "{size}");
    }
    screens.close().await.unwrap();
}
