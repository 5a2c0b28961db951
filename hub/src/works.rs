//! Long work that the site asks for: what kinds there are, and how each goes a step further.
//!
//! To add a kind: a variant of [`Job`] with its name, its words (`job-…`, and `job-gave-…` for what it gives), and an arm
//! in `Job::step`. A step on the ledger's thread is one transaction with its progress; it must be right to begin any
//! step again after a crash.

mod settlement;

use std::sync::Arc;

use cabas_protocol::{Cents, Timestamp};
use rusqlite::ErrorCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::admin::refusals;
use crate::admin::visit::By;
use crate::app::App;
use crate::core::period::Period;
use crate::import::uploaded;
use crate::store::{
    Db, Finding, ImportCount, Lane, OpenMode, RegisterRefusal, RunOrder, RunView, StoreError, Tx, UploadState,
    WorkState, WorkView,
};

/// Findings of a verification that its page shows; the command line shows more.
const FINDINGS_SHOWN_MAX: usize = 50;
/// The purpose under which uploaded files are sealed.
const FILE_PURPOSE: &[u8] = b"cabas work file 1";

/// Work that takes longer than a page.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Job {
    /// The books are recomputed.
    Verify,
    /// A month is credited.
    Credit {
        /// Which one.
        period: String,
        /// The run, of which every line was fixed as it was shown. Works of before have none, but what follows: their
        /// lines are fixed when they go on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<u32>,
        /// From which sources, in the order in which they are taken. Works of before that have one `source`.
        #[serde(default, alias = "source", deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
        sources: Vec<String>,
        /// How much beyond the budget is agreed to, in cents, and by whom.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        over: Option<(u64, String)>,
        /// Households that other sources credited for the month are to be credited once more.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        extra: bool,
    },
    /// A file that was uploaded and looked at is imported.
    Import {
        /// Its number among the uploads.
        upload: u32,
        /// What was looked at: nothing else is done.
        fingerprint: String,
    },
    /// The next settlement is fixed with the rows that the hub has when the work reads them.
    SettlementPrepare,
    /// What was prepared, and looked at, is booked.
    SettlementApprove {
        /// The settlement's number.
        settlement: u32,
        /// Which preparation was looked at: no other is booked.
        preparation: u64,
    },
    /// What was not spent expires at the end of a month.
    Expiry {
        /// Which one.
        period: String,
    },
}

/// One text, or several.
fn one_or_many<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(from)? {
        OneOrMany::One(text) => vec![text],
        OneOrMany::Many(texts) => texts,
    })
}

/// How far a step came.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// There is more to do.
    More {
        /// Steps done.
        done: u64,
        /// Of so many, where that is known.
        total: Option<u64>,
    },
    /// All is done: an object of numbers (`…_cents` are amounts), yes and no, texts and lists of texts.
    Done(Value),
}

/// What a step has at hand.
#[derive(Debug)]
pub struct Hand<'h> {
    /// The hub.
    pub app: &'h App,
    /// The work, with who asked for it.
    pub work: &'h WorkView,
    /// Now.
    pub now: Timestamp,
}

impl Hand<'_> {
    /// The file that was uploaded for it.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where it is missing or was sealed by other keys.
    pub fn file(&self, tx: &Tx<'_>) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let sealed = tx.work_file(self.work.number)?.ok_or(StoreError::Damaged("a work's file is missing"))?;
        let opened = self.app.secrets.open(FILE_PURPOSE, &[], &sealed);
        opened.ok_or(StoreError::Damaged("a work's file was sealed by other keys"))
    }
}

impl Job {
    /// What kinds are called.
    pub const NAMES: &[&str] = &["verify", "credit", "import", "expiry", "settlement-prepare", "settlement-approve"];
    /// What they may give.
    pub const RESULTS: &[&str] = &[
        "ok",
        "rows",
        "transfers",
        "accounts",
        "found",
        "findings",
        "households",
        "credited_cents",
        "expired_cents",
        "added",
        "changed",
        "settlement",
        "shops",
        "payout_cents",
    ];

