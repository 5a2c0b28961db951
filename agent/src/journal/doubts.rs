//! The end of a debit: proven by the card, or in doubt until the same card says at its next tap what became of it. Each
//! intent ends once, and a sale is written down once.

use super::Journal;
use super::append::Writer;
use super::error::JournalError;
use super::sales::{SaleRecord, is_hot, record, sale_columns};
use super::undo::body;
use crate::core::ages::Moment;
use crate::core::authorize::TerminalState;
use crate::core::purse::{Announced, Answer, Resolution, accounts_for, resolve};
use cabas_card::commands::Committed;
use cabas_card::layout::{RECORD_BYTES, Record};
use cabas_card::tmac::UID_BYTES;
use cabas_protocol::row::{DoubtResolved, Origin, RowBody, Sale};
use cabas_protocol::{CardRef, Cents, MoneyError, RequestId, Seq, Timestamp, codec};
use minicbor::bytes::ByteVec;
use rusqlite::{Connection, OptionalExtension as _, params};
use std::sync::Arc;

/// Doubts that are kept at hand for the screen, the newest first; the file has them all.
pub const DOUBTS_MAX: u32 = 100;
/// Bytes of a sale's contents: a row has at most 1 KiB.
const SALE_BYTES_MAX: usize = 1024;
const DOUBT_COLUMNS: &str = "SELECT intents.seq, coalesce(doubt, intents.seq), intents.request, intents.till_ref, sale, at \
                             FROM intents JOIN rows ON rows.seq = intents.seq";

/// A debit that was announced, and of which no end is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Doubt {
    /// The row that announced it; the record on the card names it.
    pub intent: Seq,
    /// The row that says that nobody knows; the intent's own where none was written.
    pub row: Seq,
    /// The operation that it is for.
    pub request: RequestId,
    /// The till's own reference.
    pub till_ref: Option<String>,
    /// The sale, should the card have been debited.
    pub sale: Sale,
    /// When it was announced, in hub time.
    pub at: Timestamp,
}

impl Doubt {
    /// What it was to take, from where.
    ///
    /// # Errors
    /// [`MoneyError`] for a sale whose amounts do not add up.
    pub fn announced(&self) -> Result<Announced, MoneyError> {
        let cents = self.sale.fund_cents()?;
        Ok(Announced { spent_before: self.sale.spent_after.minus(cents)?, cents })
    }
}

/// What a card says of its past, by a session that proved it.
#[derive(Clone)]
pub struct CardSays {
    /// Its UID.
    pub uid: [u8; UID_BYTES],
    /// Its counter.
    pub spent: u32,
    /// Its records, oldest first.
    pub records: Vec<[u8; RECORD_BYTES]>,
}

/// The UID is hidden.
impl std::fmt::Debug for CardSays {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CardSays").field("spent", &self.spent).finish_non_exhaustive()
    }
}

/// How a doubt was settled.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Settled {
    /// The card was debited: this is the sale, durable.
    Debited(SaleRecord),
    /// It was not.
    NotDebited,
    /// The card does not tell.
    Open,
}

impl Journal {
    /// Writes the sale down that the card has proven. When this returns the row is durable. Asked again, it gives the row.
    ///
    /// # Errors
    /// [`JournalError`]: the intent stands, and is a doubt until the card comes again.
    pub fn prove(&mut self, now: Moment, intent: Seq, proof: Committed) -> Result<SaleRecord, JournalError> {
        self.write(now, |writer| match writer.ended(intent)? {
            Some(Settled::Debited(record)) => Ok(record),
            Some(Settled::NotDebited | Settled::Open) => {
                Err(JournalError::Inconsistent("a card proves a debit that was resolved as not made"))
            }
            None => {
                let doubt = writer.open_doubt(intent)?;
                writer.sell_debited(doubt, Some(proof))
            }
        })
    }

    /// Writes down that the end of a debit is not known.
    ///
    /// # Errors
    /// [`JournalError`]: the intent stands, and is a doubt all the same.
    pub fn doubt(&mut self, now: Moment, intent: Seq) -> Result<(), JournalError> {
        self.write(now, |writer| {
            writer.write_doubt(intent)?;
            writer.keep_doubts()
        })
    }

    /// Writes down that a debit did not happen: the card was never asked to commit it.
    ///
    /// # Errors
    /// [`JournalError`]: the intent stands, and is a doubt until the card comes again.
    pub fn not_debited(&mut self, now: Moment, intent: Seq) -> Result<Settled, JournalError> {
        self.write(now, |writer| writer.resolve(intent, false))
    }

