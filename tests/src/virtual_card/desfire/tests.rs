//! The card against its rules, with a host that may say anything.

use super::{DesfireChip, Edition};
use crate::virtual_card::ev2::crypto::{Key, cmac, crc32, encrypt, short_cmac, xor, zero_padded};
use crate::virtual_card::ev2::messaging::{CommMode, Session};
use crate::virtual_card::ev2::test_host::{authenticate, command, exchange, seal, send};
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
    assert_eq!(send(card, 0x5a, &APP_BYTES), (vec![], 0));
    authenticate(card, None, key_no, if key_no == 0 { ZERO } else { SHOP }).unwrap()
}

/// One purchase, up to what goes wrong.
fn purchase(card: &mut DesfireChip, mode: CommMode, amount: i32, record: u8) -> Result<Vec<u8>, u8> {
    let session = &mut open(card, 1);
    command(card, session, mode, 0xad, (&[BALANCE, 0, 0, 0, 160, 0, 0], &[]))?;
    command(card, session, mode, 0x6c, (&[VALUE], &[]))?;
    command(card, session, mode, 0xdc, (&[VALUE], &amount.to_le_bytes()))?;
    let record = [record; RECORD_BYTES as usize];
    command(card, session, mode, 0x8b, (&[LOG, 0, 0, 0, RECORD_BYTES, 0, 0], &record))?;
    run(card, session, 0xc7, &[1])
}

#[test]
fn a_purchase_changes_value_record_and_mac_at_once() {
    for mode in [CommMode::Plain, CommMode::Mac, CommMode::Full] {
        let mut card = purse(mode, RECORD_BYTES);
        for number in 1..=6_u8 {
            let answer = purchase(&mut card, mode, 250, number).unwrap();
            let spent = 250 * i32::from(number);
            let before = START - spent + 250;
            assert_eq!(card.value(APP, VALUE), Some(START - spent));
            let newest = card.records(APP, LOG).unwrap().pop().unwrap();
            assert_eq!(newest, [number; RECORD_BYTES as usize]);
            // The hub computes the MAC anew from what the shop reports.
            let padded = |parts: &[&[u8]]| zero_padded(parts.concat());
            let input = [
                padded(&[&[0xad, BALANCE, 0, 0, 0, 160, 0, 0]]),
                vec![0; 160],
                padded(&[&[0x6c, VALUE], &before.to_le_bytes()]),
                padded(&[&[0xdc, VALUE], &250_i32.to_le_bytes()]),
                padded(&[&[0x8b, LOG, 0, 0, 0, RECORD_BYTES, 0, 0]]),
                newest,
            ]
            .concat();
            let key = cmac(&MAC_KEY, &[&[0x5a, 0, 1, 0, 0x80, number, 0, 0, 0], &UID]);
            let value = short_cmac(&key, &[&input]);
            assert_eq!(answer, [&[number, 0, 0, 0][..], &value].concat());
            assert_eq!(card.transaction_mac(APP), Some((u32::from(number), value)));
        }
        // A cyclic file of five holds four, the oldest first.
        let mut session = open(&mut card, 1);
        let records = command(&mut card, &mut session, mode, 0xbb, (&[LOG, 0, 0, 0, 0, 0, 0], &[])).unwrap();
        let expected: Vec<u8> = (3..=6).flat_map(|number| [number; RECORD_BYTES as usize]).collect();
        assert_eq!(records, expected);
        let mac = command(&mut card, &mut session, mode, 0xad, (&[TMAC, 0, 0, 0, 0, 0, 0], &[])).unwrap();
        assert_eq!(mac[..4], [6, 0, 0, 0]);
        let settings = run(&mut card, &mut session, 0xf5, &[LOG]).unwrap();
        assert_eq!(settings[4..], [RECORD_BYTES, 0, 0, 5, 0, 0, 4, 0, 0]);
    }
}

