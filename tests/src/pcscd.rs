//! A real `pcscd` of a test's own, with readers whose cards are sockets.
//!
//! Each instance has its own `/run` in a mount namespace of its own (root, or a user namespace), so that many run side
//! by side and beside the machine's own service. Clients find it by the environment variable [`SOCKET_VARIABLE`], which
//! libpcsclite reads when a program first speaks to the service.

use crate::program::{Program, wait_for};
use anyhow::{Context as _, bail};
use rustix::fs::{FlockOperation, flock};
use rustix::process::geteuid;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the socket of the service for libpcsclite.
pub const SOCKET_VARIABLE: &str = "PCSCLITE_CSOCK_NAME";
/// The driver of package vsmartcard-vpcd.
const DRIVER: &str = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so";
/// The driver gives each reader two slots, on two ports in a row.
const SLOTS: u16 = 2;
/// Below the ports that the system gives to outgoing connections.
const PORTS: std::ops::Range<u16> = 20_000..30_000;
/// Makes a `/run` that only this program sees, with our folder as `/run/pcscd`, and becomes pcscd in it.
const IN_NAMESPACE: &str = "mount -t tmpfs tmpfs /run && mkdir /run/pcscd && mount --bind \"$1\" /run/pcscd && \
                            exec pcscd --foreground --info --config \"$2\"";

/// A running service. It ends with this value, or with the thread that started it.
pub struct Pcscd {
    folder: PathBuf,
    slots: Vec<Slots>,
    program: Option<Program>,
}

impl Pcscd {
    /// Starts a service with one reader per name, all its files in `folder`.
    ///
    /// # Errors
    /// Where pcscd or its driver is not installed, or a namespace is not to be had.
    pub fn start(folder: &Path, readers: &[&str]) -> anyhow::Result<Self> {
        let folder = folder.canonicalize()?;
        for name in ["run", "conf"] {
            fs::create_dir_all(folder.join(name))?;
        }
        let mut service = Self { folder, slots: Vec::new(), program: None };
        for reader in readers {
            service.describe(reader)?;
        }
        service.restart()?;
        Ok(service)
    }

    /// Writes down a reader for the service.
    fn describe(&mut self, reader: &str) -> anyhow::Result<()> {
        // Readers that share a driver's file share its slots, and so its cards.
        let index = self.slots.len();
        let driver = self.folder.join(format!("driver-{index}.so"));
        fs::copy(DRIVER, &driver).context("the package vsmartcard-vpcd is missing")?;
        let slots = Slots::reserve()?;
        let (port, driver) = (slots.first, driver.display());
        let mut file = File::create(self.folder.join(format!("conf/reader-{index}")))?;
        writeln!(file, "FRIENDLYNAME \"{reader}\"\nDEVICENAME /dev/null:{port}\nLIBPATH {driver}\nCHANNELID {port}")?;
        self.slots.push(slots);
        Ok(())
    }

    /// The socket, for [`SOCKET_VARIABLE`].
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.join("run/pcscd.comm")
    }

    /// The port at which a reader's slot (0 or 1) waits for a card.
    ///
    /// # Errors
    /// Where there is no such reader or slot.
    pub fn port(&self, reader: usize, slot: u16) -> anyhow::Result<u16> {
        let slots = self.slots.get(reader).context("no such reader")?;
        if slot >= SLOTS {
            bail!("a reader has {SLOTS} slots");
        }
        slots.first.checked_add(slot).context("no such port")
    }

    /// Kills the service, as a crash would: its readers and cards are gone with it.
    ///
    /// # Errors
    /// Where it is gone already.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        let mut program = self.program.take().context("pcscd does not run")?;
        program.kill_9()?;
        Ok(())
    }

    /// Starts the service again, with the same readers.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.program = None;
        for left_over in ["run/pcscd.comm", "run/pcscd.pid", "log"] {
            let path = self.folder.join(left_over);
            if path.exists() {
                fs::remove_file(path)?;
            }
        }
        let mut command = Command::new("setpriv");
        // Where this process is killed, its pcscd goes with it.
        command.args(["--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private"]);
        if !geteuid().is_root() {
            command.arg("--map-root-user");
        }
        command.args(["sh", "-c", IN_NAMESPACE, "sh"]).arg(self.folder.join("run")).arg(self.folder.join("conf"));
        let mut program = Program::start(&mut command, &self.folder.join("log"))?;
        wait_for("pcscd to be ready", || {
            if let Some(status) = program.has_ended()? {
                bail!("pcscd ended with {status}: {}", program.said());
            }
            // It says so just before its socket is there.
            Ok((program.said().contains("daemon ready") && self.socket().exists()).then_some(()))
        })?;
        if program.said().contains("Could not initialize connection") {
            bail!("a reader's port is taken: {}", program.said());
        }
        self.program = Some(program);
        Ok(())
    }
}

/// The ports of a reader, reserved among all who run these tests on this machine.
struct Slots {
    first: u16,
    _lock: File,
}

impl Slots {
    fn reserve() -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join("cabas-ports");
        fs::create_dir_all(&folder)?;
        for first in PORTS.step_by(usize::from(SLOTS)) {
            let lock = File::options().create(true).append(true).open(folder.join(first.to_string()))?;
            if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
                continue;
            }
            let free = (first..).take(usize::from(SLOTS)).all(|port| TcpListener::bind(("0.0.0.0", port)).is_ok());
            if free {
                return Ok(Self { first, _lock: lock });
            }
        }
        bail!("no port is free between {} and {}", PORTS.start, PORTS.end)
    }
}

/// Names the folder of a test's own service for the process that runs it.
const FOLDER_VARIABLE: &str = "CABAS_TEST_PCSCD";

/// Runs a test in a process of its own whose libpcsclite finds only the service that `body` may start in the folder it
/// gets. `test` is the test's full name, as `cargo test -- --list` shows it.
///
/// # Errors
/// Where the test failed, or no test has that name.
pub fn in_own_process(test: &str, body: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<()> {
    if let Some(folder) = std::env::var_os(FOLDER_VARIABLE) {
        let folder = PathBuf::from(folder);
        File::create(folder.join("ran"))?;
        return body(&folder);
    }
    let folder = tempfile::tempdir()?;
    let status = Command::new(std::env::current_exe()?)
        .args([test, "--exact", "--nocapture"])
        .env(FOLDER_VARIABLE, folder.path())
        .env(SOCKET_VARIABLE, folder.path().join("run/pcscd.comm"))
        .status()?;
    if !folder.path().join("ran").exists() {
        bail!("there is no test {test}");
    }
    if status.success() { Ok(()) } else { bail!("{test} failed: {status}") }
}
