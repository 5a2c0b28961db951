//! What the screens show: the sales of late, the reader, what is under way. It decides nothing and stores nothing.

use crate::card::ReaderState;
use crate::core::authorize::DeclineReason;
use crate::core::sale::{SaleEvent, SaleState};
use crate::core::split::{AskedLine, Categories};
use crate::journal::{Declined, Doubt, Entry, SaleRecord};
use crate::service::training::Played;
use crate::texts::Texts;
use cabas_protocol::row::{Line, Tier};
use cabas_protocol::{Cents, MoneyError, RequestId, Seq, Stan};
use serde_json::{Map, Value, json};
use std::collections::VecDeque;

/// Sales that are kept for the screens; older ones are read from the journal.
pub const SALES_MAX: usize = 64;

/// A sale as the screens show it.
#[derive(Clone, Debug)]
pub struct SaleView {
    /// The operation, and the sale's name in the local API.
    pub id: RequestId,
    /// Where it stands.
    pub state: SaleState,
    /// What was asked for.
    pub asked: Vec<AskedLine>,
    /// Split by the grid.
    pub lines: Vec<Line>,
    /// The till's own reference.
    pub till_ref: Option<String>,
    /// A remark while it waits, by the name of its message.
    pub notice: Option<&'static str>,
    /// What was written down.
    pub written: Option<Written>,
    /// Why it was declined.
    pub declined: Option<Declined>,
    /// The part that is offered, or was taken.
    pub offer: Option<Cents>,
    /// True where a reversal undid it.
    pub is_reversed: bool,
    /// What was asked back of it, both parts together.
    pub refunded: Cents,
    /// What it has instead of a row where it is only played.
    pub played: Option<Played>,
    /// True where a till asked for it, and not a person here.
    pub from_till: bool,
    /// True where that till can be paid a part.
    pub takes_part: bool,
}

/// What was written down of a sale.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Written {
    /// Its row.
    pub seq: Seq,
    /// The number on the receipt.
    pub stan: Stan,
    /// What the card proved.
    pub tier: Tier,
}

impl SaleView {
    /// A sale that waits for its card.
    #[must_use]
    pub const fn new(id: RequestId, asked: Vec<AskedLine>, lines: Vec<Line>, till_ref: Option<String>) -> Self {
        let state = SaleState::Waiting;
        Self {
            id,
            state,
            asked,
            lines,
            till_ref,
            notice: None,
            written: None,
            declined: None,
            offer: None,
            is_reversed: false,
            refunded: Cents::ZERO,
            played: None,
            from_till: false,
            takes_part: false,
        }
    }

    /// A sale that was written down.
    #[must_use]
    pub fn of_record(id: RequestId, record: &SaleRecord) -> Self {
        let asked = record.sale.lines.iter();
        let asked = asked.map(|line| AskedLine { category: line.category, requested: line.requested }).collect();
        let mut view = Self::new(id, asked, Vec::new(), record.till_ref.clone());
        view.state = SaleState::Accepted;
        view.take_record(record);
        view
    }

    /// A sale of which it is not known whether its card has paid.
    #[must_use]
    pub fn of_doubt(doubt: &Doubt) -> Self {
        let lines = doubt.sale.lines.clone();
        let asked = lines.iter().map(|line| AskedLine { category: line.category, requested: line.requested }).collect();
        let mut view = Self::new(doubt.request, asked, lines, doubt.till_ref.clone());
        view.state = SaleState::InDoubt;
        view
    }

    /// A sale of the journal, with what became of it.
    #[must_use]
    pub fn of_entry(id: RequestId, entry: &Entry) -> Self {
        match entry {
            Entry::Sale { record, is_reversed, refunded } => {
                Self { is_reversed: *is_reversed, refunded: *refunded, ..Self::of_record(id, record) }
            }
            Entry::Reversal(reversal) => Self { is_reversed: true, ..Self::of_record(id, &reversal.sale) },
            Entry::Refund(refund) => Self::of_record(id, &refund.sale),
        }
    }

    /// Takes over what was written down.
    pub fn take_record(&mut self, record: &SaleRecord) {
        self.lines.clone_from(&record.sale.lines);
        self.till_ref.clone_from(&record.till_ref);
        self.written = Some(Written { seq: record.seq, stan: record.sale.stan, tier: record.sale.tier });
        self.notice = None;
    }

