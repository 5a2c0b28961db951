//! The agent with a fault at any write, sync or send of a sale, of a refund with its sync, and of an enrolment: killed, or
//! on a disk that fails or is full. What was shown as accepted is there and reaches the hub, what was shown as failed is
//! not, and the same request counts once.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "test code")]

use std::path::PathBuf;
use std::process::Command;

use cabas_tests::example::Cards;
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::program::binary;
use cabas_tests::scenario::{self, Refund};
use cabas_tests::shop::Shop;
use cabas_tests::sweep::{Fault, Sweep, What, ended_well, folder, met};
use serde_json::{Value, json};

const SHOP: &str = "biocoop-platanes";
const CARD: usize = 1;

struct World {
    hub: Hub,
    shop: Shop,
    cards: Cards,
    log: PathBuf,
    _dir: tempfile::TempDir,
}

/// A shop whose agent is enrolled, holds balances and does not run.
async fn world() -> World {
    let dir = folder().unwrap();
    let hub = Hub::with_example_fund(&dir.path().join("hub")).unwrap();
    hub.credit("2026-11").unwrap();
    let mut shop = Shop::enrolled(&dir.path().join("shop"), &http_client().unwrap(), &hub, SHOP).await.unwrap();
    shop.stop().unwrap();
    World { hub, shop, cards: Cards::read().unwrap(), log: dir.path().join("trace"), _dir: dir }
}

impl World {
    /// A sale that meets a fault; whether it was met.
    async fn sale(&mut self, fault: Fault, request: &str) -> bool {
        let (at, uid) = (fault.to_string(), self.cards.uid(CARD).to_vec());
        self.shop.start().await.unwrap();
        self.shop.wait_for_reader().await.unwrap();
        let id = self.shop.begin_sale(1, request).await.unwrap();
        let trap = fault.lay_on(self.shop.pid().unwrap(), &self.log).unwrap();
        let shown = self.shop.tap_until_over(&id, &uid).await.ok();
        let shown = shown.map(|sale| sale["state"].as_str().unwrap().to_owned());
        if shown.as_deref() == Some("failed") && matches!(fault.what, What::FailsOn(_)) {
            // While it lasts nothing can be sold, and that is said in words.
            let (status, refused) =
                self.shop.post("/api/sales", &sale_of(1, &format!("{request}-more"))).await.unwrap();
            assert!(status == 503 && refused["error"].is_object(), "{at}: {status} {refused}");
        }
        let is_met = scenario::power_off(&mut self.shop, trap, fault, shown.as_deref()).await;

        // The same request tells what became of it.
        self.shop.start().await.unwrap();
        let id = self.shop.begin_sale(1, request).await.unwrap();
        let known = scenario::state(&self.shop, &id).await;
        scenario::tells_the_truth(shown.as_deref(), &known, fault);
        if known != "accepted" {
            self.shop.wait_for_reader().await.unwrap();
            let sale = self.shop.tap_until_over(&id, &uid).await.unwrap();
            assert_eq!(sale["state"], "accepted", "{at}: {sale}");
        }
        scenario::is_sound(&self.shop, &at);
        self.shop.stop().unwrap();
        is_met
    }

    async fn sales(mut self, name: &'static str, kinds: &[(&'static str, What)], step: u32, places: u32) {
        self.hub.kill_9().unwrap();
        let mut sweep = Sweep::stepping(name, kinds, step).unwrap();
        let mut sales = 0;
        while let Some(fault) = sweep.next_fault() {
            sales += 1;
            let is_met = self.sale(fault, &format!("cut-{sales}")).await;
            sweep.was_met(is_met).unwrap();
        }
        let found = sweep.end();
        assert!(found >= places, "only {found} faults were met");
        self.hub.start().unwrap();
        self.shop.start().await.unwrap();
        self.shop.wait_until_synced().await.unwrap();
        assert_eq!(self.hub.owed(SHOP).unwrap(), sales, "each sale once");
        self.hub.verify().unwrap();
    }
}

fn sale_of(cents: u64, request: &str) -> Value {
    json!({"lines": [{"category": "0", "cents": cents}], "request_id": request})
}

#[tokio::test]
async fn a_sale_is_whole_or_not_there_wherever_the_agent_is_killed() {
    let kinds = [
        ("pwrite64", What::Kill),
        ("fsync,fdatasync", What::Kill),
        ("write,writev", What::Kill),
        ("sendto,sendmsg", What::Kill),
    ];
    world().await.sales("sale, killed", &kinds, 40, 4).await;
}