#[test]
fn the_published_transaction_comes_out_of_the_whole_card() {
    let vector = of_type("tmac").remove(0);
    let mut card = DesfireChip::new(array(&vector, "uid"), Edition::Ev2K2, 1);
    let mut session = authenticate(&mut card, None, 0, ZERO).unwrap();
    run(&mut card, &mut session, 0xca, &[&APP_BYTES[..], &[0x0f, 0x82]].concat()).unwrap();
    send(&mut card, 0x5a, &APP_BYTES);
    let mut session = authenticate(&mut card, None, 0, ZERO).unwrap();
    run(&mut card, &mut session, 0xc0, &[1, 3, 0x10, 0x11, 16, 0, 0, 5, 0, 0]).unwrap();
    let key = [array::<16>(&vector, "tmkey").as_slice(), &[0]].concat();
    command(&mut card, &mut session, CommMode::Full, 0xce, (&[0x0f, 0, 0x10, 0x1f, 2], &key)).unwrap();
    let record = [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66];
    let reader = array::<16>(&vector, "tmriprev");
    for counter in 1..=4 {
        let mut session = authenticate(&mut card, None, 1, ZERO).unwrap();
        command(&mut card, &mut session, CommMode::Full, 0x8b, (&[1, 0, 0, 0, 16, 0, 0], &record)).unwrap();
        let encrypted = run(&mut card, &mut session, 0xc8, &reader).unwrap();
        let answer = run(&mut card, &mut session, 0xc7, &[1]).unwrap();
        assert_eq!(answer[..4], [counter, 0, 0, 0]);
        if counter == 4 {
            assert_eq!(encrypted, array::<16>(&vector, "enctmri"));
            assert_eq!(answer[4..], array::<8>(&vector, "tmv"));
        }
    }
    // Without the reader's id, nothing is committed.
    let mut session = authenticate(&mut card, None, 1, ZERO).unwrap();
    command(&mut card, &mut session, CommMode::Full, 0x8b, (&[1, 0, 0, 0, 16, 0, 0], &record)).unwrap();
    assert_eq!(run(&mut card, &mut session, 0xc7, &[1]), Err(0x9d));
    assert_eq!(card.transaction_mac(APP).unwrap().0, 4);
}

#[test]
fn a_torn_purchase_happened_whole_or_not_at_all() {
    let mut card = purse(CommMode::Mac, RECORD_BYTES);
    purchase(&mut card, CommMode::Mac, 100, 1).unwrap();
    let mut times = 1;
    let frames = {
        card.tear_at(usize::MAX, Tear::BeforeItRan);
        purchase(&mut card, CommMode::Mac, 100, 2).unwrap();
        times += 1;
        card.apdus()
    };
    assert_eq!(frames, 8);
    for tear in [Tear::BeforeItRan, Tear::AnswerLost, Tear::EndlessWait, Tear::PowerOff] {
        for number in 1..=frames {
            card.tear_at(number, tear);
            let mut torn = card.clone();
            let ended = std::panic::catch_unwind(move || purchase(&mut torn, CommMode::Mac, 100, 3));
            let committed = tear == Tear::AnswerLost && number == frames;
            times += i32::from(committed);
            if tear == Tear::PowerOff && number == 1 {
                // Power that is lost before the first command does no harm.
                times += 1;
                ended.unwrap().unwrap();
            } else {
                assert!(!matches!(ended, Ok(Ok(_))), "{tear:?} {number}");
            }
            assert_eq!(card.value(APP, VALUE), Some(START - 100 * times), "{tear:?} {number}");
            assert_eq!(card.transaction_mac(APP).unwrap().0, u32::try_from(times).unwrap());
            assert_eq!(card.records(APP, LOG).unwrap().len(), 4.min(usize::try_from(times).unwrap()));
        }
    }
    for (tear, length) in [(Tear::Garbled, 2 + 8 + 12), (Tear::TooLong, 2 + 8 + 12 + 300)] {
        let session = &mut open(&mut card, 1);
        command(&mut card, session, CommMode::Mac, 0xdc, (&[VALUE], &100_i32.to_le_bytes())).unwrap();
        let sealed = seal(session, CommMode::Mac, 0xc7, &[1], &[]);
        card.tear_at(1, tear);
        let apdu = [&[0x90, 0xc7, 0, 0, 9], sealed.as_slice(), &[0]].concat();
        let Reaction::Answer(answer) = card.react(&apdu) else { panic!("no answer") };
        assert_eq!((answer.len(), answer.ends_with(&[0x91, 0])), (length, true));
        times += 1;
        assert_eq!(card.value(APP, VALUE), Some(START - 100 * times), "it ran all the same");
    }
}