    /// Goes on to the next state; an event that does not fit is logged and changes nothing.
    pub fn step(&mut self, event: SaleEvent) {
        match self.state.step(event) {
            Ok(next) => self.state = next,
            Err(error) => tracing::error!(%error, sale.id = %self.id, "a sale took an event that does not fit"),
        }
        if self.state.is_final() {
            self.notice = None;
        }
    }

    /// What the card proved, or is said to have proved where it is played.
    fn tier(&self) -> Option<Tier> {
        let played = self.played.and_then(|played| played.accepted).map(|played| played.tier);
        self.written.map(|written| written.tier).or(played)
    }

    fn message_id(&self) -> &'static str {
        match (self.state, self.tier()) {
            (SaleState::Waiting, _) => "sale-waiting",
            (SaleState::Authorizing, _) => "sale-authorizing",
            (SaleState::Offered, _) => "sale-offer",
            (SaleState::InDoubt, _) => "sale-in-doubt",
            (SaleState::Accepted, _) if self.is_reversed => "sale-reversed",
            (SaleState::Accepted, Some(Tier::Plain)) => "sale-accepted-not-proven",
            (SaleState::Accepted, _) => "sale-accepted",
            (SaleState::Declined(_), _) => "sale-declined",
            (SaleState::Cancelled, _) => "sale-cancelled",
            (SaleState::TimedOut, _) => "sale-timed-out",
            (SaleState::Failed, _) => "sale-failed",
        }
    }

    /// For the cashier's side: neutral, and never why.
    #[must_use]
    pub fn json(&self, texts: &Texts, categories: &Categories) -> Value {
        let mut view = Map::new();
        let mut put = |key: &str, value: Value| drop(view.insert(key.to_owned(), value));
        let sum = |of: fn(&Line) -> Cents| -> Value {
            let sum: Result<Cents, MoneyError> = Cents::sum(self.lines.iter().map(of));
            sum.map_or(Value::Null, |sum| json!(sum.get()))
        };
        put("id", json!(self.id.to_string()));
        put("state", json!(self.state.name()));
        put("cents", sum(|line| line.requested));
        put("fund_cents", sum(|line| line.fund));
        put("member_cents", sum(|line| line.member));
        put("lines", self.lines.iter().map(|line| line_json(line, categories)).collect());
        let message = texts.both(self.message_id());
        put("message_fr", json!(message.message_fr));
        put("message_en", json!(message.message_en));
        if self.from_till {
            put("from_till", json!(true));
        }
        if let Some(till_ref) = &self.till_ref {
            put("till_ref", json!(till_ref));
        }
        if let Some(written) = self.written {
            put("seq", json!(written.seq.get()));
            put("stan", json!(written.stan.to_string()));
            put("proven", json!(written.tier != Tier::Plain));
        }
        if let Some(played) = self.played {
            put("training", json!(true));
            if let Some(sale) = played.accepted {
                put("stan", json!(sale.stan.to_string()));
                put("proven", json!(sale.tier != Tier::Plain));
            }
        }
        if let Some(id) = self.notice {
            put("notice", coded(texts, id, &id.replace('-', "_")));
        }
        if self.is_reversed {
            put("reversed", json!(true));
        }
        if !self.refunded.is_zero() {
            put("refunded_cents", json!(self.refunded.get()));
        }
        if self.state == SaleState::Offered {
            put("member_side", json!({ "path": format!("/api/sales/{}/member-side", self.id) }));
        }
        if let SaleState::Declined(reason) = self.state {
            put("class", coded(texts, reason.class().message_id(), reason.class().name()));
            put("member_side", json!({ "path": format!("/api/sales/{}/member-side", self.id) }));
        }
        Value::Object(view)
    }

    /// For the member's side, on request: why, and what could be paid here.
    #[must_use]
    pub fn member_side(&self, texts: &Texts) -> Option<Value> {
        if self.state == SaleState::Offered {
            return self.offer_side(texts);
        }
        let SaleState::Declined(reason) = self.state else { return None };
        let is_shared = self.from_till && !self.takes_part && self.lines.iter().any(|line| !line.member.is_zero());
        let message = if is_shared { "decline-till-part" } else { reason.message_id() };
        let mut side = coded(texts, message, reason.name());
        if let (Value::Object(side), Some(available)) = (&mut side, self.declined.and_then(|d| d.available)) {
            let shows_money = reason >= DeclineReason::AboveSaleLimit;
            if shows_money {
                side.insert(String::from("available_cents"), json!(available.get()));
            }
        }
        Some(side)
    }

    /// What the member is asked: the fund's part and one's own.
    fn offer_side(&self, texts: &Texts) -> Option<Value> {
        let most = self.offer?;
        let whole = Cents::sum(self.lines.iter().map(|line| line.requested)).ok()?;
        let mut side = coded(texts, "decline-offer", "offer");
        if let Value::Object(side) = &mut side {
            side.insert(String::from("offer_cents"), json!(most.get()));
            side.insert(String::from("rest_cents"), json!(whole.minus_or_zero(most).get()));
        }
        Some(side)
    }
}

