//! A sale in the journal: what is known of card and purse, the decision, and the row, in one transaction.

use super::Journal;
use super::append::Writer;
use super::error::JournalError;
use super::load::cents_of;
use super::state::State;
use crate::card::UidClass;
use crate::clock;
use crate::core::ages::{DaySum, Moment};
use crate::core::authorize::{
    BalanceFacts, CardFacts, Counters, Decision, DeclineReason, Facts, authorize, usable_balance,
};
use crate::core::part::part_of;
use crate::core::split::{AskedLine, SplitError};
use cabas_protocol::row::{Line, RowBody, Sale, Tier};
use cabas_protocol::{CardRef, Cents, PolicyId, PurseRef, RequestId, Row, Seq, Serial, Signed, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

/// Rows behind the newest among which the last sale is looked for.
const LAST_SALE_ROWS: u32 = 10_000;

/// A card as it was presented.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PresentedBy {
    /// The card's reference.
    pub card: CardRef,
    /// What it proved.
    pub proven: Tier,
    /// What its UID is worth.
    pub uid: UidClass,
    /// How often it was tapped in its life, as it proved (tier T2).
    pub counter: Option<u32>,
}

/// A sale that is asked for.
#[derive(Clone, Debug)]
pub struct SaleAsk {
    /// The operation: the same one is never done twice.
    pub request: RequestId,
    /// The till's own reference.
    pub till_ref: Option<String>,
    /// The amounts.
    pub lines: Vec<AskedLine>,
    /// The card.
    pub card: PresentedBy,
}

/// A sale as it was written down.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SaleRecord {
    /// Its row.
    pub seq: Seq,
    /// Its contents.
    pub sale: Sale,
    /// When, in hub time as well as it was known.
    pub at: Timestamp,
    /// The till's own reference.
    pub till_ref: Option<String>,
}

impl SaleRecord {
    /// True where the record is of a sale with these amounts.
    #[must_use]
    pub fn is_of(&self, lines: &[AskedLine]) -> bool {
        self.sale.lines.len() == lines.len()
            && self
                .sale
                .lines
                .iter()
                .zip(lines)
                .all(|(line, asked)| line.category == asked.category && line.requested == asked.requested)
    }
}

/// Why a sale may not be, and what the member's side may show.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Declined {
    /// Why.
    pub reason: DeclineReason,
    /// The card's purse, where it has one.
    pub purse: Option<PurseRef>,
    /// What the balance here leaves.
    pub available: Option<Cents>,
    /// The `allowed` that would do.
    pub allowed_at_least: Option<Cents>,
}

impl Declined {
    /// Only so much could be paid, and who asks takes no part.
    #[must_use]
    pub const fn only(available: Cents) -> Self {
        let reason = DeclineReason::InsufficientFunds;
        Self { reason, purse: None, available: Some(available), allowed_at_least: None }
    }
}

/// What became of a sale.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Sold {
    /// It is written down: the commit has returned.
    Accepted(SaleRecord),
    /// The request was done before: this is its sale.
    Known(SaleRecord),
    /// It may not be; nothing was written.
    Declined(Declined),
    /// The amounts cannot be split by the grid that holds.
    NotSplit(SplitError),
}

/// What a card could pay: for the member's side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CardView {
    /// It can pay.
    Usable {
        /// So much here.
        available: Cents,
    },
    /// It cannot pay.
    Declined(Declined),
}

/// What the journal knows of a card.
pub(super) struct Known {
    pub(super) purse: Option<PurseRef>,
    pub(super) card: CardFacts,
    pub(super) balance: Option<BalanceFacts>,
    pub(super) counters: Counters,
}

impl Journal {
    /// Decides a sale and writes it down. When this returns [`Sold::Accepted`] the row is durable.
    ///
    /// # Errors
    /// [`JournalError`]: whether the row is in the file is unknown then; [`Journal::find_sale`] tells.
    pub fn sell(&mut self, now: Moment, ask: &SaleAsk) -> Result<Sold, JournalError> {
        self.sell_most(now, ask, None)
    }

