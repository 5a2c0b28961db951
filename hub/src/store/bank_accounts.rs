//! The accounts at banks: the fund's own and the shops', each kept with who set it and when.

use cabas_protocol::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};
use sepa::{Bic, Iban, validate_bic, validate_iban};

use super::bank_refusal::BankRefusal;
use super::closing::person;
use super::error::StoreError;
use super::fund::name;
use super::model::{FundAccount, FundAccountOrder, PainVersion, ShopAccount, ShopAccountOrder};
use super::sql::{Sql, col};
use super::tx::Tx;
use crate::core::ledger::ShopNo;

impl Tx<'_> {
    /// Sets the fund's own account from here on.
    ///
    /// # Errors
    /// [`BankRefusal::Iban`], [`BankRefusal::Bic`], [`StoreError::Text`].
    pub fn fund_account_set(&mut self, order: &FundAccountOrder, now: Timestamp) -> Result<(), StoreError> {
        name("name", &order.name)?;
        let iban = checked(&order.iban)?;
        let bic = order.bic.as_deref().map(bic).transpose()?;
        self.conn.execute(
            "INSERT INTO fund_accounts (name, iban, bic, pain, set_by, set_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                order.name.trim(),
                iban.as_str(),
                bic.as_ref().map(Bic::as_str),
                order.pain.number(),
                person(&order.by)?,
                Sql(now)
            ],
        )?;
        Ok(())
    }

    /// The fund's own account, where it is known.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn fund_account(&self) -> Result<Option<FundAccount>, StoreError> {
        let read = "SELECT id, name, iban, bic, pain, set_by, set_at FROM fund_accounts ORDER BY id DESC LIMIT 1";
        Ok(self.conn.query_row(read, [], fund_account).optional()?)
    }

    /// Sets a shop's account from here on; a payment file that was made names the one before.
    ///
    /// # Errors
    /// [`BankRefusal::Iban`], [`StoreError::UnknownShop`], [`StoreError::Text`].
    pub fn shop_account_set(&mut self, order: &ShopAccountOrder, now: Timestamp) -> Result<(), StoreError> {
        name("name", &order.name)?;
        let (shop, iban) = (self.shop_no(&order.shop)?, checked(&order.iban)?);
        self.conn.execute(
            "INSERT INTO shop_accounts (shop, name, iban, set_by, set_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![Sql(shop), order.name.trim(), iban.as_str(), person(&order.by)?, Sql(now)],
        )?;
        Ok(())
    }

    /// The accounts that a shop has and had, newest first.
    ///
    /// # Errors
    /// [`StoreError::UnknownShop`].
    pub fn shop_accounts(&self, code: &str) -> Result<Vec<ShopAccount>, StoreError> {
        let shop = self.shop_no(code)?;
        let mut read = self.conn.prepare_cached(
            "SELECT id, name, iban, set_by, set_at FROM shop_accounts WHERE shop = ?1 ORDER BY id DESC",
        )?;
        let accounts = read.query_map([Sql(shop)], |row| {
            Ok(ShopAccount {
                id: col(row, 0)?,
                name: row.get(1)?,
                iban: row.get(2)?,
                set_by: row.get(3)?,
                set_at: col(row, 4)?,
            })
        })?;
        Ok(accounts.collect::<Result<_, _>>()?)
    }

    /// The number of a shop.
    pub(super) fn shop_no(&self, code: &str) -> Result<ShopNo, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT number FROM shops WHERE code = ?1")?;
        read.query_row([code], |row| col(row, 0)).optional()?.ok_or(StoreError::UnknownShop)
    }
}

/// Reads the columns id, name, iban, bic, pain, `set_by`, `set_at`.
pub(super) fn fund_account(row: &Row<'_>) -> rusqlite::Result<FundAccount> {
    let pain = if row.get::<_, u8>(4)? == PainVersion::V03.number() { PainVersion::V03 } else { PainVersion::V09 };
    Ok(FundAccount {
        id: col(row, 0)?,
        name: row.get(1)?,
        iban: row.get(2)?,
        bic: row.get(3)?,
        pain,
        set_by: row.get(5)?,
        set_at: col(row, 6)?,
    })
}

/// An IBAN that can be paid by SEPA.
pub(super) fn checked(text: &str) -> Result<Iban, StoreError> {
    let iban = validate_iban(text).map_err(|error| BankRefusal::Iban(Box::new(error)))?;
    if iban.is_sepa() { Ok(iban) } else { Err(BankRefusal::NotSepa(iban.country_code().to_owned()).into()) }
}

/// A BIC.
pub(super) fn bic(text: &str) -> Result<Bic, StoreError> {
    Ok(validate_bic(text).map_err(|error| BankRefusal::Bic(Box::new(error)))?)
}
