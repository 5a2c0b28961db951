//! That the bank did not make a payment: one person says so, another one approves it, and only then it is owed again.

use cabas_protocol::{Cents, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::bank_refusal::BankRefusal;
use super::closing::person;
use super::error::StoreError;
use super::fund::name;
use super::model::PayoutRef;
use super::sql::{Sql, col};
use super::tx::Tx;
use crate::core::ledger::ShopNo;

/// What one person said and nobody approved yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PayoutRefusalView {
    /// Its number.
    pub id: u64,
    /// The settlement.
    pub settlement: u32,
    /// The shop's code.
    pub shop: String,
    /// What the bank says.
    pub reason: String,
    /// Who said so.
    pub said_by: String,
    /// When.
    pub said_at: Timestamp,
}

impl Tx<'_> {
    /// One person says that the bank did not make a payment. Nothing is booked.
    ///
    /// # Errors
    /// [`BankRefusal`]: no such payout, paid or owed again before, said before; [`StoreError::Text`].
    pub fn payout_refusal_say(
        &mut self,
        (settlement, shop): (u32, &str),
        reason: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let by = person(by)?;
        name("reason", reason)?;
        let shop = self.shop_no(shop)?;
        self.may_be_refused(settlement, shop)?;
        if let Some((_, _, by)) = self.open_refusal(settlement, shop)? {
            return Err(BankRefusal::SaidBefore { settlement, by }.into());
        }
        self.conn.execute(
            "INSERT INTO payout_refusals (settlement, shop, reason, said_by, said_at, state)
             VALUES (?1, ?2, ?3, ?4, ?5, 0)",
            params![settlement, Sql(shop), reason, by, Sql(now)],
        )?;
        Ok(())
    }

    /// Another person approves what they saw, and the payout is owed again: once.
    ///
    /// # Errors
    /// [`BankRefusal::NotSaid`], [`BankRefusal::Outdated`]; as [`Self::payout_reject`].
    pub fn payout_refusal_approve(
        &mut self,
        (settlement, shop): (u32, &str),
        seen: u64,
        by: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let by = person(by)?;
        let open = self.open_refusal(settlement, self.shop_no(shop)?)?;
        let (id, reason, said_by) = open.ok_or(BankRefusal::NotSaid(settlement))?;
        if id != seen {
            return Err(BankRefusal::Outdated(settlement).into());
        }
        let meant = PayoutRef { settlement, shop: Some(shop.to_owned()) };
        self.payout_reject(&meant, &reason, (&said_by, by), now)?;
        self.end_refusal(id, 1, by, now)
    }

    /// Takes back what was said: anybody may, for nothing was booked.
    ///
    /// # Errors
    /// [`BankRefusal::NotSaid`].
    pub fn payout_refusal_withdraw(
        &mut self,
        (settlement, shop): (u32, &str),
        by: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let by = person(by)?;
        let open = self.open_refusal(settlement, self.shop_no(shop)?)?;
        let (id, _, _) = open.ok_or(BankRefusal::NotSaid(settlement))?;
        self.end_refusal(id, 2, by, now)
    }

    /// What waits for a second person.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn payout_refusals(&self, settlement: u32) -> Result<Vec<PayoutRefusalView>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT code, reason, said_by, said_at, id FROM payout_refusals JOIN shops ON number = shop
             WHERE state = 0 AND settlement = ?1 ORDER BY code",
        )?;
        let views = read.query_map([settlement], |row| {
            Ok(PayoutRefusalView {
                id: col(row, 4)?,
                settlement,
                shop: row.get(0)?,
                reason: row.get(1)?,
                said_by: row.get(2)?,
                said_at: col(row, 3)?,
            })
        })?;
        Ok(views.collect::<Result<_, _>>()?)
    }

    /// What waits for a second person of any settlement, oldest first, with what would be owed again.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn payout_refusals_waiting(&self, limit: u32) -> Result<Vec<(PayoutRefusalView, Cents)>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT code, reason, said_by, said_at, r.id, r.settlement, s.payout FROM payout_refusals AS r
             JOIN shops ON number = r.shop JOIN settlement_shops AS s ON s.settlement = r.settlement AND s.shop = r.shop
             WHERE state = 0 ORDER BY r.id LIMIT ?1",
        )?;
        let views = read.query_map([limit], |row| {
            let (shop, reason, said_by) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let (id, settlement, said_at) = (col(row, 4)?, row.get(5)?, col(row, 3)?);
            Ok((PayoutRefusalView { id, settlement, shop, reason, said_by, said_at }, col(row, 6)?))
        })?;
        Ok(views.collect::<Result<_, _>>()?)
    }

    fn open_refusal(&self, settlement: u32, shop: ShopNo) -> Result<Option<(u64, String, String)>, StoreError> {
        let read = "SELECT id, reason, said_by FROM payout_refusals WHERE state = 0 AND settlement = ?1 AND shop = ?2";
        let open = self
            .conn
            .query_row(read, params![settlement, Sql(shop)], |row| Ok((col(row, 0)?, row.get(1)?, row.get(2)?)));
        Ok(open.optional()?)
    }

    fn end_refusal(&self, id: u64, state: u8, by: &str, now: Timestamp) -> Result<(), StoreError> {
        let end = "UPDATE payout_refusals SET state = ?2, ended_by = ?3, ended_at = ?4 WHERE id = ?1";
        self.conn.execute(end, params![Sql(id), state, by, Sql(now)])?;
        Ok(())
    }
}
