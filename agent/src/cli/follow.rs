//! What the running terminal tells as it happens, and a line of progress for whoever waits at a shell.

use std::cell::Cell;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use rustix::termios::tcgetwinsize;
use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::local::Local;
use crate::out::{Format, complain, plain};

/// Bytes that one event may have: a sale of 16 lines is far below.
const EVENT_BYTES_MAX: usize = 64 * 1024;
/// Without even a sign of life, which comes every 20 s, nobody is there any more.
const SILENCE_MAX: Duration = Duration::from_secs(50);
/// Columns where the terminal does not say.
const COLUMNS: usize = 80;
/// Begins the line anew and clears what stands in it (ECMA-48 EL).
const CLEAR: &str = "\r\u{1b}[K";
/// Turns while something is waited for; plain ASCII, whatever the terminal's letters are.
const TURNS: [char; 4] = ['|', '/', '-', '\\'];

/// What is told.
#[derive(Debug, PartialEq)]
pub(super) enum Told {
    /// A sale changed.
    Sale(Value),
    /// Something changed.
    Something,
}

/// The terminal's server-sent events, while they come.
pub(super) struct Events {
    answer: Option<reqwest::Response>,
    unread: Vec<u8>,
    /// When anything came last.
    heard: Instant,
    /// How long nothing may come.
    patience: Duration,
}

impl Events {
    /// Listens; where there is no place left, nothing is told.
    pub(super) async fn of(local: &Local) -> Self {
        Self { answer: local.listen().await, unread: Vec::new(), heard: Instant::now(), patience: SILENCE_MAX }
    }

    /// False where nothing is told, or no longer.
    pub(super) const fn are_told(&self) -> bool {
        self.answer.is_some()
    }

    /// What is told next; never where nothing is. May be dropped and called again: nothing is lost.
    pub(super) async fn next(&mut self) -> Told {
        loop {
            if let Some(told) = take(&mut self.unread) {
                return told;
            }
            let Some(answer) = &mut self.answer else { return std::future::pending().await };
            let patience = self.patience.saturating_sub(self.heard.elapsed());
            match timeout(patience, answer.chunk()).await {
                Ok(Ok(Some(bytes))) if self.unread.len().saturating_add(bytes.len()) <= EVENT_BYTES_MAX => {
                    self.unread.extend_from_slice(&bytes);
                    self.heard = Instant::now();
                }
                Ok(_) | Err(_) => {
                    self.answer = None;
                    // Whoever follows looks once, and by itself from here on.
                    return Told::Something;
                }
            }
        }
    }
}

/// Takes the first whole event out of what was read; comments are passed over.
fn take(unread: &mut Vec<u8>) -> Option<Told> {
    loop {
        let end = unread.windows(2).position(|pair| pair == b"\n\n")?;
        let event: Vec<u8> = unread.drain(..end.saturating_add(2)).collect();
        let text = String::from_utf8_lossy(&event);
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        match (field("event:"), field("data:")) {
            (Some("sale"), Some(data)) => return Some(serde_json::from_str(data).map_or(Told::Something, Told::Sale)),
            (Some("status"), _) => return Some(Told::Something),
            (Some(_) | None, _) => {}
        }
    }
}

/// Where it is told how far something is: one line that is written over in a terminal that can do that, else a line each time.
pub(super) struct Progress {
    is_quiet: bool,
    is_moving: bool,
    turn: usize,
    /// True while the moving line stands there.
    stands: Cell<bool>,
}

impl Progress {
    /// As standard output and error are: a pipe, a file and a terminal that is `dumb` get plain lines.
    pub(super) fn new(format: Format) -> Self {
        let is_terminal = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        let moves = std::env::var("TERM").is_ok_and(|name| !name.is_empty() && name != "dumb");
        let is_quiet = format == Format::Json;
        Self { is_quiet, is_moving: !is_quiet && is_terminal && moves, turn: 0, stands: Cell::new(false) }
    }

    /// True where a line moves.
    pub(super) const fn is_moving(&self) -> bool {
        self.is_moving
    }

    /// Says something that stays.
    pub(super) fn say(&self, text: &str) {
        self.clear();
        if !self.is_quiet {
            complain(&plain(text));
        }
    }

    /// Shows how far it is, where a line moves.
    pub(super) fn show(&mut self, text: &str) {
        if !self.is_moving {
            return;
        }
        self.turn = self.turn.wrapping_add(1);
        let turn = self.turn.checked_rem(TURNS.len()).and_then(|at| TURNS.get(at)).copied().unwrap_or('-');
        let columns = tcgetwinsize(std::io::stderr()).map_or(COLUMNS, |size| usize::from(size.ws_col));
        let columns = if columns == 0 { COLUMNS } else { columns };
        // The last column stays free: some terminals go on in the next line once it is used.
        let line: String = format!("{turn} {}", plain(text)).chars().take(columns.saturating_sub(1)).collect();
        self.stands.set(true);
        write(&format!("{CLEAR}{line}"));
    }

    /// Takes the moving line away.
    pub(super) fn clear(&self) {
        if self.stands.replace(false) {
            write(CLEAR);
        }
    }
}

fn write(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _unreported = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use serde_json::json;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[test]
    fn events_are_read_as_they_come_in_any_pieces() {
        let sent =
            b": hello\n\nevent: status\ndata: {}\n\n:\n\nevent: sale\ndata: {\"id\":\"1\"}\n\nevent: new\ndata: 1\n\n";
        for size in 1..sent.len() {
            let (mut unread, mut told) = (Vec::new(), Vec::new());
            for piece in sent.chunks(size) {
                unread.extend_from_slice(piece);
                while let Some(event) = take(&mut unread) {
                    told.push(event);
                }
            }
            assert_eq!(told, [Told::Something, Told::Sale(json!({ "id": "1" }))], "{size}");
        }
    }

    #[tokio::test]
    async fn a_stream_that_falls_silent_is_left() {
        drop(rustls::crypto::ring::default_provider().install_default());
        // A terminal that took the connection and hangs.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let hangs = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n: hello\n\n").await.unwrap();
            std::future::pending::<()>().await;
        });
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        let answer = Some(http.get(url).send().await.unwrap());
        let mut events = Events { answer, unread: Vec::new(), heard: Instant::now(), patience: Duration::from_secs(1) };
        let mut looks = 0;
        // Whoever follows looks at other things meanwhile, which does not make the wait longer.
        while timeout(Duration::from_millis(100), events.next()).await.is_err() {
            looks += 1;
        }
        assert!(!events.are_told() && (8..60).contains(&looks), "{looks}");
        hangs.abort();
    }

    #[test]
    fn a_sale_that_cannot_be_read_is_asked_for() {
        assert_eq!(take(&mut b"event: sale\ndata: {\n\n".to_vec()), Some(Told::Something));
    }
}
