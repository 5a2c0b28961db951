//! The host of the identity card against a card made of software, in process: issued, proven, torn away at every APDU.
#![allow(clippy::unwrap_used, clippy::panic, clippy::arithmetic_side_effects, reason = "test code")]

use cabas_card::identity::{self, HUB_KEY, PUBLIC_FILE, Proven, SHARED_KEYS, card_key};
use cabas_card::issue::State;
use cabas_card::session::Session;
use cabas_card::{Answer, CardError, Exchange, Key, LinkLost};
use cabas_tests::virtual_card::ntag424::Ntag424Chip;
use cabas_tests::virtual_card::{Chip, InField, Reaction, Tear};

const UID: [u8; 7] = [0x04, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66];
const SELECT: [u8; 13] = [0x00, 0xa4, 4, 0, 7, 0xd2, 0x76, 0, 0, 0x85, 1, 1, 0];
const TEARS: [Tear; 6] =
    [Tear::BeforeItRan, Tear::AnswerLost, Tear::Garbled, Tear::TooLong, Tear::PowerOff, Tear::EndlessWait];

/// The card in the field: counts what goes there.
struct Field<C> {
    chip: C,
    apdus: usize,
    is_gone: bool,
}

impl<C: InField + Clone> Field<C> {
    fn new(chip: &C) -> Self {
        let mut chip = chip.clone();
        chip.reset();
        Self { chip, apdus: 0, is_gone: false }
    }
}

impl<C: InField> Exchange for Field<C> {
    fn exchange(&mut self, apdu: &[u8]) -> Result<Answer, LinkLost> {
        if self.is_gone {
            return Err(LinkLost);
        }
        self.apdus += 1;
        match self.chip.react(apdu) {
            // A reader gives no more than a short answer has room for.
            Reaction::Answer(answer) if answer.len() <= 258 => Answer::parse(&answer),
            Reaction::Answer(_) | Reaction::Leave | Reaction::Silence => {
                self.is_gone = true;
                Err(LinkLost)
            }
        }
    }
}

fn key(number: u8, version: u8) -> Key {
    keys(number, version).unwrap()
}

fn keys(number: u8, version: u8) -> Result<Key, CardError> {
    card_key(&Key::new([0x5a; 16]), &UID, number, version)
}

fn due(version: u8) -> Vec<(u8, u8)> {
    SHARED_KEYS.map(|number| (number, version)).collect()
}

/// Numbers that are new each time, the same in each run.
fn random() -> impl FnMut() -> [u8; 16] {
    let mut next = 0_u128;
    move || {
        next += 0x9e37_79b9_7f4a_7c15;
        next.to_be_bytes()
    }
}

fn issue(chip: &Ntag424Chip) -> Result<usize, CardError> {
    let mut field = Field::new(chip);
    identity::issue(&mut field, &keys, &due(1), &(key(HUB_KEY, 1), 1), &mut random())?;
    Ok(field.apdus)
}

fn issued() -> Ntag424Chip {
    let chip = Ntag424Chip::new(UID, 7);
    issue(&chip).unwrap();
    chip
}

/// Something that is done in a session.
type Act<'a> = &'a dyn Fn(&mut Session, &mut Field<Ntag424Chip>) -> Result<(), CardError>;

fn prove(chip: &Ntag424Chip, number: u8, key: &Key) -> Result<Proven, CardError> {
    identity::prove(&mut Field::new(chip), number, key, [number; 16])
}

#[test]
fn a_tap_is_six_apdus_and_is_counted_whichever_shop_it_is_at() {
    let chip = issued();
    for (tap, number) in (1..).zip([1, 2, 3, 4, 1, 1]) {
        let mut field = Field::new(&chip);
        let proven = identity::prove(&mut field, number, &key(number, 1), [7; 16]).unwrap();
        assert_eq!((proven, field.apdus), (Proven { uid: UID, counter: tap }, 6));
    }
    // A tap after which no field was lost is counted as well.
    let mut field = Field::new(&chip);
    let again = [(); 2].map(|()| identity::prove(&mut field, 1, &key(1, 1), [7; 16]).unwrap().counter);
    assert_eq!(again, [7, 8]);
}

#[test]
fn a_stolen_key_opens_no_other_and_changes_nothing_on_the_card() {
    let chip = issued();
    let stolen = key(1, 1);
    for number in [HUB_KEY, 2, 3, 4] {
        assert!(matches!(prove(&chip, number, &stolen), Err(CardError::Refused { status: 0x91ae, .. })), "{number}");
    }
    // Nor do the factory's keys, and no card's key is another card's.
    for number in HUB_KEY..=4 {
        assert!(prove(&chip, number, &Key::FACTORY).is_err(), "{number}");
    }
    let other = card_key(&Key::new([0x5a; 16]), &[4, 9, 9, 9, 9, 9, 9], 1, 1).unwrap();
    assert!(prove(&chip, 1, &other).is_err());
    // With it, taken for the hub's: no key is changed, no counter begins anew, nothing is written.
    let before = prove(&chip, 1, &stolen).unwrap().counter;
    assert!(identity::rekey(&mut Field::new(&chip), &keys, &due(2), &stolen, &mut random()).is_err());
    assert!(identity::retire(&mut Field::new(&chip), &keys, &stolen, &mut random()).is_err());
    let in_session = |act: Act<'_>| {
        let mut field = Field::new(&chip);
        assert_eq!(field.exchange(&SELECT).unwrap().status, 0x9000);
        let mut session = Session::authenticate(&mut field, 1, &stolen, [9; 16]).unwrap();
        act(&mut session, &mut field)
    };
    for number in SHARED_KEYS {
        let changed = in_session(&|session, field| session.change_other_key(field, number, &stolen, (&stolen, 9)));
        assert!(matches!(changed, Err(CardError::Refused { status: 0x91ae, .. })), "{number}: {changed:?}");
    }
    for file in [PUBLIC_FILE, 3] {
        let written = in_session(&|session, field| session.write_data(field, file, &[7]));
        assert!(matches!(written, Err(CardError::Refused { status: 0x91ae, .. })), "{file}: {written:?}");
    }
    assert!(prove(&chip, 1, &stolen).unwrap().counter > before);
    assert!(prove(&chip, 2, &key(2, 1)).is_ok());
}

