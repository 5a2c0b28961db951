//! Who gives the money: budgets by year, what is left of them, and from whom a run of credits takes.

use cabas_protocol::{Cents, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::closing::person;
use super::error::StoreError;
use super::fund::name;
use super::model::SourceView;
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;
use crate::core::period::Period;

/// The source that has what the households contribute. It has no budget: no more is credited from it than came in.
pub const CONTRIBUTIONS: &str = "Contributions";
/// Sources that one run takes from, at the most.
pub const RUN_SOURCES_MAX: usize = 8;

/// A run of credits.
#[derive(Clone, Copy, Debug)]
pub struct RunOrder<'a> {
    /// The month.
    pub period: Period,
    /// Who gives the money, in the order in which it is taken.
    pub sources: &'a [&'a str],
    /// How much beyond the budget of the last source is agreed to for the month, and by whom.
    pub over: Option<(Cents, &'a str)>,
    /// Households that other sources credited for the month are to be credited once more.
    pub extra: bool,
}

/// Why a run of credits, or a budget, does not go. Nothing was booked.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BudgetRefusal {
    /// None, too many, or one twice.
    #[error("a run takes from 1 to {RUN_SOURCES_MAX} sources, each named once")]
    Sources,
    /// Misspelt, or forgotten.
    #[error(
        "\"{source_name}\" has no budget for {year}, and others have; compare cabas-hub source list, or set one: cabas-hub \
         source set --name … --year {year} --budget-cents … --by …"
    )]
    NoBudget {
        /// As it was named.
        source_name: String,
        /// The year.
        year: u16,
    },
    /// Not enough.
    #[error(
        "the sources have {missing} € too little for {households} households in {period}; name another source, raise a \
         budget, or agree to it: --over-budget-cents {} --by NAME", .over.get()
    )]
    TooLittle {
        /// The month.
        period: Period,
        /// What is missing.
        missing: Cents,
        /// That, and what was taken beyond the budget for the month before.
        over: Cents,
        /// For how many households.
        households: u64,
    },
    /// Contributions are what came in.
    #[error("what goes beyond a budget is taken from the last source that is named, and that cannot be contributions")]
    OverOfContributions,
    /// Another run has to end first.
    #[error(
        "a run for {period} from {sources} is not finished; name just these sources, in this order, to go on with it"
    )]
    RunOpen {
        /// The month.
        period: Period,
        /// Who gives the money.
        sources: String,
    },
    /// They were credited.
    #[error(
        "{households} households were credited {credited} € for {period} by sources that are not named; name these sources \
         too, or say --extra to credit them once more"
    )]
    CreditedElsewhere {
        /// The month.
        period: Period,
        /// How many.
        households: u64,
        /// How much.
        credited: Cents,
    },
    /// It has what comes in.
    #[error("contributions have no budget: what households pay is credited; name a funder")]
    ContributionsBudget,
    /// Nothing to forecast from.
    #[error("no budget is set for {0}; set one with cabas-hub source set --name … --year {0} --budget-cents … --by …")]
    NoBudgetOfYear(u16),
    /// Nothing to scale.
    #[error("there are no households to count from")]
    NoHouseholds,
}

/// A source in a run.
#[derive(Clone, Debug)]
pub(super) struct Giver {
    pub(super) name: String,
    /// None where it is not in the file yet.
    pub(super) number: Option<u32>,
    /// What it may still give; none where nothing limits it.
    pub(super) room: Option<Cents>,
}

/// Takes an amount whole from the first that has it, and says which that is.
pub(super) fn take(givers: &mut [Giver], cents: Cents) -> Result<Option<usize>, StoreError> {
    for (place, giver) in givers.iter_mut().enumerate() {
        match giver.room {
            None => return Ok(Some(place)),
            Some(room) if room >= cents => {
                giver.room = Some(room.minus(cents)?);
                return Ok(Some(place));
            }
            Some(_) => {}
        }
    }
    Ok(None)
}

