//! Adding a row: signed, chained, with the totals up to it.

use super::close::CLOSED_KINDS;
use super::error::JournalError;
use super::load;
use super::secrets::CardSecrets;
use super::state::{AlarmNote, Newest, State, Totals};
use crate::core::ages::{self, Moment};
use crate::core::objects::Alarm;
use cabas_protocol::chain::ChainHead;
use cabas_protocol::head::ObjectType;
use cabas_protocol::row::{ClockSet, RowBody, RowTime};
use cabas_protocol::{Cents, RequestId, Row, Seq, Signer};
use rusqlite::{Transaction, params};
use std::sync::Arc;

/// Alarms that are kept for the screen; the log has them all.
pub const MAX_ALARMS: u32 = 50;

/// One transaction in the making: the file, and what will be kept at hand once it is committed.
pub(super) struct Writer<'a> {
    pub(super) tx: &'a Transaction<'a>,
    pub(super) state: &'a mut State,
    pub(super) signer: &'a Signer,
    pub(super) secrets: Option<&'a CardSecrets>,
    pub(super) now: Moment,
}

/// Writes as much as a sale needs and takes it away again: a commit that changes nothing.
pub(super) fn write_and_take_away(writer: &mut Writer<'_>) -> Result<(), JournalError> {
    writer.tx.execute("INSERT INTO alarms (at, text) VALUES (0, hex(zeroblob(8192)))", [])?;
    writer.tx.execute("DELETE FROM alarms WHERE id = last_insert_rowid()", [])?;
    Ok(())
}

impl Writer<'_> {
    /// Adds a row; before it one that says that the wall clock was set, where it was.
    pub(super) fn append(&mut self, body: RowBody, till_ref: Option<&str>) -> Result<Seq, JournalError> {
        if let Some(last) = self.state.newest.moment
            && ages::clock_was_set(last, self.now)
        {
            tracing::warn!(before = %last.wall, after = %self.now.wall, "the wall clock was set");
            self.add(RowBody::ClockSet(ClockSet { before: last.wall, after: self.now.wall }), None)?;
        }
        self.add(body, till_ref)
    }

    fn add(&mut self, body: RowBody, till_ref: Option<&str>) -> Result<Seq, JournalError> {
        let Newest { chain, stan, totals, .. } = self.state.newest;
        let seq = chain.seq.next().ok_or(JournalError::Full)?;
        let (stan, totals, request) = match &body {
            RowBody::Sale(sale) => {
                let totals = Totals {
                    sales: totals.sales.saturating_add(1),
                    fund: totals.fund.plus(sale.fund_cents()?)?,
                    member: totals.member.plus(sale.member_cents()?)?,
                    ..totals
                };
                // Its number was given out with the intent, where there was one.
                (if sale.intent.is_some() { stan } else { Some(sale.stan) }, totals, sale.request)
            }
            RowBody::Intent(intent) => (Some(intent.stan), totals, None),
            RowBody::RefundRequest(refund) => {
                let fund = Cents::sum(refund.lines.iter().map(|line| line.fund))?;
                let totals = Totals { refunds: totals.refunds.plus(fund)?, ..totals };
                (Some(refund.stan), totals, Some(refund.request))
            }
            RowBody::Reversal(reversal) => {
                let totals = Totals { reversed: totals.reversed.plus(reversal.cents)?, ..totals };
                (Some(reversal.stan), totals, None)
            }
            RowBody::Start(_)
            | RowBody::Return(_)
            | RowBody::ListApplied(_)
            | RowBody::InDoubt(_)
            | RowBody::DoubtResolved(_)
            | RowBody::Courier(_)
            | RowBody::Close(_)
            | RowBody::CashierChange(_)
            | RowBody::Training(_)
            | RowBody::ClockSet(_)
            | RowBody::Configured(_)
            | RowBody::CardWritten(_)
            | RowBody::Unknown { .. } => (stan, totals, None),
        };
        let kind = body.kind();
        let row = self.row(seq, body);
        let signed = self.signer.sign(&row);
        let hash = signed.hash();
        let at = self.state.hub.anchor.time(self.now);
        let mut insert = self.tx.prepare_cached(
            "INSERT INTO rows (seq, hash, kind, at, stan, sales, fund_cents, member_cents, reversed_cents, refund_cents, \
             request, till_ref, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?;
        insert.execute(params![
            seq.get(),
            hash.as_bytes(),
            kind,
            at.get(),
            stan.map_or(0, cabas_protocol::Stan::get),
            totals.sales,
            totals.fund.get(),
            totals.member.get(),
            totals.reversed.get(),
            totals.refunds.get(),
            request.as_ref().map(RequestId::as_bytes),
            till_ref,
            signed.as_bytes(),
        ])?;
        self.state.newest = Newest { chain: ChainHead { seq, hash }, moment: Some(self.now), stan, totals };
        if CLOSED_KINDS.contains(&kind) {
            self.state.periods.note(at);
        }
        Ok(seq)
    }

    fn row(&self, seq: Seq, body: RowBody) -> Row {
        let Moment { boot, monotonic_ms, wall } = self.now;
        let quality = self.state.hub.anchor.quality(self.now);
        Row {
            head: self.state.context().head(ObjectType::Row),
            terminal: self.state.id.terminal,
            epoch: self.state.id.epoch,
            seq,
            prev: self.state.newest.chain.hash,
            time: RowTime { boot, monotonic_ms, wall, quality },
            body,
        }
    }

    /// Ties hub time to this run of the system, where it was tied to an earlier one.
    pub(super) fn carry_time(&mut self) -> Result<(), JournalError> {
        let anchor = self.state.hub.anchor;
        if anchor.at.boot == self.now.boot {
            return Ok(());
        }
        self.state.hub.anchor = anchor.carry(self.state.newest.moment.unwrap_or(anchor.at), self.now);
        load::store_hub(self.tx, &self.state.hub)
    }

    /// Writes alarms down for the screen, those that stand there already aside; the oldest go. Gives the new ones.
    pub(super) fn note_alarms(&mut self, alarms: Vec<Alarm>) -> Result<Vec<Alarm>, JournalError> {
        let at = self.state.hub.anchor.time(self.now);
        let mut notes: Vec<AlarmNote> = Vec::clone(&self.state.alarms);
        let mut new = Vec::new();
        for alarm in alarms {
            let text = alarm.to_string();
            if notes.iter().any(|note| note.text == text) {
                continue;
            }
            self.tx.execute("INSERT INTO alarms (at, text) VALUES (?1, ?2)", params![at.get(), text])?;
            notes.insert(0, AlarmNote { at, text });
            new.push(alarm);
        }
        if !new.is_empty() {
            self.tx.execute("DELETE FROM alarms WHERE id <= (SELECT max(id) FROM alarms) - ?1", [MAX_ALARMS])?;
            notes.truncate(usize::try_from(MAX_ALARMS).unwrap_or(usize::MAX));
            self.state.alarms = Arc::new(notes);
        }
        Ok(new)
    }

    /// The next STAN.
    pub(super) fn next_stan(&self) -> cabas_protocol::Stan {
        self.state.newest.stan.map_or(cabas_protocol::Stan::FIRST, cabas_protocol::Stan::next)
    }
}
