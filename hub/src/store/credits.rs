//! The monthly credit: booked once per household, period and source, whatever happens.

use cabas_protocol::{Cents, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::debts::Brought;
use super::error::StoreError;
use super::fund::name;
use super::import::people;
use super::ledger::Books;
use super::model::{CreditLine, CreditPlan, CreditReport};
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;
use crate::core::household_rules::{Household, Rule, monthly_credit};
use crate::core::ledger::{AccountId, Entry, PurseNo, TransferKind};
use crate::core::period::Period;

/// Households that are credited in one step, at the most.
pub const STEP_HOUSEHOLDS_MAX: u32 = 50;

/// A household that a run has not credited yet.
struct Waiting {
    household: i64,
    purse: PurseNo,
    people: Household,
}

impl Tx<'_> {
    /// What [`Tx::credit_book`] would do.
    ///
    /// # Errors
    /// [`StoreError::Rule`], [`StoreError::Sqlite`].
    pub fn credit_preview(&self, period: Period, source: &str) -> Result<CreditPlan, StoreError> {
        let mut read = self.conn.prepare(
            "SELECT households.code, households.size, households.children_under_14,
                (SELECT cents FROM credits WHERE period = ?1 AND credits.household = households.number
                 AND source = (SELECT number FROM sources WHERE name = ?2))
             FROM households WHERE left_at IS NULL OR EXISTS (SELECT 1 FROM credits WHERE period = ?1
                AND credits.household = households.number
                AND source = (SELECT number FROM sources WHERE name = ?2)) ORDER BY households.code",
        )?;
        let mut rows = read.query(params![period.to_string(), source])?;
        let rules = self.rules()?;
        let mut plan = CreditPlan {
            period,
            source: source.to_owned(),
            lines: Vec::new(),
            to_book: Cents::ZERO,
            booked: Cents::ZERO,
        };
        while let Some(row) = rows.next()? {
            let people = people(row.get(1)?, row.get(2)?)?;
            let (cents, booked) = (monthly_credit(&rules, period, people)?, col_opt(row, 3)?);
            match booked {
                Some(booked) => plan.booked = plan.booked.plus(booked)?,
                None => plan.to_book = plan.to_book.plus(cents)?,
            }
            plan.lines.push(CreditLine { household: row.get(0)?, people, cents, booked });
        }
        Ok(plan)
    }

    /// Books one step of the run and raises the slices by it; call it until [`CreditReport::more`] is false. Each step
    /// stands for itself: after a crash the same call goes on with the households that are missing.
    ///
    /// # Errors
    /// [`StoreError::Rule`]; [`StoreError::Text`] for a source without a proper name.
    pub fn credit_book(&mut self, period: Period, source: &str, now: Timestamp) -> Result<CreditReport, StoreError> {
        self.not_restoring()?;
        let fund = self.fund()?;
        name("source", source)?;
        let source = self.source(source)?;
        let waiting = self.not_credited(period, source)?;
        let (places, rules) = (self.places(now)?, self.rules()?);
        let cents = self.with_books(|books| {
            let mut booked = Cents::ZERO;
            for household in &waiting {
                booked = booked.plus(self.credit(books, &rules, period, source, household, now)?)?;
                self.allocate(books, &fund, &places, household.purse, now)?;
            }
            Ok(booked)
        })?;
        self.wake_places(&places);
        let households = u32::try_from(waiting.len()).unwrap_or(u32::MAX);
        Ok(CreditReport { households, cents, more: households >= STEP_HOUSEHOLDS_MAX })
    }

    fn credit(
        &self,
        books: &mut Books<'_>,
        rules: &[Rule],
        period: Period,
        source: u32,
        waiting: &Waiting,
        now: Timestamp,
    ) -> Result<Cents, StoreError> {
        let cents = monthly_credit(rules, period, waiting.people)?;
        let mut insert = self.conn.prepare_cached(
            "INSERT INTO credits (household, period, source, size, children_under_14, cents, purse, booked_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING id",
        )?;
        let values = params![
            waiting.household,
            period.to_string(),
            source,
            waiting.people.size(),
            waiting.people.children_under_14(),
            Sql(cents),
            Sql(waiting.purse),
            Sql(now)
        ];
        let cause = insert.query_row(values, |row| col(row, 0))?;
        let (debit, credit) = (AccountId::source(source), AccountId::purse(waiting.purse));
        let transfer = books.post(Entry { debit, credit, cents, kind: TransferKind::Credit, cause })?;
        self.pay_back(books, waiting.purse, Brought { transfer, cents, came_back: false })?;
        Ok(cents)
    }

    fn not_credited(&self, period: Period, source: u32) -> Result<Vec<Waiting>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT households.number, households.size, households.children_under_14,
                (SELECT min(number) FROM purses WHERE purses.household = households.number)
             FROM households WHERE left_at IS NULL AND NOT EXISTS
                (SELECT 1 FROM credits WHERE period = ?1 AND source = ?2 AND credits.household = households.number)
             ORDER BY households.number LIMIT ?3",
        )?;
        let mut rows = read.query(params![period.to_string(), source, STEP_HOUSEHOLDS_MAX])?;
        let mut waiting = Vec::new();
        while let Some(row) = rows.next()? {
            let people = people(row.get(1)?, row.get(2)?)?;
            waiting.push(Waiting { household: row.get(0)?, purse: col(row, 3)?, people });
        }
        Ok(waiting)
    }

    pub(super) fn source(&self, name: &str) -> Result<u32, StoreError> {
        let read = "SELECT number FROM sources WHERE name = ?1";
        if let Some(number) = self.conn.query_row(read, [name], |row| row.get(0)).optional()? {
            return Ok(number);
        }
        Ok(self.conn.query_row("INSERT INTO sources (name) VALUES (?1) RETURNING number", [name], |row| row.get(0))?)
    }
}
