//! Fleets of shops. `in_process` is one shop over real sockets; all else here is the simulation: the real journal, core,
//! card host and ledger on SQLite, one thread, one clock, one seed, and an auditor that looks after every event.

pub mod auditor;
mod blocks;
pub mod card;
mod conserved;
mod ends;
pub mod event;
pub mod figures;
pub mod hub;
pub mod hub_people;
mod in_process;
mod look;
mod mischief;
mod network;
mod part;
pub mod plan;
mod plan_faults;
pub mod policies;
pub mod power;
mod purse;
mod readers;
pub mod run;
mod selling;
pub mod shape;
pub mod shrink;
mod signing;
pub mod template;
pub mod till;
mod voted;
pub mod world;

pub use in_process::{FleetShop, RungUp, Tap};
