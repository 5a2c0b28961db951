//! `household`, `correction`: households that change, leave and come back, and money that two people correct.

use std::fmt::Write as _;

use cabas_protocol::{Cents, Timestamp};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::failure::Failure;
use super::fund::euros;
use super::two_people::{self, End};
use super::{Context, people};
use crate::core::household_rules::Household as People;
use crate::core::period::Period;
use crate::out::{plain, print};
use crate::store::{CorrectionOrder, CorrectionView, HouseholdView, OpenMode, StoreError};

/// Corrections that the list shows.
const LISTED_MAX: u32 = 200;

#[derive(Debug, Subcommand)]
pub(super) enum Household {
    /// List the households
    List,
    /// A household grew or shrank: it is credited by its new people from now on
    Change {
        /// The household's code
        #[arg(value_name = "CODE")]
        household: String,
        /// People, children included
        #[arg(long, value_name = "N")]
        size: u32,
        /// Those of them under 14
        #[arg(long, value_name = "N", default_value_t = 0)]
        children_under_14: u32,
        /// Propose corrections for months from this one on that were credited already; another person books them
        #[arg(long, value_name = "YYYY-MM", requires = "by")]
        since: Option<Period>,
        /// Who proposes them
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
    /// A household leaves: its cards are blocked, its money is asked back and expires, it is credited no more
    Leave {
        /// The household's code
        #[arg(value_name = "CODE")]
        household: String,
    },
    /// Show a household: its people, and what happened to it and its cards; names only where they are asked for
    Show(people::Show),
    /// Erase what is personal of a household that left: names and contribution; its money stays in the books
    Erase(people::Erase),
    /// A household that had left is back: it is credited again; its cards stay blocked until they are unblocked
    Return {
        /// The household's code
        #[arg(value_name = "CODE")]
        household: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Correction {
    /// List corrections, newest first
    List,
    /// Propose to give a household more or less; another person books it
    Propose(Propose),
    /// Book what another person proposed
    Book(End),
    /// Take a proposal back
    Withdraw(End),
}

#[derive(Args, Debug)]
pub(super) struct Propose {
    /// The household's code
    #[arg(long, value_name = "CODE")]
    household: String,
    /// How much more
    #[arg(long, value_name = "CENTS", required_unless_present = "less_cents", conflicts_with = "less_cents")]
    more_cents: Option<u64>,
    /// How much less: it is withheld from what is free and from what comes
    #[arg(long, value_name = "CENTS")]
    less_cents: Option<u64>,
    /// Whose money is given or saved
    #[arg(long, value_name = "NAME")]
    source: String,
    /// Why; it is kept
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who proposes it
    #[arg(long, value_name = "NAME")]
    by: String,
}

#[derive(Serialize)]
struct HouseholdLine {
    household: String,
    size: u32,
    children_under_14: u32,
    left_at: Option<u64>,
}

#[derive(Serialize)]
struct Changed {
    household: String,
    /// Corrections that wait for another person.
    proposed: Vec<u64>,
    /// What expired at once.
    expired_cents: u64,
}

pub(super) fn household(context: &Context, command: &Household) -> Result<(), Failure> {
    let now = context.clock.now();
    let mut db = context.open(OpenMode::Existing)?;
    let (household, proposed, expired) = match command {
        Household::List => {
            let lines: Vec<_> = db.read(|tx| tx.households())?.iter().map(household_line).collect();
            return print(context.format, &lines, |lines| households_text(lines).unwrap_or_default())
                .map_err(Failure::Print);
        }
        Household::Change { household, size, children_under_14, since, by } => {
            let people = People::new(*size, *children_under_14).map_err(Failure::Household)?;
            let by = by.as_deref().unwrap_or_default();
            (household, db.write(|tx| tx.household_change(household, people, *since, by, now))?, Cents::ZERO)
        }
        Household::Show(arguments) => return people::show(context, arguments),
        Household::Erase(arguments) => return people::erase(context, arguments),
        Household::Leave { household } => (household, Vec::new(), db.write(|tx| tx.household_leave(household, now))?),
        Household::Return { household } => {
            db.write(|tx| tx.household_return(household))?;
            (household, Vec::new(), Cents::ZERO)
        }
    };
    let changed = Changed { household: household.clone(), proposed, expired_cents: expired.get() };
    print(context.format, &changed, |changed| {
        let mut text = format!("{}: done.", plain(&changed.household));
        for id in &changed.proposed {
            let _written = write!(text, " Correction {id} waits for another person: correction book {id}.");
        }
        if changed.expired_cents > 0 {
            let _written =
                write!(text, " {} € expired; what comes back later expires too.", euros(changed.expired_cents));
        }
        text.push('\n');
        text
    })
    .map_err(Failure::Print)
}

fn household_line(view: &HouseholdView) -> HouseholdLine {
    HouseholdLine {
        household: view.code.clone(),
        size: view.people.size(),
        children_under_14: view.people.children_under_14(),
        left_at: view.left_at.map(Timestamp::get),
    }
}

fn households_text(lines: &[HouseholdLine]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for line in lines {
        let (code, left) = (plain(&line.household), if line.left_at.is_some() { ", has left" } else { "" });
        writeln!(text, "{code:<12} {} people, {} under 14{left}", line.size, line.children_under_14)?;
    }
    Ok(text)
}

#[derive(Serialize)]
struct CorrectionLine {
    correction: u64,
    household: String,
    more_cents: u64,
    less_cents: u64,
    source: String,
    reason: String,
    /// `proposed`, `booked` or `withdrawn`.
    state: &'static str,
    proposed_by: String,
    proposed_at: u64,
    ended_by: Option<String>,
    ended_at: Option<u64>,
}

pub(super) fn correction(context: &Context, command: &Correction) -> Result<(), Failure> {
    let now = context.clock.now();
    let mut db = context.open(OpenMode::Existing)?;
    let only = match command {
        Correction::List => None,
        Correction::Propose(propose) => Some(db.write(|tx| tx.correction_propose(&order(propose)?, now))?),
        Correction::Book(end) => {
            db.write(|tx| tx.correction_end(end.id, &end.by, true, now))?;
            Some(end.id)
        }
        Correction::Withdraw(end) => {
            db.write(|tx| tx.correction_end(end.id, &end.by, false, now))?;
            Some(end.id)
        }
    };
    let views = db.read(|tx| tx.corrections(if only.is_some() { u32::MAX } else { LISTED_MAX }))?;
    let shown = views.iter().filter(|view| only.is_none_or(|only| only == view.id)).map(correction_line);
    let shown: Vec<_> = shown.collect();
    print(context.format, &shown, |shown| corrections_text(shown).unwrap_or_default()).map_err(Failure::Print)
}

fn order(propose: &Propose) -> Result<CorrectionOrder, StoreError> {
    Ok(CorrectionOrder {
        household: propose.household.clone(),
        cents: Cents::new(propose.more_cents.or(propose.less_cents).unwrap_or(0))?,
        is_up: propose.more_cents.is_some(),
        source: propose.source.clone(),
        reason: propose.reason.clone(),
        by: propose.by.clone(),
    })
}

fn correction_line(view: &CorrectionView) -> CorrectionLine {
    let cents = |counts: bool| if counts { view.cents.get() } else { 0 };
    CorrectionLine {
        correction: view.id,
        household: view.household.clone(),
        more_cents: cents(view.is_up),
        less_cents: cents(!view.is_up),
        source: view.source.clone(),
        reason: view.reason.clone(),
        state: two_people::state(view.is_booked, view.ended_by.as_deref()),
        proposed_by: view.proposed_by.clone(),
        proposed_at: view.proposed_at.get(),
        ended_by: view.ended_by.clone(),
        ended_at: view.ended_at.map(Timestamp::get),
    }
}

fn corrections_text(lines: &[CorrectionLine]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for line in lines {
        let (sign, cents) = if line.more_cents > 0 { ('+', line.more_cents) } else { ('-', line.less_cents) };
        let (household, reason, by) = (plain(&line.household), plain(&line.reason), plain(&line.proposed_by));
        write!(text, "{} {household} {sign}{} € ({reason}), proposed by {by}: ", line.correction, euros(cents))?;
        two_people::write_end(&mut text, line.state, line.ended_by.as_deref())?;
    }
    Ok(text)
}
