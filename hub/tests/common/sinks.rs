//! A mail server and a web server that keep what they are given, on a free port each, until they are dropped.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What a sink was given, one text a message.
#[derive(Clone, Default)]
pub struct Kept(Arc<Mutex<Vec<String>>>);

impl Kept {
    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn add(&self, text: String) {
        self.0.lock().unwrap().push(text);
    }
}

/// A server that answers one connection after the other.
pub struct Sink {
    pub address: SocketAddr,
    pub kept: Kept,
    /// False: every message is put off.
    pub takes: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Sink {
    fn start(serve: impl Fn(TcpStream, &Kept, bool) -> std::io::Result<()> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, kept) = (listener.local_addr().unwrap(), Kept::default());
        let (takes, stop) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        let (held, taking, stopped) = (kept.clone(), Arc::clone(&takes), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                // Who hangs up in the middle is the next one's business no more.
                drop(serve(stream.unwrap(), &held, taking.load(Ordering::Relaxed)));
            }
        });
        Self { address, kept, takes, stop, thread: Some(thread) }
    }

    /// A mail server without TLS.
    pub fn mail() -> Self {
        Self::start(smtp)
    }

    /// A mail server with TLS from the first byte, and its certificate in PEM.
    pub fn mail_tls() -> (Self, String) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let sink = Self::start(move |stream, kept, takes| {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            smtp(StreamOwned::new(connection, stream), kept, takes)
        });
        (sink, made.cert.pem())
    }

    /// A web server that takes a POST.
    pub fn web() -> Self {
        Self::start(http)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
        drop(self.thread.take().map(std::thread::JoinHandle::join));
    }
}

/// RFC 5321, as much as a client needs.
fn smtp(stream: impl Read + Write, kept: &Kept, takes: bool) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut envelope, mut line) = (String::new(), String::new());
    stream.get_mut().write_all(b"220 sink\r\n")?;
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let verb = line.split([' ', '\r']).next().unwrap_or_default().to_uppercase();
        let answer: &[u8] = match verb.as_str() {
            "EHLO" => b"250-sink\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n",
            "MAIL" if !takes => b"451 later\r\n",
            "RCPT" if line.contains("<closed@") => b"550 no such mailbox\r\n",
            "AUTH" | "MAIL" | "RCPT" => {
                envelope.push_str(&line);
                if verb == "AUTH" { b"235 well\r\n" } else { b"250 well\r\n" }
            }
            "DATA" => {
                stream.get_mut().write_all(b"354 go on\r\n")?;
                let mut mail = std::mem::take(&mut envelope);
                loop {
                    line.clear();
                    if stream.read_line(&mut line)? == 0 {
                        return Ok(());
                    }
                    if line == ".\r\n" {
                        break;
                    }
                    mail.push_str(&line);
                }
                kept.add(mail);
                b"250 taken\r\n"
            }
            "QUIT" => {
                stream.get_mut().write_all(b"221 bye\r\n")?;
                return Ok(());
            }
            _ => b"250 well\r\n",
        };
        stream.get_mut().write_all(answer)?;
        stream.get_mut().flush()?;
    }
}

fn http(stream: TcpStream, kept: &Kept, takes: bool) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let start = head.len();
        if stream.read_line(&mut head)? == 0 {
            return Ok(());
        }
        let line = head[start..].to_lowercase();
        if let Some(number) = line.strip_prefix("content-length:") {
            length = number.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let status = if takes { "204 No Content" } else { "503 Service Unavailable" };
    if takes {
        kept.add(head + &String::from_utf8(body).unwrap());
    }
    write!(stream.get_mut(), "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}
