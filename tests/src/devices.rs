//! A card and a printer that are moved by hand, or by a script, with one line of text a time.

use crate::virtual_card::{Chip, VirtualCard};
use crate::virtual_printer::{Mood, VirtualPrinter, decode};
use anyhow::{Context as _, bail};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// What can be asked for.
pub const COMMANDS: &str = "card insert UID-IN-HEX | card remove | card tap UID-IN-HEX | printer text | \
                            printer well|mute|paper-out|cover-open|hanging | quit";
const LINE_BYTES_MAX: u64 = 256;
const LINE_TIME_MAX: Duration = Duration::from_secs(5);

/// The devices.
pub struct Devices {
    card_port: u16,
    card: Option<VirtualCard>,
    printer: VirtualPrinter,
    shown: usize,
}

/// What a command came to.
#[derive(Debug, Eq, PartialEq)]
pub enum Done {
    /// It said this.
    Said(String),
    /// It ends the program.
    Quit,
}

impl Devices {
    /// Takes over the slot of a reader (`Pcscd::port`) and a printer.
    #[must_use]
    pub fn new(card_port: u16, printer: VirtualPrinter) -> Self {
        Self { card_port, card: None, printer, shown: 0 }
    }

    /// Does what a line asks for, see [`COMMANDS`].
    ///
    /// # Errors
    /// In words, where it cannot be done.
    pub fn command(&mut self, line: &str) -> anyhow::Result<Done> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["card", "insert", uid] => {
                if self.card.is_some() {
                    bail!("there is a card in the reader; remove it first");
                }
                self.card = Some(VirtualCard::insert(self.card_port, Chip::plain(&hex(uid)?))?);
                Ok(Done::Said(String::new()))
            }
            ["card", "remove"] => {
                self.card.take().context("there is no card in the reader")?.remove();
                Ok(Done::Said(String::new()))
            }
            ["card", "tap", uid] => {
                self.command(&format!("card insert {uid}"))?;
                let asked = self.card.as_ref().map_or(Ok(()), VirtualCard::wait_until_asked);
                self.card = None;
                asked.map(|()| Done::Said(String::new()))
            }
            ["printer", "text"] => {
                let printed = self.printer.printed();
                let new = printed.get(self.shown..).unwrap_or_default();
                self.shown = printed.len();
                Ok(Done::Said(new.iter().map(|job| decode(job).text()).collect::<Vec<_>>().join("\n")))
            }
            ["printer", mood] => {
                self.printer.set(match *mood {
                    "well" => Mood::Well,
                    "mute" => Mood::Mute,
                    "paper-out" => Mood::PaperOut,
                    "cover-open" => Mood::CoverOpen,
                    "hanging" => Mood::Hanging,
                    other => bail!("a printer cannot be {other:?}; say {COMMANDS}"),
                });
                Ok(Done::Said(String::new()))
            }
            ["quit"] => Ok(Done::Quit),
            _ => bail!("say {COMMANDS}"),
        }
    }

    /// Takes commands from a port, one per connection, until one says `quit`. The answer is `ok` or `error: why` on
    /// the first line, then what the command said.
    ///
    /// # Errors
    /// Where the port fails.
    pub fn serve(&mut self, listener: &TcpListener) -> anyhow::Result<()> {
        loop {
            let (mut connection, _) = listener.accept()?;
            let done = read_line(&connection).and_then(|line| self.command(&line));
            let answer = match &done {
                Ok(Done::Said(text)) => format!("ok\n{text}"),
                Ok(Done::Quit) => "ok\n".to_owned(),
                Err(error) => format!("error: {error:#}\n"),
            };
            // Who asked may have gone; the devices stay for the next.
            drop(connection.write_all(answer.as_bytes()));
            if matches!(done, Ok(Done::Quit)) {
                return Ok(());
            }
        }
    }
}

/// Sends one command to devices that serve a port, and gives what it said.
///
/// # Errors
/// What went wrong there.
pub fn send(port: u16, command: &str) -> anyhow::Result<String> {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).context("no virtual devices at this port")?;
    connection.write_all(format!("{command}\n").as_bytes())?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    match answer.split_once('\n') {
        Some(("ok", said)) => Ok(said.to_owned()),
        Some((error, _)) => bail!("{}", error.trim_start_matches("error: ")),
        None => bail!("no answer"),
    }
}

fn read_line(connection: &TcpStream) -> anyhow::Result<String> {
    connection.set_read_timeout(Some(LINE_TIME_MAX))?;
    let mut line = String::new();
    BufReader::new(connection.take(LINE_BYTES_MAX)).read_line(&mut line)?;
    Ok(line)
}

fn hex(text: &str) -> anyhow::Result<Vec<u8>> {
    let bad = || format!("{text:?} is not a UID in hexadecimal, as in 04A1B2C3");
    if text.is_empty() || !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        bail!(bad());
    }
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use std::thread;

    #[test]
    fn a_script_moves_card_and_printer() {
        let slot = TcpListener::bind("127.0.0.1:0").unwrap();
        let printer = VirtualPrinter::start().unwrap();
        let paper = printer.port();
        let mut devices = Devices::new(slot.local_addr().unwrap().port(), printer);
        let control = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = control.local_addr().unwrap().port();
        let thread = thread::spawn(move || {
            let ended = devices.serve(&control);
            (devices, ended)
        });
        assert_eq!(send(port, "card insert 04A1b2c3").unwrap(), "");
        assert!(send(port, "card insert 04a1b2c3").unwrap_err().to_string().contains("remove it first"));
        assert_eq!(send(port, "card remove").unwrap(), "");
        assert!(send(port, "card remove").unwrap_err().to_string().contains("no card"));
        for bad in ["", "card insert", "card insert 04a", "card insert +1", "card insert é", "printer upside-down"] {
            assert!(send(port, bad).is_err(), "{bad}");
        }
        assert_eq!(send(port, "printer mute").unwrap(), "");
        let mut job = TcpStream::connect(("127.0.0.1", paper)).unwrap();
        job.write_all(b"\x1b@Hello\n").unwrap();
        drop(job);
        let text =
            crate::program::wait_for("a job", || Ok(Some(send(port, "printer text")?).filter(|s| !s.is_empty())));
        assert_eq!(text.unwrap(), "Hello\n");
        assert_eq!(send(port, "printer text").unwrap(), "", "each receipt is shown once");
        assert_eq!(send(port, "quit").unwrap(), "");
        assert!(thread.join().unwrap().1.is_ok());
    }
}
