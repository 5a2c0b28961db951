//! Slices: what of a purse's money is reserved for which terminal.

use std::collections::BTreeMap;

use cabas_protocol::sync::Standing;
use cabas_protocol::{
    Cents, Epoch, ObjectType, PolicyId, PurseRef, Scope, Serial, SignedBalance, TerminalId, Timestamp,
};
use rusqlite::{OptionalExtension as _, params};

use super::error::StoreError;
use super::ledger::Books;
use super::model::{FundInfo, Wake};
use super::sql::{Sql, col, col_opt};
use super::terminals::{EpochRecord, standing_number};
use super::tx::Tx;
use crate::core::ledger::{Account, AccountId, Entry, PurseNo, ShopNo, TransferKind};
pub use crate::core::slices::FREE_SHARE_PERCENT;
use crate::core::slices::{self, SLICES_PER_PURSE_MAX, Target};

/// How long a balance is honoured after it was made: it forces renewal, it never frees money.
pub(super) const VALID_FOR_S: u32 = 90 * 86_400;
/// The age at which a balance is made anew, in seconds.
pub(super) const RENEW_AFTER_S: u64 = 30 * 86_400;
/// Balances that are made anew at one sync, at the most.
const RENEWALS_MAX: u32 = 256;
/// Purses in one step of an allocation.
const STEP_PURSES: u32 = 1_000;

/// What one step of an allocation did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct AllocationStep {
    /// Purses looked at.
    pub purses: u32,
    /// Slices raised.
    pub raised: u32,
    /// True where purses remain: call again.
    pub more: bool,
}

/// A slice beside its account.
#[derive(Clone, Copy, Debug)]
pub(super) struct SliceRecord {
    pub(super) serial: Serial,
    pub(super) unclaimed: Cents,
    /// What reversals gave back to it.
    pub(super) reversed: Cents,
    /// How far they took the reversed counter.
    pub(super) reversed_to: Cents,
    pub(super) policy: PolicyId,
    pub(super) issued_at: Timestamp,
}

/// A terminal that takes part in an allocation.
pub(super) struct Place {
    record: EpochRecord,
    weight: u64,
}

