//! The journal: every row that this terminal ever wrote in its enrolment, and what follows from them.
//!
//! One file per enrolment. Rows are signed, chained and never changed. What is derived (counters, totals) and what the
//! hub sent is written in the transaction of the row or answer that brings it. [`Journal`] is plain and synchronous; in
//! the product one thread owns it ([`handle`]).

mod append;
mod cashier;
mod close;
mod copy;
mod counters;
mod couriers;
mod create;
mod day;
mod doubts;
mod e_receipts;
mod error;
pub mod export;
mod export_body;
pub mod handle;
mod history;
mod hub;
mod identity;
pub mod keyfile;
mod load;
mod locks;
mod log;
mod objects;
mod parts;
mod purse;
mod recalls;
mod sales;
mod schema;
pub mod seal;
pub mod second;
mod secrets;
mod state;
mod sums;
mod till;
mod undo;
pub mod verify;
mod verify_cards;
mod verify_money;
pub mod verify_statement;

pub use append::MAX_ALARMS;
pub use close::{CLOSINGS_MAX, Closed, Closing, Period, Periods, period_name};
pub use copy::{CopyTried, can_open, copy_to, may_open, try_copy};
pub use couriers::COURIERED_MAX;
pub use create::{CreateError, Enrolment, KEY_FILE, create};
pub use day::{DAY_ENTRIES_MAX, Entry};
pub use doubts::{CardSays, DOUBTS_MAX, Doubt, Settled};
pub use error::{JournalError, Trouble};
pub use handle::JournalHandle;
pub use history::{HISTORY_ENTRIES_MAX, History};
pub use hub::{Applied, HeldKey, HeldPage, Inbound, Unsent};
pub use identity::IdentityStart;
pub use objects::HubObject;
pub use purse::{HeldBalance, Intended, Intent, PurseRead, PurseStart};
pub use sales::{CardView, Declined, PresentedBy, SaleAsk, SaleRecord, Sold};
pub use schema::FORM;
pub use secrets::SlotSecret;
pub use state::{AlarmNote, HubView, Identity, Newest, Reserved, State, Totals};
pub use sums::{CashierSum, CategorySum, Sums};
pub use till::{SAME_AGAIN_S, TillAction, TillAsk, TillDone, TillKeyed, UNCONFIRMED_MAX};
pub use undo::{RefundAsk, RefundProgress, RefundRecord, ReversalRecord, SaleRef, Undone};

use crate::clock::Stopwatch;
use crate::core::ages::Moment;
use append::Writer;
use cabas_protocol::Signer;
use cabas_protocol::row::{RowBody, Start};
use rusqlite::{Connection, TransactionBehavior};
use seal::SealCredential;
use secrets::CardSecrets;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The journal's file in the data folder.
pub const FILE: &str = "journal.db";
/// Commits after which the write-ahead log is carried over when nobody waits.
const CHECKPOINT_COMMITS: u32 = 256;

/// What stands in a journal, read beside whoever writes it; nothing is changed.
///
/// # Errors
/// [`JournalError`] says why it cannot be read.
pub fn peek(path: &Path) -> Result<State, JournalError> {
    log::check_in_use(path)?;
    State::load(&*schema::open_read_only(path)?.unchecked_transaction()?)
}

/// The journal of one enrolment.
#[derive(Debug)]
pub struct Journal {
    db: Connection,
    path: PathBuf,
    signer: Signer,
    secrets: Option<Arc<CardSecrets>>,
    state: Arc<State>,
    trouble: Option<Trouble>,
    /// Something failed since the file was last read: what is kept at hand may not be what is in it.
    stale: bool,
    /// A commit failed, and nothing was written over it yet.
    unsure: bool,
    last_commit: Duration,
    commits: u32,
    /// The sums of the open day, as far as they were read: whoever asks again reads only what is new.
    day_sums: Option<Sums>,
    #[cfg(test)]
    rows_summed: usize,
    #[cfg(test)]
    pages_max: Option<u32>,
}

