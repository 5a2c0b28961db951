//! The hub's commands with a fault at any write, sync, rename or unlink: killed, a failing or a full disk. Afterwards the
//! ledger verifies, and the same command again ends with the very sums of a run without faults.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "test code")]

use std::path::{Path, PathBuf};

use cabas_tests::hub::{Hub, http_client};
use cabas_tests::sweep::{Fault, Sweep, What, ended_well, folder, replace_folder};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

const SHOPS: [&str; 2] = ["biocoop-platanes", "biocoop-bachut"];
const KINDS: [(&str, What); 11] = [
    ("pwrite64", What::Kill),
    ("fsync,fdatasync", What::Kill),
    ("write", What::Kill),
    ("rename,renameat,renameat2,link,linkat,unlink,unlinkat", What::Kill),
    ("ftruncate,fchmod,mkdir", What::Kill),
    ("pwrite64", What::Fails("EIO")),
    ("pwrite64", What::FailsOn("ENOSPC")),
    ("fsync,fdatasync", What::Fails("EIO")),
    ("write", What::Fails("ENOSPC")),
    ("rename,renameat,renameat2,link,linkat,unlink,unlinkat", What::Fails("EIO")),
    ("openat", What::Fails("EMFILE")),
];

/// A command of the hub on a folder that is put back before each try.
struct Try {
    base: PathBuf,
    hub: Hub,
    words: Vec<String>,
    log: PathBuf,
    /// Rows that the ledger has in any case.
    rows: i64,
}

impl Try {
    fn new(dir: &Path, base: &Path, words: &[&str]) -> Self {
        let work = dir.join("work");
        std::fs::create_dir_all(&work).unwrap();
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        let rows = rows(&base.join("hub.db")).unwrap_or(0);
        Self { base: base.to_owned(), hub: Hub::at(&work).unwrap(), words, log: dir.join("trace"), rows }
    }

    fn put_back(&self) {
        replace_folder(&self.base, &self.hub.data_dir()).unwrap();
    }

    fn words(&self) -> Vec<&str> {
        self.words.iter().map(String::as_str).collect()
    }

    /// What must be the same to the cent, with or without faults.
    fn sums(&self) -> Value {
        let answer = |words: &[&str]| self.hub.ok(words).unwrap_or_else(|error| format!("{error:#}").into());
        let (status, owed) = (answer(&["status"]), answer(&["settlement", "preview"]));
        let status = if status.is_string() { status } else { status["totals"].clone() };
        serde_json::json!([status, owed["settlement"]["payout_cents"], owed["settlement"]["shops"]])
    }

    /// The ledger is somewhere in the folder, whole.
    fn nothing_lost(&self, at: Fault) {
        if self.rows == 0 {
            return;
        }
        let mut found = 0;
        for entry in std::fs::read_dir(self.hub.data_dir()).unwrap() {
            let path = entry.unwrap().path();
            if path.to_string_lossy().contains(".db") {
                found = found.max(rows(&path).unwrap_or(0));
            }
        }
        assert!(found >= self.rows, "{at}: {found} of {} rows are left", self.rows);
    }

    fn sweep(&self, name: &'static str, step: u32, places: u32) {
        self.put_back();
        let done = self.hub.ok(&self.words()).unwrap();
        let sums = self.sums();
        let mut sweep = Sweep::stepping(name, &KINDS, step).unwrap();
        while let Some(fault) = sweep.next_fault() {
            self.put_back();
            let mut words = self.words();
            words.push("--json");
            let (said, met) = fault.run(&self.hub.command(&words).unwrap(), &self.log).unwrap();
            let killed = met && fault.what == What::Kill;
            if !killed {
                ended_well(&said).unwrap_or_else(|error| unreachable!("{name}, {fault}: {error}"));
            }
            assert!(met || said.code == Some(0), "{name}, {fault}: {said:?}");
            self.nothing_lost(fault);
            let at = format!("{name}, {fault}, which said {said:?}");
            let verified = self.hub.said(&["verify"]).unwrap();
            ended_well(&verified).unwrap_or_else(|error| unreachable!("{at}: {error}"));
            if self.base.join("hub.db").exists() && self.hub.data_dir().join("hub.db").exists() {
                assert_eq!(verified.code, Some(0), "{at}: {verified:?}");
            }
            if said.code == Some(0) {
                assert_eq!(self.sums(), sums, "{at}: it said that it was done");
            }
            // The same again, which is done or says that it was.
            let again = self.hub.said(&words).unwrap();
            ended_well(&again).unwrap_or_else(|error| unreachable!("{at}: {error}"));
            assert_eq!(self.sums(), sums, "{at}: the same command again said {again:?}; unharmed it says {done}");
            self.hub.verify().unwrap_or_else(|error| unreachable!("{at}: {error}"));
            sweep.was_met(met).unwrap();
        }
        let met = sweep.end();
        assert!(met >= places, "only {met} faults were met");
    }
}

