//! The people of a household: names, sealed, for those who need them; what happened to a household; and what is left of it
//! once it was erased.

use cabas_protocol::{Cents, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::error::{CorrectionRefusal, StoreError};
use super::fund::name;
use super::import::people;
use super::model::ImportMember;
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;
use crate::core::household_rules::Household;

/// Events of one household that are shown, newest first.
pub const HISTORY_MAX: u32 = 1_000;

/// A household without a name: what the treasurer needs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HouseholdFigures {
    /// Its code in the fund's files.
    pub code: String,
    /// How many people.
    pub people: Household,
    /// What it contributes each month, if that was agreed.
    pub contribution: Option<Cents>,
    /// When it came.
    pub created_at: Timestamp,
    /// When it left.
    pub left_at: Option<Timestamp>,
    /// When its personal data were erased.
    pub erased_at: Option<Timestamp>,
    /// What happened, newest first.
    pub history: Vec<HouseholdEvent>,
}

/// A household with the names of its people, sealed: what the admin needs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HouseholdFile {
    /// All but the names.
    pub figures: HouseholdFigures,
    /// The names; who has the hub's keys opens them.
    pub sealed_names: Vec<Vec<u8>>,
}

/// Something that happened to a household or to one of its cards.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HouseholdEvent {
    /// When.
    pub at: Timestamp,
    /// `came`, `left`, `erased`, `credited`, `given more`, `given less`, `expired`, `advanced`, `contributed`,
    /// `contribution taken back`, `card issued`, `card blocked` or `card released`.
    pub what: String,
    /// Of which card.
    pub card: Option<u32>,
    /// How much.
    pub cents: Option<Cents>,
}

/// Why a household is not erased.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ErasureRefusal {
    /// It is still there.
    #[error("the household has not left; run cabas-hub household leave first")]
    NotLeft,
    /// It was done.
    #[error("the household was erased before; take a new code for it if it comes back")]
    Erased,
}

