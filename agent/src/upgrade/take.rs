//! The task that asks the hub, fetches what it offers, has it tried, and asks for the restart when nobody is served.

use super::files::{Folder, FolderError, Part};
use super::health::{Health, confirm};
use super::offer::{Here, Offered, judge};
use super::selftest::{Trial, TrialError};
use super::state::{Bad, Held, Slot, State, Why};
use super::{Board, View};
use crate::journal::FORM;
use crate::service::Service;
use crate::sync::{CallError, HubLink, SyncError, Told, verified_release};
use cabas_protocol::release::{AboutAnswer, Capability, PIECE_BYTES_MAX, UpgradePhase};
use cabas_protocol::{Hash, PublicKey, RefusalCode};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The pause between two pieces: a shop's line is used by others too.
const PIECE_PAUSE: Duration = Duration::from_millis(20);
/// The pause while somebody is served, and between two looks at whether nobody is.
const LOOK: Duration = Duration::from_secs(1);
/// How long a program on trial may live without having worked.
const TRIAL_MAX: Duration = Duration::from_mins(10);
/// Tries of one piece before the next question to the hub.
const PIECE_TRIES: u32 = 8;

/// How it is set.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The fund's release key; without one nothing is taken.
    pub key: Option<PublicKey>,
    /// The configuration's file, where one was named.
    pub config: Option<PathBuf>,
    /// The data folder.
    pub data_dir: PathBuf,
    /// The journal.
    pub journal: PathBuf,
    /// Where the page is.
    pub page: SocketAddr,
    /// True where the launcher started this program.
    pub is_launched: bool,
    /// How often the hub is asked.
    pub every: Duration,
    /// How long nobody must have been served before a restart.
    pub quiet: Duration,
    /// How long a program on trial must work.
    pub trial: Duration,
}

/// The task.
pub struct Upgrader {
    /// How it is set.
    pub setting: Setting,
    /// The way to the hub.
    pub link: Arc<HubLink>,
    /// The counter.
    pub service: Arc<Service>,
    /// Whether the reader's thread works.
    pub reader_alive: Box<dyn Fn() -> bool + Send + Sync>,
}

