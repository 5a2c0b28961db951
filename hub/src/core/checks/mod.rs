//! What is looked at on the hub's machine and at its terminals, and what is fine, to be looked at, or wrong. Values in,
//! verdicts out: `doctor`, `/metrics` and the alerts say the same because they all ask here.
//!
//! What is to be done about money and people is another list ([`crate::admin::actions`]); `doctor` shows both.

mod seen;

use cabas_protocol::Timestamp;
use cabas_protocol::release::Trouble;
use serde::Serialize;

pub use self::seen::{CertificateSeen, DatabaseSeen, KeysSeen, LedgerSeen, Seen, TerminalSeen};

/// Below so much free room the ledger may soon not grow any more.
pub const DISK_LOW_BYTES: u64 = 1024 * 1024 * 1024;
/// Below so much, sales are refused at any moment.
pub const DISK_FULL_BYTES: u64 = 100 * 1024 * 1024;
/// A write-ahead log over this is not cut: somebody reads for very long, or its size was never limited.
pub const LOG_LARGE_BYTES: u64 = 512 * 1024 * 1024;
/// A nightly copy that is older is late: a night was left out.
pub const BACKUP_LATE_S: u64 = 36 * 3600;
/// The same for the drill that proves a copy: three nights in a row without one.
pub const DRILL_LATE_S: u64 = 3 * DAY_S + 12 * 3600;
/// Days before the certificate's end from which it is told: renewing begins at thirty.
pub const CERTIFICATE_NEAR_DAYS: u64 = 14;
/// Days before its end from which every terminal is about to lose the hub.
pub const CERTIFICATE_LAST_DAYS: u64 = 3;
/// The clock may stand so far behind what the ledger has already written.
pub const CLOCK_BEHIND_S_MAX: u64 = 60;
/// A message that could not be delivered for so long is told where it can still be seen.
pub const UNDELIVERED_S_MAX: u64 = 6 * 3600;
/// A terminal that has not called for so long is told, unless the configuration says otherwise: a long weekend.
pub const SILENT_S: u64 = 4 * DAY_S;

/// A terminal that cannot write, or soon cannot, is told after so long: what a restart mends needs nobody at the fund.
pub const TROUBLE_DISK_S: u64 = 3600;
/// A missing reader, printer or second copy is told after so long: the shop sees it itself, and may have put it away for the night.
pub const TROUBLE_DEVICE_S: u64 = DAY_S;

const DAY_S: u64 = 86_400;
const MIB: u64 = 1024 * 1024;

/// How something is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing to do.
    Fine,
    /// To be looked at when somebody has time.
    Look,
    /// To be put right now.
    Wrong,
}