    /// What a card could pay here.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn view_card(&mut self, now: Moment, card: PresentedBy) -> Result<CardView, JournalError> {
        self.read(|db, state| {
            let known = known_of(db, state, now, card)?;
            Ok(match usable_balance(&facts(state, now, &known)) {
                Ok(balance) => CardView::Usable { available: known.counters.available(balance.allowed) },
                Err(reason) => CardView::Declined(declined(reason, &known, Cents::ZERO)),
            })
        })
    }

    /// The sale of a request.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn find_sale(&mut self, request: RequestId) -> Result<Option<SaleRecord>, JournalError> {
        self.read(|db, state| find_sale(db, state, request))
    }

    /// The newest sale.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn last_sale(&mut self) -> Result<Option<SaleRecord>, JournalError> {
        self.read(last_sale)
    }

    /// Counts a print of a sale's receipt, before it is printed: how many there were before.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn count_print(&mut self, now: Moment, seq: Seq) -> Result<u32, JournalError> {
        self.write(now, |writer| {
            let copies: u32 = writer.tx.query_row(
                "INSERT INTO prints (seq, copies) VALUES (?1, 1) ON CONFLICT (seq) DO UPDATE SET copies = copies + 1 \
                 RETURNING copies",
                [seq.get()],
                |row| row.get(0),
            )?;
            Ok(copies.saturating_sub(1))
        })
    }
}

/// The row after which the last of a kind is looked for.
pub(super) fn looked_from(state: &State) -> u32 {
    state.newest.chain.seq.get().saturating_sub(LAST_SALE_ROWS)
}

pub(super) fn last_sale(db: &Connection, state: &State) -> Result<Option<SaleRecord>, JournalError> {
    let from = looked_from(state);
    let mut select = db.prepare_cached(
        "SELECT seq, at, till_ref, bytes FROM rows WHERE seq > ?1 AND kind = 2 ORDER BY seq DESC LIMIT 1",
    )?;
    let found = select.query_row([from], sale_columns).optional()?;
    found.map(|columns| record(state, columns)).transpose()
}

