//! The real programs as child processes: started, asked, and killed as a power cut would.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// How long a program may take for anything, on a busy machine.
pub const WAIT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// Where cargo put the programs: beside the test program's own folder.
///
/// # Errors
/// Where the program was not built.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folders = own.ancestors().skip(1).take(3).map(|folder| folder.join(name));
    let found = folders.into_iter().find(|path| path.is_file());
    found.with_context(|| format!("{name} is not built; run `cargo build --workspace --bins`"))
}

/// What a finished program said.
#[derive(Debug)]
pub struct Said {
    /// Its exit code; none after a signal.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Said {
    /// The standard output as JSON.
    ///
    /// # Errors
    /// Where the program failed, or said something else.
    pub fn json(&self) -> anyhow::Result<serde_json::Value> {
        if self.code != Some(0) {
            bail!("exit {:?}: {}", self.code, self.err);
        }
        serde_json::from_str(&self.out).with_context(|| format!("not JSON: {}", self.out))
    }
}

/// Runs a program to its end.
///
/// # Errors
/// Where it cannot be started.
pub fn run(command: &mut Command) -> anyhow::Result<Said> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    Ok(Said {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// A program that runs. Killed when dropped.
pub struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts a program; what it says goes to `log`, behind what is there.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        let child = command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).spawn();
        Ok(Self { child: child.with_context(|| format!("{command:?}"))?, log: log.to_owned() })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said until now.
    #[must_use]
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Ends it at once, as a power cut would.
    ///
    /// # Errors
    /// Where it is gone already.
    pub fn kill_9(&mut self) -> anyhow::Result<ExitStatus> {
        self.child.kill()?;
        Ok(self.child.wait()?)
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// Where it does not end in time.
    pub fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw).context("no pid")?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let child = &mut self.child;
        wait_for("the program to end", || Ok(child.try_wait()?))
    }

    /// Tells whether it still runs.
    ///
    /// # Errors
    /// Where the system does not say.
    pub fn has_ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.log.display(), self.said());
        }
    }
}

/// The memory that a process holds (VmRSS).
///
/// # Errors
/// Where there is no such process.
pub fn rss_bytes(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    kib.checked_mul(1024).context("too much")
}

/// Asks again and again until there is an answer, or time is up.
///
/// # Errors
/// What `ask` gave last, or that nothing came.
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    #[expect(clippy::disallowed_methods, reason = "a test's patience is real time")]
    let start = Instant::now();
    loop {
        let answer = ask();
        match answer {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) | Err(_) if start.elapsed() < WAIT => std::thread::sleep(PAUSE),
            Ok(None) => bail!("waited {WAIT:?} in vain for {what}"),
            Err(error) => return Err(error.context(format!("waited {WAIT:?} in vain for {what}"))),
        }
    }
}

/// Where tests leave pictures for people: `pictures` in cargo's target folder.
///
/// # Errors
/// Where the folder cannot be made.
pub fn pictures() -> anyhow::Result<PathBuf> {
    let folder = binary("cabas-agent")?.with_file_name("pictures");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}
