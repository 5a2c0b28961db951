//! The command line. `run` is the terminal itself; `status`, `sell`, `balance` and `printer test` ask the one that runs;
//! `journal` reads the file beside it.

mod card;
mod cashier;
mod closings;
mod doctor;
mod enrol;
mod failure;
mod follow;
mod inspect;
mod journal;
mod local;
mod lock;
mod logs;
mod machine;
mod phone;
mod printer;
mod selftest;
mod sell;
mod serve;
mod till;
mod till_concert;
mod till_page;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;
use crate::out::{Format, complain, plain};
use failure::Failure;

/// The program at each shop: reads the member's card, authorizes the sale with or without a network, prints, syncs.
#[derive(Debug, Parser)]
#[command(name = "cabas-agent", version, propagate_version = true)]
pub struct Arguments {
    /// Configuration file (TOML) [default: /etc/cabas/agent.toml where it exists]; `CABAS_AGENT_KEY` overrides a key
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
    /// Enrol this terminal at the fund's hub with a one-time code
    Enrol(enrol::Enrol),
    /// Run the terminal until it is told to stop
    Run,
    /// Show how the running terminal is
    Status,
    /// Sell from the shell: asks the running terminal, then waits for the card
    Sell(sell::Sell),
    /// Ask the running terminal what a card can pay here; for the member's eyes
    Balance,
    /// Close the day, the month or the year at the running terminal: its totals, and the perpetual one
    Close(closings::Close),
    /// Show the closings that the running terminal has written
    Closings(closings::Closings),
    /// Show what was done on a day, or what a receipt's number stands for
    History(closings::History),
    /// The journal: verify, export
    #[command(subcommand)]
    Journal(journal::Journal),
    /// Purse cards on this machine's reader: issue, retire, renew by the hub's word; inspect; selftest
    #[command(subcommand)]
    Card(card::Card),
    /// The receipt printer: test
    #[command(subcommand)]
    Printer(printer::Printer),
    /// Cashiers and their codes: add, remove, list
    #[command(subcommand)]
    Cashier(cashier::Cashier),
    /// Telephones as the cashier's screen, at the running terminal: code, list, remove
    #[command(subcommand)]
    Phone(phone::Phone),
    /// Tills by Caisse-AP: test
    #[command(subcommand)]
    Till(till::Till),
    /// Look at machine, journal, reader, printer and hub, and say what is wrong and what to do; ends with 0 fine, 1 look, 2 wrong
    Doctor(doctor::Doctor),
}

/// What every command knows.
struct Context {
    config: Config,
    format: Format,
}

/// Runs a command; its exit code is 0 where it was done, 1 where it was refused or failed, 2 where nobody knows.
#[must_use]
pub fn run(arguments: Arguments) -> ExitCode {
    match dispatch(arguments) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            complain(&format!("cabas-agent: {}", plain(&failure.to_string())));
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Gives the exit code of what was done.
fn dispatch(arguments: Arguments) -> Result<u8, Failure> {
    let (read, format) = (Config::read(arguments.config.as_deref()), Format::of(arguments.json));
    let config = match (read, &arguments.command) {
        (Ok(config), _) => config,
        (Err(error), Command::Doctor(doctor)) => return doctor::no_settings(doctor, format, &error.to_string()),
        (Err(error), _) => return Err(error.into()),
    };
    let context = Context { config, format };
    match arguments.command {
        Command::Enrol(enrol) => block_on(enrol::run(&context, &enrol)),
        Command::Run => {
            logs::start(&context.config.log)?;
            block_on(serve::run(&context.config))
        }
        Command::Status => block_on(local::status(&context)),
        Command::Sell(sell) => block_on(sell::sell(&context, &sell)),
        Command::Balance => block_on(local::balance(&context)),
        Command::Close(close) => block_on(closings::close(&context, &close)),
        Command::Closings(closings) => block_on(closings::closings(&context, &closings)),
        Command::History(history) => block_on(closings::history(&context, &history)),
        Command::Journal(journal) => journal::run(&context, &journal),
        Command::Card(card) => block_on(card::run(&context, &card)),
        Command::Printer(printer::Printer::Test) => block_on(printer::test(&context)),
        Command::Cashier(cashier) => cashier::run(&context, &cashier),
        Command::Phone(phone) => block_on(phone::run(&context, &phone)),
        Command::Till(till) => block_on(till::run(&context, &till)),
        Command::Doctor(doctor) => return block_on(doctor::run(&context, &doctor)),
    }?;
    Ok(0)
}

/// One thread for everything that waits: devices and the journal have their own.
fn block_on<R>(work: impl Future<Output = Result<R, Failure>>) -> Result<R, Failure> {
    // A second installation finds the first, which is the same.
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::Runtime)?;
    runtime.block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
