//! The disk that loses what was not synced does lose it, and keeps what was; and the hub's commands on it, the power cut at
//! any write, sync or name: the ledger verifies, what was said to be done is done, and the same command again ends with
//! the very sums of a run without faults.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "test code")]

use std::io::{Read as _, Write as _};
use std::path::Path;

use cabas_tests::disk::{Disk, Image, Loss};
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::sweep::{Sweep, What, ended_well};
use rusqlite::Connection;
use serde_json::Value;

/// Rows of a table of one's own after the power went, behind a hundred commits.
fn rows_left(synchronous: &str, loss: Loss) -> Option<i64> {
    let disk = Disk::mount().unwrap()?;
    let path = disk.path().join("own.db");
    let own = Connection::open(&path).unwrap();
    own.execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE t(a)").unwrap();
    own.pragma_update(None, "synchronous", synchronous).unwrap();
    for row in 0..100 {
        own.execute("INSERT INTO t VALUES (?1)", [row]).unwrap();
    }
    disk.cut();
    drop(own);
    disk.lose(loss);
    let own = Connection::open(&path).unwrap();
    let sound: String = own.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok", "{synchronous}");
    Some(own.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap_or(-1))
}

#[test]
fn what_was_committed_is_there_with_syncs_and_lost_without() {
    let Some(rows) = rows_left("FULL", Loss::All) else { return };
    assert_eq!(rows, 100);
    assert_eq!(rows_left("OFF", Loss::Nothing), Some(100), "a program that is killed loses nothing");
    let lost = rows_left("OFF", Loss::All).unwrap();
    assert!(lost < 100, "nothing was synced, and {lost} of 100 rows are there");
    for seed in 0..8 {
        assert_eq!(rows_left("FULL", Loss::Some(seed)), Some(100), "seed {seed}");
        let lost = rows_left("NORMAL", Loss::Some(seed)).unwrap();
        assert!(lost < 100, "commits without a sync, and all of them there with seed {seed}");
    }
}

#[test]
fn a_files_name_is_durable_with_its_folder_alone_and_its_contents_with_itself() {
    let Some(disk) = Disk::mount().unwrap() else { return };
    let at = |name: &str| disk.path().join(name);
    let write = |name: &str, text: &str| {
        let mut file = std::fs::File::create(at(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    };
    let read = |name: &str| {
        let mut text = String::new();
        std::fs::File::open(at(name)).ok()?.read_to_string(&mut text).unwrap();
        Some(text)
    };
    let sync_folder = || std::fs::File::open(disk.path()).unwrap().sync_all().unwrap();
    write("whole", "old").sync_all().unwrap();
    drop(write("empty", "never synced"));
    sync_folder();
    write("nameless", "contents without a name").sync_all().unwrap();
    write("whole.new", "new").sync_all().unwrap();
    std::fs::rename(at("whole.new"), at("whole")).unwrap();
    assert_eq!(read("whole").as_deref(), Some("new"), "as long as there is power");
    disk.lose(Loss::All);
    assert_eq!((read("whole").as_deref(), read("empty").as_deref()), (Some("old"), Some("")));
    assert_eq!((read("nameless"), read("whole.new")), (None, None));
    write("whole.new", "new").sync_all().unwrap();
    std::fs::rename(at("whole.new"), at("whole")).unwrap();
    sync_folder();
    std::fs::remove_file(at("empty")).unwrap();
    disk.lose(Loss::All);
    assert_eq!((read("whole").as_deref(), read("empty").as_deref()), (Some("new"), Some("")));
}

/// What becomes of what was not synced, by the name of a kind of fault.
fn loss(kind: &str, at: u32) -> Loss {
    if kind == EVERYTHING { Loss::All } else { Loss::Some(at.into()) }
}

const EVERYTHING: &str = "everything not synced";
const KINDS: [(&str, What); 2] = [(EVERYTHING, What::Kill), ("some of what was not synced", What::Kill)];

/// A command of the hub on the disk.
struct Try<'a> {
    disk: &'a Disk,
    hub: Hub,
    base: Image,
    words: Vec<&'a str>,
}

impl Try<'_> {
    fn sums(&self) -> Value {
        let answer = |words: &[&str]| self.hub.ok(words).unwrap_or_else(|error| format!("{error:#}").into());
        let (status, owed) = (answer(&["status"]), answer(&["settlement", "preview"]));
        let status = if status.is_string() { status } else { status["totals"].clone() };
        serde_json::json!([status, owed["settlement"]["payout_cents"], owed["settlement"]["shops"]])
    }

    fn sweep(&self, name: &'static str, step: u32, places: u32) {
        self.disk.put_back(&self.base);
        let had_fund = self.hub.data_dir().join("hub.db").exists();
        let done = self.hub.ok(&self.words).unwrap();
        let sums = self.sums();
        let mut sweep = Sweep::stepping(name, &KINDS, step).unwrap();
        while let Some(fault) = sweep.next_fault() {
            self.disk.put_back(&self.base);
            self.disk.cut_at(fault.at);
            let mut words = self.words.clone();
            words.push("--json");
            let said = self.hub.said(&words).unwrap();
            let met = self.disk.is_cut();
            let at = format!("{name}, {} at {}, which said {said:?}", fault.calls, fault.at);
            assert!(met || said.code == Some(0), "{at}");
            // The power goes, at the latest now.
            self.disk.lose(loss(fault.calls, fault.at));
            let verified = self.hub.said(&["verify"]).unwrap();
            ended_well(&verified).unwrap_or_else(|error| unreachable!("{at}: {error}"));
            assert!(!had_fund || verified.code == Some(0), "{at}: {verified:?}");
            if said.code == Some(0) {
                assert_eq!(self.sums(), sums, "{at}: it said that it was done");
            }
            let again = self.hub.said(&words).unwrap();
            ended_well(&again).unwrap_or_else(|error| unreachable!("{at}: {error}"));
            assert_eq!(self.sums(), sums, "{at}: the same command again said {again:?}; unharmed it says {done}");
            self.hub.verify().unwrap_or_else(|error| unreachable!("{at}: {error}"));
            sweep.was_met(met).unwrap();
        }
        let met = sweep.end();
        assert!(met >= places, "the power went at only {met} places");
    }
}