#[test]
fn what_is_not_committed_never_was() {
    type Breaker = fn(&mut DesfireChip, &mut Session);
    let breakers: [(&str, Breaker); 9] = [
        ("selecting", |card, _| assert_eq!(send(card, 0x5a, &APP_BYTES).1, 0)),
        ("power", |card, _| card.power_off()),
        ("aborting", |card, session| assert_eq!(run(card, session, 0xa7, &[]), Ok(vec![]))),
        ("a wrong MAC", |card, _| assert_eq!(send(card, 0xc7, &[1, 0, 0, 0, 0, 0, 0, 0, 0]).1, 0x1e)),
        ("a wrong length", |card, _| assert_eq!(send(card, 0xc7, &[1]).1, 0x7e)),
        ("an unknown command", |card, _| assert_eq!(send(card, 0x99, &[]).1, 0x1c)),
        ("a right that is missing", |card, session| {
            assert_eq!(command(card, session, CommMode::Mac, 0x0c, (&[VALUE], &[1, 0, 0, 0])), Err(0x9d));
        }),
        ("authenticating", |card, _| assert!(authenticate(card, None, 1, SHOP).is_ok())),
        ("a command between two frames", |card, _| {
            assert_eq!(send(card, 0x77, &[1]).1, 0xaf);
            assert_eq!(send(card, 0x60, &[]).1, 0xca);
        }),
    ];
    for (name, breaker) in breakers {
        let mut card = purse(CommMode::Mac, RECORD_BYTES);
        let session = &mut open(&mut card, 1);
        command(&mut card, session, CommMode::Mac, 0xdc, (&[VALUE], &[1, 0, 0, 0])).unwrap();
        breaker(&mut card, session);
        let mut later = open_again(&mut card, session, name);
        assert_eq!(run(&mut card, &mut later, 0xc7, &[1]), Err(0x0c), "{name}");
        assert_eq!((card.value(APP, VALUE), card.transaction_mac(APP)), (Some(START), Some((0, [0; 8]))), "{name}");
    }
}

/// A session whose transaction is what the breaker left, not one that a new selection has emptied.
fn open_again(card: &mut DesfireChip, session: &Session, name: &str) -> Session {
    if name == "aborting" { session.clone() } else { open(card, 1) }
}

#[test]
fn an_error_ends_the_session() {
    let mut card = purse(CommMode::Mac, RECORD_BYTES);
    let session = &mut open(&mut card, 1);
    let more_than_there_is = [2, START].map(i32::to_le_bytes);
    for amount in more_than_there_is {
        let result = command(&mut card, session, CommMode::Mac, 0xdc, (&[VALUE], &amount));
        if amount == START.to_le_bytes() {
            assert_eq!(result, Err(0xbe));
        } else {
            assert_eq!(result, Ok(vec![]));
        }
    }
    // Nobody is authenticated: a MAC is no longer taken for one, and the right is gone.
    assert_eq!(run(&mut card, session, 0x51, &[]), Err(0x7e));
    assert_eq!(send(&mut card, 0x51, &[]).1, 0xae);
    assert_eq!(send(&mut card, 0x6c, &[VALUE]).1, 0xae);
    assert_eq!(card.value(APP, VALUE), Some(START));
    let session = &mut open(&mut card, 1);
    let wrong = authenticate(&mut card, Some(session), 1, ZERO);
    assert_eq!(wrong, Err(0xae));
    assert_eq!(send(&mut card, 0x51, &[]).1, 0xae);
}