/// A code with its words.
#[must_use]
pub fn coded(texts: &Texts, id: &str, code: &str) -> Value {
    let words = texts.both(id);
    json!({ "code": code, "message_fr": words.message_fr, "message_en": words.message_en })
}

pub(super) fn line_json(line: &Line, categories: &Categories) -> Value {
    let category = categories.get(line.category);
    json!({
        "category": line.category.to_string(),
        "label_fr": category.map(|category| category.label_fr.as_str()),
        "label_en": category.map(|category| category.label_en.as_str()),
        "cents": line.requested.get(),
        "fund_cents": line.fund.get(),
        "member_cents": line.member.get(),
    })
}

/// Everything that the screens show of the counter.
#[derive(Clone, Debug)]
pub struct Board {
    sales: VecDeque<SaleView>,
    /// The sale that is under way.
    pub current: Option<RequestId>,
    /// True while a member asks for the balance.
    pub balance_asked: bool,
    /// True while a card is awaited to try the reader.
    pub reader_tested: bool,
    /// The reader.
    pub reader: ReaderState,
    /// True while something lies on it.
    pub card_present: bool,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            sales: VecDeque::new(),
            current: None,
            balance_asked: false,
            reader_tested: false,
            reader: ReaderState::NoService,
            card_present: false,
        }
    }
}

impl Board {
    /// True while the counter waits for a card.
    #[must_use]
    pub const fn is_busy(&self) -> bool {
        self.current.is_some() || self.balance_asked || self.reader_tested
    }

    /// A sale of late.
    #[must_use]
    pub fn find(&self, id: RequestId) -> Option<&SaleView> {
        self.sales.iter().find(|sale| sale.id == id)
    }

    /// A sale of late, to be changed.
    pub fn find_mut(&mut self, id: RequestId) -> Option<&mut SaleView> {
        self.sales.iter_mut().find(|sale| sale.id == id)
    }

    /// Puts a sale on the board, in place of one of the same name; the oldest goes.
    pub fn put(&mut self, sale: SaleView) {
        self.sales.retain(|other| other.id != sale.id);
        self.sales.push_back(sale);
        if self.sales.len() > SALES_MAX {
            self.sales.pop_front();
        }
    }

    /// Sales of which it is not known whether their card has paid.
    pub fn in_doubt(&self) -> impl Iterator<Item = RequestId> {
        let real = self.sales.iter().filter(|sale| sale.played.is_none());
        real.filter(|sale| sale.state == SaleState::InDoubt).map(|sale| sale.id)
    }

    /// The newest accepted sale on the board.
    #[must_use]
    pub fn last_accepted(&self) -> Option<&SaleView> {
        self.sales.iter().rev().find(|sale| sale.state == SaleState::Accepted && sale.played.is_none())
    }

    /// True for the newest sale of the board that was accepted, really or as played.
    #[must_use]
    pub fn was_just_made(&self, id: RequestId) -> bool {
        let newest = self.sales.iter().rev().find(|sale| sale.state == SaleState::Accepted);
        newest.is_some_and(|sale| sale.id == id)
    }

    /// The remark that fits the reader, for a sale that waits.
    #[must_use]
    pub const fn reader_notice(&self) -> Option<&'static str> {
        match self.reader {
            ReaderState::Ready { .. } if self.card_present => Some("notice-present-again"),
            ReaderState::Ready { .. } => None,
            ReaderState::NoService | ReaderState::NoReader | ReaderState::Lost => Some("notice-reader-missing"),
        }
    }
}
