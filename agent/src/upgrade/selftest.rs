//! The trial of a program on a copy of the journal. The child is the new program itself; what it leaves behind must be a
//! file that the program which runs can still go on with, for otherwise there would be no way back.

use crate::clock::Stopwatch;
use crate::journal;
use serde::{Deserialize, Serialize};
use std::io::{ErrorKind, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long a trial may take: a journal of years is read row by row.
pub const TRIAL_MAX: Duration = Duration::from_secs(20 * 60);
/// How often the child is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// What is read of what it says.
const SAID_BYTES_MAX: u64 = 4096;

/// What a program says at the end of its trial.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Passed {
    /// Its version.
    pub version: String,
    /// The form of the journal that it made of the copy.
    pub form: u32,
    /// Rows that it read and checked.
    pub rows: u32,
}

/// How a trial came out.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// It could not be held: nothing is known of the program.
    #[error("the trial could not be held: {0}")]
    NotHeld(String),
    /// The journal that is here is not sound by the program that runs.
    #[error("the journal here is not sound ({0}); run cabas-agent journal verify and call the fund")]
    Unsound(String),
    /// The program failed.
    #[error("{0}")]
    Failed(String),
    /// What the program made of the copy is a dead end.
    #[error("the program that runs could not go back: {0}")]
    NotUndoable(String),
}

/// Where things are.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The configuration's file, where one was named.
    pub config: Option<PathBuf>,
    /// The journal.
    pub journal: PathBuf,
    /// Where its copy goes.
    pub copy: PathBuf,
    /// The new program.
    pub program: PathBuf,
    /// The version that it must have.
    pub version: String,
    /// The form that it must write.
    pub form: u32,
}

impl Trial {
    /// Holds the trial. It takes its time; called where nobody waits.
    ///
    /// # Errors
    /// [`TrialError`].
    pub fn hold(&self) -> Result<Passed, TrialError> {
        let not_held = |error: journal::JournalError| TrialError::NotHeld(error.to_string());
        journal::copy_to(&self.journal, &self.copy).map_err(not_held)?;
        // By the program that runs first: what it cannot read is no fault of the new one.
        self.child(Path::new("/proc/self/exe")).map_err(|error| match error {
            TrialError::Failed(why) => TrialError::Unsound(why),
            TrialError::NotHeld(_) | TrialError::Unsound(_) | TrialError::NotUndoable(_) => error,
        })?;
        let passed = self.child(&self.program)?;
        if passed.version != self.version || passed.form != self.form {
            let said = format!("it says that it is {} and writes form {}", passed.version, passed.form);
            return Err(TrialError::Failed(said));
        }
        journal::can_open(&self.copy).map_err(|error| TrialError::NotUndoable(error.to_string()))?;
        Ok(passed)
    }

    fn child(&self, program: &Path) -> Result<Passed, TrialError> {
        let mut command = Command::new(program);
        if let Some(config) = &self.config {
            command.arg("--config").arg(config);
        }
        command.arg("--json").arg("self-test").arg("--journal").arg(&self.copy);
        command.env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_USEC").env_remove("WATCHDOG_PID");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| {
            if matches!(error.kind(), ErrorKind::OutOfMemory | ErrorKind::WouldBlock) {
                return TrialError::NotHeld(error.to_string());
            }
            TrialError::Failed(format!("it does not start: {error}"))
        })?;
        let ended = wait(&mut child);
        let said = |from: Option<&mut dyn std::io::Read>| {
            let mut text = String::new();
            if let Some(from) = from {
                // What is no text says nothing.
                drop(from.take(SAID_BYTES_MAX).read_to_string(&mut text));
            }
            text
        };
        match ended {
            Ok(Some(status)) if status.success() => {
                let text = said(child.stdout.as_mut().map(|out| -> &mut dyn std::io::Read { out }));
                serde_json::from_str(&text)
                    .map_err(|_| TrialError::Failed(String::from("it says nothing of its trial")))
            }
            // Somebody ended it, or memory did: that says nothing of it.
            Ok(Some(status)) if status.signal() == Some(rustix::process::Signal::KILL.as_raw()) => {
                Err(TrialError::NotHeld(status.to_string()))
            }
            Ok(Some(status)) => {
                let text = said(child.stderr.as_mut().map(|err| -> &mut dyn std::io::Read { err }));
                let line = text.lines().last().unwrap_or_default();
                Err(TrialError::Failed(format!("{status} {line}")))
            }
            Ok(None) => Err(TrialError::Failed(format!("it was not done after {} s", TRIAL_MAX.as_secs()))),
            Err(error) => Err(TrialError::NotHeld(error.to_string())),
        }
    }
}

/// Waits until the child ended; one that does not is killed.
fn wait(child: &mut Child) -> std::io::Result<Option<std::process::ExitStatus>> {
    let since = Stopwatch::start();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if since.elapsed() > TRIAL_MAX {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(LOOK);
    }
}
