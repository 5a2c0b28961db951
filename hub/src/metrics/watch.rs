//! What rules and dashboards watch: the machine, the terminals by their numbers, what should have happened by now.

use std::sync::atomic::AtomicU64;

use cabas_protocol::{Cents, Timestamp};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::core::checks::{CertificateSeen, Check, Seen, TerminalSeen, Verdict};
use crate::core::ledger::AccountKind;
use crate::store::{StoreError, Tx};

/// Terminals that have lines of their own: of more, those that were silent for longest.
pub const TERMINALS_SHOWN_MAX: usize = 1_000;

type Level = Gauge<u64, AtomicU64>;

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct CheckLabel {
    code: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct TerminalLabel {
    terminal: u32,
}

/// What is read in one moment beside [`Seen`].
#[derive(Clone, Copy, Debug)]
pub struct Money {
    /// When a month was last credited.
    pub credited_at: Option<Timestamp>,
    /// When a settlement was last closed.
    pub settled_at: Option<Timestamp>,
    /// What shops are owed that no settlement has closed.
    pub owed: Cents,
}

impl Money {
    /// Reads it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn read(tx: &Tx<'_>) -> Result<Self, StoreError> {
        let balance = tx.trial_balance()?;
        let payable = || balance.iter().filter(|line| line.kind == AccountKind::Payable);
        let credits = Cents::sum(payable().map(|line| line.credits))?;
        let owed = credits.minus_or_zero(Cents::sum(payable().map(|line| line.debits))?);
        Ok(Self { credited_at: tx.credited_at()?, settled_at: tx.settled_at()?, owed })
    }
}

/// The gauges.
#[derive(Debug)]
pub(super) struct Watch {
    checks: Family<CheckLabel, Level>,
    disk_free: Level,
    log: Level,
    backup_age: Level,
    drill_age: Level,
    certificate_end: Level,
    clock_behind: Level,
    credited_age: Level,
    settled_age: Level,
    owed: Level,
    undelivered: Level,
    contact: Family<TerminalLabel, Level>,
    list: Family<TerminalLabel, Level>,
    quarantined: Family<TerminalLabel, Level>,
}

impl Watch {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let mut level = |name: &str, help: &str, unit: Option<Unit>| {
            let level = Level::default();
            match unit {
                Some(unit) => registry.register_with_unit(name, help, unit, level.clone()),
                None => registry.register(name, help, level.clone()),
            }
            level
        };
        let seconds = || Some(Unit::Seconds);
        let bytes = || Some(Unit::Bytes);
        let watch = Self {
            disk_free: level("disk_free", "Free room on the ledger's disk", bytes()),
            log: level("log", "Size of the ledger's write-ahead log", bytes()),
            backup_age: level("backup_age", "Since the newest backup, or since the fund was made", seconds()),
            drill_age: level(
                "drill_age",
                "Since the newest restore drill that passed, or since the fund was made",
                seconds(),
            ),
            certificate_end: level(
                "certificate_end",
                "When the TLS certificate ends, since 1970; 0 without one",
                seconds(),
            ),
            clock_behind: level("clock_behind", "How far the clock is behind what the ledger has dated", seconds()),
            credited_age: level(
                "credited_age",
                "Since a month was last credited, or since the fund was made",
                seconds(),
            ),
            settled_age: level(
                "settled_age",
                "Since a settlement was last closed, or since the fund was made",
                seconds(),
            ),
            owed: level("owed_cents", "What shops are owed that no settlement has closed", None),
            undelivered: level("alert_undelivered", "Since the oldest alert was made that waits", seconds()),
            checks: Family::default(),
            contact: Family::default(),
            list: Family::default(),
            quarantined: Family::default(),
        };
        let help = "What doctor looks at: 0 fine, 1 to be looked at, 2 wrong";
        registry.register("check", help, watch.checks.clone());
        let help = "Since a terminal that sells last called";
        registry.register_with_unit("terminal_contact_age", help, Unit::Seconds, watch.contact.clone());
        let help = "Since a terminal that sells last had everything, its hot list too";
        registry.register_with_unit("terminal_list_age", help, Unit::Seconds, watch.list.clone());
        let help = "1 for a terminal in quarantine: its journal has two futures or a hole";
        registry.register("terminal_quarantined", help, watch.quarantined.clone());
        watch
    }

    pub(super) fn set(&self, seen: &Seen, checks: &[Check], money: Option<Money>) {
        // What cannot be looked at any more is not said as it was.
        self.checks.clear();
        for check in checks {
            let verdict = match check.verdict {
                Verdict::Fine => 0,
                Verdict::Look => 1,
                Verdict::Wrong => 2,
            };
            self.checks.get_or_create(&CheckLabel { code: check.code }).set(verdict);
        }
        self.disk_free.set(seen.disk_free.unwrap_or(0));
        self.log.set(seen.log_bytes.unwrap_or(0));
        let age = |at: Option<Timestamp>| at.or(seen.founded_at).map_or(0, |at| seen.now.since_s(at));
        self.backup_age.set(age(seen.backup_at));
        self.drill_age.set(age(seen.drill_at));
        self.certificate_end.set(match seen.certificate {
            CertificateSeen::EndsAt(at) => at.get(),
            CertificateSeen::None | CertificateSeen::Unread => 0,
        });
        self.clock_behind.set(seen.newest_at.map_or(0, |newest| newest.since_s(seen.now)));
        self.undelivered.set(seen.undelivered_since.map_or(0, |since| seen.now.since_s(since)));
        if let Some(money) = money {
            self.credited_age.set(age(money.credited_at));
            self.settled_age.set(age(money.settled_at));
            self.owed.set(money.owed.get());
        }
        self.terminals(seen);
    }

    /// Terminals that were closed since the last time are gone from the list.
    fn terminals(&self, seen: &Seen) {
        for family in [&self.contact, &self.list, &self.quarantined] {
            family.clear();
        }
        let mut shown: Vec<&TerminalSeen> =
            seen.terminals.iter().filter(|terminal| terminal.is_live || terminal.is_quarantined).collect();
        shown.sort_by_key(|terminal| terminal.called_at);
        for terminal in shown.into_iter().take(TERMINALS_SHOWN_MAX) {
            let label = TerminalLabel { terminal: terminal.terminal };
            self.quarantined.get_or_create(&label).set(u64::from(terminal.is_quarantined));
            if terminal.is_live {
                self.contact.get_or_create(&label).set(seen.now.since_s(terminal.called_at));
                self.list.get_or_create(&label).set(seen.now.since_s(terminal.current_at));
            }
        }
    }
}
