//! `POST /v1/extend`: a slice is too small, and somebody waits at the counter.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use cabas_protocol::Signed;
use cabas_protocol::extend::{ExtendAnswer, ExtendRequest};
use cabas_protocol::head::ObjectType;

use super::{message, terminal};
use crate::app::App;
use crate::error::Refused;
use crate::store::{Lane, Tx};

/// Raises a slice to the level that is asked for, or as far as the money goes.
pub async fn extend(State(app): State<Arc<App>>, request: Request) -> Response {
    message::answer(&app, request, handle).await
}

async fn handle(app: Arc<App>, request: Signed<ExtendRequest>) -> Result<Signed<ExtendAnswer>, Refused> {
    let request =
        terminal::verified(&app, request, |asked| (asked.terminal, asked.epoch), |request, _| Ok(request)).await?;
    let now = app.clock.now();
    let ExtendRequest { terminal, epoch, purse, allowed_at_least, .. } = *request.payload();
    let extend = move |tx: &mut Tx<'_>| {
        let extended = tx.extend(terminal, epoch, purse, allowed_at_least, now)?;
        Ok((extended, tx.signing_keys()?, tx.terminal_key(terminal, epoch)?.keys_confirmed))
    };
    let (extended, keys, confirmed) = app.store.call(Lane::Counter, extend).await?;
    app.secrets.signers.update(&keys);
    let signer = app.secrets.signers.of_terminal(confirmed)?;
    let answer = ExtendAnswer {
        head: app.context.head(ObjectType::ExtendAnswer),
        request: request.hash(),
        time: now,
        balance: extended.map(|balance| signer.sign(&balance).into_bytes().into()),
    };
    Ok(signer.sign(&answer))
}
