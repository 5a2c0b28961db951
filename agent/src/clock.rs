//! The only reader of time, of the boot id and of the time zone in this program: everything else is given `now`.

use crate::core::ages::Moment;
use crate::core::receipt::ReceiptTime;
use cabas_protocol::Timestamp;
use cabas_protocol::ids::BootId;
use cabas_protocol::sign::sha256;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where Linux says which run of the system this is.
const BOOT_ID_FILE: &str = "/proc/sys/kernel/random/boot_id";
const SECONDS_PER_DAY: u64 = 86_400;
/// Where business days are counted from.
const EPOCH: jiff::civil::Date = jiff::civil::date(1970, 1, 1);
/// More days than there are dates.
const DAYS_MAX: i64 = 4_000_000;

/// What tells the time.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clocks.
    System(BootId),
    /// A moment that its owner sets: how a test reaches tomorrow.
    Set(Arc<Mutex<Moment>>),
}

impl Clock {
    /// The machine's clocks.
    #[must_use]
    pub fn system() -> Self {
        let id = std::fs::read_to_string(BOOT_ID_FILE).unwrap_or_default();
        let [a, b, c, d, e, f, g, h, ..] = *sha256(&[id.trim().as_bytes()]).as_bytes();
        Self::System(BootId::new([a, b, c, d, e, f, g, h]))
    }

    /// What the clocks say.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place where it is read")]
    pub fn now(&self) -> Moment {
        match self {
            Self::System(boot) => {
                let elapsed = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
                let seconds = u64::try_from(elapsed.tv_sec).unwrap_or(0);
                let nanoseconds = u64::try_from(elapsed.tv_nsec).unwrap_or(0);
                let milliseconds = nanoseconds.checked_div(1_000_000).unwrap_or(0);
                let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
                Moment {
                    boot: *boot,
                    monotonic_ms: seconds.saturating_mul(1000).saturating_add(milliseconds),
                    wall: Timestamp::new(wall),
                }
            }
            Self::Set(moment) => *moment.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

/// Measures a duration.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts it.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place where it is read")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// What has passed.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// The business day of a time: days since 1970-01-01 in the machine's time zone.
#[must_use]
pub fn business_day(time: Timestamp) -> u32 {
    let seconds = time.get().saturating_add_signed(offset_s(time));
    u32::try_from(seconds.checked_div(SECONDS_PER_DAY).unwrap_or(0)).unwrap_or(u32::MAX)
}

/// The times of a business day: from its midnight to the next, in the machine's time zone.
#[must_use]
pub fn day_span(day: u32) -> Range<Timestamp> {
    let midnight = |day: u32| {
        let zoned =
            date_of(day).to_zoned(jiff::tz::TimeZone::system()).map_or(0, |zoned| zoned.timestamp().as_second());
        Timestamp::new(u64::try_from(zoned).unwrap_or(0))
    };
    midnight(day)..midnight(day.saturating_add(1))
}

/// The business day of a date such as `2026-11-28`; nothing where it is none, or before 1970.
#[must_use]
pub fn day_of(date: &str) -> Option<u32> {
    let parsed: jiff::civil::Date = date.parse().ok()?;
    let day = u32::try_from(parsed.since(EPOCH).ok()?.get_days()).ok()?;
    // One way of writing it is enough: a time behind it would be overlooked.
    (parsed.to_string() == date).then_some(day)
}

/// Year, month and day of a business day; the last that there is where it is out of range.
#[must_use]
pub fn ymd(day: u32) -> (i16, i8, i8) {
    let date = date_of(day);
    (date.year(), date.month(), date.day())
}

/// A business day as `2026-11-28`.
#[must_use]
pub fn date_text(day: u32) -> String {
    date_of(day).to_string()
}

fn date_of(day: u32) -> jiff::civil::Date {
    EPOCH.saturating_add(jiff::Span::new().days(i64::from(day).min(DAYS_MAX)))
}

/// A time as people at the shop write it; 1970 where it is out of range.
#[must_use]
pub fn local(time: Timestamp) -> ReceiptTime {
    let seconds = i64::try_from(time.get()).unwrap_or(0);
    let zoned = jiff::Timestamp::from_second(seconds).unwrap_or_default().to_zoned(jiff::tz::TimeZone::system());
    let small = |number: i8| u8::try_from(number).unwrap_or(0);
    ReceiptTime {
        year: u16::try_from(zoned.year()).unwrap_or(1970),
        month: small(zoned.month()),
        day: small(zoned.day()),
        hour: small(zoned.hour()),
        minute: small(zoned.minute()),
    }
}

fn offset_s(time: Timestamp) -> i64 {
    let at = i64::try_from(time.get()).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    at.map_or(0, |at| i64::from(jiff::tz::TimeZone::system().to_offset(at).seconds()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elapsed_time_goes_on_and_the_run_stays_the_same() {
        let clock = Clock::system();
        let (first, second) = (clock.now(), clock.now());
        assert_eq!(first.boot, second.boot);
        assert!(first.monotonic_ms <= second.monotonic_ms);
        assert!(first.wall > Timestamp::new(1_700_000_000));
    }

    #[test]
    fn no_time_is_out_of_range() {
        for time in [0, 1, 86_400, 4_070_908_800, u64::MAX] {
            let shown = local(Timestamp::new(time));
            assert!(shown.year >= 1969 && (1..=12).contains(&shown.month), "{shown:?}");
            let _day = business_day(Timestamp::new(time));
        }
    }

    #[test]
    fn a_day_begins_where_the_one_before_ends_and_has_its_times() {
        for time in [0, 86_399, 1_774_745_999, 1_793_494_800, 1_800_000_000, 4_070_908_800] {
            let day = business_day(Timestamp::new(time));
            let span = day_span(day);
            assert!(span.contains(&Timestamp::new(time)) || time < 86_400, "{time}: {span:?}");
            assert_eq!(span.end, day_span(day.saturating_add(1)).start);
            assert_eq!(day_of(&date_text(day)), Some(day));
        }
        let _no_panic = (day_span(u32::MAX), date_text(u32::MAX));
        for wrong in ["", "1969-12-31", "2026-02-29", "2026-13-01", "28/11/2026", "2026-11-28T10:00", "99999-01-01"] {
            assert_eq!(day_of(wrong), None, "{wrong}");
        }
        assert_eq!((day_of("1970-01-02"), ymd(1)), (Some(1), (1970, 1, 2)));
    }

    #[test]
    fn a_business_day_has_the_date_of_its_local_time() {
        let time = Timestamp::new(1_800_000_000);
        let shown = local(time);
        let date = jiff::civil::date(
            i16::try_from(shown.year).unwrap_or(0),
            i8::try_from(shown.month).unwrap_or(0),
            i8::try_from(shown.day).unwrap_or(0),
        );
        let days = date.since(jiff::civil::date(1970, 1, 1)).map_or(0, |span| span.get_days());
        assert_eq!(u32::try_from(days), Ok(business_day(time)));
    }
}
