//! Households, cards and shops from an admin's files.

use std::collections::{BTreeMap, BTreeSet};

use cabas_protocol::row::Tier;
use cabas_protocol::{CardRef, Cents, PurseRef, Timestamp, Version};
use rusqlite::{OptionalExtension as _, params};

use super::error::StoreError;
use super::fund::name;
use super::model::{ImportCard, ImportChange, ImportConflict, ImportHousehold, ImportPlan, ImportReport, ImportShop};
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;
use crate::core::household_rules::Household;
use crate::core::ledger::PurseNo;

/// Bytes of a code in the fund's files.
const CODE_BYTES_MAX: usize = 64;

impl Tx<'_> {
    /// Takes over what the files say: all of it, or nothing where there is a conflict. What is already so is not
    /// touched, so the same files change nothing the second time; what the files leave out stays. Each new household
    /// gets a purse, whose reference comes from `random`. With `dry_run` it only says what it would do.
    ///
    /// # Errors
    /// [`StoreError::Text`] for a name that terminals would refuse; [`StoreError::Sqlite`].
    pub fn import(
        &mut self,
        plan: &ImportPlan,
        random: &mut dyn FnMut() -> PurseRef,
        dry_run: bool,
        now: Timestamp,
    ) -> Result<ImportReport, StoreError> {
        self.fund()?;
        check_texts(plan)?;
        let mut report = ImportReport::default();
        self.conn.execute_batch("SAVEPOINT import")?;
        for (place, shop) in plan.shops.iter().enumerate() {
            self.import_shop(shop, &mut report, now)?;
            report.placed(place);
        }
        for (place, household) in plan.households.iter().enumerate() {
            if self.is_erased(&household.code)? {
                report.conflicts.push(ImportConflict::Erased { household: household.code.clone() });
                report.placed(place);
                continue;
            }
            self.import_household(household, random, &mut report, now)?;
        }
        self.import_members(plan, &mut report)?;
        let mut seen = Seen::default();
        for (place, card) in plan.cards.iter().enumerate() {
            self.import_card(card, &mut seen, &mut report, now)?;
            report.placed(place);
        }
        if dry_run || !report.conflicts.is_empty() {
            self.conn.execute_batch("ROLLBACK TO import; RELEASE import")?;
        } else {
            self.conn.execute_batch("RELEASE import")?;
            self.slots_given()?;
            if report.shops.changed > 0 {
                self.allocate_all()?;
            }
            report.applied = true;
        }
        Ok(report)
    }

    fn import_shop(&mut self, shop: &ImportShop, report: &mut ImportReport, now: Timestamp) -> Result<(), StoreError> {
        if self.is_on_its_way(&shop.code)? {
            report.conflicts.push(ImportConflict::ShopIsJoining { shop: shop.code.clone() });
            return Ok(());
        }
        let count = &mut report.shops;
        let known: Option<(String, String, u32)> = self
            .conn
            .prepare_cached("SELECT name, kind, weight_permille FROM shops WHERE code = ?1")?
            .query_row([&shop.code], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let (renamed, is_new) = (known.as_ref().is_some_and(|(name, ..)| *name != shop.name), known.is_none());
        match &known {
            Some((name, kind, weight)) if (name, kind, *weight) == (&shop.name, &shop.kind, shop.weight_permille) => {
                count.same = count.same.saturating_add(1);
                return Ok(());
            }
            Some(_) => count.changed = count.changed.saturating_add(1),
            None => count.added = count.added.saturating_add(1),
        }
        let before = known.map(|(name, kind, weight_permille)| {
            let code = shop.code.clone();
            ImportShop { code, name, kind, weight_permille }
        });
        report.changes(ImportChange::Shop { before, after: shop.clone() });
        self.conn
            .prepare_cached(
                "INSERT INTO shops (code, name, kind, weight_permille, created_at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (code) DO UPDATE SET name = ?2, kind = ?3, weight_permille = ?4",
            )?
            .execute(params![shop.code, shop.name, shop.kind, shop.weight_permille, Sql(now)])?;
        if is_new {
            self.joined_by_import(shop, now)?;
        }
        if renamed { self.shop_renamed(&shop.code) } else { Ok(()) }
    }

    fn import_members(&self, plan: &ImportPlan, report: &mut ImportReport) -> Result<(), StoreError> {
        for (place, member) in plan.members.iter().enumerate() {
            let household = member.household.clone();
            if self.is_erased(&household)? {
                report.conflicts.push(ImportConflict::Erased { household });
                report.placed(place);
                continue;
            }
            let count = &mut report.members;
            match self.import_member(member)? {
                Some(true) => {
                    count.added = count.added.saturating_add(1);
                    report.changes(ImportChange::Member { household });
                }
                Some(false) => count.same = count.same.saturating_add(1),
                None => report.conflicts.push(ImportConflict::MemberOfNoHousehold { household }),
            }
            report.placed(place);
        }
        Ok(())
    }

    fn import_household(
        &self,
        household: &ImportHousehold,
        random: &mut dyn FnMut() -> PurseRef,
        report: &mut ImportReport,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let count = &mut report.households;
        let people_after = household.people;
        let wanted = (people_after.size(), people_after.children_under_14(), household.contribution);
        let known: Option<(u32, u32, Option<Cents>)> = self
            .conn
            .prepare_cached("SELECT size, children_under_14, contribution_cents FROM households WHERE code = ?1")?
            .query_row([&household.code], |row| Ok((row.get(0)?, row.get(1)?, col_opt(row, 2)?)))
            .optional()?;
        match known {
            Some(known) if known == wanted => {
                count.same = count.same.saturating_add(1);
                return Ok(());
            }
            Some(_) => {
                count.changed = count.changed.saturating_add(1);
                self.conn
                    .prepare_cached(
                        "UPDATE households SET size = ?2, children_under_14 = ?3, contribution_cents = ?4
                         WHERE code = ?1",
                    )?
                    .execute(params![household.code, wanted.0, wanted.1, wanted.2.map(Sql)])?;
            }
            None => {
                count.added = count.added.saturating_add(1);
                self.conn
                    .prepare_cached(
                        "INSERT INTO households (code, size, children_under_14, contribution_cents, created_at)
                         VALUES (?1, ?2, ?3, ?4, ?5)",
                    )?
                    .execute(params![household.code, wanted.0, wanted.1, wanted.2.map(Sql), Sql(now)])?;
                let number = self.conn.last_insert_rowid();
                self.conn
                    .prepare_cached("INSERT INTO purses (ref, household) VALUES (?1, ?2)")?
                    .execute(params![Sql(random()), number])?;
            }
        }
        let before = known.map(|(size, children, contribution)| {
            let code = household.code.clone();
            Ok::<_, StoreError>(ImportHousehold { code, people: people(size, children)?, contribution })
        });
        report.changes(ImportChange::Household { before: before.transpose()?, after: household.clone() });
        Ok(())
    }

    fn import_card(
        &mut self,
        card: &ImportCard,
        seen: &mut Seen,
        report: &mut ImportReport,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if let Some(conflict) = seen.conflict(card) {
            report.conflicts.push(conflict);
            return Ok(());
        }
        let Some(purse) = self.purse_of_household(&card.household)? else {
            let (number, household) = (card.number, card.household.clone());
            report.conflicts.push(ImportConflict::NoSuchHousehold { number, household });
            return Ok(());
        };
        let known = self
            .conn
            .prepare_cached("SELECT number, ref, tier, purse FROM cards WHERE number = ?1 OR ref = ?2")?
            .query_map(params![card.number, Sql(card.card)], |row| {
                Ok(KnownCard { number: row.get(0)?, card: col(row, 1)?, tier: row.get(2)?, purse: col(row, 3)? })
            })?
            .collect::<Result<Vec<_>, _>>()?;
        if known.is_empty() {
            report.cards.added = report.cards.added.saturating_add(1);
            report.changes(ImportChange::Card { number: card.number, household: card.household.clone() });
            self.card_bind(card, purse)?;
            // One that was issued and blocked after the backup that the hub was restored from.
            return self.block_told(card.card, now).map(drop);
        }
        match known.iter().find_map(|known| known.conflict(card, purse)) {
            Some(conflict) => report.conflicts.push(conflict),
            None => report.cards.same = report.cards.same.saturating_add(1),
        }
        Ok(())
    }

    pub(super) fn card_bind(&mut self, card: &ImportCard, purse: PurseNo) -> Result<(), StoreError> {
        let change = self.change_for_all()?;
        self.conn
            .prepare_cached(
                "INSERT INTO cards (number, ref, tier, purse, version, change) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                card.number,
                Sql(card.card),
                tier_number(card.tier),
                Sql(purse),
                Sql(Version::new(1)),
                Sql(change)
            ])?;
        Ok(())
    }

    pub(super) fn purse_of_household(&self, code: &str) -> Result<Option<PurseNo>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT purses.number FROM purses JOIN households ON households.number = purses.household
             WHERE households.code = ?1 ORDER BY purses.number LIMIT 1",
        )?;
        Ok(read.query_row([code], |row| col(row, 0)).optional()?)
    }
}

