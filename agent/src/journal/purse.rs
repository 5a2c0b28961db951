//! A purchase with a card that counts for itself: what is known before the card is spoken to, and the intent, which is
//! durable before the card is debited.

use super::Journal;
use super::append::Writer;
use super::doubts::{Doubt, open_doubt_of};
use super::error::JournalError;
use super::hub::Applied;
use super::objects::HubObject;
use super::sales::{CardView, Declined, Known, PresentedBy, SaleAsk, SaleRecord, declined, facts, find_sale, known_of};
use super::secrets::{CardSecrets, SlotSecret};
use super::state::State;
use crate::clock;
use crate::core::ages::Moment;
use crate::core::authorize::{Counters, DeclineReason, usable_balance};
use crate::core::part::part_of;
use crate::core::purse::{PurseDecision, decide, is_of_card};
use crate::core::split::SplitError;
use cabas_card::layout::{RECORD_BYTES, Record};
use cabas_card::tmac::UID_BYTES;
use cabas_protocol::balance::SignedBalance;
use cabas_protocol::row::{CardDebit, RowBody, Sale, Tier};
use cabas_protocol::{CardRef, Cents, PurseRef, RequestId, Serial, Signed, codec};
use rusqlite::{Connection, OptionalExtension as _, params};

/// What the journal says before a card is spoken to.
#[derive(Clone, Debug)]
pub enum PurseStart {
    /// The request was done before: this is its sale.
    Known(SaleRecord),
    /// The card cannot pay, whatever it says.
    Declined(Declined),
    /// It is asked.
    Go {
        /// The keys by which it may be spoken to, the newest first.
        keys: Vec<SlotSecret>,
        /// A debit of this card of which no end is known.
        doubt: Option<Box<Doubt>>,
    },
}

/// What was read from the card, by a session that proved it.
#[derive(Clone, Debug)]
pub struct PurseRead {
    /// The signed balance that it carries, as it stands there; empty where it has none.
    pub balance: Vec<u8>,
    /// Its counter.
    pub spent: u32,
}

/// A debit that is announced: the commit has returned.
#[derive(Clone, Debug)]
pub struct Intent {
    /// What it is, should nobody learn its end.
    pub doubt: Doubt,
    /// What the card is debited by.
    pub cents: u32,
    /// The record that is written to the card with it.
    pub record: [u8; RECORD_BYTES],
    /// The balance that the card carries, by what it says of itself.
    pub on_card: Option<Serial>,
}

/// What became of the wish to debit a card.
#[derive(Clone, Debug)]
pub enum Intended {
    /// It is announced.
    Go(Box<Intent>),
    /// The request was done before: this is its sale.
    Known(SaleRecord),
    /// It may not be; the part that could be paid, where one could.
    Declined(Declined, Option<Cents>),
    /// The amounts cannot be split by the grid that holds.
    NotSplit(SplitError),
    /// The card carries what the hub did not sign for it: nobody could tell its proof from a false one. The balance that is
    /// held here is to be written over it first.
    Foreign(HeldBalance),
}

/// A balance of a purse's own card that is held here.
#[derive(Clone, Debug)]
pub struct HeldBalance {
    /// The purse.
    pub purse: PurseRef,
    /// Its number.
    pub serial: Serial,
    /// As the hub signed it.
    pub bytes: Vec<u8>,
}

