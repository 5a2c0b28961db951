//! What a transaction would change, kept apart until the commit. It needs power: what is not committed never was.

use super::file::Contents;
use super::memory::Application;
use super::transaction_mac::Input;
use crate::virtual_card::ev2::status::Status;
use std::collections::BTreeMap;

/// The transaction that runs; there is always one, of an application.
#[derive(Clone, Debug, Default)]
pub(super) struct Transaction {
    pub(super) changes: BTreeMap<u8, Change>,
    pub(super) input: Input,
}

/// What becomes of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Change {
    /// It will hold this.
    Data(Vec<u8>),
    /// It will have this value.
    Value {
        /// The value.
        value: i32,
        /// What was debited in this transaction.
        debited: i32,
        /// What was credited within the limit.
        given_back: i32,
    },
    /// It will have this record more.
    Record(Vec<u8>),
    /// It will have no records.
    Cleared,
}

impl Transaction {
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.input.is_empty()
    }

    /// Gives the application as the commit leaves it: the caller puts it in place at once, or not at all.
    pub(super) fn committed(&self, before: &Application, uid: &[u8; 7]) -> Result<Application, Status> {
        if self.is_empty() {
            return Err(Status::NO_CHANGES);
        }
        let mut after = before.clone();
        for (number, file) in &mut after.files {
            match (&mut file.contents, self.changes.get(number)) {
                (Contents::Backup(data), Some(Change::Data(new))) => data.clone_from(new),
                (Contents::Value(file), Some(Change::Value { value, debited, given_back })) => {
                    file.value = *value;
                    let left = file.limited_credit.saturating_sub(*given_back);
                    file.limited_credit = if *debited > 0 { *debited } else { left };
                }
                (Contents::Records(file), Some(Change::Record(record))) => file.push(record.clone()),
                (Contents::Records(file), Some(Change::Cleared)) => file.records.clear(),
                (Contents::TransactionMac(file), _) if !self.input.is_empty() => {
                    if file.names_readers && self.input.reader.is_none() {
                        return Err(Status::PERMISSION_DENIED);
                    }
                    *file = file.committed(uid, &self.input)?;
                }
                _ => {}
            }
        }
        Ok(after)
    }
}
