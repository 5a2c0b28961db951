//! Purse cards at the counter: who plays the dialogue, and what the screens say of its end. Where nobody knows whether a
//! card has paid, the sale waits for that same card and for no other.

use super::board::SaleView;
use super::counter::Open;
use super::dialogue::{self, Books, Looked, Paid, Purchase};
use super::parts::Part;
use super::{BeginAsk, Begun, Counter, Event, Refusal, Service};
use crate::card::PresentedCard;
use crate::card::purse::CardLink;
use crate::clock::Stopwatch;
use crate::core::ages::Moment;
use crate::core::sale::{SaleEvent, SaleState};
use crate::journal::{CardView, Declined, Doubt, Journal, JournalError, PresentedBy, SaleAsk, SaleRecord};
use cabas_card::LinkLost;
use cabas_card::tmac::UID_BYTES;
use cabas_protocol::row::Tier;
use cabas_protocol::{Cents, RequestId};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Sleep;

/// How long a dialogue may take, without what it waits for the hub: ten times what a slow reader needs. What comes later
/// finds the sale in doubt.
pub(super) const DIALOGUE_TIMEOUT: Duration = Duration::from_secs(5);

/// Remarks on a tap that is over: they stay until the next one.
const LASTING: [&str; 3] = ["notice-card-again", "notice-doubt-call", PAID_BEFORE];
/// The card has just shown that it paid an earlier sale.
pub(super) const PAID_BEFORE: &str = "notice-paid-before";

/// A card with keys on the reader.
#[derive(Clone)]
pub(super) struct CardAt {
    pub(super) uid: [u8; UID_BYTES],
    pub(super) link: CardLink,
}

/// The UID is hidden.
impl std::fmt::Debug for CardAt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CardAt([REDACTED])")
    }
}

/// The card that lies on the reader.
#[derive(Clone, Debug)]
pub(super) struct OnReader {
    /// What it says of itself.
    pub(super) by: PresentedBy,
    /// What it is bound as, where that is more than a number, and the way to it.
    pub(super) keyed: Option<Keyed>,
}

/// A card that is bound as one with keys.
#[derive(Clone, Debug)]
pub(super) enum Keyed {
    /// It counts for itself.
    Purse(CardAt),
    /// It proves who it is.
    Identity(CardAt),
}

/// The journal's thread and the hub, from a thread that may wait.
struct Remote {
    service: Arc<Service>,
    runtime: tokio::runtime::Handle,
    given_up: Arc<AtomicBool>,
    /// Microseconds that were spent waiting for the hub.
    hub_us: Arc<AtomicU64>,
}

impl Books for Remote {
    fn work<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Journal) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        self.runtime.block_on(self.service.journal.customer(work))
    }

    fn now(&self) -> Moment {
        self.service.clock.now()
    }

    fn is_awaited(&self) -> bool {
        !self.given_up.load(Ordering::Acquire)
    }

    fn extend(&mut self, declined: &Declined, request: RequestId) -> bool {
        let asked = Stopwatch::start();
        let larger = self.is_awaited() && self.runtime.block_on(self.service.extend(declined, request));
        let us = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.hub_us.fetch_add(us, Ordering::Relaxed);
        larger
    }
}

impl Counter {
    fn books(&self) -> Remote {
        Remote {
            service: Arc::clone(&self.service),
            runtime: tokio::runtime::Handle::current(),
            given_up: Arc::default(),
            hub_us: Arc::default(),
        }
    }

    /// What lies on the reader; where somebody waits for a card, whether it is one with keys.
    pub(super) async fn seen(&self, card: &PresentedCard, by: PresentedBy) -> OnReader {
        let at = card.link.clone().and_then(|link| {
            let uid = <[u8; UID_BYTES]>::try_from(card.uid.as_bytes()).ok()?;
            Some(CardAt { uid, link })
        });
        let (Some(at), true) = (at, self.is_awaiting()) else { return OnReader { by, keyed: None } };
        let keyed = match self.service.journal.customer(move |journal| journal.bound_tier(by.card)).await {
            Ok(Some(Tier::Purse)) => Some(Keyed::Purse(at)),
            Ok(Some(Tier::Identity)) => Some(Keyed::Identity(at)),
            Ok(Some(Tier::Plain) | None) => None,
            Err(error) => {
                tracing::error!(%error, "the binding of a card could not be read");
                None
            }
        };
        OnReader { by, keyed }
    }

