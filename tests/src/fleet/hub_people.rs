//! What people at the fund do with its hub, and do again where a restore forgot it.

use std::collections::BTreeSet;

use cabas_hub::store::{CardName, CloseOrder, CorrectionOrder, GoodwillRule, StoreError};
use cabas_protocol::{CardRef, Cents, Epoch, TerminalId, Timestamp};

use super::hub::{Hub, household_code, period};

pub(super) const ADA: &str = "Ada";
const BO: &str = "Bo";

/// What people did since the newest backup: after a restore they do it again.
#[derive(Clone, Copy, Debug)]
pub enum Done {
    /// A month was credited.
    Credit(u8),
    /// A card was blocked.
    Block(u32),
    /// A card was unblocked.
    Unblock(u32),
    /// A card was replaced by a plain one.
    Replace(u32, u32, CardRef),
    /// Two people closed an epoch.
    Close(TerminalId, Epoch),
    /// Goodwill was switched on or off.
    Goodwill(bool),
    /// Money of a month expired.
    Expire(u8),
    /// Two people gave a household more, or less.
    Correct(u16, u32, bool),
    /// A household left.
    Leave(u16),
    /// A household came back.
    Return(u16),
}

/// What one household is advanced at the most, and all together.
pub const GOODWILL_CENTS: (u64, u64) = (2_000, 5_000);

fn goodwill(is_on: bool) -> Result<GoodwillRule, StoreError> {
    let (per_household, total) = (Cents::new(GOODWILL_CENTS.0)?, Cents::new(GOODWILL_CENTS.1)?);
    Ok(GoodwillRule { is_on, per_household, total, silent_days: 1 })
}

impl Hub {
    /// People do something; done again it changes nothing. False where it is refused.
    ///
    /// # Errors
    /// Where the ledger fails.
    pub fn people(&mut self, done: Done, now: Timestamp) -> anyhow::Result<bool> {
        let is_done = self.try_people(done, now)?;
        if is_done {
            self.done.push(done);
        }
        Ok(is_done)
    }

    fn try_people(&mut self, done: Done, now: Timestamp) -> anyhow::Result<bool> {
        let tried = match done {
            Done::Credit(month) => loop {
                match self.direct()?.db.write(|tx| tx.credit_book(period(month)?, "Ville", now)) {
                    Ok(report) if report.more => {}
                    Ok(_) => break Ok(()),
                    Err(error) => break Err(error),
                }
            },
            Done::Goodwill(is_on) => self.direct()?.db.write(|tx| tx.goodwill_set(goodwill(is_on)?)),
            Done::Expire(month) => {
                let mut from = 0;
                loop {
                    match self.direct()?.db.write(|tx| tx.expiry_book(period(month)?, from, now)) {
                        Ok((_, Some(next))) => from = next,
                        Ok((_, None)) => break Ok(()),
                        Err(error) => break Err(error),
                    }
                }
            }
            Done::Correct(household, cents, is_up) => {
                let db = &mut self.direct()?.db;
                let order = |cents| CorrectionOrder {
                    household: household_code(household),
                    cents,
                    is_up,
                    source: "Ville".to_owned(),
                    reason: "played".to_owned(),
                    by: ADA.to_owned(),
                };
                db.write(|tx| {
                    let proposed = tx.correction_propose(&order(Cents::new(cents.into())?), now)?;
                    tx.correction_end(proposed, BO, true, now)
                })
            }
            Done::Leave(household) => {
                self.direct()?.db.write(|tx| tx.household_leave(&household_code(household), now)).map(drop)
            }
            Done::Return(household) => {
                self.postponed.retain(|done| !matches!(done, Done::Leave(who) if *who == household));
                self.direct()?.db.write(|tx| tx.household_return(&household_code(household)))
            }
            Done::Block(card) => self.direct()?.db.write(|tx| tx.card_block(CardName::Number(card), now)).map(drop),
            Done::Unblock(card) => self.direct()?.db.write(|tx| tx.card_unblock(CardName::Number(card), now)).map(drop),
            Done::Replace(old, new, name) => {
                self.direct()?.db.write(|tx| tx.card_replace(old, new, name, now)).map(drop)
            }
            Done::Close(terminal, epoch) => {
                let order = |by: &str| CloseOrder { terminal, epoch: Some(epoch), at: None, by: by.to_owned() };
                let db = &mut self.direct()?.db;
                let first = db.write(|tx| tx.terminal_close(&order(ADA), now));
                first.and_then(|_| db.write(|tx| tx.terminal_close(&order(BO), now))).map(drop)
            }
        };
        match tried {
            Ok(()) => Ok(true),
            Err(error @ (StoreError::Sqlite(_) | StoreError::Damaged(_) | StoreError::Ledger(_))) => Err(error.into()),
            Err(_) => Ok(false),
        }
    }

    /// Two people settle, where there is something to settle.
    ///
    /// # Errors
    /// Where the ledger fails.
    pub fn settle(&mut self, now: Timestamp) -> anyhow::Result<()> {
        let prepared = self.direct()?.db.write(|tx| {
            let cut = tx.settlement_cut()?;
            tx.settlement_prepare(&cut, ADA, now)
        });
        match prepared {
            Ok(Some(prepared)) => {
                let number = prepared.settlement.number;
                self.write(|tx| tx.settlement_approve(number, BO, now)).map(drop)
            }
            Ok(None) | Err(StoreError::Restoring(_) | StoreError::PaymentsUnknown { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// What people did since the backup they do again, but for cards that a terminal will tell as blocked. Nobody leaves while a restore
    /// lasts: that waits for its end.
    pub(super) fn do_again(&mut self, told: &BTreeSet<u32>, now: Timestamp) -> anyhow::Result<()> {
        for done in std::mem::take(&mut self.done) {
            if matches!(done, Done::Block(card) if told.contains(&card)) {
                self.done.push(done);
                continue;
            }
            match (self.try_people(done, now)?, done) {
                (false, done @ (Done::Leave(_) | Done::Credit(_))) => self.postponed.push(done),
                (true | false, done) => self.done.push(done),
            }
        }
        Ok(())
    }

    /// Months are credited and households leave that could not while a restore lasted; gives the months.
    pub(super) fn do_at_last(&mut self, now: Timestamp) -> anyhow::Result<Vec<u8>> {
        let mut months = Vec::new();
        for done in std::mem::take(&mut self.postponed) {
            match (self.people(done, now)?, done) {
                (false, done) => self.postponed.push(done),
                (true, Done::Credit(month)) => months.push(month),
                (true, _) => {}
            }
        }
        Ok(months)
    }

    /// Whether a household's leaving waits for a restore's end.
    #[must_use]
    pub fn is_postponed(&self, household: u16) -> bool {
        self.postponed.iter().any(|done| matches!(done, Done::Leave(who) if *who == household))
    }
}
