//! `journal verify` and `journal export`: need nothing but the file.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use cabas_protocol::{Hash, PublicKey};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use crate::journal::FILE;
use crate::journal::export::{ExportFormat, export};
use crate::journal::verify::{Report, verify};
use crate::journal::verify_statement::{Compare, FILE_BYTES_MAX, check_statement};
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
    /// A settlement's statement that the fund gave out: is each sale in it, with its amount, and what is not paid, and why
    #[arg(long, value_name = "FILE")]
    settlement: Option<PathBuf>,
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
    let report = verify(&file, root).map_err(|source| Failure::Journal { file: file.clone(), source })?;
    let compared = arguments.settlement.as_deref().map(|statement| compare(&file, root, statement)).transpose()?;
    let found = Found { report, settlement: compared };
    print(context.format, &found, |found| {
        [text(&found.report), found.settlement.as_ref().map_or(String::new(), statement_text)].concat()
    })
    .map_err(Failure::Print)?;
    if !found.report.sound {
        return Err(Failure::NotSound(found.report.problems.len()));
    }
    if found.settlement.is_none_or(|compared| compared.agrees) { Ok(()) } else { Err(Failure::StatementDiffers) }
}

/// What was found, and how a statement compares where one was given.
#[derive(Serialize)]
struct Found {
    #[serde(flatten)]
    report: Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    settlement: Option<Compare>,
}

fn compare(file: &Path, root: Option<PublicKey>, statement: &Path) -> Result<Compare, Failure> {
    let failed = |why: String| Failure::Statement { file: statement.to_owned(), why };
    let most = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let read = File::open(statement).and_then(|opened| opened.take(most).read_to_end(&mut bytes));
    read.map_err(|error| failed(error.to_string()))?;
    check_statement(file, root, bytes).map_err(|error| failed(error.to_string()))
}

fn statement_text(found: &Compare) -> String {
    let mut text = format!(
        "\nSettlement {} of {}, closed at {}: {} cents are paid.\n",
        found.settlement,
        plain(&found.shop),
        found.closed_at,
        found.payout_cents
    );
    for row in found.rows.iter().filter(|row| row.verdict != "same") {
        let own = row.own_cents.map_or("nothing".to_owned(), |cents| format!("{cents} cents"));
        let why = row.why.map_or(String::new(), |why| format!(": {why}"));
        text.push_str(&format!(
            "{} {} row {}: {own} here, {} settled and {} not paid there{why}\n",
            row.verdict, row.kind, row.seq, row.settled_cents, row.unpaid_cents
        ));
    }
    if let Some(seq) = found.other_past_at {
        text.push_str(&format!("DIFFERS: up to row {seq} the hub has other rows than this journal\n"));
    }
    if !found.adds_up {
        text.push_str("DIFFERS: what is paid does not follow from the lines\n");
    }
    text.push_str(&format!(
        "{} lines of other terminals are theirs to check; {} sales here ({} cents) came after the cut.\n{}",
        found.lines_of_others,
        found.later_sales,
        found.later_cents,
        if found.agrees { "The statement is what this journal says." } else { "The statement differs." }
    ));
    text
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
