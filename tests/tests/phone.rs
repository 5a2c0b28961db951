//! A telephone as the cashier's screen: let in by a code, known by a token, and nobody else at its door.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "test code")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use cabas_tests::browser::Browser;
use cabas_tests::example::Cards;
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::ports::free_port;
use cabas_tests::program::pictures;
use cabas_tests::shop::Shop;
use cabas_tests::site::{AXE, axe};
use ring::digest::{SHA256, digest};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use serde_json::{Value, json};

/// What stands before a key on the curve P-256 (RFC 5480 §2): with 65 bytes of key the whole `SubjectPublicKeyInfo`.
const P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7, 3,
    0x42, 0,
];

/// Takes the certificate of one fingerprint, as a person does who compares it.
#[derive(Debug)]
struct Pinned {
    fingerprint: String,
    seen: Arc<Mutex<Vec<u8>>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let pairs: Vec<_> = digest(&SHA256, certificate).as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
        if pairs.join(":") != self.fingerprint {
            return Err(rustls::Error::General("another certificate".to_owned()));
        }
        if let Ok(mut seen) = self.seen.lock() {
            *seen = certificate.to_vec();
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

struct World {
    shop: Shop,
    url: String,
    port: u16,
    http: reqwest::Client,
    certificate: Arc<Mutex<Vec<u8>>>,
    _hub: Hub,
    _dir: tempfile::TempDir,
}

async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::with_example_fund(&dir.path().join("hub")).unwrap();
    hub.credit("2026-11").unwrap();
    let port = free_port().unwrap();
    let environment = vec![
        ("CABAS_AGENT_PHONE_LISTEN".to_owned(), format!("127.0.0.1:{port}")),
        ("CABAS_AGENT_PHONE_NAME".to_owned(), "caisse.local".to_owned()),
    ];
    let http = http_client().unwrap();
    let folder = dir.path().join("shop");
    let shop = Shop::enrolled_with(&folder, &http, &hub, "biocoop-platanes", environment).await.unwrap();
    let phones = shop.get("/api/phones").await.unwrap();
    let certificate = Arc::default();
    let http = pinned(phones["fingerprint"].as_str().unwrap(), &certificate);
    World { shop, url: format!("https://127.0.0.1:{port}"), port, http, certificate, _hub: hub, _dir: dir }
}

fn pinned(fingerprint: &str, seen: &Arc<Mutex<Vec<u8>>>) -> reqwest::Client {
    let provider = rustls::crypto::ring::default_provider();
    let algorithms = provider.signature_verification_algorithms;
    let verifier = Pinned { fingerprint: fingerprint.to_owned(), seen: Arc::clone(seen), algorithms };
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(15))
        .tls_backend_preconfigured(tls)
        .build()
        .unwrap()
}

const JSON: (&str, &str) = ("content-type", "application/json");

impl World {
    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> reqwest::Response {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, format!("{}{path}", self.url)).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    /// Status and code of an answer.
    async fn said(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let answer = self.send(method, path, headers, body).await;
        let status = answer.status().as_u16();
        let value: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null);
        (status, value["error"]["code"].as_str().unwrap_or_default().to_owned())
    }

    async fn code(&self) -> Value {
        let (status, told) = self.shop.post("/api/phones/code", &json!({})).await.unwrap();
        assert_eq!(status, 200, "{told}");
        told
    }

    /// Lets a telephone in: its cookie.
    async fn pair(&self, name: &str) -> String {
        let code = self.code().await["code"].clone();
        let body = json!({ "code": code, "name": name }).to_string();
        let answer = self.send("POST", "/api/pair", &[JSON], &body).await;
        assert_eq!(answer.status(), 200);
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
        for part in ["Path=/", "Secure", "HttpOnly", "SameSite=Strict", "Max-Age="] {
            assert!(cookie.contains(part), "{part}");
        }
        let again = self.said("POST", "/api/pair", &[JSON], &body).await;
        assert_eq!(again, (403, "error_pair_code".to_owned()), "one telephone a code");
        let cookie = cookie.split(';').next().unwrap().to_owned();
        assert!(cookie.starts_with("__Host-cabas=") && cookie.len() == 13 + 64);
        cookie
    }
}

