//! What is asked of a program over HTTP: the agent's local API, with telephones let in, and the hub's site and its API. Both are
//! served in this process, on a fund of one household; an input is a line `METHOD PATH`, and the body behind it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use cabas_agent::card::{CardEvent, ReaderState};
use cabas_agent::core::receipt::Language;
use cabas_agent::journal::JournalHandle;
use cabas_agent::journal::handle::start;
use cabas_agent::phones::Phones;
use cabas_agent::printer::{self, PrinterConfig};
use cabas_agent::service::counter::Alive;
use cabas_agent::service::{Parts, Place, Service, Settings};
use cabas_agent::sync::{HubClient, HubLink, Network};
use cabas_agent::web;
use cabas_hub::admin::secret::{new_token, token_hash};
use cabas_hub::app::App;
use cabas_hub::config::Config;
use cabas_hub::core::roles::Role;
use cabas_hub::server::{Listening, run};
use cabas_protocol::{Cents, Timestamp};
use tokio::sync::{mpsc, watch};

use crate::fleet::shape::Shape;
use crate::fleet::template::Template;
use crate::fleet::world::{BEGINS, World};

/// Methods that are sent; an input with another one says nothing.
const METHODS: [&str; 5] = ["GET", "POST", "DELETE", "PUT", "HEAD"];
/// What waits for a card longer than a fuzzer does, or never ends.
const WAITS: [&str; 3] = ["/api/reader/test", "/api/events", "/api/balance"];
/// What no path may hold as it stands (RFC 3986 §2).
const NOT_IN_PATHS: &[u8] = b"\"<>\\^`{|}#";
/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A fund of one household and one shop, played until the terminal has all news.
fn fund() -> anyhow::Result<(PathBuf, World)> {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let shape = Shape { shops: 1, households: 1, seconds: 0, ..Shape::fund(1) };
    let template = Template::make(&parent, shape).map_err(|broken| anyhow::anyhow!("{broken:?}"))?;
    let folder = tempfile::Builder::new().prefix("cabas-fuzz-").tempdir_in(&parent)?.keep();
    let world = template.world(&folder).map_err(|broken| anyhow::anyhow!("{broken:?}"))?;
    Ok((folder, world))
}

struct Answer {
    status: u16,
    is_json: bool,
    body: Vec<u8>,
}

/// Sends one request and reads its answer; what is wrong where there is none.
fn ask(address: SocketAddr, head: &str, body: &[u8]) -> Result<Answer, String> {
    let mut stream = TcpStream::connect(address).map_err(|error| format!("not connected: {error}"))?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
    let kind = match body.first() {
        Some(b'{' | b'[') => "application/json",
        _ => "application/x-www-form-urlencoded",
    };
    let length = body.len();
    let head = format!(
        "{head}Host: {address}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).map_err(|error| format!("not sent: {error}"))?;
    // One that is refused by its head may be answered before all of it is read.
    _ = stream.write_all(body);
    let mut said = Vec::new();
    let mut part = [0; 4_096];
    let mut end = String::from("closed");
    while said.len() < ANSWER_BYTES_MAX {
        match stream.read(&mut part) {
            Ok(read @ 1..) => said.extend_from_slice(part.get(..read).unwrap_or_default()),
            Ok(0) => break,
            // The fuzzer's own clock rings.
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => {
                end = error.to_string();
                break;
            }
        }
    }
    read(&said).ok_or_else(|| format!("{end} after {} bytes", said.len()))
}

fn read(said: &[u8]) -> Option<Answer> {
    let end = said.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(said.get(..end)?).to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let body = said.get(end.saturating_add(4)..)?.to_vec();
    Some(Answer { status, is_json: head.contains("content-type: application/json"), body })
}

/// Method, path and body of an input; the path with whatever no path may hold made harmless.
fn request(bytes: &[u8]) -> Option<(&str, String, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let line = std::str::from_utf8(bytes.get(..end)?).ok()?;
    let (method, path) = line.split_once(' ')?;
    let is_path = path.starts_with('/') && path.len() < 2_000;
    let escaped: String = path
        .bytes()
        .map(|byte| {
            if byte.is_ascii_graphic() && !NOT_IN_PATHS.contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02x}")
            }
        })
        .collect();
    let is_asked = METHODS.contains(&method) && is_path && !WAITS.iter().any(|waits| escaped.starts_with(waits));
    is_asked.then(|| (method, escaped, bytes.get(end.saturating_add(1)..).unwrap_or_default()))
}

