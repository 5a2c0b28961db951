//! Rows come in: each authentic one is kept, and settled as far as it has a right.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry::{Occupied, Vacant};

use cabas_protocol::row::{ClockQuality, Return, Row, Sale, Tier};
use cabas_protocol::sync::Standing;
use cabas_protocol::{CategoryId, Cents, ChainHead, FundId, PurseRef, RowBody, Seq, Signed, Timestamp, Version};
use rusqlite::{OptionalExtension as _, params};

use super::debts::Brought;
use super::error::StoreError;
use super::ledger::Books;
use super::model::{AlarmKind, FundInfo, IngestOutcome, Quarantine, Wake};
use super::refunds::Decided;
use super::slices::Places;
use super::sql::{Sql, col};
use super::terminals::{EpochRecord, quarantine_number, standing_number};
use super::tx::Tx;
use crate::core::card_proof::CardWitness;
use crate::core::effect::{Claim, Effect, SaleFacts, Undo, claimed, effect};
use crate::core::ingest::{Upload, UploadRow};
use crate::core::ledger::{AccountId, Entry, OverRight, PurseNo, RowKey, TransferKind};
use crate::core::slices::LATE_S;
use crate::core::split::is_by_grid;

/// An upload while it is taken.
struct Intake<'u> {
    upload: &'u Upload,
    cards: &'u dyn CardWitness,
    fund: FundInfo,
    record: EpochRecord,
    acked: ChainHead,
    now: Timestamp,
    purses: BTreeMap<PurseRef, Option<PurseNo>>,
    quarantine: Option<Quarantine>,
    alarms: BTreeMap<AlarmKind, (u64, Seq)>,
    outcome: IngestOutcome,
    /// True where refunds wait for sales of this journal.
    is_awaited: bool,
    /// The terminals that sell, where they were looked up.
    places: Option<Places>,
    /// Grids by which sales were split.
    grids: BTreeMap<Version, Vec<(CategoryId, u8)>>,
    /// Rows for which refunds may wait.
    new_rows: Vec<RowKey>,
    /// Who is to look again once this is kept.
    wakes: Vec<Wake>,
    /// True where a sale came long after it was made.
    is_late: bool,
    /// True where a hot list was applied: what blocked cards had left may go back.
    has_applied: bool,
    /// True where cards told something, by sales or records.
    has_card_rows: bool,
    /// True where this row and those after it are to be sent again once the restore has ended.
    waits: bool,
}

/// How a row is kept.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Verdict {
    pub(super) settled: Cents,
    pub(super) over_right: Cents,
    pub(super) why: Option<OverRight>,
}

impl Verdict {
    /// Nothing of a claim is settled.
    pub(super) fn over(over_right: Cents, why: OverRight) -> Self {
        Self { settled: Cents::ZERO, over_right, why: Some(why) }
    }
}

