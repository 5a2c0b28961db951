//! Settlements: what each shop is owed, closed up to a row of each terminal.

use std::collections::BTreeMap;

use cabas_protocol::{Cents, Seq, Timestamp};
use rusqlite::{OptionalExtension as _, Row, params};

use super::error::StoreError;
use super::ledger::Books;
use super::model::{Settlement, SettlementCut, ShopStatement};
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;
use crate::core::ledger::{AccountId, Entry, EpochNo, RowKey, ShopNo, TransferKind};
use crate::core::settlement::{SettledRow, Sums, payout};

/// The kind of a sale's row (`protocol/wire.md`).
pub(super) const SALE: u16 = 2;
/// The kind of a row that asks for a refund.
pub(super) const REFUND: u16 = 3;
/// The kind of a reversal's row.
pub(super) const REVERSAL: u16 = 4;

/// The rows of one epoch that belong to a settlement: above `from`, up to and with `to`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Part {
    pub(super) epoch: EpochNo,
    pub(super) shop: ShopNo,
    pub(super) from: Seq,
    pub(super) to: Seq,
}

/// The settlement before.
struct Last {
    number: u32,
    closed_at: Option<Timestamp>,
    upto: Upto,
}

/// What the rows up to a cut come to. Reading them takes long, so it is done beside the ledger's thread, and booking it then
/// takes a moment. Rows up to a cut never change: it holds as long as no other settlement was booked since.
#[derive(Clone, Debug)]
pub struct WorkedOut {
    pub(super) cut: SettlementCut,
    after: u32,
    parts: Vec<Part>,
    sums: BTreeMap<ShopNo, Sums>,
}

/// A settlement that is worked out.
struct Draft {
    last: Last,
    parts: Vec<Part>,
    shops: BTreeMap<ShopNo, ShopStatement>,
    upto: Upto,
}

/// Up to where a settlement goes beside the rows of its parts.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub(super) struct Upto {
    /// Disputed rows, by id.
    pub(super) disputed: u64,
    /// Granted refunds, by place.
    pub(super) refunded: u64,
    /// Sales that only cards told of, by place.
    pub(super) brought: u64,
    /// Payouts that came back, by place.
    pub(super) returned: u64,
}