impl Journal {
    /// Opens the journal of this terminal, checks that its end and its key fit, and writes that the program started.
    /// The work is bounded, however long the journal is.
    ///
    /// # Errors
    /// [`JournalError`] says why it cannot be used.
    pub fn open(path: &Path, signer: Signer, now: Moment, program: &str) -> Result<Self, JournalError> {
        Self::open_if(path, signer, now, program, |_| Ok(()))
    }

    /// The same with the terminal's secrets, and the credential that systemd gives: what was sealed otherwise is sealed by
    /// both from here on.
    ///
    /// # Errors
    /// [`JournalError`]; [`JournalError::NoCredential`] where keys cannot be opened without one, and nothing is written.
    pub fn open_with(
        path: &Path,
        (signer, keys, credential): (Signer, &keyfile::TerminalKeys, Option<&SealCredential>),
        now: Moment,
        program: &str,
    ) -> Result<Self, JournalError> {
        let journal = Self::open_if(path, signer, now, program, |db| seal::check(db, credential))?;
        journal.unsealed(now, CardSecrets::new(keys, credential))
    }

    fn open_if(
        path: &Path,
        signer: Signer,
        now: Moment,
        program: &str,
        check: impl FnOnce(&Connection) -> Result<(), JournalError>,
    ) -> Result<Self, JournalError> {
        log::check(path)?;
        let db = schema::open(path, false)?;
        check(&db)?;
        let state = State::load(&db)?;
        if state.id.key != *signer.public() {
            return Err(JournalError::Inconsistent("the terminal's key is not the one that was enrolled"));
        }
        counters::check_counters(&db, &state)?;
        let mut journal = Self::of(db, path, signer, state);
        let start = RowBody::Start(Start { program: program.to_owned() });
        journal.write(now, |writer| {
            writer.carry_time()?;
            writer.append(start, None)?;
            writer.doubt_what_was_cut_off()
        })?;
        Ok(journal)
    }

    fn of(db: Connection, path: &Path, signer: Signer, state: State) -> Self {
        Self {
            db,
            path: path.to_owned(),
            signer,
            secrets: None,
            state: Arc::new(state),
            trouble: None,
            stale: false,
            unsure: false,
            last_commit: Duration::ZERO,
            commits: 0,
            day_sums: None,
            #[cfg(test)]
            rows_summed: 0,
            #[cfg(test)]
            pages_max: None,
        }
    }

    /// Takes the terminal's secrets: without them it holds no keys of cards and makes no records for them.
    #[cfg(test)]
    pub(crate) fn with_secrets(mut self, keys: &keyfile::TerminalKeys) -> Self {
        self.secrets = Some(Arc::new(CardSecrets::new(keys, None)));
        self
    }

    /// What is kept at hand.
    #[must_use]
    pub fn state(&self) -> Arc<State> {
        Arc::clone(&self.state)
    }

    /// What keeps it from writing.
    #[must_use]
    pub const fn trouble(&self) -> Option<Trouble> {
        self.trouble
    }

    /// How long the last commit took.
    #[must_use]
    pub const fn last_commit(&self) -> Duration {
        self.last_commit
    }

