//! Upgrades of a terminal by the real programs: a newer one is fetched, tried, started and stays; one that does not work is
//! refused or put back by itself. The test starts `cabas-agent launch` again and again, as systemd does. Whatever happens, the
//! terminal sells afterwards and its journal is whole.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "test code"
)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cabas_tests::example::Cards;
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::release::{FORM, Releases, offer, stamped, told};
use cabas_tests::shop::Shop;
use cabas_tests::sweep::{Fault, What, folder};
use serde_json::Value;

const SHOP: &str = "biocoop-platanes";
/// Looks, each a fifth of a second.
const LOOKS: u32 = 600;
/// What the workspace's agent says that it is.
const PACKAGED: &str = env!("CARGO_PKG_VERSION");

struct World {
    hub: Hub,
    shop: Shop,
    releases: Releases,
    cards: Cards,
    sold: u64,
    dir: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let dir = folder().unwrap();
        let releases = Releases::new(&dir.path().join("releases")).unwrap();
        let mut hub = Hub::with_example_fund(&dir.path().join("hub")).unwrap();
        hub.environment.push(("CABAS_HUB_RELEASE_KEY".to_owned(), releases.key.clone()));
        hub.credit("2026-11").unwrap();
        let http = http_client().unwrap();
        let folder = dir.path().join("shop");
        let mut shop = Shop::enrolled_with(&folder, &http, &hub, SHOP, releases.of_terminal()).await.unwrap();
        shop.stop().unwrap();
        shop.started_by = "launch";
        Self { hub, shop, releases, cards: Cards::read().unwrap(), sold: 0, dir }
    }

    /// Keeps the agent running as systemd does until the status says it; `hang` kills one that is not ready, as its watchdog.
    async fn until(&mut self, what: &str, mut look: impl FnMut(&Value) -> bool) -> Value {
        let mut silent = 0;
        for _ in 0..LOOKS {
            if !self.shop.runs().unwrap() {
                self.shop.spawn().unwrap();
                silent = 0;
            }
            match self.shop.get("/api/status").await {
                Ok(status) if look(&status) => return status,
                Ok(_) => silent = 0,
                Err(_) => silent += 1,
            }
            // The watchdog and the limit on a start, in short.
            if silent == 25 && self.shop.log().contains("a broken agent runs: hang") {
                self.shop.kill_9().unwrap();
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("in vain for {what}: {}\n{:?}", self.shop.log(), told(&self.hub));
    }

    async fn phase(&mut self, phase: &str, version: &str) -> Value {
        let what = format!("{phase} on {version}");
        self.until(&what, |status| status["upgrade"]["phase"] == phase && status["program"] == version).await
    }

    async fn sells(&mut self) {
        self.sold += 1;
        self.shop.wait_for_reader().await.unwrap();
        let request = format!("sale-{}", self.sold);
        let sale = self.shop.sell(100, self.cards.uid(1), &request).await.unwrap();
        assert_eq!(sale["state"], "accepted", "{sale}");
    }

    /// Everything that was sold arrives once, and journal and ledger are whole.
    async fn is_whole(&mut self) {
        self.shop.wait_until_synced().await.unwrap();
        assert_eq!(self.hub.owed(SHOP).unwrap(), self.sold * 100);
        self.hub.verify().unwrap();
        if self.shop.runs().unwrap() {
            self.shop.stop().unwrap();
        }
        let verified = self.shop.said(&["journal", "verify"]).unwrap();
        assert_eq!(verified.code, Some(0), "{verified:?}");
    }

    /// Waits until the agent has ended by itself.
    async fn ends(&mut self) {
        for _ in 0..LOOKS {
            if !self.shop.runs().unwrap() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("it runs on: {}", self.shop.log());
    }

    fn status(&self) -> Value {
        self.shop.said(&["--json", "upgrade", "status"]).unwrap().json().unwrap()
    }
}

#[tokio::test]
async fn a_terminal_takes_a_signed_release_between_sales_and_a_person_takes_it_back() {
    let mut world = World::new().await;
    let program = world.releases.agent("0.2.0").unwrap();
    let mode = std::fs::metadata(format!("{}.release", program.display())).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644, "the hub's user reads what root brought");
    world.phase("none", PACKAGED).await;
    world.sells().await;
    // What another key signed the hub does not take, and a program beside its release neither.
    let other = Releases::new(&world.dir.path().join("others")).unwrap();
    let forged = other.broken("0.2.0", "crash", FORM).unwrap();
    assert_eq!(world.hub.said(&["release", "add", &forged.display().to_string()]).unwrap().code, Some(1));
    let beside = format!("{}.release", program.display());
    let wrong = ["release", "add", &forged.display().to_string(), "--release", &beside];
    assert_eq!(world.hub.said(&wrong).unwrap().code, Some(1));
    // Staged: the other terminal is not offered it.
    let (number, _) = world.hub.add_terminal(SHOP).unwrap();
    world.hub.ok(&["release", "add", &program.display().to_string()]).unwrap();
    world.hub.ok(&["release", "offer", "0.2.0", "--terminal", &number.to_string()]).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.shop.get("/api/status").await.unwrap()["upgrade"]["phase"], "none");
    world.hub.ok(&["release", "offer", "0.2.0", "--all"]).unwrap();
    world.phase("loading", PACKAGED).await;
    world.sells().await;
    world.phase("none", "0.2.0").await;
    assert_eq!(world.status()["starts"], "a");
    world.sells().await;
    world.shop.kill_9().unwrap();
    world.phase("none", "0.2.0").await;
    assert_eq!(told(&world.hub).unwrap()["program"], "0.2.0");
    assert_eq!(world.shop.said(&["upgrade", "back"]).unwrap().code, Some(0));
    world.shop.stop().unwrap();
    let status = world.phase("rolled_back", PACKAGED).await;
    assert!(status["upgrade"]["note"].as_str().unwrap().contains("a person took it back"), "{status}");
    world.sells().await;
    world.is_whole().await;
}

