//! `upgrade`: which programs lie here, and back to the one before by hand. `self-test`: a program on trial tries itself on a
//! copy of the journal.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use super::{launch, serve};
use crate::clock::Clock;
use crate::journal;
use crate::journal::verify::verify;
use crate::out::{plain, print};
use crate::upgrade::selftest::Passed;
use crate::upgrade::state::{Choice, Slot, State};

#[derive(Debug, Subcommand)]
pub(super) enum Upgrade {
    /// Show which programs lie here, what is on trial, and what is not taken again
    Status,
    /// Go back to the program before the one on trial or the one that runs; it is not taken again
    Back,
    /// Let a version that failed be taken again, where it was not the program's fault: a full disk, a power supply
    Again {
        /// The version, such as 0.2.0
        #[arg(id = "release", value_name = "VERSION")]
        version: String,
    },
}

#[derive(Args, Debug)]
pub(super) struct SelfTest {
    /// A copy of the journal, which is brought to this program's form
    #[arg(long, value_name = "FILE")]
    journal: PathBuf,
}

pub(super) fn run(context: &Context, upgrade: &Upgrade) -> Result<(), Failure> {
    match upgrade {
        Upgrade::Status => status(context),
        Upgrade::Back => back(context),
        Upgrade::Again { version } => again(context, version),
    }
}

#[derive(Serialize)]
struct Status {
    /// The version of the packaged program.
    packaged: &'static str,
    /// What the launcher would start: `packaged`, `a` or `b`.
    starts: &'static str,
    #[serde(flatten)]
    state: State,
}

fn status(context: &Context) -> Result<(), Failure> {
    let (folder, _) = launch::folder(&context.config);
    let stamp = crate::stamp::own().ok_or(Failure::NoStamp)?;
    let state = folder.state();
    let (choice, _) = state.launch(stamp.version, true, |slot, held| folder.broken(slot, held));
    let starts = match choice {
        Choice::Packaged => "packaged",
        Choice::Slot(slot) => slot.name(),
    };
    print(context.format, &Status { packaged: stamp.version_text, starts, state }, text).map_err(Failure::Print)
}

fn text(status: &Status) -> String {
    let mut text = format!("Packaged: {}. Starts next: {}.\n", status.packaged, status.starts);
    for slot in Slot::BOTH {
        let Some(held) = status.state.held(slot) else { continue };
        let standing = match status.state.trial.filter(|trial| trial.slot == slot) {
            Some(trial) => format!("on trial, starts left: {}", trial.starts_left),
            None if held.worked => String::from("worked here"),
            None => String::from("not tried"),
        };
        text.push_str(&format!("Slot {}: {}, {standing}\n", slot.name(), plain(&held.version)));
    }
    for bad in &status.state.bad {
        text.push_str(&format!("Not taken again: {}: {}\n", plain(&bad.version), bad.why.text()));
    }
    text
}

fn back(context: &Context) -> Result<(), Failure> {
    let (folder, file) = launch::folder(&context.config);
    let stamp = crate::stamp::own().ok_or(Failure::NoStamp)?;
    may_write(context, "back")?;
    let mut state = folder.state();
    if !state.take_back() {
        return Err(Failure::Refused(String::from("only the packaged program is here; install another package")));
    }
    let (choice, _) = state.launch(stamp.version, true, |slot, held| folder.broken(slot, held));
    if choice == Choice::Packaged {
        // Never to a program that cannot read what was written.
        journal::may_open(&file).map_err(|source| Failure::Journal { file, source })?;
    }
    folder.save(&state).map_err(Failure::Programs)?;
    print(context.format, &state, |_| {
        String::from("It is taken back at the next start: systemctl restart cabas-agent\n")
    })
    .map_err(Failure::Print)
}

fn again(context: &Context, version: &str) -> Result<(), Failure> {
    let (folder, _) = launch::folder(&context.config);
    may_write(context, "again")?;
    let mut state = folder.state();
    if !state.forget_bad(version) {
        return Err(Failure::Refused(String::from("no such version failed here; see cabas-agent upgrade status")));
    }
    folder.save(&state).map_err(Failure::Programs)?;
    print(context.format, &state, |_| String::from("It is taken again when the hub offers it.\n"))
        .map_err(Failure::Print)
}

/// What root wrote the terminal could not read, and what it does not read it does not know.
fn may_write(context: &Context, command: &str) -> Result<(), Failure> {
    let owner = std::fs::metadata(&context.config.data_dir).map_or(0, |meta| meta.uid());
    if rustix::process::geteuid().as_raw() == owner {
        return Ok(());
    }
    Err(Failure::Refused(format!("not as this user: runuser -u cabas-agent -- cabas-agent upgrade {command}")))
}

/// What a start, a sale and `journal verify` do, on a copy.
pub(super) fn self_test(context: &Context, arguments: &SelfTest) -> Result<(), Failure> {
    // The counter goes first, and nobody needs the result of a program that is gone.
    let _niceness = rustix::process::nice(19);
    let _tied = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    let file = arguments.journal.clone();
    let keys = serve::keys(&context.config)?;
    let signer = serve::signer(&context.config, &keys)?;
    let credential = serve::systemd_credential()?;
    let failed = |source| Failure::Journal { file: file.clone(), source };
    let now = Clock::system().now();
    let tried = journal::try_copy(&file, (signer, &keys, credential.as_ref()), now).map_err(failed)?;
    let report = verify(&file, None).map_err(failed)?;
    if !report.sound {
        return Err(Failure::NotSound(report.problems.len()));
    }
    let passed = Passed { version: crate::stamp::version().to_owned(), form: tried.form, rows: report.rows };
    print(context.format, &passed, |passed| {
        format!("Version {} reads this journal: {} rows, form {}.\n", passed.version, passed.rows, passed.form)
    })
    .map_err(Failure::Print)
}
