//! Enrolment: the terminal makes its key, proves the code, and pins the fund's root key.
//!
//! The key is written down before anything is sent, so that a try that was cut off is repeated with the same key: the
//! hub then names the same terminal and epoch.

use super::client::{CallError, ClientError, HubClient};
use crate::core::ages::Moment;
use crate::journal::keyfile::{self, KeyFileError, TerminalKeys};
use crate::journal::{self, CreateError, Enrolment};
use cabas_protocol::codec::{self, CodecError};
use cabas_protocol::enrol::{BadCode, Code, CodeKeys, EnrolAnswer, EnrolRequest, WrongCode};
use cabas_protocol::head::{HeadContext, ObjectType};
use cabas_protocol::keys::HubKeys;
use cabas_protocol::refusal::Refusal;
use cabas_protocol::sign::SignError;
use cabas_protocol::{Epoch, FundId, Incarnation, RefusalCode, RequestId, Signed, Signer, TerminalId, TimeEpoch};
use ring::rand::{SecureRandom as _, SystemRandom};
use std::path::Path;
use std::time::Duration;
use zeroize::{Zeroize as _, Zeroizing};

/// Where a key waits for the hub's answer.
const PENDING_FILE: &str = "enrolment.pending";
/// How long the hub may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Why a terminal could not be enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The code.
    #[error(transparent)]
    BadCode(#[from] BadCode),
    /// The address of the hub.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The files.
    #[error(transparent)]
    Files(#[from] KeyFileError),
    /// The journal.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// No randomness.
    #[error("the system gives no random numbers")]
    Random,
    /// The call.
    #[error("{0}; run the same command again")]
    Call(#[from] CallError),
    /// The hub said no. Nothing vouches for it yet: whoever answered may not be the hub.
    #[error("{}", .0.text())]
    Refused(RefusalCode),
    /// The answer is not one.
    #[error("what answered (status {status}) is not a hub: {source}; check the address")]
    NotAHub {
        /// Its HTTP status.
        status: u16,
        /// What is wrong with the answer.
        #[source]
        source: SignError,
    },
    /// Whoever answered does not know the code.
    #[error("whoever answered does not know the code: it is not the fund's hub, or the code is wrong")]
    NotProven(#[from] WrongCode),
    /// The answer contradicts itself.
    #[error("the hub's answer is not vouched for by its root key: {0}")]
    NotVouched(#[source] SignError),
    /// The answer belongs to another request.
    #[error("the hub answered another request; run the same command again")]
    OtherRequest,
}

/// What an enrolment brought.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Enrolled {
    /// The fund.
    pub fund: FundId,
    /// The terminal.
    pub terminal: TerminalId,
    /// Its enrolment.
    pub epoch: Epoch,
    /// The root key that is pinned.
    pub root: cabas_protocol::PublicKey,
}

/// A key that waits for the hub's answer.
#[derive(minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
struct Pending {
    #[n(0)]
    locator: String,
    #[cbor(n(1), with = "minicbor::bytes")]
    seed: [u8; 32],
    #[n(2)]
    nonce: RequestId,
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.seed.zeroize();
    }
}

/// Enrols the terminal whose files lie in `folder`.
///
/// # Errors
/// [`EnrolError`] says what went wrong and what to do.
pub async fn enrol(
    folder: &Path,
    client: &HubClient,
    hub_url: &str,
    code: &str,
    now: Moment,
) -> Result<Enrolled, EnrolError> {
    let code = Code::parse(code)?;
    let pending = pending(&folder.join(PENDING_FILE), &code)?;
    let signer = Signer::from_seed(&pending.seed).map_err(|_| EnrolError::Random)?;
    let keys = code.keys();
    let request = request(&signer, &pending, &keys);
    let exchange = client.exchange::<EnrolRequest, EnrolAnswer>("/v1/enrol", &request);
    let exchanged = tokio::time::timeout(TIMEOUT, exchange).await.map_err(|_| CallError::TimedOut)?;
    let (status, body) = exchanged?;
    let not_a_hub = |source| EnrolError::NotAHub { status, source };
    if status != 200 {
        let refusal = Signed::<Refusal>::from_bytes(body).map_err(|error| not_a_hub(error.into()))?;
        return Err(EnrolError::Refused(refusal.peek().map_err(not_a_hub)?.code));
    }
    let answer = Signed::<EnrolAnswer>::from_bytes(body).map_err(|error| not_a_hub(error.into()))?;
    let claimed = answer.peek().map_err(not_a_hub)?;
    let checked = check(&request, &answer, &claimed, &keys)?;
    let secrets = keys.open(&request.hash(), &checked.sealed)?;
    let enrolled =
        Enrolled { fund: checked.head.fund, terminal: checked.terminal, epoch: checked.epoch, root: checked.root };
    let terminal_keys = TerminalKeys::new(&pending.seed, secrets);
    let enrolment = Enrolment { request, answer, keys: terminal_keys, hub_url: hub_url.to_owned() };
    journal::create(folder, &enrolment, now)?;
    let pending_file = folder.join(PENDING_FILE);
    std::fs::remove_file(&pending_file).map_err(|source| KeyFileError::Io { path: pending_file, source })?;
    Ok(enrolled)
}

/// The key that was made for this code before, or a new one, written down.
fn pending(path: &Path, code: &Code) -> Result<Pending, EnrolError> {
    if path.exists() {
        let bytes = keyfile::read_private(path)?;
        let read: Result<Pending, CodecError> = codec::decode(&bytes, bytes.len());
        match read {
            Ok(pending) if pending.locator == code.locator() => return Ok(pending),
            Ok(_) | Err(_) => {}
        }
    }
    let mut pending = Pending { locator: code.locator().to_owned(), seed: [0; 32], nonce: RequestId::new([0; 8]) };
    let mut nonce = [0; 8];
    let random = SystemRandom::new();
    random.fill(&mut pending.seed).and_then(|()| random.fill(&mut nonce)).map_err(|_| EnrolError::Random)?;
    pending.nonce = RequestId::new(nonce);
    keyfile::write_private(path, &Zeroizing::new(codec::encode(&pending)))?;
    Ok(pending)
}

fn request(signer: &Signer, pending: &Pending, keys: &CodeKeys) -> Signed<EnrolRequest> {
    let nobody =
        HeadContext { fund: EnrolRequest::NO_FUND, incarnation: Incarnation::new(0), time_epoch: TimeEpoch::new(0) };
    signer.sign(&EnrolRequest {
        head: nobody.head(ObjectType::EnrolRequest),
        locator: pending.locator.clone(),
        key: *signer.public(),
        nonce: pending.nonce,
        proof: keys.prove_terminal(signer.public(), pending.nonce),
        program: String::from(crate::stamp::version()),
    })
}

/// The hub proves that it knows the code; its root key vouches for the key that signed the answer.
fn check(
    request: &Signed<EnrolRequest>,
    answer: &Signed<EnrolAnswer>,
    claimed: &EnrolAnswer,
    keys: &CodeKeys,
) -> Result<EnrolAnswer, EnrolError> {
    if claimed.request != request.hash() {
        return Err(EnrolError::OtherRequest);
    }
    keys.check_hub(&request.hash(), claimed.head.fund, &claimed.root, &claimed.proof)?;
    let mut hub_keys = HubKeys::new(claimed.head.fund, claimed.root);
    for cert in &claimed.certs {
        let cert = Signed::from_bytes(cert.to_vec()).map_err(|error| EnrolError::NotVouched(error.into()))?;
        hub_keys.certify(&cert).map_err(EnrolError::NotVouched)?;
    }
    Ok(hub_keys.verify(answer).map_err(EnrolError::NotVouched)?.into_payload())
}