#[test]
fn rights_are_those_of_the_note() {
    // Read 1, Write 2, ReadWrite 3; key 0 has none of them.
    let mut card = DesfireChip::new(UID, Edition::Ev2K2, 1);
    send(&mut card, 0xca, &[&APP_BYTES[..], &[0x0f, 0x84]].concat());
    send(&mut card, 0x5a, &APP_BYTES);
    let limits = [0, 1000, 500].map(i32::to_le_bytes).concat();
    assert_eq!(send(&mut card, 0xcc, &[&[VALUE, 0, 0x30, 0x12][..], &limits, &[1]].concat()).1, 0);
    let amount = [VALUE, 1, 0, 0, 0];
    for (instruction, data, keys) in [
        (0x6c, &[VALUE][..], [false, true, true, true]),
        (0xdc, &amount, [false, true, true, true]),
        (0x1c, &amount, [false, false, true, true]),
        (0x0c, &amount, [false, false, false, true]),
    ] {
        for (key_no, allowed) in (0..).zip(keys) {
            let mut session = authenticate(&mut card, None, key_no, ZERO).unwrap();
            if instruction == 0x1c {
                // There must be something to give back.
                drop(command(&mut card, &mut session, CommMode::Plain, 0xdc, (&[VALUE, 9, 0, 0, 0], &[])));
                drop(run(&mut card, &mut session, 0xc7, &[]));
                session = authenticate(&mut card, None, key_no, ZERO).unwrap();
            }
            let result = command(&mut card, &mut session, CommMode::Plain, instruction, (data, &[]));
            assert_eq!(result.map(|_| ()), if allowed { Ok(()) } else { Err(0xae) }, "{instruction:02x} {key_no}");
        }
    }
    // The purse's own rights: nobody can credit, not even the fund.
    let mut card = purse(CommMode::Mac, RECORD_BYTES);
    for key_no in 0..3 {
        let session = &mut open(&mut card, key_no);
        assert_eq!(command(&mut card, session, CommMode::Mac, 0x0c, (&[VALUE], &[1, 0, 0, 0])), Err(0x9d));
    }
}

#[test]
fn a_limited_credit_gives_back_at_most_the_last_debit() {
    let mut card = DesfireChip::new(UID, Edition::Ev2K2, 1);
    send(&mut card, 0xca, &[&APP_BYTES[..], &[0x0f, 0x81]].concat());
    send(&mut card, 0x5a, &APP_BYTES);
    let limits = [-10_i32, 1000, 500].map(i32::to_le_bytes).concat();
    assert_eq!(send(&mut card, 0xcc, &[&[VALUE, 0, 0xee, 0xee][..], &limits, &[1]].concat()).1, 0);
    let ask = |card: &mut DesfireChip, instruction, amount: i32| {
        send(card, instruction, &[&[VALUE][..], &amount.to_le_bytes()].concat()).1
    };
    assert_eq!([ask(&mut card, 0xdc, 30), ask(&mut card, 0xdc, 20), send(&mut card, 0xc7, &[]).1], [0; 3]);
    assert_eq!(card.value(APP, VALUE), Some(450));
    assert_eq!(ask(&mut card, 0x1c, 51), 0xbe);
    assert_eq!([ask(&mut card, 0x1c, 20), send(&mut card, 0xc7, &[]).1], [0; 2]);
    assert_eq!(ask(&mut card, 0x1c, 31), 0xbe);
    for (instruction, amount, status) in
        [(0xdc, -1, 0x9e), (0xdc, 481, 0xbe), (0xdc, 480, 0), (0x0c, 1011, 0xbe), (0x0c, 531, 0xbe), (0x0c, 530, 0)]
    {
        assert_eq!(ask(&mut card, instruction, amount), status, "{instruction:02x} {amount}");
    }
    // Without a transaction MAC file, none may be asked for.
    assert_eq!(send(&mut card, 0xc7, &[1]).1, 0x9d);
}

