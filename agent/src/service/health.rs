//! The machine's disk and clock, in words.

use super::Service;
use super::board::coded;
use crate::journal::handle::Published;
use crate::journal::second::Second;
use crate::texts::Texts;
use cabas_protocol::row::ClockQuality;
use serde_json::{Value, json};
use tokio::sync::watch;

/// Below so many free bytes people are told: years of sales, or a log that has run away.
pub const DISK_LOW_BYTES: u64 = 200 * 1024 * 1024;
/// Below so many, a sale may be the last one.
pub const DISK_FULL_BYTES: u64 = 20 * 1024 * 1024;

/// How much room there is for rows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Disk {
    /// Enough.
    Ok,
    /// Not for long.
    Low,
    /// None to speak of.
    Full,
}

impl Disk {
    /// What so many free bytes are.
    #[must_use]
    pub const fn of(free_bytes: u64) -> Self {
        if free_bytes < DISK_FULL_BYTES {
            Self::Full
        } else if free_bytes < DISK_LOW_BYTES {
            Self::Low
        } else {
            Self::Ok
        }
    }

    /// Its name in the local API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Low => "low",
            Self::Full => "full",
        }
    }

    /// The name of its message in `agent/locales`.
    #[must_use]
    pub const fn message_id(self) -> &'static str {
        match self {
            Self::Ok => "disk-ok",
            Self::Low => "disk-low",
            Self::Full => "disk-full",
        }
    }

    pub(super) fn json(self, free_bytes: Option<u64>, texts: &Texts) -> Value {
        let words = texts.both(self.message_id());
        json!({
            "state": self.name(),
            "free_bytes": free_bytes,
            "message_fr": words.message_fr,
            "message_en": words.message_en,
        })
    }
}

/// What the quality of the clock is called, and its message.
pub(super) const fn clock_name(quality: ClockQuality) -> (&'static str, &'static str) {
    match quality {
        ClockQuality::Unknown => ("unknown", "clock-unknown"),
        ClockQuality::Carried => ("carried", "clock-carried"),
        ClockQuality::Synced => ("synced", "clock-synced"),
    }
}

/// The words of the clock, to be put beside its state.
pub(super) fn clock_words(texts: &Texts, quality: ClockQuality) -> [(&'static str, Value); 3] {
    let words = coded(texts, clock_name(quality).1, "");
    let word = |key| words.get(key).cloned().unwrap_or_default();
    [
        ("message_fr", word("message_fr")),
        ("message_en", word("message_en")),
        ("well", json!(quality != ClockQuality::Unknown)),
    ]
}

impl Service {
    /// Room on the journal's disk; nothing where nobody said where that is, or the system does not tell: the journal's own
    /// state says what becomes of that.
    pub(super) fn free_bytes(&self) -> Option<u64> {
        let found = rustix::fs::statvfs(self.data_dir.as_deref()?).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }

    /// There is to be a second copy of the journal, and this tells how it stands.
    pub fn has_second(&self, seen: watch::Receiver<Second>) {
        drop(self.second.set(seen));
    }

    /// Tells of each change of the journal.
    #[must_use]
    pub fn journal_changes(&self) -> watch::Receiver<Published> {
        self.journal.watch()
    }

    pub(super) fn second(&self) -> Option<Second> {
        self.second.get().map(|seen| *seen.borrow())
    }
}

/// Ends at a change of how the second copy stands; never where there is none, or its thread is gone.
pub(super) async fn second_changed(second: &mut Option<watch::Receiver<Second>>) {
    let changed = match second {
        Some(seen) => seen.changed().await.is_ok(),
        None => false,
    };
    if !changed {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_low_before_it_is_full() {
        for (free, disk) in [
            (0, Disk::Full),
            (DISK_FULL_BYTES.saturating_sub(1), Disk::Full),
            (DISK_FULL_BYTES, Disk::Low),
            (DISK_LOW_BYTES.saturating_sub(1), Disk::Low),
            (DISK_LOW_BYTES, Disk::Ok),
            (u64::MAX, Disk::Ok),
        ] {
            assert_eq!(Disk::of(free), disk, "{free}");
        }
    }

    #[test]
    fn every_state_has_words() {
        let texts = Texts::default();
        let ids = [Disk::Ok, Disk::Low, Disk::Full].map(Disk::message_id).into_iter();
        let clocks = [ClockQuality::Unknown, ClockQuality::Carried, ClockQuality::Synced];
        for id in ids.chain(clocks.map(|quality| clock_name(quality).1)) {
            let words = texts.both(id);
            assert!(words.message_fr != id && words.message_en != id && words.message_fr != words.message_en, "{id}");
        }
        assert!(clock_words(&texts, ClockQuality::Carried).contains(&("well", json!(true))));
        assert!(clock_words(&texts, ClockQuality::Unknown).contains(&("well", json!(false))));
    }
}
