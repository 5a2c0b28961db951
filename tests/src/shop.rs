//! A shop of a test: the real agent in a folder of its own, the real pcscd with a virtual reader, a virtual printer.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::pcscd::{Pcscd, SOCKET_VARIABLE};
use crate::ports::free_port;
use crate::program::{Program, Said, binary, run, wait_for};
use crate::virtual_card::{Chip, InField, VirtualCard};
use crate::virtual_printer::VirtualPrinter;

/// How long a sale waits for the hub: the most that the configuration takes, for two busy cores may keep an answer longer
/// than a customer waits. A hub that is killed refuses at once, so what is off line is refused as fast as ever.
const EXTEND_TIMEOUT_MS: &str = "10000";

/// How long the virtual reader may take to look again.
const READER_PAUSE: Duration = Duration::from_millis(700);

/// A shop, its agent running or not.
pub struct Shop {
    dir: PathBuf,
    port: u16,
    agent: Option<Program>,
    /// Environment beside the usual: settings, a false clock.
    pub environment: Vec<(String, String)>,
    /// What the agent's program is put behind, as in `strace …`.
    pub wrapper: Vec<String>,
    /// Another program than this workspace's agent.
    pub program: Option<PathBuf>,
    /// The command that starts the agent: `run`, or `launch` as in the unit.
    pub started_by: &'static str,
    /// Its reader.
    pub pcscd: Pcscd,
    /// Its printer.
    pub printer: VirtualPrinter,
    http: reqwest::Client,
}

