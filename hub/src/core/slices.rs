//! How a purse's money is divided between the hub and the terminals.

/// The share of a purse's unspent money that stays free at the hub, in percent.
pub const FREE_SHARE_PERCENT: u8 = 40;
