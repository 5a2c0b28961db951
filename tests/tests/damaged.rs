//! Bits that flip in databases, logs, keys and configuration; a disk that is read-only, or slow; too little memory. The
//! programs work, or say in one line what is wrong; no sale that was accepted is gone without a word.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "test code")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use cabas_tests::disk::Disk;
use cabas_tests::example::Cards;
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::program::{Said, run};
use cabas_tests::shop::Shop;
use cabas_tests::sweep::{Fault, VARIABLE, What, ended_well, folder, replace_folder};

const SHOP: &str = "biocoop-platanes";
/// How many places of a file are tried, beside its head.
const PLACES: usize = 24;
/// The head of a file: format, page size, counters.
const HEAD: usize = 100;
/// Of the bytes of a head, each so many-th.
const HEAD_STEP: usize = 9;

/// Bits to flip in a file of this size; the seed is printed. `CABAS_SWEEP=all` tries ten times as many.
fn places(name: &str, size: usize) -> Vec<(usize, u8)> {
    let seed = fastrand::u64(..);
    eprintln!("{name}: {size} bytes, seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let count = if std::env::var(VARIABLE).is_ok() { PLACES * 10 } else { PLACES };
    let head = (0..size.min(HEAD)).step_by(HEAD_STEP);
    let body: Vec<usize> = (0..count).map(|_| random.usize(0..size)).collect();
    head.chain(body).map(|at| (at, 1 << random.u8(0..8))).collect()
}

fn flip(file: &Path, (at, bit): (usize, u8)) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[at] ^= bit;
    File::create(file).write_all(&bytes).unwrap();
}

/// A file that is written over in place, with its mode.
struct File;

impl File {
    fn create(path: &Path) -> std::fs::File {
        std::fs::File::options().write(true).truncate(true).open(path).unwrap()
    }
}

fn well(said: &Said, at: &str) {
    ended_well(said).unwrap_or_else(|error| unreachable!("{at}: {error}"));
}

/// A hub, and a shop that sold some and lost its power: part of its journal is in the log only.
struct World {
    hub: Hub,
    shop: Shop,
    base: PathBuf,
    dir: tempfile::TempDir,
}

async fn world(sales: u64) -> World {
    let dir = folder().unwrap();
    let hub = Hub::with_example_fund(&dir.path().join("hub")).unwrap();
    hub.credit("2026-11").unwrap();
    let mut shop = Shop::enrolled(&dir.path().join("shop"), &http_client().unwrap(), &hub, SHOP).await.unwrap();
    shop.wait_for_reader().await.unwrap();
    let cards = Cards::read().unwrap();
    for sale in 0..sales {
        let sold = shop.sell(100 + sale, cards.uid(1), &format!("sale-{sale}")).await.unwrap();
        assert_eq!(sold["state"], "accepted");
    }
    shop.kill_9().unwrap();
    let base = dir.path().join("base");
    replace_folder(&shop.data_dir(), &base).unwrap();
    World { hub, shop, base, dir }
}

fn size(file: &Path) -> usize {
    usize::try_from(std::fs::metadata(file).unwrap().len()).unwrap()
}

#[tokio::test]
async fn a_bit_that_flips_at_a_terminal_is_told_or_takes_nothing_with_it() {
    let world = world(3).await;
    let data = world.shop.data_dir();
    let exported = world.shop.said(&["journal", "export", "--json"]).unwrap();
    assert_eq!(exported.code, Some(0), "{exported:?}");
    // Carried over into the database, as at an orderly end; and beside it in the log, as after a power cut.
    let closed = world.dir.path().join("closed");
    replace_folder(&world.base, &data).unwrap();
    let log = rusqlite::Connection::open(data.join("journal.db")).unwrap();
    log.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(log);
    replace_folder(&data, &closed).unwrap();
    let key = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().ends_with("key").then(|| entry.path());
    let key = std::fs::read_dir(&closed).unwrap().find_map(|entry| key(entry.unwrap())).unwrap();
    let key = key.file_name().unwrap().to_str().unwrap();
    let (mut told, mut harmless) = (0, 0);
    for (base, name) in [(&closed, "journal.db"), (&world.base, "journal.db-wal"), (&closed, key)] {
        for place in places(name, size(&base.join(name))) {
            let at = format!("bit {} of byte {} of {name}", place.1, place.0);
            replace_folder(base, &data).unwrap();
            flip(&data.join(name), place);
            let verified = world.shop.said(&["journal", "verify"]).unwrap();
            well(&verified, &at);
            let again = world.shop.said(&["journal", "export", "--json"]).unwrap();
            well(&again, &at);
            if verified.code != Some(0) {
                told += 1;
            } else if name == "journal.db-wal" {
                // The last commit alone may be gone: nobody can tell it from one that a power cut tore.
                let (rows, left) = (exported.json().unwrap(), again.json().unwrap());
                let (rows, left) = (rows.as_array().unwrap(), left.as_array().unwrap());
                assert!(
                    rows.starts_with(left) && rows.len() <= left.len() + 1,
                    "{at}: {} of {}",
                    left.len(),
                    rows.len()
                );
                harmless += 1;
            } else {
                assert_eq!(again.out, exported.out, "{at}: verified, and other rows");
                harmless += 1;
            }
        }
    }
    assert!(told > 10 && harmless > 0, "{told} told, {harmless} harmless");
    // Another enrolment keeps the damaged log as it is.
    replace_folder(&world.base, &data).unwrap();
    flip(&data.join("journal.db-wal"), (0, 1));
    let damaged = std::fs::read(data.join("journal.db-wal")).unwrap();
    let (_, code) = world.hub.add_terminal(SHOP).unwrap();
    let enrolled = world.shop.said(&["enrol", "--hub", &world.hub.url(), "--code", &code]).unwrap();
    assert_eq!(enrolled.code, Some(0), "{enrolled:?}");
    let kept = std::fs::read_dir(data.join("earlier-enrolments")).unwrap().next().unwrap().unwrap().path();
    assert!(std::fs::read(kept.join("journal.db-wal")).unwrap() == damaged, "the damaged log was written over");
}

