//! The world of a simulation: what an event does in it.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::integer_division,
    clippy::wildcard_enum_match_arm,
    reason = "times and places of a simulation; what of it is money is checked in this build"
)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;

use cabas_agent::core::split::AskedLine;
use cabas_agent::journal::{Applied, IdentityStart, RefundAsk, SaleAsk, SaleRef, Sold, Undone};
use cabas_agent::sync::{CallError, Checked as CheckedObjects, read_answer, standing_of, sync_request};
use cabas_protocol::row::Tier;
use cabas_protocol::sync::SyncAnswer;
use cabas_protocol::{CategoryId, Cents, Epoch, RequestId, TerminalId, Timestamp, Verified};

use super::auditor::{Auditor, Broken, Checked, Enrolled, Shown};
use super::card::{Chip, MemberCard};
use super::event::{Event, Mishap, Net, What};
use super::hub::{Done, Hub};
use super::plan::Shape;
use super::power::Disk;
use super::till::{Clocks, Till};

/// When a simulation begins: Monday, 16 November 2026.
pub const BEGINS: u64 = 1_794_787_200;
/// Exchanges until both sides have said all.
const EXCHANGES_MAX: u32 = 60;
/// Messages that the network holds back.
const LATE_MAX: usize = 16;
/// Numbers of cards that replace others begin here.
const REPLACED: u32 = 50_000;

/// A purchase as it was rung up.
#[derive(Clone, Copy, Debug)]
pub struct RungUp {
    pub(super) shop: u8,
    pub(super) card: u16,
    pub(super) cents: u32,
    /// At which enrolment: another one does not know it any more.
    pub(super) enrolled: Option<Enrolled>,
}

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Figures {
    /// Events.
    pub events: u64,
    /// Purchases tried.
    pub tried: u64,
    /// Accepted.
    pub accepted: u64,
    /// Cents accepted.
    pub accepted_cents: u64,
    /// Refused for lack of money, though the household had it.
    pub refused_funded: u64,
    /// What they were to cost, in cents.
    pub refused_cents: u64,
    /// Accepted in part.
    pub parts: u64,
    /// Times a card's number on a plain card was presented.
    pub copies: u64,
    /// In doubt.
    pub doubts: u64,
    /// Power cuts.
    pub cuts: u64,
    /// Exchanges.
    pub exchanges: u64,
    /// Cents over the right, that shops asked for and the hub did not pay.
    pub over_right_cents: u64,
    /// Days of terminals.
    pub terminal_days: u64,
    /// Cards that were issued or renewed at a reader, to their end.
    pub sessions: u64,
    /// Cards that left while that was done.
    pub torn_sessions: u64,
    /// Keys of slots that were renewed.
    pub rotations: u64,
    /// Cents that expired.
    pub expired_cents: u64,
    /// Cents of goodwill that were advanced.
    pub advanced_cents: u64,
    /// Enrolments that a restore forgot.
    pub forgotten: u64,
}

impl Figures {
    /// Takes another run's into the sum.
    pub const fn add(&mut self, other: &Self) {
        self.events = self.events.saturating_add(other.events);
        self.tried = self.tried.saturating_add(other.tried);
        self.accepted = self.accepted.saturating_add(other.accepted);
        self.accepted_cents = self.accepted_cents.saturating_add(other.accepted_cents);
        self.refused_funded = self.refused_funded.saturating_add(other.refused_funded);
        self.refused_cents = self.refused_cents.saturating_add(other.refused_cents);
        self.parts = self.parts.saturating_add(other.parts);
        self.copies = self.copies.saturating_add(other.copies);
        self.doubts = self.doubts.saturating_add(other.doubts);
        self.cuts = self.cuts.saturating_add(other.cuts);
        self.exchanges = self.exchanges.saturating_add(other.exchanges);
        self.over_right_cents = self.over_right_cents.saturating_add(other.over_right_cents);
        self.terminal_days = self.terminal_days.saturating_add(other.terminal_days);
        self.sessions = self.sessions.saturating_add(other.sessions);
        self.torn_sessions = self.torn_sessions.saturating_add(other.torn_sessions);
        self.rotations = self.rotations.saturating_add(other.rotations);
        self.expired_cents = self.expired_cents.saturating_add(other.expired_cents);
        self.advanced_cents = self.advanced_cents.saturating_add(other.advanced_cents);
        self.forgotten = self.forgotten.saturating_add(other.forgotten);
    }
}

