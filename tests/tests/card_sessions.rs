//! A purse card is issued through the real programs: the hub speaks, the agent at the admin's reader carries the bytes
//! through the real pcscd, and the card is made of software.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use crate::card_world;

use cabas_card::layout::{BALANCE_FILE, SPENT_FILE, VALUE_START};
use cabas_tests::disk_syncs;
use cabas_tests::hub::http_client;
use cabas_tests::shop::Shop;
use cabas_tests::virtual_card::desfire::{DesfireChip, Edition};
use cabas_tests::virtual_card::{Tear, VirtualCard};
use card_world::{SHOP, UID, application, ok, ready, spent, world};
use serde_json::Value;

#[tokio::test]
async fn a_card_is_issued_once_allowed_and_carries_its_signed_balance() {
    let world = world().await;
    let chip = DesfireChip::new(UID, Edition::Ev2K4, 7);
    let refused = world.with_card(&chip, "issue", "901");
    assert!(refused.code == Some(1) && refused.err.contains("cabas-hub card grant"), "{refused:?}");
    assert_eq!(chip.value(application(), SPENT_FILE), None, "nothing was done with it");
    world.grant("--issue", "901");
    let issued = world.with_card(&chip, "issue", "901");
    ok(&issued);
    assert!(issued.out.contains("card 901 is issued"), "{issued:?}");
    assert_eq!(chip.value(application(), SPENT_FILE), Some(i32::try_from(VALUE_START).unwrap()));
    let balance = chip.data(application(), BALANCE_FILE).unwrap();
    assert!(u16::from_be_bytes([balance[0], balance[1]]) > 100, "a signed balance lies on it");
    let card = world.purse_card();
    assert!(card["left_cents"].as_u64().unwrap() > 0, "{card}");
    // A grant is for one time.
    let again = world.with_card(&chip, "issue", "901");
    assert!(again.code == Some(1) && again.err.contains("nobody allowed"), "{again:?}");
    world.hub.verify().unwrap();
}

#[tokio::test]
async fn an_issue_that_was_torn_is_repeated_and_another_card_under_the_same_number_is_refused() {
    let world = world().await;
    let mut chip = DesfireChip::new(UID, Edition::Ev2K4, 7);
    world.grant("--issue", "901");
    for apdu in [5, 14, 21] {
        chip.tear_at(apdu, Tear::AnswerLost);
        let torn = world.with_card(&chip, "issue", "901");
        assert!(torn.code == Some(1) && torn.err.contains("repeat"), "{torn:?}");
    }
    let other = DesfireChip::new([4, 9, 9, 9, 9, 9, 9], Edition::Ev2K4, 8);
    let taken = world.with_card(&other, "issue", "901");
    assert!(taken.code == Some(1) && taken.err.contains("known already"), "{taken:?}");
    ok(&world.with_card(&chip, "issue", "901"));
    world.hub.verify().unwrap();
}

#[tokio::test]
async fn a_card_is_keyed_anew_after_a_theft_and_retired_in_the_end() {
    let world = world().await;
    let chip = DesfireChip::new(UID, Edition::Ev2K4, 7);
    world.grant("--issue", "901");
    ok(&world.with_card(&chip, "issue", "901"));
    let shops = world.hub.ok(&["shop", "renew-slot", SHOP]).unwrap();
    let shop = shops.as_array().unwrap().iter().find(|shop| shop["code"] == SHOP).unwrap();
    assert_eq!((&shop["slot"], &shop["slot_version"]), (&1.into(), &2.into()), "{shop}");
    // Another month was credited, and no terminal has told the card.
    let carried = chip.data(application(), BALANCE_FILE).unwrap();
    world.hub.credit("2026-12").unwrap();
    world.grant("--renew", "901");
    let mut torn = chip.clone();
    torn.tear_at(9, Tear::AnswerLost);
    let lost = world.with_card(&torn, "renew", "901");
    assert!(lost.code == Some(1) && lost.err.contains("repeat"), "{lost:?}");
    let renewed = world.with_card(&chip, "renew", "901");
    ok(&renewed);
    assert_ne!(chip.data(application(), BALANCE_FILE).unwrap(), carried, "the newest balance");
    assert!(renewed.out.contains("newest balance and keys"), "{renewed:?}");
    world.grant("--retire", "901");
    ok(&world.with_card(&chip, "retire", "901"));
    assert_eq!(chip.value(application(), SPENT_FILE), None, "it is blank");
    assert_eq!(world.purse_card()["blocked"], true, "{}", world.purse_card());
    world.hub.verify().unwrap();
}

