//! `POST /v1/card-session`: the hub speaks with a card that lies at a terminal, where an admin allowed it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use cabas_card::identity;
use cabas_card::issue::{self, CardKeys, Renewal, Renewed, State as CardState};
use cabas_card::layout::{Purpose, card_key};
use cabas_card::tmac::UID_BYTES;
use cabas_card::{CardError, Exchange, Key};
use cabas_protocol::card_session::{CardSessionAnswer, CardSessionRequest, FAILED};
use cabas_protocol::head::ObjectType;
use cabas_protocol::row::Tier;
use cabas_protocol::{PurseRef, RefusalCode, RequestId, Signed, TerminalId};
use ring::hmac;

use super::{message, terminal};
use crate::app::App;
use crate::card_relay::{Next, RelayError};
use crate::card_witness::MAC_KEY_VERSION;
use crate::error::Refused;
use crate::keys::{HubSecrets, random};
use crate::store::{CardPlan, CardVerb, Lane, StoreError, Tx};

/// Speaks with a card, one APDU a call.
pub async fn card_session(State(app): State<Arc<App>>, request: Request) -> Response {
    message::answer(&app, request, handle).await
}

/// What a dialogue came to: which card, what was done, the versions of the keys that it has, what it committed.
#[derive(Clone, Eq, PartialEq)]
pub struct CardOutcome {
    verb: CardVerb,
    number: u32,
    uid: [u8; UID_BYTES],
    result: Result<Renewed, CardError>,
}

/// The UID is hidden.
impl std::fmt::Debug for CardOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CardOutcome({:?} card {}, [REDACTED])", self.verb, self.number)
    }
}

/// What comes back to the terminal.
enum Reply {
    Apdu(Vec<u8>),
    Note(String),
}

async fn handle(app: Arc<App>, request: Signed<CardSessionRequest>) -> Result<Signed<CardSessionAnswer>, Refused> {
    let request =
        terminal::verified(&app, request, |asked| (asked.terminal, asked.epoch), |request, _| Ok(request)).await?;
    let asked = request.payload();
    let (terminal, epoch, session, step) = (asked.terminal, asked.epoch, asked.session, asked.step);
    let answers: Vec<Vec<u8>> = asked.answers.iter().map(|answer| answer.to_vec()).collect();
    app.ledger(move |tx| tx.may_hold_cards(terminal, epoch)).await?.then_some(()).ok_or(RefusalCode::Revoked)?;
    let reply = if step == 0 {
        begin(&app, (terminal, session), &answers).await?
    } else {
        let answer = answers.into_iter().next().unwrap_or_default();
        let next = app.cards.go_on((terminal, session), step, answer).await;
        over(&app, terminal, next).await?
    };
    let (apdus, note) = match reply {
        Reply::Apdu(apdu) => (vec![apdu.into()], None),
        Reply::Note(note) => (Vec::new(), Some(note)),
    };
    let confirmed = app.ledger(move |tx| Ok(tx.terminal_key(terminal, epoch)?.keys_confirmed)).await?;
    let signer = app.secrets.signers.of_terminal(confirmed)?;
    let head = app.context.head(ObjectType::CardSessionAnswer);
    let done = note.is_some();
    Ok(signer.sign(&CardSessionAnswer { head, request: request.hash(), session, step, apdus, done, note }))
}

/// Looks what is asked and allowed, and begins the dialogue.
async fn begin(app: &Arc<App>, key: (TerminalId, RequestId), answers: &[Vec<u8>]) -> Result<Reply, Refused> {
    let bad = || Refused::new(RefusalCode::Malformed, "a card session begins with a UID of 7 bytes and a command");
    let [uid, words] = answers else { return Err(bad()) };
    let uid: [u8; UID_BYTES] = uid.as_slice().try_into().map_err(|_| bad())?;
    let (verb, number) = std::str::from_utf8(words).ok().and_then(command).ok_or_else(bad)?;
    let (terminal, now) = (key.0, app.clock.now());
    let card = app.secrets.card_key.card_ref(&uid);
    let purse = PurseRef::new(*random::<{ PurseRef::LEN }>().map_err(|_| RefusalCode::Internal)?);
    let plan =
        move |tx: &mut Tx<'_>| Ok((tx.card_plan((terminal, verb, number), card, purse, now)?, tx.signing_keys()?));
    let (plan, keys) = match app.store.call(Lane::Sync, plan).await {
        Ok(planned) => planned,
        Err(refused @ (StoreError::CardSession(_) | StoreError::CardTaken { .. } | StoreError::Restoring(_))) => {
            return Ok(Reply::Note(format!("{FAILED}{refused}")));
        }
        Err(error) => return Err(error.into()),
    };
    app.secrets.signers.update(&keys);
    let balance = match &plan.balance {
        Some(balance) => {
            let signed = app.secrets.signers.of_terminal(0)?.sign(balance);
            let kept = signed.clone();
            app.ledger(move |tx| tx.card_envelope(&kept)).await?;
            signed.into_bytes()
        }
        None => Vec::new(),
    };
    let seed = random::<32>().map_err(|_| RefusalCode::Internal)?;
    let master = app.secrets.purse_master();
    let talk = move |card: &mut dyn Exchange| CardOutcome {
        verb,
        number,
        uid,
        result: Dialogue { master, uid, plan, balance }.talk(card, verb, *seed),
    };
    tracing::info!(terminal.id = %terminal, card.number = number, ?verb, "a card session begins");
    over(app, terminal, app.cards.begin(key, talk).await).await
}

