//! The messages of Concert E and E+ (version 2): pure, from bytes to a request and from an outcome to bytes.
//!
//! A message stands between STX and ETX with a check byte behind (LRC: the exclusive or of all bytes after STX up to and
//! including ETX). Its fields have fixed places. The check byte takes the values of control bytes at everyday amounts
//! (1.01 to 1.06 euros), so nothing inside a message is ever looked at for control bytes.

use cabas_protocol::Cents;

/// Start of a message.
pub const STX: u8 = 0x02;
/// End of a message; the check byte follows.
pub const ETX: u8 = 0x03;
/// The line is free again.
pub const EOT: u8 = 0x04;
/// Who is there; I have something to say.
pub const ENQ: u8 = 0x05;
/// Yes, or read.
pub const ACK: u8 = 0x06;
/// No, busy, or not readable.
pub const NAK: u8 = 0x15;

/// Characters of a request of E.
pub const REQUEST_E: usize = 26;
/// Characters of a request of E+.
pub const REQUEST_E_PLUS: usize = 34;
/// Characters of what a bank terminal says of the card: spaces here, for no card's number belongs to a till.
const CARD_SPACES: usize = 55;
/// ISO 4217 number of the euro.
const EURO: &str = "978";
/// Modes of payment that a till may ask for here: card, or none in particular.
const MODES: [char; 2] = ['0', '1'];

/// What a till asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Type 0.
    Debit,
    /// Type 1.
    Credit,
    /// Type 2.
    Cancel,
}

/// A request, by its fields.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    /// What; nothing where it is none of ours: another type, mode or currency, or no amount.
    pub action: Option<Action>,
    /// How much.
    pub cents: Cents,
    /// The till's number, two characters.
    pub till: String,
    /// Ten characters of the till's own.
    pub private: String,
    /// The mode of payment, as it is answered.
    mode: char,
    /// The currency, as it is answered.
    currency: String,
    /// True where the long answer is wanted.
    is_long: bool,
    /// `A011`: the till does not wait for the end.
    pub at_once: bool,
}

/// What an answer says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Status {
    /// 0: paid.
    Accepted,
    /// 7: not.
    NotAccepted,
    /// 9: the request was taken; its end is shown at our own screen only.
    Taken,
}

impl Status {
    const fn digit(self) -> char {
        match self {
            Self::Accepted => '0',
            Self::NotAccepted => '7',
            Self::Taken => '9',
        }
    }
}

impl Request {
    /// Reads what stands between STX and ETX; nothing where it is no request: the till is to send it again.
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Self> {
        let is_text = body.iter().all(|byte| matches!(byte, b' '..=b'~'));
        if !is_text || ![REQUEST_E, REQUEST_E_PLUS].contains(&body.len()) {
            return None;
        }
        let text = str::from_utf8(body).ok()?;
        let digits = text.get(2..10).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        let cents = Cents::new(digits.parse().ok()?).ok()?;
        let is_long = match text.get(10..11)? {
            "0" => false,
            "1" => true,
            _ => return None,
        };
        let mut letters = text.get(11..13)?.chars();
        let (mode, kind) = (letters.next()?, letters.next()?);
        let currency = text.get(13..16)?.to_owned();
        let at_once = match text.get(26..30) {
            None | Some("A010") => false,
            Some("A011") => true,
            Some(_) => return None,
        };
        let action = match kind {
            '0' => Some(Action::Debit),
            '1' => Some(Action::Credit),
            '2' => Some(Action::Cancel),
            _ => None,
        };
        let is_ours = currency == EURO && MODES.contains(&mode) && !cents.is_zero();
        Some(Self {
            action: action.filter(|_| is_ours),
            cents,
            till: text.get(..2)?.to_owned(),
            private: text.get(16..26)?.to_owned(),
            mode,
            currency,
            is_long,
            at_once,
        })
    }

    /// The answer, framed. The amount is the one that was asked for: some clients fail on any other.
    #[must_use]
    pub fn answer(&self, status: Status) -> Vec<u8> {
        let Self { till, mode, currency, private, .. } = self;
        let card = if self.is_long { CARD_SPACES } else { 0 };
        frame(
            format!("{till}{}{:08}{mode}{:card$}{currency}{private}", status.digit(), self.cents.get(), "").as_bytes(),
        )
    }
}

/// The check byte of what stands between STX and ETX.
#[must_use]
pub fn lrc(body: &[u8]) -> u8 {
    body.iter().fold(ETX, |check, byte| check ^ byte)
}

/// A message with STX, ETX and check byte around it.
#[must_use]
pub fn frame(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len().saturating_add(3));
    bytes.push(STX);
    bytes.extend_from_slice(body);
    bytes.extend_from_slice(&[ETX, lrc(body)]);
    bytes
}

/// A request of E+ for a debit in euros, as a till frames it: for `till test` and tests.
#[must_use]
pub fn debit(cents: u64, at_once: bool) -> Vec<u8> {
    let moment = if at_once { "A011" } else { "A010" };
    frame(format!("01{cents:08}110978{:10}{moment}B010", "").as_bytes())
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
