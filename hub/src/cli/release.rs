//! `release key|sign|add|offer|withdraw|list`: programs for terminals. `key` and `sign` need no fund: they run where the
//! release key is kept, which is not the hub.

use std::fs::{OpenOptions, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use cabas_protocol::head::{HeadContext, ObjectType};
use cabas_protocol::release::{PROGRAM_BYTES_MAX, Release};
use cabas_protocol::sign::{ENVELOPE_BYTES_MAX, Payload as _, sha256};
use cabas_protocol::stamp::Stamp;
use cabas_protocol::{Incarnation, PublicKey, Signed, TerminalId, TimeEpoch, Verified};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use crate::core::audit::{COMMAND_LINE, Deed};
use crate::out::{plain, print};
use crate::store::{Note, OpenMode, ReleaseView};
use crate::{keys, releases};

#[derive(Debug, Subcommand)]
pub(super) enum ReleaseCommand {
    /// Make a release key, away from the hub; its public half goes into the configuration of hub and terminals
    Key {
        /// The new file, readable by its owner alone
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Sign a program for terminals, away from the hub
    Sign(Sign),
    /// Take a program that the release key signed; nobody is offered it yet
    Add {
        /// The program, `cabas-agent`
        #[arg(value_name = "PROGRAM")]
        program: PathBuf,
        /// What `release sign` made [default: PROGRAM.release]
        #[arg(long, value_name = "FILE")]
        release: Option<PathBuf>,
    },
    /// Offer a version to one terminal first, later to all
    Offer {
        /// The version, such as 0.2.0
        #[arg(id = "of_version", value_name = "VERSION")]
        version: String,
        /// A terminal's number; may be repeated
        #[arg(long, value_name = "N", required_unless_present = "all")]
        terminal: Vec<u32>,
        /// Every terminal, those to come among them
        #[arg(long, conflicts_with = "terminal")]
        all: bool,
    },
    /// Withdraw a version: who has not started it yet gets it no more
    Withdraw {
        /// The version
        #[arg(id = "of_version", value_name = "VERSION")]
        version: String,
    },
    /// List releases, and how far each terminal is
    List,
}

#[derive(Args, Debug)]
pub(super) struct Sign {
    /// The program, `cabas-agent`, for whatever machine
    #[arg(value_name = "PROGRAM")]
    program: PathBuf,
    /// The release key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where the signed release goes [default: PROGRAM.release]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(context: &Context, command: &ReleaseCommand) -> Result<(), Failure> {
    match command {
        ReleaseCommand::Key { out } => key(context, out),
        ReleaseCommand::Sign(arguments) => sign(context, arguments),
        ReleaseCommand::Add { program, release } => add(context, program, release.as_deref()),
        ReleaseCommand::Offer { version, terminal, all } => offer(context, version, terminal, *all),
        ReleaseCommand::Withdraw { version } => withdraw(context, version),
        ReleaseCommand::List => list(context),
    }
}

#[derive(Serialize)]
struct Made {
    /// The public half, for `release_key`.
    release_key: String,
}

fn key(context: &Context, out: &Path) -> Result<(), Failure> {
    let signer = keys::create_release(out)?;
    print(context.format, &Made { release_key: hex(signer.public()) }, |made| {
        format!(
            "Release key made in {}. Keep it off the hub, and a copy in a safe place.\n\
             In hub.toml and in each agent.toml: release_key = \"{}\"\n",
            out.display(),
            made.release_key
        )
    })
    .map_err(Failure::Print)
}

fn hex(key: &PublicKey) -> String {
    key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Serialize)]
struct Shown {
    version: String,
    target: String,
    size: u32,
    sha256: String,
    journal_form: u16,
    capabilities: Vec<u16>,
    /// The hash of the signed release.
    release: String,
}

impl Shown {
    fn of(release: &Verified<Release>) -> Self {
        let Release { version, target, size, hash, journal_form, capabilities, .. } = release.payload().clone();
        let sha256 = hash.to_string();
        Self { version, target, size, sha256, journal_form, capabilities, release: release.hash().to_string() }
    }

    fn text(&self) -> String {
        format!(
            "{} for {}: {} bytes, journal form {}",
            plain(&self.version),
            plain(&self.target),
            self.size,
            self.journal_form
        )
    }
}

fn program(file: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |source| Failure::File { what: "program", file: file.to_owned(), source };
    let contents = releases::read(file).map_err(failed)?;
    let max = usize::try_from(PROGRAM_BYTES_MAX).unwrap_or(usize::MAX);
    if contents.len() > max {
        return Err(Failure::FileTooLarge { file: file.to_owned(), max });
    }
    Ok(contents)
}

fn beside(program: &Path) -> PathBuf {
    let mut name = program.as_os_str().to_owned();
    name.push(".release");
    PathBuf::from(name)
}

fn sign(context: &Context, arguments: &Sign) -> Result<(), Failure> {
    let signer = keys::load_release(&arguments.key)?;
    let contents = program(&arguments.program)?;
    let no_program = |why: String| Failure::NoProgram { file: arguments.program.clone(), why };
    let (_, stamp) = Stamp::find(&contents).map_err(|error| no_program(error.to_string()))?;
    let none = HeadContext { fund: Release::NO_FUND, incarnation: Incarnation::new(0), time_epoch: TimeEpoch::new(0) };
    let release = Release {
        head: none.head(ObjectType::Release),
        version: stamp.version_text.to_owned(),
        target: stamp.target.to_owned(),
        size: u32::try_from(contents.len()).unwrap_or(u32::MAX),
        hash: sha256(&[&contents]),
        journal_form: stamp.journal_form,
        capabilities: stamp.capabilities,
        signed_at: context.clock.now(),
    };
    let signed = signer.sign(&release);
    let verified = signed.verify(signer.public(), Release::NO_FUND).map_err(|error| no_program(error.to_string()))?;
    let out = arguments.out.clone().unwrap_or_else(|| beside(&arguments.program));
    let written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&out);
    let written = written.and_then(|mut file| {
        // Nothing in it is secret, and on the server it is the hub's user who reads it; this program's umask is for what is.
        file.set_permissions(Permissions::from_mode(0o644))?;
        file.write_all(signed.as_bytes()).and_then(|()| file.sync_all())
    });
    written.map_err(|source| Failure::File { what: "release", file: out.clone(), source })?;
    print(context.format, &Shown::of(&verified), |shown| format!("Signed {}: {}\n", shown.text(), out.display()))
        .map_err(Failure::Print)
}

