//! Purse cards: the chip counts what it spent, so what one may spend is a balance of its own, honoured by every terminal.

use cabas_protocol::row::Tier;
use cabas_protocol::{
    CardRef, Cents, ObjectType, PolicyId, PurseRef, Scope, Serial, SignedBalance, Timestamp, Version,
};
use rusqlite::{OptionalExtension as _, params};

use super::error::{CorrectionRefusal, StoreError};
use super::import::tier_number;
use super::ledger::Books;
use super::model::{Deliverable, FundInfo, PurseCardView, Wake};
use super::news::{ByChange, limit};
use super::slices::{RENEW_AFTER_S, VALID_FOR_S};
use super::sql::{Sql, col, col_opt};
use super::terminals::EpochRecord;
use super::tx::Tx;
use crate::core::ledger::{AccountId, Entry, PurseNo, TransferKind};
use crate::core::{slices, split_cards};

/// Balances of cards that are made anew in one step, at the most.
const RENEWALS_MAX: u32 = 256;

/// A purse card beside its account.
#[derive(Clone, Copy, Debug)]
pub(super) struct PurseCard {
    /// Its account.
    pub(super) id: AccountId,
    /// The newest serial; 0 before the first load.
    pub(super) serial: Serial,
    pub(super) unclaimed: Cents,
    /// Its own purse, as terminals know it.
    purse: PurseRef,
    /// The purse that its money comes from and goes back to.
    pub(super) shared: PurseNo,
    policy: PolicyId,
    issued_at: Timestamp,
    pub(super) is_blocked: bool,
    /// True where its money was released: it never spends again.
    pub(super) is_released: bool,
}

impl PurseCard {
    /// The newest balance, not signed yet; nothing before the first load.
    pub(super) fn balance(&self, fund: &FundInfo, allowed: Cents) -> Option<SignedBalance> {
        (self.serial.get() > 0).then(|| SignedBalance {
            head: fund.context().head(ObjectType::Balance),
            purse: self.purse,
            scope: Scope::Card,
            serial: self.serial,
            allowed,
            policy: self.policy,
            issued_at: self.issued_at,
            valid_for_s: VALID_FOR_S,
        })
    }
}

