//! A hub in a folder of its own, made with the real binary; served in process on a free port, or by the binary.
#![allow(
    clippy::unwrap_used,
    clippy::unwrap_in_result,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "helpers of tests: a failed unwrap is the test's failure, and no test uses all of them"
)]

pub mod bank;
pub mod http;
pub mod money;
pub mod sinks;
pub mod site;
pub mod terminal;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cabas_hub::app::App;
use cabas_hub::clock::Clock;
use cabas_hub::config::Config;
use cabas_hub::server::{Listening, run};
use cabas_protocol::{CardRef, FundId, PublicKey};
use serde_json::Value;

pub const NOW: u64 = 1_800_000_000;

/// A fund on disk.
pub struct Fund {
    pub dir: tempfile::TempDir,
    pub root: PublicKey,
}

impl Fund {
    pub const ID: FundId = FundId::new(7);

    /// An empty fund.
    pub fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let made = json(&command(dir.path(), &["--json", "init", "--name", "Fonds <b>d'essai</b>", "--fund-id", "7"]));
        let root = cabas_protocol::Hash::from_hex(made["root_key"].as_str().unwrap()).unwrap();
        Self { dir, root: PublicKey::new(*root.as_bytes()).unwrap() }
    }

    /// A fund with the example's households, cards and shops.
    pub fn example() -> Self {
        let fund = Self::empty();
        fund.json(&["import", &example_dir().display().to_string()]);
        fund
    }

    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Runs a command that must succeed, and gives what it prints.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["--json"];
        all.extend(arguments);
        json(&command(self.dir.path(), &all))
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        command(self.dir.path(), arguments)
    }

    /// A code for a new terminal of a shop.
    pub fn code(&self, shop: &str) -> String {
        self.json(&["terminal", "add", "--shop", shop])["code"].as_str().unwrap().to_owned()
    }

    /// The reference of a card of the example fund.
    pub fn card(&self, uid_hex: &str) -> CardRef {
        let uid: Vec<u8> =
            (0..uid_hex.len()).step_by(2).map(|at| u8::from_str_radix(&uid_hex[at..at + 2], 16).unwrap()).collect();
        cabas_hub::keys::load_card_key(&self.data_dir().join("keys")).unwrap().card_ref(&uid)
    }

    /// Serves in this process.
    pub fn serve(&self) -> Hub {
        self.serve_with(|config| config)
    }

    pub fn serve_with(&self, change: impl FnOnce(Config) -> Config) -> Hub {
        let config = Config { data_dir: self.data_dir(), listen: ([127, 0, 0, 1], 0).into(), ..Config::default() };
        let seconds = Arc::new(AtomicU64::new(now()));
        let app = App::open(&change(config), Clock::Set(Arc::clone(&seconds))).unwrap();
        let listening = Listening::open(([127, 0, 0, 1], 0).into(), None).unwrap();
        let address = listening.address();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let served = Arc::clone(&app);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            let stop = async { drop(stopped.await) };
            runtime.block_on(run::serve(served, listening, stop)).unwrap();
        });
        Hub { address, app, seconds, stop: Some(stop), thread: Some(thread) }
    }
}

/// A hub that answers, until it is dropped.
pub struct Hub {
    pub address: SocketAddr,
    pub app: Arc<App>,
    seconds: Arc<AtomicU64>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Hub {
    pub fn pass(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    pub fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Commands take the machine's time, so the served hub starts from it too.
fn now() -> u64 {
    Clock::System.now().get()
}

pub fn example_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/example-fund")
}

/// The binary, with a configuration in `dir` and nothing of this machine's environment.
pub fn binary(dir: &Path) -> Command {
    let config = dir.join("hub.toml");
    if !config.exists() {
        let text = format!("data_dir = '{}'\nlisten = '127.0.0.1:0'\n", dir.join("data").display());
        write(&config, &text);
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_cabas-hub"));
    command.env_clear().arg("--config").arg(config).stdin(Stdio::null());
    command
}

pub fn command(dir: &Path, arguments: &[&str]) -> Output {
    binary(dir).args(arguments).output().unwrap()
}

pub fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

pub fn write(path: &Path, text: &str) {
    use std::io::Write as _;
    std::fs::File::create(path).unwrap().write_all(text.as_bytes()).unwrap();
}
