//! Every state of the cashier's page and of the member's display, in Chromium windows of three sizes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use cabas_tests::counter::{Counter, FOREIGN, Screens};
use cabas_tests::program::pictures;
use serde_json::json;

const ENTER: &str = "\u{e007}";
/// The card of a household of one.
const ALONE: usize = 7;

/// A sale is over and the card gone; the windows are back at the amount.
async fn next(counter: &Counter, screens: &Screens) {
    counter.quiet().await.unwrap();
    screens.back_to_amount().await.unwrap();
}

#[tokio::test]
async fn every_state_of_a_sale_is_clear_to_the_cashier_and_neutral_to_bystanders_at_every_size() {
    let counter = Counter::open(Vec::new()).await.unwrap();
    let screens = Screens::open(&counter.shop.url()).await.unwrap();
    let display = Screens::open(&format!("{}/customer", counter.shop.url())).await.unwrap();
    screens.look("ready", "Encaisser").await.unwrap();
    display.look("member-idle", "Bonjour").await.unwrap();

    screens.small().unwrap().keys("body", &format!("12,5{ENTER}")).await.unwrap();
    screens.look("waiting", "Présentez la carte").await.unwrap();
    display.look("member-amount", "12,50").await.unwrap();
    let card = counter.tap(1).unwrap();
    screens.look("unproven", "Accepté, carte non prouvée").await.unwrap();
    display.look("member-thanks", "Merci").await.unwrap();
    counter.take_away(card).await.unwrap();
    next(&counter, &screens).await;

    screens.small().unwrap().keys("body", &format!("9{ENTER}")).await.unwrap();
    screens.look("waiting-again", "Présentez la carte").await.unwrap();
    let card = counter.shop.tap(&FOREIGN).unwrap();
    screens.look("declined", "Paiement non abouti").await.unwrap();
    for (name, window) in screens.windows() {
        let shown = window.text("#sale").await.unwrap();
        assert!(!shown.contains("connue"), "{name}: the reason is not the cashier's: {shown}");
    }
    display.look("member-declined", "Paiement non abouti").await.unwrap();
    display.click(".why").await.unwrap();
    display.look("member-why", "Cette carte n'est pas connue ici").await.unwrap();
    counter.take_away(card).await.unwrap();
    screens.click("#turn").await.unwrap();
    screens.look("turned", "Paiement non abouti").await.unwrap();
    screens.click("#member-back").await.unwrap();
    next(&counter, &screens).await;

    screens.small().unwrap().keys("body", &format!("abc{ENTER}")).await.unwrap();
    screens.small().unwrap().wait_for_text("Indiquez un montant").await.unwrap();
    screens.close().await.unwrap();
    display.close().await.unwrap();
}

#[tokio::test]
async fn a_payment_in_part_is_offered_to_the_member_alone_and_only_when_asked() {
    let counter = Counter::open(Vec::new()).await.unwrap();
    let screens = Screens::open(&counter.shop.url()).await.unwrap();
    let display = Screens::open(&format!("{}/customer", counter.shop.url())).await.unwrap();
    screens.look("part-ready", "Encaisser").await.unwrap();
    // A household of one has 150 €, and a plain card may pay as much at once.
    let first = counter.shop.begin_sale(10_000, "most of it").await.unwrap();
    let card = counter.tap(ALONE).unwrap();
    assert_eq!(counter.shop.sale_over(&first).await.unwrap()["state"], "accepted");
    counter.take_away(card).await.unwrap();
    next(&counter, &screens).await;
    screens.small().unwrap().keys("body", &format!("60{ENTER}")).await.unwrap();
    display.look("member-large", "60,00").await.unwrap();
    let card = counter.tap(ALONE).unwrap();
    screens.look("offer", "Le membre choisit sur son écran").await.unwrap();
    display.look("member-choice", "Un choix vous attend ici").await.unwrap();
    for (_, window) in display.windows() {
        let shown = window.text("body").await.unwrap();
        assert!(!shown.contains("La caisse paie"), "nothing of the part unasked: {shown}");
    }
    display.click(".look").await.unwrap();
    display.look("member-offer", "La caisse paie").await.unwrap();
    display.small().unwrap().click(".decline").await.unwrap();
    screens.look("offer-declined", "Vente annulée").await.unwrap();
    display.look("member-after-offer", "Bonjour").await.unwrap();
    counter.take_away(card).await.unwrap();
    next(&counter, &screens).await;

    // The member agrees: the cashier is told what is left to be paid by other means, and no more.
    screens.small().unwrap().keys("body", &format!("60{ENTER}")).await.unwrap();
    display.small().unwrap().wait_for_text("60,00").await.unwrap();
    let card = counter.tap(ALONE).unwrap();
    display.small().unwrap().wait_for_text("Un choix vous attend ici").await.unwrap();
    display.small().unwrap().click(".look").await.unwrap();
    display.small().unwrap().wait_for_text("La caisse paie").await.unwrap();
    display.small().unwrap().click(".accept").await.unwrap();
    screens.look("part", "par un autre moyen 10,00").await.unwrap();
    display.look("member-part-thanks", "Merci").await.unwrap();
    counter.take_away(card).await.unwrap();
    assert_eq!(counter.sales().await.unwrap(), 2);
    screens.close().await.unwrap();
    display.close().await.unwrap();
}

