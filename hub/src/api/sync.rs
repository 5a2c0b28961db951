//! `POST /v1/sync`: takes rows, gives news, and waits for news where there is none.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::Response;
use cabas_protocol::chain::ChainId;
use cabas_protocol::head::{HeadContext, ObjectType};
use cabas_protocol::keys::SlotKey;
use cabas_protocol::sync::{OBJECTS_MAX, Standing, SyncAnswer, SyncRequest};
use cabas_protocol::{ChainHead, Hash, PublicKey, Scope, Seq, Signed, SignedBalance, Signer, Timestamp, Verified};
use minicbor::bytes::ByteVec;

use super::waiting::Poll;
use super::{message, terminal};
use crate::app::App;
use crate::clock::Stopwatch;
use crate::core::ingest::{Upload, prepare};
use crate::core::signing::SigningKey;
use crate::error::Refused;
use crate::keys::HubSecrets;
use crate::store::{
    Contact, Deliverable, HandBack, IngestOutcome, News, NewsLimits, SlotKeyOrder, StoreError, TerminalKey, Tx,
};

/// Bytes of objects in one answer: leaves room for what is around them.
const ANSWER_OBJECT_BYTES_MAX: usize = 224 * 1024;
const LIMITS: NewsLimits = NewsLimits { objects_max: OBJECTS_MAX, bytes_max: ANSWER_OBJECT_BYTES_MAX };
/// Objects that are signed where the connection is served; more of them go to the workers.
const SIGNED_AT_ONCE_MAX: usize = 4;

/// Takes rows and gives news.
pub async fn sync(State(app): State<Arc<App>>, request: Request) -> Response {
    message::answer(&app, request, handle).await
}

/// What a request asks, its rows apart.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) hash: Hash,
    pub(super) contact: Contact,
    wait: Duration,
    pub(super) handed: Option<HandBack>,
}

/// What the hub has for the terminal.
#[derive(Debug)]
pub(super) struct Found {
    standing: Standing,
    acked: ChainHead,
    backed_up: Seq,
    want_held: bool,
    want_list: bool,
    pub(super) keys: Vec<SigningKey>,
    pub(super) keys_confirmed: u64,
    news: News,
}

async fn handle(app: Arc<App>, request: Signed<SyncRequest>) -> Result<Signed<SyncAnswer>, Refused> {
    let started = Stopwatch::start();
    let context = app.context;
    let read = move |request, key| read(context, request, key);
    let (mut asked, upload) = terminal::verified(&app, request, |asked| (asked.terminal, asked.epoch), read).await?;
    let handed = asked.handed.take();
    let waits = upload.is_none() && handed.is_none() && !asked.wait.is_zero();
    // Enlisted before the first look: what changes after it wakes the poll.
    let poll = if waits { app.waiting.enlist(asked.contact.terminal) } else { None };
    let mut found = exchange(&app, &asked, handed, upload).await?;
    app.metrics.synced(started);
    if let Some(poll) = poll {
        found = wait(&app, &asked, &poll, found).await?;
    }
    sign(&app, asked.hash, found).await
}

/// Checks the rows; a request without any has nothing to check.
pub(super) fn read(
    context: HeadContext,
    request: Verified<SyncRequest>,
    key: PublicKey,
) -> Result<(Asked, Option<Upload>), Refused> {
    let hash = request.hash();
    let mut request = request.into_payload();
    let chain = ChainId { fund: context.fund, terminal: request.terminal, epoch: request.epoch };
    let incarnation = request.head.incarnation;
    // Numbers of another life of the hub say nothing in this one.
    let cursor = if incarnation == context.incarnation { request.cursor } else { 0 };
    let status = request.status.clone();
    let contact = Contact { terminal: request.terminal, epoch: request.epoch, status, cursor };
    // What is handed back without having been asked for in this life says nothing of what else there is.
    let balances: Vec<Vec<u8>> = std::mem::take(&mut request.held).into_iter().map(Into::into).collect();
    let handed = HandBack { balances, list: request.held_list.take(), is_end: request.held_end };
    let handed = Some(handed).filter(|handed| incarnation == context.incarnation && *handed != HandBack::default());
    let asked = Asked { hash, contact, wait: Duration::from_millis(u64::from(request.wait_ms)), handed };
    if request.rows.is_empty() {
        return Ok((asked, None));
    }
    let prepared = prepare(chain, &key, incarnation, request)?;
    if prepared.not_authentic() > 0 {
        let count = prepared.not_authentic();
        tracing::warn!(terminal.id = chain.terminal.get(), rows.count = count, "rows that are not the terminal's own");
    }
    Ok((asked, Some(prepared)))
}

