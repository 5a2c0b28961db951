//! `settlement statement`: a settlement as a signed file for one shop.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use cabas_protocol::statement::{SettlementStatement, Totals};
use clap::Args;
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use super::fund::euros;
use crate::out::{plain, print};
use crate::signers::Signers;
use crate::store::{OpenMode, StoreError};

#[derive(Args, Debug)]
pub(super) struct Statement {
    /// The settlement's number
    #[arg(value_name = "N")]
    settlement: u32,
    /// The shop's code
    #[arg(long, value_name = "CODE")]
    shop: String,
    /// The file to write; none may stand there
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Serialize)]
struct Written {
    settlement: u32,
    shop: String,
    file: String,
    closed_at: u64,
    lines: usize,
    earned_cents: u64,
    taken_back_cents: u64,
    unpaid_cents: u64,
    carried_cents: u64,
    carry_on_cents: u64,
    payout_cents: u64,
}

pub(super) fn write(context: &Context, arguments: &Statement) -> Result<(), Failure> {
    let mut db = context.open(OpenMode::Existing)?;
    let (statement, keys) =
        db.read(|tx| Ok((tx.settlement_statement(arguments.settlement, &arguments.shop)?, tx.signing_keys()?)))?;
    let signers = Signers::load(&context.config.keys_dir())?;
    signers.update(&keys);
    let signer = signers.of_anybody().map_err(|_| Failure::NoSigner)?;
    let totals = statement.totals().map_err(StoreError::from)?;
    let signed = signer.sign(&statement).into_bytes();
    let failed = |source| Failure::File { what: "cannot write", file: arguments.out.clone(), source };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&arguments.out).map_err(failed)?;
    file.write_all(&signed).and_then(|()| file.sync_all()).map_err(failed)?;
    print(context.format, &written(arguments, &statement, totals), text).map_err(Failure::Print)
}

fn written(arguments: &Statement, statement: &SettlementStatement, totals: Totals) -> Written {
    Written {
        settlement: statement.settlement,
        shop: statement.shop.clone(),
        file: arguments.out.display().to_string(),
        closed_at: statement.closed_at.get(),
        lines: statement.lines.len(),
        earned_cents: totals.earned.get(),
        taken_back_cents: totals.taken_back.get(),
        unpaid_cents: totals.unpaid.get(),
        carried_cents: statement.carried.get(),
        carry_on_cents: statement.carry_on.get(),
        payout_cents: statement.payout.get(),
    }
}

fn text(written: &Written) -> String {
    format!(
        "Settlement {} of {}: {} lines, {} € earned, {} € taken back, {} € not paid; {} € are paid.\n\
         The shop checks it: cabas-agent journal verify --settlement {}\n",
        written.settlement,
        plain(&written.shop),
        written.lines,
        euros(written.earned_cents),
        euros(written.taken_back_cents),
        euros(written.unpaid_cents),
        euros(written.payout_cents),
        plain(&written.file)
    )
}