impl Writer<'_> {
    /// What became of it, and what the fund was to pay.
    pub(super) fn sell(&mut self, ask: &SaleAsk, most: Option<Cents>) -> Result<(Sold, Cents), JournalError> {
        if let Some(known) = find_sale(self.tx, self.state, ask.request)? {
            return Ok((Sold::Known(known), Cents::ZERO));
        }
        if self.is_taken(ask.request)? {
            return Err(JournalError::RequestTaken);
        }
        let day = clock::business_day(self.state.hub.anchor.time(self.now));
        let categories = self.state.categories(day);
        let lines = match categories.split(&ask.lines) {
            Ok(lines) => lines,
            Err(error) => return Ok((Sold::NotSplit(error), Cents::ZERO)),
        };
        let whole = Cents::sum(lines.iter().map(|line| line.fund))?;
        let most = most.unwrap_or(whole);
        let lines = part_of(&lines, most)?;
        let fund = whole.min(most);
        let known = known_of(self.tx, self.state, self.now, ask.card)?;
        if let Some(reason) = self.copied(ask.card)? {
            return Ok((Sold::Declined(declined(reason, &known, fund)), fund));
        }
        let (spent_after, serial) = match authorize(&facts(self.state, self.now, &known), fund) {
            Decision::Approve { .. } if fund.is_zero() => {
                return Ok((Sold::Declined(declined(DeclineReason::InsufficientFunds, &known, fund)), fund));
            }
            Decision::Approve { spent_after, serial, .. } => (spent_after, serial),
            Decision::Decline(reason) => return Ok((Sold::Declined(declined(reason, &known, fund)), fund)),
        };
        let purse = known.purse.ok_or(JournalError::Inconsistent("a card was approved without a purse"))?;
        let asked = (fund < whole).then_some(whole);
        let sale = Sale { asked, ..self.sale(ask, purse, lines, spent_after, serial, categories.version) };
        let seq = self.append(RowBody::Sale(sale.clone()), ask.till_ref.as_deref())?;
        self.keep_taps(ask.card)?;
        self.raise(ask.card.proven, &sale, known.counters.plain_today.plus(fund)?, day)?;
        let at = self.state.hub.anchor.time(self.now);
        Ok((Sold::Accepted(SaleRecord { seq, sale, at, till_ref: ask.till_ref.clone() }), fund))
    }

    pub(super) fn sale(
        &self,
        ask: &SaleAsk,
        purse: PurseRef,
        lines: Vec<Line>,
        spent_after: Cents,
        serial: Serial,
        grid: cabas_protocol::Version,
    ) -> Sale {
        Sale {
            stan: self.next_stan(),
            card: ask.card.card,
            tier: ask.card.proven,
            purse,
            spent_after,
            serial,
            lines,
            hot_list: self.state.hub.hot_list,
            grid,
            policy: self.state.policy.as_ref().map_or(PolicyId::new(0), |policy| policy.id),
            request: Some(ask.request),
            asked: None,
            intent: None,
            card_counter: ask.card.counter,
            card_mac: None,
        }
    }

    /// Raises the purse's counter, in the transaction of the row.
    fn raise(&self, proven: Tier, sale: &Sale, plain_today: Cents, day: u32) -> Result<(), JournalError> {
        let plain = match proven {
            Tier::Plain => plain_today,
            Tier::Identity | Tier::Purse => Cents::ZERO,
        };
        let mut raise = self.tx.prepare_cached(
            "INSERT INTO counters (purse, scope, spent_cents, reversed_cents, plain_day, plain_day_cents) \
             VALUES (?1, 1, ?2, 0, ?3, ?4) ON CONFLICT (purse, scope) DO UPDATE SET spent_cents = ?2, \
             plain_day = iif(?5, ?3, plain_day), plain_day_cents = iif(?5, ?4, plain_day_cents)",
        )?;
        let purse = sale.purse.as_bytes();
        raise.execute(params![purse, sale.spent_after.get(), day, plain.get(), proven == Tier::Plain])?;
        Ok(())
    }
}

pub(super) fn facts<'a>(state: &'a State, now: Moment, known: &Known) -> Facts<'a> {
    Facts {
        terminal: state.terminal_state(),
        policy: state.policy.as_deref(),
        card: known.card,
        balance: known.balance,
        counters: known.counters,
        list_age_s: state.hub.age_s(now),
    }
}

pub(super) fn declined(reason: DeclineReason, known: &Known, fund: Cents) -> Declined {
    let Counters { spent, reversed, .. } = known.counters;
    Declined {
        reason,
        purse: known.purse,
        available: known.balance.map(|balance| known.counters.available(balance.allowed)),
        allowed_at_least: spent.plus(fund).ok().map(|needed| needed.minus_or_zero(reversed)),
    }
}

/// True where the hot list names a card or its purse.
pub(super) fn is_hot(db: &Connection, card: CardRef, purse: PurseRef) -> Result<bool, JournalError> {
    let mut select = db.prepare_cached("SELECT EXISTS (SELECT 1 FROM hot WHERE (kind, ref) IN ((1, ?1), (2, ?2)))")?;
    Ok(select.query_row([card.as_bytes(), purse.as_bytes()], |row| row.get(0))?)
}

