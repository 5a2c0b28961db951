//! The host of the purse card against a card made of software, in process: issued, spent, torn away at every APDU.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "test code"
)]

use cabas_card::commands::Committed;
use cabas_card::issue::{self, CardKeys, Renewal, Renewed, State};
use cabas_card::layout::{
    APPLICATION, BALANCE_FILE, Purpose, RECORD_BYTES, RECORD_FILE, Record, SLOTS, SPENT_FILE, VALUE_START, card_key,
};
use cabas_card::purse::{DebitError, Purse, purchase_input, written_input};
use cabas_card::session::Session;
use cabas_card::tmac::transaction_mac;
use cabas_card::{Answer, CardError, Exchange, Key, LinkLost};
use cabas_tests::virtual_card::desfire::{DesfireChip, Edition};
use cabas_tests::virtual_card::{Reaction, Tear};

const UID: [u8; 7] = [0x04, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66];
const BALANCE: &[u8] = b"a signed balance, as far as the card knows";
const TEARS: [Tear; 6] =
    [Tear::BeforeItRan, Tear::AnswerLost, Tear::Garbled, Tear::TooLong, Tear::PowerOff, Tear::EndlessWait];

/// The card in the field: counts what goes there and back.
struct Field {
    chip: DesfireChip,
    apdus: usize,
    up: usize,
    down: usize,
    is_gone: bool,
}

impl Field {
    fn new(chip: &DesfireChip) -> Self {
        let mut chip = chip.clone();
        chip.power_off();
        Self { chip, apdus: 0, up: 0, down: 0, is_gone: false }
    }
}

impl Exchange for Field {
    fn exchange(&mut self, apdu: &[u8]) -> Result<Answer, LinkLost> {
        if self.is_gone {
            return Err(LinkLost);
        }
        self.apdus += 1;
        self.up += apdu.len();
        match self.chip.react(apdu) {
            // A reader gives no more than a short answer has room for.
            Reaction::Answer(answer) if answer.len() <= 258 => {
                self.down += answer.len();
                Answer::parse(&answer)
            }
            Reaction::Answer(_) | Reaction::Leave | Reaction::Silence => {
                self.is_gone = true;
                Err(LinkLost)
            }
        }
    }
}

fn application() -> u32 {
    let [a, b, c] = APPLICATION;
    u32::from_le_bytes([a, b, c, 0])
}

fn master() -> Key {
    Key::new([0x5a; 16])
}

fn keys() -> CardKeys {
    let key = |purpose| (card_key(&master(), &UID, purpose, 1).unwrap(), 1);
    CardKeys {
        hub: key(Purpose::Application(0)),
        slots: SLOTS.map(|slot| key(Purpose::Application(slot))).collect(),
        transaction_mac: key(Purpose::TransactionMac),
    }
}

fn slot_key(slot: u8) -> Key {
    card_key(&master(), &UID, Purpose::Application(slot), 1).unwrap()
}

/// Numbers that are new each time, the same in each run.
fn random() -> impl FnMut() -> [u8; 16] {
    let mut next = 0_u128;
    move || {
        next += 0x9e37_79b9_7f4a_7c15;
        next.to_be_bytes()
    }
}

fn issued() -> DesfireChip {
    let chip = DesfireChip::new(UID, Edition::Ev2K4, 7);
    issue::issue(&mut Field::new(&chip), &keys(), BALANCE, &mut random()).unwrap();
    chip
}

fn spent(chip: &DesfireChip) -> u32 {
    VALUE_START - u32::try_from(chip.value(application(), SPENT_FILE).unwrap()).unwrap()
}

fn record(seq: u32, cents: u32, spent_after: u32) -> [u8; RECORD_BYTES] {
    let record = Record { terminal: 7, epoch: 1, seq, time_s: 1_800_000_000, cents, spent_after, serial: 1 };
    record.to_bytes(&Key::new([9; 16]), &UID)
}

