//! What the pages show of settlements and of the bank, beside what the command line shows. It only reads.

use cabas_protocol::statement::{LineKind, SettlementStatement, StatementLine};
use cabas_protocol::{Cents, Seq, Timestamp};
use rusqlite::{OptionalExtension as _, Row, params};

use super::bank_refusal::BankRefusal;
use super::error::StoreError;
use super::model::{PayoutRef, Settlement, ShopStatement};
use super::payout_returns::PayoutReturnView;
use super::set_asides::SetAside;
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;
use crate::core::bank_text::BankKeys;
use crate::core::ledger::{EpochNo, RowKey};

/// Times that an entry was set aside or taken up again, at the most, that are shown.
const ASIDES_SHOWN_MAX: u32 = 20;

/// Who closed a settlement.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SettlementPeople {
    /// Who prepared it; nobody where it was closed before two people were needed.
    pub prepared_by: Option<String>,
    /// Who approved it.
    pub approved_by: Option<String>,
}

/// A settlement as it stands for one shop.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SettlementOfShop {
    /// Its number.
    pub number: u32,
    /// When it was closed.
    pub closed_at: Timestamp,
    /// What it comes to.
    pub statement: ShopStatement,
    /// `due`, `ordered`, `paid` or `back`; nothing where nothing is paid.
    pub state: Option<&'static str>,
}

/// The account to which a payout goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PayoutAccount {
    /// The shop's code.
    pub shop: String,
    /// The IBAN.
    pub iban: String,
    /// Who set it.
    pub set_by: String,
    /// When.
    pub set_at: Timestamp,
    /// True where no payment file of another settlement went there: it is looked at twice.
    pub is_new: bool,
}

/// A payout that came back, or never left.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PayoutBack {
    /// The shop's code.
    pub shop: String,
    /// How much.
    pub cents: Cents,
    /// What the bank says.
    pub reason: String,
    /// The bank's entry that brought it; none where the bank did not pay.
    pub entry: Option<u64>,
    /// Who said so, where the bank did not name it itself.
    pub said_by: Option<String>,
    /// Who approved it.
    pub approved_by: Option<String>,
    /// When.
    pub booked_at: Timestamp,
}

/// A statement that was imported.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StatementKept {
    /// Its number.
    pub id: u64,
    /// The bank's name for it.
    pub name: String,
    /// Before, in cents; may be below nothing.
    pub opening: i64,
    /// After.
    pub closing: i64,
    /// What was booked in it.
    pub entries: u32,
    /// What of it is open.
    pub open: u32,
    /// Who imported it.
    pub imported_by: String,
    /// When.
    pub imported_at: Timestamp,
}

/// What the bank booked, with all that may be shown of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BankEntryDetail {
    /// Its number.
    pub id: u64,
    /// True where money came in.
    pub is_credit: bool,
    /// How much.
    pub cents: Cents,
    /// When, in days since 1970-01-01.
    pub booked_on: Option<u32>,
    /// 0 open, 1 payouts, 2 contributions or funds, 3 set aside.
    pub state: u8,
    /// The payouts that it paid or brought back.
    pub explained: Vec<PayoutRef>,
    /// What may be meant, where it is open.
    pub proposals: Vec<PayoutRef>,
    /// What it consists of.
    pub parts: Vec<BankEntryPart>,
    /// What was said of setting it aside, newest first.
    pub asides: Vec<SetAside>,
    /// What one person said that it brought back, and nobody agreed to yet.
    pub waiting: Option<PayoutReturnView>,
}

/// A part of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BankEntryPart {
    /// How much, where the bank says so.
    pub cents: Option<Cents>,
    /// Our reference for the payment.
    pub end_to_end: Option<String>,
    /// Why it came back.
    pub return_code: Option<String>,
    /// Who was paid. Who paid in is not told here: it may be a household.
    pub counterparty: Option<String>,
    /// What was written with it, where money went out.
    pub remittance: Option<String>,
}

