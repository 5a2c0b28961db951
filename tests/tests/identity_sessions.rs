//! An identity card through the real programs: the hub issues it by the admin's reader, terminals let it prove itself
//! through the real pcscd, and the card is made of software.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use cabas_card::identity::PUBLIC_FILE;
use cabas_tests::disk_syncs;
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::program::Said;
use cabas_tests::shop::Shop;
use cabas_tests::virtual_card::ntag424::Ntag424Chip;
use cabas_tests::virtual_card::{Chip, InField, Tear, VirtualCard};
use serde_json::{Value, json};

const UID: [u8; 7] = [0x04, 0x21, 0x32, 0x43, 0x54, 0x65, 0x76];
const SHOP: &str = "biocoop-platanes";
const STALL: &str = "maraicher-combe";

struct World {
    hub: Hub,
    admin: Shop,
    dir: tempfile::TempDir,
}

async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::with_example_fund(&dir.path().join("hub")).unwrap();
    let mut admin = Shop::enrolled(&dir.path().join("admin"), &http_client().unwrap(), &hub, SHOP).await.unwrap();
    admin.stop().unwrap();
    hub.credit("2026-11").unwrap();
    World { hub, admin, dir }
}

/// A second shop, where a part of the household's money lies, and the card.
async fn two_shops() -> (World, Shop, Ntag424Chip) {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::with_example_fund(&dir.path().join("hub")).unwrap();
    let http = http_client().unwrap();
    let mut admin = Shop::enrolled(&dir.path().join("admin"), &http, &hub, SHOP).await.unwrap();
    let mut stall = Shop::enrolled(&dir.path().join("stall"), &http, &hub, STALL).await.unwrap();
    hub.credit("2026-11").unwrap();
    admin.stop().unwrap();
    stall.stop().unwrap();
    let mut world = World { hub, admin, dir };
    let chip = world.ready().await;
    stall.start().await.unwrap();
    stall.wait_until_synced().await.unwrap();
    (world, stall, chip)
}

impl World {
    fn grant(&self, verb: &[&str]) {
        self.hub.ok(&[&["card", "grant", "--terminal", "1"], verb].concat()).unwrap();
    }

    fn grant_issue(&self) {
        self.grant(&["--issue", "951", "--tier", "identity", "--household", "F001"]);
    }

    /// Runs a command with a card on the reader.
    fn with_card(&self, chip: &(impl InField + Clone), verb: &str) -> Said {
        let held = VirtualCard::insert(self.admin.pcscd.port(0, 0).unwrap(), chip.clone()).unwrap();
        let said = self.admin.said(&["card", verb, "--card-number", "951"]).unwrap();
        held.remove();
        said
    }

    fn copies(&self) -> Vec<Value> {
        self.hub.ok(&["card", "copies"]).unwrap().as_array().unwrap().clone()
    }

    /// The card is issued and its key is at the terminal.
    async fn ready(&mut self) -> Ntag424Chip {
        let chip = Ntag424Chip::new(UID, 7);
        self.grant_issue();
        ok(&self.with_card(&chip, "issue"));
        self.admin.start().await.unwrap();
        self.admin.wait_until_synced().await.unwrap();
        chip
    }
}

fn ok(said: &Said) {
    assert_eq!(said.code, Some(0), "{said:?}");
}

async fn alarms(shop: &Shop) -> String {
    shop.get("/api/status").await.unwrap()["alarms"].to_string()
}

#[tokio::test]
async fn a_card_is_issued_once_allowed_torn_or_not_keyed_anew_and_retired() {
    let world = world().await;
    let mut chip = Ntag424Chip::new(UID, 7);
    let refused = world.with_card(&chip, "issue");
    assert!(refused.code == Some(1) && refused.err.contains("cabas-hub card grant"), "{refused:?}");
    world.grant_issue();
    for apdu in [6, 11, 18] {
        chip.tear_at(apdu, Tear::AnswerLost);
        let torn = world.with_card(&chip, "issue");
        assert!(torn.code == Some(1) && torn.err.contains("repeat"), "{torn:?}");
    }
    // What is no such card is told from one, and changes nothing.
    let plain = world.with_card(&Chip::plain(&UID), "issue");
    assert!(plain.code == Some(1) && plain.err.contains("refused select"), "{plain:?}");
    let issued = world.with_card(&chip, "issue");
    ok(&issued);
    assert!(issued.out.contains("card 951 is issued"), "{issued:?}");
    world.hub.ok(&["shop", "renew-slot", SHOP]).unwrap();
    world.grant(&["--renew", "951"]);
    ok(&world.with_card(&chip, "renew"));
    world.grant(&["--retire", "951"]);
    let retired = world.with_card(&chip, "retire");
    ok(&retired);
    assert!(retired.out.contains("blank and blocked"), "{retired:?}");
    world.hub.verify().unwrap();
}

