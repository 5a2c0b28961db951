//! The goodwill switch by two people: one proposes how it is to stand, another one approves it.

use cabas_protocol::{Cents, Timestamp};
use rusqlite::{OptionalExtension as _, Row, params};

use super::closing::{person, same_person};
use super::error::StoreError;
use super::exposure::GoodwillRule;
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;

/// How long a proposal waits for its second person.
pub const PROPOSAL_VALID_S: u64 = 30 * 86_400;
/// Days of silence, at the most.
pub const SILENT_DAYS_MAX: u32 = 365;

/// How a proposal stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProposalState {
    /// It waits.
    Open,
    /// Another person approved it.
    Approved,
    /// Somebody took it back or refused it.
    Withdrawn,
    /// Nobody approved it in time.
    Expired,
}

impl ProposalState {
    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "proposed",
            Self::Approved => "booked",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
        }
    }

    const fn of_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Open),
            1 => Some(Self::Approved),
            2 => Some(Self::Withdrawn),
            3 => Some(Self::Expired),
            _ => None,
        }
    }
}

/// A proposal to switch goodwill.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GoodwillProposal {
    /// Its number.
    pub id: u64,
    /// How the switch is to stand.
    pub rule: GoodwillRule,
    /// Who proposed it.
    pub proposed_by: String,
    /// When.
    pub proposed_at: Timestamp,
    /// How it stands at the time that was asked for.
    pub state: ProposalState,
    /// Who ended it.
    pub ended_by: Option<String>,
    /// When.
    pub ended_at: Option<Timestamp>,
}

impl GoodwillProposal {
    /// When it is too old.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.proposed_at.after_s(PROPOSAL_VALID_S)
    }
}

/// Why goodwill is not switched.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum GoodwillRefusal {
    /// Another proposal waits.
    #[error("proposal {0} waits for a second person; approve it or take it back first")]
    Waits(u64),
    /// Nothing could be advanced, or the silence is no silence.
    #[error("goodwill needs an amount a household and in all, and 1 to {SILENT_DAYS_MAX} days of silence")]
    Limits,
    /// There is no such proposal.
    #[error("there is no proposal {0}")]
    Unknown(u64),
    /// It was approved or taken back.
    #[error("proposal {0} was approved or taken back before")]
    Ended(u64),
    /// It waited too long.
    #[error("proposal {0} is older than 30 days; propose it again")]
    TooOld(u64),
    /// Two people are needed.
    #[error("another person than the one who proposed it approves it")]
    SamePerson,
}

const READ: &str =
    "SELECT id, is_on, per_household_cents, total_cents, silent_days, proposed_by, proposed_at, state, ended_by,
    ended_at FROM goodwill_proposals";

