//! Reading what is kept at hand from the file, and writing what is known of the hub.

use super::close::load_periods;
use super::doubts::load_doubts;
use super::error::JournalError;
use super::state::{AlarmNote, HubView, Identity, Newest, State, Totals};
use crate::core::ages::{Anchor, Moment};
use crate::core::objects::HubLife;
use cabas_protocol::chain::ChainHead;
use cabas_protocol::enrol::{EnrolAnswer, EnrolRequest};
use cabas_protocol::head::ObjectType;
use cabas_protocol::ids::BootId;
use cabas_protocol::keys::{HubKeys, KeyCert};
use cabas_protocol::objects::{Grid, Policy, TerminalConfig};
use cabas_protocol::sign::Payload;
use cabas_protocol::sync::Standing;
use cabas_protocol::{Cents, Hash, Incarnation, Row, Seq, Signed, Stan, TimeEpoch, Timestamp, Version};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::sync::Arc;

impl State {
    /// Reads everything from the file; bounded, however long the journal is.
    pub(super) fn load(db: &Connection) -> Result<Self, JournalError> {
        let (id, certs) = load_identity(db)?;
        let mut keys = HubKeys::new(id.fund, id.root);
        for cert in certs.into_iter().chain(documents::<KeyCert>(db)?) {
            keys.certify(&cert)?;
        }
        let read = |signed: Vec<Signed<Policy>>| signed.first().map(|policy| policy.read_trusted(id.fund)).transpose();
        let policy = read(documents(db)?)?.map(|policy| Arc::new(policy.into_payload()));
        let config = documents::<TerminalConfig>(db)?.first().map(|config| config.read_trusted(id.fund)).transpose()?;
        let grids: Result<Vec<Grid>, _> = documents::<Grid>(db)?
            .iter()
            .map(|grid| grid.read_trusted(id.fund).map(cabas_protocol::Verified::into_payload))
            .collect();
        let newest = load_newest(db, &id)?;
        let mut hub = load_hub(db)?;
        hub.acked_totals = totals_at(db, hub.acked.seq)?;
        Ok(Self {
            keys: Arc::new(keys),
            newest,
            hub,
            policy,
            grids: Arc::new(grids?),
            config: config.map(|config| Arc::new(config.into_payload())),
            balances: count_balances(db)?,
            alarms: Arc::new(load_alarms(db)?),
            doubts: Arc::new(load_doubts(db)?),
            reserved: None,
            cashier: super::cashier::load_cashier(db, id.fund)?,
            training: super::cashier::load_training(db, id.fund)?,
            periods: load_periods(db, newest.totals)?,
            id: Arc::new(id),
        })
    }
}

pub(super) fn count_balances(db: &Connection) -> Result<u32, JournalError> {
    Ok(db.query_row("SELECT count(*) FROM balances", [], |row| row.get(0))?)
}

pub(super) fn load_alarms(db: &Connection) -> Result<Vec<AlarmNote>, JournalError> {
    let mut select = db.prepare_cached("SELECT at, text FROM alarms ORDER BY id DESC")?;
    let notes = select.query_map([], |row| Ok(AlarmNote { at: Timestamp::new(row.get(0)?), text: row.get(1)? }))?;
    Ok(notes.collect::<Result<_, _>>()?)
}

/// The stored documents of a type, newest first.
pub(super) fn documents<T: Payload>(db: &Connection) -> Result<Vec<Signed<T>>, JournalError> {
    let mut select = db.prepare_cached("SELECT bytes FROM documents WHERE type = ?1 ORDER BY id DESC")?;
    let rows = select.query_map([type_number(T::TYPE)], |row| row.get::<_, Vec<u8>>(0))?;
    let mut found = Vec::new();
    for bytes in rows {
        found.push(Signed::from_bytes(bytes?).map_err(cabas_protocol::sign::SignError::from)?);
    }
    Ok(found)
}

