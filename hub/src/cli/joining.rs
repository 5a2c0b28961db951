//! `joining`: the steps by which a shop comes to the fund, stops and leaves.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use super::rule::Day;
use crate::core::joining::Step;
use crate::documents::{self, DOCUMENT_BYTES_MAX};
use crate::out::{plain, print};
use crate::store::{Joining as Proposed, JoiningDocument, JoiningStep, JoiningView, OpenMode};

#[derive(Debug, Subcommand)]
pub(super) enum Joining {
    /// A member proposes a shop
    Propose(Propose),
    /// Name the pair or trio that looks after it
    Pair {
        #[command(flatten)]
        told: Told,
        /// A member of the pair or trio; two or three of them
        #[arg(long = "member", value_name = "NAME", required = true)]
        members: Vec<String>,
    },
    /// It was visited; the filled-in questionnaire is its document, or its words
    Visit(Told),
    /// It was presented at a session
    Present(Told),
    /// The session decided by consent
    Decide {
        #[command(flatten)]
        told: Told,
        /// What the session decided; an objection gives its reason by --words, an amendment its text
        #[arg(long, value_name = "HOW")]
        how: How,
    },
    /// The agreement is signed; it is the step's document, or its words say where it lies
    Sign(Told),
    /// Open it, for the first time or again: it gets enrolment codes, and its terminals money
    Open(Told),
    /// Stop it for the time being: its terminals pause, what lies there is asked back, its rows are still taken
    Suspend(Told),
    /// It is over: its terminals are revoked, its rows are still taken; suspend it first, so that its money comes back
    Close(Told),
    /// Show a shop's steps and documents
    Show {
        /// The shop's code
        #[arg(value_name = "CODE")]
        shop: String,
    },
    /// List the shops and where each stands
    List,
}

#[derive(Args, Debug)]
pub(super) struct Propose {
    #[command(flatten)]
    told: Told,
    /// Its name, as on receipts
    #[arg(long, value_name = "NAME")]
    name: String,
    /// What kind of shop it is, such as bakery
    #[arg(long, value_name = "KIND")]
    kind: String,
    /// The questionnaire that fits it
    #[arg(long, value_name = "GRID")]
    grid: Questionnaire,
}

#[derive(Args, Debug)]
pub(super) struct Told {
    /// The shop's code
    #[arg(value_name = "CODE")]
    shop: String,
    /// Who says so
    #[arg(long, value_name = "NAME")]
    by: String,
    /// The day on which it happened [default: this day]
    #[arg(long, value_name = "YYYY-MM-DD")]
    on: Option<Day>,
    /// A reason, an amendment, what was found or agreed
    #[arg(long, value_name = "TEXT", default_value = "")]
    words: String,
    /// A document of this step (PDF, image, OpenDocument, Word, text), kept by its hash; may be given more than once
    #[arg(long = "document", value_name = "FILE")]
    documents: Vec<PathBuf>,
}

/// Which questionnaire fits.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Questionnaire {
    /// For shops
    Shop,
    /// For producers
    Producer,
}

/// What a session decides.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum How {
    /// Nobody objects
    Consent,
    /// Somebody objects, with a reason
    Objection,
    /// The proposal is amended, and decided on again
    Amendment,
}

#[derive(Serialize)]
struct Done {
    shop: String,
    stage: &'static str,
    recalled_slices: u32,
    revoked_enrolments: u32,
}

pub(super) fn run(context: &Context, command: &Joining) -> Result<(), Failure> {
    match command {
        Joining::Propose(propose) => {
            let joining = Proposed {
                code: propose.told.shop.clone(),
                name: propose.name.clone(),
                kind: propose.kind.clone(),
                is_producer: propose.grid == Questionnaire::Producer,
            };
            step(context, Step::Propose, &propose.told, Some(&joining))
        }
        Joining::Pair { told, members } => pair(context, told, members),
        Joining::Visit(told) => step(context, Step::Visit, told, None),
        Joining::Present(told) => step(context, Step::Present, told, None),
        Joining::Decide { told, how } => {
            let by = match how {
                How::Consent => Step::Consent,
                How::Objection => Step::Object,
                How::Amendment => Step::Amend,
            };
            step(context, by, told, None)
        }
        Joining::Sign(told) => step(context, Step::Sign, told, None),
        Joining::Open(told) => step(context, Step::Open, told, None),
        Joining::Suspend(told) => step(context, Step::Suspend, told, None),
        Joining::Close(told) => step(context, Step::Close, told, None),
        Joining::Show { shop } => show(context, shop),
        Joining::List => list(context),
    }
}

/// Two or three people, each once.
fn pair(context: &Context, told: &Told, members: &[String]) -> Result<(), Failure> {
    let mut names: Vec<String> = members.iter().map(|name| name.trim().to_lowercase()).collect();
    names.sort();
    names.dedup();
    if !(2..=3).contains(&names.len()) || names.len() != members.len() || names.iter().any(String::is_empty) {
        return Err(Failure::Pair);
    }
    let members = members.iter().map(|name| name.trim()).collect::<Vec<_>>().join(", ");
    let words = if told.words.is_empty() { members } else { format!("{members}: {}", told.words) };
    record(context, Step::Pair, told, &words, None)
}

fn step(context: &Context, by: Step, told: &Told, joining: Option<&Proposed>) -> Result<(), Failure> {
    record(context, by, told, &told.words, joining)
}

