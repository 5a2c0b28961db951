//! Figures by month and kind of shop, of months that are chosen: chart, tables, CSV.

use askama::Template;
use axum::extract::Query;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::figures::{MonthShown, MonthsShown, ShopsShown};
use super::super::frame::{Fault, Frame, answer};
use super::super::html;
use super::super::labels::month_typed;
use super::super::plot::{Plot, What};
use super::super::visit::{Visit, Wrong};
use crate::calendar::Calendar;
use crate::core::evaluation::EVALUATION_MONTHS_MAX;
use crate::core::period::Period;

/// Months that are shown where nobody chose: this one and those before it.
const MONTHS: i64 = 12;

/// Which months, and which figure is drawn.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(super) struct Asked {
    /// The first month, such as `2026-01`; without it the eleventh before the last.
    from: Option<String>,
    /// The last month; without it this one.
    to: Option<String>,
    /// The figure that the page draws: `paid-in`, `credited`, `spent`, `refunded`, `settled` or `owed`.
    what: Option<String>,
}

/// Figures of some months.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct Figures {
    /// The first month that was asked for.
    from: String,
    /// The last one.
    to: String,
    /// The months from the first transfer on.
    #[serde(flatten)]
    shown: MonthsShown,
}

/// Which months were chosen.
pub(super) struct Span {
    /// As they are shown again.
    pub(super) from: String,
    pub(super) to: String,
    /// None where the choice must be corrected.
    pub(super) months: Vec<Period>,
    pub(super) faults: Vec<Fault>,
}

#[derive(Template)]
#[template(path = "figures.html")]
struct FiguresPage {
    f: Frame,
    data: Figures,
    what: What,
    plot: Plot,
}

impl FiguresPage {
    /// The columns of the table of all months.
    const HEADS: [&str; 12] = [
        "figures-purchases",
        "plot-paid-in",
        "figures-paid-back",
        "plot-credited",
        "figures-taken-back",
        "figures-expired",
        "plot-spent",
        "figures-undone",
        "plot-refunded",
        "plot-settled",
        "figures-paid",
        "plot-owed",
    ];

    /// The amounts of a month, by [`Self::HEADS`] after the first.
    fn cells(month: &MonthShown) -> [u64; 11] {
        let MonthShown { given, shops, .. } = month;
        [
            given.paid_in_cents,
            given.paid_back_cents,
            given.credited_cents,
            given.taken_back_cents,
            month.expired_cents,
            shops.spent_cents,
            shops.undone_cents,
            shops.refunded_cents,
            shops.settled_cents,
            month.paid_cents,
            shops.owed_cents,
        ]
    }

    /// The tables' file for the same months.
    fn file(&self) -> String {
        format!("/figures/file?from={}&to={}", self.data.from, self.data.to)
    }
}

/// The months that were chosen; where none were, those from one to another.
pub(super) fn span(from: Option<&str>, to: Option<&str>, (first, last): (Option<Period>, Option<Period>)) -> Span {
    let shown = |typed: Option<&str>, period: Option<Period>| {
        period.map_or_else(|| typed.unwrap_or_default().to_owned(), |period| period.to_string())
    };
    let read = |typed: Option<&str>, period| if typed.is_some() { typed.and_then(month_typed) } else { period };
    let (first, last) = (read(from, first), read(to, last));
    let wrong =
        |field, period: Option<Period>| period.is_none().then_some(Fault { field, text: "figures-month-wrong" });
    let mut faults: Vec<_> = [wrong("from", first), wrong("to", last)].into_iter().flatten().collect();
    let months = first.zip(last).and_then(|(first, last)| first.months_to(last, EVALUATION_MONTHS_MAX));
    if faults.is_empty() && months.is_none() {
        faults.push(Fault { field: "to", text: "figures-span-wrong" });
    }
    Span { from: shown(from, first), to: shown(to, last), months: months.unwrap_or_default(), faults }
}

/// A table as a file to keep.
pub(super) fn csv_file(name: &str, bytes: Vec<u8>) -> Result<Response, Wrong> {
    let named = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    let named = named.map_err(|error| Wrong::Work(error.to_string()))?;
    let mut response = (StatusCode::OK, bytes).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    response.headers_mut().insert(header::CONTENT_DISPOSITION, named);
    Ok(html::secured(response))
}

/// The months that were chosen, until this one.
fn chosen(visit: &Visit, asked: &Asked) -> Span {
    let this = Calendar::system().month_of(visit.now);
    let last = asked.to.as_deref().map_or(Some(this), month_typed);
    let first = last.and_then(|last| last.plus(MONTHS.saturating_neg().saturating_add(1)));
    let mut span = span(asked.from.as_deref(), asked.to.as_deref(), (first.or(Some(Period::FIRST)), Some(this)));
    span.months.retain(|month| *month <= this);
    span
}

async fn read(visit: &Visit, span: &Span) -> Result<MonthsShown, Wrong> {
    Ok(visit.app.site.watch.board(&visit.app).await?.months.of_span(&span.months))
}

pub(super) async fn page(visit: Visit, Query(asked): Query<Asked>) -> Result<Response, Wrong> {
    let span = chosen(&visit, &asked);
    shown(&visit, &asked, span).await
}

async fn shown(visit: &Visit, asked: &Asked, span: Span) -> Result<Response, Wrong> {
    let what = asked.what.as_deref().and_then(What::of_name).unwrap_or(What::Spent);
    let shown = read(visit, &span).await?;
    let data = Figures { from: span.from, to: span.to, shown };
    answer(visit, "figures-title", span.faults, data, |f, data| FiguresPage {
        plot: Plot::of(&f, &data.shown, what),
        data,
        what,
        f,
    })
}