/// The number of an object type in `protocol/wire.md` §3.
pub(super) fn type_number(of: ObjectType) -> i64 {
    match of {
        ObjectType::Policy => 4,
        ObjectType::Grid => 5,
        ObjectType::TerminalConfig => 6,
        ObjectType::KeyCert => 7,
        ObjectType::Balance
        | ObjectType::Binding
        | ObjectType::HotList
        | ObjectType::Row
        | ObjectType::EnrolRequest
        | ObjectType::EnrolAnswer
        | ObjectType::SyncRequest
        | ObjectType::SyncAnswer
        | ObjectType::ExtendRequest
        | ObjectType::ExtendAnswer
        | ObjectType::CardSessionRequest
        | ObjectType::CardSessionAnswer
        | ObjectType::Recall
        | ObjectType::RefundDecision
        | ObjectType::SlotKey
        | ObjectType::SettlementStatement
        | ObjectType::EReceipt
        | ObjectType::Release
        | ObjectType::AboutRequest
        | ObjectType::AboutAnswer
        | ObjectType::PieceRequest
        | ObjectType::PieceAnswer
        | ObjectType::Refusal => 0,
    }
}

/// Reads the enrolment from the file; what vouches for it is checked by `journal verify`, not at each start.
pub(super) fn load_identity(db: &Connection) -> Result<(Identity, Vec<Signed<KeyCert>>), JournalError> {
    let parts = db
        .query_row("SELECT enrol_request, enrol_answer, hub_url FROM identity", [], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, String>(2)?))
        })
        .optional()?;
    let (request, answer, hub_url) = parts.ok_or(JournalError::Inconsistent("it has no enrolment"))?;
    let form = cabas_protocol::sign::SignError::from;
    let request = Signed::<EnrolRequest>::from_bytes(request).map_err(form)?.peek()?;
    let answer = Signed::<EnrolAnswer>::from_bytes(answer).map_err(form)?.peek()?;
    let certs: Result<Vec<_>, _> =
        answer.certs.iter().map(|cert| Signed::from_bytes(cert.to_vec()).map_err(form)).collect();
    let id = Identity {
        fund: answer.head.fund,
        terminal: answer.terminal,
        epoch: answer.epoch,
        root: answer.root,
        key: request.key,
        hub_url,
    };
    Ok((id, certs?))
}

fn load_newest(db: &Connection, id: &Identity) -> Result<Newest, JournalError> {
    let found = db
        .query_row(
            "SELECT seq, hash, stan, sales, fund_cents, member_cents, reversed_cents, refund_cents, bytes FROM rows \
             ORDER BY seq DESC LIMIT 1",
            [],
            |row| {
                Ok((
                    ChainHead { seq: Seq::new(row.get(0)?), hash: Hash::new(row.get(1)?) },
                    row.get::<_, u32>(2)?,
                    totals_of(row, 3)?,
                    row.get::<_, Vec<u8>>(8)?,
                ))
            },
        )
        .optional()?;
    let Some((chain, stan, totals, bytes)) = found else {
        return Ok(Newest { chain: id.genesis(), moment: None, stan: None, totals: Totals::default() });
    };
    let signed = Signed::<Row>::from_bytes(bytes).map_err(cabas_protocol::sign::SignError::from)?;
    let row = signed.verify(&id.key, id.fund)?;
    let time = row.payload().time;
    if row.hash() != chain.hash || row.payload().seq != chain.seq {
        return Err(JournalError::Inconsistent("the newest row is not the one that was written"));
    }
    let moment = Moment { boot: time.boot, monotonic_ms: time.monotonic_ms, wall: time.wall };
    Ok(Newest { chain, moment: Some(moment), stan: Stan::new(stan), totals })
}

/// Five columns in a row: sales, fund_cents, member_cents, reversed_cents, refund_cents.
pub(super) fn totals_of(row: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<Totals> {
    Ok(Totals {
        sales: row.get(first)?,
        fund: cents_of(row, first.saturating_add(1))?,
        member: cents_of(row, first.saturating_add(2))?,
        reversed: cents_of(row, first.saturating_add(3))?,
        refunds: cents_of(row, first.saturating_add(4))?,
    })
}

/// An amount from a column.
pub(super) fn cents_of(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Cents> {
    let cents: u64 = row.get(column)?;
    Cents::new(cents).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Integer, Box::new(error))
    })
}

