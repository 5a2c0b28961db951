//! Fault sweeps on the real programs: a fault at the N-th system call of a kind, for every N until one is never reached.
//!
//! The faults are strace's: it kills a program as it enters a call (the call is not made), lets a call fail, or makes it
//! slow. strace counts each call of a list by itself and by thread; the journal and the ledger have one thread each that
//! writes, so for the calls on files every place is met. By default a sweep takes each [`STEP`]th place from a random one
//! on, so that runs add up; `CABAS_SWEEP=all` (`deploy/sweep`) takes them all, `CABAS_SWEEP_OFFSET` repeats one.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use anyhow::{Context as _, ensure};

use crate::program::{Said, wait_for};

/// Of the places of a bounded sweep, each so many-th is taken.
pub const STEP: u32 = 3;
/// The first places are all taken: some kinds of calls are made once or twice.
const DENSE: u32 = 3;
/// A sweep that does not end by then would never end.
pub const PLACES_MAX: u32 = 2_000;
/// Names "all", or how many places a sweep steps over.
pub const VARIABLE: &str = "CABAS_SWEEP";
/// The first place of a bounded sweep.
const OFFSET_VARIABLE: &str = "CABAS_SWEEP_OFFSET";

/// What happens at a place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum What {
    /// The program is killed, the call not made.
    Kill,
    /// The call is not made and fails with this; once.
    Fails(&'static str),
    /// It and all that come after are not made and fail with this.
    FailsOn(&'static str),
    /// It takes so many microseconds longer.
    Slow(u32),
}

/// A fault: what happens at the N-th of these calls.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fault {
    /// The system calls, as strace names them.
    pub calls: &'static str,
    /// What happens.
    pub what: What,
    /// At which of them, from 1.
    pub at: u32,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} at {} {}", self.what, self.calls, self.at)
    }
}

impl Fault {
    fn inject(self) -> String {
        let Self { calls, what, at } = self;
        match what {
            What::Kill => format!("inject={calls}:signal=KILL:when={at}"),
            What::Fails(error) => format!("inject={calls}:error={error}:when={at}"),
            What::FailsOn(error) => format!("inject={calls}:error={error}:when={at}+"),
            What::Slow(micros) => format!("inject={calls}:delay_exit={micros}:when={at}+"),
        }
    }

    fn arguments(self, log: &Path) -> Vec<String> {
        let trace = format!("trace={}", self.calls);
        let words = ["-f", "--quiet=attach,personality", "-o", &log.display().to_string(), "-e", &trace, "-e"];
        words.into_iter().map(str::to_owned).chain([self.inject()]).collect()
    }

    /// Runs a program to its end with this fault; gives what it said and whether the fault was met.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn run(self, command: &Command, log: &Path) -> anyhow::Result<(Said, bool)> {
        let said = crate::program::run(&mut self.wrap(command, log))?;
        Ok((said, met(log)?))
    }

    /// A program that is to run with this fault.
    #[must_use]
    pub fn wrap(self, command: &Command, log: &Path) -> Command {
        let mut wrapped = Command::new("strace");
        wrapped.args(self.arguments(log)).arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => wrapped.env(key, value),
                None => wrapped.env_remove(key),
            };
        }
        wrapped
    }

    /// What a program is put behind to run with this fault. strace is its grandchild, so that who starts the program has
    /// the program itself.
    #[must_use]
    pub fn wrapper(self, log: &Path) -> Vec<String> {
        ["strace", "-D"].into_iter().map(str::to_owned).chain(self.arguments(log)).collect()
    }

    /// Lays the fault onto a program that runs, from this moment on.
    ///
    /// # Errors
    /// Where strace cannot hold it.
    pub fn lay_on(self, pid: u32, log: &Path) -> anyhow::Result<Trap> {
        let child = Command::new("strace").args(self.arguments(log)).args(["-p", &pid.to_string()]).spawn()?;
        let mut trap = Trap { child, log: log.to_owned() };
        wait_for("strace to hold the program", || {
            if trap.child.try_wait()?.is_some() {
                // The program fell at once, and strace ended with it.
                return Ok(Some(()));
            }
            is_held(pid)
        })?;
        Ok(trap)
    }
}

/// Says so once strace holds every thread of a program: the one that writes is not the first.
///
/// # Errors
/// Where the program is not there.
pub fn is_held(pid: u32) -> anyhow::Result<Option<()>> {
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        if std::fs::read_to_string(task?.path().join("status"))?.contains("TracerPid:\t0") {
            return Ok(None);
        }
    }
    Ok(Some(()))
}

/// strace at a program; it goes with the program, and when dropped.
pub struct Trap {
    child: Child,
    log: PathBuf,
}

impl Trap {
    /// Takes strace away from a program that has ended; tells whether a call failed or was slow by the fault.
    ///
    /// # Errors
    /// Where strace does not end.
    pub fn take_away(mut self) -> anyhow::Result<bool> {
        self.end()?;
        let text = std::fs::read_to_string(&self.log)?;
        Ok(text.contains("(INJECTED)") || text.contains("(DELAYED)"))
    }

    fn end(&mut self) -> anyhow::Result<()> {
        if self.child.try_wait()?.is_none() {
            self.child.kill()?;
            self.child.wait()?;
        }
        Ok(())
    }
}

impl Drop for Trap {
    fn drop(&mut self) {
        drop(self.end());
    }
}

