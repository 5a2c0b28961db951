//! A recall in the journal: what is free above the level goes back, in one row, once.

use super::append::Writer;
use super::error::JournalError;
use super::load::cents_of;
use super::sales::counters_of;
use crate::core::authorize::Counters;
use crate::core::objects::{Alarm, Verdict};
use crate::core::recall::{Held, hand_back};
use cabas_protocol::row::{Return, RowBody};
use cabas_protocol::sync::{Recall, Standing};
use cabas_protocol::{Cents, Serial};
use rusqlite::{OptionalExtension as _, params};

impl Writer<'_> {
    /// Answers a recall. The same one again finds its row and adds nothing.
    pub(super) fn take_recall(&mut self, recall: &Recall) -> Result<Verdict, JournalError> {
        let me = self.state.id.me();
        if (recall.terminal, recall.epoch) != (me.terminal, me.epoch) {
            return Ok(Verdict::Reject(Alarm::Misaddressed { what: "a recall" }));
        }
        // What a closed or quarantined journal adds frees nothing: the fund settles that by closing the epoch.
        match self.state.hub.standing {
            Standing::Live | Standing::Revoked => {}
            Standing::Closed | Standing::Quarantined => return Ok(Verdict::Ignore),
        }
        let (request, purse) = (recall.request.as_bytes(), recall.purse.as_bytes());
        let mut select =
            self.tx.prepare_cached("SELECT EXISTS (SELECT 1 FROM returns WHERE request = ?1 AND purse = ?2)")?;
        if select.query_row(params![request, purse], |row| row.get(0))? {
            return Ok(Verdict::Ignore);
        }
        let mut select =
            self.tx.prepare_cached("SELECT serial, allowed_cents FROM balances WHERE purse = ?1 AND scope = 1")?;
        let balance = select.query_row([purse], |row| Ok((Serial::new(row.get(0)?), cents_of(row, 1)?)));
        let Some((serial, allowed)) = balance.optional()? else { return Ok(Verdict::Ignore) };
        let (spent, reversed) = counters_of(self.tx, recall.purse)?
            .map_or((Cents::ZERO, Cents::ZERO), |(spent, reversed, _)| (spent, reversed));
        let available = Counters { spent, reversed, plain_today: Cents::ZERO }.available(allowed);
        let reserved = self.state.reserved.filter(|reserved| reserved.purse == recall.purse);
        let held = Held { available, spent, reserved: reserved.map_or(Cents::ZERO, |reserved| reserved.cents) };
        let Some(back) = hand_back(held, recall.keep)? else { return Ok(Verdict::Ignore) };
        let seq = self.append(
            RowBody::Return(Return {
                purse: recall.purse,
                cents: back.cents,
                spent_after: back.spent_after,
                serial,
                request: Some(recall.request),
            }),
            None,
        )?;
        let mut raise = self.tx.prepare_cached(
            "INSERT INTO counters (purse, scope, spent_cents, reversed_cents, plain_day, plain_day_cents) \
             VALUES (?1, 1, ?2, 0, 0, 0) ON CONFLICT (purse, scope) DO UPDATE SET spent_cents = ?2",
        )?;
        raise.execute(params![purse, back.spent_after.get()])?;
        let mut insert = self.tx.prepare_cached("INSERT INTO returns (request, purse, seq) VALUES (?1, ?2, ?3)")?;
        insert.execute(params![request, purse, seq.get()])?;
        Ok(Verdict::Take)
    }
}
