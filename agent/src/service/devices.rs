//! Printer and reader, tried by a person at the counter. A card at the test of the reader tells its kind, and nothing of
//! its member or money.

use super::board::coded;
use super::counter::{Counter, Open};
use super::{By, Command, Event, Refusal, Service};
use crate::card::{PresentedCard, ReaderState};
use crate::printer::{JobId, PrinterState};
use cabas_protocol::row::Tier;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::oneshot;

/// How long the test of the reader waits for a card.
pub(super) const TEST_TIMEOUT: Duration = Duration::from_secs(30);

impl Service {
    /// Puts a test page into the printer's queue.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn test_printer(&self) -> Result<JobId, Refusal> {
        self.may(By::Person)?;
        if *self.printer.state().borrow() == PrinterState::Off {
            return Err(Refusal::PrinterOff);
        }
        let page = self.texts.test_page(self.settings.language);
        let (job, _outcome) = self.printer.test_page(page).map_err(|_| Refusal::PrinterBusy)?;
        Ok(job)
    }

    /// Waits for a card and says of what kind it is.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn test_reader(&self) -> Result<Value, Refusal> {
        self.may(By::Person)?;
        let tier = self.ask(|reply| Command::TestReader { reply }).await?;
        let (id, name) = match tier {
            Some(Tier::Purse) => ("reader-test-purse", "purse"),
            Some(Tier::Identity) => ("reader-test-identity", "identity"),
            Some(Tier::Plain) => ("reader-test-plain", "plain"),
            None => ("reader-test-unknown", "unknown"),
        };
        let words = coded(&self.texts, id, name);
        Ok(json!({ "tier": name, "message_fr": words.get("message_fr"), "message_en": words.get("message_en") }))
    }
}

impl Counter {
    pub(super) fn test_reader(&mut self, reply: oneshot::Sender<Result<Option<Tier>, Refusal>>) {
        let refusal = if !matches!(self.open, Open::Nothing) {
            Some(Refusal::Busy)
        } else if matches!(self.service.board().reader, ReaderState::Ready { .. }) {
            None
        } else {
            Some(Refusal::NoReader)
        };
        if let Some(refusal) = refusal {
            drop(reply.send(Err(refusal)));
            return;
        }
        self.open = Open::ReaderTest { reply, deadline: Box::pin(tokio::time::sleep(TEST_TIMEOUT)) };
        self.service.board().reader_tested = true;
        self.service.tell(Event::Status);
    }

    /// What the hub says a card is; the card itself is not spoken to.
    pub(super) async fn tier_of(&self, card: &PresentedCard) -> Result<Option<Tier>, Refusal> {
        let card = self.card_key.card_ref(card.uid.as_bytes());
        Ok(self.service.journal.customer(move |journal| journal.bound_tier(card)).await?)
    }

    /// The test of the reader is over.
    pub(super) fn tested(
        &self,
        reply: oneshot::Sender<Result<Option<Tier>, Refusal>>,
        tier: Result<Option<Tier>, Refusal>,
    ) {
        self.service.board().reader_tested = false;
        drop(reply.send(tier));
        self.service.tell(Event::Status);
    }
}
