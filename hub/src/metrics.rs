//! What Prometheus reads on `/metrics`. Figures of the fund as a whole: nothing here tells of a person, purse or card.

mod watch;

use std::sync::atomic::AtomicU64;

use cabas_protocol::RefusalCode;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use self::watch::Watch;
use crate::clock::Stopwatch;
use crate::core::checks::{Check, Seen};

pub use self::watch::{Money, TERMINALS_SHOWN_MAX};

/// Bounds of the latency buckets, in seconds: from a sync with nothing new to a disk that hangs.
const LATENCY_BUCKETS_S: [f64; 11] = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

type Level = Gauge<u64, AtomicU64>;

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct CodeLabel {
    code: u32,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct StandingLabel {
    standing: &'static str,
}

/// All counters and gauges.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Rows stored.
    pub rows: Counter,
    /// Cents outside what was allowed: kept as evidence, not paid.
    pub over_right_cents: Counter,
    /// Rows that do not fit their chain.
    pub disputed_rows: Counter,
    refusals: Family<CodeLabel, Counter>,
    sync_seconds: Histogram,
    terminals: Family<StandingLabel, Level>,
    /// Extensions that fell short though the household had the money, at other terminals.
    pub refused_though_funded: Counter,
    /// Sales refused while the hub could not be asked, as the terminals report.
    pub refused_unasked: Level,
    /// Seconds since the live terminal that was silent for longest was heard.
    pub oldest_contact_s: Level,
    /// Polls that wait for news.
    pub waiting_polls: Level,
    /// Cents that may still go wrong, all parts together.
    pub exposure_cents: Level,
    /// Cents advanced as goodwill and not paid back.
    pub goodwill_cents: Level,
    watch: Watch,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Everything at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("cabas_hub");
        let rows = Counter::default();
        registry.register("rows_ingested", "Journal rows stored", rows.clone());
        let over_right_cents = Counter::default();
        registry.register("over_right_cents", "Cents outside what was allowed, not paid", over_right_cents.clone());
        let disputed_rows = Counter::default();
        registry.register("disputed_rows", "Rows that do not fit their chain", disputed_rows.clone());
        let refusals = Family::default();
        registry.register("refusals", "Refused requests by code", refusals.clone());
        let sync_seconds = Histogram::new(LATENCY_BUCKETS_S);
        let help = "Time of a sync, waiting for news not counted";
        registry.register_with_unit("sync", help, Unit::Seconds, sync_seconds.clone());
        let terminals = Family::default();
        registry.register("terminals", "Terminals by standing", terminals.clone());
        let refused_though_funded = Counter::default();
        let help = "Sales that were given too little though the household had the money, at other terminals";
        registry.register("refused_though_funded", help, refused_though_funded.clone());
        let refused_unasked = Level::default();
        let help = "Sales refused while the hub could not be asked, as terminals report since they started";
        registry.register("refused_unasked", help, refused_unasked.clone());
        let oldest_contact_s = Level::default();
        let help = "Time since the live terminal silent for longest was heard";
        registry.register_with_unit("oldest_contact", help, Unit::Seconds, oldest_contact_s.clone());
        let waiting_polls = Level::default();
        registry.register("waiting_polls", "Polls that wait for news", waiting_polls.clone());
        let exposure_cents = Level::default();
        let help = "Cents that may still go wrong: blocked cards, silent terminals, goodwill, missing since a restore";
        registry.register("exposure_cents", help, exposure_cents.clone());
        let goodwill_cents = Level::default();
        registry.register("goodwill_cents", "Goodwill that was not paid back", goodwill_cents.clone());
        let watch = Watch::register(&mut registry);
        Self {
            registry,
            rows,
            over_right_cents,
            disputed_rows,
            refusals,
            sync_seconds,
            terminals,
            refused_though_funded,
            refused_unasked,
            oldest_contact_s,
            waiting_polls,
            exposure_cents,
            goodwill_cents,
            watch,
        }
    }

    /// Sets what is watched, as it was seen.
    pub fn watched(&self, seen: &Seen, checks: &[Check], money: Option<Money>) {
        self.watch.set(seen, checks, money);
    }

    /// Counts a refusal.
    pub fn refused(&self, code: RefusalCode) {
        self.refusals.get_or_create(&CodeLabel { code: u32::from(code.number()) }).inc();
    }

    /// Notes how long a sync took.
    pub fn synced(&self, since: Stopwatch) {
        self.sync_seconds.observe(since.elapsed().as_secs_f64());
    }

    /// Sets how many terminals stand so.
    pub fn terminals(&self, standing: &'static str, count: u64) {
        self.terminals.get_or_create(&StandingLabel { standing }).set(count);
    }

    /// The text that Prometheus reads.
    ///
    /// # Errors
    /// None in memory; the encoder's type has one.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    #[test]
    fn what_was_counted_is_told() {
        let metrics = Metrics::new();
        metrics.rows.inc_by(3);
        metrics.over_right_cents.inc_by(1250);
        metrics.refused(RefusalCode::Busy);
        metrics.terminals("live", 2);
        metrics.synced(Stopwatch::start());
        let text = metrics.encode().unwrap();
        for line in [
            "cabas_hub_rows_ingested_total 3",
            "cabas_hub_over_right_cents_total 1250",
            "cabas_hub_disputed_rows_total 0",
            "cabas_hub_refusals_total{code=\"13\"} 1",
            "cabas_hub_terminals{standing=\"live\"} 2",
            "cabas_hub_sync_seconds_count 1",
            "cabas_hub_oldest_contact_seconds 0",
            "cabas_hub_refused_though_funded_total 0",
            "cabas_hub_refused_unasked 0",
            "cabas_hub_exposure_cents 0",
            "cabas_hub_goodwill_cents 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in:\n{text}");
        }
    }
}
