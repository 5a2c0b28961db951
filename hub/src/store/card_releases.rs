//! The money of lost and retired purse cards goes back to their households, once no terminal honours the card any more.

use cabas_protocol::sync::Standing;
use cabas_protocol::{CardRef, Timestamp};
use rusqlite::params;

use super::debts::Brought;
use super::error::StoreError;
use super::ledger::Books;
use super::purse_cards::PurseCard;
use super::sql::{Sql, col, col_opt};
use super::terminals::standing_number;
use super::tx::Tx;
use crate::core::ledger::{AccountId, Entry, PurseNo, TransferKind};

impl Tx<'_> {
    /// Releases the money of every blocked purse card that no terminal honours any more: each enrolment that is not closed
    /// has journaled that it applied the list naming the card, so what the card spent there before has come. Says how many
    /// cards that were; each once.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Ledger`].
    pub fn release_cards(&mut self, now: Timestamp) -> Result<u32, StoreError> {
        let ready = self.releasable()?;
        if ready.is_empty() || self.is_restoring()? {
            return Ok(0);
        }
        let (fund, places) = (self.fund()?, self.places(now)?);
        self.with_books(|books| {
            for (purse, list) in &ready {
                let Some(card) = self.purse_card(*purse)? else { continue };
                self.release(books, &card, *list, now)?;
                self.allocate(books, &fund, &places, card.shared, now)?;
            }
            Ok(())
        })?;
        self.wake_places(&places);
        let count = u32::try_from(ready.len()).unwrap_or(u32::MAX);
        tracing::info!(cards.count = count, "the money of blocked purse cards went back to their households");
        Ok(count)
    }

    /// Blocked cards whose money can go back, by their purses, with the list that named each.
    fn releasable(&self) -> Result<Vec<(PurseNo, u32)>, StoreError> {
        let mut blocked = self.conn.prepare_cached(
            "SELECT card_balances.id & 4294967295, blocked_in FROM cards
             JOIN card_balances ON card_balances.card = cards.number
             WHERE blocked_at IS NOT NULL AND blocked_in IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM card_releases WHERE account = card_balances.id) ORDER BY cards.number",
        )?;
        let mut cards = blocked
            .query_map([], |row| Ok((col(row, 0)?, row.get(1)?)))?
            .collect::<Result<Vec<(PurseNo, u32)>, _>>()?;
        if cards.is_empty() {
            return Ok(cards);
        }
        let oldest: Option<u64> = self.conn.query_row(
            "SELECT min(list_applied) FROM epochs WHERE standing <> ?1",
            [standing_number(Standing::Closed)],
            |row| col_opt(row, 0),
        )?;
        cards.retain(|(_, list)| oldest.is_none_or(|oldest| oldest >= u64::from(*list)));
        Ok(cards)
    }

    /// True where a card's money went back.
    pub(super) fn is_released(&self, card: CardRef) -> Result<bool, StoreError> {
        let read = "SELECT EXISTS (SELECT 1 FROM card_releases JOIN card_balances ON card_balances.id = account
             JOIN cards ON cards.number = card_balances.card WHERE cards.ref = ?1)";
        Ok(self.conn.query_row(read, [Sql(card)], |row| row.get(0))?)
    }

    fn release(&self, books: &mut Books<'_>, card: &PurseCard, list: u32, now: Timestamp) -> Result<(), StoreError> {
        let cents = books.account(card.id)?.left()?;
        let mut insert = self.conn.prepare_cached(
            "INSERT INTO card_releases (account, cents, list, claims_upto, released_at)
             VALUES (?1, ?2, ?3, (SELECT ifnull(max(id), 0) FROM card_claims), ?4) RETURNING id",
        )?;
        let cause = insert.query_row(params![Sql(card.id), Sql(cents), list, Sql(now)], |row| col(row, 0))?;
        if cents.is_zero() {
            return Ok(());
        }
        let (credit, kind) = (AccountId::purse(card.shared), TransferKind::Unload);
        let transfer = books.post(Entry { debit: card.id, credit, cents, kind, cause })?;
        self.pay_back(books, card.shared, Brought { transfer, cents, came_back: true })
    }
}
