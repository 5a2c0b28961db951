//! Taps of identity cards: each shows a counter that its chip never shows twice. One that repeats or falls is a copy's, or
//! the copied card's: the sale is settled like any other, and a person is told.

use cabas_protocol::Seq;
use cabas_protocol::row::{Sale, Tier};
use rusqlite::{OptionalExtension as _, params};

use super::error::StoreError;
use super::model::{CopiedTap, TapFault};
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;
use crate::core::ledger::RowKey;

impl TapFault {
    const ALL: [Self; 3] = [Self::Repeats, Self::Fell, Self::Untold];

    const fn number(self) -> u8 {
        match self {
            Self::Repeats => 1,
            Self::Fell => 2,
            Self::Untold => 3,
        }
    }
}

impl Tx<'_> {
    /// Notes the tap of a sale whose row was kept, and says what is wrong with it.
    pub(super) fn tap(&self, row: RowKey, sale: &Sale) -> Result<Option<TapFault>, StoreError> {
        if sale.tier != Tier::Identity {
            return Ok(None);
        }
        let fault = match sale.card_counter {
            None => Some(TapFault::Untold),
            Some(counter) => self.tap_fault(row, sale, counter)?,
        };
        let mut insert = self
            .conn
            .prepare_cached("INSERT INTO identity_taps (row, card, counter, cents, why) VALUES (?1, ?2, ?3, ?4, ?5)")?;
        let (why, cents) = (fault.map_or(0, TapFault::number), sale.fund_cents()?);
        insert.execute(params![Sql(row), Sql(sale.card), sale.card_counter, Sql(cents), why])?;
        Ok(fault)
    }

    /// Rows of different terminals come in any order, so only those of one journal are asked whether it fell.
    fn tap_fault(&self, row: RowKey, sale: &Sale, counter: u32) -> Result<Option<TapFault>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT max(counter = ?2), max(row >= ?3 AND row < ?4)
             FROM identity_taps WHERE card = ?1 AND counter >= ?2",
        )?;
        let first = RowKey::new(row.epoch(), Seq::new(0));
        let found = read.query_row(params![Sql(sale.card), counter, Sql(first), Sql(row)], |found| {
            Ok((found.get::<_, Option<bool>>(0)?, found.get::<_, Option<bool>>(1)?))
        })?;
        Ok(match found {
            (Some(true), _) => Some(TapFault::Repeats),
            (_, Some(true)) => Some(TapFault::Fell),
            (Some(false) | None, Some(false) | None) => None,
        })
    }

    /// True where the tap of a sale is kept as its row says, and marked where it is a copy's.
    pub(super) fn is_tap_kept(&self, row: RowKey, sale: &Sale) -> Result<bool, StoreError> {
        if sale.tier != Tier::Identity {
            return Ok(true);
        }
        let mut read = self.conn.prepare_cached(
            "SELECT card = ?2 AND counter IS ?3 AND cents = ?4 AND (why > 0 OR (counter IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM identity_taps AS other WHERE other.card = ?2 AND other.counter >= ?3 AND other.row <> ?1
                    AND (other.row BETWEEN ?5 AND ?1 OR (other.counter = ?3 AND other.why = 0)))))
             FROM identity_taps WHERE row = ?1",
        )?;
        let (cents, first) = (sale.fund_cents()?, RowKey::new(row.epoch(), Seq::new(0)));
        let values = params![Sql(row), Sql(sale.card), sale.card_counter, Sql(cents), Sql(first)];
        Ok(read.query_row(values, |kept| kept.get(0)).optional()?.unwrap_or(false))
    }

    /// The number printed on a card, for people; nothing where the hub does not know it.
    pub(super) fn card_number(&self, sale: &Sale) -> Result<Option<u32>, StoreError> {
        let read = "SELECT number FROM cards WHERE ref = ?1";
        Ok(self.conn.query_row(read, [Sql(sale.card)], |row| row.get(0)).optional()?)
    }

    /// Sales with identity cards whose counter says that there is a copy, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Damaged`].
    pub fn copied_taps(&self, limit: u32) -> Result<Vec<CopiedTap>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT cards.number, epochs.terminal, epochs.epoch, taps.row, taps.counter, taps.cents, taps.why,
                rows.received_at,
                (SELECT min(row) FROM identity_taps AS other
                 WHERE other.card = taps.card AND other.counter = taps.counter AND other.row <> taps.row)
             FROM identity_taps AS taps JOIN rows ON rows.key = taps.row
             JOIN epochs ON epochs.number = taps.row >> 32 LEFT JOIN cards ON cards.ref = taps.card
             WHERE taps.why > 0 ORDER BY rows.received_at DESC, taps.row DESC LIMIT ?1",
        )?;
        let mut rows = read.query([limit])?;
        let mut taps = Vec::new();
        while let Some(row) = rows.next()? {
            let (why, place): (u8, RowKey) = (row.get(6)?, col(row, 3)?);
            let other: Option<RowKey> = col_opt(row, 8)?;
            taps.push(CopiedTap {
                card_number: row.get(0)?,
                terminal: col(row, 1)?,
                epoch: col(row, 2)?,
                seq: place.seq(),
                counter: row.get(4)?,
                cents: col(row, 5)?,
                why: TapFault::ALL
                    .into_iter()
                    .find(|fault| fault.number() == why)
                    .ok_or(StoreError::Damaged("a tap's fault"))?,
                received_at: col(row, 7)?,
                other: other
                    .map(|row| Ok::<_, StoreError>((self.epoch_of(row.epoch())?.terminal, row.seq())))
                    .transpose()?,
            });
        }
        Ok(taps)
    }
}
