//! Closing the epoch of a terminal that will not come back: one person proposes, another one does it.
//!
//! Rows that the hub has stand. What was reserved there and not claimed goes back to its purses; every later row of the
//! epoch is over-right.

use cabas_protocol::sync::Standing;
use cabas_protocol::{Cents, ChainHead, Epoch, Hash, Seq, TerminalId, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::debts::Brought;
use super::error::StoreError;
use super::fund::name;
use super::ledger::Books;
use super::model::Wake;
use super::sql::{Sql, col, col_opt};
use super::terminals::{EpochRecord, standing_number};
use super::tx::Tx;
use crate::core::ledger::{AccountId, Entry, PurseNo, TransferKind};

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct CloseOrder {
    /// The terminal.
    pub terminal: TerminalId,
    /// Its epoch; none where it has only one that is open.
    pub epoch: Option<Epoch>,
    /// The row up to which rows stand; none for the newest that the hub has.
    pub at: Option<ChainHead>,
    /// Who asks.
    pub by: String,
}

/// What became of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Closing {
    /// The epoch.
    pub epoch: Epoch,
    /// Rows up to here stand.
    pub at: ChainHead,
    /// Who proposed it.
    pub proposed_by: String,
    /// Who did it; none while it is only proposed.
    pub closed_by: Option<String>,
    /// What went back to purses.
    pub voided: Cents,
    /// How many purses got some.
    pub purses: u32,
    /// What was paid of sales that only cards told of.
    pub carried: Cents,
}

/// A closing as the audit shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClosingView {
    /// The number of the proposal.
    pub id: u64,
    /// The terminal.
    pub terminal: TerminalId,
    /// Its epoch.
    pub epoch: Epoch,
    /// Rows up to here stand.
    pub at: ChainHead,
    /// Who proposed it.
    pub proposed_by: String,
    /// When.
    pub proposed_at: Timestamp,
    /// `proposed`, `closed` or `withdrawn`.
    pub state: &'static str,
    /// Who closed or withdrew it, and when.
    pub ended: Option<(String, Timestamp)>,
}

/// Why an epoch is not closed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ClosingRefusal {
    /// Which one?
    #[error("terminal {0} has more than one open epoch; name one with --epoch")]
    WhichEpoch(TerminalId),
    /// There is nothing to close.
    #[error("terminal {0} has no open epoch; there is nothing to close")]
    NothingOpen(TerminalId),
    /// It was closed before.
    #[error("epoch {0} is closed already")]
    Closed(Epoch),
    /// One person is not two.
    #[error("{0} proposed this closing; another person must confirm it")]
    SamePerson(String),
    /// The row that is named is not the newest that the hub has.
    #[error(
        "the hub has rows up to {} ({}), not {} ({}); an epoch is closed at the newest row that the hub has",
        acked.seq, acked.hash, named.seq, named.hash
    )]
    NotTheNewest {
        /// What was named.
        named: ChainHead,
        /// What the hub has.
        acked: ChainHead,
    },
    /// The two do not mean the same.
    #[error(
        "{proposed_by} proposed row {} ({}), this is row {} ({}); look at what came since, then withdraw the proposal \
         (--withdraw) and propose again",
        proposed.seq, proposed.hash, named.seq, named.hash
    )]
    OtherRow {
        /// Who proposed.
        proposed_by: String,
        /// At which row.
        proposed: ChainHead,
        /// The row of the one who confirms.
        named: ChainHead,
    },
    /// Somebody proposed it before.
    #[error("closing epoch {0} was proposed already; another person approves it")]
    Waits(Epoch),
    /// It was done or taken back.
    #[error("closing {0} does not wait for another person: it was done or taken back")]
    Ended(u64),
    /// There is no proposal.
    #[error("nobody proposed to close epoch {0}; there is nothing to withdraw")]
    NotProposed(Epoch),
}

/// A proposal that waits.
struct Proposal {
    id: u64,
    at: ChainHead,
    by: String,
}

