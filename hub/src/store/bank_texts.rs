//! What the bank told of its entries, sealed: it may name members. It is opened to be matched and to be shown, and erased with
//! the household that it names; no entry stands on it.

use std::collections::BTreeSet;

use cabas_protocol::{Cents, Hash};
use rusqlite::{OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;
use crate::bank::Entry as Booked;
use crate::core::bank_text::BankKeys;

/// Entries of before that are sealed in one step.
pub const SEALED_PER_STEP_MAX: u32 = 500;
/// The length of a text shows only by so many bytes.
const PADDED_TO_BYTES: usize = 128;
/// Newest texts of which one opens where the keys are the hub's own.
const TRIED_MAX: u32 = 8;
/// Words of a text that are looked at.
const WORDS_MAX: usize = 64;

/// The text of an entry: at least one part.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Texts {
    /// The payment file that the bank booked as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    pub(super) parts: Vec<Text>,
}

/// The text of a part.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub(super) struct Text {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cents: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end_to_end: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) return_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) counterparty: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) iban: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remittance: Option<String>,
}

impl Texts {
    /// What the bank told of an entry.
    pub(super) fn of(entry: &Booked) -> Self {
        let parts = entry.parts.iter().map(|part| Text {
            cents: part.cents.map(Cents::get),
            end_to_end: part.end_to_end.clone(),
            return_code: part.return_code.clone(),
            counterparty: part.counterparty.clone(),
            iban: part.iban.clone(),
            remittance: part.remittance.clone(),
        });
        let mut parts: Vec<_> = parts.collect();
        if parts.is_empty() {
            parts.push(Text { cents: Some(entry.cents.get()), ..Text::default() });
        }
        Self { message: entry.message.clone(), parts }
    }

    fn without_a_word() -> Self {
        Self { message: None, parts: vec![Text::default()] }
    }

    /// Why it came back, where the bank says that it did.
    pub(super) fn return_code(&self) -> Option<&str> {
        self.parts.iter().find_map(|part| part.return_code.as_deref())
    }

    /// The payments that it names, each by the word of who paid.
    pub(super) fn payments(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| part.end_to_end.as_deref()).filter(|id| *id != "NOTPROVIDED")
    }

    /// What may be a reference or a code in it.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        let texts = self.parts.iter().flat_map(|part| [part.remittance.as_deref(), part.end_to_end.as_deref()]);
        texts.flatten().flat_map(words).take(WORDS_MAX)
    }
}

/// What may be a reference or a household's code in a text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let of_code = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    text.split(move |c| !of_code(c))
        .map(|word| word.trim_matches(|c| matches!(c, '.' | '_' | '-')))
        .filter(|word| !word.is_empty())
}

/// By what the file knows an entry again.
pub(super) fn known_by(keys: &dyn BankKeys, said: &Hash) -> Result<Hash, StoreError> {
    keys.known_by(said).ok_or(StoreError::Damaged("the bank's text needs the hub's keys"))
}

fn seal(keys: &dyn BankKeys, entry: u64, texts: &Texts) -> Result<Vec<u8>, StoreError> {
    let mut plain = serde_json::to_vec(texts).map_err(|_| StoreError::Damaged("the bank's text cannot be written"))?;
    plain.resize(plain.len().next_multiple_of(PADDED_TO_BYTES), b' ');
    keys.seal_text(entry, &plain).ok_or(StoreError::Exhausted("random byte"))
}

fn open(keys: &dyn BankKeys, entry: u64, sealed: &[u8]) -> Result<Texts, StoreError> {
    let opened =
        keys.open_text(entry, sealed).ok_or(StoreError::Damaged("the bank's text was sealed by other keys"))?;
    serde_json::from_slice(&opened).map_err(|_| StoreError::Damaged("the bank's text"))
}

