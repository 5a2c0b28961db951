//! The one who works at the counter: takes amounts, cards and time in turn, so that nothing happens twice at once.

use super::board::SaleView;
use super::{BeginAsk, Begun, Command, Event, Refusal, Service};
use crate::card::{CardEvent, ForeignCard, PresentedCard, ReaderState};
use crate::clock::Stopwatch;
use crate::core::authorize::DeclineReason;
use crate::core::sale::{SaleEvent, SaleState};
use crate::journal::{CardView, Declined, JournalError, PresentedBy, SaleAsk, SaleRecord, Sold};
use cabas_protocol::keys::CardKey;
use cabas_protocol::{Cents, RequestId};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Sleep;

/// How long a member may take to present a card for the balance.
const BALANCE_TIMEOUT: Duration = Duration::from_secs(60);

/// What waits for a card.
enum Open {
    Nothing,
    Sale { ask: BeginAsk, deadline: Pin<Box<Sleep>> },
    Balance { reply: oneshot::Sender<Result<Cents, Refusal>>, deadline: Pin<Box<Sleep>> },
}

impl Open {
    /// Returns when nobody waits any longer.
    async fn over(&mut self) {
        match self {
            Self::Nothing => std::future::pending().await,
            Self::Sale { deadline, .. } => deadline.as_mut().await,
            Self::Balance { reply, deadline } => tokio::select! {
                () = deadline.as_mut() => {}
                () = reply.closed() => {}
            },
        }
    }
}

/// The one who works at the counter.
pub struct Counter {
    service: Arc<Service>,
    commands: mpsc::Receiver<Command>,
    card_key: CardKey,
    open: Open,
}

impl std::fmt::Debug for Counter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counter")
    }
}

/// What became of a try to sell, and what it took.
struct Tried {
    sold: Result<Sold, JournalError>,
    commit: Duration,
    hub: Duration,
}

impl Counter {
    pub(super) const fn new(service: Arc<Service>, commands: mpsc::Receiver<Command>, card_key: CardKey) -> Self {
        Self { service, commands, card_key, open: Open::Nothing }
    }

