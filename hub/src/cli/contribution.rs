//! `contribution add`, `import`, `take-back`, `list`, `report`, `plan`: what households pay into the fund.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use cabas_protocol::{Cents, Timestamp};
use clap::Subcommand;
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use super::fund::euros;
use super::import::read;
use crate::bank;
use crate::core::period::Period;
use crate::import::{self, Input, Problem, Problems};
use crate::out::{Format, complain, plain, print};
use crate::store::{ContributionReport, MoneyInOrder, MoneyInView, OpenMode, Payer, StoreError};

#[derive(Debug, Subcommand)]
pub(super) enum Contribution {
    /// Note what a household paid. Where the bank statement has it, use bank match ENTRY --contribution CODE instead
    Add {
        /// The household
        #[arg(long, value_name = "CODE")]
        household: String,
        /// How much
        #[arg(long, value_name = "CENTS")]
        cents: u64,
        /// The day of the payment
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
        on: u32,
        /// The payment's own name (no name of a person): by it it is booked once
        #[arg(long, value_name = "TEXT")]
        reference: Option<String>,
        /// It is another one, though one of the same household, day and amount is noted
        #[arg(long)]
        again: bool,
        /// Who says so
        #[arg(long, value_name = "NAME")]
        by: String,
    },
    /// Import what households paid from a CSV file (household,paid_on,cents,reference); all of it is booked, or nothing
    Import {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Who imports it
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Take a contribution back by a counter-entry; it is never changed
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
    /// List contributions, newest first
    List {
        /// Only the contributions of a year
        #[arg(long, value_name = "YYYY")]
        year: Option<u16>,
    },
    /// What was agreed and what came, by month, and the share of the budgets
    Report {
        /// The year [default: this one]
        #[arg(long, value_name = "YYYY")]
        year: Option<u16>,
    },
    /// Set the share of the budgets that contributions are to reach
    Plan {
        /// The share
        #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(0..=100))]
        percent: u32,
        /// Who says so
        #[arg(long, value_name = "NAME")]
        by: String,
    },
}

#[derive(Serialize)]
struct Noted {
    number: u64,
    /// True where it was noted before, and nothing was done.
    before: bool,
}

#[derive(Serialize)]
struct TakenBack {
    /// The counter-entry.
    number: u64,
    takes_back: u64,
}

#[derive(Default, Serialize)]
struct Imported {
    applied: bool,
    added: u32,
    added_cents: u64,
    before: u32,
    problems: Vec<Problem>,
}

#[derive(Serialize)]
struct Line {
    number: u64,
    household: Option<String>,
    source: String,
    cents: u64,
    paid_on: String,
    reference: Option<String>,
    takes_back: Option<u64>,
    reason: Option<String>,
    taken_back_by: Option<u64>,
    bank_entry: Option<u64>,
    by: String,
    at: u64,
}

#[derive(Serialize)]
struct Report {
    year: u16,
    months: Vec<Month>,
    expected_cents: u64,
    received_cents: u64,
    budgets_cents: u64,
    /// In thousandths of the budgets; none without a budget.
    received_permille: Option<u64>,
    planned_percent: u32,
}

#[derive(Serialize)]
struct Month {
    month: String,
    expected_cents: u64,
    received_cents: u64,
    payers: u32,
}

pub(super) fn run(context: &Context, command: &Contribution) -> Result<(), Failure> {
    match command {
        Contribution::Add { household, cents, on, reference, again, by } => note(
            context,
            &MoneyInOrder {
                payer: Payer::Household(household.clone()),
                cents: amount(*cents)?,
                day: *on,
                reference: reference.clone(),
                by: by.clone(),
                again: *again,
            },
        ),
        Contribution::Import { file, by, dry_run } => import(context, file, by, *dry_run),
        Contribution::TakeBack { number, reason, by } => take_back(context, *number, reason, by),
        Contribution::List { year } => listed(context, true, *year),
        Contribution::Report { year } => report(context, *year),
        Contribution::Plan { percent, by } => {
            let now = context.clock.now();
            context.open(OpenMode::Existing)?.write(|tx| tx.share_plan_set(*percent, by, now))?;
            report(context, None)
        }
    }
}

/// A day as it is typed.
pub(super) fn day(text: &str) -> Result<u32, &'static str> {
    bank::day_of(text).ok_or("not a day: write it like 2026-11-03")
}

pub(super) fn amount(cents: u64) -> Result<Cents, Failure> {
    Cents::new(cents).map_err(|error| StoreError::from(error).into())
}

pub(super) fn today(context: &Context) -> Timestamp {
    context.clock.now()
}

/// Notes money in, of a household or a funder.
pub(super) fn note(context: &Context, order: &MoneyInOrder) -> Result<(), Failure> {
    let now = context.clock.now();
    let done = context.open(OpenMode::Existing)?.write(|tx| tx.money_in_add(order, now))?;
    print(context.format, &Noted { number: done.id, before: done.before }, |noted| {
        let before = if noted.before { " before; nothing was done" } else { "" };
        format!("Noted as number {}{before}.\n", noted.number)
    })
    .map_err(Failure::Print)
}

pub(super) fn take_back(context: &Context, number: u64, reason: &str, by: &str) -> Result<(), Failure> {
    let now = context.clock.now();
    let counter = context.open(OpenMode::Existing)?.write(|tx| tx.money_in_take_back(number, reason, by, now))?;
    print(context.format, &TakenBack { number: counter, takes_back: number }, |done| {
        format!("Number {} was taken back, by counter-entry {}.\n", done.takes_back, done.number)
    })
    .map_err(Failure::Print)
}