/// The world.
#[derive(Debug)]
pub struct World {
    pub(super) dir: PathBuf,
    pub(super) shape: Shape,
    pub(super) hub: Hub,
    pub(super) tills: Vec<Option<Till>>,
    pub(super) twins: BTreeMap<u8, Till>,
    pub(super) cards: Vec<MemberCard>,
    pub(super) audit: Auditor,
    pub(super) rung_up: BTreeMap<u32, RungUp>,
    pub(super) images: BTreeMap<u8, (Epoch, Disk)>,
    /// Terminals that are gone and not replaced.
    pub(super) dead: BTreeMap<u8, (TerminalId, Epoch, Clocks)>,
    pub(super) figures: Figures,
    pub(super) at: u32,
    /// Since when cards are blocked, and when each enrolment last had all news.
    pub(super) blocked: BTreeMap<u16, u32>,
    pub(super) has_news_of: BTreeMap<Enrolled, u32>,
    /// When keys of cards changed last: which a terminal has that was not heard since is not known.
    pub(super) keys_changed: Option<u32>,
    /// Cards that left while they were issued, by the place that they are for.
    pub(super) half_issued: BTreeMap<u16, MemberCard>,
    pub(super) issued: u32,
    late: VecDeque<(Enrolled, Vec<u8>)>,
    old_answers: BTreeMap<u8, (u16, Vec<u8>)>,
    /// What the fund was to pay at the most of sales of which it paid a part, and the parts that members took, paid or not.
    pub(super) parts: BTreeMap<u32, u32>,
    pub(super) taken: BTreeMap<u32, BTreeSet<u32>>,
    nonces: u64,
    twins_made: u32,
    pub(super) enrolments: u32,
}

impl World {
    /// A world with a hub, cards and no shop yet.
    #[must_use]
    pub fn new(dir: PathBuf, shape: Shape, hub: Hub, cards: Vec<MemberCard>, audit: Auditor) -> Self {
        Self {
            dir,
            shape,
            hub,
            tills: Vec::new(),
            twins: BTreeMap::new(),
            cards,
            audit,
            rung_up: BTreeMap::new(),
            images: BTreeMap::new(),
            dead: BTreeMap::new(),
            figures: Figures::default(),
            at: 0,
            blocked: BTreeMap::new(),
            has_news_of: BTreeMap::new(),
            keys_changed: None,
            half_issued: BTreeMap::new(),
            issued: 0,
            late: VecDeque::new(),
            old_answers: BTreeMap::new(),
            parts: BTreeMap::new(),
            taken: BTreeMap::new(),
            nonces: 0,
            twins_made: 0,
            enrolments: 0,
        }
    }

    /// The true time in seconds since 1970.
    #[must_use]
    pub fn now(&self) -> u64 {
        BEGINS + u64::from(self.at)
    }

    /// The first terminal, taken out of it.
    pub fn only_till(&mut self) -> Option<Till> {
        self.tills.first_mut().and_then(Option::take)
    }

    /// What came of it so far.
    #[must_use]
    pub const fn figures(&self) -> Figures {
        self.figures
    }

    pub(super) fn time(&self) -> Timestamp {
        Timestamp::new(self.now())
    }

    pub(super) fn nonce(&mut self) -> RequestId {
        self.nonces += 1;
        RequestId::new((self.nonces | 0xfeed_0000_0000_0000).to_be_bytes())
    }

