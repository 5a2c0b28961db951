//! One call to the hub: a signed request, a signed answer that names it, and nothing else is believed.
//!
//! A captive portal, a proxy's error page, another fund's hub: all of it is "not reached".

use crate::config::ConfigError;
use cabas_protocol::head::ObjectType;
use cabas_protocol::keys::{HubKeys, KeyCert};
use cabas_protocol::refusal::{Outcome, Refusal};
use cabas_protocol::sign::{ENVELOPE_BYTES_MAX, Payload, SignError, peek_type};
use cabas_protocol::{Hash, RefusalCode, Signed, Verified};
use minicbor::bytes::ByteVec;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What requests and answers are (RFC 9052 §11.1).
const MEDIA_TYPE: &str = "application/cose";
/// How long it may take until the hub's machine answers at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections kept: one for the long poll, one for the customer who does not wait for it.
const IDLE_CONNECTIONS: usize = 2;
/// How long an unused one is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);

/// An answer that names the request that it answers.
pub trait Answer: Payload {
    /// The hash of the request's envelope.
    fn request(&self) -> Hash;

    /// Objects among which certificates may stand.
    fn objects(&self) -> &[ByteVec] {
        &[]
    }
}

impl Answer for cabas_protocol::sync::SyncAnswer {
    fn request(&self) -> Hash {
        self.request
    }

    fn objects(&self) -> &[ByteVec] {
        &self.objects
    }
}

impl Answer for cabas_protocol::extend::ExtendAnswer {
    fn request(&self) -> Hash {
        self.request
    }
}

impl Answer for cabas_protocol::card_session::CardSessionAnswer {
    fn request(&self) -> Hash {
        self.request
    }
}

/// Why a call brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The request never left.
    #[error("the hub could not be reached: {0}")]
    NotSent(#[source] reqwest::Error),
    /// The request may have arrived.
    #[error("the hub did not answer: {0}")]
    Broken(#[source] reqwest::Error),
    /// Something answered that is not the hub.
    #[error("something that is not the hub answered (status {status}): {source}")]
    NotTheHub {
        /// Its HTTP status.
        status: u16,
        /// What is wrong with the answer.
        #[source]
        source: SignError,
    },
    /// The answer is the hub's, but to another request.
    #[error("the answer belongs to another request")]
    OtherRequest,
    /// The answer is longer than any can be.
    #[error("the answer is over {0} bytes")]
    TooLong(usize),
    /// The hub took longer than a customer waits.
    #[error("the hub took too long")]
    TimedOut,
    /// The hub said no.
    #[error("the hub refused: {} ({})", .0.text(), .0.number())]
    Refused(RefusalCode),
}

impl CallError {
    /// Where it leaves the operation.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::NotSent(_) => Outcome::NotSent,
            Self::Broken(_) | Self::NotTheHub { .. } | Self::OtherRequest | Self::TooLong(_) | Self::TimedOut => {
                Outcome::Unknown
            }
            Self::Refused(code) => code.outcome(),
        }
    }

    /// Its name in the local API.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotSent(_) => "not_reached",
            Self::Broken(_) | Self::TimedOut => "no_answer",
            Self::NotTheHub { .. } | Self::OtherRequest | Self::TooLong(_) => "not_the_hub",
            Self::Refused(_) => "refused",
        }
    }
}

/// Why there is no way to the hub.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address.
    #[error(transparent)]
    Address(#[from] ConfigError),
    /// The authority's certificate.
    #[error("hub_ca = {}: {why}", path.display())]
    Authority {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The client.
    #[error("no connection can be made: {0}")]
    Build(#[from] reqwest::Error),
}

/// What answers at the hub's address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reach {
    /// The hub, and it is well.
    Well,
    /// The hub, and it cannot write.
    Ill,
    /// Something else, such as a network that wants a login first.
    NotTheHub,
    /// Something whose certificate is not trusted.
    NotTrusted,
    /// Nothing.
    Not,
}

/// What the hub tells of its health is not longer.
const HEALTH_BYTES_MAX: usize = 4096;

/// True where TLS itself failed, and not the way to the other side.
fn is_about_trust(error: &reqwest::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if error.is::<rustls::Error>() || inner.is_some_and(|inner| inner.is::<rustls::Error>()) {
            return true;
        }
        source = error.source();
    }
    false
}

/// A client of one hub.
#[derive(Clone, Debug)]
pub struct HubClient {
    http: reqwest::Client,
    base: String,
}

