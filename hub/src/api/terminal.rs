//! Which terminal asks: its key is looked up, its signature checked.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use cabas_protocol::sign::Payload;
use cabas_protocol::{Epoch, PublicKey, Signed, TerminalId, Verified};

use crate::app::App;
use crate::error::Refused;
use crate::store::Lane;

/// Keys that are kept at hand; what is beyond is read from the store each time.
pub const KEYS_MAX: usize = 65_536;

/// Keys of enrolments. The key of a (terminal, epoch) never changes, so one that was read stays right; how the enrolment
/// stands does change, and is read with each request.
#[derive(Debug, Default)]
pub struct KnownKeys(RwLock<BTreeMap<(TerminalId, Epoch), PublicKey>>);

impl KnownKeys {
    fn get(&self, of: (TerminalId, Epoch)) -> Option<PublicKey> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&of).copied()
    }

    fn insert(&self, of: (TerminalId, Epoch), key: PublicKey) {
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if keys.len() < KEYS_MAX {
            keys.insert(of, key);
        }
    }
}

/// Checks that the terminal which a request names signed it.
///
/// # Errors
/// [`Refused`]: no such terminal, or not its signature, or not of this fund.
pub(super) async fn verified<T: Payload + Send + 'static>(
    app: &Arc<App>,
    request: Signed<T>,
    of: impl Fn(&T) -> (TerminalId, Epoch),
) -> Result<(Verified<T>, PublicKey), Refused> {
    let named = of(&request.peek()?);
    let key = key_of(app, named).await?;
    let fund = app.context.fund;
    let verified = app.workers.run(move || Ok(request.verify(&key, fund)?)).await?;
    Ok((verified, key))
}

async fn key_of(app: &App, (terminal, epoch): (TerminalId, Epoch)) -> Result<PublicKey, Refused> {
    if let Some(key) = app.keys.get((terminal, epoch)) {
        return Ok(key);
    }
    let found = app.store.call(Lane::Sync, move |tx| tx.terminal_key(terminal, epoch)).await?;
    app.keys.insert((terminal, epoch), found.key);
    Ok(found.key)
}
