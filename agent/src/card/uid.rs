//! A card's UID, and whether it tells one card from another.

use std::fmt;
use zeroize::Zeroizing;

/// The longest UID of ISO 14443-3 in bytes.
const UID_BYTES_MAX: usize = 10;

/// A UID of 4, 7 or 10 bytes (ISO 14443-3), wiped from memory when dropped and never shown.
#[derive(Clone, Eq, PartialEq)]
pub struct Uid {
    bytes: Zeroizing<[u8; UID_BYTES_MAX]>,
    len: usize,
}

/// Why bytes are no UID.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a UID has 4, 7 or 10 bytes, not {len}")]
pub struct UidError {
    /// How many there are.
    pub len: usize,
}

/// What a UID is worth as a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UidClass {
    /// One card.
    Unique,
    /// Another one at each tap: 4 bytes that start with `08` (ISO 14443-3, NXP AN10927).
    Random,
    /// Shared by many cards: `01020304`, or the same byte all over.
    NonUnique,
}

impl Uid {
    /// Takes the bytes as a reader gives them.
    ///
    /// # Errors
    /// [`UidError`] for any other length than 4, 7 or 10.
    pub fn new(given: &[u8]) -> Result<Self, UidError> {
        let len = given.len();
        if !matches!(len, 4 | 7 | 10) {
            return Err(UidError { len });
        }
        let mut bytes = Zeroizing::new([0; UID_BYTES_MAX]);
        for (byte, given) in bytes.iter_mut().zip(given) {
            *byte = *given;
        }
        Ok(Self { bytes, len })
    }

    /// The bytes, to be hashed into a card reference and for nothing else.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// What it is worth as a name.
    #[must_use]
    pub fn class(&self) -> UidClass {
        match self.as_bytes() {
            [8, _, _, _] => UidClass::Random,
            [1, 2, 3, 4] => UidClass::NonUnique,
            [first, rest @ ..] if rest.iter().all(|byte| byte == first) => UidClass::NonUnique,
            _ => UidClass::Unique,
        }
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Uid([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    #[test]
    fn a_uid_is_classed_by_what_it_tells_apart() {
        for (bytes, class) in [
            (&[0x08, 0x12, 0x34, 0x56][..], UidClass::Random),
            (&[0x08, 0, 0, 0], UidClass::Random),
            (&[1, 2, 3, 4], UidClass::NonUnique),
            (&[0; 4], UidClass::NonUnique),
            (&[0; 7], UidClass::NonUnique),
            (&[0; 10], UidClass::NonUnique),
            (&[0xff; 4], UidClass::NonUnique),
            (&[0x80, 1, 2, 3], UidClass::Unique),
            (&[4, 3, 2, 1], UidClass::Unique),
            (&[1, 2, 3, 4, 5, 6, 7], UidClass::Unique),
            (&[0x08, 1, 2, 3, 4, 5, 6], UidClass::Unique),
            (&[0x04, 1, 2, 3, 4, 5, 6, 7, 8, 9], UidClass::Unique),
        ] {
            assert_eq!(Uid::new(bytes).unwrap().class(), class, "{bytes:02x?}");
        }
    }

    #[test]
    fn a_uid_has_four_seven_or_ten_bytes() {
        for len in 0..=40 {
            let given = vec![0x42; len];
            match Uid::new(&given) {
                Ok(uid) => {
                    assert!([4, 7, 10].contains(&len), "{len}");
                    assert_eq!(uid.as_bytes(), given);
                }
                Err(error) => assert_eq!(error, UidError { len }),
            }
        }
    }

    #[test]
    fn cards_that_share_a_beginning_differ() {
        assert_ne!(Uid::new(&[4, 0, 0, 0]).unwrap(), Uid::new(&[4, 0, 0, 0, 0, 0, 0]).unwrap());
    }

    #[test]
    fn a_uid_is_never_shown() {
        let shown = format!("{:?}", Uid::new(&[0xab, 0xcd, 0xef, 0x12]).unwrap());
        assert_eq!(shown, "Uid([REDACTED])");
    }
}
