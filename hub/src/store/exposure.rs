//! Money that is out of the hub's hands: at terminals that do not know of a blocked card, at terminals that do not answer,
//! on cards whose keys are not in good hands, advanced as goodwill, missing since a restore.

use std::collections::BTreeMap;

use cabas_protocol::row::Tier;
use cabas_protocol::sync::Standing;
use cabas_protocol::{Cents, Epoch, TerminalId, Timestamp};
use rusqlite::params;

use super::error::StoreError;
use super::import::tier_of_number;
use super::key_exposure::KeyExposure;
use super::purse_cards::PurseCard;
use super::sql::{Sql, col};
use super::terminals::standing_number;
use super::tx::Tx;
use crate::core::exposure::{PlainLimits, advance, still_spendable};
use crate::core::ledger::{AccountId, AccountKind, Entry, EpochNo, PurseNo, TransferKind};

const DAY_S: u64 = 86_400;

/// What may still go wrong, in cents; the parts have no cent in common.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Exposure {
    /// What blocked cards can still spend at terminals that have not applied the list.
    pub blocked_cards: Cents,
    /// What lies at terminals that are silent, quarantined or revoked.
    pub locked: Cents,
    /// What purse cards may still spend whose keys are at terminals that are silent, quarantined, revoked, or were when they
    /// were closed: as far as other terminals still take those keys.
    pub lost_keys: Cents,
    /// Goodwill that was not paid back.
    pub goodwill: Cents,
    /// What a restore left missing.
    pub restored: Cents,
    /// What shops were paid and took back since: they owe it until their next sales.
    pub overpaid: Cents,
    /// One entry a blocked card that can still be used somewhere.
    pub cards: Vec<CardExposure>,
    /// One entry an enrolment that locks money.
    pub epochs: Vec<EpochExposure>,
    /// One entry an enrolment whose keys still open cards.
    pub keys: Vec<KeyExposure>,
}

/// A blocked card. Cards of one purse use the same money: their entries may overlap.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CardExposure {
    /// The number printed on it.
    pub number: u32,
    /// What it can still spend.
    pub cents: Cents,
    /// At how many terminals.
    pub terminals: u32,
}

/// An enrolment that locks money.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EpochExposure {
    /// The terminal.
    pub terminal: TerminalId,
    /// Its epoch.
    pub epoch: Epoch,
    /// How it stands; `Live` means silent.
    pub standing: Standing,
    /// What lies there.
    pub cents: Cents,
}

/// The goodwill switch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GoodwillRule {
    /// False where nothing is advanced.
    pub is_on: bool,
    /// To one household, at the most.
    pub per_household: Cents,
    /// In the whole fund, at the most.
    pub total: Cents,
    /// A terminal is silent after so many days without a call.
    pub silent_days: u32,
}

/// An enrolment that is not closed.
struct Open {
    number: EpochNo,
    terminal: TerminalId,
    epoch: Epoch,
    standing: Standing,
    is_silent: bool,
    list_applied: u32,
}

impl Exposure {
    /// The one number.
    ///
    /// # Errors
    /// [`StoreError::Money`].
    pub fn total(&self) -> Result<Cents, StoreError> {
        Ok(Cents::sum([self.blocked_cards, self.locked, self.lost_keys, self.goodwill, self.restored, self.overpaid])?)
    }
}