    /// Settles a doubt by what the same card says. Where it was debited the sale is written down, once; where this returns
    /// [`Settled::Debited`] its row is durable.
    ///
    /// # Errors
    /// [`JournalError`]: the doubt stands.
    pub fn settle(&mut self, now: Moment, intent: Seq, says: &CardSays) -> Result<Settled, JournalError> {
        self.write(now, |writer| {
            if let Some(ended) = writer.ended(intent)? {
                return Ok(ended);
            }
            let doubt = writer.open_doubt(intent)?;
            let (announced, spent) = (doubt.announced()?, Cents::new(says.spent.into())?);
            let me = writer.state.id.me();
            let mut records: Vec<_> = says.records.iter().filter_map(|bytes| Record::parse(bytes).ok()).collect();
            // A record in this terminal's name that is not its own tells nothing.
            records.retain(|record| (record.terminal, record.epoch) != (me.terminal.get(), me.epoch.get()));
            let answer = Answer {
                spent,
                has_record: writer.has_record(intent, says)?,
                others_account: accounts_for(announced.spent_before, spent, &records),
            };
            match resolve(announced, answer) {
                // A sale of now would not be honoured; the fund has given the money back, or can.
                Resolution::Debited if !writer.may_sell_late(&doubt)? => Ok(Settled::Open),
                Resolution::Debited => writer.resolve(intent, true),
                Resolution::NotDebited => writer.resolve(intent, false),
                Resolution::Open => Ok(Settled::Open),
            }
        })
    }

    /// The open doubt of a request.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn find_doubt(&mut self, request: RequestId) -> Result<Option<Doubt>, JournalError> {
        self.read(|db, _| {
            let mut select =
                db.prepare_cached(&format!("{DOUBT_COLUMNS} WHERE intents.request = ?1 AND ended IS NULL"))?;
            let found = select.query_row([request.as_bytes()], doubt_columns).optional()?;
            found.map(doubt).transpose()
        })
    }
}

type DoubtColumns = (u32, u32, [u8; 8], Option<String>, Vec<u8>, u64);

fn doubt_columns(row: &rusqlite::Row<'_>) -> rusqlite::Result<DoubtColumns> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
}

fn doubt((intent, row, request, till_ref, sale, at): DoubtColumns) -> Result<Doubt, JournalError> {
    let sale = codec::decode(&sale, SALE_BYTES_MAX)
        .map_err(|_| JournalError::Inconsistent("what an intent is for cannot be read"))?;
    let (request, at) = (RequestId::new(request), Timestamp::new(at));
    Ok(Doubt { intent: Seq::new(intent), row: Seq::new(row), request, till_ref, sale, at })
}

/// The debit of a card of which no end is known: one at the most.
pub(super) fn open_doubt_of(db: &Connection, card: CardRef) -> Result<Option<Doubt>, JournalError> {
    let mut select = db.prepare_cached(&format!("{DOUBT_COLUMNS} WHERE intents.card = ?1 AND ended IS NULL"))?;
    let found = select.query_row([card.as_bytes()], doubt_columns).optional()?;
    found.map(doubt).transpose()
}

/// The debits of which it is written down that no end is known, newest first.
pub(super) fn load_doubts(db: &Connection) -> Result<Vec<Doubt>, JournalError> {
    let mut select = db.prepare_cached(&format!(
        "{DOUBT_COLUMNS} WHERE ended IS NULL AND doubt IS NOT NULL ORDER BY intents.seq DESC LIMIT ?1"
    ))?;
    let found = select.query_map([DOUBTS_MAX], doubt_columns)?.collect::<Result<Vec<_>, _>>()?;
    found.into_iter().map(doubt).collect()
}

