//! `POST /v1/enrol`: a terminal proves the code, the hub proves that it knows it too, and neither sends it.
//!
//! A code is `LLLL-SSSS-SSSS`: four characters that name the enrolment and eight that are secret (40 bits). Both sides
//! stretch the secret into three keys: one proves the terminal to the hub, one the hub (and so its root key) to the
//! terminal, one seals the terminal's secrets. A proxy in between learns nothing it can use within the code's life.

use ring::{aead, hkdf, hmac, pbkdf2};
use zeroize::{Zeroize as _, Zeroizing};

use crate::codec::{self, CodecError};
use crate::head::{Head, ObjectType};
use crate::ids::{Epoch, FundId, Hash, RequestId, TerminalId, Timestamp};
use crate::row::PROGRAM_VERSION_BYTES_MAX;
use crate::sign::{Payload, PublicKey};
use minicbor::bytes::ByteVec;

/// Crockford's base 32: no I, L, O, U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters that name the enrolment.
pub const LOCATOR_CHARS: usize = 4;
/// Characters that are secret.
pub const SECRET_CHARS: usize = 8;
/// Bytes of randomness that make a code: one a character.
pub const CODE_RANDOM_BYTES: usize = LOCATOR_CHARS + SECRET_CHARS;
/// Rounds of PBKDF2-HMAC-SHA-256: about half a second on a Raspberry Pi Zero 2 W.
const ROUNDS: std::num::NonZeroU32 = std::num::NonZeroU32::new(100_000).unwrap();
/// Certificates in one answer.
pub const CERTS_MAX: usize = 16;
/// Wrong proofs after which a code is void.
pub const TRIES_MAX: u32 = 5;

/// A one-time code of an enrolment.
#[derive(Clone, Eq, PartialEq)]
pub struct Code {
    locator: String,
    secret: Zeroizing<String>,
}

/// A text that is no code.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not an enrolment code: it has 12 characters, like ABCD-EFGH-JKMN")]
pub struct BadCode;

impl Code {
    /// Makes a code of random bytes.
    #[must_use]
    pub fn of_random(random: &[u8; CODE_RANDOM_BYTES]) -> Self {
        let characters = random.iter().map(|byte| {
            let index = usize::from(byte & 31);
            char::from(ALPHABET.get(index).copied().unwrap_or(b'0'))
        });
        let all: Zeroizing<String> = Zeroizing::new(characters.collect());
        let (locator, secret) = all.split_at(LOCATOR_CHARS);
        Self { locator: locator.to_owned(), secret: Zeroizing::new(secret.to_owned()) }
    }

    /// Reads a code as a person types it: any case, with or without hyphens and spaces, O for 0, I and L for 1.
    ///
    /// # Errors
    /// [`BadCode`].
    pub fn parse(text: &str) -> Result<Self, BadCode> {
        let mut all = Zeroizing::new(String::with_capacity(CODE_RANDOM_BYTES));
        for character in text.chars().filter(|c| !matches!(c, '-' | ' ')) {
            let upper = match character.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            let known = u8::try_from(upper).is_ok_and(|byte| ALPHABET.contains(&byte));
            if !known || all.len() >= CODE_RANDOM_BYTES {
                return Err(BadCode);
            }
            all.push(upper);
        }
        match all.split_at_checked(LOCATOR_CHARS) {
            Some((locator, secret)) if secret.len() == SECRET_CHARS => {
                Ok(Self { locator: locator.to_owned(), secret: Zeroizing::new(secret.to_owned()) })
            }
            Some(_) | None => Err(BadCode),
        }
    }

    /// The part that names the enrolment.
    #[must_use]
    pub fn locator(&self) -> &str {
        &self.locator
    }

