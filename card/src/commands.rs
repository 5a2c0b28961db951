//! The commands that are used, each as the card takes it. Numbers go least significant byte first.

use zeroize::Zeroizing;

use crate::crypto::{Key, crc32};
use crate::exchange::{CardError, Exchange};
use crate::layout::{MAC_FILE, RECORD_BYTES, RECORD_PLACES};
use crate::session::{Comm, Command, Session, send};

/// The status of success.
pub(crate) const SUCCESS: u16 = 0x9100;
/// There is no such application.
pub const NO_APPLICATION: u16 = 0x91a0;
/// The key is another one.
pub const WRONG_KEY: u16 = 0x91ae;

/// Code of WriteRecord in its ISO-chained form: it stands in the transaction MAC.
pub const WRITE_RECORD: u8 = 0x8b;
/// Code of ReadData in its ISO-chained form.
pub const READ_DATA: u8 = 0xad;
/// Code of WriteData in its ISO-chained form.
pub const WRITE_DATA: u8 = 0x8d;
/// Code of GetValue.
pub const GET_VALUE: u8 = 0x6c;
/// Code of Debit.
pub const DEBIT: u8 = 0xdc;
const READ_RECORDS: u8 = 0xab;
const COMMIT: u8 = 0xc7;
/// Bytes of a transaction's counter and MAC.
const COMMITTED_BYTES: usize = 12;
/// Records in one short answer.
const RECORDS_AT_ONCE: u8 = 4;

/// File, offset 0 and length: what reads and writes begin with, and what enters the transaction MAC of them.
///
/// # Errors
/// [`CardError::Range`] for more than three bytes can count.
pub fn extent(file: u8, len: usize) -> Result<[u8; 7], CardError> {
    let len = u32::try_from(len).map_err(|_| CardError::Range("the length"))?;
    match len.to_le_bytes() {
        [a, b, c, 0] => Ok([file, 0, 0, 0, a, b, c]),
        [..] => Err(CardError::Range("the length")),
    }
}

/// A card that says nothing of keys: commands before authentication.
pub(crate) fn plain(card: &mut dyn Exchange, name: &'static str, code: u8, data: &[u8]) -> Result<Vec<u8>, CardError> {
    let answer = send(card, code, data)?;
    if answer.status == SUCCESS {
        Ok(answer.data.to_vec())
    } else {
        Err(CardError::Refused { command: name, status: answer.status })
    }
}

/// SelectApplication; `[0, 0, 0]` is the card itself. It ends a session and an open transaction.
///
/// # Errors
/// [`CardError`]: refused with [`NO_APPLICATION`] where there is none.
pub fn select(card: &mut dyn Exchange, application: [u8; 3]) -> Result<(), CardError> {
    plain(card, "select", 0x5a, &application).map(drop)
}

