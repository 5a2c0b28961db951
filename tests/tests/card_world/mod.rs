//! A fund with a shop at whose reader purse cards are issued, through the real programs.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "helpers of tests: a failed unwrap is the test's failure, and no test uses all of them"
)]

use cabas_card::layout::{APPLICATION, SPENT_FILE, VALUE_START};
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::program::Said;
use cabas_tests::shop::Shop;
use cabas_tests::virtual_card::VirtualCard;
use cabas_tests::virtual_card::desfire::DesfireChip;
use serde_json::Value;

/// The UID of the card of most tests.
pub const UID: [u8; 7] = [0x04, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66];
/// The shop at whose reader cards are issued.
pub const SHOP: &str = "biocoop-platanes";

/// A fund, and a shop whose reader is the admin's.
pub struct World {
    pub hub: Hub,
    pub admin: Shop,
    pub dir: tempfile::TempDir,
}

pub async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::with_example_fund(&dir.path().join("hub")).unwrap();
    hub.credit("2026-11").unwrap();
    let mut admin = Shop::enrolled(&dir.path().join("admin"), &http_client().unwrap(), &hub, SHOP).await.unwrap();
    admin.stop().unwrap();
    World { hub, admin, dir }
}

impl World {
    pub fn grant(&self, verb: &str, card: &str) {
        let grant = ["card", "grant", "--terminal", "1", verb, card, "--household", "F001"];
        self.hub.ok(&grant).unwrap();
    }

    /// Runs a command with a card on the reader.
    pub fn with_card(&self, chip: &DesfireChip, verb: &str, card: &str) -> Said {
        let held = VirtualCard::insert(self.admin.pcscd.port(0, 0).unwrap(), chip.clone()).unwrap();
        let said = self.admin.said(&["card", verb, "--card-number", card]).unwrap();
        held.remove();
        said
    }

    pub fn inspect(&self, chip: &DesfireChip) -> Said {
        let held = VirtualCard::insert(self.admin.pcscd.port(0, 0).unwrap(), chip.clone()).unwrap();
        let said = self.admin.said(&["card", "inspect", "--json"]).unwrap();
        held.remove();
        said
    }

    pub fn purse_card(&self) -> Value {
        let purse = self.hub.ok(&["purse", "show", "--household", "F001"]).unwrap();
        purse["cards"][0].clone()
    }
}

pub fn application() -> u32 {
    let [a, b, c] = APPLICATION;
    u32::from_le_bytes([a, b, c, 0])
}

pub fn ok(said: &Said) {
    assert_eq!(said.code, Some(0), "{said:?}");
}

/// The card is issued and its keys are at the terminal.
pub async fn ready(world: &mut World, chip: &DesfireChip) {
    world.grant("--issue", "901");
    ok(&world.with_card(chip, "issue", "901"));
    world.admin.start().await.unwrap();
    world.admin.wait_until_synced().await.unwrap();
}

pub fn spent(chip: &DesfireChip) -> u64 {
    let value = u64::try_from(chip.value(application(), SPENT_FILE).unwrap()).unwrap();
    u64::from(VALUE_START).checked_sub(value).unwrap()
}