impl Tx<'_> {
    /// The cut that a settlement closed at this moment would have: every row that the hub has.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn settlement_cut(&self) -> Result<SettlementCut, StoreError> {
        let mut read =
            self.conn.prepare("SELECT number, acked_seq FROM epochs WHERE acked_seq > settled_seq ORDER BY number")?;
        let rows = read.query_map([], |row| Ok((col(row, 0)?, col(row, 1)?)))?.collect::<Result<_, _>>()?;
        let newest = "SELECT ifnull(max(id), 0) FROM disputed";
        let disputed = self.conn.query_row(newest, [], |row| col(row, 0))?;
        let newest = "SELECT ifnull(max(place), 0) FROM refunds";
        let refunded = self.conn.query_row(newest, [], |row| col(row, 0))?;
        let newest = "SELECT ifnull(max(place), 0) FROM carried_sales";
        let brought = self.conn.query_row(newest, [], |row| col(row, 0))?;
        let newest = "SELECT ifnull(max(place), 0) FROM payouts_back";
        let returned = self.conn.query_row(newest, [], |row| col(row, 0))?;
        Ok(SettlementCut { rows, disputed, refunded, brought, returned })
    }

    /// What closing at the cut would pay; nothing where there is nothing new.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Money`].
    pub fn settlement_preview(&self, cut: &SettlementCut) -> Result<Option<Settlement>, StoreError> {
        self.settlement_preview_of(&self.settlement_work_out(cut, &mut |_, _| {})?)
    }

    /// The same, of what was worked out.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Money`].
    pub(super) fn settlement_preview_of(&self, worked: &WorkedOut) -> Result<Option<Settlement>, StoreError> {
        let draft = self.draft(&worked.cut, Some(worked))?;
        draft.map(|draft| draft.settlement(None)).transpose()
    }

    /// Works out what the rows up to a cut come to, without writing; `told` hears how many enrolments are read, of how many.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Money`].
    pub fn settlement_work_out(
        &self,
        cut: &SettlementCut,
        told: &mut dyn FnMut(u64, u64),
    ) -> Result<WorkedOut, StoreError> {
        let last = self.last_settlement()?;
        let parts = self.parts(cut)?;
        let sums = self.sums_told(&parts, last.closed_at, (last.upto, last.upto_of(cut)), told)?;
        Ok(WorkedOut { cut: cut.clone(), after: last.number, parts, sums })
    }

    /// True where nothing at all arrived since the settlement before.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn settlement_is_idle(&self) -> Result<bool, StoreError> {
        let (cut, last) = (self.settlement_cut()?, self.last_settlement()?);
        Ok(cut.rows.is_empty() && last.upto == last.upto_of(&cut))
    }

    /// Closes a settlement at the cut, perhaps from what was worked out of it, and books what each shop is owed as under way; nothing where there is nothing
    /// new, so closing twice closes once.
    ///
    /// # Errors
    /// [`StoreError::Restoring`], [`StoreError::PaymentsUnknown`], [`StoreError::Sqlite`], [`StoreError::Money`],
    /// [`StoreError::Ledger`].
    pub(super) fn settlement_book(
        &mut self,
        cut: &SettlementCut,
        worked: Option<&WorkedOut>,
        now: Timestamp,
    ) -> Result<Option<Settlement>, StoreError> {
        self.may_settle()?;
        let Some(draft) = self.draft(cut, worked)? else { return Ok(None) };
        let settlement = draft.settlement(Some(now))?;
        self.conn.execute(
            "INSERT INTO settlements (number, closed_at, disputed_upto, refunded_upto, carried_upto, returned_upto)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                settlement.number,
                Sql(now),
                Sql(draft.upto.disputed),
                Sql(draft.upto.refunded),
                Sql(draft.upto.brought),
                Sql(draft.upto.returned)
            ],
        )?;
        for part in &draft.parts {
            self.conn
                .prepare_cached(
                    "INSERT INTO settlement_cuts (settlement, epoch, from_seq, to_seq) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![settlement.number, Sql(part.epoch), Sql(part.from), Sql(part.to)])?;
            self.conn
                .prepare_cached("UPDATE epochs SET settled_seq = ?2 WHERE number = ?1")?
                .execute(params![Sql(part.epoch), Sql(part.to)])?;
        }
        self.with_books(|books| {
            draft.shops.iter().try_for_each(|(shop, state)| self.pay(books, settlement.number, *shop, state))
        })?;
        Ok(Some(settlement))
    }

    fn pay(
        &self,
        books: &mut Books<'_>,
        number: u32,
        shop: ShopNo,
        statement: &ShopStatement,
    ) -> Result<(), StoreError> {
        let debit = AccountId::payable(shop);
        // A reversal that came after the cut may have taken back already what is paid here: the next settlement has it.
        let transfer = if statement.payout.is_zero() {
            None
        } else {
            let (credit, cents, kind) = (AccountId::TRANSIT, statement.payout, TransferKind::Settlement);
            Some(books.post(Entry { debit, credit, cents, kind, cause: u64::from(number) })?)
        };
        let sums = &statement.sums;
        self.conn
            .prepare_cached(
                "INSERT INTO settlement_shops (settlement, shop, sales, settled, late_sales, late, over_right_sales,
                    over_right, disputed_sales, disputed, carried, carry_on, payout, transfer, reversals, reversed,
                    refunds, refunded, brought_sales, brought, returns, returned)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,
                    ?17, ?18, ?19, ?20, ?21, ?22)",
            )?
            .execute(params![
                number,
                Sql(shop),
                sums.sales,
                Sql(sums.settled),
                sums.late_sales,
                Sql(sums.late),
                sums.over_right_sales,
                Sql(sums.over_right),
                sums.disputed_sales,
                Sql(sums.disputed),
                Sql(statement.carried),
                Sql(statement.carry_on),
                Sql(statement.payout),
                transfer.map(Sql),
                sums.reversals,
                Sql(sums.reversed),
                sums.refunds,
                Sql(sums.refunded),
                sums.brought_sales,
                Sql(sums.brought),
                sums.returns,
                Sql(sums.returned)
            ])?;
        Ok(())
    }

    /// The settlements, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn settlements(&self, limit: u32) -> Result<Vec<Settlement>, StoreError> {
        let mut read = self.conn.prepare("SELECT number, closed_at FROM settlements ORDER BY number DESC LIMIT ?1")?;
        let closed = read.query_map([limit], |row| Ok((row.get(0)?, col(row, 1)?)))?.collect::<Result<Vec<_>, _>>()?;
        closed
            .into_iter()
            .map(|(number, closed_at)| {
                let shops = self.statements(number)?;
                let payout = Cents::sum(shops.iter().map(|shop| shop.payout))?;
                Ok(Settlement { number, closed_at: Some(closed_at), shops, payout })
            })
            .collect()
    }

    pub(super) fn statements(&self, number: u32) -> Result<Vec<ShopStatement>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT shops.code, shops.name, sales, settled, late_sales, late, over_right_sales, over_right,
                disputed_sales, disputed, carried, carry_on, payout, reversals, reversed, refunds, refunded,
                brought_sales, brought, returns, returned
             FROM settlement_shops JOIN shops ON shops.number = shop WHERE settlement = ?1 ORDER BY shops.code",
        )?;
        Ok(read.query_map([number], statement)?.collect::<Result<_, _>>()?)
    }

    /// What was worked out of this cut is taken where it still holds; otherwise the rows are read.
    fn draft(&self, cut: &SettlementCut, worked: Option<&WorkedOut>) -> Result<Option<Draft>, StoreError> {
        let last = self.last_settlement()?;
        let parts = self.parts(cut)?;
        let upto = last.upto_of(cut);
        let holds = |worked: &&WorkedOut| worked.cut == *cut && worked.after == last.number && worked.parts == parts;
        let sums = match worked.filter(holds) {
            Some(worked) => worked.sums.clone(),
            None => self.sums(&parts, last.closed_at, (last.upto, upto))?,
        };
        let mut shops = BTreeMap::new();
        for (shop, sums) in sums.into_iter().filter(|(_, sums)| !sums.is_empty()) {
            shops.insert(shop, self.statement_of(shop, sums)?);
        }
        Ok((!shops.is_empty()).then_some(Draft { last, parts, shops, upto }))
    }

    /// What a settlement comes to, shop by shop.
    pub(super) fn sums(
        &self,
        parts: &[Part],
        closed_before: Option<Timestamp>,
        span: (Upto, Upto),
    ) -> Result<BTreeMap<ShopNo, Sums>, StoreError> {
        self.sums_told(parts, closed_before, span, &mut |_, _| {})
    }

    fn sums_told(
        &self,
        parts: &[Part],
        closed_before: Option<Timestamp>,
        (above, upto): (Upto, Upto),
        told: &mut dyn FnMut(u64, u64),
    ) -> Result<BTreeMap<ShopNo, Sums>, StoreError> {
        let mut sums = BTreeMap::new();
        let total = u64::try_from(parts.len()).unwrap_or(u64::MAX);
        for (part, done) in parts.iter().zip(1..) {
            self.add_rows(part, closed_before, sums.entry(part.shop).or_default())?;
            told(done, total);
        }
        self.add_disputed(above.disputed, upto.disputed, &mut sums)?;
        self.add_refunds(above.refunded, upto.refunded, &mut sums)?;
        self.add_brought(above.brought, upto.brought, &mut sums)?;
        self.add_returned(above.returned, upto.returned, &mut sums)?;
        Ok(sums)
    }

    fn last_settlement(&self) -> Result<Last, StoreError> {
        let read =
            "SELECT number, closed_at, disputed_upto, refunded_upto, carried_upto, returned_upto FROM settlements
             ORDER BY number DESC LIMIT 1";
        let last = self
            .conn
            .query_row(read, [], |row| {
                let upto = Upto {
                    disputed: col(row, 2)?,
                    refunded: col(row, 3)?,
                    brought: col(row, 4)?,
                    returned: col(row, 5)?,
                };
                Ok(Last { number: row.get(0)?, closed_at: Some(col(row, 1)?), upto })
            })
            .optional()?;
        Ok(last.unwrap_or(Last { number: 0, closed_at: None, upto: Upto::default() }))
    }

    /// What of the cut is not settled yet.
    fn parts(&self, cut: &SettlementCut) -> Result<Vec<Part>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT settled_seq, acked_seq, terminals.shop FROM epochs JOIN terminals ON terminals.number = terminal
             WHERE epochs.number = ?1",
        )?;
        let mut parts = Vec::new();
        for (epoch, upto) in &cut.rows {
            let (from, acked, shop): (Seq, Seq, ShopNo) =
                read.query_row([Sql(*epoch)], |row| Ok((col(row, 0)?, col(row, 1)?, col(row, 2)?)))?;
            let to = acked.min(*upto);
            if to > from {
                parts.push(Part { epoch: *epoch, shop, from, to });
            }
        }
        Ok(parts)
    }

    fn add_rows(&self, part: &Part, closed_before: Option<Timestamp>, sums: &mut Sums) -> Result<(), StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT settled, over_right, happened_at, kind FROM rows WHERE key > ?1 AND key <= ?2 AND kind IN (?3, ?4)",
        )?;
        let (from, to) = (RowKey::new(part.epoch, part.from), RowKey::new(part.epoch, part.to));
        let mut rows = read.query(params![Sql(from), Sql(to), SALE, REVERSAL])?;
        while let Some(row) = rows.next()? {
            let (settled, over_right) = (col(row, 0)?, col(row, 1)?);
            if row.get::<_, u16>(3)? == REVERSAL {
                sums.add_reversal(settled)?;
                continue;
            }
            sums.add(SettledRow { settled, over_right, happened_at: col_opt(row, 2)? }, closed_before)?;
        }
        Ok(())
    }

    fn add_disputed(&self, above: u64, upto: u64, sums: &mut BTreeMap<ShopNo, Sums>) -> Result<(), StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT terminals.shop, disputed.claimed FROM disputed JOIN epochs ON epochs.number = disputed.epoch
             JOIN terminals ON terminals.number = epochs.terminal
             WHERE disputed.id > ?1 AND disputed.id <= ?2 AND disputed.kind = ?3",
        )?;
        let mut rows = read.query(params![Sql(above), Sql(upto), SALE])?;
        while let Some(row) = rows.next()? {
            let shop: ShopNo = col(row, 0)?;
            sums.entry(shop).or_default().add_disputed(col(row, 1)?)?;
        }
        Ok(())
    }

    fn add_refunds(&self, above: u64, upto: u64, sums: &mut BTreeMap<ShopNo, Sums>) -> Result<(), StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT terminals.shop, refunds.cents FROM refunds JOIN epochs ON epochs.number = refunds.row >> 32
             JOIN terminals ON terminals.number = epochs.terminal WHERE place > ?1 AND place <= ?2",
        )?;
        let mut rows = read.query(params![Sql(above), Sql(upto)])?;
        while let Some(row) = rows.next()? {
            let shop: ShopNo = col(row, 0)?;
            sums.entry(shop).or_default().add_refund(col(row, 1)?)?;
        }
        Ok(())
    }

    fn add_brought(&self, above: u64, upto: u64, sums: &mut BTreeMap<ShopNo, Sums>) -> Result<(), StoreError> {
        let read = "SELECT shop, settled, over_right FROM carried_sales WHERE place > ?1 AND place <= ?2";
        let mut read = self.conn.prepare_cached(read)?;
        let mut rows = read.query(params![Sql(above), Sql(upto)])?;
        while let Some(row) = rows.next()? {
            let shop: ShopNo = col(row, 0)?;
            sums.entry(shop).or_default().add_brought(col(row, 1)?, col(row, 2)?)?;
        }
        Ok(())
    }

    fn add_returned(&self, above: u64, upto: u64, sums: &mut BTreeMap<ShopNo, Sums>) -> Result<(), StoreError> {
        let read = "SELECT shop, cents FROM payouts_back WHERE place > ?1 AND place <= ?2";
        let mut read = self.conn.prepare_cached(read)?;
        let mut rows = read.query(params![Sql(above), Sql(upto)])?;
        while let Some(row) = rows.next()? {
            let shop: ShopNo = col(row, 0)?;
            sums.entry(shop).or_default().add_returned(col(row, 1)?)?;
        }
        Ok(())
    }

    fn statement_of(&self, shop: ShopNo, sums: Sums) -> Result<ShopStatement, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT code, name, ifnull((SELECT carry_on FROM settlement_shops WHERE shop = ?1
                ORDER BY settlement DESC LIMIT 1), 0) FROM shops WHERE number = ?1",
        )?;
        let (shop_code, shop_name, carried) =
            read.query_row([Sql(shop)], |row| Ok((row.get(0)?, row.get(1)?, col(row, 2)?)))?;
        let (payout, carry_on) = payout(sums.earned()?, sums.taken_back()?, carried)?;
        Ok(ShopStatement { shop_code, shop_name, sums, carried, carry_on, payout })
    }
}

