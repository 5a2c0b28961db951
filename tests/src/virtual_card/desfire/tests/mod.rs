//! The card against its rules, with a host that may say anything.

mod dialogue;
mod files;
mod purse;

use super::{DesfireChip, Edition};
use crate::virtual_card::ev2::crypto::{Key, cmac, crc32, encrypt, short_cmac, xor, zero_padded};
use crate::virtual_card::ev2::messaging::{CommMode, Session};
use crate::virtual_card::ev2::random::Random;
use crate::virtual_card::ev2::test_host::{GONE, authenticate, command, exchange, seal, send};
use crate::virtual_card::ev2::vectors::{array, of_type};
use crate::virtual_card::{Reaction, Tear};

const UID: [u8; 7] = [0x04, 0xde, 0x5f, 0x1e, 0xac, 0xc0, 0x40];
const APP: u32 = 0x00cc_bbaa;
const APP_BYTES: [u8; 3] = [0xaa, 0xbb, 0xcc];
const ZERO: Key = [0; 16];
const SHOP: Key = [0x51; 16];
const MAC_KEY: Key = [0x77; 16];
const START: i32 = i32::MAX;
const BALANCE: u8 = 1;
const VALUE: u8 = 2;
const LOG: u8 = 3;
const TMAC: u8 = 4;
const NOTES: u8 = 5;
const RECORD_BYTES: u8 = 48;
const RECORD: usize = 48;

/// A purse as a fund would make it: key 0 for the fund, 1 for a shop, 2 a shop that may do more.
fn purse(mode: CommMode, record_bytes: u8) -> DesfireChip {
    let mut card = DesfireChip::new(UID, Edition::Ev2K4, 7);
    let option = match mode {
        CommMode::Plain => 0,
        CommMode::Mac => 1,
        CommMode::Full => 3,
    };
    let mut session = authenticate(&mut card, None, 0, ZERO).unwrap();
    run(&mut card, &mut session, 0xca, &[&APP_BYTES[..], &[0x0b, 0x83]].concat()).unwrap();
    assert_eq!(send(&mut card, 0x5a, &APP_BYTES), (vec![], 0));
    let mut session = authenticate(&mut card, None, 0, ZERO).unwrap();
    for key_no in [1, 2] {
        let new = [SHOP.as_slice(), &[1], &crc32(&SHOP)].concat();
        command(&mut card, &mut session, CommMode::Full, 0xc4, (&[key_no], &new)).unwrap();
    }
    run(&mut card, &mut session, 0xcb, &[BALANCE, option, 0x20, 0x12, 160, 0, 0]).unwrap();
    let limits = [0, START, START].map(i32::to_le_bytes).concat();
    run(&mut card, &mut session, 0xcc, &[&[VALUE, option, 0xf0, 0x1f][..], &limits, &[0]].concat()).unwrap();
    run(&mut card, &mut session, 0xc0, &[LOG, option, 0x10, 0x1f, record_bytes, 0, 0, 5, 0, 0]).unwrap();
    let mac_key = [MAC_KEY.as_slice(), &[9]].concat();
    command(&mut card, &mut session, CommMode::Full, 0xce, (&[TMAC, option, 0xf0, 0x1f, 2], &mac_key)).unwrap();
    run(&mut card, &mut session, 0xcd, &[NOTES, option, 0x10, 0xee, 100, 0, 0]).unwrap();
    card.power_off();
    card
}

/// A command whose mode is MAC.
fn run(card: &mut DesfireChip, session: &mut Session, instruction: u8, data: &[u8]) -> Result<Vec<u8>, u8> {
    command(card, session, CommMode::Mac, instruction, (data, &[]))
}

/// Selects the purse and authenticates as the shop.
fn open(card: &mut DesfireChip, key_no: u8) -> Session {
    try_open(card, key_no).unwrap()
}

fn try_open(card: &mut DesfireChip, key_no: u8) -> Result<Session, u8> {
    match send(card, 0x5a, &APP_BYTES) {
        (_, 0) => authenticate(card, None, key_no, if key_no == 0 { ZERO } else { SHOP }),
        (_, status) => Err(status),
    }
}

/// One purchase, up to what goes wrong.
fn purchase(card: &mut DesfireChip, mode: CommMode, amount: i32, record: u8) -> Result<Vec<u8>, u8> {
    let session = &mut try_open(card, 1)?;
    command(card, session, mode, 0xad, (&[BALANCE, 0, 0, 0, 160, 0, 0], &[]))?;
    command(card, session, mode, 0x6c, (&[VALUE], &[]))?;
    command(card, session, mode, 0xdc, (&[VALUE], &amount.to_le_bytes()))?;
    let record = [record; RECORD];
    command(card, session, mode, 0x8b, (&[LOG, 0, 0, 0, RECORD_BYTES, 0, 0], &record))?;
    run(card, session, 0xc7, &[1])
}
