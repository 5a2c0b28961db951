//! The agent with a fault at any write or sync of a purchase with a purse card: killed, or on a disk that fails or is full. The
//! same card settles it: one debit for each sale, at the chip, in the journal and at the hub.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "test code")]

use std::path::PathBuf;

use cabas_tests::purse_shop::{PurseShop, SHOP};
use cabas_tests::scenario;
use cabas_tests::sweep::{Fault, Sweep, What, folder};

const CENTS: u64 = 100;

/// A shop with a purse card, without a hub, whose agent does not run.
async fn world() -> (PurseShop, PathBuf, tempfile::TempDir) {
    let dir = folder().unwrap();
    let mut world = PurseShop::open(dir.path(), Vec::new()).await.unwrap();
    world.hub.kill_9().unwrap();
    world.shop.stop().unwrap();
    (world, dir.path().join("trace"), dir)
}

/// A purchase that meets a fault; whether it was met.
async fn purchase(world: &mut PurseShop, log: &std::path::Path, fault: Fault, sales: u64) -> bool {
    let (at, request) = (fault.to_string(), format!("cut-{sales}"));
    world.shop.start().await.unwrap();
    world.shop.wait_for_reader().await.unwrap();
    let id = world.shop.begin_sale(CENTS, &request).await.unwrap();
    let before = world.spent().unwrap();
    let trap = fault.lay_on(world.shop.pid().unwrap(), log).unwrap();
    let shown = world.shop.hold_until_over(&id, &world.chip).await.ok();
    let shown = shown.map(|sale| sale["state"].as_str().unwrap().to_owned());
    let met = scenario::power_off(&mut world.shop, trap, fault, shown.as_deref()).await;
    let debited = world.spent().unwrap() - before;
    if shown.as_deref() == Some("accepted") {
        assert_eq!(debited, CENTS, "{at}: shown as accepted, and the card has not paid");
    }

    // The same request tells what became of it; where it does not know, the card does.
    world.shop.start().await.unwrap();
    let id = world.shop.begin_sale(CENTS, &request).await.unwrap();
    let known = scenario::state(&world.shop, &id).await;
    scenario::tells_the_truth(shown.as_deref(), &known, fault);
    if known != "accepted" {
        world.shop.wait_for_reader().await.unwrap();
        world.present_until_accepted(&id).await.unwrap();
    }
    assert_eq!(world.spent().unwrap(), (sales + 1) * CENTS, "{at}: one debit");
    scenario::is_sound(&world.shop, &at);
    world.shop.stop().unwrap();
    met
}

async fn sweep(name: &'static str, kinds: &[(&'static str, What)], step: u32, places: u32) {
    let (mut world, log, _dir) = world().await;
    let mut sweep = Sweep::stepping(name, kinds, step).unwrap();
    let mut sales = 0;
    while let Some(fault) = sweep.next_fault() {
        let met = purchase(&mut world, &log, fault, sales).await;
        sales += 1;
        sweep.was_met(met).unwrap();
    }
    let found = sweep.end();
    assert!(found >= places, "only {found} faults were met");
    world.hub.start().unwrap();
    world.shop.start().await.unwrap();
    world.shop.wait_until_synced().await.unwrap();
    assert_eq!(world.hub.owed(SHOP).unwrap(), sales * CENTS, "each sale once");
    world.hub.verify().unwrap();
}

#[tokio::test]
async fn a_disk_that_fails_or_is_full_leaves_a_purse_card_with_one_debit_for_each_sale() {
    let kinds = [
        ("fsync,fdatasync", What::Fails("EIO")),
        ("fsync,fdatasync", What::FailsOn("EIO")),
        ("pwrite64", What::Fails("EIO")),
        ("pwrite64", What::FailsOn("ENOSPC")),
    ];
    sweep("purse card, failing disk", &kinds, 40, 4).await;
}
