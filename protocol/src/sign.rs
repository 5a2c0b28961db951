//! Signatures: COSE_Sign1 (RFC 9052 §4.2) with Ed25519, tag 18, empty external data.
//!
//! [`Signed`] is bytes of the right shape; only a check of the signature makes a [`Verified`] of it.

use std::fmt;
use std::marker::PhantomData;

use minicbor::data::{Tag, Type};
use minicbor::{Decode, Decoder, Encode, Encoder};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::codec::{self, CodecError, written};
use crate::head::{Head, ObjectType};
use crate::ids::{CurrencyCode, FundId, Hash, KeyId};

/// COSE_Sign1 (RFC 9052 §4.2).
const TAG_SIGN1: u64 = 18;
/// EdDSA (RFC 9053 §2.2).
const ALG_EDDSA: i8 = -8;
/// Header labels (RFC 9052 §3.1).
const LABEL_ALG: u8 = 1;
const LABEL_KID: u8 = 4;
const SIGNATURE_BYTES: usize = 64;
/// What the envelope adds to a payload at the most.
pub const ENVELOPE_BYTES_MAX: usize = 96;

/// What can be signed.
pub trait Payload: Sized + Encode<()> + for<'b> Decode<'b, ()> {
    /// The type tag in its head.
    const TYPE: ObjectType;
    /// The longest payload that is read, in bytes.
    const MAX_BYTES: usize;

    /// Its head.
    fn head(&self) -> &Head;

    /// Limits that the field types do not express.
    ///
    /// # Errors
    /// [`CodecError::Limit`] names the field.
    fn check(&self) -> Result<(), CodecError> {
        Ok(())
    }
}

/// Why an object is not taken as signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// Not the bytes of such an object: the sender's fault, or a proxy's.
    #[error("not a signed object of this form: {0}")]
    Form(#[from] CodecError),
    /// The key that it names is not known here.
    #[error("signed by the unknown key {0}")]
    UnknownKey(KeyId),
    /// The signature does not fit.
    #[error("the signature does not fit")]
    BadSignature,
    /// Of another type.
    #[error("an object of type {found:?} stands where {expected:?} belongs")]
    WrongType {
        /// What was asked for.
        expected: ObjectType,
        /// What it is.
        found: ObjectType,
    },
    /// Of a form version that this program does not know.
    #[error("form version {0} is not understood here")]
    UnknownVersion(u8),
    /// Of another fund.
    #[error("an object of fund {0}")]
    WrongFund(FundId),
    /// In another currency.
    #[error("an object in currency {0}")]
    WrongCurrency(CurrencyCode),
}

/// An Ed25519 public key.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Takes a key.
    ///
    /// # Errors
    /// [`WeakKey`] for a point of small order: any signature would fit it.
    pub fn new(bytes: [u8; 32]) -> Result<Self, WeakKey> {
        let [rest @ .., last] = bytes;
        let small = SMALL_ORDER_Y.iter().any(|y| {
            let [y_rest @ .., y_last] = y;
            rest == *y_rest && last & 0x7f == *y_last
        });
        if small { Err(WeakKey) } else { Ok(Self(bytes)) }
    }

    /// Reads 64 hexadecimal digits; nothing for anything else, and for a weak key.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let (mut bytes, pairs) = ([0; 32], text.as_bytes().as_chunks::<2>().0);
        let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        if is_hex { Self::new(bytes).ok() } else { None }
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let digest = sha256(&[&self.0]);
        let [a, b, c, d, e, f, g, h, ..] = *digest.as_bytes();
        KeyId::new([a, b, c, d, e, f, g, h])
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignError> {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).map_err(|_| SignError::BadSignature)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id())
    }
}

impl<C> Encode<C> for PublicKey {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for PublicKey {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let at = d.position();
        let bytes = d.bytes()?.try_into().map_err(|_| minicbor::decode::Error::message("not 32 bytes").at(at))?;
        Self::new(bytes).map_err(|e| minicbor::decode::Error::custom(e).at(at))
    }
}

/// A key that every signature fits.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a weak key (a point of small order)")]
pub struct WeakKey;