/// The sums up to a row.
pub(super) fn totals_at(db: &Connection, seq: Seq) -> Result<Totals, JournalError> {
    let mut select = db.prepare_cached(
        "SELECT sales, fund_cents, member_cents, reversed_cents, refund_cents FROM rows WHERE seq = ?1",
    )?;
    Ok(select.query_row([seq.get()], |row| totals_of(row, 0)).optional()?.unwrap_or_default())
}

fn load_hub(db: &Connection) -> Result<HubView, JournalError> {
    let read = |row: &rusqlite::Row<'_>| {
        let at = Moment {
            boot: BootId::new(row.get("anchor_boot")?),
            monotonic_ms: row.get("anchor_ms")?,
            wall: Timestamp::new(row.get("anchor_wall")?),
        };
        let time = Timestamp::new(row.get("anchor_time")?);
        Ok(HubView {
            life: HubLife {
                incarnation: Incarnation::new(row.get("incarnation")?),
                time_epoch: TimeEpoch::new(row.get("time_epoch")?),
            },
            ratchet: Timestamp::new(row.get("ratchet")?),
            cursor: row.get("cursor")?,
            acked: ChainHead { seq: Seq::new(row.get("acked_seq")?), hash: Hash::new(row.get("acked_hash")?) },
            acked_totals: Totals::default(),
            backed_up: Seq::new(row.get("backed_up")?),
            standing: standing_of(row.get("standing")?),
            hot_list: Version::new(row.get("hot_list")?),
            checked_at: row.get::<_, Option<u64>>("checked_at")?.map(Timestamp::new),
            anchor: Anchor { at, time, synced: row.get("anchor_synced")? },
        })
    };
    let found = db.query_row("SELECT * FROM hub", [], read).optional()?;
    found.ok_or(JournalError::Inconsistent("it knows no hub"))
}

/// Writes what is known of the hub.
pub(super) fn store_hub(db: &Connection, hub: &HubView) -> Result<(), JournalError> {
    let mut replace = db.prepare_cached(
        "INSERT INTO hub (one, incarnation, time_epoch, ratchet, cursor, acked_seq, acked_hash, backed_up, standing, \
         hot_list, checked_at, anchor_boot, anchor_ms, anchor_wall, anchor_time, anchor_synced) \
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) \
         ON CONFLICT (one) DO UPDATE SET incarnation = ?1, time_epoch = ?2, ratchet = ?3, cursor = ?4, acked_seq = ?5, \
         acked_hash = ?6, backed_up = ?7, standing = ?8, hot_list = ?9, checked_at = ?10, anchor_boot = ?11, \
         anchor_ms = ?12, anchor_wall = ?13, anchor_time = ?14, anchor_synced = ?15",
    )?;
    let Anchor { at, time, synced } = hub.anchor;
    replace.execute(params![
        hub.life.incarnation.get(),
        hub.life.time_epoch.get(),
        hub.ratchet.get(),
        hub.cursor,
        hub.acked.seq.get(),
        hub.acked.hash.as_bytes(),
        hub.backed_up.get(),
        standing_number(hub.standing),
        hub.hot_list.get(),
        hub.checked_at.map(Timestamp::get),
        at.boot.as_bytes(),
        at.monotonic_ms,
        at.wall.get(),
        time.get(),
        synced,
    ])?;
    Ok(())
}

const fn standing_number(standing: Standing) -> u8 {
    match standing {
        Standing::Live => 0,
        Standing::Quarantined => 1,
        Standing::Revoked => 2,
        Standing::Closed => 3,
    }
}

/// A number that is not known never sells.
const fn standing_of(number: u8) -> Standing {
    match number {
        0 => Standing::Live,
        2 => Standing::Revoked,
        3 => Standing::Closed,
        _ => Standing::Quarantined,
    }
}
