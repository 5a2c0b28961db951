//! Whatever a hand does to the page, one sale is one sale: pressed twice, held down, in two windows, loaded again.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use cabas_tests::browser::Browser;
use cabas_tests::counter::{Counter, wait_script};
use serde_json::json;

const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";

/// The card pays what waits, and nothing more was sold than that.
async fn pay(counter: &Counter, page: &Browser, sales: usize) {
    let card = counter.tap(1).unwrap();
    page.wait_for_text("Accepté").await.unwrap();
    counter.take_away(card).await.unwrap();
    assert_eq!(counter.sales().await.unwrap(), sales);
    counter.quiet().await.unwrap();
}

async fn key(page: &Browser, kind: &str, repeats: bool) {
    let key = json!({ "type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r", "autoRepeat": repeats });
    page.devtools("Input.dispatchKeyEvent", &key).await.unwrap();
}

#[tokio::test]
async fn pressed_twice_held_down_or_loaded_again_in_the_middle_it_is_one_sale() {
    let counter = Counter::open(Vec::new()).await.unwrap();
    let page = counter.page(800, 480).await.unwrap();

    page.keys("body", "1").await.unwrap();
    let spot = "const box = document.getElementById('charge').getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]";
    let spot = page.script(spot).await.unwrap();
    for (clicks, kind) in [(1, "mousePressed"), (1, "mouseReleased"), (2, "mousePressed"), (2, "mouseReleased")] {
        let mouse = json!({ "type": kind, "x": spot[0], "y": spot[1], "button": "left", "clickCount": clicks });
        page.devtools("Input.dispatchMouseEvent", &mouse).await.unwrap();
    }
    page.wait_for_text("Présentez la carte").await.unwrap();
    pay(&counter, &page, 1).await;

    // Held down, from the amount to the answer and beyond: neither cancelled nor sold again.
    page.keys("body", "2").await.unwrap();
    key(&page, "keyDown", false).await;
    page.wait_for_text("Présentez la carte").await.unwrap();
    for _ in 0..30 {
        key(&page, "keyDown", true).await;
    }
    assert!(page.text("#sale").await.unwrap().contains("Présentez la carte"));
    let card = counter.tap(1).unwrap();
    page.wait_for_text("Accepté").await.unwrap();
    for _ in 0..30 {
        key(&page, "keyDown", true).await;
    }
    assert!(page.text("#sale").await.unwrap().contains("Accepté"), "the answer stays on the screen");
    key(&page, "keyUp", false).await;
    counter.take_away(card).await.unwrap();
    assert_eq!(counter.sales().await.unwrap(), 2);

    // The page comes back where it was: what was typed, the sale under way, and how it ended.
    page.keys("body", "3,4").await.unwrap();
    page.reload().await.unwrap();
    wait_script(&page, "return document.getElementById('amount').value", &json!("3,4")).await.unwrap();
    page.keys("body", &format!("5{ENTER}")).await.unwrap();
    page.wait_for_text("Présentez la carte").await.unwrap();
    page.reload().await.unwrap();
    page.wait_for_text("Présentez la carte").await.unwrap();
    assert!(page.text("#sale").await.unwrap().contains("3,45"));
    page.back().await.unwrap();
    page.wait_for_text("3,45").await.unwrap();
    pay(&counter, &page, 3).await;
    page.reload().await.unwrap();
    page.wait_for_text("Accepté").await.unwrap();
    // The next digit begins the next sale, without a word in between.
    page.keys("body", "7").await.unwrap();
    wait_script(&page, "return document.getElementById('amount').value", &json!("7")).await.unwrap();
    page.close().await.unwrap();
}

#[tokio::test]
async fn two_windows_and_two_keyboards_make_one_sale_and_both_show_it() {
    let counter = Counter::open(Vec::new()).await.unwrap();
    let (one, other) = (counter.page(800, 480).await.unwrap(), counter.page(1366, 768).await.unwrap());
    one.keys("body", "6").await.unwrap();
    other.keys("body", "8").await.unwrap();
    let (first, second) = tokio::join!(one.keys("body", ENTER), other.keys("body", ENTER));
    first.unwrap();
    second.unwrap();
    one.wait_for_text("Présentez la carte").await.unwrap();
    other.wait_for_text("Présentez la carte").await.unwrap();
    let shown = "return document.getElementById('sale-amount').textContent";
    assert_eq!(one.script(shown).await.unwrap(), other.script(shown).await.unwrap(), "both show the one that waits");
    pay(&counter, &one, 1).await;
    other.wait_for_text("Accepté").await.unwrap();
    // Whose amount did not become the sale still has it; a digit begins anew.
    for page in [&one, &other] {
        page.keys("body", "4").await.unwrap();
        wait_script(page, "return document.getElementById('amount').value", &json!("4")).await.unwrap();
    }
    one.close().await.unwrap();
    other.close().await.unwrap();
}

