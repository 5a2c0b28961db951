//! The rules that the members vote: each holds from a month on, and stays.

use cabas_protocol::Timestamp;
use rusqlite::{OptionalExtension as _, params};

use super::closing::person;
use super::error::{RuleRefusal, StoreError};
use super::sql::{Sql, col};
use super::tx::Tx;
use crate::core::household_rules::Rule;
use crate::core::period::Period;

impl Tx<'_> {
    /// Every rule there ever was, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Damaged`].
    pub fn rules(&self) -> Result<Vec<Rule>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT from_period, first_person, further_person, child_under_14, expire_months FROM credit_rules
             ORDER BY from_period",
        )?;
        let mut rows = read.query([])?;
        let mut rules = Vec::new();
        while let Some(row) = rows.next()? {
            rules.push(Rule {
                from: period(row.get(0)?)?,
                first_person: col(row, 1)?,
                further_person: col(row, 2)?,
                child_under_14: col(row, 3)?,
                expire_months: row.get(4)?,
            });
        }
        Ok(rules)
    }

    /// Notes a rule that was voted. Months that were credited keep the rule by which they were.
    ///
    /// # Errors
    /// [`RuleRefusal`]; [`StoreError::Text`] for who says so.
    pub fn rule_set(&mut self, rule: Rule, by: &str, now: Timestamp) -> Result<(), StoreError> {
        self.rule_fits(rule)?;
        self.conn.execute(
            "INSERT INTO credit_rules (from_period, first_person, further_person, child_under_14, expire_months, set_by,
                set_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                rule.from.to_string(),
                Sql(rule.first_person),
                Sql(rule.further_person),
                Sql(rule.child_under_14),
                rule.expire_months,
                person(by)?,
                Sql(now)
            ],
        )?;
        Ok(())
    }

    /// Whether a rule could be noted.
    ///
    /// # Errors
    /// [`RuleRefusal`].
    pub fn rule_fits(&self, rule: Rule) -> Result<(), StoreError> {
        let newest: Option<String> = self.conn.query_row(
            "SELECT max(period) FROM (SELECT period FROM credits UNION ALL SELECT period FROM expiries
                UNION ALL SELECT period FROM credit_runs WHERE state = 0)",
            [],
            |row| row.get(0),
        )?;
        if let Some(newest) = newest.map(period).transpose()?.filter(|newest| rule.from <= *newest) {
            return Err(RuleRefusal::Credited { from: rule.from, newest }.into());
        }
        if rule.first_person.is_zero() {
            return Err(RuleRefusal::Nothing.into());
        }
        let taken = "SELECT 1 FROM credit_rules WHERE from_period = ?1";
        if self.conn.query_row(taken, [rule.from.to_string()], |_| Ok(())).optional()?.is_some() {
            return Err(RuleRefusal::Taken(rule.from).into());
        }
        Ok(())
    }
}

/// A month as it is stored.
pub(super) fn period(text: String) -> Result<Period, StoreError> {
    text.parse().map_err(|_| StoreError::Damaged("a month"))
}
