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
use cabas_protocol::row::Tier;
use cabas_protocol::{CategoryId, Cents, Epoch, RequestId, TerminalId, Timestamp};

use super::auditor::{Auditor, Checked, Enrolled};
use super::card::MemberCard;
use super::event::{Event, Mishap, What};
use super::figures::Figures;
use super::hub::Hub;
use super::hub_people::Done;
use super::power::Disk;
use super::shape::Shape;
use super::till::{Clocks, Till};

/// When a simulation begins: Monday, 16 November 2026.
pub const BEGINS: u64 = 1_794_787_200;
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
    /// Cards that a restore forgot as blocked, and which honest terminals have them on their lists and can say so.
    pub(super) lost_blocks: BTreeMap<u16, BTreeSet<Enrolled>>,
    /// How many requests of each enrolment the hub heard since the newest restore.
    pub(super) heard: BTreeMap<Enrolled, u32>,
    /// Cards that people unblocked last.
    pub(super) unblocked: BTreeSet<u16>,
    /// When keys of cards changed last: which a terminal has that was not heard since is not known.
    pub(super) keys_changed: Option<u32>,
    /// Cards that left while they were issued, by the place that they are for.
    pub(super) half_issued: BTreeMap<u16, MemberCard>,
    pub(super) issued: u32,
    /// Numbers of cards that a restore forgot.
    pub(super) forgotten_cards: BTreeSet<u32>,
    /// Households that left.
    pub(super) gone: BTreeSet<u16>,
    pub(super) late: VecDeque<(Enrolled, Vec<u8>)>,
    pub(super) old_answers: BTreeMap<u8, (u16, Vec<u8>)>,
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
            lost_blocks: BTreeMap::new(),
            heard: BTreeMap::new(),
            unblocked: BTreeSet::new(),
            keys_changed: None,
            half_issued: BTreeMap::new(),
            issued: 0,
            forgotten_cards: BTreeSet::new(),
            gone: BTreeSet::new(),
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
    /// [`super::auditor::Broken`] where a rule does not hold then.
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
            What::Jobs => self.jobs()?,
            What::Block { card } => self.people(card, Done::Block)?,
            What::Unblock { card } => self.people(card, Done::Unblock)?,
            What::Replace { card } => self.replace(card)?,
            What::Backup => self.hub.back_up(self.time())?,
            What::Renew { shop, card, mishap } => self.renew(shop, card, mishap)?,
            What::Issue { shop, card, is_purse, mishap, is_backed_up } => {
                self.issue_new(shop, card, (is_purse, is_backed_up), mishap)?;
            }
            What::Rotate { shop } => self.rotate(shop)?,
            What::Goodwill { is_on } => self.goodwill(is_on)?,
            What::Expire { month } => self.expire(month)?,
            What::Correct { household, cents, is_up } => self.correct(household, cents, is_up)?,
            What::NewKey => self.new_key()?,
            What::KeyBack => self.key_back()?,
            What::Leave { household } => self.leave(household)?,
            What::Return { household } => self.come_back(household)?,
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

    pub(super) fn enrolled(&self, shop: u8) -> Option<Enrolled> {
        let till = self.tills.get(usize::from(shop)).and_then(Option::as_ref)?;
        Some((till.terminal.get(), till.epoch.get()))
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
            self.lost_blocks.remove(&card);
            self.unblocked.remove(&card);
        }
        Ok(())
    }

    pub(super) fn people(&mut self, card: u16, done: impl FnOnce(u32) -> Done) -> Checked {
        let Some(number) = self.cards.get(usize::from(card)).map(|card| card.number) else { return Ok(()) };
        let (time, done) = (self.time(), done(number));
        if self.hub.people(done, time)? {
            match done {
                Done::Block(_) => {
                    self.blocked.entry(card).or_insert(self.at);
                    self.unblocked.remove(&card);
                }
                _ => {
                    self.unblocked.insert(card);
                    self.blocked.remove(&card);
                    self.lost_blocks.remove(&card);
                }
            }
        }
        Ok(())
    }

    /// A month is credited.
    pub(super) fn credit(&mut self, month: u8) -> Checked {
        let time = self.time();
        if self.hub.people(Done::Credit(month), time)? {
            self.credited(month)?;
        } else {
            self.hub.postponed.push(Done::Credit(month));
        }
        self.jobs()
    }

    /// What is done every hour.
    pub(super) fn jobs(&mut self) -> Checked {
        let time = self.time();
        for month in self.hub.jobs(time)? {
            self.credited(month)?;
        }
        self.block_at_last()
    }

    pub(super) fn twin_dir(&mut self) -> PathBuf {
        self.twins_made += 1;
        self.dir.join(format!("twin-{}", self.twins_made))
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
