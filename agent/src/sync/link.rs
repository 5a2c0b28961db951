//! One exchange with the hub, start to end: what to send is read from the journal, what comes is verified and stored.

use super::client::{CallError, HubClient};
use super::verify::verify_object;
use crate::clock::Clock;
use crate::core::objects::Alarm;
use crate::journal::{Applied, HeldPage, HubObject, Inbound, JournalError, JournalHandle, State, Unsent};
use cabas_protocol::extend::{ExtendAnswer, ExtendRequest};
use cabas_protocol::head::ObjectType;
use cabas_protocol::keys::HubKeys;
use cabas_protocol::sync::{Standing, SyncAnswer, SyncRequest, TerminalStatus};
use cabas_protocol::{Cents, PurseRef, RefusalCode, RequestId, Signed, SignedBalance, Signer, Verified};
use minicbor::bytes::ByteVec;
use ring::rand::{SecureRandom as _, SystemRandom};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// What an exchange may take beside the time that the hub was asked to wait.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(20);
/// Objects that are verified before others get a turn: at most a few milliseconds on a small machine.
const VERIFIED_AT_ONCE: usize = 8;

/// Why an exchange failed.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The hub.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// No randomness.
    #[error("the system gives no random numbers")]
    Random,
}

/// What an exchange did.
#[derive(Debug)]
pub struct Synced {
    /// What the journal took over.
    pub applied: Applied,
    /// True where the hub has more to send.
    pub more: bool,
    /// True where the hub asks for the balances held.
    pub want_held: bool,
    /// True where it asks for the hot list with them.
    pub want_list: bool,
    /// True where rows were sent and the hub acknowledged none of them.
    pub stuck: bool,
}

/// The way to the hub of this terminal.
#[derive(Debug)]
pub struct HubLink {
    client: HubClient,
    signer: Signer,
    journal: JournalHandle,
    clock: Clock,
    refused_unfunded: AtomicU32,
    /// True where the hub said that it listens to what does not work here.
    pub(super) hears_troubles: AtomicBool,
}

impl HubLink {
    /// Ties a client to a terminal's key and journal.
    #[must_use]
    pub const fn new(client: HubClient, signer: Signer, journal: JournalHandle, clock: Clock) -> Self {
        Self {
            client,
            signer,
            journal,
            clock,
            refused_unfunded: AtomicU32::new(0),
            hears_troubles: AtomicBool::new(false),
        }
    }

    /// The journal.
    #[must_use]
    pub const fn journal(&self) -> &JournalHandle {
        &self.journal
    }

    pub(super) const fn client(&self) -> &HubClient {
        &self.client
    }

    pub(super) const fn signer(&self) -> &Signer {
        &self.signer
    }

    /// The hub's address, without a slash at its end.
    #[must_use]
    pub fn hub_url(&self) -> &str {
        self.client.base()
    }

    /// Counts a sale that was refused though the fund may have had the money.
    pub fn count_refused_unfunded(&self) {
        self.refused_unfunded.fetch_add(1, Ordering::Relaxed);
    }

    /// How many there were since the start.
    #[must_use]
    pub fn refused_unfunded(&self) -> u32 {
        self.refused_unfunded.load(Ordering::Relaxed)
    }

    /// Sends what the hub does not have and takes what it has. `held` is a page of what is held, where the hub asked for it.
    ///
    /// # Errors
    /// [`SyncError`].
    pub async fn sync(&self, unsent: Unsent, held: Option<HeldPage>, wait: Duration) -> Result<Synced, SyncError> {
        let Unsent { base, rows, state } = unsent;
        let sent = rows.len();
        let now = self.clock.now();
        let request = sync_request(Unsent { base, rows, state: Arc::clone(&state) }, held, (now, random_request()?));
        let status = TerminalStatus { refused_unfunded: self.refused_unfunded(), ..request.status };
        let wait_ms = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
        let request = SyncRequest { wait_ms, status, ..request };
        let request = self.signer.sign(&request);
        let timeout = EXCHANGE_TIMEOUT.saturating_add(wait);
        let answer = self.client.call("/v1/sync", &request, &state.keys, timeout).await;
        let answer: Verified<SyncAnswer> = self.note_refusal(answer).await?;
        let SyncAnswer { more, want_held, want_list, .. } = *answer.payload();
        // Before it has seen what is held a restored hub takes no row, and that is no failure.
        let stuck = sent > 0 && answer.payload().acked == base && !want_held;
        let inbound = verify_all(&state, answer).await;
        let now = self.clock.now();
        let applied = self.journal.sync(move |journal| journal.apply(now, &inbound)).await?;
        for alarm in &applied.alarms {
            tracing::error!(%alarm, "somebody at the fund has to look at this");
        }
        Ok(Synced { applied, more, want_held, want_list: want_list == Some(true), stuck })
    }

