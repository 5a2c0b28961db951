//! Commands on what is in the files, and the end of a transaction. Whether a command is granted was decided when it was
//! opened.

use super::access::granted;
use super::card::Card;
use super::file::{Contents, RecordFile, ValueFile};
use super::transaction::{Change, Transaction};
use super::transaction_mac::Input;
use crate::virtual_card::ev2::fields::{Fields, size_bytes};
use crate::virtual_card::ev2::status::Status;
use std::ops::Range;

type Answer = Result<Vec<u8>, Status>;

const CREDIT: u8 = 0x0c;
const LIMITED_CREDIT: u8 = 0x1c;
const WITH_MAC: u8 = 0x01;
const DONE: Vec<u8> = Vec::new();

impl Card {
    pub(super) fn read_data(&mut self, instruction: u8, mut fields: Fields<'_>) -> Answer {
        let (number, offset, length) = (fields.byte()?, fields.size()?, fields.size()?);
        fields.end()?;
        let contents = &self.application()?.file(number)?.contents;
        if let Contents::TransactionMac(file) = contents {
            let data = file.read();
            return Ok(data.get(span(offset, length, data.len())?).ok_or(Status::BOUNDARY)?.to_vec());
        }
        // A backup file shows what is committed, also to the transaction that writes it.
        let (Contents::Standard(data) | Contents::Backup(data)) = contents else {
            return Err(Status::PERMISSION_DENIED);
        };
        let data = data.get(span(offset, length, data.len())?).ok_or(Status::BOUNDARY)?.to_vec();
        let parameters = [&[number][..], &size_bytes(offset), &size_bytes(data.len())].concat();
        self.note(|input| input.add(instruction, &parameters, &data))?;
        Ok(data)
    }

    pub(super) fn write_data(&mut self, instruction: u8, fields: Fields<'_>) -> Answer {
        let (number, offset, data) = written(fields)?;
        let pending = match self.transaction.changes.get(&number) {
            Some(Change::Data(new)) => Some(new.clone()),
            _ => None,
        };
        let contents = &mut self.application_mut()?.files.get_mut(&number).ok_or(Status::FILE_NOT_FOUND)?.contents;
        match contents {
            Contents::Standard(file) => put(file, offset, data)?,
            Contents::Backup(file) => {
                let mut new = pending.unwrap_or_else(|| file.clone());
                put(&mut new, offset, data)?;
                self.transaction.changes.insert(number, Change::Data(new));
            }
            Contents::Value(_) | Contents::Records(_) | Contents::TransactionMac(_) => {
                return Err(Status::PERMISSION_DENIED);
            }
        }
        self.note_written(instruction, number, offset, data)
    }

    pub(super) fn get_value(&mut self, instruction: u8, mut fields: Fields<'_>) -> Answer {
        let number = fields.byte()?;
        fields.end()?;
        // What is debited and not committed does not show.
        let value = self.value_file(number)?.value.to_le_bytes();
        self.note(|input| input.add_together(instruction, &[number], &value))?;
        Ok(value.to_vec())
    }

    pub(super) fn change_value(&mut self, instruction: u8, mut fields: Fields<'_>) -> Answer {
        let (number, amount) = (fields.byte()?, fields.i32()?);
        fields.end()?;
        if amount < 0 {
            return Err(Status::PARAMETER);
        }
        let file = self.value_file(number)?;
        let before = match self.transaction.changes.get(&number) {
            Some(Change::Value { value, debited, given_back }) => (*value, *debited, *given_back),
            _ => (file.value, 0, 0),
        };
        let change = change(instruction, &file, before, amount)?;
        self.transaction.changes.insert(number, change);
        self.note(|input| input.add_together(instruction, &[number], &amount.to_le_bytes()))?;
        Ok(DONE)
    }

    pub(super) fn read_records(&mut self, instruction: u8, mut fields: Fields<'_>) -> Answer {
        let (number, skipped, count) = (fields.byte()?, fields.size()?, fields.size()?);
        fields.end()?;
        let records = self.record_file(number)?.read(skipped, count)?;
        let parameters = [&[number][..], &size_bytes(skipped), &size_bytes(records.len())].concat();
        let data = records.concat();
        self.note(|input| input.add(instruction, &parameters, &data))?;
        Ok(data)
    }

    /// All writing within one transaction goes into one record.
    pub(super) fn write_record(&mut self, instruction: u8, fields: Fields<'_>) -> Answer {
        let (number, offset, data) = written(fields)?;
        let file = self.record_file(number)?;
        let mut record = match self.transaction.changes.get(&number) {
            Some(Change::Record(record)) => record.clone(),
            Some(Change::Cleared) => return Err(Status::PERMISSION_DENIED),
            _ if file.is_full() => return Err(Status::BOUNDARY),
            _ => vec![0; file.record_bytes],
        };
        put(&mut record, offset, data)?;
        self.transaction.changes.insert(number, Change::Record(record));
        self.note_written(instruction, number, offset, data)
    }

    pub(super) fn clear_records(&mut self, instruction: u8, mut fields: Fields<'_>) -> Answer {
        let number = fields.byte()?;
        fields.end()?;
        self.record_file(number)?;
        self.transaction.changes.insert(number, Change::Cleared);
        self.note(|input| input.add_together(instruction, &[number], &[]))?;
        Ok(DONE)
    }

