//! Why a command ends with 1: what, where, and what to do next, in one line.

use std::io;
use std::path::PathBuf;

use crate::card::NoCard;
use crate::cashiers::RollError;
use crate::config::ConfigError;
use crate::journal::JournalError;
use crate::journal::export::ExportError;
use crate::journal::seal::CredentialError;
use crate::sync::enrol::EnrolError;
use crate::sync::{CardSessionError, ClientError};

/// Why a command failed or was refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    #[error("this terminal is not enrolled; run `cabas-agent enrol --hub URL --code CODE`")]
    NotEnrolled,
    #[error("data folder {folder}: {source}; correct data_dir or its permissions", folder = folder.display())]
    Folder { folder: PathBuf, source: io::Error },
    #[error("{folder} is used by an agent that runs; stop it first (systemctl stop cabas-agent)", folder = folder.display())]
    InUse { folder: PathBuf },
    #[error("credential {0}; see systemd-creds(1)")]
    Credential(#[from] CredentialError),
    #[error("journal {file}: {source}", file = file.display())]
    Journal { file: PathBuf, source: JournalError },
    #[error("keys {file}: {why}; restore the file, or enrol again with a new code", file = file.display())]
    Keys { file: PathBuf, why: String },
    #[error("journal {file}: {source}", file = file.display())]
    Export { file: PathBuf, source: ExportError },
    #[error("the journal is not sound: {0} problems; keep the file and call the fund")]
    NotSound(usize),
    #[error("statement {file}: {why}", file = file.display())]
    Statement { file: PathBuf, why: String },
    #[error("the statement is not what this journal says; keep both files and call the fund")]
    StatementDiffers,
    #[error("{0:?} is not a root key: it has 64 hexadecimal digits, as `cabas-hub status` shows it")]
    RootKey(String),
    #[error("{what}: {source}")]
    Start { what: &'static str, source: io::Error },
    #[error("the program cannot start its tasks: {0}")]
    Runtime(#[source] io::Error),
    #[error("configuration: log is not a filter: {0}")]
    LogFilter(String),
    #[error("the terminal does not answer at {url}: {source}; is `cabas-agent run` running?")]
    NoTerminal { url: String, source: reqwest::Error },
    #[error("the terminal answers what is not understood: {0}; are both of one version?")]
    Answer(#[from] serde_json::Error),
    #[error("{0}")]
    NoCard(#[source] NoCard),
    #[error("the card is as it was or can be done again: {0}")]
    CardSession(#[source] CardSessionError),
    #[error("{differing} steps of the card are not as expected; it is {card_is}")]
    CardDiffers { differing: usize, card_is: &'static str },
    #[error("this program does not say what it is: it was changed; install the package again")]
    NoStamp,
    #[error("the folder of programs: {0}")]
    Programs(#[source] crate::upgrade::files::FolderError),
    #[error("the system gives no randomness")]
    NoRandomness,
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Cashiers(#[from] RollError),
    #[error("a code is 4 to 8 digits on one line; nothing was changed")]
    NoCode,
    #[error("the two codes differ; nothing was changed")]
    CodesDiffer,
    #[error("there is no terminal to ask for the code; give it on standard input with --code-stdin")]
    NoTerminalToAsk,
    #[error("the code cannot be read: {0}; nothing was changed")]
    Code(#[source] io::Error),
    #[error("no printer is set; set `printer`, such as tcp://192.168.1.50:9100 or /dev/usb/lp0")]
    NoPrinter,
    #[error("the till's line is a device; name its other end with --line, such as --line /dev/ttyUSB1")]
    TillLine,
    #[error(
        "no till is let in so; set `till_caisse_ap_listen`, such as 127.0.0.1:8888, `till_hw_proxy_listen` or a `till_concert_…` setting"
    )]
    TillOff,
    #[error(
        "nothing answers as a till's terminal at {address}: {source}; is `cabas-agent run` running with the same settings?"
    )]
    TillMute { address: String, source: io::Error },
    #[error(
        "{address} gave no answer to a debit: {source}; whether it was paid stands on the cashier's page, as not confirmed by the till"
    )]
    TillUnknown { address: String, source: io::Error },
    #[error("the printer: {0}")]
    Printer(String),
    #[error("cannot write what was found: {0}")]
    Print(#[source] io::Error),
}

impl Failure {
    /// 1 where something was not done; 2 where nobody knows whether it was.
    pub(super) const fn exit_code(&self) -> u8 {
        if matches!(self, Self::TillUnknown { .. }) { 2 } else { 1 }
    }
}
