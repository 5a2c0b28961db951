//! Which program runs, which is on trial, which may never run again: values in, values out.
//!
//! There are three programs at the most: the packaged one, which starts the others and can always start itself, and one in
//! each of two slots. A new one goes to the slot that nothing runs from, is tried a bounded number of times, and confirms
//! itself once it works; where it does not, the one before it runs again.

use cabas_protocol::release::ProgramVersion;
use serde::{Deserialize, Serialize};

/// Starts that a program on trial gets.
pub const STARTS_MAX: u8 = 3;
/// Programs that are remembered as bad.
pub const BAD_MAX: usize = 16;
/// The longest file of this state, in bytes.
pub const STATE_BYTES_MAX: u64 = 16 * 1024;

/// Where a program lies beside the packaged one.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Slot {
    /// The first.
    A,
    /// The second.
    B,
}

impl Slot {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    /// Its folder's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// The program in a slot.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Held {
    /// Its version, a [`ProgramVersion`].
    pub version: String,
    /// The release that it came by: the hash of its envelope, in hexadecimal.
    pub release: String,
    /// SHA-256 of the program, in hexadecimal.
    pub hash: String,
    /// Its length.
    pub size: u32,
    /// The form of the journal that it writes.
    pub journal_form: u16,
    /// True once it worked here.
    pub worked: bool,
}

impl Held {
    fn version(&self) -> Option<ProgramVersion> {
        self.version.parse().ok()
    }
}

/// A program that has to show that it works.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Trial {
    /// Where it lies.
    pub slot: Slot,
    /// Starts that are left to it.
    pub starts_left: u8,
}

/// Why a release is not taken again.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It did not become healthy within its starts.
    NotHealthy,
    /// Its file is gone, cut off or changed.
    Damaged,
    /// The system does not start it.
    NotStarted,
    /// It failed its test on a copy of the journal.
    SelfTest,
    /// It could not be undone: the program that runs cannot read what it makes of the journal.
    NotUndoable,
    /// A person took it back.
    TakenBack,
    /// A reason that only a newer program has a word for.
    #[serde(other)]
    Other,
}

impl Why {
    /// In English, for logs and the admin.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NotHealthy => "it did not become healthy",
            Self::Damaged => "its file is damaged",
            Self::NotStarted => "the system does not start it",
            Self::SelfTest => "it failed its test on a copy of the journal",
            Self::NotUndoable => "it could not be undone: the program that runs cannot read the journal it makes",
            Self::TakenBack => "a person took it back",
            Self::Other => "it did not work",
        }
    }

    /// True where it had run.
    #[must_use]
    pub const fn is_rollback(self) -> bool {
        match self {
            Self::NotHealthy | Self::Damaged | Self::NotStarted | Self::TakenBack => true,
            Self::SelfTest | Self::NotUndoable | Self::Other => false,
        }
    }
}

/// A release that is not taken again.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Bad {
    /// The hash of its envelope, in hexadecimal.
    pub release: String,
    /// Its version.
    pub version: String,
    /// Why.
    pub why: Why,
}

/// What is known of the programs here.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct State {
    /// The slot whose program runs; none for the packaged one.
    pub running: Option<Slot>,
    /// What is on trial.
    pub trial: Option<Trial>,
    /// What lies in the first slot.
    pub a: Option<Held>,
    /// What lies in the second slot.
    pub b: Option<Held>,
    /// What is not taken again, oldest first.
    pub bad: Vec<Bad>,
}

/// What is started.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Choice {
    /// The packaged program.
    Packaged,
    /// The program of a slot.
    Slot(Slot),
}

impl State {
    /// What lies in a slot.
    #[must_use]
    pub const fn held(&self, slot: Slot) -> Option<&Held> {
        match slot {
            Slot::A => self.a.as_ref(),
            Slot::B => self.b.as_ref(),
        }
    }

    const fn held_mut(&mut self, slot: Slot) -> &mut Option<Held> {
        match slot {
            Slot::A => &mut self.a,
            Slot::B => &mut self.b,
        }
    }

    /// Where a new program goes: never where one runs or is tried.
    #[must_use]
    pub fn free_slot(&self) -> Slot {
        match (self.running, self.trial) {
            (Some(slot), _) => slot.other(),
            (None, Some(trial)) => trial.slot.other(),
            (None, None) => Slot::A,
        }
    }

    /// What is bad about a release.
    #[must_use]
    pub fn bad(&self, release: &str) -> Option<&Bad> {
        self.bad.iter().find(|bad| bad.release == release)
    }