impl Tx<'_> {
    /// Takes an upload: known rows are compared, rows that fit the chain are booked, all others are kept as disputed.
    /// The same upload again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::UnknownTerminal`], [`StoreError::UnknownEpoch`], or the store's own failures: no row is refused.
    pub fn ingest(
        &mut self,
        upload: &Upload,
        cards: &dyn CardWitness,
        now: Timestamp,
    ) -> Result<IngestOutcome, StoreError> {
        let record = self.epoch(upload.chain().terminal, upload.chain().epoch)?;
        let mut intake = Intake::new((upload, cards), self.fund()?, record, now);
        if record.to_hand_back {
            // Rows may name balances that the ledger does not know yet: they wait at the terminal until it has handed
            // back what it holds.
            return Ok(intake.outcome);
        }
        intake.check_base();
        intake.is_awaited = self.has_waiting_refunds(record.number)?;
        if !upload.rows().is_empty() {
            self.with_books(|books| {
                upload.rows().iter().try_for_each(|row| self.take_row(books, &mut intake, row))?;
                if intake.has_card_rows {
                    self.book_carried(books, now)?;
                }
                self.refunds_that_waited(books, &mut intake)
            })?;
        }
        if intake.acked != record.acked {
            self.conn
                .prepare_cached("UPDATE epochs SET acked_seq = ?2, acked_hash = ?3 WHERE number = ?1")?
                .execute(params![Sql(record.number), Sql(intake.acked.seq), Sql(intake.acked.hash)])?;
        }
        self.close_intake(intake)
    }

    fn close_intake(&mut self, mut intake: Intake<'_>) -> Result<IngestOutcome, StoreError> {
        let record = intake.record;
        if upload_has_foreign_rows(&mut intake) {
            tracing::warn!(terminal.id = %record.terminal, "rows came that are not the terminal's own");
        }
        if let (Some(quarantine), Standing::Live) = (intake.quarantine, record.standing) {
            self.conn.execute(
                "UPDATE epochs SET standing = ?2, quarantine = ?3 WHERE number = ?1",
                params![Sql(record.number), standing_number(Standing::Quarantined), quarantine_number(quarantine)],
            )?;
            self.keys_end(record.terminal, Some(record.epoch))?;
            intake.outcome.standing = Standing::Quarantined;
            self.wake(Wake::Terminal(record.terminal));
            tracing::error!(
                terminal.id = %record.terminal, terminal.epoch = %record.epoch, reason = %quarantine,
                "a terminal is quarantined: enrol it again"
            );
        }
        for wake in std::mem::take(&mut intake.wakes) {
            self.wake(wake);
        }
        if intake.is_late {
            self.conn
                .prepare_cached("UPDATE epochs SET late_at = ?2 WHERE number = ?1")?
                .execute(params![Sql(record.number), Sql(intake.now)])?;
        }
        if intake.has_applied {
            self.release_cards(intake.now)?;
        }
        for (kind, (count, seq)) in &intake.alarms {
            self.alarm(record.number, *kind, *count, *seq, intake.now)?;
            intake.outcome.alarms.push(*kind);
        }
        intake.outcome.acked = intake.acked;
        Ok(intake.outcome)
    }

    fn take_row(&self, books: &mut Books<'_>, intake: &mut Intake<'_>, row: &UploadRow) -> Result<(), StoreError> {
        if row.row().head.incarnation > intake.fund.incarnation {
            intake.alarm(AlarmKind::FutureIncarnation, row.seq());
        }
        if row.seq() <= intake.acked.seq {
            return self.take_known(intake, row);
        }
        if intake.waits || self.must_wait(intake, row)? {
            intake.waits = true;
            return Ok(());
        }
        let next = intake.acked.seq.next() == Some(row.seq());
        if next && row.row().prev == intake.acked.hash {
            return self.append(books, intake, row);
        }
        if !next && intake.is_before_restore() {
            // The hub lost what it had acknowledged; the terminal sends it again from where the hub stands.
            return Ok(());
        }
        self.dispute(intake, row, if next { Quarantine::Fork } else { Quarantine::Gap })
    }

    /// A purse card's sale may name a balance that only another terminal hands back, and what cards prove is over such
    /// balances: it waits at its terminal until the restore has ended. So does what names a serial that nobody handed back,
    /// for it is judged by the one that the restore's end makes.
    fn must_wait(&self, intake: &Intake<'_>, row: &UploadRow) -> Result<bool, StoreError> {
        if !self.is_restoring()? {
            return Ok(false);
        }
        let body = &row.row().body;
        if matches!(body, RowBody::Sale(sale) if sale.tier == Tier::Purse)
            || matches!(body, RowBody::CardWritten(_) | RowBody::Courier(_))
        {
            return Ok(true);
        }
        let Effect::Claim(claim) = effect(body) else { return Ok(false) };
        let Some(purse) = self.purse_no(claim.purse)? else { return Ok(false) };
        let slice = self.slice(AccountId::slice(intake.record.number, purse))?;
        Ok(slice.is_none_or(|slice| slice.serial < claim.serial))
    }

    fn take_known(&self, intake: &mut Intake<'_>, row: &UploadRow) -> Result<(), StoreError> {
        let mut read = self.conn.prepare_cached("SELECT envelope = ?2 FROM rows WHERE key = ?1")?;
        let key = RowKey::new(intake.record.number, row.seq());
        let same: Option<bool> =
            read.query_row(params![Sql(key), row.envelope()], |stored| stored.get(0)).optional()?;
        if same == Some(true) {
            intake.outcome.known_rows = intake.outcome.known_rows.saturating_add(1);
            return Ok(());
        }
        self.dispute(intake, row, Quarantine::Fork)
    }

    /// Keeps an authentic row that does not fit, once.
    fn dispute(&self, intake: &mut Intake<'_>, row: &UploadRow, why: Quarantine) -> Result<(), StoreError> {
        let mut insert = self.conn.prepare_cached(
            "INSERT INTO disputed (epoch, seq, kind, hash, claimed, received_at, envelope)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (epoch, hash) DO NOTHING",
        )?;
        let added = insert.execute(params![
            Sql(intake.record.number),
            Sql(row.seq()),
            row.row().body.kind(),
            Sql(row.hash()),
            Sql(claimed(&row.row().body)),
            Sql(intake.now),
            row.envelope(),
        ])?;
        if added == 0 {
            intake.outcome.known_rows = intake.outcome.known_rows.saturating_add(1);
            return Ok(());
        }
        intake.outcome.disputed_rows = intake.outcome.disputed_rows.saturating_add(1);
        intake.quarantine(why, row.seq());
        tracing::error!(
            terminal.id = %intake.record.terminal, terminal.epoch = %intake.record.epoch, row.seq = %row.seq(),
            reason = %why, "a row does not fit its journal and is kept as disputed"
        );
        Ok(())
    }

    /// Books the next row of the chain and keeps it.
    fn append(&self, books: &mut Books<'_>, intake: &mut Intake<'_>, row: &UploadRow) -> Result<(), StoreError> {
        let key = RowKey::new(intake.record.number, row.seq());
        let verdict = match effect(&row.row().body) {
            Effect::None | Effect::Ask => Verdict::default(),
            Effect::Over(cents, why) => Verdict { over_right: cents, why: Some(why), ..Verdict::default() },
            Effect::Claim(claim) => self.settle(books, intake, row, &claim)?,
            Effect::Undo(undo) => self.undo(books, intake, key, &undo)?,
        };
        let happened_at = match row.row().time.quality {
            ClockQuality::Unknown => None,
            ClockQuality::Carried | ClockQuality::Synced => Some(row.row().time.wall),
        };
        let is_sale = matches!(&row.row().body, RowBody::Sale(_));
        if let RowBody::Sale(sale) = &row.row().body
            && !self.is_split_right(intake, sale)?
        {
            intake.alarm(AlarmKind::Split, row.seq());
        }
        intake.is_late |= is_sale && happened_at.is_some_and(|at| at.after_s(LATE_S) < intake.now);
        if let RowBody::ListApplied(applied) = &row.row().body {
            // Its word in the journal counts: what it sold before stands before it there.
            intake.has_applied = true;
            self.conn
                .prepare_cached("UPDATE epochs SET list_applied = max(list_applied, ?2) WHERE number = ?1")?
                .execute(params![Sql(intake.record.number), Sql(applied.version)])?;
        }
        let mut insert = self.conn.prepare_cached(
            "INSERT INTO rows (key, kind, settled, over_right, why, received_at, happened_at, envelope)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        insert.execute(params![
            Sql(key),
            row.row().body.kind(),
            Sql(verdict.settled),
            Sql(verdict.over_right),
            verdict.why.map_or(0, OverRight::number),
            Sql(intake.now),
            happened_at.map(|at| i64::try_from(at.get()).unwrap_or(i64::MAX)),
            row.envelope(),
        ])?;
        intake.note(row, verdict)?;
        if let RowBody::Sale(sale) = &row.row().body {
            self.note_tap(intake, key, sale)?;
        }
        if let RowBody::Return(back) = &row.row().body {
            return self.handed_back(books, intake, back, verdict.settled);
        }
        intake.has_card_rows |= matches!(&row.row().body, RowBody::Courier(_));
        if intake.record.standing != Standing::Closed && !self.is_card_word_right(intake, key, row)? {
            intake.alarm(AlarmKind::CardProof, row.seq());
        }
        if let RowBody::RefundRequest(asked) = &row.row().body {
            let decided = self.refund_asked(books, intake.fund.fund, &intake.record, key, asked)?;
            decided.map_or(Ok(()), |decided| self.refund_decided(books, intake, decided))?;
        } else if intake.is_awaited {
            intake.new_rows.push(key);
        }
        Ok(())
    }

    /// Takes what a row tells of a card beside sales; false where the card does not bear it out.
    fn is_card_word_right(&self, intake: &Intake<'_>, key: RowKey, row: &UploadRow) -> Result<bool, StoreError> {
        if let RowBody::CardWritten(written) = &row.row().body {
            self.card_written(intake.cards, &intake.fund, key, written)
        } else if let RowBody::Courier(courier) = &row.row().body {
            self.courier(intake.cards, key, courier)
        } else {
            Ok(true)
        }
    }

    /// A card's counter that fell or repeats is told to people, by the number on the card.
    fn note_tap(&self, intake: &mut Intake<'_>, key: RowKey, sale: &Sale) -> Result<(), StoreError> {
        let Some(fault) = self.tap(key, sale)? else { return Ok(()) };
        intake.alarm(AlarmKind::CopiedCard, key.seq());
        tracing::error!(
            terminal.id = %intake.record.terminal, terminal.epoch = %intake.record.epoch, row.seq = %key.seq(),
            card.number = self.card_number(sale)?, card.counter = sale.card_counter,
            cents = sale.fund_cents()?.get(), reason = fault.name(),
            "a card's counter says that there is a copy of it: block the card"
        );
        Ok(())
    }

    /// True where a sale was split by the grid that it names.
    fn is_split_right(&self, intake: &mut Intake<'_>, sale: &Sale) -> Result<bool, StoreError> {
        let shares = match intake.grids.entry(sale.grid) {
            Vacant(new) => new.insert(self.shares(sale.grid, intake.record.shop)?),
            Occupied(known) => known.into_mut(),
        };
        Ok(is_by_grid(&sale.lines, shares, sale.asked.is_some()))
    }

    /// Counts what came back from a slice, and answers the recall that asked for it.
    fn handed_back(
        &self,
        books: &mut Books<'_>,
        intake: &mut Intake<'_>,
        back: &Return,
        settled: Cents,
    ) -> Result<(), StoreError> {
        let Some(purse) = self.purse_no(back.purse)?.filter(|_| !settled.is_zero()) else { return Ok(()) };
        let slice = AccountId::slice(intake.record.number, purse);
        self.count_returned(slice, settled)?;
        let Some(request) = back.request else { return Ok(()) };
        // A sale may wait that another card of the household pays.
        intake.wakes.extend(self.purses_beside(purse)?.into_iter().map(Wake::Freed));
        if self.returned(slice, request, intake.now)? {
            let places = match intake.places.take() {
                Some(places) => places,
                None => self.places(intake.now)?,
            };
            intake.wakes.extend(self.allocate(books, &intake.fund, &places, purse, intake.now)?);
            intake.places = Some(places);
        }
        Ok(())
    }

    /// Decides refunds that waited for sales of this journal, after all rows that came with them: a sale that was undone at
    /// once is not refunded.
    fn refunds_that_waited(&self, books: &mut Books<'_>, intake: &mut Intake<'_>) -> Result<(), StoreError> {
        for sale in std::mem::take(&mut intake.new_rows) {
            for decided in self.refunds_of(books, intake.fund.fund, sale)? {
                self.refund_decided(books, intake, decided)?;
            }
        }
        Ok(())
    }

    /// What is granted goes to the slice of the terminal that asked: the member may want to spend it right there. What a
    /// purse card paid is divided like any money of the household, for a slice is nothing to that card.
    fn refund_decided(
        &self,
        books: &mut Books<'_>,
        intake: &mut Intake<'_>,
        (asked, refused): Decided,
    ) -> Result<(), StoreError> {
        let asker = self.epoch_of(asked.row.epoch())?;
        intake.wakes.push(Wake::Terminal(asker.terminal));
        if let Some(why) = refused {
            self.alarm(asker.number, AlarmKind::OverRight, 1, asked.row.seq(), intake.now)?;
            if asker.number == intake.record.number && !intake.outcome.alarms.contains(&AlarmKind::OverRight) {
                intake.outcome.alarms.push(AlarmKind::OverRight);
            }
            tracing::warn!(
                terminal.id = %asker.terminal, terminal.epoch = %asker.epoch, row.seq = %asked.row.seq(),
                reason = %why, "a refund is refused"
            );
            return Ok(());
        }
        if let Some(card) = self.purse_card(asked.purse)? {
            if !self.is_restoring()? {
                self.allocate(books, &intake.fund, &self.places(intake.now)?, card.shared, intake.now)?;
                intake.wakes.push(Wake::All);
            }
            return Ok(());
        }
        let cents = asked.cents.min(books.account(AccountId::purse(asked.purse))?.left()?);
        let is_sound = asker.number != intake.record.number || intake.quarantine.is_none();
        let may_spend = is_sound && asker.may_get_more() && !self.is_gone(asked.purse)?;
        if may_spend && !cents.is_zero() && !self.is_restoring()? {
            self.raise(books, &intake.fund, &asker, asked.purse, cents, intake.now)?;
        }
        Ok(())
    }

    /// Judges a claim by the claim rule and books what it has a right to.
    fn settle(
        &self,
        books: &mut Books<'_>,
        intake: &mut Intake<'_>,
        row: &UploadRow,
        claim: &Claim,
    ) -> Result<Verdict, StoreError> {
        let (key, cents) = (RowKey::new(intake.record.number, row.seq()), claim.stretch.cents());
        let over = |why| Ok(Verdict::over(cents, why));
        if intake.record.standing == Standing::Closed {
            return over(OverRight::EpochClosed);
        }
        let Some(purse) = self.known_purse(intake, claim.purse)? else { return over(OverRight::UnknownPurse) };
        if let (TransferKind::CardSale, RowBody::Sale(sale)) = (claim.kind, &row.row().body) {
            let Some(card) = self.purse_card(purse)? else { return over(OverRight::UnknownSlice) };
            let proof = self.sale_proof(intake.cards, (&intake.record, &intake.fund, key), &card, sale)?;
            intake.has_card_rows = true;
            if proof.is_flagged() {
                intake.alarm(AlarmKind::CardProof, row.seq());
            }
            return self.settle_card(books, (key, intake.record.shop), &card, claim, proof);
        }
        let id = AccountId::slice(intake.record.number, purse);
        let Some(slice) = self.slice(id)? else { return over(OverRight::UnknownSlice) };
        let account = books.account(id)?;
        let allowed = if claim.serial == slice.serial {
            Some(account.credits)
        } else {
            // What reversals gave back until here can be spent beside what any serial allows.
            self.allowed_by(id, claim.serial)?.map(|allowed| allowed.plus(slice.reversed)).transpose()?
        };
        let Some(allowed) = allowed else { return over(OverRight::UnknownSerial) };
        let judgement = self.claim(id, slice.unclaimed, account.debits, claim.stretch, allowed)?;
        if !judgement.settled.is_zero() {
            let credit = match claim.kind {
                TransferKind::Return => AccountId::purse(purse),
                TransferKind::Sale
                | TransferKind::CardSale
                | TransferKind::CarriedSale
                | TransferKind::CardRepay
                | TransferKind::MoneyIn
                | TransferKind::MoneyBack
                | TransferKind::Banked
                | TransferKind::Unbanked
                | TransferKind::PayoutPaid
                | TransferKind::PayoutRejected
                | TransferKind::PayoutReturned
                | TransferKind::Load
                | TransferKind::Unload
                | TransferKind::CardRecover
                | TransferKind::Credit
                | TransferKind::Raise
                | TransferKind::Settlement
                | TransferKind::Reversal
                | TransferKind::Refund
                | TransferKind::Void
                | TransferKind::Recover
                | TransferKind::Repay
                | TransferKind::Advance
                | TransferKind::Regain
                | TransferKind::Expire
                | TransferKind::CorrectUp
                | TransferKind::CorrectDown
                | TransferKind::Withhold => AccountId::payable(intake.record.shop),
            };
            let entry = Entry { debit: id, credit, cents: judgement.settled, kind: claim.kind, cause: key.get() };
            let transfer = books.post(entry)?;
            if claim.kind == TransferKind::Return {
                self.pay_back(books, purse, Brought { transfer, cents: judgement.settled, came_back: true })?;
            }
        }
        Ok(Verdict { settled: judgement.settled, over_right: judgement.over_right()?, why: judgement.why() })
    }

    /// Gives back what of a sale was settled, from the shop to the slice, once.
    fn undo(
        &self,
        books: &mut Books<'_>,
        intake: &mut Intake<'_>,
        key: RowKey,
        undo: &Undo,
    ) -> Result<Verdict, StoreError> {
        let refused = |why| Ok(Verdict { why: Some(why), ..Verdict::default() });
        if intake.record.standing == Standing::Closed {
            return refused(OverRight::EpochClosed);
        }
        let Some(purse) = self.known_purse(intake, undo.purse)? else { return refused(OverRight::UnknownPurse) };
        let id = AccountId::slice(intake.record.number, purse);
        let Some(slice) = self.slice(id)? else { return refused(OverRight::UnknownSlice) };
        let sale = RowKey::new(intake.record.number, undo.sale);
        if self.is_refunded(sale)? {
            return refused(OverRight::RefundedBefore);
        }
        let facts = self.sale_facts(intake.fund.fund, sale, key)?;
        let cents = match undo.judge(facts, slice.reversed_to) {
            Ok(cents) => cents,
            Err(why) => return refused(why),
        };
        self.conn
            .prepare_cached("INSERT INTO reversals (sale, row) VALUES (?1, ?2)")?
            .execute(params![Sql(sale), Sql(key)])?;
        self.conn
            .prepare_cached("UPDATE slices SET reversed_cents = ?2, reversed_to = ?3 WHERE id = ?1")?
            .execute(params![Sql(id), Sql(slice.reversed.plus(cents)?), Sql(undo.stretch.to())])?;
        if !cents.is_zero() {
            let debit = AccountId::payable(intake.record.shop);
            books.post(Entry { debit, credit: id, cents, kind: TransferKind::Reversal, cause: key.get() })?;
        }
        Ok(Verdict { settled: cents, ..Verdict::default() })
    }

    /// What is known of the sale at a place, to a row after it; nothing where no sale from a slice stands there.
    pub(super) fn sale_facts(&self, fund: FundId, sale: RowKey, row: RowKey) -> Result<Option<SaleFacts>, StoreError> {
        if sale >= row {
            return Ok(None);
        }
        let mut read = self.conn.prepare_cached(
            "SELECT settled, envelope, EXISTS (SELECT 1 FROM reversals WHERE sale = ?1 AND row < ?2) FROM rows
             WHERE key = ?1",
        )?;
        let found = read.query_row(params![Sql(sale), Sql(row)], |found| {
            Ok((col::<Cents>(found, 0)?, found.get::<_, Vec<u8>>(1)?, found.get::<_, bool>(2)?))
        });
        let Some((settled, envelope, is_undone)) = found.optional()? else { return Ok(None) };
        let Ok(envelope) = Signed::<Row>::from_bytes(envelope) else { return Ok(None) };
        let Ok(read) = envelope.read_trusted(fund) else { return Ok(None) };
        let RowBody::Sale(sale) = &read.payload().body else { return Ok(None) };
        let facts = SaleFacts { purse: sale.purse, cents: sale.fund_cents()?, settled, is_undone };
        Ok((sale.tier != Tier::Purse).then_some(facts))
    }

    fn known_purse(&self, intake: &mut Intake<'_>, purse: PurseRef) -> Result<Option<PurseNo>, StoreError> {
        if let Some(known) = intake.purses.get(&purse) {
            return Ok(*known);
        }
        let number = self.purse_no(purse)?;
        intake.purses.insert(purse, number);
        Ok(number)
    }
}

