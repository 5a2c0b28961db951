//! How old things are, without trusting the wall clock.
//!
//! An [`Anchor`] ties a moment of this machine to hub time. Within a run of the system, time is what has elapsed since
//! the anchor; no change of the wall clock touches it. Across a restart the time switched off is taken from the wall
//! clock where that is plausible, and otherwise counted as nothing: an age may be too small then, which a list's age
//! and a balance's validity can bear, for neither frees money.

use cabas_protocol::ids::BootId;
use cabas_protocol::row::ClockQuality;
use cabas_protocol::{TimeEpoch, Timestamp};

/// The longest time switched off that a wall clock is believed: past it the clock is wrong, not the shop closed.
pub const GAP_S_MAX: u64 = 400 * 24 * 3600;
/// How far the wall clock may be from hub time and still count as right.
pub const DRIFT_S_MAX: u64 = 300;
/// By how much wall time and elapsed time may differ between two rows before the clock counts as set.
pub const CLOCK_STEP_S_MAX: u64 = 60;

/// What this machine's clocks say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Moment {
    /// The run of the operating system.
    pub boot: BootId,
    /// Milliseconds since it started, sleep included.
    pub monotonic_ms: u64,
    /// The wall clock.
    pub wall: Timestamp,
}

impl Moment {
    /// Seconds since an earlier moment of the same run.
    #[must_use]
    pub fn elapsed_s(self, earlier: Self) -> Option<u64> {
        (self.boot == earlier.boot)
            .then(|| self.monotonic_ms.saturating_sub(earlier.monotonic_ms).checked_div(1000))
            .flatten()
    }
}

/// Ties a moment to hub time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Anchor {
    /// The moment.
    pub at: Moment,
    /// Hub time at that moment, as well as it is known.
    pub time: Timestamp,
    /// True where the hub said it in the run of `at`; false where it was carried over a restart.
    pub synced: bool,
}

impl Anchor {
    /// Hub time now, as well as it is known.
    #[must_use]
    pub fn time(self, now: Moment) -> Timestamp {
        match now.elapsed_s(self.at) {
            Some(elapsed_s) => self.time.after_s(elapsed_s),
            None => self.carry(self.at, now).time,
        }
    }

    /// The anchor after a restart. `last` is the newest moment known of the run before.
    #[must_use]
    pub fn carry(self, last: Moment, now: Moment) -> Self {
        let time = last.elapsed_s(self.at).map_or(self.time, |elapsed_s| self.time.after_s(elapsed_s));
        let gap_s = now.wall.get().checked_sub(time.get()).filter(|gap_s| *gap_s <= GAP_S_MAX);
        let up_s = now.monotonic_ms.checked_div(1000).unwrap_or(0);
        // The machine has been up for so long at least, whatever the wall clock says.
        Self { at: now, time: time.after_s(gap_s.unwrap_or(0).max(up_s)), synced: false }
    }

    /// How far the wall clock is to be trusted.
    #[must_use]
    pub fn quality(self, now: Moment) -> ClockQuality {
        let time = self.time(now).get();
        let off_s = now.wall.get().abs_diff(time);
        match (self.synced && self.at.boot == now.boot, off_s <= DRIFT_S_MAX) {
            (true, true) => ClockQuality::Synced,
            (false, true) => ClockQuality::Carried,
            (true | false, false) => ClockQuality::Unknown,
        }
    }
}

/// True where the wall clock was set between two rows: it went back, or on by more than what elapsed.
#[must_use]
pub fn clock_was_set(last: Moment, now: Moment) -> bool {
    match now.elapsed_s(last) {
        Some(elapsed_s) => last.wall.after_s(elapsed_s).get().abs_diff(now.wall.get()) > CLOCK_STEP_S_MAX,
        None => now.wall < last.wall,
    }
}

/// Hub-signed time. It only goes forward, unless the hub signs a higher time epoch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ratchet {
    /// The run of hub time.
    pub time_epoch: TimeEpoch,
    /// The latest time that the hub signed in it.
    pub time: Timestamp,
}

impl Ratchet {
    /// The ratchet after the hub signed `seen`; nothing where that belongs to a run of time that is over.
    #[must_use]
    pub fn turn(self, seen: Self) -> Option<Self> {
        match seen.time_epoch.cmp(&self.time_epoch) {
            std::cmp::Ordering::Less => None,
            std::cmp::Ordering::Equal => Some(Self { time: self.time.max(seen.time), ..self }),
            std::cmp::Ordering::Greater => Some(seen),
        }
    }
}

/// What counts towards a limit per business day.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DaySum<T> {
    /// The day, in days since 1970-01-01.
    pub day: u32,
    /// The sum.
    pub sum: T,
}

impl<T: Default> DaySum<T> {
    /// What counts today. A day that lies in the future was a wrong clock: it is forgotten once the hub says what time
    /// it is, and kept until then, so that turning the clock back and on frees nothing.
    #[must_use]
    pub fn today(self, today: u32, synced: bool) -> T {
        if self.day == today || (self.day > today && !synced) { self.sum } else { T::default() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, clippy::integer_division, reason = "small numbers")]
    use super::*;
    use proptest::prelude::*;

