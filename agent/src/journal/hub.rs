//! What goes to the hub and what comes from it: rows that it does not have, and objects that it signed.

use super::Journal;
use super::append::Writer;
use super::error::JournalError;
use super::load::{store_hub, totals_at};
use super::objects::HubObject;
use super::state::State;
use crate::core::ages::{Anchor, Moment, Ratchet};
use crate::core::objects::{Alarm, HubLife};
use cabas_protocol::balance::SignedBalance;
use cabas_protocol::chain::ChainHead;
use cabas_protocol::head::Head;
use cabas_protocol::row::{Configured, RowBody};
use cabas_protocol::sync::{HeldList, OBJECTS_MAX, ROWS_MAX, Standing, SyncAnswer};
use cabas_protocol::{CardRef, Hash, PolicyId, PurseRef, Signed, Timestamp, Verified, Version};
use minicbor::bytes::ByteVec;
use rusqlite::{OptionalExtension as _, params};
use std::sync::Arc;

/// How old the time in the file may become before it is written again without another reason.
const ANCHOR_S_MAX: u64 = 600;

/// A verified answer of the hub, and what was verified of its objects.
#[derive(Debug)]
pub struct Inbound {
    /// The cursor that was asked with.
    pub asked_cursor: u64,
    /// The answer.
    pub answer: Verified<SyncAnswer>,
    /// Its objects.
    pub objects: Vec<HubObject>,
    /// What was wrong with the others.
    pub alarms: Vec<Alarm>,
}

/// What an answer did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Applied {
    /// What somebody has to look at, and did not stand on the screen already.
    pub alarms: Vec<Alarm>,
    /// Objects that changed something.
    pub taken: u32,
    /// False where the answer came from an older life of the hub, and nothing of it was believed.
    pub believed: bool,
}

/// Where a page of balances ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HeldKey(PurseRef, u8);

/// Signed balances that are handed back after the hub asked for them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HeldPage {
    /// Where the next page starts.
    pub last: Option<HeldKey>,
    /// The balances, as the hub signed them.
    pub balances: Vec<ByteVec>,
    /// With the last page: what is known as blocked here.
    pub list: Option<HeldList>,
    /// True where no page follows.
    pub is_end: bool,
}

/// What the next request carries.
#[derive(Debug)]
pub struct Unsent {
    /// Where the rows start.
    pub base: ChainHead,
    /// Signed rows, dense.
    pub rows: Vec<ByteVec>,
    /// What is kept at hand, as of the same moment.
    pub state: Arc<State>,
}

impl Journal {
    /// The rows that the hub does not have, a batch of them.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn unsent(&mut self) -> Result<Unsent, JournalError> {
        let state = self.state();
        let base = state.hub.acked;
        let rows = self.read(|db, _| {
            let mut select = db.prepare_cached("SELECT bytes FROM rows WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
            let rows = select.query_map(params![base.seq.get(), ROWS_MAX], |row| row.get::<_, Vec<u8>>(0))?;
            Ok(rows.map(|row| row.map(ByteVec::from)).collect::<Result<Vec<_>, _>>()?)
        })?;
        Ok(Unsent { base, rows, state })
    }

    /// Signed balances held, the page after `after`; with the last one the hot list.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn held_after(&mut self, after: Option<HeldKey>) -> Result<HeldPage, JournalError> {
        let state = Arc::clone(&self.state);
        self.read(|db, _| {
            let mut select = db.prepare_cached(
                "SELECT purse, scope, bytes FROM balances WHERE (purse, scope) > (?1, ?2) ORDER BY purse, scope",
            )?;
            let (purse, scope) =
                after.map_or((Vec::new(), 0), |HeldKey(purse, scope)| (purse.as_bytes().to_vec(), scope));
            let held = select.query_map(params![purse, scope], |row| {
                Ok((HeldKey(PurseRef::new(row.get(0)?), row.get(1)?), ByteVec::from(row.get::<_, Vec<u8>>(2)?)))
            })?;
            let mut page = HeldPage { last: after, balances: Vec::new(), list: None, is_end: true };
            for balance in held {
                let (key, bytes) = balance?;
                page.last = Some(key);
                // What is void the hub would not believe.
                if !state.is_void(&bytes) {
                    page.balances.push(bytes);
                }
                // A page that is not full is the last one, on the wire too.
                if page.balances.len() == OBJECTS_MAX {
                    page.is_end = false;
                    break;
                }
            }
            if page.is_end {
                let mut select = db.prepare_cached("SELECT ref FROM hot WHERE kind = 1 ORDER BY ref")?;
                let cards = select.query_map([], |row| row.get(0).map(CardRef::new))?.collect::<Result<_, _>>()?;
                page.list = Some(HeldList { version: state.hub.hot_list, cards });
            }
            Ok(page)
        })
    }

    /// Takes over an answer of the hub, in one transaction.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn apply(&mut self, now: Moment, inbound: &Inbound) -> Result<Applied, JournalError> {
        let answer = inbound.answer.payload();
        if inbound.objects.is_empty() && inbound.alarms.is_empty() && self.only_time_passed(inbound) {
            let mut state = State::clone(&self.state);
            note_time(&mut state, now, &answer.head, answer.time, !answer.more);
            self.state = Arc::new(state);
            return Ok(Applied { alarms: Vec::new(), taken: 0, believed: true });
        }
        self.write(now, |writer| writer.apply(inbound))
    }

    /// Takes over a single balance that `extend` brought.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn apply_balance(
        &mut self,
        now: Moment,
        balance: (Signed<SignedBalance>, Verified<SignedBalance>),
    ) -> Result<Applied, JournalError> {
        self.write(now, |writer| {
            let mut applied = Applied { alarms: Vec::new(), taken: 0, believed: true };
            writer.take(&HubObject::Balance(balance.0, balance.1), &mut applied)?;
            writer.finish(applied)
        })
    }

    /// The hub says that this enrolment may not sell.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn set_standing(&mut self, now: Moment, standing: Standing) -> Result<(), JournalError> {
        if self.state.hub.standing == standing {
            return Ok(());
        }
        tracing::error!(?standing, "the hub says that this terminal may not sell");
        self.write(now, |writer| {
            writer.state.hub.standing = standing;
            store_hub(writer.tx, &writer.state.hub)
        })
    }

    /// True where an answer says nothing but what time it is, and the time in the file is young enough.
    fn only_time_passed(&self, inbound: &Inbound) -> bool {
        let (hub, answer) = (&self.state.hub, inbound.answer.payload());
        let same_life = life_of(&answer.head) == hub.life;
        let same = answer.acked == hub.acked && answer.cursor == hub.cursor && answer.standing == hub.standing;
        let old = answer.time.since_s(hub.ratchet) > ANCHOR_S_MAX;
        same_life && same && answer.backed_up == hub.backed_up && !old && hub.checked_at.is_some()
    }
}

