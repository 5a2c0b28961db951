//! `receipt`: receipts without paper.

use cabas_protocol::e_receipt::of_text;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use super::fund::euros;
use crate::core::receipts::ReceiptVerdict;
use crate::out::{plain, print};
use crate::store::{OpenMode, ReceiptCheck, SignedReceipt, StoreError};

#[derive(Debug, Subcommand)]
pub(super) enum Receipt {
    /// Say whether a terminal of the fund signed a receipt and whether the fund has it; ends with 1 where it is not authentic
    Check(Check),
}

#[derive(Args, Debug)]
pub(super) struct Check {
    /// The receipt's text, or the address from its QR code in quotes
    #[arg(value_name = "TEXT")]
    text: String,
}

#[derive(Serialize)]
struct Checked {
    verdict: &'static str,
    authentic: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_since: Option<u64>,
    shop: String,
    terminal: u32,
    epoch: u32,
    seq: u32,
    number: String,
    kind: &'static str,
    at: u64,
    cents: u64,
    fund_cents: u64,
    member_cents: u64,
    lines: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    category: u16,
    label_fr: Option<String>,
    label_en: Option<String>,
    fund_cents: u64,
    member_cents: u64,
}

pub(super) fn run(context: &Context, command: &Receipt) -> Result<(), Failure> {
    let Receipt::Check(Check { text }) = command;
    let signed = of_text(text).map_err(|_| Failure::NoReceipt)?;
    let mut db = context.open(OpenMode::Existing)?;
    let found = match db.read(|tx| tx.receipt_check(&signed))? {
        ReceiptCheck::Unreadable => return Err(Failure::NoReceipt),
        ReceiptCheck::NotOurs => return Err(Failure::ReceiptNotOurs),
        ReceiptCheck::Signed(found) => found,
    };
    print(context.format, &checked(&found)?, shown).map_err(Failure::Print)?;
    if found.verdict.is_authentic() { Ok(()) } else { Err(Failure::ReceiptNotConfirmed) }
}

fn checked(found: &SignedReceipt) -> Result<Checked, StoreError> {
    let (receipt, verdict) = (&found.receipt, found.verdict);
    let (fund, member) = (receipt.fund()?, receipt.member()?);
    let lines = receipt.lines.iter().map(|line| {
        let category = found.categories.iter().find(|category| category.id == line.category);
        Line {
            category: line.category.get(),
            label_fr: category.map(|category| category.label_fr.clone()),
            label_en: category.map(|category| category.label_en.clone()),
            fund_cents: line.fund.get(),
            member_cents: line.member.get(),
        }
    });
    Ok(Checked {
        verdict: verdict.name(),
        authentic: verdict.is_authentic(),
        closed_since: match verdict {
            ReceiptVerdict::Closed { since } => Some(since.get()),
            ReceiptVerdict::Received
            | ReceiptVerdict::NotReceived
            | ReceiptVerdict::Disputed
            | ReceiptVerdict::Revoked
            | ReceiptVerdict::Contradicted => None,
        },
        shop: found.shop.clone(),
        terminal: receipt.terminal.get(),
        epoch: receipt.epoch.get(),
        seq: receipt.seq.get(),
        number: receipt.stan.to_string(),
        kind: receipt.kind.name(),
        at: receipt.at.get(),
        cents: fund.plus(member)?.get(),
        fund_cents: fund.get(),
        member_cents: member.get(),
        lines: lines.collect(),
    })
}

fn shown(checked: &Checked) -> String {
    let meaning = match checked.verdict {
        "received" => "authentic; the fund has this operation",
        "not_received" => "authentic; the shop has not sent this operation yet",
        "disputed" => "authentic; the fund has this operation and clears up its place in the journal",
        "closed" => "not confirmed: signed by a terminal that was closed before",
        "revoked" => "not confirmed: signed by a terminal that may sell no more, and never received",
        _ => "not authentic: the terminal's journal says something else; its key may be stolen",
    };
    format!(
        "{meaning}\n{} of {} at {}, terminal {}, number {}, row {} of enrolment {}: the fund pays {} €, the member {} €\n",
        checked.kind,
        jiff::Timestamp::from_second(i64::try_from(checked.at).unwrap_or(i64::MAX)).unwrap_or(jiff::Timestamp::MAX),
        plain(&checked.shop),
        checked.terminal,
        checked.number,
        checked.seq,
        checked.epoch,
        euros(checked.fund_cents),
        euros(checked.member_cents),
    )
}
