//! The hub that serves, with a fault at any write or sync while it takes in a terminal's rows or enrols an agent: killed, a
//! disk that fails, is full, or loses what was not synced. What was acknowledged is there, nothing counts twice, and the
//! terminal goes on.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "test code")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use cabas_protocol::{Cents, PurseRef};
use cabas_tests::disk::{Disk, Loss};
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::program::{Said, binary, run};
use cabas_tests::sweep::{Fault, Sweep, What, ended_well, folder};
use cabas_tests::terminal::Terminal;

const SHOP: &str = "biocoop-platanes";
const EVERYTHING: &str = "everything not synced";
const SOME: &str = "some of what was not synced";
const CUTS: [(&str, What); 2] = [(EVERYTHING, What::Kill), (SOME, What::Kill)];
const FAULTS: [(&str, What); 5] = [
    ("pwrite64", What::Kill),
    ("fsync,fdatasync", What::Kill),
    ("pwrite64", What::FailsOn("ENOSPC")),
    ("fsync,fdatasync", What::Fails("EIO")),
    ("sendto,sendmsg,write,writev", What::Kill),
];
/// An answer that takes longer will not come.
const PATIENCE: Duration = Duration::from_secs(10);

struct World {
    hub: Hub,
    /// Where the power is to be cut, and not the program to be hit.
    disk: Option<Disk>,
    dir: tempfile::TempDir,
}

impl World {
    fn at(hub: &Path, disk: Option<Disk>, dir: tempfile::TempDir) -> Self {
        let hub = Hub::with_example_fund(hub).unwrap();
        hub.credit("2026-11").unwrap();
        Self { hub, disk, dir }
    }

    fn on_a_disk() -> Option<Self> {
        let disk = Disk::mount().unwrap()?;
        let path = disk.path().to_owned();
        Some(Self::at(&path, Some(disk), folder().unwrap()))
    }

    fn in_a_folder() -> Self {
        let dir = folder().unwrap();
        Self::at(&dir.path().join("hub"), None, dir)
    }

