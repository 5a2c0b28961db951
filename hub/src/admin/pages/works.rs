//! Long work: what is under way, how far it is, what came of it.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::frame::{Frame, answer};
use super::super::visit::{Done, Visit, Wrong};
use crate::core::audit::Deed;
use crate::store::{WorkState, WorkView};
use crate::works::Job;

/// A piece of long work.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct Work {
    /// Its number.
    work: u32,
    /// What it does: `verify`, `credit` …
    kind: String,
    /// What it is about: a month, a file.
    subject: String,
    /// Who asked for it.
    who: String,
    /// When.
    asked_at: u64,
    /// `open`, `done` or `failed`.
    state: String,
    /// Steps done.
    done: u64,
    /// Of so many, where that is known.
    total: Option<u64>,
    /// When it ended.
    ended_at: Option<u64>,
    /// What came of it, once it has ended; `error` where it failed.
    result: Option<Value>,
}

/// The newest works.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Works {
    /// Newest first.
    works: Vec<Work>,
}

/// What was asked for.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct Asked {
    /// The number of the work: see `/api/works/{work}`.
    pub(super) work: u32,
}

impl Asked {
    /// The page that shows how far it is.
    pub(super) fn path(&self) -> String {
        format!("/works/{}", self.work)
    }
}

/// One thing that came of it.
enum Gave {
    Text(String),
    Cents(u64),
    List(Vec<String>),
    YesNo(bool),
}

#[derive(Template)]
#[template(path = "works.html")]
struct WorksPage {
    f: Frame,
    data: Works,
}

#[derive(Template)]
#[template(path = "work.html")]
struct WorkPage {
    f: Frame,
    work: Work,
}

impl Work {
    fn is_open(&self) -> bool {
        self.state == WorkState::Open.name()
    }

    /// The text of why it was refused, where people can do something about it.
    fn refusal(&self) -> Option<&str> {
        self.result.as_ref()?.get("text")?.as_str()
    }

    /// Why it failed, in the words of the program.
    fn error(&self) -> Option<&str> {
        self.result.as_ref()?.get("error")?.as_str()
    }

    /// Where one goes on from here, and the text that says so.
    fn leads(&self) -> Option<(String, &'static str)> {
        let settlement = || self.result.as_ref()?.get("settlement")?.as_u64();
        match (self.kind.as_str(), self.is_open()) {
            ("settlement-approve", false) if settlement().is_some() => {
                Some((format!("/settlements/{}", settlement()?), "work-to-settlement"))
            }
            ("settlement-prepare" | "settlement-approve", false) => {
                Some(("/settlements/next".to_owned(), "work-to-next-settlement"))
            }
            (_, _) => None,
        }
    }

    /// What came of it, in the order of [`Job::RESULTS`].
    fn gave(&self) -> Vec<(&'static str, Gave)> {
        let of = |name: &'static str| {
            let value = self.result.as_ref()?.get(name)?;
            let gave = match value {
                Value::Number(number) if name.ends_with("_cents") => Gave::Cents(number.as_u64()?),
                Value::Number(number) => Gave::Text(number.to_string()),
                Value::Bool(yes) => Gave::YesNo(*yes),
                Value::String(text) => Gave::Text(text.clone()),
                Value::Array(items) if items.is_empty() => return None,
                Value::Array(items) => {
                    Gave::List(items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect())
                }
                Value::Null | Value::Object(_) => return None,
            };
            Some((name, gave))
        };
        Job::RESULTS.iter().filter_map(|name| of(name)).collect()
    }
}

fn shown(view: WorkView) -> Work {
    let job = serde_json::from_str::<Job>(&view.job).ok();
    Work {
        work: view.number,
        kind: job.as_ref().map_or("verify", Job::name).to_owned(),
        subject: job.as_ref().map_or("", Job::subject).to_owned(),
        who: view.who,
        asked_at: view.asked_at.get(),
        state: view.state.name().to_owned(),
        done: view.done,
        total: view.total,
        ended_at: view.ended_at.map(cabas_protocol::Timestamp::get),
        result: view.result.and_then(|result| serde_json::from_str(&result).ok()),
    }
}

pub(super) async fn list(visit: Visit) -> Result<Response, Wrong> {
    let works = visit.store(|tx| tx.works()).await?;
    let data = Works { works: works.into_iter().map(shown).collect() };
    answer(&visit, "works-title", Vec::new(), data, |f, data| WorksPage { f, data })
}

pub(super) async fn one(visit: Visit, Path(number): Path<u32>) -> Result<Response, Wrong> {
    let work = visit.store(move |tx| tx.work(number)).await?.map(shown).ok_or(Wrong::NotFound)?;
    answer(&visit, "work-title", Vec::new(), work, |f, work| WorkPage { f, work })
}

pub(super) async fn verify(visit: Visit) -> Result<Response, Wrong> {
    let asked = ask(&visit, Deed::VerifyAsked, Job::Verify, None).await?;
    visit.done(&asked, &asked.path())
}

/// Asks for work.
pub(super) async fn ask(visit: &Visit, deed: Deed, job: Job, file: Option<Vec<u8>>) -> Result<Asked, Wrong> {
    let app = std::sync::Arc::clone(&visit.app);
    let asked = visit.deed(deed, move |tx, by| {
        let work = job.ask(&app, tx, file.as_deref(), by)?;
        Ok(Done { given: Asked { work }, subject: format!("work {work}"), detail: job.subject().to_owned() })
    });
    Ok(asked.await?)
}
