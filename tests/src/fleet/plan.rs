//! What a seed makes happen: purchases as the fund's households make them, and around them what goes wrong. Each seed picks
//! its own few kinds of faults, so that every pair of them meets somewhere.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::integer_division,
    reason = "what happens is drawn; nothing of it is money"
)]

use super::event::{ClockFault, Event, Mishap, Net, What};
use cabas_hub::core::slices::{FREE_SHARE_PERCENT, STEADY_PERCENT, Shares};
use fastrand::Rng;

/// Seconds of a day.
pub const DAY: u32 = 86_400;
/// The first day of December, as the simulation begins on 16 November.
const MONTH_ENDS: u32 = 15;
/// What the two large shops have of all purchases, in permille, each.
pub const LARGE_PERMILLE: u32 = 415;

/// What is simulated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Shops; the first two are large, a third of the others are stalls.
    pub shops: u8,
    /// Households, each of one person.
    pub households: u16,
    /// Days.
    pub days: u16,
    /// Exchanges of a connected shop in a day, beside those after each sale.
    pub syncs_a_day: u8,
    /// Days of the week on which a stall has a network, from Monday.
    pub stall_net_days: u8,
    /// Cards of each tier in ten: purse, identity; the others are plain.
    pub tiers: (u8, u8),
    /// Which kinds of faults there are, a bit each; none where each seed picks its own.
    pub kinds: Option<u32>,
    /// How the fund's money is to lie.
    pub shares: Shares,
    /// What each household finds at a stall on market days, in cents.
    pub floor_cents: u16,
    /// How many shops have a second terminal: the large ones first.
    pub seconds: u8,
}

impl Shape {
    /// The fund of the design: 19 shops, 108 households.
    #[must_use]
    pub const fn fund(days: u16) -> Self {
        Self {
            shops: 19,
            households: 108,
            days,
            syncs_a_day: 2,
            stall_net_days: 0b001_0010,
            tiers: (4, 2),
            kinds: None,
            shares: Shares { free_percent: FREE_SHARE_PERCENT, steady_percent: STEADY_PERCENT },
            floor_cents: 0,
            seconds: 2,
        }
    }

    /// Terminals: the first ones of all shops, then the second ones.
    #[must_use]
    pub const fn tills(&self) -> u8 {
        self.shops + if self.seconds < self.shops { self.seconds } else { self.shops }
    }

    /// The shop of a terminal.
    #[must_use]
    pub const fn shop_of(&self, till: u8) -> u8 {
        if till < self.shops { till } else { till - self.shops }
    }

    /// The weekdays on which a stall's market is, a bit each, from Monday.
    #[must_use]
    pub const fn market_days(shop: u8) -> u8 {
        // The simulation begins on a Monday.
        1 << (shop % 7) | 1 << ((shop + 3) % 7)
    }

    /// True for a stall: a market two days a week, and no network there.
    #[must_use]
    pub const fn is_stall(&self, till: u8) -> bool {
        let shop = self.shop_of(till);
        shop >= 2 && shop % 3 == 2
    }
}

/// Kinds of faults that a seed picks from.
const KINDS: u32 = 19;
/// Networks that fail for days, disks that are copied and sell twice, terminals that are destroyed: what tells policies apart.
pub const HARD_LIFE: u32 = 1 | 1 << 7 | 1 << 8;

/// People who back the hub up every third day only, and not after an enrolment.
const FORGETFUL: u32 = 1 << 18;

struct Draw {
    rng: Rng,
    shape: Shape,
    events: Vec<Event>,
    next_id: u32,
    /// Which kinds of faults there are, a bit each.
    kinds: u32,
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
    let kinds = shape.kinds.unwrap_or(picked);
    let mut draw = Draw {
        rng,
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
    const fn has(&self, kind: u32) -> bool {
        self.kinds & (1 << kind) != 0
    }

    /// Happens once in so many times.
    fn once_in(&mut self, times: u32) -> bool {
        self.rng.u32(0..times) == 0
    }

    fn add(&mut self, at: u32, what: What) {
        self.events.push(Event { at, what });
    }

    fn id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id
    }

    fn any_shop(&mut self) -> u8 {
        self.rng.u8(0..self.shape.tills())
    }

    fn any_card(&mut self) -> u16 {
        self.rng.u16(0..self.shape.households * 2)
    }

