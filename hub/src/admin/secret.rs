//! What proves who somebody is: passwords, second factors, recovery codes, tokens.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use cabas_protocol::Hash;
use cabas_protocol::sign::sha256;
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use totp_rs::{Builder, Secret, Totp};
use zeroize::Zeroizing;

use crate::keys::{HubSecrets, KeyError, random};

/// The shortest password that somebody may choose, in characters.
pub const PASSWORD_CHARS_MIN: usize = 12;
/// The longest one, in bytes.
pub const PASSWORD_BYTES_MAX: usize = 256;
/// The secret of a second factor (RFC 4226 asks for 20).
const TOTP_SECRET_BYTES: usize = 20;
/// Easy to read and to type: no l, no o, no 0, no 1.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// 16 letters are 80 bits.
const CODE_LETTERS: usize = 16;
/// What is checked where there is no such user, so that the answer takes as long: no password has this hash.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$Y2FiYXMgbm9ib2R5ISE$3o7xS0kJ4cZJr8l4gJd0Wm0sZbq3mC0v0m6bq1bq0uI";
/// The purpose under which second factors are sealed.
const TOTP_PURPOSE: &[u8] = b"cabas totp 1";

/// The hash of a password that is kept (argon2id, 19 MiB, 2 passes).
///
/// # Errors
/// [`KeyError::NoRandom`].
pub fn hash_password(password: &str) -> Result<String, KeyError> {
    let salt = random::<16>()?;
    let hashed = Argon2::default().hash_password_with_salt(password.as_bytes(), &*salt);
    hashed.map(|hash| hash.to_string()).map_err(|_| KeyError::NoRandom)
}

/// Whether a password is the one of a hash; without a hash no, after the same work.
#[must_use]
pub fn is_password(password: &str, hash: Option<&str>) -> bool {
    let parsed = PasswordHash::new(hash.unwrap_or(NOBODY));
    let fits = parsed.is_ok_and(|parsed| Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok());
    fits && hash.is_some()
}

/// A password for one use, or a recovery code: `xxxx-xxxx-xxxx-xxxx`.
///
/// # Errors
/// [`KeyError::NoRandom`].
pub fn new_code() -> Result<Zeroizing<String>, KeyError> {
    let bytes = random::<CODE_LETTERS>()?;
    let mut code = Zeroizing::new(String::new());
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 && index.is_multiple_of(4) {
            code.push('-');
        }
        code.push(char::from(LETTERS.get(usize::from(byte % 32)).copied().unwrap_or(b'a')));
    }
    Ok(code)
}

/// What is kept of a recovery code, however it is typed.
#[must_use]
pub fn recovery_hash(user: u32, code: &str) -> Hash {
    let typed = Zeroizing::new(code.to_lowercase());
    let letters: Zeroizing<String> = Zeroizing::new(typed.chars().filter(|c| c.is_ascii_alphanumeric()).collect());
    sha256(&[b"cabas recovery 1", &user.to_be_bytes(), letters.as_bytes()])
}

/// What a browser or a program holds: 256 random bits, in hexadecimal.
///
/// # Errors
/// [`KeyError::NoRandom`].
pub fn new_token() -> Result<Zeroizing<String>, KeyError> {
    Ok(Zeroizing::new(Hash::new(*random::<32>()?).to_string()))
}

/// What is kept of a token.
#[must_use]
pub fn token_hash(token: &str) -> Hash {
    sha256(&[b"cabas token 1", token.as_bytes()])
}

/// What a form must send back with the token's cookie.
#[must_use]
pub fn form_token(token: &str) -> String {
    sha256(&[b"cabas form 1", token.as_bytes()]).to_string()
}

/// A second factor.
pub struct SecondFactor(Totp);

impl std::fmt::Debug for SecondFactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecondFactor([REDACTED])")
    }
}

