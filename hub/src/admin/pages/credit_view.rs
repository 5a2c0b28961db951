//! What a page of the monthly credit shows: what a run would book, and the run of the month that is under way.

use cabas_protocol::Cents;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::fields::segment;
use super::credits::{Asked, SOURCE_FIELDS};
use crate::store::{CONTRIBUTIONS, CreditPlan, ExceptionLine, MonthBooked, RunView};

/// Households that the page lists; a program gets all.
const LINES_SHOWN_MAX: usize = 1_000;

/// The monthly credit.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Credits {
    /// What was asked for.
    #[serde(flatten)]
    pub(super) asked: Asked,
    /// What a run would book; none where no month or no giver was named.
    pub(super) plan: Option<Plan>,
    /// The run of this month that is under way: another one waits for its end.
    pub(super) open: Option<Open>,
    /// The work that books it.
    pub(super) work: Option<u32>,
    /// What was booked by month and giver, newest first.
    pub(super) booked: Vec<Month>,
    /// Who gave before, newest first.
    pub(super) sources: Vec<String>,
}

/// A run that is under way.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Open {
    /// Who gives the money, in the order in which it is taken.
    pub(super) sources: Vec<String>,
    /// Households that it credits, and how much: as it was shown when it began.
    pub(super) households: u64,
    pub(super) cents: u64,
    /// What of that is still to be booked.
    pub(super) waiting_households: u64,
    pub(super) waiting_cents: u64,
    /// True where it is the one that was asked for: the preview shows what it has still to book.
    pub(super) is_asked: bool,
}

/// What a run would book.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Plan {
    /// Households that would be credited.
    pub(super) households: u64,
    /// How much.
    pub(super) to_book_cents: u64,
    /// Booked before.
    pub(super) booked_before_cents: u64,
    /// Who gives how much of it.
    pub(super) sources: Vec<Giver>,
    /// What the givers have too little: it is booked only where somebody agrees, and the last giver is no contributions.
    pub(super) missing_cents: u64,
    /// What is to be agreed to then for the month: that, and what was taken beyond the budget before.
    pub(super) over_cents: u64,
    /// What other givers credited these households for the month: it is booked only where that is asked for.
    pub(super) elsewhere_cents: u64,
    /// True where a giver never gave: a new name, or one that is mistyped.
    pub(super) is_new_source: bool,
    /// By code.
    pub(super) lines: Vec<Line>,
    /// Who gets nothing or is worth a look, and why, by code.
    pub(super) exceptions: Vec<Exception>,
}

/// One who gives.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Giver {
    pub(super) source: String,
    pub(super) cents: u64,
}

/// A household in a run.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Line {
    pub(super) household: String,
    pub(super) size: u32,
    pub(super) children_under_14: u32,
    /// By the rule of the month.
    pub(super) cents: u64,
    /// Booked before for this month and these givers.
    pub(super) booked_before_cents: Option<u64>,
    /// Who pays what is to be booked; none where none has enough.
    pub(super) source: Option<String>,
}

/// A household that is worth a look.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Exception {
    pub(super) household: String,
    /// `left`: it gets nothing. `other-source`: another giver credited it for the month. `no-card`: it has no
    /// card to spend with. `owes`: so much is withheld from what it gets.
    pub(super) why: &'static str,
    pub(super) cents: Option<u64>,
}

/// What was booked for a month.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Month {
    /// The month.
    pub(super) period: String,
    /// Who gave it; empty for money that expired.
    pub(super) source: String,
    /// How many households.
    pub(super) households: u32,
    /// How much.
    pub(super) cents: u64,
}

impl Month {
    pub(super) fn of(booked: MonthBooked) -> Self {
        let MonthBooked { period, source, households, cents } = booked;
        Self { period: period.to_string(), source, households, cents: cents.get() }
    }
}

impl Plan {
    pub(super) fn of(plan: &CreditPlan, exceptions: Vec<ExceptionLine>, is_new_source: bool) -> Self {
        let lines = plan.lines.iter().map(|line| Line {
            household: line.household.clone(),
            size: line.people.size(),
            children_under_14: line.people.children_under_14(),
            cents: line.cents.get(),
            booked_before_cents: line.booked.map(Cents::get),
            source: line.source.clone(),
        });
        let giver = |(source, cents): &(String, Cents)| Giver { source: source.clone(), cents: cents.get() };
        let waiting = plan.lines.iter().filter(|line| line.booked.is_none()).count();
        let exceptions = exceptions.into_iter().map(|line| Exception {
            household: line.household,
            why: line.why.name(),
            cents: line.cents.map(Cents::get),
        });
        Self {
            households: u64::try_from(waiting).unwrap_or(u64::MAX),
            to_book_cents: plan.to_book.get(),
            booked_before_cents: plan.booked.get(),
            sources: plan.sources.iter().map(giver).collect(),
            missing_cents: plan.missing.get(),
            over_cents: plan.over.get(),
            elsewhere_cents: plan.elsewhere.get(),
            is_new_source,
            lines: lines.collect(),
            exceptions: exceptions.collect(),
        }
    }

    /// Who would go beyond a budget.
    pub(super) fn last(&self) -> &str {
        self.sources.last().map_or("", |giver| &giver.source)
    }

    /// True where nobody can agree to what is missing.
    pub(super) fn cannot_go_over(&self) -> bool {
        self.missing_cents > 0 && self.last() == CONTRIBUTIONS
    }

    pub(super) fn shown(&self) -> &[Line] {
        self.lines.get(..LINES_SHOWN_MAX).unwrap_or(&self.lines)
    }

    /// How many the page does not list.
    pub(super) fn more(&self) -> usize {
        self.lines.len().saturating_sub(LINES_SHOWN_MAX)
    }
}

impl Exception {
    pub(super) fn text(&self) -> &'static str {
        match self.why {
            "left" => "credits-why-left",
            "other-source" => "credits-why-other-source",
            "no-card" => "credits-why-no-card",
            _ => "credits-why-owes",
        }
    }
}

impl Credits {
    /// True where something would be booked, and no work or other run of the month is under way.
    pub(super) fn may_book(&self) -> bool {
        self.plan.as_ref().is_some_and(|plan| plan.households > 0)
            && self.work.is_none()
            && self.open.as_ref().is_none_or(|open| open.is_asked)
    }
}

impl Open {
    pub(super) fn of(run: RunView, asked: &[String]) -> Self {
        Self {
            is_asked: run.sources == asked,
            sources: run.sources,
            households: run.households,
            cents: run.cents.get(),
            waiting_households: run.waiting,
            waiting_cents: run.waiting_cents.get(),
        }
    }

    /// Where it is shown; none where it has more givers than the page asks for.
    pub(super) fn path(&self, period: &str) -> Option<String> {
        let sources =
            SOURCE_FIELDS.iter().zip(&self.sources).map(|(field, name)| format!("&{field}={}", segment(name)));
        let fits = self.sources.len() <= SOURCE_FIELDS.len();
        fits.then(|| format!("/credits?period={}{}", segment(period), sources.collect::<String>()))
    }
}
