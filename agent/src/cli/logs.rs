//! Where lines of the log go: to the journal of systemd with their fields, where systemd started the program; otherwise to
//! standard error.
//!
//! What levels mean: `error` somebody must act; `warn` looked at tomorrow; `info` the program's life; `debug` off.

use std::os::unix::fs::MetadataExt as _;

use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::failure::Failure;

/// Before each field's name in the journal: `SALE_STAN` becomes `CABAS_SALE_STAN`.
const FIELD_PREFIX: &str = "CABAS";
/// Where systemd names device and inode of the stream that it gave.
const STREAM: &str = "JOURNAL_STREAM";

/// Starts the log. The simple filter, by target and level, needs no regular expressions.
pub(super) fn start(filter: &str) -> Result<(), Failure> {
    let filter: Targets = filter.parse().map_err(|error| Failure::LogFilter(format!("{filter:?}: {error}")))?;
    let journal = is_journal().then(tracing_journald::layer).and_then(Result::ok);
    let lines = match journal {
        Some(journal) => journal.with_field_prefix(Some(FIELD_PREFIX.to_owned())).boxed(),
        None => tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false).boxed(),
    };
    drop(tracing_subscriber::registry().with(lines).with(filter).try_init());
    Ok(())
}

/// True where standard error is the stream that systemd gave: a program that was started by hand in between has another.
fn is_journal() -> bool {
    let Some(stream) = std::env::var_os(STREAM) else { return false };
    let given = std::fs::metadata("/proc/self/fd/2").map(|found| format!("{}:{}", found.dev(), found.ino()));
    given.is_ok_and(|given| stream.to_str() == Some(given.as_str()))
}
