//! What all calls of terminals share: form, signature, limits, and refusals that are signed.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

use crate::common;

use std::io::Write as _;

use cabas_hub::api::message::NOT_READ;
use cabas_protocol::card_session::{CardSessionAnswer, CardSessionRequest};
use cabas_protocol::head::{HeadContext, ObjectType};
use cabas_protocol::{Epoch, FundId, RefusalCode, RequestId, Signer, TerminalId};
use common::terminal::{Terminal, hash_of, refusal, unbound_refusal};
use common::{Fund, Hub, http};

const CALLS: [&str; 4] = ["/v1/enrol", "/v1/sync", "/v1/extend", "/v1/card-session"];

fn enrolled() -> (Fund, Hub, Terminal) {
    let fund = Fund::example();
    let code = fund.code("biocoop-bachut");
    let hub = fund.serve();
    let terminal = Terminal::enrol(&hub, &code, 1);
    (fund, hub, terminal)
}

#[test]
fn who_is_not_the_terminal_is_refused() {
    let (_fund, hub, mut terminal) = enrolled();
    let good = terminal.sync_request(0);
    let send = |request: &cabas_protocol::sync::SyncRequest, by: &Signer| {
        let signed = by.sign(request);
        let answer = http::post(hub.address, "/v1/sync", signed.as_bytes());
        refusal(&hub, signed.hash(), &answer)
    };
    let other = Signer::from_seed(&[99; 32]).unwrap();
    // Twice: with the terminal's key read from the ledger, and with the key at hand.
    assert_eq!(send(&good, &other), RefusalCode::BadSignature);
    assert_eq!(send(&good, &other), RefusalCode::BadSignature);
    let mut request = good.clone();
    request.terminal = TerminalId::new(77);
    assert_eq!(send(&request, &terminal.signer), RefusalCode::UnknownTerminal);
    let mut request = good.clone();
    request.epoch = Epoch::new(2);
    assert_eq!(send(&request, &terminal.signer), RefusalCode::UnknownTerminal);
    let context = HeadContext { fund: FundId::new(8), ..terminal.context };
    let mut request = good.clone();
    request.head = context.head(ObjectType::SyncRequest);
    assert_eq!(send(&request, &terminal.signer), RefusalCode::WrongFund);
    let mut request = good;
    request.head.version = 2;
    assert_eq!(send(&request, &terminal.signer), RefusalCode::UnsupportedVersion);
}

#[test]
fn a_changed_byte_is_refused() {
    let (_fund, hub, mut terminal) = enrolled();
    let good = terminal.signed_sync(0);
    let mut last = good.clone();
    *last.last_mut().unwrap() ^= 1;
    assert_eq!(refusal(&hub, hash_of(&last), &http::post(hub.address, "/v1/sync", &last)), RefusalCode::BadSignature);
    let trailing = [good.as_slice(), &[0]].concat();
    let answer = http::post(hub.address, "/v1/sync", &trailing);
    assert_eq!(refusal(&hub, hash_of(&trailing), &answer), RefusalCode::Malformed);
    assert_eq!(http::post(hub.address, "/v1/sync", &good).status, 200);
}

#[test]
fn bodies_that_are_no_signed_object_are_refused() {
    let (_fund, hub, mut terminal) = enrolled();
    let row = {
        terminal.write_list_applied();
        terminal.rows[0].as_bytes().to_vec()
    };
    for path in CALLS {
        for body in [b"".as_slice(), b"<html><body>Bienvenue</body></html>", b"{}", &[0xd2, 0x84], &[0xff; 100], &row] {
            let answer = http::post(hub.address, path, body);
            assert_eq!(refusal(&hub, hash_of(body), &answer), RefusalCode::Malformed, "{path} {body:02x?}");
        }
    }
}

#[test]
fn another_content_type_is_refused() {
    let (_fund, hub, mut terminal) = enrolled();
    let body = terminal.signed_sync(0);
    for media_type in ["text/html", "application/json", "application/x-www-form-urlencoded", "application/cose-key"] {
        let answer = http::post_as(hub.address, "/v1/sync", media_type, &body);
        assert_eq!(refusal(&hub, hash_of(&body), &answer), RefusalCode::Malformed, "{media_type}");
    }
    assert_eq!(http::post_as(hub.address, "/v1/sync", "application/cose; a=b", &body).status, 200);
}

#[test]
fn calls_are_posts_and_have_names() {
    let (_fund, hub, _) = enrolled();
    for path in CALLS {
        let answer = http::get(hub.address, path, "localhost");
        assert_eq!((answer.status, answer.header("allow").as_deref()), (405, Some("POST")), "{path}");
        assert_eq!(unbound_refusal(&hub, &answer).code, RefusalCode::Malformed);
    }
    let answer = http::post(hub.address, "/v1/pay-out", b"x");
    assert_eq!(refusal(&hub, NOT_READ, &answer), RefusalCode::NotSupported);
    assert_eq!(http::get(hub.address, "/v2", "localhost").status, 404);
}

#[test]
fn a_body_of_100_mb_is_refused_before_it_is_sent() {
    let (_fund, hub, _) = enrolled();
    for path in CALLS {
        let mut stream = http::connect(hub.address);
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/cose\r\nContent-Length: 104857600\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        // Not a byte of the body was sent, and the answer is there.
        let answer = http::read(&mut stream);
        assert_eq!(refusal(&hub, NOT_READ, &answer), RefusalCode::TooLarge);
        assert_eq!(answer.header("connection").as_deref(), Some("close"));
    }
}

#[test]
fn a_body_without_a_length_is_read_no_further_than_its_limit() {
    let (_fund, hub, _) = enrolled();
    let mut stream = http::connect(hub.address);
    let head = "POST /v1/extend HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/cose\r\nTransfer-Encoding: \
                chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(b"200\r\n").unwrap();
    stream.write_all(&[0; 0x200]).unwrap();
    stream.write_all(b"\r\n").unwrap();
    let answer = http::read(&mut stream);
    assert_eq!(refusal(&hub, NOT_READ, &answer), RefusalCode::TooLarge);
}

#[test]
fn a_card_session_without_a_command_is_malformed_once_it_is_known_who_asks() {
    let (_fund, hub, mut terminal) = enrolled();
    let request = CardSessionRequest {
        head: terminal.context.head(ObjectType::CardSessionRequest),
        terminal: terminal.terminal,
        epoch: terminal.epoch,
        session: RequestId::new([1; 8]),
        step: 0,
        answers: vec![vec![4, 1, 2, 3, 4, 5, 6].into()],
    };
    let answer: Result<CardSessionAnswer, _> = terminal.call(&hub, "/v1/card-session", &request);
    assert_eq!(answer.unwrap_err(), RefusalCode::Malformed);
    terminal.signer = Signer::from_seed(&[99; 32]).unwrap();
    let answer: Result<CardSessionAnswer, _> = terminal.call(&hub, "/v1/card-session", &request);
    assert_eq!(answer.unwrap_err(), RefusalCode::BadSignature);
}
