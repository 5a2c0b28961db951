//! Fleets of shops. `in_process` is one shop over real sockets; all else here is the simulation: the real journal, core,
//! card host and ledger on SQLite, one thread, one clock, one seed, and an auditor that looks after every event.

pub mod auditor;
pub mod card;
pub mod event;
pub mod hub;
mod in_process;
mod look;
mod mischief;
mod part;
pub mod plan;
pub mod policies;
pub mod power;
mod purse;
mod readers;
pub mod run;
pub mod shrink;
pub mod template;
pub mod till;
mod voted;
pub mod world;

pub use in_process::{FleetShop, RungUp, Tap};
