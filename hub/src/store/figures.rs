//! Figures of the whole fund, read from the transfers: by month, over twelve months, for an evaluation. Each transfer has
//! the time of its cause, never before that of the transfer before it, as in the accounting export: a month that is over
//! stays as it is.

use std::collections::{BTreeMap, BTreeSet};

use cabas_protocol::{Cents, Timestamp};

use super::error::StoreError;
use super::fec::TRANSFERS;
use super::sql::{col, col_opt};
use super::tx::Tx;
use crate::calendar::Calendar;
use crate::core::evaluation::{Evaluation, Purchase};
use crate::core::figures::{Counted, Figure, Figures, Labels, Month, figure_of};
use crate::core::ledger::{AccountId, AccountKind, PurseNo, TransferKind};
use crate::core::thresholds::{Nearness, VOLUME_MONTHS, nearness};

/// A transfer that is counted, and when.
struct Booked {
    at: Timestamp,
    debit: AccountId,
    credit: AccountId,
    cents: Cents,
    kind: TransferKind,
    figure: Figure,
    cause: u64,
}

/// How near the fund is to the legal thresholds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Thresholds {
    /// What was paid in shops over twelve months; what was refunded later is not taken off.
    pub volume: Nearness,
    /// The moment from which on payments are in it.
    pub since: Timestamp,
    /// What households have and did not spend.
    pub outstanding: Nearness,
}

impl Tx<'_> {
    /// The fund's figures, month by month.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Damaged`], [`StoreError::Money`].
    pub fn months(&self, calendar: &Calendar) -> Result<Vec<Month>, StoreError> {
        let labels = self.labels()?;
        let mut figures = Figures::default();
        self.each_booked(|booked| {
            let Booked { at, debit, credit, cents, figure, .. } = booked;
            Ok(figures.add(Counted { period: calendar.month_of(at), figure, debit, credit, cents })?)
        })?;
        Ok(figures.months(&labels)?)
    }

    /// How near the fund is to the legal thresholds.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Damaged`], [`StoreError::Money`].
    pub fn thresholds(&self, calendar: &Calendar, now: Timestamp) -> Result<Thresholds, StoreError> {
        let since = calendar.months_before(now, VOLUME_MONTHS);
        let mut volume = Cents::ZERO;
        self.each_booked(|booked| {
            if booked.figure == Figure::Spent && booked.at > since {
                volume = volume.plus(booked.cents)?;
            }
            Ok(())
        })?;
        let mut outstanding = Cents::ZERO;
        for line in self.trial_balance()? {
            if matches!(line.kind, AccountKind::Purse | AccountKind::Slice | AccountKind::Card) {
                outstanding = outstanding.plus(line.credits.minus(line.debits)?)?;
            }
        }
        Ok(Thresholds { volume: nearness(volume), since, outstanding: nearness(outstanding) })
    }

    /// The purchases for an evaluation, and the kinds of shops that there are. One that was undone in the same month is
    /// none.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Damaged`], [`StoreError::Money`].
    pub fn evaluation(&self, calendar: &Calendar) -> Result<(Evaluation, BTreeSet<String>), StoreError> {
        let labels = self.labels()?;
        let households = self.households_of_purses()?;
        let (sizes_of_credits, undone) = (self.sizes_of_credits()?, self.undone_sales()?);
        let mut sizes: BTreeMap<u64, u32> = BTreeMap::new();
        let mut evaluation = Evaluation::default();
        self.each_booked(|booked| {
            let period = calendar.month_of(booked.at);
            let purse = if booked.kind == TransferKind::Credit { booked.credit } else { booked.debit }.purse_no();
            let Some((household, size_now)) = purse.and_then(|purse| households.get(&purse)) else { return Ok(()) };
            if booked.kind == TransferKind::Credit {
                // The newest credit that was booked before a purchase says how many people the household had.
                if let Some(size) = sizes_of_credits.get(&booked.cause) {
                    sizes.insert(*household, *size);
                }
                return Ok(());
            }
            let undone_at = undone.get(&booked.cause).filter(|_| is_row(booked.kind));
            if booked.figure != Figure::Spent || undone_at.is_some_and(|at| calendar.month_of(*at) == period) {
                return Ok(());
            }
            let (kind, household) = (labels.kinds.get(&booked.credit).map_or("", String::as_str), *household);
            let size = sizes.get(&household).copied().unwrap_or(*size_now);
            Ok(evaluation.add(Purchase { period, kind, household, size, cents: booked.cents })?)
        })?;
        Ok((evaluation, labels.kinds.into_values().collect()))
    }

    fn each_booked(&self, mut each: impl FnMut(Booked) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let counted = TransferKind::ALL.into_iter().filter(|kind| figure_of(*kind).is_some());
        let kinds: Vec<_> = counted.map(|kind| kind.number().to_string()).collect();
        let mut read = self.conn.prepare_cached(&format!(
            "SELECT booked.*, transfers.cause FROM ({TRANSFERS}) AS booked JOIN transfers USING (id)
             WHERE transfers.kind IN ({}) ORDER BY transfers.id",
            kinds.join(", ")
        ))?;
        let mut rows = read.query([])?;
        let mut newest = Timestamp::new(0);
        while let Some(row) = rows.next()? {
            let kind = TransferKind::of_number(row.get(4)?).ok_or(StoreError::Damaged("a transfer's kind"))?;
            let Some(figure) = figure_of(kind) else { continue };
            newest = newest.max(col_opt(row, 5)?.unwrap_or(newest));
            let (debit, credit, cents, cause) = (col(row, 1)?, col(row, 2)?, col(row, 3)?, col(row, 6)?);
            each(Booked { at: newest, debit, credit, cents, kind, figure, cause })?;
        }
        Ok(())
    }

    fn labels(&self) -> Result<Labels, StoreError> {
        let mut labels = Labels::default();
        let mut read = self.conn.prepare_cached("SELECT number, kind FROM shops")?;
        for shop in read.query_map([], |row| Ok((AccountId::payable(col(row, 0)?), row.get(1)?)))? {
            let (account, kind) = shop?;
            labels.kinds.insert(account, kind);
        }
        let mut read = self.conn.prepare_cached("SELECT number, name FROM sources")?;
        for source in read.query_map([], |row| Ok((AccountId::source(row.get(0)?), row.get(1)?)))? {
            let (account, name) = source?;
            labels.sources.insert(account, name);
        }
        Ok(labels)
    }

    /// The household of each purse, and how many people it has today.
    fn households_of_purses(&self) -> Result<BTreeMap<PurseNo, (u64, u32)>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT purses.number, households.number, size FROM purses JOIN households ON households.number = household",
        )?;
        let found = read.query_map([], |row| Ok((col(row, 0)?, (col(row, 1)?, row.get(2)?))))?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    fn sizes_of_credits(&self) -> Result<BTreeMap<u64, u32>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT id, size FROM credits")?;
        let found = read.query_map([], |row| Ok((col(row, 0)?, row.get(1)?)))?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// The sales that were undone at once, by their rows, and when the hub heard of it.
    fn undone_sales(&self) -> Result<BTreeMap<u64, Timestamp>, StoreError> {
        let mut read = self
            .conn
            .prepare_cached("SELECT sale, received_at FROM reversals JOIN rows ON rows.key = reversals.row")?;
        let found = read.query_map([], |row| Ok((col(row, 0)?, col(row, 1)?)))?;
        Ok(found.collect::<Result<_, _>>()?)
    }
}

/// True where the cause of a purchase is its row.
fn is_row(kind: TransferKind) -> bool {
    matches!(kind, TransferKind::Sale | TransferKind::CardSale)
}