/// A purchase as a terminal makes it, without its journal.
fn buy(field: &mut Field, slot: u8, seq: u32, cents: u32) -> Result<Committed, DebitError> {
    let mut purse =
        Purse::open(field, slot, &slot_key(slot), [seq.to_le_bytes()[0]; 16]).map_err(DebitError::NotDebited)?;
    purse.balance().map_err(DebitError::NotDebited)?;
    let before = purse.spent().map_err(DebitError::NotDebited)?;
    purse.debit(cents, &record(seq, cents, before + cents))
}

#[test]
fn a_purchase_is_eight_apdus_within_its_bytes_and_its_mac_is_the_one_that_the_hub_computes() {
    let chip = issued();
    let mut field = Field::new(&chip);
    let committed = buy(&mut field, 3, 1, 1_250).unwrap();
    assert_eq!((field.apdus, field.up, field.down), (8, 194, 280), "APDUs, bytes up, bytes down: at most 8, 200, 300");
    assert_eq!((spent(&chip), committed.counter), (1_250, 2), "the first transaction wrote the balance");
    assert_eq!(chip.records(application(), RECORD_FILE).unwrap(), [record(1, 1_250, 1_250).to_vec()]);
    let input = purchase_input(Some(BALANCE), 0, 1_250, &record(1, 1_250, 1_250)).unwrap();
    let mac_key = card_key(&master(), &UID, Purpose::TransactionMac, 1).unwrap();
    assert_eq!(transaction_mac(&mac_key, &UID, committed.counter, &input), committed.mac);
    // A changed amount, counter or card is another transaction.
    for (counter, cents) in [(2, 1_251), (3, 1_250)] {
        let input = purchase_input(Some(BALANCE), 0, cents, &record(1, 1_250, 1_250)).unwrap();
        assert_ne!(transaction_mac(&mac_key, &UID, counter, &input), committed.mac);
    }
}

#[test]
fn every_slot_sells_and_none_can_credit_or_open_another_slot() {
    let chip = issued();
    for slot in SLOTS {
        buy(&mut Field::new(&chip), slot, u32::from(slot), 100).unwrap();
    }
    assert_eq!(spent(&chip), 800);
    let mut field = Field::new(&chip);
    let wrong = Purse::open(&mut field, 2, &slot_key(1), [1; 16]).err().unwrap();
    assert!(matches!(wrong, CardError::Refused { .. } | CardError::NotAuthentic(_)), "{wrong}");
    // What a stolen terminal can do with its slot's key: debit and write, never give back.
    for credit in [0x0c_u8, 0x1c] {
        let mut field = Field::new(&chip);
        cabas_card::commands::select(&mut field, APPLICATION).unwrap();
        Session::authenticate(&mut field, 1, &slot_key(1), [2; 16]).unwrap();
        let answer = field.exchange(&[0x90, credit, 0, 0, 5, SPENT_FILE, 1, 0, 0, 0, 0]).unwrap();
        assert_ne!(answer.status, 0x9100, "{credit:02x}");
    }
    assert_eq!(spent(&chip), 800);
}

#[test]
fn more_than_a_counter_holds_and_nothing_are_refused_before_the_card_is_asked() {
    let chip = issued();
    for cents in [0, VALUE_START + 1, u32::MAX] {
        let mut field = Field::new(&chip);
        let mut purse = Purse::open(&mut field, 1, &slot_key(1), [1; 16]).unwrap();
        assert!(matches!(purse.debit(cents, &record(1, 1, 1)), Err(DebitError::NotDebited(CardError::Range(_)))));
    }
    assert_eq!(spent(&chip), 0);
}