/// The y coordinates of the points of order 1, 2, 4 and 8, in every encoding that a decoder takes (sign bit aside).
/// The test beside them computes them again with another implementation.
const SMALL_ORDER_Y: [[u8; 32]; 7] = {
    const fn near_p(first: u8) -> [u8; 32] {
        let mut y = [0xff; 32];
        y[0] = first;
        y[31] = 0x7f;
        y
    }
    const fn small(first: u8) -> [u8; 32] {
        let mut y = [0; 32];
        y[0] = first;
        y
    }
    [
        small(0),
        small(1),
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
            0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
            0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
        near_p(0xec),
        near_p(0xed),
        near_p(0xee),
    ]
};

/// A key pair that signs.
pub struct Signer {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

/// A seed from which no key pair can be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a seed of an Ed25519 key")]
pub struct BadSeed;

impl Signer {
    /// Makes the key pair of a seed.
    ///
    /// # Errors
    /// [`BadSeed`], which ring gives for no seed of 32 bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, BadSeed> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| BadSeed)?;
        let bytes = pair.public_key().as_ref().try_into().map_err(|_| BadSeed)?;
        let public = PublicKey::new(bytes).map_err(|_| BadSeed)?;
        Ok(Self { pair, public })
    }

    /// Its public half.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs an object.
    #[must_use]
    pub fn sign<T: Payload>(&self, payload: &T) -> Signed<T> {
        let payload = codec::encode(payload);
        let protected = protected_header(self.public.id());
        let signature = self.pair.sign(&sig_structure(&protected, &payload));
        let bytes = written(|e| {
            e.tag(Tag::new(TAG_SIGN1))?.array(4)?;
            e.bytes(&protected)?.map(0)?.bytes(&payload)?.bytes(signature.as_ref())?.ok()
        });
        Signed { bytes, of: PhantomData }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({}, [REDACTED])", self.public.id())
    }
}

/// Bytes that claim to be a signed `T`.
pub struct Signed<T> {
    bytes: Vec<u8>,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Signed<T> {
    fn clone(&self) -> Self {
        Self { bytes: self.bytes.clone(), of: PhantomData }
    }
}

impl<T> PartialEq for Signed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<T> Eq for Signed<T> {}

impl<T> fmt::Debug for Signed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signed({} bytes)", self.bytes.len())
    }
}

/// The parts of an envelope.
struct Envelope<'b> {
    protected: &'b [u8],
    kid: KeyId,
    payload: &'b [u8],
    signature: &'b [u8],
}

impl<T: Payload> Signed<T> {
    /// Takes bytes from outside; nothing is checked yet but their length.
    ///
    /// # Errors
    /// [`CodecError::TooLarge`].
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, CodecError> {
        let max = T::MAX_BYTES.saturating_add(ENVELOPE_BYTES_MAX);
        codec::at_most("signed object", bytes.len(), max)
            .map_err(|_| CodecError::TooLarge { len: bytes.len(), max })?;
        Ok(Self { bytes, of: PhantomData })
    }

    /// The bytes as they are stored and sent.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, given away.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// SHA-256 of the whole envelope: what the next row of a chain and an answer to a request name.
    #[must_use]
    pub fn hash(&self) -> Hash {
        sha256(&[&self.bytes])
    }

    /// The id of the key that it says it is signed with.
    ///
    /// # Errors
    /// [`SignError::Form`].
    pub fn kid(&self) -> Result<KeyId, SignError> {
        Ok(open(&self.bytes)?.kid)
    }

    /// Checks the signature by `key`, the type, the version, the fund and the currency.
    ///
    /// # Errors
    /// [`SignError`] says what does not fit.
    pub fn verify(&self, key: &PublicKey, fund: FundId) -> Result<Verified<T>, SignError> {
        let envelope = open(&self.bytes)?;
        if envelope.kid != key.id() {
            return Err(SignError::UnknownKey(envelope.kid));
        }
        key.verify(&sig_structure(envelope.protected, envelope.payload), envelope.signature)?;
        Ok(Verified { payload: read_payload(envelope.payload, fund)?, hash: self.hash() })
    }

    /// Reads the payload of bytes that this program stored itself, or whose signature something else vouches for (a
    /// chain's head, [`crate::chain`]).
    ///
    /// # Errors
    /// [`SignError`], but never [`SignError::BadSignature`].
    pub fn read_trusted(&self, fund: FundId) -> Result<Verified<T>, SignError> {
        Ok(Verified { payload: read_payload(open(&self.bytes)?.payload, fund)?, hash: self.hash() })
    }

