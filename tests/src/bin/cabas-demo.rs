//! The demonstration: a fund of 108 households and 19 shops, a purchase on line, one with the hub down, one refused, the
//! sync after the hub is back, a refund, a lost card, a settlement. Real hub, real agent, real pcscd; only card and paper
//! are virtual.
#![allow(clippy::indexing_slicing, reason = "a JSON value answers null for what is not there")]

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use cabas_tests::example::Cards;
use cabas_tests::hub::{Hub, http_client, payout};
use cabas_tests::shop::Shop;
use clap::Parser;
use serde_json::{Value, json};

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
/// 12.50 € and 8.35 €, less 2.50 € that went back, and 6.40 €.
const OWED: u64 = 1250 + 835 - 250 + 640;

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

    refund(&mut shop, &online).await?;
    lost_card(&hub, &mut shop, cards.uid(3)).await?;

    step("The settlement")?;
    let settlement = hub.ok(&["settlement", "close", "--by", "Ada", "--approved-by", "Bo"])?;
    say(hub.said(&["settlement", "list"])?.out.trim_end())?;
    let owed = payout(&settlement, SHOP)?;
    ensure!(owed == OWED, "the fund owes {owed} cents instead of {OWED}");
    hub.verify()?;
    shop.stop()?;
    let journal = shop.said(&["journal", "verify"])?;
    ensure!(journal.code == Some(0), "journal verify: {journal:?}");

    step("Summary")?;
    say("3 purchases, one of them with the hub down, and a refund: 24.75 € owed to the shop, to the cent")?;
    say(
        "1 unknown card and 1 lost card refused; the ledger, every chain, signature and claim verified; the journal verified by itself",
    )?;
    if arguments.stay {
        let given = hub.ok(&["user", "add", "--name", "admin", "--role", "admin"])?;
        let password = given.get("password").and_then(Value::as_str).unwrap_or_default();
        shop.start().await?;
        say(&format!(
            "\ncashier page      {}/\nmember's display  {}/customer\nhub               {}/  (name admin, password {password})",
            shop.url(),
            shop.url(),
            hub.url()
        ))?;
        say("Ctrl-C ends it.")?;
        tokio::signal::ctrl_c().await?;
    }
    Ok(())
}

/// A member brings something back; the money is there again within seconds.
async fn refund(shop: &mut Shop, sale: &Value) -> anyhow::Result<()> {
    step("A member brings goods of 2.50 € back: the terminal asks, the hub decides")?;
    let body = json!({
        "sale": sale["id"], "lines": [{"category": "0", "cents": 250}], "request_id": "demo-refund",
    });
    let (status, asked) = shop.post("/api/refunds", &body).await?;
    ensure!(status == 201, "the refund was not asked for: {status} {asked}");
    let path = format!("/api/refunds/{}", asked["id"].as_str().context("no id")?);
    for _ in 0..1000 {
        if shop.get(&path).await?["state"] == "credited" {
            return receipt_at(shop, &format!("/api/today/{}", asked["seq"]), 3).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    anyhow::bail!("the refund was not decided: {}", shop.get(&path).await?)
}

/// A card is reported lost, and another one takes its place.
async fn lost_card(hub: &Hub, shop: &mut Shop, lost: &[u8]) -> anyhow::Result<()> {
    step("A card is lost: blocked and replaced with one command, known at the terminal within seconds")?;
    let new: [u8; 7] = [0x04, 0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6];
    let replace = ["card", "replace", "--card-number", "3", "--new-card-number", "9001", "--uid", "04A1B2C3D4E5F6"];
    let list = hub.ok(&replace)?["hot_list_version"].as_u64().context("no version of the list")?;
    shop.wait("the list", |status| (status["hot_list"]["version"] == list).then_some(())).await?;
    shop.wait_until_synced().await?;
    let found = shop.sell(640, lost, "demo-lost").await?;
    ensure!(found["state"] == "declined", "the lost card was not declined: {found}");
    say(&format!("who found it: {}", found["message_fr"]))?;
    let replaced = shop.sell(640, &new, "demo-replaced").await?;
    ensure!(replaced["state"] == "accepted", "the new card was not accepted: {replaced}");
    say("the member pays 6.40 € with the new card, from the same money")?;
    let exposure = hub.ok(&["exposure"])?;
    ensure!(exposure["exposure_cents"] == 0, "the lost card can still be used: {exposure}");
    receipt(shop, &replaced, 4).await
}

/// Prints what the printer printed for a sale when the member asked for it.
async fn receipt(shop: &mut Shop, sale: &Value, count: usize) -> anyhow::Result<()> {
    receipt_at(shop, &format!("/api/sales/{}", sale["id"].as_str().context("no id")?), count).await
}

async fn receipt_at(shop: &mut Shop, path: &str, count: usize) -> anyhow::Result<()> {
    let (status, answer) = shop.post(&format!("{path}/receipt"), &json!({})).await?;
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
