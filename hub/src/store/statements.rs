//! What the bank says: statements are kept entry by entry, each once; payouts that they confirm or bring back are booked.

use std::collections::BTreeSet;

use cabas_protocol::{Cents, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::bank_refusal::BankRefusal;
use super::bank_texts::{Texts, known_by};
use super::closing::{person, same_person};
use super::error::StoreError;
use super::fund::name;
use super::model::{BankEntryView, PayoutRef, StatementReport};
use super::sql::{Sql, col};
use super::tx::Tx;
use crate::bank::{Entry as Booked, Statement, Statements};
use crate::core::bank_text::BankKeys;
use crate::core::ledger::{AccountId, Entry, ShopNo, TransferKind};

/// The state of an entry that payouts explain.
pub(super) const PAYOUTS: u8 = 1;
/// Proposals for an entry that are shown.
const PROPOSALS_MAX: u32 = 5;

/// A payout as the bank may name it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Payout {
    pub(super) settlement: u32,
    pub(super) shop: ShopNo,
    pub(super) cents: Cents,
    pub(super) paid: bool,
    pub(super) back: bool,
}

impl Tx<'_> {
    /// Keeps what is new of a file, and books the payouts that it confirms or brings back. Imported again it does nothing.
    ///
    /// # Errors
    /// [`BankRefusal::NoOwnAccount`], [`BankRefusal::OtherAccount`]; what booking gives. Nothing of the file is kept then.
    pub fn bank_import(
        &mut self,
        file: &Statements,
        by: &str,
        (keys, now): (&dyn BankKeys, Timestamp),
    ) -> Result<StatementReport, StoreError> {
        let by = person(by)?;
        let own = self.fund_account()?.ok_or(BankRefusal::NoOwnAccount)?;
        self.are_our_keys(keys)?;
        let mut report = StatementReport::default();
        for (statement, place) in file.statements.iter().zip(1_u32..) {
            if statement.iban != own.iban {
                return Err(BankRefusal::OtherAccount(place).into());
            }
            report.statements = report.statements.saturating_add(1);
            report.pending = report.pending.saturating_add(statement.pending);
            let known = "SELECT count(*) FROM statements WHERE sha256 = ?1 AND place = ?2";
            let known: u32 = self.conn.query_row(known, params![Sql(file.sha256), place], |row| row.get(0))?;
            if known > 0 {
                report.repeated = report.repeated.saturating_add(1);
            }
            self.keep_statement((file, place, known > 0), statement, by, (keys, now), &mut report)?;
        }
        self.match_open(&mut report, (keys, now))?;
        let open = "SELECT count(*) FROM bank_entries WHERE state = 0";
        report.open = self.conn.query_row(open, [], |row| col(row, 0))?;
        Ok(report)
    }

    fn keep_statement(
        &self,
        (file, place, is_known): (&Statements, u32, bool),
        statement: &Statement,
        by: &str,
        (keys, now): (&dyn BankKeys, Timestamp),
        report: &mut StatementReport,
    ) -> Result<(), StoreError> {
        if is_known {
            let entries = u32::try_from(statement.entries.len()).unwrap_or(u32::MAX);
            report.known = report.known.saturating_add(entries);
            return Ok(());
        }
        let before = "SELECT count(*), ifnull(max(closing = ?2), 0) FROM statements WHERE iban = ?1";
        let (others, follows): (u32, bool) =
            self.conn
                .query_row(before, params![statement.iban, statement.opening], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if others > 0 && !follows {
            report.gaps = report.gaps.saturating_add(1);
        }
        let id: u64 = self.conn.query_row(
            "INSERT INTO statements (sha256, place, name, iban, opening, closing, imported_by, imported_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING id",
            params![
                Sql(file.sha256),
                place,
                statement.name,
                statement.iban,
                statement.opening,
                statement.closing,
                by,
                Sql(now)
            ],
            |row| col(row, 0),
        )?;
        for entry in &statement.entries {
            let (number, is_new) = self.keep_entry(keys, entry)?;
            let count = if is_new { &mut report.added } else { &mut report.known };
            *count = count.saturating_add(1);
            self.conn
                .prepare_cached("INSERT INTO statement_entries (statement, entry) VALUES (?1, ?2)")?
                .execute(params![Sql(id), Sql(number)])?;
        }
        Ok(())
    }

    fn keep_entry(&self, keys: &dyn BankKeys, entry: &Booked) -> Result<(u64, bool), StoreError> {
        let key = known_by(keys, &entry.key)?;
        // What was imported before keys were the hub's own is known by what the bank said, until it is sealed.
        let mut read = self.conn.prepare_cached("SELECT id FROM bank_entries WHERE key IN (?1, ?2)")?;
        if let Some(id) = read.query_row([Sql(key), Sql(entry.key)], |row| col(row, 0)).optional()? {
            return Ok((id, false));
        }
        let mut insert = self.conn.prepare_cached(
            "INSERT INTO bank_entries (key, is_credit, cents, booked_on, valued_on, servicer_ref, state)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0) RETURNING id",
        )?;
        let values =
            params![Sql(key), entry.is_credit, Sql(entry.cents), entry.booked_on, entry.valued_on, entry.servicer_ref];
        let id: u64 = insert.query_row(values, |row| col(row, 0))?;
        self.keep_texts(keys, id, &Texts::of(entry))?;
        Ok((id, true))
    }

    /// Matches what is open by what the bank named: first what was paid, then what came back of it.
    fn match_open(
        &self,
        report: &mut StatementReport,
        (keys, now): (&dyn BankKeys, Timestamp),
    ) -> Result<(), StoreError> {
        for is_credit in [false, true] {
            let mut read = self
                .conn
                .prepare_cached("SELECT id, cents FROM bank_entries WHERE state = 0 AND is_credit = ?1 ORDER BY id")?;
            let open = read.query_map([is_credit], |row| Ok((col(row, 0)?, col(row, 1)?)))?;
            for (entry, cents) in open.collect::<Result<Vec<(u64, Cents)>, _>>()? {
                let Some(texts) = self.texts_if_readable(keys, entry)? else {
                    report.unreadable = report.unreadable.saturating_add(1);
                    continue;
                };
                let Some(payouts) = self.named(&texts, is_credit)? else { continue };
                let fits = payouts.iter().all(|payout| !payout.back && payout.paid == is_credit);
                if !fits || Cents::sum(payouts.iter().map(|payout| payout.cents))? != cents {
                    continue;
                }
                let reason = return_reason(&texts);
                for payout in payouts {
                    self.book_match(entry, payout, (is_credit, reason), (None, None), now)?;
                    let (count, sum) = if is_credit {
                        (&mut report.back, &mut report.back_cents)
                    } else {
                        (&mut report.paid, &mut report.paid_cents)
                    };
                    *count = count.saturating_add(1);
                    *sum = sum.plus(payout.cents)?;
                }
                self.explained(entry)?;
            }
        }
        Ok(())
    }

    /// The payouts that an entry names: one by one, or all that are open of a payment file. Nothing where it names
    /// anything else too.
    fn named(&self, texts: &Texts, is_credit: bool) -> Result<Option<Vec<Payout>>, StoreError> {
        let mut payouts = BTreeSet::new();
        for part in &texts.parts {
            let Some(payout) = part.end_to_end.as_deref().map(|id| self.payout_named(id)).transpose()?.flatten() else {
                break;
            };
            if part.cents.is_some_and(|cents| cents != payout.cents.get()) || !payouts.insert(payout) {
                break;
            }
        }
        if payouts.len() == texts.parts.len() {
            return Ok(Some(payouts.into_iter().collect()));
        }
        let Some(settlement) = self.file_named(texts)?.filter(|_| !is_credit) else { return Ok(None) };
        let open = self.payouts_of(settlement)?.into_iter().filter(|payout| !payout.paid && !payout.back);
        let open: Vec<_> = open.collect();
        Ok((!open.is_empty()).then_some(open))
    }

    /// The settlement whose payment file the bank booked as one.
    fn file_named(&self, texts: &Texts) -> Result<Option<u32>, StoreError> {
        let Some(message) = &texts.message else { return Ok(None) };
        let mut read = self.conn.prepare_cached("SELECT settlement FROM payment_files WHERE message = ?1")?;
        Ok(read.query_row([message], |row| row.get(0)).optional()?)
    }

    /// True where an entry names a payment file or a payment of ours.
    pub(super) fn names_a_payout(&self, keys: &dyn BankKeys, entry: u64) -> Result<bool, StoreError> {
        let texts = self.texts(keys, entry)?;
        for word in texts.words() {
            if self.payment_named(word)?.is_some() {
                return Ok(true);
            }
        }
        Ok(self.file_named(&texts)?.is_some())
    }

    /// The settlement and shop of a payment of ours.
    pub(super) fn payment_named(&self, end_to_end: &str) -> Result<Option<(u32, ShopNo)>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT settlement, shop FROM payments WHERE end_to_end = ?1")?;
        Ok(read.query_row([end_to_end], |row| Ok((row.get(0)?, col(row, 1)?))).optional()?)
    }

    fn payout_named(&self, end_to_end: &str) -> Result<Option<Payout>, StoreError> {
        let Some((settlement, shop)) = self.payment_named(end_to_end)? else { return Ok(None) };
        self.payout(settlement, shop)
    }

    /// Says what stands against that the bank did not make a payment.
    pub(super) fn may_be_refused(&self, settlement: u32, shop: ShopNo) -> Result<(), StoreError> {
        let payout = self.payout(settlement, shop)?.ok_or(BankRefusal::NoPayout(settlement))?;
        self.fits(payout, false)
    }

    fn payout(&self, settlement: u32, shop: ShopNo) -> Result<Option<Payout>, StoreError> {
        Ok(self.payouts_of(settlement)?.into_iter().find(|payout| payout.shop == shop))
    }

    pub(super) fn payouts_of(&self, settlement: u32) -> Result<Vec<Payout>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT s.shop, s.payout,
                EXISTS (SELECT 1 FROM payouts_paid p WHERE p.settlement = s.settlement AND p.shop = s.shop),
                EXISTS (SELECT 1 FROM payouts_back b WHERE b.settlement = s.settlement AND b.shop = s.shop)
             FROM settlement_shops AS s WHERE s.settlement = ?1 AND s.payout > 0 ORDER BY s.shop",
        )?;
        let payouts = read.query_map([settlement], |row| {
            let (shop, cents) = (col(row, 0)?, col(row, 1)?);
            Ok(Payout { settlement, shop, cents, paid: row.get(2)?, back: row.get(3)? })
        })?;
        Ok(payouts.collect::<Result<_, _>>()?)
    }

    /// Books that an entry pays a payout or brings it back.
    pub(super) fn book_match(
        &self,
        entry: u64,
        payout: Payout,
        (is_credit, reason): (bool, &str),
        (by, other): (Option<&str>, Option<&str>),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Payout { settlement, shop, cents, .. } = payout;
        if is_credit {
            return self.book_back(payout, Some(entry), (reason, by, other), now);
        }
        let id: u64 = self
            .conn
            .prepare_cached(
                "INSERT INTO payouts_paid (settlement, shop, entry, cents, matched_by, matched_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id",
            )?
            .query_row(params![settlement, Sql(shop), Sql(entry), Sql(cents), by, Sql(now)], |row| col(row, 0))?;
        let (debit, credit, kind) = (AccountId::TRANSIT, AccountId::BANK, TransferKind::PayoutPaid);
        self.with_books(|books| books.post(Entry { debit, credit, cents, kind, cause: id }).map(drop))
    }

    fn book_back(
        &self,
        payout: Payout,
        entry: Option<u64>,
        (reason, by, approved_by): (&str, Option<&str>, Option<&str>),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Payout { settlement, shop, cents, .. } = payout;
        let place: u64 = self
            .conn
            .prepare_cached(
                "INSERT INTO payouts_back (place, settlement, shop, entry, cents, reason, said_by, approved_by, booked_at)
                 VALUES ((SELECT ifnull(max(place), 0) + 1 FROM payouts_back), ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 RETURNING place",
            )?
            .query_row(
                params![settlement, Sql(shop), entry.map(Sql), Sql(cents), reason, by, approved_by, Sql(now)],
                |row| col(row, 0),
            )?;
        let (debit, kind) = match entry {
            Some(_) => (AccountId::BANK, TransferKind::PayoutReturned),
            None => (AccountId::TRANSIT, TransferKind::PayoutRejected),
        };
        let credit = AccountId::payable(shop);
        self.with_books(|books| books.post(Entry { debit, credit, cents, kind, cause: place }).map(drop))
    }

    pub(super) fn explained(&self, entry: u64) -> Result<(), StoreError> {
        let set = "UPDATE bank_entries SET state = ?2 WHERE id = ?1 AND state = 0";
        self.conn.prepare_cached(set)?.execute(params![Sql(entry), PAYOUTS])?;
        Ok(())
    }

    pub(super) fn fits(&self, payout: Payout, is_credit: bool) -> Result<(), StoreError> {
        let settlement = payout.settlement;
        match (payout.paid, payout.back, is_credit) {
            (_, true, _) => Err(BankRefusal::CameBack(settlement).into()),
            (true, false, false) => Err(BankRefusal::PaidBefore(settlement).into()),
            (false, false, true) => Err(BankRefusal::NotPaid(settlement).into()),
            (true, false, true) | (false, false, false) => Ok(()),
        }
    }

    /// Two people say that the bank did not make a payment: it is owed again, once.
    ///
    /// # Errors
    /// [`BankRefusal`]: one person, no such payout, paid or owed again before.
    pub fn payout_reject(
        &mut self,
        meant: &PayoutRef,
        reason: &str,
        (by, approved_by): (&str, &str),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (by, approved_by) = (person(by)?, person(approved_by)?);
        if same_person(by, approved_by) {
            return Err(BankRefusal::SamePerson("approves that a payment was not made").into());
        }
        name("reason", reason)?;
        let shop = self.shop_no(meant.shop.as_deref().unwrap_or_default())?;
        let payout = self.payout(meant.settlement, shop)?.ok_or(BankRefusal::NoPayout(meant.settlement))?;
        self.fits(payout, false)?;
        self.book_back(payout, None, (reason, Some(by), Some(approved_by)), now)
    }

    /// What the bank booked, newest first, with what may be meant by what is open.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn bank_entries(
        &self,
        keys: &dyn BankKeys,
        only_open: bool,
        limit: u32,
    ) -> Result<Vec<BankEntryView>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT id, is_credit, cents, booked_on, state FROM bank_entries WHERE state = 0 OR NOT ?1
             ORDER BY id DESC LIMIT ?2",
        )?;
        let views = read.query_map(params![only_open, limit], |row| {
            Ok(BankEntryView {
                id: col(row, 0)?,
                is_credit: row.get(1)?,
                cents: col(row, 2)?,
                booked_on: row.get(3)?,
                state: row.get(4)?,
                proposals: Vec::new(),
                money_in: Vec::new(),
            })
        })?;
        let mut views = views.collect::<Result<Vec<_>, _>>()?;
        let senders = self.senders(keys)?;
        for view in views.iter_mut().filter(|view| view.state == 0) {
            view.proposals = self.proposals(view)?;
            view.money_in = self.money_in_proposals(view, keys, &senders)?;
        }
        Ok(views)
    }

    /// Payouts of the entry's amount, and settlements whose open payouts come to it.
    fn proposals(&self, view: &BankEntryView) -> Result<Vec<PayoutRef>, StoreError> {
        self.payouts_like(view.is_credit, view.cents)
    }

    /// The same for an amount that came in or went out.
    pub(super) fn payouts_like(&self, is_credit: bool, cents: Cents) -> Result<Vec<PayoutRef>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "WITH standing AS (
                SELECT s.settlement, s.shop, s.payout FROM settlement_shops AS s WHERE s.payout > 0
                  AND NOT EXISTS (SELECT 1 FROM payouts_back b WHERE b.settlement = s.settlement AND b.shop = s.shop)
                  AND ?1 = EXISTS (SELECT 1 FROM payouts_paid p WHERE p.settlement = s.settlement AND p.shop = s.shop))
             SELECT settlement, code FROM (
                SELECT settlement, NULL AS code FROM standing WHERE NOT ?1 GROUP BY 1 HAVING sum(payout) = ?2
                UNION ALL SELECT settlement, code FROM standing JOIN shops ON number = shop WHERE payout = ?2)
             ORDER BY settlement DESC, code LIMIT ?3",
        )?;
        let found = read.query_map(params![is_credit, Sql(cents), PROPOSALS_MAX], |row| {
            Ok(PayoutRef { settlement: row.get(0)?, shop: row.get(1)? })
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }
}

/// What the bank says of why something came back.
pub(super) fn return_reason(texts: &Texts) -> &str {
    texts.return_code().unwrap_or("returned")
}