#[tokio::test]
async fn a_card_pays_from_the_slice_on_line_and_without_a_network_over_a_restart() {
    let (mut world, stall, chip) = two_shops().await;
    let sale = world.admin.sell_to(1250, &chip, "on-line").await.unwrap();
    assert_eq!((&sale["state"], &sale["proven"]), (&json!("accepted"), &json!(true)), "{sale}");
    world.admin.wait_until_synced().await.unwrap();
    assert_eq!(world.hub.owed(SHOP).unwrap(), 1250);
    world.hub.kill_9().unwrap();
    assert_eq!(world.admin.sell_to(300, &chip, "off-line").await.unwrap()["state"], "accepted");
    world.admin.kill_9().unwrap();
    world.admin.start().await.unwrap();
    assert_eq!(world.admin.sell_to(50, &chip, "after a restart").await.unwrap()["state"], "accepted");
    assert_eq!(stall.sell_to(200, &chip, "at the stall").await.unwrap()["state"], "accepted");
    world.hub.start().unwrap();
    world.admin.wait_until_synced().await.unwrap();
    stall.wait_until_synced().await.unwrap();
    assert_eq!((world.hub.owed(SHOP).unwrap(), world.hub.owed(STALL).unwrap()), (1600, 200));
    assert_eq!((world.copies(), alarms(&world.admin).await.as_str()), (vec![], "[]"));
    world.hub.verify().unwrap();
}

#[tokio::test]
async fn copies_are_declined_neutrally_and_told() {
    let mut world = world().await;
    let mut chip = world.ready().await;
    for request in ["a", "b"] {
        assert_eq!(world.admin.sell_to(100, &chip, request).await.unwrap()["state"], "accepted");
    }
    // Its number on a plain card, then on a tag that was never ours; then a copy of the tag that is behind it.
    let plain = world.admin.sell_to(100, &Chip::plain(&UID), "plain").await.unwrap();
    let blank = world.admin.sell_to(100, &Ntag424Chip::new(UID, 9), "blank").await.unwrap();
    chip.set_reads(PUBLIC_FILE, 0);
    let behind = world.admin.sell_to(100, &chip, "behind").await.unwrap();
    for declined in [&plain, &blank, &behind] {
        let shown = (&declined["state"], &declined["message_fr"]);
        assert_eq!(shown, (&json!("declined"), &json!("Paiement non abouti")), "{declined}");
    }
    let told = alarms(&world.admin).await;
    assert!(told.contains("did not prove that it has its key") && told.contains("counted 1 taps, and"), "{told}");
    chip.set_reads(PUBLIC_FILE, 20);
    assert_eq!(world.admin.sell_to(100, &chip, "further on").await.unwrap()["state"], "accepted");
    world.admin.wait_until_synced().await.unwrap();
    assert_eq!(world.hub.owed(SHOP).unwrap(), 300);
    world.hub.verify().unwrap();
}

#[tokio::test]
async fn a_copy_at_another_shop_without_a_network_is_told_by_the_hub_and_both_shops_are_paid() {
    let (mut world, stall, mut chip) = two_shops().await;
    world.hub.kill_9().unwrap();
    assert_eq!(world.admin.sell_to(700, &chip, "card").await.unwrap()["state"], "accepted");
    // Somebody has the key of the stall, and made a copy that counts as the card did.
    chip.set_reads(PUBLIC_FILE, 0);
    assert_eq!(stall.sell_to(200, &chip, "copy").await.unwrap()["state"], "accepted");
    world.hub.start().unwrap();
    world.admin.wait_until_synced().await.unwrap();
    stall.wait_until_synced().await.unwrap();
    let copies = world.copies();
    assert_eq!(copies.len(), 1, "{copies:?}");
    let copy = &copies[0];
    assert_eq!((&copy["card_number"], &copy["why"], &copy["counter"]), (&json!(951), &json!("repeats"), &json!(1)));
    let terminals = [&copy["terminal"], &copy["other_terminal"]].map(|terminal| terminal.as_u64().unwrap());
    assert!(terminals == [1, 2] || terminals == [2, 1], "{copy}");
    assert!(world.hub.log().contains("there is a copy of it"));
    assert_eq!((world.hub.owed(SHOP).unwrap(), world.hub.owed(STALL).unwrap()), (700, 200));
    world.hub.verify().unwrap();
}

#[tokio::test]
async fn a_sale_with_an_identity_card_costs_exactly_one_sync_of_the_disk() {
    let mut world = world().await;
    let chip = world.ready().await;
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
        assert_eq!(syncs() - before, 1);
    }
}