#[tokio::test]
async fn what_no_card_here_can_play_is_shown_as_well() {
    let counter = Counter::open(vec![("CABAS_AGENT_SALE_TIMEOUT_S".to_owned(), "5".to_owned())]).await.unwrap();
    let screens = Screens::open(&counter.shop.url()).await.unwrap();
    screens.look("timeout-ready", "Encaisser").await.unwrap();
    counter.shop.begin_sale(400, "late").await.unwrap();
    screens.look("timed-out", "Aucune carte présentée à temps").await.unwrap();
    next(&counter, &screens).await;
    for (state, words) in [
        ("failed", "La vente n'a pas pu être enregistrée"),
        ("accepted", "Accepté"),
        ("in_doubt", "Présentez à nouveau"),
    ] {
        let sale = json!({ "id": "0000000000000001", "state": state, "cents": 123_456, "proven": true, "fund_cents": 100_000,
            "member_cents": 23_456, "lines": [], "message_fr": words, "message_en": words });
        // What is asked from here on is not answered: the agent knows no such sale.
        screens.script("window.fetch = () => new Promise(() => {})").await.unwrap();
        screens
            .script(&format!("return import('/assets/sale.js').then((page) => page.showSale({sale}))"))
            .await
            .unwrap();
        screens.look(state, words).await.unwrap();
        screens.script("return import('/assets/sale.js').then((page) => page.showSale(null))").await.unwrap();
    }
    screens.close().await.unwrap();
}

#[tokio::test]
async fn panels_and_the_page_of_help_are_whole_at_every_size_and_tell_what_is_wrong() {
    let mut counter = Counter::open(Vec::new()).await.unwrap();
    let id = counter.shop.begin_sale(1250, "one").await.unwrap();
    let card = counter.tap(1).unwrap();
    counter.shop.sale_over(&id).await.unwrap();
    counter.take_away(card).await.unwrap();
    let screens = Screens::open(&counter.shop.url()).await.unwrap();
    screens.click("[data-open=today]").await.unwrap();
    screens.look("today", "12,50").await.unwrap();
    screens.click(".entry").await.unwrap();
    screens.look("entry", "Rembourser").await.unwrap();
    screens.script("document.querySelectorAll('#ask-buttons button')[1].click()").await.unwrap();
    screens.look("refund", "Rembourser ces montants").await.unwrap();
    screens.script("document.querySelector('#ask').close()").await.unwrap();
    screens.click("[data-open=day]").await.unwrap();
    screens.look("day", "Clôturer le mois").await.unwrap();
    screens.click("#close-day").await.unwrap();
    screens.look("day-sure", "pour toujours").await.unwrap();
    screens.script("document.querySelector('#ask').close()").await.unwrap();
    screens.click("[data-open=tools]").await.unwrap();
    screens.look("tools", "scellées par fichier").await.unwrap();
    screens.small().unwrap().click("#tool-balance").await.unwrap();
    screens.small().unwrap().wait_for_text("Approchez la carte").await.unwrap();
    screens.small().unwrap().click("#member-back").await.unwrap();

    counter.hub.kill_9().unwrap();
    counter.shop.pcscd.kill().unwrap();
    counter.shop.wait("the page to know", |status| (status["hub"]["reachable"] == false).then_some(())).await.unwrap();
    screens.click("[data-open=till]").await.unwrap();
    screens.look("wrong", "Hors ligne").await.unwrap();
    counter.shop.kill_9().unwrap();
    screens.look("gone", "Le programme du terminal ne répond pas").await.unwrap();
    screens.close().await.unwrap();
    counter.shop.start().await.unwrap();
    for (language, title) in [("fr", "Cabas en une page"), ("en", "Cabas on one page")] {
        let help = Screens::open(&format!("{}/help?lang={language}", counter.shop.url())).await.unwrap();
        help.look(&format!("help-{language}"), title).await.unwrap();
        let file = pictures().unwrap().join(format!("help-{language}.pdf"));
        let pdf = help.small().unwrap().print(&file).await.unwrap();
        let pages = String::from_utf8_lossy(&pdf).matches("/MediaBox [0 0 59").count();
        assert_eq!(pages, 1, "one sheet of A4");
        help.close().await.unwrap();
    }
}
