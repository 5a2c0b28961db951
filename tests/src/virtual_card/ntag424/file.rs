//! A file of the tag: its rights, and how often it was read where that is counted (secure dynamic messaging).

use super::super::ev2::fields::{Fields, size_bytes};
use super::super::ev2::messaging::CommMode;
use super::super::ev2::status::Status;

pub(super) const FREE: u8 = 0xe;
const NEVER: u8 = 0xf;
/// Secure dynamic messaging, in the option byte.
const DYNAMIC: u8 = 0x40;
const COUNTER: u8 = 0x40;
const ASCII: u8 = 0x01;
/// An offset that mirrors nothing.
const NOWHERE: [u8; 3] = [0xff; 3];
const COUNTER_MAX: u32 = 0x00ff_ffff;

#[derive(Clone)]
pub(super) struct TagFile {
    pub(super) number: u8,
    /// As GetFileSettings tells them.
    option: u8,
    pub(super) read: u8,
    pub(super) write: u8,
    pub(super) both: u8,
    pub(super) change: u8,
    pub(super) data: Vec<u8>,
    dynamic: Option<Dynamic>,
}

/// What is counted: the mirroring into the file is not made.
#[derive(Clone)]
struct Dynamic {
    counter_for: u8,
    reads: u32,
    /// The last command read this file: reads in a row are one.
    is_read: bool,
}

impl TagFile {
    pub(super) fn new(number: u8, option: u8, [read, write, both, change]: [u8; 4], bytes: usize) -> Self {
        Self { number, option, read, write, both, change, data: vec![0; bytes], dynamic: None }
    }

    /// The file's mode where one of these rights is granted by the key that authenticated, none where it is to all.
    pub(super) fn mode(&self, rights: &[u8], key_no: Option<u8>) -> Result<CommMode, Status> {
        if key_no.is_some_and(|key| rights.contains(&key)) {
            Ok(CommMode::from_bits(self.option))
        } else if rights.contains(&FREE) {
            Ok(CommMode::Plain)
        } else {
            Err(Status::AUTHENTICATION)
        }
    }

    pub(super) fn settings(&self) -> Vec<u8> {
        let rights = [(self.both << 4) | self.change, (self.read << 4) | self.write];
        let mut told = [&[0, self.option][..], &rights, &size_bytes(self.data.len())].concat();
        if let Some(dynamic) = &self.dynamic {
            told.extend_from_slice(&[COUNTER | ASCII, 0xf0 | dynamic.counter_for, (FREE << 4) | NEVER]);
            told.extend_from_slice(&NOWHERE);
        }
        told
    }

    /// ChangeFileSettings. Of secure dynamic messaging only the counter is made: its offset has to be nowhere.
    pub(super) fn change(&mut self, mut fields: Fields<'_>) -> Result<(), Status> {
        let (option, [low, high]) = (fields.byte()?, fields.array::<2>()?);
        if option & !(DYNAMIC | 0b11) != 0 {
            return Err(Status::PARAMETER);
        }
        let counter_for = if option & DYNAMIC == 0 {
            None
        } else {
            let (options, [rights, others]) = (fields.byte()?, fields.array::<2>()?);
            let is_made = options == COUNTER | ASCII && rights >> 4 == NEVER && others == (FREE << 4) | NEVER;
            if !is_made || fields.array()? != NOWHERE {
                return Err(Status::PARAMETER);
            }
            Some(rights & 0xf)
        };
        fields.end()?;
        (self.option, self.both, self.change) = (option, low >> 4, low & 0xf);
        (self.read, self.write) = (high >> 4, high & 0xf);
        // Each time it is switched on the counter begins anew.
        self.dynamic = counter_for.map(|counter_for| Dynamic { counter_for, reads: 0, is_read: false });
        Ok(())
    }

    /// Who may have the counter, and how it is told.
    pub(super) fn counter_mode(&self, key_no: Option<u8>) -> Result<CommMode, Status> {
        let dynamic = self.dynamic.as_ref().filter(|dynamic| dynamic.counter_for != NEVER);
        match dynamic.ok_or(Status::PERMISSION_DENIED)?.counter_for {
            FREE => Ok(CommMode::Mac),
            number if key_no == Some(number) => Ok(CommMode::Full),
            _ => Err(Status::AUTHENTICATION),
        }
    }

    pub(super) fn counter(&self) -> Result<Vec<u8>, Status> {
        let [low, middle, high, _] = self.dynamic.as_ref().ok_or(Status::PERMISSION_DENIED)?.reads.to_le_bytes();
        Ok(vec![low, middle, high, 0, 0])
    }

    /// Sets how often it was read, as if it had been.
    pub(super) fn set_reads(&mut self, reads: u32) {
        if let Some(dynamic) = &mut self.dynamic {
            dynamic.reads = reads;
        }
    }

    /// Notes a command before it is run: of reads by somebody who proved nothing the first in a row is counted.
    pub(super) fn note(&mut self, is_read: bool, is_proven: bool) -> Result<(), Status> {
        let Some(dynamic) = &mut self.dynamic else { return Ok(()) };
        if is_read && !is_proven && !dynamic.is_read {
            let next = dynamic.reads.checked_add(1).filter(|next| *next <= COUNTER_MAX);
            dynamic.reads = next.ok_or(Status::INTEGRITY)?;
        }
        dynamic.is_read = is_read && !is_proven;
        Ok(())
    }
}