impl<'u> Intake<'u> {
    fn new(
        (upload, cards): (&'u Upload, &'u dyn CardWitness),
        fund: FundInfo,
        record: EpochRecord,
        now: Timestamp,
    ) -> Self {
        let outcome = IngestOutcome {
            acked: record.acked,
            backed_up: record.backed_up,
            standing: record.standing,
            new_rows: 0,
            known_rows: 0,
            disputed_rows: 0,
            settled: Cents::ZERO,
            over_right: Cents::ZERO,
            alarms: Vec::new(),
        };
        let (purses, alarms) = (BTreeMap::new(), BTreeMap::new());
        let acked = record.acked;
        Self {
            upload,
            cards,
            fund,
            record,
            acked,
            now,
            purses,
            quarantine: None,
            alarms,
            outcome,
            is_awaited: false,
            places: None,
            grids: BTreeMap::new(),
            new_rows: Vec::new(),
            wakes: Vec::new(),
            is_late: false,
            has_applied: false,
            has_card_rows: false,
            waits: false,
        }
    }

    /// Compares what the terminal believes to be acknowledged with what is. A terminal that is behind catches up by the
    /// answer; one that is ahead, or has another past, cannot be honest, unless this hub was restored meanwhile.
    fn check_base(&mut self) {
        let base = self.upload.base();
        if self.record.standing != Standing::Live {
            return;
        }
        if base.seq == self.acked.seq && base.hash != self.acked.hash {
            self.quarantine(Quarantine::Fork, base.seq);
        }
        if base.seq > self.acked.seq && !self.is_before_restore() {
            self.quarantine(Quarantine::Gap, base.seq);
        }
    }

