//! The keys of slots: which slot a shop has, which keys its terminals get, and the next key after a theft.
//!
//! A card changes its key when it comes by, terminals when they sync: so terminals get the next key of every card ahead of
//! the card, and keep both until they hear that the card has changed.

use cabas_card::identity::shared_key;
use cabas_protocol::keys::SLOT_KEYS_KEPT;
use cabas_protocol::{Epoch, TerminalId};
use rusqlite::{OptionalExtension as _, params};

use super::error::StoreError;
use super::import::tier_of_number;
use super::model::{Deliverable, SlotKeyOrder, Wake};
use super::news::{ByChange, limit};
use super::sql::{Sql, col};
use super::terminals::{EpochRecord, standing_number};
use super::tx::Tx;
use cabas_protocol::sync::Standing;

/// Slots of one shop each; the others share what is left.
const SINGLE_SLOTS: i64 = 5;
/// Slots of a card.
const SLOTS: i64 = 8;

/// The keys that cards have, of a slot.
const OWN_KEYS: &str =
    "SELECT issued_cards.change, cards.ref, uid_sealed, card_slots.version, card_slots.version, tier, slot
     FROM issued_cards JOIN cards ON cards.number = issued_cards.card
     JOIN card_slots ON card_slots.card = issued_cards.card AND slot = ?1
     WHERE issued_cards.change > ?2 AND tier = 1 AND NOT EXISTS (SELECT 1 FROM card_releases
        JOIN card_balances ON card_balances.id = account WHERE card_balances.card = issued_cards.card)
     ORDER BY issued_cards.change LIMIT ?3";
/// The same that they are to have next.
const NEXT_OWN_KEYS: &str = "SELECT keys_ahead.change, cards.ref, uid_sealed, keys_ahead.version, card_slots.version, tier,
        keys_ahead.slot
     FROM keys_ahead JOIN cards ON cards.number = keys_ahead.card JOIN issued_cards ON issued_cards.card = keys_ahead.card
     JOIN card_slots ON card_slots.card = keys_ahead.card AND card_slots.slot = keys_ahead.slot
     WHERE keys_ahead.slot = ?1 AND keys_ahead.change > ?2 AND tier = 1 AND NOT EXISTS (SELECT 1 FROM card_releases
        JOIN card_balances ON card_balances.id = account WHERE card_balances.card = keys_ahead.card)
     ORDER BY keys_ahead.change LIMIT ?3";
/// Those of identity cards, by the number of the key that slots share.
const SHARED: &str =
    "SELECT issued_cards.change, cards.ref, uid_sealed, card_slots.version, card_slots.version, tier, slot
     FROM issued_cards JOIN cards ON cards.number = issued_cards.card
     JOIN card_slots ON card_slots.card = issued_cards.card AND slot = ?1
     WHERE issued_cards.change > ?2 AND tier = 2 AND NOT EXISTS (SELECT 1 FROM card_releases
        JOIN card_balances ON card_balances.id = account WHERE card_balances.card = issued_cards.card)
     ORDER BY issued_cards.change LIMIT ?3";
/// The same that they are to have next.
const NEXT_SHARED: &str = "SELECT keys_ahead.change, cards.ref, uid_sealed, keys_ahead.version, card_slots.version, tier,
        keys_ahead.slot
     FROM keys_ahead JOIN cards ON cards.number = keys_ahead.card JOIN issued_cards ON issued_cards.card = keys_ahead.card
     JOIN card_slots ON card_slots.card = keys_ahead.card AND card_slots.slot = keys_ahead.slot
     WHERE keys_ahead.slot = ?1 AND keys_ahead.change > ?2 AND tier = 2 AND NOT EXISTS (SELECT 1 FROM card_releases
        JOIN card_balances ON card_balances.id = account WHERE card_balances.card = keys_ahead.card)
     ORDER BY keys_ahead.change LIMIT ?3";

