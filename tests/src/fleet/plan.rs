//! What a seed makes happen: purchases as the fund's households make them, and around them what goes wrong. Each seed picks
//! its own few kinds of faults, so that every pair of them meets somewhere.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::integer_division,
    reason = "what happens is drawn; nothing of it is money"
)]

use super::event::{Event, Mishap, Net, What};
use super::shape::{LARGE_PERMILLE, Shape};
use fastrand::Rng;

/// Seconds of a day.
pub const DAY: u32 = 86_400;

/// Kinds of faults that a seed picks from.
const KINDS: u32 = 19;
/// Networks that fail for days, disks that are copied and sell twice, terminals that are destroyed: what tells policies apart.
pub const HARD_LIFE: u32 = 1 | 1 << 7 | 1 << 8;

/// People who back the hub up every third day only, and not after an enrolment.
pub(super) const FORGETFUL: u32 = 1 << 18;
/// The kinds above those that a seed picks five from: each seed has each of them or not, and what happens of them is drawn
/// apart, so that the others stay as they are.
pub(super) const NEW_KEYS: u32 = 19;
pub(super) const FORGOTTEN_CARDS: u32 = 20;
pub(super) const LEAVES: u32 = 21;
pub(super) const LOST_BLOCKS: u32 = 22;

pub(super) struct Draw {
    pub(super) rng: Rng,
    /// Draws what happens of the kinds that came last.
    pub(super) apart: Rng,
    /// The same for cards that are blocked before a restore.
    pub(super) blocks: Rng,
    pub(super) shape: Shape,
    events: Vec<Event>,
    next_id: u32,
    /// Which kinds of faults there are, a bit each.
    pub(super) kinds: u32,
    /// Until when each shop has no network.
    out_until: Vec<u32>,
    sales: Vec<u32>,
}

/// All that happens, in order.
#[must_use]
pub fn events(seed: u64, shape: Shape) -> Vec<Event> {
    let mut rng = Rng::with_seed(seed ^ 0x0cab_a5f1_ee70_0001);
    let picked = (0..5).fold(0, |kinds, _| kinds | 1 << rng.u32(0..KINDS));
    // An enrolment is forgotten where there is one, and a restore.
    let picked = if picked & FORGETFUL == 0 { picked } else { picked | 1 << 8 | 1 << 11 };
    let mut apart = Rng::with_seed(seed ^ 0x0cab_a5f1_ee70_0002);
    let also = [NEW_KEYS, FORGOTTEN_CARDS, LEAVES].map(|kind| u32::from(apart.u32(0..5) == 0) << kind);
    // A card is forgotten where some are issued, and the hub is restored.
    let also = also.iter().fold(0, |kinds, kind| kinds | kind);
    let also = if also & (1 << FORGOTTEN_CARDS) == 0 { also } else { also | 1 << 11 | 1 << 13 };
    let mut blocks = Rng::with_seed(seed ^ 0x0cab_a5f1_ee70_0003);
    let blocked = u32::from(blocks.u32(0..5) == 0) << LOST_BLOCKS;
    let kinds = shape.kinds.unwrap_or(picked | also | blocked);
    let mut draw = Draw {
        rng,
        apart,
        blocks,
        shape,
        events: Vec::new(),
        next_id: 1,
        kinds,
        out_until: vec![0; usize::from(shape.tills())],
        sales: Vec::new(),
    };
    for day in 0..u32::from(shape.days) {
        draw.day(day);
    }
    draw.events.sort_by_key(|event| event.at);
    draw.events
}

impl Draw {
    pub(super) const fn has(&self, kind: u32) -> bool {
        self.kinds & (1 << kind) != 0
    }

    /// Happens once in so many times.
    pub(super) fn once_in(&mut self, times: u32) -> bool {
        self.rng.u32(0..times) == 0
    }

    pub(super) fn add(&mut self, at: u32, what: What) {
        self.events.push(Event { at, what });
    }

