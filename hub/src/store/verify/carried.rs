//! What was booked of purse cards without a row of the terminal that sold: sales that only cards told of, and what two
//! people gave back.

use cabas_card::layout::{RECORD_BYTES, Record};
use cabas_protocol::{Cents, RowBody};
use rusqlite::{OptionalExtension as _, params};

use super::super::card_records::Carried;
use super::super::error::StoreError;
use super::super::sql::{Sql, col, col_opt};
use super::super::tx::Tx;
use super::{FindingKind, VerifyReport};
use crate::core::card_proof::{CardWitness, Proof, answered};
use crate::core::claims::Stretch;
use crate::core::ledger::{AccountId, RowKey, ShopNo, Transfer};

/// Account, intent, counter, spent before.
type CommitOf = (u64, Option<u64>, Option<u32>, Option<u64>);

impl Tx<'_> {
    /// The record that a booking is for.
    pub(super) fn carried_by(&self, place: u64) -> Result<Option<Carried>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT card_records.id, account, cents, spent_after, serial FROM carried_sales
             JOIN card_records ON card_records.id = carried_sales.record WHERE place = ?1 AND proof = 1",
        )?;
        let carried = read.query_row([Sql(place)], |row| {
            Ok(Carried {
                id: col(row, 0)?,
                account: col(row, 1)?,
                cents: col(row, 2)?,
                spent_after: col(row, 3)?,
                serial: col(row, 4)?,
            })
        });
        Ok(carried.optional()?)
    }

    /// The stretch that a repayment is for.
    pub(super) fn repaid_by(&self, repayment: u64, card: AccountId) -> Result<Option<Stretch>, StoreError> {
        let read = "SELECT from_cents, to_cents FROM card_repayments WHERE id = ?1 AND account = ?2 AND state = 1";
        let mut read = self.conn.prepare_cached(read)?;
        let values = params![Sql(repayment), Sql(card)];
        let stretch = read.query_row(values, |row| Ok(Stretch::between(col(row, 0)?, col(row, 1)?)));
        Ok(stretch.optional()?.flatten())
    }

    /// Each record is what a row brought, and each booking is of a closed epoch and of no sale that was told of.
    pub(super) fn check_carried(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let fund = self.fund()?.fund;
        let mut read = self.conn.prepare(
            "SELECT id, row, account, record, terminal, epoch, seq, cents, spent_after, serial, sold_at FROM card_records
             ORDER BY id",
        )?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            let (key, account): (Option<RowKey>, u64) = (RowKey::of_number(col(row, 1)?), col(row, 2)?);
            let record: Vec<u8> = row.get(3)?;
            let told = key.map(|key| self.row_at(fund, key)).transpose()?.flatten();
            let brought =
                told.and_then(|told| if let RowBody::Courier(brought) = told.body { Some(brought) } else { None });
            let purse = brought.filter(|brought| brought.record.as_slice() == record).map(|brought| brought.purse);
            let own = purse.map(|purse| self.purse_no(purse)).transpose()?.flatten();
            let parsed = <&[u8; RECORD_BYTES]>::try_from(record.as_slice()).ok().and_then(|of| Record::parse(of).ok());
            let stored = Record {
                terminal: row.get(4)?,
                epoch: row.get(5)?,
                seq: row.get(6)?,
                cents: row.get(7)?,
                spent_after: row.get(8)?,
                serial: row.get(9)?,
                time_s: row.get(10)?,
            };
            if own.map(|own| AccountId::card(own).get()) != Some(account) || parsed != Some(stored) {
                let subject = format!("record {}", col::<u64>(row, 0)?);
                report.add(FindingKind::Card, subject, "it is not what its row brought");
            }
        }
        self.check_bookings(report)?;
        self.check_repayments(report)
    }

    fn check_bookings(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let mut read = self.conn.prepare(
            "SELECT place, place - row_number() OVER (ORDER BY place), epochs.standing = 3, terminals.shop = carried_sales.shop,
                EXISTS (SELECT 1 FROM card_claims WHERE carried = place),
                EXISTS (SELECT 1 FROM card_commits WHERE intent = (epochs.number << 32) | card_records.seq
                    AND card_commits.proof IN (1, 2, 3)) OR card_records.seq < closings.at_seq
             FROM carried_sales LEFT JOIN card_records ON card_records.id = carried_sales.record
             LEFT JOIN epochs ON epochs.terminal = card_records.terminal AND epochs.epoch = card_records.epoch
             LEFT JOIN closings ON closings.epoch = epochs.number AND closings.state = 1
             LEFT JOIN terminals ON terminals.number = card_records.terminal ORDER BY place",
        )?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            let subject = format!("carried sale {}", row.get::<_, i64>(0)?);
            if row.get::<_, i64>(1)? != 0 {
                report.add(FindingKind::Card, subject.clone(), "another one is missing before it");
            }
            let sound = (row.get::<_, Option<bool>>(2)?, row.get::<_, Option<bool>>(3)?, row.get::<_, bool>(4)?);
            if sound != (Some(true), Some(true), true) {
                let detail = "its epoch is not closed, or another shop is paid, or nothing claims it";
                report.add(FindingKind::Card, subject, detail);
            } else if row.get::<_, Option<bool>>(5)? == Some(true) {
                report.add(FindingKind::Card, subject, "its terminal told of it, or had it in doubt");
            }
        }
        Ok(())
    }

    /// What is noted of each proof is what its row says, and what counts as proven is made again.
    pub(super) fn check_commits(&self, witness: &dyn CardWitness, report: &mut VerifyReport) -> Result<(), StoreError> {
        let fund = self.fund()?.fund;
        let mut read = self.conn.prepare(
            "SELECT id, row, account, intent, counter, before, proof FROM card_commits WHERE row IS NOT NULL ORDER BY id",
        )?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            let key: Option<RowKey> = RowKey::of_number(col(row, 1)?);
            let noted = (col(row, 2)?, col_opt(row, 3)?, row.get(4)?, col_opt(row, 5)?);
            let told = key.map(|key| self.row_at(fund, key)).transpose()?.flatten();
            let told = key.zip(told);
            let says = told.as_ref().map(|(key, told)| self.commit_of(*key, &told.body)).transpose()?.flatten();
            let subject = format!("proof {}", col::<u64>(row, 0)?);
            if says != Some(noted) {
                report.add(FindingKind::Card, subject, "it is not of the card, counter or announcement of its row");
                continue;
            }
            let (Some((key, told)), Some(card)) = (told, AccountId::of_number(noted.0)) else { continue };
            let is_proven = Proof::of_number(row.get(6)?) == Some(Proof::Proven);
            if is_proven && self.card_made(witness, fund, card, key, &told.body)? == Some(false) {
                report.add(FindingKind::Card, subject, "it counts as proven, and the card did not make it");
            }
        }
        Ok(())
    }

    /// Account, intent, counter and what was spent before, as a row says them.
    fn commit_of(&self, key: RowKey, body: &RowBody) -> Result<Option<CommitOf>, StoreError> {
        let counted = |counter: u32| Some(counter).filter(|counter| *counter > 0);
        if let RowBody::Sale(sale) = body {
            let Some(purse) = self.purse_no(sale.purse)? else { return Ok(None) };
            let intent = sale.intent.map(|seq| RowKey::new(key.epoch(), seq).get());
            let before = sale.spent_after.minus(sale.fund_cents()?)?.get();
            let counter = answered(sale).and_then(|answered| counted(answered.counter));
            return Ok(Some((AccountId::card(purse).get(), intent, counter, Some(before))));
        }
        if let RowBody::CardWritten(written) = body {
            let purse = self.purse_no(written.purse)?;
            return Ok(purse.map(|purse| (AccountId::card(purse).get(), None, counted(written.card_counter), None)));
        }
        Ok(None)
    }

    fn check_repayments(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let mut read = self.conn.prepare(
            "SELECT id, settled = to_cents - from_cents AND EXISTS (SELECT 1 FROM card_claims WHERE repayment = card_repayments.id)
                AND ended_by IS NOT NULL AND lower(trim(ended_by)) <> lower(trim(proposed_by))
             FROM card_repayments WHERE state = 1 ORDER BY id",
        )?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            if !row.get::<_, bool>(1)? {
                let subject = format!("repayment {}", row.get::<_, i64>(0)?);
                report.add(FindingKind::Card, subject, "not by two people, of another amount, or claimed by nothing");
            }
        }
        Ok(())
    }

    pub(super) fn not_a_carried_sale(&self, transfer: &Transfer) -> Result<Option<&'static str>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT settled, carried_sales.shop, account FROM carried_sales
             JOIN card_records ON card_records.id = carried_sales.record WHERE place = ?1",
        )?;
        let found = read.query_row([Sql(transfer.cause)], |row| {
            Ok((col::<Cents>(row, 0)?, col::<ShopNo>(row, 1)?, col::<AccountId>(row, 2)?))
        });
        Ok(match found.optional()? {
            None => Some("its booking is not there"),
            Some((cents, shop, card))
                if (cents, AccountId::payable(shop), card) == (transfer.cents, transfer.credit, transfer.debit) =>
            {
                None
            }
            Some(_) => Some("its booking says another amount, shop or card"),
        })
    }

    pub(super) fn not_a_repayment(&self, transfer: &Transfer) -> Result<Option<&'static str>, StoreError> {
        let mut read =
            self.conn.prepare_cached("SELECT account, settled FROM card_repayments WHERE id = ?1 AND state = 1")?;
        let found = read.query_row([Sql(transfer.cause)], |row| Ok((col::<AccountId>(row, 0)?, col::<Cents>(row, 1)?)));
        let Some((card, cents)) = found.optional()? else { return Ok(Some("its repayment is not there")) };
        let is_payer = transfer.credit.purse_no() == self.payer_of(card)?;
        Ok(if (card, cents) == (transfer.debit, transfer.cents) && is_payer {
            None
        } else {
            Some("its repayment says another amount or card, or it goes to another household")
        })
    }
}
