//! What is exchanged with a card after a purchase: a newer balance that was written to it, and the records of other
//! terminals that it carries to the hub.

use super::Journal;
use super::append::Writer;
use super::error::JournalError;
use super::sales::{PresentedBy, known_of};
use crate::core::ages::Moment;
use cabas_card::commands::Committed;
use cabas_card::layout::{RECORD_BYTES, Record};
use cabas_protocol::row::{CardWritten, Courier, Origin, RowBody};
use cabas_protocol::{CardRef, Epoch, PurseRef, Seq, Serial, TerminalId};
use minicbor::bytes::ByteVec;
use rusqlite::params;

/// Records that are taken along at one tap: as many as a card keeps.
pub const COURIERED_MAX: usize = 15;

impl Journal {
    /// Writes down that a newer balance stands on a card: a transaction of the card's own count.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn card_written(
        &mut self,
        now: Moment,
        card: CardRef,
        purse: PurseRef,
        serial: Serial,
        proof: Committed,
    ) -> Result<Seq, JournalError> {
        let card_mac = ByteVec::from(proof.mac.to_vec());
        let row = CardWritten { card, purse, serial, card_counter: proof.counter, card_mac };
        self.write(now, |writer| writer.append(RowBody::CardWritten(row), None))
    }

    /// Takes along the records of other terminals, each once: how many were new.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn courier(
        &mut self,
        now: Moment,
        card: PresentedBy,
        records: &[[u8; RECORD_BYTES]],
    ) -> Result<usize, JournalError> {
        let new = self.read(|db, state| {
            let me = state.id.me();
            let mut select =
                db.prepare_cached("SELECT EXISTS (SELECT 1 FROM couriers WHERE card = ?1 AND record = ?2)")?;
            let mut new = Vec::new();
            for bytes in records.iter().take(COURIERED_MAX) {
                let Ok(record) = Record::parse(bytes) else { continue };
                let mine = (record.terminal, record.epoch) == (me.terminal.get(), me.epoch.get());
                if !mine && !select.query_row(params![card.card.as_bytes(), bytes], |row| row.get(0))? {
                    new.push((record, *bytes));
                }
            }
            Ok((new, known_of(db, state, now, card)?.purse))
        })?;
        // Nothing new is no commit.
        let (records, Some(purse)) = new else { return Ok(0) };
        if records.is_empty() {
            return Ok(0);
        }
        self.write(now, |writer| {
            for (record, bytes) in &records {
                writer.courier(card.card, purse, *record, bytes)?;
            }
            Ok(records.len())
        })
    }
}

impl Writer<'_> {
    fn courier(
        &mut self,
        card: CardRef,
        purse: PurseRef,
        record: Record,
        bytes: &[u8; RECORD_BYTES],
    ) -> Result<(), JournalError> {
        let origin = Origin {
            terminal: TerminalId::new(record.terminal),
            epoch: Epoch::new(record.epoch),
            seq: Seq::new(record.seq),
        };
        let row = Courier { origin, card, purse, record: ByteVec::from(bytes.to_vec()) };
        let seq = self.append(RowBody::Courier(row), None)?;
        let mut insert =
            self.tx.prepare_cached("INSERT OR IGNORE INTO couriers (card, record, seq) VALUES (?1, ?2, ?3)")?;
        insert.execute(params![card.as_bytes(), bytes, seq.get()])?;
        Ok(())
    }
}
