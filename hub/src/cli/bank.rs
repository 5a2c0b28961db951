//! `bank account`, `bank import`, `bank list`, `bank match`, `bank set-aside`. No name and no IBAN of who paid is shown.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use super::fund::euros;
use crate::bank::{self, STATEMENT_BYTES_MAX};
use crate::keys::HubSecrets;
use crate::out::{plain, print};
use crate::store::{
    BankEntryView, FundAccountOrder, MoneyInProposal, MoneyInRef, OpenMode, PainVersion, Payer, PayoutRef,
};

/// Entries that `list` shows.
const LISTED_MAX: u32 = 500;

#[derive(Debug, Subcommand)]
pub(super) enum Bank {
    /// Show the fund's own account, or set it
    Account {
        /// Its IBAN
        #[arg(long, value_name = "IBAN", requires_all = ["name", "by"])]
        iban: Option<String>,
        /// The name that the bank knows
        #[arg(long, value_name = "NAME", requires = "iban")]
        name: Option<String>,
        /// Its BIC; not needed for SEPA transfers
        #[arg(long, value_name = "BIC", requires = "iban")]
        bic: Option<String>,
        /// The version of pain.001 that the bank takes
        #[arg(long, value_enum, default_value = "09")]
        pain: Pain,
        /// Who says so
        #[arg(long, value_name = "NAME", requires = "iban")]
        by: Option<String>,
    },
    /// Import a bank statement (camt.053); what was imported before changes nothing
    Import {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Who imports it
        #[arg(long, value_name = "NAME")]
        by: String,
    },
    /// List what the bank booked, newest first
    List {
        /// Only what is not explained, with what may be meant
        #[arg(long)]
        unmatched: bool,
    },
    /// Say what an entry is: a payout that it pays or brings back, a contribution, a funder's payment
    #[command(group = clap::ArgGroup::new("meant").required(true).args(["settlement", "contribution", "source", "noted"]))]
    Match {
        /// The entry's number
        #[arg(value_name = "ENTRY")]
        entry: u64,
        /// The settlement
        #[arg(long, value_name = "N")]
        settlement: Option<u32>,
        /// The shop; without it all payouts of the settlement that are open
        #[arg(long, value_name = "CODE", requires = "settlement")]
        shop: Option<String>,
        /// The household whose contribution it is
        #[arg(long, value_name = "CODE")]
        contribution: Option<String>,
        /// The funder whose payment it is
        #[arg(long, value_name = "NAME")]
        source: Option<String>,
        /// What was noted before, by number; several where the bank booked them as one
        #[arg(long, value_name = "N")]
        noted: Vec<u64>,
        /// It is another payment, though one of the same payer and amount is noted
        #[arg(long)]
        again: bool,
        /// Who says so
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Who agrees that a payout came back, where the bank's entry does not say so itself
        #[arg(long, value_name = "NAME", requires = "settlement")]
        approved_by: Option<String>,
    },
    /// Set aside a debit entry that is no payout, a bank's fee for one; or take it up again
    SetAside {
        /// The entry's number
        #[arg(value_name = "ENTRY")]
        entry: u64,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Take it up again
        #[arg(long)]
        undo: bool,
        /// Who says so
        #[arg(long, value_name = "NAME")]
        by: String,
    },
}

/// What an entry is said to be.
enum Meant {
    Payout(PayoutRef),
    MoneyIn(MoneyInRef),
}

/// The version of pain.001.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Pain {
    /// pain.001.001.03
    #[value(name = "03")]
    V03,
    /// pain.001.001.09
    #[value(name = "09")]
    V09,
}

#[derive(Serialize)]
struct AccountShown {
    name: String,
    iban: String,
    bic: Option<String>,
    pain: u8,
    set_by: String,
    set_at: u64,
}

#[derive(Serialize)]
struct Imported {
    statements: u32,
    repeated: u32,
    gaps: u32,
    entries_added: u32,
    entries_known: u32,
    entries_pending: u32,
    payouts_paid: u32,
    payouts_paid_cents: u64,
    payouts_back: u32,
    payouts_back_cents: u64,
    entries_open: u64,
    entries_unreadable: u32,
}

#[derive(Serialize)]
struct Line {
    entry: u64,
    /// `in` or `out`.
    direction: &'static str,
    cents: u64,
    booked_on: Option<String>,
    state: &'static str,
    proposals: Vec<Proposal>,
    /// Whose payment it may be.
    money_in: Vec<MoneyIn>,
}

