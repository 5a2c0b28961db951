#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
use super::*;
use proptest::prelude::*;

/// What the Odoo addon 18.0.1.5.0.1 sends for 12.45 €.
const DEBIT: &str = "CZ0040300CJ012012345678901CA00201CE003978CD0010CB0041245";

fn proof() -> Proof {
    Proof { stan: String::from("000123"), card_digits: String::from("4821"), paid: None }
}

fn asked(text: &str) -> Result<Request, Cause> {
    let (message, form) = Message::read(text.as_bytes());
    form.and_then(|()| message.request())
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

#[test]
fn a_debit_of_the_odoo_addon_is_read_and_answered_with_every_field() {
    let (message, form) = Message::read(DEBIT.as_bytes());
    assert_eq!((scan(DEBIT.as_bytes()), form), (Scan::MayBeWhole, Ok(())));
    let request = message.request().unwrap();
    assert_eq!((request.action, request.cents.get(), request.till.as_str()), (Action::Debit, 1245, "01"));
    assert_eq!(text(&message.done(&proof())), format!("{DEBIT}AE00210CC00300SCI0012AA016************4821AC006000123"));
    assert_eq!(text(&message.refused(Cause::Refused)), format!("{DEBIT}AE00201AF00204"));
}

#[test]
fn the_probe_of_the_facts_is_answered_as_the_real_terminal_does() {
    let probe = "CZ0040301CJ012330538600404CA00201CD001I";
    let (message, form) = Message::read(probe.as_bytes());
    assert_eq!((form, message.request().unwrap().action), (Ok(()), Action::Identify));
    assert_eq!(text(&message.present()), format!("{probe}AE00210"));
}

#[test]
fn each_fault_has_its_own_cause() {
    for (request, cause) in [
        ("CZ0040300CD0010CB0041245", None),
        ("CZ0040320CD0010CB0015CF010ORDER00001", None),
        ("CZ0040300CD0010CB012000000001245CE003978BF0010BA0010", None),
        ("CZ0040300CD0010CB0041245CC00300S", None),
        ("CZ0040300CD0010CB0041245ZZ003abc", None),
        ("", Some(Cause::Format)),
        ("CD0010CB0041245", Some(Cause::Format)),
        ("CD0010CZ0040300CB0041245", Some(Cause::Format)),
        ("CZ0040400CD0010CB0041245", Some(Cause::Format)),
        ("CZ0040300CB0041245", Some(Cause::Format)),
        ("CZ0040300CD0010", Some(Cause::Format)),
        ("CZ0040300CD0010CB0010", Some(Cause::Format)),
        ("CZ0040300CD0010CB0130000000001245", Some(Cause::Format)),
        ("CZ0040300CD0010CB003-12", Some(Cause::Format)),
        ("CZ0040300CD0010CB00412.5", Some(Cause::Format)),
        ("CZ0040300CD0010CB0041245CB0041245", Some(Cause::Format)),
        ("CZ0040300CD0010CB0041245CZ0040300CD0010CB0041245", Some(Cause::Format)),
        ("CZ0040300CD0010CB0041245\r\n", Some(Cause::Format)),
        ("CZ0040300CD0013CB0041245", Some(Cause::UnknownAction)),
        ("CZ0040300CD001iCB0041245", Some(Cause::UnknownAction)),
        ("CZ0040300CD0010CB0041245CE003840", Some(Cause::Currency)),
        ("CZ0040300CD0010CB0041245CC00300C", Some(Cause::Selection)),
        ("CZ0040300CD0010CB0041245CC00300V", Some(Cause::Selection)),
    ] {
        assert_eq!(asked(request).err(), cause, "{request}");
    }
}

#[test]
fn every_cause_has_a_code_of_its_own() {
    use Cause::{
        Abandoned, Currency, Forbidden, Format, NotCompleted, Operator, Refused, Selection, TimedOut, UnknownAction,
    };
    let all =
        [Refused, Forbidden, Abandoned, NotCompleted, TimedOut, Format, Selection, Operator, UnknownAction, Currency];
    let codes: Vec<_> = all.iter().map(|cause| cause.code()).collect();
    assert_eq!(codes, ["04", "05", "06", "07", "08", "09", "10", "11", "12", "13"]);
}

#[test]
fn a_wrapped_request_is_answered_wrapped_and_a_wrong_check_byte_is_no_message() {
    let wrapped = wrap(DEBIT.as_bytes());
    assert_eq!(scan(&wrapped), Scan::Whole);
    let (message, form) = Message::read(&wrapped);
    assert_eq!((form, message.request().map(|request| request.cents.get())), (Ok(()), Ok(1245)));
    let answer = message.refused(Cause::Operator);
    assert_eq!(scan(&answer), Scan::Whole);
    assert_eq!(Message::read(&answer).1, Ok(()));
    let mut spoiled = wrapped;
    *spoiled.last_mut().unwrap() ^= 1;
    assert_eq!(Message::read(&spoiled).1, Err(Cause::Format));
}

#[test]
fn a_long_reference_is_echoed_and_one_that_would_not_fit_is_refused() {
    let with = |length: usize| format!("{DEBIT}CF{length:03}{}", "x".repeat(length));
    assert!(asked(&with(VALUE_BYTES_MAX)).is_ok());
    assert_eq!(asked(&with(VALUE_BYTES_MAX + 1)), Err(Cause::Format));
    let longest: String =
        KNOWN.iter().map(|tag| format!("{tag}{VALUE_BYTES_MAX:03}{}", "x".repeat(VALUE_BYTES_MAX))).collect();
    assert!(longest.len() + 3 + 100 < MESSAGE_BYTES_MAX);
}

#[test]
fn a_request_cut_anywhere_is_never_another_debit() {
    for end in 0..DEBIT.len() {
        let cut = DEBIT.get(..end).unwrap();
        assert_ne!(scan(cut.as_bytes()), Scan::Malformed, "{cut}");
        assert_eq!(asked(cut).map(|request| request.cents), Err(Cause::Format), "{cut}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_answered_in_one_short_ascii_segment(bytes in proptest::collection::vec(any::<u8>(), 0..1500)) {
        let _scan = scan(&bytes);
        let (message, _) = Message::read(&bytes);
        for answer in [message.done(&proof()), message.refused(Cause::Format), message.taken(), message.present()] {
            prop_assert!(answer.len() <= MESSAGE_BYTES_MAX && answer.is_ascii());
            prop_assert!(answer.last() != Some(&b'\n') && answer.last() != Some(&b'\r'));
        }
    }

    #[test]
    fn what_resembles_a_message_is_taken_whole_or_not(
        fields in proptest::collection::vec(("(CZ|CA|CB|CC|CD|CE|CF|BA|ZZ)", "[ -~]{1,50}"), 0..12),
        cut in 0..200_usize,
    ) {
        let mut bytes: String = fields.iter().map(|(tag, value)| format!("{tag}{:03}{value}", value.len())).collect();
        bytes.truncate(bytes.len().saturating_sub(cut));
        let (message, form) = Message::read(bytes.as_bytes());
        if form.is_ok() && let Ok(request) = message.request() {
            prop_assert_eq!(scan(bytes.as_bytes()), Scan::MayBeWhole);
            let sum: Vec<_> = fields.iter().filter(|(tag, _)| tag == "CB").map(|(_, value)| value.parse::<u64>()).collect();
            prop_assert!(request.action == Action::Identify || sum == vec![Ok(request.cents.get())]);
        }
    }
}
