//! Grids: what part of which goods the fund covers, from which day on, at one shop or at all.

use cabas_protocol::objects::{CATEGORIES_MAX, Category};
use cabas_protocol::{CategoryId, Timestamp, Version};
use rusqlite::{OptionalExtension as _, params};

use super::error::StoreError;
use super::fund::name;
use super::model::GridView;
use super::sql::{Sql, col};
use super::tx::Tx;
use crate::core::ledger::ShopNo;

impl Tx<'_> {
    /// Sets the grid of a shop, or of all shops, from a business day on (days since 1970-01-01). It stands over all that
    /// were set before: of those that hold on a day the newest counts.
    ///
    /// # Errors
    /// [`StoreError::Text`] for no category, too many, one twice, or one that terminals would refuse;
    /// [`StoreError::UnknownShop`].
    pub fn grid_set(
        &mut self,
        shop: Option<&str>,
        categories: &[Category],
        valid_from_day: u32,
        now: Timestamp,
    ) -> Result<Version, StoreError> {
        if categories.is_empty() || categories.len() > CATEGORIES_MAX {
            return Err(StoreError::Text("categories"));
        }
        let shop: Option<i64> = match shop {
            None => None,
            Some(code) => {
                let read = "SELECT number FROM shops WHERE code = ?1";
                let number = self.conn.query_row(read, [code], |row| row.get(0)).optional()?;
                Some(number.ok_or(StoreError::UnknownShop)?)
            }
        };
        let newest: u32 = self.conn.query_row("SELECT ifnull(max(version), 0) FROM grids", [], |row| row.get(0))?;
        let version = newest.checked_add(1).ok_or(StoreError::Exhausted("grid version"))?;
        let change = self.change_for_all()?;
        self.conn.execute(
            "INSERT INTO grids (version, valid_from_day, created_at, change, shop) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![version, valid_from_day, Sql(now), Sql(change), shop],
        )?;
        for (place, category) in (0_i64..).zip(categories) {
            name("label_fr", &category.label_fr)?;
            name("label_en", &category.label_en)?;
            if category.share_percent > 100 || categories.iter().filter(|other| other.id == category.id).count() > 1 {
                return Err(StoreError::Text("categories"));
            }
            self.conn.execute(
                "INSERT INTO grid_categories (version, place, category, share_percent, label_fr, label_en)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    version,
                    place,
                    category.id.get(),
                    category.share_percent,
                    category.label_fr,
                    category.label_en
                ],
            )?;
        }
        Ok(Version::new(version))
    }

    /// All grids, newest first.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn grids(&self) -> Result<Vec<GridView>, StoreError> {
        let mut read = self.conn.prepare(
            "SELECT version, valid_from_day, shops.code FROM grids LEFT JOIN shops ON shops.number = grids.shop
             ORDER BY version DESC",
        )?;
        let mut rows = read.query([])?;
        let mut grids = Vec::new();
        while let Some(row) = rows.next()? {
            let version = col(row, 0)?;
            let categories = self.categories(version)?;
            grids.push(GridView { version, valid_from_day: row.get(1)?, shop: row.get(2)?, categories });
        }
        Ok(grids)
    }

    /// The categories of a grid, in their order.
    pub(super) fn categories(&self, version: Version) -> Result<Vec<Category>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT category, share_percent, label_fr, label_en FROM grid_categories WHERE version = ?1 ORDER BY place",
        )?;
        let categories = read.query_map([Sql(version)], |row| {
            let (id, share_percent) = (CategoryId::new(row.get(0)?), row.get(1)?);
            Ok(Category { id, share_percent, label_fr: row.get(2)?, label_en: row.get(3)? })
        })?;
        Ok(categories.collect::<Result<_, _>>()?)
    }

    /// The shares of a grid that is a shop's or everybody's; none of another shop's. A terminal gets its grid before its
    /// first money, so none is no grid either.
    pub(super) fn shares(&self, version: Version, shop: ShopNo) -> Result<Vec<(CategoryId, u8)>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT shop IS NULL OR shop = ?2 FROM grids WHERE version = ?1")?;
        let is_theirs = read.query_row(params![Sql(version), Sql(shop)], |row| row.get(0)).optional()?;
        if is_theirs != Some(true) {
            return Ok(Vec::new());
        }
        Ok(self.categories(version)?.iter().map(|category| (category.id, category.share_percent)).collect())
    }
}