pub(super) fn command(words: &str) -> Option<(CardVerb, u32)> {
    let (verb, number) = words.split_once(' ')?;
    let verb = match verb {
        "issue" => CardVerb::Issue,
        "retire" => CardVerb::Retire,
        "renew" => CardVerb::Renew,
        _ => return None,
    };
    Some((verb, number.parse().ok()?))
}

/// What a dialogue works with.
pub(super) struct Dialogue {
    pub(super) master: Key,
    pub(super) uid: [u8; UID_BYTES],
    pub(super) plan: CardPlan,
    pub(super) balance: Vec<u8>,
}

impl Dialogue {
    /// Speaks with the card.
    pub(super) fn talk(&self, card: &mut dyn Exchange, verb: CardVerb, seed: [u8; 32]) -> Result<Renewed, CardError> {
        let random = &mut draw(seed);
        if self.plan.tier == Tier::Identity {
            talk_to_identity(card, verb, self, random)
        } else {
            talk(card, verb, self, random)
        }
    }

    fn key(&self, purpose: Purpose, version: u8) -> Result<Key, CardError> {
        card_key(&self.master, &self.uid, purpose, version)
    }

    fn keys(&self) -> Result<CardKeys, CardError> {
        let slots = self
            .plan
            .due
            .iter()
            .map(|(slot, version)| Ok((self.key(Purpose::Application(*slot), *version)?, *version)));
        Ok(CardKeys {
            hub: (self.key(Purpose::Application(0), 1)?, 1),
            slots: slots.collect::<Result<_, CardError>>()?,
            transaction_mac: (self.key(Purpose::TransactionMac, MAC_KEY_VERSION)?, MAC_KEY_VERSION),
        })
    }
}

/// Speaks with the card. What was done before is not done again, so the whole can be repeated.
fn talk(
    card: &mut dyn Exchange,
    verb: CardVerb,
    with: &Dialogue,
    random: &mut dyn FnMut() -> [u8; 16],
) -> Result<Renewed, CardError> {
    let keys = with.keys()?;
    let hub = &keys.hub.0;
    let state = issue::state(card, hub, random)?;
    let blank = Renewed { committed: None, versions: Vec::new() };
    match (verb, state) {
        (_, CardState::Strange) => Err(CardError::Range("another hub's card")),
        (CardVerb::Issue | CardVerb::Renew, CardState::Issued) => renew(card, with, &keys, random),
        (CardVerb::Issue, CardState::Blank | CardState::Begun) if with.plan.was_issued => {
            Err(CardError::Range("a card that was issued before and has been erased: block it, and issue another one"))
        }
        (CardVerb::Issue, CardState::Blank | CardState::Begun) => {
            let committed = issue::issue(card, &keys, &with.balance, random)?;
            Ok(Renewed { committed: Some(committed), versions: with.plan.due.clone() })
        }
        (CardVerb::Retire, CardState::Blank) => Ok(blank),
        (CardVerb::Retire, CardState::Issued) => issue::retire(card, hub, random).map(|()| blank),
        (CardVerb::Retire | CardVerb::Renew, CardState::Begun) | (CardVerb::Renew, CardState::Blank) => {
            Err(CardError::Range("a card that is not issued"))
        }
    }
}