impl Tx<'_> {
    /// What may still go wrong.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Damaged`].
    pub fn exposure(&self, now: Timestamp) -> Result<Exposure, StoreError> {
        let open = self.open_epochs(now)?;
        let mut exposure = Exposure {
            goodwill: self.owed_in_all(AccountKind::Goodwill)?,
            restored: self.owed_in_all(AccountKind::Restored)?,
            overpaid: self.owed_in_all(AccountKind::Payable)?,
            ..Exposure::default()
        };
        for open in open.iter().filter(|open| open.is_locked()) {
            let cents = self.left_at(open.number)?;
            if !cents.is_zero() {
                let Open { terminal, epoch, standing, .. } = *open;
                exposure.locked = exposure.locked.plus(cents)?;
                exposure.epochs.push(EpochExposure { terminal, epoch, standing, cents });
            }
        }
        self.blocked_cards(&open, &mut exposure)?;
        self.lost_keys(&mut exposure, self.silent_s()?, now)?;
        Ok(exposure)
    }

    fn blocked_cards(&self, open: &[Open], exposure: &mut Exposure) -> Result<(), StoreError> {
        let limits = self.conn.query_row(
            "SELECT plain_day_cents_max, plain_list_age_s_max FROM policies ORDER BY id DESC LIMIT 1",
            [],
            |row| Ok(PlainLimits { day_cents_max: col(row, 0)?, list_age_s_max: row.get(1)? }),
        )?;
        let mut read = self.conn.prepare_cached(
            "SELECT number, tier, purse, ifnull(blocked_in, 0) FROM cards WHERE blocked_at IS NOT NULL ORDER BY number",
        )?;
        let mut rows = read.query([])?;
        let mut most: BTreeMap<(PurseNo, EpochNo), Cents> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let (number, purse, blocked_in): (u32, PurseNo, u32) = (row.get(0)?, col(row, 2)?, row.get(3)?);
            let tier: Tier = tier_of_number(row.get(1)?)?;
            if let Some(card) = self.purse_card(purse)? {
                self.blocked_purse_card(open, (number, blocked_in), &card, exposure)?;
                continue;
            }
            let mut card = CardExposure { number, cents: Cents::ZERO, terminals: 0 };
            for open in open.iter().filter(|open| !open.is_locked() && open.list_applied < blocked_in) {
                let left = self.account(AccountId::slice(open.number, purse))?.left()?;
                let cents = still_spendable(left, tier, limits)?;
                if !cents.is_zero() {
                    card = CardExposure {
                        cents: card.cents.plus(cents)?,
                        terminals: card.terminals.saturating_add(1),
                        ..card
                    };
                    let at = most.entry((purse, open.number)).or_default();
                    *at = (*at).max(cents);
                }
            }
            if card.terminals > 0 {
                exposure.cards.push(card);
            }
        }
        exposure.blocked_cards = Cents::sum(most.into_values())?.plus(exposure.blocked_cards)?;
        Ok(())
    }

    /// A purse card can spend all that it has, once, wherever the list is not known: at a silent terminal too, for the
    /// money is on the card and does not lie there.
    fn blocked_purse_card(
        &self,
        open: &[Open],
        (number, blocked_in): (u32, u32),
        card: &PurseCard,
        exposure: &mut Exposure,
    ) -> Result<(), StoreError> {
        let terminals = open.iter().filter(|open| open.list_applied < blocked_in).count();
        let cents = self.account(card.id)?.left()?;
        if terminals > 0 && !cents.is_zero() {
            let terminals = u32::try_from(terminals).unwrap_or(u32::MAX);
            exposure.cards.push(CardExposure { number, cents, terminals });
            exposure.blocked_cards = exposure.blocked_cards.plus(cents)?;
        }
        Ok(())
    }

    /// Seconds without a call after which a terminal is silent.
    fn silent_s(&self) -> Result<u64, StoreError> {
        Ok(u64::from(self.goodwill_rule()?.silent_days).saturating_mul(DAY_S))
    }

    fn open_epochs(&self, now: Timestamp) -> Result<Vec<Open>, StoreError> {
        let silent_s = self.silent_s()?;
        let mut read = self.conn.prepare_cached(
            "SELECT number, terminal, epochs.epoch, max(ifnull(contact_at, 0), opened_at), list_applied FROM epochs
             LEFT JOIN contacts ON contacts.epoch = epochs.number WHERE standing <> ?1 ORDER BY terminal, epochs.epoch",
        )?;
        let rows = read.query_map([standing_number(Standing::Closed)], |row| {
            Ok((col(row, 0)?, col(row, 1)?, col(row, 2)?, col(row, 3)?, row.get(4)?))
        })?;
        rows.map(|row| {
            let (number, terminal, epoch, heard_at, list_applied): (EpochNo, TerminalId, Epoch, Timestamp, u32) = row?;
            let standing = self.epoch(terminal, epoch)?.standing;
            let is_silent = now.since_s(heard_at) > silent_s;
            Ok(Open { number, terminal, epoch, standing, is_silent, list_applied })
        })
        .collect()
    }

    /// What lies at an enrolment, all purses together.
    pub(super) fn left_at(&self, epoch: EpochNo) -> Result<Cents, StoreError> {
        let (first, last) = (AccountId::slice(epoch, PurseNo::new(0)), AccountId::slice(epoch, PurseNo::new(u32::MAX)));
        let mut read = self
            .conn
            .prepare_cached("SELECT ifnull(sum(credits - debits), 0) FROM accounts WHERE id >= ?1 AND id <= ?2")?;
        Ok(read.query_row(params![Sql(first), Sql(last)], |row| col(row, 0))?)
    }

    fn owed_in_all(&self, kind: AccountKind) -> Result<Cents, StoreError> {
        let mut read = self
            .conn
            .prepare_cached("SELECT ifnull(sum(max(0, debits - credits)), 0) FROM accounts WHERE id >> 56 = ?1")?;
        Ok(read.query_row([kind.number()], |row| col(row, 0))?)
    }

    /// The goodwill switch as it stands.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn goodwill_rule(&self) -> Result<GoodwillRule, StoreError> {
        let mut read =
            self.conn.prepare_cached("SELECT is_on, per_household_cents, total_cents, silent_days FROM goodwill")?;
        Ok(read.query_row([], |row| {
            let (per_household, total) = (col(row, 1)?, col(row, 2)?);
            Ok(GoodwillRule { is_on: row.get(0)?, per_household, total, silent_days: row.get(3)? })
        })?)
    }

    /// Sets the goodwill switch. What was advanced stays owed, whatever it says.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn goodwill_set(&mut self, rule: GoodwillRule) -> Result<(), StoreError> {
        self.conn.execute(
            "UPDATE goodwill SET is_on = ?1, per_household_cents = ?2, total_cents = ?3, silent_days = ?4",
            params![rule.is_on, Sql(rule.per_household), Sql(rule.total), rule.silent_days],
        )?;
        Ok(())
    }

    /// Advances to households what lies at terminals that are silent, within the limits; says how much. Repeated it
    /// advances no more.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Ledger`].
    pub fn goodwill_advance(&mut self, now: Timestamp) -> Result<Cents, StoreError> {
        let rule = self.goodwill_rule()?;
        if !rule.is_on || self.is_restoring()? {
            return Ok(Cents::ZERO);
        }
        let locked = self.locked_by_purse(now)?;
        // What a restore left missing is beyond what was given too: goodwill that the backup lacks, spent or reserved.
        let (goodwill, missing) = (self.owed_in_all(AccountKind::Goodwill)?, self.owed_in_all(AccountKind::Restored)?);
        let mut fund_left = rule.total.minus_or_zero(goodwill.plus(missing)?);
        let advanced = self.with_books(|books| {
            let mut all = Cents::ZERO;
            for (purse, locked) in locked {
                // Nothing is advanced to who is gone, nor what is to be withheld anyway.
                let withheld = super::debts::owed(books.account(AccountId::withheld(purse))?)?;
                let locked = if self.is_gone(purse)? { Cents::ZERO } else { locked.minus_or_zero(withheld) };
                let debit = AccountId::goodwill(purse);
                let missing = super::debts::owed(books.account(AccountId::restored(purse))?)?;
                let before = super::debts::owed(books.account(debit)?)?.plus(missing)?;
                let cents = advance(locked, before, rule.per_household, fund_left);
                if cents.is_zero() {
                    continue;
                }
                let add = "INSERT INTO goodwill_advances (purse, cents, advanced_at) VALUES (?1, ?2, ?3) RETURNING id";
                let cause = self.conn.query_row(add, params![Sql(purse), Sql(cents), Sql(now)], |row| col(row, 0))?;
                let (credit, kind) = (AccountId::purse(purse), TransferKind::Advance);
                books.post(Entry { debit, credit, cents, kind, cause })?;
                fund_left = fund_left.minus(cents)?;
                all = all.plus(cents)?;
            }
            Ok(all)
        })?;
        if !advanced.is_zero() {
            self.allocate_all()?;
            tracing::warn!(goodwill_cents = advanced.get(), "money at silent terminals was advanced to households");
        }
        Ok(advanced)
    }

    /// What each purse has at silent terminals.
    fn locked_by_purse(&self, now: Timestamp) -> Result<BTreeMap<PurseNo, Cents>, StoreError> {
        let mut locked: BTreeMap<PurseNo, Cents> = BTreeMap::new();
        for open in self.open_epochs(now)?.iter().filter(|open| open.is_silent) {
            let mut read = self.conn.prepare_cached(
                "SELECT slices.id & 0xffffffff, credits - debits FROM slices JOIN accounts ON accounts.id = slices.id
                 WHERE slices.epoch = ?1 AND credits > debits",
            )?;
            let mut rows = read.query([Sql(open.number)])?;
            while let Some(row) = rows.next()? {
                let (purse, left): (PurseNo, Cents) = (col(row, 0)?, col(row, 1)?);
                let at = locked.entry(purse).or_default();
                *at = at.plus(left)?;
            }
        }
        Ok(locked)
    }
}

impl Open {
    /// True where what lies there cannot be spent, or nobody hears that it was.
    const fn is_locked(&self) -> bool {
        self.is_silent || !matches!(self.standing, Standing::Live)
    }
}
