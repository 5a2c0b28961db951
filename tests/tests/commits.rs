//! What a sale costs the disk, counted by strace on the real agent.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use cabas_tests::disk_syncs;
use cabas_tests::example::Cards;
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::shop::Shop;

#[tokio::test]
async fn a_sale_with_a_plain_card_costs_exactly_one_sync_of_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = Hub::with_example_fund(&dir.path().join("hub")).unwrap();
    hub.credit("2026-11").unwrap();
    let cards = Cards::read().unwrap();
    let mut shop =
        Shop::enrolled(&dir.path().join("shop"), &http_client().unwrap(), &hub, "biocoop-platanes").await.unwrap();
    // Off line, so that nothing but the sale writes.
    hub.kill_9().unwrap();
    shop.stop().unwrap();
    let trace = dir.path().join("trace");
    shop.wrapper = disk_syncs::listed_in(&trace);
    shop.start().await.unwrap();
    let syncs = || disk_syncs::counted(&trace).unwrap();
    // The first sale after a start is not the steady state.
    shop.sell(100, cards.uid(1), "first").await.unwrap();
    for number in 0..3 {
        let id = shop.begin_sale(100, &format!("counted-{number}")).await.unwrap();
        let before = syncs();
        let card = shop.tap(cards.uid(1)).unwrap();
        let sale = shop.sale_over(&id).await.unwrap();
        assert_eq!(sale["state"], "accepted", "{sale}");
        assert_eq!(syncs() - before, 1);
        card.remove();
        shop.wait("the card to be gone", |s| (s["reader"]["card_present"] != true).then_some(())).await.unwrap();
    }
    let address = shop.address();
    drop(shop);
    assert!(std::net::TcpStream::connect(address).is_err(), "what strace started ends with the test");
}
