//! Reversals, refunds, the list of the day, and receipts that wait for the printer.

use super::receipts;
use super::{By, Event, Refusal, Service};
use crate::clock;
use crate::core::receipt::{Language, date_time};
use crate::core::split::Categories;
use crate::journal::{Entry, RefundAsk, RefundRecord, ReversalRecord, SaleRef, Undone};
use crate::printer::{JobId, PrinterState};
use crate::texts::Texts;
use cabas_protocol::row::Line;
use cabas_protocol::{Cents, RequestId, Seq};
use serde_json::{Map, Value, json};
use std::sync::Arc;

impl Service {
    /// Reverses a sale that was just made: what it became, and whether that is new.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn reverse(&self, sale: SaleRef, request: RequestId) -> Result<(Value, bool), Refusal> {
        self.reverse_by(By::Person, sale, request).await
    }

    /// The same on behalf of a person or a program.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn reverse_by(&self, by: By, sale: SaleRef, request: RequestId) -> Result<(Value, bool), Refusal> {
        self.may_really(by)?;
        let now = self.clock.now();
        let (record, is_new) = done(self.journal.customer(move |journal| journal.reverse(now, sale, request)).await?)?;
        tracing::info!(reversal.stan = %record.reversal.stan, reversal.seq = record.seq.get(), "a sale was reversed");
        self.undone(record.sale.sale.request, |sale| sale.is_reversed = true);
        Ok((self.entry_json(&Entry::Reversal(record)), is_new))
    }

    /// Asks for a refund.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn refund(&self, ask: RefundAsk) -> Result<(Value, bool), Refusal> {
        self.refund_by(By::Person, ask).await
    }

    /// The same on behalf of a person or a program.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn refund_by(&self, by: By, ask: RefundAsk) -> Result<(Value, bool), Refusal> {
        self.may_really(by)?;
        let now = self.clock.now();
        let (record, is_new) = done(self.journal.customer(move |journal| journal.refund(now, &ask)).await?)?;
        if is_new {
            tracing::info!(refund.stan = %record.refund.stan, refund.seq = record.seq.get(), "a refund was asked for");
            let back = Cents::sum(record.refund.lines.iter().map(|line| line.requested)).unwrap_or_default();
            self.undone(record.sale.sale.request, |sale| sale.refunded = sale.refunded.plus(back).unwrap_or(back));
        }
        Ok((self.entry_json(&Entry::Refund(record)), is_new))
    }

    /// How far a refund has come.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn refund_of(&self, request: RequestId) -> Result<Value, Refusal> {
        let found: Option<RefundRecord> = self.journal.customer(move |journal| journal.find_refund(request)).await?;
        found.map(|record| self.entry_json(&Entry::Refund(record))).ok_or(Refusal::NotFound)
    }

    /// What was done today, newest first.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn today(&self) -> Result<Value, Refusal> {
        let now = self.clock.now();
        let entries = self.journal.customer(move |journal| journal.today(now)).await?;
        Ok(json!({ "entries": entries.iter().map(|entry| self.entry_json(entry)).collect::<Vec<_>>() }))
    }

    /// Puts the receipt of a row into the printer's queue.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn print_row(&self, seq: Seq, language: Language) -> Result<(JobId, u32), Refusal> {
        self.may(By::Person)?;
        let entry = self.journal.customer(move |journal| journal.entry(seq)).await?.ok_or(Refusal::NotFound)?;
        self.print_entry(entry, language).await
    }

    /// Puts the receipts that wait for the printer into its queue: a person asks for it.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn print_kept(&self) -> Result<Value, Refusal> {
        self.may(By::Person)?;
        if *self.printer.state().borrow() == PrinterState::Off {
            return Err(Refusal::PrinterOff);
        }
        let printed = self.printer.print_kept().map_err(|_| Refusal::PrinterBusy)?;
        Ok(json!({ "printed": printed }))
    }

    /// Forgets the receipts that wait for the printer.
    ///
    /// # Errors
    /// [`Refusal::Locked`].
    pub fn discard_kept(&self) -> Result<(), Refusal> {
        self.may(By::Person)?;
        self.printer.discard_kept();
        Ok(())
    }

    /// Notes on the board what became of a sale.
    fn undone(&self, request: Option<RequestId>, note: impl FnOnce(&mut super::board::SaleView)) {
        let changed = {
            let mut board = self.board();
            let sale = request.and_then(|id| board.find_mut(id));
            sale.map(|sale| {
                note(sale);
                sale.clone()
            })
        };
        if let Some(sale) = changed {
            self.tell(Event::Sale(Arc::from(sale.json(&self.texts, &self.categories()).to_string())));
        }
        self.tell(Event::Status);
    }

    pub(super) fn entry_json(&self, entry: &Entry) -> Value {
        let categories = receipts::categories_of(&self.journal.published().state, entry);
        entry_json(&self.texts, &categories, entry, self.is_online())
    }
}

fn done<T>(undone: Undone<T>) -> Result<(T, bool), Refusal> {
    match undone {
        Undone::Done(record) => Ok((record, true)),
        Undone::Known(record) => Ok((record, false)),
        Undone::Refused(refusal) => Err(refusal.into()),
    }
}

fn entry_json(texts: &Texts, categories: &Categories, entry: &Entry, online: bool) -> Value {
    let mut view = Map::new();
    let (kind, stan, at, lines, sale): (_, _, _, &[Line], _) = match entry {
        Entry::Sale { record, .. } => ("sale", record.sale.stan, record.at, &record.sale.lines, record),
        Entry::Reversal(ReversalRecord { reversal, sale, at, .. }) => {
            ("reversal", reversal.stan, *at, &sale.sale.lines, sale)
        }
        Entry::Refund(RefundRecord { refund, sale, at, .. }) => ("refund", refund.stan, *at, &refund.lines, sale),
    };
    let sum = |of: fn(&Line) -> Cents| Cents::sum(lines.iter().map(of)).map_or(Value::Null, |sum| json!(sum.get()));
    let mut put = |key: &str, value: Value| drop(view.insert(key.to_owned(), value));
    put("kind", json!(kind));
    put("seq", json!(entry.seq().get()));
    put("stan", json!(stan.to_string()));
    put("at", json!(date_time(clock::local(at))));
    put("cents", sum(|line| line.requested));
    put("fund_cents", sum(|line| line.fund));
    put("member_cents", sum(|line| line.member));
    put("lines", lines.iter().map(|line| super::board::line_json(line, categories)).collect());
    put("sale_id", json!(sale.sale.request.map(|request| request.to_string())));
    put("sale_seq", json!(sale.seq.get()));
    put("till_ref", json!(sale.till_ref));
    match entry {
        Entry::Sale { is_reversed, refunded, .. } => {
            put("reversed", json!(is_reversed));
            put("refunded_cents", json!(refunded.get()));
        }
        Entry::Reversal(_) => {
            let words = texts.both("undo-done-reversal");
            put("message_fr", json!(words.message_fr));
            put("message_en", json!(words.message_en));
        }
        Entry::Refund(record) => {
            let words = texts.both(match record.progress {
                crate::journal::RefundProgress::Unsent if !online => "refund-offline",
                crate::journal::RefundProgress::Unsent | crate::journal::RefundProgress::Received => "refund-received",
                crate::journal::RefundProgress::Credited => "refund-credited",
                crate::journal::RefundProgress::Refused => "refund-refused",
            });
            put("id", json!(record.refund.request.to_string()));
            put("state", json!(record.progress.name()));
            put("message_fr", json!(words.message_fr));
            put("message_en", json!(words.message_en));
        }
    }
    Value::Object(view)
}
