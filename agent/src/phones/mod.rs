//! Telephones as the cashier's screen: off unless the configuration names an address for them.
//!
//! A telephone comes in with a code that this machine's own page shows, once. From then on it is known by a token. What it
//! may ask is the door's to say (`web/phones.rs`); who it is, is said here.

pub mod certificate;
pub mod roll;

use crate::clock::Clock;
use crate::core::ages::Moment;
use crate::journal::keyfile::KeyFileError;
use certificate::Certificate;
use ring::rand::{SecureRandom as _, SystemRandom};
use roll::{PhonesError, Roll};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use zeroize::Zeroizing;

/// How long a code lets a telephone in.
pub const CODE_VALID_S: u64 = 300;
/// Wrong codes after which the one that is shown is worth nothing: five in a million.
pub const TRIES_MAX: u32 = 5;
/// There are so many codes.
const CODES: u32 = 1_000_000;

/// A code that is shown.
struct Offer {
    code: Zeroizing<String>,
    number: u32,
    begun: Moment,
    tries_left: u32,
}

impl std::fmt::Debug for Offer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Offer([REDACTED])")
    }
}

/// Why a telephone is not let in, or not shut out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PairError {
    /// The name.
    Name,
    /// It is not the code, or none is shown.
    Code,
    /// It was the last try: a new code is needed.
    Spent,
    /// No other fits.
    Full,
    /// It could not be written down.
    NotWritten,
    /// The system gives no randomness.
    NoRandomness,
    /// There is none of that number.
    Unknown,
}