impl Tx<'_> {
    /// One person proposes how goodwill is to stand; gives the proposal's number. One that is too old makes place.
    ///
    /// # Errors
    /// [`GoodwillRefusal`]; [`StoreError::Text`] for a name that cannot be kept.
    pub fn goodwill_propose(&mut self, rule: GoodwillRule, by: &str, now: Timestamp) -> Result<u64, StoreError> {
        let by = person(by)?;
        if rule.silent_days == 0
            || rule.silent_days > SILENT_DAYS_MAX
            || (rule.is_on && (rule.per_household.is_zero() || rule.total.is_zero()))
        {
            return Err(GoodwillRefusal::Limits.into());
        }
        if let Some(open) = self.goodwill_row("WHERE state = 0", None, now)? {
            if open.state == ProposalState::Open {
                return Err(GoodwillRefusal::Waits(open.id).into());
            }
            self.goodwill_end(open.id, 3, by, now)?;
        }
        let add = "INSERT INTO goodwill_proposals (is_on, per_household_cents, total_cents, silent_days, proposed_by,
            proposed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id";
        let (per_household, total) = (Sql(rule.per_household), Sql(rule.total));
        let values = params![rule.is_on, per_household, total, rule.silent_days, by, Sql(now)];
        Ok(self.conn.query_row(add, values, |row| col(row, 0))?)
    }

    /// Another person approves it: goodwill stands as proposed, and what it allows is advanced at once; says how much.
    ///
    /// # Errors
    /// [`GoodwillRefusal`]; as [`Tx::goodwill_advance`].
    pub fn goodwill_approve(&mut self, id: u64, by: &str, now: Timestamp) -> Result<Cents, StoreError> {
        let by = person(by)?;
        let proposal = self.goodwill_waiting(id, now)?;
        if proposal.state == ProposalState::Expired {
            return Err(GoodwillRefusal::TooOld(id).into());
        }
        if same_person(by, &proposal.proposed_by) {
            return Err(GoodwillRefusal::SamePerson.into());
        }
        self.goodwill_end(id, 1, by, now)?;
        self.goodwill_set(proposal.rule)?;
        self.goodwill_advance(now)
    }

    /// Somebody takes it back or refuses it.
    ///
    /// # Errors
    /// [`GoodwillRefusal`].
    pub fn goodwill_withdraw(&mut self, id: u64, by: &str, now: Timestamp) -> Result<(), StoreError> {
        let by = person(by)?;
        self.goodwill_waiting(id, now)?;
        self.goodwill_end(id, 2, by, now)
    }

    /// The newest proposals, newest first, as they stand now.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Damaged`].
    pub fn goodwill_proposals(&self, limit: u32, now: Timestamp) -> Result<Vec<GoodwillProposal>, StoreError> {
        let mut read = self.conn.prepare(&format!("{READ} ORDER BY id DESC LIMIT ?1"))?;
        Ok(read.query_map([limit], |row| proposal(row, now))?.collect::<Result<_, _>>()?)
    }

    /// The proposal that waits for a second person.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Damaged`].
    pub fn goodwill_open(&self, now: Timestamp) -> Result<Option<GoodwillProposal>, StoreError> {
        let open = self.goodwill_row("WHERE state = 0", None, now)?;
        Ok(open.filter(|open| open.state == ProposalState::Open))
    }

    fn goodwill_waiting(&self, id: u64, now: Timestamp) -> Result<GoodwillProposal, StoreError> {
        let found = self.goodwill_row("WHERE id = ?1", Some(id), now)?.ok_or(GoodwillRefusal::Unknown(id))?;
        if found.ended_at.is_some() {
            return Err(GoodwillRefusal::Ended(id).into());
        }
        Ok(found)
    }

    fn goodwill_row(
        &self,
        only: &str,
        id: Option<u64>,
        now: Timestamp,
    ) -> Result<Option<GoodwillProposal>, StoreError> {
        let mut read = self.conn.prepare_cached(&format!("{READ} {only}"))?;
        let read = match id {
            Some(id) => read.query_row([Sql(id)], |row| proposal(row, now)),
            None => read.query_row([], |row| proposal(row, now)),
        };
        Ok(read.optional()?)
    }

    fn goodwill_end(&self, id: u64, state: u8, by: &str, now: Timestamp) -> Result<(), StoreError> {
        let end = "UPDATE goodwill_proposals SET state = ?2, ended_by = ?3, ended_at = ?4 WHERE id = ?1";
        self.conn.execute(end, params![Sql(id), state, by, Sql(now)])?;
        Ok(())
    }
}

fn proposal(row: &Row<'_>, now: Timestamp) -> rusqlite::Result<GoodwillProposal> {
    let (per_household, total) = (col(row, 2)?, col(row, 3)?);
    let stored = ProposalState::of_number(row.get(7)?).ok_or(rusqlite::Error::IntegralValueOutOfRange(7, 0))?;
    let found = GoodwillProposal {
        id: col(row, 0)?,
        rule: GoodwillRule { is_on: row.get(1)?, per_household, total, silent_days: row.get(4)? },
        proposed_by: row.get(5)?,
        proposed_at: col(row, 6)?,
        state: stored,
        ended_by: row.get(8)?,
        ended_at: col_opt(row, 9)?,
    };
    let is_too_old = stored == ProposalState::Open && now >= found.expires_at();
    Ok(GoodwillProposal { state: if is_too_old { ProposalState::Expired } else { stored }, ..found })
}