/// The same with a card that only proves who it is.
fn talk_to_identity(
    card: &mut dyn Exchange,
    verb: CardVerb,
    with: &Dialogue,
    random: &mut dyn FnMut() -> [u8; 16],
) -> Result<Renewed, CardError> {
    let keys = |number, version| identity::card_key(&with.master, &with.uid, number, version);
    let (hub, due) = (keys(identity::HUB_KEY, 1)?, with.plan.due.as_slice());
    let with_keys = |versions| Renewed { committed: None, versions };
    match (verb, identity::state(card, &hub, random)?) {
        (_, CardState::Strange) => Err(CardError::Range("another hub's card")),
        (CardVerb::Issue | CardVerb::Renew, CardState::Issued) => {
            identity::rekey(card, &keys, due, &hub, random).map(with_keys)
        }
        (CardVerb::Issue, CardState::Blank | CardState::Begun) => {
            identity::issue(card, &keys, due, &(hub, 1), random).map(with_keys)
        }
        (CardVerb::Retire, CardState::Blank | CardState::Begun) => Ok(with_keys(Vec::new())),
        (CardVerb::Retire, CardState::Issued) => {
            identity::retire(card, &keys, &hub, random).map(|()| with_keys(Vec::new()))
        }
        (CardVerb::Renew, CardState::Blank | CardState::Begun) => Err(CardError::Range("a card that is not issued")),
    }
}

/// Gives the card the newest balance, and each slot the key that is due.
fn renew(
    card: &mut dyn Exchange,
    with: &Dialogue,
    keys: &CardKeys,
    random: &mut dyn FnMut() -> [u8; 16],
) -> Result<Renewed, CardError> {
    let renewal = Renewal {
        uid: &with.uid,
        hub: &keys.hub.0,
        transaction_mac: &keys.transaction_mac.0,
        balance: with.plan.balance.is_some().then_some(with.balance.as_slice()),
        due: &with.plan.due,
    };
    issue::renew(card, &renewal, &|slot, version| with.key(Purpose::Application(slot), version), random)
}

/// Numbers that nobody foresees, out of a seed that is drawn once.
fn draw(seed: [u8; 32]) -> impl FnMut() -> [u8; 16] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &seed);
    let mut next = 0_u64;
    move || {
        next = next.wrapping_add(1);
        let tag = hmac::sign(&key, &next.to_be_bytes());
        tag.as_ref().first_chunk().copied().unwrap_or_default()
    }
}

/// Books what a dialogue came to where it is over.
async fn over(
    app: &Arc<App>,
    terminal: TerminalId,
    next: Result<Next<CardOutcome>, RelayError>,
) -> Result<Reply, Refused> {
    let outcome = match next {
        Ok(Next::Apdu(apdu)) => return Ok(Reply::Apdu(apdu)),
        Ok(Next::Done(outcome)) => outcome,
        Err(error) => return Ok(Reply::Note(format!("{FAILED}{error}"))),
    };
    let CardOutcome { verb, number, uid, result } = outcome;
    let renewed = match result {
        Ok(renewed) => renewed,
        Err(error) => {
            tracing::warn!(terminal.id = %terminal, card.number = number, %error, "a card session failed");
            return Ok(Reply::Note(format!("{FAILED}card {number}: {error}; present it again and repeat")));
        }
    };
    let sealed = app.secrets.seal_uid(&uid).map_err(|_| RefusalCode::Internal)?;
    let now = app.clock.now();
    let done = move |tx: &mut Tx<'_>| tx.card_done((terminal, verb, number), &sealed, &renewed, now);
    app.store.call(Lane::Sync, done).await?;
    tracing::info!(terminal.id = %terminal, card.number = number, ?verb, "a card session is done");
    Ok(Reply::Note(match verb {
        CardVerb::Issue => format!("card {number} is issued"),
        CardVerb::Retire => format!("card {number} is blank and blocked"),
        CardVerb::Renew => format!("card {number} has the newest balance and keys"),
    }))
}

impl HubSecrets {
    /// The key by which a shop speaks with a card; nothing where the card was sealed by another hub.
    #[must_use]
    pub fn slot_key(&self, tier: Tier, uid_sealed: &[u8], slot: u8, version: u8) -> Option<Key> {
        let uid = self.open_uid(uid_sealed)?;
        if tier == Tier::Identity {
            return identity::card_key(&self.purse_master(), &uid, slot, version).ok();
        }
        card_key(&self.purse_master(), &uid, Purpose::Application(slot), version).ok()
    }
}
