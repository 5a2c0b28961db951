//! What households and funders pay in: booked once, taken back whole by a counter-entry, never changed.
//!
//! Incoming → Source, when somebody says that it was paid; Bank → Incoming, when the bank says so too (`bank_money_in.rs`).

use cabas_protocol::{Cents, Timestamp};
use rusqlite::{OptionalExtension as _, Row, params};

use super::closing::person;
use super::error::StoreError;
use super::fund::name;
use super::model::{MoneyInDone, MoneyInImport, MoneyInOrder, MoneyInView, Payer};
use super::sources::CONTRIBUTIONS;
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;
use crate::bank::day as day_text;
use crate::core::ledger::{AccountId, Entry, TransferKind};

/// Bytes of a payment's own name, at the most.
pub const REFERENCE_BYTES_MAX: usize = 64;
/// Lines of one import, at the most.
pub const MONEY_IN_LINES_MAX: usize = 100_000;
/// What is listed at once, at the most.
pub const MONEY_IN_LISTED_MAX: u32 = 1_000;
/// 2020-01-01, the first day that is taken, in days since 1970-01-01.
pub const DAY_MIN: u32 = 18_262;
const SECONDS_OF_A_DAY: u64 = 86_400;
/// What is told of money in.
const LISTED: &str = "SELECT m.id, code, sources.name, cents, day, reference, takes_back, reason,
        (SELECT id FROM money_in AS back WHERE back.takes_back = m.id),
        (SELECT entry FROM banked WHERE money_in = m.id), said_by, said_at
    FROM money_in AS m JOIN sources ON sources.number = source LEFT JOIN households ON households.number = household";

/// Why money in is not taken. Nothing was booked.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MoneyInRefusal {
    /// There is none.
    #[error("there is no household of this code; see cabas-hub household list")]
    NoHousehold,
    /// There is none.
    #[error("there is no source of this name; set its budget with cabas-hub source set, or see cabas-hub source list")]
    NoSource,
    /// Its money comes from households.
    #[error("contributions are paid by households; use cabas-hub contribution add --household CODE")]
    OfHouseholds,
    /// Nothing to book.
    #[error("the amount is 0; name what was paid, in cents")]
    Nothing,
    /// No such day yet, or long past.
    #[error("{day} is after today, or before 2020; name the day of the payment", day = day_text(*.0))]
    Day(u32),
    /// Another payment has it.
    #[error("the reference is that of another payment, noted as number {0}; a payment is booked once")]
    ReferenceTaken(u64),
    /// It was taken back.
    #[error("the payment of this reference was noted as number {0} and taken back; give a new one another reference")]
    ReferenceTakenBack(u64),
    /// It looks like one that is known.
    #[error(
        "a payment of the same payer, day and amount is noted as number {0}; if this is another one, say --again or give \
         it a reference"
    )]
    Alike(u64),
    /// There is none.
    #[error("there is no money in of number {0}; see cabas-hub contribution list and cabas-hub source list")]
    Unknown(u64),
    /// Once only.
    #[error("number {0} was taken back before")]
    TakenBackBefore(u64),
    /// A counter-entry stays.
    #[error("number {0} is a counter-entry itself; book the payment again if it was right")]
    CounterEntry(u64),
    /// The wrong way.
    #[error("bank entry {0} is money that went out; it can only be matched with what was taken back (--noted N)")]
    EntryIsDebit(u64),
    /// Confirmed before.
    #[error("number {0} is matched with a bank entry already; each is matched once")]
    BankedBefore(u64),
    /// Nothing for the bank to say.
    #[error(
        "number {0} does not fit this bank entry: one is a payment, the other is money given back, or it never came"
    )]
    NotForEntry(u64),
    /// A payment that waits for the bank is of the same payer and amount.
    #[error(
        "this is noted as number {0} and waits for the bank: match it with --noted {0}, or say --again if it is another"
    )]
    WaitsForBank(u64),
    /// Something happened since it was shown.
    #[error("what would be booked is not what was shown; look at it again")]
    NotAsShown,
    /// It does not fit.
    #[error("the bank entry is of {entry} €, what is named comes to {noted} €; they must be the same")]
    OtherSum {
        /// The entry's.
        entry: Cents,
        /// What is named.
        noted: Cents,
    },
}

/// A payer as the file knows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Paid {
    pub(super) household: Option<i64>,
    pub(super) source: u32,
}

