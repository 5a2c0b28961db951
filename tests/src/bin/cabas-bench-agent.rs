//! Benchmark: what the agent costs. Size, start, memory, wake-ups of the release program; durable sales a second and its
//! own time for one, against the fdatasync rate of the same disk in the same run.
#![allow(clippy::indexing_slicing, reason = "a JSON value answers null for what is not there")]
#![allow(clippy::arithmetic_side_effects, clippy::integer_division, reason = "figures for people")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use cabas_agent::card::UidClass;
use cabas_agent::clock::Clock;
use cabas_agent::core::split::AskedLine;
use cabas_agent::journal::keyfile::TerminalKeys;
use cabas_agent::journal::{FILE, Journal, KEY_FILE, PresentedBy, SaleAsk, Sold};
use cabas_protocol::row::Tier;
use cabas_protocol::{CategoryId, Cents, RequestId};
use cabas_tests::cpu::Ticks;
use cabas_tests::example::Cards;
use cabas_tests::fdatasync;
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::program::{Program, binary, rss_bytes};
use cabas_tests::shop::Shop;
use clap::Parser;

/// Measures the agent.
#[derive(Debug, Parser)]
struct Arguments {
    /// Sales written into the journal by the benchmark itself
    #[arg(long, default_value_t = 100_000)]
    sales: u32,
    /// Sales through reader, card and page, before the memory is read again
    #[arg(long, default_value_t = 20)]
    taps: u32,
    /// Seconds for which the idle agent's wake-ups are counted
    #[arg(long, default_value_t = 20)]
    idle_s: u64,
    /// Folder on the disk to measure; a new one in it is used and removed
    #[arg(long, default_value = "target")]
    folder: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let dir = tempfile::tempdir_in(&arguments.folder)?;
    let mut hub = Hub::with_example_fund(&dir.path().join("hub"))?;
    let mut shop = Shop::enrolled(&dir.path().join("shop"), &http_client()?, &hub, "biocoop-platanes").await?;
    hub.credit("2026-11")?;
    shop.wait("the balances", |status| (status["balances"]["count"].as_u64() >= Some(108)).then_some(())).await?;
    shop.stop()?;
    hub.stop()?;

    let size = std::fs::metadata(binary("cabas-agent")?)?.len();
    say("binary, bytes", size, 6_000_000)?;
    say("ready, empty journal, ms", ready_ms(&mut shop, dir.path())?, 20)?;
    let ticks = Ticks::read(&[std::process::id()])?;
    sales(&shop, dir.path(), arguments.sales)?;
    let others = Ticks::read(&[std::process::id()])?.others_percent_since(ticks);
    say(&format!("ready, {} sales in the journal, ms", arguments.sales), ready_ms(&mut shop, dir.path())?, 50)?;

    // The usual pause between two tries to reach a hub that is down, not that of a test.
    shop.environment.push(("CABAS_AGENT_SYNC_PAUSE_MS_MAX".to_owned(), "30000".to_owned()));
    shop.start().await?;
    let pid = shop.pid().context("the agent does not run")?;
    tokio::time::sleep(Duration::from_secs(10)).await;
    say("RSS idle, kB", rss_bytes(pid)? >> 10, 12_000)?;
    let before = switches(pid)?;
    tokio::time::sleep(Duration::from_secs(arguments.idle_s)).await;
    let woken = per_thread(&before, &switches(pid)?);
    say(&format!("most wake-ups of one thread in {} s", arguments.idle_s), woken, arguments.idle_s)?;
    let cards = Cards::read()?;
    for number in 0..arguments.taps {
        let card = usize::try_from(number)? % 100 + 1;
        let sale = shop.sell(1, cards.uid(card), &format!("tap-{number}")).await?;
        ensure!(sale["state"] == "accepted", "{sale}");
    }
    say(&format!("RSS after {} taps, kB", arguments.taps), rss_bytes(pid)? >> 10, 12_000)?;
    say("CPU taken by others, %", others, 5)
}