#[tokio::test]
async fn a_terminal_with_a_flipped_bit_starts_or_says_why_not() {
    let mut world = world(1).await;
    let data = world.shop.data_dir();
    let (mut started, mut refused) = (0, 0);
    for name in ["journal.db", "journal.db-wal"] {
        for place in places(name, size(&world.base.join(name))).into_iter().step_by(5) {
            let at = format!("bit {} of byte {} of {name}", place.1, place.0);
            replace_folder(&world.base, &data).unwrap();
            flip(&data.join(name), place);
            let before = world.shop.log().len();
            if world.shop.start_or_fall().await.unwrap() {
                started += 1;
                world.shop.kill_9().unwrap();
            } else {
                refused += 1;
            }
            let log = world.shop.log().split_off(before);
            assert!(!log.contains("panicked"), "{at}: {log}");
        }
    }
    eprintln!("{started} started, {refused} said why not");
    assert!(started > 0);
}

#[tokio::test]
async fn a_bit_that_flips_at_the_hub_is_told_or_changes_no_sum() {
    let world = world(2).await;
    let mut hub = world.hub;
    hub.stop().unwrap();
    let (data, base) = (hub.data_dir(), world.dir.path().join("hub-base"));
    replace_folder(&data, &base).unwrap();
    let sums = |hub: &Hub| {
        let (status, owed) =
            (hub.said(&["status", "--json"]).unwrap(), hub.said(&["settlement", "preview", "--json"]).unwrap());
        (status, owed)
    };
    let totals = |said: &Said| said.json().map(|status| status["totals"].clone()).unwrap();
    let (status, owed) = sums(&hub);
    let keys: Vec<PathBuf> = std::fs::read_dir(base.join("keys")).unwrap().map(|key| key.unwrap().path()).collect();
    let keys = keys.iter().map(|key| format!("keys/{}", key.file_name().unwrap().to_str().unwrap()));
    let mut told = 0;
    for name in std::iter::once("hub.db".to_owned()).chain(keys) {
        let few = if name == "hub.db" { 1 } else { 7 };
        for place in places(&name, size(&base.join(&name))).into_iter().step_by(few) {
            let at = format!("bit {} of byte {} of {name}", place.1, place.0);
            replace_folder(&base, &data).unwrap();
            flip(&data.join(&name), place);
            let verified = hub.said(&["verify"]).unwrap();
            well(&verified, &at);
            let (now, owes) = sums(&hub);
            well(&now, &at);
            well(&owes, &at);
            if verified.code == Some(0) && now.code == Some(0) && owes.code == Some(0) {
                assert_eq!(totals(&now), totals(&status), "{at}: verified, and other sums");
                let payouts = |said: &Said| said.json().unwrap()["settlement"]["shops"].clone();
                assert_eq!(payouts(&owes), payouts(&owed), "{at}: verified, and another payout");
            } else {
                told += 1;
            }
        }
    }
    assert!(told > 3, "{told} told");
}

#[test]
fn a_flipped_bit_in_a_configuration_is_another_setting_or_told() {
    let dir = folder().unwrap();
    let hub = Hub::empty(&dir.path().join("hub")).unwrap();
    let config = dir.path().join("config.toml");
    let text = format!("data_dir = \"{}\"\nlisten = \"127.0.0.1:7410\"\n", hub.data_dir().display());
    std::fs::File::create(&config).unwrap().write_all(text.as_bytes()).unwrap();
    let mut told = 0;
    for (name, words) in [("cabas-hub", ["status", "--json"]), ("cabas-agent", ["status", "--json"])] {
        for place in places(name, text.len()) {
            File::create(&config).write_all(text.as_bytes()).unwrap();
            flip(&config, place);
            let mut command = Command::new(cabas_tests::program::binary(name).unwrap());
            let said = run(command.arg("--config").arg(&config).args(words)).unwrap();
            well(&said, &format!("{name}, bit {} of byte {}", place.1, place.0));
            told += i32::from(said.code == Some(1));
        }
    }
    assert!(told > 0);
}

