//! The training mode: sales are played. They lie in memory only and go another way than sales: nothing here reads or writes
//! a balance, a counter or a card, and the journal hears only that the mode went on or off.

use super::board::SaleView;
use super::counter::Open;
use super::receipts;
use super::{BeginAsk, Begun, By, Command, Counter, Event, Refusal, Service};
use crate::core::authorize::DeclineReason;
use crate::core::part::part_of;
use crate::core::receipt::Language;
use crate::core::sale::{SaleEvent, SaleState};
use crate::journal::Declined;
use crate::printer::{JobId, PrinterState};
use cabas_protocol::row::Tier;
use cabas_protocol::{Cents, RequestId, Stan, Timestamp};
use serde_json::{Value, json};

/// How a played tap ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// Accepted, proven by the card.
    Accepted,
    /// Accepted, and the card proved nothing.
    NotProven,
    /// Not completed.
    Declined,
    /// A part is offered to the member.
    Offer,
    /// Nobody knows whether the card has paid.
    InDoubt,
}

impl Outcome {
    /// The outcome of a name in the local API.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "accepted" => Some(Self::Accepted),
            "not_proven" => Some(Self::NotProven),
            "declined" => Some(Self::Declined),
            "offer" => Some(Self::Offer),
            "in_doubt" => Some(Self::InDoubt),
            _ => None,
        }
    }
}

/// What a sale that was only played has instead of a row.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Played {
    /// Its end, where it was accepted.
    pub accepted: Option<PlayedSale>,
}

/// A played sale that was accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PlayedSale {
    /// A number of this run's trainings: no number of the journal is used.
    pub stan: Stan,
    /// What the card is said to have proved.
    pub tier: Tier,
    /// When.
    pub at: Timestamp,
    /// How often it was printed.
    pub copies: u32,
}

impl Service {
    /// Puts the training mode on or off; refused while a sale is under way.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn train(&self, on: bool) -> Result<Value, Refusal> {
        self.may(By::Person)?;
        self.ask(|reply| Command::Train { on, reply }).await?;
        Ok(json!({ "training": on }))
    }

    /// Plays the tap of a played sale.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn play(&self, id: RequestId, outcome: Outcome) -> Result<Value, Refusal> {
        let sale = self.ask(|reply| Command::Play { id, outcome, reply }).await?;
        Ok(sale.json(&self.texts, &self.categories()))
    }

    /// Prints the receipt of a played sale, which says that it has no value.
    pub(super) fn print_played(&self, id: RequestId, language: Language) -> Result<(JobId, u32), Refusal> {
        let sale = self.board().find(id).cloned().ok_or(Refusal::NotFound)?;
        let played = sale.played.and_then(|played| played.accepted).ok_or(Refusal::NotAccepted)?;
        if *self.printer.state().borrow() == PrinterState::Off {
            return Err(Refusal::PrinterOff);
        }
        let state = self.journal.published().state;
        let receipt = receipts::played(&state, &self.texts, language, &sale, played, &self.categories());
        let receipt = receipt.map_err(|error| {
            tracing::error!(%error, "the receipt of a played sale could not be made");
            Refusal::Receipt
        })?;
        let job = self.printer.print(receipt).map_err(|_| Refusal::PrinterBusy)?;
        if let Some(Played { accepted: Some(played) }) = self.board().find_mut(id).and_then(|sale| sale.played.as_mut())
        {
            played.copies = played.copies.saturating_add(1);
        }
        Ok((job, played.copies))
    }
}

impl Counter {
    pub(super) fn is_training(&self) -> bool {
        self.service.journal.published().state.training
    }

    pub(super) async fn train(&mut self, on: bool) -> Result<(), Refusal> {
        if self.is_training() == on {
            return Ok(());
        }
        if !matches!(self.open, Open::Nothing) {
            return Err(Refusal::Busy);
        }
        self.on_reader = None;
        let now = self.service.clock.now();
        self.service.journal.customer(move |journal| journal.train(now, on)).await?;
        tracing::info!(on, "the training mode was changed");
        self.service.tell(Event::Status);
        Ok(())
    }

    /// A sale that is on the board because it was played, and is asked for again.
    pub(super) fn begin_known_played(&mut self, ask: BeginAsk, sale: SaleView) -> Result<Begun, Refusal> {
        // Its id names nothing real, and never will.
        if !self.is_training() || sale.asked != ask.lines {
            return Err(Refusal::RequestConflict);
        }
        if !ask.training {
            return Err(Refusal::Training);
        }
        let is_open = self.plays(ask.request);
        if sale.state != SaleState::InDoubt || is_open {
            return Ok(Begun { sale, is_new: false });
        }
        if !matches!(self.open, Open::Nothing) {
            return Err(Refusal::Busy);
        }
        self.wait_for_play(ask);
        Ok(Begun { sale, is_new: false })
    }

    pub(super) fn begin_played(&mut self, ask: BeginAsk) -> Result<Begun, Refusal> {
        let lines = self.service.categories().split(&ask.lines)?;
        let mut sale = SaleView::new(ask.request, ask.lines.clone(), lines, ask.till_ref.clone());
        sale.played = Some(Played::default());
        {
            let mut board = self.service.board();
            sale.notice = board.reader_notice();
            board.put(sale.clone());
        }
        self.wait_for_play(ask);
        Ok(Begun { sale, is_new: true })
    }

