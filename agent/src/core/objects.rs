//! Which of the hub's signed objects are taken. Every signature was checked before; here it is about order.
//!
//! A counter of the hub never goes down. What is older than what is held is ignored, for it changes nothing; what
//! contradicts it is refused and raises an alarm.

use cabas_protocol::balance::{Scope, SignedBalance};
use cabas_protocol::hot_list::HotList;
use cabas_protocol::keys::{SLOT_KEYS_KEPT, SlotKey};
use cabas_protocol::objects::{Binding, Grid, Policy, TerminalConfig};
use cabas_protocol::{CardRef, Cents, Epoch, Incarnation, PurseRef, Serial, TerminalId, TimeEpoch, Timestamp, Version};
use std::fmt;

/// This terminal's enrolment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Me {
    /// The terminal.
    pub terminal: TerminalId,
    /// Its enrolment.
    pub epoch: Epoch,
}

/// What to do with an object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It is newer: it replaces what is held.
    Take,
    /// It is held already, or older.
    Ignore,
    /// It contradicts what is held.
    Reject(Alarm),
}

/// What somebody at the fund has to look at. Pseudonyms are shortened: this goes into logs.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Alarm {
    /// A higher serial that allows less.
    #[error("balance {serial} of purse {purse} allows {offered}, less than the {held} held: not taken")]
    LowerAllowed {
        /// The purse.
        purse: Masked,
        /// The serial of the offered balance.
        serial: Serial,
        /// What is held.
        held: Cents,
        /// What came.
        offered: Cents,
    },
    /// The same number with other contents.
    #[error("{what} with number {number} came a second time with other contents: not taken")]
    SameNumber {
        /// What it is.
        what: &'static str,
        /// Its number.
        number: u32,
    },
    /// Made for another terminal or epoch.
    #[error("{what} made for another terminal or enrolment: not taken")]
    Misaddressed {
        /// What it is.
        what: &'static str,
    },
    /// A card with another purse.
    #[error("a binding gives card {card} another purse: not taken")]
    CardChangedPurse {
        /// The card.
        card: Masked,
    },
    /// A step of the hot list that starts elsewhere.
    #[error("hot list {version} is a step from {base}, and {held} is held: the whole list is asked for")]
    ListGap {
        /// What is held.
        held: Version,
        /// Where the step starts.
        base: Version,
        /// Where it leads.
        version: Version,
    },
    /// An object that is not signed by a key of the fund, or not one of the known forms.
    #[error("an object of the hub was not taken: {why}")]
    NotGenuine {
        /// What is wrong with it.
        why: String,
    },
    /// The hub has rows that this journal does not have.
    #[error("the hub has row {acked}, which this journal has not written: the journal was put back or copied")]
    JournalBehind {
        /// The newest row that the hub has.
        acked: u32,
    },
    /// A card that is bound as one that proves itself, and there is a copy of it.
    #[error("card {card} {sign}: not accepted, and the fund should block it")]
    CardCopied {
        /// The card.
        card: Masked,
        /// What says so.
        sign: CopySign,
    },
    /// The hub has another row in the place of one of this journal.
    #[error("row {acked} at the hub is not the row of this journal: the journal was copied")]
    JournalForked {
        /// The row.
        acked: u32,
    },
}

/// What says that a card is a copy, or was copied.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CopySign {
    /// What has its number does not have its key.
    #[error("did not prove that it has its key")]
    NoKey,
    /// It proved another number than it shows.
    #[error("proved another number than it shows")]
    OtherNumber,
    /// It counted its taps further before.
    #[error("counted {counter} taps, and {held} before")]
    CounterFell {
        /// What it showed before.
        held: u32,
        /// What it shows.
        counter: u32,
    },
}

/// The first two bytes of a pseudonym.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Masked(u8, u8);

impl From<PurseRef> for Masked {
    fn from(purse: PurseRef) -> Self {
        let [a, b, ..] = *purse.as_bytes();
        Self(a, b)
    }
}

impl From<CardRef> for Masked {
    fn from(card: CardRef) -> Self {
        let [a, b, ..] = *card.as_bytes();
        Self(a, b)
    }
}

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}{:02x}…", self.0, self.1)
    }
}

impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The newest balance held under a scope.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HeldBalance {
    /// Its number.
    pub serial: Serial,
    /// What it allows.
    pub allowed: Cents,
    /// When the hub made it.
    pub issued_at: Timestamp,
    /// False where its key was taken back: a hub that was restored from before may allow less.
    pub binds: bool,
}

/// Whether a balance is taken.
#[must_use]
pub fn balance(me: Me, held: Option<HeldBalance>, offered: &SignedBalance) -> Verdict {
    match offered.scope {
        Scope::Card => {}
        Scope::Terminal(terminal, epoch) if (terminal, epoch) == (me.terminal, me.epoch) => {}
        Scope::Terminal(..) => return Verdict::Reject(Alarm::Misaddressed { what: "a balance" }),
    }
    let Some(held) = held else { return Verdict::Take };
    let lower = Alarm::LowerAllowed {
        purse: offered.purse.into(),
        serial: offered.serial,
        held: held.allowed,
        offered: offered.allowed,
    };
    match offered.serial.cmp(&held.serial) {
        std::cmp::Ordering::Less => Verdict::Ignore,
        std::cmp::Ordering::Equal if offered.allowed != held.allowed => {
            Verdict::Reject(Alarm::SameNumber { what: "a balance", number: offered.serial.get() })
        }
        // Signed again with a later date: the same authority, renewed.
        std::cmp::Ordering::Equal if offered.issued_at > held.issued_at || !held.binds => Verdict::Take,
        std::cmp::Ordering::Equal => Verdict::Ignore,
        std::cmp::Ordering::Greater if held.binds && offered.allowed < held.allowed => Verdict::Reject(lower),
        std::cmp::Ordering::Greater => Verdict::Take,
    }
}

