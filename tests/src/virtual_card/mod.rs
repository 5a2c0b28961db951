//! A card made of software: put into a virtual reader of the real pcscd, or asked in process.
//!
//! To the reader it is the card side of vsmartcard's protocol: frames of a 2-byte big-endian length and a payload, over
//! TCP; a payload of one byte steers (0 off, 1 on, 2 reset, 4 "give the ATR") and only 4 is answered.
//!
//! [`Chip`] knows no command but a reader's "give the UID", [`desfire::DesfireChip`] is a whole MIFARE DESFire EV2 and
//! [`ntag424::Ntag424Chip`] an NTAG 424 DNA. A program that ships must never contain any of them.

pub mod desfire;
mod ev2;
pub mod ntag424;
mod tear;

use self::ev2::apdu::GET_UID;
pub use self::tear::Tear;
use crate::program::{WAIT, wait_for};
use anyhow::{Context as _, bail};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::linux::net::TcpStreamExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What readers make up for an ISO 14443-4 card without historical bytes (PC/SC part 3).
pub const CONTACTLESS_ATR: [u8; 6] = [0x3b, 0x81, 0x80, 0x01, 0x80, 0x80];
/// A card with contacts.
pub const CONTACT_ATR: [u8; 4] = [0x3b, 0x02, 0x14, 0x50];
/// How long a card that never answers stays: pcscd can do nothing else meanwhile.
const WATCHDOG: Duration = Duration::from_secs(3);
const OFF: u8 = 0;
const ON: u8 = 1;
const RESET: u8 = 2;
const GIVE_ATR: u8 = 4;

/// What can lie in a reader's field.
pub trait InField: Send + 'static {
    /// Its answer to a reset, as the reader makes it up.
    fn atr(&self) -> Vec<u8> {
        CONTACTLESS_ATR.to_vec()
    }

    /// The field went off, or came on: all is lost that is not kept without power.
    fn reset(&mut self) {}

    /// Takes an APDU.
    fn react(&mut self, apdu: &[u8]) -> Reaction;
}

/// What a card does wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// It leaves when the APDU of this number (from 1) arrives, and does not answer it.
    LeaveAt(usize),
    /// It answers with nothing at all. The virtual reader takes an empty frame for none, so there it is as `Mute`.
    Empty,
    /// It answers with one byte.
    Short,
    /// It answers with noise that is no success.
    Garbled,
    /// It answers with more than a short answer may have.
    TooLong,
    /// It never answers; a watchdog takes it away.
    Mute,
    /// It refuses everything with this status.
    Status(u16),
}

/// What a card is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Chip {
    /// Its UID, of any length.
    pub uid: Vec<u8>,
    /// Its answer to a reset.
    pub atr: Vec<u8>,
    /// What it does wrong.
    pub fault: Option<Fault>,
    apdus: usize,
}

/// What a card does with an APDU.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reaction {
    /// It answers.
    Answer(Vec<u8>),
    /// It is gone.
    Leave,
    /// It says nothing.
    Silence,
}

impl Chip {
    /// A plain card.
    #[must_use]
    pub fn plain(uid: &[u8]) -> Self {
        Self { uid: uid.to_vec(), atr: CONTACTLESS_ATR.to_vec(), fault: None, apdus: 0 }
    }

    /// A card that does something wrong.
    #[must_use]
    pub fn with_fault(uid: &[u8], fault: Fault) -> Self {
        Self { fault: Some(fault), ..Self::plain(uid) }
    }

    /// Takes an APDU.
    pub fn react(&mut self, apdu: &[u8]) -> Reaction {
        self.apdus = self.apdus.saturating_add(1);
        let status = |status: u16| Reaction::Answer(status.to_be_bytes().to_vec());
        match self.fault {
            Some(Fault::LeaveAt(number)) if self.apdus >= number => return Reaction::Leave,
            Some(Fault::Empty) => return Reaction::Answer(Vec::new()),
            Some(Fault::Short) => return Reaction::Answer(vec![0x90]),
            Some(Fault::Garbled) => return Reaction::Answer(vec![0xff, 0x00, 0x5a, 0x13, 0x37]),
            Some(Fault::TooLong) => return Reaction::Answer(vec![0x42; 300]),
            Some(Fault::Mute) => return Reaction::Silence,
            Some(Fault::Status(wrong)) => return status(wrong),
            Some(Fault::LeaveAt(_)) | None => {}
        }
        if apdu == GET_UID {
            Reaction::Answer([self.uid.as_slice(), &[0x90, 0x00]].concat())
        } else if apdu.get(1..2) == Some(&[0xa4]) {
            status(0x6a82)
        } else {
            status(0x6d00)
        }
    }
}

impl InField for Chip {
    fn atr(&self) -> Vec<u8> {
        self.atr.clone()
    }

    fn react(&mut self, apdu: &[u8]) -> Reaction {
        Self::react(self, apdu)
    }
}