#[tokio::test]
async fn a_release_that_crashes_or_hangs_is_put_back_and_not_taken_again() {
    let mut world = World::new().await;
    for (version, plan) in [("0.2.0", "crash"), ("0.3.0", "hang")] {
        offer(&world.hub, &world.releases.broken(version, plan, FORM).unwrap()).unwrap();
        let back = format!("{version} rolled back");
        world
            .until(&back, |status| {
                let upgrade = &status["upgrade"];
                upgrade["phase"] == "rolled_back" && upgrade["version"] == version
            })
            .await;
        assert_eq!(world.shop.log().matches(&format!("version {version} is tried")).count(), 3, "{}", world.shop.log());
        world.sells().await;
        for _ in 0..50 {
            if told(&world.hub).unwrap()["phase"] == "rolled_back" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let told = told(&world.hub).unwrap();
        assert_eq!((&told["phase"], &told["version"]), (&Value::from("rolled_back"), &Value::from(version)), "{told}");
    }
    assert_eq!(world.status()["bad"].as_array().unwrap().len(), 2);
    // What only adds to the journal may be tried; it does not touch the real one before it runs.
    offer(&world.hub, &world.releases.broken("0.4.0", "additive", FORM + 1).unwrap()).unwrap();
    world
        .until("0.4.0 rolled back", |status| {
            status["upgrade"]["version"] == "0.4.0" && status["upgrade"]["phase"] == "rolled_back"
        })
        .await;
    world.sells().await;
    world.is_whole().await;
}

#[tokio::test]
async fn a_release_that_fails_its_trial_or_could_not_be_undone_is_never_started() {
    let mut world = World::new().await;
    let cases =
        [("0.2.0", "self-test", FORM, "I do not like this journal"), ("0.3.0", "no-way-back", 99, "could not go back")];
    for (version, plan, form, why) in cases {
        offer(&world.hub, &world.releases.broken(version, plan, form).unwrap()).unwrap();
        refused(&mut world, version, why).await;
    }
    // For another machine, whatever its stamp says.
    let file = std::fs::read(world.releases.broken("0.4.0", "crash", FORM).unwrap()).unwrap();
    let mut other = stamped(file, "0.4.0", FORM).unwrap();
    other[18] = 0xf3;
    offer(&world.hub, &world.releases.signed("riscv", &other).unwrap()).unwrap();
    refused(&mut world, "0.4.0", "a release was not taken").await;
    // The hub was broken into: it offers what the fund's key did not sign.
    let other = Releases::new(&world.dir.path().join("others")).unwrap();
    world.hub.environment.push(("CABAS_HUB_RELEASE_KEY".to_owned(), other.key.clone()));
    offer(&world.hub, &other.broken("0.5.0", "crash", FORM).unwrap()).unwrap();
    world
        .until("forged", |status| status["upgrade"]["note"].as_str().is_some_and(|note| note.contains("did not sign")))
        .await;
    assert_eq!(world.status()["bad"].as_array().unwrap().len(), 3);
    assert!(!world.shop.log().contains("a broken agent runs"), "{}", world.shop.log());
    world.sells().await;
    world.is_whole().await;
}

async fn refused(world: &mut World, version: &str, why: &str) {
    let what = format!("{version} refused: {why}");
    let seen = |status: &Value| {
        let upgrade = &status["upgrade"];
        upgrade["phase"] == "refused" && upgrade["note"].as_str().is_some_and(|note| note.contains(version))
    };
    world.until(&what, seen).await;
    assert!(world.shop.log().contains(why), "{what}: {}", world.shop.log());
    world.sells().await;
}

#[tokio::test]
async fn a_download_goes_on_where_it_broke_off_and_wrong_bytes_are_never_started() {
    let mut world = World::new().await;
    let program = world.releases.agent("0.2.0").unwrap();
    let size = std::fs::metadata(&program).unwrap().len();
    offer(&world.hub, &program).unwrap();
    world.until("a part", |_| true).await;
    let part = wait_for_part(&world.shop, 1 << 20).await;
    world.hub.kill_9().unwrap();
    world.shop.kill_9().unwrap();
    let before = std::fs::metadata(&part).unwrap().len();
    assert!(before < size);
    // Somebody changes the program at the hub: what comes does not fit what was signed.
    let kept = std::fs::read_dir(world.hub.data_dir().join("releases")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&kept).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    write(&kept, &bytes);
    world.hub.start().unwrap();
    let wrong =
        |status: &Value| status["upgrade"]["note"].as_str().is_some_and(|note| note.contains("not what was signed"));
    world.until("wrong bytes", wrong).await;
    assert!(!world.shop.data_dir().join("upgrade/a/cabas-agent").exists());
    *bytes.last_mut().unwrap() ^= 1;
    write(&kept, &bytes);
    wait_for_part(&world.shop, 1 << 20).await;
    world.hub.ok(&["release", "withdraw", "0.2.0"]).unwrap();
    world.until("withdrawn", |status| status["upgrade"]["phase"] != "loading").await;
    world.sells().await;
    // Given out again it goes on from what has come.
    let came = std::fs::metadata(&part).unwrap().len();
    assert!(came >= 1 << 20, "{came}");
    offer(&world.hub, &program).unwrap();
    world.until("loading again", |status| status["upgrade"]["phase"] == "loading").await;
    assert!(std::fs::metadata(&part).unwrap().len() >= came);
    world.is_whole().await;
}

fn write(file: &Path, bytes: &[u8]) {
    std::io::Write::write_all(&mut std::fs::File::create(file).unwrap(), bytes).unwrap();
}

/// The file in which a program comes, once it has so many bytes.
async fn wait_for_part(shop: &Shop, least: u64) -> PathBuf {
    for _ in 0..LOOKS * 4 {
        let entries = std::fs::read_dir(shop.data_dir().join("upgrade/a")).into_iter().flatten().flatten();
        let part = entries.map(|entry| entry.path()).find(|path| path.display().to_string().contains("part-"));
        if let Some(part) = part.filter(|part| std::fs::metadata(part).is_ok_and(|meta| meta.len() >= least)) {
            return part;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nothing came: {}", shop.log());
}

/// When the fault is laid on: at the start that fetches and tries a release, or at the first start of that release.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Taking,
    Trial,
}

const RENAMES: &str = "rename,renameat,renameat2";
const SYNCS: &str = "fsync,fdatasync";

#[tokio::test]
async fn a_terminal_that_is_killed_at_any_step_of_an_upgrade_sells_and_comes_to_its_end() {
    let mut world = World::new().await;
    let all = std::env::var("CABAS_SWEEP").is_ok_and(|all| all == "all");
    let places: Vec<_> = if all {
        let of = |stage, calls: &'static str, most| (1..=most).map(move |at| (stage, calls, at));
        let taking = of(Stage::Taking, RENAMES, 6).chain(of(Stage::Taking, SYNCS, 14));
        taking.chain(of(Stage::Trial, RENAMES, 5)).chain(of(Stage::Trial, SYNCS, 10)).collect()
    } else {
        vec![
            (Stage::Taking, RENAMES, 1),
            (Stage::Taking, RENAMES, 3),
            (Stage::Trial, RENAMES, 2),
            (Stage::Trial, RENAMES, 3),
        ]
    };
    let (mut fell, trace) = (0, world.dir.path().join("trace"));
    for (number, (stage, calls, at)) in places.into_iter().enumerate() {
        let version = format!("0.{}.0", number + 2);
        let fault = Fault { calls, what: What::Kill, at };
        let program = world.releases.agent(&version).unwrap();
        // All of it has come before: a download that breaks off has a test of its own.
        let slot = if number % 2 == 0 { "a" } else { "b" };
        let folder = world.shop.data_dir().join("upgrade").join(slot);
        std::fs::create_dir_all(&folder).unwrap();
        for entry in std::fs::read_dir(&folder).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
        let release = world.releases.hash(&program).unwrap();
        write(&folder.join(format!("part-{release}")), &std::fs::read(&program).unwrap());
        offer(&world.hub, &program).unwrap();
        if stage == Stage::Trial {
            world.shop.spawn().unwrap();
            world.ends().await;
        }
        world.shop.wrapper = fault.wrapper(&trace);
        world.shop.spawn().unwrap();
        world.shop.wrapper.clear();
        // It falls, or the place is not there and it is done.
        for _ in 0..LOOKS {
            let runs = world.shop.runs().unwrap();
            let done = world.shop.get("/api/status").await.is_ok_and(|status| status["program"] == *version);
            if !runs || done && world.status()["trial"].is_null() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if world.shop.runs().unwrap() {
            world.shop.stop().unwrap();
        }
        let met = cabas_tests::sweep::met(&trace).unwrap();
        eprintln!("{stage:?}, {fault}: {}", if met { "met" } else { "not met" });
        fell += u32::from(met);
        world.phase("none", &version).await;
        world.sells().await;
        world.shop.stop().unwrap();
        assert!(world.status()["bad"].as_array().unwrap().is_empty(), "{stage:?}, {fault}");
    }
    assert!(fell >= 4, "only {fell} places were met");
    let newest = format!("0.{}.0", world.sold + 1);
    world.phase("none", &newest).await;
    world.is_whole().await;
}
