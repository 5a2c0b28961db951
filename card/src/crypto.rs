//! AES-128 as DESFire uses it: CMAC, CBC, and keys diversified by AN10922.

use aes::Aes128;
use aes::cipher::{Array, BlockModeDecrypt as _, BlockModeEncrypt as _, KeyInit as _, KeyIvInit as _};
use cmac::{Cmac, Mac as _};
use zeroize::{Zeroize as _, Zeroizing};

/// Bytes of a block, a key and a whole MAC.
pub const BLOCK: usize = 16;
/// A block.
pub type Block = [u8; BLOCK];

/// A secret of 16 bytes: wiped when dropped, never shown.
#[derive(Clone, Eq, PartialEq)]
pub struct Key(Block);

impl Key {
    /// The key of a new card.
    pub const FACTORY: Self = Self([0; BLOCK]);

    /// Takes the bytes.
    #[must_use]
    pub const fn new(bytes: Block) -> Self {
        Self(bytes)
    }

    /// The bytes, for the one who seals, sends or writes them.
    #[must_use]
    pub const fn expose(&self) -> &Block {
        &self.0
    }

    /// AES-CMAC (NIST SP 800-38B).
    #[must_use]
    pub fn cmac(&self, parts: &[&[u8]]) -> Block {
        let mut mac = Cmac::<Aes128>::new(&Array::from(self.0));
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// The MAC that goes over the air: every second byte of a CMAC.
    #[must_use]
    pub fn short_mac(&self, parts: &[&[u8]]) -> [u8; 8] {
        let [_, a, _, b, _, c, _, d, _, e, _, f, _, g, _, h] = self.cmac(parts);
        [a, b, c, d, e, f, g, h]
    }

    /// CBC over whole blocks; what is left over is not touched.
    pub(crate) fn encrypt(&self, iv: Block, data: &mut [u8]) {
        let mut cbc = cbc::Encryptor::<Aes128>::new(&Array::from(self.0), &Array::from(iv));
        for block in data.chunks_exact_mut(BLOCK) {
            let mut whole = Array::from(Block::default());
            whole.copy_from_slice(block);
            cbc.encrypt_block(&mut whole);
            block.copy_from_slice(&whole);
        }
    }

    /// The same back.
    pub(crate) fn decrypt(&self, iv: Block, data: &mut [u8]) {
        let mut cbc = cbc::Decryptor::<Aes128>::new(&Array::from(self.0), &Array::from(iv));
        for block in data.chunks_exact_mut(BLOCK) {
            let mut whole = Array::from(Block::default());
            whole.copy_from_slice(block);
            cbc.decrypt_block(&mut whole);
            block.copy_from_slice(&whole);
        }
    }

    /// A key for one purpose, from this master (NXP AN10922 §2.2): the input is 1 to 31 bytes.
    ///
    /// # Errors
    /// None where the input has such a length; nothing otherwise.
    #[must_use]
    pub fn diversified(&self, input: &[u8]) -> Option<Self> {
        const WHOLE: usize = 32;
        const CONSTANT: u8 = 0x01;
        if input.is_empty() || input.len() >= WHOLE {
            return None;
        }
        let mut message = Zeroizing::new([0; WHOLE]);
        let (first, rest) = message.split_first_mut()?;
        *first = CONSTANT;
        rest.get_mut(..input.len())?.copy_from_slice(input);
        // Always two blocks: a short input is padded to the whole length, so this is not a CMAC of what was given.
        let is_whole = input.len().checked_add(1)? == WHOLE;
        if !is_whole {
            *rest.get_mut(input.len())? = 0x80;
        }
        Some(Self(self.two_blocks(&message, is_whole)))
    }

    /// The CMAC of exactly two blocks, with the subkey for whole or for padded messages.
    fn two_blocks(&self, message: &[u8; 32], is_whole: bool) -> Block {
        let mut zero = Block::default();
        self.encrypt(Block::default(), &mut zero);
        let k1 = doubled(zero);
        let subkey = if is_whole { k1 } else { doubled(k1) };
        let mut blocks = Zeroizing::new(*message);
        for (byte, subkey) in blocks.iter_mut().skip(BLOCK).zip(subkey) {
            *byte ^= subkey;
        }
        self.encrypt(Block::default(), blocks.as_mut_slice());
        let mut last = Block::default();
        for (to, from) in last.iter_mut().zip(blocks.iter().skip(BLOCK)) {
            *to = *from;
        }
        last
    }
}

/// A block doubled in GF(2^128) (NIST SP 800-38B §6.1).
fn doubled(block: Block) -> Block {
    let number = u128::from_be_bytes(block);
    let carry = if number >> 127 == 1 { 0x87 } else { 0 };
    ((number << 1) ^ carry).to_be_bytes()
}

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key([REDACTED])")
    }
}

