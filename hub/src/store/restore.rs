//! A hub that was restored from a backup: it signs and settles nothing until every open epoch has handed back what it
//! holds, was closed by two people, or is of a machine that is gone.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use cabas_protocol::keys::KeyCert;
use cabas_protocol::sync::Standing;
use cabas_protocol::{Epoch, Incarnation, Signed, TerminalId, Timestamp};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::backup::{beside, sync_folder};
use super::db::{Db, OpenMode};
use super::error::StoreError;
use super::model::Wake;
use super::sql::{Sql, col, col_opt};
use super::terminals::{EpochRecord, standing_number};
use super::tx::Tx;

/// By how much numbers jump at a restore, for each life since the backup's, so that nothing which terminals took after the
/// backup hides what comes now.
pub const RESTORE_GAP: u32 = 1_000;
/// Epochs that an error names.
const NAMED_MAX: usize = 10;

/// Where a restore puts what.
#[derive(Clone, Debug)]
pub struct RestorePlan<'p> {
    /// The backup.
    pub backup: &'p Path,
    /// The hub's database.
    pub database: &'p Path,
    /// The highest life of the hub that is known elsewhere.
    pub newest_life: Incarnation,
    /// Certificates that lie beside the keys: a key that was taken back after the backup stays so.
    pub certs: &'p [Signed<KeyCert>],
}

/// What a restore did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RestoreReport {
    /// The hub's life from here on.
    pub incarnation: Incarnation,
    /// The epochs that are to hand back what they hold.
    pub missing: Vec<(TerminalId, Epoch)>,
    /// Where the database that was there lies.
    pub moved_to: Option<PathBuf>,
}

/// Epochs that have not handed back what they hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Missing(pub Vec<(TerminalId, Epoch)>);

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, (terminal, epoch)) in self.0.iter().take(NAMED_MAX).enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}terminal {terminal} epoch {epoch}")?;
        }
        match self.0.len().checked_sub(NAMED_MAX) {
            Some(more @ 1..) => write!(f, " and {more} more"),
            Some(0) | None => Ok(()),
        }
    }
}

/// How a restore stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RestoreView {
    /// The life that it began.
    pub incarnation: Incarnation,
    /// When it began.
    pub restored_at: Timestamp,
    /// When every epoch had handed back or was closed.
    pub ended_at: Option<Timestamp>,
    /// Epochs that are missing.
    pub missing: Missing,
    /// The newest settlement in the backup.
    pub settlement: u32,
    /// False where nobody has said yet that no later settlement was paid.
    pub payments_checked: bool,
    /// Balances handed back whose purse is not in the backup.
    pub unplaced: u64,
    /// Cards that were blocked again, for terminals knew them as blocked after the backup.
    pub blocked_again: Vec<BlockedAgain>,
    /// Cards that terminals know as blocked, and the backup does not have.
    pub blocked_unknown: u64,
    /// Enrolments that are heard, but not what they know as blocked: their programs cannot tell, their answers were lost, or they are gone.
    pub lists_unheard: Vec<(TerminalId, Epoch)>,
}

/// A card that was blocked again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BlockedAgain {
    /// Its number.
    pub card: u32,
    /// The terminal that knew it as blocked.
    pub terminal: TerminalId,
}

/// Puts a backup in the place of the database, as a new life of the hub. A database that is there is moved away under a
/// name that says so; the caller has made sure that nobody uses it.
///
/// # Errors
/// [`StoreError::BadCopy`], [`StoreError::Foreign`], [`StoreError::Newer`], [`StoreError::NoFund`], [`StoreError::Io`]:
/// then the database that was there still is.
pub fn restore(plan: &RestorePlan<'_>, now: Timestamp) -> Result<RestoreReport, StoreError> {
    let there = plan.database.exists();
    let known = if there { life_of(plan.database).unwrap_or_default() } else { Incarnation::new(0) };
    let at_least = plan.newest_life.max(known);
    let working = beside(plan.database, "restoring");
    remove(&working)?;
    std::io::copy(&mut File::open(plan.backup)?, &mut OpenOptions::new().write(true).create_new(true).open(&working)?)?;
    let mut db = Db::open(&working, OpenMode::Existing)?;
    let verdict: String = db.conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(StoreError::BadCopy(verdict));
    }
    let (incarnation, missing) = db.write(|tx| {
        for cert in plan.certs {
            tx.key_certify(cert)?;
        }
        tx.life_begin(at_least, now)
    })?;
    db.conn.query_row("PRAGMA journal_mode = delete", [], |_| Ok(()))?;
    drop(db);
    File::open(&working)?.sync_all()?;
    let moved_to = if there { Some(move_away(plan.database, now)?) } else { None };
    std::fs::rename(&working, plan.database)?;
    sync_folder(plan.database)?;
    Ok(RestoreReport { incarnation, missing, moved_to })
}

