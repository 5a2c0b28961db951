//! A receipt printer made of a socket: records what it is sent, tells its state when asked, and fails as real ones do.

mod decode;
pub mod picture;

pub use decode::{DecodedLine, DecodedReceipt, decode};

use crate::program::wait_for;
use anyhow::Context as _;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// How the printer is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mood {
    /// It prints, and tells its state.
    #[default]
    Well,
    /// It prints, and never tells its state.
    Mute,
    /// It has no paper: it keeps what it is sent, and prints it when paper comes.
    PaperOut,
    /// Its cover is open; the same.
    CoverOpen,
    /// It takes connections and reads nothing.
    Hanging,
    /// It closes the connection after so many bytes of a job.
    ClosesAfter(usize),
    /// It is out of paper after so many bytes of a job.
    PaperOutAfter(usize),
}

#[derive(Default)]
struct State {
    mood: Mood,
    printed: Vec<Vec<u8>>,
    held: Vec<Vec<u8>>,
    connections: Vec<TcpStream>,
    stopping: bool,
}

/// A running printer. It is switched off when dropped.
pub struct VirtualPrinter {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    thread: Option<JoinHandle<()>>,
}

impl VirtualPrinter {
    /// Switches a printer on, at a free port of this machine.
    ///
    /// # Errors
    /// Where there is none.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_at(0)
    }

    /// Switches a printer on at a given port.
    ///
    /// # Errors
    /// Where the port is taken.
    pub fn start_at(port: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).with_context(|| format!("printer at port {port}"))?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State::default()));
        let own = Arc::clone(&state);
        let thread =
            thread::Builder::new().name("virtual-printer".to_owned()).spawn(move || accept(&listener, &own))?;
        Ok(Self { address, state, thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Changes how it is. Paper, or a closed cover, makes it print what it held.
    pub fn set(&self, mood: Mood) {
        let mut state = lock(&self.state);
        state.mood = mood;
        if matches!(mood, Mood::Well | Mood::Mute) {
            let held = std::mem::take(&mut state.held);
            state.printed.extend(held);
        }
    }

    /// The jobs on paper, each as its bytes.
    #[must_use]
    pub fn printed(&self) -> Vec<Vec<u8>> {
        lock(&self.state).printed.clone()
    }

    /// The jobs that it holds for want of paper.
    #[must_use]
    pub fn held(&self) -> Vec<Vec<u8>> {
        lock(&self.state).held.clone()
    }

    /// Waits for as many jobs on paper, and gives them as text.
    ///
    /// # Errors
    /// Where they do not come.
    pub fn wait_for_receipts(&self, count: usize) -> anyhow::Result<Vec<DecodedReceipt>> {
        wait_for("a receipt", || {
            let printed = self.printed();
            Ok((printed.len() >= count).then(|| printed.iter().map(|job| decode(job)).collect()))
        })
    }
}

impl Drop for VirtualPrinter {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        state.stopping = true;
        for connection in &state.connections {
            drop(connection.shutdown(Shutdown::Both));
        }
        drop(state);
        // Wakes the thread that waits for connections.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, state: &Arc<Mutex<State>>) {
    while let Ok((connection, _)) = listener.accept() {
        let mut now = lock(state);
        if now.stopping {
            return;
        }
        let Ok(kept) = connection.try_clone() else { continue };
        now.connections.push(kept);
        let hangs = now.mood == Mood::Hanging;
        drop(now);
        let state = Arc::clone(state);
        if !hangs {
            thread::spawn(move || serve(connection, &state));
        }
    }
}

/// Takes one job: all bytes of a connection but the questions about the state.
fn serve(mut connection: TcpStream, state: &Mutex<State>) {
    let mut job = Vec::new();
    let mut pending = Vec::new();
    let mut buffer = [0; 512];
    'connection: while let Ok(count) = connection.read(&mut buffer) {
        if count == 0 {
            break;
        }
        pending.extend_from_slice(buffer.get(..count).unwrap_or_default());
        loop {
            let mood = lock(state).mood;
            let taken = match pending.as_slice() {
                [0x10, 0x04, question, ..] => {
                    if let Some(status) = status(mood, *question, job.len())
                        && connection.write_all(&[status]).is_err()
                    {
                        break 'connection;
                    }
                    3
                }
                [0x10] | [0x10, 0x04] | [] => break,
                [byte, ..] => {
                    job.push(*byte);
                    1
                }
            };
            pending.drain(..taken);
            if matches!(mood, Mood::ClosesAfter(bytes) if job.len() >= bytes) {
                break 'connection;
            }
        }
    }
    if !job.is_empty() {
        let mut state = lock(state);
        match state.mood {
            Mood::Well | Mood::Mute | Mood::Hanging | Mood::ClosesAfter(_) => state.printed.push(job),
            Mood::PaperOut | Mood::CoverOpen | Mood::PaperOutAfter(_) => state.held.push(job),
        }
    }
    drop(connection.shutdown(Shutdown::Both));
}

/// The answer to `DLE EOT n`, as an Epson printer gives it.
fn status(mood: Mood, question: u8, job_bytes: usize) -> Option<u8> {
    let no_paper = matches!(mood, Mood::PaperOut) || matches!(mood, Mood::PaperOutAfter(bytes) if job_bytes >= bytes);
    Some(match (mood, question) {
        (Mood::Mute | Mood::Hanging, _) => return None,
        (_, 1) if no_paper => 0x1a,
        (_, 2) if no_paper => 0x32,
        (_, 4) if no_paper => 0x7e,
        (Mood::CoverOpen, 1) => 0x1a,
        (Mood::CoverOpen, 2) => 0x16,
        _ => 0x12,
    })
}
