//! `verify` and `backup`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use crate::core::bank_text::VerifyKeys;
use crate::core::card_proof::NoWitness;
use crate::keys::HubSecrets;
use crate::out::print;
use crate::store::OpenMode;

#[derive(Args, Debug)]
pub(super) struct Backup {
    /// The copy; a file that is there is not written over
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Serialize)]
struct Verified {
    ok: bool,
    /// False where the hub's keys are not at hand.
    proofs_made_again: bool,
    rows: u64,
    transfers: u64,
    accounts: u64,
    found: u64,
    findings: Vec<FindingLine>,
}

#[derive(Serialize)]
struct FindingLine {
    kind: String,
    subject: String,
    detail: String,
}

pub(super) fn verify(context: &Context) -> Result<(), Failure> {
    // Cards' proofs can be made again only where the keys are.
    let secrets = HubSecrets::load(&context.config.keys_dir()).ok();
    let witness: &dyn VerifyKeys = secrets.as_ref().map_or(&NoWitness, |secrets| secrets);
    let report = context.open(OpenMode::Existing)?.verify(witness)?;
    let findings = report.findings.into_iter().map(|finding| FindingLine {
        kind: format!("{:?}", finding.kind),
        subject: finding.subject,
        detail: finding.detail,
    });
    let verified = Verified {
        ok: report.found == 0,
        proofs_made_again: secrets.is_some(),
        rows: report.rows,
        transfers: report.transfers,
        accounts: report.accounts,
        found: report.found,
        findings: findings.collect(),
    };
    print(context.format, &verified, text).map_err(Failure::Print)?;
    if verified.ok { Ok(()) } else { Err(Failure::Verify(verified.found)) }
}

fn text(verified: &Verified) -> String {
    let findings = verified.findings.iter().map(|finding| {
        let all = format!("{} {}: {}", finding.kind, finding.subject, finding.detail);
        format!("{}\n", crate::out::plain(&all))
    });
    let mut text: String = findings.collect();
    let (rows, transfers, accounts) = (verified.rows, verified.transfers, verified.accounts);
    let state = if verified.ok { "All right" } else { "Not all right" };
    text.push_str(&format!("{state}: {rows} rows, {transfers} transfers and {accounts} accounts recomputed.\n"));
    if !verified.proofs_made_again {
        text.push_str(
            "The keys are not here: what purse cards proved was not made again, and the bank's text not opened.\n",
        );
    }
    text
}

#[derive(Serialize)]
struct BackedUp {
    file: String,
    bytes: u64,
    terminal_epochs_marked: u64,
}

pub(super) fn backup(context: &Context, backup: &Backup) -> Result<(), Failure> {
    let now = context.clock.now();
    let report = context.open(OpenMode::Existing)?.backup(&backup.file, now)?;
    let done = BackedUp {
        file: backup.file.display().to_string(),
        bytes: report.bytes,
        terminal_epochs_marked: report.epochs_marked,
    };
    let text = |done: &BackedUp| {
        format!(
            "{} bytes in {}, read through and found whole. The keys are not in it: they are copied apart.\n",
            done.bytes,
            crate::out::plain(&done.file)
        )
    };
    print(context.format, &done, text).map_err(Failure::Print)
}