    /// Lets an event happen.
    ///
    /// # Errors
    /// [`Broken`] where a rule does not hold then.
    pub fn apply(&mut self, event: &Event) -> Checked {
        self.at = event.at;
        self.figures.events += 1;
        match event.what {
            What::Sale { shop, card, cents, id, mishap, is_online } => {
                let rung_up = RungUp { shop, card, cents, enrolled: self.enrolled(shop) };
                if usize::from(card) < self.cards.len() && self.rung_up.insert(id, rung_up).is_none() {
                    self.figures.tried += 1;
                    self.sell(id, (mishap, is_online), false)?;
                }
            }
            What::Again { id } => self.sell(id, (Mishap::None, false), true)?,
            What::Part { id, mishap } => self.take_part(id, mishap)?,
            What::Fake { shop, card, cents, id } => self.fake(shop, card, cents, id)?,
            What::Reverse { id, request } => self.reverse(id, request)?,
            What::Refund { id, percent, request } => self.refund(id, percent, request)?,
            What::Sync { shop, net } => self.with_till(shop, |world, till| world.sync(till, net))?,
            What::Arrives => self.arrives()?,
            What::Clock { shop, fault } => self.with_till(shop, |world, till| {
                till.clocks.set(fault, world.now());
                Ok(())
            })?,
            What::Reboot { shop } => self.with_till(shop, |world, till| {
                till.reboot(world.now())?;
                world.all_there(till)
            })?,
            What::Image { shop } => self.with_till(shop, |world, till| {
                world.images.insert(shop, (till.epoch, till.disk()?));
                Ok(())
            })?,
            What::OldImage { shop } => self.old_image(shop)?,
            What::Twin { shop, card, cents, id } => self.twin(shop, card, cents, id)?,
            What::Destroyed { shop } => self.destroyed(shop),
            What::Repair { shop, is_backed_up } => self.repair(shop, is_backed_up)?,
            What::Credit { month } => self.credit(month)?,
            What::Jobs => self.hub.jobs(self.time())?,
            What::Block { card } => self.people(card, Done::Block)?,
            What::Unblock { card } => self.people(card, Done::Unblock)?,
            What::Replace { card } => self.replace(card)?,
            What::Backup => self.hub.back_up(self.time())?,
            What::Renew { shop, card, mishap } => self.renew(shop, card, mishap)?,
            What::Issue { shop, card, is_purse, mishap } => self.issue_new(shop, card, is_purse, mishap)?,
            What::Rotate { shop } => self.rotate(shop)?,
            What::Goodwill { is_on } => self.goodwill(is_on)?,
            What::Expire { month } => self.expire(month)?,
            What::Correct { household, cents, is_up } => self.correct(household, cents, is_up)?,
            What::Restore => self.restore()?,
            What::Settle => self.hub.settle(self.time())?,
        }
        self.look()
    }

    /// Does something with a shop's terminal, where it has one that lives.
    pub(super) fn with_till(&mut self, shop: u8, work: impl FnOnce(&mut Self, &mut Till) -> Checked) -> Checked {
        let Some(mut till) = self.tills.get_mut(usize::from(shop)).and_then(Option::take) else { return Ok(()) };
        let done = work(self, &mut till);
        if let Some(place) = self.tills.get_mut(usize::from(shop)) {
            *place = Some(till);
        }
        done
    }

    /// Exchanges until neither side has news.
    pub(super) fn sync(&mut self, till: &mut Till, net: Net) -> Checked {
        let mut held: Option<Option<cabas_agent::journal::HeldKey>> = None;
        for _ in 0..EXCHANGES_MAX {
            self.figures.exchanges += 1;
            let mut unsent = till.journal()?.unsent()?;
            let page = match held {
                Some(after) => Some(till.journal()?.held_after(after)?),
                None => None,
            };
            if page.is_some() {
                unsent.rows.clear();
            }
            let state = std::sync::Arc::clone(&unsent.state);
            let now = till.clocks.moment(self.now());
            let asked = sync_request(unsent, page.as_ref().map(|page| page.balances.clone()), (now, self.nonce()));
            let request = till.signer()?.sign(&asked);
            let Some((status, body)) = self.carry(till, net, request.as_bytes())? else { return Ok(()) };
            let answer: Result<Verified<SyncAnswer>, CallError> = read_answer(&request, &state.keys, status, body);
            let answer = match answer {
                Ok(answer) => answer,
                Err(CallError::Refused(code)) => {
                    if let Some(standing) = standing_of(code) {
                        till.journal()?.set_standing(now, standing)?;
                    }
                    return Ok(());
                }
                Err(_) => return Ok(()),
            };
            let (more, want_held) = (answer.payload().more, answer.payload().want_held);
            let mut objects = CheckedObjects::by(&state.keys);
            answer.payload().objects.iter().for_each(|bytes| objects.take(bytes));
            let inbound = objects.inbound(state.hub.cursor, answer);
            let applied = till.journal()?.apply(now, &inbound)?;
            self.no_alarm(till, &applied)?;
            held = match page {
                Some(page) if !page.is_end => Some(page.last),
                Some(_) => None,
                None if want_held => Some(None),
                None => None,
            };
            let is_done = !more && held.is_none() && till.journal()?.state().unsent_rows() == 0;
            if is_done {
                self.has_news_of.insert((till.terminal.get(), till.epoch.get()), self.at);
            }
            if is_done || !matches!(net, Net::Fine | Net::Twice) {
                return Ok(());
            }
        }
        let state = till.journal()?.state();
        let may_wait = state.hub.standing != cabas_protocol::sync::Standing::Live || self.is_restoring()?;
        if may_wait { Ok(()) } else { Err(Broken::new("an exchange comes to an end", format!("shop {}", till.shop))) }
    }

