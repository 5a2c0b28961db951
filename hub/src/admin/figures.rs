//! The fund's figures as pages, commands and programs are given them: cents by month, source and kind of shop, and how
//! near the legal thresholds are. No person, no purse, no household.

use std::collections::BTreeMap;

use cabas_protocol::{MoneyError, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use crate::calendar::Calendar;
use crate::core::figures::{Given, KindMonth, Month, ShopSums};
use crate::core::period::Period;
use crate::core::thresholds::{LEGAL_LIMIT_CENTS, Nearness};
use crate::store::{StoreError, Tx};

/// Figures by month.
#[derive(Clone, Debug, Eq, PartialEq, JsonSchema, Serialize)]
pub struct MonthsShown {
    /// The months, oldest first.
    pub months: Vec<MonthShown>,
    /// All of them together; what is owed is what is owed now.
    pub total: MonthShown,
}

/// A month, or all of them.
#[derive(Clone, Debug, Default, Eq, PartialEq, JsonSchema, Serialize)]
pub struct MonthShown {
    /// The month, such as `2026-11`; empty for all of them.
    pub month: String,
    /// By source.
    pub sources: BTreeMap<String, GivenShown>,
    /// All sources together.
    pub given: GivenShown,
    /// What expired.
    pub expired_cents: u64,
    /// Payouts that the bank confirmed.
    pub paid_cents: u64,
    /// By kind of shop.
    pub kinds: BTreeMap<String, ShopsShown>,
    /// All kinds together.
    pub shops: ShopsShown,
}

/// What sources gave.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, JsonSchema, Serialize)]
pub struct GivenShown {
    /// To households.
    pub credited_cents: u64,
    /// And got back, by corrections downward.
    pub taken_back_cents: u64,
    /// What households contributed and funders paid.
    pub paid_in_cents: u64,
    /// What of it was taken back.
    pub paid_back_cents: u64,
}

/// What moved at shops, and what they were owed at the end.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, JsonSchema, Serialize)]
pub struct ShopsShown {
    /// Purchases, those that were undone or refunded later included.
    pub purchases: u64,
    /// What they come to.
    pub spent_cents: u64,
    /// What of it was undone at once.
    pub undone_cents: u64,
    /// What of it was refunded.
    pub refunded_cents: u64,
    /// What settlements took to pay it out.
    pub settled_cents: u64,
    /// Payouts that came back, or were never made.
    pub came_back_cents: u64,
    /// What shops were owed at the end.
    pub owed_cents: u64,
    /// What shops had been paid too much at the end: taken off their next settlements.
    pub overpaid_cents: u64,
}

/// The legal thresholds.
#[derive(Clone, Copy, Debug, Eq, PartialEq, JsonSchema, Serialize)]
pub struct ThresholdsShown {
    /// The limit of each.
    pub limit_cents: u64,
    /// What was paid in shops over twelve months; what was refunded later is not taken off.
    pub volume: NearnessShown,
    /// The moment from which on payments are in it.
    pub volume_since: u64,
    /// What households have and did not spend.
    pub outstanding: NearnessShown,
    /// The higher of the two alerts; 0 where none.
    pub alert_percent: u8,
}

/// How near an amount is to the limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq, JsonSchema, Serialize)]
pub struct NearnessShown {
    /// The amount.
    pub cents: u64,
    /// The part of the limit, in thousandths, rounded down.
    pub permille: u64,
    /// The highest alert that it has reached, 50, 80 or 100; 0 where none.
    pub alert_percent: u8,
}

impl MonthsShown {
    /// Reads the figures.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn read(tx: &Tx<'_>, calendar: &Calendar) -> Result<Self, StoreError> {
        Ok(Self::of(&tx.months(calendar)?)?)
    }

    fn of(months: &[Month]) -> Result<Self, MoneyError> {
        let mut sources: BTreeMap<String, Given> = BTreeMap::new();
        let mut kinds: BTreeMap<String, ShopSums> = BTreeMap::new();
        let (mut expired_cents, mut paid_cents) = (0_u64, 0_u64);
        for month in months {
            for (name, given) in &month.sources {
                sources.entry(name.clone()).or_default().add(given)?;
            }
            for (name, kind) in &month.kinds {
                kinds.entry(name.clone()).or_default().add(&kind.sums)?;
            }
            expired_cents = expired_cents.saturating_add(month.expired.get());
            paid_cents = paid_cents.saturating_add(month.paid.get());
        }
        // What is owed is no sum over months: it is what the last one ends with.
        let last = |name: &String| months.last().and_then(|month| month.kinds.get(name)).copied().unwrap_or_default();
        let kinds: BTreeMap<_, _> =
            kinds.into_iter().map(|(name, sums)| (name.clone(), KindMonth { sums, ..last(&name) })).collect();
        let mut given = Given::default();
        sources.values().try_for_each(|source| given.add(source))?;
        let mut shops = KindMonth::default();
        kinds.values().try_for_each(|kind| shops.add(kind))?;
        let total = MonthShown {
            month: String::new(),
            sources: sources.into_iter().map(|(name, given)| (name, given.into())).collect(),
            given: given.into(),
            expired_cents,
            paid_cents,
            kinds: kinds.into_iter().map(|(name, kind)| (name, kind.into())).collect(),
            shops: shops.into(),
        };
        Ok(Self { months: months.iter().map(month_shown).collect::<Result<_, _>>()?, total })
    }

    /// Those of these months, oldest first; what is owed at the end is what the last of them ends with. Months before the
    /// first transfer are left out, months since the newest one are not: what is owed is owed on.
    #[must_use]
    pub fn of_span(&self, span: &[Period]) -> Self {
        let mut months: Vec<MonthShown> = Vec::new();
        let known: BTreeMap<&str, &MonthShown> =
            self.months.iter().map(|month| (month.month.as_str(), month)).collect();
        let mut before = None;
        for period in span.iter().map(Period::to_string) {
            before = match known.get(period.as_str()) {
                Some(month) => Some(*month),
                None => before.or_else(|| self.newest_before(&period)),
            };
            match before {
                Some(month) if month.month == period => months.push(month.clone()),
                Some(month) => months.push(month.idle(period)),
                None => {}
            }
        }
        let mut total = months.last().map(|last| last.idle(String::new())).unwrap_or_default();
        months.iter().for_each(|month| total.add(month));
        Self { months, total }
    }

    fn newest_before(&self, period: &str) -> Option<&MonthShown> {
        self.months.iter().rfind(|month| month.month.as_str() < period)
    }
}

