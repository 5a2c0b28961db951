//! Households that leave and come back, who is credited then, and cards that a restore forgot.
#![allow(clippy::arithmetic_side_effects, reason = "figures of a simulation, checked in this build")]

use std::collections::BTreeSet;

use rusqlite::params;

use super::auditor::{Broken, Checked};
use super::card::Chip;
use super::hub::{household_code, period};
use super::hub_people::Done;
use super::look::open;
use super::readers::purse_of;
use super::template::MONTH_CENTS;
use super::world::World;

impl World {
    /// A household leaves: its cards are blocked, its money is asked back and expires.
    pub(super) fn leave(&mut self, household: u16) -> Checked {
        let time = self.time();
        let is_new = household < self.shape.households && !self.gone.contains(&household);
        if !is_new || !self.hub.people(Done::Leave(household), time)? {
            return Ok(());
        }
        self.gone.insert(household);
        self.figures.left += 1;
        self.audit.takes = true;
        for (place, card) in (0_u16..).zip(&self.cards) {
            if card.household == household && !self.forgotten_cards.contains(&card.number) {
                self.blocked.entry(place).or_insert(self.at);
                self.unblocked.remove(&place);
            }
        }
        self.audit.look_again(household);
        Ok(())
    }

    /// It comes back, and its cards are unblocked.
    pub(super) fn come_back(&mut self, household: u16) -> Checked {
        let time = self.time();
        if !self.gone.contains(&household) || !self.hub.people(Done::Return(household), time)? {
            return Ok(());
        }
        self.gone.remove(&household);
        for place in [household * 2, household * 2 + 1] {
            self.people(place, Done::Unblock)?;
        }
        Ok(())
    }

    /// Who was credited of a month: everybody who is there, and nobody who left.
    pub(super) fn credited(&mut self, month: u8) -> Checked {
        let conn = open(&self.hub.database())?;
        let mut read = conn.prepare(
            "SELECT households.code, sum(credits.cents) FROM credits
             JOIN households ON households.number = credits.household WHERE credits.period = ?1 GROUP BY households.code",
        )?;
        let mut rows = read.query([period(month)?.to_string()])?;
        let mut who = BTreeSet::new();
        while let Some(row) = rows.next()? {
            let (code, cents): (String, u64) = (row.get(0)?, row.get(1)?);
            let household: u16 = code.trim_start_matches('H').parse()?;
            if cents != MONTH_CENTS {
                return Err(Broken::new("a month is credited once", format!("{code}: {cents}")));
            }
            who.insert(household);
        }
        let lacks = (0..self.shape.households).find(|one| !self.gone.contains(one) && !who.contains(one));
        let is_new = |one: &&u16| self.gone.contains(one) && !self.audit.was_credited(**one, month);
        let should_not = who.iter().find(is_new);
        // A restore forgets who left and, while it lasts, credits nobody: people do both again when it has ended.
        if let Some(household) = lacks.as_ref().or(should_not).filter(|_| self.hub.restores() == 0) {
            let detail = format!("household {household}, month {month}, left: {:?}", self.gone);
            return Err(Broken::new("who is there is credited, and who left is not", detail));
        }
        who.into_iter().for_each(|household| self.audit.credit(household, month, MONTH_CENTS));
        Ok(())
    }

