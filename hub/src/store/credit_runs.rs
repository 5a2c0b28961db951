//! Runs of credits: what one is to book is fixed line by line when it begins, and just that is booked, step by step. No
//! rule, household, budget or source that changes meanwhile changes it; a household of it that leaves stops it.

use std::collections::BTreeMap;

use cabas_protocol::{Cents, Timestamp};
use rusqlite::{OptionalExtension as _, Row, params};

use super::audit::Note;
use super::closing::person;
use super::credits::numbers;
use super::error::{RuleRefusal, StoreError};
use super::import::people;
use super::model::CreditReport;
use super::rules::period as month;
use super::sources::{BudgetRefusal, CONTRIBUTIONS, Giver, RunOrder, run_names, take};
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;
use crate::core::audit::Deed;
use crate::core::household_rules::{Household, monthly_credit};
use crate::core::ledger::PurseNo;
use crate::core::period::Period;

/// Households that are credited in one step, at the most.
pub const STEP_HOUSEHOLDS_MAX: u32 = 50;
/// Who withdrew what no person did.
const ITSELF: &str = "cabas-hub";

/// A run that was begun.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RunView {
    /// Its number.
    pub number: u32,
    /// The month.
    pub period: Period,
    /// Who gives the money, in the order in which it is taken.
    pub sources: Vec<String>,
    /// Households that it credits.
    pub households: u64,
    /// How much.
    pub cents: Cents,
    /// How much of that goes beyond a budget.
    pub over: Cents,
    /// Households that it has still to credit.
    pub waiting: u64,
    /// How much.
    pub waiting_cents: Cents,
    /// True where a household of it left before it was credited: what was not booked is not booked.
    pub is_stopped: bool,
}

/// A household that a run is to credit.
pub(super) struct FixedLine {
    pub(super) household: i64,
    pub(super) purse: PurseNo,
    pub(super) people: Household,
    pub(super) cents: Cents,
    pub(super) source: u32,
    pub(super) is_over: bool,
}