/// A fund on the disk, with what is done to it there; its image is what each try begins with.
fn tried<'a>(disk: &'a Disk, words: &[&'a str], make: impl FnOnce(&Hub)) -> Try<'a> {
    let hub = Hub::at(disk.path()).unwrap();
    make(&hub);
    Try { disk, base: disk.image(), hub, words: words.to_vec() }
}

fn import(hub: &Hub) {
    hub.ok(&["init", "--name", "Caisse"]).unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/example-fund").display().to_string();
    hub.ok(&["import", &example]).unwrap();
}

#[test]
fn a_fund_is_made_though_the_power_takes_what_was_not_synced() {
    let Some(disk) = Disk::mount().unwrap() else { return };
    tried(&disk, &["init", "--name", "Caisse"], |_| {}).sweep("init", 97, 15);
}

#[test]
fn a_credit_run_books_each_household_once_though_the_power_takes_what_was_not_synced() {
    let Some(disk) = Disk::mount().unwrap() else { return };
    let words = ["credit", "run", "--period", "2026-11", "--source", "ville", "--book"];
    tried(&disk, &words, import).sweep("credit run", 13, 10);
}

#[tokio::test]
async fn a_settlement_is_closed_once_though_the_power_takes_what_was_not_synced() {
    let Some(disk) = Disk::mount().unwrap() else { return };
    let mut hub = Hub::at(disk.path()).unwrap();
    import(&hub);
    hub.credit("2026-11").unwrap();
    hub.start().unwrap();
    let mut terminal = hub.bare_terminal(&http_client().unwrap(), "biocoop-platanes").await.unwrap();
    terminal.start().unwrap();
    terminal.wait_for_balances().await.unwrap();
    let purse = *terminal.balances.keys().next().unwrap();
    terminal.sell(purse, cabas_protocol::Cents::new(100).unwrap()).unwrap();
    terminal.sync().await.unwrap();
    hub.stop().unwrap();
    let words = ["settlement", "close", "--by", "Ada", "--approved-by", "Bo"];
    tried(&disk, &words, |_| {}).sweep("settlement", 7, 10);
}