#[tokio::test]
async fn a_telephone_is_let_in_by_code_sells_and_is_shut_out_at_once() {
    let mut world = world().await;
    let cookie = world.pair("Léa").await;
    let kept = [JSON, ("cookie", cookie.as_str())];
    let sale = json!({ "lines": [{ "category": "0", "cents": 700 }], "request_id": "p" }).to_string();
    assert_eq!(world.said("POST", "/api/sales", &kept, &sale).await.0, 201);
    assert_eq!(world.shop.tap_until_over("p", Cards::read().unwrap().uid(1)).await.unwrap()["state"], "accepted");
    // What is this machine's to say is not there, whoever asks.
    for (method, path) in [
        ("GET", "/metrics"),
        ("GET", "/health"),
        ("GET", "/api/phones"),
        ("POST", "/api/phones/code"),
        ("GET", "/api/phones/code.svg?n=1"),
        ("DELETE", "/api/phones/1"),
    ] {
        assert_eq!(world.said(method, path, &kept, "{}").await.0, 404, "{path}");
    }
    let status = world.send("GET", "/api/status", &kept, "").await;
    let status: Value = serde_json::from_slice(&status.bytes().await.unwrap()).unwrap();
    assert_eq!(status["phones"], false);
    assert_eq!(world.shop.get("/api/status").await.unwrap()["phones"], true);

    // Still let in after a restart; a line that it listens on ends when it is shut out.
    world.shop.kill_9().unwrap();
    world.shop.start().await.unwrap();
    for _ in 0..100 {
        if world.shop.get("/api/phones").await.unwrap()["listening"] == true {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut events = world.send("GET", "/api/events", &kept, "").await;
    assert_eq!(events.status(), 200, "let in before the power cut");
    assert!(events.chunk().await.unwrap().is_some());
    let phones = world.shop.get("/api/phones").await.unwrap();
    assert_eq!((&phones["phones"][0]["name"], phones["phones"].as_array().unwrap().len()), (&json!("Léa"), 1));
    let listed = world.shop.said(&["phone", "list"]).unwrap();
    assert!(listed.out.contains(phones["fingerprint"].as_str().unwrap()) && listed.out.contains("Léa"), "{listed:?}");
    let id = phones["phones"][0]["id"].to_string();
    assert_eq!(world.shop.said(&["phone", "remove", &id]).unwrap().code, Some(0));
    while events.chunk().await.unwrap().is_some() {}
    for (method, path, body) in [("GET", "/api/status", ""), ("POST", "/api/sales", sale.as_str())] {
        assert_eq!(world.said(method, path, &kept, body).await, (401, "error_pair_first".to_owned()), "{path}");
    }
    assert_eq!(world.shop.said(&["phone", "remove", &id]).unwrap().code, Some(1), "there is none any more");
    let token = cookie.split_once('=').unwrap().1;
    assert!(!world.shop.log().contains(token) && !world.shop.log().contains("Léa"));
    let file = std::fs::read_to_string(world.shop.data_dir().join("phones.json")).unwrap();
    assert!(!file.contains(token));
    // Four, and no fifth.
    for name in ["a", "b", "c", "d"] {
        world.pair(name).await;
    }
    assert_eq!(world.shop.post("/api/phones/code", &json!({})).await.unwrap().0, 409);
}

#[tokio::test]
async fn strangers_guessers_other_names_and_other_pages_stay_outside() {
    let world = world().await;
    for path in ["/api/status", "/api/texts", "/api/events", "/assets/app.js", "/metrics", "/nowhere"] {
        assert_eq!(world.said("GET", path, &[], "").await, (401, "error_pair_first".to_owned()), "{path}");
    }
    for path in ["/", "/customer", "/help"] {
        let answer = world.send("GET", path, &[], "").await;
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["location"]),
            (303, &"/pair".parse().unwrap()),
            "{path}"
        );
    }
    for path in ["/pair", "/assets/pair.js", "/assets/style.css"] {
        let answer = world.send("GET", path, &[], "").await;
        assert_eq!(answer.status(), 200, "{path}");
        assert!(answer.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    }
    let guess = |code: &str| json!({ "code": code, "name": "x" }).to_string();
    assert_eq!(world.said("POST", "/api/pair", &[JSON], &guess("123456")).await.0, 403, "no code is shown");
    let code = world.code().await["code"].as_str().unwrap().to_owned();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for expected in [403, 403, 403, 403, 429] {
        assert_eq!(world.said("POST", "/api/pair", &[JSON], &guess(wrong)).await.0, expected);
    }
    assert_eq!(world.said("POST", "/api/pair", &[JSON], &guess(&code)).await.0, 403, "guessed at, so worth nothing");

    let cookie = world.pair("").await;
    let cookie = ("cookie", cookie.as_str());
    let sale = json!({ "lines": [{ "category": "0", "cents": 100 }], "request_id": "x" }).to_string();
    let (own, plain) = (world.url.clone(), world.url.replace("https", "http"));
    let named = format!("caisse.local:{}", world.port);
    for (headers, expected) in [
        (vec![JSON, cookie, ("host", "evil.example")], 421),
        (vec![JSON, cookie, ("host", "localhost")], 421),
        (vec![JSON, cookie, ("origin", "https://evil.example")], 403),
        (vec![JSON, cookie, ("origin", plain.as_str())], 403),
        (vec![JSON, cookie, ("origin", "null")], 403),
        (vec![("content-type", "text/plain"), cookie], 415),
        (vec![JSON, ("cookie", "__Host-cabas=00")], 401),
        (vec![JSON, ("cookie", "cabas=00; __Host-cabas")], 401),
        (vec![JSON, cookie, ("origin", own.as_str())], 201),
        (vec![JSON, cookie, ("host", named.as_str())], 200),
    ] {
        assert_eq!(world.said("POST", "/api/sales", &headers, &sale).await.0, expected, "{headers:?}");
    }
    let long = " ".repeat(20_000);
    assert_eq!(world.said("POST", "/api/sales", &[JSON, cookie], &long).await.0, 413);
    // Another certificate's fingerprint is another machine.
    let other = pinned("AB", &Arc::default()).get(&world.url).send().await;
    assert!(other.unwrap_err().is_connect());
    // Plain HTTP at the door, and at the machine's own door the telephones' address.
    let mut stream = TcpStream::connect(("127.0.0.1", world.port)).unwrap();
    stream.write_all(b"GET /pair HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[tokio::test]
async fn slow_and_many_connections_at_the_door_leave_the_counter_alone() {
    let world = world().await;
    // More than one address may have; none of them ever says a word.
    let mute: Vec<_> = (0..40).map(|_| TcpStream::connect(("127.0.0.1", world.port)).unwrap()).collect();
    let sale = world.shop.sell(300, Cards::read().unwrap().uid(1), "beside").await.unwrap();
    assert_eq!(sale["state"], "accepted", "{sale}");
    // All are closed from the other side: those past the limit at once, the others when no handshake came.
    for mut stream in mute {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let ended = stream.read(&mut [0; 1]);
        assert!(
            matches!(&ended, Ok(0)) || ended.as_ref().is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionReset),
            "{ended:?}"
        );
    }
    assert_eq!(world.send("GET", "/pair", &[], "").await.status(), 200, "there is room again");
}

#[tokio::test]
async fn a_real_browser_on_a_telephone_is_let_in_sells_and_is_sent_back_when_shut_out() {
    let world = world().await;
    world.send("GET", "/pair", &[], "").await;
    let certificate = world.certificate.lock().unwrap().clone();
    let at = certificate.windows(P256.len()).position(|bytes| bytes == P256).unwrap();
    let spki = digest(&SHA256, &certificate[at..at + P256.len() + 65]);
    let trust = format!("--ignore-certificate-errors-spki-list={}", Base64::encode_string(spki.as_ref()));
    let phone = Browser::open_phone_with(412, 800, &[trust]).await.unwrap();
    let code = world.code().await;
    phone.goto(&world.url).await.unwrap();
    phone.wait_for_text("Ce téléphone devient").await.unwrap();
    phone.screenshot(&pictures().unwrap().join("phone-pair.png")).await.unwrap();
    phone.script(&axe().unwrap()).await.unwrap();
    assert_eq!(phone.script(AXE).await.unwrap(), json!([]), "axe-core at the door");
    phone.keys("#code", code["code"].as_str().unwrap()).await.unwrap();
    phone.keys("#name", "Marché\u{e007}").await.unwrap();
    phone.wait_for_text("Encaisser").await.unwrap();
    phone.keys("body", "12,5\u{e007}").await.unwrap();
    phone.wait_for_text("12,50").await.unwrap();
    let card = world.shop.tap(Cards::read().unwrap().uid(1)).unwrap();
    phone.wait_for_text("Accepté").await.unwrap();
    phone.screenshot(&pictures().unwrap().join("phone-accepted.png")).await.unwrap();
    card.remove();
    let phones = world.shop.get("/api/phones").await.unwrap();
    assert_eq!(phones["phones"][0]["name"], "Marché");
    // At a locked counter nobody is let in or shut out before a cashier types the code.
    let mut add = world.shop.command(&["cashier", "add", "3", "--code-stdin"]).unwrap();
    let mut adding = add.stdin(std::process::Stdio::piped()).spawn().unwrap();
    adding.stdin.take().unwrap().write_all(b"4821\n").unwrap();
    assert!(adding.wait().unwrap().success());
    let path = format!("/api/phones/{}", phones["phones"][0]["id"]);
    assert_eq!(world.shop.delete(&path).await.unwrap(), 423);
    assert_eq!(world.shop.post("/api/cashier", &json!({ "code": "4821" })).await.unwrap().0, 200);
    assert_eq!(world.shop.delete(&format!("/api/phones/{}", phones["phones"][0]["id"])).await.unwrap(), 200);
    phone.wait_for_text("Ce téléphone devient").await.unwrap();
    phone.close().await.unwrap();
}
