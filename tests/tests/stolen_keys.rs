//! What can be done with what lies on a stolen terminal's disk: the keys of its slot, each of one card, and its record
//! key. The card is made of software, and each "cannot" is asked of it by a thief who speaks the protocol well.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "test code"
)]

use cabas_card::commands::select;
use cabas_card::issue::{self, CardKeys, Renewal, State};
use cabas_card::layout::{
    APPLICATION, BALANCE_BYTES, BALANCE_FILE, HUB_KEY, KEYS, MAC_FILE, Purpose, RECORD_BYTES, RECORD_FILE, Record,
    SLOTS, SPENT_FILE, VALUE_START, card_key,
};
use cabas_card::purse::{Purse, purchase_input};
use cabas_card::session::{Comm, Session};
use cabas_card::tmac::{TransactionInput, transaction_mac};
use cabas_card::{Answer, CardError, Exchange, Key, LinkLost};
use cabas_protocol::head::HeadContext;
use cabas_protocol::keys::{HubKeys, KeyCert};
use cabas_protocol::{
    Cents, FundId, Incarnation, ObjectType, PolicyId, PurseRef, Scope, Serial, Signed, SignedBalance, Signer,
    TimeEpoch, Timestamp,
};
use cabas_tests::virtual_card::Reaction;
use cabas_tests::virtual_card::desfire::{DesfireChip, Edition};

const UID: [u8; 7] = [0x04, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66];
const OTHER_UID: [u8; 7] = [0x04, 0x11, 0x22, 0x33, 0x44, 0x55, 0x77];
const BALANCE: &[u8] = b"a signed balance, as far as the card knows";
const SUCCESS: u16 = 0x9100;
/// The stolen terminal and its slot.
const TERMINAL: u32 = 7;
const SLOT: u8 = 3;

struct Field(DesfireChip);

impl Field {
    /// A card that was just put into the field.
    fn of(chip: &DesfireChip) -> Self {
        let mut chip = chip.clone();
        chip.power_off();
        Self(chip)
    }
}

impl Exchange for Field {
    fn exchange(&mut self, apdu: &[u8]) -> Result<Answer, LinkLost> {
        match self.0.react(apdu) {
            Reaction::Answer(answer) => Answer::parse(&answer),
            Reaction::Leave | Reaction::Silence => Err(LinkLost),
        }
    }
}

fn application() -> u32 {
    let [a, b, c] = APPLICATION;
    u32::from_le_bytes([a, b, c, 0])
}

/// The hub's; the thief has none of it.
fn master() -> Key {
    Key::new([0x5a; 16])
}

fn key(uid: &[u8; 7], purpose: Purpose, version: u8) -> Key {
    card_key(&master(), uid, purpose, version).unwrap()
}

fn hub_keys(uid: &[u8; 7]) -> CardKeys {
    CardKeys {
        hub: (key(uid, Purpose::Application(0), 1), 1),
        slots: SLOTS.map(|slot| (key(uid, Purpose::Application(slot), 1), 1)).collect(),
        transaction_mac: (key(uid, Purpose::TransactionMac, 1), 1),
    }
}

fn random() -> impl FnMut() -> [u8; 16] {
    let mut next = 0_u128;
    move || {
        next += 0x9e37_79b9_7f4a_7c15;
        next.to_be_bytes()
    }
}

fn issued(uid: [u8; 7]) -> DesfireChip {
    let chip = DesfireChip::new(uid, Edition::Ev2K4, 7);
    issue::issue(&mut Field::of(&chip), &hub_keys(&uid), BALANCE, &mut random()).unwrap();
    chip
}

fn spent(chip: &DesfireChip) -> u32 {
    VALUE_START - u32::try_from(chip.value(application(), SPENT_FILE).unwrap()).unwrap()
}

/// The disk of a terminal of slot 3.
struct Loot {
    slot_key: Key,
    record_key: Key,
}

fn loot() -> Loot {
    Loot { slot_key: key(&UID, Purpose::Application(SLOT), 1), record_key: Key::new([9; 16]) }
}

