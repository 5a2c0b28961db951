//! Terminals and how their enrolments stand.

use cabas_protocol::release::Capability;
use cabas_protocol::row::ClockQuality;
use cabas_protocol::sync::{Standing, TerminalStatus};
use cabas_protocol::{ChainHead, Epoch, PublicKey, Seq, TerminalId, Timestamp};
use rusqlite::{OptionalExtension as _, Row, params};

use super::error::StoreError;
use super::model::{AlarmKind, AlarmView, Contact, EnrolmentView, Quarantine, TerminalKey, TerminalView, Wake};
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;
use crate::core::ledger::{EpochNo, ShopNo};

/// A contact that says nothing new is written this often, in seconds.
const CONTACT_EVERY_S: u64 = 60;
/// How often a terminal that begins to hand back is asked for its hot list.
const LIST_ASKS_MAX: u32 = 8;

/// An enrolment as the store works with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct EpochRecord {
    pub(super) number: EpochNo,
    pub(super) terminal: TerminalId,
    pub(super) epoch: Epoch,
    pub(super) key: PublicKey,
    pub(super) standing: Standing,
    pub(super) acked: ChainHead,
    pub(super) backed_up: Seq,
    pub(super) change: u64,
    pub(super) renew_at: Option<Timestamp>,
    pub(super) shop: ShopNo,
    /// True where the terminal has a newer enrolment.
    pub(super) superseded: bool,
    /// True where it has not handed back what it holds, after a restore.
    pub(super) to_hand_back: bool,
    /// The newest change of a signing key that its cursor has passed.
    pub(super) keys_confirmed: u64,
    /// True where its shop is open.
    pub(super) is_shop_open: bool,
}

impl EpochRecord {
    /// Slices are raised only where the terminal sells by this enrolment.
    pub(super) const fn may_be_raised(&self) -> bool {
        matches!(self.standing, Standing::Live) && !self.superseded
    }

    /// More money is laid there only while its shop is open, too.
    pub(super) const fn may_get_more(&self) -> bool {
        self.may_be_raised() && self.is_shop_open
    }
}

