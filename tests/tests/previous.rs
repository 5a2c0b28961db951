//! The release before this one: what its programs said to each other is understood by today's, and, where its programs are at
//! hand (`deploy/previous`), terminal and hub one version apart sell and sync in both directions.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "test code"
)]

use std::path::{Path, PathBuf};

use cabas_protocol::card_session::{CardSessionAnswer, CardSessionRequest};
use cabas_protocol::enrol::{EnrolAnswer, EnrolRequest};
use cabas_protocol::extend::{ExtendAnswer, ExtendRequest};
use cabas_protocol::keys::{HubKeys, KeyCert};
use cabas_protocol::sign::Payload;
use cabas_protocol::sync::{SyncAnswer, SyncRequest};
use cabas_protocol::{ObjectType, PublicKey, Signed};
use cabas_tests::example::Cards;
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::recorder::{Exchange, Recorder};
use cabas_tests::shop::Shop;
use cabas_tests::sweep::folder;
use cabas_tests::virtual_card::VirtualCard;
use cabas_tests::virtual_card::desfire::{DesfireChip, Edition};

const SHOP: &str = "biocoop-platanes";
/// Where the programs of the release before lie.
const PROGRAMS: &str = "CABAS_PREVIOUS";
/// Set where what they say is to be recorded anew.
const RECORD: &str = "CABAS_PREVIOUS_RECORD";

fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/previous/exchanges.txt")
}

fn previous(name: &str) -> Option<PathBuf> {
    std::env::var_os(PROGRAMS).map(|folder| Path::new(&folder).join(name))
}

/// Keys of the recorded hub and terminal, from the recorded enrolment alone.
fn keys(exchanges: &[Exchange]) -> (HubKeys, PublicKey) {
    let enrol = exchanges.iter().find(|exchange| exchange.path == "/v1/enrol").unwrap();
    let request = Signed::<EnrolRequest>::from_bytes(enrol.request.clone()).unwrap().peek().unwrap();
    let answer = Signed::<EnrolAnswer>::from_bytes(enrol.answer.clone()).unwrap().peek().unwrap();
    let mut keys = HubKeys::new(answer.head.fund, answer.root);
    for cert in &answer.certs {
        keys.certify(&Signed::<KeyCert>::from_bytes(cert.to_vec()).unwrap()).unwrap();
    }
    (keys, request.key)
}

/// Reads a request as today's hub does and its answer as today's terminal does.
fn understood<Q: Payload, A: cabas_agent_answer::Answered>(exchange: &Exchange, keys: &HubKeys, terminal: &PublicKey) {
    let request = Signed::<Q>::from_bytes(exchange.request.clone()).unwrap();
    let fund = if Q::TYPE == ObjectType::EnrolRequest { EnrolRequest::NO_FUND } else { keys.fund() };
    request.verify(terminal, fund).unwrap();
    assert_eq!(exchange.status, 200, "{}", exchange.path);
    let answer = keys.verify(&Signed::<A>::from_bytes(exchange.answer.clone()).unwrap()).unwrap();
    assert_eq!(answer.payload().request(), request.hash(), "{}", exchange.path);
}

mod cabas_agent_answer {
    use super::*;

    /// An answer that names its request.
    pub(super) trait Answered: Payload {
        fn request(&self) -> cabas_protocol::Hash;
    }

    macro_rules! answered {
        ($($answer:ident),*) => {$(
            impl Answered for $answer {
                fn request(&self) -> cabas_protocol::Hash {
                    self.request
                }
            }
        )*};
    }
    answered!(EnrolAnswer, SyncAnswer, ExtendAnswer, CardSessionAnswer);
}

#[test]
fn what_the_release_before_said_is_understood_word_for_word() {
    let exchanges = Exchange::read(&recorded()).unwrap();
    let (mut keys, terminal) = keys(&exchanges);
    let mut objects = 0;
    for exchange in &exchanges {
        match exchange.path.as_str() {
            "/v1/enrol" => understood::<EnrolRequest, EnrolAnswer>(exchange, &keys, &terminal),
            "/v1/sync" => {
                understood::<SyncRequest, SyncAnswer>(exchange, &keys, &terminal);
                let answer = Signed::<SyncAnswer>::from_bytes(exchange.answer.clone()).unwrap().peek().unwrap();
                for object in &answer.objects {
                    cabas_agent::sync::verify_object(&mut keys, object).unwrap();
                    objects += 1;
                }
            }
            "/v1/extend" => understood::<ExtendRequest, ExtendAnswer>(exchange, &keys, &terminal),
            "/v1/card-session" => understood::<CardSessionRequest, CardSessionAnswer>(exchange, &keys, &terminal),
            other => panic!("{other} is no call of the release before"),
        }
    }
    for path in ["/v1/enrol", "/v1/sync", "/v1/extend", "/v1/card-session"] {
        assert!(exchanges.iter().any(|exchange| exchange.path == path), "{path} was not recorded");
    }
    assert!(objects > 100, "{objects} objects came down");
}