impl Tx<'_> {
    /// One settlement.
    ///
    /// # Errors
    /// [`BankRefusal::NoSettlement`].
    pub fn settlement(&self, number: u32) -> Result<Settlement, StoreError> {
        let read = "SELECT closed_at FROM settlements WHERE number = ?1";
        let closed_at: Option<Timestamp> = self.conn.query_row(read, [number], |row| col(row, 0)).optional()?;
        let closed_at = closed_at.ok_or(BankRefusal::NoSettlement(number))?;
        let shops = self.statements(number)?;
        let payout = Cents::sum(shops.iter().map(|shop| shop.payout))?;
        Ok(Settlement { number, closed_at: Some(closed_at), shops, payout })
    }

    /// Who closed a settlement.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn settlement_people(&self, number: u32) -> Result<SettlementPeople, StoreError> {
        let read = "SELECT prepared_by, ended_by FROM preparations WHERE settlement = ?1 AND state = 1";
        let people = self.conn.query_row(read, [number], |row| {
            Ok(SettlementPeople { prepared_by: row.get(0)?, approved_by: row.get(1)? })
        });
        Ok(people.optional()?.unwrap_or_default())
    }

    /// The settlements in which a shop has something, newest first.
    ///
    /// # Errors
    /// [`StoreError::UnknownShop`].
    pub fn settlements_of(&self, shop: &str, limit: u32) -> Result<Vec<SettlementOfShop>, StoreError> {
        let number = self.shop_no(shop)?;
        let mut read = self.conn.prepare_cached(
            "SELECT number, closed_at FROM settlements JOIN settlement_shops ON settlement = number
             WHERE shop = ?1 ORDER BY number DESC LIMIT ?2",
        )?;
        let found = read.query_map(params![Sql(number), limit], |row| Ok((row.get(0)?, col(row, 1)?)))?;
        let mut settlements = Vec::new();
        for (number, closed_at) in found.collect::<Result<Vec<(u32, Timestamp)>, _>>()? {
            let statement = self.statements(number)?.into_iter().find(|statement| statement.shop_code == shop);
            let statement = statement.ok_or(StoreError::NoStatement { settlement: number })?;
            let state = self.payouts(number)?.into_iter().find(|view| view.shop == shop).map(|view| view.state);
            settlements.push(SettlementOfShop { number, closed_at, statement, state });
        }
        Ok(settlements)
    }

    /// The accounts of a settlement's payouts: those of its file, or those that hold until one is made.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn payout_accounts(&self, number: u32) -> Result<Vec<PayoutAccount>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT code, iban, set_by, set_at, NOT EXISTS (SELECT 1 FROM payments AS o JOIN shop_accounts AS b
                ON b.id = o.account WHERE o.shop = s.shop AND o.settlement < s.settlement AND b.iban = a.iban)
             FROM settlement_shops AS s JOIN shops ON shops.number = s.shop
             LEFT JOIN payments AS p ON p.settlement = s.settlement AND p.shop = s.shop
             JOIN shop_accounts AS a ON a.id = ifnull(p.account, (SELECT max(id) FROM shop_accounts AS c WHERE c.shop = s.shop))
             WHERE s.settlement = ?1 AND s.payout > 0 ORDER BY code",
        )?;
        let accounts = read.query_map([number], |row| {
            Ok(PayoutAccount {
                shop: row.get(0)?,
                iban: row.get(1)?,
                set_by: row.get(2)?,
                set_at: col(row, 3)?,
                is_new: row.get(4)?,
            })
        })?;
        Ok(accounts.collect::<Result<_, _>>()?)
    }

    /// What of a settlement came back, or never left.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn payouts_back(&self, number: u32) -> Result<Vec<PayoutBack>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT code, cents, reason, entry, said_by, approved_by, booked_at FROM payouts_back
             JOIN shops ON number = shop WHERE settlement = ?1 ORDER BY place",
        )?;
        let back = read.query_map([number], |row| {
            Ok(PayoutBack {
                shop: row.get(0)?,
                cents: col(row, 1)?,
                reason: row.get(2)?,
                entry: col_opt(row, 3)?,
                said_by: row.get(4)?,
                approved_by: row.get(5)?,
                booked_at: col(row, 6)?,
            })
        })?;
        Ok(back.collect::<Result<_, _>>()?)
    }

    /// When each of these lines of a statement happened, as far as its row says so.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn times_of(
        &self,
        statement: &SettlementStatement,
        lines: &[StatementLine],
    ) -> Result<Vec<Option<Timestamp>>, StoreError> {
        let mut epoch = self.conn.prepare_cached(
            "SELECT epochs.number FROM epochs JOIN terminals ON terminals.number = terminal
             JOIN shops ON shops.number = terminals.shop WHERE terminals.number = ?1 AND epoch = ?2 AND code = ?3",
        )?;
        let mut row = self.conn.prepare_cached("SELECT happened_at FROM rows WHERE key = ?1")?;
        let mut times = Vec::new();
        for line in lines {
            let origin = &line.origin;
            let of_row = match line.kind {
                LineKind::Sale | LineKind::Reversal | LineKind::Refund => {
                    let place = params![Sql(origin.terminal), Sql(origin.epoch), statement.shop];
                    epoch.query_row(place, |row| col::<EpochNo>(row, 0)).optional()?
                }
                LineKind::Disputed | LineKind::Brought => None,
            };
            let happened = match of_row {
                Some(of_row) => self.happened(&mut row, of_row, origin.seq)?,
                None => None,
            };
            times.push(happened);
        }
        Ok(times)
    }

    fn happened(
        &self,
        read: &mut rusqlite::CachedStatement<'_>,
        epoch: EpochNo,
        seq: Seq,
    ) -> Result<Option<Timestamp>, StoreError> {
        let found = read.query_row([Sql(RowKey::new(epoch, seq))], |row| col_opt(row, 0));
        Ok(found.optional()?.flatten())
    }

    /// The statements that were imported, newest first.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn statements_kept(&self, limit: u32) -> Result<Vec<StatementKept>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT id, name, opening, closing, imported_by, imported_at,
                (SELECT count(*) FROM statement_entries WHERE statement = s.id),
                (SELECT count(*) FROM statement_entries JOIN bank_entries AS e ON e.id = entry
                    WHERE statement = s.id AND state = 0)
             FROM statements AS s ORDER BY id DESC LIMIT ?1",
        )?;
        let kept = read.query_map([limit], |row| {
            Ok(StatementKept {
                id: col(row, 0)?,
                name: row.get(1)?,
                opening: row.get(2)?,
                closing: row.get(3)?,
                imported_by: row.get(4)?,
                imported_at: col(row, 5)?,
                entries: row.get(6)?,
                open: row.get(7)?,
            })
        })?;
        Ok(kept.collect::<Result<_, _>>()?)
    }

    /// What the bank booked, newest first, below the entry `before` where one is named.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn bank_entries_below(
        &self,
        only_open: bool,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<BankEntryDetail>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT id, is_credit, cents, booked_on, state FROM bank_entries
             WHERE (state = 0 OR NOT ?1) AND id < ifnull(?2, 9223372036854775807) ORDER BY id DESC LIMIT ?3",
        )?;
        let found = read.query_map(params![only_open, before.map(Sql), limit], entry)?;
        let mut entries = found.collect::<Result<Vec<_>, _>>()?;
        for entry in &mut entries {
            self.explain(entry)?;
        }
        Ok(entries)
    }

    /// One of them, with its parts.
    ///
    /// # Errors
    /// [`BankRefusal::NoEntry`].
    pub fn bank_entry(&self, keys: &dyn BankKeys, id: u64) -> Result<BankEntryDetail, StoreError> {
        let read = "SELECT id, is_credit, cents, booked_on, state FROM bank_entries WHERE id = ?1";
        let found = self.conn.query_row(read, [Sql(id)], entry).optional()?;
        let mut found = found.ok_or(BankRefusal::NoEntry(id))?;
        self.explain(&mut found)?;
        for text in self.texts(keys, id)?.parts {
            // What somebody wrote who paid in may name a household; a payment of ours does not.
            let is_ours = text.end_to_end.as_deref().map(|id| self.payment_named(id)).transpose()?.flatten().is_some();
            let is_shown = |text: &String| !found.is_credit || (is_ours && !text.is_empty());
            found.parts.push(BankEntryPart {
                cents: text.cents.map(Cents::new).transpose()?,
                end_to_end: text.end_to_end.filter(is_shown),
                return_code: text.return_code,
                counterparty: text.counterparty.filter(|_| !found.is_credit),
                remittance: text.remittance.filter(|_| !found.is_credit),
            });
        }
        found.asides = self.set_asides_of(id, ASIDES_SHOWN_MAX)?;
        found.waiting = self.payout_returns_waiting(u32::MAX)?.into_iter().find(|view| view.entry == id);
        Ok(found)
    }

    fn explain(&self, entry: &mut BankEntryDetail) -> Result<(), StoreError> {
        if entry.state == 0 {
            entry.proposals = self.payouts_like(entry.is_credit, entry.cents)?;
            return Ok(());
        }
        let mut read = self.conn.prepare_cached(
            "SELECT settlement, code FROM (SELECT settlement, shop FROM payouts_paid WHERE entry = ?1
                UNION ALL SELECT settlement, shop FROM payouts_back WHERE entry = ?1) JOIN shops ON number = shop
             ORDER BY settlement, code",
        )?;
        let explained =
            read.query_map([Sql(entry.id)], |row| Ok(PayoutRef { settlement: row.get(0)?, shop: Some(row.get(1)?) }))?;
        entry.explained = explained.collect::<Result<_, _>>()?;
        Ok(())
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<BankEntryDetail> {
    Ok(BankEntryDetail {
        id: col(row, 0)?,
        is_credit: row.get(1)?,
        cents: col(row, 2)?,
        booked_on: row.get(3)?,
        state: row.get(4)?,
        explained: Vec::new(),
        proposals: Vec::new(),
        parts: Vec::new(),
        asides: Vec::new(),
        waiting: None,
    })
}