#[tokio::test]
async fn a_disk_that_fails_or_is_full_makes_no_accepted_sale_and_no_secret_one() {
    let kinds = [
        ("fsync,fdatasync", What::Fails("EIO")),
        ("fsync,fdatasync", What::FailsOn("EIO")),
        ("pwrite64", What::FailsOn("ENOSPC")),
    ];
    world().await.sales("sale, failing disk", &kinds, 40, 4).await;
}

#[tokio::test]
async fn a_refund_and_its_sync_count_once_wherever_the_agent_is_killed() {
    const PAID: u64 = 1_000;
    let mut world = world().await;
    world.shop.start().await.unwrap();
    let sale = world.shop.sell(PAID, world.cards.uid(CARD), "sold").await.unwrap();
    assert_eq!(sale["state"], "accepted");
    world.shop.wait_until_synced().await.unwrap();
    world.shop.stop().unwrap();
    let kinds = [
        ("pwrite64", What::Kill),
        ("fsync,fdatasync", What::Kill),
        ("write,writev", What::Kill),
        ("sendto,sendmsg", What::Kill),
        ("pwrite64", What::Fails("EIO")),
        ("fsync,fdatasync", What::Fails("EIO")),
    ];
    let mut sweep = Sweep::stepping("refund and sync", &kinds, 60).unwrap();
    let mut refunds = 0;
    while let Some(fault) = sweep.next_fault() {
        refunds += 1;
        let at = fault.to_string();
        world.shop.wrapper = fault.wrapper(&world.log);
        let refund = Refund::ask(&mut world.shop, &sale, &format!("back-{refunds}")).await.unwrap();
        let is_met = met(&world.log).unwrap();
        assert!(
            refund.is_decided || is_met,
            "{at}: nothing happened, and the refund was not decided: {}",
            world.shop.log()
        );
        if world.shop.runs().unwrap() {
            world.shop.kill_9().unwrap();
        }
        world.shop.wrapper.clear();
        world.shop.start().await.unwrap();
        refund.is_there(&world.shop, &at).await;
        scenario::is_sound(&world.shop, &at);
        world.shop.stop().unwrap();
        sweep.was_met(is_met).unwrap();
    }
    let found = sweep.end();
    assert!(found >= 12, "only {found} faults were met");
    world.shop.start().await.unwrap();
    world.shop.wait_until_synced().await.unwrap();
    assert_eq!(world.hub.owed(SHOP).unwrap(), PAID - refunds, "each refund once");
    world.hub.verify().unwrap();
}

#[test]
fn an_enrolment_cut_off_anywhere_is_taken_up_by_the_same_command() {
    let dir = folder().unwrap();
    let hub = Hub::with_example_fund(dir.path()).unwrap();
    let kinds = [
        ("pwrite64", What::Kill),
        ("fsync,fdatasync", What::Kill),
        ("write,writev", What::Kill),
        ("sendto,sendmsg", What::Kill),
        ("rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,ftruncate,fchmod", What::Kill),
        ("pwrite64", What::Fails("ENOSPC")),
        ("fsync,fdatasync", What::Fails("EIO")),
        ("rename,renameat,renameat2,link,linkat,unlink,unlinkat", What::Fails("EIO")),
    ];
    let mut sweep = Sweep::stepping("enrolment", &kinds, 23).unwrap();
    while let Some(fault) = sweep.next_fault() {
        let at = fault.to_string();
        let (terminal, code) = hub.add_terminal(SHOP).unwrap();
        let data = dir.path().join(format!("terminal-{terminal}"));
        let command = |words: &[&str]| {
            let mut command = Command::new(binary("cabas-agent").unwrap());
            command.env("CABAS_AGENT_DATA_DIR", &data).args(words);
            command
        };
        let enrol = || command(&["enrol", "--hub", &hub.url(), "--code", &code, "--json"]);
        let (said, is_met) = fault.run(&enrol(), &dir.path().join("trace")).unwrap();
        if !(is_met && fault.what == What::Kill) {
            ended_well(&said).unwrap_or_else(|error| unreachable!("{at}: {error}"));
        }
        assert!(is_met || said.code == Some(0), "{at}: {said:?}");
        let again = cabas_tests::program::run(&mut enrol()).unwrap();
        let is_over = scenario::enrolled_again(&said, &again, &at);
        let verified = cabas_tests::program::run(&mut command(&["journal", "verify"])).unwrap();
        assert_eq!(verified.code, Some(0), "{at}: {said:?}, then {again:?}, then {verified:?}");
        let left: Vec<_> = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(is_over || !left.iter().any(|name| name == "enrolment.pending"), "{at}: {left:?}");
        sweep.was_met(is_met).unwrap();
    }
    assert!(sweep.end() >= 25);
    hub.verify().unwrap();
}
