//! The receipt printer: it can never block, undo or double a sale.
//!
//! Jobs go through a bounded queue to one thread. A receipt of which no byte was sent is kept until a person asks for it;
//! a job whose first byte was sent is never sent again by the program: a person looks at the paper and decides.

use crate::core::closing::Slip;
use crate::core::receipt::Receipt;
use kept::Kept;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use tokio::sync::{oneshot, watch};
use worker::{Command, Worker};

mod bytes;
mod charset;
mod device;
mod kept;
mod layout;
mod target;
mod worker;

/// Jobs that wait at the most.
pub const QUEUE_MAX: usize = 8;
pub use kept::KEPT_MAX;
pub use target::{BAUD_RATES, PrinterTarget, TargetError};

/// The paper's width and with it the characters in a line.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PaperWidth {
    /// 58 mm: 32 characters.
    Mm58,
    /// 80 mm: 48 characters.
    #[default]
    Mm80,
}

impl PaperWidth {
    /// The width of so many millimetres.
    #[must_use]
    pub const fn from_mm(mm: u32) -> Option<Self> {
        match mm {
            58 => Some(Self::Mm58),
            80 => Some(Self::Mm80),
            _ => None,
        }
    }

    /// Characters in a line.
    #[must_use]
    pub const fn columns(self) -> usize {
        match self {
            Self::Mm58 => 32,
            Self::Mm80 => 48,
        }
    }
}

/// The table of characters, chosen by `ESC t n`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum CodePage {
    /// n = 16, Windows-1252.
    #[default]
    Wpc1252,
    /// n = 19, PC858: for printers that lack Windows-1252. It has no `œ`, which becomes `oe`.
    Pc858,
}

impl CodePage {
    /// The page of a number of `ESC t`.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            16 => Some(Self::Wpc1252),
            19 => Some(Self::Pc858),
            _ => None,
        }
    }

    /// Its number in `ESC t`.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Wpc1252 => 16,
            Self::Pc858 => 19,
        }
    }
}

/// Which printer, and how it prints.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PrinterConfig {
    /// Where it is.
    pub target: PrinterTarget,
    /// Its paper.
    pub width: PaperWidth,
    /// Its characters.
    pub code_page: CodePage,
}

/// A job's number since the start, from 1.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct JobId(u64);

impl JobId {
    /// Makes the id of a number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is wrong with the printer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PrinterFault {
    /// There is none in the configuration.
    Off,
    /// It cannot be reached: switched off, no cable, another address.
    Unreachable,
    /// It has no paper.
    PaperOut,
    /// Its cover is open.
    CoverOpen,
    /// It says that it is off line, and not why: cutter, heat, a key pressed.
    OffLine,
    /// It takes no more bytes.
    Hanging,
    /// It ended the connection in the middle.
    Closed,
    /// The receipt could not be turned into bytes.
    NotPrintable,
}

/// How the printer is. The words are the caller's.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PrinterState {
    /// There is none in the configuration.
    #[default]
    Off,
    /// It has not been asked yet.
    Unknown,
    /// It says that it can print.
    Ready,
    /// It can be reached and does not tell its state, as many cheap ones.
    ReadyMute,
    /// It has no paper.
    PaperOut,
    /// Its cover is open.
    CoverOpen,
    /// It says that it is off line, and not why.
    OffLine,
    /// It cannot be reached.
    Unreachable,
    /// It takes no more bytes.
    Hanging,
    /// It cannot be known whether a job came out on paper: a person looks, then calls [`PrinterHandle::decide`].
    LastJobUnsure {
        /// The job.
        job: JobId,
        /// What happened to it.
        fault: PrinterFault,
    },
}

/// How a job ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum JobOutcome {
    /// All bytes were taken, and the printer said afterwards that all is well.
    Printed,
    /// All bytes were taken by a printer that does not tell its state.
    SentToMute,
    /// Not one byte was sent: it can safely be printed again.
    NotSent(PrinterFault),
    /// Some or all bytes were sent, and whether they are on paper is unknown.
    Unsure(PrinterFault),
}

/// The words of a test page, from `agent/locales`: `printer-test-title` and `printer-test-ok`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TestPageTexts {
    /// The title.
    pub title: String,
    /// "If this line is right, the printer is: é è à ç œ € - ’".
    pub check: String,
}

/// The queue holds [`QUEUE_MAX`] jobs already, or the printer's thread is gone.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the printer has {QUEUE_MAX} jobs to do already")]
pub struct QueueFull;

/// What is to be printed.
#[derive(Debug)]
enum Content {
    Receipt(Box<Receipt>),
    Slip(Box<Slip>),
    TestPage(TestPageTexts),
}

/// The way to the printer's thread. When it is dropped the thread ends after the job at hand; jobs that wait are
/// dropped. It is not waited for: its time-outs end it, and it holds nothing that matters.
#[derive(Debug)]
pub struct PrinterHandle {
    commands: mpsc::SyncSender<Command>,
    state: watch::Sender<PrinterState>,
    stopping: Arc<AtomicBool>,
    last_job: AtomicU64,
    kept: Kept,
}