fn life_of(head: &Head) -> HubLife {
    HubLife { incarnation: head.incarnation, time_epoch: head.time_epoch }
}

/// Turns the ratchet and ties this moment to hub time. In memory alone the ratchet stands still, so that what is in the
/// file grows old and is written again.
fn note_time(state: &mut State, now: Moment, head: &Head, time: Timestamp, checked: bool) {
    let seen = Ratchet { time_epoch: head.time_epoch, time };
    let Some(turned) = state.hub.ratchet().turn(seen) else { return };
    if turned.time > time {
        tracing::warn!(hub.time = %time, latest = %turned.time, "the hub's clock went back; its later time is kept");
    }
    state.hub.anchor = Anchor { at: now, time: turned.time, synced: true };
    if checked {
        state.hub.checked_at = Some(turned.time);
    }
}

impl Writer<'_> {
    fn apply(&mut self, inbound: &Inbound) -> Result<Applied, JournalError> {
        let answer = inbound.answer.payload();
        let mut applied = Applied { alarms: inbound.alarms.clone(), taken: 0, believed: true };
        let life = life_of(&answer.head);
        if !self.state.hub.life.believes(life) {
            applied.believed = false;
            applied.alarms.push(Alarm::NotGenuine { why: String::from("the answer of an older life of the hub") });
            return self.finish(applied);
        }
        let configured = self.configured();
        for object in &inbound.objects {
            self.take(object, &mut applied)?;
        }
        self.take_acknowledgement(answer, &mut applied)?;
        let gap = applied.alarms.iter().any(|alarm| matches!(alarm, Alarm::ListGap { .. }));
        note_time(self.state, self.now, &answer.head, answer.time, !answer.more && !gap);
        let hub = &mut self.state.hub;
        if let Some(turned) = hub.ratchet().turn(Ratchet { time_epoch: life.time_epoch, time: answer.time }) {
            hub.ratchet = turned.time;
        }
        // An answer to an older question must not move the cursor; what it brought was taken all the same.
        if inbound.asked_cursor == hub.cursor || life != hub.life {
            // A step of the hot list that does not fit: everything is asked for again, once.
            hub.cursor = if gap && inbound.asked_cursor != 0 { 0 } else { answer.cursor };
        }
        hub.life = life;
        if self.configured() != configured {
            let row = self.configured();
            self.append(RowBody::Configured(row), None)?;
        }
        self.finish(applied)
    }

    fn finish(&mut self, mut applied: Applied) -> Result<Applied, JournalError> {
        applied.alarms = self.note_alarms(applied.alarms)?;
        store_hub(self.tx, &self.state.hub)?;
        Ok(applied)
    }

    fn configured(&self) -> Configured {
        Configured {
            config: self.state.config.as_ref().map_or(Version::new(0), |config| config.version),
            grid: self.state.grids.iter().map(|grid| grid.version).max().unwrap_or_default(),
            policy: self.state.policy.as_ref().map_or(PolicyId::new(0), |policy| policy.id),
        }
    }

    /// The terminal goes on from what the hub has, whatever that is; unless it is not ours.
    fn take_acknowledgement(&mut self, answer: &SyncAnswer, applied: &mut Applied) -> Result<(), JournalError> {
        let acked = answer.acked;
        let genesis = self.state.id.genesis();
        let ours = if acked.seq == genesis.seq {
            Some(genesis.hash)
        } else {
            let mut select = self.tx.prepare_cached("SELECT hash FROM rows WHERE seq = ?1")?;
            select.query_row([acked.seq.get()], |row| Ok(Hash::new(row.get(0)?))).optional()?
        };
        let hub = &mut self.state.hub;
        hub.standing = answer.standing;
        let alarm = match ours {
            Some(hash) if hash == acked.hash => None,
            Some(_) => Some(Alarm::JournalForked { acked: acked.seq.get() }),
            None => Some(Alarm::JournalBehind { acked: acked.seq.get() }),
        };
        if let Some(alarm) = alarm {
            // The way out is a new enrolment; until then no sale is written on a past that the hub does not share.
            hub.standing = Standing::Quarantined;
            applied.alarms.push(alarm);
            return Ok(());
        }
        hub.acked = acked;
        hub.acked_totals = totals_at(self.tx, acked.seq)?;
        hub.backed_up = answer.backed_up;
        Ok(())
    }
}