/// Why a release is not being taken at present.
#[derive(Debug, thiserror::Error)]
enum NotTaken {
    #[error(transparent)]
    Sync(#[from] SyncError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("what came is not what was signed; it is fetched anew")]
    WrongHash,
    #[error(transparent)]
    Trial(#[from] TrialError),
    #[error("the hub withdrew it")]
    Withdrawn,
}

impl Upgrader {
    /// Works for as long as the program runs; `restart` is set when it is to end and start again.
    pub async fn run(self, restart: watch::Sender<bool>) {
        let folder = Folder::of(&self.setting.data_dir);
        folder.tidy();
        let own = own_slot(&folder);
        let state = folder.state();
        if let Some(slot) = own.filter(|slot| state.trial.is_some_and(|trial| trial.slot == *slot))
            && !self.on_trial(&folder, &state, slot).await
        {
            restart.send_replace(true);
            return;
        }
        self.board().set(self.standing(&folder.state()));
        loop {
            match self.ask(&folder).await {
                Ok(true) => {
                    restart.send_replace(true);
                    return;
                }
                Ok(false) => {}
                Err(error) => tracing::debug!(%error, "the hub was not asked about programs"),
            }
            tokio::time::sleep(self.setting.every).await;
        }
    }

    fn board(&self) -> &Board {
        &self.service.upgrade
    }

    fn told(&self, view: &View) -> Told {
        view.told(self.service.troubles())
    }

    /// The hub is told of the trial, but not waited for. False where the program lives and does not work: its next start
    /// counts, and after the last one the program before comes back.
    async fn on_trial(&self, folder: &Folder, state: &State, slot: Slot) -> bool {
        if let Some(held) = state.held(slot) {
            let release = hash_of(&held.release).map(|hash| (hash, held.version.clone()));
            self.board().set(View { phase: UpgradePhase::Trial, release, note: String::new() });
        }
        let health = Health { service: &self.service, reader_alive: &*self.reader_alive, page: self.setting.page };
        let patience = TRIAL_MAX.max(self.setting.trial.saturating_mul(4));
        if tokio::time::timeout(patience, health.wait(self.setting.trial)).await.is_err() {
            tracing::error!(slot = slot.name(), "the new program does not become healthy; it is started again");
            // A counter that does not answer serves nobody.
            while tokio::time::timeout(LOOK, self.service.rests(true))
                .await
                .is_ok_and(|rests| rests.is_ok_and(|rests| !rests))
            {
                tokio::time::sleep(LOOK).await;
            }
            return false;
        }
        confirm(folder, slot).await;
        true
    }

    /// What there is to say where nothing is under way.
    fn standing(&self, state: &State) -> View {
        let none = View { phase: UpgradePhase::None, release: None, note: String::new() };
        let rolled_back = crate::stamp::own().and_then(|own| state.rolled_back(own.version));
        if let Some(Bad { release, version, why }) = rolled_back {
            let release = hash_of(release).map(|hash| (hash, version.clone()));
            return View { phase: UpgradePhase::RolledBack, release, ..none }
                .saying(format!("{version}: {}", why.text()));
        }
        match (self.setting.key, self.setting.is_launched) {
            (None, _) => View { phase: UpgradePhase::NoKey, ..none }.saying("release_key is not set"),
            (Some(_), false) => View { phase: UpgradePhase::NoKey, ..none }.saying("not started by cabas-agent launch"),
            (Some(_), true) => none,
        }
    }

    /// Asks the hub and takes what it offers. True where the program is to be started again.
    async fn ask(&self, folder: &Folder) -> Result<bool, SyncError> {
        let answer = match self.link.about(self.told(&self.board().view())).await {
            Err(SyncError::Call(CallError::Refused(RefusalCode::NotSupported))) => {
                tracing::debug!("the hub knows nothing of releases");
                return Ok(false);
            }
            answer => answer?,
        };
        let Some(key) = self.setting.key else { return Ok(false) };
        let offered = match offer_of(&answer, &key) {
            Ok(Some(offered)) => offered,
            Ok(None) => {
                self.board().set(self.standing(&folder.state()));
                return Ok(false);
            }
            Err(error) => {
                tracing::error!(%error, "the hub offers a program that the fund's release key did not sign");
                let note = String::from("the release key did not sign what is offered");
                self.say(View { phase: UpgradePhase::Refused, release: None, note }).await;
                return Ok(false);
            }
        };
        let state = folder.state();
        let bad = state.bad(&offered.name()).cloned();
        if let Err(refused) = self.judge(&offered, &state) {
            let phase = match bad {
                Some(bad) if bad.why.is_rollback() => UpgradePhase::RolledBack,
                Some(_) | None => UpgradePhase::Refused,
            };
            self.say(View::of(phase, &offered).saying(format!("{}: {refused}", offered.release.version))).await;
            return Ok(false);
        }
        match self.take(folder, &offered).await {
            Ok(()) if self.leave(&offered).await => Ok(true),
            Ok(()) => {
                let mut state = folder.state();
                if let Some(trial) = state.trial {
                    state.clear(trial.slot);
                    if let Err(error) = folder.save(&state) {
                        tracing::error!(%error, "a withdrawn program stays on trial");
                    }
                }
                self.say(self.standing(&state)).await;
                Ok(false)
            }
            Err(error) => {
                tracing::warn!(version = offered.release.version, %error, "a release was not taken");
                let note = format!("{}: {error}", offered.release.version);
                self.say(View::of(UpgradePhase::Refused, &offered).saying(note)).await;
                Ok(false)
            }
        }
    }

    /// Shows something, and tells the hub where that was not told yet.
    async fn say(&self, view: View) {
        if self.board().view() == view {
            return;
        }
        self.board().set(view.clone());
        if let Err(error) = self.link.about(self.told(&view)).await {
            tracing::debug!(%error, "the hub was not told of the upgrade");
        }
    }

    fn judge(&self, offered: &Offered, state: &State) -> Result<(), super::offer::Refused> {
        let room = rustix::fs::statvfs(&self.setting.data_dir).ok();
        let own = crate::stamp::own();
        let Some(version) = own.as_ref().map(|stamp| stamp.version) else {
            return Err(super::offer::Refused::OtherMachine(offered.release.target.clone()));
        };
        let here = Here {
            version,
            target: crate::stamp::target(),
            journal_form: FORM,
            is_launched: self.setting.is_launched,
            free_bytes: room.map(|room| room.f_bavail.saturating_mul(room.f_frsize)),
            journal_bytes: std::fs::metadata(&self.setting.journal).map_or(0, |meta| meta.len()),
        };
        judge(offered, &here, state)
    }

    /// Fetches, tries and puts on trial.
    async fn take(&self, folder: &Folder, offered: &Offered) -> Result<(), NotTaken> {
        self.say(View::of(UpgradePhase::Loading, offered)).await;
        let slot = folder.state().free_slot();
        let mut state = folder.state();
        if state.held(slot).is_some() {
            // Nothing that is about to be written over may be started.
            state.clear(slot);
            folder.save(&state)?;
        }
        let part = self.fetch(folder, slot, offered).await?;
        folder.put(slot, part)?;
        self.say(View::of(UpgradePhase::Testing, offered)).await;
        self.trial(folder, slot, offered).await?;
        let release = &offered.release;
        let held = Held {
            version: release.version.clone(),
            release: offered.name(),
            hash: release.hash.to_string(),
            size: release.size,
            journal_form: release.journal_form,
            worked: false,
        };
        let mut state = folder.state();
        state.try_next(slot, held);
        folder.save(&state)?;
        tracing::info!(version = release.version, slot = slot.name(), "a new program is ready");
        self.say(View::of(UpgradePhase::Ready, offered)).await;
        Ok(())
    }

    /// Piece by piece, going on where an earlier try ended.
    async fn fetch(&self, folder: &Folder, slot: Slot, offered: &Offered) -> Result<Part, NotTaken> {
        let size = u64::from(offered.release.size);
        let mut part = folder.part(slot, &offered.name())?;
        if part.length() > size {
            part.empty()?;
        }
        let mut failures = 0;
        while part.length() < size {
            if !self.service.rests(false).await.unwrap_or(false) {
                tokio::time::sleep(LOOK).await;
                continue;
            }
            let left = size.saturating_sub(part.length());
            let length = u32::try_from(left).unwrap_or(u32::MAX).min(PIECE_BYTES_MAX);
            let from = u32::try_from(part.length()).unwrap_or(u32::MAX);
            match self.link.piece(offered.id, from, length).await {
                Ok(bytes) if !bytes.is_empty() && bytes.len() <= usize::try_from(length).unwrap_or(0) => {
                    failures = 0;
                    part.add(&bytes)?;
                }
                Ok(_) => return Err(NotTaken::WrongHash),
                Err(SyncError::Call(CallError::Refused(RefusalCode::NotFound))) => return Err(NotTaken::Withdrawn),
                Err(error) => {
                    failures = u32::saturating_add(failures, 1);
                    if failures >= PIECE_TRIES {
                        return Err(error.into());
                    }
                    tokio::time::sleep(LOOK.saturating_mul(failures)).await;
                }
            }
            tokio::time::sleep(PIECE_PAUSE).await;
        }
        if part.hash() == offered.release.hash.to_string() {
            return Ok(part);
        }
        part.empty()?;
        Err(NotTaken::WrongHash)
    }

    /// Tries it on a copy of the journal; a program that fails is not taken again.
    async fn trial(&self, folder: &Folder, slot: Slot, offered: &Offered) -> Result<(), NotTaken> {
        let trial = Trial {
            config: self.setting.config.clone(),
            journal: self.setting.journal.clone(),
            copy: folder.copy(),
            program: folder.program(slot),
            version: offered.release.version.clone(),
            form: offered.release.journal_form.into(),
        };
        folder.tidy();
        // A thread of its own: a program that is told to end does not wait for it.
        let (tell, told) = tokio::sync::oneshot::channel();
        let hold = move || drop(tell.send(trial.hold()));
        let thread = std::thread::Builder::new().name(String::from("cabas-trial")).spawn(hold);
        let held = match thread {
            Ok(_) => told.await.unwrap_or_else(|error| Err(TrialError::NotHeld(error.to_string()))),
            Err(error) => Err(TrialError::NotHeld(error.to_string())),
        };
        folder.tidy();
        let why = match &held {
            Ok(passed) => {
                tracing::info!(version = passed.version, rows = passed.rows, "a new program passed its trial");
                return Ok(());
            }
            Err(TrialError::Failed(_)) => Why::SelfTest,
            Err(TrialError::NotUndoable(_)) => Why::NotUndoable,
            Err(TrialError::NotHeld(_) | TrialError::Unsound(_)) => return Ok(held.map(drop)?),
        };
        let mut state = folder.state();
        state.note_bad(&offered.name(), &offered.release.version, why);
        folder.save(&state)?;
        Ok(held.map(drop)?)
    }

    /// Waits until nobody has been served for a while, and then lets nobody begin. False where the hub withdrew the release
    /// meanwhile; one that is not reached has not.
    async fn leave(&self, offered: &Offered) -> bool {
        let newest = || self.service.journal().published().state.newest.chain.seq;
        let (mut seen, mut quiet) = (newest(), Duration::ZERO);
        loop {
            let is_time = quiet >= self.setting.quiet;
            if is_time && !self.is_still_offered(offered).await {
                return false;
            }
            let rests = self.service.rests(is_time).await.unwrap_or(false);
            if rests && is_time {
                return true;
            }
            quiet = if rests && newest() == seen { quiet.saturating_add(LOOK) } else { Duration::ZERO };
            seen = newest();
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn is_still_offered(&self, offered: &Offered) -> bool {
        let Some(key) = &self.setting.key else { return false };
        match self.link.about(self.told(&self.board().view())).await {
            Ok(answer) => matches!(offer_of(&answer, key), Ok(Some(now)) if now.id == offered.id),
            Err(_) => true,
        }
    }
}

/// What the hub offers, where the release key signed it.
fn offer_of(answer: &AboutAnswer, key: &PublicKey) -> Result<Option<Offered>, CallError> {
    if !answer.capabilities.contains(&Capability::RELEASES.number()) {
        return Ok(None);
    }
    let Some(bytes) = answer.release.as_deref() else { return Ok(None) };
    let release = verified_release(bytes, key)?;
    Ok(Some(Offered { id: release.hash(), release: release.into_payload() }))
}

/// The slot that this program was started from; none for the packaged one.
fn own_slot(folder: &Folder) -> Option<Slot> {
    folder.slot_of(&std::env::current_exe().ok()?)
}

fn hash_of(text: &str) -> Option<Hash> {
    let (mut bytes, digits) = ([0; 32], text.as_bytes().as_chunks::<2>().0);
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(Hash::new(bytes))
}