/// From the start of the program to the first answer of its page, the best of five.
fn ready_ms(shop: &mut Shop, dir: &Path) -> anyhow::Result<u64> {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let mut command = shop.command(&["run"])?;
        #[expect(clippy::disallowed_methods, reason = "a benchmark reads the time")]
        let start = Instant::now();
        let mut agent = Program::start(&mut command, &dir.join("ready.log"))?;
        let address = shop.address();
        while !answers(address) {
            ensure!(agent.has_ended()?.is_none() && start.elapsed() < Duration::from_secs(10), "{}", agent.said());
            std::thread::sleep(Duration::from_micros(200));
        }
        best = best.min(start.elapsed());
        agent.stop()?;
    }
    Ok(u64::try_from(best.as_millis())?)
}

fn answers(address: (&str, u16)) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let asked = write!(stream, "GET /health HTTP/1.1\r\nHost: {}:{}\r\n\r\n", address.0, address.1);
    let mut first = [0; 12];
    asked.is_ok() && stream.read_exact(&mut first).is_ok() && first.ends_with(b"200")
}

/// Durable sales, one commit each, as the page makes them: decided, signed, chained, written.
#[expect(clippy::float_arithmetic, reason = "figures for people")]
fn sales(shop: &Shop, dir: &Path, count: u32) -> anyhow::Result<()> {
    let limit_before = fdatasync::measure(dir, Duration::from_secs(2))?;
    let keys = TerminalKeys::read(&shop.data_dir().join(KEY_FILE))?;
    let clock = Clock::system();
    let signer = keys.signer().context("no key")?;
    let mut journal = Journal::open(&shop.data_dir().join(FILE), signer, clock.now(), "cabas-bench")?;
    let (cards, card_key) = (Cards::read()?, keys.card_key());
    let mut times = Vec::new();
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads the time")]
    let start = Instant::now();
    for number in 0..count {
        let uid = cards.uid(usize::try_from(number)? % 100 + 1);
        let ask = SaleAsk {
            request: RequestId::new(u64::from(number).to_be_bytes()),
            till_ref: None,
            lines: vec![AskedLine { category: CategoryId::new(0), requested: Cents::new(1)? }],
            card: PresentedBy {
                card: card_key.card_ref(uid),
                proven: Tier::Plain,
                uid: UidClass::Unique,
                counter: None,
            },
        };
        #[expect(clippy::disallowed_methods, reason = "a benchmark reads the time")]
        let one = Instant::now();
        let sold = journal.sell(clock.now(), &ask)?;
        times.push(one.elapsed());
        ensure!(matches!(sold, Sold::Accepted(_)), "{sold:?}");
    }
    let rate = fdatasync::Rate { count: u64::from(count), time: start.elapsed() };
    drop(journal);
    let limit_after = fdatasync::measure(dir, Duration::from_secs(2))?;
    let limit = (limit_before.per_second() + limit_after.per_second()) / 2.0;
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len().saturating_mul(percent) / 100).copied().unwrap_or_default();
    let sync_us = 1e6 / limit;
    let mut text = String::new();
    writeln!(text, "durable sales a second: {:.0}; fdatasync a second: {limit:.0}", rate.per_second())?;
    writeln!(text, "ratio: {:.2} (target 0.60)", rate.per_second() / limit)?;
    writeln!(text, "a sale, median {:?}, p99 {:?}; one fdatasync {sync_us:.0} µs", at(50), at(99))?;
    writeln!(text, "own time, median {:.0} µs (target 1000)", at(50).as_secs_f64() * 1e6 - sync_us)?;
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// How often each thread has gone to sleep by itself: each time it had been woken.
fn switches(pid: u32) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut found = BTreeMap::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = task?.path();
        let status = std::fs::read_to_string(path.join("status"))?;
        let line =
            status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).context("no switches")?;
        found.insert(path.display().to_string(), line.trim().parse()?);
    }
    Ok(found)
}

fn per_thread(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> u64 {
    let woken = after.iter().map(|(task, count)| count.saturating_sub(before.get(task).copied().unwrap_or(*count)));
    woken.max().unwrap_or(0)
}

fn say(what: &str, figure: u64, target: u64) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{what}: {figure} (target {target})").context("nobody reads")
}
