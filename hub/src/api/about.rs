//! `POST /v1/about` and `POST /v1/program`: terminal and hub say what they are and can, and a terminal takes the program that
//! it is offered, piece by piece. The hub only hands on what the release key signed; it could not make another.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use cabas_protocol::head::ObjectType;
use cabas_protocol::release::{AboutAnswer, AboutRequest, PieceAnswer, PieceRequest, own_capabilities};
use cabas_protocol::{RefusalCode, Signed};

use super::{message, terminal};
use crate::app::App;
use crate::error::Refused;
use crate::releases;

/// Says what the hub is, and what the terminal is offered.
pub async fn about(State(app): State<Arc<App>>, request: Request) -> Response {
    message::answer(&app, request, say).await
}

/// Gives a piece of the program that the terminal is offered.
pub async fn program(State(app): State<Arc<App>>, request: Request) -> Response {
    message::answer(&app, request, give).await
}

async fn say(app: Arc<App>, request: Signed<AboutRequest>) -> Result<Signed<AboutAnswer>, Refused> {
    let asked =
        terminal::verified(&app, request, |asked| (asked.terminal, asked.epoch), |request, _| Ok(request)).await?;
    let (request, asked, time) = (asked.hash(), asked.into_payload(), app.clock.now());
    let look = move |tx: &mut crate::store::Tx<'_>| {
        let release = tx.about(&asked, time)?;
        let keys_confirmed = tx.terminal_key(asked.terminal, asked.epoch)?.keys_confirmed;
        Ok((release, tx.signing_keys()?, keys_confirmed))
    };
    let (release, keys, keys_confirmed) = app.ledger(look).await?;
    app.secrets.signers.update(&keys);
    let signer = app.secrets.signers.of_terminal(keys_confirmed)?;
    let head = app.context.head(ObjectType::AboutAnswer);
    let program = String::from(env!("CARGO_PKG_VERSION"));
    let release = release.map(Into::into);
    Ok(signer.sign(&AboutAnswer { head, request, time, program, capabilities: own_capabilities(), release }))
}

async fn give(app: Arc<App>, request: Signed<PieceRequest>) -> Result<Signed<PieceAnswer>, Refused> {
    let asked =
        terminal::verified(&app, request, |asked| (asked.terminal, asked.epoch), |request, _| Ok(request)).await?;
    let (request, asked) = (asked.hash(), asked.into_payload());
    let PieceRequest { terminal, epoch, release, from, length, .. } = asked;
    let look = move |tx: &mut crate::store::Tx<'_>| {
        let program = tx.offered_program(terminal, epoch, release)?;
        let keys_confirmed = tx.terminal_key(terminal, epoch)?.keys_confirmed;
        Ok((program, tx.signing_keys()?, keys_confirmed))
    };
    let (program, keys, keys_confirmed) = app.ledger(look).await?;
    let Some(program) = program else { return Err(RefusalCode::NotFound.into()) };
    let dir = app.releases.clone();
    let read = move || {
        releases::piece(&dir, &program.program, from, length).map_err(|error| {
            tracing::error!(%error, "the file of a release cannot be read; add it again: cabas-hub release add");
            Refused::from(RefusalCode::Internal)
        })
    };
    let bytes = app.workers.run(read).await?.into();
    app.secrets.signers.update(&keys);
    let signer = app.secrets.signers.of_terminal(keys_confirmed)?;
    Ok(signer.sign(&PieceAnswer { head: app.context.head(ObjectType::PieceAnswer), request, bytes }))
}
