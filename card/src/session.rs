//! AuthenticateEV2First, and the secure messaging after it: a counter, a MAC on every command and answer, encryption
//! where it is asked for.

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::crypto::{BLOCK, Block, Key, padded, unpadded};
use crate::exchange::{Answer, CardError, Exchange};

/// Bytes of the data field of a short APDU.
const APDU_DATA_MAX: usize = 255;
const MAC_BYTES: usize = 8;
/// The status of native commands in ISO form: `91`, then the card's own code.
const SUCCESS: u16 = 0x9100;
/// More is to come.
const MORE: u16 = 0x91af;

/// How a command or its answer travels.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Comm {
    /// As it is, followed by a MAC.
    Mac,
    /// Encrypted, followed by a MAC.
    Full,
}

/// A command.
#[derive(Clone, Copy, Debug)]
pub struct Command<'d> {
    /// What an error calls it.
    pub name: &'static str,
    /// Its code.
    pub code: u8,
    /// What stays readable.
    pub header: &'d [u8],
    /// What may be encrypted.
    pub data: &'d [u8],
}

/// Two secrets of the session, what names the session, and how many commands there were.
#[derive(Clone)]
pub struct Session {
    enc: Key,
    mac: Key,
    transaction: [u8; 4],
    counter: u16,
}

/// Nothing of the keys is shown.
impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session(after {} commands)", self.counter)
    }
}

impl Session {
    /// Authenticates by a key of the selected application; both sides prove that they know it. `random` must be new each
    /// time and unpredictable.
    ///
    /// # Errors
    /// [`CardError`]: refused, or a card that does not know the key.
    pub fn authenticate(card: &mut dyn Exchange, number: u8, key: &Key, random: Block) -> Result<Self, CardError> {
        const FIRST: u8 = 0x71;
        const NEXT: u8 = 0xaf;
        // No capabilities of the reader are told.
        let answer = send(card, FIRST, &[number, 0])?;
        let mut theirs = Zeroizing::new(whole::<BLOCK>(&answer, MORE, "authenticate")?);
        key.decrypt(Block::default(), theirs.as_mut_slice());
        let mut proof = Zeroizing::new(Vec::with_capacity(BLOCK.saturating_mul(2)));
        proof.extend_from_slice(&random);
        proof.extend_from_slice(&rotated(*theirs));
        key.encrypt(Block::default(), proof.as_mut_slice());
        let answer = send(card, NEXT, &proof)?;
        let mut theirs_back = Zeroizing::new(whole::<{ BLOCK * 2 }>(&answer, SUCCESS, "authenticate")?);
        key.decrypt(Block::default(), theirs_back.as_mut_slice());
        let [t0, t1, t2, t3, rest @ ..] = *theirs_back;
        let back: Block = rest.first_chunk().copied().unwrap_or_default();
        if !bool::from(back.ct_eq(&rotated(random))) {
            return Err(CardError::NotAuthentic("the card does not know the key"));
        }
        let (enc, mac) = session_keys(key, random, *theirs);
        Ok(Self { enc, mac, transaction: [t0, t1, t2, t3], counter: 0 })
    }

