//! What the fund decides: goodwill, what expires, corrections, and restores of its hub.
#![allow(clippy::arithmetic_side_effects, reason = "sums of a model, checked in this build")]

use super::auditor::{Broken, Checked, Counter};
use super::hub_people::{Done, GOODWILL_CENTS};
use super::look::{enrolments, expired, newest_serials, refunds_at, released_cards, returned};
use super::template::MONTH_CENTS;
use super::world::World;
use cabas_protocol::TerminalId;

impl World {
    /// Goodwill is switched on or off. What was advanced stays advanced.
    pub(super) fn goodwill(&mut self, is_on: bool) -> Checked {
        let time = self.time();
        if self.hub.people(Done::Goodwill(is_on), time)? && is_on {
            self.audit.goodwill = GOODWILL_CENTS;
        }
        Ok(())
    }

    /// What was not spent of older months expires: never what is not there, nor what was credited since.
    pub(super) fn expire(&mut self, month: u8) -> Checked {
        let time = self.time();
        let all = 0..self.shape.households;
        let has: Vec<_> = all.clone().map(|household| self.audit.has(household)).collect();
        let before = expired(&self.hub.database())?;
        if !self.hub.people(Done::Expire(month), time)? {
            return Ok(());
        }
        let after = expired(&self.hub.database())?;
        self.audit.takes = true;
        // Of copied, lost and forgotten terminals it is not known here what the fund will not have to pay.
        let audit = &self.audit;
        let is_known = audit.tainted.is_empty() && audit.closed.is_empty() && self.dead.is_empty();
        let is_known = is_known && self.hub.restores() == 0;
        for (household, has) in all.zip(has) {
            let of = |sums: &std::collections::BTreeMap<u16, u64>| sums.get(&household).copied().unwrap_or_default();
            let cents = of(&after) - of(&before);
            let stays = self.audit.credited_from(household, month, MONTH_CENTS);
            self.figures.expired_cents += cents;
            if is_known && cents > has.saturating_sub(stays) {
                return Err(Broken::new(
                    "what expires is there, and old",
                    format!("household {household} has {has}, {stays} of it new, and {cents} expired"),
                ));
            }
            self.audit.look_again(household);
        }
        Ok(())
    }

    /// Two people give a household more, or less.
    pub(super) fn correct(&mut self, household: u16, cents: u32, is_up: bool) -> Checked {
        let time = self.time();
        if household >= self.shape.households || !self.hub.people(Done::Correct(household, cents, is_up), time)? {
            return Ok(());
        }
        match self.audit.credited.get_mut(usize::from(household)) {
            Some(credited) if is_up => *credited += u64::from(cents),
            _ => self.audit.takes = true,
        }
        self.audit.look_again(household);
        Ok(())
    }

    /// The hub is restored from its newest backup: terminals that were enrolled since are not in it.
    pub(super) fn restore(&mut self) -> Checked {
        let (time, database) = (self.time(), self.hub.database());
        let (released, returned) = (released_cards(&database)?, returned(&database)?);
        let mut refunded = Vec::new();
        for at in self.audit.tainted.difference(&self.audit.closed) {
            refunded.extend(refunds_at(&database, *at)?.into_iter().map(|(code, cents)| ((*at, code), cents)));
        }
        if !self.hub.restore(time)? {
            return Ok(());
        }
        let told = self.blocks_to_be_told()?;
        self.hub.do_again(&told, time)?;
        for (of, cents) in refunded {
            let most = self.audit.refunded_before.entry(of).or_default();
            *most = (*most).max(cents);
        }
        for (counter, cents) in returned {
            if matches!(counter, Counter::Slice(at, _) if self.audit.tainted.contains(&at)) {
                let most = self.audit.copies_returned.entry(counter).or_default();
                *most = (*most).max(cents);
            }
        }
        let known = newest_serials(&self.hub.database())?;
        let is_lacking = |(counter, (serial, _)): (&Counter, &(u32, u64))| {
            (*serial > known.get(counter).copied().unwrap_or_default()).then_some(*counter)
        };
        let lacking: Vec<_> = self.audit.allowed.iter().filter_map(is_lacking).collect();
        self.audit.lacking.extend(lacking);
        let still = released_cards(&self.hub.database())?;
        self.audit.released.extend(released.difference(&still));
        let known = enrolments(&self.hub.database())?;
        let tills = self.tills.iter().flatten().chain(self.twins.values());
        let here = tills.map(|till| (till.terminal.get(), till.epoch.get()));
        let dead = self.dead.values().map(|(terminal, epoch, _)| (terminal.get(), epoch.get()));
        for at in here.chain(dead).collect::<Vec<_>>() {
            if !known.contains(&at) && self.audit.forgotten.insert(at) {
                self.figures.forgotten += 1;
            }
        }
        self.forget_cards()?;
        self.stay_after_all()?;
        for month in self.audit.months() {
            self.credited(month)?;
        }
        // Cards may have keys of which the hub knows nothing any more.
        self.keys_changed = self.keys_changed.map(|_| u32::MAX);
        Ok(())
    }

    /// Whether the hub knows a terminal.
    pub(super) fn knows(&self, terminal: TerminalId) -> Checked<bool> {
        let known = enrolments(&self.hub.database())?;
        Ok(known.iter().any(|(known, _)| *known == terminal.get()))
    }
}
