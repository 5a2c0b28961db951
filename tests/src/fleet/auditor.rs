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
use cabas_protocol::{KeyId, ObjectType, PurseRef, Row, RowBody, Scope, Signed, SignedBalance};

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

/// Why a row is over-right that is above what its serial allowed (hub/ledger.md).
const ABOVE_ALLOWED: u32 = 1;
/// Why one is of which the hub has no slice.
const NO_SLICE: u32 = 4;

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
    /// The same of copied enrolments, as the hub knew it before it was restored.
    pub copies_returned: BTreeMap<Counter, u64>,
    /// What copied enrolments had refunded to each household before the hub was restored.
    pub refunded_before: BTreeMap<(Enrolled, String), u64>,
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
    /// Months that each household was credited.
    months: BTreeMap<u16, BTreeSet<u8>>,
    /// Purses of cards that a restore forgot: nothing of them can be claimed any more.
    pub forgotten_purses: BTreeSet<PurseRef>,
    /// Signing keys that were taken back.
    pub taken_back: BTreeSet<KeyId>,
    /// By which key each enrolment was answered last.
    pub answered_by: BTreeMap<Enrolled, KeyId>,
    /// What goodwill may advance to a household, and to all; nothing before it was switched on.
    pub goodwill: (u64, u64),
    /// What households may spend beyond what they were given.
    pub beyond: BTreeMap<u16, u64>,
    /// Pieces of news that arrived at terminals.
    pub news: u64,
    /// True once money expired, or was taken back.
    pub takes: bool,
    /// Purse cards whose money the hub gave back after the backup that it was restored from: every terminal had them on its list.
    pub released: BTreeSet<PurseRef>,
    /// The newest word on each purse card at each enrolment that heard it.
    heard: BTreeMap<PurseRef, BTreeMap<Enrolled, (u32, u64)>>,
    /// By which key the newest word on each counter is signed.
    signed_by: BTreeMap<Counter, KeyId>,
    /// Counters whose newest word the backup lacks that the hub was restored from, until their next word.
    pub lacking: BTreeSet<Counter>,
    /// Words that a restored hub knows nothing of: the serial, and what the next word allowed.
    pub lost: BTreeMap<Counter, (u32, u64)>,
    /// Households whose money moved since it was looked at last.
    pub(super) touched: BTreeSet<u16>,
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

    /// A household is credited, once a month.
    pub fn credit(&mut self, household: u16, month: u8, cents: u64) {
        if self.months.entry(household).or_default().insert(month)
            && let Some(credited) = self.credited.get_mut(usize::from(household))
        {
            *credited += cents;
        }
    }

    /// Whether a household was credited of a month.
    #[must_use]
    pub fn was_credited(&self, household: u16, month: u8) -> bool {
        self.months.get(&household).is_some_and(|months| months.contains(&month))
    }

    /// The months that anybody was credited.
    #[must_use]
    pub fn months(&self) -> BTreeSet<u8> {
        self.months.values().flatten().copied().collect()
    }

    /// Money was taken from a household, or given to it.
    pub fn look_again(&mut self, household: u16) {
        self.touched.insert(household);
    }

    /// What a household was credited of a month and those after it.
    #[must_use]
    pub fn credited_from(&self, household: u16, month: u8, cents: u64) -> u64 {
        self.months.get(&household).map_or(0, |months| months.range(month..).map(|_| cents).sum())
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
        let signed = Signed::<SyncAnswer>::from_bytes(body.to_vec())?;
        let (key, answer) = (signed.kid()?, signed.peek()?);
        self.not_taken_back(key)?;
        self.answered_by.insert(at, key);
        self.acknowledged(at, answer.acked.seq.get());
        if !arrives {
            return Ok(());
        }
        self.news += u64::try_from(answer.objects.len())?;
        for object in &answer.objects {
            // Whatever it is: the key's number stands in the envelope.
            self.not_taken_back(Signed::<SyncAnswer>::from_bytes(object.to_vec())?.kid()?)?;
            if peek_type(object)? == ObjectType::Balance {
                self.signed(at, &Signed::from_bytes(object.to_vec())?)?;
            }
        }
        Ok(())
    }

    /// A key that was taken back signs nothing, and what it signed is told to nobody.
    fn not_taken_back(&self, key: KeyId) -> Checked {
        if self.taken_back.contains(&key) {
            return Err(Broken::new("a key that was taken back signs nothing", key.to_string()));
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

    /// The hub signed a balance, and an enrolment heard it.
    ///
    /// # Errors
    /// [`Broken`] where a newer word allows less, or one serial says two things.
    pub fn signed(&mut self, at: Enrolled, signed: &Signed<SignedBalance>) -> Checked {
        let (key, balance) = (signed.kid()?, signed.peek()?);
        let counter = match balance.scope {
            Scope::Card => Counter::Card(balance.purse),
            Scope::Terminal(terminal, epoch) => Counter::Slice((terminal.get(), epoch.get()), balance.purse),
        };
        let (serial, allowed) = (balance.serial.get(), balance.allowed.get());
        let before = self.allowed.get(&counter).copied().unwrap_or_default();
        let fits = match serial.cmp(&before.0) {
            std::cmp::Ordering::Less => allowed <= before.1,
            std::cmp::Ordering::Equal => allowed == before.1,
            std::cmp::Ordering::Greater => allowed >= before.1 || self.may_forget(counter, before),
        };
        if !fits {
            return Err(Broken::new(
                "what is allowed never falls",
                format!("{counter:?}: serial {serial} allows {allowed}, serial {} allowed {}", before.0, before.1),
            ));
        }
        if serial > before.0 {
            let is_lacking = self.lacking.remove(&counter);
            if is_lacking && allowed < before.1 {
                self.lost.insert(counter, (before.0, allowed));
            }
            self.allowed.insert(counter, (serial, allowed));
            self.signed_by.insert(counter, key);
            self.touch(balance.purse);
        }
        if let Counter::Card(purse) = counter {
            let heard = self.heard.entry(purse).or_default().entry(at).or_default();
            *heard = (*heard).max((serial, allowed));
        }
        Ok(())
    }

    /// Whether a hub that was restored may know nothing of a word that it signed: by a key that was taken back since, to a
    /// terminal that was copied or put back and hands back less, or on a card, where nobody who is left heard it.
    fn may_forget(&self, counter: Counter, before: (u32, u64)) -> bool {
        let is_lost =
            |at: &Enrolled| self.tainted.contains(at) || self.closed.contains(at) || self.forgotten.contains(at);
        let is_out = match counter {
            Counter::Slice(at, _) => self.tainted.contains(&at),
            Counter::Card(purse) => self
                .heard
                .get(&purse)
                .is_some_and(|heard| heard.iter().all(|(at, heard)| heard.0 < before.0 || is_lost(at))),
        };
        self.lacking.contains(&counter) && is_out || self.is_void(counter)
    }

    /// The purses of cards that have a word.
    #[must_use]
    pub fn card_purses(&self) -> Vec<PurseRef> {
        let of_card = |counter: &Counter| if let Counter::Card(purse) = counter { Some(*purse) } else { None };
        self.allowed.keys().filter_map(of_card).collect()
    }

    /// Whether a counter's newest word is signed by a key that was taken back, and a restored hub knows nothing of it: nobody hands it back.
    #[must_use]
    pub fn is_void(&self, counter: Counter) -> bool {
        self.lacking.contains(&counter) && self.signed_by.get(&counter).is_some_and(|key| self.taken_back.contains(key))
    }

    /// Whether a sale names a word that a restored hub knows nothing of, and is paid as far as it knows of that money.
    #[must_use]
    pub fn is_of_lost_word(&self, row: &Row, (at, purse): (Enrolled, PurseRef), settled: u64, why: u32) -> bool {
        let RowBody::Sale(sale) = &row.body else { return false };
        let counters = [Counter::Slice(at, purse), Counter::Card(purse)];
        let lost = counters.iter().find_map(|counter| self.lost.get(counter));
        let fund: u64 = sale.lines.iter().map(|line| line.fund.get()).sum();
        let from = sale.spent_after.get().saturating_sub(fund);
        let reversed = self.spent.get(&(at, purse)).map_or(0, |(_, reversed)| *reversed);
        lost.is_some_and(|(serial, allowed)| {
            let known = (allowed + reversed).saturating_sub(from).min(fund);
            let is_of_it = why == NO_SLICE && settled == 0 || why == ABOVE_ALLOWED && settled <= known;
            sale.serial.get() <= *serial && is_of_it
        })
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
}