#[derive(Serialize)]
struct MoneyIn {
    contribution: Option<String>,
    source: Option<String>,
    noted: Option<u64>,
    why: &'static str,
}

#[derive(Serialize)]
struct Proposal {
    settlement: u32,
    shop: Option<String>,
}

pub(super) fn run(context: &Context, command: &Bank) -> Result<(), Failure> {
    match command {
        Bank::Account { iban, name, bic, pain, by } => {
            let order = iban.as_ref().zip(name.as_ref()).zip(by.as_ref()).map(|((iban, name), by)| FundAccountOrder {
                name: name.clone(),
                iban: iban.clone(),
                bic: bic.clone(),
                pain: match pain {
                    Pain::V03 => PainVersion::V03,
                    Pain::V09 => PainVersion::V09,
                },
                by: by.clone(),
            });
            account(context, order.as_ref())
        }
        Bank::Import { file, by } => import(context, file, by),
        Bank::List { unmatched } => list(context, *unmatched),
        Bank::Match { entry, settlement, shop, contribution, source, noted, again, by, approved_by } => {
            let meant = match (settlement, contribution, source) {
                (Some(settlement), _, _) => Meant::Payout(PayoutRef { settlement: *settlement, shop: shop.clone() }),
                (None, Some(code), _) => Meant::MoneyIn(MoneyInRef::New(Payer::Household(code.clone()))),
                (None, None, Some(name)) => Meant::MoneyIn(MoneyInRef::New(Payer::Source(name.clone()))),
                (None, None, None) => Meant::MoneyIn(MoneyInRef::Noted(noted.clone())),
            };
            let (now, keys) = (context.clock.now(), keys(context)?);
            context.open(OpenMode::Existing)?.write(|tx| match &meant {
                Meant::Payout(meant) => tx.bank_match(*entry, meant, (by, approved_by.as_deref()), (&keys, now)),
                Meant::MoneyIn(meant) => tx.bank_match_money_in(*entry, meant, (by, *again), now).map(drop),
            })?;
            list(context, true)
        }
        Bank::SetAside { entry, reason, undo, by } => {
            let (now, keys) = (context.clock.now(), keys(context)?);
            let mut db = context.open(OpenMode::Existing)?;
            db.write(|tx| tx.bank_set_aside(*entry, !undo, (reason, by), (&keys, now)))?;
            list(context, true)
        }
    }
}

/// The bank's text is sealed.
fn keys(context: &Context) -> Result<HubSecrets, Failure> {
    Ok(HubSecrets::load(&context.config.keys_dir())?)
}

fn account(context: &Context, order: Option<&FundAccountOrder>) -> Result<(), Failure> {
    let now = context.clock.now();
    let mut db = context.open(OpenMode::Existing)?;
    if let Some(order) = order {
        db.write(|tx| tx.fund_account_set(order, now))?;
    }
    let shown = db.read(|tx| tx.fund_account())?.map(|account| AccountShown {
        name: account.name,
        iban: account.iban,
        bic: account.bic,
        pain: account.pain.number(),
        set_by: account.set_by,
        set_at: account.set_at.get(),
    });
    print(context.format, &shown, |shown| match shown {
        Some(shown) => format!("{} ({}), pain.001.001.{:02}\n", shown.iban, plain(&shown.name), shown.pain),
        None => "The fund's own account is not known yet.\n".to_owned(),
    })
    .map_err(Failure::Print)
}

fn import(context: &Context, file: &Path, by: &str) -> Result<(), Failure> {
    let now = context.clock.now();
    let mut db = context.open(OpenMode::Existing)?;
    let statements = bank::read(&bytes(file)?)?;
    let keys = keys(context)?;
    let report = db.write(|tx| tx.bank_import(&statements, by, (&keys, now)))?;
    let imported = Imported {
        statements: report.statements,
        repeated: report.repeated,
        gaps: report.gaps,
        entries_added: report.added,
        entries_known: report.known,
        entries_pending: report.pending,
        payouts_paid: report.paid,
        payouts_paid_cents: report.paid_cents.get(),
        payouts_back: report.back,
        payouts_back_cents: report.back_cents.get(),
        entries_open: report.open,
        entries_unreadable: report.unreadable,
    };
    print(context.format, &imported, text).map_err(Failure::Print)
}

