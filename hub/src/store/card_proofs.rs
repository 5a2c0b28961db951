//! What purse cards prove: each transaction that a row tells of is made again from what was signed, and its counter is
//! told of once. A sale that the card did not make is kept and not paid; one whose answer never came is paid and shown.

use cabas_protocol::row::{CardWritten, Row, Sale};
use cabas_protocol::{CardRef, Cents, FundId, RowBody, Seq, Serial, Signed, SignedBalance, Verified};
use rusqlite::{OptionalExtension as _, params};

use super::error::StoreError;
use super::model::{CardFlag, CardProofs, FundInfo};
use super::purse_cards::PurseCard;
use super::sql::{Sql, col};
use super::terminals::EpochRecord;
use super::tx::Tx;
use crate::core::card_proof::{self, Answered, CardWitness, Judged, Proof, answered, record_of};
use crate::core::ledger::{AccountId, EpochNo, RowKey};

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

/// A transaction of a card as it is noted.
struct Commit {
    row: Option<RowKey>,
    intent: Option<RowKey>,
    counter: Option<u32>,
    before: Option<Cents>,
    proof: Proof,
    /// True where the card carried a balance of the hub's present life then.
    is_of_now: bool,
}

/// True for a balance that this life of the hub made: every one after it is kept here.
fn is_of_now(fund: &FundInfo, balance: &[u8]) -> bool {
    let signed = Signed::<SignedBalance>::from_bytes(balance.to_vec()).ok();
    signed.and_then(|signed| signed.peek().ok()).is_some_and(|read| read.head.incarnation == fund.incarnation)
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
        (record, fund, row): (&EpochRecord, &FundInfo, RowKey),
        card: &PurseCard,
        sale: &Sale,
    ) -> Result<Proof, StoreError> {
        let intent = sale.intent.map(|seq| RowKey::new(record.number, seq));
        let (proof, is_of_now) = self.judge_sale(witness, fund, card.id, sale, intent)?;
        let before = sale.spent_after.minus(sale.fund_cents()?)?;
        let counter = answered(sale).map(|answered| answered.counter);
        self.note_commit(card.id, Commit { row: Some(row), intent, counter, before: Some(before), proof, is_of_now })?;
        if let Some(seq) = sale.intent.filter(|_| !proof.is_false()) {
            self.close_record(record.terminal, record.epoch, seq)?;
        }
        if proof.is_flagged() {
            tracing::warn!(
                terminal.id = %record.terminal, terminal.epoch = %record.epoch, row.seq = %row.seq(),
                proof = proof.name(), "a card does not prove a sale"
            );
        }
        Ok(proof)
    }

    /// What a card proves of a sale, and whether it carried a balance of the hub's present life.
    fn judge_sale(
        &self,
        witness: &dyn CardWitness,
        fund: &FundInfo,
        card: AccountId,
        sale: &Sale,
        intent: Option<RowKey>,
    ) -> Result<(Proof, bool), StoreError> {
        // A card that was issued elsewhere proves nothing to this hub.
        let Some(issued) = self.issued(card)? else { return Ok((Proof::Unchecked, false)) };
        let announced = intent.map(|intent| self.row_at(fund.fund, intent)).transpose()?.flatten();
        let record = announced.and_then(|row| record_of(&row, sale));
        let Some(record) = record.filter(|_| issued.card == sale.card) else { return Ok((Proof::Wrong, false)) };
        // One debit is one sale, whatever the card says of it.
        if self.is_sold(intent)? {
            return Ok((Proof::Repeated, false));
        }
        let Some(answered) = answered(sale) else { return Ok((Proof::Missing, false)) };
        let carried = self.envelopes(card, None)?;
        let judged = card_proof::purchase(witness, &issued.uid_sealed, answered, record, &carried);
        self.judged(fund, card, &issued, answered, judged)
    }

    /// Makes a card's MAC of a row again: whether it fits; nothing where the card's key is not at hand.
    pub(super) fn card_made(
        &self,
        witness: &dyn CardWitness,
        fund: FundId,
        card: AccountId,
        row: RowKey,
        body: &RowBody,
    ) -> Result<Option<bool>, StoreError> {
        let Some(issued) = self.issued(card)? else { return Ok(None) };
        let envelopes = self.envelopes(card, None)?;
        let judged = if let RowBody::CardWritten(written) = body {
            let answered = Answered { counter: written.card_counter, mac: written.card_mac.as_slice() };
            card_proof::writing(witness, &issued.uid_sealed, answered, &envelopes)
        } else if let RowBody::Sale(sale) = body {
            let intent = sale.intent.map(|seq| self.row_at(fund, RowKey::new(row.epoch(), seq))).transpose()?.flatten();
            let record = intent.and_then(|intent| record_of(&intent, sale));
            let Some((record, answered)) = record.zip(answered(sale)) else { return Ok(Some(false)) };
            card_proof::purchase(witness, &issued.uid_sealed, answered, record, &envelopes)
        } else {
            return Ok(Some(false));
        };
        Ok(match judged {
            Judged::Fits(_) => Some(true),
            Judged::Not => Some(false),
            Judged::Unknown => None,
        })
    }

    /// Takes a row that says a newer balance was written to a card; false where a person must look.
    pub(super) fn card_written(
        &self,
        witness: &dyn CardWitness,
        fund: &FundInfo,
        row: RowKey,
        written: &CardWritten,
    ) -> Result<bool, StoreError> {
        let Some(purse) = self.purse_no(written.purse)? else { return Ok(false) };
        let Some(card) = self.purse_card(purse)? else { return Ok(false) };
        let answered = Answered { counter: written.card_counter, mac: written.card_mac.as_slice() };
        let (proof, is_of_now) = match self.issued(card.id)? {
            None => (Proof::Unchecked, false),
            Some(issued) if issued.card != written.card => (Proof::Wrong, false),
            Some(issued) => {
                let envelopes = self.envelopes(card.id, Some(written.serial))?;
                let judged = card_proof::writing(witness, &issued.uid_sealed, answered, &envelopes);
                self.judged(fund, card.id, &issued, answered, judged)?
            }
        };
        let counter = Some(written.card_counter);
        self.note_commit(card.id, Commit { row: Some(row), intent: None, counter, before: None, proof, is_of_now })?;
        if proof.is_flagged() {
            let proof = proof.name();
            tracing::warn!(row.key = row.get(), proof, "a card does not prove that a balance was written to it");
        }
        Ok(!proof.is_flagged())
    }

    /// Notes what the hub itself wrote to a card.
    pub(super) fn hub_commit(&self, card: u32, counter: u32) -> Result<(), StoreError> {
        let read = "SELECT id FROM card_balances WHERE card = ?1";
        let account: Option<AccountId> = self.conn.query_row(read, [card], |row| col(row, 0)).optional()?;
        let Some(account) = account.filter(|_| counter > 0) else { return Ok(()) };
        if self.is_counted(account, counter)? {
            return Ok(());
        }
        let proof = Proof::Proven;
        let own = Commit { row: None, intent: None, counter: Some(counter), before: None, proof, is_of_now: true };
        self.note_commit(account, own)
    }

    fn note_commit(&self, card: AccountId, commit: Commit) -> Result<(), StoreError> {
        let Commit { row, intent, counter, before, proof, is_of_now } = commit;
        // A number that no card has says nothing.
        let counter = counter.filter(|counter| *counter > 0);
        self.conn
            .prepare_cached(
                "INSERT INTO card_commits (account, row, intent, counter, before, proof) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![Sql(card), row.map(Sql), intent.map(Sql), counter, before.map(Sql), proof.number()])?;
        if let (Proof::Proven, Some(counter), true) = (proof, counter, is_of_now) {
            // From then on the card carries that balance, or one that was made after it: all of these are kept.
            self.conn
                .prepare_cached("UPDATE card_balances SET sure_from = ?2 WHERE id = ?1 AND sure_from IS NULL")?
                .execute(params![Sql(card), counter])?;
        }
        Ok(())
    }

    /// What is concluded of a MAC that was made again, or could not be.
    fn judged(
        &self,
        fund: &FundInfo,
        card: AccountId,
        issued: &IssuedCard,
        answered: Answered<'_>,
        judged: Judged<'_>,
    ) -> Result<(Proof, bool), StoreError> {
        let proof = match judged {
            _ if answered.counter == 0 => Proof::Wrong,
            Judged::Fits(_) if self.is_counted(card, answered.counter)? => Proof::Repeated,
            Judged::Fits(balance) => return Ok((Proof::Proven, is_of_now(fund, balance))),
            Judged::Not if issued.is_sure(answered.counter) => Proof::Wrong,
            Judged::Not | Judged::Unknown => Proof::Unchecked,
        };
        Ok((proof, false))
    }

    fn is_counted(&self, card: AccountId, counter: u32) -> Result<bool, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM card_commits WHERE account = ?1 AND counter = ?2 AND proof = 1)",
        )?;
        Ok(read.query_row(params![Sql(card), counter], |row| row.get(0))?)
    }

    /// True where a sale of an announced debit has come.
    fn is_sold(&self, intent: Option<RowKey>) -> Result<bool, StoreError> {
        let mut read = self
            .conn
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM card_commits WHERE intent = ?1 AND proof IN (1, 2, 3))")?;
        Ok(read.query_row([intent.map(Sql)], |row| row.get(0))?)
    }

    /// The highest cent that a card is proven to have counted before a sale of another terminal: it cannot have come there
    /// by what one terminal says alone.
    pub(super) fn proven_before(&self, card: AccountId, not_by: EpochNo) -> Result<Cents, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT ifnull(max(before), 0) FROM card_commits WHERE account = ?1 AND proof = 1 AND row >> 32 <> ?2",
        )?;
        Ok(read.query_row(params![Sql(card), Sql(not_by)], |row| col(row, 0))?)
    }

    pub(super) fn row_at(&self, fund: FundId, key: RowKey) -> Result<Option<Row>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT envelope FROM rows WHERE key = ?1")?;
        let envelope: Option<Vec<u8>> = read.query_row([Sql(key)], |row| row.get(0)).optional()?;
        let row = envelope.and_then(|bytes| Signed::<Row>::from_bytes(bytes).ok());
        Ok(row.and_then(|row| row.read_trusted(fund).ok()).map(Verified::into_payload))
    }

    /// What was sent of a card, the newest first.
    fn envelopes(&self, card: AccountId, of: Option<Serial>) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT envelope FROM card_envelopes WHERE account = ?1 AND (?2 IS NULL OR serial = ?2)
             ORDER BY serial DESC LIMIT ?3",
        )?;
        let envelopes = read.query_map(params![Sql(card), of.map(Sql), CARRIED_MAX], |row| row.get(0))?;
        Ok(envelopes.collect::<Result<_, _>>()?)
    }

    /// What a card's transactions come to, as far as the hub has heard of them.
    pub(super) fn proofs_of(&self, card: AccountId) -> Result<CardProofs, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT ifnull(max(counter) FILTER (WHERE proof = 1), 0), count(*) FILTER (WHERE proof = 1),
                count(*) FILTER (WHERE proof = 2), count(*) FILTER (WHERE proof IN (4, 5))
             FROM card_commits WHERE account = ?1",
        )?;
        Ok(read.query_row([Sql(card)], |row| {
            let (counter, told): (u32, u32) = (row.get(0)?, row.get(1)?);
            let unheard = counter.saturating_sub(told);
            Ok(CardProofs { counter, unheard, without_answer: row.get(2)?, refuted: row.get(3)? })
        })?)
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

    /// Claims up to this one came before proofs were noted.
    pub(super) fn unproven_claims(&self) -> Result<u64, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT claims_upto FROM card_proofs_since")?;
        Ok(read.query_row([], |row| col(row, 0))?)
    }

    /// The proof that was noted of a row; nothing where it is none of a card.
    pub(super) fn noted_proof(&self, row: RowKey) -> Result<Option<Proof>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT proof FROM card_commits WHERE row = ?1")?;
        let number: Option<u8> = read.query_row([Sql(row)], |found| found.get(0)).optional()?;
        Ok(number.and_then(Proof::of_number))
    }
}