impl MonthShown {
    /// A month after it in which nothing happened.
    fn idle(&self, month: String) -> Self {
        let kinds = self.kinds.iter().map(|(name, kind)| (name.clone(), kind.idle())).collect();
        Self { month, kinds, shops: self.shops.idle(), ..Self::default() }
    }

    /// Adds what moved in a month. The sums of all months were added up without a fault before: these are no larger.
    fn add(&mut self, month: &Self) {
        for (name, given) in &month.sources {
            self.sources.entry(name.clone()).or_default().add(given);
        }
        self.given.add(&month.given);
        self.expired_cents = self.expired_cents.saturating_add(month.expired_cents);
        self.paid_cents = self.paid_cents.saturating_add(month.paid_cents);
        for (name, kind) in &month.kinds {
            self.kinds.entry(name.clone()).or_default().add(kind);
        }
        self.shops.add(&month.shops);
    }
}

impl GivenShown {
    fn add(&mut self, other: &Self) {
        self.credited_cents = self.credited_cents.saturating_add(other.credited_cents);
        self.taken_back_cents = self.taken_back_cents.saturating_add(other.taken_back_cents);
        self.paid_in_cents = self.paid_in_cents.saturating_add(other.paid_in_cents);
        self.paid_back_cents = self.paid_back_cents.saturating_add(other.paid_back_cents);
    }
}

impl ShopsShown {
    /// Nothing moves; what is owed is owed on.
    fn idle(&self) -> Self {
        Self { owed_cents: self.owed_cents, overpaid_cents: self.overpaid_cents, ..Self::default() }
    }

    /// Adds what moved, not what is owed.
    fn add(&mut self, other: &Self) {
        self.purchases = self.purchases.saturating_add(other.purchases);
        self.spent_cents = self.spent_cents.saturating_add(other.spent_cents);
        self.undone_cents = self.undone_cents.saturating_add(other.undone_cents);
        self.refunded_cents = self.refunded_cents.saturating_add(other.refunded_cents);
        self.settled_cents = self.settled_cents.saturating_add(other.settled_cents);
        self.came_back_cents = self.came_back_cents.saturating_add(other.came_back_cents);
    }
}

fn month_shown(month: &Month) -> Result<MonthShown, MoneyError> {
    Ok(MonthShown {
        month: month.period.to_string(),
        sources: month.sources.iter().map(|(name, given)| (name.clone(), (*given).into())).collect(),
        given: month.given()?.into(),
        expired_cents: month.expired.get(),
        paid_cents: month.paid.get(),
        kinds: month.kinds.iter().map(|(name, kind)| (name.clone(), (*kind).into())).collect(),
        shops: month.shops()?.into(),
    })
}