/// What holds of every answer: there is one, it is not our own failure, and what says that it is JSON is.
fn checked(answer: Result<Answer, String>, asked: &str) -> Answer {
    let answer = answer.unwrap_or_else(|why| panic!("{asked} is not answered: {why}"));
    assert!(answer.status < 500 || answer.status == 503, "{asked}: {}", answer.status);
    if answer.is_json && !asked.starts_with("HEAD") {
        let read: Result<serde_json::Value, _> = serde_json::from_slice(&answer.body);
        assert!(read.is_ok(), "{asked}: no JSON: {:?}", String::from_utf8_lossy(&answer.body));
    }
    answer
}

struct Shop {
    address: SocketAddr,
    phones: Arc<Phones>,
    journal: JournalHandle,
    runtime: tokio::runtime::Runtime,
    _kept: (watch::Sender<Network>, watch::Sender<bool>, mpsc::Sender<CardEvent>),
}

fn open_shop() -> anyhow::Result<Shop> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let (folder, mut world) = fund()?;
    let now = world.now();
    let till = world.only_till().ok_or_else(|| anyhow::anyhow!("no terminal"))?;
    let moment = till.clocks.moment(now);
    let signer = till.signer()?;
    let card_key = till.card_key();
    let file = till.into_journal().ok_or_else(|| anyhow::anyhow!("no journal"))?;
    let clock = cabas_agent::clock::Clock::Set(Arc::new(Mutex::new(moment)));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (journal, _) = start(file)?;
    let guard = runtime.enter();
    let link =
        Arc::new(HubLink::new(HubClient::new("http://127.0.0.1:1", None)?, signer, journal.clone(), clock.clone()));
    let (network, seen) = watch::channel(Network::default());
    let settings = Settings {
        sale_max: Cents::new(100_000)?,
        timeout: Duration::from_millis(1),
        extend_timeout: Duration::from_millis(1),
        auto_print: false,
        language: Language::French,
        sealed_by: cabas_agent::journal::seal::SealedBy::KeyFile,
    };
    let printer = printer::start(PrinterConfig::default())?;
    let place = Place::default();
    let parts = Parts { settings, clock: clock.clone(), journal: journal.clone(), link, network: seen, printer, place };
    let (service, counter) = Service::new(parts, card_key);
    let (cards, taken) = mpsc::channel(8);
    let (stop, stopped) = watch::channel(false);
    drop(runtime.spawn(counter.run(taken, stopped.clone(), Alive { every: None, call: || () })));
    cards.blocking_send(CardEvent::Reader(ReaderState::Ready { name: "none".to_owned() }))?;
    let phones = Arc::new(Phones::open(&folder, ([127, 0, 0, 1], 9).into(), None, clock)?);
    phones.set_listening(true);
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    drop(runtime.spawn(web::serve_with(listener, service, Some(Arc::clone(&phones)), stopped)));
    drop(guard);
    Ok(Shop { address, phones, journal, runtime, _kept: (network, stop, cards) })
}

/// The local API: whatever is asked, nothing is sold without a card, and nobody is let in without the code.
pub(super) fn local_api(bytes: &[u8]) {
    static SHOP: OnceLock<Shop> = OnceLock::new();
    let Some((method, path, body)) = request(bytes) else { return };
    let shop = SHOP.get_or_init(|| open_shop().unwrap_or_else(|error| panic!("{error:?}")));
    let asked = format!("{method} {path}");
    if path == "/api/pair" {
        return pairs(shop, body);
    }
    let answer = checked(ask(shop.address, &format!("{asked} HTTP/1.1\r\n"), body), &asked);
    if path.starts_with("/api/") && answer.status >= 400 && method != "HEAD" {
        let said: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        for name in ["code", "message_fr", "message_en"] {
            let text = said.pointer(&format!("/error/{name}")).and_then(serde_json::Value::as_str);
            assert!(text.is_some_and(|text| !text.is_empty()), "{asked}: {} without {name}: {said}", answer.status);
        }
    }
    let totals = shop.journal.published().state.newest.totals;
    assert!(totals.sales == 0 && totals.refunds == Cents::ZERO, "{asked} sold something: {totals:?}");
}

