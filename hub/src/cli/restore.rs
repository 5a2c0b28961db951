//! `restore`: a backup becomes the database, in a new life of the hub.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use crate::keys::{self, HubSecrets};
use crate::out::{plain, print};
use crate::store::{RestorePlan, restore as put_back};

/// Held by whoever may not share the database with a hub that starts or ends.
pub(crate) const LOCK: &str = "serve.lock";

#[derive(Args, Debug)]
pub(super) struct Restore {
    /// The backup
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Move the database that is there away, under a name that says when
    #[arg(long)]
    move_away: bool,
}

#[derive(Serialize)]
struct Restored {
    database: String,
    incarnation: u32,
    moved_to: Option<String>,
    waiting_for: Vec<Waiting>,
}

#[derive(Serialize)]
struct Waiting {
    terminal: u32,
    epoch: u32,
}

pub(super) fn restore(context: &Context, restore: &Restore) -> Result<(), Failure> {
    let (database, keys_dir) = (context.config.database(), context.config.keys_dir());
    // Whoever restores without the keys would only notice when terminals believe nothing any more.
    HubSecrets::load(&keys_dir)?;
    let _lock = lock(&context.config.data_dir)?;
    if database.exists() && !restore.move_away {
        return Err(Failure::LiveDatabase(database));
    }
    if !restore.file.is_file() {
        let source = std::io::ErrorKind::NotFound.into();
        return Err(Failure::File { what: "backup", file: restore.file.clone(), source });
    }
    let certs = keys::load_certs(&keys_dir)?;
    let newest_life = keys::load_life(&keys_dir)?;
    let plan = RestorePlan { backup: &restore.file, database: &database, newest_life, certs: &certs };
    let report =
        put_back(&plan, context.clock.now()).map_err(|source| Failure::Open { file: restore.file.clone(), source })?;
    keys::keep_life(&keys_dir, report.incarnation)?;
    let waiting_for =
        report.missing.iter().map(|(terminal, epoch)| Waiting { terminal: terminal.get(), epoch: epoch.get() });
    let done = Restored {
        database: database.display().to_string(),
        incarnation: report.incarnation.get(),
        moved_to: report.moved_to.map(|path| path.display().to_string()),
        waiting_for: waiting_for.collect(),
    };
    print(context.format, &done, text).map_err(Failure::Print)
}

fn text(done: &Restored) -> String {
    let moved = done.moved_to.as_ref().map_or(String::new(), |to| format!("What was there is now {}.\n", plain(to)));
    let waiting = done.waiting_for.len();
    format!(
        "{}: life {} of this hub.\n{moved}Next: cabas-hub serve. It signs no balance and settles nothing until {waiting} \
         enrolments have called and handed back what they hold, or were closed by two people, or, where the machine is gone, \
         terminal ingest --dead has said so; cabas-hub status says which. Cards that were blocked after the backup are blocked again as far as \
         terminals tell of them; status names those that do not.\n",
        plain(&done.database),
        done.incarnation
    )
}

/// Makes sure that this is the only hub on a data folder, until the file is dropped; a hub that was killed holds nothing.
pub(super) fn lock(data_dir: &Path) -> Result<File, Failure> {
    let path = data_dir.join(LOCK);
    let failed = |source| Failure::File { what: "cannot lock", file: path.clone(), source };
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Failure::HubRuns(data_dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}