    const HUB: u64 = 1_800_000_000;

    fn moment(boot: u8, seconds: u64, wall: u64) -> Moment {
        Moment { boot: BootId::new([boot; 8]), monotonic_ms: seconds * 1000, wall: Timestamp::new(wall) }
    }

    fn anchor() -> Anchor {
        Anchor { at: moment(1, 100, HUB), time: Timestamp::new(HUB), synced: true }
    }

    #[test]
    fn within_a_run_the_wall_clock_changes_nothing() {
        for wall in [0, 1, HUB - 31_536_000, HUB, HUB + 1000, 4_070_908_800, u64::MAX] {
            assert_eq!(anchor().time(moment(1, 160, wall)).get(), HUB + 60, "wall {wall}");
        }
    }

    #[test]
    fn across_a_restart_a_plausible_clock_tells_the_time_switched_off() {
        let last = moment(1, 200, HUB + 100);
        for (wall, up_s, time) in [
            (HUB + 100, 5, HUB + 105),
            (HUB + 86_500, 5, HUB + 86_500),
            (0, 5, HUB + 105),
            (HUB - 31_536_000, 30, HUB + 130),
            (4_070_908_800, 5, HUB + 105),
            (HUB + 100 + GAP_S_MAX, 5, HUB + 100 + GAP_S_MAX),
            (HUB + 101 + GAP_S_MAX, 5, HUB + 105),
        ] {
            // What the wall clock said before does not matter.
            let last = Moment { wall: Timestamp::new(wall / 2), ..last };
            let carried = anchor().carry(last, moment(2, up_s, wall));
            assert_eq!(carried.time.get(), time, "wall {wall}");
            assert!(!carried.synced);
        }
    }

    #[test]
    fn the_quality_of_the_clock_follows_from_hub_time() {
        let carried = anchor().carry(moment(1, 200, HUB + 100), moment(2, 1, HUB + 200));
        for (anchor, now, quality) in [
            (anchor(), moment(1, 160, HUB + 60), ClockQuality::Synced),
            (anchor(), moment(1, 160, HUB + 60 + DRIFT_S_MAX), ClockQuality::Synced),
            (anchor(), moment(1, 160, HUB + 61 + DRIFT_S_MAX), ClockQuality::Unknown),
            (anchor(), moment(1, 160, 0), ClockQuality::Unknown),
            (anchor(), moment(1, 160, 4_070_908_800), ClockQuality::Unknown),
            (carried, moment(2, 11, HUB + 210), ClockQuality::Carried),
            (carried, moment(2, 11, 0), ClockQuality::Unknown),
        ] {
            assert_eq!(anchor.quality(now), quality, "{now:?}");
        }
    }

    #[test]
    fn a_clock_that_was_set_is_noticed() {
        let last = moment(1, 100, HUB);
        for (now, set) in [
            (moment(1, 110, HUB + 10), false),
            (moment(1, 110, HUB + 70), false),
            (moment(1, 110, HUB + 71), true),
            (moment(1, 110, HUB - 51), true),
            (moment(2, 1, HUB + 1_000_000), false),
            (moment(2, 1, HUB - 1), true),
        ] {
            assert_eq!(clock_was_set(last, now), set, "{now:?}");
        }
    }

    #[test]
    fn hub_time_goes_back_only_by_a_new_time_epoch() {
        let ratchet = |epoch, time| Ratchet { time_epoch: TimeEpoch::new(epoch), time: Timestamp::new(time) };
        let held = ratchet(2, 100);
        assert_eq!(held.turn(ratchet(2, 101)), Some(ratchet(2, 101)));
        assert_eq!(held.turn(ratchet(2, 99)), Some(held));
        assert_eq!(held.turn(ratchet(3, 5)), Some(ratchet(3, 5)));
        assert_eq!(held.turn(ratchet(1, 1000)), None);
    }

    #[test]
    fn a_day_in_the_future_counts_until_the_hub_says_what_day_it_is() {
        let sum = DaySum { day: 20_000, sum: 7 };
        for (today, synced, counted) in
            [(20_000, true, 7), (20_000, false, 7), (20_001, false, 0), (19_999, false, 7), (19_999, true, 0)]
        {
            assert_eq!(sum.today(today, synced), counted, "{today} {synced}");
        }
    }

    proptest! {
        #[test]
        fn time_never_goes_back_within_a_run(a in 0u64..1_000_000, b in 0u64..1_000_000, wall in any::<u64>()) {
            let (first, second) = (a.min(b), a.max(b));
            let anchor = Anchor { at: moment(1, 0, HUB), ..anchor() };
            prop_assert!(anchor.time(moment(1, first, wall)) <= anchor.time(moment(1, second, 0)));
        }
    }
}