/// What a telephone sends to be let in; the door itself is behind TLS, and hands over code and name as they stand.
fn pairs(shop: &Shop, body: &[u8]) {
    let said: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| said.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
    let Ok((code, _)) = shop.phones.offer() else { return };
    let before = shop.phones.list().len();
    let paired = shop.runtime.block_on(shop.phones.pair(text("code"), text("name")));
    assert_eq!(paired.is_ok(), shop.phones.list().len() > before);
    assert!(paired.is_err() || text("code") == *code, "let in without the code");
    let paired = shop.runtime.block_on(shop.phones.pair(&code, text("name")));
    if let Ok(token) = paired {
        let guard = shop.runtime.enter();
        let id = shop.phones.admit(&token);
        let name = shop.phones.list().last().map(|phone| phone.name.clone()).unwrap_or_default();
        assert!(!name.chars().any(char::is_control), "{name:?}");
        assert!(shop.phones.admit(text("name")).is_none(), "a name lets in");
        drop(guard);
        let id = id.unwrap_or_else(|| panic!("who was let in is not known"));
        assert!(shop.runtime.block_on(shop.phones.remove(id)).is_ok() && shop.phones.admit(&token).is_none());
        assert!(shop.runtime.block_on(shop.phones.pair(&code, "Z")).is_err(), "a code lets two in");
    }
}

struct Site {
    address: SocketAddr,
    token: String,
    _stop: tokio::sync::oneshot::Sender<()>,
}

fn open_site() -> anyhow::Result<Site> {
    let (folder, world) = fund()?;
    let now = Timestamp::new(BEGINS.saturating_add(7_200));
    drop(world);
    let config = Config { data_dir: folder.join("hub"), listen: ([127, 0, 0, 1], 0).into(), ..Config::default() };
    let clock = cabas_hub::clock::Clock::Set(Arc::new(AtomicU64::new(now.get())));
    let app = App::open(&config, clock)?;
    let token = new_token().map_err(|error| anyhow::anyhow!("{error}"))?;
    let hash = token_hash(&token);
    app.store
        .call_blocking(cabas_hub::store::Lane::Sync, move |tx| tx.token_add("fuzz", Role::Admin, None, hash, now))?;
    let listening = Listening::open(([127, 0, 0, 1], 0).into(), None)?;
    let address = listening.address();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    std::thread::Builder::new().spawn(move || {
        let stop = async { drop(stopped.await) };
        drop(runtime.block_on(run::serve(app, listening, stop)));
    })?;
    Ok(Site { address, token: token.to_string(), _stop: stop })
}

/// The hub's site: a program with an admin's token at its API, and anybody at its pages. Each question is answered, and none
/// is our own failure.
pub(super) fn site(bytes: &[u8]) {
    static SITE: OnceLock<Site> = OnceLock::new();
    let Some((method, path, body)) = request(bytes) else { return };
    let site = SITE.get_or_init(|| open_site().unwrap_or_else(|error| panic!("{error:?}")));
    let asked = format!("{method} {path}");
    let token =
        if path.starts_with("/api/") { format!("Authorization: Bearer {}\r\n", site.token) } else { String::new() };
    let answer = checked(ask(site.address, &format!("{asked} HTTP/1.1\r\n{token}"), body), &asked);
    if path.starts_with("/api/") && answer.status >= 400 && answer.is_json {
        let said: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        assert!(said.get("error").is_some(), "{asked}: {} without a reason: {said}", answer.status);
    }
}
