//! The store on real SQLite files: rules, faults, crashes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a failed unwrap is the test's failure"
)]

mod backups;
mod bank;
mod bank_end;
mod card_lives;
mod card_proofs;
mod closings;
mod credit_runs;
mod credits;
mod enrolments;
mod exposures;
mod faults;
mod figures;
mod files;
mod goodwill_votes;
mod histories;
mod identity_cards;
mod imports;
mod ingests;
mod joinings;
mod ledger_page;
mod model;
mod money_bank;
mod money_in;
mod money_run;
mod news;
mod people;
mod purse_cards;
mod recalls;
mod receipts;
mod refunds;
mod register;
mod releases;
mod restores;
mod schedules;
mod settlements;
mod slices;
mod slot_keys;
mod statements;
mod threads;
mod undo;
mod users;
mod voted;
mod vouching;
mod world;
