//! The dialogue of a purchase with a card that counts for itself: blocking, on a thread of its own. The intent is durable
//! before the card is debited, and the sale's row before anybody is told that it was accepted.
//!
//! A debit that nobody answered for is settled first, at the next tap of the same card, whatever that tap is for; where it
//! turns out as paid, that tap pays nothing more.
//!
//! It needs a card, a journal and the time, and nothing of the counter: who has those three can play it.

use crate::card::purse::{OpenPurse, PurseCard};
use crate::core::ages::Moment;
use crate::core::split::SplitError;
use crate::journal::{
    CardSays, CardView, Declined, Doubt, HeldBalance, Intended, Intent, Journal, JournalError, PresentedBy, PurseRead,
    PurseStart, SaleAsk, SaleRecord, Settled, SlotSecret,
};
use cabas_card::CardError;
use cabas_card::purse::DebitError;
use cabas_card::tmac::UID_BYTES;
use cabas_protocol::{Cents, RequestId, Serial};

/// The journal, as the dialogue uses it: each call returns once its work is done.
pub trait Books {
    /// Does work in the journal.
    ///
    /// # Errors
    /// [`JournalError`]: whether the work was done is known only where the error says so.
    fn work<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Journal) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError>;

    /// The time.
    fn now(&self) -> Moment;

    /// False where nobody waits for the end any more: nothing new may be begun then.
    fn is_awaited(&self) -> bool;

    /// Asks the hub to allow a card more, where what it lacks is for the hub to give; true where a larger balance lies here
    /// then. It waits no longer than a customer does.
    fn extend(&mut self, declined: &Declined, request: RequestId) -> bool;
}

/// A purchase that is asked for.
#[derive(Clone)]
pub struct Purchase {
    /// The sale.
    pub ask: SaleAsk,
    /// The card's UID.
    pub uid: [u8; UID_BYTES],
    /// What the fund pays at the most, where the member has taken a part.
    pub most: Option<Cents>,
}

/// What became of a tap.
#[derive(Debug)]
pub enum Paid {
    /// The sale is written down.
    Accepted(Box<SaleRecord>),
    /// It may not be; the part that could be paid, where one could.
    Declined(Declined, Option<Cents>),
    /// The amounts cannot be split by the grid that holds.
    NotSplit(SplitError),
    /// Nothing was paid: the card may be presented again.
    Again,
    /// Whether this sale was paid is not known: the same card has to come again.
    InDoubt,
    /// Whether the card paid an earlier sale cannot be told here.
    Unsettled(Box<Doubt>),
    /// An earlier sale of this card turned out to be paid; this one was not touched.
    Earlier(Box<SaleRecord>),
    /// The journal could not be written, and the card was not debited.
    Failed(JournalError),
}

/// Why a purchase does not go on.
enum Stop {
    /// This became of it.
    Told(Paid),
    /// What the card carries is to be replaced first.
    Foreign(HeldBalance),
}

impl From<Paid> for Stop {
    fn from(paid: Paid) -> Self {
        Self::Told(paid)
    }
}

/// Why no session was opened.
enum Unopened {
    /// The card is not one that has the key.
    Locked,
    /// It left, or does not speak.
    Left,
}

/// Opens a session by the first key that the card has, and does `work` in it.
fn session<T>(
    card: &mut dyn PurseCard,
    keys: &[SlotSecret],
    work: impl FnOnce(&mut dyn OpenPurse) -> T,
) -> Result<T, Unopened> {
    let mut unopened = Unopened::Locked;
    for SlotSecret { slot, key } in keys {
        match card.open(*slot, key) {
            Ok(mut open) => return Ok(work(&mut *open)),
            // The card has another version of the key, or is no card of ours.
            Err(CardError::Refused { .. }) => {}
            // What was garbled on the way may be read at the next tap.
            Err(error @ (CardError::NotAuthentic(_) | CardError::Foreign(_))) => {
                tracing::info!(%error, "a card did not prove itself");
                unopened = Unopened::Left;
            }
            Err(error @ (CardError::Link(_) | CardError::Range(_))) => {
                tracing::info!(%error, "a card could not be opened");
                return Err(Unopened::Left);
            }
        }
    }
    Err(unopened)
}

