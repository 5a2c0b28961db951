//! The agent on a disk that loses what was not synced, the power cut at any write, sync or name of a sale, of a refund with
//! its sync, and of an enrolment. What was shown as accepted is there, and reaches the hub once.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "test code")]

use std::path::Path;

use cabas_tests::disk::{Disk, Loss};
use cabas_tests::example::Cards;
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::scenario::{self, Refund};
use cabas_tests::shop::Shop;
use cabas_tests::sweep::{Fault, Sweep, What, folder};
use rusqlite::{Connection, OpenFlags};

const SHOP: &str = "biocoop-platanes";
const CARD: usize = 1;
const EVERYTHING: &str = "everything not synced";
const KINDS: [(&str, What); 2] = [(EVERYTHING, What::Kill), ("some of what was not synced", What::Kill)];

fn loss(fault: Fault) -> Loss {
    if fault.calls == EVERYTHING { Loss::All } else { Loss::Some(fault.at.into()) }
}

fn rows(journal: &Path) -> Option<i64> {
    let journal = Connection::open_with_flags(journal, OpenFlags::SQLITE_OPEN_READ_WRITE).ok()?;
    journal.query_row("SELECT count(*) FROM rows", [], |row| row.get(0)).ok()
}

struct World {
    hub: Hub,
    shop: Shop,
    disk: Disk,
    uid: Vec<u8>,
    _dir: tempfile::TempDir,
}

/// A shop whose agent writes on the disk, is enrolled, holds balances and does not run.
async fn world() -> Option<World> {
    let disk = Disk::mount().unwrap()?;
    let dir = folder().unwrap();
    let hub = Hub::with_example_fund(&dir.path().join("hub")).unwrap();
    hub.credit("2026-11").unwrap();
    let data = disk.path().join("data").display().to_string();
    let environment = vec![("CABAS_AGENT_DATA_DIR".to_owned(), data)];
    let http = http_client().unwrap();
    let mut shop = Shop::enrolled_with(&dir.path().join("shop"), &http, &hub, SHOP, environment).await.unwrap();
    shop.stop().unwrap();
    let uid = Cards::read().unwrap().uid(CARD).to_vec();
    Some(World { hub, shop, disk, uid, _dir: dir })
}

impl World {
    /// The power goes, at the latest now, and comes back; true where it had gone before.
    async fn power_cut(&mut self, loss: Loss) -> bool {
        let met = self.disk.is_cut();
        self.disk.cut();
        if met {
            scenario::falls(&mut self.shop).await;
        }
        assert!(!met || !self.shop.runs().unwrap(), "the agent runs on without power");
        if self.shop.runs().unwrap() {
            self.shop.kill_9().unwrap();
        }
        self.disk.lose(loss);
        met
    }

    /// What a sale of a cent was shown as, and what the same request says after the power cut.
    async fn sale(&mut self, request: &str, cut_at: Option<u32>, loss: Loss) -> (bool, Option<String>, String) {
        self.shop.start().await.unwrap();
        self.shop.wait_for_reader().await.unwrap();
        let id = self.shop.begin_sale(1, request).await.unwrap();
        if let Some(at) = cut_at {
            self.disk.cut_at(at);
        }
        let shown = self.shop.tap_until_over(&id, &self.uid).await.ok();
        let shown = shown.map(|sale| sale["state"].as_str().unwrap().to_owned());
        let met = self.power_cut(loss).await;
        self.shop.start().await.unwrap();
        let id = self.shop.begin_sale(1, request).await.unwrap();
        let known = scenario::state(&self.shop, &id).await;
        if known != "accepted" {
            self.shop.wait_for_reader().await.unwrap();
            let sale = self.shop.tap_until_over(&id, &self.uid).await.unwrap();
            assert_eq!(sale["state"], "accepted", "{request}: {sale}");
        }
        scenario::is_sound(&self.shop, request);
        self.shop.stop().unwrap();
        (met, shown, known)
    }
}

#[tokio::test]
async fn an_accepted_sale_is_there_though_the_power_takes_what_was_not_synced() {
    let Some(mut world) = world().await else { return };
    world.hub.kill_9().unwrap();
    let mut sweep = Sweep::stepping("sale", &KINDS, 4).unwrap();
    let mut sales = 0;
    while let Some(fault) = sweep.next_fault() {
        sales += 1;
        let at = format!("{} at {}", fault.calls, fault.at);
        let (met, shown, known) = world.sale(&format!("cut-{sales}"), Some(fault.at), loss(fault)).await;
        match shown.as_deref() {
            Some("accepted") => assert_eq!(known, "accepted", "{at}: shown as accepted, and lost"),
            None => assert!(met, "{at}: nothing happened"),
            Some(other) => unreachable!("{at}: {other}"),
        }
        sweep.was_met(met).unwrap();
    }
    let met = sweep.end();
    assert!(met >= 4, "the power went at only {met} places");
    world.hub.start().unwrap();
    world.shop.start().await.unwrap();
    world.shop.wait_until_synced().await.unwrap();
    assert_eq!(world.hub.owed(SHOP).unwrap(), sales, "each sale once");
    world.hub.verify().unwrap();
}

