//! Plays a fund's shops, cards and households, whatever goes wrong, and looks after every event whether the rules hold.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "what is said is what it is for; a chart that was cut off is drawn again"
)]

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use cabas_hub::clock::Stopwatch;
use cabas_tests::fleet::auditor::Broken;
use cabas_tests::fleet::event::Event;
use cabas_tests::fleet::figures::Figures;
use cabas_tests::fleet::plan::events;
use cabas_tests::fleet::policies::{Judged, Policy, chart, policies, table};
use cabas_tests::fleet::run::{Outcome, play};
use cabas_tests::fleet::shape::Shape;
use cabas_tests::fleet::shrink::shrink;
use cabas_tests::fleet::template::Template;
use clap::Parser;

/// Plays a fund's shops, cards and households, whatever goes wrong, and looks after every event whether the rules hold
#[derive(Parser)]
#[command(version)]
struct Simulate {
    /// How many seeds are played
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// Days of each
    #[arg(long, default_value_t = 30)]
    days: u16,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    first_seed: u64,
    /// Shops; the first two are large, a third of the others are stalls without a network
    #[arg(long, default_value_t = 19)]
    shops: u8,
    /// Households
    #[arg(long, default_value_t = 108)]
    households: u16,
    /// Threads; as many as there are processors where it is not said
    #[arg(long)]
    threads: Option<usize>,
    /// Only these kinds of faults in every seed, by their numbers (tests/src/fleet/plan.rs); each seed picks its own where none is named
    #[arg(long, value_delimiter = ',')]
    kinds: Vec<u32>,
    /// Begin no seed after so many minutes, however many were asked for
    #[arg(long, conflicts_with = "policies")]
    minutes: Option<u64>,
    /// Stop at the first seed that fails, and shrink nothing
    #[arg(long)]
    stop: bool,
    /// Print every event of a seed that fails, not only what it shrinks to
    #[arg(long)]
    whole: bool,
    /// Compare policies: what is refused though funded, and what shops ask for over the right, as a table
    #[arg(long)]
    policies: bool,
    /// With --policies: write the chart there, as SVG
    #[arg(long, requires = "policies")]
    chart: Option<PathBuf>,
    /// Where the files of a run lie while it lasts: in memory, where it can be
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// Seeds whose events are shrunk and told, at the most.
const SHRUNK_MAX: usize = 5;

/// A seed that broke a rule, and what is left of its events.
struct Failure {
    seed: u64,
    broken: Broken,
    events: Vec<Event>,
    all: usize,
}

fn main() -> ExitCode {
    let asked = Simulate::parse();
    let kinds = asked.kinds.iter().fold(0, |kinds, kind| kinds | 1_u32.checked_shl(*kind).unwrap_or(0));
    let kinds = (!asked.kinds.is_empty()).then_some(kinds);
    let shape = Shape { shops: asked.shops, households: asked.households, kinds, ..Shape::fund(asked.days) };
    let done = if asked.policies { compare(&asked, shape) } else { simulate(&asked, shape) };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(broken) => {
            eprintln!("the fund could not be set up: {}: {}", broken.rule, broken.detail);
            ExitCode::from(1)
        }
    }
}

/// Where the files of runs lie: in memory, where it can be.
fn parent(asked: &Simulate) -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    asked.folder.clone().unwrap_or(if memory.is_dir() { memory } else { std::env::temp_dir() })
}

/// Seeds that broke a rule: which, at which event, and the rule.
type Failed = Vec<(u64, usize, Broken)>;

/// Plays every seed, a thread a processor.
fn play_all(asked: &Simulate, template: &Template, shape: Shape, is_told: bool) -> (u64, Figures, Failed) {
    let parent = parent(asked);
    let threads = asked.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let next = AtomicU64::new(0);
    let began = Stopwatch::start();
    let is_over =
        || asked.minutes.is_some_and(|minutes| began.elapsed() >= Duration::from_secs(minutes.saturating_mul(60)));
    let is_over = &is_over;
    let (told, heard) = channel::<(u64, Outcome)>();
    let (mut sum, mut failed, mut done) = (Figures::default(), Vec::new(), 0_u64);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let told = told.clone();
            let (next, parent) = (&next, &parent);
            scope.spawn(move || {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let seed = asked.first_seed.saturating_add(place);
                    if place >= asked.seeds
                        || is_over()
                        || told.send((seed, play(template, parent, shape, &events(seed, shape)))).is_err()
                    {
                        return;
                    }
                }
            });
        }
        drop(told);
        for (seed, outcome) in heard {
            done = done.saturating_add(1);
            match outcome {
                Ok(figures) => sum.add(&figures),
                Err((place, broken)) => {
                    if is_told {
                        eprintln!("seed {seed} breaks the rule: {}", broken.rule);
                    }
                    failed.push((seed, place, broken));
                    if asked.stop {
                        next.store(asked.seeds, Ordering::Relaxed);
                    }
                }
            }
            if is_told {
                progress(done, asked.seeds, failed.len());
            }
        }
    });
    failed.sort_by_key(|(seed, ..)| *seed);
    (done, sum, failed)
}

