//! `launch`: what systemd starts. It starts the program that is to run, counts the starts of one on trial, and goes back to
//! the one before where that does not work. It needs the network for nothing, and of the configuration only the data folder:
//! a newer program may have settings that this one does not know.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::failure::Failure;
use crate::config::Config;
use crate::out::complain;
use crate::upgrade::LAUNCHED;
use crate::upgrade::files::Folder;
use crate::upgrade::state::{Choice, Held, Slot, State, Why};

/// Starts what is to run. Returns where that is this program.
pub(super) fn launch(config: Option<&Path>) -> Result<(), Failure> {
    let data_dir = Config::data_dir(config)?;
    let folder = Folder::of(&data_dir);
    let packaged = crate::stamp::own().ok_or(Failure::NoStamp)?.version;
    let mut unstartable: BTreeMap<Slot, Why> = BTreeMap::new();
    loop {
        let state = folder.state();
        let broken = |slot: Slot, held: &Held| unstartable.get(&slot).copied().or_else(|| folder.broken(slot, held));
        let (mut choice, next) = state.launch(packaged, true, broken);
        if next != state {
            if let Err(error) = folder.save(&next) {
                complain(&format!("cabas-agent: {error}; nothing new is tried until the disk takes it"));
                choice = state.launch(packaged, false, broken).0;
            } else {
                tell(&state, &next);
            }
        }
        let Choice::Slot(slot) = choice else { return Ok(()) };
        let error = exec(&folder.program(slot), config);
        if matches!(error.kind(), std::io::ErrorKind::OutOfMemory | std::io::ErrorKind::WouldBlock) {
            // No fault of the program: systemd starts it again.
            return Err(Failure::Start { what: "the program", source: error });
        }
        complain(&format!("cabas-agent: the program in slot {} is not started: {error}", slot.name()));
        unstartable.insert(slot, Why::NotStarted);
    }
}

/// Only an error comes back.
fn exec(program: &Path, config: Option<&Path>) -> std::io::Error {
    let mut command = Command::new(program);
    if let Some(config) = config {
        command.arg("--config").arg(config);
    }
    command.arg("run").env(LAUNCHED, "1").exec()
}

fn tell(before: &State, after: &State) {
    for bad in after.bad.iter().filter(|bad| before.bad(&bad.release).is_none()) {
        complain(&format!("cabas-agent: version {} does not run any more: {}", bad.version, bad.why.text()));
    }
    if let Some(trial) = after.trial.filter(|trial| before.trial != Some(*trial)) {
        let version = after.held(trial.slot).map_or("", |held| &held.version);
        complain(&format!(
            "cabas-agent: version {version} is tried; starts left after this one: {}",
            trial.starts_left
        ));
    }
}

/// True where the launcher started this program.
pub(super) fn is_launched() -> bool {
    std::env::var_os(LAUNCHED).is_some()
}

/// The program that the launcher would start, for whoever asks.
pub(super) fn folder(config: &Config) -> (Folder, PathBuf) {
    (Folder::of(&config.data_dir), config.data_dir.join(crate::journal::FILE))
}