/// Takes the rows and looks for news, in one transaction.
async fn exchange(
    app: &Arc<App>,
    asked: &Asked,
    handed: Option<HandBack>,
    upload: Option<Upload>,
) -> Result<Found, Refused> {
    let now = app.clock.now();
    let (contact, shared) = (asked.contact.clone(), Arc::clone(app));
    let take = move |tx: &mut Tx<'_>| take(tx, (&contact, handed.as_ref(), upload.as_ref()), &shared.secrets, now);
    let (found, ingested) = app.ledger(take).await?;
    if let Some(ingested) = &ingested {
        count(app, asked, ingested);
    }
    Ok(found)
}

/// Takes what was sent, what was handed back before the rows, and looks for news.
pub(super) fn take(
    tx: &mut Tx<'_>,
    (contact, handed, upload): (&Contact, Option<&HandBack>, Option<&Upload>),
    secrets: &HubSecrets,
    now: Timestamp,
) -> Result<(Found, Option<IngestOutcome>), StoreError> {
    if let Some(handed) = handed {
        tx.take_held(contact.terminal, contact.epoch, handed, now)?;
    }
    let ingested = upload.map(|upload| tx.ingest(upload, secrets, now)).transpose()?;
    tx.contact(contact, now)?;
    Ok((look(tx, contact, handed.is_none(), now)?, ingested))
}

fn look(tx: &mut Tx<'_>, asked: &Contact, begins: bool, now: Timestamp) -> Result<Found, StoreError> {
    let terminal = tx.terminal_key(asked.terminal, asked.epoch)?;
    let news = tx.news(asked.terminal, asked.epoch, asked.cursor, LIMITS, now)?;
    let keys = tx.signing_keys()?;
    let keys_confirmed = tx.keys_confirmed(asked.terminal, asked.epoch, asked.cursor)?;
    let TerminalKey { standing, acked, backed_up, want_held, .. } = terminal;
    let want_list = tx.wants_list(asked.terminal, asked.epoch, begins)?;
    Ok(Found { standing, acked, backed_up, want_held, want_list, keys, keys_confirmed, news })
}

fn count(app: &App, asked: &Asked, ingested: &IngestOutcome) {
    app.metrics.rows.inc_by(u64::from(ingested.new_rows).saturating_add(u64::from(ingested.disputed_rows)));
    app.metrics.over_right_cents.inc_by(ingested.over_right.get());
    app.metrics.disputed_rows.inc_by(u64::from(ingested.disputed_rows));
    if !ingested.alarms.is_empty() {
        let (terminal, epoch) = (asked.contact.terminal.get(), asked.contact.epoch.get());
        let alarms = &ingested.alarms;
        tracing::error!(terminal.id = terminal, terminal.epoch = epoch, ?alarms, "a journal needs a person's eyes");
    }
}

/// Waits until there is something to say, the time is up, or the hub stops.
async fn wait(app: &App, asked: &Asked, poll: &Poll, mut found: Found) -> Result<Found, Refused> {
    let deadline = tokio::time::Instant::from_std(Stopwatch::start().after(asked.wait));
    let standing = found.standing;
    let quiet = |found: &Found| found.news.items.is_empty() && !found.news.more && !found.want_held;
    while quiet(&found) && found.standing == standing && !app.waiting.is_closed() {
        if tokio::time::timeout_at(deadline, poll.woken()).await.is_err() {
            break;
        }
        let now = app.clock.now();
        let contact = asked.contact.clone();
        if let Some(changed) = app.ledger(move |tx| look_again(tx, &contact, standing, now)).await? {
            found = changed;
        }
    }
    Ok(found)
}