    /// In the end, whatever was restored, who is there has every month that was credited.
    pub(super) fn all_credited(&mut self) -> Checked {
        if self.is_restoring()? {
            return Ok(());
        }
        let conn = open(&self.hub.database())?;
        let mut read = conn.prepare(
            "SELECT households.code FROM households WHERE left_at IS NULL AND NOT EXISTS (
                SELECT 1 FROM credits WHERE credits.household = households.number AND credits.period = ?1)",
        )?;
        for month in self.audit.months() {
            let lacking = read.query_map([period(month)?.to_string()], |row| row.get::<_, String>(0))?;
            for code in lacking.collect::<Result<Vec<_>, _>>()? {
                let household: u16 = code.trim_start_matches('H').parse()?;
                if self.audit.was_credited(household, month) {
                    return Err(Broken::new("what was credited stays credited", format!("{code}, month {month}")));
                }
            }
        }
        Ok(())
    }

    /// A restored hub does not know that somebody left before the restore has ended: their cards are not blocked.
    pub(super) fn stay_after_all(&mut self) -> Checked {
        for (place, card) in (0_u16..).zip(&self.cards) {
            if self.hub.is_postponed(card.household) {
                self.blocked.remove(&place);
            }
        }
        Ok(())
    }

    /// Cards that are not in the backup.
    pub(super) fn forget_cards(&mut self) -> Checked {
        let conn = open(&self.hub.database())?;
        let mut known = conn.prepare("SELECT EXISTS (SELECT 1 FROM cards WHERE number = ?1)")?;
        for card in self.cards.iter().chain(self.half_issued.values()) {
            if known.query_row([card.number], |row| row.get::<_, bool>(0))?
                || self.forgotten_cards.contains(&card.number)
            {
                continue;
            }
            self.forgotten_cards.insert(card.number);
            self.figures.forgotten_cards += 1;
            if let Chip::Purse(_) = card.chip {
                self.audit.forgotten_purses.insert(purse_of(card));
                self.audit.look_again(card.household);
            }
        }
        // And cards that had been replaced already: who holds one buys with it, and nothing of that can be claimed.
        let mut known = conn.prepare("SELECT EXISTS (SELECT 1 FROM purses WHERE ref = ?1)")?;
        for purse in self.audit.card_purses() {
            if !known.query_row([purse.as_bytes()], |row| row.get::<_, bool>(0))?
                && self.audit.forgotten_purses.insert(purse)
                && let Some(household) = self.audit.owner.get(&purse).copied()
            {
                self.audit.look_again(household);
            }
        }
        // One that was not finished is begun anew, with another one.
        self.half_issued.retain(|_, card| !self.forgotten_cards.contains(&card.number));
        Ok(())
    }

    /// In the end, who left has nothing at terminals that live, and nothing that is free.
    pub(super) fn who_left_has_nothing(&mut self) -> Checked {
        if self.is_restoring()? {
            return Ok(());
        }
        let conn = open(&self.hub.database())?;
        let left = "SELECT left_at IS NOT NULL FROM households WHERE code = ?1";
        let free = "SELECT ifnull(sum(credits - debits), 0) FROM accounts JOIN purses
                ON accounts.id = (4 << 56) | purses.number
             JOIN households ON households.number = purses.household WHERE households.code = ?1";
        let lies = "SELECT ifnull(sum(credits - debits), 0) FROM accounts
             JOIN epochs ON epochs.number = (accounts.id >> 32) & 16777215
             JOIN purses ON purses.number = accounts.id & 4294967295
             JOIN households ON households.number = purses.household
             WHERE accounts.id >> 56 = 5 AND households.code = ?1 AND epochs.terminal = ?2 AND epochs.epoch = ?3";
        // A blocked card's money goes back once every open terminal has the list.
        let on_cards = "SELECT ifnull(sum(accounts.credits - accounts.debits), 0) FROM accounts JOIN cards ON accounts.id = (12 << 56) | cards.purse
             JOIN purses ON purses.number = cards.purse JOIN households ON households.number = purses.household
             WHERE households.code = ?1
                AND blocked_in <= (SELECT min(list_applied) FROM epochs WHERE standing <> 3)";
        for household in &self.gone {
            let code = household_code(*household);
            if !conn.query_row(left, [&code], |row| row.get::<_, bool>(0))? {
                return Err(Broken::new("who left has left", code));
            }
            let mut cents: i64 = conn.query_row(free, [&code], |row| row.get(0))?;
            cents += conn.query_row(on_cards, [&code], |row| row.get::<_, i64>(0))?;
            for till in self.tills.iter().flatten() {
                let at = (till.terminal.get(), till.epoch.get());
                if !self.audit.tainted.contains(&at) && !self.audit.forgotten.contains(&at) {
                    cents += conn.query_row(lies, params![code, at.0, at.1], |row| row.get::<_, i64>(0))?;
                }
            }
            if cents != 0 {
                return Err(Broken::new("who left has nothing", format!("{code}: {cents}")));
            }
        }
        Ok(())
    }
}