    /// The whole code as it is shown once to the admin: `ABCD-EFGH-JKMN`.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        let (first, second) = self.secret.split_at(4);
        Zeroizing::new(format!("{}-{first}-{second}", self.locator))
    }

    /// The keys of the code. Takes as long as it must.
    #[must_use]
    pub fn keys(&self) -> CodeKeys {
        let mut stretched = Zeroizing::new([0; 32]);
        let salt = [b"cabas enrolment 1 ".as_slice(), self.locator.as_bytes()].concat();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, &salt, self.secret.as_bytes(), stretched.as_mut());
        CodeKeys::of_stretched(*stretched)
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Code({}-[REDACTED])", self.locator)
    }
}

/// The keys of a code. The hub stores these 32 bytes instead of the code.
#[derive(Clone)]
pub struct CodeKeys([u8; 32]);

/// A proof or seal that does not fit the code.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the code does not fit")]
pub struct WrongCode;

impl CodeKeys {
    /// Takes what the hub stored.
    #[must_use]
    pub const fn of_stretched(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// What the hub stores.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        let info = [purpose.as_bytes()];
        let prk = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, &self.0);
        let filled = prk.expand(&info, hkdf::HKDF_SHA256).and_then(|okm| okm.fill(key.as_mut()));
        debug_assert!(filled.is_ok(), "32 bytes are the length of one HKDF block");
        key
    }

    fn mac(&self, purpose: &str, message: &[u8]) -> Hash {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.derive(purpose).as_ref());
        Hash::from_slice(hmac::sign(&key, message).as_ref()).unwrap_or(Hash::new([0; 32]))
    }

    fn check(&self, purpose: &str, message: &[u8], mac: &Hash) -> Result<(), WrongCode> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.derive(purpose).as_ref());
        hmac::verify(&key, message, mac.as_bytes()).map_err(|_| WrongCode)
    }

    /// The terminal's proof that it has the code.
    #[must_use]
    pub fn prove_terminal(&self, key: &PublicKey, nonce: RequestId) -> Hash {
        self.mac("terminal", &[key.as_bytes().as_slice(), nonce.as_bytes()].concat())
    }

    /// Checks the terminal's proof.
    ///
    /// # Errors
    /// [`WrongCode`].
    pub fn check_terminal(&self, key: &PublicKey, nonce: RequestId, proof: &Hash) -> Result<(), WrongCode> {
        self.check("terminal", &[key.as_bytes().as_slice(), nonce.as_bytes()].concat(), proof)
    }

    /// The hub's proof that it has the code, over the request and the root key.
    #[must_use]
    pub fn prove_hub(&self, request: &Hash, fund: FundId, root: &PublicKey) -> Hash {
        self.mac("hub", &hub_message(request, fund, root))
    }

    /// Checks the hub's proof: from here on the root key is pinned.
    ///
    /// # Errors
    /// [`WrongCode`].
    pub fn check_hub(&self, request: &Hash, fund: FundId, root: &PublicKey, proof: &Hash) -> Result<(), WrongCode> {
        self.check("hub", &hub_message(request, fund, root), proof)
    }

    /// Seals the terminal's secrets (ChaCha20-Poly1305). The nonce comes from the request, which is never sealed for
    /// twice with other contents: the secrets of a terminal's epoch do not change.
    #[must_use]
    pub fn seal(&self, request: &Hash, secrets: &TerminalSecrets) -> Vec<u8> {
        let mut plain = codec::encode(secrets);
        let sealed = self.sealing_key().seal_in_place_append_tag(nonce_of(request), aead::Aad::empty(), &mut plain);
        debug_assert!(sealed.is_ok(), "a few bytes are never too long to seal");
        plain
    }

    /// Opens the terminal's secrets.
    ///
    /// # Errors
    /// [`WrongCode`].
    pub fn open(&self, request: &Hash, sealed: &[u8]) -> Result<TerminalSecrets, WrongCode> {
        let mut bytes = Zeroizing::new(sealed.to_vec());
        let plain = self
            .sealing_key()
            .open_in_place(nonce_of(request), aead::Aad::empty(), bytes.as_mut_slice())
            .map_err(|_| WrongCode)?;
        codec::decode(plain, 128).map_err(|_| WrongCode)
    }

    #[expect(clippy::expect_used, reason = "32 bytes are a key of ChaCha20-Poly1305")]
    fn sealing_key(&self) -> aead::LessSafeKey {
        let key = aead::UnboundKey::new(&aead::CHACHA20_POLY1305, self.derive("seal").as_ref());
        aead::LessSafeKey::new(key.expect("32 bytes"))
    }
}

