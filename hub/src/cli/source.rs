//! `source set`, `source list`, `source paid`, `source payments`, `source take-back`: who gives money, and how much is left.

use clap::Subcommand;
use serde::Serialize;

use super::Context;
use super::contribution::{amount, listed, note, take_back, today};
use super::failure::Failure;
use super::fund::euros;
use crate::core::period::Period;
use crate::out::{plain, print};
use crate::store::{MoneyInOrder, OpenMode, Payer, SourceView};

#[derive(Debug, Subcommand)]
pub(super) enum Source {
    /// Set a funder's budget of a calendar year; it holds from here on
    Set {
        /// The funder
        #[arg(long, value_name = "NAME")]
        name: String,
        /// The year
        #[arg(long, value_name = "YYYY")]
        year: u16,
        /// How much
        #[arg(long, value_name = "CENTS")]
        budget_cents: u64,
        /// Who says so
        #[arg(long, value_name = "NAME")]
        by: String,
    },
    /// List sources: budget, credited, left
    List {
        /// The year [default: this one]
        #[arg(long, value_name = "YYYY")]
        year: Option<u16>,
    },
    /// Note that a funder paid. Where the bank statement has it, use bank match ENTRY --source NAME instead
    Paid {
        /// The funder
        #[arg(long, value_name = "NAME")]
        name: String,
        /// How much
        #[arg(long, value_name = "CENTS")]
        cents: u64,
        /// The day of the payment
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = super::contribution::day)]
        on: u32,
        /// The payment's own name: by it it is booked once
        #[arg(long, value_name = "TEXT")]
        reference: Option<String>,
        /// It is another one, though one of the same funder, day and amount is noted
        #[arg(long)]
        again: bool,
        /// Who says so
        #[arg(long, value_name = "NAME")]
        by: String,
    },
    /// List what funders paid, newest first
    Payments {
        /// Only the payments of a year
        #[arg(long, value_name = "YYYY")]
        year: Option<u16>,
    },
    /// Take a payment back by a counter-entry
    TakeBack {
        /// Its number
        #[arg(value_name = "N")]
        number: u64,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Who says so
        #[arg(long, value_name = "NAME")]
        by: String,
    },
}

#[derive(Serialize)]
struct Line {
    source: String,
    year: u16,
    is_contributions: bool,
    budget_cents: Option<u64>,
    agreed_over_cents: u64,
    credited_cents: u64,
    /// None where nothing limits it.
    left_cents: Option<u64>,
    over_cents: u64,
    paid_in_cents: u64,
}

pub(super) fn run(context: &Context, command: &Source) -> Result<(), Failure> {
    match command {
        Source::Set { name, year, budget_cents, by } => {
            let (now, cents) = (context.clock.now(), amount(*budget_cents)?);
            context.open(OpenMode::Existing)?.write(|tx| tx.budget_set(name, *year, cents, by, now))?;
            list(context, Some(*year))
        }
        Source::List { year } => list(context, *year),
        Source::Paid { name, cents, on, reference, again, by } => note(
            context,
            &MoneyInOrder {
                payer: Payer::Source(name.clone()),
                cents: amount(*cents)?,
                day: *on,
                reference: reference.clone(),
                by: by.clone(),
                again: *again,
            },
        ),
        Source::Payments { year } => listed(context, false, *year),
        Source::TakeBack { number, reason, by } => take_back(context, *number, reason, by),
    }
}

fn list(context: &Context, year: Option<u16>) -> Result<(), Failure> {
    let year = match year {
        Some(year) => year,
        None => Period::of(today(context)).map_or(0, Period::year),
    };
    let sources = context.open(OpenMode::Existing)?.read(|tx| tx.sources(year))?;
    let lines: Vec<_> = sources.into_iter().map(|view| line(view, year)).collect();
    print(context.format, &lines, |lines| {
        if lines.is_empty() {
            "There is no source yet: cabas-hub source set --name … --year … --budget-cents … --by …\n".to_owned()
        } else {
            lines.iter().map(text).collect()
        }
    })
    .map_err(Failure::Print)
}

fn line(view: SourceView, year: u16) -> Line {
    Line {
        source: view.name,
        year,
        is_contributions: view.is_contributions,
        budget_cents: view.budget.map(cabas_protocol::Cents::get),
        agreed_over_cents: view.agreed_over.get(),
        credited_cents: view.credited.get(),
        left_cents: view.left.map(cabas_protocol::Cents::get),
        over_cents: view.over.get(),
        paid_in_cents: view.paid_in.get(),
    }
}

fn text(line: &Line) -> String {
    let or_dash = |cents: Option<u64>| cents.map_or_else(|| "-".to_owned(), euros);
    let mut text = format!(
        "{:<24} {}  budget {:>12}  credited {:>12}  left {:>12}  paid in {:>12}",
        plain(&line.source),
        line.year,
        or_dash(line.budget_cents),
        euros(line.credited_cents),
        or_dash(line.left_cents),
        euros(line.paid_in_cents)
    );
    if line.agreed_over_cents > 0 {
        text.push_str(&format!("  ({} € beyond the budget were agreed to)", euros(line.agreed_over_cents)));
    }
    if line.over_cents > 0 {
        text.push_str(&format!("  {} € MORE THAN IT HAS were credited", euros(line.over_cents)));
    }
    text + "\n"
}
