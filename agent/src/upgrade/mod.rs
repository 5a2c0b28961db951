//! How a terminal comes by another program and gets rid of it again: fetched with little memory, signed by the fund's
//! release key, tried on a copy of the journal, started when nobody is served, and put back by the launcher where it does
//! not work. Pure: [`state`] (what is started) and [`offer`] (what is taken); the rest is files, calls and processes.

pub mod files;
pub mod health;
pub mod offer;
pub mod selftest;
pub mod state;
pub mod take;

use crate::sync::Told;
use cabas_protocol::Hash;
use cabas_protocol::release::{Trouble, UpgradePhase};
use serde_json::{Value, json};
use std::sync::{Mutex, PoisonError};

/// What the launcher tells the program that it starts: that somebody puts it back where it does not work.
pub const LAUNCHED: &str = "CABAS_LAUNCHED";

/// How an upgrade goes, for the screens and the hub.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct View {
    /// The phase.
    pub phase: UpgradePhase,
    /// The release that it is about, and its version.
    pub release: Option<(Hash, String)>,
    /// What there is to say, in English.
    pub note: String,
}

impl View {
    /// A phase of a release.
    #[must_use]
    pub fn of(phase: UpgradePhase, release: &offer::Offered) -> Self {
        Self { phase, release: Some((release.id, release.release.version.clone())), note: String::new() }
    }

    /// The same with something to say.
    #[must_use]
    pub fn saying(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    fn told(&self, troubles: Vec<Trouble>) -> Told {
        let release = self.release.as_ref().map(|(release, _)| *release);
        Told { phase: self.phase, release, note: self.note.clone(), troubles }
    }
}

/// A phase's name in the local API.
#[must_use]
pub const fn phase_name(phase: UpgradePhase) -> &'static str {
    match phase {
        UpgradePhase::None => "none",
        UpgradePhase::Loading => "loading",
        UpgradePhase::Testing => "testing",
        UpgradePhase::Ready => "ready",
        UpgradePhase::Trial => "trial",
        UpgradePhase::Refused => "refused",
        UpgradePhase::RolledBack => "rolled_back",
        UpgradePhase::NoKey => "no_key",
    }
}

/// How an upgrade goes, as whoever asks sees it.
#[derive(Debug)]
pub struct Board(Mutex<View>);

impl Default for Board {
    fn default() -> Self {
        Self(Mutex::new(View { phase: UpgradePhase::None, release: None, note: String::new() }))
    }
}

impl Board {
    fn set(&self, view: View) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = view;
    }

    fn view(&self) -> View {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn json(&self) -> Value {
        let View { phase, release, note } = self.view();
        json!({ "phase": phase_name(phase), "version": release.map(|(_, version)| version), "note": note })
    }
}