/// The telephones of this terminal.
#[derive(Debug)]
pub struct Phones {
    path: PathBuf,
    address: SocketAddr,
    name: Option<String>,
    clock: Clock,
    certificate: Certificate,
    roll: Mutex<Roll>,
    offer: Mutex<Option<Offer>>,
    offers: std::sync::atomic::AtomicU32,
    writing: tokio::sync::Mutex<()>,
    removals: watch::Sender<u32>,
    is_listening: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Phones {
    /// Opens list and certificate in a data folder.
    ///
    /// # Errors
    /// [`PhonesError`].
    pub fn open(folder: &Path, address: SocketAddr, name: Option<String>, clock: Clock) -> Result<Self, PhonesError> {
        let path = folder.join(roll::FILE);
        let names = std::iter::once(address.ip().to_string()).chain(name.clone()).collect();
        let certificate = Certificate::open(&folder.join(certificate::FILE), names)?;
        Ok(Self {
            roll: Mutex::new(Roll::read(&path)?),
            path,
            address,
            name,
            clock,
            certificate,
            offer: Mutex::default(),
            offers: std::sync::atomic::AtomicU32::new(0),
            writing: tokio::sync::Mutex::default(),
            removals: watch::channel(0).0,
            is_listening: AtomicBool::new(false),
        })
    }

    /// Where telephones come in.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The name beside the address, where there is one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What they see.
    #[must_use]
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The page where a code is typed.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}/pair", self.address)
    }

    /// Says whether the address is there: a network of the shop's own may come up late.
    pub fn set_listening(&self, is_listening: bool) {
        self.is_listening.store(is_listening, Ordering::Relaxed);
    }

    /// True where telephones reach it.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.is_listening.load(Ordering::Relaxed)
    }

    /// Those that are let in.
    #[must_use]
    pub fn list(&self) -> Vec<roll::Phone> {
        let now = self.clock.now().wall;
        lock(&self.roll).live(now).cloned().collect()
    }

    /// A new code, and its number among those of this run; the one before is worth nothing from here on.
    ///
    /// # Errors
    /// [`PairError::Full`], [`PairError::NoRandomness`].
    pub fn offer(&self) -> Result<(Zeroizing<String>, u32), PairError> {
        let now = self.clock.now();
        if lock(&self.roll).is_full(now.wall) {
            return Err(PairError::Full);
        }
        let code = Zeroizing::new(format!("{:06}", random_code()?));
        let number = self.offers.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        *lock(&self.offer) = Some(Offer { code: code.clone(), number, begun: now, tries_left: TRIES_MAX });
        Ok((code, number))
    }

    /// What stands in the picture of a code that is shown: the address, and the code where no server sees it.
    #[must_use]
    pub fn offered(&self, number: u32) -> Option<Zeroizing<String>> {
        let offer = lock(&self.offer);
        let offer = offer.as_ref().filter(|offer| offer.number == number && self.is_valid(offer))?;
        Some(Zeroizing::new(format!("{}#{}", self.url(), *offer.code)))
    }

    fn is_valid(&self, offer: &Offer) -> bool {
        self.clock.now().elapsed_s(offer.begun).is_some_and(|elapsed_s| elapsed_s < CODE_VALID_S)
    }

    /// Lets a telephone in: its token, which nobody sees again. It is written down before it is given.
    ///
    /// # Errors
    /// [`PairError`].
    pub async fn pair(&self, code: &str, name: &str) -> Result<Zeroizing<String>, PairError> {
        let name = crate::core::cashier::label(name).ok_or(PairError::Name)?;
        self.try_code(code)?;
        let token = new_token()?;
        let added = lock(&self.roll).add(name, &token, self.clock.now().wall);
        let id = added.ok_or(PairError::Full)?;
        if self.store().await.is_err() {
            lock(&self.roll).remove(id);
            return Err(PairError::NotWritten);
        }
        tracing::info!(phone.id = id, "a telephone was let in");
        Ok(token)
    }

    /// Uses up a try, or the code: it lets one in.
    fn try_code(&self, code: &str) -> Result<(), PairError> {
        let mut shown = lock(&self.offer);
        let Some(offer) = shown.as_mut() else { return Err(PairError::Code) };
        if !self.is_valid(offer) {
            *shown = None;
            return Err(PairError::Code);
        }
        if *offer.code == code {
            *shown = None;
            return Ok(());
        }
        offer.tries_left = offer.tries_left.saturating_sub(1);
        if offer.tries_left > 0 {
            return Err(PairError::Code);
        }
        *shown = None;
        tracing::warn!("a code for telephones was guessed at and is worth nothing");
        Err(PairError::Spent)
    }

    /// The telephone of a token.
    #[must_use]
    pub fn admit(self: &Arc<Self>, token: &str) -> Option<u32> {
        let (id, is_news) = lock(&self.roll).admit(token, self.clock.now().wall)?;
        if is_news {
            let phones = Arc::clone(self);
            tokio::spawn(async move { drop(phones.store().await) });
        }
        Some(id)
    }

    /// Shuts a telephone out, at once: what it waits for ends. Where that cannot be written down, it holds until the next
    /// start only.
    ///
    /// # Errors
    /// [`PairError::Unknown`], [`PairError::NotWritten`].
    pub async fn remove(&self, id: u32) -> Result<(), PairError> {
        let was_there = lock(&self.roll).remove(id);
        if !was_there {
            return Err(PairError::Unknown);
        }
        self.removals.send_modify(|count| *count = count.wrapping_add(1));
        tracing::info!(phone.id = id, "a telephone was shut out");
        self.store().await.map_err(|_| PairError::NotWritten)
    }

    /// Waits until a telephone is shut out.
    pub async fn gone(&self, id: u32) {
        let mut removals = self.removals.subscribe();
        while lock(&self.roll).has(id) {
            if removals.changed().await.is_err() {
                return;
            }
        }
    }

    /// Writes the list as it stands; on a thread of its own, for the counter never waits for a disk.
    async fn store(&self) -> Result<(), KeyFileError> {
        let _one_at_a_time = self.writing.lock().await;
        let (roll, path) = (lock(&self.roll).clone(), self.path.clone());
        let written = tokio::task::spawn_blocking(move || roll.write(&path)).await.unwrap_or_else(|error| {
            Err(KeyFileError::Io { path: self.path.clone(), source: std::io::Error::other(error) })
        });
        if let Err(error) = &written {
            tracing::error!(%error, "the list of telephones is not written");
        }
        written
    }
}

fn random<const N: usize>() -> Result<[u8; N], PairError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| PairError::NoRandomness)?;
    Ok(bytes)
}

/// Each code as likely as any other: what is past the last whole round is drawn again.
fn random_code() -> Result<u32, PairError> {
    const ROUNDS: u32 = u32::MAX.saturating_div(CODES).saturating_mul(CODES);
    loop {
        let drawn = u32::from_le_bytes(random()?);
        if let Some(code) = drawn.checked_rem(CODES).filter(|_| drawn < ROUNDS) {
            return Ok(code);
        }
    }
}

fn new_token() -> Result<Zeroizing<String>, PairError> {
    let bytes = Zeroizing::new(random::<32>()?);
    let mut token = Zeroizing::new(String::with_capacity(roll::TOKEN_LETTERS));
    for byte in *bytes {
        write!(token, "{byte:02x}").map_err(|_| PairError::NoRandomness)?;
    }
    Ok(token)
}

#[cfg(test)]
mod tests;