/// At most one byte more than is taken, however large the file is.
fn bytes(file: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |source| Failure::File { what: "the statement", file: file.to_owned(), source };
    let limit = u64::try_from(STATEMENT_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    File::open(file).map_err(failed)?.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn text(done: &Imported) -> String {
    let mut text = format!(
        "{} statements ({} imported before), {} entries: {} new, {} known, {} not booked yet\n\
         {} payouts paid ({} €), {} came back ({} €); {} entries are open: cabas-hub bank list --unmatched\n",
        done.statements,
        done.repeated,
        done.entries_added.saturating_add(done.entries_known).saturating_add(done.entries_pending),
        done.entries_added,
        done.entries_known,
        done.entries_pending,
        done.payouts_paid,
        euros(done.payouts_paid_cents),
        done.payouts_back,
        euros(done.payouts_back_cents),
        done.entries_open
    );
    if done.entries_unreadable > 0 {
        let _written = writeln!(
            text,
            "What the bank wrote with {} open entries does not open, so people say what they are; see cabas-hub verify.",
            done.entries_unreadable
        );
    }
    if done.gaps > 0 {
        text.push_str("A statement may be missing: this one does not begin with the balance of one before.\n");
    }
    text
}

fn list(context: &Context, unmatched: bool) -> Result<(), Failure> {
    let keys = keys(context)?;
    let entries = context.open(OpenMode::Existing)?.read(|tx| tx.bank_entries(&keys, unmatched, LISTED_MAX))?;
    let lines: Vec<_> = entries.into_iter().map(line).collect();
    print(context.format, &lines, |lines| {
        if lines.is_empty() { "Nothing is listed.\n".to_owned() } else { lines.iter().map(line_text).collect() }
    })
    .map_err(Failure::Print)
}

fn line(view: BankEntryView) -> Line {
    let propose = |meant: PayoutRef| Proposal { settlement: meant.settlement, shop: meant.shop };
    Line {
        entry: view.id,
        direction: if view.is_credit { "in" } else { "out" },
        cents: view.cents.get(),
        booked_on: view.booked_on.map(bank::day),
        state: match view.state {
            1 => "payouts",
            2 => "money in",
            3 => "set aside",
            _ => "open",
        },
        proposals: view.proposals.into_iter().map(propose).collect(),
        money_in: view.money_in.into_iter().map(money_in).collect(),
    }
}

fn money_in(proposal: MoneyInProposal) -> MoneyIn {
    let mut shown = MoneyIn { contribution: None, source: None, noted: None, why: proposal.why };
    match proposal.meant {
        MoneyInRef::New(Payer::Household(code)) => shown.contribution = Some(code),
        MoneyInRef::New(Payer::Source(name)) => shown.source = Some(name),
        MoneyInRef::Noted(ids) => shown.noted = ids.first().copied(),
    }
    shown
}

fn money_in_text(entry: u64, meant: &MoneyIn) -> String {
    let option = match (&meant.contribution, &meant.source, meant.noted) {
        (Some(code), _, _) => format!("--contribution {}", plain(code)),
        (None, Some(name), _) => format!("--source '{}'", plain(name)),
        (None, None, Some(number)) => format!("--noted {number}"),
        (None, None, None) => String::new(),
    };
    format!("       perhaps ({}): cabas-hub bank match {entry} {option} --by NAME\n", meant.why)
}

fn line_text(line: &Line) -> String {
    let day = line.booked_on.as_deref().unwrap_or("-");
    let head =
        format!("{:>6} {day:<10} {:>3} {:>12} € {}\n", line.entry, line.direction, euros(line.cents), line.state);
    let proposals = line.proposals.iter().map(|meant| {
        let shop = meant.shop.as_ref().map_or_else(String::new, |code| format!(" --shop {}", plain(code)));
        let (entry, settlement) = (line.entry, meant.settlement);
        let other = if line.direction == "in" { " --approved-by NAME" } else { "" };
        format!("       perhaps: cabas-hub bank match {entry} --settlement {settlement}{shop} --by NAME{other}\n")
    });
    let money_in = line.money_in.iter().map(|meant| money_in_text(line.entry, meant));
    head + &proposals.chain(money_in).collect::<String>()
}