fn record_of(terminal: u32, record_key: &Key, cents: u32) -> [u8; RECORD_BYTES] {
    let record = Record { terminal, epoch: 1, seq: 5, time_s: 1_800_000_000, cents, spent_after: cents, serial: 1 };
    record.to_bytes(record_key, &UID)
}

/// A session of the thief's.
fn session(field: &mut Field) -> Session {
    select(field, APPLICATION).unwrap();
    Session::authenticate(field, SLOT, &loot().slot_key, [7; 16]).unwrap()
}

/// A commit as the thief asks for it after `work`: what the card holds afterwards is what counts.
fn try_and_commit(chip: &DesfireChip, work: impl FnOnce(&mut Session, &mut Field) -> Result<(), CardError>) -> bool {
    let mut field = Field::of(chip);
    let mut session = session(&mut field);
    let done = work(&mut session, &mut field).is_ok();
    done && session.commit(&mut field).is_ok()
}

#[test]
fn a_thief_reads_the_card_debits_it_and_writes_its_files() {
    let chip = issued(UID);
    let Loot { slot_key, record_key } = loot();
    let mut field = Field::of(&chip);
    let mut purse = Purse::open(&mut field, SLOT, &slot_key, [1; 16]).unwrap();
    assert_eq!((purse.balance().unwrap(), purse.spent().unwrap()), (BALANCE.to_vec(), 0));
    assert_eq!(purse.records().unwrap(), [[0; RECORD_BYTES]; 0]);
    let mut purse = Purse::open(&mut field, SLOT, &slot_key, [2; 16]).unwrap();
    let record = record_of(TERMINAL, &record_key, 900);
    purse.debit(900, &record).unwrap();
    assert_eq!(purse.records().unwrap(), [record]);
    purse.write_balance(b"rubbish").unwrap();
    assert_eq!(spent(&chip), 900, "the member's money, and nobody has sold anything");
    let mut field = Field::of(&chip);
    let mut purse = Purse::open(&mut field, SLOT, &slot_key, [3; 16]).unwrap();
    assert_eq!(purse.balance().unwrap(), b"rubbish");
    // The hub makes the card good again.
    let CardKeys { hub, transaction_mac, .. } = hub_keys(&UID);
    let (balance, due) = (Some(BALANCE), &[][..]);
    let renewal = Renewal { uid: &UID, hub: &hub.0, transaction_mac: &transaction_mac.0, balance, due };
    let none = |_, _| panic!("no key is due");
    issue::renew(&mut Field::of(&chip), &renewal, &none, &mut random()).unwrap();
    let mut field = Field::of(&chip);
    assert_eq!(Purse::open(&mut field, SLOT, &slot_key, [4; 16]).unwrap().balance().unwrap(), BALANCE);
}

#[test]
fn a_thief_cannot_credit_the_counter() {
    let chip = issued(UID);
    let mut purse_field = Field::of(&chip);
    Purse::open(&mut purse_field, SLOT, &loot().slot_key, [1; 16])
        .unwrap()
        .debit(900, &record_of(TERMINAL, &loot().record_key, 900))
        .unwrap();
    // Credit and LimitedCredit, as the card wants them: with the session's MAC.
    for code in [0x0c, 0x1c] {
        let credited = try_and_commit(&chip, |session, field| {
            let cents = 100_u32.to_le_bytes();
            let credited = session.command(field, command(code, &[SPENT_FILE], &cents), Comm::Mac).map(drop);
            is_refused(&credited, "a credit");
            credited
        });
        assert_eq!((credited, spent(&chip)), (false, 900), "{code:02x}");
    }
    // A debit of less than nothing is none.
    let turned = try_and_commit(&chip, |session, field| session.debit(field, SPENT_FILE, u32::MAX - 99));
    assert_eq!((turned, spent(&chip)), (false, 900));
    // The same commands do what they say for a debit: the thief's session is sound.
    assert!(try_and_commit(&chip, |session, field| session.debit(field, SPENT_FILE, 100)));
    assert_eq!(spent(&chip), 1_000);
}