/// Tells by strace's log whether the fault was met.
///
/// # Errors
/// Where it cannot be read.
pub fn met(log: &Path) -> anyhow::Result<bool> {
    let text = std::fs::read_to_string(log).with_context(|| log.display().to_string())?;
    Ok(text.contains("(INJECTED)") || text.contains("(DELAYED)") || text.contains("killed by SIGKILL"))
}

/// Goes through the places of some kinds of faults, one kind after the other.
pub struct Sweep {
    name: &'static str,
    kinds: Vec<(&'static str, What)>,
    step: u32,
    /// Added to the first places, where the steps become long.
    first: u32,
    now: Option<Fault>,
    met: Vec<(Fault, u32)>,
}

impl Sweep {
    /// Over these kinds of faults, by what the environment says.
    ///
    /// # Errors
    /// Where the environment says what is not understood.
    pub fn new(name: &'static str, kinds: &[(&'static str, What)]) -> anyhow::Result<Self> {
        Self::stepping(name, kinds, STEP)
    }

    /// The same with steps of its own where the sweep is bounded.
    ///
    /// # Errors
    /// As [`Sweep::new`].
    pub fn stepping(name: &'static str, kinds: &[(&'static str, What)], step: u32) -> anyhow::Result<Self> {
        let step = match std::env::var(VARIABLE) {
            Ok(all) if all == "all" => 1,
            Ok(other) => other.parse().with_context(|| format!("{VARIABLE} is \"all\" or a number, not {other:?}"))?,
            Err(_) => step,
        };
        ensure!(step > 0, "{VARIABLE} is at least 1");
        let first = match std::env::var(OFFSET_VARIABLE) {
            Ok(first) => first.parse().with_context(|| format!("{OFFSET_VARIABLE}={first}"))?,
            Err(_) => u32::from_be_bytes(crate::terminal::random()?).checked_rem(step).unwrap_or(0).saturating_add(1),
        };
        eprintln!(
            "{name}: the first places, then each {step}. from {first} on; again with {VARIABLE}={step} {OFFSET_VARIABLE}={first}"
        );
        let kinds = kinds.iter().rev().copied().collect();
        Ok(Self { name, kinds, step, first, now: None, met: Vec::new() })
    }

    /// The next fault to try; nothing after the last.
    pub fn next_fault(&mut self) -> Option<Fault> {
        let fault = match self.now {
            Some(fault) if fault.at < DENSE => Fault { at: fault.at.saturating_add(1), ..fault },
            Some(fault) if fault.at == DENSE => Fault { at: DENSE.saturating_add(self.first), ..fault },
            Some(fault) => Fault { at: fault.at.saturating_add(self.step), ..fault },
            None => {
                let (calls, what) = self.kinds.pop()?;
                let fault = Fault { calls, what, at: 1 };
                self.met.push((fault, 0));
                fault
            }
        };
        self.now = Some(fault);
        Some(fault)
    }

    /// Says whether the fault was met: a kind ends with the first that was not.
    ///
    /// # Errors
    /// Where the sweep would never end.
    pub fn was_met(&mut self, met: bool) -> anyhow::Result<()> {
        let fault = self.now.context("no fault was asked for")?;
        ensure!(fault.at < PLACES_MAX, "{}: {fault} and no end", self.name);
        if met {
            if let Some((_, count)) = self.met.last_mut() {
                *count = count.saturating_add(1);
            }
        } else {
            self.now = None;
        }
        Ok(())
    }

    /// Leaves this kind of fault: what comes after is of no interest.
    pub const fn next_kind(&mut self) {
        self.now = None;
    }

    /// Says what was swept; gives how many faults were met.
    #[must_use]
    pub fn end(self) -> u32 {
        for (fault, count) in &self.met {
            eprintln!("{}: {:?} at {}: {count} places", self.name, fault.what, fault.calls);
        }
        self.met.iter().map(|(_, count)| *count).sum()
    }
}

/// A folder of a test in memory, where the system has such: who kills a program loses nothing of what the system holds for
/// the disk, so a real disk's slow syncs would only take time.
///
/// # Errors
/// Where it cannot be made.
pub fn folder() -> anyhow::Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    Ok(if memory.is_dir() { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? })
}

/// Copies a folder of files and folders.
///
/// # Errors
/// Where a file cannot be read or written.
pub fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    std::fs::set_permissions(to, std::fs::metadata(from)?.permissions())?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Puts a folder in the place of another.
///
/// # Errors
/// Where a file cannot be read, written or taken away.
pub fn replace_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    if to.exists() {
        std::fs::remove_dir_all(to)?;
    }
    copy_folder(from, to)
}

/// Fails where a program that was meant to fail did it badly: a panic, no word, more than a line, a code that is none of ours.
///
/// # Errors
/// What it did.
pub fn ended_well(said: &Said) -> anyhow::Result<()> {
    ensure!(!said.err.contains("panicked"), "it panicked: {said:?}");
    ensure!(!said.err.contains("RUST_BACKTRACE"), "it panicked: {said:?}");
    match said.code {
        Some(0) => Ok(()),
        Some(1) => {
            let own = said.err.lines().filter(|line| line.starts_with("cabas-")).count();
            ensure!(own == 1, "it failed without one line that says why: {said:?}");
            Ok(())
        }
        _ => anyhow::bail!("it ended with {:?}: {said:?}", said.code),
    }
}
