//! Part payment at the counter: the member is asked, and only the card that was there can take what was offered.

use super::board::SaleView;
use super::counter::Open;
use super::purse::{Keyed, OnReader};
use super::{BeginAsk, Command, Counter, Refusal, Service};
use crate::core::part::part_of;
use crate::core::sale::{SaleEvent, SaleState};
use crate::journal::{Declined, SaleAsk};
use cabas_protocol::{CardRef, Cents, RequestId};
use serde_json::Value;
use std::pin::Pin;
use tokio::time::Sleep;

/// A part of a sale that is offered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Part {
    /// The card that it is offered to.
    pub(super) card: CardRef,
    /// What the fund pays at the most.
    pub(super) most: Cents,
    /// The member said yes.
    pub(super) is_taken: bool,
}

impl Service {
    /// The member takes the part that is offered.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn take_part(&self, id: RequestId) -> Result<Value, Refusal> {
        let sale = self.ask(|reply| Command::TakePart { id, reply }).await?;
        Ok(sale.json(&self.texts, &self.categories()))
    }
}

impl Counter {
    pub(super) fn has_part(&self) -> bool {
        matches!(self.open, Open::Sale { part: Some(_), .. } | Open::Sale { doubt: Some(_), .. })
    }

    /// The part that the fund could pay of a sale that was declined.
    pub(super) async fn offer_of(&self, ask: &SaleAsk, most: Option<Cents>) -> Option<Cents> {
        let (now, ask) = (self.service.clock.now(), ask.clone());
        let offer = self.service.journal.customer(move |journal| journal.offer(now, &ask, most)).await;
        offer.unwrap_or_else(|error| {
            tracing::error!(%error, "whether a part could be offered is unknown");
            None
        })
    }

    /// Asks the member. The sale's own time-out goes on: no answer leaves nothing.
    pub(super) async fn offer(&mut self, ask: BeginAsk, deadline: Pin<Box<Sleep>>, part: Part) {
        let id = ask.request;
        if ask.from_till && !ask.takes_part {
            // A till takes its amount whole or not at all: what would pass is told on the member's side.
            self.release(id).await;
            return self.declined(id, Declined::only(part.most));
        }
        tracing::info!(sale.id = %id, "a part of a sale is offered");
        if let Some(sale) = self.service.board().find_mut(id) {
            sale.offer = Some(part.most);
            if let Ok(lines) = self.service.categories().split(&ask.lines) {
                sale.lines = lines;
            }
        }
        self.open = Open::Sale { ask, deadline, part: Some(part), doubt: None };
        self.step(id, SaleEvent::Offer);
    }

    /// A card at a sale: it decides, unless a part is offered and not taken, or taken by another card.
    pub(super) async fn sell_or_wait(
        &mut self,
        ask: BeginAsk,
        deadline: Pin<Box<Sleep>>,
        part: Option<Part>,
        seen: OnReader,
    ) {
        let OnReader { by, keyed } = seen;
        match part {
            Some(part) if !part.is_taken || part.card != by.card => {
                let other = part.card != by.card;
                self.open = Open::Sale { ask, deadline, part: Some(part), doubt: None };
                self.notice(other.then_some("notice-same-card"));
            }
            part => match keyed {
                Some(Keyed::Purse(at)) => self.pay(ask, deadline, part, by, at).await,
                Some(Keyed::Identity(at)) => self.identify_and_sell(ask, deadline, part, by, at).await,
                None => self.sell(ask, deadline, part, by).await,
            },
        }
    }

    /// The member says yes: where the card still lies there it is decided at once.
    pub(super) async fn take_part(&mut self, id: RequestId) -> Result<SaleView, Refusal> {
        if let Some(sale) = self.take_played_part(id) {
            return Ok(sale);
        }
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Sale { ask, deadline, part: Some(part), .. } if ask.request == id && !part.is_taken => {
                let part = Part { is_taken: true, ..part };
                if let Some(sale) = self.service.board().find_mut(id) {
                    // What the cashier is to take by other means is shown from here on.
                    sale.lines = part_of(&sale.lines, part.most).unwrap_or_else(|_| sale.lines.clone());
                    sale.notice = None;
                }
                self.step(id, SaleEvent::TakePart);
                match self.on_reader.clone().filter(|seen| seen.by.card == part.card) {
                    Some(seen) => self.sell_or_wait(ask, deadline, Some(part), seen).await,
                    None => self.open = Open::Sale { ask, deadline, part: Some(part), doubt: None },
                }
            }
            open @ (Open::Nothing
            | Open::Sale { .. }
            | Open::Balance { .. }
            | Open::Played { .. }
            | Open::Card { .. }
            | Open::ReaderTest { .. }) => {
                self.open = open;
                let sale = self.service.view(id).await?;
                // Said twice: the first time counts.
                let taken = matches!(sale.state, SaleState::Accepted | SaleState::Waiting) && sale.offer.is_some();
                return if taken { Ok(sale) } else { Err(Refusal::NoOffer) };
            }
        }
        self.service.view(id).await
    }

    /// A sale ended without a row: what it had reserved is free.
    pub(super) async fn release(&self, id: RequestId) {
        let release = move |journal: &mut crate::journal::Journal| {
            journal.release(id);
            Ok(())
        };
        if let Err(error) = self.service.journal.customer(release).await {
            tracing::warn!(%error, "what a sale had reserved stays reserved until the next sale");
        }
    }
}
