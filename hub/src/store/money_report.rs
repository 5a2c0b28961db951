//! Contributions month by month against what was agreed on, their share of the budgets, and how long the money lasts.

use std::collections::BTreeMap;

use cabas_protocol::{Cents, Timestamp};
use rusqlite::params;

use super::closing::person;
use super::error::StoreError;
use super::import::people;
use super::model::{ContributionMonth, ContributionReport};
use super::sources::BudgetRefusal;
use super::sql::{Sql, col};
use super::tx::Tx;
use crate::core::forecast::{self, Forecast, HORIZON_MONTHS, Means, PACE_MONTHS, Pace};
use crate::core::household_rules::monthly_credit;
use crate::core::period::Period;

/// The share of the budgets that contributions are to reach, until another is set.
const SHARE_PERCENT_DEFAULT: u32 = 30;
const SECONDS_OF_A_DAY: u64 = 86_400;

/// What a pace is taken from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PaceBy {
    /// The mean of the last whole months.
    Mean,
    /// The rule in force, for the households that are there, and what they agreed to contribute; all of it is spent.
    Rule,
}

/// A forecast, and what it was made from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MoneyForecast {
    /// Where the pace is from.
    pub by: PaceBy,
    /// The pace, by the households that were asked about.
    pub pace: Pace,
    /// Households that are there.
    pub there: u32,
    /// Households that were asked about.
    pub asked: u32,
    /// What there is.
    pub means: Means,
    /// The last whole months, and what was left after each.
    pub past: Vec<(Period, Pace, Cents)>,
    /// What is to be expected.
    pub forecast: Forecast,
}

