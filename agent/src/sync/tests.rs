#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "a failed unwrap is the test's failure"
)]
use super::enrol::{EnrolError, enrol};
use super::*;
use crate::clock::Clock;
use crate::fixture::{CARD_KEY, Fund, HUB_TIME, ask, moment, purse, request};
use crate::journal::keyfile::TerminalKeys;
use crate::journal::{self, FILE, JournalHandle, KEY_FILE, Sold};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::post;
use cabas_protocol::chain::{ChainHead, check_next};
use cabas_protocol::enrol::{Code, EnrolAnswer, EnrolRequest, TerminalSecrets};
use cabas_protocol::extend::{ExtendAnswer, ExtendRequest};
use cabas_protocol::head::ObjectType;
use cabas_protocol::refusal::Refusal;
use cabas_protocol::sync::{HeldList, Standing, SyncRequest};
use cabas_protocol::{Epoch, FundId, Hash, RefusalCode, Row, Signed, Signer, Timestamp};
use minicbor::bytes::ByteVec;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// How the hub of a test behaves.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Mood {
    #[default]
    Well,
    CaptivePortal,
    ErrorPage,
    Elsewhere,
    Refuses(RefusalCode),
    UnsignedRefusal,
    OtherRequest,
    OtherFund,
    UnknownKey,
    TooLong,
}

/// What the hub of a test has.
struct Hub {
    fund: Fund,
    mood: Mood,
    rows: Vec<Signed<Row>>,
    objects: Vec<Vec<u8>>,
    batches: Vec<usize>,
    waits: Vec<u32>,
    cursor: u64,
    code: Option<Code>,
    /// True after a restore: it wants what terminals hold, and takes no row before.
    wants_held: bool,
    held: Vec<(usize, bool)>,
    /// True where it asks for the hot list too; what it was told.
    wants_list: bool,
    lists: Vec<Option<HeldList>>,
    /// What it says once to the last page.
    refuses_page: Option<RefusalCode>,
    never_has_enough: bool,
    signer: [u8; 32],
}

struct Shared {
    hub: Mutex<Hub>,
    news: Notify,
}

type App = Arc<Shared>;

impl Shared {
    fn with<T>(&self, work: impl FnOnce(&mut Hub) -> T) -> T {
        work(&mut self.hub.lock().unwrap())
    }
}

impl Hub {
    fn acked(&self) -> ChainHead {
        let key = *self.fund.signer().public();
        let id =
            cabas_protocol::chain::ChainId { fund: self.fund.id, terminal: self.fund.terminal, epoch: self.fund.epoch };
        self.rows
            .last()
            .map_or_else(|| id.genesis(&key), |row| ChainHead { seq: row.peek().unwrap().seq, hash: row.hash() })
    }

    /// Takes rows as a hub does: only where they continue what it has.
    fn take(&mut self, asked: &SyncRequest) {
        let id =
            cabas_protocol::chain::ChainId { fund: self.fund.id, terminal: self.fund.terminal, epoch: self.fund.epoch };
        if self.wants_held {
            self.held.push((asked.held.len(), asked.held_end));
            self.lists.push(asked.held_list.clone());
            self.wants_held = !asked.held_end || self.never_has_enough;
            if !asked.held_end {
                return;
            }
        }
        for bytes in &asked.rows {
            let signed = Signed::<Row>::from_bytes(bytes.to_vec()).unwrap();
            let row = signed.verify(self.fund.signer().public(), self.fund.id).unwrap();
            if let Some(have) = self.rows.iter().find(|have| have.peek().unwrap().seq == row.payload().seq) {
                assert_eq!(have.hash(), signed.hash(), "a row that came before comes again as it was");
                continue;
            }
            check_next(id, self.acked(), row.payload(), 0).unwrap();
            self.rows.push(signed);
        }
        self.batches.push(asked.rows.len());
        self.waits.push(asked.wait_ms);
    }

    fn answer(&mut self, asked: &SyncRequest, request: Hash) -> Vec<u8> {
        let objects = if asked.cursor < self.cursor { self.objects.clone() } else { vec![] };
        let mut answer = self.fund.answer(self.acked(), objects, HUB_TIME + 60, self.cursor);
        answer.request = request;
        answer.want_held = self.wants_held;
        answer.want_list = (self.wants_held && self.wants_list).then_some(true);
        let mut signer = Signer::from_seed(&self.signer).unwrap();
        match self.mood {
            Mood::OtherRequest => answer.request = Hash::new([1; 32]),
            Mood::OtherFund => answer.head.fund = FundId::new(1),
            Mood::UnknownKey => signer = Signer::from_seed(&[44; 32]).unwrap(),
            _ => {}
        }
        signer.sign(&answer).into_bytes()
    }
}

