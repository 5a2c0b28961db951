//! Every journal from its first row: signatures, hashes, and what each row had a right to.

use std::collections::BTreeMap;

use cabas_protocol::RowBody;
use cabas_protocol::chain::{ChainId, check_next};
use cabas_protocol::row::{ClockQuality, Row};
use cabas_protocol::sync::Standing;
use cabas_protocol::{Cents, ChainHead, Epoch, Hash, PurseRef, Seq, Signed, TerminalId};
use rusqlite::params;

use super::super::error::StoreError;
use super::super::model::FundInfo;
use super::super::sql::{Sql, col, col_opt};
use super::super::terminals::EpochRecord;
use super::super::tx::Tx;
use super::{FindingKind, VerifyReport};
use crate::core::claims::Claimed;
use crate::core::effect::{Claim, Effect, Undo, claimed, effect};
use crate::core::ledger::{AccountId, OverRight, PurseNo, RowKey, TransferKind};

/// One journal while it is read.
struct Journal {
    record: EpochRecord,
    id: ChainId,
    head: ChainHead,
    slices: BTreeMap<PurseRef, Option<SliceState>>,
    /// Reversals that undid a sale.
    undone: u64,
    /// Sales of purse cards that reached their cards: they are judged apart, with those of all terminals.
    card_sales: u64,
}

/// A slice as its rows make it.
struct SliceState {
    id: AccountId,
    claimed: Claimed,
    settled: Cents,
    reversed: Cents,
    reversed_to: Cents,
}

/// A row as it lies in the file.
struct Stored {
    seq: Seq,
    kind: u16,
    settled: Cents,
    over_right: Cents,
    why: Option<OverRight>,
    happened_at: Option<i64>,
    envelope: Signed<Row>,
}

