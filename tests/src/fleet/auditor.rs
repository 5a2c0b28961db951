//! Looks after every event whether the rules of the design still hold, by what it saw itself: cents that members were shown
//! as paid, words that the hub signed, rows that went up. It is no second ledger: it knows sums and sets, and asks the
//! hub's file only what it cannot have seen.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "sums of a model in u64, checked in this build; most kinds of rows say nothing here"
)]

use std::collections::{BTreeMap, BTreeSet};

use cabas_protocol::row::Tier;
use cabas_protocol::sign::peek_type;
use cabas_protocol::sync::{SyncAnswer, SyncRequest};
use cabas_protocol::{ObjectType, PurseRef, Row, RowBody, Scope, Signed, SignedBalance};

use super::hub::FUND;

/// A rule that does not hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Broken {
    /// Which.
    pub rule: &'static str,
    /// What was seen.
    pub detail: String,
}

impl Broken {
    /// A rule, and what was seen.
    pub fn new(rule: &'static str, detail: impl Into<String>) -> Self {
        Self { rule, detail: detail.into() }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Broken {
    fn from(error: E) -> Self {
        Self::new("nothing fails that may not", format!("{:#}", error.into()))
    }
}

/// Whether a rule holds.
pub type Checked<T = ()> = Result<T, Broken>;

/// A terminal and its epoch.
pub type Enrolled = (u32, u32);

/// A counter: of one purse at one enrolment, or of one card.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Counter {
    /// A slice.
    Slice(Enrolled, PurseRef),
    /// A purse card's own purse.
    Card(PurseRef),
}

/// What the auditor asks the hub's file, where it cannot know it itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asked {
    /// What a counter can still cost.
    Used(Counter),
    /// What was refunded to a household.
    Refunds(u16),
    /// What of a household's money expired or was corrected downward, and is not still to be withheld.
    Taken(u16),
    /// What the hub's books say is missing of a household's money since a restore.
    Missing(u16),
}

/// A sale that somebody was shown as accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shown {
    /// Its request.
    pub id: u32,
    /// Where.
    pub at: Enrolled,
    /// Its row.
    pub seq: u32,
    /// What the fund pays.
    pub cents: u64,
    /// The card's purse.
    pub purse: PurseRef,
    /// The card's tier.
    pub tier: Tier,
    /// False where the machine that wrote it is gone with its disk.
    pub is_kept: bool,
}

/// What it saw.
#[derive(Clone, Debug, Default)]
pub struct Auditor {
    /// What each household was credited.
    pub credited: Vec<u64>,
    /// Whose purse it is.
    pub owner: BTreeMap<PurseRef, u16>,
    /// The newest word of the hub on each counter: serial, allowed.
    pub allowed: BTreeMap<Counter, (u32, u64)>,
    /// What rows that the hub acknowledged handed back.
    pub returned: BTreeMap<Counter, u64>,
    /// What was refunded of each sale, by rows that the hub acknowledged: at most what the fund paid.
    refunded_of: BTreeMap<(Enrolled, u32), u64>,
    /// The same for each household.
    pub refunded: Vec<u64>,
    /// What was shown as accepted, by request.
    pub shown: BTreeMap<u32, Shown>,
    /// What each enrolment was seen to spend and to reverse of each purse.
    pub spent: BTreeMap<(Enrolled, PurseRef), (u64, u64)>,
    /// What a request debited a chip.
    pub debited: BTreeMap<u32, u64>,
    /// When a request debited a chip last.
    debited_at: BTreeMap<u32, u32>,
    /// What each chip was debited.
    pub chips: BTreeMap<u16, u64>,
    /// Rows that went up, those acknowledged and counted among them.
    uploaded: BTreeMap<Enrolled, BTreeMap<u32, Row>>,
    counted: BTreeSet<(Enrolled, u32)>,
    /// Enrolments that were copied or went back in time.
    pub tainted: BTreeSet<Enrolled>,
    /// Enrolments that two people closed.
    pub closed: BTreeSet<Enrolled>,
    /// Enrolments that a restore of the hub forgot: nothing of them can be claimed any more.
    pub forgotten: BTreeSet<Enrolled>,
    /// Months that were credited.
    months: BTreeSet<u8>,
    /// What goodwill may advance to a household, and to all; nothing before it was switched on.
    pub goodwill: (u64, u64),
    /// What households may spend beyond what they were given.
    pub beyond: BTreeMap<u16, u64>,
    /// Pieces of news that arrived at terminals.
    pub news: u64,
    /// True once money expired, or was taken back.
    pub takes: bool,
    /// What the hub gave back of lost purse cards, and what it says they claimed; asked for when needed.
    pub released: BTreeSet<PurseRef>,
    /// Households whose money moved since it was looked at last.
    touched: BTreeSet<u16>,
}