    /// Does something while a fault lies in wait; then the power goes, at the latest, and comes back. True where it was met.
    async fn struck<T>(&mut self, fault: Fault, work: impl Future<Output = T>) -> (T, bool) {
        let at = fault.to_string();
        let trap = match &self.disk {
            Some(disk) => {
                disk.cut_at(fault.at);
                None
            }
            None => Some(fault.lay_on(self.hub.pid().unwrap(), &self.dir.path().join("trace")).unwrap()),
        };
        let done = work.await;
        let mut cut = self.disk.as_ref().is_some_and(Disk::is_cut);
        for _ in 0..50 {
            // A program that is killed is gone a moment later.
            if (cut || trap.is_some() && fault.what == What::Kill) && self.hub.runs().unwrap() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        let runs = self.hub.runs().unwrap();
        assert!(runs || fault.what == What::Kill, "{at}: the hub ended; {}", self.hub.log());
        if let Some(disk) = &self.disk {
            disk.cut();
        }
        self.hub.kill_9().unwrap();
        if let Some(trap) = trap {
            let injected = trap.take_away().unwrap();
            cut = if fault.what == What::Kill { !runs } else { injected };
        }
        if let Some(disk) = &self.disk {
            disk.lose(if fault.calls == EVERYTHING { Loss::All } else { Loss::Some(fault.at.into()) });
        }
        assert!(!self.hub.log().contains("panicked"), "{at}: {}", self.hub.log());
        self.hub.start().unwrap();
        (done, cut)
    }

    /// A terminal sells a cent and syncs, again and again.
    async fn ingest(mut self, name: &'static str, kinds: &[(&'static str, What)], step: u32, places: u32) {
        let mut terminal = self.hub.bare_terminal(&http_client().unwrap(), SHOP).await.unwrap();
        terminal.start().unwrap();
        terminal.wait_for_balances().await.unwrap();
        let purse: PurseRef = *terminal.balances.keys().next().unwrap();
        let mut sweep = Sweep::stepping(name, kinds, step).unwrap();
        let mut sold = 0;
        while let Some(fault) = sweep.next_fault() {
            let at = fault.to_string();
            sold += 1;
            terminal.sell(purse, Cents::new(1).unwrap()).unwrap();
            let (synced, met) = self.struck(fault, tokio::time::timeout(PATIENCE, terminal.sync())).await;
            let was_answered = matches!(synced, Ok(Ok(_)));
            assert!(met || was_answered, "{at}: {synced:?}; {}", self.hub.log());
            let acked = terminal.acked;
            resumed(&mut terminal, &at).await;
            assert!(terminal.acked.seq >= acked.seq, "{at}: {acked:?} was acknowledged, now {:?}", terminal.acked);
            assert!(terminal.unsent.is_empty(), "{at}: {} rows are not taken", terminal.unsent.len());
            assert_eq!(self.hub.owed(SHOP).unwrap(), sold, "{at}: each sale once");
            self.hub.verify().unwrap_or_else(|error| unreachable!("{at}: {error}"));
            sweep.was_met(met).unwrap();
        }
        let met = sweep.end();
        assert!(met >= places, "only {met} faults were met");
    }

    /// Agents enrol, each with a code of its own.
    async fn enrolments(mut self, name: &'static str, kinds: &[(&'static str, What)], step: u32, places: u32) {
        let mut sweep = Sweep::stepping(name, kinds, step).unwrap();
        while let Some(fault) = sweep.next_fault() {
            let at = fault.to_string();
            let (terminal, code) = self.hub.add_terminal(SHOP).unwrap();
            let (data, url) = (self.dir.path().join(format!("terminal-{terminal}")), self.hub.url());
            let agent = move |words: &[&str]| -> Said {
                let mut command = Command::new(binary("cabas-agent").unwrap());
                run(command.env("CABAS_AGENT_DATA_DIR", &data).args(words)).unwrap()
            };
            let words = ["enrol", "--hub", &url, "--code", &code, "--json"];
            let (said, met) = self.struck(fault, async { agent(&words) }).await;
            ended_well(&said).unwrap_or_else(|error| unreachable!("{at}: {error}"));
            assert!(met || said.code == Some(0), "{at}: {said:?}");
            if said.code != Some(0) {
                let again = agent(&words);
                assert_eq!(again.code, Some(0), "{at}: {said:?}, then {again:?}");
            }
            let verified = agent(&["journal", "verify"]);
            assert_eq!(verified.code, Some(0), "{at}: {said:?}, then {verified:?}");
            self.hub.verify().unwrap_or_else(|error| unreachable!("{at}: {error}"));
            sweep.was_met(met).unwrap();
        }
        let met = sweep.end();
        assert!(met >= places, "only {met} faults were met");
    }
}

/// A terminal syncs with a hub that has just started.
async fn resumed(terminal: &mut Terminal, at: &str) {
    terminal.reconnect(http_client().unwrap());
    let synced = terminal.sync().await;
    synced.unwrap_or_else(|error| unreachable!("{at}: the terminal cannot go on: {error:#}"));
}

#[tokio::test]
async fn a_hub_that_is_struck_while_it_takes_in_rows_counts_each_once() {
    World::in_a_folder().ingest("rows, struck", &FAULTS, 11, 10).await;
}

#[tokio::test]
async fn a_hub_that_is_struck_while_it_enrols_an_agent_enrols_it_by_the_same_command() {
    World::in_a_folder().enrolments("enrolment, struck", &FAULTS, 11, 10).await;
}

#[tokio::test]
async fn what_a_hub_acknowledged_is_there_though_the_power_takes_what_was_not_synced() {
    let Some(world) = World::on_a_disk() else { return };
    world.ingest("rows, power", &CUTS, 7, 4).await;
}

#[tokio::test]
async fn who_was_enrolled_is_so_though_the_power_takes_what_was_not_synced() {
    let Some(world) = World::on_a_disk() else { return };
    world.enrolments("enrolment, power", &CUTS, 7, 4).await;
}
