//! What one person proposes and another one books: the command that ends it, and how it stands.

use std::fmt::Write as _;

use clap::Args;

use crate::out::plain;

#[derive(Args, Debug)]
pub(super) struct End {
    /// The number of the proposal
    #[arg(value_name = "N")]
    pub(super) id: u64,
    /// Who says so
    #[arg(long, value_name = "NAME")]
    pub(super) by: String,
}

/// `proposed`, `booked` or `withdrawn`.
pub(super) const fn state(is_booked: bool, ended_by: Option<&str>) -> &'static str {
    match (is_booked, ended_by) {
        (true, _) => "booked",
        (false, Some(_)) => "withdrawn",
        (false, None) => "proposed",
    }
}

/// The end of a line that began with the proposal.
pub(super) fn write_end(text: &mut String, state: &str, ended_by: Option<&str>) -> std::fmt::Result {
    match ended_by {
        Some(ended) => writeln!(text, "{state} by {}", plain(ended)),
        None => writeln!(text, "waits for another person"),
    }
}