#[tokio::test]
async fn a_disk_that_lies_loses_an_accepted_sale_so_these_tests_can_fail() {
    let Some(mut world) = world().await else { return };
    world.hub.kill_9().unwrap();
    let honest = world.sale("honest", None, Loss::All).await;
    assert_eq!(honest, (false, Some("accepted".to_owned()), "accepted".to_owned()));
    world.disk.lie();
    let (_, shown, known) = world.sale("lied to", None, Loss::All).await;
    assert_eq!(shown.as_deref(), Some("accepted"));
    assert_ne!(known, "accepted", "nothing was synced, and the sale is there");
}

#[tokio::test]
async fn a_refund_and_its_sync_count_once_though_the_power_takes_what_was_not_synced() {
    const PAID: u64 = 1_000;
    let Some(mut world) = world().await else { return };
    world.shop.start().await.unwrap();
    let sale = world.shop.sell(PAID, &world.uid, "sold").await.unwrap();
    assert_eq!(sale["state"], "accepted");
    world.shop.wait_until_synced().await.unwrap();
    world.shop.stop().unwrap();
    let mut sweep = Sweep::stepping("refund and sync", &KINDS, 23).unwrap();
    let mut refunds = 0;
    while let Some(fault) = sweep.next_fault() {
        refunds += 1;
        let at = format!("{} at {}", fault.calls, fault.at);
        world.disk.cut_at(fault.at);
        let refund = Refund::ask(&mut world.shop, &sale, &format!("back-{refunds}")).await.unwrap();
        let met = world.power_cut(loss(fault)).await;
        assert!(
            refund.is_decided || met,
            "{at}: nothing happened, and the refund was not decided: {}",
            world.shop.log()
        );
        world.shop.start().await.unwrap();
        refund.is_there(&world.shop, &at).await;
        scenario::is_sound(&world.shop, &at);
        world.shop.stop().unwrap();
        sweep.was_met(met).unwrap();
    }
    let met = sweep.end();
    assert!(met >= 6, "the power went at only {met} places");
    world.shop.start().await.unwrap();
    world.shop.wait_until_synced().await.unwrap();
    assert_eq!(world.hub.owed(SHOP).unwrap(), PAID - refunds, "each refund once");
    world.hub.verify().unwrap();
}

#[tokio::test]
async fn an_enrolment_is_taken_up_and_the_earlier_journal_kept_though_the_power_takes_what_was_not_synced() {
    let Some(mut world) = world().await else { return };
    world.shop.start().await.unwrap();
    let sale = world.shop.sell(1, &world.uid, "earlier").await.unwrap();
    assert_eq!(sale["state"], "accepted");
    world.shop.wait_until_synced().await.unwrap();
    world.shop.stop().unwrap();
    let (base, earlier) = (world.disk.image(), rows(&world.disk.path().join("data/journal.db")).unwrap());
    let mut sweep = Sweep::stepping("enrolment", &KINDS, 31).unwrap();
    while let Some(fault) = sweep.next_fault() {
        let at = format!("{} at {}", fault.calls, fault.at);
        world.disk.put_back(&base);
        let (_, code) = world.hub.add_terminal(SHOP).unwrap();
        let (url, disk) = (world.hub.url(), &world.disk);
        let enrol = || world.shop.said(&["enrol", "--hub", &url, "--code", &code, "--json"]).unwrap();
        disk.cut_at(fault.at);
        let said = enrol();
        let met = disk.is_cut();
        assert!(met || said.code == Some(0), "{at}: {said:?}");
        disk.lose(loss(fault));
        let again = if said.code == Some(0) { None } else { Some(enrol()) };
        if let Some(again) = &again {
            scenario::enrolled_again(&said, again, &at);
        }
        let verified = world.shop.said(&["journal", "verify", "--json"]).unwrap();
        assert_eq!(verified.code, Some(0), "{at}: {said:?}, then {again:?}, then {verified:?}");
        // A try that came to its end, but for its last word, may be kept beside it.
        let aside = std::fs::read_dir(disk.path().join("data/earlier-enrolments")).into_iter().flatten();
        let kept = aside.filter_map(|folder| rows(&folder.unwrap().path().join("journal.db"))).max();
        assert_eq!(kept, Some(earlier), "{at}: the journal with the sale is kept; {said:?}, then {again:?}");
        sweep.was_met(met).unwrap();
    }
    let met = sweep.end();
    assert!(met >= 10, "the power went at only {met} places");
    world.hub.verify().unwrap();
}
