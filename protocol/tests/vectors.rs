//! The golden vectors: the bytes of every object stand still, other implementations read them, and they fit the
//! figures of the design.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code"
)]

mod samples;

use std::collections::BTreeMap;
use std::path::PathBuf;

use cabas_protocol::*;
use coset::{CborSerializable as _, TaggedCborSerializable as _};
use samples::{CONTEXT, cents, hub, root, terminal};

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/vectors.json")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_bytes_of_every_object_stand_still() {
    let made: BTreeMap<String, String> = samples::all().into_iter().map(|(name, bytes)| (name, hex(&bytes))).collect();
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        let text = serde_json::to_string_pretty(&made).unwrap() + "\n";
        #[expect(clippy::disallowed_methods, reason = "a file of the source tree, rewritten on request")]
        std::fs::write(file(), text).unwrap();
    }
    let stored: BTreeMap<String, String> = serde_json::from_str(&std::fs::read_to_string(file()).unwrap()).unwrap();
    assert_eq!(made, stored);
}

#[test]
fn coset_reads_every_envelope_and_finds_the_same_signature() {
    for (name, bytes) in samples::all() {
        let cose = coset::CoseSign1::from_tagged_slice(&bytes).unwrap();
        assert_eq!(cose.clone().to_tagged_vec().unwrap(), bytes, "{name}");
        let kid = KeyId::from_slice(&cose.protected.header.key_id).unwrap();
        let signer = [root(), hub(), terminal()].into_iter().find(|signer| signer.public().id() == kid).unwrap();
        let key = ed25519_dalek::VerifyingKey::from_bytes(signer.public().as_bytes()).unwrap();
        cose.verify_signature(b"", |signature, message| {
            key.verify_strict(message, &ed25519_dalek::Signature::from_slice(signature).unwrap())
        })
        .unwrap_or_else(|e| panic!("{name}: {e}"));
        let payload = coset::cbor::Value::from_slice(cose.payload.as_deref().unwrap()).unwrap();
        assert!(payload.is_map(), "{name}");
    }
}

#[test]
fn balance_and_sale_fit_their_bytes() {
    let large = Cents::new(u64::from(u32::MAX)).unwrap();
    let balance = SignedBalance {
        serial: Serial::new(u32::MAX),
        allowed: large,
        ..samples::balance(Scope::Terminal(TerminalId::new(u32::MAX), Epoch::new(u32::MAX)))
    };
    let balance_len = hub().sign(&balance).as_bytes().len();
    assert!(balance_len <= 175, "a balance with every number at 32 bits has {balance_len} bytes");

    let mut sale = samples::sale();
    sale.spent_after = cents(99_999_999);
    sale.lines[0] = row::Line { requested: cents(65_535), fund: cents(60_000), member: cents(5_535), ..sale.lines[0] };
    let mut row = samples::row_of(16_000_000, samples::HASH, RowBody::Sale(sale));
    row.time.monotonic_ms = 4_000_000_000;
    let sale_len = terminal().sign(&row).as_bytes().len();
    assert!(sale_len <= 240, "a sale of one category up to 655.35 euros has {sale_len} bytes");
}

#[test]
fn every_object_is_read_back_as_it_was() {
    let row = samples::row_of(5, samples::HASH, RowBody::Sale(samples::sale()));
    let signed = terminal().sign(&row);
    let verified = signed.verify(terminal().public(), CONTEXT.fund).unwrap();
    assert_eq!(verified.payload(), &row);
    for body in samples::bodies() {
        let row = samples::row_of(6, samples::HASH, body);
        assert_eq!(terminal().sign(&row).verify(terminal().public(), CONTEXT.fund).unwrap().into_payload(), row);
    }
}