fn add(context: &Context, file: &Path, release: Option<&Path>) -> Result<(), Failure> {
    let key = context.config.release_key()?.ok_or(Failure::NoReleaseKey)?;
    let from = release.map_or_else(|| beside(file), Path::to_owned);
    let failed = |why: String| Failure::NoRelease { file: from.clone(), why };
    let unread = |source: std::io::Error| {
        if source.kind() == ErrorKind::NotFound {
            return failed(source.to_string());
        }
        Failure::File { what: "release", file: from.clone(), source }
    };
    let bytes = releases::read(&from).map_err(unread)?;
    if bytes.len() > Release::MAX_BYTES.saturating_add(ENVELOPE_BYTES_MAX) {
        return Err(failed(String::from("it is too long")));
    }
    let signed = Signed::<Release>::from_bytes(bytes).map_err(|error| failed(error.to_string()))?;
    let verified = signed.verify(&key, Release::NO_FUND).map_err(|error| failed(error.to_string()))?;
    let contents = program(file)?;
    let is_it = sha256(&[&contents]) == verified.payload().hash;
    if !is_it || u32::try_from(contents.len()).ok() != Some(verified.payload().size) {
        return Err(failed(String::from("it is another program's")));
    }
    let mut db = context.open(OpenMode::Existing)?;
    let dir = context.config.releases_dir();
    releases::keep(&dir, &verified.payload().hash, &contents).map_err(|source| Failure::File {
        what: "folder",
        file: dir.clone(),
        source,
    })?;
    let now = context.clock.now();
    let gone = db.write(|tx| {
        let gone = tx.release_add(&signed, &verified, now)?;
        let (subject, detail) = (&verified.payload().version, &verified.payload().target);
        tx.note(Note { who: COMMAND_LINE, deed: Deed::ReleaseAdded, subject, detail }, now)?;
        Ok(gone)
    })?;
    if let Some(program) = gone {
        releases::forget(&dir, &program).map_err(|source| Failure::File { what: "folder", file: dir, source })?;
    }
    print(context.format, &Shown::of(&verified), |shown| {
        format!(
            "Added {}. Offer it to one terminal first: cabas-hub release offer {} --terminal N\n",
            shown.text(),
            shown.version
        )
    })
    .map_err(Failure::Print)
}

#[derive(Serialize)]
struct Offered<'a> {
    version: &'a str,
    terminals: &'a [u32],
    all: bool,
}

