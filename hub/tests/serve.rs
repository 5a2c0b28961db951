//! The served binary: systemd's messages, signals, TLS, refusals to start.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

use crate::common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, ChildStderr, Stdio};
use std::sync::Arc;
use std::time::Duration;

use common::{Fund, binary, http, write};
use rustls::pki_types::pem::PemObject as _;

struct Served {
    child: Child,
    log: BufReader<ChildStderr>,
    address: SocketAddr,
}

impl Served {
    fn start(fund: &Fund, environment: &[(&str, &str)]) -> Self {
        let mut command = binary(fund.dir.path());
        command.arg("serve").envs(environment.iter().copied()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("listening") {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "the hub ended before it listened");
        }
        let address = line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
        Self { child, log, address }
    }

    /// Tells it that its certificate is new, and waits for what it says of that.
    fn hang_up_until(&mut self, said: &str) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
        let mut line = String::new();
        while !line.contains(said) {
            line.clear();
            assert_ne!(self.log.read_line(&mut line).unwrap(), 0, "the hub ended");
        }
    }

    /// Tells it to stop, and gives what it logged.
    fn stop(mut self) -> String {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        log
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Ends with 1 and says why, and never listens.
fn refuses_to_start(fund: &Fund, environment: &[(&str, &str)], said: &str) {
    let mut command = binary(fund.dir.path());
    let mut child = command.arg("serve").envs(environment.iter().copied()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut error = String::new();
    while log.read_line(&mut error).unwrap() > 0 && !error.contains("listening") {}
    // A hub that listens would do so for ever: it is ended, and has no exit code.
    if error.contains("listening") {
        child.kill().unwrap();
    }
    assert_eq!(child.wait().unwrap().code(), Some(1), "{error}");
    assert!(error.contains(said), "{said}: {error}");
}

#[test]
fn systemd_hears_that_it_is_ready_that_it_lives_and_that_it_stops() {
    let fund = Fund::example();
    let path = fund.dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let path = path.display().to_string();
    let served = Served::start(&fund, &[("NOTIFY_SOCKET", &path), ("WATCHDOG_USEC", "200000")]);
    let hear = || {
        let mut bytes = [0; 128];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes.get(..length).unwrap().to_vec()).unwrap().trim().to_owned()
    };
    assert_eq!(hear(), "READY=1");
    assert_eq!(hear(), "WATCHDOG=1");
    assert_eq!(hear(), "WATCHDOG=1");
    let log = served.stop();
    assert!(log.contains("stopped"), "{log}");
    let mut last = hear();
    while last == "WATCHDOG=1" {
        last = hear();
    }
    assert_eq!(last, "STOPPING=1");
}

#[test]
fn commands_work_beside_a_hub_that_runs() {
    let fund = Fund::example();
    let served = Served::start(&fund, &[]);
    assert_eq!(http::get(served.address, "/health", "localhost").status, 200);
    let booked = fund.json(&["credit", "run", "--period", "2026-11", "--source", "ville", "--book"]);
    assert_eq!(booked["households"], 108);
    fund.json(&["verify"]);
    served.stop();
}

#[test]
fn a_log_tells_no_code_no_card_and_no_household() {
    let fund = Fund::example();
    let served = Served::start(&fund, &[("CABAS_HUB_LOG", "trace")]);
    let code = fund.code("biocoop-bachut");
    let code = cabas_protocol::enrol::Code::parse(&code).unwrap();
    let signer = cabas_protocol::Signer::from_seed(&[1; 32]).unwrap();
    let request = signer.sign(&common::terminal::enrol_request(&code, &signer));
    assert_eq!(http::post(served.address, "/v1/enrol", request.as_bytes()).status, 200);
    let shown = code.reveal().to_string();
    let log = served.stop();
    assert!(log.contains("enrolled a terminal"), "{log}");
    let secret = shown.get(5..).unwrap();
    for private in [secret, &secret.replace('-', ""), "F001", "04856e8a295022"] {
        assert!(!log.contains(private), "{private} is in {log}");
    }
}

#[test]
fn it_does_not_start_without_what_it_needs() {
    let fund = Fund::example();
    refuses_to_start(&fund, &[("CABAS_HUB_LOG", "a=b=c")], "log = a=b=c");
    refuses_to_start(&fund, &[("CABAS_HUB_TLS_CERTIFICATE", "/x")], "tls_key");
    let missing = [("CABAS_HUB_TLS_CERTIFICATE", "/x"), ("CABAS_HUB_TLS_KEY", "/y")];
    refuses_to_start(&fund, &missing, "tls_certificate = /x");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    refuses_to_start(&fund, &[("CABAS_HUB_LISTEN", &address)], "is another program using it?");
    let keys = fund.data_dir().join("keys");
    let other = Fund::empty();
    std::fs::copy(other.data_dir().join("keys/signing.key"), keys.join("signing.key")).unwrap();
    refuses_to_start(&fund, &[], "key rotate");
    std::fs::remove_file(keys.join("signing.key")).unwrap();
    refuses_to_start(&fund, &[], "signing.key");
}

#[test]
fn tls_is_served_with_the_certificate_that_is_named() {
    let fund = Fund::example();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let file = |name: &str, text: &str| {
        let path = fund.dir.path().join(name);
        write(&path, text);
        path.display().to_string()
    };
    let certificate = file("cert.pem", &made.cert.pem());
    let key = file("key.pem", &made.signing_key.serialize_pem());
    let environment = [("CABAS_HUB_TLS_CERTIFICATE", certificate.as_str()), ("CABAS_HUB_TLS_KEY", key.as_str())];
    let served = Served::start(&fund, &environment);
    let answer = https_get(served.address, Path::new(&certificate), "/health");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // Plain HTTP on that port is no answer at all.
    let mut plain = http::connect(served.address);
    plain.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    drop(plain.read_to_end(&mut bytes));
    assert!(!bytes.starts_with(b"HTTP"));
    served.stop();
    refuses_to_start(&fund, &[("CABAS_HUB_TLS_CERTIFICATE", &key), ("CABAS_HUB_TLS_KEY", &key)], "tls_certificate");
}

#[test]
fn a_renewed_certificate_is_taken_up_and_a_broken_one_is_not_while_connections_stay() {
    let fund = Fund::example();
    let (certificate, key) = (fund.dir.path().join("cert.pem"), fund.dir.path().join("key.pem"));
    let put = |chain: &str, private: &str| {
        write(&certificate, chain);
        write(&key, private);
    };
    let made = || rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (first, second) = (made(), made());
    put(&first.cert.pem(), &first.signing_key.serialize_pem());
    let (certificate_name, key_name) = (certificate.display().to_string(), key.display().to_string());
    let environment = [("CABAS_HUB_TLS_CERTIFICATE", &*certificate_name), ("CABAS_HUB_TLS_KEY", &*key_name)];
    let mut served = Served::start(&fund, &environment);
    let is_served = |address, made: &rcgen::CertifiedKey<rcgen::KeyPair>| {
        let ca = fund.dir.path().join("ca.pem");
        write(&ca, &made.cert.pem());
        https_get(address, &ca, "/health").starts_with("HTTP/1.1 200")
    };
    let mut tls = client(&certificate);
    let mut tcp = http::connect(served.address);
    let mut open = rustls::Stream::new(&mut tls, &mut tcp);
    keeps_answering(&mut open);

    // Half of the renewal: the new chain with the old key.
    put(&second.cert.pem(), &first.signing_key.serialize_pem());
    served.hang_up_until("is not taken");
    assert!(is_served(served.address, &first) && !is_served(served.address, &second));
    std::fs::remove_file(&key).unwrap();
    served.hang_up_until("is not taken");
    assert!(is_served(served.address, &first));

    put(&second.cert.pem(), &second.signing_key.serialize_pem());
    served.hang_up_until("renewed certificate is in service");
    assert!(is_served(served.address, &second) && !is_served(served.address, &first));
    keeps_answering(&mut open);
    served.stop();
}

#[test]
fn a_hub_without_tls_outlives_a_word_of_renewal() {
    let fund = Fund::example();
    let served = Served::start(&fund, &[]);
    let pid = rustix::process::Pid::from_child(&served.child);
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    assert_eq!(http::get(served.address, "/health", "localhost").status, 200);
    served.stop();
}

fn keeps_answering(stream: &mut (impl std::io::Read + std::io::Write)) {
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut bytes = [0; 4096];
    let length = stream.read(&mut bytes).unwrap();
    assert!(bytes.get(..length).unwrap().starts_with(b"HTTP/1.1 200"));
}

fn https_get(address: SocketAddr, ca: &Path, path: &str) -> String {
    let mut tls = client(ca);
    let mut tcp = http::connect(address);
    let mut stream = rustls::Stream::new(&mut tls, &mut tcp);
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    if stream.write_all(request.as_bytes()).is_err() {
        return String::new();
    }
    let mut text = String::new();
    drop(stream.read_to_string(&mut text));
    text
}

/// A client that believes this certificate and no other.
fn client(ca: &Path) -> rustls::ClientConnection {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls::pki_types::CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    rustls::ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap()
}
