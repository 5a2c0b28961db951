//! The form of a journal's second copy: a head, then each signed row behind its length. A row proves itself by its
//! signature and its place by the chain, so nothing else vouches for the file, and what is torn at its end shows by that.

use crate::row::Row;
use crate::sign::{ENVELOPE_BYTES_MAX, Payload as _};
use std::io::{self, Read};

/// What the file begins with; the last digit is the version of its form.
pub const HEAD: &[u8; 8] = b"CABASJ1\n";
/// Bytes of a row's length before it.
const LENGTH_BYTES: usize = 2;

/// What lies at a place of the file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Frame {
    /// The bytes of a signed row; nothing is checked yet.
    Row(Vec<u8>),
    /// The end, behind a whole row.
    End,
    /// Less than a row, or no row at all.
    Torn,
}

impl Frame {
    /// How many bytes it takes in the file.
    #[must_use]
    pub fn length(&self) -> usize {
        match self {
            Self::Row(bytes) => bytes.len().saturating_add(LENGTH_BYTES),
            Self::End | Self::Torn => 0,
        }
    }
}

/// Adds a row; false where it is longer than a row can be, and nothing was added.
#[must_use]
pub fn put(row: &[u8], to: &mut Vec<u8>) -> bool {
    let Ok(length) = u16::try_from(row.len()) else { return false };
    to.extend_from_slice(&length.to_be_bytes());
    to.extend_from_slice(row);
    true
}

/// Reads the head; false where it is another one, or none.
///
/// # Errors
/// The medium's own.
pub fn read_head(from: &mut impl Read) -> io::Result<bool> {
    let mut head = [0; HEAD.len()];
    Ok(fill(from, &mut head)? == HEAD.len() && head == *HEAD)
}

/// Reads what comes next.
///
/// # Errors
/// The medium's own.
pub fn read(from: &mut impl Read) -> io::Result<Frame> {
    let mut length = [0; LENGTH_BYTES];
    match fill(from, &mut length)? {
        0 => return Ok(Frame::End),
        LENGTH_BYTES => {}
        _ => return Ok(Frame::Torn),
    }
    let length = usize::from(u16::from_be_bytes(length));
    if length == 0 || length > Row::MAX_BYTES.saturating_add(ENVELOPE_BYTES_MAX) {
        return Ok(Frame::Torn);
    }
    let mut row = vec![0; length];
    if fill(from, &mut row)? == length { Ok(Frame::Row(row)) } else { Ok(Frame::Torn) }
}

/// Reads until the buffer is full or the file ends; says how much there was.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while let Some(rest) = buffer.get_mut(got..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(more) => got = got.saturating_add(more),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a failed unwrap is the test's failure")]
    use super::*;

    #[test]
    fn what_is_put_is_read_and_every_shorter_file_ends_torn_or_at_a_row() {
        let mut file = HEAD.to_vec();
        assert!(put(b"first", &mut file) && put(b"second row", &mut file));
        assert!(!put(&vec![0; 70_000], &mut file));
        let ends = [HEAD.len(), HEAD.len() + 7, file.len()];
        for length in 0..=file.len() {
            let mut from = file.get(..length).unwrap();
            if !read_head(&mut from).unwrap() {
                assert!(length < HEAD.len());
                continue;
            }
            let mut at = HEAD.len();
            let end = loop {
                match read(&mut from).unwrap() {
                    Frame::Row(row) => at += Frame::Row(row).length(),
                    end @ (Frame::End | Frame::Torn) => break end,
                }
            };
            assert_eq!(end == Frame::End, ends.contains(&length), "{length}");
            assert_eq!(Some(&at), ends.iter().rev().find(|end| **end <= length));
        }
    }

    #[test]
    fn a_length_that_no_row_has_is_torn() {
        for length in [0_u16, u16::MAX] {
            let mut bytes = length.to_be_bytes().to_vec();
            bytes.resize(70_000, 7);
            assert_eq!(read(&mut bytes.as_slice()).unwrap(), Frame::Torn);
        }
    }
}
