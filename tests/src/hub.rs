//! A fund of a test: the real hub in a folder of its own, with the example households, cards and shops.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use serde_json::Value;

use crate::ports::free_port;
use crate::program::{Program, Said, binary, run, wait_for};
use crate::terminal::Terminal;

/// A fund in a folder, its hub running or not.
pub struct Hub {
    dir: PathBuf,
    port: u16,
    scheme: &'static str,
    serve: Option<Program>,
    /// Environment beside the usual: settings, a false clock.
    pub environment: Vec<(String, String)>,
    /// Another program than this workspace's hub.
    pub program: Option<PathBuf>,
}

impl Hub {
    /// Makes a fund with the example households, cards and shops, and starts its hub.
    ///
    /// # Errors
    /// Where a command of the hub fails.
    pub fn with_example_fund(dir: &Path) -> anyhow::Result<Self> {
        let mut hub = Self::empty(dir)?;
        hub.import_example()?;
        hub.start()?;
        Ok(hub)
    }

    /// Makes the fund of [`Self::with_example_fund`] where [`Self::at`] says, by the program that it is set to.
    ///
    /// # Errors
    /// Where a command of the hub fails.
    pub fn with_example(&mut self) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.dir)?;
        self.ok(&["init", "--name", "Caisse de l’alimentation, Lyon 8e"])?;
        self.import_example()?;
        self.start()
    }

    fn import_example(&self) -> anyhow::Result<()> {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/example-fund");
        self.ok(&["import", &example.display().to_string()]).map(drop)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> std::net::SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Makes a fund with nobody in it; its hub does not run yet.
    ///
    /// # Errors
    /// Where a command of the hub fails.
    pub fn empty(dir: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let hub = Self::at(dir)?;
        hub.ok(&["init", "--name", "Caisse de l’alimentation, Lyon 8e"])?;
        Ok(hub)
    }

    /// The fund whose data lie in a folder, or that is to be made there; its hub does not run.
    ///
    /// # Errors
    /// Where no port is free.
    pub fn at(dir: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            dir: dir.to_owned(),
            port: free_port()?,
            scheme: "http",
            serve: None,
            environment: Vec::new(),
            program: None,
        })
    }

    /// Gives it a certificate of an authority of its own, from its next start on; gives the authority's certificate.
    ///
    /// # Errors
    /// Where the files cannot be written.
    pub fn use_tls(&mut self) -> anyhow::Result<PathBuf> {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?;
        let files = [("tls.pem", made.cert.pem()), ("tls.key", made.signing_key.serialize_pem())];
        for (name, text) in files {
            std::io::Write::write_all(&mut std::fs::File::create(self.dir.join(name))?, text.as_bytes())?;
        }
        let path = |name: &str| self.dir.join(name).display().to_string();
        self.environment.push(("CABAS_HUB_TLS_CERTIFICATE".to_owned(), path("tls.pem")));
        self.environment.push(("CABAS_HUB_TLS_KEY".to_owned(), path("tls.key")));
        self.scheme = "https";
        Ok(self.dir.join("tls.pem"))
    }

    /// Where its data lie.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Where terminals reach it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }

    /// The program with this fund's configuration.
    ///
    /// # Errors
    /// Where it was not built.
    pub fn command(&self, arguments: &[&str]) -> anyhow::Result<Command> {
        let mut command = Command::new(self.program.clone().map_or_else(|| binary("cabas-hub"), Ok)?);
        command
            .env("CABAS_HUB_DATA_DIR", self.data_dir())
            .env("CABAS_HUB_LISTEN", format!("127.0.0.1:{}", self.port))
            .envs(self.environment.iter().map(|(key, value)| (key, value)))
            .args(arguments);
        Ok(command)
    }

    /// Runs a command and gives what it said, whatever it was.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn said(&self, arguments: &[&str]) -> anyhow::Result<Said> {
        run(&mut self.command(arguments)?)
    }

    /// Runs a command that must succeed and gives its JSON.
    ///
    /// # Errors
    /// What the command said where it failed.
    pub fn ok(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let with_json: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        self.said(&with_json)?.json().with_context(|| format!("cabas-hub {}", arguments.join(" ")))
    }

    /// Starts the hub and waits until it answers.
    ///
    /// # Errors
    /// Where it does not.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let serve = Program::start(&mut self.command(&["serve"])?, &self.dir.join("hub.log"))?;
        self.serve = Some(serve);
        let address = ("127.0.0.1", self.port);
        wait_for("the hub's port", || Ok(Some(std::net::TcpStream::connect(address)?)))?;
        Ok(())
    }

    /// Ends the hub as a power cut would.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn kill_9(&mut self) -> anyhow::Result<()> {
        self.serve.take().context("the hub does not run")?.kill_9()?;
        Ok(())
    }

    /// Ends the hub in order.
    ///
    /// # Errors
    /// Where it does not run, or does not end well.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        let status = self.serve.take().context("the hub does not run")?.stop()?;
        anyhow::ensure!(status.success(), "the hub ended with {status}");
        Ok(())
    }

    /// True while the hub runs.
    ///
    /// # Errors
    /// Where the system does not say.
    pub fn runs(&mut self) -> anyhow::Result<bool> {
        Ok(match &mut self.serve {
            Some(serve) => serve.has_ended()?.is_none(),
            None => false,
        })
    }

    /// The hub's process id, where it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.serve.as_ref().map(Program::pid)
    }

    /// The memory that the hub holds.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn rss_bytes(&self) -> anyhow::Result<u64> {
        crate::program::rss_bytes(self.pid().context("the hub does not run")?)
    }

    /// What the hub logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("hub.log")).unwrap_or_default()
    }

    /// Adds a terminal to a shop and gives its id and one-time code.
    ///
    /// # Errors
    /// Where the hub refuses.
    pub fn add_terminal(&self, shop: &str) -> anyhow::Result<(u64, String)> {
        let added = self.ok(&["terminal", "add", "--shop", shop])?;
        let id = added.get("terminal").and_then(Value::as_u64).with_context(|| format!("no terminal in {added}"))?;
        let code = added.get("code").and_then(Value::as_str).with_context(|| format!("no code in {added}"))?;
        Ok((id, code.to_owned()))
    }

    /// Enrols a bare terminal at a shop.
    ///
    /// # Errors
    /// Where the hub refuses.
    pub async fn bare_terminal(&self, http: &reqwest::Client, shop: &str) -> anyhow::Result<Terminal> {
        let (_, code) = self.add_terminal(shop)?;
        Terminal::enrol(http.clone(), &self.url(), &code).await
    }

    /// Books the monthly credit of every household.
    ///
    /// # Errors
    /// Where the hub refuses.
    pub fn credit(&self, period: &str) -> anyhow::Result<Value> {
        self.ok(&["credit", "run", "--period", period, "--source", "ville", "--book"])
    }

    /// What a settlement would pay to a shop, in cents.
    ///
    /// # Errors
    /// Where the hub does not say.
    pub fn owed(&self, shop: &str) -> anyhow::Result<u64> {
        payout(&self.ok(&["settlement", "preview"])?, shop)
    }

    /// Fails where the auditor finds anything.
    ///
    /// # Errors
    /// What it found.
    pub fn verify(&self) -> anyhow::Result<()> {
        let said = self.said(&["verify", "--json"])?;
        anyhow::ensure!(said.code == Some(0), "verify: {} {}", said.out, said.err);
        Ok(())
    }
}

/// A client that keeps its connections and never asks a proxy.
///
/// # Errors
/// Where no client can be made.
pub fn http_client() -> anyhow::Result<reqwest::Client> {
    drop(rustls::crypto::ring::default_provider().install_default());
    Ok(reqwest::Client::builder().no_proxy().build()?)
}

/// What `settlement preview` or `settlement close` pays to a shop, in cents; nothing where it is not in it.
///
/// # Errors
/// Where it is no settlement.
pub fn payout(settlement: &Value, shop: &str) -> anyhow::Result<u64> {
    if settlement["settlement"].is_null() {
        return Ok(0);
    }
    let shops = settlement["settlement"]["shops"].as_array().with_context(|| format!("no shops in {settlement}"))?;
    match shops.iter().find(|entry| entry["shop"] == shop) {
        Some(entry) => entry["payout_cents"].as_u64().with_context(|| format!("no payout_cents in {entry}")),
        None => Ok(0),
    }
}
