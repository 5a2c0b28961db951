//! The monthly credit: booked once per household, period and source, whatever happens.

use cabas_protocol::{Cents, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::debts::Brought;
use super::error::StoreError;
use super::import::people;
use super::ledger::Books;
use super::model::{CreditLine, CreditPlan, CreditReport};
use super::sources::{BudgetRefusal, Giver, RunOrder, take};
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;
use crate::core::household_rules::{Household, Rule, monthly_credit};
use crate::core::ledger::{AccountId, Entry, PurseNo, TransferKind};
use crate::core::period::Period;

/// Households that are credited in one step, at the most.
pub const STEP_HOUSEHOLDS_MAX: u32 = 1_000;

/// A household that a run has not credited yet.
struct Waiting {
    household: i64,
    purse: PurseNo,
    people: Household,
}

impl Tx<'_> {
    /// What [`Tx::credit_run`] would do.
    ///
    /// # Errors
    /// [`StoreError::Rule`], [`StoreError::Budget`], [`StoreError::Sqlite`].
    pub fn credit_plan(&self, period: Period, sources: &[&str]) -> Result<CreditPlan, StoreError> {
        let mut givers = self.givers(period, sources)?;
        let mut read = self.conn.prepare(
            "SELECT code, size, children_under_14, booked, elsewhere FROM (
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
            elsewhere: Cents::ZERO,
        };
        while let Some(row) = rows.next()? {
            let people = people(row.get(1)?, row.get(2)?)?;
            let (cents, booked) = (monthly_credit(&rules, period, people)?, col_opt(row, 3)?);
            let mut source = None;
            if let Some(booked) = booked {
                plan.booked = plan.booked.plus(booked)?;
            } else {
                plan.to_book = plan.to_book.plus(cents)?;
                plan.elsewhere = plan.elsewhere.plus(col_opt(row, 4)?.unwrap_or(Cents::ZERO))?;
                match take(&mut givers, cents)?.and_then(|place| plan.sources.get_mut(place)) {
                    Some((giver, given)) => {
                        *given = given.plus(cents)?;
                        source = Some(giver.clone());
                    }
                    None => plan.missing = plan.missing.plus(cents)?,
                }
            }
            plan.lines.push(CreditLine { household: row.get(0)?, people, cents, booked, source });
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

    /// Books one step of the run and raises the slices by it; call it until [`CreditReport::more`] is false. Each step
    /// stands for itself: after a crash the same call goes on with the households that are missing. Each household is
    /// credited whole from the first source that has enough. Where the sources do not suffice for all, nothing is booked,
    /// unless somebody agrees to what is missing: it is taken from the last source.
    ///
    /// # Errors
    /// [`StoreError::Rule`], [`StoreError::Budget`]; [`StoreError::Text`] for a source without a proper name.
    pub fn credit_run(&mut self, order: &RunOrder<'_>, now: Timestamp) -> Result<CreditReport, StoreError> {
        self.not_restoring()?;
        let (fund, period) = (self.fund()?, order.period);
        let mut givers = self.givers(period, order.sources)?;
        for giver in &mut givers {
            giver.number = Some(self.source(&giver.name)?);
        }
        let rules = self.rules()?;
        if !order.extra {
            self.not_elsewhere(period, &givers)?;
        }
        let (missing, households) = self.short_of(period, givers.clone(), &rules)?;
        if !missing.is_zero() {
            if order.over.is_none_or(|(agreed, _)| agreed < missing) {
                return Err(BudgetRefusal::TooLittle { period, missing, households }.into());
            }
            self.agree_over(order, &mut givers, missing, now)?;
        }
        let waiting = self.not_credited(period, &givers, Some(STEP_HOUSEHOLDS_MAX))?;
        let places = self.places(now)?;
        let cents = self.with_books(|books| {
            let mut booked = Cents::ZERO;
            for household in &waiting {
                let cents = monthly_credit(&rules, period, household.people)?;
                let giver = take(&mut givers, cents)?.and_then(|place| givers.get(place));
                let Some(source) = giver.and_then(|giver| giver.number) else {
                    return Err(BudgetRefusal::TooLittle { period, missing: cents, households: 1 }.into());
                };
                self.credit(books, period, source, household, cents, now)?;
                booked = booked.plus(cents)?;
                self.allocate(books, &fund, &places, household.purse, now)?;
            }
            Ok(booked)
        })?;
        self.wake_places(&places);
        let households = u32::try_from(waiting.len()).unwrap_or(u32::MAX);
        Ok(CreditReport { households, cents, more: households >= STEP_HOUSEHOLDS_MAX })
    }

    /// What the sources have too little for everybody who waits, and for how many; asked before anything is booked.
    fn short_of(&self, period: Period, mut givers: Vec<Giver>, rules: &[Rule]) -> Result<(Cents, u64), StoreError> {
        let (mut missing, mut households) = (Cents::ZERO, 0_u64);
        if givers.iter().any(|giver| giver.room.is_none()) {
            return Ok((missing, households));
        }
        for household in self.not_credited(period, &givers, None)? {
            let cents = monthly_credit(rules, period, household.people)?;
            if take(&mut givers, cents)?.is_none() {
                missing = missing.plus(cents)?;
                households = households.saturating_add(1);
            }
        }
        Ok((missing, households))
    }

    /// Nobody who waits was credited for the month by a source that is not named.
    fn not_elsewhere(&self, period: Period, givers: &[Giver]) -> Result<(), StoreError> {
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

    fn credit(
        &self,
        books: &mut Books<'_>,
        period: Period,
        source: u32,
        waiting: &Waiting,
        cents: Cents,
        now: Timestamp,
    ) -> Result<(), StoreError> {
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
        self.pay_back(books, waiting.purse, Brought { transfer, cents, came_back: false })
    }

    /// Households that none of the givers has credited for the month, in the order in which they are credited.
    fn not_credited(&self, period: Period, givers: &[Giver], limit: Option<u32>) -> Result<Vec<Waiting>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT households.number, households.size, households.children_under_14,
                (SELECT min(number) FROM purses WHERE purses.household = households.number)
             FROM households WHERE left_at IS NULL AND NOT EXISTS
                (SELECT 1 FROM json_each(?2) AS giver JOIN credits ON credits.period = ?1
                    AND credits.source = giver.value AND credits.household = households.number)
             ORDER BY households.number LIMIT ?3",
        )?;
        let limit = limit.map_or(-1, i64::from);
        let mut rows = read.query(params![period.to_string(), numbers(givers), limit])?;
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
fn numbers(givers: &[Giver]) -> String {
    let numbers: Vec<_> = givers.iter().filter_map(|giver| giver.number).map(|number| number.to_string()).collect();
    format!("[{}]", numbers.join(","))
}
