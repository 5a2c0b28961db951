//! The one who works at the counter: takes amounts, cards and time in turn, so that nothing happens twice at once.

use super::attempt::Tried;
use super::board::SaleView;
use super::parts::Part;
use super::purse::OnReader;
use super::{BeginAsk, Begun, Command, Event, Refusal, Service};
use crate::card::CardEvent;
use crate::clock::Stopwatch;
use crate::core::authorize::TerminalState;
use crate::core::sale::{SaleEvent, SaleState};
use crate::journal::{Declined, PresentedBy, SaleAsk, SaleRecord, Sold};
use cabas_protocol::keys::CardKey;
use cabas_protocol::row::Tier;
use cabas_protocol::{CardRef, Cents, RequestId, Stan};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Sleep;

/// How long a member may take to present a card for the balance.
const BALANCE_TIMEOUT: Duration = Duration::from_secs(60);

/// What waits for a card.
pub(super) enum Open {
    Nothing,
    Sale {
        ask: BeginAsk,
        deadline: Pin<Box<Sleep>>,
        part: Option<Part>,
        /// The only card that it waits for: nobody knows whether that has paid.
        doubt: Option<CardRef>,
    },
    Balance {
        reply: oneshot::Sender<Result<Cents, Refusal>>,
        deadline: Pin<Box<Sleep>>,
    },
    /// A sale that is only played: nothing that moves money takes one.
    Played {
        id: RequestId,
        deadline: Pin<Box<Sleep>>,
    },
    /// The card that names a sale, for a till.
    Card {
        reply: oneshot::Sender<Result<CardRef, Refusal>>,
        deadline: Pin<Box<Sleep>>,
    },
    ReaderTest {
        reply: oneshot::Sender<Result<Option<Tier>, Refusal>>,
        deadline: Pin<Box<Sleep>>,
    },
}

impl Open {
    /// Returns when nobody waits any longer.
    async fn over(&mut self) {
        match self {
            Self::Nothing => std::future::pending().await,
            Self::Sale { deadline, .. } | Self::Played { deadline, .. } => deadline.as_mut().await,
            Self::Card { reply, deadline } => tokio::select! {
                () = deadline.as_mut() => {}
                () = reply.closed() => {}
            },
            Self::ReaderTest { reply, deadline } => tokio::select! {
                () = deadline.as_mut() => {}
                () = reply.closed() => {}
            },
            Self::Balance { reply, deadline } => tokio::select! {
                () = deadline.as_mut() => {}
                () = reply.closed() => {}
            },
        }
    }
}

/// The one who works at the counter.
pub struct Counter {
    pub(super) service: Arc<Service>,
    commands: mpsc::Receiver<Command>,
    pub(super) card_key: CardKey,
    pub(super) open: Open,
    /// The card that lies on the reader.
    pub(super) on_reader: Option<OnReader>,
    /// The dialogue with the last purse card, until the card is let go.
    pub(super) talk: Option<JoinHandle<()>>,
    /// The number of the last played sale of this run.
    pub(super) last_played: Option<Stan>,
    /// True where it takes nothing more: the program ends, to go on as another one.
    leaves: bool,
}

impl std::fmt::Debug for Counter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counter")
    }
}

impl Counter {
    pub(super) const fn new(service: Arc<Service>, commands: mpsc::Receiver<Command>, card_key: CardKey) -> Self {
        Self {
            service,
            commands,
            card_key,
            open: Open::Nothing,
            on_reader: None,
            talk: None,
            last_played: None,
            leaves: false,
        }
    }

