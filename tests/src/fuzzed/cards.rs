//! What lies in the reader's field: a card that answers anything, and one of ours with somebody in between.

use cabas_agent::card::purse::{PurseCard as _, exchange_over, over};
use cabas_agent::card::{self, Card};
use cabas_card::identity::{self, HUB_KEY, SHARED_KEYS};
use cabas_card::issue::{self as desfire, CardKeys, State};
use cabas_card::layout::{
    APPLICATION, Purpose, RECORD_BYTES, RECORD_FILE, Record, SLOTS, SPENT_FILE, VALUE_START, card_key,
};
use cabas_card::purse::{DebitError, Purse};
use cabas_card::{Answer, CardError, Exchange, Key, LinkLost};

use crate::virtual_card::desfire::{DesfireChip, Edition};
use crate::virtual_card::ntag424::Ntag424Chip;
use crate::virtual_card::{InField, Reaction};

const UID: [u8; 7] = [0x04, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66];
const MASTER: Key = Key::new([0x5a; 16]);
const BALANCE: &[u8] = b"a signed balance, as far as the card knows";
const CENTS: u32 = 1_250;
/// Bytes that a short answer has room for, its status included.
const ANSWER_BYTES_MAX: usize = 258;
/// How many changes one dialogue gets at the most.
const BENDS_MAX: usize = 8;

/// A change on the way between card and program.
#[derive(Clone, Copy)]
struct Bend {
    /// Which exchange, from 0.
    exchange: u8,
    how: u8,
    at: u8,
    value: u8,
}

/// A card with somebody in between.
struct Bent<C> {
    chip: C,
    bends: Vec<Bend>,
    /// Commands are bent too, not only answers.
    both_ways: bool,
    before: Vec<u8>,
    exchanges: u8,
    is_gone: bool,
}

impl<C: InField> Bent<C> {
    /// Four bytes say one change.
    fn new(chip: C, script: &[u8], both_ways: bool) -> Self {
        let bends = script.chunks_exact(4).take(BENDS_MAX).filter_map(|four| match *four {
            [exchange, how, at, value] => Some(Bend { exchange, how, at, value }),
            _ => None,
        });
        Self { chip, bends: bends.collect(), both_ways, before: Vec::new(), exchanges: 0, is_gone: false }
    }

    fn down(&mut self, bend: Bend, answer: &mut Vec<u8>) {
        let at = usize::from(bend.at).checked_rem(answer.len()).unwrap_or(0);
        match bend.how % 7 {
            0 => answer.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= bend.value),
            1 => answer.truncate(at),
            2 => answer.extend(std::iter::repeat_n(bend.value, usize::from(bend.at))),
            3 => {
                answer.truncate(answer.len().saturating_sub(2));
                answer.extend([bend.at, bend.value]);
            }
            4 => self.is_gone = true,
            5 => answer.clone_from(&self.before),
            _ => {}
        }
    }
}

impl<C: InField> Exchange for Bent<C> {
    fn exchange(&mut self, apdu: &[u8]) -> Result<Answer, LinkLost> {
        if self.is_gone {
            return Err(LinkLost);
        }
        let number = self.exchanges;
        self.exchanges = number.saturating_add(1);
        let bends: Vec<_> = self.bends.iter().copied().filter(|bend| bend.exchange == number).collect();
        let mut apdu = apdu.to_vec();
        for bend in bends.iter().filter(|bend| self.both_ways && bend.how % 7 == 6) {
            let at = usize::from(bend.at).checked_rem(apdu.len()).unwrap_or(0);
            apdu.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= bend.value);
        }
        let Reaction::Answer(mut answer) = self.chip.react(&apdu) else {
            self.is_gone = true;
            return Err(LinkLost);
        };
        let genuine = answer.clone();
        for bend in bends {
            self.down(bend, &mut answer);
        }
        self.before = genuine;
        self.is_gone |= answer.len() > ANSWER_BYTES_MAX;
        if self.is_gone { Err(LinkLost) } else { Answer::parse(&answer) }
    }
}

fn random() -> impl FnMut() -> [u8; 16] {
    let mut next = 0_u128;
    move || {
        next = next.wrapping_add(0x9e37_79b9_7f4a_7c15);
        next.to_be_bytes()
    }
}

