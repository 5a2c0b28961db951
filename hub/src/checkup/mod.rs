//! What is seen of this machine and its ledger, for [`crate::core::checks`]. Everything is read, nothing is written: it may
//! be asked beside a hub that runs, and where none does.

mod files;
mod looks;

use std::path::PathBuf;

use cabas_protocol::Timestamp;
use cabas_protocol::row::ClockQuality;
use cabas_protocol::sync::Standing;

use crate::config::Config;
use crate::core::checks::{DatabaseSeen, KeysSeen, LedgerSeen, Seen, TerminalSeen};
use crate::keys::{HubSecrets, KeyError};
use crate::store::{Db, OpenMode, StoreError, TerminalView, Tx};

pub use self::files::{Copies, certificate_end};
pub use self::looks::Looks;

/// Where systemd-timesyncd says that the clock was set by another one.
const TIMESYNC: &str = "/run/systemd/timesync";
/// The replication is switched on by this file.
const LITESTREAM: &str = "/etc/cabas/litestream.yml";
/// Where the kernel tells which services have processes.
const CGROUPS: &str = "/sys/fs/cgroup";
const LITESTREAM_UNIT: &str = "system.slice/cabas-hub-litestream.service";

/// Where things lie.
#[derive(Clone, Debug)]
pub struct Checkup {
    data_dir: PathBuf,
    keys: PathBuf,
    database: PathBuf,
    backups: PathBuf,
    certificate: Option<PathBuf>,
    silent_s: u64,
    alerts_on: bool,
}

impl Checkup {
    /// As the configuration says.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            data_dir: config.data_dir.clone(),
            keys: config.keys_dir(),
            database: config.database(),
            backups: config.backups_dir(),
            certificate: config.tls_certificate.clone(),
            silent_s: u64::from(config.alert_silent_hours).saturating_mul(3600),
            alerts_on: crate::alerts::Ways::of(config).is_ok_and(|ways| !ways.all().is_empty()),
        }
    }

    /// Looks at everything, and lets `more` read what else is asked for in the same moment of the ledger.
    pub fn see<R>(&self, now: Timestamp, more: impl FnOnce(&Tx<'_>) -> Result<R, StoreError>) -> (Seen, Option<R>) {
        let mut seen = self.machine(now);
        let read = Db::open(&self.database, OpenMode::ReadOnly).and_then(|mut db| {
            db.read(|tx| {
                let ledger = OfLedger::read(tx)?;
                Ok((ledger, more(tx)?))
            })
        });
        match read {
            Ok((ledger, more)) => {
                ledger.into_seen(&mut seen);
                (seen, Some(more))
            }
            Err(error) => {
                seen.database = if self.database.exists() { database(&error) } else { DatabaseSeen::Missing };
                (seen, None)
            }
        }
    }

    /// The free room on the ledger's disk.
    #[must_use]
    pub fn disk_free(&self) -> Option<u64> {
        let found = rustix::fs::statvfs(&self.data_dir).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }

    fn machine(&self, now: Timestamp) -> Seen {
        let copies = Copies::read(&self.backups, now);
        Seen {
            now,
            is_serving: None,
            keys: keys(HubSecrets::load(&self.keys)),
            database: DatabaseSeen::Fine,
            ledger: LedgerSeen::Unknown,
            disk_free: self.disk_free(),
            log_bytes: files::log_bytes(&self.database),
            is_clock_synchronized: files::is_synchronized(TIMESYNC.as_ref()),
            newest_at: None,
            certificate: certificate_end(self.certificate.as_deref()),
            founded_at: None,
            backup_at: copies.backup_at,
            drill_at: copies.drill_at,
            drill_failed_at: copies.drill_failed_at,
            is_replicating: files::is_running(LITESTREAM.as_ref(), CGROUPS.as_ref(), LITESTREAM_UNIT),
            alerts_on: self.alerts_on,
            undelivered_since: None,
            terminals: Vec::new(),
            list_age_s_max: u64::MAX,
            silent_s: self.silent_s,
        }
    }

    /// Whether a hub holds the data folder, without touching its lock.
    #[must_use]
    pub fn is_serving(&self) -> Option<bool> {
        files::is_locked(&self.data_dir.join(crate::cli::LOCK))
    }
}

