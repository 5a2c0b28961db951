//! Shops: what each household is to find there on market days.

use cabas_protocol::Cents;
use rusqlite::{OptionalExtension as _, params};

use super::error::StoreError;
use super::model::ShopView;
use super::sql::{Sql, col};
use super::tx::Tx;
use crate::core::ledger::AccountId;

impl Tx<'_> {
    /// All shops, by code.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn shops(&self) -> Result<Vec<ShopView>, StoreError> {
        let mut read = self.conn.prepare(
            "SELECT code, name, kind, weight_permille, floor_cents, market_days,
                (SELECT count(*) FROM terminals WHERE terminals.shop = shops.number), slot,
                (SELECT version FROM slots WHERE slots.slot = shops.slot) FROM shops ORDER BY code",
        )?;
        let shops = read.query_map([], |row| {
            Ok(ShopView {
                code: row.get(0)?,
                name: row.get(1)?,
                kind: row.get(2)?,
                weight_permille: row.get(3)?,
                floor: col(row, 4)?,
                market_days: row.get(5)?,
                terminals: row.get(6)?,
                slot: row.get::<_, Option<u8>>(7)?.zip(row.get(8)?),
            })
        })?;
        Ok(shops.collect::<Result<_, _>>()?)
    }

    /// What a shop is owed that no settlement has closed.
    ///
    /// # Errors
    /// [`StoreError::UnknownShop`].
    pub fn shop_owed(&self, code: &str) -> Result<Cents, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT number FROM shops WHERE code = ?1")?;
        let shop = read.query_row([code], |row| col(row, 0)).optional()?.ok_or(StoreError::UnknownShop)?;
        let account = self.account(AccountId::payable(shop))?;
        Ok(account.credits.minus_or_zero(account.debits))
    }

    /// Sets what each household is to find at a shop without a network, from the day before a market day on. `days` has
    /// a bit a weekday, Monday first.
    ///
    /// # Errors
    /// [`StoreError::UnknownShop`]; [`StoreError::Text`] for days that are none.
    pub fn shop_floor(&mut self, code: &str, floor: Cents, days: u8) -> Result<(), StoreError> {
        if days > 0b111_1111 {
            return Err(StoreError::Text("market days"));
        }
        let set = self.conn.execute(
            "UPDATE shops SET floor_cents = ?2, market_days = ?3 WHERE code = ?1",
            params![code, Sql(floor), days],
        )?;
        if set == 0 {
            return Err(StoreError::UnknownShop);
        }
        self.allocate_all()
    }
}
