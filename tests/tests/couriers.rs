//! What purse cards bring: the sales of a stall that was destroyed, and the money of a debit for which no goods were given.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "test code")]

use crate::card_world;

use std::time::Duration;

use cabas_tests::hub::http_client;
use cabas_tests::shop::Shop;
use cabas_tests::virtual_card::desfire::{DesfireChip, Edition};
use cabas_tests::virtual_card::{Tear, VirtualCard};
use card_world::{SHOP, UID, World, ok, ready, spent, world};
use serde_json::Value;

const STALL: &str = "maraicher-combe";
/// The commit of a purchase that reads, debits and writes its record: `card/card.md`.
const COMMIT: usize = 8;
/// Half a second: a card answers within a millisecond.
const QUIET_LOOKS: u32 = 25;

/// A sale with a card that is held to the reader until nothing more is asked of it: it gives what it carries then.
async fn accepted(shop: &Shop, cents: u64, chip: &DesfireChip, request: &str) {
    let id = shop.begin_sale(cents, request).await.unwrap();
    let card = VirtualCard::insert(shop.pcscd.port(0, 0).unwrap(), chip.clone()).unwrap();
    let sale = shop.sale_over(&id).await.unwrap();
    assert_eq!(sale["state"], "accepted", "{sale}");
    let (mut asked, mut quiet) = (chip.apdus(), 0);
    while quiet < QUIET_LOOKS {
        tokio::time::sleep(Duration::from_millis(20)).await;
        quiet = if chip.apdus() == asked { quiet + 1 } else { 0 };
        asked = chip.apdus();
    }
    card.remove();
    shop.wait("the card to be gone", |status| (status["reader"]["card_present"] != true).then_some(())).await.unwrap();
}

async fn stall(world: &World) -> Shop {
    let dir = world.dir.path().join("stall");
    Shop::enrolled(&dir, &http_client().unwrap(), &world.hub, STALL).await.unwrap()
}

fn of_shop<'s>(settlement: &'s Value, shop: &str) -> &'s Value {
    settlement["settlement"]["shops"].as_array().unwrap().iter().find(|line| line["shop"] == shop).unwrap()
}

#[tokio::test]
async fn a_stall_that_is_destroyed_before_it_synced_is_paid_by_what_cards_brought_and_what_is_missing_is_said() {
    let mut world = world().await;
    let chip = DesfireChip::new(UID, Edition::Ev2K4, 7);
    let away = DesfireChip::new([4, 9, 9, 9, 9, 9, 9], Edition::Ev2K4, 8);
    world.grant("--issue", "902");
    ok(&world.with_card(&away, "issue", "902"));
    ready(&mut world, &chip).await;
    let mut stall = stall(&world).await;
    world.hub.kill_9().unwrap();
    accepted(&stall, 1_250, &chip, "bread").await;
    accepted(&stall, 300, &chip, "leeks").await;
    accepted(&stall, 480, &away, "eggs").await;
    stall.kill_9().unwrap();
    std::fs::remove_dir_all(stall.data_dir()).unwrap();
    drop(stall);

    // One of the cards comes to a shop with a network.
    world.hub.start().unwrap();
    world.admin.wait_until_synced().await.unwrap();
    accepted(&world.admin, 50, &chip, "milk").await;
    world.admin.wait_until_synced().await.unwrap();
    let report = || world.hub.ok(&["terminal", "carried", "2"]).unwrap();
    let waiting = report();
    let figure = |report: &Value, field: &str| report[field].as_u64().unwrap();
    assert_eq!((figure(&waiting, "provisional"), figure(&waiting, "provisional_cents")), (2, 1_550), "{waiting}");
    assert_eq!((figure(&waiting, "unclaimed_cents"), figure(&waiting, "unclaimed_cards")), (1_550, 1), "{waiting}");
    assert_eq!((figure(&waiting, "booked"), figure(&waiting, "unseen_cards")), (0, 1), "{waiting}");
    let records = waiting["records"].as_array().unwrap();
    assert!(records.iter().all(|line| line["card_number"] == 901 && line["state"] == "provisional"), "{waiting}");
    assert_eq!(world.hub.owed(STALL).unwrap(), 0, "that goods were given is not proven yet");

    // Two people say that it will not come back.
    let close = |by: &str| world.hub.ok(&["terminal", "close", "2", "--by", by]).unwrap();
    assert_eq!(figure(&close("Ada"), "carried_cents"), 0);
    assert_eq!(world.hub.owed(STALL).unwrap(), 0);
    assert_eq!(figure(&close("Bo"), "carried_cents"), 1_550);
    let preview = world.hub.ok(&["settlement", "preview"]).unwrap();
    let owed = of_shop(&preview, STALL);
    assert_eq!((figure(owed, "brought_by_card_sales"), figure(owed, "brought_by_card_cents")), (2, 1_550), "{owed}");
    assert_eq!((figure(owed, "payout_cents"), world.hub.owed(SHOP).unwrap()), (1_550, 50), "{owed}");
    let booked = report();
    assert_eq!((figure(&booked, "booked_cents"), figure(&booked, "provisional")), (1_550, 0), "{booked}");
    assert_eq!(
        (figure(&booked, "unclaimed_cents"), figure(&booked, "unseen_cards")),
        (0, 1),
        "one card never came back"
    );
    world.hub.verify().unwrap();

    // It does, later.
    accepted(&world.admin, 20, &away, "jam").await;
    world.admin.wait_until_synced().await.unwrap();
    let whole = report();
    assert_eq!((figure(&whole, "booked_cents"), figure(&whole, "unseen_cards")), (2_030, 0), "{whole}");
    assert_eq!((world.hub.owed(STALL).unwrap(), world.hub.owed(SHOP).unwrap()), (2_030, 70));
    world.hub.verify().unwrap();
}