/// Plays a purchase. `tell` hears once what became of it; what is exchanged with the card afterwards may be cut off.
pub fn purchase(card: &mut dyn PurseCard, books: &mut impl Books, purchase: &Purchase, tell: impl FnOnce(Paid)) {
    let (now, by, request) = (books.now(), purchase.ask.card, purchase.ask.request);
    let (keys, doubt) = match books.work(move |journal| journal.purse_start(now, by, Some(request))) {
        Ok(PurseStart::Go { keys, doubt }) => (keys, doubt),
        Ok(PurseStart::Known(record)) => return tell(Paid::Accepted(Box::new(record))),
        Ok(PurseStart::Declined(declined)) => return tell(Paid::Declined(declined, None)),
        Err(error) => return tell(Paid::Failed(error)),
    };
    let mut most = purchase.most;
    if let Some(doubt) = doubt {
        if doubt.request == request && doubt.sale.asked.is_some() {
            // What the member had taken still stands.
            most = most.or_else(|| doubt.sale.fund_cents().ok());
        }
        if let Some(paid) = settle(card, books, purchase, &keys, *doubt) {
            return tell(paid);
        }
    }
    let mut tell = Some(tell);
    let mut told = |paid| {
        if let Some(tell) = tell.take() {
            tell(paid);
        }
    };
    let (mut may_extend, mut may_mend) = (true, true);
    loop {
        let done = session(card, &keys, |open| match pay(open, books, purchase, most) {
            Ok((record, on_card)) => {
                let purse = record.sale.purse;
                told(Paid::Accepted(Box::new(record)));
                afterwards(open, books, by, purse, on_card);
                None
            }
            Err(stop) => Some(stop),
        });
        return match done {
            Ok(None) => {}
            // Nothing was announced. The card is opened anew: no session is held while the hub is asked.
            Ok(Some(Stop::Told(Paid::Declined(declined, _)))) if may_extend && books.extend(&declined, request) => {
                may_extend = false;
                continue;
            }
            Ok(Some(Stop::Foreign(held))) if may_mend && mend(card, books, &keys, by, &held) => {
                may_mend = false;
                continue;
            }
            Ok(Some(Stop::Foreign(_))) => told(Paid::Again),
            Ok(Some(Stop::Told(paid))) => told(paid),
            Err(Unopened::Left) => told(Paid::Again),
            Err(Unopened::Locked) => told(locked()),
        };
    }
}

/// Writes the balance that is held here over what the hub did not sign, in a transaction of its own; false where the card
/// left, or it could not be written down.
fn mend(
    card: &mut dyn PurseCard,
    books: &mut impl Books,
    keys: &[SlotSecret],
    by: PresentedBy,
    held: &HeldBalance,
) -> bool {
    let HeldBalance { purse, serial, bytes } = held;
    let (purse, serial) = (*purse, *serial);
    let Ok(Ok(proof)) = session(card, keys, |open| open.write_balance(bytes)) else { return false };
    let now = books.now();
    let written = books.work(move |journal| journal.card_written(now, by.card, purse, serial, proof));
    if let Err(error) = &written {
        tracing::error!(%error, "that a card has a genuine balance again could not be written down");
    }
    written.is_ok()
}

/// A copy of a card's UID, perhaps.
const fn locked() -> Paid {
    let reason = crate::core::authorize::DeclineReason::TierTooLow;
    Paid::Declined(Declined { reason, purse: None, available: None, allowed_at_least: None }, None)
}

/// Settles an open doubt of this card; nothing where it was not debited, so that the purchase goes on.
fn settle(
    card: &mut dyn PurseCard,
    books: &mut impl Books,
    purchase: &Purchase,
    keys: &[SlotSecret],
    doubt: Doubt,
) -> Option<Paid> {
    let is_this = doubt.request == purchase.ask.request;
    match ask_card(card, books, purchase.uid, keys, &doubt) {
        Some(Ok(Settled::Debited(record))) if is_this => Some(Paid::Accepted(Box::new(record))),
        Some(Ok(Settled::Debited(record))) => Some(Paid::Earlier(Box::new(record))),
        Some(Ok(Settled::NotDebited)) => None,
        Some(Ok(Settled::Open)) => Some(Paid::Unsettled(Box::new(doubt))),
        Some(Err(error)) => Some(if is_this { Paid::InDoubt } else { Paid::Failed(error) }),
        None => Some(if is_this { Paid::InDoubt } else { Paid::Again }),
    }
}

/// Asks a card what became of a debit, and writes it down; nothing where the card could not be read.
fn ask_card(
    card: &mut dyn PurseCard,
    books: &mut impl Books,
    uid: [u8; UID_BYTES],
    keys: &[SlotSecret],
    doubt: &Doubt,
) -> Option<Result<Settled, JournalError>> {
    let read = session(card, keys, |open| -> Result<CardSays, CardError> {
        Ok(CardSays { uid, spent: open.spent()?, records: open.records()? })
    });
    let Ok(Ok(says)) = read else { return None };
    let (now, intent) = (books.now(), doubt.intent);
    let settled = books.work(move |journal| journal.settle(now, intent, &says));
    if let Err(error) = &settled {
        tracing::error!(%error, "whether a card was debited could not be written down");
    }
    Some(settled)
}

