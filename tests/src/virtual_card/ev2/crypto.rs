//! What the messaging is made of: AES-CBC, CMAC and its short form, the padding and the checksum.

use aes::Aes128;
use aes::cipher::{Block, BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use cmac::{Cmac, KeyInit as _, Mac as _};

pub(crate) type Key = [u8; 16];
pub(crate) const BLOCK: usize = 16;
pub(crate) const MAC: usize = 8;

/// AES-CBC over whole blocks.
pub(crate) fn encrypt(key: &Key, iv: [u8; 16], data: &[u8]) -> Vec<u8> {
    let mut cipher = cbc::Encryptor::<Aes128>::new(&(*key).into(), &iv.into());
    let mut data = data.to_vec();
    for block in data.chunks_exact_mut(BLOCK) {
        if let Ok(block) = <&mut Block<Aes128>>::try_from(block) {
            cipher.encrypt_block(block);
        }
    }
    data
}

/// The reverse of [`encrypt`].
pub(crate) fn decrypt(key: &Key, iv: [u8; 16], data: &[u8]) -> Vec<u8> {
    let mut cipher = cbc::Decryptor::<Aes128>::new(&(*key).into(), &iv.into());
    let mut data = data.to_vec();
    for block in data.chunks_exact_mut(BLOCK) {
        if let Ok(block) = <&mut Block<Aes128>>::try_from(block) {
            cipher.decrypt_block(block);
        }
    }
    data
}

/// AES-CMAC over parts put together.
pub(crate) fn cmac(key: &Key, parts: &[&[u8]]) -> [u8; 16] {
    let mut mac = Cmac::<Aes128>::new(&(*key).into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The eight bytes of a CMAC that are sent: every second one.
pub(crate) fn short_cmac(key: &Key, parts: &[&[u8]]) -> [u8; MAC] {
    let [_, a, _, b, _, c, _, d, _, e, _, f, _, g, _, h] = cmac(key, parts);
    [a, b, c, d, e, f, g, h]
}

/// ISO/IEC 9797-1 padding method 2: always at least one byte.
pub(crate) fn padded(data: &[u8]) -> Vec<u8> {
    zero_padded([data, &[0x80]].concat())
}

/// The reverse of [`padded`]; none where there is no such padding.
pub(crate) fn unpadded(data: &[u8]) -> Option<&[u8]> {
    let mark = data.iter().rposition(|byte| *byte != 0)?;
    let (rest, padding) = data.split_at_checked(mark)?;
    (padding.first() == Some(&0x80) && padding.len() <= BLOCK).then_some(rest)
}

/// Fills up the last block with zeros.
pub(crate) fn zero_padded(mut data: Vec<u8>) -> Vec<u8> {
    data.resize(data.len().next_multiple_of(BLOCK), 0);
    data
}

/// The CRC-32 of DESFire: that of IEEE 802.3 without its last inversion, least significant byte first.
pub(crate) fn crc32(data: &[u8]) -> [u8; 4] {
    let mut crc = u32::MAX;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    crc.to_le_bytes()
}

/// XOR, byte by byte, of the length of the shorter one.
pub(crate) fn xor(left: &[u8], right: &[u8]) -> Vec<u8> {
    left.iter().zip(right).map(|(left, right)| left ^ right).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_comes_off_as_it_went_on() {
        for length in 0..=33 {
            let data = vec![0x80; length];
            let padded = padded(&data);
            assert!(padded.len().is_multiple_of(BLOCK) && padded.len() > length);
            assert_eq!(unpadded(&padded), Some(data.as_slice()));
        }
        assert_eq!(unpadded(&[0; 16]), None);
        assert_eq!(unpadded(&[1; 16]), None);
        assert_eq!(unpadded(&[&[0x80][..], &[0; 31]].concat()), None);
    }

    #[test]
    fn the_checksum_is_the_inverted_one_of_ethernet() {
        assert_eq!(crc32(b"123456789"), 0x340b_c6d9_u32.to_le_bytes());
    }
}
