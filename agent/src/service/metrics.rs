//! What is counted since the start, as Prometheus reads it. Nothing here names a card, a purse or an amount.

use crate::core::authorize::DeclineReason;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Upper bounds of the buckets of our own time, in microseconds.
const BUCKETS_US: [u64; 9] = [100, 250, 500, 1000, 2000, 3000, 5000, 10_000, 50_000];

#[derive(Debug, Default)]
struct Counts {
    accepted: u64,
    paid_by_card: u64,
    paid_by_card_us: u64,
    failed: u64,
    declined: BTreeMap<DeclineReason, u64>,
    own_time: BTreeMap<u64, u64>,
    own_time_us: u64,
    commit_us: u64,
}

/// The counts.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<Counts>);

impl Metrics {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A sale was accepted: our own time from card to answer, without the commit and the hub, and the commit's.
    pub fn accepted(&self, own: Duration, commit: Duration) {
        let own_us = u64::try_from(own.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_US.into_iter().find(|bound| own_us <= *bound).unwrap_or(u64::MAX);
        let mut counts = self.lock();
        counts.accepted = counts.accepted.saturating_add(1);
        counts.own_time_us = counts.own_time_us.saturating_add(own_us);
        counts.commit_us = counts.commit_us.saturating_add(u64::try_from(commit.as_micros()).unwrap_or(u64::MAX));
        let count = counts.own_time.entry(bucket).or_default();
        *count = count.saturating_add(1);
    }

    /// A sale was accepted that a card counted: the time from card to answer, the card's own and two commits included.
    pub fn paid_by_card(&self, whole: Duration) {
        let mut counts = self.lock();
        counts.paid_by_card = counts.paid_by_card.saturating_add(1);
        let whole_us = u64::try_from(whole.as_micros()).unwrap_or(u64::MAX);
        counts.paid_by_card_us = counts.paid_by_card_us.saturating_add(whole_us);
    }

    /// A sale was declined.
    pub fn declined(&self, reason: DeclineReason) {
        let mut counts = self.lock();
        let count = counts.declined.entry(reason).or_default();
        *count = count.saturating_add(1);
    }

    /// A sale could not be written down.
    pub fn failed(&self) {
        let mut counts = self.lock();
        counts.failed = counts.failed.saturating_add(1);
    }

    /// The text for `/metrics`; `more` are further gauges.
    #[must_use]
    pub fn text(&self, more: &[(&str, &str, u64)]) -> String {
        let counts = self.lock();
        let mut text = String::new();
        let mut line = |line: std::fmt::Arguments<'_>| {
            text.push_str(&line.to_string());
            text.push('\n');
        };
        line(format_args!("# HELP cabas_sales_total Sales since the start, by outcome and reason."));
        line(format_args!("# TYPE cabas_sales_total counter"));
        line(format_args!("cabas_sales_total{{outcome=\"accepted\"}} {}", counts.accepted));
        line(format_args!("cabas_sales_total{{outcome=\"failed\"}} {}", counts.failed));
        for (reason, count) in &counts.declined {
            let reason = reason.name();
            line(format_args!("cabas_sales_total{{outcome=\"declined\",reason=\"{reason}\"}} {count}"));
        }
        line(format_args!("# HELP cabas_sale_own_seconds From card to answer, without the commit and the hub."));
        line(format_args!("# TYPE cabas_sale_own_seconds histogram"));
        let mut below = 0_u64;
        for bound in BUCKETS_US {
            below = below.saturating_add(counts.own_time.get(&bound).copied().unwrap_or(0));
            line(format_args!("cabas_sale_own_seconds_bucket{{le=\"{}\"}} {below}", seconds(bound)));
        }
        line(format_args!("cabas_sale_own_seconds_bucket{{le=\"+Inf\"}} {}", counts.accepted));
        line(format_args!("cabas_sale_own_seconds_sum {}", seconds(counts.own_time_us)));
        line(format_args!("cabas_sale_own_seconds_count {}", counts.accepted));
        line(format_args!("# HELP cabas_sale_commit_seconds_total Time in the one commit of each sale."));
        line(format_args!("# TYPE cabas_sale_commit_seconds_total counter"));
        line(format_args!("cabas_sale_commit_seconds_total {}", seconds(counts.commit_us)));
        for (name, help, value) in more {
            line(format_args!("# HELP {name} {help}"));
            line(format_args!("# TYPE {name} gauge"));
            line(format_args!("{name} {value}"));
        }
        text
    }
}

/// Microseconds as seconds with six decimals.
fn seconds(us: u64) -> String {
    let (whole, rest) = (us.checked_div(1_000_000).unwrap_or(0), us.checked_rem(1_000_000).unwrap_or(0));
    format!("{whole}.{rest:06}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_all_that_is_faster() {
        let metrics = Metrics::default();
        for us in [90, 900, 1000, 70_000] {
            metrics.accepted(Duration::from_micros(us), Duration::from_micros(200));
        }
        metrics.declined(DeclineReason::Blocked);
        let text = metrics.text(&[("cabas_rows", "Rows.", 7)]);
        for line in [
            "cabas_sale_own_seconds_bucket{le=\"0.000100\"} 1",
            "cabas_sale_own_seconds_bucket{le=\"0.001000\"} 3",
            "cabas_sale_own_seconds_bucket{le=\"0.050000\"} 3",
            "cabas_sale_own_seconds_bucket{le=\"+Inf\"} 4",
            "cabas_sale_own_seconds_sum 0.071990",
            "cabas_sale_commit_seconds_total 0.000800",
            "cabas_sales_total{outcome=\"declined\",reason=\"blocked\"} 1",
            "cabas_rows 7",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
