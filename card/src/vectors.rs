//! The published vectors, for tests.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed unwrap is the test's failure")]

use serde_json::Value;

use crate::crypto::Block;

/// All vectors of a kind.
pub(crate) fn all(kind: &str) -> Vec<Value> {
    let text = include_str!("../testdata/desfire-ev2.json");
    let vectors: Vec<Value> = serde_json::from_str(text).unwrap();
    let found: Vec<_> = vectors.into_iter().filter(|vector| vector["type"] == kind).collect();
    assert!(!found.is_empty(), "no vector of kind {kind}");
    found
}

/// Bytes of a hexadecimal text.
pub(crate) fn hex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// Sixteen of them.
pub(crate) fn block(text: &Value) -> Block {
    hex(text).try_into().unwrap()
}
