//! Short command APDUs (ISO/IEC 7816-4).

/// The class of native commands in an ISO wrapper.
pub(crate) const NATIVE: u8 = 0x90;
pub(crate) const ISO: u8 = 0x00;
pub(crate) const SELECT: u8 = 0xa4;
/// What a reader answers by itself: the UID of the card in its field (PC/SC part 3).
pub(crate) const GET_UID: [u8; 5] = [0xff, 0xca, 0, 0, 0];

pub(crate) const WRONG_LENGTH: [u8; 2] = [0x67, 0x00];
pub(crate) const NOT_FOUND: [u8; 2] = [0x6a, 0x82];
pub(crate) const WRONG_PARAMETERS: [u8; 2] = [0x6a, 0x86];
pub(crate) const WRONG_INSTRUCTION: [u8; 2] = [0x6d, 0x00];
pub(crate) const WRONG_CLASS: [u8; 2] = [0x6e, 0x00];
pub(crate) const DONE: [u8; 2] = [0x90, 0x00];

/// A command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Apdu<'a> {
    pub(crate) class: u8,
    pub(crate) instruction: u8,
    pub(crate) parameters: [u8; 2],
    pub(crate) data: &'a [u8],
}

impl<'a> Apdu<'a> {
    /// Takes a command apart; none where its length contradicts itself.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (&[class, instruction, p1, p2], rest) = bytes.split_first_chunk()?;
        let data = match rest {
            // No data; what is expected back may be said or not.
            [] | [_] => &[],
            [length, body @ ..] => {
                let (data, expected) = body.split_at_checked(usize::from(*length))?;
                if data.is_empty() || expected.len() > 1 {
                    return None;
                }
                data
            }
        };
        Some(Self { class, instruction, parameters: [p1, p2], data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_says_its_own_length() {
        let cases: [(&[u8], Option<&[u8]>); 9] = [
            (&[0x90, 0x60, 0, 0], Some(&[])),
            (&[0x90, 0x60, 0, 0, 0], Some(&[])),
            (&[0x90, 0x5a, 0, 0, 3, 1, 2, 3, 0], Some(&[1, 2, 3])),
            (&[0x90, 0x5a, 0, 0, 3, 1, 2, 3], Some(&[1, 2, 3])),
            (&[0x90, 0x5a, 0, 0, 3, 1, 2], None),
            (&[0x90, 0x5a, 0, 0, 3, 1, 2, 3, 0, 0], None),
            (&[0x90, 0x5a, 0, 0, 0, 0], None),
            (&[0x90, 0x5a, 0], None),
            (&[], None),
        ];
        for (bytes, data) in cases {
            assert_eq!(Apdu::parse(bytes).map(|apdu| apdu.data), data, "{bytes:02x?}");
        }
    }
}
