//! `POST /v1/extend`: a slice is too small, and somebody waits at the counter. Free money comes first; where it does not
//! suffice, terminals that are connected are asked for what they have of it, and a moment is waited for their answer.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::Response;
use cabas_protocol::extend::{ExtendAnswer, ExtendRequest};
use cabas_protocol::head::{HeadContext, ObjectType};
use cabas_protocol::{Hash, PurseRef, Scope, Signed, SignedBalance, TerminalId, Timestamp};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::{message, terminal};
use crate::app::App;
use crate::clock::Stopwatch;
use crate::core::signing::SigningKey;
use crate::error::Refused;
use crate::keys::HubSecrets;
use crate::store::{Lane, Shortfall, StoreError, Tx, Wake};

/// How long other terminals are waited for: with the way there and back it stays below the 1.5 s after which a terminal
/// decides without the hub.
pub const RECALL_WAIT: Duration = Duration::from_millis(1_000);

/// Raises a slice to the level that is asked for, or as far as the money goes.
pub async fn extend(State(app): State<Arc<App>>, request: Request) -> Response {
    message::answer(&app, request, handle).await
}

/// What one try came to.
pub(super) struct Extended {
    pub(super) balance: Option<SignedBalance>,
    pub(super) shortfall: Shortfall,
    keys: Vec<SigningKey>,
    keys_confirmed: u64,
}

async fn handle(app: Arc<App>, request: Signed<ExtendRequest>) -> Result<Signed<ExtendAnswer>, Refused> {
    let request =
        terminal::verified(&app, request, |asked| (asked.terminal, asked.epoch), |request, _| Ok(request)).await?;
    let mut wakes = app.store.wakes();
    let mut extended = once(&app, request.payload(), true).await?;
    let deadline = tokio::time::Instant::from_std(Stopwatch::start().after(RECALL_WAIT));
    while extended.shortfall.recalled > 0 && freed(&mut wakes, request.payload().purse, deadline).await {
        let recalled = extended.shortfall.recalled;
        extended = once(&app, request.payload(), false).await?;
        // Each terminal that was asked answers once.
        let still = if extended.shortfall.short.is_zero() { 0 } else { recalled.saturating_sub(1) };
        extended.shortfall.recalled = still;
    }
    if extended.shortfall.recalled > 0 {
        // Others may have had what came for this sale, and the other way round.
        extended = once(&app, request.payload(), false).await?;
    }
    if extended.shortfall.is_funded {
        app.metrics.refused_though_funded.inc();
    }
    let (answer, of_card) = say((&app.secrets, app.context), (request.hash(), app.clock.now()), extended)?;
    if let Some(signed) = of_card {
        app.store.call(Lane::Counter, move |tx| tx.card_envelope(&signed)).await?;
    }
    Ok(answer)
}

/// Signs what came of it; a balance that a card may carry is given apart too: it is kept before it leaves.
pub(super) fn say(
    (secrets, context): (&HubSecrets, HeadContext),
    (request, time): (Hash, Timestamp),
    extended: Extended,
) -> Result<(Signed<ExtendAnswer>, Option<Signed<SignedBalance>>), Refused> {
    secrets.signers.update(&extended.keys);
    let signer = secrets.signers.of_terminal(extended.keys_confirmed)?;
    let is_of_card = extended.balance.as_ref().is_some_and(|balance| balance.scope == Scope::Card);
    let balance = extended.balance.map(|balance| signer.sign(&balance));
    let of_card = balance.clone().filter(|_| is_of_card);
    let head = context.head(ObjectType::ExtendAnswer);
    let answer = ExtendAnswer { head, request, time, balance: balance.map(|balance| balance.into_bytes().into()) };
    Ok((signer.sign(&answer), of_card))
}

/// Extends as far as free money goes; the first time, others are asked for what is short.
async fn once(app: &App, asked: &ExtendRequest, recalls: bool) -> Result<Extended, StoreError> {
    let now = app.clock.now();
    let connected = if recalls { app.waiting.terminals() } else { Vec::new() };
    let asked = asked.clone();
    let extend = move |tx: &mut Tx<'_>| raise(tx, &asked, &connected, now);
    app.store.call(Lane::Counter, extend).await
}

/// Extends as far as free money goes, and asks those that are connected for what is short.
pub(super) fn raise(
    tx: &mut Tx<'_>,
    asked: &ExtendRequest,
    connected: &[TerminalId],
    now: Timestamp,
) -> Result<Extended, StoreError> {
    let ExtendRequest { terminal, epoch, purse, allowed_at_least: level, .. } = *asked;
    let balance = tx.extend(terminal, epoch, purse, level, now)?;
    let shortfall = tx.recall_for(terminal, epoch, purse, level, connected, now)?;
    let (keys, keys_confirmed) = (tx.signing_keys()?, tx.terminal_key(terminal, epoch)?.keys_confirmed);
    Ok(Extended { balance, shortfall, keys, keys_confirmed })
}

/// Waits until money of a purse came back; false where it did not in time.
async fn freed(wakes: &mut Receiver<Wake>, purse: PurseRef, deadline: tokio::time::Instant) -> bool {
    loop {
        match tokio::time::timeout_at(deadline, wakes.recv()).await {
            Ok(Ok(Wake::Freed(freed))) if freed == purse => return true,
            Ok(Ok(Wake::All | Wake::Terminal(_) | Wake::Freed(_))) => {}
            // Who lags may have missed it.
            Ok(Err(RecvError::Lagged(_))) => return true,
            Ok(Err(RecvError::Closed)) | Err(_) => return false,
        }
    }
}