impl Tx<'_> {
    /// Notes that a household or a funder paid. The same reference again does nothing.
    ///
    /// # Errors
    /// [`MoneyInRefusal`]; [`StoreError::Text`] for a reference or a name that is none.
    pub fn money_in_add(&mut self, order: &MoneyInOrder, now: Timestamp) -> Result<MoneyInDone, StoreError> {
        let by = person(&order.by)?;
        let paid = self.payer(&order.payer)?;
        if order.cents.is_zero() {
            return Err(MoneyInRefusal::Nothing.into());
        }
        if order.day < DAY_MIN || u64::from(order.day) > now.get().checked_div(SECONDS_OF_A_DAY).unwrap_or(0) {
            return Err(MoneyInRefusal::Day(order.day).into());
        }
        if let Some(reference) = &order.reference {
            if reference.len() > REFERENCE_BYTES_MAX {
                return Err(StoreError::Text("reference"));
            }
            name("reference", reference)?;
            if let Some(id) = self.of_reference(reference, paid, order)? {
                return Ok(MoneyInDone { id, before: true });
            }
        } else if !order.again
            && let Some(id) = self.alike(paid, order)?
        {
            return Err(MoneyInRefusal::Alike(id).into());
        }
        let id = self.keep_money_in(paid, order.cents, (order.day, order.reference.as_deref()), None, by, now)?;
        Ok(MoneyInDone { id, before: false })
    }

    /// Notes many, all or none of them; in a dry run none. `refused` says what is not taken.
    ///
    /// # Errors
    /// [`StoreError::Text`], [`StoreError::Sqlite`].
    pub fn money_in_import(
        &mut self,
        orders: &[MoneyInOrder],
        dry_run: bool,
        now: Timestamp,
    ) -> Result<MoneyInImport, StoreError> {
        if orders.len() > MONEY_IN_LINES_MAX {
            return Err(StoreError::Exhausted("line of one import"));
        }
        self.conn.execute_batch("SAVEPOINT money_in_import")?;
        let mut report = MoneyInImport::default();
        for (place, order) in orders.iter().enumerate() {
            match self.money_in_add(order, now) {
                Ok(MoneyInDone { before: true, .. }) => report.before = report.before.saturating_add(1),
                Ok(MoneyInDone { before: false, .. }) => {
                    report.added = report.added.saturating_add(1);
                    report.added_cents = report.added_cents.plus(order.cents)?;
                }
                Err(StoreError::MoneyIn(refusal)) => report.refused.push((place, refusal)),
                Err(error) => return Err(error),
            }
        }
        if dry_run || !report.refused.is_empty() {
            self.conn.execute_batch("ROLLBACK TO money_in_import")?;
        }
        self.conn.execute_batch("RELEASE money_in_import")?;
        Ok(report)
    }

    /// Takes money in back, whole, by a counter-entry; gives its number.
    ///
    /// # Errors
    /// [`MoneyInRefusal`]; [`StoreError::Text`] for a reason or a name that is none.
    pub fn money_in_take_back(&mut self, id: u64, reason: &str, by: &str, now: Timestamp) -> Result<u64, StoreError> {
        let by = person(by)?;
        name("reason", reason)?;
        let read = "SELECT household, source, cents, day, takes_back,
                EXISTS (SELECT 1 FROM money_in AS back WHERE back.takes_back = money_in.id) FROM money_in WHERE id = ?1";
        let found = self.conn.query_row(read, [Sql(id)], |row| {
            let paid = Paid { household: row.get(0)?, source: row.get(1)? };
            Ok((paid, col(row, 2)?, row.get(3)?, col_opt::<u64>(row, 4)?, row.get(5)?))
        });
        let found: Option<(Paid, Cents, u32, Option<u64>, bool)> = found.optional()?;
        let (paid, cents, day, takes_back, is_back) = found.ok_or(MoneyInRefusal::Unknown(id))?;
        if takes_back.is_some() {
            return Err(MoneyInRefusal::CounterEntry(id).into());
        }
        if is_back {
            return Err(MoneyInRefusal::TakenBackBefore(id).into());
        }
        self.keep_money_in(paid, cents, (day, None), Some((id, reason.trim())), by, now)
    }

    /// The row and its transfer.
    pub(super) fn keep_money_in(
        &self,
        paid: Paid,
        cents: Cents,
        (day, reference): (u32, Option<&str>),
        takes_back: Option<(u64, &str)>,
        by: &str,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let id: u64 = self
            .conn
            .prepare_cached(
                "INSERT INTO money_in (id, household, source, cents, day, reference, takes_back, reason, said_by, said_at)
                 VALUES ((SELECT ifnull(max(id), 0) + 1 FROM money_in), ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) RETURNING id",
            )?
            .query_row(
                params![
                    paid.household,
                    paid.source,
                    Sql(cents),
                    day,
                    reference,
                    takes_back.map(|(id, _)| Sql(id)),
                    takes_back.map(|(_, reason)| reason),
                    by,
                    Sql(now)
                ],
                |row| col(row, 0),
            )?;
        let source = AccountId::source(paid.source);
        let (debit, credit, kind) = match takes_back {
            None => (AccountId::INCOMING, source, TransferKind::MoneyIn),
            Some(_) => (source, AccountId::INCOMING, TransferKind::MoneyBack),
        };
        self.with_books(|books| books.post(Entry { debit, credit, cents, kind, cause: id }).map(drop))?;
        Ok(id)
    }

    /// A household pays into the source of contributions, which is made when the first does; a funder into its own.
    pub(super) fn payer(&self, payer: &Payer) -> Result<Paid, StoreError> {
        match payer {
            Payer::Household(code) => {
                let read = "SELECT number FROM households WHERE code = ?1";
                let household = self.conn.query_row(read, [code], |row| row.get(0)).optional()?;
                let household = household.ok_or(MoneyInRefusal::NoHousehold)?;
                Ok(Paid { household: Some(household), source: self.source(CONTRIBUTIONS)? })
            }
            Payer::Source(funder) if funder.trim().eq_ignore_ascii_case(CONTRIBUTIONS) => {
                Err(MoneyInRefusal::OfHouseholds.into())
            }
            Payer::Source(funder) => {
                let source = self.source_no(funder)?.ok_or(MoneyInRefusal::NoSource)?;
                Ok(Paid { household: None, source })
            }
        }
    }

    /// The number of the same payment told before.
    fn of_reference(&self, reference: &str, paid: Paid, order: &MoneyInOrder) -> Result<Option<u64>, StoreError> {
        let read = "SELECT id, household, source, cents, day,
                EXISTS (SELECT 1 FROM money_in AS back WHERE back.takes_back = money_in.id)
             FROM money_in WHERE reference = ?1";
        let found = self.conn.prepare_cached(read)?.query_row([reference], |row| {
            let known = Paid { household: row.get(1)?, source: row.get(2)? };
            Ok((col(row, 0)?, known, col(row, 3)?, row.get(4)?, row.get(5)?))
        });
        let found: Option<(u64, Paid, Cents, u32, bool)> = found.optional()?;
        let Some((id, known, cents, day, is_back)) = found else { return Ok(None) };
        if is_back {
            Err(MoneyInRefusal::ReferenceTakenBack(id).into())
        } else if (known, cents, day) == (paid, order.cents, order.day) {
            Ok(Some(id))
        } else {
            Err(MoneyInRefusal::ReferenceTaken(id).into())
        }
    }

    /// A payment that stands, of the same payer, day and amount.
    fn alike(&self, paid: Paid, order: &MoneyInOrder) -> Result<Option<u64>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT min(id) FROM money_in WHERE household IS ?1 AND source = ?2 AND cents = ?3 AND day = ?4
             AND takes_back IS NULL AND NOT EXISTS (SELECT 1 FROM money_in AS back WHERE back.takes_back = money_in.id)",
        )?;
        let values = params![paid.household, paid.source, Sql(order.cents), order.day];
        Ok(read.query_row(values, |row| col_opt(row, 0))?)
    }

    /// Money in, newest first: of households, or of funders; of one year, or of all.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn money_in_list(&self, of_households: bool, year: Option<u16>) -> Result<Vec<MoneyInView>, StoreError> {
        let mut read = self.conn.prepare(&format!(
            "{LISTED} WHERE (household IS NOT NULL) = ?1
             AND (?2 IS NULL OR strftime('%Y', day * 86400, 'unixepoch') = ?2) ORDER BY m.id DESC LIMIT ?3"
        ))?;
        let year = year.map(|year| year.to_string());
        let views = read.query_map(params![of_households, year, MONEY_IN_LISTED_MAX], view)?;
        Ok(views.collect::<Result<_, _>>()?)
    }
}