/// Many are woken at once, and most of them for nothing: it costs little to see that.
fn look_again(
    tx: &mut Tx<'_>,
    asked: &Contact,
    standing: Standing,
    now: Timestamp,
) -> Result<Option<Found>, StoreError> {
    let unchanged = tx.terminal_key(asked.terminal, asked.epoch)?.standing == standing;
    if unchanged && !tx.has_news(asked.terminal, asked.epoch, asked.cursor, now)? {
        return Ok(None);
    }
    look(tx, asked, false, now).map(Some)
}

async fn sign(app: &Arc<App>, request: Hash, found: Found) -> Result<Signed<SyncAnswer>, Refused> {
    app.secrets.signers.update(&found.keys);
    let signer = app.secrets.signers.of_terminal(found.keys_confirmed)?;
    let time = app.clock.now();
    let shared = Arc::clone(app);
    let few = found.news.items.len() <= SIGNED_AT_ONCE_MAX;
    let make = move || make((&shared.secrets, shared.context), &signer, (request, time), found);
    let (answer, cards) = if few { make() } else { app.workers.run(move || Ok(make())).await? };
    if !cards.is_empty() {
        // What a card may carry is kept before it leaves: its proofs are over it.
        app.ledger(move |tx| cards.iter().try_for_each(|balance| tx.card_envelope(balance))).await?;
    }
    Ok(answer)
}

/// Makes the answer, and puts aside the balances that cards may carry.
pub(super) fn make(
    hub: (&HubSecrets, HeadContext),
    signer: &Signer,
    (request, time): (Hash, Timestamp),
    found: Found,
) -> (Signed<SyncAnswer>, Vec<Signed<SignedBalance>>) {
    let Found { standing, acked, backed_up, want_held, want_list, news, .. } = found;
    let mut cards = Vec::new();
    let objects = news.items.into_iter().filter_map(|item| object(hub, signer, item, &mut cards)).collect();
    let answer = SyncAnswer {
        head: hub.1.head(ObjectType::SyncAnswer),
        request,
        time,
        standing,
        acked,
        backed_up,
        cursor: news.cursor,
        more: news.more,
        objects,
        want_held,
        want_list: want_list.then_some(true),
    };
    (signer.sign(&answer), cards)
}

/// Signs a thing; balances of purse cards are put aside too.
fn object(
    (secrets, context): (&HubSecrets, HeadContext),
    signer: &Signer,
    item: Deliverable,
    cards: &mut Vec<Signed<SignedBalance>>,
) -> Option<ByteVec> {
    let bytes = match item {
        Deliverable::KeyCert(cert) => cert.into_bytes(),
        Deliverable::Binding(binding) => signer.sign(&binding).into_bytes(),
        Deliverable::HotList(list) => signer.sign(&list).into_bytes(),
        Deliverable::Policy(policy) => signer.sign(&policy).into_bytes(),
        Deliverable::Grid(grid) => signer.sign(&grid).into_bytes(),
        Deliverable::TerminalConfig(config) => signer.sign(&config).into_bytes(),
        Deliverable::Balance(balance) => {
            let signed = signer.sign(&balance);
            if balance.scope == Scope::Card {
                cards.push(signed.clone());
            }
            signed.into_bytes()
        }
        Deliverable::Recall(recall) => signer.sign(&recall).into_bytes(),
        Deliverable::Refund(decision) => signer.sign(&decision).into_bytes(),
        Deliverable::SlotKey(order) => {
            let key = secrets.slot_key(order.tier, &order.uid_sealed, order.slot, order.version);
            let Some(key) = key else {
                tracing::error!(card = %order.card, "a card's UID was sealed by another hub: issue it anew");
                return None;
            };
            let SlotKeyOrder { terminal, epoch, card, slot, version, oldest, .. } = order;
            let (head, key) = (context.head(ObjectType::SlotKey), (*key.expose()).into());
            signer.sign(&SlotKey { head, terminal, epoch, card, slot, version, key, oldest }).into_bytes()
        }
    };
    Some(bytes.into())
}
