//! What a program says of itself in its own bytes: version, machine, form of the journal, capabilities. Who signs a release
//! reads it there, so a program for another machine need not be run, and nothing is typed twice.

use crate::release::ProgramVersion;

/// Bytes of a stamp.
pub const STAMP_BYTES: usize = 160;
/// What a stamp begins with.
const MARK: &[u8] = b"\x01cabas-program\x01";
/// What it ends with.
const END: u8 = 2;

/// What stands in a stamp.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stamp<'b> {
    /// The program's version.
    pub version: ProgramVersion,
    /// The same as text.
    pub version_text: &'b str,
    /// The machines that it runs on.
    pub target: &'b str,
    /// The form of the journal that it writes.
    pub journal_form: u16,
    /// What it can do, in ascending order.
    pub capabilities: Vec<u16>,
}

/// Why a program's stamp is not had.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StampError {
    /// None is in it.
    #[error("no program of Cabas: it has no stamp")]
    None,
    /// More than one is in it.
    #[error("more than one stamp is in it")]
    Several,
}

/// Makes a stamp of `VERSION TARGET JOURNAL_FORM CAPABILITY,CAPABILITY`; what is too long is cut off, and then no stamp.
#[must_use]
#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "done by the compiler, within the bounds checked"
)]
pub const fn made(text: &str) -> [u8; STAMP_BYTES] {
    let (text, mut stamp, mut at) = (text.as_bytes(), [b' '; STAMP_BYTES], 0);
    while at < MARK.len() {
        stamp[at] = MARK[at];
        at += 1;
    }
    let mut from = 0;
    while from < text.len() && at < STAMP_BYTES - 1 {
        stamp[at] = text[from];
        at += 1;
        from += 1;
    }
    stamp[STAMP_BYTES - 1] = END;
    stamp
}

impl<'b> Stamp<'b> {
    /// Reads a stamp.
    #[must_use]
    pub fn read(bytes: &'b [u8]) -> Option<Self> {
        let bytes = bytes.get(..STAMP_BYTES)?.strip_prefix(MARK)?.strip_suffix(&[END])?;
        let mut words = std::str::from_utf8(bytes).ok()?.split_ascii_whitespace();
        let (version_text, target, form, able) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let capabilities: Result<Vec<u16>, _> = able.split(',').map(str::parse).collect();
        let stamp = Self {
            version: version_text.parse().ok()?,
            version_text,
            target,
            journal_form: form.parse().ok()?,
            capabilities: capabilities.ok()?,
        };
        words.next().is_none().then_some(stamp)
    }

    /// The one stamp in a program, and where it stands.
    ///
    /// # Errors
    /// [`StampError`].
    pub fn find(program: &'b [u8]) -> Result<(usize, Self), StampError> {
        let mut found = None;
        for (at, bytes) in program.windows(STAMP_BYTES).enumerate() {
            if bytes.first() == MARK.first()
                && let Some(stamp) = Self::read(bytes)
                && found.replace((at, stamp)).is_some()
            {
                return Err(StampError::Several);
            }
        }
        found.ok_or(StampError::None)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    #[test]
    fn a_stamp_is_found_in_a_program_once() {
        let stamp = made("0.2.0 x86_64-linux-gnu 8 1,2");
        let program = [b"\x7fELF rest \x01cabas-program\x01 of it".as_slice(), &stamp, b"end"].concat();
        let (at, found) = Stamp::find(&program).unwrap();
        assert_eq!(program.get(at..at.saturating_add(STAMP_BYTES)), Some(stamp.as_slice()));
        assert_eq!((found.version_text, found.target, found.journal_form), ("0.2.0", "x86_64-linux-gnu", 8));
        assert_eq!(found.capabilities, [1, 2]);
        assert_eq!(Stamp::find(&[program.clone(), program].concat()), Err(StampError::Several));
        assert_eq!(Stamp::find(b"#!/bin/sh"), Err(StampError::None));
        for bad in ["", "0.2 x 8 1", "0.2.0 x 8", "0.2.0 x eight 1", "0.2.0 x 8 1 more", &"0.2.0 x 8 1".repeat(20)] {
            assert_eq!(Stamp::read(&made(bad)), None, "{bad}");
        }
    }
}