impl From<Given> for GivenShown {
    fn from(given: Given) -> Self {
        Self {
            credited_cents: given.credited.get(),
            taken_back_cents: given.taken_back.get(),
            paid_in_cents: given.paid_in.get(),
            paid_back_cents: given.paid_back.get(),
        }
    }
}

impl From<KindMonth> for ShopsShown {
    fn from(KindMonth { sums, owed, overpaid }: KindMonth) -> Self {
        Self {
            purchases: sums.purchases,
            spent_cents: sums.spent.get(),
            undone_cents: sums.undone.get(),
            refunded_cents: sums.refunded.get(),
            settled_cents: sums.settled.get(),
            came_back_cents: sums.came_back.get(),
            owed_cents: owed.get(),
            overpaid_cents: overpaid.get(),
        }
    }
}

impl ThresholdsShown {
    /// Reads how near the fund is to the thresholds.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn read(tx: &Tx<'_>, calendar: &Calendar, now: Timestamp) -> Result<Self, StoreError> {
        let thresholds = tx.thresholds(calendar, now)?;
        let shown = |near: Nearness| NearnessShown {
            cents: near.cents.get(),
            permille: near.permille,
            alert_percent: near.alert_percent,
        };
        Ok(Self {
            limit_cents: LEGAL_LIMIT_CENTS,
            volume: shown(thresholds.volume),
            volume_since: thresholds.since.get(),
            outstanding: shown(thresholds.outstanding),
            alert_percent: thresholds.volume.alert_percent.max(thresholds.outstanding.alert_percent),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use cabas_protocol::Cents;

    use super::*;

    fn months(of: &[(&str, u64, u64)]) -> MonthsShown {
        let cents = |cents| Cents::new(cents).unwrap();
        let month = |(period, spent, owed): &(&str, u64, u64)| Month {
            period: period.parse().unwrap(),
            sources: [("city".to_owned(), Given { credited: cents(*spent), paid_in: cents(9), ..Given::default() })]
                .into(),
            expired: cents(1),
            paid: Cents::ZERO,
            kinds: [(
                "grocery".to_owned(),
                KindMonth {
                    sums: ShopSums { purchases: 1, spent: cents(*spent), ..ShopSums::default() },
                    owed: cents(*owed),
                    ..KindMonth::default()
                },
            )]
            .into(),
        };
        MonthsShown::of(&of.iter().map(month).collect::<Vec<_>>()).unwrap()
    }

    fn span(from: &str, to: &str) -> Vec<Period> {
        from.parse::<Period>().unwrap().months_to(to.parse().unwrap(), 120).unwrap()
    }

    #[test]
    fn the_sums_of_all_months_are_those_of_their_span() {
        let all = months(&[("2026-11", 800, 800), ("2026-12", 300, 300)]);
        assert_eq!((all.total.shops.spent_cents, all.total.shops.owed_cents), (1_100, 300));
        assert_eq!(all.of_span(&span("2020-01", "2026-12")), all);
    }

    #[test]
    fn a_span_begins_with_the_first_transfer_and_what_is_owed_is_owed_on_to_its_end() {
        let all = months(&[("2026-08", 500, 500), ("2026-09", 100, 600)]);
        let told = |from, to| {
            let shown = all.of_span(&span(from, to));
            let months: Vec<_> = shown
                .months
                .iter()
                .map(|month| (month.month.clone(), month.shops.spent_cents, month.shops.owed_cents))
                .collect();
            (months, shown.total.shops.spent_cents, shown.total.shops.owed_cents, shown.total.given.credited_cents)
        };
        let month = |month: &str, spent, owed| (month.to_owned(), spent, owed);
        let (august, september) = (month("2026-08", 500, 500), month("2026-09", 100, 600));
        assert_eq!(told("2026-06", "2026-08"), (vec![august.clone()], 500, 500, 500));
        assert_eq!(told("2026-06", "2026-10"), (vec![august, september, month("2026-10", 0, 600)], 600, 600, 600));
        let later = vec![month("2026-11", 0, 600), month("2026-12", 0, 600)];
        assert_eq!(told("2026-11", "2026-12"), (later, 0, 600, 0));
        assert_eq!(told("2026-01", "2026-07"), (vec![], 0, 0, 0));
    }
}
