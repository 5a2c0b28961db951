//! A CSV file of contributions: shown first, with every bad line, then booked just as it was shown, or not at all. The file
//! is kept nowhere: the page that shows it carries it, with a proof of what it would do.

use askama::Template;
use axum::response::Response;
use cabas_protocol::sign::sha256;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::fields::day_text;
use super::super::frame::{Fault, Frame, answer};
use super::super::refusals;
use super::super::sent::Upload;
use super::super::visit::{Done, Visit, Wrong};
use crate::core::audit::Deed;
use crate::import::{self, Input, PaidLine, Problems, Wrong as Bad};
use crate::store::{MoneyInImport, MoneyInOrder, MoneyInRefusal, Payer, StoreError};

/// Lines of one file, at the most: they are booked in one step.
const LINES_MAX: usize = 5_000;
/// Lines that the page lists; a program gets all.
const LINES_SHOWN_MAX: usize = 500;
/// What the file is called where its bad lines are told: its own name may be a person's.
const NAME: &str = "file";

/// What a file would book.
#[derive(Debug, Default, JsonSchema, Serialize)]
pub(super) struct Preview {
    /// What `book` is to be sent with; empty where there are bad lines.
    proof: String,
    /// New contributions.
    added: u32,
    added_cents: u64,
    /// Booked before: they change nothing.
    before: u32,
    lines: Vec<Paid>,
    /// Bad lines, at most 100 of them.
    problems: Vec<Problem>,
    /// How many there are in all.
    problem_count: usize,
}

/// A line of the file.
#[derive(Debug, JsonSchema, Serialize)]
struct Paid {
    line: u64,
    household: String,
    /// YYYY-MM-DD.
    paid_on: String,
    cents: u64,
    reference: String,
    #[serde(skip)]
    day: u32,
}

/// A bad line.
#[derive(Debug, JsonSchema, Serialize)]
struct Problem {
    line: u64,
    /// What is wrong with it.
    problem: String,
    #[serde(skip)]
    text: &'static str,
}

/// What was booked.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct Booked {
    added: u32,
    added_cents: u64,
    before: u32,
}

#[derive(Template)]
#[template(path = "contributions_file.html")]
struct FormPage {
    f: Frame,
}

#[derive(Template)]
#[template(path = "contributions_preview.html")]
struct PreviewPage {
    f: Frame,
    data: Preview,
    /// The file, to be sent back.
    content: String,
}

impl PreviewPage {
    fn shown(&self) -> &[Paid] {
        self.data.lines.get(..LINES_SHOWN_MAX).unwrap_or(&self.data.lines)
    }

    fn more(&self) -> usize {
        self.data.lines.len().saturating_sub(LINES_SHOWN_MAX)
    }

    fn hidden_problems(&self) -> usize {
        self.data.problem_count.saturating_sub(self.data.problems.len())
    }
}

#[derive(Template)]
#[template(path = "contributions_booked.html")]
struct BookedPage {
    f: Frame,
    data: Booked,
}

pub(super) async fn form(visit: Visit) -> Result<Response, Wrong> {
    answer(&visit, "contributions-file-title", Vec::new(), (), |f, ()| FormPage { f })
}

pub(super) async fn preview(visit: Visit, upload: Upload) -> Result<Response, Wrong> {
    if upload.bytes.is_empty() {
        let fault = Fault { field: "file", text: "contributions-file-none" };
        return answer(&visit, "contributions-file-title", vec![fault], (), |f, ()| FormPage { f });
    }
    show(&visit, upload.bytes.to_vec(), Vec::new()).await
}

async fn show(visit: &Visit, bytes: Vec<u8>, faults: Vec<Fault>) -> Result<Response, Wrong> {
    let content = String::from_utf8_lossy(&bytes).into_owned();
    let (data, faults) = match read(bytes) {
        Err(problems) => (told(problems), faults),
        Ok((_, lines)) if lines.len() > LINES_MAX => {
            let fault = Fault { field: "file", text: "contributions-file-long" };
            return answer(visit, "contributions-file-title", vec![fault], (), |f, ()| FormPage { f });
        }
        Ok((input, lines)) => (look(visit, &input, lines).await?, faults),
    };
    answer(visit, "contributions-preview-title", faults, data, |f, data| PreviewPage { f, data, content })
}

fn read(bytes: Vec<u8>) -> Result<(Input, Vec<PaidLine>), Problems> {
    let input = Input { name: NAME.to_owned(), bytes };
    let lines = import::contributions(&input)?;
    Ok((input, lines))
}