#[test]
fn a_backup_file_is_written_at_the_commit_and_a_standard_file_at_once() {
    let mut card = purse(CommMode::Full, RECORD_BYTES);
    let session = &mut open(&mut card, 2);
    let data = [0x42; 160];
    command(&mut card, session, CommMode::Full, 0x3d, (&[BALANCE, 0, 0, 0, 160, 0, 0], &data)).unwrap();
    let read = command(&mut card, session, CommMode::Full, 0xad, (&[BALANCE, 150, 0, 0, 0, 0, 0], &[])).unwrap();
    assert_eq!((read, card.data(APP, BALANCE)), (vec![0; 10], Some(vec![0; 160])));
    // Anybody may write this one: within a session, too, nothing protects it.
    command(&mut card, session, CommMode::Plain, 0x8d, (&[NOTES, 1, 0, 0, 2, 0, 0], &[7, 7])).unwrap();
    assert_eq!(card.data(APP, NOTES).unwrap()[..4], [0, 7, 7, 0]);
    run(&mut card, session, 0xc7, &[1]).unwrap();
    assert_eq!(card.data(APP, BALANCE), Some(data.to_vec()));
    for (header, status) in [
        ([BALANCE, 160, 0, 0, 1, 0, 0], 0xbe),
        ([BALANCE, 150, 0, 0, 11, 0, 0], 0xbe),
        ([BALANCE, 0, 0, 1, 0, 0, 0], 0xbe),
        ([9, 0, 0, 0, 0, 0, 0], 0xf0),
        ([VALUE, 0, 0, 0, 0, 0, 0], 0x9d),
    ] {
        let session = &mut open(&mut card, 2);
        assert_eq!(command(&mut card, session, CommMode::Full, 0xad, (&header, &[])), Err(status), "{header:?}");
    }
}

#[test]
fn long_commands_and_answers_come_in_frames() {
    let mut card = purse(CommMode::Mac, RECORD_BYTES);
    let session = &mut open(&mut card, 2);
    let data: Vec<u8> = (0..160).collect();
    let sealed = seal(session, CommMode::Mac, 0x3d, &[BALANCE, 0, 0, 0, 160, 0, 0], &data);
    let (first, second) = sealed.split_at(52);
    assert_eq!(send(&mut card, 0x3d, first), (vec![], 0xaf));
    assert_eq!(send(&mut card, 0xaf, second).1, 0);
    session.commands += 1;
    run(&mut card, session, 0xc7, &[1]).unwrap();
    let sealed = seal(session, CommMode::Mac, 0xbd, &[BALANCE, 0, 0, 0, 0, 0, 0], &[]);
    let (frame, status) = send(&mut card, 0xbd, &sealed);
    assert_eq!((frame.len(), status), (59, 0xaf));
    let (frame, status) = send(&mut card, 0xaf, &[]);
    assert_eq!((frame.len(), status), (59, 0xaf));
    let (frame, status) = send(&mut card, 0xaf, &[]);
    assert_eq!((frame.len(), status), (160 + 8 - 2 * 59, 0));
    session.commands += 1;
    let again = command(&mut card, session, CommMode::Mac, 0xbd, (&[BALANCE, 0, 0, 0, 0, 0, 0], &[]));
    assert_eq!(again, Ok(data));
    // The rest of a writing command must be there where it does not go on.
    let sealed = seal(session, CommMode::Mac, 0x8d, &[BALANCE, 0, 0, 0, 160, 0, 0], &[1; 100]);
    assert_eq!(send(&mut card, 0x8d, &sealed).1, 0x7e);
    assert_eq!(send(&mut card, 0xaf, &[]).1, 0x1c);
}

#[test]
fn a_second_authentication_goes_on_with_dialogue_and_transaction() {
    let mut card = purse(CommMode::Mac, RECORD_BYTES);
    let session = &mut open(&mut card, 1);
    command(&mut card, session, CommMode::Mac, 0xdc, (&[VALUE], &[1, 0, 0, 0])).unwrap();
    let mut second = authenticate(&mut card, Some(session), 2, SHOP).unwrap();
    assert_eq!((second.identifier, second.commands), (session.identifier, 1));
    assert_ne!((second.mac, second.encryption), (session.mac, session.encryption));
    run(&mut card, &mut second, 0xc7, &[1]).unwrap();
    assert_eq!(card.value(APP, VALUE), Some(START - 1));
    card.power_off();
    send(&mut card, 0x5a, &APP_BYTES);
    assert_eq!(authenticate(&mut card, Some(&second), 1, SHOP), Err(0x9d));
}

