//! The printer's thread: one job after the other, the state before and after each.

use super::bytes;
use super::device::{Device, Question, WRITE};
use super::kept::Kept;
use super::layout;
use super::{Content, JobId, JobOutcome, PrinterConfig, PrinterFault, PrinterState, PrinterTarget};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tracing::{debug, info, warn};

/// How often a printer that is well is asked.
const ASK_WHEN_READY: Duration = Duration::from_secs(60);
/// How often one is asked that is not.
const ASK_WHEN_FAULTY: Duration = Duration::from_secs(10);
/// `DLE EOT 1`: off line.
const OFF_LINE: u8 = 0b0000_1000;
/// `DLE EOT 2`: the cover is open.
const COVER_OPEN: u8 = 0b0000_0100;
/// `DLE EOT 2`: printing stopped at the end of the paper.
const STOPPED_BY_PAPER: u8 = 0b0010_0000;
/// `DLE EOT 4`: the sensor at the end of the paper. That of the *near* end is no fault.
const PAPER_END: u8 = 0b0110_0000;

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    Print { job: JobId, content: Content, done: oneshot::Sender<JobOutcome> },
    Check,
}

/// What a printer says of itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Health {
    Well,
    Mute,
}

pub(super) struct Worker {
    pub(super) config: PrinterConfig,
    pub(super) commands: Receiver<Command>,
    pub(super) state: watch::Sender<PrinterState>,
    pub(super) stopping: Arc<AtomicBool>,
    /// True once it told its state: from then on silence is a fault.
    pub(super) has_answered: bool,
    /// Receipts that could not be begun.
    pub(super) kept: Kept,
}