/// What the ledger would do with lines that are good by themselves.
async fn look(visit: &Visit, input: &Input, lines: Vec<PaidLine>) -> Result<Preview, Wrong> {
    let (who, now) = (visit.who(), visit.now);
    let orders: Vec<_> = lines.iter().map(|line| line.order(&who)).collect();
    let (orders, report) = visit
        .store(move |tx| {
            let report = tx.money_in_import(&orders, true, now)?;
            Ok((orders, report))
        })
        .await?;
    if let Some(problems) = import::refused(input, &lines, &report.refused) {
        return Ok(told(problems));
    }
    let paid = lines.iter().zip(&orders).map(|(line, order)| Paid {
        line: line.line,
        household: household(order).to_owned(),
        paid_on: day_text(order.day),
        cents: order.cents.get(),
        reference: order.reference.clone().unwrap_or_default(),
        day: order.day,
    });
    Ok(Preview {
        proof: proof(&orders, &report),
        added: report.added,
        added_cents: report.added_cents.get(),
        before: report.before,
        lines: paid.collect(),
        ..Preview::default()
    })
}

fn household(order: &MoneyInOrder) -> &str {
    match &order.payer {
        Payer::Household(code) => code,
        Payer::Source(_) => "",
    }
}

/// Says what is booked, line by line, and how much of it is new.
fn proof(orders: &[MoneyInOrder], report: &MoneyInImport) -> String {
    let lines: Vec<_> = orders
        .iter()
        .map(|order| {
            let reference = order.reference.as_deref().unwrap_or_default();
            format!("{}\n{}\n{}\n{reference}\n", household(order), order.day, order.cents.get())
        })
        .collect();
    let end = format!("{} {} {}", report.added, report.added_cents.get(), report.before);
    sha256(&[b"cabas contributions 1", lines.concat().as_bytes(), end.as_bytes()]).to_string()
}

fn told(problems: Problems) -> Preview {
    let count = problems.count;
    let problems = problems.shown.into_iter().map(|problem| Problem {
        line: problem.line,
        text: text(&problem.wrong),
        problem: problem.problem,
    });
    Preview { problems: problems.collect(), problem_count: count, ..Preview::default() }
}

/// The words for a bad line.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest cannot be read, or is of other files")]
const fn text(wrong: &Bad) -> &'static str {
    match wrong {
        Bad::Refused(refusal) => refusals::money_in(refusal),
        Bad::NotContributions => "contributions-bad-header",
        Bad::NoRows => "contributions-bad-empty",
        Bad::Day(_) => "contributions-bad-day",
        Bad::Cents(_) => "contributions-bad-cents",
        Bad::Code(_) => "contributions-bad-code",
        Bad::Reference(_) => "contributions-bad-reference",
        Bad::ReferenceTwice(_) => "contributions-bad-twice",
        Bad::NotUtf8(_) => "contributions-bad-encoding",
        Bad::FileTooLarge | Bad::TooManyRows | Bad::TooManyContributions => "contributions-file-long",
        _ => "contributions-bad-line",
    }
}

pub(super) async fn book(visit: Visit, upload: Upload) -> Result<Response, Wrong> {
    let sent = if upload.bytes.is_empty() { upload.field("content").as_bytes() } else { &upload.bytes };
    let (bytes, shown) = (sent.to_vec(), upload.field("proof").to_owned());
    let Ok((_, lines)) = read(bytes.clone()) else { return show(&visit, bytes, vec![changed()]).await };
    if lines.len() > LINES_MAX {
        return show(&visit, bytes, Vec::new()).await;
    }
    let done = visit.deed(Deed::ContributionsImported, move |tx, by| {
        let orders: Vec<_> = lines.iter().map(|line| line.order(&by.who)).collect();
        let report = tx.money_in_import(&orders, false, by.now)?;
        if !report.refused.is_empty() || proof(&orders, &report) != shown {
            return Err(MoneyInRefusal::NotAsShown.into());
        }
        let given = Booked { added: report.added, added_cents: report.added_cents.get(), before: report.before };
        let detail = format!("{} new, cents {}; {} before", given.added, given.added_cents, given.before);
        Ok(Done { given, subject: format!("contributions {shown}"), detail })
    });
    match done.await {
        Ok(given) => answer(&visit, "contributions-booked-title", Vec::new(), given, |f, data| BookedPage { f, data }),
        Err(StoreError::MoneyIn(MoneyInRefusal::NotAsShown)) => show(&visit, bytes, vec![changed()]).await,
        Err(error) => Err(error.into()),
    }
}

const fn changed() -> Fault {
    Fault { field: "preview", text: "refusal-not-as-shown" }
}
