//! Keys: a terminal pins the fund's *root* key, which certifies the keys that the hub signs with.

use std::collections::BTreeMap;

use crate::head::{Head, ObjectType};
use crate::ids::{CardRef, Epoch, FundId, KeyId, TerminalId, Timestamp};
use crate::sign::{Payload, PublicKey, SignError, Signed, Verified};
use minicbor::bytes::ByteArray;
use zeroize::Zeroize as _;

/// Signing keys that a terminal keeps at the most.
pub const SIGNING_KEYS_MAX: usize = 16;

/// The root's word that the hub signs with a key.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct KeyCert {
    /// What, whose, of which life of the hub.
    #[n(0)]
    pub head: Head,
    /// The signing key.
    #[n(1)]
    pub key: PublicKey,
    /// When it was made.
    #[n(2)]
    pub issued_at: Timestamp,
    /// True where the root takes the key back: nothing it signs from here on is honoured.
    #[n(3)]
    pub revoked: bool,
}

impl Payload for KeyCert {
    const TYPE: ObjectType = ObjectType::KeyCert;
    const MAX_BYTES: usize = 128;

    fn head(&self) -> &Head {
        &self.head
    }
}

/// The root key of a fund, and the signing keys that it certified.
#[derive(Clone, Debug)]
pub struct HubKeys {
    fund: FundId,
    root: PublicKey,
    signing: BTreeMap<KeyId, (PublicKey, bool)>,
}

impl HubKeys {
    /// A fund's keys, none certified yet.
    #[must_use]
    pub const fn new(fund: FundId, root: PublicKey) -> Self {
        Self { fund, root, signing: BTreeMap::new() }
    }

    /// The fund.
    #[must_use]
    pub const fn fund(&self) -> FundId {
        self.fund
    }

    /// The root key.
    #[must_use]
    pub const fn root(&self) -> &PublicKey {
        &self.root
    }

    /// Takes a certificate; a key once revoked stays so.
    ///
    /// # Errors
    /// [`SignError`] where the root did not sign it.
    pub fn certify(&mut self, cert: &Signed<KeyCert>) -> Result<Verified<KeyCert>, SignError> {
        let cert = cert.verify(&self.root, self.fund)?;
        let key = cert.payload().key;
        let was_revoked = self.signing.get(&key.id()).is_some_and(|(_, revoked)| *revoked);
        if self.signing.len() < SIGNING_KEYS_MAX || self.signing.contains_key(&key.id()) {
            self.signing.insert(key.id(), (key, was_revoked || cert.payload().revoked));
        }
        Ok(cert)
    }

    /// True where any key was taken back.
    #[must_use]
    pub fn any_revoked(&self) -> bool {
        self.signing.values().any(|(_, revoked)| *revoked)
    }

    /// True where a key was taken back.
    #[must_use]
    pub fn is_revoked(&self, key: KeyId) -> bool {
        self.signing.get(&key).is_some_and(|(_, revoked)| *revoked)
    }

    /// Checks an object of the hub.
    ///
    /// # Errors
    /// [`SignError::UnknownKey`] where no certified, unrevoked key signed it; otherwise what does not fit.
    pub fn verify<T: Payload>(&self, object: &Signed<T>) -> Result<Verified<T>, SignError> {
        let kid = object.kid()?;
        match self.signing.get(&kid) {
            Some((key, false)) => object.verify(key, self.fund),
            Some((_, true)) | None => Err(SignError::UnknownKey(kid)),
        }
    }
}

/// The fund-wide key under which UIDs become card references.
#[derive(Clone, Eq, PartialEq)]
pub struct CardKey([u8; 32]);

impl CardKey {
    /// Takes the 32 bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, for the one who seals or stores them.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The reference of a UID: HMAC-SHA-256, the first 8 bytes. The length is part of what is hashed, so a 4-byte UID
    /// is never a 7-byte one.
    #[must_use]
    pub fn card_ref(&self, uid: &[u8]) -> CardRef {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &self.0);
        let mut context = ring::hmac::Context::with_key(&key);
        context.update(b"cabas card 1");
        context.update(&u64::try_from(uid.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(uid);
        let mut first = [0; CardRef::LEN];
        for (to, from) in first.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        CardRef::new(first)
    }
}

impl Drop for CardKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for CardKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CardKey([REDACTED])")
    }
}

/// Keys of one card that a terminal keeps: the one that the card has, and those that it is to have next.
pub const SLOT_KEYS_KEPT: u8 = 3;

/// The key by which a terminal's shop speaks with one card that has keys: of its slot only.
#[derive(Clone, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct SlotKey {
    /// What, whose, of which life of the hub.
    #[n(0)]
    pub head: Head,
    /// The terminal.
    #[n(1)]
    pub terminal: TerminalId,
    /// Its enrolment.
    #[n(2)]
    pub epoch: Epoch,
    /// The card.
    #[n(3)]
    pub card: CardRef,
    /// The number of the key on the card.
    #[n(4)]
    pub slot: u8,
    /// The key's version.
    #[n(5)]
    pub version: u8,
    /// The key, diversified for this card and slot.
    #[n(6)]
    pub key: ByteArray<16>,
    /// The version that the card had when this was signed: keys of older versions open it no more, and are dropped.
    #[n(7)]
    pub oldest: u8,
}

impl Payload for SlotKey {
    const TYPE: ObjectType = ObjectType::SlotKey;
    const MAX_BYTES: usize = 128;

    fn head(&self) -> &Head {
        &self.head
    }
}

impl Drop for SlotKey {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

/// The key is hidden.
impl std::fmt::Debug for SlotKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SlotKey(slot {}, version {}, [REDACTED])", self.slot, self.version)
    }
}
