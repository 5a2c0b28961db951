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
    CardSays, CardView, Declined, Doubt, Intended, Intent, Journal, JournalError, PresentedBy, PurseRead, PurseStart,
    SaleAsk, SaleRecord, Settled, SlotSecret,
};
use cabas_card::CardError;
use cabas_card::purse::DebitError;
use cabas_card::tmac::UID_BYTES;
use cabas_protocol::{Cents, Serial};

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
    let done = session(card, &keys, |open| match pay(open, books, purchase, most) {
        Ok((record, on_card)) => {
            let purse = record.sale.purse;
            told(Paid::Accepted(Box::new(record)));
            afterwards(open, books, by, purse, on_card);
        }
        Err(paid) => told(paid),
    });
    match done {
        Ok(()) => {}
        Err(Unopened::Left) => told(Paid::Again),
        Err(Unopened::Locked) => told(locked()),
    }
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
    let read = session(card, keys, |open| -> Result<CardSays, CardError> {
        Ok(CardSays { uid: purchase.uid, spent: open.spent()?, records: open.records()? })
    });
    let Ok(Ok(says)) = read else {
        return Some(if is_this { Paid::InDoubt } else { Paid::Again });
    };
    let (now, intent) = (books.now(), doubt.intent);
    match books.work(move |journal| journal.settle(now, intent, &says)) {
        Ok(Settled::Debited(record)) if is_this => Some(Paid::Accepted(Box::new(record))),
        Ok(Settled::Debited(record)) => Some(Paid::Earlier(Box::new(record))),
        Ok(Settled::NotDebited) => None,
        Ok(Settled::Open) => Some(Paid::Unsettled(Box::new(doubt))),
        Err(error) => {
            tracing::error!(%error, "whether a card was debited could not be written down");
            Some(if is_this { Paid::InDoubt } else { Paid::Failed(error) })
        }
    }
}

/// Reads, decides, announces, debits, proves: the sale's row, and the balance that the card carries.
fn pay(
    open: &mut dyn OpenPurse,
    books: &mut impl Books,
    purchase: &Purchase,
    most: Option<Cents>,
) -> Result<(SaleRecord, Option<Serial>), Paid> {
    let read = match read(open) {
        Ok(read) => read,
        Err(error) => {
            tracing::info!(%error, "a card could not be read");
            return Err(Paid::Again);
        }
    };
    if !books.is_awaited() {
        return Err(Paid::Again);
    }
    let (now, wish) = (books.now(), purchase.clone());
    let intended = books.work(move |journal| journal.intend(now, &wish.ask, &wish.uid, &read, most));
    let intent = match intended.map_err(Paid::Failed)? {
        Intended::Go(intent) => *intent,
        Intended::Known(record) => return Err(Paid::Accepted(Box::new(record))),
        Intended::Declined(declined, offer) => return Err(Paid::Declined(declined, offer)),
        Intended::NotSplit(error) => return Err(Paid::NotSplit(error)),
    };
    let Intent { doubt, cents, record, on_card } = intent;
    let (seq, now) = (doubt.intent, books.now());
    if !books.is_awaited() {
        books.work(move |journal| journal.not_debited(now, seq)).map_err(Paid::Failed)?;
        return Err(Paid::Again);
    }
    let proof = match open.debit(cents, &record) {
        Ok(proof) => proof,
        Err(DebitError::NotDebited(error)) => {
            tracing::info!(%error, intent.seq = seq.get(), "a card was not debited");
            books.work(move |journal| journal.not_debited(now, seq)).map_err(Paid::Failed)?;
            return Err(Paid::Again);
        }
        Err(DebitError::InDoubt(error)) => {
            tracing::warn!(%error, intent.seq = seq.get(), "whether a card was debited is not known");
            return Err(in_doubt(books, &doubt));
        }
    };
    match books.work(move |journal| journal.prove(now, seq, proof)) {
        Ok(record) => Ok((record, on_card)),
        Err(error) => {
            // The card has paid, and no row says so: the card's own record will, at its next tap.
            tracing::error!(%error, intent.seq = seq.get(), "a sale that a card has paid could not be written down");
            Err(in_doubt(books, &doubt))
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

/// What a card could pay: nothing is debited.
///
/// # Errors
/// What became of the tap instead.
pub fn look(card: &mut dyn PurseCard, books: &mut impl Books, by: PresentedBy) -> Result<CardView, Paid> {
    let now = books.now();
    let keys = match books.work(move |journal| journal.purse_start(now, by, None)).map_err(Paid::Failed)? {
        PurseStart::Go { keys, .. } => keys,
        PurseStart::Known(record) => return Err(Paid::Accepted(Box::new(record))),
        PurseStart::Declined(declined) => return Ok(CardView::Declined(declined)),
    };
    let read = match session(card, &keys, read) {
        Ok(Ok(read)) => read,
        Ok(Err(_)) | Err(Unopened::Left) => return Err(Paid::Again),
        Err(Unopened::Locked) => return Err(locked()),
    };
    books.work(move |journal| journal.view_purse(now, by, &read)).map_err(Paid::Failed)
}

#[cfg(test)]
#[path = "dialogue_tests.rs"]
mod tests;
