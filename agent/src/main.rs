//! `cabas-agent`: the program at each shop.

use std::process::ExitCode;

use cabas_agent::cli;
use clap::Parser as _;

fn main() -> ExitCode {
    cli::run(cli::Arguments::parse())
}
