//! What stands in for plastic and paper, and the world of an end-to-end test: real programs, real pcscd, real sockets.
#![allow(clippy::indexing_slicing, reason = "a JSON value answers null for what is not there")]

pub mod bare_purse;
pub mod browser;
pub mod counter;
pub mod cpu;
pub mod devices;
pub mod disk;
pub mod disk_syncs;
pub mod example;
pub mod fdatasync;
pub mod fleet;
pub mod fuzzed;
pub mod hub;
pub mod pcscd;
pub mod ports;
pub mod program;
pub mod purse_shop;
pub mod recorder;
pub mod release;
pub mod scenario;
pub mod shop;
pub mod site;
pub mod sweep;
pub mod terminal;
pub mod tills;
pub mod virtual_card;
pub mod virtual_printer;