async fn sync(State(app): State<App>, body: Bytes) -> Response {
    let mood = app.with(|hub| hub.mood);
    match mood {
        Mood::CaptivePortal => return Html("<html>Bienvenue sur le WiFi</html>").into_response(),
        Mood::ErrorPage => return (StatusCode::INTERNAL_SERVER_ERROR, "oops").into_response(),
        Mood::Elsewhere => return Redirect::temporary("/v1/elsewhere").into_response(),
        Mood::TooLong => return vec![0_u8; 2_000_000].into_response(),
        Mood::UnsignedRefusal => return StatusCode::FORBIDDEN.into_response(),
        Mood::Well | Mood::Refuses(_) | Mood::OtherRequest | Mood::OtherFund | Mood::UnknownKey => {}
    }
    let signed = Signed::<SyncRequest>::from_bytes(body.to_vec()).unwrap();
    let hash = signed.hash();
    if let Mood::Refuses(code) = mood {
        return app.with(|hub| refusal(&hub.fund, hash, code));
    }
    let asked = app.with(|hub| signed.verify(hub.fund.signer().public(), hub.fund.id).unwrap().into_payload());
    if asked.held_end
        && let Some(code) = app.with(|hub| hub.refuses_page.take())
    {
        return app.with(|hub| refusal(&hub.fund, hash, code));
    }
    let waits = app.with(|hub| {
        hub.take(&asked);
        asked.rows.is_empty() && asked.cursor >= hub.cursor && !hub.wants_held
    });
    if waits {
        let wait = Duration::from_millis(u64::from(asked.wait_ms));
        drop(tokio::time::timeout(wait, app.news.notified()).await);
    }
    app.with(|hub| hub.answer(&asked, hash)).into_response()
}

fn refusal(fund: &Fund, request: Hash, code: RefusalCode) -> Response {
    let head = fund.context().head(ObjectType::Refusal);
    let refusal = Refusal { head, request, code, detail: String::from("because") };
    let status = StatusCode::from_u16(code.http_status()).unwrap();
    (status, fund.hub.sign(&refusal).into_bytes()).into_response()
}

async fn extend(State(app): State<App>, body: Bytes) -> Response {
    let signed = Signed::<ExtendRequest>::from_bytes(body.to_vec()).unwrap();
    let hash = signed.hash();
    app.with(|hub| {
        let asked = signed.verify(hub.fund.signer().public(), hub.fund.id).unwrap().into_payload();
        let balance = hub.fund.balance(1, 50, asked.allowed_at_least.get());
        let answer = ExtendAnswer {
            head: hub.fund.context().head(ObjectType::ExtendAnswer),
            request: if hub.mood == Mood::OtherRequest { Hash::new([1; 32]) } else { hash },
            time: Timestamp::new(HUB_TIME),
            balance: (asked.purse == purse(1)).then(|| ByteVec::from(balance.into_bytes())),
        };
        hub.fund.hub.sign(&answer).into_bytes()
    })
    .into_response()
}

async fn enrolment(State(app): State<App>, body: Bytes) -> Response {
    let request = Signed::<EnrolRequest>::from_bytes(body.to_vec()).unwrap();
    let asked = request.peek().unwrap();
    app.with(|hub| {
        let keys = hub.code.as_ref().unwrap().keys();
        if keys.check_terminal(&asked.key, asked.nonce, &asked.proof).is_err() && hub.mood == Mood::Well {
            return refusal(&hub.fund, request.hash(), RefusalCode::WrongCode);
        }
        let fund = &hub.fund;
        let root = if hub.mood == Mood::OtherFund { *fund.hub.public() } else { *fund.root.public() };
        let secrets = TerminalSecrets { card_key: CARD_KEY, record_key: [9; 16] };
        let answer = EnrolAnswer {
            head: fund.context().head(ObjectType::EnrolAnswer),
            request: request.hash(),
            terminal: fund.terminal,
            epoch: fund.epoch,
            root,
            certs: vec![ByteVec::from(fund.cert(&fund.hub).into_bytes())],
            proof: keys.prove_hub(&request.hash(), fund.id, fund.root.public()),
            sealed: ByteVec::from(keys.seal(&request.hash(), &secrets)),
            time: Timestamp::new(HUB_TIME),
        };
        let signer = Signer::from_seed(if hub.mood == Mood::UnknownKey { &[44; 32] } else { &[2; 32] }).unwrap();
        signer.sign(&answer).into_bytes().into_response()
    })
}

