//! `credit run`: a preview, or with `--book` the booking.

use std::fmt::Write as _;

use cabas_protocol::Cents;
use clap::Subcommand;
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use super::fund::euros;
use crate::core::period::Period;
use crate::out::print;
use crate::store::{CreditPlan, OpenMode, StoreError};

#[derive(Debug, Subcommand)]
pub(super) enum Credit {
    /// Credit every household for a month: shown only, unless --book is given; booked once, however often it is run
    Run {
        /// The month, like 2026-11
        #[arg(long, value_name = "YYYY-MM")]
        period: Period,
        /// Who gives the money: one household is credited once for each month and source
        #[arg(long, value_name = "NAME")]
        source: String,
        /// Book it
        #[arg(long)]
        book: bool,
    },
}

#[derive(Serialize)]
struct Run {
    period: String,
    source: String,
    booked: bool,
    /// Households credited by this run; in a preview those that would be.
    households: u64,
    /// Cents credited by this run; in a preview those that would be.
    cents: u64,
    /// What had been booked for this month and source before this run.
    booked_before_cents: u64,
    lines: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    household: String,
    size: u32,
    children_under_14: u32,
    cents: u64,
    /// What had been booked before this run.
    booked_before_cents: Option<u64>,
}

pub(super) fn run(context: &Context, command: &Credit) -> Result<(), Failure> {
    let Credit::Run { period, source, book } = command;
    let mut db = context.open(OpenMode::Existing)?;
    let plan = db.read(|tx| tx.credit_preview(*period, source))?;
    let mut run = preview(&plan);
    if *book {
        let (mut households, mut cents) = (0_u64, Cents::ZERO);
        loop {
            let now = context.clock.now();
            let step = db.write(|tx| tx.credit_book(*period, source, now))?;
            households = households.saturating_add(u64::from(step.households));
            cents = cents.plus(step.cents).map_err(StoreError::from)?;
            if !step.more {
                break;
            }
        }
        run = Run { booked: true, households, cents: cents.get(), ..run };
    }
    print(context.format, &run, |run| text(run).unwrap_or_default()).map_err(Failure::Print)
}

fn preview(plan: &CreditPlan) -> Run {
    let lines: Vec<_> = plan
        .lines
        .iter()
        .map(|line| Line {
            household: line.household.clone(),
            size: line.people.size(),
            children_under_14: line.people.children_under_14(),
            cents: line.cents.get(),
            booked_before_cents: line.booked.map(Cents::get),
        })
        .collect();
    let to_book = lines.iter().filter(|line| line.booked_before_cents.is_none()).count();
    Run {
        period: plan.period.to_string(),
        source: plan.source.clone(),
        booked: false,
        households: u64::try_from(to_book).unwrap_or(u64::MAX),
        cents: plan.to_book.get(),
        booked_before_cents: plan.booked.get(),
        lines,
    }
}

fn text(run: &Run) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    if !run.booked {
        for line in &run.lines {
            let (size, children) = (line.size, line.children_under_14);
            write!(text, "{:<12} {size} people, {children} under 14 {:>10} €", line.household, euros(line.cents))?;
            text.push_str(if line.booked_before_cents.is_some() { "  (booked before)\n" } else { "\n" });
        }
    }
    let (period, source) = (&run.period, crate::out::plain(&run.source));
    let (households, amount, before) = (run.households, euros(run.cents), euros(run.booked_before_cents));
    if run.booked {
        writeln!(
            text,
            "Booked for {period} from {source}: {amount} € to {households} households; {before} € had been."
        )?;
    } else {
        writeln!(text, "To book for {period} from {source}: {amount} € to {households} households; {before} € are.")?;
        writeln!(text, "Nothing was booked. To book it, add --book.")?;
    }
    Ok(text)
}
