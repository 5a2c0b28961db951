//! What an admin and the metrics look at.

use cabas_protocol::{Cents, Seq};
use rusqlite::{OptionalExtension as _, params};

use super::debts::owed;
use super::error::StoreError;
use super::ledger::newest_transfer;
use super::model::{FlaggedRow, PurseView, SliceView, StoreFigures, TrialLine};
use super::sql::{Sql, col};
use super::tx::Tx;
use crate::core::ledger::{AccountId, AccountKind, OverRight, PurseNo};

impl Tx<'_> {
    /// The sums of each kind of account: all debits are all credits.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn trial_balance(&self) -> Result<Vec<TrialLine>, StoreError> {
        let mut read = self
            .conn
            .prepare("SELECT id >> 56, count(*), sum(debits), sum(credits) FROM accounts GROUP BY 1 ORDER BY 1")?;
        let mut rows = read.query([])?;
        let mut lines = Vec::new();
        while let Some(row) = rows.next()? {
            let kind = AccountKind::of_number(row.get(0)?).ok_or(StoreError::Damaged("an account's kind"))?;
            let (accounts, debits, credits) = (col(row, 1)?, col(row, 2)?, col(row, 3)?);
            lines.push(TrialLine { kind, accounts, debits, credits });
        }
        Ok(lines)
    }

    /// Numbers for `/metrics`.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn figures(&self) -> Result<StoreFigures, StoreError> {
        let standing = |number: u8| -> Result<u64, StoreError> {
            let mut read = self.conn.prepare_cached(
                "SELECT count(*) FROM epochs WHERE standing = ?1 AND epoch =
                    (SELECT max(epoch) FROM epochs AS newer WHERE newer.terminal = epochs.terminal)",
            )?;
            Ok(read.query_row([number], |row| col(row, 0))?)
        };
        let (over_right_rows, over_right_cents) = self
            .conn
            .prepare_cached("SELECT count(*), ifnull(sum(over_right), 0) FROM rows WHERE over_right > 0")?
            .query_row([], |row| Ok((col(row, 0)?, col(row, 1)?)))?;
        let disputed = self.conn.query_row("SELECT count(*) FROM disputed", [], |row| col(row, 0))?;
        let pages: u64 = self.conn.query_row("PRAGMA page_count", [], |row| col(row, 0))?;
        let page: u64 = self.conn.query_row("PRAGMA page_size", [], |row| col(row, 0))?;
        Ok(StoreFigures {
            transfers: newest_transfer(self.conn)?,
            terminals_live: standing(0)?,
            terminals_quarantined: standing(1)?,
            over_right_rows,
            over_right_cents,
            disputed_rows: disputed,
            file_bytes: pages.saturating_mul(page),
        })
    }

    /// Rows with an over-right part, and disputed ones, newest first, at most `limit` of each.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Damaged`].
    pub fn flagged_rows(&self, limit: u32) -> Result<Vec<FlaggedRow>, StoreError> {
        let over_right =
            "SELECT epochs.terminal, epochs.epoch, rows.key & 0xffffffff, settled + over_right, settled, why,
                received_at FROM rows JOIN epochs ON epochs.number = rows.key >> 32
             WHERE over_right > 0 ORDER BY received_at DESC, rows.key DESC LIMIT ?1";
        let disputed = "SELECT epochs.terminal, epochs.epoch, seq, claimed, 0, ?2, received_at FROM disputed
             JOIN epochs ON epochs.number = disputed.epoch ORDER BY disputed.id DESC LIMIT ?1";
        let mut flagged = self.flagged(over_right, params![limit])?;
        flagged.extend(self.flagged(disputed, params![limit, OverRight::Disputed.number()])?);
        flagged.sort_by_key(|row| std::cmp::Reverse((row.received_at, row.seq)));
        Ok(flagged)
    }

    fn flagged(&self, read: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<FlaggedRow>, StoreError> {
        let mut read = self.conn.prepare_cached(read)?;
        let mut rows = read.query(values)?;
        let mut flagged = Vec::new();
        while let Some(row) = rows.next()? {
            flagged.push(FlaggedRow {
                terminal: col(row, 0)?,
                epoch: col(row, 1)?,
                seq: col::<Seq>(row, 2)?,
                claimed: col::<Cents>(row, 3)?,
                settled: col(row, 4)?,
                why: OverRight::of_number(row.get(5)?).ok_or(StoreError::Damaged("the reason of a row"))?,
                received_at: col(row, 6)?,
            });
        }
        Ok(flagged)
    }

    /// A household's money, by the household's code; nothing where there is none.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn household_money(&self, code: &str) -> Result<Option<PurseView>, StoreError> {
        let Some(number) = self.purse_of_household(code)? else { return Ok(None) };
        let read = "SELECT ref FROM purses WHERE number = ?1";
        let Some(purse) = self.conn.query_row(read, [Sql(number)], |row| col(row, 0)).optional()? else {
            return Ok(None);
        };
        let account = self.account(AccountId::purse(number))?;
        let credited = self.conn.query_row(
            "SELECT ifnull(sum(cents), 0) FROM credits WHERE purse = ?1",
            [Sql(number)],
            |row| col(row, 0),
        )?;
        let (slices, cards) = (self.slices_of(number)?, self.purse_card_views(number)?);
        let goodwill = owed(self.account(AccountId::goodwill(number))?)?;
        let missing = owed(self.account(AccountId::restored(number))?)?;
        let withheld = owed(self.account(AccountId::withheld(number))?)?;
        let (household, free) = (code.to_owned(), account.left()?);
        Ok(Some(PurseView { household, purse, credited, free, goodwill, missing, withheld, slices, cards }))
    }

    /// What reversals and refunds gave back in all.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn taken_back_total(&self) -> Result<Cents, StoreError> {
        let read = "SELECT ifnull(sum(reversed_cents), 0) FROM slices";
        let reversed: Cents = self.conn.query_row(read, [], |row| col(row, 0))?;
        Ok(reversed.plus(self.refunded_total()?)?)
    }

    fn slices_of(&self, purse: PurseNo) -> Result<Vec<SliceView>, StoreError> {
        let mut slices = Vec::new();
        for id in self.slice_ids(purse)? {
            let (Some(slice), Some(number)) = (self.slice(id)?, id.epoch_no()) else { continue };
            let (account, record) = (self.account(id)?, self.epoch_of(number)?);
            let heard = "SELECT contact_at FROM contacts WHERE epoch = ?1";
            slices.push(SliceView {
                terminal: record.terminal,
                epoch: record.epoch,
                allowed: account.credits.minus(slice.reversed)?,
                claimed: account.debits.minus(slice.reversed)?,
                voided: self.voided(id)?,
                returned: slice.returned,
                serial: slice.serial,
                issued_at: slice.issued_at,
                standing: record.standing,
                contact_at: self.conn.query_row(heard, [Sql(number)], |row| col(row, 0)).optional()?,
                recall: self.recall_of(id)?,
            });
        }
        Ok(slices)
    }
}