impl Last {
    /// Up to where the settlement after it goes.
    fn upto_of(&self, cut: &SettlementCut) -> Upto {
        Upto {
            disputed: cut.disputed.max(self.upto.disputed),
            refunded: cut.refunded.max(self.upto.refunded),
            brought: cut.brought.max(self.upto.brought),
            returned: cut.returned.max(self.upto.returned),
        }
    }
}

impl Draft {
    fn settlement(&self, closed_at: Option<Timestamp>) -> Result<Settlement, StoreError> {
        let number = self.last.number.checked_add(1).ok_or(StoreError::Exhausted("settlement number"))?;
        let mut shops: Vec<_> = self.shops.values().cloned().collect();
        shops.sort_by(|a, b| a.shop_code.cmp(&b.shop_code));
        let payout = Cents::sum(shops.iter().map(|shop| shop.payout))?;
        Ok(Settlement { number, closed_at, shops, payout })
    }
}

fn statement(row: &Row<'_>) -> rusqlite::Result<ShopStatement> {
    Ok(ShopStatement {
        shop_code: row.get(0)?,
        shop_name: row.get(1)?,
        sums: Sums {
            sales: row.get(2)?,
            settled: col(row, 3)?,
            late_sales: row.get(4)?,
            late: col(row, 5)?,
            over_right_sales: row.get(6)?,
            over_right: col(row, 7)?,
            disputed_sales: row.get(8)?,
            disputed: col(row, 9)?,
            reversals: row.get(13)?,
            reversed: col(row, 14)?,
            refunds: row.get(15)?,
            refunded: col(row, 16)?,
            brought_sales: row.get(17)?,
            brought: col(row, 18)?,
            returns: row.get(19)?,
            returned: col(row, 20)?,
        },
        carried: col(row, 10)?,
        carry_on: col(row, 11)?,
        payout: col(row, 12)?,
    })
}
