//! Sessions, keys, applications, and what is no command at all.

use super::*;

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

#[test]
fn noise_changes_nothing() {
    let mut card = purse(CommMode::Mac, RECORD_BYTES);
    purchase(&mut card, CommMode::Mac, 100, 1).unwrap();
    let kept = |card: &DesfireChip| {
        let data = [BALANCE, NOTES].map(|file| card.data(APP, file));
        (card.value(APP, VALUE), card.records(APP, LOG), card.transaction_mac(APP), data)
    };
    let before = kept(&card);
    let mut random = Random::new(0x0001_5e00);
    let known = [
        0x0c, 0x1c, 0x3b, 0x3d, 0x45, 0x51, 0x54, 0x5f, 0x60, 0x64, 0x6a, 0x6c, 0x6f, 0x71, 0x77, 0x8b, 0x8d, 0xa7,
        0xab, 0xad, 0xaf, 0xbb, 0xbd, 0xc0, 0xc4, 0xc6, 0xc7, 0xc8, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xda, 0xdc, 0xdf,
        0xeb, 0xf5, 0xfc,
    ];
    for round in 0..20_000_u32 {
        if round % 16 == 0 {
            card.power_off();
            open(&mut card, u8::try_from(round % 3).unwrap());
        }
        let noise = [random.block(), random.block(), random.block()].concat();
        let length = usize::from(noise[0]) % 44;
        let mut data = noise[4..].to_vec();
        data.truncate(length);
        // Most of it names a file that there is.
        if let Some(first) = data.first_mut().filter(|_| noise[1] != 0) {
            *first %= 6;
        }
        // The notes are for all to write: no noise for them.
        if data.first() == Some(&NOTES) {
            continue;
        }
        let (answer, status) = send(&mut card, known[usize::from(noise[2]) % known.len()], &data);
        assert!(answer.len() <= 256 && (status == 0 || status == 0xaf || answer.is_empty()), "round {round}");
    }
    assert_eq!(kept(&card), before);
}
