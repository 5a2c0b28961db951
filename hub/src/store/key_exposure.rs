//! What keys that are out of the fund's hands can still cost.
//!
//! Who has a slot's key of a card can speak as that card to any terminal that takes the key: it sells, and no chip has
//! counted. The hub pays each cent of the card once, so that what is lost is at most what the card may still spend. It ends
//! where the card has a newer key and every terminal of the slot has dropped the old one.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use cabas_protocol::sync::Standing;
use cabas_protocol::{Cents, Epoch, TerminalId, Timestamp};
use rusqlite::params;

use super::error::StoreError;
use super::exposure::Exposure;
use super::sql::{Sql, col};
use super::terminals::EpochRecord;
use super::tx::Tx;

/// An enrolment whose keys are out of the fund's hands, and the cards that they still open somewhere. Cards of several
/// entries overlap.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyExposure {
    /// The terminal.
    pub terminal: TerminalId,
    /// Its epoch.
    pub epoch: Epoch,
    /// How it stands; `Live` means silent.
    pub standing: Standing,
    /// The slot of its keys.
    pub slot: u8,
    /// The newest version that it may know.
    pub version: u8,
    /// Cards that a terminal still takes by a key that it knows.
    pub cards: u32,
    /// Other terminals of the slot that sell.
    pub terminals: u32,
    /// What those cards may still spend.
    pub cents: Cents,
}

/// An enrolment that got keys of a slot.
struct Holder {
    record: EpochRecord,
    slot: u8,
    /// The newest version that it may know.
    version: u8,
    /// False where it still gets keys.
    has_ended: bool,
    heard_at: Timestamp,
    cards_confirmed: u64,
}

/// Cards that keys open, and what they may still spend.
#[derive(Clone, Copy)]
struct Opened {
    cards: u32,
    cents: Cents,
}

impl Holder {
    /// True where nobody can say in whose hands it is.
    fn is_lost(&self, silent_s: u64, now: Timestamp) -> bool {
        match self.record.standing {
            Standing::Live => now.since_s(self.heard_at) > silent_s,
            Standing::Quarantined | Standing::Revoked => true,
            Standing::Closed => self.has_ended,
        }
    }
}

impl Tx<'_> {
    /// Adds what keys at lost terminals can still cost. Blocked cards are counted by themselves, whoever plays them.
    pub(super) fn lost_keys(&self, exposure: &mut Exposure, silent_s: u64, now: Timestamp) -> Result<(), StoreError> {
        let holders = self.key_holders()?;
        let mut takers: BTreeMap<u8, Vec<&Holder>> = BTreeMap::new();
        for holder in holders.iter().filter(|holder| holder.record.may_be_raised()) {
            takers.entry(holder.slot).or_default().push(holder);
        }
        // Many terminals of a slot may be lost at once, and open the same cards.
        let mut looked: BTreeMap<(u8, u8, u64), Opened> = BTreeMap::new();
        let mut cents: BTreeMap<u32, Cents> = BTreeMap::new();
        for lost in holders.iter().filter(|holder| holder.is_lost(silent_s, now)) {
            let takers = takers.get(&lost.slot).into_iter().flatten();
            let takers = takers.filter(|taker| taker.record.number != lost.record.number);
            let (count, confirmed) = takers.fold((0_u32, None), |(count, least), taker| {
                let least = least.unwrap_or(u64::MAX).min(taker.cards_confirmed);
                (count.saturating_add(1), Some(least))
            });
            let Some(confirmed) = confirmed else { continue };
            let opened = match looked.entry((lost.slot, lost.version, confirmed)) {
                Entry::Occupied(opened) => *opened.get(),
                Entry::Vacant(place) => *place.insert(self.cards_opened(lost, confirmed, &mut cents)?),
            };
            if opened.cards > 0 {
                exposure.keys.push(KeyExposure {
                    terminal: lost.record.terminal,
                    epoch: lost.record.epoch,
                    standing: lost.record.standing,
                    slot: lost.slot,
                    version: lost.version,
                    cards: opened.cards,
                    terminals: count,
                    cents: opened.cents,
                });
            }
        }
        exposure.lost_keys = Cents::sum(cents.into_values())?;
        Ok(())
    }

    fn key_holders(&self) -> Result<Vec<Holder>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT terminal, epochs.epoch, slots.slot, ifnull(keys_upto, slots.version), keys_upto IS NOT NULL,
                max(ifnull(contact_at, 0), opened_at), cards_confirmed
             FROM epochs JOIN terminals ON terminals.number = epochs.terminal JOIN shops ON shops.number = terminals.shop
             JOIN slots ON slots.slot = shops.slot LEFT JOIN contacts ON contacts.epoch = epochs.number
             ORDER BY terminal, epochs.epoch",
        )?;
        let mut rows = read.query([])?;
        let mut holders = Vec::new();
        while let Some(row) = rows.next()? {
            holders.push(Holder {
                record: self.epoch(col(row, 0)?, col(row, 1)?)?,
                slot: row.get(2)?,
                version: row.get(3)?,
                has_ended: row.get(4)?,
                heard_at: col(row, 5)?,
                cards_confirmed: col(row, 6)?,
            });
        }
        Ok(holders)
    }

    /// Counts the cards that have a key that a lost terminal may know, or had one that not every terminal has dropped, and
    /// adds each with what it may still spend.
    fn cards_opened(
        &self,
        lost: &Holder,
        confirmed: u64,
        cents: &mut BTreeMap<u32, Cents>,
    ) -> Result<Opened, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT card_slots.card, ifnull(accounts.credits - accounts.debits, 0) FROM card_slots
             JOIN issued_cards ON issued_cards.card = card_slots.card JOIN cards ON cards.number = card_slots.card
             JOIN card_balances ON card_balances.card = card_slots.card LEFT JOIN accounts ON accounts.id = card_balances.id
             WHERE slot = ?1 AND first <= ?2 AND (card_slots.version <= ?2 OR issued_cards.change > ?3)
                AND blocked_at IS NULL",
        )?;
        let mut rows = read.query(params![lost.slot, lost.version, Sql(confirmed)])?;
        let mut opened = Opened { cards: 0, cents: Cents::ZERO };
        while let Some(row) = rows.next()? {
            let (card, left): (u32, Cents) = (row.get(0)?, col(row, 1)?);
            opened = Opened { cards: opened.cards.saturating_add(1), cents: opened.cents.plus(left)? };
            cents.insert(card, left);
        }
        Ok(opened)
    }
}
