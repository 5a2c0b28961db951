//! `card inspect`: what stands on a purse card, read by this terminal's own key. Nothing is changed, and nothing tells where
//! its member buys.

use super::Context;
use super::card::{LOOKS, Opened};
use super::failure::Failure;
use crate::card::purse::{PurseCard as _, over};
use crate::card::{Card, Uid, with_card};
use crate::journal::{FILE, Journal, JournalError, SlotSecret};
use crate::out::print;
use cabas_card::CardError;
use cabas_protocol::balance::{Scope, SignedBalance};
use cabas_protocol::{CardRef, Signed};
use serde::Serialize;

/// What was found on a card.
#[derive(Debug, Serialize)]
struct Inspected {
    /// The card's reference: no number, no name.
    card: String,
    /// The slot whose key opened it.
    slot: u8,
    /// What it has counted, in cents.
    spent_cents: u32,
    /// How many records of debits it keeps.
    records: usize,
    /// The balance that it carries; nothing where none of ours is there.
    balance: Option<Carried>,
}

/// A signed balance on a card.
#[derive(Debug, Serialize)]
struct Carried {
    serial: u32,
    allowed_cents: u64,
    left_cents: u64,
    /// Seconds since 1970-01-01 UTC.
    issued_at: u64,
    /// False where the key that signed it is not known here, or was taken back.
    is_genuine: bool,
}

pub(super) fn run(context: &Context) -> Result<(), Failure> {
    let Opened { keys, mut journal, lock: _lock } = Opened::unsealed(context)?;
    let no_journal = |source: JournalError| Failure::Journal { file: context.config.data_dir.join(FILE), source };
    let card_key = keys.card_key();
    let inspected = with_card(&context.config.reader(), LOOKS, |card, uid: &Uid| {
        let name = card_key.card_ref(uid.as_bytes());
        journal.keys_of_card(name).map_err(no_journal).and_then(|secrets| inspect(&journal, card, name, &secrets))
    });
    let found = inspected.map_err(Failure::NoCard)??;
    print(context.format, &found, text).map_err(Failure::Print)
}

fn inspect(
    journal: &Journal,
    card: &mut dyn Card,
    name: CardRef,
    secrets: &[SlotSecret],
) -> Result<Inspected, Failure> {
    let mut card = over(card);
    let mut opened = Err(Failure::Refused(format!(
        "this terminal has no key for card {name}: it is no purse card, or is to be synced first"
    )));
    for SlotSecret { slot, key } in secrets {
        let read =
            card.open(*slot, key).and_then(|mut open| Ok((open.balance()?, open.spent()?, open.records()?.len())));
        match read {
            Ok((balance, spent_cents, records)) => {
                let balance = carried(journal, &balance, spent_cents);
                return Ok(Inspected { card: name.to_string(), slot: *slot, spent_cents, records, balance });
            }
            // The card may have the older key.
            Err(error @ CardError::Refused { .. }) => opened = Err(not_read(&error)),
            Err(error) => return Err(not_read(&error)),
        }
    }
    opened
}

fn not_read(error: &CardError) -> Failure {
    Failure::Refused(format!("the card could not be read: {error}; hold it still, or have it renewed (`card renew`)"))
}

fn carried(journal: &Journal, bytes: &[u8], spent_cents: u32) -> Option<Carried> {
    let signed = Signed::<SignedBalance>::from_bytes(bytes.to_vec()).ok()?;
    let balance = signed.peek().ok().filter(|balance| balance.scope == Scope::Card)?;
    Some(Carried {
        serial: balance.serial.get(),
        allowed_cents: balance.allowed.get(),
        left_cents: balance.allowed.get().saturating_sub(spent_cents.into()),
        issued_at: balance.issued_at.get(),
        is_genuine: journal.state().keys.verify(&signed).is_ok(),
    })
}

fn text(found: &Inspected) -> String {
    let Inspected { card, slot, spent_cents, records, balance } = found;
    let head = format!("card {card}, opened by slot {slot}: {spent_cents} cents spent, {records} records");
    let Some(Carried { serial, allowed_cents, left_cents, issued_at, is_genuine }) = balance else {
        return format!("{head}\nno balance of ours lies on it\n");
    };
    let doubt = if *is_genuine { "" } else { ", NOT signed by a key that is known here" };
    format!("{head}\nbalance {serial} of {issued_at}: {allowed_cents} cents allowed, {left_cents} left{doubt}\n")
}