    /// A run that was begun.
    #[must_use]
    pub fn credit(run: &RunView) -> Self {
        let (period, run) = (run.period.to_string(), Some(run.number));
        Self::Credit { period, run, sources: Vec::new(), over: None, extra: false }
    }

    /// What it is called.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Credit { .. } => "credit",
            Self::Import { .. } => "import",
            Self::Expiry { .. } => "expiry",
            Self::SettlementPrepare => "settlement-prepare",
            Self::SettlementApprove { .. } => "settlement-approve",
        }
    }

    /// What it is about, for people: a month, a file.
    #[must_use]
    pub fn subject(&self) -> &str {
        match self {
            Self::Verify | Self::Import { .. } | Self::SettlementPrepare | Self::SettlementApprove { .. } => "",
            Self::Credit { period, .. } | Self::Expiry { period } => period,
        }
    }

    /// As it is kept.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where it cannot be written.
    pub fn written(&self) -> Result<String, StoreError> {
        serde_json::to_string(self).map_err(|_| StoreError::Damaged("a job cannot be written"))
    }

    /// Asks for it, inside the transaction of a deed; gives the number of its page.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Exhausted`] where the system gives no random bytes.
    pub fn ask(&self, app: &App, tx: &mut Tx<'_>, file: Option<&[u8]>, by: &By) -> Result<u32, StoreError> {
        let seal = |file| app.secrets.seal(FILE_PURPOSE, &[], file).map_err(|_| StoreError::Exhausted("random byte"));
        let file = file.map(seal).transpose()?;
        tx.work_add(&self.written()?, file.as_deref(), &by.who, by.now)
    }

    /// Does the next step.
    async fn step(self, app: &Arc<App>, work: &WorkView) -> Result<(), StoreError> {
        match self {
            Self::Verify => verify(app, work.number).await,
            Self::Credit { run: Some(run), .. } => on_ledger(app, work, move |tx, hand| credit(tx, hand, run)).await,
            Self::Credit { run: None, period, sources, over, extra } => {
                let step = move |tx: &mut Tx<'_>, hand: &Hand<'_>| {
                    let period: Period = period.parse().map_err(|_| StoreError::Damaged("a work's month"))?;
                    let sources: Vec<_> = sources.iter().map(String::as_str).collect();
                    let over = over.as_ref().map(|(cents, by)| Cents::new(*cents).map(|cents| (cents, by.as_str())));
                    let order = RunOrder { period, sources: &sources, over: over.transpose()?, extra };
                    match tx.credit_begin(&order, hand.now)? {
                        Some(run) => credit(tx, hand, run),
                        None => Ok(Progress::Done(json!({ "households": 0, "credited_cents": 0 }))),
                    }
                };
                on_ledger(app, work, step).await
            }
            Self::Import { upload, fingerprint } => import(app, work, upload, fingerprint).await,
            Self::SettlementPrepare => settlement::prepare(app, work).await,
            Self::SettlementApprove { settlement, preparation } => {
                settlement::approve(app, work, (settlement, preparation)).await
            }
            Self::Expiry { period } => on_ledger(app, work, move |tx, hand| expiry(tx, hand, &period)).await,
        }
    }
}

/// Does the next step of the oldest work; false where there is nothing to do.
///
/// # Errors
/// What may pass by itself (a full disk, a busy hub): the step is tried again.
pub async fn further(app: &Arc<App>) -> Result<bool, StoreError> {
    let Some(work) = app.store.call(Lane::Sync, |tx| tx.work_next()).await? else { return Ok(false) };
    let did = match serde_json::from_str::<Job>(&work.job) {
        Ok(job) => job.step(app, &work).await,
        Err(_) => Err(StoreError::Damaged("this program does not know the kind of a work")),
    };
    match did {
        Err(error) if !may_pass(&error) => {
            match refusals::refusal(&error) {
                // The error's own words may name a person.
                Some(reason) => tracing::warn!(work = work.number, reason, "a work is refused"),
                None => tracing::warn!(work = work.number, %error, "a work failed"),
            }
            let result = json!({ "error": error.to_string(), "text": refusals::refusal(&error) }).to_string();
            let (number, now) = (work.number, app.clock.now());
            app.store.call(Lane::Sync, move |tx| tx.work_end(number, WorkState::Failed, &result, now)).await?;
        }
        did => did?,
    }
    Ok(true)
}

