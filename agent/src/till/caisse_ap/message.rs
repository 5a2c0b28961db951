//! The messages of Caisse-AP over IP: pure, from bytes to a request and from an outcome to bytes.
//!
//! A message is a chain of fields: two letters, three digits of length, the value. Nothing marks its end, so whoever reads
//! waits for silence behind a whole chain. Some tills put STX, ETX and a check byte around it and are answered the same way.
//! Whatever the bytes are, the answer is ASCII, fits in one segment and ends without a line break: clients read once.

use cabas_protocol::Cents;

/// Bytes of a request or an answer: what the clients read at once.
pub const MESSAGE_BYTES_MAX: usize = 1024;
/// Bytes of one value that is echoed: so that every known field of a request fits in an answer.
pub const VALUE_BYTES_MAX: usize = 40;
/// Fields of one request, unknown ones included.
pub const FIELDS_MAX: usize = 40;

/// Start of a wrapped message.
pub const STX: u8 = 0x02;
const ETX: u8 = 0x03;
/// The till has read a wrapped answer.
pub const ACK: u8 = 0x06;
/// The till takes a wrapped request back.
pub const CAN: u8 = 0x18;

/// The fields that are understood, and echoed.
const KNOWN: [&str; 12] = ["CZ", "CJ", "CA", "CE", "CB", "CD", "CC", "BA", "BF", "CF", "CH", "TI"];
/// Our own payment mode, "shop card", as it is asked for and answered.
const SHOP_CARD: &str = "00S";
/// Modes of payment that a till may ask for here: none in particular, or a shop's card.
const MODES: [&str; 2] = ["000", SHOP_CARD];
/// ISO 4217 number of the euro.
const EURO: &str = "978";

/// What bytes amount to so far.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scan {
    /// More has to come.
    Unfinished,
    /// A whole chain: it is the message where nothing follows.
    MayBeWhole,
    /// Nothing more is needed: wrapped, and its end is there.
    Whole,
    /// No message begins so.
    Malformed,
}

/// Looks at what has come.
#[must_use]
pub fn scan(bytes: &[u8]) -> Scan {
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Scan::Malformed;
    }
    let Some((&STX, rest)) = bytes.split_first() else {
        return if bytes.is_empty() { Scan::Unfinished } else { scan_chain(bytes) };
    };
    match rest.iter().position(|byte| *byte == ETX) {
        None => Scan::Unfinished,
        Some(end) => match rest.len().saturating_sub(end) {
            1 => Scan::Unfinished,
            2 => Scan::Whole,
            _ => Scan::Malformed,
        },
    }
}

fn scan_chain(bytes: &[u8]) -> Scan {
    let mut rest = bytes;
    while !rest.is_empty() {
        match take_field(rest) {
            Taken::Field { after, .. } => rest = after,
            Taken::Cut => return Scan::Unfinished,
            Taken::Bad => return Scan::Malformed,
        }
    }
    Scan::MayBeWhole
}

enum Taken<'b> {
    Field { tag: &'b str, value: &'b str, after: &'b [u8] },
    Cut,
    Bad,
}

fn take_field(bytes: &[u8]) -> Taken<'_> {
    let fits = |index: usize, byte: &u8| if index < 2 { byte.is_ascii_uppercase() } else { byte.is_ascii_digit() };
    if !bytes.iter().take(5).enumerate().all(|(index, byte)| fits(index, byte)) {
        return Taken::Bad;
    }
    let (Some(tag), Some(digits)) = (bytes.get(..2), bytes.get(2..5)) else { return Taken::Cut };
    let (Ok(tag), Ok(digits)) = (str::from_utf8(tag), str::from_utf8(digits)) else { return Taken::Bad };
    let Some(length) = digits.parse::<usize>().ok().filter(|length| *length > 0) else { return Taken::Bad };
    let end = length.saturating_add(5);
    let Some(value) = bytes.get(5..end) else {
        let is_text = bytes.iter().skip(5).all(|byte| matches!(byte, b' '..=b'~'));
        return if is_text && end <= MESSAGE_BYTES_MAX { Taken::Cut } else { Taken::Bad };
    };
    if !value.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return Taken::Bad;
    }
    match str::from_utf8(value) {
        Ok(value) => Taken::Field { tag, value, after: bytes.get(end..).unwrap_or_default() },
        Err(_) => Taken::Bad,
    }
}

