//! Training, cashiers and the lock at the page, and the tests of reader and printer.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use std::io::Write as _;
use std::process::Stdio;

use cabas_tests::counter::{Counter, Screens};
use serde_json::json;

const ENTER: &str = "\u{e007}";

#[tokio::test]
async fn a_trainee_sees_every_state_on_marked_screens_and_nothing_is_sold() {
    let counter = Counter::open(Vec::new()).await.unwrap();
    let screens = Screens::open(&counter.shop.url()).await.unwrap();
    let display = Screens::open(&format!("{}/customer", counter.shop.url())).await.unwrap();
    screens.look("before-training", "Encaisser").await.unwrap();
    let page = screens.small().unwrap();
    page.click("[data-open=tools]").await.unwrap();
    page.click("#tool-training").await.unwrap();
    page.click("#ask-buttons .main").await.unwrap();
    screens.look("training-ready", "FORMATION – SANS VALEUR").await.unwrap();
    display.look("training-member", "FORMATION – SANS VALEUR").await.unwrap();
    assert_eq!(page.script("return document.title").await.unwrap(), json!("FORMATION – Cabas – caisse"));
    for (nth, state, words) in [
        (1, "accepted", "Accepté"),
        (2, "unproven", "Accepté, carte non prouvée"),
        (3, "declined", "Paiement non abouti"),
        (4, "offer", "Le membre choisit sur son écran"),
        (5, "in-doubt", "Présentez à nouveau la même carte"),
    ] {
        page.keys("body", &format!("{nth}{ENTER}")).await.unwrap();
        screens.look(&format!("training-waiting-{nth}"), "que fait la carte").await.unwrap();
        page.click(&format!("#play button:nth-of-type({nth})")).await.unwrap();
        screens.look(&format!("training-{state}"), words).await.unwrap();
        display.look(&format!("training-member-{state}"), "FORMATION").await.unwrap();
        if nth == 4 {
            display.small().unwrap().click(".look").await.unwrap();
            display.small().unwrap().wait_for_text("La caisse paie").await.unwrap();
            display.small().unwrap().click(".accept").await.unwrap();
        }
        if nth >= 4 {
            // The same card again: what waits is played to its end.
            counter.shop.wait("the choice", |status| (status["sale"]["state"] != "offer").then_some(())).await.unwrap();
            let waits = counter.shop.get("/api/status").await.unwrap()["sale"].is_object();
            if waits {
                page.click("#play button:nth-of-type(1)").await.unwrap();
            }
        }
        counter.quiet().await.unwrap();
        screens.back_to_amount().await.unwrap();
    }
    assert_eq!(counter.sales().await.unwrap(), 0);
    page.click("[data-open=tools]").await.unwrap();
    page.click("#tool-training").await.unwrap();
    counter.shop.wait("the end of the training", |status| (status["training"] == false).then_some(())).await.unwrap();
    page.wait_for_text("Montant").await.unwrap();
    assert!(!page.text("body").await.unwrap().contains("FORMATION"));
    screens.close().await.unwrap();
    display.close().await.unwrap();
}

#[tokio::test]
async fn a_locked_counter_shows_and_sells_nothing_until_a_cashier_types_the_code() {
    let counter = Counter::open(Vec::new()).await.unwrap();
    let mut add = counter.shop.command(&["cashier", "add", "3", "--label", "Léa", "--code-stdin"]).unwrap();
    let mut adding = add.stdin(Stdio::piped()).spawn().unwrap();
    adding.stdin.take().unwrap().write_all(b"4821\n").unwrap();
    assert!(adding.wait().unwrap().success());
    counter.shop.wait("the code", |status| (status["cashiers_set"] == true).then_some(())).await.unwrap();
    let screens = Screens::open(&counter.shop.url()).await.unwrap();
    let page = screens.small().unwrap();
    screens.look("locked", "Verrouillé : tapez votre code").await.unwrap();
    page.keys("body", &format!("1111{ENTER}")).await.unwrap();
    page.wait_for_text("Ce code n'est celui de personne ici").await.unwrap();
    for key in ["4", "8", "2", "1"] {
        page.click(&format!("[data-key='{key}']")).await.unwrap();
    }
    page.click("#code-send").await.unwrap();
    screens.look("unlocked", "Léa").await.unwrap();
    page.keys("body", &format!("6{ENTER}")).await.unwrap();
    page.wait_for_text("Présentez la carte").await.unwrap();
    let card = counter.tap(1).unwrap();
    page.wait_for_text("Accepté").await.unwrap();
    counter.take_away(card).await.unwrap();
    page.click("[data-open=tools]").await.unwrap();
    screens.look("tools-cashier", "Léa").await.unwrap();
    page.click("#tool-printer").await.unwrap();
    let printed = counter.shop.printer.wait_for_receipts(1).unwrap();
    assert!(printed[0].text().contains("é è à ç œ €"), "{}", printed[0].text());
    page.click("#tool-reader").await.unwrap();
    page.wait_for_text("rien ne sera payé").await.unwrap();
    let card = counter.tap(1).unwrap();
    page.wait_for_text("carte simple de la caisse").await.unwrap();
    counter.take_away(card).await.unwrap();
    page.click("#tool-lock").await.unwrap();
    screens.look("locked-again", "Verrouillé").await.unwrap();
    // Nothing typed is no try, and who unlocks begins anew.
    for _ in 0..6 {
        page.click("#code-send").await.unwrap();
    }
    page.keys("body", &format!("4821{ENTER}")).await.unwrap();
    screens.look("unlocked-again", "Montant").await.unwrap();
    for (size, window) in screens.windows() {
        assert!(!window.text("body").await.unwrap().contains("Accepté"), "{size}");
    }
    assert_eq!(counter.sales().await.unwrap(), 1);
    screens.close().await.unwrap();
}
