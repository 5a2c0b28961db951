//! What a reader refuses, and what it must not refuse.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code"
)]

mod samples;

use cabas_protocol::codec::{self, CodecError};
use cabas_protocol::enrol::{BadCode, Code, CodeKeys, WrongCode};
use cabas_protocol::keys::{CardKey, HubKeys, KeyCert};
use cabas_protocol::sign::{SignError, WeakKey, peek_type};
use cabas_protocol::*;
use coset::cbor::Value;
use proptest::prelude::*;
use samples::{CONTEXT, EPOCH, TERMINAL, hub, root, terminal};

fn balance() -> SignedBalance {
    samples::balance(Scope::Terminal(TERMINAL, EPOCH))
}

fn read(bytes: &[u8]) -> Result<SignedBalance, CodecError> {
    codec::decode(bytes, 256)
}

fn to_bytes(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    coset::cbor::ser::into_writer(value, &mut bytes).unwrap();
    bytes
}

/// The balance as a map that a test bends.
fn bent(bend: impl FnOnce(&mut Vec<(Value, Value)>)) -> Vec<u8> {
    let value: Value = coset::cbor::de::from_reader(codec::encode(&balance()).as_slice()).unwrap();
    let mut map = value.into_map().unwrap();
    bend(&mut map);
    to_bytes(&Value::Map(map))
}

#[test]
fn an_unknown_field_is_critical_unless_its_key_is_negative() {
    assert_eq!(read(&bent(|_| {})).unwrap(), balance());
    let extended = bent(|map| map.push((Value::from(-1), Value::Bytes(vec![7; 64]))));
    assert_eq!(read(&extended).unwrap(), balance());
    let critical = bent(|map| map.push((Value::from(8), Value::from(1))));
    assert!(matches!(read(&critical), Err(CodecError::UnknownCriticalField)));
    let long = bent(|map| map.push((Value::from(-1), Value::Bytes(vec![7; 65]))));
    assert!(matches!(codec::decode::<SignedBalance>(&long, 1024), Err(CodecError::BadExtension(_))));
    let number = bent(|map| map.push((Value::from(-1), Value::from(1))));
    assert!(matches!(read(&number), Err(CodecError::BadExtension(_))));
    let many = bent(|map| map.extend((1..=9).map(|key| (Value::from(-key), Value::Bytes(vec![])))));
    assert!(matches!(read(&many), Err(CodecError::BadExtension(_))));
}

#[test]
fn a_field_twice_missing_or_out_of_order_is_refused() {
    let twice = bent(|map| map.insert(1, map[1].clone()));
    assert!(matches!(read(&twice), Err(CodecError::KeyOrder(_))));
    let swapped = bent(|map| map.swap(2, 3));
    assert!(matches!(read(&swapped), Err(CodecError::KeyOrder(_))));
    let extension_first = bent(|map| map.insert(0, (Value::from(-1), Value::Bytes(vec![]))));
    assert!(matches!(read(&extension_first), Err(CodecError::KeyOrder(_))));
    let missing = bent(|map| drop(map.remove(4)));
    assert!(matches!(read(&missing), Err(CodecError::Field(_))));
}

#[test]
fn foreign_items_and_wrong_lengths_are_refused() {
    for foreign in [Value::Null, Value::Float(1.0), Value::Tag(1, Box::new(Value::from(1)))] {
        let bytes = bent(|map| map[4].1 = foreign);
        assert!(matches!(read(&bytes), Err(CodecError::ForeignItem(_))));
    }
    for wrong in [Value::from(-5), Value::Text("5".into()), Value::Bool(true), Value::from(Cents::MAX + 1)] {
        let bytes = bent(|map| map[4].1 = wrong);
        assert!(matches!(read(&bytes), Err(CodecError::Field(_) | CodecError::ForeignItem(_))));
    }
    for purse in [7, 9] {
        let bytes = bent(|map| map[1].1 = Value::Bytes(vec![1; purse]));
        assert!(matches!(read(&bytes), Err(CodecError::Field(_))));
    }
    let text_key = bent(|map| map[4].0 = Value::Text("allowed".into()));
    assert!(matches!(read(&text_key), Err(CodecError::ForeignItem(_))));
}

