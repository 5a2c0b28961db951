//! `terminal add`, `terminal revoke`, `terminal list`.

use std::fmt::Write as _;
use std::path::PathBuf;

use cabas_protocol::enrol::{CODE_RANDOM_BYTES, Code};
use cabas_protocol::{TerminalId, Timestamp};
use clap::Subcommand;
use serde::Serialize;

use super::failure::Failure;
use super::{Context, card_proofs, closing, terminal_ingest};
use crate::admin::overview::{TerminalLine, terminal_line};
use crate::keys::random;
use crate::out::{plain, print};
use crate::store::{Db, NewCode, OpenMode, StoreError, Tx};

/// How often another code is made where its name is taken.
const CODE_TRIES_MAX: u32 = 8;

#[derive(Debug, Subcommand)]
pub(super) enum Terminal {
    /// Add a terminal to a shop, or give one a new enrolment code, which is shown this once
    Add {
        /// The shop's code
        #[arg(long, value_name = "CODE", required_unless_present = "terminal")]
        shop: Option<String>,
        /// A terminal of that shop that is there already, to be enrolled again
        #[arg(long, value_name = "N")]
        terminal: Option<u32>,
    },
    /// Take a terminal's right to sell; its rows are still taken
    Revoke {
        /// The terminal's number
        #[arg(value_name = "N")]
        terminal: u32,
    },
    /// Close the epoch of a terminal that will not come back, by two people: what is reserved there goes back to the
    /// households, later rows of it are kept and not paid
    Close(closing::Close),
    /// List what was proposed, closed and withdrawn, and by whom
    Closings,
    /// Show which of a terminal's sales cards told of elsewhere, and what may be missing
    Carried {
        /// The terminal's number
        #[arg(value_name = "N")]
        terminal: u32,
    },
    /// Take in what a dead terminal sold, from the second copy of its journal (a file cabas-N-E.rows of its USB stick)
    Ingest {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// After a restore of the hub: the machine is gone for good and hands back nothing. Its enrolment may not sell any more, which cannot be
        /// taken back, and what is on the stick need not wait for it
        #[arg(long)]
        dead: bool,
    },
    /// List the terminals
    List,
}

pub(super) fn run(context: &Context, command: &Terminal) -> Result<(), Failure> {
    match command {
        Terminal::Add { shop, terminal } => add(context, shop.as_deref(), *terminal),
        Terminal::Revoke { terminal } => revoke(context, TerminalId::new(*terminal)),
        Terminal::Close(close) => closing::close(context, close),
        Terminal::Closings => closing::list(context),
        Terminal::Carried { terminal } => card_proofs::carried(context, *terminal),
        Terminal::Ingest { file, dead } => terminal_ingest::ingest(context, file, *dead),
        Terminal::List => list(context),
    }
}

#[derive(Serialize)]
struct Added {
    terminal: u32,
    /// Shown this once; the hub keeps only what is derived from it.
    code: String,
    expires_at: u64,
}

fn add(context: &Context, shop: Option<&str>, terminal: Option<u32>) -> Result<(), Failure> {
    let mut db = context.open(OpenMode::Existing)?;
    if let (Some(terminal), Some(shop)) = (terminal, shop) {
        check_shop(&mut db, terminal, shop)?;
    }
    let now = context.clock.now();
    let expires_at = now.after_s(u64::from(context.config.code_valid_hours).saturating_mul(3_600));
    let (terminal, code) =
        add_with_code(&mut db, expires_at, |tx, code| match (terminal.map(TerminalId::new), shop) {
            (Some(terminal), _) => tx.terminal_code(terminal, code, now).map(|()| terminal),
            (None, shop) => tx.terminal_add(shop.unwrap_or_default(), code, now),
        })?;
    let added = Added { terminal: terminal.get(), code: code.reveal().to_string(), expires_at: expires_at.get() };
    let hours = context.config.code_valid_hours;
    let text = |added: &Added| {
        format!(
            "Terminal {}: enrolment code {}\nIt is shown this once and holds for {hours} h. On the terminal: cabas-agent \
             enrol --hub URL --code {}\n",
            added.terminal, added.code, added.code
        )
    };
    print(context.format, &added, text).map_err(Failure::Print)
}