impl Journal {
    /// The keys by which a card may be spoken to, the newest first.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn keys_of_card(&mut self, card: CardRef) -> Result<Vec<SlotSecret>, JournalError> {
        let secrets = self.secrets.clone();
        self.read(|db, _| keys_of(secrets.as_deref(), db, card))
    }

    /// What is known before the card is spoken to: nothing is written.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn purse_start(
        &mut self,
        now: Moment,
        card: PresentedBy,
        request: Option<RequestId>,
    ) -> Result<PurseStart, JournalError> {
        let secrets = self.secrets.clone();
        self.read(|db, state| {
            let known = request.map(|request| find_sale(db, state, request)).transpose()?.flatten();
            if let Some(known) = known {
                return Ok(PurseStart::Known(known));
            }
            let doubt = open_doubt_of(db, card.card)?.map(Box::new);
            let known = known_of(db, state, now, card)?;
            match usable_balance(&facts(state, now, &known)) {
                // The card may bring a newer balance.
                Ok(_) | Err(DeclineReason::NoBalance | DeclineReason::BalanceExpired) => {}
                // What was announced is resolved, whatever became of the card or the terminal since.
                Err(_) if doubt.is_some() => {}
                Err(reason) => return Ok(PurseStart::Declined(declined(reason, &known, Cents::ZERO))),
            }
            let keys = keys_of(secrets.as_deref(), db, card.card)?;
            if keys.is_empty() && doubt.is_none() {
                return Ok(PurseStart::Declined(declined(DeclineReason::NoBalance, &known, Cents::ZERO)));
            }
            Ok(PurseStart::Go { keys, doubt })
        })
    }

    /// What a card could pay that was read.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn view_purse(&mut self, now: Moment, card: PresentedBy, read: &PurseRead) -> Result<CardView, JournalError> {
        self.write(now, |writer| {
            writer.take_over(card, &read.balance)?;
            let known = writer.known_of_purse(card, read.spent)?;
            Ok(match usable_balance(&facts(writer.state, now, &known)) {
                Ok(balance) => CardView::Usable { available: known.counters.available(balance.allowed) },
                Err(reason) => CardView::Declined(declined(reason, &known, Cents::ZERO)),
            })
        })
    }

    /// Decides a purchase of which the fund pays `most` at the most, and writes the intent down. When this returns
    /// [`Intended::Go`] the row is durable, and the card may be debited. A newer balance that the card brings is taken over
    /// in the same commit.
    ///
    /// # Errors
    /// [`JournalError`]: the card must not be debited then; a row that is in the file all the same is a doubt.
    pub fn intend(
        &mut self,
        now: Moment,
        ask: &SaleAsk,
        uid: &[u8; UID_BYTES],
        read: &PurseRead,
        most: Option<Cents>,
    ) -> Result<Intended, JournalError> {
        self.write(now, |writer| writer.intend(ask, uid, read, most))
    }

    /// The newest balance that lies here of a purse's own card, where it is newer than `on_card`.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn newer_balance(
        &mut self,
        purse: PurseRef,
        on_card: Option<Serial>,
    ) -> Result<Option<(Serial, Vec<u8>)>, JournalError> {
        self.read(|db, _| {
            let held = held_balance(db, purse)?.map(|held| (held.serial, held.bytes));
            Ok(held.filter(|(serial, _)| on_card.is_none_or(|on_card| *serial > on_card)))
        })
    }
}

/// The keys of a card, the newest first; none where the terminal's secrets are not at hand.
pub(super) fn keys_of(
    secrets: Option<&CardSecrets>,
    db: &Connection,
    card: CardRef,
) -> Result<Vec<SlotSecret>, JournalError> {
    let keys = secrets.map(|secrets| secrets.keys_of(db, card)).transpose()?.unwrap_or_default();
    Ok(keys.into_iter().map(|(_, secret)| secret).collect())
}

fn held_balance(db: &Connection, purse: PurseRef) -> Result<Option<HeldBalance>, JournalError> {
    let mut select = db.prepare_cached("SELECT serial, bytes FROM balances WHERE purse = ?1 AND scope = 0")?;
    let held = select.query_row([purse.as_bytes()], |row| {
        Ok(HeldBalance { purse, serial: Serial::new(row.get(0)?), bytes: row.get(1)? })
    });
    Ok(held.optional()?)
}

/// A balance that a card carries, where the hub signed it for this purse's card.
fn balance_of_card(state: &State, purse: PurseRef, bytes: &[u8]) -> Option<HubObject> {
    let signed = Signed::<SignedBalance>::from_bytes(bytes.to_vec()).ok()?;
    let balance = state.keys.verify(&signed).ok()?;
    is_of_card(balance.payload(), purse).then_some(HubObject::Balance(signed, balance))
}

