//! The program at each shop: reads the member's card, authorizes the sale with or without a network, prints, syncs.

pub mod card;
pub mod cashiers;
pub mod cli;
pub mod clock;
pub mod config;
pub mod core;
pub mod journal;
pub mod out;
pub mod phones;
pub mod printer;
pub mod service;
pub mod stamp;
pub mod sync;
pub mod texts;
pub mod till;
pub mod upgrade;
pub mod web;

#[cfg(test)]
pub(crate) mod fixture;