impl HubClient {
    /// Makes a client. rustls' provider must be installed.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn new(url: &str, authority: Option<&Path>) -> Result<Self, ClientError> {
        let url = crate::config::hub_url("hub_url", url)?;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("cabas-agent/", env!("CARGO_PKG_VERSION")))
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .tcp_keepalive(Some(Duration::from_secs(30)));
        if let Some(path) = authority {
            let wrong = |why: String| ClientError::Authority { path: path.to_owned(), why };
            let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| wrong(error.to_string()))?;
            if certificates.is_empty() {
                return Err(wrong(String::from("no certificate in it")));
            }
            builder = builder.tls_certs_only(certificates);
        } else if url.scheme() == "http" {
            // On this machine and without TLS: the system's certificates need not be read.
            builder = builder.tls_certs_only([]);
        }
        Ok(Self { http: builder.build()?, base: url.as_str().trim_end_matches('/').to_owned() })
    }

    /// The hub's address, without a slash at its end.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Asks whether the hub is there, without telling it who asks.
    pub async fn reach(&self) -> Reach {
        let mut answer = match self.http.get(format!("{}/health", self.base)).send().await {
            Ok(answer) => answer,
            Err(error) if is_about_trust(&error) => return Reach::NotTrusted,
            Err(_) => return Reach::Not,
        };
        let mut body = Vec::new();
        while let Ok(Some(part)) = answer.chunk().await {
            body.extend_from_slice(&part);
            if body.len() > HEALTH_BYTES_MAX {
                return Reach::NotTheHub;
            }
        }
        let told: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        match told.get("database_writable").and_then(serde_json::Value::as_bool) {
            Some(true) => Reach::Well,
            Some(false) => Reach::Ill,
            None => Reach::NotTheHub,
        }
    }

    /// Sends a request and checks the answer.
    ///
    /// # Errors
    /// [`CallError`], whose [`CallError::outcome`] says whether something may have been done.
    pub async fn call<Q: Payload, A: Answer>(
        &self,
        path: &str,
        request: &Signed<Q>,
        keys: &HubKeys,
        timeout: Duration,
    ) -> Result<Verified<A>, CallError> {
        let exchange = self.exchange::<Q, A>(path, request);
        let Ok(exchanged) = tokio::time::timeout(timeout, exchange).await else { return Err(CallError::TimedOut) };
        let (status, body) = exchanged?;
        read_answer(request, keys, status, body)
    }

    /// Sends a request; what comes back is only bytes.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn exchange<Q: Payload, A: Payload>(
        &self,
        path: &str,
        request: &Signed<Q>,
    ) -> Result<(u16, Vec<u8>), CallError> {
        let sent = self
            .http
            .post(format!("{}{path}", self.base))
            .header(reqwest::header::CONTENT_TYPE, MEDIA_TYPE)
            .body(request.as_bytes().to_vec())
            .send();
        let mut response = sent.await.map_err(|error| {
            let never_left = error.is_connect() || error.is_builder();
            if never_left { CallError::NotSent(error) } else { CallError::Broken(error) }
        })?;
        let max = A::MAX_BYTES.max(Refusal::MAX_BYTES).saturating_add(ENVELOPE_BYTES_MAX);
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(CallError::Broken)? {
            if body.len().saturating_add(part.len()) > max {
                return Err(CallError::TooLong(max));
            }
            body.extend_from_slice(&part);
        }
        Ok((response.status().as_u16(), body))
    }
}

/// What an answer says: it is the hub's and belongs to the request, or nothing of it is believed.
///
/// # Errors
/// [`CallError`].
pub fn read_answer<Q: Payload, A: Answer>(
    request: &Signed<Q>,
    keys: &HubKeys,
    status: u16,
    body: Vec<u8>,
) -> Result<Verified<A>, CallError> {
    let not_the_hub = |source| CallError::NotTheHub { status, source };
    if status != 200 {
        let refusal = signed::<Refusal>(body).and_then(|refusal| keys.verify(&refusal)).map_err(not_the_hub)?;
        let refusal = refusal.into_payload();
        if refusal.request != request.hash() {
            return Err(CallError::OtherRequest);
        }
        tracing::warn!(refusal.code = refusal.code.number(), detail = %refusal.detail, "the hub refused");
        return Err(CallError::Refused(refusal.code));
    }
    let answer = signed::<A>(body).and_then(|answer| verify(keys, &answer)).map_err(not_the_hub)?;
    if answer.payload().request() == request.hash() { Ok(answer) } else { Err(CallError::OtherRequest) }
}

/// Checks an answer. A new key of the hub is taken out of the answer that it signed, where the root vouches for it; nothing
/// else of that answer is looked at before.
fn verify<A: Answer>(keys: &HubKeys, answer: &Signed<A>) -> Result<Verified<A>, SignError> {
    match keys.verify(answer) {
        Err(SignError::UnknownKey(_)) => {
            let mut keys = keys.clone();
            for bytes in answer.peek()?.objects() {
                if matches!(peek_type(bytes), Ok(ObjectType::KeyCert))
                    && let Ok(cert) = signed::<KeyCert>(bytes.to_vec())
                    && let Ok(cert) = keys.certify(&cert)
                {
                    tracing::info!(key = %cert.payload().key.id(), "the root vouches for a key of the hub");
                }
            }
            keys.verify(answer)
        }
        other => other,
    }
}

fn signed<T: Payload>(body: Vec<u8>) -> Result<Signed<T>, SignError> {
    Ok(Signed::from_bytes(body)?)
}