#[tokio::test]
async fn a_sale_that_is_cancelled_before_the_card_takes_no_card_after_it() {
    let counter = Counter::open(Vec::new()).await.unwrap();
    let page = counter.page(800, 480).await.unwrap();
    page.keys("body", &format!("9{ENTER}")).await.unwrap();
    page.wait_for_text("Présentez la carte").await.unwrap();
    page.keys("body", ESCAPE).await.unwrap();
    page.wait_for_text("Vente annulée").await.unwrap();
    let card = counter.tap(1).unwrap();
    counter
        .shop
        .wait("the card to be seen", |status| (status["reader"]["card_present"] == true).then_some(()))
        .await
        .unwrap();
    assert_eq!(counter.sales().await.unwrap(), 0);
    assert!(page.text("#sale").await.unwrap().contains("Vente annulée"));
    counter.take_away(card).await.unwrap();
    // Cancel and card at once: whatever came first, page and journal say the same.
    for round in 0..4 {
        page.keys("body", &format!("2{ENTER}")).await.unwrap();
        let before = counter.sales().await.unwrap();
        let id = |status: &serde_json::Value| status["sale"]["id"].as_str().map(str::to_owned);
        let id = counter.shop.wait("the sale", id).await.unwrap();
        page.wait_for_text("Présentez la carte").await.unwrap();
        let card = counter.tap(1).unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(60 * round)).await;
        page.keys("body", ESCAPE).await.unwrap();
        let over = counter.shop.sale_over(&id).await.unwrap();
        counter.quiet().await.unwrap();
        let accepted = over["state"] == "accepted";
        assert_eq!(counter.sales().await.unwrap() - before, usize::from(accepted), "{over}");
        // The result stays, or was put away by a key that came after it.
        let shown = page.text("body").await.unwrap();
        assert!(accepted || !shown.contains("Accepté,"), "{shown}");
        assert!(!accepted || !shown.contains("Vente annulée"), "{shown}");
        counter.take_away(card).await.unwrap();
    }
    page.close().await.unwrap();
}

#[tokio::test]
async fn a_programs_sale_of_two_lines_in_one_category_is_filled_in_again_with_their_sum() {
    let counter = Counter::open(Vec::new()).await.unwrap();
    let page = counter.page(800, 480).await.unwrap();
    let lines = [750, 200].map(|cents| serde_json::json!({ "category": "0", "cents": cents }));
    let body = serde_json::json!({ "lines": lines, "request_id": "two-lines" });
    let (status, sale) = counter.shop.post("/api/sales", &body).await.unwrap();
    assert_eq!(status, 201, "{sale}");
    page.wait_for_text("Présentez la carte").await.unwrap();
    page.keys("body", ESCAPE).await.unwrap();
    page.wait_for_text("Vente annulée").await.unwrap();
    wait_script(&page, "return !document.getElementById('retry').hidden", &true.into()).await.unwrap();
    // A click at once could be meant for what stood there before.
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    page.click("#retry").await.unwrap();
    wait_script(&page, "return document.getElementById('amount').value", &"9,50".into()).await.unwrap();
    page.close().await.unwrap();
}

#[tokio::test]
async fn after_the_battery_was_pulled_in_the_middle_the_page_says_that_nothing_was_paid_or_how_it_ended() {
    let mut counter = Counter::open(Vec::new()).await.unwrap();
    let page = counter.page(800, 480).await.unwrap();
    page.keys("body", &format!("9{ENTER}")).await.unwrap();
    page.wait_for_text("Présentez la carte").await.unwrap();
    counter.shop.kill_9().unwrap();
    page.goto("about:blank").await.unwrap();
    counter.shop.start().await.unwrap();
    page.goto(&counter.shop.url()).await.unwrap();
    page.wait_for_text("La vente en cours a été interrompue et rien n'a été payé").await.unwrap();
    assert_eq!(counter.sales().await.unwrap(), 0);

    page.keys("body", &format!("9{ENTER}")).await.unwrap();
    page.wait_for_text("Présentez la carte").await.unwrap();
    // The screen goes first; the card is taken while nobody looks.
    page.goto("about:blank").await.unwrap();
    let card = counter.tap(1).unwrap();
    counter.quiet().await.unwrap();
    counter.take_away(card).await.unwrap();
    counter.shop.kill_9().unwrap();
    counter.shop.start().await.unwrap();
    page.goto(&counter.shop.url()).await.unwrap();
    page.wait_for_text("Accepté").await.unwrap();
    assert_eq!(counter.sales().await.unwrap(), 1);
    page.close().await.unwrap();
}

/// Before the page begins: while it is away, what it asks is done and the answer is lost, and it hears of no sale.
const AWAY: &str = "
    window.away = false;
    const fetched = window.fetch;
    window.fetch = async (...asked) => {
        const answer = await fetched(...asked);
        if (window.away) throw new TypeError('lost');
        return answer;
    };
    const listen = EventTarget.prototype.addEventListener;
    EventSource.prototype.addEventListener = function (name, hear) {
        listen.call(this, name, (event) => { if (!window.away) hear(event); });
    };";

#[tokio::test]
async fn a_page_that_lost_the_answer_to_a_sale_shows_how_it_ended_once_it_is_back() {
    let counter = Counter::open(Vec::new()).await.unwrap();
    let page = counter.page(800, 480).await.unwrap();
    page.devtools("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": AWAY })).await.unwrap();
    page.reload().await.unwrap();
    page.wait_for_text("Encaisser").await.unwrap();

    page.script("window.away = true").await.unwrap();
    page.keys("body", &format!("4{ENTER}")).await.unwrap();
    page.wait_for_text("ne répond pas").await.unwrap();
    let card = counter.tap(1).unwrap();
    counter.quiet().await.unwrap();
    counter.take_away(card).await.unwrap();
    assert_eq!(counter.sales().await.unwrap(), 1);
    page.script("window.away = false").await.unwrap();
    page.wait_for_text("Accepté").await.unwrap();
    assert_eq!(page.script("return document.getElementById('amount').value").await.unwrap(), "");

    // Another amount is another sale, and the one that was paid is in the list.
    page.keys("body", &format!("5{ENTER}")).await.unwrap();
    page.wait_for_text("Présentez la carte").await.unwrap();
    pay(&counter, &page, 2).await;
    page.close().await.unwrap();
}
