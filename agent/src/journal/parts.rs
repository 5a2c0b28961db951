//! Part payment, and what an open sale keeps from recalls.

use super::Journal;
use super::error::JournalError;
use super::sales::{Declined, SaleAsk, Sold, facts, known_of};
use super::state::{Reserved, State};
use crate::clock;
use crate::core::ages::Moment;
use crate::core::authorize::{Decision, DeclineReason, authorize};
use cabas_protocol::{Cents, RequestId};
use std::sync::Arc;

impl Journal {
    /// Decides a sale of which the fund pays `most` at the most, as the member has accepted, and writes it down. Where
    /// there is less by then it is declined with a new offer.
    ///
    /// # Errors
    /// As [`Journal::sell`].
    pub fn sell_part(&mut self, now: Moment, ask: &SaleAsk, most: Cents) -> Result<Sold, JournalError> {
        self.sell_most(now, ask, Some(most))
    }

    pub(super) fn sell_most(&mut self, now: Moment, ask: &SaleAsk, most: Option<Cents>) -> Result<Sold, JournalError> {
        let (sold, fund) = self.write(now, |writer| writer.sell(ask, most))?;
        self.reserve_for(ask, &sold, fund);
        Ok(sold)
    }

    /// The part that the fund could pay of a sale that was declined: nothing where more is missing than money, where
    /// the limits allow no parts, or where nothing is here. `most` is what was offered before.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn offer(&mut self, now: Moment, ask: &SaleAsk, most: Option<Cents>) -> Result<Option<Cents>, JournalError> {
        self.read(|db, state| {
            let Ok(lines) = state.categories(clock::business_day(state.hub.anchor.time(now))).split(&ask.lines) else {
                return Ok(None);
            };
            let whole = Cents::sum(lines.iter().map(|line| line.fund))?;
            let known = known_of(db, state, now, ask.card)?;
            let facts = facts(state, now, &known);
            // Money is the last of all reasons: where it is given, everything else would let the sale be.
            let only_money = authorize(&facts, whole) == Decision::Decline(DeclineReason::InsufficientFunds);
            let in_parts = state.policy.as_ref().is_some_and(|policy| policy.part_payment);
            let available = known.balance.map(|balance| known.counters.available(balance.allowed));
            let offer = available.map(|available| most.map_or(available, |most| most.min(available)));
            Ok(offer.filter(|offer| only_money && in_parts && !offer.is_zero()))
        })
    }

    /// What a declined sale may still take, by a larger balance or in part, is kept from recalls until it ends.
    fn reserve_for(&mut self, ask: &SaleAsk, sold: &Sold, fund: Cents) {
        let reserved = match sold {
            Sold::Declined(Declined { reason, purse: Some(purse), .. }) if reason.may_extend() => {
                Some(Reserved { request: ask.request, purse: *purse, cents: fund })
            }
            Sold::Declined(_) | Sold::Accepted(_) | Sold::Known(_) | Sold::NotSplit(_) => None,
        };
        self.set_reserved(reserved);
    }

    /// A sale ended without a row: what it had reserved is free for recalls.
    pub fn release(&mut self, request: RequestId) {
        if self.state.reserved.is_some_and(|reserved| reserved.request == request) {
            self.set_reserved(None);
        }
    }

    fn set_reserved(&mut self, reserved: Option<Reserved>) {
        if self.state.reserved != reserved {
            let mut state = State::clone(&self.state);
            state.reserved = reserved;
            self.state = Arc::new(state);
        }
    }
}
