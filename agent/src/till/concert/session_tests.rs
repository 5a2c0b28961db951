#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
use super::super::message::{debit, frame};
use super::*;
use proptest::prelude::*;

fn sent(byte: u8) -> Vec<Out> {
    vec![Out::Send(vec![byte])]
}

/// A dialogue whose request stands.
fn asked(at_once: bool) -> (Session, Request) {
    let mut session = Session::default();
    assert_eq!(session.bytes(0, &[ENQ]), sent(ACK));
    assert_eq!(session.bytes(10, &debit(1245, at_once)), sent(ACK));
    let mut out = session.bytes(20, &[EOT]);
    let Some(Out::Asked(request)) = out.pop() else { panic!("{out:?}") };
    assert_eq!((request.cents.get(), request.at_once, out.len()), (1245, at_once, 0));
    (session, request)
}

/// A dialogue in which the answer was sent once.
fn told() -> (Session, Vec<u8>) {
    let (mut session, request) = asked(false);
    assert_eq!(session.answer(1000, Status::Accepted), sent(ENQ));
    let message = request.answer(Status::Accepted);
    assert_eq!(session.bytes(1010, &[ACK]), [Out::Send(message.clone())]);
    (session, message)
}

#[test]
fn a_request_is_asked_once_its_line_is_free_and_an_answer_is_read_once_it_is_acknowledged() {
    for at_once in [false, true] {
        let (mut session, request) = asked(at_once);
        assert_eq!(session.deadline_ms(), None, "what is under way has its own time");
        let status = if at_once { Status::Taken } else { Status::Accepted };
        assert_eq!(session.answer(79_000, status), sent(ENQ));
        assert_eq!(session.bytes(79_010, &[ACK]), [Out::Send(request.answer(status))]);
        assert_eq!(session.bytes(79_020, &[ACK]), [Out::Send(vec![EOT]), Out::Answered(true)]);
        assert_eq!(session.deadline_ms(), None);
        assert_eq!(session.bytes(79_030, &[ENQ]), sent(ACK), "the line is free");
    }
}

#[test]
fn the_probe_and_a_lone_end_are_no_request() {
    let mut session = Session::default();
    assert_eq!(session.bytes(0, &[EOT]), []);
    assert_eq!(session.bytes(0, &[ENQ]), sent(ACK));
    assert_eq!(session.bytes(5, &[EOT]), []);
    assert_eq!(session.deadline_ms(), None);
    // A request nobody called for.
    assert_eq!(session.bytes(10, &debit(700, false)), []);
    assert_eq!(session.bytes(10, &[EOT]), []);
}

#[test]
fn while_something_else_is_under_way_a_till_that_calls_is_refused() {
    let mut session = Session::default();
    session.set_busy(true);
    assert_eq!(session.bytes(0, &[ENQ]), sent(NAK));
    assert_eq!(session.bytes(1, &debit(700, false)), []);
    assert_eq!(session.bytes(2, &[EOT]), []);
    session.set_busy(false);
    assert_eq!(session.bytes(3, &[ENQ]), sent(ACK));
}

#[test]
fn what_cannot_be_read_is_asked_for_again_three_times() {
    let good = debit(700, false);
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    for wrong in [bad, frame(b"01"), frame(&[b'0'; 300]), frame(b"01-0000350110978          A010B010")] {
        let mut session = Session::default();
        session.bytes(0, &[ENQ]);
        for _ in 1..TRIES_MAX {
            assert_eq!(session.bytes(10, &wrong), sent(NAK));
        }
        let mut second = session;
        assert_eq!(second.bytes(20, &good), sent(ACK));
        let mut session = Session::default();
        session.bytes(0, &[ENQ]);
        for _ in 0..TRIES_MAX {
            assert_eq!(session.bytes(10, &wrong), sent(NAK));
        }
        assert_eq!(session.bytes(20, &good), [], "the till has to call again");
    }
}

#[test]
fn check_bytes_that_are_control_bytes_are_passed_over_in_every_state() {
    for cents in 101..=106 {
        let request = debit(cents, false);
        // Byte by byte.
        let mut session = Session::default();
        session.bytes(0, &[ENQ]);
        let (last, before) = request.split_last().unwrap();
        for byte in before {
            assert_eq!(session.bytes(1, &[*byte]), [], "{cents}");
        }
        assert_eq!(session.bytes(1, &[*last]), sent(ACK), "{cents}");
        assert!(matches!(session.bytes(2, &[EOT]).as_slice(), [Out::Asked(read)] if read.cents.get() == cents));
        // A request while it is busy: only its call is answered.
        assert_eq!(session.bytes(3, &[ENQ]), sent(NAK));
        assert_eq!(session.bytes(4, &request), []);
        assert_eq!(session.bytes(5, &[EOT]), []);
        assert_eq!(session.answer(6, Status::NotAccepted), sent(ENQ));
        assert_eq!(session.bytes(7, &request), [], "no check byte is an acknowledgement");
        assert!(matches!(session.bytes(8, &[ACK]).as_slice(), [Out::Send(_)]));
        assert_eq!(session.bytes(9, &request), []);
    }
}

