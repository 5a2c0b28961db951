//! Cards and the hot list.

use cabas_protocol::hot_list::{ENTRIES_MAX, HotList};
use cabas_protocol::row::Tier;
use cabas_protocol::{CardRef, ObjectType, Timestamp, Version};
use rusqlite::{OptionalExtension as _, params};

use super::error::StoreError;
use super::import::tier_number;
use super::model::{CardName, FundInfo};
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;

impl Tx<'_> {
    /// Puts a card on the hot list and says the list's version. A card that is on it already changes nothing.
    ///
    /// # Errors
    /// [`StoreError::UnknownCard`], [`StoreError::HotListFull`].
    pub fn card_block(&mut self, card: CardName, now: Timestamp) -> Result<Version, StoreError> {
        let (card, blocked) = self.card(card)?;
        if blocked {
            return self.hot_list_version();
        }
        let listed: i64 =
            self.conn.query_row("SELECT count(*) FROM cards WHERE blocked_at IS NOT NULL", [], |row| row.get(0))?;
        if usize::try_from(listed).map_or(true, |listed| listed >= ENTRIES_MAX) {
            return Err(StoreError::HotListFull);
        }
        let version = self.hot_list_changed(now)?;
        self.conn.execute(
            "UPDATE cards SET blocked_at = ?2, blocked_in = ?3 WHERE ref = ?1",
            params![Sql(card), Sql(now), Sql(version)],
        )?;
        Ok(version)
    }

    /// Blocks a card and binds another one, a plain one, to the purse that the household's plain cards share; says the
    /// list's version. The old one is never taken off the list again by this.
    ///
    /// # Errors
    /// [`StoreError::UnknownCard`]; [`StoreError::CardTaken`] for a number or a card that is known;
    /// [`StoreError::HotListFull`].
    pub fn card_replace(
        &mut self,
        old: u32,
        new_number: u32,
        new_card: CardRef,
        now: Timestamp,
    ) -> Result<Version, StoreError> {
        let version = self.card_block(CardName::Number(old), now)?;
        self.not_taken(new_number, new_card)?;
        let change = self.change_for_all()?;
        self.conn.execute(
            "INSERT INTO cards (number, ref, tier, purse, version, change)
             SELECT ?2, ?3, ?4,
                (SELECT min(number) FROM purses AS shared WHERE shared.household = purses.household), 1, ?5
             FROM cards JOIN purses ON purses.number = cards.purse WHERE cards.number = ?1",
            params![old, new_number, Sql(new_card), tier_number(Tier::Plain), Sql(change)],
        )?;
        // A terminal may have told of it, in a restore of a hub that did not know it.
        if self.block_told(new_card, now)? { self.hot_list_version() } else { Ok(version) }
    }

    /// Takes a card off the hot list and says the list's version.
    ///
    /// # Errors
    /// [`StoreError::UnknownCard`]; [`StoreError::CardReleased`] for a purse card whose money went back.
    pub fn card_unblock(&mut self, card: CardName, now: Timestamp) -> Result<Version, StoreError> {
        let (card, blocked) = self.card(card)?;
        // While a restore lasts a terminal may still tell of it: people's word is kept, and goes out with a list of its own.
        let is_restoring = self.is_restoring()?;
        if !blocked && !is_restoring {
            return self.hot_list_version();
        }
        if self.is_released(card)? {
            return Err(StoreError::CardReleased);
        }
        self.conn.execute("UPDATE cards SET blocked_at = NULL, blocked_in = NULL WHERE ref = ?1", [Sql(card)])?;
        let version = self.hot_list_changed(now)?;
        if is_restoring {
            let told =
                "INSERT OR REPLACE INTO held_blocks (card, epoch, blocked, unblocked_in) VALUES (?1, NULL, 0, ?2)";
            self.conn.execute(told, params![Sql(card), Sql(version)])?;
        }
        Ok(version)
    }

    /// The whole list.
    pub(super) fn hot_list(&self, fund: &FundInfo) -> Result<HotList, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT ref FROM cards WHERE blocked_at IS NOT NULL ORDER BY ref")?;
        let cards = read.query_map([], |row| col(row, 0))?.collect::<Result<Vec<CardRef>, _>>()?;
        let (version, issued_at) = self
            .conn
            .query_row("SELECT version, issued_at FROM hot_list", [], |row| Ok((col(row, 0)?, col(row, 1)?)))?;
        Ok(HotList {
            head: fund.context().head(ObjectType::HotList),
            version,
            base: Version::new(0),
            issued_at,
            cards,
            purses: Vec::new(),
            cards_removed: Vec::new(),
            purses_removed: Vec::new(),
        })
    }

    fn hot_list_version(&self) -> Result<Version, StoreError> {
        Ok(self.conn.query_row("SELECT version FROM hot_list", [], |row| col(row, 0))?)
    }

    fn hot_list_changed(&mut self, now: Timestamp) -> Result<Version, StoreError> {
        let change = self.change_for_all()?;
        let next = self.hot_list_version()?.next().ok_or(StoreError::Exhausted("hot list version"))?;
        // After a restore terminals may hold a list that is newer than the backup's.
        let from: Option<Version> =
            self.conn.query_row("SELECT max(hot_list_from) FROM lives", [], |row| col_opt(row, 0))?;
        let next = from.map_or(next, |from| next.max(from));
        self.conn.execute(
            "UPDATE hot_list SET version = ?1, issued_at = ?2, change = ?3",
            params![Sql(next), Sql(now), Sql(change)],
        )?;
        Ok(next)
    }

    /// A card, and whether it is on the hot list.
    fn card(&self, card: CardName) -> Result<(CardRef, bool), StoreError> {
        let (column, key): (_, Box<dyn rusqlite::ToSql>) = match card {
            CardName::Number(number) => ("number", Box::new(number)),
            CardName::Ref(card) => ("ref", Box::new(Sql(card))),
        };
        let read = format!("SELECT ref, blocked_at IS NOT NULL FROM cards WHERE {column} = ?1");
        let found = self.conn.query_row(&read, [key], |row| Ok((col(row, 0)?, row.get(1)?))).optional()?;
        found.ok_or(StoreError::UnknownCard)
    }
}