#[test]
fn another_form_of_the_same_value_is_refused() {
    let bytes = codec::encode(&balance());
    // The map's own header in two bytes instead of one.
    let mut long_header = vec![0xb8, 8];
    long_header.extend_from_slice(&bytes[1..]);
    assert!(matches!(read(&long_header), Err(CodecError::NotCanonical)));
    // Serial 12 (one byte) as two bytes: it stands behind key 3.
    let at = bytes.windows(2).position(|pair| pair == [3, 12]).unwrap();
    let mut long_number = bytes[..=at].to_vec();
    long_number.extend_from_slice(&[0x18, 12]);
    long_number.extend_from_slice(&bytes[at + 2..]);
    assert!(matches!(read(&long_number), Err(CodecError::NotCanonical)));
    // An indefinite map.
    let mut indefinite = vec![0xbf];
    indefinite.extend_from_slice(&bytes[1..]);
    indefinite.push(0xff);
    assert!(matches!(read(&indefinite), Err(CodecError::ForeignItem(_))));
}

#[test]
fn depth_size_and_the_end_are_checked() {
    let nested = (0..7).fold(Value::from(1), |inner, _| Value::Array(vec![inner]));
    let deep = bent(|map| map[2].1 = nested);
    assert!(matches!(read(&deep), Err(CodecError::TooDeep(_))));
    let mut trailing = codec::encode(&balance());
    trailing.push(0);
    assert!(matches!(read(&trailing), Err(CodecError::TrailingBytes(1))));
    assert!(matches!(read(&vec![0; 257]), Err(CodecError::TooLarge { len: 257, max: 256 })));
    // A length that lies: an array of 2^32 elements in a few bytes ends at the bytes, not at the memory.
    assert!(read(&[0xa1, 0x00, 0x9a, 0xff, 0xff, 0xff, 0xff]).is_err());
}

#[test]
fn only_the_named_key_of_the_named_fund_is_believed() {
    let signed = hub().sign(&balance());
    assert!(signed.verify(hub().public(), CONTEXT.fund).is_ok());
    assert!(matches!(signed.verify(root().public(), CONTEXT.fund), Err(SignError::UnknownKey(_))));
    assert!(matches!(signed.verify(hub().public(), FundId::new(1)), Err(SignError::WrongFund(_))));
    let dollars = SignedBalance { head: Head { currency: CurrencyCode::new(840), ..balance().head }, ..balance() };
    assert!(matches!(hub().sign(&dollars).verify(hub().public(), CONTEXT.fund), Err(SignError::WrongCurrency(_))));
    let newer = SignedBalance { head: Head { version: 2, ..balance().head }, ..balance() };
    assert!(matches!(hub().sign(&newer).verify(hub().public(), CONTEXT.fund), Err(SignError::UnknownVersion(2))));
    let other = SignedBalance { head: samples::head(ObjectType::Recall), ..balance() };
    assert!(matches!(hub().sign(&other).verify(hub().public(), CONTEXT.fund), Err(SignError::WrongType { .. })));
}

#[test]
fn every_flipped_bit_of_an_envelope_is_noticed() {
    let good = hub().sign(&balance()).into_bytes();
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << bit;
            let signed = Signed::<SignedBalance>::from_bytes(bytes).unwrap();
            assert!(signed.verify(hub().public(), CONTEXT.fund).is_err(), "byte {at}, bit {bit}");
        }
    }
    let mut longer = good.clone();
    longer.push(0);
    let signed = Signed::<SignedBalance>::from_bytes(longer).unwrap();
    assert!(matches!(signed.verify(hub().public(), CONTEXT.fund), Err(SignError::Form(CodecError::TrailingBytes(1)))));
    for len in 0..good.len() {
        let signed = Signed::<SignedBalance>::from_bytes(good[..len].to_vec()).unwrap();
        assert!(signed.verify(hub().public(), CONTEXT.fund).is_err(), "cut at {len}");
    }
}

