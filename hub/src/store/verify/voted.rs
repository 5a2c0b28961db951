//! Corrections and expiries, each held against who decided it and what was withheld for it.

use cabas_protocol::Cents;
use rusqlite::OptionalExtension as _;

use super::super::closing::same_person;
use super::super::error::StoreError;
use super::super::goodwill_votes::PROPOSAL_VALID_S;
use super::super::sql::{Sql, col};
use super::super::tx::Tx;
use super::{FindingKind, VerifyReport};
use crate::core::ledger::{AccountId, Transfer, TransferKind};

impl Tx<'_> {
    /// What was decided was booked once, corrections by two people.
    pub(super) fn check_voted(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let mut read =
            self.conn.prepare("SELECT id, proposed_by, ended_by FROM corrections WHERE state = 1 ORDER BY id")?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            let (proposed, ended): (String, Option<String>) = (row.get(1)?, row.get(2)?);
            if ended.is_none_or(|ended| same_person(&proposed, &ended)) {
                let subject = format!("correction {}", row.get::<_, i64>(0)?);
                report.add(FindingKind::Correction, subject, "booked by the person who proposed it");
            }
        }
        let count = |sql: &str| self.conn.query_row(sql, [], |row| col::<u64>(row, 0));
        for (kind, subject, decided, booked) in [
            (
                FindingKind::Correction,
                "all corrections",
                "SELECT count(*) FROM corrections WHERE state = 1",
                "SELECT count(*) FROM transfers WHERE kind IN (9, 10)",
            ),
            (
                FindingKind::Expiry,
                "all expiries",
                "SELECT count(*) FROM expiries",
                "SELECT count(*) FROM transfers WHERE kind = 8",
            ),
        ] {
            let (decided, booked) = (count(decided)?, count(booked)?);
            if decided != booked {
                report.add(kind, subject, format!("{decided} decided, {booked} booked"));
            }
        }
        Ok(())
    }

    /// Goodwill was switched by two people, in time.
    pub(super) fn check_goodwill(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let mut read = self.conn.prepare(
            "SELECT id, proposed_by, proposed_at, ended_by, ended_at FROM goodwill_proposals WHERE state = 1 ORDER BY id",
        )?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            let subject = || Ok::<_, StoreError>(format!("proposal {}", row.get::<_, i64>(0)?));
            let (proposed, ended): (String, String) = (row.get(1)?, row.get(3)?);
            let (at, approved_at): (u64, u64) = (col(row, 2)?, col(row, 4)?);
            if same_person(&proposed, &ended) {
                report.add(FindingKind::Goodwill, subject()?, "approved by the person who proposed it");
            }
            if approved_at >= at.saturating_add(PROPOSAL_VALID_S) {
                report.add(FindingKind::Goodwill, subject()?, "approved when it was too old");
            }
        }
        Ok(())
    }

    pub(super) fn not_an_expiry(&self, transfer: &Transfer) -> Result<Option<&'static str>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT purse, cents FROM expiries WHERE id = ?1")?;
        let found = read.query_row([Sql(transfer.cause)], |row| {
            Ok((AccountId::withheld(col(row, 0)?), AccountId::EXPIRED, col::<Cents>(row, 1)?))
        });
        Ok(match found.optional()? {
            None => Some("its expiry is not there"),
            Some(expiry) if expiry == (transfer.debit, transfer.credit, transfer.cents) => None,
            Some(_) => Some("its expiry says another amount or purse"),
        })
    }

    pub(super) fn not_a_correction(&self, transfer: &Transfer) -> Result<Option<&'static str>, StoreError> {
        let mut read = self
            .conn
            .prepare_cached("SELECT purse, source, cents, is_up FROM corrections WHERE id = ?1 AND state = 1")?;
        let found = read.query_row([Sql(transfer.cause)], |row| {
            let (purse, source, cents) = (col(row, 0)?, AccountId::source(row.get(1)?), col::<Cents>(row, 2)?);
            Ok(if row.get(3)? {
                (TransferKind::CorrectUp, source, AccountId::purse(purse), cents)
            } else {
                (TransferKind::CorrectDown, AccountId::withheld(purse), source, cents)
            })
        });
        Ok(match found.optional()? {
            None => Some("no correction was booked for it"),
            Some(found) if found == (transfer.kind, transfer.debit, transfer.credit, transfer.cents) => None,
            Some(_) => Some("its correction says another amount, purse or direction"),
        })
    }

    /// What is withheld was brought by its cause, or was free when its cause withheld it.
    pub(super) fn not_withheld(&self, transfer: &Transfer) -> Result<Option<&'static str>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT debit, cents FROM transfers WHERE id = ?1 AND id < ?2")?;
        let cause: Option<(AccountId, Cents)> = read
            .query_row([transfer.cause, transfer.id].map(Sql), |row| Ok((col(row, 0)?, col(row, 1)?)))
            .optional()?;
        if cause.is_some_and(|(debit, cents)| debit == transfer.credit && cents >= transfer.cents) {
            let same = transfer.debit.purse_no() == transfer.credit.purse_no();
            return Ok((!same).then_some("it withholds from another purse"));
        }
        self.not_paid_back(transfer)
    }
}