impl Writer<'_> {
    /// Takes over the balance that a card carries, as if the hub had sent it; gives its number. What is not signed for this
    /// card counts for nothing, whatever number it says it has.
    fn take_over(&mut self, card: PresentedBy, bytes: &[u8]) -> Result<Option<Serial>, JournalError> {
        let Some(purse) = known_of(self.tx, self.state, self.now, card)?.purse else { return Ok(None) };
        let Some(object) = balance_of_card(self.state, purse, bytes) else {
            if !bytes.is_empty() {
                tracing::warn!("a card carries a balance that is not signed for it: it does not count");
            }
            return Ok(None);
        };
        let mut applied = Applied { alarms: Vec::new(), taken: 0, believed: true };
        self.take(&object, &mut applied)?;
        self.note_alarms(applied.alarms)?;
        let HubObject::Balance(_, balance) = object else { return Ok(None) };
        Ok(Some(balance.payload().serial))
    }

    /// What is known of a card, with the counter that it has itself.
    fn known_of_purse(&self, card: PresentedBy, spent: u32) -> Result<Known, JournalError> {
        let known = known_of(self.tx, self.state, self.now, card)?;
        Ok(Known { counters: Counters { spent: Cents::new(spent.into())?, ..Counters::default() }, ..known })
    }

    fn intend(
        &mut self,
        ask: &SaleAsk,
        uid: &[u8; UID_BYTES],
        read: &PurseRead,
        most: Option<Cents>,
    ) -> Result<Intended, JournalError> {
        if let Some(known) = find_sale(self.tx, self.state, ask.request)? {
            return Ok(Intended::Known(known));
        }
        if self.is_taken(ask.request)? || open_doubt_of(self.tx, ask.card.card)?.is_some() {
            return Err(JournalError::RequestTaken);
        }
        let categories = self.state.categories(clock::business_day(self.state.hub.anchor.time(self.now)));
        let lines = match categories.split(&ask.lines) {
            Ok(lines) => lines,
            Err(error) => return Ok(Intended::NotSplit(error)),
        };
        let whole = Cents::sum(lines.iter().map(|line| line.fund))?;
        let on_card = self.take_over(ask.card, &read.balance)?;
        let known = self.known_of_purse(ask.card, read.spent)?;
        if let (Some(purse), None, false) = (known.purse, on_card, read.balance.is_empty())
            && let Some(held) = held_balance(self.tx, purse)?
            && held.bytes != read.balance
            && balance_of_card(self.state, purse, &held.bytes).is_some()
        {
            return Ok(Intended::Foreign(held));
        }
        let decision = decide(&facts(self.state, self.now, &known), whole, most);
        let (fund, spent_after, serial) = match decision {
            PurseDecision::Pay { fund, spent_after, serial } => (fund, spent_after, serial),
            PurseDecision::Decline { reason, offer } => {
                return Ok(Intended::Declined(declined(reason, &known, most.unwrap_or(whole)), offer));
            }
        };
        let purse = known.purse.ok_or(JournalError::Inconsistent("a card was approved without a purse"))?;
        let sale = self.sale(ask, purse, part_of(&lines, fund)?, spent_after, serial, categories.version);
        let sale = Sale { asked: (fund < whole).then_some(whole), ..sale };
        let doubt = self.announce(ask, sale, known.counters.spent, fund)?;
        let (cents, record) = self.record_of(&doubt, uid)?;
        Ok(Intended::Go(Box::new(Intent { doubt, cents, record, on_card })))
    }

    /// The intent's row, and beside it the sale that it is for.
    fn announce(&mut self, ask: &SaleAsk, sale: Sale, spent: Cents, fund: Cents) -> Result<Doubt, JournalError> {
        let debit = CardDebit {
            stan: sale.stan,
            card: sale.card,
            purse: sale.purse,
            cents: fund,
            spent_before: spent,
            // The file of the transaction MAC is the hub's to read: what the card counts is known after the debit.
            card_counter: 0,
        };
        let seq = self.append(RowBody::Intent(debit), None)?;
        let sale = Sale { intent: Some(seq), ..sale };
        let mut insert = self
            .tx
            .prepare_cached("INSERT INTO intents (seq, card, request, till_ref, sale) VALUES (?1, ?2, ?3, ?4, ?5)")?;
        let (card, request) = (sale.card.as_bytes(), ask.request.as_bytes());
        insert.execute(params![seq.get(), card, request, ask.till_ref, codec::encode(&sale)])?;
        let at = self.state.hub.anchor.time(self.now);
        Ok(Doubt { intent: seq, row: seq, request: ask.request, till_ref: ask.till_ref.clone(), sale, at })
    }

    fn record_of(&self, doubt: &Doubt, uid: &[u8; UID_BYTES]) -> Result<(u32, [u8; RECORD_BYTES]), JournalError> {
        let secrets = self.secrets.ok_or(JournalError::Inconsistent("the terminal's secrets are not at hand"))?;
        let small = |cents: Cents| {
            u32::try_from(cents.get())
                .map_err(|_| JournalError::Inconsistent("a debit is larger than a card can count"))
        };
        let (cents, me) = (small(doubt.sale.fund_cents()?)?, self.state.id.me());
        let record = Record {
            terminal: me.terminal.get(),
            epoch: me.epoch.get(),
            seq: doubt.intent.get(),
            // What the row says too, so that the hub can make the record again.
            time_s: u32::try_from(self.now.wall.get()).unwrap_or(u32::MAX),
            cents,
            spent_after: small(doubt.sale.spent_after)?,
            serial: doubt.sale.serial.get(),
        };
        Ok((cents, record.to_bytes(&secrets.record_key, uid)))
    }
}

/// A card of tier T1, as its session proved it.
impl PresentedBy {
    /// The same card, once it has proven that it has the keys.
    #[must_use]
    pub const fn proven(self) -> Self {
        Self { proven: Tier::Purse, ..self }
    }
}