    /// Works until `stop` says so; a sale in hand is finished first. `alive` is called from time to time.
    pub async fn run(mut self, mut cards: mpsc::Receiver<CardEvent>, mut stop: watch::Receiver<bool>, alive: Alive) {
        let mut tick = alive.every.map(tokio::time::interval);
        loop {
            tokio::select! {
                biased;
                () = async { drop(stop.wait_for(|stop| *stop).await) } => return,
                Some(event) = cards.recv() => self.card(event).await,
                Some(command) = self.commands.recv() => self.command(command).await,
                () = self.open.over() => self.give_up(),
                () = next(&mut tick) => (alive.call)(),
            }
        }
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::Begin { ask, reply } => drop(reply.send(self.begin(ask).await)),
            Command::Cancel { id, reply } => drop(reply.send(self.cancel(id).await)),
            Command::Balance { reply } => self.balance(reply),
        }
    }

    async fn begin(&mut self, ask: BeginAsk) -> Result<Begun, Refusal> {
        let request = ask.request;
        let known = self.service.board().find(request).cloned();
        // A sale that failed may be tried again, if the file does not have it.
        if let Some(sale) = known.filter(|sale| sale.state != SaleState::Failed) {
            let same = sale.asked == ask.lines;
            return if same { Ok(Begun { sale, is_new: false }) } else { Err(Refusal::RequestConflict) };
        }
        let now = self.service.clock.now();
        let find = move |journal: &mut crate::journal::Journal| {
            journal.probe(now)?;
            journal.find_sale(request)
        };
        if let Some(record) = self.service.journal.customer(find).await? {
            if !record.is_of(&ask.lines) {
                return Err(Refusal::RequestConflict);
            }
            let sale = SaleView::of_record(request, &record);
            self.service.board().put(sale.clone());
            return Ok(Begun { sale, is_new: false });
        }
        if !matches!(self.open, Open::Nothing) {
            return Err(Refusal::Busy);
        }
        let lines = self.service.categories().split(&ask.lines)?;
        let mut sale = SaleView::new(request, ask.lines.clone(), lines, ask.till_ref.clone());
        {
            let mut board = self.service.board();
            sale.notice = board.reader_notice();
            board.put(sale.clone());
            board.current = Some(request);
        }
        self.open = Open::Sale { ask, deadline: Box::pin(tokio::time::sleep(self.service.settings.timeout)) };
        self.show(request);
        Ok(Begun { sale, is_new: true })
    }

    async fn cancel(&mut self, id: RequestId) -> Result<SaleView, Refusal> {
        if matches!(&self.open, Open::Sale { ask, .. } if ask.request == id) {
            self.open = Open::Nothing;
            self.step(id, SaleEvent::Cancel);
        }
        let sale = self.service.view(id).await?;
        if sale.state == SaleState::Cancelled { Ok(sale) } else { Err(Refusal::TooLate) }
    }

    fn balance(&mut self, reply: oneshot::Sender<Result<Cents, Refusal>>) {
        if !matches!(self.open, Open::Nothing) {
            drop(reply.send(Err(Refusal::Busy)));
            return;
        }
        self.open = Open::Balance { reply, deadline: Box::pin(tokio::time::sleep(BALANCE_TIMEOUT)) };
        self.service.board().balance_asked = true;
        self.service.tell(Event::Status);
    }

    fn give_up(&mut self) {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => {}
            Open::Sale { ask, .. } => self.step(ask.request, SaleEvent::TimeOut),
            Open::Balance { reply, .. } => {
                drop(reply.send(Err(Refusal::NoCard)));
                self.service.board().balance_asked = false;
                self.service.tell(Event::Status);
            }
        }
    }

    async fn card(&mut self, event: CardEvent) {
        match event {
            CardEvent::Reader(state) => {
                let gone = !matches!(state, ReaderState::Ready { .. });
                {
                    let mut board = self.service.board();
                    board.reader = state;
                    board.card_present = board.card_present && !gone;
                }
                let notice = self.service.board().reader_notice();
                self.notice(notice);
            }
            CardEvent::Presented(card) => {
                self.service.board().card_present = true;
                self.presented(&card).await;
            }
            CardEvent::Removed => {
                self.service.board().card_present = false;
                self.notice(None);
            }
            CardEvent::Several => {
                self.service.board().card_present = true;
                self.notice(Some("notice-several-cards"));
            }
            CardEvent::Foreign(card) => {
                self.service.board().card_present = card != ForeignCard::Left;
                self.foreign(card);
            }
        }
        self.service.tell(Event::Status);
    }

    async fn presented(&mut self, card: &PresentedCard) {
        let by =
            PresentedBy { card: self.card_key.card_ref(card.uid.as_bytes()), proven: card.tier, uid: card.uid.class() };
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => {}
            Open::Sale { ask, .. } => self.sell(ask, by).await,
            Open::Balance { reply, .. } => {
                let now = self.service.clock.now();
                let view = self.service.journal.customer(move |journal| journal.view_card(now, by)).await;
                self.service.board().balance_asked = false;
                drop(reply.send(match view {
                    Ok(CardView::Usable { available }) => Ok(available),
                    Ok(CardView::Declined(declined)) => Err(Refusal::Card(declined.reason)),
                    Err(error) => Err(error.into()),
                }));
            }
        }
    }

    /// A card that names nobody ends a sale; one that could not be read may be presented again.
    fn foreign(&mut self, card: ForeignCard) {
        let reason = match card {
            ForeignCard::RandomUid => Ok(DeclineReason::RandomUid),
            ForeignCard::NonUniqueUid => Ok(DeclineReason::NonUniqueUid),
            ForeignCard::Contact => Err("notice-card-with-contacts"),
            ForeignCard::InUse => Err("notice-reader-in-use"),
            ForeignCard::NoUid { .. } | ForeignCard::BadUid { .. } | ForeignCard::Mute | ForeignCard::Left => {
                Err("notice-card-unreadable")
            }
        };
        match reason {
            Err(notice) => self.notice(Some(notice)),
            Ok(reason) => match std::mem::replace(&mut self.open, Open::Nothing) {
                Open::Nothing => {}
                Open::Sale { ask, .. } => {
                    self.step(ask.request, SaleEvent::Card);
                    let declined = Declined { reason, purse: None, available: None, allowed_at_least: None };
                    self.declined(ask.request, declined);
                }
                Open::Balance { reply, .. } => {
                    self.service.board().balance_asked = false;
                    drop(reply.send(Err(Refusal::Card(reason))));
                }
            },
        }
    }

    /// The sale's saga: decide and write down; where only the money here is too little, ask the hub and decide again.
    async fn sell(&mut self, ask: BeginAsk, by: PresentedBy) {
        let watch = Stopwatch::start();
        let id = ask.request;
        self.step(id, SaleEvent::Card);
        let ask = SaleAsk { request: id, till_ref: ask.till_ref, lines: ask.lines, card: by };
        let Tried { sold, commit, hub } = self.try_sell(&ask).await;
        match sold {
            Ok(Sold::Accepted(record) | Sold::Known(record)) => {
                let own = watch.elapsed().saturating_sub(commit).saturating_sub(hub);
                self.service.metrics.accepted(own, commit);
                self.accepted(id, record);
            }
            Ok(Sold::Declined(declined)) => self.declined(id, declined),
            Ok(Sold::NotSplit(error)) => {
                // The grid changed while the sale waited: the cashier enters it again.
                tracing::warn!(%error, "a sale no longer fits the shop's grid");
                self.failed(id);
            }
            Err(error) => {
                tracing::error!(%error, sale.id = %id, "a sale could not be written down");
                match self.find_durable(id).await {
                    Some(record) => self.accepted(id, record),
                    None => self.failed(id),
                }
            }
        }
    }

    async fn try_sell(&self, ask: &SaleAsk) -> Tried {
        let (sold, commit) = self.sell_once(ask).await;
        let Ok(Sold::Declined(declined)) = &sold else { return Tried { sold, commit, hub: Duration::ZERO } };
        let (Some(purse), Some(level), true) =
            (declined.purse, declined.allowed_at_least, declined.reason.may_extend())
        else {
            return Tried { sold, commit, hub: Duration::ZERO };
        };
        let asked = Stopwatch::start();
        let timeout = self.service.settings.extend_timeout;
        let extended = self.service.link.extend(purse, level, ask.request, timeout).await;
        let hub = asked.elapsed();
        match extended {
            Ok(true) => {
                let (sold, commit) = self.sell_once(ask).await;
                Tried { sold, commit, hub }
            }
            Ok(false) => Tried { sold, commit, hub },
            Err(error) => {
                self.service.link.count_refused_unfunded();
                tracing::info!(%error, "the hub was not there to extend a balance");
                Tried { sold, commit, hub }
            }
        }
    }

    async fn sell_once(&self, ask: &SaleAsk) -> (Result<Sold, JournalError>, Duration) {
        let (now, ask) = (self.service.clock.now(), ask.clone());
        let work = move |journal: &mut crate::journal::Journal| {
            let sold = journal.sell(now, &ask)?;
            Ok((sold, journal.last_commit()))
        };
        match self.service.journal.customer(work).await {
            Ok((sold, commit)) => (Ok(sold), commit),
            Err(error) => (Err(error), Duration::ZERO),
        }
    }

    /// After a failure the file alone tells whether the sale is in it, and only once the disk has taken it.
    async fn find_durable(&self, id: RequestId) -> Option<SaleRecord> {
        let find = move |journal: &mut crate::journal::Journal| {
            let found = journal.find_sale(id)?;
            if found.is_some() {
                journal.make_durable()?;
            }
            Ok(found)
        };
        self.service.journal.customer(find).await.ok().flatten()
    }

    fn accepted(&mut self, id: RequestId, record: SaleRecord) {
        tracing::info!(sale.stan = %record.sale.stan, sale.seq = record.seq.get(), "a sale was accepted");
        if let Some(sale) = self.service.board().find_mut(id) {
            sale.take_record(&record);
        }
        self.step(id, SaleEvent::Committed);
        if self.service.settings.auto_print {
            let service = Arc::clone(&self.service);
            tokio::spawn(async move {
                if let Err(refusal) = service.print_record(record, service.settings.language).await {
                    tracing::warn!(%refusal, "a receipt was not printed");
                }
            });
        }
    }

    fn declined(&mut self, id: RequestId, declined: Declined) {
        tracing::info!(sale.id = %id, reason = declined.reason.name(), "a sale was declined");
        self.service.metrics.declined(declined.reason);
        if let Some(sale) = self.service.board().find_mut(id) {
            sale.declined = Some(declined);
        }
        self.step(id, SaleEvent::Decline(declined.reason));
    }

    fn failed(&mut self, id: RequestId) {
        self.service.metrics.failed();
        self.step(id, SaleEvent::JournalFailed);
    }

    fn step(&self, id: RequestId, event: SaleEvent) {
        {
            let mut board = self.service.board();
            if let Some(sale) = board.find_mut(id) {
                sale.step(event);
                if sale.state.is_final() && board.current == Some(id) {
                    board.current = None;
                }
            }
        }
        self.show(id);
    }

    /// Changes the remark of the sale that waits.
    fn notice(&self, notice: Option<&'static str>) {
        let Open::Sale { ask, .. } = &self.open else { return };
        if let Some(sale) = self.service.board().find_mut(ask.request) {
            sale.notice = notice;
        }
        self.show(ask.request);
    }

    fn show(&self, id: RequestId) {
        let sale = self.service.board().find(id).cloned();
        if let Some(sale) = sale {
            let shown = sale.json(&self.service.texts, &self.service.categories()).to_string();
            self.service.tell(Event::Sale(Arc::from(shown)));
        }
    }
}

/// What tells a supervisor that the counter works.
#[derive(Clone, Copy, Debug)]
pub struct Alive {
    /// How often; nothing where nobody asks.
    pub every: Option<Duration>,
    /// What is called.
    pub call: fn(),
}

async fn next(tick: &mut Option<tokio::time::Interval>) {
    match tick {
        Some(tick) => drop(tick.tick().await),
        None => std::future::pending().await,
    }
}
