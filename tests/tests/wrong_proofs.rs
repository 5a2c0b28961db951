//! What a terminal may send of a purse card that no agent would: the card's own word decides what is paid, and what does not
//! fit it is shown.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use crate::card_world;

use cabas_protocol::{Cents, PurseRef, RowBody};
use cabas_tests::hub::http_client;
use cabas_tests::virtual_card::desfire::{DesfireChip, Edition};
use card_world::{SHOP, UID, ready, spent, world};
use serde_json::Value;

const OTHER_SHOP: &str = "boulangerie-levain";

fn cents(cents: u64) -> Cents {
    Cents::new(cents).unwrap()
}

#[tokio::test]
async fn a_sale_that_the_card_does_not_prove_is_named_with_card_terminal_and_amount_and_nothing_wrong_is_paid() {
    let mut world = world().await;
    let chip = DesfireChip::new(UID, Edition::Ev2K4, 7);
    ready(&mut world, &chip).await;
    let purse = PurseRef::from_hex(world.purse_card()["purse"].as_str().unwrap()).unwrap();
    let http = http_client().unwrap();
    let mut other = world.hub.bare_terminal(&http, OTHER_SHOP).await.unwrap();
    other.start().unwrap();
    other.sync().await.unwrap();

    // As an agent does it.
    let proven = other.debit(&chip, purse, cents(400)).unwrap();
    other.append(RowBody::Sale(proven.clone())).unwrap();
    other.sync().await.unwrap();
    assert_eq!(world.hub.owed(OTHER_SHOP).unwrap(), 400);
    assert_eq!(world.hub.ok(&["card", "proofs"]).unwrap(), Value::Array(Vec::new()));

    // The same counter and proof again.
    other.append(RowBody::Sale(proven)).unwrap();
    // The card is debited, and the proof is one bit off.
    let mut wrong = other.debit(&chip, purse, cents(500)).unwrap();
    wrong.card_mac.as_mut().unwrap()[0] ^= 1;
    other.append(RowBody::Sale(wrong)).unwrap();
    // The card is debited, and its answer never came: that is paid, and shown.
    let mut missing = other.debit(&chip, purse, cents(250)).unwrap();
    (missing.card_counter, missing.card_mac) = (None, None);
    other.append(RowBody::Sale(missing)).unwrap();
    other.sync().await.unwrap();
    assert_eq!(world.hub.owed(OTHER_SHOP).unwrap(), 650);

    let proofs = world.hub.ok(&["card", "proofs"]).unwrap();
    let named = |line: &Value| {
        assert_eq!((&line["card_number"], &line["terminal"], &line["epoch"]), (&901.into(), &2.into(), &1.into()));
        let cents = |field: &str| line[field].as_u64().unwrap();
        (line["proof"].as_str().unwrap().to_owned(), cents("cents"), cents("settled_cents"))
    };
    let named: Vec<_> = proofs.as_array().unwrap().iter().map(named).collect();
    let expected = [("missing", 250, 250), ("wrong", 500, 0), ("repeated", 400, 0)];
    assert_eq!(named, expected.map(|(proof, cents, settled)| (proof.to_owned(), cents, settled)));

    let listed = world.hub.ok(&["terminal", "list"]).unwrap();
    let alarms = &listed["terminals"].as_array().unwrap_or_else(|| listed.as_array().unwrap())[1]["alarms"];
    let alarm = alarms.as_array().unwrap().iter().find(|alarm| alarm["kind"] == "not_proven_by_the_card");
    assert_eq!(alarm.unwrap()["count"], 3, "{alarms}");

    // An honest sale of the same card elsewhere has its right, and what nobody may be paid for is named.
    let sale = world.admin.sell_to(50, &chip, "honest").await.unwrap();
    assert_eq!(sale["state"], "accepted", "{sale}");
    world.admin.wait_until_synced().await.unwrap();
    assert_eq!((world.hub.owed(SHOP).unwrap(), world.hub.owed(OTHER_SHOP).unwrap()), (50, 650));
    assert_eq!(spent(&chip), 1_200);
    let card = world.purse_card();
    assert_eq!((&card["spent_cents"], &card["unclaimed_cents"]), (&700.into(), &500.into()), "{card}");
    assert_eq!((&card["proofs_missing"], &card["proofs_refuted"]), (&1.into(), &2.into()), "{card}");
    world.hub.verify().unwrap();
}