    /// Works until `stop` says so; a sale in hand is finished first. `alive` is called from time to time.
    pub async fn run(mut self, mut cards: mpsc::Receiver<CardEvent>, mut stop: watch::Receiver<bool>, alive: Alive) {
        let mut tick = alive.every.map(tokio::time::interval);
        loop {
            let locks_in = self.service.locks_in();
            tokio::select! {
                biased;
                () = async { drop(stop.wait_for(|stop| *stop).await) } => return,
                Some(event) = cards.recv() => {
                    if self.is_awaiting() {
                        self.service.works();
                    }
                    self.card(event).await;
                }
                Some(command) = self.commands.recv() => {
                    self.command(command).await;
                    if self.leaves {
                        return;
                    }
                }
                () = self.open.over() => self.give_up().await,
                () = after(locks_in) => self.left_alone().await,
                () = next(&mut tick) => (alive.call)(),
            }
        }
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::Begin { ask, reply } => drop(reply.send(self.begin(ask).await)),
            Command::Cancel { id, reply } => drop(reply.send(self.cancel(id).await)),
            Command::Balance { reply } => self.balance(reply),
            Command::TakePart { id, reply } => drop(reply.send(self.take_part(id).await)),
            Command::Cashier { number, reply } => drop(reply.send(self.change_cashier(number).await)),
            Command::Train { on, reply } => drop(reply.send(self.train(on).await)),
            Command::Play { id, outcome, reply } => {
                self.service.works();
                drop(reply.send(self.play_out(id, outcome)));
            }
            Command::Card { reply } => self.await_card(reply),
            Command::TestReader { reply } => self.test_reader(reply),
            Command::Rest { leaves, reply } => {
                let rests = self.rests();
                self.leaves = leaves && rests;
                drop(reply.send(Ok(rests)));
            }
        }
    }

    /// True where nobody is served.
    fn rests(&self) -> bool {
        let talks = self.talk.as_ref().is_some_and(|talk| !talk.is_finished());
        let reserved = self.service.journal.published().state.reserved.is_some();
        matches!(self.open, Open::Nothing) && !talks && !reserved && !self.service.till_is_busy()
    }

    async fn begin(&mut self, ask: BeginAsk) -> Result<Begun, Refusal> {
        let request = ask.request;
        let known = self.service.board().find(request).cloned();
        let is_open = matches!(&self.open, Open::Sale { ask, .. } if ask.request == request);
        // A sale that failed may be tried again, if the file does not have it; one in doubt waits for its card again.
        let may_go_on = |state| match state {
            SaleState::Failed => true,
            SaleState::InDoubt => !is_open,
            SaleState::Waiting
            | SaleState::Authorizing
            | SaleState::Offered
            | SaleState::Accepted
            | SaleState::Declined(_)
            | SaleState::Cancelled
            | SaleState::TimedOut => false,
        };
        if let Some(sale) = known.clone().filter(|sale| sale.played.is_some()) {
            return self.begin_known_played(ask, sale);
        }
        if let Some(sale) = known.filter(|sale| !may_go_on(sale.state)) {
            let same = sale.asked == ask.lines && !ask.training;
            return if same { Ok(Begun { sale, is_new: false }) } else { Err(Refusal::RequestConflict) };
        }
        let now = self.service.clock.now();
        let find = move |journal: &mut crate::journal::Journal| {
            journal.probe(now)?;
            Ok((journal.find_sale(request)?, journal.find_doubt(request)?))
        };
        let (record, doubt) = self.service.journal.customer(find).await?;
        if let Some(record) = record {
            if !record.is_of(&ask.lines) || ask.training {
                return Err(Refusal::RequestConflict);
            }
            let sale = SaleView::of_record(request, &record);
            self.service.board().put(sale.clone());
            return Ok(Begun { sale, is_new: false });
        }
        match (self.is_training(), ask.training) {
            (true, false) => return Err(Refusal::Training),
            (false, true) => return Err(Refusal::NotTraining),
            (true, true) | (false, false) => {}
        }
        if !matches!(self.open, Open::Nothing) {
            return Err(Refusal::Busy);
        }
        if ask.training {
            return if doubt.is_some() { Err(Refusal::Training) } else { self.begin_played(ask) };
        }
        if let Some(doubt) = doubt {
            let same = SaleView::of_doubt(&doubt).asked == ask.lines;
            return if same { Ok(self.reopen(ask, &doubt)) } else { Err(Refusal::RequestConflict) };
        }
        if self.service.journal.published().state.terminal_state() == TerminalState::Paused {
            return Err(Refusal::Paused);
        }
        self.wait_for_card(ask)
    }

    fn wait_for_card(&mut self, ask: BeginAsk) -> Result<Begun, Refusal> {
        let request = ask.request;
        let lines = self.service.categories().split(&ask.lines)?;
        let mut sale = SaleView::new(request, ask.lines.clone(), lines, ask.till_ref.clone());
        sale.from_till = ask.from_till;
        sale.takes_part = ask.takes_part;
        if ask.from_till && !ask.takes_part && sale.lines.iter().any(|line| !line.member.is_zero()) {
            return Ok(self.decline_shared(sale));
        }
        {
            let mut board = self.service.board();
            sale.notice = board.reader_notice();
            board.put(sale.clone());
            board.current = Some(request);
        }
        let deadline = Box::pin(tokio::time::sleep(self.service.settings.timeout));
        self.open = Open::Sale { ask, deadline, part: None, doubt: None };
        self.show(request);
        Ok(Begun { sale, is_new: true })
    }

    async fn cancel(&mut self, id: RequestId) -> Result<SaleView, Refusal> {
        if matches!(&self.open, Open::Sale { ask, .. } if ask.request == id) {
            if let Open::Sale { doubt: Some(_), .. } = std::mem::replace(&mut self.open, Open::Nothing) {
                self.set_aside(id);
                return Err(Refusal::InDoubt);
            }
            self.step(id, SaleEvent::Cancel);
            self.release(id).await;
        } else if let Some(cancelled) = self.cancel_played(id) {
            cancelled?;
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

    async fn give_up(&mut self) {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => {}
            Open::Sale { ask, doubt: Some(_), .. } => self.set_aside(ask.request),
            Open::Sale { ask, .. } => {
                self.step(ask.request, SaleEvent::TimeOut);
                self.release(ask.request).await;
            }
            Open::Balance { reply, .. } => {
                drop(reply.send(Err(Refusal::NoCard)));
                self.service.board().balance_asked = false;
                self.service.tell(Event::Status);
            }
            Open::Card { reply, .. } => drop(reply.send(Err(Refusal::NoCard))),
            Open::Played { id, .. } => drop(self.end_played(id, SaleEvent::TimeOut)),
            Open::ReaderTest { reply, .. } => self.tested(reply, Err(Refusal::NoCard)),
        }
    }

    /// The sale's saga: decide and write down; where only the money here is too little, ask the hub and decide again.
    pub(super) async fn sell(
        &mut self,
        begun: BeginAsk,
        deadline: Pin<Box<Sleep>>,
        part: Option<Part>,
        by: PresentedBy,
    ) {
        self.step(begun.request, SaleEvent::Card);
        self.decide(begun, deadline, part, by).await;
    }

    /// The same once the card has proven what it can.
    pub(super) async fn decide(
        &mut self,
        begun: BeginAsk,
        deadline: Pin<Box<Sleep>>,
        part: Option<Part>,
        by: PresentedBy,
    ) {
        let watch = Stopwatch::start();
        let id = begun.request;
        let ask = SaleAsk { request: id, till_ref: begun.till_ref.clone(), lines: begun.lines.clone(), card: by };
        let most = part.map(|part| part.most);
        let Tried { sold, commit, hub } = self.try_sell(&ask, most).await;
        match sold {
            Ok(Sold::Accepted(record) | Sold::Known(record)) => {
                let own = watch.elapsed().saturating_sub(commit).saturating_sub(hub);
                self.service.metrics.accepted(own, commit);
                self.accepted(id, record);
            }
            Ok(Sold::Declined(declined)) => {
                self.keep_tap(by).await;
                match self.offer_of(&ask, most).await {
                    Some(most) => self.offer(begun, deadline, Part { card: by.card, most, is_taken: false }).await,
                    None => {
                        self.release(id).await;
                        self.declined(id, declined);
                    }
                }
            }
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

    pub(super) fn accepted(&mut self, id: RequestId, record: SaleRecord) {
        tracing::info!(sale.stan = %record.sale.stan, sale.seq = record.seq.get(), "a sale was accepted");
        if let Some(sale) = self.service.board().find_mut(id) {
            sale.take_record(&record);
        }
        self.step(id, SaleEvent::Committed);
        self.written(record);
    }

    /// A receipt of it is printed, where that is set.
    pub(super) fn written(&self, record: SaleRecord) {
        if self.service.settings.auto_print {
            let service = Arc::clone(&self.service);
            tokio::spawn(async move {
                if let Err(refusal) = service.print_record(record, service.settings.language).await {
                    tracing::warn!(%refusal, "a receipt was not printed");
                }
            });
        }
    }

    pub(super) fn declined(&mut self, id: RequestId, declined: Declined) {
        tracing::info!(sale.id = %id, reason = declined.reason.name(), "a sale was declined");
        self.service.metrics.declined(declined.reason);
        if let Some(sale) = self.service.board().find_mut(id) {
            sale.declined = Some(declined);
        }
        self.step(id, SaleEvent::Decline(declined.reason));
    }

    pub(super) fn failed(&mut self, id: RequestId) {
        self.service.metrics.failed();
        self.step(id, SaleEvent::JournalFailed);
    }

    pub(super) fn step(&self, id: RequestId, event: SaleEvent) {
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
    pub(super) fn notice(&self, notice: Option<&'static str>) {
        let id = match &self.open {
            Open::Sale { ask, .. } => ask.request,
            Open::Played { id, .. } => *id,
            Open::Nothing | Open::Balance { .. } | Open::Card { .. } | Open::ReaderTest { .. } => return,
        };
        if let Some(sale) = self.service.board().find_mut(id) {
            sale.notice = notice;
        }
        self.show(id);
    }

    pub(super) fn show(&self, id: RequestId) {
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

async fn after(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

async fn next(tick: &mut Option<tokio::time::Interval>) {
    match tick {
        Some(tick) => drop(tick.tick().await),
        None => std::future::pending().await,
    }
}
