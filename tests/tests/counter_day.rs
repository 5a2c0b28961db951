//! The day at the page: running totals, closings each confirmed by itself, their papers, and what was done another day.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use cabas_tests::counter::{Counter, Screens};

#[tokio::test]
async fn the_day_is_looked_at_closed_listed_and_printed_and_a_sale_is_found_by_its_number() {
    let counter = Counter::open(Vec::new()).await.unwrap();
    for (name, cents) in [("one", 1250), ("two", 800)] {
        let id = counter.shop.begin_sale(cents, name).await.unwrap();
        let card = counter.tap(1).unwrap();
        assert_eq!(counter.shop.sale_over(&id).await.unwrap()["state"], "accepted");
        counter.take_away(card).await.unwrap();
    }
    let screens = Screens::open(&counter.shop.url()).await.unwrap();
    screens.click("[data-open=day]").await.unwrap();
    screens.look("day-running", "20,50").await.unwrap();
    let page = screens.small().unwrap();
    page.click("#day-print").await.unwrap();
    let printed = counter.shop.printer.wait_for_receipts(1).unwrap();
    assert!(printed[0].text().contains("ne vaut pas clôture"), "{}", printed[0].text());
    // Said no, nothing is closed; said yes, the month closes its day first.
    page.click("#close-month").await.unwrap();
    page.click("#ask-buttons button:nth-child(2)").await.unwrap();
    assert_eq!(counter.shop.get("/api/closings?limit=5").await.unwrap()["closings"], serde_json::json!([]));
    page.click("#close-month").await.unwrap();
    page.click("#ask-buttons .main").await.unwrap();
    page.wait_for_text("Mois clos").await.unwrap();
    let closings = counter.shop.get("/api/closings?limit=5").await.unwrap();
    assert_eq!(closings["closings"].as_array().unwrap().len(), 2, "{closings}");
    screens.look("day-closed", "Journée 1").await.unwrap();
    page.click("#closings button").await.unwrap();
    let printed = counter.shop.printer.wait_for_receipts(2).unwrap();
    assert!(printed[1].text().contains("CLÔTURE DU MOIS"), "{}", printed[1].text());

    screens.click("[data-open=today]").await.unwrap();
    page.keys("#stan", "2\u{e007}").await.unwrap();
    page.wait_for_text("8,00").await.unwrap();
    assert!(!page.text("#today").await.unwrap().contains("12,50"));
    screens.look("history", "8,00").await.unwrap();
    page.keys("#stan", "\u{e003}999\u{e007}").await.unwrap();
    page.wait_for_text("Rien trouvé").await.unwrap();
    page.click("#search-today").await.unwrap();
    page.wait_for_text("12,50").await.unwrap();
    screens.close().await.unwrap();
}