fn key(purpose: Purpose) -> Key {
    card_key(&MASTER, &UID, purpose, 1).unwrap_or_else(|_| panic!("every key of the layout can be made"))
}

fn purse_keys() -> CardKeys {
    CardKeys {
        hub: (key(Purpose::Application(0)), 1),
        slots: SLOTS.map(|slot| (key(Purpose::Application(slot)), 1)).collect(),
        transaction_mac: (key(Purpose::TransactionMac), 1),
    }
}

fn file() -> u32 {
    let [a, b, c] = APPLICATION;
    u32::from_le_bytes([a, b, c, 0])
}

fn spent(chip: &DesfireChip) -> Option<u32> {
    VALUE_START.checked_sub(u32::try_from(chip.value(file(), SPENT_FILE)?).ok()?)
}

fn off(chip: &DesfireChip) -> DesfireChip {
    let mut chip = chip.clone();
    chip.power_off();
    chip
}

fn issue_purse(chip: &DesfireChip, script: &[u8]) -> Result<(), CardError> {
    let mut field = Bent::new(off(chip), script, false);
    desfire::issue(&mut field, &purse_keys(), BALANCE, &mut random()).map(drop)
}

/// A purchase with changes on the way: nothing but the card's own word is believed, and who says that nothing was debited is
/// right.
pub(super) fn purchase(script: &[u8]) {
    let chip = DesfireChip::new(UID, Edition::Ev2K4, 7);
    assert_eq!(issue_purse(&chip, &[]), Ok(()));
    let mut field = Bent::new(off(&chip), script, true);
    let record =
        Record { terminal: 7, epoch: 1, seq: 1, time_s: 1_800_000_000, cents: CENTS, spent_after: CENTS, serial: 1 };
    let record = record.to_bytes(&Key::new([9; 16]), &UID);
    let done = buy(&mut field, &chip, &record);
    drop(off(&chip));
    match done {
        Ok(()) => assert_eq!(spent(&chip), Some(CENTS), "shown as paid"),
        Err(DebitError::NotDebited(error)) => assert_eq!(spent(&chip), Some(0), "debited in spite of: {error}"),
        Err(DebitError::InDoubt(_)) => {
            let records = chip.records(file(), RECORD_FILE).unwrap_or_default();
            let is_whole = match spent(&chip) {
                Some(0) => records.is_empty(),
                Some(CENTS) => records == [record.to_vec()],
                _ => false,
            };
            assert!(is_whole, "half a purchase");
        }
    }
}

fn buy(field: &mut dyn Exchange, chip: &DesfireChip, record: &[u8; RECORD_BYTES]) -> Result<(), DebitError> {
    let not = DebitError::NotDebited;
    let mut purse = Purse::open(field, 3, &key(Purpose::Application(3)), [3; 16]).map_err(not)?;
    assert_eq!(purse.balance().map_err(not)?, BALANCE, "another balance is believed");
    assert_eq!(purse.spent().map_err(not)?, 0, "another counter is believed");
    purse.debit(CENTS, record)?;
    if let Ok(records) = purse.records() {
        let kept = chip.records(file(), RECORD_FILE).unwrap_or_default();
        assert!(
            records.iter().map(|record| record.as_slice()).eq(kept.iter().map(Vec::as_slice)),
            "other records are believed"
        );
    }
    if purse.write_balance(b"newer").is_ok() {
        assert_eq!(purse.balance().unwrap_or_else(|_| b"newer".to_vec()), b"newer");
    }
    Ok(())
}

/// An issue with changes in the answers: begun anew on an honest reader, it ends well.
pub(super) fn issue(script: &[u8]) {
    let chip = DesfireChip::new(UID, Edition::Ev2K4, 7);
    _ = issue_purse(&chip, script);
    let again = issue_purse(&chip, &[]);
    assert!(matches!(again, Ok(()) | Err(CardError::Range("a card that is issued already"))), "lost: {again:?}");
    let state = desfire::state(&mut Bent::new(off(&chip), &[], false), &purse_keys().hub.0, &mut random());
    assert_eq!((state, spent(&chip)), (Ok(State::Issued), Some(0)));

    let tag = Ntag424Chip::new(UID, 7);
    _ = issue_tag(&tag, script);
    let again = issue_tag(&tag, &[]);
    assert!(matches!(again, Ok(()) | Err(CardError::Range("a card that is issued already"))), "lost: {again:?}");
}

