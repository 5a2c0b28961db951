//! Slices: what of a purse's money is reserved for which terminal.

use std::collections::{BTreeMap, BTreeSet};

use cabas_protocol::sync::Standing;
use cabas_protocol::{
    Cents, Epoch, ObjectType, PolicyId, PurseRef, Scope, Serial, SignedBalance, TerminalId, Timestamp,
};
use rusqlite::{OptionalExtension as _, params};

use super::error::StoreError;
use super::ledger::Books;
use super::model::{FundInfo, Wake};
use super::restore::RESTORE_GAP;
use super::sql::{Sql, col, col_opt};
use super::terminals::{EpochRecord, standing_number};
use super::tx::Tx;
use crate::core::ledger::{Account, AccountId, Entry, EpochNo, PurseNo, ShopNo, TransferKind};
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
    /// What came back of it by returns and voids.
    pub(super) returned: Cents,
}

/// A terminal that takes part in an allocation.
pub(super) struct Place {
    pub(super) number: EpochNo,
    pub(super) terminal: TerminalId,
    pub(super) epoch: Epoch,
    shop: ShopNo,
    /// Its shop's share of all purchases.
    permille: u32,
    /// How many terminals its shop has.
    terminals: u64,
    floor: Cents,
    is_steady: bool,
}

/// The terminals that sell.
pub(super) struct Places {
    all: BTreeMap<EpochNo, Place>,
    /// Those that count for every purse: where the most is expected to be bought, and where there is a floor.
    common: BTreeSet<EpochNo>,
}

impl Place {
    fn weight(&self, bought: Cents) -> u64 {
        slices::weight(self.permille, bought, self.terminals)
    }
}

/// The first serial of a slice or a card in a life, by how many there were before it.
pub(super) const fn first_serial(lives_before: u32) -> Serial {
    Serial::new(lives_before.saturating_mul(RESTORE_GAP).saturating_add(1))
}

