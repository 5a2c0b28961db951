//! Households that grow, shrink, leave and come back.

use cabas_protocol::{Cents, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::error::{CorrectionRefusal, StoreError};
use super::import::people;
use super::model::{CardName, CorrectionOrder, HouseholdView};
use super::people::ErasureRefusal;
use super::rules::period;
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;
use crate::core::household_rules::{Household, monthly_credit};
use crate::core::ledger::{AccountId, PurseNo};
use crate::core::period::Period;

impl Tx<'_> {
    /// All households, by code.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Damaged`].
    pub fn households(&self) -> Result<Vec<HouseholdView>, StoreError> {
        let mut read =
            self.conn.prepare("SELECT code, size, children_under_14, left_at FROM households ORDER BY code")?;
        let mut rows = read.query([])?;
        let mut views = Vec::new();
        while let Some(row) = rows.next()? {
            let people = people(row.get(1)?, row.get(2)?)?;
            views.push(HouseholdView { code: row.get(0)?, people, left_at: col_opt(row, 3)? });
        }
        Ok(views)
    }

    /// A household has other people from now on. For months from `since` that were credited already, the difference to what
    /// was credited and corrected, or is proposed, is proposed as corrections, which another person books; gives their
    /// numbers.
    ///
    /// # Errors
    /// [`CorrectionRefusal::NoHousehold`]; [`StoreError::Rule`].
    pub fn household_change(
        &mut self,
        code: &str,
        people: Household,
        since: Option<Period>,
        by: &str,
        now: Timestamp,
    ) -> Result<Vec<u64>, StoreError> {
        let number = self.household_no(code)?;
        self.conn.execute(
            "UPDATE households SET size = ?2, children_under_14 = ?3 WHERE number = ?1",
            params![number, people.size(), people.children_under_14()],
        )?;
        let Some(since) = since else { return Ok(Vec::new()) };
        let rules = self.rules()?;
        let mut read = self.conn.prepare(
            "SELECT credits.period, credits.cents
                    + (SELECT ifnull(sum(iif(is_up, cents, -cents)), 0) FROM corrections
                       WHERE corrections.purse = credits.purse AND corrections.source = credits.source
                       AND corrections.period = credits.period AND state < 2),
                sources.name
             FROM credits JOIN sources ON sources.number = credits.source
             WHERE household = ?1 AND credits.period >= ?2
             UNION ALL SELECT r.period, l.cents
                    + (SELECT ifnull(sum(iif(is_up, cents, -cents)), 0) FROM corrections
                       JOIN purses ON purses.number = corrections.purse WHERE purses.household = l.household
                       AND corrections.source = l.source AND corrections.period = r.period AND state < 2),
                sources.name FROM credit_runs AS r
             JOIN credit_run_lines AS l ON l.run = r.number JOIN sources ON sources.number = l.source
             WHERE r.state = 0 AND l.credit IS NULL AND l.household = ?1 AND r.period >= ?2 ORDER BY 1, 3",
        )?;
        let credits = read
            .query_map(params![number, since.to_string()], |row| Ok((row.get(0)?, col(row, 1)?, row.get(2)?)))?
            .collect::<Result<Vec<(String, Cents, String)>, _>>()?;
        let mut proposed = Vec::new();
        for (month, booked, source) in credits {
            let due = monthly_credit(&rules, period(month.clone())?, people)?;
            let (cents, is_up) = (due.minus_or_zero(booked).max(booked.minus_or_zero(due)), due > booked);
            if !cents.is_zero() {
                let reason = format!("{month}: {} people, {} under 14", people.size(), people.children_under_14());
                let order =
                    CorrectionOrder { household: code.to_owned(), cents, is_up, source, reason, by: by.to_owned() };
                proposed.push(self.correction_of(&order, Some(&month), now)?);
            }
        }
        Ok(proposed)
    }

    /// A household is gone: its cards are blocked, its money is asked back from all terminals, and what is free of it, now
    /// and later, expires. Gives what expired at once.
    ///
    /// # Errors
    /// [`CorrectionRefusal::NoHousehold`], [`StoreError::HotListFull`], [`StoreError::Restoring`].
    pub fn household_leave(&mut self, code: &str, now: Timestamp) -> Result<Cents, StoreError> {
        self.not_restoring()?;
        let number = self.household_no(code)?;
        self.conn.execute(
            "UPDATE households SET left_at = ifnull(left_at, ?2) WHERE number = ?1",
            params![number, Sql(now)],
        )?;
        self.credit_stop(number, now)?;
        let cards = self
            .conn
            .prepare(
                "SELECT cards.number FROM cards JOIN purses ON purses.number = cards.purse
                 WHERE purses.household = ?1 AND blocked_at IS NULL ORDER BY cards.number",
            )?
            .query_map([number], |row| row.get(0))?
            .collect::<Result<Vec<u32>, _>>()?;
        for card in cards {
            self.card_block(CardName::Number(card), now)?;
        }
        let free = self
            .conn
            .prepare("SELECT number FROM purses WHERE household = ?1")?
            .query_map([number], |row| col(row, 0))?
            .map(|purse| Ok(self.account(AccountId::purse(purse?))?.left()?))
            .collect::<Result<Vec<Cents>, StoreError>>()?;
        self.expire_left(now)?;
        Ok(Cents::sum(free)?)
    }

    /// A household is back: it is credited again. Its cards stay blocked until they are unblocked or replaced.
    ///
    /// # Errors
    /// [`CorrectionRefusal::NoHousehold`]; [`ErasureRefusal::Erased`].
    pub fn household_return(&mut self, code: &str) -> Result<(), StoreError> {
        let number = self.household_no(code)?;
        if self.is_erased(code)? {
            return Err(ErasureRefusal::Erased.into());
        }
        self.conn.execute("UPDATE households SET left_at = NULL WHERE number = ?1", [number])?;
        Ok(())
    }

    /// True where the purse's household is gone.
    pub(super) fn is_gone(&self, purse: PurseNo) -> Result<bool, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT left_at IS NOT NULL FROM purses JOIN households ON households.number = purses.household
             WHERE purses.number = ?1",
        )?;
        Ok(read.query_row([Sql(purse)], |row| row.get(0)).optional()?.unwrap_or(false))
    }

    fn household_no(&self, code: &str) -> Result<i64, StoreError> {
        let read = "SELECT number FROM households WHERE code = ?1";
        let number = self.conn.query_row(read, [code], |row| row.get(0)).optional()?;
        number.ok_or_else(|| CorrectionRefusal::NoHousehold.into())
    }
}
