//! The legal thresholds of a limited network: what was paid with it in twelve months, and what credit is outstanding
//! (Code monétaire et financier, L521-3 and L525-6). Past them the fund declares itself to the supervisor.

use cabas_protocol::Cents;

/// One million euros.
pub const LEGAL_LIMIT_CENTS: u64 = 100_000_000;
/// At what part of the limit somebody is told.
pub const ALERTS_PERCENT: [u8; 3] = [50, 80, 100];
/// Over so many months payments are added up.
pub const VOLUME_MONTHS: u8 = 12;

/// How near an amount is to the limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Nearness {
    /// The amount.
    pub cents: Cents,
    /// The highest alert that it has reached; 0 where none.
    pub alert_percent: u8,
    /// The part of the limit, in thousandths, rounded down.
    pub permille: u64,
}

/// How near an amount is to the limit.
#[must_use]
pub fn nearness(cents: Cents) -> Nearness {
    let amount = u128::from(cents.get());
    let limit = u128::from(LEGAL_LIMIT_CENTS);
    let reached = |percent: &u8| amount.saturating_mul(100) >= limit.saturating_mul(u128::from(*percent));
    let alert_percent = ALERTS_PERCENT.into_iter().filter(|percent| reached(percent)).max().unwrap_or(0);
    let permille = amount.saturating_mul(1_000).checked_div(limit).unwrap_or(0);
    Nearness { cents, alert_percent, permille: u64::try_from(permille).unwrap_or(u64::MAX) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    #[test]
    fn an_alert_begins_with_the_cent_that_reaches_it() {
        for (cents, alert, permille) in [
            (0, 0, 0),
            (49_999_999, 0, 499),
            (50_000_000, 50, 500),
            (79_999_999, 50, 799),
            (80_000_000, 80, 800),
            (99_999_999, 80, 999),
            (100_000_000, 100, 1_000),
            (Cents::MAX, 100, 9_999_999),
        ] {
            let near = nearness(Cents::new(cents).unwrap());
            assert_eq!((near.alert_percent, near.permille), (alert, permille), "{cents}");
        }
    }
}
