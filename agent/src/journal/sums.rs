//! The sales of a stretch of rows by category and by cashier, read in steps so that a customer waits for no more than one.

use super::Journal;
use super::error::JournalError;
use super::state::State;
use cabas_protocol::row::{RowBody, Sale};
use cabas_protocol::sign::SignError;
use cabas_protocol::{CategoryId, Cents, MoneyError, Row, Seq, Signed};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::BTreeMap;

/// Rows that are read in one step.
const STEP_ROWS: u32 = 500;

/// Sales in one category.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CategorySum {
    /// Sales with a line in it.
    pub sales: u32,
    /// The fund's part of these lines.
    pub fund: Cents,
    /// The member's part of them.
    pub member: Cents,
}

/// Sales of one cashier.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CashierSum {
    /// Sales.
    pub sales: u32,
    /// The fund's part of them.
    pub fund: Cents,
}

/// Sums over a stretch of rows, as far as they were read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Sums {
    from: Seq,
    next: Seq,
    upto: Seq,
    /// Who sells at `next`; 0 for nobody.
    cashier: u16,
    /// By category.
    pub categories: BTreeMap<CategoryId, CategorySum>,
    /// By the cashier's number; empty where no row ever named one.
    pub cashiers: BTreeMap<u16, CashierSum>,
    has_cashiers: bool,
}

impl Sums {
    /// True where everything was read.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.next > self.upto
    }

    /// As it is told: where no row ever named a cashier, there is none.
    fn told(mut self) -> Self {
        if self.is_done() && !self.has_cashiers {
            self.cashiers.clear();
        }
        self
    }

    fn sale(&mut self, sale: &Sale) -> Result<(), MoneyError> {
        let mut seen: Vec<CategoryId> = Vec::with_capacity(sale.lines.len());
        for line in &sale.lines {
            let sum = self.categories.entry(line.category).or_default();
            if !seen.contains(&line.category) {
                seen.push(line.category);
                sum.sales = sum.sales.saturating_add(1);
            }
            sum.fund = sum.fund.plus(line.fund)?;
            sum.member = sum.member.plus(line.member)?;
        }
        let by = self.cashiers.entry(self.cashier).or_default();
        by.sales = by.sales.saturating_add(1);
        by.fund = by.fund.plus(sale.fund_cents()?)?;
        Ok(())
    }
}

impl Journal {
    /// Begins the sums over the rows from `from` to `upto`; those of the open day go on where they were read to.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn sums(&mut self, from: Seq, upto: Seq) -> Result<Sums, JournalError> {
        // Only rows that stand in the file were read, and none of them ever changes.
        let kept = self.day_sums.clone().filter(|kept| kept.from == from && kept.upto <= upto);
        self.read(|db, state| {
            if let Some(kept) = kept {
                return Ok(Sums { upto, ..kept }.told());
            }
            let cashier = cashier_before(db, state, from)?;
            let has_cashiers = cashier.is_some();
            let cashier = cashier.unwrap_or(0);
            Ok(Sums { from, next: from, upto, cashier, has_cashiers, ..Sums::default() })
        })
    }

    /// Reads one step more.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn sum_on(&mut self, mut sums: Sums) -> Result<Sums, JournalError> {
        let (sums, read) = self.read(|db, state| {
            let mut read = 0_usize;
            let last = sums.next.get().saturating_add(STEP_ROWS.saturating_sub(1)).min(sums.upto.get());
            let mut select = db.prepare_cached(
                "SELECT bytes FROM rows WHERE seq BETWEEN ?1 AND ?2 AND +kind IN (2, 12) ORDER BY seq",
            )?;
            for bytes in select.query_map(params![sums.next.get(), last], |row| row.get::<_, Vec<u8>>(0))? {
                read = read.saturating_add(1);
                match body(state, bytes?)? {
                    RowBody::Sale(sale) => sums.sale(&sale)?,
                    RowBody::CashierChange(change) => {
                        (sums.cashier, sums.has_cashiers) = (change.cashier, true);
                    }
                    RowBody::Start(_)
                    | RowBody::RefundRequest(_)
                    | RowBody::Reversal(_)
                    | RowBody::Return(_)
                    | RowBody::ListApplied(_)
                    | RowBody::Intent(_)
                    | RowBody::InDoubt(_)
                    | RowBody::DoubtResolved(_)
                    | RowBody::Courier(_)
                    | RowBody::Close(_)
                    | RowBody::Training(_)
                    | RowBody::ClockSet(_)
                    | RowBody::Configured(_)
                    | RowBody::CardWritten(_)
                    | RowBody::Unknown { .. } => {
                        return Err(JournalError::Inconsistent("a row is not of the kind that it is filed under"));
                    }
                }
            }
            sums.next = Seq::new(last).next().ok_or(JournalError::Full)?;
            Ok((sums, read))
        })?;
        tracing::trace!(rows = read, "rows were summed");
        #[cfg(test)]
        {
            self.rows_summed = self.rows_summed.saturating_add(read);
        }
        self.keep(&sums);
        Ok(sums.told())
    }

    /// Keeps the sums of the open day, where nobody read further meanwhile.
    fn keep(&mut self, sums: &Sums) {
        let is_open = sums.is_done() && self.state.periods.day.closed.next() == Some(sums.from);
        let is_further = self.day_sums.as_ref().is_none_or(|kept| kept.from != sums.from || kept.upto < sums.upto);
        if is_open && is_further {
            self.day_sums = Some(sums.clone());
        }
    }
}

fn cashier_before(db: &Connection, state: &State, before: Seq) -> Result<Option<u16>, JournalError> {
    let mut select = db.prepare_cached(
        "SELECT bytes FROM rows INDEXED BY rows_of_cashiers WHERE kind = 12 AND seq < ?1 ORDER BY seq DESC LIMIT 1",
    )?;
    let found = select.query_row([before.get()], |row| row.get::<_, Vec<u8>>(0)).optional()?;
    let Some(bytes) = found else { return Ok(None) };
    let RowBody::CashierChange(change) = body(state, bytes)? else {
        return Err(JournalError::Inconsistent("a row is not of the kind that it is filed under"));
    };
    Ok(Some(change.cashier))
}

fn body(state: &State, bytes: Vec<u8>) -> Result<RowBody, JournalError> {
    let signed = Signed::<Row>::from_bytes(bytes).map_err(SignError::from)?;
    Ok(signed.read_trusted(state.id.fund)?.into_payload().body)
}