    /// The newest failure of a program that is newer than the one that runs: an older one was got over.
    #[must_use]
    pub fn rolled_back(&self, runs: ProgramVersion) -> Option<&Bad> {
        let is_newer = |bad: &&Bad| bad.version.parse().is_ok_and(|version: ProgramVersion| version > runs);
        self.bad.iter().rev().find(|bad| bad.why.is_rollback()).filter(is_newer)
    }

    /// Forgets what lies in a slot that is about to be written.
    pub fn clear(&mut self, slot: Slot) {
        *self.held_mut(slot) = None;
        if self.trial.is_some_and(|trial| trial.slot == slot) {
            self.trial = None;
        }
    }

    /// A whole and tested program lies in a slot: it is on trial from the next start on.
    pub fn try_next(&mut self, slot: Slot, held: Held) {
        *self.held_mut(slot) = Some(Held { worked: false, ..held });
        self.trial = Some(Trial { slot, starts_left: STARTS_MAX });
    }

    /// A release is not taken again.
    pub fn note_bad(&mut self, release: &str, version: &str, why: Why) {
        if self.bad(release).is_none() {
            self.bad.push(Bad { release: release.to_owned(), version: version.to_owned(), why });
        }
        let over = self.bad.len().saturating_sub(BAD_MAX);
        self.bad.drain(..over);
    }

    /// A version that failed may be taken again. False where none of that version did.
    pub fn forget_bad(&mut self, version: &str) -> bool {
        let before = self.bad.len();
        self.bad.retain(|bad| bad.version != version);
        self.bad.len() < before
    }

    /// The program of a slot works: it stays.
    pub fn confirm(&mut self, slot: Slot) {
        if let Some(held) = self.held_mut(slot) {
            held.worked = true;
            self.running = Some(slot);
            self.trial = None;
        }
    }

    /// The trial is over, and it did not work.
    fn give_up(&mut self, slot: Slot, why: Why) {
        self.trial = self.trial.filter(|trial| trial.slot != slot);
        if let Some(Held { release, version, .. }) = self.held_mut(slot).take() {
            self.note_bad(&release, &version, why);
        }
    }

    /// What a person takes back: what is on trial, otherwise what runs. False where the packaged program runs alone.
    pub fn take_back(&mut self) -> bool {
        let slot = self.trial.map(|trial| trial.slot).or(self.running);
        let Some(slot) = slot else { return false };
        self.give_up(slot, Why::TakenBack);
        if self.running == Some(slot) {
            self.running = self.held(slot.other()).is_some_and(|held| held.worked).then(|| slot.other());
        }
        true
    }

    /// What is to be started, with the state to be written down before it is. `broken` says what keeps the program of a slot
    /// from being started, where something does. `can_count` is false where nothing can be written down: then nothing is
    /// tried, for a trial that is not counted has no end.
    #[must_use]
    pub fn launch(
        &self,
        packaged: ProgramVersion,
        can_count: bool,
        mut broken: impl FnMut(Slot, &Held) -> Option<Why>,
    ) -> (Choice, Self) {
        let mut next = self.clone();
        let is_old = |held: &Held| held.version().is_none_or(|version| version <= packaged);
        // A newer package is what a person installed last: what is no newer is of no use any more.
        for slot in Slot::BOTH {
            if next.held(slot).is_some_and(is_old) {
                next.clear(slot);
            }
        }
        if let Some(Trial { slot, starts_left }) = next.trial {
            let fault = match next.held(slot) {
                None => Some(Why::Damaged),
                Some(held) => broken(slot, held).or((starts_left == 0).then_some(Why::NotHealthy)),
            };
            match fault {
                None if can_count => {
                    next.trial = Some(Trial { slot, starts_left: starts_left.saturating_sub(1) });
                    return (Choice::Slot(slot), next);
                }
                // It is tried once something can be written down again.
                None => {}
                Some(why) => next.give_up(slot, why),
            }
        }
        let trial = next.trial.map(|trial| trial.slot);
        let first = next.running;
        for slot in first.into_iter().chain(Slot::BOTH.into_iter().filter(|slot| Some(*slot) != first)) {
            let Some(held) = next.held(slot).cloned() else { continue };
            if Some(slot) == trial || !held.worked {
                continue;
            }
            match broken(slot, &held) {
                None => {
                    next.running = Some(slot);
                    return (Choice::Slot(slot), next);
                }
                Some(why) => next.give_up(slot, why),
            }
        }
        next.running = None;
        (Choice::Packaged, next)
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