#[test]
fn a_newer_balance_and_the_records_are_exchanged_after_the_purchase() {
    let chip = issued();
    let mut field = Field::new(&chip);
    let mut purse = Purse::open(&mut field, 1, &slot_key(1), [1; 16]).unwrap();
    assert_eq!(purse.balance().unwrap(), BALANCE);
    purse.spent().unwrap();
    purse.debit(500, &record(1, 500, 500)).unwrap();
    let newer = b"a newer one";
    let committed = purse.write_balance(newer).unwrap();
    let mac_key = card_key(&master(), &UID, Purpose::TransactionMac, 1).unwrap();
    assert_eq!(transaction_mac(&mac_key, &UID, committed.counter, &written_input(newer).unwrap()), committed.mac);
    assert_eq!(purse.records().unwrap(), [record(1, 500, 500)]);
    let mut field = Field::new(&chip);
    assert_eq!(Purse::open(&mut field, 2, &slot_key(2), [3; 16]).unwrap().balance().unwrap(), newer);
}

#[test]
fn the_newest_records_stay_and_the_oldest_go() {
    let chip = issued();
    for seq in 1..=40 {
        buy(&mut Field::new(&chip), 1, seq, 10).unwrap();
    }
    let mut field = Field::new(&chip);
    let records = Purse::open(&mut field, 5, &slot_key(5), [3; 16]).unwrap().records().unwrap();
    let seqs: Vec<_> = records.iter().map(|record| Record::parse(record).unwrap().seq).collect();
    assert_eq!(seqs, (26..=40).collect::<Vec<_>>());
}

/// The tear matrix of a purchase: whatever goes wrong at whatever APDU, the card was debited once or not at all, what is
/// said of it is never wrong, and the next tap settles what was in doubt.
#[test]
fn a_purchase_torn_anywhere_debits_once_or_not_at_all_and_the_next_tap_knows() {
    let (mut doubts, mut cases) = (0, 0);
    for tear in TEARS {
        for apdu in 1..=8 {
            cases += 1;
            let mut chip = issued();
            chip.tear_at(apdu, tear);
            let told = buy(&mut Field::new(&chip), 1, 1, 700);
            let debited = spent(&chip);
            let records = chip.records(application(), RECORD_FILE).unwrap().len();
            assert!(
                [0, 700].contains(&debited) && records == usize::from(debited > 0),
                "{tear:?} at {apdu}: torn apart"
            );
            match told {
                Ok(_) => assert_eq!(debited, 700, "{tear:?} at {apdu}: accepted and not debited"),
                Err(DebitError::NotDebited(_)) => assert_eq!(debited, 0, "{tear:?} at {apdu}: said no and was debited"),
                Err(DebitError::InDoubt(_)) => {
                    doubts += 1;
                    assert_eq!(apdu, 8, "{tear:?}: only the commit leaves a doubt");
                }
            }
            // The next tap: the counter and the records say what happened.
            let mut field = Field::new(&chip);
            let mut purse = Purse::open(&mut field, 1, &slot_key(1), [0x77; 16]).unwrap();
            let now = purse.spent().unwrap();
            let is_mine = purse.records().unwrap().iter().any(|bytes| Record::parse(bytes).unwrap().seq == 1);
            assert_eq!((now > 0, is_mine), (debited > 0, debited > 0), "{tear:?} at {apdu}");
            if debited == 0 {
                buy(&mut Field::new(&chip), 1, 2, 700).unwrap();
            }
            assert_eq!(spent(&chip), 700, "{tear:?} at {apdu}: one debit");
        }
    }
    assert_eq!((cases, doubts), (48, 6));
}

#[test]
fn a_balance_torn_while_it_is_written_is_the_old_one_or_the_new_one() {
    for tear in TEARS {
        for apdu in 1..=5 {
            let mut chip = issued();
            chip.tear_at(apdu, tear);
            let mut field = Field::new(&chip);
            let written = Purse::open(&mut field, 1, &slot_key(1), [1; 16])
                .and_then(|mut purse| purse.write_balance(b"a newer one").map(drop));
            let mut field = Field::new(&chip);
            let mut purse = Purse::open(&mut field, 2, &slot_key(2), [2; 16]).unwrap();
            let balance = purse.balance().unwrap();
            assert!([BALANCE, b"a newer one"].contains(&balance.as_slice()), "{tear:?} at {apdu}");
            assert!(written.is_err() || balance == b"a newer one", "{tear:?} at {apdu}");
            assert_eq!(purse.spent().unwrap(), 0);
        }
    }
}