/// True for the source of contributions, however it is written.
pub(super) fn is_contributions(source: &str) -> bool {
    source.trim().eq_ignore_ascii_case(CONTRIBUTIONS)
}

/// The names of a run's sources, as they are kept.
///
/// # Errors
/// [`BudgetRefusal::Sources`]; [`StoreError::Text`] for a source without a proper name.
pub(super) fn run_names<'a>(sources: &[&'a str]) -> Result<Vec<&'a str>, StoreError> {
    if sources.is_empty() || sources.len() > RUN_SOURCES_MAX {
        return Err(BudgetRefusal::Sources.into());
    }
    let mut names = Vec::new();
    for source in sources {
        name("source", source)?;
        let source = if is_contributions(source) { CONTRIBUTIONS } else { source };
        if names.contains(&source) {
            return Err(BudgetRefusal::Sources.into());
        }
        names.push(source);
    }
    Ok(names)
}

impl Tx<'_> {
    /// Sets a funder's budget of a year; it holds from here on.
    ///
    /// # Errors
    /// [`BudgetRefusal::ContributionsBudget`]; [`StoreError::Text`] for a name or a year that is none.
    pub fn budget_set(
        &mut self,
        source: &str,
        year: u16,
        cents: Cents,
        by: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let by = person(by)?;
        name("name", source)?;
        let _month = Period::new(year, 1).ok_or(StoreError::Text("year"))?;
        if is_contributions(source) {
            return Err(BudgetRefusal::ContributionsBudget.into());
        }
        self.conn.execute(
            "INSERT INTO budgets (source, year, cents, set_by, set_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![self.source(source)?, year, Sql(cents), by, Sql(now)],
        )?;
        Ok(())
    }

    /// Every source and its year, by name.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn sources(&self, year: u16) -> Result<Vec<SourceView>, StoreError> {
        let mut read = self.conn.prepare("SELECT number, name FROM sources ORDER BY name")?;
        let all = read.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<Vec<_>, _>>()?;
        all.into_iter().map(|(number, name)| self.source_view(number, name, year)).collect()
    }

    fn source_view(&self, number: u32, name: String, year: u16) -> Result<SourceView, StoreError> {
        let is_contributions = name == CONTRIBUTIONS;
        let (given, back) = self.credited_of(number, Some(year))?;
        let (paid, returned) = self.paid_in_of(number, Some(year))?;
        let budget = self.budget_of(number, year)?;
        let agreed_over =
            self.sum("SELECT sum(cents) FROM overruns WHERE source = ?1 AND year = ?2", params![number, year])?;
        let (has, used) = if is_contributions {
            let (all_given, all_back) = self.credited_of(number, None)?;
            let (all_paid, all_returned) = self.paid_in_of(number, None)?;
            (Some(all_paid.plus(all_back)?), all_given.plus(all_returned)?)
        } else {
            let has = budget.map(|budget| budget.plus(agreed_over)?.plus(back)).transpose()?;
            (has, given)
        };
        Ok(SourceView {
            name,
            is_contributions,
            budget,
            agreed_over,
            credited: given.minus_or_zero(back),
            left: has.map(|has| has.minus_or_zero(used)),
            over: has.map_or(Cents::ZERO, |has| used.minus_or_zero(has)),
            paid_in: paid.minus_or_zero(returned),
        })
    }

    /// The budget of a funder for a year, where one was set.
    pub(super) fn budget_of(&self, source: u32, year: u16) -> Result<Option<Cents>, StoreError> {
        let mut read = self
            .conn
            .prepare_cached("SELECT cents FROM budgets WHERE source = ?1 AND year = ?2 ORDER BY id DESC LIMIT 1")?;
        Ok(read.query_row(params![source, year], |row| col(row, 0)).optional()?)
    }

    /// The sum of a year's budgets.
    pub(super) fn budgets_of(&self, year: u16) -> Result<Cents, StoreError> {
        let newest = "SELECT sum(cents) FROM budgets WHERE year = ?1
            AND id IN (SELECT max(id) FROM budgets WHERE year = ?1 GROUP BY source)";
        self.sum(newest, params![year])
    }

    /// True where anybody has a budget for the year.
    pub(super) fn has_budgets(&self, year: u16) -> Result<bool, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM budgets WHERE year = ?1)")?;
        Ok(read.query_row([year], |row| row.get(0))?)
    }

    /// What was credited from a source, and what corrections gave back to it: for months of a year, or ever. A correction of
    /// no month counts in the year in which it was booked.
    fn credited_of(&self, source: u32, year: Option<u16>) -> Result<(Cents, Cents), StoreError> {
        let year = year.map(|year| year.to_string());
        let credits = self.sum(
            "SELECT sum(cents) FROM credits WHERE source = ?1 AND (?2 IS NULL OR substr(period, 1, 4) = ?2)",
            params![source, year],
        )?;
        let corrected = "SELECT sum(cents) FROM corrections WHERE source = ?1 AND state = 1 AND is_up = ?3
            AND (?2 IS NULL OR ifnull(substr(period, 1, 4), strftime('%Y', ended_at, 'unixepoch')) = ?2)";
        let up = self.sum(corrected, params![source, year, true])?;
        Ok((credits.plus(up)?, self.sum(corrected, params![source, year, false])?))
    }

    /// What was paid in for a source, and what of it was taken back: for days of a year, or ever.
    fn paid_in_of(&self, source: u32, year: Option<u16>) -> Result<(Cents, Cents), StoreError> {
        let year = year.map(|year| year.to_string());
        let sum = "SELECT sum(cents) FROM money_in WHERE source = ?1 AND (takes_back IS NOT NULL) = ?3
            AND (?2 IS NULL OR strftime('%Y', day * 86400, 'unixepoch') = ?2)";
        Ok((self.sum(sum, params![source, year, false])?, self.sum(sum, params![source, year, true])?))
    }

    pub(super) fn sum(&self, sql: &str, values: impl rusqlite::Params) -> Result<Cents, StoreError> {
        let sum: Option<Cents> = self.conn.prepare_cached(sql)?.query_row(values, |row| col_opt(row, 0))?;
        Ok(sum.unwrap_or(Cents::ZERO))
    }

    /// The number of a source that is there.
    pub(super) fn source_no(&self, source: &str) -> Result<Option<u32>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT number FROM sources WHERE name = ?1")?;
        Ok(read.query_row([source], |row| row.get(0)).optional()?)
    }

    /// The number of the source of contributions, once there are any.
    pub(super) fn contributions_source(&self) -> Result<Option<u32>, StoreError> {
        self.source_no(CONTRIBUTIONS)
    }

    /// The sources of a run, with what each may still give. Contributions never give more than came in. A funder is limited
    /// by its budget; where no budget was set for the year, by nothing.
    /// What runs under way are still to take is not there for another one.
    pub(super) fn givers(&self, period: Period, sources: &[&str]) -> Result<Vec<Giver>, StoreError> {
        let (year, mut givers) = (period.year(), Vec::<Giver>::new());
        let limited = self.has_budgets(year)?;
        for source in run_names(sources)? {
            let number = self.source_no(source)?;
            let view = number.map(|number| self.source_view(number, source.to_owned(), year)).transpose()?;
            let left = view.and_then(|view| view.left);
            let room = match left {
                None if source == CONTRIBUTIONS => Some(Cents::ZERO),
                None if limited => {
                    return Err(BudgetRefusal::NoBudget { source_name: source.to_owned(), year }.into());
                }
                left => left,
            };
            let promised = self.promised(number, Some(year).filter(|_| source != CONTRIBUTIONS))?;
            let room = room.map(|room| room.minus_or_zero(promised));
            givers.push(Giver { name: source.to_owned(), number, room });
        }
        Ok(givers)
    }
}