impl PrinterHandle {
    /// Puts a receipt into the queue. Never blocks. A job that was unsure is settled by it: whoever prints again has
    /// looked at the paper.
    ///
    /// # Errors
    /// [`QueueFull`].
    pub fn print(&self, receipt: Receipt) -> Result<JobId, QueueFull> {
        self.print_and_tell(receipt).map(|(job, _)| job)
    }

    /// Puts a receipt into the queue, and tells how it ended.
    ///
    /// # Errors
    /// [`QueueFull`].
    pub fn print_and_tell(&self, receipt: Receipt) -> Result<(JobId, oneshot::Receiver<JobOutcome>), QueueFull> {
        self.enqueue(Content::Receipt(Box::new(receipt)))
    }

    /// Puts a paper that is no receipt into the queue.
    ///
    /// # Errors
    /// [`QueueFull`].
    pub fn print_slip(&self, slip: Slip) -> Result<JobId, QueueFull> {
        self.enqueue(Content::Slip(Box::new(slip))).map(|(job, _)| job)
    }

    /// Puts a test page into the queue, and tells how it ended.
    ///
    /// # Errors
    /// [`QueueFull`].
    pub fn test_page(&self, texts: TestPageTexts) -> Result<(JobId, oneshot::Receiver<JobOutcome>), QueueFull> {
        self.enqueue(Content::TestPage(texts))
    }

    fn enqueue(&self, content: Content) -> Result<(JobId, oneshot::Receiver<JobOutcome>), QueueFull> {
        let job = JobId(self.last_job.fetch_add(1, Ordering::Relaxed).saturating_add(1));
        let (done, outcome) = oneshot::channel();
        self.commands.try_send(Command::Print { job, content, done }).map_err(|_| QueueFull)?;
        Ok((job, outcome))
    }

    /// Receipts of which no byte could be sent. They are printed when a person asks for it, and never by themselves.
    #[must_use]
    pub fn kept(&self) -> watch::Receiver<usize> {
        self.kept.count()
    }

    /// Puts the receipts that were kept into the queue again, the oldest first: how many.
    ///
    /// # Errors
    /// [`QueueFull`] where not all found a place; the others stay kept.
    pub fn print_kept(&self) -> Result<usize, QueueFull> {
        let mut printed: usize = 0;
        while let Some(content) = self.kept.take() {
            let job = JobId(self.last_job.fetch_add(1, Ordering::Relaxed).saturating_add(1));
            let (done, _nobody_listens) = oneshot::channel();
            let print = Command::Print { job, content, done };
            if let Err(mpsc::TrySendError::Full(command) | mpsc::TrySendError::Disconnected(command)) =
                self.commands.try_send(print)
            {
                if let Command::Print { content, .. } = command {
                    self.kept.put_back(content);
                }
                return Err(QueueFull);
            }
            printed = printed.saturating_add(1);
        }
        Ok(printed)
    }

    /// Forgets the receipts that were kept.
    pub fn discard_kept(&self) {
        self.kept.clear();
    }

    /// A person has looked at the paper: the unsure job is settled, whatever was found.
    pub fn decide(&self, job: JobId) {
        let settled = self.state.send_if_modified(|state| {
            let is_it = matches!(state, PrinterState::LastJobUnsure { job: unsure, .. } if *unsure == job);
            if is_it {
                *state = PrinterState::Unknown;
            }
            is_it
        });
        if settled {
            self.check();
        }
    }

    /// Asks the printer for its state soon; the answer comes through [`PrinterHandle::state`].
    pub fn check(&self) {
        // With a full queue the next job tells the state anyway.
        let _ = self.commands.try_send(Command::Check);
    }

    /// The printer's state, and its changes.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<PrinterState> {
        self.state.subscribe()
    }
}

impl Drop for PrinterHandle {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
    }
}

/// Starts the printer's thread.
///
/// # Errors
/// An [`std::io::Error`] where the system gives no thread.
pub fn start(config: PrinterConfig) -> std::io::Result<PrinterHandle> {
    let first = if config.target == PrinterTarget::Off { PrinterState::Off } else { PrinterState::Unknown };
    let (state, _) = watch::channel(first);
    let (commands, received) = mpsc::sync_channel(QUEUE_MAX);
    let stopping = Arc::new(AtomicBool::new(false));
    let kept = Kept::default();
    let worker = Worker {
        config,
        commands: received,
        state: state.clone(),
        stopping: Arc::clone(&stopping),
        has_answered: false,
        kept: kept.clone(),
    };
    thread::Builder::new().name("cabas-printer".to_owned()).spawn(move || worker.run())?;
    Ok(PrinterHandle { commands, state, stopping, last_job: AtomicU64::new(0), kept })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    #[test]
    fn the_queue_has_an_end_and_does_not_wait() {
        let (commands, _kept) = mpsc::sync_channel(QUEUE_MAX);
        let (state, _) = watch::channel(PrinterState::Unknown);
        let handle = PrinterHandle {
            commands,
            state,
            stopping: Arc::default(),
            last_job: AtomicU64::new(0),
            kept: Kept::default(),
        };
        for number in 1..=8 {
            assert_eq!(handle.test_page(TestPageTexts::default()).unwrap().0, JobId(number));
        }
        assert_eq!(handle.test_page(TestPageTexts::default()).unwrap_err(), QueueFull);
    }
}