#[test]
fn a_plain_card_with_the_same_uid_proves_nothing() {
    let copy = Chip::plain(&UID);
    let refused = identity::prove(&mut Field::new(&copy), 1, &key(1, 1), [1; 16]);
    assert!(matches!(refused, Err(CardError::Refused { command: "select", .. })), "{refused:?}");
}

/// Whatever goes wrong at whatever APDU, nobody is proven wrongly, and the next tap has a higher counter.
#[test]
fn a_tap_torn_anywhere_proves_the_truth_or_nothing() {
    let mut proven = 0;
    for tear in TEARS {
        for apdu in 1..=6 {
            let mut chip = issued();
            let before = prove(&chip, 1, &key(1, 1)).unwrap().counter;
            chip.tear_at(apdu, tear);
            if let Ok(told) = prove(&chip, 1, &key(1, 1)) {
                assert_eq!(told, Proven { uid: UID, counter: before + 1 }, "{tear:?} at {apdu}");
                proven += 1;
            }
            let next = prove(&chip, 1, &key(1, 1)).unwrap().counter;
            assert!(next > before, "{tear:?} at {apdu}: {before}, then {next}");
        }
    }
    // Garbled: the one byte of the public file. What the chip loses with the power after its selection it answers no more.
    assert_eq!(proven, 2);
}

#[test]
fn issuing_torn_anywhere_is_repeated_until_it_is_done() {
    let apdus = issue(&Ntag424Chip::new(UID, 7)).unwrap();
    assert!(apdus < 40, "{apdus}: the agent carries no more steps than it has a limit for");
    for tear in TEARS {
        for apdu in 1..=apdus {
            let mut chip = Ntag424Chip::new(UID, 7);
            chip.tear_at(apdu, tear);
            let first = issue(&chip);
            let now = identity::state(&mut Field::new(&chip), &key(HUB_KEY, 1), &mut random()).unwrap();
            assert_ne!(now, State::Strange, "{tear:?} at {apdu}: locked out");
            if first.is_ok() {
                assert_eq!(now, State::Issued);
            } else if now != State::Issued {
                issue(&chip).unwrap_or_else(|error| panic!("{tear:?} at {apdu}: {error}"));
            }
            for number in SHARED_KEYS {
                let proven = prove(&chip, number, &key(number, 1)).unwrap();
                assert_eq!(proven, Proven { uid: UID, counter: number.into() }, "{tear:?} at {apdu}");
                assert!(prove(&chip, number, &Key::FACTORY).is_err(), "{tear:?} at {apdu}");
            }
            assert!(matches!(issue(&chip), Err(CardError::Range(_))), "an issued card is left as it is");
        }
    }
}

#[test]
fn keys_are_changed_where_they_are_due_and_the_old_ones_open_no_more() {
    let chip = issued();
    let due = [(1, 1), (2, 2), (3, 1), (4, 1)];
    // The second time by a hub that was restored meanwhile, and that does not know of the new key.
    for asked in [due, [(1, 1), (2, 1), (3, 1), (4, 1)]] {
        let has = identity::rekey(&mut Field::new(&chip), &keys, &asked, &key(HUB_KEY, 1), &mut random()).unwrap();
        assert_eq!(has, due, "no key goes back");
    }
    assert!(prove(&chip, 2, &key(2, 1)).is_err());
    assert!(prove(&chip, 2, &key(2, 2)).is_ok() && prove(&chip, 1, &key(1, 1)).is_ok());
}

#[test]
fn a_card_counts_on_over_its_retirement_and_is_another_hubs_to_another_hub() {
    let chip = issued();
    let before = prove(&chip, 1, &key(1, 1)).unwrap().counter;
    let hub = key(HUB_KEY, 1);
    identity::retire(&mut Field::new(&chip), &keys, &hub, &mut random()).unwrap();
    assert_eq!(identity::state(&mut Field::new(&chip), &hub, &mut random()), Ok(State::Blank));
    assert!(prove(&chip, 1, &key(1, 1)).is_err());
    issue(&chip).unwrap();
    assert!(prove(&chip, 1, &key(1, 1)).unwrap().counter > before);
    let stranger = Key::new([1; 16]);
    assert_eq!(identity::state(&mut Field::new(&chip), &stranger, &mut random()), Ok(State::Strange));
    let other = identity::issue(&mut Field::new(&chip), &keys, &due(1), &(stranger, 1), &mut random());
    assert!(matches!(other, Err(CardError::Range(_))), "another hub's card stays");
}
