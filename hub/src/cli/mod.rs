//! The command line: one file a group of commands. A command opens the database beside a running `serve`.

mod alert;
mod bank;
mod card;
mod card_proofs;
mod closing;
mod contribution;
mod credit;
mod doctor;
mod evaluation;
mod exposure;
mod failure;
mod forecast;
mod fund;
mod household;
mod import;
mod joining;
mod key;
mod logs;
mod payout;
mod people;
mod receipt;
mod release;
mod report;
mod restore;
mod rule;
mod serve;
mod settlement;
mod shop;
mod source;
mod statement;
mod takeout;
mod terminal;
mod terminal_ingest;
mod two_people;
mod upkeep;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::clock::Clock;
use crate::config::Config;
use crate::out::{Format, complain};
use crate::store::{Db, OpenMode};
use failure::Failure;

pub(crate) use restore::LOCK;

/// The fund's server: ledger, signed balances, terminals, settlement.
#[derive(Debug, Parser)]
#[command(name = "cabas-hub", version, propagate_version = true)]
pub struct Arguments {
    /// Configuration file (TOML); every key can be overridden as `CABAS_HUB_KEY` [default: /etc/cabas/hub.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Write what is printed as JSON; amounts are whole cents
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new fund: data directory, keys, empty ledger
    Init(fund::Init),
    /// Run the hub until it is told to stop
    Serve,
    /// Import households, cards and shops from CSV files; nothing is booked unless every line is good
    Import(import::Import),
    /// Terminals: add, revoke, close, list
    #[command(subcommand)]
    Terminal(terminal::Terminal),
    /// Shops: list, and what households are to find where there is no network
    #[command(subcommand)]
    Shop(shop::Shop),
    /// How shops join: proposed, visited, decided on, signed, open; later suspended or closed
    #[command(subcommand)]
    Joining(joining::Joining),
    /// Cards: block, unblock, replace
    #[command(subcommand)]
    Card(card::Card),
    /// Monthly credits
    #[command(subcommand)]
    Credit(credit::Credit),
    /// Who gives money: budgets by year, what was credited, what is left, what was paid
    #[command(subcommand)]
    Source(source::Source),
    /// What households contribute: add, import, take back, list, report
    #[command(subcommand)]
    Contribution(contribution::Contribution),
    /// Households: list, change, leave, return
    #[command(subcommand)]
    Household(household::Household),
    /// Corrections of a household's money, by two people
    #[command(subcommand)]
    Correction(household::Correction),
    /// What purse cards counted as spent without goods, given back by two people
    #[command(subcommand)]
    Repayment(card_proofs::Repayment),
    /// What a household is credited: dated rules
    #[command(subcommand)]
    Rule(rule::Rule),
    /// Money that expires by the rule of a month
    #[command(subcommand)]
    Expiry(rule::Expiry),
    /// What part of which goods the fund covers, at which shop, from which day on
    #[command(subcommand)]
    Grid(rule::Grid),
    /// What the shops are owed: preview and close
    #[command(subcommand)]
    Settlement(settlement::Settlement),
    /// The fund's bank account, and what the bank says
    #[command(subcommand)]
    Bank(bank::Bank),
    /// Exports for others
    #[command(subcommand)]
    Export(payout::Export),
    /// Recompute ledger, chains, signatures and claims, and say what is wrong
    Verify,
    /// Copy the database into a new file while the hub runs
    Backup(upkeep::Backup),
    /// Put a backup in the place of the database, while no hub runs
    Restore(restore::Restore),
    /// The keys that the hub signs with: list, rotate, revoke
    #[command(subcommand)]
    Key(key::Key),
    /// What may still go wrong, as one number with its parts
    Exposure,
    /// Goodwill: advance what lies at terminals that do not answer
    #[command(subcommand)]
    Goodwill(exposure::Goodwill),
    /// A household's money
    #[command(subcommand)]
    Purse(exposure::Purse),
    /// The whole fund: pause, resume
    #[command(subcommand)]
    Fund(exposure::Fund),
    /// Who works with the web site: add, list, disable, recover
    #[command(subcommand)]
    User(user::User),
    /// Programs that read the web site as JSON: add, list, revoke
    #[command(subcommand)]
    Token(user::Token),
    /// Show fund, terminals and totals
    Status,
    /// Receipts without paper: check one
    #[command(subcommand)]
    Receipt(receipt::Receipt),
    /// Programs for terminals: sign, add, offer, list, withdraw
    #[command(subcommand)]
    Release(release::ReleaseCommand),
    /// Figures of the fund, legal thresholds, and what there is to do
    #[command(subcommand)]
    Report(report::Report),
    /// Look at machine, ledger and terminals and say what is wrong and what to do; ends with 0 fine, 1 look, 2 wrong
    Doctor(doctor::Doctor),
    /// Whom the hub tells of what is wrong: test, list
    #[command(subcommand)]
    Alert(alert::Alert),
}

