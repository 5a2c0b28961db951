//! What tills asked for, and whether they know what became of it. A table of this terminal alone: no row tells of it.

use super::Journal;
use super::error::JournalError;
use super::sales::{SaleRecord, find_sale};
use super::state::State;
use super::undo::{find_refund, refunded_lines, reversal_by, reversal_of};
use crate::clock;
use crate::core::ages::Moment;
use cabas_protocol::{Cents, RequestId, Stan, Timestamp};
use rusqlite::{Connection, params};

/// For how long the same request again may be one whose answer was lost.
pub const SAME_AGAIN_S: u64 = 15 * 60;
/// For how long what a till may not know is shown.
const UNCONFIRMED_S: u64 = 2 * 86_400;
/// How many of them.
pub const UNCONFIRMED_MAX: usize = 20;
/// After this a request is forgotten; its sale never is.
const KEPT_S: u64 = 40 * 86_400;
/// Requests of one till that are looked through.
const LOOKED_MAX: u32 = 2_000;

/// What a till asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TillAction {
    /// A sale.
    Debit,
    /// Money back for a sale of it.
    Refund,
    /// Its last sale undone.
    Cancel,
}

impl TillAction {
    const fn number(self) -> u8 {
        match self {
            Self::Debit => 0,
            Self::Refund => 1,
            Self::Cancel => 2,
        }
    }

    const fn of(number: u8) -> Self {
        match number {
            1 => Self::Refund,
            2 => Self::Cancel,
            _ => Self::Debit,
        }
    }

    /// Its name in the local API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debit => "debit",
            Self::Refund => "refund",
            Self::Cancel => "cancel",
        }
    }
}

/// A till's request, by what makes it the same one again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TillAsk {
    /// The machine that it came from.
    pub peer: String,
    /// The till's number; may be empty.
    pub till: String,
    /// What is asked.
    pub action: TillAction,
    /// How much.
    pub cents: Cents,
    /// The till's reference; may be empty. Of one that keys its payments: the keys that it gave one payment, a line each.
    pub reference: String,
}

/// Something that was done for a till.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TillDone {
    /// The operation.
    pub request: RequestId,
    /// What it was.
    pub action: TillAction,
    /// How much.
    pub cents: Cents,
    /// The number of its receipt.
    pub stan: Stan,
    /// When, in hub time as well as it was known.
    pub at: Timestamp,
    /// The sale that it made, or undid.
    pub sale: SaleRecord,
    /// True where the sale was given back since, whole or in part.
    pub is_undone: bool,
}

impl TillDone {
    /// What the fund paid of a sale, or the amount of what undid one.
    #[must_use]
    pub fn paid(&self) -> Cents {
        match self.action {
            TillAction::Debit => Cents::sum(self.sale.sale.lines.iter().map(|line| line.fund)).unwrap_or(self.cents),
            TillAction::Refund | TillAction::Cancel => self.cents,
        }
    }
}

/// What a key that a till gives to one payment stands for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TillKeyed {
    /// Nothing was paid under it.
    Nothing,
    /// It was paid.
    Done(Box<TillDone>),
    /// Whether its card has paid is not known; the same request goes on.
    InDoubt(RequestId),
}

/// A request as it stands in the table.
struct Stored {
    request: RequestId,
    action: TillAction,
    cents: Cents,
    reference: String,
}

impl Journal {
    /// Writes a request down, before anything is done about it.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn till_asks(&mut self, now: Moment, request: RequestId, ask: &TillAsk) -> Result<(), JournalError> {
        self.write(now, |writer| {
            let at = writer.state.hub.anchor.time(now).get();
            writer.tx.execute("DELETE FROM till_requests WHERE at < ?1", [at.saturating_sub(KEPT_S)])?;
            let mut insert = writer.tx.prepare_cached(
                "INSERT INTO till_requests (request, at, peer, till, action, cents, reference) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?;
            let TillAsk { peer, till, action, cents, reference } = ask;
            insert.execute(params![request.as_bytes(), at, peer, till, action.number(), cents.get(), reference])?;
            Ok(())
        })
    }

