//! The power goes around a purse card's debit: the real agent is killed while the card has stopped at an APDU, and inside
//! the writes of its journal. Afterwards there is one sale and one debit, and what was shown as accepted is there.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "test code")]

use cabas_tests::program::wait_for;
use cabas_tests::purse_shop::{Gate, PurseShop, SHOP, Through};
use cabas_tests::sweep::is_held;
use serde_json::Value;
use std::time::Duration;

const CENTS: u64 = 100;

/// The agent runs again: what the same request says before any card is there, and after the card came.
async fn settled(world: &mut PurseShop, request: &str, shown: bool, at: &str) -> Value {
    world.shop.start().await.unwrap();
    let id = world.shop.begin_sale(CENTS, request).await.unwrap();
    let known = world.shop.get(&format!("/api/sales/{id}")).await.unwrap();
    if shown {
        assert_eq!(known["state"], "accepted", "{at}: shown as accepted, and lost");
    }
    if known["state"] != "accepted" {
        world.shop.wait_for_reader().await.unwrap();
        world.present_until_accepted(&id).await.unwrap();
    }
    known
}

/// Exactly one debit for each sale, at the card, in the journal and at the hub.
async fn add_up(world: &mut PurseShop, sales: u64) {
    world.hub.start().unwrap();
    world.shop.start().await.unwrap();
    world.shop.wait_until_synced().await.unwrap();
    assert_eq!(world.spent().unwrap(), sales * CENTS);
    assert_eq!(world.hub.owed(SHOP).unwrap(), sales * CENTS, "each sale once");
    world.hub.verify().unwrap();
}

async fn offline(environment: Vec<(String, String)>) -> (PurseShop, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut world = PurseShop::open(dir.path(), environment).await.unwrap();
    world.hub.kill_9().unwrap();
    world.shop.stop().unwrap();
    (world, dir)
}

#[tokio::test]
async fn an_agent_killed_at_any_step_of_a_debit_sells_once_when_the_same_card_comes_again() {
    let print = vec![("CABAS_AGENT_AUTO_PRINT".to_owned(), "true".to_owned())];
    let (mut world, _dir) = offline(print).await;
    let mut sales = 0;
    // What the journal says at the next start, before the card came again.
    for (what, code, through, known) in [
        ("before the intent", 0x6c, Through::NotRun, "waiting"),
        ("after the intent", 0xdc, Through::NotRun, "in_doubt"),
        ("before the commit", 0x8b, Through::HasRun, "in_doubt"),
        ("at a commit that was not done", 0xc7, Through::NotRun, "in_doubt"),
        ("at a commit that was done", 0xc7, Through::HasRun, "in_doubt"),
        // It asks for the records once the sale is written.
        ("after the proof", 0xf5, Through::NotRun, "accepted"),
    ] {
        let request = format!("cut-{code:02x}-{through:?}");
        world.shop.start().await.unwrap();
        let id = world.shop.begin_sale(CENTS, &request).await.unwrap();
        let gate = Gate::at(&world.chip, code, through);
        let card = gate.present(&world.shop).unwrap();
        let path = format!("/api/sales/{id}");
        if known == "accepted" {
            // The page shows it while the card is still there.
            while world.shop.get(&path).await.unwrap()["state"] != "accepted" {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        let shown = world.shop.get(&path).await.unwrap()["state"] == "accepted";
        assert_eq!(shown, known == "accepted", "{what}");
        world.shop.kill_9().unwrap();
        gate.open();
        card.remove();
        let was = world.spent().unwrap();
        sales += 1;
        let said = settled(&mut world, &request, shown, what).await;
        assert_eq!(said["state"], known, "{what}");
        let before = if code == 0xf5 || (code, through) == (0xc7, Through::HasRun) { sales } else { sales - 1 };
        assert_eq!((was, world.spent().unwrap()), (before * CENTS, sales * CENTS), "{what}: one debit");
        assert_eq!(world.records().unwrap(), usize::try_from(sales).unwrap(), "{what}");
        world.shop.stop().unwrap();
        let verified = world.shop.said(&["journal", "verify"]).unwrap();
        assert_eq!(verified.code, Some(0), "{what}: {verified:?}");
    }
    assert!(world.shop.printer.printed().len() <= usize::try_from(sales).unwrap(), "no receipt twice by itself");
    add_up(&mut world, sales).await;
}

#[tokio::test]
async fn an_agent_killed_inside_any_write_of_a_card_sale_sells_once_when_the_same_card_comes_again() {
    let (mut world, _dir) = offline(Vec::new()).await;
    let (mut sales, mut fell) = (0, std::collections::BTreeMap::new());
    let cuts = [("fsync,fdatasync", 3), ("pwrite64", 9)];
    for (call, cut) in cuts.into_iter().flat_map(|(call, cuts)| (1..=cuts).map(move |cut| (call, cut))) {
        let (request, at) = (format!("{call}-{cut}"), format!("{call} {cut}"));
        world.shop.start().await.unwrap();
        world.shop.wait_for_reader().await.unwrap();
        let id = world.shop.begin_sale(CENTS, &request).await.unwrap();
        let pid = world.shop.pid().unwrap();
        let mut tracer = std::process::Command::new("strace")
            .args(["-f", "--quiet=all", "-o", "/dev/null", "-e", &format!("trace={call}")])
            .args(["-e", &format!("inject={call}:signal=KILL:when={cut}"), "-p", &pid.to_string()])
            .spawn()
            .unwrap();
        wait_for("strace to hold the agent", || is_held(pid)).unwrap();
        // Either the agent falls, or the sale has fewer writes than that and is accepted.
        let over = world.shop.hold_until_over(&id, &world.chip).await.ok();
        let has_fallen = over.is_none();
        let shown = over.is_some_and(|sale| sale["state"] == "accepted");
        // Its connections break a moment before it is gone.
        if has_fallen {
            drop(wait_for("the agent to be gone", || Ok((!world.shop.runs()?).then_some(()))));
        }
        if world.shop.runs().unwrap() {
            tracer.kill().unwrap();
            world.shop.kill_9().unwrap();
        } else {
            *fell.entry(call).or_insert(0) += 1;
        }
        tracer.wait().unwrap();
        sales += 1;
        settled(&mut world, &request, shown, &at).await;
        assert_eq!(world.spent().unwrap(), sales * CENTS, "{at}: one debit");
        world.shop.stop().unwrap();
        let verified = world.shop.said(&["journal", "verify"]).unwrap();
        assert_eq!(verified.code, Some(0), "{at}: {verified:?}");
    }
    assert!(
        fell.len() == 2 && fell.values().all(|fell| *fell >= 2),
        "both commits were cut at their writes and at their syncs: {fell:?}"
    );
    add_up(&mut world, sales).await;
}
