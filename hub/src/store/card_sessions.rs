//! Cards with keys in the hand: who may do what with which, and by which keys shops speak with them.

use cabas_card::identity::{SHARED_KEYS, shared_key};
use cabas_protocol::row::Tier;
use cabas_protocol::{CardRef, Epoch, PurseRef, SignedBalance, TerminalId, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::error::{CardSessionRefusal, StoreError};
use super::import::{tier_number, tier_of_number};
use super::model::{CardName, CardPlan, CardVerb, Deliverable, SlotKeyOrder};
use super::news::{ByChange, limit};
use super::sql::{Sql, col};
use super::terminals::EpochRecord;
use super::tx::Tx;

/// Slots of one shop each; the others share what is left.
const SINGLE_SLOTS: i64 = 5;
/// Slots of a card.
const SLOTS: i64 = 8;

impl CardVerb {
    const fn number(self) -> u8 {
        match self {
            Self::Issue => 1,
            Self::Retire => 2,
            Self::Rekey => 3,
        }
    }
}

impl Tx<'_> {
    /// Lets a terminal's reader do one thing with one card, for a while; an earlier word on that card there is void. `tier`
    /// says what is to be issued.
    ///
    /// # Errors
    /// [`StoreError::UnknownTerminal`]; [`CardSessionRefusal::NoHousehold`] for an issue without one.
    pub fn card_grant(
        &mut self,
        terminal: TerminalId,
        verb: CardVerb,
        (card, tier): (u32, Tier),
        household: Option<&str>,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        self.terminal_shop(terminal)?;
        let known = household.map(|code| self.purse_of_household(code)).transpose()?.flatten();
        if verb == CardVerb::Issue && known.is_none() {
            return Err(CardSessionRefusal::NoHousehold.into());
        }
        self.conn.execute(
            "DELETE FROM card_grants WHERE terminal = ?1 AND card = ?2 AND done_at IS NULL",
            params![Sql(terminal), card],
        )?;
        self.conn.execute(
            "INSERT INTO card_grants (terminal, verb, card, household, expires_at, tier) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![Sql(terminal), verb.number(), card, household, Sql(until), tier_number(tier)],
        )?;
        Ok(())
    }

    /// What is to be done with the card that lies at a terminal, where it may be. For an issue the card is bound first, so
    /// that it can be begun again: a purse card to a purse of its own, an identity card to the one that its household
    /// shares. The same card and number again change nothing.
    ///
    /// # Errors
    /// [`CardSessionRefusal`]; [`StoreError::CardTaken`] for a number or a card that is another's.
    pub fn card_plan(
        &mut self,
        (terminal, verb, number): (TerminalId, CardVerb, u32),
        card: CardRef,
        new_purse: PurseRef,
        now: Timestamp,
    ) -> Result<CardPlan, StoreError> {
        let (household, granted) = self.granted(terminal, verb, number, now)?;
        let read = "SELECT tier FROM cards WHERE number = ?1 AND ref = ?2 AND tier IN (1, 2)";
        let known: Option<u8> = self.conn.query_row(read, params![number, Sql(card)], |row| row.get(0)).optional()?;
        let tier = match (verb, known.map(tier_of_number).transpose()?, household) {
            (CardVerb::Issue, None, Some(household)) if granted == Tier::Identity => {
                self.identity_card_add(number, card, &household, now)?;
                granted
            }
            (CardVerb::Issue, None, Some(household)) => {
                self.purse_card_add(number, card, &household, new_purse, now)?;
                granted
            }
            (CardVerb::Issue, None, None) => return Err(CardSessionRefusal::NoHousehold.into()),
            (CardVerb::Issue, Some(tier), _) if tier != granted => {
                return Err(CardSessionRefusal::OtherTier(number).into());
            }
            (CardVerb::Retire | CardVerb::Rekey, None, _) => return Err(CardSessionRefusal::OtherCard(number).into()),
            (_, Some(tier), _) => tier,
        };
        let due = if tier == Tier::Identity { self.shared_keys_due()? } else { self.slots_due()? };
        Ok(CardPlan { tier, balance: self.card_balance(number)?, slots: self.card_slots(number)?, due })
    }

    /// Notes what was done with a card.
    ///
    /// # Errors
    /// [`CardSessionRefusal`] where it was not allowed.
    pub fn card_done(
        &mut self,
        (terminal, verb, number): (TerminalId, CardVerb, u32),
        uid_sealed: &[u8],
        versions: &[(u8, u8)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.granted(terminal, verb, number, now)?;
        self.conn.execute(
            "UPDATE card_grants SET done_at = ?4 WHERE terminal = ?1 AND verb = ?2 AND card = ?3 AND done_at IS NULL",
            params![Sql(terminal), verb.number(), number, Sql(now)],
        )?;
        if verb == CardVerb::Retire {
            self.card_block(CardName::Number(number), now)?;
            return Ok(());
        }
        let change = self.change_for_all()?;
        self.conn.execute(
            "INSERT INTO issued_cards (card, uid_sealed, issued_at, change) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (card) DO UPDATE SET uid_sealed = ?2, change = ?4",
            params![number, uid_sealed, Sql(now), Sql(change)],
        )?;
        let mut set = self.conn.prepare_cached(
            "INSERT INTO card_slots (card, slot, version) VALUES (?1, ?2, ?3)
             ON CONFLICT (card, slot) DO UPDATE SET version = ?3",
        )?;
        for (slot, version) in versions {
            set.execute(params![number, slot, version])?;
        }
        Ok(())
    }

    /// A slot gets a new key, for a terminal that knew the old one was stolen: cards get it as they come by.
    ///
    /// # Errors
    /// [`StoreError::UnknownShop`] for a shop without a slot; [`StoreError::Exhausted`] after 255 keys.
    pub fn slot_renew(&mut self, shop: &str) -> Result<(u8, u8), StoreError> {
        let read = "SELECT slot, version FROM shops JOIN slots USING (slot) WHERE code = ?1";
        let found: Option<(u8, u8)> =
            self.conn.query_row(read, [shop], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let (slot, version) = found.ok_or(StoreError::UnknownShop)?;
        let version = version.checked_add(1).ok_or(StoreError::Exhausted("version of a slot's key"))?;
        self.conn.execute("UPDATE slots SET version = ?2 WHERE slot = ?1", params![slot, version])?;
        Ok((slot, version))
    }

    fn granted(
        &self,
        terminal: TerminalId,
        verb: CardVerb,
        number: u32,
        now: Timestamp,
    ) -> Result<(Option<String>, Tier), StoreError> {
        let read = "SELECT household, tier FROM card_grants
             WHERE terminal = ?1 AND verb = ?2 AND card = ?3 AND done_at IS NULL AND expires_at > ?4";
        let values = params![Sql(terminal), verb.number(), number, Sql(now)];
        let granted = self.conn.query_row(read, values, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let (household, tier) = granted.ok_or(CardSessionRefusal::NotGranted(number))?;
        Ok((household, tier_of_number(tier)?))
    }

    fn card_balance(&self, number: u32) -> Result<Option<SignedBalance>, StoreError> {
        let read = "SELECT purse FROM cards WHERE number = ?1";
        let purse = self.conn.query_row(read, [number], |row| col(row, 0))?;
        let Some(card) = self.purse_card(purse)? else { return Ok(None) };
        Ok(card.balance(&self.fund()?, self.account(card.id)?.credits))
    }

    fn card_slots(&self, number: u32) -> Result<Vec<(u8, u8)>, StoreError> {
        let mut read = self.conn.prepare("SELECT slot, version FROM card_slots WHERE card = ?1 ORDER BY slot")?;
        Ok(read.query_map([number], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?)
    }

    fn slots_due(&self) -> Result<Vec<(u8, u8)>, StoreError> {
        let mut read = self.conn.prepare("SELECT slot, version FROM slots ORDER BY slot")?;
        Ok(read.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?)
    }

    /// Number and version of the keys that an identity card is to have: one is renewed whenever a slot that shares it is.
    fn shared_keys_due(&self) -> Result<Vec<(u8, u8)>, StoreError> {
        let slots = self.slots_due()?;
        let version = |number| {
            let sharing = slots.iter().filter(|(slot, _)| shared_key(*slot) == Some(number));
            // The first version is 1 for each slot, and for the key.
            let renewed: u32 = sharing.map(|(_, version)| u32::from(version.saturating_sub(1))).sum();
            u8::try_from(renewed.saturating_add(1)).map_err(|_| StoreError::Exhausted("version of a shared key"))
        };
        SHARED_KEYS.map(|number| Ok((number, version(number)?))).collect()
    }

    /// The slot of a shop, given the first time it is asked for: the busiest have one each, the others share.
    fn slot_of(&self, terminal: TerminalId) -> Result<Option<u8>, StoreError> {
        let read = "SELECT slot FROM shops JOIN terminals ON terminals.shop = shops.number WHERE terminals.number = ?1";
        Ok(self.conn.query_row(read, [Sql(terminal)], |row| row.get(0)).optional()?.flatten())
    }

    /// Gives every shop that has none a slot.
    pub(super) fn slots_given(&self) -> Result<(), StoreError> {
        self.conn.execute(
            "WITH ranks AS (SELECT number, row_number() OVER (ORDER BY weight_permille DESC, number) - 1 AS rank FROM shops)
             UPDATE shops SET slot = iif(rank < ?1, rank + 1, ?1 + 1 + (rank - ?1) % (?2 - ?1))
             FROM ranks WHERE ranks.number = shops.number AND slot IS NULL",
            params![SINGLE_SLOTS, SLOTS],
        )?;
        Ok(())
    }

    /// The keys by which a terminal's shop speaks with cards: made where they are signed, for the ledger holds no master.
    pub(super) fn new_slot_keys(
        &self,
        found: &mut ByChange,
        record: &EpochRecord,
        since: u64,
        at_most: usize,
    ) -> Result<(), StoreError> {
        let Some(slot) = self.slot_of(record.terminal)? else { return Ok(()) };
        let mut read = self.conn.prepare_cached(
            "SELECT issued_cards.change, cards.ref, uid_sealed, card_slots.version, tier, slot FROM issued_cards
             JOIN cards ON cards.number = issued_cards.card
             JOIN card_slots ON card_slots.card = issued_cards.card AND slot = iif(tier = 2, ?4, ?1)
             WHERE issued_cards.change > ?2 AND blocked_at IS NULL ORDER BY issued_cards.change LIMIT ?3",
        )?;
        let mut rows = read.query(params![slot, Sql(since), limit(at_most), shared_key(slot)])?;
        while let Some(row) = rows.next()? {
            let order = SlotKeyOrder {
                terminal: record.terminal,
                epoch: record.epoch,
                card: col(row, 1)?,
                tier: tier_of_number(row.get(4)?)?,
                uid_sealed: row.get(2)?,
                slot: row.get(5)?,
                version: row.get(3)?,
            };
            found.insert(col(row, 0)?, Deliverable::SlotKey(order));
        }
        Ok(())
    }

    /// An epoch's terminal, for what is kept by terminal.
    ///
    /// # Errors
    /// [`StoreError::UnknownTerminal`], [`StoreError::UnknownEpoch`].
    pub fn may_hold_cards(&self, terminal: TerminalId, epoch: Epoch) -> Result<bool, StoreError> {
        Ok(self.epoch(terminal, epoch)?.may_be_raised())
    }
}