/// The life that a database is of, where it can still be read.
fn life_of(database: &Path) -> Option<Incarnation> {
    let conn = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    conn.query_row("SELECT incarnation FROM fund", [], |row| col(row, 0)).ok()
}

/// The files of a database: itself, its log, its index.
const FILES: [&str; 3] = ["", "-wal", "-shm"];

fn file_of(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn remove(database: &Path) -> Result<(), StoreError> {
    for file in FILES.map(|suffix| file_of(database, suffix)).iter().filter(|file| file.exists()) {
        std::fs::remove_file(file)?;
    }
    Ok(())
}

fn move_away(database: &Path, now: Timestamp) -> Result<PathBuf, StoreError> {
    let to = beside(database, &format!("before-restore-{}", now.get()));
    if to.exists() {
        return Err(StoreError::BackupExists);
    }
    // The log goes first: a database without its log would look complete, and lack what was written last.
    for suffix in FILES.iter().rev() {
        let from = file_of(database, suffix);
        if from.exists() {
            std::fs::rename(from, file_of(&to, suffix))?;
        }
    }
    Ok(to)
}

impl Tx<'_> {
    /// Begins a new life of the hub on what a backup holds.
    fn life_begin(
        &mut self,
        newest_life: Incarnation,
        now: Timestamp,
    ) -> Result<(Incarnation, Vec<(TerminalId, Epoch)>), StoreError> {
        let of_backup = self.fund()?.incarnation;
        let life = of_backup.max(newest_life).get().checked_add(1).ok_or(StoreError::Exhausted("life of the hub"))?;
        // The same backup can be put back again: what a life between gave is not given again either.
        let lives = life.saturating_sub(of_backup.get());
        let jump = lives.checked_mul(RESTORE_GAP).ok_or(StoreError::Exhausted("life of the hub"))?;
        // A life that was still waiting in the backup may have ended since, and made serials jump: these go above them.
        let waiting = "SELECT ifnull(sum(jump), 0) FROM lives WHERE ended_at IS NULL";
        let waiting: u32 = self.conn.query_row(waiting, [], |row| row.get(0))?;
        let serial_jump = waiting.checked_add(jump).ok_or(StoreError::Exhausted("life of the hub"))?;
        // And what that life was still to hear of hot lists counts in this one, with what people said since.
        let still_out = "SELECT min(nullif(hot_list, 0)) FROM lives WHERE ended_at IS NULL";
        let still_out: Option<i64> = self.conn.query_row(still_out, [], |row| row.get(0))?;
        self.conn.execute("UPDATE fund SET incarnation = ?1", [life])?;
        self.conn.execute("UPDATE lives SET ended_at = ?1 WHERE ended_at IS NULL", [Sql(now)])?;
        self.conn.execute(
            "INSERT INTO lives (incarnation, restored_at, settlement, payments_checked, jump, hot_list, terminal_from, hot_list_from)
             VALUES (?1, ?2, (SELECT ifnull(max(number), 0) FROM settlements), 0, ?4, ifnull(?6, (SELECT version FROM hot_list)),
                max((SELECT ifnull(max(number), 0) FROM terminals) + 1, (SELECT ifnull(max(terminal_from), 1) FROM lives)) + ?3,
                max((SELECT version FROM hot_list), (SELECT ifnull(max(hot_list_from), 0) FROM lives),
                    min(?5, max((SELECT ifnull(max(hot_list), 0) FROM contacts),
                        (SELECT ifnull(max(list_applied), 0) FROM epochs)))) + ?3)",
            // A life that was lost since may have given the very numbers that the backup's life was to begin with.
            // What terminals tell must not drive the numbers to their end.
            params![life, Sql(now), jump, serial_jump, u32::MAX >> 1, still_out],
        )?;
        self.conn.execute("DELETE FROM hand_backs", [])?;
        if still_out.is_none() {
            // What was told of cards that are still to be imported again stands on no terminal's list any more.
            self.conn.execute("DELETE FROM held_blocks WHERE card IN (SELECT ref FROM cards)", [])?;
        }
        self.conn.execute("INSERT INTO hand_backs (epoch) SELECT number FROM epochs WHERE standing <> 3", [])?;
        // What a backup of another life covers is not covered in this one.
        self.conn.execute("UPDATE epochs SET backed_up_seq = 0, keys_confirmed = 0, cards_confirmed = 0", [])?;
        // Cards may carry balances that were sent after the backup and are not known here.
        self.conn.execute("UPDATE card_balances SET sure_from = NULL", [])?;
        self.renumber(jump, now)?;
        self.end_if_all_handed_back(now)?;
        let missing = self.missing()?;
        Ok((Incarnation::new(life), missing.0))
    }

    /// Gives what terminals take numbers above those that they may have taken after the backup.
    fn renumber(&mut self, jump: u32, now: Timestamp) -> Result<(), StoreError> {
        self.conn.execute("UPDATE cards SET version = version + ?1", [jump])?;
        self.conn.execute("UPDATE epochs SET config_version = config_version + ?1", [jump])?;
        let change = self.change_for_all()?;
        self.conn.execute(
            "INSERT INTO policies (id, sale_cents_max, plain_sale_cents_max, plain_day_cents_max, plain_list_age_s_max,
                part_payment, created_at, change)
             SELECT id + ?1, sale_cents_max, plain_sale_cents_max, plain_day_cents_max, plain_list_age_s_max,
                part_payment, ?2, ?3 FROM policies ORDER BY id DESC LIMIT 1",
            params![jump, Sql(now), Sql(change)],
        )?;
        // Those that decide on some day: what a newer one stands before everywhere would only grow with each restore.
        let grids = self
            .conn
            .prepare(
                "SELECT version FROM grids WHERE NOT EXISTS (SELECT 1 FROM grids AS newer WHERE newer.version > grids.version
                    AND newer.valid_from_day <= grids.valid_from_day AND (newer.shop IS NULL OR newer.shop IS grids.shop))
                 ORDER BY version",
            )?
            .query_map([], |row| row.get(0))?
            .collect::<Result<Vec<u32>, _>>()?;
        let newest: u32 = self.conn.query_row("SELECT ifnull(max(version), 0) FROM grids", [], |row| row.get(0))?;
        let mut version = newest.checked_add(jump).ok_or(StoreError::Exhausted("grid version"))?;
        for grid in grids {
            version = version.checked_add(1).ok_or(StoreError::Exhausted("grid version"))?;
            let change = self.change_for_all()?;
            self.conn.execute(
                "INSERT INTO grids (version, valid_from_day, created_at, change, shop)
                 SELECT ?2, valid_from_day, ?3, ?4, shop FROM grids WHERE version = ?1",
                params![grid, version, Sql(now), Sql(change)],
            )?;
            self.conn.execute(
                "INSERT INTO grid_categories (version, place, category, share_percent, label_fr, label_en)
                 SELECT ?2, place, category, share_percent, label_fr, label_en FROM grid_categories
                 WHERE version = ?1",
                params![grid, version],
            )?;
        }
        Ok(())
    }

    /// Refuses while the hub is being restored.
    pub(super) fn not_restoring(&self) -> Result<(), StoreError> {
        if self.is_restoring()? { Err(StoreError::Restoring(self.missing()?)) } else { Ok(()) }
    }

    /// True while the hub is being restored.
    pub(super) fn is_restoring(&self) -> Result<bool, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM lives WHERE ended_at IS NULL)")?;
        Ok(read.query_row([], |row| row.get(0))?)
    }

    fn missing(&self) -> Result<Missing, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT terminal, epochs.epoch FROM hand_backs JOIN epochs ON epochs.number = hand_backs.epoch
             WHERE done_at IS NULL ORDER BY terminal, epochs.epoch",
        )?;
        let missing = read.query_map([], |row| Ok((col(row, 0)?, col(row, 1)?)))?;
        Ok(Missing(missing.collect::<Result<_, _>>()?))
    }

    /// A machine that is gone hands back nothing: no restore waits for it, and should it turn up after all, it may not sell. Its rows are
    /// still taken. Nobody has its keys by that (who has them is told by revoking it). False where it is not asked for anything.
    ///
    /// # Errors
    /// [`StoreError::UnknownTerminal`] or [`StoreError::UnknownEpoch`]; [`StoreError::NotGone`] where it has called since.
    pub fn hands_back_no_more(
        &mut self,
        terminal: TerminalId,
        epoch: Epoch,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let record = self.epoch(terminal, epoch)?;
        if !record.to_hand_back {
            return Ok(false);
        }
        let calls = "SELECT EXISTS (SELECT 1 FROM contacts JOIN lives ON ended_at IS NULL WHERE epoch = ?1 AND contact_at >= restored_at)";
        if self.conn.query_row(calls, [Sql(record.number)], |row| row.get(0))? {
            return Err(StoreError::NotGone(terminal));
        }
        self.conn.execute(
            "UPDATE epochs SET standing = ?2 WHERE number = ?1 AND standing = ?3",
            params![Sql(record.number), standing_number(Standing::Revoked), standing_number(Standing::Live)],
        )?;
        self.wake(Wake::Terminal(terminal));
        self.hand_back_done(&record, now)?;
        tracing::warn!(
            terminal.id = %terminal, terminal.epoch = %epoch, at = %now,
            "an enrolment whose machine is gone hands back nothing, and may not sell any more"
        );
        Ok(true)
    }

    /// Notes that an epoch has handed back what it holds, or never will.
    pub(super) fn hand_back_done(&mut self, record: &EpochRecord, now: Timestamp) -> Result<(), StoreError> {
        let done = self.conn.execute(
            "UPDATE hand_backs SET done_at = ?2 WHERE epoch = ?1 AND done_at IS NULL",
            params![Sql(record.number), Sql(now)],
        )?;
        if done == 0 {
            return Ok(());
        }
        // A list of this life was kept from it: what it held before was to come back first.
        let change = self.change_for_all()?;
        self.conn.execute("UPDATE hot_list SET change = ?1", [Sql(change)])?;
        self.end_if_all_handed_back(now)
    }

    /// Ends the restore where nothing is missing: every balance is delivered anew, and free money is reserved again.
    fn end_if_all_handed_back(&mut self, now: Timestamp) -> Result<(), StoreError> {
        if !self.is_restoring()? || !self.missing()?.0.is_empty() {
            return Ok(());
        }
        self.jump_serials()?;
        self.conn.execute("UPDATE lives SET ended_at = ?1 WHERE ended_at IS NULL", [Sql(now)])?;
        // While it lasted, cursors went past balances and recalls that were not given.
        for (table, key) in [("slices", "id"), ("recalls", "slice")] {
            let moved = self.conn.execute(
                &format!(
                    "WITH places AS (SELECT {key}, row_number() OVER (ORDER BY {key}) AS place FROM {table})
                     UPDATE {table} SET change = (SELECT change FROM fund) + places.place FROM places
                     WHERE places.{key} = {table}.{key}"
                ),
                [],
            )?;
            let moved = u64::try_from(moved).map_err(|_| StoreError::Exhausted("change number"))?;
            self.conn.execute("UPDATE fund SET change = change + ?1", [Sql(moved)])?;
            let newest = format!("SELECT max(change) FROM {table} WHERE {table}.epoch = epochs.number");
            self.conn.execute(&format!("UPDATE epochs SET change = max(change, ifnull(({newest}), 0))"), [])?;
        }
        self.deliver_cards_anew()?;
        self.with_books(|books| self.book_carried(books, now))?;
        self.allocate_all()?;
        self.wake(Wake::All);
        tracing::info!("the restore has ended: every open epoch handed back what it holds, or was closed");
        Ok(())
    }

    /// Gives every balance that may still be sent a serial above all that may have been given after the backup and were not
    /// handed back: a copied terminal, a card or a machine that is gone may carry one. It allows what is known; a row that
    /// names a serial between is judged by it.
    fn jump_serials(&self) -> Result<(), StoreError> {
        let jump: u32 = self.conn.query_row("SELECT jump FROM lives WHERE ended_at IS NULL", [], |row| row.get(0))?;
        for (table, of_whom) in [
            ("slices", "epoch IN (SELECT number FROM epochs WHERE standing <> 3)"),
            ("card_balances", "id NOT IN (SELECT account FROM card_releases)"),
        ] {
            let of_whom = format!("{table}.serial > 0 AND {table}.{of_whom}");
            for work in [
                format!("INSERT INTO serial_jumps (slice, serial) SELECT id, serial + ?1 FROM {table} WHERE {of_whom}"),
                format!(
                    "INSERT INTO serials (slice, serial, allowed)
                     SELECT slice, {table}.serial + ?1, allowed FROM {table}
                     JOIN serials ON serials.slice = {table}.id AND serials.serial = {table}.serial WHERE {of_whom}"
                ),
                format!("UPDATE {table} SET serial = serial + ?1 WHERE {of_whom}"),
            ] {
                self.conn.execute(&work, [jump])?;
            }
        }
        Ok(())
    }

    /// The same for the balances of purse cards, which every terminal takes.
    fn deliver_cards_anew(&self) -> Result<(), StoreError> {
        let cards = self.conn.execute(
            "WITH places AS (SELECT id, row_number() OVER (ORDER BY id) AS place FROM card_balances)
             UPDATE card_balances SET change = (SELECT change FROM fund) + places.place FROM places
             WHERE places.id = card_balances.id",
            [],
        )?;
        if cards > 0 {
            let cards = u64::try_from(cards).map_err(|_| StoreError::Exhausted("change number"))?;
            let count = "UPDATE fund SET change = change + ?1, change_for_all = change + ?1";
            self.conn.execute(count, [Sql(cards)])?;
        }
        Ok(())
    }

    /// How the newest restore stands; nothing where the hub was never restored.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn restore_view(&self) -> Result<Option<RestoreView>, StoreError> {
        let read = "SELECT incarnation, restored_at, ended_at, settlement, payments_checked,
                (SELECT count(*) FROM held_unplaced) FROM lives ORDER BY incarnation DESC LIMIT 1";
        let missing = self.missing()?;
        let view = self.conn.query_row(read, [], |row| {
            Ok(RestoreView {
                incarnation: col(row, 0)?,
                restored_at: col(row, 1)?,
                ended_at: col_opt(row, 2)?,
                missing,
                settlement: row.get(3)?,
                payments_checked: row.get(4)?,
                unplaced: col(row, 5)?,
                blocked_again: Vec::new(),
                blocked_unknown: 0,
                lists_unheard: Vec::new(),
            })
        });
        let Some(view) = view.optional()? else { return Ok(None) };
        let mut read = self.conn.prepare_cached(
            "SELECT cards.number, terminal FROM held_blocks JOIN cards ON ref = card JOIN epochs ON epochs.number = held_blocks.epoch
             WHERE blocked = 1 ORDER BY terminal, cards.number",
        )?;
        let blocked = read.query_map([], |row| Ok(BlockedAgain { card: row.get(0)?, terminal: col(row, 1)? }))?;
        let unknown = "SELECT count(*) FROM held_blocks WHERE card NOT IN (SELECT ref FROM cards)";
        let blocked_unknown = self.conn.query_row(unknown, [], |row| col(row, 0))?;
        let mut read = self.conn.prepare_cached(
            "SELECT terminal, epochs.epoch FROM hand_backs JOIN epochs ON epochs.number = hand_backs.epoch
             WHERE done_at IS NOT NULL AND list_heard = 0 ORDER BY terminal, epochs.epoch",
        )?;
        let unheard = read.query_map([], |row| Ok((col(row, 0)?, col(row, 1)?)))?;
        let (blocked_again, lists_unheard) = (blocked.collect::<Result<_, _>>()?, unheard.collect::<Result<_, _>>()?);
        Ok(Some(RestoreView { blocked_again, blocked_unknown, lists_unheard, ..view }))
    }

    /// Somebody has compared the bank's statement with the settlements of the backup: nothing later was paid.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn payments_checked(&mut self) -> Result<(), StoreError> {
        self.conn.execute("UPDATE lives SET payments_checked = 1", [])?;
        Ok(())
    }

    /// Refuses to settle what may have been paid after the backup.
    pub(super) fn may_settle(&self) -> Result<(), StoreError> {
        self.not_restoring()?;
        match self.restore_view()? {
            Some(life) if !life.payments_checked => {
                Err(StoreError::PaymentsUnknown { restored_at: life.restored_at, settlement: life.settlement })
            }
            Some(_) | None => Ok(()),
        }
    }
}
