//! GetVersion: three frames about hardware, software and production.

use super::Edition;
use std::collections::VecDeque;

const PART_BYTES: usize = 7;

pub(super) fn bytes(edition: Edition, uid: [u8; 7]) -> Vec<u8> {
    let size = edition.size_byte();
    // Vendor NXP, DESFire, its version, its memory, ISO/IEC 14443-3 and -4.
    let hardware = [0x04, 0x01, 0x01, 0x12, 0x00, size, 0x05];
    let software = [0x04, 0x01, 0x01, 0x02, 0x01, size, 0x05];
    let batch = [0xba, 0x5e, 0xba, 0x11, 0x00];
    let week_and_year = [0x48, 0x26];
    [&hardware[..], &software, &uid, &batch, &week_and_year].concat()
}

/// The first two frames hold one part each, the last one all that is left, a MAC too.
pub(super) fn frames(answer: &[u8]) -> VecDeque<Vec<u8>> {
    let (hardware, rest) = answer.split_at(PART_BYTES.min(answer.len()));
    let (software, production) = rest.split_at(PART_BYTES.min(rest.len()));
    [hardware, software, production].map(<[u8]>::to_vec).into()
}
