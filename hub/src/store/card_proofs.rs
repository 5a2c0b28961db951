//! What purse cards prove: each transaction that a row tells of is made again from what was signed, and its counter is
//! told of once. A sale that the card did not make is kept and not paid; one whose answer never came is paid and shown.

use cabas_protocol::row::{CardWritten, Row, Sale};
use cabas_protocol::{CardRef, Cents, FundId, Seq, Serial, Signed, SignedBalance, Verified};
use rusqlite::{OptionalExtension as _, params};

use super::error::StoreError;
use super::model::{CardFlag, CardProofs};
use super::purse_cards::PurseCard;
use super::sql::{Sql, col};
use super::terminals::EpochRecord;
use super::tx::Tx;
use crate::core::card_proof::{self, Answered, CardWitness, Proof, answered, record_of};
use crate::core::ledger::{AccountId, RowKey};

/// Balances that a card may carry and that are tried, the newest first: those of years.
pub(super) const CARRIED_MAX: u32 = 1_000;

/// A card as its issue left it, and what was sent of its balances.
pub(super) struct IssuedCard {
    pub(super) card: CardRef,
    pub(super) uid_sealed: Vec<u8>,
    /// Above this counter a balance that the card carries is kept here; none where it may not be.
    sure_from: Option<u32>,
}

impl IssuedCard {
    /// True where every balance that the card may have carried is kept.
    fn is_sure(&self, counter: u32) -> bool {
        self.sure_from.is_some_and(|from| counter > from)
    }
}

