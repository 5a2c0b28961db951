//! One card, once: for the admin's reader, where no counter runs.

use super::reader::fits;
use super::session::Session;
use super::{Card, ForeignCard, ReaderConfig, ReaderState, Uid, plain};
use pcsc::{Context, Scope};
use std::thread;
use std::time::Duration;

/// Between two looks at the readers.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Why no card was spoken with.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoCard {
    /// The PC/SC service does not answer.
    #[error("the card reader service does not answer; is pcscd running?")]
    NoService,
    /// None was presented in time.
    #[error("no card was presented in time")]
    None,
    /// It is another kind of card.
    #[error("what is on the reader is no MIFARE DESFire: its UID has another length than 7 bytes")]
    NotDesfire,
    /// It cannot be used.
    #[error("what is on the reader is no card that can be used: {0:?}")]
    Foreign(ForeignCard),
}

/// Whether a reader that fits is there, without touching a card on it.
#[must_use]
pub fn look(config: &ReaderConfig) -> ReaderState {
    let Ok(context) = Context::establish(Scope::User) else { return ReaderState::NoService };
    let names = context.list_readers_owned().unwrap_or_default();
    let mut names = names.iter().map(|name| name.to_string_lossy().into_owned());
    names
        .find(|name| fits(name, &config.name_contains))
        .map_or(ReaderState::NoReader, |name| ReaderState::Ready { name })
}

/// Waits for a card on a reader that fits, so many looks long, and speaks with it; the reader is held meanwhile.
///
/// # Errors
/// [`NoCard`].
pub fn with_card<R>(
    config: &ReaderConfig,
    looks: u32,
    talk: impl FnOnce(&mut dyn Card, &Uid) -> R,
) -> Result<R, NoCard> {
    let context = Context::establish(Scope::User).map_err(|_| NoCard::NoService)?;
    let mut seen = None;
    for _ in 0..looks {
        let readers = context.list_readers_owned().unwrap_or_default();
        for reader in readers.iter().filter(|name| fits(&name.to_string_lossy(), &config.name_contains)) {
            let Ok(mut session) = Session::connect(&context, reader) else { continue };
            match plain::read_uid(&mut session) {
                Ok(uid) => return Ok(talk(&mut session, &uid)),
                Err(foreign) => seen = Some(foreign),
            }
        }
        thread::sleep(LOOK_EVERY);
    }
    Err(seen.map_or(NoCard::None, NoCard::Foreign))
}
