//! What is simulated: how many shops, households and days, and how the fund's money is to lie.
#![allow(clippy::arithmetic_side_effects, reason = "places of shops and days; nothing of it is money")]

use cabas_hub::core::slices::{FREE_SHARE_PERCENT, STEADY_PERCENT, Shares};

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
