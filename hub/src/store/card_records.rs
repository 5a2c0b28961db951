//! The card as courier: records of sales that a card brought to another terminal than the one that sold. A record proves the
//! debit, not that goods were given: it is provisional until the row of its terminal comes, or that terminal's epoch is
//! closed. Then the shop is paid by the record alone, once, as far as another terminal proves what the card had counted.

use cabas_card::layout::{RECORD_BYTES, Record};
use cabas_protocol::row::Courier;
use cabas_protocol::sync::Standing;
use cabas_protocol::{Cents, Epoch, Seq, Serial, TerminalId, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::error::StoreError;
use super::ingest::Verdict;
use super::ledger::Books;
use super::model::{CarriedReport, CarriedView};
use super::sql::{Sql, col};
use super::terminals::standing_number;
use super::tx::Tx;
use crate::core::card_proof::{CardWitness, Proof};
use crate::core::claims::Stretch;
use crate::core::ledger::{AccountId, Entry, EpochNo, OverRight, RowKey, ShopNo, TransferKind};

/// A record that is kept, as it is booked.
pub(super) struct Carried {
    pub(super) id: u64,
    pub(super) account: AccountId,
    pub(super) cents: Cents,
    pub(super) spent_after: Cents,
    pub(super) serial: Serial,
}

impl Carried {
    /// What it claims of the card's counter.
    pub(super) fn stretch(&self) -> Result<Stretch, StoreError> {
        Ok(Stretch::ending_at(self.spent_after, self.cents)?)
    }
}

impl Tx<'_> {
    /// Keeps a record that a card brought, once; false where a person must look. The bytes alone say what it is.
    pub(super) fn courier(
        &self,
        witness: &dyn CardWitness,
        row: RowKey,
        courier: &Courier,
    ) -> Result<bool, StoreError> {
        let Some(purse) = self.purse_no(courier.purse)? else { return Ok(false) };
        let account = AccountId::card(purse);
        let bytes: Option<&[u8; RECORD_BYTES]> = courier.record.as_slice().try_into().ok();
        let record = bytes.and_then(|bytes| Some((bytes, Record::parse(bytes).ok()?)));
        let (Some((bytes, record)), Some(_)) = (record, self.purse_card(purse)?) else { return Ok(false) };
        let issued = self.issued(account)?;
        let made = issued.as_ref().and_then(|issued| witness.record(&issued.uid_sealed, record));
        let proof = match made {
            None => Proof::Unchecked,
            Some(made) if made == *bytes && !self.is_recorded_otherwise(&record, bytes)? => Proof::Proven,
            Some(_) => Proof::Wrong,
        };
        let mut insert = self.conn.prepare_cached(
            "INSERT INTO card_records (account, row, terminal, epoch, seq, cents, spent_after, serial, sold_at, proof, record)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (account, record, proof) DO NOTHING
             RETURNING id",
        )?;
        let values = params![
            Sql(account),
            Sql(row),
            record.terminal,
            record.epoch,
            record.seq,
            record.cents,
            record.spent_after,
            record.serial,
            record.time_s,
            proof.number(),
            bytes.as_slice(),
        ];
        let new: Option<u64> = insert.query_row(values, |row| col(row, 0)).optional()?;
        if let Some(id) = new.filter(|_| proof == Proof::Proven) {
            self.open_record(id, &record)?;
        }
        let (named, of_card) = (courier.origin, issued.map(|issued| issued.card));
        let is_named = (named.terminal.get(), named.epoch.get(), named.seq.get())
            == (record.terminal, record.epoch, record.seq)
            && of_card.is_none_or(|card| card == courier.card);
        if proof.is_flagged() || !is_named {
            tracing::warn!(
                row.key = row.get(),
                terminal.id = record.terminal,
                "a record of a card is not of the terminal or the card that it is said to be of"
            );
        }
        Ok(!proof.is_flagged() && is_named)
    }

    /// True where another authentic record names the same debit.
    fn is_recorded_otherwise(&self, record: &Record, bytes: &[u8; RECORD_BYTES]) -> Result<bool, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM card_records WHERE terminal = ?1 AND epoch = ?2 AND seq = ?3 AND proof = 1
                AND record <> ?4)",
        )?;
        let values = params![record.terminal, record.epoch, record.seq, bytes.as_slice()];
        Ok(read.query_row(values, |row| row.get(0))?)
    }

    /// A record waits for its terminal's row, unless that has come.
    fn open_record(&self, id: u64, record: &Record) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO open_records (record) SELECT ?1 WHERE NOT EXISTS (
                    SELECT 1 FROM card_commits JOIN epochs ON epochs.number = intent >> 32
                    WHERE terminal = ?2 AND epoch = ?3 AND intent = (epochs.number << 32) | ?4
                        AND card_commits.proof IN (1, 2, 3))",
            )?
            .execute(params![Sql(id), record.terminal, record.epoch, record.seq])?;
        Ok(())
    }

    /// The terminal's own row of a debit has come.
    pub(super) fn close_record(&self, terminal: TerminalId, epoch: Epoch, seq: Seq) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "DELETE FROM open_records WHERE record = (
                    SELECT id FROM card_records WHERE terminal = ?1 AND epoch = ?2 AND seq = ?3 AND proof = 1)",
            )?
            .execute(params![Sql(terminal), Sql(epoch), Sql(seq)])?;
        Ok(())
    }

    /// Books the sales of closed epochs that only cards told of, each once: gives what was settled. After a restore it waits
    /// until the balances are known again.
    pub(super) fn book_carried(&self, books: &mut Books<'_>, now: Timestamp) -> Result<Cents, StoreError> {
        if self.is_restoring()? {
            return Ok(Cents::ZERO);
        }
        let mut settled = Cents::ZERO;
        for (shop, epoch, carried) in self.final_records()? {
            // A record says what its terminal says: the card must be proven to have counted so far, at another one.
            if carried.spent_after <= self.proven_before(carried.account, epoch)? {
                settled = settled.plus(self.book_one(books, shop, &carried, now)?)?;
            }
        }
        Ok(settled)
    }

    /// Open records of closed epochs. One that was announced in a row and followed by others without a sale was in doubt:
    /// no goods were given for it.
    fn final_records(&self) -> Result<Vec<(ShopNo, EpochNo, Carried)>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT terminals.shop, epochs.number, card_records.id, account, cents, spent_after, serial FROM open_records
             JOIN card_records ON card_records.id = open_records.record
             JOIN epochs ON epochs.terminal = card_records.terminal AND epochs.epoch = card_records.epoch
             JOIN closings ON closings.epoch = epochs.number AND closings.state = 1
             JOIN terminals ON terminals.number = epochs.terminal
             WHERE standing = ?1 AND seq >= at_seq ORDER BY account, spent_after",
        )?;
        let records = read.query_map([standing_number(Standing::Closed)], |row| {
            let carried = Carried {
                id: col(row, 2)?,
                account: col(row, 3)?,
                cents: col(row, 4)?,
                spent_after: col(row, 5)?,
                serial: col(row, 6)?,
            };
            Ok((col(row, 0)?, col(row, 1)?, carried))
        })?;
        Ok(records.collect::<Result<_, _>>()?)
    }

    fn book_one(
        &self,
        books: &mut Books<'_>,
        shop: ShopNo,
        carried: &Carried,
        now: Timestamp,
    ) -> Result<Cents, StoreError> {
        let place: u64 =
            self.conn.query_row("SELECT ifnull(max(place), 0) + 1 FROM carried_sales", [], |row| col(row, 0))?;
        let verdict = self.judge_carried(books, carried)?;
        let Verdict { settled, over_right, why } = verdict;
        self.conn
            .prepare_cached(
                "INSERT INTO carried_sales (place, record, shop, settled, over_right, why, booked_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                Sql(place),
                Sql(carried.id),
                Sql(shop),
                Sql(settled),
                Sql(over_right),
                why.map_or(0, OverRight::number),
                Sql(now)
            ])?;
        self.conn.prepare_cached("DELETE FROM open_records WHERE record = ?1")?.execute([Sql(carried.id)])?;
        self.conn
            .prepare_cached("INSERT INTO card_claims (account, row, carried) VALUES (?1, 0, ?2)")?
            .execute(params![Sql(carried.account), Sql(place)])?;
        if !settled.is_zero() {
            let (debit, credit) = (carried.account, AccountId::payable(shop));
            books.post(Entry { debit, credit, cents: settled, kind: TransferKind::CarriedSale, cause: place })?;
        }
        tracing::warn!(
            shop.number = shop.get(),
            settled_cents = settled.get(),
            over_right_cents = over_right.get(),
            "a sale was booked that only a card told of"
        );
        Ok(settled)
    }

    fn judge_carried(&self, books: &mut Books<'_>, carried: &Carried) -> Result<Verdict, StoreError> {
        let over = |why| Ok(Verdict::over(carried.cents, why));
        let purse = carried.account.purse_no().ok_or(StoreError::Damaged("a purse card"))?;
        let card = self.purse_card(purse)?.ok_or(StoreError::Damaged("a purse card"))?;
        if card.is_released {
            return over(OverRight::CardReleased);
        }
        let Some(allowed) = self.allowed_by(card.id, carried.serial)? else { return over(OverRight::UnknownSerial) };
        let account = books.account(card.id)?;
        let judged = self.claim(card.id, card.unclaimed, account.debits, carried.stretch()?, allowed)?;
        Ok(Verdict { settled: judged.settled, over_right: judged.over_right()?, why: judged.why() })
    }

    /// What cards told of a terminal's sales, and what is missing of them.
    ///
    /// # Errors
    /// [`StoreError::UnknownTerminal`], [`StoreError::Sqlite`].
    pub fn carried_report(&self, terminal: TerminalId) -> Result<CarriedReport, StoreError> {
        self.terminal_shop(terminal)?;
        let mut read = self.conn.prepare(
            "SELECT card_records.epoch, card_records.seq, card_balances.card, cents, spent_after, sold_at,
                card_records.proof, carried_sales.settled,
                carried_sales.place IS NULL AND proof = 1
                    AND NOT EXISTS (SELECT 1 FROM open_records WHERE record = card_records.id)
             FROM card_records JOIN card_balances ON card_balances.id = card_records.account
             LEFT JOIN carried_sales ON carried_sales.record = card_records.id
             WHERE card_records.terminal = ?1 ORDER BY card_records.epoch, card_records.seq",
        )?;
        let mut rows = read.query([Sql(terminal)])?;
        let mut report = CarriedReport { terminal, ..CarriedReport::default() };
        while let Some(row) = rows.next()? {
            let proof = Proof::of_number(row.get(6)?).ok_or(StoreError::Damaged("a proof"))?;
            let (settled, is_told): (Option<i64>, bool) = (row.get(7)?, row.get(8)?);
            let view = CarriedView {
                epoch: col(row, 0)?,
                seq: col::<Seq>(row, 1)?,
                card: row.get(2)?,
                cents: col(row, 3)?,
                spent_after: col(row, 4)?,
                sold_at: col(row, 5)?,
                proof,
                booked: settled.map(|_| col(row, 7)).transpose()?,
                is_told,
            };
            report.add(view)?;
        }
        let (unclaimed, cards, unseen) = self.unclaimed_of_cards(terminal)?;
        (report.unclaimed, report.unclaimed_cards, report.unseen_cards) = (unclaimed, cards, unseen);
        Ok(report)
    }

    /// Of all cards: what they counted and nobody told of, of how many; and how many were not seen anywhere since the
    /// terminal called last, so that they may still bring something.
    fn unclaimed_of_cards(&self, terminal: TerminalId) -> Result<(Cents, u32, u32), StoreError> {
        let read = "SELECT ifnull(sum(unclaimed_cents), 0), count(*) FROM card_balances WHERE unclaimed_cents > 0";
        let (cents, cards) = self.conn.query_row(read, [], |row| Ok((col(row, 0)?, row.get(1)?)))?;
        let read = "SELECT count(*) FROM card_balances WHERE serial > 0 AND NOT EXISTS (
                SELECT 1 FROM card_commits JOIN rows ON rows.key = card_commits.row
                    JOIN epochs ON epochs.number = card_commits.row >> 32
                WHERE account = card_balances.id AND epochs.terminal <> ?1 AND rows.received_at > ifnull(
                    (SELECT max(contact_at) FROM contacts JOIN epochs ON epochs.number = contacts.epoch
                        WHERE terminal = ?1), 0))";
        let unseen = self.conn.query_row(read, [Sql(terminal)], |row| row.get(0))?;
        Ok((cents, cards, unseen))
    }
}