/// What a till asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// CD=0.
    Debit,
    /// CD=1.
    Credit,
    /// CD=2.
    Cancel,
    /// CD=I: who is there.
    Identify,
}

/// Why something was not done: AF.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Cause {
    /// 04: the card cannot pay this.
    Refused,
    /// 05: this card, or this terminal, may not pay at all.
    Forbidden,
    /// 06: taken back by the member or the till.
    Abandoned,
    /// 07: something else kept it from being done.
    NotCompleted,
    /// 08: no card in time.
    TimedOut,
    /// 09: no message of this protocol.
    Format,
    /// 10: not this mode of payment, or nothing to be undone.
    Selection,
    /// 11: taken back by the cashier, or the counter is busy.
    Operator,
    /// 12: an action that is not known.
    UnknownAction,
    /// 13: not in euros.
    Currency,
}

impl Cause {
    /// Its code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Refused => "04",
            Self::Forbidden => "05",
            Self::Abandoned => "06",
            Self::NotCompleted => "07",
            Self::TimedOut => "08",
            Self::Format => "09",
            Self::Selection => "10",
            Self::Operator => "11",
            Self::UnknownAction => "12",
            Self::Currency => "13",
        }
    }
}

/// A message: its fields as they stand, and how it came.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Message {
    fields: Vec<(String, String)>,
    is_wrapped: bool,
}

impl Message {
    /// Reads the known fields; what follows the first fault is left out, and the fault is told.
    pub fn read(bytes: &[u8]) -> (Self, Result<(), Cause>) {
        let (chain, is_wrapped, mut form) = unwrap(bytes);
        let mut message = Self { fields: Vec::new(), is_wrapped };
        let (mut rest, mut count) = (chain, 0_usize);
        while !rest.is_empty() && form.is_ok() {
            let Taken::Field { tag, value, after } = take_field(rest) else {
                form = Err(Cause::Format);
                break;
            };
            (rest, count) = (after, count.saturating_add(1));
            let is_first = count == 1;
            if is_first != (tag == "CZ") || count > FIELDS_MAX {
                form = Err(Cause::Format);
            } else if KNOWN.contains(&tag) {
                if message.get(tag).is_some() || !has_form(tag, value) {
                    form = Err(Cause::Format);
                } else {
                    message.fields.push((tag.to_owned(), value.to_owned()));
                }
            }
        }
        if message.fields.is_empty() {
            form = Err(Cause::Format);
        }
        (message, form)
    }

    /// Every field of an answer, known or not, as far as it can be read.
    #[must_use]
    pub fn all(bytes: &[u8]) -> Vec<(String, String)> {
        let (mut rest, mut fields) = (unwrap(bytes).0, Vec::new());
        while let Taken::Field { tag, value, after } = take_field(rest) {
            fields.push((tag.to_owned(), value.to_owned()));
            rest = after;
        }
        fields
    }

    /// The value of a known field.
    #[must_use]
    pub fn get(&self, tag: &str) -> Option<&str> {
        self.fields.iter().find(|(name, _)| name == tag).map(|(_, value)| value.as_str())
    }

    /// What is asked for.
    ///
    /// # Errors
    /// Why it is refused, in the order of the checks: form, action, currency, mode.
    pub fn request(&self) -> Result<Request, Cause> {
        let action = match self.get("CD").ok_or(Cause::Format)? {
            "0" => Action::Debit,
            "1" => Action::Credit,
            "2" => Action::Cancel,
            "I" => Action::Identify,
            _ => return Err(Cause::UnknownAction),
        };
        let text = |tag| self.get(tag).unwrap_or_default().to_owned();
        let mut request = Request {
            action,
            cents: Cents::ZERO,
            till: text("CA"),
            reference: text("CF"),
            at_once: self.get("BA") == Some("1"),
            takes_part: self.get("BF") == Some("1"),
        };
        if action == Action::Identify {
            return Ok(request);
        }
        let cents = self.get("CB").and_then(|digits| digits.parse().ok()).and_then(|cents| Cents::new(cents).ok());
        request.cents = cents.filter(|cents| !cents.is_zero()).ok_or(Cause::Format)?;
        if self.get("CE").is_some_and(|currency| currency != EURO) {
            return Err(Cause::Currency);
        }
        if self.get("CC").is_some_and(|mode| !MODES.contains(&mode)) {
            return Err(Cause::Selection);
        }
        Ok(request)
    }

