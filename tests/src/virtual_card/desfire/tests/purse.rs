//! Purchases: what one changes, what its MAC is, and what a tear leaves.

use super::*;

/// A purchase: selection, authentication in two, reading twice, debit, record, commit.
const FRAMES: usize = 8;

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
            assert_eq!(newest, [number; RECORD]);
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
        let expected: Vec<u8> = (3..=6).flat_map(|number| [number; RECORD]).collect();
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
    for tear in [Tear::BeforeItRan, Tear::AnswerLost, Tear::EndlessWait, Tear::PowerOff] {
        for number in 1..=FRAMES {
            card.tear_at(number, tear);
            let ended = purchase(&mut card, CommMode::Mac, 100, 3);
            let harmless = tear == Tear::PowerOff && number == 1;
            let committed = harmless || (tear == Tear::AnswerLost && number == FRAMES);
            times += i32::from(committed);
            if harmless {
                // Before the first command there is nothing to forget.
                assert!(ended.is_ok());
            } else if tear == Tear::PowerOff {
                assert!(ended.is_err_and(|status| status != GONE), "{number}");
            } else {
                assert_eq!(ended, Err(GONE), "{tear:?} {number}");
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
fn thousands_of_torn_purchases_add_up() {
    let mut card = purse(CommMode::Full, RECORD_BYTES);
    let mut random = Random::new(0x7ea2);
    let (mut spent, mut committed, mut log) = (0, 0, Vec::new());
    for round in 0..4000 {
        let [kind, at, amount, record, ..] = random.block();
        let tear = [Tear::BeforeItRan, Tear::AnswerLost, Tear::PowerOff, Tear::EndlessWait][usize::from(kind) % 4];
        let at = usize::from(at) % 16 + 1;
        card.tear_at(at, tear);
        let ended = purchase(&mut card, CommMode::Full, amount.into(), record);
        // What a terminal cannot know, the card does: the answer was lost, and the commit ran.
        if ended.is_ok() || (tear == Tear::AnswerLost && at == FRAMES) {
            spent += i32::from(amount);
            committed += 1;
            log.push(vec![record; RECORD]);
        }
        let newest = log.split_off(log.len().saturating_sub(4));
        assert_eq!(card.records(APP, LOG), Some(newest.clone()), "round {round}: {tear:?} at {at}");
        assert_eq!(card.value(APP, VALUE), Some(START - spent), "round {round}: {tear:?} at {at}");
        assert_eq!(card.transaction_mac(APP).unwrap().0, committed);
        log = newest;
    }
    assert!(committed > 1000);
}

#[test]
fn what_is_not_committed_never_was() {
    /// Gives the session that goes on, where one does.
    type Breaker = fn(&mut DesfireChip, Session) -> Option<Session>;
    fn refused(card: &mut DesfireChip, instruction: u8, data: &[u8], status: u8) -> Option<Session> {
        assert_eq!(send(card, instruction, data), (vec![], status));
        None
    }
    let breakers: [(&str, Breaker); 10] = [
        ("selecting", |card, _| refused(card, 0x5a, &APP_BYTES, 0)),
        ("power", |card, _| {
            card.power_off();
            None
        }),
        ("aborting", |card, mut session| {
            assert_eq!(run(card, &mut session, 0xa7, &[]), Ok(vec![]));
            Some(session)
        }),
        ("a wrong MAC", |card, _| refused(card, 0xc7, &[1, 0, 0, 0, 0, 0, 0, 0, 0], 0x1e)),
        ("a wrong length", |card, _| refused(card, 0xc7, &[1], 0x7e)),
        ("an unknown command", |card, _| refused(card, 0x99, &[], 0x1c)),
        ("a right that is missing", |card, mut session| {
            assert_eq!(command(card, &mut session, CommMode::Mac, 0x0c, (&[VALUE], &[1, 0, 0, 0])), Err(0x9d));
            None
        }),
        ("authenticating", |card, _| authenticate(card, None, 1, SHOP).ok()),
        ("a command between two frames", |card, _| {
            assert_eq!(send(card, 0x77, &[1]).1, 0xaf);
            refused(card, 0x60, &[], 0xca)
        }),
        ("no command at all", |card, _| {
            assert_eq!(card.react(&[0x90, 0x60]), Reaction::Answer(vec![0x67, 0]));
            None
        }),
    ];
    for (name, breaker) in breakers {
        let mut card = purse(CommMode::Mac, RECORD_BYTES);
        let mut session = open(&mut card, 1);
        command(&mut card, &mut session, CommMode::Mac, 0xdc, (&[VALUE], &[1, 0, 0, 0])).unwrap();
        let status = match breaker(&mut card, session) {
            Some(mut session) => run(&mut card, &mut session, 0xc7, &[1]).unwrap_err(),
            None if name == "power" => {
                assert_eq!(send(&mut card, 0xc7, &[1]).1, 0x9d, "no application is selected");
                send(&mut card, 0x5a, &APP_BYTES);
                send(&mut card, 0xc7, &[1]).1
            }
            // To commit needs no right: whether there is anything to commit is what counts.
            None => send(&mut card, 0xc7, &[1]).1,
        };
        assert_eq!(status, 0x0c, "{name}");
        assert_eq!((card.value(APP, VALUE), card.transaction_mac(APP)), (Some(START), Some((0, [0; 8]))), "{name}");
    }
}
