//! Closings, balances that were handed back after a restore, and goodwill.

use cabas_protocol::keys::KeyCert;
use cabas_protocol::{Cents, Hash, Seq, Serial, Signed, SignedBalance};
use rusqlite::{OptionalExtension as _, params};

use super::super::error::StoreError;
use super::super::sql::{Sql, col, col_opt};
use super::super::tx::Tx;
use super::{FindingKind, VerifyReport};
use crate::core::ledger::{AccountId, EpochNo, OverRight, PurseNo, RowKey, Transfer, TransferKind};

impl Tx<'_> {
    /// What went back from a slice when its epoch was closed.
    pub(in crate::store) fn voided(&self, slice: AccountId) -> Result<Cents, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT ifnull(sum(cents), 0) FROM voids WHERE slice = ?1")?;
        Ok(read.query_row([Sql(slice)], |row| col(row, 0))?)
    }

    /// What a balance that was handed back took from free money and from nothing, by the first serial it stands for.
    pub(super) fn held_parts(&self, slice: AccountId, serial: u32) -> Result<Option<(Cents, Cents)>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT from_free, from_nothing FROM held_balances WHERE slice = ?1 AND from_serial = ?2",
        )?;
        Ok(read.query_row(params![Sql(slice), serial], |row| Ok((col(row, 0)?, col(row, 1)?))).optional()?)
    }

    pub(super) fn not_a_void(&self, transfer: &Transfer) -> Result<Option<&'static str>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT cents FROM voids WHERE slice = ?1 AND closing = ?2")?;
        let voided: Option<Cents> =
            read.query_row(params![Sql(transfer.debit), Sql(transfer.cause)], |row| col(row, 0)).optional()?;
        Ok(if transfer.debit.purse_no() != transfer.credit.purse_no() {
            Some("it gives back to another purse")
        } else if voided != Some(transfer.cents) {
            Some("its closing gave back another amount")
        } else {
            None
        })
    }

    /// Money is paid back only from what an older transfer brought into the same purse.
    pub(super) fn not_paid_back(&self, transfer: &Transfer) -> Result<Option<&'static str>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT credit, cents FROM transfers WHERE id = ?1 AND id < ?2")?;
        let brought: Option<(AccountId, Cents)> = read
            .query_row(params![Sql(transfer.cause), Sql(transfer.id)], |row| Ok((col(row, 0)?, col(row, 1)?)))
            .optional()?;
        Ok(match brought {
            None => Some("the transfer that brought the money is not there"),
            Some((purse, cents)) if purse == transfer.debit && cents >= transfer.cents => {
                let same = transfer.debit.purse_no() == transfer.credit.purse_no();
                (!same).then_some("it pays what another purse owes")
            }
            Some(_) => Some("more than its cause brought into the purse"),
        })
    }

    pub(super) fn not_an_advance(&self, transfer: &Transfer) -> Result<Option<&'static str>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT purse, cents FROM goodwill_advances WHERE id = ?1")?;
        let advance: Option<(PurseNo, Cents)> =
            read.query_row([Sql(transfer.cause)], |row| Ok((col(row, 0)?, col(row, 1)?))).optional()?;
        Ok(match advance {
            None => Some("its advance is not there"),
            Some((purse, cents))
                if (AccountId::goodwill(purse), AccountId::purse(purse), cents)
                    == (transfer.debit, transfer.credit, transfer.cents) =>
            {
                None
            }
            Some(_) => Some("its advance says another amount or purse"),
        })
    }

    /// A closed epoch was closed by two people at a row that it has; what came later was paid nothing; nothing is left.
    pub(super) fn check_closings(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let mut read = self.conn.prepare(
            "SELECT epochs.number, epochs.terminal, epochs.epoch, closings.at_seq, closings.at_hash,
                closings.proposed_by <> closings.ended_by,
                (SELECT ifnull(sum(credits - debits), 0) FROM accounts JOIN slices ON slices.id = accounts.id
                 WHERE slices.epoch = epochs.number)
             FROM epochs LEFT JOIN closings ON closings.epoch = epochs.number AND closings.state = 1
             WHERE epochs.standing = 3 ORDER BY epochs.number",
        )?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            let number: EpochNo = col(row, 0)?;
            let subject = format!("terminal {} epoch {}", row.get::<_, u32>(1)?, row.get::<_, u32>(2)?);
            let at: Option<(Seq, Hash)> = col_opt(row, 3)?.zip(col_opt(row, 4)?);
            let Some((seq, hash)) = at.filter(|_| row.get(5).unwrap_or(false)) else {
                report.add(FindingKind::Closing, subject, "closed, but not by two people");
                continue;
            };
            if row.get::<_, i64>(6)? != 0 {
                report.add(FindingKind::Closing, subject.clone(), "closed, but money is still reserved there");
            }
            if seq != Seq::NONE && self.hash_of_row(number, seq)? != Some(hash) {
                report.add(FindingKind::Closing, subject.clone(), format!("closed at row {seq}, which is another one"));
            }
            let late: i64 = self.conn.query_row(
                "SELECT count(*) FROM rows WHERE key > ?1 AND key <= ?2 AND settled > 0",
                params![Sql(RowKey::new(number, seq)), Sql(RowKey::new(number, Seq::new(u32::MAX)))],
                |row| row.get(0),
            )?;
            let early: i64 = self.conn.query_row(
                "SELECT count(*) FROM rows WHERE key > ?1 AND key <= ?2 AND why = ?3",
                params![
                    Sql(RowKey::new(number, Seq::NONE)),
                    Sql(RowKey::new(number, seq)),
                    OverRight::EpochClosed.number()
                ],
                |row| row.get(0),
            )?;
            if late != 0 || early != 0 {
                let detail = format!("{late} rows after the closing were paid, {early} before it were not");
                report.add(FindingKind::Closing, subject, detail);
            }
        }
        self.same_number(report, FindingKind::Closing, "voids", TransferKind::Void)
    }

    fn hash_of_row(&self, epoch: EpochNo, seq: Seq) -> Result<Option<Hash>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT envelope FROM rows WHERE key = ?1")?;
        let envelope: Option<Vec<u8>> = read.query_row([Sql(RowKey::new(epoch, seq))], |row| row.get(0)).optional()?;
        Ok(envelope.map(|bytes| cabas_protocol::sign::sha256(&[&bytes])))
    }

    /// A balance that was handed back is the hub's own word, and its serials allow what it says.
    pub(super) fn check_held(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let fund = self.fund()?;
        let certs = self.key_certs()?;
        let keys: Vec<KeyCert> = certs.iter().filter_map(|cert| cert.peek().ok()).collect();
        let mut read = self.conn.prepare(
            "SELECT slice, from_serial, to_serial, from_free, from_nothing, envelope FROM held_balances
             ORDER BY slice, from_serial",
        )?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            let (slice, from, to): (AccountId, u32, Serial) = (col(row, 0)?, row.get(1)?, col(row, 2)?);
            let (free, nothing): (Cents, Cents) = (col(row, 3)?, col(row, 4)?);
            let subject = format!("{slice} serial {from}");
            let signed = Signed::<SignedBalance>::from_bytes(row.get(5)?);
            let balance = signed.ok().and_then(|signed| {
                keys.iter()
                    .find_map(|cert| signed.verify(&cert.key, fund.fund).ok())
                    .map(|balance| balance.into_payload())
            });
            let Some(balance) = balance else {
                report.add(FindingKind::Held, subject, "no key of the hub signed it");
                continue;
            };
            let before = self.allowed_before(slice, Serial::new(from))?;
            let raised = free.plus(nothing)?;
            let allowed = self.allowed_by(slice, to)?;
            let as_it_says = raised.is_zero() || allowed == Some(balance.allowed);
            if allowed != Some(before.plus(raised)?) || !as_it_says {
                let detail = format!("it allows {}, {before} and {raised} were booked", balance.allowed);
                report.add(FindingKind::Held, subject, detail);
            }
        }
        Ok(())
    }

    pub(super) fn check_advances(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        self.same_number(report, FindingKind::Transfer, "goodwill_advances", TransferKind::Advance)
    }

    fn same_number(
        &self,
        report: &mut VerifyReport,
        finding: FindingKind,
        table: &'static str,
        kind: TransferKind,
    ) -> Result<(), StoreError> {
        let causes: u64 = self.conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| col(row, 0))?;
        let booked = "SELECT count(*) FROM transfers WHERE kind = ?1";
        let booked: u64 = self.conn.query_row(booked, [kind.number()], |row| col(row, 0))?;
        if booked != causes {
            report.add(finding, format!("all {table}"), format!("{causes} of them, {booked} transfers for them"));
        }
        Ok(())
    }
}