impl Tx<'_> {
    /// The key that signs a terminal's requests in an epoch, and how it stands.
    ///
    /// # Errors
    /// [`StoreError::UnknownTerminal`] or [`StoreError::UnknownEpoch`].
    pub fn terminal_key(&self, terminal: TerminalId, epoch: Epoch) -> Result<TerminalKey, StoreError> {
        let record = self.epoch(terminal, epoch)?;
        let EpochRecord { key, standing, acked, backed_up, to_hand_back, keys_confirmed, .. } = record;
        Ok(TerminalKey { key, standing, acked, backed_up, want_held: to_hand_back, keys_confirmed })
    }

    /// Whether a terminal is asked for its hot list with what it hands back: where it said that it can, and not each time it begins.
    /// A program from before, put back since, does not understand the question, and must come to hand back all the same.
    ///
    /// # Errors
    /// [`StoreError::UnknownTerminal`] or [`StoreError::UnknownEpoch`].
    pub fn wants_list(&mut self, terminal: TerminalId, epoch: Epoch, begins: bool) -> Result<bool, StoreError> {
        let record = self.epoch(terminal, epoch)?;
        if !record.to_hand_back || !self.can(record.number, Capability::HELD_LISTS)? {
            return Ok(false);
        }
        let count = "UPDATE hand_backs SET asks = asks + ?2 WHERE epoch = ?1 AND asks <= ?3";
        self.conn.execute(count, params![Sql(record.number), begins, LIST_ASKS_MAX])?;
        let read = "SELECT asks FROM hand_backs WHERE epoch = ?1";
        let asks: u32 = self.conn.query_row(read, [Sql(record.number)], |row| row.get(0))?;
        Ok(asks <= LIST_ASKS_MAX)
    }

    /// Notes the signing keys that a terminal has, and of which cards it has the newest keys, by the news it says it took.
    ///
    /// # Errors
    /// [`StoreError::UnknownTerminal`] or [`StoreError::UnknownEpoch`].
    pub fn keys_confirmed(&mut self, terminal: TerminalId, epoch: Epoch, cursor: u64) -> Result<u64, StoreError> {
        let record = self.epoch(terminal, epoch)?;
        self.cards_confirmed(&record, cursor)?;
        let mut read =
            self.conn.prepare_cached("SELECT ifnull(max(change), 0) FROM signing_keys WHERE change <= ?1")?;
        let newest: u64 = read.query_row([Sql(cursor)], |row| col(row, 0))?;
        if newest <= record.keys_confirmed {
            return Ok(record.keys_confirmed);
        }
        let note = "UPDATE epochs SET keys_confirmed = ?2 WHERE number = ?1";
        self.conn.prepare_cached(note)?.execute(params![Sql(record.number), Sql(newest)])?;
        Ok(newest)
    }

    /// Takes a terminal's right to sell: its open epochs are revoked, its codes void. Its rows are still taken.
    /// Says how many epochs that were.
    ///
    /// # Errors
    /// [`StoreError::UnknownTerminal`].
    pub fn terminal_revoke(&mut self, terminal: TerminalId, now: Timestamp) -> Result<u32, StoreError> {
        self.terminal_shop(terminal)?;
        self.void_codes(terminal)?;
        self.keys_end(terminal, None)?;
        let (live, quarantined) = (standing_number(Standing::Live), standing_number(Standing::Quarantined));
        let revoked = self.conn.execute(
            "UPDATE epochs SET standing = ?2 WHERE terminal = ?1 AND standing IN (?3, ?4)",
            params![Sql(terminal), standing_number(Standing::Revoked), live, quarantined],
        )?;
        self.wake(Wake::Terminal(terminal));
        tracing::warn!(terminal.id = %terminal, epochs.count = revoked, at = %now, "a terminal was revoked");
        u32::try_from(revoked).map_err(|_| StoreError::Exhausted("epoch"))
    }

    /// Every terminal, by number.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Damaged`].
    pub fn terminals(&self) -> Result<Vec<TerminalView>, StoreError> {
        let mut read = self.conn.prepare(
            "SELECT terminals.number, shops.code, shops.name,
                (SELECT max(expires_at) FROM enrolment_codes
                 WHERE terminal = terminals.number AND void = 0 AND used_by IS NULL AND tries_left > 0),
                (SELECT max(epoch) FROM epochs WHERE terminal = terminals.number)
             FROM terminals JOIN shops ON shops.number = terminals.shop ORDER BY terminals.number",
        )?;
        let mut rows = read.query([])?;
        let mut views = Vec::new();
        while let Some(row) = rows.next()? {
            let terminal = col(row, 0)?;
            let epoch: Option<Epoch> = col_opt(row, 4)?;
            let enrolment = epoch.map(|epoch| self.enrolment_view(terminal, epoch)).transpose()?;
            views.push(TerminalView {
                terminal,
                shop_code: row.get(1)?,
                shop_name: row.get(2)?,
                enrolment,
                code_expires_at: col_opt(row, 3)?,
            });
        }
        Ok(views)
    }

    /// An enrolment as the admin sees it.
    pub(super) fn enrolment_view(&self, terminal: TerminalId, epoch: Epoch) -> Result<EnrolmentView, StoreError> {
        let record = self.epoch(terminal, epoch)?;
        let mut read = self.conn.prepare_cached(
            "SELECT opened_at, quarantine, contact_at, current_at, program, wall, clock, hot_list, newest_seq,
                refused_unfunded, (SELECT at FROM abouts WHERE abouts.epoch = epochs.number)
             FROM epochs LEFT JOIN contacts ON contacts.epoch = epochs.number WHERE number = ?1",
        )?;
        let view = read.query_row([Sql(record.number)], |row| {
            let last_contact_at = col_opt(row, 2)?;
            Ok(EnrolmentView {
                epoch,
                standing: record.standing,
                quarantine: quarantine_of_number(row.get(1)?),
                opened_at: col(row, 0)?,
                acked: record.acked.seq,
                backed_up: record.backed_up,
                status: if last_contact_at.is_some() { Some(status(row, 4)?) } else { None },
                last_contact_at,
                current_at: col_opt(row, 3)?,
                alarms: Vec::new(),
                troubles: Vec::new(),
                told_at: col_opt(row, 10)?,
            })
        })?;
        Ok(EnrolmentView { alarms: self.alarms(record.number)?, troubles: self.troubles(record.number)?, ..view })
    }

    fn alarms(&self, epoch: EpochNo) -> Result<Vec<AlarmView>, StoreError> {
        let mut read = self
            .conn
            .prepare_cached("SELECT kind, count, first_at, last_at, seq FROM alarms WHERE epoch = ?1 ORDER BY kind")?;
        let mut rows = read.query([Sql(epoch)])?;
        let mut alarms = Vec::new();
        while let Some(row) = rows.next()? {
            let kind = alarm_of_number(row.get(0)?).ok_or(StoreError::Damaged("an alarm's kind"))?;
            let (count, first_at, last_at, seq) = (col(row, 1)?, col(row, 2)?, col(row, 3)?, col(row, 4)?);
            alarms.push(AlarmView { kind, count, first_at, last_at, seq });
        }
        Ok(alarms)
    }

    /// Counts an alarm.
    pub(super) fn alarm(
        &self,
        epoch: EpochNo,
        kind: AlarmKind,
        count: u64,
        seq: Seq,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut write = self.conn.prepare_cached(
            "INSERT INTO alarms (epoch, kind, count, first_at, last_at, seq) VALUES (?1, ?2, ?3, ?4, ?4, ?5)
             ON CONFLICT (epoch, kind) DO UPDATE SET count = count + ?3, last_at = ?4, seq = ?5",
        )?;
        write.execute(params![Sql(epoch), alarm_number(kind), Sql(count), Sql(now), Sql(seq)])?;
        Ok(())
    }

    /// Notes that a terminal called. Written at most once a minute, unless something about it changed.
    ///
    /// # Errors
    /// [`StoreError::UnknownTerminal`] or [`StoreError::UnknownEpoch`].
    pub fn contact(&mut self, contact: &Contact, now: Timestamp) -> Result<(), StoreError> {
        let epoch = self.epoch(contact.terminal, contact.epoch)?;
        let mut read = self.conn.prepare_cached(
            "SELECT program, wall, clock, hot_list, newest_seq, refused_unfunded, contact_at, current_at FROM contacts
             WHERE epoch = ?1",
        )?;
        let known: Option<(TerminalStatus, Timestamp, Option<Timestamp>)> = read
            .query_row([Sql(epoch.number)], |row| Ok((status(row, 0)?, col(row, 6)?, col_opt(row, 7)?)))
            .optional()?;
        let is_current = contact.cursor >= self.newest_change_for(&epoch)?;
        if let Some((status, contact_at, current_at)) = &known {
            let same = TerminalStatus { wall: contact.status.wall, ..status.clone() } == contact.status;
            let as_current = !is_current || current_at.is_some_and(|at| now.since_s(at) < CONTACT_EVERY_S);
            if same && as_current && now.since_s(*contact_at) < CONTACT_EVERY_S && now >= *contact_at {
                return Ok(());
            }
        }
        let current_at = if is_current { Some(now) } else { known.and_then(|(_, _, current_at)| current_at) };
        let status = &contact.status;
        let mut write = self.conn.prepare_cached(
            "INSERT OR REPLACE INTO contacts (epoch, contact_at, current_at, program, wall, clock, hot_list, newest_seq,
                refused_unfunded) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        write.execute(params![
            Sql(epoch.number),
            Sql(now),
            current_at.map(Sql),
            status.program,
            i64::try_from(status.wall.get()).unwrap_or(i64::MAX),
            clock_number(status.clock),
            Sql(status.hot_list),
            Sql(status.newest),
            status.refused_unfunded,
        ])?;
        Ok(())
    }

    /// The newest change of anything that an enrolment takes.
    pub(super) fn newest_change_for(&self, epoch: &EpochRecord) -> Result<u64, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT change_for_all FROM fund")?;
        let for_all: u64 = read.query_row([], |row| col(row, 0))?;
        Ok(for_all.max(epoch.change))
    }

    /// An enrolment by its number.
    pub(super) fn epoch_of(&self, number: EpochNo) -> Result<EpochRecord, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT terminal, epoch FROM epochs WHERE number = ?1")?;
        let (terminal, epoch) = read.query_row([Sql(number)], |row| Ok((col(row, 0)?, col(row, 1)?)))?;
        self.epoch(terminal, epoch)
    }

    /// An enrolment.
    pub(super) fn epoch(&self, terminal: TerminalId, epoch: Epoch) -> Result<EpochRecord, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT number, key, standing, acked_seq, acked_hash, backed_up_seq, change, renew_at,
                (SELECT shop FROM terminals WHERE terminals.number = epochs.terminal),
                (SELECT max(epoch) FROM epochs AS newer WHERE newer.terminal = epochs.terminal) > epoch,
                EXISTS (SELECT 1 FROM hand_backs WHERE hand_backs.epoch = epochs.number AND done_at IS NULL),
                keys_confirmed,
                EXISTS (SELECT 1 FROM joinings JOIN terminals ON terminals.shop = joinings.shop
                    WHERE terminals.number = epochs.terminal AND stage = 8)
             FROM epochs WHERE terminal = ?1 AND epoch = ?2",
        )?;
        let record = read.query_row(params![Sql(terminal), Sql(epoch)], |row| {
            Ok((
                row.get::<_, u8>(2)?,
                EpochRecord {
                    number: col(row, 0)?,
                    terminal,
                    epoch,
                    key: col(row, 1)?,
                    standing: Standing::Live,
                    acked: ChainHead { seq: col(row, 3)?, hash: col(row, 4)? },
                    backed_up: col(row, 5)?,
                    change: col(row, 6)?,
                    renew_at: col_opt(row, 7)?,
                    shop: col(row, 8)?,
                    superseded: row.get(9)?,
                    to_hand_back: row.get(10)?,
                    keys_confirmed: col(row, 11)?,
                    is_shop_open: row.get(12)?,
                },
            ))
        });
        match record.optional()? {
            Some((standing, record)) => {
                let standing = standing_of_number(standing).ok_or(StoreError::Damaged("an epoch's standing"))?;
                Ok(EpochRecord { standing, ..record })
            }
            None => {
                self.terminal_shop(terminal)?;
                Err(StoreError::UnknownEpoch { terminal, epoch })
            }
        }
    }

    /// An enrolment's key, and the newest of its rows that the ledger has.
    ///
    /// # Errors
    /// [`StoreError::UnknownTerminal`], [`StoreError::UnknownEpoch`].
    pub fn epoch_chain(&self, terminal: TerminalId, epoch: Epoch) -> Result<(PublicKey, ChainHead), StoreError> {
        let record = self.epoch(terminal, epoch)?;
        Ok((record.key, record.acked))
    }

    pub(super) fn terminal_shop(&self, terminal: TerminalId) -> Result<ShopNo, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT shop FROM terminals WHERE number = ?1")?;
        let shop = read.query_row([Sql(terminal)], |row| col(row, 0)).optional()?;
        shop.ok_or(StoreError::UnknownTerminal(terminal))
    }

    /// A shop's name stands in the configuration of its terminals.
    pub(super) fn shop_renamed(&mut self, code: &str) -> Result<(), StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT epochs.number, epochs.terminal FROM epochs
             JOIN terminals ON terminals.number = epochs.terminal JOIN shops ON shops.number = terminals.shop
             WHERE shops.code = ?1",
        )?;
        let epochs = read
            .query_map([code], |row| Ok((col::<EpochNo>(row, 0)?, col::<TerminalId>(row, 1)?)))?
            .collect::<Result<Vec<_>, _>>()?;
        for (number, terminal) in epochs {
            let change = self.next_change()?;
            self.conn.execute(
                "UPDATE epochs SET config_version = config_version + 1, config_change = ?2, change = ?2
                 WHERE number = ?1",
                params![Sql(number), Sql(change)],
            )?;
            self.wake(Wake::Terminal(terminal));
        }
        Ok(())
    }
}

