//! A shop with a purse card: issued through its own reader by the real hub, its keys at the terminal.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use cabas_card::layout::{APPLICATION, RECORD_FILE, SPENT_FILE, VALUE_START};
use serde_json::Value;

use crate::hub::{Hub, http_client};
use crate::shop::Shop;
use crate::virtual_card::desfire::{DesfireChip, Edition};
use crate::virtual_card::{InField, Reaction, VirtualCard};

/// The code of the shop in the example fund.
pub const SHOP: &str = "biocoop-platanes";
/// How long a card waits at its gate at the most.
const GATE_WAIT: Duration = Duration::from_secs(20);

/// Hub, shop and card.
pub struct PurseShop {
    /// The hub, with this month's money.
    pub hub: Hub,
    /// The shop, its agent running.
    pub shop: Shop,
    /// A card of household F001.
    pub chip: DesfireChip,
}

impl PurseShop {
    /// Opens it in a folder.
    ///
    /// # Errors
    /// Where any part does not start, or the card is not issued.
    pub async fn open(dir: &Path, environment: Vec<(String, String)>) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir.join("hub"))?;
        let hub = Hub::with_example_fund(&dir.join("hub"))?;
        hub.credit("2026-11")?;
        let mut shop = Shop::enrolled_with(&dir.join("shop"), &http_client()?, &hub, SHOP, environment).await?;
        shop.stop()?;
        hub.ok(&["card", "grant", "--terminal", "1", "--issue", "901", "--household", "F001"])?;
        let chip = DesfireChip::new([0x04, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66], Edition::Ev2K4, 7);
        let held = VirtualCard::insert(shop.pcscd.port(0, 0)?, chip.clone())?;
        let issued = shop.said(&["card", "issue", "--card-number", "901"])?;
        held.remove();
        ensure!(issued.code == Some(0), "{issued:?}");
        shop.start().await?;
        shop.wait_until_synced().await?;
        Ok(Self { hub, shop, chip })
    }

    /// Presents the card until a sale is accepted, as the screens ask.
    ///
    /// # Errors
    /// Where it never is.
    pub async fn present_until_accepted(&self, id: &str) -> anyhow::Result<Value> {
        let mut sale = Value::Null;
        for _ in 0..5 {
            let card = VirtualCard::insert(self.shop.pcscd.port(0, 0)?, self.chip.clone())?;
            for _ in 0..150 {
                sale = self.shop.get(&format!("/api/sales/{id}")).await?;
                if sale["state"] == "accepted" {
                    card.remove();
                    return Ok(sale);
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            card.remove();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        anyhow::bail!("never accepted: {sale}; the log: {}", self.shop.log())
    }

    /// What the chip has counted, in cents.
    ///
    /// # Errors
    /// Where it is not issued.
    pub fn spent(&self) -> anyhow::Result<u64> {
        let value = self.chip.value(application(), SPENT_FILE).context("the card is blank")?;
        let spent = i64::from(VALUE_START).checked_sub(value.into()).context("over its start")?;
        Ok(u64::try_from(spent)?)
    }

    /// How many debits the chip keeps records of.
    ///
    /// # Errors
    /// Where it is not issued.
    pub fn records(&self) -> anyhow::Result<usize> {
        Ok(self.chip.records(application(), RECORD_FILE).context("the card is blank")?.len())
    }
}

fn application() -> u32 {
    let [a, b, c] = APPLICATION;
    u32::from_le_bytes([a, b, c, 0])
}

/// What a card does once the gate opens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Through {
    /// It has run the command already, and leaves without an answer.
    HasRun,
    /// It leaves without running it.
    NotRun,
}

/// A card that stops at a command of its choice until the test lets it go on: then it leaves.
#[derive(Clone)]
pub struct Gate {
    chip: DesfireChip,
    code: u8,
    through: Through,
    is_reached: Arc<AtomicBool>,
    is_open: Arc<AtomicBool>,
}

impl Gate {
    /// Stops before it answers the first command with this code.
    #[must_use]
    pub fn at(chip: &DesfireChip, code: u8, through: Through) -> Self {
        Self { chip: chip.clone(), code, through, is_reached: Arc::default(), is_open: Arc::default() }
    }

    /// Holds the card to a shop's reader until it has stopped, again where the reader did not see it.
    ///
    /// # Errors
    /// Where it never does.
    pub fn present(&self, shop: &Shop) -> anyhow::Result<VirtualCard> {
        for _ in 0..5 {
            let card = VirtualCard::insert(shop.pcscd.port(0, 0)?, self.clone())?;
            for _ in 0..300 {
                if self.is_reached.load(Ordering::Acquire) {
                    return Ok(card);
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            card.remove();
            std::thread::sleep(Duration::from_secs(1));
        }
        anyhow::bail!("the card was never asked for {:02x}; the log: {}", self.code, shop.log())
    }

    /// Lets the card go.
    pub fn open(&self) {
        self.is_open.store(true, Ordering::Release);
    }
}

impl InField for Gate {
    fn reset(&mut self) {
        self.chip.power_off();
    }

    fn react(&mut self, apdu: &[u8]) -> Reaction {
        if apdu.get(..2) != Some(&[0x90, self.code]) || self.is_reached.load(Ordering::Acquire) {
            return self.chip.react(apdu);
        }
        if self.through == Through::HasRun {
            drop(self.chip.react(apdu));
        }
        self.is_reached.store(true, Ordering::Release);
        let patience = GATE_WAIT.as_millis().checked_div(10).unwrap_or(0);
        for _ in 0..patience {
            if self.is_open.load(Ordering::Acquire) {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.chip.power_off();
        Reaction::Leave
    }
}