/// A shop of one version at a hub of another: enrolled, on line, off line, on line again.
async fn sells(hub_program: Option<PathBuf>, agent_program: Option<PathBuf>) {
    let dir = folder().unwrap();
    let mut hub = Hub::at(&dir.path().join("hub")).unwrap();
    hub.program.clone_from(&hub_program);
    hub.with_example().unwrap();
    hub.credit("2026-11").unwrap();
    let cards = Cards::read().unwrap();
    let mut shop = Shop::new(&dir.path().join("shop"), &http_client().unwrap()).unwrap();
    shop.program.clone_from(&agent_program);
    // What the release before does not know it refuses, so today's is told what it may take only where it is today's.
    if agent_program.is_none() {
        shop.environment.push(("CABAS_AGENT_UPGRADE_CHECK_S".to_owned(), "1".to_owned()));
    }
    let (_, code) = hub.add_terminal(SHOP).unwrap();
    let enrolled = shop.said(&["enrol", "--hub", &hub.url(), "--code", &code]).unwrap();
    assert_eq!(enrolled.code, Some(0), "{enrolled:?}");
    shop.start().await.unwrap();
    shop.wait_until_synced().await.unwrap();
    shop.wait_for_reader().await.unwrap();
    sale(&shop, &cards, 1500, "on line").await;
    shop.wait_until_synced().await.unwrap();
    hub.stop().unwrap();
    sale(&shop, &cards, 250, "off line").await;
    // Each side becomes the other version, and goes on with what lies there.
    shop.stop().unwrap();
    shop.program = if agent_program.is_some() { None } else { previous("cabas-agent") };
    shop.environment.clear();
    shop.start().await.unwrap();
    shop.wait_for_reader().await.unwrap();
    sale(&shop, &cards, 125, "as the other version, off line").await;
    shop.stop().unwrap();
    // And back: a journal that the other one wrote is taken up again.
    shop.program = agent_program;
    shop.start().await.unwrap();
    hub.start().unwrap();
    shop.wait_for_reader().await.unwrap();
    sale(&shop, &cards, 100, "back").await;
    shop.wait_until_synced().await.unwrap();
    assert_eq!(hub.owed(SHOP).unwrap(), 1500 + 250 + 125 + 100);
    let alarms = shop.get("/api/status").await.unwrap()["alarms"].clone();
    assert!(alarms.as_array().unwrap().is_empty(), "{alarms}");
    shop.stop().unwrap();
    hub.stop().unwrap();
    // The newer hub reads the older one's ledger whole.
    hub.program = None;
    hub.verify().unwrap();
    assert_eq!(shop.said(&["journal", "verify"]).unwrap().code, Some(0));
}

async fn sale(shop: &Shop, cards: &Cards, cents: u64, request: &str) {
    let sale = shop.sell(cents, cards.uid(1), request).await.unwrap();
    assert_eq!(sale["state"], "accepted", "{request}: {sale}");
}

#[tokio::test]
async fn an_older_terminal_at_a_newer_hub_sells_and_syncs() {
    let Some(agent) = previous("cabas-agent") else { return said() };
    sells(None, Some(agent)).await;
}

#[tokio::test]
async fn a_newer_terminal_at_an_older_hub_sells_and_syncs() {
    let Some(hub) = previous("cabas-hub") else { return said() };
    sells(Some(hub), None).await;
}

fn said() {
    eprintln!("the programs of the release before are not at hand: deploy/previous builds them and comes here again");
}

/// Plays every call between the programs of the release before, and writes down what they say.
#[tokio::test]
async fn the_release_before_is_recorded_where_that_is_asked_for() {
    let (Some(agent), Some(_)) = (previous("cabas-agent"), std::env::var_os(RECORD)) else { return };
    let dir = folder().unwrap();
    let mut hub = Hub::at(&dir.path().join("hub")).unwrap();
    hub.program = previous("cabas-hub");
    hub.with_example().unwrap();
    hub.credit("2026-11").unwrap();
    let recorder = Recorder::start(hub.address()).unwrap();
    let mut shop = Shop::new(&dir.path().join("shop"), &http_client().unwrap()).unwrap();
    shop.program = Some(agent);
    let (terminal, code) = hub.add_terminal(SHOP).unwrap();
    let enrolled = shop.said(&["enrol", "--hub", &recorder.url(), "--code", &code]).unwrap();
    assert_eq!(enrolled.code, Some(0), "{enrolled:?}");
    shop.start().await.unwrap();
    shop.wait_until_synced().await.unwrap();
    shop.wait_for_reader().await.unwrap();
    // More than lies at one terminal: the hub is asked for more.
    sale(&shop, &Cards::read().unwrap(), 14_000, "recorded").await;
    shop.wait_until_synced().await.unwrap();
    shop.stop().unwrap();
    let grant = ["card", "grant", "--terminal", &terminal.to_string(), "--issue", "901", "--household", "F001"];
    hub.ok(&grant).unwrap();
    let chip = DesfireChip::new([4, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66], Edition::Ev2K4, 7);
    let held = VirtualCard::insert(shop.pcscd.port(0, 0).unwrap(), chip).unwrap();
    let issued = shop.said(&["card", "issue", "--card-number", "901"]).unwrap();
    assert_eq!(issued.code, Some(0), "{issued:?}");
    held.remove();
    Exchange::write(&recorder.exchanges(), &recorded()).unwrap();
}