fn tag_key(number: u8, version: u8) -> Result<Key, CardError> {
    identity::card_key(&MASTER, &UID, number, version)
}

fn issue_tag(tag: &Ntag424Chip, script: &[u8]) -> Result<(), CardError> {
    let mut tag = tag.clone();
    tag.power_off();
    let due: Vec<_> = SHARED_KEYS.map(|number| (number, 1)).collect();
    let hub = (tag_key(HUB_KEY, 1)?, 1);
    identity::issue(&mut Bent::new(tag, script, false), &tag_key, &due, &hub, &mut random()).map(drop)
}

/// An identity card with changes on the way: it is the one that it proves to be, and counts no further than it did.
pub(super) fn identity(script: &[u8]) {
    let mut tag = Ntag424Chip::new(UID, 7);
    assert_eq!(issue_tag(&tag, &[]), Ok(()));
    let number = *SHARED_KEYS.start();
    let key = tag_key(number, 1).unwrap_or_else(|_| panic!("every key of the layout can be made"));
    tag.power_off();
    if let Ok(proven) = identity::prove(&mut Bent::new(tag.clone(), script, true), number, &key, [5; 16]) {
        assert!(proven.uid == UID && proven.counter <= 1, "it proved {proven:?}");
    }
    tag.power_off();
    let honest = identity::prove(&mut Bent::new(tag, &[], false), number, &key, [6; 16]);
    assert!(honest.is_ok_and(|proven| proven.uid == UID && (1..=2).contains(&proven.counter)), "{honest:?}");
}

/// Answers one after the other, each behind a byte that says its length; then the card is gone.
struct Script<'b>(&'b [u8]);

impl Script<'_> {
    fn next(&mut self) -> Option<Vec<u8>> {
        let (len, rest) = self.0.split_first()?;
        let (answer, rest) = rest.split_at_checked(usize::from(*len)).unwrap_or((rest, &[]));
        self.0 = rest;
        Some(answer.to_vec())
    }
}

impl Exchange for Script<'_> {
    fn exchange(&mut self, _: &[u8]) -> Result<Answer, LinkLost> {
        Answer::parse(&self.next().ok_or(LinkLost)?)
    }
}

impl Card for Script<'_> {
    fn transmit(&mut self, _: &[u8]) -> Result<card::Answer, card::CardError> {
        card::Answer::parse(&self.next().ok_or(card::CardError::LinkLost)?)
    }
}

/// A card that answers anything proves nothing.
pub(super) fn answers(bytes: &[u8]) {
    let any = Key::new([0x77; 16]);
    assert!(Purse::open(&mut Script(bytes), 1, &any, [1; 16]).is_err(), "a stranger opened");
    assert!(identity::prove(&mut Script(bytes), 1, &any, [1; 16]).is_err(), "a stranger proved who it is");
    assert!(over(&mut Script(bytes)).open(1, &any).is_err());
    let state = desfire::state(&mut exchange_over(&mut Script(bytes)), &any, &mut random());
    assert!(state != Ok(State::Issued), "a stranger is issued");
    assert!(desfire::issue(&mut Script(bytes), &purse_keys(), BALANCE, &mut random()).is_err());
    _ = identity::state(&mut Script(bytes), &any, &mut random());
    if let Ok(uid) = card::read_uid(&mut Script(bytes)) {
        assert_eq!(uid.class(), card::UidClass::Unique);
    }
}

/// A record as it was read from a card.
pub(super) fn record(bytes: &[u8]) {
    let Some(bytes) = bytes.first_chunk::<RECORD_BYTES>() else { return };
    let key = Key::new([9; 16]);
    let is_authentic = Record::is_authentic(bytes, &key, &UID);
    let Ok(record) = Record::parse(bytes) else { return };
    assert!(record.cents > 0 && record.spent_after >= record.cents);
    let made = record.to_bytes(&key, &UID);
    assert_eq!(made.first_chunk::<32>(), bytes.first_chunk::<32>(), "two forms of one record");
    assert_eq!(made == *bytes, is_authentic, "another terminal's record is believed");
}