/// What every command works with.
struct Context {
    config: Config,
    clock: Clock,
    format: Format,
}

impl Context {
    /// Opens the database beside whoever else has it open.
    fn open(&self, mode: OpenMode) -> Result<Db, Failure> {
        let file = self.config.database();
        if !file.exists() {
            return Err(Failure::NotInitialised(file));
        }
        let db = Db::open(&file, mode).map_err(|source| Failure::Open { file, source })?;
        Ok(db.with_shares(self.config.shares()))
    }
}

/// Does what the command line says: 0 done, 1 refused or failed; wrong usage ends with 2 before this.
#[must_use]
pub fn run(arguments: Arguments) -> ExitCode {
    // Whatever it makes (database, keys, backups) is for its owner alone.
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o077));
    match try_run(arguments) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            complain(&format!("cabas-hub: {failure}"));
            ExitCode::FAILURE
        }
    }
}

fn try_run(arguments: Arguments) -> Result<u8, Failure> {
    let config = Config::read(arguments.config.as_deref())?;
    let format = if arguments.json { Format::Json } else { Format::Text };
    let context = Context { config, clock: Clock::System, format };
    match arguments.command {
        Command::Init(init) => fund::init(&context, &init),
        Command::Serve => serve::serve(&context),
        Command::Import(import) => import::import(&context, &import),
        Command::Terminal(terminal) => terminal::run(&context, &terminal),
        Command::Shop(shop) => shop::run(&context, &shop),
        Command::Joining(joining) => joining::run(&context, &joining),
        Command::Card(card) => card::run(&context, &card),
        Command::Credit(credit) => credit::run(&context, &credit),
        Command::Source(command) => source::run(&context, &command),
        Command::Contribution(command) => contribution::run(&context, &command),
        Command::Household(command) => household::household(&context, &command),
        Command::Correction(command) => household::correction(&context, &command),
        Command::Repayment(command) => card_proofs::repayment(&context, &command),
        Command::Rule(command) => rule::rule(&context, &command),
        Command::Expiry(command) => rule::expiry(&context, &command),
        Command::Grid(command) => rule::grid(&context, &command),
        Command::Settlement(settlement) => settlement::run(&context, &settlement),
        Command::Bank(bank) => bank::run(&context, &bank),
        Command::Export(export) => payout::export(&context, &export),
        Command::Verify => upkeep::verify(&context),
        Command::Backup(backup) => upkeep::backup(&context, &backup),
        Command::Restore(restore) => restore::restore(&context, &restore),
        Command::Key(key) => key::run(&context, &key),
        Command::Exposure => exposure::exposure(&context),
        Command::Goodwill(goodwill) => exposure::goodwill(&context, &goodwill),
        Command::Purse(purse) => exposure::purse(&context, &purse),
        Command::Fund(fund) => exposure::fund(&context, &fund),
        Command::User(command) => user::user(&context, &command),
        Command::Token(command) => user::token(&context, &command),
        Command::Status => fund::status(&context),
        Command::Receipt(receipt) => receipt::run(&context, &receipt),
        Command::Release(command) => release::run(&context, &command),
        Command::Report(report) => report::run(&context, &report),
        Command::Doctor(doctor) => return doctor::run(&context, &doctor),
        Command::Alert(alert) => alert::run(&context, &alert),
    }?;
    Ok(0)
}
