//! The forms that the transaction MAC's input could have. The one that the hub computes is layout 1; the others are what
//! a card may do instead where no published vector says so.

use crate::commands::Committed;
use crate::crypto::{BLOCK, Key};
use crate::tmac::{TransactionInput, UID_BYTES, transaction_mac};

/// A command inside a transaction, as it was sent and answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Done {
    /// A value that was read, or taken.
    Value {
        /// The command's code.
        code: u8,
        /// The file.
        file: u8,
        /// The value.
        value: u32,
        /// True where it was read.
        is_read: bool,
    },
    /// Data or a record.
    Data {
        /// The command's code.
        code: u8,
        /// File, offset and length.
        header: [u8; 7],
        /// The data, readable.
        data: Vec<u8>,
        /// True where they were read.
        is_read: bool,
    },
}

/// Which reads enter the input.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Reads {
    All,
    DataAlone,
    ValuesAlone,
    HeadersAlone,
    None,
}

/// How a value enters it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Values {
    OneBlock,
    BlockOfItsOwn,
    Unpadded,
}

/// What of a header of data enters it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Header {
    Whole,
    NoLength,
}

/// Where zeros fill a block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Padding {
    HeaderAndData,
    Together,
    Nowhere,
}

/// One form.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Form {
    reads: Reads,
    values: Values,
    header: Header,
    padding: Padding,
    has_older_codes: bool,
    counts_before: bool,
}

impl Form {
    /// What the hub computes.
    pub const LAYOUT_1: Self = Self {
        reads: Reads::All,
        values: Values::OneBlock,
        header: Header::Whole,
        padding: Padding::HeaderAndData,
        has_older_codes: false,
        counts_before: false,
    };

    /// All of them, those that differ least from layout 1 first.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self::LAYOUT_1];
        all = each(
            &all,
            &[Reads::All, Reads::DataAlone, Reads::ValuesAlone, Reads::HeadersAlone, Reads::None],
            |form, reads| Self { reads, ..form },
        );
        all = each(&all, &[Values::OneBlock, Values::BlockOfItsOwn, Values::Unpadded], |form, values| Self {
            values,
            ..form
        });
        all = each(&all, &[Header::Whole, Header::NoLength], |form, header| Self { header, ..form });
        let paddings = [Padding::HeaderAndData, Padding::Together, Padding::Nowhere];
        all = each(&all, &paddings, |form, padding| Self { padding, ..form });
        all = each(&all, &[false, true], |form, has_older_codes| Self { has_older_codes, ..form });
        all = each(&all, &[false, true], |form, counts_before| Self { counts_before, ..form });
        all.sort_by_key(|form| form.differences().len());
        all
    }

    /// In what it differs from layout 1.
    #[must_use]
    pub fn differences(&self) -> Vec<&'static str> {
        let reads = match self.reads {
            Reads::All => None,
            Reads::DataAlone => Some("GetValue is left out"),
            Reads::ValuesAlone => Some("ReadData is left out"),
            Reads::HeadersAlone => Some("of ReadData only the header is in"),
            Reads::None => Some("all reads are left out"),
        };
        let values = match self.values {
            Values::OneBlock => None,
            Values::BlockOfItsOwn => Some("a value has a block of its own"),
            Values::Unpadded => Some("values are not padded"),
        };
        let header = match self.header {
            Header::Whole => None,
            Header::NoLength => Some("the header has no length"),
        };
        let padding = match self.padding {
            Padding::HeaderAndData => None,
            Padding::Together => Some("header and data are padded together"),
            Padding::Nowhere => Some("neither header nor data are padded"),
        };
        let codes = self.has_older_codes.then_some("codes 3B, 3D, BD stand for 8B, 8D, AD");
        let counter = self.counts_before.then_some("the counter is that before the commit");
        [reads, values, header, padding, codes, counter].into_iter().flatten().collect()
    }

    /// The input of a transaction.
    fn input(&self, done: &[Done]) -> TransactionInput {
        let mut input = Vec::new();
        for done in done {
            match done {
                Done::Value { is_read: true, .. } if matches!(self.reads, Reads::DataAlone | Reads::None) => {}
                Done::Data { is_read: true, .. } if matches!(self.reads, Reads::ValuesAlone | Reads::None) => {}
                Done::Value { code, file, value, .. } => self.value(&mut input, [*code, *file], value.to_le_bytes()),
                Done::Data { code, header, data, is_read } => {
                    let data = if *is_read && self.reads == Reads::HeadersAlone { &[][..] } else { data };
                    self.data(&mut input, *code, header, data);
                }
            }
        }
        TransactionInput::of(input)
    }

    fn value(&self, input: &mut Vec<u8>, head: [u8; 2], value: [u8; 4]) {
        input.extend_from_slice(&head);
        if self.values == Values::BlockOfItsOwn {
            pad(input);
        }
        input.extend_from_slice(&value);
        if self.values != Values::Unpadded {
            pad(input);
        }
    }

    fn data(&self, input: &mut Vec<u8>, code: u8, header: &[u8; 7], data: &[u8]) {
        let kept = match self.header {
            Header::Whole => 7,
            Header::NoLength => 4,
        };
        input.push(if self.has_older_codes { older(code) } else { code });
        input.extend(header.iter().take(kept));
        if self.padding == Padding::HeaderAndData {
            pad(input);
        }
        input.extend_from_slice(data);
        if self.padding != Padding::Nowhere {
            pad(input);
        }
    }

    /// True where the card's MAC of a transaction is of this form.
    #[must_use]
    pub fn fits(&self, key: &Key, uid: &[u8; UID_BYTES], committed: &Committed, done: &[Done]) -> bool {
        let counter = if self.counts_before { committed.counter.wrapping_sub(1) } else { committed.counter };
        transaction_mac(key, uid, counter, &self.input(done)) == committed.mac
    }
}

