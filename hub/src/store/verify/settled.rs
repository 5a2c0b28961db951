//! Settlements, recomputed from their rows.

use std::collections::{BTreeMap, BTreeSet};

use cabas_protocol::{Cents, Seq, Timestamp};
use rusqlite::params;

use super::super::error::StoreError;
use super::super::settlements::{Part, Upto};
use super::super::sql::{Sql, col, col_opt};
use super::super::tx::Tx;
use super::{FindingKind, VerifyReport};
use crate::core::ledger::{AccountId, EpochNo, ShopNo};
use crate::core::settlement::{Sums, payout};

/// A settlement as it lies in the file.
struct Closed {
    number: u32,
    closed_at: Timestamp,
    upto: Upto,
}

/// A shop's statement as it lies in the file.
struct Statement {
    shop: ShopNo,
    sums: Sums,
    carried: Cents,
    carry_on: Cents,
    payout: Cents,
    transfer: Option<u64>,
}

impl Tx<'_> {
    pub(super) fn check_settlements(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        self.check_cuts(report)?;
        let mut read = self.conn.prepare(
            "SELECT number, closed_at, disputed_upto, refunded_upto, carried_upto, returned_upto
             FROM settlements ORDER BY number",
        )?;
        let all = read
            .query_map([], |row| {
                let upto = Upto {
                    disputed: col(row, 2)?,
                    refunded: col(row, 3)?,
                    brought: col(row, 4)?,
                    returned: col(row, 5)?,
                };
                Ok(Closed { number: row.get(0)?, closed_at: col(row, 1)?, upto })
            })?
            .collect::<Result<Vec<_>, _>>()?;
        let mut carried: BTreeMap<ShopNo, Cents> = BTreeMap::new();
        let (mut before, mut expected) = (None, 1_u32);
        for closed in &all {
            if closed.number != expected {
                let detail = format!("settlement {expected} is missing before it");
                report.add(FindingKind::Settlement, format!("settlement {}", closed.number), detail);
            }
            expected = closed.number.saturating_add(1);
            self.check_settlement(closed, before, &mut carried, report)?;
            before = Some(closed);
        }
        Ok(())
    }

    /// The cuts of an epoch follow each other without a gap, up to what it counts as settled.
    fn check_cuts(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let mut read =
            self.conn.prepare("SELECT epoch, from_seq, to_seq FROM settlement_cuts ORDER BY epoch, from_seq")?;
        let mut rows = read.query([])?;
        let mut ends: BTreeMap<EpochNo, Seq> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let (epoch, from, to): (EpochNo, Seq, Seq) = (col(row, 0)?, col(row, 1)?, col(row, 2)?);
            let end = ends.entry(epoch).or_default();
            if *end != from {
                let detail = format!("rows {from} to {to} are settled after row {end}");
                report.add(FindingKind::Settlement, format!("epoch {}", epoch.get()), detail);
            }
            *end = to;
        }
        let mut read = self.conn.prepare("SELECT number, settled_seq FROM epochs")?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            let (epoch, settled): (EpochNo, Seq) = (col(row, 0)?, col(row, 1)?);
            let end = ends.get(&epoch).copied().unwrap_or_default();
            if end != settled {
                let detail = format!("settled up to row {settled}, the settlements end at {end}");
                report.add(FindingKind::Settlement, format!("epoch {}", epoch.get()), detail);
            }
        }
        Ok(())
    }

    fn check_settlement(
        &self,
        closed: &Closed,
        before: Option<&Closed>,
        carried: &mut BTreeMap<ShopNo, Cents>,
        report: &mut VerifyReport,
    ) -> Result<(), StoreError> {
        let parts = self.closed_parts(closed.number)?;
        let above = before.map_or_else(Upto::default, |before| before.upto);
        let mut sums = self.sums(&parts, before.map(|before| before.closed_at), (above, closed.upto))?;
        let statements = self.stored_statements(closed.number)?;
        let mut seen = BTreeSet::new();
        for statement in &statements {
            seen.insert(statement.shop);
            let carried_before = carried.insert(statement.shop, statement.carry_on).unwrap_or_default();
            let sums = sums.remove(&statement.shop).unwrap_or_default();
            let amounts = payout(sums.earned()?, sums.taken_back()?, carried_before)?;
            let fits = sums == statement.sums
                && carried_before == statement.carried
                && amounts == (statement.payout, statement.carry_on)
                && self.is_paid(closed.number, statement)?;
            if !fits {
                let detail = format!(
                    "{} sales for {} and a payout of {}, by its rows {} for {} and a payout of {}",
                    statement.sums.sales, statement.sums.settled, statement.payout, sums.sales, sums.settled, amounts.0
                );
                let subject = format!("settlement {} shop {}", closed.number, statement.shop.get());
                report.add(FindingKind::Settlement, subject, detail);
            }
        }
        for (shop, sums) in sums.into_iter().filter(|(shop, sums)| !sums.is_empty() && !seen.contains(shop)) {
            let detail = format!("{} sales for {} without a statement", sums.sales, sums.settled);
            let subject = format!("settlement {} shop {}", closed.number, shop.get());
            report.add(FindingKind::Settlement, subject, detail);
        }
        Ok(())
    }

    fn closed_parts(&self, number: u32) -> Result<Vec<Part>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT settlement_cuts.epoch, terminals.shop, from_seq, to_seq FROM settlement_cuts
             JOIN epochs ON epochs.number = settlement_cuts.epoch JOIN terminals ON terminals.number = epochs.terminal
             WHERE settlement = ?1",
        )?;
        let parts = read.query_map([number], |row| {
            Ok(Part { epoch: col(row, 0)?, shop: col(row, 1)?, from: col(row, 2)?, to: col(row, 3)? })
        })?;
        Ok(parts.collect::<Result<_, _>>()?)
    }

    fn stored_statements(&self, number: u32) -> Result<Vec<Statement>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT shop, sales, settled, late_sales, late, over_right_sales, over_right, disputed_sales, disputed,
                carried, carry_on, payout, transfer, reversals, reversed, refunds, refunded, brought_sales, brought,
                returns, returned
             FROM settlement_shops
             WHERE settlement = ?1 ORDER BY shop",
        )?;
        let statements = read.query_map([number], |row| {
            Ok(Statement {
                shop: col(row, 0)?,
                sums: Sums {
                    sales: row.get(1)?,
                    settled: col(row, 2)?,
                    late_sales: row.get(3)?,
                    late: col(row, 4)?,
                    over_right_sales: row.get(5)?,
                    over_right: col(row, 6)?,
                    disputed_sales: row.get(7)?,
                    disputed: col(row, 8)?,
                    reversals: row.get(13)?,
                    reversed: col(row, 14)?,
                    refunds: row.get(15)?,
                    refunded: col(row, 16)?,
                    brought_sales: row.get(17)?,
                    brought: col(row, 18)?,
                    returns: row.get(19)?,
                    returned: col(row, 20)?,
                },
                carried: col(row, 9)?,
                carry_on: col(row, 10)?,
                payout: col(row, 11)?,
                transfer: col_opt(row, 12)?,
            })
        })?;
        Ok(statements.collect::<Result<_, _>>()?)
    }

    /// A payout has its transfer, and nothing has none.
    fn is_paid(&self, number: u32, statement: &Statement) -> Result<bool, StoreError> {
        let Some(transfer) = statement.transfer else { return Ok(statement.payout.is_zero()) };
        let mut read = self.conn.prepare_cached(
            "SELECT count(*) FROM transfers WHERE id = ?1 AND debit = ?2 AND credit = ?3 AND cents = ?4 AND cause = ?5",
        )?;
        let (debit, credit) = (AccountId::payable(statement.shop), AccountId::TRANSIT);
        let found: i64 = read
            .query_row(params![Sql(transfer), Sql(debit), Sql(credit), Sql(statement.payout), number], |row| {
                row.get(0)
            })?;
        Ok(found == 1)
    }
}