    fn wait_for_play(&mut self, ask: BeginAsk) {
        let id = ask.request;
        self.service.board().current = Some(id);
        let deadline = Box::pin(tokio::time::sleep(self.service.settings.timeout));
        self.open = Open::Played { id, deadline };
        self.show(id);
    }

    fn plays(&self, id: RequestId) -> bool {
        matches!(&self.open, Open::Played { id: open, .. } if *open == id)
    }

    pub(super) fn play_out(&mut self, id: RequestId, outcome: Outcome) -> Result<SaleView, Refusal> {
        if !self.is_training() {
            return Err(Refusal::NotTraining);
        }
        let sale = self.service.board().find(id).cloned().filter(|sale| sale.played.is_some());
        let sale = sale.ok_or(Refusal::NotFound)?;
        // While the member is asked, no tap counts.
        if !self.plays(id) || sale.state == SaleState::Offered {
            return Err(Refusal::TooLate);
        }
        self.play_tap(id, outcome);
        self.service.board().find(id).cloned().ok_or(Refusal::NotFound)
    }

    /// A card at a played sale: it is not spoken to, and no row is written.
    pub(super) fn play_tap(&mut self, id: RequestId, outcome: Outcome) {
        let state = self.service.board().find(id).map(|sale| sale.state);
        if !matches!(state, Some(SaleState::Waiting | SaleState::InDoubt)) {
            return;
        }
        self.step(id, SaleEvent::Card);
        match outcome {
            Outcome::Accepted => self.played(id, Tier::Purse),
            Outcome::NotProven => self.played(id, Tier::Plain),
            Outcome::Declined => self.played_declined(id, DeclineReason::InsufficientFunds),
            Outcome::Offer => {
                if let Some(sale) = self.service.board().find_mut(id) {
                    let fund = Cents::sum(sale.lines.iter().map(|line| line.fund)).unwrap_or_default();
                    let half = fund.get().checked_div(2).unwrap_or(0).max(1);
                    sale.offer = Some(Cents::new(half).unwrap_or(fund));
                }
                self.step(id, SaleEvent::Offer);
            }
            Outcome::InDoubt => {
                let deadline = Box::pin(tokio::time::sleep(self.service.settings.timeout));
                self.open = Open::Played { id, deadline };
                self.step(id, SaleEvent::Doubt);
            }
        }
        self.service.tell(Event::Status);
    }

    fn played(&mut self, id: RequestId, tier: Tier) {
        let at = self.service.journal.published().state.hub.anchor.time(self.service.clock.now());
        let stan = self.last_played.map_or(Stan::FIRST, Stan::next);
        self.last_played = Some(stan);
        self.open = Open::Nothing;
        if let Some(sale) = self.service.board().find_mut(id) {
            sale.played = Some(Played { accepted: Some(PlayedSale { stan, tier, at, copies: 0 }) });
        }
        self.step(id, SaleEvent::Committed);
        if self.service.settings.auto_print {
            let printed = self.service.print_played(id, self.service.settings.language);
            if let Err(refusal) = printed {
                tracing::warn!(%refusal, "the receipt of a played sale was not printed");
            }
        }
    }

    pub(super) fn played_declined(&mut self, id: RequestId, reason: DeclineReason) {
        self.open = Open::Nothing;
        if let Some(sale) = self.service.board().find_mut(id) {
            let available = Some(Cents::ZERO);
            sale.declined = Some(Declined { reason, purse: None, available, allowed_at_least: None });
        }
        self.step(id, SaleEvent::Decline(reason));
    }

    /// The member takes the part of a played sale: it is accepted, as where the card still lies there.
    pub(super) fn take_played_part(&mut self, id: RequestId) -> Option<SaleView> {
        let offered = self.service.board().find(id).cloned().filter(|sale| sale.state == SaleState::Offered)?;
        let most = offered.offer.filter(|_| self.plays(id))?;
        if let Some(sale) = self.service.board().find_mut(id) {
            sale.lines = part_of(&sale.lines, most).unwrap_or_else(|_| sale.lines.clone());
        }
        self.step(id, SaleEvent::TakePart);
        self.step(id, SaleEvent::Card);
        self.played(id, Tier::Purse);
        self.service.board().find(id).cloned()
    }

    /// Takes a played sale back; nothing where it is not the one that waits.
    pub(super) fn cancel_played(&mut self, id: RequestId) -> Option<Result<(), Refusal>> {
        self.plays(id).then(|| {
            self.open = Open::Nothing;
            self.end_played(id, SaleEvent::Cancel)
        })
    }

    /// Ends a played sale that waits; one in doubt is left for later.
    pub(super) fn end_played(&mut self, id: RequestId, event: SaleEvent) -> Result<(), Refusal> {
        let in_doubt = self.service.board().find(id).is_some_and(|sale| sale.state == SaleState::InDoubt);
        if in_doubt {
            self.set_aside(id);
            return Err(Refusal::InDoubt);
        }
        self.step(id, event);
        Ok(())
    }
}
