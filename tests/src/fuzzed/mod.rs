//! What bytes from outside may do to the programs: nothing that is not said here. Each target takes any bytes; it panics where
//! a rule is broken, and never otherwise.
//!
//! `tests/fuzz` gives them to libFuzzer, `tests/tests/fuzzed.rs` replays the kept inputs with the stable toolchain, and inputs
//! bent by [`Mutations`].
#![allow(clippy::panic, reason = "a broken rule is told by a panic: that is what a fuzzer looks for")]

mod cards;
mod files;
mod mutations;
mod served;
mod tills;
mod wire;
mod words;

pub use mutations::Mutations;

/// Takes any bytes.
pub type Target = fn(&[u8]);

/// Every target by its name: that of its folder in `tests/fuzz/corpus` and of its file in `tests/fuzz/fuzz_targets`.
pub const TARGETS: &[(&str, Target)] = &[
    ("caisse_ap", tills::caisse_ap),
    ("card_answers", cards::answers),
    ("card_identity", cards::identity),
    ("card_issue", cards::issue),
    ("card_purchase", cards::purchase),
    ("card_record", cards::record),
    ("concert", tills::concert),
    ("config", files::config),
    ("contributions", files::contributions),
    ("hw_proxy", tills::hw_proxy),
    ("import", files::import),
    ("local_api", served::local_api),
    ("rolls", files::rolls),
    ("signed", wire::signed),
    ("payload", wire::payload),
    ("site", served::site),
    ("statement", files::statement),
    ("words", words::words),
];

/// The target of that name.
///
/// # Panics
/// There is none.
#[must_use]
pub fn target(name: &str) -> Target {
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("no target is called {name}")).1
}
