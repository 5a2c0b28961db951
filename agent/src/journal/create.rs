//! A new enrolment: its file is made whole beside the old one, which is kept.

use super::error::JournalError;
use super::keyfile::{self, KeyFileError, TerminalKeys};
use super::load;
use super::state::{HubView, Totals};
use super::{FILE, log, schema};
use crate::core::ages::{Anchor, Moment};
use crate::core::objects::HubLife;
use cabas_protocol::enrol::{EnrolAnswer, EnrolRequest};
use cabas_protocol::sync::Standing;
use cabas_protocol::{Seq, Signed, Version};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The keys' file in the data folder.
pub const KEY_FILE: &str = "terminal.key";
/// Where journals of earlier enrolments are kept: their rows are evidence.
const OLD_FOLDER: &str = "earlier-enrolments";

/// What an enrolment brought; the caller has checked that the hub proved the code and the root vouches for the hub.
#[derive(Debug)]
pub struct Enrolment {
    /// The request as it was sent.
    pub request: Signed<EnrolRequest>,
    /// The answer as it came.
    pub answer: Signed<EnrolAnswer>,
    /// The terminal's secrets.
    pub keys: TerminalKeys,
    /// Where the hub is.
    pub hub_url: String,
}

/// Why a new enrolment could not be written down.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// A file or folder.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Writes a new enrolment into `folder`. What was there goes aside first, whole. Cut off at any point it can be run again
/// with the same answer.
///
/// # Errors
/// [`CreateError`].
pub fn create(folder: &Path, enrolment: &Enrolment, now: Moment) -> Result<(), CreateError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| CreateError::Io { path, source }
    };
    let new = folder.join("journal.new.db");
    for leftover in [new.clone(), folder.join("journal.new.db-wal"), folder.join("journal.new.db-shm")] {
        if leftover.exists() {
            fs::remove_file(&leftover).map_err(io(&leftover))?;
        }
    }
    write_journal(&new, enrolment, now)?;
    set_aside(folder)?;
    enrolment.keys.write(&folder.join(KEY_FILE))?;
    let journal = folder.join(FILE);
    fs::rename(&new, &journal).and_then(|()| keyfile::sync_folder(&journal)).map_err(io(&journal))
}

fn write_journal(path: &Path, enrolment: &Enrolment, now: Moment) -> Result<(), CreateError> {
    let mut db = schema::open(path, true)?;
    let tx = db.transaction().map_err(JournalError::from)?;
    tx.execute(
        "INSERT INTO identity (one, enrol_request, enrol_answer, hub_url) VALUES (1, ?1, ?2, ?3)",
        rusqlite::params![enrolment.request.as_bytes(), enrolment.answer.as_bytes(), enrolment.hub_url],
    )
    .map_err(JournalError::from)?;
    let (id, _) = load::load_identity(&tx)?;
    let answer = enrolment.answer.peek().map_err(JournalError::from)?;
    let hub = HubView {
        life: HubLife { incarnation: answer.head.incarnation, time_epoch: answer.head.time_epoch },
        ratchet: answer.time,
        cursor: 0,
        acked: id.genesis(),
        acked_totals: Totals::default(),
        backed_up: Seq::NONE,
        standing: Standing::Live,
        hot_list: Version::new(0),
        checked_at: None,
        anchor: Anchor { at: now, time: answer.time, synced: true },
    };
    load::store_hub(&tx, &hub)?;
    tx.commit().map_err(JournalError::from)?;
    // The file is whole by itself and can be renamed. Closing carries the log over too, but says nothing where that fails.
    if !super::checkpoint(&db, "TRUNCATE")? {
        return Err(JournalError::Busy.into());
    }
    db.close().map_err(|(_, error)| JournalError::from(error))?;
    fs::File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|source| CreateError::Io { path: path.to_owned(), source })
}

/// Moves an earlier enrolment's files into a folder of their own.
fn set_aside(folder: &Path) -> Result<(), CreateError> {
    let journal = folder.join(FILE);
    if !journal.exists() {
        return Ok(());
    }
    // A damaged log is moved as it is: opening would write over it.
    let opened = log::check(&journal).and_then(|()| schema::open(&journal, false));
    let name = match opened.and_then(|db| Ok((load::load_identity(&db)?.0, db))) {
        Ok((id, db)) => {
            db.close().map_err(|(_, error)| JournalError::from(error))?;
            format!("terminal-{}-epoch-{}", id.terminal, id.epoch)
        }
        Err(_) => String::from("unreadable"),
    };
    let aside = free_folder(&folder.join(OLD_FOLDER), &name);
    let io = |source| CreateError::Io { path: aside.clone(), source };
    keyfile::make_folder(&aside).map_err(io)?;
    for file in [KEY_FILE, "journal.db-wal", "journal.db-shm", FILE] {
        let from = folder.join(file);
        if from.exists() {
            fs::rename(&from, aside.join(file)).map_err(io)?;
        }
    }
    keyfile::sync_folder(&aside.join(FILE)).and_then(|()| keyfile::sync_folder(&journal)).map_err(io)
}

fn free_folder(parent: &Path, name: &str) -> PathBuf {
    let first = parent.join(name);
    (2..u32::MAX)
        .map(|number| parent.join(format!("{name}-{number}")))
        .try_fold(first, |taken, next| if taken.exists() { Ok(next) } else { Err(taken) })
        .unwrap_or_else(|free| free)
}