pub(super) fn known_of(db: &Connection, state: &State, now: Moment, card: PresentedBy) -> Result<Known, JournalError> {
    let mut select = db.prepare_cached("SELECT tier, purse FROM bindings WHERE card = ?1")?;
    let bound = select
        .query_row([card.card.as_bytes()], |row| Ok((tier_of(row.get(0)?), PurseRef::new(row.get(1)?))))
        .optional()?;
    let mut facts = CardFacts { proven: card.proven, uid: card.uid, bound: bound.map(|(tier, _)| tier), is_hot: false };
    let mut known = Known { purse: None, card: facts, balance: None, counters: Counters::default() };
    let Some((_, purse)) = bound else { return Ok(known) };
    facts.is_hot = is_hot(db, card.card, purse)?;
    known.card = facts;
    known.purse = Some(purse);
    let time = state.hub.anchor.time(now);
    let mut select = db.prepare_cached(
        "SELECT serial, issued_at, valid_for_s, allowed_cents FROM balances WHERE purse = ?1 AND scope = ?2",
    )?;
    let balance = select.query_row(params![purse.as_bytes(), scope_of(card.proven)], |row| {
        let issued_at = Timestamp::new(row.get(1)?);
        Ok(BalanceFacts {
            serial: Serial::new(row.get(0)?),
            age_s: time.since_s(issued_at),
            valid_for_s: row.get(2)?,
            allowed: cents_of(row, 3)?,
        })
    });
    known.balance = balance.optional()?;
    // The counter of a card that counts for itself is its own.
    if card.proven != Tier::Purse
        && let Some((spent, reversed, day_sum)) = counters_of(db, purse)?
    {
        let synced = state.hub.anchor.synced;
        known.counters = Counters { spent, reversed, plain_today: day_sum.today(clock::business_day(time), synced) };
    }
    Ok(known)
}

/// Who counts what a card spends: 0 the card, 1 this journal.
const fn scope_of(proven: Tier) -> u8 {
    match proven {
        Tier::Purse => 0,
        Tier::Identity | Tier::Plain => 1,
    }
}

pub(super) type StoredCounters = (Cents, Cents, DaySum<Cents>);

pub(super) fn counters_of(db: &Connection, purse: PurseRef) -> Result<Option<StoredCounters>, JournalError> {
    let mut select = db.prepare_cached(
        "SELECT spent_cents, reversed_cents, plain_day, plain_day_cents FROM counters WHERE purse = ?1 AND scope = 1",
    )?;
    let found = select.query_row([purse.as_bytes()], |row| {
        let day_sum = DaySum { day: row.get(2)?, sum: cents_of(row, 3)? };
        Ok((cents_of(row, 0)?, cents_of(row, 1)?, day_sum))
    });
    Ok(found.optional()?)
}

/// A tier that is not known is the highest: no card proves more.
pub(super) const fn tier_of(number: u8) -> Tier {
    match number {
        3 => Tier::Plain,
        2 => Tier::Identity,
        _ => Tier::Purse,
    }
}

pub(super) type SaleColumns = (u32, u64, Option<String>, Vec<u8>);

pub(super) fn sale_columns(row: &rusqlite::Row<'_>) -> rusqlite::Result<SaleColumns> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

pub(super) fn record(state: &State, (seq, at, till_ref, bytes): SaleColumns) -> Result<SaleRecord, JournalError> {
    let signed = Signed::<Row>::from_bytes(bytes).map_err(cabas_protocol::sign::SignError::from)?;
    let RowBody::Sale(sale) = signed.read_trusted(state.id.fund)?.into_payload().body else {
        return Err(JournalError::Inconsistent("a row is not of the kind that it is filed under"));
    };
    Ok(SaleRecord { seq: Seq::new(seq), sale, at: Timestamp::new(at), till_ref })
}

pub(super) fn find_sale(
    db: &Connection,
    state: &State,
    request: RequestId,
) -> Result<Option<SaleRecord>, JournalError> {
    let mut select = db.prepare_cached("SELECT seq, at, till_ref, bytes FROM rows WHERE request = ?1 AND kind = 2")?;
    let found = select.query_row([request.as_bytes()], sale_columns).optional()?;
    found.map(|columns| record(state, columns)).transpose()
}
