//! What the bank's text must be kept by: it may name members, so nobody reads it in the file without the hub's keys.

use cabas_protocol::Hash;
use zeroize::Zeroizing;

use super::card_proof::{CardWitness, NoWitness};

/// Seals the text of bank entries and opens it again.
pub trait BankKeys: Send + Sync {
    /// Seals the text of an entry; the same text is never sealed alike. Nothing where that cannot be done.
    fn seal_text(&self, entry: u64, text: &[u8]) -> Option<Vec<u8>>;

    /// Opens it; nothing where other keys sealed it, or for another entry.
    fn open_text(&self, entry: u64, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>>;

    /// By what the file knows an entry again: of the hash of all that the bank said, so that no guess of a text can be held
    /// against the file. Nothing where there are no keys.
    fn known_by(&self, said: &Hash) -> Option<Hash>;
}

impl BankKeys for NoWitness {
    fn seal_text(&self, _: u64, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn open_text(&self, _: u64, _: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        None
    }

    fn known_by(&self, _: &Hash) -> Option<Hash> {
        None
    }
}

/// What a verification makes again with the hub's keys.
pub trait VerifyKeys: CardWitness + BankKeys {}

impl<K: CardWitness + BankKeys> VerifyKeys for K {}