impl Tx<'_> {
    pub(super) fn keep_texts(&self, keys: &dyn BankKeys, entry: u64, texts: &Texts) -> Result<(), StoreError> {
        let keep = "INSERT INTO bank_texts (entry, sealed) VALUES (?1, ?2)";
        self.conn.prepare_cached(keep)?.execute(params![Sql(entry), seal(keys, entry, texts)?])?;
        Ok(())
    }

    /// The text of an entry; a part without a word where it was erased or does not open: then people say what it is.
    pub(super) fn texts(&self, keys: &dyn BankKeys, entry: u64) -> Result<Texts, StoreError> {
        Ok(self.texts_if_readable(keys, entry)?.unwrap_or_else(Texts::without_a_word))
    }

    /// The same; nothing where it does not open.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where there are no keys at all.
    pub(super) fn texts_if_readable(&self, keys: &dyn BankKeys, entry: u64) -> Result<Option<Texts>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT sealed FROM bank_texts WHERE entry = ?1")?;
        let sealed: Option<Vec<u8>> = read.query_row([Sql(entry)], |row| row.get(0)).optional()?;
        let texts = match sealed {
            Some(sealed) => match open(keys, entry, &sealed) {
                Ok(texts) => texts,
                Err(_) => return known_by(keys, &Hash::new([0; 32])).map(|_| None),
            },
            None => self.plain_texts(entry)?,
        };
        Ok(Some(if texts.parts.is_empty() { Texts::without_a_word() } else { texts }))
    }

    /// Fails where none of the newest texts opens: other keys would know no entry again, and keep each a second time. One that
    /// is damaged does not matter.
    pub(super) fn are_our_keys(&self, keys: &dyn BankKeys) -> Result<(), StoreError> {
        let mut read = self.conn.prepare_cached("SELECT entry, sealed FROM bank_texts ORDER BY entry DESC LIMIT ?1")?;
        let newest = read.query_map([TRIED_MAX], |row| Ok((col(row, 0)?, row.get(1)?)))?;
        let newest = newest.collect::<Result<Vec<(u64, Vec<u8>)>, _>>()?;
        if newest.len() > 1 && newest.iter().all(|(entry, sealed)| open(keys, *entry, sealed).is_err()) {
            return Err(StoreError::Damaged("the bank's texts were sealed by other keys"));
        }
        Ok(())
    }

    /// The text of an entry that was imported before texts were sealed.
    fn plain_texts(&self, entry: u64) -> Result<Texts, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT message, cents, end_to_end, return_code, counterparty, iban, remittance FROM bank_entry_parts
             WHERE entry = ?1 ORDER BY place",
        )?;
        let mut rows = read.query([Sql(entry)])?;
        let mut texts = Texts::default();
        while let Some(row) = rows.next()? {
            texts.message = row.get(0)?;
            texts.parts.push(Text {
                cents: col_opt::<Cents>(row, 1)?.map(Cents::get),
                end_to_end: row.get(2)?,
                return_code: row.get(3)?,
                counterparty: row.get(4)?,
                iban: row.get(5)?,
                remittance: row.get(6)?,
            });
        }
        Ok(texts)
    }

    /// Seals a step of what was imported before texts were sealed; true where there may be more. Begun again it goes on.
    ///
    /// # Errors
    /// [`StoreError::Exhausted`] where the system gives no random bytes.
    pub fn bank_seal_old(&mut self, keys: &dyn BankKeys) -> Result<bool, StoreError> {
        let mut read =
            self.conn.prepare_cached("SELECT DISTINCT entry FROM bank_entry_parts ORDER BY entry LIMIT ?1")?;
        let old = read.query_map([SEALED_PER_STEP_MAX], |row| col(row, 0))?.collect::<Result<Vec<u64>, _>>()?;
        drop(read);
        if old.is_empty() {
            return Ok(false);
        }
        for entry in old {
            self.keep_texts(keys, entry, &self.plain_texts(entry)?)?;
            let read = "SELECT key FROM bank_entries WHERE id = ?1";
            let said: Hash = self.conn.prepare_cached(read)?.query_row([Sql(entry)], |row| col(row, 0))?;
            let set = "UPDATE bank_entries SET key = ?2 WHERE id = ?1";
            self.conn.prepare_cached(set)?.execute(params![Sql(entry), Sql(known_by(keys, &said)?)])?;
            self.conn.prepare_cached("DELETE FROM bank_entry_parts WHERE entry = ?1")?.execute([Sql(entry)])?;
        }
        let left: u32 = self.conn.query_row("SELECT count(*) FROM bank_entry_parts", [], |row| row.get(0))?;
        if left == 0 {
            // Its last page is not written over from end to end while the table stands: it is made anew.
            let read = "SELECT sql FROM sqlite_schema WHERE name = 'bank_entry_parts'";
            let made: String = self.conn.query_row(read, [], |row| row.get(0))?;
            self.conn.execute_batch(&format!("DROP TABLE bank_entry_parts; {made}"))?;
        }
        self.erased();
        Ok(left > 0)
    }

    /// Erases what the bank told of the payments of a household.
    pub(super) fn erase_texts_of(&self, household: i64) -> Result<(), StoreError> {
        let of = "WHERE entry IN (SELECT banked.entry FROM banked JOIN money_in ON money_in.id = banked.money_in
            WHERE household = ?1)";
        for table in ["bank_texts", "bank_entry_parts"] {
            self.conn.execute(&format!("DELETE FROM {table} {of}"), [household])?;
        }
        Ok(())
    }

    /// Entries whose text does not open; none where there are no keys.
    pub(super) fn texts_that_do_not_open(&self, keys: &dyn BankKeys) -> Result<BTreeSet<u64>, StoreError> {
        let mut shut = BTreeSet::new();
        if keys.known_by(&Hash::new([0; 32])).is_none() {
            return Ok(shut);
        }
        let mut read = self.conn.prepare("SELECT entry, sealed FROM bank_texts")?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            let (entry, sealed): (u64, Vec<u8>) = (col(row, 0)?, row.get(1)?);
            if open(keys, entry, &sealed).is_err() {
                shut.insert(entry);
            }
        }
        Ok(shut)
    }
}