fn record(context: &Context, by: Step, told: &Told, words: &str, joining: Option<&Proposed>) -> Result<(), Failure> {
    let mut db = context.open(OpenMode::Existing)?;
    let now = context.clock.now();
    let documents = told.documents.iter().map(|file| keep(context, file)).collect::<Result<Vec<_>, _>>()?;
    let day = told.on.map_or_else(|| now.get().checked_div(86_400).unwrap_or(0), |day| u64::from(day.0));
    let told =
        JoiningStep { code: told.shop.clone(), step: by, day, by: told.by.clone(), words: words.to_owned(), documents };
    let done = db.write(|tx| match joining {
        Some(joining) => tx.joining_propose(joining, &told, now),
        None => tx.joining_step(&told, now),
    })?;
    while db.write(|tx| tx.allocate_pending(now))?.more {}
    let done = Done {
        shop: told.code,
        stage: done.stage.name(),
        recalled_slices: done.recalled,
        revoked_enrolments: done.revoked,
    };
    print(context.format, &done, |done| {
        let mut text = format!("{} is {}.\n", plain(&done.shop), done.stage);
        if done.recalled_slices > 0 {
            text.push_str("Its terminals pause once they hear of it, and hand back what lies there; their rows are still taken.\n");
        }
        if done.revoked_enrolments > 0 {
            text.push_str("Its terminals are revoked; what lies there goes back when two people close them: cabas-hub terminal close N\n");
        }
        text
    })
    .map_err(Failure::Print)
}

/// Looks at a document and keeps it; one that no step names in the end harms nobody.
fn keep(context: &Context, file: &Path) -> Result<JoiningDocument, Failure> {
    let failed = |what| move |source| Failure::File { what, file: file.to_owned(), source };
    let contents = documents::read(file).map_err(failed("cannot read"))?;
    let length = u64::try_from(contents.len()).unwrap_or(u64::MAX);
    if contents.is_empty() || length > DOCUMENT_BYTES_MAX {
        return Err(Failure::DocumentSize { file: file.to_owned(), max: DOCUMENT_BYTES_MAX });
    }
    let media_type = documents::media_type(&contents).ok_or_else(|| Failure::DocumentType(file.to_owned()))?;
    let name = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let document = JoiningDocument::of(name, media_type.to_owned(), &contents);
    documents::keep(&context.config.documents_dir(), &document.hash, &contents).map_err(failed("cannot keep"))?;
    Ok(document)
}

#[derive(Serialize)]
struct Line {
    shop: String,
    name: String,
    kind: String,
    grid: &'static str,
    stage: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<StepLine>,
}

#[derive(Serialize)]
struct StepLine {
    step: &'static str,
    /// Days since 1970-01-01.
    day: u64,
    by: String,
    words: String,
    recorded_at: u64,
    documents: Vec<DocumentLine>,
}

#[derive(Serialize)]
struct DocumentLine {
    name: String,
    media_type: String,
    bytes: u64,
    hash: String,
    /// False where the file is not in the data folder, or is damaged.
    is_kept: bool,
}

fn line(context: &Context, view: JoiningView) -> Line {
    let dir = context.config.documents_dir();
    let document = |document: JoiningDocument| DocumentLine {
        is_kept: documents::is_kept(&dir, &document.hash),
        hash: document.hash.to_string(),
        name: document.name,
        media_type: document.media_type,
        bytes: document.bytes,
    };
    let steps = view.steps.into_iter().map(|step| StepLine {
        step: step.told.step.done(),
        day: step.told.day,
        by: step.told.by,
        words: step.told.words,
        recorded_at: step.recorded_at.get(),
        documents: step.told.documents.into_iter().map(document).collect(),
    });
    Line {
        steps: steps.collect(),
        stage: view.stage.name(),
        grid: if view.joining.is_producer { "producer" } else { "shop" },
        shop: view.joining.code,
        name: view.joining.name,
        kind: view.joining.kind,
    }
}

fn show(context: &Context, shop: &str) -> Result<(), Failure> {
    let view = context.open(OpenMode::Existing)?.read(|tx| tx.joining(shop))?;
    print(context.format, &line(context, view), |line| text(line).unwrap_or_default()).map_err(Failure::Print)
}

fn list(context: &Context) -> Result<(), Failure> {
    let views = context.open(OpenMode::Existing)?.read(|tx| tx.joinings())?;
    let lines: Vec<_> = views.into_iter().map(|view| line(context, view)).collect();
    print(context.format, &lines, |lines| {
        let lines = lines.iter().map(|line| text(line).unwrap_or_default());
        let all: String = lines.collect();
        if all.is_empty() { "No shop. Propose one: cabas-hub joining propose CODE\n".to_owned() } else { all }
    })
    .map_err(Failure::Print)
}

fn text(line: &Line) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let (name, kind) = (plain(&line.name), plain(&line.kind));
    writeln!(text, "{:<20} {:<10} {name} ({kind}, {} grid)", plain(&line.shop), line.stage, line.grid)?;
    for step in &line.steps {
        let words = if step.words.is_empty() { String::new() } else { format!(": {}", plain(&step.words)) };
        writeln!(text, "  day {} {} by {}{words}", step.day, step.step, plain(&step.by))?;
        for document in &step.documents {
            let lost = if document.is_kept { "" } else { ", NOT in the data folder or damaged" };
            writeln!(text, "    {} ({}, {} bytes{lost})", plain(&document.name), document.media_type, document.bytes)?;
        }
    }
    Ok(text)
}