/// Each of `all` with each of `kinds`.
fn each<K: Copy>(all: &[Form], kinds: &[K], with: impl Fn(Form, K) -> Form) -> Vec<Form> {
    all.iter().flat_map(|form| kinds.iter().map(|kind| with(*form, *kind))).collect()
}

/// The code that does the same in frames.
const fn older(code: u8) -> u8 {
    match code {
        0x8b => 0x3b,
        0x8d => 0x3d,
        0xad => 0xbd,
        other => other,
    }
}

fn pad(input: &mut Vec<u8>) {
    input.resize(input.len().next_multiple_of(BLOCK), 0);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use crate::commands::{DEBIT, GET_VALUE, READ_DATA, WRITE_RECORD, extent};
    use crate::layout::{BALANCE_BYTES, BALANCE_FILE, RECORD_BYTES, RECORD_FILE, SPENT_FILE, VALUE_START};
    use crate::purse::{balance_file, purchase_input};
    use std::collections::BTreeSet;

    fn purchase() -> Vec<Done> {
        let (file, record) = (balance_file(b"a balance").unwrap().to_vec(), vec![9; RECORD_BYTES]);
        let read = extent(BALANCE_FILE, BALANCE_BYTES).unwrap();
        let written = extent(RECORD_FILE, RECORD_BYTES).unwrap();
        vec![
            Done::Data { code: READ_DATA, header: read, data: file, is_read: true },
            Done::Value { code: GET_VALUE, file: SPENT_FILE, value: VALUE_START - 5, is_read: true },
            Done::Value { code: DEBIT, file: SPENT_FILE, value: 700, is_read: false },
            Done::Data { code: WRITE_RECORD, header: written, data: record, is_read: false },
        ]
    }

    #[test]
    fn layout_1_is_what_the_hub_computes_and_comes_first() {
        let hub = purchase_input(Some(b"a balance"), 5, 700, &[9; RECORD_BYTES]).unwrap();
        assert_eq!(Form::LAYOUT_1.input(&purchase()), hub);
        assert_eq!(Form::all().first(), Some(&Form::LAYOUT_1));
        assert!(Form::all().iter().skip(1).all(|form| !form.differences().is_empty()));
    }

    #[test]
    fn each_form_sums_a_purchase_up_in_a_way_of_its_own() {
        let inputs: BTreeSet<_> = Form::all()
            .into_iter()
            .map(|form| (form.input(&purchase()).bytes().to_vec(), form.counts_before))
            .collect();
        assert_eq!((Form::all().len(), inputs.len()), (360, 360));
    }

    #[test]
    fn a_mac_fits_its_own_form_alone() {
        let (key, uid) = (Key::new([3; 16]), [4, 1, 2, 3, 4, 5, 6]);
        for form in Form::all() {
            let counter = if form.counts_before { 6 } else { 7 };
            let mac = transaction_mac(&key, &uid, counter, &form.input(&purchase()));
            let committed = Committed { counter: 7, mac };
            let fitting: Vec<_> =
                Form::all().into_iter().filter(|form| form.fits(&key, &uid, &committed, &purchase())).collect();
            assert_eq!(fitting, [form]);
        }
    }
}
