//! That a credit of the bank is a payout that came back: the bank says so itself, or one person says so and another one
//! agrees. Only then it is owed again.

use cabas_protocol::{Cents, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::bank_refusal::BankRefusal;
use super::closing::{person, same_person};
use super::error::StoreError;
use super::model::PayoutRef;
use super::sql::{Sql, col};
use super::statements::Payout;
use super::tx::Tx;
use crate::core::bank_text::BankKeys;

/// What one person said and nobody agreed to yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PayoutReturnView {
    /// Its number.
    pub id: u64,
    /// The bank's entry.
    pub entry: u64,
    /// What it is said to have brought back.
    pub meant: PayoutRef,
    /// How much.
    pub cents: Cents,
    /// Who said so.
    pub said_by: String,
    /// When.
    pub said_at: Timestamp,
}

/// Whose word it takes that an entry is a payout.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WhoseWord {
    /// It went out: anybody's who works with the bank, a program's too.
    Anybody,
    /// It came back, and the bank says so itself: a person's.
    Person,
    /// It may be a gift of the same amount: two people's.
    TwoPeople,
}

impl Tx<'_> {
    /// True where the bank itself says that an entry brought these payouts back: it names each of them, or says why something
    /// came back and names no payment at all: what was paid to a household comes back, too.
    pub(super) fn is_said_by_bank(
        &self,
        keys: &dyn BankKeys,
        entry: u64,
        payouts: &[Payout],
    ) -> Result<bool, StoreError> {
        let texts = self.texts(keys, entry)?;
        let mut named = Vec::new();
        for word in texts.payments().chain(texts.words()) {
            named.extend(self.payment_named(word)?);
        }
        if named.is_empty() {
            return Ok(texts.return_code().is_some() && texts.payments().next().is_none());
        }
        Ok(payouts.iter().all(|payout| named.contains(&(payout.settlement, payout.shop))))
    }

    /// Whose word it takes that an open entry is what is meant.
    ///
    /// # Errors
    /// [`BankRefusal`] says what does not fit.
    pub fn bank_whose_word(&self, keys: &dyn BankKeys, entry: u64, meant: &PayoutRef) -> Result<WhoseWord, StoreError> {
        let (is_credit, _, payouts) = self.meant_payouts(entry, meant)?;
        Ok(match (is_credit, is_credit && self.is_said_by_bank(keys, entry, &payouts)?) {
            (false, _) => WhoseWord::Anybody,
            (true, true) => WhoseWord::Person,
            (true, false) => WhoseWord::TwoPeople,
        })
    }

    /// One person says that an entry brought payouts back. Nothing is booked.
    ///
    /// # Errors
    /// [`BankRefusal`] says what does not fit, or who said so before.
    pub fn payout_return_say(
        &mut self,
        entry: u64,
        meant: &PayoutRef,
        by: &str,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let by = person(by)?;
        let (is_credit, cents, _) = self.meant_payouts(entry, meant)?;
        if !is_credit {
            return Err(BankRefusal::NotACredit(entry).into());
        }
        let read = "SELECT said_by FROM payout_returns WHERE entry = ?1 AND state = 0";
        if let Some(by) = self.conn.query_row(read, [Sql(entry)], |row| row.get(0)).optional()? {
            return Err(BankRefusal::ReturnSaid { entry, by }.into());
        }
        let shop = meant.shop.as_deref().map(|code| self.shop_no(code)).transpose()?;
        let say = "INSERT INTO payout_returns (entry, settlement, shop, cents, said_by, said_at, state)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0) RETURNING id";
        let values = params![Sql(entry), meant.settlement, shop.map(Sql), Sql(cents), by, Sql(now)];
        Ok(self.conn.query_row(say, values, |row| col(row, 0))?)
    }

    /// Another person agrees, and the payouts are owed again; or somebody refuses it or takes it back.
    ///
    /// # Errors
    /// [`BankRefusal`]: it ended, one person alone, what fitted when it was said does not any more.
    pub fn payout_return_end(
        &mut self,
        id: u64,
        by: &str,
        agrees: bool,
        (keys, now): (&dyn BankKeys, Timestamp),
    ) -> Result<PayoutReturnView, StoreError> {
        let by = person(by)?;
        let waiting = self.payout_returns_waiting(u32::MAX)?.into_iter().find(|view| view.id == id);
        let view = waiting.ok_or(BankRefusal::ReturnEnded(id))?;
        let (state, said_by) = (if agrees { 1 } else { 2 }, view.said_by.as_str());
        if agrees {
            self.bank_match(view.entry, &view.meant, (said_by, Some(by)), (keys, now))?;
        }
        let end = "UPDATE payout_returns SET state = ?2, ended_by = ?3, ended_at = ?4 WHERE id = ?1";
        self.conn.execute(end, params![Sql(id), state, by, Sql(now)])?;
        Ok(view)
    }

    /// What waits for a second person, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn payout_returns_waiting(&self, limit: u32) -> Result<Vec<PayoutReturnView>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT id, entry, settlement, code, cents, said_by, said_at FROM payout_returns
             LEFT JOIN shops ON number = shop WHERE state = 0 ORDER BY id LIMIT ?1",
        )?;
        let views = read.query_map([limit], |row| {
            Ok(PayoutReturnView {
                id: col(row, 0)?,
                entry: col(row, 1)?,
                meant: PayoutRef { settlement: row.get(2)?, shop: row.get(3)? },
                cents: col(row, 4)?,
                said_by: row.get(5)?,
                said_at: col(row, 6)?,
            })
        })?;
        Ok(views.collect::<Result<_, _>>()?)
    }

    /// Who agrees that a credit is a payout that came back, beside whoever says so.
    pub(super) fn second_for_return<'p>(
        &self,
        keys: &dyn BankKeys,
        entry: u64,
        payouts: &[Payout],
        (by, other): (&str, Option<&'p str>),
    ) -> Result<Option<&'p str>, StoreError> {
        let other = other.map(person).transpose()?;
        if other.is_some_and(|other| same_person(by, other)) {
            return Err(BankRefusal::SamePerson("agrees that a payout came back").into());
        }
        if other.is_none() && !self.is_said_by_bank(keys, entry, payouts)? {
            return Err(BankRefusal::NotSaidByBank(entry).into());
        }
        Ok(other)
    }
}
