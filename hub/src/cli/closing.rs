//! `terminal close`, `terminal closings`.

use cabas_protocol::{ChainHead, Epoch, Hash, Seq, TerminalId};
use clap::Args;
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use super::fund::euros;
use crate::out::{plain, print};
use crate::store::{CloseOrder, Closing, ClosingView, OpenMode};

/// Closings that the list shows.
const LISTED_MAX: u32 = 200;

#[derive(Args, Debug)]
pub(super) struct Close {
    /// The terminal's number
    #[arg(value_name = "N")]
    terminal: u32,
    /// Its epoch, where it has more than one that is open
    #[arg(long, value_name = "E")]
    epoch: Option<u32>,
    /// The row up to which rows stand; with its hash, both people say that they mean the same
    #[arg(long, value_name = "S", requires = "at_hash")]
    at_seq: Option<u32>,
    /// The hash of that row
    #[arg(long, value_name = "HEX", requires = "at_seq", value_parser = hash)]
    at_hash: Option<Hash>,
    /// Who asks: the one who proposes and the one who confirms are two people
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Take the proposal back
    #[arg(long, conflicts_with_all = ["at_seq", "at_hash"])]
    withdraw: bool,
}

fn hash(text: &str) -> Result<Hash, &'static str> {
    Hash::from_hex(text).ok_or("not 64 hexadecimal digits")
}

#[derive(Serialize)]
struct Closed {
    terminal: u32,
    epoch: u32,
    /// `proposed`, `closed` or `withdrawn`.
    state: &'static str,
    at_seq: u32,
    at_hash: String,
    proposed_by: String,
    closed_by: Option<String>,
    voided_cents: u64,
    purses: u32,
    /// Paid to the shop for sales that only cards told of.
    carried_cents: u64,
}

pub(super) fn close(context: &Context, close: &Close) -> Result<(), Failure> {
    let now = context.clock.now();
    let terminal = TerminalId::new(close.terminal);
    let at = close.at_seq.map(Seq::new).zip(close.at_hash).map(|(seq, hash)| ChainHead { seq, hash });
    let order = CloseOrder { terminal, epoch: close.epoch.map(Epoch::new), at, by: close.by.clone() };
    let mut db = context.open(OpenMode::Existing)?;
    let closing = db.write(|tx| {
        if close.withdraw { tx.terminal_close_withdraw(&order, now) } else { tx.terminal_close(&order, now) }
    })?;
    if closing.closed_by.is_some() {
        while db.write(|tx| tx.allocate_pending(now))?.more {}
    }
    let closed = closed(terminal, closing, close.withdraw);
    print(context.format, &closed, text).map_err(Failure::Print)
}

fn closed(terminal: TerminalId, closing: Closing, withdrawn: bool) -> Closed {
    let state = match (&closing.closed_by, withdrawn) {
        (Some(_), _) => "closed",
        (None, true) => "withdrawn",
        (None, false) => "proposed",
    };
    Closed {
        terminal: terminal.get(),
        epoch: closing.epoch.get(),
        state,
        at_seq: closing.at.seq.get(),
        at_hash: closing.at.hash.to_string(),
        proposed_by: closing.proposed_by,
        closed_by: closing.closed_by,
        voided_cents: closing.voided.get(),
        purses: closing.purses,
        carried_cents: closing.carried.get(),
    }
}

fn carried(closed: &Closed) -> String {
    if closed.carried_cents == 0 {
        return String::new();
    }
    let (cents, terminal) = (euros(closed.carried_cents), closed.terminal);
    format!("{cents} € are owed for sales that only cards told of: cabas-hub terminal carried {terminal}\n")
}

fn text(closed: &Closed) -> String {
    let (terminal, epoch, seq) = (closed.terminal, closed.epoch, closed.at_seq);
    match closed.state {
        "closed" => format!(
            "Epoch {epoch} of terminal {terminal} is closed at row {seq}, proposed by {}, confirmed by {}.\n\
             {} € went back to {} households. Later rows of it are kept and not paid.\n{}",
            plain(&closed.proposed_by),
            plain(closed.closed_by.as_deref().unwrap_or_default()),
            euros(closed.voided_cents),
            closed.purses,
            carried(closed)
        ),
        "withdrawn" => format!("The proposal of {} is withdrawn; nothing was closed.\n", plain(&closed.proposed_by)),
        _ => format!(
            "{} proposes to close epoch {epoch} of terminal {terminal} at row {seq}.\nAnother person confirms it: cabas-hub \
             terminal close {terminal} --epoch {epoch} --at-seq {seq} --at-hash {} --by NAME\n",
            plain(&closed.proposed_by),
            closed.at_hash
        ),
    }
}

#[derive(Serialize)]
struct Listed {
    closings: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    terminal: u32,
    epoch: u32,
    at_seq: u32,
    at_hash: String,
    state: &'static str,
    proposed_by: String,
    proposed_at: u64,
    ended_by: Option<String>,
    ended_at: Option<u64>,
}

pub(super) fn list(context: &Context) -> Result<(), Failure> {
    let closings = context.open(OpenMode::Existing)?.read(|tx| tx.closings(LISTED_MAX))?;
    let listed = Listed { closings: closings.into_iter().map(line).collect() };
    print(context.format, &listed, |listed| {
        let lines = listed.closings.iter().map(|line| {
            let ended = line.ended_by.as_ref().map_or(String::new(), |by| format!(", {} by {}", line.state, plain(by)));
            let at = format!("terminal {} epoch {} at row {}", line.terminal, line.epoch, line.at_seq);
            format!("{at}: proposed by {} at {}{ended}\n", plain(&line.proposed_by), line.proposed_at)
        });
        let all: String = lines.collect();
        if all.is_empty() { "No closing yet.\n".to_owned() } else { all }
    })
    .map_err(Failure::Print)
}

fn line(view: ClosingView) -> Line {
    let (ended_by, ended_at) = view.ended.unzip();
    Line {
        terminal: view.terminal.get(),
        epoch: view.epoch.get(),
        at_seq: view.at.seq.get(),
        at_hash: view.at.hash.to_string(),
        state: view.state,
        proposed_by: view.proposed_by,
        proposed_at: view.proposed_at.get(),
        ended_by,
        ended_at: ended_at.map(cabas_protocol::Timestamp::get),
    }
}
