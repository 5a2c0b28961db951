//! Money that expires: by the rule of a month, once; and what is left of households that are gone.

use cabas_protocol::{Cents, PurseRef, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::debts::owed;
use super::error::{RuleRefusal, StoreError};
use super::ledger::Books;
use super::model::ExpiryLine;
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;
use crate::core::household_rules::{expires, rule_of};
use crate::core::ledger::{AccountId, PurseNo, TransferKind};
use crate::core::period::Period;

/// Purses in one step of an expiry.
const STEP_PURSES: u32 = 50;

impl Tx<'_> {
    /// What expires at the end of a month, household by household; with what was booked for it before.
    ///
    /// # Errors
    /// [`RuleRefusal`] for a month that has not ended, or whose rule lets nothing expire.
    pub fn expiry_preview(&self, period: Period, now: Timestamp) -> Result<Vec<ExpiryLine>, StoreError> {
        let window = self.window(period, now)?;
        let mut read = self.conn.prepare(
            "SELECT purses.number, households.code,
                (SELECT cents FROM expiries WHERE period = ?1 AND expiries.purse = purses.number)
             FROM purses JOIN households ON households.number = purses.household ORDER BY households.code",
        )?;
        let mut rows = read.query([period.to_string()])?;
        let mut lines = Vec::new();
        while let Some(row) = rows.next()? {
            let (purse, booked): (PurseNo, Option<Cents>) = (col(row, 0)?, col_opt(row, 2)?);
            let cents = if booked.is_some() { Cents::ZERO } else { self.expires(purse, window)? };
            if booked.is_some() || !cents.is_zero() {
                lines.push(ExpiryLine { household: row.get(1)?, cents, booked });
            }
        }
        Ok(lines)
    }

    /// Books what expires at the end of a month, once for each household, in steps; true where more remain.
    ///
    /// # Errors
    /// As [`Tx::expiry_preview`]; [`StoreError::Restoring`].
    pub fn expiry_book(
        &mut self,
        period: Period,
        from: u32,
        now: Timestamp,
    ) -> Result<(Cents, Option<u32>), StoreError> {
        self.not_restoring()?;
        let window = self.window(period, now)?;
        let mut read = self.conn.prepare(
            "SELECT number FROM purses WHERE number > ?1 AND NOT EXISTS
                (SELECT 1 FROM expiries WHERE period = ?2 AND expiries.purse = purses.number) ORDER BY number LIMIT ?3",
        )?;
        let purses = read
            .query_map(params![from, period.to_string(), STEP_PURSES], |row| col(row, 0))?
            .collect::<Result<Vec<PurseNo>, _>>()?;
        let booked = self.with_books(|books| {
            let mut booked = Cents::ZERO;
            for purse in &purses {
                let cents = self.expires(*purse, window)?;
                if !cents.is_zero() {
                    self.expire(books, *purse, cents, Some(period), now)?;
                    booked = booked.plus(cents)?;
                }
            }
            Ok(booked)
        })?;
        let more = purses.len() >= usize::try_from(STEP_PURSES).unwrap_or(usize::MAX);
        Ok((booked, purses.last().filter(|_| more).map(|purse| purse.get())))
    }

    /// Lets expire what lies free of households that are gone: it came back since. What still lies at terminals is asked
    /// back again.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Ledger`].
    pub fn expire_left(&mut self, now: Timestamp) -> Result<Cents, StoreError> {
        if self.is_restoring()? {
            return Ok(Cents::ZERO);
        }
        let mut read = self.conn.prepare(
            "SELECT purses.number, purses.ref FROM households JOIN purses ON purses.household = households.number
             WHERE households.left_at IS NOT NULL ORDER BY purses.number",
        )?;
        let purses = read
            .query_map([], |row| Ok((col(row, 0)?, col(row, 1)?)))?
            .collect::<Result<Vec<(PurseNo, PurseRef)>, _>>()?;
        for (_, purse) in &purses {
            self.recall_by_hand(*purse, None, Cents::ZERO, now)?;
        }
        self.with_books(|books| {
            let mut expired = Cents::ZERO;
            for (purse, _) in purses {
                let free = books.account(AccountId::purse(purse))?.left()?;
                if !free.is_zero() {
                    self.expire(books, purse, free, None, now)?;
                    expired = expired.plus(free)?;
                }
            }
            Ok(expired)
        })
    }

    fn expire(
        &self,
        books: &mut Books<'_>,
        purse: PurseNo,
        cents: Cents,
        period: Option<Period>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut insert = self.conn.prepare_cached(
            "INSERT INTO expiries (purse, cents, period, booked_at) VALUES (?1, ?2, ?3, ?4) RETURNING id",
        )?;
        let values = params![Sql(purse), Sql(cents), period.map(|period| period.to_string()), Sql(now)];
        let id = insert.query_row(values, |row| col(row, 0))?;
        self.withhold(books, purse, AccountId::EXPIRED, cents, TransferKind::Expire, id)
    }

    /// The first month whose money stays, and the end of the month that is looked at.
    fn window(&self, period: Period, now: Timestamp) -> Result<(Period, Timestamp), StoreError> {
        let months = rule_of(&self.rules()?, period)?.expire_months.ok_or(RuleRefusal::NothingExpires(period))?;
        let end = period.plus(1).ok_or(StoreError::Damaged("a month"))?.start();
        if now < end {
            return Err(RuleRefusal::NotOver(period).into());
        }
        let back = i64::from(months).saturating_sub(1).saturating_neg();
        Ok((period.plus(back).unwrap_or(period), end))
    }

    /// What expires of a purse. What lies at a terminal that was not heard since the month ended, or has rows that are not
    /// here, may be spent long ago: it is looked at another month.
    fn expires(&self, purse: PurseNo, (stays_from, end): (Period, Timestamp)) -> Result<Cents, StoreError> {
        let lately: Cents = self
            .conn
            .prepare_cached(
                "SELECT (SELECT ifnull(sum(cents), 0) FROM credits WHERE purse = ?1 AND period >= ?2)
                    + (SELECT ifnull(sum(cents), 0) FROM corrections WHERE purse = ?1 AND state = 1 AND is_up = 1
                        AND ended_at >= ?3)",
            )?
            .query_row(params![Sql(purse), stays_from.to_string(), Sql(stays_from.start())], |row| col(row, 0))?;
        let mut unspent = self.account(AccountId::purse(purse))?.left()?;
        for slice in self.slice_ids(purse)? {
            let heard: Option<Timestamp> = self
                .conn
                .prepare_cached(
                    "SELECT contact_at FROM contacts JOIN epochs ON epochs.number = contacts.epoch
                     WHERE number = ?1 AND newest_seq <= acked_seq",
                )?
                .query_row([slice.epoch_no().map(Sql)], |row| col(row, 0))
                .optional()?;
            if heard.is_some_and(|heard| heard >= end) {
                unspent = unspent.plus(self.account(slice)?.left()?)?;
            }
        }
        let debts = [AccountId::withheld(purse), AccountId::restored(purse), AccountId::goodwill(purse)];
        for debt in debts {
            unspent = unspent.minus_or_zero(owed(self.account(debt)?)?);
        }
        Ok(expires(unspent, lately))
    }
}