impl Tx<'_> {
    pub(super) fn check_journals(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let fund = self.fund()?;
        let mut read = self.conn.prepare("SELECT terminal, epoch FROM epochs ORDER BY number")?;
        let epochs = read
            .query_map([], |row| Ok((col(row, 0)?, col(row, 1)?)))?
            .collect::<Result<Vec<(TerminalId, Epoch)>, _>>()?;
        let mut card_sales = 0_u64;
        for (terminal, epoch) in epochs {
            let record = self.epoch(terminal, epoch)?;
            card_sales = card_sales.saturating_add(self.check_journal(&fund, record, report)?);
        }
        self.check_card_sales(card_sales, report)?;
        let all: u64 = self.conn.query_row("SELECT count(*) FROM rows", [], |row| col(row, 0))?;
        if all != report.rows {
            let detail = format!("{all} rows, {} of them in a journal", report.rows);
            report.add(FindingKind::Row, "all rows", detail);
        }
        Ok(())
    }

    /// Reads a journal; says how many sales of purse cards in it reached their cards.
    fn check_journal(
        &self,
        fund: &FundInfo,
        record: EpochRecord,
        report: &mut VerifyReport,
    ) -> Result<u64, StoreError> {
        let id = ChainId { fund: fund.fund, terminal: record.terminal, epoch: record.epoch };
        let (head, slices) = (id.genesis(&record.key), BTreeMap::new());
        let mut journal = Journal { record, id, head, slices, undone: 0, card_sales: 0 };
        let (first, last) = (RowKey::new(record.number, Seq::NONE), RowKey::new(record.number, Seq::new(u32::MAX)));
        let mut read = self.conn.prepare_cached(
            "SELECT key & 0xffffffff, kind, settled, over_right, why, happened_at, envelope FROM rows
             WHERE key >= ?1 AND key <= ?2 ORDER BY key",
        )?;
        let mut rows = read.query(params![Sql(first), Sql(last)])?;
        while let Some(row) = rows.next()? {
            report.rows = report.rows.saturating_add(1);
            let stored = Stored {
                seq: col(row, 0)?,
                kind: row.get(1)?,
                settled: col(row, 2)?,
                over_right: col(row, 3)?,
                why: OverRight::of_number(row.get(4)?),
                happened_at: row.get(5)?,
                envelope: match Signed::from_bytes(row.get(6)?) {
                    Ok(envelope) => envelope,
                    Err(error) => {
                        report.add(FindingKind::Row, journal.name(col(row, 0)?), error.to_string());
                        continue;
                    }
                },
            };
            self.check_row(&mut journal, &stored, report)?;
        }
        if journal.head != record.acked {
            let detail = format!("acknowledged up to row {}, the rows end at {}", record.acked.seq, journal.head.seq);
            report.add(FindingKind::Chain, journal.name(record.acked.seq), detail);
        }
        let noted: u64 = self.conn.query_row(
            "SELECT count(*) FROM reversals WHERE sale >= ?1 AND sale <= ?2",
            params![Sql(first), Sql(last)],
            |row| col(row, 0),
        )?;
        if noted != journal.undone {
            let detail = format!("{noted} of its sales are noted as undone, its rows undo {}", journal.undone);
            report.add(FindingKind::Claim, journal.name(record.acked.seq), detail);
        }
        self.check_slices(&journal, report)?;
        Ok(journal.card_sales)
    }

    fn check_row(&self, journal: &mut Journal, stored: &Stored, report: &mut VerifyReport) -> Result<(), StoreError> {
        let name = journal.name(stored.seq);
        if let Err(error) = stored.envelope.verify(&journal.record.key, journal.id.fund) {
            report.add(FindingKind::Signature, name.clone(), error.to_string());
        }
        // A row whose signature does not fit was taken all the same if a later one vouched for it: it is read on.
        let row = match stored.envelope.read_trusted(journal.id.fund) {
            Ok(row) => row,
            Err(error) => {
                report.add(FindingKind::Row, name, error.to_string());
                return Ok(());
            }
        };
        if let Err(error) = check_next(journal.id, journal.head, row.payload(), 0) {
            report.add(FindingKind::Chain, name.clone(), error.to_string());
        }
        journal.head = ChainHead { seq: stored.seq, hash: row.hash() };
        let row = row.payload();
        let happened_at = match row.time.quality {
            ClockQuality::Unknown => None,
            ClockQuality::Carried | ClockQuality::Synced => {
                Some(i64::try_from(row.time.wall.get()).unwrap_or(i64::MAX))
            }
        };
        if (row.seq, row.body.kind(), happened_at) != (stored.seq, stored.kind, stored.happened_at) {
            report.add(FindingKind::Row, name.clone(), "its place, kind or time is not the one that was signed");
        }
        if let RowBody::Sale(sale) = &row.body
            && !self.is_tap_kept(RowKey::new(journal.record.number, stored.seq), sale)?
        {
            report.add(FindingKind::Card, name.clone(), "the tap of its card is kept otherwise than the row says");
        }
        self.check_verdict(journal, stored, row, &name, report)
    }

    fn check_verdict(
        &self,
        journal: &mut Journal,
        stored: &Stored,
        row: &Row,
        name: &str,
        report: &mut VerifyReport,
    ) -> Result<(), StoreError> {
        let all = claimed(&row.body);
        let nothing = |why| (Cents::ZERO, all, why);
        let did_not_reach = [OverRight::UnknownPurse, OverRight::UnknownSlice, OverRight::EpochClosed];
        let reached = |claim: &Claim| {
            claim.kind == TransferKind::CardSale && stored.why.is_none_or(|why| !did_not_reach.contains(&why))
        };
        let expected = match (effect(&row.body), stored.why) {
            (Effect::Claim(claim), why) if reached(&claim) => {
                journal.card_sales = journal.card_sales.saturating_add(1);
                (stored.settled, stored.over_right, why)
            }
            // These were unknown, or the epoch closed, when the row came; what came later does not change it.
            (
                Effect::Claim(_) | Effect::Undo(_),
                Some(why @ (OverRight::UnknownPurse | OverRight::UnknownSlice | OverRight::UnknownSerial)),
            ) => nothing(Some(why)),
            (Effect::Claim(_) | Effect::Undo(_), Some(why @ OverRight::EpochClosed))
                if journal.record.standing == Standing::Closed =>
            {
                nothing(Some(why))
            }
            (Effect::Claim(claim), _) => self.judge(journal, &claim)?,
            (Effect::Undo(undo), Some(why @ OverRight::RefundedBefore))
                if self.is_refunded(RowKey::new(journal.record.number, undo.sale))? =>
            {
                nothing(Some(why))
            }
            (Effect::Undo(undo), _) => self.judge_undo(journal, stored.seq, &undo)?,
            (Effect::Over(_, why), _) => nothing(Some(why)),
            (Effect::None | Effect::Ask, _) => nothing(None),
        };
        if expected != (stored.settled, stored.over_right, stored.why) {
            let detail = format!(
                "{} settled and {} over-right, by the claim rule {} and {}",
                stored.settled, stored.over_right, expected.0, expected.1
            );
            report.add(FindingKind::Claim, name, detail);
        }
        Ok(())
    }

    /// What the claim rule gives: settled, over-right, and why.
    fn judge(&self, journal: &mut Journal, claim: &Claim) -> Result<(Cents, Cents, Option<OverRight>), StoreError> {
        let all = claim.stretch.cents();
        let Some(state) = self.state_of(journal, claim.purse)? else {
            return Ok((Cents::ZERO, all, Some(OverRight::UnknownPurse)));
        };
        let Some(allowed) = self.allowed_by(state.id, claim.serial)? else {
            return Ok((Cents::ZERO, all, Some(OverRight::UnknownSerial)));
        };
        let judgement = state.claimed.claim(claim.stretch, allowed.plus(state.reversed)?)?;
        state.settled = state.settled.plus(judgement.settled)?;
        Ok((judgement.settled, judgement.over_right()?, judgement.why()))
    }

    /// What a reversal gives back, and why not.
    fn judge_undo(
        &self,
        journal: &mut Journal,
        seq: Seq,
        undo: &Undo,
    ) -> Result<(Cents, Cents, Option<OverRight>), StoreError> {
        let (epoch, fund) = (journal.record.number, journal.id.fund);
        let Some(state) = self.state_of(journal, undo.purse)? else {
            return Ok((Cents::ZERO, Cents::ZERO, Some(OverRight::UnknownPurse)));
        };
        let (sale, row) = (RowKey::new(epoch, undo.sale), RowKey::new(epoch, seq));
        let facts = self.sale_facts(fund, sale, row)?;
        Ok(match undo.judge(facts, state.reversed_to) {
            Ok(cents) => {
                state.reversed = state.reversed.plus(cents)?;
                state.reversed_to = undo.stretch.to();
                journal.undone = journal.undone.saturating_add(1);
                // Only a row that is written down beside its sale undoes it, so that none does so twice.
                let noted = self.is_noted(sale, row)?;
                (cents, Cents::ZERO, (!noted).then_some(OverRight::NothingToUndo))
            }
            Err(why) => (Cents::ZERO, Cents::ZERO, Some(why)),
        })
    }

    fn is_noted(&self, sale: RowKey, row: RowKey) -> Result<bool, StoreError> {
        let mut read =
            self.conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM reversals WHERE sale = ?1 AND row = ?2)")?;
        Ok(read.query_row(params![Sql(sale), Sql(row)], |found| found.get(0))?)
    }

    fn state_of<'j>(
        &self,
        journal: &'j mut Journal,
        purse: PurseRef,
    ) -> Result<Option<&'j mut SliceState>, StoreError> {
        if !journal.slices.contains_key(&purse) {
            let state = self.slice_state(journal, purse)?;
            journal.slices.insert(purse, state);
        }
        Ok(journal.slices.get_mut(&purse).and_then(Option::as_mut))
    }

    fn slice_state(&self, journal: &Journal, purse: PurseRef) -> Result<Option<SliceState>, StoreError> {
        let number: Option<PurseNo> = self.purse_no(purse)?;
        Ok(number.map(|number| SliceState {
            id: AccountId::slice(journal.record.number, number),
            claimed: Claimed::default(),
            settled: Cents::ZERO,
            reversed: Cents::ZERO,
            reversed_to: Cents::ZERO,
        }))
    }

    /// What was taken from each slice is what its rows settled, and what stays claimable is what they left.
    fn check_slices(&self, journal: &Journal, report: &mut VerifyReport) -> Result<(), StoreError> {
        let mut settled = Cents::ZERO;
        for state in journal.slices.values().flatten() {
            settled = settled.plus(state.settled)?;
            let taken = self.account(state.id)?.debits.minus_or_zero(self.voided(state.id)?);
            if taken != state.settled {
                let detail = format!("{taken} taken, its rows settle {}", state.settled);
                report.add(FindingKind::Claim, state.id.to_string(), detail);
            }
            let holes = self.holes(state.id)?;
            let slice = self.slice(state.id)?;
            let unclaimed = slice.map_or(Cents::ZERO, |slice| slice.unclaimed);
            let undone = slice.map_or((Cents::ZERO, Cents::ZERO), |slice| (slice.reversed, slice.reversed_to));
            if undone != (state.reversed, state.reversed_to) {
                let detail = format!("{} given back by reversals, by its rows {}", undone.0, state.reversed);
                report.add(FindingKind::Claim, state.id.to_string(), detail);
            }
            let left = state.claimed.to().minus_or_zero(state.settled);
            if holes != state.claimed.holes() || unclaimed != left {
                report.add(FindingKind::Claim, state.id.to_string(), "what stays claimable is not what its rows left");
            }
        }
        let taken: Cents = self.conn.query_row(
            "SELECT max(0, (SELECT ifnull(sum(debits), 0) FROM accounts WHERE id >= ?1 AND id <= ?2)
                - (SELECT ifnull(sum(cents), 0) FROM voids WHERE slice >= ?1 AND slice <= ?2))",
            params![
                Sql(AccountId::slice(journal.record.number, PurseNo::new(0))),
                Sql(AccountId::slice(journal.record.number, PurseNo::new(u32::MAX)))
            ],
            |row| col(row, 0),
        )?;
        if taken != settled {
            let detail = format!("{taken} taken from its slices, its rows settle {settled}");
            report.add(FindingKind::Claim, journal.name(journal.record.acked.seq), detail);
        }
        Ok(())
    }

    /// Evidence that does not fit a chain is still the terminal's own word.
    pub(super) fn check_disputed(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let fund = self.fund()?;
        let mut read = self.conn.prepare(
            "SELECT disputed.id, epochs.terminal, epochs.epoch, disputed.seq, disputed.kind, disputed.hash,
                disputed.claimed, disputed.envelope
             FROM disputed JOIN epochs ON epochs.number = disputed.epoch ORDER BY disputed.id",
        )?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            let subject = format!("disputed row {}", row.get::<_, i64>(0)?);
            let record = self.epoch(col(row, 1)?, col(row, 2)?)?;
            let (seq, kind, hash): (Seq, u16, Hash) = (col(row, 3)?, row.get(4)?, col(row, 5)?);
            let envelope = Signed::<Row>::from_bytes(row.get(7)?);
            let verified = envelope.map_err(Into::into).and_then(|signed| signed.verify(&record.key, fund.fund));
            match verified {
                Ok(verified) => {
                    let found = verified.payload();
                    let fits = (found.seq, found.body.kind(), verified.hash()) == (seq, kind, hash)
                        && Some(claimed(&found.body)) == col_opt(row, 6)?;
                    if !fits {
                        report.add(FindingKind::Row, subject, "its place, kind, hash or amount is not the signed one");
                    }
                }
                Err(error) => report.add(FindingKind::Signature, subject, error.to_string()),
            }
        }
        Ok(())
    }
}

impl Journal {
    fn name(&self, seq: Seq) -> String {
        format!("terminal {} epoch {} row {seq}", self.record.terminal, self.record.epoch)
    }
}