/// A hub on a port of its own.
async fn start_hub() -> (App, String) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let fund = Fund::default();
    let objects = fund.first_objects(1000);
    let code = Some(Code::parse("ABCD-EFGH-JKMN").unwrap());
    let hub = Hub {
        fund,
        mood: Mood::Well,
        rows: vec![],
        objects,
        batches: vec![],
        waits: vec![],
        cursor: 9,
        code,
        wants_held: false,
        held: vec![],
        wants_list: false,
        refuses_page: None,
        lists: vec![],
        never_has_enough: false,
        signer: [2; 32],
    };
    let app = Arc::new(Shared { hub: Mutex::new(hub), news: Notify::new() });
    let routes = Router::new()
        .route("/v1/sync", post(sync))
        .route("/v1/extend", post(extend))
        .route("/v1/enrol", post(enrolment))
        .with_state(Arc::clone(&app));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (app, url)
}

fn link(folder: &Path, url: &str) -> (Arc<HubLink>, JournalHandle, Clock) {
    let fund = Fund::default();
    let (handle, _thread) = journal::handle::start(fund.enrolled(folder)).unwrap();
    let clock = Clock::Set(Arc::new(Mutex::new(moment(1, 5))));
    let client = HubClient::new(url, None).unwrap();
    (Arc::new(HubLink::new(client, fund.signer(), handle.clone(), clock.clone())), handle, clock)
}

async fn once(link: &HubLink) -> Result<Synced, SyncError> {
    let unsent = link.journal().sync(journal::Journal::unsent).await.unwrap();
    link.sync(unsent, None, Duration::ZERO).await
}

async fn sell(handle: &JournalHandle, number: u64, amount: u64) -> Sold {
    handle.customer(move |journal| journal.sell(moment(1, 5), &ask(number, 1, amount))).await.unwrap()
}

#[tokio::test]
async fn rows_go_up_and_objects_come_down() {
    let folder = tempfile::tempdir().unwrap();
    let (app, url) = start_hub().await;
    let (link, handle, _) = link(folder.path(), &url);
    let first = once(&link).await.unwrap();
    assert_eq!((first.applied.taken, first.applied.alarms.len()), (5, 0));
    assert!(matches!(sell(&handle, 1, 100).await, Sold::Accepted(_)));
    once(&link).await.unwrap();
    let state = handle.published().state;
    assert_eq!((state.unsent_rows(), state.hub.cursor), (0, 9));
    assert_eq!(app.with(|hub| hub.rows.len()), 4, "Start, ListApplied, Configured, Sale");
    app.with(|hub| hub.rows.truncate(1));
    once(&link).await.unwrap();
    assert_eq!(handle.published().state.unsent_rows(), 3, "a hub that was put back");
    once(&link).await.unwrap();
    assert_eq!((handle.published().state.unsent_rows(), app.with(|hub| hub.rows.len())), (0, 4));
}

#[tokio::test]
async fn what_is_not_the_hubs_answer_to_this_request_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (app, url) = start_hub().await;
    let (link, handle, _) = link(folder.path(), &url);
    for (mood, name) in [
        (Mood::CaptivePortal, "not_the_hub"),
        (Mood::ErrorPage, "not_the_hub"),
        (Mood::Elsewhere, "not_the_hub"),
        (Mood::UnsignedRefusal, "not_the_hub"),
        (Mood::OtherRequest, "not_the_hub"),
        (Mood::OtherFund, "not_the_hub"),
        (Mood::UnknownKey, "not_the_hub"),
        (Mood::TooLong, "not_the_hub"),
        (Mood::Refuses(RefusalCode::Busy), "refused"),
    ] {
        app.with(|hub| {
            hub.mood = mood;
            hub.rows.clear();
        });
        let before = handle.published().state;
        let SyncError::Call(error) = once(&link).await.unwrap_err() else { panic!("{mood:?}") };
        assert_eq!(error.name(), name, "{mood:?}: {error}");
        let after = handle.published().state;
        assert!(Arc::ptr_eq(&before, &after), "{mood:?} changed something");
        assert!(after.policy.is_none());
    }
    app.with(|hub| (hub.mood, hub.rows) = (Mood::Well, vec![]));
    assert_eq!(once(&link).await.unwrap().applied.taken, 5);
}

