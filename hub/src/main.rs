//! `cabas-hub`: the fund's server.

use std::process::ExitCode;

use cabas_hub::cli;
use clap::Parser as _;

fn main() -> ExitCode {
    cli::run(cli::Arguments::parse())
}
