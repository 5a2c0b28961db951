//! What a purse card proves of a row: its transaction MAC over what the row says was done, under a counter that only rises.
//! The keys are not here: a witness remakes what card and terminal must have made.

use cabas_card::CardError;
use cabas_card::layout::{RECORD_BYTES, Record};
use cabas_card::purse::{purchase_input, written_input};
use cabas_card::tmac::TransactionInput;
use cabas_protocol::row::{CardDebit, Row, Sale};
use cabas_protocol::{Cents, RowBody};

/// Who knows the cards' keys, and shows none. Cards are named by their sealed UIDs.
pub trait CardWitness: Send + Sync {
    /// The MAC that a card makes of a transaction, with the counter after it; nothing where the UID cannot be opened.
    fn transaction_mac(&self, uid_sealed: &[u8], counter: u32, input: &TransactionInput) -> Option<[u8; 8]>;

    /// A record with the MAC of the terminal that it names; nothing where the UID cannot be opened.
    fn record(&self, uid_sealed: &[u8], record: Record) -> Option<[u8; RECORD_BYTES]>;
}

/// Knows no card.
#[derive(Clone, Copy, Debug)]
pub struct NoWitness;

impl CardWitness for NoWitness {
    fn transaction_mac(&self, _: &[u8], _: u32, _: &TransactionInput) -> Option<[u8; 8]> {
        None
    }

    fn record(&self, _: &[u8], _: Record) -> Option<[u8; RECORD_BYTES]> {
        None
    }
}

/// What became of a proof. The number is stored and never used again for another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Proof {
    /// The card made it.
    Proven,
    /// There is none: the card's answer never came, and the terminal says so.
    Missing,
    /// This hub did not issue the card, or does not have the balance any more that it carried.
    Unchecked,
    /// The card did not make it.
    Wrong,
    /// The card's counter was told of before.
    Repeated,
}

impl Proof {
    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Proven => 1,
            Self::Missing => 2,
            Self::Unchecked => 3,
            Self::Wrong => 4,
            Self::Repeated => 5,
        }
    }

    /// The proof of a number.
    #[must_use]
    pub fn of_number(number: u8) -> Option<Self> {
        [Self::Proven, Self::Missing, Self::Unchecked, Self::Wrong, Self::Repeated]
            .into_iter()
            .find(|proof| proof.number() == number)
    }

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Missing => "missing",
            Self::Unchecked => "not_checked",
            Self::Wrong => "wrong",
            Self::Repeated => "repeated",
        }
    }

    /// True where a person must look.
    #[must_use]
    pub const fn is_flagged(self) -> bool {
        matches!(self, Self::Missing | Self::Wrong | Self::Repeated)
    }

    /// True where an honest terminal cannot have sent it: nothing of it is paid.
    #[must_use]
    pub const fn is_false(self) -> bool {
        matches!(self, Self::Wrong | Self::Repeated)
    }
}

/// What a card answered to a commit, by a row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Answered<'r> {
    /// Its counter after it.
    pub counter: u32,
    /// Its MAC.
    pub mac: &'r [u8],
}

/// What a sale says that the card answered; nothing where a part of it is missing.
#[must_use]
pub fn answered(sale: &Sale) -> Option<Answered<'_>> {
    let mac = sale.card_mac.as_ref()?;
    Some(Answered { counter: sale.card_counter?, mac: mac.as_slice() })
}

/// The record that a sale's terminal wrote to the card, made again from the row that announced the debit; nothing where
/// that row announced another debit.
#[must_use]
pub fn record_of(intent: &Row, sale: &Sale) -> Option<Record> {
    let RowBody::Intent(CardDebit { stan, card, purse, cents, spent_before, .. }) = &intent.body else { return None };
    let fund = sale.fund_cents().ok()?;
    let is_of_sale = (*stan, *card, *purse, *cents) == (sale.stan, sale.card, sale.purse, fund)
        && spent_before.plus(*cents) == Ok(sale.spent_after);
    is_of_sale.then_some(Record {
        terminal: intent.terminal.get(),
        epoch: intent.epoch.get(),
        seq: intent.seq.get(),
        time_s: u32::try_from(intent.time.wall.get()).unwrap_or(u32::MAX),
        cents: small(*cents)?,
        spent_after: small(sale.spent_after)?,
        serial: sale.serial.get(),
    })
}

fn small(cents: Cents) -> Option<u32> {
    u32::try_from(cents.get()).ok()
}

/// What a MAC that is made again says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Judged<'b> {
    /// The card made it, with this balance on it.
    Fits(&'b [u8]),
    /// With none of these balances on it.
    Not,
    /// The card's key cannot be had.
    Unknown,
}

/// Judges a purchase: it is the card's where one of the balances that it may have carried gives its MAC. `carried` begins
/// with the newest; a card without any has an empty one.
#[must_use]
pub fn purchase<'b>(
    witness: &dyn CardWitness,
    uid_sealed: &[u8],
    answered: Answered<'_>,
    record: Record,
    carried: &'b [Vec<u8>],
) -> Judged<'b> {
    let before = record.spent_after.checked_sub(record.cents);
    let Some((bytes, before)) = witness.record(uid_sealed, record).zip(before) else { return Judged::Unknown };
    let balances = carried.iter().map(Vec::as_slice).chain([&[][..]]);
    judge(witness, uid_sealed, answered, balances, |balance| {
        purchase_input(Some(balance), before, record.cents, &bytes)
    })
}

/// Judges the writing of a balance, of which one of `written` went to the card.
#[must_use]
pub fn writing<'b>(
    witness: &dyn CardWitness,
    uid_sealed: &[u8],
    answered: Answered<'_>,
    written: &'b [Vec<u8>],
) -> Judged<'b> {
    judge(witness, uid_sealed, answered, written.iter().map(Vec::as_slice), written_input)
}

fn judge<'b>(
    witness: &dyn CardWitness,
    uid_sealed: &[u8],
    answered: Answered<'_>,
    balances: impl Iterator<Item = &'b [u8]>,
    input: impl Fn(&[u8]) -> Result<TransactionInput, CardError>,
) -> Judged<'b> {
    for balance in balances {
        let Ok(input) = input(balance) else { continue };
        match witness.transaction_mac(uid_sealed, answered.counter, &input) {
            Some(mac) if mac == answered.mac => return Judged::Fits(balance),
            Some(_) => {}
            None => return Judged::Unknown,
        }
    }
    Judged::Not
}