impl Tx<'_> {
    /// Sets the share of the budgets that contributions are to reach, in percent.
    ///
    /// # Errors
    /// [`StoreError::Text`] for a share over 100, or a name that is none.
    pub fn share_plan_set(&mut self, percent: u32, by: &str, now: Timestamp) -> Result<(), StoreError> {
        let by = person(by)?;
        if percent > 100 {
            return Err(StoreError::Text("percent"));
        }
        let insert = "INSERT INTO share_plans (percent, set_by, set_at) VALUES (?1, ?2, ?3)";
        self.conn.execute(insert, params![percent, by, Sql(now)])?;
        Ok(())
    }

    /// What the households contributed in a year, against what they agreed on and what is planned.
    ///
    /// # Errors
    /// [`StoreError::Text`] for a year that is none.
    pub fn contribution_report(&self, year: u16) -> Result<ContributionReport, StoreError> {
        let mut months = Vec::new();
        for month in 1..=12 {
            months.push(self.contribution_month(Period::new(year, month).ok_or(StoreError::Text("year"))?)?);
        }
        let expected = Cents::sum(months.iter().map(|month| month.expected))?;
        let received = Cents::sum(months.iter().map(|month| month.received))?;
        let budgets = self.budgets_of(year)?;
        let planned = "SELECT ifnull((SELECT percent FROM share_plans ORDER BY id DESC LIMIT 1), ?1)";
        Ok(ContributionReport {
            year,
            months,
            expected,
            received,
            budgets,
            received_permille: received.get().saturating_mul(1_000).checked_div(budgets.get()),
            planned_percent: self.conn.query_row(planned, [SHARE_PERCENT_DEFAULT], |row| row.get(0))?,
        })
    }

    fn contribution_month(&self, period: Period) -> Result<ContributionMonth, StoreError> {
        let (from, to) = (period.start(), end(period));
        let expected = self.sum(
            "SELECT sum(contribution_cents) FROM households
             WHERE created_at < ?2 AND (left_at IS NULL OR left_at >= ?1)",
            params![Sql(from), Sql(to)],
        )?;
        let mut read = self.conn.prepare_cached(
            "SELECT ifnull(sum(net), 0), count(*) FROM (
                SELECT sum(iif(takes_back IS NULL, cents, -cents)) AS net FROM money_in
                WHERE household IS NOT NULL AND day >= ?1 AND day < ?2 GROUP BY household) WHERE net > 0",
        )?;
        let (received, payers) = read.query_row(days(from, to), |row| Ok((col(row, 0)?, row.get(1)?)))?;
        Ok(ContributionMonth { period, expected, received, payers })
    }

    /// How long the money lasts: at the pace that is named, or else at the mean of the last whole months where each of them
    /// was credited, or else by the rule.
    ///
    /// # Errors
    /// [`BudgetRefusal::NoBudgetOfYear`], [`BudgetRefusal::NoHouseholds`]; [`StoreError::Rule`] without a rule.
    pub fn money_forecast(
        &self,
        by: Option<PaceBy>,
        households: Option<u32>,
        now: Timestamp,
    ) -> Result<MoneyForecast, StoreError> {
        let this = Period::of(now).ok_or(StoreError::Text("month"))?;
        if !self.has_budgets(this.year())? {
            return Err(BudgetRefusal::NoBudgetOfYear(this.year()).into());
        }
        let mut past = Vec::new();
        for back in (1..=PACE_MONTHS).rev() {
            if let Some(period) = this.plus(i64::from(back).saturating_neg()) {
                past.push((period, self.month_done(period)?, self.left_after(period)?));
            }
        }
        let is_mean = past.iter().all(|(_, done, _)| !done.credited.is_zero());
        let by = by.unwrap_or(if is_mean && !past.is_empty() { PaceBy::Mean } else { PaceBy::Rule });
        let there =
            self.conn.query_row("SELECT count(*) FROM households WHERE left_at IS NULL", [], |row| row.get(0))?;
        let pace = match by {
            PaceBy::Mean => {
                let months: Vec<_> = past.iter().map(|(_, done, _)| *done).collect();
                forecast::mean(&months)?.unwrap_or_default()
            }
            PaceBy::Rule => self.pace_by_rule(this)?,
        };
        let asked = households.unwrap_or(there);
        let pace = forecast::scaled(pace, there, asked)?.ok_or(BudgetRefusal::NoHouseholds)?;
        let means = self.means(this)?;
        let forecast = forecast::forecast(&means, pace)?;
        Ok(MoneyForecast { by, pace, there, asked, means, past, forecast })
    }

    fn pace_by_rule(&self, period: Period) -> Result<Pace, StoreError> {
        let rules = self.rules()?;
        let mut read = self.conn.prepare("SELECT size, children_under_14 FROM households WHERE left_at IS NULL")?;
        let mut rows = read.query([])?;
        let mut credited = Cents::ZERO;
        while let Some(row) = rows.next()? {
            credited = credited.plus(monthly_credit(&rules, period, people(row.get(0)?, row.get(1)?)?)?)?;
        }
        let money_in = self.sum("SELECT sum(contribution_cents) FROM households WHERE left_at IS NULL", [])?;
        Ok(Pace { money_in, credited, spent: credited })
    }

    fn means(&self, this: Period) -> Result<Means, StoreError> {
        let (mut contributions, mut budgets) = (Cents::ZERO, BTreeMap::new());
        let last = this.plus(i64::from(HORIZON_MONTHS)).map_or(this.year(), Period::year);
        for year in this.year()..=last {
            let mut left = Cents::ZERO;
            for source in self.sources(year)? {
                if source.is_contributions {
                    contributions = source.left.unwrap_or(Cents::ZERO);
                } else {
                    left = left.plus(source.left.unwrap_or(Cents::ZERO))?;
                }
            }
            budgets.insert(year, left);
        }
        Ok(Means { from: this, done: self.month_done(this)?, contributions, budgets })
    }

    /// What happened in a month: paid in by households, credited for it, spent in shops as far as rows came.
    fn month_done(&self, period: Period) -> Result<Pace, StoreError> {
        let (from, to) = (period.start(), end(period));
        let between = || params_of(from, to);
        let credited = self.sum("SELECT sum(cents) FROM credits WHERE period = ?1", [period.to_string()])?;
        let sold = self.sum(
            "SELECT sum(settled) FROM rows WHERE kind = 2 AND received_at >= ?1 AND received_at < ?2",
            between(),
        )?;
        let carried =
            self.sum("SELECT sum(settled) FROM carried_sales WHERE booked_at >= ?1 AND booked_at < ?2", between())?;
        let undone = self.sum(
            "SELECT sum(settled) FROM rows WHERE kind = 4 AND received_at >= ?1 AND received_at < ?2",
            between(),
        )?;
        let refunded = self.sum(
            "SELECT sum(cents) FROM refunds JOIN rows ON rows.key = refunds.row
             WHERE state = 1 AND received_at >= ?1 AND received_at < ?2",
            between(),
        )?;
        Ok(Pace {
            money_in: self.contribution_month(period)?.received,
            credited,
            spent: sold.plus(carried)?.minus_or_zero(undone.plus(refunded)?),
        })
    }

    /// What was left to credit after a month: contributions that had come, and the budgets of its year as they stand now.
    fn left_after(&self, period: Period) -> Result<Cents, StoreError> {
        let (text, year) = (period.to_string(), period.year());
        let contributions = self.contributions_source()?;
        let (_, to) = days_of(period.start(), end(period));
        let paid = "SELECT sum(cents) FROM money_in WHERE household IS NOT NULL AND day < ?1 AND (takes_back IS NOT NULL) = ?2";
        let came = self.sum(paid, params![Sql(to), false])?.minus_or_zero(self.sum(paid, params![Sql(to), true])?);
        let mut left = came;
        if let Some(source) = contributions {
            let (given, back) = self.given_until(source, "0000", &text)?;
            left = came.plus(back)?.minus_or_zero(given);
        }
        let mut read = self.conn.prepare_cached("SELECT DISTINCT source FROM budgets WHERE year = ?1")?;
        for source in read.query_map([year], |row| row.get::<_, u32>(0))?.collect::<Result<Vec<_>, _>>()? {
            let over = "SELECT sum(cents) FROM overruns WHERE source = ?1 AND year = ?2 AND period <= ?3";
            let over = self.sum(over, params![source, year, text])?;
            let has = self.budget_of(source, year)?.unwrap_or(Cents::ZERO).plus(over)?;
            let (given, back) = self.given_until(source, &year.to_string(), &text)?;
            left = left.plus(has.plus(back)?.minus_or_zero(given))?;
        }
        Ok(left)
    }

    /// What a source gave, and what corrections gave back to it, for months from a year on up to a month.
    fn given_until(&self, source: u32, from: &str, to: &str) -> Result<(Cents, Cents), StoreError> {
        let credits = "SELECT sum(cents) FROM credits WHERE source = ?1 AND period >= ?2 AND period <= ?3";
        let corrected =
            "SELECT sum(cents) FROM (SELECT cents, ifnull(period, strftime('%Y-%m', ended_at, 'unixepoch')) AS month
            FROM corrections WHERE source = ?1 AND state = 1 AND is_up = ?4) WHERE month >= ?2 AND month <= ?3";
        let given = self.sum(credits, params![source, from, to])?;
        let up = self.sum(corrected, params![source, from, to, true])?;
        Ok((given.plus(up)?, self.sum(corrected, params![source, from, to, false])?))
    }
}

/// The first second after a month.
fn end(period: Period) -> Timestamp {
    period.plus(1).map_or(Timestamp::new(u64::MAX), Period::start)
}

fn params_of(from: Timestamp, to: Timestamp) -> [Sql<Timestamp>; 2] {
    [Sql(from), Sql(to)]
}

fn days_of(from: Timestamp, to: Timestamp) -> (u64, u64) {
    let day = |at: Timestamp| at.get().checked_div(SECONDS_OF_A_DAY).unwrap_or(0);
    (day(from), day(to))
}

fn days(from: Timestamp, to: Timestamp) -> [Sql<u64>; 2] {
    let (from, to) = days_of(from, to);
    [Sql(from), Sql(to)]
}
