//! `export evaluation`: a table for who evaluates the fund, in which nobody's purchases can be found.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use super::payout::write_whole;
use crate::admin::evaluation::write;
use crate::calendar::Calendar;
use crate::core::evaluation::EVALUATION_MONTHS_MAX;
use crate::core::period::Period;
use crate::core::suppression::HOUSEHOLDS_MIN;
use crate::out::print;
use crate::store::OpenMode;

/// Which months, and where to.
#[derive(Args, Debug)]
pub(super) struct Evaluation {
    /// The first month, such as 2026-01
    #[arg(long, value_name = "MONTH")]
    from: Period,
    /// The last month; it must be over
    #[arg(long, value_name = "MONTH")]
    to: Period,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Serialize)]
struct Exported {
    file: PathBuf,
    months: usize,
    lines: usize,
    hidden: usize,
}

pub(super) fn export(context: &Context, asked: &Evaluation) -> Result<(), Failure> {
    let calendar = Calendar::system();
    let months = asked.from.months_to(asked.to, EVALUATION_MONTHS_MAX);
    let months = months.ok_or(Failure::Months { from: asked.from, to: asked.to })?;
    // A month that is not over changes from day to day, and two exports of it would tell what one day brought.
    if asked.to >= calendar.month_of(context.clock.now()) {
        return Err(Failure::MonthNotOver(asked.to));
    }
    let lines = context.open(OpenMode::Existing)?.read(|tx| {
        let (evaluation, kinds) = tx.evaluation(&calendar)?;
        Ok(evaluation.lines(&months, &kinds)?)
    })?;
    write_whole(&asked.out, |out| write(&lines, out))?;
    let hidden = lines.iter().filter(|line| line.told.is_none()).count();
    let exported = Exported { file: asked.out.clone(), months: months.len(), lines: lines.len(), hidden };
    print(context.format, &exported, |done| {
        format!(
            "{}: {} months, {} lines; {} of them hidden, so that nobody learns what fewer than {HOUSEHOLDS_MIN} households did\n",
            done.file.display(),
            done.months,
            done.lines,
            done.hidden
        )
    })
    .map_err(Failure::Print)
}
