//! A host for the tests of the cards, without any check of its own beyond MACs: it may say what no honest host would.

use super::crypto::{decrypt, encrypt, padded, short_cmac, unpadded};
use super::messaging::{CommMode, Session};
use crate::virtual_card::{InField, Reaction};

/// Stands where a status would, had the card not left or fallen silent. No card answers so.
pub(crate) const GONE: u8 = 0xff;

/// Sends a command in the ISO wrapper, and gives data and second status byte.
pub(crate) fn send(card: &mut impl InField, instruction: u8, data: &[u8]) -> (Vec<u8>, u8) {
    let mut apdu = vec![0x90, instruction, 0, 0];
    if !data.is_empty() {
        apdu.push(u8::try_from(data.len()).unwrap());
    }
    apdu.extend(data);
    apdu.push(0);
    let Reaction::Answer(mut answer) = card.react(&apdu) else { return (Vec::new(), GONE) };
    let status = answer.pop().unwrap();
    assert_eq!(answer.pop(), Some(0x91), "to {apdu:02x?}");
    (answer, status)
}

/// As [`send`], in as many frames as the card wants.
pub(crate) fn exchange(card: &mut impl InField, instruction: u8, data: &[u8]) -> (Vec<u8>, u8) {
    let mut chunks = data.chunks(255).peekable();
    let (mut answer, mut status) = send(card, instruction, chunks.next().unwrap_or_default());
    while status == 0xaf {
        let (more, next) = send(card, 0xaf, chunks.next().unwrap_or_default());
        answer.extend(more);
        status = next;
    }
    (answer, status)
}

/// Half an authentication. Gives the session where the card accepts.
#[expect(
    clippy::unwrap_in_result,
    reason = "the error is the card's; what a card must never send is the test's failure"
)]
pub(crate) fn authenticate(
    card: &mut impl InField,
    before: Option<&Session>,
    key_no: u8,
    key: [u8; 16],
) -> Result<Session, u8> {
    let rnd_a = [0x3a, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, key_no];
    let (challenge, status) = match before {
        None => send(card, 0x71, &[key_no, 0]),
        Some(_) => send(card, 0x77, &[key_no]),
    };
    if status != 0xaf {
        return Err(status);
    }
    let rnd_b: [u8; 16] = decrypt(&key, [0; 16], &challenge).try_into().unwrap();
    let answer = [rnd_a.as_slice(), &rnd_b[1..], &rnd_b[..1]].concat();
    let (proof, status) = send(card, 0xaf, &encrypt(&key, [0; 16], &answer));
    if status != 0 {
        return Err(status);
    }
    let proof = decrypt(&key, [0; 16], &proof);
    let rotated = [&rnd_a[1..], &rnd_a[..1]].concat();
    let dialogue = match before {
        None => {
            assert_eq!(proof[4..20], rotated);
            (proof[..4].try_into().unwrap(), 0)
        }
        Some(session) => {
            assert_eq!(proof, rotated);
            (session.identifier, session.commands)
        }
    };
    Ok(Session::derive(key_no, &key, (&rnd_a, &rnd_b), dialogue))
}

/// Seals a command.
pub(crate) fn seal(session: &Session, mode: CommMode, instruction: u8, header: &[u8], data: &[u8]) -> Vec<u8> {
    let data = if mode == CommMode::Full && !data.is_empty() {
        encrypt(&session.encryption, iv(session, [0xa5, 0x5a], session.commands), &padded(data))
    } else {
        data.to_vec()
    };
    let counter = session.commands.to_le_bytes();
    let mac = short_cmac(&session.mac, &[&[instruction], &counter, &session.identifier, header, &data]);
    [header, &data, if mode == CommMode::Plain { &[] } else { &mac }].concat()
}

/// Checks and opens an answer, and counts the command.
pub(crate) fn open(session: &mut Session, mode: CommMode, answer: &[u8]) -> Vec<u8> {
    session.commands = session.commands.checked_add(1).unwrap();
    if mode == CommMode::Plain {
        return answer.to_vec();
    }
    let (sealed, mac) = answer.split_at(answer.len().checked_sub(8).expect("an answer without a MAC"));
    let counter = session.commands.to_le_bytes();
    assert_eq!(short_cmac(&session.mac, &[&[0], &counter, &session.identifier, sealed]), mac, "the card's MAC");
    if mode == CommMode::Mac || sealed.is_empty() {
        return sealed.to_vec();
    }
    let data = decrypt(&session.encryption, iv(session, [0x5a, 0xa5], session.commands), sealed);
    unpadded(&data).expect("a padding").to_vec()
}

/// A whole command in a session.
pub(crate) fn command(
    card: &mut impl InField,
    session: &mut Session,
    mode: CommMode,
    instruction: u8,
    (header, data): (&[u8], &[u8]),
) -> Result<Vec<u8>, u8> {
    let sealed = seal(session, mode, instruction, header, data);
    match exchange(card, instruction, &sealed) {
        (answer, 0) => Ok(open(session, mode, &answer)),
        (_, status) => Err(status),
    }
}

fn iv(session: &Session, label: [u8; 2], commands: u16) -> [u8; 16] {
    let input = [&label[..], &session.identifier, &commands.to_le_bytes(), &[0; 8]].concat();
    encrypt(&session.encryption, [0; 16], &input).try_into().unwrap()
}