fn import(context: &Context, file: &Path, by: &str, dry_run: bool) -> Result<(), Failure> {
    let now = context.clock.now();
    let mut db = context.open(OpenMode::Existing)?;
    let input = Input { name: file.display().to_string(), bytes: read(file)? };
    let lines = match import::contributions(&input) {
        Ok(lines) => lines,
        Err(problems) => return Err(refuse(context, problems)?),
    };
    let orders: Vec<_> = lines.iter().map(|line| line.order(by)).collect();
    let report = db.write(|tx| tx.money_in_import(&orders, dry_run, now))?;
    if let Some(problems) = import::refused(&input, &lines, &report.refused) {
        return Err(refuse(context, problems)?);
    }
    let imported = Imported {
        applied: !dry_run,
        added: report.added,
        added_cents: report.added_cents.get(),
        before: report.before,
        problems: Vec::new(),
    };
    print(context.format, &imported, |imported| {
        let (added, sum, before) = (imported.added, euros(imported.added_cents), imported.before);
        let end = if imported.applied { "Booked." } else { "Nothing was booked (dry run)." };
        format!("{added} contributions are new ({sum} €), {before} were booked before. {end}\n")
    })
    .map_err(Failure::Print)
}

/// Tells every bad line.
fn refuse(context: &Context, problems: Problems) -> Result<Failure, Failure> {
    let count = problems.count;
    let hidden = count.saturating_sub(problems.shown.len());
    match context.format {
        Format::Text => {
            problems.shown.iter().for_each(|problem| complain(&problem.to_string()));
            if hidden > 0 {
                complain(&format!("… and {hidden} more"));
            }
        }
        Format::Json => {
            let imported = Imported { problems: problems.shown, ..Imported::default() };
            print(context.format, &imported, |_| String::new()).map_err(Failure::Print)?;
        }
    }
    Ok(Failure::Import { count })
}

/// Money in of households, or of funders.
pub(super) fn listed(context: &Context, of_households: bool, year: Option<u16>) -> Result<(), Failure> {
    let views = context.open(OpenMode::Existing)?.read(|tx| tx.money_in_list(of_households, year))?;
    let lines: Vec<_> = views.into_iter().map(line).collect();
    print(context.format, &lines, |lines| {
        if lines.is_empty() { "Nothing is listed.\n".to_owned() } else { lines.iter().map(line_text).collect() }
    })
    .map_err(Failure::Print)
}

fn line(view: MoneyInView) -> Line {
    Line {
        number: view.id,
        household: view.household,
        source: view.source,
        cents: view.cents.get(),
        paid_on: bank::day(view.day),
        reference: view.reference,
        takes_back: view.takes_back,
        reason: view.reason,
        taken_back_by: view.taken_back_by,
        bank_entry: view.entry,
        by: view.said_by,
        at: view.said_at.get(),
    }
}

fn line_text(line: &Line) -> String {
    let who = plain(line.household.as_ref().unwrap_or(&line.source));
    let mut text = format!("{:>6} {} {who:<16} {:>12} €", line.number, line.paid_on, euros(line.cents));
    if let Some(reference) = &line.reference {
        text.push_str(&format!("  {}", plain(reference)));
    }
    match (line.takes_back, line.taken_back_by) {
        (Some(number), _) => {
            let reason = plain(line.reason.as_deref().unwrap_or_default());
            text.push_str(&format!("  takes back {number}: {reason}"));
        }
        (None, Some(number)) => text.push_str(&format!("  taken back by {number}")),
        (None, None) => {}
    }
    if let Some(entry) = line.bank_entry {
        text.push_str(&format!("  bank entry {entry}"));
    }
    text + "\n"
}

fn report(context: &Context, year: Option<u16>) -> Result<(), Failure> {
    let year = match year {
        Some(year) => year,
        None => Period::of(today(context)).map_or(0, Period::year),
    };
    let found = context.open(OpenMode::Existing)?.read(|tx| tx.contribution_report(year))?;
    print(context.format, &shown(&found), |report| text(report).unwrap_or_default()).map_err(Failure::Print)
}

fn shown(found: &ContributionReport) -> Report {
    let months = found.months.iter().map(|month| Month {
        month: month.period.to_string(),
        expected_cents: month.expected.get(),
        received_cents: month.received.get(),
        payers: month.payers,
    });
    Report {
        year: found.year,
        months: months.collect(),
        expected_cents: found.expected.get(),
        received_cents: found.received.get(),
        budgets_cents: found.budgets.get(),
        received_permille: found.received_permille,
        planned_percent: found.planned_percent,
    }
}

fn text(report: &Report) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for month in &report.months {
        let (expected, received) = (euros(month.expected_cents), euros(month.received_cents));
        writeln!(text, "{} agreed {expected:>12} €  received {received:>12} €  {:>4} paid", month.month, month.payers)?;
    }
    let (expected, received) = (euros(report.expected_cents), euros(report.received_cents));
    writeln!(text, "{}    agreed {expected:>12} €  received {received:>12} €", report.year)?;
    match report.received_permille {
        Some(permille) => {
            let (whole, tenth) = (permille.checked_div(10).unwrap_or(0), permille.checked_rem(10).unwrap_or(0));
            let (budgets, planned) = (euros(report.budgets_cents), report.planned_percent);
            writeln!(text, "That is {whole}.{tenth} % of the year's budgets ({budgets} €); {planned} % are planned.")?;
        }
        None => writeln!(text, "No budget is set for {0}: cabas-hub source set --year {0}", report.year)?,
    }
    Ok(text)
}