#[tokio::test]
async fn a_debit_without_goods_is_given_back_by_two_people_and_spent_at_the_next_tap() {
    let mut world = world().await;
    let mut chip = DesfireChip::new(UID, Edition::Ev2K4, 7);
    ready(&mut world, &chip).await;
    let stall = stall(&world).await;
    // The card leaves while it is debited; the member leaves too, without the goods, and pays elsewhere.
    chip.tear_at(COMMIT, Tear::AnswerLost);
    let torn = stall.sell_to(700, &chip, "torn").await.unwrap();
    assert_eq!((&torn["state"], spent(&chip)), (&"in_doubt".into(), 700), "{torn}");
    accepted(&world.admin, 50, &chip, "elsewhere").await;
    world.admin.wait_until_synced().await.unwrap();
    stall.wait_until_synced().await.unwrap();
    assert_eq!((world.hub.owed(STALL).unwrap(), world.hub.owed(SHOP).unwrap()), (0, 50));

    let holes = world.hub.ok(&["card", "unclaimed", "--card-number", "901"]).unwrap();
    let hole = &holes[0];
    assert_eq!(holes.as_array().unwrap().len(), 1, "{holes}");
    assert_eq!((&hole["from_cents"], &hole["to_cents"]), (&0.into(), &700.into()), "{hole}");
    assert_eq!((&hole["told"][0]["terminal"], &hole["told"][0]["cents"]), (&2.into(), &700.into()), "{hole}");

    let before = world.purse_card();
    let reason = "the bread was not given";
    let propose = ["--card-number", "901", "--from-cents", "0", "--to-cents", "700", "--reason", reason, "--by", "Ada"];
    let proposed = world.hub.ok(&[&["repayment", "propose"][..], &propose].concat()).unwrap();
    let number = proposed[0]["repayment"].to_string();
    let alone = world.hub.said(&["repayment", "book", &number, "--by", "ada"]).unwrap();
    assert!(alone.code == Some(1) && alone.err.contains("another person"), "{alone:?}");
    assert_eq!(world.purse_card(), before, "one person moves nothing");
    let booked = world.hub.ok(&["repayment", "book", &number, "--by", "Bo"]).unwrap();
    assert_eq!((&booked[0]["state"], &booked[0]["cents"]), (&"booked".into(), &700.into()), "{booked}");

    // The card may spend more than it could, by its newest balance, which the connected shop fetches when it opens.
    let after = world.purse_card();
    let allowed = |card: &Value| card["allowed_cents"].as_u64().unwrap();
    assert!(allowed(&after) > allowed(&before), "{before} {after}");
    assert_eq!(
        (&after["unclaimed_cents"], &after["serial"]),
        (&0.into(), &(before["serial"].as_u64().unwrap() + 1).into())
    );
    world.admin.stop().unwrap();
    world.admin.start().await.unwrap();
    world.admin.wait_until_synced().await.unwrap();
    accepted(&world.admin, allowed(&after) - spent(&chip), &chip, "all-of-it").await;
    assert_eq!(spent(&chip), allowed(&after));
    world.admin.wait_until_synced().await.unwrap();
    assert_eq!(world.hub.owed(SHOP).unwrap(), allowed(&after) - 700);
    assert_eq!(world.hub.owed(STALL).unwrap(), 0);
    world.hub.verify().unwrap();
}
