//! A reader behind a real pcscd, a card and a receipt printer, all without hardware: to try the agent by hand or from
//! a script.

use anyhow::{Context as _, bail};
use cabas_tests::devices::{Devices, Done, send};
use cabas_tests::pcscd::{Pcscd, SOCKET_VARIABLE};
use cabas_tests::virtual_printer::VirtualPrinter;
use clap::{Parser, Subcommand};
use std::io::{Write as _, stdin, stdout};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

#[derive(Parser)]
#[command(version, about = "A virtual reader, card and receipt printer")]
struct Arguments {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Subcommand)]
enum Subcommands {
    /// Starts pcscd with a virtual reader, and a printer; takes commands until `quit` or the end of the input
    Serve {
        /// Folder for pcscd's files; made where it is missing
        #[arg(long, required_unless_present = "reader_port")]
        folder: Option<PathBuf>,
        /// Use the pcscd that is there, whose virtual reader waits for a card at this port, instead of starting one
        #[arg(long, value_name = "PORT", conflicts_with = "folder")]
        reader_port: Option<u16>,
        /// The reader's name
        #[arg(long, default_value = "Virtual PICC")]
        reader: String,
        /// The printer's port; 0 for any that is free
        #[arg(long, default_value_t = 0)]
        printer_port: u16,
        /// Take commands from this port of the loopback interface instead of the standard input
        #[arg(long)]
        control_port: Option<u16>,
    },
    /// Sends one command to a running `serve`: card insert UID-IN-HEX, card remove, card tap UID-IN-HEX, printer text,
    /// printer well|mute|paper-out|cover-open|hanging, quit
    Send {
        /// The control port of `serve`
        #[arg(long)]
        control_port: u16,
        /// The command
        #[arg(required = true)]
        words: Vec<String>,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Subcommands::Serve { folder, reader_port, reader, printer_port, control_port } => {
            let service = folder.map(|folder| pcscd(&folder, &reader)).transpose()?;
            let own_port = service.as_ref().map(|service| service.port(0, 0)).transpose()?;
            let card_port = own_port.or(reader_port).context("neither --folder nor --reader-port")?;
            serve(card_port, printer_port, control_port)
        }
        Subcommands::Send { control_port, words } => say(&send(control_port, &words.join(" "))?),
    }
}

/// The real service, with a reader that is a port.
fn pcscd(folder: &Path, reader: &str) -> anyhow::Result<Pcscd> {
    if reader.contains(['"', '\n']) {
        bail!("a reader's name has no quotation mark and no line end");
    }
    std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    let service = Pcscd::start(folder, &[reader])?;
    say(&format!("{SOCKET_VARIABLE}={}\n", service.socket().display()))?;
    Ok(service)
}

fn serve(card_port: u16, printer_port: u16, control_port: Option<u16>) -> anyhow::Result<()> {
    let control = control_port.map(|port| TcpListener::bind(("127.0.0.1", port))).transpose();
    let control = control.context("the control port is taken")?;
    let printer = VirtualPrinter::start_at(printer_port)?;
    say(&format!("CABAS_AGENT_PRINTER=tcp://127.0.0.1:{}\n", printer.port()))?;
    let mut devices = Devices::new(card_port, printer);
    match control {
        Some(listener) => devices.serve(&listener),
        None => obey(&mut devices),
    }
}

/// Takes commands from the standard input.
fn obey(devices: &mut Devices) -> anyhow::Result<()> {
    for line in stdin().lines() {
        match devices.command(&line?) {
            Ok(Done::Said(text)) => say(&format!("{text}ok\n"))?,
            Ok(Done::Quit) => return Ok(()),
            Err(error) => say(&format!("error: {error:#}\n"))?,
        }
    }
    Ok(())
}

fn say(text: &str) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