impl Tx<'_> {
    /// Money in of days from one on up to before another, newest first: of households, or of funders.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn money_in_between(
        &self,
        of_households: bool,
        (from, to): (u32, u32),
    ) -> Result<Vec<MoneyInView>, StoreError> {
        let read = format!(
            "{LISTED} WHERE (household IS NOT NULL) = ?1 AND day >= ?2 AND day < ?3 ORDER BY m.id DESC LIMIT ?4"
        );
        let mut read = self.conn.prepare_cached(&read)?;
        let views = read.query_map(params![of_households, from, to, MONEY_IN_LISTED_MAX], view)?;
        Ok(views.collect::<Result<_, _>>()?)
    }

    /// Money in of a number.
    ///
    /// # Errors
    /// [`MoneyInRefusal::Unknown`].
    pub fn money_in_of(&self, id: u64) -> Result<MoneyInView, StoreError> {
        let found = self.conn.query_row(&format!("{LISTED} WHERE m.id = ?1"), [Sql(id)], view).optional()?;
        Ok(found.ok_or(MoneyInRefusal::Unknown(id))?)
    }
}

fn view(row: &Row<'_>) -> rusqlite::Result<MoneyInView> {
    Ok(MoneyInView {
        id: col(row, 0)?,
        household: row.get(1)?,
        source: row.get(2)?,
        cents: col(row, 3)?,
        day: row.get(4)?,
        reference: row.get(5)?,
        takes_back: col_opt(row, 6)?,
        reason: row.get(7)?,
        taken_back_by: col_opt(row, 8)?,
        entry: col_opt(row, 9)?,
        said_by: row.get(10)?,
        said_at: col(row, 11)?,
    })
}
