//! Benchmark: the hub's ingest over HTTP. Signed sales in uploads of 64, verified, durable, double-entry, from several
//! terminals at once, against the fdatasync rate of the same disk in the same run.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use cabas_protocol::sync::{ROWS_MAX, SyncRequest};
use cabas_protocol::{Cents, PurseRef, Signed};
use cabas_tests::cpu::Ticks;
use cabas_tests::fdatasync;
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::terminal::{Terminal, post};
use clap::Parser;

/// Measures the hub's ingest over HTTP.
#[derive(Debug, Parser)]
struct Arguments {
    /// Terminals that upload at once; a purse has slices at 8 of them at the most
    #[arg(long, default_value_t = 8)]
    terminals: u32,
    /// Uploads of 64 sales that each terminal makes
    #[arg(long, default_value_t = 200)]
    uploads: u32,
    /// Folder on the disk to measure; a new one in it is used and removed
    #[arg(long, default_value = "target")]
    folder: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let dir = tempfile::tempdir_in(&arguments.folder)?;
    let before = fdatasync::measure(dir.path(), Duration::from_secs(2))?;
    let hub = fund_of(dir.path(), arguments.terminals)?;
    let http = http_client()?;
    let mut prepared = Vec::new();
    for number in 0..arguments.terminals {
        let mut terminal = hub.bare_terminal(&http, &format!("shop-{number}")).await?;
        terminal.start()?;
        terminal.sync().await?;
        prepared.push((terminal, Vec::new()));
    }
    hub.credit("2026-11")?;
    for (terminal, uploads) in &mut prepared {
        terminal.wait_for_balances().await?;
        *uploads = make_uploads(terminal, arguments.uploads)?;
    }
    let pids = [std::process::id(), hub.pid().context("the hub does not run")?];
    let (written_before, ticks) = (written_bytes(pids[1])?, Ticks::read(&pids)?);
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads the time")]
    let start = Instant::now();
    let url = format!("{}/v1/sync", hub.url());
    let tasks: Vec<_> =
        prepared.into_iter().map(|(_, uploads)| tokio::spawn(send_all(http.clone(), url.clone(), uploads))).collect();
    for task in tasks {
        task.await??;
    }
    let time = start.elapsed();
    let others = Ticks::read(&pids)?.others_percent_since(ticks);
    let written = written_bytes(pids[1])?.saturating_sub(written_before);
    let after = fdatasync::measure(dir.path(), Duration::from_secs(2))?;
    let uploads = u64::from(arguments.terminals).saturating_mul(u64::from(arguments.uploads));
    let sales = uploads.saturating_mul(u64::try_from(ROWS_MAX)?);
    report(fdatasync::Rate { count: sales, time }, [before, after], written, others)?;
    hub.verify()
}

#[expect(clippy::as_conversions, clippy::float_arithmetic, reason = "figures for people")]
fn report(sales: fdatasync::Rate, syncs: [fdatasync::Rate; 2], written: u64, others: u64) -> anyhow::Result<()> {
    let limit = (syncs[0].per_second() + syncs[1].per_second()) / 2.0;
    let mut text = String::new();
    writeln!(text, "sales ingested      {:>10}", sales.count)?;
    writeln!(text, "sales per second    {:>10.0}", sales.per_second())?;
    writeln!(
        text,
        "fdatasync per second{:>10.0}  (before {:.0}, after {:.0})",
        limit,
        syncs[0].per_second(),
        syncs[1].per_second()
    )?;
    writeln!(text, "ratio               {:>10.1}  (target 10)", sales.per_second() / limit)?;
    writeln!(text, "bytes written a sale{:>10.0}  (target 1500)", written as f64 / sales.count as f64)?;
    writeln!(text, "CPU taken by others {:>9} %", others)?;
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// A fund with a shop a terminal and 200 households of the most money.
fn fund_of(dir: &std::path::Path, shops: u32) -> anyhow::Result<Hub> {
    let mut hub = Hub::empty(dir)?;
    let mut households = String::from("household,size,children_under_14,contribution_cents\n");
    let mut shop_lines = String::from("shop,name,kind,expected_share_permille\n");
    for number in 0..200 {
        writeln!(households, "F{number:03},6,0,600")?;
    }
    for number in 0..shops {
        writeln!(shop_lines, "shop-{number},Shop {number},bakery,{}", 1000_u32.checked_div(shops).unwrap_or(0))?;
    }
    let folder = dir.join("csv");
    std::fs::create_dir(&folder)?;
    for (name, text) in [("households.csv", households), ("shops.csv", shop_lines)] {
        std::fs::File::create(folder.join(name))?.write_all(text.as_bytes())?;
    }
    hub.ok(&["import", &folder.display().to_string()])?;
    hub.start()?;
    Ok(hub)
}

/// Sales of one cent, each within what its balance allows, in signed requests that build on one another.
fn make_uploads(terminal: &mut Terminal, count: u32) -> anyhow::Result<Vec<Signed<SyncRequest>>> {
    let cent = Cents::new(1)?;
    let purses: Vec<PurseRef> = terminal.balances.keys().copied().collect();
    let mut next = purses.iter().cycle();
    let mut uploads = Vec::new();
    for _ in 0..count {
        let base = terminal.head;
        let mut rows = Vec::with_capacity(ROWS_MAX);
        while rows.len() < ROWS_MAX {
            let purse = next.by_ref().take(purses.len()).find(|purse| terminal.available(**purse) >= cent);
            let Some(purse) = purse.copied() else {
                bail!("the slices of a terminal are too small for {count} uploads; ask for fewer");
            };
            rows.push(terminal.sell(purse, cent)?);
        }
        uploads.push(terminal.request(base, &rows, 0)?);
    }
    Ok(uploads)
}

async fn send_all(http: reqwest::Client, url: String, uploads: Vec<Signed<SyncRequest>>) -> anyhow::Result<()> {
    for upload in uploads {
        let (status, _) = post(&http, &url, upload.into_bytes()).await?;
        anyhow::ensure!(status == 200, "the hub answered {status}");
    }
    Ok(())
}

fn written_bytes(pid: u32) -> anyhow::Result<u64> {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io"))?;
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).context("no write_bytes")?;
    Ok(line.parse()?)
}