fn offer(context: &Context, version: &str, terminals: &[u32], all: bool) -> Result<(), Failure> {
    let named: Vec<TerminalId> = terminals.iter().map(|terminal| TerminalId::new(*terminal)).collect();
    let now = context.clock.now();
    context.open(OpenMode::Existing)?.write(|tx| {
        tx.release_offer(version, if all { None } else { Some(&named) }, now)?;
        let numbers: Vec<String> = terminals.iter().map(u32::to_string).collect();
        let detail = if all { String::from("all") } else { numbers.join(",") };
        tx.note(Note { who: COMMAND_LINE, deed: Deed::ReleaseOffered, subject: version, detail: &detail }, now)
    })?;
    print(context.format, &Offered { version, terminals, all }, |offered| {
        let whom = if offered.all { "every terminal" } else { "the terminals named" };
        format!("{} is offered to {whom}; see how far they are: cabas-hub release list\n", plain(offered.version))
    })
    .map_err(Failure::Print)
}

fn withdraw(context: &Context, version: &str) -> Result<(), Failure> {
    let now = context.clock.now();
    context.open(OpenMode::Existing)?.write(|tx| {
        tx.release_withdraw(version, now)?;
        tx.note(Note { who: COMMAND_LINE, deed: Deed::ReleaseWithdrawn, subject: version, detail: "" }, now)
    })?;
    print(context.format, &Offered { version, terminals: &[], all: false }, |offered| {
        format!(
            "{} is offered to nobody. Where it runs already: cabas-agent upgrade back, on that terminal.\n",
            plain(offered.version)
        )
    })
    .map_err(Failure::Print)
}

#[derive(Serialize)]
struct Listed {
    releases: Vec<ReleaseLine>,
    terminals: Vec<UpgradeLine>,
}

#[derive(Serialize)]
struct ReleaseLine {
    version: String,
    target: String,
    size: u32,
    added_at: u64,
    withdrawn_at: Option<u64>,
    to_all: bool,
    offered_to: Vec<u32>,
}

#[derive(Serialize)]
struct UpgradeLine {
    terminal: u32,
    program: String,
    target: String,
    capabilities: Vec<u16>,
    phase: &'static str,
    version: Option<String>,
    note: String,
    at: u64,
}

fn list(context: &Context) -> Result<(), Failure> {
    let (releases, terminals) = context.open(OpenMode::Existing)?.read(|tx| {
        let mut lines = Vec::new();
        for view in tx.terminals()? {
            if let Some(about) = tx.about_view(view.terminal)? {
                lines.push(UpgradeLine {
                    terminal: view.terminal.get(),
                    phase: crate::admin::overview::phase_name(about.phase),
                    program: about.program,
                    target: about.target,
                    capabilities: about.capabilities,
                    version: about.version,
                    note: about.note,
                    at: about.at.get(),
                });
            }
        }
        Ok((tx.releases()?, lines))
    })?;
    let line = |view: ReleaseView| ReleaseLine {
        version: view.version,
        target: view.target,
        size: view.size,
        added_at: view.added_at.get(),
        withdrawn_at: view.withdrawn_at.map(cabas_protocol::Timestamp::get),
        to_all: view.to_all,
        offered_to: view.offered_to.into_iter().map(TerminalId::get).collect(),
    };
    let listed = Listed { releases: releases.into_iter().map(line).collect(), terminals };
    print(context.format, &listed, table).map_err(Failure::Print)
}

fn table(listed: &Listed) -> String {
    let mut text = String::new();
    for line in &listed.releases {
        let whom = match (line.withdrawn_at, line.to_all) {
            (Some(_), _) => String::from("withdrawn"),
            (None, true) => String::from("offered to all"),
            (None, false) if line.offered_to.is_empty() => String::from("offered to nobody"),
            (None, false) => format!("offered to {:?}", line.offered_to),
        };
        text.push_str(&format!(
            "{:<10} {:<20} {:>9} bytes  {whom}\n",
            plain(&line.version),
            plain(&line.target),
            line.size
        ));
    }
    for line in &listed.terminals {
        let of = line.version.as_deref().map_or(String::new(), |version| format!(" {version}"));
        text.push_str(&format!(
            "Terminal {:<4} runs {:<10} {}{} {}\n",
            line.terminal,
            plain(&line.program),
            line.phase,
            plain(&of),
            plain(&line.note)
        ));
    }
    if text.is_empty() { String::from("No release, and no terminal has asked for one.\n") } else { text }
}
