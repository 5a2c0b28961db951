//! Cards with keys in the hand: who may do what with which, and what was done.

use cabas_card::commands::Committed;
use cabas_card::identity::{SHARED_KEYS, shared_key};
use cabas_card::issue::Renewed;
use cabas_protocol::row::Tier;
use cabas_protocol::{CardRef, Epoch, PurseRef, SignedBalance, TerminalId, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::error::{CardSessionRefusal, StoreError};
use super::import::{tier_number, tier_of_number};
use super::model::{CardName, CardPlan, CardVerb};
use super::sql::{Sql, col};
use super::tx::Tx;

impl CardVerb {
    const fn number(self) -> u8 {
        match self {
            Self::Issue => 1,
            Self::Retire => 2,
            Self::Renew => 3,
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
    /// [`CardSessionRefusal`]; [`StoreError::CardTaken`] for a number or a card that is another's;
    /// [`StoreError::Restoring`] where the card would get a balance.
    pub fn card_plan(
        &mut self,
        (terminal, verb, number): (TerminalId, CardVerb, u32),
        card: CardRef,
        new_purse: PurseRef,
        now: Timestamp,
    ) -> Result<CardPlan, StoreError> {
        let (household, granted) = self.granted(terminal, verb, number, now)?;
        if verb != CardVerb::Retire {
            self.not_restoring()?;
        }
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
            (CardVerb::Retire | CardVerb::Renew, None, _) => return Err(CardSessionRefusal::OtherCard(number).into()),
            (_, Some(tier), _) => tier,
        };
        // One that was just added may have been told as blocked, in a restore of a hub that did not know it.
        if verb != CardVerb::Retire && self.is_blocked(number)? {
            return Err(CardSessionRefusal::Blocked(number).into());
        }
        let due = if tier == Tier::Identity { self.shared_keys_due()? } else { self.slots_due()? };
        let was_issued = self.was_issued(number)?;
        Ok(CardPlan { tier, balance: self.card_balance(number)?, due, was_issued })
    }

    /// Notes what was done with a card.
    ///
    /// # Errors
    /// [`CardSessionRefusal`] where it was not allowed.
    pub fn card_done(
        &mut self,
        (terminal, verb, number): (TerminalId, CardVerb, u32),
        uid_sealed: &[u8],
        renewed: &Renewed,
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
        self.card_has_keys(number, &renewed.versions)?;
        renewed.committed.map_or(Ok(()), |Committed { counter, .. }| self.hub_commit(number, counter))
    }

    fn was_issued(&self, number: u32) -> Result<bool, StoreError> {
        let read = "SELECT EXISTS (SELECT 1 FROM issued_cards WHERE card = ?1)";
        Ok(self.conn.query_row(read, [number], |row| row.get(0))?)
    }

    fn is_blocked(&self, number: u32) -> Result<bool, StoreError> {
        let read = "SELECT blocked_at IS NOT NULL FROM cards WHERE number = ?1";
        Ok(self.conn.query_row(read, [number], |row| row.get(0))?)
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

    pub(super) fn slots_due(&self) -> Result<Vec<(u8, u8)>, StoreError> {
        let mut read = self.conn.prepare("SELECT slot, version FROM slots ORDER BY slot")?;
        Ok(read.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?)
    }

    /// Number and version of the keys that an identity card is to have: one is renewed whenever a slot that shares it is.
    pub(super) fn shared_keys_due(&self) -> Result<Vec<(u8, u8)>, StoreError> {
        let slots = self.slots_due()?;
        let version = |number| {
            let sharing = slots.iter().filter(|(slot, _)| shared_key(*slot) == Some(number));
            // The first version is 1 for each slot, and for the key.
            let renewed: u32 = sharing.map(|(_, version)| u32::from(version.saturating_sub(1))).sum();
            u8::try_from(renewed.saturating_add(1)).map_err(|_| StoreError::Exhausted("version of a shared key"))
        };
        SHARED_KEYS.map(|number| Ok((number, version(number)?))).collect()
    }

    /// An epoch's terminal, for what is kept by terminal.
    ///
    /// # Errors
    /// [`StoreError::UnknownTerminal`], [`StoreError::UnknownEpoch`].
    pub fn may_hold_cards(&self, terminal: TerminalId, epoch: Epoch) -> Result<bool, StoreError> {
        Ok(self.epoch(terminal, epoch)?.may_be_raised())
    }
}
