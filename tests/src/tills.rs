//! What the tests of tills share: a till's own program that has asked, and what the shop's screens and lists say of it.

use std::io::Read as _;
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::shop::Shop;

/// What stands before the answer of a till's program that says other things too.
const MARK: &str = "TOLD ";

/// A till's own program that has asked, its output kept.
pub struct Asking(pub Child);

impl Asking {
    /// What it would tell the point of sale.
    ///
    /// # Errors
    /// Where it ended without saying so.
    pub async fn told(mut self) -> anyhow::Result<Value> {
        while self.0.try_wait()?.is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut said = String::new();
        self.0.stdout.take().context("its output was not kept")?.read_to_string(&mut said)?;
        let told = said.lines().find_map(|line| line.strip_prefix(MARK)).unwrap_or(&said);
        serde_json::from_str(told).with_context(|| format!("the till's program failed: {said:?}"))
    }
}

impl Asking {
    /// Sends its process a signal.
    ///
    /// # Errors
    /// Where it is not there.
    pub fn signal(&self, name: &str) -> anyhow::Result<()> {
        let sent = Command::new("kill").args([name, &self.0.id().to_string()]).status()?;
        ensure!(sent.success(), "no signal {name}");
        Ok(())
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Shop {
    /// The sale that a till's request became.
    ///
    /// # Errors
    /// Where there never is one.
    pub async fn till_sale(&self) -> anyhow::Result<String> {
        let id = |status: &Value| {
            let sale = &status["sale"];
            let waits = sale["state"] == "waiting" && sale["from_till"] == true;
            sale["id"].as_str().filter(|_| waits).map(str::to_owned)
        };
        self.wait("a till's sale", id).await
    }

    /// Waits until a till's refund asks for the card that paid.
    ///
    /// # Errors
    /// Where it never does.
    pub async fn till_asks_for_card(&self) -> anyhow::Result<()> {
        let asked = |status: &Value| (status["till"]["question"]["kind"] == "card").then_some(());
        self.wait("the card to be asked for", asked).await
    }

    /// Waits for so many operations that tills may not know of.
    ///
    /// # Errors
    /// Where there never are.
    pub async fn till_unconfirmed(&self, count: usize) -> anyhow::Result<Value> {
        let there = |status: &Value| {
            let listed = &status["till"]["unconfirmed"];
            (listed.as_array()?.len() == count).then(|| listed.clone())
        };
        self.wait("what tills may not know", there).await
    }

    /// Waits until no card lies on the reader.
    ///
    /// # Errors
    /// Where one stays.
    pub async fn card_gone(&self) -> anyhow::Result<()> {
        self.wait("the card to be gone", |status| (status["reader"]["card_present"] != true).then_some(())).await
    }

    /// Sales of today: their number and sum.
    ///
    /// # Errors
    /// Where the list cannot be read.
    pub async fn sold_today(&self) -> anyhow::Result<(usize, u64)> {
        let today = self.get("/api/today").await?;
        let sales = today["entries"].as_array().context("no list")?.iter().filter(|entry| entry["kind"] == "sale");
        let cents: Vec<u64> = sales.filter_map(|entry| entry["cents"].as_u64()).collect();
        Ok((cents.len(), cents.iter().sum()))
    }
}