impl Tx<'_> {
    /// A household as the treasurer sees it: no name.
    ///
    /// # Errors
    /// [`CorrectionRefusal::NoHousehold`], [`StoreError::Damaged`].
    pub fn household_for_treasurer(&self, code: &str) -> Result<HouseholdFigures, StoreError> {
        let read = "SELECT size, children_under_14, contribution_cents, created_at, left_at,
                (SELECT erased_at FROM erasures WHERE household = number) FROM households WHERE code = ?1";
        let found = self
            .conn
            .query_row(read, [code], |row| {
                let (size, children): (u32, u32) = (row.get(0)?, row.get(1)?);
                Ok((size, children, col_opt(row, 2)?, col(row, 3)?, col_opt(row, 4)?, col_opt(row, 5)?))
            })
            .optional()?;
        let (size, children, contribution, created_at, left_at, erased_at) =
            found.ok_or(CorrectionRefusal::NoHousehold)?;
        Ok(HouseholdFigures {
            code: code.to_owned(),
            people: people(size, children)?,
            contribution,
            created_at,
            left_at,
            erased_at,
            history: self.household_history(code)?,
        })
    }

    /// A household as the admin sees it: with the sealed names of its people.
    ///
    /// # Errors
    /// As [`Self::household_for_treasurer`].
    pub fn household_for_admin(&self, code: &str) -> Result<HouseholdFile, StoreError> {
        let figures = self.household_for_treasurer(code)?;
        let mut read = self.conn.prepare_cached(
            "SELECT name_sealed FROM members JOIN households ON households.number = household WHERE code = ?1 ORDER BY id",
        )?;
        let sealed_names = read.query_map([code], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(HouseholdFile { figures, sealed_names })
    }

    /// Erases what is personal of a household that left: names, contribution, what the bank told of its payments. Code, sizes and money stay, so that every
    /// credit can be recomputed. Says how many names that were.
    ///
    /// # Errors
    /// [`ErasureRefusal`], [`CorrectionRefusal::NoHousehold`], [`StoreError::Text`].
    pub fn household_erase(&mut self, code: &str, by: &str, now: Timestamp) -> Result<u32, StoreError> {
        name("by", by)?;
        let figures = self.household_for_treasurer(code)?;
        if figures.erased_at.is_some() {
            return Err(ErasureRefusal::Erased.into());
        }
        if figures.left_at.is_none() {
            return Err(ErasureRefusal::NotLeft.into());
        }
        // What is deleted is written over in the file, too.
        self.conn.execute_batch("PRAGMA secure_delete = ON")?;
        let number: i64 =
            self.conn.query_row("SELECT number FROM households WHERE code = ?1", [code], |row| row.get(0))?;
        let erased = self.conn.execute("DELETE FROM members WHERE household = ?1", [number])?;
        self.conn.execute("UPDATE households SET contribution_cents = NULL WHERE number = ?1", [number])?;
        self.erase_texts_of(number)?;
        self.erased();
        self.conn.execute(
            "INSERT INTO erasures (household, members, by, erased_at) VALUES (?1, ?2, ?3, ?4)",
            params![number, i64::try_from(erased).unwrap_or(i64::MAX), by.trim(), Sql(now)],
        )?;
        u32::try_from(erased).map_err(|_| StoreError::Exhausted("member"))
    }

    /// True where a household of this code was erased: nothing personal comes to it any more.
    pub(super) fn is_erased(&self, code: &str) -> Result<bool, StoreError> {
        let read =
            "SELECT EXISTS (SELECT 1 FROM erasures JOIN households ON households.number = household WHERE code = ?1)";
        Ok(self.conn.prepare_cached(read)?.query_row([code], |row| row.get(0))?)
    }

    /// Notes a member; true where it is a new one, nothing where there is no such household.
    pub(super) fn import_member(&self, member: &ImportMember) -> Result<Option<bool>, StoreError> {
        let read = "SELECT number FROM households WHERE code = ?1";
        let household: Option<i64> =
            self.conn.prepare_cached(read)?.query_row([&member.household], |row| row.get(0)).optional()?;
        let Some(household) = household else { return Ok(None) };
        let add = "INSERT INTO members (household, name_sealed) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        Ok(Some(self.conn.prepare_cached(add)?.execute(params![household, member.sealed])? > 0))
    }

    fn household_history(&self, code: &str) -> Result<Vec<HouseholdEvent>, StoreError> {
        let mut read = self.conn.prepare(
            "WITH mine AS (SELECT * FROM households WHERE code = ?1),
                  purse AS (SELECT purses.number FROM purses JOIN mine ON mine.number = purses.household),
                  card AS (SELECT * FROM cards WHERE purse IN purse)
             SELECT created_at, 'came', NULL, NULL FROM mine
             UNION ALL SELECT left_at, 'left', NULL, NULL FROM mine WHERE left_at IS NOT NULL
             UNION ALL SELECT erased_at, 'erased', NULL, NULL FROM erasures JOIN mine ON mine.number = household
             UNION ALL SELECT booked_at, 'credited', NULL, cents FROM credits WHERE purse IN purse
             UNION ALL SELECT ended_at, iif(is_up, 'given more', 'given less'), NULL, cents FROM corrections
                WHERE purse IN purse AND state = 1
             UNION ALL SELECT booked_at, 'expired', NULL, cents FROM expiries WHERE purse IN purse
             UNION ALL SELECT said_at, iif(takes_back IS NULL, 'contributed', 'contribution taken back'), NULL, cents
                FROM money_in WHERE household = (SELECT number FROM mine)
             UNION ALL SELECT advanced_at, 'advanced', NULL, cents FROM goodwill_advances WHERE purse IN purse
             UNION ALL SELECT issued_at, 'card issued', card.number, NULL FROM issued_cards
                JOIN card ON card.number = issued_cards.card
             UNION ALL SELECT blocked_at, 'card blocked', number, NULL FROM card WHERE blocked_at IS NOT NULL
             UNION ALL SELECT released_at, 'card released', card_balances.card, cents FROM card_releases
                JOIN card_balances ON card_balances.id = account JOIN card ON card.number = card_balances.card
             ORDER BY 1 DESC LIMIT ?2",
        )?;
        let events = read.query_map(params![code, HISTORY_MAX], |row| {
            Ok(HouseholdEvent { at: col(row, 0)?, what: row.get(1)?, card: row.get(2)?, cents: col_opt(row, 3)? })
        })?;
        Ok(events.collect::<Result<_, _>>()?)
    }
}
