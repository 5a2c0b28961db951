//! The fund's figures by month and kind of shop, added up from transfers, so that they agree with the accounts.

use std::collections::BTreeMap;

use cabas_protocol::{Cents, MoneyError};

use super::ledger::{AccountId, TransferKind};
use super::period::Period;

/// Months without a transfer that are shown between others, at the most; a clock that was far off leaves a hole.
pub const MONTHS_BETWEEN_MAX: u32 = 120;

/// What a transfer is counted as.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Figure {
    /// A source gives to a household.
    Credited,
    /// A source gets it back.
    TakenBack,
    /// A household or a funder pays to a source.
    PaidIn,
    /// What was paid in is taken back.
    PaidBack,
    /// A household's money expires.
    Expired,
    /// A purchase is settled.
    Spent,
    /// A purchase is undone at once.
    Undone,
    /// A purchase is refunded.
    Refunded,
    /// A settlement takes what a shop is owed.
    Settled,
    /// A payout comes back: the shop is owed it again.
    CameBack,
    /// The bank confirms a payout.
    Paid,
}

/// What a kind of transfer is counted as; nothing where money only moves among a household's own accounts.
#[must_use]
pub const fn figure_of(kind: TransferKind) -> Option<Figure> {
    match kind {
        TransferKind::Credit | TransferKind::CorrectUp => Some(Figure::Credited),
        TransferKind::CorrectDown => Some(Figure::TakenBack),
        TransferKind::Expire => Some(Figure::Expired),
        TransferKind::Sale | TransferKind::CardSale | TransferKind::CarriedSale => Some(Figure::Spent),
        TransferKind::Reversal => Some(Figure::Undone),
        TransferKind::Refund => Some(Figure::Refunded),
        TransferKind::Settlement => Some(Figure::Settled),
        TransferKind::PayoutRejected | TransferKind::PayoutReturned => Some(Figure::CameBack),
        TransferKind::PayoutPaid => Some(Figure::Paid),
        TransferKind::MoneyIn => Some(Figure::PaidIn),
        TransferKind::MoneyBack => Some(Figure::PaidBack),
        TransferKind::Banked
        | TransferKind::Unbanked
        | TransferKind::Raise
        | TransferKind::Return
        | TransferKind::Load
        | TransferKind::Unload
        | TransferKind::CardRepay
        | TransferKind::Void
        | TransferKind::Recover
        | TransferKind::CardRecover
        | TransferKind::Repay
        | TransferKind::Advance
        | TransferKind::Regain
        | TransferKind::Withhold => None,
    }
}

/// A transfer that is counted.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    /// The month in which it was booked.
    pub period: Period,
    /// As what.
    pub figure: Figure,
    /// Where it comes from.
    pub debit: AccountId,
    /// Where it goes.
    pub credit: AccountId,
    /// How much.
    pub cents: Cents,
}

/// What the accounts of sources and shops are shown as.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    /// The name of each source.
    pub sources: BTreeMap<AccountId, String>,
    /// The kind of each shop.
    pub kinds: BTreeMap<AccountId, String>,
}

/// What a source gave and got back.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Given {
    /// To households.
    pub credited: Cents,
    /// By corrections downward.
    pub taken_back: Cents,
    /// What was paid to it.
    pub paid_in: Cents,
    /// What of it was taken back.
    pub paid_back: Cents,
}

/// What moved at shops.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ShopSums {
    /// Purchases that were settled, those that were undone or refunded later included.
    pub purchases: u64,
    /// What they come to.
    pub spent: Cents,
    /// What of it was undone at once.
    pub undone: Cents,
    /// What of it was refunded.
    pub refunded: Cents,
    /// What settlements took to pay it out.
    pub settled: Cents,
    /// Payouts that came back, or were never made.
    pub came_back: Cents,
}

/// What moved at shops of one kind in a month, and what they were owed at its end.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct KindMonth {
    /// What moved.
    pub sums: ShopSums,
    /// What shops were owed at the end.
    pub owed: Cents,
    /// What shops had been paid and was taken back since, at the end: taken off their next settlements.
    pub overpaid: Cents,
}

/// A month.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Month {
    /// Which.
    pub period: Period,
    /// By source: those that gave or got something.
    pub sources: BTreeMap<String, Given>,
    /// What expired.
    pub expired: Cents,
    /// Payouts that the bank confirmed.
    pub paid: Cents,
    /// By kind of shop: every kind that there is.
    pub kinds: BTreeMap<String, KindMonth>,
}

