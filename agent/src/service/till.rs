//! What the counter does for tills, and what the page says of them.

use super::board::SaleView;
use super::counter::{Counter, Open};
use super::purse::PAID_BEFORE;
use super::{Begun, By, Command, Event, Refusal, Service};
use crate::core::ages::Moment;
use crate::core::sale::{SaleEvent, SaleState};
use crate::journal::{Declined, Journal, JournalError, TillAsk, TillDone, TillKeyed};
use crate::till::Choice;
use cabas_protocol::{CardRef, Cents, RequestId, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long a card that names a sale is waited for; the till waits less.
const CARD_TIMEOUT: Duration = Duration::from_secs(90);

impl Service {
    async fn till_work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Journal, Moment) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let now = self.clock.now();
        Ok(self.journal.customer(move |journal| work(journal, now)).await?)
    }

    pub(crate) async fn till_asks(&self, request: RequestId, ask: TillAsk) -> Result<(), Refusal> {
        self.till_work(move |journal, now| {
            // As before a typed sale: a journal that failed once is tried first.
            journal.probe(now)?;
            journal.till_asks(now, request, &ask)
        })
        .await
    }

    pub(crate) async fn till_same_again(
        &self,
        ask: TillAsk,
        order: Option<String>,
    ) -> Result<Option<TillDone>, Refusal> {
        self.till_work(move |journal, now| journal.till_same_again(now, &ask, order.as_deref())).await
    }

    pub(crate) async fn till_keyed(&self, ask: TillAsk) -> Result<TillKeyed, Refusal> {
        self.till_work(move |journal, _| journal.till_keyed(&ask)).await
    }

    pub(crate) async fn till_today(&self, ask: TillAsk) -> Result<Vec<(TillDone, String)>, Refusal> {
        self.till_work(move |journal, now| journal.till_today(now, &ask.peer, &ask.till)).await
    }

    /// Sales of a till with an amount that were not given back, newest first, with its references.
    pub(crate) async fn till_sales(&self, ask: TillAsk) -> Result<Vec<(TillDone, String)>, Refusal> {
        self.till_work(move |journal, _| journal.till_sales(&ask)).await
    }

    /// Waits for a card that names a sale: whose it is, and nothing more. The card itself is not spoken to.
    pub(crate) async fn till_card(&self) -> Result<CardRef, Refusal> {
        self.may_really(By::Program)?;
        self.ask(|reply| Command::Card { reply }).await
    }

    pub(crate) async fn till_done(&self, request: RequestId) -> Result<Option<TillDone>, Refusal> {
        self.till_work(move |journal, _| journal.till_done(request)).await
    }

    /// The till knows, or a person has seen to it.
    pub(crate) async fn till_told(&self, request: RequestId, by_hand: bool) -> Result<bool, Refusal> {
        self.till_work(move |journal, now| journal.till_told(now, request, by_hand)).await
    }

    /// What was done stands under another key of its till too.
    pub(crate) async fn till_known_as(&self, request: RequestId, key: String) -> Result<(), Refusal> {
        self.till_work(move |journal, now| journal.till_known_as(now, request, &key)).await
    }

    /// How many there are, shown or not.
    #[cfg(test)]
    pub(crate) async fn till_unconfirmed_all(&self) -> usize {
        self.till_work(|journal, _| journal.till_count_unconfirmed()).await.unwrap_or_default()
    }

    /// Looks again at what tills may not know, and at where their amounts fall.
    pub(crate) async fn till_look(&self) {
        match self.till_work(|journal, now| journal.till_unconfirmed(now)).await {
            Ok(unconfirmed) => {
                let categories = self.categories();
                let found = categories.named(&self.till.category()).and_then(|id| categories.get(id));
                self.till.took(unconfirmed, found.is_some_and(|category| category.share_percent == 100));
                self.till_changed();
            }
            Err(refusal) => tracing::warn!(%refusal, "what tills may not know could not be read"),
        }
    }

    /// Hub time as well as it is known.
    pub(crate) fn till_now(&self) -> Timestamp {
        self.journal.published().state.hub.anchor.time(self.clock.now())
    }

    pub(crate) fn till_changed(&self) {
        self.tell(Event::Status);
    }

    pub(crate) fn till_state(&self, id: RequestId) -> Option<SaleState> {
        self.board().find(id).map(|sale| sale.state)
    }

    /// True where the card of a sale that waits has just shown that it paid an earlier one.
    pub(crate) fn till_paid_before(&self, id: RequestId) -> bool {
        self.board().find(id).is_some_and(|sale| sale.notice == Some(PAID_BEFORE))
    }

    /// True while a till has to come again later.
    pub(crate) fn till_is_busy(&self) -> bool {
        self.till.is_asking() || self.board().is_busy()
    }

    /// Looks at what tills may not know whenever the journal changed. Ends with the journal.
    pub(crate) async fn till_watch(self: Arc<Self>) {
        let mut journal = self.journal.watch();
        loop {
            self.till_look().await;
            if journal.changed().await.is_err() {
                return;
            }
        }
    }

    /// What the cashier says of a request that a till sent again.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] where it is asked no longer, [`Refusal::Locked`].
    pub fn till_answer(&self, question: u64, choice: Choice) -> Result<Value, Refusal> {
        self.may(By::Person)?;
        if self.till.answer(question, choice) { Ok(json!({ "answered": true })) } else { Err(Refusal::NotFound) }
    }

    /// A person has seen to what a till may not know.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn till_settled(&self, request: RequestId) -> Result<Value, Refusal> {
        self.may(By::Person)?;
        if self.till_told(request, true).await? { Ok(json!({ "settled": true })) } else { Err(Refusal::NotFound) }
    }
}

impl Counter {
    /// Waits for a card that names a sale.
    pub(super) fn await_card(&mut self, reply: oneshot::Sender<Result<CardRef, Refusal>>) {
        if !matches!(self.open, Open::Nothing) {
            drop(reply.send(Err(Refusal::Busy)));
            return;
        }
        self.open = Open::Card { reply, deadline: Box::pin(tokio::time::sleep(CARD_TIMEOUT)) };
    }

    /// A till's amount of which the fund pays only a part: no card is asked for, and what would pass is told.
    pub(super) fn decline_shared(&mut self, mut sale: SaleView) -> Begun {
        let (id, declined) = {
            let fund = Cents::sum(sale.lines.iter().map(|line| line.fund)).unwrap_or_default();
            sale.step(SaleEvent::Card);
            (sale.id, Declined::only(fund))
        };
        self.service.board().put(sale.clone());
        self.declined(id, declined);
        let sale = self.service.board().find(id).cloned().unwrap_or(sale);
        Begun { sale, is_new: true }
    }
}