impl Tx<'_> {
    /// Keeps a balance of a purse card as it is sent; the same again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn card_envelope(&self, balance: &Signed<SignedBalance>) -> Result<(), StoreError> {
        let read = balance.peek().map_err(|_| StoreError::Damaged("a balance that was signed here"))?;
        let Some(purse) = self.purse_no(read.purse)? else { return Ok(()) };
        self.keep_envelope(AccountId::card(purse), read.serial, balance.as_bytes())
    }

    /// The same, where its account is known.
    pub(super) fn keep_envelope(&self, card: AccountId, serial: Serial, envelope: &[u8]) -> Result<(), StoreError> {
        self.conn
            .prepare_cached("INSERT OR IGNORE INTO card_envelopes (account, serial, envelope) VALUES (?1, ?2, ?3)")?
            .execute(params![Sql(card), Sql(serial), envelope])?;
        Ok(())
    }

    /// A card that this hub issued.
    pub(super) fn issued(&self, account: AccountId) -> Result<Option<IssuedCard>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT cards.ref, uid_sealed, sure_from FROM card_balances
             JOIN issued_cards ON issued_cards.card = card_balances.card JOIN cards ON cards.number = card_balances.card
             WHERE card_balances.id = ?1",
        )?;
        let issued = read.query_row([Sql(account)], |row| {
            Ok(IssuedCard { card: col(row, 0)?, uid_sealed: row.get(1)?, sure_from: row.get(2)? })
        });
        Ok(issued.optional()?)
    }

    /// Judges what a card proves of a sale, and notes it.
    pub(super) fn sale_proof(
        &self,
        witness: &dyn CardWitness,
        (record, fund, row): (&EpochRecord, FundId, RowKey),
        card: &PurseCard,
        sale: &Sale,
    ) -> Result<Proof, StoreError> {
        let intent = sale.intent.map(|seq| RowKey::new(record.number, seq));
        let proof = self.judge_sale(witness, fund, card.id, sale, intent)?;
        self.note_commit(card.id, Some(row), intent, sale.card_counter, proof)?;
        if proof.is_flagged() {
            tracing::warn!(
                terminal.id = %record.terminal, terminal.epoch = %record.epoch, row.seq = %row.seq(), card = %sale.card,
                fund_cents = sale.fund_cents()?.get(), proof = proof.name(), "a card does not prove a sale"
            );
        }
        Ok(proof)
    }

    fn judge_sale(
        &self,
        witness: &dyn CardWitness,
        fund: FundId,
        card: AccountId,
        sale: &Sale,
        intent: Option<RowKey>,
    ) -> Result<Proof, StoreError> {
        let Some(issued) = self.issued(card)? else { return self.judge_unknown(card, answered(sale)) };
        // One debit is one sale, whatever the card says of it.
        if issued.card != sale.card || self.is_sold(intent)? {
            return Ok(if issued.card == sale.card { Proof::Repeated } else { Proof::Wrong });
        }
        let Some(answered) = answered(sale) else { return Ok(Proof::Missing) };
        let announced = intent.map(|intent| self.row_at(fund, intent)).transpose()?.flatten();
        let Some(record) = announced.and_then(|row| record_of(&row, sale)) else { return Ok(Proof::Wrong) };
        let carried = self.envelopes(card, None)?;
        let judged = card_proof::purchase(witness, &issued.uid_sealed, answered, record, &carried);
        self.judged(card, answered, judged, issued.is_sure(answered.counter))
    }

    /// A card that was issued elsewhere proves nothing to this hub but that its counter rises.
    fn judge_unknown(&self, card: AccountId, answered: Option<Answered<'_>>) -> Result<Proof, StoreError> {
        answered.map_or(Ok(Proof::Unchecked), |answered| self.judged(card, answered, None, false))
    }

    /// Takes a row that says a newer balance was written to a card; false where a person must look.
    pub(super) fn card_written(
        &self,
        witness: &dyn CardWitness,
        row: RowKey,
        written: &CardWritten,
    ) -> Result<bool, StoreError> {
        let Some(purse) = self.purse_no(written.purse)? else { return Ok(false) };
        let Some(card) = self.purse_card(purse)? else { return Ok(false) };
        let answered = Answered { counter: written.card_counter, mac: written.card_mac.as_slice() };
        let proof = match self.issued(card.id)? {
            None => self.judge_unknown(card.id, Some(answered))?,
            Some(issued) if issued.card != written.card => Proof::Wrong,
            Some(issued) => {
                let envelopes = self.envelopes(card.id, Some(written.serial))?;
                let judged = card_proof::writing(witness, &issued.uid_sealed, answered, &envelopes);
                self.judged(card.id, answered, judged, issued.is_sure(answered.counter))?
            }
        };
        self.note_commit(card.id, Some(row), None, Some(written.card_counter), proof)?;
        if proof.is_flagged() {
            tracing::warn!(
                row.key = row.get(), card = %written.card, proof = proof.name(), "a card does not prove a balance written to it"
            );
        }
        Ok(!proof.is_flagged())
    }

    /// Notes what the hub itself wrote to a card.
    pub(super) fn hub_commit(&self, card: u32, counter: u32) -> Result<(), StoreError> {
        let read = "SELECT id FROM card_balances WHERE card = ?1";
        let account: Option<AccountId> = self.conn.query_row(read, [card], |row| col(row, 0)).optional()?;
        match account {
            Some(account) if !self.is_counted(account, counter)? => {
                self.note_commit(account, None, None, Some(counter), Proof::Proven)
            }
            Some(_) | None => Ok(()),
        }
    }

    fn note_commit(
        &self,
        card: AccountId,
        row: Option<RowKey>,
        intent: Option<RowKey>,
        counter: Option<u32>,
        proof: Proof,
    ) -> Result<(), StoreError> {
        // A number that no card has says nothing, and what is not the card's is not counted.
        let counter = counter.filter(|counter| *counter > 0);
        self.conn
            .prepare_cached(
                "INSERT INTO card_commits (account, row, intent, counter, proof) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![Sql(card), row.map(Sql), intent.map(Sql), counter, proof.number()])?;
        if let (Proof::Proven, Some(counter)) = (proof, counter) {
            // A card carries what it carried then, or what was written to it since.
            self.conn
                .prepare_cached(
                    "UPDATE card_balances SET sure_from = min(ifnull(sure_from, ?2), ?2) WHERE id = ?1
                        AND (sure_from IS NULL OR sure_from > ?2)",
                )?
                .execute(params![Sql(card), counter])?;
        }
        Ok(())
    }

    /// What is concluded of a MAC that was made again, or could not be.
    fn judged(
        &self,
        card: AccountId,
        answered: Answered<'_>,
        judged: Option<bool>,
        is_sure: bool,
    ) -> Result<Proof, StoreError> {
        Ok(match judged {
            Some(false) if is_sure => Proof::Wrong,
            Some(_) | None if answered.counter == 0 => Proof::Wrong,
            Some(_) | None if self.is_counted(card, answered.counter)? => Proof::Repeated,
            Some(true) => Proof::Proven,
            Some(false) | None => Proof::Unchecked,
        })
    }

    fn is_counted(&self, card: AccountId, counter: u32) -> Result<bool, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM card_commits WHERE account = ?1 AND counter = ?2 AND proof IN (1, 3))",
        )?;
        Ok(read.query_row(params![Sql(card), counter], |row| row.get(0))?)
    }

    /// True where a sale of an announced debit has come.
    pub(super) fn is_sold(&self, intent: Option<RowKey>) -> Result<bool, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM card_commits WHERE intent = ?1)")?;
        Ok(read.query_row([intent.map(Sql)], |row| row.get(0))?)
    }

    fn row_at(&self, fund: FundId, key: RowKey) -> Result<Option<Row>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT envelope FROM rows WHERE key = ?1")?;
        let envelope: Option<Vec<u8>> = read.query_row([Sql(key)], |row| row.get(0)).optional()?;
        let row = envelope.and_then(|bytes| Signed::<Row>::from_bytes(bytes).ok());
        Ok(row.and_then(|row| row.read_trusted(fund).ok()).map(Verified::into_payload))
    }

    /// What was sent of a card, oldest first.
    fn envelopes(&self, card: AccountId, of: Option<Serial>) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT envelope FROM card_envelopes WHERE account = ?1 AND (?2 IS NULL OR serial = ?2)
             ORDER BY serial DESC LIMIT ?3",
        )?;
        let newest_first = read.query_map(params![Sql(card), of.map(Sql), CARRIED_MAX], |row| row.get(0))?;
        let mut envelopes = newest_first.collect::<Result<Vec<_>, _>>()?;
        envelopes.reverse();
        Ok(envelopes)
    }

    /// What a card's transactions come to, as far as the hub has heard of them.
    pub(super) fn proofs_of(&self, card: AccountId) -> Result<CardProofs, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT ifnull(max(counter), 0), count(DISTINCT counter), count(*) FILTER (WHERE proof = 2),
                count(*) FILTER (WHERE proof IN (4, 5)) FROM card_commits WHERE account = ?1 AND proof <> 4",
        )?;
        let mut read_false =
            self.conn.prepare_cached("SELECT count(*) FROM card_commits WHERE account = ?1 AND proof IN (4, 5)")?;
        let (newest, known, missing): (u32, u32, u32) =
            read.query_row([Sql(card)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let refuted = read_false.query_row([Sql(card)], |row| row.get(0))?;
        Ok(CardProofs { counter: newest, unheard: newest.saturating_sub(known), without_answer: missing, refuted })
    }

    /// Rows whose card did not prove what they say, the newest first.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Damaged`].
    pub fn card_flags(&self, limit: u32) -> Result<Vec<CardFlag>, StoreError> {
        let mut read = self.conn.prepare(
            "SELECT card_balances.card, epochs.terminal, epochs.epoch, card_commits.row & 4294967295, rows.settled,
                rows.over_right, card_commits.counter, card_commits.proof, rows.received_at
             FROM card_commits JOIN card_balances ON card_balances.id = card_commits.account
             JOIN rows ON rows.key = card_commits.row JOIN epochs ON epochs.number = card_commits.row >> 32
             WHERE proof IN (2, 4, 5) ORDER BY card_commits.id DESC LIMIT ?1",
        )?;
        let mut rows = read.query([limit])?;
        let mut flags = Vec::new();
        while let Some(row) = rows.next()? {
            let (settled, over_right): (Cents, Cents) = (col(row, 4)?, col(row, 5)?);
            flags.push(CardFlag {
                card: row.get(0)?,
                terminal: col(row, 1)?,
                epoch: col(row, 2)?,
                seq: col::<Seq>(row, 3)?,
                cents: settled.plus(over_right)?,
                settled,
                counter: row.get(6)?,
                proof: Proof::of_number(row.get(7)?).ok_or(StoreError::Damaged("a proof"))?,
                received_at: col(row, 8)?,
            });
        }
        Ok(flags)
    }

    /// The proof that was noted of a row; nothing where it is none of a card.
    pub(super) fn noted_proof(&self, row: RowKey) -> Result<Option<Proof>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT proof FROM card_commits WHERE row = ?1")?;
        let number: Option<u8> = read.query_row([Sql(row)], |found| found.get(0)).optional()?;
        Ok(number.and_then(Proof::of_number))
    }
}
