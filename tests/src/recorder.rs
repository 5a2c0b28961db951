//! What a terminal and its hub say to each other, byte by byte: a relay between them that writes it down.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, ensure};

/// One call, and what was answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Exchange {
    /// Where it went.
    pub path: String,
    /// The request's body.
    pub request: Vec<u8>,
    /// The answer's status.
    pub status: u16,
    /// The answer's body.
    pub answer: Vec<u8>,
}

impl Exchange {
    /// Reads recorded calls: path, status, request and answer in hexadecimal, one call a line.
    ///
    /// # Errors
    /// Where the file is none.
    pub fn read(file: &Path) -> anyhow::Result<Vec<Self>> {
        let text = std::fs::read_to_string(file)?;
        text.lines()
            .map(|line| {
                let mut words = line.split(' ');
                let mut next = || words.next().context("a word is missing");
                let (path, status) = (next()?.to_owned(), next()?.parse()?);
                Ok(Self { path, status, request: bytes(next()?)?, answer: bytes(next()?)? })
            })
            .collect()
    }

    /// Writes calls down.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write(exchanges: &[Self], file: &Path) -> anyhow::Result<()> {
        let mut text = String::new();
        for Self { path, request, status, answer } in exchanges {
            writeln!(text, "{path} {status} {} {}", hex(request), hex(answer))?;
        }
        std::fs::create_dir_all(file.parent().context("no folder")?)?;
        Ok(std::fs::File::create(file)?.write_all(text.as_bytes())?)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> anyhow::Result<Vec<u8>> {
    let pairs = hex.as_bytes().as_chunks::<2>().0;
    pairs.iter().map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?)).collect()
}

/// The relay.
pub struct Recorder {
    address: SocketAddr,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
}

impl Recorder {
    /// Stands before a hub.
    ///
    /// # Errors
    /// Where no port is free.
    pub fn start(hub: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let recorder = Self { address: listener.local_addr()?, exchanges: Arc::default() };
        let exchanges = Arc::clone(&recorder.exchanges);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let exchanges = Arc::clone(&exchanges);
                std::thread::spawn(move || drop(relay(stream, hub, &exchanges)));
            }
        });
        Ok(recorder)
    }

    /// Where terminals find it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was said until now.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One connection: call after call, each with a length, as HTTP/1.1 of agent and hub is.
fn relay(mut agent: TcpStream, hub: SocketAddr, exchanges: &Mutex<Vec<Exchange>>) -> anyhow::Result<()> {
    let mut hub = TcpStream::connect(hub)?;
    loop {
        let (request, call) = message(&mut agent)?;
        hub.write_all(&call)?;
        let (answer, said) = message(&mut hub)?;
        agent.write_all(&said)?;
        let word = |head: &str| head.split(' ').nth(1).unwrap_or_default().to_owned();
        exchanges.lock().unwrap_or_else(PoisonError::into_inner).push(Exchange {
            path: word(&request.0),
            request: request.1,
            status: word(&answer.0).parse()?,
            answer: answer.1,
        });
    }
}

type Message = (String, Vec<u8>);

/// A message's first line and body, and all of it.
fn message(from: &mut TcpStream) -> anyhow::Result<(Message, Vec<u8>)> {
    let (mut all, mut byte) = (Vec::new(), [0]);
    while !all.ends_with(b"\r\n\r\n") {
        from.read_exact(&mut byte)?;
        all.extend_from_slice(&byte);
        ensure!(all.len() < 64 * 1024, "no end of a head");
    }
    let head = String::from_utf8(all.clone())?;
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let mut body = vec![0; length.map_or("0", |(_, value)| value.trim()).parse()?];
    from.read_exact(&mut body)?;
    all.extend_from_slice(&body);
    Ok(((head.lines().next().unwrap_or_default().to_owned(), body), all))
}