impl Writer<'_> {
    /// At a start: what was announced and not ended when the program or the power went is in doubt.
    pub(super) fn doubt_what_was_cut_off(&mut self) -> Result<(), JournalError> {
        let mut select =
            self.tx.prepare_cached("SELECT seq FROM intents WHERE ended IS NULL AND doubt IS NULL ORDER BY seq")?;
        let cut_off = select.query_map([], |row| Ok(Seq::new(row.get(0)?)))?.collect::<Result<Vec<_>, _>>()?;
        for intent in cut_off {
            self.write_doubt(intent)?;
        }
        self.keep_doubts()
    }

    fn keep_doubts(&mut self) -> Result<(), JournalError> {
        self.state.doubts = Arc::new(load_doubts(self.tx)?);
        Ok(())
    }

    /// An intent of which no end is known.
    fn open_doubt(&self, intent: Seq) -> Result<Doubt, JournalError> {
        let mut select =
            self.tx.prepare_cached(&format!("{DOUBT_COLUMNS} WHERE intents.seq = ?1 AND ended IS NULL"))?;
        let found = select.query_row([intent.get()], doubt_columns).optional()?;
        doubt(found.ok_or(JournalError::Inconsistent("no such intent is open"))?)
    }

    /// How an intent ended; nothing where it has not.
    fn ended(&self, intent: Seq) -> Result<Option<Settled>, JournalError> {
        let mut select = self.tx.prepare_cached(
            "SELECT rows.seq, rows.at, rows.till_ref, rows.bytes, rows.kind FROM intents \
             JOIN rows ON rows.seq = intents.ended WHERE intents.seq = ?1",
        )?;
        let found = select.query_row([intent.get()], |row| Ok((sale_columns(row)?, row.get::<_, u16>(4)?)));
        Ok(match found.optional()? {
            None => None,
            Some((columns, 2)) => Some(Settled::Debited(record(self.state, columns)?)),
            Some(_) => Some(Settled::NotDebited),
        })
    }

    fn end(&mut self, intent: Seq, by: Seq) -> Result<(), JournalError> {
        let mut update = self.tx.prepare_cached("UPDATE intents SET ended = ?2 WHERE seq = ?1 AND ended IS NULL")?;
        if update.execute(params![intent.get(), by.get()])? != 1 {
            return Err(JournalError::Inconsistent("an intent would end twice"));
        }
        drop(update);
        self.keep_doubts()
    }

    fn write_doubt(&mut self, intent: Seq) -> Result<(), JournalError> {
        // A commit that was thought to have failed may have ended it.
        if self.ended(intent)?.is_some() {
            return Ok(());
        }
        let open = self.open_doubt(intent)?;
        if open.row != open.intent {
            return Ok(());
        }
        let bytes: Vec<u8> =
            self.tx.query_row("SELECT bytes FROM rows WHERE seq = ?1", [intent.get()], |row| row.get(0))?;
        let RowBody::Intent(debit) = body(self.state, bytes)? else {
            return Err(JournalError::Inconsistent("an intent is not an intent"));
        };
        let seq = self.append(RowBody::InDoubt(debit), None)?;
        let mut update = self.tx.prepare_cached("UPDATE intents SET doubt = ?2 WHERE seq = ?1")?;
        update.execute(params![intent.get(), seq.get()])?;
        Ok(())
    }

    fn resolve(&mut self, intent: Seq, debited: bool) -> Result<Settled, JournalError> {
        if let Some(ended) = self.ended(intent)? {
            return Ok(ended);
        }
        let doubt = self.open_doubt(intent)?;
        let me = self.state.id.me();
        let origin = Origin { terminal: me.terminal, epoch: me.epoch, seq: doubt.row };
        let seq = self.append(RowBody::DoubtResolved(DoubtResolved { doubt: origin, debited }), None)?;
        if debited {
            return Ok(Settled::Debited(self.sell_debited(doubt, None)?));
        }
        self.end(intent, seq)?;
        Ok(Settled::NotDebited)
    }

    /// The sale's row. What the card counted and proved is known only where its answer came.
    fn sell_debited(&mut self, doubt: Doubt, proof: Option<Committed>) -> Result<SaleRecord, JournalError> {
        let Doubt { intent, till_ref, sale, .. } = doubt;
        let card_counter = proof.as_ref().map(|proof| proof.counter);
        let card_mac = proof.as_ref().map(|proof| ByteVec::from(proof.mac.to_vec()));
        let sale = Sale { card_counter, card_mac, ..sale };
        let seq = self.append(RowBody::Sale(sale.clone()), till_ref.as_deref())?;
        self.end(intent, seq)?;
        Ok(SaleRecord { seq, sale, at: self.state.hub.anchor.time(self.now), till_ref })
    }

    /// False where the hub would refuse the row: the enrolment is over, or the card's money may be back with its household.
    fn may_sell_late(&self, doubt: &Doubt) -> Result<bool, JournalError> {
        let can_sell = match self.state.terminal_state() {
            TerminalState::Live | TerminalState::Paused => true,
            TerminalState::NotEnrolled
            | TerminalState::Revoked
            | TerminalState::Closed
            | TerminalState::Quarantined => false,
        };
        Ok(can_sell && !is_hot(self.tx, doubt.sale.card, doubt.sale.purse)?)
    }

    /// True where the card has the record of an intent, made with this terminal's own key for this very card.
    fn has_record(&self, intent: Seq, says: &CardSays) -> Result<bool, JournalError> {
        let secrets = self.secrets.ok_or(JournalError::Inconsistent("the terminal's secrets are not at hand"))?;
        let id = &self.state.id;
        let mine = (id.terminal.get(), id.epoch.get(), intent.get());
        Ok(says.records.iter().any(|bytes| {
            Record::parse(bytes).is_ok_and(|record| (record.terminal, record.epoch, record.seq) == mine)
                && Record::is_authentic(bytes, &secrets.record_key, &says.uid)
        }))
    }
}