fn rows(file: &Path) -> Option<i64> {
    let ledger = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    ledger.query_row("SELECT count(*) FROM rows", [], |row| row.get(0)).ok()
}

/// A fund with the example's people, nothing credited.
fn imported(dir: &Path) -> PathBuf {
    let folder = dir.join("fund");
    std::fs::create_dir(&folder).unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/example-fund").display().to_string();
    Hub::empty(&folder).unwrap().ok(&["import", &example]).unwrap();
    folder.join("data")
}

/// A fund with sales from two shops, some of them after a backup, whose path is the second value.
async fn traded(dir: &Path) -> (PathBuf, PathBuf) {
    let folder = dir.join("fund");
    std::fs::create_dir(&folder).unwrap();
    let mut hub = Hub::with_example_fund(&folder).unwrap();
    let (http, backup) = (http_client().unwrap(), dir.join("yesterday.db"));
    for (shop, month) in SHOPS.into_iter().zip(["2026-11", "2026-12"]) {
        let mut terminal = hub.bare_terminal(&http, shop).await.unwrap();
        terminal.start().unwrap();
        hub.credit(month).unwrap();
        while !terminal.balances.keys().any(|purse| terminal.available(*purse).get() >= 250) {
            terminal.sync().await.unwrap();
        }
        for cents in [100, 250, 35] {
            let purse = *terminal.balances.keys().find(|purse| terminal.available(**purse).get() >= cents).unwrap();
            terminal.sell(purse, cabas_protocol::Cents::new(cents).unwrap()).unwrap();
        }
        terminal.sync().await.unwrap();
        if !backup.exists() {
            hub.ok(&["backup", backup.to_str().unwrap()]).unwrap();
        }
    }
    hub.stop().unwrap();
    (folder.join("data"), backup)
}

#[test]
fn a_fund_is_made_though_anything_fails_on_the_way() {
    let dir = folder().unwrap();
    let base = dir.path().join("base");
    std::fs::create_dir(&base).unwrap();
    Try::new(dir.path(), &base, &["init", "--name", "Caisse"]).sweep("init", 29, 30);
}

#[test]
fn an_import_is_whole_though_anything_fails_on_the_way() {
    let dir = folder().unwrap();
    let folder = dir.path().join("fund");
    std::fs::create_dir(&folder).unwrap();
    Hub::empty(&folder).unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/example-fund").display().to_string();
    Try::new(dir.path(), &folder.join("data"), &["import", &example]).sweep("import", 53, 30);
}

#[test]
fn a_credit_run_books_each_household_once_though_anything_fails_on_the_way() {
    let dir = folder().unwrap();
    let base = imported(dir.path());
    let words = ["credit", "run", "--period", "2026-11", "--source", "ville", "--book"];
    Try::new(dir.path(), &base, &words).sweep("credit run", 13, 20);
}

#[tokio::test]
async fn a_settlement_is_closed_once_though_anything_fails_on_the_way() {
    let dir = folder().unwrap();
    let (base, _) = traded(dir.path()).await;
    let words = ["settlement", "close", "--by", "Ada", "--approved-by", "Bo"];
    Try::new(dir.path(), &base, &words).sweep("settlement", 7, 20);
}

#[tokio::test]
async fn a_restore_loses_neither_ledger_nor_backup_though_anything_fails_on_the_way() {
    let dir = folder().unwrap();
    let (base, backup) = traded(dir.path()).await;
    let before = std::fs::read(&backup).unwrap();
    let words = ["restore", backup.to_str().unwrap(), "--move-away"];
    Try::new(dir.path(), &base, &words).sweep("restore", 29, 20);
    assert_eq!(std::fs::read(&backup).unwrap(), before, "the backup is as it was");
}

#[tokio::test]
async fn a_backup_is_whole_or_said_not_to_be_though_anything_fails_on_the_way() {
    let dir = folder().unwrap();
    let (base, _) = traded(dir.path()).await;
    let out = dir.path().join("work/data/copy.backup");
    Try::new(dir.path(), &base, &["backup", out.to_str().unwrap()]).sweep("backup", 29, 20);
}