    /// Carries a request to the hub and its answer back, or what the network makes of it.
    fn carry(&mut self, till: &Till, net: Net, request: &[u8]) -> Checked<Option<(u16, Vec<u8>)>> {
        let at = (till.terminal.get(), till.epoch.get());
        let portal = || Some((200, b"<html><body>Bienvenue sur notre Wi-Fi</body></html>".to_vec()));
        if matches!(net, Net::Twice | Net::Late) && self.late.len() < LATE_MAX {
            self.late.push_back((at, request.to_vec()));
        }
        match net {
            Net::RequestLost | Net::Late => return Ok(None),
            Net::Portal => return Ok(portal()),
            Net::Fine | Net::AnswerLost | Net::Twice | Net::Proxy | Net::OldAnswer => {}
        }
        let said = self.hear((at, request), matches!(net, Net::Fine | Net::Twice))?;
        let old = self.old_answers.insert(till.shop, said.clone());
        Ok(match net {
            Net::AnswerLost => None,
            Net::Proxy => Some((502, b"<html><body>Bad Gateway</body></html>".to_vec())),
            Net::OldAnswer => old.or_else(portal),
            Net::Fine | Net::Twice | Net::RequestLost | Net::Late | Net::Portal => Some(said),
        })
    }

    /// The hub hears a request.
    fn hear(&mut self, (at, request): (Enrolled, &[u8]), arrives: bool) -> Checked<(u16, Vec<u8>)> {
        self.audit.arrived(request)?;
        let time = self.time();
        let said = self.hub.direct()?.sync(request.to_vec(), time);
        if said.0 == 200 {
            self.audit.said(at, &said.1, arrives)?;
        } else if said.0 >= 500 {
            return Err(Broken::new("no row is refused", format!("{at:?}: status {}", said.0)));
        }
        Ok(said)
    }

    fn arrives(&mut self) -> Checked {
        let Some((at, request)) = self.late.pop_front() else { return Ok(()) };
        self.hear((at, &request), false).map(drop)
    }

    /// A terminal that nothing was done to has nothing to complain of.
    fn no_alarm(&self, till: &Till, applied: &Applied) -> Checked {
        let at = (till.terminal.get(), till.epoch.get());
        if applied.alarms.is_empty() || self.audit.tainted.contains(&at) {
            return Ok(());
        }
        Err(Broken::new("an honest terminal hears no alarm", format!("shop {}: {:?}", till.shop, applied.alarms)))
    }

    pub(super) fn enrolled(&self, shop: u8) -> Option<Enrolled> {
        let till = self.tills.get(usize::from(shop)).and_then(Option::as_ref)?;
        Some((till.terminal.get(), till.epoch.get()))
    }

    /// A purchase is rung up, or once more.
    fn sell(&mut self, id: u32, (mishap, is_online): (Mishap, bool), is_again: bool) -> Checked {
        let Some(rung_up) = self.rung_up.get(&id).copied() else { return Ok(()) };
        let here = self.enrolled(rung_up.shop);
        if here != rung_up.enrolled || here.is_some_and(|here| self.audit.tainted.contains(&here)) && is_again {
            return Ok(());
        }
        self.with_till(rung_up.shop, |world, till| world.sell_at(till, id, rung_up, mishap, is_online))
    }