#[test]
fn an_object_over_its_limit_is_not_even_opened() {
    assert!(matches!(Signed::<SignedBalance>::from_bytes(vec![0; 1000]), Err(CodecError::TooLarge { .. })));
}

#[test]
fn keys_of_small_order_are_weak_in_every_encoding() {
    let mut found = 0;
    for torsion in curve_points_of_small_order() {
        assert_eq!(PublicKey::new(torsion), Err(WeakKey), "{torsion:02x?}");
        assert!(ed25519_dalek::VerifyingKey::from_bytes(&torsion).is_ok_and(|key| key.is_weak()));
        found += 1;
    }
    assert_eq!(found, 14, "8 points, and the encodings beside their canonical ones that are read all the same");
    for seed in 0..=255 {
        assert!(Signer::from_seed(&[seed; 32]).is_ok());
    }
}

/// Every encoding that dalek reads as a point of small order, searched near 0, near p and at the points of order 8.
fn curve_points_of_small_order() -> Vec<[u8; 32]> {
    let mut candidates = Vec::new();
    for low in 0..=3_u8 {
        let mut near_zero = [0; 32];
        near_zero[0] = low;
        candidates.push(near_zero);
    }
    for low in 0xe8..=0xff_u8 {
        let mut near_p = [0xff; 32];
        near_p[0] = low;
        near_p[31] = 0x7f;
        candidates.push(near_p);
    }
    // y of order 8 from the curve: found by multiplying a point of mixed order by the order of the prime subgroup.
    candidates.extend(points_of_order_eight());
    let with_signs = candidates.into_iter().flat_map(|y| {
        let mut negative = y;
        negative[31] |= 0x80;
        [y, negative]
    });
    with_signs.filter(|bytes| ed25519_dalek::VerifyingKey::from_bytes(bytes).is_ok_and(|key| key.is_weak())).collect()
}

