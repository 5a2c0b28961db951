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
use crate::store::{CreditPlan, OpenMode, RunOrder, StoreError};

#[derive(Debug, Subcommand)]
pub(super) enum Credit {
    /// Credit every household for a month: shown only, unless --book is given; booked once, however often it is run
    Run {
        /// The month, like 2026-11
        #[arg(long, value_name = "YYYY-MM")]
        period: Period,
        /// Who gives the money: a household is credited once for each month and source. Of several, in their order, the
        /// first that has enough pays a household whole: --source Contributions --source ville
        #[arg(long = "source", value_name = "NAME", required = true)]
        sources: Vec<String>,
        /// Agree that so much more is credited for this month, in all, than the sources have; it is taken from the last one
        #[arg(long, value_name = "CENTS", requires = "by")]
        over_budget_cents: Option<u64>,
        /// Who agrees
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// Credit households once more that other sources credited for this month
        #[arg(long)]
        extra: bool,
        /// Book it
        #[arg(long)]
        book: bool,
    },
}

#[derive(Serialize)]
struct Run {
    period: String,
    /// Who gives the money, by name.
    source: String,
    /// How much of what this run is about each of them gives.
    sources: Vec<Giver>,
    booked: bool,
    /// Households credited by this run; in a preview those that would be.
    households: u64,
    /// Cents credited by this run; in a preview those that would be.
    cents: u64,
    /// What had been booked for this month and source before this run.
    booked_before_cents: u64,
    /// What the sources have too little: then it is booked only where somebody agrees.
    missing_cents: u64,
    /// What must be agreed to for this month then: that, and what was taken beyond the budget before.
    over_cents: u64,
    /// What these households were credited for this month by sources that are not named.
    elsewhere_cents: u64,
    lines: Vec<Line>,
}

#[derive(Serialize)]
struct Giver {
    source: String,
    cents: u64,
}

#[derive(Serialize)]
struct Line {
    household: String,
    size: u32,
    children_under_14: u32,
    cents: u64,
    /// What had been booked before this run.
    booked_before_cents: Option<u64>,
    /// Who pays it.
    source: Option<String>,
}

pub(super) fn run(context: &Context, command: &Credit) -> Result<(), Failure> {
    let Credit::Run { period, sources, over_budget_cents, by, extra, book } = command;
    let sources: Vec<_> = sources.iter().map(String::as_str).collect();
    let agreed = over_budget_cents.map(Cents::new).transpose().map_err(StoreError::from)?;
    let order = RunOrder { period: *period, sources: &sources, over: agreed.zip(by.as_deref()), extra: *extra };
    let mut db = context.open(OpenMode::Existing)?;
    let plan = db.read(|tx| tx.credit_plan(*period, &sources))?;
    let mut run = preview(&plan);
    if *book {
        let (mut households, mut cents) = (0_u64, Cents::ZERO);
        let begun = db.write(|tx| tx.credit_begin(&order, context.clock.now()))?;
        while let Some(begun) = begun {
            let step = db.write(|tx| tx.credit_step(begun, context.clock.now()))?;
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
            source: line.source.clone(),
        })
        .collect();
    let to_book = lines.iter().filter(|line| line.booked_before_cents.is_none()).count();
    Run {
        period: plan.period.to_string(),
        source: plan.sources.iter().map(|(source, _)| source.as_str()).collect::<Vec<_>>().join(", "),
        sources: plan
            .sources
            .iter()
            .map(|(source, cents)| Giver { source: source.clone(), cents: cents.get() })
            .collect(),
        booked: false,
        households: u64::try_from(to_book).unwrap_or(u64::MAX),
        cents: plan.to_book.get(),
        booked_before_cents: plan.booked.get(),
        missing_cents: plan.missing.get(),
        over_cents: plan.over.get(),
        elsewhere_cents: plan.elsewhere.get(),
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
        if run.sources.len() > 1 {
            for giver in &run.sources {
                writeln!(text, "  {:>10} € from {}", euros(giver.cents), crate::out::plain(&giver.source))?;
            }
        }
        if run.elsewhere_cents > 0 {
            let elsewhere = euros(run.elsewhere_cents);
            writeln!(
                text,
                "CAREFUL: {elsewhere} € of this month were credited by other sources; this would be --extra."
            )?;
        }
        if run.missing_cents > 0 {
            let (missing, cents) = (euros(run.missing_cents), run.over_cents);
            writeln!(
                text,
                "The sources have {missing} € too little (cabas-hub source list). Nothing was booked. To book it all the \
                 same, add --book --over-budget-cents {cents} --by NAME."
            )?;
        } else {
            writeln!(text, "Nothing was booked. To book it, add --book.")?;
        }
    }
    Ok(text)
}