    pub(super) fn sell_at(
        &mut self,
        till: &mut Till,
        id: u32,
        rung_up: RungUp,
        mishap: Mishap,
        is_online: bool,
    ) -> Checked {
        let Some(card) = self.cards.get(usize::from(rung_up.card)).cloned() else { return Ok(()) };
        if let Chip::Purse(_) = card.chip {
            return self.sell_to_purse(till, (id, rung_up), (&card, None), mishap, is_online).map(drop);
        }
        let by = till.presented(&card, card.tier())?;
        let by = match self.identify(till, id, &card, by, mishap)? {
            Some(by) => by,
            None => return Ok(()),
        };
        let ask = SaleAsk { request: request_id(id), till_ref: None, lines: lines(rung_up.cents)?, card: by };
        let now = till.clocks.moment(self.now());
        if let Mishap::Cut { work, sectors } = mishap {
            return self.cut_in_sale(till, id, &ask, (work, sectors));
        }
        let mut sold = till.journal()?.sell(now, &ask)?;
        if let Sold::Declined(declined) = &sold
            && is_online
            && declined.reason.may_extend()
            && self.extend(till, declined, ask.request)?
        {
            sold = till.journal()?.sell(now, &ask)?;
        }
        self.sold(till, id, rung_up, sold)
    }

    /// What became of a sale whose money the terminal counts.
    pub(super) fn sold(&mut self, till: &Till, id: u32, rung_up: RungUp, sold: Sold) -> Checked {
        let at = (till.terminal.get(), till.epoch.get());
        match sold {
            Sold::Accepted(record) | Sold::Known(record) => {
                let cents = record.sale.fund_cents()?.get();
                if cents != u64::from(self.due(id, rung_up)) {
                    return Err(Broken::new("what is accepted is what was asked", format!("sale {id}: {cents}")));
                }
                let (seq, purse, tier) = (record.seq.get(), record.sale.purse, record.sale.tier);
                self.shown(Shown { id, at, seq, cents, purse, tier, is_kept: true }, rung_up)
            }
            Sold::Declined(declined) => {
                self.declined(id, rung_up, declined.reason);
                Ok(())
            }
            Sold::NotSplit(error) => Err(error.into()),
        }
    }

    /// A card with keys proves who it is; nothing where it cannot pay.
    pub(super) fn identify(
        &mut self,
        till: &mut Till,
        id: u32,
        card: &MemberCard,
        by: cabas_agent::journal::PresentedBy,
        mishap: Mishap,
    ) -> Checked<Option<cabas_agent::journal::PresentedBy>> {
        if card.tier() != Tier::Identity {
            return Ok(Some(by));
        }
        let now = till.clocks.moment(self.now());
        let keys = match till.journal()?.identity_start(now, by, Some(request_id(id)))? {
            IdentityStart::Go(keys) => keys,
            IdentityStart::Known(_) => return Ok(Some(by.identified(u32::MAX))),
            IdentityStart::Declined(_) => return Ok(None),
        };
        let mut tap = card.tap(mishap);
        let mut over = cabas_agent::card::purse::over(&mut tap);
        for secret in &keys {
            if let Ok(proven) = cabas_agent::card::purse::PurseCard::prove(&mut over, secret.slot, &secret.key) {
                return Ok(Some(by.identified(proven.counter)));
            }
        }
        if mishap == Mishap::None && self.has_keys(till) {
            return Err(Broken::new("a card proves itself by the keys that lie at the terminal", format!("sale {id}")));
        }
        Ok(None)
    }

    /// The power goes in the one commit of a sale: nobody is shown anything.
    fn cut_in_sale(&mut self, till: &mut Till, id: u32, ask: &SaleAsk, (work, sectors): (u8, u16)) -> Checked {
        self.figures.cuts += 1;
        let now = till.clocks.moment(self.now());
        let before = till.disk()?;
        if work > 0 {
            drop(till.journal()?.sell(now, ask)?);
        }
        let after = till.disk()?;
        till.reboot_on(&before.cut_off(&after, sectors.into()), self.now())?;
        self.all_there(till)?;
        // It is there or it is not: what is there counts, and asking again shows it.
        let found = till.journal()?.find_sale(ask.request)?;
        let rung_up = self.rung_up.get(&id).copied();
        match (found, rung_up) {
            (Some(record), Some(rung_up)) => self.sold(till, id, rung_up, Sold::Known(record)),
            _ => Ok(()),
        }
    }

    /// Notes that somebody saw it accepted.
    pub(super) fn shown(&mut self, shown: Shown, rung_up: RungUp) -> Checked {
        if !self.audit.shown.contains_key(&shown.id)
            && let (Some(blocked), Some(news)) = (self.blocked.get(&rung_up.card), self.has_news_of.get(&shown.at))
            && news > blocked
            && !self.audit.tainted.contains(&shown.at)
            && self.audit.debited_before(shown.id, self.at) != Some(true)
        {
            return Err(Broken::new(
                "a blocked card spends nothing where the list is held",
                format!("{shown:?}: blocked at {blocked}, the list is of {news}"),
            ));
        }
        if !self.audit.shown.contains_key(&shown.id) {
            self.figures.accepted += 1;
            self.figures.accepted_cents += shown.cents;
        }
        self.audit.accepted(shown)
    }