    /// Writes down that the till knows, or that a person has seen to it; false where there is no such request.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn till_told(&mut self, now: Moment, request: RequestId, by_hand: bool) -> Result<bool, JournalError> {
        self.write(now, |writer| {
            let at = writer.state.hub.anchor.time(now).get();
            let mut update = writer.tx.prepare_cached(
                "UPDATE till_requests SET told_at = coalesce(told_at, ?2), by_hand = max(by_hand, ?3) WHERE request = ?1",
            )?;
            Ok(update.execute(params![request.as_bytes(), at, by_hand])? > 0)
        })
    }

    /// What became of a till's request; nothing where nothing was written.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn till_done(&mut self, request: RequestId) -> Result<Option<TillDone>, JournalError> {
        self.read(|db, state| {
            let select = "SELECT request, action, cents, reference FROM till_requests WHERE request = ?1";
            let stored = select_stored(db, select, params![request.as_bytes()])?;
            stored.first().map_or(Ok(None), |stored| done(db, state, stored))
        })
    }

    /// The newest operation that a till may not know of and that it asks for again: the same in every part, of late. With
    /// `order` the same amount for that order is the same again too, under whatever reference.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn till_same_again(
        &mut self,
        now: Moment,
        ask: &TillAsk,
        order: Option<&str>,
    ) -> Result<Option<TillDone>, JournalError> {
        self.read(|db, state| {
            let time = state.hub.anchor.time(now);
            let select = "SELECT request, action, cents, reference FROM till_requests WHERE at >= ?1 AND peer = ?2 \
                          AND till = ?3 AND action = ?4 AND cents = ?5 AND (reference = ?6 OR ?7) AND told_at IS NULL \
                          ORDER BY at DESC LIMIT ?8";
            let TillAsk { peer, till, action, cents, reference } = ask;
            // From the request a debit takes its time; what counts is when it was done.
            let from = time.get().saturating_sub(SAME_AGAIN_S.saturating_mul(2));
            let parameters =
                params![from, peer, till, action.number(), cents.get(), reference, order.is_some(), LOOKED_MAX];
            for stored in select_stored(db, select, parameters)? {
                if let Some(done) = done(db, state, &stored)?
                    && (stored.reference == *reference || done.sale.till_ref.as_deref() == order)
                    && !(done.is_undone && done.action == TillAction::Debit)
                    && time.since_s(done.at) <= SAME_AGAIN_S
                {
                    return Ok(Some(done));
                }
            }
            Ok(None)
        })
    }

    /// Writes down that what was done under one key of a till stands under another one too: its line was made anew.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn till_known_as(&mut self, now: Moment, request: RequestId, key: &str) -> Result<(), JournalError> {
        self.write(now, |writer| {
            let mut update = writer.tx.prepare_cached(
                "UPDATE till_requests SET reference = reference || char(10) || ?2 WHERE request = ?1 \
                 AND instr(char(10) || reference || char(10), char(10) || ?2 || char(10)) = 0",
            )?;
            update.execute(params![request.as_bytes(), key])?;
            Ok(())
        })
    }

    /// What was done under a till's own key for one payment, its reference: known for as long as requests are kept.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn till_keyed(&mut self, ask: &TillAsk) -> Result<TillKeyed, JournalError> {
        let asked = self.read(|db, state| {
            let select = "SELECT request, action, cents, reference FROM till_requests \
                          WHERE peer = ?1 AND till = ?2 AND action = ?3 \
                          AND instr(char(10) || reference || char(10), char(10) || ?4 || char(10)) > 0 \
                          ORDER BY at DESC LIMIT ?5";
            let TillAsk { peer, till, action, reference, .. } = ask;
            let parameters = params![peer, till, action.number(), reference, LOOKED_MAX];
            let mut asked = Vec::new();
            for stored in select_stored(db, select, parameters)? {
                asked.push((stored.request, done(db, state, &stored)?));
            }
            Ok(asked)
        })?;
        let mut requests = Vec::new();
        for (request, done) in asked {
            if let Some(done) = done {
                return Ok(TillKeyed::Done(Box::new(done)));
            }
            requests.push(request);
        }
        for request in requests {
            if self.find_doubt(request)?.is_some() {
                return Ok(TillKeyed::InDoubt(request));
            }
        }
        Ok(TillKeyed::Nothing)
    }

    /// What was done for tills and they may not know of, newest first.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn till_unconfirmed(&mut self, now: Moment) -> Result<Vec<TillDone>, JournalError> {
        self.read(|db, state| {
            let from = state.hub.anchor.time(now).get().saturating_sub(UNCONFIRMED_S);
            let select = "SELECT request, action, cents, reference FROM till_requests \
                          WHERE at >= ?1 AND told_at IS NULL ORDER BY at DESC LIMIT ?2";
            let mut found = Vec::new();
            for stored in select_stored(db, select, params![from, LOOKED_MAX])? {
                if let Some(done) = done(db, state, &stored)?
                    && !(done.is_undone && done.action == TillAction::Debit)
                {
                    found.push(done);
                }
                if found.len() >= UNCONFIRMED_MAX {
                    break;
                }
            }
            Ok(found)
        })
    }

    #[cfg(test)]
    pub(crate) fn till_count_unconfirmed(&mut self) -> Result<usize, JournalError> {
        self.read(|db, state| {
            let select = "SELECT request, action, cents, reference FROM till_requests WHERE told_at IS NULL";
            let stored = select_stored(db, select, [])?;
            let found: Result<Vec<_>, _> = stored.iter().map(|stored| done(db, state, stored)).collect();
            Ok(found?.into_iter().flatten().count())
        })
    }

    /// Sales of a till with an amount that were not given back, newest first, each with the till's reference.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn till_sales(&mut self, ask: &TillAsk) -> Result<Vec<(TillDone, String)>, JournalError> {
        self.read(|db, state| {
            let select = "SELECT request, action, cents, reference FROM till_requests \
                          WHERE peer = ?1 AND till = ?2 AND action = ?3 AND cents = ?4 ORDER BY at DESC LIMIT ?5";
            let TillAsk { peer, till, cents, .. } = ask;
            let parameters = params![peer, till, TillAction::Debit.number(), cents.get(), LOOKED_MAX];
            let mut found = Vec::new();
            for stored in select_stored(db, select, parameters)? {
                if let Some(done) = done(db, state, &stored)?
                    && !done.is_undone
                {
                    found.push((done, stored.reference));
                }
            }
            // Two of one second stand in no order in the table.
            found.sort_by_key(|(done, _)| std::cmp::Reverse(done.sale.seq));
            Ok(found)
        })
    }

    /// What was done for a till on this business day, newest first.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn till_today(&mut self, now: Moment, peer: &str, till: &str) -> Result<Vec<(TillDone, String)>, JournalError> {
        self.read(|db, state| {
            let time = state.hub.anchor.time(now);
            let from = time.get().saturating_sub(2 * 86_400);
            let select = "SELECT request, action, cents, reference FROM till_requests \
                          WHERE at >= ?1 AND peer = ?2 AND till = ?3 ORDER BY at DESC LIMIT ?4";
            let mut found = Vec::new();
            for stored in select_stored(db, select, params![from, peer, till, LOOKED_MAX])? {
                if let Some(done) = done(db, state, &stored)?
                    && clock::business_day(done.at) == clock::business_day(time)
                {
                    found.push((done, stored.reference));
                }
            }
            // Two of one second stand in no order in the table.
            found.sort_by_key(|(done, _)| std::cmp::Reverse((done.at, done.stan)));
            Ok(found)
        })
    }
}

