//! Refunds, each held against the signed row that asked for it and the sale that it names.

use cabas_protocol::row::Row;
use cabas_protocol::{Cents, FundId, RowBody, Signed};
use rusqlite::{OptionalExtension as _, params};

use super::super::error::StoreError;
use super::super::refunds::{Asked, refund_cents};
use super::super::sql::{Sql, col, col_opt};
use super::super::tx::Tx;
use super::{FindingKind, VerifyReport};
use crate::core::ledger::{AccountId, OverRight, PurseNo, RowKey, Transfer};
use crate::core::refunds::judge;
use crate::store::settlements::REFUND;

/// A refund as it lies in the file.
struct Stored {
    asked: Asked,
    request: Vec<u8>,
    is_granted: bool,
    waits: bool,
    is_refused_as_closed: bool,
    place: Option<u64>,
    envelope: Vec<u8>,
}

impl Tx<'_> {
    pub(super) fn check_refunds(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let fund = self.fund()?.fund;
        let mut read = self.conn.prepare(
            "SELECT refunds.row, refunds.sale, refunds.purse, refunds.cents, request, state = 1, place, envelope,
                state = 0, state = 2 AND refunds.why = ?2
             FROM refunds JOIN rows ON rows.key = refunds.row WHERE rows.kind = ?1 ORDER BY place, refunds.row",
        )?;
        let mut rows = read.query(params![REFUND, OverRight::EpochClosed.number()])?;
        let (mut all, mut granted) = (0_u64, 0_u64);
        while let Some(row) = rows.next()? {
            all = all.saturating_add(1);
            let stored = Stored {
                asked: Asked { row: col(row, 0)?, sale: col_opt(row, 1)?, purse: col(row, 2)?, cents: col(row, 3)? },
                request: row.get(4)?,
                is_granted: row.get(5)?,
                waits: row.get(8)?,
                is_refused_as_closed: row.get(9)?,
                place: col_opt(row, 6)?,
                envelope: row.get(7)?,
            };
            let subject = format!("row {}", stored.asked.row.get());
            if stored.is_granted {
                granted = granted.saturating_add(1);
                if stored.place != Some(granted) {
                    report.add(FindingKind::Refund, subject.clone(), "its place is not the next");
                }
            }
            if let Some(wrong) = self.not_asked(fund, &stored)? {
                report.add(FindingKind::Refund, subject.clone(), wrong);
            }
            if let Some(wrong) = self.not_decided(&stored)? {
                report.add(FindingKind::Refund, subject, wrong);
            }
        }
        let count = |sql: &str| self.conn.query_row(sql, [], |row| col::<u64>(row, 0));
        let requests = count("SELECT count(*) FROM rows WHERE kind = 3")?;
        let kept = count("SELECT count(*) FROM refunds")?;
        let moved = count("SELECT count(*) FROM transfers WHERE kind = 7")?;
        if (requests, all, granted) != (kept, kept, moved) {
            let detail =
                format!("{requests} requests, {kept} of them decided or waiting; {granted} granted, {moved} booked");
            report.add(FindingKind::Refund, "all refunds", detail);
        }
        Ok(())
    }

    /// Why a refund is not what its request says, if it is not.
    fn not_asked(&self, fund: FundId, stored: &Stored) -> Result<Option<&'static str>, StoreError> {
        let row = Signed::<Row>::from_bytes(stored.envelope.clone()).ok().and_then(|row| row.read_trusted(fund).ok());
        let Some(row) = row else { return Ok(Some("its row cannot be read")) };
        let RowBody::RefundRequest(request) = &row.payload().body else { return Ok(Some("its row asks for none")) };
        let purse = self.purse_no(request.purse)?.map_or(0, PurseNo::get);
        let place = self.place_of(request)?.map(|(sale, _)| sale);
        let signed = (purse, refund_cents(request), request.request.as_bytes().as_slice());
        if signed != (stored.asked.purse.get(), stored.asked.cents, stored.request.as_slice()) {
            return Ok(Some("its request names another purse, amount or number"));
        }
        // An enrolment that is made after the request came changes nothing.
        if stored.asked.sale.is_some() && stored.asked.sale != place {
            return Ok(Some("its request names another sale"));
        }
        if !stored.is_granted {
            return Ok(None);
        }
        let Some(sale) = stored.asked.sale else { return Ok(Some("it was granted of no sale")) };
        let paid = self.paid_sale(fund, &stored.asked, sale)?;
        Ok(judge(stored.asked.cents, paid)
            .err()
            .map(|_| "with the others it is more than what the fund paid of its sale"))
    }

    /// What is wrong with whether a request waits, was granted or was refused, by the closings and the rows that are here.
    fn not_decided(&self, stored: &Stored) -> Result<Option<&'static str>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM closings WHERE state = 1 AND epoch IN (?1, ?2)),
                EXISTS (SELECT 1 FROM closings WHERE state = 1 AND epoch = ?1 AND at_seq < ?3),
                EXISTS (SELECT 1 FROM rows WHERE key = ?4)",
        )?;
        let Asked { row, sale, .. } = stored.asked;
        let of = params![Sql(row.epoch()), sale.map(|sale| Sql(sale.epoch())), Sql(row.seq()), sale.map(Sql)];
        let found = read.query_row(of, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let (is_closed, is_late, is_sale_here): (bool, bool, bool) = found;
        Ok(if stored.waits && is_closed {
            Some("it waits, but two people closed the epoch that asks or the one that sold")
        } else if stored.waits && (is_sale_here || sale.is_none()) {
            Some("it waits for a sale that is here, or for none")
        } else if stored.is_granted && is_late {
            Some("it was asked for after its epoch was closed, and granted")
        } else if stored.is_refused_as_closed && !is_closed {
            Some("it was refused for a closed epoch, and none is closed")
        } else {
            None
        })
    }

    pub(super) fn not_a_refund(&self, transfer: &Transfer) -> Result<Option<&'static str>, StoreError> {
        let mut read = self
            .conn
            .prepare_cached("SELECT row, purse, cents FROM refunds WHERE row = ?1 AND state = 1 AND transfer = ?2")?;
        let found = read.query_row(params![Sql(transfer.cause), Sql(transfer.id)], |row| {
            Ok((col::<RowKey>(row, 0)?, col(row, 1)?, col::<Cents>(row, 2)?))
        });
        let Some((row, purse, cents)) = found.optional()? else { return Ok(Some("no refund was granted for it")) };
        // What a purse card paid goes to its household.
        let Some(purse) = self.find_shared_purse(purse)?.map(AccountId::purse) else {
            return Ok(Some("its refund is of a purse that is not there"));
        };
        let from = AccountId::payable(self.shop_of(row.epoch())?);
        Ok(((from, purse, cents) != (transfer.debit, transfer.credit, transfer.cents))
            .then_some("its refund is of another shop, purse or amount"))
    }
}