#[test]
fn after_three_seconds_of_silence_the_till_begins_anew() {
    let request = debit(700, false);
    // After its call, at every byte of its request, and before the line is free.
    for end in 0..=request.len() {
        let mut session = Session::default();
        session.bytes(0, &[ENQ]);
        session.bytes(100, &request[..end]);
        let deadline = session.deadline_ms().unwrap();
        assert_eq!(deadline, if end == 0 { SIGNAL_MS } else { 100 + SIGNAL_MS });
        assert_eq!(session.time(deadline - 1), []);
        assert_eq!(session.deadline_ms(), Some(deadline));
        assert_eq!(session.time(deadline), [], "{end}");
        assert_eq!(session.deadline_ms(), None, "{end}");
        assert_eq!(session.bytes(deadline, &[EOT]), [], "a late end asks for nothing");
        assert_eq!(session.bytes(deadline, &[ENQ]), sent(ACK));
        assert_eq!(session.bytes(deadline, &request), sent(ACK));
    }
}

#[test]
fn a_till_that_calls_again_before_its_line_is_free_has_asked_for_nothing() {
    let mut session = Session::default();
    session.bytes(0, &[ENQ]);
    assert_eq!(session.bytes(1, &debit(700, false)), sent(ACK));
    assert_eq!(session.bytes(2, &[ENQ]), sent(ACK));
    assert_eq!(session.bytes(3, &[EOT]), []);
}

#[test]
fn a_till_that_wants_no_end_and_never_frees_the_line_is_told_of_to_the_cashier() {
    let read = |at_once| {
        let mut session = Session::default();
        session.bytes(0, &[ENQ]);
        assert_eq!(session.bytes(10, &debit(1245, at_once)), sent(ACK));
        session
    };
    let cents = Cents::new(1245).unwrap();
    assert_eq!(read(true).time(10 + SIGNAL_MS), [Out::Abandoned(cents)]);
    assert_eq!(read(true).cut(), Some(cents));
    // One that waits for its end learns that there is none.
    assert_eq!((read(false).time(10 + SIGNAL_MS), read(false).cut()), (vec![], None));
    assert_eq!((asked(true).0.cut(), told().0.cut(), Session::default().cut()), (None, None, None));
}

#[test]
fn the_terminal_calls_three_times_and_then_the_till_was_not_told() {
    let (mut session, _) = asked(false);
    assert_eq!(session.answer(1000, Status::Accepted), sent(ENQ));
    assert_eq!(session.time(3999), []);
    assert_eq!(session.time(4000), sent(ENQ));
    // A refusal to listen is no answer, and a call of the till is refused.
    assert_eq!(session.bytes(4500, &[NAK]), []);
    assert_eq!(session.bytes(4500, &[ENQ]), sent(NAK));
    assert_eq!(session.time(7000), sent(ENQ));
    assert_eq!(session.time(10_000), [Out::Send(vec![EOT]), Out::Answered(false)]);
    assert_eq!(session.bytes(10_001, &[ACK]), [], "too late");
    assert_eq!(session.bytes(10_002, &[ENQ]), sent(ACK));
}

#[test]
fn an_answer_that_was_not_read_is_sent_again_three_times() {
    let (mut session, message) = told();
    for _ in 1..TRIES_MAX {
        assert_eq!(session.bytes(1020, &[NAK]), [Out::Send(message.clone())]);
    }
    assert_eq!(session.bytes(1030, &[NAK]), [Out::Send(vec![EOT]), Out::Answered(false)]);
    let (mut session, message) = told();
    assert_eq!(session.bytes(1020, &[NAK]), [Out::Send(message)]);
    assert_eq!(session.bytes(1030, &[ACK]), [Out::Send(vec![EOT]), Out::Answered(true)]);
    let (mut session, _) = told();
    assert_eq!(session.time(1010 + SIGNAL_MS), [Out::Send(vec![EOT]), Out::Answered(false)]);
}

#[test]
fn where_nothing_may_be_said_the_line_is_free_and_only_what_is_under_way_is_answered() {
    let (mut session, _) = asked(false);
    session.give_up();
    assert_eq!(session.answer(1, Status::Accepted), []);
    assert_eq!(session.bytes(2, &[ENQ]), sent(ACK));
    session.give_up();
    assert_eq!(session.bytes(3, &debit(1, false)), sent(ACK), "a call that came since is not given up");
}

proptest! {
    #[test]
    fn nothing_is_asked_but_by_a_call_a_whole_message_and_its_end(
        pieces in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..60),
                Just(vec![ENQ]), Just(vec![EOT]), Just(vec![ACK]), Just(vec![NAK]),
                Just(debit(104, false)),
                (0_usize..37).prop_map(|end| debit(105, true)[..end].to_vec()),
            ],
            0..30,
        ),
        steps in prop::collection::vec(0_u64..4000, 30),
    ) {
        let (mut session, mut now, mut heard) = (Session::default(), 0_u64, Vec::new());
        for (piece, step) in pieces.iter().zip(steps) {
            now = step.saturating_add(now);
            let _late = session.time(now);
            heard.extend_from_slice(piece);
            for out in session.bytes(now, piece) {
                if let Out::Asked(request) = out {
                    let message = debit(request.cents.get(), request.at_once);
                    prop_assert!(heard.windows(message.len()).any(|window| window == message));
                    prop_assert!([104, 105].contains(&request.cents.get()));
                    session.give_up();
                }
            }
        }
    }
}