#[tokio::test]
async fn a_signed_refusal_takes_the_right_to_sell_and_an_answer_gives_it_back() {
    let folder = tempfile::tempdir().unwrap();
    let (app, url) = start_hub().await;
    let (link, handle, _) = link(folder.path(), &url);
    for (code, standing) in [
        (RefusalCode::Revoked, Standing::Revoked),
        (RefusalCode::EpochClosed, Standing::Closed),
        (RefusalCode::Quarantined, Standing::Quarantined),
    ] {
        app.with(|hub| hub.mood = Mood::Refuses(code));
        assert!(once(&link).await.is_err());
        assert_eq!(handle.published().state.hub.standing, standing);
    }
    app.with(|hub| hub.mood = Mood::Well);
    once(&link).await.unwrap();
    assert_eq!(handle.published().state.hub.standing, Standing::Live);
}

#[tokio::test]
async fn a_hub_that_is_off_was_never_asked() {
    let folder = tempfile::tempdir().unwrap();
    drop(rustls::crypto::ring::default_provider().install_default());
    let (link, ..) = link(folder.path(), "http://127.0.0.1:1");
    let SyncError::Call(error) = once(&link).await.unwrap_err() else { panic!() };
    assert_eq!((error.name(), error.outcome()), ("not_reached", cabas_protocol::refusal::Outcome::NotSent));
}

#[tokio::test]
async fn an_object_of_another_fund_is_an_alarm_and_keeps_no_other_away() {
    let folder = tempfile::tempdir().unwrap();
    let (app, url) = start_hub().await;
    let foreign = Fund { id: FundId::new(5), ..Fund::default() };
    app.with(|hub| hub.objects.insert(0, foreign.policy(9).into_bytes()));
    app.with(|hub| hub.objects.insert(0, vec![1, 2, 3]));
    let (link, handle, _) = link(folder.path(), &url);
    let synced = once(&link).await.unwrap();
    assert_eq!((synced.applied.taken, synced.applied.alarms.len()), (5, 2));
    assert_eq!(handle.published().state.alarms.len(), 2);
}

#[tokio::test]
async fn an_extension_raises_the_balance_here() {
    let folder = tempfile::tempdir().unwrap();
    let (app, url) = start_hub().await;
    let (link, handle, _) = link(folder.path(), &url);
    once(&link).await.unwrap();
    assert!(matches!(sell(&handle, 1, 1500).await, Sold::Declined(_)));
    let budget = Duration::from_secs(2);
    let level = crate::fixture::cents(1500);
    assert!(link.extend(purse(1), level, request(1), budget).await.unwrap());
    // The hub tells the long-poll of it too: a balance that came that way first lies here all the same.
    assert!(link.extend(purse(1), level, request(4), budget).await.unwrap(), "it is here, whoever brought it");
    assert!(matches!(sell(&handle, 1, 1500).await, Sold::Accepted(_)));
    assert!(!link.extend(purse(2), level, request(2), budget).await.unwrap(), "the hub has none");
    app.with(|hub| hub.mood = Mood::OtherRequest);
    assert!(link.extend(purse(1), level, request(3), budget).await.is_err());
}

