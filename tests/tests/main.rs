//! Scenarios on the real programs. One executable, for each of many would hold agent and hub again.
#![allow(clippy::unwrap_used, reason = "test code")]

mod abuse_table;
mod browser_life;
mod card_page;
mod card_power_cut;
mod card_reader;
mod card_seal;
mod card_selftest;
mod card_sessions;
mod card_world;
mod claims;
mod commits;
mod counter;
mod counter_day;
mod counter_hands;
mod counter_once;
mod counter_papers;
mod counter_screens;
mod counter_training;
mod counter_undone;
mod couriers;
mod credit_run;
mod damaged;
mod fleet_simulation;
mod fuzzed;
mod identity_card;
mod identity_sessions;
mod joining;
mod lifecycle;
mod local_api;
mod lossy_agent;
mod lossy_disk;
mod manual;
mod manual_pages;
mod month;
mod page;
mod people;
mod phone;
mod power_cut;
mod previous;
mod purse_card;
mod receipt_pictures;
mod receipt_printer;
mod sale;
mod site;
mod site_bank;
mod site_figures;
mod site_money;
mod site_people;
mod site_shops;
mod site_voted;
mod site_vouch;
mod slot_keys;
mod statement;
mod stolen_keys;
mod sweep_agent;
mod sweep_card;
mod sweep_hub;
mod sweep_serve;
mod till;
mod till_concert;
mod till_page;
mod tls;
mod upgrade;
mod virtual_card;
mod watch;
mod week;
mod wrong_proofs;

/// Each file and folder of sources beside this one is named above: what is not would not run, and nobody would see it.
#[test]
fn all_files_here_are_run() {
    let named = include_str!("main.rs");
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
    for entry in std::fs::read_dir(here).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap();
        let is_source = path.extension().is_some_and(|end| end == "rs") || path.join("mod.rs").exists();
        assert!(!is_source || module == "main" || named.contains(&format!("\nmod {module};\n")), "{module}");
    }
}