/// The numbers and cards that a file named so far.
#[derive(Default)]
struct Seen {
    numbers: BTreeSet<u32>,
    cards: BTreeMap<CardRef, u32>,
}

impl Seen {
    fn conflict(&mut self, card: &ImportCard) -> Option<ImportConflict> {
        let number = card.number;
        if !self.numbers.insert(number) {
            return Some(ImportConflict::NumberTaken { number });
        }
        self.cards.insert(card.card, number).map(|known| ImportConflict::CardTaken { number, known })
    }
}

struct KnownCard {
    number: u32,
    card: CardRef,
    tier: u8,
    purse: PurseNo,
}

impl KnownCard {
    fn conflict(&self, card: &ImportCard, purse: PurseNo) -> Option<ImportConflict> {
        let number = card.number;
        if self.number != number {
            Some(ImportConflict::CardTaken { number, known: self.number })
        } else if self.card != card.card {
            Some(ImportConflict::NumberTaken { number })
        } else if self.tier != tier_number(card.tier) {
            Some(ImportConflict::OtherTier { number })
        } else if self.purse != purse {
            Some(ImportConflict::CardOfAnotherHousehold { number, household: card.household.clone() })
        } else {
            None
        }
    }
}

fn check_texts(plan: &ImportPlan) -> Result<(), StoreError> {
    let code = |code: &str| {
        if code.len() > CODE_BYTES_MAX { Err(StoreError::Text("code")) } else { name("code", code) }
    };
    plan.shops.iter().try_for_each(|shop| {
        code(&shop.code)?;
        name("shop name", &shop.name)?;
        name("shop kind", &shop.kind)?;
        if shop.weight_permille > 1000 { Err(StoreError::Text("weight")) } else { Ok(()) }
    })?;
    plan.households.iter().try_for_each(|household| code(&household.code))
}

/// A tier as it is stored: T1, T2, T3.
pub(super) const fn tier_number(tier: Tier) -> u8 {
    match tier {
        Tier::Purse => 1,
        Tier::Identity => 2,
        Tier::Plain => 3,
    }
}

pub(super) fn tier_of_number(number: u8) -> Result<Tier, StoreError> {
    [Tier::Purse, Tier::Identity, Tier::Plain]
        .into_iter()
        .find(|tier| tier_number(*tier) == number)
        .ok_or(StoreError::Damaged("a card's tier"))
}

/// People as they are stored.
pub(super) fn people(size: u32, children_under_14: u32) -> Result<Household, StoreError> {
    Household::new(size, children_under_14).map_err(|_| StoreError::Damaged("a household's people"))
}
