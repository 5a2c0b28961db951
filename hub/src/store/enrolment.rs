//! Terminals come, prove a code, and get an epoch.

use cabas_protocol::chain::ChainId;
use cabas_protocol::enrol::{CodeKeys, TRIES_MAX};
use cabas_protocol::{Epoch, PublicKey, TerminalId, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::error::{EnrolRefusal, StoreError};
use super::model::{Enrolled, EnrolmentCode};
use super::restore::RESTORE_GAP;
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;
use crate::core::ledger::EpochNo;

/// A new code for a terminal.
#[derive(Clone, Debug)]
pub struct NewCode {
    /// The part that names the enrolment.
    pub locator: String,
    /// The keys of the code.
    pub keys: CodeKeys,
    /// When it expires.
    pub expires_at: Timestamp,
}

impl Tx<'_> {
    /// Makes a terminal for a shop, with a code for its first epoch.
    ///
    /// # Errors
    /// [`StoreError::UnknownShop`]; [`StoreError::LocatorTaken`] (make another code).
    pub fn terminal_add(&mut self, shop_code: &str, code: &NewCode, now: Timestamp) -> Result<TerminalId, StoreError> {
        self.shop_is_open(shop_code)?;
        let shop: Option<i64> = self
            .conn
            .query_row("SELECT number FROM shops WHERE code = ?1", [shop_code], |row| row.get(0))
            .optional()?;
        let shop = shop.ok_or(StoreError::UnknownShop)?;
        let add = "INSERT INTO terminals (number, shop, created_at) VALUES (
                max((SELECT ifnull(max(number), 0) + 1 FROM terminals), (SELECT ifnull(max(terminal_from), 1) FROM lives)),
                ?1, ?2) RETURNING number";
        let terminal = self.conn.query_row(add, params![shop, Sql(now)], |row| col(row, 0))?;
        self.terminal_code(terminal, code, now)?;
        Ok(terminal)
    }

    /// Gives a terminal a code for its next epoch; its older unused codes are void.
    ///
    /// # Errors
    /// [`StoreError::UnknownTerminal`]; [`StoreError::LocatorTaken`] (make another code).
    pub fn terminal_code(&mut self, terminal: TerminalId, code: &NewCode, now: Timestamp) -> Result<(), StoreError> {
        let shop = self.terminal_shop(terminal)?;
        let shop: String =
            self.conn.query_row("SELECT code FROM shops WHERE number = ?1", [Sql(shop)], |row| row.get(0))?;
        self.shop_is_open(&shop)?;
        self.void_codes(terminal)?;
        let added = self.conn.execute(
            "INSERT INTO enrolment_codes (locator, terminal, keys, tries_left, expires_at, void, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6) ON CONFLICT (locator) DO NOTHING",
            params![
                code.locator,
                Sql(terminal),
                code.keys.expose().as_slice(),
                TRIES_MAX,
                Sql(code.expires_at),
                Sql(now)
            ],
        )?;
        if added == 1 { Ok(()) } else { Err(StoreError::LocatorTaken) }
    }

    pub(super) fn void_codes(&self, terminal: TerminalId) -> Result<(), StoreError> {
        let void = "UPDATE enrolment_codes SET void = 1 WHERE terminal = ?1 AND used_by IS NULL";
        self.conn.execute(void, [Sql(terminal)])?;
        Ok(())
    }

    /// What the hub keeps of a code. [`EnrolmentCode::usable`] says whether it still enrols a key.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn enrolment_lookup(&self, locator: &str) -> Result<Option<EnrolmentCode>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT terminal, keys, tries_left, expires_at, void, used_by, epoch FROM enrolment_codes
             WHERE locator = ?1",
        )?;
        let code = read.query_row([locator], |row| {
            let used_by: Option<PublicKey> = col_opt(row, 5)?;
            let epoch: Option<Epoch> = col_opt(row, 6)?;
            Ok(EnrolmentCode {
                terminal: col(row, 0)?,
                keys: CodeKeys::of_stretched(row.get(1)?),
                tries_left: row.get(2)?,
                expires_at: col(row, 3)?,
                void: row.get(4)?,
                used_by: used_by.zip(epoch),
            })
        });
        Ok(code.optional()?)
    }

    /// Counts a wrong proof and says how many tries are left; at 0 the code is void.
    ///
    /// # Errors
    /// [`EnrolRefusal::WrongCode`] where there is no such code.
    pub fn enrolment_try_failed(&mut self, locator: &str) -> Result<u32, StoreError> {
        let count = "UPDATE enrolment_codes SET tries_left = max(tries_left - 1, 0) WHERE locator = ?1
             RETURNING tries_left";
        let left = self.conn.query_row(count, [locator], |row| row.get(0)).optional()?;
        Ok(left.ok_or(EnrolRefusal::WrongCode)?)
    }

    /// Opens the next epoch of the code's terminal for a key whose proof fits. Repeated with the same code and key it
    /// gives the same epoch, however late. It closes nothing: the rows of older epochs are still taken.
    ///
    /// # Errors
    /// [`StoreError::Enrol`].
    pub fn enrol(&mut self, locator: &str, key: &PublicKey, now: Timestamp) -> Result<Enrolled, StoreError> {
        let code = self.enrolment_lookup(locator)?.ok_or(EnrolRefusal::WrongCode)?;
        code.usable(key, now)?;
        let terminal = code.terminal;
        if let Some((_, epoch)) = code.used_by {
            return Ok(Enrolled { terminal, epoch });
        }
        let epoch = self.open_epoch(terminal, key, now)?;
        self.conn.execute(
            "UPDATE enrolment_codes SET used_by = ?2, epoch = ?3 WHERE locator = ?1",
            params![locator, Sql(*key), Sql(epoch)],
        )?;
        self.allocate_all()?;
        self.allocate_pending(now)?;
        Ok(Enrolled { terminal, epoch })
    }

    fn open_epoch(&mut self, terminal: TerminalId, key: &PublicKey, now: Timestamp) -> Result<Epoch, StoreError> {
        let newest: Option<Epoch> =
            self.conn.query_row("SELECT max(epoch) FROM epochs WHERE terminal = ?1", [Sql(terminal)], |row| {
                col_opt(row, 0)
            })?;
        let next = newest.unwrap_or_default().next().ok_or(StoreError::Exhausted("epoch"))?;
        // After a restore there may be epochs that the backup did not have: their numbers are not used again.
        let lives_before = self.fund()?.incarnation.get().saturating_sub(1);
        let epoch = next.max(Epoch::new(lives_before.saturating_mul(RESTORE_GAP).saturating_add(1)));
        let last: u32 = self.conn.query_row("SELECT ifnull(max(number), 0) FROM epochs", [], |row| row.get(0))?;
        let number = last.checked_add(1).and_then(EpochNo::new).ok_or(StoreError::Exhausted("epoch number"))?;
        self.keys_end(terminal, None)?;
        let genesis = ChainId { fund: self.fund()?.fund, terminal, epoch }.genesis(key);
        let change = self.next_change()?;
        self.conn.execute(
            "INSERT INTO epochs (number, terminal, epoch, key, opened_at, standing, acked_seq, acked_hash,
                backed_up_seq, settled_seq, change, config_version, config_change, keys_confirmed)
             VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, ?6, 0, 0, ?7, 1, ?7, (SELECT max(change) FROM signing_keys))",
            params![Sql(number), Sql(terminal), Sql(epoch), Sql(*key), Sql(now), Sql(genesis.hash), Sql(change)],
        )?;
        Ok(epoch)
    }
}
