//! The counter: one sale at a time, from amount to accepted. Nothing is shown as accepted before the journal says that
//! its row is durable; the printer comes after, and changes nothing.

pub mod advice;
mod attempt;
pub mod board;
pub(crate) mod closing_slip;
pub(crate) mod closings;
pub mod counter;
mod devices;
pub mod dialogue;
mod e_receipt;
pub mod health;
mod history;
mod identity;
pub mod lock;
pub mod metrics;
mod parts;
mod purse;
pub mod receipts;
mod refusal;
mod status;
mod taps;
mod till;
pub mod training;
mod undo;

pub use counter::Counter;
pub use lock::{By, Place};
pub use refusal::Refusal;

use crate::clock::{self, Clock};
use crate::core::receipt::Language;
use crate::core::sale::SaleState;
use crate::core::split::{AskedLine, Categories};
use crate::journal::seal::SealedBy;
use crate::journal::second::Second;
use crate::journal::{Entry, JournalHandle, SaleRecord};
use crate::printer::{JobId, PrinterHandle, PrinterState};
use crate::sync::{HubLink, Network, NetworkState};
use crate::texts::Texts;
use board::{Board, SaleView};
use cabas_protocol::row::Tier;
use cabas_protocol::sign::sha256;
use cabas_protocol::{CardRef, Cents, RequestId};
use metrics::Metrics;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// Requests from the local API that wait for the counter.
const COMMANDS_MAX: usize = 16;
/// Events that a slow listener may be behind.
const EVENTS_MAX: usize = 64;

/// What the counter is set to.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The largest amount of one sale.
    pub sale_max: Cents,
    /// How long a sale waits for a card.
    pub timeout: Duration,
    /// How long a purchase waits for the hub where the balance here is too small.
    pub extend_timeout: Duration,
    /// Print without being asked.
    pub auto_print: bool,
    /// The language of receipts.
    pub language: Language,
    /// What the keys of cards are sealed by.
    pub sealed_by: SealedBy,
}

/// Something that the screens want to know.
#[derive(Clone, Debug)]
pub enum Event {
    /// A sale changed; this is how it looks.
    Sale(Arc<str>),
    /// The terminal's state changed; who wants it asks for it.
    Status,
}

/// A sale that is asked for.
#[derive(Clone, Debug)]
pub struct BeginAsk {
    /// The operation.
    pub request: RequestId,
    /// The till's own reference.
    pub till_ref: Option<String>,
    /// The amounts.
    pub lines: Vec<AskedLine>,
    /// True where it is only to be played: who does not say so is never answered by a played sale.
    pub training: bool,
    /// True where a till asks.
    pub from_till: bool,
    /// True where that till can be paid a part; others are paid whole or not at all.
    pub takes_part: bool,
}

/// A request for the counter.
#[derive(Debug)]
enum Command {
    Begin {
        ask: BeginAsk,
        reply: oneshot::Sender<Result<Begun, Refusal>>,
    },
    Cancel {
        id: RequestId,
        reply: oneshot::Sender<Result<SaleView, Refusal>>,
    },
    Balance {
        reply: oneshot::Sender<Result<Cents, Refusal>>,
    },
    TakePart {
        id: RequestId,
        reply: oneshot::Sender<Result<SaleView, Refusal>>,
    },
    Cashier {
        number: u16,
        reply: oneshot::Sender<Result<(), Refusal>>,
    },
    Train {
        on: bool,
        reply: oneshot::Sender<Result<(), Refusal>>,
    },
    Play {
        id: RequestId,
        outcome: training::Outcome,
        reply: oneshot::Sender<Result<SaleView, Refusal>>,
    },
    /// The card that names a sale, for a till.
    Card {
        reply: oneshot::Sender<Result<CardRef, Refusal>>,
    },
    TestReader {
        reply: oneshot::Sender<Result<Option<Tier>, Refusal>>,
    },
    /// Whether anybody is served; `leaves` ends the counter's work where nobody is.
    Rest {
        leaves: bool,
        reply: oneshot::Sender<Result<bool, Refusal>>,
    },
}

/// A sale that was begun, now or before.
#[derive(Clone, Debug)]
pub struct Begun {
    /// The sale.
    pub sale: SaleView,
    /// False where the request was known.
    pub is_new: bool,
}

/// What the parts are that a service is made of.
#[derive(Debug)]
pub struct Parts {
    /// The settings.
    pub settings: Settings,
    /// The clock.
    pub clock: Clock,
    /// The journal.
    pub journal: JournalHandle,
    /// The way to the hub.
    pub link: Arc<HubLink>,
    /// The network, as the sync loop sees it.
    pub network: watch::Receiver<Network>,
    /// The printer.
    pub printer: PrinterHandle,
    /// Where it stands: cashiers, disk, lock.
    pub place: Place,
}

