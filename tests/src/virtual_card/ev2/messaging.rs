//! A session between a card and who authenticated: what comes in is checked and opened, what goes out is sealed.

use super::crypto::{BLOCK, Key, MAC, cmac, decrypt, encrypt, padded, short_cmac, unpadded, xor};
use super::status::Status;

/// How the data of a command or of a file travels within a session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum CommMode {
    /// As it is.
    Plain,
    /// With a MAC.
    Mac,
    /// Encrypted, with a MAC.
    Full,
}

impl CommMode {
    /// From the two lowest bits of a file's option byte.
    pub(crate) fn from_bits(bits: u8) -> Self {
        match bits & 0b11 {
            0b01 => Self::Mac,
            0b11 => Self::Full,
            _ => Self::Plain,
        }
    }

    /// How long a command is on its way, with a header and data of these lengths.
    pub(crate) fn command_bytes(self, header: usize, data: usize) -> usize {
        match self {
            Self::Plain => header.saturating_add(data),
            Self::Mac => header.saturating_add(data).saturating_add(MAC),
            Self::Full if data == 0 => header.saturating_add(MAC),
            Self::Full => {
                let blocks = data.saturating_add(1).checked_next_multiple_of(BLOCK).unwrap_or(usize::MAX);
                header.saturating_add(blocks).saturating_add(MAC)
            }
        }
    }
}

/// Who authenticated, and what protects the dialogue since.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Session {
    pub(crate) key_no: u8,
    pub(crate) encryption: Key,
    pub(crate) mac: Key,
    /// The transaction identifier, which lasts over further authentications.
    pub(crate) identifier: [u8; 4],
    /// How many commands there were since the first authentication.
    pub(crate) commands: u16,
}

impl Session {
    /// Derives the keys of a session from both sides' random numbers.
    pub(crate) fn derive(
        key_no: u8,
        key: &Key,
        (rnd_a, rnd_b): (&[u8; 16], &[u8; 16]),
        (identifier, commands): ([u8; 4], u16),
    ) -> Self {
        // The notes count bytes from the right: their RndA[15..14] are the first two.
        let [a0, a1, a @ ..] = rnd_a;
        let (a_middle, a_tail) = a.split_at(6);
        let (b_head, b_tail) = rnd_b.split_at(6);
        let context = [&[*a0, *a1][..], &xor(a_middle, b_head), b_tail, a_tail].concat();
        Self {
            key_no,
            encryption: cmac(key, &[&[0xa5, 0x5a, 0, 1, 0, 0x80], &context]),
            mac: cmac(key, &[&[0x5a, 0xa5, 0, 1, 0, 0x80], &context]),
            identifier,
            commands,
        }
    }

    /// Checks and opens a command of which the first bytes are never encrypted. Gives header and data in plain.
    pub(crate) fn open(&self, instruction: u8, frame: &[u8], header: usize, mode: CommMode) -> Result<Vec<u8>, Status> {
        if mode == CommMode::Plain {
            return Ok(frame.to_vec());
        }
        let sealed_bytes = frame.len().checked_sub(MAC).ok_or(Status::LENGTH)?;
        let (sealed, mac) = frame.split_at_checked(sealed_bytes).ok_or(Status::LENGTH)?;
        let counter = self.commands.to_le_bytes();
        if short_cmac(&self.mac, &[&[instruction], &counter, &self.identifier, sealed]) != mac {
            return Err(Status::INTEGRITY);
        }
        let (header, data) = sealed.split_at_checked(header.min(sealed.len())).ok_or(Status::LENGTH)?;
        if mode == CommMode::Mac || data.is_empty() {
            return Ok(sealed.to_vec());
        }
        if !data.len().is_multiple_of(BLOCK) {
            return Err(Status::LENGTH);
        }
        let data = decrypt(&self.encryption, self.iv([0xa5, 0x5a], self.commands), data);
        Ok([header, unpadded(&data).ok_or(Status::INTEGRITY)?].concat())
    }

    /// Seals the answer to a command that succeeded, and counts the command.
    pub(crate) fn seal(&mut self, data: Vec<u8>, mode: CommMode) -> Result<Vec<u8>, Status> {
        // A session has 65535 commands; then it must be made anew.
        self.commands = self.commands.checked_add(1).ok_or(Status::PERMISSION_DENIED)?;
        if mode == CommMode::Plain {
            return Ok(data);
        }
        let data = if mode == CommMode::Full && !data.is_empty() {
            encrypt(&self.encryption, self.iv([0x5a, 0xa5], self.commands), &padded(&data))
        } else {
            data
        };
        let counter = self.commands.to_le_bytes();
        let mac = short_cmac(&self.mac, &[&[Status::OK.byte()], &counter, &self.identifier, &data]);
        Ok([data.as_slice(), &mac].concat())
    }

    fn iv(&self, label: [u8; 2], commands: u16) -> [u8; 16] {
        let input = [&label[..], &self.identifier, &commands.to_le_bytes(), &[0; 8]].concat();
        encrypt(&self.encryption, [0; 16], &input).first_chunk().copied().unwrap_or_default()
    }
}