    /// Reads what is needed to choose the key, believing nothing.
    ///
    /// # Errors
    /// [`SignError::Form`] or [`SignError::WrongType`].
    pub fn peek(&self) -> Result<T, SignError> {
        let payload: T = codec::decode(open(&self.bytes)?.payload, T::MAX_BYTES)?;
        let found = payload.head().object_type;
        if found == T::TYPE { Ok(payload) } else { Err(SignError::WrongType { expected: T::TYPE, found }) }
    }
}

/// An object whose signature was checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verified<T> {
    payload: T,
    hash: Hash,
}

impl<T> Verified<T> {
    /// The object.
    #[must_use]
    pub const fn payload(&self) -> &T {
        &self.payload
    }

    /// The object, given away.
    #[must_use]
    pub fn into_payload(self) -> T {
        self.payload
    }

    /// SHA-256 of the envelope it came in.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        self.hash
    }
}

/// The type of a signed object of any type, believing nothing.
///
/// # Errors
/// [`SignError::Form`].
pub fn peek_type(bytes: &[u8]) -> Result<ObjectType, SignError> {
    let payload = open(bytes)?.payload;
    let mut d = Decoder::new(payload);
    let head: Result<Head, _> = d.map().and_then(|_| d.u8()).and_then(|_| d.decode());
    Ok(head.map_err(CodecError::from)?.object_type)
}

/// SHA-256 of the parts one after the other.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    Hash::new(hash)
}

fn read_payload<T: Payload>(bytes: &[u8], fund: FundId) -> Result<T, SignError> {
    let payload: T = codec::decode(bytes, T::MAX_BYTES)?;
    let head = *payload.head();
    if head.object_type != T::TYPE {
        return Err(SignError::WrongType { expected: T::TYPE, found: head.object_type });
    }
    if head.version != Head::VERSION {
        return Err(SignError::UnknownVersion(head.version));
    }
    if head.fund != fund {
        return Err(SignError::WrongFund(head.fund));
    }
    if head.currency != CurrencyCode::EUR {
        return Err(SignError::WrongCurrency(head.currency));
    }
    payload.check()?;
    Ok(payload)
}

fn open(bytes: &[u8]) -> Result<Envelope<'_>, SignError> {
    let envelope = read_envelope(bytes).map_err(CodecError::from)?;
    let again = written(|e| {
        e.tag(Tag::new(TAG_SIGN1))?.array(4)?;
        e.bytes(envelope.protected)?.map(0)?.bytes(envelope.payload)?.bytes(envelope.signature)?.ok()
    });
    let rest = bytes.len().saturating_sub(again.len());
    if rest > 0 && bytes.starts_with(&again) {
        return Err(CodecError::TrailingBytes(rest).into());
    }
    if again != bytes || envelope.protected != protected_header(envelope.kid) {
        return Err(CodecError::NotCanonical.into());
    }
    Ok(envelope)
}

fn read_envelope(bytes: &[u8]) -> Result<Envelope<'_>, minicbor::decode::Error> {
    use minicbor::decode::Error;
    let mut d = Decoder::new(bytes);
    if d.tag()? != Tag::new(TAG_SIGN1) || d.array()? != Some(4) {
        return Err(Error::message("not a COSE_Sign1"));
    }
    let protected = d.bytes()?;
    let kid = read_protected(protected)?;
    if d.datatype()? != Type::Map || d.map()? != Some(0) {
        return Err(Error::message("unprotected headers are not used here"));
    }
    let payload = d.bytes()?;
    let signature = d.bytes()?;
    if signature.len() != SIGNATURE_BYTES {
        return Err(Error::message("not a signature of 64 bytes"));
    }
    Ok(Envelope { protected, kid, payload, signature })
}

fn read_protected(protected: &[u8]) -> Result<KeyId, minicbor::decode::Error> {
    let mut d = Decoder::new(protected);
    let alg_ok = d.map()? == Some(2) && d.u8()? == LABEL_ALG && d.i8()? == ALG_EDDSA && d.u8()? == LABEL_KID;
    if alg_ok { d.decode() } else { Err(minicbor::decode::Error::message("not the headers used here")) }
}

fn protected_header(kid: KeyId) -> Vec<u8> {
    written(|e| e.map(2)?.u8(LABEL_ALG)?.i8(ALG_EDDSA)?.u8(LABEL_KID)?.bytes(kid.as_bytes())?.ok())
}

/// `Sig_structure` (RFC 9052 §4.4).
fn sig_structure(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    written(|e| e.array(4)?.str("Signature1")?.bytes(protected)?.bytes(&[])?.bytes(payload)?.ok())
}