#[test]
fn keys_are_changed_and_have_versions() {
    let mut card = purse(CommMode::Mac, RECORD_BYTES);
    let session = &mut open(&mut card, 0);
    assert_eq!(run(&mut card, session, 0x64, &[1]), Ok(vec![1]));
    let new = [0x99; 16];
    let data = [xor(&new, &SHOP).as_slice(), &[2], &crc32(&new)].concat();
    assert_eq!(command(&mut card, session, CommMode::Full, 0xc6, (&[0, 1], &data)), Ok(vec![]));
    assert_eq!(run(&mut card, session, 0x64, &[1]), Ok(vec![2]));
    let own = [new.as_slice(), &[3]].concat();
    let sealed = seal(session, CommMode::Full, 0xc4, &[0], &own);
    assert_eq!(send(&mut card, 0xc4, &sealed), (vec![], 0), "no MAC: the session ended with its key");
    assert_eq!(send(&mut card, 0x51, &[]).1, 0xae);
    for key_no in [0, 1] {
        authenticate(&mut card, None, key_no, new).unwrap();
    }
    // A shop changes nothing, and a wrong checksum neither.
    let session = &mut authenticate(&mut card, None, 1, new).unwrap();
    assert_eq!(command(&mut card, session, CommMode::Full, 0xc4, (&[1], &own)), Err(0xae));
    let session = &mut authenticate(&mut card, None, 0, new).unwrap();
    assert_eq!(command(&mut card, session, CommMode::Full, 0xc4, (&[2], &[&own[..], &[0; 4]].concat())), Err(0x1e));
    let session = &mut authenticate(&mut card, None, 0, new).unwrap();
    assert_eq!(command(&mut card, session, CommMode::Full, 0xc4, (&[7], &own)), Err(0x40));
    // The card's own key says of which kind it is.
    send(&mut card, 0x5a, &[0; 3]);
    let session = &mut authenticate(&mut card, None, 0, ZERO).unwrap();
    let sealed = seal(session, CommMode::Full, 0xc4, &[0x80], &own);
    assert_eq!(send(&mut card, 0xc4, &sealed), (vec![], 0));
    authenticate(&mut card, None, 0, new).unwrap();
}

#[test]
fn applications_and_files_are_listed_and_deleted_by_their_master() {
    let mut card = purse(CommMode::Mac, RECORD_BYTES);
    assert_eq!(exchange(&mut card, 0x6a, &[]), (APP_BYTES.to_vec(), 0));
    assert_eq!(send(&mut card, 0x45, &[]), (vec![0x0f, 0x81], 0));
    let session = &mut open(&mut card, 1);
    assert_eq!(run(&mut card, session, 0x6f, &[]), Ok(vec![1, 2, 3, 4, 5]));
    assert_eq!(run(&mut card, session, 0x45, &[]), Ok(vec![0x0b, 0x83]));
    assert_eq!(run(&mut card, session, 0xdf, &[NOTES]), Err(0xae));
    let session = &mut open(&mut card, 0);
    assert_eq!(command(&mut card, session, CommMode::Full, 0x51, (&[], &[])), Ok(UID.to_vec()));
    assert_eq!(run(&mut card, session, 0xdf, &[NOTES]), Ok(vec![]));
    let mac_key = [MAC_KEY.as_slice(), &[9]].concat();
    let second = command(&mut card, session, CommMode::Full, 0xce, (&[NOTES, 1, 0xf0, 0x1f, 2], &mac_key));
    assert_eq!(second, Err(0xde), "a second transaction MAC file");
    let session = &mut open(&mut card, 0);
    assert_eq!(run(&mut card, session, 0xcd, &[6, 0, 0, 0, 0, 0x40, 0]), Err(0x0e));
    let session = &mut open(&mut card, 0);
    assert_eq!(run(&mut card, session, 0xcd, &[6, 0, 0x50, 0, 1, 0, 0]), Err(0x9e), "there is no key 5");
    send(&mut card, 0x5a, &[0; 3]);
    assert_eq!(send(&mut card, 0xda, &APP_BYTES).1, 0xae);
    let session = &mut authenticate(&mut card, None, 0, ZERO).unwrap();
    assert_eq!(run(&mut card, session, 0xda, &APP_BYTES), Ok(vec![]));
    assert_eq!(send(&mut card, 0x5a, &APP_BYTES).1, 0xa0);
    assert_eq!(send(&mut card, 0xfc, &[]).1, 0xae);
    let session = &mut authenticate(&mut card, None, 0, ZERO).unwrap();
    assert_eq!(run(&mut card, session, 0xfc, &[]), Ok(vec![]));
}