impl SecondFactor {
    /// A new one, and how it is kept.
    ///
    /// # Errors
    /// [`KeyError::NoRandom`].
    pub fn new(secrets: &HubSecrets, user: u32, name: &str, fund: &str) -> Result<(Self, Vec<u8>), KeyError> {
        let secret = random::<TOTP_SECRET_BYTES>()?;
        let sealed = secrets.seal(TOTP_PURPOSE, &user.to_be_bytes(), secret.as_slice())?;
        Ok((Self::of_secret(secret.as_slice(), name, fund).ok_or(KeyError::NoRandom)?, sealed))
    }

    /// One that was kept; none where other keys sealed it, or for another user.
    #[must_use]
    pub fn open(secrets: &HubSecrets, user: u32, name: &str, fund: &str, sealed: &[u8]) -> Option<Self> {
        let secret = secrets.open(TOTP_PURPOSE, &user.to_be_bytes(), sealed)?;
        Self::of_secret(&secret, name, fund)
    }

    fn of_secret(secret: &[u8], name: &str, fund: &str) -> Option<Self> {
        // A colon parts issuer and account in the address that an app reads.
        let plain = |text: &str| text.replace(':', " ");
        let builder =
            Builder::new().with_secret(Secret::new(secret.into())).with_skew(1).with_account_name(plain(name));
        builder.with_issuer(Some(plain(fund))).build().ok().map(Self)
    }

    /// The step of a code that holds at that time, or a step before or after it.
    #[must_use]
    pub fn step_of(&self, code: &str, now: u64) -> Option<u64> {
        let digits: Zeroizing<String> = Zeroizing::new(code.chars().filter(|c| !c.is_whitespace()).collect());
        self.0.check(&digits, now)
    }

    /// The secret for who types it.
    #[must_use]
    pub fn secret(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.secret().to_base32())
    }

    /// The picture for an app's camera.
    #[must_use]
    pub fn picture(&self) -> Option<String> {
        qr(&self.0.to_url().ok()?)
    }
}

/// A text as a QR code, drawn as SVG.
#[must_use]
pub fn qr(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let drawn = code.render::<svg::Color<'_>>().min_dimensions(232, 232).quiet_zone(true).build();
    drawn.split_once("?>").map(|(_, svg)| svg.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    #[test]
    fn a_password_is_known_again_and_no_other() {
        let hash = hash_password("correct horse").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(is_password("correct horse", Some(&hash)));
        assert!(!is_password("correct horsf", Some(&hash)));
        assert!(!is_password("correct horse", None));
        assert!(!is_password("correct horse", Some("not a hash")));
        assert_ne!(hash_password("correct horse").unwrap(), hash, "each hash has a salt of its own");
        assert!(PasswordHash::new(NOBODY).is_ok(), "nobody's hash costs as much as another");
    }

    #[test]
    fn a_recovery_code_is_known_again_however_it_is_typed() {
        let code = new_code().unwrap();
        assert_eq!(code.len(), 19);
        let typed = code.to_uppercase().replace('-', " ");
        assert_eq!(recovery_hash(1, &typed), recovery_hash(1, &code));
        assert_ne!(recovery_hash(2, &code), recovery_hash(1, &code));
        assert_ne!(new_code().unwrap(), code);
    }

    #[test]
    fn a_second_factor_follows_rfc_6238() {
        // RFC 6238, appendix B: at 59 s the code is 94287082; its last six digits.
        let factor = SecondFactor::of_secret(b"12345678901234567890", "a", "b").unwrap();
        assert_eq!(factor.step_of("287082", 59), Some(1));
        assert_eq!(factor.step_of("287 082", 59), Some(1));
        assert_eq!(factor.step_of("287082", 89), Some(1), "the step before is taken");
        assert_eq!(factor.step_of("287082", 120), None, "an older one is not");
        assert_eq!(factor.step_of("287083", 59), None);
        assert!(factor.picture().unwrap().starts_with("<svg"));
    }
}
