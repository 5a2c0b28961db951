//! What a seed makes go wrong, and what people at the fund do meanwhile.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::integer_division,
    reason = "what happens is drawn; nothing of it is money"
)]

use super::event::{ClockFault, Mishap, Net, What};
use super::plan::{DAY, Draw, FORGETFUL, FORGOTTEN_CARDS, LEAVES, LOST_BLOCKS, NEW_KEYS};

/// The first day of December, as the simulation begins on 16 November.
const MONTH_ENDS: u32 = 15;

impl Draw {
    pub(super) fn mischief(&mut self, day: u32) {
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
            self.restored_at(at);
        }
        let shop = self.any_shop();
        let repair = self.repair(shop);
        self.add(day * DAY + 20 * 3_600 + 900, repair);
    }

    /// What the fund decides.
    pub(super) fn voted(&mut self, day: u32) {
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

    fn restored_at(&mut self, at: u32) {
        self.add(at, What::Restore);
        // Nobody is credited before all have handed back: the shops call in turn.
        for shop in 0..self.shape.tills() {
            self.add(at + 600 + u32::from(shop), What::Sync { shop, net: Net::Fine });
        }
    }

    pub(super) const fn is_forgetful(&self) -> bool {
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
    pub(super) fn readers(&mut self, day: u32) {
        if self.has(13) && self.once_in(2) {
            let (at, shop, card, mishap) = (self.moment(day), self.any_shop(), self.any_card(), self.left());
            let what = if self.once_in(4) {
                What::Issue { shop, card, is_purse: self.rng.bool(), mishap, is_backed_up: true }
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

    /// The hub's signing keys, and cards that a restore forgets.
    pub(super) fn keys(&mut self, day: u32) {
        if self.has(NEW_KEYS) && self.apart.u32(0..6) == 0 {
            let at = day * DAY + self.apart.u32(8 * 3_600..19 * 3_600);
            self.add(at, What::NewKey);
            if self.apart.bool() {
                // Stalls may not have heard of the new one then.
                let later = self.apart.u32(60..6 * DAY);
                self.add(at + later, What::KeyBack);
            }
        }
        if self.has(FORGOTTEN_CARDS) && self.apart.u32(0..4) == 0 {
            let at = day * DAY + self.apart.u32(8 * 3_600..12 * 3_600);
            let shop = self.apart.u8(0..self.shape.tills());
            let card = self.apart.u16(0..self.shape.households * 2);
            let is_purse = self.apart.bool();
            self.add(at, What::Issue { shop, card, is_purse, mishap: Mishap::None, is_backed_up: false });
            if self.apart.bool() {
                let later = self.apart.u32(60..DAY);
                self.restored_at(at + later);
            }
        }
    }

    /// Households that leave, some of which come back.
    pub(super) fn comings_and_goings(&mut self, day: u32) {
        if self.has(LEAVES) && self.apart.u32(0..4) == 0 {
            let at = day * DAY + self.apart.u32(8 * 3_600..19 * 3_600);
            let household = self.apart.u16(0..self.shape.households);
            self.add(at, What::Leave { household });
            if self.apart.bool() {
                let later = self.apart.u32(60..9 * DAY);
                self.add(at + later, What::Return { household });
            }
        }
    }

    /// A card is blocked, some terminals hear of it, and the hub is restored from before; at times once more while that lasts.
    pub(super) fn lost_blocks(&mut self, day: u32) {
        if !self.has(LOST_BLOCKS) || self.blocks.u32(0..5) != 0 {
            return;
        }
        let at = day * DAY + self.blocks.u32(8 * 3_600..12 * 3_600);
        let card = self.blocks.u16(0..self.shape.households * 2);
        self.add(at, What::Block { card });
        for _ in 0..self.blocks.u32(0..4) {
            let (later, shop) = (self.blocks.u32(60..3_600), self.blocks.u8(0..self.shape.tills()));
            self.add(at + later, What::Sync { shop, net: Net::Fine });
        }
        let restored = at + 3_600 + self.blocks.u32(0..3_600);
        if self.blocks.bool() {
            self.restored_at(restored);
        } else {
            self.add(restored, What::Restore);
        }
        if self.blocks.u32(0..3) == 0 {
            // While that restore may last: another card, another list, and all of it once more.
            let other = self.blocks.u16(0..self.shape.households * 2);
            self.add(restored + 1_200, What::Block { card: other });
            if self.blocks.bool() {
                self.add(restored + 1_260, What::Backup);
            }
            self.restored_at(restored + 1_800);
        }
        if self.blocks.u32(0..4) == 0 {
            let later = self.blocks.u32(1..6 * 3_600);
            self.add(restored + later, What::Unblock { card });
        }
    }
}
