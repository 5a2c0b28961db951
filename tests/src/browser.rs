//! A real Chromium, driven over WebDriver, for the pages of agent and hub.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use fantoccini::error::{CmdError, ErrorStatus};
use fantoccini::wd::{PrintConfiguration, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::{Method, Url};
use serde_json::json;

use crate::ports::free_port;

/// How long anything on a page may take, on a busy machine.
const WAIT: Duration = Duration::from_secs(20);

/// Starts Chromium; it ends with chromedriver.
const CHROMIUM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/chromium.sh");

/// A browser window with a profile of its own. Closed when dropped, and with the thread that opened it: whoever cuts a test
/// off leaves neither chromedriver nor Chromium behind.
pub struct Browser {
    driver: Child,
    client: Client,
    profile: tempfile::TempDir,
}

impl Browser {
    /// Opens a window of the size given, in CSS pixels.
    ///
    /// # Errors
    /// Where chromedriver or Chromium do not start.
    pub async fn open(width: u32, height: u32) -> anyhow::Result<Self> {
        Self::start(width, height, None, &[]).await
    }

    /// Opens a phone with a screen of the size given: a window cannot be that narrow.
    ///
    /// # Errors
    /// Where chromedriver or Chromium do not start.
    pub async fn open_phone(width: u32, height: u32) -> anyhow::Result<Self> {
        Self::open_phone_with(width, height, &[]).await
    }

    /// The same with arguments of its own.
    ///
    /// # Errors
    /// Where chromedriver or Chromium do not start.
    pub async fn open_phone_with(width: u32, height: u32, more: &[String]) -> anyhow::Result<Self> {
        let screen =
            json!({ "deviceMetrics": { "width": width, "height": height, "pixelRatio": 1.0, "mobile": true } });
        Self::start(width, height, Some(screen), more).await
    }

    async fn start(width: u32, height: u32, phone: Option<serde_json::Value>, more: &[String]) -> anyhow::Result<Self> {
        let port = free_port()?;
        let driver = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "chromedriver"])
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("chromedriver does not start; deploy/test installs it")?;
        let profile = tempfile::tempdir()?;
        let mut options = json!({
            "binary": CHROMIUM,
            "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
                "--disable-background-networking", "--disable-component-update", "--disable-sync", "--lang=fr",
                format!("--user-data-dir={}", profile.path().display()),
                format!("--window-size={width},{height}"),
            ],
        });
        if let Some(arguments) = options.get_mut("args").and_then(serde_json::Value::as_array_mut) {
            arguments.extend(more.iter().map(|argument| json!(argument)));
        }
        if let (Some(phone), Some(options)) = (phone, options.as_object_mut()) {
            options.insert("mobileEmulation".to_owned(), phone);
        }
        let capabilities = [("goog:chromeOptions".to_owned(), options)].into_iter().collect();
        let url = format!("http://127.0.0.1:{port}");
        let mut last = None;
        for _ in 0..100 {
            let mut builder = ClientBuilder::new(HttpConnector::new());
            match builder.capabilities(Clone::clone(&capabilities)).connect(&url).await {
                Ok(client) => return Ok(Self { driver, client, profile }),
                Err(error) => last = Some(error),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(last.map_or_else(|| anyhow::anyhow!("chromedriver never answered"), Into::into))
    }

    /// The folder of what the window keeps; its processes name it.
    #[must_use]
    pub fn profile(&self) -> &Path {
        self.profile.path()
    }

    /// Goes to a page.
    ///
    /// # Errors
    /// Where it cannot be loaded.
    pub async fn goto(&self, url: &str) -> anyhow::Result<()> {
        Ok(self.client.goto(url).await?)
    }

    /// Clicks on what the CSS selector names, once it can be clicked on.
    ///
    /// # Errors
    /// Where nothing of it appears in time, or it stays hidden or covered.
    pub async fn click(&self, css: &str) -> anyhow::Result<()> {
        let began = tokio::time::Instant::now();
        loop {
            let element = self.client.wait().at_most(WAIT).for_element(Locator::Css(css)).await;
            match element.with_context(|| format!("no {css}"))?.click().await {
                Err(error) if is_not_yet(&error) && began.elapsed() < WAIT => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                clicked => return clicked.with_context(|| format!("{css} cannot be clicked on")),
            }
        }
    }

    /// Types into what the CSS selector names.
    ///
    /// # Errors
    /// Where nothing of it appears in time.
    pub async fn keys(&self, css: &str, keys: &str) -> anyhow::Result<()> {
        let element = self.client.wait().at_most(WAIT).for_element(Locator::Css(css)).await;
        Ok(element.with_context(|| format!("no {css}"))?.send_keys(keys).await?)
    }

    /// The visible text of what the CSS selector names.
    ///
    /// # Errors
    /// Where nothing of it appears in time.
    pub async fn text(&self, css: &str) -> anyhow::Result<String> {
        let element = self.client.wait().at_most(WAIT).for_element(Locator::Css(css)).await;
        Ok(element.with_context(|| format!("no {css}"))?.text().await?)
    }

    /// Waits until the visible text of the page contains `part`.
    ///
    /// # Errors
    /// Where it never does; the error shows the page's text.
    pub async fn wait_for_text(&self, part: &str) -> anyhow::Result<()> {
        let mut text = String::new();
        for _ in 0..200 {
            // A page that goes while it is read is read again.
            if let Ok(seen) = self.text("body").await {
                text = seen;
            }
            if text.contains(part) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("the page never said {part:?}; it says {text:?}")
    }

    /// Runs a script and gives what it returns.
    ///
    /// # Errors
    /// Where it throws.
    pub async fn script(&self, script: &str) -> anyhow::Result<serde_json::Value> {
        Ok(self.client.execute(script, vec![]).await?)
    }

    /// Tells Chromium something that WebDriver has no word for, by its own protocol.
    ///
    /// # Errors
    /// Where it does not take it.
    pub async fn devtools(&self, method: &str, parameters: &serde_json::Value) -> anyhow::Result<serde_json::Value> {
        Ok(self.client.issue_cmd(Devtools(json!({ "cmd": method, "params": parameters }))).await?)
    }

    /// Loads the page again, as the key F5 does.
    ///
    /// # Errors
    /// Where it cannot be loaded.
    pub async fn reload(&self) -> anyhow::Result<()> {
        Ok(self.client.refresh().await?)
    }

    /// Goes back, as the button of a browser does.
    ///
    /// # Errors
    /// Where the driver is gone.
    pub async fn back(&self) -> anyhow::Result<()> {
        Ok(self.client.back().await?)
    }

    /// Stores a picture of the window.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub async fn screenshot(&self, file: &Path) -> anyhow::Result<()> {
        let png = self.client.screenshot().await?;
        #[expect(clippy::disallowed_methods, reason = "a picture for people, not data")]
        std::fs::write(file, png).context("the picture cannot be written")
    }

    /// Stores the page as it is printed on A4, and gives the file.
    ///
    /// # Errors
    /// Where it cannot be printed or written.
    pub async fn print(&self, file: &Path) -> anyhow::Result<Vec<u8>> {
        let paper = PrintConfiguration::builder().background(false).build();
        let paper = paper.map_err(|error| anyhow::anyhow!("{error}"))?;
        let pdf = self.client.print(paper).await?;
        #[expect(clippy::disallowed_methods, reason = "a picture for people, not data")]
        std::fs::write(file, &pdf).context("the printed page cannot be written")?;
        Ok(pdf)
    }

    /// Closes the window.
    ///
    /// # Errors
    /// Where the driver is gone.
    pub async fn close(self) -> anyhow::Result<()> {
        Ok(self.client.clone().close().await?)
    }
}

/// A command of Chromium's own protocol, as chromedriver passes it on.
#[derive(Debug)]
struct Devtools(serde_json::Value);

impl WebDriverCompatibleCommand for Devtools {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, <Url as std::str::FromStr>::Err> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _url: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.0.to_string()))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}

/// Whether what is to be clicked on is there, but drawn anew, hidden or covered as yet.
fn is_not_yet(error: &CmdError) -> bool {
    let is_covered = matches!(error, CmdError::Standard(told) if told.error == ErrorStatus::ElementClickIntercepted);
    is_covered || error.is_element_not_interactable() || error.is_stale_element_reference()
}
