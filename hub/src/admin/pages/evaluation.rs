//! The evaluation's table: months that are over, by kind of shop and size of household, nothing of few.

use std::sync::Arc;

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::evaluation::{ALL, LineShown, write};
use super::super::frame::{Fault, Frame, answer};
use super::super::visit::{Visit, Wrong};
use super::figures::{Span, csv_file, span};
use crate::calendar::Calendar;
use crate::core::evaluation::{Line, SizeClass};
use crate::core::suppression::HOUSEHOLDS_MIN;

/// Months of the preview: the newest of those that were chosen. The file has all of them.
const PREVIEW_MONTHS_MAX: usize = 12;

/// Which months.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(super) struct Asked {
    /// The first month, such as `2026-01`; without it the last one that is over.
    from: Option<String>,
    /// The last month, which must be over.
    to: Option<String>,
}

/// The evaluation of some months.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct Table {
    /// The first month.
    from: String,
    /// The last one.
    to: String,
    /// What fewer households did is hidden.
    households_min: u64,
    /// How many lines are hidden.
    hidden: u64,
    /// Every month, kind of shop and size of household, and the sums of each.
    lines: Vec<LineShown>,
}

/// A month of the preview.
struct MonthTable {
    month: String,
    /// The kinds, each with a cell a size; the sizes are those of [`SizeClass::ALL`], then all.
    rows: Vec<(String, Vec<LineShown>)>,
}

#[derive(Template)]
#[template(path = "evaluation.html")]
struct EvaluationPage {
    f: Frame,
    data: Table,
    months: Vec<MonthTable>,
    is_cut: bool,
}

impl EvaluationPage {
    /// The words of the columns.
    fn sizes(&self) -> [&'static str; 5] {
        SizeClass::ALL.map(size_words)
    }

    fn file(&self) -> String {
        format!("/figures/evaluation/file?from={}&to={}", self.data.from, self.data.to)
    }

    /// Households, purchases and cents of a cell; nothing where they are hidden.
    fn told(cell: &LineShown) -> Option<(u64, u64, u64)> {
        Some((cell.households?, cell.purchases?, cell.cents?))
    }

    /// A kind of shop, or all of them.
    fn kind(&self, kind: &str) -> String {
        if kind == ALL { self.f.t("evaluation-all-kinds") } else { self.f.kind_name(kind) }
    }
}

const fn size_words(size: SizeClass) -> &'static str {
    match size {
        SizeClass::One => "evaluation-size-1",
        SizeClass::Two => "evaluation-size-2",
        SizeClass::Three => "evaluation-size-3",
        SizeClass::Four => "evaluation-size-4",
        SizeClass::FiveOrMore => "evaluation-size-5-more",
    }
}

/// The months that were chosen: all must be over. One that is not changes from day to day, and two tables of it would tell
/// what one day brought.
fn chosen(visit: &Visit, asked: &Asked) -> Span {
    let this = Calendar::system().month_of(visit.now);
    let over = this.plus(-1);
    let mut span = span(asked.from.as_deref(), asked.to.as_deref(), (over, over));
    if span.months.last().is_some_and(|last| *last >= this) {
        span.faults.push(Fault { field: "to", text: "evaluation-not-over" });
    }
    span
}

async fn read(visit: &Visit, span: &Span) -> Result<Vec<Line>, Wrong> {
    if !span.faults.is_empty() {
        return Ok(Vec::new());
    }
    let (held, months) = (visit.app.site.watch.evaluated(&visit.app).await?, span.months.clone());
    let held = Arc::clone(&held);
    let lines = visit.app.workers.run(move || Ok(held.evaluation.lines(&months, &held.kinds))).await?;
    Ok(lines.map_err(crate::store::StoreError::from)?)
}

pub(super) async fn page(visit: Visit, Query(asked): Query<Asked>) -> Result<Response, Wrong> {
    let span = chosen(&visit, &asked);
    shown(&visit, span).await
}

async fn shown(visit: &Visit, span: Span) -> Result<Response, Wrong> {
    let lines: Vec<LineShown> = read(visit, &span).await?.iter().map(LineShown::from).collect();
    let hidden = lines.iter().filter(|line| line.households.is_none()).count();
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let (households_min, hidden) = (number(HOUSEHOLDS_MIN), number(hidden));
    let data = Table { from: span.from, to: span.to, households_min, hidden, lines };
    answer(visit, "evaluation-title", span.faults, data, |f, data| {
        let (months, is_cut) = preview(&data.lines);
        EvaluationPage { f, data, months, is_cut }
    })
}

pub(super) async fn file(visit: Visit, Query(asked): Query<Asked>) -> Result<Response, Wrong> {
    let span = chosen(&visit, &asked);
    if !span.faults.is_empty() {
        return shown(&visit, span).await;
    }
    let mut bytes = Vec::new();
    write(&read(&visit, &span).await?, &mut bytes)?;
    csv_file(&format!("cabas-evaluation-{}-{}.csv", span.from, span.to), bytes)
}

/// The newest months as tables, newest first; true where older ones are left out.
fn preview(lines: &[LineShown]) -> (Vec<MonthTable>, bool) {
    let mut months: Vec<MonthTable> = Vec::new();
    for line in lines {
        if months.last().is_none_or(|month| month.month != line.month) {
            months.push(MonthTable { month: line.month.clone(), rows: Vec::new() });
        }
        let Some(month) = months.last_mut() else { continue };
        if month.rows.last().is_none_or(|(kind, _)| *kind != line.shop_kind) {
            month.rows.push((line.shop_kind.clone(), Vec::new()));
        }
        if let Some((_, cells)) = month.rows.last_mut() {
            cells.push(line.clone());
        }
    }
    let is_cut = months.len() > PREVIEW_MONTHS_MAX;
    months.reverse();
    months.truncate(PREVIEW_MONTHS_MAX);
    (months, is_cut)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use crate::core::evaluation::Evaluation;
    use crate::core::period::Period;

    #[test]
    fn a_preview_is_of_the_newest_months_and_has_every_kind_and_size() {
        let first: Period = "2026-01".parse().unwrap();
        let months = first.months_to("2027-01".parse().unwrap(), 120).unwrap();
        let kinds = ["bakery", "market"].map(str::to_owned).into();
        let lines: Vec<_> = Evaluation::default().lines(&months, &kinds).unwrap().iter().map(LineShown::from).collect();
        let (tables, is_cut) = preview(&lines);
        assert_eq!((tables.len(), is_cut), (PREVIEW_MONTHS_MAX, true));
        let newest = tables.first().unwrap();
        assert_eq!(newest.month, "2027-01");
        let rows: Vec<_> = newest.rows.iter().map(|(kind, cells)| (kind.as_str(), cells.len())).collect();
        assert_eq!(rows, [("bakery", 6), ("market", 6), (ALL, 6)]);
    }
}