/// What the master of the application may do, and nobody else: its name, code, what stays readable, what is encrypted.
struct Attempt(&'static str, u8, &'static [u8], &'static [u8]);

const ATTEMPTS: [Attempt; 10] = [
    Attempt("open the counter", 0x5f, &[SPENT_FILE], &[1, 0xee, 0xee]),
    Attempt("open the balance", 0x5f, &[BALANCE_FILE], &[1, 0xee, 0xee]),
    Attempt("open the records", 0x5f, &[RECORD_FILE], &[1, 0xee, 0xee]),
    Attempt("free the settings", 0x54, &[], &[0x0f]),
    Attempt("clear the records", 0xeb, &[RECORD_FILE], &[]),
    Attempt("make a file", 0xcd, &[9, 0, 0xee, 0xee, 32, 0, 0], &[]),
    Attempt("delete the MAC file", 0xdf, &[MAC_FILE], &[]),
    Attempt("delete the counter", 0xdf, &[SPENT_FILE], &[]),
    Attempt("delete the balance", 0xdf, &[BALANCE_FILE], &[]),
    Attempt("delete the application", 0xda, &APPLICATION, &[]),
];

impl Attempt {
    fn by(&self, session: &mut Session, field: &mut Field) -> Result<(), CardError> {
        let Self(_, code, header, data) = self;
        let comm = if data.is_empty() { Comm::Mac } else { Comm::Full };
        session.command(field, command(*code, header, data), comm).map(drop)
    }
}

/// Refused for want of a right: not for a form that the card does not know.
fn is_refused(done: &Result<(), CardError>, what: &str) {
    const NO_KEY: u16 = 0x91ae;
    const NO_PERMISSION: u16 = 0x919d;
    assert!(matches!(done, Err(CardError::Refused { status: NO_KEY | NO_PERMISSION, .. })), "{what}: {done:?}");
}

#[test]
fn what_the_thief_tries_is_well_formed_the_hub_may_do_it() {
    for attempt in ATTEMPTS {
        let mut field = Field::of(&issued(UID));
        select(&mut field, APPLICATION).unwrap();
        let mut hub = Session::authenticate(&mut field, HUB_KEY, &hub_keys(&UID).hub.0, [5; 16]).unwrap();
        let done = attempt.by(&mut hub, &mut field);
        // The application's end is the session's.
        let is_done = matches!(done, Ok(()) | Err(CardError::Foreign("an answer without a MAC")));
        assert!(is_done, "{}: {done:?}", attempt.0);
    }
}

#[test]
fn a_thief_cannot_change_keys_settings_or_files() {
    let chip = issued(UID);
    let other = Key::new([1; 16]);
    for number in 0..KEYS {
        let old = key(&UID, Purpose::Application(number), 1);
        let mut field = Field::of(&chip);
        let session = &mut session(&mut field);
        if number == SLOT {
            continue;
        }
        is_refused(&session.change_other_key(&mut field, number, &old, (&other, 2)), "another key");
    }
    let mut field = Field::of(&chip);
    let own = session(&mut field);
    is_refused(&own.change_own_key(&mut field, SLOT, (&other, 2)), "its own key");
    for attempt in ATTEMPTS {
        let mut field = Field::of(&chip);
        let mut session = session(&mut field);
        is_refused(&attempt.by(&mut session, &mut field), attempt.0);
    }
    // All is as it was: every slot and the hub open it, and the counter stands.
    let state = issue::state(&mut Field::of(&chip), &hub_keys(&UID).hub.0, &mut random());
    assert_eq!((state, spent(&chip)), (Ok(State::Issued), 0));
    for slot in SLOTS {
        let open = key(&UID, Purpose::Application(slot), 1);
        assert!(Purse::open(&mut Field::of(&chip), slot, &open, [1; 16]).is_ok(), "slot {slot}");
    }
}

#[test]
fn a_thief_opens_no_other_slot_no_other_card_and_no_card_whose_key_was_renewed() {
    let chip = issued(UID);
    let Loot { slot_key, .. } = loot();
    for number in (0..KEYS).filter(|number| *number != SLOT) {
        let open = Purse::open(&mut Field::of(&chip), number, &slot_key, [1; 16]).err();
        assert!(open.is_some(), "key {number}");
    }
    let other = issued(OTHER_UID);
    assert!(Purse::open(&mut Field::of(&other), SLOT, &slot_key, [1; 16]).is_err(), "each card has its own keys");
    let CardKeys { hub, transaction_mac, .. } = hub_keys(&UID);
    let renewal =
        Renewal { uid: &UID, hub: &hub.0, transaction_mac: &transaction_mac.0, balance: None, due: &[(SLOT, 2)] };
    let keys = |slot, version| card_key(&master(), &UID, Purpose::Application(slot), version);
    assert!(Purse::open(&mut Field::of(&chip), SLOT, &slot_key, [1; 16]).is_ok(), "until it is renewed");
    issue::renew(&mut Field::of(&chip), &renewal, &keys, &mut random()).unwrap();
    assert!(Purse::open(&mut Field::of(&chip), SLOT, &slot_key, [1; 16]).is_err());
    // Who listened while the card was renewed cannot make the new key of the old one.
    let new = key(&UID, Purpose::Application(SLOT), 2);
    assert!(Purse::open(&mut Field::of(&chip), SLOT, &new, [1; 16]).is_ok());
    let guess = slot_key.diversified(&[UID.as_slice(), &APPLICATION, &[SLOT, 2]].concat()).unwrap();
    assert_ne!(guess.expose(), new.expose());
}

#[test]
fn a_thief_makes_no_transaction_mac_and_does_not_read_the_cards() {
    let chip = issued(UID);
    let Loot { slot_key, record_key } = loot();
    let mac_key = key(&UID, Purpose::TransactionMac, 1);
    let record = record_of(TERMINAL, &record_key, 900);
    let input = purchase_input(Some(BALANCE), 0, 900, &record).unwrap();
    // Of keys that it has it makes MACs, and none is the one that the hub makes.
    let right = transaction_mac(&mac_key, &UID, 2, &input);
    for known in [&slot_key, &record_key, &Key::FACTORY] {
        assert_ne!(transaction_mac(known, &UID, 2, &input), right);
    }
    // One that a card gave stands for that transaction alone: not for another amount, counter, record or card.
    let mut field = Field::of(&chip);
    let mut purse = Purse::open(&mut field, SLOT, &slot_key, [1; 16]).unwrap();
    purse.balance().unwrap();
    purse.spent().unwrap();
    let given = purse.debit(900, &record).unwrap();
    assert_eq!((given.counter, given.mac), (2, right));
    let of = |uid, counter, cents, record: &[u8; RECORD_BYTES]| {
        let input = purchase_input(Some(BALANCE), 0, cents, record).unwrap();
        transaction_mac(&key(uid, Purpose::TransactionMac, 1), uid, counter, &input)
    };
    assert_eq!(of(&UID, 2, 900, &record), given.mac);
    assert_ne!(of(&UID, 2, 901, &record), given.mac);
    assert_ne!(of(&UID, 3, 900, &record), given.mac);
    assert_ne!(of(&UID, 2, 900, &record_of(TERMINAL, &record_key, 901)), given.mac);
    assert_ne!(of(&OTHER_UID, 2, 900, &record), given.mac);
    // A transaction that debits nothing has another MAC than one that does.
    assert_ne!(transaction_mac(&mac_key, &UID, 2, &TransactionInput::new()), given.mac);
    // The file that keeps the newest one is the hub's to read, and nobody's to write.
    is_refused(&session(&mut field).last_committed(&mut field).map(drop), "the newest MAC");
    let written = try_and_commit(&chip, |session, field| {
        let written = session.write_data(field, MAC_FILE, &[0; 12]);
        is_refused(&written, "a MAC");
        written
    });
    assert!(!written);
    select(&mut field, APPLICATION).unwrap();
    let mut hub = Session::authenticate(&mut field, HUB_KEY, &hub_keys(&UID).hub.0, [5; 16]).unwrap();
    assert_eq!(hub.last_committed(&mut field).unwrap(), given);
}

#[test]
fn a_thief_forges_no_record_of_another_terminal_or_card() {
    let chip = issued(UID);
    let Loot { slot_key, record_key } = loot();
    let others = Key::new([8; 16]);
    // It can be put on the card, where it convinces nobody who has the other's key: the hub.
    let forged = record_of(TERMINAL + 1, &record_key, 900);
    let mut field = Field::of(&chip);
    Purse::open(&mut field, SLOT, &slot_key, [1; 16]).unwrap().debit(900, &forged).unwrap();
    let mut field = Field::of(&chip);
    let found = Purse::open(&mut field, SLOT, &slot_key, [2; 16]).unwrap().records().unwrap();
    assert_eq!(found, [forged]);
    assert!(!Record::is_authentic(&found[0], &others, &UID), "the other terminal did not make it");
    // Its own it can make, for a card that it names; one that another made it cannot change.
    let own = record_of(TERMINAL, &record_key, 900);
    assert!(Record::is_authentic(&own, &record_key, &UID) && !Record::is_authentic(&own, &record_key, &OTHER_UID));
    let mut changed = record_of(TERMINAL + 1, &others, 900);
    assert!(Record::is_authentic(&changed, &others, &UID));
    changed[19] ^= 1;
    assert!(!Record::is_authentic(&changed, &others, &UID), "another amount");
}

/// What the disk gives beside the keys of cards is the terminal's own key, and that signs no balance.
#[test]
fn a_thief_signs_no_balance_and_raises_none_that_the_hub_signed() {
    let [root, hub, terminal] = [1, 2, 3].map(|seed| Signer::from_seed(&[seed; 32]).unwrap());
    let context = HeadContext { fund: FundId::new(8), incarnation: Incarnation::new(1), time_epoch: TimeEpoch::new(1) };
    let mut keys = HubKeys::new(FundId::new(8), *root.public());
    let (head, issued_at) = (context.head(ObjectType::KeyCert), Timestamp::new(1_800_000_000));
    keys.certify(&root.sign(&KeyCert { head, key: *hub.public(), issued_at, revoked: false })).unwrap();
    let allowing = |cents| SignedBalance {
        head: context.head(ObjectType::Balance),
        purse: PurseRef::new([5; 8]),
        scope: Scope::Card,
        serial: Serial::new(9),
        allowed: Cents::new(cents).unwrap(),
        policy: PolicyId::new(1),
        issued_at,
        valid_for_s: 86_400,
    };
    let genuine = hub.sign(&allowing(5_000));
    assert!(keys.verify(&genuine).is_ok());
    assert!(keys.verify(&terminal.sign(&allowing(50_000))).is_err(), "the terminal's own key");
    let bytes = genuine.into_bytes();
    for place in 0..bytes.len() {
        let mut raised = bytes.clone();
        raised[place] ^= 1;
        let is_taken = Signed::<SignedBalance>::from_bytes(raised).is_ok_and(|raised| keys.verify(&raised).is_ok());
        assert!(!is_taken, "byte {place}");
    }
}

#[test]
fn a_write_that_is_not_authenticated_and_one_without_its_mac_are_refused() {
    let chip = issued(UID);
    let rubbish = [0xee; BALANCE_BYTES];
    let [len, ..] = u8::try_from(BALANCE_BYTES + 7).unwrap().to_be_bytes();
    let apdu = [&[0x90, 0x8d, 0, 0, len, BALANCE_FILE, 0, 0, 0, 160, 0, 0][..], &rubbish, &[0]].concat();
    let mut field = Field::of(&chip);
    select(&mut field, APPLICATION).unwrap();
    assert_ne!(field.exchange(&apdu).unwrap().status, SUCCESS, "nobody is authenticated");
    let mut field = Field::of(&chip);
    drop(session(&mut field));
    assert_ne!(field.exchange(&apdu).unwrap().status, SUCCESS, "authenticated, and without the session's MAC");
    assert_eq!(chip.data(application(), BALANCE_FILE).unwrap()[2..][..BALANCE.len()], *BALANCE);
}

fn command<'a>(code: u8, header: &'a [u8], data: &'a [u8]) -> cabas_card::session::Command<'a> {
    cabas_card::session::Command { name: "a thief's", code, header, data }
}
