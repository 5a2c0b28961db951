//! A terminal is stolen: its slot gets a new key, cards get it as they come by, and the shops of the slot sell on without a
//! network. Through the real programs.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use std::path::Path;

use cabas_tests::hub::{Hub, http_client};
use cabas_tests::program::Said;
use cabas_tests::shop::Shop;
use cabas_tests::virtual_card::VirtualCard;
use cabas_tests::virtual_card::desfire::{DesfireChip, Edition};
use serde_json::Value;

const ADMIN: &str = "biocoop-platanes";

fn ok(said: &Said) {
    assert_eq!(said.code, Some(0), "{said:?}");
}

/// Two shops that share a slot.
fn sharing(hub: &Hub) -> (String, String) {
    let shops = hub.ok(&["shop", "list"]).unwrap();
    let of_slot = shops.as_array().unwrap().iter().filter(|shop| shop["slot"] == 6);
    let mut codes = of_slot.map(|shop| shop["code"].as_str().unwrap().to_owned());
    (codes.next().unwrap(), codes.next().unwrap())
}

/// The hub's dialogue with a card, at the admin's reader.
fn at_the_admins(hub: &Hub, admin: &Shop, chip: &DesfireChip, verb: &str, card: &str) {
    let household = if card == "901" { "F001" } else { "F002" };
    let grant = ["card", "grant", "--terminal", "1", &format!("--{verb}"), card, "--household", household];
    hub.ok(&grant).unwrap();
    let held = VirtualCard::insert(admin.pcscd.port(0, 0).unwrap(), chip.clone()).unwrap();
    let said = admin.said(&["card", verb, "--card-number", card]).unwrap();
    held.remove();
    ok(&said);
}

async fn enrolled(hub: &Hub, dir: &Path, shop: &str) -> Shop {
    Shop::enrolled(dir, &http_client().unwrap(), hub, shop).await.unwrap()
}

/// Whether a terminal whose agent is stopped can read a card.
fn opens(shop: &Shop, chip: &DesfireChip) -> bool {
    let held = VirtualCard::insert(shop.pcscd.port(0, 0).unwrap(), chip.clone()).unwrap();
    let said = shop.said(&["card", "inspect", "--json"]).unwrap();
    held.remove();
    said.code == Some(0)
}

async fn state_of(shop: &Shop, chip: &DesfireChip, request: &str) -> Value {
    shop.sell_to(100, chip, request).await.unwrap()["state"].clone()
}

fn lost_keys(hub: &Hub) -> (u64, Value) {
    let exposure = hub.ok(&["exposure"]).unwrap();
    (exposure["lost_keys_cents"].as_u64().unwrap(), exposure["keys"].clone())
}

#[tokio::test]
async fn shops_of_a_stolen_slot_sell_on_off_line_with_cards_of_both_keys_once_they_have_synced() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = Hub::with_example_fund(&dir.path().join("hub")).unwrap();
    hub.credit("2026-11").unwrap();
    let mut admin = enrolled(&hub, &dir.path().join("admin"), ADMIN).await;
    admin.stop().unwrap();
    let (first, second) = sharing(&hub);
    let mut stolen = enrolled(&hub, &dir.path().join("stolen"), &first).await;
    // Two shops of the stolen one's slot: one hears of the new key, the other one is away.
    let mut told = enrolled(&hub, &dir.path().join("told"), &first).await;
    let mut away = enrolled(&hub, &dir.path().join("away"), &second).await;
    let chips = [1, 2].map(|last| DesfireChip::new([4, 1, 2, 3, 4, 5, last], Edition::Ev2K4, last.into()));
    let [kept, renewed] = &chips;
    for (chip, card) in [(kept, "901"), (renewed, "902")] {
        at_the_admins(&hub, &admin, chip, "issue", card);
    }
    for shop in [&mut stolen, &mut told, &mut away] {
        shop.stop().unwrap();
        shop.start().await.unwrap();
        shop.wait_until_synced().await.unwrap();
    }
    assert_eq!(lost_keys(&hub).0, 0);
    away.stop().unwrap();
    hub.ok(&["terminal", "revoke", "2"]).unwrap();
    let (before, keys) = lost_keys(&hub);
    assert!(before > 0, "{keys}");
    assert_eq!(
        (&keys[0]["standing"], &keys[0]["cards"], &keys[0]["version"]),
        (&"revoked".into(), &2.into(), &1.into())
    );
    hub.ok(&["shop", "renew-slot", &first]).unwrap();
    // Its first call after a start brings what is new.
    told.stop().unwrap();
    told.start().await.unwrap();
    told.wait_until_synced().await.unwrap();
    told.stop().unwrap();

    // One card comes by, and neither shop hears of that.
    at_the_admins(&hub, &admin, renewed, "renew", "902");
    hub.kill_9().unwrap();
    told.start().await.unwrap();
    away.start().await.unwrap();
    assert_eq!(state_of(&told, kept, "old key").await, "accepted");
    assert_eq!(state_of(&told, renewed, "new key").await, "accepted", "its key was here before the card had it");
    assert_eq!(state_of(&away, kept, "old key").await, "accepted");
    assert_ne!(state_of(&away, renewed, "new key").await, "accepted", "away since before the theft");

    hub.start().unwrap();
    for shop in [&told, &away] {
        shop.wait_until_synced().await.unwrap();
    }
    assert_eq!(state_of(&away, renewed, "after a sync").await, "accepted");
    // Who is revoked is connected all the time, and has the old key alone.
    stolen.stop().unwrap();
    assert_eq!((opens(&stolen, kept), opens(&stolen, renewed)), (true, false));
    let (now, keys) = lost_keys(&hub);
    assert!(now < before && keys[0]["cards"] == 1, "{keys}");
    at_the_admins(&hub, &admin, kept, "renew", "901");
    for shop in [&told, &away] {
        shop.wait("what was lost", |_| (lost_keys(&hub).0 == 0).then_some(())).await.unwrap();
    }
    assert_eq!(lost_keys(&hub), (0, Value::Array(Vec::new())));
    for (shop, request) in [(&told, "x"), (&away, "y")] {
        assert_eq!(state_of(shop, kept, request).await, "accepted");
    }
    hub.verify().unwrap();
}