impl Session {
    /// ReadData of a whole file.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn read_data(
        &mut self,
        card: &mut dyn Exchange,
        file: u8,
        len: usize,
    ) -> Result<Zeroizing<Vec<u8>>, CardError> {
        let header = extent(file, len)?;
        let data =
            self.command(card, Command { name: "read", code: READ_DATA, header: &header, data: &[] }, Comm::Mac)?;
        if data.len() == len { Ok(data) } else { Err(CardError::Foreign("a file of another length")) }
    }

    /// WriteData of a whole file.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn write_data(&mut self, card: &mut dyn Exchange, file: u8, data: &[u8]) -> Result<(), CardError> {
        let header = extent(file, data.len())?;
        self.done(card, Command { name: "write", code: WRITE_DATA, header: &header, data }, Comm::Mac)
    }

    /// GetValue.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn value(&mut self, card: &mut dyn Exchange, file: u8) -> Result<u32, CardError> {
        let command = Command { name: "get value", code: GET_VALUE, header: &[file], data: &[] };
        let data = self.command(card, command, Comm::Mac)?;
        let value =
            <[u8; 4]>::try_from(data.as_slice()).map_err(|_| CardError::Foreign("a value of another length"))?;
        Ok(u32::from_le_bytes(value))
    }

    /// Debit: effective only once it is committed.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn debit(&mut self, card: &mut dyn Exchange, file: u8, cents: u32) -> Result<(), CardError> {
        let data = cents.to_le_bytes();
        self.done(card, Command { name: "debit", code: DEBIT, header: &[file], data: &data }, Comm::Mac)
    }

    /// WriteRecord: effective only once it is committed.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn write_record(&mut self, card: &mut dyn Exchange, file: u8, record: &[u8]) -> Result<(), CardError> {
        let header = extent(file, record.len())?;
        self.done(card, Command { name: "write record", code: WRITE_RECORD, header: &header, data: record }, Comm::Mac)
    }

    /// ReadRecords: all that there are, oldest first, in as many answers as they need.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn records(&mut self, card: &mut dyn Exchange, file: u8) -> Result<Vec<[u8; RECORD_BYTES]>, CardError> {
        let mut left = self.record_count(card, file)?;
        let mut all = Vec::new();
        while left > 0 {
            // The newest has the number 0, so the oldest are asked for first.
            let count = left.min(RECORDS_AT_ONCE);
            left = left.saturating_sub(count);
            let header = [file, left, 0, 0, count, 0, 0];
            let command = Command { name: "read records", code: READ_RECORDS, header: &header, data: &[] };
            let data = self.command(card, command, Comm::Mac)?;
            let (records, rest) = data.as_chunks::<RECORD_BYTES>();
            if !rest.is_empty() || records.len() != usize::from(count) {
                return Err(CardError::Foreign("records of another length"));
            }
            all.extend_from_slice(records);
        }
        Ok(all)
    }

    /// How many records a file has: asking for more than there are would end the session.
    fn record_count(&mut self, card: &mut dyn Exchange, file: u8) -> Result<u8, CardError> {
        let command = Command { name: "get file settings", code: 0xf5, header: &[file], data: &[] };
        let settings = self.command(card, command, Comm::Mac)?;
        // Kind, option, rights (2), record length (3), places (3), then how many there are (3).
        match settings.get(10..13) {
            Some([count, 0, 0]) if *count < RECORD_PLACES => Ok(*count),
            _ => Err(CardError::Foreign("a record file of another form")),
        }
    }

    /// CommitTransaction: all of it, or nothing. Gives the transaction counter and MAC.
    ///
    /// # Errors
    /// [`CardError`]; after [`CardError::Link`] it is unknown whether it was committed.
    pub fn commit(&mut self, card: &mut dyn Exchange) -> Result<Committed, CardError> {
        let command = Command { name: "commit", code: COMMIT, header: &[0x01], data: &[] };
        committed(&self.command(card, command, Comm::Mac)?)
    }

    /// What the card said of its newest committed transaction, as its transaction MAC file keeps it.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn last_committed(&mut self, card: &mut dyn Exchange) -> Result<Committed, CardError> {
        committed(&self.read_data(card, MAC_FILE, COMMITTED_BYTES)?)
    }

    /// ChangeKey: of another key than the session's, from what it is to what it is to be.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn change_other_key(
        &mut self,
        card: &mut dyn Exchange,
        number: u8,
        old: &Key,
        (new, version): (&Key, u8),
    ) -> Result<(), CardError> {
        let mixed = old.expose().iter().zip(new.expose()).map(|(old, new)| old ^ new);
        let mut data = Zeroizing::new(mixed.collect::<Vec<u8>>());
        data.push(version);
        data.extend_from_slice(&crc32(&[new.expose()]).to_le_bytes());
        self.done(card, Command { name: "change key", code: 0xc4, header: &[number], data: &data }, Comm::Full)
    }

    /// ChangeKey of the session's own key: it ends the session, and its answer proves nothing.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn change_own_key(
        self,
        card: &mut dyn Exchange,
        number: u8,
        (new, version): (&Key, u8),
    ) -> Result<(), CardError> {
        let mut data = Zeroizing::new(new.expose().to_vec());
        data.push(version);
        self.last(card, Command { name: "change key", code: 0xc4, header: &[number], data: &data }, Comm::Full)
    }

    /// A command that ends the session: its answer proves nothing, what comes after it does.
    pub(crate) fn last(self, card: &mut dyn Exchange, command: Command<'_>, comm: Comm) -> Result<(), CardError> {
        let answer = send(card, command.code, &self.wrapped(command, comm)?)?;
        if answer.status == SUCCESS {
            Ok(())
        } else {
            Err(CardError::Refused { command: command.name, status: answer.status })
        }
    }

    /// GetKeyVersion.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn key_version(&mut self, card: &mut dyn Exchange, number: u8) -> Result<u8, CardError> {
        let command = Command { name: "get key version", code: 0x64, header: &[number], data: &[] };
        match self.command(card, command, Comm::Mac)?.as_slice() {
            [version] => Ok(*version),
            _ => Err(CardError::Foreign("a key's version")),
        }
    }

    /// A command that answers nothing but success.
    pub(crate) fn done(&mut self, card: &mut dyn Exchange, command: Command<'_>, comm: Comm) -> Result<(), CardError> {
        let data = self.command(card, command, comm)?;
        if data.is_empty() { Ok(()) } else { Err(CardError::Foreign("an answer where none is due")) }
    }
}

/// Counter and MAC, as the card gives them.
fn committed(data: &[u8]) -> Result<Committed, CardError> {
    let whole = <[u8; COMMITTED_BYTES]>::try_from(data).map_err(|_| CardError::Foreign("a commit of another form"))?;
    let [a, b, c, d, mac @ ..] = whole;
    Ok(Committed { counter: u32::from_le_bytes([a, b, c, d]), mac })
}

/// What a card says of a committed transaction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Committed {
    /// How many transactions were committed in its life, this one counted.
    pub counter: u32,
    /// The MAC over it, which the hub alone can check.
    pub mac: [u8; 8],
}