    fn is_before_restore(&self) -> bool {
        self.upload.incarnation() < self.fund.incarnation
    }

    /// The first reason stays.
    fn quarantine(&mut self, why: Quarantine, seq: Seq) {
        self.quarantine.get_or_insert(why);
        self.alarm(
            match why {
                Quarantine::Fork => AlarmKind::Fork,
                Quarantine::Gap => AlarmKind::Gap,
            },
            seq,
        );
    }

    fn alarm(&mut self, kind: AlarmKind, seq: Seq) {
        let (count, last) = self.alarms.entry(kind).or_insert((0, seq));
        (*count, *last) = (count.saturating_add(1), seq);
    }

    /// Counts a row that was kept.
    fn note(&mut self, row: &UploadRow, verdict: Verdict) -> Result<(), StoreError> {
        self.acked = ChainHead { seq: row.seq(), hash: row.hash() };
        self.outcome.new_rows = self.outcome.new_rows.saturating_add(1);
        let undoes = matches!(row.row().body, RowBody::Reversal(_));
        if !undoes {
            self.outcome.settled = self.outcome.settled.plus(verdict.settled)?;
        }
        self.outcome.over_right = self.outcome.over_right.plus(verdict.over_right)?;
        if let (Some(why), true) = (verdict.why, undoes || !verdict.over_right.is_zero()) {
            self.alarm(AlarmKind::OverRight, row.seq());
            tracing::warn!(
                terminal.id = %self.record.terminal, terminal.epoch = %self.record.epoch, row.seq = %row.seq(),
                over_right_cents = verdict.over_right.get(), reason = %why, "a row claims what it has no right to"
            );
        }
        Ok(())
    }
}

fn upload_has_foreign_rows(intake: &mut Intake<'_>) -> bool {
    let foreign = u64::try_from(intake.upload.not_authentic()).unwrap_or(u64::MAX);
    if foreign > 0 {
        intake.alarms.insert(AlarmKind::NotAuthentic, (foreign, intake.acked.seq));
    }
    foreign > 0
}