impl Verdict {
    /// The exit code of `doctor`.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Look => 1,
            Self::Wrong => 2,
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Check {
    /// What was looked at, in one word.
    pub code: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// The name of the sentence that says what is wrong; none where all is fine.
    pub says: Option<&'static str>,
    /// The number in that sentence: days, hours, MiB; what it counts the sentence says.
    pub value: Option<u64>,
    /// The terminals that it is about.
    pub terminals: Vec<u32>,
}

/// Everything that is looked at, by its word.
pub const CODES: [&str; 20] = [
    "serving",
    "keys",
    "database",
    "ledger",
    "disk",
    "log",
    "clock",
    "certificate",
    "backup",
    "drill",
    "replica",
    "alerts",
    "forks",
    "silent",
    "list_old",
    "terminal_clock",
    "terminal_disk",
    "terminal_reader",
    "terminal_printer",
    "terminal_copy",
];

/// Every sentence that says what is wrong.
pub const SAYINGS: [&str; 32] = [
    "serving_not",
    "keys_missing",
    "keys_open",
    "database_missing",
    "database_newer",
    "database_older",
    "database_damaged",
    "ledger_wrong",
    "disk_low",
    "disk_full",
    "log_large",
    "clock_behind",
    "clock_alone",
    "certificate_near",
    "certificate_over",
    "certificate_unread",
    "backup_none",
    "backup_late",
    "drill_none",
    "drill_late",
    "drill_failed",
    "replica_down",
    "alerts_off",
    "alerts_stuck",
    "forks",
    "silent",
    "list_old",
    "terminal_clock",
    "terminal_disk",
    "terminal_reader",
    "terminal_printer",
    "terminal_copy",
];

/// What an alert is sent about. The others are for who looks.
pub const ALERTED: [&str; 15] = [
    "ledger",
    "disk",
    "log",
    "clock",
    "certificate",
    "backup",
    "drill",
    "replica",
    "forks",
    "silent",
    "list_old",
    "terminal_disk",
    "terminal_reader",
    "terminal_printer",
    "terminal_copy",
];

struct Found {
    verdict: Verdict,
    says: &'static str,
    value: Option<u64>,
}

const fn look(says: &'static str, value: Option<u64>) -> Option<Found> {
    Some(Found { verdict: Verdict::Look, says, value })
}

const fn wrong(says: &'static str, value: Option<u64>) -> Option<Found> {
    Some(Found { verdict: Verdict::Wrong, says, value })
}

/// Everything that was looked at, in one order.
#[must_use]
pub fn checks(seen: &Seen) -> Vec<Check> {
    let machine = [
        ("serving", seen.is_serving.map(|serving| if serving { None } else { wrong("serving_not", None) })),
        ("keys", Some(keys(seen.keys))),
        ("database", Some(database(seen.database))),
        ("ledger", ledger(seen.ledger)),
        ("disk", seen.disk_free.map(disk)),
        ("log", seen.log_bytes.map(log)),
        ("clock", Some(clock(seen))),
        ("certificate", certificate(seen)),
        ("backup", Some(backup(seen))),
        ("drill", Some(drill(seen))),
        ("replica", seen.is_replicating.map(|runs| if runs { None } else { wrong("replica_down", None) })),
        ("alerts", Some(alerts(seen))),
    ];
    let machine = machine.into_iter().filter_map(|(code, looked)| Some((code, looked?)));
    let mut all: Vec<Check> = machine.map(|(code, found)| one(code, found)).collect();
    all.extend(terminals(seen));
    all
}

fn one(code: &'static str, found: Option<Found>) -> Check {
    let (verdict, says, value) =
        found.map_or((Verdict::Fine, None, None), |found| (found.verdict, Some(found.says), found.value));
    Check { code, verdict, says, value, terminals: Vec::new() }
}

/// The worst of all.
#[must_use]
pub fn worst(checks: &[Check]) -> Verdict {
    checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Fine)
}

const fn keys(keys: KeysSeen) -> Option<Found> {
    match keys {
        KeysSeen::Fine => None,
        KeysSeen::Missing => wrong("keys_missing", None),
        KeysSeen::Open => wrong("keys_open", None),
    }
}

const fn database(database: DatabaseSeen) -> Option<Found> {
    match database {
        DatabaseSeen::Fine => None,
        DatabaseSeen::Missing => wrong("database_missing", None),
        DatabaseSeen::Newer => wrong("database_newer", None),
        DatabaseSeen::Older => look("database_older", None),
        DatabaseSeen::Damaged => wrong("database_damaged", None),
    }
}

const fn ledger(ledger: LedgerSeen) -> Option<Option<Found>> {
    match ledger {
        LedgerSeen::Unknown => None,
        LedgerSeen::Sound => Some(None),
        LedgerSeen::Wrong(found) => Some(wrong("ledger_wrong", Some(found))),
    }
}

fn disk(free: u64) -> Option<Found> {
    let shown = free.checked_div(MIB);
    if free < DISK_FULL_BYTES {
        wrong("disk_full", shown)
    } else if free < DISK_LOW_BYTES {
        look("disk_low", shown)
    } else {
        None
    }
}

fn log(bytes: u64) -> Option<Found> {
    if bytes > LOG_LARGE_BYTES { look("log_large", bytes.checked_div(MIB)) } else { None }
}

fn clock(seen: &Seen) -> Option<Found> {
    let behind = seen.newest_at.map_or(0, |newest| newest.since_s(seen.now));
    if behind > CLOCK_BEHIND_S_MAX {
        return wrong("clock_behind", Some(behind));
    }
    if seen.is_clock_synchronized == Some(false) { look("clock_alone", None) } else { None }
}

fn certificate(seen: &Seen) -> Option<Option<Found>> {
    let ends_at = match seen.certificate {
        CertificateSeen::None => return None,
        CertificateSeen::Unread => return Some(wrong("certificate_unread", None)),
        CertificateSeen::EndsAt(ends_at) => ends_at,
    };
    if ends_at <= seen.now {
        return Some(wrong("certificate_over", None));
    }
    let days = days(ends_at.since_s(seen.now));
    Some(if days < CERTIFICATE_LAST_DAYS {
        wrong("certificate_near", Some(days))
    } else if days < CERTIFICATE_NEAR_DAYS {
        look("certificate_near", Some(days))
    } else {
        None
    })
}

