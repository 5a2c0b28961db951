//! The program at each shop: reads the member's card, authorizes the sale with or without a network, prints, syncs.

pub mod card;
pub mod clock;
pub mod config;
pub mod core;
pub mod journal;
pub mod out;
pub mod printer;
pub mod sync;

#[cfg(test)]
pub(crate) mod fixture;
