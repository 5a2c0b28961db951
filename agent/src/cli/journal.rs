//! `journal verify` and `journal export`: need nothing but the file.

use std::path::PathBuf;

use cabas_protocol::{Hash, PublicKey};
use clap::{Args, Subcommand};

use super::Context;
use super::failure::Failure;
use crate::journal::FILE;
use crate::journal::export::{ExportFormat, export};
use crate::journal::verify::{Report, verify};
use crate::out::{Format, plain, print, stream};

#[derive(Debug, Subcommand)]
pub(super) enum Journal {
    /// Check every row: chain, signature, counters, and that the hub signed what allowed it
    Verify(Verify),
    /// Write every row: a JSON object a line with --json, otherwise CSV
    Export(Export),
}

#[derive(Args, Debug)]
pub(super) struct Verify {
    /// The journal [default: this terminal's]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The fund's root key, 64 hexadecimal digits; without it the file vouches for itself
    #[arg(long, value_name = "HEX")]
    root: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct Export {
    /// The journal [default: this terminal's]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Comma-separated values, which is what is written without --json
    #[arg(long)]
    csv: bool,
}

pub(super) fn run(context: &Context, journal: &Journal) -> Result<(), Failure> {
    match journal {
        Journal::Verify(arguments) => check(context, arguments),
        Journal::Export(arguments) => {
            let file = file_of(context, arguments.file.as_ref())?;
            let format = match (context.format, arguments.csv) {
                (Format::Json, false) => ExportFormat::Json,
                (Format::Json | Format::Text, _) => ExportFormat::Csv,
            };
            let mut result = Ok(());
            stream(|to| {
                result = export(&file, format, to);
                Ok(())
            })
            .map_err(Failure::Print)?;
            result.map_err(|source| Failure::Export { file, source })
        }
    }
}

fn check(context: &Context, arguments: &Verify) -> Result<(), Failure> {
    let root = arguments.root.as_deref().map(root_key).transpose()?;
    let file = file_of(context, arguments.file.as_ref())?;
    let report = verify(&file, root).map_err(|source| Failure::Journal { file, source })?;
    print(context.format, &report, text).map_err(Failure::Print)?;
    if report.sound { Ok(()) } else { Err(Failure::NotSound(report.problems.len())) }
}

fn root_key(hex: &str) -> Result<PublicKey, Failure> {
    let wrong = || Failure::RootKey(plain(hex));
    // A key has the length of a hash, and is written as one.
    let bytes = Hash::from_hex(hex).ok_or_else(wrong)?;
    PublicKey::new(*bytes.as_bytes()).map_err(|_| wrong())
}

fn file_of(context: &Context, given: Option<&PathBuf>) -> Result<PathBuf, Failure> {
    let file = given.cloned().unwrap_or_else(|| context.config.data_dir.join(FILE));
    if given.is_some() || file.exists() { Ok(file) } else { Err(Failure::NotEnrolled) }
}

fn text(report: &Report) -> String {
    let mut text = format!(
        "Fund {}, terminal {}, enrolment {}: {} rows, {} sales, {} cents by the fund, {} by members.\nNewest row {}\n",
        report.fund,
        report.terminal,
        report.epoch,
        report.rows,
        report.sales,
        report.fund_cents,
        report.member_cents,
        report.newest_hash
    );
    if report.doubts > 0 {
        text.push_str(&format!("{} card payments without a known end: present the card again.\n", report.doubts));
    }
    for problem in &report.problems {
        text.push_str(&format!("PROBLEM {}\n", plain(problem)));
    }
    text.push_str(match (report.sound, report.root_given) {
        (true, true) => "Sound, under the root key given.",
        (true, false) => "Sound in itself; give --root to check whose fund it is.",
        (false, _) => "Not sound.",
    });
    text
}
