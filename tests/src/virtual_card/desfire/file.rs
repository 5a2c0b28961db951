//! The files of an application as they lie in the memory that keeps without power.

use super::access::Rights;
use super::transaction_mac::TransactionMacFile;
use crate::virtual_card::ev2::fields::{Fields, size_bytes};
use crate::virtual_card::ev2::messaging::CommMode;
use crate::virtual_card::ev2::status::Status;
use std::collections::VecDeque;

const LIMITED_CREDIT: u8 = 0b01;
const FREE_GET_VALUE: u8 = 0b10;
/// The memory is given out in blocks.
const BLOCK_BYTES: usize = 32;

/// A file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct File {
    pub(super) option: u8,
    pub(super) rights: Rights,
    /// Further sets of rights: what any of them grants is granted.
    pub(super) more_rights: Vec<Rights>,
    pub(super) iso_id: Option<u16>,
    pub(super) contents: Contents,
}

/// What kind of file it is, and what is in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Contents {
    /// Written at once, and not safe from a tear.
    Standard(Vec<u8>),
    /// Written at the commit.
    Backup(Vec<u8>),
    /// A number between two limits.
    Value(ValueFile),
    /// Records, the oldest first.
    Records(RecordFile),
    /// The counter and value of the last commit.
    TransactionMac(TransactionMacFile),
}

/// A value and its limits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct ValueFile {
    pub(super) lower: i32,
    pub(super) upper: i32,
    pub(super) value: i32,
    /// How much may be given back without the right to credit: what the last commit that debited took.
    pub(super) limited_credit: i32,
    pub(super) flags: u8,
}

/// Records of one length.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct RecordFile {
    pub(super) cyclic: bool,
    pub(super) record_bytes: usize,
    pub(super) records_max: usize,
    pub(super) records: VecDeque<Vec<u8>>,
}

impl File {
    /// One right of every set.
    pub(super) fn all(&self, right: fn(Rights) -> u8) -> Vec<u8> {
        std::iter::once(self.rights).chain(self.more_rights.iter().copied()).map(right).collect()
    }

    pub(super) fn mode(&self) -> CommMode {
        CommMode::from_bits(self.option)
    }

    /// Takes the parameters of a creation, by its command, behind the file's number.
    pub(super) fn create(instruction: u8, fields: &mut Fields<'_>, with_iso_ids: bool) -> Result<Self, Status> {
        let may_have_id = [0xcb, 0xcd, 0xc0, 0xc1].contains(&instruction);
        // A data file's creation has seven bytes, a record file's ten; two more are an ISO file identifier.
        let has_id = may_have_id && matches!(fields.0.len(), 8 | 11);
        if has_id && !with_iso_ids {
            return Err(Status::PARAMETER);
        }
        let iso_id = has_id.then(|| fields.u16()).transpose()?;
        let (option, rights) = (fields.byte()?, Rights(fields.u16()?));
        let contents = match instruction {
            0xcd => Contents::Standard(vec![0; nonzero(fields.size()?)?]),
            0xcb => Contents::Backup(vec![0; nonzero(fields.size()?)?]),
            0xcc => Contents::Value(ValueFile::create(fields)?),
            0xc0 | 0xc1 => Contents::Records(RecordFile::create(instruction == 0xc0, fields)?),
            0xce => Contents::TransactionMac(TransactionMacFile::create(rights, fields)?),
            _ => return Err(Status::ILLEGAL_COMMAND),
        };
        Ok(Self { option, rights, more_rights: Vec::new(), iso_id, contents })
    }

    /// How much of the card's memory it takes. A backup file lies there twice.
    pub(super) fn memory_bytes(&self) -> usize {
        let bytes = match &self.contents {
            Contents::Standard(data) => data.len(),
            Contents::Backup(data) => data.len().next_multiple_of(BLOCK_BYTES).saturating_mul(2),
            Contents::Value(_) | Contents::TransactionMac(_) => BLOCK_BYTES,
            Contents::Records(file) => file.record_bytes.saturating_mul(file.records_max),
        };
        bytes.checked_next_multiple_of(BLOCK_BYTES).unwrap_or(usize::MAX)
    }

    /// The answer to GetFileSettings.
    pub(super) fn settings(&self) -> Vec<u8> {
        let head = |kind: u8| {
            let [low, high] = self.rights.0.to_le_bytes();
            vec![kind, self.option, low, high]
        };
        match &self.contents {
            Contents::Standard(data) => [head(0), size_bytes(data.len()).to_vec()].concat(),
            Contents::Backup(data) => [head(1), size_bytes(data.len()).to_vec()].concat(),
            Contents::Value(file) => {
                let numbers = [file.lower, file.upper, file.limited_credit].map(i32::to_le_bytes).concat();
                [head(2), numbers, vec![file.flags]].concat()
            }
            Contents::Records(file) => {
                let sizes = [file.record_bytes, file.records_max, file.records.len()].map(size_bytes).concat();
                [head(if file.cyclic { 4 } else { 3 }), sizes].concat()
            }
            Contents::TransactionMac(file) => [head(5), file.settings().to_vec()].concat(),
        }
    }
}

