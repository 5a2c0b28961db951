//! `settlement payment-file`, `settlement payouts`, `settlement reject`, `export fec`: what leaves the hub for others.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use super::fund::euros;
use crate::bank;
use crate::out::{plain, print};
use crate::store::{FecReport, OpenMode, PaymentOrder, PayoutRef, StoreError};

/// Exports for others.
#[derive(Debug, Subcommand)]
pub(super) enum Export {
    /// Write the accounting entries of a year (FEC) for an accountant
    Fec {
        /// The year
        #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(u16).range(2000..=2999))]
        year: u16,
        /// The folder into which the file goes
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Write an evaluation's figures (CSV): households, purchases, cents by month, kind of shop and size of household
    Evaluation(super::evaluation::Evaluation),
    /// Write everything that the books hold (CSV, and the ledger itself), to leave this software or to keep it elsewhere
    All(super::takeout::All),
}

#[derive(Serialize)]
struct Made {
    settlement: u32,
    message_id: String,
    execute_on: String,
    payments: u32,
    total_cents: u64,
    made_by: String,
    made_at: u64,
    /// False where it was made before: these are the same bytes.
    new: bool,
    file: PathBuf,
}

pub(super) fn payment_file(context: &Context, order: &PaymentOrder, out: &Path) -> Result<(), Failure> {
    let now = context.clock.now();
    let made = context.open(OpenMode::Existing)?.write(|tx| tx.payment_file(order, now))?;
    write_whole(out, |file| file.write_all(&made.bytes).map_err(StoreError::Io))?;
    let made = Made {
        settlement: made.settlement,
        message_id: made.message,
        execute_on: bank::day(made.execute_on),
        payments: made.payments,
        total_cents: made.total.get(),
        made_by: made.made_by,
        made_at: made.made_at.get(),
        new: made.is_new,
        file: out.to_owned(),
    };
    print(context.format, &made, |made| {
        let again = if made.new { "" } else { " It was made before; these are the same bytes: hand it in once." };
        format!(
            "{}: {} payments, {} €, to be paid on {}, as {}.{again}\n",
            made.file.display(),
            made.payments,
            euros(made.total_cents),
            made.execute_on,
            made.message_id
        )
    })
    .map_err(Failure::Print)
}

#[derive(Serialize)]
struct PayoutLine {
    shop: String,
    cents: u64,
    state: &'static str,
}

pub(super) fn payouts(context: &Context, settlement: u32) -> Result<(), Failure> {
    let payouts = context.open(OpenMode::Existing)?.read(|tx| tx.payouts(settlement))?;
    let line =
        |view: crate::store::PayoutView| PayoutLine { shop: view.shop, cents: view.cents.get(), state: view.state };
    let lines: Vec<_> = payouts.into_iter().map(line).collect();
    print(context.format, &lines, |lines| {
        let line = |line: &PayoutLine| format!("{:>10} € {:<8} {}\n", euros(line.cents), line.state, plain(&line.shop));
        if lines.is_empty() { "No payouts.\n".to_owned() } else { lines.iter().map(line).collect() }
    })
    .map_err(Failure::Print)
}

pub(super) fn reject(context: &Context, meant: &PayoutRef, reason: &str, people: (&str, &str)) -> Result<(), Failure> {
    let now = context.clock.now();
    context.open(OpenMode::Existing)?.write(|tx| tx.payout_reject(meant, reason, people, now))?;
    payouts(context, meant.settlement)
}

#[derive(Serialize)]
struct Exported {
    file: PathBuf,
    entries: u64,
    total_cents: u64,
}

pub(super) fn export(context: &Context, command: &Export) -> Result<(), Failure> {
    let (year, out) = match command {
        Export::Fec { year, out } => (year, out),
        Export::Evaluation(asked) => return super::evaluation::export(context, asked),
        Export::All(asked) => return super::takeout::export(context, asked),
    };
    let siren = context.config.siren.as_deref().ok_or(Failure::NoSiren)?;
    let file = out.join(format!("{siren}FEC{year}1231.txt"));
    let mut report = FecReport::default();
    let mut db = context.open(OpenMode::Existing)?;
    write_whole(&file, |out| {
        report = db.read(|tx| tx.fec(*year, out))?;
        Ok(())
    })?;
    let exported = Exported { file, entries: report.entries, total_cents: report.total.get() };
    print(context.format, &exported, |done| {
        format!("{}: {} entries, {} € on either side\n", done.file.display(), done.entries, euros(done.total_cents))
    })
    .map_err(Failure::Print)
}

/// Writes a file whole or not at all: beside its place first, then under its name.
pub(super) fn write_whole(
    file: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<(), StoreError>,
) -> Result<(), Failure> {
    let failed = |source: io::Error| Failure::File { what: "the export", file: file.to_owned(), source };
    let mut beside = file.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let mut out = BufWriter::new(File::create(&beside).map_err(failed)?);
    let written = write(&mut out)
        .map_err(|error| if let StoreError::Io(source) = error { failed(source) } else { Failure::Store(error) });
    let ended = written.and_then(|()| {
        out.flush()
            .and_then(|()| out.get_ref().sync_all())
            .and_then(|()| std::fs::rename(&beside, file))
            .map_err(failed)
    });
    if ended.is_err() {
        let _best_effort = std::fs::remove_file(&beside);
    }
    ended
}
