//! Which terminal asks: its key is looked up, its signature checked.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use cabas_protocol::sign::Payload;
use cabas_protocol::{Epoch, PublicKey, Signed, TerminalId, Verified};

use crate::app::App;
use crate::error::Refused;

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

/// What one look at a request gives.
enum Looked<T, R, D> {
    Done(R),
    /// The key is not at hand: the request, and what was to be done with it, come back.
    NeedsKey(Signed<T>, D, (TerminalId, Epoch)),
}

/// Checks that the terminal which a request names signed it, and does with it what there is to do beside the threads
/// that serve connections.
///
/// # Errors
/// [`Refused`]: no such terminal, or not its signature, or not of this fund, and what `then` refuses.
pub(super) async fn verified<T, R, D>(
    app: &Arc<App>,
    request: Signed<T>,
    of: fn(&T) -> (TerminalId, Epoch),
    then: D,
) -> Result<R, Refused>
where
    T: Payload + 'static,
    R: Send + 'static,
    D: FnOnce(Verified<T>, PublicKey) -> Result<R, Refused> + Send + 'static,
{
    let fund = app.context.fund;
    let with = Arc::clone(app);
    let look = move || {
        let named = of(&request.peek()?);
        match with.keys.get(named) {
            Some(key) => Ok(Looked::Done(then(request.verify(&key, fund)?, key)?)),
            None => Ok(Looked::NeedsKey(request, then, named)),
        }
    };
    match app.workers.run(look).await? {
        Looked::Done(result) => Ok(result),
        Looked::NeedsKey(request, then, (terminal, epoch)) => {
            let key = app.ledger(move |tx| tx.terminal_key(terminal, epoch)).await?.key;
            app.keys.insert((terminal, epoch), key);
            app.workers.run(move || then(request.verify(&key, fund)?, key)).await
        }
    }
}
