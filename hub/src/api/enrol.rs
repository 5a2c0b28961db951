//! `POST /v1/enrol`: a terminal proves its code and gets an epoch, the root key and its secrets.
//!
//! A wrong proof is counted, durably, before it is answered: whoever asks again after a crash has no more tries for it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use cabas_protocol::enrol::{CodeKeys, EnrolAnswer, EnrolRequest};
use cabas_protocol::head::{HeadContext, ObjectType};
use cabas_protocol::keys::KeyCert;
use cabas_protocol::{PublicKey, RefusalCode, Signed, Timestamp, Verified};

use super::message;
use crate::app::App;
use crate::core::signing::SigningKey;
use crate::error::Refused;
use crate::keys::HubSecrets;
use crate::store::{EnrolRefusal, Enrolled, StoreError, Tx};

/// Enrols a terminal.
pub async fn enrol(State(app): State<Arc<App>>, request: Request) -> Response {
    message::answer(&app, request, handle).await
}

/// What became of a code that the hub knows, or that it does not.
pub(super) enum Outcome {
    Enrolled { enrolled: Enrolled, keys: CodeKeys, certs: Vec<Signed<KeyCert>>, signing: Vec<SigningKey> },
    Refused(EnrolRefusal),
    UnknownCode,
}

async fn handle(app: Arc<App>, request: Signed<EnrolRequest>) -> Result<Signed<EnrolAnswer>, Refused> {
    let verify = move || {
        let key = request.peek()?.key;
        Ok(request.verify(&key, EnrolRequest::NO_FUND)?)
    };
    let request = app.workers.run(verify).await?;
    let now = app.clock.now();
    let asked = request.payload().clone();
    let outcome = app.ledger(move |tx| try_code(tx, &asked, now)).await?;
    match outcome {
        Outcome::Enrolled { enrolled, keys, certs, signing } => {
            let (terminal, epoch) = (enrolled.terminal.get(), enrolled.epoch.get());
            tracing::info!(terminal.id = terminal, terminal.epoch = epoch, "enrolled a terminal");
            app.allocate.notify_one();
            app.secrets.signers.update(&signing);
            answer((&app.secrets, app.context, app.root), &request, enrolled, (&keys, certs), now)
        }
        Outcome::Refused(refusal) => Err(refusal.into()),
        Outcome::UnknownCode if app.unknown_codes.take(now) => Err(EnrolRefusal::WrongCode.into()),
        Outcome::UnknownCode => {
            Err(Refused::new(RefusalCode::Busy, "too many enrolment codes that the hub does not know; wait a minute"))
        }
    }
}

/// One transaction: the code is looked up, the proof checked, and the outcome kept either way.
pub(super) fn try_code(tx: &mut Tx<'_>, asked: &EnrolRequest, now: Timestamp) -> Result<Outcome, StoreError> {
    let Some(code) = tx.enrolment_lookup(&asked.locator)? else { return Ok(Outcome::UnknownCode) };
    if let Err(refusal) = code.usable(&asked.key, now) {
        return Ok(Outcome::Refused(refusal));
    }
    if code.keys.check_terminal(&asked.key, asked.nonce, &asked.proof).is_err() {
        tx.enrolment_try_failed(&asked.locator)?;
        return Ok(Outcome::Refused(EnrolRefusal::WrongCode));
    }
    let enrolled = tx.enrol(&asked.locator, &asked.key, now)?;
    Ok(Outcome::Enrolled { enrolled, keys: code.keys, certs: tx.key_certs()?, signing: tx.signing_keys()? })
}

pub(super) fn answer(
    (secrets_of_hub, context, root): (&HubSecrets, HeadContext, PublicKey),
    request: &Verified<EnrolRequest>,
    enrolled: Enrolled,
    (keys, certs): (&CodeKeys, Vec<Signed<KeyCert>>),
    now: Timestamp,
) -> Result<Signed<EnrolAnswer>, Refused> {
    let hash = request.hash();
    let secrets = secrets_of_hub.of_terminal(enrolled.terminal, enrolled.epoch);
    let signer = secrets_of_hub.signers.of_anybody()?;
    Ok(signer.sign(&EnrolAnswer {
        head: context.head(ObjectType::EnrolAnswer),
        request: hash,
        terminal: enrolled.terminal,
        epoch: enrolled.epoch,
        root,
        certs: certs.into_iter().map(|cert| cert.into_bytes().into()).collect(),
        proof: keys.prove_hub(&hash, context.fund, &root),
        sealed: keys.seal(&hash, &secrets).into(),
        time: now,
    }))
}