impl Tx<'_> {
    /// Proposes to close an epoch, or, where another person proposed the same, closes it.
    ///
    /// # Errors
    /// [`StoreError::Closing`] says what does not fit; [`StoreError::Text`] for a name that is none.
    pub fn terminal_close(&mut self, order: &CloseOrder, now: Timestamp) -> Result<Closing, StoreError> {
        let by = person(&order.by)?;
        let record = self.epoch_to_close(order.terminal, order.epoch)?;
        if record.standing == Standing::Closed {
            return Err(ClosingRefusal::Closed(record.epoch).into());
        }
        let named = order.at.unwrap_or(record.acked);
        match self.proposal(&record)? {
            Some(proposal) => self.confirm(&record, &proposal, by, named, now),
            None if named != record.acked => Err(ClosingRefusal::NotTheNewest { named, acked: record.acked }.into()),
            None => self.propose(&record, by, now),
        }
    }

    /// Takes a proposal back: anybody may, for it only puts the closing off.
    ///
    /// # Errors
    /// [`StoreError::Closing`] where there is none.
    pub fn terminal_close_withdraw(&mut self, order: &CloseOrder, now: Timestamp) -> Result<Closing, StoreError> {
        let by = person(&order.by)?;
        let record = self.epoch_to_close(order.terminal, order.epoch)?;
        let proposal = self.proposal(&record)?.ok_or(ClosingRefusal::NotProposed(record.epoch))?;
        self.end_proposal(proposal.id, 2, by, now)?;
        let (at, proposed_by) = (proposal.at, proposal.by);
        Ok(Closing {
            epoch: record.epoch,
            at,
            proposed_by,
            closed_by: None,
            voided: Cents::ZERO,
            purses: 0,
            carried: Cents::ZERO,
        })
    }

    /// Every closing that was proposed, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn closings(&self, limit: u32) -> Result<Vec<ClosingView>, StoreError> {
        self.closing_views("", limit)
    }

    /// Closings that wait for another person, newest first.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn closings_waiting(&self, limit: u32) -> Result<Vec<ClosingView>, StoreError> {
        self.closing_views("WHERE state = 0", limit)
    }

    fn closing_views(&self, only: &str, limit: u32) -> Result<Vec<ClosingView>, StoreError> {
        let mut read = self.conn.prepare_cached(&format!(
            "SELECT epochs.terminal, epochs.epoch, at_seq, at_hash, proposed_by, proposed_at, state, ended_by, ended_at, id
             FROM closings JOIN epochs ON epochs.number = closings.epoch {only} ORDER BY id DESC LIMIT ?1"
        ))?;
        let closings = read.query_map([limit], |row| {
            let ended_by: Option<String> = row.get(7)?;
            Ok(ClosingView {
                id: col(row, 9)?,
                terminal: col(row, 0)?,
                epoch: col(row, 1)?,
                at: ChainHead { seq: col(row, 2)?, hash: col(row, 3)? },
                proposed_by: row.get(4)?,
                proposed_at: col(row, 5)?,
                state: match row.get(6)? {
                    1 => "closed",
                    2 => "withdrawn",
                    _ => "proposed",
                },
                ended: ended_by.zip(col_opt(row, 8)?),
            })
        })?;
        Ok(closings.collect::<Result<_, _>>()?)
    }

    /// One person proposes to close an epoch at the newest row that the hub has, which they name. Where a proposal waits
    /// nothing is done: it is approved as a proposal, not by proposing the same.
    ///
    /// # Errors
    /// As [`Self::terminal_close`].
    pub fn terminal_close_propose(&mut self, order: &CloseOrder, now: Timestamp) -> Result<Closing, StoreError> {
        let record = self.epoch_to_close(order.terminal, order.epoch)?;
        if self.proposal(&record)?.is_some() {
            return Err(ClosingRefusal::Waits(record.epoch).into());
        }
        self.terminal_close(order, now)
    }

    fn epoch_to_close(&self, terminal: TerminalId, epoch: Option<Epoch>) -> Result<EpochRecord, StoreError> {
        if let Some(epoch) = epoch {
            return self.epoch(terminal, epoch);
        }
        self.terminal_shop(terminal)?;
        let open = self
            .conn
            .prepare_cached("SELECT epoch FROM epochs WHERE terminal = ?1 AND standing <> ?2 LIMIT 2")?
            .query_map(params![Sql(terminal), standing_number(Standing::Closed)], |row| col(row, 0))?
            .collect::<Result<Vec<Epoch>, _>>()?;
        match open.as_slice() {
            [] => Err(ClosingRefusal::NothingOpen(terminal).into()),
            [epoch] => self.epoch(terminal, *epoch),
            _ => Err(ClosingRefusal::WhichEpoch(terminal).into()),
        }
    }

    fn proposal(&self, record: &EpochRecord) -> Result<Option<Proposal>, StoreError> {
        let mut read = self
            .conn
            .prepare_cached("SELECT id, at_seq, at_hash, proposed_by FROM closings WHERE epoch = ?1 AND state = 0")?;
        let proposal = read.query_row([Sql(record.number)], |row| {
            let (seq, hash): (Seq, Hash) = (col(row, 1)?, col(row, 2)?);
            Ok(Proposal { id: col(row, 0)?, at: ChainHead { seq, hash }, by: row.get(3)? })
        });
        Ok(proposal.optional()?)
    }

    fn propose(&self, record: &EpochRecord, by: &str, now: Timestamp) -> Result<Closing, StoreError> {
        let at = record.acked;
        self.conn.execute(
            "INSERT INTO closings (epoch, at_seq, at_hash, proposed_by, proposed_at, state)
             VALUES (?1, ?2, ?3, ?4, ?5, 0)",
            params![Sql(record.number), Sql(at.seq), Sql(at.hash), by, Sql(now)],
        )?;
        let proposed_by = by.to_owned();
        Ok(Closing {
            epoch: record.epoch,
            at,
            proposed_by,
            closed_by: None,
            voided: Cents::ZERO,
            purses: 0,
            carried: Cents::ZERO,
        })
    }

    fn confirm(
        &mut self,
        record: &EpochRecord,
        proposal: &Proposal,
        by: &str,
        named: ChainHead,
        now: Timestamp,
    ) -> Result<Closing, StoreError> {
        let proposed_by = proposal.by.clone();
        if same_person(&proposal.by, by) {
            return Err(ClosingRefusal::SamePerson(proposed_by).into());
        }
        if named != proposal.at {
            return Err(ClosingRefusal::OtherRow { proposed_by, proposed: proposal.at, named }.into());
        }
        if named != record.acked {
            return Err(ClosingRefusal::NotTheNewest { named, acked: record.acked }.into());
        }
        self.end_proposal(proposal.id, 1, by, now)?;
        // Who has the disk of one that was in order does not matter: two people say that it will not come back.
        self.conn.execute(
            "UPDATE epochs SET keys_upto = iif(standing = ?3, NULL, keys_upto), standing = ?2 WHERE number = ?1",
            params![Sql(record.number), standing_number(Standing::Closed), standing_number(Standing::Live)],
        )?;
        let (voided, purses) = self.with_books(|books| self.void_slices(books, record, proposal.id))?;
        self.refuse_waiting_refunds(record.number)?;
        self.wake(Wake::Terminal(record.terminal));
        self.allocate_all()?;
        self.hand_back_done(record, now)?;
        let carried = self.with_books(|books| self.book_carried(books, now))?;
        self.release_cards(now)?;
        tracing::info!(
            terminal.id = %record.terminal, terminal.epoch = %record.epoch, row.seq = %named.seq,
            voided_cents = voided.get(), carried_cents = carried.get(), "an epoch was closed by two people"
        );
        let closed_by = Some(by.to_owned());
        Ok(Closing { epoch: record.epoch, at: named, proposed_by, closed_by, voided, purses, carried })
    }

    fn end_proposal(&self, id: u64, state: u8, by: &str, now: Timestamp) -> Result<(), StoreError> {
        let end = "UPDATE closings SET state = ?2, ended_by = ?3, ended_at = ?4 WHERE id = ?1";
        self.conn.execute(end, params![Sql(id), state, by, Sql(now)])?;
        Ok(())
    }

    /// Gives back what was reserved by an epoch and not claimed.
    fn void_slices(
        &self,
        books: &mut Books<'_>,
        record: &EpochRecord,
        closing: u64,
    ) -> Result<(Cents, u32), StoreError> {
        let slices = self
            .conn
            .prepare_cached("SELECT id, id & 0xffffffff FROM slices WHERE epoch = ?1 ORDER BY id")?
            .query_map([Sql(record.number)], |row| Ok((col(row, 0)?, col(row, 1)?)))?
            .collect::<Result<Vec<(AccountId, PurseNo)>, _>>()?;
        let (mut voided, mut purses) = (Cents::ZERO, 0_u32);
        for (slice, purse) in slices {
            let cents = books.account(slice)?.left()?;
            if cents.is_zero() {
                continue;
            }
            self.conn
                .prepare_cached("INSERT INTO voids (slice, closing, cents) VALUES (?1, ?2, ?3)")?
                .execute(params![Sql(slice), Sql(closing), Sql(cents)])?;
            let (credit, kind) = (AccountId::purse(purse), TransferKind::Void);
            let transfer = books.post(Entry { debit: slice, credit, cents, kind, cause: closing })?;
            self.pay_back(books, purse, Brought { transfer, cents, came_back: true })?;
            self.count_returned(slice, cents)?;
            voided = voided.plus(cents)?;
            purses = purses.saturating_add(1);
        }
        Ok((voided, purses))
    }
}

/// A person's name as the audit keeps it.
pub(super) fn person(text: &str) -> Result<&str, StoreError> {
    let text = text.trim();
    name("name", text)?;
    Ok(text)
}

/// The same name in other letters is the same person.
#[must_use]
pub fn same_person(one: &str, other: &str) -> bool {
    let words = |text: &str| text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>();
    words(one) == words(other)
}
