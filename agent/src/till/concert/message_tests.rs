#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
use super::*;
use proptest::prelude::*;

fn hex(text: &str) -> Vec<u8> {
    text.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

fn request(body: &str) -> Option<Request> {
    Request::read(body.as_bytes())
}

#[test]
fn check_bytes_that_look_like_control_bytes_are_those_of_the_client_that_wrote_them() {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("../../../testdata/concert-lrc.json")).unwrap();
    let vectors = vectors.as_array().unwrap();
    assert_eq!(vectors.len(), 16);
    for vector in vectors {
        let bytes = hex(vector["hex"].as_str().unwrap());
        let (body, check) = (&bytes[1..bytes.len() - 2], bytes[bytes.len() - 1]);
        assert_eq!((frame(body), lrc(body)), (bytes.clone(), check));
        let read = Request::read(body).unwrap();
        assert_eq!(read.cents.get(), vector["cents"].as_u64().unwrap());
        assert_eq!((read.action, read.at_once, read.is_long), (Some(Action::Debit), false, false));
    }
}

#[test]
fn answers_have_both_lengths_to_the_byte() {
    let long = request("0100001245110978          A010B010").unwrap();
    let spaces = " ".repeat(55);
    assert_eq!(long.answer(Status::Accepted), frame(format!("010000012451{spaces}978          ").as_bytes()));
    assert_eq!(long.answer(Status::Accepted).last(), Some(&0x17));
    assert_eq!(long.answer(Status::Accepted).len(), 83);
    let short = request("0100001245010978A1B2C3    A010B010").unwrap();
    let expected = "02 30 31 30 30 30 30 30 31 32 34 35 31 39 37 38 41 31 42 32 43 33 20 20 20 20 03 47";
    assert_eq!(short.answer(Status::Accepted), hex(expected));
    let short = request("0100001245010978          A011B010").unwrap();
    let expected = "02 30 31 37 30 30 30 30 31 32 34 35 31 39 37 38 20 20 20 20 20 20 20 20 20 20 03 30";
    assert_eq!(short.answer(Status::NotAccepted), hex(expected));
    assert_eq!(short.answer(Status::Taken)[3], b'9');
    assert_eq!(
        Request::read(&debit(1245, true)[1..35]).map(|read| (read.cents.get(), read.at_once)),
        Some((1245, true))
    );
}

#[test]
fn each_field_is_read_or_the_message_is_to_be_sent_again() {
    let good = "0100001245110978          A010B010";
    // E has no moment of answer: at the end.
    let e = request(&good[..26]).unwrap();
    assert_eq!((e.action, e.at_once), (Some(Action::Debit), false));
    for (at, text, expected) in [
        (12, "1", Some(Some(Action::Credit))),
        (12, "2", Some(Some(Action::Cancel))),
        (12, "4", Some(None)),
        (11, "0", Some(Some(Action::Debit))),
        (11, "C", Some(None)),
        (13, "840", Some(None)),
        (2, "00000000", Some(None)),
        (2, "99999999", Some(Some(Action::Debit))),
        (30, "T012", Some(Some(Action::Debit))),
        (30, "B011", Some(Some(Action::Debit))),
        (2, "-0000350", None),
        (2, "0000 350", None),
        (10, "2", None),
        (26, "A012", None),
        (16, "\u{7f}", None),
        (16, "\n", None),
    ] {
        let mut body = good.to_owned();
        body.replace_range(at..at + text.len(), text);
        assert_eq!(request(&body).map(|read| read.action), expected, "{body:?}");
    }
    for length in (0..34).filter(|length| *length != 26) {
        assert_eq!(request(&good[..length]), None, "{length}");
    }
    assert_eq!(request(&format!("{good} ")), None);
}

proptest! {
    #[test]
    fn whatever_the_bytes_are_an_answer_has_one_of_two_lengths(body in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Some(read) = Request::read(&body) {
            prop_assert!([28, 83].contains(&read.answer(Status::Accepted).len()));
        }
    }

    #[test]
    fn every_amount_comes_back_as_it_was(cents in 1_u64..=99_999_999) {
        let framed = debit(cents, false);
        let read = Request::read(&framed[1..=REQUEST_E_PLUS]).unwrap();
        prop_assert_eq!(read.cents.get(), cents);
        let answer = read.answer(Status::Accepted);
        prop_assert_eq!(&answer[4..12], &framed[3..11]);
    }
}