    /// Sends a command and gives what its answer says, checked.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn command(
        &mut self,
        card: &mut dyn Exchange,
        command: Command<'_>,
        comm: Comm,
    ) -> Result<Zeroizing<Vec<u8>>, CardError> {
        let sent = self.wrapped(command, comm)?;
        let answer = send(card, command.code, &sent)?;
        if answer.status != SUCCESS {
            return Err(CardError::Refused { command: command.name, status: answer.status });
        }
        self.unwrapped(&answer.data, comm)
    }

    /// The same where the card chooses whether the answer, of so many bytes, is encrypted: it has a MAC either way.
    pub(crate) fn command_told(
        &mut self,
        card: &mut dyn Exchange,
        command: Command<'_>,
        len: usize,
    ) -> Result<Zeroizing<Vec<u8>>, CardError> {
        let sent = self.wrapped(command, Comm::Mac)?;
        let answer = send(card, command.code, &sent)?;
        if answer.status != SUCCESS {
            return Err(CardError::Refused { command: command.name, status: answer.status });
        }
        let is_plain = answer.data.len() == len.saturating_add(MAC_BYTES);
        self.unwrapped(&answer.data, if is_plain { Comm::Mac } else { Comm::Full })
    }

    /// The data field of a command.
    pub(crate) fn wrapped(&self, command: Command<'_>, comm: Comm) -> Result<Zeroizing<Vec<u8>>, CardError> {
        let mut out = Zeroizing::new(command.header.to_vec());
        let mut data = Zeroizing::new(command.data.to_vec());
        if comm == Comm::Full && !data.is_empty() {
            data = padded(&data);
            self.enc.encrypt(self.iv([0xa5, 0x5a], self.counter), data.as_mut_slice());
        }
        out.extend_from_slice(&data);
        let counter = self.counter.to_le_bytes();
        let mac = self.mac.short_mac(&[&[command.code], &counter, &self.transaction, command.header, &data]);
        out.extend_from_slice(&mac);
        if out.len() > APDU_DATA_MAX { Err(CardError::Range("the command")) } else { Ok(out) }
    }

    /// What an answer says: the MAC is checked before anything is believed.
    fn unwrapped(&mut self, answer: &[u8], comm: Comm) -> Result<Zeroizing<Vec<u8>>, CardError> {
        const OK: u8 = 0;
        let counter = self.counter.checked_add(1).ok_or(CardError::Range("the session"))?;
        let (data, mac) =
            answer.split_last_chunk::<MAC_BYTES>().ok_or(CardError::Foreign("an answer without a MAC"))?;
        let expected = self.mac.short_mac(&[&[OK], &counter.to_le_bytes(), &self.transaction, data]);
        if !bool::from(mac.ct_eq(&expected)) {
            return Err(CardError::NotAuthentic("an answer's MAC"));
        }
        self.counter = counter;
        let mut data = Zeroizing::new(data.to_vec());
        if comm == Comm::Mac || data.is_empty() {
            return Ok(data);
        }
        if !data.len().is_multiple_of(BLOCK) {
            return Err(CardError::Foreign("an encrypted answer of no whole blocks"));
        }
        self.enc.decrypt(self.iv([0x5a, 0xa5], counter), data.as_mut_slice());
        let len = unpadded(&data).map(<[u8]>::len).ok_or(CardError::Foreign("an answer's padding"))?;
        data.truncate(len);
        Ok(data)
    }

    fn iv(&self, label: [u8; 2], counter: u16) -> Block {
        let ([a, b], [t0, t1, t2, t3], [c0, c1]) = (label, self.transaction, counter.to_le_bytes());
        let mut iv = [a, b, t0, t1, t2, t3, c0, c1, 0, 0, 0, 0, 0, 0, 0, 0];
        self.enc.encrypt(Block::default(), &mut iv);
        iv
    }
}

/// The session's two keys (NXP AN12343 §4): for encryption and for MACs.
fn session_keys(key: &Key, ours: Block, theirs: Block) -> (Key, Key) {
    let derived = |label: [u8; 2]| {
        let mut mixed = [0; 6];
        let both = ours.iter().skip(2).zip(&theirs);
        for (to, (ours, theirs)) in mixed.iter_mut().zip(both) {
            *to = ours ^ theirs;
        }
        let (head, tail) = (ours.get(..2).unwrap_or_default(), ours.get(8..).unwrap_or_default());
        let rest = theirs.get(6..).unwrap_or_default();
        Key::new(key.cmac(&[&label, &[0x00, 0x01, 0x00, 0x80], head, &mixed, rest, tail]))
    };
    (derived([0xa5, 0x5a]), derived([0x5a, 0xa5]))
}

/// A block with its first byte at the end.
fn rotated(mut block: Block) -> Block {
    block.rotate_left(1);
    block
}

/// Sends a native command in ISO form.
pub(crate) fn send(card: &mut dyn Exchange, code: u8, data: &[u8]) -> Result<Answer, CardError> {
    let len = u8::try_from(data.len()).map_err(|_| CardError::Range("the command"))?;
    let mut apdu = Zeroizing::new(vec![0x90, code, 0, 0]);
    if len > 0 {
        apdu.push(len);
        apdu.extend_from_slice(data);
    }
    apdu.push(0);
    Ok(card.exchange(&apdu)?)
}

