//! Money that a card counted as spent and no shop claims: a debit without goods, or the sales of a shop that lost its
//! journal. Two people give it back to the household, and the card gets a larger balance for it.

use cabas_protocol::{Cents, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::closing::{person, same_person};
use super::debts::Brought;
use super::error::{RepaymentRefusal, StoreError};
use super::fund::name;
use super::ledger::Books;
use super::model::{RepaymentOrder, RepaymentView, UnclaimedView, Wake};
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;
use crate::core::claims::Stretch;
use crate::core::ledger::{AccountId, Entry, PurseNo, TransferKind};

/// A repayment that waits for a second person.
struct Proposal {
    account: AccountId,
    stretch: Stretch,
    by: String,
    state: u8,
}

impl Tx<'_> {
    /// What a card counted as spent and no shop claims: the stretches of its counter, and what cards told of each.
    ///
    /// # Errors
    /// [`RepaymentRefusal::NoCard`].
    pub fn unclaimed(&self, card: u32) -> Result<Vec<UnclaimedView>, StoreError> {
        let account = self.account_of_card(card)?;
        let holes = self.holes(account)?;
        holes.into_iter().map(|stretch| self.unclaimed_view(account, stretch)).collect()
    }

    fn unclaimed_view(&self, account: AccountId, stretch: Stretch) -> Result<UnclaimedView, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT terminal, epoch, seq, cents FROM card_records
             WHERE account = ?1 AND proof = 1 AND spent_after > ?2 AND spent_after - cents < ?3 ORDER BY spent_after",
        )?;
        let values = params![Sql(account), Sql(stretch.from()), Sql(stretch.to())];
        let told = read.query_map(values, |row| Ok((col(row, 0)?, col(row, 1)?, col(row, 2)?, col(row, 3)?)))?;
        Ok(UnclaimedView { from: stretch.from(), to: stretch.to(), told: told.collect::<Result<_, _>>()? })
    }

    fn account_of_card(&self, card: u32) -> Result<AccountId, StoreError> {
        let read = "SELECT id FROM card_balances WHERE card = ?1";
        let account = self.conn.query_row(read, [card], |row| col(row, 0)).optional()?;
        account.ok_or_else(|| RepaymentRefusal::NoCard(card).into())
    }

    /// One person proposes to give back a stretch; gives the proposal's number.
    ///
    /// # Errors
    /// [`RepaymentRefusal`]; [`StoreError::Text`] for a reason or a name that cannot be kept.
    pub fn repayment_propose(&mut self, order: &RepaymentOrder, now: Timestamp) -> Result<u64, StoreError> {
        let account = self.account_of_card(order.card)?;
        self.repayable(account, order.stretch)?;
        name("reason", &order.reason)?;
        let mut insert = self.conn.prepare_cached(
            "INSERT INTO card_repayments (account, from_cents, to_cents, reason, proposed_by, proposed_at, state)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0) RETURNING id",
        )?;
        let (from, to) = (Sql(order.stretch.from()), Sql(order.stretch.to()));
        let values = params![Sql(account), from, to, order.reason, person(&order.by)?, Sql(now)];
        Ok(insert.query_row(values, |row| col(row, 0))?)
    }

    /// Another person books a repayment, or anybody takes it back; gives what went back.
    ///
    /// # Errors
    /// [`RepaymentRefusal`]; [`StoreError::Restoring`].
    pub fn repayment_end(&mut self, id: u64, by: &str, books_it: bool, now: Timestamp) -> Result<Cents, StoreError> {
        self.not_restoring()?;
        let by = person(by)?;
        let proposal = self.repayment(id)?.ok_or(RepaymentRefusal::Unknown(id))?;
        if proposal.state != 0 {
            return Err(RepaymentRefusal::Ended(id).into());
        }
        if books_it && same_person(by, &proposal.by) {
            return Err(RepaymentRefusal::SamePerson.into());
        }
        let cents = if books_it {
            // What a shop claimed since is the shop's.
            self.repayable(proposal.account, proposal.stretch)?;
            proposal.stretch.cents()
        } else {
            Cents::ZERO
        };
        self.conn
            .prepare_cached(
                "UPDATE card_repayments SET state = ?2, settled = ?3, ended_by = ?4, ended_at = ?5 WHERE id = ?1",
            )?
            .execute(params![Sql(id), if books_it { 1 } else { 2 }, Sql(cents), by, Sql(now)])?;
        if !books_it {
            return Ok(cents);
        }
        let (fund, places) = (self.fund()?, self.places(now)?);
        self.with_books(|books| {
            let shared = self.give_back(books, id, &proposal)?;
            self.allocate(books, &fund, &places, shared, now)
        })?;
        self.wake_places(&places);
        self.wake(Wake::All);
        Ok(cents)
    }

    /// Claims the stretch of the card's counter for the household that it came from.
    fn give_back(&self, books: &mut Books<'_>, id: u64, proposal: &Proposal) -> Result<PurseNo, StoreError> {
        let damaged = || StoreError::Damaged("a purse card");
        let card = self.purse_card(proposal.account.purse_no().ok_or_else(damaged)?)?.ok_or_else(damaged)?;
        let account = books.account(card.id)?;
        let judged = self.claim(card.id, card.unclaimed, account.debits, proposal.stretch, account.credits)?;
        self.conn
            .prepare_cached("INSERT INTO card_claims (account, row, repayment) VALUES (?1, 0, ?2)")?
            .execute(params![Sql(card.id), Sql(id)])?;
        let (credit, cents, kind) = (AccountId::purse(card.shared), judged.settled, TransferKind::CardRepay);
        let transfer = books.post(Entry { debit: card.id, credit, cents, kind, cause: id })?;
        self.pay_back(books, card.shared, Brought { transfer, cents, came_back: true })?;
        Ok(card.shared)
    }

    /// Only what nobody claimed below what the card is known to have counted: above it the card may still spend.
    fn repayable(&self, account: AccountId, stretch: Stretch) -> Result<(), StoreError> {
        let is_hole =
            self.holes(account)?.iter().any(|hole| hole.from() <= stretch.from() && stretch.to() <= hole.to());
        let card = account.purse_no().map(|purse| self.purse_card(purse)).transpose()?.flatten();
        if card.is_some_and(|card| card.is_released) {
            return Err(RepaymentRefusal::Released.into());
        }
        if is_hole { Ok(()) } else { Err(RepaymentRefusal::Claimed.into()) }
    }

    fn repayment(&self, id: u64) -> Result<Option<Proposal>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT account, from_cents, to_cents, proposed_by, state FROM card_repayments WHERE id = ?1",
        )?;
        let found = read.query_row([Sql(id)], |row| {
            Ok((col(row, 0)?, Stretch::between(col(row, 1)?, col(row, 2)?), row.get(3)?, row.get(4)?))
        });
        let Some((account, stretch, by, state)) = found.optional()? else { return Ok(None) };
        let stretch = stretch.ok_or(StoreError::Damaged("a repayment"))?;
        Ok(Some(Proposal { account, stretch, by, state }))
    }

    /// The newest repayments, newest first.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn repayments(&self, limit: u32) -> Result<Vec<RepaymentView>, StoreError> {
        self.repayment_views("", limit)
    }

    /// Repayments that wait for another person, newest first.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn repayments_waiting(&self, limit: u32) -> Result<Vec<RepaymentView>, StoreError> {
        self.repayment_views("WHERE state = 0", limit)
    }

    fn repayment_views(&self, only: &str, limit: u32) -> Result<Vec<RepaymentView>, StoreError> {
        let mut read = self.conn.prepare(&format!(
            "SELECT card_repayments.id, card_balances.card, from_cents, to_cents, reason, proposed_by, proposed_at, state,
                ended_by, ended_at
             FROM card_repayments JOIN card_balances ON card_balances.id = account {only} ORDER BY card_repayments.id DESC
             LIMIT ?1"
        ))?;
        let views = read.query_map([limit], |row| {
            Ok(RepaymentView {
                id: col(row, 0)?,
                card: row.get(1)?,
                from: col(row, 2)?,
                to: col(row, 3)?,
                reason: row.get(4)?,
                proposed_by: row.get(5)?,
                proposed_at: col(row, 6)?,
                is_booked: row.get::<_, u8>(7)? == 1,
                ended_by: row.get(8)?,
                ended_at: col_opt(row, 9)?,
            })
        })?;
        Ok(views.collect::<Result<_, _>>()?)
    }
}