fn keys(read: Result<HubSecrets, KeyError>) -> KeysSeen {
    match read {
        Ok(_) => KeysSeen::Fine,
        Err(KeyError::Mode { .. }) => KeysSeen::Open,
        Err(
            KeyError::Io { .. }
            | KeyError::Form { .. }
            | KeyError::NoRoot { .. }
            | KeyError::OtherRoot { .. }
            | KeyError::NoRandom,
        ) => KeysSeen::Missing,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "whatever else keeps a file from being read is damage")]
const fn database(error: &StoreError) -> DatabaseSeen {
    match error {
        StoreError::Newer { .. } => DatabaseSeen::Newer,
        // A reader does not bring a file to the newest form.
        StoreError::NoFund => DatabaseSeen::Older,
        _ => DatabaseSeen::Damaged,
    }
}

/// What the ledger tells.
struct OfLedger {
    ledger: LedgerSeen,
    founded_at: Timestamp,
    newest_at: Option<Timestamp>,
    undelivered_since: Option<Timestamp>,
    terminals: Vec<TerminalSeen>,
    list_age_s_max: u64,
}

impl OfLedger {
    fn read(tx: &Tx<'_>) -> Result<Self, StoreError> {
        let terminals: Vec<TerminalSeen> = tx.terminals()?.iter().filter_map(terminal).collect();
        Ok(Self {
            ledger: sums(tx)?,
            founded_at: tx.fund()?.created_at,
            newest_at: terminals.iter().map(|terminal| terminal.called_at).max(),
            undelivered_since: tx.alerts_undelivered_since()?,
            terminals,
            list_age_s_max: tx.plain_list_age_s_max()?,
        })
    }

    fn into_seen(self, seen: &mut Seen) {
        seen.ledger = self.ledger;
        seen.founded_at = Some(self.founded_at);
        seen.newest_at = self.newest_at;
        seen.undelivered_since = self.undelivered_since;
        seen.terminals = self.terminals;
        seen.list_age_s_max = self.list_age_s_max;
    }
}

/// Whether what all accounts were debited is what they were credited, and what the last whole verification found.
fn sums(tx: &Tx<'_>) -> Result<LedgerSeen, StoreError> {
    let balance = tx.trial_balance()?;
    let debits = cabas_protocol::Cents::sum(balance.iter().map(|line| line.debits))?;
    let credits = cabas_protocol::Cents::sum(balance.iter().map(|line| line.credits))?;
    if debits != credits {
        return Ok(LedgerSeen::Wrong(1));
    }
    Ok(match tx.verification_found()? {
        None | Some(0) => LedgerSeen::Sound,
        Some(found) => LedgerSeen::Wrong(found),
    })
}

/// A terminal's newest enrolment as it is looked at; none before the first.
#[must_use]
pub fn terminal(view: &TerminalView) -> Option<TerminalSeen> {
    let enrolment = view.enrolment.as_ref()?;
    Some(TerminalSeen {
        terminal: view.terminal.get(),
        is_live: enrolment.standing == Standing::Live,
        is_quarantined: enrolment.standing == Standing::Quarantined,
        is_clock_unknown: enrolment.status.as_ref().is_some_and(|status| status.clock == ClockQuality::Unknown),
        troubles: enrolment.troubles.iter().map(|view| (view.trouble, view.since)).collect(),
        told_at: enrolment.told_at.unwrap_or(enrolment.opened_at),
        called_at: enrolment.last_contact_at.unwrap_or(enrolment.opened_at),
        current_at: enrolment.current_at.unwrap_or(enrolment.opened_at),
    })
}