fn select_stored(
    db: &Connection,
    select: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<Stored>, JournalError> {
    let mut select = db.prepare_cached(select)?;
    let rows = select.query_map(parameters, |row| {
        Ok((row.get::<_, [u8; 8]>(0)?, row.get::<_, u8>(1)?, row.get::<_, u64>(2)?, row.get::<_, String>(3)?))
    })?;
    let mut found = Vec::new();
    for row in rows {
        let (request, action, cents, reference) = row?;
        let cents = Cents::new(cents).map_err(|_| JournalError::Inconsistent("a till asked for more than there is"))?;
        found.push(Stored { request: RequestId::new(request), action: TillAction::of(action), cents, reference });
    }
    Ok(found)
}

/// What the rows say of a request.
fn done(db: &Connection, state: &State, stored: &Stored) -> Result<Option<TillDone>, JournalError> {
    let Stored { request, action, cents, .. } = *stored;
    let (stan, at, sale) = if action == TillAction::Debit {
        let Some(sale) = find_sale(db, state, request)? else { return Ok(None) };
        (sale.sale.stan, sale.at, sale)
    } else if let Some(refund) = find_refund(db, state, request)? {
        (refund.refund.stan, refund.at, refund.sale)
    } else if let Some(reversal) = reversal_by(db, state, request)? {
        (reversal.reversal.stan, reversal.at, reversal.sale)
    } else {
        return Ok(None);
    };
    let is_undone = reversal_of(db, state, sale.seq)?.is_some() || !refunded_lines(db, state, sale.seq)?.is_empty();
    Ok(Some(TillDone { request, action, cents, stan, at, sale, is_undone }))
}

#[cfg(test)]
#[path = "till_tests.rs"]
mod tests;