    /// Asks for a larger slice of a purse, within a time that a customer waits. True where one came, or where what is asked
    /// for lies here by now: the hub tells the long-poll as well, and that may be the first.
    ///
    /// # Errors
    /// [`SyncError`].
    pub async fn extend(
        &self,
        purse: PurseRef,
        allowed_at_least: Cents,
        operation: RequestId,
        timeout: Duration,
    ) -> Result<bool, SyncError> {
        let state = self.journal.published().state;
        let request = self.signer.sign(&ExtendRequest {
            head: state.context().head(ObjectType::ExtendRequest),
            terminal: state.id.terminal,
            epoch: state.id.epoch,
            request: operation,
            purse,
            allowed_at_least,
        });
        let answer: Verified<ExtendAnswer> = self.client.call("/v1/extend", &request, &state.keys, timeout).await?;
        let Some(bytes) = answer.into_payload().balance else { return Ok(false) };
        let Some(balance) = verified_balance(&state.keys, &bytes, purse) else {
            tracing::error!("the hub's answer to an extension holds no balance of that purse");
            return Ok(false);
        };
        let now = self.clock.now();
        let is_enough = balance.1.payload().allowed >= allowed_at_least;
        let applied = self.journal.customer(move |journal| journal.apply_balance(now, balance)).await?;
        for alarm in &applied.alarms {
            tracing::error!(%alarm, "somebody at the fund has to look at this");
        }
        Ok(applied.taken > 0 || is_enough)
    }

    /// A terminal whose right to sell was taken learns it by a refusal too.
    async fn note_refusal<T>(&self, answer: Result<T, CallError>) -> Result<T, SyncError> {
        if let Err(CallError::Refused(code)) = &answer
            && let Some(standing) = standing_of(*code)
        {
            let now = self.clock.now();
            self.journal.sync(move |journal| journal.set_standing(now, standing)).await?;
        }
        Ok(answer?)
    }
}

/// What a terminal asks in an exchange, its nonce and the time given: it does not wait for news.
#[must_use]
pub fn sync_request(
    unsent: Unsent,
    held: Option<HeldPage>,
    (now, nonce): (crate::core::ages::Moment, RequestId),
) -> SyncRequest {
    let Unsent { base, rows, state } = unsent;
    let HeldPage { balances: held, list: held_list, is_end: held_end, .. } = held.unwrap_or_default();
    SyncRequest {
        head: state.context().head(ObjectType::SyncRequest),
        terminal: state.id.terminal,
        epoch: state.id.epoch,
        nonce,
        base,
        rows,
        cursor: state.hub.cursor,
        wait_ms: 0,
        status: TerminalStatus {
            program: String::from(crate::stamp::version()),
            wall: now.wall,
            clock: state.hub.anchor.quality(now),
            hot_list: state.hub.hot_list,
            newest: state.newest.chain.seq,
            refused_unfunded: 0,
        },
        held,
        held_end,
        held_list,
    }
}

/// Where a refusal says how the enrolment stands.
#[must_use]
pub const fn standing_of(code: RefusalCode) -> Option<Standing> {
    match code {
        RefusalCode::Revoked => Some(Standing::Revoked),
        RefusalCode::EpochClosed => Some(Standing::Closed),
        RefusalCode::Quarantined => Some(Standing::Quarantined),
        RefusalCode::Malformed
        | RefusalCode::TooLarge
        | RefusalCode::BadSignature
        | RefusalCode::UnknownTerminal
        | RefusalCode::WrongCode
        | RefusalCode::CodeVoid
        | RefusalCode::CodeExpired
        | RefusalCode::WeakKey
        | RefusalCode::WrongFund
        | RefusalCode::UnsupportedVersion
        | RefusalCode::Busy
        | RefusalCode::Internal
        | RefusalCode::Restoring
        | RefusalCode::NotFound
        | RefusalCode::NotSupported
        | RefusalCode::Unknown(_) => None,
    }
}

/// The balance of a purse in the answer to an extension, where the hub signed it.
#[must_use]
pub fn verified_balance(
    keys: &HubKeys,
    bytes: &ByteVec,
    purse: PurseRef,
) -> Option<(Signed<SignedBalance>, Verified<SignedBalance>)> {
    let signed = Signed::from_bytes(bytes.to_vec()).ok()?;
    let verified: Verified<SignedBalance> = keys.verify(&signed).ok()?;
    (verified.payload().purse == purse).then_some((signed, verified))
}

/// What an answer brought, object by object.
#[derive(Debug)]
pub struct Checked {
    keys: HubKeys,
    objects: Vec<HubObject>,
    alarms: Vec<Alarm>,
}

impl Checked {
    /// Begins with the keys that are known.
    #[must_use]
    pub fn by(keys: &HubKeys) -> Self {
        Self { keys: keys.clone(), objects: Vec::new(), alarms: Vec::new() }
    }

    /// Checks one object; a bad one is an alarm and does not keep the others away.
    pub fn take(&mut self, bytes: &[u8]) {
        match verify_object(&mut self.keys, bytes) {
            Ok(object) => self.objects.push(object),
            Err(error) => self.alarms.push(Alarm::NotGenuine { why: error.to_string() }),
        }
    }

    /// What the journal takes over.
    #[must_use]
    pub fn inbound(self, asked_cursor: u64, answer: Verified<SyncAnswer>) -> Inbound {
        Inbound { asked_cursor, answer, objects: self.objects, alarms: self.alarms }
    }
}

/// Checks every object, and lets others have a turn.
async fn verify_all(state: &Arc<State>, answer: Verified<SyncAnswer>) -> Inbound {
    let mut checked = Checked::by(&state.keys);
    for (index, bytes) in answer.payload().objects.iter().enumerate() {
        checked.take(bytes);
        if index.checked_rem(VERIFIED_AT_ONCE) == Some(0) {
            tokio::task::yield_now().await;
        }
    }
    checked.inbound(state.hub.cursor, answer)
}

/// A new random id.
///
/// # Errors
/// [`SyncError::Random`].
pub(crate) fn random_request() -> Result<RequestId, SyncError> {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).map_err(|_| SyncError::Random)?;
    Ok(RequestId::new(bytes))
}