/// Data with the padding of EV2: 80, then zeros to whole blocks, always at least one byte.
pub(crate) fn padded(data: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(data.len().saturating_add(BLOCK)));
    out.extend_from_slice(data);
    out.push(0x80);
    while !out.len().is_multiple_of(BLOCK) {
        out.push(0);
    }
    out
}

/// Data without that padding; nothing where there is none.
pub(crate) fn unpadded(data: &[u8]) -> Option<&[u8]> {
    let end = data.iter().rposition(|byte| *byte != 0)?;
    if data.get(end) == Some(&0x80) { data.get(..end) } else { None }
}

/// The CRC-32 of DESFire: as Ethernet's, but for the last inversion.
#[must_use]
pub(crate) fn crc32(parts: &[&[u8]]) -> u32 {
    let mut crc = u32::MAX;
    for byte in parts.iter().flat_map(|part| part.iter()) {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    crc
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use crate::vectors::{all, block, hex};

    #[test]
    fn keys_are_diversified_as_published() {
        for vector in all("an10922") {
            let key = Key::new(block(&vector["master"])).diversified(&hex(&vector["div"])).unwrap();
            assert_eq!(key.expose(), &block(&vector["key"]), "{vector}");
        }
        assert!(Key::FACTORY.diversified(&[]).is_none() && Key::FACTORY.diversified(&[0; 32]).is_none());
    }

    #[test]
    fn a_short_input_is_not_a_plain_cmac() {
        let master = Key::new([7; 16]);
        assert_ne!(*master.diversified(&[1]).unwrap().expose(), master.cmac(&[&[0x01, 1]]));
        // Of a whole message it is one.
        assert_eq!(*master.diversified(&[9; 31]).unwrap().expose(), master.cmac(&[&[0x01], &[9; 31]]));
    }

    #[test]
    fn padding_comes_off_only_where_it_is() {
        for data in [&[][..], &[0], &[0x80], &[1; 15], &[1; 16], &[0x80, 0, 0]] {
            let whole = padded(data);
            assert!(whole.len().is_multiple_of(BLOCK) && !whole.is_empty());
            assert_eq!(unpadded(&whole), Some(data));
        }
        assert_eq!((unpadded(&[0; 16]), unpadded(&[]), unpadded(&[1; 16])), (None, None, None));
    }

    #[test]
    fn a_key_is_never_shown() {
        assert_eq!(format!("{:?}", Key::new([0x42; 16])), "Key([REDACTED])");
    }

    #[test]
    fn the_crc_is_the_one_of_a_published_key_change() {
        // NXP AN12343 table 39: the new key, then its version, then the CRC of the key alone.
        let new = [0x01, 0x23, 0x45, 0x67, 0x89, 0x01, 0x23, 0x45, 0x67, 0x89, 0x01, 0x23, 0x45, 0x67, 0x89, 0x01];
        assert_eq!(crc32(&[&new]).to_le_bytes(), [0xa0, 0xa6, 0x08, 0x68]);
    }
}
