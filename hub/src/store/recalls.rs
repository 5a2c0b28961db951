//! Recalls: money is asked back from slices, as a level. It is free when the terminal's row arrives, never before.

use cabas_protocol::sync::{Recall, Standing};
use cabas_protocol::{Cents, Epoch, ObjectType, PurseRef, RequestId, TerminalId, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::error::StoreError;
use super::model::{Deliverable, FundInfo, RecallView, Shortfall, Wake};
use super::news::{ByChange, limit};
use super::slices::Place;
use super::sql::{Sql, col, col_opt};
use super::terminals::EpochRecord;
use super::tx::Tx;
use crate::core::ledger::{AccountId, PurseNo, ShopNo};
use crate::core::slices;

/// A recall that nobody answered is asked again after so long, in seconds.
const ASK_AGAIN_AFTER_S: u64 = 3_600;

/// Why money is asked back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Purpose {
    /// A sale waits at another terminal.
    Sale,
    /// The household's money is divided anew.
    Division,
    /// A person asked.
    Person,
}

impl Purpose {
    const fn number(self) -> u8 {
        match self {
            Self::Sale => 1,
            Self::Division => 2,
            Self::Person => 3,
        }
    }
}

impl Tx<'_> {
    /// What is missing for a sale once a slice was extended as far as free money went, and where the rest lies. Terminals
    /// that are connected are asked for it at once.
    ///
    /// # Errors
    /// [`StoreError::UnknownPurse`], [`StoreError::UnknownTerminal`], [`StoreError::UnknownEpoch`].
    pub fn recall_for(
        &mut self,
        terminal: TerminalId,
        epoch: Epoch,
        purse: PurseRef,
        level: Cents,
        connected: &[TerminalId],
        now: Timestamp,
    ) -> Result<Shortfall, StoreError> {
        let record = self.epoch(terminal, epoch)?;
        let number = self.purse_no(purse)?.ok_or(StoreError::UnknownPurse)?;
        let (own, number) = match self.purse_card(number)? {
            Some(card) if card.is_blocked => return Ok(Shortfall::default()),
            Some(card) => (card.id, card.shared),
            None => (AccountId::slice(record.number, number), number),
        };
        let short = level.minus_or_zero(self.allowed(own, self.account(own)?)?);
        if short.is_zero() || !record.may_get_more() {
            return Ok(Shortfall::default());
        }
        let mut elsewhere = Cents::ZERO;
        let (mut asked, mut left) = (Vec::new(), Vec::new());
        for slice in self.slice_ids(number)?.into_iter().filter(|slice| *slice != own) {
            let cents = self.account(slice)?.left()?;
            elsewhere = elsewhere.plus(cents)?;
            let Some(holder) = slice.epoch_no().map(|epoch| self.epoch_of(epoch)).transpose()? else { continue };
            if holder.may_be_raised() && connected.contains(&holder.terminal) {
                asked.push((slice, holder));
                left.push(cents);
            }
        }
        let mut recalled = 0_u32;
        for (place, keep) in slices::recalls(short, &left)? {
            if let Some((slice, holder)) = asked.get(place) {
                self.recall(*slice, holder, keep, Purpose::Sale, now)?;
                self.wake(Wake::Terminal(holder.terminal));
                recalled = recalled.saturating_add(1);
            }
        }
        Ok(Shortfall { short, is_funded: elsewhere >= short, recalled })
    }

    /// A person asks a household's money back: from one terminal or from all that sell, but for a level at each.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn recall_by_hand(
        &mut self,
        purse: PurseRef,
        terminal: Option<TerminalId>,
        keep: Cents,
        now: Timestamp,
    ) -> Result<u32, StoreError> {
        self.not_restoring()?;
        let number = self.purse_no(purse)?.ok_or(StoreError::UnknownPurse)?;
        let mut recalled = 0_u32;
        for slice in self.slice_ids(number)? {
            let Some(holder) = slice.epoch_no().map(|epoch| self.epoch_of(epoch)).transpose()? else { continue };
            let is_meant = terminal.is_none_or(|terminal| terminal == holder.terminal);
            let is_due = self.account(slice)?.left()? > keep && !self.is_recalled(slice, keep, now)?;
            if is_meant && is_due && holder.standing == Standing::Live {
                self.recall(slice, &holder, keep, Purpose::Person, now)?;
                self.wake(Wake::Terminal(holder.terminal));
                recalled = recalled.saturating_add(1);
            }
        }
        Ok(recalled)
    }

    /// Asks back all that lies at the terminals of a shop that closes for a while; says how many slices that were. What comes
    /// back is divided anew.
    pub(super) fn recall_shop(&mut self, shop: ShopNo, now: Timestamp) -> Result<u32, StoreError> {
        let slices = self
            .conn
            .prepare_cached(
                "SELECT slices.id FROM slices JOIN epochs ON epochs.number = slices.epoch
                 JOIN terminals ON terminals.number = epochs.terminal JOIN accounts ON accounts.id = slices.id
                 WHERE terminals.shop = ?1 AND accounts.credits > accounts.debits ORDER BY slices.id",
            )?
            .query_map([Sql(shop)], |row| col(row, 0))?
            .collect::<Result<Vec<AccountId>, _>>()?;
        let mut recalled = 0_u32;
        for slice in slices {
            let Some(holder) = slice.epoch_no().map(|epoch| self.epoch_of(epoch)).transpose()? else { continue };
            if holder.standing == Standing::Live {
                self.recall(slice, &holder, Cents::ZERO, Purpose::Division, now)?;
                self.wake(Wake::Terminal(holder.terminal));
                recalled = recalled.saturating_add(1);
            }
        }
        Ok(recalled)
    }

    /// Asks back what slices have above their part.
    pub(super) fn recall_for_division(
        &self,
        places: &[(&Place, Option<Cents>)],
        purse: PurseNo,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for (place, keep) in places {
            let slice = AccountId::slice(place.number, purse);
            if let Some(keep) = keep
                && !self.is_recalled(slice, *keep, now)?
            {
                self.recall(slice, &self.epoch(place.terminal, place.epoch)?, *keep, Purpose::Division, now)?;
            }
        }
        Ok(())
    }

    /// Notes a recall. Its number is that of the change with which it comes, of this life of the hub.
    fn recall(
        &self,
        slice: AccountId,
        holder: &EpochRecord,
        keep: Cents,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (change, fund) = (self.next_change()?, self.fund()?);
        let request = u64::from(fund.incarnation.get()) << 40 | change;
        self.conn
            .prepare_cached(
                "INSERT INTO recalls (slice, epoch, request, keep, purpose, asked_at, answered_at, change)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL, ?7)
                 ON CONFLICT (slice) DO UPDATE SET request = ?3, keep = ?4, purpose = ?5, asked_at = ?6,
                    answered_at = NULL, change = ?7",
            )?
            .execute(params![
                Sql(slice),
                Sql(holder.number),
                request.to_be_bytes(),
                Sql(keep),
                purpose.number(),
                Sql(now),
                Sql(change)
            ])?;
        self.conn
            .prepare_cached("UPDATE epochs SET change = ?2 WHERE number = ?1")?
            .execute(params![Sql(holder.number), Sql(change)])?;
        Ok(())
    }

    /// True where no more than that level is to stay already. A terminal that had reserved the money for an open sale said
    /// nothing: after a while it is asked again.
    fn is_recalled(&self, slice: AccountId, keep: Cents, now: Timestamp) -> Result<bool, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM recalls
                WHERE slice = ?1 AND keep <= ?2 AND answered_at IS NULL AND asked_at > ?3)",
        )?;
        let since = Timestamp::new(now.get().saturating_sub(ASK_AGAIN_AFTER_S));
        Ok(read.query_row(params![Sql(slice), Sql(keep), Sql(since)], |found| found.get(0))?)
    }

    /// Money was handed back: notes the recall that it answers; true where it is to be divided anew.
    pub(super) fn returned(&self, slice: AccountId, request: RequestId, now: Timestamp) -> Result<bool, StoreError> {
        let mut answer = self.conn.prepare_cached(
            "UPDATE recalls SET answered_at = ?3 WHERE slice = ?1 AND request = ?2 AND answered_at IS NULL
             RETURNING purpose",
        )?;
        let values = params![Sql(slice), request.as_bytes().as_slice(), Sql(now)];
        let purpose: Option<u8> = answer.query_row(values, |row| row.get(0)).optional()?;
        Ok(purpose == Some(Purpose::Division.number()) && !self.is_restoring()?)
    }

    /// A slice that is raised may keep what it has.
    pub(super) fn forget_recall(&self, slice: AccountId) -> Result<(), StoreError> {
        self.conn.prepare_cached("DELETE FROM recalls WHERE slice = ?1")?.execute([Sql(slice)])?;
        Ok(())
    }

    pub(super) fn recall_of(&self, slice: AccountId) -> Result<Option<RecallView>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT keep, asked_at, answered_at FROM recalls WHERE slice = ?1")?;
        let view = read.query_row([Sql(slice)], |row| {
            Ok(RecallView { keep: col(row, 0)?, asked_at: col(row, 1)?, answered_at: col_opt(row, 2)? })
        });
        Ok(view.optional()?)
    }

    pub(super) fn new_recalls(
        &self,
        found: &mut ByChange,
        fund: &FundInfo,
        record: &EpochRecord,
        since: u64,
        at_most: usize,
    ) -> Result<(), StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT change, purses.ref, keep, request FROM recalls
             JOIN purses ON purses.number = recalls.slice & 0xffffffff
             WHERE epoch = ?1 AND change > ?2 AND answered_at IS NULL ORDER BY change LIMIT ?3",
        )?;
        let mut rows = read.query(params![Sql(record.number), Sql(since), limit(at_most)])?;
        while let Some(row) = rows.next()? {
            let recall = Recall {
                head: fund.context().head(ObjectType::Recall),
                terminal: record.terminal,
                epoch: record.epoch,
                purse: col(row, 1)?,
                keep: col(row, 2)?,
                request: RequestId::new(row.get(3)?),
            };
            found.insert(col(row, 0)?, Deliverable::Recall(recall));
        }
        Ok(())
    }

    /// The slices that a purse ever had.
    pub(super) fn slice_ids(&self, purse: PurseNo) -> Result<Vec<AccountId>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT id FROM slices WHERE id & 4294967295 = ?1 ORDER BY id")?;
        Ok(read.query_map([Sql(purse)], |row| col(row, 0))?.collect::<Result<_, _>>()?)
    }
}
