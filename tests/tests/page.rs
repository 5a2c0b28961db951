//! The pages in a real Chromium, as a cashier and an admin use them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use cabas_tests::browser::Browser;
use cabas_tests::example::Cards;
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::program::pictures;
use cabas_tests::shop::Shop;

#[tokio::test]
async fn a_cashier_sells_by_typing_the_amount_and_the_page_tells_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = Hub::with_example_fund(&dir.path().join("hub")).unwrap();
    hub.credit("2026-11").unwrap();
    let http = http_client().unwrap();
    let shop = Shop::enrolled(&dir.path().join("shop"), &http, &hub, "biocoop-platanes").await.unwrap();
    let cards = Cards::read().unwrap();
    let page = Browser::open(800, 480).await.unwrap();
    page.goto(&shop.url()).await.unwrap();
    page.wait_for_text("Encaisser").await.unwrap();
    page.screenshot(&pictures().unwrap().join("cashier-ready.png")).await.unwrap();

    let display = Browser::open(800, 480).await.unwrap();
    display.goto(&format!("{}/customer", shop.url())).await.unwrap();

    page.keys("body", "12,5\u{e007}").await.unwrap();
    page.wait_for_text("12,50").await.unwrap();
    display.wait_for_text("12,50").await.unwrap();
    display.screenshot(&pictures().unwrap().join("customer-amount.png")).await.unwrap();
    page.screenshot(&pictures().unwrap().join("cashier-waiting.png")).await.unwrap();
    let card = shop.tap(cards.uid(1)).unwrap();
    page.wait_for_text("Accepté").await.unwrap();
    page.screenshot(&pictures().unwrap().join("cashier-accepted.png")).await.unwrap();
    display.wait_for_text("Merci").await.unwrap();
    display.screenshot(&pictures().unwrap().join("customer-thanks.png")).await.unwrap();
    card.remove();

    // The network goes: the page says so, and sells on.
    hub.kill_9().unwrap();
    shop.wait("the page to know", |status| (status["hub"]["reachable"] == false).then_some(())).await.unwrap();
    page.goto(&shop.url()).await.unwrap();
    page.wait_for_text("Hors ligne").await.unwrap();
    page.screenshot(&pictures().unwrap().join("cashier-offline.png")).await.unwrap();

    // Everything on the page came from the agent itself.
    let foreign = page
        .script("return performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith(location.origin))")
        .await
        .unwrap();
    assert_eq!(foreign, serde_json::json!([]));
    page.close().await.unwrap();
    display.close().await.unwrap();
}

/// Holds back the next answer about the terminal's state until the page is told to go on.
const HOLD: &str = "const fetched = window.fetch;
    const held = new Promise((go) => { window.goOn = go; });
    window.fetch = async (path, options) => {
      const answer = await fetched(path, options);
      if (path === '/api/status') { window.isHeld = true; await held; }
      return answer;
    };
    document.getElementById('language').click();
    document.getElementById('language').click();";

#[tokio::test]
async fn a_late_answer_does_not_set_a_sale_back_that_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::with_example_fund(&dir.path().join("hub")).unwrap();
    hub.credit("2026-11").unwrap();
    let shop = Shop::enrolled(dir.path(), &http_client().unwrap(), &hub, "biocoop-platanes").await.unwrap();
    let cards = Cards::read().unwrap();
    let page = Browser::open(800, 480).await.unwrap();
    page.goto(&shop.url()).await.unwrap();
    page.wait_for_text("Encaisser").await.unwrap();
    page.keys("body", "12,5\u{e007}").await.unwrap();
    page.wait_for_text("12,50").await.unwrap();
    page.script(HOLD).await.unwrap();
    while page.script("return window.isHeld === true").await.unwrap() != serde_json::json!(true) {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let card = shop.tap(cards.uid(1)).unwrap();
    page.wait_for_text("Accepté").await.unwrap();
    // The answer is of the time when the card was not there yet.
    page.script("window.goOn()").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert!(page.text("#sale").await.unwrap().contains("Accepté"), "{}", page.text("#sale").await.unwrap());
    card.remove();
    // What the page was not told it asks for.
    let set_back =
        "const [{ showSale }, { app }] = await Promise.all([import('/assets/sale.js'), import('/assets/app.js')]);
        showSale({ ...app.sale, state: 'authorizing', message_fr: 'Un instant' });
        document.getElementById('language').click();
        document.getElementById('language').click();
        return document.getElementById('sale-message').textContent";
    assert_eq!(page.script(set_back).await.unwrap(), "Un instant");
    page.wait_for_text("Accepté").await.unwrap();
    page.close().await.unwrap();
}