/// What screens, tills and the command line use.
#[derive(Debug)]
pub struct Service {
    settings: Settings,
    clock: Clock,
    journal: JournalHandle,
    link: Arc<HubLink>,
    network: watch::Receiver<Network>,
    printer: PrinterHandle,
    texts: Texts,
    metrics: Metrics,
    board: Mutex<Board>,
    events: broadcast::Sender<Event>,
    commands: mpsc::Sender<Command>,
    lock: lock::Lock,
    data_dir: Option<std::path::PathBuf>,
    pub(crate) till: crate::till::Desk,
    pub(crate) upgrade: crate::upgrade::Board,
    second: OnceLock<watch::Receiver<Second>>,
}

impl Service {
    /// Makes the service, and the counter that [`Counter::run`] works at.
    #[must_use]
    pub fn new(parts: Parts, card_key: cabas_protocol::keys::CardKey) -> (Arc<Self>, Counter) {
        let (commands, received) = mpsc::channel(COMMANDS_MAX);
        let mut board = Board::default();
        for doubt in parts.journal.published().state.doubts.iter().rev() {
            board.put(SaleView::of_doubt(doubt));
        }
        let lock = lock::Lock::new(&parts.place, &parts.clock);
        let service = Arc::new(Self {
            lock,
            data_dir: parts.place.data_dir,
            settings: parts.settings,
            clock: parts.clock,
            journal: parts.journal,
            link: parts.link,
            network: parts.network,
            printer: parts.printer,
            texts: Texts::default(),
            metrics: Metrics::default(),
            board: Mutex::new(board),
            events: broadcast::channel(EVENTS_MAX).0,
            commands,
            till: crate::till::Desk::default(),
            upgrade: crate::upgrade::Board::default(),
            second: OnceLock::new(),
        });
        let counter = Counter::new(Arc::clone(&service), received, card_key);
        (service, counter)
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The words.
    #[must_use]
    pub const fn texts(&self) -> &Texts {
        &self.texts
    }

    /// The settings.
    #[must_use]
    pub const fn settings(&self) -> Settings {
        self.settings
    }

    /// Tells of changes.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    fn tell(&self, event: Event) {
        // Nobody listens: nobody needs to know.
        let _receivers = self.events.send(event);
    }

    /// The categories that hold today.
    #[must_use]
    pub fn categories(&self) -> Categories {
        let state = self.journal.published().state;
        state.categories(clock::business_day(state.hub.anchor.time(self.clock.now())))
    }