/// An answer of just so many bytes.
fn whole<const LEN: usize>(answer: &Answer, status: u16, command: &'static str) -> Result<[u8; LEN], CardError> {
    if answer.status != status {
        return Err(CardError::Refused { command, status: answer.status });
    }
    <[u8; LEN]>::try_from(answer.data.as_slice()).map_err(|_| CardError::Foreign("an answer of another length"))
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a failed unwrap is the test's failure"
    )]
    use super::*;
    use crate::exchange::LinkLost;
    use crate::vectors::{all, block, hex};

    /// A card that says what it was told to, and keeps what it heard.
    struct Told {
        answers: Vec<(Vec<u8>, u16)>,
        heard: Vec<Vec<u8>>,
    }

    impl Exchange for Told {
        fn exchange(&mut self, apdu: &[u8]) -> Result<Answer, LinkLost> {
            self.heard.push(apdu.to_vec());
            if self.answers.is_empty() {
                return Err(LinkLost);
            }
            let (data, status) = self.answers.remove(0);
            Ok(Answer { data: Zeroizing::new(data), status })
        }
    }

    fn told(answers: &[(&[u8], u16)]) -> Told {
        let answers = answers.iter().map(|(data, status)| (data.to_vec(), *status)).collect();
        Told { answers, heard: Vec::new() }
    }

    #[test]
    fn authentication_goes_as_published() {
        for vector in all("ev2first") {
            let (r1, r2) = (hex(&vector["r1"]), hex(&vector["r2"]));
            let number = hex(&vector["keyno"])[0];
            let mut card = told(&[(&r1, MORE), (&r2, SUCCESS)]);
            let key = Key::new(block(&vector["key"]));
            let session = Session::authenticate(&mut card, number, &key, block(&vector["rnda"])).unwrap();
            assert_eq!(card.heard[0], [0x90, 0x71, 0, 0, 2, number, 0, 0]);
            assert!(vector["c1"].is_null() || card.heard[0] == hex(&vector["c1"]), "{vector}");
            assert_eq!(card.heard[1], [&[0x90, 0xaf, 0, 0, 0x20][..], &hex(&vector["c2"]), &[0]].concat(), "{vector}");
            assert_eq!(session.transaction.to_vec(), hex(&vector["ti"]));
            assert_eq!((session.enc.expose(), session.mac.expose()), (&block(&vector["enc"]), &block(&vector["mac"])));
            // A card that does not know the key answers something else.
            let mut wrong = r2.clone();
            wrong[17] ^= 1;
            let mut card = told(&[(&r1, MORE), (&wrong, SUCCESS)]);
            let refused = Session::authenticate(&mut card, number, &key, block(&vector["rnda"]));
            assert!(matches!(refused, Err(CardError::NotAuthentic(_))));
        }
    }

    #[test]
    fn session_keys_come_out_as_published() {
        for vector in all("seskeys") {
            let (ours, theirs) = (block(&vector["rnda"]), block(&vector["rndb"]));
            let (enc, mac) = session_keys(&Key::new(block(&vector["key"])), ours, theirs);
            assert_eq!((enc.expose(), mac.expose()), (&block(&vector["enc"]), &block(&vector["mac"])), "{vector}");
        }
    }

    #[test]
    fn commands_and_answers_are_wrapped_as_published() {
        let mut seen = 0;
        for vector in all("cmd") {
            let ti = hex(&vector["ti"]);
            let mut session = Session {
                enc: Key::new(block(&vector["enc"])),
                mac: Key::new(block(&vector["mac"])),
                transaction: [ti[0], ti[1], ti[2], ti[3]],
                counter: u16::try_from(vector["ctr"].as_u64().unwrap()).unwrap(),
            };
            let comm = if vector["mode"] == "full" { Comm::Full } else { Comm::Mac };
            let (code, header, data) = (hex(&vector["ins"])[0], hex(&vector["hdr"]), hex(&vector["data"]));
            let command = Command { name: "test", code, header: &header, data: &data };
            assert_eq!(*session.wrapped(command, comm).unwrap(), hex(&vector["capdu_data"]), "{vector}");
            seen += 1;
            // The last command changes the key by which it was sent: its answer ends the session.
            if vector["rapdu_body"].is_null() {
                assert_eq!(vector["id"], "changekey-same-an12343-t40");
                continue;
            }
            let body = hex(&vector["rapdu_body"]);
            let mut changed = body.clone();
            changed[0] ^= 1;
            assert!(matches!(session.clone().unwrapped(&changed, comm), Err(CardError::NotAuthentic(_))), "{vector}");
            assert!(session.clone().unwrapped(&body[..7], comm).is_err());
            assert_eq!(*session.unwrapped(&body, comm).unwrap(), hex(&vector["rdata"]), "{vector}");
        }
        assert_eq!(seen, 18);
    }

    #[test]
    fn what_is_no_answer_is_no_session() {
        let key = Key::FACTORY;
        let start = |answers: &[(&[u8], u16)]| Session::authenticate(&mut told(answers), 0, &key, [7; 16]).unwrap_err();
        assert_eq!(start(&[]), CardError::Link(LinkLost));
        assert!(matches!(start(&[(&[], 0x91ae)]), CardError::Refused { status: 0x91ae, .. }));
        assert!(matches!(start(&[(&[1; 15], MORE)]), CardError::Foreign(_)));
        assert!(matches!(start(&[(&[1; 200], MORE)]), CardError::Foreign(_)));
        assert_eq!(start(&[(&[1; 16], MORE)]), CardError::Link(LinkLost));
        assert!(matches!(start(&[(&[1; 16], MORE), (&[2; 31], SUCCESS)]), CardError::Foreign(_)));
    }
}