pub(super) async fn file(visit: Visit, Query(asked): Query<Asked>) -> Result<Response, Wrong> {
    let span = chosen(&visit, &asked);
    if !span.faults.is_empty() {
        return shown(&visit, &asked, span).await;
    }
    let bytes = csv(&read(&visit, &span).await?).map_err(|error| Wrong::Work(error.to_string()))?;
    csv_file(&format!("cabas-figures-{}-{}.csv", span.from, span.to), bytes)
}

/// What stands in place of one kind or one source.
const ALL: &str = "(all)";

/// A line of the file: a source, a kind of shop, or all of a month.
#[derive(Default, Serialize)]
struct CsvLine<'l> {
    month: &'l str,
    source: &'l str,
    shop_kind: &'l str,
    paid_in_cents: Option<u64>,
    paid_back_cents: Option<u64>,
    credited_cents: Option<u64>,
    taken_back_cents: Option<u64>,
    expired_cents: Option<u64>,
    paid_cents: Option<u64>,
    purchases: Option<u64>,
    spent_cents: Option<u64>,
    undone_cents: Option<u64>,
    refunded_cents: Option<u64>,
    settled_cents: Option<u64>,
    came_back_cents: Option<u64>,
    owed_cents: Option<u64>,
    overpaid_cents: Option<u64>,
}

impl CsvLine<'_> {
    fn shops(self, shops: &ShopsShown) -> Self {
        Self {
            purchases: Some(shops.purchases),
            spent_cents: Some(shops.spent_cents),
            undone_cents: Some(shops.undone_cents),
            refunded_cents: Some(shops.refunded_cents),
            settled_cents: Some(shops.settled_cents),
            came_back_cents: Some(shops.came_back_cents),
            owed_cents: Some(shops.owed_cents),
            overpaid_cents: Some(shops.overpaid_cents),
            ..self
        }
    }
}

/// Every month: one line a source, one a kind of shop, one for all.
fn csv(shown: &MonthsShown) -> Result<Vec<u8>, csv::Error> {
    let mut csv = csv::WriterBuilder::new().delimiter(b';').from_writer(Vec::new());
    for MonthShown { month, sources, given, expired_cents, paid_cents, kinds, shops } in &shown.months {
        for (source, given) in sources {
            csv.serialize(CsvLine {
                month,
                source,
                paid_in_cents: Some(given.paid_in_cents),
                paid_back_cents: Some(given.paid_back_cents),
                credited_cents: Some(given.credited_cents),
                taken_back_cents: Some(given.taken_back_cents),
                ..CsvLine::default()
            })?;
        }
        for (shop_kind, kind) in kinds {
            csv.serialize(CsvLine { month, shop_kind, ..CsvLine::default() }.shops(kind))?;
        }
        let all = CsvLine {
            month,
            source: ALL,
            shop_kind: ALL,
            paid_in_cents: Some(given.paid_in_cents),
            paid_back_cents: Some(given.paid_back_cents),
            credited_cents: Some(given.credited_cents),
            taken_back_cents: Some(given.taken_back_cents),
            expired_cents: Some(*expired_cents),
            paid_cents: Some(*paid_cents),
            ..CsvLine::default()
        };
        csv.serialize(all.shops(shops))?;
    }
    csv.into_inner().map_err(|error| error.into_error().into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use crate::admin::figures::GivenShown;

    #[test]
    fn the_file_has_a_line_for_each_source_each_kind_and_all() {
        let given = GivenShown { credited_cents: 900, taken_back_cents: 100, paid_in_cents: 50, paid_back_cents: 5 };
        let shops = ShopsShown {
            purchases: 2,
            spent_cents: 500,
            owed_cents: 400,
            refunded_cents: 100,
            ..ShopsShown::default()
        };
        let month = MonthShown {
            month: "2026-11".to_owned(),
            sources: [("Ville; \"8e\"".to_owned(), given)].into(),
            given,
            expired_cents: 7,
            paid_cents: 0,
            kinds: [("bakery".to_owned(), shops)].into(),
            shops,
        };
        let text = String::from_utf8(csv(&MonthsShown { months: vec![month], total: MonthShown::default() }).unwrap());
        let expected = "month;source;shop_kind;paid_in_cents;paid_back_cents;credited_cents;taken_back_cents;expired_cents;\
                        paid_cents;purchases;spent_cents;\
                        undone_cents;refunded_cents;settled_cents;came_back_cents;owed_cents;overpaid_cents\n\
                        2026-11;\"Ville; \"\"8e\"\"\";;50;5;900;100;;;;;;;;;;\n\
                        2026-11;;bakery;;;;;;;2;500;0;100;0;0;400;0\n\
                        2026-11;(all);(all);50;5;900;100;7;0;2;500;0;100;0;0;400;0\n";
        assert_eq!(text.unwrap(), expected);
    }

    #[test]
    fn months_that_are_no_span_are_told_at_their_field() {
        let (first, last) = ("2026-01".parse().ok(), "2026-12".parse().ok());
        let faults = |from, to| {
            let span = span(from, to, (first, last));
            span.faults.into_iter().map(|fault| (fault.field, fault.text)).collect::<Vec<_>>()
        };
        assert_eq!(faults(None, None), []);
        assert_eq!(faults(Some("02/2026"), None), []);
        assert_eq!(faults(Some("hier"), Some("")), [("from", "figures-month-wrong"), ("to", "figures-month-wrong")]);
        assert_eq!(faults(Some("2027-01"), None), [("to", "figures-span-wrong")]);
        assert_eq!(faults(Some("2026-01"), Some("2036-01")), [("to", "figures-span-wrong")]);
        assert_eq!(faults(Some("2026-01"), Some("2035-12")), []);
    }
}