impl Drop for CodeKeys {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for CodeKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CodeKeys([REDACTED])")
    }
}

fn hub_message(request: &Hash, fund: FundId, root: &PublicKey) -> Vec<u8> {
    [request.as_bytes().as_slice(), &fund.get().to_be_bytes(), root.as_bytes()].concat()
}

fn nonce_of(request: &Hash) -> aead::Nonce {
    let [a, b, c, d, e, f, g, h, i, j, k, l, ..] = *request.as_bytes();
    aead::Nonce::assume_unique_for_key([a, b, c, d, e, f, g, h, i, j, k, l])
}

/// What only this terminal and the hub know.
#[derive(Clone, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct TerminalSecrets {
    /// The fund's card key.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub card_key: [u8; 32],
    /// The key of the MACs that this terminal writes into card records.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub record_key: [u8; 16],
}

impl Drop for TerminalSecrets {
    fn drop(&mut self) {
        self.card_key.zeroize();
        self.record_key.zeroize();
    }
}

impl std::fmt::Debug for TerminalSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TerminalSecrets([REDACTED])")
    }
}

/// A terminal asks to be enrolled. Signed by the key that it made; its head names fund 0, for it knows none yet.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct EnrolRequest {
    /// Type and version; fund, incarnation and time epoch are 0.
    #[n(0)]
    pub head: Head,
    /// Which enrolment.
    #[n(1)]
    pub locator: String,
    /// The key that the terminal made.
    #[n(2)]
    pub key: PublicKey,
    /// Random, made once.
    #[n(3)]
    pub nonce: RequestId,
    /// [`CodeKeys::prove_terminal`].
    #[n(4)]
    pub proof: Hash,
    /// The agent's version.
    #[n(5)]
    pub program: String,
}

impl EnrolRequest {
    /// The fund that its head names.
    pub const NO_FUND: FundId = FundId::new(0);
}

impl Payload for EnrolRequest {
    const TYPE: ObjectType = ObjectType::EnrolRequest;
    const MAX_BYTES: usize = 512;

    fn head(&self) -> &Head {
        &self.head
    }

    fn check(&self) -> Result<(), CodecError> {
        codec::text("locator", &self.locator, LOCATOR_CHARS)?;
        codec::text("program", &self.program, PROGRAM_VERSION_BYTES_MAX)
    }
}

/// The hub enrols a terminal. Repeated with the same code and key it names the same terminal and epoch.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct EnrolAnswer {
    /// What, whose, of which life of the hub.
    #[n(0)]
    pub head: Head,
    /// The hash of the request's envelope.
    #[n(1)]
    pub request: Hash,
    /// The terminal.
    #[n(2)]
    pub terminal: TerminalId,
    /// Its enrolment.
    #[n(3)]
    pub epoch: Epoch,
    /// The fund's root key.
    #[n(4)]
    pub root: PublicKey,
    /// Signed [`crate::keys::KeyCert`]s; one of them certifies the key that signed this answer.
    #[n(5)]
    pub certs: Vec<ByteVec>,
    /// [`CodeKeys::prove_hub`].
    #[n(6)]
    pub proof: Hash,
    /// Sealed [`TerminalSecrets`].
    #[n(7)]
    pub sealed: ByteVec,
    /// Hub time.
    #[n(8)]
    pub time: Timestamp,
}

impl Payload for EnrolAnswer {
    const TYPE: ObjectType = ObjectType::EnrolAnswer;
    const MAX_BYTES: usize = 8 * 1024;

    fn head(&self) -> &Head {
        &self.head
    }

    fn check(&self) -> Result<(), CodecError> {
        codec::at_most("certs", self.certs.len(), CERTS_MAX)?;
        codec::at_most("sealed", self.sealed.len(), 256)
    }
}
