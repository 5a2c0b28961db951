//! `report months`, `report thresholds`, `report actions`, `report rows`: figures of the fund, and what there is to do.

use std::fmt::Write as _;

use clap::Subcommand;
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use super::forecast::{self, Forecast};
use super::fund::euros;
use crate::admin::actions::{self, Action, EVIDENCE_DAYS, Patience, WAITING_DAYS};
use crate::admin::figures::{GivenShown, MonthShown, MonthsShown, NearnessShown, ShopsShown, ThresholdsShown};
use crate::calendar::Calendar;
use crate::out::{plain, print};
use crate::store::{FlaggedRow, OpenMode};

/// Figures of the fund, legal thresholds, and what there is to do.
#[derive(Debug, Subcommand)]
pub(super) enum Report {
    /// How long the money lasts, month by month: contributions first, then the budget of the year
    Forecast(Forecast),
    /// Money in, credited, spent, refunded, settled and owed, by month and kind of shop
    Months,
    /// Payments of the last 12 months and outstanding credit against the legal thresholds, with alerts at 50, 80, 100 %
    Thresholds,
    /// What a person must see to: how many, since when, and by which command
    Actions {
        /// Days for which evidence that nobody can take back stays in the list
        #[arg(long, value_name = "DAYS", default_value_t = EVIDENCE_DAYS)]
        evidence_days: u32,
        /// Days for which something may wait for another person before it is in the list
        #[arg(long, value_name = "DAYS", default_value_t = WAITING_DAYS)]
        waiting_days: u32,
    },
    /// Rows that are not paid whole, or do not fit their journals, newest first
    Rows {
        /// How many of each, at the most
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
}

pub(super) fn run(context: &Context, report: &Report) -> Result<(), Failure> {
    let (calendar, now) = (Calendar::system(), context.clock.now());
    let mut db = context.open(OpenMode::Existing)?;
    match report {
        Report::Forecast(asked) => return forecast::run(context, asked),
        Report::Months => {
            let shown = db.read(|tx| MonthsShown::read(tx, &calendar))?;
            print(context.format, &shown, |shown| months_text(shown).unwrap_or_default())
        }
        Report::Thresholds => {
            let shown = db.read(|tx| ThresholdsShown::read(tx, &calendar, now))?;
            print(context.format, &shown, thresholds_text)
        }
        Report::Actions { evidence_days, waiting_days } => {
            let patience = Patience { evidence_days: *evidence_days, waiting_days: *waiting_days };
            let found = db.read(|tx| actions::read(tx, &calendar, patience, now))?;
            print(context.format, &found, |found| actions_text(found).unwrap_or_default())
        }
        Report::Rows { limit } => {
            let rows = db.read(|tx| tx.flagged_rows(*limit))?;
            let lines: Vec<_> = rows.into_iter().map(row_line).collect();
            print(context.format, &lines, |lines| rows_text(lines).unwrap_or_default())
        }
    }
    .map_err(Failure::Print)
}

fn months_text(shown: &MonthsShown) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    if shown.months.is_empty() {
        text.push_str("Nothing was credited yet.\n");
        return Ok(text);
    }
    for month in &shown.months {
        month_text(&mut text, &month.month, month)?;
    }
    month_text(&mut text, "All", &shown.total)?;
    Ok(text)
}

fn month_text(text: &mut String, name: &str, month: &MonthShown) -> std::fmt::Result {
    let given = |given: &GivenShown| {
        format!(
            "paid in {} €, taken back {} €; credited {} €, taken back {} €",
            euros(given.paid_in_cents),
            euros(given.paid_back_cents),
            euros(given.credited_cents),
            euros(given.taken_back_cents)
        )
    };
    writeln!(
        text,
        "{name}: {}, expired {} €, paid {} €",
        given(&month.given),
        euros(month.expired_cents),
        euros(month.paid_cents)
    )?;
    for (source, of_source) in &month.sources {
        writeln!(text, "  from {}: {}", plain(source), given(of_source))?;
    }
    let mut shops = |name: &str, kind: &ShopsShown| {
        write!(text, "  at {}: {} purchases, spent {} €", plain(name), kind.purchases, euros(kind.spent_cents))?;
        for (what, cents) in [
            ("undone", kind.undone_cents),
            ("refunded", kind.refunded_cents),
            ("settled", kind.settled_cents),
            ("came back", kind.came_back_cents),
            ("owed", kind.owed_cents),
            ("paid too much", kind.overpaid_cents),
        ] {
            if cents > 0 {
                write!(text, ", {what} {} €", euros(cents))?;
            }
        }
        writeln!(text)
    };
    for (kind, of_kind) in &month.kinds {
        shops(kind, of_kind)?;
    }
    shops("all shops", &month.shops)
}

fn thresholds_text(shown: &ThresholdsShown) -> String {
    let line = |name: &str, near: NearnessShown| {
        let alert = match near.alert_percent {
            0 => String::new(),
            percent => format!("  ALERT: {percent} % reached"),
        };
        let (whole, tenth) = (near.permille.checked_div(10).unwrap_or(0), near.permille.checked_rem(10).unwrap_or(0));
        format!(
            "{name:<28} {:>14} €  {whole:>3}.{tenth} % of {} €{alert}\n",
            euros(near.cents),
            euros(shown.limit_cents)
        )
    };
    line("paid in the last 12 months", shown.volume) + &line("outstanding credit", shown.outstanding)
}

fn actions_text(found: &[Action]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    if found.is_empty() {
        text.push_str("There is nothing to do.\n");
    }
    for action in found {
        let since =
            action.since.and_then(|at| i64::try_from(at).ok()).and_then(|at| jiff::Timestamp::from_second(at).ok());
        let since = since.map_or_else(String::new, |at| {
            format!(", since {}", at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d"))
        });
        let terminals: Vec<_> = action.terminals.iter().map(u32::to_string).collect();
        let terminals =
            if terminals.is_empty() { String::new() } else { format!(" (terminal {})", terminals.join(", ")) };
        writeln!(text, "{:>5} {}{since}{terminals}\n      {}", action.count, action.what, action.command)?;
    }
    Ok(text)
}

#[derive(Serialize)]
struct RowLine {
    terminal: u32,
    epoch: u32,
    seq: u32,
    claimed_cents: u64,
    /// What of it is paid.
    settled_cents: u64,
    why: String,
    received_at: u64,
}

fn row_line(row: FlaggedRow) -> RowLine {
    RowLine {
        terminal: row.terminal.get(),
        epoch: row.epoch.get(),
        seq: row.seq.get(),
        claimed_cents: row.claimed.get(),
        settled_cents: row.settled.get(),
        why: row.why.to_string(),
        received_at: row.received_at.get(),
    }
}

fn rows_text(lines: &[RowLine]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    if lines.is_empty() {
        text.push_str("Every row is paid whole.\n");
    }
    for RowLine { terminal, epoch, seq, claimed_cents, settled_cents, why, .. } in lines {
        let (claimed, settled) = (euros(*claimed_cents), euros(*settled_cents));
        writeln!(text, "terminal {terminal}, epoch {epoch}, row {seq}: {claimed} €, {settled} € of it paid: {why}")?;
    }
    Ok(text)
}
