//! The bank's text under the hub's keys.

use cabas_protocol::Hash;
use zeroize::Zeroizing;

use crate::core::bank_text::BankKeys;
use crate::keys::HubSecrets;

const TEXT_PURPOSE: &[u8] = b"cabas bank text 1";
const ENTRY_PURPOSE: &[u8] = b"cabas bank entry 1";

impl BankKeys for HubSecrets {
    fn seal_text(&self, entry: u64, text: &[u8]) -> Option<Vec<u8>> {
        self.seal(TEXT_PURPOSE, &entry.to_be_bytes(), text).ok()
    }

    fn open_text(&self, entry: u64, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.open(TEXT_PURPOSE, &entry.to_be_bytes(), sealed)
    }

    fn known_by(&self, said: &Hash) -> Option<Hash> {
        self.mark(ENTRY_PURPOSE, said.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use cabas_protocol::sign::sha256;

    use super::*;

    #[test]
    fn a_text_opens_for_its_entry_and_hub_alone_and_is_never_sealed_alike() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = |name: &str| {
            crate::keys::create(&folder.path().join(name)).unwrap();
            HubSecrets::load(&folder.path().join(name)).unwrap()
        };
        let (ours, theirs) = (secrets("ours"), secrets("theirs"));
        let (one, two) = (ours.seal_text(1, b"Dupont").unwrap(), ours.seal_text(1, b"Dupont").unwrap());
        assert_ne!(one, two);
        assert_eq!(ours.open_text(1, &one).unwrap().as_slice(), b"Dupont");
        assert!(ours.open_text(2, &one).is_none() && theirs.open_text(1, &one).is_none());
        assert!(ours.open_text(1, b"").is_none());
        let said = sha256(&[b"Dupont"]);
        assert_eq!(ours.known_by(&said), ours.known_by(&said));
        assert_ne!(ours.known_by(&said), theirs.known_by(&said));
        assert_ne!(ours.known_by(&said), Some(said));
    }
}