fn backup(seen: &Seen) -> Option<Found> {
    late(seen, seen.backup_at, BACKUP_LATE_S, ("backup_none", "backup_late"))
}

fn drill(seen: &Seen) -> Option<Found> {
    if seen.drill_failed_at.is_some_and(|failed| seen.drill_at.is_none_or(|passed| failed > passed)) {
        return wrong("drill_failed", None);
    }
    late(seen, seen.drill_at, DRILL_LATE_S, ("drill_none", "drill_late"))
}

/// Something that is to come each night; a fund that was just made has time for the first one.
fn late(seen: &Seen, last: Option<Timestamp>, late_s: u64, says: (&'static str, &'static str)) -> Option<Found> {
    let Some(from) = last.or(seen.founded_at) else { return wrong(says.0, None) };
    let age_s = seen.now.since_s(from);
    if age_s <= late_s {
        return None;
    }
    match last {
        Some(_) => wrong(says.1, age_s.checked_div(3600)),
        None => wrong(says.0, None),
    }
}

fn alerts(seen: &Seen) -> Option<Found> {
    if !seen.alerts_on {
        return look("alerts_off", None);
    }
    let age_s = seen.undelivered_since.map_or(0, |since| seen.now.since_s(since));
    if age_s > UNDELIVERED_S_MAX { look("alerts_stuck", age_s.checked_div(3600)) } else { None }
}

fn days(seconds: u64) -> u64 {
    seconds.checked_div(DAY_S).unwrap_or(0)
}

/// What terminals say does not work: the check, what it is told of, how long it must last, and how much it matters.
const TROUBLES: [(&str, &[Trouble], u64, Verdict); 4] = [
    ("terminal_disk", &[Trouble::DISK_LOW, Trouble::DISK_FULL, Trouble::JOURNAL], TROUBLE_DISK_S, Verdict::Wrong),
    ("terminal_reader", &[Trouble::READER], TROUBLE_DEVICE_S, Verdict::Look),
    ("terminal_printer", &[Trouble::PRINTER], TROUBLE_DEVICE_S, Verdict::Look),
    ("terminal_copy", &[Trouble::SECOND_COPY], TROUBLE_DEVICE_S, Verdict::Look),
];

fn terminals(seen: &Seen) -> Vec<Check> {
    let all = || seen.terminals.iter();
    let live = || all().filter(|terminal| terminal.is_live);
    let of = |terminals: Vec<&TerminalSeen>, code, says, verdict| {
        let terminals: Vec<u32> = terminals.into_iter().map(|terminal| terminal.terminal).collect();
        let verdict = if terminals.is_empty() { Verdict::Fine } else { verdict };
        let says = (verdict != Verdict::Fine).then_some(says);
        Check { code, verdict, says, value: None, terminals }
    };
    let is_silent = |terminal: &&TerminalSeen| seen.now.since_s(terminal.called_at) >= seen.silent_s;
    let silent = of(live().filter(is_silent).collect(), "silent", "silent", Verdict::Look);
    let silent = Check { value: silent.says.map(|_| hours(seen.silent_s)), ..silent };
    let is_old = |terminal: &&TerminalSeen| seen.now.since_s(terminal.current_at) > seen.list_age_s_max;
    let old = of(live().filter(is_old).collect(), "list_old", "list_old", Verdict::Look);
    let old = Check { value: old.says.map(|_| hours(seen.list_age_s_max)), ..old };
    let mut found = vec![
        of(all().filter(|terminal| terminal.is_quarantined).collect(), "forks", "forks", Verdict::Wrong),
        silent,
        old,
        of(
            live().filter(|terminal| terminal.is_clock_unknown).collect(),
            "terminal_clock",
            "terminal_clock",
            Verdict::Look,
        ),
    ];
    found.extend(TROUBLES.map(|(code, told, lasts_s, verdict)| {
        // What is switched off for the night says nothing, and nothing gets older by that; what is silent is told as that.
        let has = |terminal: &&TerminalSeen| {
            let lasts = |since: Timestamp| terminal.told_at.since_s(since) >= lasts_s;
            seen.now.since_s(terminal.told_at) < seen.silent_s
                && terminal.troubles.iter().any(|(trouble, since)| told.contains(trouble) && lasts(*since))
        };
        of(live().filter(has).collect(), code, code, verdict)
    }));
    found
}

fn hours(seconds: u64) -> u64 {
    seconds.checked_div(3600).unwrap_or(0)
}

#[cfg(test)]
mod tests;
