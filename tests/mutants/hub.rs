//! The hub's core alone, for `deploy/mutants`.

pub mod core;