#[derive(Debug, Default)]
struct Raw {
    sources: BTreeMap<AccountId, Given>,
    expired: Cents,
    paid: Cents,
    shops: BTreeMap<AccountId, ShopSums>,
}

/// Adds transfers up.
#[derive(Debug, Default)]
pub struct Figures {
    months: BTreeMap<Period, Raw>,
}

impl Given {
    /// Adds another one.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn add(&mut self, other: &Self) -> Result<(), MoneyError> {
        self.credited = self.credited.plus(other.credited)?;
        self.taken_back = self.taken_back.plus(other.taken_back)?;
        self.paid_in = self.paid_in.plus(other.paid_in)?;
        self.paid_back = self.paid_back.plus(other.paid_back)?;
        Ok(())
    }
}

impl ShopSums {
    /// Adds another one.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn add(&mut self, other: &Self) -> Result<(), MoneyError> {
        self.purchases = self.purchases.saturating_add(other.purchases);
        self.spent = self.spent.plus(other.spent)?;
        self.undone = self.undone.plus(other.undone)?;
        self.refunded = self.refunded.plus(other.refunded)?;
        self.settled = self.settled.plus(other.settled)?;
        self.came_back = self.came_back.plus(other.came_back)?;
        Ok(())
    }

    /// What a shop is owed with these sums since ever, and what it was paid too much; one of the two is nothing.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn left(&self) -> Result<(Cents, Cents), MoneyError> {
        let (given, taken) = (self.spent.plus(self.came_back)?, self.undone.plus(self.refunded)?.plus(self.settled)?);
        Ok((given.minus_or_zero(taken), taken.minus_or_zero(given)))
    }
}

impl KindMonth {
    /// Adds another kind of the same month.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn add(&mut self, other: &Self) -> Result<(), MoneyError> {
        self.sums.add(&other.sums)?;
        self.owed = self.owed.plus(other.owed)?;
        self.overpaid = self.overpaid.plus(other.overpaid)?;
        Ok(())
    }
}

impl Month {
    /// All sources together.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn given(&self) -> Result<Given, MoneyError> {
        let mut all = Given::default();
        self.sources.values().try_for_each(|given| all.add(given))?;
        Ok(all)
    }

    /// All kinds of shops together.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn shops(&self) -> Result<KindMonth, MoneyError> {
        let mut all = KindMonth::default();
        self.kinds.values().try_for_each(|kind| all.add(kind))?;
        Ok(all)
    }
}

impl Figures {
    /// Counts a transfer.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn add(&mut self, counted: Counted) -> Result<(), MoneyError> {
        let Counted { period, figure, debit, credit, cents } = counted;
        let raw = self.months.entry(period).or_default();
        let (one, none) = (ShopSums::default(), Given::default());
        let (shop, sums) = match figure {
            Figure::Credited => {
                return raw.sources.entry(debit).or_default().add(&Given { credited: cents, ..none });
            }
            Figure::TakenBack => {
                return raw.sources.entry(credit).or_default().add(&Given { taken_back: cents, ..none });
            }
            Figure::PaidIn => return raw.sources.entry(credit).or_default().add(&Given { paid_in: cents, ..none }),
            Figure::PaidBack => return raw.sources.entry(debit).or_default().add(&Given { paid_back: cents, ..none }),
            Figure::Expired => return raw.expired.plus(cents).map(|sum| raw.expired = sum),
            Figure::Paid => return raw.paid.plus(cents).map(|sum| raw.paid = sum),
            Figure::Spent => (credit, ShopSums { purchases: 1, spent: cents, ..one }),
            Figure::Undone => (debit, ShopSums { undone: cents, ..one }),
            Figure::Refunded => (debit, ShopSums { refunded: cents, ..one }),
            Figure::Settled => (debit, ShopSums { settled: cents, ..one }),
            Figure::CameBack => (credit, ShopSums { came_back: cents, ..one }),
        };
        raw.shops.entry(shop).or_default().add(&sums)
    }

    /// The months from the first to the last, oldest first, those in which nothing happened included.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn months(self, labels: &Labels) -> Result<Vec<Month>, MoneyError> {
        let mut months: Vec<Month> = Vec::new();
        let mut since_ever: BTreeMap<AccountId, ShopSums> = BTreeMap::new();
        for (period, raw) in self.months {
            let before = months.last().map(|month| month.period);
            for between in between(before, period) {
                months.push(month(between, &Raw::default(), &since_ever, labels)?);
            }
            for (shop, sums) in &raw.shops {
                since_ever.entry(*shop).or_default().add(sums)?;
            }
            months.push(month(period, &raw, &since_ever, labels)?);
        }
        Ok(months)
    }
}

