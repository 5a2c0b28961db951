//! Files of households, cards, shops and names: uploaded, looked at, then imported as they were looked at.

use std::sync::Arc;

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use cabas_protocol::{Cents, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::works;
use super::import_words::{conflict_told, lang_of, problem_told};
use crate::admin::document::RefusedField;
use crate::admin::frame::{Fault, Frame, answer, euros, page};
use crate::admin::html;
use crate::admin::refusals::refusal;
use crate::admin::sent::{Sent, Upload};
use crate::admin::visit::{Done, Visit, Wrong};
use crate::admin::words::Lang;
use crate::core::audit::Deed;
use crate::import::Problems;
use crate::import::uploaded::{self, Ready};
use crate::store::{
    ImportChange, ImportCount, ImportHousehold, ImportReport, ImportShop, RegisterRefusal, StoreError, UploadState,
    UploadView,
};
use crate::works::Job;

/// Uploaded files.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct List {
    /// Newest first.
    imports: Vec<Line>,
}

/// An uploaded file.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Line {
    /// Its number.
    import: u32,
    /// `households`, `cards`, `shops` or `members`.
    kind: String,
    /// Its rows.
    rows: u64,
    /// Who uploaded it.
    who: String,
    /// When.
    added_at: u64,
    /// `waits`, `imported` or `put-away`.
    state: &'static str,
    /// When it was imported or put away.
    ended_at: Option<u64>,
}

/// A file was uploaded or put away.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct Uploaded {
    /// The number of its page.
    import: u32,
}

/// What was looked at.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Confirm {
    /// From the preview: just that is imported.
    #[serde(default)]
    fingerprint: String,
}

/// What a file would do.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Preview {
    /// The file.
    #[serde(flatten)]
    file: Line,
    /// Rows that are new.
    added: u32,
    /// Rows that are there with other contents.
    changed: u32,
    /// Rows that are there already.
    same: u32,
    /// What is added and changed, the first 1000.
    changes: Vec<Change>,
    /// Lines that cannot be imported as the fund stands: with one of these nothing is.
    conflicts: Vec<Bad>,
    /// What is confirmed; empty where the file waits no more.
    fingerprint: String,
}

/// Something that is added or changed.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Change {
    /// The household, the card's number, or the shop.
    what: String,
    /// What was there; nothing for something new.
    before: Option<String>,
    /// What is there then; no name.
    after: String,
}

/// A line that is not good.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Bad {
    /// Its number in the file, from 1.
    line: u64,
    /// The column, where it is about one.
    column: Option<&'static str>,
    /// What is wrong.
    problem: String,
}

#[derive(Template)]
#[template(path = "imports.html")]
struct ListPage {
    f: Frame,
    data: List,
    /// What is wrong with the file that was just sent.
    bad: Vec<Bad>,
    /// Further lines that are wrong.
    further: usize,
}

#[derive(Template)]
#[template(path = "import.html")]
struct PreviewPage {
    f: Frame,
    data: Preview,
    /// Changes beyond those that are shown.
    further: usize,
}

fn line(view: UploadView) -> Line {
    Line {
        import: view.number,
        kind: view.kind,
        rows: view.rows,
        who: view.who,
        added_at: view.added_at.get(),
        state: view.state.name(),
        ended_at: view.ended_at.map(Timestamp::get),
    }
}

async fn lines(visit: &Visit) -> Result<List, Wrong> {
    let views = visit.store(|tx| tx.uploads()).await?;
    Ok(List { imports: views.into_iter().map(line).collect() })
}

pub(super) async fn list(visit: Visit) -> Result<Response, Wrong> {
    let data = lines(&visit).await?;
    answer(&visit, "imports-title", Vec::new(), data, |f, data| ListPage { f, data, bad: Vec::new(), further: 0 })
}

pub(super) async fn upload(visit: Visit, upload: Upload) -> Result<Response, Wrong> {
    let app = Arc::clone(&visit.app);
    let bytes = upload.bytes.clone();
    let read = move || Ok(Ready::read(&app.secrets, &bytes).map(|ready| (ready.file.kind, ready.file.rows)));
    let (kind, rows) = match visit.app.workers.run(read).await? {
        Ok(read) => read,
        Err(problems) => return refused(&visit, problems).await,
    };
    let sealed = uploaded::seal(&visit.app.secrets, &upload.bytes)?;
    let (kind, rows) = (kind.name(), u64::try_from(rows).unwrap_or(u64::MAX));
    let kept = visit.deed(Deed::ImportUploaded, move |tx, by| {
        let import = tx.upload_add((kind, rows), &sealed, &by.who, by.now)?;
        Ok(Done {
            given: Uploaded { import },
            subject: format!("import {import}"),
            detail: format!("{kind}, {rows} rows"),
        })
    });
    let kept = kept.await?;
    visit.done(&kept, &format!("/imports/{}", kept.import))
}

/// Every bad line with its number; nothing of the file is kept.
async fn refused(visit: &Visit, problems: Problems) -> Result<Response, Wrong> {
    let further = problems.count.saturating_sub(problems.shown.len());
    let told = problems.shown.iter().map(|problem| Bad {
        line: problem.line,
        column: problem.column,
        problem: problem_told(visit, &problem.wrong),
    });
    let bad: Vec<Bad> = told.collect();
    if visit.is_program() {
        let field = |bad: Bad| {
            let column = bad.column.map(|column| format!(", {column}")).unwrap_or_default();
            RefusedField { field: format!("line {}{column}", bad.line), reason: bad.problem }
        };
        let reason = visit.app.site.words.get(Lang::English, "imports-bad");
        return Ok(html::refused(StatusCode::UNPROCESSABLE_ENTITY, &reason, bad.into_iter().map(field).collect()));
    }
    let data = lines(visit).await?;
    let f = Frame::new(visit, "imports-title").with_faults(vec![Fault { field: "bad", text: "imports-bad" }]);
    page(StatusCode::UNPROCESSABLE_ENTITY, &ListPage { f, data, bad, further })
}