#[tokio::test]
async fn a_purse_card_pays_at_two_shops_without_a_network_and_both_are_owed_to_the_cent() {
    let mut world = world().await;
    let chip = DesfireChip::new(UID, Edition::Ev2K4, 7);
    ready(&mut world, &chip).await;
    let dir = world.dir.path().join("stall");
    let stall = Shop::enrolled(&dir, &http_client().unwrap(), &world.hub, "maraicher-combe").await.unwrap();
    world.hub.kill_9().unwrap();
    for (shop, cents, request) in [(&world.admin, 1250, "a"), (&stall, 300, "b"), (&world.admin, 50, "c")] {
        let sale = shop.sell_to(cents, &chip, request).await.unwrap();
        assert_eq!(sale["state"], "accepted", "{sale}");
    }
    assert_eq!(spent(&chip), 1600);
    world.hub.start().unwrap();
    world.admin.wait_until_synced().await.unwrap();
    stall.wait_until_synced().await.unwrap();
    assert_eq!((world.hub.owed(SHOP).unwrap(), world.hub.owed("maraicher-combe").unwrap()), (1300, 300));
    let card = world.purse_card();
    assert_eq!(card["spent_cents"], 1600, "{card}");
    world.hub.verify().unwrap();
    // What stands on it is read by the terminal's own key, and is what the hub says.
    world.admin.stop().unwrap();
    let found = world.inspect(&chip);
    ok(&found);
    let found: Value = serde_json::from_str(&found.out).unwrap();
    assert_eq!(
        (&found["spent_cents"], &found["records"], &found["slot"]),
        (&1600.into(), &3.into(), &1.into()),
        "{found}"
    );
    assert_eq!((&found["balance"]["left_cents"], &found["balance"]["is_genuine"]), (&card["left_cents"], &true.into()));
    let stranger = DesfireChip::new([4, 9, 9, 9, 9, 9, 9], Edition::Ev2K4, 8);
    let unknown = world.inspect(&stranger);
    assert!(unknown.code == Some(1) && unknown.err.contains("no key for card"), "{unknown:?}");
}

#[tokio::test]
async fn a_card_that_has_too_little_is_given_more_on_line_at_the_same_tap_and_off_line_is_not() {
    let mut world = world().await;
    let chip = DesfireChip::new(UID, Edition::Ev2K4, 7);
    ready(&mut world, &chip).await;
    let before = world.purse_card();
    let more = before["left_cents"].as_u64().unwrap() + 100;
    world.hub.kill_9().unwrap();
    // Off line it is as it was: what is there is offered, nothing is taken.
    let offered = world.admin.sell_to(more, &chip, "off-line").await.unwrap();
    assert_eq!((&offered["state"], spent(&chip)), (&"offer".into(), 0), "{offered}");
    let path = format!("/api/sales/{}", offered["id"].as_str().unwrap());
    assert_eq!(world.admin.delete(&path).await.unwrap(), 200);
    world.hub.start().unwrap();
    world.admin.wait_until_synced().await.unwrap();
    let id = world.admin.begin_sale(more, "on-line").await.unwrap();
    let held = VirtualCard::insert(world.admin.pcscd.port(0, 0).unwrap(), chip.clone()).unwrap();
    let sale = world.admin.sale_over(&id).await.unwrap();
    assert_eq!((&sale["state"], spent(&chip)), (&"accepted".into(), more), "one tap: {sale}");
    // What allowed it lies on the card too, for the next shop.
    cabas_tests::program::wait_for("the larger balance on the card", || {
        let balance = chip.data(application(), BALANCE_FILE).unwrap_or_default();
        let on_card = cabas_protocol::Signed::<cabas_protocol::SignedBalance>::from_bytes(
            balance[2..2 + usize::from(u16::from_be_bytes([balance[0], balance[1]]))].to_vec(),
        )?;
        Ok((on_card.peek()?.allowed.get() >= more).then_some(()))
    })
    .unwrap();
    held.remove();
    world.admin.wait_until_synced().await.unwrap();
    assert_eq!(world.hub.owed(SHOP).unwrap(), more);
    let after = world.purse_card();
    assert!(after["spent_cents"] == more && after["allowed_cents"].as_u64() >= Some(more), "{after}");
    world.hub.verify().unwrap();
}

#[tokio::test]
async fn a_card_that_was_issued_and_erased_does_not_begin_at_zero_again() {
    let world = world().await;
    world.grant("--issue", "901");
    ok(&world.with_card(&DesfireChip::new(UID, Edition::Ev2K4, 7), "issue", "901"));
    // Whoever has a reader can erase a card; the UID stays.
    let erased = DesfireChip::new(UID, Edition::Ev2K4, 7);
    world.grant("--issue", "901");
    let refused = world.with_card(&erased, "issue", "901");
    assert!(refused.code == Some(1) && refused.err.contains("has been erased"), "{refused:?}");
    assert_eq!(erased.value(application(), SPENT_FILE), None, "nothing was done with it");
    world.hub.verify().unwrap();
}

