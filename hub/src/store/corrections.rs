//! Corrections by two people, each with its reason: upward by a credit, downward by withholding.

use cabas_protocol::{Cents, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::closing::{person, same_person};
use super::debts::{Brought, owed};
use super::error::{CorrectionRefusal, StoreError};
use super::fund::name;
use super::ledger::Books;
use super::model::{CorrectionOrder, CorrectionView};
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;
use crate::core::ledger::{AccountId, Entry, PurseNo, TransferKind};

impl Tx<'_> {
    /// One person proposes a correction; gives its number.
    ///
    /// # Errors
    /// [`CorrectionRefusal`]; [`StoreError::Text`] for a reason or names that cannot be kept.
    pub fn correction_propose(&mut self, order: &CorrectionOrder, now: Timestamp) -> Result<u64, StoreError> {
        self.correction_of(order, None, now)
    }

    /// The same for the credit of a month.
    pub(super) fn correction_of(
        &mut self,
        order: &CorrectionOrder,
        period: Option<&str>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let purse = self.purse_of_household(&order.household)?.ok_or(CorrectionRefusal::NoHousehold)?;
        if order.cents.is_zero() {
            return Err(CorrectionRefusal::Nothing.into());
        }
        name("reason", &order.reason)?;
        name("source", &order.source)?;
        let source = self.source(&order.source)?;
        let mut insert = self.conn.prepare_cached(
            "INSERT INTO corrections (purse, source, cents, is_up, reason, proposed_by, proposed_at, state, period)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8) RETURNING id",
        )?;
        let values = params![
            Sql(purse),
            source,
            Sql(order.cents),
            order.is_up,
            order.reason,
            person(&order.by)?,
            Sql(now),
            period
        ];
        Ok(insert.query_row(values, |row| col(row, 0))?)
    }

    /// Another person books a correction, or either takes it back.
    ///
    /// # Errors
    /// [`CorrectionRefusal`]; [`StoreError::Restoring`].
    pub fn correction_end(&mut self, id: u64, by: &str, books_it: bool, now: Timestamp) -> Result<(), StoreError> {
        self.not_restoring()?;
        let by = person(by)?;
        let mut read = self
            .conn
            .prepare_cached("SELECT purse, source, cents, is_up, proposed_by, state FROM corrections WHERE id = ?1")?;
        let found = read.query_row([Sql(id)], |row| {
            Ok((col(row, 0)?, row.get(1)?, col(row, 2)?, row.get(3)?, row.get::<_, String>(4)?, row.get::<_, u8>(5)?))
        });
        let found: Option<(PurseNo, u32, Cents, bool, String, u8)> = found.optional()?;
        let Some((purse, source, cents, is_up, proposed_by, state)) = found else {
            return Err(CorrectionRefusal::Unknown(id).into());
        };
        if state != 0 {
            return Err(CorrectionRefusal::Ended(id).into());
        }
        if books_it && same_person(by, &proposed_by) {
            return Err(CorrectionRefusal::SamePerson.into());
        }
        if books_it && self.waits_for_credit(id)? {
            return Err(CorrectionRefusal::NotCredited(id).into());
        }
        self.conn
            .prepare_cached("UPDATE corrections SET state = ?2, ended_by = ?3, ended_at = ?4 WHERE id = ?1")?
            .execute(params![Sql(id), if books_it { 1 } else { 2 }, by, Sql(now)])?;
        if !books_it {
            return Ok(());
        }
        let source = AccountId::source(source);
        let (fund, places) = (self.fund()?, self.places(now)?);
        self.with_books(|books| {
            if is_up {
                let (credit, kind) = (AccountId::purse(purse), TransferKind::CorrectUp);
                let transfer = books.post(Entry { debit: source, credit, cents, kind, cause: id })?;
                self.pay_back(books, purse, Brought { transfer, cents, came_back: false })?;
                self.allocate(books, &fund, &places, purse, now).map(drop)
            } else {
                self.withhold(books, purse, source, cents, TransferKind::CorrectDown, id)
            }
        })?;
        self.wake_places(&places);
        Ok(())
    }

    /// True where the credit that a correction is of is not booked.
    fn waits_for_credit(&self, id: u64) -> Result<bool, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT 1 FROM corrections AS c JOIN purses ON purses.number = c.purse
             WHERE id = ?1 AND c.period IS NOT NULL AND NOT EXISTS (SELECT 1 FROM credits
                WHERE credits.household = purses.household AND credits.source = c.source AND credits.period = c.period)",
        )?;
        Ok(read.exists([Sql(id)])?)
    }

    /// Takes money that a household may already have at its terminals: what is free at once, the rest of what comes.
    pub(super) fn withhold(
        &self,
        books: &mut Books<'_>,
        purse: PurseNo,
        to: AccountId,
        cents: Cents,
        kind: TransferKind,
        cause: u64,
    ) -> Result<(), StoreError> {
        let (debit, withheld) = (AccountId::purse(purse), AccountId::withheld(purse));
        let transfer = books.post(Entry { debit: withheld, credit: to, cents, kind, cause })?;
        let cents = books.account(debit)?.left()?.min(owed(books.account(withheld)?)?).min(cents);
        if !cents.is_zero() {
            let kind = TransferKind::Withhold;
            books.post(Entry { debit, credit: withheld, cents, kind, cause: transfer })?;
        }
        Ok(())
    }

    /// The newest corrections, newest first.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn corrections(&self, limit: u32) -> Result<Vec<CorrectionView>, StoreError> {
        self.correction_views("", limit)
    }

    /// Corrections that wait for another person, newest first.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn corrections_waiting(&self, limit: u32) -> Result<Vec<CorrectionView>, StoreError> {
        self.correction_views("WHERE state = 0", limit)
    }

    fn correction_views(&self, only: &str, limit: u32) -> Result<Vec<CorrectionView>, StoreError> {
        let mut read = self.conn.prepare(&format!(
            "SELECT corrections.id, households.code, cents, is_up, sources.name, reason, proposed_by, proposed_at,
                state, ended_by, ended_at FROM corrections
             JOIN purses ON purses.number = corrections.purse JOIN households ON households.number = purses.household
             JOIN sources ON sources.number = corrections.source {only} ORDER BY corrections.id DESC LIMIT ?1"
        ))?;
        let views = read.query_map([limit], |row| {
            Ok(CorrectionView {
                id: col(row, 0)?,
                household: row.get(1)?,
                cents: col(row, 2)?,
                is_up: row.get(3)?,
                source: row.get(4)?,
                reason: row.get(5)?,
                proposed_by: row.get(6)?,
                proposed_at: col(row, 7)?,
                is_booked: row.get::<_, u8>(8)? == 1,
                ended_by: row.get(9)?,
                ended_at: col_opt(row, 10)?,
            })
        })?;
        Ok(views.collect::<Result<_, _>>()?)
    }
}
