//! `import`.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use cabas_protocol::PurseRef;
use clap::Args;
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use crate::import::{self, FILE_BYTES_MAX, FileRead, Input, Problem, Problems};
use crate::keys::{self, HubSecrets};
use crate::out::{Format, complain, plain, print};
use crate::store::{Db, ImportCount, ImportPlan, ImportReport, OpenMode, StoreError};

#[derive(Args, Debug)]
pub(super) struct Import {
    /// CSV files, or folders with CSV files in them
    #[arg(value_name = "DIR_OR_FILE", required = true)]
    paths: Vec<PathBuf>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Imported {
    /// True where it was done; false in a dry run and where anything is wrong.
    applied: bool,
    files: Vec<FileRead>,
    households: Count,
    cards: Count,
    shops: Count,
    members: Count,
    /// What is wrong with single lines.
    problems: Vec<Problem>,
    /// What cannot be, given what the fund has already.
    conflicts: Vec<String>,
}

#[derive(Default, Serialize)]
struct Count {
    added: u32,
    changed: u32,
    same: u32,
}

impl From<ImportCount> for Count {
    fn from(count: ImportCount) -> Self {
        Self { added: count.added, changed: count.changed, same: count.same }
    }
}

pub(super) fn import(context: &Context, arguments: &Import) -> Result<(), Failure> {
    let mut db = context.open(OpenMode::Existing)?;
    let card_key = keys::load_card_key(&context.config.keys_dir())?;
    let mut inputs = Vec::new();
    for path in files(&arguments.paths)? {
        inputs.push(Input { name: path.display().to_string(), bytes: read(&path)? });
    }
    // Names need one more key than cards do; a fund without names needs it not at all.
    let secrets = HubSecrets::load(&context.config.keys_dir()).ok();
    let seal = |code: &str, name: &str| secrets.as_ref()?.seal_name(code, name);
    let (plan, files) = match import::read_sealing(&inputs, &card_key, &seal) {
        Ok(read) => read,
        Err(problems) => return Err(refuse(context, problems)?),
    };
    let report = book(context, &mut db, &plan, arguments.dry_run)?;
    let conflicts: Vec<_> = report.conflicts.iter().map(|conflict| plain(&conflict.to_string())).collect();
    if context.format == Format::Text {
        conflicts.iter().for_each(|conflict| complain(conflict));
    }
    let imported = Imported {
        applied: report.applied,
        files,
        households: report.households.into(),
        cards: report.cards.into(),
        shops: report.shops.into(),
        members: report.members.into(),
        problems: Vec::new(),
        conflicts,
    };
    print(context.format, &imported, text).map_err(Failure::Print)?;
    if imported.conflicts.is_empty() { Ok(()) } else { Err(Failure::Import { count: imported.conflicts.len() }) }
}

/// The files that are named, and those in the folders that are named, in order.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        let failed = |source| Failure::File { what: "cannot read", file: path.clone(), source };
        if !std::fs::metadata(path).map_err(failed)?.is_dir() {
            files.push(path.clone());
            continue;
        }
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?.path();
            if entry.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
                inside.push(entry);
            }
        }
        if inside.is_empty() {
            return Err(Failure::NoCsv(path.clone()));
        }
        inside.sort();
        files.append(&mut inside);
    }
    Ok(files)
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |source| Failure::File { what: "cannot read", file: path.to_owned(), source };
    let limit = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(Failure::FileTooLarge { file: path.to_owned(), max: FILE_BYTES_MAX });
    }
    Ok(bytes)
}

/// Books the plan, and reserves money for terminals where it made that necessary.
fn book(context: &Context, db: &mut Db, plan: &ImportPlan, dry_run: bool) -> Result<ImportReport, Failure> {
    let now = context.clock.now();
    // Drawn before the transaction: randomness can fail, a purse cannot go without it.
    let mut purses = Vec::with_capacity(plan.households.len());
    for _ in &plan.households {
        purses.push(PurseRef::new(*keys::random()?));
    }
    let mut exhausted = false;
    let report = db.write(|tx| {
        let mut next = || {
            purses.pop().unwrap_or_else(|| {
                exhausted = true;
                PurseRef::new([0; PurseRef::LEN])
            })
        };
        let report = tx.import(plan, &mut next, dry_run, now)?;
        if exhausted { Err(StoreError::Exhausted("random purse reference")) } else { Ok(report) }
    })?;
    while report.applied && db.write(|tx| tx.allocate_pending(now))?.more {}
    Ok(report)
}

/// Tells every bad line.
fn refuse(context: &Context, problems: Problems) -> Result<Failure, Failure> {
    let count = problems.count;
    let hidden = count.saturating_sub(problems.shown.len());
    match context.format {
        Format::Text => {
            problems.shown.iter().for_each(|problem| complain(&problem.to_string()));
            if hidden > 0 {
                complain(&format!("… and {hidden} more"));
            }
        }
        Format::Json => {
            let imported = Imported {
                applied: false,
                files: Vec::new(),
                households: Count::default(),
                cards: Count::default(),
                shops: Count::default(),
                members: Count::default(),
                problems: problems.shown,
                conflicts: Vec::new(),
            };
            print(context.format, &imported, text).map_err(Failure::Print)?;
        }
    }
    Ok(Failure::Import { count })
}

fn text(imported: &Imported) -> String {
    if !imported.conflicts.is_empty() {
        return String::new();
    }
    let line = |name: &str, count: &Count| {
        format!("{name:<12} {:>6} new {:>6} changed {:>6} as before\n", count.added, count.changed, count.same)
    };
    let mut text = [
        line("households", &imported.households),
        line("cards", &imported.cards),
        line("shops", &imported.shops),
        line("members", &imported.members),
    ]
    .concat();
    text.push_str(if imported.applied { "Imported.\n" } else { "Nothing was imported (dry run).\n" });
    text
}
