//! Between agent and hub there is TLS; the authority may be one's own.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use cabas_tests::example::Cards;
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::shop::Shop;

#[tokio::test]
async fn an_agent_trusts_the_authority_that_it_was_given_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = Hub::with_example_fund(&dir.path().join("hub")).unwrap();
    hub.stop().unwrap();
    let authority = hub.use_tls().unwrap();
    hub.start().unwrap();

    // Without the authority the hub is not reached, and the code is still good.
    let (_, code) = hub.add_terminal("biocoop-bachut").unwrap();
    let stranger = Shop::new(&dir.path().join("stranger"), &http_client().unwrap()).unwrap();
    let said = stranger.said(&["enrol", "--hub", &hub.url(), "--code", &code]).unwrap();
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(!said.err.contains(&code), "the code is in an error: {}", said.err);

    let environment = vec![("CABAS_AGENT_HUB_CA".to_owned(), authority.display().to_string())];
    let http = http_client().unwrap();
    let shop =
        Shop::enrolled_with(&dir.path().join("shop"), &http, &hub, "biocoop-platanes", environment).await.unwrap();
    hub.credit("2026-11").unwrap();
    shop.wait("the balances", |status| (status["balances"]["count"].as_u64() > Some(0)).then_some(())).await.unwrap();
    let sale = shop.sell(450, Cards::read().unwrap().uid(3), "over-tls").await.unwrap();
    assert_eq!(sale["state"], "accepted", "{sale}");
    shop.wait_until_synced().await.unwrap();
    assert_eq!(hub.owed("biocoop-platanes").unwrap(), 450);
}

#[tokio::test]
async fn an_agent_speaks_to_no_other_machine_without_tls() {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::new(dir.path(), &http_client().unwrap()).unwrap();
    let said = shop.said(&["enrol", "--hub", "http://hub.example", "--code", "ABCD-EFGH-JKMN"]).unwrap();
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("https"), "{}", said.err);
}