/// The months between two, where they are not too many.
fn between(before: Option<Period>, until: Period) -> Vec<Period> {
    let mut found = Vec::new();
    let mut next = before.and_then(|before| before.plus(1));
    while let Some(period) = next.filter(|period| *period < until) {
        found.push(period);
        if u32::try_from(found.len()).is_ok_and(|count| count > MONTHS_BETWEEN_MAX) {
            return Vec::new();
        }
        next = period.plus(1);
    }
    found
}

fn month(
    period: Period,
    raw: &Raw,
    since_ever: &BTreeMap<AccountId, ShopSums>,
    labels: &Labels,
) -> Result<Month, MoneyError> {
    let label = |names: &BTreeMap<AccountId, String>, account| names.get(account).cloned().unwrap_or_default();
    let mut sources: BTreeMap<String, Given> = BTreeMap::new();
    for (account, given) in &raw.sources {
        sources.entry(label(&labels.sources, account)).or_default().add(given)?;
    }
    let mut kinds: BTreeMap<String, KindMonth> = BTreeMap::new();
    for kind in labels.kinds.values() {
        kinds.entry(kind.clone()).or_default();
    }
    for (shop, sums) in &raw.shops {
        kinds.entry(label(&labels.kinds, shop)).or_default().sums.add(sums)?;
    }
    for (shop, sums) in since_ever {
        let (owed, overpaid) = sums.left()?;
        kinds.entry(label(&labels.kinds, shop)).or_default().add(&KindMonth {
            owed,
            overpaid,
            ..KindMonth::default()
        })?;
    }
    Ok(Month { period, sources, expired: raw.expired, paid: raw.paid, kinds })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::super::ledger::{AccountKind, ShopNo};
    use super::*;

    #[test]
    fn whatever_moves_a_source_or_what_a_shop_is_owed_is_counted_once() {
        for kind in TransferKind::ALL {
            let (from, to) = kind.between();
            let is_shown = [from, to].iter().any(|kind| matches!(kind, AccountKind::Source | AccountKind::Payable));
            let is_counted = figure_of(kind).is_some_and(|figure| !matches!(figure, Figure::Expired | Figure::Paid));
            assert_eq!(is_counted, is_shown, "{kind:?}");
        }
    }

    #[test]
    fn what_is_owed_is_carried_through_months_in_which_nothing_happens() {
        let (cents, shop) = (|cents| Cents::new(cents).unwrap(), AccountId::payable(ShopNo::new(1)));
        let mut figures = Figures::default();
        for (period, figure, debit, credit, amount) in [
            ("2026-11", Figure::Spent, AccountId::source(1), shop, 500),
            ("2027-01", Figure::Settled, shop, AccountId::TRANSIT, 500),
            ("2027-01", Figure::Refunded, shop, AccountId::source(1), 80),
        ] {
            figures
                .add(Counted { period: period.parse().unwrap(), figure, debit, credit, cents: cents(amount) })
                .unwrap();
        }
        let labels = Labels { kinds: [(shop, "grocery".to_owned())].into(), ..Labels::default() };
        let months = figures.months(&labels).unwrap();
        let owed: Vec<_> = months
            .iter()
            .map(|month| {
                (month.period.to_string(), month.kinds["grocery"].owed.get(), month.kinds["grocery"].overpaid.get())
            })
            .collect();
        let expected = [("2026-11", 500, 0), ("2026-12", 500, 0), ("2027-01", 0, 80)]
            .map(|(month, owed, over)| (month.to_owned(), owed, over));
        assert_eq!(owed, expected);
    }

    #[test]
    fn a_month_far_away_is_not_filled_up_to() {
        let month = |text: &str| text.parse::<Period>().unwrap();
        assert_eq!(between(Some(month("2026-11")), month("2027-02")), [month("2026-12"), month("2027-01")]);
        assert_eq!(between(Some(month("2026-11")), Period::LAST), []);
        assert_eq!(between(None, month("2026-11")), []);
    }
}