fn status(row: &Row<'_>, from: usize) -> rusqlite::Result<TerminalStatus> {
    let at = |index: usize| from.saturating_add(index);
    Ok(TerminalStatus {
        program: row.get(from)?,
        wall: col(row, at(1))?,
        clock: clock_of_number(row.get(at(2))?),
        hot_list: col(row, at(3))?,
        newest: col(row, at(4))?,
        refused_unfunded: row.get(at(5))?,
    })
}

/// As on the wire (wire.md).
pub(super) const fn standing_number(standing: Standing) -> u8 {
    match standing {
        Standing::Live => 0,
        Standing::Quarantined => 1,
        Standing::Revoked => 2,
        Standing::Closed => 3,
    }
}

fn standing_of_number(number: u8) -> Option<Standing> {
    [Standing::Live, Standing::Quarantined, Standing::Revoked, Standing::Closed]
        .into_iter()
        .find(|standing| standing_number(*standing) == number)
}

const fn clock_number(quality: ClockQuality) -> u8 {
    match quality {
        ClockQuality::Unknown => 0,
        ClockQuality::Carried => 1,
        ClockQuality::Synced => 2,
    }
}

fn clock_of_number(number: u8) -> ClockQuality {
    match number {
        1 => ClockQuality::Carried,
        2 => ClockQuality::Synced,
        _ => ClockQuality::Unknown,
    }
}

