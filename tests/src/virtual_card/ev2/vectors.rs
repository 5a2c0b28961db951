//! The published vectors, `card/testdata/desfire-ev2.json`: the data is shared with the host, no code is.

use super::handshake::{Handshake, Kind};
use super::messaging::{CommMode, Session};
use super::test_host;
use serde_json::Value;

/// All vectors of one type.
pub(crate) fn of_type(kind: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_json::from_str(include_str!("../../../../card/testdata/desfire-ev2.json")).unwrap();
    let some: Vec<Value> = all.into_iter().filter(|vector| vector["type"] == kind).collect();
    assert!(!some.is_empty(), "no vector of type {kind}");
    some
}

/// The bytes of a field.
pub(crate) fn bytes(vector: &Value, field: &str) -> Vec<u8> {
    let text = vector[field].as_str().unwrap_or_else(|| panic!("{} has no {field}", vector["id"]));
    let pairs = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// The bytes of a field of fixed length.
pub(crate) fn array<const N: usize>(vector: &Value, field: &str) -> [u8; N] {
    bytes(vector, field).try_into().unwrap()
}

#[test]
fn authentications_come_out_as_published() {
    for vector in of_type("ev2first") {
        let key = array(&vector, "key");
        let kind = Kind::First { identifier: array(&vector, "ti"), host_capabilities: [0; 6] };
        let handshake = Handshake { key_no: array::<1>(&vector, "keyno")[0], key, rnd_b: array(&vector, "rndb"), kind };
        assert_eq!(handshake.challenge(), bytes(&vector, "r1"), "{vector}");
        let (session, proof) = handshake.finish(&bytes(&vector, "c2")).unwrap();
        assert_eq!(proof, bytes(&vector, "r2"), "{vector}");
        assert_eq!((session.encryption, session.mac), (array(&vector, "enc"), array(&vector, "mac")), "{vector}");
        let mut wrong = bytes(&vector, "c2");
        wrong[31] ^= 1;
        assert!(handshake.finish(&wrong).is_err());
    }
}

#[test]
fn session_keys_come_out_as_published() {
    for vector in of_type("seskeys") {
        let randoms = (&array(&vector, "rnda"), &array(&vector, "rndb"));
        let session = Session::derive(0, &array(&vector, "key"), randoms, ([0; 4], 0));
        assert_eq!((session.encryption, session.mac), (array(&vector, "enc"), array(&vector, "mac")), "{vector}");
    }
}

#[test]
fn commands_are_opened_and_answers_sealed_as_published() {
    for vector in of_type("cmd") {
        let mut session = Session {
            key_no: 0,
            encryption: array(&vector, "enc"),
            mac: array(&vector, "mac"),
            identifier: array(&vector, "ti"),
            commands: u16::try_from(vector["ctr"].as_u64().unwrap()).unwrap(),
        };
        let mode = match vector["mode"].as_str() {
            Some("mac") => CommMode::Mac,
            Some("full") => CommMode::Full,
            other => panic!("mode {other:?}"),
        };
        let [instruction] = array(&vector, "ins");
        let (header, data) = (bytes(&vector, "hdr"), bytes(&vector, "data"));
        let mut sealed = bytes(&vector, "capdu_data");
        if sealed.len() > mode.command_bytes(header.len(), data.len()) {
            // The note shows one command with its last byte, what is expected back.
            assert_eq!((vector["id"].as_str(), sealed.pop()), (Some("getvalue-full-an12343-t35"), Some(0)));
        }
        assert_eq!(test_host::seal(&session, mode, instruction, &header, &data), sealed, "{vector}");
        assert_eq!(sealed.len(), mode.command_bytes(header.len(), data.len()), "{vector}");
        let opened = session.open(instruction, &sealed, header.len(), mode);
        assert_eq!(opened, Ok([header.as_slice(), &data].concat()), "{vector}");
        for at in 0..sealed.len() {
            let mut wrong = sealed.clone();
            wrong[at] ^= 0x10;
            assert!(session.open(instruction, &wrong, header.len(), mode).is_err(), "byte {at} of {vector}");
        }
        // The answer to a change of the own key is not sealed: the session ended with the key.
        if vector["rapdu_body"].is_null() {
            continue;
        }
        let mut host = session.clone();
        let answer = session.seal(bytes(&vector, "rdata"), mode).unwrap();
        assert_eq!(answer, bytes(&vector, "rapdu_body"), "{vector}");
        assert_eq!(test_host::open(&mut host, mode, &answer), bytes(&vector, "rdata"), "{vector}");
    }
}

#[test]
fn the_checksum_of_a_new_key_is_as_published() {
    let vectors = of_type("cmd");
    let vector = vectors.iter().find(|vector| vector["id"] == "changekey-other-an12343-t39").unwrap();
    // The old key is all zeros, so the new one stands in the command as it is.
    let data = bytes(vector, "data");
    assert_eq!(super::crypto::crc32(&data[..16]), data[17..]);
}
