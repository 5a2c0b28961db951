//! A settlement by two people: one prepares it, so that its cut stays, another one approves it, and only then it is booked.

use cabas_protocol::{Cents, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::bank_refusal::BankRefusal;
use super::closing::{person, same_person};
use super::error::StoreError;
use super::model::{Prepared, Settlement, SettlementCut};
use super::settlements::WorkedOut;
use super::sql::{Sql, col};
use super::tx::Tx;

/// The preparation that is open. Reading it reads no rows.
#[derive(Clone, Debug)]
pub struct OpenPreparation {
    /// Which preparation it is.
    pub id: u64,
    /// The settlement's number.
    pub number: u32,
    /// What it pays.
    pub payout: Cents,
    /// Who prepared it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Up to where it goes.
    pub cut: SettlementCut,
}

impl Tx<'_> {
    /// One person fixes what the next settlement pays; nothing where there is nothing new.
    ///
    /// # Errors
    /// [`BankRefusal::PreparedBefore`]; [`StoreError::Restoring`], [`StoreError::PaymentsUnknown`], [`StoreError::Text`].
    pub fn settlement_prepare(
        &mut self,
        cut: &SettlementCut,
        by: &str,
        now: Timestamp,
    ) -> Result<Option<Prepared>, StoreError> {
        self.settlement_may_prepare(by)?;
        let worked = self.settlement_work_out(cut, &mut |_, _| {})?;
        self.settlement_prepare_worked(&worked, by, now)
    }

    /// Whether somebody may prepare the next settlement.
    ///
    /// # Errors
    /// As [`Self::settlement_prepare`].
    pub fn settlement_may_prepare(&self, by: &str) -> Result<(), StoreError> {
        person(by)?;
        self.may_settle()?;
        match self.settlement_open()? {
            Some(open) => Err(BankRefusal::PreparedBefore { number: open.number, by: open.by }.into()),
            None => Ok(()),
        }
    }

    /// The same as preparing, of what was worked out before.
    ///
    /// # Errors
    /// As [`Self::settlement_prepare`].
    pub fn settlement_prepare_worked(
        &mut self,
        worked: &WorkedOut,
        by: &str,
        now: Timestamp,
    ) -> Result<Option<Prepared>, StoreError> {
        let by = person(by)?;
        self.settlement_may_prepare(by)?;
        let cut = &worked.cut;
        let Some(settlement) = self.settlement_preview_of(worked)? else { return Ok(None) };
        let id: u64 = self.conn.query_row(
            "INSERT INTO preparations (settlement, disputed_upto, refunded_upto, carried_upto, returned_upto, payout,
                prepared_by, prepared_at, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0) RETURNING id",
            params![
                settlement.number,
                Sql(cut.disputed),
                Sql(cut.refunded),
                Sql(cut.brought),
                Sql(cut.returned),
                Sql(settlement.payout),
                by,
                Sql(now)
            ],
            |row| col(row, 0),
        )?;
        for (epoch, seq) in &cut.rows {
            self.conn
                .prepare_cached("INSERT INTO preparation_cuts (preparation, epoch, to_seq) VALUES (?1, ?2, ?3)")?
                .execute(params![Sql(id), Sql(*epoch), Sql(*seq)])?;
        }
        Ok(Some(Prepared { id, by: by.to_owned(), at: now, settlement }))
    }

    /// The settlement that waits for a second person.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Money`].
    pub fn settlement_prepared(&self) -> Result<Option<Prepared>, StoreError> {
        let Some(open) = self.settlement_open()? else { return Ok(None) };
        let settlement = self.settlement_preview(&open.cut)?.ok_or(StoreError::Damaged("a prepared settlement"))?;
        Ok(Some(Prepared { id: open.id, by: open.by, at: open.at, settlement }))
    }

    /// Another person approves what was prepared, and it is booked: once, however often it is approved.
    ///
    /// # Errors
    /// [`BankRefusal::NotPrepared`], [`BankRefusal::Approved`], [`BankRefusal::SamePerson`]; what booking gives.
    pub fn settlement_approve(&mut self, number: u32, by: &str, now: Timestamp) -> Result<Settlement, StoreError> {
        self.approve((number, None), None, by, now)
    }

    /// The same, of what was worked out before, by somebody who perhaps has seen one preparation and approves no other.
    ///
    /// # Errors
    /// [`BankRefusal::Outdated`]; as [`Self::settlement_approve`].
    pub fn settlement_approve_worked(
        &mut self,
        (number, seen): (u32, Option<u64>),
        worked: &WorkedOut,
        by: &str,
        now: Timestamp,
    ) -> Result<Settlement, StoreError> {
        self.approve((number, seen), Some(worked), by, now)
    }

    /// The preparation that somebody may approve, who perhaps has seen one.
    ///
    /// # Errors
    /// As [`Self::settlement_approve_worked`].
    pub fn settlement_may_approve(
        &self,
        (number, seen): (u32, Option<u64>),
        by: &str,
    ) -> Result<OpenPreparation, StoreError> {
        let by = person(by)?;
        let open = self.settlement_open()?;
        if open.as_ref().is_some_and(|open| seen.is_some_and(|seen| open.id != seen)) {
            return Err(BankRefusal::Outdated(number).into());
        }
        let Some(open) = open.filter(|open| open.number == number) else {
            let done = "SELECT ended_by FROM preparations WHERE settlement = ?1 AND state = 1";
            let done: Option<String> = self.conn.query_row(done, [number], |row| row.get(0)).optional()?;
            return Err(done
                .map_or(BankRefusal::NotPrepared(number), |by| BankRefusal::Approved { number, by })
                .into());
        };
        if same_person(&open.by, by) {
            return Err(BankRefusal::SamePerson("approves the settlement").into());
        }
        Ok(open)
    }

    fn approve(
        &mut self,
        meant: (u32, Option<u64>),
        worked: Option<&WorkedOut>,
        by: &str,
        now: Timestamp,
    ) -> Result<Settlement, StoreError> {
        let by = person(by)?;
        let open = self.settlement_may_approve(meant, by)?;
        let settlement =
            self.settlement_book(&open.cut, worked, now)?.ok_or(StoreError::Damaged("a prepared settlement"))?;
        if settlement.number != open.number || settlement.payout != open.payout {
            return Err(StoreError::Damaged("a prepared settlement"));
        }
        self.end_preparation(&open, 1, by, now)?;
        Ok(settlement)
    }

    /// Takes back what was prepared: anybody may, for it only puts the settlement off.
    ///
    /// # Errors
    /// [`BankRefusal::NotPrepared`].
    pub fn settlement_withdraw(&mut self, number: u32, by: &str, now: Timestamp) -> Result<(), StoreError> {
        let by = person(by)?;
        let open = self.settlement_open()?.filter(|open| open.number == number);
        self.end_preparation(&open.ok_or(BankRefusal::NotPrepared(number))?, 2, by, now)
    }

    fn end_preparation(&self, open: &OpenPreparation, state: u8, by: &str, now: Timestamp) -> Result<(), StoreError> {
        let end = "UPDATE preparations SET state = ?2, ended_by = ?3, ended_at = ?4 WHERE id = ?1";
        self.conn.execute(end, params![Sql(open.id), state, by, Sql(now)])?;
        Ok(())
    }

    /// The preparation that waits for a second person, without what it comes to for each shop.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn settlement_open(&self) -> Result<Option<OpenPreparation>, StoreError> {
        let read =
            "SELECT id, settlement, payout, prepared_by, prepared_at, disputed_upto, refunded_upto, carried_upto,
                returned_upto FROM preparations WHERE state = 0";
        let open = self.conn.query_row(read, [], |row| {
            let cut = SettlementCut {
                rows: Vec::new(),
                disputed: col(row, 5)?,
                refunded: col(row, 6)?,
                brought: col(row, 7)?,
                returned: col(row, 8)?,
            };
            let (id, payout, at) = (col(row, 0)?, col(row, 2)?, col(row, 4)?);
            Ok(OpenPreparation { id, number: row.get(1)?, payout, by: row.get(3)?, at, cut })
        });
        let Some(mut open) = open.optional()? else { return Ok(None) };
        let mut read = self
            .conn
            .prepare_cached("SELECT epoch, to_seq FROM preparation_cuts WHERE preparation = ?1 ORDER BY epoch")?;
        let rows = read.query_map([Sql(open.id)], |row| Ok((col(row, 0)?, col(row, 1)?)))?;
        open.cut.rows = rows.collect::<Result<_, _>>()?;
        Ok(Some(open))
    }

    /// Both steps in one, where tests need no more.
    #[cfg(test)]
    pub(super) fn settlement_close(
        &mut self,
        cut: &SettlementCut,
        now: Timestamp,
    ) -> Result<Option<Settlement>, StoreError> {
        let Some(prepared) = self.settlement_prepare(cut, "Ada", now)? else { return Ok(None) };
        self.settlement_approve(prepared.settlement.number, "Bo", now).map(Some)
    }
}