impl Tx<'_> {
    /// Raises the slice of a purse at a terminal from the purse's free money until it allows at least the level, or as
    /// far as the money goes; gives the newest balance, or nothing where there is none. Repeated it raises no more. An
    /// enrolment that a newer one took the place of is not raised.
    ///
    /// # Errors
    /// [`StoreError::UnknownPurse`], [`StoreError::UnknownTerminal`], [`StoreError::UnknownEpoch`],
    /// [`StoreError::NotLive`].
    pub fn extend(
        &mut self,
        terminal: TerminalId,
        epoch: Epoch,
        purse: PurseRef,
        allowed_at_least: Cents,
        now: Timestamp,
    ) -> Result<Option<SignedBalance>, StoreError> {
        let record = self.epoch(terminal, epoch)?;
        if record.standing != Standing::Live {
            return Err(StoreError::NotLive(record.standing));
        }
        self.not_restoring()?;
        let number = self.purse_no(purse)?.ok_or(StoreError::UnknownPurse)?;
        let fund = self.fund()?;
        let slice = AccountId::slice(record.number, number);
        self.with_books(|books| {
            let free = books.account(AccountId::purse(number))?.left()?;
            let raise = slices::raise_to_level(self.allowed(slice, books.account(slice)?)?, allowed_at_least, free);
            if raise.is_zero() || !record.may_be_raised() {
                return Ok(());
            }
            self.raise(books, &fund, &record, number, raise, now)
        })?;
        self.wake(Wake::Terminal(terminal));
        self.balance(&fund, &record, purse, number)
    }

    /// Does a step of the allocation that an enrolment or an import made necessary. The rest of it is remembered in the
    /// file: a job calls this until [`AllocationStep::more`] is false, at the start and after each enrolment.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Ledger`].
    pub fn allocate_pending(&mut self, now: Timestamp) -> Result<AllocationStep, StoreError> {
        let fund = self.fund()?;
        let from: Option<PurseNo> = self.conn.query_row("SELECT allocate_from FROM fund", [], |row| col_opt(row, 0))?;
        let Some(from) = from else { return Ok(AllocationStep::default()) };
        if self.is_restoring()? {
            return Ok(AllocationStep::default());
        }
        let mut read =
            self.conn.prepare_cached("SELECT number FROM purses WHERE number > ?1 ORDER BY number LIMIT ?2")?;
        let purses =
            read.query_map(params![Sql(from), STEP_PURSES], |row| col(row, 0))?.collect::<Result<Vec<_>, _>>()?;
        let places = self.places()?;
        let raised = self.with_books(|books| {
            let mut raised = 0_u32;
            for purse in &purses {
                raised = raised.saturating_add(self.allocate(books, &fund, &places, *purse, now)?);
            }
            Ok(raised)
        })?;
        self.wake_places(&places);
        let count = u32::try_from(purses.len()).unwrap_or(u32::MAX);
        let more = count >= STEP_PURSES;
        let next = purses.last().copied().filter(|_| more);
        self.conn.execute("UPDATE fund SET allocate_from = ?1", [next.map(Sql)])?;
        Ok(AllocationStep { purses: count, raised, more })
    }

    /// Notes that every purse is to be allocated again.
    pub(super) fn allocate_all(&self) -> Result<(), StoreError> {
        self.conn.execute("UPDATE fund SET allocate_from = 0", [])?;
        Ok(())
    }

    /// The terminals at which slices lie: those that sell and where the most is expected to be bought.
    pub(super) fn places(&self) -> Result<Vec<Place>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT epochs.terminal, epochs.epoch, shops.number, shops.weight_permille FROM epochs
             JOIN terminals ON terminals.number = epochs.terminal JOIN shops ON shops.number = terminals.shop
             WHERE epochs.standing = ?1 AND epochs.epoch =
                (SELECT max(epoch) FROM epochs AS newer WHERE newer.terminal = epochs.terminal)",
        )?;
        let mut live = read
            .query_map([standing_number(Standing::Live)], |row| {
                Ok((col(row, 0)?, col(row, 1)?, col(row, 2)?, row.get::<_, u32>(3)?))
            })?
            .collect::<Result<Vec<(TerminalId, Epoch, ShopNo, u32)>, _>>()?;
        let mut in_shop = BTreeMap::new();
        for (_, _, shop, _) in &live {
            let count: &mut u64 = in_shop.entry(*shop).or_default();
            *count = count.saturating_add(1);
        }
        let weight = |shop: &ShopNo, permille: u32| {
            // A shop's expected share is divided among its terminals.
            u64::from(permille)
                .saturating_mul(1_000_000)
                .checked_div(in_shop.get(shop).copied().unwrap_or(1))
                .unwrap_or(0)
        };
        live.sort_by_key(|(terminal, _, shop, permille)| (std::cmp::Reverse(weight(shop, *permille)), *terminal));
        live.truncate(SLICES_PER_PURSE_MAX);
        live.iter()
            .map(|(terminal, epoch, shop, permille)| {
                Ok(Place { record: self.epoch(*terminal, *epoch)?, weight: weight(shop, *permille) })
            })
            .collect()
    }

    /// Divides a purse's money among the terminals; says how many slices were raised.
    pub(super) fn allocate(
        &self,
        books: &mut Books<'_>,
        fund: &FundInfo,
        places: &[Place],
        purse: PurseNo,
        now: Timestamp,
    ) -> Result<u32, StoreError> {
        let free = books.account(AccountId::purse(purse))?.left()?;
        if free.is_zero() {
            return Ok(0);
        }
        let mut targets = Vec::with_capacity(places.len());
        for place in places {
            let unspent = books.account(AccountId::slice(place.record.number, purse))?.left()?;
            targets.push(Target { weight: place.weight, unspent });
        }
        let mut raised = 0_u32;
        for (place, raise) in places.iter().zip(slices::raises(free, &targets)?) {
            if !raise.is_zero() {
                self.raise(books, fund, &place.record, purse, raise, now)?;
                raised = raised.saturating_add(1);
            }
        }
        Ok(raised)
    }

    pub(super) fn wake_places(&mut self, places: &[Place]) {
        for place in places {
            self.wake(Wake::Terminal(place.record.terminal));
        }
    }

    /// Moves free money into a slice: the next serial allows that much more.
    pub(super) fn raise(
        &self,
        books: &mut Books<'_>,
        fund: &FundInfo,
        record: &EpochRecord,
        purse: PurseNo,
        cents: Cents,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if !record.may_be_raised() {
            return Err(StoreError::NotLive(record.standing));
        }
        self.not_restoring()?;
        let slice = AccountId::slice(record.number, purse);
        let serial = self.next_serial(slice)?;
        let cause = u64::from(serial.get());
        let debit = AccountId::purse(purse);
        books.post(Entry { debit, credit: slice, cents, kind: TransferKind::Raise, cause })?;
        let allowed = self.allowed(slice, books.account(slice)?)?;
        self.sign_anew(fund, record, slice, serial, allowed, now)
    }

    fn next_serial(&self, slice: AccountId) -> Result<Serial, StoreError> {
        let newest = self.slice(slice)?.map_or(Serial::new(0), |slice| slice.serial);
        newest.next().ok_or(StoreError::Exhausted("serial"))
    }

    /// Notes what a new serial allows, and that the terminal is to have it.
    pub(super) fn sign_anew(
        &self,
        fund: &FundInfo,
        record: &EpochRecord,
        slice: AccountId,
        serial: Serial,
        allowed: Cents,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let change = self.next_change()?;
        self.note_serial(slice, serial, allowed)?;
        self.conn
            .prepare_cached(
                "INSERT INTO slices (id, serial, unclaimed_cents, policy, issued_at, epoch, change)
                 VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6)
                 ON CONFLICT (id) DO UPDATE SET serial = ?2, policy = ?3, issued_at = ?4, change = ?6",
            )?
            .execute(params![Sql(slice), Sql(serial), Sql(fund.policy), Sql(now), Sql(record.number), Sql(change)])?;
        self.conn
            .prepare_cached(
                "UPDATE epochs SET change = ?2, renew_at = min(ifnull(renew_at, ?3), ?3) WHERE number = ?1",
            )?
            .execute(params![Sql(record.number), Sql(change), Sql(now.after_s(RENEW_AFTER_S))])?;
        Ok(())
    }

    /// Notes what a serial allows.
    pub(super) fn note_serial(&self, slice: AccountId, serial: Serial, allowed: Cents) -> Result<(), StoreError> {
        self.conn
            .prepare_cached("INSERT INTO serials (slice, serial, allowed) VALUES (?1, ?2, ?3)")?
            .execute(params![Sql(slice), Sql(serial), Sql(allowed)])?;
        Ok(())
    }

    /// Makes anew the balances of an enrolment that grow old.
    pub(super) fn renew(&mut self, fund: &FundInfo, record: &EpochRecord, now: Timestamp) -> Result<(), StoreError> {
        if !record.may_be_raised() || record.renew_at.is_none_or(|at| now < at) || self.is_restoring()? {
            return Ok(());
        }
        let due = Timestamp::new(now.get().saturating_sub(RENEW_AFTER_S));
        let old = self
            .conn
            .prepare_cached("SELECT id FROM slices WHERE epoch = ?1 AND issued_at <= ?2 ORDER BY id LIMIT ?3")?
            .query_map(params![Sql(record.number), Sql(due), RENEWALS_MAX], |row| col(row, 0))?
            .collect::<Result<Vec<AccountId>, _>>()?;
        for slice in old {
            let allowed = self.allowed(slice, self.account(slice)?)?;
            let serial = self.next_serial(slice)?;
            self.sign_anew(fund, record, slice, serial, allowed, now)?;
        }
        self.conn
            .prepare_cached(
                "UPDATE epochs SET renew_at = (SELECT min(issued_at) FROM slices WHERE epoch = ?1) + ?2 WHERE number = ?1",
            )?
            .execute(params![Sql(record.number), Sql(RENEW_AFTER_S)])?;
        Ok(())
    }

    /// The newest balance of a purse at an enrolment, not signed yet.
    pub(super) fn balance(
        &self,
        fund: &FundInfo,
        record: &EpochRecord,
        purse: PurseRef,
        number: PurseNo,
    ) -> Result<Option<SignedBalance>, StoreError> {
        let id = AccountId::slice(record.number, number);
        let Some(slice) = self.slice(id)? else { return Ok(None) };
        Ok(Some(SignedBalance {
            head: fund.context().head(ObjectType::Balance),
            purse,
            scope: Scope::Terminal(record.terminal, record.epoch),
            serial: slice.serial,
            allowed: self.account(id)?.credits.minus(slice.reversed)?,
            policy: slice.policy,
            issued_at: slice.issued_at,
            valid_for_s: VALID_FOR_S,
        }))
    }

    /// What a slice's balance allows: what its account was given, but for what reversals gave back.
    pub(super) fn allowed(&self, id: AccountId, account: Account) -> Result<Cents, StoreError> {
        let reversed = self.slice(id)?.map_or(Cents::ZERO, |slice| slice.reversed);
        Ok(account.credits.minus(reversed)?)
    }

    pub(super) fn slice(&self, id: AccountId) -> Result<Option<SliceRecord>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT serial, unclaimed_cents, policy, issued_at, reversed_cents, reversed_to FROM slices WHERE id = ?1",
        )?;
        let slice = read.query_row([Sql(id)], |row| {
            let (serial, unclaimed) = (col(row, 0)?, col(row, 1)?);
            let (policy, issued_at) = (col(row, 2)?, col(row, 3)?);
            Ok(SliceRecord { serial, unclaimed, policy, issued_at, reversed: col(row, 4)?, reversed_to: col(row, 5)? })
        });
        Ok(slice.optional()?)
    }

    pub(super) fn purse_no(&self, purse: PurseRef) -> Result<Option<PurseNo>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT number FROM purses WHERE ref = ?1")?;
        Ok(read.query_row([Sql(purse)], |row| col(row, 0)).optional()?)
    }
}