    fn moment(&mut self, day: u32) -> u32 {
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
        if !self.is_forgetful() || day.is_multiple_of(3) {
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

    fn any_sale(&mut self) -> Option<u32> {
        let recent = self.sales.len().saturating_sub(40)..self.sales.len();
        if recent.is_empty() { None } else { Some(self.sales[self.rng.usize(recent)]) }
    }

    fn mischief(&mut self, day: u32) {
        let at = self.moment(day);
        if self.once_in(2)
            && let Some(id) = self.any_sale()
        {
            let request = self.id();
            let what = if self.rng.bool() {
                What::Reverse { id, request }
            } else {
                What::Refund { id, percent: self.rng.u8(10..101), request }
            };
            self.add(at, what);
        }
        if self.has(4) && self.once_in(3) {
            let (shop, hours) = (self.any_shop(), self.rng.i16(-900..900));
            let faults = [
                ClockFault::At1970,
                ClockFault::At2099,
                ClockFault::Jump(hours),
                ClockFault::Frozen,
                ClockFault::Right,
            ];
            let fault = faults[self.rng.usize(0..faults.len())];
            self.add(at, What::Clock { shop, fault });
        }
        if self.has(5) && self.once_in(3) {
            let shop = self.any_shop();
            self.add(at, What::Reboot { shop });
        }
        self.thefts(day, at);
        self.cards(day, at);
        if self.has(11) && self.once_in(10) {
            self.add(at, What::Restore);
            // Nobody is credited before all have handed back: the shops call in turn.
            for shop in 0..self.shape.tills() {
                self.add(at + 600 + u32::from(shop), What::Sync { shop, net: Net::Fine });
            }
        }
        let shop = self.any_shop();
        let repair = self.repair(shop);
        self.add(day * DAY + 20 * 3_600 + 900, repair);
    }

    const fn is_forgetful(&self) -> bool {
        self.kinds & FORGETFUL != 0
    }

    const fn repair(&self, shop: u8) -> What {
        What::Repair { shop, is_backed_up: !self.is_forgetful() }
    }

    /// A card that is held at a reader leaves now and then: such a session takes some dozens of APDUs.
    fn left(&mut self) -> Mishap {
        if self.once_in(3) {
            return Mishap::Torn { apdu: self.rng.u8(1..60), has_run: self.rng.bool() };
        }
        Mishap::None
    }

    /// What is done with cards at readers, by the hub.
    fn readers(&mut self, day: u32) {
        if self.has(13) && self.once_in(2) {
            let (at, shop, card, mishap) = (self.moment(day), self.any_shop(), self.any_card(), self.left());
            let what = if self.once_in(4) {
                What::Issue { shop, card, is_purse: self.rng.bool(), mishap }
            } else {
                What::Renew { shop, card, mishap }
            };
            self.add(at, what);
        }
        if self.has(14) && self.once_in(5) {
            let (at, shop) = (self.moment(day), self.any_shop());
            self.add(at, What::Rotate { shop });
            // Cards get the new key as they come by, not all of them.
            for _ in 0..self.rng.u32(0..8) {
                let (later, shop, card) = (self.rng.u32(60..3 * DAY), self.any_shop(), self.any_card());
                let mishap = self.left();
                self.add(at + later, What::Renew { shop, card, mishap });
            }
        }
    }

    /// What the fund decides.
    fn voted(&mut self, day: u32) {
        let at = self.moment(day);
        if self.has(15) && (day == 1 || self.once_in(12)) {
            let is_on = day == 1 || !self.once_in(3);
            self.add(at, What::Goodwill { is_on });
        }
        if self.has(16) {
            // November's money comes before October's expires, in some seeds.
            if day == 0 && self.rng.bool() {
                let early = self.rng.u32(1..14);
                self.add(early * DAY + 60, What::Credit { month: 1 });
            }
            if day % 31 == MONTH_ENDS || day % 31 == MONTH_ENDS + 4 {
                let month = (1 + (day - MONTH_ENDS) / 31) as u8;
                self.add(at, What::Expire { month });
            }
        }
        if self.has(17) && self.once_in(2) {
            let household = self.rng.u16(0..self.shape.households);
            let (cents, is_up) = (self.rng.u32(1..6_000), self.rng.bool());
            self.add(at, What::Correct { household, cents, is_up });
        }
    }

    fn thefts(&mut self, day: u32, at: u32) {
        if self.has(6) && self.once_in(5) {
            let shop = self.any_shop();
            self.add(at, What::Image { shop });
            let later = at + self.rng.u32(1..5) * DAY;
            self.add(later, What::OldImage { shop });
            let repair = self.repair(shop);
            self.add(later + 2 * DAY, repair);
        }
        if self.has(7) && self.once_in(5) {
            let shop = self.any_shop();
            self.add(at, What::Image { shop });
            for _ in 0..self.rng.u32(1..6) {
                let (card, cents, id) = (self.any_card(), self.rng.u32(100..9_000), self.id());
                let later = at + self.rng.u32(60..3 * DAY);
                self.add(later, What::Twin { shop, card, cents, id });
            }
            let repair = self.repair(shop);
            self.add(at + 4 * DAY, repair);
        }
        if self.has(8) && self.once_in(8) {
            let shop = self.any_shop();
            self.add(at, What::Destroyed { shop });
            let later = self.rng.u32(1..5);
            let repair = self.repair(shop);
            self.add((day + later) * DAY + 20 * 3_600, repair);
        }
    }

    fn cards(&mut self, day: u32, at: u32) {
        if self.has(9) && self.once_in(2) {
            let card = self.any_card();
            self.add(at, What::Block { card });
            let later = at + self.rng.u32(60..5 * DAY);
            match self.rng.u8(0..3) {
                0 => self.add(later, What::Unblock { card }),
                1 => self.add(later, What::Replace { card }),
                _ => {}
            }
        }
        if self.has(10) && self.once_in(2) {
            let (shop, card, cents, id) = (self.any_shop(), self.any_card(), self.rng.u32(100..5_000), self.id());
            let then = self.moment(day);
            self.add(then, What::Fake { shop, card, cents, id });
            if let Some(id) = self.any_sale() {
                self.add(at, What::Again { id });
            }
            // A thief who knows the fund asks for little, where there is money.
            for _ in 0..self.rng.u32(1..4) {
                let (shop, card) = (self.rng.u8(0..self.shape.shops.min(2)), self.any_card());
                let (cents, id, then) = (self.rng.u32(100..600), self.id(), self.moment(day));
                self.add(then, What::Fake { shop, card, cents, id });
            }
        }
    }
}