impl Auditor {
    /// A fund of so many households.
    #[must_use]
    pub fn of(households: u16) -> Self {
        let none = vec![0; usize::from(households)];
        Self { credited: none.clone(), refunded: none, ..Self::default() }
    }

    fn touch(&mut self, purse: PurseRef) {
        if let Some(household) = self.owner.get(&purse) {
            self.touched.insert(*household);
        }
    }

    /// Every household is credited, once a month.
    pub fn credit(&mut self, month: u8, cents: u64) {
        if self.months.insert(month) {
            self.credited.iter_mut().for_each(|credited| *credited += cents);
        }
    }

    /// Money was taken from a household, or given to it.
    pub fn look_again(&mut self, household: u16) {
        self.touched.insert(household);
    }

    /// What a household was credited of a month and those after it.
    #[must_use]
    pub fn credited_from(&self, month: u8, cents: u64) -> u64 {
        self.months.range(month..).map(|_| cents).sum()
    }

    /// A terminal's request arrived at the hub.
    ///
    /// # Errors
    /// Where it is none.
    pub fn arrived(&mut self, request: &[u8]) -> Checked {
        let request = Signed::<SyncRequest>::from_bytes(request.to_vec())?.peek()?;
        let at = (request.terminal.get(), request.epoch.get());
        if self.tainted.contains(&at) {
            return Ok(());
        }
        let seen = self.uploaded.entry(at).or_default();
        let mut seq = request.base.seq.get();
        for bytes in request.rows {
            seq += 1;
            if let std::collections::btree_map::Entry::Vacant(new) = seen.entry(seq) {
                new.insert(Signed::<Row>::from_bytes(bytes.into())?.read_trusted(FUND)?.into_payload());
            }
        }
        Ok(())
    }

