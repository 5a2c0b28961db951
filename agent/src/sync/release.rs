//! What terminal and hub say of themselves, and the pieces of a program: calls of their own, so that neither side ever sends
//! the other what it does not know. A hub that knows none of it says so, and is asked again later.

use super::client::{Answer, CallError};
use super::link::{HubLink, SyncError, random_request};
use cabas_protocol::head::ObjectType;
use cabas_protocol::release::{
    AboutAnswer, AboutRequest, Capability, NOTE_BYTES_MAX, PieceAnswer, PieceRequest, Release, Trouble, UpgradePhase,
    own_capabilities,
};
use cabas_protocol::{Hash, PublicKey, Signed, Verified};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long an answer may take: on a bad line a piece takes its time.
const TIMEOUT: Duration = Duration::from_secs(60);

impl Answer for AboutAnswer {
    fn request(&self) -> Hash {
        self.request
    }
}

impl Answer for PieceAnswer {
    fn request(&self) -> Hash {
        self.request
    }
}

/// How far an upgrade is, for the hub.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Told {
    /// The phase.
    pub phase: UpgradePhase,
    /// The release.
    pub release: Option<Hash>,
    /// What there is to say.
    pub note: String,
    /// What does not work here; told to a hub that said that it listens.
    pub troubles: Vec<Trouble>,
}

impl HubLink {
    /// Says what this terminal is, and asks what the hub is and offers.
    ///
    /// # Errors
    /// [`SyncError`]; a hub that does not know the call refuses it as not supported.
    pub async fn about(&self, told: Told) -> Result<AboutAnswer, SyncError> {
        let knew = self.hears_troubles.load(Ordering::Relaxed);
        let answer = self.about_once(&told).await?;
        // A hub that listens is told at once what it may have heard before a restart mended it.
        if !knew && self.hears_troubles.load(Ordering::Relaxed) { self.about_once(&told).await } else { Ok(answer) }
    }

    async fn about_once(&self, told: &Told) -> Result<AboutAnswer, SyncError> {
        let state = self.journal().published().state;
        let mut note = told.note.clone();
        note.retain(|character| !character.is_control());
        while note.len() > NOTE_BYTES_MAX {
            note.pop();
        }
        let request = self.signer().sign(&AboutRequest {
            head: state.context().head(ObjectType::AboutRequest),
            terminal: state.id.terminal,
            epoch: state.id.epoch,
            nonce: random_request()?,
            program: String::from(crate::stamp::version()),
            target: String::from(crate::stamp::target()),
            capabilities: own_capabilities(),
            phase: told.phase,
            release: told.release,
            note,
            troubles: self.hears_troubles.load(Ordering::Relaxed).then(|| numbers(&told.troubles)),
        });
        let answer: Result<Verified<AboutAnswer>, _> =
            self.client().call("/v1/about", &request, &state.keys, TIMEOUT).await;
        match &answer {
            Ok(answer) => {
                let hears = answer.payload().capabilities.contains(&Capability::TROUBLES.number());
                self.hears_troubles.store(hears, Ordering::Relaxed);
            }
            // An older program may run there since, and refuses what it does not know.
            Err(CallError::Refused(_)) => self.hears_troubles.store(false, Ordering::Relaxed),
            Err(_) => {}
        }
        Ok(answer?.into_payload())
    }

    /// Fetches a piece of a program.
    ///
    /// # Errors
    /// [`SyncError`].
    pub async fn piece(&self, release: Hash, from: u32, length: u32) -> Result<Vec<u8>, SyncError> {
        let state = self.journal().published().state;
        let request = self.signer().sign(&PieceRequest {
            head: state.context().head(ObjectType::PieceRequest),
            terminal: state.id.terminal,
            epoch: state.id.epoch,
            nonce: random_request()?,
            release,
            from,
            length,
        });
        let answer: Verified<PieceAnswer> = self.client().call("/v1/program", &request, &state.keys, TIMEOUT).await?;
        Ok(answer.into_payload().bytes.to_vec())
    }
}

fn numbers(troubles: &[Trouble]) -> Vec<u16> {
    let mut numbers: Vec<u16> = troubles.iter().map(|trouble| trouble.number()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// What the release key says, where it says it.
///
/// # Errors
/// [`CallError::NotTheHub`]: the hub is asked, but not believed about programs.
pub fn verified_release(bytes: &[u8], key: &PublicKey) -> Result<Verified<Release>, CallError> {
    let forged = |source| CallError::NotTheHub { status: 200, source };
    let signed = Signed::<Release>::from_bytes(bytes.to_vec()).map_err(|error| forged(error.into()))?;
    signed.verify(key, Release::NO_FUND).map_err(forged)
}