#[tokio::test]
async fn the_loop_pushes_a_sale_though_it_waits_for_news() {
    let folder = tempfile::tempdir().unwrap();
    let (app, url) = start_hub().await;
    let (link, handle, clock) = link(folder.path(), &url);
    let timing = Timing { wait: Duration::from_secs(60), pause_max: Duration::from_secs(1) };
    let (network, mut seen) = watch::channel(Network::default());
    let running = tokio::spawn(run(link, clock, timing, network));
    let mut journal = handle.watch();
    journal.wait_for(|now| now.state.unsent_rows() == 0 && now.state.policy.is_some()).await.unwrap();
    while app.with(|hub| hub.waits.last().copied()) != Some(60_000) {
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for number in 1..=3 {
        assert!(matches!(sell(&handle, number, 10).await, Sold::Accepted(_)));
        let pushed = journal.wait_for(|now| now.state.unsent_rows() == 0);
        tokio::time::timeout(Duration::from_secs(5), pushed).await.unwrap().unwrap();
    }
    assert_eq!(seen.borrow_and_update().state, NetworkState::Online);
    // News wake the poll.
    app.with(|hub| {
        hub.objects = vec![hub.fund.balance(1, 2, 2000).into_bytes()];
        hub.cursor = 10;
    });
    while journal.borrow_and_update().state.hub.cursor != 10 {
        app.news.notify_waiters();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running.abort();
}

#[tokio::test]
async fn batches_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let (app, url) = start_hub().await;
    let (link, handle, _) = link(folder.path(), &url);
    once(&link).await.unwrap();
    for number in 1..=200 {
        assert!(matches!(sell(&handle, number, 1).await, Sold::Accepted(_)));
    }
    app.with(|hub| hub.batches.clear());
    while handle.published().state.unsent_rows() > 0 {
        once(&link).await.unwrap();
    }
    assert_eq!(app.with(|hub| hub.batches.clone()), [64, 64, 64, 10]);
}

#[tokio::test]
async fn an_enrolment_proves_the_code_both_ways_and_is_repeated_with_the_same_key() {
    let folder = tempfile::tempdir().unwrap();
    let (app, url) = start_hub().await;
    let client = HubClient::new(&url, None).unwrap();
    let try_code = async |code: &str| enrol(folder.path(), &client, &url, code, moment(1, 0)).await;
    assert!(matches!(try_code("ABC").await, Err(EnrolError::BadCode(_))));
    let wrong = try_code("ABCD-EFGH-JKMM").await.unwrap_err();
    assert!(matches!(wrong, EnrolError::Refused(RefusalCode::WrongCode)), "{wrong}");
    let pending = std::fs::read(folder.path().join("enrolment.pending")).unwrap();
    for mood in [Mood::OtherFund, Mood::UnknownKey] {
        app.with(|hub| hub.mood = mood);
        let error = try_code("ABCD-EFGH-JKMN").await.unwrap_err();
        assert!(matches!(error, EnrolError::NotProven(_) | EnrolError::NotVouched(_)), "{mood:?}: {error}");
    }
    // An impostor who lets any code in does not know it.
    app.with(|hub| hub.mood = Mood::OtherRequest);
    assert!(matches!(try_code("ABCD-EFGH-JKMM").await, Err(EnrolError::NotProven(_))));
    assert!(!folder.path().join(FILE).exists() && !folder.path().join(KEY_FILE).exists());
    assert_eq!(std::fs::read(folder.path().join("enrolment.pending")).unwrap(), pending, "the same key throughout");
    app.with(|hub| hub.mood = Mood::Well);
    let enrolled = try_code("abcd efgh jkmn").await.unwrap();
    assert_eq!((enrolled.terminal.get(), enrolled.epoch), (7, Epoch::new(1)));
    assert_eq!(enrolled.root, *Fund::default().root.public());
    assert!(!folder.path().join("enrolment.pending").exists());
    let keys = TerminalKeys::read(&folder.path().join(KEY_FILE)).unwrap();
    let opened = journal::Journal::open(&folder.path().join(FILE), keys.signer().unwrap(), moment(1, 1), "t").unwrap();
    assert_eq!(opened.state().id.hub_url, url);
    drop(opened);
    let root = Some(*Fund::default().root.public());
    assert!(journal::verify::verify(&folder.path().join(FILE), root).unwrap().sound);
}

#[tokio::test]
async fn a_captive_portal_is_no_hub_to_enrol_at() {
    let folder = tempfile::tempdir().unwrap();
    drop(rustls::crypto::ring::default_provider().install_default());
    let routes = Router::new().fallback(async || Html("<html>Bienvenue</html>"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let client = HubClient::new(&url, None).unwrap();
    let error = enrol(folder.path(), &client, &url, "ABCD-EFGH-JKMN", moment(1, 0)).await.unwrap_err();
    assert!(matches!(error, EnrolError::NotAHub { status: 200, .. }), "{error}");
}

#[path = "life_tests.rs"]
mod life;
