//! What was booked of purse cards without a row of the terminal that sold: sales that only cards told of, and what two
//! people gave back.

use cabas_protocol::Cents;
use cabas_protocol::row::{Courier, Row};
use cabas_protocol::{RowBody, Signed};
use rusqlite::OptionalExtension as _;

use super::super::card_records::Carried;
use super::super::error::StoreError;
use super::super::sql::{Sql, col};
use super::super::tx::Tx;
use super::{FindingKind, VerifyReport};
use crate::core::claims::Stretch;
use crate::core::ledger::{AccountId, ShopNo, Transfer};

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
    pub(super) fn repaid_by(&self, repayment: u64) -> Result<Option<Stretch>, StoreError> {
        let read = "SELECT from_cents, to_cents FROM card_repayments WHERE id = ?1 AND state = 1";
        let mut read = self.conn.prepare_cached(read)?;
        let stretch = read.query_row([Sql(repayment)], |row| Ok(Stretch::between(col(row, 0)?, col(row, 1)?)));
        Ok(stretch.optional()?.flatten())
    }

    /// Each record is one that a row brought, of a closed epoch where it was booked, and of no sale that was told of.
    pub(super) fn check_carried(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let fund = self.fund()?.fund;
        let mut read = self.conn.prepare(
            "SELECT card_records.id, rows.envelope, card_records.record FROM card_records
             LEFT JOIN rows ON rows.key = card_records.row ORDER BY card_records.id",
        )?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            let (envelope, record): (Option<Vec<u8>>, Vec<u8>) = (row.get(1)?, row.get(2)?);
            let told = envelope.and_then(|bytes| Signed::<Row>::from_bytes(bytes).ok());
            let told = told.and_then(|told| told.read_trusted(fund).ok());
            let is_told = told.is_some_and(|told| {
                matches!(&told.payload().body, RowBody::Courier(Courier { record: brought, .. }) if brought.as_slice() == record)
            });
            if !is_told {
                let subject = format!("record {}", col::<u64>(row, 0)?);
                report.add(FindingKind::Card, subject, "its row did not bring it");
            }
        }
        let mut read = self.conn.prepare(
            "SELECT place, place - row_number() OVER (ORDER BY place), epochs.standing = 3, terminals.shop = carried_sales.shop,
                EXISTS (SELECT 1 FROM card_claims WHERE carried = place)
             FROM carried_sales LEFT JOIN card_records ON card_records.id = carried_sales.record
             LEFT JOIN epochs ON epochs.terminal = card_records.terminal AND epochs.epoch = card_records.epoch
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
                report.add(
                    FindingKind::Card,
                    subject,
                    "its epoch is not closed, or another shop is paid, or nothing claims it",
                );
            }
        }
        self.check_repayments(report)
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
