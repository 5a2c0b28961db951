//! `cashier`: who may stand at the counter. A code is typed unseen or comes from standard input, never from the command
//! line, where others would read it.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use clap::{Args, Subcommand};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use serde_json::json;
use zeroize::Zeroizing;

use super::Context;
use super::failure::Failure;
use crate::cashiers::{FILE, Roll};
use crate::core::cashier::Code;
use crate::out::{plain, print};

/// Bytes that are read of a code.
const LINE_BYTES_MAX: u64 = 64;

#[derive(Debug, Subcommand)]
pub(super) enum Cashier {
    /// Give a cashier a code; with the first one the counter locks when nobody has typed theirs
    Add(Add),
    /// Take a cashier's code away; without the last one the counter is open to all
    Remove {
        /// The cashier's number
        number: u16,
    },
    /// Show numbers and labels
    List,
}

#[derive(Args, Debug)]
pub(super) struct Add {
    /// The cashier's number, 1 to 999: it stands in the journal, and is never given to somebody else
    number: u16,
    /// What the shop calls the cashier; it stays on this machine
    #[arg(long, value_name = "TEXT", default_value = "")]
    label: String,
    /// Read the code, 4 to 8 digits, from standard input instead of asking for it
    #[arg(long)]
    code_stdin: bool,
}

pub(super) fn run(context: &Context, cashier: &Cashier) -> Result<(), Failure> {
    let file = context.config.data_dir.join(FILE);
    match cashier {
        Cashier::Add(add) => {
            let mut roll = Roll::read(&file)?.map_or_else(Roll::empty, Ok)?;
            let code = if add.code_stdin { code_from(std::io::stdin().lock())? } else { ask_code()? };
            roll.add(add.number, &add.label, &code)?;
            roll.write(&file)?;
            print(context.format, &json!({ "added": add.number }), |_| format!("cashier {} added", add.number))
        }
        Cashier::Remove { number } => {
            let mut roll = Roll::read(&file)?.map_or_else(Roll::empty, Ok)?;
            roll.remove(*number)?;
            roll.write(&file)?;
            let left = roll.cashiers().len();
            print(context.format, &json!({ "removed": number, "left": left }), |_| match left {
                0 => format!("cashier {number} removed; nobody is left, and the counter is open to all"),
                left => format!("cashier {number} removed; {left} left"),
            })
        }
        Cashier::List => {
            let roll = Roll::read(&file)?;
            let cashiers = roll.as_ref().map(Roll::cashiers).unwrap_or_default();
            let listed = cashiers.iter().map(|cashier| json!({ "number": cashier.number, "label": cashier.label }));
            print(context.format, &json!({ "cashiers": listed.collect::<Vec<_>>() }), |_| {
                let lines = cashiers.iter().map(|cashier| format!("{:>3}  {}", cashier.number, plain(&cashier.label)));
                let lines: Vec<_> = lines.collect();
                if lines.is_empty() {
                    String::from("no cashiers: the counter is open to all")
                } else {
                    lines.join("\n")
                }
            })
        }
    }
    .map_err(Failure::Print)
}

fn code_from(input: impl std::io::BufRead) -> Result<Code, Failure> {
    let mut line = Zeroizing::new(String::new());
    input.take(LINE_BYTES_MAX).read_line(&mut line).map_err(Failure::Code)?;
    Code::new(line.trim_end_matches(['\r', '\n'])).ok_or(Failure::NoCode)
}

/// Asks twice, unseen.
fn ask_code() -> Result<Code, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::NoTerminalToAsk);
    }
    let first = unseen("Code (4 to 8 digits): ")?;
    let second = unseen("The same again: ")?;
    if first == second { Ok(first) } else { Err(Failure::CodesDiffer) }
}

/// Reads a line that is not shown. Keys that would end the program count as wrong digits meanwhile, so that the terminal
/// never stays mute.
fn unseen(prompt: &str) -> Result<Code, Failure> {
    let stdin = std::io::stdin();
    let fail = |error: rustix::io::Errno| Failure::Code(error.into());
    let before = tcgetattr(&stdin).map_err(fail)?;
    let mut quiet = before.clone();
    quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "{prompt}").and_then(|()| stderr.flush()).map_err(Failure::Code)?;
    tcsetattr(&stdin, OptionalActions::Flush, &quiet).map_err(fail)?;
    let code = code_from(stdin.lock());
    let restored = tcsetattr(&stdin, OptionalActions::Flush, &before).map_err(fail);
    writeln!(stderr).map_err(Failure::Code)?;
    restored.and(code)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    #[test]
    fn a_code_is_one_line_of_digits() {
        for (input, digits) in
            [("1234\n", Some("1234")), ("12345678\r\nmore", Some("12345678")), ("1234", Some("1234"))]
        {
            assert_eq!(code_from(input.as_bytes()).ok().as_ref().map(Code::digits), digits);
        }
        for input in ["", "\n", "12 34\n", "\u{3}\n", &"1".repeat(1000)] {
            assert!(matches!(code_from(input.as_bytes()), Err(Failure::NoCode)), "{input}");
        }
        assert!(matches!(code_from(&b"\xff\n"[..]), Err(Failure::Code(_))));
    }
}