impl Worker {
    pub(super) fn run(mut self) {
        if self.config.target != PrinterTarget::Off {
            self.check();
        }
        loop {
            let command = match self.patience() {
                Some(timeout) => self.commands.recv_timeout(timeout),
                None => self.commands.recv().map_err(RecvTimeoutError::from),
            };
            if self.stopping.load(Ordering::Relaxed) {
                return;
            }
            match command {
                Ok(Command::Print { job, content, done }) => {
                    let outcome = self.print(job, &content);
                    if let JobOutcome::NotSent(fault) = outcome
                        && fault != PrinterFault::NotPrintable
                        && !matches!(content, Content::TestPage(_))
                    {
                        self.kept.keep(content);
                    }
                    // Whoever asked may have stopped listening; the state tells the same.
                    let _ = done.send(outcome);
                }
                Ok(Command::Check) | Err(RecvTimeoutError::Timeout) => self.check(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// How long to wait for a command before the printer is asked again.
    fn patience(&self) -> Option<Duration> {
        match *self.state.borrow() {
            PrinterState::Off | PrinterState::LastJobUnsure { .. } => None,
            PrinterState::Ready | PrinterState::ReadyMute => Some(ASK_WHEN_READY),
            PrinterState::Unknown
            | PrinterState::PaperOut
            | PrinterState::CoverOpen
            | PrinterState::OffLine
            | PrinterState::Unreachable
            | PrinterState::Hanging => Some(ASK_WHEN_FAULTY),
        }
    }

    fn print(&mut self, job: JobId, content: &Content) -> JobOutcome {
        let outcome = self.attempt(content);
        match outcome {
            JobOutcome::Printed | JobOutcome::SentToMute => info!(%job, ?outcome, "printed"),
            JobOutcome::NotSent(_) | JobOutcome::Unsure(_) => warn!(%job, ?outcome, "not printed, or perhaps"),
        }
        self.enter(match outcome {
            JobOutcome::Printed => PrinterState::Ready,
            JobOutcome::SentToMute => PrinterState::ReadyMute,
            JobOutcome::NotSent(fault) => state_of(fault),
            JobOutcome::Unsure(fault) => PrinterState::LastJobUnsure { job, fault },
        });
        outcome
    }

    /// Prints once. After the first byte there is no way back to "not sent".
    fn attempt(&mut self, content: &Content) -> JobOutcome {
        let lines = match content {
            Content::Receipt(receipt) => layout::receipt(receipt, &self.config),
            Content::Slip(slip) => layout::slip(slip, &self.config),
            Content::TestPage(texts) => layout::test_page(texts, &self.config),
        };
        let bytes = match bytes::job(&lines, self.config.code_page) {
            Ok(bytes) => bytes,
            Err(fault) => return JobOutcome::NotSent(fault),
        };
        let mut device = match Device::open(&self.config.target) {
            Ok(device) => device,
            Err(fault) => return JobOutcome::NotSent(fault),
        };
        // A printer without paper would keep the job and print it whenever paper comes: it must not get it.
        let before = match self.health(&mut device) {
            Ok(health) => health,
            Err(fault) => return JobOutcome::NotSent(fault),
        };
        match device.send(&bytes, WRITE) {
            Ok(()) => {}
            Err(broken) if broken.nothing_sent => return JobOutcome::NotSent(broken.fault),
            Err(broken) => return JobOutcome::Unsure(broken.fault),
        }
        let outcome = match before {
            Health::Mute => JobOutcome::SentToMute,
            Health::Well => match self.health(&mut device) {
                Ok(_) => JobOutcome::Printed,
                Err(fault) => JobOutcome::Unsure(fault),
            },
        };
        device.close();
        outcome
    }

    fn check(&mut self) {
        let health = Device::open(&self.config.target).and_then(|mut device| {
            let health = self.health(&mut device);
            device.close();
            health
        });
        let state = match health {
            Ok(Health::Well) => PrinterState::Ready,
            Ok(Health::Mute) => PrinterState::ReadyMute,
            Err(fault) => state_of(fault),
        };
        // Only a person, or a further job that a person asked for, settles an unsure one.
        if !matches!(*self.state.borrow(), PrinterState::LastJobUnsure { .. }) {
            self.enter(state);
        }
    }

    fn enter(&self, state: PrinterState) {
        self.state.send_if_modified(|now| {
            let changed = *now != state;
            *now = state;
            changed
        });
    }

    /// What the printer says, or what is wrong with it.
    fn health(&mut self, device: &mut Device) -> Result<Health, PrinterFault> {
        let Some(printer) = device.ask(Question::Printer)? else {
            debug!(printer.has_answered = self.has_answered, "the printer does not tell its state");
            return if self.has_answered { Err(PrinterFault::Hanging) } else { Ok(Health::Mute) };
        };
        self.has_answered = true;
        let off_line = device.ask(Question::OffLine)?.unwrap_or_default();
        let paper = device.ask(Question::Paper)?.unwrap_or_default();
        fault_of(printer, off_line, paper).map_or(Ok(Health::Well), Err)
    }
}

/// The fault that a person can cure first.
fn fault_of(printer: u8, off_line: u8, paper: u8) -> Option<PrinterFault> {
    if off_line & COVER_OPEN != 0 {
        Some(PrinterFault::CoverOpen)
    } else if off_line & STOPPED_BY_PAPER != 0 || paper & PAPER_END != 0 {
        Some(PrinterFault::PaperOut)
    } else if printer & OFF_LINE != 0 {
        Some(PrinterFault::OffLine)
    } else {
        None
    }
}

const fn state_of(fault: PrinterFault) -> PrinterState {
    match fault {
        PrinterFault::Off => PrinterState::Off,
        PrinterFault::Unreachable | PrinterFault::Closed => PrinterState::Unreachable,
        PrinterFault::PaperOut => PrinterState::PaperOut,
        PrinterFault::CoverOpen => PrinterState::CoverOpen,
        PrinterFault::OffLine => PrinterState::OffLine,
        PrinterFault::Hanging => PrinterState::Hanging,
        PrinterFault::NotPrintable => PrinterState::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_read_from_the_status_bits() {
        for (printer, off_line, paper, fault) in [
            (0x12, 0x12, 0x12, None),
            (0x16, 0x12, 0x1e, None),
            (0x1a, 0x32, 0x7e, Some(PrinterFault::PaperOut)),
            (0x12, 0x12, 0x72, Some(PrinterFault::PaperOut)),
            (0x1a, 0x16, 0x12, Some(PrinterFault::CoverOpen)),
            (0x1a, 0x36, 0x7e, Some(PrinterFault::CoverOpen)),
            (0x1a, 0x12, 0x12, Some(PrinterFault::OffLine)),
        ] {
            assert_eq!(fault_of(printer, off_line, paper), fault, "{printer:02x} {off_line:02x} {paper:02x}");
        }
    }
}