impl Shop {
    /// Opens a shop in a folder; its agent is not enrolled and does not run.
    ///
    /// # Errors
    /// Where pcscd does not start.
    pub fn new(dir: &Path, http: &reqwest::Client) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir.join("pcscd"))?;
        Ok(Self {
            dir: dir.to_owned(),
            port: free_port()?,
            agent: None,
            environment: Vec::new(),
            wrapper: Vec::new(),
            program: None,
            started_by: "run",
            pcscd: Pcscd::start(&dir.join("pcscd"), &["Virtual PICC"])?,
            printer: VirtualPrinter::start()?,
            http: http.clone(),
        })
    }

    /// Opens a shop, enrols its agent, starts it and waits until it holds balances.
    ///
    /// # Errors
    /// Where any of it fails.
    pub async fn enrolled(
        dir: &Path,
        http: &reqwest::Client,
        hub: &crate::hub::Hub,
        shop: &str,
    ) -> anyhow::Result<Self> {
        Self::enrolled_with(dir, http, hub, shop, Vec::new()).await
    }

    /// The same with settings of its own.
    ///
    /// # Errors
    /// Where any of it fails.
    pub async fn enrolled_with(
        dir: &Path,
        http: &reqwest::Client,
        hub: &crate::hub::Hub,
        shop: &str,
        environment: Vec<(String, String)>,
    ) -> anyhow::Result<Self> {
        let (_, code) = hub.add_terminal(shop)?;
        let mut opened = Self::new(dir, http)?;
        opened.environment = environment;
        let said = opened.said(&["enrol", "--hub", &hub.url(), "--code", &code])?;
        ensure!(said.code == Some(0), "enrol: {said:?}");
        opened.start().await?;
        opened.wait_until_synced().await?;
        Ok(opened)
    }

    /// Where its journal lies.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Where its page is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where its page is, as an address.
    #[must_use]
    pub const fn address(&self) -> (&'static str, u16) {
        ("127.0.0.1", self.port)
    }

    /// The program with this shop's configuration.
    ///
    /// # Errors
    /// Where it was not built.
    pub fn command(&self, arguments: &[&str]) -> anyhow::Result<Command> {
        let program = self.program.clone().map_or_else(|| binary("cabas-agent"), Ok)?;
        let mut words = self.wrapper.iter();
        let mut command = match words.next() {
            Some(first) => {
                let mut wrapped = Command::new(first);
                wrapped.args(words).arg(program);
                wrapped
            }
            None => Command::new(program),
        };
        command
            .env("CABAS_AGENT_DATA_DIR", self.data_dir())
            .env("CABAS_AGENT_LISTEN", format!("127.0.0.1:{}", self.port))
            .env("CABAS_AGENT_PRINTER", format!("tcp://127.0.0.1:{}", self.printer.port()))
            .env("CABAS_AGENT_SYNC_PAUSE_MS_MAX", "1000")
            .env("CABAS_AGENT_EXTEND_TIMEOUT_MS", EXTEND_TIMEOUT_MS)
            .env(SOCKET_VARIABLE, self.pcscd.socket())
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

    /// Starts the agent and waits until its page answers.
    ///
    /// # Errors
    /// Where it does not.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        self.agent = Some(Program::start(&mut self.command(&[self.started_by])?, &self.dir.join("agent.log"))?);
        self.wait("the agent's page", |status| status.is_object().then_some(())).await
    }

    /// Starts the agent and waits for nothing.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn spawn(&mut self) -> anyhow::Result<()> {
        self.agent = Some(Program::start(&mut self.command(&[self.started_by])?, &self.dir.join("agent.log"))?);
        Ok(())
    }

    /// Starts the agent, which may fall by a fault before its page answers; true where it answers.
    ///
    /// # Errors
    /// Where it does neither.
    pub async fn start_or_fall(&mut self) -> anyhow::Result<bool> {
        self.agent = Some(Program::start(&mut self.command(&[self.started_by])?, &self.dir.join("agent.log"))?);
        for _ in 0..1500 {
            if self.get("/api/status").await.is_ok() {
                return Ok(true);
            }
            if !self.runs()? {
                return Ok(false);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::bail!("the agent neither answers nor ends; the log: {}", self.log())
    }

    /// Ends the agent as a power cut would.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn kill_9(&mut self) -> anyhow::Result<()> {
        self.agent.take().context("the agent does not run")?.kill_9()?;
        Ok(())
    }

    /// Ends the agent in order.
    ///
    /// # Errors
    /// Where it does not run, or does not end well.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        let status = self.agent.take().context("the agent does not run")?.stop()?;
        ensure!(status.success(), "the agent ended with {status}");
        Ok(())
    }

    /// Waits until the agent has ended by itself, as where a fault was injected.
    ///
    /// # Errors
    /// Where it runs on.
    pub fn wait_until_ended(&mut self) -> anyhow::Result<()> {
        let mut agent = self.agent.take().context("the agent does not run")?;
        wait_for("the agent to end", || agent.has_ended())?;
        Ok(())
    }

    /// True while the agent runs.
    ///
    /// # Errors
    /// Where the system does not say.
    pub fn runs(&mut self) -> anyhow::Result<bool> {
        Ok(match &mut self.agent {
            Some(agent) => agent.has_ended()?.is_none(),
            None => false,
        })
    }

    /// The agent's process id, where it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.agent.as_ref().map(Program::pid)
    }

    /// What the agent logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("agent.log")).unwrap_or_default()
    }

    /// Asks the local API.
    ///
    /// # Errors
    /// Where it does not answer JSON.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self.http.get(format!("{}{path}", self.url())).timeout(Duration::from_secs(10)).send().await?;
        Ok(serde_json::from_slice(&answer.bytes().await?)?)
    }

    /// Tells the local API something; gives status and body.
    ///
    /// # Errors
    /// Where it does not answer JSON.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        let request = self.http.post(format!("{}{path}", self.url())).header("content-type", "application/json");
        let answer = request.timeout(Duration::from_secs(10)).body(body.to_string()).send().await?;
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await?;
        Ok((status, serde_json::from_slice(&bytes).with_context(|| String::from_utf8_lossy(&bytes).into_owned())?))
    }

    /// Takes something back at the local API; gives the status.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn delete(&self, path: &str) -> anyhow::Result<u16> {
        let answer = self.http.delete(format!("{}{path}", self.url())).timeout(Duration::from_secs(10)).send().await?;
        Ok(answer.status().as_u16())
    }

    /// Waits until a sale is declined, or the cashier is told of a card that cannot be used.
    ///
    /// # Errors
    /// Where neither comes.
    pub async fn wait_declined_or_told(&self, id: &str) -> anyhow::Result<Value> {
        for _ in 0..1500 {
            let sale = self.get(&format!("/api/sales/{id}")).await?;
            if sale["state"] == "declined" || sale["notice"].is_object() {
                return Ok(sale);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::bail!("nothing was said of the card; the log: {}", self.log())
    }

    /// Waits until the agent's status gives what is looked for.
    ///
    /// # Errors
    /// Where it never does; the error holds the last status.
    pub async fn wait<T>(&self, what: &str, mut look: impl FnMut(&Value) -> Option<T>) -> anyhow::Result<T> {
        let mut last = String::from("no answer");
        for _ in 0..1500 {
            match self.get("/api/status").await {
                Ok(status) => match look(&status) {
                    Some(found) => return Ok(found),
                    None => last = status.to_string(),
                },
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::bail!("waited in vain for {what}; the last status: {last}; the log: {}", self.log())
    }

    /// Waits until all rows are at the hub and its news are here.
    ///
    /// # Errors
    /// Where that never comes.
    pub async fn wait_until_synced(&self) -> anyhow::Result<()> {
        self.wait("a sync", |status| (status["hub"]["synced"] == true).then_some(())).await
    }

    /// Waits until the agent watches its reader, and no card lies there. The virtual reader is looked at now and then, and a
    /// card that comes at once is missed and held again seconds later: a moment is let pass.
    ///
    /// # Errors
    /// Where it never does.
    pub async fn wait_for_reader(&self) -> anyhow::Result<()> {
        let ready = |reader: &Value| reader["state"] == "ready" && reader["card_present"] != true;
        self.wait("a reader without a card", |status| ready(&status["reader"]).then_some(())).await?;
        tokio::time::sleep(READER_PAUSE).await;
        Ok(())
    }

    /// Starts a sale of one category; gives its id.
    ///
    /// # Errors
    /// Where the agent refuses it.
    pub async fn begin_sale(&self, cents: u64, request_id: &str) -> anyhow::Result<String> {
        self.begin_lines(&json!([{"category": "0", "cents": cents}]), request_id).await
    }

    /// Starts a sale of one category that is only played; gives its id.
    ///
    /// # Errors
    /// Where the agent refuses it.
    pub async fn begin_played(&self, cents: u64, request_id: &str) -> anyhow::Result<String> {
        let lines = json!([{"category": "0", "cents": cents}]);
        self.begin_body(&json!({"lines": lines, "request_id": request_id, "training": true})).await
    }

    async fn begin_lines(&self, lines: &Value, request_id: &str) -> anyhow::Result<String> {
        self.begin_body(&json!({"lines": lines, "request_id": request_id})).await
    }

    async fn begin_body(&self, body: &Value) -> anyhow::Result<String> {
        let (status, sale) = self.post("/api/sales", body).await?;
        ensure!(status == 201 || status == 200, "status {status}: {sale}");
        Ok(sale["id"].as_str().with_context(|| format!("no id in {sale}"))?.to_owned())
    }

    /// Holds a card to the reader.
    ///
    /// # Errors
    /// Where the reader does not take it.
    pub fn tap(&self, uid: &[u8]) -> anyhow::Result<VirtualCard> {
        VirtualCard::insert(self.pcscd.port(0, 0)?, Chip::plain(uid))
    }

    /// Waits until a sale is over; gives its last state.
    ///
    /// # Errors
    /// Where it never is.
    pub async fn sale_over(&self, id: &str) -> anyhow::Result<Value> {
        let mut last = Value::Null;
        for _ in 0..1500 {
            last = self.get(&format!("/api/sales/{id}")).await?;
            if !matches!(last["state"].as_str(), Some("waiting" | "reading" | "extending" | "authorizing")) {
                return Ok(last);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::bail!("the sale is never over: {last}; the log: {}", self.log())
    }

    /// Holds a card to the reader until a sale is over, again where the reader did not see it: what a member does.
    ///
    /// # Errors
    /// Where the sale is never over.
    pub async fn tap_until_over(&self, id: &str, uid: &[u8]) -> anyhow::Result<Value> {
        self.hold_until_over(id, &Chip::plain(uid)).await
    }

    /// The same with any card.
    ///
    /// # Errors
    /// Where the sale is never over.
    pub async fn hold_until_over(&self, id: &str, chip: &(impl InField + Clone)) -> anyhow::Result<Value> {
        for _ in 0..5 {
            let card = VirtualCard::insert(self.pcscd.port(0, 0)?, chip.clone())?;
            for _ in 0..150 {
                let sale = self.get(&format!("/api/sales/{id}")).await?;
                if !matches!(sale["state"].as_str(), Some("waiting" | "authorizing")) {
                    card.remove();
                    return Ok(sale);
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            card.remove();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        anyhow::bail!("the reader never saw the card; the log: {}", self.log())
    }

    /// A whole sale: amount, tap, card taken away. Gives its last state.
    ///
    /// # Errors
    /// Where any step fails.
    pub async fn sell(&self, cents: u64, uid: &[u8], request_id: &str) -> anyhow::Result<Value> {
        self.sell_lines(json!([{"category": "0", "cents": cents}]), uid, request_id).await
    }

    /// The same with any card.
    ///
    /// # Errors
    /// Where any step fails.
    pub async fn sell_to(&self, cents: u64, chip: &(impl InField + Clone), request_id: &str) -> anyhow::Result<Value> {
        let id = self.begin_sale(cents, request_id).await?;
        let over = self.hold_until_over(&id, chip).await?;
        self.wait("the card to be gone", |status| (status["reader"]["card_present"] != true).then_some(())).await?;
        Ok(over)
    }

    /// The same with an amount for each category.
    ///
    /// # Errors
    /// Where the agent or the reader does not do its part.
    pub async fn sell_lines(&self, lines: Value, uid: &[u8], request_id: &str) -> anyhow::Result<Value> {
        let id = self.begin_lines(&lines, request_id).await?;
        let over = self.tap_until_over(&id, uid).await?;
        self.wait("the card to be gone", |status| (status["reader"]["card_present"] != true).then_some(())).await?;
        Ok(over)
    }
}