    /// The remark of the sale that waits, where it holds after the card has left as well.
    pub(super) fn lasting_notice(&self) -> Option<&'static str> {
        let Open::Sale { ask, .. } = &self.open else { return None };
        let notice = self.service.board().find(ask.request).and_then(|sale| sale.notice);
        notice.filter(|notice| LASTING.contains(notice))
    }

    /// Waits until the last card was let go: after "accepted" it may still be given a newer balance.
    pub(super) async fn let_go(&mut self) {
        if let Some(talk) = self.talk.take()
            && tokio::time::timeout(DIALOGUE_TIMEOUT, talk).await.is_err()
        {
            tracing::warn!("a card does not answer, and its reader does not say that it left");
        }
    }

    /// Plays a purchase; gives what became of it, and for how long the hub was waited for.
    async fn play(&mut self, link: CardLink, purchase: Purchase) -> (Paid, Duration) {
        self.let_go().await;
        let (told, heard) = oneshot::channel();
        let mut books = self.books();
        let (given_up, hub_us) = (books.given_up.clone(), books.hub_us.clone());
        self.talk = Some(tokio::task::spawn_blocking(move || match link.connect() {
            Ok(mut card) => dialogue::purchase(&mut *card, &mut books, &purchase, |paid| drop(told.send(paid))),
            Err(LinkLost) => drop(told.send(Paid::Again)),
        }));
        // Nothing heard is nothing known: the card's next tap tells.
        let patience = DIALOGUE_TIMEOUT.saturating_add(self.service.settings.extend_timeout);
        let heard = tokio::time::timeout(patience, heard).await.ok().and_then(Result::ok);
        let paid = heard.unwrap_or_else(|| {
            given_up.store(true, Ordering::Release);
            Paid::InDoubt
        });
        (paid, Duration::from_micros(hub_us.load(Ordering::Relaxed)))
    }

    /// A purse card at a sale.
    pub(super) async fn pay(
        &mut self,
        begun: BeginAsk,
        deadline: Pin<Box<Sleep>>,
        part: Option<Part>,
        by: PresentedBy,
        at: CardAt,
    ) {
        let (id, watch, by) = (begun.request, Stopwatch::start(), by.proven());
        let was_in_doubt = self.service.board().find(id).is_some_and(|sale| sale.state == SaleState::InDoubt);
        self.step(id, SaleEvent::Card);
        let ask = SaleAsk { request: id, till_ref: begun.till_ref.clone(), lines: begun.lines.clone(), card: by };
        let purchase = Purchase { ask, uid: at.uid, most: part.map(|part| part.most) };
        let (paid, hub) = self.play(at.link, purchase).await;
        match paid {
            Paid::Accepted(record) => {
                self.service.metrics.paid_by_card(watch.elapsed().saturating_sub(hub));
                self.accepted(id, *record);
            }
            Paid::Declined(_, Some(most)) => {
                self.offer(begun, deadline, Part { card: by.card, most, is_taken: false }).await;
            }
            Paid::Declined(declined, None) => self.declined(id, declined),
            Paid::NotSplit(error) => {
                tracing::warn!(%error, "a sale no longer fits the shop's grid");
                self.failed(id);
            }
            // Whether an earlier doubt was settled before the card left is not told: the same card is asked for again.
            Paid::InDoubt => self.wait_in_doubt(begun, part, by, None),
            Paid::Again | Paid::Failed(_) if was_in_doubt => self.wait_in_doubt(begun, part, by, None),
            Paid::Again => self.wait_again(begun, deadline, part, "notice-card-again"),
            Paid::Unsettled(doubt) if doubt.request == id => {
                self.wait_in_doubt(begun, part, by, Some("notice-doubt-call"));
            }
            Paid::Unsettled(_) => self.wait_again(begun, deadline, part, "notice-doubt-call"),
            Paid::Earlier(record) => {
                self.accepted_earlier(*record);
                self.wait_again(begun, deadline, part, PAID_BEFORE);
            }
            Paid::Failed(error) => {
                tracing::error!(%error, sale.id = %id, "a sale could not be written down");
                match self.find_durable(id).await {
                    Some(record) => self.accepted(id, record),
                    None => self.failed(id),
                }
            }
        }
        self.clear_up(Some(id)).await;
    }

    /// Nothing was paid: the sale waits on.
    pub(super) fn wait_again(
        &mut self,
        ask: BeginAsk,
        deadline: Pin<Box<Sleep>>,
        part: Option<Part>,
        notice: &'static str,
    ) {
        let id = ask.request;
        self.open = Open::Sale { ask, deadline, part, doubt: None };
        self.step(id, SaleEvent::Again);
        self.notice(Some(notice));
    }

    fn wait_in_doubt(&mut self, ask: BeginAsk, part: Option<Part>, by: PresentedBy, notice: Option<&'static str>) {
        let id = ask.request;
        let deadline = Box::pin(tokio::time::sleep(self.service.settings.timeout));
        self.open = Open::Sale { ask, deadline, part, doubt: Some(by.card) };
        self.step(id, SaleEvent::Doubt);
        self.notice(notice);
        self.service.tell(Event::Status);
    }

    /// A sale that the screens gave up turned out to be paid.
    fn accepted_earlier(&self, record: SaleRecord) {
        let Some(id) = record.sale.request else { return };
        self.service.board().put(SaleView::of_record(id, &record));
        self.show(id);
        self.written(record);
    }

    /// Sales on the board that were in doubt, and are not any more.
    async fn clear_up(&self, current: Option<RequestId>) {
        let doubted: Vec<_> = self.service.board().in_doubt().filter(|id| Some(*id) != current).collect();
        for id in doubted {
            let ended = move |journal: &mut Journal| Ok((journal.find_sale(id)?, journal.find_doubt(id)?.is_some()));
            match self.service.journal.customer(ended).await {
                Ok((Some(record), _)) => self.accepted_earlier(record),
                Ok((None, true)) => {}
                Ok((None, false)) => self.step(id, SaleEvent::NotPaid),
                Err(error) => tracing::warn!(%error, "whether a doubt was settled could not be read"),
            }
        }
    }

    /// A sale in doubt that is asked for again: it waits for the card that it was with.
    pub(super) fn reopen(&mut self, ask: BeginAsk, doubt: &Doubt) -> Begun {
        let (id, sale) = (ask.request, SaleView::of_doubt(doubt));
        {
            let mut board = self.service.board();
            board.put(sale.clone());
            board.current = Some(id);
        }
        let deadline = Box::pin(tokio::time::sleep(self.service.settings.timeout));
        // What the member had taken still stands.
        let most = doubt.sale.asked.and_then(|_| doubt.sale.fund_cents().ok());
        let part = most.map(|most| Part { card: doubt.sale.card, most, is_taken: true });
        self.open = Open::Sale { ask, deadline, part, doubt: Some(doubt.sale.card) };
        self.show(id);
        Begun { sale, is_new: false }
    }

    /// Leaves a sale in doubt for later: the counter is free for others.
    pub(super) fn set_aside(&mut self, id: RequestId) {
        {
            let mut board = self.service.board();
            if board.current == Some(id) {
                board.current = None;
            }
        }
        self.show(id);
        self.service.tell(Event::Status);
    }

    /// What a purse card could pay.
    pub(super) async fn look(&mut self, by: PresentedBy, at: CardAt) -> Result<Cents, Refusal> {
        self.let_go().await;
        let (mut books, by) = (self.books(), by.proven());
        let looked = tokio::task::spawn_blocking(move || match at.link.connect() {
            Ok(mut card) => dialogue::look(&mut *card, &mut books, by, at.uid),
            Err(LinkLost) => Looked { view: Err(Paid::Again), earlier: None },
        });
        let Ok(Ok(Looked { view, earlier })) = tokio::time::timeout(DIALOGUE_TIMEOUT, looked).await else {
            return Err(Refusal::NoCard);
        };
        if let Some(record) = earlier {
            self.accepted_earlier(*record);
        }
        self.clear_up(None).await;
        match view {
            Ok(CardView::Usable { available }) => Ok(available),
            Ok(CardView::Declined(declined)) | Err(Paid::Declined(declined, _)) => Err(Refusal::Card(declined.reason)),
            Err(Paid::Failed(error)) => Err(error.into()),
            Err(_) => Err(Refusal::NoCard),
        }
    }
}