    /// The answer to a probe.
    #[must_use]
    pub fn present(&self) -> Vec<u8> {
        self.answer("10", &[])
    }

    /// BA=1: the request was taken, and its end is shown at our own screen only.
    #[must_use]
    pub fn taken(&self) -> Vec<u8> {
        self.answer("11", &[])
    }

    /// It was done: whole, or the part that the proof says.
    #[must_use]
    pub fn done(&self, done: &Proof) -> Vec<u8> {
        let card = format!("{:*>12}{:0>4}", "", done.card_digits);
        let code = format!("{:0>6}", done.stan);
        let paid = done.paid.map(|paid| paid.get().to_string());
        let mut ours = vec![("CC", SHOP_CARD), ("CI", "2"), ("AA", &card), ("AC", &code)];
        ours.extend(paid.as_deref().map(|paid| ("CB", paid)));
        self.answer("10", &ours)
    }

    /// It was not done.
    #[must_use]
    pub fn refused(&self, cause: Cause) -> Vec<u8> {
        self.answer("01", &[("AF", cause.code())])
    }

    /// Every field of the request, then ours in place of what has the same name.
    fn answer(&self, status: &str, ours: &[(&str, &str)]) -> Vec<u8> {
        let mut chain = String::new();
        let mut put = |tag: &str, value: &str| {
            chain.push_str(tag);
            chain.push_str(&format!("{:03}", value.len()));
            chain.push_str(value);
        };
        if self.get("CZ").is_none() {
            put("CZ", "0300");
        }
        for (tag, value) in &self.fields {
            if !ours.iter().any(|(name, _)| name == tag) {
                put(tag, value);
            }
        }
        put("AE", status);
        for (tag, value) in ours {
            put(tag, value);
        }
        if self.is_wrapped { wrap(chain.as_bytes()) } else { chain.into_bytes() }
    }
}

/// The chain of a message, whether it was wrapped, and whether its check byte fits.
fn unwrap(bytes: &[u8]) -> (&[u8], bool, Result<(), Cause>) {
    let Some((&STX, rest)) = bytes.split_first() else { return (bytes, false, Ok(())) };
    match rest {
        [chain @ .., ETX, check] if *check == lrc(chain) => (chain, true, Ok(())),
        _ => (&[], true, Err(Cause::Format)),
    }
}

/// The exclusive or of the chain and its end (the same check as in Concert).
fn lrc(chain: &[u8]) -> u8 {
    chain.iter().fold(ETX, |check, byte| check ^ byte)
}

/// A chain with STX, ETX and check byte around it.
#[must_use]
pub fn wrap(chain: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(chain.len().saturating_add(3));
    bytes.push(STX);
    bytes.extend_from_slice(chain);
    bytes.extend_from_slice(&[ETX, lrc(chain)]);
    bytes
}

/// Whether a known field looks as it must.
fn has_form(tag: &str, value: &str) -> bool {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    match tag {
        "CZ" => value.len() == 4 && value.starts_with("03") && digits,
        "CA" => value.len() == 2,
        "CE" => value.len() == 3,
        "CB" => value.len() <= 12 && digits,
        "CC" => value.len() == 3,
        "CD" | "BA" | "BF" => value.len() == 1,
        _ => value.len() <= VALUE_BYTES_MAX,
    }
}

/// What a till asks for, by its fields.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    /// What.
    pub action: Action,
    /// How much; zero for a probe.
    pub cents: Cents,
    /// The till's number, CA; empty where it gives none.
    pub till: String,
    /// Its own reference, CF.
    pub reference: String,
    /// BA=1: it does not wait for the end.
    pub at_once: bool,
    /// BF=1: it can be paid a part, which the answer's CB says.
    pub takes_part: bool,
}

/// What an answer shows of what was done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Proof {
    /// The number on our receipt, six digits.
    pub stan: String,
    /// Four digits that stand for the card, never of its UID.
    pub card_digits: String,
    /// What was paid, where that is only a part.
    pub paid: Option<Cents>,
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