fn simulate(asked: &Simulate, shape: Shape) -> Result<bool, Broken> {
    let parent = parent(asked);
    let began = Stopwatch::start();
    let template = Template::make(&parent, shape)?;
    let setup_ms = began.elapsed().as_millis();
    let began = Stopwatch::start();
    let (played, sum, failed) = play_all(asked, &template, shape, true);
    summary(asked, &sum, (played, failed.len()), (setup_ms, began.elapsed().as_millis()));
    for (seed, place, broken) in failed.iter().take(SHRUNK_MAX) {
        let mut list = events(*seed, shape);
        list.truncate(place.saturating_add(1));
        let all = list.len();
        if asked.stop {
            tell(&Failure { seed: *seed, broken: broken.clone(), events: Vec::new(), all });
            continue;
        }
        let left = if asked.whole {
            list
        } else {
            shrink(list, broken.rule, |events| play(&template, &parent, shape, events).err())
        };
        let broken = play(&template, &parent, shape, &left).err().map_or_else(|| broken.clone(), |(_, broken)| broken);
        tell(&Failure { seed: *seed, broken, events: left, all });
    }
    Ok(failed.is_empty())
}

/// Plays every policy with the same seeds.
fn compare(asked: &Simulate, shape: Shape) -> Result<bool, Broken> {
    let (mut judged, mut all_held) = (Vec::new(), true);
    for Policy { name, shape } in policies(shape) {
        let template = Template::make(&parent(asked), shape)?;
        let (_, figures, failed) = play_all(asked, &template, shape, false);
        eprintln!("{name}: {} refused though funded of {}", figures.refused_funded, figures.tried);
        for (seed, _, broken) in &failed {
            all_held = false;
            eprintln!("seed {seed} breaks the rule: {}: {}", broken.rule, broken.detail);
        }
        judged.push(Judged { name, figures });
    }
    print!("{}", table(&judged));
    if let Some(file) = &asked.chart {
        std::fs::write(file, chart(&judged))?;
    }
    Ok(all_held)
}

fn progress(done: u64, all: u64, failed: usize) {
    let mut out = std::io::stderr();
    let text = format!("{done}/{all} seeds, {failed} failed");
    if out.is_terminal() {
        let filled = usize::try_from(done.saturating_mul(30).checked_div(all.max(1)).unwrap_or(0)).unwrap_or(30);
        let bar = format!("[{}{}]", "#".repeat(filled), ".".repeat(30_usize.saturating_sub(filled)));
        drop(write!(out, "\r{bar} {text}{}", if done == all { "\n" } else { "" }));
    } else if done == all || done.checked_rem(all.div_ceil(10).max(1)) == Some(0) {
        drop(writeln!(out, "{text}"));
    }
}

fn summary(asked: &Simulate, sum: &Figures, (played, failed): (u64, usize), (setup_ms, run_ms): (u128, u128)) {
    let per_second = |count: u64| u128::from(count).saturating_mul(1_000).checked_div(run_ms.max(1)).unwrap_or(0);
    println!(
        "{} seeds of {} days, {} shops, {} households: {} failed\n\
         {} events, {} exchanges, {} purchases, {} accepted ({} cents; {} in part), {} in doubt, {} power cuts, {} copied numbers\n\
         {} cards renewed or issued, {} left meanwhile; {} slot keys renewed; {} cents expired, {} advanced as goodwill; {} enrolments and {} cards forgotten; \
         {} signing keys made or taken back; {} households left; {} lost blocks told\n\
         refused though funded: {} ({} cents); asked for over the right, not paid: {} cents\n\
         setting up {setup_ms} ms, playing {run_ms} ms: {} terminal-days a second, {} events a second",
        played,
        asked.days,
        asked.shops,
        asked.households,
        failed,
        sum.events,
        sum.exchanges,
        sum.tried,
        sum.accepted,
        sum.accepted_cents,
        sum.parts,
        sum.doubts,
        sum.cuts,
        sum.copies,
        sum.sessions,
        sum.torn_sessions,
        sum.rotations,
        sum.expired_cents,
        sum.advanced_cents,
        sum.forgotten,
        sum.forgotten_cards,
        sum.signing_keys,
        sum.left,
        sum.told_blocks,
        sum.refused_funded,
        sum.refused_cents,
        sum.over_right_cents,
        per_second(sum.terminal_days),
        per_second(sum.events),
    );
}

fn tell(failure: &Failure) {
    let Failure { seed, broken, events, all } = failure;
    println!(
        "\nseed {seed} breaks the rule: {}\n  {}\n  {} of {all} events show it:",
        broken.rule,
        broken.detail,
        events.len()
    );
    for event in events {
        println!("    {event:?}");
    }
}