/// A card in a reader. It leaves when it is removed or dropped.
pub struct VirtualCard {
    stream: TcpStream,
    asked: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl VirtualCard {
    /// Puts a card into the slot that waits at a port (`Pcscd::port`). pcscd notices it within half a second.
    ///
    /// # Errors
    /// Where nobody waits there.
    pub fn insert(port: u16, chip: impl InField) -> anyhow::Result<Self> {
        let stream = wait_for("a reader's slot", || Ok(Some(TcpStream::connect(("127.0.0.1", port))?)))?;
        stream.set_nodelay(true)?;
        let own = stream.try_clone()?;
        let asked = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&asked);
        let thread = thread::Builder::new().name("virtual-card".to_owned()).spawn(move || serve(own, chip, &told))?;
        Ok(Self { stream, asked, thread: Some(thread) })
    }

    /// Takes the card away.
    pub fn remove(self) {}

    /// Waits until somebody asked the card for something and had its answer.
    ///
    /// # Errors
    /// Where nobody does.
    pub fn wait_until_asked(&self) -> anyhow::Result<()> {
        wait_for("the card to be asked", || Ok(self.asked.load(Ordering::Relaxed).then_some(())))
    }

    /// Waits until the card has left by itself.
    ///
    /// # Errors
    /// Where it does not.
    pub fn wait_until_gone(&mut self) -> anyhow::Result<()> {
        let thread = self.thread.as_ref().context("the card is gone already")?;
        wait_for("the card to leave", || Ok(thread.is_finished().then_some(())))
    }
}

impl Drop for VirtualCard {
    fn drop(&mut self) {
        // It may be gone already.
        drop(self.stream.shutdown(Shutdown::Both));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Answers until the card or the reader goes away.
fn serve(mut stream: TcpStream, mut chip: impl InField, asked: &AtomicBool) {
    chip.reset();
    while let Ok(payload) = receive(&mut stream) {
        let answer = match payload.as_slice() {
            [GIVE_ATR] => chip.atr(),
            [OFF | ON | RESET] => {
                chip.reset();
                continue;
            }
            [] | [_] => continue,
            apdu => match chip.react(apdu) {
                Reaction::Answer(answer) if !answer.is_empty() => answer,
                Reaction::Leave => break,
                Reaction::Answer(_) | Reaction::Silence => {
                    drop(stream.set_read_timeout(Some(WATCHDOG)));
                    drop(receive(&mut stream));
                    break;
                }
            },
        };
        if send(&mut stream, &answer).is_err() {
            break;
        }
        asked.fetch_or(payload.len() > 1, Ordering::Relaxed);
    }
    // Out of the field a card forgets its session, even where it is presented again at once.
    chip.reset();
    drop(stream.shutdown(Shutdown::Both));
}

fn receive(stream: &mut TcpStream) -> anyhow::Result<Vec<u8>> {
    let mut length = [0; 2];
    read_exact(stream, &mut length)?;
    let mut payload = vec![0; usize::from(u16::from_be_bytes(length))];
    read_exact(stream, &mut payload)?;
    Ok(payload)
}

/// Reads with quick acknowledgements: the driver sends length and payload apart, and would wait 40 ms between them.
/// The option holds until the system takes it back, so it is set before every read.
fn read_exact(stream: &mut TcpStream, mut buffer: &mut [u8]) -> anyhow::Result<()> {
    while !buffer.is_empty() {
        stream.set_quickack(true)?;
        let count = stream.read(buffer)?;
        if count == 0 {
            bail!("the reader is gone");
        }
        buffer = buffer.get_mut(count..).unwrap_or_default();
    }
    Ok(())
}

/// Sends a frame in one write.
fn send(stream: &mut TcpStream, payload: &[u8]) -> anyhow::Result<()> {
    let length = u16::try_from(payload.len()).context("an answer of more than 65535 bytes")?;
    stream.set_write_timeout(Some(WAIT))?;
    Ok(stream.write_all(&[length.to_be_bytes().as_slice(), payload].concat())?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_card_speaks_the_readers_protocol() {
        let reader = TcpListener::bind("127.0.0.1:0").unwrap();
        let card = VirtualCard::insert(reader.local_addr().unwrap().port(), Chip::plain(&[4, 1, 2, 3])).unwrap();
        let (mut slot, _) = reader.accept().unwrap();
        slot.write_all(&[0, 1, 1, 0, 1, 4]).unwrap();
        assert_eq!(receive(&mut slot).unwrap(), CONTACTLESS_ATR);
        slot.write_all(&[0, 5, 0xff, 0xca, 0, 0, 0]).unwrap();
        assert_eq!(receive(&mut slot).unwrap(), [4, 1, 2, 3, 0x90, 0]);
        slot.write_all(&[0, 5, 0, 0xa4, 4, 0, 0]).unwrap();
        assert_eq!(receive(&mut slot).unwrap(), [0x6a, 0x82]);
        card.remove();
        assert!(receive(&mut slot).is_err());
    }

    #[test]
    fn a_card_does_wrong_what_it_was_told_to() {
        for (fault, reaction) in [
            (Fault::LeaveAt(1), Reaction::Leave),
            (Fault::LeaveAt(2), Reaction::Answer(vec![4, 1, 2, 3, 0x90, 0])),
            (Fault::Empty, Reaction::Answer(vec![])),
            (Fault::Mute, Reaction::Silence),
            (Fault::Status(0x6a81), Reaction::Answer(vec![0x6a, 0x81])),
        ] {
            assert_eq!(Chip::with_fault(&[4, 1, 2, 3], fault).react(&GET_UID), reaction, "{fault:?}");
        }
    }
}
