//! Why a command ends with 1: what, where, and what to do next, in one line.

use std::io;
use std::path::PathBuf;

use cabas_protocol::KeyId;

use crate::config::ConfigError;
use crate::core::evaluation::EVALUATION_MONTHS_MAX;
use crate::core::household_rules::ImpossibleHousehold;
use crate::core::period::Period;
use crate::keys::KeyError;
use crate::server::run::StartError;
use crate::store::StoreError;

/// Why a command failed or was refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("there is no fund at {file}; run `cabas-hub init` or correct data_dir", file = .0.display())]
    NotInitialised(PathBuf),
    #[error("database {file}: {source}", file = file.display())]
    Open { file: PathBuf, source: StoreError },
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{what} {file}: {source}; check path, permissions and free space", file = file.display())]
    File { what: &'static str, file: PathBuf, source: io::Error },
    #[error("{file} is no second copy of a terminal's journal; take the file cabas-N-E.rows of its USB stick", file = .0.display())]
    NoSecondCopy(PathBuf),
    #[error(
        "the hub was restored and still asks terminal {0} what it holds: nothing was taken; let it call; only where the machine is gone for good, add --dead, which cannot be taken back"
    )]
    SecondCopyAsked(u32),
    #[error(
        "{taken} new rows were taken; the others wait until the restore has ended, for what other terminals hold may be needed to book them: see \
         cabas-hub status, and bring the file again then, before this enrolment is closed"
    )]
    SecondCopyWaits { taken: u64 },
    #[error("{dir} has something in it; init writes over nothing: name an empty data_dir, or keep this fund", dir = .0.display())]
    DataDirInUse(PathBuf),
    #[error("{dir} has something in it; an export writes over nothing: name a new folder", dir = .0.display())]
    FolderInUse(PathBuf),
    #[error("{0}: not a name of 1 to 64 bytes without control characters; choose another")]
    Name(&'static str),
    #[error("{file} is a fund's live database; add --move-away to move it aside and put the backup in its place", file = .0.display())]
    LiveDatabase(PathBuf),
    #[error("no household has the code {code}; see the files that were imported", code = crate::out::plain(.0))]
    UnknownHousehold(String),
    #[error("{0}; correct --size and --children-under-14")]
    Household(#[source] ImpossibleHousehold),
    #[error("the UID cannot be taken: {0}")]
    Uid(#[source] crate::import::Wrong),
    #[error("a hub runs on {dir}; stop it first", dir = .0.display())]
    HubRuns(PathBuf),
    #[error("the fund has {0} signing keys, and terminals keep no more")]
    TooManyKeys(usize),
    #[error("the fund has no signing key {0}; see cabas-hub key list")]
    UnknownKey(KeyId),
    #[error("{0} is the last signing key in force; make a new one first: cabas-hub key rotate")]
    LastKey(KeyId),
    #[error("no CSV file in {dir}; name the files or another folder", dir = .0.display())]
    NoCsv(PathBuf),
    #[error("{file} is over {max} bytes; split it", file = file.display())]
    FileTooLarge { file: PathBuf, max: usize },
    #[error("nothing was imported: {count} problem(s); correct the lines above and import again")]
    Import { count: usize },
    #[error("no signing key is left that was not taken back and lies in keys/; make one: cabas-hub key rotate")]
    NoSigner,
    #[error("{file} is none of PDF, PNG, JPEG, WebP, OpenDocument, Word or UTF-8 text; convert it", file = .0.display())]
    DocumentType(PathBuf),
    #[error("{file} is empty or over {max} bytes; make it smaller", file = file.display())]
    DocumentSize { file: PathBuf, max: u64 },
    #[error("a pair or trio is two or three different members; name each once with --member")]
    Pair,
    #[error("no free enrolment code was found; try again")]
    NoCode,
    #[error("terminal {terminal} belongs to shop {shop}; leave --terminal away to add one to another shop")]
    OtherShop { terminal: u32, shop: String },
    #[error("the statement was not imported: {0}")]
    Statement(#[from] crate::bank::StatementError),
    #[error("{0} is not over; an evaluation is of whole months that are over: choose an earlier --to")]
    MonthNotOver(Period),
    #[error("this is not a whole receipt; copy the whole address from its QR code, in quotes")]
    NoReceipt,
    #[error("not authentic: no terminal of this fund signed this receipt; it was changed, or comes from elsewhere")]
    ReceiptNotOurs,
    #[error("the receipt is not confirmed; see why above, and cabas-hub terminal list")]
    ReceiptNotConfirmed,
    #[error("--from {from} --to {to} are no months in a row, or more than {EVALUATION_MONTHS_MAX}; choose others")]
    Months { from: Period, to: Period },
    #[error("release_key is not set; the public half of the fund's release key belongs into the configuration")]
    NoReleaseKey,
    #[error("{file} is no program for terminals: {why}", file = file.display())]
    NoProgram { file: PathBuf, why: String },
    #[error("{file} is not what the fund's release key says of this program: {why}; sign it: cabas-hub release sign", file = file.display())]
    NoRelease { file: PathBuf, why: String },
    #[error("the fund's SIREN is not known; set siren = \"…\" in the configuration, the export is named by it")]
    NoSiren,
    #[error("verify found {0} problem(s); keep the database as it is and see the list above")]
    Verify(u64),
    #[error("the system gives the hub no {what}: {source}")]
    System { what: &'static str, source: io::Error },
    #[error("log = {filter}: {source}; write it like info or cabas_hub=debug,warn")]
    Log { filter: String, source: tracing_subscriber::filter::ParseError },
    #[error("the result could not be written: {0}; the work itself was done")]
    Print(#[source] io::Error),
    #[error("alerts go nowhere: set alert_mail_server or alert_webhook in the configuration")]
    NoAlerts,
    #[error("{0} way(s) did not take the message; see why above")]
    AlertNotDelivered(usize),
    #[error("the port failed: {0}; start the hub again")]
    Serve(#[source] io::Error),
}
