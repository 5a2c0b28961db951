//! Enrolment over HTTP.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

use crate::common;

use cabas_protocol::enrol::{Code, EnrolAnswer, EnrolRequest, TRIES_MAX};
use cabas_protocol::{Epoch, Hash, RefusalCode, Signed, Signer};
use common::terminal::{Terminal, enrol_request, hash_of, refusal, send_enrol, weak_key_request};
use common::{Fund, Hub, http};

fn signer(seed: u8) -> Signer {
    Signer::from_seed(&[seed; 32]).unwrap()
}

fn refused(hub: &Hub, request: &EnrolRequest, by: &Signer) -> RefusalCode {
    let (hash, answer) = send_enrol(hub, request, by);
    refusal(hub, hash, &answer)
}

#[test]
fn a_terminal_gets_its_number_its_secrets_and_a_root_key_that_is_proven() {
    let fund = Fund::example();
    let code = fund.code("biocoop-bachut");
    let hub = fund.serve();
    let terminal = Terminal::enrol(&hub, &code, 1);
    assert_eq!((terminal.terminal.get(), terminal.epoch), (1, Epoch::new(1)));
    assert_eq!(*terminal.keys.root(), fund.root);
    assert_eq!(terminal.context.fund, Fund::ID);
    let card_key = cabas_hub::keys::load_card_key(&fund.data_dir().join("keys")).unwrap();
    assert_eq!(terminal.secrets.card_key, *card_key.expose());

    let other = Terminal::enrol(&hub, &fund.code("biocoop-bachut"), 2);
    assert_ne!(other.terminal, terminal.terminal);
    assert_ne!(other.secrets.record_key, terminal.secrets.record_key);
}

#[test]
fn the_same_code_and_key_enrol_once_and_another_key_never() {
    let fund = Fund::example();
    let code = fund.code("biocoop-bachut");
    let hub = fund.serve();
    let first = Terminal::enrol(&hub, &code, 1);
    hub.pass(40 * 24 * 3600);
    let again = Terminal::enrol(&hub, &code, 1);
    assert_eq!((again.terminal, again.epoch), (first.terminal, first.epoch));
    assert_eq!(again.secrets, first.secrets);
    let (code, thief) = (Code::parse(&code).unwrap(), signer(2));
    assert_eq!(refused(&hub, &enrol_request(&code, &thief), &thief), RefusalCode::CodeVoid);
}

#[test]
fn a_terminal_that_enrols_again_gets_the_next_epoch() {
    let fund = Fund::example();
    let hub = fund.serve();
    let first = Terminal::enrol(&hub, &fund.code("biocoop-bachut"), 1);
    let code = fund.json(&["terminal", "add", "--terminal", "1"])["code"].as_str().unwrap().to_owned();
    let second = Terminal::enrol(&hub, &code, 2);
    assert_eq!((second.terminal, second.epoch), (first.terminal, Epoch::new(2)));
    assert_ne!(second.secrets.record_key, first.secrets.record_key);
}

#[test]
fn wrong_proofs_are_counted_across_a_restart_and_the_code_is_void_after_the_last() {
    let fund = Fund::example();
    let code = Code::parse(&fund.code("biocoop-bachut")).unwrap();
    let by = signer(1);
    let wrong = EnrolRequest { proof: Hash::new([0; 32]), ..enrol_request(&code, &by) };
    for tried in 0..TRIES_MAX {
        // A hub of its own for each try: what was counted is in the file before it is answered.
        let hub = fund.serve();
        assert_eq!(refused(&hub, &wrong, &by), RefusalCode::WrongCode, "try {tried}");
    }
    let hub = fund.serve();
    assert_eq!(refused(&hub, &wrong, &by), RefusalCode::CodeVoid);
    assert_eq!(refused(&hub, &enrol_request(&code, &by), &by), RefusalCode::CodeVoid, "the right proof comes too late");
}

#[test]
fn a_proof_for_another_key_is_wrong() {
    let fund = Fund::example();
    let code = Code::parse(&fund.code("biocoop-bachut")).unwrap();
    let hub = fund.serve();
    let (by, thief) = (signer(1), signer(2));
    let stolen = EnrolRequest { key: *thief.public(), ..enrol_request(&code, &by) };
    assert_eq!(refused(&hub, &stolen, &thief), RefusalCode::WrongCode);
}

#[test]
fn a_code_expires() {
    let fund = Fund::example();
    let code = Code::parse(&fund.code("biocoop-bachut")).unwrap();
    let hub = fund.serve();
    let by = signer(1);
    hub.pass(24 * 3600);
    assert_eq!(refused(&hub, &enrol_request(&code, &by), &by), RefusalCode::CodeExpired);
}

#[test]
fn a_newer_code_voids_the_one_before() {
    let fund = Fund::example();
    let old = Code::parse(&fund.code("biocoop-bachut")).unwrap();
    fund.json(&["terminal", "add", "--terminal", "1"]);
    let hub = fund.serve();
    let by = signer(1);
    assert_eq!(refused(&hub, &enrol_request(&old, &by), &by), RefusalCode::CodeVoid);
}

#[test]
fn whoever_guesses_codes_is_slowed_down() {
    let fund = Fund::example();
    let hub = fund.serve();
    let by = signer(1);
    let guess = enrol_request(&Code::of_random(&[3; 12]), &by);
    for _ in 0..cabas_hub::app::UNKNOWN_CODES_PER_MINUTE_MAX {
        assert_eq!(refused(&hub, &guess, &by), RefusalCode::WrongCode);
    }
    assert_eq!(refused(&hub, &guess, &by), RefusalCode::Busy);
    let code = fund.code("biocoop-bachut");
    Terminal::enrol(&hub, &code, 2);
    hub.pass(60);
    assert_eq!(refused(&hub, &guess, &by), RefusalCode::WrongCode);
}

#[test]
fn a_weak_key_and_a_key_that_did_not_sign_are_refused() {
    let fund = Fund::example();
    let code = Code::parse(&fund.code("biocoop-bachut")).unwrap();
    let hub = fund.serve();
    let (by, other) = (signer(1), signer(2));
    let weak = weak_key_request(&code, &by);
    assert_eq!(refusal(&hub, hash_of(&weak), &http::post(hub.address, "/v1/enrol", &weak)), RefusalCode::WeakKey);
    assert_eq!(refused(&hub, &enrol_request(&code, &by), &other), RefusalCode::BadSignature);
    // Neither was a try: the code is as good as before.
    for _ in 0..TRIES_MAX {
        refused(&hub, &enrol_request(&code, &by), &other);
    }
    let (_, answer) = send_enrol(&hub, &enrol_request(&code, &by), &by);
    assert_eq!(answer.status, 200);
    assert!(Signed::<EnrolAnswer>::from_bytes(answer.body).unwrap().peek().is_ok());
}

#[test]
fn an_enrolment_names_no_fund() {
    let fund = Fund::example();
    let code = Code::parse(&fund.code("biocoop-bachut")).unwrap();
    let hub = fund.serve();
    let by = signer(1);
    let mut request = enrol_request(&code, &by);
    request.head.fund = Fund::ID;
    assert_eq!(refused(&hub, &request, &by), RefusalCode::WrongFund);
}