    /// Does `work` in one transaction and commits it. Only then is what was kept at hand replaced.
    fn write<T>(
        &mut self,
        now: Moment,
        work: impl FnOnce(&mut Writer<'_>) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let done = self.try_write(now, work);
        if done.is_ok() {
            self.trouble = None;
        }
        let done = self.note(done);
        if std::mem::take(&mut self.unsure) {
            self.overwrite(now);
        }
        done
    }

    /// A commit that failed may lie in the write-ahead log, whole: after a power cut it would be read from there though it
    /// was told as failed. The next commit is written over it; where the disk takes none, sales stop.
    fn overwrite(&mut self, now: Moment) {
        let done = self.try_write(now, append::write_and_take_away);
        self.unsure = false;
        if done.is_ok() {
            self.trouble = None;
        }
        drop(self.note(done));
    }

    fn try_write<T>(
        &mut self,
        now: Moment,
        work: impl FnOnce(&mut Writer<'_>) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        self.reopen_after_trouble()?;
        let mut state = State::clone(&self.state);
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut writer =
            Writer { tx: &tx, state: &mut state, signer: &self.signer, secrets: self.secrets.as_deref(), now };
        let value = work(&mut writer)?;
        let watch = Stopwatch::start();
        self.unsure = true;
        tx.commit()?;
        self.unsure = false;
        self.last_commit = watch.elapsed();
        self.commits = self.commits.saturating_add(1);
        self.state = Arc::new(state);
        Ok(value)
    }

    /// Reads. A failed read is noted as a failed write is; one that works says nothing of writing.
    fn read<T>(
        &mut self,
        work: impl FnOnce(&Connection, &State) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let done = self.reopen_after_trouble().and_then(|()| work(&self.db, &self.state));
        self.note(done)
    }

    fn note<T>(&mut self, done: Result<T, JournalError>) -> Result<T, JournalError> {
        if let Err(error) = &done
            && let Some(trouble) = error.trouble()
        {
            if self.trouble != Some(trouble) {
                tracing::error!(journal.trouble = trouble.name(), %error, "the journal does not write");
            }
            self.trouble = Some(trouble);
            self.stale = true;
        }
        done
    }

    /// After a failure it is unknown what is in the file: everything is read from it again.
    fn reopen_after_trouble(&mut self) -> Result<(), JournalError> {
        if !self.stale {
            return Ok(());
        }
        let db = schema::open(&self.path, false)?;
        #[cfg(test)]
        if let Some(pages) = self.pages_max {
            db.pragma_update(None, "max_page_count", pages)?;
        }
        let state = State::load(&db)?;
        counters::check_counters(&db, &state)?;
        self.db = db;
        self.state = Arc::new(state);
        self.stale = false;
        Ok(())
    }

    /// Tries whether it can write again after a failure: as much as a sale needs, and takes it away again.
    ///
    /// # Errors
    /// [`JournalError`] where it cannot.
    pub fn probe(&mut self, now: Moment) -> Result<(), JournalError> {
        if self.trouble.is_none() {
            return Ok(());
        }
        self.write(now, append::write_and_take_away)
    }

    /// Makes sure that what can be read is on the disk: after a failed commit that alone is not known.
    ///
    /// # Errors
    /// [`JournalError`] where the disk does not take it.
    pub fn make_durable(&mut self) -> Result<(), JournalError> {
        let done =
            checkpoint(&self.db, "FULL").and_then(|complete| if complete { Ok(()) } else { Err(JournalError::Busy) });
        self.note(done)
    }

    /// Carries the write-ahead log over into the file where it has grown; called when nobody waits.
    pub fn tidy(&mut self) {
        if self.commits < CHECKPOINT_COMMITS || self.trouble.is_some() {
            return;
        }
        self.commits = 0;
        if let Err(error) = checkpoint(&self.db, "PASSIVE") {
            tracing::warn!(%error, "the journal's log was not carried over; it is tried again");
        }
    }

    #[cfg(test)]
    pub(crate) fn limit_pages(&mut self, pages: Option<u32>) {
        self.pages_max = pages;
        let max = pages.unwrap_or(1_000_000);
        let _set: i64 = self.db.pragma_update_and_check(None, "max_page_count", max, |row| row.get(0)).unwrap_or(0);
    }
}

/// Carries the write-ahead log over into the file, as far as readers let it; false where they do not.
fn checkpoint(db: &Connection, mode: &str) -> Result<bool, JournalError> {
    let busy: i64 = db.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get(0))?;
    Ok(busy == 0)
}

#[cfg(test)]
mod cashier_tests;
#[cfg(test)]
mod close_tests;
#[cfg(test)]
mod handle_tests;
#[cfg(test)]
mod identity_tests;
#[cfg(test)]
mod money_tests;
#[cfg(test)]
mod purse_tests;
#[cfg(test)]
mod schedule_tests;
#[cfg(test)]
mod tests;