#[test]
fn issuing_torn_anywhere_is_repeated_until_it_is_done() {
    let apdus = {
        let chip = DesfireChip::new(UID, Edition::Ev2K4, 7);
        let mut field = Field::new(&chip);
        issue::issue(&mut field, &keys(), BALANCE, &mut random()).unwrap();
        field.apdus
    };
    assert!(apdus > 20, "{apdus}");
    for tear in TEARS {
        for apdu in 1..=apdus {
            let mut chip = DesfireChip::new(UID, Edition::Ev2K4, 7);
            chip.tear_at(apdu, tear);
            let mut random = random();
            let first = issue::issue(&mut Field::new(&chip), &keys(), BALANCE, &mut random);
            let now = issue::state(&mut Field::new(&chip), &keys().hub.0, &mut random).unwrap();
            assert_ne!(now, State::Strange, "{tear:?} at {apdu}: locked out");
            if first.is_ok() {
                assert_eq!(now, State::Issued);
            } else if now != State::Issued {
                issue::issue(&mut Field::new(&chip), &keys(), BALANCE, &mut random)
                    .unwrap_or_else(|error| panic!("{tear:?} at {apdu}: {error}"));
            }
            buy(&mut Field::new(&chip), 8, 1, 100).unwrap_or_else(|error| panic!("{tear:?} at {apdu}: {error}"));
            let again = issue::issue(&mut Field::new(&chip), &keys(), BALANCE, &mut random);
            assert!(matches!(again, Err(CardError::Range(_))), "an issued card is left as it is");
            assert_eq!((spent(&chip), chip.data(application(), BALANCE_FILE).is_some()), (100, true));
        }
    }
}

const NEWER: &[u8] = b"a newer signed balance";

/// The hub's dialogue: the newest balance, and of each slot the key of a version.
fn renew(field: &mut Field, due: &[(u8, u8)], random: &mut dyn FnMut() -> [u8; 16]) -> Result<Renewed, CardError> {
    let CardKeys { hub, transaction_mac, .. } = keys();
    let renewal = Renewal { uid: &UID, hub: &hub.0, transaction_mac: &transaction_mac.0, balance: Some(NEWER), due };
    let key = |slot, version| card_key(&master(), &UID, Purpose::Application(slot), version);
    issue::renew(field, &renewal, &key, random)
}

fn all_due(version: u8) -> Vec<(u8, u8)> {
    SLOTS.map(|slot| (slot, version)).collect()
}

/// The balance that a slot reads by its key of a version; nothing where the card has another key.
fn read_by(chip: &DesfireChip, slot: u8, version: u8) -> Option<Vec<u8>> {
    let key = card_key(&master(), &UID, Purpose::Application(slot), version).unwrap();
    let mut field = Field::new(chip);
    let mut purse = Purse::open(&mut field, slot, &key, [1; 16]).ok()?;
    Some(purse.balance().unwrap())
}

