//! A settlement as one shop gets it: every line that was counted, to be checked against its own journals.

use cabas_protocol::row::Origin;
use cabas_protocol::sign::sha256;
use cabas_protocol::statement::{LINES_MAX, LineKind, PARTS_MAX, Part as CutPart, SettlementStatement, StatementLine};
use cabas_protocol::{Cents, Hash, ObjectType, Seq, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::error::StoreError;
use super::settlements::{REVERSAL, SALE};
use super::sql::{Sql, col};
use super::tx::Tx;
use crate::core::ledger::{EpochNo, RowKey, ShopNo};

/// `why` of a row that does not fit its journal (`hub/ledger.md`).
const DOES_NOT_FIT: u16 = 7;

/// What a settlement counts beside the rows of its cuts: above `from`, up to and with `upto`.
#[derive(Clone, Copy, Default)]
struct Stretch {
    from: u64,
    upto: u64,
}

struct Closed {
    closed_at: Timestamp,
    disputed: Stretch,
    refunded: Stretch,
    brought: Stretch,
}

impl Tx<'_> {
    /// What a settlement pays a shop, line by line; it is not signed yet. It is made from the rows again, and must come to
    /// what was closed.
    ///
    /// # Errors
    /// [`StoreError::UnknownShop`], [`StoreError::NoStatement`]; [`StoreError::Exhausted`] for more than a statement holds;
    /// [`StoreError::Damaged`] where the lines do not come to what was closed.
    pub fn settlement_statement(&self, number: u32, shop_code: &str) -> Result<SettlementStatement, StoreError> {
        let read = "SELECT number FROM shops WHERE code = ?1";
        let shop: Option<ShopNo> = self.conn.query_row(read, [shop_code], |row| col(row, 0)).optional()?;
        let shop = shop.ok_or(StoreError::UnknownShop)?;
        let read =
            "SELECT carried, carry_on, payout, returned FROM settlement_shops WHERE settlement = ?1 AND shop = ?2";
        let amounts: Option<(Cents, Cents, Cents, Cents)> = self
            .conn
            .query_row(read, params![number, Sql(shop)], |row| {
                Ok((col(row, 0)?, col(row, 1)?, col(row, 2)?, col(row, 3)?))
            })
            .optional()?;
        let (carried, carry_on, payout, returned) = amounts.ok_or(StoreError::NoStatement { settlement: number })?;
        let closed = self.closed(number)?;
        let (parts, mut lines) = self.cut_of(number, shop)?;
        self.disputed_lines(shop, closed.disputed, &mut lines)?;
        self.refund_lines(shop, closed.refunded, &mut lines)?;
        self.brought_lines(shop, closed.brought, &mut lines)?;
        if lines.len() > LINES_MAX || parts.len() > PARTS_MAX {
            return Err(StoreError::Exhausted("line of a statement"));
        }
        lines.sort_by_key(|line| (line.kind, line.origin.terminal, line.origin.epoch, line.origin.seq));
        let statement = SettlementStatement {
            head: self.fund()?.context().head(ObjectType::SettlementStatement),
            settlement: number,
            closed_at: closed.closed_at,
            shop: shop_code.to_owned(),
            parts,
            lines,
            carried,
            carry_on,
            payout,
            returned,
        };
        if statement.adds_up()? { Ok(statement) } else { Err(StoreError::Damaged("a settlement's statement")) }
    }

    fn closed(&self, number: u32) -> Result<Closed, StoreError> {
        let read = "SELECT closed_at, disputed_upto, refunded_upto, carried_upto,
                lag(disputed_upto, 1, 0) OVER before, lag(refunded_upto, 1, 0) OVER before,
                lag(carried_upto, 1, 0) OVER before, number
             FROM settlements WHERE number IN (?1 - 1, ?1) WINDOW before AS (ORDER BY number) ORDER BY number DESC LIMIT 1";
        Ok(self.conn.query_row(read, [number], |row| {
            let stretch =
                |from, upto| Ok::<_, rusqlite::Error>(Stretch { from: col(row, from)?, upto: col(row, upto)? });
            Ok(Closed {
                closed_at: col(row, 0)?,
                disputed: stretch(4, 1)?,
                refunded: stretch(5, 2)?,
                brought: stretch(6, 3)?,
            })
        })?)
    }

    /// The rows that the settlement cut for a shop.
    fn cut_of(&self, number: u32, shop: ShopNo) -> Result<(Vec<CutPart>, Vec<StatementLine>), StoreError> {
        let mut cuts = self.conn.prepare_cached(
            "SELECT settlement_cuts.epoch, terminals.number, epochs.epoch, from_seq, to_seq FROM settlement_cuts
             JOIN epochs ON epochs.number = settlement_cuts.epoch JOIN terminals ON terminals.number = epochs.terminal
             WHERE settlement = ?1 AND terminals.shop = ?2 ORDER BY terminals.number, epochs.epoch",
        )?;
        let mut newest = self.conn.prepare_cached("SELECT envelope FROM rows WHERE key = ?1")?;
        let mut read = self.conn.prepare_cached(
            "SELECT key, kind, settled, over_right, why FROM rows
             WHERE key > ?1 AND key <= ?2 AND kind IN (?3, ?4) ORDER BY key LIMIT ?5",
        )?;
        let (mut parts, mut lines) = (Vec::new(), Vec::new());
        let mut cuts = cuts.query(params![number, Sql(shop)])?;
        while let Some(cut) = cuts.next()? {
            let epoch_no: EpochNo = col(cut, 0)?;
            let (terminal, epoch, after, upto): (_, _, Seq, Seq) =
                (col(cut, 1)?, col(cut, 2)?, col(cut, 3)?, col(cut, 4)?);
            let (from, to) = (RowKey::new(epoch_no, after), RowKey::new(epoch_no, upto));
            let hash: Hash = newest.query_row([Sql(to)], |row| Ok(sha256(&[row.get_ref(0)?.as_blob()?])))?;
            parts.push(CutPart { terminal, epoch, after, upto, hash });
            let most = i64::try_from(LINES_MAX).unwrap_or(i64::MAX).saturating_add(1);
            let mut rows = read.query(params![Sql(from), Sql(to), SALE, REVERSAL, most])?;
            while let Some(row) = rows.next()? {
                let kind = if row.get::<_, u16>(1)? == SALE { LineKind::Sale } else { LineKind::Reversal };
                let origin = Origin { terminal, epoch, seq: col::<RowKey>(row, 0)?.seq() };
                let (settled, unpaid, why) = (col(row, 2)?, col(row, 3)?, row.get(4)?);
                lines.push(StatementLine { kind, origin, settled, unpaid, why });
            }
        }
        Ok((parts, lines))
    }

    fn disputed_lines(
        &self,
        shop: ShopNo,
        Stretch { from, upto }: Stretch,
        lines: &mut Vec<StatementLine>,
    ) -> Result<(), StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT terminals.number, epochs.epoch, disputed.seq, 0, disputed.claimed, ?5 FROM disputed
             JOIN epochs ON epochs.number = disputed.epoch JOIN terminals ON terminals.number = epochs.terminal
             WHERE disputed.id > ?1 AND disputed.id <= ?2 AND disputed.kind = ?3 AND terminals.shop = ?4",
        )?;
        let rows = read.query_map(params![Sql(from), Sql(upto), SALE, Sql(shop), DOES_NOT_FIT], |row| {
            line(LineKind::Disputed, row)
        })?;
        extend(lines, rows)
    }

    fn refund_lines(
        &self,
        shop: ShopNo,
        Stretch { from, upto }: Stretch,
        lines: &mut Vec<StatementLine>,
    ) -> Result<(), StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT terminals.number, epochs.epoch, refunds.row & 4294967295, refunds.cents, 0, 0 FROM refunds
             JOIN epochs ON epochs.number = refunds.row >> 32 JOIN terminals ON terminals.number = epochs.terminal
             WHERE place > ?1 AND place <= ?2 AND terminals.shop = ?3",
        )?;
        let rows = read.query_map(params![Sql(from), Sql(upto), Sql(shop)], |row| line(LineKind::Refund, row))?;
        extend(lines, rows)
    }

    fn brought_lines(
        &self,
        shop: ShopNo,
        Stretch { from, upto }: Stretch,
        lines: &mut Vec<StatementLine>,
    ) -> Result<(), StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT terminal, epoch, seq, settled, over_right, why FROM carried_sales
             JOIN card_records ON card_records.id = carried_sales.record
             WHERE place > ?1 AND place <= ?2 AND shop = ?3",
        )?;
        let rows = read.query_map(params![Sql(from), Sql(upto), Sql(shop)], |row| line(LineKind::Brought, row))?;
        extend(lines, rows)
    }
}

/// Six columns: terminal, epoch, seq, settled, unpaid, why.
fn line(kind: LineKind, row: &rusqlite::Row<'_>) -> rusqlite::Result<StatementLine> {
    let origin = Origin { terminal: col(row, 0)?, epoch: col(row, 1)?, seq: col(row, 2)? };
    Ok(StatementLine { kind, origin, settled: col(row, 3)?, unpaid: col(row, 4)?, why: row.get(5)? })
}

fn extend(
    lines: &mut Vec<StatementLine>,
    rows: impl Iterator<Item = rusqlite::Result<StatementLine>>,
) -> Result<(), StoreError> {
    for row in rows {
        lines.push(row?);
    }
    Ok(())
}
