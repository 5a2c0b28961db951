//! The fund's figures as pages, commands and programs are given them: cents by month, source and kind of shop, and how
//! near the legal thresholds are. No person, no purse, no household.

use std::collections::BTreeMap;

use cabas_protocol::{MoneyError, Timestamp};
use serde::Serialize;

use super::chart::{Chart, Series};
use crate::calendar::Calendar;
use crate::core::figures::{Given, KindMonth, Month, ShopSums};
use crate::core::thresholds::{LEGAL_LIMIT_CENTS, Nearness};
use crate::store::{StoreError, Tx};

/// Figures by month.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct MonthsShown {
    /// The months, oldest first.
    pub months: Vec<MonthShown>,
    /// All of them together; what is owed is what is owed now.
    pub total: MonthShown,
}

/// A month, or all of them.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
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
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
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
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
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
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
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
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
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

    /// A chart of one figure by month and kind of shop. The words come from the caller; months are named by it too.
    #[must_use]
    pub fn chart(
        &self,
        words: ChartWords,
        figure: impl Fn(&ShopsShown) -> u64,
        month: impl Fn(&str) -> String,
    ) -> Chart {
        let of_kind = |name: &String| Series {
            name: name.clone(),
            cents: self.months.iter().map(|month| month.kinds.get(name).map_or(0, &figure)).collect(),
        };
        // The largest lie lowest and keep their own name where there are too many.
        let mut kinds: Vec<_> = self.total.kinds.iter().collect();
        kinds.sort_by_key(|(name, kind)| (std::cmp::Reverse(figure(kind)), (*name).clone()));
        let ChartWords { id, title, desc, rest } = words;
        Chart {
            id: id.to_owned(),
            title,
            desc,
            columns: self.months.iter().map(|shown| month(&shown.month)).collect(),
            series: kinds.into_iter().map(|(name, _)| of_kind(name)).collect(),
            rest,
        }
    }
}

/// What a chart is called.
#[derive(Clone, Debug)]
pub struct ChartWords {
    /// Tells the charts of one page apart.
    pub id: &'static str,
    /// What it shows.
    pub title: String,
    /// What it says, in a sentence.
    pub desc: String,
    /// What the smallest kinds are called together where there are too many.
    pub rest: String,
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

    #[test]
    fn a_chart_begins_with_the_largest_kind_and_has_every_month() {
        let kind = |spent| KindMonth {
            sums: ShopSums { spent: Cents::new(spent).unwrap(), ..ShopSums::default() },
            owed: Cents::new(spent).unwrap(),
            ..KindMonth::default()
        };
        let month = |period: &str, grocery, market| Month {
            period: period.parse().unwrap(),
            sources: BTreeMap::new(),
            expired: Cents::ZERO,
            paid: Cents::ZERO,
            kinds: [("grocery".to_owned(), kind(grocery)), ("market".to_owned(), kind(market))].into(),
        };
        let shown = MonthsShown::of(&[month("2026-11", 100, 700), month("2026-12", 300, 0)]).unwrap();
        assert_eq!((shown.total.shops.spent_cents, shown.total.shops.owed_cents), (1_100, 300));
        let words = ChartWords { id: "spent", title: String::new(), desc: String::new(), rest: "others".to_owned() };
        let chart = shown.chart(words, |kind| kind.spent_cents, |month| format!("m{month}"));
        assert_eq!(chart.columns, ["m2026-11", "m2026-12"]);
        let series: Vec<_> = chart.series.iter().map(|series| (series.name.as_str(), series.cents.clone())).collect();
        assert_eq!(series, [("market", vec![700, 0]), ("grocery", vec![100, 300])]);
    }
}
