//! A purse card at the page in a real Chromium: what cashier and member are told of a debit that nobody answered for.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use cabas_tests::browser::Browser;
use cabas_tests::counter::{Screens, wait_script};
use cabas_tests::example::Cards;
use cabas_tests::program::pictures;
use cabas_tests::purse_shop::{PurseShop, SHOP};
use cabas_tests::virtual_card::{Tear, VirtualCard};

/// The commit is the eighth APDU of a purchase.
const COMMIT: usize = 8;

#[tokio::test]
async fn a_torn_card_payment_is_shown_in_doubt_until_the_same_card_comes_and_is_accepted_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = PurseShop::open(dir.path(), Vec::new()).await.unwrap();
    let page = Browser::open(800, 480).await.unwrap();
    page.goto(&world.shop.url()).await.unwrap();
    page.wait_for_text("Encaisser").await.unwrap();
    let display = Browser::open(800, 480).await.unwrap();
    display.goto(&format!("{}/customer", world.shop.url())).await.unwrap();
    for (number, language, in_doubt, same_card, accepted) in [
        (1, "fr", "Présentez à nouveau la même carte", "Présentez la même carte", "Accepté"),
        (2, "en", "Present the same card again", "Present the same card", "Accepted"),
    ] {
        if language == "en" {
            page.click("#language").await.unwrap();
        }
        page.keys("body", "7\u{e007}").await.unwrap();
        page.wait_for_text(if language == "en" { "7.00" } else { "7,00" }).await.unwrap();
        world.chip.tear_at(COMMIT, Tear::AnswerLost);
        let torn = VirtualCard::insert(world.shop.pcscd.port(0, 0).unwrap(), world.chip.clone()).unwrap();
        page.wait_for_text(in_doubt).await.unwrap();
        let shown = page.text("#sale").await.unwrap();
        assert!(!shown.contains(accepted), "{shown}");
        page.screenshot(&pictures().unwrap().join(format!("cashier-doubt-{language}.png"))).await.unwrap();
        if language == "fr" {
            display.wait_for_text("Présentez à nouveau la même carte").await.unwrap();
            display.screenshot(&pictures().unwrap().join("customer-doubt.png")).await.unwrap();
        }
        torn.remove();
        let gone = |status: &serde_json::Value| (status["reader"]["card_present"] != true).then_some(());
        world.shop.wait("the card to be gone", gone).await.unwrap();
        // Another card settles nothing.
        let other = world.shop.tap(&[4, 9, 9, 9]).unwrap();
        page.wait_for_text(same_card).await.unwrap();
        other.remove();
        world.shop.wait("the card to be gone", gone).await.unwrap();
        assert!(!page.text("#sale").await.unwrap().contains(accepted));
        let again = VirtualCard::insert(world.shop.pcscd.port(0, 0).unwrap(), world.chip.clone()).unwrap();
        page.wait_for_text(accepted).await.unwrap();
        page.screenshot(&pictures().unwrap().join(format!("cashier-doubt-accepted-{language}.png"))).await.unwrap();
        again.remove();
        assert_eq!(
            (world.spent().unwrap(), world.records().unwrap()),
            (700 * number, usize::try_from(number).unwrap())
        );
        world.shop.wait("the card to be gone", gone).await.unwrap();
        page.click("#next").await.unwrap();
    }
    world.shop.wait_until_synced().await.unwrap();
    assert_eq!(world.hub.owed(SHOP).unwrap(), 1400, "each sale once");
    world.hub.verify().unwrap();
    world.shop.stop().unwrap();
    page.close().await.unwrap();
    display.close().await.unwrap();
}

#[tokio::test]
async fn after_a_doubt_that_is_left_for_later_the_same_amount_typed_again_waits_for_a_card_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = PurseShop::open(dir.path(), Vec::new()).await.unwrap();
    let gone = |status: &serde_json::Value| (status["reader"]["card_present"] != true).then_some(());
    let screens = Screens::open(&world.shop.url()).await.unwrap();
    let display = Screens::open(&format!("{}/customer", world.shop.url())).await.unwrap();
    let page = screens.small().unwrap();
    page.wait_for_text("Encaisser").await.unwrap();
    page.keys("body", "7\u{e007}").await.unwrap();
    page.wait_for_text("7,00").await.unwrap();
    world.chip.tear_at(COMMIT, Tear::AnswerLost);
    let torn = VirtualCard::insert(world.shop.pcscd.port(0, 0).unwrap(), world.chip.clone()).unwrap();
    screens.look("card-in-doubt", "Présentez à nouveau la même carte").await.unwrap();
    display.look("card-in-doubt-member", "Présentez à nouveau la même carte").await.unwrap();
    torn.remove();
    world.shop.wait("the card to be gone", gone).await.unwrap();
    page.click("#next").await.unwrap();
    page.wait_for_text("Montant").await.unwrap();
    let stands = |status: &serde_json::Value| (status["sale"].is_null()).then(|| status["doubts"].clone());
    let doubts = world.shop.wait("the doubt to be set aside", stands).await.unwrap();
    assert_eq!(doubts.as_array().unwrap().len(), 1, "{doubts}");

    // Another customer, the same amount: it is another sale, which only this customer's card pays.
    page.keys("body", "7\u{e007}").await.unwrap();
    wait_script(page, "return document.getElementById('sale').dataset.state", &"waiting".into()).await.unwrap();
    let begun = world.shop.get("/api/status").await.unwrap()["sale"].clone();
    assert_eq!(begun["state"], "waiting", "{begun}");
    assert_ne!(begun["id"], doubts[0]["id"]);
    let card = world.shop.tap(Cards::read().unwrap().uid(2)).unwrap();
    page.wait_for_text("Accepté").await.unwrap();
    card.remove();
    world.shop.wait_until_synced().await.unwrap();
    let after = world.shop.get("/api/status").await.unwrap();
    assert_eq!(after["doubts"].as_array().unwrap().len(), 1, "the first sale still waits for its own card");
    assert_eq!(world.hub.owed(SHOP).unwrap(), 700);
    assert_eq!(world.spent().unwrap(), 700, "the torn card has counted it, and is owed nothing twice");
    screens.close().await.unwrap();
    display.close().await.unwrap();
    world.shop.stop().unwrap();
}