    /// The hub answered. What it signed is looked at where the answer arrives: it names the request that it answers, so one
    /// that was lost is of no use to anybody.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn said(&mut self, at: Enrolled, body: &[u8], arrives: bool) -> Checked {
        let answer = Signed::<SyncAnswer>::from_bytes(body.to_vec())?.peek()?;
        self.acknowledged(at, answer.acked.seq.get());
        if !arrives {
            return Ok(());
        }
        self.news += u64::try_from(answer.objects.len())?;
        for object in &answer.objects {
            if peek_type(object)? == ObjectType::Balance {
                self.signed(&Signed::<SignedBalance>::from_bytes(object.to_vec())?.peek()?)?;
            }
        }
        Ok(())
    }

    /// The hub has the rows up to there.
    fn acknowledged(&mut self, at: Enrolled, acked: u32) {
        let Some(rows) = self.uploaded.get(&at) else { return };
        let mut facts = Vec::new();
        for (seq, row) in rows.range(..=acked) {
            if self.counted.insert((at, *seq)) {
                match &row.body {
                    RowBody::Return(back) => facts.push((Counter::Slice(at, back.purse), back.cents.get(), None)),
                    RowBody::RefundRequest(refund) => {
                        let original = refund.original;
                        let sale = ((original.terminal.get(), original.epoch.get()), original.seq.get());
                        let cents = refund.lines.iter().map(|line| line.fund.get()).sum();
                        facts.push((Counter::Slice(at, refund.purse), cents, Some(sale)));
                    }
                    _ => {}
                }
            }
        }
        for (counter, cents, refund) in facts {
            let (Counter::Slice(_, purse) | Counter::Card(purse)) = counter;
            match refund {
                None => *self.returned.entry(counter).or_default() += cents,
                Some(sale) => self.refund(sale, purse, cents),
            }
            self.touch(purse);
        }
    }

    fn refund(&mut self, sale: (Enrolled, u32), purse: PurseRef, cents: u64) {
        let rows = self.uploaded.get(&sale.0);
        let Some(RowBody::Sale(of)) = rows.and_then(|rows| rows.get(&sale.1)).map(|row| &row.body) else { return };
        let paid = of.lines.iter().map(|line| line.fund.get()).sum::<u64>();
        let before = self.refunded_of.entry(sale).or_default();
        let more = cents.min(paid.saturating_sub(*before));
        *before += more;
        if let Some(sum) = self.owner.get(&purse).and_then(|household| self.refunded.get_mut(usize::from(*household))) {
            *sum += more;
        }
    }

    /// The hub signed a balance.
    ///
    /// # Errors
    /// [`Broken`] where a newer word allows less, or one serial says two things.
    pub fn signed(&mut self, balance: &SignedBalance) -> Checked {
        let counter = match balance.scope {
            Scope::Card => Counter::Card(balance.purse),
            Scope::Terminal(terminal, epoch) => Counter::Slice((terminal.get(), epoch.get()), balance.purse),
        };
        let (serial, allowed) = (balance.serial.get(), balance.allowed.get());
        let before = self.allowed.get(&counter).copied().unwrap_or_default();
        let fits = match serial.cmp(&before.0) {
            std::cmp::Ordering::Less => allowed <= before.1,
            std::cmp::Ordering::Equal => allowed == before.1,
            std::cmp::Ordering::Greater => allowed >= before.1,
        };
        if !fits {
            return Err(Broken::new(
                "what is allowed never falls",
                format!("{counter:?}: serial {serial} allows {allowed}, serial {} allowed {}", before.0, before.1),
            ));
        }
        if serial > before.0 {
            self.allowed.insert(counter, (serial, allowed));
            self.touch(balance.purse);
        }
        Ok(())
    }

    /// Somebody was shown that a sale is accepted.
    ///
    /// # Errors
    /// [`Broken`] where it spends what was not allowed, or the same request was shown with another amount.
    pub fn accepted(&mut self, shown: Shown) -> Checked {
        if let Some(before) = self.shown.get(&shown.id) {
            let same = before.at != shown.at || before.cents == shown.cents && before.seq == shown.seq;
            return if same {
                Ok(())
            } else {
                Err(Broken::new("one request, one debit", format!("{before:?}, {shown:?}")))
            };
        }
        self.shown.insert(shown.id, shown);
        if shown.tier == Tier::Purse {
            let debited = self.debited.get(&shown.id).copied().unwrap_or_default();
            return if debited == shown.cents {
                Ok(())
            } else {
                Err(Broken::new("accepted is what the card was debited", format!("{shown:?}, the chip: {debited}")))
            };
        }
        let counter = Counter::Slice(shown.at, shown.purse);
        let allowed = self.allowed.get(&counter).map_or(0, |(_, allowed)| *allowed);
        let (spent, reversed) = self.spent.entry((shown.at, shown.purse)).or_default();
        *spent += shown.cents;
        if *spent > allowed + *reversed && !self.tainted.contains(&shown.at) {
            return Err(Broken::new(
                "spent is at most what is allowed",
                format!("{shown:?}: spent {spent}, reversed {reversed}, allowed {allowed}"),
            ));
        }
        Ok(())
    }

    /// What a machine wrote is gone with it, or does not count any more.
    pub fn lose(&mut self, at: Enrolled) {
        self.shown.values_mut().filter(|shown| shown.at == at).for_each(|shown| shown.is_kept = false);
    }

    /// What a household still has, wherever it lies.
    #[must_use]
    pub fn has(&self, household: u16) -> u64 {
        let place = usize::from(household);
        let given = self.credited.get(place).copied().unwrap_or_default()
            + self.refunded.get(place).copied().unwrap_or_default();
        let mine = |purse: &PurseRef| self.owner.get(purse) == Some(&household);
        let reversed: u64 =
            self.spent.iter().filter(|((_, purse), _)| mine(purse)).map(|(_, (_, reversed))| reversed).sum();
        let spent: u64 = self.shown.values().filter(|shown| mine(&shown.purse)).map(|shown| shown.cents).sum();
        (given + reversed).saturating_sub(spent)
    }

    /// A terminal handed money back, or reversed a sale, by rows of its own.
    pub fn reversed(&mut self, at: Enrolled, purse: PurseRef, cents: u64) {
        self.spent.entry((at, purse)).or_default().1 += cents;
    }

    /// Whether a request debited a chip before a time; nothing where it never did.
    #[must_use]
    pub fn debited_before(&self, id: u32, at: u32) -> Option<bool> {
        self.debited_at.get(&id).map(|debited| *debited < at)
    }

    /// A chip counted more.
    ///
    /// # Errors
    /// [`Broken`] where it was debited another amount than the purchase's.
    pub fn chip(&mut self, (card, at): (u16, u32), id: u32, more: u64, cents: u64) -> Checked {
        if more == 0 {
            return Ok(());
        }
        *self.chips.entry(card).or_default() += more;
        self.debited_at.insert(id, at);
        let debited = self.debited.entry(id).or_default();
        *debited += more;
        if *debited == cents {
            Ok(())
        } else {
            Err(Broken::new("one tap, one debit", format!("sale {id} of {cents} debited card {card} {debited} in all")))
        }
    }

    /// What the hub's signed words can still cost each household whose money moved: at most what it was given. `hub` is asked
    /// for what only the hub knows: what closed enrolments claimed, and what was given back of lost cards.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn conserved(&mut self, hub: &mut dyn FnMut(&Self, Asked) -> Checked<Option<u64>>) -> Checked {
        let touched = std::mem::take(&mut self.touched);
        if touched.is_empty() {
            return Ok(());
        }
        let mut sums: BTreeMap<u16, u64> = BTreeMap::new();
        for (counter, (_, allowed)) in &self.allowed {
            let (Counter::Slice(_, purse) | Counter::Card(purse)) = counter;
            let Some(household) = self.owner.get(purse).filter(|household| touched.contains(household)) else {
                continue;
            };
            *sums.entry(*household).or_default() +=
                allowed.saturating_sub(self.returned.get(counter).copied().unwrap_or_default());
        }
        for (household, sum) in sums {
            let beyond = self.beyond_given(household, sum, hub)?;
            if beyond > self.goodwill.0 {
                return Err(Broken::new(
                    "conservation: signed words allow no more than was given",
                    format!("household {household} may spend {beyond} beyond what it was given"),
                ));
            }
            if beyond == 0 {
                self.beyond.remove(&household);
            } else {
                self.beyond.insert(household, beyond);
            }
        }
        if self.beyond.values().sum::<u64>() > self.goodwill.1 {
            // What others may spend can have become less, without a word that was signed.
            for household in self.beyond.keys().copied().collect::<Vec<_>>() {
                let beyond = self.beyond_given(household, u64::MAX, hub)?;
                self.beyond.insert(household, beyond);
            }
            if self.beyond.values().sum::<u64>() > self.goodwill.1 {
                let detail = format!("beyond what was given, of {} in all: {:?}", self.goodwill.1, self.beyond);
                return Err(Broken::new("goodwill stays within the fund's limit", detail));
            }
        }
        Ok(())
    }

    /// What a household may spend beyond what it was given: `sum` at the most, where it is right.
    fn beyond_given(
        &self,
        household: u16,
        sum: u64,
        hub: &mut dyn FnMut(&Self, Asked) -> Checked<Option<u64>>,
    ) -> Checked<u64> {
        let place = usize::from(household);
        let credited = self.credited.get(place).copied().unwrap_or_default();
        let given = credited + self.refunded.get(place).copied().unwrap_or_default();
        let taken = if self.takes { hub(self, Asked::Taken(household))?.unwrap_or_default() } else { 0 };
        if sum <= given.saturating_sub(taken) {
            return Ok(0);
        }
        let exact = self.exactly(household, hub)?;
        let given = given.max(credited + self.refunds_of_copies(household, hub)?);
        let beyond = exact.saturating_sub(given.saturating_sub(taken));
        if beyond == 0 || !self.holds_at_a_copy(household) {
            return Ok(beyond);
        }
        // What a terminal handed back is at its copy all the same. A restored hub that hears of the copy before the rows that
        // handed it back cannot know better: it counts that money twice until people close the enrolment, and says so.
        Ok(beyond.saturating_sub(hub(self, Asked::Missing(household))?.unwrap_or_default()))
    }

    /// Whether money of a household lies at an enrolment that was copied, and that nobody closed yet.
    fn holds_at_a_copy(&self, household: u16) -> bool {
        self.allowed.keys().any(|counter| match counter {
            Counter::Slice(at, purse) => {
                self.tainted.contains(at) && !self.closed.contains(at) && self.owner.get(purse) == Some(&household)
            }
            Counter::Card(_) => false,
        })
    }

    /// Rows of copied journals are not followed: what they had refunded, and all else, the hub says.
    fn refunds_of_copies(
        &self,
        household: u16,
        hub: &mut dyn FnMut(&Self, Asked) -> Checked<Option<u64>>,
    ) -> Checked<u64> {
        if self.tainted.is_empty() { Ok(0) } else { Ok(hub(self, Asked::Refunds(household))?.unwrap_or_default()) }
    }

    fn exactly(&self, household: u16, hub: &mut dyn FnMut(&Self, Asked) -> Checked<Option<u64>>) -> Checked<u64> {
        let mut sum = 0;
        for (counter, (_, allowed)) in &self.allowed {
            let (Counter::Slice(_, purse) | Counter::Card(purse)) = counter;
            if self.owner.get(purse) != Some(&household) {
                continue;
            }
            let returned = self.returned.get(counter).copied().unwrap_or_default();
            sum += hub(self, Asked::Used(*counter))?.unwrap_or_else(|| allowed.saturating_sub(returned)).min(*allowed);
        }
        Ok(sum)
    }
}