/// A terminal does not move: its journal is one shop's.
fn check_shop(db: &mut Db, terminal: u32, shop: &str) -> Result<(), Failure> {
    let views = db.read(|tx| tx.terminals())?;
    match views.into_iter().find(|view| view.terminal.get() == terminal) {
        Some(view) if view.shop_code != shop => Err(Failure::OtherShop { terminal, shop: view.shop_code }),
        Some(_) => Ok(()),
        None => Err(StoreError::UnknownTerminal(TerminalId::new(terminal)).into()),
    }
}

/// Does `add` with a new code, and with another one where its name is taken.
fn add_with_code(
    db: &mut Db,
    expires_at: Timestamp,
    add: impl Fn(&mut Tx<'_>, &NewCode) -> Result<TerminalId, StoreError>,
) -> Result<(TerminalId, Code), Failure> {
    for _ in 0..CODE_TRIES_MAX {
        let code = Code::of_random(&*random::<CODE_RANDOM_BYTES>()?);
        // Stretched before the transaction: it takes a while, and the running hub waits for the lock.
        let new = NewCode { locator: code.locator().to_owned(), keys: code.keys(), expires_at };
        match db.write(|tx| add(tx, &new)) {
            Ok(terminal) => return Ok((terminal, code)),
            Err(StoreError::LocatorTaken) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::NoCode)
}

#[derive(Serialize)]
struct Revoked {
    terminal: u32,
    epochs_revoked: u32,
}

fn revoke(context: &Context, terminal: TerminalId) -> Result<(), Failure> {
    let now = context.clock.now();
    let epochs_revoked = context.open(OpenMode::Existing)?.write(|tx| tx.terminal_revoke(terminal, now))?;
    let revoked = Revoked { terminal: terminal.get(), epochs_revoked };
    let text = |revoked: &Revoked| match revoked.epochs_revoked {
        0 => format!("Terminal {terminal} had no open enrolment; its codes are void.\n"),
        _ => format!("Terminal {terminal} sells no more once it hears of it; its rows are still taken.\n"),
    };
    print(context.format, &revoked, text).map_err(Failure::Print)
}

#[derive(Serialize)]
struct Listed {
    terminals: Vec<TerminalLine>,
}

fn list(context: &Context) -> Result<(), Failure> {
    let read = |db: &mut Db| -> Result<_, StoreError> { db.read(|tx| tx.terminals()) };
    let views = read(&mut context.open(OpenMode::Existing)?)?;
    let listed = Listed { terminals: views.into_iter().map(terminal_line).collect() };
    print(context.format, &listed, |listed| table(&listed.terminals).unwrap_or_default()).map_err(Failure::Print)
}

/// The terminals as lines for people.
pub(super) fn table(terminals: &[TerminalLine]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    if terminals.is_empty() {
        text.push_str("No terminal. Add one: cabas-hub terminal add --shop CODE\n");
    }
    for line in terminals {
        let number = |number: Option<u32>| number.map_or("-".to_owned(), |number| number.to_string());
        write!(
            text,
            "Terminal {:<4} {:<12} epoch {:<3} rows {:<7} last contact {:<12} {} ({})",
            line.terminal,
            line.standing,
            number(line.epoch),
            number(line.acked_seq),
            line.last_contact_at.map_or("never".to_owned(), |at| at.to_string()),
            plain(&line.shop_name),
            plain(&line.shop)
        )?;
        if let Some(reason) = &line.quarantine {
            write!(text, ": {reason}; enrol it again: cabas-hub terminal add --terminal {}", line.terminal)?;
        }
        for alarm in &line.alarms {
            write!(text, " [{} x{}]", alarm.kind, alarm.count)?;
        }
        for trouble in &line.troubles {
            write!(text, " [{} since {}]", trouble.kind, trouble.since)?;
        }
        text.push('\n');
    }
    Ok(text)
}