impl Tx<'_> {
    /// Raises the slice of a purse at a terminal from the purse's free money until it allows at least the level, or as
    /// far as the money goes; gives the newest balance, or nothing where there is none. Repeated it raises no more. An
    /// enrolment that a newer one took the place of is not raised. The purse of a purse card names the card itself.
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
        if let Some(card) = self.purse_card(number)? {
            return self.extend_card(&fund, &record, &card, allowed_at_least, now);
        }
        let slice = AccountId::slice(record.number, number);
        self.with_books(|books| {
            let free = books.account(AccountId::purse(number))?.left()?;
            let raise = slices::raise_to_level(self.allowed(slice, books.account(slice)?)?, allowed_at_least, free);
            if raise.is_zero() || !record.may_get_more() || self.is_gone(number)? {
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
        let places = self.places(now)?;
        let raised = self.with_books(|books| {
            let mut raised = 0_u32;
            for purse in &purses {
                let here = self.allocate(books, &fund, &places, *purse, now)?.len();
                raised = raised.saturating_add(u32::try_from(here).unwrap_or(u32::MAX));
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

    /// The terminals that sell.
    pub(super) fn places(&self, now: Timestamp) -> Result<Places, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT epochs.number, epochs.terminal, epochs.epoch, shops.number, shops.weight_permille, shops.floor_cents,
                shops.market_days, epochs.opened_at, ifnull(contacts.contact_at, epochs.opened_at), epochs.late_at
             FROM epochs
             JOIN terminals ON terminals.number = epochs.terminal JOIN shops ON shops.number = terminals.shop
             LEFT JOIN contacts ON contacts.epoch = epochs.number
             WHERE epochs.standing = ?1 AND epochs.epoch =
                (SELECT max(epoch) FROM epochs AS newer WHERE newer.terminal = epochs.terminal)
                AND EXISTS (SELECT 1 FROM joinings WHERE joinings.shop = shops.number AND stage = 8)",
        )?;
        let mut rows = read.query([standing_number(Standing::Live)])?;
        let (mut all, mut in_shop) = (BTreeMap::new(), BTreeMap::<ShopNo, u64>::new());
        while let Some(row) = rows.next()? {
            let floor = if slices::is_near_market(row.get(6)?, now.get()) { col(row, 5)? } else { Cents::ZERO };
            let (opened, heard): (Timestamp, Timestamp) = (col(row, 7)?, col(row, 8)?);
            let late: Option<Timestamp> = col_opt(row, 9)?;
            let is_steady = slices::is_steady(opened.get(), heard.get(), late.map(Timestamp::get), now.get());
            let (number, shop) = (col(row, 0)?, col(row, 3)?);
            let (terminal, epoch, permille) = (col(row, 1)?, col(row, 2)?, row.get(4)?);
            let count = in_shop.entry(shop).or_default();
            *count = count.saturating_add(1);
            all.insert(number, Place { number, terminal, epoch, shop, permille, terminals: 1, floor, is_steady });
        }
        for place in all.values_mut() {
            place.terminals = in_shop.get(&place.shop).copied().unwrap_or(1);
        }
        let mut ranked: Vec<&Place> = all.values().collect();
        ranked.sort_by_key(|place| (std::cmp::Reverse(place.weight(Cents::ZERO)), place.terminal));
        let common = ranked.iter().take(SLICES_PER_PURSE_MAX).copied();
        let common =
            common.chain(all.values().filter(|place| !place.floor.is_zero())).map(|place| place.number).collect();
        Ok(Places { all, common })
    }

    /// The places that count for a purse, with what was bought at their shops: where the most is expected, and those
    /// that have a floor.
    fn places_of<'p>(&self, places: &'p Places, purse: PurseNo) -> Result<Vec<(&'p Place, Cents)>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT terminals.shop, slices.epoch,
                max(0, accounts.debits - slices.returned_cents - slices.reversed_cents) FROM slices
             JOIN accounts ON accounts.id = slices.id JOIN epochs ON epochs.number = slices.epoch
             JOIN terminals ON terminals.number = epochs.terminal WHERE slices.id & 4294967295 = ?1",
        )?;
        let mut bought = BTreeMap::<ShopNo, Cents>::new();
        let mut numbers = places.common.clone();
        let mut rows = read.query([Sql(purse)])?;
        while let Some(row) = rows.next()? {
            let sum = bought.entry(col(row, 0)?).or_default();
            *sum = sum.plus(col(row, 2)?)?;
            numbers.insert(col(row, 1)?);
        }
        let bought_at = |place: &Place| bought.get(&place.shop).copied().unwrap_or_default();
        let mut mine: Vec<_> =
            numbers.iter().filter_map(|number| places.all.get(number)).map(|place| (place, bought_at(place))).collect();
        mine.sort_by_key(|(place, bought)| {
            (place.floor.is_zero(), std::cmp::Reverse(place.weight(*bought)), place.terminal)
        });
        mine.truncate(SLICES_PER_PURSE_MAX);
        Ok(mine)
    }

    /// Divides a purse's money among the household's purse cards and the terminals; says who is to look again. A purse
    /// card's own purse has nothing to divide.
    pub(super) fn allocate(
        &self,
        books: &mut Books<'_>,
        fund: &FundInfo,
        places: &Places,
        purse: PurseNo,
        now: Timestamp,
    ) -> Result<Vec<Wake>, StoreError> {
        if self.is_gone(purse)? {
            return Ok(Vec::new());
        }
        // A card's balance is for every terminal.
        let mut raised = vec![Wake::All; usize::from(self.load_cards(books, fund, purse, now)? > 0)];
        let free = books.account(AccountId::purse(purse))?.left()?;
        let places = self.places_of(places, purse)?;
        let mut targets = Vec::with_capacity(places.len());
        for (place, bought) in &places {
            let unspent = books.account(AccountId::slice(place.number, purse))?.left()?;
            let (weight, floor, is_steady) = (place.weight(*bought), place.floor, place.is_steady);
            targets.push(Target { weight, unspent, floor, is_steady });
        }
        let division = slices::divide(self.shares, free, &targets)?;
        for ((place, _), raise) in places.iter().zip(division.raises) {
            if !raise.is_zero() {
                self.raise(books, fund, &self.epoch(place.terminal, place.epoch)?, purse, raise, now)?;
                raised.push(Wake::Terminal(place.terminal));
            }
        }
        let keeps: Vec<_> = places.iter().map(|(place, _)| *place).zip(division.keeps).collect();
        self.recall_for_division(&keeps, purse, now)?;
        Ok(raised)
    }

    /// Notes that floors are to be laid where a market is near, once a day.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn lay_floors(&mut self, now: Timestamp) -> Result<bool, StoreError> {
        let day = now.get().checked_div(86_400).unwrap_or(0);
        let laid: u64 = self.conn.query_row("SELECT floors_day FROM fund", [], |row| col(row, 0))?;
        let is_due = laid < day && self.places(now)?.all.values().any(|place| !place.floor.is_zero());
        if is_due {
            self.conn.execute("UPDATE fund SET floors_day = ?1", [Sql(day)])?;
            self.allocate_all()?;
        }
        Ok(is_due)
    }

    pub(super) fn wake_places(&mut self, places: &Places) {
        for place in places.all.values() {
            self.wake(Wake::Terminal(place.terminal));
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
        if !record.may_get_more() {
            return Err(StoreError::NotLive(record.standing));
        }
        self.not_restoring()?;
        let slice = AccountId::slice(record.number, purse);
        self.forget_recall(slice)?;
        let serial = self.next_serial(slice)?;
        let cause = u64::from(serial.get());
        let debit = AccountId::purse(purse);
        books.post(Entry { debit, credit: slice, cents, kind: TransferKind::Raise, cause })?;
        let allowed = self.allowed(slice, books.account(slice)?)?;
        self.sign_anew(fund, record, slice, serial, allowed, now)
    }

    fn next_serial(&self, slice: AccountId) -> Result<Serial, StoreError> {
        let newest = self.slice(slice)?.map_or(Serial::new(0), |slice| slice.serial);
        self.serial_after(slice, newest)
    }

    /// The serial after the newest one. The first is above all that lives may have given which a restore forgot.
    pub(super) fn serial_after(&self, id: AccountId, newest: Serial) -> Result<Serial, StoreError> {
        let lives_before = match newest.get() {
            0 => self.fund()?.incarnation.get().saturating_sub(1),
            1.. => 0,
        };
        if lives_before == 0 {
            return newest.next().ok_or(StoreError::Exhausted("serial"));
        }
        let first = first_serial(lives_before);
        self.conn
            .prepare_cached("INSERT INTO serial_jumps (slice, serial, is_first) VALUES (?1, ?2, 1)")?
            .execute(params![Sql(id), Sql(first)])?;
        Ok(first)
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

    /// Counts what came back from a slice.
    pub(super) fn count_returned(&self, slice: AccountId, cents: Cents) -> Result<(), StoreError> {
        self.conn
            .prepare_cached("UPDATE slices SET returned_cents = returned_cents + ?2 WHERE id = ?1")?
            .execute(params![Sql(slice), Sql(cents)])?;
        Ok(())
    }

    /// What a slice's balance allows: what its account was given, but for what reversals gave back.
    pub(super) fn allowed(&self, id: AccountId, account: Account) -> Result<Cents, StoreError> {
        let reversed = self.slice(id)?.map_or(Cents::ZERO, |slice| slice.reversed);
        Ok(account.credits.minus(reversed)?)
    }

    pub(super) fn slice(&self, id: AccountId) -> Result<Option<SliceRecord>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT serial, unclaimed_cents, policy, issued_at, reversed_cents, reversed_to, returned_cents FROM slices
             WHERE id = ?1",
        )?;
        let slice = read.query_row([Sql(id)], |row| {
            let (serial, unclaimed) = (col(row, 0)?, col(row, 1)?);
            let (policy, issued_at) = (col(row, 2)?, col(row, 3)?);
            let (reversed, reversed_to, returned) = (col(row, 4)?, col(row, 5)?, col(row, 6)?);
            Ok(SliceRecord { serial, unclaimed, policy, issued_at, reversed, reversed_to, returned })
        });
        Ok(slice.optional()?)
    }
}