/// The binding held of a card.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HeldBinding {
    /// Its version.
    pub version: Version,
    /// The card's purse.
    pub purse: PurseRef,
}

/// Whether a binding is taken.
#[must_use]
pub fn binding(held: Option<HeldBinding>, offered: &Binding) -> Verdict {
    match held {
        None => Verdict::Take,
        Some(held) if offered.version <= held.version => Verdict::Ignore,
        Some(held) if offered.purse != held.purse => {
            Verdict::Reject(Alarm::CardChangedPurse { card: offered.card.into() })
        }
        Some(_) => Verdict::Take,
    }
}

/// A key held of a card.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HeldSlotKey {
    /// The number of the key on the card.
    pub slot: u8,
    /// Its version.
    pub version: u8,
    /// True where it is the key that is offered; asked only of the same slot and version.
    pub is_same: bool,
}

/// Whether the key of a card is taken; `held` are the keys held of that card. One may come before the card has it, and the
/// one that the card has after it.
#[must_use]
pub fn slot_key(me: Me, held: &[HeldSlotKey], offered: &SlotKey) -> Verdict {
    if (offered.terminal, offered.epoch) != (me.terminal, me.epoch) {
        return Verdict::Reject(Alarm::Misaddressed { what: "a card's key" });
    }
    let newer = held.iter().filter(|held| held.slot == offered.slot && held.version > offered.version).count();
    match held.iter().find(|held| (held.slot, held.version) == (offered.slot, offered.version)) {
        Some(held) if held.is_same => Verdict::Ignore,
        Some(held) => Verdict::Reject(Alarm::SameNumber { what: "a card's key", number: held.version.into() }),
        None if newer >= usize::from(SLOT_KEYS_KEPT) => Verdict::Ignore,
        None => Verdict::Take,
    }
}

/// What to do with a hot list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ListVerdict {
    /// It is the whole list.
    Replace,
    /// It is the step from the list held.
    Step,
    /// It is held already, or older.
    Ignore,
    /// It starts from a list that is not held.
    Gap(Alarm),
}

/// Whether a hot list is taken. Its version never goes down.
#[must_use]
pub fn hot_list(held: Version, offered: &HotList) -> ListVerdict {
    if offered.version <= held {
        return ListVerdict::Ignore;
    }
    if offered.base == Version::new(0) {
        return ListVerdict::Replace;
    }
    if offered.base == held {
        return ListVerdict::Step;
    }
    ListVerdict::Gap(Alarm::ListGap { held, base: offered.base, version: offered.version })
}

/// Whether limits are taken.
#[must_use]
pub fn policy(held: Option<&Policy>, offered: &Policy) -> Verdict {
    match held {
        Some(held) if offered.id < held.id => Verdict::Ignore,
        Some(held) if offered.id == held.id && same_limits(held, offered) => Verdict::Ignore,
        Some(held) if offered.id == held.id => {
            Verdict::Reject(Alarm::SameNumber { what: "a policy", number: offered.id.get() })
        }
        Some(_) | None => Verdict::Take,
    }
}

fn same_limits(held: &Policy, offered: &Policy) -> bool {
    *held == Policy { head: held.head, ..offered.clone() }
}

/// Whether a grid is taken; `held` is the grid of the same version.
#[must_use]
pub fn grid(me: Me, held: Option<&Grid>, offered: &Grid) -> Verdict {
    if offered.terminal != me.terminal {
        return Verdict::Reject(Alarm::Misaddressed { what: "a grid" });
    }
    match held {
        None => Verdict::Take,
        Some(held) if *held == (Grid { head: held.head, ..offered.clone() }) => Verdict::Ignore,
        Some(_) => Verdict::Reject(Alarm::SameNumber { what: "a grid", number: offered.version.get() }),
    }
}

/// Whether a terminal's configuration is taken.
#[must_use]
pub fn terminal_config(me: Me, held: Option<&TerminalConfig>, offered: &TerminalConfig) -> Verdict {
    if (offered.terminal, offered.epoch) != (me.terminal, me.epoch) {
        return Verdict::Reject(Alarm::Misaddressed { what: "a configuration" });
    }
    match held {
        Some(held) if offered.version <= held.version => Verdict::Ignore,
        Some(_) | None => Verdict::Take,
    }
}

/// The hub's life and run of time, as it signs them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HubLife {
    /// +1 at each restore.
    pub incarnation: Incarnation,
    /// +1 at each reset of time.
    pub time_epoch: TimeEpoch,
}

impl HubLife {
    /// True where an answer of life `seen` is believed: an older one comes from a copy of the hub that was replaced.
    #[must_use]
    pub fn believes(self, seen: Self) -> bool {
        seen.incarnation >= self.incarnation && seen.time_epoch >= self.time_epoch
    }
}

#[cfg(test)]
#[path = "objects_tests.rs"]
mod tests;