/// Reads, decides, announces, debits, proves: the sale's row, and the balance that the card carries.
fn pay(
    open: &mut dyn OpenPurse,
    books: &mut impl Books,
    purchase: &Purchase,
    most: Option<Cents>,
) -> Result<(SaleRecord, Option<Serial>), Stop> {
    let read = match read(open) {
        Ok(read) => read,
        Err(error) => {
            tracing::info!(%error, "a card could not be read");
            return Err(Paid::Again.into());
        }
    };
    if !books.is_awaited() {
        return Err(Paid::Again.into());
    }
    let (now, wish) = (books.now(), purchase.clone());
    let intended = books.work(move |journal| journal.intend(now, &wish.ask, &wish.uid, &read, most));
    let intent = match intended.map_err(Paid::Failed)? {
        Intended::Go(intent) => *intent,
        Intended::Known(record) => return Err(Paid::Accepted(Box::new(record)).into()),
        Intended::Declined(declined, offer) => return Err(Paid::Declined(declined, offer).into()),
        Intended::NotSplit(error) => return Err(Paid::NotSplit(error).into()),
        Intended::Foreign(held) => return Err(Stop::Foreign(held)),
    };
    let Intent { doubt, cents, record, on_card } = intent;
    let (seq, now) = (doubt.intent, books.now());
    if !books.is_awaited() {
        books.work(move |journal| journal.not_debited(now, seq)).map_err(Paid::Failed)?;
        return Err(Paid::Again.into());
    }
    let proof = match open.debit(cents, &record) {
        Ok(proof) => proof,
        Err(DebitError::NotDebited(error)) => {
            tracing::info!(%error, intent.seq = seq.get(), "a card was not debited");
            books.work(move |journal| journal.not_debited(now, seq)).map_err(Paid::Failed)?;
            return Err(Paid::Again.into());
        }
        Err(DebitError::InDoubt(error)) => {
            tracing::warn!(%error, intent.seq = seq.get(), "whether a card was debited is not known");
            return Err(in_doubt(books, &doubt).into());
        }
    };
    match books.work(move |journal| journal.prove(now, seq, proof)) {
        Ok(record) => Ok((record, on_card)),
        Err(error) => {
            // The card has paid, and no row says so: the card's own record will, at its next tap.
            tracing::error!(%error, intent.seq = seq.get(), "a sale that a card has paid could not be written down");
            Err(in_doubt(books, &doubt).into())
        }
    }
}

fn read(open: &mut dyn OpenPurse) -> Result<PurseRead, CardError> {
    Ok(PurseRead { balance: open.balance()?, spent: open.spent()? })
}

/// The intent alone makes it a doubt already; the row says so to the hub.
fn in_doubt(books: &mut impl Books, doubt: &Doubt) -> Paid {
    let (now, seq) = (books.now(), doubt.intent);
    if let Err(error) = books.work(move |journal| journal.doubt(now, seq)) {
        tracing::error!(%error, intent.seq = seq.get(), "a doubt could not be written down");
    }
    Paid::InDoubt
}

/// What may be cut off: a newer balance to the card, and the records of other terminals from it.
fn afterwards(
    open: &mut dyn OpenPurse,
    books: &mut impl Books,
    by: PresentedBy,
    purse: cabas_protocol::PurseRef,
    on_card: Option<Serial>,
) {
    let now = books.now();
    match books.work(move |journal| journal.newer_balance(purse, on_card)) {
        Ok(Some((serial, balance))) => match open.write_balance(&balance) {
            Ok(proof) => {
                let written = books.work(move |journal| journal.card_written(now, by.card, purse, serial, proof));
                if let Err(error) = written {
                    tracing::error!(%error, "that a card has a newer balance could not be written down");
                }
            }
            Err(error) => {
                tracing::info!(%error, "a card left before it had its newer balance");
                return;
            }
        },
        Ok(None) => {}
        Err(error) => tracing::error!(%error, "the newest balance of a card could not be read"),
    }
    let Ok(records) = open.records() else { return };
    if let Err(error) = books.work(move |journal| journal.courier(now, by, &records)) {
        tracing::error!(%error, "records that a card brought could not be written down");
    }
}

/// What a look at a card came to.
#[derive(Debug)]
pub struct Looked {
    /// What it could pay, or what became of the tap instead.
    pub view: Result<CardView, Paid>,
    /// An earlier sale of this card that turned out to be paid.
    pub earlier: Option<Box<SaleRecord>>,
}

/// What a card could pay: nothing is debited. A debit that nobody answered for is settled by the way.
pub fn look(card: &mut dyn PurseCard, books: &mut impl Books, by: PresentedBy, uid: [u8; UID_BYTES]) -> Looked {
    let now = books.now();
    let only = |view| Looked { view, earlier: None };
    let (keys, doubt) = match books.work(move |journal| journal.purse_start(now, by, None)) {
        Ok(PurseStart::Go { keys, doubt }) => (keys, doubt),
        Ok(PurseStart::Known(record)) => return only(Err(Paid::Accepted(Box::new(record)))),
        Ok(PurseStart::Declined(declined)) => return only(Ok(CardView::Declined(declined))),
        Err(error) => return only(Err(Paid::Failed(error))),
    };
    let mut earlier = None;
    if let Some(doubt) = doubt
        && let Some(Ok(Settled::Debited(record))) = ask_card(card, books, uid, &keys, &doubt)
    {
        earlier = Some(Box::new(record));
    }
    let view = match session(card, &keys, read) {
        Ok(Ok(read)) => books.work(move |journal| journal.view_purse(now, by, &read)).map_err(Paid::Failed),
        Ok(Err(_)) | Err(Unopened::Left) => Err(Paid::Again),
        Err(Unopened::Locked) => Err(locked()),
    };
    Looked { view, earlier }
}

#[cfg(test)]
#[path = "dialogue_tests.rs"]
mod tests;