impl Tx<'_> {
    /// Binds a purse card to a new purse of a household, and loads it with its part of what is free.
    ///
    /// # Errors
    /// [`CorrectionRefusal::NoHousehold`]; [`StoreError::CardTaken`] for a number or a card that is known;
    /// [`StoreError::Restoring`].
    pub fn purse_card_add(
        &mut self,
        number: u32,
        card: CardRef,
        household: &str,
        purse: PurseRef,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.not_restoring()?;
        let shared = self.purse_of_household(household)?.ok_or(CorrectionRefusal::NoHousehold)?;
        self.not_taken(number, card)?;
        let own: PurseNo = self.conn.query_row(
            "INSERT INTO purses (ref, household) SELECT ?1, household FROM purses WHERE number = ?2 RETURNING number",
            params![Sql(purse), Sql(shared)],
            |row| col(row, 0),
        )?;
        let change = self.change_for_all()?;
        self.conn.execute(
            "INSERT INTO cards (number, ref, tier, purse, version, change) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![number, Sql(card), tier_number(Tier::Purse), Sql(own), Sql(Version::new(1)), Sql(change)],
        )?;
        let fund = self.fund()?;
        self.conn.execute(
            "INSERT INTO card_balances (id, card, serial, unclaimed_cents, policy, issued_at, change)
             VALUES (?1, ?2, 0, 0, ?3, ?4, ?5)",
            params![Sql(AccountId::card(own)), number, Sql(fund.policy), Sql(now), Sql(change)],
        )?;
        // A terminal may have told of it as blocked: no money is laid on it then.
        self.block_told(card, now)?;
        let places = self.places(now)?;
        self.with_books(|books| self.allocate(books, &fund, &places, shared, now))?;
        Ok(())
    }

    /// Binds an identity card to the purse that a household's cards share, and lets its money be divided anew.
    ///
    /// # Errors
    /// As [`Self::purse_card_add`].
    pub(super) fn identity_card_add(
        &mut self,
        number: u32,
        card: CardRef,
        household: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.not_restoring()?;
        let shared = self.purse_of_household(household)?.ok_or(CorrectionRefusal::NoHousehold)?;
        self.not_taken(number, card)?;
        let change = self.change_for_all()?;
        self.conn.execute(
            "INSERT INTO cards (number, ref, tier, purse, version, change) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![number, Sql(card), tier_number(Tier::Identity), Sql(shared), Sql(Version::new(1)), Sql(change)],
        )?;
        self.block_told(card, now)?;
        let (fund, places) = (self.fund()?, self.places(now)?);
        self.with_books(|books| self.allocate(books, &fund, &places, shared, now))?;
        Ok(())
    }

    /// Refuses a number or a card that is known.
    pub(super) fn not_taken(&self, number: u32, card: CardRef) -> Result<(), StoreError> {
        let read = "SELECT number FROM cards WHERE number = ?1 OR ref = ?2";
        let known = self.conn.query_row(read, params![number, Sql(card)], |row| row.get(0)).optional()?;
        known.map_or(Ok(()), |known| Err(StoreError::CardTaken { known }))
    }

    /// The purse card whose own purse it is; nothing where the purse is shared.
    pub(super) fn purse_card(&self, purse: PurseNo) -> Result<Option<PurseCard>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT card_balances.id, serial, unclaimed_cents, purses.ref,
                (SELECT min(number) FROM purses AS shared WHERE shared.household = purses.household),
                policy, issued_at, cards.blocked_at IS NOT NULL,
                EXISTS (SELECT 1 FROM card_releases WHERE account = card_balances.id)
             FROM card_balances JOIN cards ON cards.number = card_balances.card
             JOIN purses ON purses.number = card_balances.id & 4294967295 WHERE card_balances.id = ?1",
        )?;
        let card = read.query_row([Sql(AccountId::card(purse))], |row| {
            Ok(PurseCard {
                id: col(row, 0)?,
                serial: col(row, 1)?,
                unclaimed: col(row, 2)?,
                purse: col(row, 3)?,
                shared: col(row, 4)?,
                policy: col(row, 5)?,
                issued_at: col(row, 6)?,
                is_blocked: row.get(7)?,
                is_released: row.get(8)?,
            })
        });
        Ok(card.optional()?)
    }

    /// The purse cards of the household that shares a purse; none for a purse card's own purse.
    pub(super) fn purse_cards_of(&self, shared: PurseNo) -> Result<Vec<PurseCard>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT purses.number FROM purses JOIN card_balances ON card_balances.id = (12 << 56) | purses.number
             WHERE purses.household = (SELECT household FROM purses WHERE number = ?1) ORDER BY purses.number",
        )?;
        let purses = read.query_map([Sql(shared)], |row| col(row, 0))?.collect::<Result<Vec<PurseNo>, _>>()?;
        if purses.contains(&shared) {
            return Ok(Vec::new());
        }
        let mut cards = Vec::with_capacity(purses.len());
        for purse in purses {
            cards.extend(self.purse_card(purse)?);
        }
        Ok(cards)
    }

    /// Loads a household's purse cards up to their parts; says how many were loaded.
    pub(super) fn load_cards(
        &self,
        books: &mut Books<'_>,
        fund: &FundInfo,
        shared: PurseNo,
        now: Timestamp,
    ) -> Result<u32, StoreError> {
        let mut cards = self.purse_cards_of(shared)?;
        cards.retain(|card| !card.is_blocked);
        if cards.is_empty() || self.is_gone(shared)? {
            return Ok(0);
        }
        let free = books.account(AccountId::purse(shared))?.left()?;
        let mut at_terminals = Cents::ZERO;
        for slice in self.slice_ids(shared)? {
            at_terminals = at_terminals.plus(books.account(slice)?.left()?)?;
        }
        let mut left = Vec::with_capacity(cards.len());
        for card in &cards {
            left.push(books.account(card.id)?.left()?);
        }
        let has_shared = self.has_other_cards(shared)?;
        let loads = split_cards::loads(split_cards::Household { free, at_terminals, cards: &left, has_shared })?;
        let mut loaded = 0_u32;
        for (card, cents) in cards.iter().zip(loads).filter(|(_, cents)| !cents.is_zero()) {
            self.load(books, fund, card, cents, now)?;
            loaded = loaded.saturating_add(1);
        }
        Ok(loaded)
    }

    /// True where a household has a card that spends from its shared purse.
    fn has_other_cards(&self, shared: PurseNo) -> Result<bool, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM cards WHERE purse = ?1 AND tier <> ?2 AND blocked_at IS NULL)",
        )?;
        Ok(read.query_row(params![Sql(shared), tier_number(Tier::Purse)], |row| row.get(0))?)
    }

    /// Moves free money onto a card: the next serial allows that much more.
    fn load(
        &self,
        books: &mut Books<'_>,
        fund: &FundInfo,
        card: &PurseCard,
        cents: Cents,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.not_restoring()?;
        let serial = self.serial_after(card.id, card.serial)?;
        let (debit, kind, cause) = (AccountId::purse(card.shared), TransferKind::Load, u64::from(serial.get()));
        books.post(Entry { debit, credit: card.id, cents, kind, cause })?;
        self.sign_card_anew(fund, card.id, serial, books.account(card.id)?.credits, now)
    }

    /// Notes what a card's new serial allows, and that every terminal is to have it. The caller wakes them.
    pub(super) fn sign_card_anew(
        &self,
        fund: &FundInfo,
        card: AccountId,
        serial: Serial,
        allowed: Cents,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let change = self.next_change_for_all()?;
        self.note_serial(card, serial, allowed)?;
        self.conn
            .prepare_cached(
                "UPDATE card_balances SET serial = ?2, policy = ?3, issued_at = ?4, change = ?5 WHERE id = ?1",
            )?
            .execute(params![Sql(card), Sql(serial), Sql(fund.policy), Sql(now), Sql(change)])?;
        Ok(())
    }

    /// Loads a card from its household's free money until it allows at least the level, or as far as the money goes; gives
    /// the newest balance. A blocked card is given no more.
    pub(super) fn extend_card(
        &mut self,
        fund: &FundInfo,
        record: &EpochRecord,
        card: &PurseCard,
        allowed_at_least: Cents,
        now: Timestamp,
    ) -> Result<Option<SignedBalance>, StoreError> {
        let may_spend = record.may_get_more() && !card.is_blocked && !self.is_gone(card.shared)?;
        self.with_books(|books| {
            let free = books.account(AccountId::purse(card.shared))?.left()?;
            let raise = slices::raise_to_level(books.account(card.id)?.credits, allowed_at_least, free);
            if raise.is_zero() || !may_spend { Ok(()) } else { self.load(books, fund, card, raise, now) }
        })?;
        let newest = card.id.purse_no().map(|own| self.purse_card(own)).transpose()?.flatten();
        let newest = newest.ok_or(StoreError::Damaged("a purse card"))?;
        if newest.serial != card.serial {
            self.wake(Wake::All);
        }
        Ok(newest.balance(fund, self.account(card.id)?.credits))
    }

    /// Makes anew the balances of cards that grow old, a step of them; true where more may remain. A blocked card's is left.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn renew_cards(&mut self, now: Timestamp) -> Result<bool, StoreError> {
        self.renew_cards_of(Timestamp::new(now.get().saturating_sub(RENEW_AFTER_S)), now)
    }

    /// Makes every balance of a purse card anew that was made before now, a step of them; true where more may remain. A
    /// signing key was taken back: terminals do not believe what it signed.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn balances_anew(&mut self, now: Timestamp) -> Result<bool, StoreError> {
        self.renew_cards_of(Timestamp::new(now.get().saturating_sub(1)), now)
    }

    fn renew_cards_of(&mut self, due: Timestamp, now: Timestamp) -> Result<bool, StoreError> {
        if self.is_restoring()? {
            return Ok(false);
        }
        let old = self
            .conn
            .prepare_cached(
                "SELECT id, serial FROM card_balances JOIN cards ON cards.number = card_balances.card
                 WHERE issued_at <= ?1 AND serial > 0 AND blocked_at IS NULL ORDER BY issued_at, id LIMIT ?2",
            )?
            .query_map(params![Sql(due), RENEWALS_MAX], |row| Ok((col(row, 0)?, col(row, 1)?)))?
            .collect::<Result<Vec<(AccountId, Serial)>, _>>()?;
        if old.is_empty() {
            return Ok(false);
        }
        let fund = self.fund()?;
        for (card, serial) in &old {
            let serial = self.serial_after(*card, *serial)?;
            self.sign_card_anew(&fund, *card, serial, self.account(*card)?.credits, now)?;
        }
        self.wake(Wake::All);
        Ok(old.len() >= usize::try_from(RENEWALS_MAX).unwrap_or(usize::MAX))
    }

    /// Balances of cards that changed, for every terminal alike. What was released is not spent again.
    pub(super) fn new_card_balances(
        &self,
        found: &mut ByChange,
        fund: &FundInfo,
        since: u64,
        at_most: usize,
    ) -> Result<(), StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT change, id & 4294967295 FROM card_balances WHERE change > ?1 AND serial > 0
                AND NOT EXISTS (SELECT 1 FROM card_releases WHERE account = card_balances.id)
             ORDER BY change LIMIT ?2",
        )?;
        let changed = read
            .query_map(params![Sql(since), limit(at_most)], |row| Ok((col(row, 0)?, col(row, 1)?)))?
            .collect::<Result<Vec<(u64, PurseNo)>, _>>()?;
        for (change, purse) in changed {
            let Some(card) = self.purse_card(purse)? else { continue };
            if let Some(balance) = card.balance(fund, self.account(card.id)?.credits) {
                found.insert(change, Deliverable::Balance(balance));
            }
        }
        Ok(())
    }

    /// The purse cards of a household, as an admin sees them.
    pub(super) fn purse_card_views(&self, shared: PurseNo) -> Result<Vec<PurseCardView>, StoreError> {
        let mut views = Vec::new();
        for card in self.purse_cards_of(shared)? {
            let account = self.account(card.id)?;
            let read = "SELECT card, (SELECT cents FROM card_releases WHERE account = card_balances.id)
                FROM card_balances WHERE id = ?1";
            let (number, released): (u32, Option<Cents>) =
                self.conn.query_row(read, [Sql(card.id)], |row| Ok((row.get(0)?, col_opt(row, 1)?)))?;
            views.push(PurseCardView {
                number,
                purse: card.purse,
                serial: card.serial,
                issued_at: card.issued_at,
                allowed: account.credits,
                spent: account.debits.minus(released.unwrap_or_default())?,
                left: account.left()?,
                unclaimed: card.unclaimed,
                proofs: self.proofs_of(card.id)?,
                is_blocked: card.is_blocked,
                released,
            });
        }
        Ok(views)
    }
}
