//! Writing to standard output: for people or for programs, and a closed pipe is no failure.

use serde::Serialize;
use std::io::{self, Write as _};

/// How a command's result is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// Lines for people.
    Text,
    /// One JSON object.
    Json,
}

impl Format {
    /// What `--json` asks for.
    #[must_use]
    pub const fn of(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }
}

/// Writes a result: `text` for people, the value itself for programs.
///
/// # Errors
/// The output is full or broken. A reader that went away is not an error.
pub fn print<T: Serialize>(format: Format, value: &T, text: impl FnOnce(&T) -> String) -> io::Result<()> {
    let shown = match format {
        Format::Text => text(value),
        Format::Json => serde_json::to_string_pretty(value).map_err(io::Error::from)?,
    };
    line(shown.trim_end_matches('\n'))
}

/// Writes one line, at once.
///
/// # Errors
/// As [`print()`].
pub fn line(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    unless_closed(writeln!(stdout, "{text}").and_then(|()| stdout.flush()))
}

/// Writes bytes as they are made, for what may be long.
///
/// # Errors
/// As [`print()`].
pub fn stream(write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> io::Result<()> {
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    unless_closed(write(&mut stdout).and_then(|()| stdout.flush()))
}

/// Writes a line to standard error; nobody can be told where that fails.
pub fn complain(text: &str) {
    let _unreported = writeln!(io::stderr().lock(), "{text}");
}

fn unless_closed(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Text from a file or a peer, made harmless for a terminal: control characters become `?`.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_is_no_failure_and_a_full_disk_is() {
        assert!(unless_closed(Err(io::ErrorKind::BrokenPipe.into())).is_ok());
        assert!(unless_closed(Err(io::ErrorKind::StorageFull.into())).is_err());
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\nc"), "a?[2Jb?c");
    }
}
