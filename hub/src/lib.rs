//! The fund's server: what it owes whom, what each terminal may spend, and what the terminals say happened.
//!
//! `core` decides, `store` keeps, `api` speaks with terminals, `admin` shows, `cli` is how the fund is run.

pub mod admin;
pub mod alerts;
pub mod api;
pub mod app;
pub mod bank;
pub mod bank_keys;
pub mod calendar;
pub mod card_relay;
pub mod card_witness;
pub mod checkup;
pub mod cli;
pub mod clock;
pub mod config;
pub mod core;
pub mod documents;
pub mod error;
pub mod import;
pub mod jobs;
pub mod keys;
pub mod metrics;
pub mod out;
pub mod router;
pub mod server;
pub mod signers;
pub mod store;
pub mod works;
