//! Refunds: each request is kept, decided once, and its money moved in the same transaction.

use cabas_protocol::row::{RefundRequest, Row};
use cabas_protocol::sync::Standing;
use cabas_protocol::{Cents, FundId, PurseRef, RowBody, Seq, Signed};
use rusqlite::{OptionalExtension as _, params};

use super::debts::Brought;
use super::error::StoreError;
use super::ledger::Books;
use super::model::Wake;
use super::sql::{Sql, col};
use super::terminals::EpochRecord;
use super::tx::Tx;
use crate::core::ledger::{AccountId, Entry, EpochNo, OverRight, PurseNo, RowKey, ShopNo, TransferKind};
use crate::core::refunds::{PaidSale, judge};

/// A request as it is decided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) row: RowKey,
    pub(super) sale: Option<RowKey>,
    pub(super) purse: PurseNo,
    pub(super) cents: Cents,
}

/// A request that was decided, and why it was refused where it was.
pub(super) type Decided = (Asked, Option<OverRight>);

impl Tx<'_> {
    /// Keeps a request that came in and decides it, unless its sale is still to come.
    pub(super) fn refund_asked(
        &self,
        books: &mut Books<'_>,
        fund: FundId,
        record: &EpochRecord,
        row: RowKey,
        asked: &RefundRequest,
    ) -> Result<Option<Decided>, StoreError> {
        let purse = self.purse_no(asked.purse)?;
        let origin = self.place_of(asked)?;
        let sale = origin.as_ref().map(|(sale, _)| *sale);
        let cents = refund_cents(asked);
        self.conn
            .prepare_cached(
                "INSERT INTO refunds (row, sale, request, purse, cents, state, why) VALUES (?1, ?2, ?3, ?4, ?5, 0, 0)",
            )?
            .execute(params![
                Sql(row),
                sale.map(Sql),
                asked.request.as_bytes().as_slice(),
                purse.map_or(0, PurseNo::get),
                Sql(cents)
            ])?;
        let asked_before = "SELECT EXISTS (SELECT 1 FROM refunds WHERE request = ?1 AND row <> ?2 AND state <> 2)";
        let is_double: bool = self
            .conn
            .prepare_cached(asked_before)?
            .query_row(params![asked.request.as_bytes().as_slice(), Sql(row)], |found| found.get(0))?;
        let asked = Asked { row, sale, purse: purse.unwrap_or(PurseNo::new(0)), cents };
        let refused = if purse.is_none() {
            Some(OverRight::UnknownPurse)
        } else if record.standing == Standing::Closed {
            Some(OverRight::EpochClosed)
        } else {
            is_double.then_some(OverRight::AlreadyClaimed)
        };
        if let Some(why) = refused {
            return self.refuse_refund(asked, why).map(Some);
        }
        match origin {
            // In its own journal a sale stands before its refund, so only another journal's can still come.
            Some((sale, true)) if sale.epoch() != row.epoch() => Ok(None),
            Some(_) | None => self.decide_refund(books, fund, asked).map(Some),
        }
    }

    /// Decides what waited for a sale that has come.
    pub(super) fn refunds_of(
        &self,
        books: &mut Books<'_>,
        fund: FundId,
        sale: RowKey,
    ) -> Result<Vec<Decided>, StoreError> {
        self.waiting("sale BETWEEN ?1 AND ?2", [sale, sale])?
            .into_iter()
            .map(|asked| self.decide_refund(books, fund, asked))
            .collect()
    }

    /// True where a request waits for a sale of an enrolment.
    pub(super) fn has_waiting_refunds(&self, epoch: EpochNo) -> Result<bool, StoreError> {
        let mut read = self
            .conn
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM refunds WHERE state = 0 AND sale BETWEEN ?1 AND ?2)")?;
        Ok(read.query_row(rows_of(epoch).map(Sql), |found| found.get(0))?)
    }

    /// Refuses what waits for sales of an epoch that was closed, which can no longer be paid, and what that epoch asked for.
    pub(super) fn refuse_waiting_refunds(&mut self, epoch: EpochNo) -> Result<(), StoreError> {
        let mut all = self.waiting("sale BETWEEN ?1 AND ?2", rows_of(epoch))?;
        all.extend(self.waiting("row BETWEEN ?1 AND ?2", rows_of(epoch))?);
        for asked in all {
            self.refuse_refund(asked, OverRight::EpochClosed)?;
            let terminal = self.epoch_of(asked.row.epoch())?.terminal;
            self.wake(Wake::Terminal(terminal));
        }
        Ok(())
    }

    fn waiting(&self, which: &str, between: [RowKey; 2]) -> Result<Vec<Asked>, StoreError> {
        let read = format!("SELECT row, sale, purse, cents FROM refunds WHERE state = 0 AND {which} ORDER BY row");
        let mut read = self.conn.prepare_cached(&read)?;
        let asked = read.query_map(between.map(Sql), |row| {
            Ok(Asked { row: col(row, 0)?, sale: Some(col(row, 1)?), purse: col(row, 2)?, cents: col(row, 3)? })
        })?;
        Ok(asked.collect::<Result<_, _>>()?)
    }

    fn decide_refund(&self, books: &mut Books<'_>, fund: FundId, asked: Asked) -> Result<Decided, StoreError> {
        let sale = asked.sale.map(|sale| self.paid_sale(fund, &asked, sale)).transpose()?.flatten();
        if let Err(why) = judge(asked.cents, sale) {
            return self.refuse_refund(asked, why);
        }
        let shop = self.shop_of(asked.row.epoch())?;
        // What a purse card paid goes to its household, not to a card that may be lost.
        let purse = self.shared_purse(asked.purse)?;
        let (debit, credit, cents) = (AccountId::payable(shop), AccountId::purse(purse), asked.cents);
        let cause = asked.row.get();
        let transfer = books.post(Entry { debit, credit, cents, kind: TransferKind::Refund, cause })?;
        self.conn
            .prepare_cached(
                "UPDATE refunds SET state = 1, transfer = ?2, change = ?3,
                    place = (SELECT ifnull(max(place), 0) + 1 FROM refunds) WHERE row = ?1",
            )?
            .execute(params![Sql(asked.row), Sql(transfer), Sql(self.refund_change(asked.row)?)])?;
        self.pay_back(books, purse, Brought { transfer, cents, came_back: false })?;
        Ok((asked, None))
    }

    fn refuse_refund(&self, asked: Asked, why: OverRight) -> Result<Decided, StoreError> {
        let change = self.refund_change(asked.row)?;
        self.conn
            .prepare_cached("UPDATE refunds SET state = 2, why = ?2, change = ?3 WHERE row = ?1")?
            .execute(params![Sql(asked.row), why.number(), Sql(change)])?;
        Ok((asked, Some(why)))
    }

    /// The change with which the terminal that asked learns what became of it.
    fn refund_change(&self, row: RowKey) -> Result<u64, StoreError> {
        let change = self.next_change()?;
        self.conn
            .prepare_cached("UPDATE epochs SET change = ?2 WHERE number = ?1")?
            .execute(params![Sql(row.epoch()), Sql(change)])?;
        Ok(change)
    }

    /// The row that a request names, and whether it is still to come; nothing where its enrolment is not known.
    pub(super) fn place_of(&self, asked: &RefundRequest) -> Result<Option<(RowKey, bool)>, StoreError> {
        let mut read = self
            .conn
            .prepare_cached("SELECT number, acked_seq, standing FROM epochs WHERE terminal = ?1 AND epoch = ?2")?;
        let origin = asked.original;
        let found = read.query_row(params![Sql(origin.terminal), Sql(origin.epoch)], |row| {
            Ok((col::<EpochNo>(row, 0)?, row.get::<_, u32>(1)?, row.get::<_, u8>(2)?))
        });
        Ok(found.optional()?.map(|(epoch, acked, standing)| {
            let is_open = standing != super::terminals::standing_number(Standing::Closed);
            (RowKey::new(epoch, origin.seq), is_open && origin.seq.get() > acked)
        }))
    }

    /// What is known of a sale that a request names.
    pub(super) fn paid_sale(&self, fund: FundId, asked: &Asked, sale: RowKey) -> Result<Option<PaidSale>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT settled, envelope, EXISTS (SELECT 1 FROM reversals WHERE sale = ?1),
                (SELECT ifnull(sum(cents), 0) FROM refunds WHERE sale = ?1 AND state = 1 AND row <> ?2)
             FROM rows WHERE key = ?1",
        )?;
        let found = read.query_row(params![Sql(sale), Sql(asked.row)], |row| {
            Ok((col::<Cents>(row, 0)?, row.get::<_, Vec<u8>>(1)?, row.get(2)?, col::<Cents>(row, 3)?))
        });
        let Some((settled, envelope, is_undone, refunded)) = found.optional()? else { return Ok(None) };
        let Some(purse) = purse_of_sale(fund, envelope) else { return Ok(None) };
        let same_purse = self.purse_no(purse)? == Some(asked.purse);
        let same_shop = self.shop_of(sale.epoch())? == self.shop_of(asked.row.epoch())?;
        Ok(Some(PaidSale { is_of_shop_and_purse: same_purse && same_shop, settled, is_undone, refunded }))
    }

    /// True where a refund was granted of a sale.
    pub(super) fn is_refunded(&self, sale: RowKey) -> Result<bool, StoreError> {
        let mut read =
            self.conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM refunds WHERE sale = ?1 AND state = 1)")?;
        Ok(read.query_row([Sql(sale)], |found| found.get(0))?)
    }

    /// What was refunded in all.
    pub(super) fn refunded_total(&self) -> Result<Cents, StoreError> {
        let read = "SELECT ifnull(sum(cents), 0) FROM refunds WHERE state = 1";
        Ok(self.conn.query_row(read, [], |row| col(row, 0))?)
    }

    pub(super) fn shop_of(&self, epoch: EpochNo) -> Result<ShopNo, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT shop FROM terminals JOIN epochs ON epochs.terminal = terminals.number WHERE epochs.number = ?1",
        )?;
        Ok(read.query_row([Sql(epoch)], |row| col(row, 0))?)
    }
}

/// The first and the last row that an enrolment may have.
fn rows_of(epoch: EpochNo) -> [RowKey; 2] {
    [RowKey::new(epoch, Seq::new(0)), RowKey::new(epoch, Seq::new(u32::MAX))]
}

/// The fund's part of a request: nothing where the lines cannot be added up.
pub(super) fn refund_cents(asked: &RefundRequest) -> Cents {
    Cents::sum(asked.lines.iter().map(|line| line.fund)).unwrap_or(Cents::ZERO)
}

fn purse_of_sale(fund: FundId, envelope: Vec<u8>) -> Option<PurseRef> {
    let row = Signed::<Row>::from_bytes(envelope).ok()?.read_trusted(fund).ok()?;
    if let RowBody::Sale(sale) = &row.payload().body { Some(sale.purse) } else { None }
}
