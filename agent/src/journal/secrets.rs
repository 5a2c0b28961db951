//! The keys of cards: sealed in the journal's file, open only for a purchase. What seals them lies in the terminal's key
//! file, so that a copy of the journal opens no card; where systemd gives a credential, in that too ([`super::seal`]), so
//! that a copy of the whole disk opens none.

use super::append::Writer;
use super::error::JournalError;
use super::keyfile::TerminalKeys;
use super::seal::{SealCredential, SealedBy};
use crate::core::objects::{self, Alarm, HeldSlotKey, Verdict};
use cabas_card::Key;
use cabas_protocol::CardRef;
use cabas_protocol::keys::{SLOT_KEYS_KEPT, SlotKey};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use rusqlite::{Connection, params};
use zeroize::Zeroizing;

/// What the sealing key is derived for.
const PURPOSE: &[u8] = b"cabas slot keys 1";
/// What the key file's part of it is derived for, where a credential is the other.
const PURPOSE_BOTH: &[u8] = b"cabas slot keys 2";

/// Card, slot and version: which key it is.
pub(super) type Name = (CardRef, u8, u8);

/// A key by which one card is spoken to.
#[derive(Clone, Eq, PartialEq)]
pub struct SlotSecret {
    /// The number of the key on the card.
    pub slot: u8,
    /// The key.
    pub key: Key,
}

/// The key is hidden.
impl std::fmt::Debug for SlotSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SlotSecret(slot {}, [REDACTED])", self.slot)
    }
}

/// What the terminal's key file gives for cards, and systemd's credential where there is one.
pub(super) struct CardSecrets {
    /// From the key file alone.
    by_file: Option<LessSafeKey>,
    /// From both.
    by_credential: Option<LessSafeKey>,
    /// What new keys are sealed by.
    pub(super) sealed_by: SealedBy,
    /// The key of the MACs in records.
    pub(super) record_key: Key,
}

impl std::fmt::Debug for CardSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CardSecrets([REDACTED])")
    }
}

/// Which key it is: bound to what is sealed, so that no row of the table can stand for another.
fn name(card: CardRef, slot: u8, version: u8) -> Aad<Vec<u8>> {
    Aad::from([card.as_bytes().as_slice(), &[slot, version]].concat())
}

impl CardSecrets {
    pub(super) fn new(keys: &TerminalKeys, credential: Option<&SealCredential>) -> Self {
        let key = |bytes: &[u8; 32]| UnboundKey::new(&CHACHA20_POLY1305, bytes).map(LessSafeKey::new).ok();
        let by_credential = credential.map(|credential| credential.mixed_with(&keys.derived(PURPOSE_BOTH)));
        Self {
            by_file: key(&keys.derived(PURPOSE)),
            by_credential: by_credential.and_then(|mixed| key(&mixed)),
            sealed_by: if credential.is_some() { SealedBy::Credential } else { SealedBy::KeyFile },
            record_key: keys.record_key(),
        }
    }

    fn sealing(&self, by: SealedBy) -> Option<&LessSafeKey> {
        match by {
            SealedBy::KeyFile => self.by_file.as_ref(),
            SealedBy::Credential => self.by_credential.as_ref(),
        }
    }

    /// The key, sealed; nothing where the system gives no randomness.
    pub(super) fn seal(&self, (card, slot, version): Name, key: &[u8; 16]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut sealed = Zeroizing::new(key.to_vec());
        let sealing = self.sealing(self.sealed_by)?;
        let name = name(card, slot, version);
        let tag = sealing
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), name, sealed.as_mut_slice())
            .ok()?;
        Some([self.sealed_by.mark(), &nonce, &sealed, tag.as_ref()].concat())
    }

    /// Opens what was sealed, by this or by the key file alone; nothing where it was by something else.
    pub(super) fn open(&self, (card, slot, version): Name, sealed: &[u8]) -> Option<Key> {
        let (by, sealed) = SealedBy::of(sealed)?;
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut open = Zeroizing::new(sealed.to_vec());
        let name = name(card, slot, version);
        let key =
            self.sealing(by)?.open_in_place(Nonce::assume_unique_for_key(*nonce), name, open.as_mut_slice()).ok()?;
        <[u8; 16]>::try_from(&*key).ok().map(Key::new)
    }

    /// The keys held of a card, the newest first. One that was sealed under another key file opens nothing and is left out.
    pub(super) fn keys_of(&self, db: &Connection, card: CardRef) -> Result<Vec<(u8, SlotSecret)>, JournalError> {
        let mut select = db.prepare_cached(
            "SELECT slot, version, sealed FROM slot_keys WHERE card = ?1 ORDER BY version DESC, id DESC LIMIT ?2",
        )?;
        let held = select.query_map(params![card.as_bytes(), SLOT_KEYS_KEPT], |row| {
            Ok((row.get::<_, u8>(0)?, row.get::<_, u8>(1)?, row.get::<_, Vec<u8>>(2)?))
        })?;
        let mut keys = Vec::new();
        for held in held {
            let (slot, version, sealed) = held?;
            if let Some(key) = self.open((card, slot, version), &sealed) {
                keys.push((version, SlotSecret { slot, key }));
            }
        }
        Ok(keys)
    }
}

impl Writer<'_> {
    pub(super) fn take_slot_key(&mut self, offered: &SlotKey) -> Result<Verdict, JournalError> {
        let no_secrets = || Verdict::Reject(Alarm::NotGenuine { why: String::from("no secrets to seal a card's key") });
        let Some(secrets) = self.secrets else { return Ok(no_secrets()) };
        let held: Vec<HeldSlotKey> = secrets
            .keys_of(self.tx, offered.card)?
            .into_iter()
            .map(|(version, SlotSecret { slot, key })| HeldSlotKey {
                slot,
                version,
                is_same: key.expose().as_slice() == offered.key.as_slice(),
            })
            .collect();
        let verdict = objects::slot_key(self.state.id.me(), &held, offered);
        if verdict == Verdict::Take {
            let Some(sealed) = secrets.seal((offered.card, offered.slot, offered.version), &offered.key) else {
                return Ok(no_secrets());
            };
            let card = offered.card.as_bytes();
            let mut insert = self.tx.prepare_cached(
                "INSERT INTO slot_keys (card, slot, version, sealed) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (card, slot, version) DO UPDATE SET sealed = ?4",
            )?;
            insert.execute(params![card, offered.slot, offered.version, sealed])?;
        }
        if matches!(verdict, Verdict::Take | Verdict::Ignore) {
            // What the card has lost opens nothing but a forgery.
            self.tx.execute(
                "DELETE FROM slot_keys WHERE card = ?1 AND (slot = ?2 AND version < ?3 OR id NOT IN \
                 (SELECT id FROM slot_keys WHERE card = ?1 ORDER BY version DESC, id DESC LIMIT ?4))",
                params![offered.card.as_bytes(), offered.slot, offered.oldest, SLOT_KEYS_KEPT],
            )?;
            // Nobody counts by those keys any more: what a copy may have counted up to does not hold against the card.
            self.tx.execute(
                "UPDATE identity_counters SET counter = 0, oldest = ?2 WHERE card = ?1 AND oldest < ?2",
                params![offered.card.as_bytes(), offered.oldest],
            )?;
        }
        Ok(verdict)
    }
}
