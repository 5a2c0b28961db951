//! Files: who may do what with them, and how their data travel.

use super::*;

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
