//! The hub from outside: its program, its pages, its interface for programs. One executable, for each of many would hold the
//! whole hub again.
#![allow(clippy::unwrap_used, reason = "test code")]

mod alerts;
mod bank;
mod calls;
mod cli;
mod common;
mod doctor;
mod enrol;
mod money;
mod pages;
mod receipts;
mod report;
mod serve;
mod site;
mod site_bank;
mod site_bank_end;
mod site_credits;
mod site_figures;
mod site_money;
mod site_people;
mod site_settlement_work;
mod site_shops;
mod site_voted;
mod site_vouch;
mod sync;
mod takeout;

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