pub(super) const fn quarantine_number(quarantine: Quarantine) -> u8 {
    match quarantine {
        Quarantine::Fork => 1,
        Quarantine::Gap => 2,
    }
}

fn quarantine_of_number(number: Option<u8>) -> Option<Quarantine> {
    [Quarantine::Fork, Quarantine::Gap].into_iter().find(|quarantine| Some(quarantine_number(*quarantine)) == number)
}

const fn alarm_number(kind: AlarmKind) -> u8 {
    match kind {
        AlarmKind::Fork => 1,
        AlarmKind::Gap => 2,
        AlarmKind::OverRight => 3,
        AlarmKind::FutureIncarnation => 4,
        AlarmKind::NotAuthentic => 5,
        AlarmKind::Split => 6,
        AlarmKind::CardProof => 7,
        AlarmKind::CopiedCard => 8,
    }
}

fn alarm_of_number(number: u8) -> Option<AlarmKind> {
    [
        AlarmKind::Fork,
        AlarmKind::Gap,
        AlarmKind::OverRight,
        AlarmKind::FutureIncarnation,
        AlarmKind::NotAuthentic,
        AlarmKind::Split,
        AlarmKind::CardProof,
        AlarmKind::CopiedCard,
    ]
    .into_iter()
    .find(|kind| alarm_number(*kind) == number)
}
