//! The auditor's conservation: what the hub's signed words can still cost a household, and what it was given.
#![allow(clippy::arithmetic_side_effects, reason = "sums of a model in u64, checked in this build")]

use std::collections::BTreeMap;

use super::auditor::{Asked, Auditor, Broken, Checked, Counter, Enrolled};
use super::hub::household_code;

impl Auditor {
    /// What the hub's signed words can still cost each household whose money moved: at most what it was given. `hub` is asked
    /// for what only the hub knows: what closed enrolments claimed, and what was given back of lost cards.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn conserved(&mut self, hub: &mut dyn FnMut(&Self, Asked) -> Checked<Option<u64>>) -> Checked {
        let touched = std::mem::take(&mut self.touched);
        if touched.is_empty() {
            return Ok(());
        }
        let mut sums: BTreeMap<u16, u64> = BTreeMap::new();
        for (counter, (_, allowed)) in &self.allowed {
            let (Counter::Slice(_, purse) | Counter::Card(purse)) = counter;
            let Some(household) = self.owner.get(purse).filter(|household| touched.contains(household)) else {
                continue;
            };
            *sums.entry(*household).or_default() +=
                allowed.saturating_sub(self.returned.get(counter).copied().unwrap_or_default());
        }
        for (household, sum) in sums {
            let beyond = self.beyond_given(household, sum, hub)?;
            if beyond > self.goodwill.0 {
                return Err(Broken::new(
                    "conservation: signed words allow no more than was given",
                    format!(
                        "household {household} may spend {beyond} beyond what it was given: {}",
                        self.parts(household, hub)?
                    ),
                ));
            }
            if beyond == 0 {
                self.beyond.remove(&household);
            } else {
                self.beyond.insert(household, beyond);
            }
        }
        if self.beyond.values().sum::<u64>() > self.goodwill.1 {
            // What others may spend can have become less, without a word that was signed.
            for household in self.beyond.keys().copied().collect::<Vec<_>>() {
                let beyond = self.beyond_given(household, u64::MAX, hub)?;
                self.beyond.insert(household, beyond);
            }
            if self.beyond.values().sum::<u64>() > self.goodwill.1 {
                let detail = format!("beyond what was given, of {} in all: {:?}", self.goodwill.1, self.beyond);
                return Err(Broken::new("goodwill stays within the fund's limit", detail));
            }
        }
        Ok(())
    }

    /// What a household may spend beyond what it was given: `sum` at the most, where it is right.
    fn beyond_given(
        &self,
        household: u16,
        sum: u64,
        hub: &mut dyn FnMut(&Self, Asked) -> Checked<Option<u64>>,
    ) -> Checked<u64> {
        let place = usize::from(household);
        let credited = self.credited.get(place).copied().unwrap_or_default();
        let given = credited + self.refunded.get(place).copied().unwrap_or_default();
        let taken = if self.takes { hub(self, Asked::Taken(household))?.unwrap_or_default() } else { 0 };
        if sum <= given.saturating_sub(taken) {
            return Ok(0);
        }
        let exact = self.exactly(household, hub)?;
        let given = given.max(credited + self.refunds_of_copies(household, hub)?);
        let beyond = exact.saturating_sub(given.saturating_sub(taken));
        let twice = self.returned_at_copies(household)
            + self.released_before(household, hub)?
            + self.refunds_forgotten(household);
        if beyond == 0 || twice == 0 {
            return Ok(beyond);
        }
        // What a terminal handed back is at its copy all the same. A restored hub that hears of the copy before the rows that
        // handed it back cannot know better: it counts that money twice until people close the enrolment, and says so. The same with the money
        // of a blocked card that went back after the backup, until it goes back again, and with what a copied terminal had refunded.
        Ok(beyond.saturating_sub(hub(self, Asked::Missing(household))?.unwrap_or_default().min(twice)))
    }

    /// What the words allow on cards of a household whose money had gone back as the hub was restored, and has not again.
    fn released_before(
        &self,
        household: u16,
        hub: &mut dyn FnMut(&Self, Asked) -> Checked<Option<u64>>,
    ) -> Checked<u64> {
        let mut sum = 0;
        for purse in self.released.iter().filter(|purse| self.owner.get(purse) == Some(&household)) {
            let counter = Counter::Card(*purse);
            if let (Some((_, allowed)), None) = (self.allowed.get(&counter), hub(self, Asked::Used(counter))?) {
                sum += allowed;
            }
        }
        Ok(sum)
    }

    /// What of a household's money enrolments handed back that were copied, and that nobody closed yet.
    fn returned_at_copies(&self, household: u16) -> u64 {
        let is_at_a_copy = |counter: &Counter| match counter {
            Counter::Slice(at, purse) => {
                self.tainted.contains(at) && !self.closed.contains(at) && self.owner.get(purse) == Some(&household)
            }
            Counter::Card(_) => false,
        };
        let mut back = self.copies_returned.clone();
        for (counter, cents) in &self.returned {
            let most = back.entry(*counter).or_default();
            *most = (*most).max(*cents);
        }
        back.iter().filter(|(counter, _)| is_at_a_copy(counter)).map(|(_, cents)| cents).sum()
    }

    /// Rows of copied journals are not followed: what they had refunded, and all else, the hub says.
    fn refunds_of_copies(
        &self,
        household: u16,
        hub: &mut dyn FnMut(&Self, Asked) -> Checked<Option<u64>>,
    ) -> Checked<u64> {
        if self.tainted.is_empty() { Ok(0) } else { Ok(hub(self, Asked::Refunds(household))?.unwrap_or_default()) }
    }

    /// What was refunded to a household by rows of copied journals before a restore, until people close the enrolment: the restored
    /// hub has those rows not yet, or believes them no more.
    fn refunds_forgotten(&self, household: u16) -> u64 {
        let code = household_code(household);
        let is_open = |(at, of): &(Enrolled, String)| *of == code && !self.closed.contains(at);
        self.refunded_before.iter().filter(|(of, _)| is_open(of)).map(|(_, cents)| cents).sum()
    }

    /// The parts of a household's sum, for who looks into a seed that broke the rule.
    fn parts(&self, household: u16, hub: &mut dyn FnMut(&Self, Asked) -> Checked<Option<u64>>) -> Checked<String> {
        let place = usize::from(household);
        let mut parts = format!(
            "credited {:?}, refunded {:?}, of copies {}, taken {:?}, missing {:?}, returned at copies {}, released before {}, refunds forgotten {}",
            self.credited.get(place),
            self.refunded.get(place),
            self.refunds_of_copies(household, hub)?,
            hub(self, Asked::Taken(household))?,
            hub(self, Asked::Missing(household))?,
            self.returned_at_copies(household),
            self.released_before(household, hub)?,
            self.refunds_forgotten(household),
        );
        for (counter, (serial, allowed)) in &self.allowed {
            let (Counter::Slice(_, purse) | Counter::Card(purse)) = counter;
            if self.owner.get(purse) == Some(&household) {
                let returned = self.returned.get(counter).copied().unwrap_or_default();
                let used = hub(self, Asked::Used(*counter))?;
                parts.push_str(&format!(
                    "; {counter:?} serial {serial} allows {allowed}, back {returned}, used {used:?}"
                ));
            }
        }
        Ok(parts)
    }

    fn exactly(&self, household: u16, hub: &mut dyn FnMut(&Self, Asked) -> Checked<Option<u64>>) -> Checked<u64> {
        let mut sum = 0;
        for (counter, (_, allowed)) in &self.allowed {
            let (Counter::Slice(_, purse) | Counter::Card(purse)) = counter;
            if self.owner.get(purse) != Some(&household) {
                continue;
            }
            let returned = self.returned.get(counter).copied().unwrap_or_default();
            sum += hub(self, Asked::Used(*counter))?.unwrap_or_else(|| allowed.saturating_sub(returned)).min(*allowed);
        }
        Ok(sum)
    }
}