    /// A reversal.
    fn reverse(&mut self, id: u32, request: u32) -> Checked {
        let Some(rung_up) = self.rung_up.get(&id).copied() else { return Ok(()) };
        self.with_till(rung_up.shop, |world, till| {
            let now = till.clocks.moment(world.now());
            let at = (till.terminal.get(), till.epoch.get());
            let undone = till.journal()?.reverse(now, SaleRef::Request(request_id(id)), request_id(request))?;
            if let Undone::Done(record) = undone {
                world.audit.reversed(at, record.reversal.purse, record.reversal.cents.get());
            }
            Ok(())
        })
    }

    /// A refund.
    fn refund(&mut self, id: u32, percent: u8, request: u32) -> Checked {
        let Some(rung_up) = self.rung_up.get(&id).copied() else { return Ok(()) };
        self.with_till(rung_up.shop, |world, till| {
            let now = till.clocks.moment(world.now());
            let part = u64::from(rung_up.cents) * u64::from(percent.clamp(1, 100)) / 100;
            let requested = Cents::new(part.max(1))?;
            let lines = (percent < 100).then(|| vec![AskedLine { category: CategoryId::new(0), requested }]);
            let ask = RefundAsk { request: request_id(request), sale: SaleRef::Request(request_id(id)), lines };
            till.journal()?.refund(now, &ask).map(drop)?;
            Ok(())
        })
    }

    fn replace(&mut self, card: u16) -> Checked {
        let Some(old) = self.cards.get(usize::from(card)).cloned() else { return Ok(()) };
        let number = REPLACED + u32::from(card);
        let new = MemberCard::new(number, old.household, Tier::Plain);
        let name = self.hub.direct()?.secrets.card_key.card_ref(&new.uid);
        let time = self.time();
        if self.hub.people(Done::Replace(old.number, number, name), time)?
            && let Some(place) = self.cards.get_mut(usize::from(card))
        {
            *place = new;
            self.blocked.remove(&card);
        }
        Ok(())
    }

    fn people(&mut self, card: u16, done: impl FnOnce(u32) -> Done) -> Checked {
        let Some(number) = self.cards.get(usize::from(card)).map(|card| card.number) else { return Ok(()) };
        let (time, done) = (self.time(), done(number));
        if self.hub.people(done, time)? {
            match done {
                Done::Block(_) => drop(self.blocked.entry(card).or_insert(self.at)),
                _ => drop(self.blocked.remove(&card)),
            }
        }
        Ok(())
    }

    /// A month is credited.
    pub(super) fn credit(&mut self, month: u8) -> Checked {
        let time = self.time();
        if self.hub.people(Done::Credit(month), time)? {
            self.audit.credit(month, super::template::MONTH_CENTS);
        }
        self.hub.jobs(time)?;
        Ok(())
    }

    pub(super) fn twin_dir(&mut self) -> PathBuf {
        self.twins_made += 1;
        self.dir.join(format!("twin-{}", self.twins_made))
    }

    pub(super) fn forget_late(&mut self) -> Option<(Enrolled, Vec<u8>)> {
        self.late.pop_front()
    }

    pub(super) fn hear_late(&mut self, (at, request): (Enrolled, Vec<u8>)) -> Checked {
        self.hear((at, &request), false).map(drop)
    }
}

/// The request of an operation.
#[must_use]
pub fn request_id(id: u32) -> RequestId {
    RequestId::new((u64::from(id) | 0x5a1e_0000_0000_0000).to_be_bytes())
}

/// The number of an operation.
#[must_use]
pub fn id_of(request: RequestId) -> u32 {
    let [.., a, b, c, d] = *request.as_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// One line of food.
///
/// # Errors
/// Never for 32 bits.
pub fn lines(cents: u32) -> Result<Vec<AskedLine>, cabas_protocol::MoneyError> {
    Ok(vec![AskedLine { category: CategoryId::new(0), requested: Cents::new(cents.into())? }])
}