impl Tx<'_> {
    /// The run of a month that is under way.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Damaged`].
    pub fn credit_run_open(&self, period: Period) -> Result<Option<RunView>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT number FROM credit_runs WHERE state = 0 AND period = ?1")?;
        let number = read.query_row([period.to_string()], |row| row.get(0)).optional()?;
        number.map(|number| self.credit_run_view(number)).transpose()
    }

    /// A run.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where it is not there.
    pub fn credit_run_view(&self, number: u32) -> Result<RunView, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT period, households, r.cents, state = 2, count(l.run), sum(l.cents),
                (SELECT sum(cents) FROM credit_run_lines WHERE run = ?1 AND is_over) FROM credit_runs AS r
             LEFT JOIN credit_run_lines AS l ON l.run = r.number AND l.credit IS NULL WHERE number = ?1 GROUP BY number",
        )?;
        let mut rows = read.query([number])?;
        let row = rows.next()?.ok_or(StoreError::Damaged("a run of credits is missing"))?;
        let mut names = self.conn.prepare_cached(
            "SELECT name FROM credit_runs AS r, json_each(r.sources) AS giver JOIN sources ON sources.number = giver.value
             WHERE r.number = ?1 ORDER BY giver.key",
        )?;
        Ok(RunView {
            number,
            period: month(row.get(0)?)?,
            sources: names.query_map([number], |row| row.get(0))?.collect::<Result<_, _>>()?,
            households: col(row, 1)?,
            cents: col(row, 2)?,
            over: col_opt(row, 6)?.unwrap_or(Cents::ZERO),
            waiting: col(row, 4)?,
            waiting_cents: col_opt(row, 5)?.unwrap_or(Cents::ZERO),
            is_stopped: row.get(3)?,
        })
    }

    /// Begins a run: fixes whom it credits, how much and from which source; gives its number, or none where everybody was
    /// credited. A run of the month from the same sources that is under way is gone on with, as it was fixed and agreed to.
    /// Each household is credited whole from the first source that has enough. Where the sources do not suffice for all, no
    /// run begins, unless somebody agrees to what is missing: it is taken from the last source.
    ///
    /// # Errors
    /// [`StoreError::Rule`], [`StoreError::Budget`]; [`StoreError::Text`] for a source without a proper name.
    pub fn credit_begin(&mut self, order: &RunOrder<'_>, now: Timestamp) -> Result<Option<u32>, StoreError> {
        self.not_restoring()?;
        let (period, names) = (order.period, run_names(order.sources)?);
        if let Some(open) = self.credit_run_open(period)? {
            if open.sources == names {
                return Ok(Some(open.number));
            }
            return Err(BudgetRefusal::RunOpen { period, sources: open.sources.join(", ") }.into());
        }
        let mut givers = self.givers(period, order.sources)?;
        for giver in &mut givers {
            giver.number = Some(self.source(&giver.name)?);
        }
        if !order.extra {
            self.not_elsewhere(period, &givers)?;
        }
        let lines = self.fix(order, &mut givers)?;
        if lines.is_empty() {
            return Ok(None);
        }
        let sum = Cents::sum(lines.iter().map(|line| line.cents))?;
        let households = u32::try_from(lines.len()).map_err(|_| StoreError::Exhausted("households of a run"))?;
        let (agreed, by) =
            order.over.map(|(cents, by)| Ok::<_, StoreError>((Sql(cents), person(by)?))).transpose()?.unzip();
        let run: u32 = self.conn.query_row(
            "INSERT INTO credit_runs (period, sources, households, cents, agreed_cents, agreed_by, begun_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING number",
            params![period.to_string(), numbers(&givers), households, Sql(sum), agreed, by, Sql(now)],
            |row| row.get(0),
        )?;
        let mut insert = self.conn.prepare_cached(
            "INSERT INTO credit_run_lines (run, household, source, size, children_under_14, cents, is_over)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        for line in lines {
            let (size, children) = (line.people.size(), line.people.children_under_14());
            insert.execute(params![run, line.household, line.source, size, children, Sql(line.cents), line.is_over])?;
        }
        Ok(Some(run))
    }

    /// Who waits, from whom each is paid, and whether somebody agreed to what is missing.
    fn fix(&self, order: &RunOrder<'_>, givers: &mut [Giver]) -> Result<Vec<FixedLine>, StoreError> {
        let (rules, period) = (self.rules()?, order.period);
        let (mut lines, mut missing, mut households) = (Vec::new(), Cents::ZERO, 0_u64);
        let last = givers.last().cloned().ok_or(BudgetRefusal::Sources)?;
        for waiting in self.not_credited(period, givers)? {
            let cents = monthly_credit(&rules, period, waiting.people)?;
            let place = take(givers, cents)?;
            if place.is_none() {
                missing = missing.plus(cents)?;
                households = households.saturating_add(1);
            }
            let giver = place.and_then(|place| givers.get(place)).unwrap_or(&last);
            let source = giver.number.ok_or(StoreError::Damaged("a source without a number"))?;
            let (household, purse, people) = (waiting.household, waiting.purse, waiting.people);
            lines.push(FixedLine { household, purse, people, cents, source, is_over: place.is_none() });
        }
        if !missing.is_zero() {
            let over = missing.plus(self.taken_over(period, &last)?)?;
            if order.over.is_none_or(|(agreed, _)| agreed < over) {
                return Err(BudgetRefusal::TooLittle { period, missing, over, households }.into());
            }
            if last.name == CONTRIBUTIONS {
                return Err(BudgetRefusal::OverOfContributions.into());
            }
        }
        Ok(lines)
    }

    /// What was taken beyond a source's budget for a month before. What somebody agrees to is for the month, not again for
    /// each run of it.
    pub(super) fn taken_over(&self, period: Period, giver: &Giver) -> Result<Cents, StoreError> {
        let taken = "SELECT sum(cents) FROM overruns WHERE source = ?1 AND period = ?2";
        self.sum(taken, params![giver.number, period.to_string()])
    }

    /// What runs under way are still to take of what a source has: for months of a year, or ever.
    pub(super) fn promised(&self, source: Option<u32>, year: Option<u16>) -> Result<Cents, StoreError> {
        self.sum(
            "SELECT sum(l.cents) FROM credit_runs AS r JOIN credit_run_lines AS l ON l.run = r.number
             WHERE r.state = 0 AND l.credit IS NULL AND NOT l.is_over AND l.source = ?1
             AND (?2 IS NULL OR substr(r.period, 1, 4) = ?2)",
            params![source, year.map(|year| year.to_string())],
        )
    }

    /// The lines of a run that were not booked, by household.
    pub(super) fn fixed_lines(&self, run: u32, limit: Option<u32>) -> Result<BTreeMap<i64, FixedLine>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT household, (SELECT min(number) FROM purses WHERE purses.household = l.household), size,
                children_under_14, cents, source, is_over FROM credit_run_lines AS l
             WHERE run = ?1 AND credit IS NULL ORDER BY household LIMIT ?2",
        )?;
        let mut rows = read.query(params![run, limit.map_or(-1, i64::from)])?;
        let mut lines = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let line = fixed(row)?;
            lines.insert(line.household, line);
        }
        Ok(lines)
    }

    /// Books one step of a run that was begun, and raises the slices by it; call it until [`CreditReport::more`] is false.
    /// Each step stands for itself: after a crash the same call goes on with the households that are missing.
    ///
    /// # Errors
    /// [`RuleRefusal::PlanChanged`] where the run was stopped; [`StoreError::Restoring`].
    pub fn credit_step(&mut self, run: u32, now: Timestamp) -> Result<CreditReport, StoreError> {
        self.not_restoring()?;
        let (fund, view) = (self.fund()?, self.credit_run_view(run)?);
        if view.is_stopped {
            return Err(RuleRefusal::PlanChanged(view.period).into());
        }
        let lines = self.fixed_lines(run, Some(STEP_HOUSEHOLDS_MAX))?;
        let places = self.places(now)?;
        let cents = self.with_books(|books| {
            let mut booked = Cents::ZERO;
            for line in lines.values() {
                let credit = self.credit(books, view.period, line, now)?;
                self.conn
                    .prepare_cached("UPDATE credit_run_lines SET credit = ?3 WHERE run = ?1 AND household = ?2")?
                    .execute(params![run, line.household, Sql(credit)])?;
                booked = booked.plus(line.cents)?;
                self.allocate(books, &fund, &places, line.purse, now)?;
            }
            Ok(booked)
        })?;
        let over = Cents::sum(lines.values().filter(|line| line.is_over).map(|line| line.cents))?;
        if let Some(line) = lines.values().find(|line| line.is_over) {
            self.conn.execute(
                "INSERT INTO overruns (source, year, period, cents, agreed_by, agreed_at, run)
                 SELECT ?2, ?3, period, ?4, agreed_by, ?5, number FROM credit_runs WHERE number = ?1",
                params![run, line.source, view.period.year(), Sql(over), Sql(now)],
            )?;
        }
        let households = u32::try_from(lines.len()).unwrap_or(u32::MAX);
        let more = view.waiting > u64::from(households);
        if !more {
            self.end_run(run, 1, now)?;
        }
        self.wake_places(&places);
        Ok(CreditReport { households, cents, more })
    }

    /// A household left: the runs that were still to credit it are stopped. What was proposed to correct a credit that they
    /// do not book any more is withdrawn: the next run credits by the people who are there by then.
    pub(super) fn credit_stop(&mut self, household: i64, now: Timestamp) -> Result<(), StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT number FROM credit_runs JOIN credit_run_lines ON run = number
             WHERE state = 0 AND household = ?1 AND credit IS NULL ORDER BY number",
        )?;
        let runs = read.query_map([household], |row| row.get(0))?.collect::<Result<Vec<u32>, _>>()?;
        drop(read);
        for run in runs {
            self.end_run(run, 2, now)?;
            self.withdraw_corrections_of(run, now)?;
        }
        Ok(())
    }

    fn withdraw_corrections_of(&mut self, run: u32, now: Timestamp) -> Result<(), StoreError> {
        let mut withdraw = self.conn.prepare_cached(
            "UPDATE corrections SET state = 2, ended_by = ?2, ended_at = ?3 WHERE state = 0 AND id IN (
                SELECT c.id FROM credit_runs AS r JOIN credit_run_lines AS l ON l.run = r.number AND l.credit IS NULL
                JOIN purses ON purses.household = l.household
                JOIN corrections AS c ON c.purse = purses.number AND c.source = l.source AND c.period = r.period
                WHERE r.number = ?1)
             RETURNING id",
        )?;
        let ids = withdraw.query_map(params![run, ITSELF, Sql(now)], |row| col(row, 0))?;
        let ids = ids.collect::<Result<Vec<u64>, _>>()?;
        drop(withdraw);
        for id in ids {
            let (subject, detail) = (format!("correction {id}"), format!("credit run {run} was stopped"));
            let deed = Deed::CorrectionWithdrawn;
            self.note(Note { who: ITSELF, deed, subject: &subject, detail: &detail }, now)?;
        }
        Ok(())
    }

    fn end_run(&self, run: u32, state: u8, now: Timestamp) -> Result<(), StoreError> {
        let set = "UPDATE credit_runs SET state = ?2, ended_at = ?3 WHERE state = 0 AND number = ?1";
        self.conn.prepare_cached(set)?.execute(params![run, state, Sql(now)])?;
        Ok(())
    }
}

fn fixed(row: &Row<'_>) -> Result<FixedLine, StoreError> {
    Ok(FixedLine {
        household: row.get(0)?,
        purse: col(row, 1)?,
        people: people(row.get(2)?, row.get(3)?)?,
        cents: col(row, 4)?,
        source: row.get(5)?,
        is_over: row.get(6)?,
    })
}
