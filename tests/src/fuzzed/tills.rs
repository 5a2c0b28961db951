//! What tills send: Caisse-AP, Concert and hw_proxy.

use cabas_agent::till::caisse_ap::message::{FIELDS_MAX, MESSAGE_BYTES_MAX, Message, Proof, STX, Scan, scan};
use cabas_agent::till::concert::message::{ACK, ENQ, EOT, Status, lrc};
use cabas_agent::till::concert::session::{Out, Session};
use cabas_agent::till::hw_proxy::message::{Payment, call, transaction_of};
use cabas_protocol::Cents;

/// A message of Caisse-AP: read in one way however it comes in, and answered so that every client can read it.
pub(super) fn caisse_ap(bytes: &[u8]) {
    let whole = scan(bytes);
    for end in 0..bytes.len().min(MESSAGE_BYTES_MAX) {
        // What no message begins with does not become one by waiting.
        let begins = scan(bytes.get(..end).unwrap_or_default());
        assert!(begins != Scan::Malformed || whole == Scan::Malformed, "malformed after {end}, then {whole:?}");
    }
    let (message, form) = Message::read(bytes);
    if matches!(whole, Scan::Malformed) {
        assert!(
            form.is_err() || bytes.first() == Some(&STX) || bytes.len() > MESSAGE_BYTES_MAX,
            "read though malformed"
        );
    }
    let request = form.and_then(|()| message.request());
    if let Ok(request) = &request {
        assert!(request.cents > Cents::ZERO || message.get("CD") == Some("I"), "a request of nothing");
    }
    let (stan, card_digits) = ("000123".to_owned(), "4711".to_owned());
    let proof = Proof { stan, card_digits, paid: Cents::new(1_250).ok() };
    let refused = message.refused(request.err().unwrap_or(cabas_agent::till::caisse_ap::message::Cause::NotCompleted));
    for answer in [message.present(), message.taken(), message.done(&proof), refused] {
        assert!(answer.len() <= MESSAGE_BYTES_MAX, "an answer of {} bytes", answer.len());
        let end = scan(&answer);
        assert!(matches!(end, Scan::MayBeWhole | Scan::Whole), "an answer that is {end:?}");
        let fields = Message::all(&answer);
        assert!(fields.len() <= FIELDS_MAX && fields.iter().filter(|(tag, _)| tag == "AE").count() == 1, "{fields:?}");
        assert_eq!(fields.first().map(|(tag, _)| tag.as_str()), Some("CZ"), "{fields:?}");
    }
}

/// What a line of Concert says: `open` is 0 where nothing is done, 1 while something is, 2 while the till is told.
fn said(outs: Vec<Out>, open: &mut u32) {
    for out in outs {
        match out {
            Out::Send(sent) => {
                let is_signal = sent.len() == 1;
                let framed = sent.get(1..sent.len().saturating_sub(2)).map(lrc);
                assert!(is_signal || framed == sent.last().copied(), "a message whose check byte is wrong: {sent:?}");
            }
            Out::Asked(request) => {
                assert_eq!(*open, 0, "asked while something was done");
                assert!(request.action.is_none() || request.cents > Cents::ZERO, "{request:?}");
                *open = 1;
            }
            Out::Abandoned(cents) => {
                assert!(*open == 0, "{cents} abandoned while something was done");
            }
            Out::Answered(_) => {
                assert_eq!(*open, 2, "answered what nobody asked");
                *open = 0;
            }
        }
    }
}

/// A line of Concert: pairs of bytes say what happens, the time that passes among it. What was asked is answered at the most
/// once, and the line is never left waiting for ever.
pub(super) fn concert(bytes: &[u8]) {
    let (mut session, mut now_ms, mut open) = (Session::default(), 0_u64, 0_u32);
    let mut rest = bytes;
    while let [what, much, after @ ..] = rest {
        rest = after;
        match what % 8 {
            // A whole message follows, its check byte mended where the length is even.
            0 => {
                let (body, after) = rest.split_at(usize::from(*much).min(rest.len()));
                rest = after;
                let body: Vec<u8> = body.iter().copied().filter(|byte| *byte != 0x03).collect();
                let check = lrc(&body).wrapping_add(much & 1);
                let framed = [&[0x02][..], &body, &[0x03, check]].concat();
                said(session.bytes(now_ms, &framed), &mut open);
            }
            1 => said(session.bytes(now_ms, &[*much]), &mut open),
            2 => said(session.bytes(now_ms, &[ENQ]), &mut open),
            3 => said(session.bytes(now_ms, &[ACK]), &mut open),
            4 => said(session.bytes(now_ms, &[EOT]), &mut open),
            5 => {
                now_ms = now_ms.saturating_add(u64::from(*much) * 25);
                if session.deadline_ms().is_some_and(|deadline| deadline <= now_ms) {
                    said(session.time(now_ms), &mut open);
                }
            }
            6 => {
                let statuses = [Status::Accepted, Status::NotAccepted, Status::Taken];
                let status = statuses.get(usize::from(*much) % 3).copied().unwrap_or(Status::NotAccepted);
                let outs = session.answer(now_ms, status);
                assert!(outs.is_empty() || open == 1, "called for an answer to nothing");
                if !outs.is_empty() {
                    open = 2;
                }
                said(outs, &mut open);
            }
            _ if *much < 16 => {
                session.give_up();
                open = if open == 1 { 0 } else { open };
            }
            _ => session.set_busy(*much & 1 == 1),
        }
    }
    // Whatever it was in: what is answered ends by itself where the till is silent.
    if open == 1 {
        said(session.answer(now_ms, Status::NotAccepted), &mut open);
        open = 2;
    }
    for _ in 0..16 {
        let Some(deadline) = session.deadline_ms() else { break };
        now_ms = now_ms.max(deadline);
        said(session.time(now_ms), &mut open);
    }
    assert!(session.deadline_ms().is_none() && open == 0, "the line waits for ever");
}

/// A call of hw_proxy: one amount, one key, whatever else it says.
pub(super) fn hw_proxy(bytes: &[u8]) {
    let Some((id, params)) = call(bytes) else { return };
    assert!(id.is_null() || id.is_number() || id.is_string());
    let Ok(payment) = Payment::read(&params) else { return };
    assert!(payment.cents > Cents::ZERO, "a payment of nothing");
    assert!(payment.reference.len() <= 160 && !payment.reference.chars().any(char::is_control), "{payment:?}");
    assert!(payment.transaction() < 1 << 48 && payment.transaction() == transaction_of(&payment.reference));
    assert!(payment.order.as_ref().is_none_or(|order| !order.is_empty()));
    assert_eq!(Payment::read(&params).as_ref(), Ok(&payment));
}
