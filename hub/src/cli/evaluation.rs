//! `export evaluation`: a table for who evaluates the fund, in which nobody's purchases can be found.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use super::payout::write_whole;
use crate::calendar::Calendar;
use crate::core::evaluation::{EVALUATION_MONTHS_MAX, Line};
use crate::core::period::Period;
use crate::core::suppression::HOUSEHOLDS_MIN;
use crate::out::print;
use crate::store::{OpenMode, StoreError};

/// What stands in place of all kinds or all sizes.
const ALL: &str = "(all)";

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
struct CsvLine<'l> {
    month: String,
    shop_kind: &'l str,
    household_size: &'l str,
    /// Nothing where it is hidden.
    households: Option<u64>,
    purchases: Option<u64>,
    cents: Option<u64>,
    hidden: &'static str,
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
    let months = months(asked.from, asked.to).ok_or(Failure::Months { from: asked.from, to: asked.to })?;
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

/// The months from one to another; nothing where there are none, or too many.
fn months(from: Period, to: Period) -> Option<Vec<Period>> {
    let mut months = vec![from];
    while let Some(next) = months.last()?.plus(1).filter(|next| *next <= to) {
        months.push(next);
        if months.len() > EVALUATION_MONTHS_MAX {
            return None;
        }
    }
    (from <= to).then_some(months)
}

fn write(lines: &[Line], out: impl Write) -> Result<(), StoreError> {
    let mut csv = csv::WriterBuilder::new().delimiter(b';').from_writer(out);
    for line in lines {
        let told = |of: fn(&crate::core::evaluation::Told) -> u64| line.told.as_ref().map(of);
        let line = CsvLine {
            month: line.period.to_string(),
            shop_kind: line.kind.as_deref().unwrap_or(ALL),
            household_size: line.class.map_or(ALL, crate::core::evaluation::SizeClass::name),
            households: told(|told| told.households),
            purchases: told(|told| told.purchases),
            cents: told(|told| told.cents.get()),
            hidden: if line.told.is_none() { "yes" } else { "no" },
        };
        csv.serialize(line).map_err(|error| StoreError::Io(error.into()))?;
    }
    csv.flush().map_err(StoreError::Io)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use crate::core::evaluation::{SizeClass, Told};

    #[test]
    fn months_go_from_one_to_another() {
        let month = |text: &str| text.parse::<Period>().unwrap();
        let texts =
            |from, to| months(month(from), month(to)).map(|found| found.iter().map(Period::to_string).collect());
        assert_eq!(texts("2026-11", "2027-01"), Some(vec!["2026-11".into(), "2026-12".into(), "2027-01".into()]));
        assert_eq!(texts("2026-11", "2026-11"), Some(vec!["2026-11".into()]));
        assert_eq!(texts("2026-11", "2026-10"), None::<Vec<String>>);
        assert_eq!(months(Period::FIRST, Period::LAST), None);
    }

    #[test]
    fn a_hidden_line_says_that_it_is_and_nothing_else() {
        let period = "2026-11".parse().unwrap();
        let told = Told { households: 5, purchases: 9, cents: cabas_protocol::Cents::new(1_250).unwrap() };
        let lines = [
            Line { period, kind: Some("market; \"old\"".to_owned()), class: Some(SizeClass::FiveOrMore), told: None },
            Line { period, kind: None, class: None, told: Some(told) },
        ];
        let mut out = Vec::new();
        write(&lines, &mut out).unwrap();
        let expected = "month;shop_kind;household_size;households;purchases;cents;hidden\n\
                        2026-11;\"market; \"\"old\"\"\";5+;;;;yes\n2026-11;(all);(all);5;9;1250;no\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