fn points_of_order_eight() -> [[u8; 32]; 2] {
    let order_eight = curve25519_dalek::constants::EIGHT_TORSION;
    let mut found: Vec<[u8; 32]> = order_eight
        .iter()
        .filter(|point| {
            let four = **point + **point + **point + **point;
            four != curve25519_dalek::edwards::EdwardsPoint::default()
        })
        .map(|point| {
            let mut y = point.compress().to_bytes();
            y[31] &= 0x7f;
            y
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found.try_into().unwrap()
}

#[test]
fn a_terminal_believes_only_keys_that_the_root_certified_and_did_not_take_back() {
    let mut keys = HubKeys::new(CONTEXT.fund, *root().public());
    let signed = hub().sign(&balance());
    assert!(matches!(keys.verify(&signed), Err(SignError::UnknownKey(_))));
    assert!(keys.certify(&hub().sign(&samples::cert())).is_err(), "a signing key certified itself");
    keys.certify(&root().sign(&samples::cert())).unwrap();
    assert!(keys.verify(&signed).is_ok());
    keys.certify(&root().sign(&KeyCert { revoked: true, ..samples::cert() })).unwrap();
    keys.certify(&root().sign(&samples::cert())).unwrap();
    assert!(matches!(keys.verify(&signed), Err(SignError::UnknownKey(_))), "a revoked key came back");
}

mod chains {
    use super::*;
    use cabas_protocol::chain::{ChainError, ChainId, verify_batch};

    const ID: ChainId = ChainId { fund: CONTEXT.fund, terminal: TERMINAL, epoch: EPOCH };

    fn journal(bodies: Vec<RowBody>) -> Vec<Signed<Row>> {
        let mut head = ID.genesis(terminal().public());
        bodies
            .into_iter()
            .map(|body| {
                let row = samples::row_of(head.seq.next().unwrap().get(), head.hash, body);
                let signed = terminal().sign(&row);
                head = ChainHead { seq: row.seq, hash: signed.hash() };
                signed
            })
            .collect()
    }

    fn check(rows: &[Signed<Row>]) -> Result<usize, ChainError> {
        let genesis = ID.genesis(terminal().public());
        verify_batch(ID, terminal().public(), genesis, rows).map(|rows| rows.len())
    }

    #[test]
    fn the_newest_signature_vouches_for_all_rows_below_it() {
        let rows = journal(samples::bodies());
        assert_eq!(check(&rows).unwrap(), rows.len());
        assert_eq!(check(&[]).unwrap(), 0);
    }

    #[test]
    fn a_row_left_out_doubled_swapped_or_rewritten_breaks_the_chain() {
        let rows = journal(samples::bodies());
        let mut left_out = rows.clone();
        left_out.remove(3);
        assert!(matches!(check(&left_out), Err(ChainError::Gap { at: 3, .. })));
        let mut doubled = rows.clone();
        doubled.insert(3, rows[3].clone());
        assert!(matches!(check(&doubled), Err(ChainError::Gap { at: 4, .. })));
        let mut swapped = rows.clone();
        swapped.swap(3, 4);
        assert!(matches!(check(&swapped), Err(ChainError::Gap { at: 3, .. })));
        let mut rewritten = rows.clone();
        let row = rows[3].verify(terminal().public(), CONTEXT.fund).unwrap().into_payload();
        let body = RowBody::ListApplied(row::ListApplied { version: Version::new(1) });
        rewritten[3] = terminal().sign(&Row { body, ..row });
        assert!(matches!(check(&rewritten), Err(ChainError::Fork { at: 4, .. })));
    }

    #[test]
    fn a_forged_newest_row_is_refused() {
        let mut rows = journal(samples::bodies());
        let last = rows.pop().unwrap();
        let mut bytes = last.into_bytes();
        let end = bytes.len() - 1;
        bytes[end] ^= 1;
        rows.push(Signed::from_bytes(bytes).unwrap());
        assert!(matches!(check(&rows), Err(ChainError::Row { source: SignError::BadSignature, .. })));
    }

    #[test]
    fn another_terminal_epoch_or_key_has_another_beginning() {
        let genesis = ID.genesis(terminal().public());
        for other in [
            ChainId { epoch: Epoch::new(3), ..ID },
            ChainId { terminal: TerminalId::new(8), ..ID },
            ChainId { fund: FundId::new(1), ..ID },
        ] {
            assert_ne!(other.genesis(terminal().public()), genesis);
        }
        assert_ne!(ID.genesis(hub().public()), genesis);
    }
}

#[test]
fn rows_that_make_no_sense_are_refused() {
    let sale = samples::sale;
    let too_many = vec![samples::line(); 17];
    let nothing = row::Line { fund: Cents::ZERO, member: samples::cents(1250), ..samples::line() };
    let wrong_sum = row::Line { member: samples::cents(1), ..samples::line() };
    for body in [
        row::Sale { lines: vec![], ..sale() },
        row::Sale { lines: too_many, ..sale() },
        row::Sale { lines: vec![nothing], ..sale() },
        row::Sale { lines: vec![wrong_sum], ..sale() },
        row::Sale { spent_after: samples::cents(1), ..sale() },
        row::Sale { card_mac: Some(vec![0; 17].into()), ..sale() },
    ] {
        let signed = terminal().sign(&samples::row_of(1, samples::HASH, RowBody::Sale(body)));
        assert!(matches!(signed.verify(terminal().public(), CONTEXT.fund), Err(SignError::Form(CodecError::Limit(_)))));
    }
}

#[test]
fn the_type_of_any_object_is_told_without_belief() {
    assert_eq!(peek_type(hub().sign(&balance()).as_bytes()).unwrap(), ObjectType::Balance);
    assert!(peek_type(b"<html>").is_err());
    assert!(peek_type(&[]).is_err());
}

#[test]
fn a_code_is_read_as_people_type_it() {
    let code = samples::code();
    for text in ["abcdefghjkmn", "ABCD EFGH JKMN", "abcd-efgh-jkmn"] {
        assert_eq!(Code::parse(text).unwrap(), code);
    }
    assert_eq!(Code::parse("OIL0-1111-1111").unwrap().reveal().as_str(), "0110-1111-1111");
    for bad in ["", "ABCD-EFGH-JKM", "ABCD-EFGH-JKMNP", "ABCD-EFGH-JKMU", "ÀBCD-EFGH-JKMN", "١BCD-EFGH-JKMN"] {
        assert_eq!(Code::parse(bad), Err(BadCode), "{bad}");
    }
    assert_eq!(Code::parse(&Code::of_random(&[255; 12]).reveal()).unwrap(), Code::of_random(&[31; 12]));
}

#[test]
fn a_code_is_proven_both_ways_and_seals_the_secrets() {
    let keys = samples::code().keys();
    let wrong = Code::parse("ABCD-EFGH-JKMP").unwrap().keys();
    let key = *terminal().public();
    let proof = keys.prove_terminal(&key, samples::REQUEST);
    assert_eq!(keys.check_terminal(&key, samples::REQUEST, &proof), Ok(()));
    assert_eq!(wrong.check_terminal(&key, samples::REQUEST, &proof), Err(WrongCode));
    assert_eq!(keys.check_terminal(hub().public(), samples::REQUEST, &proof), Err(WrongCode));
    let proof = keys.prove_hub(&samples::HASH, CONTEXT.fund, root().public());
    assert_eq!(keys.check_hub(&samples::HASH, CONTEXT.fund, root().public(), &proof), Ok(()));
    assert_eq!(keys.check_hub(&samples::HASH, CONTEXT.fund, hub().public(), &proof), Err(WrongCode));
    assert_eq!(wrong.check_hub(&samples::HASH, CONTEXT.fund, root().public(), &proof), Err(WrongCode));
    let sealed = keys.seal(&samples::HASH, &samples::secrets());
    assert_eq!(keys.open(&samples::HASH, &sealed).unwrap(), samples::secrets());
    assert_eq!(wrong.open(&samples::HASH, &sealed), Err(WrongCode));
    assert_eq!(CodeKeys::of_stretched(*keys.expose()).open(&samples::HASH, &sealed).unwrap(), samples::secrets());
}

#[test]
fn secrets_are_never_printed() {
    let code = samples::code();
    let texts = [
        format!("{:?}", samples::secrets()),
        format!("{:?}", code.keys()),
        format!("{:?}", hub()),
        format!("{:?}", CardKey::new([0x0c; 32])),
        format!("{code:?}"),
    ];
    for text in texts {
        assert!(text.contains("[REDACTED]"), "{text}");
        assert!(!text.contains("EFGH") && !text.contains("0c0c") && !text.contains("12, 12"), "{text}");
    }
}

#[test]
fn uids_with_the_same_beginning_are_different_cards() {
    let key = CardKey::new([9; 32]);
    assert_ne!(key.card_ref(&[4, 1, 2, 3]), key.card_ref(&[4, 1, 2, 3, 0, 0, 0]));
    assert_ne!(key.card_ref(&[4, 1, 2, 3]), CardKey::new([8; 32]).card_ref(&[4, 1, 2, 3]));
}

#[test]
fn refusal_numbers_and_texts_are_all_different() {
    let mut seen = std::collections::BTreeSet::new();
    for code in RefusalCode::ALL {
        assert_eq!(RefusalCode::of_number(code.number()), *code);
        assert!(seen.insert(code.number()) && !code.text().is_empty());
    }
    assert_eq!(RefusalCode::of_number(9999).number(), 9999);
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        drop(codec::decode::<Row>(&bytes, 1024));
        drop(peek_type(&bytes));
        if let Ok(signed) = Signed::<Row>::from_bytes(bytes) {
            prop_assert!(signed.verify(terminal().public(), CONTEXT.fund).is_err());
        }
    }

    #[test]
    fn what_is_read_from_damaged_bytes_has_the_same_bytes(
        index in 0..17_usize, at in any::<proptest::sample::Index>(), byte in any::<u8>()
    ) {
        let row = samples::row_of(3, samples::HASH, samples::bodies().swap_remove(index));
        let mut bytes = codec::encode(&row);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(read) = codec::decode::<Row>(&bytes, 1024) {
            prop_assert_eq!(codec::encode(&read), bytes);
        }
    }
}