    pub(super) fn commit_reader_id(&mut self, instruction: u8, mut fields: Fields<'_>) -> Answer {
        let reader = fields.array()?;
        fields.end()?;
        let key_no = self.key_no();
        let rights = self
            .application()?
            .files
            .values()
            .find_map(|file| matches!(file.contents, Contents::TransactionMac(_)).then_some(file.rights));
        granted(&[rights.ok_or(Status::PERMISSION_DENIED)?.read_write()], key_no)?;
        if self.transaction.input.reader.is_some() {
            return Err(Status::PERMISSION_DENIED);
        }
        let file = self.application()?.transaction_mac().ok_or(Status::PERMISSION_DENIED)?;
        let encrypted = file.encrypted_last_reader(&self.uid)?;
        // Nobody who is not authenticated learns who the last reader was.
        let answer = if key_no.is_some() { encrypted.to_vec() } else { Vec::new() };
        self.note(|input| input.add_reader(instruction, reader, &answer))?;
        Ok(answer)
    }

    /// Everything changes at once: the application is replaced by what it becomes.
    pub(super) fn commit(&mut self, mut fields: Fields<'_>) -> Answer {
        let option = if fields.0.is_empty() { None } else { Some(fields.byte()?) };
        fields.end()?;
        let application = self.application()?;
        if option.is_some_and(|option| option & !WITH_MAC != 0) {
            return Err(Status::PARAMETER);
        }
        if option.is_some() && application.transaction_mac().is_none() {
            return Err(Status::PERMISSION_DENIED);
        }
        let after = self.transaction.committed(application, &self.uid)?;
        let answer = match (option, after.transaction_mac()) {
            (Some(WITH_MAC), Some(file)) => file.read(),
            _ => DONE,
        };
        *self.application_mut()? = after;
        self.transaction = Transaction::default();
        Ok(answer)
    }

    pub(super) fn abort(&mut self, fields: Fields<'_>) -> Answer {
        fields.end()?;
        self.application()?;
        if self.transaction.is_empty() {
            return Err(Status::NO_CHANGES);
        }
        self.transaction = Transaction::default();
        Ok(DONE)
    }

    /// Adds to the transaction MAC's input, where there is such a MAC.
    fn note(&mut self, add: impl FnOnce(&mut Input)) -> Result<(), Status> {
        if self.application()?.transaction_mac().is_some() {
            self.transaction.input.add_as(self.mac_form, add);
        }
        Ok(())
    }

    fn note_written(&mut self, instruction: u8, number: u8, offset: usize, data: &[u8]) -> Answer {
        let parameters = [&[number][..], &size_bytes(offset), &size_bytes(data.len())].concat();
        self.note(|input| input.add(instruction, &parameters, data))?;
        Ok(DONE)
    }

    fn value_file(&self, number: u8) -> Result<ValueFile, Status> {
        match &self.application()?.file(number)?.contents {
            Contents::Value(file) => Ok(*file),
            Contents::Standard(_) | Contents::Backup(_) | Contents::Records(_) | Contents::TransactionMac(_) => {
                Err(Status::PERMISSION_DENIED)
            }
        }
    }

    fn record_file(&self, number: u8) -> Result<&RecordFile, Status> {
        match &self.application()?.file(number)?.contents {
            Contents::Records(file) => Ok(file),
            Contents::Standard(_) | Contents::Backup(_) | Contents::Value(_) | Contents::TransactionMac(_) => {
                Err(Status::PERMISSION_DENIED)
            }
        }
    }
}

/// A value after a credit or debit, within its limits.
fn change(
    instruction: u8,
    file: &ValueFile,
    (value, debited, given_back): (i32, i32, i32),
    amount: i32,
) -> Result<Change, Status> {
    let more = |number: i32| number.checked_add(amount).ok_or(Status::BOUNDARY);
    let (value, debited, given_back) = match instruction {
        CREDIT => (more(value)?, debited, given_back),
        LIMITED_CREDIT if !file.limited_credit_is_on() => return Err(Status::PERMISSION_DENIED),
        LIMITED_CREDIT => (more(value)?, debited, more(given_back)?),
        _ => (value.checked_sub(amount).ok_or(Status::BOUNDARY)?, more(debited)?, given_back),
    };
    if !(file.lower..=file.upper).contains(&value) || given_back > file.limited_credit {
        return Err(Status::BOUNDARY);
    }
    Ok(Change::Value { value, debited, given_back })
}

/// The parameters of a write: where, and what.
fn written<'a>(mut fields: Fields<'a>) -> Result<(u8, usize, &'a [u8]), Status> {
    let (number, offset, length) = (fields.byte()?, fields.size()?, fields.size()?);
    let data = fields.rest();
    if data.is_empty() {
        return Err(Status::PARAMETER);
    }
    if data.len() == length { Ok((number, offset, data)) } else { Err(Status::LENGTH) }
}

fn put(file: &mut [u8], offset: usize, data: &[u8]) -> Result<(), Status> {
    let span = span(offset, data.len(), file.len())?;
    file.get_mut(span).ok_or(Status::BOUNDARY)?.copy_from_slice(data);
    Ok(())
}

/// Part of a file; a length of 0 is all the rest.
fn span(offset: usize, length: usize, file: usize) -> Result<Range<usize>, Status> {
    let rest = file.checked_sub(offset).filter(|rest| *rest > 0).ok_or(Status::BOUNDARY)?;
    let length = if length == 0 { rest } else { length };
    if length > rest {
        return Err(Status::BOUNDARY);
    }
    Ok(offset..offset.saturating_add(length))
}