#[tokio::test]
async fn a_disk_that_takes_nothing_is_told_in_a_line_and_harms_nothing() {
    let Some(disk) = Disk::mount().unwrap() else { return };
    let hub = Hub::empty(disk.path()).unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/example-fund").display().to_string();
    hub.ok(&["import", &example]).unwrap();
    let credit = ["credit", "run", "--period", "2026-11", "--source", "ville", "--book"];
    disk.set_read_only(true);
    for words in [&credit[..], &["verify"], &["status"], &["serve"], &["init", "--name", "Caisse"]] {
        let said = hub.said(words).unwrap();
        well(&said, &format!("{words:?}"));
        assert!(said.code == Some(1) || matches!(words, ["verify" | "status"]), "{words:?}: {said:?}");
    }
    disk.set_read_only(false);
    hub.verify().unwrap();
    hub.ok(&credit).unwrap();
    hub.verify().unwrap();
}

#[tokio::test]
async fn a_slow_disk_and_too_little_memory_lose_no_accepted_sale() {
    let mut world = world(0).await;
    world.hub.kill_9().unwrap();
    let (cards, log) = (Cards::read().unwrap(), world.dir.path().join("trace"));
    let slow = Fault { calls: "fsync,fdatasync", what: What::Slow(400_000), at: 1 };
    // How much more memory there is than the agent has, in KiB; none: as much as there is.
    let mut sales = 0;
    for more in [None, Some(0_u64), Some(64), Some(256), Some(1024)] {
        sales += 1;
        let (request, at) = (format!("short-{sales}"), format!("{more:?} KiB more"));
        world.shop.start().await.unwrap();
        world.shop.wait_for_reader().await.unwrap();
        let id = world.shop.begin_sale(1, &request).await.unwrap();
        let pid = world.shop.pid().unwrap();
        let trap = match more {
            None => Some(slow.lay_on(pid, &log).unwrap()),
            Some(more) => {
                let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
                let has = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
                let has: u64 = has.trim().trim_end_matches(" kB").parse().unwrap();
                let bytes = (has + more) * 1024;
                let set =
                    run(Command::new("prlimit").arg(format!("--pid={pid}")).arg(format!("--as={bytes}"))).unwrap();
                assert_eq!(set.code, Some(0), "{set:?}");
                None
            }
        };
        let shown = world.shop.tap_until_over(&id, cards.uid(1)).await.ok();
        let accepted = shown.as_ref().is_some_and(|sale| sale["state"] == "accepted");
        let ran = world.shop.runs().unwrap();
        world.shop.kill_9().unwrap();
        if let Some(trap) = trap {
            assert!(trap.take_away().unwrap() && accepted && ran, "slow, and not accepted: {shown:?}");
        }
        world.shop.start().await.unwrap();
        let id = world.shop.begin_sale(1, &request).await.unwrap();
        let known = world.shop.get(&format!("/api/sales/{id}")).await.unwrap();
        assert!(!accepted || known["state"] == "accepted", "{at}: shown as accepted, and lost");
        if known["state"] != "accepted" {
            world.shop.wait_for_reader().await.unwrap();
            let sale = world.shop.tap_until_over(&id, cards.uid(1)).await.unwrap();
            assert_eq!(sale["state"], "accepted", "{at}: {sale}");
        }
        world.shop.stop().unwrap();
        let verified = world.shop.said(&["journal", "verify"]).unwrap();
        assert_eq!(verified.code, Some(0), "{at}: {verified:?}");
    }
    world.hub.start().unwrap();
    world.shop.start().await.unwrap();
    world.shop.wait_until_synced().await.unwrap();
    assert_eq!(world.hub.owed(SHOP).unwrap(), sales, "each sale once");
}

#[test]
fn a_credit_run_with_too_little_memory_ends_whole_or_not_at_all() {
    let dir = folder().unwrap();
    let hub = Hub::empty(&dir.path().join("hub")).unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/example-fund").display().to_string();
    hub.ok(&["import", &example]).unwrap();
    let base = dir.path().join("base");
    replace_folder(&hub.data_dir(), &base).unwrap();
    let words = ["credit", "run", "--period", "2026-11", "--source", "ville", "--book"];
    hub.ok(&words).unwrap();
    let totals = |hub: &Hub| hub.ok(&["status"]).unwrap()["totals"].clone();
    let sums = totals(&hub);
    let (mut fell, mut whole) = (0, 0);
    for mib in (8..=120_u64).step_by(8) {
        replace_folder(&base, &hub.data_dir()).unwrap();
        let command = hub.command(&words).unwrap();
        let mut short = Command::new("prlimit");
        short.arg(format!("--as={}", mib * 1024 * 1024)).arg(command.get_program()).args(command.get_args());
        short.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
        let said = run(&mut short).unwrap();
        hub.verify().unwrap_or_else(|error| unreachable!("{mib} MiB, {said:?}: {error}"));
        if said.code == Some(0) {
            whole += 1;
        } else {
            fell += 1;
            let again = hub.said(&words).unwrap();
            well(&again, &format!("{mib} MiB, {said:?}"));
        }
        assert_eq!(totals(&hub), sums, "{mib} MiB: {said:?}");
    }
    assert!(fell > 0 && whole > 0, "{fell} fell, {whole} were whole");
}