/// What [`Tx::new_slot_keys`] asks: by slot, change and limit.
pub(super) const KEY_QUERIES: [&str; 4] = [OWN_KEYS, NEXT_OWN_KEYS, SHARED, NEXT_SHARED];

impl Tx<'_> {
    /// A slot gets a new key, for a terminal that knew the old one was stolen: cards get it as they come by, the slot's
    /// terminals that are live at once.
    ///
    /// # Errors
    /// [`StoreError::UnknownShop`] for a shop without a slot; [`StoreError::Exhausted`] after 255 keys;
    /// [`StoreError::KeysBehind`] where terminals would have to keep more keys of a card than they do.
    pub fn slot_renew(&mut self, shop: &str) -> Result<(u8, u8), StoreError> {
        let read = "SELECT slot, version FROM shops JOIN slots USING (slot) WHERE code = ?1";
        let found: Option<(u8, u8)> =
            self.conn.query_row(read, [shop], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let (slot, version) = found.ok_or(StoreError::UnknownShop)?;
        let version = version.checked_add(1).ok_or(StoreError::Exhausted("version of a slot's key"))?;
        let read = "SELECT count(*) FROM card_slots JOIN cards ON cards.number = card_slots.card
             WHERE blocked_at IS NULL AND (tier = 1 AND slot = ?1 AND card_slots.version <= ?2
                OR tier = 2 AND slot = ?3 AND card_slots.version <= ?4)";
        let too_old = |version: u8| version.saturating_sub(SLOT_KEYS_KEPT);
        let (shared, next) = self.shared_due(slot)?;
        let next = next.checked_add(1).ok_or(StoreError::Exhausted("version of a shared key"))?;
        let values = params![slot, too_old(version), shared, too_old(next)];
        let cards = self.conn.query_row(read, values, |row| row.get(0))?;
        if cards > 0 {
            return Err(StoreError::KeysBehind { slot, cards });
        }
        self.slot_at_least(slot, version)?;
        Ok((slot, version))
    }

    /// Cards are to have this version in a slot, or a newer one: their next keys are told.
    fn slot_at_least(&mut self, slot: u8, version: u8) -> Result<(), StoreError> {
        let raised = self
            .conn
            .execute("UPDATE slots SET version = ?2 WHERE slot = ?1 AND version < ?2", params![slot, version])?;
        if raised == 0 {
            return Ok(());
        }
        // Identity cards have a key that several slots share: it is renewed with each of them.
        let (shared, shared_version) = self.shared_due(slot)?;
        // Each version between: a card that left while it was given one may have it, and nobody knows.
        let told = self.conn.execute(
            "WITH RECURSIVE ahead (card, slot, version, upto) AS (
                SELECT card, slot, 1 + max(card_slots.version, ifnull((SELECT max(version) FROM keys_ahead
                    WHERE keys_ahead.card = card_slots.card AND keys_ahead.slot = card_slots.slot), 0)), iif(tier = 2, ?4, ?2)
                FROM card_slots JOIN cards ON cards.number = card_slots.card
                WHERE tier = 1 AND slot = ?1 AND card_slots.version < ?2 OR tier = 2 AND slot = ?3 AND card_slots.version < ?4
                UNION ALL SELECT card, slot, version + 1, upto FROM ahead WHERE version < upto)
             INSERT INTO keys_ahead (card, slot, version, change)
             SELECT card, slot, version, (SELECT change FROM fund) + row_number() OVER (ORDER BY card, version)
             FROM ahead WHERE version <= upto",
            params![slot, version, shared, shared_version],
        )?;
        // A terminal keeps no more of a card: an older one of these would drive out the one that a blocked card has.
        self.conn.execute(
            "DELETE FROM keys_ahead WHERE version + ?1 <= (SELECT max(version) FROM keys_ahead AS newest
                WHERE newest.card = keys_ahead.card AND newest.slot = keys_ahead.slot)",
            [SLOT_KEYS_KEPT.saturating_sub(1)],
        )?;
        let told = i64::try_from(told).map_err(|_| StoreError::Exhausted("change"))?;
        if told > 0 {
            self.conn.execute("UPDATE fund SET change = change + ?1, change_for_all = change + ?1", [told])?;
            self.wake(Wake::All);
        }
        Ok(())
    }

    /// Notes the versions of the keys that a card has. A newer one than is due was given before the hub was restored.
    pub(super) fn card_has_keys(&mut self, number: u32, versions: &[(u8, u8)]) -> Result<(), StoreError> {
        let read = "SELECT tier = 1 FROM cards WHERE number = ?1";
        let is_purse: bool = self.conn.query_row(read, [number], |row| row.get(0))?;
        for (slot, version) in versions {
            self.conn
                .prepare_cached(
                    "INSERT INTO card_slots (card, slot, version, first) VALUES (?1, ?2, ?3, ?3)
                     ON CONFLICT (card, slot) DO UPDATE SET version = ?3",
                )?
                .execute(params![number, slot, version])?;
            if is_purse {
                self.slot_at_least(*slot, *version)?;
            } else {
                self.shared_at_least(*slot, *version)?;
            }
        }
        self.keys_due_ahead(number, is_purse)?;
        self.conn.execute(
            "DELETE FROM keys_ahead WHERE card = ?1 AND version <= (SELECT version FROM card_slots
                WHERE card_slots.card = keys_ahead.card AND card_slots.slot = keys_ahead.slot)",
            [number],
        )?;
        // A next key always comes after the one that the card has.
        let ahead = self
            .conn
            .prepare_cached("SELECT slot, version FROM keys_ahead WHERE card = ?1 ORDER BY slot, version")?
            .query_map([number], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<Vec<(u8, u8)>, _>>()?;
        for (slot, version) in ahead {
            let change = self.change_for_all()?;
            let renumber = "UPDATE keys_ahead SET change = ?4 WHERE card = ?1 AND slot = ?2 AND version = ?3";
            self.conn.execute(renumber, params![number, slot, version, Sql(change)])?;
        }
        Ok(())
    }

    /// The same for a key that slots share: it counts their renewals, so that one of them is renewed by as many.
    fn shared_at_least(&mut self, number: u8, version: u8) -> Result<(), StoreError> {
        let due = self.shared_keys_due()?.into_iter().find(|(shared, _)| *shared == number);
        let behind = due.map_or(0, |(_, due)| version.saturating_sub(due));
        if behind == 0 {
            return Ok(());
        }
        let read = "SELECT version FROM slots WHERE slot = ?1";
        let slot: u8 = self.conn.query_row(read, [number], |row| row.get(0))?;
        let raised = slot.checked_add(behind).ok_or(StoreError::Exhausted("version of a slot's key"))?;
        self.slot_at_least(number, raised)
    }

    /// A slot that was renewed while the card was spoken to: the card is to have that key next.
    fn keys_due_ahead(&self, number: u32, is_purse: bool) -> Result<(), StoreError> {
        let due = if is_purse { self.slots_due()? } else { self.shared_keys_due()? };
        for (slot, version) in due {
            self.conn
                .prepare_cached(
                    "WITH RECURSIVE ahead (card, slot, version) AS (
                        SELECT card, slot, version + 1 FROM card_slots WHERE card = ?1 AND slot = ?2 AND version < ?3
                        UNION ALL SELECT card, slot, version + 1 FROM ahead WHERE version < ?3)
                     INSERT INTO keys_ahead (card, slot, version, change) SELECT card, slot, version, 0 FROM ahead
                     WHERE true ON CONFLICT DO NOTHING",
                )?
                .execute(params![number, slot, version])?;
        }
        Ok(())
    }

    /// The key of identity cards that a slot shares with others, and the version that they are to have.
    fn shared_due(&self, slot: u8) -> Result<(u8, u8), StoreError> {
        let number = shared_key(slot).ok_or(StoreError::Damaged("a slot"))?;
        let due = self.shared_keys_due()?.into_iter().find(|(shared, _)| *shared == number);
        due.ok_or(StoreError::Damaged("a shared key"))
    }

    /// The slot of a terminal's shop.
    fn slot_of(&self, terminal: TerminalId) -> Result<Option<u8>, StoreError> {
        let read = "SELECT slot FROM shops JOIN terminals ON terminals.shop = shops.number WHERE terminals.number = ?1";
        Ok(self.conn.query_row(read, [Sql(terminal)], |row| row.get(0)).optional()?.flatten())
    }

    /// Gives every shop that has none a slot: the busiest have one each, the others share.
    pub(super) fn slots_given(&self) -> Result<(), StoreError> {
        self.conn.execute(
            "WITH ranks AS (SELECT number, row_number() OVER (ORDER BY weight_permille DESC, number) - 1 AS rank FROM shops)
             UPDATE shops SET slot = iif(rank < ?1, rank + 1, ?1 + 1 + (rank - ?1) % (?2 - ?1))
             FROM ranks WHERE ranks.number = shops.number AND slot IS NULL",
            params![SINGLE_SLOTS, SLOTS],
        )?;
        Ok(())
    }

    /// The keys by which a terminal's shop speaks with cards, the next ones too: made where they are signed, for the ledger
    /// holds no master. An enrolment that does not sell gets none.
    pub(super) fn new_slot_keys(
        &self,
        found: &mut ByChange,
        record: &EpochRecord,
        since: u64,
        at_most: usize,
    ) -> Result<(), StoreError> {
        let Some(slot) = self.slot_of(record.terminal)? else { return Ok(()) };
        if !record.may_be_raised() {
            return Ok(());
        }
        // One search of an index each: a slot of purse cards, and the key of identity cards that it shares.
        let (own, shared) = (Some(slot), shared_key(slot));
        for (which, slot) in KEY_QUERIES.into_iter().zip([own, own, shared, shared]) {
            let mut read = self.conn.prepare_cached(which)?;
            let mut rows = read.query(params![slot, Sql(since), limit(at_most)])?;
            while let Some(row) = rows.next()? {
                let order = SlotKeyOrder {
                    terminal: record.terminal,
                    epoch: record.epoch,
                    card: col(row, 1)?,
                    tier: tier_of_number(row.get(5)?)?,
                    uid_sealed: row.get(2)?,
                    slot: row.get(6)?,
                    version: row.get(3)?,
                    oldest: row.get(4)?,
                };
                found.insert(col(row, 0)?, Deliverable::SlotKey(order));
            }
        }
        Ok(())
    }

    /// Notes of which cards an enrolment has the newest keys, and no older ones, by the news that it took.
    pub(super) fn cards_confirmed(&self, record: &EpochRecord, cursor: u64) -> Result<(), StoreError> {
        let mut note = self.conn.prepare_cached(
            "UPDATE epochs SET cards_confirmed = newest.change
             FROM (SELECT ifnull(max(change), 0) AS change FROM issued_cards WHERE change <= ?2) AS newest
             WHERE number = ?1 AND cards_confirmed < newest.change",
        )?;
        note.execute(params![Sql(record.number), Sql(cursor)])?;
        Ok(())
    }

    /// Notes the newest keys that a terminal's enrolments, or one of them, may know: from here on they get no more.
    pub(super) fn keys_end(&self, terminal: TerminalId, epoch: Option<Epoch>) -> Result<(), StoreError> {
        self.conn.execute(
            "UPDATE epochs SET keys_upto = (SELECT version FROM slots JOIN shops USING (slot)
                JOIN terminals ON terminals.shop = shops.number WHERE terminals.number = epochs.terminal)
             WHERE terminal = ?1 AND (?2 IS NULL OR epoch = ?2) AND keys_upto IS NULL AND standing <> ?3",
            params![Sql(terminal), epoch.map(Sql), standing_number(Standing::Closed)],
        )?;
        Ok(())
    }
}
