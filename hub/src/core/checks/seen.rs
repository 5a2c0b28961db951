//! What is seen of the hub's machine and its terminals.

use cabas_protocol::Timestamp;
use cabas_protocol::release::Trouble;

/// The keys on disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeysSeen {
    /// All there, and for the owner alone.
    Fine,
    /// One is missing or is none.
    Missing,
    /// Others may read one.
    Open,
}

/// The database's file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DatabaseSeen {
    /// It opens and has this program's form.
    Fine,
    /// It is not there.
    Missing,
    /// A newer program wrote it.
    Newer,
    /// An older program wrote it; the hub's next start brings it to this form.
    Older,
    /// It cannot be read.
    Damaged,
}

/// What is known of the sums.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LedgerSeen {
    /// Nobody has recomputed them.
    Unknown,
    /// Right.
    Sound,
    /// So many things are wrong.
    Wrong(u64),
}

/// The server's certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CertificateSeen {
    /// TLS is done elsewhere.
    None,
    /// It holds until then.
    EndsAt(Timestamp),
    /// It cannot be read.
    Unread,
}

/// A terminal's newest enrolment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TerminalSeen {
    /// Its number.
    pub terminal: u32,
    /// True where it sells.
    pub is_live: bool,
    /// True where it was quarantined.
    pub is_quarantined: bool,
    /// True where it says that its clock cannot be trusted.
    pub is_clock_unknown: bool,
    /// What it says does not work, and since when.
    pub troubles: Vec<(Trouble, Timestamp)>,
    /// When it said so last.
    pub told_at: Timestamp,
    /// When it last called; for one that never did, when it was enrolled.
    pub called_at: Timestamp,
    /// When it last had everything that the hub had for it.
    pub current_at: Timestamp,
}

/// What is seen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    /// Now.
    pub now: Timestamp,
    /// Whether a hub runs on the data folder; none where that was not looked at.
    pub is_serving: Option<bool>,
    /// The keys.
    pub keys: KeysSeen,
    /// The database.
    pub database: DatabaseSeen,
    /// The sums.
    pub ledger: LedgerSeen,
    /// Free room on its disk.
    pub disk_free: Option<u64>,
    /// The write-ahead log.
    pub log_bytes: Option<u64>,
    /// Whether the machine's clock follows another one; none where the system does not tell.
    pub is_clock_synchronized: Option<bool>,
    /// The newest time that the ledger has of anything.
    pub newest_at: Option<Timestamp>,
    /// The certificate.
    pub certificate: CertificateSeen,
    /// When the fund was made: a copy cannot be older.
    pub founded_at: Option<Timestamp>,
    /// The newest copy.
    pub backup_at: Option<Timestamp>,
    /// The newest drill that passed.
    pub drill_at: Option<Timestamp>,
    /// The newest drill that did not.
    pub drill_failed_at: Option<Timestamp>,
    /// Whether the replication runs; none where there is none.
    pub is_replicating: Option<bool>,
    /// True where alerts go anywhere.
    pub alerts_on: bool,
    /// The oldest message that waits to be delivered.
    pub undelivered_since: Option<Timestamp>,
    /// The terminals.
    pub terminals: Vec<TerminalSeen>,
    /// The age of the list past which plain cards are refused.
    pub list_age_s_max: u64,
    /// The silence past which a terminal is told.
    pub silent_s: u64,
}
