//! `alert`: whom the hub tells of what is wrong, and whether that works.

use clap::Subcommand;
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use crate::admin::words::{Lang, Words};
use crate::alerts::{Letter, Ways, send, sentence};
use crate::core::alerts::{Line, lines};
use crate::out::{plain, print};
use crate::store::{OpenMode, Way};

#[derive(Debug, Subcommand)]
pub(super) enum Alert {
    /// Send a test message every way that is set up, and say what came of it
    Test,
    /// Show where alerts go, what is told at the moment, and what waits to be delivered
    List,
}

#[derive(Serialize)]
struct Tried {
    ways: Vec<TriedWay>,
}

#[derive(Serialize)]
struct TriedWay {
    way: &'static str,
    delivered: bool,
    why_not: Option<String>,
}

#[derive(Serialize)]
struct Listed {
    ways: Vec<&'static str>,
    open: Vec<Line>,
    undelivered_since: Option<u64>,
}

pub(super) fn run(context: &Context, alert: &Alert) -> Result<(), Failure> {
    match alert {
        Alert::Test => test(context),
        Alert::List => list(context),
    }
}

fn test(context: &Context) -> Result<(), Failure> {
    let ways = Ways::of(&context.config).unwrap_or_default();
    if ways.all().is_empty() {
        return Err(Failure::NoAlerts);
    }
    let fund = context.open(OpenMode::ReadOnly)?.read(|tx| tx.fund())?;
    let letter = Letter::test(&Words::default(), fund.fund.get(), context.clock.now());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| Failure::System { what: "threads", source })?;
    let tried: Vec<TriedWay> = runtime.block_on(async {
        let mut tried = Vec::new();
        for way in ways.all() {
            let why_not = send(&ways, way, &letter).await.err().map(|error| plain(&error.whole()));
            tried.push(TriedWay { way: way.name(), delivered: why_not.is_none(), why_not });
        }
        tried
    });
    let failed = tried.iter().filter(|tried| !tried.delivered).count();
    print(context.format, &Tried { ways: tried }, |tried| {
        let line = |tried: &TriedWay| match &tried.why_not {
            None => format!("{}: delivered", tried.way),
            Some(why) => format!("{}: NOT delivered: {why}", tried.way),
        };
        tried.ways.iter().map(line).collect::<Vec<_>>().join("\n")
    })
    .map_err(Failure::Print)?;
    if failed == 0 { Ok(()) } else { Err(Failure::AlertNotDelivered(failed)) }
}

fn list(context: &Context) -> Result<(), Failure> {
    let ways = Ways::of(&context.config).unwrap_or_default().all().into_iter().map(Way::name).collect();
    let read = context.open(OpenMode::ReadOnly)?.read(|tx| Ok((tx.alerts_open()?, tx.alerts_undelivered_since()?)));
    let (open, since) = read?;
    let listed = Listed { ways, open: lines(&open), undelivered_since: since.map(cabas_protocol::Timestamp::get) };
    print(context.format, &listed, text).map_err(Failure::Print)
}

fn text(listed: &Listed) -> String {
    let words = Words::default();
    let ways = if listed.ways.is_empty() { "nobody".to_owned() } else { listed.ways.join(", ") };
    let mut text = format!("Told by: {ways}\n");
    for line in &listed.open {
        text.push_str(&sentence(&words, Lang::English, &line.says, line.value, &line.terminals));
        text.push('\n');
    }
    if let Some(since) = listed.undelivered_since {
        text.push_str(&format!("A message waits to be delivered since {since}\n"));
    }
    text
}