    async fn ask<T>(&self, make: impl FnOnce(oneshot::Sender<Result<T, Refusal>>) -> Command) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.commands.try_send(make(reply)).map_err(|_| Refusal::Overloaded)?;
        answer.await.unwrap_or(Err(Refusal::Overloaded))
    }

    /// True where nobody is served: no sale, no card, no till. With `leaves` the counter then takes nothing more, and the
    /// program has to end.
    ///
    /// # Errors
    /// [`Refusal`] where the counter does not answer.
    pub async fn rests(&self, leaves: bool) -> Result<bool, Refusal> {
        self.ask(|reply| Command::Rest { leaves, reply }).await
    }

    /// The journal.
    #[must_use]
    pub const fn journal(&self) -> &JournalHandle {
        &self.journal
    }

    /// Begins a sale, or finds the one that the request began before.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn begin(&self, ask: BeginAsk) -> Result<(Value, bool), Refusal> {
        self.begin_by(By::Person, ask).await
    }

    /// The same on behalf of a person or a program.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn begin_by(&self, by: By, ask: BeginAsk) -> Result<(Value, bool), Refusal> {
        if let Err(refusal) = self.may(by) {
            // What was begun before goes on; a sale that failed would begin anew.
            let known = self.view(ask.request).await.map_err(|_| refusal.clone())?;
            if known.state == SaleState::Failed {
                return Err(refusal);
            }
        }
        let begun = self.ask(|reply| Command::Begin { ask, reply }).await?;
        Ok((begun.sale.json(&self.texts, &self.categories()), begun.is_new))
    }

    /// Cancels a sale before its card came.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn cancel(&self, id: RequestId) -> Result<Value, Refusal> {
        let sale = self.ask(|reply| Command::Cancel { id, reply }).await?;
        Ok(sale.json(&self.texts, &self.categories()))
    }

    /// Waits for a card and says what it could pay here: for the member's side.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn balance(&self) -> Result<Value, Refusal> {
        self.may_really(By::Person)?;
        let available = self.ask(|reply| Command::Balance { reply }).await?;
        let age_s = self.journal.published().state.hub.age_s(self.clock.now());
        Ok(json!({ "available_cents": available.get(), "age_s": age_s }))
    }

    /// A sale: of late, or from the journal.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn sale(&self, id: RequestId) -> Result<Value, Refusal> {
        Ok(self.view(id).await?.json(&self.texts, &self.categories()))
    }

    async fn view(&self, id: RequestId) -> Result<SaleView, Refusal> {
        if let Some(sale) = self.board().find(id)
            && !matches!(sale.state, SaleState::Failed | SaleState::InDoubt)
        {
            return Ok(sale.clone());
        }
        // A sale whose commit failed, or whose card answered late, may be in the file all the same: the file tells.
        let find = move |journal: &mut crate::journal::Journal| match journal.find_sale(id)? {
            Some(record) => journal.entry(record.seq),
            None => Ok(None),
        };
        let found = self.journal.customer(find).await;
        match found {
            Ok(Some(entry)) => Ok(SaleView::of_entry(id, &entry)),
            Ok(None) => self.board().find(id).cloned().ok_or(Refusal::NotFound),
            Err(error) => self.board().find(id).cloned().ok_or_else(|| error.into()),
        }
    }

    /// Why a sale was declined: for the member's side, on request.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] where it was not.
    pub fn member_side(&self, id: RequestId) -> Result<Value, Refusal> {
        let board = self.board();
        board.find(id).and_then(|sale| sale.member_side(&self.texts)).ok_or(Refusal::NotFound)
    }

    /// Puts the receipt of an accepted sale into the printer's queue. A second one says that it is a duplicate. A customer
    /// who has just paid gets the receipt of it, locked or not.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn print(&self, id: RequestId, language: Language) -> Result<(JobId, u32), Refusal> {
        let was_just_made = self.board().was_just_made(id);
        self.may(By::Person).or_else(|refusal| if was_just_made { Ok(()) } else { Err(refusal) })?;
        let known = self.journal.customer(move |journal| journal.find_sale(id)).await?;
        let Some(record) = known else {
            return self.print_played(id, language);
        };
        self.print_record(record, language).await
    }

    async fn print_record(&self, record: SaleRecord, language: Language) -> Result<(JobId, u32), Refusal> {
        self.print_entry(Entry::Sale { record, is_reversed: false, refunded: Cents::ZERO }, language).await
    }

    async fn print_entry(&self, entry: Entry, language: Language) -> Result<(JobId, u32), Refusal> {
        if *self.printer.state().borrow() == PrinterState::Off {
            return Err(Refusal::PrinterOff);
        }
        let (now, seq) = (self.clock.now(), entry.seq());
        // Counted first: a print that failed half-way must not come out a second time as the first.
        let copies = self.journal.customer(move |journal| journal.count_print(now, seq)).await?;
        let state = self.journal.published().state;
        let online = self.is_online();
        let receipt = receipts::receipt(&state, &self.texts, language, &entry, copies, online).map_err(|error| {
            tracing::error!(%error, seq = seq.get(), "a receipt could not be made");
            Refusal::Receipt
        })?;
        let job = self.printer.print(receipt).map_err(|_| Refusal::PrinterBusy)?;
        Ok((job, copies))
    }

    /// The newest accepted sale's id, for a reprint.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn last_sale(&self) -> Result<Value, Refusal> {
        let record = self.journal.customer(crate::journal::Journal::last_sale).await?.ok_or(Refusal::NotFound)?;
        let id = record.sale.request.ok_or(Refusal::NotFound)?;
        Ok(SaleView::of_record(id, &record).json(&self.texts, &self.categories()))
    }

    fn is_online(&self) -> bool {
        self.network.borrow().state == NetworkState::Online
    }

    /// Tells the screens when journal, network or printer change. Ends with the journal.
    pub async fn watch_changes(self: Arc<Self>) {
        let (mut journal, mut network) = (self.journal.watch(), self.network.clone());
        let (mut printer, mut kept) = (self.printer.state(), self.printer.kept());
        let mut second = self.second.get().cloned();
        loop {
            let changed = tokio::select! {
                changed = journal.changed() => changed,
                changed = network.changed() => changed,
                changed = printer.changed() => changed,
                changed = kept.changed() => changed,
                () = health::second_changed(&mut second) => Ok(()),
            };
            if changed.is_err() {
                return;
            }
            self.tell(Event::Status);
        }
    }
}

/// The operation that a till names: 16 hexadecimal digits are the id itself, any other text is hashed to one.
#[must_use]
pub fn request_of(text: &str) -> RequestId {
    RequestId::from_hex(text).unwrap_or_else(|| {
        let [a, b, c, d, e, f, g, h, ..] = *sha256(&[b"cabas request 1", text.as_bytes()]).as_bytes();
        RequestId::new([a, b, c, d, e, f, g, h])
    })
}

#[cfg(test)]
mod purse_double;
#[cfg(test)]
mod tests;