#[test]
fn a_renewed_card_has_the_newest_balance_and_keys_and_the_old_ones_open_no_more() {
    let chip = issued();
    let due = [(1, 1), (2, 1), (3, 1), (4, 2), (5, 1), (6, 1), (7, 1), (8, 1)];
    let renewed = renew(&mut Field::new(&chip), &due, &mut random()).unwrap();
    let committed = renewed.committed.unwrap();
    let mac_key = card_key(&master(), &UID, Purpose::TransactionMac, 1).unwrap();
    assert_eq!((committed.counter, renewed.versions.as_slice()), (2, due.as_slice()));
    assert_eq!(transaction_mac(&mac_key, &UID, 2, &written_input(NEWER).unwrap()), committed.mac);
    assert_eq!((read_by(&chip, 4, 1), read_by(&chip, 4, 2).unwrap()), (None, NEWER.to_vec()));
    assert_eq!(read_by(&chip, 5, 1).unwrap(), NEWER, "the other slots keep theirs");
    // Again it does nothing, and says again what was committed; once the card was used that is no longer known.
    assert_eq!(renew(&mut Field::new(&chip), &due, &mut random()).unwrap(), renewed);
    buy(&mut Field::new(&chip), 5, 1, 100).unwrap();
    let later = renew(&mut Field::new(&chip), &due, &mut random()).unwrap();
    assert_eq!((later.committed, later.versions), (None, due.to_vec()));
    // A hub that lost its memory takes no key back, and learns what the card has.
    assert_eq!(renew(&mut Field::new(&chip), &all_due(1), &mut random()).unwrap().versions, due);
    assert_eq!(read_by(&chip, 4, 2).unwrap(), NEWER);
    assert_eq!(spent(&chip), 100);
}

#[test]
fn a_renewal_torn_anywhere_is_repeated_until_it_is_done_even_where_the_keys_changed_again_meanwhile() {
    let apdus = {
        let mut field = Field::new(&issued());
        renew(&mut field, &all_due(2), &mut random()).unwrap();
        field.apdus
    };
    assert!(apdus > 20, "{apdus}");
    for tear in TEARS {
        for apdu in 1..=apdus {
            let mut chip = issued();
            buy(&mut Field::new(&chip), 8, 1, 100).unwrap();
            chip.tear_at(apdu, tear);
            let mut random = random();
            let first = renew(&mut Field::new(&chip), &all_due(2), &mut random);
            // Whatever was torn, each slot has one of both keys and the card one of both balances.
            for slot in SLOTS {
                let read = [1, 2].map(|version| read_by(&chip, slot, version));
                let whole = read.iter().flatten().collect::<Vec<_>>();
                assert!(whole.len() == 1 && [BALANCE, NEWER].contains(&whole[0].as_slice()), "{tear:?} at {apdu}");
                assert!(first.is_err() || read[1].as_deref() == Some(NEWER), "{tear:?} at {apdu}: told as done");
            }
            // Nothing of it was noted, and another theft came before the card is there again.
            let again = renew(&mut Field::new(&chip), &all_due(3), &mut random)
                .unwrap_or_else(|error| panic!("{tear:?} at {apdu}: {error}"));
            assert_eq!(again.versions, all_due(3), "{tear:?} at {apdu}");
            let committed =
                again.committed.unwrap_or_else(|| panic!("{tear:?} at {apdu}: a commit is not accounted for"));
            assert_eq!(committed.counter, 3, "{tear:?} at {apdu}: issue, purchase, balance");
            for slot in SLOTS {
                let read = [1, 2, 3].map(|version| read_by(&chip, slot, version));
                assert_eq!(read, [None, None, Some(NEWER.to_vec())], "{tear:?} at {apdu}");
            }
            assert_eq!(spent(&chip), 100, "{tear:?} at {apdu}");
        }
    }
}

#[test]
fn a_retired_card_is_blank_and_can_be_issued_again() {
    let chip = issued();
    issue::retire(&mut Field::new(&chip), &keys().hub.0, &mut random()).unwrap();
    assert_eq!(issue::state(&mut Field::new(&chip), &keys().hub.0, &mut random()), Ok(State::Blank));
    issue::issue(&mut Field::new(&chip), &keys(), BALANCE, &mut random()).unwrap();
    let strange = Key::new([1; 16]);
    assert_eq!(issue::state(&mut Field::new(&chip), &strange, &mut random()), Ok(State::Strange));
    let other = CardKeys { hub: (strange, 1), ..keys() };
    assert!(issue::issue(&mut Field::new(&chip), &other, BALANCE, &mut random()).is_err(), "another hub's card stays");
    buy(&mut Field::new(&chip), 1, 1, 100).unwrap();
}
