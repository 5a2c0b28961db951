//! The hub speaks with a card that lies here: this side carries the bytes, and learns no key.

use super::client::{CallError, HubClient};
use crate::card::{Card, CardError, Uid};
use crate::journal::State;
use cabas_protocol::card_session::{CardSessionAnswer, CardSessionRequest};
use cabas_protocol::head::ObjectType;
use cabas_protocol::{RequestId, Signer, Verified};
use ring::rand::{SecureRandom as _, SystemRandom};
use std::time::Duration;

/// How long one step may take: the hub answers at once, or waits for nothing but its ledger.
const STEP_TIMEOUT: Duration = Duration::from_secs(20);
/// Steps of a session at the most: issuing has some forty.
const STEPS_MAX: u32 = 200;

/// Why a session did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum CardSessionError {
    /// The hub.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It asks on and on.
    #[error("the hub asks the card more than {STEPS_MAX} times; nothing goes on")]
    TooLong,
    /// No randomness.
    #[error("the system gives no random numbers")]
    Random,
}

/// Lets the hub do something with the card that lies here; gives what it says at the end.
///
/// # Errors
/// [`CardSessionError`]: what was begun with the card can be done again.
pub async fn relay(
    client: &HubClient,
    signer: &Signer,
    state: &State,
    card: &mut dyn Card,
    (uid, command): (&Uid, &str),
) -> Result<String, CardSessionError> {
    let mut session = [0; RequestId::LEN];
    SystemRandom::new().fill(&mut session).map_err(|_| CardSessionError::Random)?;
    let mut answers = vec![uid.as_bytes().to_vec(), command.as_bytes().to_vec()];
    for step in 0..STEPS_MAX {
        let request = signer.sign(&CardSessionRequest {
            head: state.context().head(ObjectType::CardSessionRequest),
            terminal: state.id.terminal,
            epoch: state.id.epoch,
            session: RequestId::new(session),
            step,
            answers: std::mem::take(&mut answers).into_iter().map(Into::into).collect(),
        });
        let answer: Verified<CardSessionAnswer> =
            client.call("/v1/card-session", &request, &state.keys, STEP_TIMEOUT).await?;
        let answer = answer.into_payload();
        if answer.done {
            return Ok(answer.note.unwrap_or_default());
        }
        let said = answer.apdus.first().map(|apdu| transmit(card, apdu)).unwrap_or_default();
        answers.push(said);
    }
    Err(CardSessionError::TooLong)
}

/// What the card says, with its status; nothing where it left.
fn transmit(card: &mut dyn Card, apdu: &[u8]) -> Vec<u8> {
    match card.transmit(apdu) {
        Ok(answer) => [answer.data.as_slice(), &answer.status.to_be_bytes()].concat(),
        Err(CardError::LinkLost | CardError::Refused(_) | CardError::Foreign) => Vec::new(),
    }
}