    pub(super) fn id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id
    }

    pub(super) fn any_shop(&mut self) -> u8 {
        self.rng.u8(0..self.shape.tills())
    }

    pub(super) fn any_card(&mut self) -> u16 {
        self.rng.u16(0..self.shape.households * 2)
    }

    pub(super) fn moment(&mut self, day: u32) -> u32 {
        day * DAY + self.rng.u32(8 * 3_600..19 * 3_600)
    }

    const fn is_market(shop: u8, day: u32) -> bool {
        Shape::market_days(shop) & (1 << (day % 7)) != 0
    }

    fn is_online(&self, shop: u8, at: u32) -> bool {
        at >= self.out_until[usize::from(shop)] && !self.shape.is_stall(shop)
    }

    fn day(&mut self, day: u32) {
        self.money(day);
        self.outages(day);
        for household in 0..self.shape.households {
            if self.once_in(3) {
                self.purchase(day, household);
            }
        }
        self.exchanges(day);
        self.mischief(day);
        self.readers(day);
        self.voted(day);
        self.keys(day);
        self.comings_and_goings(day);
        self.lost_blocks(day);
    }

    fn money(&mut self, day: u32) {
        if day > 0 && day.is_multiple_of(30) {
            self.add(day * DAY + 60, What::Credit { month: (day / 30) as u8 });
        }
        self.add(day * DAY + 120, What::Jobs);
        self.add(day * DAY + 20 * 3_600, What::Jobs);
        if day % 7 == 6 {
            self.add(day * DAY + 21 * 3_600, What::Settle);
        }
        let is_rare = self.is_forgetful() || self.has(FORGOTTEN_CARDS);
        if !is_rare || day.is_multiple_of(3) {
            self.add(day * DAY + 22 * 3_600, What::Backup);
        }
    }

    fn outages(&mut self, day: u32) {
        if self.has(0) && self.once_in(4) {
            let shop = self.any_shop();
            let days = self.rng.u32(1..4);
            self.out_until[usize::from(shop)] = (day + days) * DAY + self.rng.u32(0..DAY);
        }
    }

    fn purchase(&mut self, day: u32, household: u16) {
        let at = self.moment(day);
        let drawn = self.rng.u32(0..1_000);
        let small = self.shape.shops.saturating_sub(2);
        let mut shop = match drawn {
            _ if drawn < LARGE_PERMILLE || small == 0 => 0,
            _ if drawn < 2 * LARGE_PERMILLE => 1,
            _ => 2 + self.rng.u8(0..small),
        };
        if self.shape.shops < 2 {
            shop = 0;
        }
        if self.shape.is_stall(shop) && !Self::is_market(shop, day) {
            shop = 0;
        }
        if shop < self.shape.tills() - self.shape.shops && self.once_in(3) {
            shop += self.shape.shops;
        }
        let card = household * 2 + u16::from(self.once_in(3));
        let cents = 200 + self.rng.u32(0..40) * self.rng.u32(1..110);
        let id = self.id();
        let mishap = self.mishap();
        let is_online = self.is_online(shop, at);
        self.add(at, What::Sale { shop, card, cents, id, mishap, is_online });
        self.sales.push(id);
        if mishap != Mishap::None && !self.once_in(4) {
            self.add(at + 30, What::Again { id });
        }
        if self.has(12) && self.rng.bool() {
            let mishap = self.mishap();
            self.add(at + 20, What::Part { id, mishap });
        }
        if is_online {
            let net = self.net();
            self.add(at + 5, What::Sync { shop, net });
        }
    }

    fn mishap(&mut self) -> Mishap {
        if self.has(1) && self.once_in(6) {
            return Mishap::Torn { apdu: self.rng.u8(1..12), has_run: self.rng.bool() };
        }
        if self.has(2) && self.once_in(6) {
            return Mishap::Cut { work: self.rng.u8(0..6), sectors: self.rng.u16(..) };
        }
        Mishap::None
    }

    fn net(&mut self) -> Net {
        if !self.has(3) || !self.once_in(4) {
            return Net::Fine;
        }
        match self.rng.u8(0..7) {
            0 => Net::RequestLost,
            1 => Net::AnswerLost,
            2 => Net::Twice,
            3 => Net::Late,
            4 => Net::Portal,
            5 => Net::Proxy,
            _ => Net::OldAnswer,
        }
    }

    fn exchanges(&mut self, day: u32) {
        for shop in 0..self.shape.tills() {
            if self.shape.is_stall(shop) {
                if self.shape.stall_net_days & (1 << (day % 7)) != 0 {
                    let net = self.net();
                    self.add(day * DAY + 20 * 3_600 + 300, What::Sync { shop, net });
                }
                continue;
            }
            for time in 0..u32::from(self.shape.syncs_a_day) {
                let at = day * DAY + 7 * 3_600 + time * 13 * 3_600 / u32::from(self.shape.syncs_a_day);
                if self.is_online(shop, at) {
                    let net = self.net();
                    self.add(at, What::Sync { shop, net });
                }
            }
        }
        if self.has(3) && self.once_in(2) {
            let at = self.moment(day);
            self.add(at, What::Arrives);
        }
    }

    pub(super) fn any_sale(&mut self) -> Option<u32> {
        let recent = self.sales.len().saturating_sub(40)..self.sales.len();
        if recent.is_empty() { None } else { Some(self.sales[self.rng.usize(recent)]) }
    }
}
