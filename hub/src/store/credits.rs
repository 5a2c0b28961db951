//! The monthly credit: booked once per household, period and source, whatever happens.

use cabas_protocol::{Cents, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::credit_runs::FixedLine;
use super::debts::Brought;
use super::error::StoreError;
use super::import::people;
use super::ledger::Books;
use super::model::{CreditLine, CreditPlan, CreditReport};
use super::sources::{BudgetRefusal, Giver, RunOrder, run_names, take};
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;
use crate::core::household_rules::{Household, monthly_credit};
use crate::core::ledger::{AccountId, Entry, PurseNo, TransferKind};
use crate::core::period::Period;

/// A household that a run has not credited yet.
pub(super) struct Waiting {
    pub(super) household: i64,
    pub(super) purse: PurseNo,
    pub(super) people: Household,
}

impl Tx<'_> {
    /// What [`Tx::credit_run`] would do; of a run from these sources that is under way, what it has still to do.
    ///
    /// # Errors
    /// [`StoreError::Rule`], [`StoreError::Budget`], [`StoreError::Sqlite`].
    pub fn credit_plan(&self, period: Period, sources: &[&str]) -> Result<CreditPlan, StoreError> {
        let mut givers = self.givers(period, sources)?;
        let last = givers.last().cloned().ok_or(BudgetRefusal::Sources)?;
        let names = run_names(sources)?;
        let open = self.credit_run_open(period)?.filter(|run| run.sources == names);
        let fixed = open.map(|run| self.fixed_lines(run.number, None)).transpose()?;
        let mut read = self.conn.prepare(
            "SELECT code, size, children_under_14, booked, elsewhere, number FROM (
                SELECT code, size, children_under_14, left_at, number,
                    (SELECT sum(cents) FROM credits WHERE period = ?1 AND credits.household = households.number
                     AND source IN (SELECT value FROM json_each(?2))) AS booked,
                    (SELECT sum(cents) FROM credits WHERE period = ?1 AND credits.household = households.number
                     AND source NOT IN (SELECT value FROM json_each(?2))) AS elsewhere FROM households)
             WHERE left_at IS NULL OR booked IS NOT NULL ORDER BY number",
        )?;
        let mut rows = read.query(params![period.to_string(), numbers(&givers)])?;
        let rules = self.rules()?;
        let mut plan = CreditPlan {
            period,
            sources: givers.iter().map(|giver| (giver.name.clone(), Cents::ZERO)).collect(),
            lines: Vec::new(),
            to_book: Cents::ZERO,
            booked: Cents::ZERO,
            missing: Cents::ZERO,
            over: Cents::ZERO,
            elsewhere: Cents::ZERO,
        };
        while let Some(row) = rows.next()? {
            let (mut people, booked) = (people(row.get(1)?, row.get(2)?)?, col_opt(row, 3)?);
            let mut cents = monthly_credit(&rules, period, people)?;
            let mut source = None;
            if let Some(booked) = booked {
                plan.booked = plan.booked.plus(booked)?;
            } else {
                let place = if let Some(fixed) = &fixed {
                    // Whoever joined since it began waits for the next run.
                    let Some(line) = fixed.get(&row.get(5)?) else { continue };
                    (people, cents) = (line.people, line.cents);
                    givers.iter().position(|giver| giver.number == Some(line.source))
                } else {
                    plan.elsewhere = plan.elsewhere.plus(col_opt(row, 4)?.unwrap_or(Cents::ZERO))?;
                    take(&mut givers, cents)?
                };
                plan.to_book = plan.to_book.plus(cents)?;
                match place.and_then(|place| plan.sources.get_mut(place)) {
                    Some((giver, given)) => {
                        *given = given.plus(cents)?;
                        source = Some(giver.clone());
                    }
                    None => plan.missing = plan.missing.plus(cents)?,
                }
            }
            plan.lines.push(CreditLine { household: row.get(0)?, people, cents, booked, source });
        }
        if !plan.missing.is_zero() {
            plan.over = plan.missing.plus(self.taken_over(period, &last)?)?;
        }
        plan.lines.sort_by(|one, other| one.household.cmp(&other.household));
        Ok(plan)
    }

    /// Books one step of a run from one source, whatever other sources gave.
    ///
    /// # Errors
    /// As [`Self::credit_run`].
    pub fn credit_book(&mut self, period: Period, source: &str, now: Timestamp) -> Result<CreditReport, StoreError> {
        self.credit_run(&RunOrder { period, sources: &[source], over: None, extra: true }, now)
    }

    /// Begins the run, or goes on with it, and books a step of it; call it until [`CreditReport::more`] is false.
    ///
    /// # Errors
    /// As [`Self::credit_begin`] and [`Self::credit_step`].
    pub fn credit_run(&mut self, order: &RunOrder<'_>, now: Timestamp) -> Result<CreditReport, StoreError> {
        let run = self.credit_begin(order, now)?;
        run.map_or(Ok(CreditReport::default()), |run| self.credit_step(run, now))
    }

    /// Nobody who waits was credited for the month by a source that is not named.
    pub(super) fn not_elsewhere(&self, period: Period, givers: &[Giver]) -> Result<(), StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT count(DISTINCT household), ifnull(sum(cents), 0) FROM credits
             JOIN households ON households.number = household WHERE period = ?1 AND left_at IS NULL
             AND NOT EXISTS (SELECT 1 FROM json_each(?2) AS giver JOIN credits AS ours ON ours.period = ?1
                AND ours.source = giver.value AND ours.household = households.number)",
        )?;
        let (households, credited): (u64, Cents) =
            read.query_row(params![period.to_string(), numbers(givers)], |row| Ok((col(row, 0)?, col(row, 1)?)))?;
        if households == 0 {
            Ok(())
        } else {
            Err(BudgetRefusal::CreditedElsewhere { period, households, credited }.into())
        }
    }

    /// Books a line of a run; gives the number of the credit.
    pub(super) fn credit(
        &self,
        books: &mut Books<'_>,
        period: Period,
        line: &FixedLine,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut insert = self.conn.prepare_cached(
            "INSERT INTO credits (household, period, source, size, children_under_14, cents, purse, booked_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING id",
        )?;
        let (purse, cents) = (line.purse, line.cents);
        let values = params![
            line.household,
            period.to_string(),
            line.source,
            line.people.size(),
            line.people.children_under_14(),
            Sql(cents),
            Sql(purse),
            Sql(now)
        ];
        let cause = insert.query_row(values, |row| col(row, 0))?;
        let (debit, credit) = (AccountId::source(line.source), AccountId::purse(purse));
        let transfer = books.post(Entry { debit, credit, cents, kind: TransferKind::Credit, cause })?;
        self.pay_back(books, purse, Brought { transfer, cents, came_back: false })?;
        Ok(cause)
    }

    /// Households that none of the givers has credited for the month, in the order in which they are credited.
    pub(super) fn not_credited(&self, period: Period, givers: &[Giver]) -> Result<Vec<Waiting>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT households.number, households.size, households.children_under_14,
                (SELECT min(number) FROM purses WHERE purses.household = households.number)
             FROM households WHERE left_at IS NULL AND NOT EXISTS
                (SELECT 1 FROM json_each(?2) AS giver JOIN credits ON credits.period = ?1
                    AND credits.source = giver.value AND credits.household = households.number)
             ORDER BY households.number",
        )?;
        let mut rows = read.query(params![period.to_string(), numbers(givers)])?;
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

/// The numbers of givers as SQLite's `json_each` takes them.
pub(super) fn numbers(givers: &[Giver]) -> String {
    let numbers: Vec<_> = givers.iter().filter_map(|giver| giver.number).map(|number| number.to_string()).collect();
    format!("[{}]", numbers.join(","))
}