impl ValueFile {
    fn create(fields: &mut Fields<'_>) -> Result<Self, Status> {
        let (lower, upper, value, flags) = (fields.i32()?, fields.i32()?, fields.i32()?, fields.byte()?);
        if lower > upper || !(lower..=upper).contains(&value) || flags & !(LIMITED_CREDIT | FREE_GET_VALUE) != 0 {
            return Err(Status::PARAMETER);
        }
        Ok(Self { lower, upper, value, limited_credit: 0, flags })
    }

    pub(super) fn limited_credit_is_on(&self) -> bool {
        self.flags & LIMITED_CREDIT != 0
    }

    pub(super) fn get_value_is_free(&self) -> bool {
        self.flags & FREE_GET_VALUE != 0
    }
}

impl RecordFile {
    fn create(cyclic: bool, fields: &mut Fields<'_>) -> Result<Self, Status> {
        let (record_bytes, records_max) = (nonzero(fields.size()?)?, nonzero(fields.size()?)?);
        // One of a cyclic file's records is the room for the next.
        if cyclic && records_max < 2 {
            return Err(Status::PARAMETER);
        }
        Ok(Self { cyclic, record_bytes, records_max, records: VecDeque::new() })
    }

    /// Whether there is room for another one.
    pub(super) fn is_full(&self) -> bool {
        !self.cyclic && self.records.len() >= self.records_max
    }

    pub(super) fn push(&mut self, record: Vec<u8>) {
        self.records.push_back(record);
        if self.cyclic && self.records.len() >= self.records_max {
            self.records.pop_front();
        }
    }

    /// The newest ones but some, the oldest first. None asked for are all that there are.
    pub(super) fn read(&self, skipped: usize, count: usize) -> Result<Vec<&[u8]>, Status> {
        let end = self.records.len().checked_sub(skipped).filter(|end| *end > 0).ok_or(Status::BOUNDARY)?;
        let count = if count == 0 { end } else { count };
        let start = end.checked_sub(count).ok_or(Status::BOUNDARY)?;
        Ok(self.records.range(start..end).map(Vec::as_slice).collect())
    }
}

fn nonzero(size: usize) -> Result<usize, Status> {
    if size == 0 { Err(Status::PARAMETER) } else { Ok(size) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::virtual_card::ev2::vectors::{bytes, of_type};

    #[test]
    fn settings_are_laid_out_as_published() {
        let value = [3, 0x30, 0x12, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0, 3];
        let standard = [3, 0x30, 0x1f, 0, 1, 0];
        for vector in of_type("layout") {
            let (instruction, parameters) = match vector["id"].as_str() {
                Some("getfilesettings-value-an12343-t12") => (0xcc, value.as_slice()),
                Some("getfilesettings-std-an12343-t12") => (0xcd, standard.as_slice()),
                other => panic!("{other:?}"),
            };
            let mut fields = Fields(parameters);
            let file = File::create(instruction, &mut fields, false).unwrap();
            assert_eq!(fields.end(), Ok(()));
            assert_eq!(file.settings(), bytes(&vector, "hex"), "{vector}");
        }
        let file = File::create(0xcd, &mut Fields(&standard), false).unwrap();
        let rights = file.rights;
        assert_eq!([rights.read(), rights.write(), rights.read_write(), rights.change()], [1, 15, 3, 0]);
    }

    #[test]
    fn a_cyclic_file_of_four_holds_three() {
        let mut file = RecordFile::create(true, &mut Fields(&[1, 0, 0, 4, 0, 0])).unwrap();
        assert_eq!(file.read(0, 0), Err(Status::BOUNDARY));
        for record in 1..=5 {
            file.push(vec![record]);
        }
        for (skipped, count, read) in [
            (0, 0, Ok(vec![&[3][..], &[4], &[5]])),
            (0, 1, Ok(vec![&[5][..]])),
            (1, 0, Ok(vec![&[3][..], &[4]])),
            (1, 2, Ok(vec![&[3][..], &[4]])),
            (0, 4, Err(Status::BOUNDARY)),
            (3, 0, Err(Status::BOUNDARY)),
        ] {
            assert_eq!(file.read(skipped, count), read, "{skipped} {count}");
        }
        assert_eq!(RecordFile::create(true, &mut Fields(&[1, 0, 0, 1, 0, 0])), Err(Status::PARAMETER));
    }
}