#[tokio::test]
async fn a_card_pays_on_when_the_key_that_signed_its_balance_is_taken_back() {
    let mut world = world().await;
    let chip = DesfireChip::new(UID, Edition::Ev2K4, 7);
    ready(&mut world, &chip).await;
    let first = world.hub.ok(&["key", "list"]).unwrap()["keys"][0]["kid"].as_str().unwrap().to_owned();
    world.hub.ok(&["key", "rotate"]).unwrap();
    world.hub.ok(&["key", "revoke", &first]).unwrap();
    // A terminal that has heard of it and of nothing else yet, and one that has its balances anew.
    for request in ["at-once", "later"] {
        let sale = world.admin.sell_to(100, &chip, request).await.unwrap();
        assert_eq!(sale["state"], "accepted", "{sale}");
        world.admin.wait_until_synced().await.unwrap();
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    }
    assert_eq!(world.hub.owed(SHOP).unwrap(), 200);
    assert_eq!(world.hub.ok(&["card", "proofs"]).unwrap(), Value::Array(Vec::new()));
    world.hub.verify().unwrap();
}

#[tokio::test]
async fn what_a_thief_wrote_onto_a_card_costs_no_other_shop_its_sale() {
    let mut world = world().await;
    let chip = DesfireChip::new(UID, Edition::Ev2K4, 7);
    ready(&mut world, &chip).await;
    let genuine = chip.data(application(), BALANCE_FILE).unwrap();
    let mut padded = genuine.clone();
    *padded.last_mut().unwrap() = 1;
    for (number, file) in [padded, vec![0xa5; genuine.len()]].into_iter().enumerate() {
        chip.deface(application(), BALANCE_FILE, &file);
        let sale = world.admin.sell_to(100, &chip, &format!("defaced-{number}")).await.unwrap();
        assert_eq!(sale["state"], "accepted", "{sale}");
        assert_ne!(chip.data(application(), BALANCE_FILE).unwrap(), file, "it carries the hub's word again");
    }
    world.admin.wait_until_synced().await.unwrap();
    assert_eq!(world.hub.owed(SHOP).unwrap(), 200);
    assert_eq!(world.hub.ok(&["card", "proofs"]).unwrap(), Value::Array(Vec::new()));
    let card = world.purse_card();
    assert_eq!((&card["card_counters_unheard"], &card["proofs_refuted"]), (&0.into(), &0.into()), "{card}");
    world.hub.verify().unwrap();
}

/// Presents the same card again, as the screen asks.
async fn again(shop: &Shop, sale: &Value, chip: &DesfireChip) -> Value {
    let path = format!("/api/sales/{}", sale["id"].as_str().unwrap());
    for _ in 0..5 {
        let card = VirtualCard::insert(shop.pcscd.port(0, 0).unwrap(), chip.clone()).unwrap();
        for _ in 0..100 {
            let now = shop.get(&path).await.unwrap();
            if now["state"] != "in_doubt" && now["state"] != "waiting" && now["state"] != "authorizing" {
                card.remove();
                return now;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        card.remove();
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    shop.get(&path).await.unwrap()
}

#[tokio::test]
async fn a_card_that_leaves_in_the_middle_is_asked_for_again_and_debited_once() {
    for tear in [Tear::BeforeItRan, Tear::AnswerLost, Tear::Garbled] {
        let mut world = world().await;
        let mut chip = DesfireChip::new(UID, Edition::Ev2K4, 7);
        ready(&mut world, &chip).await;
        chip.tear_at(8, tear);
        let torn = world.admin.sell_to(700, &chip, "torn").await.unwrap();
        let known = spent(&chip);
        if torn["state"] != "accepted" {
            assert_eq!(torn["state"], "in_doubt", "{tear:?}: {torn}");
            let again = again(&world.admin, &torn, &chip).await;
            assert_eq!(again["state"], "accepted", "{tear:?}: {again}");
        }
        assert_eq!(spent(&chip), 700, "{tear:?}: {known} after the tear");
        world.admin.wait_until_synced().await.unwrap();
        assert_eq!(world.hub.owed(SHOP).unwrap(), 700, "{tear:?}");
        world.hub.verify().unwrap();
    }
}

#[tokio::test]
async fn a_sale_with_a_purse_card_costs_exactly_two_syncs_of_the_disk() {
    let mut world = world().await;
    let chip = DesfireChip::new(UID, Edition::Ev2K4, 7);
    ready(&mut world, &chip).await;
    // Off line, so that nothing but the sale writes.
    world.hub.kill_9().unwrap();
    world.admin.stop().unwrap();
    let trace = world.dir.path().join("trace");
    world.admin.wrapper = disk_syncs::listed_in(&trace);
    world.admin.start().await.unwrap();
    let syncs = || disk_syncs::counted(&trace).unwrap();
    // The first sale after a start is not the steady state.
    assert_eq!(world.admin.sell_to(100, &chip, "first").await.unwrap()["state"], "accepted");
    for number in 0..3 {
        let before = syncs();
        let sale = world.admin.sell_to(100, &chip, &format!("counted-{number}")).await.unwrap();
        assert_eq!(sale["state"], "accepted", "{sale}");
        assert_eq!(syncs() - before, 2, "the intent and the proof");
    }
}
