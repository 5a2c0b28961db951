//! Why the journal does not do what it was asked, by whose fault, and in words for the screen.

use cabas_protocol::MoneyError;
use cabas_protocol::sign::SignError;
use rusqlite::ErrorCode;
use std::path::PathBuf;

/// Why the journal does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// There is no journal: the terminal is not enrolled.
    #[error("there is no journal at {}; enrol this terminal first: cabas-agent enrol --hub URL --code CODE", .0.display())]
    NotEnrolled(PathBuf),
    /// The file belongs to something else.
    #[error("{} is not a journal of cabas-agent", .0.display())]
    NotAJournal(PathBuf),
    /// The file was written by a newer program.
    #[error(
        "the journal {} has form {found}, and this program knows forms up to {known}; install the newer program again",
        path.display()
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// What it is.
        found: u32,
        /// What is known here.
        known: u32,
    },
    /// SQLite did not take a setting: it ignores those that it does not know.
    #[error("SQLite says {pragma} = {found}, not {expected}")]
    Pragma {
        /// The setting.
        pragma: &'static str,
        /// What was asked for.
        expected: String,
        /// What it says.
        found: String,
    },
    /// SQLite failed.
    #[error("the journal could not be used: {0}")]
    Sql(#[from] rusqlite::Error),
    /// The file contradicts itself, or the key beside it.
    #[error("the journal contradicts itself: {0}; run cabas-agent journal verify and call the fund")]
    Inconsistent(&'static str),
    /// A stored object cannot be read.
    #[error("a stored object cannot be read: {0}")]
    Stored(#[from] SignError),
    /// A sum is too large.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// The last number of a row was used.
    #[error("this enrolment has no numbers left for rows; enrol again")]
    Full,
    /// The request's id names another operation.
    #[error("the request_id was used for another operation; use a new one")]
    RequestTaken,
    /// The keys of cards need a credential to be opened.
    #[error(
        "its keys of purse cards are sealed by the systemd credential {}, which was not given; start the agent by its unit \
         with LoadCredentialEncrypted=, or where that credential is lost give it a new one (the keys are fetched anew), or \
         enrol again",
        super::seal::CREDENTIAL
    )]
    NoCredential,
    /// Commits stand in the write-ahead log that cannot be read any more.
    #[error(
        "{} is damaged, and rows in it cannot be read{}; nothing was changed: keep a copy of this folder for the food fund, \
         then enrol this terminal again",
        log.display(),
        source.as_ref().map(|source| format!(" ({source})")).unwrap_or_default()
    )]
    DamagedLog {
        /// The log.
        log: PathBuf,
        /// Why it cannot be read at all, where that is so.
        source: Option<std::io::Error>,
    },
    /// Too much is waiting for the journal.
    #[error("the journal has too much to do; try again")]
    Busy,
    /// The journal's thread has ended.
    #[error("the journal is closed")]
    Closed,
}

/// What keeps the journal from writing: sales stop, and the screen says this.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// No space left.
    DiskFull,
    /// The file or its folder may not be written.
    ReadOnly,
    /// The disk fails.
    Io,
    /// The file is damaged.
    Corrupt,
    /// Something else.
    Other,
}

impl Trouble {
    /// Its name in the local API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DiskFull => "disk_full",
            Self::ReadOnly => "read_only",
            Self::Io => "io_error",
            Self::Corrupt => "corrupt",
            Self::Other => "other",
        }
    }

    /// The name of the message in `agent/locales`.
    #[must_use]
    pub const fn message_id(self) -> &'static str {
        match self {
            Self::DiskFull => "journal-disk-full",
            Self::ReadOnly => "journal-read-only",
            Self::Io => "journal-io-error",
            Self::Corrupt => "journal-corrupt",
            Self::Other => "journal-other",
        }
    }
}

impl JournalError {
    /// What it says of the journal's health; nothing where the journal itself is well.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        match self {
            Self::Sql(error) => Some(sql_trouble(error)),
            Self::Inconsistent(_) | Self::Stored(_) | Self::DamagedLog { .. } => Some(Trouble::Corrupt),
            Self::Pragma { .. } | Self::NotAJournal(_) | Self::Newer { .. } | Self::NoCredential | Self::Closed => {
                Some(Trouble::Other)
            }
            Self::NotEnrolled(_) | Self::Money(_) | Self::Full | Self::RequestTaken | Self::Busy => None,
        }
    }
}

fn sql_trouble(error: &rusqlite::Error) -> Trouble {
    let Some(code) = error.sqlite_error_code() else { return Trouble::Other };
    if code == ErrorCode::DiskFull {
        Trouble::DiskFull
    } else if matches!(code, ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) {
        Trouble::ReadOnly
    } else if matches!(code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) {
        Trouble::Corrupt
    } else if code == ErrorCode::SystemIoFailure {
        Trouble::Io
    } else {
        Trouble::Other
    }
}