/// True for what another try may do.
#[expect(clippy::wildcard_enum_match_arm, reason = "only what the machine or the moment refuses may pass")]
fn may_pass(error: &StoreError) -> bool {
    match error {
        StoreError::Busy | StoreError::Stopped | StoreError::NotCommitted(_) | StoreError::Io(_) => true,
        StoreError::Sqlite(error) => matches!(
            error.sqlite_error_code(),
            Some(
                ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::DiskFull
                    | ErrorCode::SystemIoFailure
                    | ErrorCode::CannotOpen
                    | ErrorCode::OutOfMemory
            )
        ),
        _ => false,
    }
}

/// A step on the ledger's thread: its work and its progress are kept together, or neither is.
async fn on_ledger(
    app: &Arc<App>,
    work: &WorkView,
    step: impl FnOnce(&mut Tx<'_>, &Hand<'_>) -> Result<Progress, StoreError> + Send + 'static,
) -> Result<(), StoreError> {
    let (held, work) = (Arc::clone(app), work.clone());
    let stepped = move |tx: &mut Tx<'_>| {
        let hand = Hand { app: &held, work: &work, now: held.clock.now() };
        match step(tx, &hand)? {
            Progress::More { done, total } => tx.work_progress(work.number, done, total),
            Progress::Done(result) => tx.work_end(work.number, WorkState::Done, &result.to_string(), hand.now),
        }
    };
    app.store.call(Lane::Sync, stepped).await?;
    app.allocate.notify_one();
    Ok(())
}

/// One step of a month's credits.
fn credit(tx: &mut Tx<'_>, hand: &Hand<'_>, run: u32) -> Result<Progress, StoreError> {
    let report = tx.credit_step(run, hand.now)?;
    let run = tx.credit_run_view(run)?;
    if report.more {
        let done = run.households.saturating_sub(run.waiting);
        return Ok(Progress::More { done, total: Some(run.households) });
    }
    Ok(Progress::Done(json!({ "households": run.households, "credited_cents": run.cents.get() })))
}

/// One step of what expires at the end of a month. How far it is, is the number of the last purse that was looked at.
fn expiry(tx: &mut Tx<'_>, hand: &Hand<'_>, period: &str) -> Result<Progress, StoreError> {
    let period: Period = period.parse().map_err(|_| StoreError::Damaged("a work's month"))?;
    let from = u32::try_from(hand.work.done).map_err(|_| StoreError::Damaged("how far a work is"))?;
    let (_, next) = tx.expiry_book(period, from, hand.now)?;
    if let Some(next) = next {
        let total = tx.newest_purse()?;
        return Ok(Progress::More {
            done: u64::from(next),
            total: total.map(u64::from).filter(|total| *total >= next.into()),
        });
    }
    let lines = tx.expiry_preview(period, hand.now)?;
    let booked: Vec<Cents> = lines.iter().filter_map(|line| line.booked).collect();
    let households = booked.len();
    Ok(Progress::Done(json!({ "households": households, "expired_cents": Cents::sum(booked)?.get() })))
}

/// Keeps how far a work is that reads beside the ledger's thread. Its progress is not worth its end.
fn tell(app: &App, number: u32, done: u64, total: u64) {
    let tell = app.store.call_blocking(Lane::Sync, move |tx| tx.work_progress(number, done, Some(total)));
    if let Err(error) = tell {
        tracing::warn!(%error, "how far a work is cannot be kept");
    }
}