pub(super) async fn one(visit: Visit, Path(number): Path<u32>) -> Result<Response, Wrong> {
    show(&visit, number, Vec::new()).await
}

async fn show(visit: &Visit, number: u32, faults: Vec<Fault>) -> Result<Response, Wrong> {
    let found = visit.store(move |tx| tx.upload(number)).await?;
    let (view, sealed) = found.ok_or(Wrong::NotFound)?;
    let mut data = Preview {
        file: line(view),
        added: 0,
        changed: 0,
        same: 0,
        changes: Vec::new(),
        conflicts: Vec::new(),
        fingerprint: String::new(),
    };
    if let Some(sealed) = sealed {
        let ready = opened(visit, sealed).await?;
        let now = visit.now;
        let looked = visit.store(move |tx| Ok((ready.import(tx, true, now)?, ready)));
        let (report, ready) = looked.await?;
        fill(visit, &mut data, &ready, &report);
    }
    let all = usize::try_from(u64::from(data.added).saturating_add(u64::from(data.changed))).unwrap_or(usize::MAX);
    let further = all.saturating_sub(data.changes.len());
    answer(visit, "import-title", faults, data, |f, data| PreviewPage { f, data, further })
}

/// Opens a file that waits, beside the ledger's thread.
async fn opened(visit: &Visit, sealed: Vec<u8>) -> Result<Ready, Wrong> {
    let app = Arc::clone(&visit.app);
    Ok(visit.app.workers.run(move || Ok(Ready::open(&app.secrets, &sealed)?)).await?)
}

fn fill(visit: &Visit, data: &mut Preview, ready: &Ready, report: &ImportReport) {
    for ImportCount { added, changed, same } in [report.households, report.cards, report.shops, report.members] {
        data.added = data.added.saturating_add(added);
        data.changed = data.changed.saturating_add(changed);
        data.same = data.same.saturating_add(same);
    }
    data.changes = report.changes.iter().map(|change| told(visit, change)).collect();
    let lines = ready.conflict_lines(report).into_iter().zip(&report.conflicts);
    let bad = lines.map(|(line, conflict)| {
        let (column, problem) = conflict_told(visit, conflict);
        Bad { line, column, problem }
    });
    data.conflicts = bad.collect();
    data.fingerprint = uploaded::fingerprint(ready, report);
}

fn told(visit: &Visit, change: &ImportChange) -> Change {
    match change {
        ImportChange::Household { before, after } => Change {
            what: after.code.clone(),
            before: before.as_ref().map(|before| household_told(visit, before)),
            after: household_told(visit, after),
        },
        ImportChange::Card { number, household } => {
            Change { what: number.to_string(), before: None, after: household.clone() }
        }
        ImportChange::Shop { before, after } => {
            Change { what: after.code.clone(), before: before.as_ref().map(shop_told), after: shop_told(after) }
        }
        ImportChange::Member { household } => {
            let after = visit.app.site.words.get(lang_of(visit), "import-a-name");
            Change { what: household.clone(), before: None, after }
        }
    }
}

fn household_told(visit: &Visit, household: &ImportHousehold) -> String {
    let contribution = household.contribution.map_or(0, Cents::get);
    let contribution = euros(lang_of(visit), contribution);
    let (size, children) = (household.people.size().to_string(), household.people.children_under_14().to_string());
    let values = [("size", size.as_str()), ("children", &children), ("contribution", &contribution)];
    visit.app.site.words.with(lang_of(visit), "import-household-told", &values)
}

fn shop_told(shop: &ImportShop) -> String {
    format!("{}, {}, {} ‰", shop.name, shop.kind, shop.weight_permille)
}

pub(super) async fn confirm(
    visit: Visit,
    Path(number): Path<u32>,
    Sent(sent): Sent<Confirm>,
) -> Result<Response, Wrong> {
    let found = visit.store(move |tx| tx.upload(number)).await?;
    let (_, sealed) = found.ok_or(Wrong::NotFound)?;
    let sealed = sealed.ok_or(StoreError::Register(RegisterRefusal::UploadEnded))?;
    let ready = opened(&visit, sealed).await?;
    let app = Arc::clone(&visit.app);
    let asked = visit.deed(Deed::ImportConfirmed, move |tx, by| {
        let report = ready.import(tx, true, by.now)?;
        if uploaded::fingerprint(&ready, &report) != sent.fingerprint || !report.conflicts.is_empty() {
            return Err(RegisterRefusal::UploadChanged.into());
        }
        let job = Job::Import { upload: number, fingerprint: sent.fingerprint };
        let work = job.ask(&app, tx, None, by)?;
        Ok(Done { given: works::Asked { work }, subject: format!("import {number}"), detail: format!("work {work}") })
    });
    match asked.await {
        Ok(asked) => visit.done(&asked, &asked.path()),
        Err(error @ StoreError::Register(RegisterRefusal::UploadChanged)) => {
            let text = refusal(&error).unwrap_or("wrong-store");
            show(&visit, number, vec![Fault { field: "preview", text }]).await
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn put_away(visit: Visit, Path(number): Path<u32>) -> Result<Response, Wrong> {
    let put = visit.deed(Deed::ImportPutAway, move |tx, by| {
        tx.upload_end(number, UploadState::PutAway, by.now)?;
        Ok(Done { given: Uploaded { import: number }, subject: format!("import {number}"), detail: String::new() })
    });
    let put = put.await?;
    visit.done(&put, "/imports")
}
