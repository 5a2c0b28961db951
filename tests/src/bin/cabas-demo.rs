//! The demonstration: a fund of 108 households and 19 shops, a purchase on line, one with the hub down, one refused, the
//! sync after the hub is back, a settlement. Real hub, real agent, real pcscd; only card and paper are virtual.
#![allow(clippy::indexing_slicing, reason = "a JSON value answers null for what is not there")]

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use cabas_tests::example::Cards;
use cabas_tests::hub::{Hub, http_client, payout};
use cabas_tests::shop::Shop;
use clap::Parser;
use serde_json::Value;

/// Plays the main job from tap to settlement and prints each receipt.
#[derive(Debug, Parser)]
struct Arguments {
    /// Leave hub and agent running and print their addresses; ends with Ctrl-C
    #[arg(long)]
    stay: bool,
    /// Folder for the demonstration's data; emptied first
    #[arg(long, default_value = "target/demo")]
    folder: PathBuf,
}

const SHOP: &str = "biocoop-platanes";
const PERIOD: &str = "2026-11";

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let folder = std::path::absolute(&arguments.folder)?;
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    for part in ["hub", "shop"] {
        std::fs::create_dir_all(folder.join(part))?;
    }
    let http = http_client()?;

    step("A fund of 108 households and 19 shops; the monthly credit")?;
    let mut hub = Hub::with_example_fund(&folder.join("hub"))?;
    let credit = hub.credit(PERIOD)?;
    say(&format!("{} households credited, {} cents in all", credit["households"], credit["cents"]))?;

    step(&format!("The agent at {SHOP} enrols with a one-time code"))?;
    let mut shop = Shop::enrolled(&folder.join("shop"), &http, &hub, SHOP).await?;
    let cards = Cards::read()?;

    step("A purchase on line: 12.50 €")?;
    let online = shop.sell(1250, cards.uid(1), "demo-online").await?;
    ensure!(online["state"] == "accepted", "the purchase was not accepted: {online}");
    receipt(&mut shop, &online, 1).await?;

    step("The hub is down; a purchase of 8.35 € goes through")?;
    hub.stop()?;
    let offline = shop.sell(835, cards.uid(2), "demo-offline").await?;
    ensure!(offline["state"] == "accepted", "the purchase was not accepted: {offline}");
    receipt(&mut shop, &offline, 2).await?;

    step("A card that nobody knows: not completed, in words that tell bystanders nothing")?;
    let refused = shop.sell(500, &[0x04, 0xde, 0xad, 0xbe, 0xef, 0x00, 0x01], "demo-refused").await?;
    ensure!(refused["state"] == "declined", "the purchase was not declined: {refused}");
    say(&format!("the cashier sees: {}", refused["message_fr"]))?;

    step("The hub is back; the sales arrive")?;
    hub.start()?;
    shop.wait_until_synced().await?;

    step("The settlement")?;
    let settlement = hub.ok(&["settlement", "close"])?;
    say(hub.said(&["settlement", "list"])?.out.trim_end())?;
    let owed = payout(&settlement, SHOP)?;
    ensure!(owed == 2085, "the fund owes {owed} cents instead of 2085");
    hub.verify()?;
    shop.stop()?;
    let journal = shop.said(&["journal", "verify"])?;
    ensure!(journal.code == Some(0), "journal verify: {journal:?}");

    step("Summary")?;
    say("2 purchases, one of them with the hub down: 20.85 € owed to the shop, to the cent")?;
    say("1 refused; the ledger, every chain, signature and claim verified; the journal verified by itself")?;
    if arguments.stay {
        shop.start().await?;
        say(&format!(
            "\ncashier page      {}/\nmember's display  {}/customer\nhub               {}/",
            shop.url(),
            shop.url(),
            hub.url()
        ))?;
        say("Ctrl-C ends it.")?;
        tokio::signal::ctrl_c().await?;
    }
    Ok(())
}

/// Prints what the printer printed for a sale when the member asked for it.
async fn receipt(shop: &mut Shop, sale: &Value, count: usize) -> anyhow::Result<()> {
    let id = sale["id"].as_str().context("no id")?;
    let (status, answer) = shop.post(&format!("/api/sales/{id}/receipt"), &serde_json::json!({})).await?;
    ensure!(status < 300, "the receipt was refused: {status} {answer}");
    let printed = shop.printer.wait_for_receipts(count)?;
    say(&printed.last().context("no receipt")?.text())
}

fn step(title: &str) -> anyhow::Result<()> {
    say(&format!("\n== {title}"))
}

fn say(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{text}").context("nobody reads")
}