/// A verification reads the file beside the ledger's thread; after a restart it begins again.
async fn verify(app: &Arc<App>, number: u32) -> Result<(), StoreError> {
    let held = Arc::clone(app);
    let verified = tokio::task::spawn_blocking(move || {
        let mut db = Db::open(&held.database, OpenMode::Existing)?;
        let mut told = |done, total| tell(&held, number, done, total);
        db.verify_told(&held.secrets, &mut told)
    });
    let report = verified.await.map_err(|_| StoreError::Damaged("a verification ended without a result"))??;
    if report.found > 0 {
        tracing::error!(found = report.found, "the books are not all right");
    }
    let findings: Vec<String> = report.findings.iter().take(FINDINGS_SHOWN_MAX).map(Finding::to_string).collect();
    let result = json!({
        "ok": report.found == 0,
        "rows": report.rows,
        "transfers": report.transfers,
        "accounts": report.accounts,
        "found": report.found,
        "findings": findings,
    });
    let (result, now) = (result.to_string(), app.clock.now());
    app.store.call(Lane::Sync, move |tx| tx.work_end(number, WorkState::Done, &result, now)).await
}

/// An import is one step: all of it or nothing. The file is read beside the ledger's thread.
async fn import(app: &Arc<App>, work: &WorkView, upload: u32, fingerprint: String) -> Result<(), StoreError> {
    let found = app.store.call(Lane::Sync, move |tx| tx.upload(upload)).await?;
    let Some((_, Some(sealed))) = found else { return Err(RegisterRefusal::UploadEnded.into()) };
    let held = Arc::clone(app);
    let read = tokio::task::spawn_blocking(move || uploaded::Ready::open(&held.secrets, &sealed));
    let ready = read.await.map_err(|_| StoreError::Damaged("an import ended without a result"))??;
    on_ledger(app, work, move |tx, hand| {
        let now = hand.now;
        let looked_at = ready.import(tx, true, now)?;
        if uploaded::fingerprint(&ready, &looked_at) != fingerprint || !looked_at.conflicts.is_empty() {
            return Err(RegisterRefusal::UploadChanged.into());
        }
        let done = ready.import(tx, false, now)?;
        tx.upload_end(upload, UploadState::Imported, now)?;
        let counts = [done.households, done.cards, done.shops, done.members];
        let sum = |of: fn(&ImportCount) -> u32| counts.iter().map(|count| u64::from(of(count))).sum::<u64>();
        Ok(Progress::Done(json!({ "added": sum(|count| count.added), "changed": sum(|count| count.changed) })))
    })
    .await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    #[test]
    fn only_what_the_machine_or_the_moment_refuses_is_tried_again() {
        let code = |code| rusqlite::Error::SqliteFailure(rusqlite::ffi::Error { code, extended_code: 0 }, None);
        for passes in [ErrorCode::DatabaseBusy, ErrorCode::DiskFull, ErrorCode::SystemIoFailure] {
            assert!(may_pass(&code(passes).into()), "{passes:?}");
        }
        for stays in [ErrorCode::DatabaseCorrupt, ErrorCode::NotADatabase, ErrorCode::ConstraintViolation] {
            assert!(!may_pass(&code(stays).into()), "{stays:?}");
        }
        assert!(!may_pass(&rusqlite::Error::IntegralValueOutOfRange(0, -1).into()));
        assert!(may_pass(&StoreError::Busy) && !may_pass(&StoreError::Damaged("a row")));
    }

    #[test]
    fn a_credit_that_was_asked_for_before_runs_were_fixed_is_still_read() {
        let read = |text: &str| serde_json::from_str::<Job>(text).unwrap();
        let of = |sources: &[&str], over, extra| Job::Credit {
            period: "2026-11".to_owned(),
            run: None,
            sources: sources.iter().map(|source| (*source).to_owned()).collect(),
            over,
            extra,
        };
        let old = r#"{"kind":"credit","period":"2026-11","source":"Ville"}"#;
        assert_eq!(read(old), of(&["Ville"], None, false));
        let many = of(&["Contributions", "Ville"], Some((1_000, "Ada".to_owned())), true);
        assert_eq!(read(&many.written().unwrap()), many);
        let run = read(r#"{"kind":"credit","period":"2026-11","run":3}"#);
        assert!(matches!(run, Job::Credit { run: Some(3), .. }), "{run:?}");
        assert_eq!(read(&run.written().unwrap()), run);
    }
}