#[test]
fn what_the_card_is_comes_in_three_frames() {
    let mut card = DesfireChip::new(UID, Edition::Ev2K2, 1);
    assert_eq!(send(&mut card, 0x60, &[]), (vec![4, 1, 1, 0x12, 0, 0x16, 5], 0xaf));
    assert_eq!(send(&mut card, 0xaf, &[]), (vec![4, 1, 1, 2, 1, 0x16, 5], 0xaf));
    let (production, status) = send(&mut card, 0xaf, &[]);
    assert_eq!((&production[..7], production.len(), status), (&UID[..], 14, 0));
    let session = &mut authenticate(&mut card, None, 0, ZERO).unwrap();
    assert_eq!(run(&mut card, session, 0x60, &[]).unwrap().len(), 28);
}

#[test]
fn what_is_no_native_command_is_refused() {
    let mut card = DesfireChip::new(UID, Edition::Ev2K2, 1);
    for (apdu, answer) in [
        (&[0xff, 0xca, 0, 0, 0][..], [&UID[..], &[0x90, 0]].concat()),
        (&[0x00, 0xa4, 4, 0, 7, 0xd2, 0x76, 0, 0, 0x85, 1, 0, 0], vec![0x90, 0]),
        (&[0x00, 0xa4, 4, 0, 7, 0xd2, 0x76, 0, 0, 0x85, 1, 1, 0], vec![0x6a, 0x82]),
        (&[0x00, 0xb0, 0, 0, 0], vec![0x6d, 0]),
        (&[0x80, 0x60, 0, 0, 0], vec![0x6e, 0]),
        (&[0x90, 0x60, 1, 0, 0], vec![0x6a, 0x86]),
        (&[0x90, 0x5a, 0, 0, 4, 1, 2, 3], vec![0x67, 0]),
        (&[0x90, 0xaf, 0, 0, 0], vec![0x91, 0x1c]),
        (&[0x90, 0x5a, 0, 0, 2, 1, 2, 0], vec![0x91, 0x7e]),
        (&[0x90, 0x71, 0, 0, 2, 1, 0, 0], vec![0x91, 0x40]),
        (&[0x90, 0x71, 0, 0, 2, 0, 1, 0], vec![0x91, 0x7e]),
    ] {
        assert_eq!(card.react(apdu), Reaction::Answer(answer), "{apdu:02x?}");
    }
}

#[test]
fn one_seed_gives_one_series_of_challenges() {
    let challenges = |seed| {
        let mut card = DesfireChip::new(UID, Edition::Ev2K2, seed);
        let mut next = || {
            let challenge = send(&mut card, 0x71, &[0, 0]).0;
            card.power_off();
            challenge
        };
        [next(), next()]
    };
    let [first, second] = challenges(1);
    assert_ne!(first, second, "power does not make it forget");
    assert_eq!(challenges(1), [first.clone(), second]);
    assert_ne!(challenges(2)[0], first);
    // A replayed proof is worth nothing.
    let mut card = DesfireChip::new(UID, Edition::Ev2K2, 1);
    send(&mut card, 0x71, &[0, 0]);
    assert_eq!(send(&mut card, 0xaf, &encrypt(&ZERO, [0; 16], &[0; 32])).1, 0xae);
}
